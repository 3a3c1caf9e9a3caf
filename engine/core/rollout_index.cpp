#include "engine/core/rollout_index.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using nlohmann::json;

constexpr std::size_t kPromptBytes = 160, kAnswerBytes = 80;

/// Cut at a whole character.
std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + "…";
}

constexpr const char* kTeacherValues = "teacher_token_logprobs";

/// A value as words: text without quotes, everything else as JSON.
std::string words(const json& value) {
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

double numberOr(const json& line, const char* key, double otherwise) {
  const auto found = line.find(key);
  if (found == line.end()) return otherwise;
  if (found->is_boolean()) return found->get<bool>() ? 1 : 0;
  return found->is_number() ? found->get<double>() : otherwise;
}

std::vector<float> floats(const json& line, const char* key) {
  std::vector<float> out;
  const auto found = line.find(key);
  if (found == line.end() || !found->is_array()) return out;
  out.reserve(found->size());
  for (const auto& value : *found) out.push_back(value.is_number() ? value.get<float>() : std::numeric_limits<float>::quiet_NaN());
  return out;
}

/// The reference writes the teacher's values in a list a token, cut from an array that is shifted by one: entry t scores token t + 1 and
/// the last one nothing (spec 7-B1). A flat list is aligned.
bool isShifted(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_array() && !found->empty() && found->front().is_array();
}

/// Puts such a list right; nobody scored the first token.
std::vector<float> unshifted(const json& line, const char* key) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out{kNan};
  for (const auto& values : line.at(key)) out.push_back(values.is_array() && !values.empty() && values.front().is_number() ? values.front().get<float>() : kNan);
  out.pop_back();
  return out;
}

std::string textOr(const json& line, const char* key) {
  const auto found = line.find(key);
  return found == line.end() ? std::string() : words(*found);
}

RolloutRecord recordOf(const json& line, int step, int index) {
  if (!line.is_object()) throw std::invalid_argument("the line is no JSON object");
  if (!line.contains("output") && !line.contains("ids")) throw std::invalid_argument("it has neither «output» nor «ids»");
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  RolloutRecord r;
  r.step = static_cast<int>(numberOr(line, "step", step));
  r.index = static_cast<int>(numberOr(line, "index", index));
  r.sampleId = textOr(line, "request_id");
  r.input = textOr(line, "input");
  r.output = textOr(line, "output");
  r.groundTruth = textOr(line, "gts");
  r.score = numberOr(line, "score", kNan);
  r.accuracy = numberOr(line, "acc", kNan);
  r.format = numberOr(line, "format", kNan);
  r.stopped = numberOr(line, "stopped", 0) != 0;
  r.dataFile = textOr(line, "data_file");
  r.dataRow = static_cast<std::int64_t>(numberOr(line, "data_row", -1));
  const auto topIds = line.find("teacher_topk_ids"), topLogProbs = line.find("teacher_topk_logprobs");
  if (topIds != line.end() && topLogProbs != line.end() && topIds->is_array() && topLogProbs->is_array() && topIds->size() == topLogProbs->size()) {
    for (std::size_t t = 0; t < topIds->size(); ++t) {
      r.teacherTopIds.push_back((*topIds)[t].get<std::vector<std::int64_t>>());
      std::vector<float> values;
      for (const auto& value : (*topLogProbs)[t]) values.push_back(value.is_number() ? value.get<float>() : std::numeric_limits<float>::quiet_NaN());
      r.teacherTopLogProbs.push_back(std::move(values));
    }
  }
  if (const auto ids = line.find("ids"); ids != line.end() && ids->is_array())
    for (const auto& id : *ids)
      if (id.is_number_integer()) r.ids.push_back(id.get<std::int64_t>());
  r.studentLogProbs = floats(line, "student_token_logprobs");
  r.teacherLogProbs = isShifted(line, kTeacherValues) ? unshifted(line, kTeacherValues) : floats(line, kTeacherValues);
  return r;
}

void fillGaps(RolloutFacts& facts, const RolloutRecord& r) {
  const std::size_t n = std::min(r.studentLogProbs.size(), r.teacherLogProbs.size());
  if (n == 0) return;
  const std::size_t bins = std::min<std::size_t>(n, kSparkBins);
  facts.spark.assign(bins, 0.0f);
  double sum = 0;
  std::size_t counted = 0;
  float largest = 0;
  for (std::size_t t = 0; t < n; ++t) {
    const float gap = r.teacherLogProbs[t] - r.studentLogProbs[t];
    if (!std::isfinite(gap)) continue;
    sum += std::abs(gap);
    ++counted;
    largest = std::max(largest, std::abs(gap));
    float& bin = facts.spark[t * bins / n];
    if (std::abs(gap) > std::abs(bin)) bin = gap;
  }
  if (counted == 0) return;
  facts.meanGap = static_cast<float>(sum / static_cast<double>(counted));
  facts.maxGap = largest;
}

RolloutFacts factsOf(const json& line, int step, int index) {
  const RolloutRecord r = recordOf(line, step, index);
  RolloutFacts facts;
  facts.step = r.step;
  facts.index = r.index;
  facts.sampleId = r.sampleId;
  facts.dataFile = r.dataFile;
  facts.dataRow = r.dataRow;
  facts.kind = textOr(line, "kind");
  if (facts.kind.empty()) facts.kind = textOr(line, "data_source");
  facts.prompt = cut(promptWords(r.input), kPromptBytes);
  facts.answer = boxedPart(r.output);
  if (facts.answer.empty() && !r.output.empty()) {  // the last words
    std::string tail = r.output.size() > kAnswerBytes ? r.output.substr(r.output.size() - kAnswerBytes) : r.output;
    while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xc0) == 0x80) tail.erase(0, 1);
    for (char& c : tail)
      if (c == '\n') c = ' ';
    facts.answer = tail.size() < r.output.size() ? "…" + tail : tail;
  }
  facts.answer = cut(facts.answer, kAnswerBytes);
  if (!r.ids.empty()) facts.tokens = static_cast<int>(r.ids.size());
  else facts.tokens = static_cast<int>(numberOr(line, "response_length", -1));
  facts.score = static_cast<float>(r.score);
  if (line.contains("stopped")) facts.stopped = r.stopped ? 1 : 0;
  fillGaps(facts, r);
  return facts;
}

std::string lineAt(const std::string& file, const RolloutFacts& facts) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error("The saved response could not be read", file, std::strerror(errno), "Check that the file is still there.");
  std::string line(static_cast<std::size_t>(facts.bytes), '\0');
  in.seekg(facts.offset);
  if (!in.read(line.data(), facts.bytes))
    throw Error("The saved response could not be read", file + ", byte " + std::to_string(facts.offset), "the file is shorter than it was",
                "It was replaced; open the run again.");
  return line;
}

/// The raw bytes of `"key": "value"`'s value with its quotes; empty when the key is not there or holds no text.
std::string rawText(const std::string& line, const std::string& key) {
  const std::string quoted = '"' + key + '"';
  for (std::size_t at = line.find(quoted); at != std::string::npos; at = line.find(quoted, at + 1)) {
    std::size_t colon = at + quoted.size();
    while (colon < line.size() && line[colon] == ' ') ++colon;
    if (colon >= line.size() || line[colon] != ':') continue;  // the words of a text, not a key
    std::size_t begin = colon + 1;
    while (begin < line.size() && line[begin] == ' ') ++begin;
    if (begin >= line.size() || line[begin] != '"') return {};
    std::size_t end = begin + 1;
    while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    return end < line.size() ? line.substr(begin, end + 1 - begin) : std::string();
  }
  return {};
}

}  // namespace

RolloutScanner::RolloutScanner(std::string file, int number, int step) : m_file(std::move(file)), m_number(number), m_step(step) {}

std::vector<RolloutFacts> RolloutScanner::next(int lines, std::stop_token stop) {
  std::ifstream in(m_file, std::ios::binary | std::ios::ate);
  if (!in) throw Error("The saved responses could not be read", m_file, std::strerror(errno), "Check that the file is still there.");
  m_size = in.tellg();
  if (m_size < m_offset) m_offset = m_line = 0;  // replaced by a shorter one
  in.seekg(m_offset);
  std::vector<RolloutFacts> found;
  for (std::string line; static_cast<int>(found.size()) < lines && !stop.stop_requested() && std::getline(in, line);) {
    if (in.eof()) {  // no line end: still being written, unless it is a whole object already
      if (json::accept(line)) m_size = m_offset + static_cast<std::int64_t>(line.size());
      else break;
    }
    const std::int64_t at = m_offset;
    m_offset += static_cast<std::int64_t>(line.size()) + (in.eof() ? 0 : 1);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      RolloutFacts facts = factsOf(json::parse(line), m_step, static_cast<int>(m_line));
      facts.file = m_number;
      facts.offset = at;
      facts.bytes = static_cast<std::int32_t>(line.size());
      found.push_back(std::move(facts));
    } catch (const std::exception& error) {
      if (m_problems++ == 0) m_firstProblem = "line " + std::to_string(m_line + 1) + ": " + error.what();
    }
    ++m_line;
  }
  return found;
}

int rolloutStepOf(const std::string& file) {
  const std::string stem = fs::path(file).stem().string();
  const bool numbered = !stem.empty() && stem.size() < 10 && stem.find_first_not_of("0123456789") == std::string::npos;
  return numbered ? std::atoi(stem.c_str()) : -1;
}

std::vector<RolloutFile> rolloutFiles(const std::string& folder) {
  std::vector<RolloutFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".jsonl") continue;
    const int step = rolloutStepOf(it->path().string());
    if (step >= 0) files.push_back({it->path().string(), step});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return files;
}

bool isRolloutFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  if (!in || !std::getline(in, line)) return false;
  const json first = json::parse(line, nullptr, false);
  return first.is_object() && first.contains("output") && (first.contains("input") || first.contains("ids"));
}

RolloutDetail readRollout(const std::string& file, const RolloutFacts& facts) {
  try {
    const json line = json::parse(lineAt(file, facts));
    RolloutDetail detail;
    detail.record = recordOf(line, facts.step, facts.index);
    static const char* const kKnown[] = {"step", "index", "request_id", "input", "output", "gts", "score", "acc", "format", "stopped",
                                         "ids", "student_token_logprobs", "teacher_token_logprobs", "teacher_topk_ids", "teacher_topk_logprobs",
                                         "data_file", "data_row", "images"};
    for (const auto& [key, value] : line.items())
      if (std::none_of(std::begin(kKnown), std::end(kKnown), [&](const char* known) { return key == known; }))
        detail.others.emplace_back(key, words(value));
    if (isShifted(line, kTeacherValues)) detail.others.emplace_back(kTeacherValues, "written one token late by the reference, put right here; the first token has none");
    return detail;
  } catch (const json::exception& error) {
    throw Error("A saved response could not be read", file + ", byte " + std::to_string(facts.offset), error.what(),
                "The file was changed by another program; the other rows are not affected.");
  }
}

std::string rolloutText(const std::string& file, const RolloutFacts& facts) {
  try {
    const json line = json::parse(lineAt(file, facts));
    return textOr(line, "input") + "\n" + textOr(line, "output");
  } catch (const std::exception&) {
    return {};  // a row that cannot be read holds no words
  }
}

std::vector<RolloutFacts> samePrompt(const std::vector<RolloutFile>& files, const std::string& file, const RolloutFacts& facts,
                                     std::stop_token stop) {
  const std::string own = lineAt(file, facts);
  const char* key = "request_id";
  std::string value = rawText(own, key);
  if (value.size() <= 2) value = rawText(own, key = "input");
  std::vector<RolloutFacts> found;
  if (value.size() <= 2) return found;
  for (std::size_t number = 0; number < files.size(); ++number) {
    std::ifstream in(files[number].path, std::ios::binary);
    std::int64_t at = 0;
    int index = 0;
    for (std::string line; !stop.stop_requested() && std::getline(in, line); ++index) {
      const std::int64_t begin = at;
      at += static_cast<std::int64_t>(line.size()) + 1;
      if (line.find(value) == std::string::npos || rawText(line, key) != value) continue;
      const json parsed = json::parse(line, nullptr, false);
      if (parsed.is_discarded()) continue;  // half a line
      try {
        RolloutFacts same = factsOf(parsed, files[number].step, index);
        same.file = static_cast<int>(number);
        same.offset = begin;
        same.bytes = static_cast<std::int32_t>(line.size());
        found.push_back(std::move(same));
      } catch (const std::exception&) {
        continue;  // counted where the file is listed
      }
    }
  }
  return found;
}

std::string boxedPart(const std::string& text) {
  const std::size_t at = text.rfind("\\boxed{");
  if (at == std::string::npos) return {};
  int depth = 1;
  const std::size_t begin = at + 7;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(begin, i - begin);
  }
  return {};
}

std::string promptWords(const std::string& rendered) {
  std::string text = rendered;
  if (const std::size_t user = text.rfind("<|im_start|>user"); user != std::string::npos) {
    text = text.substr(user + 16);
    text = text.substr(0, text.find("<|im_end|>"));
  } else if (const std::size_t plain = text.rfind("\nuser\n"); plain != std::string::npos) {  // special tokens were left out
    text = text.substr(plain + 6);
    text = text.substr(0, text.rfind("\nassistant"));
  } else if (text.starts_with("user\n")) {
    text = text.substr(5);
    text = text.substr(0, text.rfind("\nassistant"));
  }
  for (const char* mark : {"<|vision_start|>", "<|image_pad|>", "<|video_pad|>", "<|vision_end|>", "<image>", "<video>"})
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) text.erase(at, std::strlen(mark));
  std::string line;
  for (const char c : text) {
    if (c != '\n' && c != '\t' && c != '\r') line += c;
    else if (!line.empty() && line.back() != ' ') line += ' ';
  }
  const std::size_t first = line.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(' ') - first + 1);
}

}  // namespace cuescope
