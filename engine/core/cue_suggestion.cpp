#include "engine/core/cue_suggestion.h"

#include "engine/core/failure.h"

namespace cuescope {
namespace {

constexpr int kLongestCue = 160;  // tokens
constexpr const char* kMark = "<image>";

// Names the rule for the provenance; the words are the whole request.
constexpr const char* kCueRequest =
    "Say what is visible in the picture and needed to answer the question: objects, labels, marks, values, and how they are attached to each other. "
    "At most three sentences. Do not name a theorem or a rule, do not plan, do not calculate, do not answer.\nQuestion: ";

std::string withoutMarks(std::string text) {
  for (std::size_t at; (at = text.find(kMark)) != std::string::npos;) text.erase(at, std::char_traits<char>::length(kMark));
  return text;
}

}  // namespace

InspectRequest suggestionRequest(const std::string& model, const DataRow& row) {
  const std::string where = "row " + std::to_string(row.index);
  if (!row.problem.empty()) throw Error("No cue can be suggested", where, row.problem, "Repair the row.");
  if (row.pictures != 1 || row.image.empty())
    throw Error("No cue can be suggested", where, "only rows with one picture are read; this one has " + std::to_string(row.pictures), "Write its cue.");
  InspectRequest request;
  request.student = model;
  request.imageBytes = row.image;
  request.imageLabel = request.sampleId = row.id;
  request.question = kMark + std::string(kCueRequest) + (row.question.empty() ? withoutMarks(row.prompt) : row.question);
  request.sites.clear();
  request.sampling.maxNew = kLongestCue;
  return request;
}

CueEdit withSuggestion(CueEdit edit, const InspectRequest& request, const Inspection& inspection) {
  constexpr const char* kBlanks = " \t\r\n";
  const std::size_t begin = inspection.answer.find_first_not_of(kBlanks);
  if (begin == std::string::npos) throw Error("No cue was suggested", "row " + std::to_string(edit.row), "the model answered nothing", "Choose another model, or write the cue.");
  edit.cue = inspection.answer.substr(begin, inspection.answer.find_last_not_of(kBlanks) - begin + 1);
  edit.origin = {"suggested", inspection.student.name, request.question, -1, 0};
  return edit;
}

}  // namespace cuescope
