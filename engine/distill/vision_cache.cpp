#include "engine/distill/vision_cache.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include "engine/core/digest.h"
#include "engine/distill/kept.h"

namespace cuescope {

VisionFeatures VisionCache::one(const Qwen3VL& model, const at::Tensor& pixels, const Grid& grid) {
  const std::int64_t shape[] = {grid.t, grid.h, grid.w, grid.video ? 1 : 0};
  const at::Tensor bytes = pixels.contiguous();
  const std::string key = Digest().add(shape, sizeof shape).add(bytes.const_data_ptr(), bytes.nbytes()).hex();
  if (auto found = m_byKey.find(key); found != m_byKey.end()) {
    ++m_hits;
    m_entries.splice(m_entries.begin(), m_entries, found->second);
    return m_entries.front().features;
  }
  ++m_misses;
  const VisionFeatures fresh = model.encodeImages(bytes, {grid});
  std::vector<at::Tensor> levels = {fresh.merged};
  levels.insert(levels.end(), fresh.deepstack.begin(), fresh.deepstack.end());
  levels = keptCopies(levels);
  Entry entry{key, {levels[0], {levels.begin() + 1, levels.end()}}, 0};
  entry.bytes = static_cast<std::int64_t>(entry.features.merged.nbytes());
  for (const auto& level : entry.features.deepstack) entry.bytes += static_cast<std::int64_t>(level.nbytes());
  m_bytes += entry.bytes;
  m_entries.push_front(entry);
  m_byKey[key] = m_entries.begin();
  while (m_bytes > m_capacity && m_entries.size() > 1) {
    m_bytes -= m_entries.back().bytes;
    m_byKey.erase(m_entries.back().key);
    m_entries.pop_back();
  }
  return entry.features;
}

void VisionCache::clear() {
  m_byKey.clear();
  m_entries.clear();
  m_bytes = 0;
}

VisionFeatures VisionCache::features(const Qwen3VL& model, std::span<const RowInput* const> rows) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> merged;
  std::vector<std::vector<at::Tensor>> deepstack;
  for (const RowInput* row : rows) {
    std::int64_t patch = 0;
    for (const Grid& grid : row->grids) {
      const std::int64_t count = grid.t * grid.h * grid.w;
      VisionFeatures item = one(model, row->pixelValues.narrow(0, patch, count), grid);
      patch += count;
      merged.push_back(item.merged);
      deepstack.resize(item.deepstack.size());
      for (std::size_t level = 0; level < item.deepstack.size(); ++level)
        deepstack[level].push_back(item.deepstack[level]);
    }
  }
  VisionFeatures all;
  if (merged.empty()) return all;
  all.merged = at::cat(merged);
  for (const auto& level : deepstack) all.deepstack.push_back(at::cat(level));
  return all;
}

}  // namespace cuescope
