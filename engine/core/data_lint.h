// Lint of data: what is wrong with a row that a run would not tell before it is too late: an empty cue, the answer in the cue, words
// of a plan instead of something visible (spec 5.1), a box outside the picture, marks and pictures that do not match, prompts and
// answers over the limit, picture places that are not the grid's. The window's Data page and `cuescope-cli data check` show the same
// findings. Tokens come from the engine (RowVerdict). No torch, no Qt; pure functions on values but for lintFile; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/cue_edits.h"
#include "engine/core/evaluation.h"
#include "engine/core/snapshots.h"

namespace cuescope {

class Engine;
struct CheckRowsRequest;

enum class Check { Readable, Placeholders, Cue, Leak, Theorem, Boxes, Length };
inline constexpr std::size_t kChecks = 7;
const char* checkName(Check check);
enum class Verdict { Fine, Look, Wrong };
const char* verdictName(Verdict verdict);  // fine, look, wrong

struct RowFinding {
  Check check = Check::Cue;
  Verdict verdict = Verdict::Fine;
  std::string words;   // «answer in cue»
  std::string detail;
};
struct RowComplaint {
  std::int64_t row = -1;
  std::string id;
  RowFinding finding;
};

/// Every check of a row, in their order. `sizes`: width and height of its pictures; 0, or none: not known. `tokens`: what a run would
/// make of it; without it Length is left out and only marks are counted against pictures.
std::vector<RowFinding> findingsOf(const DataRow& row, const CueEdit& cue, const std::vector<std::pair<int, int>>& sizes, const RowVerdict* tokens = nullptr);
/// Width and height of a row's pictures as they stand upright, from their headers; 0 for one that has no header to be read.
std::vector<std::pair<int, int>> pictureSizesOf(const DataRow& row);

/// What the answer says without \boxed{} and words around it, on one line.
std::string bareAnswerOf(const std::string& answer);
/// The answer's words stand in the cue as words of their own. Single letters and digits count only when they are the whole answer.
bool answerLeaks(const std::string& answer, const std::string& cue);
/// The first word of a theorem, plan or calculation in the cue, as it stands there; empty when there is none.
std::string theoremWord(const std::string& cue);

/// The row's own cue and evidence as an edit without changes.
CueEdit cueOf(const DataRow& row);

struct DataLint {
  std::int64_t rows = 0;
  std::array<std::int64_t, kChecks> counts{};  // complaints by Check
  std::vector<RowComplaint> found;             // in the order of the rows, the first kMostComplaints
  std::string notCounted;                      // why there are no lengths; empty: there are
  std::int64_t complaints() const;
};
inline constexpr std::size_t kMostComplaints = 2000;
/// Every row of request.file with request.edits, by the processors and limits of request.config; first and count are set here.
/// Models that are not there cost the lengths alone. Throws Error for the file, Cancelled. Engine thread.
DataLint lintFile(Engine& engine, CheckRowsRequest request, const std::function<void(std::int64_t done, std::int64_t total)>& progress, std::stop_token stop);

}  // namespace cuescope
