// PromptCache: keys and values of a frozen teacher's prompts, kept by content (ids, grids, pixels), so that an epoch after the first
// reads responses alone (spec 7-C). Safe for a model without cue recovery as for one with it: a prompt is kept whole, with its
// pictures. Each prompt is computed alone, so what is kept does not depend on what else was missing, and a resumed run computes the
// same bits. Owned by a Teacher; engine thread.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <unordered_map>

#include "engine/distill/response_rows.h"
#include "engine/distill/vision_cache.h"
#include "engine/model/kv_cache.h"

namespace cuescope {

class PromptCache {
 public:
  /// Prompts shorter than this cost less in one packed pass with their responses than a pass over kept keys.
  static constexpr std::size_t kShortestKept = 256;

  static constexpr std::int64_t kCapacity = std::int64_t{512} << 20;  // bytes

  explicit PromptCache(const Qwen3VL& model, std::int64_t capacityBytes = kCapacity);

  /// The states that predict the response tokens, in order, [sum R, h]: those of a pass over prompts and responses. No gradient.
  /// `vision` may be null: then the tower runs for every prompt that is missing.
  at::Tensor predicting(std::span<const RowInput* const> prompts, std::span<const TokenIds* const> responses, VisionCache* vision);

  std::int64_t bytes() const { return m_bytes; }
  std::int64_t hits() const { return m_hits; }
  std::int64_t misses() const { return m_misses; }

 private:
  struct Entry {
    std::string key;
    std::int64_t row = -1, bytes = 0;
    at::Tensor last;  // [1, h], the state of the prompt's last token
  };
  const Entry& entryOf(const RowInput& prompt, VisionCache* vision);

  const Qwen3VL& m_model;
  KvCache m_cache;
  std::int64_t m_capacity, m_bytes = 0, m_hits = 0, m_misses = 0;
  std::list<Entry> m_entries;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> m_byKey;
};

}  // namespace cuescope
