// The distillation step that `bench` times: teacher scoring, student forward and backward, fused AdamW; the loss is the mean over
// all response tokens of exp(l - sg(l)) * clamp(sg(l) - t, -10, 10), with l and t the log-probabilities of student and teacher.
// Teacher and student are one model here. Rows run in micro-batches, and logits exist for a chunk of tokens at a time, so the
// peak is little above weights, gradients and the optimizer's moments.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/evaluate/bench_workload.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

class DistillStep {
 public:
  /// Makes every parameter trainable. AdamW: lr 1e-6, betas .9 and .999, eps 1e-8, weight decay .01.
  DistillStep(Qwen3VL& model, const BenchWorkload& workload);
  /// One step; returns its loss (before the update).
  double run();

  /// Log-probabilities [n, R] of the responses at the end of rows `first`..`first + n`; nothing is kept for a backward pass.
  at::Tensor scores(const std::vector<RowInput>& rows, std::size_t first, std::size_t n) const;

 private:
  at::Tensor responseStates(const std::vector<RowInput>& rows, std::size_t first, std::size_t n) const;

  Qwen3VL& m_model;
  std::vector<RowInput> m_students, m_teachers;
  at::Tensor m_responses;
  std::vector<at::Tensor> m_parameters, m_first, m_second, m_steps;  // and AdamW's moments
};

}  // namespace cuescope
