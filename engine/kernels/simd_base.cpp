// simd.h for what every machine has.
#include "engine/kernels/simd.h"

namespace cuescope::kernels {
namespace {
constexpr int kBytes = 16;
#include "engine/kernels/simd_body.h"
}  // namespace

const Simd kSimdBase = {"base", linearF32, linearBf16, addRmsNorm, headNormRope, attend, attendBf16, siluMul, largest, expSum};

}  // namespace cuescope::kernels
