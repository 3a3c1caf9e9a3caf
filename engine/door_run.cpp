#include "engine/door_run.h"

#include "engine/core/failure.h"
#include "engine/distill/run.h"
#include "engine/door_captures.h"

namespace cuescope {

/// The loaded run, for whoever drives it; empties the slot when it ends.
class DoorRun final : public TrainingRun {
 public:
  DoorRun(std::unique_ptr<Run> run, std::shared_ptr<Run*> slot, EventSink sink)
      : m_run(std::move(run)), m_slot(std::move(slot)), m_sink(std::move(sink)), m_captured(m_run->status().step) {
    *m_slot = m_run.get();
  }
  ~DoorRun() override { *m_slot = nullptr; }

  bool advance(std::stop_token stop) override {
    const bool more = m_run->advance(stop);
    const int step = m_run->status().step, frequency = m_run->config().trainer.captureFreq;
    if (step != m_captured && frequency > 0 && step > 0 && step % frequency == 0) {
      captureProbes(*m_run, m_sink, stop);
      m_captured = step;
    }
    return more;
  }
  RunStatus status() const override { return m_run->status(); }
  std::string checkpoint() override { return m_run->checkpoint(); }
  void stop(bool save) override { m_run->stop(save); }
  void setPaused(bool paused) override { m_run->setPaused(paused); }
  const RunConfig& config() const override { return m_run->config(); }

 private:
  std::unique_ptr<Run> m_run;
  std::shared_ptr<Run*> m_slot;
  EventSink m_sink;
  int m_captured;  // step of the last captures, or where the run began
};

const Run& RunSlot::loaded() const {
  if (!*m_run) throw Error("No run is loaded", "run", {}, "Start or resume a run first.");
  return **m_run;
}

Qwen3VL& RunSlot::student() const { return *loaded().student(); }

Qwen3VL& RunSlot::teacher() const {
  const auto teacher = loaded().teacher();
  if (!teacher) throw Error("The run has no teacher", "run", "only the task reward counts in it", "Look at its student alone.");
  return *teacher;
}

const Processor& RunSlot::studentProcessor() const { return *loaded().studentProcessor(); }

const Processor& RunSlot::teacherProcessor() const {
  teacher();
  return *loaded().teacherProcessor();
}

std::shared_ptr<const Processor> RunSlot::shareStudentProcessor() const { return loaded().studentProcessor(); }

int RunSlot::step() const { return loaded().status().step; }

std::unique_ptr<TrainingRun> openDoorRun(RunSlot& slot, const RunConfig& config, const EngineOptions& options, const EventSink& sink, std::stop_token stop) {
  if (*slot.m_run) throw Error("A run is loaded already", (*slot.m_run)->status().run, "only one run fits at a time", "Stop that run first.");
  return std::make_unique<DoorRun>(Run::open(config, options, sink, stop), slot.m_run, sink);
}

}  // namespace cuescope
