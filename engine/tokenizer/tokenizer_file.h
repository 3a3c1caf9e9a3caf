// TokenizerFile: what a Hugging Face tokenizer.json says. Read by a scanner of our own: a vocabulary of 150,000 entries
// and as many merges would spend most of the loading time in a general JSON tree. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cuescope {

struct AddedToken {
  std::string content;
  std::int64_t id = 0;
  bool special = false, normalized = false, leftStrip = false, rightStrip = false, singleWord = false;
};

struct TokenizerFile {
  /// Entries in the file's order. Texts are byte-level: every byte of a token is one character of a fixed alphabet.
  struct Entry {
    std::uint32_t begin, size;  // in `texts`
    std::int64_t id;
  };
  struct Merge {
    std::uint32_t begin, leftSize, rightSize;  // left and right side by side in `texts`
  };
  std::string texts;
  std::vector<Entry> vocabulary;
  std::vector<Merge> merges;  // by rank
  std::vector<AddedToken> added;
  std::string splitPattern;  // regular expression that cuts text into words
  bool nfc = false;
  bool ignoreMerges = false;  // a word that is a token as it stands is not merged
};

/// Throws Error that names what is missing, malformed or of a kind that is not supported.
TokenizerFile readTokenizerFile(const std::string& file);

}  // namespace cuescope
