// The units of a run that make a step: rows, rollout, scores, gradients, update, and the step's numbers.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/core/failure.h"
#include "engine/distill/rollout.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

constexpr std::size_t kRowsPerSampleUnit = 8;  // decoding and resizing, about 5 ms a row

}  // namespace

std::unique_ptr<ReadyRow> Run::readyRow(const RowSource& source, std::int64_t index, std::string* reason) const try {
  auto row = m_preparer.prepare(source.row(index), reason);
  if (row && row->sample.id.empty()) row->sample.id = "row " + std::to_string(index);
  if (row && source.origin) std::tie(row->file, row->fileRow) = source.origin(index);
  return row;
} catch (const Error& error) {
  *reason = error.what();
  return nullptr;
}

void Run::sampleRows() {
  const auto wanted = static_cast<std::size_t>(m_config.data.trainBatchSize);
  if (m_batch.prompts.empty()) m_cursor.beginBatch(m_config.data.trainBatchSize);
  std::int64_t refused = 0;
  for (std::size_t i = 0; i < kRowsPerSampleUnit && m_batch.prompts.size() < wanted;) {
    const std::int64_t index = m_cursor.next();
    std::string reason;
    auto ready = readyRow(m_parts.train, index, &reason);
    if (ready && m_options.loss.mode == LossMode::Sft && ready->sample.answer.empty()) {
      reason = ready->sample.id + ": the row has no answer to learn (extra_info.answer)";
      ready = nullptr;
    }
    if (ready) {
      m_batch.prompts.push_back(std::move(ready));
      ++i;
    } else {
      ++m_skippedRows;
      if (m_sink) m_sink(LogLine{"Left out row " + std::to_string(index) + ": " + reason});
      if (++refused >= m_parts.train.size)
        throw Error("No row of the data can be used", "data.train_files", reason,
                    "Raise data.max_prompt_length or repair the data.");
    }
  }
  m_status.phaseDone = static_cast<int>(m_batch.prompts.size());
  m_status.phaseTotal = static_cast<int>(wanted);
  if (m_batch.prompts.size() == wanted) enter(Phase::Rollout);
}

void Run::rolloutBlock(std::stop_token stop) {
  if (m_options.loss.mode == LossMode::Sft) {
    const std::size_t begin = m_batch.responses.size();
    useAnswersOfTheData(begin, std::min(responseCount(), begin + rolloutBlockRows(*m_parts.student)));
  } else if (!decodeResponses(stop)) {
    return;
  }
  m_status.phaseDone = static_cast<int>(m_batch.responses.size());
  m_status.phaseTotal = static_cast<int>(responseCount());
  if (m_batch.responses.size() < responseCount()) return;
  judgeResponses();
  if (!scoresResponses()) return beginUpdate();
  enter(Phase::Score);
  splitFrom(0);
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
}

void Run::judgeResponses() {
  const bool fromRollout = m_config.actor.useRolloutLogProbs || m_config.actor.rolloutIs != "none";
  m_batch.rows.resize(m_batch.responses.size());
  for (std::size_t r = 0; r < m_batch.responses.size(); ++r) {
    const ReadyRow& prompt = promptOf(r);
    TrainingRow& row = m_batch.rows[r];
    row.prompt = &prompt.student;
    row.response = m_batch.responses[r].ids;
    m_batch.rewards.push_back(judge(m_parts.studentProcessor->tokenizer().decode(row.response, true),
                                    prompt.sample.groundTruth, prompt.think));
    row.reward = m_batch.rewards.back().score;
    m_batch.tokens += static_cast<std::int64_t>(prompt.student.ids.size() + row.response.size());
    if (fromRollout) row.rollout = at::tensor(m_batch.responses[r].logProbs, at::kFloat);
    if (m_config.actor.useRolloutLogProbs) row.old = row.rollout;
  }
  const auto n = static_cast<std::size_t>(m_config.rollout.n);
  for (std::size_t begin = 0; begin < m_batch.rows.size(); begin += n) {
    std::vector<double> group;
    for (std::size_t r = begin; r < begin + n; ++r) group.push_back(m_batch.rows[r].reward);
    const auto advantages = groupAdvantages(group, m_config.actor.normAdvByStd);
    for (std::size_t r = begin; r < begin + n; ++r) m_batch.rows[r].advantage = advantages[r - begin];
  }
}

void Run::update() {
  for (std::int64_t layer : m_parts.student->config().cue.active) {
    const std::string prefix = "model.language_model.sink_cross_attns." + std::to_string(layer) + ".";
    double square = 0;
    for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"})
      square += std::pow(m_optimizer.gradNorm(prefix + name + ".weight"), 2);
    m_snapshot.metrics["cue/grad_norm/L" + std::to_string(layer)] = std::sqrt(square);
  }
  const bool last = m_batch.update + 1 == updatesPerBatch(m_config);
  const Optimizer::Result result = m_optimizer.step(last);
  m_parts.student->refreshNarrowWeights();
  if (m_config.teacher.kind == "ema" && m_parts.teacher) m_parts.teacher->refreshNarrowWeights();  // it has followed
  m_batch.gradNorm += result.gradNorm;
  if (result.skipped && m_sink) {
    m_sink(LogLine{"Step " + std::to_string(m_committed.step + 1) + ": the gradient of " + result.nonfinite +
                   " is not finite; the update was left out" +
                   (m_config.actor.nonfinite == "halve" ? " and the learning rate was halved." : ".")});
  }
  if (!last) {
    ++m_batch.update;
    return beginUpdate();
  }
  m_shortages = 0;
  ++m_committed.step;
  m_committed.epoch = m_cursor.epoch();
  m_committed.position = m_cursor.position();
  m_committed.skippedRows = m_skippedRows;
  m_committed.tokens += m_batch.tokens;
  m_status.step = m_committed.step;
  stepMetrics(result);
  afterUpdate();
}

void Run::afterUpdate() {
  const bool last = m_committed.step >= m_status.totalSteps;
  if (m_parts.val.size > 0 && (due(m_config.trainer.testFreq) || (last && m_config.trainer.testFreq > 0))) {
    startEvaluation();
    return enter(Phase::Evaluate);
  }
  enter(m_parts.val.size > 0 && due(m_config.trainer.probeFreq) ? Phase::Probe : Phase::Publish);
}

void Run::stepMetrics(const Optimizer::Result& result) {
  auto& m = m_snapshot.metrics;
  const double updates = static_cast<double>(updatesPerBatch(m_config));
  m_batch.metrics.divideSums(updates);
  for (const auto& [name, value] : m_batch.metrics.values()) {
    const bool trainerSide = name.starts_with("distillation/") && !name.starts_with("distillation/gap") && !name.starts_with("distillation/contrast");
    m[trainerSide ? "actor/" + name : name] = value;
  }
  m["actor/loss"] = m_batch.loss / updates;
  m["actor/loss/" + m_config.actor.lossAggMode] = m_batch.loss / updates;  // says how tokens were weighed (spec 7-B13)
  m["actor/grad_norm"] = m_batch.gradNorm / updates;
  m["actor/lr"] = result.lr;
  for (auto [part, name] : {std::pair{StudentPart::Cue, "cue"}, {StudentPart::Vision, "vision"}, {StudentPart::Language, "language"}}) {
    const double rate = rateOf(m_optimizer.options(), part);
    if (rate != m_config.actor.lr) m[std::string("actor/lr/") + name] = result.lr * rate / m_config.actor.lr;
  }
  m["actor/skipped_updates"] = static_cast<double>(m_optimizer.skipped());
  double lengths = 0, shortest = 1e18, longest = 0, clipped = 0, score = 0, right = 0, format = 0, prompts = 0,
         hits = 0, lowest = 1e18, highest = -1e18;
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
    for (std::size_t t = 0; t < std::min(trained.size(), sampled.size()); ++t, ++tokens)
      difference += std::abs(static_cast<double>(trained[t]) - static_cast<double>(sampled[t]));
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
  m["perf/micro_batch_tokens"] = static_cast<double>(m_microTokens);
  m["perf/total_num_tokens"] = static_cast<double>(m_batch.tokens);
  if (tokens > 0 && m_config.rollout.temperature == 1.0) {
    m["training/rollout_logprob_diff_mean"] = difference / tokens;
    warnOfGap(difference / tokens);
  }
}

}  // namespace cuescope
