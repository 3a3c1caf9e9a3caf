// simd.h for AVX-512 (F, BW, VL, DQ).
#include "engine/kernels/simd.h"

namespace cuescope::kernels {
namespace {
constexpr int kBytes = 64;
#include "engine/kernels/simd_body.h"
}  // namespace

const Simd kSimdAvx512 = {"avx512", linearF32, linearBf16, addRmsNorm, headNormRope, attend, attendBf16, siluMul, largest, expSum};

}  // namespace cuescope::kernels
