// SampleRows: the data rows behind rollouts and evaluations, by their ids: picture, question, cue, evidence. Asked of the engine
// in batches when somebody looks at them, and kept up to a limit. UI thread; owned by a page.
#pragma once

#include <QHash>
#include <QImage>
#include <QObject>
#include <QSet>
#include <QStringList>
#include <QTimer>

#include "engine/core/snapshots.h"
#include "widgets/frame_strip.h"
#include "widgets/heatmap_layer.h"

namespace cuescope {

class Session;

/// The first picture of a row at the size of a table's cell, on any screen; null without one.
QImage thumbnailOf(const DataRow& row);

class SampleRows : public QObject {
  Q_OBJECT
 public:
  /// `tag` names this page's jobs on the engine thread.
  SampleRows(Session& session, std::string tag, QObject* parent = nullptr);
  /// The data files whose rows the ids name; another list forgets everything.
  void setFiles(const QStringList& files);
  QStringList files() const { return m_files; }

  /// Where a row lies, when the id's record says so: it is looked for there first.
  void hint(const QString& id, const QString& file, qint64 row);
  /// The row, or null: it is asked for then (unless it was and is not there), and arrived() tells.
  const DataRow* row(const QString& id);
  /// Small picture in device pixels, null while it is not here.
  QImage thumbnail(const QString& id);
  /// Whether the row was looked for and is in none of the files.
  bool isMissing(const QString& id) const { return m_missing.contains(id); }

 Q_SIGNALS:
  void arrived(const QString& id);

 private:
  void ask();
  Session& m_session;
  std::string m_tag;
  QStringList m_files;
  QHash<QString, DataRow> m_rows;
  QHash<QString, QImage> m_thumbs;
  QStringList m_order, m_thumbOrder;  // oldest first
  qint64 m_bytes = 0, m_thumbBytes = 0;
  QSet<QString> m_missing, m_asked;
  QStringList m_wanted;
  QHash<QString, std::pair<QString, qint64>> m_hints;
  int m_generation = 0;
  QTimer m_timer;
};

/// One of the row's pictures with its evidence boxes, without a map; no picture while there is no row.
HeatmapScene rowScene(const DataRow* row, int picture = 0);
/// All of them for a strip, by their numbers; empty for rows with one.
std::vector<StripFrame> rowFrames(const DataRow* row);
/// Size of a picture, from its header; empty when it is not here or is no picture.
QSize pictureSize(const DataRow& row, int picture);
/// Of the pictures behind the first, as lintRow() takes them.
std::vector<std::pair<int, int>> otherSizes(const DataRow& row);
/// Of all its pictures.
qint64 pictureBytes(const DataRow& row);

/// Training data files of a run, absolute, from its config.yaml; empty for runs of other programs.
QStringList dataFilesOf(const QString& runDirectory);

}  // namespace cuescope
