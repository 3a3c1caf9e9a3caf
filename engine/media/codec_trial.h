// Whether pictures and films of each kind can be read on this machine, by reading small ones of our own. For `doctor`.
#pragma once

#include <string>
#include <vector>

namespace cuescope {

struct CodecTrial {
  std::string name;     // "JPEG"
  std::string problem;  // empty: it works
};
/// PNG, JPEG, WebP, BMP, TIFF: a square of one colour, written and read. Empty in a build without OpenCV (mediaSupport()).
std::vector<CodecTrial> tryPictures();
/// H.264 in MP4. Empty in a build without OpenCV.
std::vector<CodecTrial> tryFilms();

}  // namespace cuescope
