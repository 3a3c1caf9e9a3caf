#include "engine/core/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    table[i] = crc;
  }
  return table;
}();

template <typename T>
void putRaw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void putVarint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void putKey(std::string& out, int field, WireType type) { putVarint(out, static_cast<std::uint64_t>(field) << 3 | type); }

void putBytes(std::string& out, int field, const std::string& bytes) {
  putKey(out, field, kBytes);
  putVarint(out, bytes.size());
  out += bytes;
}

/// One field of a message: the number, and its value by wire type.
struct Field {
  int number = 0;
  int type = 0;
  std::uint64_t integer = 0;  // varint, fixed64 or fixed32 bits
  std::string_view bytes;
};

/// Walks a message field by field. A message that does not parse ends the walk with ok == false.
class Message {
 public:
  explicit Message(std::string_view bytes) : m_rest(bytes) {}
  bool next(Field& field) {
    if (m_rest.empty() || !ok) return false;
    std::uint64_t key = 0;
    if (!varint(key)) return false;
    field = {static_cast<int>(key >> 3), static_cast<int>(key & 7), 0, {}};
    switch (field.type) {
      case kVarint: return varint(field.integer);
      case kFixed64: return raw(&field.integer, 8);
      case kFixed32: return raw(&field.integer, 4);
      case kBytes: {
        std::uint64_t size = 0;
        if (!varint(size) || size > m_rest.size()) return ok = false;
        field.bytes = m_rest.substr(0, size);
        m_rest.remove_prefix(size);
        return true;
      }
      default: return ok = false;
    }
  }
  bool ok = true;

 private:
  bool varint(std::uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !m_rest.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(m_rest.front());
      m_rest.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) return true;
    }
    return ok = false;
  }
  bool raw(std::uint64_t* value, std::size_t size) {
    if (m_rest.size() < size) return ok = false;
    std::memcpy(value, m_rest.data(), size);
    m_rest.remove_prefix(size);
    return true;
  }
  std::string_view m_rest;
};

/// A rank-0 float or double TensorProto, as TensorFlow 2 writes scalars. False for anything else.
bool tensorScalar(std::string_view bytes, float& value) {
  Message message(bytes);
  Field field;
  std::uint64_t type = 0;
  std::string_view content;
  bool inField = false;
  while (message.next(field)) {
    if (field.number == 1 && field.type == kVarint) type = field.integer;
    if (field.number == 4 && field.type == kBytes) content = field.bytes;
    if (field.number == 5) {  // float_val, packed or single
      if (field.type == kFixed32) {
        value = std::bit_cast<float>(static_cast<std::uint32_t>(field.integer));
        inField = true;
      } else if (field.bytes.size() == 4) {
        std::memcpy(&value, field.bytes.data(), 4);
        inField = true;
      }
    }
  }
  if (!message.ok) return false;
  if (inField) return true;
  if (type == 1 && content.size() == 4) return std::memcpy(&value, content.data(), 4), true;
  if (type == 2 && content.size() == 8) {
    double wide;
    std::memcpy(&wide, content.data(), 8);
    value = static_cast<float>(wide);
    return true;
  }
  return false;
}

bool readEvent(std::string_view bytes, EventFileContents& contents) {
  Message event(bytes);
  Field field;
  double wall = 0;
  std::int64_t step = 0;
  std::vector<std::string_view> summaries;
  bool restarts = false;
  while (event.next(field)) {
    if (field.number == 7 && field.type == kBytes) {  // SessionLog: status 1 is START
      Message session(field.bytes);
      Field part;
      while (session.next(part)) restarts = restarts || (part.number == 1 && part.type == kVarint && part.integer == 1);
    }
    if (field.number == 1 && field.type == kFixed64) wall = std::bit_cast<double>(field.integer);
    if (field.number == 2 && field.type == kVarint) step = static_cast<std::int64_t>(field.integer);
    if (field.number == 5 && field.type == kBytes) summaries.push_back(field.bytes);
  }
  if (!event.ok) return false;
  if (restarts) {
    contents.restart = contents.restart ? std::min(*contents.restart, step) : step;
    for (auto& [tag, values] : contents.scalars) std::erase_if(values, [step](const EventScalar& value) { return value.step >= step; });
  }
  for (std::string_view summaryBytes : summaries) {
    Message summary(summaryBytes);
    while (summary.next(field)) {
      if (field.number != 1 || field.type != kBytes) continue;
      Message entry(field.bytes);
      Field part;
      std::string tag;
      float value = 0;
      bool found = false;
      while (entry.next(part)) {
        if (part.number == 1 && part.type == kBytes) tag = part.bytes;
        if (part.number == 2 && part.type == kFixed32) {
          value = std::bit_cast<float>(static_cast<std::uint32_t>(part.integer));
          found = true;
        }
        if (part.number == 8 && part.type == kBytes) found = tensorScalar(part.bytes, value) || found;
      }
      if (!entry.ok) return false;
      if (found) contents.scalars[tag].push_back({step, wall, value});
    }
    if (!summary.ok) return false;
  }
  return true;
}

}  // namespace

std::uint32_t crc32c(const void* bytes, std::size_t size) {
  std::uint32_t crc = ~0u;
  for (const auto* at = static_cast<const unsigned char*>(bytes); size--; ++at) crc = crc >> 8 ^ kCrcTable[(crc ^ *at) & 0xff];
  return ~crc;
}

std::uint32_t maskedCrc32c(const void* bytes, std::size_t size) { return std::rotr(crc32c(bytes, size), 15) + 0xa282ead8u; }

EventFileWriter::EventFileWriter(const std::string& folder, double startSeconds) {
  std::filesystem::create_directories(folder);
  m_path = folder + "/events.out.tfevents." + std::to_string(static_cast<std::int64_t>(startSeconds)) + ".cuescope";
  m_file = ::open(m_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (m_file < 0 && meansDiskFull(errno)) throw DiskFull("The event file cannot be written", m_path, 0);
  if (m_file < 0) throw Error("The event file cannot be written", m_path, std::strerror(errno), "Check the folder's rights and the disk's free space.");
  if (::lseek(m_file, 0, SEEK_END) == 0) {
    std::string event;
    putKey(event, 1, kFixed64);
    putRaw(event, startSeconds);
    putBytes(event, 3, "brain.Event:2");
    try {
      record(event);
    } catch (...) {
      ::close(m_file);
      throw;
    }
  }
}

EventFileWriter::~EventFileWriter() { ::close(m_file); }

void EventFileWriter::scalars(std::int64_t step, double wallSeconds, const std::map<std::string, double>& values) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    std::string entry;
    putBytes(entry, 1, tag);
    putKey(entry, 2, kFixed32);
    putRaw(entry, static_cast<float>(value));
    putBytes(summary, 1, entry);
  }
  std::string event;
  putKey(event, 1, kFixed64);
  putRaw(event, wallSeconds);
  putKey(event, 2, kVarint);
  putVarint(event, static_cast<std::uint64_t>(step));
  putBytes(event, 5, summary);
  record(event);
}

void EventFileWriter::restart(std::int64_t step, double wallSeconds) {
  std::string session, event;
  putKey(session, 1, kVarint);
  putVarint(session, 1);
  putKey(event, 1, kFixed64);
  putRaw(event, wallSeconds);
  putKey(event, 2, kVarint);
  putVarint(event, static_cast<std::uint64_t>(step));
  putBytes(event, 7, session);
  record(event);
}

void EventFileWriter::record(const std::string& bytes) {
  std::string out;
  putRaw(out, static_cast<std::uint64_t>(bytes.size()));
  putRaw(out, maskedCrc32c(out.data(), out.size()));
  out += bytes;
  putRaw(out, maskedCrc32c(bytes.data(), bytes.size()));
  const off_t before = ::lseek(m_file, 0, SEEK_END);
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t count = ::write(m_file, out.data() + done, out.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int number = errno;
      [[maybe_unused]] const int cut = before >= 0 ? ::ftruncate(m_file, before) : -1;  // half a record would end the file for its readers
      if (meansDiskFull(number)) throw DiskFull("The event file cannot be written", m_path, out.size());
      throw Error("The event file cannot be written", m_path, std::strerror(number), "Check the folder's rights.");
    }
    done += static_cast<std::size_t>(count);
  }
}

EventFileContents readEventFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error("The event file cannot be opened", file, std::strerror(errno), "Check the path.");
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const auto refuse = [&](std::size_t offset, const std::string& why) {
    throw Error("This is not a sound TensorBoard event file", file + ", byte " + std::to_string(offset), why,
                "The file may be damaged; the other files of its folder can still be opened.");
  };
  EventFileContents contents;
  constexpr std::size_t kHead = 12, kFoot = 4;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < kHead) {
      contents.truncated = true;
      break;
    }
    std::uint64_t size = 0;
    std::uint32_t check = 0;
    std::memcpy(&size, bytes.data() + at, 8);
    std::memcpy(&check, bytes.data() + at + 8, 4);
    if (check != maskedCrc32c(bytes.data() + at, 8)) refuse(at, "the checksum of a record's length does not match");
    if (size > bytes.size() - at - kHead || bytes.size() - at - kHead - size < kFoot) {
      contents.truncated = true;
      break;
    }
    const std::string_view event(bytes.data() + at + kHead, size);
    std::memcpy(&check, event.data() + size, 4);
    if (check != maskedCrc32c(event.data(), size)) refuse(at, "the checksum of a record does not match");
    if (!readEvent(event, contents)) refuse(at, "a record is not an Event message");
    at += kHead + size + kFoot;
    contents.wholeBytes = static_cast<std::int64_t>(at);
  }
  return contents;
}

void cutTornRecords(const std::string& folder) {
  std::error_code ignored;  // no folder: nothing is torn
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().find("tfevents") == std::string::npos) continue;
    try {
      const EventFileContents contents = readEventFile(entry.path().string());
      if (contents.truncated) std::filesystem::resize_file(entry.path(), static_cast<std::uintmax_t>(contents.wholeBytes), ignored);
    } catch (const Error&) {  // damaged in another way: its readers say so
    }
  }
}

}  // namespace cuescope
