#include "engine/distill/planner.h"

#include "engine/core/failure.h"

namespace cuescope {

RunPlan planRun(const RunConfig& config, const EngineOptions&) {
  throw Error("The run cannot be planned yet", config.trainer.name, "the planner is not part of this build");
}

}  // namespace cuescope
