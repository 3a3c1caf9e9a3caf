// data cue: what a row tells its teacher, its lint, and another text for it, a person's or a model's. Kept beside the data, as the
// window's Data page keeps it.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "app/cli/command.h"
#include "engine/core/config.h"
#include "engine/core/cue_suggestion.h"
#include "engine/core/data_lint.h"

namespace cuescope::cli {
namespace {

struct Asked {
  std::string file, text, model;
  std::int64_t row = 0;
  bool original = false, hasText = false;
};

std::string nowUtc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string person() {
  const char* name = std::getenv("USER");
  return name && *name ? name : "person";
}

DataRow rowOf(Engine& engine, const std::string& file, std::int64_t row) {
  DataRows rows = engine.readRows(file, row, 1);
  if (rows.rows.empty() || rows.rows.front().index != row)
    throw Error("There is no such row", file + ", row " + std::to_string(row), "the file has " + std::to_string(rows.total) + " rows, counted from 0", "Choose another row.");
  return std::move(rows.rows.front());
}

/// The edit as it is to be: the data's own words, the text that was given, or what the model says.
CueEdit changed(Context& context, const Asked& asked, const DataRow& row, const CueEdit& before) {
  CueEdit after = before;
  if (asked.original) {
    after = cueOf(row);
  } else if (!asked.model.empty()) {
    const InspectRequest request = suggestionRequest(resolvePath(asked.model), row);
    const InspectionPtr answer = context.engine().inspect(request, context.progress(), context.stop);
    clearProgress();
    after = withSuggestion(after, request, *answer);
  } else if (asked.hasText) {
    after.cue = asked.text;
    after.origin = after.cue == after.originalCue ? cueOf(row).origin : CueOrigin{"edited", {}, {}, -1, -1};
  }
  if (after.cue == before.cue && after.marks == before.marks) return before;
  after.by = person();
  after.at = nowUtc();
  after.changes = before.changes + 1;
  return after;
}

void print(const Context& context, const DataRow& row, const CueEdit& cue, const std::vector<RowFinding>& findings) {
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const RowFinding& f : findings) list.push_back({{"check", checkName(f.check)}, {"verdict", verdictName(f.verdict)}, {"words", f.words}, {"detail", f.detail}});
    printJson({{"row", row.index}, {"id", row.id}, {"question", row.question}, {"answer", row.answer}, {"cue", cue.cue}, {"original", cue.originalCue}, {"edited", cue.changed()}, {"how", cue.origin.how}, {"lint", list}});
    return;
  }
  std::printf("Row       %lld (%s)\nQuestion  %s\nAnswer    %s\nCue       %s%s\n", static_cast<long long>(row.index), row.id.c_str(), row.question.c_str(), row.answer.c_str(), cue.cue.empty() ? "(none)" : cue.cue.c_str(),
              cue.changed() ? ", edited" : "");
  for (const RowFinding& f : findings)
    if (f.verdict != Verdict::Fine) std::printf("  %s: %s. %s\n", verdictName(f.verdict), f.words.c_str(), f.detail.c_str());
}

int run(Context& context, const Asked& asked) {
  const std::string file = resolvePath(asked.file), beside = cueEditsFile(file);
  const DataRow row = rowOf(context.engine(), file, asked.row);
  CueEdits edits = readCueEdits(beside);
  const auto known = edits.find(row.index);
  const CueEdit before = known == edits.end() ? cueOf(row) : known->second, after = changed(context, asked, row, before);
  if (after.cue != before.cue || after.marks != before.marks) {
    edits[row.index] = after;
    writeCueEdits(beside, edits);
    std::fprintf(stderr, "Kept beside the data: %s\n", beside.c_str());
  }
  print(context, row, after, findingsOf(row, after, pictureSizesOf(row)));
  return kOk;
}

}  // namespace

void addCueOfRow(CLI::App& data, Context& context) {
  CLI::App* command = data.add_subcommand("cue", "Shows a row's cue and its lint; with another text, keeps that beside the data (FILE.edits.jsonl)");
  auto asked = std::make_shared<Asked>();
  command->add_option("file", asked->file, "Parquet or JSONL file; it is not changed")->required();
  command->add_option("row", asked->row, "Row, counted from 0")->required()->check(notNegative());
  auto* text = command->add_option("--text", asked->text, "The new cue");
  auto* suggest = command->add_option("--suggest", asked->model, "Folder of a model that looks at picture and question, not at the answer, and writes the cue")->excludes(text);
  command->add_flag("--original", asked->original, "The data's own cue and marks again")->excludes(text)->excludes(suggest);
  addJson(*command, context);
  command->callback([&context, asked, text] {
    asked->hasText = text->count() > 0;
    context.run = [&context, asked] { return run(context, *asked); };
  });
}

}  // namespace cuescope::cli
