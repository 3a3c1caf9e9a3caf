// Bpe: the merge table of a byte-level vocabulary. Turns the bytes of one word into ids. Immutable after load; any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/tokenizer_file.h"

namespace cuescope {

class Bpe {
 public:
  /// Throws Error when a merge or a byte names no token. `where` is the file for the message.
  Bpe(const TokenizerFile& file, const std::string& where);

  /// Memory that encode() reuses from word to word.
  struct Scratch {
    struct Symbol {
      std::int32_t id, previous, next;  // id -1: merged into its left neighbour
    };
    struct Candidate {
      std::uint32_t rank;
      std::int32_t position, left, right, merged;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };
  /// Appends the ids of one word: merges by rank, leftmost first. O(n log n) in its length.
  void encode(std::string_view word, std::vector<std::int64_t>& ids, Scratch& scratch) const;

  /// Exact bytes of a vocabulary token; empty for ids without one.
  std::string_view bytes(std::int64_t id) const;
  /// By the text that the file uses (byte-level alphabet); -1 when there is none.
  std::int64_t idOf(std::string_view text) const;
  /// One past the largest id.
  std::int64_t size() const { return static_cast<std::int64_t>(m_spans.size()); }

 private:
  struct Span {
    std::uint32_t textBegin = 0, textSize = 0, bytesBegin = 0, bytesSize = 0;
  };
  struct Merge {
    std::uint64_t pair = kNone;  // left id << 32 | right id
    std::uint32_t rank = 0;
    std::int32_t merged = 0;
  };
  static constexpr std::uint64_t kNone = ~0ull;

  const Merge* findMerge(std::int32_t left, std::int32_t right) const;
  std::string_view text(const Span& span) const {
    return std::string_view(m_texts).substr(span.textBegin, span.textSize);
  }
  void loadVocabulary(const TokenizerFile& file, const std::string& where);
  void loadMerges(const TokenizerFile& file, const std::string& where);

  std::string m_texts, m_bytes;
  std::vector<Span> m_spans;            // by id
  std::vector<std::int32_t> m_idSlots;  // open addressing over texts, -1 empty
  std::vector<Merge> m_mergeSlots;      // open addressing over pairs
  std::array<std::int32_t, 256> m_byteIds{};
  std::array<std::string, 256> m_byteTexts;
  bool m_ignoreMerges = false;
};

}  // namespace cuescope
