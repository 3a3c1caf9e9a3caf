// The CUDA entry points of an engine pack that was built without nvcc.
#include "engine/core/failure.h"
#include "engine/kernels/backends.h"
#include "engine/kernels/cuda_devices.h"

namespace cuescope::kernels {
namespace {

[[noreturn]] void refuse(const char* kernel) {
  throw Error("This engine pack has no CUDA code", kernel, "it was built without nvcc",
              "Run on the CPU (--device cpu), or build the CUDA engine pack and install it beside this one.");
}

}  // namespace

bool hasCuda() { return false; }
std::vector<CudaDevice> cudaDevices() { return {}; }

namespace cuda {

at::Tensor cueRecovery(const at::Tensor&, const at::Tensor&, std::span<const std::int64_t>, const CueWeights&, at::Tensor*) {
  refuse("cueRecovery");
}
at::Tensor addRmsNorm(const at::Tensor&, at::Tensor&, const at::Tensor&, double) { refuse("addRmsNorm"); }
void qkNormRope(at::Tensor&, at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, double) {
  refuse("qkNormRope");
}
at::Tensor linear(const at::Tensor&, const at::Tensor&) { refuse("linear"); }
Sampled sample(const at::Tensor&, std::span<const SamplerRow>, std::span<const std::vector<SeenToken>>,
               std::span<const std::int64_t>) {
  refuse("sample");
}

}  // namespace cuda
}  // namespace cuescope::kernels
