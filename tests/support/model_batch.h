// A golden batch (padded ids, mask, pixels, grids) as the engine's rows, and packed results back in the batch's shape.
// Also RecordingProbe, which wants everything and keeps it. Header only; include before Qt headers.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/model/probe.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"
#include "tests/support/golden.h"

struct ModelBatch {
  std::vector<cuescope::RowInput> rows;
  at::Tensor valid;                                // bool [B, L]
  std::vector<std::vector<std::int64_t>> columns;  // of each row's tokens

  /// [T, ...] to [B, L, ...], zeros at padding.
  at::Tensor padded(const at::Tensor& packed) const {
    auto shape = packed.sizes().vec();
    shape.erase(shape.begin());
    shape.insert(shape.begin(), {valid.size(0), valid.size(1)});
    at::Tensor out = at::zeros(shape, packed.options());
    std::int64_t at = 0;
    for (std::size_t r = 0; r < columns.size(); ++r)
      for (const std::int64_t column : columns[r]) out[static_cast<std::int64_t>(r)][column].copy_(packed[at++]);
    return out;
  }
};

/// `pixels` holds the batch's pixel values and grids (another set may lend them).
inline ModelBatch modelBatch(const golden::Set& set, const golden::Set& pixels, const std::string& batch,
                             const cuescope::Qwen3VLConfig& config) {
  ModelBatch out;
  const at::Tensor ids = set[batch + ".input_ids"];
  out.valid = set[batch + ".attention_mask"].to(at::kBool);
  // "right" has the pixels of "left".
  const std::string lender =
      pixels.has(batch + ".pixel_values") || pixels.has(batch + ".pixel_values_videos") ? batch : "left";
  const char* values[2] = {".pixel_values", ".pixel_values_videos"};
  const char* grids[2] = {".image_grid_thw", ".video_grid_thw"};
  std::int64_t usedGrids[2] = {0, 0}, usedPatches[2] = {0, 0};
  for (std::int64_t r = 0; r < ids.size(0); ++r) {
    cuescope::RowInput row;
    std::vector<std::int64_t> columns;
    for (std::int64_t c = 0; c < ids.size(1); ++c)
      if (out.valid[r][c].item<bool>()) {
        row.ids.push_back(ids[r][c].item<std::int64_t>());
        columns.push_back(c);
      }
    std::vector<at::Tensor> parts;
    std::int64_t open[2] = {0, 0};  // placeholders of the current item that are still to come
    for (const std::int64_t id : row.ids) {
      if (id != config.imageToken && id != config.videoToken) continue;
      const int kind = id == config.videoToken;
      if (open[kind] == 0) {
        const at::Tensor grid = pixels[lender + grids[kind]][usedGrids[kind]++];
        const auto n = [&](int i) { return grid[i].item<std::int64_t>(); };
        row.grids.push_back({n(0), n(1), n(2), kind == 1});
        open[kind] = row.grids.back().merged(config.vision.merge);
        const std::int64_t patches = n(0) * n(1) * n(2);
        parts.push_back(pixels[lender + values[kind]].narrow(0, usedPatches[kind], patches));
        usedPatches[kind] += patches;
      }
      --open[kind];
    }
    if (!parts.empty()) row.pixelValues = at::cat(parts);
    out.rows.push_back(std::move(row));
    out.columns.push_back(std::move(columns));
  }
  return out;
}

class RecordingProbe : public cuescope::Probe {
 public:
  using Key = std::tuple<cuescope::ProbeSite, std::int64_t, std::int64_t>;
  bool wants(cuescope::ProbeSite, std::int64_t) const override { return true; }
  void take(cuescope::ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override {
    taken[{site, layer, row}] = value;
  }
  at::Tensor at(cuescope::ProbeSite site, std::int64_t layer, std::int64_t row = -1) const {
    const auto found = taken.find({site, layer, row});
    return found == taken.end() ? at::Tensor() : found->second;
  }
  std::map<Key, at::Tensor> taken;
};
