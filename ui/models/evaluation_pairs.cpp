#include "ui/models/evaluation_pairs.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>
#include <map>

#include "widgets/theme.h"

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
    ++pairs.counts[int(PairKind::All)];
    ++pairs.counts[int(pair.kind())];
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

QString mcNemarSentence(const EvaluationPairs& pairs) {
  const int gained = pairs.counts[int(PairKind::OnlyA)], lost = pairs.counts[int(PairKind::OnlyB)];
  const double p = mcNemar(gained, lost);
  const QString words = p >= 0.05 ? QCoreApplication::translate("EvaluatePage", "Not a clear difference.")
                        : gained > lost ? QCoreApplication::translate("EvaluatePage", "A is right more often.")
                                        : QCoreApplication::translate("EvaluatePage", "B is right more often.");
  return QCoreApplication::translate("EvaluatePage", "McNemar, exact: %1 against %2, p = %3. %4").arg(gained).arg(lost).arg(p < 0.001 ? QStringLiteral("< 0.001") : number(p, 3), words).replace(QStringLiteral("= <"), QStringLiteral("<"));
}

QByteArray pairsCsv(const EvaluationPairs& pairs, bool second) {
  const auto quoted = [](const std::string& text) { return '"' + QByteArray::fromStdString(text).replace("\"", "\"\"") + '"'; };
  QByteArray out = second ? "file,row,id,kind,question,reference,a_right,a_answer,b_right,b_answer\n" : "file,row,id,kind,question,reference,a_right,a_answer\n";
  for (const SamplePair& pair : pairs.rows) {
    const EvaluatedSample& s = *pair.a;
    out += quoted(s.file) + ',' + QByteArray::number(qint64(s.fileRow)) + ',' + quoted(s.id) + ',' + quoted(s.kind) + ',' + quoted(s.question) + ',' + quoted(s.groundTruth) + ',' + (isRight(s) ? "1," : "0,") + quoted(s.answers.front().text);
    if (second) out += pair.b ? QByteArray(isRight(*pair.b) ? ",1," : ",0,") + quoted(pair.b->answers.front().text) : QByteArray(",,");
    out += '\n';
  }
  return out;
}

}  // namespace cuescope
