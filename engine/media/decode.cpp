#include "engine/media/decode.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "engine/core/failure.h"
#include "engine/core/image_header.h"
#include "engine/media/image_file.h"

namespace cuescope {

namespace {

void quietOpenCv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(
        cv::utils::logging::LOG_LEVEL_SILENT);  // failures become Errors, not lines on stderr
    return true;
  }();
  static_cast<void>(done);
}

/// One channel over white: c a + 255 (1 - a), rounded to the nearest (division by 255 without a division).
std::uint8_t overWhite(unsigned colour, unsigned alpha) {
  const unsigned sum = colour * alpha + 255 * (255 - alpha) + 128;
  return static_cast<std::uint8_t>((sum + (sum >> 8)) >> 8);
}

/// 8-bit gray, BGR or BGRA to RGB.
DecodedImage toRgb(const cv::Mat& mat, bool opaque) {
  DecodedImage image;
  image.width = mat.cols;
  image.height = mat.rows;
  image.rgb.resize(static_cast<std::size_t>(mat.cols) * static_cast<std::size_t>(mat.rows) * 3);
  const int channels = mat.channels();
  if (channels == 1 || channels == 3) {
    cv::Mat rgb(mat.rows, mat.cols, CV_8UC3, image.rgb.data());
    cv::cvtColor(mat, rgb, channels == 1 ? cv::COLOR_GRAY2RGB : cv::COLOR_BGR2RGB);
    return image;
  }
  for (int y = 0; y < mat.rows; ++y) {
    const std::uint8_t* in = mat.ptr(y);
    std::uint8_t* out = image.rgb.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(mat.cols) * 3;
    for (int x = 0; x < mat.cols; ++x, in += channels, out += 3) {
      // Two channels are gray and alpha, four BGR and alpha.
      const unsigned alpha = opaque ? 255 : in[channels - 1];
      out[0] = overWhite(in[channels == 4 ? 2 : 0], alpha);
      out[1] = overWhite(in[channels == 4 ? 1 : 0], alpha);
      out[2] = overWhite(in[0], alpha);
    }
  }
  return image;
}

/// EXIF orientation: what must be done to the stored picture so that it stands upright.
cv::Mat upright(const cv::Mat& stored, int orientation) {
  cv::Mat turned = stored;
  if (orientation >= 5) cv::transpose(stored, turned);
  cv::Mat result = turned;
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(turned, result, 1);
      break;
    case 3:
    case 7:
      cv::flip(turned, result, -1);
      break;
    case 4:
    case 8:
      cv::flip(turned, result, 0);
      break;
    default:
      break;
  }
  return result;
}

/// In a BMP of 32 bits the fourth byte is often left zero and means nothing.
bool alphaIsUnused(const cv::Mat& mat, ImageFormat format) {
  if (format != ImageFormat::Bmp || mat.channels() != 4) return false;
  cv::Mat alpha;
  cv::extractChannel(mat, alpha, 3);
  return cv::countNonZero(alpha) == 0;
}

cv::Mat decodeStored(const std::uint8_t* bytes, std::size_t size, ImageFormat format, const std::string& label) {
  // A JPEG has no alpha and may be CMYK: let the decoder make BGR. The others keep what they have.
  const int flags =
      format == ImageFormat::Jpeg ? cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION : cv::IMREAD_UNCHANGED;
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error("The image file is too large", label);
  try {
    return cv::imdecode(cv::Mat(1, static_cast<int>(size), CV_8UC1, const_cast<std::uint8_t*>(bytes)), flags);
  } catch (const cv::Exception& e) {
    throw Error("The image cannot be decoded", label, e.err, "Save it as PNG or JPEG with an image editor.");
  }
}

cv::VideoCapture openVideo(const std::string& file) {
  quietOpenCv();
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw Error("The video cannot be read", file, "there is no such file", "Choose a video file.");
  }
  std::ifstream in(file, std::ios::binary);
  char head[16] = {};
  in.read(head, sizeof head);
  if (in.gcount() == 0)
    throw Error("The file is empty", file, "it has 0 bytes, or it may not be read", "Choose a video file.");
  const std::string start(head, static_cast<std::size_t>(in.gcount()));
  if (start.rfind("#EXTM3U", 0) == 0 || start.rfind("ffconcat", 0) == 0) {
    throw Error("This is a list of other files, not a video", file,
                "lists could make the program read files that nobody chose", "Choose a video file.");
  }
  cv::VideoCapture capture;
  try {
    capture.open(std::filesystem::absolute(file).string(), cv::CAP_FFMPEG);
  } catch (const cv::Exception&) {
    capture.release();  // reported below like any file that does not open
  }
  if (!capture.isOpened()) {
    throw Error("This is not a video that can be decoded", file, "it is damaged, incomplete, or of an unknown format",
                "Choose another file, for example an MP4 or AVI.");
  }
  return capture;
}

VideoFrames describe(cv::VideoCapture& capture, const std::string& file) {
  VideoFrames video;
  video.fps = capture.get(cv::CAP_PROP_FPS);
  if (!std::isfinite(video.fps) || video.fps <= 0) video.fps = 0;
  const double frames = capture.get(cv::CAP_PROP_FRAME_COUNT);
  video.totalFrames = std::isfinite(frames) && frames > 0 && frames < 1e8 ? static_cast<int>(frames) : 0;
  video.width = static_cast<int>(capture.get(cv::CAP_PROP_FRAME_WIDTH));
  video.height = static_cast<int>(capture.get(cv::CAP_PROP_FRAME_HEIGHT));
  if (video.width <= 0 || video.height <= 0)
    throw Error("The video has no picture", file, "its width or height is 0");
  refuseTooLarge(video.width, video.height, file);
  return video;
}

}  // namespace

MediaSupport mediaSupport() { return MediaSupport::All; }

DecodedImage decodeImage(const std::uint8_t* bytes, std::size_t size, const std::string& label) {
  quietOpenCv();
  const ImageHeader header = readImageHeader(bytes, size, label);
  refuseTooLarge(header.width, header.height, label);
  cv::Mat mat = decodeStored(bytes, size, header.format, label);
  if (mat.empty() || std::int64_t{mat.cols} * mat.rows != header.width * header.height) {
    throw Error("The image cannot be decoded", label, "its data are damaged or of a variant that is not supported",
                "Save it as PNG or JPEG with an image editor.");
  }
  if (mat.depth() == CV_16U) {
    mat.convertTo(mat, CV_8U,
                  1.0 / 257);  // scaled: clipping at 255, as some Python stacks do, makes such pictures white
  } else if (mat.depth() != CV_8U) {
    throw Error("This kind of image is not supported", label, "its pixels are floating-point numbers or signed",
                "Save it with 8 or 16 bits a channel.");
  }
  return toRgb(upright(mat, header.orientation), alphaIsUnused(mat, header.format));
}

VideoFrames probeVideo(const std::string& file) {
  auto capture = openVideo(file);
  return describe(capture, file);
}

VideoFrames readVideo(const std::string& file, const std::vector<int>& indices) {
  std::vector<DecodedImage> frames;
  VideoFrames video = readVideo(file, indices, [&](DecodedImage&& frame) { frames.push_back(std::move(frame)); });
  video.frames = std::move(frames);
  return video;
}

VideoFrames readVideo(const std::string& file, const std::vector<int>& indices,
                      const std::function<void(DecodedImage&&)>& onFrame) {
  auto capture = openVideo(file);
  VideoFrames video = describe(capture, file);
  if (std::adjacent_find(indices.begin(), indices.end(), std::greater_equal<int>()) != indices.end() ||
      (!indices.empty() && indices.front() < 0)) {
    throw Error("The frames cannot be read", file, "frame numbers must ascend and not be negative");
  }
  // Frame by frame: seeking lands on key frames in many files.
  int next = 0;
  try {
    for (const int index : indices) {
      bool more = true;
      while (more && next <= index) {
        more = capture.grab();
        next += more ? 1 : 0;
      }
      cv::Mat frame;
      if (!more || !capture.retrieve(frame) || frame.empty()) {
        video.totalFrames = next;
        return video;
      }
      if (frame.depth() != CV_8U)
        throw Error("This kind of video is not supported", file, "its frames do not have 8 bits a channel");
      video.indices.push_back(index);
      onFrame(toRgb(frame, true));
    }
  } catch (const cv::Exception& e) {
    throw Error("The video cannot be decoded", file, e.err, "Choose another file, for example an MP4 or AVI.");
  }
  return video;
}

std::vector<std::uint8_t> encodePng(int width, int height, const std::uint8_t* rgb) {
  if (width <= 0 || height <= 0) throw Error("The picture cannot be encoded", "PNG", "it has no width or no height");
  const cv::Mat view(height, width, CV_8UC3, const_cast<std::uint8_t*>(rgb));
  cv::Mat bgr;
  cv::cvtColor(view, bgr, cv::COLOR_RGB2BGR);
  std::vector<std::uint8_t> bytes;
  // The library's own choice (run lengths only) makes pictures with repeated rows several times as large.
  const std::vector<int> settings{cv::IMWRITE_PNG_COMPRESSION, 9, cv::IMWRITE_PNG_STRATEGY,
                                  cv::IMWRITE_PNG_STRATEGY_DEFAULT};
  if (!cv::imencode(".png", bgr, bytes, settings)) throw Error("The picture cannot be encoded", "PNG");
  return bytes;
}

}  // namespace cuescope
