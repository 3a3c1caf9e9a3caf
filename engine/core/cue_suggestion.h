// A cue that a teacher suggests for a row: it sees picture and question, never the answer. The same request from the window's Data page
// and from `cuescope-cli data cue`. No torch, no Qt; any thread.
#pragma once

#include <string>

#include "engine/core/cue_edits.h"
#include "engine/engine.h"

namespace cuescope {

/// What the model of this folder is asked. Throws Error for rows that cannot be read or have not just one picture.
InspectRequest suggestionRequest(const std::string& model, const DataRow& row);
/// `edit` with the answer as its cue and where it comes from. Throws Error when nothing was answered.
CueEdit withSuggestion(CueEdit edit, const InspectRequest& request, const Inspection& inspection);

}  // namespace cuescope
