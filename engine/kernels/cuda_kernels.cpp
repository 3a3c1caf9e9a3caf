// Tensors to launchers: the CUDA versions behind dispatch.cpp, which has checked shapes and types. Products are cuBLAS's through
// LibTorch. Nothing here waits for the device except sample(), whose ids the caller needs on the host.
#include <ATen/Functions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cmath>

#include "engine/core/failure.h"
#include "engine/kernels/backends.h"
#include "engine/kernels/cuda_devices.h"
#include "engine/kernels/cuda_launch.h"

namespace cuescope::kernels {
namespace {

launch::Element elementOf(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 ? launch::Element::BFloat16 : launch::Element::Float32;
}

void check(cudaError_t error, const char* kernel) {
  if (error != cudaSuccess)
    throw Error("A CUDA kernel could not be started", kernel, cudaGetErrorString(error),
                "Close other programs that use the GPU, or run on the CPU (--device cpu).");
}

// A small host table on the device, copied on the current stream. The copy is from pageable memory, so it has left the host's
// buffer when this returns.
template <typename T>
at::Tensor onDevice(const T* values, std::int64_t count, const at::TensorOptions& like) {
  const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
  at::Tensor host = at::empty({bytes}, at::kByte);
  std::copy_n(reinterpret_cast<const std::uint8_t*>(values), bytes, host.data_ptr<std::uint8_t>());
  return host.to(like.device());
}

}  // namespace

bool hasCuda() { return true; }

std::vector<CudaDevice> cudaDevices() {
  std::vector<CudaDevice> devices;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return devices;
  for (int i = 0; i < count; ++i) {
    CudaDevice device;
    cudaDeviceProp properties{};
    std::size_t free = 0, total = 0;
    cudaError_t error = cudaGetDeviceProperties(&properties, i);
    if (error == cudaSuccess) {
      const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(i));
      error = cudaMemGetInfo(&free, &total);
    }
    device.name = error == cudaSuccess ? properties.name : cudaGetErrorString(error);
    device.freeBytes = static_cast<std::int64_t>(free);
    device.totalBytes = static_cast<std::int64_t>(total);
    device.major = properties.major;
    device.minor = properties.minor;
    devices.push_back(std::move(device));
  }
  return devices;
}

namespace cuda {

at::Tensor addRmsNorm(const at::Tensor& x, at::Tensor& residual, const at::Tensor& weight, double eps) {
  const c10::cuda::CUDAGuard guard(residual.device());
  at::Tensor y = at::empty_like(residual);
  check(launch::addRmsNorm(elementOf(residual), x.defined() ? x.const_data_ptr() : nullptr, residual.data_ptr(),
                           weight.const_data_ptr(), y.data_ptr(), residual.size(0), residual.size(1), static_cast<float>(eps),
                           c10::cuda::getCurrentCUDAStream()),
        "addRmsNorm");
  return y;
}

void qkNormRope(at::Tensor& q, at::Tensor& k, const at::Tensor& qWeight, const at::Tensor& kWeight, const at::Tensor& cos,
                const at::Tensor& sin, double eps) {
  const c10::cuda::CUDAGuard guard(q.device());
  check(launch::qkNormRope(elementOf(q), q.data_ptr(), k.data_ptr(), qWeight.const_data_ptr(), kWeight.const_data_ptr(),
                           cos.const_data_ptr<float>(), sin.const_data_ptr<float>(), q.size(0), static_cast<int>(q.size(1)),
                           static_cast<int>(k.size(1)), static_cast<int>(q.size(2)), static_cast<float>(eps),
                           c10::cuda::getCurrentCUDAStream()),
        "qkNormRope");
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight) { return at::linear(x, weight); }

at::Tensor cueRecovery(const at::Tensor& sink, const at::Tensor& visual, std::span<const std::int64_t> visualOffsets,
                       const CueWeights& weights, at::Tensor* attention) {
  const c10::cuda::CUDAGuard guard(sink.device());
  const std::int64_t rows = sink.size(0), h = sink.size(1), heads = weights.heads, d = h / heads, total = visual.size(0);
  at::Tensor states = sink.clone(), seen = visual.clone();
  const at::Tensor s = addRmsNorm({}, states, weights.qNorm, weights.eps);
  const at::Tensor x = addRmsNorm({}, seen, weights.kvNorm, weights.eps);
  const at::Tensor q = at::linear(s, weights.q).view({rows, heads, d}).transpose(0, 1);
  const at::Tensor folded = at::bmm(q, weights.k.view({heads, d, h})).contiguous();
  const at::Tensor offsets = onDevice(visualOffsets.data(), rows + 1, sink.options());
  at::Tensor p = at::zeros({heads, total}, sink.options().dtype(at::kFloat));
  at::Tensor mixed = at::empty({heads, rows, h}, sink.options());
  check(launch::cueAttend(elementOf(sink), folded.const_data_ptr(), x.const_data_ptr(),
                          reinterpret_cast<const std::int64_t*>(offsets.const_data_ptr()), p.data_ptr<float>(), mixed.data_ptr(),
                          static_cast<int>(heads), static_cast<int>(rows), h, total,
                          1.f / std::sqrt(static_cast<float>(d)), c10::cuda::getCurrentCUDAStream()),
        "cueRecovery");
  const at::Tensor v = weights.v.view({heads, d, h});
  const at::Tensor heard = at::bmm(mixed, v.transpose(1, 2)).transpose(0, 1).reshape({rows, h});
  if (attention) *attention = p;
  return at::linear(heard, weights.o);
}

Sampled sample(const at::Tensor& logits, std::span<const SamplerRow> rows, std::span<const std::vector<SeenToken>> seen,
               std::span<const std::int64_t> banned) {
  const c10::cuda::CUDAGuard guard(logits.device());
  const std::int64_t count = logits.size(0), vocabulary = logits.size(1);
  std::vector<launch::SampleRow> settings;
  for (const SamplerRow& row : rows)
    settings.push_back({row.temperature, row.topP, row.minP, row.repetitionPenalty, row.presencePenalty, row.frequencyPenalty,
                        row.topK, row.uniform});
  std::vector<launch::SampleSeen> tokens;
  for (std::size_t b = 0; b < seen.size(); ++b)
    for (const SeenToken& token : seen[b]) tokens.push_back({token.id, token.countInResponse, static_cast<std::int32_t>(b)});
  const at::Tensor settingsThere = onDevice(settings.data(), count, logits.options());
  const at::Tensor tokensThere = onDevice(tokens.data(), static_cast<std::int64_t>(tokens.size()), logits.options());
  const at::Tensor bannedThere = onDevice(banned.data(), static_cast<std::int64_t>(banned.size()), logits.options());
  at::Tensor work = at::empty_like(logits);
  at::Tensor ids = at::empty({count}, logits.options().dtype(at::kLong));
  at::Tensor logProbs = at::empty({count}, logits.options());
  check(launch::sample(logits.const_data_ptr<float>(), work.data_ptr<float>(),
                       static_cast<const launch::SampleRow*>(settingsThere.const_data_ptr()),
                       static_cast<const launch::SampleSeen*>(tokensThere.const_data_ptr()),
                       static_cast<std::int64_t>(tokens.size()), static_cast<const std::int64_t*>(bannedThere.const_data_ptr()),
                       static_cast<std::int64_t>(banned.size()), ids.data_ptr<std::int64_t>(), logProbs.data_ptr<float>(),
                       static_cast<int>(count), vocabulary, c10::cuda::getCurrentCUDAStream()),
        "sample");
  const at::Tensor idsHere = ids.cpu(), logProbsHere = logProbs.cpu();
  Sampled result;
  result.ids.assign(idsHere.const_data_ptr<std::int64_t>(), idsHere.const_data_ptr<std::int64_t>() + count);
  result.logProbs.assign(logProbsHere.const_data_ptr<float>(), logProbsHere.const_data_ptr<float>() + count);
  return result;
}

}  // namespace cuda
}  // namespace cuescope::kernels
