// Board: the paper's table from finished runs: settings by data sets, seeds beside each other, mean and interval. Read from the
// runs' folders alone (config.yaml, metrics.jsonl, provenance.json, evaluations/*.json of `cuescope-cli eval`): recorded numbers, no
// checkpoint is opened. Runs share a row when nothing but their seed differs, and a column when their held-out files are the same by
// digest. No torch, no Qt; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/evaluation.h"

namespace cuescope {

struct BoardRun {
  std::string directory, name, setting;
  std::string models;  // "student <- teacher" by their folders' names; joins the setting when runs of several pairs are compared
  std::map<std::string, std::string> recipe;  // what else can make another row of it, by a short word: "steps", "lr", "batch", ...
  std::uint64_t seed = 0;
  int step = 0, totalSteps = 0;
  bool completed = false;
  std::map<std::string, Interval> accuracy;     // by data set, of the newest step
  std::map<std::string, int> evaluatedAt;       // that step, by data set
  std::map<std::string, std::string> digests;   // of the data set's files; "" when the run does not know it
};

struct BoardCell {
  std::vector<std::uint64_t> seeds;
  std::vector<double> values;  // a seed each, the same order
  Interval mean;               // over seeds; with one seed: that run's own interval over rows
  std::string intervalOf;      // "seeds" or "rows"
  std::string caution;         // why this cell cannot be held against the others of its column; usually empty
};

struct Board {
  std::vector<std::string> settings, dataSets;  // rows and columns
  std::vector<std::vector<BoardCell>> cells;    // [settings][dataSets]; without values: nothing was measured
  std::vector<std::string> cautions;            // of a row: other steps or settings than most rows. A triangle in every form of the board
  std::vector<BoardRun> runs;
  std::vector<std::string> notes;               // what was left out, and why
};

/// Short name of what a run does: "base", "sft", "grpo", "opsd", "opd", with "+ cue", "+ module" or "+ vicur" (both), and the
/// objective when it is not the usual one.
std::string settingName(const RunConfig& config);
/// Reads one run. Throws Error when the folder is no run.
BoardRun readBoardRun(const std::string& directory);
/// Folders of runs, or folders that hold runs; settings in the paper's order. A run that cannot be read becomes a note; none at all is an Error.
Board makeBoard(const std::vector<std::string>& folders);
/// Of runs that have been read; settings in the order in which they first come.
Board boardOf(std::vector<BoardRun> runs);

/// Of a row, or of a cell in it: both cautions as one sentence's parts, "" when it may be compared.
std::string cautionOf(const Board& board, std::size_t row, std::size_t column);

std::string boardText(const Board& board);
std::string boardMarkdown(const Board& board);
std::string boardCsv(const Board& board);  // one line a setting, data set and seed
std::string boardSvg(const Board& board);  // dots for seeds, a bar for the mean, a line for the interval

}  // namespace cuescope
