#include "engine/inspect/attention_maps.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "engine/core/failure.h"

namespace cuescope {

std::vector<int> layersWithinBudget(std::int64_t layers, std::int64_t queries, std::int64_t heads, std::int64_t keys,
                                    std::int64_t budgetBytes, bool* averaged) {
  const std::int64_t oneHead = queries * keys * static_cast<std::int64_t>(sizeof(float));
  *averaged = heads > 1 && oneHead * heads * layers > budgetBytes;
  const std::int64_t perLayer = std::max<std::int64_t>(1, oneHead * (*averaged ? 1 : heads));
  const std::int64_t count = std::min(layers, budgetBytes / perLayer);
  std::vector<int> chosen;
  for (std::int64_t i = 0; i < count; ++i) {
    chosen.push_back(static_cast<int>(count == 1 ? layers - 1 : std::lround(static_cast<double>(i) * static_cast<double>(layers - 1) / static_cast<double>(count - 1))));
  }
  return chosen;
}

MapProbe::MapProbe(const Qwen3VLConfig& config, const Rows& rows, std::int64_t promptLength, std::int64_t budgetBytes) {
  if (rows.count() != 1) throw Error("Attention maps are made of one row at a time", "inspection");
  for (std::int64_t position = promptLength - 1; position + 1 < rows.tokens(); ++position) m_queries.push_back(position);
  m_sink = rows.sinks.at(0);
  m_cue.site = Site::CueRecovery;
  m_self.site = Site::SelfAttention;

  m_visual = rows.visualIndex.defined() ? rows.visualIndex.to(at::kCPU, at::kLong) : at::empty({0}, at::kLong);
  m_self.keys = m_cue.keys = static_cast<int>(m_visual.numel());
  at::Tensor text = at::ones({rows.tokens()}, at::kBool);
  text.index_fill_(0, m_visual, false);
  text[m_sink] = false;
  m_text = text.nonzero().flatten();

  if (m_self.keys == 0 || m_queries.empty()) return;
  m_self.layers = layersWithinBudget(config.text.layers, static_cast<std::int64_t>(m_queries.size()), config.text.heads, m_self.keys,
                                     budgetBytes, &m_self.headsAveraged);
  if (m_self.layers.empty()) return;
  m_self.heads = m_self.headsAveraged ? 1 : static_cast<int>(config.text.heads);
  m_self.queries.assign(m_queries.begin(), m_queries.end());
  const std::size_t places = m_queries.size() * m_self.layers.size() * static_cast<std::size_t>(m_self.heads);
  m_self.values.assign(places * static_cast<std::size_t>(m_self.keys), kNotComputed);
  m_self.textShare.assign(places, kNotComputed);
  m_self.sinkShare.assign(places, kNotComputed);
}

bool MapProbe::wants(ProbeSite site, std::int64_t layer) const {
  if (site == ProbeSite::SinkAttention) return m_cue.keys > 0;
  if (site == ProbeSite::Attention) return std::find(m_self.layers.begin(), m_self.layers.end(), layer) != m_self.layers.end();
  return false;
}

void MapProbe::take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) {
  if (site == ProbeSite::Attention) return takeAttention(layer, value);
  if (site != ProbeSite::SinkAttention || value.numel() == 0) return;
  const at::Tensor weights = value.detach().to(at::kCPU, at::kFloat).contiguous();  // [n, V]
  m_cue.heads = static_cast<int>(weights.size(0));
  m_cue.layers.push_back(static_cast<int>(layer));
  m_cueLayers.emplace_back(weights.const_data_ptr<float>(), weights.const_data_ptr<float>() + weights.numel());
}

void MapProbe::takeAttention(std::int64_t layer, const at::Tensor& value) {
  at::Tensor weights = value.detach();  // [H, Q, K]
  if (m_self.headsAveraged) weights = weights.to(at::kFloat).mean(0, true);
  const auto device = weights.device();
  // Reduced on the device; one copy of what is kept.
  const at::Tensor visual = weights.index_select(2, m_visual.to(device)).transpose(0, 1).to(at::kCPU, at::kFloat).contiguous();    // [Q, H, V]
  const at::Tensor text = weights.index_select(2, m_text.to(device)).to(at::kFloat).sum(2).transpose(0, 1).to(at::kCPU).contiguous();  // [Q, H]
  const at::Tensor sink = weights.select(2, m_sink).transpose(0, 1).to(at::kCPU, at::kFloat).contiguous();                         // [Q, H]
  const auto at = static_cast<std::size_t>(std::find(m_self.layers.begin(), m_self.layers.end(), layer) - m_self.layers.begin());
  const auto heads = static_cast<std::size_t>(m_self.heads), keys = static_cast<std::size_t>(m_self.keys);
  for (std::size_t q = 0; q < m_queries.size(); ++q) {
    const std::size_t place = (q * m_self.layers.size() + at) * heads;
    std::copy_n(visual.const_data_ptr<float>() + q * heads * keys, heads * keys, m_self.values.begin() + static_cast<std::ptrdiff_t>(place * keys));
    std::copy_n(text.const_data_ptr<float>() + q * heads, heads, m_self.textShare.begin() + static_cast<std::ptrdiff_t>(place));
    std::copy_n(sink.const_data_ptr<float>() + q * heads, heads, m_self.sinkShare.begin() + static_cast<std::ptrdiff_t>(place));
  }
}

AttentionStack MapProbe::cueRecovery() {
  if (!m_cueLayers.empty()) m_cue.queries = {static_cast<int>(m_sink)};
  for (const auto& layer : m_cueLayers) m_cue.values.insert(m_cue.values.end(), layer.begin(), layer.end());
  m_cueLayers.clear();
  return std::move(m_cue);
}

AttentionStack MapProbe::selfAttention() { return std::move(m_self); }

}  // namespace cuescope
