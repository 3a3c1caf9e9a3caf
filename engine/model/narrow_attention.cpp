#include "engine/model/narrow_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/full.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>

#include "engine/kernels/kernels.h"

namespace cuescope {
namespace {

at::Tensor dense(const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

/// Sums over the query heads that share a key head: [B, H, L, d] -> [B, Hk, L, d].
at::Tensor summedByKeyHead(const at::Tensor& gradient, std::int64_t kvHeads) {
  const std::int64_t group = gradient.size(1) / kvHeads;
  return group == 1 ? gradient : gradient.unflatten(1, {kvHeads, group}).sum(2, false, at::kFloat).to(gradient.scalar_type());
}

struct NarrowAttention : torch::autograd::Function<NarrowAttention> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values) {
    at::Tensor logSumExp;
    const at::Tensor out = kernels::causalAttention(q, keys, values, &logSumExp);
    context->save_for_backward({q, keys, values, out, logSumExp});
    return out;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &out = saved[3];
    const std::int64_t kvHeads = saved[1].size(1), group = q.size(1) / kvHeads, n = q.size(2), length = saved[1].size(2);
    const at::Tensor keys = saved[1].repeat_interleave(group, 1), values = saved[2].repeat_interleave(group, 1);
    std::optional<at::Tensor> mask;
    if (n != length)
      mask = at::full({1, 1, n, length}, -std::numeric_limits<double>::infinity(), q.options()).triu(length - n + 1);
    const auto [gQ, gK, gV] = at::_scaled_dot_product_flash_attention_for_cpu_backward(dense(gradients[0]), q, keys, values, out, saved[4], 0.0,
                                                                                       /*is_causal=*/n == length, mask);
    return {gQ, summedByKeyHead(gK, kvHeads), summedByKeyHead(gV, kvHeads)};
  }
};

}  // namespace

at::Tensor narrowAttention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values) {
  if (!at::GradMode::is_enabled()) return kernels::causalAttention(dense(q), dense(keys), dense(values));
  return NarrowAttention::apply(dense(q), dense(keys), dense(values));
}

}  // namespace cuescope
