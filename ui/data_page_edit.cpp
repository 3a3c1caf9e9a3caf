// What is done to rows: showing, editing with undo, saving beside the data, prompts, lint of the whole set.
#include <QComboBox>
#include <QDateTime>
#include <QFileDialog>
#include <QFileInfo>
#include <QLineEdit>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QStackedWidget>
#include <QTableView>
#include <QTableWidget>
#include <QUndoStack>

#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/models/sample_rows.h"
#include "ui/undo.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

const QString kLintTask = QStringLiteral("data.lint"), kWriteTask = QStringLiteral("data.write");

QString person() {
  const QString name = qEnvironmentVariable("USER");
  return name.isEmpty() ? QStringLiteral("person") : name;
}

}  // namespace

int DataPage::currentRow() const { return m_filter->mapToSource(m_table->currentIndex()).row(); }
int DataPage::sourceRow(int shown) const { return m_filter->mapToSource(m_filter->index(shown, 0)).row(); }
CueEdit DataPage::currentCue() const { return m_model->cueAt(currentRow()); }

void DataPage::fail(const Failure& failure) {
  ErrorPanel* panel = m_stack->currentIndex() == 1 ? m_rowError : m_error;
  panel->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
  panel->show();
}

void DataPage::showRow() {
  const int at = currentRow();
  const DataRow* row = m_model->row(at);
  if (!row) return;
  if (row->image.empty() && row->pictures > 0 && row->problem.empty() && m_askedRow != row->index) m_session.readRows(m_model->file(), m_askedRow = row->index, 1);
  m_canvas->setSelected(-1);
  m_canvas->setEmptyText(row->problem.empty() ? row->pictures > 0 ? tr("Fetching the picture") : tr("No picture in this row") : tr("This row cannot be read"), QString::fromStdString(row->problem).simplified());
  const std::vector<StripFrame> frames = rowFrames(row);
  m_pictures->setFrames(frames);
  m_pictures->setVisible(!frames.empty());
  showPicture(0);
  m_inspect->setEnabled(row->problem.empty());
  m_inspect->setToolTip(row->problem.empty() ? tr("Ask the student this row's question, with the cue as it is now (Enter)") : QString::fromStdString(row->problem));
  showCue();
}

void DataPage::showPicture(int picture) {
  const DataRow* row = m_model->row(currentRow());
  m_canvas->setPicture(rowScene(row, picture).picture);
  m_canvas->setImage(picture);
  m_pictures->setCurrent(picture);
  refreshState();
}

void DataPage::showCue() {
  const int at = currentRow();
  const DataRow* row = m_model->row(at);
  if (!row) return;
  const CueEdit cue = currentCue();
  m_filling = true;
  m_canvas->setMarks(cue.marks);
  const QString text = QString::fromStdString(cue.cue);
  if (m_cue->toPlainText() != text) {
    m_cue->setPlainText(text);
    m_cue->moveCursor(QTextCursor::End);
  }
  m_cue->setReadOnly(!row->problem.empty());
  m_marks->setRowCount(int(cue.marks.size()));
  for (int i = 0; i < int(cue.marks.size()); ++i) {
    const CueMark& mark = cue.marks[std::size_t(i)];
    const QString cells[] = {row->pictures > 1 ? tr("%1 in %2").arg(QString::fromStdString(mark.kind)).arg(mark.image + 1) : QString::fromStdString(mark.kind), QString::fromStdString(mark.label),
                             mark.kind == "point" ? QStringLiteral("%1, %2").arg(double(mark.x)).arg(double(mark.y)) : QStringLiteral("%1, %2, %3 × %4").arg(double(mark.x)).arg(double(mark.y)).arg(double(mark.width)).arg(double(mark.height)),
                             QString::fromStdString(mark.from)};
    for (int column = 0; column < 4; ++column) {
      auto* item = new QTableWidgetItem(cells[column]);
      if (column == 2) item->setFont(monoFont(11));
      item->setFlags(column == 1 ? Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsEditable : Qt::ItemIsEnabled | Qt::ItemIsSelectable);
      item->setToolTip(column == 1 ? tr("Double click to say what this mark shows") : cells[column]);
      m_marks->setItem(i, column, item);
    }
  }
  m_filling = false;
  showVerdict();
  m_side->setProvenance(cue, row);
  const qsizetype sentences = text.count(u'.') + (text.trimmed().isEmpty() || text.trimmed().endsWith(u'.') ? 0 : 1);
  m_cueHead->setText(tr("Cue text"), text.trimmed().isEmpty() ? tr("none. Say what is visible; not the theorem, the plan or the answer.") : sentences == 1 ? tr("1 sentence. Say what is visible; not the theorem, the plan or the answer.") : tr("%1 sentences. Say what is visible; not the theorem, the plan or the answer.").arg(sentences));
  m_promptTimer.start();
  refreshState();
}

void DataPage::refreshState() {
  const int mark = m_canvas->selected();
  const CueEdit cue = currentCue();
  if (mark >= 0 && mark < int(cue.marks.size())) m_readout->setText(m_canvas->cellName(mark), tr("Arrow keys move by 1 px, Shift by a patch, Del deletes"));
  else m_readout->setText(m_canvas->picture().isNull() ? QString() : tr("%1 × %2 px").arg(m_canvas->picture().width()).arg(m_canvas->picture().height()), tr("Drag to draw; click a mark in its table to take it"));
  if (m_suggest) {
    QString refusal;
    const DataRow* row = m_model->row(currentRow());
    const QString model = teacherModel(&refusal);
    if (row && refusal.isEmpty()) refusal = !row->problem.empty() ? tr("This row cannot be read.") : row->pictures != 1 ? tr("Suggest cue reads rows with one picture; this one has %1.").arg(row->pictures) : QString();
    m_suggest->setEnabled(m_suggesting || (row && refusal.isEmpty()));
    m_suggest->setText(m_suggesting ? tr("Cancel") : tr("Suggest cue"));
    m_suggest->setToolTip(m_suggesting ? tr("The teacher is writing") : !refusal.isEmpty() ? refusal : tr("%1 says what is visible, without the answer; its words come as an edit that can be undone").arg(QFileInfo(model).fileName()));
  }
  m_save->setEnabled(!m_dirty.isEmpty());
  m_save->setText(m_dirty.isEmpty() ? tr("Saved") : m_dirty.size() == 1 ? tr("Save 1 row") : tr("Save %1 rows").arg(m_dirty.size()));
  Q_EMIT stateChanged();
  m_save->setToolTip(m_dirty.isEmpty() ? tr("There are no edits that are not on the disk.") : tr("Writes %1 (Ctrl+S); the data file itself is not touched").arg(QFileInfo(QString::fromStdString(cueEditsFile(m_model->file().toStdString()))).fileName()));
}

// One edit of one row: undo brings the row back as it was, whichever row is shown then.
void DataPage::edit(const CueEdit& next, const QString& words, const QString& mergeKey) {
  if (next.row < 0) return;
  const CueEdit before = currentCue();
  if (before.cue == next.cue && before.marks == next.marks) return;
  CueEdit after = next;
  after.by = person().toStdString();
  after.at = QDateTime::currentDateTimeUtc().toString(Qt::ISODate).toStdString();
  after.changes = before.changes + 1;
  if (after.cue == after.originalCue) after.origin = cueOf(*m_model->row(int(next.row))).origin;  // the data's own words again
  pushEdit(this, words, [this, after] { put(after); }, [this, before] { put(before); }, mergeKey);
}

void DataPage::put(const CueEdit& cue) {
  const CueEdit before = m_model->cueAt(int(cue.row));
  m_edits[cue.row] = cue;
  m_dirty.insert(cue.row);
  m_model->touch(int(cue.row));
  if (currentRow() == int(cue.row)) {
    showCue();
    previewCue(before);
  } else {
    jumpTo(cue.row);
  }
  refreshState();
}

bool DataPage::save() {
  try {
    writeCueEdits(cueEditsFile(m_model->file().toStdString()), m_edits);
    m_dirty.clear();
    m_rowError->hide();
    refreshState();
    Q_EMIT said(tr("Edits are in %1").arg(QFileInfo(QString::fromStdString(cueEditsFile(m_model->file().toStdString()))).fileName()));
    return true;
  } catch (...) {
    fail(currentFailure("saving cue edits"));
    return false;
  }
}

CueEdits DataPage::unsavedEdits() const {
  CueEdits edits;
  for (const qint64 row : m_dirty)
    if (const auto edit = m_edits.find(row); edit != m_edits.end()) edits.insert(*edit);
  return edits;
}

// The engine reads the edits where they are kept, so they are saved first.
void DataPage::saveAs(const QString& file) {
  if (!m_dirty.isEmpty() && !save()) return;
  Q_EMIT said(tr("Writing %1").arg(QFileInfo(file).fileName()));
  const QPointer<DataPage> self(this);
  m_session.setTask(kWriteTask, tr("Writing %1").arg(QFileInfo(file).fileName()), [this] {
    m_session.cancelJobs("data-write");
    m_session.endTask(kWriteTask);
    Q_EMIT said(tr("Nothing was written"));
  });
  m_session.submit("data-write", [self, source = m_model->file(), file, progress = m_session.taskSink(kWriteTask)](Engine& engine, const EventSink&, std::stop_token stop) {
    try {
      const DataExport done = engine.exportData(source.toStdString(), file.toStdString(), true, progress, stop);
      Session::reply(QPointer<QObject>(self.data()), [self, file, done] {
        if (!self) return;
        self->m_session.endTask(kWriteTask);
        self->m_rowError->hide();
        Q_EMIT self->said(tr("Written: %1, %2 rows, %3 of them edited").arg(file).arg(done.rows).arg(done.edited));
      });
    } catch (const Cancelled&) {  // nothing was written
    } catch (...) {
      Session::reply(QPointer<QObject>(self.data()), [self, failure = currentFailure("writing a data file")] {
        if (!self) return;
        self->m_session.endTask(kWriteTask);
        self->fail(failure);
      });
    }
  });
}

void DataPage::jumpTo(qint64 row) {
  if (row < 0) return;
  if (row >= m_model->rowCount()) {  // rows come in order
    m_wantedRow = row;
    m_model->fetchMore({});
    return;
  }
  m_wantedRow = -1;
  QModelIndex at = m_filter->mapFromSource(m_model->index(int(row), DataRowsModel::Question));
  if (!at.isValid()) {  // hidden by the search
    m_search->clear();
    m_show->setCurrentIndex(0);
    at = m_filter->mapFromSource(m_model->index(int(row), DataRowsModel::Question));
  }
  m_table->setCurrentIndex(at);
  m_table->scrollTo(at);
}

void DataPage::lintAll() {
  const auto cancel = [this] {
    m_session.cancelJobs("lint");
    endLint(m_lintRun, tr("cancelled"));
  };
  if (m_linting) return cancel();
  m_linting = true;
  m_session.setTask(kLintTask, tr("Lint of %1").arg(QFileInfo(m_model->file()).fileName()), cancel);
  m_found.clear();
  m_complaints->clear();
  m_lintAll->setText(tr("Cancel"));
  m_complaints->hide();
  sayLint(tr("running"), {});
  const QPointer<DataPage> self(this);
  const int run = ++m_lintRun;
  CheckRowsRequest request;
  request.file = m_model->file().toStdString();
  request.config = judge();
  request.edits = m_edits;
  auto lint = [self, run, request](Engine& engine, const std::stop_token& stop) {
    const auto reply = [&](auto then) {
      Session::reply(QPointer<QObject>(self.data()), [self, run, then] {
        if (self && run == self->m_lintRun && self->m_linting) then(*self);
      });
    };
    const DataLint lint = lintFile(engine, request, [&](std::int64_t done, std::int64_t total) {
      reply([done, total](DataPage& page) {
        page.m_session.updateTask(kLintTask, double(done), double(total));
        page.sayLint(tr("%1 of %2 rows").arg(done).arg(total), {});
      });
    }, stop);
    reply([lint](DataPage& page) { page.showLint(lint); });
  };
  m_session.submit("lint", [self, run, lint](Engine& engine, const EventSink&, std::stop_token stop) {
    try {
      lint(engine, stop);
    } catch (const Cancelled&) {  // asked for: whoever cancelled knows
    } catch (...) {
      Session::reply(QPointer<QObject>(self.data()), [self, run, failure = currentFailure("lint of the whole set")] {
        if (!self || run != self->m_lintRun || !self->m_linting) return;
        self->endLint(run, tr("not finished"));
        self->fail(failure);
      });
    }
  });
}

void DataPage::showLint(const DataLint& lint) {
  m_found.clear();
  for (const RowComplaint& complaint : lint.found) m_found.push_back(complaintOf(complaint));
  QStringList sums;
  for (std::size_t check = 0; check < kChecks; ++check)
    if (lint.counts[check]) sums << tr("%1 %2").arg(checkTitle(Check(check)).toLower()).arg(lint.counts[check]);
  if (!lint.notCounted.empty()) sums << tr("lengths not computed (%1)").arg(QString::fromStdString(lint.notCounted));
  endLint(m_lintRun, sums.isEmpty() ? tr("%1 rows, no complaints").arg(lint.rows) : tr("%1 rows").arg(lint.rows), sums.join(QStringLiteral(", ")));
  for (const Complaint& complaint : m_found) {
    auto* item = new QListWidgetItem(complaint.finding.verdict == Verdict::Wrong ? icon(Icon::Cross, colors().danger) : icon(Icon::Caution, colors().caution),
                                     tr("Row %1: %2. %3").arg(complaint.row).arg(complaint.finding.words, complaint.finding.detail), m_complaints);
    item->setData(Qt::UserRole, complaint.row);
    item->setToolTip(item->text());
  }
  m_complaints->setVisible(!m_found.empty());
  Q_EMIT said(tr("Lint finished: %1 complaints").arg(m_found.size()));
}

void DataPage::endLint(int run, const QString& note, const QString& sums) {
  if (run != m_lintRun || !m_linting) return;
  m_linting = false;
  m_session.endTask(kLintTask);
  m_lintAll->setText(tr("Run lint"));
  sayLint(note, sums);
}

void DataPage::sayLint(const QString& note, const QString& sums) {
  m_lintHead->setText(tr("Lint, whole set"), note);
  m_lintSums->setText(sums.isEmpty() ? QString() : tr("Complaints: %1").arg(sums));
  m_lintSums->setVisible(!sums.isEmpty());
}

}  // namespace cuescope
