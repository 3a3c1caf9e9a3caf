#include "engine/model/cue_recovery.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>

#include <cmath>

namespace cuescope {

CueRoutes CueRoutes::of(const Rows& rows, const at::Device& device) {
  CueRoutes out;
  out.offsets = {0};
  std::vector<std::int64_t> sinks, visual;
  const auto* index = rows.visualIndex.const_data_ptr<std::int64_t>();
  for (std::int64_t r = 0; r < rows.count(); ++r) {
    const std::int64_t begin = rows.visualOffsets[static_cast<std::size_t>(r)],
                       end = rows.visualOffsets[static_cast<std::size_t>(r) + 1];
    if (rows.sinks[static_cast<std::size_t>(r)] < 0 || begin == end) continue;
    out.rows.push_back(r);
    sinks.push_back(rows.sinks[static_cast<std::size_t>(r)]);
    visual.insert(visual.end(), index + begin, index + end);
    out.offsets.push_back(static_cast<std::int64_t>(visual.size()));
  }
  out.sinks = at::tensor(sinks, at::kLong).to(device);
  out.visual = at::tensor(visual, at::kLong).to(device);
  return out;
}

CueRecovery::CueRecovery(std::int64_t hidden, std::int64_t heads, const at::TensorOptions& options) : m_heads(heads) {
  q = register_module("q_proj", std::make_shared<Linear>(hidden, hidden, false, options));
  k = register_module("k_proj", std::make_shared<Linear>(hidden, hidden, false, options));
  v = register_module("v_proj", std::make_shared<Linear>(hidden, hidden, false, options));
  o = register_module("o_proj", std::make_shared<Linear>(hidden, hidden, false, options));
}

at::Tensor CueRecovery::update(const at::Tensor& states, const CueRoutes& routes, const RmsNorm& qNorm,
                               const RmsNorm& kvNorm, bool plain, at::Tensor* attention) const {
  // In mixed precision the projections of the query and of the result run narrow, what lies between in the states' type.
  const at::Tensor query = q->forward(qNorm.forward(states.index_select(0, routes.sinks))).to(states.scalar_type());  // [B, h]
  const at::Tensor keys = kvNorm.forward(states.index_select(0, routes.visual));                                      // [V, h]
  return o->forward(plain ? plainUpdate(query, keys, routes, attention) : foldedUpdate(query, keys, routes, attention)).to(states.scalar_type());
}

at::Tensor CueRecovery::plainUpdate(const at::Tensor& query, const at::Tensor& keys, const CueRoutes& routes,
                                    at::Tensor* attention) const {
  const std::int64_t size = query.size(1) / m_heads;
  const at::Tensor heads = query.view({-1, m_heads, size});                 // [B, n, d]
  const at::Tensor projected = k->forward(keys).to(keys.scalar_type()).view({-1, m_heads, size});  // [V, n, d]
  const at::Tensor values = v->forward(keys).to(keys.scalar_type()).view({-1, m_heads, size});     // [V, n, d]
  std::vector<at::Tensor> outputs, weights;
  for (std::size_t b = 0; b < routes.rows.size(); ++b) {
    const std::int64_t begin = routes.offsets[b], count = routes.offsets[b + 1] - begin;
    const at::Tensor rowKeys = projected.narrow(0, begin, count).permute({1, 2, 0});  // [n, d, N]
    const at::Tensor scores = at::matmul(heads.select(0, static_cast<std::int64_t>(b)).unsqueeze(1), rowKeys) /
                              std::sqrt(static_cast<double>(size));
    const at::Tensor share = at::softmax(scores, -1, wideType(scores.scalar_type()));  // [n, 1, N]
    if (attention) weights.push_back(share.detach().squeeze(1));
    outputs.push_back(
        at::matmul(share.to(values.scalar_type()), values.narrow(0, begin, count).transpose(0, 1)).reshape({-1}));
  }
  if (attention) *attention = at::cat(weights, 1);
  return at::stack(outputs);
}

// Per head: a = W_k^T q, score_i = a . x_i / sqrt(d), c = sum_i softmax_i x_i, out = W_v c.
at::Tensor CueRecovery::foldedUpdate(const at::Tensor& query, const at::Tensor& keys, const CueRoutes& routes,
                                     at::Tensor* attention) const {
  const std::int64_t hidden = query.size(1), size = hidden / m_heads;
  const auto perHead = [&](const at::Tensor& weight) {
    return weight.to(query.scalar_type()).view({m_heads, size, hidden});
  };
  // One row at a time in mixed precision: the library's sums then do not depend on how many rows there are.
  const auto product = [&](const at::Tensor& rows, const at::Tensor& weight) {  // [n, B, .] x [n, ., .]
    if (!k->narrow.defined() || rows.size(1) == 1) return at::bmm(rows, weight);
    std::vector<at::Tensor> each;
    for (std::int64_t b = 0; b < rows.size(1); ++b) each.push_back(at::bmm(rows.narrow(1, b, 1), weight));
    return at::cat(each, 1);
  };
  const at::Tensor heads = query.view({-1, m_heads, size}).transpose(0, 1);  // [n, B, d]
  const at::Tensor folded =
      (product(heads, perHead(k->weight)) / std::sqrt(static_cast<double>(size))).transpose(0, 1);  // [B, n, h]
  std::vector<at::Tensor> contexts, weights;
  for (std::size_t b = 0; b < routes.rows.size(); ++b) {
    const at::Tensor x = keys.narrow(0, routes.offsets[b], routes.offsets[b + 1] - routes.offsets[b]);  // [N, h]
    const at::Tensor share = at::softmax(at::matmul(folded.select(0, static_cast<std::int64_t>(b)), x.t()), -1,
                                         wideType(x.scalar_type()));  // [n, N]
    if (attention) weights.push_back(share.detach());
    contexts.push_back(at::matmul(share.to(x.scalar_type()), x));  // [n, h]
  }
  if (attention) *attention = at::cat(weights, 1);
  const at::Tensor context = at::stack(contexts, 1);  // [n, B, h]
  return product(context, perHead(v->weight).transpose(1, 2)).transpose(0, 1).reshape({-1, hidden});
}

}  // namespace cuescope
