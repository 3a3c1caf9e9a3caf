// What the subcommands of cuescope-cli share: the engine, the stop token, printing. One file a subcommand; each registers itself
// and says what is to run. Main thread only.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>

#include "engine/core/events.h"
#include "engine/engine.h"

namespace cuescope::cli {

/// Exit codes of every verb.
inline constexpr int kOk = 0, kFailed = 1, kBadUsage = 2;

struct Context {
  EngineOptions options;
  std::stop_token stop;
  bool json = false;
  std::function<int()> run;  // set by the subcommand that was chosen

  /// Loads the engine at the first call.
  Engine& engine();
  /// Progress with the time left on stderr, on a terminal only; log lines on stderr.
  EventSink progress() const;

 private:
  std::unique_ptr<Engine> m_engine;
};

/// Prints one line of JSON; bytes that are no UTF-8 become U+FFFD.
void printJson(const nlohmann::ordered_json& value);
/// Says which settings of the configuration `file` must change first; the exit code.
int refuseSettings(const Context& context, const std::string& what, const std::string& file, const std::vector<ConfigIssue>& issues);
/// All of standard input.
std::string readInput();
/// Ends the progress line, if there is one on the terminal.
void clearProgress();

/// --greedy, --temperature, --top-k, ...; any of the sampling options turns greedy decoding off unless --greedy is given.
/// The returned function is called after parsing.
std::function<SamplingOptions()> addSampling(CLI::App& command);
/// Starts this command again, without --detach, in a session of its own, waits until its run has begun or failed and says which.
int startDetached(Context& context);
/// What a number may be, in the words of a person.
CLI::Validator notNegative();
CLI::Validator aboveZero();
/// An option whose value is one of a few names.
template <typename T>
CLI::Option* addChoice(CLI::App& command, const std::string& name, T& value, const std::map<std::string, T>& choices, const std::string& help) {
  std::vector<std::string> names;
  for (const auto& each : choices) names.push_back(each.first);
  return command.add_option_function<std::string>(name, [&value, choices](const std::string& given) { value = choices.at(given); }, help)->check(CLI::IsMember(names));
}
/// A file of a person, or of the demo («demo:data/example-1.png»).
CLI::Validator demoFile();
/// --json.
void addJson(CLI::App& command, Context& context);

void addDoctor(CLI::App& app, Context& context);
void addSelfcheck(CLI::App& app, Context& context);
void addTokenize(CLI::App& app, Context& context);
void addChat(CLI::App& app, Context& context);
void addPreprocess(CLI::App& app, Context& context);
void addForward(CLI::App& app, Context& context);
void addGenerate(CLI::App& app, Context& context);
void addInspect(CLI::App& app, Context& context);
/// What inspect and what-if both ask: models, pictures, question, cue, response.
void addInspectOptions(CLI::App& command, InspectRequest& request);
void addWhatIf(CLI::App& app, Context& context);
void addDump(CLI::App& app, Context& context);
void addTrain(CLI::App& app, Context& context);
void addPlan(CLI::App& app, Context& context);
void addControl(CLI::App& app, Context& context);
void addResume(CLI::App& app, Context& context);
void addEval(CLI::App& app, Context& context);
void addExport(CLI::App& app, Context& context);
void addBoard(CLI::App& app, Context& context);
void addData(CLI::App& app, Context& context);
/// `data cue`, below `data`.
void addCueOfRow(CLI::App& data, Context& context);
void addCompare(CLI::App& app, Context& context);
void addRollouts(CLI::App& app, Context& context);
void addRuns(CLI::App& app, Context& context);
void addBench(CLI::App& app, Context& context);
void addDemo(CLI::App& app, Context& context);
void addRender(CLI::App& app, Context& context);

}  // namespace cuescope::cli
