// RolloutRecord: one response of one step as rollouts/N.jsonl keeps it, under verl's names. Log-probabilities are aligned to the
// response: entry t scores token t (the reference's dump is shifted by one; spec 7-B1). A value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cuescope {

inline constexpr int kSavedTopK = 8;

/// A picture that the prompt showed.
struct RolloutPicture {
  std::string path;              // as the data file has it; empty when the data file holds the bytes
  int gridRows = 0, gridCols = 0;  // of its visual tokens
  int width = 0, height = 0;     // of the stored picture, pixels
};

struct RolloutRecord {
  int step = 0;
  int index = 0;             // row of the step's batch
  std::string sampleId;      // row of the data set
  std::string input;         // the student's prompt as text
  std::string output;        // the response as text, special tokens included
  std::string groundTruth;
  std::vector<std::int64_t> ids;
  std::vector<float> studentLogProbs;  // nats, of the policy that was trained
  std::vector<float> teacherLogProbs;  // empty without a teacher
  double score = 0;          // reward
  double accuracy = 0, format = 0;
  bool stopped = false;      // by a stop token; otherwise by length
  std::string dataSource, kind, layout;
  std::string dataFile;      // where the row lies: with dataRow, the way to its pictures (Engine::readRows)
  std::int64_t dataRow = -1; // in that file; -1: not known
  std::vector<RolloutPicture> pictures;
  // The teacher's likeliest tokens at each position, at most kSavedTopK: [ids.size()][K]; empty unless the loss asked for them.
  std::vector<std::vector<std::int64_t>> teacherTopIds;
  std::vector<std::vector<float>> teacherTopLogProbs;
};

/// One line, newline included. Not finite: null.
std::string toJsonLine(const RolloutRecord& record);
/// All complete lines of the text; throws Error that names the line which is no record.
std::vector<RolloutRecord> parseRollouts(const std::string& jsonLines);

}  // namespace cuescope
