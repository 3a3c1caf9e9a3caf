// Planner: memory and time of a run before it starts. Sizes come from the models' config.json, lengths from the data's first
// rows through the true processors, speed from a short measurement of matrix products and memory on this machine. Weights are
// read of a small student alone, which answers some prompts to tell how long responses are. Engine thread.
#pragma once

#include "engine/core/config.h"
#include "engine/core/run_plan.h"
#include "engine/distill/plan_sizes.h"
#include "engine/engine.h"

namespace cuescope {

RunPlan planRun(const RunConfig& config, const EngineOptions& options);

/// Floating-point operations a second of matrix products of the model's shape, measured for a tenth of a second.
double matrixRate(const Qwen3VLConfig& config, const std::string& device, bool narrow);
/// Products of the model's shape, copies and small calls, measured for a fifth of a second.
MachineSpeed measureSpeed(const Qwen3VLConfig& config, const std::string& device, bool narrow);
/// The baseline of a plan: what the process holds beside models and pictures. begin() makes a step of a miniature and reads the memory that
/// is the process's own by then; end() adds the libraries' pages that are there by then.
class Baseline {
 public:
  void begin(bool narrow = false);
  std::int64_t end() const;

 private:
  std::int64_t m_own = 0;
};

}  // namespace cuescope
