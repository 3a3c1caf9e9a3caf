#include "engine/door_captures.h"

#include <cstdio>
#include <filesystem>

#include "engine/core/capture.h"
#include "engine/core/failure.h"
#include "engine/data/data_rows.h"
#include "engine/distill/run.h"
#include "engine/inspect/inspector.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

InspectRequest requestFor(const Run& run, const DataRow& row, int index) {
  InspectRequest request;
  request.student = kRunStudent;
  if (run.teacher()) request.teacher = kRunTeacher;
  request.imageBytes = row.image;
  request.images = row.videos;
  request.imageLabel = row.id.empty() ? "row " + std::to_string(index) : row.id;
  request.question = row.question.empty() ? row.prompt : row.question;
  request.cue = row.cue;
  request.sampleId = row.id;
  request.sampling.maxNew = run.config().data.maxResponseLength;
  // Boxes lie in the stored picture; a request has them in processed pixels.
  const LookedAt seen = lookAt(*run.studentProcessor(), request, {});
  if (!seen.views.empty() && seen.views[0].originalWidth > 0 && seen.views[0].originalHeight > 0) {
    const ImageView& view = seen.views[0];
    const float x = static_cast<float>(view.width) / static_cast<float>(view.originalWidth),
                y = static_cast<float>(view.height) / static_cast<float>(view.originalHeight);
    for (PixelBox box : row.evidence) {
      if (box.image != 0) continue;
      request.evidence.push_back({0, box.x * x, box.y * y, box.width * x, box.height * y, box.label});
    }
  }
  return request;
}

}  // namespace

void captureProbes(const Run& run, const EventSink& sink, std::stop_token stop) {
  const RunConfig& config = run.config();
  if (config.data.valFiles.empty()) return;
  const int step = run.status().step;
  std::vector<int> indexes = config.data.probeRows;
  if (indexes.empty()) indexes = {0, 1};
  char name[32];
  std::snprintf(name, sizeof name, "step-%06d", step);
  const fs::path folder = fs::path(run.directory()) / "captures" / name;
  for (const int index : indexes) {
    try {
      const DataRows rows = readRows(resolvePath(config.data.valFiles.front()), index, 1, config.data.cueEdits);
      if (rows.rows.empty()) throw Error("There is no such row", "data.probe_rows", std::to_string(index));
      if (!rows.rows[0].problem.empty()) throw Error("The row cannot be read", rows.file, rows.rows[0].problem);
      if (rows.rows[0].pictures + rows.rows[0].videos.size() > 1) throw Error("The row has several pictures", rows.file, "captures of a run hold one");
      InspectModels models;
      models.student = run.student().get();
      models.studentProcessor = run.studentProcessor().get();
      if (const auto teacher = run.teacher()) {
        models.teacher = teacher.get();
        models.teacherProcessor = run.teacherProcessor().get();
      }
      models.step = step;
      const InspectRequest request = requestFor(run, rows.rows[0], index);
      const InspectionPtr inspection = inspect(models, request, {}, stop);
      fs::create_directories(folder);
      writeCapture((folder / ("row-" + std::to_string(index) + ".capture")).string(), *inspection, captureInfo(*inspection, request));
    } catch (const Cancelled&) {
      throw;
    } catch (const std::exception& problem) {
      if (sink) sink(LogLine{"No capture of row " + std::to_string(index) + " at step " + std::to_string(step) + ": " + problem.what()});
    }
  }
}

}  // namespace cuescope
