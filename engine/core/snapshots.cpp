#include "engine/core/snapshots.h"

#include <algorithm>

#include "engine/core/failure.h"

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

Site siteNamed(const std::string& name) {
  std::string all;
  for (int i = 0; i < kSites; ++i) {
    if (name == siteName(static_cast<Site>(i))) return static_cast<Site>(i);
    all += (i ? ", " : "") + std::string(siteName(static_cast<Site>(i)));
  }
  throw Error("There is no such site", name, "the sites are " + all, "Choose one of these.");
}

int AttentionStack::queryAt(int position) const {
  const auto found = std::find(queries.begin(), queries.end(), position);
  return found == queries.end() ? -1 : static_cast<int>(found - queries.begin());
}

std::int64_t LogitLens::bytes() const {
  return static_cast<std::int64_t>(ids.size() * sizeof(std::int64_t) + (logProbs.size() + chosen.size() + entropy.size()) * sizeof(float));
}

AttentionStack& Inspection::stack(Site site) {
  switch (site) {
    case Site::CueRecovery: return cueRecovery;
    case Site::SelfAttention: return selfAttention;
    case Site::Vision: return vision;
    case Site::Rollout: return rollout;
    case Site::GradientAttention: return gradientAttention;
    case Site::LogitLens: return lensMap;
    case Site::Occlusion: return occlusion;
  }
  throw Error("There is no such site", "inspection");
}

const AttentionStack& Inspection::stack(Site site) const { return const_cast<Inspection*>(this)->stack(site); }

std::int64_t Inspection::siteBytes() const {
  std::int64_t sum = promptAttention.bytes() + logitLens.bytes();
  for (int i = 0; i < kSites; ++i) sum += stack(static_cast<Site>(i)).bytes();
  return sum;
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

std::optional<RunState> runStateNamed(const std::string& name) {
  for (RunState state : {RunState::Ready, RunState::Running, RunState::Paused, RunState::Stopping, RunState::Completed, RunState::Stopped, RunState::Failed})
    if (name == runStateName(state)) return state;
  return std::nullopt;
}

}  // namespace cuescope
