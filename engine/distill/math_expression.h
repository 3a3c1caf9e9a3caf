// MathExpression: answers as mathematics. Reads the plain and LaTeX forms that boxed answers take and says whether two of them
// have the same value: numbers, fractions, roots, powers, products without a sign, pi and e, letters as variables, percent,
// equations by their right side («x = 3»), tuples, intervals and sets. Pure functions; any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace cuescope {

class MathExpression {
 public:
  /// None when the text is no expression of this grammar. Units, dollar signs and \text{...} must be gone already.
  static std::optional<MathExpression> parse(const std::string& text);
  /// Value with its letters set; not finite where it is not defined.
  double value(const std::map<char, double>& letters = {}) const;
  /// Letters that occur, apart from the constants.
  const std::string& letters() const { return m_letters; }

  struct Node;

 private:
  std::shared_ptr<const Node> m_root;
  std::string m_letters;
};

/// Same value: lists element by element (sets in any order), expressions with letters at several points, numbers to relative
/// 1e-6. False when one of them cannot be read.
bool sameMathematics(const std::string& a, const std::string& b);

}  // namespace cuescope
