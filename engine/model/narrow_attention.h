// Differentiable attention in bfloat16 on the CPU. LibTorch's fused attention rounds its weights block by block, so a token gets other
// bits when it comes alone behind a cache than in a pass over its whole row; rounding to 8 bits of mantissa makes that a different
// policy a few layers on. Here a query's result depends on itself and its keys alone (kernels::causalAttention); the backward pass,
// which sampling never sees, is LibTorch's. Engine thread.
#pragma once

#include <ATen/core/Tensor.h>

namespace cuescope {

/// q [B, H, n, d] are the last n of the L tokens of keys and values [B, Hk, L, d]; all bfloat16 on the CPU. Returns [B, H, n, d].
at::Tensor narrowAttention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values);

}  // namespace cuescope
