// CueEdits: changes that a person made to cues and evidence, kept beside the data (FILE.edits.jsonl), never in it. One line a row:
//   {"row": 12, "id": "...", "cue": "...", "evidence": [{"kind": "box", "x", "y", "w", "h", "label", "from", "image"}],
//    "provenance": {"how": "edited", "by": "ann", "at": "2026-07-01T10:00:00Z", "changes": 3, "saw_answer": true}, "original": {"cue", "evidence"}}
// A suggested cue also says "model", "prompt" and "seed" (spec 5.1). Pixels are those of the stored picture. No torch, no Qt; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cuescope {

struct CueMark {
  std::string kind = "box";  // box, point (one pixel), crop
  float x = 0, y = 0, width = 0, height = 0;
  std::string label;
  std::string from = "data";  // data, or edited
  int image = 0;              // of the row's pictures
  bool operator==(const CueMark&) const = default;
};

/// How a cue's text came to be (spec 5.1). Empty and -1 stand for what nobody wrote down.
struct CueOrigin {
  std::string how;            // edited, suggested, «suggested, edited», or what the data say
  std::string model, prompt;
  std::int64_t seed = -1;
  int sawAnswer = -1;         // whether whoever wrote it had seen the answer: 0 no, 1 yes
  bool operator==(const CueOrigin&) const = default;
};
/// Of the data's column cue_provenance; empty text, and text that is no JSON object, say nothing.
CueOrigin cueOriginOf(const std::string& json);

/// What a row says where to look, and how it came to that.
struct CueEdit {
  std::int64_t row = -1;
  std::string id;
  std::string cue;
  std::vector<CueMark> marks;
  std::string originalCue;
  std::vector<CueMark> originalMarks;
  std::string by, at;  // who, and when in UTC
  int changes = 0;     // steps of editing; 0: as the data has it
  CueOrigin origin;    // of `cue`
  bool changed() const { return cue != originalCue || marks != originalMarks; }
};

using CueEdits = std::map<std::int64_t, CueEdit>;  // by row

/// Whether the edit's marks stand for those of every picture. An edit that knows of none behind the first picture (older files know
/// of none at all) leaves the others' evidence as the data has it.
bool ofAllPictures(const CueEdit& edit);

std::string cueEditsFile(const std::string& dataFile);  // FILE.edits.jsonl
/// Edits of a data file; empty when there are none. Throws Error that names a line which is no edit.
CueEdits readCueEdits(const std::string& editsFile);
/// Rows that are as the data has them are left out; no rows: the file is taken away. Durable, whole or not at all.
void writeCueEdits(const std::string& editsFile, const CueEdits& edits);
/// One edit as a line of JSON without its end, and back. Throws nlohmann::json::exception.
std::string cueEditLine(const CueEdit& edit);
CueEdit parseCueEdit(const std::string& line);
/// A JSONL data file with its edits applied (editedLine), as another file; other rows are kept as they are. Error when `output` is the
/// source, or the source no JSONL.
void writeEditedJsonl(const std::string& source, const CueEdits& edits, const std::string& output);

/// A line of JSONL with an edit applied, without the newline; throws nlohmann's exception for what is no object of JSON.
std::string editedLine(const std::string& line, const CueEdit& edit);
/// Who, when and the original, as an object of JSON.
std::string cueProvenance(const CueEdit& edit);

}  // namespace cuescope
