#include "engine/model/generation.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <optional>

#include "engine/core/failure.h"

namespace cuescope {
namespace {

constexpr std::int64_t kLongestRun = 16;  // tokens of a run whose copies count as repetition

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


}  // namespace

bool endsInRepeats(std::span<const std::int64_t> ids, int copies) {
  if (copies < 2) return false;
  for (std::size_t run = 1; run <= static_cast<std::size_t>(kLongestRun); ++run) {
    const std::size_t span = run * static_cast<std::size_t>(copies);
    if (span > ids.size()) return false;
    const auto end = ids.last(span);
    if (std::equal(end.begin() + static_cast<std::ptrdiff_t>(run), end.end(), end.begin())) return true;
  }
  return false;
}

kernels::SamplerRow samplerOf(const SamplingOptions& options) {
  kernels::SamplerRow sampler;
  sampler.temperature = options.greedy ? 0.f : static_cast<float>(options.temperature);
  sampler.topP = static_cast<float>(options.topP);
  sampler.minP = static_cast<float>(options.minP);
  sampler.topK = options.topK;
  sampler.repetitionPenalty = static_cast<float>(options.repetitionPenalty);
  sampler.presencePenalty = static_cast<float>(options.presencePenalty);
  sampler.frequencyPenalty = static_cast<float>(options.frequencyPenalty);
  return sampler;
}

bool penalises(const SamplingOptions& options) {
  return options.repetitionPenalty != 1.0 || options.presencePenalty != 0.0 || options.frequencyPenalty != 0.0;
}

Generation::Generation(const Qwen3VL& model, std::vector<RowInput> rows, const SamplingOptions& options,
                       std::vector<std::int64_t> banned, GenerateLimits limits, std::vector<std::uint64_t> seeds, OnToken onToken)
    : m_model(model),
      m_rows(std::move(rows)),
      m_options(options),
      m_banned(std::move(banned)),
      m_limits(std::move(limits)),
      m_seeds(std::move(seeds)),
      m_onToken(std::move(onToken)),
      m_out(m_rows.size()),
      m_source(m_rows.size()),
      m_siblings(m_rows.size()),
      m_needs(m_rows.size()),
      m_cache(model.config()),
      m_counts(m_rows.size()) {
  const at::NoGradGuard noGrad;
  if (!m_seeds.empty() && m_seeds.size() != m_rows.size())
    throw Error("Sampling cannot start", "seeds", "there must be one a row");
  if (m_options.maxNew <= 0) m_finished = m_next = m_rows.size();
  m_fast = CpuDecoder::create(model);  // null: decodeStep, the same numbers on any device
  m_sampler = samplerOf(options);
  m_penalties = penalises(options);
  for (std::size_t r = 0; r < m_rows.size(); ++r) {
    m_source[r] = r;
    for (std::size_t earlier = 0; earlier < r && m_source[r] == r; ++earlier)
      if (m_source[earlier] == earlier && samePrompt(m_rows[earlier], m_rows[r])) m_source[r] = earlier;
    if (m_source[r] != r) ++m_siblings[m_source[r]];
    m_together = m_together || m_rows[r].prefix >= 0;  // rows that continue others need those at hand
    if (m_penalties) {
      std::vector<std::int64_t> ids;
      for (std::int64_t p = static_cast<std::int64_t>(r); p >= 0; p = m_rows[static_cast<std::size_t>(p)].prefix)
        ids.insert(ids.end(), m_rows[static_cast<std::size_t>(p)].ids.begin(), m_rows[static_cast<std::size_t>(p)].ids.end());
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      for (const std::int64_t id : ids) m_counts[r].push_back({id, 0});
    }
    if (m_limits.kvBytes > 0 && needOf(r) > m_limits.kvBytes)
      throw Error("A response does not fit the memory for keys and values", "rollout.kv_cache_mib",
                  "row " + std::to_string(r) + " needs " + std::to_string((needOf(r) >> 20) + 1) + " MiB, the bound is " +
                      std::to_string(m_limits.kvBytes >> 20),
                  "Raise rollout.kv_cache_mib, or lower data.max_response_length.");
  }
  constexpr std::int64_t kRoomUnbounded = 1024;
  m_room = m_limits.kvBytes > 0 ? m_options.maxNew : std::min<std::int64_t>(m_options.maxNew, kRoomUnbounded);
  m_cache.expectAtMost(m_room);  // with a bound, blocks never grow, so that it holds
  m_costs.places = m_limits.rowsAtOnce > 0 && !m_together
                       ? std::min<std::int64_t>(m_limits.rowsAtOnce, static_cast<std::int64_t>(m_rows.size()))
                       : static_cast<std::int64_t>(m_rows.size());
}

Generation::~Generation() = default;

std::int64_t Generation::blockBytes(std::int64_t tokens) const {
  const std::int64_t width = at::elementSize(m_model.activationType());
  return KvCache::roundedCapacity(tokens) * m_cache.layers() * 2 * m_cache.kvHeads() * m_cache.headDim() * width;
}

std::int64_t Generation::sharedTokens(std::size_t row) const {
  return m_fast && m_siblings[m_source[row]] > 0 ? CpuDecoder::shareable(static_cast<std::int64_t>(m_rows[row].ids.size())) : 0;
}

std::int64_t Generation::sampleNeed(std::size_t row) const {
  return blockBytes(static_cast<std::int64_t>(m_rows[row].ids.size()) - sharedTokens(row) + m_options.maxNew);
}

std::int64_t Generation::needOf(std::size_t row) const {
  return blockBytes(static_cast<std::int64_t>(m_rows[row].ids.size()) + m_options.maxNew);
}

std::vector<kernels::SamplerRow> Generation::samplersOf(std::span<const std::size_t> rows) const {
  std::vector<kernels::SamplerRow> samplers(rows.size(), m_sampler);
  for (std::size_t i = 0; i < rows.size(); ++i)
    samplers[i].uniform = uniformOf(m_options.seed, m_seeds.empty() ? rows[i] : m_seeds[rows[i]], m_out[rows[i]].ids.size());
  return samplers;
}

std::vector<std::vector<kernels::SeenToken>> Generation::seenBy(std::span<const std::size_t> rows) const {
  std::vector<std::vector<kernels::SeenToken>> seen(rows.size());
  for (std::size_t i = 0; m_penalties && i < rows.size(); ++i) seen[i] = m_counts[rows[i]];
  return seen;
}

bool Generation::accept(std::size_t row, std::int64_t cacheRow, std::int64_t id, float logProb) {
  Generated& out = m_out[row];
  out.ids.push_back(id);
  out.logProbs.push_back(logProb);
  if (m_onToken) m_onToken(static_cast<std::int64_t>(row), id, logProb);
  const auto isIn = [id](const std::vector<std::int64_t>& list) { return std::find(list.begin(), list.end(), id) != list.end(); };
  out.stopped = !m_options.ignoreEos && (isIn(m_model.config().eosTokens) || isIn(m_limits.stopTokens));
  out.repeated = !out.stopped && endsInRepeats(out.ids, m_limits.maxRepeats);
  if (out.stopped || out.repeated || static_cast<int>(out.ids.size()) >= m_options.maxNew ||
      m_cache.nextPosition(cacheRow) >= m_model.config().text.maxPositions) {
    end(row, cacheRow);
    ++m_finished;
    return false;
  }
  if (m_penalties) {
    auto& counts = m_counts[row];
    const auto at = std::lower_bound(counts.begin(), counts.end(), id, [](const auto& seen, std::int64_t wanted) { return seen.id < wanted; });
    if (at != counts.end() && at->id == id)
      ++at->countInResponse;
    else
      counts.insert(at, {id, 1});
  }
  return true;
}

void Generation::end(std::size_t row, std::int64_t cacheRow) {
  const auto group = std::find_if(m_shared.begin(), m_shared.end(), [&](const Shared& s) { return s.tokens > 0 && s.row == m_source[row]; });
  if (group == m_shared.end()) {
    m_cache.release(cacheRow);
    m_held -= m_needs[row];
    return;
  }
  // The first sample's block is there until the last one has ended: the others read it.
  if (row == group->row) {
    group->firstEnded = true;
    if (group->waiting == 0) m_cache.release(cacheRow);
  } else {
    m_cache.release(cacheRow);
    m_held -= m_needs[row];
  }
  if (--group->running > 0 || group->waiting > 0) return;
  m_held -= m_needs[group->row];
  m_shared.erase(group);
}

void Generation::takeSampled(std::span<const std::size_t> rows, std::span<const std::int64_t> cacheRows, const kernels::Sampled& sampled) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (accept(rows[i], cacheRows[i], sampled.ids[i], sampled.logProbs[i])) m_active.push_back({rows[i], cacheRows[i], sampled.ids[i]});
}

at::Tensor Generation::prefilled(const std::vector<RowInput>& prompts, std::vector<std::int64_t>& cacheRows, std::stop_token stop) {
  const std::int64_t before = m_cache.rows();
  try {
    return m_model.logits(prefill(m_model, prompts, m_cache, cacheRows, m_options.maxNew, 0, stop, m_limits.vision)).to(at::kFloat);
  } catch (...) {
    for (std::int64_t row = before; row < m_cache.rows(); ++row) m_cache.release(row);
    throw;
  }
}

// Fills free places: rows in order, as many as fit the places and the memory.
void Generation::admit(std::stop_token stop) {
  while (m_next < m_rows.size()) {
    std::vector<std::size_t> rows;    // that start now
    std::vector<std::size_t> fresh;   // among them, those whose prompt must be computed
    std::int64_t tokens = 0, held = m_held;
    bool full = false;
    std::int64_t staying = 0, most = 0;  // bytes of prompts whose samples wait; what one of these needs at most
    for (const Shared& s : m_shared) {
      if (s.waiting == 0) continue;
      staying += s.tokens > 0 ? m_needs[s.row] : blockBytes(static_cast<std::int64_t>(m_rows[s.row].ids.size()));
      most = std::max(most, s.tokens > 0 ? sampleNeed(s.row) : needOf(s.row));
    }
    const auto sharedOf = [&](std::size_t row) {
      return std::find_if(m_shared.begin(), m_shared.end(), [&](const Shared& s) { return s.row == m_source[row]; });
    };
    for (std::size_t r = m_next; r < m_rows.size(); ++r) {
      const bool known = sharedOf(r) != m_shared.end() || std::find(fresh.begin(), fresh.end(), m_source[r]) != fresh.end();
      const auto length = static_cast<std::int64_t>(m_rows[r].ids.size());
      if (!m_together) {
        if (static_cast<std::int64_t>(m_active.size() + rows.size()) >= m_costs.places) break;
        const bool shares = sharedTokens(r) > 0, begins = !known && m_siblings[r] > 0;
        const std::int64_t need = known && shares ? sampleNeed(r) : needOf(r);
        // Where samples copy the prompt, it is kept beside its rows while some may have to wait.
        const std::int64_t kept = begins && !shares ? blockBytes(length) : 0;
        bool fits = held + need + kept <= m_limits.kvBytes;
        if (begins) {  // what stays until the last sample has begun must leave room for any of those that wait
          const std::int64_t stays = shares ? need : kept, next = std::max(most, shares ? sampleNeed(r) : need);
          fits = fits && staying + stays + next <= m_limits.kvBytes;
          if (fits) staying += stays, most = next;
        }
        fits = fits || m_limits.kvBytes == 0;
        if (!fits && !(m_active.empty() && rows.empty() && m_shared.empty())) break;
        if (!known && tokens > 0 && tokens + length > kPrefillTokens) break;
        held += need + kept;
        m_needs[r] = need;
        full = !fits;  // alone, and its prompt is not kept
      } else {
        m_needs[r] = needOf(r);
        held += m_needs[r];
      }
      rows.push_back(r);
      if (!known) {
        fresh.push_back(r);
        tokens += length;
      }
      if (full) break;
    }
    if (rows.empty()) return;
    if (stop.stop_requested()) throw Cancelled();

    std::vector<RowInput> prompts;
    std::vector<std::int64_t> freshRows;
    at::Tensor logits;
    if (m_together) {
      logits = prefilled(m_rows, freshRows, stop);
      m_costs.prefills += static_cast<std::int64_t>(fresh.size());
      m_costs.prefillTokens += tokens;
      m_held = held;
      m_next = m_rows.size();
      m_costs.peakKvBytes = std::max(m_costs.peakKvBytes, m_cache.bytes());
      return takeSampled(rows, freshRows, kernels::sample(logits, samplersOf(rows), seenBy(rows), m_banned));
    }
    for (const std::size_t r : fresh) prompts.push_back(m_rows[r]);
    if (!prompts.empty()) {
      logits = prefilled(prompts, freshRows, stop);
      m_costs.prefills += static_cast<std::int64_t>(prompts.size());
      m_costs.prefillTokens += tokens;
    }
    // From here on nothing throws but for want of memory.
    std::vector<std::int64_t> cacheRows(rows.size(), -1);
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t r = rows[i];
      const auto own = std::find(fresh.begin(), fresh.end(), r);
      if (own != fresh.end()) {
        const auto at = own - fresh.begin();
        cacheRows[i] = freshRows[static_cast<std::size_t>(at)];
        parts.push_back(logits.narrow(0, at, 1));
        const auto length = static_cast<std::int64_t>(m_rows[r].ids.size());
        if (m_siblings[r] > 0 && !full) {
          const std::int64_t readable = sharedTokens(r);
          m_shared.push_back({r, readable > 0 ? cacheRows[i] : m_cache.copyRow(cacheRows[i], length), logits.narrow(0, at, 1).clone(), m_siblings[r], readable, 1, false});
          if (readable == 0) m_held += blockBytes(length);
        }
      } else {
        const auto shared = sharedOf(r);
        const std::int64_t capacity = static_cast<std::int64_t>(m_rows[r].ids.size()) + m_room;
        parts.push_back(shared->logits);
        --shared->waiting;
        if (shared->tokens > 0) {
          cacheRows[i] = m_cache.shareRow(shared->cacheRow, shared->tokens, capacity);
          ++shared->running;
          if (shared->waiting == 0 && shared->firstEnded) m_cache.release(shared->cacheRow);
        } else {
          cacheRows[i] = m_cache.copyRow(shared->cacheRow, capacity);
          if (shared->waiting == 0) {
            m_held -= blockBytes(static_cast<std::int64_t>(m_rows[r].ids.size()));
            m_cache.release(shared->cacheRow);
            m_shared.erase(shared);
          }
        }
      }
      m_held += m_needs[r];
    }
    m_next += rows.size();
    m_costs.peakKvBytes = std::max(m_costs.peakKvBytes, m_cache.bytes());
    takeSampled(rows, cacheRows, kernels::sample(parts.size() == 1 ? parts[0] : at::cat(parts), samplersOf(rows), seenBy(rows), m_banned));
  }
}

void Generation::decode() {
  std::vector<std::size_t> rows;
  std::vector<std::int64_t> cacheRows, ids;
  for (const Active& active : m_active) {
    rows.push_back(active.row);
    cacheRows.push_back(active.cacheRow);
    ids.push_back(active.id);
  }
  kernels::Sampled sampled;
  if (m_fast && m_options.greedy && !m_penalties) {  // needs no logits
    sampled = m_fast->greedy(m_cache, cacheRows, ids, m_banned);
  } else {
    const at::Tensor logits = m_fast ? m_fast->logits(m_cache, cacheRows, ids)
                                     : m_model.logits(decodeStep(m_model, m_cache, cacheRows, ids)).to(at::kFloat);
    sampled = kernels::sample(logits, samplersOf(rows), seenBy(rows), m_banned);
  }
  m_active.clear();
  ++m_costs.steps;
  m_costs.rowSteps += static_cast<std::int64_t>(rows.size());
  m_costs.peakKvBytes = std::max(m_costs.peakKvBytes, m_cache.bytes());
  takeSampled(rows, cacheRows, sampled);
}

bool Generation::advance(std::int64_t steps, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  for (std::int64_t step = 0; m_finished < m_rows.size() && (steps == 0 || step < steps); ++step) {
    if (stop.stop_requested()) throw Cancelled();
    if (static_cast<std::int64_t>(m_active.size()) < m_costs.places) admit(stop);
    if (stop.stop_requested()) throw Cancelled();
    if (!m_active.empty()) decode();
  }
  return m_finished < m_rows.size();
}

}  // namespace cuescope
