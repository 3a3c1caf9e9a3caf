// The folded form, spec 1.13: with one query a row, keys and values are never made. Per head a = W_k^T q, weights =
// softmax(a x~ / sqrt(d)), c = sum of weights x~, out = W_v c.
#include <ATen/Functions.h>

#include <cmath>

#include "engine/kernels/backends.h"

namespace cuescope::kernels::cpu {

at::Tensor cueRecovery(const at::Tensor& sink, const at::Tensor& visual, std::span<const std::int64_t> visualOffsets,
                       const CueWeights& weights, at::Tensor* attention) {
  const std::int64_t rows = sink.size(0), h = sink.size(1), heads = weights.heads, d = h / heads;
  if (attention) *attention = at::zeros({heads, visual.size(0)}, sink.options());
  at::Tensor update = at::zeros_like(sink);
  if (visual.size(0) == 0) return update;

  at::Tensor states = sink.clone(), seen = visual.clone();
  const at::Tensor s = cpu::addRmsNorm({}, states, weights.qNorm, weights.eps);   // s~ [B, h]
  const at::Tensor x = cpu::addRmsNorm({}, seen, weights.kvNorm, weights.eps);    // X~ [V, h]
  const at::Tensor q = cpu::linear(s, weights.q).view({rows, heads, d}).transpose(0, 1);        // [n, B, d]
  const at::Tensor folded = at::bmm(q, weights.k.to(at::kFloat).view({heads, d, h}));      // a [n, B, h]
  at::Tensor mixed = at::zeros({heads, rows, h}, sink.options());                          // c [n, B, h]
  for (std::int64_t b = 0; b < rows; ++b) {
    const std::int64_t begin = visualOffsets[b], count = visualOffsets[b + 1] - begin;
    if (count == 0) continue;
    const at::Tensor own = x.narrow(0, begin, count);
    const at::Tensor scores = at::mm(folded.select(1, b), own.t()) / std::sqrt(static_cast<double>(d));  // [n, N]
    const at::Tensor p = at::softmax(scores, -1);
    if (attention) attention->narrow(1, begin, count).copy_(p);
    mixed.select(1, b).copy_(at::mm(p, own));
  }
  const at::Tensor v = weights.v.to(at::kFloat).view({heads, d, h});
  const at::Tensor heard = at::bmm(mixed, v.transpose(1, 2)).transpose(0, 1).reshape({rows, h});  // [B, n d]
  // Rows without visual tokens mixed zeros, so their update is exactly zero.
  return cpu::linear(heard, weights.o);
}

}  // namespace cuescope::kernels::cpu
