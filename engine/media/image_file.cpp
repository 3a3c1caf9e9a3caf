// Images as files, and their sizes by their headers, for any decodeImage (decode.cpp, small_media.cpp).
#include "engine/media/image_file.h"

#include <filesystem>
#include <fstream>

#include "engine/core/failure.h"
#include "engine/media/decode.h"
#include "engine/core/image_header.h"

namespace cuescope {

void refuseTooLarge(std::int64_t width, std::int64_t height, const std::string& label) {
  if (width > kMaxPixels / height) {
    throw Error("The picture is too large", label,
                std::to_string(width) + " x " + std::to_string(height) + " pixels; at most " +
                    std::to_string(kMaxPixels) + " pixels are decoded",
                "Make it smaller first.");
  }
}

namespace {

/// A file larger than this is not read into memory.
constexpr std::uintmax_t kMaxImageFileBytes = 2ull << 30;

std::vector<std::uint8_t> bytesOfImage(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw Error("The image cannot be read", file, std::filesystem::is_directory(file, error) ? "it is a folder" : "there is no such file",
                "Choose an image file.");
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error || size > kMaxImageFileBytes)
    throw Error("The image cannot be read", file, "the file is larger than 2 GiB");
  std::vector<std::uint8_t> bytes(size);
  std::ifstream in(file, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size))) {
    throw Error("The image cannot be read", file, "the file may not be opened, or it changed while it was read");
  }
  return bytes;
}

}  // namespace

DecodedImage readImage(const std::string& file) {
  const auto bytes = bytesOfImage(file);
  return decodeImage(bytes.data(), bytes.size(), std::filesystem::path(file).filename().string());
}

ImageSize imageSize(const std::uint8_t* bytes, std::size_t size, const std::string& label) {
  const ImageHeader header = readImageHeader(bytes, size, label);
  refuseTooLarge(header.width, header.height, label);
  if (header.format == ImageFormat::Tiff) {
    const DecodedImage image = decodeImage(bytes, size, label);
    return {image.width, image.height};
  }
  const auto width = static_cast<int>(header.width), height = static_cast<int>(header.height);
  return header.orientation >= 5 ? ImageSize{height, width} : ImageSize{width, height};
}

ImageSize readImageSize(const std::string& file) {
  const auto bytes = bytesOfImage(file);
  return imageSize(bytes.data(), bytes.size(), std::filesystem::path(file).filename().string());
}

}  // namespace cuescope
