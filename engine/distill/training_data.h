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
  Sample sample;                               // without its image bytes
  std::vector<Grid> grids;                     // of the student's images
  std::vector<int> imageWidths, imageHeights;  // of the stored pictures, pixels
  RowInput student, teacher;                   // teacher empty without a teacher
  std::string studentText;                     // rendered prompt
  bool privileged = false;                     // the teacher's prompt says what the privilege asks for
  std::string privilege;                       // the text of a [Hint], if the privilege came as one
  bool think = false;                          // the prompt asks for a <think> block
  std::string file;                            // of the data, where the source says so,
  std::int64_t fileRow = -1;                   // and its row there
};

/// Prompts and patches of samples. The teacher may have a processor of its own.
class Preparer {
 public:
  Preparer(const RunConfig& config, std::shared_ptr<const Processor> student, std::shared_ptr<const Processor> teacher,
           std::int64_t teacherPositions);
  /// `reason` says why a row cannot be used: too long, or what is wrong with it. Then nothing is returned.
  std::unique_ptr<ReadyRow> prepare(Sample sample, std::string* reason) const;

 private:
  RunConfig m_config;
  std::shared_ptr<const Processor> m_student, m_teacher;
  std::int64_t m_teacherPositions;
};

}  // namespace cuescope
