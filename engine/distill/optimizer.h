// Optimizer: AdamW on float32 master parameters, global-norm clipping, learning-rate schedules (spec 3.9). One group: weight decay on
// every parameter, norms included, as the reference (7-B16). A step whose gradient norm is not finite changes nothing and is counted.
// Owned by the run; engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cuescope {

struct OptimizerOptions {
  double lr = 1e-6, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01;
  double gradClip = 1.0;              // 2-norm of all gradients together
  std::string schedule = "constant";  // constant, linear, cosine
  std::int64_t warmupSteps = 0, totalSteps = 0;
};

/// Learning rate of update `step` (0-based): a linear rise that reaches lr at the warm-up's last step, then the schedule to 0 at totalSteps.
double scheduledLr(const OptimizerOptions& options, std::int64_t step);

class Optimizer {
 public:
  using Named = std::vector<std::pair<std::string, at::Tensor>>;

  /// `parameters`: the leaves to train, float32 or bfloat16 (then a float32 master is kept). Gradients are set to zero tensors, so
  /// that a parameter which a step does not reach still decays, as in the reference.
  Optimizer(const Named& parameters, const OptimizerOptions& options);

  void zeroGrad();
  struct Result {
    double gradNorm = 0;  // before clipping
    double lr = 0;
    bool skipped = false;
  };
  /// Clips, updates, advances the schedule; gradients stay until zeroGrad.
  Result step();

  const OptimizerOptions& options() const { return m_options; }
  std::int64_t updates() const { return m_updates; }
  std::int64_t skipped() const { return m_skipped; }
  /// Norm of one parameter's gradient; NaN when there is no such parameter.
  double gradNorm(const std::string& name) const;

  /// State as named tensors: "exp_avg.NAME", "exp_avg_sq.NAME", "master.NAME" (where it is not the parameter), "counters".
  Named state() const;
  /// Throws Error when a tensor is missing or has another shape.
  void load(const std::vector<std::pair<std::string, at::Tensor>>& state);

 private:
  OptimizerOptions m_options;
  std::vector<std::string> m_names;
  std::vector<at::Tensor> m_parameters, m_masters, m_means, m_squares, m_steps;
  std::int64_t m_updates = 0, m_skipped = 0;
};

}  // namespace cuescope
