// RowChecker: one row as a run reads it: both prompts in tokens of the true processors, their picture places, the reference answer,
// and why a run would leave it out, by the run's own screen (distill/row_screen.h). Engine thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/core/config.h"
#include "engine/core/cue_edits.h"
#include "engine/core/evaluation.h"
#include "engine/distill/training_data.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {

class RowChecker {
 public:
  using Processors = std::function<std::shared_ptr<const Processor>(const std::string& folder)>;
  /// Reads the models' configurations, and their processors through `processors`; no weights. Throws Error.
  RowChecker(const RunConfig& config, const Processors& processors);

  bool hasTeacher() const { return m_teacher != nullptr; }
  /// Never throws Error: what is wrong with the row is the verdict. `edit`: not in the data yet.
  RowVerdict check(const std::shared_ptr<const Dataset>& dataset, std::int64_t row, const CueEdit* edit = nullptr, bool batch = false) const;

 private:
  void countPlaces(RowVerdict& verdict, const ReadyRow& row) const;
  void addAnswer(RowVerdict& verdict, const ReadyRow& row, bool batch) const;

  RunConfig m_config;
  Qwen3VLConfig m_studentConfig, m_teacherConfig;
  std::shared_ptr<const Processor> m_student, m_teacher;
  std::unique_ptr<Preparer> m_screen, m_open;  // with the run's limits; with none, so that lengths beyond them are known as well
};

}  // namespace cuescope
