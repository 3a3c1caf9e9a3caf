#include "engine/media/codec_trial.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "engine/core/failure.h"
#include "engine/media/decode.h"

namespace cuescope {
namespace {

constexpr int kSide = 32, kNear = 12;                           // of the pictures; what compression may change of a level
constexpr int kRed = 200, kGreen = 60, kBlue = 40;              // of the pictures and of the film's first frame
constexpr const char* kPictures[] = {"PNG", "JPEG", "WebP", "BMP", "TIFF"};
constexpr const char* kEndings[] = {".png", ".jpg", ".webp", ".bmp", ".tiff"};

/// Two frames of 32 x 32, the first of that colour, in H.264 (MP4); made by OpenCV 4.6, the encoder's settings taken out.
constexpr std::uint8_t kFilm[] = {
    0, 0, 0, 32, 102, 116, 121, 112, 105, 115, 111, 109, 0, 0, 2, 0, 105, 115, 111, 109, 105, 115, 111, 50, 97, 118, 99, 49, 109, 112, 52, 49, 0, 0, 0, 8, 102, 114,
    101, 101, 0, 0, 0, 73, 109, 100, 97, 116, 0, 0, 0, 27, 101, 136, 132, 0, 18, 255, 254, 232, 201, 252, 203, 39, 82, 239, 80, 174, 156, 24, 89, 209, 6, 156, 110,
    193, 192, 191, 129, 0, 0, 0, 30, 65, 154, 33, 108, 65, 47, 216, 127, 254, 209, 212, 255, 240, 149, 135, 120, 46, 5, 53, 135, 239, 12, 217, 13, 219, 83, 185, 200,
    190, 248, 0, 0, 3, 33, 109, 111, 111, 118, 0, 0, 0, 108, 109, 118, 104, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 3, 232, 0, 1, 0, 0, 1, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 2, 75, 116, 114, 97, 107, 0, 0, 0, 92, 116, 107, 104, 100, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 32, 0, 0, 0, 32, 0, 0, 0, 0, 0, 36, 101, 100, 116, 115, 0, 0, 0, 28, 101, 108, 115, 116, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 3,
    232, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 195, 109, 100, 105, 97, 0, 0, 0, 32, 109, 100, 104, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 64, 0, 85,
    196, 0, 0, 0, 0, 0, 45, 104, 100, 108, 114, 0, 0, 0, 0, 0, 0, 0, 0, 118, 105, 100, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 86, 105, 100, 101, 111, 72, 97, 110,
    100, 108, 101, 114, 0, 0, 0, 1, 110, 109, 105, 110, 102, 0, 0, 0, 20, 118, 109, 104, 100, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 100, 105, 110, 102, 0,
    0, 0, 28, 100, 114, 101, 102, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12, 117, 114, 108, 32, 0, 0, 0, 1, 0, 0, 1, 46, 115, 116, 98, 108, 0, 0, 0, 174, 115, 116, 115,
    100, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 158, 97, 118, 99, 49, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 32, 0, 72, 0, 0, 0,
    72, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 255, 255, 0, 0, 0, 52, 97,
    118, 99, 67, 1, 100, 0, 10, 255, 225, 0, 23, 103, 100, 0, 10, 172, 217, 73, 104, 64, 0, 0, 3, 0, 64, 0, 0, 3, 1, 3, 196, 137, 101, 128, 1, 0, 6, 104, 235, 227,
    203, 34, 192, 253, 248, 248, 0, 0, 0, 0, 20, 98, 116, 114, 116, 0, 0, 0, 0, 0, 0, 23, 144, 0, 0, 23, 144, 0, 0, 0, 24, 115, 116, 116, 115, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, 2, 0, 0, 32, 0, 0, 0, 0, 20, 115, 116, 115, 115, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 28, 115, 116, 115, 99, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
    1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 28, 115, 116, 115, 122, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 31, 0, 0, 0, 34, 0, 0, 0, 20, 115, 116, 99, 111, 0, 0,
    0, 0, 0, 0, 0, 1, 0, 0, 0, 48, 0, 0, 0, 98, 117, 100, 116, 97, 0, 0, 0, 90, 109, 101, 116, 97, 0, 0, 0, 0, 0, 0, 0, 33, 104, 100, 108, 114, 0, 0, 0, 0, 0, 0, 0,
    0, 109, 100, 105, 114, 97, 112, 112, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 45, 105, 108, 115, 116, 0, 0, 0, 37, 169, 116, 111, 111, 0, 0, 0, 29, 100, 97, 116,
    97, 0, 0, 0, 1, 0, 0, 0, 0, 76, 97, 118, 102, 53, 57, 46, 50, 55, 46, 49, 48, 48};

std::string shows(const DecodedImage& image) {
  if (image.width != kSide || image.height != kSide) return "the size is another one";
  const std::uint8_t* middle = image.rgb.data() + (std::size_t{kSide} * kSide / 2 + kSide / 2) * 3;
  const bool same = std::abs(middle[0] - kRed) <= kNear && std::abs(middle[1] - kGreen) <= kNear && std::abs(middle[2] - kBlue) <= kNear;
  return same ? "" : "its pixels come back changed";
}

/// A coloured square there and back.
std::string tryPicture(const char* ending) {
  try {
    const cv::Mat square(kSide, kSide, CV_8UC3, cv::Scalar(kBlue, kGreen, kRed));
    std::vector<std::uint8_t> bytes;
    if (!cv::imencode(ending, square, bytes)) return "OpenCV does not write it";
    return shows(decodeImage(bytes.data(), bytes.size(), std::string("trial") + ending));
  } catch (const cv::Exception& error) {
    return error.err;
  } catch (const Error& error) {
    return error.failure().text();
  }
}

/// The film lies in a file of its own for as long as it is read: that is how OpenCV takes films.
std::string tryFilm() {
  std::error_code ignored;
  std::string name = (std::filesystem::temp_directory_path(ignored) / "cuescope-trial-XXXXXX.mp4").string();
  const int file = mkstemps(name.data(), 4);
  if (file < 0) return "no file can be made in " + std::filesystem::path(name).parent_path().string();
  const bool written = write(file, kFilm, sizeof kFilm) == static_cast<ssize_t>(sizeof kFilm);
  close(file);
  std::string problem = written ? "" : "the disk takes no file of a kilobyte";
  try {
    if (written) {
      const VideoFrames film = readVideo(name, {0, 1});
      problem = film.frames.size() == 2 ? shows(film.frames.front()) : "not every frame can be read";
    }
  } catch (const Error& error) {
    problem = error.failure().what + (error.failure().why.empty() ? "" : ": " + error.failure().why);
  }
  std::filesystem::remove(name, ignored);
  return problem;
}

}  // namespace

std::vector<CodecTrial> tryPictures() {
  std::vector<CodecTrial> trials;
  for (std::size_t i = 0; i < std::size(kPictures); ++i) trials.push_back({kPictures[i], tryPicture(kEndings[i])});
  return trials;
}

std::vector<CodecTrial> tryFilms() { return {{"H.264 in MP4", tryFilm()}}; }

}  // namespace cuescope
