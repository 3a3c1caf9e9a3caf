// The units of a run that look at it: evaluation, probe maps, and what is published and written.
#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/distill/memory.h"
#include "engine/distill/probe_maps.h"
#include "engine/distill/rollout.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

constexpr std::size_t kProbeRows = 16;  // rows behind the cue curves; the first ones are shown
constexpr std::size_t kDefaultProbesShown = 4;

// The most that tensors have held on the device since the process began.
double peakDeviceGigabytes(const at::Device& device) {
  const auto stats = at::getDeviceAllocator(device.type())->getDeviceStats(device.index() < 0 ? 0 : device.index());
  return static_cast<double>(stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak) / 1e9;
}

double wallSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::pair<double, double> wilson(double right, double n) {
  if (n <= 0) return {0, 1};
  constexpr double z = 1.959963984540054;
  const double p = right / n, centre = p + z * z / (2 * n),
               spread = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)), scale = 1 + z * z / n;
  return {std::max(0.0, (centre - spread) / scale), std::min(1.0, (centre + spread) / scale)};
}

void Run::startEvaluation() {
  m_evaluation = {};
  const std::int64_t there = m_parts.askedRows ? static_cast<std::int64_t>(m_parts.askedRows->size()) : m_parts.val.size;
  m_evaluation.total = std::min<std::int64_t>(m_config.data.valMaxSamples, there);
}

void Run::evaluateBlock(std::stop_token stop) {
  const std::int64_t end =
      std::min(m_evaluation.total, m_evaluation.next + evaluationRows());
  std::vector<std::unique_ptr<ReadyRow>> rows;
  std::vector<RowInput> prompts;
  std::int64_t skipped = 0;  // counted once the block has been answered: it may be done again
  for (std::int64_t i = m_evaluation.next; i < end; ++i) {
    const std::int64_t index = m_parts.askedRows ? (*m_parts.askedRows)[static_cast<std::size_t>(i)] : i;
    RowProblem problem;
    if (auto row = readyRow(m_parts.val, index, RowUse::HeldOut, &problem)) {
      prompts.push_back(row->student);
      rows.push_back(std::move(row));
      continue;
    }
    ++skipped;
    if (m_sink) m_sink(LogLine{"Left out held-out " + placeOf(m_parts.val, index) + " (" + problem.category + "): " + problem.reason});
  }
  std::vector<Generated> answers;
  if (!prompts.empty()) answers = greedyAnswers(*m_parts.student, prompts, m_config.data.maxResponseLength, stop);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Reward reward = judge(m_parts.studentProcessor->tokenizer().decode(answers[i].ids, true),
                                rows[i]->sample.groundTruth, rows[i]->think, rows[i]->sample.rewardStyle);
    m_evaluation.right += reward.accuracy;
    m_evaluation.format += reward.format;
    m_evaluation.tokens += static_cast<std::int64_t>(answers[i].ids.size());
    ++m_evaluation.answered;
    if (!rows[i]->sample.dataSource.empty()) {
      auto& sums = m_evaluation.bySource[rows[i]->sample.dataSource];
      sums.right += reward.accuracy;
      sums.format += reward.format;
      sums.score += reward.score;
      ++sums.asked;
    }
    if (!rows[i]->sample.kind.empty()) {
      auto& [right, asked] = m_evaluation.byKind[rows[i]->sample.kind];
      right += reward.accuracy;
      ++asked;
    }
  }
  m_evaluation.next = end;
  m_evaluation.skipped += skipped;
  m_status.phaseDone = static_cast<int>(end);
  m_status.phaseTotal = static_cast<int>(m_evaluation.total);
  if (end < m_evaluation.total) return;
  const auto n = static_cast<double>(m_evaluation.answered);
  auto& m = m_snapshot.metrics;
  m["val/n"] = n;
  if (m_evaluation.skipped > 0) m["val/skipped_rows"] = static_cast<double>(m_evaluation.skipped);
  if (n > 0) {
    const auto [low, high] = wilson(m_evaluation.right, n);
    m["val/accuracy"] = m_evaluation.right / n;
    m["val/accuracy_low"] = low;
    m["val/accuracy_high"] = high;
    m["val/format"] = m_evaluation.format / n;
    m["val/response_length/mean"] = static_cast<double>(m_evaluation.tokens) / n;
    for (const auto& [source, sums] : m_evaluation.bySource) {  // verl's names; there, acc mixes in the format (spec 7-B17)
      m["val-core/" + source + "/acc/mean@1"] = sums.right / sums.asked;
      m["val-aux/" + source + "/format/mean@1"] = sums.format / sums.asked;
      m["val-aux/" + source + "/score/mean@1"] = sums.score / sums.asked;
    }
    for (const auto& [kind, counts] : m_evaluation.byKind) m["val/accuracy/" + kind] = counts.first / counts.second;
  }
  enter(due(m_config.trainer.probeFreq) ? Phase::Probe : Phase::Publish);
}

void Run::probe() {
  if (!m_probesReady) {  // the asked rows first, then the first ones, for steadier curves
    std::vector<std::int64_t> indexes(m_config.data.probeRows.begin(), m_config.data.probeRows.end());
    m_probesShown = indexes.empty() ? kDefaultProbesShown : indexes.size();
    for (std::int64_t i = 0; i < m_parts.val.size && indexes.size() < std::max(kProbeRows, m_probesShown); ++i) {
      if (std::find(indexes.begin(), indexes.end(), i) == indexes.end()) indexes.push_back(i);
    }
    for (std::int64_t i : indexes) {
      RowProblem problem{kUnreadable, "there is no such row"};
      std::unique_ptr<ReadyRow> row = i < m_parts.val.size ? readyRow(m_parts.val, i, RowUse::HeldOut, &problem) : nullptr;
      if (row) {
        m_probeRows.push_back(std::move(row));
      } else if (m_sink) {
        m_sink(LogLine{"Left out probe row " + std::to_string(i) + ": " + problem.reason});
      }
    }
    m_probesReady = true;
  }
  std::vector<const ReadyRow*> rows;
  for (const auto& row : m_probeRows) rows.push_back(row.get());
  ProbeResult result = probeSink(*m_parts.student, rows, m_probesShown);
  m_snapshot.probes = std::move(result.maps);
  m_snapshot.metrics.insert(result.metrics.begin(), result.metrics.end());
  std::vector<const RowInput*> prompts;  // of the rows that come with a reference answer
  std::vector<TokenIds> answers;
  for (const ReadyRow* row : rows) {
    TokenIds ids = m_parts.studentProcessor->tokenizer().encode(row->sample.answer);
    if (ids.empty()) continue;
    prompts.push_back(&row->student);
    answers.push_back(std::move(ids));
  }
  std::vector<const TokenIds*> given;
  for (const TokenIds& ids : answers) given.push_back(&ids);
  if (const double gain = recoveryGain(*m_parts.student, prompts, given); std::isfinite(gain)) m_snapshot.metrics["cue/recovery_gain"] = gain;
  enter(Phase::Publish);
}

std::vector<float> toVector(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  at::Tensor host = tensor.to(at::kCPU, at::kFloat).contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
}

namespace {

/// The first columns of the teacher's best tokens.
void saveTopK(const TeacherScores& teacher, RolloutRecord& record) {
  if (!teacher.topIds.defined() || teacher.topIds.numel() == 0) return;
  const std::int64_t k = std::min<std::int64_t>(kSavedTopK, teacher.topIds.size(1));
  const at::Tensor ids = teacher.topIds.narrow(1, 0, k).to(at::kCPU, at::kLong).contiguous();
  const at::Tensor logProbs = teacher.topK.narrow(1, 0, k).to(at::kCPU, at::kFloat).contiguous();
  for (std::int64_t t = 0; t < ids.size(0); ++t) {
    const auto* id = ids.const_data_ptr<std::int64_t>() + t * k;
    const auto* logProb = logProbs.const_data_ptr<float>() + t * k;
    record.teacherTopIds.emplace_back(id, id + k);
    record.teacherTopLogProbs.emplace_back(logProb, logProb + k);
  }
}

}  // namespace

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
    record.studentLogProbs = toVector(recomputesOld() ? m_batch.rows[r].old : m_batch.studentLogProbs[r]);  // of the policy that answered, where it was asked
    record.teacherLogProbs = toVector(m_batch.rows[r].teacher.sampled);
    record.score = m_batch.rewards[r].score;
    record.accuracy = m_batch.rewards[r].accuracy;
    record.format = m_batch.rewards[r].format;
    record.stopped = m_batch.responses[r].stopped;
    record.dataSource = prompt.sample.dataSource;
    record.kind = prompt.sample.kind;
    record.layout = prompt.sample.layout;
    record.dataFile = prompt.file;
    record.dataRow = prompt.fileRow;
    const std::int64_t merge = m_parts.student->config().vision.merge;
    for (std::size_t i = 0; i < prompt.grids.size(); ++i) {
      record.pictures.push_back({i < prompt.sample.imagePaths.size() ? prompt.sample.imagePaths[i] : std::string(), static_cast<int>(prompt.grids[i].h / merge),
                                 static_cast<int>(prompt.grids[i].w / merge), prompt.imageWidths[i], prompt.imageHeights[i]});
    }
    saveTopK(m_batch.rows[r].teacher, record);
    lines += toJsonLine(record);
  }
  return lines;
}

void Run::publish() {
  const int step = m_committed.step;
  const bool first = step == 0;  // the look at the student before the first step
  // A full disk may stand between any two files: those that are written are not written twice.
  const auto once = [this](int file, const auto& write) {
    if (m_published >= file) return;
    write();
    m_published = file;
  };
  once(1, [&] {
    if (!first && due(m_config.trainer.rolloutSaveFreq)) m_writer.appendRollouts(step, m_batch.rows.empty() ? m_pendingRollouts : rolloutLines());
  });
  m_snapshot.step = step;
  m_snapshot.secondsSinceStart = m_committed.seconds;
  m_snapshot.tokensSinceStart = m_committed.tokens;
  m_snapshot.metrics["perf/time_per_step"] = m_stepSeconds;
  if (m_stepSeconds > 0 && m_batch.tokens > 0)
    m_snapshot.metrics["perf/throughput"] = static_cast<double>(m_batch.tokens) / m_stepSeconds;
  if (m_stepSeconds > 0) m_snapshot.metrics["perf/cpu_cores_used"] = m_processorSeconds / m_stepSeconds;
  m_snapshot.metrics["perf/cpu_memory_used_gb"] = static_cast<double>(residentBytes()) / 1e9;
  if (const at::Device device = m_parts.student->device(); !device.is_cpu())
    m_snapshot.metrics["perf/max_memory_allocated_gb"] = peakDeviceGigabytes(device);
  timeMetrics();
  once(2, [&] { m_writer.append(m_snapshot); });
  once(3, [&] { m_events.scalars(step, wallSeconds(), m_snapshot.metrics); });
  m_published = 0;
  m_lastMetrics = m_snapshot.metrics;
  if (m_sink) m_sink(std::make_shared<const StepSnapshot>(std::move(m_snapshot)));
  if (!first)
    m_meanStepSeconds = m_meanStepSeconds > 0 ? 0.9 * m_meanStepSeconds + 0.1 * m_stepSeconds : m_stepSeconds;
  m_snapshot = {};
  m_snapshot.run = m_status.run;
  m_stepSeconds = m_processorSeconds = 0;
  m_batch = {};
  m_pendingRollouts.clear();
  releaseFreePages();
  if (m_config.trainer.valOnly) return finish(RunState::Completed);
  const bool last = step >= m_status.totalSteps;
  enter(!first && (last || due(m_config.trainer.saveFreq)) ? Phase::Save : Phase::Sample);
}

}  // namespace cuescope
