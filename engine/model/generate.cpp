#include "engine/model/generate.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/model/generation.h"
#include "engine/model/kv_cache.h"

namespace cuescope {
namespace {

bool sameGrids(const std::vector<Grid>& a, const std::vector<Grid>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Grid& x, const Grid& y) {
    return x.t == y.t && x.h == y.h && x.w == y.w && x.video == y.video;
  });
}

// Last tokens' states of one forward pass over new rows.
at::Tensor prefillNew(const Qwen3VL& model, const std::vector<RowInput>& rows, KvCache& cache, std::int64_t room,
                      const std::function<VisionFeatures(std::span<const RowInput* const>)>& vision) {
  ForwardOptions options;
  VisionFeatures features;
  if (vision) {
    std::vector<const RowInput*> pointers;
    for (const RowInput& row : rows) pointers.push_back(&row);
    features = vision(pointers);
    if (features.merged.defined()) options.vision = &features;
  }
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

bool samePrompt(const RowInput& a, const RowInput& b) {
  const bool pixels = a.pixelValues.defined() == b.pixelValues.defined() &&
                      (!a.pixelValues.defined() || (a.pixelValues.data_ptr() == b.pixelValues.data_ptr() &&
                                                    a.pixelValues.sizes() == b.pixelValues.sizes()));
  return pixels && a.prefix == b.prefix && a.ids == b.ids && sameGrids(a.grids, b.grids);
}

at::Tensor decodeStep(const Qwen3VL& model, KvCache& cache, std::span<const std::int64_t> cacheRows,
                      std::span<const std::int64_t> ids) {
  const at::NoGradGuard noGrad;
  std::vector<std::vector<std::int64_t>> one;
  one.reserve(ids.size());
  for (const std::int64_t id : ids) one.push_back({id});
  return prefillMore(model, cache, cacheRows, one);
}

at::Tensor prefill(const Qwen3VL& model, const std::vector<RowInput>& rows, KvCache& cache,
                   std::vector<std::int64_t>& cacheRows, std::int64_t room, std::int64_t chunk, std::stop_token stop,
                   const std::function<VisionFeatures(std::span<const RowInput* const>)>& vision) {
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
    const at::Tensor last = prefillNew(model, group, cache, room, vision);
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
                                const std::vector<std::uint64_t>& seeds, const GenerateLimits& limits) {
  Generation generation(model, rows, options, banned, limits, seeds, onToken);
  while (generation.advance(0, stop)) {
  }
  return generation.take();
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
