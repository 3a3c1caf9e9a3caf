#include "engine/core/array_file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace cuescope {

namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr const char* kNext = "Make the file again; the copy may be incomplete.";

[[noreturn]] void damaged(const std::string& path, const std::string& why) {
  throw Error("The tensor file cannot be used", path, why, kNext);
}

std::uint64_t byteCount(const std::string& path, const std::string& name, const ArrayEntry& entry) {
  std::uint64_t count = elementSize(entry.dtype);
  for (const std::int64_t extent : entry.shape) {
    if (extent < 0) damaged(path, "«" + name + "» has a negative size");
    const auto factor = static_cast<std::uint64_t>(extent);
    if (factor && count > std::numeric_limits<std::uint64_t>::max() / factor) damaged(path, "«" + name + "» claims more elements than a file can hold");
    count *= factor;
  }
  return count;
}

}  // namespace

std::size_t elementSize(const std::string& dtype) {
  static const std::map<std::string, std::size_t> sizes = {{"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4},
                                                           {"U32", 4}, {"F16", 2}, {"BF16", 2}, {"I16", 2}, {"U16", 2},
                                                           {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

ArrayFile::ArrayFile(const std::string& path) : m_path(path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw Error("A file was expected and this is a folder", path, {}, "Name the file itself.");
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw Error("The file cannot be opened", path, std::strerror(errno), "Check the name and the permissions.");
  const auto size = static_cast<std::uint64_t>(in.tellg());
  if (size == 0) damaged(path, "it is empty");
  in.seekg(0);
  unsigned char head[8] = {};
  in.read(reinterpret_cast<char*>(head), static_cast<std::streamsize>(std::min<std::uint64_t>(size, 8)));
  if ((head[0] == 0x80 && head[1] >= 2 && head[1] <= 5) || (head[0] == 'P' && head[1] == 'K' && head[2] == 3 && head[3] == 4)) {
    throw Error("This is a pickle (a PyTorch .pt or .bin file), not a safetensors file", path,
                "a pickle can run code when it is opened, so Cuescope never opens one", "Convert it with save_file of the safetensors package.");
  }
  if (size < 8) damaged(path, "it is shorter than its own header");
  std::uint64_t headerSize = 0;
  std::memcpy(&headerSize, head, 8);
  if (headerSize > size - 8 || headerSize > kMaxHeader) {
    damaged(path, "its header claims " + std::to_string(headerSize) + " bytes and the file has " + std::to_string(size));
  }
  std::string text(headerSize, '\0');
  in.read(text.data(), static_cast<std::streamsize>(headerSize));
  if (!in) damaged(path, "its header cannot be read");
  m_dataBegin = 8 + headerSize;
  const std::uint64_t dataSize = size - m_dataBegin;

  const auto header = nlohmann::json::parse(text, nullptr, false);
  if (!header.is_object()) damaged(path, "its header is not a JSON object");
  std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) damaged(path, "its metadata is not a table of strings");
      for (const auto& [key, word] : value.items()) {
        if (!word.is_string()) damaged(path, "its metadata is not a table of strings");
        m_metadata[key] = word.get<std::string>();
      }
      continue;
    }
    ArrayEntry entry;
    try {
      entry.dtype = value.at("dtype").get<std::string>();
      entry.shape = value.at("shape").get<std::vector<std::int64_t>>();
      const auto& offsets = value.at("data_offsets");
      if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) {
        damaged(path, "«" + name + "» has no valid place in the file");
      }
      entry.begin = offsets[0].get<std::uint64_t>();
      entry.end = offsets[1].get<std::uint64_t>();
    } catch (const nlohmann::json::exception&) {
      damaged(path, "the entry of «" + name + "» lacks its type, shape or place");
    }
    if (elementSize(entry.dtype) == 0) damaged(path, "«" + name + "» has the unknown type " + entry.dtype);
    if (entry.begin > entry.end || entry.end > dataSize) {
      damaged(path, "«" + name + "» should end at byte " + std::to_string(entry.end) + " of " + std::to_string(dataSize) + " bytes of data");
    }
    if (byteCount(path, name, entry) != entry.end - entry.begin) damaged(path, "the bytes of «" + name + "» do not match its shape");
    spans.emplace_back(entry.begin, entry.end);
    m_entries.emplace(name, std::move(entry));
  }
  std::sort(spans.begin(), spans.end());
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].first < spans[i - 1].second) damaged(path, "two of its arrays overlap");
  }
}

const ArrayEntry& ArrayFile::entry(const std::string& name) const {
  const auto found = m_entries.find(name);
  if (found == m_entries.end()) damaged(m_path, "it has no array «" + name + "»");
  return found->second;
}

void ArrayFile::readInto(const std::string& name, void* out) const {
  const ArrayEntry& found = entry(name);
  std::ifstream in(m_path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(m_dataBegin + found.begin));
  in.read(static_cast<char*>(out), static_cast<std::streamsize>(found.end - found.begin));
  if (!in) damaged(m_path, "«" + name + "» cannot be read");
}

void ArrayFile::refuseType(const std::string& name, const char* dtype) const {
  damaged(m_path, "«" + name + "» is " + entry(name).dtype + " and should be " + dtype);
}

void ArrayFileWriter::add(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape, const void* bytes) {
  std::size_t count = elementSize(dtype);
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  m_items.push_back({name, dtype, shape, std::string(static_cast<const char*>(bytes), count)});
}

void ArrayFileWriter::addFloats(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  if (count != values.size()) throw Error("An array does not have its shape's size", name);
  add(name, "F32", shape, values.data());
}

void ArrayFileWriter::addInts(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& values) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  if (count != values.size()) throw Error("An array does not have its shape's size", name);
  add(name, "I64", shape, values.data());
}

void ArrayFileWriter::write(const std::string& path) const {
  nlohmann::ordered_json header;
  if (!m_metadata.empty()) header["__metadata__"] = m_metadata;
  std::uint64_t offset = 0;
  for (const Item& item : m_items) {
    header[item.name] = {{"dtype", item.dtype}, {"shape", item.shape}, {"data_offsets", {offset, offset + item.bytes.size()}}};
    offset += item.bytes.size();
  }
  std::string text = header.is_null() ? "{}" : header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // arrays start on a multiple of eight
  const std::uint64_t headerSize = text.size();

  // Written beside and renamed: a reader never sees half a file, and a full disk leaves the old one.
  const std::string part = path + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(&headerSize), 8);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const Item& item : m_items) out.write(item.bytes.data(), static_cast<std::streamsize>(item.bytes.size()));
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, path, error);
  if (!out || error) {
    const std::string why = error ? error.message() : std::strerror(errno);
    std::filesystem::remove(part, error);
    throw Error("The file cannot be written", path, why, "Check that the folder exists and the disk has room.");
  }
}

}  // namespace cuescope
