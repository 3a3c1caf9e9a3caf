// ZipStore: a zip archive without compression (what NPZ is), in memory. Dates are fixed, so that equal content is equal bytes.
// Below 4 GB and 65,535 entries; Error beyond. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace cuescope {

class ZipStore {
 public:
  void add(const std::string& name, const std::string& content);
  /// The archive, with its central directory.
  std::string bytes() const;

 private:
  std::string m_files, m_directory;
  std::uint16_t m_count = 0;
};

}  // namespace cuescope
