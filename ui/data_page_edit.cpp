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
#include <nlohmann/json.hpp>

#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/export.h"
#include "ui/undo.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr int kLintPage = 100;
constexpr std::size_t kMostComplaints = 2000;  // listed; all are counted

QString person() {
  const QString name = qEnvironmentVariable("USER");
  return name.isEmpty() ? QStringLiteral("person") : name;
}

/// Pictures of a rendered prompt as one word.
QString folded(QString text, int visualTokens) {
  const QString mark = visualTokens > 0 ? QObject::tr("[image, %1 tokens]").arg(visualTokens) : QObject::tr("[image]");
  return text.replace(QStringLiteral("<|vision_start|><|image_pad|><|vision_end|>"), mark).replace(QStringLiteral("<image>"), mark);
}

ChatMessage userMessage(const std::string& prompt, const std::string& hint) {
  nlohmann::json parts = nlohmann::json::array();
  std::size_t at = 0;
  const auto text = [&](const std::string& words) {
    if (!words.empty()) parts.push_back({{"type", "text"}, {"text", words}});
  };
  for (std::size_t mark; (mark = prompt.find("<image>", at)) != std::string::npos; at = mark + 7) {
    text(prompt.substr(at, mark - at));
    parts.push_back({{"type", "image"}});
  }
  text(prompt.substr(at) + (hint.empty() ? std::string() : "\n[Hint]: " + hint));
  return {"user", parts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

}  // namespace

int DataPage::currentRow() const { return m_filter->mapToSource(m_table->currentIndex()).row(); }
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
  m_canvas->setPicture(QImage::fromData(row->image.data(), int(row->image.size())).convertToFormat(QImage::Format_RGB888));
  m_inspect->setEnabled(row->problem.empty());
  m_inspect->setToolTip(row->problem.empty() ? tr("Ask the student this row's question, with the cue as it is now (Enter)") : QString::fromStdString(row->problem));
  showCue();
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
    const QString cells[] = {QString::fromStdString(mark.kind), QString::fromStdString(mark.label),
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
  m_side->setFindings(lintRow(*row, cue, m_canvas->picture().width(), m_canvas->picture().height()));
  m_side->setProvenance(cue, row);
  const qsizetype sentences = text.count(u'.') + (text.trimmed().isEmpty() || text.trimmed().endsWith(u'.') ? 0 : 1);
  m_cueHead->setText(tr("Cue text"), text.trimmed().isEmpty() ? tr("none. Say what is visible; not the theorem, the plan or the answer.") : tr("%1 sentences. Say what is visible; not the theorem, the plan or the answer.").arg(sentences));
  m_promptTimer.start();
  refreshState();
}

void DataPage::refreshState() {
  if (auto* other = findChild<QPushButton*>(QStringLiteral("data.saveAs"))) {
    const bool lines = m_model->file().endsWith(QStringLiteral(".jsonl"));
    other->setEnabled(lines);
    other->setToolTip(lines ? tr("The rows with their edits as another data file; the source is never written over")
                            : tr("Only JSONL data is written anew. Edits of a parquet file are kept beside it."));
  }
  const int mark = m_canvas->selected();
  const CueEdit cue = currentCue();
  if (mark >= 0 && mark < int(cue.marks.size())) m_readout->setText(m_canvas->cellName(mark), tr("Arrow keys move by 1 px, Shift by a patch, Del deletes"));
  else m_readout->setText(m_canvas->picture().isNull() ? QString() : tr("%1 × %2 px").arg(m_canvas->picture().width()).arg(m_canvas->picture().height()), tr("Drag to draw; click a mark in its table to take it"));
  m_save->setEnabled(!m_dirty.isEmpty());
  m_save->setText(m_dirty.isEmpty() ? tr("Saved") : tr("Save %1 rows").arg(m_dirty.size()));
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
  pushEdit(this, words, [this, after] { put(after); }, [this, before] { put(before); }, mergeKey);
}

void DataPage::put(const CueEdit& cue) {
  m_edits[cue.row] = cue;
  m_dirty.insert(cue.row);
  m_model->touch(int(cue.row));
  if (currentRow() == int(cue.row)) showCue();
  else jumpTo(cue.row);
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

void DataPage::saveAs(const QString& file) {
  try {
    writeEditedJsonl(m_model->file().toStdString(), m_edits, file.toStdString());
    m_rowError->hide();
    Q_EMIT said(tr("Written: %1").arg(file));
  } catch (...) {
    fail(currentFailure("writing a data file"));
  }
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

// The prompts as the demo's or the opened model's template renders them; without a model, as the data has them.
void DataPage::renderPrompts() {
  const DataRow* row = m_model->row(currentRow());
  if (!row) return;
  const std::string cue = currentCue().cue;
  const std::string hint = "[Hint]: " + cue;
  SidePrompt plain[2];
  plain[0].text = folded(QString::fromStdString(row->prompt), 0);
  plain[1].text = plain[0].text + (cue.empty() ? QString() : QStringLiteral("\n") + QString::fromStdString(hint));
  plain[1].cue = cue.empty() ? QString() : QString::fromStdString(hint);
  QString model;
  if (!m_session.models().empty()) model = QString::fromStdString(m_session.models().back().folder);
  if (model.isEmpty() && !m_workspace.models().empty()) model = m_workspace.models().front().path;
  if (model.isEmpty() || !row->problem.empty()) return m_side->setPrompts(plain[0], plain[1], tr("as the data has them; open a model for its template"));
  m_side->setPrompts(plain[0], plain[1], tr("rendering"));
  const int number = ++m_prompted;
  const QPointer<DataPage> self(this);
  InspectRequest request;
  request.student = model.toStdString();
  request.imageBytes = row->image;
  request.imageLabel = row->id;
  request.question = row->prompt;
  m_session.submit("data-prompts", [self, number, model, request, prompt = row->prompt, cue, plain1 = plain[1].cue](Engine& engine, const EventSink& sink, std::stop_token) {
    SidePrompt rendered[2];
    QString note = QObject::tr("template of %1").arg(QFileInfo(model).fileName());
    try {
      int visual = -1;
      if (!request.imageBytes.empty()) visual = int(engine.inspectCost(request, sink).visualTokens);
      for (int side = 0; side < 2; ++side) {
        const RenderedPrompt prompted = engine.chat(model.toStdString(), {userMessage(prompt, side ? cue : std::string())}, true);
        int pads = 0;
        for (const Token& token : prompted.tokens) pads += token.text == "<|image_pad|>";
        rendered[side].text = folded(QString::fromStdString(prompted.text), visual);
        if (pads == 0 || visual >= 0) rendered[side].tokens = int(prompted.tokens.size()) - pads + std::max(0, visual);
      }
      rendered[1].cue = plain1;
    } catch (const Error& error) {
      const QString why = QString::fromStdString(error.failure().what);
      Session::reply(QPointer<QObject>(self.data()), [self, number, why] { if (self && number == self->m_prompted) Q_EMIT self->said(why); });
      return;
    }
    Session::reply(QPointer<QObject>(self.data()), [self, number, a = rendered[0], b = rendered[1], note] {
      if (self && number == self->m_prompted) self->m_side->setPrompts(a, b, note);
    });
  });
}

void DataPage::lintAll() {
  if (m_linting) {
    m_session.cancelJobs("lint");
    return endLint(m_lintRun, tr("cancelled"));
  }
  m_linting = true;
  m_found.clear();
  m_complaints->clear();
  m_lintAll->setText(tr("Cancel"));
  const QPointer<DataPage> self(this);
  const int run = ++m_lintRun;
  const auto lint = [self, run, file = m_model->file(), edits = m_edits](Engine& engine, const std::stop_token& stop) {
    std::vector<Complaint> found;
    int counts[kChecks] = {};
    qint64 total = 0;
    for (qint64 first = 0;; first += kLintPage) {
      if (stop.stop_requested()) throw Cancelled();
      const DataRows page = engine.readRows(file.toStdString(), first, kLintPage);
      total = page.total;
      for (const DataRow& row : page.rows) {
        const QSize size = QImage::fromData(row.image.data(), int(row.image.size())).size();
        const auto edit = edits.find(row.index);
        for (const Finding& finding : lintRow(row, edit != edits.end() ? edit->second : cueOf(row), size.width(), size.height())) {
          if (finding.verdict == Verdict::Fine) continue;
          ++counts[int(finding.check)];
          if (found.size() < kMostComplaints) found.push_back({row.index, QString::fromStdString(row.id), finding});
        }
      }
      const bool last = page.rows.empty() || first + kLintPage >= total;
      Session::reply(QPointer<QObject>(self.data()), [self, run, found = last ? found : std::vector<Complaint>(), first, total, last, counts = std::vector<int>(counts, counts + kChecks)] {
        if (!self || run != self->m_lintRun || !self->m_linting) return;
        if (!last) return self->m_lintHead->setText(tr("Lint, whole set"), tr("%1 of %2 rows").arg(std::min(total, first + kLintPage)).arg(total));
        self->m_found = found;
        QStringList sums;
        for (int check = 0; check < kChecks; ++check)
          if (counts[std::size_t(check)]) sums << tr("%1 %2").arg(checkTitle(Check(check)).toLower()).arg(counts[std::size_t(check)]);
        self->endLint(run, sums.isEmpty() ? tr("%1 rows, no complaints").arg(total) : tr("%1 rows: %2").arg(total).arg(sums.join(QStringLiteral(", "))));
        for (const Complaint& complaint : found) {
          auto* item = new QListWidgetItem(complaint.finding.verdict == Verdict::Wrong ? icon(Icon::Cross, colors().danger) : icon(Icon::Caution, colors().caution),
                                           tr("Row %1: %2. %3").arg(complaint.row).arg(complaint.finding.words, complaint.finding.detail), self->m_complaints);
          item->setData(Qt::UserRole, complaint.row);
          item->setToolTip(item->text());
        }
        Q_EMIT self->said(tr("Lint finished: %1 complaints").arg(found.size()));
      });
      if (last) break;
    }
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

void DataPage::endLint(int run, const QString& note) {
  if (run != m_lintRun || !m_linting) return;
  m_linting = false;
  m_lintAll->setText(tr("Run lint"));
  m_lintHead->setText(tr("Lint, whole set"), note);
}

void DataPage::exportTo(const QString& file) {
  if (file.endsWith(QStringLiteral(".csv"))) {
    QByteArray out = "row,id,check,verdict,detail\n";
    const auto quoted = [](QString text) { return '"' + text.replace(u'"', QStringLiteral("\"\"")).toUtf8() + '"'; };
    for (const Complaint& c : m_found)
      out += QByteArray::number(c.row) + ',' + quoted(c.id) + ',' + quoted(checkTitle(c.finding.check)) + ',' + (c.finding.verdict == Verdict::Wrong ? "wrong" : "look") + ',' + quoted(c.finding.words + QStringLiteral(": ") + c.finding.detail) + '\n';
    return writeBytes(file, out);
  }
  if (!file.endsWith(QStringLiteral(".png"))) throw Error("Data cannot be written as this kind of file", file.toStdString(), "complaints are written as .csv, the page as .png", "Choose one of these endings.");
  writePage(file, *this);
}

}  // namespace cuescope
