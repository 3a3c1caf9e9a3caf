// LensProbe: the logit lens. What the student would say if it stopped after a layer, at the planned positions; and, where asked, how
// likely each visual token makes the chosen tokens there. Computed while the states pass, so none are kept. Made for one pass over one
// row; engine thread. A stop ends it between two pieces.
#pragma once

#include <ATen/core/Tensor.h>

#include <stop_token>

#include "engine/core/snapshots.h"
#include "engine/inspect/capture_plan.h"
#include "engine/model/probe.h"
#include "engine/model/qwen3_vl.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

class LensProbe : public Probe {
 public:
  LensProbe(const Qwen3VL& model, const Rows& row, const CapturePlan& plan, std::stop_token stop);
  bool wants(ProbeSite site, std::int64_t layer) const override;
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override;
  /// Call once, after the pass. `tokenizer` gives the words; without it they stay empty.
  LogitLens lens(const Tokenizer* tokenizer);
  AttentionStack map() { return std::move(m_map); }

 private:
  /// log-softmax of the lens at these states, float32 on the CPU. [n, h] -> [n, vocabulary]
  at::Tensor read(const at::Tensor& states) const;

  const Qwen3VL& m_model;
  std::stop_token m_stop;
  LogitLens m_lens;
  AttentionStack m_map;
  at::Tensor m_positions, m_visual;
  std::vector<std::int64_t> m_mapIds;  // the chosen token of each of the map's queries
};

}  // namespace cuescope
