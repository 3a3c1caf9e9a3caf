#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include "engine/kernels/backends.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/simd.h"

namespace cuescope::kernels::cpu {
namespace {

// Above this many rows the product is bound by arithmetic, and the matrix library's blocking wins.
constexpr std::int64_t kSkinnyRows = 16;

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  const bool bf16 = weight.scalar_type() == at::kBFloat16;
  if (rows > kSkinnyRows) return at::linear(x, bf16 ? weight.to(at::kFloat) : weight);
  at::Tensor result = at::empty({rows, out}, x.options());
  const float* from = x.const_data_ptr<float>();
  float* to = result.data_ptr<float>();
  const int threads = in * out < 32768 ? 1 : at::get_num_threads();
  parallel(threads, [&](int worker, int workers) {
    const Share share = shareOf(out, worker, workers, 16);  // a cache line of the result belongs to one worker
    if (bf16)
      simd().linearBf16(from, in, rows, reinterpret_cast<const std::uint16_t*>(weight.const_data_ptr()), in, share.begin, share.end,
                        to, out);
    else
      simd().linearF32(from, in, rows, weight.const_data_ptr<float>(), in, share.begin, share.end, to, out);
  });
  return result;
}

}  // namespace cuescope::kernels::cpu
