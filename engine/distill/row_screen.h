// Row screen: what a run finds out about its rows before the first step (spec 3.2, 7-B8), from the text and the headers of the
// pictures. `data check` prints the same verdict from the same functions. Engine thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/core/events.h"
#include "engine/distill/training_data.h"

namespace cuescope {

/// What a row is for: an answer is needed only where it is learnt.
enum class RowUse { Train, HeldOut };

/// One row, looked at. `problem` is empty when it can be used.
struct LookedRow {
  Sample sample;  // as far as it could be read
  RowLengths lengths;
  RowProblem problem;
  bool usable() const { return problem.category.empty(); }
};
LookedRow lookAtRow(const RowSource& source, std::int64_t row, const Preparer& preparer, const RunConfig& config, RowUse use);

/// The run ends at such a row: data.bad_rows stop, or data.truncation error for one that is too long and was not filtered before.
bool stopsRun(const RunConfig& config, const RowProblem& problem);
/// What the run says when it ends there.
Error stopAt(const std::string& place, const RowProblem& problem);

/// Rows that may be drawn.
struct RowScreen {
  struct Example {
    std::string file;
    std::int64_t row = -1;
    RowProblem problem;
  };
  std::vector<std::int64_t> kept;
  std::int64_t looked = 0;                       // rows that were looked at
  std::map<std::string, std::int64_t> leftOut;   // by category
  std::vector<Example> examples;                 // the first 100
  std::string text() const;                      // "10 prompt too long, 2 unreadable"; empty when every row is kept
};
/// Looks at rows in order until `enough` can be used (0: at all). Throws the stop of a row that ends the run, and Cancelled between
/// two rows. Progress goes to the sink.
RowScreen screenRows(const RowSource& source, const Preparer& preparer, const RunConfig& config, RowUse use, std::int64_t enough,
                     const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
