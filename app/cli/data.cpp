// data check: the verdict that a run would reach about its rows, before it starts. data export: a file with its edits applied.
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/config.h"

namespace cuescope::cli {

namespace {

void addExportOfRows(CLI::App& data, Context& context) {
  CLI::App* command = data.add_subcommand("export", "Writes a data file with its cue edits (FILE.edits.jsonl) applied, as JSONL or parquet");
  struct Asked {
    std::string file, output;
    bool forVerl = false;
  };
  auto asked = std::make_shared<Asked>();
  command->add_option("file", asked->file, "Parquet or JSONL file; it is not changed")->required();
  command->add_option("--output", asked->output, "New file, .parquet or .jsonl")->required();
  command->add_flag("--for-verl", asked->forVerl, "Also teacher_prompt, the column that verl's teacher reads: the prompt with the cue as its [Hint]");
  addJson(*command, context);
  command->callback([&context, asked] {
    context.run = [&context, asked] {
      const DataExport done = context.engine().exportData(asked->file, asked->output, asked->forVerl, context.progress(), context.stop);
      clearProgress();
      if (context.json) {
        printJson({{"output", done.output}, {"rows", done.rows}, {"edited", done.edited}, {"crops", done.crops}, {"teacher_prompts", done.teacherPrompts}});
        return kOk;
      }
      std::printf("%s: %lld rows, %lld of them with edited cues or marks", done.output.c_str(), static_cast<long long>(done.rows), static_cast<long long>(done.edited));
      if (asked->forVerl) std::printf(", %lld with a teacher_prompt", static_cast<long long>(done.teacherPrompts));
      std::printf(".\n");
      if (asked->forVerl && done.crops > 0)
        std::printf("verl has one list of images for both prompts: %lld crops stay in the evidence column, its teacher does not see them.\n", static_cast<long long>(done.crops));
      return kOk;
    };
  });
}

}  // namespace

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
      if (!issues.empty()) return refuseSettings(context, "The data cannot be checked", asked->config, issues);
      const DataVerdict verdict = context.engine().checkData(asked->files, config, context.progress(), context.stop);
      clearProgress();
      if (context.json) printJson(nlohmann::ordered_json::parse(verdictJson(verdict)));
      else std::fputs(verdictText(verdict).c_str(), stdout);
      return verdict.usable() ? kOk : kFailed;
    };
  });
  addExportOfRows(*command, context);
}

}  // namespace cuescope::cli
