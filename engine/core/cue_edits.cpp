#include "engine/core/cue_edits.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/core/run_directory.h"

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;

Json marksJson(const std::vector<CueMark>& marks) {
  Json list = Json::array();
  for (const CueMark& m : marks) {
    list.push_back({{"kind", m.kind}, {"x", m.x}, {"y", m.y}, {"w", m.width}, {"h", m.height}, {"label", m.label}, {"from", m.from}});
    if (m.image > 0) list.back()["image"] = m.image;
  }
  return list;
}

std::vector<CueMark> marksOf(const Json& list) {
  std::vector<CueMark> marks;
  for (const Json& m : list)
    marks.push_back({m.value("kind", "box"), m.at("x").get<float>(), m.at("y").get<float>(), m.at("w").get<float>(), m.at("h").get<float>(), m.value("label", ""), m.value("from", "data"), m.value("image", 0)});
  return marks;
}

Json provenanceJson(const CueEdit& edit) {
  const CueOrigin& o = edit.origin;
  Json json = {{"how", o.how.empty() ? "edited" : o.how}, {"by", edit.by}, {"at", edit.at}, {"changes", edit.changes}};
  if (!o.model.empty()) json["model"] = o.model;
  if (!o.prompt.empty()) json["prompt"] = o.prompt;
  if (o.seed >= 0) json["seed"] = o.seed;
  if (o.sawAnswer >= 0) json["saw_answer"] = o.sawAnswer == 1;
  return json;
}

CueOrigin originFrom(const Json& json) {
  CueOrigin origin;
  const auto text = [&](const char* name) {
    const auto found = json.find(name);
    return found == json.end() || found->is_null() ? std::string() : found->is_string() ? found->get<std::string>() : found->dump();
  };
  origin.how = text("how");
  origin.model = text("model");
  origin.prompt = text("prompt");
  if (const auto seed = json.find("seed"); seed != json.end() && seed->is_number_integer()) origin.seed = seed->get<std::int64_t>();
  if (const auto saw = json.find("saw_answer"); saw != json.end() && saw->is_boolean()) origin.sawAnswer = saw->get<bool>() ? 1 : 0;
  return origin;
}

}  // namespace

CueOrigin cueOriginOf(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? originFrom(json) : CueOrigin();
}

std::string cueEditLine(const CueEdit& edit) {
  const Json json = {{"row", edit.row},
                     {"id", edit.id},
                     {"cue", edit.cue},
                     {"evidence", marksJson(edit.marks)},
                     {"provenance", provenanceJson(edit)},
                     {"original", {{"cue", edit.originalCue}, {"evidence", marksJson(edit.originalMarks)}}}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

CueEdit parseCueEdit(const std::string& line) {
  const Json json = Json::parse(line);
  CueEdit edit;
  edit.row = json.at("row");
  edit.id = json.value("id", "");
  edit.cue = json.at("cue");
  edit.marks = marksOf(json.at("evidence"));
  const Json& original = json.at("original");
  edit.originalCue = original.at("cue");
  edit.originalMarks = marksOf(original.at("evidence"));
  if (const auto p = json.find("provenance"); p != json.end()) {
    edit.by = p->value("by", "");
    edit.at = p->value("at", "");
    edit.changes = p->value("changes", 1);
    edit.origin = originFrom(*p);
  }
  return edit;
}

bool ofAllPictures(const CueEdit& edit) {
  const auto behind = [](const CueMark& mark) { return mark.image > 0; };
  return std::any_of(edit.marks.begin(), edit.marks.end(), behind) || std::any_of(edit.originalMarks.begin(), edit.originalMarks.end(), behind);
}

std::string cueEditsFile(const std::string& dataFile) { return dataFile + ".edits.jsonl"; }

CueEdits readCueEdits(const std::string& editsFile) {
  CueEdits edits;
  std::ifstream in(editsFile, std::ios::binary);
  std::string line;
  for (int number = 1; in && std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      CueEdit edit = parseCueEdit(line);
      edits[edit.row] = std::move(edit);
    } catch (const nlohmann::json::exception& error) {
      throw Error("Saved cue edits could not be read", editsFile + ", line " + std::to_string(number), error.what(),
                  "The file was changed by another program; mend that line, or move the file away to begin anew.");
    }
  }
  return edits;
}

void writeCueEdits(const std::string& editsFile, const CueEdits& edits) {
  std::string text;
  for (const auto& [row, edit] : edits) {
    if (!edit.changed()) continue;
    text += cueEditLine(edit) + "\n";
  }
  if (text.empty()) {
    std::error_code ignored;  // nothing to take away is fine
    std::filesystem::remove(editsFile, ignored);
    return;
  }
  writeFileDurably(editsFile, text);
}

std::string cueProvenance(const CueEdit& edit) {
  Json json = provenanceJson(edit);
  json["original"] = {{"cue", edit.originalCue}, {"evidence", marksJson(edit.originalMarks)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string editedLine(const std::string& line, const CueEdit& edit) {
  Json json = Json::parse(line);
  json["cue"] = edit.cue;
  json["cue_provenance"] = Json::parse(cueProvenance(edit));
  Json evidence = Json::array();  // of pictures that the edit does not know: as they were
  if (const auto old = json.find("evidence"); !ofAllPictures(edit) && old != json.end() && old->is_array())
    for (const Json& box : *old)
      if (box.value("image", 0) != 0) evidence.push_back(box);
  for (Json mark : marksJson(edit.marks)) {
    if (!mark.contains("image")) mark["image"] = 0;
    evidence.push_back(mark);
  }
  json["evidence"] = evidence;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void writeEditedJsonl(const std::string& source, const CueEdits& edits, const std::string& output) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::path(source).lexically_normal() == fs::path(output).lexically_normal() || fs::equivalent(source, output, ignored))
    throw Error("The data file is not written over", source, "the new file has the source's own name", "Choose another name.");
  if (fs::path(source).extension() != ".jsonl" || fs::path(output).extension() != ".jsonl")
    throw Error("Edits are applied to JSONL files only", source, "this is another kind of file",
                "Keep the edits beside the data (Save), or convert the data to JSONL first.");
  std::ifstream in(source, std::ios::binary);
  if (!in) throw Error("The data file could not be read", source);
  const std::string part = output + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  std::int64_t row = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto edit = edits.find(row++);
    if (edit == edits.end() || !edit->second.changed()) {
      out << line << '\n';
      continue;
    }
    try {
      out << editedLine(line, edit->second) << '\n';
    } catch (const nlohmann::json::exception& error) {
      throw Error("A row of the data could not be read", source + ", row " + std::to_string(row - 1), error.what());
    }
  }
  out.close();
  if (!out) throw Error("The new data file could not be written", output, "the disk refuses", "Check its space and the folder's rights.");
  std::error_code error;
  fs::rename(part, output, error);
  if (error) throw Error("The new data file could not be written", output, error.message());
}

}  // namespace cuescope
