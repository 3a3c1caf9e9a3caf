// Probe maps: where the sink looks on a fixed set of rows as training goes on, and the cue curves that follow from it.
// A look changes nothing. Engine thread.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/distill/training_data.h"

namespace cuescope {

struct ProbeResult {
  std::vector<ProbeMap> maps;  // one an image of the first `shown` rows
  std::map<std::string, double>
      metrics;  // cue/sink_entropy/L{l}, cue/evidence_mass/L{l}, cue/update_ratio/L{l}: means over rows
};

/// Empty when the student has no cue recovery module or no row has an image.
ProbeResult probeSink(const Qwen3VL& student, std::span<const ReadyRow* const> rows, std::size_t shown);

/// Share of each merged token's area inside the evidence boxes of one image, [rows * cols]. Boxes in pixels of a width
/// x height image.
std::vector<float> evidenceCover(const std::vector<PixelBox>& boxes, int image, int width, int height, int rows,
                                 int cols);

}  // namespace cuescope
