#include "engine/core/foreign_run.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/core/event_file.h"
#include "engine/core/run_directory.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

constexpr int kDeepest = 3;
constexpr std::size_t kMostFiles = 200;

bool isEventFile(const fs::path& path) { return path.filename().string().find("tfevents") != std::string::npos; }

}  // namespace

ForeignRun findForeignRun(const std::string& path) {
  ForeignRun run;
  std::error_code error;
  const fs::path at = fs::path(path).lexically_normal();
  if (fs::is_regular_file(at, error)) {
    run.folder = at.parent_path().string();
    if (isEventFile(at)) {
      run.eventFiles.push_back(at.string());
      run.name = at.parent_path().filename().string();
    } else if (at.extension() == ".jsonl" && isRolloutFile(at.string())) {
      const int step = rolloutStepOf(at.string());
      run.rollouts.push_back({at.string(), step});
      run.name = step >= 0 ? at.parent_path().filename().string() : at.stem().string();
    }
    return run;
  }
  if (!fs::is_directory(at, error) || RunReader::isRunDirectory(at.string())) return run;
  run.folder = at.string();
  run.name = at.has_filename() ? at.filename().string() : at.parent_path().filename().string();
  run.rollouts = rolloutFiles(at.string());
  if (!run.rollouts.empty() && !isRolloutFile(run.rollouts.front().path)) run.rollouts.clear();
  for (fs::recursive_directory_iterator it(at, fs::directory_options::skip_permission_denied, error), end; !error && it != end;
       it.increment(error)) {
    if (it.depth() >= kDeepest) it.disable_recursion_pending();
    std::error_code ignored;
    if (it->is_regular_file(ignored) && isEventFile(it->path()) && run.eventFiles.size() < kMostFiles) run.eventFiles.push_back(it->path().string());
  }
  std::sort(run.eventFiles.begin(), run.eventFiles.end());
  return run;
}

std::vector<StepPtr> readForeignSteps(const ForeignRun& run) {
  std::map<std::int64_t, std::shared_ptr<StepSnapshot>> steps;
  std::map<std::int64_t, double> walls;
  std::map<std::pair<std::int64_t, std::string>, double> written;  // wall time of the value that is kept
  double start = 0;
  bool any = false;
  for (const std::string& file : run.eventFiles) {
    const EventFileContents contents = readEventFile(file);
    if (contents.restart && *contents.restart > 0) {  // a run that went back; 0 is any program's plain start
      const std::int64_t from = *contents.restart;
      steps.erase(steps.lower_bound(from), steps.end());
      walls.erase(walls.lower_bound(from), walls.end());
      written.erase(written.lower_bound({from, std::string()}), written.end());
    }
    for (const auto& [tag, values] : contents.scalars) {
      for (const EventScalar& value : values) {
        if (value.step < 0 || value.step > INT32_MAX) continue;
        auto& step = steps[value.step];
        if (!step) {
          step = std::make_shared<StepSnapshot>();
          step->run = run.name;
          step->step = static_cast<int>(value.step);
        }
        auto [kept, isNew] = written.try_emplace({value.step, tag}, value.wallSeconds);
        if (!isNew && value.wallSeconds < kept->second) continue;
        kept->second = value.wallSeconds;
        step->metrics[tag] = static_cast<double>(value.value);
        auto [wall, firstWall] = walls.try_emplace(value.step, value.wallSeconds);
        if (!firstWall) wall->second = std::max(wall->second, value.wallSeconds);
        start = any ? std::min(start, value.wallSeconds) : value.wallSeconds;
        any = true;
      }
    }
  }
  std::vector<StepPtr> list;
  for (auto& [number, step] : steps) {
    step->secondsSinceStart = walls[number] - start;
    list.push_back(std::move(step));
  }
  return list;
}

}  // namespace cuescope
