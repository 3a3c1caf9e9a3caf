// The kernels of our own: each is one function on tensors, with a CPU version that is its oracle (and, where it pays, the fast
// path) and a CUDA version chosen by the tensor's device. Everything else in the engine is LibTorch. None of these builds an
// autograd graph: they serve inference (rollout, scoring, inspection); training uses differentiable LibTorch expressions of the
// same formulas, and tests hold the two together. Inputs are contiguous; a violated shape or type is an Error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace cuescope::kernels {

/// Weights of one injection layer and the two norms that all layers share (spec 1.2). q, k, v, o: [h, h].
struct CueWeights {
  at::Tensor qNorm, kvNorm, q, k, v, o;
  std::int64_t heads = 0;
  double eps = 1e-6;
};

/// Cue recovery in its folded form (spec 1.13) over ragged rows. sink [B, h]; visual [V, h] with row b's tokens at
/// visualOffsets[b]..visualOffsets[b+1]. Returns the update W_o c [B, h] (zero for rows without visual tokens), to be added to
/// the sink. `weights`, if given, gets float32 [heads, V]: the attention of each row's sink over its own tokens.
at::Tensor cueRecovery(const at::Tensor& sink, const at::Tensor& visual, std::span<const std::int64_t> visualOffsets,
                       const CueWeights& weights, at::Tensor* attention = nullptr);

/// residual += x (in place), returns rmsNorm(residual) * weight. x may be undefined: then only the norm. Statistics in float32.
/// x, residual [N, h]; weight [h].
at::Tensor addRmsNorm(const at::Tensor& x, at::Tensor& residual, const at::Tensor& weight, double eps);

/// RMSNorm of each head of q and k, then interleaved mRoPE (spec 2.4), in place. q [T, Hq, D], k [T, Hk, D], cos and sin
/// float32 [T, D].
void qkNormRope(at::Tensor& q, at::Tensor& k, const at::Tensor& qWeight, const at::Tensor& kWeight, const at::Tensor& cos,
                const at::Tensor& sin, double eps);

/// y = x W^T for few rows: x [N, in] float32 (CPU) or the weight's type (CUDA), weight [out, in] float32 or bfloat16.
/// Returns the type of x.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight);

/// Attention of the last n of L tokens, each over itself and the tokens before it, in bfloat16 with float32 arithmetic. CPU only; a
/// query's result depends on nothing but itself and the keys it sees, to the bit. q [B, H, n, d]; keys, values [B, Hk, L, d], any strides
/// but a dense last axis. Returns [B, H, n, d], dense as [B, n, H, d]. `logSumExp`, if given, gets float32 [B, H, n]: of the scaled scores.
at::Tensor causalAttention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, at::Tensor* logSumExp = nullptr);

/// How one row is sampled. Greedy when temperature == 0.
struct SamplerRow {
  float temperature = 1.f, topP = 1.f, minP = 0.f, repetitionPenalty = 1.f, presencePenalty = 0.f, frequencyPenalty = 0.f;
  std::int32_t topK = 0;
  double uniform = 0;  // the row's random number of this step, in [0, 1)
};
struct Sampled {
  std::vector<std::int64_t> ids;
  std::vector<float> logProbs;  // log-softmax of the given logits at the id, before penalties, bans and truncation
};
/// One id a row from logits float32 [B, V]. `seen[b]`: ids of row b that penalties look at, with their counts in the response.
/// `banned`: ids that never come out. Truncation order: penalties, temperature, top-k, top-p, min-p (as the reference stack).
struct SeenToken {
  std::int64_t id = 0;
  std::int32_t countInResponse = 0;  // 0: prompt only
};
Sampled sample(const at::Tensor& logits, std::span<const SamplerRow> rows, std::span<const std::vector<SeenToken>> seen,
               std::span<const std::int64_t> banned);

/// True when this library carries CUDA code (not whether a GPU is there).
bool hasCuda();

}  // namespace cuescope::kernels
