// Evaluations as files: what a run keeps of them, what `cuescope-cli eval --output` writes, what is saved here; opened on the engine's
// thread, because the samples of a large set are many megabytes.
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>

#include "engine/core/evaluation_file.h"
#include "engine/core/run_directory.h"
#include "ui/evaluate_page.h"
#include "widgets/error_panel.h"

namespace cuescope {
namespace {

bool inRun(const QString& file) {
  const QDir folder = QFileInfo(file).dir();
  return folder.dirName() == QStringLiteral("evaluations") && RunReader::isRunDirectory(QFileInfo(folder.absolutePath()).path().toStdString());
}

QString readingTask(const QString& file) { return QStringLiteral("evaluation ") + file; }

}  // namespace

void EvaluatePage::finished(const EvaluationPtr& evaluation) {
  m_id = 0;
  showProgress();
  addEvaluation(evaluation, evaluation->step >= 0 && m_asked == QLatin1String(kRunStudent) ? tr("%1, step %2").arg(m_name).arg(evaluation->step) : m_name, m_asked);
  keep(evaluation);
}

// The board compares whole files. A file with fewer rows than were allowed was asked whole.
void EvaluatePage::keep(const EvaluationPtr& evaluation) {
  const bool allRows = m_limit == 0 || qint64(evaluation->samples.size()) < m_limit;
  try {
    std::string kept;
    if (m_asked != QLatin1String(kRunStudent)) kept = keepInRun(*evaluation, allRows);
    else if (allRows && !m_runDirectory.isEmpty()) kept = keepInRunFolder(*evaluation, m_runDirectory.toStdString());
    if (kept.empty()) return;
    refreshBoard();
    Q_EMIT said(tr("Kept in the run: %1").arg(QString::fromStdString(kept)));
  } catch (...) {
    showFailure(currentFailure("keeping an evaluation"));
  }
}

QString EvaluatePage::nameOf(const QString& file, const Evaluation& evaluation) const {
  const QDir folder = QFileInfo(file).dir();
  const QString base = QFileInfo(file).fileName().remove(QStringLiteral(".scores.json")).remove(QStringLiteral(".jsonl")).remove(QStringLiteral(".json"));
  if (inRun(file)) return tr("%1: %2").arg(QFileInfo(folder.absolutePath()).dir().dirName(), base);
  const QString model = QString::fromStdString(evaluation.model.name);
  return model.isEmpty() ? base : tr("%1, %2").arg(base, model);
}

bool EvaluatePage::endReading(const QString& file) {
  m_session.endTask(readingTask(file));
  return m_reading.removeOne(file);
}

// Each file is a task of its own: cancelling one leaves the others.
void EvaluatePage::openFile(const QString& file) {
  m_error->hide();
  const QPointer<EvaluatePage> self(this);
  const QString task = readingTask(file);
  m_reading.removeAll(file);
  m_reading << file;
  m_session.setTask(task, tr("Reading %1").arg(QFileInfo(file).fileName()), [self, file, task] {
    if (!self) return;
    self->m_session.cancelJobs(task.toStdString());
    self->endReading(file);
  });
  m_session.submit(task.toStdString(), [self, file, progress = m_session.taskSink(task)](Engine&, const EventSink&, std::stop_token stop) {
    try {
      auto evaluation = std::make_shared<const Evaluation>(readEvaluation(file.toStdString(), progress, stop));
      Session::reply(QPointer<QObject>(self.data()), [self, file, evaluation] {
        if (!self || !self->endReading(file)) return;
        // Of a run's student the file names the folder where the run began, which is not who answered.
        const bool ofRun = inRun(file);
        const QString model = QString::fromStdString(evaluation->model.folder);
        const bool named = !ofRun || QFileInfo(model).dir().dirName() == QStringLiteral("checkpoints");
        self->addEvaluation(evaluation, self->nameOf(file, *evaluation), named ? model : QStringLiteral(""));  // empty, not null: not known
      });
    } catch (const Cancelled&) {
    } catch (...) {
      Session::reply(QPointer<QObject>(self.data()), [self, file, failure = currentFailure("opening an evaluation")] {
        if (self && self->endReading(file)) self->showFailure(failure);
      });
    }
  });
}

bool EvaluatePage::saveFile(const QString& file) {
  m_error->hide();
  try {
    const Evaluation* a = chosen(m_a);
    if (!a || a->samples.empty()) throw Error("There is nothing to save", file.toStdString(), a ? "A holds scores alone, without samples" : "no evaluation was made or opened yet", "Choose a model and data, and Evaluate.");
    writeEvaluation(file.toStdString(), *a);
    Q_EMIT said(tr("Written: %1, and %2").arg(file, QFileInfo(QString::fromStdString(scoresFileOf(file.toStdString()))).fileName()));
    return true;
  } catch (...) {
    showFailure(currentFailure("saving an evaluation"));
    return false;
  }
}

void EvaluatePage::openDialog() {
  auto* dialog = new QFileDialog(this, tr("Open evaluations"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(QFileDialog::ExistingFiles);
  dialog->setNameFilters({tr("Evaluations (*.jsonl *.json)"), tr("All files (*)")});
  connect(dialog, &QFileDialog::filesSelected, this, [this](const QStringList& files) {
    for (const QString& file : files) openFile(file);
  });
  dialog->open();
}

void EvaluatePage::saveDialog() {
  auto* dialog = new QFileDialog(this, tr("Save evaluation %1").arg(m_a->currentText()));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters({tr("Samples as JSON lines (*.jsonl)")});
  dialog->setDefaultSuffix(QStringLiteral("jsonl"));
  connect(dialog, &QFileDialog::fileSelected, this, &EvaluatePage::saveFile);
  dialog->open();
}

// Runs with their evaluations, looked up when the menu opens: another program may have added some.
void EvaluatePage::fillSaved() {
  m_savedMenu->clear();
  m_savedMenu->addAction(tr("Open a file …"), this, &EvaluatePage::openDialog);
  QAction* save = m_savedMenu->addAction(tr("Save A …"), this, &EvaluatePage::saveDialog);
  const Evaluation* a = chosen(m_a);
  save->setEnabled(a && !a->samples.empty());
  if (!save->isEnabled()) save->setToolTip(tr("There is no evaluation A with samples."));
  m_savedMenu->addSection(tr("Kept in runs"));
  int runs = 0;
  for (const QString& name : m_session.runs()) {
    const RunRecord* run = m_session.run(name);
    if (!run || run->foreign || run->status.directory.empty()) continue;
    const QDir folder(QString::fromStdString(run->status.directory) + QStringLiteral("/evaluations"));
    const QFileInfoList files = folder.entryInfoList({QStringLiteral("*.json")}, QDir::Files, QDir::Name);
    if (files.isEmpty()) continue;
    QMenu* menu = m_savedMenu->addMenu(name);
    for (const QFileInfo& file : files) menu->addAction(file.completeBaseName(), this, [this, path = file.absoluteFilePath()] { openFile(path); });
    ++runs;
  }
  if (runs == 0) m_savedMenu->addAction(tr("No run holds evaluations of whole files yet"))->setEnabled(false);
}

}  // namespace cuescope
