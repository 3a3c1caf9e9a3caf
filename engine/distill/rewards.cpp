#include "engine/distill/rewards.h"

#include <algorithm>
#include <charconv>
#include <cctype>
#include <cmath>
#include <vector>

#include "engine/distill/math_expression.h"

namespace cuescope {
namespace {

constexpr double kAccuracyShare = 0.9, kFormatShare = 0.1;  // spec 3.10
constexpr double kRelativeTolerance = 1e-6;

bool isSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string trimmed(const std::string& text) {
  auto begin = std::find_if_not(text.begin(), text.end(), isSpace);
  auto end = std::find_if_not(text.rbegin(), text.rend(), isSpace).base();
  return begin < end ? std::string(begin, end) : std::string();
}

void replaceAll(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

/// Position after the brace that closes the one at `open`; npos when it never closes.
std::size_t afterGroup(const std::string& text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;  // an escaped brace is text
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::string::npos;
}

/// \text{x}, \mathrm{x}, \mathbf{x} -> x.
std::string unwrapped(std::string text) {
  for (const char* command : {"\\text", "\\mathrm", "\\mathbf", "\\textbf"}) {
    const std::string head = std::string(command) + "{";
    for (std::size_t at; (at = text.find(head)) != std::string::npos;) {
      std::size_t end = afterGroup(text, at + head.size() - 1);
      if (end == std::string::npos) break;
      text = text.substr(0, at) + text.substr(at + head.size(), end - at - head.size() - 1) + text.substr(end);
    }
  }
  return text;
}

std::string normalized(const std::string& given) {
  std::string text = unwrapped(given);
  for (const auto& [from, to] : {std::pair<const char*, const char*>{"\\left", ""}, {"\\right", ""}, {"\\!", ""}, {"\\,", ""}, {"\\;", ""}, {"\\ ", " "},
                                 {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"}, {"^{\\circ}", ""}, {"^\\circ", ""}, {"\\circ", ""}, {"\xc2\xb0", ""},
                                 {"\\%", "%"}, {"\\$", ""}, {"$", ""}, {"\\pi", "\xcf\x80"}, {"\xe2\x88\x92", "-"}}) {
    replaceAll(text, from, to);
  }
  std::string out;
  for (char c : text) {
    if (!isSpace(c)) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  while (!out.empty() && (out.back() == '.' || out.back() == ',')) out.pop_back();
  return out;
}

/// A plain decimal number that fills the whole text.
std::optional<double> plainNumber(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* digits = begin + (*begin == '-' ? 1 : 0);
  if (!std::isdigit(static_cast<unsigned char>(*digits)) && *digits != '.') return std::nullopt;  // no "inf", no "nan"
  double value = 0;
  auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// "1,234,567.8" -> "1234567.8"; unchanged when the commas are no thousands separators.
std::string withoutThousands(const std::string& text) {
  if (text.find(',') == std::string::npos) return text;
  std::size_t integerEnd = std::min(text.find('.'), text.size());
  std::size_t first = text.find(',');
  for (std::size_t i = first; i < integerEnd; i += 4) {
    bool group = text[i] == ',' && i + 4 <= integerEnd && std::all_of(text.begin() + i + 1, text.begin() + i + 4, [](char c) { return std::isdigit(static_cast<unsigned char>(c)); });
    if (!group) return text;
  }
  std::string out = text;
  out.erase(std::remove(out.begin(), out.end(), ','), out.end());
  return out;
}

/// \frac{a}{b} with an optional sign before it.
std::optional<double> latexFraction(std::string text) {
  double sign = 1;
  if (text.starts_with("-")) {
    sign = -1;
    text.erase(0, 1);
  }
  if (!text.starts_with("\\frac{")) return std::nullopt;
  std::size_t first = afterGroup(text, 5);
  if (first == std::string::npos || first >= text.size() || text[first] != '{' || afterGroup(text, first) != text.size()) return std::nullopt;
  auto a = plainNumber(text.substr(6, first - 7)), b = plainNumber(text.substr(first + 1, text.size() - first - 2));
  if (!a || !b || *b == 0) return std::nullopt;
  return sign * *a / *b;
}

}  // namespace

std::optional<std::string> lastBoxed(const std::string& text) {
  static const std::string head = "\\boxed{";
  for (std::size_t at = text.rfind(head); at != std::string::npos; at = at == 0 ? std::string::npos : text.rfind(head, at - 1)) {
    std::size_t end = afterGroup(text, at + head.size() - 1);
    if (end != std::string::npos) return trimmed(text.substr(at + head.size(), end - at - head.size() - 1));
  }
  return std::nullopt;
}

std::optional<double> numericValue(const std::string& given) {
  std::string text = normalized(given);
  if (!text.empty() && text.back() == '%') text.pop_back();
  if (auto value = plainNumber(withoutThousands(text))) return value;
  if (auto value = latexFraction(text)) return value;
  if (auto slash = text.find('/'); slash != std::string::npos) {
    auto a = plainNumber(text.substr(0, slash)), b = plainNumber(text.substr(slash + 1));
    if (a && b && *b != 0) return *a / *b;
  }
  return std::nullopt;
}

bool sameAnswer(const std::string& answer, const std::string& groundTruth) {
  std::string a = normalized(answer), b = normalized(groundTruth);
  if (a.empty() || b.empty()) return false;
  if (a == b) return true;
  auto x = numericValue(answer), y = numericValue(groundTruth);
  if (x && y) return std::abs(*x - *y) <= kRelativeTolerance * std::max(1.0, std::abs(*y));
  return sameMathematics(a, b);
}

Reward judge(const std::string& response, const std::string& groundTruth, bool think) {
  Reward reward;
  auto boxed = lastBoxed(response);
  if (boxed) {
    reward.answer = *boxed;
    reward.accuracy = sameAnswer(*boxed, groundTruth) ? 1 : 0;
    std::string text = trimmed(response);
    if (think) {
      std::size_t close = text.find("</think>");
      reward.format = text.starts_with("<think>") && close != std::string::npos && text.find("\\boxed{", close) != std::string::npos ? 1 : 0;
    } else {
      std::size_t end = afterGroup(text, text.rfind("\\boxed{") + 6);
      std::string rest = end == std::string::npos ? "unfinished" : trimmed(text.substr(end));
      reward.format = rest.empty() || rest == "." || rest == "$" || rest == "$." ? 1 : 0;
    }
  }
  reward.score = kAccuracyShare * reward.accuracy + kFormatShare * reward.format;
  return reward;
}

}  // namespace cuescope
