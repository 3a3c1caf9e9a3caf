// plan: what a run will need, before it starts: memory by what holds it, time by phase.
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/config.h"

namespace cuescope::cli {

namespace {

nlohmann::ordered_json toJson(const RunPlan& plan) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array(), phases = nlohmann::ordered_json::array();
  for (const auto& row : plan.rows)
    rows.push_back({{"name", row.name}, {"bytes", row.bytes}, {"resident", row.resident}, {"note", row.note}});
  for (const auto& phase : plan.phases)
    phases.push_back({{"name", phase.name}, {"bytes", phase.bytes}, {"seconds", phase.seconds}, {"times", phase.times}});
  return {{"name", plan.name},
          {"device", plan.device},
          {"dtype", plan.dtype},
          {"steps", plan.steps},
          {"rows", rows},
          {"phases", phases},
          {"resident_bytes", plan.residentBytes},
          {"baseline_bytes", plan.baselineBytes},
          {"peak_bytes", plan.peakBytes},
          {"peak_phase", plan.peakPhase},
          {"available_bytes", plan.availableBytes},
          {"fits", plan.fits()},
          {"seconds_per_step", plan.secondsPerStep},
          {"seconds_in_all", plan.secondsInAll},
          {"prompt_tokens", plan.promptTokens},
          {"response_tokens", plan.responseTokens},
          {"assumptions", plan.assumptions}};
}

int plan(Context& context, const std::string& file, const std::vector<std::string>& overrides) {
  std::vector<ConfigIssue> issues;
  RunConfig config = readConfig(file, &issues);
  for (const auto& assignment : overrides) applyOverride(config, assignment, &issues);
  if (issues.empty()) issues = validate(config);
  if (!issues.empty()) return refuseSettings(context, "The run cannot be planned yet", file, issues);
  if (context.options.device == "auto") context.options.device = config.trainer.device;
  if (context.options.threads == 0) context.options.threads = config.trainer.threads;
  const RunPlan result = context.engine().plan(config);
  if (context.json)
    printJson(toJson(result));
  else
    std::fputs(planTable(result).c_str(), stdout);
  return kOk;
}

}  // namespace

void addPlan(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("plan", "Says how much memory and time a run needs, before it starts");
  auto file = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("config", *file, "CONFIG.yaml")->required();
  command->add_option("overrides", *overrides, "Settings that differ: a.b=c ...");
  addJson(*command, context);
  command->callback([&context, file, overrides] {
    context.run = [&context, file, overrides] { return plan(context, *file, *overrides); };
  });
}

}  // namespace cuescope::cli
