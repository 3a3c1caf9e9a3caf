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

/// "5cm" -> {"5", "cm"}, by the table below; the unit is empty when there is none.
struct Measured {
  std::string value, unit;
};
Measured measured(const std::string& text) {
  // Words of one unit in one line; longer ones first, because the text's end is compared.
  static const std::vector<std::vector<std::string>> units = {
      {"squarecentimeters", "squarecentimetres", "cm^{2}", "cm^2", "cm\xc2\xb2", "sqcm"}, {"squaremeters", "squaremetres", "m^{2}", "m^2", "m\xc2\xb2", "sqm"},
      {"squareinches", "in^{2}", "in^2"}, {"squarefeet", "ft^{2}", "ft^2", "sqft"}, {"cubiccentimeters", "cubiccentimetres", "cm^{3}", "cm^3"},
      {"squareunits", "sq.units", "units^2"}, {"millimeters", "millimetres", "millimeter", "millimetre", "mm"}, {"centimeters", "centimetres", "centimeter", "centimetre", "cm"},
      {"kilometers", "kilometres", "kilometer", "kilometre", "km"}, {"meters", "metres", "meter", "metre", "m"}, {"inches", "inch", "in"}, {"feet", "foot", "ft"},
      {"yards", "yard", "yd"}, {"miles", "mile", "mi"}, {"units", "unit"}, {"kilograms", "kilogram", "kg"}, {"grams", "gram", "g"}, {"pounds", "pound", "lb"},
      {"seconds", "second", "sec", "s"}, {"minutes", "minute", "min"}, {"hours", "hour", "h"}, {"days", "day"}, {"years", "year"}, {"dollars", "dollar"}, {"cents", "cent"},
      {"degrees", "degree", "deg"}, {"percent"}, {"liters", "litres", "liter", "litre", "l"}};
  Measured best{text, ""};
  for (const auto& words : units) {
    for (const auto& word : words) {
      if (text.size() <= word.size() || !text.ends_with(word)) continue;
      const std::string value = text.substr(0, text.size() - word.size());
      if (value.size() < best.value.size() && numericValue(value)) best = {value, words.front()};
    }
  }
  return best;
}

/// "(a)12", "a.12", "a)", "a:" -> {'a', "12"}; no letter: no choice.
struct Choice {
  char letter = 0;
  std::string text;
};
Choice choiceOf(const std::string& text) {
  const bool open = text.starts_with("(");
  const std::size_t at = open ? 1 : 0;
  if (text.size() <= at || text[at] < 'a' || text[at] > 'j') return {};
  if (text.size() == at + 1) return open ? Choice{} : Choice{text[at], ""};
  const char mark = text[at + 1];
  if (open ? mark != ')' : mark != '.' && mark != ')' && mark != ':') return {};
  std::string rest = text.substr(at + 2);
  while (!rest.empty() && (rest.front() == '.' || rest.front() == ':')) rest.erase(0, 1);
  return {text[at], rest};
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
  const auto equal = [](double x, double y) { return std::abs(x - y) <= kRelativeTolerance * std::max(1.0, std::abs(y)); };
  if (const auto x = numericValue(a), y = numericValue(b); x && y) {
    const bool aPercent = a.back() == '%', bPercent = b.back() == '%';
    return equal(*x, *y) || (aPercent != bPercent && equal(aPercent ? *x / 100 : *x, bPercent ? *y / 100 : *y));
  }
  if (const Measured x = measured(a), y = measured(b); !x.unit.empty() || !y.unit.empty()) {
    const auto u = numericValue(x.value), v = numericValue(y.value);
    if (u && v) return (x.unit.empty() || y.unit.empty() || x.unit == y.unit) && equal(*u, *v);
  }
  if (const Choice x = choiceOf(a), y = choiceOf(b); x.letter || y.letter) {
    if (x.letter && y.letter) return x.letter == y.letter && (x.text.empty() || y.text.empty() || sameAnswer(x.text, y.text));
    const Choice& choice = x.letter ? x : y;  // the other side is no choice: it can only be the text behind the letter
    if (!choice.text.empty() && sameAnswer(choice.text, x.letter ? b : a)) return true;
  }
  return sameMathematics(a, b);
}

Reward judge(const std::string& response, const std::string& groundTruth, bool think, const std::string& style) {
  Reward reward;
  auto boxed = lastBoxed(response);
  if (boxed) {
    reward.answer = *boxed;
    const bool same = style == "exact" ? !trimmed(groundTruth).empty() && trimmed(*boxed) == trimmed(groundTruth) : sameAnswer(*boxed, groundTruth);
    reward.accuracy = same ? 1 : 0;
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
