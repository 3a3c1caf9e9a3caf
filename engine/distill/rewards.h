// Rewards: what a response is worth. The last \boxed{...} is the answer; accuracy compares it with the ground truth, format looks
// at the whole response, and the two are kept apart (spec 3.10, 7-B17). Pure functions; any thread.
#pragma once

#include <optional>
#include <string>

namespace cuescope {

/// Contents of the last complete \boxed{...} with balanced braces; none when there is none.
std::optional<std::string> lastBoxed(const std::string& text);

/// True when both say the same: equal text after normalisation (case, spaces, LaTeX wrappers, degree and percent signs),
/// or equal numbers (fractions, decimals, thousands separators; relative 1e-6; 50 % is 50 and 0.5), or equal mathematics
/// (math_expression.h). A unit behind a number counts only when both name one: «5 cm» is «5» and «5 centimetres», not «5 m». A choice
/// is its letter, with or without brackets and the text behind it: «(A) 12» is «A», and «12» where the truth is no bare letter.
bool sameAnswer(const std::string& answer, const std::string& groundTruth);

/// The number that a text states: "3", "-1,200.5", "3/4", "\frac{3}{4}", "50%" (50), "1e-3". None for anything else.
std::optional<double> numericValue(const std::string& text);

struct Reward {
  double accuracy = 0;  // 0 or 1
  double format = 0;    // 0 or 1
  double score = 0;     // 0.9 accuracy + 0.1 format
  std::string answer;   // what was in the box, empty if nothing
};

/// How accuracy is judged: reward_model.style of a row. "exact" is equal text but for space at the ends; "rule", verl's usual word, and
/// everything else are sameAnswer.
/// Format: with `think`, a <think> block and then a boxed answer (the reference's rule); without, a boxed answer and nothing
/// longer than a sentence's end behind it. Rows whose prompt asks for <think> are judged by the first.
Reward judge(const std::string& response, const std::string& groundTruth, bool think, const std::string& style = "rule");

}  // namespace cuescope
