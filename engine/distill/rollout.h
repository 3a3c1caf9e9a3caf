// Rollout: the student answers its own prompts (spec 3.3). What a row samples depends on (run seed, step, row) alone,
// so a run can be stopped and resumed anywhere without a generator's state. Vision tokens never come out (spec 7-B10).
// Engine thread.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/core/config.h"
#include "engine/distill/vision_cache.h"
#include "engine/model/generation.h"

namespace cuescope {

/// Seed of one row of one step.
std::uint64_t rolloutSeed(std::uint64_t runSeed, std::int64_t step, std::int64_t row);

/// What may run at once and what ends a response. `places` 0: rollout.max_num_seqs, or as many as suit the device. `vision`:
/// features of a frozen tower; null: the tower runs. It must outlive the generation.
GenerateLimits rolloutLimits(const Qwen3VL& student, const RunConfig& config, std::int64_t places = 0, VisionCache* vision = nullptr);

/// Sampled responses of a step's rows [firstRow, firstRow + prompts.size()), to be advanced to its end.
std::unique_ptr<Generation> startRollout(const Qwen3VL& student, std::vector<RowInput> prompts, const RunConfig& config,
                                         std::int64_t step, std::int64_t firstRow, const GenerateLimits& limits);
/// Greedy responses, for evaluation.
std::vector<Generated> greedyAnswers(const Qwen3VL& student, const std::vector<RowInput>& prompts, int maxNew,
                                     std::stop_token stop);

/// Rows of one call: a call is one unit of work, and the window's inspections wait for it.
std::size_t rolloutBlockRows(const Qwen3VL& student);
/// Responses at once: rollout.max_num_seqs, or as many as suit the device.
std::int64_t rolloutPlaces(const RunConfig& config, bool cuda);

}  // namespace cuescope
