// data check: the verdict that a run would reach about its rows, before it starts, and the lint of their cues. data cue: one row's cue.
// data export: a file with its edits applied.
#include <cstdio>
#include <filesystem>

#include "app/cli/command.h"
#include "engine/core/config.h"
#include "engine/core/data_lint.h"

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

struct FileLint {
  std::string file;
  DataLint lint;
};

CheckRowsRequest lintRequest(const std::string& file, const RunConfig& config) {
  CheckRowsRequest request;
  request.file = file;
  request.config = config;
  if (config.data.cueEdits) request.edits = readCueEdits(cueEditsFile(file));
  return request;
}

std::vector<FileLint> lintOf(Context& context, const std::vector<std::string>& files, const RunConfig& config) {
  std::vector<FileLint> list;
  const EventSink sink = context.progress();
  for (const std::string& file : files) {
    const auto progress = [&](std::int64_t done, std::int64_t total) { sink(Progress{"Lint of " + std::filesystem::path(file).filename().string(), static_cast<double>(done), static_cast<double>(total)}); };
    list.push_back({file, lintFile(context.engine(), lintRequest(file, config), progress, context.stop)});
  }
  return list;
}

nlohmann::ordered_json lintJson(const std::vector<FileLint>& list) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const auto& [file, lint] : list) {
    nlohmann::ordered_json counts, found = nlohmann::ordered_json::array();
    for (std::size_t check = 0; check < kChecks; ++check) counts[checkName(Check(check))] = lint.counts[check];
    for (const RowComplaint& c : lint.found)
      found.push_back({{"row", c.row}, {"id", c.id}, {"check", checkName(c.finding.check)}, {"verdict", verdictName(c.finding.verdict)}, {"words", c.finding.words}, {"detail", c.finding.detail}});
    files.push_back({{"file", file}, {"rows", lint.rows}, {"complaints", lint.complaints()}, {"by_check", counts}, {"lengths_not_counted", lint.notCounted}, {"found", found}});
  }
  return files;
}

void printLint(const std::vector<FileLint>& list) {
  constexpr std::size_t kShown = 10;
  for (const auto& [file, lint] : list) {
    std::string sums;
    for (std::size_t check = 0; check < kChecks; ++check)
      if (lint.counts[check] > 0) sums += (sums.empty() ? "" : ", ") + std::string(checkName(Check(check))) + " " + std::to_string(lint.counts[check]);
    std::printf("Lint       %s: %s\n", std::filesystem::path(file).filename().c_str(), sums.empty() ? "no complaints" : sums.c_str());
    if (!lint.notCounted.empty()) std::printf("  lengths are not counted: %s\n", lint.notCounted.c_str());
    for (std::size_t i = 0; i < std::min(kShown, lint.found.size()); ++i) {
      const RowComplaint& c = lint.found[i];
      std::printf("  row %lld (%s): %s. %s\n", static_cast<long long>(c.row), c.id.c_str(), c.finding.words.c_str(), c.finding.detail.c_str());
    }
    if (lint.complaints() > static_cast<std::int64_t>(kShown)) std::printf("  and %lld more; --json lists them\n", static_cast<long long>(lint.complaints()) - static_cast<long long>(kShown));
  }
}

}  // namespace

void addData(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("data", "Looks at data files");
  command->require_subcommand(1);
  CLI::App* check = command->add_subcommand("check", "Reads every row as a run would, and says what is kept, left out and why; and what is wrong with its cue: none, the answer in it, words of a plan, boxes outside the picture");
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
      const std::vector<FileLint> lint = lintOf(context, verdict.files, config);
      clearProgress();
      if (context.json) {
        nlohmann::ordered_json json = nlohmann::ordered_json::parse(verdictJson(verdict));
        json["lint"] = lintJson(lint);
        printJson(json);
      } else {
        std::fputs(verdictText(verdict).c_str(), stdout);
        printLint(lint);
      }
      return verdict.usable() ? kOk : kFailed;
    };
  });
  addCueOfRow(*command, context);
  addExportOfRows(*command, context);
}

}  // namespace cuescope::cli
