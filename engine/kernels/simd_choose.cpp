#include "engine/kernels/simd.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace cuescope::kernels {

const Simd* simdNamed(const char* name) {
#if defined(__x86_64__)
  if (!std::strcmp(name, "avx512"))
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq")
               ? &kSimdAvx512
               : nullptr;
  if (!std::strcmp(name, "avx2"))
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kSimdAvx2 : nullptr;
#endif
  return std::strcmp(name, "base") ? nullptr : &kSimdBase;
}

const Simd& simd() {
  static const Simd& chosen = []() -> const Simd& {
    if (const char* asked = std::getenv("CUESCOPE_SIMD"))
      if (const Simd* found = simdNamed(asked)) return *found;
    for (const char* name : {"avx512", "avx2"})
      if (const Simd* found = simdNamed(name)) return *found;
    return kSimdBase;
  }();
  return chosen;
}

}  // namespace cuescope::kernels
