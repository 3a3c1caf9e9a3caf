// Rows of a data file as values for the window: the data page, and the demo's scenes on the start page. Engine thread.
#pragma once

#include <cstdint>
#include <string>

#include "engine/core/snapshots.h"

namespace cuescope {

/// Rows first .. first + count - 1, fewer at the end. A row that cannot be read carries its problem. Throws Error for a bad file.
/// `cueEdits`: with the edits that lie beside the file.
DataRows readRows(const std::string& file, std::int64_t first, int count, bool cueEdits = false);

}  // namespace cuescope
