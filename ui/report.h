// Report: a run or an inspection as one page that needs nothing else: HTML with its pictures inside, or PDF. The same blocks make
// both; the same input gives the same bytes: no clock, no paths of this machine. Needs a QApplication (fonts and the curve
// painter), no window on a screen. UI thread.
#pragma once

#include <QByteArray>
#include <QList>
#include <QString>
#include <QStringList>

#include "engine/core/run_directory.h"
#include "ui/export.h"
#include "ui/session.h"

class QCommandLineParser;

namespace cuescope {

struct ReportBlock {
  enum class Kind { Heading, Text, Facts, Table, Picture, Code };
  Kind kind = Kind::Text;
  QString text;             // heading, paragraph, caption of a picture, code
  QList<QStringList> rows;  // facts: name and value; table: the first row is the head
  Figure figure;
};

struct Report {
  QString title, subtitle;
  bool dark = false;
  QList<ReportBlock> blocks;
};

/// Keys of the parameters at the head of a run's report.
const std::vector<const char*>& reportedKeys();

/// Facts, every site's maps, tokens, the distributions at the largest gap, token table, cue score. `causal`: the number of the
/// window when it was computed.
Report inspectionReport(const Inspection& inspection, const QString& causal, bool dark);
/// State, health, curves, probe images, last and best values, checkpoints, configuration.
Report runReport(const RunRecord& run, bool dark);
/// Reads a run folder as the window would. Throws Error when it is none.
RunRecord readRun(const QString& directory);

QByteArray reportHtml(const Report& report);
QByteArray reportPdf(const Report& report);
/// By the file's ending, html or pdf. Throws Error for another one and when the disk refuses.
void writeReport(const QString& file, const Report& report);

/// `cuescope report RUN|CAPTURE --output F.html|pdf`: exit code 0, 1 or 2.
int reportCommand(const QStringList& arguments);
/// What `cuescope VERB --help` says.
QString verbHelp(const QCommandLineParser& parser, const QString& verb);

}  // namespace cuescope
