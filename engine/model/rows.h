// Rows: a batch of sequences packed end to end, without padding. Every row has its own sink and its own visual tokens, and
// attends only to itself (and to the prefix row it continues), whatever it is packed with (spec 1.6, B3, B4).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cuescope {

struct Qwen3VLConfig;

/// Size of one image or video in patches; video grids are one item with t > 1.
struct Grid {
  std::int64_t t = 1, h = 0, w = 0;
  bool video = false;
  std::int64_t merged(std::int64_t mergeSize) const { return t * h * w / (mergeSize * mergeSize); }
};

/// One sequence before packing. `ids` has placeholders already expanded (one id per merged visual token).
struct RowInput {
  std::vector<std::int64_t> ids;
  std::vector<Grid> grids;  // in order of appearance
  at::Tensor pixelValues;   // float32 [sum t*h*w, 1536], same order; undefined for text
  std::int64_t prefix = -1; // index of an earlier row whose tokens this one continues (it sees all of them), -1: none
};

struct Rows {
  at::Tensor inputIds;                      // int64 [T]
  at::Tensor positionIds;                   // int64 [3, T]; temporal, height, width (spec 2.5)
  std::vector<std::int64_t> offsets;        // [B + 1] into T
  std::vector<std::int64_t> ropeDeltas;     // [B]: largest position + 1 - length (of prefix and row together)
  std::vector<std::int64_t> prefixes;       // [B]: row index or -1
  std::vector<std::int64_t> sinks;          // [B]: index into T, -1 for rows with a prefix (their sink lies there)
  at::Tensor visualIndex;                   // int64 [V]: indexes into T of image and video placeholders, ascending
  std::vector<std::int64_t> visualOffsets;  // [B + 1] into visualIndex
  at::Tensor pixelValues;                   // float32 [P, 1536] of all rows, undefined when there is none
  std::vector<Grid> grids;                  // of all rows, in order
  std::vector<std::int64_t> cached;         // empty, or [B]: the KvCache row that a row continues (see kv_cache.h)

  std::int64_t count() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  std::int64_t tokens() const { return offsets.back(); }
};

/// Packs rows: checks placeholder counts against grids (Error names row and counts), computes positions, sinks (the row's
/// first <|im_start|>, else its first token: spec A7), visual indexes.
Rows packRows(const Qwen3VLConfig& config, const std::vector<RowInput>& rows);

/// Position ids of one row (spec 2.5). `start` is the first position (0, or the prefix's largest position + 1).
/// Returns [3][length].
std::vector<std::vector<std::int64_t>> ropePositions(const Qwen3VLConfig& config, const std::vector<std::int64_t>& ids,
                                                     const std::vector<Grid>& grids, std::int64_t start = 0);

}  // namespace cuescope
