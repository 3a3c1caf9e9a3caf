#include "engine/distill/losses.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/max.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

#include "engine/core/config.h"
#include "engine/core/failure.h"

namespace cuescope {
namespace {

/// Bound of a log ratio before it is exponentiated (verl).
constexpr double kLogRatioBound = 20.0;
/// Bound of the low-variance estimator (verl).
constexpr double kK3Bound = 10.0;
/// Least probability of the tail bucket.
constexpr double kSmallestTail = 1e-6;

/// float32 [N], 1 where a token counts.
at::Tensor maskOf(const LossBatch& batch, const at::Tensor& like) {
  return batch.mask.defined() ? batch.mask.to(at::kFloat) : at::ones_like(like, like.options().dtype(at::kFloat).requires_grad(false));
}

/// Row of each token, int64 [N].
at::Tensor rowsOf(const LossBatch& batch, const at::Device& device) {
  std::vector<std::int64_t> lengths;
  for (std::size_t b = 0; b + 1 < batch.offsets.size(); ++b) lengths.push_back(batch.offsets[b + 1] - batch.offsets[b]);
  at::Tensor counts = at::tensor(lengths, at::kLong);
  return at::repeat_interleave(counts).to(device);
}

struct Stats {
  double sum = 0, count = 0, min = std::numeric_limits<double>::infinity(), max = -std::numeric_limits<double>::infinity();
};

Stats statsOf(const at::Tensor& values, const at::Tensor& mask) {
  at::Tensor kept = values.detach().to(at::kDouble).masked_select(mask.to(at::kBool));
  Stats stats;
  stats.count = static_cast<double>(kept.numel());
  if (kept.numel() == 0) return stats;  // an empty response has no smallest loss (spec 7-B6)
  stats.sum = kept.sum().item<double>();
  stats.min = kept.min().item<double>();
  stats.max = kept.max().item<double>();
  return stats;
}

void addMean(LossMetrics* metrics, const std::string& name, const at::Tensor& values, const at::Tensor& mask) {
  if (!metrics) return;
  Stats stats = statsOf(values, mask);
  metrics->addMean(name, stats.sum, stats.count);
}

void addRange(LossMetrics* metrics, const std::string& name, const Stats& stats) {
  if (!metrics || stats.count == 0) return;
  metrics->addMin(name + "_min", stats.min);
  metrics->addMax(name + "_max", stats.max);
}

at::Tensor forwardKlTopK(const LossOptions& options, const LossBatch& batch, const at::Tensor& mask, LossMetrics* metrics) {
  at::Tensor logP = batch.teacherTopK;  // [N, K] teacher
  at::Tensor logQ = batch.studentTopK;  // [N, K] student
  const std::pair<const char*, at::Tensor> masses[] = {{"distillation/student_mass", logQ.detach().exp().sum(-1)},
                                                       {"distillation/teacher_mass", logP.detach().exp().sum(-1)}};
  for (const auto& [name, mass] : masses) {
    addMean(metrics, name, mass, mask);
    addRange(metrics, name, statsOf(mass, mask));
  }
  if (options.tailBucket) {
    // log(1 - sum) from the log of the sum; held below 0 so that a top K which is everything keeps a finite rest.
    auto rest = [](const at::Tensor& logs) { return logs.logsumexp(-1).clamp_max(-kSmallestTail).expm1().neg().log(); };
    at::Tensor tailP = rest(logP), tailQ = rest(logQ);
    return (logP.exp() * (logP - logQ)).sum(-1) + tailP.exp() * (tailP - tailQ);
  }
  if (options.logProbMinClamp < 0) {
    logP = logP.clamp_min(options.logProbMinClamp);
    logQ = logQ.clamp_min(options.logProbMinClamp);
  }
  return (logP.exp() * (logP - logQ)).sum(-1).clamp_min(0);
}

/// Tokens at and after the first run of `tolerance` tokens in a row that the teacher finds unlikely. bool [N].
at::Tensor cascadeCut(const LossOptions& options, const LossBatch& batch) {
  at::Tensor low = batch.teacherBest.exp().le(options.cascadeEpsilon).cpu().contiguous();
  at::Tensor cut = at::zeros_like(low);
  const bool* isLow = low.const_data_ptr<bool>();
  bool* isCut = cut.mutable_data_ptr<bool>();
  for (std::size_t b = 0; b + 1 < batch.offsets.size(); ++b) {
    int run = 0;
    bool off = false;
    for (std::int64_t t = batch.offsets[b]; t < batch.offsets[b + 1]; ++t) {
      run = isLow[t] ? run + 1 : 0;
      off = off || run >= options.cascadeTolerance;
      isCut[t] = off;
    }
  }
  return cut.to(batch.teacherBest.device());
}

/// The three extras of spec 3.8, in the reference's order.
at::Tensor applyExtras(const LossOptions& options, const LossBatch& batch, at::Tensor d, const at::Tensor& mask, LossMetrics* metrics) {
  const bool needsBest = options.cascadeEpsilon > 0 || options.confidenceAlpha > 0;
  if (needsBest && !batch.teacherBest.defined()) {
    throw Error("The loss cannot be computed", "distillation.cascade_epsilon, distillation.confidence_alpha",
                "the teacher's best probability is missing from the batch", "Please report this.");
  }
  if (options.cascadeEpsilon > 0) {
    at::Tensor cut = cascadeCut(options, batch);
    d = at::where(cut, at::zeros_like(d), d);
    addMean(metrics, "distillation/ood_truncation_ratio", cut.to(at::kFloat), mask);
  }
  if (options.confidenceAlpha > 0) {
    at::Tensor weight = (batch.teacherBest * options.confidenceAlpha).exp();  // p^alpha
    d = d * weight;
    addMean(metrics, "distillation/avg_confidence_weight", weight, mask);
  }
  if (options.marginGamma > 0 && batch.rewards.defined()) {
    at::Tensor rewarded = batch.rewards.gt(0).to(d.device()).index_select(0, rowsOf(batch, d.device()));
    d = at::where(rewarded, d.sign() * at::relu(d.abs() - options.marginGamma), d);
    addMean(metrics, "distillation/exploration_protected_ratio", d.detach().eq(0).to(at::kFloat), mask);
  }
  return d;
}

void requireTensor(const at::Tensor& tensor, const char* name) {
  if (!tensor.defined()) throw Error("The loss cannot be computed", name, "these log-probabilities are missing from the batch", "Please report this.");
}

}  // namespace

LossMode lossModeFromName(const std::string& name) {
  if (name == "k1" || name == "kl") return LossMode::K1;
  if (name == "abs") return LossMode::Abs;
  if (name == "k2" || name == "mse") return LossMode::K2;
  if (name == "k3" || name == "low_var_kl") return LossMode::K3;
  if (name == "forward_kl_topk") return LossMode::ForwardKlTopK;
  if (name == "sft") return LossMode::Sft;
  if (isWholeVocabulary(name)) return LossMode::WholeVocabulary;
  throw Error("There is no such loss", "distillation.loss_mode", "got «" + name + "»",
              "Use k1, abs, k2, k3, forward_kl_topk, forward_kl, reverse_kl, jsd, alpha, skew_forward_kl, skew_reverse_kl or sft.");
}

PolicyForm policyFormFromName(const std::string& name) {
  if (name == "ppo") return PolicyForm::Ppo;
  if (name == "reinforce_cv") return PolicyForm::ReinforceCv;
  if (name == "gspo") return PolicyForm::Gspo;
  if (name == "cispo") return PolicyForm::Cispo;
  throw Error("There is no such policy gradient", "actor.policy_loss.loss_mode", "got «" + name + "»", "Use ppo, reinforce_cv, gspo or cispo.");
}

Aggregation aggregationFromName(const std::string& name) {
  if (name == "token-mean") return Aggregation::TokenMean;
  if (name == "seq-mean-token-sum") return Aggregation::SeqMeanTokenSum;
  if (name == "seq-mean-token-mean") return Aggregation::SeqMeanTokenMean;
  if (name == "seq-mean-token-sum-norm") return Aggregation::SeqMeanTokenSumNorm;
  throw Error("There is no such aggregation", "actor.loss_agg_mode", "got «" + name + "»", "Use token-mean or seq-mean-token-mean.");
}

at::Tensor tokenLosses(const LossOptions& options, const LossBatch& batch, LossMetrics* metrics) {
  if (options.mode == LossMode::ForwardKlTopK) {
    requireTensor(batch.studentTopK, "student, top K");
    requireTensor(batch.teacherTopK, "teacher, top K");
    return forwardKlTopK(options, batch, maskOf(batch, batch.studentTopK.select(-1, 0)), metrics);
  }
  if (options.mode == LossMode::WholeVocabulary) {
    requireTensor(batch.divergence, "divergence");
    return batch.divergence;
  }
  requireTensor(batch.student, "student");
  if (options.mode == LossMode::Sft) return -batch.student;
  requireTensor(batch.teacher, "teacher");
  at::Tensor lS = batch.student, lT = batch.teacher;
  at::Tensor d;
  switch (options.mode) {
    case LossMode::K1: d = lS - lT; break;
    case LossMode::Abs: d = (lS - lT).abs(); break;
    case LossMode::K2: d = 0.5 * (lS - lT).square(); break;
    case LossMode::K3: {
      at::Tensor r = (lT - lS).clamp(-kLogRatioBound, kLogRatioBound);
      d = (r.exp() - r - 1).clamp(-kK3Bound, kK3Bound);
      break;
    }
    case LossMode::ForwardKlTopK:
    case LossMode::WholeVocabulary:
    case LossMode::Sft: break;  // above
  }
  return d;
}

namespace {

/// PPO with dual clip; r of each token.
at::Tensor ppoLoss(const LossOptions& options, const at::Tensor& r, const at::Tensor& A, const at::Tensor& mask, const std::string& prefix,
                   LossMetrics* metrics) {
  at::Tensor plain = -A * r;                                                               // L1
  at::Tensor clipped = -A * r.clamp(1 - options.clipRatioLow, 1 + options.clipRatioHigh);  // L2
  at::Tensor upper = at::maximum(plain, clipped);                                          // Lc
  addMean(metrics, prefix + "pg_clipfrac", clipped.detach().gt(plain.detach()).to(at::kFloat), mask);
  if (options.form == PolicyForm::Gspo) return upper;
  at::Tensor bound = -A * options.clipRatioC;  // dual clip
  at::Tensor negative = A.lt(0);
  addMean(metrics, prefix + "pg_clipfrac_lower", upper.detach().gt(bound).logical_and(negative).to(at::kFloat), mask);
  return at::where(negative, at::minimum(upper, bound), upper);
}

/// Means over each row's tokens, repeated for every token. [N]
at::Tensor rowMeans(const at::Tensor& values, const at::Tensor& mask, const LossBatch& batch, bool mean) {
  const std::int64_t rows = static_cast<std::int64_t>(batch.offsets.size()) - 1;
  at::Tensor row = rowsOf(batch, values.device());
  at::Tensor sums = at::zeros({rows}, values.options()).index_add(0, row, at::where(mask.to(at::kBool), values, at::zeros_like(values)));
  if (mean) sums = sums / at::zeros({rows}, mask.options()).index_add(0, row, mask).clamp_min(1);
  return sums.index_select(0, row);
}

}  // namespace

at::Tensor policyLoss(const LossOptions& options, const LossBatch& batch, const at::Tensor& advantages, const std::string& prefix,
                      LossMetrics* metrics) {
  requireTensor(batch.student, "student");
  at::Tensor mask = maskOf(batch, batch.student);
  at::Tensor old = batch.old.defined() ? batch.old : batch.student.detach();
  at::Tensor A = advantages.detach();
  at::Tensor delta = (batch.student - old).clamp(-kLogRatioBound, kLogRatioBound);
  addMean(metrics, prefix + "ppo_kl", -delta, mask);
  at::Tensor loss;
  switch (options.form) {
    case PolicyForm::Ppo: loss = ppoLoss(options, delta.exp(), A, mask, prefix, metrics); break;
    case PolicyForm::ReinforceCv:
      if (batch.baseline.defined()) {
        A = A - batch.baseline.detach();
        addMean(metrics, prefix + "baseline", batch.baseline, mask);
      }
      loss = -A * delta.exp();
      break;
    case PolicyForm::Gspo: {
      // The response's ratio in value; the gradient of each token's own log-probability.
      at::Tensor sequence = rowMeans(delta.detach(), mask, batch, true);
      loss = ppoLoss(options, (sequence + batch.student - batch.student.detach()).exp(), A, mask, prefix, metrics);
      break;
    }
    case PolicyForm::Cispo: {
      at::Tensor r = delta.detach().exp(), weight = r.clamp(1 - options.clipRatioLow, 1 + options.clipRatioHigh);
      addMean(metrics, prefix + "pg_clipfrac", weight.ne(r).to(at::kFloat), mask);
      loss = -weight * A * batch.student;
      break;
    }
  }
  return batch.importance.defined() ? loss * batch.importance : loss;
}

at::Tensor rolloutWeights(bool sequence, const at::Tensor& old, const at::Tensor& rollout, const LossBatch& batch, double threshold) {
  at::Tensor delta = (old.detach() - rollout.detach()).clamp(-kLogRatioBound, kLogRatioBound);
  if (sequence) delta = rowMeans(delta, maskOf(batch, delta), batch, false).clamp(-kLogRatioBound, kLogRatioBound);
  return delta.exp().clamp_max(threshold);
}

at::Tensor aggregate(Aggregation mode, const at::Tensor& values, const LossBatch& batch, const LossNormalizers& n) {
  at::Tensor mask = maskOf(batch, values);
  at::Tensor kept = at::where(mask.to(at::kBool), values, at::zeros_like(values));  // masked values may be infinite
  if (mode == Aggregation::TokenMean) return kept.sum() / n.tokens * n.scale;
  const std::int64_t rows = static_cast<std::int64_t>(batch.offsets.size()) - 1;
  at::Tensor row = rowsOf(batch, values.device());
  at::Tensor sums = at::zeros({rows}, kept.options().requires_grad(false)).index_add(0, row, kept);
  if (mode == Aggregation::SeqMeanTokenMean) {
    at::Tensor lengths = at::zeros({rows}, mask.options()).index_add(0, row, mask);
    sums = sums / (lengths + 1e-8);
  }
  at::Tensor total = sums.sum() / n.sequences * n.scale;
  return mode == Aggregation::SeqMeanTokenSumNorm ? total / n.width : total;
}

LossResult distillationLoss(const LossOptions& options, const LossBatch& batch, const LossNormalizers& normalizers) {
  LossResult result;
  at::Tensor d = tokenLosses(options, batch, &result.metrics);
  at::Tensor mask = maskOf(batch, d);
  addMean(&result.metrics, "distillation/abs_loss", d.detach().abs(), mask);  // of every mode, before extras and clamp
  d = applyExtras(options, batch, d, mask, &result.metrics);
  result.perToken = d.detach();
  addRange(&result.metrics, "distillation/loss", statsOf(d, mask));
  if (options.lossMaxClamp > 0) addMean(&result.metrics, "distillation/clamp_share", d.detach().abs().gt(options.lossMaxClamp).to(at::kFloat), mask);
  if (options.lossMaxClamp > 0) d = d.clamp(-options.lossMaxClamp, options.lossMaxClamp);
  at::Tensor values = d;
  if (options.policyGradient) {
    values = policyLoss(options, batch, -d.detach(), "distillation/", &result.metrics);
    result.pgPerToken = values.detach();
  }
  result.loss = aggregate(options.aggregation, values, batch, normalizers);
  result.metrics.addSum("distillation/loss", result.loss.detach().item<double>());
  return result;
}

// --------------------------------------------------------------------------------------------------------------- metrics

void LossMetrics::addMean(const std::string& name, double sum, double count) {
  Mean& mean = m_means[name];
  mean.sum += sum;
  mean.count += count;
}

void LossMetrics::addMin(const std::string& name, double value) {
  auto [place, isNew] = m_mins.emplace(name, value);
  if (!isNew) place->second = std::min(place->second, value);
}

void LossMetrics::addMax(const std::string& name, double value) {
  auto [place, isNew] = m_maxs.emplace(name, value);
  if (!isNew) place->second = std::max(place->second, value);
}

void LossMetrics::addSum(const std::string& name, double value) { m_sums[name] += value; }

void LossMetrics::merge(const LossMetrics& other) {
  for (const auto& [name, mean] : other.m_means) addMean(name, mean.sum, mean.count);
  for (const auto& [name, value] : other.m_mins) addMin(name, value);
  for (const auto& [name, value] : other.m_maxs) addMax(name, value);
  for (const auto& [name, value] : other.m_sums) addSum(name, value);
}

void LossMetrics::divideSums(double count) {
  for (auto& [name, value] : m_sums) value /= count;
}

std::map<std::string, double> LossMetrics::values() const {
  std::map<std::string, double> values;
  for (const auto& [name, mean] : m_means) {
    if (mean.count > 0) values[name] = mean.sum / mean.count;
  }
  values.insert(m_mins.begin(), m_mins.end());
  values.insert(m_maxs.begin(), m_maxs.end());
  values.insert(m_sums.begin(), m_sums.end());
  return values;
}

}  // namespace cuescope
