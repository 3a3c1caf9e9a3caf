// The units of a run that make a step: rows, rollout, scores, gradients, update, and the step's numbers.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <tuple>

#include "engine/core/failure.h"
#include "engine/distill/plan_sizes.h"
#include "engine/distill/planner.h"
#include "engine/distill/rollout.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

constexpr std::size_t kRowsPerSampleUnit = 8;  // decoding and resizing, about 5 ms a row

}  // namespace

std::unique_ptr<ReadyRow> Run::readyRow(const RowSource& source, std::int64_t index, RowUse use, RowProblem* problem) const {
  std::unique_ptr<ReadyRow> row;
  try {
    row = m_preparer.prepare(source.row(index), problem);
  } catch (const StaleCueEdit& error) {
    *problem = {kStaleEdit, error.failure().why};
  } catch (const Error& error) {
    *problem = {kUnreadable, error.failure().why.empty() ? error.what() : error.failure().why};
  }
  if (row && use == RowUse::Train && m_options.loss.mode == LossMode::Sft && row->sample.answer.empty()) {
    *problem = {kNoAnswer, row->sample.id + ": the row has no answer to learn (extra_info.answer)"};
    row = nullptr;
  }
  if (row && use == RowUse::Train && m_options.taskRewards && row->sample.groundTruth.find_first_not_of(" \t\n") == std::string::npos) {
    *problem = {"no ground truth", row->sample.id + ": the row has no ground truth (reward_model.ground_truth), so no answer could be right"};
    row = nullptr;
  }
  if (!row) {
    if (stopsRun(m_config, *problem)) throw stopAt(placeOf(source, index), *problem);
    return nullptr;
  }
  if (row->sample.id.empty()) row->sample.id = "row " + std::to_string(index);
  if (source.origin) std::tie(row->file, row->fileRow) = source.origin(index);
  return row;
}

void Run::sampleRows() {
  const auto wanted = static_cast<std::size_t>(m_config.data.trainBatchSize);
  if (m_batch.prompts.empty()) m_cursor.beginBatch(m_config.data.trainBatchSize);
  std::int64_t refused = 0;
  for (std::size_t i = 0; i < kRowsPerSampleUnit && m_batch.prompts.size() < wanted;) {
    const std::int64_t index = m_cursor.next();
    RowProblem problem;
    if (auto ready = readyRow(m_parts.train, index, RowUse::Train, &problem)) {
      m_batch.prompts.push_back(std::move(ready));
      ++i;
    } else {
      ++m_skipped[problem.category];
      if (m_sink) m_sink(LogLine{"Left out " + placeOf(m_parts.train, index) + " (" + problem.category + "): " + problem.reason});
      if (++refused >= m_parts.train.size)
        throw Error("No row of the data can be used", "data.train_files", problem.reason,
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
                                    prompt.sample.groundTruth, prompt.think, prompt.sample.rewardStyle));
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
  m_committed.skipped = m_skipped;
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
  responseMetrics();
  m["training/global_step"] = m_committed.step;
  m["training/epoch"] = static_cast<double>(m_committed.epoch);
  std::map<std::string, std::int64_t> leftOut = m_parts.leftOut;  // before the start, and since
  std::int64_t skipped = 0;
  for (const auto& [category, count] : m_committed.skipped) {
    leftOut[category] += count;
    skipped += count;
  }
  m["training/skipped_rows"] = static_cast<double>(skipped);
  for (const auto& [category, count] : leftOut) {
    std::string name = category;
    std::replace(name.begin(), name.end(), ' ', '_');
    m["data/left_out/" + name] = static_cast<double>(count);
  }
  m["perf/micro_batch_tokens"] = static_cast<double>(m_microTokens);
  m["perf/total_num_tokens"] = static_cast<double>(m_batch.tokens);
}

namespace {

/// Mean, least and largest of some values under one name, as verl writes them; without values there is nothing to say.
void spread(std::map<std::string, double>& metrics, const std::string& name, const std::vector<double>& values) {
  if (values.empty()) return;
  double sum = 0;
  for (const double value : values) sum += value;
  metrics[name + "/mean"] = sum / static_cast<double>(values.size());
  metrics[name + "/min"] = *std::min_element(values.begin(), values.end());
  metrics[name + "/max"] = *std::max_element(values.begin(), values.end());
}

/// How often the whole word «hint» stands in a text, in whatever case (the paper's leakage, spec 4.1).
int hintWords(const std::string& text) {
  const auto isLetter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  int count = 0;
  for (std::size_t at = 0; at + 4 <= text.size(); ++at) {
    const char* wanted = "hint";
    std::size_t same = 0;
    while (same < 4 && std::tolower(static_cast<unsigned char>(text[at + same])) == wanted[same]) ++same;
    if (same == 4 && (at == 0 || !isLetter(text[at - 1])) && (at + 4 == text.size() || !isLetter(text[at + 4]))) ++count;
  }
  return count;
}

}  // namespace

void Run::responseMetrics() {
  auto& m = m_snapshot.metrics;
  std::vector<double> lengths, whole, prompts, scores, sequences, turns;
  double clipped = 0, clippedWhole = 0, longPrompts = 0, right = 0, format = 0, hits = 0, hintSamples = 0, hintCount = 0, difference = 0, tokens = 0;
  const double n = static_cast<double>(m_batch.rows.size());
  for (std::size_t r = 0; r < m_batch.rows.size(); ++r) {
    const ReadyRow& prompt = promptOf(r);
    const auto length = static_cast<double>(m_batch.rows[r].response.size());
    lengths.push_back(length);
    prompts.push_back(static_cast<double>(prompt.student.ids.size()));
    sequences.push_back(lengths.back() + prompts.back());
    turns.push_back(1 + static_cast<double>(std::count_if(prompt.sample.prompt.begin(), prompt.sample.prompt.end(), [](const Turn& turn) { return turn.role != "system"; })));
    longPrompts += prompts.back() >= m_config.data.maxPromptLength ? 1 : 0;
    clipped += m_batch.responses[r].stopped ? 0 : 1;
    if (length > 0) {  // the others were aborted (spec 7-B6)
      whole.push_back(length);
      clippedWhole += m_batch.responses[r].stopped ? 0 : 1;
    }
    scores.push_back(m_batch.rewards[r].score);
    right += m_batch.rewards[r].accuracy;
    format += m_batch.rewards[r].format;
    hits += prompt.privileged ? 1 : 0;
    const int hints = hintWords(m_parts.studentProcessor->tokenizer().decode(m_batch.rows[r].response, true));
    hintSamples += hints > 0 ? 1 : 0;
    hintCount += hints;
    // Before the first update the policy is the one that was sampled; rows of later updates tell of these, not of the sampler.
    if (r >= rowsPerUpdate()) continue;
    const auto trained = toVector(m_batch.studentLogProbs[r]);
    const auto& sampled = m_batch.responses[r].logProbs;
    for (std::size_t t = 0; t < std::min(trained.size(), sampled.size()); ++t, ++tokens)
      difference += std::abs(static_cast<double>(trained[t]) - static_cast<double>(sampled[t]));
  }
  spread(m, "response_length", lengths);
  m["response_length/clip_ratio"] = clipped / n;
  spread(m, "response_length_non_aborted", whole);
  if (!whole.empty()) m["response_length_non_aborted/clip_ratio"] = clippedWhole / static_cast<double>(whole.size());
  m["response/aborted_ratio"] = 1 - static_cast<double>(whole.size()) / n;
  m["response/hint_samples"] = hintSamples;
  m["response/hint_occurrences"] = hintCount;
  spread(m, "prompt_length", prompts);
  m["prompt_length/clip_ratio"] = longPrompts / n;
  spread(m, "global_seqlen", sequences);
  spread(m, "num_turns", turns);
  spread(m, "critic/score", scores);
  spread(m, "critic/rewards", scores);  // nothing is taken off them: the distance from the start is a loss of its own
  if (m_config.distillation.useTaskRewards) {
    std::vector<double> advantages;
    for (const TrainingRow& row : m_batch.rows) advantages.insert(advantages.end(), row.response.size(), row.advantage);
    spread(m, "critic/advantages", advantages);
    spread(m, "critic/returns", advantages);  // one reward a response, not discounted
  }
  m["critic/accuracy/mean"] = right / n;
  m["critic/format/mean"] = format / n;
  if (m_teacher) {
    m["distillation/teacher_prompt_hit_rate"] = hits / n;
    if (m_committed.step == 1) m["distillation/teacher_prompt_enabled"] = m_config.teacher.privilege == "none" ? 0 : 1;
  }
  if (tokens > 0 && m_config.rollout.temperature == 1.0) {
    m["training/rollout_logprob_diff_mean"] = difference / tokens;
    warnOfGap(difference / tokens);
  }
}

void Run::timeMetrics() {
  auto& m = m_snapshot.metrics;
  double responseTokens = 0;
  for (const TrainingRow& row : m_batch.rows) responseTokens += static_cast<double>(row.response.size());
  std::map<std::string, double> seconds;  // under verl's names
  static const std::map<std::string, const char*> kNames = {{"rollout", "gen"},         {"score", "teacher"},  {"backward", "update_actor"}, {"update", "update_actor"},
                                                            {"evaluate", "testing"}, {"save", "save_checkpoint"}};
  for (const auto& [phase, spent] : m_snapshot.phaseSeconds) {
    const auto name = kNames.find(phase);
    seconds[name == kNames.end() ? phase : name->second] += spent;
  }
  for (const auto& [name, spent] : seconds) m["timing_s/" + name] = spent;
  m["timing_s/step"] = m_stepSeconds;
  const auto perToken = [&](const char* name, double tokens) {
    if (tokens > 0 && seconds.count(name)) m[std::string("timing_per_token_ms/") + name] = 1000 * seconds[name] / tokens;
  };
  perToken("gen", responseTokens);
  perToken("teacher", static_cast<double>(m_batch.tokens));
  perToken("update_actor", static_cast<double>(m_batch.tokens));
  const double updating = seconds.count("update_actor") ? seconds["update_actor"] : 0;
  if (m_batch.rows.empty() || updating <= 0) return;  // a step that was taken up again has no rows any more
  const bool narrow = computeTypeOf(m_config) == "bfloat16";
  if (m_matrixRate <= 0) m_matrixRate = matrixRate(m_parts.student->config(), m_parts.student->device().str(), narrow);
  std::vector<PlanRow> rows;
  for (const TrainingRow& row : m_batch.rows) {
    rows.push_back(planRowOf(*row.prompt, {}, *m_parts.student));
    rows.back().responseTokens = static_cast<double>(row.response.size());
  }
  m["perf/mfu/actor"] = m_config.actor.ppoEpochs * trainingFlops(sizesOf(*m_parts.student), rows) / updating / m_matrixRate;
}

}  // namespace cuescope
