// runs: the runs of a folder with their state, what is wrong with them, and their checkpoints.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/cli/command.h"
#include "engine/core/config.h"
#include "engine/core/run_directory.h"
#include "engine/core/run_health.h"

namespace cuescope::cli {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> runsIn(const std::vector<std::string>& folders) {
  std::vector<std::string> runs;
  for (const std::string& folder : folders) {
    if (RunReader::isRunDirectory(folder)) {
      runs.push_back(folder);
      continue;
    }
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (RunReader::isRunDirectory(entry.path().string())) runs.push_back(entry.path().string());
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

struct Looked {
  std::string directory;
  RunStatus status;
  std::map<std::string, double> metrics;  // of the last step
  std::vector<HealthFinding> health;
  std::vector<CheckpointInfo> checkpoints;
};

Looked lookAt(const std::string& directory) {
  Looked run{directory, {}, {}, {}, {}};
  RunReader reader(directory);
  if (const auto status = reader.status()) run.status = *status;
  std::vector<ConfigIssue> ignored;  // a run of an older version still has a state
  HealthWatch watch(parseConfig(reader.configYaml(), directory, &ignored).teacher.privilege != "none");
  for (const StepPtr& step : reader.newSteps()) {
    watch.add(*step);
    run.metrics = step->metrics;
  }
  run.health = watch.findings();
  run.checkpoints = reader.checkpoints();
  return run;
}

nlohmann::ordered_json jsonOf(const Looked& run) {
  nlohmann::ordered_json health = nlohmann::ordered_json::array(), checkpoints = nlohmann::ordered_json::array();
  for (const HealthFinding& f : run.health) health.push_back({{"step", f.step}, {"check", f.check}, {"title", f.title}, {"since", f.since}, {"detail", f.detail}});
  for (const CheckpointInfo& c : run.checkpoints) checkpoints.push_back({{"step", c.step}, {"folder", c.folder}, {"bytes", c.bytes}, {"complete", c.complete}});
  return {{"directory", run.directory}, {"run", run.status.run}, {"state", runStateName(run.status.state)}, {"step", run.status.step}, {"total_steps", run.status.totalSteps}, {"metrics", run.metrics}, {"health", health}, {"checkpoints", checkpoints}};
}

void print(const Looked& run) {
  std::printf("%-10s  step %d of %d  %s\n", runStateName(run.status.state), run.status.step, run.status.totalSteps, run.directory.c_str());
  for (const HealthFinding& f : run.health) std::printf("  %s, %s: %s\n", f.title.c_str(), f.since.c_str(), f.detail.c_str());
  std::string steps;
  for (const CheckpointInfo& c : run.checkpoints) steps += (steps.empty() ? "" : ", ") + std::to_string(c.step) + (c.complete ? "" : " (damaged)");
  if (!steps.empty()) std::printf("  checkpoints of steps %s\n", steps.c_str());
}

int list(const Context& context, std::vector<std::string> folders) {
  if (folders.empty()) folders.push_back(runsFolder({}));
  const auto runs = runsIn(folders);
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& directory : runs) {
    if (context.stop.stop_requested()) throw Cancelled();
    const Looked run = lookAt(directory);
    if (context.json) all.push_back(jsonOf(run));
    else print(run);
  }
  if (context.json) printJson({{"runs", all}});
  else if (runs.empty()) std::printf("No runs in %s\n", folders.front().c_str());
  return kOk;
}

}  // namespace

void addRuns(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("runs", "Lists runs: state, what is wrong with them, checkpoints");
  auto folders = std::make_shared<std::vector<std::string>>();
  command->add_option("folders", *folders, "Runs, or folders that hold runs; without any, where runs go by themselves")->check(CLI::ExistingDirectory);
  addJson(*command, context);
  command->callback([&context, folders] { context.run = [&context, folders] { return list(context, *folders); }; });
}

}  // namespace cuescope::cli
