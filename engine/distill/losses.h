// Losses of on-policy distillation, token by token (spec 3.6 to 3.8), from log-probabilities to one number and its metrics.
// A batch is flat: the response tokens of all rows end to end, row b at offsets[b]..offsets[b+1]. Values float32, nats. What the
// sum is divided by is passed in, so a batch split into micro-batches gives the same loss as one pass (spec 7-B2, 7.E.10).
// Letters as in the paper: lS, lT log-probability of the sampled token under student and teacher; d a token's loss; A advantage;
// r the ratio to the old policy; p, q the teacher's and the student's distributions; sg() stops the gradient.
//
// Losses of a token (spec 3.6; verl's distillation loss modes):
//   k1, kl           lS - lT                            as an advantage only: differentiated, it does not contain the teacher
//   abs              |lS - lT|
//   k2, mse          (lS - lT)^2 / 2
//   k3, low_var_kl   e^x - x - 1, x = clamp(lT - lS, +-20), clamped at +-10
//   forward_kl_topk  max(0, sum_K p_i (log p_i - log q_i)), K the teacher's most likely tokens, both floored (reference)
//     + tail bucket  sum_K p_i (log p_i - log q_i) + P (log P - log Q), P = 1 - sum_K p_i, Q = 1 - sum_K q_i: the KL after all other
//                    tokens are merged into one; never above the whole KL, no floor, so no token without gradient (spec 7-B12)
//   forward_kl ...   over the whole vocabulary, see divergences.h
//   sft              -lS of the data's own answer
// Policy gradients for an advantage A (spec 3.7):
//   ppo              max(-A r, -A clip(r, 1 - low, 1 + high)), for A < 0 at most -c A (arXiv 1707.06347, dual clip 1912.09729)
//   reinforce_cv     -r (A - b); for d = lS - lT the baseline is b = E_q[lT - lS] = -KL(q || p) of the same position, exact over the
//                    vocabulary and the same for every token: the gradient keeps its expectation, and far from the teacher it
//                    loses variance (near it, it may gain a little). No clip.
//   gspo             as ppo without dual clip, with one ratio s = (prod_t r_t)^(1/R) of the response (GSPO-token, arXiv 2507.18071)
//   cispo            -sg(clip(r, 1 - low, 1 + high)) A lS: weights are clipped, no token loses its gradient (arXiv 2506.13585)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cuescope {

enum class LossMode { K1, Abs, K2, K3, ForwardKlTopK, WholeVocabulary, Sft };
enum class PolicyForm { Ppo, ReinforceCv, Gspo, Cispo };
enum class Aggregation { TokenMean, SeqMeanTokenSum, SeqMeanTokenMean, SeqMeanTokenSumNorm };
/// Names of the config, aliases (kl, mse, low_var_kl) included. Throws Error for others.
LossMode lossModeFromName(const std::string& name);
Aggregation aggregationFromName(const std::string& name);
PolicyForm policyFormFromName(const std::string& name);

struct LossOptions {
  LossMode mode = LossMode::ForwardKlTopK;
  bool tailBucket = false;     // forward_kl_topk
  bool policyGradient = false;
  PolicyForm form = PolicyForm::Ppo;
  double lossMaxClamp = 0;     // d is held within +- this; 0: off
  double logProbMinClamp = 0;  // floor of both log-probabilities of forward_kl_topk; 0: off
  double cascadeEpsilon = 0;   // 0: off
  int cascadeTolerance = 1;
  double confidenceAlpha = 0;  // 0: off
  double marginGamma = 0;      // 0: off
  double clipRatioLow = 0.2, clipRatioHigh = 0.2, clipRatioC = 3.0;
  Aggregation aggregation = Aggregation::TokenMean;
};

/// What the whole batch has, all micro-batches (and all ranks) together.
struct LossNormalizers {
  double tokens = 1;     // response tokens that count
  double sequences = 1;  // rows that have such tokens
  double width = 1;      // divisor of seq-mean-token-sum-norm: the longest response allowed
  double scale = 1;      // ranks, when their gradients are averaged afterwards
};

/// Response tokens of some rows. N tokens, B rows, K teacher tokens. Undefined tensors: not there.
struct LossBatch {
  std::vector<std::int64_t> offsets;  // [B + 1]
  at::Tensor mask;                    // bool [N]: tokens that count; undefined: all
  at::Tensor student;                 // [N] lS, differentiable
  at::Tensor teacher;                 // [N] lT
  at::Tensor studentTopK;             // [N, K] of the teacher's ids, differentiable (forward_kl_topk)
  at::Tensor teacherTopK;             // [N, K]
  at::Tensor teacherBest;             // [N] log-probability of the teacher's best token, for cascade and confidence
  at::Tensor old;                     // [N] of the policy that the ratio is taken against; undefined: the student itself, r = 1
  at::Tensor importance;              // [N] weights of the policy gradient
  at::Tensor divergence;              // [N] divergences.h, differentiable (whole vocabulary)
  at::Tensor baseline;                // [N] b of reinforce_cv; undefined: 0
  at::Tensor rewards;                 // [B], for the hindsight margin
};

/// Sums that add up over micro-batches; values() makes metrics of them under verl's names, without a prefix before "distillation/".
class LossMetrics {
 public:
  /// Mean over tokens of a metric.
  void addMean(const std::string& name, double sum, double count);
  void addMin(const std::string& name, double value);
  void addMax(const std::string& name, double value);
  void addSum(const std::string& name, double value);
  void merge(const LossMetrics& other);
  /// Sums over several updates become their mean.
  void divideSums(double count);
  std::map<std::string, double> values() const;

 private:
  struct Mean {
    double sum = 0, count = 0;
  };
  std::map<std::string, Mean> m_means;
  std::map<std::string, double> m_mins, m_maxs, m_sums;
};

struct LossResult {
  at::Tensor loss;       // scalar, differentiable; micro-batches add up
  at::Tensor perToken;   // [N] d after the extras, before the clamp; detached
  at::Tensor pgPerToken; // [N] clipped policy-gradient loss; undefined without policy gradient
  LossMetrics metrics;
};

/// d of every token, before extras and clamp, differentiable. For forward_kl_topk `metrics` gets the top-K masses.
at::Tensor tokenLosses(const LossOptions& options, const LossBatch& batch, LossMetrics* metrics);

/// The whole distillation loss of some rows.
LossResult distillationLoss(const LossOptions& options, const LossBatch& batch, const LossNormalizers& normalizers);

/// The loss [N] of options.form for given advantages [N]. `prefix` names the metrics ("distillation/", "").
at::Tensor policyLoss(const LossOptions& options, const LossBatch& batch, const at::Tensor& advantages, const std::string& prefix,
                      LossMetrics* metrics);

/// What the sampler did differently from the trained policy (spec 7-A8): min(w, threshold) with w = exp(old - rollout) of each token,
/// or with `sequence` of the whole response. No gradient. [N]
at::Tensor rolloutWeights(bool sequence, const at::Tensor& old, const at::Tensor& rollout, const LossBatch& batch, double threshold);

/// One number from token values [N].
at::Tensor aggregate(Aggregation mode, const at::Tensor& values, const LossBatch& batch, const LossNormalizers& normalizers);

}  // namespace cuescope
