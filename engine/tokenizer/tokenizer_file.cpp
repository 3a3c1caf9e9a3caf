#include "engine/tokenizer/tokenizer_file.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/core/failure.h"
#include "engine/tokenizer/utf8.h"

namespace cuescope {

namespace {

using nlohmann::json;

/// A pull reader over JSON text: the caller knows the shape and asks for what comes next.
class Scanner {
 public:
  Scanner(std::string_view text, std::string file) : m_text(text), m_file(std::move(file)) {}

  [[noreturn]] void fail(const std::string& why) const {
    throw Error("The tokenizer cannot be read", m_file + ", byte " + std::to_string(m_at), why,
                "Copy the model folder again: tokenizer.json is incomplete or is not a tokenizer's file.");
  }
  char peek() {
    while (m_at < m_text.size() &&
           (m_text[m_at] == ' ' || m_text[m_at] == '\n' || m_text[m_at] == '\r' || m_text[m_at] == '\t'))
      ++m_at;
    return m_at < m_text.size() ? m_text[m_at] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++m_at;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(m_at >= m_text.size() ? "The file ends too early." : std::string("Expected «") + c + "».");
  }
  /// Calls `entry(key)` for each entry of the object that comes next; it must consume the value.
  template <typename F>
  void object(F entry) {
    expect('{');
    if (take('}')) return;
    std::string key;
    do {
      key.clear();
      string(key);
      expect(':');
      entry(key);
    } while (take(','));
    expect('}');
  }
  template <typename F>
  void array(F item) {
    expect('[');
    if (take(']')) return;
    do item();
    while (take(','));
    expect(']');
  }
  /// Appends the string that comes next.
  void string(std::string& out) {
    expect('"');
    for (;;) {
      const std::size_t begin = m_at;
      while (m_at < m_text.size() && m_text[m_at] != '"' && m_text[m_at] != '\\') ++m_at;
      if (m_at >= m_text.size()) fail("A text has no end.");
      out.append(m_text, begin, m_at - begin);
      if (m_text[m_at++] == '"') return;
      escape(out);
    }
  }
  std::int64_t integer() {
    peek();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(m_text.data() + m_at, m_text.data() + m_text.size(), value);
    if (error != std::errc()) fail("Expected a whole number.");
    m_at = static_cast<std::size_t>(end - m_text.data());
    return value;
  }
  /// Any value, as a tree.
  json tree() {
    const char first = peek();
    const std::size_t begin = m_at;
    skip(first);
    auto value = json::parse(m_text.substr(begin, m_at - begin), nullptr, false);
    if (value.is_discarded()) fail("Not valid JSON.");
    return value;
  }

 private:
  void skip(char first) {
    if (first == '"') {
      std::string ignored;
      string(ignored);
    } else if (first == '{' || first == '[') {
      int depth = 0;
      do {
        const char c = peek();
        if (c == '\0') fail("The file ends too early.");
        if (c == '"') {
          std::string ignored;
          string(ignored);
          continue;
        }
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        ++m_at;
      } while (depth > 0);
    } else {
      while (m_at < m_text.size() && std::string_view(",]} \n\r\t").find(m_text[m_at]) == std::string_view::npos)
        ++m_at;
    }
  }
  char32_t hex4() {
    unsigned value = 0;
    if (m_at + 4 > m_text.size()) fail("A text has no end.");
    const char* begin = m_text.data() + m_at;
    const auto [end, error] = std::from_chars(begin, begin + 4, value, 16);
    if (error != std::errc() || end != begin + 4) fail("A \\u escape without four hexadecimal digits.");
    m_at += 4;
    return value;
  }
  void escape(std::string& out) {
    if (m_at >= m_text.size()) fail("A text has no end.");
    const char c = m_text[m_at++];
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const auto known = kFrom.find(c); known != std::string_view::npos) {
      out += kTo[known];
      return;
    }
    if (c != 'u') fail("An unknown escape in a text.");
    char32_t code = hex4();
    if (code >= 0xD800 && code < 0xDC00 && m_text.substr(m_at, 2) == "\\u") {
      m_at += 2;
      code = 0x10000 + ((code - 0xD800) << 10) + (hex4() - 0xDC00);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
    appendUtf8(out, code);
  }

  std::string_view m_text;
  std::string m_file;
  std::size_t m_at = 0;
};

[[noreturn]] void unsupported(const std::string& file, const std::string& what) {
  throw Error("This kind of tokenizer is not supported", file, what,
              "Use a Qwen3-VL model folder: byte-level BPE, NFC, one split pattern.");
}

std::string typeOf(const json& part) {
  return part.is_object() ? part.value("type", "without a type") : part.dump();
}

void readMerges(Scanner& scan, TokenizerFile& result) {
  auto& texts = result.texts;
  scan.array([&] {
    const auto begin = static_cast<std::uint32_t>(texts.size());
    std::uint32_t left = 0, right = 0;
    if (scan.peek() == '[') {
      int parts = 0;
      scan.array([&] {
        const auto from = texts.size();
        scan.string(texts);
        (parts++ == 0 ? left : right) = static_cast<std::uint32_t>(texts.size() - from);
      });
      if (parts != 2) scan.fail("A merge does not have two parts.");
    } else {
      scan.string(texts);
      const auto space = texts.find(' ', begin);
      if (space == std::string::npos) scan.fail("A merge does not have two parts.");
      texts.erase(space, 1);
      left = static_cast<std::uint32_t>(space) - begin;
      right = static_cast<std::uint32_t>(texts.size() - space);
    }
    result.merges.push_back({begin, left, right});
  });
}

void readModel(Scanner& scan, const std::string& file, TokenizerFile& result) {
  json rest = json::object();
  scan.object([&](const std::string& key) {
    if (key == "vocab" && scan.peek() == '{') {
      auto& texts = result.texts;
      scan.expect('{');
      if (scan.take('}')) return;
      do {
        const auto begin = texts.size();
        scan.string(texts);
        scan.expect(':');
        result.vocabulary.push_back(
            {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(texts.size() - begin), scan.integer()});
      } while (scan.take(','));
      scan.expect('}');
    } else if (key == "merges" && scan.peek() == '[') {
      readMerges(scan, result);
    } else {
      rest[key] = scan.tree();
    }
  });
  // Old files do not name the type.
  if (rest.contains("type") && rest["type"] != "BPE") unsupported(file, "Its model is " + rest["type"].dump() + ".");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (rest.contains(key) && !rest[key].is_null() && rest[key] != "")
      unsupported(file, std::string("It uses ") + key + ".");
  }
  if (rest.contains("dropout") && !rest["dropout"].is_null() && rest["dropout"] != 0)
    unsupported(file, "It drops merges at random.");
  result.ignoreMerges = rest.value("ignore_merges", false);
}

void readSplit(const json& preTokenizer, const std::string& file, TokenizerFile& result) {
  const json steps =
      typeOf(preTokenizer) == "Sequence" ? preTokenizer.at("pretokenizers") : json::array({preTokenizer});
  if (steps.size() != 2 || typeOf(steps[0]) != "Split" || typeOf(steps[1]) != "ByteLevel") {
    unsupported(file, "Its pre_tokenizer is not a Split followed by ByteLevel.");
  }
  const json& split = steps[0];
  if (!split.at("pattern").contains("Regex") || split.value("behavior", "") != "Isolated" ||
      split.value("invert", false)) {
    unsupported(file, "Its Split is not a regular expression with behavior Isolated.");
  }
  if (steps[1].value("add_prefix_space", true) || steps[1].value("use_regex", true)) {
    unsupported(file, "Its ByteLevel step adds a space or splits by itself.");
  }
  result.splitPattern = split["pattern"]["Regex"].get<std::string>();
}

}  // namespace

TokenizerFile readTokenizerFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in || std::filesystem::is_directory(file)) {
    throw Error("The tokenizer cannot be read", file, "the file is missing or may not be read",
                "Choose a model folder that contains tokenizer.json.");
  }
  std::string text(static_cast<std::size_t>(in.tellg()), '\0');
  in.seekg(0);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (text.size() > (1u << 30)) unsupported(file, "It is larger than 1 GiB.");

  TokenizerFile result;
  Scanner scan(text, file);
  bool hasModel = false;
  try {
    scan.object([&](const std::string& key) {
      if (key == "model") {
        hasModel = true;
        readModel(scan, file, result);
        return;
      }
      const json value = scan.tree();
      if (key == "added_tokens" && value.is_array()) {
        for (const auto& token : value) {
          result.added.push_back({token.at("content"), token.at("id"), token.value("special", false),
                                  token.value("normalized", false), token.value("lstrip", false),
                                  token.value("rstrip", false), token.value("single_word", false)});
        }
      } else if (key == "normalizer" && !value.is_null()) {
        if (typeOf(value) != "NFC") unsupported(file, "Its normalizer is " + typeOf(value) + ".");
        result.nfc = true;
      } else if (key == "pre_tokenizer") {
        readSplit(value, file, result);
      } else if ((key == "post_processor" || key == "decoder") && !value.is_null() && typeOf(value) != "ByteLevel") {
        unsupported(file, "Its " + key + " is " + typeOf(value) + ".");
      }
    });
  } catch (const json::exception& e) {
    scan.fail(std::string("An entry is missing or has another type: ") + e.what());
  }
  if (!hasModel || result.vocabulary.empty()) scan.fail("There is no vocabulary.");
  if (result.splitPattern.empty()) scan.fail("There is no pre_tokenizer.");
  return result;
}

}  // namespace cuescope
