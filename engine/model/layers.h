// The few building blocks that both towers share. Parameters are created empty: they are filled by loading or by
// Qwen3VL::initialize. Weights may be stored in a narrower type than the one computed in (bfloat16 on the CPU).
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cuescope {

/// Bytes of attention weights that a tower has at one time when it shows all of them.
inline constexpr std::int64_t kShownWeightBytes = 48ll << 20;

/// The type of activations for weights like this one: float32 on the CPU (double for double), the weight's own
/// elsewhere.
at::ScalarType computeType(const at::Tensor& weight);
/// The type of statistics and softmax: float32, or double for double.
at::ScalarType wideType(at::ScalarType type);

/// x W^T + b in the type of x. bias may be undefined.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// x * rsqrt(mean(x^2) + eps) * weight over the last dimension; statistics in float32. Differentiable.
at::Tensor rmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// A product that may run in a narrower type than the states around it: float32 weights, float32 states, a product of bfloat16. The
/// input is rounded to that type, and so is the result; what is added up on the way is float32.
struct Linear : torch::nn::Module {  // weight [out, in]
  Linear(std::int64_t in, std::int64_t out, bool hasBias, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const;
  /// Keeps the weight a second time in this type (it may already be its own) for products in it; Undefined: none.
  void narrowTo(at::ScalarType type);
  /// After the weight has changed.
  void refreshNarrow();
  at::Tensor weight;
  at::Tensor bias;    // [out] or undefined
  at::Tensor narrow;  // undefined: the product has the states' type; no parameter
};

struct RmsNorm : torch::nn::Module {  // weight [size]
  RmsNorm(std::int64_t size, double eps, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const { return rmsNorm(x, weight, eps); }
  at::Tensor weight;
  double eps;
};

struct LayerNorm : torch::nn::Module {
  LayerNorm(std::int64_t size, double eps, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const;
  at::Tensor weight, bias;  // [size]
  double eps;
};

/// Numbered children: "blocks.0", "blocks.1", ...
template <typename T>
struct ModuleArray : torch::nn::Module {
  std::shared_ptr<T> add(const std::string& name, std::shared_ptr<T> item) {
    items.push_back(register_module(name, std::move(item)));
    return items.back();
  }
  std::vector<std::shared_ptr<T>> items;
};

using LayerFunction = std::function<at::Tensor(const at::Tensor& states)>;
/// Runs `layer` and keeps only its input: what lies between is computed again in the backward pass. The gradients are
/// those of a plain call, bit for bit. `parameters` are all parameters that the layer uses.
at::Tensor recomputed(const LayerFunction& layer, const at::Tensor& states, const std::vector<at::Tensor>& parameters);

}  // namespace cuescope
