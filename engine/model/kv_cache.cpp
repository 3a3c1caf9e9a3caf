#include "engine/model/kv_cache.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {

KvCache::KvCache(const Qwen3VLConfig& config)
    : m_layers(config.text.layers), m_kvHeads(config.text.kvHeads), m_headDim(config.text.headDim) {}

at::Tensor KvCache::part(std::int64_t layer, std::int64_t which, std::int64_t row, std::int64_t n) const {
  const Row& r = at(row);
  const auto of = [&](const at::Tensor& block, std::int64_t count) { return block.select(0, layer).select(0, which).narrow(1, 0, count); };
  if (r.shared == 0) return of(r.data, n);
  if (n <= r.shared) return of(r.prefix, n);
  return at::cat({of(r.prefix, r.shared), of(r.data, n - r.shared)}, 1);
}

at::Tensor KvCache::keys(std::int64_t layer, std::int64_t row, std::int64_t n) const { return part(layer, 0, row, n); }

at::Tensor KvCache::values(std::int64_t layer, std::int64_t row, std::int64_t n) const { return part(layer, 1, row, n); }

std::int64_t KvCache::addRow(std::int64_t ropeDelta, std::int64_t room) {
  m_rows.push_back({});
  m_rows.back().ropeDelta = ropeDelta;
  m_rows.back().room = room;
  return rows() - 1;
}

std::int64_t KvCache::bytes() const {
  std::int64_t sum = 0;
  std::vector<const void*> shared;
  for (const Row& row : m_rows) {
    if (row.data.defined()) sum += static_cast<std::int64_t>(row.data.nbytes());
    if (row.prefix.defined()) shared.push_back(row.prefix.const_data_ptr());
  }
  // Blocks whose own row has ended, but which others read.
  std::sort(shared.begin(), shared.end());
  shared.erase(std::unique(shared.begin(), shared.end()), shared.end());
  for (const Row& row : m_rows)
    if (row.data.defined()) std::erase(shared, row.data.const_data_ptr());
  for (const void* block : shared)
    for (const Row& row : m_rows)
      if (row.prefix.defined() && row.prefix.const_data_ptr() == block) {
        sum += static_cast<std::int64_t>(row.prefix.nbytes());
        break;
      }
  return sum;
}

std::int64_t KvCache::copyRow(std::int64_t row, std::int64_t capacity) {
  Row copy = at(row);
  if (copy.data.defined()) {
    if (capacity == 0) capacity = copy.data.size(3) + copy.shared;
    capacity = roundedCapacity(std::max(capacity, copy.length));
    copy.data = at::empty({m_layers, 2, m_kvHeads, capacity, m_headDim}, copy.data.options());
    if (copy.shared > 0) copy.data.narrow(3, 0, copy.shared).copy_(copy.prefix.narrow(3, 0, copy.shared));
    copy.data.narrow(3, copy.shared, copy.length - copy.shared).copy_(at(row).data.narrow(3, 0, copy.length - copy.shared));
    copy.prefix.reset();
    copy.shared = 0;
  }
  m_rows.push_back(std::move(copy));
  return rows() - 1;
}

std::int64_t KvCache::shareRow(std::int64_t row, std::int64_t shared, std::int64_t capacity) {
  Row next = at(row);
  if (!next.data.defined() || next.shared > 0 || shared < 1 || shared > next.length)
    throw Error("A row cannot be shared", "row " + std::to_string(row), std::to_string(shared) + " of " + std::to_string(next.length) + " tokens of its own block");
  const std::int64_t rest = next.length - shared;
  next.prefix = next.data;
  next.shared = shared;
  next.data = at::empty({m_layers, 2, m_kvHeads, roundedCapacity(std::max<std::int64_t>({capacity - shared, rest, 1})), m_headDim}, next.data.options());
  if (rest > 0) next.data.narrow(3, 0, rest).copy_(next.prefix.narrow(3, shared, rest));
  m_rows.push_back(std::move(next));
  return rows() - 1;
}

void KvCache::release(std::int64_t row) {
  at(row).data.reset();
  at(row).prefix.reset();
  at(row).shared = 0;
  at(row).length = 0;
}

void KvCache::truncate(std::int64_t row, std::int64_t n) {
  if (n < at(row).shared)
    throw Error("A row cannot be cut", "row " + std::to_string(row), "its first " + std::to_string(at(row).shared) + " tokens are shared with others");
  at(row).length = n;
}

void KvCache::reserve(std::int64_t row, std::int64_t tokens, const at::TensorOptions& like) {
  Row& r = at(row);
  tokens -= r.shared;
  if (r.data.defined() && r.data.size(3) >= tokens) return;
  // Twice what is there, so that growing costs a constant share; the first block also holds what is expected, in
  // reason.
  std::int64_t capacity = r.data.defined() ? std::max(tokens, 2 * r.data.size(3))
                                           : tokens + std::clamp<std::int64_t>(r.room, 0, m_expectedAtMost);
  capacity = roundedCapacity(capacity);
  at::Tensor data = at::empty({m_layers, 2, m_kvHeads, capacity, m_headDim}, like);
  const std::int64_t there = r.length - r.shared;
  if (r.data.defined() && there > 0) data.narrow(3, 0, there).copy_(r.data.narrow(3, 0, there));
  r.data = std::move(data);
}

void KvCache::write(std::int64_t layer, std::int64_t row, const at::Tensor& k, const at::Tensor& v) {
  const Row& r = at(row);
  const at::Tensor place = r.data.select(0, layer).narrow(2, r.length - r.shared, k.size(0));
  place.select(0, 0).copy_(k.transpose(0, 1));
  place.select(0, 1).copy_(v.transpose(0, 1));
}

Rows continueRows(const Qwen3VLConfig& config, const KvCache& cache, std::span<const std::int64_t> cacheRows,
                  const std::vector<std::vector<std::int64_t>>& ids) {
  Rows out;
  out.offsets = {0};
  std::int64_t total = 0;
  for (const auto& row : ids) total += static_cast<std::int64_t>(row.size());
  out.inputIds = at::empty({total}, at::kLong);
  out.positionIds = at::empty({3, total}, at::kLong);
  out.visualIndex = at::empty({0}, at::kLong);
  out.visualOffsets.assign(ids.size() + 1, 0);
  auto* id = out.inputIds.data_ptr<std::int64_t>();
  auto* position = out.positionIds.data_ptr<std::int64_t>();
  std::int64_t at = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = cacheRows[i];
    if (ids[i].empty() || cache.length(row) == 0)
      throw Error("A row cannot be continued", "row " + std::to_string(row),
                  "there is nothing to continue it from or with");
    std::int64_t next = cache.nextPosition(row);
    for (const std::int64_t token : ids[i]) {
      if (token == config.imageToken || token == config.videoToken)
        throw Error("This prompt cannot be cut here", "row " + std::to_string(row),
                    "visual tokens lie behind the first chunk, so the sink could not see them (spec 1.7)",
                    "Let the first chunk reach the last visual token.");
      id[at] = token;
      position[at] = position[total + at] = position[2 * total + at] = next++;
      ++at;
    }
    out.offsets.push_back(at);
    out.ropeDeltas.push_back(cache.nextPosition(row) - cache.length(row));
    out.prefixes.push_back(-1);
    out.sinks.push_back(-1);
    out.cached.push_back(row);
  }
  return out;
}

}  // namespace cuescope
