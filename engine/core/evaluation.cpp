#include "engine/core/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/evaluation_file.h"
#include "engine/core/failure.h"
#include "engine/core/json_values.h"

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kBootstrapDraws = 2000;

/// SplitMix64: the same draws on every machine.
class Draws {
 public:
  std::uint64_t below(std::uint64_t bound) {
    m_state += 0x9e3779b97f4a7c15ull;
    std::uint64_t x = m_state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    x ^= x >> 31;
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(x) * bound) >> 64);
  }

 private:
  std::uint64_t m_state = 1;
};

double meanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// Of shares: one answer a row is a binomial, several are not.
Interval intervalOf(const std::vector<double>& values) {
  const bool binomial = std::all_of(values.begin(), values.end(), [](double v) { return v == 0 || v == 1; });
  if (!binomial) return bootstrapMean(values);
  double right = 0;
  for (const double value : values) right += value;
  return wilsonInterval(right, static_cast<double>(values.size()));
}

EvaluationScore scoreOf(const std::vector<const EvaluatedSample*>& samples, int passK) {
  std::vector<double> accuracy, format, pass;
  double tokens = 0, answers = 0;
  for (const EvaluatedSample* sample : samples) {
    accuracy.push_back(sample->accuracy());
    format.push_back(sample->format());
    int right = 0;
    for (const auto& answer : sample->answers) {
      right += answer.accuracy > 0.5 ? 1 : 0;
      tokens += static_cast<double>(answer.ids.size());
      ++answers;
    }
    pass.push_back(passAtK(static_cast<int>(sample->answers.size()), right, passK));
  }
  EvaluationScore score;
  score.accuracy = intervalOf(accuracy);
  score.format = intervalOf(format);
  score.passAtK = intervalOf(pass);
  score.answerTokens = answers > 0 ? tokens / answers : 0;
  return score;
}

Json toJson(const Interval& interval) {
  return {{"value", interval.value}, {"low95", interval.low}, {"high95", interval.high}, {"n", interval.n}};
}

Interval intervalFrom(const Json& json) {
  return {numberOr(json.at("value")), numberOr(json.at("low95")), numberOr(json.at("high95")), json.at("n").get<std::int64_t>()};
}

Json toJson(const DataVerdict::Lengths& lengths) {
  return {{"least", lengths.least}, {"median", lengths.median}, {"p95", lengths.p95}, {"most", lengths.most}, {"longest_row", lengths.longestRow}, {"counts", lengths.counts}};
}

std::string utf8Safe(const Json& json, int indent = -1) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace

double EvaluatedSample::accuracy() const {
  double sum = 0;
  for (const auto& answer : answers) sum += answer.accuracy;
  return answers.empty() ? 0 : sum / static_cast<double>(answers.size());
}

double EvaluatedSample::format() const {
  double sum = 0;
  for (const auto& answer : answers) sum += answer.format;
  return answers.empty() ? 0 : sum / static_cast<double>(answers.size());
}

std::string dataNameOf(const std::vector<std::string>& files) {
  std::string name;
  for (const auto& file : files) {
    if (!name.empty()) name += '+';
    name += std::filesystem::path(file).stem().string();
  }
  return name;
}

Interval wilsonInterval(double right, double n) {
  if (n <= 0) return {0, 0, 1, 0};
  constexpr double z = 1.959963984540054;
  const double p = right / n, scale = 1 + z * z / n, centre = p + z * z / (2 * n),
               spread = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {p, std::max(0.0, (centre - spread) / scale), std::min(1.0, (centre + spread) / scale), static_cast<std::int64_t>(std::llround(n))};
}

Interval bootstrapMean(const std::vector<double>& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  if (n == 0) return {0, kNotComputed, kNotComputed, 0};
  Draws draws;
  std::vector<double> means(kBootstrapDraws);
  for (double& mean : means) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += values[draws.below(static_cast<std::uint64_t>(n))];
    mean = sum / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  return {meanOf(values), means[static_cast<std::size_t>(0.025 * kBootstrapDraws)], means[static_cast<std::size_t>(0.975 * kBootstrapDraws) - 1], n};
}

Interval meanOfSeeds(const std::vector<double>& values) {
  // Two-sided 95 % quantiles of Student's t for 1 .. 9 degrees of freedom; more seeds take the normal distribution's.
  static constexpr std::array<double, 9> kT{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  const std::size_t n = values.size();
  const double mean = meanOf(values), none = kNotComputed;
  if (n < 2) return {n ? mean : none, none, none, static_cast<std::int64_t>(n)};
  double square = 0;
  for (const double value : values) square += (value - mean) * (value - mean);
  const double error = std::sqrt(square / static_cast<double>(n - 1) / static_cast<double>(n));
  const double t = n - 2 < kT.size() ? kT[n - 2] : 1.96;
  return {mean, mean - t * error, mean + t * error, static_cast<std::int64_t>(n)};
}

double passAtK(int n, int c, int k) {
  if (n <= 0 || k > n || k < 1) return 0;
  if (n - c < k) return 1;
  double none = 1;  // no right one among K: product of (n-c-i)/(n-i)
  for (int i = 0; i < k; ++i) none *= static_cast<double>(n - c - i) / (n - i);
  return 1 - none;
}

std::vector<EvaluationScore> scoresOf(const std::vector<EvaluatedSample>& samples, int passK) {
  std::vector<const EvaluatedSample*> all;
  for (const auto& sample : samples)
    if (sample.problem.empty()) all.push_back(&sample);
  std::vector<EvaluationScore> scores{scoreOf(all, passK)};
  scores.front().group = "all";
  using Member = std::string EvaluatedSample::*;
  for (const auto& [group, member] : {std::pair<const char*, Member>{"data_source", &EvaluatedSample::dataSource},
                                      {"kind", &EvaluatedSample::kind},
                                      {"layout", &EvaluatedSample::layout}}) {
    std::map<std::string, std::vector<const EvaluatedSample*>> parts;
    for (const EvaluatedSample* sample : all)
      if (!(sample->*member).empty()) parts[sample->*member].push_back(sample);
    for (const auto& [name, part] : parts) {
      EvaluationScore score = scoreOf(part, passK);
      score.group = group;
      score.name = name;
      scores.push_back(std::move(score));
    }
  }
  return scores;
}

std::string sampleLine(const EvaluatedSample& sample) {
  Json line = {{"index", sample.index},       {"file", sample.file},   {"row", sample.fileRow},     {"id", sample.id},
               {"data_source", sample.dataSource}, {"kind", sample.kind}, {"layout", sample.layout}, {"prompt", sample.prompt},
               {"question", sample.question}, {"gts", sample.groundTruth}};
  if (!sample.problem.empty()) {
    line["problem"] = sample.problem;
  } else {
    line["acc"] = sample.accuracy();
    line["format"] = sample.format();
    line["answers"] = Json::array();
    for (const auto& answer : sample.answers) {
      line["answers"].push_back({{"output", answer.text}, {"boxed", answer.boxed}, {"ids", answer.ids}, {"acc", answer.accuracy}, {"format", answer.format},
                                 {"logprob", answer.logProb}, {"finish", answer.finish}});
    }
  }
  if (!sample.sinkLayers.empty()) {
    line["sink_layers"] = sample.sinkLayers;
    line["sink_evidence"] = sample.sinkEvidence;
    line["sink_grids"] = sample.grids;
    line["sink_map"] = sample.sinkMap;
  }
  return utf8Safe(line) + "\n";
}

std::string scoresJson(const Evaluation& e) {
  Json scores = Json::array();
  for (const auto& score : e.scores) {
    Json entry = {{"group", score.group}, {"name", score.name}, {"accuracy", toJson(score.accuracy)}, {"format", toJson(score.format)}};
    if (e.answersPerRow > 1) entry["pass_at_k"] = toJson(score.passAtK);
    entry["answer_tokens"] = score.answerTokens;
    scores.push_back(entry);
  }
  const Json json = {{"model", {{"folder", e.model.folder}, {"name", e.model.name}, {"parameters", e.model.parameters}, {"digest", e.model.digest}, {"dtype", e.model.dtype}}},
                     {"step", e.step},
                     {"data", e.dataName},
                     {"files", e.files},
                     {"data_digest", e.dataDigest},
                     {"decoding", e.decoding},
                     {"privilege", e.privilege},
                     {"answers_per_row", e.answersPerRow},
                     {"k", e.passK},
                     {"rows", e.samples.empty() && !e.scores.empty() ? e.scores.front().accuracy.n : static_cast<std::int64_t>(e.samples.size())},
                     {"skipped", e.skipped},
                     {"seconds", e.seconds},
                     {"scores", scores}};
  return utf8Safe(json, 1) + "\n";
}

std::string keepInRun(const Evaluation& evaluation, bool allRows) {
  namespace fs = std::filesystem;
  const fs::path checkpoints = fs::path(evaluation.model.folder).lexically_normal().parent_path(), run = checkpoints.parent_path();
  if (!allRows || checkpoints.filename() != "checkpoints") return {};
  return keepInRunFolder(evaluation, run.string());
}

Evaluation readScores(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error("The evaluation could not be read", file, "the file does not open", "Evaluate again.");
  try {
    const Json json = Json::parse(in);
    Evaluation e;
    const Json& model = json.at("model");
    e.model.folder = model.value("folder", "");
    e.model.name = model.value("name", "");
    e.model.parameters = model.value("parameters", std::int64_t{0});
    e.model.digest = model.value("digest", "");
    e.model.dtype = model.value("dtype", "");
    e.step = json.value("step", -1);
    e.dataName = json.at("data");
    e.files = json.value("files", std::vector<std::string>{});
    e.dataDigest = json.value("data_digest", "");
    e.decoding = json.value("decoding", "");
    e.privilege = json.value("privilege", "none");
    e.answersPerRow = json.value("answers_per_row", 1);
    e.passK = json.value("k", 1);
    e.skipped = json.value("skipped", std::int64_t{0});
    e.seconds = json.value("seconds", 0.0);
    for (const Json& entry : json.at("scores")) {
      EvaluationScore score;
      score.group = entry.at("group");
      score.name = entry.at("name");
      score.accuracy = intervalFrom(entry.at("accuracy"));
      score.format = intervalFrom(entry.at("format"));
      if (entry.contains("pass_at_k")) score.passAtK = intervalFrom(entry.at("pass_at_k"));
      score.answerTokens = entry.value("answer_tokens", 0.0);
      e.scores.push_back(score);
    }
    if (e.scores.empty()) throw Error("The evaluation could not be read", file, "it holds no scores", "Evaluate again.");
    return e;
  } catch (const Json::exception& error) {
    throw Error("The evaluation could not be read", file, error.what(), "Evaluate again.");
  }
}

std::string verdictJson(const DataVerdict& v) {
  Json problems = Json::array();
  for (const auto& p : v.problems) problems.push_back({{"file", p.file}, {"row", p.row}, {"id", p.id}, {"category", p.category}, {"reason", p.reason}});
  Json edits = Json::array();
  for (const auto& e : v.edits) edits.push_back({{"file", e.file}, {"xxh3", e.digest}, {"rows", e.rows}, {"crops", e.crops}, {"applied", e.applied}});
  return utf8Safe(Json{{"files", v.files}, {"digest", v.digest}, {"rows", v.rows}, {"kept", v.kept}, {"dropped", v.dropped}, {"stops", v.stops}, {"cue_edits", edits}, {"batches", v.batches},
                       {"privileged", v.privileged}, {"student_limit", v.studentLimit}, {"teacher_limit", v.teacherLimit},
                       {"student_tokens", toJson(v.student)}, {"teacher_tokens", toJson(v.teacher)}, {"kinds", v.kinds}, {"layouts", v.layouts},
                       {"data_sources", v.dataSources}, {"problems", problems}, {"seconds", v.seconds}},
                  1) + "\n";
}

std::string verdictText(const DataVerdict& v) {
  std::string out;
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  for (const auto& file : v.files) out += "File       " + file + "\n";
  out += "Rows       " + number(v.rows) + ", of which " + number(v.kept) + " would be used (" + number(v.batches) + " whole batches an epoch)\n";
  for (const auto& [reason, count] : v.dropped) out += "Left out   " + number(count) + ": " + reason + "\n";
  if (!v.stops.empty()) out += "Stops      " + v.stops + "\n";
  for (const auto& e : v.edits)
    out += "Cue edits  " + number(e.rows) + " rows, " + number(e.crops) + " crops for the teacher: " + (e.applied ? "they count" : "left out (data.cue_edits: false)") + "; " + e.file + ", digest " + e.digest + "\n";
  const auto lengths = [&](const char* who, const DataVerdict::Lengths& l, std::int64_t limit) {
    if (l.most == 0) return;
    out += std::string(who) + number(l.least) + " to " + number(l.most) + " tokens, half of them at most " + number(l.median) + ", 95 % at most " +
           number(l.p95) + "; the limit is " + number(limit) + "; longest: row " + number(l.longestRow) + "\n";
  };
  lengths("Student    ", v.student, v.studentLimit);
  lengths("Teacher    ", v.teacher, v.teacherLimit);
  if (v.teacher.most > 0) out += "Privilege  " + number(v.privileged) + " of " + number(v.kept) + " rows have what the teacher is told\n";
  for (const auto& [label, counts] : {std::pair<const char*, const std::map<std::string, std::int64_t>*>{"Sources    ", &v.dataSources}, {"Kinds      ", &v.kinds}, {"Layouts    ", &v.layouts}}) {
    std::string line;
    for (const auto& [name, count] : *counts) line += (line.empty() ? "" : ", ") + (name.empty() ? std::string("(none)") : name) + " " + number(count);
    if (!line.empty()) out += label + line + "\n";
  }
  std::size_t shown = 0;
  for (const auto& p : v.problems) {
    if (++shown > 10) break;
    out += "  " + p.file + ", row " + number(p.row) + ": " + p.reason + "\n";
  }
  if (v.problems.size() > 10) out += "  and " + number(static_cast<std::int64_t>(v.problems.size()) - 10) + " more\n";
  out += "Digest     " + v.digest + "\n";
  return out;
}

}  // namespace cuescope
