#include "ui/models/data_lint.h"

#include <QCoreApplication>

namespace cuescope {
namespace {

QString tr(const char* words) { return QCoreApplication::translate("DataLint", words); }

Finding findingOf(const RowFinding& finding) { return {finding.check, finding.verdict, tr(finding.words.c_str()), tr(finding.detail.c_str())}; }

}  // namespace

QString checkTitle(Check check) { return tr(checkName(check)); }

QString bareAnswer(const std::string& answer) { return QString::fromStdString(bareAnswerOf(answer)); }

Complaint complaintOf(const RowComplaint& complaint) { return {complaint.row, QString::fromStdString(complaint.id), findingOf(complaint.finding)}; }

Finding lengthNotKnown(const QString& why) {
  return {Check::Length, Verdict::Fine, why.isEmpty() ? tr("counting") : tr("not computed"), why.isEmpty() ? tr("the engine reads the row as a run would") : why, true};
}

std::vector<Finding> lintRow(const DataRow& row, const CueEdit& cue, int width, int height, const RowVerdict* tokens, const std::vector<std::pair<int, int>>& others) {
  std::vector<std::pair<int, int>> sizes{{width, height}};
  sizes.insert(sizes.end(), others.begin(), others.end());
  std::vector<Finding> list;
  for (const RowFinding& finding : findingsOf(row, cue, sizes, tokens)) list.push_back(findingOf(finding));
  return list;
}

const Finding* worst(const std::vector<Finding>& findings) {
  const Finding* found = nullptr;
  for (const Finding& finding : findings)
    if (finding.verdict != Verdict::Fine && (!found || finding.verdict > found->verdict)) found = &finding;
  return found;
}

}  // namespace cuescope
