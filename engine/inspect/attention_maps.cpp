#include "engine/inspect/attention_maps.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "engine/core/failure.h"

namespace cuescope {

std::ptrdiff_t placeOf(const std::vector<int>& layers, std::int64_t layer) {
  const auto found = std::find(layers.begin(), layers.end(), layer);
  return found == layers.end() ? -1 : found - layers.begin();
}

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

AttentionStack emptyStack(Site site, const StackPlan& plan, bool shares) {
  AttentionStack stack;
  stack.site = site;
  if (!plan.wanted()) {
    stack.keys = plan.keys;
    return stack;
  }
  stack.layers = plan.layers;
  stack.queries = plan.queries;
  stack.heads = plan.heads;
  stack.keys = plan.keys;
  stack.headsAveraged = plan.averaged;
  const auto places = static_cast<std::size_t>(plan.places());
  stack.values.assign(places * static_cast<std::size_t>(plan.keys), kNotComputed);
  if (shares) {
    stack.textShare.assign(places, kNotComputed);
    stack.sinkShare.assign(places, kNotComputed);
  }
  return stack;
}

bool StopProbe::wants(ProbeSite, std::int64_t) const {
  if (m_stop.stop_requested()) throw Cancelled();
  return false;
}

MapProbe::MapProbe(const Rows& rows, const CapturePlan& plan, std::stop_token stop) : m_stop(std::move(stop)) {
  if (rows.count() != 1) throw Error("Attention maps are made of one row at a time", "inspection");
  m_sink = rows.sinks.at(0);
  m_visual = rows.visualIndex.defined() ? rows.visualIndex.to(at::kCPU, at::kLong) : at::empty({0}, at::kLong);
  at::Tensor text = at::ones({rows.tokens()}, at::kBool);
  text.index_fill_(0, m_visual, false);
  text[m_sink] = false;
  m_text = text.nonzero().flatten();
  m_wantsCue = plan.cue.wanted();
  m_cue.site = Site::CueRecovery;
  m_cue.keys = static_cast<int>(m_visual.numel());
  m_self = emptyStack(Site::SelfAttention, plan.self, true);
  m_prompt = emptyStack(Site::SelfAttention, plan.prompt, true);
}

bool MapProbe::wants(ProbeSite site, std::int64_t layer) const {
  if (m_stop.stop_requested()) throw Cancelled();
  if (site == ProbeSite::SinkAttention) return m_wantsCue;
  if (site == ProbeSite::Attention) return placeOf(m_self.layers, layer) >= 0 || placeOf(m_prompt.layers, layer) >= 0;
  return false;
}

std::vector<std::int64_t> MapProbe::queries(std::int64_t, std::int64_t) const {
  std::vector<std::int64_t> all(m_prompt.queries.begin(), m_prompt.queries.end());
  all.insert(all.end(), m_self.queries.begin(), m_self.queries.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void MapProbe::take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) {
  if (site == ProbeSite::Attention) {
    const std::vector<std::int64_t> positions = queries(layer, row);
    fill(m_self, layer, positions, value);
    fill(m_prompt, layer, positions, value);
    return;
  }
  if (site != ProbeSite::SinkAttention || value.numel() == 0) return;
  const at::Tensor weights = value.detach().to(at::kCPU, at::kFloat).contiguous();  // [n, V]
  m_cue.heads = static_cast<int>(weights.size(0));
  m_cue.layers.push_back(static_cast<int>(layer));
  m_cueLayers.emplace_back(weights.const_data_ptr<float>(), weights.const_data_ptr<float>() + weights.numel());
}

void MapProbe::fill(AttentionStack& stack, std::int64_t layer, const std::vector<std::int64_t>& positions, const at::Tensor& value) {
  const std::ptrdiff_t found = placeOf(stack.layers, layer);
  if (found < 0) return;
  std::vector<std::int64_t> rows;  // of `value`
  for (const int query : stack.queries) rows.push_back(std::lower_bound(positions.begin(), positions.end(), query) - positions.begin());
  const auto device = value.device();
  at::Tensor weights = value.detach();  // [H, Q, K]
  if (rows.size() != positions.size()) weights = weights.index_select(1, at::tensor(rows, at::kLong).to(device));
  if (stack.headsAveraged) weights = weights.to(at::kFloat).mean(0, true);
  // Reduced on the device; one copy of what is kept.
  const at::Tensor visual = weights.index_select(2, m_visual.to(device)).transpose(0, 1).to(at::kCPU, at::kFloat).contiguous();    // [Q, H, V]
  const at::Tensor text = weights.index_select(2, m_text.to(device)).to(at::kFloat).sum(2).transpose(0, 1).to(at::kCPU).contiguous();  // [Q, H]
  const at::Tensor sink = weights.select(2, m_sink).transpose(0, 1).to(at::kCPU, at::kFloat).contiguous();                         // [Q, H]
  const auto at = static_cast<std::size_t>(found);
  const auto heads = static_cast<std::size_t>(stack.heads), keys = static_cast<std::size_t>(stack.keys);
  for (std::size_t q = 0; q < stack.queries.size(); ++q) {
    const std::size_t place = (q * stack.layers.size() + at) * heads;
    std::copy_n(visual.const_data_ptr<float>() + q * heads * keys, heads * keys, stack.values.begin() + static_cast<std::ptrdiff_t>(place * keys));
    std::copy_n(text.const_data_ptr<float>() + q * heads, heads, stack.textShare.begin() + static_cast<std::ptrdiff_t>(place));
    std::copy_n(sink.const_data_ptr<float>() + q * heads, heads, stack.sinkShare.begin() + static_cast<std::ptrdiff_t>(place));
  }
}

AttentionStack MapProbe::cueRecovery() {
  if (!m_cueLayers.empty()) m_cue.queries = {static_cast<int>(m_sink)};
  for (const auto& layer : m_cueLayers) m_cue.values.insert(m_cue.values.end(), layer.begin(), layer.end());
  m_cueLayers.clear();
  return std::move(m_cue);
}

}  // namespace cuescope
