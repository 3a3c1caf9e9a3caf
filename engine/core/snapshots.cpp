#include "engine/core/snapshots.h"

namespace cuescope {

const char* siteName(Site site) {
  switch (site) {
    case Site::CueRecovery: return "cue_recovery";
    case Site::SelfAttention: return "self_attention";
    case Site::Vision: return "vision";
    case Site::Rollout: return "rollout";
    case Site::GradientAttention: return "gradient_attention";
    case Site::LogitLens: return "logit_lens";
    case Site::Occlusion: return "occlusion";
  }
  return "";
}

const char* conditionName(Condition condition) {
  switch (condition) {
    case Condition::Student: return "student";
    case Condition::TeacherCue: return "teacher_cue";
    case Condition::TeacherPlain: return "teacher_plain";
    case Condition::TeacherErased: return "teacher_erased";
  }
  return "";
}

const char* runStateName(RunState state) {
  switch (state) {
    case RunState::Ready: return "ready";
    case RunState::Running: return "running";
    case RunState::Paused: return "paused";
    case RunState::Stopping: return "stopping";
    case RunState::Completed: return "completed";
    case RunState::Stopped: return "stopped";
    case RunState::Failed: return "failed";
  }
  return "";
}

}  // namespace cuescope
