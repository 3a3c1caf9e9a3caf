#include "engine/core/digest.h"

#include <filesystem>
#include <fstream>

#include "engine/core/failure.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>

namespace cuescope {

namespace {

std::string toHex(XXH128_hash_t hash) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

}  // namespace

struct Digest::State {
  XXH3_state_t xxh;
};

Digest::Digest() : m_state(std::make_unique<State>()) { XXH3_128bits_reset(&m_state->xxh); }
Digest::~Digest() = default;

Digest& Digest::add(const void* bytes, std::size_t size) {
  XXH3_128bits_update(&m_state->xxh, bytes, size);
  return *this;
}

std::string Digest::hex() const { return toHex(XXH3_128bits_digest(&m_state->xxh)); }

std::string digest(const void* bytes, std::size_t size) { return toHex(XXH3_128bits(bytes, size)); }

std::string filesDigest(const std::vector<std::string>& files, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  Digest digest;
  std::uint64_t done = 0, total = 0;
  if (progress)
    for (const auto& file : files) {
      std::error_code ignored;  // a file that is not there is refused below
      if (const auto size = std::filesystem::file_size(file, ignored); !ignored) total += size;
    }
  std::vector<char> buffer(1 << 20);
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Error("The file could not be read", file, "it does not open", "Check the path.");
    while (in) {
      in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      digest.add(buffer.data(), static_cast<std::size_t>(in.gcount()));
      done += static_cast<std::uint64_t>(in.gcount());
      if (progress) progress(done, total);
    }
  }
  return digest.hex();
}

}  // namespace cuescope
