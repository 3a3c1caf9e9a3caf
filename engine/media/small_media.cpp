// Media without OpenCV: PNG and JPEG are decoded (small_decoder.h); video, and writing, are what the full build does.
#include "engine/core/failure.h"
#include "engine/media/codec_trial.h"
#include "engine/media/decode.h"
#include "engine/media/image_file.h"
#include "engine/media/small_decoder.h"

namespace cuescope {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where) {
  throw Error(what, where, "this build was made without OpenCV: it decodes PNG and JPEG alone", "Use a build with CUESCOPE_MEDIA=ON.");
}

}  // namespace

MediaSupport mediaSupport() { return MediaSupport::PngAndJpeg; }

DecodedImage decodeImage(const std::uint8_t* bytes, std::size_t size, const std::string& label) {
  const ImageHeader header = readImageHeader(bytes, size, label);
  refuseTooLarge(header.width, header.height, label);
  return decodeSmall(bytes, size, header, label);
}
VideoFrames probeVideo(const std::string& file) { refuse("The video cannot be read", file); }
VideoFrames readVideo(const std::string& file, const std::vector<int>&) { refuse("The video cannot be read", file); }
VideoFrames readVideo(const std::string& file, const std::vector<int>&, const std::function<void(DecodedImage&&)>&) { refuse("The video cannot be read", file); }
std::vector<std::uint8_t> encodePng(int, int, const std::uint8_t*) { refuse("The picture cannot be encoded", "PNG"); }
std::vector<CodecTrial> tryPictures() { return {}; }  // it cannot write what it would read
std::vector<CodecTrial> tryFilms() { return {}; }

}  // namespace cuescope
