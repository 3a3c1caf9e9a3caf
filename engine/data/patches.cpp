#include "engine/data/patches.h"

#include <ATen/ATen.h>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

constexpr std::int64_t kPatch = 16, kMerge = 2, kTime = 2, kChannels = 3, kPatchesOfToken = kMerge * kMerge;

/// Three box blurs are close to a Gaussian of about one merged token (sigma near 16 pixels).
at::Tensor blurred(const at::Tensor& image) {
  constexpr std::int64_t kBox = 33;
  at::Tensor out = image;
  for (int pass = 0; pass < 3; ++pass) {
    out = at::avg_pool2d(out, {kBox, kBox}, {1, 1}, {kBox / 2, kBox / 2}, false, /*count_include_pad=*/false);
  }
  return out;
}

at::Tensor blurredPatches(const at::Tensor& pixels, const std::vector<Grid>& grids) {
  std::vector<at::Tensor> parts;
  std::int64_t row = 0;
  for (const Grid& grid : grids) {
    const std::int64_t count = grid.t * grid.h * grid.w;
    parts.push_back(imageToPatches(blurred(patchesToImage(pixels.narrow(0, row, count), grid)), grid));
    row += count;
  }
  return at::cat(parts);
}

}  // namespace

at::Tensor erasedPictures(const at::Tensor& pixels, const std::vector<Grid>& grids) {
  std::vector<at::Tensor> parts;
  std::int64_t row = 0;
  for (const Grid& grid : grids) {
    const std::int64_t count = grid.t * grid.h * grid.w;
    const at::Tensor colour = pixels.narrow(0, row, count).view({count, kChannels, -1}).mean(at::IntArrayRef{0, 2});
    parts.push_back(colour.view({1, kChannels, 1}).expand({count, kChannels, kTime * kPatch * kPatch}).reshape({count, -1}));
    row += count;
  }
  return at::cat(parts);
}

at::Tensor patchesToImage(const at::Tensor& patches, const Grid& grid) {
  return patches.view({grid.t, grid.h / kMerge, grid.w / kMerge, kMerge, kMerge, kChannels, kTime, kPatch, kPatch})
      .permute({0, 6, 5, 1, 3, 7, 2, 4, 8})  // t, time, channel, (rows: h/2, 2, y), (columns: w/2, 2, x)
      .reshape({grid.t * kTime, kChannels, grid.h * kPatch, grid.w * kPatch});
}

at::Tensor imageToPatches(const at::Tensor& image, const Grid& grid) {
  return image.view({grid.t, kTime, kChannels, grid.h / kMerge, kMerge, kPatch, grid.w / kMerge, kMerge, kPatch})
      .permute({0, 3, 6, 4, 7, 2, 1, 5, 8})
      .reshape({grid.t * grid.h * grid.w, kChannels * kTime * kPatch * kPatch});
}

at::Tensor changePatches(const at::Tensor& pixels, const std::vector<Grid>& grids, Change change, const std::vector<int>& visualTokens) {
  const std::int64_t tokens = pixels.size(0) / kPatchesOfToken;
  at::Tensor chosen = at::zeros({tokens}, at::kBool);
  for (const int token : visualTokens) {
    if (token < 0 || token >= tokens) {
      throw Error("There is no image patch " + std::to_string(token), "what if", "the image has " + std::to_string(tokens) + " of them, counted from 0", "Choose patches of this image.");
    }
    chosen[token] = true;
  }
  const at::Tensor rows = chosen.repeat_interleave(kPatchesOfToken).to(pixels.device());
  const at::Tensor mask = rows.unsqueeze(1);
  switch (change) {
    case Change::Erase: return at::where(mask, erasedPictures(pixels, grids), pixels);
    case Change::KeepOnly: return at::where(mask, pixels, erasedPictures(pixels, grids));
    case Change::Blur: return at::where(mask, blurredPatches(pixels, grids), pixels);
    case Change::Average: {
      if (visualTokens.empty()) return pixels.clone();
      const at::Tensor part = pixels.index({rows}).view({-1, kChannels, kTime * kPatch * kPatch});
      const at::Tensor mean = part.mean(at::IntArrayRef{0, 2}).view({1, kChannels, 1}).expand({1, kChannels, kTime * kPatch * kPatch}).reshape({1, -1});
      return at::where(mask, mean, pixels);
    }
  }
  throw Error("There is no such change", "what if");
}

std::string describeChange(Change change, std::size_t count) {
  const std::string patches = std::to_string(count) + (count == 1 ? " patch" : " patches");
  switch (change) {
    case Change::Erase: return "erase " + patches;
    case Change::Blur: return "blur " + patches;
    case Change::Average: return "average " + patches;
    case Change::KeepOnly: return "keep only " + patches;
  }
  return {};
}

}  // namespace cuescope
