// StudentStep: the differentiable half of a training step. Some scored responses go in; gradients are added to the
// student's parameters and metrics come out. Nothing is remembered between two calls, and what is divided by is passed
// in, so the split into micro-batches does not change the result (spec 7-B2, 7.E.10). Engine thread.
#pragma once

#include <span>
#include <vector>

#include "engine/core/config.h"
#include "engine/distill/divergences.h"
#include "engine/distill/losses.h"
#include "engine/distill/response_rows.h"
#include "engine/distill/teacher.h"
#include "engine/distill/vision_cache.h"

namespace cuescope {

/// One response to learn from.
struct TrainingRow {
  const RowInput* prompt = nullptr;  // the student's
  TokenIds response;
  TeacherScores teacher;  // undefined tensors when only the task reward counts
  at::Tensor old;  // [R] log-probabilities of the policy that the ratio is taken against; undefined: the current one
  at::Tensor rollout;    // [R] what the sampler said; needed for StepOptions::rolloutIs
  at::Tensor reference;  // [R] log-probabilities of the student's own start; needed for StepOptions::klCoef
  double reward = 0;
  double advantage = 0;  // of the task reward, the same for all tokens
};

struct StepOptions {
  LossOptions loss;
  bool distill = true;
  double distillationCoef = 1;
  bool taskRewards = false;
  double entropyCoef = 0;
  double klCoef = 0;                        // divergence from the student's own start, with or without task rewards
  LossMode klMode = LossMode::K3;
  std::string rolloutIs = "none";           // none, token, sequence
  double rolloutIsThreshold = 2;
  DivergenceOptions divergence;             // of LossMode::WholeVocabulary; its temperature divides both models' logits
  double temperature = 1;
  bool checkpointActivations = false;
};
StepOptions stepOptions(const RunConfig& config);
/// How many of the teacher's tokens the loss needs (0: the sampled one only).
int teacherTopK(const RunConfig& config);
/// The loss needs the teacher's whole distribution.
bool teacherStates(const RunConfig& config);

struct BackwardResult {
  double loss = 0;  // share of the batch's loss; shares add up
  LossMetrics metrics;
  std::vector<at::Tensor> studentLogProbs;  // [R] of each row, float32 on the CPU
  at::Tensor perToken;  // [sum R] distillation losses before the clamp, on the CPU; undefined without a teacher
};

/// Forward and backward of these rows. `vision`: features of a frozen tower; null runs the tower with gradients.
BackwardResult backwardRows(const Qwen3VL& student, std::span<const TrainingRow* const> rows,
                            const StepOptions& options, const LossNormalizers& normalizers, VisionCache* vision);
/// The student's log-probabilities of the responses, without gradient.
std::vector<at::Tensor> studentLogProbs(const Qwen3VL& student, std::span<const RowInput* const> prompts,
                                        std::span<const TokenIds* const> responses, double temperature = 1.0);

/// Normalisers of a whole batch. `width`: longest response allowed.
LossNormalizers normalizersOf(std::span<const TrainingRow* const> rows, double width);

/// Advantages of the rewards of one prompt's group: (r - mean) / (deviation + 1e-6), or without the division; a group of
/// one keeps its reward (spec 3.7).
std::vector<double> groupAdvantages(const std::vector<double>& rewards, bool divide = true);

}  // namespace cuescope
