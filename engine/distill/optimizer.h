// Optimizer: AdamW on float32 master parameters, global-norm clipping, learning-rate schedules (spec 3.9). By default one group: one
// rate, weight decay on every parameter, norms included, as the reference (7-B16); on request rates of their own for the cue module,
// the vision tower and the language model, and norms and biases without decay. One norm clips all groups together. A step whose gradient
// norm is not finite changes nothing, names the parameter and is counted; the policy may also halve the rates or stop the run.
// It can keep moving averages of the parameters, which are an EMA teacher's weights: e = decay e + (1 - decay) w.
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
  double lrCue = 0, lrVision = 0, lrLanguage = 0;  // 0: lr
  bool noDecayNorms = false;                       // vectors (norms, biases) do not decay
  std::string nonfinite = "skip";                  // skip, halve, stop
};

/// The part of the student that a parameter belongs to, by its name.
enum class StudentPart { Cue, Vision, Language };
StudentPart partOf(const std::string& parameter);
/// Rate of a part before the schedule.
double rateOf(const OptimizerOptions& options, StudentPart part);

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
    std::string nonfinite;  // the first parameter whose gradient is not finite
  };
  /// Clips and updates; gradients stay until zeroGrad. The last update of a batch advances the schedule and the averages.
  /// Throws Error for a gradient that is not finite when the policy is «stop».
  Result step(bool lastOfBatch = true);

  /// `averages` (parameters of another model under the same names; others are ignored) follow the parameters, updated after
  /// every `every`-th batch. Once, before load().
  void follow(const Named& averages, double decay, std::int64_t every);

  const OptimizerOptions& options() const { return m_options; }
  std::int64_t updates() const { return m_updates; }
  std::int64_t skipped() const { return m_skipped; }
  std::int64_t halvings() const { return m_halvings; }
  /// Norm of one parameter's gradient; NaN when there is no such parameter.
  double gradNorm(const std::string& name) const;

  /// State as named tensors: "exp_avg.NAME", "exp_avg_sq.NAME", "master.NAME" (where it is not the parameter), "average.NAME"
  /// (where one follows), "counters".
  Named state() const;
  /// Throws Error when a tensor is missing or has another shape.
  void load(const std::vector<std::pair<std::string, at::Tensor>>& state);

 private:
  /// Parameters that share rate and decay; indexes into the lists below.
  struct Group {
    double rate = 1, decay = 0;  // rate: times the scheduled one
    std::vector<at::Tensor> masters, means, squares, steps;
    std::vector<std::size_t> members;
  };
  struct Average {
    std::size_t parameter;
    at::Tensor target, value;  // value: float32, the target itself where that is
  };
  Group& groupFor(double rate, double decay);
  Result leaveOut(Result result);
  void advance();

  OptimizerOptions m_options;
  std::vector<std::string> m_names;
  std::vector<at::Tensor> m_parameters, m_masters, m_means, m_squares, m_steps;
  std::vector<Group> m_groups;
  std::vector<Average> m_averages;
  double m_averageDecay = 0;
  std::int64_t m_averageEvery = 1;
  std::int64_t m_updates = 0, m_skipped = 0, m_halvings = 0, m_batches = 0;
};

}  // namespace cuescope
