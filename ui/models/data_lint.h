// Lint of data: what is wrong with a row that a run would not tell before it is too late: an empty cue, the answer in the cue, words
// of a plan instead of something visible, a box outside the picture, marks and pictures that do not match, prompts and answers over
// the limit, picture places that are not the grid's. Tokens come from the engine (RowVerdict), where `cuescope-cli data check` has
// them from too. Pure functions on values; any thread.
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

#include "engine/core/cue_edits.h"
#include "engine/core/evaluation.h"
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
  bool open = false;  // not known yet: neither fine nor wrong
};
struct Complaint {
  qint64 row = -1;
  QString id;
  Finding finding;
};

/// Every check of a row, in their order. `tokens`: what a run would make of it; without it Length is left out and only marks are
/// counted against pictures. `others`: width and height of the pictures behind the first; 0, or none: not known.
std::vector<Finding> lintRow(const DataRow& row, const CueEdit& cue, int pictureWidth, int pictureHeight, const RowVerdict* tokens = nullptr, const std::vector<std::pair<int, int>>& others = {});
/// Stands for Length while the engine counts, so that nothing moves when it answers; `why`: it cannot be counted.
Finding lengthNotKnown(const QString& why = {});
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
