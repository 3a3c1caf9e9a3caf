// The build without OpenCV, libpng or libjpeg: pixels come from files of tensors.
#include "engine/core/failure.h"
#include "engine/media/codec_trial.h"
#include "engine/media/decode.h"

namespace cuescope {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where) {
  throw Error(what, where, "this build was made without OpenCV, libpng and libjpeg",
              "Give pixels as a safetensors file, or use a build with CUESCOPE_MEDIA=ON.");
}

}  // namespace

MediaSupport mediaSupport() { return MediaSupport::None; }

DecodedImage decodeImage(const std::uint8_t*, std::size_t, const std::string& label) {
  refuse("The image cannot be decoded", label);
}
DecodedImage readImage(const std::string& file) {
  refuse("The image cannot be read", file);
}
ImageSize imageSize(const std::uint8_t*, std::size_t, const std::string& label) {
  refuse("The image cannot be read", label);
}
ImageSize readImageSize(const std::string& file) {
  refuse("The image cannot be read", file);
}
VideoFrames probeVideo(const std::string& file) {
  refuse("The video cannot be read", file);
}
VideoFrames readVideo(const std::string& file, const std::vector<int>&) {
  refuse("The video cannot be read", file);
}
VideoFrames readVideo(const std::string& file, const std::vector<int>&, const std::function<void(DecodedImage&&)>&) {
  refuse("The video cannot be read", file);
}
std::vector<std::uint8_t> encodePng(int, int, const std::uint8_t*) {
  refuse("The picture cannot be encoded", "PNG");
}
std::vector<CodecTrial> tryPictures() { return {}; }
std::vector<CodecTrial> tryFilms() { return {}; }

}  // namespace cuescope
