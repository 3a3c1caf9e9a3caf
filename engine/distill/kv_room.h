// Whether one response can be decoded at all within the bound of keys and values: asked before the start, because the first rollout that
// meets the longest row would otherwise end the run. Pure; any thread.
#pragma once

#include "engine/core/config.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {

/// Throws Error that says what the longest prompt with the longest response needs and what rollout.kv_cache_mib gives. Nothing is
/// asked of runs without a rollout or without a bound.
void requireRoomForAResponse(const RunConfig& config, const Qwen3VLConfig& student);

}  // namespace cuescope
