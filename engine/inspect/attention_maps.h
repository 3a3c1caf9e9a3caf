// MapProbe: collects what one pass over one row shows as it goes by: cue recovery maps of every injection layer and head, and for every
// planned position its attention at the planned layers and heads to the row's visual tokens, its text and its sink. Made for one
// forward pass over one row; engine thread. A stop ends the pass at its next layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/inspect/capture_plan.h"
#include "engine/model/probe.h"
#include "engine/model/rows.h"

namespace cuescope {

class MapProbe : public Probe {
 public:
  /// `rows` holds the one row that the plan was made for. No queries or no visual tokens: no self-attention.
  MapProbe(const Rows& rows, const CapturePlan& plan, std::stop_token stop = {});

  bool wants(ProbeSite site, std::int64_t layer) const override;
  std::vector<std::int64_t> queries(std::int64_t layer, std::int64_t row) const override;
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override;

  /// Call once, after the pass. Cue recovery is empty when the module did not act or the row has no visual tokens.
  AttentionStack cueRecovery();
  AttentionStack selfAttention() { return std::move(m_self); }
  AttentionStack promptAttention() { return std::move(m_prompt); }

 private:
  void fill(AttentionStack& stack, std::int64_t layer, const std::vector<std::int64_t>& positions, const at::Tensor& weights);

  std::stop_token m_stop;
  std::int64_t m_sink = 0;
  at::Tensor m_visual, m_text;  // int64 positions within the row
  bool m_wantsCue = false;
  AttentionStack m_cue, m_self, m_prompt;
  std::vector<std::vector<float>> m_cueLayers;
};

/// Ends a pass at its next layer when it is asked to stop; wants nothing.
class StopProbe : public Probe {
 public:
  explicit StopProbe(std::stop_token stop) : m_stop(std::move(stop)) {}
  bool wants(ProbeSite site, std::int64_t layer) const override;
  void take(ProbeSite, std::int64_t, std::int64_t, const at::Tensor&) override {}

 private:
  std::stop_token m_stop;
};

/// A stack of the plan's shape, every value «not computed». `shares`: with text and sink shares.
AttentionStack emptyStack(Site site, const StackPlan& plan, bool shares);

/// Where `layer` stands among `layers`; -1: it does not.
std::ptrdiff_t placeOf(const std::vector<int>& layers, std::int64_t layer);

/// Of `layers` layers those whose maps fit: all, or as many as fit, first and last included. `averaged` is set when heads must be
/// averaged.
std::vector<int> layersWithinBudget(std::int64_t layers, std::int64_t queries, std::int64_t heads, std::int64_t keys,
                                    std::int64_t budgetBytes, bool* averaged);

}  // namespace cuescope
