// Digest: XXH3, 128 bits, as 32 hex digits. For identity (captures, caches, manifests), not for security.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cuescope {

class Digest {
 public:
  Digest();
  ~Digest();
  Digest& add(const void* bytes, std::size_t size);
  Digest& add(const std::string& text) { return add(text.data(), text.size()); }
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

std::string digest(const void* bytes, std::size_t size);
/// Of the files' bytes, one after the other. Throws Error that names the file which does not open. `progress` is called with bytes
/// done and in all, after each MiB; what it throws ends the reading.
std::string filesDigest(const std::vector<std::string>& files, const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {});

}  // namespace cuescope
