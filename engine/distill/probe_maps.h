// Probe maps: where the sink looks on a fixed set of rows as training goes on, and the cue curves that follow from it.
// A look changes nothing. Engine thread.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/distill/training_data.h"
#include "engine/model/probe.h"

namespace cuescope {

struct ProbeResult {
  std::vector<ProbeMap> maps;  // one an image of the first `shown` rows
  std::map<std::string, double>
      metrics;  // cue/sink_entropy/L{l}, cue/evidence_mass/L{l}, cue/update_ratio/L{l}: means over rows
};

/// Collects where the sinks of one pass look, and with `updates` how long each update is beside its state.
class SinkProbe : public Probe {
 public:
  explicit SinkProbe(bool updates) : m_updates(updates) {}
  bool wants(ProbeSite site, std::int64_t) const override {
    return site == ProbeSite::SinkAttention || (m_updates && site == ProbeSite::SinkUpdate);
  }
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override;

  /// By row and layer: means over heads, float32 [V_row]; and [2] as ProbeSite::SinkUpdate has them.
  std::map<std::int64_t, std::map<std::int64_t, at::Tensor>> attention, updates;

 private:
  bool m_updates;
};

/// Empty when the student has no cue recovery module or no row has an image.
ProbeResult probeSink(const Qwen3VL& student, std::span<const ReadyRow* const> rows, std::size_t shown);

/// What the module is worth to given answers: the mean over their tokens of log p with it − log p without it, nats. Not a number
/// without a module or without answers.
double recoveryGain(const Qwen3VL& student, std::span<const RowInput* const> prompts, std::span<const TokenIds* const> answers);

/// Share of each merged token's area inside the evidence boxes of one image, [rows * cols]. Boxes in pixels of a width
/// x height image.
std::vector<float> evidenceCover(const std::vector<PixelBox>& boxes, int image, int width, int height, int rows,
                                 int cols);

}  // namespace cuescope
