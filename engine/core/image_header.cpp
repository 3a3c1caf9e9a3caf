#include "engine/core/image_header.h"

#include <array>
#include <cstring>
#include <string_view>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

[[noreturn]] void fail(const std::string& label, const std::string& what, const std::string& why,
                       const std::string& next) {
  throw Error(what, label, why, next);
}
[[noreturn]] void truncated(const std::string& label, const std::string& why) {
  fail(label, "The image is incomplete", why, "Copy or download the file again.");
}
[[noreturn]] void damaged(const std::string& label, const std::string& why) {
  fail(label, "The image is damaged", why, "Copy or download the file again.");
}
[[noreturn]] void unsupported(const std::string& label, const std::string& why) {
  fail(label, "This kind of image is not supported", why, "Save it as PNG or JPEG.");
}

/// A window on the file: reads past the end mean a truncated file.
struct Bytes {
  const std::uint8_t* data;
  std::size_t size;
  const std::string& label;
  bool bigEndian = true;

  const std::uint8_t* at(std::size_t offset, std::size_t count) const {
    if (offset > size || count > size - offset)
      truncated(label, "the file ends after " + std::to_string(size) + " bytes");
    return data + offset;
  }
  std::uint32_t u8(std::size_t offset) const { return *at(offset, 1); }
  std::uint32_t u16(std::size_t offset) const {
    const auto* p = at(offset, 2);
    return bigEndian ? static_cast<std::uint32_t>(p[0] << 8 | p[1]) : static_cast<std::uint32_t>(p[1] << 8 | p[0]);
  }
  std::uint32_t u32(std::size_t offset) const {
    return bigEndian ? u16(offset) << 16 | u16(offset + 2) : u16(offset + 2) << 16 | u16(offset);
  }
  std::string_view text(std::size_t offset, std::size_t count) const {
    return {reinterpret_cast<const char*>(at(offset, count)), count};
  }
  bool startsWith(std::string_view magic) const {
    return size >= magic.size() && std::memcmp(data, magic.data(), magic.size()) == 0;
  }
};

std::uint32_t crc32(const std::uint8_t* data, std::size_t size) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> result{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      result[i] = c;
    }
    return result;
  }();
  std::uint32_t crc = ~0u;
  for (std::size_t i = 0; i < size; ++i) crc = table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

/// Calls entry(tag, type, count, offset of its value field) for the first directory of a TIFF structure.
template <typename F>
void readDirectory(Bytes& tiff, F entry) {
  const auto order = tiff.text(0, 2);
  if (order != "II" && order != "MM") damaged(tiff.label, "its TIFF byte order is unknown");
  tiff.bigEndian = order == "MM";
  if (tiff.u16(2) != 42) unsupported(tiff.label, "it is a BigTIFF or another variant of TIFF");
  const std::size_t directory = tiff.u32(4);
  const std::size_t count = tiff.u16(directory);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = directory + 2 + i * 12;
    entry(tiff.u16(at), tiff.u16(at + 2), tiff.u32(at + 4), at + 8);
  }
}

/// The orientation that an EXIF block asks for; 1 when it is absent or unreadable (EXIF is an extra, not the picture).
int exifOrientation(const std::uint8_t* data, std::size_t size, const std::string& label) {
  int orientation = 1;
  try {
    Bytes exif{data, size, label};
    readDirectory(exif, [&](std::uint32_t tag, std::uint32_t type, std::uint32_t, std::size_t at) {
      if (tag != 0x0112 || type != 3) return;
      const auto value = exif.u16(at);
      if (value >= 1 && value <= 8) orientation = static_cast<int>(value);
    });
  } catch (const Error&) {
    return 1;
  }
  return orientation;
}

void readPng(const Bytes& file, ImageHeader& header) {
  std::size_t at = 8;
  bool first = true;
  for (;;) {
    const std::size_t length = file.u32(at);
    const auto type = file.text(at + 4, 4);
    if (first) {
      if (type != "IHDR" || length != 13) damaged(file.label, "a PNG file must begin with its header");
      header.width = file.u32(at + 8);
      header.height = file.u32(at + 12);
      first = false;
    }
    const auto* body = file.at(at + 4, length + 4);
    const bool pixels = type == "IDAT";  // the decoder checks these itself, and refuses
    if (!pixels && crc32(body, length + 4) != file.u32(at + 8 + length))
      damaged(file.label, "the checksum of its part " + std::string(type) + " is wrong");
    if (type == "eXIf") header.orientation = exifOrientation(body + 4, length, file.label);
    if (type == "IEND") return;
    at += 12 + length;
  }
}

void readJpeg(const Bytes& file, ImageHeader& header) {
  std::size_t at = 2;
  for (;;) {
    // Between segments, and inside the compressed data after a scan's header, only FF followed by a code counts.
    const void* mark = std::memchr(file.data + at, 0xFF, file.size - at);
    if (!mark)
      truncated(file.label,
                "the file ends after " + std::to_string(file.size) + " bytes, before the end of the picture");
    at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(mark) - file.data);
    while (file.u8(at) == 0xFF) ++at;
    const auto code = file.u8(at++);
    if (code == 0xD9) break;
    if (code == 0x00 || code == 0x01 || (code >= 0xD0 && code <= 0xD8)) continue;
    const std::size_t length = file.u16(at);
    if (length < 2) damaged(file.label, "a JPEG segment has no length");
    file.at(at, length);
    if (code >= 0xC0 && code <= 0xCF && code != 0xC4 && code != 0xC8 && code != 0xCC && header.width == 0) {
      header.height = file.u16(at + 3);
      header.width = file.u16(at + 5);
    }
    if (code == 0xE1 && length >= 8 && file.text(at + 2, 6) == std::string_view("Exif\0\0", 6)) {
      header.orientation = exifOrientation(file.data + at + 8, length - 8, file.label);
    }
    at += length;
  }
}

void readWebP(Bytes file, ImageHeader& header) {
  file.bigEndian = false;
  file.at(8, file.u32(4));
  const std::size_t end = 8 + static_cast<std::size_t>(file.u32(4));
  for (std::size_t at = 12; at + 8 <= end;) {
    const auto type = file.text(at, 4);
    const std::size_t length = file.u32(at + 4), body = at + 8;
    file.at(body, length);
    const auto u24 = [&](std::size_t o) { return file.u16(o) | file.u8(o + 2) << 16; };
    if (type == "VP8X") {
      if (file.u8(body) & 2) unsupported(file.label, "it is an animated WebP");
      header.width = u24(body + 4) + 1;
      header.height = u24(body + 7) + 1;
    } else if (type == "VP8 " && header.width == 0) {
      header.width = file.u16(body + 6) & 0x3FFF;
      header.height = file.u16(body + 8) & 0x3FFF;
    } else if (type == "VP8L" && header.width == 0) {
      const auto bits = file.u32(body + 1);
      header.width = (bits & 0x3FFF) + 1;
      header.height = (bits >> 14 & 0x3FFF) + 1;
    } else if (type == "EXIF") {
      const bool prefixed = length >= 6 && file.text(body, 4) == "Exif";
      header.orientation =
          exifOrientation(file.data + body + (prefixed ? 6 : 0), length - (prefixed ? 6 : 0), file.label);
    }
    at = body + length + (length & 1);
  }
}

void readBmp(Bytes file, ImageHeader& header) {
  file.bigEndian = false;
  const std::size_t pixels = file.u32(10);
  const auto infoSize = file.u32(14);
  const bool core = infoSize == 12;  // the header of OS/2
  header.width = core ? file.u16(18) : static_cast<std::int32_t>(file.u32(18));
  const std::int64_t rows = core ? file.u16(20) : static_cast<std::int32_t>(file.u32(22));
  header.height = rows < 0 ? -rows : rows;
  const std::int64_t bits = file.u16(core ? 24 : 28);
  const auto compression = core ? 0 : file.u32(30);
  if (header.width <= 0) return;
  if (compression == 0 || compression == 3) {
    const auto stride = (header.width * bits + 31) / 32 * 4;
    file.at(pixels, static_cast<std::size_t>(stride * header.height));
  } else {
    file.at(pixels, file.u32(34));  // run-length data of the size that the header states
  }
}

void readTiff(Bytes file, ImageHeader& header) {
  std::size_t sizesAt = 0, offsetsAt = 0;
  std::uint32_t sizesType = 4, offsetsType = 4, parts = 0;
  readDirectory(file, [&](std::uint32_t tag, std::uint32_t type, std::uint32_t count, std::size_t at) {
    const auto number = [&] { return type == 3 ? file.u16(at) : file.u32(at); };
    const std::size_t list = std::uint64_t{count} * (type == 3 ? 2 : 4) <= 4 ? at : file.u32(at);
    if (tag == 256) header.width = number();
    if (tag == 257) header.height = number();
    if (tag == 273 || tag == 324) {
      offsetsAt = list;
      offsetsType = type;
      parts = count;
    }
    if (tag == 279 || tag == 325) {
      sizesAt = list;
      sizesType = type;
    }
  });
  if (offsetsAt == 0 || sizesAt == 0) damaged(file.label, "it does not say where its pixels are");
  for (std::size_t i = 0; i < parts; ++i) {
    const auto entry = [&](std::size_t list, std::uint32_t type) {
      return type == 3 ? file.u16(list + i * 2) : file.u32(list + i * 4);
    };
    file.at(entry(offsetsAt, offsetsType), entry(sizesAt, sizesType));
  }
}

}  // namespace

ImageHeader readImageHeader(const std::uint8_t* data, std::size_t size, const std::string& label) {
  const Bytes file{data, size, label};
  if (size == 0) fail(label, "The file is empty", "it has 0 bytes", "Choose an image file.");
  ImageHeader header;
  if (file.startsWith("\x89PNG\r\n\x1A\n")) {
    header.format = ImageFormat::Png;
    readPng(file, header);
  } else if (file.startsWith("\xFF\xD8\xFF")) {
    header.format = ImageFormat::Jpeg;
    readJpeg(file, header);
  } else if (file.startsWith("RIFF") && size >= 12 && file.text(8, 4) == "WEBP") {
    header.format = ImageFormat::WebP;
    readWebP(file, header);
  } else if (file.startsWith("BM") && size >= 26) {
    header.format = ImageFormat::Bmp;
    readBmp(file, header);
  } else if (file.startsWith(std::string_view("II*\0", 4)) || file.startsWith(std::string_view("MM\0*", 4)) ||
             file.startsWith(std::string_view("II+\0", 4)) || file.startsWith(std::string_view("MM\0+", 4))) {
    header.format = ImageFormat::Tiff;
    readTiff(file, header);
  } else if (file.startsWith("GIF8")) {
    unsupported(label, "it is a GIF");
  } else {
    fail(label, "This is not an image", "its first bytes are those of no format that is read here",
         "Choose a PNG, JPEG, WebP, BMP or TIFF file.");
  }
  if (header.width <= 0 || header.height <= 0) damaged(label, "it has no width or no height");
  return header;
}

}  // namespace cuescope
