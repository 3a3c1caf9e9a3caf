// Demo scenes: the drawn scenes with question, cue and evidence that the resources bring along (demo/data/examples.jsonl beside
// its pictures). Read without the engine, so that the Start page shows them at once. UI thread.
#pragma once

#include <QString>
#include <vector>

#include "engine/engine.h"

namespace cuescope {

class Workspace;

struct SceneExample {
  QString id, question, answer, cue, kind;
  bool questionFirst = false;
  QString picture;  // file
  std::vector<PixelBox> evidence;

  /// The request that asks the demo's weak student, with the demo's teacher.
  InspectRequest request(const Workspace& workspace) const;
};

/// Scenes of the file; lines that are no scene are left out.
std::vector<SceneExample> readSceneExamples(const QString& jsonl);

}  // namespace cuescope
