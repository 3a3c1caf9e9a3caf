// The measurements of `cuescope-cli bench`: load, prefill, decoding, capture and one distillation step on a model folder that holds
// a workload.safetensors (input_ids, attention_mask, pixel_values, image_grid_thw, response_ids, teacher_ids, teacher_mask; every
// row right-padded, with one image). Engine thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace cuescope {

/// Runs what `request` names (empty: load, prefill_b1, decode_b1, decode_bB, capture_b1, distill_step, train_step, and tokenize and
/// image where the folder has a tokenizer) one after the other and calls onLine after each. A first run of each is not counted. `ids` are the first 16 greedy ids of row 0, `loss` that of the
/// first step, both for comparison with another program; the step changes the weights, so it comes last. Throws Error for a
/// workload that lacks a tensor, and for unknown names. tokenize (2 MB of text) and image (a megapixel) alone need no workload.
std::vector<BenchLine> runBench(const BenchRequest& request, const std::string& device, const std::string& dtype,
                                const std::function<void(const BenchLine&)>& onLine);

}  // namespace cuescope
