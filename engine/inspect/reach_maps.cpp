#include "engine/inspect/reach_maps.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"

namespace cuescope {

RolloutProbe::RolloutProbe(const Rows& rows, const CapturePlan& plan, std::stop_token stop) : m_stop(std::move(stop)) {
  m_stack = emptyStack(Site::Rollout, plan.rollout, false);
  m_sink = rows.sinks.at(0);
  if (m_stack.empty()) return;
  m_lastLayer = *std::max_element(m_stack.layers.begin(), m_stack.layers.end());
  m_visual = rows.visualIndex.to(at::kCPU, at::kLong);
  m_reach = at::zeros({rows.tokens(), m_visual.numel()}, at::kFloat);
  m_reach.index_put_({m_visual, at::arange(m_visual.numel())}, at::ones({}, at::kFloat));
  m_next = at::empty_like(m_reach);
}

bool RolloutProbe::wants(ProbeSite site, std::int64_t layer) const {
  if (m_stop.stop_requested()) throw Cancelled();
  return layer <= m_lastLayer && (site == ProbeSite::MeanAttention || site == ProbeSite::SinkAttention);
}

void RolloutProbe::take(ProbeSite site, std::int64_t layer, std::int64_t, const at::Tensor& value) {
  if (site == ProbeSite::SinkAttention) {  // comes behind the layer's attention
    if (value.numel() == 0) return;
    const at::Tensor share = value.detach().to(at::kCPU, at::kFloat).mean(0);  // [V], of the visual tokens as they are now
    // Visual tokens are rows of m_reach too: the sink reads what has reached them.
    const at::Tensor mixed = at::matmul(share, m_reach.index_select(0, m_visual));
    m_reach.select(0, m_sink).mul_(0.5).add_(mixed, 0.5);
    return;
  }
  if (layer != m_layer) {
    keep();
    m_layer = layer;
    m_done = 0;
  }
  const at::Tensor weights = value.detach().to(at::kCPU, at::kFloat);  // [q, T]
  const std::int64_t count = weights.size(0);
  at::Tensor rows = m_next.narrow(0, m_done, count);
  at::matmul_out(rows, weights, m_reach);
  rows.add_(m_reach.narrow(0, m_done, count)).mul_(0.5);
  m_done += count;
  if (m_done == m_reach.size(0)) std::swap(m_reach, m_next);
}

void RolloutProbe::keep() {
  const std::ptrdiff_t place = m_layer < 0 ? -1 : placeOf(m_stack.layers, m_layer);
  if (place < 0) return;
  const auto keys = static_cast<std::size_t>(m_stack.keys);
  for (std::size_t q = 0; q < m_stack.queries.size(); ++q) {
    const float* row = m_reach.const_data_ptr<float>() + static_cast<std::size_t>(m_stack.queries[q]) * keys;
    std::copy_n(row, keys, m_stack.values.begin() + static_cast<std::ptrdiff_t>((q * m_stack.layers.size() + static_cast<std::size_t>(place)) * keys));
  }
}

AttentionStack RolloutProbe::rollout() {
  if (!m_stack.empty()) keep();
  m_reach.reset();
  m_next.reset();
  return std::move(m_stack);
}

VisionProbe::VisionProbe(const std::vector<Grid>& grids, std::int64_t merge, const CapturePlan& plan, std::stop_token stop)
    : m_stop(std::move(stop)), m_perToken(merge * merge) {
  m_stack = emptyStack(Site::Vision, plan.vision, false);
  std::fill(m_stack.values.begin(), m_stack.values.end(), 0.f);
  std::int64_t first = 0;
  for (const Grid& grid : grids) {
    for (std::int64_t t = 0; t < grid.t; ++t) {
      Slice slice{first, grid.h * grid.w / m_perToken, {}};
      for (std::size_t q = 0; q < m_stack.queries.size(); ++q) {
        if (m_stack.queries[q] >= first && m_stack.queries[q] < first + slice.count) slice.queries.push_back(q);
      }
      first += slice.count;
      m_slices.push_back(std::move(slice));
    }
  }
}

bool VisionProbe::wants(ProbeSite site, std::int64_t layer) const {
  if (m_stop.stop_requested()) throw Cancelled();
  if (placeOf(m_stack.layers, layer) < 0) return false;
  return site == ProbeSite::VisionReceived || (site == ProbeSite::VisionAttention && m_stack.queries.size() > 1);
}

std::vector<std::int64_t> VisionProbe::queries(std::int64_t, std::int64_t slice) const {
  const Slice& own = m_slices.at(static_cast<std::size_t>(slice));
  std::vector<std::int64_t> patches;
  for (const std::size_t q : own.queries) {
    for (std::int64_t p = 0; p < m_perToken; ++p) patches.push_back((m_stack.queries[q] - own.first) * m_perToken + p);
  }
  if (patches.empty()) patches.push_back(0);  // an empty list would mean all of them
  return patches;
}

void VisionProbe::take(ProbeSite site, std::int64_t layer, std::int64_t slice, const at::Tensor& value) {
  const Slice& own = m_slices.at(static_cast<std::size_t>(slice));
  const at::Tensor merged = value.detach().to(at::kCPU, at::kFloat).unflatten(-1, {-1, m_perToken}).sum(-1);  // keys: patches to tokens
  if (site == ProbeSite::VisionReceived) return write(0, layer, own, merged);
  for (std::size_t i = 0; i < own.queries.size(); ++i) {
    write(own.queries[i], layer, own, merged.narrow(1, static_cast<std::int64_t>(i) * m_perToken, m_perToken).mean(1));
  }
}

void VisionProbe::write(std::size_t query, std::int64_t layer, const Slice& slice, const at::Tensor& weights) {
  const at::Tensor kept = (m_stack.headsAveraged ? weights.mean(0, true) : weights).contiguous();  // [H, K]
  const auto place = static_cast<std::size_t>(placeOf(m_stack.layers, layer));
  for (std::size_t h = 0; h < static_cast<std::size_t>(m_stack.heads); ++h) {
    const std::size_t at = ((query * m_stack.layers.size() + place) * static_cast<std::size_t>(m_stack.heads) + h) * static_cast<std::size_t>(m_stack.keys);
    std::copy_n(kept.const_data_ptr<float>() + static_cast<std::int64_t>(h) * slice.count, slice.count,
                m_stack.values.begin() + static_cast<std::ptrdiff_t>(at) + slice.first);
  }
}

}  // namespace cuescope
