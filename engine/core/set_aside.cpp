#include "engine/core/set_aside.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "engine/core/failure.h"
#include "engine/core/run_directory.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

/// The step in «12.jsonl», «step-000012» and «held-out-step-12.json».
std::optional<int> stepIn(std::string name) {
  name = name.substr(0, name.find('.'));
  if (const auto dash = name.rfind("step-"); dash != std::string::npos) name = name.substr(dash + 5);
  int step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (name.empty() || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return step;
}

}  // namespace

std::string setLaterStepsAside(const std::string& directory, int step, bool metricsCount) try {
  int last = step;
  bool checkpoints = false;
  for (const auto& info : RunReader(directory).checkpoints()) {
    checkpoints = checkpoints || info.step > step;
    last = std::max(last, info.step);
  }
  for (const StepPtr& line : RunReader(directory).newSteps()) last = std::max(last, line->step);
  if (!checkpoints && !(metricsCount && last > step)) return {};

  const fs::path run = directory, wanted = run / "set-aside" / ("steps-" + std::to_string(step + 1) + "-to-" + std::to_string(last));
  fs::path aside = wanted;
  for (int number = 2; fs::exists(aside); ++number) aside = wanted.string() + "-" + std::to_string(number);
  fs::create_directories(aside);
  for (const char* name : {"config.yaml", "provenance.json", "status.json", "metrics.jsonl"})
    if (fs::exists(run / name)) fs::copy_file(run / name, aside / name);
  // The newest last: whoever is interrupted here and goes on from the newest checkpoint goes on from where the run really was.
  for (const char* folder : {"rollouts", "probes", "captures", "evaluations", "checkpoints"}) {
    std::vector<std::pair<int, fs::path>> later;
    std::error_code none;
    for (fs::directory_iterator it(run / folder, none), end; !none && it != end; it.increment(none)) {
      const auto of = stepIn(it->path().filename().string());
      if (of && *of > step && !it->path().string().ends_with(".unfinished")) later.emplace_back(*of, it->path());
    }
    if (later.empty()) continue;
    std::sort(later.begin(), later.end());
    fs::create_directories(aside / folder);
    for (const auto& [of, path] : later) fs::rename(path, aside / folder / path.filename());
  }
  return aside.string();
} catch (const fs::filesystem_error& error) {
  throw Error("The later steps of the run could not be put aside", error.path1().string(), error.code().message(),
              "Nothing is lost. Make room or correct the folder's rights, then go back again.");
}

}  // namespace cuescope
