#include "ui/models/data_lint.h"

#include <QCoreApplication>
#include <QRegularExpression>

#include "engine/core/rollout_index.h"

namespace cuescope {
namespace {

QString tr(const char* words) { return QCoreApplication::translate("DataLint", words); }

const QStringList& words() {
  static const QStringList kWords = {
      "theorem", "pythagoras", "pythagorean", "lemma", "corollary", "axiom", "postulate", "identity", "formula", "equation", "quadratic", "polynomial",
      "derivative", "integral", "logarithm", "sine", "cosine", "tangent ratio", "law of sines", "law of cosines", "similar triangles", "congruent",
      "congruence", "proportion", "ratio of", "power of a point", "intersecting chords", "inscribed angle", "central angle theorem", "thales",
      "ptolemy", "menelaus", "ceva", "heron", "euler", "vieta", "calculate", "compute", "solve", "substitute", "simplify", "multiply", "divide by",
      "square root", "cross-multiply", "therefore", "thus", "hence", "because of", "it follows", "we get", "we obtain", "using the", "apply the",
      "by definition", "first step", "next step", "then add", "subtract", "sum up", "the answer", "answer is", "result is", "equals to", "plan:"};
  return kWords;
}

bool holdsWord(const QString& text, const QString& word) {
  const QRegularExpression whole(QStringLiteral("(?<![\\p{L}\\p{N}.])%1(?![\\p{L}\\p{N}]|\\.\\d)").arg(QRegularExpression::escape(word)), QRegularExpression::CaseInsensitiveOption | QRegularExpression::UseUnicodePropertiesOption);
  return whole.match(text).hasMatch();
}

}  // namespace

QString checkTitle(Check check) {
  switch (check) {
    case Check::Readable: return tr("Readable");
    case Check::Placeholders: return tr("Placeholders");
    case Check::Cue: return tr("Cue");
    case Check::Leak: return tr("Answer in cue");
    case Check::Theorem: return tr("Theorem words");
    case Check::Boxes: return tr("Boxes");
    case Check::Length: return tr("Length");
  }
  return {};
}

QString bareAnswer(const std::string& answer) {
  const std::string boxed = boxedPart(answer);
  return QString::fromStdString(boxed.empty() ? answer : boxed).simplified();
}

bool answerLeaks(const QString& answer, const QString& cue) {
  const QString bare = answer.simplified();
  return !bare.isEmpty() && bare.size() <= 80 && holdsWord(cue, bare);
}

QString theoremWord(const QString& cue) {
  // One expression for all words, made once: lists ask this of every row that they paint.
  static const QRegularExpression kAny = [] {
    QStringList escaped;
    for (const QString& word : words()) escaped << QRegularExpression::escape(word);
    QRegularExpression any(QStringLiteral("(?<![\\p{L}\\p{N}])(?:%1)(?![\\p{L}\\p{N}])").arg(escaped.join(u'|')), QRegularExpression::CaseInsensitiveOption | QRegularExpression::UseUnicodePropertiesOption);
    any.optimize();
    return any;
  }();
  return kAny.match(cue).captured(0);
}
int theoremWords() { return int(words().size()); }

CueEdit cueOf(const DataRow& row) {
  CueEdit edit;
  edit.row = row.index;
  edit.id = row.id;
  edit.cue = edit.originalCue = row.cue;
  for (const PixelBox& box : row.evidence)
    if (box.image == 0) edit.marks.push_back({"box", box.x, box.y, box.width, box.height, box.label, "data"});
  edit.originalMarks = edit.marks;
  return edit;
}

std::vector<Finding> lintRow(const DataRow& row, const CueEdit& cue, int width, int height, int studentTokens, int teacherTokens, int limit) {
  std::vector<Finding> list;
  const auto put = [&](Check check, Verdict verdict, const QString& words, const QString& detail) { list.push_back({check, verdict, words, detail}); };
  if (!row.problem.empty()) {
    put(Check::Readable, Verdict::Wrong, tr("cannot be read"), QString::fromStdString(row.problem));
    return list;
  }
  if (limit > 0 && studentTokens >= 0) {
    const bool over = studentTokens > limit || teacherTokens > limit;
    put(Check::Length, over ? Verdict::Wrong : Verdict::Fine, over ? tr("over the limit") : tr("within the limit"),
        tr("student %1, teacher %2 of %3 tokens").arg(studentTokens).arg(teacherTokens).arg(limit));
  }
  const qsizetype marks = QString::fromStdString(row.prompt).count(QStringLiteral("<image>"));
  put(Check::Placeholders, marks == row.pictures ? Verdict::Fine : Verdict::Wrong, marks == row.pictures ? tr("match") : tr("placeholders"),
      tr("%1 marks, %2 pictures").arg(marks).arg(row.pictures));
  const QString text = QString::fromStdString(cue.cue);
  put(Check::Cue, text.trimmed().isEmpty() ? Verdict::Look : Verdict::Fine, text.trimmed().isEmpty() ? tr("no cue") : tr("has a cue"),
      text.trimmed().isEmpty() ? tr("the teacher reads what the student reads") : tr("%1 characters").arg(text.size()));
  const QString answer = bareAnswer(row.answer);
  const bool leaks = answerLeaks(answer, text);
  put(Check::Leak, leaks ? Verdict::Wrong : Verdict::Fine, leaks ? tr("answer in cue") : tr("not found"), tr("«%1» %2").arg(answer.left(40), leaks ? tr("stands in the cue") : tr("is not in the cue")));
  const QString word = theoremWord(text);
  put(Check::Theorem, word.isEmpty() ? Verdict::Fine : Verdict::Look, word.isEmpty() ? tr("none") : tr("theorem word"),
      word.isEmpty() ? tr("none of %1").arg(theoremWords()) : tr("«%1»: say what is visible, not what to do with it").arg(word));
  int outside = 0;
  for (const CueMark& mark : cue.marks)
    if (mark.x < 0 || mark.y < 0 || mark.width <= 0 || mark.height <= 0 || (width > 0 && (mark.x + mark.width > float(width) + 0.5f || mark.y + mark.height > float(height) + 0.5f))) ++outside;
  put(Check::Boxes, outside ? Verdict::Wrong : Verdict::Fine, outside ? tr("box outside") : tr("inside"),
      outside ? tr("%1 of %2 marks leave the picture").arg(outside).arg(cue.marks.size()) : cue.marks.empty() ? tr("no marks") : tr("%1 marks inside the picture").arg(cue.marks.size()));
  return list;
}

const Finding* worst(const std::vector<Finding>& findings) {
  const Finding* found = nullptr;
  for (const Finding& finding : findings)
    if (finding.verdict != Verdict::Fine && (!found || finding.verdict > found->verdict)) found = &finding;
  return found;
}

}  // namespace cuescope
