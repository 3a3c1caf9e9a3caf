// What has happened in a run, by step: where it was evaluated, saved, skipped an update, fell ill, ended. Read from the run's record
// alone, so that a run of another day tells the same. Pure function; UI thread.
#pragma once

#include <QString>
#include <vector>

#include "ui/models/run_health.h"
#include "ui/session.h"

namespace cuescope {

struct RunEvent {
  enum class Kind { Evaluated, Saved, Skipped, Health, Ended, Failed };
  int step = 0;
  Kind kind = Kind::Evaluated;
  QString words;   // «Held-out accuracy 0.527, 0.497 to 0.557»
  QString detail;  // more for the tooltip
};

/// Newest first. `health` is what the checks found, `bestStep` the checkpoint that is kept as best (-1: none).
std::vector<RunEvent> runEvents(const RunRecord& record, const std::vector<HealthEvent>& health, int bestStep);

}  // namespace cuescope
