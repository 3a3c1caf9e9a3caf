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

/// A weight that may be kept a second time in the type of the activations. The layer that derives makes and registers it.
struct NarrowedWeight : torch::nn::Module {
  /// Keeps a copy of the weight in this type for products with states of that type; Undefined: none.
  void narrowTo(at::ScalarType type);
  void refreshNarrow();
  /// The weight as inference kernels want it.
  const at::Tensor& computed() const { return narrow.defined() ? narrow : weight; }
  at::Tensor weight;
  at::Tensor narrow;  // the weight in the compute type, undefined where that is its own; no parameter
};

struct Linear : NarrowedWeight {  // weight [out, in]
  Linear(std::int64_t in, std::int64_t out, bool hasBias, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const;
  at::Tensor bias;  // [out] or undefined
};

struct RmsNorm : NarrowedWeight {  // weight [size]
  RmsNorm(std::int64_t size, double eps, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const { return rmsNorm(x, weight, eps); }
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
