// Sizes, resampling, patches: the arithmetic between decoded pixels and the rows that a vision tower reads (spec 2.6, 2.7).
// Free functions; any thread. Rounding is half to even, as in the reference. Errors are Error values in plain words.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace cuescope {

struct PictureSize {
  std::int64_t height = 0, width = 0;
  bool operator==(const PictureSize&) const = default;
};

/// Both sides multiples of `factor`, area within [minPixels, maxPixels], aspect ratio kept as well as that allows. Throws for a
/// ratio above 200.
PictureSize smartResize(std::int64_t height, std::int64_t width, std::int64_t factor, std::int64_t minPixels, std::int64_t maxPixels);

/// The rule of the data loader that runs before the processor (spec 2.6, stage a): the same with at least one `factor` a side, 4 to
/// 16,384 squares of it, whatever the folder says.
PictureSize smartResizeLoader(std::int64_t height, std::int64_t width, std::int64_t factor);

/// The rule for videos: sides below the factor are enlarged first, and the limits count the pixels of all frames. Throws for
/// fewer frames than `temporalFactor` and for a ratio above 200.
PictureSize smartResizeVideo(std::int64_t frames, std::int64_t height, std::int64_t width, std::int64_t factor,
                             std::int64_t temporalFactor, std::int64_t minPixels, std::int64_t maxPixels);

/// Antialiased bicubic resampling of 8-bit RGB with the 8-bit kernel (rounded between the two passes). uint8 [H, W, 3] in and out.
at::Tensor resizeBicubic(const at::Tensor& rgb, PictureSize size);

/// The same filter as data loaders apply it (Pillow's up to 12; 13 takes the height
/// first where that is less work): weights of 22 fractional bits, width before height, rounded between the two. It differs from resizeBicubic, whose weights are shorter, by a few levels. uint8 [H, W, 3] in and out.
at::Tensor resizeBicubicLoader(const at::Tensor& rgb, PictureSize size);

/// How pixels become patches.
struct PatchRule {
  std::int64_t patch = 16, merge = 2, temporal = 2;
  std::array<double, 3> mean = {0.5, 0.5, 0.5}, deviation = {0.5, 0.5, 0.5};
  double rescale = 1.0 / 255;
};

/// Rows of patches: float32 [t*h*w, 3*temporal*patch*patch]. `frames` are uint8 [H, W, 3] tensors of one size, both sides multiples
/// of patch * merge. A last group that is not full repeats its last frame. Row order: time, row of blocks, column of blocks, row and
/// column in the block; column order: channel, time, y, x.
at::Tensor cutPatches(const std::vector<at::Tensor>& frames, const PatchRule& rule);

/// Evenly spread frame numbers, first and last included: total / videoFps * sampleFps of them, at least minFrames, at most
/// maxFrames, never more than there are.
std::vector<int> sampleFrames(int total, double videoFps, double sampleFps, int minFrames, int maxFrames);
/// As many as said.
std::vector<int> spreadFrames(int total, int count);

/// Mean time of the first and last frame of each group of `temporal`, seconds; a last group that is not full repeats its last frame.
std::vector<double> groupTimestamps(const std::vector<int>& indices, double fps, std::int64_t temporal);

}  // namespace cuescope
