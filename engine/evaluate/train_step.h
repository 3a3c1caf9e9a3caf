// TrainStep: one step of training on a workload, with the parts that a run uses: rollout of the prompts to a fixed length, scores of
// the teacher (the student itself, under the longer prompt), the k1 policy gradient's backward passes in micro-batches, clipping, AdamW.
// Its loss is the mean over all response tokens of exp(l - sg(l)) * clamp(sg(l) - t, -10, 10), with l and t the log-probabilities of
// student and teacher. Used by the measurements "train_step", and, with the workload's responses instead of a rollout, "distill_step";
// engine thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/core/run_plan.h"
#include "engine/distill/optimizer.h"
#include "engine/distill/plan_sizes.h"
#include "engine/distill/teacher.h"
#include "engine/evaluate/bench_workload.h"

namespace cuescope {

class TrainStep {
 public:
  enum class Responses { Sampled, Recorded };
  /// All parameters of `model` will train.
  TrainStep(std::shared_ptr<Qwen3VL> model, const BenchWorkload& workload, Responses responses = Responses::Sampled);

  struct Seconds {
    double rollout = 0, score = 0, backward = 0, update = 0;
  };
  /// One step; its loss, before the update.
  double run();
  const Seconds& seconds() const { return m_seconds; }  // of the last step
  /// Tokens of prompts and responses in a step.
  std::int64_t tokens() const { return m_tokens; }
  /// Layers are computed again in the backward pass.
  bool recomputes() const { return m_config.student.gradientCheckpointing; }
  /// What the planner says of it; `baseline` as Baseline::end().
  RunPlan plan(std::int64_t baseline) const;

 private:
  std::vector<PlanRow> planRows() const;
  std::vector<TokenIds> sampled();
  std::vector<TokenIds> recorded() const;

  std::shared_ptr<Qwen3VL> m_model;
  const BenchWorkload& m_work;
  Responses m_responses;
  RunConfig m_config;
  Teacher m_teacher;
  Optimizer m_optimizer;
  Seconds m_seconds;
  std::int64_t m_tokens = 0, m_step = 0;
};

}  // namespace cuescope
