// Planner: memory and time of a run before it starts. Sizes come from the models' config.json, lengths from the data's first
// rows through the true processors, speed from a short measurement of matrix products and memory on this machine. No weights
// are read. Engine thread.
#pragma once

#include "engine/core/config.h"
#include "engine/core/run_plan.h"
#include "engine/engine.h"

namespace cuescope {

RunPlan planRun(const RunConfig& config, const EngineOptions& options);

}  // namespace cuescope
