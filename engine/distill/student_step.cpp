#include "engine/distill/student_step.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "engine/distill/log_probs.h"

namespace cuescope {
namespace {

at::Tensor joined(std::span<const TrainingRow* const> rows, const at::Device& device,
                  const at::Tensor& (*member)(const TrainingRow&)) {
  std::vector<at::Tensor> parts;
  for (const TrainingRow* row : rows) parts.push_back(member(*row).to(device));
  return at::cat(parts);
}

const at::Tensor& sampledOf(const TrainingRow& row) {
  return row.teacher.sampled;
}
const at::Tensor& topKOf(const TrainingRow& row) {
  return row.teacher.topK;
}
const at::Tensor& topIdsOf(const TrainingRow& row) {
  return row.teacher.topIds;
}
const at::Tensor& oldOf(const TrainingRow& row) {
  return row.old;
}

/// Means of log p_T - log p_S over all tokens and over the first and second half of each response (spec 4.1).
void addGaps(LossMetrics& metrics, const at::Tensor& gaps, const std::vector<std::int64_t>& offsets) {
  const at::Tensor values = gaps.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* gap = values.const_data_ptr<double>();
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const std::int64_t begin = offsets[b], end = offsets[b + 1], middle = begin + (end - begin + 1) / 2;
    for (std::int64_t t = begin; t < end; ++t) {
      metrics.addMean("distillation/gap", gap[t], 1);
      metrics.addMean(t < middle ? "distillation/gap_first_half" : "distillation/gap_second_half", gap[t], 1);
    }
  }
}

struct Forward {
  ResponseRows packed;
  at::Tensor states;  // [R, h] that predict the response tokens
};

Forward forwardResponses(const Qwen3VL& student, std::span<const RowInput* const> prompts,
                         std::span<const TokenIds* const> responses, bool recompute, VisionCache* cache) {
  Forward out{packResponses(student.config(), prompts, responses), {}};
  ForwardOptions options;
  options.checkpointActivations = recompute;
  options.tails = out.packed.tails;
  VisionFeatures vision;
  if (cache) vision = cache->features(student, prompts);
  if (vision.merged.defined()) options.vision = &vision;
  out.states = student.forward(out.packed.rows, options).index_select(0, out.packed.predicting.to(student.device()));
  return out;
}

}  // namespace

StepOptions stepOptions(const RunConfig& config) {
  StepOptions options;
  const auto& d = config.distillation;
  options.loss.mode = lossModeFromName(d.lossMode);
  options.loss.policyGradient = d.usePolicyGradient;
  options.loss.lossMaxClamp = d.lossMaxClamp;
  options.loss.logProbMinClamp = d.logProbMinClamp;
  options.loss.cascadeEpsilon = d.cascadeEpsilon;
  options.loss.cascadeTolerance = d.cascadeTolerance;
  options.loss.confidenceAlpha = d.confidenceAlpha;
  options.loss.marginGamma = d.marginGamma;
  options.loss.clipRatioLow = config.actor.clipRatioLow;
  options.loss.clipRatioHigh = config.actor.clipRatioHigh;
  options.loss.clipRatioC = config.actor.clipRatioC;
  options.loss.aggregation = aggregationFromName(config.actor.lossAggMode);
  options.distill = d.distillationCoef > 0;
  options.distillationCoef =
      d.useTaskRewards ? d.distillationCoef : 1.0;  // alone, the loss is the distillation loss (spec 3.7)
  options.taskRewards = d.useTaskRewards;
  options.entropyCoef = config.actor.entropyCoeff;
  options.temperature = config.rollout.temperature;
  options.checkpointActivations = config.student.gradientCheckpointing;
  return options;
}

int teacherTopK(const RunConfig& config) {
  if (lossModeFromName(config.distillation.lossMode) == LossMode::ForwardKlTopK) return config.distillation.topk;
  return config.distillation.cascadeEpsilon > 0 || config.distillation.confidenceAlpha > 0 ? 1 : 0;  // spec 7-B14
}

BackwardResult backwardRows(const Qwen3VL& student, std::span<const TrainingRow* const> rows,
                            const StepOptions& options, const LossNormalizers& normalizers, VisionCache* vision) {
  BackwardResult result;
  std::vector<const RowInput*> prompts;
  std::vector<const TokenIds*> responses;
  std::vector<double> rewards, advantages;
  std::size_t tokens = 0;
  for (const TrainingRow* row : rows) {
    prompts.push_back(row->prompt);
    responses.push_back(&row->response);
    rewards.push_back(row->reward);
    advantages.insert(advantages.end(), row->response.size(), row->advantage);
    tokens += row->response.size();
  }
  if (tokens == 0) {  // spec 7-B6
    result.studentLogProbs.assign(rows.size(), at::tensor(std::vector<float>{}));
    return result;
  }
  const at::Device device = student.device();
  Forward forward = forwardResponses(student, prompts, responses, options.checkpointActivations, vision);
  const bool topK = options.distill && options.loss.mode == LossMode::ForwardKlTopK;

  LossBatch batch;
  batch.offsets = forward.packed.offsets;
  batch.rewards = at::tensor(rewards, at::kFloat);
  at::Tensor ids = forward.packed.ids.to(device).unsqueeze(-1);
  if (topK) ids = at::cat({ids, joined(rows, device, topIdsOf)}, -1);  // the sampled token first
  LogProbOptions logProbOptions;
  logProbOptions.temperature = options.temperature;
  logProbOptions.entropy = true;
  LogProbs logProbs = logProbsAt(forward.states, student.headWeight(), ids, logProbOptions);
  batch.student = logProbs.values.select(-1, 0);
  if (topK) batch.studentTopK = logProbs.values.narrow(-1, 1, ids.size(1) - 1);
  if (rows[0]->old.defined()) batch.old = joined(rows, device, oldOf);
  result.metrics.addMean("actor/entropy", logProbs.entropy.detach().to(at::kDouble).sum().item<double>(),
                         static_cast<double>(tokens));

  at::Tensor loss;
  if (options.distill) {
    batch.teacher = joined(rows, device, sampledOf);
    if (rows[0]->teacher.topK.defined()) {
      batch.teacherTopK = joined(rows, device, topKOf);
      batch.teacherBest = batch.teacherTopK.select(-1, 0);
    }
    LossResult distillation = distillationLoss(options.loss, batch, normalizers);
    loss = distillation.loss * options.distillationCoef;
    addGaps(result.metrics, batch.teacher - batch.student, batch.offsets);
    result.metrics.merge(distillation.metrics);
    result.perToken = distillation.perToken.cpu();
  }
  if (options.taskRewards) {
    LossMetrics policy;
    at::Tensor values =
        clippedPolicyLoss(options.loss, batch, at::tensor(advantages, at::kFloat).to(device), "actor/", &policy);
    at::Tensor pgLoss = aggregate(options.loss.aggregation, values, batch, normalizers);
    policy.addSum("actor/pg_loss", pgLoss.detach().item<double>());
    result.metrics.merge(policy);
    loss = loss.defined() ? loss + pgLoss : pgLoss;
  }
  if (options.entropyCoef != 0)
    loss = loss - options.entropyCoef * aggregate(options.loss.aggregation, logProbs.entropy, batch, normalizers);
  loss.backward();
  result.loss = loss.detach().item<double>();
  const at::Tensor values = batch.student.detach().cpu();
  for (std::size_t b = 0; b < rows.size(); ++b) {
    result.studentLogProbs.push_back(
        values.narrow(0, batch.offsets[b], batch.offsets[b + 1] - batch.offsets[b]).contiguous());
  }
  return result;
}

std::vector<at::Tensor> studentLogProbs(const Qwen3VL& student, std::span<const RowInput* const> prompts,
                                        std::span<const TokenIds* const> responses, double temperature) {
  at::NoGradGuard noGrad;
  Forward forward = forwardResponses(student, prompts, responses, false, nullptr);
  LogProbOptions options;
  options.temperature = temperature;
  const at::Tensor values =
      logProbsAt(forward.states, student.headWeight(), forward.packed.ids.to(student.device()), options).values.cpu();
  std::vector<at::Tensor> rows;
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    rows.push_back(
        values.narrow(0, forward.packed.offsets[b], forward.packed.offsets[b + 1] - forward.packed.offsets[b])
            .contiguous());
  }
  return rows;
}

LossNormalizers normalizersOf(std::span<const TrainingRow* const> rows, double width) {
  LossNormalizers n{0, 0, width, 1};
  for (const TrainingRow* row : rows) {
    n.tokens += static_cast<double>(row->response.size());
    n.sequences += row->response.empty() ? 0 : 1;
  }
  n.tokens = std::max(1.0, n.tokens);
  n.sequences = std::max(1.0, n.sequences);
  return n;
}

std::vector<double> groupAdvantages(const std::vector<double>& rewards) {
  if (rewards.size() == 1) return rewards;
  double mean = 0, square = 0;
  for (double r : rewards) mean += r / static_cast<double>(rewards.size());
  for (double r : rewards) square += (r - mean) * (r - mean);
  const double deviation = std::sqrt(square / static_cast<double>(rewards.size() - 1));
  std::vector<double> advantages;
  for (double r : rewards) advantages.push_back((r - mean) / (deviation + 1e-6));
  return advantages;
}

}  // namespace cuescope
