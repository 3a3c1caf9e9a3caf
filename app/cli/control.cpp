// control: steers a run that trains in another process, through the control socket of its folder.
#include <chrono>
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/run_control.h"
#include "engine/core/run_directory.h"

namespace cuescope::cli {
namespace {

constexpr int kPatienceMs = 5000;

nlohmann::ordered_json statusJson(const RunStatus& status, std::int64_t pid) {
  return {{"run", status.run}, {"state", runStateName(status.state)}, {"step", status.step}, {"total_steps", status.totalSteps}, {"phase", status.phase}, {"pid", pid}};
}

void print(const Context& context, const RunStatus& status, std::int64_t pid) {
  if (context.json) return printJson(statusJson(status, pid));
  std::printf("%s  step %d of %d%s%s\n", runStateName(status.state), status.step, status.totalSteps, status.phase.empty() ? "" : ", ", status.phase.c_str());
}

int control(Context& context, const std::string& directory, const std::string& verb) {
  std::string why;
  const auto client = RunControlClient::connect(directory, &why);
  if (!client) {
    if (verb == "status" && RunReader::isRunDirectory(directory)) {
      if (const auto status = RunReader(directory).status()) {
        print(context, *status, 0);
        std::fprintf(stderr, "No process trains this run now: %s.\n", why.c_str());
        return kOk;
      }
    }
    if (!RunReader::isRunDirectory(directory)) throw Error("This is no run", directory, "the folder holds no config.yaml beside status.json or metrics.jsonl", "Name the folder of a run.");
    throw Error("This run cannot be steered", directory, why, "Look at status.json and train.log in the folder; `train --resume` goes on from its newest checkpoint.");
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  std::int64_t asked = 0, pid = 0;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0 || !client->waitReadable(static_cast<int>(left))) throw Error("The run does not answer", directory, "nothing was heard for five seconds", "Ask again.");
    for (const RunMessage& message : client->receive()) {
      if (message.kind == RunMessage::Kind::Hello) {
        if (message.version != kRunControlVersion)
          throw Error("The run speaks another version", directory, "version " + std::to_string(message.version) + ", not " + std::to_string(kRunControlVersion), "Use the cuescope-cli that started it.");
        pid = message.pid;
        if (verb == "status") {
          print(context, message.status, pid);
          return kOk;
        }
        asked = client->send(*runCommandFromName(verb));
      } else if (message.kind == RunMessage::Kind::Answer && asked != 0 && message.id == asked) {
        if (!message.ok) throw Error("The run does not do that now", directory, message.why, "");
        if (context.json) printJson({{"accepted", verb}, {"pid", pid}});
        else std::printf("%s: accepted by process %lld\n", verb.c_str(), static_cast<long long>(pid));
        return kOk;
      }
    }
    if (client->closed()) throw Error("The run does not answer", directory, "the connection was closed", "Look at its status again.");
  }
}

}  // namespace

void addControl(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("control", "Pauses, resumes, saves or stops a run that trains in another process");
  auto directory = std::make_shared<std::string>(), verb = std::make_shared<std::string>();
  command->add_option("run", *directory, "Folder of the run")->required();
  command->add_option("action", *verb, "What is to happen")->required()->check(CLI::IsMember({"status", "pause", "resume", "checkpoint", "stop_and_save", "stop"}));
  addJson(*command, context);
  command->callback([&context, directory, verb] { context.run = [&context, directory, verb] { return control(context, *directory, *verb); }; });
}

}  // namespace cuescope::cli
