// RMSNorm with the residual, and q/k norm with rotary positions. Oracles: norm_cpu.cpp.
#include "engine/kernels/cuda_device.cuh"
#include "engine/kernels/cuda_launch.h"

namespace cuescope::kernels::launch {
namespace {

constexpr int kThreads = 256;

// One block a row. The sum with x is kept in the residual's type, and the norm reads what was stored, as the reference does.
template <typename T>
__global__ void addRmsNormKernel(const T* x, T* residual, const T* weight, T* y, std::int64_t h, float eps) {
  __shared__ float room[32];
  const std::int64_t row = blockIdx.x;
  T* states = residual + row * h;
  float squares = 0;
  for (std::int64_t i = threadIdx.x; i < h; i += blockDim.x) {
    float value = toFloat(states[i]);
    if (x) {
      const T stored = fromFloat<T>(value + toFloat(x[row * h + i]));
      states[i] = stored;
      value = toFloat(stored);
    }
    squares += value * value;
  }
  const float inverse = rsqrtf(blockSum(squares, room) / static_cast<float>(h) + eps);
  for (std::int64_t i = threadIdx.x; i < h; i += blockDim.x) {  // each thread reads what it wrote
    const T normed = fromFloat<T>(toFloat(states[i]) * inverse);
    y[row * h + i] = fromFloat<T>(toFloat(normed) * toFloat(weight[i]));
  }
}

// One warp a head. A lane holds the pairs (i, i + d/2) that rotation mixes: at most four, as d <= 256.
template <typename T>
__global__ void qkNormRopeKernel(T* q, T* k, const T* qWeight, const T* kWeight, const float* cos, const float* sin,
                                 std::int64_t tokens, int qHeads, int kHeads, int d, float eps) {
  const std::int64_t warp = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32, heads = qHeads + kHeads, half = d / 2;
  const std::int64_t token = warp / heads;
  if (token >= tokens) return;  // the whole warp leaves
  const int head = static_cast<int>(warp % heads);
  const bool isQuery = head < qHeads;
  T* values = isQuery ? q + (token * qHeads + head) * d : k + (token * kHeads + head - qHeads) * d;
  const T* weight = isQuery ? qWeight : kWeight;
  float low[4], high[4], squares = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int i = lane + 32 * j;
    low[j] = i < half ? toFloat(values[i]) : 0.f;
    high[j] = i < half ? toFloat(values[i + half]) : 0.f;
    squares += low[j] * low[j] + high[j] * high[j];
  }
  const float inverse = rsqrtf(warpSum(squares) / static_cast<float>(d) + eps);
  const float *c = cos + token * d, *s = sin + token * d;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int i = lane + 32 * j;
    if (i >= half) continue;
    const float a = toFloat(fromFloat<T>(toFloat(fromFloat<T>(low[j] * inverse)) * toFloat(weight[i])));
    const float b = toFloat(fromFloat<T>(toFloat(fromFloat<T>(high[j] * inverse)) * toFloat(weight[i + half])));
    values[i] = fromFloat<T>(a * c[i] - b * s[i]);
    values[i + half] = fromFloat<T>(b * c[i + half] + a * s[i + half]);
  }
}

}  // namespace

cudaError_t addRmsNorm(Element type, const void* x, void* residual, const void* weight, void* y, std::int64_t rows, std::int64_t h,
                       float eps, cudaStream_t stream) {
  if (rows <= 0 || h <= 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(rows);
  if (type == Element::Float32)
    addRmsNormKernel<float><<<blocks, kThreads, 0, stream>>>(static_cast<const float*>(x), static_cast<float*>(residual),
                                                             static_cast<const float*>(weight), static_cast<float*>(y), h, eps);
  else
    addRmsNormKernel<__nv_bfloat16><<<blocks, kThreads, 0, stream>>>(
        static_cast<const __nv_bfloat16*>(x), static_cast<__nv_bfloat16*>(residual), static_cast<const __nv_bfloat16*>(weight),
        static_cast<__nv_bfloat16*>(y), h, eps);
  return cudaGetLastError();
}

cudaError_t qkNormRope(Element type, void* q, void* k, const void* qWeight, const void* kWeight, const float* cos, const float* sin,
                       std::int64_t tokens, int qHeads, int kHeads, int d, float eps, cudaStream_t stream) {
  if (tokens <= 0 || qHeads + kHeads <= 0) return cudaSuccess;
  if (d % 2 || d > 256) return cudaErrorInvalidValue;
  const auto blocks = static_cast<unsigned>((tokens * (qHeads + kHeads) * 32 + kThreads - 1) / kThreads);
  if (type == Element::Float32)
    qkNormRopeKernel<float><<<blocks, kThreads, 0, stream>>>(static_cast<float*>(q), static_cast<float*>(k),
                                                             static_cast<const float*>(qWeight), static_cast<const float*>(kWeight),
                                                             cos, sin, tokens, qHeads, kHeads, d, eps);
  else
    qkNormRopeKernel<__nv_bfloat16><<<blocks, kThreads, 0, stream>>>(
        static_cast<__nv_bfloat16*>(q), static_cast<__nv_bfloat16*>(k), static_cast<const __nv_bfloat16*>(qWeight),
        static_cast<const __nv_bfloat16*>(kWeight), cos, sin, tokens, qHeads, kHeads, d, eps);
  return cudaGetLastError();
}

}  // namespace cuescope::kernels::launch
