#include "engine/core/run_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cuescope {
namespace {

constexpr std::size_t kWindow = 10;  // steps that a mean is taken over
constexpr double kNoLoss = 1e-6;  // what rounding leaves of log-probabilities in float32
constexpr int kZeroSteps = 5, kApartSteps = 3, kRepeatSteps = 5, kNoCueSteps = 3, kRolloutSteps = 3;
constexpr double kApartNats = -3, kApartMass = 0.1, kRolloutNats = 0.02, kRolloutAtOnce = 0.1;

double metric(const StepSnapshot& step, const char* name) {
  const auto found = step.metrics.find(name);
  return found == step.metrics.end() ? std::nan("") : found->second;
}

/// Counts steps in a row; true exactly when there are `wanted`.
bool inARow(bool holds, int step, int wanted, int* count, int* since) {
  if (!holds) {
    *count = 0;
    return false;
  }
  if (++*count == 1) *since = step;
  return *count == wanted;
}

std::string from(int step) { return fmt::format("from step {}", step); }

}  // namespace

const std::vector<std::string>& HealthWatch::checks() {
  static const std::vector<std::string> names{"finite", "length", "mass", "loss", "teacher", "rollout"};
  return names;
}

void HealthWatch::Fall::add(int step, double value) {
  if (!std::isfinite(value)) return;
  window.emplace_back(step, value);
  if (window.size() > kWindow) window.pop_front();
  double mean = 0;
  for (const auto& [at, v] : window) mean += v;
  mean /= static_cast<double>(window.size());
  if (++seen <= static_cast<int>(kWindow)) {
    first = mean;
    return;
  }
  now = mean;
  if (mean >= part * first) {
    since = -1;
    return;
  }
  if (since >= 0) return;
  const auto begins = std::find_if(window.begin(), window.end(), [&](const auto& each) { return each.second < part * first; });
  since = begins == window.end() ? step : begins->first;
}

void HealthWatch::addFinite(const StepSnapshot& step) {
  const double now = metric(step, "actor/skipped_updates");
  const bool skipped = std::isfinite(now) && now > m_skipped;
  if (std::isfinite(now)) m_skipped = now;
  std::string bad;
  for (const char* name : {"actor/loss", "actor/distillation/loss", "actor/grad_norm"}) {
    const auto found = step.metrics.find(name);
    if (bad.empty() && found != step.metrics.end() && !std::isfinite(found->second)) bad = name;
  }
  if (m_finiteNamed || (!skipped && bad.empty())) return;
  m_finiteNamed = true;  // the first is named; later ones are counted on the curve
  HealthFinding finding{step.step, "finite", {}, {}, {}, {}, bad.empty() || bad == "actor/grad_norm" ? "actor/grad_norm" : bad};
  if (skipped) {
    finding.title = fmt::format("Step {} skipped", step.step);
    finding.since = "gradient norm not finite";
    finding.detail = "The update would have made the weights not finite. Weights were not changed.";
    finding.words = "not finite, step skipped";
  } else {
    finding.title = "Value not finite";
    finding.since = from(step.step);
    finding.detail = fmt::format("{} is not finite. Look at the rollouts of this step, and at the learning rate.", bad);
    finding.words = "not finite";
  }
  m_settled.push_back(std::move(finding));
}

void HealthWatch::addTeacher(const StepSnapshot& step) {
  const double gap = metric(step, "distillation/gap"), mass = metric(step, "actor/distillation/student_mass");
  const bool early = m_length.seen <= static_cast<int>(kWindow);
  const bool apart = (std::isfinite(gap) && gap < kApartNats) || (early && std::isfinite(mass) && mass < kApartMass);
  if ((std::isfinite(gap) || std::isfinite(mass)) && inARow(apart, step.step, kApartSteps, &m_apart, &m_apartSince) && !m_apartNamed) {
    m_apartNamed = true;
    const std::string seen = std::isfinite(gap) && gap < kApartNats ? fmt::format("The mean gap is {:.1f} nats a token", gap) : fmt::format("The student puts {:.3f} of its probability on the teacher's top tokens", mass);
    m_settled.push_back({m_apartSince, "teacher", "Teacher scores something else", from(m_apartSince),
                         seen + ". Positions, chat template or vocabulary may be off by one: look at Alignment in Inspect.", "teacher may be misaligned",
                         std::isfinite(gap) ? "distillation/gap" : "actor/distillation/student_mass"});
  }
  if (std::isfinite(gap)) {
    const bool same = gap == m_lastGap && std::abs(gap) > kNoLoss;  // means over different answers do not agree to the last bit
    if (inARow(same, step.step, kRepeatSteps, &m_repeats, &m_repeatsSince) && !m_repeatNamed) {
      m_repeatNamed = true;
      m_settled.push_back({m_repeatsSince, "teacher", "Teacher repeats its scores", from(m_repeatsSince),
                           "The mean gap has the same bits step after step, although the answers are new. The scores are stale: they belong to earlier answers.",
                           "teacher scores are stale", "distillation/gap"});
    }
    m_lastGap = gap;
  }
  const double hits = metric(step, "distillation/teacher_prompt_hit_rate");
  if (m_privileged && std::isfinite(hits) && inARow(hits < 0.5, step.step, kNoCueSteps, &m_noCue, &m_noCueSince) && !m_cueNamed) {
    m_cueNamed = true;
    m_settled.push_back({m_noCueSince, "teacher", "Teacher reads no cue", from(m_noCueSince),
                         fmt::format("Only {:.0f} % of the teacher's prompts hold the cue or hint that the run promises. Look at the column of cues in Data.", 100 * hits),
                         "teacher reads no cue", "distillation/teacher_prompt_hit_rate"});
  }
}

void HealthWatch::addRollout(const StepSnapshot& step) {
  const double difference = metric(step, "training/rollout_logprob_diff_mean");
  if (std::isnan(difference) || m_rolloutNamed) return;
  const double alarm = metric(step, "training/rollout_gap_alarm");  // what the run makes of it by its rollout.gap_alarm
  const bool apart = std::isnan(alarm) ? difference > kRolloutNats : alarm != 0;
  const bool row = inARow(apart, step.step, kRolloutSteps, &m_rollout, &m_rolloutSince);
  if (!row && !(apart && difference > kRolloutAtOnce)) return;
  m_rolloutNamed = true;
  const std::string bound = std::isnan(alarm) ? fmt::format("alarm above {:.2f}", kRolloutNats) : std::string("above the run's rollout.gap_alarm");
  m_settled.push_back({m_rolloutSince, "rollout", "Rollout and training differ", from(m_rolloutSince),
                       fmt::format("The sampled and the trained policy give the same tokens log-probabilities {:.3f} nats apart ({}). The gradient is not that of the answers.", difference, bound),
                       "rollout and training differ", "training/rollout_logprob_diff_mean"});
}

void HealthWatch::add(const StepSnapshot& step) {
  addFinite(step);
  addTeacher(step);
  addRollout(step);
  m_length.add(step.step, metric(step, "response_length/mean"));
  m_mass.add(step.step, metric(step, "actor/distillation/student_mass"));
  const double loss = metric(step, "actor/loss"), gradient = metric(step, "actor/grad_norm");
  const bool noLoss = std::abs(loss) < kNoLoss, noGradient = gradient == 0;
  if (!std::isnan(loss) && inARow(noLoss || noGradient, step.step, kZeroSteps, &m_zeros, &m_zerosSince) && !m_lossNamed) {
    m_lossNamed = true;
    m_settled.push_back({m_zerosSince, "loss", "Loss does nothing", from(m_zerosSince),
                         noLoss ? "The loss was zero for five steps: nothing is learned. Are student and teacher the same, with the same prompt?"
                                : "The gradient was zero for five steps: nothing is learned. A clamp, a saturated student or frozen weights cut it off.",
                         noLoss ? "loss is zero" : "gradient is zero", noLoss ? "actor/loss" : "actor/grad_norm"});
  }
}

std::vector<HealthFinding> HealthWatch::findings() const {
  std::vector<HealthFinding> all = m_settled;
  if (m_length.since >= 0)
    all.push_back({m_length.since, "length", "Response length falling", from(m_length.since),
                   fmt::format("The mean of the last ten steps is {:.1f} tokens, {:.0f} % below the first ten. Look at the shortest rollouts.", m_length.now, 100 * (1 - m_length.now / m_length.first)),
                   "length is falling", "response_length/mean"});
  if (m_mass.since >= 0)
    all.push_back({m_mass.since, "mass", "Top-k mass falling", from(m_mass.since),
                   fmt::format("The student puts {:.2f} of its probability on the teacher's top tokens, {:.2f} at first. The loss sees less and less of the student.", m_mass.now, m_mass.first),
                   "top-k mass is falling", "actor/distillation/student_mass"});
  std::stable_sort(all.begin(), all.end(), [](const HealthFinding& a, const HealthFinding& b) { return a.step < b.step; });
  return all;
}

}  // namespace cuescope
