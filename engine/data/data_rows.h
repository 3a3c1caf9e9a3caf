// Rows of a data file as values for the window: the data page, and the demo's scenes on the start page. Engine thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/core/snapshots.h"
#include "engine/data/dataset.h"

namespace cuescope {

/// The data file that was read last: it stays open while neither it nor its cue edits change, so that a page of rows after the other
/// does not look for every row's place anew.
class OpenData {
 public:
  std::shared_ptr<const Dataset> of(const std::string& file);

 private:
  std::string m_file, m_stamp;
  std::shared_ptr<const Dataset> m_data;
};

/// Rows first .. first + count - 1, fewer at the end. A row that cannot be read carries its problem. Throws Error for a bad file.
/// `cueEdits`: with the edits that lie beside the file.
DataRows readRows(const Dataset& dataset, const std::string& file, std::int64_t first, int count);
DataRows readRows(const std::string& file, std::int64_t first, int count, bool cueEdits = false);

}  // namespace cuescope
