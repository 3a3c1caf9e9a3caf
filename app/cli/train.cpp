// train: one distillation run, from a configuration file. `while (run.advance(stop)) {}`, as the studio does between two inspections.
// With --detach in a process of its own, steered through the run's control socket (engine/core/run_control.h).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "app/cli/command.h"
#include "engine/core/config.h"
#include "engine/core/run_control.h"
#include "engine/core/run_directory.h"
#include "engine/core/resume_mode.h"
#include "engine/core/status_json.h"

namespace cuescope::cli {

namespace {

void printStep(const Context& context, const StepSnapshot& step) {
  clearProgress();
  if (context.json) {
    nlohmann::ordered_json metrics, phases;
    for (const auto& [name, value] : step.metrics) metrics[name] = value;
    for (const auto& [name, value] : step.phaseSeconds) phases[name] = value;
    printJson({{"step", step.step}, {"seconds", step.secondsSinceStart}, {"tokens", step.tokensSinceStart}, {"metrics", metrics}, {"phases", phases}});
    return;
  }
  std::printf("step %5d  %7.1f s%s", step.step, step.secondsSinceStart, step.step == 0 ? "  before the first step" : "");
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

/// Where a run that was started with --detach says, once, where it is or why it could not begin.
class Report {
 public:
  explicit Report(int fd) : m_fd(fd) {}
  ~Report() { send({{"error", failureObject<nlohmann::ordered_json>({"The run could not begin", "cuescope-cli", "the process ended", "Start it without --detach to see why."})}}); }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  bool wanted() const { return m_fd >= 0; }
  void send(const nlohmann::ordered_json& value) {
    if (m_fd < 0) return;
    const std::string text = value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    [[maybe_unused]] const ssize_t count = ::write(m_fd, text.data(), text.size());  // whoever waited may be gone
    ::close(std::exchange(m_fd, -1));
  }

 private:
  int m_fd;
};

/// From here on what would go to the terminal goes to train.log of the run.
void logInto(const std::string& directory) {
  std::fflush(stdout);
  const int file = ::open((directory + "/train.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    std::fprintf(stderr, "%s/train.log could not be opened (%s): what the run says from here on is not kept.\n", directory.c_str(), std::strerror(errno));
    return;
  }
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

/// Advances the run to its end, or to what a signal or a client of the control socket asks for.
int drive(Context& context, TrainingRun& run, std::unique_ptr<RunControlServer>& server) {
  std::stop_source unit;  // ended by a signal and by a client's stop
  const std::stop_callback bySignal(context.stop, [&] { unit.request_stop(); });
  const std::string directory = run.status().directory;
  clearRunFailure(directory);
  try {
    server = std::make_unique<RunControlServer>(directory, run.status(), [&unit] { unit.request_stop(); });
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.failure().text().c_str());
  }
  bool paused = false, signalled = false;
  std::optional<RunCommand> end;
  const auto obey = [&](RunCommand command) {
    switch (command) {
      case RunCommand::Pause:
      case RunCommand::Resume:
        paused = command == RunCommand::Pause;
        run.setPaused(paused);
        return server->publish(run.status());
      case RunCommand::Checkpoint:
        try {
          server->saved(run.checkpoint());
        } catch (...) {  // a full disk ends the save, not the run
          server->trouble(currentFailure("saving a checkpoint"));
        }
        return;
      case RunCommand::StopAndSave:
      case RunCommand::Stop:
        end = command;
    }
  };
  while (!end && !signalled) {
    if (server)
      for (const RunCommand command : server->take())
        if (!end) obey(command);
    signalled = context.stop.stop_requested();
    if (end || signalled) break;
    if (paused) {
      server->wait(context.stop);
      continue;
    }
    try {
      if (!run.advance(unit.get_token())) break;
    } catch (const Cancelled&) {
      continue;  // the command or the signal is seen above
    }
  }
  if (end || signalled) run.stop(!end || *end == RunCommand::StopAndSave);
  const RunStatus status = run.status();
  clearProgress();
  if (server) server->publish(status);
  if (signalled) {
    std::fprintf(stderr, "Stopped after step %d and saved in %s. Next: the same command with --resume.\n", status.step, status.directory.c_str());
    return kFailed;
  }
  if (context.json) printJson({{"state", runStateName(status.state)}, {"step", status.step}, {"directory", status.directory}});
  else std::printf("%s after step %d. %s\n", runStateName(status.state), status.step, status.directory.c_str());
  return kOk;
}

int train(Context& context, const std::string& file, const std::vector<std::string>& overrides, const std::string& resume, bool detach, int reportFd) {
  Report report(reportFd);
  std::vector<ConfigIssue> issues;
  RunConfig config = readConfig(file, &issues);
  for (const auto& assignment : overrides) applyOverride(config, assignment, &issues);
  if (!resume.empty()) config.trainer.resumeMode = resume;
  if (issues.empty()) issues = validate(config);
  if (!issues.empty()) return refuseSettings(context, "The run cannot start", file, issues);
  if (detach) return startDetached(context);

  std::unique_ptr<RunControlServer> server;
  const EventSink progress = context.progress();
  const EventSink sink = [&](const Event& event) {
    if (const auto* step = std::get_if<StepPtr>(&event)) {
      printStep(context, **step);
    } else if (const auto* status = std::get_if<RunStatus>(&event)) {
      if (server) server->publish(*status);
      progress(Progress{"step " + std::to_string(status->step + 1) + " of " + std::to_string(status->totalSteps) + ", " + status->phase,
                        static_cast<double>(status->step), static_cast<double>(status->totalSteps), status->secondsLeft});
    } else if (const auto* failed = std::get_if<Failed>(&event)) {  // not the end: it waits, for room on the disk
      clearProgress();
      std::fprintf(stderr, "%s\n", failed->failure.text().c_str());
      if (server) server->trouble(failed->failure);
    } else {
      progress(event);
    }
  };
  if (context.options.device == "auto") context.options.device = config.trainer.device;
  if (context.options.threads == 0) context.options.threads = config.trainer.threads;
  std::unique_ptr<TrainingRun> run;
  try {
    run = context.engine().openRun(config, sink, context.stop);
  } catch (...) {
    if (report.wanted()) report.send({{"error", failureObject<nlohmann::ordered_json>(currentFailure("train"))}});
    throw;
  }
  const std::string directory = run->status().directory;
  if (report.wanted()) {
    logInto(directory);
    report.send({{"directory", directory}, {"pid", ::getpid()}});
  }
  try {
    return drive(context, *run, server);
  } catch (...) {
    const Failure failure = currentFailure("train");
    try {
      writeRunFailure(directory, failure);
    } catch (const Error& error) {  // a full disk: what failed first is what is told
      std::fprintf(stderr, "%s\n", error.failure().text().c_str());
    }
    if (server) {
      server->trouble(failure);
      server->publish(run->status());
    }
    throw;
  }
}

}  // namespace

void addTrain(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("train", "Runs a distillation");
  auto file = std::make_shared<std::string>(), resume = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("config", *file, "CONFIG.yaml")->required();
  command->add_option("overrides", *overrides, "Settings that differ: a.b=c ...");
  command->add_option("--resume", *resume, "Go on from a checkpoint folder, or from the run's newest one")->expected(0, 1)->default_str("auto");
  auto detach = std::make_shared<bool>(false);
  auto reportFd = std::make_shared<int>(-1);
  command->add_flag("--detach", *detach, "Train in a process that outlives this terminal; print its folder once it has begun. See `control`");
  command->add_option("--report-fd", *reportFd, "Where --detach hears from the process it starts")->group("");
  addJson(*command, context);
  command->callback([&context, command, file, overrides, resume, detach, reportFd] {
    if (command->count("--resume") && resume->empty()) *resume = "auto";
    context.run = [&context, file, overrides, resume, detach, reportFd] { return train(context, *file, *overrides, *resume, *detach, *reportFd); };
  });
}

/// RUN or RUN@STEP goes on with its own settings, where the newest (or that) checkpoint stands; --resume of `train` needs the first
/// configuration instead.
void addResume(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("resume", "Goes on with a run that was stopped or interrupted");
  auto name = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("run", *name, "Folder of the run; or RUN@STEP, an earlier checkpoint: what the run holds of later steps is put aside, in RUN/set-aside")->required();
  command->add_option("overrides", *overrides, "Settings that differ: a.b=c ...");
  auto detach = std::make_shared<bool>(false), changed = std::make_shared<bool>(false);
  auto reportFd = std::make_shared<int>(-1);
  command->add_flag("--changed", *changed, "Go on although settings, data or models are not those of the checkpoint; later steps are put aside, provenance.json names the changes");
  command->add_flag("--detach", *detach, "Train in a process that outlives this terminal");
  command->add_option("--report-fd", *reportFd, "Where --detach hears from the process it starts")->group("");
  addJson(*command, context);
  command->callback([&context, name, overrides, detach, reportFd, changed] {
    context.run = [&context, name, overrides, detach, reportFd, changed] {
      const ResumePoint point = resumePoint(*name);
      std::vector<std::string> settings = point.overrides;
      settings.insert(settings.end(), overrides->begin(), overrides->end());
      return train(context, point.configFile, settings, textOf(ResumeMode{point.resumeMode, *changed}), *detach, *reportFd);
    };
  });
}

}  // namespace cuescope::cli
