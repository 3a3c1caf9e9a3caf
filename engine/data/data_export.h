// A data file with the edits beside it applied, as another file: for other programs, and for keeping. Engine thread.
#pragma once

#include <stop_token>
#include <string>

#include "engine/core/events.h"
#include "engine/data/dataset.h"
#include "engine/engine.h"

namespace cuescope {

/// JSONL or parquet by the names' endings. Of one kind: every other column is kept as it is. From one kind into the other: the known
/// columns (dataset.h). `cue` and `evidence` are the edited ones, `cue_provenance` says who, when and the original. With
/// `teacherPrompt` also verl's column of that name: the prompt with the cue as its [Hint], null where a row has no cue. verl knows
/// one list of images for both prompts, so crops stay in `evidence` (kind "crop"). Written beside the output and renamed.
/// Throws Error, also for an edit that does not fit its row, and Cancelled.
DataExport exportRows(const std::string& file, const std::string& output, bool teacherPrompt, const EventSink& sink, std::stop_token stop);

/// The prompt as the teacher reads it with a hint (Processor::prompt): the hint ends the last user turn. Error without one.
std::vector<Turn> hintedTurns(std::vector<Turn> prompt, const std::string& hint);

/// exportRows from parquet to parquet. `read` gives a row with its edit applied, `provenance` the text for cue_provenance or nothing.
void exportParquet(const std::string& file, const std::string& output, bool teacherPrompt, const std::function<Sample(std::int64_t)>& read,
                   const std::function<std::string(std::int64_t)>& provenance);

}  // namespace cuescope
