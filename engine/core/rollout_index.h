// RolloutIndex: what lists show of saved responses, without holding the responses. Reads rollouts/N.jsonl of a run and the dumps
// that verl's trainer.rollout_data_dir writes (input, output, gts, score, step, and any columns of the reward function).
// A file is read on from where the last call ended, so a file that is being written and one of gigabytes are the same case.
// No torch, no Qt; one thread at a time (a background thread of the window).
#pragma once

#include <cstdint>
#include <limits>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/rollout_record.h"

namespace cuescope {

/// One response, small: what a row of a list shows and what filters ask. NaN: the record does not say.
struct RolloutFacts {
  int file = 0;              // index into the list of files that were scanned
  std::int64_t offset = 0;   // of its line
  std::int32_t bytes = 0;    // of its line, without the line end
  int step = 0, index = 0;
  std::string sampleId, kind, prompt, answer;  // prompt: the user's words, cut at 160 bytes; answer: what \boxed{} holds, or the end
  std::string dataFile;      // where its data row lies, with dataRow; empty when the record does not say
  std::int64_t dataRow = -1;
  int tokens = -1;           // -1: not saved
  float score = std::numeric_limits<float>::quiet_NaN();
  float meanGap = std::numeric_limits<float>::quiet_NaN();  // mean |log p(teacher) - log p(student)|, nats
  float maxGap = std::numeric_limits<float>::quiet_NaN();   // the largest magnitude
  std::int8_t stopped = -1;  // 1: by a stop token, 0: by length, -1: not saved
  std::vector<float> spark;  // gap by token, at most kSparkBins: the value of largest magnitude of each bin
};
inline constexpr int kSparkBins = 48;

/// Everything of one line: the record, and what else stood there as text.
struct RolloutDetail {
  RolloutRecord record;
  std::vector<std::pair<std::string, std::string>> others;  // columns that a RolloutRecord does not have, as JSON or words
};

/// The lines of one file.
class RolloutScanner {
 public:
  /// `step`: of records that do not name one (verl names the file after it). `number`: RolloutFacts::file.
  RolloutScanner(std::string file, int number, int step);
  /// At most `lines` further records; fewer at the end of the file, and none when nothing new was written. Lines that are no
  /// record are counted in problems() and left out. Throws Error when the file cannot be read.
  std::vector<RolloutFacts> next(int lines, std::stop_token stop);
  std::int64_t offset() const { return m_offset; }
  std::int64_t size() const { return m_size; }  // when it was looked at last
  int problems() const { return m_problems; }
  const std::string& firstProblem() const { return m_firstProblem; }

 private:
  std::string m_file;
  int m_number, m_step;
  std::int64_t m_offset = 0, m_size = 0;
  std::int64_t m_line = 0;
  int m_problems = 0;
  std::string m_firstProblem;
};

/// A file of saved responses and the step its name says; -1 when the name is no number.
struct RolloutFile {
  std::string path;
  int step = -1;
};
/// The step that a file N.jsonl is of; -1 when its name is no number.
int rolloutStepOf(const std::string& file);
/// N.jsonl files of a folder in the order of their steps; empty when there are none.
std::vector<RolloutFile> rolloutFiles(const std::string& folder);
/// Whether the file's first line looks like a saved response: an object with "output" and "input" or "ids".
bool isRolloutFile(const std::string& file);

/// The whole record behind some facts. Throws Error.
RolloutDetail readRollout(const std::string& file, const RolloutFacts& facts);
/// Prompt and response as text, for searching; empty when they cannot be read.
std::string rolloutText(const std::string& file, const RolloutFacts& facts);

/// Records of the same prompt in other files: the line's "request_id", or without one its "input", compared byte by byte.
std::vector<RolloutFacts> samePrompt(const std::vector<RolloutFile>& files, const std::string& file, const RolloutFacts& facts,
                                     std::stop_token stop);

/// What \boxed{...} holds at its last place, braces balanced; empty without one.
std::string boxedPart(const std::string& text);
/// The user's words of a rendered prompt: the last user turn without chat marks and picture placeholders, on one line.
std::string promptWords(const std::string& rendered);

}  // namespace cuescope
