// cuescope-cli: the engine without a window. This file parses, catches and exits; app/cli/ has one file a subcommand.
#include <csignal>
#include <cstdio>
#include <stop_token>
#include <thread>
#include <unistd.h>

#include "app/cli/command.h"
#include "engine/core/engine_loader.h"
#include "engine/core/status_json.h"

namespace {

using namespace cuescope;

/// The first Ctrl+C (or SIGTERM) asks to stop, the second ends the process. A thread waits for them, because a stop token may
/// not be touched in a signal handler; the mask must be set before any other thread starts.
std::thread waitForSignals(std::stop_source stop) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return std::thread([signals, stop]() mutable {
    int signal = 0;
    sigwait(&signals, &signal);
    stop.request_stop();
    std::fputs("\nStopping at the next token or unit; once more ends at once.\n", stderr);
    sigwait(&signals, &signal);
    _exit(128 + signal);
  });
}

int runCommand(const cli::Context& context) {
  try {
    const int code = context.run();
    cli::clearProgress();
    return code;
  } catch (const Cancelled&) {
    cli::clearProgress();
    std::fputs("Stopped, as asked.\n", stderr);
  } catch (...) {
    const Failure failure = currentFailure("cuescope-cli");
    cli::clearProgress();
    if (context.json) cli::printJson({{"error", failureObject<nlohmann::ordered_json>(failure)}});
    std::fprintf(stderr, "%s\n", failure.text().c_str());
  }
  return cli::kFailed;
}

int noSuchCommand(const CLI::App& app, const std::string& word) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands({})) names += (names.empty() ? "" : ", ") + command->get_name();
  std::fprintf(stderr, "There is no command «%s». Next: choose one of %s; COMMAND --help explains it.\n", word.c_str(), names.c_str());
  return cli::kBadUsage;
}

}  // namespace

int main(int argc, char** argv) {
  std::stop_source stop;
  waitForSignals(stop).detach();

  CLI::App app("Cuescope without a window: look inside Qwen3-VL students and teachers, and run ViCuR distillation.", "cuescope-cli");
  app.set_version_flag("--version", CUESCOPE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "\nThe built-in demo is named where a model, a data file or a picture is asked:\n"
      "  cuescope-cli generate --model demo:student-weak --image demo:data/example-1.png --prompt \"What digit is on the red square?\"\n"
      "  cuescope-cli eval --model demo:teacher-strong --data demo:data/test.parquet --max-samples 50\n"
      "Runs begin with a configuration; those of the demo and of the paper: " + resourceFolder() + "/presets");
  cli::Context context;
  context.stop = stop.get_token();
  app.add_option("--device", context.options.device, "cpu, cuda, cuda:N or auto")->capture_default_str();
  app.add_option("--dtype", context.options.dtype, "Compute type: float32, bfloat16 or auto")->check(CLI::IsMember({"auto", "float32", "bfloat16"}))->capture_default_str();
  app.add_option("--threads", context.options.threads, "CPU threads; 0: all cores of this process")->check(CLI::Range(0, 4096))->capture_default_str();

  app.add_flag("--without-cue", context.options.withoutCue, "Open model folders without their cue modules, also where a part of the module is missing; runs keep theirs");

  cli::addDoctor(app, context);
  cli::addSelfcheck(app, context);
  cli::addTokenize(app, context);
  cli::addChat(app, context);
  cli::addPreprocess(app, context);
  cli::addForward(app, context);
  cli::addGenerate(app, context);
  cli::addInspect(app, context);
  cli::addWhatIf(app, context);
  cli::addDump(app, context);
  cli::addTrain(app, context);
  cli::addPlan(app, context);
  cli::addControl(app, context);
  cli::addResume(app, context);
  cli::addEval(app, context);
  cli::addExport(app, context);
  cli::addBoard(app, context);
  cli::addCompare(app, context);
  cli::addRuns(app, context);
  cli::addRollouts(app, context);
  cli::addData(app, context);
  cli::addBench(app, context);
  cli::addDemo(app, context);
  cli::addRender(app, context);
  for (CLI::App* command : app.get_subcommands({}))
    if (!command->get_prefix_command()) command->fallthrough();  // render and report hand every word on

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty())
      for (const std::string& word : app.remaining())
        if (!word.starts_with("-")) return noSuchCommand(app, word);
    return app.exit(error) == 0 ? cli::kOk : cli::kBadUsage;  // prints help, version or what is wrong
  }
  std::fflush(stdout);
  const int code = runCommand(context);
  std::fflush(stdout);
  return code;
}
