// What is wrong with a run, read from its metrics by fixed rules: a value that is not finite, a skipped update, falling response
// length, falling top-k mass, a loss that is zero. Each event begins at one step. Pure functions; any thread.
#pragma once

#include <QString>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

struct HealthEvent {
  int step = 0;
  QString check;    // "finite", "length", "mass", "loss"
  QString title;    // «Response length falling»
  QString since;    // «from step 118»
  QString detail;   // two sentences
  QString words;    // four words for the curve
  QString metric;   // id of the curve that it is marked on
};

/// In the order in which they begin.
std::vector<HealthEvent> healthOf(const std::vector<StepPtr>& steps);
/// Names of the checks, for those that found nothing.
QStringList healthChecks();

}  // namespace cuescope
