#include "engine/core/zip_store.h"

#include <array>
#include <limits>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

std::uint32_t crc32(const std::string& bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
      entries[i] = value;
    }
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

void put(std::string& out, std::uint32_t value, int size) {
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
}

constexpr std::uint32_t kDate = 0x0021;  // 1980-01-01, the format's first day

}  // namespace

void ZipStore::add(const std::string& name, const std::string& content) {
  if (m_count == std::numeric_limits<std::uint16_t>::max() || m_files.size() + content.size() + 1024 > std::numeric_limits<std::uint32_t>::max()) {
    throw Error("The export is too large for one NPZ file", name, "a zip archive holds 4 GB", "Choose one layer, head or token.");
  }
  const auto offset = static_cast<std::uint32_t>(m_files.size()), size = static_cast<std::uint32_t>(content.size());
  std::string common;  // version needed, flags, method, time, date, crc, sizes, name length, extra length
  put(common, 20, 2);
  put(common, 0x0800, 2);  // names are UTF-8
  put(common, 0, 2);
  put(common, 0, 2);
  put(common, kDate, 2);
  put(common, crc32(content), 4);
  put(common, size, 4);
  put(common, size, 4);
  put(common, static_cast<std::uint32_t>(name.size()), 2);
  put(common, 0, 2);
  put(m_files, 0x04034B50, 4);
  m_files += common + name + content;
  put(m_directory, 0x02014B50, 4);
  put(m_directory, 20, 2);
  m_directory += common;
  put(m_directory, 0, 2);  // comment, disk, internal and external attributes
  put(m_directory, 0, 2);
  put(m_directory, 0, 2);
  put(m_directory, 0, 4);
  put(m_directory, offset, 4);
  m_directory += name;
  ++m_count;
}

std::string ZipStore::bytes() const {
  std::string out = m_files + m_directory;
  put(out, 0x06054B50, 4);
  put(out, 0, 4);
  put(out, m_count, 2);
  put(out, m_count, 2);
  put(out, static_cast<std::uint32_t>(m_directory.size()), 4);
  put(out, static_cast<std::uint32_t>(m_files.size()), 4);
  put(out, 0, 2);
  return out;
}

}  // namespace cuescope
