// What the two stages of supervised training share: the optimiser and the names of parameters. Internal to engine/distill.
#pragma once

#include <ATen/Functions.h>
#include <ATen/ops/_fused_adamw.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/core/failure.h"
#include "engine/distill/supervised.h"

namespace cuescope::supervised {

inline constexpr int kTokens = kDemoTokens * kDemoTokens;  // merged, one picture
inline constexpr int kPatches = kTokens * 4;

inline std::vector<Grid> demoGrids(std::size_t count) { return std::vector<Grid>(count, Grid{1, 2 * kDemoTokens, 2 * kDemoTokens, false}); }

inline at::Tensor parameter(const Qwen3VL& model, const std::string& name) {
  const auto parameters = model.named_parameters();
  const at::Tensor* found = parameters.find(name);
  if (!found) throw Error("The demo model lacks a parameter", name);
  return *found;
}

inline bool isVision(const std::string& name) { return name.find("visual.") != std::string::npos; }

// AdamW over the parameters that require gradients; norms and biases do not decay.
class Trainer {
 public:
  Trainer(const std::vector<at::Tensor>& parameters, const SupervisedOptions& options) : m_options(options) {
    for (const at::Tensor& p : parameters) {
      Group& group = p.dim() > 1 ? m_groups[0] : m_groups[1];
      group.parameters.push_back(p);
      group.first.push_back(at::zeros_like(p));
      group.second.push_back(at::zeros_like(p));
      group.steps.push_back(at::zeros({}, at::kFloat));
    }
  }

  void step(const at::Tensor& loss) {
    for (Group& group : m_groups)
      for (at::Tensor& p : group.parameters) p.mutable_grad() = at::Tensor();
    loss.backward();
    c10::AutoGradMode noGrad(false);
    double squares = 0;
    for (Group& group : m_groups) {
      group.gradients.clear();
      for (at::Tensor& p : group.parameters) {
        if (!p.grad().defined()) p.mutable_grad() = at::zeros_like(p);
        group.gradients.push_back(p.grad());
        const double norm = p.grad().norm().item<double>();
        squares += norm * norm;
      }
    }
    const double norm = std::sqrt(squares);
    if (!std::isfinite(norm))
      throw Error("Training the demo model diverged", "step " + std::to_string(m_step + 1), "the gradient is not a number",
                  "train with another seed or a smaller learning rate");
    ++m_step;
    const double lr = rate();
    for (int g = 0; g < 2; ++g) {
      Group& group = m_groups[g];
      if (group.parameters.empty()) continue;
      if (norm > m_options.gradClip)
        for (at::Tensor& grad : group.gradients) grad.mul_(m_options.gradClip / (norm + 1e-6));
      at::_fused_adamw_(group.parameters, group.gradients, group.first, group.second, {}, advance(group.steps), lr, m_options.beta1,
                        m_options.beta2, g == 0 ? m_options.weightDecay : 0.0, 1e-8, false, false);
    }
  }

 private:
  struct Group {
    std::vector<at::Tensor> parameters, gradients, first, second, steps;
  };

  static const std::vector<at::Tensor>& advance(std::vector<at::Tensor>& steps) {
    for (at::Tensor& s : steps) s.add_(1);
    return steps;
  }

  double rate() const {
    const double warm = m_options.warmupSteps > 0 ? std::min(1.0, double(m_step) / double(m_options.warmupSteps)) : 1.0;
    const double left = double(m_options.steps - m_step + 1) / std::max(1.0, m_options.decayFraction * double(m_options.steps));
    return m_options.lr * warm * std::min(1.0, left);
  }

  SupervisedOptions m_options;
  Group m_groups[2];
  std::int64_t m_step = 0;
};

}  // namespace cuescope::supervised
