// What a run holds of later steps when it goes back to an earlier checkpoint is not thrown away: it is put aside as a run folder of
// its own, which can be opened, exported and gone on with. No torch, no Qt; called by whoever holds the run's lock.
#pragma once

#include <string>

namespace cuescope {

/// Moves checkpoints (damaged ones too), saved responses, probe maps, captures and evaluations of steps after `step` to
/// DIRECTORY/set-aside/steps-A-to-B (a number is added when that is taken), beside copies of config.yaml, provenance.json, status.json
/// and of the whole metrics.jsonl. Returns that folder. Does nothing and returns "" when nothing of a later step was saved:
/// no checkpoint, or, with `metricsCount`, no line of metrics either. Throws Error when the disk refuses; then nothing is lost, and
/// the next call moves what is left.
std::string setLaterStepsAside(const std::string& directory, int step, bool metricsCount);

}  // namespace cuescope
