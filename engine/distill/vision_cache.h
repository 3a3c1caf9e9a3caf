// VisionCache: features of a frozen vision tower, kept by the content of the image, so that epochs after the first do
// not run the tower again (spec 7-C). Each image is encoded alone: its features then do not depend on what else was
// missing at the time, and a resumed run computes the same bits. Owned by the run, one for each model; engine thread.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <unordered_map>

#include "engine/model/qwen3_vl.h"

namespace cuescope {

class VisionCache {
 public:
  static constexpr std::int64_t kCapacity = std::int64_t{512} << 20;  // bytes

  explicit VisionCache(std::int64_t capacityBytes = kCapacity) : m_capacity(capacityBytes) {}

  /// Features of all images of `rows`, in order, on the model's device. No gradient. Empty (undefined) when there is no
  /// image.
  VisionFeatures features(const Qwen3VL& model, std::span<const RowInput* const> rows);
  /// Forgets everything: memory is short.
  void clear();
  std::int64_t bytes() const { return m_bytes; }
  std::int64_t hits() const { return m_hits; }
  std::int64_t misses() const { return m_misses; }

 private:
  struct Entry {
    std::string key;
    VisionFeatures features;
    std::int64_t bytes = 0;
  };
  VisionFeatures one(const Qwen3VL& model, const at::Tensor& pixels, const Grid& grid);

  std::int64_t m_capacity, m_bytes = 0, m_hits = 0, m_misses = 0;
  std::list<Entry> m_entries;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> m_byKey;
};

}  // namespace cuescope
