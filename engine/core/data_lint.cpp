#include "engine/core/data_lint.h"

#include <utf8proc.h>

#include <algorithm>
#include <string_view>

#include "engine/core/image_header.h"
#include "engine/core/rollout_index.h"
#include "engine/engine.h"

namespace cuescope {
namespace {

constexpr int kLintPage = 100;          // rows that are asked for at a time
constexpr std::size_t kLongestLeak = 80;  // letters; a whole solution does not stand in a cue word by word

constexpr const char* kTheoremWords[] = {
    "theorem", "pythagoras", "pythagorean", "lemma", "corollary", "axiom", "postulate", "identity", "formula", "equation", "quadratic", "polynomial",
    "derivative", "integral", "logarithm", "sine", "cosine", "tangent ratio", "law of sines", "law of cosines", "similar triangles", "congruent",
    "congruence", "proportion", "ratio of", "power of a point", "intersecting chords", "inscribed angle", "central angle theorem", "thales",
    "ptolemy", "menelaus", "ceva", "heron", "euler", "vieta", "calculate", "compute", "solve", "substitute", "simplify", "multiply", "divide by",
    "square root", "cross-multiply", "therefore", "thus", "hence", "because of", "it follows", "we get", "we obtain", "using the", "apply the",
    "by definition", "first step", "next step", "then add", "subtract", "sum up", "the answer", "answer is", "result is", "equals to", "plan:"};

/// A text's letters in lower case, each with the byte at which it begins; one more byte at the end. Bytes that are no UTF-8 count one by one.
struct Letters {
  std::vector<utf8proc_int32_t> lower;
  std::vector<std::size_t> begin;
};

Letters lettersOf(const std::string& text) {
  Letters letters;
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t letter = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at, static_cast<utf8proc_ssize_t>(text.size() - at), &letter);
    letters.begin.push_back(at);
    letters.lower.push_back(length > 0 ? utf8proc_tolower(letter) : -1);
    at += length > 0 ? static_cast<std::size_t>(length) : 1;
  }
  letters.begin.push_back(text.size());
  return letters;
}

bool isDigit(utf8proc_int32_t letter) { return letter >= 0 && utf8proc_category(letter) == UTF8PROC_CATEGORY_ND; }
bool isWordPart(utf8proc_int32_t letter) {
  if (letter < 0) return false;
  const auto category = utf8proc_category(letter);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) || (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

/// `word` stands at letter `at` with no other word's letter beside it. With `numbers` «3» does not stand in «1.3» and «3.5» either.
bool standsAt(const Letters& text, std::size_t at, const Letters& word, bool numbers) {
  const std::size_t length = word.lower.size(), end = at + length;
  if (length == 0 || end > text.lower.size() || !std::equal(word.lower.begin(), word.lower.end(), text.lower.begin() + static_cast<std::ptrdiff_t>(at))) return false;
  if (at > 0 && (isWordPart(text.lower[at - 1]) || (numbers && text.lower[at - 1] == '.'))) return false;
  if (end == text.lower.size()) return true;
  const bool fraction = numbers && text.lower[end] == '.' && end + 1 < text.lower.size() && isDigit(text.lower[end + 1]);
  return !isWordPart(text.lower[end]) && !fraction;
}

const std::vector<Letters>& theoremLetters() {
  static const std::vector<Letters> kAll = [] {
    std::vector<Letters> all;
    for (const char* word : kTheoremWords) all.push_back(lettersOf(word));
    return all;
  }();
  return kAll;
}

/// Without blanks at the ends, one blank instead of several.
std::string onOneLine(std::string_view text) {
  std::string out;
  bool blank = false;
  for (const char c : text) {
    if (std::string_view(" \t\n\r\v\f").find(c) != std::string_view::npos) {
      blank = !out.empty();
      continue;
    }
    if (std::exchange(blank, false)) out += ' ';
    out += c;
  }
  return out;
}

/// At most so many letters.
std::string cut(const std::string& text, std::size_t letters) {
  const Letters all = lettersOf(text);
  return letters < all.lower.size() ? text.substr(0, all.begin[letters]) : text;
}

std::string grouped(std::int64_t value) {
  const std::string digits = std::to_string(value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string counted(std::int64_t count, const std::string& one) { return std::to_string(count) + " " + one + (count == 1 ? "" : "s"); }

std::size_t occurrences(const std::string& text, std::string_view mark) {
  std::size_t count = 0;
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + mark.size())) ++count;
  return count;
}

RowFinding lengthFinding(const RowVerdict& t) {
  const auto of = [](std::int64_t tokens, std::int64_t limit) { return grouped(tokens) + " of " + grouped(limit); };
  std::string detail = "student " + of(t.student, t.studentLimit);
  if (t.teacher >= 0) detail += ", teacher " + of(t.teacher, t.teacherLimit);
  detail += (t.answer >= 0 ? ", answer " + of(t.answer, t.answerLimit) : ", room for " + grouped(t.answerLimit) + " of response") + " tokens";
  if (t.student > t.studentLimit) return {Check::Length, Verdict::Wrong, "prompt too long", detail};
  if (t.teacher > t.teacherLimit) return {Check::Length, Verdict::Wrong, "teacher prompt too long", detail};
  if (t.answer > t.answerLimit) return {Check::Length, Verdict::Look, "answer is cut", detail};
  return {Check::Length, Verdict::Fine, "within the limits", detail};
}

std::string gridsText(const std::vector<std::vector<std::int64_t>>& grids) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, grids.size()); ++i) {
    const auto& grid = grids[i];
    text += (i ? ", " : "") + (grid[0] > 1 ? std::to_string(grid[0]) + " × " : "") + std::to_string(grid[1]) + " × " + std::to_string(grid[2]);
  }
  return grids.size() > kShown ? text + ", …" : text;
}

RowFinding placesFinding(const DataRow& row, const RowVerdict* t) {
  const auto marks = static_cast<int>(occurrences(row.prompt, "<image>"));
  std::string detail = counted(marks, "mark") + ", " + counted(row.pictures, "picture");
  bool right = marks == row.pictures;
  if (t && t->student >= 0) {
    right = right && t->places[0] == t->visual[0] && (t->teacher < 0 || t->places[1] == t->visual[1]);
    const bool other = t->teacher >= 0 && t->places[1] != t->places[0];
    if (!t->grids.empty())
      detail += "; " + std::to_string(t->places[0]) + (other ? " and " + std::to_string(t->places[1]) : "") + " places for " + std::to_string(t->visual[0]) + " visual tokens (" + gridsText(t->grids) + " patches)";
  }
  return {Check::Placeholders, right ? Verdict::Fine : Verdict::Wrong, right ? "match" : "placeholders", detail};
}

RowFinding boxesFinding(const DataRow& row, const CueEdit& cue, const std::vector<std::pair<int, int>>& sizes) {
  constexpr float kHalfPixel = 0.5f;
  std::int64_t outside = 0;
  for (const CueMark& mark : cue.marks) {
    const auto image = static_cast<std::size_t>(std::max(0, mark.image));
    const auto [width, height] = image < sizes.size() ? sizes[image] : std::pair{0, 0};
    const bool beyond = width > 0 && (mark.x + mark.width > static_cast<float>(width) + kHalfPixel || mark.y + mark.height > static_cast<float>(height) + kHalfPixel);
    if (mark.x < 0 || mark.y < 0 || mark.width <= 0 || mark.height <= 0 || beyond || mark.image < 0 || mark.image >= std::max(1, row.pictures)) ++outside;
  }
  const auto all = static_cast<std::int64_t>(cue.marks.size());
  if (outside > 0) return {Check::Boxes, Verdict::Wrong, "box outside", std::to_string(outside) + " of " + counted(all, "mark") + " leave the picture or are empty"};
  return {Check::Boxes, Verdict::Fine, "inside", all == 0 ? "no marks" : counted(all, "mark") + " inside the picture"};
}

}  // namespace

const char* checkName(Check check) {
  constexpr const char* kNames[kChecks] = {"Readable", "Placeholders", "Cue", "Answer in cue", "Theorem words", "Boxes", "Length"};
  return kNames[static_cast<std::size_t>(check)];
}

const char* verdictName(Verdict verdict) { return verdict == Verdict::Fine ? "fine" : verdict == Verdict::Look ? "look" : "wrong"; }

std::string bareAnswerOf(const std::string& answer) {
  const std::string boxed = boxedPart(answer);
  return onOneLine(boxed.empty() ? answer : boxed);
}

bool answerLeaks(const std::string& answer, const std::string& cue) {
  const Letters word = lettersOf(onOneLine(answer));
  if (word.lower.empty() || word.lower.size() > kLongestLeak) return false;
  const Letters text = lettersOf(cue);
  for (std::size_t at = 0; at < text.lower.size(); ++at)
    if (standsAt(text, at, word, true)) return true;
  return false;
}

std::string theoremWord(const std::string& cue) {
  const Letters text = lettersOf(cue);
  for (std::size_t at = 0; at < text.lower.size(); ++at)
    for (const Letters& word : theoremLetters())
      if (standsAt(text, at, word, false)) return cue.substr(text.begin[at], text.begin[at + word.lower.size()] - text.begin[at]);
  return {};
}

CueEdit cueOf(const DataRow& row) {
  CueEdit edit;
  edit.row = row.index;
  edit.id = row.id;
  edit.cue = edit.originalCue = row.cue;
  edit.origin = cueOriginOf(row.provenance);
  for (const PixelBox& box : row.evidence) edit.marks.push_back({"box", box.x, box.y, box.width, box.height, box.label, "data", box.image});
  edit.originalMarks = edit.marks;
  return edit;
}

std::vector<std::pair<int, int>> pictureSizesOf(const DataRow& row) {
  std::vector<std::pair<int, int>> sizes;
  const auto add = [&](const std::vector<std::uint8_t>& bytes) {
    try {
      const ImageHeader header = readImageHeader(bytes.data(), bytes.size(), row.id);
      const std::pair<int, int> stored{static_cast<int>(header.width), static_cast<int>(header.height)};
      sizes.push_back(header.orientation >= 5 ? std::pair{stored.second, stored.first} : stored);
    } catch (const Error&) {  // the row cannot be read, and that is a finding of its own
      sizes.emplace_back(0, 0);
    }
  };
  if (row.pictures > 0) add(row.image);
  for (const auto& bytes : row.moreImages) add(bytes);
  return sizes;
}

std::vector<RowFinding> findingsOf(const DataRow& row, const CueEdit& cue, const std::vector<std::pair<int, int>>& sizes, const RowVerdict* tokens) {
  if (!row.problem.empty()) return {{Check::Readable, Verdict::Wrong, "cannot be read", row.problem}};
  std::vector<RowFinding> list;
  if (tokens && tokens->category == "unreadable") list.push_back({Check::Readable, Verdict::Wrong, "a run leaves it out", tokens->reason});
  if (tokens && tokens->student >= 0) list.push_back(lengthFinding(*tokens));
  list.push_back(placesFinding(row, tokens));
  const std::string text = onOneLine(cue.cue);
  if (text.empty()) list.push_back({Check::Cue, Verdict::Look, "no cue", "the teacher reads what the student reads"});
  else list.push_back({Check::Cue, Verdict::Fine, "has a cue", counted(static_cast<std::int64_t>(lettersOf(cue.cue).lower.size()), "character")});
  const std::string answer = bareAnswerOf(row.answer);
  const bool leaks = answerLeaks(answer, cue.cue);
  list.push_back({Check::Leak, leaks ? Verdict::Wrong : Verdict::Fine, leaks ? "answer in cue" : "not found", "«" + cut(answer, 40) + "» " + (leaks ? "stands in the cue" : "is not in the cue")});
  const std::string word = theoremWord(cue.cue);
  if (word.empty()) list.push_back({Check::Theorem, Verdict::Fine, "none", "none of " + std::to_string(std::size(kTheoremWords))});
  else list.push_back({Check::Theorem, Verdict::Look, "theorem word", "«" + word + "»: say what is visible, not what to do with it"});
  list.push_back(boxesFinding(row, cue, sizes));
  return list;
}

std::int64_t DataLint::complaints() const {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts) sum += count;
  return sum;
}

DataLint lintFile(Engine& engine, CheckRowsRequest request, const std::function<void(std::int64_t, std::int64_t)>& progress, std::stop_token stop) {
  DataLint lint;
  request.count = kLintPage;
  for (request.first = 0;; request.first += kLintPage) {
    if (stop.stop_requested()) throw Cancelled();
    const DataRows page = engine.readRows(request.file, request.first, kLintPage);
    lint.rows = page.total;
    std::vector<RowVerdict> verdicts;
    if (lint.notCounted.empty()) {
      try {
        verdicts = engine.checkRows(request, stop);
      } catch (const Error& error) {
        lint.notCounted = error.failure().what + ": " + error.failure().where;
      }
    }
    for (const DataRow& row : page.rows) {
      const auto edit = request.edits.find(row.index);
      const auto tokens = std::find_if(verdicts.begin(), verdicts.end(), [&](const RowVerdict& v) { return v.row == row.index; });
      for (const RowFinding& finding : findingsOf(row, edit != request.edits.end() ? edit->second : cueOf(row), pictureSizesOf(row), tokens == verdicts.end() ? nullptr : &*tokens)) {
        if (finding.verdict == Verdict::Fine) continue;
        ++lint.counts[static_cast<std::size_t>(finding.check)];
        if (lint.found.size() < kMostComplaints) lint.found.push_back({row.index, row.id, finding});
      }
    }
    const std::int64_t done = std::min(page.total, request.first + kLintPage);
    if (progress) progress(done, page.total);
    if (page.rows.empty() || done >= page.total) return lint;
  }
}

}  // namespace cuescope
