#include "engine/model/generate.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/core/failure.h"
#include "engine/kernels/kernels.h"
#include "engine/model/cpu_decoder.h"
#include "engine/model/kv_cache.h"

namespace cuescope {
namespace {

constexpr std::int64_t kPrefillTokens = 4096;  // of one forward pass: enough for full speed, little enough for memory

// Counter-based: the number belongs to (seed, row seed, step) and to nothing else (splitmix64's finaliser, three
// times).
double uniformOf(std::uint64_t seed, std::uint64_t rowSeed, std::uint64_t step) {
  const auto mix = [](std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  };
  return static_cast<double>(mix(mix(mix(seed) ^ rowSeed) ^ step) >> 11) * 0x1p-53;
}

bool sameGrids(const std::vector<Grid>& a, const std::vector<Grid>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Grid& x, const Grid& y) {
    return x.t == y.t && x.h == y.h && x.w == y.w && x.video == y.video;
  });
}

bool samePrompt(const RowInput& a, const RowInput& b) {
  const bool pixels = a.pixelValues.defined() == b.pixelValues.defined() &&
                      (!a.pixelValues.defined() || (a.pixelValues.data_ptr() == b.pixelValues.data_ptr() &&
                                                    a.pixelValues.sizes() == b.pixelValues.sizes()));
  return pixels && a.prefix == b.prefix && a.ids == b.ids && sameGrids(a.grids, b.grids);
}

// Last tokens' states of one forward pass over new rows.
at::Tensor prefillNew(const Qwen3VL& model, const std::vector<RowInput>& rows, KvCache& cache, std::int64_t room) {
  ForwardOptions options;
  options.cache = &cache;
  options.cacheRoom = room;
  options.tails.assign(rows.size(), 1);
  return model.forward(packRows(model.config(), rows), options);
}

// Last tokens' states of text that continues cached rows.
at::Tensor prefillMore(const Qwen3VL& model, KvCache& cache, std::span<const std::int64_t> cacheRows,
                       const std::vector<std::vector<std::int64_t>>& ids) {
  ForwardOptions options;
  options.cache = &cache;
  const Rows packed = continueRows(model.config(), cache, cacheRows, ids);
  if (packed.tokens() > packed.count()) options.tails.assign(ids.size(), 1);
  return model.forward(packed, options);
}

void checkFirstChunk(const Qwen3VLConfig& config, const RowInput& row, std::size_t index, std::int64_t chunk) {
  for (std::size_t i = row.ids.size(); i-- > 0;)
    if (row.ids[i] == config.imageToken || row.ids[i] == config.videoToken) {
      if (static_cast<std::int64_t>(i) >= chunk)
        throw Error("This prompt cannot be cut here", "row " + std::to_string(index),
                    "its last visual token is token " + std::to_string(i) + ", behind the first chunk of " +
                        std::to_string(chunk) + " tokens, so the sink could not see it (spec 1.7)",
                    "Let the first chunk reach the last visual token.");
      return;
    }
}

}  // namespace

at::Tensor decodeStep(const Qwen3VL& model, KvCache& cache, std::span<const std::int64_t> cacheRows,
                      std::span<const std::int64_t> ids) {
  const at::NoGradGuard noGrad;
  std::vector<std::vector<std::int64_t>> one;
  one.reserve(ids.size());
  for (const std::int64_t id : ids) one.push_back({id});
  return prefillMore(model, cache, cacheRows, one);
}

at::Tensor prefill(const Qwen3VL& model, const std::vector<RowInput>& rows, KvCache& cache,
                   std::vector<std::int64_t>& cacheRows, std::int64_t room, std::int64_t chunk, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const std::size_t count = rows.size();
  std::vector<at::Tensor> states(count);
  std::vector<std::size_t> source(count);  // the row that stands for this one
  for (std::size_t r = 0; r < count; ++r) {
    source[r] = r;
    for (std::size_t earlier = 0; earlier < r && source[r] == r; ++earlier)
      if (source[earlier] == earlier && samePrompt(rows[earlier], rows[r])) source[r] = earlier;
    if (chunk > 0) checkFirstChunk(model.config(), rows[r], r, chunk);
    if (rows[r].prefix >= static_cast<std::int64_t>(r))
      throw Error("A row continues an impossible prefix", "row " + std::to_string(r),
                  "the prefix must be an earlier row");
  }
  cacheRows.assign(count, -1);

  std::vector<RowInput> group;
  std::vector<std::size_t> members;
  std::int64_t tokens = 0;
  const auto run = [&] {
    if (group.empty()) return;
    if (stop.stop_requested()) throw Cancelled();
    const std::int64_t firstRow = cache.rows();
    const at::Tensor last = prefillNew(model, group, cache, room);
    for (std::size_t i = 0; i < members.size(); ++i) {
      states[members[i]] = last.select(0, static_cast<std::int64_t>(i));
      cacheRows[members[i]] = firstRow + static_cast<std::int64_t>(i);
    }
    group.clear();
    members.clear();
    tokens = 0;
  };
  for (std::size_t r = 0; r < count; ++r) {
    if (source[r] != r || rows[r].prefix >= 0) continue;
    RowInput row = rows[r];
    if (chunk > 0 && static_cast<std::int64_t>(row.ids.size()) > chunk) row.ids.resize(static_cast<std::size_t>(chunk));
    if (tokens > 0 && tokens + static_cast<std::int64_t>(row.ids.size()) > kPrefillTokens) run();
    tokens += static_cast<std::int64_t>(row.ids.size());
    group.push_back(std::move(row));
    members.push_back(r);
  }
  run();
  const auto more = [&](std::size_t r, std::size_t from) {  // the rest of a row, in pieces
    const std::size_t piece = chunk > 0 ? static_cast<std::size_t>(chunk) : static_cast<std::size_t>(kPrefillTokens);
    for (std::size_t at = from; at < rows[r].ids.size(); at += piece) {
      if (stop.stop_requested()) throw Cancelled();
      const std::size_t end = std::min(rows[r].ids.size(), at + piece);
      const std::int64_t row = cacheRows[r];
      states[r] = prefillMore(model, cache, {&row, 1},
                              {{rows[r].ids.begin() + static_cast<std::ptrdiff_t>(at),
                                rows[r].ids.begin() + static_cast<std::ptrdiff_t>(end)}})
                      .select(0, 0);
    }
  };
  for (std::size_t r = 0; r < count; ++r) {
    if (source[r] != r) {
      states[r] = states[source[r]];
      cacheRows[r] = cache.copyRow(cacheRows[source[r]]);
    } else if (rows[r].prefix >= 0) {
      cacheRows[r] = cache.copyRow(cacheRows[static_cast<std::size_t>(rows[r].prefix)]);
      more(r, 0);
    } else if (chunk > 0) {
      more(r, std::min(rows[r].ids.size(), static_cast<std::size_t>(chunk)));
    }
  }
  return at::stack(states);
}

std::vector<Generated> generate(const Qwen3VL& model, const std::vector<RowInput>& rows, const SamplingOptions& options,
                                const std::vector<std::int64_t>& banned, std::stop_token stop, const OnToken& onToken,
                                const std::vector<std::uint64_t>& seeds) {
  const at::NoGradGuard noGrad;
  std::vector<Generated> out(rows.size());
  if (rows.empty() || options.maxNew <= 0) return out;
  if (!seeds.empty() && seeds.size() != rows.size())
    throw Error("Sampling cannot start", "seeds", "there must be one a row");

  KvCache cache(model.config());
  std::vector<std::int64_t> cacheRows;
  at::Tensor logits = model.logits(prefill(model, rows, cache, cacheRows, options.maxNew, 0, stop)).to(at::kFloat);
  const auto fast = CpuDecoder::create(model);  // null: decodeStep, the same numbers on any device

  kernels::SamplerRow sampler;
  sampler.temperature = options.greedy ? 0.f : static_cast<float>(options.temperature);
  sampler.topP = static_cast<float>(options.topP);
  sampler.minP = static_cast<float>(options.minP);
  sampler.topK = options.topK;
  sampler.repetitionPenalty = static_cast<float>(options.repetitionPenalty);
  sampler.presencePenalty = static_cast<float>(options.presencePenalty);
  sampler.frequencyPenalty = static_cast<float>(options.frequencyPenalty);
  const bool penalties =
      options.repetitionPenalty != 1.0 || options.presencePenalty != 0.0 || options.frequencyPenalty != 0.0;
  const bool plainGreedy = options.greedy && !penalties;
  std::optional<kernels::Sampled> ready;  // the fast step's answer to greedy decoding, which needs no logits
  std::vector<std::map<std::int64_t, std::int32_t>> counts(rows.size());
  if (penalties)
    for (std::size_t r = 0; r < rows.size(); ++r)
      for (std::int64_t p = static_cast<std::int64_t>(r); p >= 0; p = rows[static_cast<std::size_t>(p)].prefix)
        for (const std::int64_t id : rows[static_cast<std::size_t>(p)].ids) counts[r].emplace(id, 0);

  std::vector<std::size_t> active(rows.size());
  for (std::size_t r = 0; r < rows.size(); ++r) active[r] = r;
  for (int step = 0; !active.empty(); ++step) {
    if (stop.stop_requested()) throw Cancelled();
    std::vector<kernels::SamplerRow> samplers(active.size(), sampler);
    std::vector<std::vector<kernels::SeenToken>> seen(active.size());
    for (std::size_t i = 0; i < active.size(); ++i) {
      const std::size_t r = active[i];
      samplers[i].uniform = uniformOf(options.seed, seeds.empty() ? r : seeds[r], static_cast<std::uint64_t>(step));
      for (const auto& [id, count] : counts[r]) seen[i].push_back({id, count});
    }
    const kernels::Sampled sampled = ready ? *std::move(ready) : kernels::sample(logits, samplers, seen, banned);
    ready.reset();

    std::vector<std::size_t> next;
    std::vector<std::int64_t> nextRows, nextIds;
    for (std::size_t i = 0; i < active.size(); ++i) {
      const std::size_t r = active[i];
      const std::int64_t id = sampled.ids[i];
      out[r].ids.push_back(id);
      out[r].logProbs.push_back(sampled.logProbs[i]);
      if (onToken) onToken(static_cast<std::int64_t>(r), id, sampled.logProbs[i]);
      const auto& eos = model.config().eosTokens;
      out[r].stopped = !options.ignoreEos && std::find(eos.begin(), eos.end(), id) != eos.end();
      if (out[r].stopped || step + 1 >= options.maxNew ||
          cache.nextPosition(cacheRows[r]) >= model.config().text.maxPositions) {
        cache.release(cacheRows[r]);
        continue;
      }
      if (penalties) ++counts[r][id];
      next.push_back(r);
      nextRows.push_back(cacheRows[r]);
      nextIds.push_back(id);
    }
    active = std::move(next);
    if (active.empty()) break;
    if (fast && plainGreedy)
      ready = fast->greedy(cache, nextRows, nextIds, banned);
    else
      logits = fast ? fast->logits(cache, nextRows, nextIds)
                    : model.logits(decodeStep(model, cache, nextRows, nextIds)).to(at::kFloat);
  }
  return out;
}

std::vector<std::int64_t> visionBans(const Qwen3VLConfig& config) {
  const std::int64_t ids[] = {config.visionStart, config.visionEnd, config.imageToken, config.videoToken};
  const auto [low, high] = std::minmax_element(std::begin(ids), std::end(ids));
  std::vector<std::int64_t> out;
  if (*high - *low < 8)  // published models keep them side by side, with <|vision_pad|> between
    for (std::int64_t id = *low; id <= *high; ++id) out.push_back(id);
  else
    out.assign(std::begin(ids), std::end(ids));
  return out;
}

}  // namespace cuescope
