#include "ui/models/run_health.h"

#include <QCoreApplication>
#include <QStringList>

namespace cuescope {

std::vector<HealthEvent> eventsOf(const HealthWatch& watch) {
  std::vector<HealthEvent> events;
  const auto text = [](const std::string& words) { return QString::fromStdString(words); };
  for (const HealthFinding& f : watch.findings()) events.push_back({f.step, text(f.check), text(f.title), text(f.since), text(f.detail), text(f.words), text(f.metric)});
  return events;
}

std::vector<HealthEvent> healthOf(const std::vector<StepPtr>& steps, bool privileged) {
  HealthWatch watch(privileged);
  for (const StepPtr& step : steps) watch.add(*step);
  return eventsOf(watch);
}

QStringList healthChecks() {
  QStringList names;
  for (const std::string& name : HealthWatch::checks()) names << QString::fromStdString(name);
  return names;
}

QString healthCheckHelp(const QString& check) {
  const auto tr = [](const char* text) { return QCoreApplication::translate("RunHealth", text); };
  if (check == QLatin1String("finite")) return tr("No loss and no gradient norm was NaN or infinite, and no update was skipped.");
  if (check == QLatin1String("length")) return tr("The mean answer of ten steps is not below 0.8 of the first ten steps.");
  if (check == QLatin1String("mass")) return tr("The student's probability on the teacher's top tokens is not below half of the first ten steps.");
  if (check == QLatin1String("loss")) return tr("The loss was not zero for five steps: something is learned.");
  if (check == QLatin1String("teacher")) return tr("The teacher scores the same positions, its scores are new at each step, and it reads its cue.");
  if (check == QLatin1String("rollout")) return tr("Sampling and training give the same tokens the same log-probabilities, to 0.02 nats.");
  return {};
}

}  // namespace cuescope
