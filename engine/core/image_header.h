// ImageHeader: what an image file says about itself, read by our own eyes before a decoder touches it: format, size,
// whether all of it is there. Every read is bounds-checked. Values only; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cuescope {

enum class ImageFormat { Png, Jpeg, WebP, Bmp, Tiff };

struct ImageHeader {
  ImageFormat format = ImageFormat::Png;
  std::int64_t width = 0, height = 0;  // as stored, before the EXIF orientation
  int orientation = 1;                 // EXIF: 1 upright ... 8; 1 for TIFF, whose decoder turns the picture itself
};

/// Throws Error: empty, not an image of these formats, truncated, damaged, without pixels.
ImageHeader readImageHeader(const std::uint8_t* bytes, std::size_t size, const std::string& label);

}  // namespace cuescope
