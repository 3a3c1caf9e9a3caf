// Checkpoint: checkpoints/step-NNNNNN of a run directory: a Hugging Face folder that any program opens, trainer/ with
// what the run needs to go on bit for bit, and manifest.json with digests. Everything is written under
// another name, flushed, and renamed at the end: a folder of that name is always whole. Engine thread.
//   trainer/optimizer.safetensors   moments (and float32 masters of bfloat16 students)
//   manifest.json                   metrics of the step; digest of every file and of every tensor
//   trainer/state.json              step, data cursor, counters, what is open of the step (PendingStep); random numbers need no
//                                   state (rollout.h)
//   trainer/rollouts.jsonl          responses of a step that is open
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/core/events.h"
#include "engine/distill/optimizer.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

/// A step whose update is done and whose row is not yet written: a checkpoint may be asked for while the student is evaluated or
/// looked at. Going on from it first does the rest of that step, so that no row, evaluation or map is missing.
struct PendingStep {
  std::string phase;                              // "evaluate", "probe" or "publish", done from its beginning
  std::map<std::string, double> metrics, phaseSeconds;  // so far
  double seconds = 0;                             // of the step so far
  std::int64_t tokens = 0;                        // of its batch
  std::string rollouts;                           // lines for rollouts/N.jsonl; empty when they are not saved
};

/// What a run remembers beside weights and moments.
struct TrainerState {
  int step = 0;
  std::int64_t epoch = 0, position = 0;  // data cursor: the next row of the epoch's order
  std::map<std::string, std::int64_t> skipped;  // rows left out when they were drawn, by reason
  std::int64_t tokens = 0;
  double seconds = 0;
  std::optional<PendingStep> pending;
};

/// Folder of a step below `runDirectory`.
std::string checkpointFolder(const std::string& runDirectory, int step);

/// Writes the checkpoint and returns its folder. `filesFrom`: where tokenizer and processor files are copied from.
/// `metrics` go into the manifest. Throws Error when the disk refuses; then no folder of that name is there.
std::string writeCheckpoint(const std::string& runDirectory, const Qwen3VL& student, const Optimizer& optimizer,
                            const TrainerState& state, const std::string& filesFrom,
                            const std::map<std::string, double>& metrics, const std::string& configYaml);

/// Metrics of the step as its manifest has them.
std::map<std::string, double> checkpointMetrics(const std::string& folder);
/// Whether a folder is, by its name and place, a run's checkpoint: RUN/checkpoints/step-NNNNNN.
bool isCheckpointFolder(const std::string& folder);
/// Compares every file with the manifest. Throws Error that names the file which is missing or differs, and its tensors that do.
void verifyCheckpoint(const std::string& folder);
/// The same; what to do next names the newest earlier checkpoint that is whole.
void requireWholeCheckpoint(const std::string& folder);
/// The same for who opens the model alone: without trainer/, and once for as long as no file of it changes its size or time. A folder
/// that is no checkpoint passes: nothing says what was written there.
void requireWholeModel(const std::string& folder);
/// Newest whole checkpoint of the run before this one, empty when there is none.
std::string previousCheckpoint(const std::string& folder);
/// Restores the optimizer and returns the rest. The student is opened with Qwen3VL::load(folder).
TrainerState loadTrainerState(const std::string& folder, Optimizer& optimizer);
TrainerState readTrainerState(const std::string& folder);

/// Newest checkpoint of a run, empty when there is none. A save gets its name when it is whole: what has the name and is not whole
/// is damaged, and is returned like any other, so that whoever wants to go on from it is told (requireWholeCheckpoint).
std::string newestCheckpoint(const std::string& runDirectory);
/// The model's folder that a person means by RUN (its newest checkpoint), RUN@STEP, a checkpoint's folder or a model's
/// folder; `step` gets the checkpoint's, -1 for a model. Throws Error that lists the steps there are, or that says what is damaged.
std::string modelFolderOf(const std::string& name, int* step);
/// Copies the model of such a name, without the trainer's state, to a new folder, durably; verifies it first. Returns the folder. The
/// sink hears of the bytes that are written; one that is cancelled leaves nothing.
std::string exportCheckpoint(const std::string& name, const std::string& outputFolder, const EventSink& sink = {}, std::stop_token stop = {});
/// Removes complete checkpoints older than the newest `keep` (0: keeps all) but for the one with the best val/accuracy, and what
/// a crash has left half written.
void pruneCheckpoints(const std::string& runDirectory, int keep);

}  // namespace cuescope
