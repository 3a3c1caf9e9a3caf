// RunSlot: the one training run that may be loaded, and its models under the names kRunStudent and kRunTeacher. The run belongs to
// whoever opened it; the slot is emptied when that run is destroyed. Engine thread.
#pragma once

#include <memory>
#include <stop_token>

#include "engine/core/events.h"
#include "engine/data/processor.h"
#include "engine/engine.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

class Run;

class RunSlot {
 public:
  /// Error when no run is loaded, or (teacher) the run has none.
  Qwen3VL& student() const;
  Qwen3VL& teacher() const;
  const Processor& studentProcessor() const;
  const Processor& teacherProcessor() const;
  std::shared_ptr<const Processor> shareStudentProcessor() const;
  int step() const;

 private:
  friend class DoorRun;
  friend std::unique_ptr<TrainingRun> openDoorRun(RunSlot&, const RunConfig&, const EngineOptions&, const EventSink&, std::stop_token);
  const Run& loaded() const;
  std::shared_ptr<Run*> m_run = std::make_shared<Run*>(nullptr);  // shared: a run may outlive the engine that opened it
};

/// Opens a run and puts it into the slot; Error when one is there.
std::unique_ptr<TrainingRun> openDoorRun(RunSlot& slot, const RunConfig& config, const EngineOptions& options, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
