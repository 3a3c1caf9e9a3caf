#include "engine/data/resize.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

constexpr double kMaxAspectRatio = 200;
constexpr std::int64_t kLoaderMinSquares = 4, kLoaderMaxSquares = 16'384;
constexpr int kWeightBits = 22;  // of the loader's filter: an 8-bit sum of weights below 2 in 32 bits

void checkSides(std::int64_t height, std::int64_t width) {
  if (height <= 0 || width <= 0) throw Error("The picture has no pixels", "resize", "one of its sides is 0");
}

void checkAspectRatio(std::int64_t height, std::int64_t width) {
  const double ratio = static_cast<double>(std::max(height, width)) / static_cast<double>(std::min(height, width));
  if (ratio <= kMaxAspectRatio) return;
  throw Error("The picture is too long and narrow", "resize",
              "its sides are " + std::to_string(width) + " x " + std::to_string(height) +
                  "; the longer may be at most 200 times the shorter",
              "Cut it into pieces.");
}

std::int64_t rounded(std::int64_t side, std::int64_t factor) {
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(side) / static_cast<double>(factor))) * factor;
}
/// Largest multiple of factor that is not above side / scale, but at least one.
std::int64_t shrunk(std::int64_t side, double scale, std::int64_t factor) {
  return std::max(
      factor,
      static_cast<std::int64_t>(std::floor(static_cast<double>(side) / scale / static_cast<double>(factor))) * factor);
}
std::int64_t grown(std::int64_t side, double scale, std::int64_t factor) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(side) * scale / static_cast<double>(factor))) * factor;
}

/// `frames` of the source and `roundedFrames` of the result share the limits; `least` is the smallest side before they
/// apply.
PictureSize withinLimits(std::int64_t frames, std::int64_t roundedFrames, std::int64_t height, std::int64_t width,
                         std::int64_t factor, std::int64_t minPixels, std::int64_t maxPixels, std::int64_t least = 0) {
  const PictureSize size{std::max(least, rounded(height, factor)), std::max(least, rounded(width, factor))};
  const std::int64_t area = roundedFrames * size.height * size.width;
  const auto pixels = static_cast<double>(frames * height * width);
  if (area > maxPixels) {
    const double scale = std::sqrt(pixels / static_cast<double>(maxPixels));
    return {shrunk(height, scale, factor), shrunk(width, scale, factor)};
  }
  if (area < minPixels) {
    const double scale = std::sqrt(static_cast<double>(minPixels) / pixels);
    return {grown(height, scale, factor), grown(width, scale, factor)};
  }
  return size;
}

/// Keys' cubic convolution with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/// The source samples of one output sample: `weights.size()` of them from `first` on, in units of 2^-kWeightBits.
struct Taps {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Taps> cubicTaps(std::int64_t source, std::int64_t target) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double stretch = std::max(scale, 1.0);  // a smaller picture averages: that is the antialiasing
  const double support = 2 * stretch;
  std::vector<Taps> all(static_cast<std::size_t>(target));
  std::vector<double> weights;
  for (std::int64_t i = 0; i < target; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto last = std::min(source, static_cast<std::int64_t>(centre + support + 0.5));
    weights.clear();
    double sum = 0;
    for (std::int64_t j = first; j < last; ++j) {
      weights.push_back(cubic((static_cast<double>(j) - centre + 0.5) / stretch));
      sum += weights.back();
    }
    auto& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double weight : weights) {
      taps.weights.push_back(static_cast<std::int32_t>(std::lround(weight / sum * (1 << kWeightBits))));
    }
  }
  return all;
}

/// One pass of the loader's filter along `side` (0: height, 1: width) of contiguous uint8 [H, W, 3].
at::Tensor resampled(const at::Tensor& image, int side, std::int64_t target) {
  const auto taps = cubicTaps(image.size(side), target);
  auto shape = image.sizes().vec();
  shape[static_cast<std::size_t>(side)] = target;
  at::Tensor result = at::empty(shape, at::kByte);
  // along the width an element is one of three channels, along the height a whole row
  const std::int64_t outer = side == 0 ? 1 : image.size(0);
  const std::int64_t inner = side == 0 ? image.size(1) * 3 : 3;
  const auto* from = image.const_data_ptr<std::uint8_t>();
  auto* to = result.mutable_data_ptr<std::uint8_t>();
  std::vector<std::int32_t> sums(static_cast<std::size_t>(inner));
  for (std::int64_t o = 0; o < outer; ++o, from += image.size(side) * inner) {
    for (const auto& tap : taps) {
      std::fill(sums.begin(), sums.end(), 1 << (kWeightBits - 1));
      const auto* sample = from + tap.first * inner;
      for (const std::int32_t weight : tap.weights) {
        for (std::int64_t i = 0; i < inner; ++i) sums[static_cast<std::size_t>(i)] += weight * *sample++;
      }
      for (const std::int32_t sum : sums) *to++ = static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
    }
  }
  return result;
}

}  // namespace

PictureSize smartResize(std::int64_t height, std::int64_t width, std::int64_t factor, std::int64_t minPixels,
                        std::int64_t maxPixels) {
  checkSides(height, width);
  checkAspectRatio(height, width);
  return withinLimits(1, 1, height, width, factor, minPixels, maxPixels);
}

PictureSize smartResizeLoader(std::int64_t height, std::int64_t width, std::int64_t factor) {
  checkSides(height, width);
  checkAspectRatio(height, width);
  return withinLimits(1, 1, height, width, factor, kLoaderMinSquares * factor * factor,
                      kLoaderMaxSquares * factor * factor, factor);
}

PictureSize smartResizeVideo(std::int64_t frames, std::int64_t height, std::int64_t width, std::int64_t factor,
                             std::int64_t temporalFactor, std::int64_t minPixels, std::int64_t maxPixels) {
  checkSides(height, width);
  if (frames < temporalFactor) {
    throw Error(
        "The video is too short", "resize",
        "it has " + std::to_string(frames) + " frame(s); at least " + std::to_string(temporalFactor) + " are needed",
        "Use it as an image, or choose a longer video.");
  }
  if (height < factor || width < factor) {
    const double scale = std::max(static_cast<double>(factor) / static_cast<double>(height),
                                  static_cast<double>(factor) / static_cast<double>(width));
    height = static_cast<std::int64_t>(static_cast<double>(height) * scale);
    width = static_cast<std::int64_t>(static_cast<double>(width) * scale);
  }
  checkAspectRatio(height, width);
  return withinLimits(frames, rounded(frames, temporalFactor), height, width, factor, minPixels, maxPixels);
}

at::Tensor resizeBicubic(const at::Tensor& rgb, PictureSize size) {
  if (rgb.size(0) == size.height && rgb.size(1) == size.width) return rgb;
  const auto planes = rgb.permute({2, 0, 1}).unsqueeze(0);  // channels last in memory: no copy
  const auto resized = at::_upsample_bicubic2d_aa(planes, {size.height, size.width}, /*align_corners=*/false);
  return resized.squeeze(0).permute({1, 2, 0}).contiguous();
}

at::Tensor resizeBicubicLoader(const at::Tensor& rgb, PictureSize size) {
  at::Tensor image = rgb.contiguous();
  if (image.size(1) != size.width) image = resampled(image, 1, size.width);
  if (image.size(0) != size.height) image = resampled(image, 0, size.height);
  return image;
}

at::Tensor cutPatches(const std::vector<at::Tensor>& frames, const PatchRule& rule) {
  const std::int64_t height = frames.front().size(0), width = frames.front().size(1);
  const std::int64_t patch = rule.patch, merge = rule.merge, temporal = rule.temporal;
  const std::int64_t gridT = (static_cast<std::int64_t>(frames.size()) + temporal - 1) / temporal;
  const std::int64_t gridH = height / patch, gridW = width / patch;

  // All 256 values of a channel, normalized: rescale and normalize are one step, (x - mean / rescale) / (deviation /
  // rescale).
  std::array<std::array<float, 256>, 3> value;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(rule.mean[c] / rule.rescale),
               deviation = static_cast<float>(rule.deviation[c] / rule.rescale);
    for (std::size_t x = 0; x < 256; ++x) value[c][x] = (static_cast<float>(x) - mean) / deviation;
  }
  const std::int64_t columns = 3 * temporal * patch * patch;
  auto rows = at::empty({gridT * gridH * gridW, columns}, at::kFloat);
  float* const out = rows.data_ptr<float>();
  std::vector<const std::uint8_t*> pixels;
  for (const auto& frame : frames) {
    if (frame.size(0) != height || frame.size(1) != width || !frame.is_contiguous()) {
      throw Error("The frames cannot be cut into patches", "patches", "they are not of one size");
    }
    pixels.push_back(frame.data_ptr<std::uint8_t>());
  }

  at::parallel_for(0, gridT * gridH, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t t = i / gridH, row = i % gridH;
      for (std::int64_t col = 0; col < gridW; ++col) {
        const std::int64_t block = (row / merge) * (gridW / merge) + col / merge;
        const std::int64_t index = t * gridH * gridW + (block * merge + row % merge) * merge + col % merge;
        for (std::int64_t slice = 0; slice < temporal; ++slice) {
          const auto frame = std::min<std::size_t>(static_cast<std::size_t>(t * temporal + slice), pixels.size() - 1);
          for (std::int64_t y = 0; y < patch; ++y) {
            const std::uint8_t* in = pixels[frame] + ((row * patch + y) * width + col * patch) * 3;
            float* to = out + index * columns + (slice * patch + y) * patch;
            const std::int64_t channelStride = temporal * patch * patch;
            for (std::int64_t x = 0; x < patch; ++x, in += 3) {
              to[x] = value[0][in[0]];
              to[x + channelStride] = value[1][in[1]];
              to[x + 2 * channelStride] = value[2][in[2]];
            }
          }
        }
      }
    }
  });
  return rows;
}

std::vector<int> sampleFrames(int total, double videoFps, double sampleFps, int minFrames, int maxFrames) {
  const double wanted = std::min(static_cast<double>(total) / videoFps * sampleFps, 1e9);
  return spreadFrames(total, std::min(std::max(static_cast<int>(wanted), minFrames), maxFrames));
}

std::vector<int> spreadFrames(int total, int count) {
  count = std::min(count, total);
  std::vector<int> indices;
  const double step = count > 1 ? static_cast<double>(total - 1) / (count - 1) : 0;
  for (int i = 0; i < count; ++i) {
    const double place = i > 0 && i + 1 == count ? total - 1 : i * step;
    indices.push_back(static_cast<int>(std::nearbyint(place)));
  }
  return indices;
}

std::vector<double> groupTimestamps(const std::vector<int>& indices, double fps, std::int64_t temporal) {
  std::vector<double> times;
  const auto group = static_cast<std::size_t>(temporal);
  for (std::size_t first = 0; first < indices.size(); first += group) {
    const std::size_t last = std::min(first + group, indices.size()) - 1;
    times.push_back((indices[first] / fps + indices[last] / fps) / 2);
  }
  return times;
}

}  // namespace cuescope
