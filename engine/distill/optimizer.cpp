#include "engine/distill/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "engine/core/failure.h"

namespace cuescope {

double scheduledLr(const OptimizerOptions& options, std::int64_t step) {
  if (step < options.warmupSteps) return options.lr * static_cast<double>(step + 1) / static_cast<double>(options.warmupSteps);
  if (options.schedule == "constant" || options.totalSteps <= options.warmupSteps) return options.lr;
  double share = static_cast<double>(step - options.warmupSteps) / static_cast<double>(options.totalSteps - options.warmupSteps);
  share = std::clamp(share, 0.0, 1.0);
  if (options.schedule == "linear") return options.lr * (1 - share);
  if (options.schedule == "cosine") return options.lr * 0.5 * (1 + std::cos(std::numbers::pi * share));
  throw Error("There is no such schedule", "actor.optim.lr_scheduler_type", "got «" + options.schedule + "»", "Use constant, linear or cosine.");
}

StudentPart partOf(const std::string& parameter) {
  if (parameter.find(".sink_") != std::string::npos) return StudentPart::Cue;
  return parameter.starts_with("model.visual.") ? StudentPart::Vision : StudentPart::Language;
}

double rateOf(const OptimizerOptions& options, StudentPart part) {
  const double own = part == StudentPart::Cue      ? options.lrCue
                     : part == StudentPart::Vision ? options.lrVision
                                                   : options.lrLanguage;
  return own > 0 ? own : options.lr;
}

Optimizer::Optimizer(const Named& parameters, const OptimizerOptions& options) : m_options(options) {
  at::NoGradGuard noGrad;
  for (const auto& [name, parameter] : parameters) {
    m_names.push_back(name);
    m_parameters.push_back(parameter);
    at::Tensor master = parameter.scalar_type() == at::kFloat ? parameter.detach() : parameter.detach().to(at::kFloat);
    m_masters.push_back(master);
    m_means.push_back(at::zeros_like(master));
    m_squares.push_back(at::zeros_like(master));
    m_steps.push_back(at::zeros({}, master.options()));
    Group& group = groupFor(rateOf(options, partOf(name)) / options.lr,
                            options.noDecayNorms && parameter.dim() < 2 ? 0 : options.weightDecay);
    group.members.push_back(m_names.size() - 1);
    group.masters.push_back(master);
    group.means.push_back(m_means.back());
    group.squares.push_back(m_squares.back());
    group.steps.push_back(m_steps.back());
  }
  zeroGrad();
}

Optimizer::Group& Optimizer::groupFor(double rate, double decay) {
  for (Group& group : m_groups) {
    if (group.rate == rate && group.decay == decay) return group;
  }
  Group& group = m_groups.emplace_back();
  group.rate = rate;
  group.decay = decay;
  return group;
}

void Optimizer::follow(const Named& averages, double decay, std::int64_t every) {
  m_averageDecay = decay;
  m_averageEvery = std::max<std::int64_t>(1, every);
  for (const auto& [name, target] : averages) {
    const auto found = std::find(m_names.begin(), m_names.end(), name);
    if (found == m_names.end()) continue;
    at::Tensor value = target.detach();
    if (value.scalar_type() != at::kFloat) value = value.to(at::kFloat);
    m_averages.push_back({static_cast<std::size_t>(found - m_names.begin()), target.detach(), value});
  }
}

void Optimizer::zeroGrad() {
  at::NoGradGuard noGrad;
  for (auto& parameter : m_parameters) {
    if (parameter.grad().defined()) {
      parameter.mutable_grad().zero_();
    } else {
      parameter.mutable_grad() = at::zeros_like(parameter);
    }
  }
}

Optimizer::Result Optimizer::step(bool lastOfBatch) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : m_parameters) gradients.push_back(parameter.grad().to(at::kFloat));
  Result result;
  result.lr = scheduledLr(m_options, m_batches) * std::pow(0.5, static_cast<double>(m_halvings));
  const std::vector<at::Tensor> norms = at::_foreach_norm(gradients);
  result.gradNorm = at::linalg_vector_norm(at::stack(norms).to(at::kDouble)).item<double>();
  if (!std::isfinite(result.gradNorm)) {
    for (std::size_t i = 0; i < norms.size() && result.nonfinite.empty(); ++i) {
      if (!std::isfinite(norms[i].item<double>())) result.nonfinite = m_names[i];
    }
    if (lastOfBatch) advance();
    return leaveOut(std::move(result));
  }
  const double factor = m_options.gradClip / (result.gradNorm + 1e-6);
  if (factor < 1) at::_foreach_mul_(gradients, factor);
  at::_foreach_add_(m_steps, 1);
  for (Group& group : m_groups) {
    std::vector<at::Tensor> theirs;
    for (std::size_t i : group.members) theirs.push_back(gradients[i]);
    at::_fused_adamw_(group.masters, theirs, group.means, group.squares, {}, group.steps, result.lr * group.rate, m_options.beta1,
                      m_options.beta2, group.decay, m_options.eps, /*amsgrad=*/false, /*maximize=*/false);
  }
  for (std::size_t i = 0; i < m_parameters.size(); ++i) {
    if (m_parameters[i].scalar_type() != at::kFloat) m_parameters[i].copy_(m_masters[i]);
  }
  ++m_updates;
  if (lastOfBatch) advance();
  return result;
}

Optimizer::Result Optimizer::leaveOut(Result result) {
  result.skipped = true;
  ++m_skipped;
  if (m_options.nonfinite == "stop") {
    throw Error("The gradient is not finite", result.nonfinite, "its norm is infinite or not a number, and actor.nonfinite_grad is stop",
                "Lower the learning rate, or set actor.nonfinite_grad to skip or halve.");
  }
  if (m_options.nonfinite == "halve") ++m_halvings;
  return result;
}

void Optimizer::advance() {
  ++m_batches;
  if (m_averages.empty() || m_batches % m_averageEvery != 0) return;
  for (Average& average : m_averages) {
    average.value.mul_(m_averageDecay).add_(m_masters[average.parameter], 1 - m_averageDecay);
    if (average.target.scalar_type() != at::kFloat) average.target.copy_(average.value);
  }
}

double Optimizer::gradNorm(const std::string& name) const {
  auto found = std::find(m_names.begin(), m_names.end(), name);
  if (found == m_names.end()) return std::numeric_limits<double>::quiet_NaN();
  return m_parameters[static_cast<std::size_t>(found - m_names.begin())].grad().norm().item<double>();
}

Optimizer::Named Optimizer::state() const {
  Named state;
  for (std::size_t i = 0; i < m_names.size(); ++i) {
    state.emplace_back("exp_avg." + m_names[i], m_means[i]);
    state.emplace_back("exp_avg_sq." + m_names[i], m_squares[i]);
    if (m_parameters[i].scalar_type() != at::kFloat) state.emplace_back("master." + m_names[i], m_masters[i]);
  }
  for (const Average& average : m_averages) state.emplace_back("average." + m_names[average.parameter], average.value);
  state.emplace_back("counters", at::tensor(std::vector<std::int64_t>{m_updates, m_skipped, m_halvings, m_batches}, at::kLong));
  return state;
}

void Optimizer::load(const Named& state) {
  at::NoGradGuard noGrad;
  std::map<std::string, at::Tensor> byName(state.begin(), state.end());
  auto take = [&](const std::string& name, at::Tensor& into) {
    auto found = byName.find(name);
    if (found == byName.end() || found->second.sizes() != into.sizes()) {
      throw Error("The optimizer's state does not fit the student", name, found == byName.end() ? "it is missing" : "its shape is another one",
                  "Resume with the configuration that wrote the checkpoint.");
    }
    into.copy_(found->second);
  };
  at::Tensor counters = at::zeros({4}, at::kLong);
  if (const auto found = byName.find("counters"); found != byName.end() && found->second.numel() == 2) {
    // As written before there were averages and several updates of a batch.
    const auto updates = found->second[0].item<std::int64_t>(), skipped = found->second[1].item<std::int64_t>();
    counters = at::tensor(std::vector<std::int64_t>{updates, skipped, 0, updates + skipped}, at::kLong);
  } else {
    take("counters", counters);
  }
  m_updates = counters[0].item<std::int64_t>();
  m_skipped = counters[1].item<std::int64_t>();
  m_halvings = counters[2].item<std::int64_t>();
  m_batches = counters[3].item<std::int64_t>();
  for (Average& average : m_averages) {
    take("average." + m_names[average.parameter], average.value);
    if (average.target.scalar_type() != at::kFloat) average.target.copy_(average.value);
  }
  for (std::size_t i = 0; i < m_names.size(); ++i) {
    take("exp_avg." + m_names[i], m_means[i]);
    take("exp_avg_sq." + m_names[i], m_squares[i]);
    if (m_parameters[i].scalar_type() != at::kFloat) {
      take("master." + m_names[i], m_masters[i]);
      m_parameters[i].copy_(m_masters[i]);
    }
    m_steps[i].fill_(static_cast<double>(m_updates));
  }
}

}  // namespace cuescope
