// Runs that other programs wrote, read-only: TensorBoard event files (scalars) and verl's rollout dumps (trainer.rollout_data_dir,
// one N.jsonl a step). No torch, no Qt; any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/core/rollout_index.h"
#include "engine/core/snapshots.h"

namespace cuescope {

/// What a path of another program holds. A folder may hold both.
struct ForeignRun {
  std::string name;                      // the folder's or the file's name
  std::string folder;                    // where it lies
  std::vector<std::string> eventFiles;   // in the order of their names; a folder's subfolders are looked into, three deep
  std::vector<RolloutFile> rollouts;
  bool empty() const { return eventFiles.empty() && rollouts.empty(); }
};

/// Looks at names and at the first line of JSONL files; reads nothing else. Empty when the path is nothing of the kind.
ForeignRun findForeignRun(const std::string& path);

/// The scalars of all event files as steps: metrics[tag], wall time since the first event. A step that several files wrote keeps
/// the newest value (a resumed run). Files whose end is cut off give what they hold. Throws Error for a damaged file.
std::vector<StepPtr> readForeignSteps(const ForeignRun& run);

}  // namespace cuescope
