#include "engine/distill/student_step.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <map>

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
const at::Tensor& targetOf(const TrainingRow& row) {
  return row.teacher.targetSampled.defined() ? row.teacher.targetSampled : row.teacher.sampled;
}
const at::Tensor& topKOf(const TrainingRow& row) {
  return row.teacher.topK;
}
const at::Tensor& targetTopKOf(const TrainingRow& row) {
  return row.teacher.targetTopK.defined() ? row.teacher.targetTopK : row.teacher.topK;
}
const at::Tensor& rolloutOf(const TrainingRow& row) {
  return row.rollout;
}
const at::Tensor& referenceOf(const TrainingRow& row) {
  return row.reference;
}
const at::Tensor& topIdsOf(const TrainingRow& row) {
  return row.teacher.topIds;
}
const at::Tensor& oldOf(const TrainingRow& row) {
  return row.old;
}

/// Means of log p_T - log p_S over all tokens, over the halves and over the quarters of each response (spec 4.1).
void addGaps(LossMetrics& metrics, const at::Tensor& gaps, const std::vector<std::int64_t>& offsets) {
  const at::Tensor values = gaps.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* gap = values.const_data_ptr<double>();
  struct Sum {
    const char* name;
    double sum = 0, count = 0;
    void add(double value) { sum += value, ++count; }
  };
  Sum all{"distillation/gap"}, k1{"distillation/k1"}, k3{"distillation/k3"};  // k1, k3: the two estimators of KL(S || T) on the sampled tokens (spec 3.6)
  Sum halves[] = {{"distillation/gap_first_half"}, {"distillation/gap_second_half"}};
  Sum quarters[] = {{"distillation/gap_quarter_1"}, {"distillation/gap_quarter_2"}, {"distillation/gap_quarter_3"}, {"distillation/gap_quarter_4"}};
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const std::int64_t begin = offsets[b], end = offsets[b + 1], middle = begin + (end - begin + 1) / 2;
    for (std::int64_t t = begin; t < end; ++t) {
      all.add(gap[t]);
      k1.add(-gap[t]);
      k3.add(std::clamp(std::expm1(std::clamp(gap[t], -20.0, 20.0)) - gap[t], 0.0, 10.0));
      halves[t < middle ? 0 : 1].add(gap[t]);
      quarters[4 * (t - begin) / (end - begin)].add(gap[t]);
    }
  }
  for (const Sum& each : {all, k1, k3, halves[0], halves[1], quarters[0], quarters[1], quarters[2], quarters[3]})
    if (each.count > 0) metrics.addMean(each.name, each.sum, each.count);  // no tokens, no metric
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

/// Divergence of each response token, in chunks of the vocabulary; rows of one teacher go together. [N]
at::Tensor divergenceOf(const at::Tensor& states, const at::Tensor& head, std::span<const TrainingRow* const> rows,
                        const std::vector<std::int64_t>& offsets, const DivergenceOptions& options) {
  std::map<const void*, std::vector<std::size_t>> byTeacher;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    if (!rows[b]->response.empty()) byTeacher[rows[b]->teacher.head.const_data_ptr()].push_back(b);
  }
  std::vector<at::Tensor> values, places;
  for (const auto& [key, members] : byTeacher) {
    std::vector<at::Tensor> theirs;
    std::vector<std::int64_t> tokens;
    for (std::size_t b : members) {
      theirs.push_back(rows[b]->teacher.states.to(states.device()));
      for (std::int64_t t = offsets[b]; t < offsets[b + 1]; ++t) tokens.push_back(t);
    }
    const at::Tensor place = at::tensor(tokens, at::kLong).to(states.device());
    values.push_back(divergence(byTeacher.size() == 1 ? states : states.index_select(0, place), head, at::cat(theirs),
                                rows[members[0]]->teacher.head.to(states.device()), options));
    places.push_back(place);
  }
  if (values.size() == 1) return values[0];
  return at::cat(values).index_select(0, at::argsort(at::cat(places)));
}

}  // namespace

StepOptions stepOptions(const RunConfig& config) {
  StepOptions options;
  const auto& d = config.distillation;
  options.loss.mode = lossModeFromName(d.lossMode);
  options.loss.tailBucket = d.tailBucket;
  options.loss.policyGradient = d.usePolicyGradient;
  options.loss.form = policyFormFromName(config.actor.policyLoss);
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
  options.klCoef = config.actor.klLossCoef;
  options.klMode = lossModeFromName(config.actor.klLossType);
  options.rolloutIs = config.actor.rolloutIs;
  options.rolloutIsThreshold = config.actor.rolloutIsThreshold;
  if (options.loss.mode == LossMode::WholeVocabulary) {
    options.divergence.kind = divergenceFromName(d.lossMode);
    options.divergence.parameter = options.divergence.kind == Divergence::Jsd     ? d.jsdBeta
                                   : options.divergence.kind == Divergence::Alpha ? d.alpha
                                                                                  : d.skew;
  }
  options.divergence.temperature = config.rollout.temperature;
  options.divergence.vocabularyChunk = d.vocabularyChunk;
  options.temperature = config.rollout.temperature;
  options.checkpointActivations = config.student.gradientCheckpointing;
  return options;
}

int teacherTopK(const RunConfig& config) {
  if (lossModeFromName(config.distillation.lossMode) == LossMode::ForwardKlTopK) return config.distillation.topk;
  return config.distillation.cascadeEpsilon > 0 || config.distillation.confidenceAlpha > 0 ? 1 : 0;  // spec 7-B14
}

bool teacherStates(const RunConfig& config) {
  return isWholeVocabulary(config.distillation.lossMode) ||
         (config.distillation.usePolicyGradient && config.actor.policyLoss == "reinforce_cv");
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

  const at::Tensor old = batch.old.defined() ? batch.old : batch.student.detach();
  if (options.rolloutIs != "none" && rows[0]->rollout.defined()) {
    batch.importance = rolloutWeights(options.rolloutIs == "sequence", old, joined(rows, device, rolloutOf), batch,
                                      options.rolloutIsThreshold);
    result.metrics.addMean("actor/rollout_is_mean", batch.importance.sum().item<double>(), static_cast<double>(tokens));
    result.metrics.addMax("actor/rollout_is_max", batch.importance.max().item<double>());
  }

  at::Tensor loss;
  if (options.distill) {
    if (rows[0]->teacher.sampled.defined()) {
      batch.teacher = joined(rows, device, targetOf);
      addGaps(result.metrics, joined(rows, device, sampledOf) - batch.student, batch.offsets);
    }
    if (rows[0]->teacher.topK.defined()) {
      batch.teacherTopK = joined(rows, device, targetTopKOf);
      batch.teacherBest = joined(rows, device, topKOf).select(-1, 0);
    }
    if (options.loss.mode == LossMode::WholeVocabulary)
      batch.divergence = divergenceOf(forward.states, student.headWeight(), rows, batch.offsets, options.divergence);
    if (options.loss.policyGradient && options.loss.form == PolicyForm::ReinforceCv) {
      at::NoGradGuard noGrad;
      DivergenceOptions reverse = options.divergence;
      reverse.kind = Divergence::ReverseKl;
      batch.baseline = -divergenceOf(forward.states.detach(), student.headWeight(), rows, batch.offsets, reverse);
    }
    LossResult distillation = distillationLoss(options.loss, batch, normalizers);
    loss = distillation.loss * options.distillationCoef;
    result.metrics.merge(distillation.metrics);
    result.perToken = distillation.perToken.cpu();
  }
  if (options.taskRewards) {
    LossMetrics policy;
    LossBatch rewarded = batch;
    rewarded.baseline = at::Tensor();  // the group's mean is already taken from these advantages
    at::Tensor values =
        policyLoss(options.loss, rewarded, at::tensor(advantages, at::kFloat).to(device), "actor/", &policy);
    at::Tensor pgLoss = aggregate(options.loss.aggregation, values, batch, normalizers);
    policy.addSum("actor/pg_loss", pgLoss.detach().item<double>());
    result.metrics.merge(policy);
    loss = loss.defined() ? loss + pgLoss : pgLoss;
  }
  if (options.entropyCoef != 0)
    loss = loss - options.entropyCoef * aggregate(options.loss.aggregation, logProbs.entropy, batch, normalizers);
  if (options.klCoef != 0) {
    LossOptions penalty;
    penalty.mode = options.klMode;
    LossBatch fromStart = batch;
    fromStart.teacher = joined(rows, device, referenceOf);
    const at::Tensor kl =
        aggregate(options.loss.aggregation, tokenLosses(penalty, fromStart, nullptr), batch, normalizers);
    result.metrics.addSum("actor/kl_loss", kl.detach().item<double>());
    loss = loss + options.klCoef * kl;
  }
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

std::vector<double> groupAdvantages(const std::vector<double>& rewards, bool divide) {
  if (rewards.size() == 1) return rewards;
  double mean = 0, square = 0;
  for (double r : rewards) mean += r / static_cast<double>(rewards.size());
  for (double r : rewards) square += (r - mean) * (r - mean);
  const double deviation = std::sqrt(square / static_cast<double>(rewards.size() - 1));
  std::vector<double> advantages;
  for (double r : rewards) advantages.push_back((r - mean) / (divide ? deviation + 1e-6 : 1));
  return advantages;
}

}  // namespace cuescope
