#include "ui/models/evaluation_pairs.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace cuescope {

QString mcNemarSentence(const EvaluationPairs& pairs) {
  const int gained = pairs.counts[int(PairKind::OnlyA)], lost = pairs.counts[int(PairKind::OnlyB)];
  const double p = mcNemar(gained, lost);
  const QString words = p >= 0.05 ? QCoreApplication::translate("EvaluatePage", "Not a clear difference.")
                        : gained > lost ? QCoreApplication::translate("EvaluatePage", "A is right more often.")
                                        : QCoreApplication::translate("EvaluatePage", "B is right more often.");
  return QCoreApplication::translate("EvaluatePage", "McNemar, exact: %1 against %2, p = %3. %4").arg(gained).arg(lost).arg(p < 0.001 ? QStringLiteral("< 0.001") : number(p, 3), words).replace(QStringLiteral("= <"), QStringLiteral("<"));
}

QString verdictOf(const EvaluatedSample& sample) {
  if (sample.answers.size() == 1) return isRight(sample) ? QCoreApplication::translate("EvaluatePage", "right") : QCoreApplication::translate("EvaluatePage", "wrong");
  const auto right = std::count_if(sample.answers.begin(), sample.answers.end(), [](const EvaluatedAnswer& a) { return a.accuracy > 0.5; });
  return QCoreApplication::translate("EvaluatePage", "%1 of %2 right").arg(right).arg(sample.answers.size());
}

QString answersText(const EvaluatedSample& sample) {
  if (sample.answers.size() == 1) return QString::fromStdString(sample.answers.front().text);
  QStringList texts;
  for (const EvaluatedAnswer& answer : sample.answers)
    texts << (answer.accuracy > 0.5 ? QCoreApplication::translate("EvaluatePage", "%1, right: %2") : QCoreApplication::translate("EvaluatePage", "%1, wrong: %2")).arg(texts.size() + 1).arg(QString::fromStdString(answer.text));
  return texts.join(u'\n');
}

QString conditionsDiffer(const Evaluation& a, const Evaluation& b) {
  QStringList what;
  const auto words = [](const std::string& text) { return text.empty() ? QCoreApplication::translate("EvaluatePage", "not recorded") : QString::fromStdString(text); };
  for (const DifferentCondition& each : conditionsThatDiffer(a, b))
    what << QCoreApplication::translate("EvaluatePage", "%1 (%2 and %3)").arg(QCoreApplication::translate("EvaluatePage", each.what), words(each.a), words(each.b));
  return what.isEmpty() ? QString() : QCoreApplication::translate("EvaluatePage", "A and B differ in more than the model: %1.").arg(what.join(QStringLiteral("; ")));
}

QString aloneSentence(const Evaluation& a, const EvaluationPairs& pairs) {
  if (a.samples.empty()) return QCoreApplication::translate("EvaluatePage", "This file holds scores alone; its samples were not kept.");
  const QString decoding = a.decoding.empty() ? QCoreApplication::translate("EvaluatePage", "decoding not recorded") : QString::fromStdString(a.decoding);
  QString words = QCoreApplication::translate("EvaluatePage", "%1 of %2 right, %3").arg(pairs.counts[int(PairKind::Both)]).arg(pairs.counts[int(PairKind::All)]).arg(decoding);
  if (a.skipped > 0) words += QCoreApplication::translate("EvaluatePage", "; %1 rows could not be asked").arg(a.skipped);
  if (a.answersPerRow > 1) words += QCoreApplication::translate("EvaluatePage", "; %1 answers a row, right when half of them are").arg(a.answersPerRow);
  if (a.privilege != "none" && !a.privilege.empty()) words += QCoreApplication::translate("EvaluatePage", "; the prompt holds the %1").arg(QString::fromStdString(a.privilege));
  return words;
}

QString comparisonSentence(const Evaluation& a, const Evaluation& b, const EvaluationPairs& pairs) {
  if (pairs.rows.empty()) return QCoreApplication::translate("EvaluatePage", "A and B have no sample in common: only totals stand beside each other.");
  const Interval d = pairedDifference(pairs);
  const auto points = [](double share) { return (share > 0 ? QStringLiteral("+") : QString()) + number(100 * share, 1); };
  QString words = mcNemarSentence(pairs);
  if (std::isfinite(d.low)) words += QCoreApplication::translate("EvaluatePage", " A − B: %1 points (%2 to %3) on %4 rows.").arg(points(d.value), points(d.low), points(d.high)).arg(d.n);
  const QString differ = conditionsDiffer(a, b);
  return differ.isEmpty() ? words : differ + QLatin1Char(' ') + words;
}

QByteArray pairsCsv(const EvaluationPairs& pairs, bool second) {
  const auto quoted = [](const std::string& text) { return '"' + QByteArray::fromStdString(text).replace("\"", "\"\"") + '"'; };
  QByteArray out = second ? "file,row,id,kind,question,reference,a_right,a_answer,b_right,b_answer\n" : "file,row,id,kind,question,reference,a_right,a_answer\n";
  for (const SamplePair& pair : pairs.rows) {
    const EvaluatedSample& s = *pair.a;
    out += quoted(s.file) + ',' + QByteArray::number(qint64(s.fileRow)) + ',' + quoted(s.id) + ',' + quoted(s.kind) + ',' + quoted(s.question) + ',' + quoted(s.groundTruth) + ',' + (isRight(s) ? "1," : "0,") + quoted(answersText(s).toStdString());
    if (second) out += pair.b ? QByteArray(isRight(*pair.b) ? ",1," : ",0,") + quoted(answersText(*pair.b).toStdString()) : QByteArray(",,");
    out += '\n';
  }
  return out;
}

}  // namespace cuescope
