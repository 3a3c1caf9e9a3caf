// train: one distillation run, from a configuration file. `while (run.advance(stop)) {}`, as the studio does between two inspections.
#include <cstdio>
#include <unistd.h>

#include "app/cli/command.h"
#include "engine/core/config.h"

namespace cuescope::cli {

namespace {

int complain(const Context& context, const std::vector<ConfigIssue>& issues) {
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& issue : issues) list.push_back({{"key", issue.key}, {"message", issue.message}});
    printJson({{"issues", list}});
  }
  std::fprintf(stderr, "The run cannot start; %zu of its settings need a change:\n", issues.size());
  for (const auto& issue : issues) std::fprintf(stderr, "  %s: %s\n", issue.key.c_str(), issue.message.c_str());
  return kBadUsage;
}

void printStep(const Context& context, const StepSnapshot& step) {
  clearProgress();
  if (context.json) {
    nlohmann::ordered_json metrics, phases;
    for (const auto& [name, value] : step.metrics) metrics[name] = value;
    for (const auto& [name, value] : step.phaseSeconds) phases[name] = value;
    printJson({{"step", step.step}, {"seconds", step.secondsSinceStart}, {"tokens", step.tokensSinceStart}, {"metrics", metrics}, {"phases", phases}});
    return;
  }
  std::printf("step %5d  %7.1f s", step.step, step.secondsSinceStart);
  static constexpr std::pair<const char*, const char*> kShown[] = {
      {"actor/distillation/loss", "loss"}, {"actor/grad_norm", "grad"}, {"response_length/mean", "length"}, {"val-core/acc", "accuracy"}};
  for (const auto& [key, label] : kShown) {
    for (const auto& [name, value] : step.metrics) {
      if (name == key || (std::string(key) == "val-core/acc" && name.rfind("val-core/", 0) == 0 && name.find("/acc/") != std::string::npos)) {
        std::printf("  %s %.4g", label, value);
        break;
      }
    }
  }
  std::printf("\n");
  std::fflush(stdout);
}

int train(Context& context, const std::string& file, const std::vector<std::string>& overrides, const std::string& resume) {
  std::vector<ConfigIssue> issues;
  RunConfig config = readConfig(file, &issues);
  for (const auto& assignment : overrides) applyOverride(config, assignment, &issues);
  if (!resume.empty()) config.trainer.resumeMode = resume;
  if (issues.empty()) issues = validate(config);
  if (!issues.empty()) return complain(context, issues);

  const EventSink progress = context.progress();
  const EventSink sink = [&](const Event& event) {
    if (const auto* step = std::get_if<StepPtr>(&event)) {
      printStep(context, **step);
    } else if (const auto* status = std::get_if<RunStatus>(&event)) {
      progress(Progress{"step " + std::to_string(status->step + 1) + " of " + std::to_string(status->totalSteps) + ", " + status->phase,
                        static_cast<double>(status->step), static_cast<double>(status->totalSteps), status->secondsLeft});
    } else {
      progress(event);
    }
  };
  if (context.options.device == "auto") context.options.device = config.trainer.device;
  if (context.options.threads == 0) context.options.threads = config.trainer.threads;
  const auto run = context.engine().openRun(config, sink, context.stop);
  try {
    while (run->advance(context.stop)) {
      if (context.stop.stop_requested()) throw Cancelled();
    }
  } catch (const Cancelled&) {
    run->stop(true);
    clearProgress();
    const RunStatus status = run->status();
    std::fprintf(stderr, "Stopped after step %d and saved in %s. Next: the same command with --resume.\n", status.step, status.directory.c_str());
    return kFailed;
  }
  clearProgress();
  const RunStatus status = run->status();
  if (!context.json) std::printf("%s after step %d. %s\n", runStateName(status.state), status.step, status.directory.c_str());
  return kOk;
}

}  // namespace

void addTrain(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("train", "Runs a distillation");
  auto file = std::make_shared<std::string>(), resume = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("config", *file, "CONFIG.yaml")->required();
  command->add_option("overrides", *overrides, "Settings that differ: a.b=c ...");
  command->add_option("--resume", *resume, "Go on from a checkpoint folder, or from the run's newest one")->expected(0, 1)->default_str("auto");
  addJson(*command, context);
  command->callback([&context, command, file, overrides, resume] {
    if (command->count("--resume") && resume->empty()) *resume = "auto";
    context.run = [&context, file, overrides, resume] { return train(context, *file, *overrides, *resume); };
  });
}

}  // namespace cuescope::cli
