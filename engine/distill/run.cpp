#include "engine/distill/run.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <utility>

#include "engine/core/failure.h"
#include "engine/core/set_aside.h"
#include "engine/distill/memory.h"
#include "engine/distill/plan_sizes.h"

namespace cuescope {
namespace {

using Clock = std::chrono::steady_clock;

// Of all threads of this process.
double processorSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double startSeconds(const std::string& directory) {
  std::filesystem::create_directories(directory + "/tensorboard");
  cutTornRecords(directory + "/tensorboard");
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

OptimizerOptions optimizerOptions(const RunConfig& config) {
  const auto& a = config.actor;
  return {.lr = a.lr,
          .beta1 = a.beta1,
          .beta2 = a.beta2,
          .eps = a.eps,
          .weightDecay = a.weightDecay,
          .gradClip = a.gradClip,
          .schedule = a.lrSchedule,
          .warmupSteps = a.lrWarmupSteps,
          .totalSteps = config.trainer.totalTrainingSteps,
          .lrCue = a.lrCue,
          .lrVision = a.lrVision,
          .lrLanguage = a.lrLanguage,
          .noDecayNorms = a.noDecayNorms,
          .nonfinite = a.nonfinite};
}

std::unique_ptr<Teachers> teachersOf(const RunConfig& config, const RunParts& parts) {
  if (!parts.teacher) return nullptr;
  const std::string& kind = config.teacher.kind;
  const bool live = kind == "live", moves = live || kind == "ema";
  TeacherOptions options{.freezes = !live,
                         .cachesVision = !moves || config.student.freezeVision,
                         .headChanges = live && updatesPerBatch(config) > 1,
                         .fixed = !moves,
                         .temperature = config.rollout.temperature};
  auto teachers = std::make_unique<Teachers>(std::make_shared<Teacher>(parts.teacher, options));
  for (const auto& [source, model] : parts.routedTeachers) teachers->route(source, std::make_unique<Teacher>(model, TeacherOptions{.temperature = config.rollout.temperature}));
  return teachers;
}

/// What it has read of pictures and prompts is kept once, also where it is the teacher too.
std::shared_ptr<Teacher> startOf(const RunConfig& config, const RunParts& parts, const Teachers* teachers) {
  if (!parts.start) return nullptr;
  if (teachers && parts.start == parts.teacher) return teachers->usual();
  return std::make_shared<Teacher>(parts.start, TeacherOptions{.temperature = config.rollout.temperature});
}

}  // namespace

Optimizer::Named selectTrainable(Qwen3VL& student, const RunConfig& config) {
  const auto& active = student.config().cue.active;
  Optimizer::Named trainable;
  for (auto& item : student.named_parameters()) {
    const std::string& name = item.key();
    const bool cue = name.find(".sink_") != std::string::npos;
    bool trains =
        cue || !(name.find("model.visual.") == 0 ? config.student.freezeVision : config.student.freezeLanguage);
    if (auto at = name.find("sink_cross_attns."); at != std::string::npos) {
      const std::int64_t layer = std::atoll(name.c_str() + at + 17);
      trains = std::find(active.begin(), active.end(), layer) != active.end();  // spec 7-B5
    }
    item.value().set_requires_grad(trains);
    if (trains) trainable.emplace_back(name, item.value());
  }
  if (trainable.empty())
    throw Error("Nothing can learn", "student", "every parameter is frozen",
                "Unfreeze a part of the student or add cue recovery.");
  return trainable;
}

const char* Run::phaseName(Phase phase) {
  switch (phase) {
    case Phase::Sample:
      return "sample";
    case Phase::Rollout:
      return "rollout";
    case Phase::Score:
      return "score";
    case Phase::Backward:
      return "backward";
    case Phase::Update:
      return "update";
    case Phase::Evaluate:
      return "evaluate";
    case Phase::Probe:
      return "probe";
    case Phase::Publish:
      return "publish";
    case Phase::Save:
      return "save";
    case Phase::Done:
      return "";
  }
  return "";
}

Run::Run(const RunConfig& config, RunParts parts, const std::string& directory, const std::string& resumeFrom,
         EventSink sink)
    : m_config(config),
      m_parts(std::move(parts)),
      m_writer(directory),
      m_events(directory + "/tensorboard", startSeconds(directory)),
      m_sink(std::move(sink)),
      m_options(stepOptions(config)),
      m_teacher(teachersOf(config, m_parts)),
      m_start(startOf(config, m_parts, m_teacher.get())),
      m_optimizer(selectTrainable(*m_parts.student, config), optimizerOptions(config)),
      m_preparer(config, m_parts.studentProcessor,
                 m_teacher ? (m_parts.teacherProcessor ? m_parts.teacherProcessor : m_parts.studentProcessor) : nullptr,
                 m_teacher ? m_teacher->positions() : 0),
      m_cursor(m_parts.train.size, config.data.shuffle, config.trainer.seed),
      m_microTokens(config.actor.microBatchTokens) {
  if (usesTeacher(config) && !m_teacher)
    throw Error("The run has no teacher", "teacher.path", "the distillation loss needs one",
                "Name a teacher, or set distillation_loss_coef to 0.");
  if (config.actor.klLossCoef != 0 && !m_start)
    throw Error("The run has no start to stay near", "actor.kl_loss_coef", "the student's own start is missing",
                "Set actor.kl_loss_coef to 0.");
  if (m_teacher && config.teacher.kind == "ema") {
    Optimizer::Named averages;
    for (auto& item : m_parts.teacher->named_parameters()) averages.emplace_back(item.key(), item.value());
    m_optimizer.follow(averages, config.teacher.emaDecay, config.teacher.emaEvery);
  }
  if (m_parts.train.size < 1 && !config.trainer.valOnly)
    throw Error("There is nothing to learn from", "data.train_files", "the files hold no rows", "Check the data.");
  if (config.student.freezeVision) m_studentVision = std::make_unique<VisionCache>();
  const auto slash = directory.find_last_of('/');
  m_status.run = slash == std::string::npos ? directory : directory.substr(slash + 1);
  m_status.directory = directory;
  m_status.totalSteps = config.trainer.totalTrainingSteps;
  m_writer.writeConfig(writeConfig(m_config));
  pruneCheckpoints(directory, 0);
  if (!resumeFrom.empty()) {
    goOnFrom(resumeFrom);
  } else {
    m_writer.truncateAfter(-1);
    const bool evaluates =
        (m_config.trainer.valBeforeTrain || m_config.trainer.valOnly) && m_parts.val.size > 0;
    if (evaluates) startEvaluation();
    m_phase = evaluates                                                ? Phase::Evaluate
              : m_config.trainer.probeFreq > 0 && m_parts.val.size > 0 ? Phase::Probe
                                                                       : Phase::Sample;
  }
  computeInBfloat16();  // after the weights have come back
  if (m_config.rollout.temperature != 1.0 && m_options.loss.mode != LossMode::Sft && m_sink)
    m_sink(LogLine{"rollout.temperature is not 1: what the sampler and the training say of a token cannot be compared, so the rollout gap is not watched."});
  m_snapshot.run = m_status.run;
  m_status.phase = phaseName(m_phase);
  m_writer.writeStatus(m_status);
}

Run::~Run() = default;

void Run::computeInBfloat16() {
  if (computeTypeOf(m_config) != "bfloat16") return;
  // All models of the run: a start or an average that computed otherwise would differ from the student before anything is learnt.
  std::vector<Qwen3VL*> models{m_parts.student.get(), m_parts.teacher.get(), m_parts.start.get()};
  for (const auto& [source, model] : m_parts.routedTeachers) models.push_back(model.get());
  for (Qwen3VL* model : models)
    if (model && model->activationType() != at::kBFloat16) model->setActivationType(at::kBFloat16);
  if (m_sink && m_parts.student->device().is_cpu() && !cpuComputesBfloat16())
    m_sink(LogLine{"This processor has no bfloat16 instructions: actor.dtype bfloat16 is slower here than float32."});
}

void Run::goOnFrom(const std::string& checkpoint) {
  m_committed = loadTrainerState(checkpoint, m_optimizer);
  const std::optional<PendingStep> open = std::exchange(m_committed.pending, std::nullopt);
  const int step = m_committed.step;
  m_cursor.restore(m_committed.epoch, m_committed.position);
  m_skipped = m_committed.skipped;
  // Steps that were done and not saved are made again and come out the same, unless something has changed.
  const std::string aside = setLaterStepsAside(m_writer.directory(), step, !m_parts.changed.empty());
  if (!aside.empty() && m_sink)
    m_sink(LogLine{"The run goes on from step " + std::to_string(step) + ". What it held of later steps was put aside, as a run of its own: " + aside});
  m_writer.truncateAfter(open ? step - 1 : step);
  m_events.restart(open ? step : step + 1, startSeconds(m_writer.directory()));
  m_status.step = step;
  if (!open) {
    m_lastMetrics = checkpointMetrics(checkpoint);
    if (step < m_status.totalSteps) return;
    m_phase = Phase::Done;
    m_status.state = RunState::Completed;
    return;
  }
  m_snapshot.metrics = open->metrics;
  m_snapshot.phaseSeconds = open->phaseSeconds;
  m_stepSeconds = open->seconds;
  m_batch.tokens = open->tokens;
  m_pendingRollouts = open->rollouts;
  const bool heldOut = m_parts.val.size > 0;
  m_phase = open->phase == "evaluate" && heldOut ? Phase::Evaluate : open->phase == "probe" && heldOut ? Phase::Probe : Phase::Publish;
  if (m_phase == Phase::Evaluate) startEvaluation();
}

std::optional<PendingStep> Run::pendingStep() const {
  if (m_phase != Phase::Evaluate && m_phase != Phase::Probe && m_phase != Phase::Publish) return std::nullopt;
  PendingStep open;
  // Maps are drawn again rather than kept: it takes a moment, and they are many numbers.
  open.phase = phaseName(m_phase == Phase::Publish && !m_snapshot.probes.empty() ? Phase::Probe : m_phase);
  open.metrics = m_snapshot.metrics;
  open.phaseSeconds = m_snapshot.phaseSeconds;
  open.seconds = m_stepSeconds;
  open.tokens = m_batch.tokens;
  if (m_committed.step > 0 && due(m_config.trainer.rolloutSaveFreq)) open.rollouts = m_batch.rows.empty() ? m_pendingRollouts : rolloutLines();
  return open;
}

bool Run::advance(std::stop_token stop) {
  if (m_phase == Phase::Done && !m_waiting) return false;
  if (stop.stop_requested()) throw Cancelled();
  if (m_waiting && !roomAgain(stop)) return true;
  try {
    if (m_phase != Phase::Done) {
      m_status.state = RunState::Running;
      const Phase worked = m_phase;
      const auto begin = Clock::now();
      const double processorBefore = processorSeconds();
      unit(stop);
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      m_processorSeconds += processorSeconds() - processorBefore;
      m_committed.seconds += seconds;
      m_stepSeconds += seconds;
      m_snapshot.phaseSeconds[phaseName(worked)] += seconds;
    }
    report();
    goOn();
  } catch (const Cancelled&) {
    throw;
  } catch (const DiskFull& full) {
    waitForRoom(full);
    return true;
  } catch (...) {
    m_status.state = RunState::Failed;
    tellStatus();
    throw;
  }
  return m_phase != Phase::Done;
}

void Run::unit(std::stop_token stop) {
  LossMetrics before = m_batch.metrics;
  try {
    return work(stop);
  } catch (const std::exception& error) {
    if (!isOutOfMemory(error)) throw;
    m_shortage = error.what();
  }
  // Outside the handler: what the failed unit held is free by now.
  relieve(std::move(before));
}

void Run::work(std::stop_token stop) {
  switch (m_phase) {
    case Phase::Sample:
      return sampleRows();
    case Phase::Rollout:
      return rolloutBlock(stop);
    case Phase::Score:
      return scorePart();
    case Phase::Backward:
      return backwardPart();
    case Phase::Update:
      return update();
    case Phase::Evaluate:
      return evaluateBlock(stop);
    case Phase::Probe:
      return probe();
    case Phase::Publish:
      return publish();
    case Phase::Save:
      return save();
    case Phase::Done:
      return;
  }
}

void Run::enter(Phase phase) {
  m_phase = phase;
  m_status.phaseDone = m_status.phaseTotal = 0;
}

void Run::report() {
  m_status.phase = phaseName(m_phase);
  const int left = m_status.totalSteps - m_status.step;
  m_status.secondsLeft = m_phase == Phase::Done  ? 0
                         : m_meanStepSeconds > 0 ? std::max(0.0, left * m_meanStepSeconds - m_stepSeconds)
                                                 : -1;
  m_writer.writeStatus(m_status);
  if (m_sink) m_sink(m_status);
}

void Run::finishUpdates() {
  while (m_batch.update > 0 && (m_phase == Phase::Backward || m_phase == Phase::Update)) unit({});
}

std::string Run::checkpoint() {
  finishUpdates();
  TrainerState state = m_committed;
  state.pending = pendingStep();
  const std::string folder = writeCheckpoint(m_writer.directory(), *m_parts.student, m_optimizer, state, m_parts.studentFiles,
                                             state.pending ? state.pending->metrics : m_lastMetrics, writeConfig(m_config));
  pruneCheckpoints(m_writer.directory(), m_config.trainer.maxCkptToKeep);
  return folder;
}

void Run::stop(bool save) {
  if (m_phase == Phase::Done) return;
  if (save) finishUpdates();
  // A checkpoint keeps what is open of the step. Without one, what the step's row has by now is all that is left of it.
  if (save) {
    checkpoint();
  } else if (m_committed.step > 0 && pendingStep()) {
    try {
      publish();
    } catch (const DiskFull&) {  // the step is made again, whether its row is there or not
    }
  }
  finish(RunState::Stopped);
  m_waiting.reset();
  m_status.phase.clear();
  m_status.secondsLeft = 0;
  tellStatus();
}

void Run::setPaused(bool paused) {
  if (m_phase == Phase::Done) return;
  m_status.state = paused ? RunState::Paused : RunState::Running;
  if (m_waiting && !paused) m_waiting->nextTry = {};  // whoever asks has made room, or wants to know
  try {
    m_writer.writeStatus(m_status);
  } catch (const DiskFull&) {  // the file comes later
  }
}

void Run::finish(RunState state) {
  enter(Phase::Done);
  m_status.state = state;
}

}  // namespace cuescope
