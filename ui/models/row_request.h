// What Inspect is asked when a row of a data set is sent to it. Plain values; UI thread.
#pragma once

#include <string>

#include "engine/engine.h"

namespace cuescope {

struct RunRecord;

/// Picture, question in its place (question-first rows: before the picture), cue and evidence; no student yet.
InspectRequest requestOf(const DataRow& row);
/// Folder of a run's teacher; "" when it has none on this machine: the student alone can still be asked.
std::string teacherFolderOf(const RunRecord& run);

}  // namespace cuescope
