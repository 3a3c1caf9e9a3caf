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
  edit.origin = cueOriginOf(row.provenance);
  for (const PixelBox& box : row.evidence)
    edit.marks.push_back({"box", box.x, box.y, box.width, box.height, box.label, "data", box.image});
  edit.originalMarks = edit.marks;
  return edit;
}

namespace {

QString grouped(std::int64_t value) {
  QString digits = QString::number(value);
  for (qsizetype at = digits.size() - 3; at > 0; at -= 3) digits.insert(at, u',');
  return digits;
}

Finding lengthFinding(const RowVerdict& t) {
  QStringList parts{tr("student %1 of %2").arg(grouped(t.student), grouped(t.studentLimit))};
  if (t.teacher >= 0) parts << tr("teacher %1 of %2").arg(grouped(t.teacher), grouped(t.teacherLimit));
  if (t.answer >= 0) parts << tr("answer %1 of %2").arg(grouped(t.answer), grouped(t.answerLimit));
  else parts << tr("room for %1 of response").arg(grouped(t.answerLimit));
  const QString detail = parts.join(QStringLiteral(", ")) + tr(" tokens");
  if (t.student > t.studentLimit) return {Check::Length, Verdict::Wrong, tr("prompt too long"), detail};
  if (t.teacher > t.teacherLimit) return {Check::Length, Verdict::Wrong, tr("teacher prompt too long"), detail};
  if (t.answer > t.answerLimit) return {Check::Length, Verdict::Look, tr("answer is cut"), detail};
  return {Check::Length, Verdict::Fine, tr("within the limits"), detail};
}

Finding placesFinding(qsizetype marks, int pictures, const RowVerdict* t) {
  QString detail = tr("%1, %2").arg(marks == 1 ? tr("1 mark") : tr("%1 marks").arg(marks), pictures == 1 ? tr("1 picture") : tr("%1 pictures").arg(pictures));
  bool right = marks == pictures;
  if (t && t->student >= 0) {
    QStringList grids;
    for (const auto& grid : t->grids) grids << (grid[0] > 1 ? tr("%1 × %2 × %3").arg(grid[0]).arg(grid[1]).arg(grid[2]) : tr("%1 × %2").arg(grid[1]).arg(grid[2]));
    if (grids.size() > 3) grids = QStringList(grids.mid(0, 3)) << tr("…");
    const bool teacher = t->teacher >= 0 && t->places[1] != t->places[0];
    right = right && t->places[0] == t->visual[0] && (t->teacher < 0 || t->places[1] == t->visual[1]);
    if (!grids.isEmpty()) detail += tr("; %1 places for %2 visual tokens (%3 patches)").arg(teacher ? tr("%1 and %2").arg(t->places[0]).arg(t->places[1]) : QString::number(t->places[0])).arg(t->visual[0]).arg(grids.join(QStringLiteral(", ")));
  }
  return {Check::Placeholders, right ? Verdict::Fine : Verdict::Wrong, right ? tr("match") : tr("placeholders"), detail};
}

}  // namespace

Finding lengthNotKnown(const QString& why) {
  return {Check::Length, Verdict::Fine, why.isEmpty() ? tr("counting") : tr("not computed"), why.isEmpty() ? tr("the engine reads the row as a run would") : why, true};
}

std::vector<Finding> lintRow(const DataRow& row, const CueEdit& cue, int width, int height, const RowVerdict* tokens, const std::vector<std::pair<int, int>>& others) {
  std::vector<Finding> list;
  const auto put = [&](Check check, Verdict verdict, const QString& words, const QString& detail) { list.push_back({check, verdict, words, detail}); };
  if (!row.problem.empty()) {
    put(Check::Readable, Verdict::Wrong, tr("cannot be read"), QString::fromStdString(row.problem));
    return list;
  }
  if (tokens && tokens->category == "unreadable") put(Check::Readable, Verdict::Wrong, tr("a run leaves it out"), QString::fromStdString(tokens->reason));
  if (tokens && tokens->student >= 0) list.push_back(lengthFinding(*tokens));
  list.push_back(placesFinding(QString::fromStdString(row.prompt).count(QStringLiteral("<image>")), row.pictures, tokens));
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
  for (const CueMark& mark : cue.marks) {
    std::pair<int, int> size{width, height};
    if (mark.image > 0) size = std::size_t(mark.image) <= others.size() ? others[std::size_t(mark.image) - 1] : std::pair{0, 0};
    const bool beyond = size.first > 0 && (mark.x + mark.width > float(size.first) + 0.5f || mark.y + mark.height > float(size.second) + 0.5f);
    if (mark.x < 0 || mark.y < 0 || mark.width <= 0 || mark.height <= 0 || beyond || mark.image >= std::max(1, row.pictures)) ++outside;
  }
  put(Check::Boxes, outside ? Verdict::Wrong : Verdict::Fine, outside ? tr("box outside") : tr("inside"),
      outside ? tr("%1 of %2 marks leave the picture").arg(outside).arg(cue.marks.size()) : cue.marks.empty() ? tr("no marks") : cue.marks.size() == 1 ? tr("1 mark inside the picture") : tr("%1 marks inside the picture").arg(cue.marks.size()));
  return list;
}

const Finding* worst(const std::vector<Finding>& findings) {
  const Finding* found = nullptr;
  for (const Finding& finding : findings)
    if (finding.verdict != Verdict::Fine && (!found || finding.verdict > found->verdict)) found = &finding;
  return found;
}

}  // namespace cuescope
