#include "engine/distill/math_expression.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <vector>

namespace cuescope {

struct MathExpression::Node {
  enum class Kind { Number, Letter, Add, Subtract, Multiply, Divide, Power, Negate, Root, Function } kind = Kind::Number;
  double number = 0;
  char letter = 0;
  double (*function)(double) = nullptr;
  std::shared_ptr<const Node> left, right;
};

namespace {

using Node = MathExpression::Node;
using NodePtr = std::shared_ptr<const Node>;
using Kind = Node::Kind;

constexpr int kDepthLimit = 200;  // an answer nested deeper is no answer
constexpr double kRelativeTolerance = 1e-6;

struct NamedFunction {
  const char* name;
  double (*call)(double);
};
const NamedFunction kFunctions[] = {
    {"arcsin", [](double x) { return std::asin(x); }}, {"arccos", [](double x) { return std::acos(x); }},
    {"arctan", [](double x) { return std::atan(x); }}, {"sin", [](double x) { return std::sin(x); }},
    {"cos", [](double x) { return std::cos(x); }},     {"tan", [](double x) { return std::tan(x); }},
    {"ln", [](double x) { return std::log(x); }},      {"log", [](double x) { return std::log10(x); }},
};

NodePtr binary(Kind kind, NodePtr left, NodePtr right) {
  Node node;
  node.kind = kind;
  node.left = std::move(left);
  node.right = std::move(right);
  return std::make_shared<const Node>(std::move(node));
}

NodePtr numberNode(double value) {
  Node node;
  node.number = value;
  return std::make_shared<const Node>(node);
}

/// sum -> product (('+'|'-') product)*, product -> factor ((times | over | nothing) factor)*, factor -> sign* power,
/// power -> atom ('^' factor)? '%'?
class Parser {
 public:
  explicit Parser(std::string text) : m_text(std::move(text)) {}

  NodePtr parse() {
    NodePtr node = sum();
    skip();
    return m_ok && m_at == m_text.size() ? node : nullptr;
  }
  std::string letters;

 private:
  NodePtr fail() {
    m_ok = false;
    return nullptr;
  }
  void skip() {
    while (m_at < m_text.size()) {
      if (std::isspace(static_cast<unsigned char>(m_text[m_at]))) ++m_at;
      else if (m_text[m_at] == '~') ++m_at;
      else break;
    }
  }
  bool take(const std::string& token) {
    skip();
    if (m_text.compare(m_at, token.size(), token) != 0) return false;
    const std::size_t end = m_at + token.size();
    // a command must end where the token ends: \pi is not the start of \pitchfork
    if (token[0] == '\\' && std::isalpha(static_cast<unsigned char>(token.back())) && end < m_text.size() &&
        std::isalpha(static_cast<unsigned char>(m_text[end])))
      return false;
    m_at = end;
    return true;
  }
  char peek() {
    skip();
    return m_at < m_text.size() ? m_text[m_at] : '\0';
  }

  NodePtr sum() {
    if (++m_depth > kDepthLimit) return fail();
    NodePtr node = product();
    while (m_ok) {
      if (take("+")) node = binary(Kind::Add, node, product());
      else if (take("-")) node = binary(Kind::Subtract, node, product());
      else break;
    }
    --m_depth;
    return node;
  }

  NodePtr product() {
    NodePtr node = factor();
    while (m_ok) {
      if (take("*") || take("\\cdot") || take("\\times") || take("\xc3\x97") || take("\xc2\xb7")) node = binary(Kind::Multiply, node, factor());
      else if (take("/") || take("\\div") || take("\xc3\xb7")) node = binary(Kind::Divide, node, factor());
      else if (startsAtom()) node = binary(Kind::Multiply, node, power());
      else break;
    }
    return node;
  }

  bool startsAtom() {
    const char c = peek();
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '(' || c == '[' || c == '{' || c == '.') return true;
    if (m_text.compare(m_at, 2, "\xcf\x80") == 0 || m_text.compare(m_at, 3, "\xe2\x88\x9a") == 0) return true;
    if (c != '\\') return false;
    for (const char* command : {"\\frac", "\\sqrt", "\\pi", "\\sin", "\\cos", "\\tan", "\\ln", "\\log", "\\arcsin", "\\arccos", "\\arctan"})
      if (m_text.compare(m_at, std::string(command).size(), command) == 0) return true;
    return false;
  }

  NodePtr factor() {
    if (++m_depth > kDepthLimit) return fail();
    NodePtr node;
    if (take("-")) {
      Node negated;
      negated.kind = Kind::Negate;
      negated.left = factor();
      node = m_ok ? std::make_shared<const Node>(negated) : nullptr;
    } else if (take("+")) {
      node = factor();
    } else {
      node = power();
    }
    --m_depth;
    return node;
  }

  NodePtr power() {
    NodePtr node = atom();
    if (m_ok && (take("^") || take("**"))) node = binary(Kind::Power, node, peek() == '{' ? group('{', '}') : factor());
    if (m_ok && (take("\\%") || take("%"))) node = binary(Kind::Divide, node, numberNode(100));
    return node;
  }

  NodePtr group(char open, char close) {
    if (!take(std::string(1, open))) return fail();
    NodePtr node = sum();
    return m_ok && take(std::string(1, close)) ? node : fail();
  }

  /// A braced group, or one digit or letter as LaTeX allows (\frac12).
  NodePtr argument() {
    if (peek() == '{') return group('{', '}');
    const char c = peek();
    if (std::isdigit(static_cast<unsigned char>(c))) {
      ++m_at;
      return numberNode(c - '0');
    }
    return std::isalpha(static_cast<unsigned char>(c)) ? atom() : fail();
  }

  NodePtr atom() {
    const char c = peek();
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') return number();
    if (c == '(') return group('(', ')');
    if (c == '[') return group('[', ']');
    if (c == '{') return group('{', '}');
    if (take("\\frac")) {
      NodePtr above = argument();
      return m_ok ? binary(Kind::Divide, above, argument()) : nullptr;
    }
    if (take("\\sqrt") || take("sqrt")) {
      NodePtr degree = numberNode(2);
      if (peek() == '[') degree = group('[', ']');
      NodePtr of = peek() == '(' ? group('(', ')') : argument();
      return m_ok ? binary(Kind::Root, of, degree) : nullptr;
    }
    if (take("\xe2\x88\x9a")) return binary(Kind::Root, power(), numberNode(2));
    if (take("\\pi") || take("\xcf\x80") || takeWord("pi")) return numberNode(std::numbers::pi);
    for (const NamedFunction& f : kFunctions) {
      if (!take(std::string("\\") + f.name) && !takeWord(f.name)) continue;
      Node node;
      node.kind = Kind::Function;
      node.function = f.call;
      node.left = peek() == '(' ? group('(', ')') : power();
      return m_ok ? std::make_shared<const Node>(node) : nullptr;
    }
    if (std::isalpha(static_cast<unsigned char>(c))) {
      if (isWord()) return fail();
      ++m_at;
      if (m_at < m_text.size() && m_text[m_at] == '_') return fail();  // subscripts name other things
      if (letters.find(c) == std::string::npos) letters += c;
      Node node;
      node.kind = Kind::Letter;
      node.letter = c;
      return std::make_shared<const Node>(node);
    }
    return fail();
  }

  /// Letters side by side are a product only when they are usual variables («xy», «abc»): «star» and «rats» are words.
  bool isWord() const {
    std::size_t begin = m_at, end = m_at;
    const auto letter = [&](std::size_t i) { return std::isalpha(static_cast<unsigned char>(m_text[i])) != 0; };
    while (begin > 0 && letter(begin - 1)) --begin;
    while (end < m_text.size() && letter(end)) ++end;
    const std::string run = m_text.substr(begin, end - begin);
    // a command's name stands before it (\pi x, \sin x)
    if (begin > 0 && m_text[begin - 1] == '\\') return false;
    return run.size() > 1 && run.find_first_not_of("xyz") != std::string::npos && run.find_first_not_of("abc") != std::string::npos;
  }

  /// A word in plain text, not the start of a longer one.
  bool takeWord(const std::string& word) {
    skip();
    const std::size_t end = m_at + word.size();
    if (m_text.compare(m_at, word.size(), word) != 0 || (end < m_text.size() && std::isalpha(static_cast<unsigned char>(m_text[end])))) return false;
    m_at = end;
    return true;
  }

  NodePtr number() {
    std::string digits;
    bool point = false;
    while (m_at < m_text.size()) {
      const char c = m_text[m_at];
      const bool group = c == ',' && !point && m_at + 3 < m_text.size() && digits.size() >= 1 && allDigits(m_at + 1, 3) &&
                         (m_at + 4 >= m_text.size() || !std::isdigit(static_cast<unsigned char>(m_text[m_at + 4])));
      if (std::isdigit(static_cast<unsigned char>(c))) digits += c;
      else if (c == '.' && !point) { digits += c; point = true; }
      else if (!group) break;
      ++m_at;
    }
    if (digits == ".") return fail();
    NodePtr node = numberNode(std::strtod(digits.c_str(), nullptr));
    // a mixed number: a whole number, then a fraction of digits, is a sum («1 \frac{1}{2}»)
    skip();
    if (!point && m_text.compare(m_at, 5, "\\frac") == 0) {
      const std::size_t before = m_at;
      NodePtr part = atom();
      if (m_ok && part->kind == Kind::Divide && part->left->kind == Kind::Number && part->right->kind == Kind::Number) return binary(Kind::Add, node, part);
      m_at = before;
    }
    return node;
  }
  bool allDigits(std::size_t at, std::size_t count) const {
    return std::all_of(m_text.begin() + at, m_text.begin() + at + count, [](unsigned char c) { return std::isdigit(c); });
  }

  std::string m_text;
  std::size_t m_at = 0;
  int m_depth = 0;
  bool m_ok = true;
};

double evaluate(const Node& node, const std::map<char, double>& letters) {
  const auto left = [&] { return evaluate(*node.left, letters); };
  const auto right = [&] { return evaluate(*node.right, letters); };
  switch (node.kind) {
    case Kind::Number: return node.number;
    case Kind::Letter: {
      const auto found = letters.find(node.letter);
      return found == letters.end() ? std::nan("") : found->second;
    }
    case Kind::Add: return left() + right();
    case Kind::Subtract: return left() - right();
    case Kind::Multiply: return left() * right();
    case Kind::Divide: return left() / right();
    case Kind::Power: return std::pow(left(), right());
    case Kind::Negate: return -left();
    case Kind::Root: {
      const double of = left(), degree = right();
      if (of < 0 && std::fmod(degree, 2) == 1) return -std::pow(-of, 1 / degree);
      return std::pow(of, 1 / degree);
    }
    case Kind::Function: return node.function(left());
  }
  return std::nan("");
}

bool close(double a, double b) { return std::isfinite(a) && std::isfinite(b) && std::abs(a - b) <= kRelativeTolerance * std::max(1.0, std::abs(b)); }

/// «x = 3» -> «3»; the text itself without an equals sign or when the left side is more than a name.
std::string rightSide(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || text.find('=', equals + 1) != std::string::npos) return text;
  const bool isName = std::all_of(text.begin(), text.begin() + equals, [](unsigned char c) { return std::isalpha(c) || std::isspace(c) || c == '_'; });
  return isName ? text.substr(equals + 1) : text;
}

struct List {
  char open = 0, close = 0;  // 0: a bare list
  std::vector<std::string> items;
};

/// Items at top level commas; none for a single item or a text whose brackets do not match.
std::optional<List> listOf(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.erase(0, 1);
  List list;
  if (text.size() > 4 && text.starts_with("\\{") && text.ends_with("\\}")) {
    list.open = '{';
    list.close = '}';
    text = text.substr(2, text.size() - 4);
  } else if (text.size() > 2 && (text.front() == '(' || text.front() == '[') && (text.back() == ')' || text.back() == ']')) {
    list.open = text.front();
    list.close = text.back();
    text = text.substr(1, text.size() - 2);
  }
  int depth = 0;
  std::string item;
  for (char c : text) {
    depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
    if (depth < 0) return std::nullopt;
    if (c == ',' && depth == 0) {
      list.items.push_back(item);
      item.clear();
    } else {
      item += c;
    }
  }
  list.items.push_back(item);
  if (depth != 0 || list.items.size() < 2) return std::nullopt;
  return list;
}

bool sameValue(const std::string& a, const std::string& b) {
  const auto x = MathExpression::parse(rightSide(a)), y = MathExpression::parse(rightSide(b));
  if (!x || !y) return false;
  std::string letters = x->letters() + y->letters();
  std::sort(letters.begin(), letters.end());
  letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
  if (letters.empty()) return close(x->value(), y->value());
  // polynomial identity: equal at several fixed irrational-looking points, wherever both are defined
  int compared = 0;
  for (int point = 0; point < 8; ++point) {
    std::map<char, double> values;
    for (std::size_t i = 0; i < letters.size(); ++i) values[letters[i]] = 0.31 + std::fmod(0.618033988749895 * (1 + point) * (1 + double(i)), 2.3);
    const double p = x->value(values), q = y->value(values);
    if (!std::isfinite(p) && !std::isfinite(q)) continue;
    if (!close(p, q)) return false;
    ++compared;
  }
  return compared >= 3;
}

bool sameLists(const List& a, const List& b) {
  if (a.open != b.open || a.close != b.close || a.items.size() != b.items.size()) return false;
  const bool ordered = a.open == '(' || a.open == '[';
  std::vector<bool> used(b.items.size(), false);
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    bool found = false;
    for (std::size_t j = ordered ? i : 0; j < (ordered ? i + 1 : b.items.size()) && !found; ++j) {
      if (!used[j] && sameMathematics(a.items[i], b.items[j])) found = used[j] = true;
    }
    if (!found) return false;
  }
  return true;
}

}  // namespace

std::optional<MathExpression> MathExpression::parse(const std::string& text) {
  Parser parser(text);
  NodePtr root = parser.parse();
  if (!root) return std::nullopt;
  MathExpression expression;
  expression.m_root = std::move(root);
  expression.m_letters = std::move(parser.letters);
  return expression;
}

double MathExpression::value(const std::map<char, double>& letters) const { return evaluate(*m_root, letters); }

bool sameMathematics(const std::string& a, const std::string& b) {
  // «1,200» is a number before it is a list
  if (sameValue(a, b)) return true;
  const auto x = listOf(a), y = listOf(b);
  return x && y && sameLists(*x, *y);
}

}  // namespace cuescope
