// ArrayFile: a safetensors container without torch: named raw arrays and a string table, for captures, which the studio and the
// CLI open without the engine (model/safetensors.h, with torch, is for weights). Everything a file claims is checked before
// memory is asked for. Values; any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/core/failure.h"

namespace cuescope {

/// Where one array lies. dtype is the format's name: "F32", "I64", "U8", "BF16", ...
struct ArrayEntry {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, relative to the data part
};

/// Bytes of one element, 0 for a name that is no safetensors type.
std::size_t elementSize(const std::string& dtype);

/// Read side. The constructor reads and checks the header; arrays are read when asked for.
class ArrayFile {
 public:
  /// Throws Error: missing, empty, truncated, a header that lies, a pickle.
  explicit ArrayFile(const std::string& path);

  const std::string& path() const { return m_path; }
  const std::map<std::string, ArrayEntry>& entries() const { return m_entries; }
  const std::map<std::string, std::string>& metadata() const { return m_metadata; }
  bool has(const std::string& name) const { return m_entries.count(name) > 0; }
  /// Error that names the file when there is no such array.
  const ArrayEntry& entry(const std::string& name) const;
  /// Copies the array to `out`, which must have entry.end - entry.begin bytes.
  void readInto(const std::string& name, void* out) const;

  /// The array as values of T; Error unless its type is `dtype`.
  template <class T>
  std::vector<T> read(const std::string& name, const char* dtype) const {
    const ArrayEntry& found = entry(name);
    if (found.dtype != dtype || elementSize(found.dtype) != sizeof(T)) refuseType(name, dtype);
    std::vector<T> values((found.end - found.begin) / sizeof(T));
    readInto(name, values.data());
    return values;
  }

 private:
  [[noreturn]] void refuseType(const std::string& name, const char* dtype) const;

  std::string m_path;
  std::uint64_t m_dataBegin = 0;
  std::map<std::string, ArrayEntry> m_entries;
  std::map<std::string, std::string> m_metadata;
};

/// Write side: collects copies of arrays, then writes the file durably in the order of the names' addition.
class ArrayFileWriter {
 public:
  void add(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape, const void* bytes);
  void addFloats(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& values);
  void addInts(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& values);
  void setMetadata(const std::string& key, const std::string& value) { m_metadata[key] = value; }
  /// Throws Error when the disk refuses.
  void write(const std::string& path) const;

 private:
  struct Item {
    std::string name, dtype;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };
  std::vector<Item> m_items;
  std::map<std::string, std::string> m_metadata;
};

}  // namespace cuescope
