// The findings of engine/core/data_lint.h in the window's types and language. Pure functions on values; any thread.
#pragma once

#include <QString>
#include <vector>

#include "engine/core/data_lint.h"

namespace cuescope {

QString checkTitle(Check check);

struct Finding {
  Check check = Check::Cue;
  Verdict verdict = Verdict::Fine;  // check, caution triangle, danger cross
  QString words, detail;
  bool open = false;  // not known yet: neither fine nor wrong
};
struct Complaint {
  qint64 row = -1;
  QString id;
  Finding finding;
};
Complaint complaintOf(const RowComplaint& complaint);

/// findingsOf() of a row whose pictures have these sizes; `others`: of those behind the first.
std::vector<Finding> lintRow(const DataRow& row, const CueEdit& cue, int pictureWidth, int pictureHeight, const RowVerdict* tokens = nullptr, const std::vector<std::pair<int, int>>& others = {});
/// Stands for Length while the engine counts, so that nothing moves when it answers; `why`: it cannot be counted.
Finding lengthNotKnown(const QString& why = {});
/// The worst finding, or null when all is fine.
const Finding* worst(const std::vector<Finding>& findings);

QString bareAnswer(const std::string& answer);

}  // namespace cuescope
