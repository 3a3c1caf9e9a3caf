#include "engine/core/evaluation_pairs.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace cuescope {

bool isRight(const EvaluatedSample& sample) { return sample.accuracy() >= 0.5; }

PairKind SamplePair::kind() const {
  const bool right = isRight(*a);
  if (!b) return right ? PairKind::Both : PairKind::Neither;
  const bool other = isRight(*b);
  return right == other ? (right ? PairKind::Both : PairKind::Neither) : right ? PairKind::OnlyA : PairKind::OnlyB;
}

EvaluationPairs pairsOf(const Evaluation& a, const Evaluation* b) {
  std::map<std::pair<std::string, std::int64_t>, const EvaluatedSample*> other;
  if (b)
    for (const EvaluatedSample& sample : b->samples)
      if (sample.problem.empty()) other[{sample.file, sample.fileRow}] = &sample;
  EvaluationPairs pairs;
  for (const EvaluatedSample& sample : a.samples) {
    if (!sample.problem.empty() || sample.answers.empty()) continue;
    SamplePair pair{&sample, nullptr};
    if (b) {
      const auto found = other.find({sample.file, sample.fileRow});
      if (found == other.end() || found->second->answers.empty()) continue;  // compared on the same rows alone
      pair.b = found->second;
    }
    ++pairs.counts[static_cast<int>(PairKind::All)];
    ++pairs.counts[static_cast<int>(pair.kind())];
    pairs.rows.push_back(pair);
  }
  return pairs;
}

double mcNemar(int gained, int lost) {
  const int n = gained + lost, k = std::min(gained, lost);
  if (n == 0) return 1;
  double sum = 0;
  for (int i = 0; i <= k; ++i) sum += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) - n * std::log(2.0));
  return std::min(1.0, 2 * sum);
}

Interval pairedDifference(const EvaluationPairs& pairs) {
  const auto n = static_cast<double>(pairs.rows.size());
  if (n < 1) return {kNotComputed, kNotComputed, kNotComputed, 0};
  double sum = 0, square = 0;
  for (const SamplePair& pair : pairs.rows) {
    const double d = pair.a->accuracy() - pair.b->accuracy();
    sum += d, square += d * d;
  }
  const double mean = sum / n;
  if (n < 2) return {mean, kNotComputed, kNotComputed, 1};
  constexpr double z = 1.959963984540054;
  const double half = z * std::sqrt(std::max(0.0, (square - n * mean * mean) / (n - 1) / n));
  return {mean, mean - half, mean + half, static_cast<std::int64_t>(pairs.rows.size())};
}

std::vector<DifferentCondition> conditionsThatDiffer(const Evaluation& a, const Evaluation& b) {
  std::vector<DifferentCondition> list;
  if (!a.dataDigest.empty() && !b.dataDigest.empty() && a.dataDigest != b.dataDigest) list.push_back({"other data", a.dataName, b.dataName});
  if (a.decoding != b.decoding) list.push_back({"decoding", a.decoding, b.decoding});
  if (a.privilege != b.privilege) list.push_back({"what is read beside the question", a.privilege, b.privilege});
  return list;
}

}  // namespace cuescope
