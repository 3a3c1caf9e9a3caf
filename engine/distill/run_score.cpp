// The units of a run between its responses and its updates: scores of teachers and of the student's own start, contrasts,
// micro-batches of one or several updates.
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/distill/contrast.h"
#include "engine/distill/memory.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

std::size_t updatesPerBatch(const RunConfig& config) {
  const int batch = config.data.trainBatchSize, wanted = config.actor.ppoMiniBatchSize, mini = wanted > 0 ? wanted : batch;
  return static_cast<std::size_t>((batch + mini - 1) / mini) * static_cast<std::size_t>(config.actor.ppoEpochs);
}

bool Run::recomputesOld() const {
  const bool policy = m_options.loss.policyGradient || m_options.taskRewards;
  return policy && updatesPerBatch(m_config) > 1 && !m_config.actor.useRolloutLogProbs;
}

bool Run::scoresResponses() const {
  return (m_teacher && m_options.distill) || m_start || recomputesOld();
}

void Run::useAnswersOfTheData(std::size_t begin, std::size_t end) {
  const auto& stops = m_parts.student->config().eosTokens;
  for (std::size_t r = begin; r < end; ++r) {
    Generated answer;
    answer.ids = m_parts.studentProcessor->tokenizer().encode(promptOf(r).sample.answer);
    if (!stops.empty()) answer.ids.push_back(stops.front());
    const auto longest = static_cast<std::size_t>(m_config.data.maxResponseLength);
    answer.stopped = answer.ids.size() <= longest;
    answer.ids.resize(std::min(answer.ids.size(), longest));
    m_batch.responses.push_back(std::move(answer));
  }
}

void Run::contrastRows(Teacher& teacher, const std::vector<std::size_t>& rows) {
  const auto& d = m_config.distillation;
  std::vector<std::string> texts;
  if (d.contrast == "wrong_cue")
    for (const auto& prompt : m_batch.prompts) texts.push_back(prompt->privilege);
  std::vector<RowInput> prompts;
  std::vector<std::size_t> changed;
  for (std::size_t r : rows) {
    const ReadyRow& ready = promptOf(r);
    if (d.contrast == "erased_image") {
      if (!ready.teacher.pixelValues.defined()) continue;
      prompts.push_back(withErasedPictures(ready.teacher));
    } else {
      const auto lender = wrongCueOf(texts, r / static_cast<std::size_t>(m_config.rollout.n));
      if (!lender) continue;
      prompts.push_back(withPrivilege(*m_parts.teacherProcessor, ready.sample, ready.teacher, ready.times, texts[*lender]));
    }
    changed.push_back(r);
  }
  m_batch.metrics.addMean("distillation/contrast_hit_rate", static_cast<double>(changed.size()),
                          static_cast<double>(rows.size()));
  if (changed.empty()) return;
  std::vector<const RowInput*> asked;
  std::vector<const TokenIds*> responses;
  std::vector<at::Tensor> ids;
  for (std::size_t i = 0; i < changed.size(); ++i) {
    asked.push_back(&prompts[i]);
    responses.push_back(&m_batch.rows[changed[i]].response);
    ids.push_back(m_batch.rows[changed[i]].teacher.topIds);
  }
  const auto others = teacher.scoreAt(asked, responses, ids);
  for (std::size_t i = 0; i < changed.size(); ++i) {
    TeacherScores& scores = m_batch.rows[changed[i]].teacher;
    applyContrast(scores, others[i], d.contrastWeight);
    m_batch.metrics.addMean("distillation/contrast", (scores.sampled - others[i].sampled).sum().item<double>(),
                            static_cast<double>(scores.sampled.numel()));
  }
}

void Run::scoreRows(std::size_t begin, std::size_t end) {
  std::map<Teacher*, std::vector<std::size_t>> byTeacher;
  std::vector<Teacher*> order;  // a map of pointers has no order that repeats
  for (std::size_t r = begin; r < end; ++r) {
    Teacher* teacher = &m_teacher->of(promptOf(r).sample.dataSource);
    if (byTeacher[teacher].empty()) order.push_back(teacher);
    byTeacher[teacher].push_back(r);
  }
  for (Teacher* teacher : order) {
    const auto& rows = byTeacher[teacher];
    std::vector<const RowInput*> prompts;
    std::vector<const TokenIds*> responses;
    for (std::size_t r : rows) {
      prompts.push_back(&promptOf(r).teacher);
      responses.push_back(&m_batch.rows[r].response);
    }
    auto scores = teacher->score(prompts, responses, teacherTopK(m_config), teacherStates(m_config));
    for (std::size_t i = 0; i < rows.size(); ++i) m_batch.rows[rows[i]].teacher = std::move(scores[i]);
    if (m_config.distillation.contrast != "none") contrastRows(*teacher, rows);
  }
}

void Run::scorePart() {
  const auto [begin, end] = m_batch.parts[m_batch.nextPart];
  if (m_teacher && m_options.distill) scoreRows(begin, end);
  std::vector<const RowInput*> prompts;
  std::vector<const TokenIds*> responses;
  for (std::size_t r = begin; r < end; ++r) {
    prompts.push_back(&promptOf(r).student);
    responses.push_back(&m_batch.rows[r].response);
  }
  if (m_start) {
    auto scores = m_start->score(prompts, responses, 0);
    for (std::size_t r = begin; r < end; ++r) m_batch.rows[r].reference = std::move(scores[r - begin].sampled);
  }
  if (recomputesOld()) {
    auto old = studentLogProbs(*m_parts.student, prompts, responses, m_options.temperature);
    for (std::size_t r = begin; r < end; ++r) m_batch.rows[r].old = std::move(old[r - begin]);
  }
  m_status.phaseDone = static_cast<int>(++m_batch.nextPart);
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
  if (m_batch.nextPart == m_batch.parts.size()) beginUpdate();
}

std::size_t Run::rowsPerUpdate() const {
  const int prompts = m_config.actor.ppoMiniBatchSize > 0 ? m_config.actor.ppoMiniBatchSize : m_config.data.trainBatchSize;
  return static_cast<std::size_t>(prompts) * static_cast<std::size_t>(m_config.rollout.n);
}

void Run::beginUpdate() {
  const std::size_t perPass = (m_batch.rows.size() + rowsPerUpdate() - 1) / rowsPerUpdate(),
                    begin = m_batch.update % perPass * rowsPerUpdate(),
                    end = std::min(m_batch.rows.size(), begin + rowsPerUpdate());
  std::vector<const TrainingRow*> rows;
  std::vector<std::size_t> lengths;
  for (std::size_t r = begin; r < end; ++r) {
    rows.push_back(&m_batch.rows[r]);
    lengths.push_back(m_batch.rows[r].prompt->ids.size() + m_batch.rows[r].response.size());
  }
  m_batch.normalizers = normalizersOf(rows, m_config.data.maxResponseLength);
  m_batch.parts = splitByTokens(lengths, static_cast<std::size_t>(m_microTokens));
  for (auto& [first, last] : m_batch.parts) {
    first += begin;
    last += begin;
  }
  releaseFreePages();  // what rollout and scores left between their blocks: the widest moment is to come
  m_batch.nextPart = 0;
  m_batch.lossBefore = m_batch.loss;
  m_batch.metricsBefore = m_batch.metrics;
  m_batch.logProbsBefore = m_batch.studentLogProbs.size();
  enter(Phase::Backward);
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
}

void Run::backwardPart() {
  if (m_batch.nextPart == 0) m_optimizer.zeroGrad();
  const auto [begin, end] = m_batch.parts[m_batch.nextPart];
  std::vector<const TrainingRow*> rows;
  for (std::size_t r = begin; r < end; ++r) rows.push_back(&m_batch.rows[r]);
  BackwardResult result = backwardRows(*m_parts.student, rows, m_options, m_batch.normalizers, m_studentVision.get());
  m_batch.loss += result.loss;
  m_batch.metrics.merge(result.metrics);
  if (m_batch.studentLogProbs.size() < m_batch.rows.size())  // of the first pass
    std::move(result.studentLogProbs.begin(), result.studentLogProbs.end(), std::back_inserter(m_batch.studentLogProbs));
  m_status.phaseDone = static_cast<int>(++m_batch.nextPart);
  m_status.phaseTotal = static_cast<int>(m_batch.parts.size());
  if (m_batch.nextPart == m_batch.parts.size()) enter(Phase::Update);
}

}  // namespace cuescope
