// RolloutRecord: one response of one step as rollouts/N.jsonl keeps it, under verl's names. Log-probabilities are aligned to the
// response: entry t scores token t (the reference's dump is shifted by one; spec 7-B1). A value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cuescope {

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
};

/// One line, newline included. Not finite: null.
std::string toJsonLine(const RolloutRecord& record);
/// All complete lines of the text; throws Error that names the line which is no record.
std::vector<RolloutRecord> parseRollouts(const std::string& jsonLines);

}  // namespace cuescope
