// data check: the verdict that a run would reach about its rows, before it starts.
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/config.h"

namespace cuescope::cli {

void addData(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("data", "Looks at data files");
  command->require_subcommand(1);
  CLI::App* check = command->add_subcommand("check", "Reads every row as a run would, and says what is kept, left out and why");
  struct Asked {
    std::vector<std::string> files, overrides;
    std::string config, model, teacher;
  };
  auto asked = std::make_shared<Asked>();
  check->add_option("files", asked->files, "Parquet or JSONL files; without any, the configuration's training files");
  check->add_option("--config", asked->config, "Configuration of the run (its processors and limits)");
  check->add_option("--model", asked->model, "Student's folder, instead of or beside a configuration");
  check->add_option("--teacher", asked->teacher, "Teacher's folder");
  check->add_option("--set", asked->overrides, "Settings that differ: a.b=c ...");
  addJson(*check, context);
  check->callback([&context, asked] {
    context.run = [&context, asked] {
      std::vector<ConfigIssue> issues;
      RunConfig config;
      if (!asked->config.empty()) config = readConfig(asked->config, &issues);
      else config.student.path = config.teacher.path = "demo:student-weak";
      if (!asked->model.empty()) {
        applyOverride(config, "student.path=" + asked->model, &issues);
        if (asked->config.empty()) config.teacher.path = config.student.path;
      }
      if (!asked->teacher.empty()) applyOverride(config, "teacher.path=" + asked->teacher, &issues);
      for (const auto& assignment : asked->overrides) applyOverride(config, assignment, &issues);
      for (const auto& issue : issues) std::fprintf(stderr, "%s: %s\n", issue.key.c_str(), issue.message.c_str());
      if (!issues.empty()) return kBadUsage;
      const DataVerdict verdict = context.engine().checkData(asked->files, config, context.progress(), context.stop);
      clearProgress();
      if (context.json) printJson(nlohmann::ordered_json::parse(verdictJson(verdict)));
      else std::fputs(verdictText(verdict).c_str(), stdout);
      return verdict.usable() ? kOk : kFailed;
    };
  });
}

}  // namespace cuescope::cli
