#include "ui/models/run_events.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "ui/models/run_curves.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("RunEvents", text); }

double metric(const StepSnapshot& step, const char* name) {
  const auto found = step.metrics.find(name);
  return found == step.metrics.end() ? std::nan("") : found->second;
}

}  // namespace

std::vector<RunEvent> runEvents(const RunRecord& record, const std::vector<HealthEvent>& health, int bestStep) {
  std::vector<RunEvent> events;
  double skipped = 0;  // counted by the run since its start
  for (const StepPtr& step : record.steps) {
    const double accuracy = metric(*step, "val/accuracy"), low = metric(*step, "val/accuracy_low"), high = metric(*step, "val/accuracy_high"), n = metric(*step, "val/n");
    if (std::isfinite(accuracy)) {
      const QString interval = std::isfinite(low) && std::isfinite(high) ? tr(", %1 to %2").arg(number(low, 3), number(high, 3)) : QString();
      events.push_back({step->step, RunEvent::Kind::Evaluated, tr("Held-out accuracy %1%2").arg(number(accuracy, 3), interval), std::isfinite(n) ? tr("95 % interval, %1 rows").arg(n, 0, 'f', 0) : QString()});
    }
    const double count = metric(*step, "actor/skipped_updates");
    if (count > skipped) events.push_back({step->step, RunEvent::Kind::Skipped, count - skipped > 1 ? tr("%1 updates skipped").arg(count - skipped, 0, 'f', 0) : tr("Update skipped"), tr("The gradient was not finite; the weights were not changed.")});
    if (std::isfinite(count)) skipped = count;
  }
  for (const CheckpointInfo& checkpoint : record.checkpoints)
    if (checkpoint.complete)
      events.push_back({checkpoint.step, RunEvent::Kind::Saved, tr("Checkpoint, %1%2").arg(bytesText(double(checkpoint.bytes)), checkpoint.step == bestStep ? tr(", best so far") : QString()), QString::fromStdString(checkpoint.folder)});
  for (const HealthEvent& event : health) events.push_back({event.step, RunEvent::Kind::Health, event.title, event.detail});
  if (ended(record.status.state)) {
    const bool failed = record.status.state == RunState::Failed;
    const QString why = failed && record.failure ? QString::fromStdString(record.failure->what) : QString();
    events.push_back({record.status.step, failed ? RunEvent::Kind::Failed : RunEvent::Kind::Ended, why.isEmpty() ? runStateTitle(record.status.state) : runStateTitle(record.status.state) + QStringLiteral(": ") + why,
                      failed && record.failure ? QString::fromStdString(record.failure->why) : QString()});
  }
  std::stable_sort(events.begin(), events.end(), [](const RunEvent& a, const RunEvent& b) { return a.step > b.step || (a.step == b.step && a.kind > b.kind); });
  return events;
}

}  // namespace cuescope
