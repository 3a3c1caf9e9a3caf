// The inner loops of the CPU kernels on raw pointers, compiled three times (AVX-512, AVX2 with FMA, what every x86-64 or other
// machine has) and chosen once at run time. All arithmetic is float32. No torch here: these files may not share inline
// functions with the rest of the program, because they are built for processors the rest must not assume.
#pragma once

#include <cstdint>

namespace cuescope::kernels {

/// Keys and values of the first tokens, which several rows may read.
struct AttendPrefix {
  const float *keys, *values;
  std::int64_t length;  // 0: none
};

struct Simd {
  const char* name;

  /// y[n, o] = sum_i x[n, i] w[o, i] for o in [begin, end) and n in [0, rows). Strides in elements; w is [.., in], dense.
  void (*linearF32)(const float* x, std::int64_t xStride, std::int64_t rows, const float* w, std::int64_t in, std::int64_t begin,
                    std::int64_t end, float* y, std::int64_t yStride);
  /// The same with bfloat16 weights (their upper half of a float32), widened on the way.
  void (*linearBf16)(const float* x, std::int64_t xStride, std::int64_t rows, const std::uint16_t* w, std::int64_t in,
                     std::int64_t begin, std::int64_t end, float* y, std::int64_t yStride);

  /// residual += x (x may be null), y = residual / rms(residual) * weight. All [h].
  void (*addRmsNorm)(const float* x, float* residual, const float* weight, std::int64_t h, float eps, float* y);

  /// One head in place: RMSNorm over d, times weight, then rotate-half with cos, sin [d].
  void (*headNormRope)(float* head, const float* weight, const float* cos, const float* sin, std::int64_t d, float eps);

  /// Attention of `group` query heads that share one key head over `length` tokens, softmax computed on the way.
  /// The first prefix.length of them, a multiple of kAttendChunk, lie elsewhere: the sums are the same bit for bit.
  /// q, out [group, d] dense; keys and values at token * stride. scratch: at least group * kAttendChunk floats.
  void (*attend)(const float* q, std::int64_t group, const AttendPrefix& prefix, const float* keys, const float* values,
                 std::int64_t stride, std::int64_t length, std::int64_t d, float scale, float* out, float* scratch);

  /// The same over bfloat16 keys and values, each with a stride of its own. Arithmetic stays float32. Of each head also the largest
  /// score and the sum of exp(score - largest).
  void (*attendBf16)(const float* q, std::int64_t group, const std::uint16_t* keys, std::int64_t keyStride, const std::uint16_t* values,
                     std::int64_t valueStride, std::int64_t length, std::int64_t d, float scale, float* out, float* scratch, float* largest,
                     float* mass);

  /// gate = silu(gate) * up, n values.
  void (*siluMul)(float* gate, const float* up, std::int64_t n);

  /// Largest value of x[0, n).
  float (*largest)(const float* x, std::int64_t n);
  /// sum of exp(scale * (x - shift)); out, if given, gets the terms.
  double (*expSum)(const float* x, std::int64_t n, float shift, float scale, float* out);
};

inline constexpr std::int64_t kAttendChunk = 64;

/// The best version this processor can run. CUESCOPE_SIMD=avx2 or base in the environment asks for less (tests, bug reports).
const Simd& simd();
/// By name ("avx512", "avx2", "base"); null when this processor cannot run it.
const Simd* simdNamed(const char* name);

// Defined by the three files; use simd() instead.
extern const Simd kSimdBase;
extern const Simd kSimdAvx2;
extern const Simd kSimdAvx512;

}  // namespace cuescope::kernels
