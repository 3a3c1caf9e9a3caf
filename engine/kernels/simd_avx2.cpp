// simd.h for AVX2 and FMA.
#include "engine/kernels/simd.h"

namespace cuescope::kernels {
namespace {
constexpr int kBytes = 32;
#include "engine/kernels/simd_body.h"
}  // namespace

const Simd kSimdAvx2 = {"avx2", linearF32, linearBf16, addRmsNorm, headNormRope, attend, attendBf16, siluMul, largest, expSum};

}  // namespace cuescope::kernels
