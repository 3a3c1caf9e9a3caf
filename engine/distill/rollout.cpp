#include "engine/distill/rollout.h"

#include "engine/core/failure.h"
#include "engine/distill/kv_room.h"

namespace cuescope {
namespace {

/// SplitMix64's finaliser: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

std::size_t blockRows(bool cuda) { return cuda ? 64 : 16; }

}  // namespace

std::uint64_t rolloutSeed(std::uint64_t runSeed, std::int64_t step, std::int64_t row) {
  return mix(mix(mix(runSeed) ^ static_cast<std::uint64_t>(step)) ^ static_cast<std::uint64_t>(row));
}

GenerateLimits rolloutLimits(const Qwen3VL& student, const RunConfig& config, std::int64_t places, VisionCache* vision) {
  GenerateLimits limits;
  limits.rowsAtOnce = places > 0 ? places : rolloutPlaces(config, student.device().is_cuda());
  limits.kvBytes = std::int64_t{keyValueMib(config, student.device().str())} << 20;
  limits.maxRepeats = config.rollout.maxRepeats;
  limits.stopTokens.assign(config.rollout.stopTokenIds.begin(), config.rollout.stopTokenIds.end());
  if (vision)
    limits.vision = [&student, vision](std::span<const RowInput* const> rows) { return vision->features(student, rows); };
  return limits;
}

std::unique_ptr<Generation> startRollout(const Qwen3VL& student, std::vector<RowInput> prompts, const RunConfig& config,
                                         std::int64_t step, std::int64_t firstRow, const GenerateLimits& limits) {
  SamplingOptions options;
  options.greedy = false;
  options.temperature = config.rollout.temperature;
  options.topP = config.rollout.topP;
  options.topK = config.rollout.topK;
  options.repetitionPenalty = config.rollout.repetitionPenalty;
  options.seed = config.trainer.seed;
  options.maxNew = config.data.maxResponseLength;
  std::vector<std::uint64_t> seeds;
  for (std::size_t b = 0; b < prompts.size(); ++b)
    seeds.push_back(rolloutSeed(config.trainer.seed, step, firstRow + static_cast<std::int64_t>(b)));
  std::vector<std::int64_t> banned = visionBans(student.config());
  for (const int id : config.rollout.bannedTokenIds) {
    if (id < 0 || id >= student.config().text.vocabulary)
      throw Error("A banned token is not in the vocabulary", "rollout.banned_token_ids", "id " + std::to_string(id),
                  "Name ids of this tokenizer.");
    banned.push_back(id);
  }
  return std::make_unique<Generation>(student, std::move(prompts), options, std::move(banned), limits, std::move(seeds));
}

std::vector<Generated> greedyAnswers(const Qwen3VL& student, const std::vector<RowInput>& prompts, int maxNew,
                                     std::stop_token stop) {
  SamplingOptions options;
  options.maxNew = maxNew;
  return generate(student, prompts, options, visionBans(student.config()), stop);
}

std::size_t rolloutBlockRows(const Qwen3VL& student) {
  return blockRows(student.device().is_cuda());
}

std::int64_t rolloutPlaces(const RunConfig& config, bool cuda) {
  return config.rollout.maxNumSeqs > 0 ? config.rollout.maxNumSeqs : static_cast<std::int64_t>(blockRows(cuda));
}

}  // namespace cuescope
