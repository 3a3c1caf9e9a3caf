// What a row is to a run: prompts, lengths and batch as the engine's own processors have them; cues that a teacher suggests; and what
// the session keeps of this page.
#include <QComboBox>
#include <QDir>
#include <QFileInfo>
#include <QJsonArray>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QTableView>
#include <nlohmann/json.hpp>

#include "engine/core/cue_suggestion.h"
#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/models/sample_rows.h"
#include "ui/workspace.h"

namespace cuescope {
namespace {

constexpr const char* kSuggestTask = "suggest-cue";  // also of its job on the engine thread
constexpr const char* kTriple = "<|vision_start|><|image_pad|><|vision_end|>";

/// Each picture of a rendered prompt as one word with its tokens; `visual`: in all of them.
QString folded(QString text, const RowVerdict* verdict = nullptr, int side = 0) {
  qint64 patches = 0;
  if (verdict)
    for (const auto& grid : verdict->grids) patches += grid[0] * grid[1] * grid[2];
  std::size_t picture = 0;
  for (const QString& mark : {QString::fromLatin1(kTriple), QStringLiteral("<image>")})
    for (qsizetype at; (at = text.indexOf(mark)) >= 0;) {
      const auto* grid = verdict && patches > 0 && picture < verdict->grids.size() ? &verdict->grids[picture] : nullptr;
      text.replace(at, mark.size(), grid ? QObject::tr("[image, %1 tokens]").arg(verdict->visual[0] * ((*grid)[0] * (*grid)[1] * (*grid)[2]) / patches) : side ? QObject::tr("[crop]") : QObject::tr("[image]"));
      ++picture;
    }
  return text;
}

}  // namespace

// ---- whose limits count ---------------------------------------------------------------------------------------------------

void DataPage::fillJudges() {
  const QString kept = m_judge->count() ? m_judge->currentData().toString() : QString();
  const QSignalBlocker quiet(m_judge);
  m_judge->clear();
  m_judged.reset();  // a run's configuration may have arrived
  m_judge->addItem(tr("Opened model"), QString());
  m_judge->setItemData(0, tr("The model that was opened last as student and teacher, with the default limits"), Qt::ToolTipRole);
  for (const QString& file : m_workspace.presets()) {
    const QFileInfo info(file);
    m_judge->addItem(QStringLiteral("%1/%2").arg(info.dir().dirName(), info.completeBaseName()), file);
  }
  for (const QString& name : m_session.runs())
    if (const RunRecord* run = m_session.run(name); run && !run->yaml.isEmpty()) m_judge->addItem(tr("run %1").arg(name), QStringLiteral("run:") + name);
  int at = kept.isEmpty() ? -1 : m_judge->findData(kept);
  if (at < 0 && m_workspace.isDemo(file()))
    for (int i = 0; i < m_judge->count(); ++i)
      if (m_judge->itemText(i) == QStringLiteral("demo/opd_vicur")) at = i;
  m_judge->setCurrentIndex(std::max(0, at));
}

RunConfig DataPage::judge() const {
  const QString chosen = m_judge->currentData().toString();
  QString open = m_session.models().empty() ? QString() : QString::fromStdString(m_session.models().back().folder);
  if (open.isEmpty() && !m_workspace.models().empty()) open = m_workspace.models().front().path;
  if (m_judged && m_judgedFor == chosen + u'\n' + open) return *m_judged;  // asked at every key
  std::vector<ConfigIssue> issues;
  RunConfig config;
  if (chosen.startsWith(QStringLiteral("run:"))) {
    if (const RunRecord* run = m_session.run(chosen.mid(4))) config = parseConfig(run->yaml.toStdString(), {}, &issues);
  } else if (!chosen.isEmpty()) {
    config = readConfig(chosen.toStdString(), &issues);
  } else {
    config.teacher.privilege = "cue";
  }
  // Presets of the paper name models that may not be on this computer: the one that is open counts tokens alike when it is of the family.
  for (std::string* path : {&config.student.path, &config.teacher.path}) {
    if ((!path->empty() && QFileInfo(QString::fromStdString(resolvePath(*path))).isDir()) || open.isEmpty()) continue;
    if (path == &config.teacher.path && config.teacher.kind != "reference") continue;
    *path = open.toStdString();
  }
  m_judged = config;
  m_judgedFor = chosen + u'\n' + open;
  return config;
}

QString DataPage::teacherModel(QString* refusal) const {
  const RunConfig config = judge();
  const QString folder = QString::fromStdString(resolvePath(config.teacher.kind == "reference" ? config.teacher.path : config.student.path));
  if (folder.isEmpty() || !QFileInfo(folder).isDir()) *refusal = tr("Suggest cue needs a teacher model. Open one from Models.");
  return folder;
}

// ---- the row as a run reads it -----------------------------------------------------------------------------------------------

void DataPage::showVerdict() {
  const DataRow* row = m_model->row(currentRow());
  if (!row) return;
  const CueEdit cue = currentCue();
  const bool known = m_verdict && m_verdict->row == row->index && m_verdictFile == file();
  const RowVerdict* verdict = known ? &*m_verdict : nullptr;
  const QSize first = pictureSize(*row, 0);
  std::vector<Finding> findings = lintRow(*row, cue, first.width(), first.height(), verdict, otherSizes(*row));
  if (row->problem.empty() && !(verdict && verdict->student >= 0)) findings.insert(findings.begin(), lengthNotKnown(verdict ? tr("the row cannot be read") : m_notComputed));
  m_side->setFindings(findings);
  if (known) return;
  // Until the engine has rendered them: the words of the data.
  SidePrompt plain[2];
  plain[0].text = folded(QString::fromStdString(row->prompt));
  const QString hint = QStringLiteral("[Hint]: ") + QString::fromStdString(cue.cue);
  plain[1].text = plain[0].text + (cue.cue.empty() ? QString() : QStringLiteral("\n") + hint);
  plain[1].cue = cue.cue.empty() ? QString() : hint;
  m_side->setPrompts(plain[0], plain[1], m_notComputed.isEmpty() ? tr("rendering") : tr("as the data have them; %1").arg(m_notComputed));
  m_side->setBatch({}, m_notComputed);
}

// The old prompt with the cue exchanged, so that the preview follows each key; the engine's rendering takes its place.
void DataPage::previewCue(const CueEdit& before) {
  const CueEdit now = currentCue();
  if (!m_verdict || m_verdict->row != now.row || m_verdict->privilegeKind != "cue" || before.cue == now.cue) return;
  const QString hint = QStringLiteral("\n[Hint]: ");
  QString text = m_side->teacherText()->toPlainText();
  qsizetype at = before.cue.empty() ? -1 : text.lastIndexOf(hint + QString::fromStdString(before.cue));
  if (at >= 0) text.remove(at, hint.size() + QString::fromStdString(before.cue).size());
  else at = text.lastIndexOf(QStringLiteral("<|im_end|>"));
  if (at < 0) return;
  if (!now.cue.empty()) text.insert(at, hint + QString::fromStdString(now.cue));
  m_side->setTeacherText(text, now.cue.empty() ? QString() : hint.trimmed() + u' ' + QString::fromStdString(now.cue));
}

void DataPage::checkRow() {
  const DataRow* row = m_model->row(currentRow());
  if (!row || !row->problem.empty()) {
    m_side->setPrompts({}, {}, row ? tr("the row cannot be read") : QString());
    m_side->setBatch({}, row ? tr("the row cannot be read") : QString());
    return;
  }
  CheckRowsRequest request;
  request.file = file().toStdString();
  request.first = row->index;
  request.config = judge();
  request.batch = true;
  if (const auto edit = m_edits.find(row->index); edit != m_edits.end()) request.edits.insert(*edit);
  if (request.config.student.path.empty()) {
    m_notComputed = tr("open a model for its template and tokens");
    return showVerdict();
  }
  const int number = ++m_prompted;
  const QPointer<DataPage> self(this);
  m_session.submit("data-prompts", [self, number, request](Engine& engine, const EventSink&, std::stop_token stop) {
    try {
      const std::vector<RowVerdict> verdicts = engine.checkRows(request, stop);
      Session::reply(QPointer<QObject>(self.data()), [self, number, verdicts, request] {
        if (!self || number != self->m_prompted || verdicts.empty() || self->file().toStdString() != request.file) return;
        const RowVerdict& v = verdicts.front();
        self->m_verdict = v;
        self->m_verdictFile = self->file();
        self->m_notComputed.clear();
        if (v.student >= 0) {
          SidePrompt prompts[2];
          prompts[0] = {folded(QString::fromStdString(v.studentText), &v), {}, int(v.student)};
          prompts[1] = {v.teacher >= 0 ? folded(QString::fromStdString(v.teacherText), &v, 1) : QString(), v.privilege.empty() ? QString() : QStringLiteral("[Hint]: ") + QString::fromStdString(v.privilege), int(v.teacher)};
          self->m_side->setPrompts(prompts[0], prompts[1], v.teacher >= 0 ? tr("template of %1").arg(QFileInfo(QString::fromStdString(resolvePath(request.config.student.path))).fileName()) : tr("this run has no teacher"));
          self->m_side->setBatch(v.batch, v.answer < 0 ? tr("no reference answer in this row") : tr("reference answer in the place of the response"));
        } else {
          const QString why = tr("a run leaves this row out");
          self->m_side->setPrompts({}, {}, why);
          self->m_side->setBatch({}, why);
        }
        self->showVerdict();
      });
    } catch (const Error& error) {
      const Failure failure = error.failure();
      Session::reply(QPointer<QObject>(self.data()), [self, number, failure] {
        if (!self || number != self->m_prompted) return;
        self->m_verdict.reset();
        self->m_notComputed = QString::fromStdString(failure.what + (failure.where.empty() ? std::string() : ": " + failure.where));
        self->showVerdict();
      });
    }
  });
}

// ---- suggestions -----------------------------------------------------------------------------------------------------------

void DataPage::stopSuggesting() {
  if (!m_suggesting) return;
  m_suggesting = false;
  ++m_suggested;
  m_session.cancelJobs(kSuggestTask);
  m_session.endTask(QLatin1String(kSuggestTask));
  refreshState();
}

void DataPage::suggestCue() {
  if (m_suggesting) return stopSuggesting();
  QString refusal;
  const QString model = teacherModel(&refusal);
  const DataRow* row = m_model->row(currentRow());
  if (!row || !refusal.isEmpty() || row->pictures != 1 || row->image.empty()) return;
  const InspectRequest request = suggestionRequest(model.toStdString(), *row);
  m_suggesting = true;
  refreshState();
  const QPointer<DataPage> self(this);
  m_session.setTask(QLatin1String(kSuggestTask), tr("Suggesting a cue for %1").arg(QString::fromStdString(row->id)), [self] { if (self) self->stopSuggesting(); });
  m_session.submit(kSuggestTask, [self, request, number = ++m_suggested, at = row->index, file = file(), progress = m_session.taskSink(QLatin1String(kSuggestTask))](Engine& engine, const EventSink&, std::stop_token stop) {
    const auto answer = [&](std::function<void()> then) {
      Session::reply(QPointer<QObject>(self.data()), [self, number, then = std::move(then)] {
        if (!self || number != self->m_suggested) return;
        self->m_suggesting = false;
        self->m_session.endTask(QLatin1String(kSuggestTask));
        self->refreshState();
        then();
      });
    };
    try {
      const InspectionPtr inspection = engine.inspect(request, progress, stop);
      answer([self, at, file, request, inspection] {
        if (file != self->file() || !self->m_model->row(int(at))) return;
        if (inspection->answer.find_first_not_of(" \t\r\n") == std::string::npos) return Q_EMIT self->said(tr("The teacher answered nothing"));
        self->jumpTo(at);
        self->edit(withSuggestion(self->currentCue(), request, *inspection), tr("Suggest cue"), {});
      });
    } catch (const Cancelled&) {
      answer([] {});
    } catch (...) {
      answer([self, failure = currentFailure("suggesting a cue")] { self->fail(failure); });
    }
  });
}

// ---- the session -----------------------------------------------------------------------------------------------------------

QJsonObject DataPage::sessionState() const {
  QJsonObject unsaved;
  const auto put = [&](const QString& file, const CueEdits& edits) {
    QJsonArray lines;
    for (const auto& [row, edit] : edits) lines.append(QString::fromStdString(cueEditLine(edit)));
    if (!lines.isEmpty()) unsaved[file] = lines;
  };
  for (auto it = m_kept.constBegin(); it != m_kept.constEnd(); ++it) put(it.key(), it.value());
  put(file(), unsavedEdits());
  return {{"file", file()}, {"row", currentRow()}, {"judge", m_judge->currentData().toString()}, {"unsaved", unsaved}};
}

void DataPage::restoreSessionState(const QJsonObject& state) {
  const QJsonObject unsaved = state["unsaved"].toObject();
  for (auto it = unsaved.begin(); it != unsaved.end(); ++it)
    for (const QJsonValue& line : it.value().toArray()) {
      try {
        CueEdit edit = parseCueEdit(line.toString().toStdString());
        m_kept[it.key()][edit.row] = std::move(edit);
      } catch (const nlohmann::json::exception&) {
        Q_EMIT said(tr("An unsaved cue edit in the kept session is damaged and was left out"));
      }
    }
  if (const QString judge = state["judge"].toString(); m_judge->findData(judge) >= 0) m_judge->setCurrentIndex(m_judge->findData(judge));
  const QString file = state["file"].toString();
  if (file.isEmpty() || !QFileInfo::exists(file)) return;
  openFile(file);
  jumpTo(state["row"].toInt(-1));
}

}  // namespace cuescope
