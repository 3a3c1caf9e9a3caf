#include "engine/model/rows.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {
namespace {

at::Tensor toTensor(const std::vector<std::int64_t>& values, at::IntArrayRef shape) {
  at::Tensor out = at::empty(shape, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<std::int64_t>());
  return out;
}

std::string describe(std::size_t row, std::int64_t placeholders, std::int64_t expected, const char* kind) {
  return "row " + std::to_string(row) + " has " + std::to_string(placeholders) + " " + kind +
         " placeholders, its grids need " + std::to_string(expected);
}

// Every image or frame is one unbroken run of placeholders of its own kind, in the order of the grids.
void checkPlaceholders(const Qwen3VLConfig& config, const RowInput& row, std::size_t index) {
  const std::int64_t area = config.vision.merge * config.vision.merge;
  std::int64_t need[2] = {0, 0}, have[2] = {0, 0}, patches = 0;
  for (const Grid& grid : row.grids) {
    if (grid.t < 1 || grid.h < 1 || grid.w < 1 || grid.h % config.vision.merge != 0 ||
        grid.w % config.vision.merge != 0)
      throw Error("An image grid is impossible", "row " + std::to_string(index),
                  std::to_string(grid.t) + " x " + std::to_string(grid.h) + " x " + std::to_string(grid.w) +
                      " patches; height and width must be multiples of " + std::to_string(config.vision.merge));
    need[grid.video] += grid.t * grid.h * grid.w / area;
    patches += grid.t * grid.h * grid.w;
  }
  for (const std::int64_t id : row.ids) {
    have[0] += id == config.imageToken;
    have[1] += id == config.videoToken;
    if (id < 0 || id >= config.text.vocabulary)
      throw Error("A token id is outside the vocabulary", "row " + std::to_string(index),
                  "id " + std::to_string(id) + " of " + std::to_string(config.text.vocabulary),
                  "Use the tokenizer of this model.");
  }
  for (int kind = 0; kind < 2; ++kind)
    if (have[kind] != need[kind])
      throw Error("Images and placeholders do not match", "row " + std::to_string(index),
                  describe(index, have[kind], need[kind], kind ? "video" : "image"),
                  "Expand every placeholder to one id per merged visual token.");
  const std::int64_t given = row.pixelValues.defined() ? row.pixelValues.size(0) : 0;
  if (given != patches)
    throw Error("Images and pixels do not match", "row " + std::to_string(index),
                "the grids need " + std::to_string(patches) + " patches, there are " + std::to_string(given));
}

}  // namespace

std::vector<std::vector<std::int64_t>> ropePositions(const Qwen3VLConfig& config, const std::vector<std::int64_t>& ids,
                                                     const std::vector<Grid>& grids, std::int64_t start) {
  // A video is one block per temporal slice; its text timestamps lie between the blocks (spec 2.5).
  struct Block {
    std::int64_t rows, columns;
  };
  std::vector<Block> blocks[2];  // of images, of videos
  for (const Grid& grid : grids)
    for (std::int64_t t = 0; t < (grid.video ? grid.t : 1); ++t)
      for (std::int64_t copy = 0; copy < (grid.video ? 1 : grid.t); ++copy)
        blocks[grid.video].push_back({grid.h / config.vision.merge, grid.w / config.vision.merge});

  std::vector<std::vector<std::int64_t>> out(3, std::vector<std::int64_t>(ids.size()));
  std::size_t used[2] = {0, 0};
  std::int64_t next = start;
  for (std::size_t i = 0; i < ids.size();) {
    const bool image = ids[i] == config.imageToken, video = ids[i] == config.videoToken;
    if (!image && !video) {
      out[0][i] = out[1][i] = out[2][i] = next++;
      ++i;
      continue;
    }
    if (used[video] >= blocks[video].size())
      throw Error("Images and placeholders do not match", "token " + std::to_string(i),
                  "there are more visual placeholders than the grids need");
    const Block block = blocks[video][used[video]++];
    for (std::int64_t k = 0; k < block.rows * block.columns; ++k, ++i) {
      if (i >= ids.size() || ids[i] != (video ? config.videoToken : config.imageToken))
        throw Error("Images and placeholders do not match", "token " + std::to_string(i),
                    "a run of placeholders is shorter than its grid of " + std::to_string(block.rows) + " x " +
                        std::to_string(block.columns));
      out[0][i] = next;
      out[1][i] = next + k / block.columns;
      out[2][i] = next + k % block.columns;
    }
    next += std::max(block.rows, block.columns);
  }
  return out;
}

Rows packRows(const Qwen3VLConfig& config, const std::vector<RowInput>& rows) {
  Rows out;
  out.offsets = {0};
  out.visualOffsets = {0};
  std::vector<std::int64_t> ids, visual, next(rows.size()), lengths(rows.size());
  std::vector<std::int64_t> positions[3];
  std::vector<at::Tensor> pixels;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const RowInput& row = rows[r];
    const std::string where = "row " + std::to_string(r);
    if (row.ids.empty()) throw Error("A row is empty", where, "it has no tokens");
    checkPlaceholders(config, row, r);
    std::int64_t start = 0, before = 0;
    if (row.prefix >= 0) {
      if (row.prefix >= static_cast<std::int64_t>(r) || rows[static_cast<std::size_t>(row.prefix)].prefix >= 0)
        throw Error("A row continues an impossible prefix", where,
                    "the prefix must be an earlier row that is no continuation itself");
      if (config.cue.enabled && !row.grids.empty())
        throw Error("A continuation cannot bring images", where, "the sink of its prefix could not see them (spec 1.7)",
                    "Put all images into the prefix.");
      start = next[static_cast<std::size_t>(row.prefix)];
      before = lengths[static_cast<std::size_t>(row.prefix)];
    }
    const auto rope = ropePositions(config, row.ids, row.grids, start);
    next[r] = start;
    for (int axis = 0; axis < 3; ++axis) {
      positions[axis].insert(positions[axis].end(), rope[axis].begin(), rope[axis].end());
      next[r] = std::max(next[r], *std::max_element(rope[axis].begin(), rope[axis].end()) + 1);
    }
    lengths[r] = before + static_cast<std::int64_t>(row.ids.size());
    out.ropeDeltas.push_back(next[r] - lengths[r]);
    out.prefixes.push_back(row.prefix);
    const std::int64_t offset = out.offsets.back();
    if (row.prefix >= 0) {
      out.sinks.push_back(-1);
    } else {
      const auto first = std::find(row.ids.begin(), row.ids.end(), config.imStart);
      out.sinks.push_back(offset + (first == row.ids.end() ? 0 : first - row.ids.begin()));
    }
    for (std::size_t i = 0; i < row.ids.size(); ++i)
      if (row.ids[i] == config.imageToken || row.ids[i] == config.videoToken)
        visual.push_back(offset + static_cast<std::int64_t>(i));
    ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    out.offsets.push_back(static_cast<std::int64_t>(ids.size()));
    out.visualOffsets.push_back(static_cast<std::int64_t>(visual.size()));
    out.grids.insert(out.grids.end(), row.grids.begin(), row.grids.end());
    if (row.pixelValues.defined() && row.pixelValues.size(0) > 0) pixels.push_back(row.pixelValues);
  }
  const auto total = static_cast<std::int64_t>(ids.size());
  out.inputIds = toTensor(ids, {total});
  out.positionIds = at::empty({3, total}, at::kLong);
  for (int axis = 0; axis < 3; ++axis)
    std::copy(positions[axis].begin(), positions[axis].end(), out.positionIds.data_ptr<std::int64_t>() + axis * total);
  out.visualIndex = toTensor(visual, {static_cast<std::int64_t>(visual.size())});
  if (!pixels.empty()) out.pixelValues = pixels.size() == 1 ? pixels[0] : at::cat(pixels);
  return out;
}

}  // namespace cuescope
