// The ragged middle of cue recovery's folded form (spec 1.13): scores, softmax and mixture of each row's own visual tokens.
// The h x h products around it are cuBLAS's (cuda_kernels.cpp). Oracle: cue_recovery_cpu.cpp.
#include "engine/kernels/cuda_device.cuh"
#include "engine/kernels/cuda_launch.h"

namespace cuescope::kernels::launch {
namespace {

constexpr int kThreads = 256;

// weights[head, i] = scale * folded[head, row of i] . x[i]; one warp a (token, head).
template <typename T>
__global__ void scoresKernel(const T* folded, const T* x, const std::int64_t* offsets, float* weights, int heads, int rows,
                             std::int64_t h, std::int64_t total, float scale) {
  const std::int64_t token = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32, head = blockIdx.y;
  if (token >= total) return;  // the whole warp leaves
  int low = 0, high = rows;    // the row with offsets[row] <= token < offsets[row + 1]; empty rows are passed over
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (offsets[middle] <= token) low = middle;
    else high = middle;
  }
  const T* a = folded + (static_cast<std::int64_t>(head) * rows + low) * h;
  const T* own = x + token * h;
  float dot = 0;
  for (std::int64_t i = lane; i < h; i += 32) dot += toFloat(a[i]) * toFloat(own[i]);
  dot = warpSum(dot);
  if (lane == 0) weights[head * total + token] = dot * scale;
}

// Softmax of one row's stretch, in place; one block a (head, row).
__global__ void softmaxKernel(const std::int64_t* offsets, float* weights, std::int64_t total) {
  __shared__ float room[32];
  const int row = blockIdx.x, head = blockIdx.y;
  const std::int64_t begin = offsets[row], end = offsets[row + 1];
  if (begin >= end) return;  // the whole block leaves
  float* own = weights + head * total;
  float top = -INFINITY;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) top = fmaxf(top, own[i]);
  top = blockMax(top, room);
  float mass = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    const float term = expf(own[i] - top);
    own[i] = term;
    mass += term;
  }
  const float inverse = 1.f / blockSum(mass, room);
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) own[i] *= inverse;
}

// mixed[head, row] = sum of weights x; one thread a column, so reads of x are side by side.
template <typename T>
__global__ void mixKernel(const T* x, const std::int64_t* offsets, const float* weights, T* mixed, int rows, std::int64_t h,
                          std::int64_t total) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int row = blockIdx.y, head = blockIdx.z;
  if (column >= h) return;
  const float* own = weights + head * total;
  float sum = 0;
#pragma unroll 8
  for (std::int64_t i = offsets[row]; i < offsets[row + 1]; ++i) sum += own[i] * toFloat(x[i * h + column]);
  mixed[(static_cast<std::int64_t>(head) * rows + row) * h + column] = fromFloat<T>(sum);
}

template <typename T>
cudaError_t attend(const void* folded, const void* x, const std::int64_t* offsets, float* weights, void* mixed, int heads, int rows,
                   std::int64_t h, std::int64_t total, float scale, cudaStream_t stream) {
  if (total > 0) {
    const auto tokens = static_cast<unsigned>((total * 32 + kThreads - 1) / kThreads);
    scoresKernel<T><<<dim3(tokens, heads), kThreads, 0, stream>>>(static_cast<const T*>(folded), static_cast<const T*>(x), offsets,
                                                                  weights, heads, rows, h, total, scale);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
    softmaxKernel<<<dim3(rows, heads), kThreads, 0, stream>>>(offsets, weights, total);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  mixKernel<T><<<dim3(static_cast<unsigned>((h + kThreads - 1) / kThreads), rows, heads), kThreads, 0, stream>>>(
      static_cast<const T*>(x), offsets, weights, static_cast<T*>(mixed), rows, h, total);
  return cudaGetLastError();
}

}  // namespace

cudaError_t cueAttend(Element type, const void* folded, const void* x, const std::int64_t* offsets, float* weights, void* mixed,
                      int heads, int rows, std::int64_t h, std::int64_t total, float scale, cudaStream_t stream) {
  if (rows <= 0 || heads <= 0 || h <= 0) return cudaSuccess;
  if (rows > 65535 || heads > 65535) return cudaErrorInvalidValue;  // limits of the grid's second and third axis
  return type == Element::Float32
             ? attend<float>(folded, x, offsets, weights, mixed, heads, rows, h, total, scale, stream)
             : attend<__nv_bfloat16>(folded, x, offsets, weights, mixed, heads, rows, h, total, scale, stream);
}

}  // namespace cuescope::kernels::launch
