#include "engine/inspect/logit_lens.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"
#include "engine/model/text_decoder.h"

namespace cuescope {

LensProbe::LensProbe(const Qwen3VL& model, const Rows& row, const CapturePlan& plan, std::stop_token stop) : m_model(model), m_stop(std::move(stop)) {
  m_visual = row.visualIndex.to(at::kCPU, at::kLong);
  m_map = emptyStack(Site::LogitLens, plan.lensMap, false);
  const auto* ids = row.inputIds.const_data_ptr<std::int64_t>();
  const auto& config = model.config();
  const auto nextId = [&](int position) -> std::int64_t {
    if (position + 1 >= row.tokens()) return -1;
    const std::int64_t id = ids[position + 1];
    return id == config.imageToken || id == config.videoToken ? -1 : id;
  };
  if (m_map.empty() == false) {
    for (const int query : m_map.queries) m_mapIds.push_back(nextId(query));
  }
  if (plan.lensLayers.empty() || plan.lensPositions.empty()) return;
  m_lens.layers = plan.lensLayers;
  m_lens.positions = plan.lensPositions;
  m_lens.top = plan.lensTop;
  for (const int position : m_lens.positions) m_lens.chosenIds.push_back(nextId(position));
  const std::size_t places = m_lens.layers.size() * m_lens.positions.size();
  m_lens.ids.assign(places * static_cast<std::size_t>(m_lens.top), -1);
  m_lens.logProbs.assign(places * static_cast<std::size_t>(m_lens.top), kNotComputed);
  m_lens.chosen.assign(places, kNotComputed);
  m_lens.entropy.assign(places, kNotComputed);
  m_positions = at::tensor(std::vector<std::int64_t>(m_lens.positions.begin(), m_lens.positions.end()), at::kLong);
}

bool LensProbe::wants(ProbeSite site, std::int64_t layer) const {
  if (m_stop.stop_requested()) throw Cancelled();
  return site == ProbeSite::Hidden && (placeOf(m_lens.layers, layer) >= 0 || placeOf(m_map.layers, layer) >= 0);
}

at::Tensor LensProbe::read(const at::Tensor& states) const {
  return at::log_softmax(m_model.logits(m_model.text().finalNorm().forward(states)).to(at::kCPU, at::kFloat), -1);
}

void LensProbe::take(ProbeSite, std::int64_t layer, std::int64_t, const at::Tensor& value) {
  const at::NoGradGuard noGrad;
  const std::int64_t piece = std::max<std::int64_t>(1, kLogitBytes / (m_model.config().text.vocabulary * static_cast<std::int64_t>(sizeof(float))));
  if (const auto place = placeOf(m_lens.layers, layer); place >= 0) {
    const std::int64_t count = m_positions.numel(), top = m_lens.top;
    for (std::int64_t begin = 0; begin < count; begin += piece) {
      if (m_stop.stop_requested()) throw Cancelled();
      const std::int64_t size = std::min(piece, count - begin);
      const at::Tensor logProbs = read(value.index_select(0, m_positions.narrow(0, begin, size).to(value.device())));
      const auto [best, ids] = logProbs.topk(top);
      const at::Tensor p = logProbs.exp();
      const at::Tensor entropy = -at::where(p.gt(0), p * logProbs, at::zeros({}, p.options())).sum(-1);
      const at::Tensor values = best.contiguous(), indexes = ids.contiguous();
      const std::size_t at = m_lens.at(static_cast<std::size_t>(place), static_cast<std::size_t>(begin));
      std::copy_n(values.const_data_ptr<float>(), size * top, m_lens.logProbs.begin() + static_cast<std::ptrdiff_t>(at) * top);
      std::copy_n(indexes.const_data_ptr<std::int64_t>(), size * top, m_lens.ids.begin() + static_cast<std::ptrdiff_t>(at) * top);
      for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t id = m_lens.chosenIds[static_cast<std::size_t>(begin + i)];
        if (id >= 0) m_lens.chosen[at + static_cast<std::size_t>(i)] = logProbs[i][id].item<float>();
        m_lens.entropy[at + static_cast<std::size_t>(i)] = entropy[i].item<float>();
      }
    }
  }
  const auto place = placeOf(m_map.layers, layer);
  if (place < 0) return;
  const std::int64_t keys = m_map.keys;
  const at::Tensor chosen = at::tensor(m_mapIds, at::kLong);
  for (std::int64_t begin = 0; begin < keys; begin += piece) {
    if (m_stop.stop_requested()) throw Cancelled();
    const std::int64_t size = std::min(piece, keys - begin);
    const at::Tensor shares = read(value.index_select(0, m_visual.narrow(0, begin, size).to(value.device()))).index_select(1, chosen).exp().t().contiguous();  // [Q, n]
    for (std::size_t q = 0; q < m_map.queries.size(); ++q) {
      const std::size_t at = (q * m_map.layers.size() + static_cast<std::size_t>(place)) * static_cast<std::size_t>(keys) + static_cast<std::size_t>(begin);
      std::copy_n(shares.const_data_ptr<float>() + static_cast<std::int64_t>(q) * size, size, m_map.values.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
}

LogitLens LensProbe::lens(const Tokenizer* tokenizer) {
  for (const std::int64_t id : m_lens.ids) m_lens.texts.push_back(tokenizer ? tokenizer->bytes(id) : std::string());
  return std::move(m_lens);
}

}  // namespace cuescope
