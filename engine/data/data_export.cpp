#include "engine/data/data_export.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kRowsPerReport = 64;

void exportJsonl(const std::string& file, const std::string& output, bool teacherPrompt, const CueEdits& edits, const std::function<Sample(std::int64_t)>& read) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error("The data file could not be read", file);
  std::ofstream out(output, std::ios::binary | std::ios::trunc);
  std::int64_t row = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Sample sample = read(row);
    const auto edit = edits.find(row++);
    std::string text = edit != edits.end() && edit->second.changed() ? editedLine(line, edit->second) : line;
    if (teacherPrompt) {
      Json json = Json::parse(text);
      json["teacher_prompt"] = sample.teacherTurns.empty() ? Json() : Json::array();
      for (const Turn& turn : sample.teacherTurns) json["teacher_prompt"].push_back({{"role", turn.role}, {"content", turn.text}});
      text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    out << text << '\n';
  }
  if (!out.flush()) throw Error("The data file could not be written", output, "the disk refuses", "Check its space and the folder's rights.");
}

}  // namespace

std::vector<Turn> hintedTurns(std::vector<Turn> prompt, const std::string& hint) {
  const auto last = std::find_if(prompt.rbegin(), prompt.rend(), [](const Turn& turn) { return turn.role == "user"; });
  if (last == prompt.rend()) throw Error("The cue has no place", "prompt", "there is no user turn", "Add a question.");
  last->text += kHintMark + hint;
  return prompt;
}

DataExport exportRows(const std::string& file, const std::string& output, bool teacherPrompt, const EventSink& sink, std::stop_token stop) {
  std::error_code ignored;
  if (fs::path(file).lexically_normal() == fs::path(output).lexically_normal() || fs::equivalent(file, output, ignored))
    throw Error("The data file is not written over", file, "the new file has the source's own name", "Choose another name.");
  const std::string from = fs::path(file).extension().string(), to = fs::path(output).extension().string();
  if (to != ".parquet" && to != ".jsonl") throw Error("The new data file has an unknown kind", output, "its name ends with «" + to + "»", "Use .parquet or .jsonl.");
  if (fs::path(output).has_parent_path()) fs::create_directories(fs::path(output).parent_path());

  const Dataset dataset = Dataset::open({file}, true);
  const CueEdits edits = readCueEdits(cueEditsFile(file));
  DataExport done;
  done.rows = dataset.size();
  done.output = output;
  for (const EditedFile& edited : dataset.edited()) {
    done.edited += edited.rows;
    done.crops += edited.crops;
  }
  const auto read = [&](std::int64_t row) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink && row % kRowsPerReport == 0) sink(Progress{"Writing rows", static_cast<double>(row), static_cast<double>(dataset.size())});
    Sample sample = dataset.row(row);
    if (teacherPrompt && !sample.hasTeacherView()) {
      sample.teacherTurns = sample.cue.empty() ? std::vector<Turn>() : hintedTurns(sample.prompt, sample.cue);
      done.teacherPrompts += sample.cue.empty() ? 0 : 1;
    }
    return sample;
  };
  const auto provenance = [&](std::int64_t row) {
    const auto edit = edits.find(row);
    return edit == edits.end() || !edit->second.changed() ? std::string() : cueProvenance(edit->second);
  };
  const std::string part = output + ".export" + to;
  try {
    if (from == ".parquet" && to == ".parquet") {
      exportParquet(file, part, teacherPrompt, read, provenance);
    } else if (from != ".parquet" && to == ".jsonl") {
      exportJsonl(file, part, teacherPrompt, edits, read);
    } else {
      std::vector<Sample> samples;
      for (std::int64_t row = 0; row < dataset.size(); ++row) samples.push_back(read(row));
      to == ".parquet" ? writeParquet(part, samples) : writeJsonl(part, samples);
    }
    fs::rename(part, output);
  } catch (...) {
    fs::remove(part, ignored);
    throw;
  }
  return done;
}

}  // namespace cuescope
