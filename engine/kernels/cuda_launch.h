// Launchers of the CUDA kernels on raw device pointers: the seam between the .cu files (no torch headers: they compile in
// seconds) and cuda_kernels.cpp (no CUDA syntax). Pointers are device memory on the current device unless said; every launch
// goes to `stream`, returns the launch's error and never waits. Element types are named by `Element`.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace cuescope::kernels::launch {

enum class Element { Float32, BFloat16 };

/// residual [rows, h] += x (null: nothing), y = residual / rms * weight. Sums in float32.
cudaError_t addRmsNorm(Element type, const void* x, void* residual, const void* weight, void* y, std::int64_t rows, std::int64_t h,
                       float eps, cudaStream_t stream);

/// RMSNorm and rotate-half of every head of q [tokens, qHeads, d] and k [tokens, kHeads, d]; d even, at most 256.
cudaError_t qkNormRope(Element type, void* q, void* k, const void* qWeight, const void* kWeight, const float* cos, const float* sin,
                       std::int64_t tokens, int qHeads, int kHeads, int d, float eps, cudaStream_t stream);

/// Ragged rows of cue recovery. folded [heads, rows, h]; x [total, h]; offsets [rows + 1] (device); weights [heads, total] and
/// mixed [heads, rows, h] are written: softmax(folded x^T * scale) per row and its mixture of x (zero for empty rows).
cudaError_t cueAttend(Element type, const void* folded, const void* x, const std::int64_t* offsets, float* weights, void* mixed,
                      int heads, int rows, std::int64_t h, std::int64_t total, float scale, cudaStream_t stream);

/// One row's settings, as kernels.h's SamplerRow.
struct SampleRow {
  float temperature, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty;
  std::int32_t topK;
  double uniform;
};
struct SampleSeen {
  std::int64_t id;
  std::int32_t count;
  std::int32_t row;
};
/// logits [rows, vocabulary] is only read; work is float32 of the same shape. ids, logProbs [rows].
cudaError_t sample(const float* logits, float* work, const SampleRow* settings, const SampleSeen* seen, std::int64_t seenCount,
                   const std::int64_t* banned, std::int64_t bannedCount, std::int64_t* ids, float* logProbs, int rows,
                   std::int64_t vocabulary, cudaStream_t stream);

}  // namespace cuescope::kernels::launch
