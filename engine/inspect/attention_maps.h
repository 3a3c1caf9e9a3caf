// MapProbe: collects what one look at one row shows: cue recovery maps of every injection layer and head, and for every response
// token the attention of the position that predicts it, at every layer and head, to the row's visual tokens, its text and its
// sink. Made for one forward pass over one row; engine thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/model/probe.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"

namespace cuescope {

class MapProbe : public Probe {
 public:
  /// `rows` holds the one row, prompt and response. Queries are the positions promptLength - 1 … length - 2, which predict the
  /// response. Heads are averaged when all of them would take more than `budgetBytes`; if even that is too much, layers are left
  /// out evenly. No queries or no visual tokens: no self-attention.
  MapProbe(const Qwen3VLConfig& config, const Rows& rows, std::int64_t promptLength, std::int64_t budgetBytes);

  bool wants(ProbeSite site, std::int64_t layer) const override;
  std::vector<std::int64_t> queries(std::int64_t layer, std::int64_t row) const override { return m_queries; }
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override;

  /// Call once, after the pass. Cue recovery is empty when the module is not there or the row has no visual tokens.
  AttentionStack cueRecovery();
  AttentionStack selfAttention();

 private:
  void takeAttention(std::int64_t layer, const at::Tensor& weights);

  std::vector<std::int64_t> m_queries;
  std::int64_t m_sink = 0;
  at::Tensor m_visual, m_text;  // int64 positions within the row
  AttentionStack m_cue, m_self;
  std::vector<std::vector<float>> m_cueLayers;
};

/// Layers whose self-attention fits: all of `layers`, or as many as fit, first and last included. `averaged` is set when heads
/// must be averaged.
std::vector<int> layersWithinBudget(std::int64_t layers, std::int64_t queries, std::int64_t heads, std::int64_t keys,
                                    std::int64_t budgetBytes, bool* averaged);

}  // namespace cuescope
