// The bound of keys and values of a run's rollouts: how large it is when nobody says, and whether one response can be decoded at all
// within it, asked before the start, because the first rollout that meets the longest row would otherwise end the run. Any thread.
#pragma once

#include <string>

#include "engine/core/config.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {

/// rollout.kv_cache_mib of this machine, MiB: a number that is given stays, -1 becomes a quarter of the memory that `device` has (not of
/// what is free: two runs on one machine have one bound, and with it the same rows side by side), 0 is no bound. At least 1.
int keyValueMib(const RunConfig& config, const std::string& device);

/// Throws Error that says what the longest prompt with the longest response needs and what rollout.kv_cache_mib gives. The
/// configuration has its number by now (keyValueMib). Nothing is asked of runs without a rollout or without a bound.
void requireRoomForAResponse(const RunConfig& config, const Qwen3VLConfig& student);

}  // namespace cuescope
