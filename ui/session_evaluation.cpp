// An evaluation in the window: opened by a job, then answered a block of rows at a time as idle work of the Worker, in turn with the
// units of a run. The open evaluation lives on the engine thread alone; this side knows its id, state and progress.
#include "ui/session.h"

namespace cuescope {

std::int64_t Session::evaluate(const EvaluateRequest& request) {
  if (m_evaluationState != EvaluationState::None) return 0;
  if (!m_worker) start();
  const auto id = m_evaluationId = ++m_lastId;
  m_evaluationState = EvaluationState::Opening;
  m_evaluationProgress = {"Opening the model and the data", 0, 0, -1};
  m_evaluationSeconds = 0;
  m_worker->post(kEvaluateTag, [this, id, request, slot = m_evaluation, out = sink()](Engine& engine, std::stop_token stop) {
    try {
      // Progress of the evaluation comes from its units; the sink tells of the model that is loaded.
      slot->open = engine.openEvaluation(request, out, stop);
    } catch (const Cancelled&) {
      return;
    } catch (...) {
      queue([this, id, failure = currentFailure("evaluating")] {
        if (id != m_evaluationId || m_evaluationState == EvaluationState::None) return;
        endEvaluation();
        Q_EMIT evaluationFailed(id, failure);
      });
      return;
    }
    queue([this, id] {
      if (id != m_evaluationId || m_evaluationState == EvaluationState::None) return;  // cancelled: whoever did it has emptied the slot
      if (m_evaluationState == EvaluationState::Paused) return;                        // resumeEvaluation() goes on
      m_evaluationState = EvaluationState::Running;
      advanceEvaluation(id);
    });
  });
  Q_EMIT evaluationChanged();
  Q_EMIT busyChanged();
  return id;
}

void Session::advanceEvaluation(std::int64_t id) {
  m_evaluationClock.start();
  m_worker->setIdle(kEvaluateTag, [this, id, slot = m_evaluation](Engine&, std::stop_token stop) {
    if (!slot->open) return false;
    try {
      const bool more = slot->open->advance(stop);
      queue([this, id, done = slot->open->rowsDone(), total = slot->open->rowsInAll()] { evaluationProgressed(id, done, total); });
      if (more) return true;
      queue([this, id, evaluation = slot->open->result()] {
        if (id != m_evaluationId || m_evaluationState == EvaluationState::None) return;
        endEvaluation();
        Q_EMIT evaluationArrived(id, evaluation);
      });
    } catch (const Cancelled&) {
      throw;  // the worker leaves the work as it is: it was replaced, or the block is asked again
    } catch (...) {
      queue([this, id, failure = currentFailure("evaluating")] {
        if (id != m_evaluationId || m_evaluationState == EvaluationState::None) return;
        endEvaluation();
        Q_EMIT evaluationFailed(id, failure);
      });
    }
    slot->open.reset();
    return false;
  });
  Q_EMIT evaluationChanged();
  Q_EMIT busyChanged();
}

// The time that is left is judged by the time that went, a run's turns included; what was paused does not count.
void Session::evaluationProgressed(std::int64_t id, std::int64_t done, std::int64_t total) {
  if (id != m_evaluationId || m_evaluationState == EvaluationState::None) return;
  const double seconds = m_evaluationSeconds + (m_evaluationState == EvaluationState::Running ? double(m_evaluationClock.elapsed()) / 1000 : 0);
  m_evaluationProgress = {"Evaluating", double(done), double(total), done > 0 ? seconds / double(done) * double(total - done) : -1};
  Q_EMIT evaluationChanged();
}

void Session::pauseEvaluation() {
  if (m_evaluationState != EvaluationState::Running && m_evaluationState != EvaluationState::Opening) return;
  if (m_evaluationState == EvaluationState::Running) m_evaluationSeconds += double(m_evaluationClock.elapsed()) / 1000;
  m_evaluationState = EvaluationState::Paused;
  m_worker->setIdle(kEvaluateTag, {});
  Q_EMIT evaluationChanged();
  Q_EMIT busyChanged();
}

void Session::resumeEvaluation() {
  if (m_evaluationState != EvaluationState::Paused) return;
  m_evaluationState = EvaluationState::Running;
  // Behind the job that opens it, should that still wait.
  m_worker->post(kEvaluateTag, [this, id = m_evaluationId](Engine&, std::stop_token) {
    queue([this, id] {
      if (id == m_evaluationId && m_evaluationState == EvaluationState::Running) advanceEvaluation(id);
    });
  });
  Q_EMIT evaluationChanged();
  Q_EMIT busyChanged();
}

void Session::cancelEvaluation() {
  if (m_evaluationState == EvaluationState::None) return;
  m_worker->setIdle(kEvaluateTag, {}, true);
  m_worker->cancel(kEvaluateTag);
  endEvaluation();
  Q_EMIT evaluationCancelled(m_evaluationId);
  m_worker->post(kEvaluateTag, [slot = m_evaluation](Engine&, std::stop_token) { slot->open.reset(); });  // and with it the model it holds
}

void Session::endEvaluation() {
  m_worker->setIdle(kEvaluateTag, {});
  m_evaluationState = EvaluationState::None;
  m_evaluationProgress = {};
  Q_EMIT evaluationChanged();
  Q_EMIT busyChanged();
}

}  // namespace cuescope
