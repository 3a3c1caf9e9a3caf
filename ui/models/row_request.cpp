#include "ui/models/row_request.h"

#include <QFileInfo>

#include "ui/session.h"

namespace cuescope {

InspectRequest requestOf(const DataRow& row) {
  InspectRequest request;
  request.imageBytes = row.image;
  request.imageLabel = request.sampleId = row.id;
  request.question = row.layout == "question-first" ? row.question + "<image>" : row.question;
  request.cue = row.cue;
  request.evidence = row.evidence;
  return request;
}

std::string teacherFolderOf(const RunRecord& run) {
  try {
    std::vector<ConfigIssue> issues;
    const std::string teacher = resolvePath(readConfig(run.status.directory + "/config.yaml", &issues).teacher.path);
    return QFileInfo(QString::fromStdString(teacher)).isDir() ? teacher : std::string();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace cuescope
