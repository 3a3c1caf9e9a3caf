#include "ui/models/run_health.h"

#include <QCoreApplication>
#include <QStringList>
#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr int kWindow = 10;        // steps that a mean is taken over
constexpr double kLengthFall = 0.8, kMassFall = 0.5, kNoLoss = 1e-7;

QString tr(const char* text) { return QCoreApplication::translate("RunHealth", text); }

double metric(const StepPtr& step, const char* name) {
  const auto found = step->metrics.find(name);
  return found == step->metrics.end() ? std::nan("") : found->second;
}

/// First step at which the mean of the last ten is under `part` of the mean of the first ten; -1 if never.
int fallsBelow(const std::vector<StepPtr>& steps, const char* name, double part, double* first, double* now) {
  std::vector<std::pair<int, double>> values;
  for (const StepPtr& step : steps)
    if (const double v = metric(step, name); std::isfinite(v)) values.emplace_back(step->step, v);
  if (int(values.size()) < 2 * kWindow) return -1;
  const auto mean = [&](std::size_t begin) {
    double sum = 0;
    for (std::size_t i = begin; i < begin + kWindow; ++i) sum += values[i].second;
    return sum / kWindow;
  };
  *first = mean(0);
  for (std::size_t begin = kWindow; begin + kWindow <= values.size(); ++begin)
    if (mean(begin) < part * *first) {
      *now = mean(values.size() - kWindow);
      return *now < part * *first ? values[begin].first : -1;  // it recovered: nothing to say
    }
  return -1;
}

}  // namespace

QStringList healthChecks() { return {QStringLiteral("finite"), QStringLiteral("length"), QStringLiteral("mass"), QStringLiteral("loss")}; }

std::vector<HealthEvent> healthOf(const std::vector<StepPtr>& steps) {
  std::vector<HealthEvent> events;
  double skipped = 0;
  bool named = false;
  for (const StepPtr& step : steps) {
    const double now = metric(step, "actor/skipped_updates");
    const bool newSkip = std::isfinite(now) && now > skipped;
    if (std::isfinite(now)) skipped = now;
    QString bad;
    for (const char* name : {"actor/loss", "actor/distillation/loss", "actor/grad_norm"}) {
      const auto found = step->metrics.find(name);
      if (found != step->metrics.end() && !std::isfinite(found->second)) bad = QString::fromLatin1(name);
    }
    if (named || (!newSkip && bad.isEmpty())) continue;
    named = true;  // the first is named; later ones are counted on the curve
    HealthEvent event;
    event.step = step->step;
    event.check = QStringLiteral("finite");
    event.title = newSkip ? tr("Step %1 skipped").arg(step->step) : tr("Value not finite");
    event.since = newSkip ? tr("gradient norm not finite") : tr("from step %1").arg(step->step);
    event.detail = newSkip ? tr("The update would have made the weights not finite. Weights were not changed.")
                           : tr("%1 is not finite. Look at the rollouts of this step, and at the learning rate.").arg(bad);
    event.words = newSkip ? tr("not finite, step skipped") : tr("not finite");
    event.metric = QStringLiteral("actor/grad_norm");
    events.push_back(event);
  }
  double first = 0, now = 0;
  if (const int at = fallsBelow(steps, "response_length/mean", kLengthFall, &first, &now); at >= 0) {
    HealthEvent event{at, QStringLiteral("length"), tr("Response length falling"), tr("from step %1").arg(at), {}, tr("length is falling"), QStringLiteral("response_length/mean")};
    event.detail = tr("The mean of the last ten steps is %1 tokens, %2 % below the first ten. Look at the shortest rollouts.").arg(number(now, 1)).arg(qRound(100 * (1 - now / first)));
    events.push_back(event);
  }
  if (const int at = fallsBelow(steps, "actor/distillation/student_mass", kMassFall, &first, &now); at >= 0) {
    HealthEvent event{at, QStringLiteral("mass"), tr("Top-k mass falling"), tr("from step %1").arg(at), {}, tr("top-k mass is falling"), QStringLiteral("actor/distillation/student_mass")};
    event.detail = tr("The student puts %1 of its probability on the teacher's top tokens, %2 at first. The loss sees less and less of the student.").arg(number(now, 2), number(first, 2));
    events.push_back(event);
  }
  int zeros = 0;
  for (const StepPtr& step : steps) {
    double loss = metric(step, "actor/loss");
    if (std::isnan(loss)) continue;
    zeros = std::abs(loss) < kNoLoss ? zeros + 1 : 0;
    if (zeros < 5) continue;
    events.push_back({step->step - 4, QStringLiteral("loss"), tr("Loss does nothing"), tr("from step %1").arg(step->step - 4),
                      tr("The loss was zero for five steps: nothing is learned. Are student and teacher the same, with the same prompt?"), tr("loss is zero"), QStringLiteral("actor/loss")});
    break;
  }
  std::stable_sort(events.begin(), events.end(), [](const HealthEvent& a, const HealthEvent& b) { return a.step < b.step; });
  return events;
}

}  // namespace cuescope
