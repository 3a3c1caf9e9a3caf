// Occlusion: the causal map. Cell after cell is erased (or blurred, or averaged) and the student reads the same response again; what
// log p of each response token loses is the cell's value. One pass serves all tokens. Engine thread.
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/inspect/capture_plan.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

/// `row`: prompt and response; `base`: of its pictures as they are; `chosen`: the id judged at each of the plan's rows. `progress(done, total)` after each pass. Only the
/// changed picture or pair of frames runs through the vision tower again. Cancelled between two layers.
AttentionStack occlusionMap(const Qwen3VL& model, const RowInput& row, const VisionFeatures& base, const CapturePlan& plan, Change change,
                            const std::vector<std::int64_t>& chosen, const Intervention* intervention, const std::function<void(int done, int total)>& progress,
                            std::stop_token stop, OcclusionInfo* info);

}  // namespace cuescope
