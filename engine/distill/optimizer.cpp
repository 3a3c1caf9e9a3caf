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
  }
  zeroGrad();
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

Optimizer::Result Optimizer::step() {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : m_parameters) gradients.push_back(parameter.grad().to(at::kFloat));
  Result result;
  result.lr = scheduledLr(m_options, m_updates + m_skipped);
  result.gradNorm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)).to(at::kDouble)).item<double>();
  if (!std::isfinite(result.gradNorm)) {
    result.skipped = true;
    ++m_skipped;
    return result;
  }
  const double factor = m_options.gradClip / (result.gradNorm + 1e-6);
  if (factor < 1) at::_foreach_mul_(gradients, factor);
  at::_foreach_add_(m_steps, 1);
  at::_fused_adamw_(m_masters, gradients, m_means, m_squares, {}, m_steps, result.lr, m_options.beta1, m_options.beta2, m_options.weightDecay, m_options.eps,
                    /*amsgrad=*/false, /*maximize=*/false);
  for (std::size_t i = 0; i < m_parameters.size(); ++i) {
    if (m_parameters[i].scalar_type() != at::kFloat) m_parameters[i].copy_(m_masters[i]);
  }
  ++m_updates;
  return result;
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
  state.emplace_back("counters", at::tensor(std::vector<std::int64_t>{m_updates, m_skipped}, at::kLong));
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
  at::Tensor counters = at::zeros({2}, at::kLong);
  take("counters", counters);
  m_updates = counters[0].item<std::int64_t>();
  m_skipped = counters[1].item<std::int64_t>();
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
