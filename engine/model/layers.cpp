#include "engine/model/layers.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rsqrt.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "engine/kernels/kernels.h"

namespace cuescope {

at::ScalarType computeType(const at::Tensor& weight) {
  return weight.is_cpu() && weight.scalar_type() != at::kDouble ? at::kFloat : weight.scalar_type();
}

at::ScalarType wideType(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  // Few rows: reading the narrow weight once beats widening it first.
  constexpr std::int64_t kFewRows = 16;
  if (!at::GradMode::is_enabled() && !bias.defined() && x.is_cpu() && x.dim() == 2 && x.size(0) <= kFewRows &&
      x.is_contiguous() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kBFloat16 &&
      weight.is_contiguous())
    return kernels::linear(x, weight);
  const std::optional<at::Tensor> b =
      bias.defined() ? std::optional<at::Tensor>(bias.to(x.scalar_type())) : std::nullopt;
  return at::linear(x, weight.to(x.scalar_type()), b);
}

at::Tensor rmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(wideType(x.scalar_type()));
  const at::Tensor normed = wide * at::rsqrt(wide.square().mean({-1}, true) + eps);
  return normed.to(x.scalar_type()) * weight.to(x.scalar_type());
}

Linear::Linear(std::int64_t in, std::int64_t out, bool hasBias, const at::TensorOptions& options) {
  weight = register_parameter("weight", at::empty({out, in}, options));
  if (hasBias) bias = register_parameter("bias", at::empty({out}, options));
}

namespace {

/// A row's result does not depend on the rows beside it, so that sampling, one token at a time, and training, all tokens at once, see
/// the same numbers. The matrix library keeps to that but for a single row, which it gives to another routine: such a row goes in twice.
at::Tensor narrowProduct(const at::Tensor& x, const at::Tensor& narrow, const at::Tensor& bias) {
  const std::optional<at::Tensor> b = bias.defined() ? std::optional<at::Tensor>(bias.to(narrow.scalar_type())) : std::nullopt;
  if (x.is_cpu() && x.dim() == 2 && x.size(0) == 1) return at::linear(at::cat({x, x}), narrow, b).narrow(0, 0, 1);
  return at::linear(x, narrow, b);
}

/// x W^T + b on a narrow copy of the weight; the gradients belong to weight and bias themselves and add up in their own type.
struct NarrowLinear : torch::autograd::Function<NarrowLinear> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const at::Tensor& narrow) {
    context->save_for_backward({x, narrow});
    context->saved_data["weight"] = static_cast<std::int64_t>(weight.scalar_type());
    return narrowProduct(x, narrow, bias.value_or(at::Tensor()));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto type = static_cast<at::ScalarType>(context->saved_data["weight"].toInt());
    const at::Tensor& g = gradients[0];
    at::Tensor gX, gWeight, gBias;
    if (context->needs_input_grad(0)) gX = at::matmul(g, saved[1]);
    if (context->needs_input_grad(1))
      gWeight = at::matmul(g.reshape({-1, g.size(-1)}).t(), saved[0].reshape({-1, saved[0].size(-1)})).to(type);
    if (context->needs_input_grad(2)) gBias = g.reshape({-1, g.size(-1)}).sum(0, false, type);
    return {gX, gWeight, gBias, at::Tensor()};
  }
};

}  // namespace

at::Tensor Linear::forward(const at::Tensor& x) const {
  if (!narrow.defined()) return cuescope::linear(x, weight, bias);
  const at::Tensor input = x.to(narrow.scalar_type());
  if (!at::GradMode::is_enabled()) return narrowProduct(input, narrow, bias);
  return NarrowLinear::apply(input, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt, narrow);
}

void Linear::narrowTo(at::ScalarType type) {
  narrow = type == at::ScalarType::Undefined ? at::Tensor() : weight.detach().to(type);  // its own type: the weight itself
}

void Linear::refreshNarrow() {
  const at::NoGradGuard noGrad;
  if (narrow.defined() && !narrow.is_same(weight) && narrow.data_ptr() != weight.data_ptr()) narrow.copy_(weight);
}

RmsNorm::RmsNorm(std::int64_t size, double eps, const at::TensorOptions& options) : eps(eps) {
  weight = register_parameter("weight", at::empty({size}, options));
}

LayerNorm::LayerNorm(std::int64_t size, double eps, const at::TensorOptions& options) : eps(eps) {
  weight = register_parameter("weight", at::empty({size}, options));
  bias = register_parameter("bias", at::empty({size}, options));
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight.to(x.scalar_type()), bias.to(x.scalar_type()), eps);
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Recompute : torch::autograd::Function<Recompute> {
  static at::Tensor forward(AutogradContext* context, const LayerFunction& layer, const at::Tensor& states,
                            at::TensorList parameters) {
    context->saved_data["layer"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(layer));
    variable_list saved{states};
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(std::move(saved));
    at::NoGradGuard noGrad;
    return layer(states);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto held = c10::static_intrusive_pointer_cast<Held>(context->saved_data["layer"].toCapsule());
    variable_list saved = context->get_saved_variables();
    at::Tensor states = saved[0].detach();
    states.requires_grad_(true);
    at::Tensor output;
    {
      const at::AutoGradMode grad(true);
      output = held->layer(states);
    }
    variable_list inputs{states};
    std::vector<std::size_t> slots{0};
    for (std::size_t i = 1; i < saved.size(); ++i)
      if (saved[i].requires_grad()) {
        inputs.push_back(saved[i]);
        slots.push_back(i);
      }
    const variable_list found =
        torch::autograd::grad({output}, inputs, {gradients[0]}, std::nullopt, false, /*allow_unused=*/true);
    variable_list out(1 + saved.size());  // one for the layer, one for the states, one a parameter
    for (std::size_t i = 0; i < slots.size(); ++i) out[1 + slots[i]] = found[i];
    return out;
  }

  struct Held : torch::CustomClassHolder {
    explicit Held(LayerFunction function) : layer(std::move(function)) {}
    LayerFunction layer;
  };
};

}  // namespace

at::Tensor recomputed(const LayerFunction& layer, const at::Tensor& states, const std::vector<at::Tensor>& parameters) {
  return Recompute::apply(layer, states, at::TensorList(parameters));
}

}  // namespace cuescope
