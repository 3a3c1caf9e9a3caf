#include "ui/models/row_request.h"

#include <QFileInfo>

#include "ui/session.h"

namespace cuescope {

InspectRequest requestOf(const DataRow& row) {
  InspectRequest request;
  request.imageBytes = row.image;
  request.imageLabel = request.sampleId = row.id;
  for (std::size_t i = 0; i < row.moreImages.size(); ++i) request.moreImages.push_back({row.moreImages[i], row.id + " picture " + std::to_string(i + 2)});
  request.question = row.layout == "question-first" ? row.question + "<image>" : row.question;
  // Of several pictures the prompt says which stands where.
  if (row.pictures > 1 && QString::fromStdString(row.prompt).count(QStringLiteral("<image>")) == row.pictures) request.question = row.prompt;
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
