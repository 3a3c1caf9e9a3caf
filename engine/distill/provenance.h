// provenance.json of a run: {"starts": [...]}, one entry each time it started or went on: versions, machine, digests of data and models,
// and what had changed. And the question that a run asks before it goes on: is this still what the checkpoint was made with?
// Engine thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/config.h"
#include "engine/core/events.h"
#include "engine/data/dataset.h"
#include "engine/distill/row_screen.h"
#include "engine/distill/run.h"

namespace cuescope {

/// What became known of the data before the first step.
struct RunData {
  std::vector<EditedFile> edited;
  RowScreen train, val;
};

/// The entry of a start that happens now. Reads every byte of data and weights: progress goes to `sink`, what `checkStop` throws ends it.
nlohmann::ordered_json provenanceOf(const RunConfig& config, const RunParts& parts, const RunData& read, const EventSink& sink, const std::function<void()>& checkStop);

/// The settings that a checkpoint was written with; none where it holds none. Keys that this version does not know are passed over.
std::optional<RunConfig> savedConfig(const std::string& checkpoint);

/// What is no longer as it was when `checkpoint` was written, a sentence each.
struct ResumeChanges {
  std::vector<std::string> breaking;  // the student would become another one than that of a run that never stopped
  std::vector<std::string> told;      // what is measured besides, and the machine: rounding may differ, the recipe does not
};
/// `now`: provenanceOf. Compares the settings that the checkpoint holds, and data and models with the run's last entry.
ResumeChanges changesSince(const std::string& checkpoint, const RunConfig& config, const nlohmann::ordered_json& now);

/// Adds `entry` to the run's file; an entry of an older version of the file becomes the first one. The caller holds the run's lock.
void appendProvenance(const std::string& runDirectory, nlohmann::ordered_json entry);

}  // namespace cuescope
