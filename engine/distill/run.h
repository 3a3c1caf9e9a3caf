// Run: one training run, a unit at a time, so that whoever drives it can look at the student between two units and stop
// at any of them. A unit that is cancelled has changed nothing and is done again by the next call. Engine thread.
//   sample    some rows are read and made ready          -> until the batch is full
//   rollout   the student answers some of them           -> ids
//   score     the teacher scores some responses          -> log-probabilities (left out when nothing is to be scored)
//   backward  one micro-batch forward and backward       -> gradients add up
//   update    clip, AdamW; after the batch's last mini-batch and pass the schedule, step += 1
//   evaluate  some held-out rows are answered greedily   -> every test_freq steps
//   probe     sink maps of the fixed rows                -> every probe_freq steps
//   publish   metrics.jsonl, rollouts, probes, TensorBoard, then the event
//   save      a checkpoint                               -> every save_freq steps and at the end; its seconds count to
//   the next step
// A disk that is full does not end a run: the unit that wrote leaves nothing half-written, the run is paused, and the unit is done
// again as soon as there is room.
// A step's numbers depend on configuration and seed alone: not on pauses, inspections or the split into micro-batches
// (there: but for rounding).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/event_file.h"
#include "engine/core/run_directory.h"
#include "engine/distill/checkpoint.h"
#include "engine/distill/optimizer.h"
#include "engine/distill/rewards.h"
#include "engine/distill/row_screen.h"
#include "engine/distill/student_step.h"
#include "engine/distill/training_data.h"
#include "engine/engine.h"
#include "engine/model/generation.h"

namespace cuescope {

/// What a run is made of. Run::open makes it from a configuration; tests make it themselves.
struct RunParts {
  std::shared_ptr<Qwen3VL> student, teacher;  // teacher null: only the task reward counts; a live one is the student
  std::map<std::string, std::shared_ptr<Qwen3VL>> routedTeachers;  // by data_source
  std::shared_ptr<Qwen3VL> start;  // the student's own start, for actor.kl_loss_coef; may be the teacher
  std::shared_ptr<const Processor> studentProcessor, teacherProcessor;
  RowSource train, val;                                 // train: the rows that may be drawn
  std::map<std::string, std::int64_t> leftOut;          // training rows left out before the start, by reason
  std::optional<std::vector<std::int64_t>> askedRows;   // held-out rows of an evaluation; none: the first ones
  std::string studentFiles;  // folder whose tokenizer and processor files go into checkpoints
  std::vector<std::string> changed;  // when a run goes on: settings, data and models that are no longer what they were
};

/// Which parameters train: what the configuration freezes and injections that never act are switched off.
Optimizer::Named selectTrainable(Qwen3VL& student, const RunConfig& config);

/// Updates that one batch gives: its mini-batches, actor.ppo_epochs times.
std::size_t updatesPerBatch(const RunConfig& config);

class Run final : public TrainingRun {
 public:
  /// Validates (all complaints in one Error), chooses the run's folder, locks it, loads models and data, resumes if
  /// asked. A name that is taken gets a number, unless the run is resumed.
  static std::unique_ptr<Run> open(const RunConfig& config, const EngineOptions& options, const EventSink& sink,
                                   std::stop_token stop);

  /// `directory` is locked until the run is destroyed. `resumeFrom`: a checkpoint whose weights `parts.student` already
  /// has.
  Run(const RunConfig& config, RunParts parts, const std::string& directory, const std::string& resumeFrom,
      EventSink sink);
  ~Run() override;

  bool advance(std::stop_token stop) override;
  RunStatus status() const override { return m_status; }
  std::string checkpoint() override;
  void stop(bool save) override;
  void setPaused(bool paused) override;
  const RunConfig& config() const override { return m_config; }

  std::shared_ptr<Qwen3VL> student() const { return m_parts.student; }
  std::shared_ptr<Qwen3VL> teacher() const { return m_parts.teacher; }
  std::shared_ptr<const Processor> studentProcessor() const { return m_parts.studentProcessor; }
  std::shared_ptr<const Processor> teacherProcessor() const { return m_parts.teacherProcessor; }
  const std::string& directory() const { return m_writer.directory(); }

 private:
  enum class Phase { Sample, Rollout, Score, Backward, Update, Evaluate, Probe, Publish, Save, Done };
  static const char* phaseName(Phase phase);

  /// The step that is being made.
  struct Batch {
    std::vector<std::unique_ptr<ReadyRow>> prompts;
    std::vector<Generated> responses;  // rollout.n of each prompt, side by side
    std::vector<TrainingRow> rows;
    std::vector<Reward> rewards;
    std::vector<at::Tensor> studentLogProbs;
    std::vector<std::pair<std::size_t, std::size_t>> parts;  // of score or backward
    std::size_t nextPart = 0;
    std::size_t update = 0;  // of updatesPerBatch()
    double gradNorm = 0;     // sum over the updates
    LossNormalizers normalizers;  // of the rows of this update
    LossMetrics metrics;
    double loss = 0;
    std::int64_t tokens = 0;
    double lossBefore = 0;        // of this update: what a repetition goes back to
    LossMetrics metricsBefore;
    std::size_t logProbsBefore = 0;
  };
  struct Evaluation {
    std::int64_t next = 0, total = 0, answered = 0, tokens = 0, skipped = 0;
    double right = 0, format = 0;
    std::map<std::string, std::pair<double, double>> byKind;  // right, asked
    struct Sums {
      double right = 0, format = 0, score = 0, asked = 0;
    };
    std::map<std::string, Sums> bySource;
  };

  void computeInBfloat16();
  void unit(std::stop_token stop);
  void work(std::stop_token stop);
  /// One row made ready; null with its problem when it cannot be used. Throws where such a row ends the run.
  std::unique_ptr<ReadyRow> readyRow(const RowSource& source, std::int64_t index, RowUse use, RowProblem* problem) const;
  void sampleRows();
  void rolloutBlock(std::stop_token stop);
  bool decodeResponses(std::stop_token stop);  // true when all have ended
  void scorePart();
  void backwardPart();
  void update();
  void evaluateBlock(std::stop_token stop);
  void probe();
  void publish();
  void save();
  /// Takes up the run where the checkpoint stands; what the folder holds of later steps is put aside.
  void goOnFrom(const std::string& checkpoint);
  /// The step whose update is done and whose row is not written; nothing between two steps.
  std::optional<PendingStep> pendingStep() const;
  void enter(Phase phase);
  /// The disk is full (run_disk.cpp): the run is paused and does the unit again when there is room.
  void waitForRoom(const DiskFull& full);
  bool roomAgain(std::stop_token stop);
  void goOn();
  void tellStatus();  // status.json as well, if the disk takes it
  void afterUpdate();
  void startEvaluation();
  std::int64_t evaluationRows() const;  // of one unit
  void judgeResponses();
  void stepMetrics(const Optimizer::Result& result);
  void responseMetrics();
  void timeMetrics();
  bool scoresResponses() const;
  bool recomputesOld() const;  // log-probabilities of the policy before the first of several updates
  void scoreRows(std::size_t begin, std::size_t end);
  void contrastRows(Teacher& teacher, const std::vector<std::size_t>& rows);
  void useAnswersOfTheData(std::size_t begin, std::size_t end);
  std::size_t rowsPerUpdate() const;
  void beginUpdate();
  /// Finishes the updates of a batch of which some are done: a checkpoint in between could not be resumed.
  void finishUpdates();
  void finish(RunState state);
  void report();
  /// Memory ran out in this unit: halves what is held at once, so that the unit, or what the step did in its phase, is done
  /// again with the same result. Throws Error with the plan after three times in one step, or when the policy is to stop.
  void relieve(LossMetrics&& before);
  void warnOfGap(double gap);
  RunPlan planOfBatch() const;
  void splitFrom(std::size_t first);  // the parts of score from nextPart on, which begin with this row
  std::size_t responseCount() const { return m_batch.prompts.size() * static_cast<std::size_t>(m_config.rollout.n); }
  const ReadyRow& promptOf(std::size_t response) const {
    return *m_batch.prompts[response / static_cast<std::size_t>(m_config.rollout.n)];
  }
  std::string rolloutLines() const;
  bool due(int frequency) const { return frequency > 0 && m_committed.step % frequency == 0; }

  RunConfig m_config;
  RunParts m_parts;
  RunWriter m_writer;
  EventFileWriter m_events;  // tensorboard/ of the run directory
  EventSink m_sink;
  StepOptions m_options;
  std::unique_ptr<Teachers> m_teacher;
  std::shared_ptr<Teacher> m_start;  // of actor.kl_loss_coef; the teacher itself where that is the student's own start
  Optimizer m_optimizer;
  Preparer m_preparer;
  DataCursor m_cursor;
  std::unique_ptr<VisionCache> m_studentVision;  // frozen tower only
  std::vector<std::unique_ptr<ReadyRow>> m_probeRows;
  std::size_t m_probesShown = 0;
  bool m_probesReady = false, m_warnedMismatch = false;

  Phase m_phase = Phase::Sample;
  RunStatus m_status;
  TrainerState m_committed;  // after the last update; what a checkpoint holds
  std::map<std::string, std::int64_t> m_skipped;  // rows left out when they were drawn, by reason
  Batch m_batch;
  Evaluation m_evaluation;
  StepSnapshot m_snapshot;
  std::string m_pendingRollouts;  // of a step that a checkpoint left open; its responses themselves are gone
  std::map<std::string, double> m_lastMetrics;
  std::unique_ptr<Generation> m_rollout;  // the rollout that is under way
  std::int64_t m_microTokens, m_places = 0;  // packed tokens of one pass; responses at once, 0: as configured
  int m_shortages = 0;                       // of memory, in this step
  std::string m_shortage;                    // what the last one said
  struct Waiting {
    std::string path;
    std::uint64_t bytes = 0, told = 0;  // that are needed; that were spoken of
    std::chrono::steady_clock::time_point nextTry;
    std::chrono::milliseconds pause{0};
  };
  std::optional<Waiting> m_waiting;  // for room on the disk
  int m_published = 0;               // files of this step that are written: a publication that is repeated leaves them alone
  double m_stepSeconds = 0;  // of this step so far
  double m_processorSeconds = 0;  // of all threads meanwhile
  double m_matrixRate = 0;   // operations a second of this machine's matrix products; measured with the first step
  double m_meanStepSeconds = 0;
};

/// float32 values of a tensor on any device; empty when it is undefined.
std::vector<float> toVector(const at::Tensor& tensor);
/// Wilson's 95 % interval of a share.
std::pair<double, double> wilson(double right, double n);

}  // namespace cuescope
