#include "engine/media/small_decoder.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include <jpeglib.h>  // wants <cstdio> before it
#include <png.h>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

/// As it is stored, 8 bits a channel: gray, gray and alpha, RGB, or RGB and alpha.
struct Stored {
  int width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t*> rows;
  std::string why;  // it could not be decoded
};

struct Source {
  const std::uint8_t* at;
  std::size_t left;
};

// libpng and libjpeg leave by longjmp: the functions that they leave own nothing, what they fill belongs to the caller.
[[noreturn]] void pngFails(png_structp png, png_const_charp why) {
  *static_cast<std::string*>(png_get_error_ptr(png)) = why;
  png_longjmp(png, 1);
}
void pngRead(png_structp png, png_bytep out, png_size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->left) png_error(png, "the file ends before the picture does");
  std::memcpy(out, source->at, count);
  source->at += count, source->left -= count;
}

bool readPng(Source& source, Stored& out, int* bits) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &out.why, pngFails, [](png_structp, png_const_charp) {});
  if (!png) return false;
  png_infop info = png_create_info_struct(png);
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, nullptr);
    return false;
  }
  png_set_read_fn(png, &source, pngRead);
  png_read_info(png, info);
  const int colour = png_get_color_type(png, info);
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
  }
  if (colour == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8) png_set_expand_gray_1_2_4_to_8(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  out.width = static_cast<int>(png_get_image_width(png, info));
  out.height = static_cast<int>(png_get_image_height(png, info));
  out.channels = png_get_channels(png, info);
  *bits = png_get_bit_depth(png, info);
  const std::size_t line = png_get_rowbytes(png, info);
  out.bytes.resize(line * static_cast<std::size_t>(out.height));
  out.rows.resize(static_cast<std::size_t>(out.height));
  for (std::size_t y = 0; y < out.rows.size(); ++y) out.rows[y] = out.bytes.data() + y * line;
  png_read_image(png, out.rows.data());
  png_read_end(png, nullptr);
  png_destroy_read_struct(&png, &info, nullptr);
  return true;
}

/// Most significant byte first, scaled by 255 / 65535 to the nearest.
void toEightBits(Stored& stored) {
  const std::size_t count = stored.bytes.size() / 2;
  for (std::size_t i = 0; i < count; ++i) stored.bytes[i] = static_cast<std::uint8_t>(((stored.bytes[2 * i] << 8 | stored.bytes[2 * i + 1]) + 128) / 257);
  stored.bytes.resize(count);
}

struct JpegErrors {
  jpeg_error_mgr base;  // first: libjpeg hands out a pointer to it
  std::jmp_buf leave;
  char why[JMSG_LENGTH_MAX];
};

bool readJpeg(const Source& source, Stored& out) {
  jpeg_decompress_struct jpeg;
  JpegErrors errors;
  jpeg.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = [](j_common_ptr common) {
    auto* all = reinterpret_cast<JpegErrors*>(common->err);
    common->err->format_message(common, all->why);
    std::longjmp(all->leave, 1);
  };
  errors.base.emit_message = [](j_common_ptr, int) {};
  jpeg_create_decompress(&jpeg);
  if (setjmp(errors.leave)) {
    jpeg_destroy_decompress(&jpeg);
    out.why = errors.why;
    return false;
  }
  jpeg_mem_src(&jpeg, source.at, source.left);
  jpeg_read_header(&jpeg, TRUE);
  if (jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK) {
    jpeg_destroy_decompress(&jpeg);
    out.why = "its colours are those of a printer (CMYK), which this build does not turn into RGB";
    return false;
  }
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  out.width = static_cast<int>(jpeg.output_width);
  out.height = static_cast<int>(jpeg.output_height);
  out.channels = 3;
  const std::size_t line = static_cast<std::size_t>(out.width) * 3;
  out.bytes.resize(line * static_cast<std::size_t>(out.height));
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = out.bytes.data() + line * jpeg.output_scanline;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return true;
}

/// One channel over white, as decode.cpp has it.
std::uint8_t overWhite(unsigned colour, unsigned alpha) {
  const unsigned sum = colour * alpha + 255 * (255 - alpha) + 128;
  return static_cast<std::uint8_t>((sum + (sum >> 8)) >> 8);
}

/// RGB, upright: EXIF's orientation says where the stored pixel (x, y) belongs.
DecodedImage toRgb(const Stored& stored, int orientation) {
  const int w = stored.width, h = stored.height, c = stored.channels;
  const bool turned = orientation >= 5, alpha = c == 2 || c == 4;
  DecodedImage image;
  image.width = turned ? h : w;
  image.height = turned ? w : h;
  image.rgb.resize(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3);
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      int column = turned ? y : x, row = turned ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) column = image.width - 1 - column;
      if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) row = image.height - 1 - row;
      const std::uint8_t* in = stored.bytes.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(w) + static_cast<std::size_t>(x)) * static_cast<std::size_t>(c);
      std::uint8_t* out = image.rgb.data() + (static_cast<std::size_t>(row) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(column)) * 3;
      for (int k = 0; k < 3; ++k) {
        const std::uint8_t colour = in[c >= 3 ? k : 0];
        out[k] = alpha ? overWhite(colour, in[c - 1]) : colour;
      }
    }
  }
  return image;
}

}  // namespace

DecodedImage decodeSmall(const std::uint8_t* bytes, std::size_t size, const ImageHeader& header, const std::string& label) {
  Stored stored;
  Source source{bytes, size};
  int bits = 8;
  bool read = false;
  if (header.format == ImageFormat::Png) {
    read = readPng(source, stored, &bits);
  } else if (header.format == ImageFormat::Jpeg) {
    read = readJpeg(source, stored);
  } else {
    throw Error("This kind of image is not supported", label, "this build was made without OpenCV and decodes PNG and JPEG alone", "Save it as PNG or JPEG, or use the full build.");
  }
  if (!read || std::int64_t{stored.width} * stored.height != header.width * header.height)
    throw Error("The image cannot be decoded", label, stored.why.empty() ? "its data are damaged or of a variant that is not supported" : stored.why,
                "Save it as PNG or JPEG with an image editor.");
  if (bits == 16) toEightBits(stored);
  return toRgb(stored, header.orientation);
}

}  // namespace cuescope
