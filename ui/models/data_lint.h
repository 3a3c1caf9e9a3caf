// Lint of data: what is wrong with a row that a run would not tell before it is too late: an empty cue, the answer in the cue, words
// of a plan instead of something visible, a box outside the picture, marks and pictures that do not match, prompts over the
// limit. Pure functions on values; any thread.
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

#include "engine/core/cue_edits.h"
#include "engine/core/snapshots.h"

namespace cuescope {

enum class Check { Readable, Placeholders, Cue, Leak, Theorem, Boxes, Length };
inline constexpr int kChecks = 7;
QString checkTitle(Check check);

enum class Verdict { Fine, Look, Wrong };  // check, caution triangle, danger cross
struct Finding {
  Check check = Check::Cue;
  Verdict verdict = Verdict::Fine;
  QString words;  // «answer in cue»
  QString detail;
};
struct Complaint {
  qint64 row = -1;
  QString id;
  Finding finding;
};

/// Every check of a row, in their order; Length only when `studentTokens` is known (else it is left out). `limit`: of a prompt.
std::vector<Finding> lintRow(const DataRow& row, const CueEdit& cue, int pictureWidth, int pictureHeight, int studentTokens = -1, int teacherTokens = -1, int limit = 0);
/// The worst finding, or null when all is fine.
const Finding* worst(const std::vector<Finding>& findings);

/// What the answer says without \boxed{} and words around it.
QString bareAnswer(const std::string& answer);
/// The answer's words stand in the cue as words of their own. Single letters and digits count only when they are the whole answer.
bool answerLeaks(const QString& answer, const QString& cue);
/// The first word of a theorem, plan or calculation in the cue; empty when there is none.
QString theoremWord(const QString& cue);
int theoremWords();

/// The row's own cue and evidence as an edit without changes.
CueEdit cueOf(const DataRow& row);

}  // namespace cuescope
