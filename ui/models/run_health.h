// The findings of engine/core/run_health.h in the window's types. Pure functions; any thread.
#pragma once

#include <QString>
#include <vector>

#include "engine/core/run_health.h"

namespace cuescope {

struct HealthEvent {
  int step = 0;
  QString check;    // "finite", "length", "mass", "loss", "teacher", "rollout"
  QString title;    // «Response length falling»
  QString since;    // «from step 118»
  QString detail;   // two sentences
  QString words;    // four words for the curve
  QString metric;   // id of the curve that it is marked on
};

std::vector<HealthEvent> eventsOf(const HealthWatch& watch);
/// All steps at once, in the order in which the troubles begin. A page that lives with a run keeps a HealthWatch instead.
std::vector<HealthEvent> healthOf(const std::vector<StepPtr>& steps, bool privileged = false);
/// Names of the checks, for those that found nothing; and what each looks for, in a sentence.
QStringList healthChecks();
QString healthCheckHelp(const QString& check);

}  // namespace cuescope
