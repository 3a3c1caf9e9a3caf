// TrainingData: the rows of a run in the order in which they are drawn, and rows made ready for the models. Owned by
// the run; engine thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/config.h"
#include "engine/data/dataset.h"
#include "engine/distill/teacher.h"

namespace cuescope {

/// Where rows come from: a Dataset, or a test's own.
struct RowSource {
  std::int64_t size = 0;
  std::function<Sample(std::int64_t)> row;
  std::function<std::pair<std::string, std::int64_t>(std::int64_t)> origin;  // file and row in it; may be empty
};
RowSource rowsOf(std::shared_ptr<const Dataset> dataset);
/// Some rows of another source, in that order.
RowSource only(RowSource source, std::vector<std::int64_t> rows);
/// Where a row lies, for messages: "FILE, row N" of the file, or "row N".
std::string placeOf(const RowSource& source, std::int64_t row);

/// Why a row cannot be used. Categories are few, so that they can be counted; the reason is the sentence for this row.
struct RowProblem {
  std::string category, reason;
};
inline constexpr const char* kUnreadable = "unreadable";  // the row, or a picture of it
inline constexpr const char* kStaleEdit = "stale cue edit";
inline constexpr const char* kPromptTooLong = "prompt too long";
inline constexpr const char* kTeacherPromptTooLong = "teacher prompt too long";
inline constexpr const char* kNoAnswer = "no answer to learn";

/// What a row's prompts come to, in tokens with the placeholders of images expanded.
struct RowLengths {
  std::int64_t student = 0, teacher = 0;  // teacher: 0 without one
  bool privileged = false;
};

/// The order of rows: every epoch another permutation of the seed (or none), incomplete last batches dropped
/// (spec 3.2).
class DataCursor {
 public:
  DataCursor(std::int64_t size, bool shuffle, std::uint64_t seed);
  std::int64_t epoch() const { return m_epoch; }
  std::int64_t position() const { return m_position; }
  void restore(std::int64_t epoch, std::int64_t position);
  /// Moves to the next epoch when fewer than `batch` rows are left of this one.
  void beginBatch(std::int64_t batch);
  std::int64_t next();

 private:
  void shuffleEpoch();
  std::int64_t m_size, m_epoch = 0, m_position = 0;
  bool m_shuffle;
  std::uint64_t m_seed;
  std::vector<std::int64_t> m_order;
};

/// A row of the data as student and teacher read it.
struct ReadyRow {
  Sample sample;                               // without its image bytes; imagePaths and the boxes' `image` count as the grids do
  std::vector<Grid> grids;                     // of the student's pictures and videos, in the order of the marks
  std::vector<int> imageWidths, imageHeights;  // of the stored pictures and videos, pixels
  std::vector<std::vector<double>> times;      // of the frames that the teacher sees of each; empty for a picture
  RowInput student, teacher;                   // teacher empty without a teacher
  std::string studentText;                     // rendered prompt
  bool privileged = false;                     // the teacher's prompt says what the privilege asks for
  std::string privilege;                       // the text of a [Hint], if the privilege came as one
  bool think = false;                          // the prompt asks for a <think> block
  std::string file;                            // of the data, where the source says so,
  std::int64_t fileRow = -1;                   // and its row there
};

/// Fewest positions that the run's teachers read, from their folders' config.json alone.
std::int64_t teacherPositionsOf(const RunConfig& config);

/// Prompts and patches of samples. The teacher may have a processor of its own.
class Preparer {
 public:
  Preparer(const RunConfig& config, std::shared_ptr<const Processor> student, std::shared_ptr<const Processor> teacher,
           std::int64_t teacherPositions);
  /// `problem` says why a row cannot be used: too long, or what is wrong with it. Then nothing is returned.
  std::unique_ptr<ReadyRow> prepare(Sample sample, RowProblem* problem) const;
  /// The same verdict from the headers of the pictures, without decoding one: false when the row cannot be used. Damage in the pixels
  /// shows only in prepare(). Lengths are those of the true processors, also of rows that are too long.
  bool measure(const Sample& sample, RowLengths* lengths, RowProblem* problem) const;
  bool hasTeacher() const { return m_teacher != nullptr; }
  std::int64_t longestPrompt() const { return m_config.data.maxPromptLength; }
  std::int64_t longestTeacherPrompt() const { return m_teacherPositions - m_config.data.maxResponseLength; }

 private:
  /// The teacher sees the row's teacher_images.
  bool ownPictures(const Sample& sample) const;
  bool fits(const std::string& id, const RowLengths& lengths, RowProblem* problem) const;
  RunConfig m_config;
  std::shared_ptr<const Processor> m_student, m_teacher;
  std::int64_t m_teacherPositions;
};

}  // namespace cuescope
