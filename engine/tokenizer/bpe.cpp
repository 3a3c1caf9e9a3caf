#include "engine/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "engine/core/failure.h"
#include "engine/tokenizer/utf8.h"

namespace cuescope {

namespace {

constexpr std::int64_t kMaxId = 1 << 24;

/// The byte-level alphabet: printable Latin-1 stands for itself, every other byte for U+0100 and following, in order.
std::array<char32_t, 256> alphabet() {
  std::array<char32_t, 256> result{};
  char32_t next = 0x100;
  for (char32_t b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    result[b] = printable ? b : next++;
  }
  return result;
}

/// Appends the bytes that a byte-level text stands for; false when it has a character outside the alphabet.
bool appendBytes(std::string_view text, const std::array<std::int16_t, 512>& byteOf, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    unsigned code = c;
    if (c >= 0x80) {
      if (c < 0xC2 || c > 0xC7 || i + 1 >= text.size()) return false;  // the alphabet ends at U+0143
      code = ((c & 0x1Fu) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3Fu);
    }
    if (byteOf[code] < 0) return false;
    out += static_cast<char>(byteOf[code]);
  }
  return true;
}

std::size_t slotCount(std::size_t entries) {
  return std::bit_ceil(entries * 2 + 16);
}

std::size_t pairHash(std::uint64_t pair) {
  pair *= 0x9E3779B97F4A7C15ull;
  return static_cast<std::size_t>(pair ^ (pair >> 29));
}

}  // namespace

Bpe::Bpe(const TokenizerFile& file, const std::string& where) : m_ignoreMerges(file.ignoreMerges) {
  loadVocabulary(file, where);
  loadMerges(file, where);
}

void Bpe::loadVocabulary(const TokenizerFile& file, const std::string& where) {
  const auto letters = alphabet();
  std::array<std::int16_t, 512> byteOf;
  byteOf.fill(-1);
  for (std::size_t b = 0; b < 256; ++b) byteOf[letters[b]] = static_cast<std::int16_t>(b);

  std::int64_t largest = -1;
  for (const auto& entry : file.vocabulary) {
    if (entry.id < 0 || entry.id >= kMaxId) {
      throw Error("The tokenizer cannot be read", where, "a token has the id " + std::to_string(entry.id));
    }
    largest = std::max(largest, entry.id);
  }
  m_bytes.reserve(file.texts.size());
  m_spans.resize(static_cast<std::size_t>(largest) + 1);
  m_idSlots.assign(slotCount(file.vocabulary.size()), -1);
  const std::size_t mask = m_idSlots.size() - 1;
  for (const auto& entry : file.vocabulary) {
    Span span{static_cast<std::uint32_t>(m_texts.size()), entry.size, static_cast<std::uint32_t>(m_bytes.size()), 0};
    m_texts.append(file.texts, entry.begin, entry.size);
    if (!appendBytes(text(span), byteOf, m_bytes)) {
      m_bytes.resize(span.bytesBegin);
      m_bytes += text(span);
    }
    span.bytesSize = static_cast<std::uint32_t>(m_bytes.size()) - span.bytesBegin;
    m_spans[static_cast<std::size_t>(entry.id)] = span;
    std::size_t slot = std::hash<std::string_view>()(text(span)) & mask;
    while (m_idSlots[slot] >= 0) slot = (slot + 1) & mask;
    m_idSlots[slot] = static_cast<std::int32_t>(entry.id);
  }
  for (std::size_t b = 0; b < 256; ++b) {
    appendUtf8(m_byteTexts[b], letters[b]);
    m_byteIds[b] = static_cast<std::int32_t>(idOf(m_byteTexts[b]));
    if (m_byteIds[b] < 0) {
      throw Error("The tokenizer cannot be read", where,
                  "its vocabulary has no token for the byte " + std::to_string(b));
    }
  }
}

void Bpe::loadMerges(const TokenizerFile& file, const std::string& where) {
  m_mergeSlots.resize(slotCount(file.merges.size()));
  const std::size_t mask = m_mergeSlots.size() - 1;
  std::uint32_t rank = 0;
  for (const auto& merge : file.merges) {
    const auto both = std::string_view(file.texts).substr(merge.begin, merge.leftSize + merge.rightSize);
    const auto left = idOf(both.substr(0, merge.leftSize)), right = idOf(both.substr(merge.leftSize)),
               merged = idOf(both);
    if (left < 0 || right < 0 || merged < 0) {
      throw Error(
          "The tokenizer cannot be read", where,
          "merge " + std::to_string(rank) + " («" + std::string(both) + "») names a token that the vocabulary lacks");
    }
    const auto pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
    std::size_t slot = pairHash(pair) & mask;
    while (m_mergeSlots[slot].pair != kNone && m_mergeSlots[slot].pair != pair) slot = (slot + 1) & mask;
    m_mergeSlots[slot] = {pair, rank++, static_cast<std::int32_t>(merged)};
  }
}

std::int64_t Bpe::idOf(std::string_view wanted) const {
  const std::size_t mask = m_idSlots.size() - 1;
  for (std::size_t slot = std::hash<std::string_view>()(wanted) & mask; m_idSlots[slot] >= 0;
       slot = (slot + 1) & mask) {
    if (text(m_spans[static_cast<std::size_t>(m_idSlots[slot])]) == wanted) return m_idSlots[slot];
  }
  return -1;
}

std::string_view Bpe::bytes(std::int64_t id) const {
  if (id < 0 || id >= size()) return {};
  const Span& span = m_spans[static_cast<std::size_t>(id)];
  return std::string_view(m_bytes).substr(span.bytesBegin, span.bytesSize);
}

const Bpe::Merge* Bpe::findMerge(std::int32_t left, std::int32_t right) const {
  const auto pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
  const std::size_t mask = m_mergeSlots.size() - 1;
  for (std::size_t slot = pairHash(pair) & mask; m_mergeSlots[slot].pair != kNone; slot = (slot + 1) & mask) {
    if (m_mergeSlots[slot].pair == pair) return &m_mergeSlots[slot];
  }
  return nullptr;
}

void Bpe::encode(std::string_view word, std::vector<std::int64_t>& ids, Scratch& scratch) const {
  if (m_ignoreMerges) {
    std::string whole;
    for (const char c : word) whole += m_byteTexts[static_cast<unsigned char>(c)];
    if (const auto id = idOf(whole); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  symbols.clear();
  heap.clear();
  const auto later = [](const Scratch::Candidate& a, const Scratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
  };
  const auto consider = [&](std::int32_t position) {
    const std::int32_t next = symbols[position].next;
    if (next < 0) return false;
    const std::int32_t left = symbols[position].id, right = symbols[next].id;
    const Merge* merge = findMerge(left, right);
    if (merge) heap.push_back({merge->rank, position, left, right, merge->merged});
    return merge != nullptr;
  };
  const auto count = static_cast<std::int32_t>(word.size());
  for (std::int32_t i = 0; i < count; ++i) {
    symbols.push_back({m_byteIds[static_cast<unsigned char>(word[i])], i - 1, i + 1 < count ? i + 1 : -1});
  }
  for (std::int32_t i = 0; i + 1 < count; ++i) consider(i);
  std::make_heap(heap.begin(), heap.end(), later);

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const auto best = heap.back();
    heap.pop_back();
    auto& symbol = symbols[best.position];
    if (symbol.id != best.left || symbol.next < 0 || symbols[symbol.next].id != best.right)
      continue;  // merged meanwhile
    auto& absorbed = symbols[symbol.next];
    absorbed.id = -1;
    symbol.id = best.merged;
    symbol.next = absorbed.next;
    if (symbol.next >= 0) symbols[symbol.next].previous = best.position;
    if (symbol.previous >= 0 && consider(symbol.previous)) std::push_heap(heap.begin(), heap.end(), later);
    if (consider(best.position)) std::push_heap(heap.begin(), heap.end(), later);
  }
  for (std::int32_t i = 0; i >= 0 && i < count; i = symbols[i].next) ids.push_back(symbols[i].id);
}

}  // namespace cuescope
