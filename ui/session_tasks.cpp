// What is computed now, in the order in which a person waits for it: an answer, a model that opens, what the pages do, an evaluation.
#include <QFileInfo>
#include <algorithm>

#include "ui/session.h"

namespace cuescope {

void Session::setTask(const QString& key, const QString& words, std::function<void()> cancel, const QString& why) {
  endTask(key);
  PageTask task;
  task.key = key;
  task.words = words;
  task.cancel = std::move(cancel);
  task.why = why;
  task.since.start();
  m_tasks.push_back(std::move(task));
  Q_EMIT tasksChanged();
}

void Session::updateTask(const QString& key, double done, double total, double secondsLeft) {
  const auto task = std::find_if(m_tasks.begin(), m_tasks.end(), [&](const PageTask& each) { return each.key == key; });
  if (task == m_tasks.end()) return;  // over already
  task->done = done;
  task->total = total;
  // Who does not say how long it takes is judged by the time that went.
  task->secondsLeft = secondsLeft >= 0 || done <= 0 || total < done ? secondsLeft : double(task->since.elapsed()) / 1000 / done * (total - done);
  Q_EMIT tasksChanged();
}

void Session::endTask(const QString& key) {
  if (std::erase_if(m_tasks, [&](const PageTask& each) { return each.key == key; }) > 0) Q_EMIT tasksChanged();
}

EventSink Session::taskSink(const QString& key) {
  return [this, key](const Event& event) {
    const auto* progress = std::get_if<Progress>(&event);
    if (progress) queue([this, key, p = *progress] { updateTask(key, p.done, p.total, p.secondsLeft); });
  };
}

std::optional<TaskInfo> Session::currentTask() const {
  if (inspecting() || asking()) return TaskInfo{m_progress.what.empty() ? tr("Computing") : QString::fromStdString(m_progress.what), m_progress.done, m_progress.total, m_progress.secondsLeft, {}};
  if (!m_openings.isEmpty()) {
    const QString name = QFileInfo(m_openings.front()).fileName();
    return TaskInfo{m_openings.size() > 1 ? tr("Opening %1, and %2 more").arg(name).arg(m_openings.size() - 1) : tr("Opening %1").arg(name), m_progress.done, m_progress.total, m_progress.secondsLeft, {}};
  }
  if (!m_tasks.empty()) {
    const PageTask& task = m_tasks.front();
    return TaskInfo{task.words, task.done, task.total, task.secondsLeft, task.cancel ? QString() : task.why};
  }
  if (m_evaluationState == EvaluationState::Running || m_evaluationState == EvaluationState::Opening) {
    const Progress& judged = m_evaluationProgress;
    return TaskInfo{judged.total > 0 ? tr("Evaluating, %1 of %2 rows").arg(judged.done).arg(judged.total) : m_evaluationState == EvaluationState::Opening ? tr("Opening an evaluation") : tr("Evaluating"), judged.done, judged.total, judged.secondsLeft, {}};
  }
  return std::nullopt;
}

void Session::cancelCurrent() {
  if (inspecting() || asking() || !m_openings.isEmpty()) return cancel();
  if (!m_tasks.empty()) {
    const auto cancel = m_tasks.front().cancel;
    if (cancel) cancel();
    return;
  }
  cancelEvaluation();
}

}  // namespace cuescope
