// The GPUs that this process sees. Used by `doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cuescope::kernels {

struct CudaDevice {
  std::string name;                  // "NVIDIA H100 80GB HBM3"
  std::int64_t freeBytes = 0, totalBytes = 0;
  int major = 0, minor = 0;          // compute capability
};
/// Empty without CUDA code or without a device. A device that does not answer has its reason for a name and no memory.
std::vector<CudaDevice> cudaDevices();

}  // namespace cuescope::kernels
