// Gradient x attention: how much log p of a response token would change with each attention weight of the row that predicts it, times
// that weight. Exact and cheap: what the positions before wrote (keys and values) is the same whatever this row attends to, so only
// the one row is differentiated, layer by layer, over a cache of the others. Engine thread.
#pragma once

#include <functional>
#include <stop_token>

#include "engine/core/snapshots.h"
#include "engine/inspect/capture_plan.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

/// Of `row` (prompt and response) at the plan's rows and layers. `chosen`: the id whose log p is differentiated at each of the plan's
/// rows. `features`: of the row's images. Error when a row to be differentiated holds an image token or the sink. Cancelled between
/// two layers.
AttentionStack gradientAttention(const Qwen3VL& model, const Rows& row, const CapturePlan& plan, const std::vector<std::int64_t>& chosen,
                                 const VisionFeatures* features, const Intervention* intervention, std::stop_token stop);

}  // namespace cuescope
