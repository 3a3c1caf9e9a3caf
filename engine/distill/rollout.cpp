#include "engine/distill/rollout.h"

namespace cuescope {
namespace {

/// SplitMix64's finaliser: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

}  // namespace

std::uint64_t rolloutSeed(std::uint64_t runSeed, std::int64_t step, std::int64_t row) {
  return mix(mix(mix(runSeed) ^ static_cast<std::uint64_t>(step)) ^ static_cast<std::uint64_t>(row));
}

std::vector<Generated> rollout(const Qwen3VL& student, const std::vector<RowInput>& prompts, const RunConfig& config,
                               std::int64_t step, std::int64_t firstRow, std::stop_token stop) {
  SamplingOptions options;
  options.greedy = false;
  options.temperature = config.rollout.temperature;
  options.topP = config.rollout.topP;
  options.topK = config.rollout.topK;
  options.seed = config.trainer.seed;
  options.maxNew = config.data.maxResponseLength;
  std::vector<std::uint64_t> seeds;
  for (std::size_t b = 0; b < prompts.size(); ++b)
    seeds.push_back(rolloutSeed(config.trainer.seed, step, firstRow + static_cast<std::int64_t>(b)));
  return generate(student, prompts, options, visionBans(student.config()), stop, {}, seeds);
}

std::vector<Generated> greedyAnswers(const Qwen3VL& student, const std::vector<RowInput>& prompts, int maxNew,
                                     std::stop_token stop) {
  SamplingOptions options;
  options.maxNew = maxNew;
  return generate(student, prompts, options, visionBans(student.config()), stop);
}

std::size_t rolloutBlockRows(const Qwen3VL& student) {
  return student.device().is_cuda() ? 64 : 16;
}

}  // namespace cuescope
