// EvaluationPairs: two evaluations of the same rows side by side: gained, lost, both right, both wrong, and whether the difference is
// clear (McNemar's exact test). The window's Evaluate page and `cuescope-cli compare` say the same. Pure functions on values; any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/core/evaluation.h"

namespace cuescope {

enum class PairKind { All, OnlyA, OnlyB, Both, Neither };
struct SamplePair {
  const EvaluatedSample* a = nullptr;
  const EvaluatedSample* b = nullptr;  // null: this row was not asked of B
  PairKind kind() const;               // without B: Both when A is right, Neither when it is wrong
};
struct EvaluationPairs {
  std::vector<SamplePair> rows;  // of A, in its order; rows with a problem are left out
  int counts[5] = {};            // by PairKind
};
/// Rows are matched by file and row. `b` may be null. The samples stay where they are: `a` and `b` must outlive the pairs.
EvaluationPairs pairsOf(const Evaluation& a, const Evaluation* b);
/// Right when at least half of a row's answers are.
bool isRight(const EvaluatedSample& sample);
/// Two-sided exact p of McNemar's test: `gained` and `lost` are the rows where only one of them is right.
double mcNemar(int gained, int lost);
/// Mean of A's accuracy minus B's over the pairs, as shares, with its 95 % interval (normal, over rows). Pairs must have a B.
Interval pairedDifference(const EvaluationPairs& pairs);

/// What keeps A and B from being the same experiment but for the model: data, decoding, privilege; both values, "" where not recorded.
struct DifferentCondition {
  const char* what = "";  // «other data», «decoding», «what is read beside the question»
  std::string a, b;
};
std::vector<DifferentCondition> conditionsThatDiffer(const Evaluation& a, const Evaluation& b);

}  // namespace cuescope
