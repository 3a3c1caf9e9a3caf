// Losses of on-policy distillation, token by token (spec 3.6 to 3.8), from log-probabilities to one number and its metrics.
// A batch is flat: the response tokens of all rows end to end, row b at offsets[b]..offsets[b+1]. Values float32, nats. What the
// sum is divided by is passed in, so a batch split into micro-batches gives the same loss as one pass (spec 7-B2, 7.E.10).
// Letters as in the paper: lS, lT log-probability of the sampled token under student and teacher; d a token's loss; A advantage.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cuescope {

enum class LossMode { K1, Abs, K2, K3, ForwardKlTopK };
enum class Aggregation { TokenMean, SeqMeanTokenSum, SeqMeanTokenMean, SeqMeanTokenSumNorm };
/// Names of the config, aliases (kl, mse, low_var_kl) included. Throws Error for others.
LossMode lossModeFromName(const std::string& name);
Aggregation aggregationFromName(const std::string& name);

struct LossOptions {
  LossMode mode = LossMode::ForwardKlTopK;
  bool policyGradient = false;
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

/// PPO's clipped loss with dual clip for given advantages [N] (spec 3.7). `prefix` names the metrics ("distillation/", "").
at::Tensor clippedPolicyLoss(const LossOptions& options, const LossBatch& batch, const at::Tensor& advantages, const std::string& prefix,
                             LossMetrics* metrics);

/// One number from token values [N].
at::Tensor aggregate(Aggregation mode, const at::Tensor& values, const LossBatch& batch, const LossNormalizers& normalizers);

}  // namespace cuescope
