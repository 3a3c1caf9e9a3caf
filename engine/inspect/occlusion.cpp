#include "engine/inspect/occlusion.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/core/failure.h"
#include "engine/data/patches.h"
#include "engine/inspect/attention_maps.h"
#include "engine/inspect/token_gap.h"

namespace cuescope {

namespace {

/// One picture, or one pair of frames.
struct Slice {
  std::int64_t firstPatch = 0, patches = 0, firstToken = 0, tokens = 0;
  Grid grid;        // t == 1
  std::size_t item = 0;  // grid of the row
};

std::vector<Slice> slicesOf(const std::vector<Grid>& grids, std::int64_t merge) {
  std::vector<Slice> slices;
  std::int64_t patch = 0, token = 0;
  for (std::size_t item = 0; item < grids.size(); ++item) {
    const Grid& grid = grids[item];
    for (std::int64_t t = 0; t < grid.t; ++t) {
      const std::int64_t patches = grid.h * grid.w, tokens = patches / (merge * merge);
      slices.push_back({patch, patches, token, tokens, {1, grid.h, grid.w, grid.video}, item});
      patch += patches;
      token += tokens;
    }
  }
  return slices;
}

/// `whole` with the rows of one slice replaced.
at::Tensor spliced(const at::Tensor& whole, const Slice& slice, const at::Tensor& part) {
  const std::int64_t end = slice.firstToken + slice.tokens;
  return at::cat({whole.narrow(0, 0, slice.firstToken), part, whole.narrow(0, end, whole.size(0) - end)});
}

}  // namespace

AttentionStack occlusionMap(const Qwen3VL& model, const RowInput& row, const VisionFeatures& base, const CapturePlan& plan, Change change,
                            const std::vector<std::int64_t>& chosen, const Intervention* intervention, const std::function<void(int done, int total)>& progress,
                            std::stop_token stop, OcclusionInfo* info) {
  const at::NoGradGuard noGrad;
  AttentionStack stack = emptyStack(Site::Occlusion, plan.occlusion, false);
  if (stack.empty()) return stack;
  StopProbe stops(stop);
  const auto merge = model.config().vision.merge;
  const std::vector<Slice> slices = slicesOf(row.grids, merge);
  const std::vector<std::vector<int>> cells = occlusionCells(row.grids, merge, plan.occlusionCell);

  // Nothing behind the last judged token matters, and no state before the first judged row is needed.
  RowInput judged = row;
  judged.ids.resize(static_cast<std::size_t>(stack.queries.back()) + 1);
  const std::int64_t tail = static_cast<std::int64_t>(judged.ids.size()) - stack.queries.front();
  std::vector<std::int64_t> inTail;
  for (const int query : stack.queries) inTail.push_back(query - stack.queries.front());
  const at::Tensor wanted = at::tensor(inTail, at::kLong).to(model.device());
  /// log p of the chosen ids of each copy.
  const auto read = [&](const std::vector<VisionFeatures>& copies) {
    VisionFeatures all;
    std::vector<at::Tensor> merged;
    for (const auto& copy : copies) merged.push_back(copy.merged);
    all.merged = at::cat(merged);
    for (std::size_t d = 0; d < base.deepstack.size(); ++d) {
      std::vector<at::Tensor> parts;
      for (const auto& copy : copies) parts.push_back(copy.deepstack[d]);
      all.deepstack.push_back(at::cat(parts));
    }
    ForwardOptions options;
    options.probe = &stops;
    options.vision = &all;
    options.intervention = intervention;
    options.tails.assign(copies.size(), tail);
    const at::Tensor states = model.forward(packRows(model.config(), std::vector<RowInput>(copies.size(), judged)), options);
    std::vector<std::vector<float>> result;
    for (std::size_t i = 0; i < copies.size(); ++i) {
      if (stop.stop_requested()) throw Cancelled();
      result.push_back(responseLogProbs(model, states.narrow(0, static_cast<std::int64_t>(i) * tail, tail).index_select(0, wanted), chosen));
    }
    return result;
  };
  const std::vector<float> before = read({base})[0];

  const auto keys = static_cast<std::size_t>(stack.keys);
  for (std::size_t begin = 0; begin < cells.size(); begin += static_cast<std::size_t>(plan.occlusionTogether)) {
    const std::size_t end = std::min(cells.size(), begin + static_cast<std::size_t>(plan.occlusionTogether));
    std::vector<VisionFeatures> copies;
    for (std::size_t c = begin; c < end; ++c) {
      const auto slice = std::find_if(slices.begin(), slices.end(), [&](const Slice& each) { return cells[c].front() < each.firstToken + each.tokens; });
      std::vector<int> own;
      for (const int token : cells[c]) own.push_back(token - static_cast<int>(slice->firstToken));
      const at::Tensor pixels = row.pixelValues.narrow(0, slice->firstPatch, slice->patches);
      const VisionFeatures changed = model.encodeImages(changePatches(pixels, {slice->grid}, change, own), {slice->grid}, &stops);
      VisionFeatures copy;
      copy.merged = spliced(base.merged, *slice, changed.merged);
      for (std::size_t d = 0; d < base.deepstack.size(); ++d) copy.deepstack.push_back(spliced(base.deepstack[d], *slice, changed.deepstack[d]));
      copies.push_back(std::move(copy));
    }
    const auto after = read(copies);
    for (std::size_t c = begin; c < end; ++c) {
      for (std::size_t q = 0; q < stack.queries.size(); ++q) {
        for (const int token : cells[c]) stack.values[q * keys + static_cast<std::size_t>(token)] = before[q] - after[c - begin][q];
      }
    }
    if (progress) progress(static_cast<int>(end), static_cast<int>(cells.size()));
  }
  if (info) {
    info->change = change == Change::Blur ? "blur" : change == Change::Average ? "average" : "erase";
    info->cell = plan.occlusionCell;
    info->passes = static_cast<int>(cells.size());
    info->before = before;
  }
  return stack;
}

}  // namespace cuescope
