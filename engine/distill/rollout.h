// Rollout: the student answers its own prompts (spec 3.3). What a row samples depends on (run seed, step, row) alone,
// so a run can be stopped and resumed anywhere without a generator's state. Vision tokens never come out (spec 7-B10).
// Engine thread.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/core/config.h"
#include "engine/model/generate.h"

namespace cuescope {

/// Seed of one row of one step.
std::uint64_t rolloutSeed(std::uint64_t runSeed, std::int64_t step, std::int64_t row);

/// Sampled responses of a step's rows [firstRow, firstRow + prompts.size()).
std::vector<Generated> rollout(const Qwen3VL& student, const std::vector<RowInput>& prompts, const RunConfig& config,
                               std::int64_t step, std::int64_t firstRow, std::stop_token stop);
/// Greedy responses, for evaluation.
std::vector<Generated> greedyAnswers(const Qwen3VL& student, const std::vector<RowInput>& prompts, int maxNew,
                                     std::stop_token stop);

/// Rows of one call: a call is one unit of work, and the window's inspections wait for it.
std::size_t rolloutBlockRows(const Qwen3VL& student);

}  // namespace cuescope
