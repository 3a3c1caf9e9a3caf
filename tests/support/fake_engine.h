// FakeEngine: the door without an engine behind it, for tests of the window alone. Its numbers are small and made up; they mean
// nothing. A test holds it with `gate` to look at what the window does while something is computed.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "engine/engine.h"

namespace cuescope {

/// What a test turns, shared between the test's thread and the engine's.
struct FakeControl {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool holdInspect = false;  // inspect() waits until this is false or it is cancelled
  bool failRunAtStep = false;
  int runSteps = 6;
  int unitsPerStep = 3;
  int inspections = 0;  // that ended with a value
  int cancelled = 0;
  int openRuns = 0;  // loaded now
  std::string failInspectWith;
  InspectRequest lastRequest;
  // Evaluations: rows in all, rows a unit; every unit, run's or evaluation's, and every inspection leaves a letter: r, e, i.
  int evaluationRows = 20, evaluationBlock = 4;
  int openEvaluations = 0;
  bool holdEvaluation = false;  // a unit waits until this is false or it is cancelled
  std::string failEvaluationWith;
  EvaluateRequest lastEvaluation;
  std::string history;
  void wrote(char letter) {
    std::lock_guard lock(mutex);
    history += letter;
  }
  void setHoldEvaluation(bool hold) {
    {
      std::lock_guard lock(mutex);
      holdEvaluation = hold;
    }
    changed.notify_all();
  }

  void set(bool hold) {
    {
      std::lock_guard lock(mutex);
      holdInspect = hold;
    }
    changed.notify_all();
  }
};

/// An inspection with everything in it: 6 x 6 visual tokens of a 192 x 192 picture, 4 heads, injection layers 0 and 2, four
/// layers of self-attention, five response tokens, four conditions.
InspectionPtr fakeInspection(std::int64_t id, const std::string& question = "What digit is on the red circle?");

std::unique_ptr<Engine> makeFakeEngine(std::shared_ptr<FakeControl> control);

}  // namespace cuescope
