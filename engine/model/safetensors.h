// Safetensors: the only weight format that is read (never a pickle). The whole header is checked against the file before the
// first byte of a tensor is used, so a lying header is an Error and not a crash. Tensors are read in bulk into their final
// storage, several ranges at a time. Any thread; one object by one thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cuescope {

/// One tensor of a file. `begin` and `end` are absolute positions in the file.
struct TensorEntry {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
  std::size_t file = 0;  // index into Safetensors::files()

  std::uint64_t bytes() const { return end - begin; }
};

class Safetensors {
 public:
  struct File {
    std::string path;
    std::uint64_t size = 0;
    std::string header;  // the JSON text
    std::shared_ptr<const int> descriptor;
  };

  /// One file. Throws Error: not there, cut short, header that is no JSON, too long, or does not fit the file.
  static Safetensors open(const std::string& path);
  /// A model folder: model.safetensors, or the shards that model.safetensors.index.json names.
  static Safetensors openFolder(const std::string& folder);

  const std::vector<File>& files() const { return m_files; }
  const std::vector<TensorEntry>& entries() const { return m_entries; }
  const std::map<std::string, std::string>& metadata() const { return m_metadata; }
  const TensorEntry* find(const std::string& name) const;

  /// A new tensor of the file's type on the CPU. Throws Error when there is none of that name.
  at::Tensor read(const std::string& name) const;

  struct Target {
    const TensorEntry* entry = nullptr;
    at::Tensor tensor;  // same number of elements, contiguous; any floating type, any device
  };
  /// Fills all targets, converting where types differ. `progress` gets the share done (0 to 1) on the calling thread.
  void readInto(const std::vector<Target>& targets, const std::function<void(double)>& progress = {}) const;

 private:
  void add(const std::string& path);

  std::vector<File> m_files;
  std::vector<TensorEntry> m_entries;
  std::map<std::string, std::size_t> m_index;
  std::map<std::string, std::string> m_metadata;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes one file under a temporary name, flushes it to the disk and renames it: afterwards the old or the whole new file is
/// there. Throws Error (disk full, no permission) and leaves nothing behind.
void writeSafetensors(const std::string& path, const NamedTensors& tensors, const std::map<std::string, std::string>& metadata = {});

}  // namespace cuescope
