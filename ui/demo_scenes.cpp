#include "ui/demo_scenes.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include "ui/workspace.h"

namespace cuescope {

InspectRequest SceneExample::request(const Workspace& workspace) const {
  InspectRequest request;
  request.student = workspace.demoModel(QStringLiteral("weak")).toStdString();
  request.teacher = workspace.demoModel(QStringLiteral("teacher")).toStdString();
  request.images = {picture.toStdString()};
  request.imageLabel = QFileInfo(picture).fileName().toStdString();
  request.question = (questionFirst ? question + QStringLiteral("<image>") : question).toStdString();
  request.cue = cue.toStdString();
  request.evidence = evidence;
  request.sampleId = id.toStdString();
  return request;
}

std::vector<SceneExample> readSceneExamples(const QString& jsonl) {
  std::vector<SceneExample> scenes;
  QFile file(jsonl);
  if (!file.open(QIODevice::ReadOnly)) return scenes;
  const QDir folder = QFileInfo(jsonl).absoluteDir();
  while (!file.atEnd()) {
    const QJsonObject row = QJsonDocument::fromJson(file.readLine()).object();
    const QJsonObject extra = row.value("extra_info").toObject();
    SceneExample scene;
    scene.id = row.value("id").toString(extra.value("id").toString());
    scene.question = extra.value("question").toString(row.value("question").toString());
    scene.answer = row.value("reward_model").toObject().value("ground_truth").toString();
    scene.cue = row.value("cue").toString();
    scene.kind = row.value("kind").toString();
    scene.questionFirst = row.value("layout").toString() == u"question-first";
    const QString picture = row.value("images").toArray().first().toObject().value("path").toString();
    if (scene.question.isEmpty() || picture.isEmpty()) continue;
    scene.picture = folder.absoluteFilePath(picture);
    for (const QJsonValue& value : row.value("evidence").toArray()) {
      const QJsonObject box = value.toObject();
      scene.evidence.push_back({box.value("image").toInt(0), float(box.value("x").toDouble()), float(box.value("y").toDouble()),
                                float(box.value("w").toDouble(box.value("width").toDouble())), float(box.value("h").toDouble(box.value("height").toDouble())),
                                box.value("label").toString().toStdString()});
    }
    scenes.push_back(scene);
  }
  return scenes;
}

}  // namespace cuescope
