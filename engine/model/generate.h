// Decoding: prefill once, then one token a row and step. On the CPU the steps run on kernels of our own over the cache; on CUDA
// on LibTorch with our fused kernels. The numbers are those of a full forward pass (tested).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/engine.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

struct Generated {
  std::vector<std::int64_t> ids;      // the stop token included
  std::vector<float> logProbs;        // of the model at temperature 1, before penalties and truncation
  bool stopped = false;               // by a stop token; otherwise by length or by repeating itself
  bool repeated = false;              // ended by the rule against repetition
};

/// How much may run at once, and what ends a row beside the model's end tokens and maxNew.
struct GenerateLimits {
  std::int64_t rowsAtOnce = 0;              // 0: all
  std::int64_t kvBytes = 0;                 // bound of all blocks of keys and values; 0: none
  int maxRepeats = 0;                       // copies of one run of tokens at the end of a row that end it; 0: off
  std::vector<std::int64_t> stopTokens;     // beside the model's own
  /// Features of these rows' images; null: the tower runs. For a frozen tower whose features are kept.
  std::function<VisionFeatures(std::span<const RowInput* const> rows)> vision;
};

/// Called after every step with the row, the id and its log-probability.
using OnToken = std::function<void(std::int64_t row, std::int64_t id, float logProb)>;

/// Decodes every row until a stop token or maxNew. Ids in `banned` never come out (spec B10). Row r's samples depend only on
/// (options.seed, seeds[r] or r) and the row itself, not on what it is batched with. Throws Cancelled between two tokens.
std::vector<Generated> generate(const Qwen3VL& model, const std::vector<RowInput>& rows, const SamplingOptions& options,
                                const std::vector<std::int64_t>& banned, std::stop_token stop, const OnToken& onToken = {},
                                const std::vector<std::uint64_t>& seeds = {}, const GenerateLimits& limits = {});

/// Prefills `cache` with a new row for every row (rows with the same ids and the same pixel storage share one pass) and returns
/// the states after the final norm of each row's last token, [B, h]. `cacheRows` gets their indexes. `room`: tokens that will
/// follow. chunk > 0: rows run in pieces of at most that many tokens; the first must reach the last visual token, else Error
/// (spec 1.7). `vision` as in GenerateLimits.
at::Tensor prefill(const Qwen3VL& model, const std::vector<RowInput>& rows, KvCache& cache, std::vector<std::int64_t>& cacheRows,
                   std::int64_t room, std::int64_t chunk = 0, std::stop_token stop = {},
                   const std::function<VisionFeatures(std::span<const RowInput* const>)>& vision = {});
/// The rows are samples of one prompt: the same ids and grids, and pixels in the same storage.
bool samePrompt(const RowInput& a, const RowInput& b);

/// Appends ids[i] to cache row cacheRows[i] and returns the states after the final norm, [B, h].
at::Tensor decodeStep(const Qwen3VL& model, KvCache& cache, std::span<const std::int64_t> cacheRows, std::span<const std::int64_t> ids);

/// The ids that sampling must never produce: vision start, end, image and video pads (spec 2.5, B10).
std::vector<std::int64_t> visionBans(const Qwen3VLConfig& config);

}  // namespace cuescope
