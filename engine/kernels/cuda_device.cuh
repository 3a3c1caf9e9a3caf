// What the .cu files share: element conversion and reductions in float32.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace cuescope::kernels {

__device__ inline float toFloat(float value) { return value; }
__device__ inline float toFloat(__nv_bfloat16 value) { return __bfloat162float(value); }
template <typename T>
__device__ inline T fromFloat(float value);
template <>
__device__ inline float fromFloat<float>(float value) {
  return value;
}
template <>
__device__ inline __nv_bfloat16 fromFloat<__nv_bfloat16>(float value) {
  return __float2bfloat16(value);
}

constexpr unsigned kAllLanes = 0xffffffffu;

template <typename T>
__device__ inline T warpSum(T value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}
__device__ inline float warpMax(float value) {
  for (int step = 16; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  return value;
}

// For blocks of a multiple of 32 threads, at most 1024; every thread calls, every thread gets the result. `room` is shared
// memory of 32 values. The order of the additions is fixed, so results repeat exactly.
template <typename T>
__device__ inline T blockSum(T value, T* room) {
  value = warpSum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) room[threadIdx.x / 32] = value;
  __syncthreads();
  T total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) total += room[w];
  return total;
}
__device__ inline float blockMax(float value, float* room) {
  value = warpMax(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) room[threadIdx.x / 32] = value;
  __syncthreads();
  float top = room[0];
  for (unsigned w = 1; w < blockDim.x / 32; ++w) top = fmaxf(top, room[w]);
  return top;
}

}  // namespace cuescope::kernels
