// Generation: many rows decoded with continuous batching. At most `rowsAtOnce` rows run; a row that has ended gives its place to
// the next one, and the blocks of keys and values that exist never exceed `kvBytes`. Rows with the same ids and the same pixel
// storage (samples of one prompt) share one prefill and on the CPU the prompt's keys and values, never rows of different images. What a row samples depends on its seed, its
// prompt and the weights alone, not on who runs beside it. Engine thread; the weights must not move while it lives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/engine.h"
#include "engine/kernels/kernels.h"
#include "engine/model/cpu_decoder.h"
#include "engine/model/generate.h"
#include "engine/model/kv_cache.h"

namespace cuescope {

/// Tokens of one forward pass over prompts: enough for full speed, little enough for memory.
inline constexpr std::int64_t kPrefillTokens = 4096;

/// True when the end of `ids` is `copies` copies of one run of 1 to 16 tokens.
bool endsInRepeats(std::span<const std::int64_t> ids, int copies);

/// What the options say of a row's sampling; `uniform` is the caller's.
kernels::SamplerRow samplerOf(const SamplingOptions& options);
/// Whether sampling must know which ids were seen.
bool penalises(const SamplingOptions& options);

class Generation {
 public:
  /// Error when one row alone needs more keys and values than `limits.kvBytes`.
  Generation(const Qwen3VL& model, std::vector<RowInput> rows, const SamplingOptions& options, std::vector<std::int64_t> banned,
             GenerateLimits limits = {}, std::vector<std::uint64_t> seeds = {}, OnToken onToken = {});
  ~Generation();

  /// At most `steps` decoding steps (0: to the end); true while rows are left. Cancelled leaves everything as it was after the
  /// last whole step; calling again goes on.
  bool advance(std::int64_t steps, std::stop_token stop);

  const std::vector<Generated>& results() const { return m_out; }
  std::vector<Generated> take() { return std::move(m_out); }
  std::size_t finished() const { return m_finished; }

  /// What it cost so far.
  struct Costs {
    std::int64_t steps = 0;          // decoding steps
    std::int64_t rowSteps = 0;       // rows of all steps: rowSteps / (steps * places) is how full the batch was
    std::int64_t places = 0;         // rows at once
    std::int64_t prefills = 0;       // prompts that were computed
    std::int64_t prefillTokens = 0;
    std::int64_t peakKvBytes = 0;
    double occupancy() const { return steps > 0 ? static_cast<double>(rowSteps) / static_cast<double>(steps * places) : 1.0; }
  };
  const Costs& costs() const { return m_costs; }

 private:
  struct Active {
    std::size_t row = 0;
    std::int64_t cacheRow = -1, id = 0;
  };
  /// A prompt that was computed and whose other samples still wait or, where they read its keys and values, still run.
  struct Shared {
    std::size_t row = 0;
    std::int64_t cacheRow = -1;   // a copy of the prompt's; of a shared one the row's own
    at::Tensor logits;            // [1, V] of its last token
    std::size_t waiting = 0;      // samples that have not begun
    std::int64_t tokens = 0;      // that its samples read where they are; 0: each has a copy
    std::size_t running = 0;      // samples that have not ended, the first one too
    bool firstEnded = false;
  };

  void admit(std::stop_token stop);
  /// Logits of the prompts' last tokens, [n, V]. When it is cancelled or fails, the cache holds nothing of them.
  at::Tensor prefilled(const std::vector<RowInput>& prompts, std::vector<std::int64_t>& cacheRows, std::stop_token stop);
  void decode();
  std::vector<kernels::SamplerRow> samplersOf(std::span<const std::size_t> rows) const;
  std::vector<std::vector<kernels::SeenToken>> seenBy(std::span<const std::size_t> rows) const;
  /// Takes a sampled token; true when the row goes on.
  bool accept(std::size_t row, std::int64_t cacheRow, std::int64_t id, float logProb);
  void takeSampled(std::span<const std::size_t> rows, std::span<const std::int64_t> cacheRows, const kernels::Sampled& sampled);
  std::int64_t blockBytes(std::int64_t tokens) const;
  std::int64_t needOf(std::size_t row) const;
  std::int64_t sampleNeed(std::size_t row) const;  // of one that reads a shared prompt
  /// Tokens of the row's prompt that its samples share in memory: on the CPU whole pieces of the attention's sums; none elsewhere,
  /// where the kernels want a row's keys in one piece.
  std::int64_t sharedTokens(std::size_t row) const;
  /// Gives back what an ended row held.
  void end(std::size_t row, std::int64_t cacheRow);

  const Qwen3VL& m_model;
  std::vector<RowInput> m_rows;
  SamplingOptions m_options;
  std::vector<std::int64_t> m_banned;
  GenerateLimits m_limits;
  std::vector<std::uint64_t> m_seeds;
  OnToken m_onToken;

  std::vector<Generated> m_out;
  std::vector<std::size_t> m_source;    // the row whose prompt this one shares: itself, or an earlier one
  std::vector<std::size_t> m_siblings;  // later rows that share this one's prompt
  std::size_t m_next = 0, m_finished = 0;
  std::vector<Active> m_active;
  std::vector<Shared> m_shared;
  std::int64_t m_held = 0;  // bytes of keys and values that admitted rows may come to need
  std::vector<std::int64_t> m_needs;  // of each of them
  std::int64_t m_room = 0;  // tokens behind a prompt that its block has room for
  KvCache m_cache;
  std::unique_ptr<CpuDecoder> m_fast;
  kernels::SamplerRow m_sampler;
  bool m_penalties = false, m_together = false;
  std::vector<std::vector<kernels::SeenToken>> m_counts;  // of penalties
  Costs m_costs;
};

}  // namespace cuescope
