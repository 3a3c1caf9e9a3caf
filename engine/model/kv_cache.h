// KvCache: keys and values of every row, of all decoder layers. Engine thread only.
//
// Layout. A row owns one contiguous block [layers, 2, kvHeads, capacity, headDim] in the compute type (float32 on the CPU):
// keys first, then values; keys are normed and rotated. So for a row with data pointer p, capacity c and head size d,
//   key(layer, head, t)   = p + (((layer * 2 + 0) * kvHeads + head) * c + t) * d
//   value(layer, head, t) = p + (((layer * 2 + 1) * kvHeads + head) * c + t) * d
// with t < length valid. Rows grow by themselves; blocks then move, so pointers hold only until the next reserve().
// A row may read its first tokens in the block of another one (shareRow): then its own block begins with the token behind them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/rows.h"

namespace cuescope {

struct Qwen3VLConfig;

class KvCache {
 public:
  explicit KvCache(const Qwen3VLConfig& config);

  std::int64_t rows() const { return static_cast<std::int64_t>(m_rows.size()); }
  std::int64_t layers() const { return m_layers; }
  std::int64_t kvHeads() const { return m_kvHeads; }
  std::int64_t headDim() const { return m_headDim; }
  /// Tokens of the row that are in the cache.
  std::int64_t length(std::int64_t row) const { return at(row).length; }
  /// Tokens that the row's own block has room for.
  std::int64_t capacity(std::int64_t row) const { return at(row).data.defined() ? at(row).data.size(3) : 0; }
  /// Position (all three axes) of the row's next token.
  std::int64_t nextPosition(std::int64_t row) const { return at(row).length + at(row).ropeDelta; }
  /// The whole block of the row.
  const at::Tensor& data(std::int64_t row) const { return at(row).data; }
  /// The block of another row in which this one's first shared() tokens lie.
  const at::Tensor& prefix(std::int64_t row) const { return at(row).prefix; }
  std::int64_t shared(std::int64_t row) const { return at(row).shared; }
  /// [kvHeads, n, headDim] of the first n tokens: views, or a copy for a row that shares some.
  at::Tensor keys(std::int64_t layer, std::int64_t row, std::int64_t n) const;
  at::Tensor values(std::int64_t layer, std::int64_t row, std::int64_t n) const;

  /// A new, empty row; returns its index. `room` is how many tokens are expected beyond the first ones.
  std::int64_t addRow(std::int64_t ropeDelta, std::int64_t room = 0);
  /// A copy of a row: rows with the same prompt share one prefill. `capacity`: tokens that the copy has room for, 0: as many
  /// as the row.
  std::int64_t copyRow(std::int64_t row, std::int64_t capacity = 0);
  /// A row that goes on from all tokens of another and reads the first `shared` of them where they are; the rest is copied. Those
  /// tokens must not change any more; they outlive the other row. `capacity`: tokens in all that it has room for.
  std::int64_t shareRow(std::int64_t row, std::int64_t shared, std::int64_t capacity);
  /// Frees the row's memory, but for what others share. The index stays taken.
  void release(std::int64_t row);
  /// Makes room for `tokens` in all, in the type and on the device of `like`.
  void reserve(std::int64_t row, std::int64_t tokens, const at::TensorOptions& like);
  /// Stores k, v [n, kvHeads, headDim] of one layer behind the row's `length` tokens; reserve() and advance() are the caller's.
  void write(std::int64_t layer, std::int64_t row, const at::Tensor& k, const at::Tensor& v);
  /// After all layers were written: the row has n more tokens.
  void advance(std::int64_t row, std::int64_t n) { at(row).length += n; }
  /// The most expected tokens for which a new row gets room at once (default 1,024); beyond it, rows grow by doubling.
  void expectAtMost(std::int64_t tokens) { m_expectedAtMost = tokens; }
  /// Bytes of all rows' blocks; a shared one counts once.
  std::int64_t bytes() const;
  /// Tokens that a block for `tokens` has room for.
  static std::int64_t roundedCapacity(std::int64_t tokens) { return (tokens + 15) / 16 * 16; }
  /// Forgets all but the first n tokens; at least the shared ones stay.
  void truncate(std::int64_t row, std::int64_t n);

 private:
  struct Row {
    at::Tensor data;
    std::int64_t length = 0, ropeDelta = 0, room = 0;
    at::Tensor prefix;
    std::int64_t shared = 0;
  };
  at::Tensor part(std::int64_t layer, std::int64_t which, std::int64_t row, std::int64_t n) const;
  Row& at(std::int64_t row) { return m_rows.at(static_cast<std::size_t>(row)); }
  const Row& at(std::int64_t row) const { return m_rows.at(static_cast<std::size_t>(row)); }

  std::int64_t m_layers, m_kvHeads, m_headDim, m_expectedAtMost = 1024;
  std::vector<Row> m_rows;
};

/// Text that continues cached rows: cacheRows[i] goes on with ids[i]. Such a chunk brings no images: the chunk before it must
/// have reached the last visual token (spec 1.7), else Error.
Rows continueRows(const Qwen3VLConfig& config, const KvCache& cache, std::span<const std::int64_t> cacheRows,
                  const std::vector<std::vector<std::int64_t>>& ids);

}  // namespace cuescope
