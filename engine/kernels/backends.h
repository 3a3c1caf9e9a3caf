// The two versions of every kernel, behind dispatch.cpp, which has checked shapes, types and devices. Only engine/kernels
// includes this.
#pragma once

#include "engine/kernels/kernels.h"

namespace cuescope::kernels {

namespace cpu {
at::Tensor cueRecovery(const at::Tensor& sink, const at::Tensor& visual, std::span<const std::int64_t> visualOffsets,
                       const CueWeights& weights, at::Tensor* attention);
at::Tensor addRmsNorm(const at::Tensor& x, at::Tensor& residual, const at::Tensor& weight, double eps);
void qkNormRope(at::Tensor& q, at::Tensor& k, const at::Tensor& qWeight, const at::Tensor& kWeight, const at::Tensor& cos,
                const at::Tensor& sin, double eps);
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight);
at::Tensor causalAttention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, at::Tensor* logSumExp);
Sampled sample(const at::Tensor& logits, std::span<const SamplerRow> rows, std::span<const std::vector<SeenToken>> seen,
               std::span<const std::int64_t> banned);
}  // namespace cpu

// In no_cuda.cpp these throw.
namespace cuda {
at::Tensor cueRecovery(const at::Tensor& sink, const at::Tensor& visual, std::span<const std::int64_t> visualOffsets,
                       const CueWeights& weights, at::Tensor* attention);
at::Tensor addRmsNorm(const at::Tensor& x, at::Tensor& residual, const at::Tensor& weight, double eps);
void qkNormRope(at::Tensor& q, at::Tensor& k, const at::Tensor& qWeight, const at::Tensor& kWeight, const at::Tensor& cos,
                const at::Tensor& sin, double eps);
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight);
Sampled sample(const at::Tensor& logits, std::span<const SamplerRow> rows, std::span<const std::vector<SeenToken>> seen,
               std::span<const std::int64_t> banned);
}  // namespace cuda

}  // namespace cuescope::kernels
