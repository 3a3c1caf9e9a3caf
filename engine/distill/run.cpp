#include "engine/distill/run.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/distill/probe_maps.h"
#include "engine/distill/rollout.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

constexpr std::size_t kRowsPerSampleUnit = 8;    // decoding and resizing, about 5 ms a row
constexpr std::size_t kProbeRows = 16;           // rows behind the cue curves; the first ones are shown
constexpr std::size_t kDefaultProbesShown = 4;
constexpr double kMismatchAlarm = 0.02;          // spec 7-A8, nats

using Clock = std::chrono::steady_clock;

double residentGigabytes() {
  std::ifstream in("/proc/self/statm");
  double pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e9;
}

std::vector<float> toVector(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  at::Tensor host = tensor.to(at::kCPU, at::kFloat).contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
}

bool due(int step, int frequency) { return frequency > 0 && step % frequency == 0; }

OptimizerOptions optimizerOptions(const RunConfig& config) {
  const auto& a = config.actor;
  return {a.lr, a.beta1, a.beta2, a.eps, a.weightDecay, a.gradClip, a.lrSchedule, a.lrWarmupSteps, config.trainer.totalTrainingSteps};
}

}  // namespace

std::pair<double, double> wilson(double right, double n) {
  if (n <= 0) return {0, 1};
  constexpr double z = 1.959963984540054;
  const double p = right / n, centre = p + z * z / (2 * n), spread = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)), scale = 1 + z * z / n;
  return {std::max(0.0, (centre - spread) / scale), std::min(1.0, (centre + spread) / scale)};
}

Optimizer::Named selectTrainable(Qwen3VL& student, const RunConfig& config) {
  const auto& active = student.config().cue.active;
  Optimizer::Named trainable;
  for (auto& item : student.named_parameters()) {
    const std::string& name = item.key();
    const bool cue = name.find(".sink_") != std::string::npos;
    bool trains = cue || !(name.find("model.visual.") == 0 ? config.student.freezeVision : config.student.freezeLanguage);
    if (auto at = name.find("sink_cross_attns."); at != std::string::npos) {
      const std::int64_t layer = std::atoll(name.c_str() + at + 17);
      trains = std::find(active.begin(), active.end(), layer) != active.end();  // spec 7-B5
    }
    item.value().set_requires_grad(trains);
    if (trains) trainable.emplace_back(name, item.value());
  }
  if (trainable.empty()) throw Error("Nothing can learn", "student", "every parameter is frozen", "Unfreeze a part of the student or add cue recovery.");
  return trainable;
}

const char* Run::phaseName(Phase phase) {
  switch (phase) {
    case Phase::Sample: return "sample";
    case Phase::Rollout: return "rollout";
    case Phase::Score: return "score";
    case Phase::Backward: return "backward";
    case Phase::Update: return "update";
    case Phase::Evaluate: return "evaluate";
    case Phase::Probe: return "probe";
    case Phase::Publish: return "publish";
    case Phase::Save: return "save";
    case Phase::Done: return "";
  }
  return "";
}

Run::Run(const RunConfig& config, RunParts parts, const std::string& directory, const std::string& resumeFrom, EventSink sink)
    : m_config(config),
      m_parts(std::move(parts)),
      m_writer(directory),
      m_sink(std::move(sink)),
      m_options(stepOptions(config)),
      m_teacher(m_parts.teacher ? std::make_unique<Teacher>(m_parts.teacher) : nullptr),
      m_optimizer(selectTrainable(*m_parts.student, config), optimizerOptions(config)),
      m_preparer(config, m_parts.studentProcessor, m_teacher ? (m_parts.teacherProcessor ? m_parts.teacherProcessor : m_parts.studentProcessor) : nullptr,
                 m_teacher ? m_parts.teacher->config().text.maxPositions : 0),
      m_cursor(m_parts.train.size, config.data.shuffle, config.trainer.seed) {
  if (m_options.distill && !m_teacher) throw Error("The run has no teacher", "teacher.path", "the distillation loss needs one", "Name a teacher, or set distillation_loss_coef to 0.");
  if (m_parts.train.size < 1) throw Error("There is nothing to learn from", "data.train_files", "the files hold no rows", "Check the data.");
  if (config.student.freezeVision) m_studentVision = std::make_unique<VisionCache>();
  const auto slash = directory.find_last_of('/');
  m_status.run = slash == std::string::npos ? directory : directory.substr(slash + 1);
  m_status.directory = directory;
  m_status.totalSteps = config.trainer.totalTrainingSteps;
  m_writer.writeConfig(writeConfig(config));
  pruneCheckpoints(directory, 0);
  if (!resumeFrom.empty()) {
    m_committed = loadTrainerState(resumeFrom, m_optimizer);
    m_cursor.restore(m_committed.epoch, m_committed.position);
    m_skippedRows = m_committed.skippedRows;
    dropCheckpointsAfter(directory, m_committed.step);
    m_writer.truncateAfter(m_committed.step);
    m_status.step = m_committed.step;
    if (m_committed.step >= m_status.totalSteps) {
      m_phase = Phase::Done;
      m_status.state = RunState::Completed;
    }
  } else {
    m_writer.truncateAfter(-1);
    const bool evaluates = m_config.trainer.valBeforeTrain && m_parts.val.size > 0;
    if (evaluates) startEvaluation();
    m_phase = evaluates ? Phase::Evaluate : m_config.trainer.probeFreq > 0 && m_parts.val.size > 0 ? Phase::Probe : Phase::Sample;
  }
  m_snapshot.run = m_status.run;
  m_writer.writeStatus(m_status);
}

Run::~Run() = default;

bool Run::advance(std::stop_token stop) {
  if (m_phase == Phase::Done) return false;
  if (stop.stop_requested()) throw Cancelled();
  m_status.state = RunState::Running;
  const Phase worked = m_phase;
  const auto begin = Clock::now();
  try {
    unit(stop);
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    m_status.state = RunState::Failed;
    m_writer.writeStatus(m_status);
    if (m_sink) m_sink(m_status);
    throw;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  m_committed.seconds += seconds;
  m_stepSeconds += seconds;
  m_snapshot.phaseSeconds[phaseName(worked)] += seconds;
  report();
  return m_phase != Phase::Done;
}

void Run::unit(std::stop_token stop) {
  switch (m_phase) {
    case Phase::Sample: return sampleRows();
    case Phase::Rollout: return rolloutBlock(stop);
    case Phase::Score: return scorePart();
    case Phase::Backward: return backwardPart();
    case Phase::Update: return update();
    case Phase::Evaluate: return evaluateBlock(stop);
    case Phase::Probe: return probe();
    case Phase::Publish: return publish();
    case Phase::Save:
      checkpoint();
      if (m_committed.step >= m_status.totalSteps) return finish(RunState::Completed);
      return enter(Phase::Sample);
    case Phase::Done: return;
  }
}

void Run::enter(Phase phase) {
  m_phase = phase;
  m_status.phaseDone = m_status.phaseTotal = 0;
}

void Run::report() {
  m_status.phase = phaseName(m_phase);
  const int left = m_status.totalSteps - m_status.step;
  m_status.secondsLeft = m_phase == Phase::Done ? 0 : m_meanStepSeconds > 0 ? std::max(0.0, left * m_meanStepSeconds - m_stepSeconds) : -1;
  m_writer.writeStatus(m_status);
  if (m_sink) m_sink(m_status);
}

// ------------------------------------------------------------------------------------------------------------------ a step

void Run::sampleRows() {
  const auto wanted = static_cast<std::size_t>(m_config.data.trainBatchSize);
  if (m_batch.prompts.empty()) m_cursor.beginBatch(m_config.data.trainBatchSize);
  std::int64_t refused = 0;
  for (std::size_t i = 0; i < kRowsPerSampleUnit && m_batch.prompts.size() < wanted;) {
    const std::int64_t index = m_cursor.next();
    std::string reason;
    std::unique_ptr<ReadyRow> ready;
    try {
      ready = m_preparer.prepare(m_parts.train.row(index), &reason);
    } catch (const Error& error) {
      reason = error.what();
    }
    if (ready) {
      if (ready->sample.id.empty()) ready->sample.id = "row " + std::to_string(index);
      m_batch.prompts.push_back(std::move(ready));
      ++i;
    } else {
      ++m_skippedRows;
      if (m_sink) m_sink(LogLine{"Left out row " + std::to_string(index) + ": " + reason});
      if (++refused >= m_parts.train.size) throw Error("No row of the data can be used", "data.train_files", reason, "Raise data.max_prompt_length or repair the data.");
    }
  }
  m_status.phaseDone = static_cast<int>(m_batch.prompts.size());
  m_status.phaseTotal = static_cast<int>(wanted);
  if (m_batch.prompts.size() == wanted) enter(Phase::Rollout);
}

void Run::rolloutBlock(std::stop_token stop) {
  const std::size_t begin = m_batch.responses.size(), end = std::min(responseCount(), begin + rolloutBlockRows(*m_parts.student));
  std::vector<RowInput> prompts;
  for (std::size_t r = begin; r < end; ++r) prompts.push_back(promptOf(r).student);
  auto responses = rollout(*m_parts.student, prompts, m_config, m_committed.step, static_cast<std::int64_t>(begin), stop);
  std::move(responses.begin(), responses.end(), std::back_inserter(m_batch.responses));
  m_status.phaseDone = static_cast<int>(end);
  m_status.phaseTotal = static_cast<int>(responseCount());
  if (end < responseCount()) return;
  judgeResponses();
  enter(m_teacher && m_options.distill ? Phase::Score : Phase::Backward);
  std::vector<std::size_t> lengths;
  for (std::size_t r = 0; r < m_batch.rows.size(); ++r) {
    const RowInput& prompt = m_phase == Phase::Score ? promptOf(r).teacher : promptOf(r).student;
    lengths.push_back(prompt.ids.size() + m_batch.rows[r].response.size());
  }
  m_batch.parts = splitByTokens(lengths, static_cast<std::size_t>(m_config.actor.microBatchTokens));
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
}

void Run::judgeResponses() {
  std::vector<const TrainingRow*> all;
  m_batch.rows.resize(m_batch.responses.size());
  for (std::size_t r = 0; r < m_batch.responses.size(); ++r) {
    const ReadyRow& prompt = promptOf(r);
    TrainingRow& row = m_batch.rows[r];
    row.prompt = &prompt.student;
    row.response = m_batch.responses[r].ids;
    m_batch.rewards.push_back(judge(m_parts.studentProcessor->tokenizer().decode(row.response, true), prompt.sample.groundTruth, prompt.think));
    row.reward = m_batch.rewards.back().score;
    m_batch.tokens += static_cast<std::int64_t>(prompt.student.ids.size() + row.response.size());
    all.push_back(&row);
  }
  const auto n = static_cast<std::size_t>(m_config.rollout.n);
  for (std::size_t begin = 0; begin < m_batch.rows.size(); begin += n) {
    std::vector<double> group;
    for (std::size_t r = begin; r < begin + n; ++r) group.push_back(m_batch.rows[r].reward);
    const auto advantages = groupAdvantages(group);
    for (std::size_t r = begin; r < begin + n; ++r) m_batch.rows[r].advantage = advantages[r - begin];
  }
  m_batch.normalizers = normalizersOf(all, m_config.data.maxResponseLength);
}

void Run::scorePart() {
  const auto [begin, end] = m_batch.parts[m_batch.nextPart];
  std::vector<const RowInput*> prompts;
  std::vector<const TokenIds*> responses;
  for (std::size_t r = begin; r < end; ++r) {
    prompts.push_back(&promptOf(r).teacher);
    responses.push_back(&m_batch.rows[r].response);
  }
  auto scores = m_teacher->score(prompts, responses, teacherTopK(m_config));
  for (std::size_t r = begin; r < end; ++r) m_batch.rows[r].teacher = std::move(scores[r - begin]);
  m_status.phaseDone = static_cast<int>(++m_batch.nextPart);
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
  if (m_batch.nextPart < m_batch.parts.size()) return;
  enter(Phase::Backward);
  std::vector<std::size_t> lengths;
  for (const auto& row : m_batch.rows) lengths.push_back(row.prompt->ids.size() + row.response.size());
  m_batch.parts = splitByTokens(lengths, static_cast<std::size_t>(m_config.actor.microBatchTokens));
  m_batch.nextPart = 0;
}

void Run::backwardPart() {
  if (m_batch.nextPart == 0) m_optimizer.zeroGrad();
  const auto [begin, end] = m_batch.parts[m_batch.nextPart];
  std::vector<const TrainingRow*> rows;
  for (std::size_t r = begin; r < end; ++r) rows.push_back(&m_batch.rows[r]);
  BackwardResult result = backwardRows(*m_parts.student, rows, m_options, m_batch.normalizers, m_studentVision.get());
  m_batch.loss += result.loss;
  m_batch.metrics.merge(result.metrics);
  std::move(result.studentLogProbs.begin(), result.studentLogProbs.end(), std::back_inserter(m_batch.studentLogProbs));
  m_status.phaseDone = static_cast<int>(++m_batch.nextPart);
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
  if (m_batch.nextPart == m_batch.parts.size()) enter(Phase::Update);
}

void Run::update() {
  for (std::int64_t layer : m_parts.student->config().cue.active) {
    const std::string prefix = "model.language_model.sink_cross_attns." + std::to_string(layer) + ".";
    double square = 0;
    for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) square += std::pow(m_optimizer.gradNorm(prefix + name + ".weight"), 2);
    m_snapshot.metrics["cue/grad_norm/L" + std::to_string(layer)] = std::sqrt(square);
  }
  const Optimizer::Result result = m_optimizer.step();
  ++m_committed.step;
  m_committed.epoch = m_cursor.epoch();
  m_committed.position = m_cursor.position();
  m_committed.skippedRows = m_skippedRows;
  m_committed.tokens += m_batch.tokens;
  m_status.step = m_committed.step;
  stepMetrics(result);
  if (result.skipped && m_sink) m_sink(LogLine{"Step " + std::to_string(m_committed.step) + ": the gradient is not finite; the update was left out."});
  afterUpdate();
}

void Run::afterUpdate() {
  const bool last = m_committed.step >= m_status.totalSteps;
  if (m_parts.val.size > 0 && (due(m_committed.step, m_config.trainer.testFreq) || (last && m_config.trainer.testFreq > 0))) {
    startEvaluation();
    return enter(Phase::Evaluate);
  }
  enter(m_parts.val.size > 0 && due(m_committed.step, m_config.trainer.probeFreq) ? Phase::Probe : Phase::Publish);
}

void Run::stepMetrics(const Optimizer::Result& result) {
  auto& m = m_snapshot.metrics;
  for (const auto& [name, value] : m_batch.metrics.values()) {
    const bool trainerSide = name.starts_with("distillation/") && !name.starts_with("distillation/gap");
    m[trainerSide ? "actor/" + name : name] = value;
  }
  m["actor/loss"] = m_batch.loss;
  m["actor/grad_norm"] = result.gradNorm;
  m["actor/lr"] = result.lr;
  m["actor/skipped_updates"] = static_cast<double>(m_optimizer.skipped());
  double lengths = 0, shortest = 1e18, longest = 0, clipped = 0, score = 0, right = 0, format = 0, prompts = 0, hits = 0, lowest = 1e18, highest = -1e18;
  double difference = 0, tokens = 0;
  const double n = static_cast<double>(m_batch.rows.size());
  for (std::size_t r = 0; r < m_batch.rows.size(); ++r) {
    const auto length = static_cast<double>(m_batch.rows[r].response.size());
    lengths += length;
    shortest = std::min(shortest, length);
    longest = std::max(longest, length);
    clipped += m_batch.responses[r].stopped ? 0 : 1;
    score += m_batch.rewards[r].score;
    lowest = std::min(lowest, m_batch.rewards[r].score);
    highest = std::max(highest, m_batch.rewards[r].score);
    right += m_batch.rewards[r].accuracy;
    format += m_batch.rewards[r].format;
    prompts += static_cast<double>(promptOf(r).student.ids.size());
    hits += promptOf(r).privileged ? 1 : 0;
    const auto trained = toVector(m_batch.studentLogProbs[r]);
    const auto& sampled = m_batch.responses[r].logProbs;
    for (std::size_t t = 0; t < std::min(trained.size(), sampled.size()); ++t, ++tokens) difference += std::abs(static_cast<double>(trained[t]) - static_cast<double>(sampled[t]));
  }
  m["response_length/mean"] = lengths / n;
  m["response_length/min"] = shortest;
  m["response_length/max"] = longest;
  m["response_length/clip_ratio"] = clipped / n;
  m["prompt_length/mean"] = prompts / n;
  m["critic/score/mean"] = score / n;
  m["critic/score/min"] = lowest;
  m["critic/score/max"] = highest;
  m["critic/accuracy/mean"] = right / n;
  m["critic/format/mean"] = format / n;
  if (m_teacher) m["distillation/teacher_prompt_hit_rate"] = hits / n;
  m["training/global_step"] = m_committed.step;
  m["training/epoch"] = static_cast<double>(m_committed.epoch);
  m["training/skipped_rows"] = static_cast<double>(m_committed.skippedRows);
  m["perf/total_num_tokens"] = static_cast<double>(m_batch.tokens);
  if (tokens > 0 && m_config.rollout.temperature == 1.0) {
    m["training/rollout_logprob_diff_mean"] = difference / tokens;
    if (difference / tokens > kMismatchAlarm && !std::exchange(m_warnedMismatch, true) && m_sink) {
      m_sink(LogLine{"The sampled policy and the trained one differ by " + std::to_string(difference / tokens) + " nats a token (alarm above 0.02)."});
    }
  }
}

// ----------------------------------------------------------------------------------------------- evaluation, probes, publishing

void Run::startEvaluation() {
  m_evaluation = {};
  m_evaluation.total = std::min<std::int64_t>(m_config.data.valMaxSamples, m_parts.val.size);
}

void Run::evaluateBlock(std::stop_token stop) {
  const std::int64_t end = std::min(m_evaluation.total, m_evaluation.next + static_cast<std::int64_t>(rolloutBlockRows(*m_parts.student)));
  std::vector<std::unique_ptr<ReadyRow>> rows;
  std::vector<RowInput> prompts;
  for (std::int64_t i = m_evaluation.next; i < end; ++i) {
    std::string reason;
    if (auto row = m_preparer.prepare(m_parts.val.row(i), &reason)) {
      prompts.push_back(row->student);
      rows.push_back(std::move(row));
    } else if (m_sink) {
      m_sink(LogLine{"Left out held-out row " + std::to_string(i) + ": " + reason});
    }
  }
  std::vector<Generated> answers;
  if (!prompts.empty()) answers = greedyAnswers(*m_parts.student, prompts, m_config.data.maxResponseLength, stop);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Reward reward = judge(m_parts.studentProcessor->tokenizer().decode(answers[i].ids, true), rows[i]->sample.groundTruth, rows[i]->think);
    m_evaluation.right += reward.accuracy;
    m_evaluation.format += reward.format;
    m_evaluation.tokens += static_cast<std::int64_t>(answers[i].ids.size());
    ++m_evaluation.answered;
    if (!rows[i]->sample.kind.empty()) {
      auto& [right, asked] = m_evaluation.byKind[rows[i]->sample.kind];
      right += reward.accuracy;
      ++asked;
    }
  }
  m_evaluation.next = end;
  m_status.phaseDone = static_cast<int>(end);
  m_status.phaseTotal = static_cast<int>(m_evaluation.total);
  if (end < m_evaluation.total) return;
  const auto n = static_cast<double>(m_evaluation.answered);
  auto& m = m_snapshot.metrics;
  m["val/n"] = n;
  if (n > 0) {
    const auto [low, high] = wilson(m_evaluation.right, n);
    m["val/accuracy"] = m_evaluation.right / n;
    m["val/accuracy_low"] = low;
    m["val/accuracy_high"] = high;
    m["val/format"] = m_evaluation.format / n;
    m["val/response_length/mean"] = static_cast<double>(m_evaluation.tokens) / n;
    for (const auto& [kind, counts] : m_evaluation.byKind) m["val/accuracy/" + kind] = counts.first / counts.second;
  }
  enter(due(m_committed.step, m_config.trainer.probeFreq) ? Phase::Probe : Phase::Publish);
}

void Run::probe() {
  if (!m_probesReady) {  // the asked rows first, then the first ones, for steadier curves
    std::vector<std::int64_t> indexes(m_config.data.probeRows.begin(), m_config.data.probeRows.end());
    m_probesShown = indexes.empty() ? kDefaultProbesShown : indexes.size();
    for (std::int64_t i = 0; i < m_parts.val.size && indexes.size() < std::max(kProbeRows, m_probesShown); ++i) {
      if (std::find(indexes.begin(), indexes.end(), i) == indexes.end()) indexes.push_back(i);
    }
    for (std::int64_t i : indexes) {
      std::string reason = "there is no such row";
      std::unique_ptr<ReadyRow> row = i < m_parts.val.size ? m_preparer.prepare(m_parts.val.row(i), &reason) : nullptr;
      if (row) {
        if (row->sample.id.empty()) row->sample.id = "row " + std::to_string(i);
        m_probeRows.push_back(std::move(row));
      } else if (m_sink) {
        m_sink(LogLine{"Left out probe row " + std::to_string(i) + ": " + reason});
      }
    }
    m_probesReady = true;
  }
  std::vector<const ReadyRow*> rows;
  for (const auto& row : m_probeRows) rows.push_back(row.get());
  ProbeResult result = probeSink(*m_parts.student, rows, m_probesShown);
  m_snapshot.probes = std::move(result.maps);
  m_snapshot.metrics.insert(result.metrics.begin(), result.metrics.end());
  enter(Phase::Publish);
}

std::string Run::rolloutLines() const {
  std::string lines;
  const Tokenizer& tokenizer = m_parts.studentProcessor->tokenizer();
  for (std::size_t r = 0; r < m_batch.rows.size(); ++r) {
    const ReadyRow& prompt = promptOf(r);
    RolloutRecord record;
    record.step = m_committed.step;
    record.index = static_cast<int>(r);
    record.sampleId = prompt.sample.id;
    record.input = prompt.studentText;
    record.output = tokenizer.decode(m_batch.rows[r].response);
    record.groundTruth = prompt.sample.groundTruth;
    record.ids = m_batch.rows[r].response;
    record.studentLogProbs = toVector(m_batch.studentLogProbs[r]);
    record.teacherLogProbs = toVector(m_batch.rows[r].teacher.sampled);
    record.score = m_batch.rewards[r].score;
    record.accuracy = m_batch.rewards[r].accuracy;
    record.format = m_batch.rewards[r].format;
    record.stopped = m_batch.responses[r].stopped;
    lines += toJsonLine(record);
  }
  return lines;
}

void Run::publish() {
  const int step = m_committed.step;
  if (!m_batch.rows.empty() && due(step, m_config.trainer.rolloutSaveFreq)) m_writer.appendRollouts(step, rolloutLines());
  m_snapshot.step = step;
  m_snapshot.secondsSinceStart = m_committed.seconds;
  m_snapshot.tokensSinceStart = m_committed.tokens;
  m_snapshot.metrics["perf/time_per_step"] = m_stepSeconds;
  if (m_stepSeconds > 0 && m_batch.tokens > 0) m_snapshot.metrics["perf/throughput"] = static_cast<double>(m_batch.tokens) / m_stepSeconds;
  m_snapshot.metrics["perf/cpu_memory_used_gb"] = residentGigabytes();
  m_writer.append(m_snapshot);
  m_lastMetrics = m_snapshot.metrics;
  if (m_sink) m_sink(std::make_shared<const StepSnapshot>(std::move(m_snapshot)));
  if (!m_batch.rows.empty()) m_meanStepSeconds = m_meanStepSeconds > 0 ? 0.9 * m_meanStepSeconds + 0.1 * m_stepSeconds : m_stepSeconds;
  m_snapshot = {};
  m_snapshot.run = m_status.run;
  m_stepSeconds = 0;
  const bool first = m_batch.rows.empty();  // the look at the student before the first step
  m_batch = {};
  const bool last = step >= m_status.totalSteps;
  enter(!first && (last || due(step, m_config.trainer.saveFreq)) ? Phase::Save : Phase::Sample);
}

std::string Run::checkpoint() {
  const std::string folder = writeCheckpoint(m_writer.directory(), *m_parts.student, m_optimizer, m_committed, m_parts.studentFiles, m_lastMetrics, writeConfig(m_config));
  pruneCheckpoints(m_writer.directory(), m_config.trainer.maxCkptToKeep);
  return folder;
}

void Run::stop(bool save) {
  if (m_phase == Phase::Done) return;
  // A step whose update is done belongs to the run: its row is published before the checkpoint that contains it.
  if (m_phase == Phase::Evaluate || m_phase == Phase::Probe || m_phase == Phase::Publish) {
    if (!m_batch.rows.empty()) publish();
  }
  if (save) checkpoint();
  finish(RunState::Stopped);
  report();
}

void Run::finish(RunState state) {
  enter(Phase::Done);
  m_status.state = state;
}

}  // namespace cuescope
