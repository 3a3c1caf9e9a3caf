// Decoding of untrusted image and video files: sizes are checked before memory is asked for. OpenCV stays in the .cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cuescope {

/// What this build decodes: with OpenCV every kind of picture, and video; with libpng and libjpeg PNG and JPEG; without either nothing.
enum class MediaSupport { None, PngAndJpeg, All };
MediaSupport mediaSupport();

/// 8-bit RGB, upright.
struct DecodedImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // [height, width, 3]
};

/// Largest picture that is decoded, pixels. A header that claims more is refused before decoding.
inline constexpr std::int64_t kMaxPixels = 178'956'970;

/// PNG, JPEG, WebP, BMP, TIFF; EXIF rotation applied, alpha composited on white, gray and palette expanded, 16 bit scaled to 8.
/// Throws Error: not an image, truncated, empty, too large; `label` is the name used in the message.
DecodedImage decodeImage(const std::uint8_t* bytes, std::size_t size, const std::string& label);
DecodedImage readImage(const std::string& file);

/// Width and height of the upright picture that decodeImage would give, from its header alone (a TIFF is decoded: its decoder turns
/// it). Throws Error for what the header shows: no image, truncated, too large; damage in the pixels shows only when it is decoded.
struct ImageSize {
  int width = 0, height = 0;
};
ImageSize imageSize(const std::uint8_t* bytes, std::size_t size, const std::string& label);
ImageSize readImageSize(const std::string& file);

struct VideoFrames {
  double fps = 0;
  int totalFrames = 0, width = 0, height = 0;
  std::vector<int> indices;
  std::vector<DecodedImage> frames;  // at indices
};
/// Frame count and rate without decoding all frames. The count is what the file claims; 0 when it claims nothing.
VideoFrames probeVideo(const std::string& file);
/// Frames at ascending indices. Where the file ends early, `indices` and `frames` hold those that exist and totalFrames is the
/// true count.
VideoFrames readVideo(const std::string& file, const std::vector<int>& indices);
/// The same, each frame handed over as soon as it is there; `frames` of the result stays empty. For long videos.
VideoFrames readVideo(const std::string& file, const std::vector<int>& indices, const std::function<void(DecodedImage&&)>& onFrame);

std::vector<std::uint8_t> encodePng(int width, int height, const std::uint8_t* rgb);

}  // namespace cuescope
