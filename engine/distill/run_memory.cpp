// How a run spends memory and what it does when there is too little: the rollout that is under way, repetitions after a shortage,
// the plan of the batch at hand.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "engine/core/failure.h"
#include "engine/distill/memory.h"
#include "engine/distill/plan_sizes.h"
#include "engine/distill/rollout.h"
#include "engine/distill/run.h"

namespace cuescope {
namespace {

constexpr int kMostShortages = 3;           // of one step
constexpr double kUnitSeconds = 0.05;       // of decoding, so that inspections need not wait for long

}  // namespace

bool Run::decodeResponses(std::stop_token stop) {
  if (!m_rollout) {
    std::vector<RowInput> prompts;
    for (std::size_t r = 0; r < responseCount(); ++r) prompts.push_back(promptOf(r).student);
    m_rollout = startRollout(*m_parts.student, std::move(prompts), m_config, m_committed.step, 0,
                             rolloutLimits(*m_parts.student, m_config, m_places, m_studentVision.get()));
  }
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  bool more = true;
  while (more && std::chrono::duration<double>(Clock::now() - begin).count() < kUnitSeconds) more = m_rollout->advance(1, stop);
  m_status.phaseDone = static_cast<int>(m_rollout->finished());
  m_status.phaseTotal = static_cast<int>(responseCount());
  if (more) return false;
  const Generation::Costs& costs = m_rollout->costs();
  auto& m = m_snapshot.metrics;
  m["rollout/occupancy"] = costs.occupancy();
  m["rollout/decode_steps"] = static_cast<double>(costs.steps);
  m["rollout/prompts_computed"] = static_cast<double>(costs.prefills);
  m["rollout/kv_peak_mib"] = static_cast<double>(costs.peakKvBytes) / (1 << 20);
  m_batch.responses = m_rollout->take();
  m_rollout.reset();
  double repeated = 0;
  for (const Generated& response : m_batch.responses) repeated += response.repeated ? 1 : 0;
  if (m_config.rollout.maxRepeats > 0) m["response/repeated_ratio"] = repeated / static_cast<double>(m_batch.responses.size());
  return true;
}

std::int64_t Run::evaluationRows() const {
  const auto usual = static_cast<std::int64_t>(rolloutBlockRows(*m_parts.student));
  return m_places > 0 ? std::min(usual, m_places) : usual;
}

void Run::relieve(LossMetrics&& before) {
  const std::string phase = phaseName(m_phase);
  const bool repeats = m_phase == Phase::Rollout || m_phase == Phase::Score || m_phase == Phase::Backward || m_phase == Phase::Evaluate;
  if (!repeats || m_config.actor.oomPolicy == "stop" || m_shortages >= kMostShortages) {
    const std::string tries = m_shortages > 0 ? " after the batch was halved " + std::to_string(m_shortages) + " times" : "";
    throw Error("The memory is not enough for this run", "step " + std::to_string(m_committed.step + 1) + ", " + phase,
                m_shortage + tries + "\n" + planTable(planOfBatch()),
                "Lower data.train_batch_size, data.max_response_length or actor.ppo_max_token_len_per_gpu, or switch on "
                "student.enable_gradient_checkpointing; then resume from the last checkpoint.");
  }
  ++m_shortages;
  m_batch.metrics = std::move(before);
  if (m_studentVision) m_studentVision->clear();
  std::string now;
  if (m_phase == Phase::Rollout || m_phase == Phase::Evaluate) {
    const std::int64_t places = m_places > 0 ? m_places
                                             : std::min<std::int64_t>(rolloutLimits(*m_parts.student, m_config).rowsAtOnce,
                                                                      static_cast<std::int64_t>(responseCount()));
    m_places = std::max<std::int64_t>(1, places / 2);
    m_rollout.reset();  // the same seeds: the same responses
    now = std::to_string(m_places) + " responses at once";
  } else {
    m_microTokens = std::max<std::int64_t>(1, m_microTokens / 2);
    now = "micro-batches of " + std::to_string(m_microTokens) + " tokens";
    if (m_phase == Phase::Backward) {  // from the first micro-batch on: gradients are cleared there
      m_batch.loss = m_batch.lossBefore;
      m_batch.metrics = m_batch.metricsBefore;
      m_batch.studentLogProbs.resize(m_batch.logProbsBefore);
      beginUpdate();
    } else {
      splitFrom(m_batch.parts[m_batch.nextPart].first);
    }
  }
  m_snapshot.metrics["perf/memory_shortages"] = m_shortages;
  if (m_sink)
    m_sink(LogLine{"Memory ran out in step " + std::to_string(m_committed.step + 1) + " (" + phase + "): it goes on with " + now +
                   ", the result stays the same."});
}

void Run::splitFrom(std::size_t first) {
  std::vector<std::size_t> lengths;
  for (std::size_t r = first; r < m_batch.rows.size(); ++r) {
    const RowInput& prompt = m_teacher ? promptOf(r).teacher : promptOf(r).student;
    lengths.push_back(prompt.ids.size() + m_batch.rows[r].response.size());
  }
  m_batch.parts.resize(m_batch.nextPart);
  for (const auto& [begin, end] : splitByTokens(lengths, static_cast<std::size_t>(m_microTokens)))
    m_batch.parts.emplace_back(begin + first, end + first);
}

void Run::warnOfGap(double gap) {
  const bool apart = gap > m_config.rollout.gapAlarm;
  m_snapshot.metrics["training/rollout_gap_alarm"] = apart ? 1 : 0;
  if (!apart || std::exchange(m_warnedMismatch, true) || !m_sink) return;
  char text[160];
  std::snprintf(text, sizeof text, "The sampled policy and the trained one differ by %.3g nats a token in step %d (alarm above %.3g).", gap,
                m_committed.step, m_config.rollout.gapAlarm);
  m_sink(LogLine{text});
}

RunPlan Run::planOfBatch() const {
  PlanInputs inputs;
  inputs.config = m_config;
  inputs.config.actor.microBatchTokens = static_cast<int>(m_microTokens);
  inputs.student = sizesOf(*m_parts.student);
  if (m_teacher && m_parts.teacher != m_parts.student) inputs.teachers.push_back(sizesOf(*m_parts.teacher));
  for (const auto& [source, model] : m_parts.routedTeachers) inputs.teachers.push_back(sizesOf(*model));
  if (m_parts.start && m_parts.start != m_parts.teacher) inputs.teachers.push_back(sizesOf(*m_parts.start));
  for (std::size_t r = 0; r < m_batch.prompts.size(); ++r) {
    const ReadyRow& ready = *m_batch.prompts[r];
    PlanRow row = planRowOf(ready.student, ready.teacher, *m_parts.student);
    double tokens = 0;
    const auto n = static_cast<std::size_t>(m_config.rollout.n);
    for (std::size_t i = r * n; i < (r + 1) * n && i < m_batch.responses.size(); ++i)
      tokens += static_cast<double>(m_batch.responses[i].ids.size()) / static_cast<double>(n);
    row.responseTokens = tokens > 0 ? tokens : m_config.data.maxResponseLength;
    inputs.rows.push_back(row);
  }
  inputs.trainRows = m_parts.train.size;
  inputs.valRows = m_parts.val.size;
  inputs.device = m_parts.student->device().str();
  inputs.available = availableBytes();
  inputs.assumptions = {"Lengths are those of the step at hand."};
  return planOf(inputs);
}

}  // namespace cuescope
