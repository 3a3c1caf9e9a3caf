// Maps that need every row of the attention, and so are computed while it passes, a piece of rows at a time: attention rollout through
// the decoder, and what the vision tower's tokens attend to. Nothing of the size tokens x tokens is kept. Each is made for one
// pass over one row; engine thread. A stop ends the pass at its next layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stop_token>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/inspect/capture_plan.h"
#include "engine/model/probe.h"
#include "engine/model/rows.h"

namespace cuescope {

/// Attention rollout (Abnar & Zuidema 2020): R_0 = the visual columns of I, R_l = (A_l / 2 + I / 2) R_(l-1) with A_l the mean over
/// heads: half of a state is what attention wrote, half the residual. Rows of A_l sum to 1, so the mix does and nothing is
/// renormalised. Behind an injection layer the sink takes one more such step over the cue recovery attention.
class RolloutProbe : public Probe {
 public:
  RolloutProbe(const Rows& rows, const CapturePlan& plan, std::stop_token stop);
  bool wants(ProbeSite site, std::int64_t layer) const override;
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override;
  /// Call once, after the pass.
  AttentionStack rollout();

 private:
  void keep();

  std::stop_token m_stop;
  std::int64_t m_sink = 0, m_lastLayer = -1, m_layer = -1, m_done = 0;
  at::Tensor m_visual;         // int64 [V]
  at::Tensor m_reach, m_next;  // [T, V]
  AttentionStack m_stack;
};

/// Vision tower attention on the merged grid (snapshots.h says what a value is). `grids`: of the row, in order.
class VisionProbe : public Probe {
 public:
  VisionProbe(const std::vector<Grid>& grids, std::int64_t merge, const CapturePlan& plan, std::stop_token stop);
  bool wants(ProbeSite site, std::int64_t layer) const override;
  std::vector<std::int64_t> queries(std::int64_t layer, std::int64_t slice) const override;
  void take(ProbeSite site, std::int64_t layer, std::int64_t slice, const at::Tensor& value) override;
  AttentionStack vision() { return std::move(m_stack); }

 private:
  struct Slice {
    std::int64_t first = 0, count = 0;      // merged tokens
    std::vector<std::size_t> queries;       // places in the stack's queries
  };
  void write(std::size_t query, std::int64_t layer, const Slice& slice, const at::Tensor& weights);

  std::stop_token m_stop;
  std::int64_t m_perToken = 4;  // patches of a merged token
  std::vector<Slice> m_slices;
  AttentionStack m_stack;
};

}  // namespace cuescope
