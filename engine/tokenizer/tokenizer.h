// Tokenizer: byte-level BPE from a Hugging Face tokenizer.json (NFC, Qwen pre-tokenizer, added tokens), and its vocabulary.
// Immutable after load; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cuescope {

class Tokenizer {
 public:
  /// Reads tokenizer.json of a model folder (merges as strings or pairs). Throws Error.
  static std::unique_ptr<Tokenizer> load(const std::string& folder);
  ~Tokenizer();

  std::vector<std::int64_t> encode(std::string_view utf8) const;
  /// Bytes of all ids joined, invalid UTF-8 replaced by U+FFFD as the reference does.
  std::string decode(const std::vector<std::int64_t>& ids, bool skipSpecial = false) const;
  /// Exact bytes of one id (may be part of a UTF-8 character).
  std::string bytes(std::int64_t id) const;
  bool isSpecial(std::int64_t id) const;
  /// -1 when the token does not exist.
  std::int64_t idOf(std::string_view token) const;
  std::int64_t size() const;

 private:
  Tokenizer();
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace cuescope
