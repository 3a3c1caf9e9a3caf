// Tensors in and out of the door: the padded batches that `forward` and `generate --input` read, as rows, and what a forward pass
// writes, under the names of the recorded goldens. Engine thread.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/model/qwen3_vl.h"
#include "engine/model/safetensors.h"

namespace cuescope {

/// A padded batch, unpadded: padding on the left, on the right or on both sides.
struct PaddedBatch {
  std::int64_t batch = 0, length = 0;
  std::vector<RowInput> rows;
  std::vector<std::vector<std::int64_t>> columns;  // of each row: the columns that its ids came from
};

/// Reads input_ids [B, T], attention_mask [B, T] (without it everything counts), pixel_values + image_grid_thw, pixel_values_videos +
/// video_grid_thw. Grids go to rows in order of their placeholders. Error: missing or misshapen arrays, ids outside the
/// vocabulary, placeholders that do not fit the grids, grids that do not fit the pixels.
PaddedBatch readPaddedBatch(const std::string& file, const Qwen3VLConfig& config);

/// One pass; writes the request's output file. All injection layers act, also a last one that reaches no other token, as in the
/// reference. Padding is 0 in the output.
void forwardToFile(Qwen3VL& model, const ForwardRequest& request, std::stop_token stop);

}  // namespace cuescope
