#include "engine/evaluate/train_step.h"

#include <chrono>

#include "engine/distill/rollout.h"
#include "engine/distill/student_step.h"
#include "engine/model/generation.h"

namespace cuescope {
namespace {

constexpr std::int64_t kMostActivations = 1ll << 30;  // bytes; above this estimate, layers are computed again

RunConfig configOf(const BenchWorkload& work) {
  RunConfig config;
  config.trainer.name = "train_step";
  config.trainer.totalTrainingSteps = 1;
  config.trainer.probeFreq = 0;
  config.trainer.testFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.data.trainBatchSize = static_cast<int>(work.rows());
  config.data.maxResponseLength = static_cast<int>(work.responses.size(1));
  config.teacher.kind = "live";
  config.distillation.lossMode = "k1";
  config.distillation.usePolicyGradient = true;
  config.actor.lr = 1e-6;
  config.actor.lrWarmupSteps = 0;
  config.actor.microBatchTokens = 960;
  return config;
}

Optimizer::Named trained(Qwen3VL& model) {
  Optimizer::Named all;
  for (auto& item : model.named_parameters()) {
    item.value().set_requires_grad(true);
    all.emplace_back(item.key(), item.value());
  }
  return all;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The workload's teacher rows end in the recorded responses; ours come from the rollout.
RowInput teacherPrompt(const BenchWorkload& work, std::size_t row) {
  RowInput prompt = work.teacherRows[row];
  prompt.ids.resize(prompt.ids.size() - static_cast<std::size_t>(work.responses.size(1)));
  return prompt;
}

}  // namespace

TrainStep::TrainStep(std::shared_ptr<Qwen3VL> model, const BenchWorkload& workload, Responses responses)
    : m_model(std::move(model)),
      m_work(workload),
      m_responses(responses),
      m_config(configOf(workload)),
      m_teacher(m_model, TeacherOptions{.freezes = false, .cachesVision = false, .fixed = false}),
      m_optimizer(trained(*m_model), OptimizerOptions{.lr = m_config.actor.lr, .totalSteps = 1}) {
  m_tokens = m_work.responses.numel();
  for (const RowInput& prompt : m_work.prompts) m_tokens += static_cast<std::int64_t>(prompt.ids.size());
  std::vector<std::size_t> lengths;
  for (const RowInput& prompt : m_work.prompts) lengths.push_back(prompt.ids.size() + static_cast<std::size_t>(m_work.responses.size(1)));
  const std::vector<PlanRow> rows = planRows();
  for (const auto& [first, last] : splitByTokens(lengths, static_cast<std::size_t>(m_config.actor.microBatchTokens))) {
    const std::vector<PlanRow> part(rows.begin() + static_cast<std::ptrdiff_t>(first), rows.begin() + static_cast<std::ptrdiff_t>(last));
    if (trainingPassBytes(sizesOf(*m_model), part, m_config, false) > kMostActivations) m_config.student.gradientCheckpointing = true;
  }
}

std::vector<TokenIds> TrainStep::sampled() {
  SamplingOptions sampling;
  sampling.greedy = false;
  sampling.seed = static_cast<std::uint64_t>(++m_step);
  sampling.maxNew = m_config.data.maxResponseLength;
  sampling.ignoreEos = true;
  Generation generation(*m_model, m_work.prompts, sampling, visionBans(m_model->config()), rolloutLimits(*m_model, m_config));
  while (generation.advance(0, {})) {
  }
  std::vector<TokenIds> responses;
  for (Generated& response : generation.take()) responses.push_back(std::move(response.ids));
  return responses;
}

std::vector<TokenIds> TrainStep::recorded() const {
  std::vector<TokenIds> responses;
  const std::int64_t length = m_work.responses.size(1);
  for (std::int64_t r = 0; r < m_work.rows(); ++r) {
    const auto* first = m_work.responses.const_data_ptr<std::int64_t>() + r * length;
    responses.emplace_back(first, first + length);
  }
  return responses;
}

double TrainStep::run() {
  Seconds seconds;
  double begin = now();
  const auto lap = [&](double& into) {
    const double end = now();
    into = end - begin;
    begin = end;
  };
  std::vector<TokenIds> responses = m_responses == Responses::Sampled ? sampled() : recorded();
  lap(seconds.rollout);

  const std::size_t count = responses.size();
  std::vector<RowInput> teacherPrompts;
  std::vector<TrainingRow> rows(count);
  std::vector<std::size_t> lengths;
  for (std::size_t r = 0; r < count; ++r) {
    teacherPrompts.push_back(teacherPrompt(m_work, r));
    rows[r].prompt = &m_work.prompts[r];
    rows[r].response = std::move(responses[r]);
    lengths.push_back(teacherPrompts[r].ids.size() + rows[r].response.size());
  }
  const auto tokens = static_cast<std::size_t>(m_config.actor.microBatchTokens);
  for (const auto& [first, last] : splitByTokens(lengths, tokens)) {
    std::vector<const RowInput*> prompts;
    std::vector<const TokenIds*> answers;
    for (std::size_t r = first; r < last; ++r) {
      prompts.push_back(&teacherPrompts[r]);
      answers.push_back(&rows[r].response);
    }
    auto scores = m_teacher.score(prompts, answers, 0);
    for (std::size_t r = first; r < last; ++r) rows[r].teacher = std::move(scores[r - first]);
  }
  lap(seconds.score);

  m_optimizer.zeroGrad();
  std::vector<const TrainingRow*> all;
  for (std::size_t r = 0; r < count; ++r) {
    all.push_back(&rows[r]);
    lengths[r] = m_work.prompts[r].ids.size() + rows[r].response.size();
  }
  const StepOptions options = stepOptions(m_config);
  const LossNormalizers normalizers = normalizersOf(all, m_config.data.maxResponseLength);
  double loss = 0;
  for (const auto& [first, last] : splitByTokens(lengths, tokens))
    loss += backwardRows(*m_model, std::span(all).subspan(first, last - first), options, normalizers, nullptr).loss;
  lap(seconds.backward);
  m_optimizer.step();
  lap(seconds.update);
  m_seconds = seconds;
  return loss;
}

std::vector<PlanRow> TrainStep::planRows() const {
  std::vector<PlanRow> rows;
  for (std::size_t r = 0; r < m_work.prompts.size(); ++r) {
    rows.push_back(planRowOf(m_work.prompts[r], teacherPrompt(m_work, r), *m_model));
    rows.back().responseTokens = static_cast<double>(m_work.responses.size(1));
  }
  return rows;
}

RunPlan TrainStep::plan(std::int64_t baseline) const {
  PlanInputs in;
  in.config = m_config;
  in.student = sizesOf(*m_model);
  in.rows = planRows();
  in.device = m_model->device().str();
  in.baseline = baseline;
  return planOf(in);
}

}  // namespace cuescope
