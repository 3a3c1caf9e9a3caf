#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include "engine/kernels/backends.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/simd.h"

namespace cuescope::kernels::cpu {
namespace {

// Threads worth waking for this many float32 operations.
int threadsFor(std::int64_t work) { return work < 32768 ? 1 : at::get_num_threads(); }

}  // namespace

at::Tensor addRmsNorm(const at::Tensor& x, at::Tensor& residual, const at::Tensor& weight, double eps) {
  const std::int64_t rows = residual.size(0), h = residual.size(1);
  const at::Tensor scale = weight.to(at::kFloat);
  at::Tensor result = at::empty_like(residual);
  const float* added = x.defined() ? x.const_data_ptr<float>() : nullptr;
  float* states = residual.data_ptr<float>();
  float* out = result.data_ptr<float>();
  const float* w = scale.const_data_ptr<float>();
  parallel(threadsFor(rows * h), [&](int worker, int workers) {
    const Share share = shareOf(rows, worker, workers);
    for (std::int64_t r = share.begin; r < share.end; ++r)
      simd().addRmsNorm(added ? added + r * h : nullptr, states + r * h, w, h, static_cast<float>(eps), out + r * h);
  });
  return result;
}

void qkNormRope(at::Tensor& q, at::Tensor& k, const at::Tensor& qWeight, const at::Tensor& kWeight, const at::Tensor& cos,
                const at::Tensor& sin, double eps) {
  const std::int64_t tokens = q.size(0), qHeads = q.size(1), kHeads = k.size(1), d = q.size(2);
  const at::Tensor qScale = qWeight.to(at::kFloat), kScale = kWeight.to(at::kFloat);
  float* queries = q.data_ptr<float>();
  float* keys = k.data_ptr<float>();
  const float *qw = qScale.const_data_ptr<float>(), *kw = kScale.const_data_ptr<float>();
  const float *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
  const auto e = static_cast<float>(eps);
  parallel(threadsFor(tokens * (qHeads + kHeads) * d), [&](int worker, int workers) {
    const Share share = shareOf(tokens, worker, workers);
    for (std::int64_t t = share.begin; t < share.end; ++t) {
      for (std::int64_t j = 0; j < qHeads; ++j) simd().headNormRope(queries + (t * qHeads + j) * d, qw, c + t * d, s + t * d, d, e);
      for (std::int64_t j = 0; j < kHeads; ++j) simd().headNormRope(keys + (t * kHeads + j) * d, kw, c + t * d, s + t * d, d, e);
    }
  });
}

}  // namespace cuescope::kernels::cpu
