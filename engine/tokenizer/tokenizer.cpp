#include "engine/tokenizer/tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <optional>
#include <unordered_map>

#include "engine/core/failure.h"
#include "engine/tokenizer/bpe.h"
#include "engine/tokenizer/tokenizer_file.h"
#include "engine/tokenizer/utf8.h"

namespace cuescope {

namespace {

/// Words are looked up in this many earlier words of the same text before the table starts anew.
constexpr std::size_t kCachedWords = 1 << 16;

/// PCRE2's \s also matches U+180E, which is no white space in Unicode (nor for the reference): spell \s and \S out.
std::string spellOutSpaces(const std::string& pattern) {
  const std::string spaces = "\\p{Z}\\t\\n\\x0B\\f\\r\\x{85}";
  std::string result;
  bool inClass = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 >= pattern.size()) {
      if (pattern[i] == '[') inClass = true;
      if (pattern[i] == ']') inClass = false;
      result += pattern[i];
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's') {
      result += inClass ? spaces : "[" + spaces + "]";
    } else if (escaped == 'S' && !inClass) {
      result += "[^" + spaces + "]";
    } else {
      result += '\\';
      result += escaped;
    }
  }
  return result;
}

bool isWordCharacter(utf8proc_int32_t c) {
  const auto category = utf8proc_category(c);
  return c == '_' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO);  // letters, marks, numbers
}

bool isSpace(utf8proc_int32_t c) {
  const auto category = utf8proc_category(c);
  return (c >= 9 && c <= 13) || c == 0x85 || (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

/// The character that ends at, or starts at, a place in valid UTF-8; -1 outside.
utf8proc_int32_t characterAt(std::string_view text, std::size_t at) {
  if (at >= text.size()) return -1;
  utf8proc_int32_t c = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                   static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  return c;
}
std::size_t previousCharacter(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (text[at] & 0xC0) == 0x80);
  return at;
}

std::string toNfc(std::string_view text) {
  // Nothing below U+0300 composes or changes; its first byte would be 0xCC.
  if (std::none_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0xCC; })) return std::string(text);
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) throw Error("The text cannot be normalized", "tokenizer", utf8proc_errmsg(size));
  std::string result(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
  std::free(out);
  return result;
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(const std::string& file) : Impl(readTokenizerFile(file), file) {}
  Impl(const TokenizerFile& parsed, const std::string& file);
  ~Impl() { pcre2_code_free(split); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  struct Found {
    std::size_t begin, end;  // of the text that the token replaces, white space that it strips included
    const AddedToken* token;
  };
  std::optional<Found> findAdded(std::string_view text, std::size_t from, bool normalized) const;
  template <typename OnText>
  void splitAtAdded(std::string_view text, bool normalized, std::vector<std::int64_t>& ids, OnText onText) const;
  struct Words;
  void encodeText(std::string_view text, std::vector<std::int64_t>& ids, Words& words) const;
  const AddedToken* addedById(std::int64_t id) const {
    const auto found = byId.find(id);
    return found == byId.end() ? nullptr : &added[found->second];
  }

  std::string file;
  Bpe bpe;
  std::vector<AddedToken> added;  // longest first
  std::unordered_map<std::int64_t, std::size_t> byId;
  std::array<bool, 256> startsAdded{};
  bool nfc;
  pcre2_code* split = nullptr;
};

/// State of one encode(): the matcher's memory, and where earlier words of this text stand among the ids.
struct Tokenizer::Impl::Words {
  explicit Words(const pcre2_code* code) : match(pcre2_match_data_create_from_pattern(code, nullptr)) {}
  ~Words() { pcre2_match_data_free(match); }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  pcre2_match_data* match;
  Bpe::Scratch scratch;
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> seen;
};

Tokenizer::Impl::Impl(const TokenizerFile& parsed, const std::string& path)
    : file(path), bpe(parsed, path), added(parsed.added), nfc(parsed.nfc) {
  std::stable_sort(added.begin(), added.end(),
                   [](const auto& a, const auto& b) { return a.content.size() > b.content.size(); });
  std::erase_if(added, [](const auto& token) { return token.content.empty(); });
  for (std::size_t i = 0; i < added.size(); ++i) {
    if (added[i].id < 0 || added[i].id > std::numeric_limits<std::int32_t>::max()) {
      throw Error("The tokenizer cannot be read", file, "the token " + added[i].content + " has no usable id");
    }
    if (added[i].normalized && nfc) added[i].content = toNfc(added[i].content);
    byId.emplace(added[i].id, i);
    startsAdded[static_cast<unsigned char>(added[i].content[0])] = true;
  }
  const std::string pattern = spellOutSpaces(parsed.splitPattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  split = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                        &offset, nullptr);
  if (!split) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    throw Error("The tokenizer's split pattern is not valid", file, reinterpret_cast<const char*>(message));
  }
  pcre2_jit_compile(split, PCRE2_JIT_COMPLETE);  // without it, the interpreter does the same more slowly
}

std::optional<Tokenizer::Impl::Found> Tokenizer::Impl::findAdded(std::string_view text, std::size_t from,
                                                                 bool normalized) const {
  const std::size_t floor = from;
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!startsAdded[static_cast<unsigned char>(text[at])]) continue;
    for (const auto& token : added) {
      if (token.normalized != normalized || text.compare(at, token.content.size(), token.content) != 0) continue;
      Found found{at, at + token.content.size(), &token};
      if (token.singleWord && ((at > 0 && isWordCharacter(characterAt(text, previousCharacter(text, at)))) ||
                               (found.end < text.size() && isWordCharacter(characterAt(text, found.end))))) {
        at = found.end - 1;  // seen and refused, as a whole
        break;
      }
      if (token.leftStrip) {
        while (found.begin > floor && isSpace(characterAt(text, previousCharacter(text, found.begin)))) {
          found.begin = previousCharacter(text, found.begin);
        }
      }
      if (token.rightStrip) {
        while (found.end < text.size() && isSpace(characterAt(text, found.end))) {
          do ++found.end;
          while (found.end < text.size() && (text[found.end] & 0xC0) == 0x80);
        }
      }
      return found;
    }
  }
  return std::nullopt;
}

template <typename OnText>
void Tokenizer::Impl::splitAtAdded(std::string_view text, bool normalized, std::vector<std::int64_t>& ids,
                                   OnText onText) const {
  std::size_t done = 0;
  while (done < text.size()) {
    const auto found = findAdded(text, done, normalized);
    const std::size_t end = found ? found->begin : text.size();
    if (end > done) onText(text.substr(done, end - done));
    if (!found) break;
    ids.push_back(found->token->id);
    done = found->end;
  }
}

void Tokenizer::Impl::encodeText(std::string_view text, std::vector<std::int64_t>& ids, Words& words) const {
  words.seen.clear();
  const auto word = [&](std::string_view piece) {
    const auto [earlier, isNew] = words.seen.try_emplace(piece, ids.size(), 0);
    if (!isNew) {
      const auto [begin, end] = earlier->second;
      for (std::size_t i = begin; i < end; ++i) ids.push_back(ids[i]);
      return;
    }
    bpe.encode(piece, ids, words.scratch);
    earlier->second.second = ids.size();
    if (words.seen.size() >= kCachedWords) words.seen.clear();
  };
  std::size_t done = 0;
  while (done < text.size()) {
    const int matched = pcre2_match(split, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), done,
                                    PCRE2_NO_UTF_CHECK, words.match, nullptr);
    if (matched == PCRE2_ERROR_NOMATCH) break;
    if (matched < 0) {
      throw Error("The text cannot be split into words", file,
                  "the pattern matcher gave up with code " + std::to_string(matched));
    }
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(words.match);
    if (span[1] <= span[0])
      throw Error("The text cannot be split into words", file, "the split pattern matches the empty text");
    if (span[0] > done) word(text.substr(done, span[0] - done));
    word(text.substr(span[0], span[1] - span[0]));
    done = span[1];
  }
  if (done < text.size()) word(text.substr(done));
}

Tokenizer::Tokenizer() = default;
Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer> Tokenizer::load(const std::string& folder) {
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer);
  tokenizer->m_impl = std::make_unique<Impl>(folder + "/tokenizer.json");
  return tokenizer;
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view utf8) const {
  std::string repaired;
  if (validUtf8Prefix(utf8) != utf8.size()) {
    repaired = replaceInvalidUtf8(utf8);
    utf8 = repaired;
  }
  std::vector<std::int64_t> ids;
  Impl::Words words(m_impl->split);
  m_impl->splitAtAdded(utf8, false, ids, [&](std::string_view part) {
    const std::string text = m_impl->nfc ? toNfc(part) : std::string(part);
    m_impl->splitAtAdded(text, true, ids, [&](std::string_view plain) { m_impl->encodeText(plain, ids, words); });
  });
  return ids;
}

std::string Tokenizer::decode(const std::vector<std::int64_t>& ids, bool skipSpecial) const {
  std::string all;
  for (const auto id : ids) {
    if (skipSpecial && isSpecial(id)) continue;
    all += bytes(id);
  }
  return replaceInvalidUtf8(all);
}

std::string Tokenizer::bytes(std::int64_t id) const {
  if (const auto* token = m_impl->addedById(id)) return token->content;
  return std::string(m_impl->bpe.bytes(id));
}

bool Tokenizer::isSpecial(std::int64_t id) const {
  const auto* token = m_impl->addedById(id);
  return token && token->special;
}

std::int64_t Tokenizer::idOf(std::string_view token) const {
  for (const auto& candidate : m_impl->added) {
    if (candidate.content == token) return candidate.id;
  }
  return m_impl->bpe.idOf(token);
}

std::int64_t Tokenizer::size() const {
  std::int64_t size = m_impl->bpe.size();
  for (const auto& token : m_impl->added) size = std::max(size, token.id + 1);
  return size;
}

}  // namespace cuescope
