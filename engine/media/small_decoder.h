// PNG and JPEG without OpenCV, by libpng and libjpeg alone, for builds on machines that have no more: the same pixels, bit for bit.
// Values only; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/media/decode.h"
#include "engine/core/image_header.h"

namespace cuescope {

/// As decodeImage (decode.h) for an image whose header was read and whose size is not too large. Throws Error: damaged, or a kind that
/// the full build alone decodes (WebP, BMP, TIFF; CMYK).
DecodedImage decodeSmall(const std::uint8_t* bytes, std::size_t size, const ImageHeader& header, const std::string& label);

}  // namespace cuescope
