#include "engine/core/evaluation_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/core/json_values.h"
#include "engine/core/run_directory.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;

std::string withoutEnding(const std::string& file, const std::string& ending) {
  return file.ends_with(ending) ? file.substr(0, file.size() - ending.size()) : file;
}

bool isFile(const std::string& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

EvaluatedSample sampleFrom(const Json& line) {
  EvaluatedSample sample;
  sample.index = line.at("index");
  sample.file = line.value("file", "");
  sample.fileRow = line.value("row", std::int64_t{-1});
  sample.id = line.value("id", "");
  sample.dataSource = line.value("data_source", "");
  sample.kind = line.value("kind", "");
  sample.layout = line.value("layout", "");
  sample.prompt = line.value("prompt", "");
  sample.question = line.value("question", "");
  sample.groundTruth = line.value("gts", "");
  sample.problem = line.value("problem", "");
  if (const auto answers = line.find("answers"); answers != line.end()) {
    for (const Json& entry : *answers) {
      EvaluatedAnswer answer;
      answer.text = entry.at("output");
      answer.boxed = entry.value("boxed", "");
      answer.ids = entry.value("ids", std::vector<std::int64_t>{});
      answer.accuracy = numberOr(entry.at("acc"));
      answer.format = entry.contains("format") ? numberOr(entry.at("format")) : 0;
      answer.logProb = entry.contains("logprob") ? static_cast<float>(numberOr(entry.at("logprob"))) : kNotComputed;
      answer.finish = entry.value("finish", "");
      sample.answers.push_back(std::move(answer));
    }
  }
  if (line.contains("sink_layers")) {
    sample.sinkLayers = line.at("sink_layers").get<std::vector<int>>();
    sample.sinkEvidence = floatsFrom(line.at("sink_evidence"));
    sample.sinkMap = floatsFrom(line.at("sink_map"));
    sample.grids = line.at("sink_grids").get<std::vector<std::pair<int, int>>>();
  }
  return sample;
}

constexpr std::size_t kLinesAWord = 256;  // between two words of progress

std::vector<EvaluatedSample> readSamples(const std::string& file, const EventSink& sink, const std::stop_token& stop) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error("The evaluation could not be read", file, "the file does not open", "Check the path and its rights.");
  std::vector<EvaluatedSample> samples;
  std::string text;
  std::error_code unknown;
  const double bytes = static_cast<double>(fs::file_size(file, unknown));
  for (std::size_t line = 1; std::getline(in, text); ++line) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink && !unknown && line % kLinesAWord == 0) sink(Progress{"Reading an evaluation", static_cast<double>(in.tellg()), bytes, -1});
    if (text.empty()) continue;
    try {
      samples.push_back(sampleFrom(Json::parse(text)));
    } catch (const Json::exception& error) {
      throw Error("The evaluation could not be read", file + ", line " + std::to_string(line), error.what(), "Evaluate again, or take that line out.");
    }
  }
  if (samples.empty()) throw Error("The evaluation could not be read", file, "it holds no samples", "Evaluate again.");
  return samples;
}

bool looksLikeSamples(const Json& first) { return first.is_object() && first.contains("index") && first.contains("gts") && (first.contains("answers") || first.contains("problem")); }
bool looksLikeScores(const Json& whole) { return whole.is_object() && whole.contains("scores") && whole.contains("model") && whole.contains("data"); }

}  // namespace

std::string scoresFileOf(const std::string& samplesFile) { return withoutEnding(samplesFile, ".jsonl") + ".scores.json"; }

void writeEvaluation(const std::string& samplesFile, const Evaluation& evaluation) {
  std::string lines;
  for (const EvaluatedSample& sample : evaluation.samples) lines += sampleLine(sample);
  writeFileDurably(samplesFile, lines);
  writeFileDurably(scoresFileOf(samplesFile), scoresJson(evaluation));
}

bool isEvaluationFile(const std::string& file) {
  const std::string ending = fs::path(file).extension().string();
  if ((ending != ".jsonl" && ending != ".json") || !isFile(file)) return false;
  std::ifstream in(file, std::ios::binary);
  if (ending == ".jsonl") {
    std::string line;
    return std::getline(in, line) && looksLikeSamples(Json::parse(line, nullptr, false));
  }
  std::error_code none;
  if (fs::file_size(file, none) > (16u << 20)) return false;  // scores are a few kilobytes
  return looksLikeScores(Json::parse(in, nullptr, false));
}

Evaluation readEvaluation(const std::string& file, const EventSink& sink, std::stop_token stop) {
  std::string samples = file, scores;
  if (file.ends_with(".json")) {
    scores = file;
    samples = withoutEnding(withoutEnding(file, ".json"), ".scores") + ".jsonl";
    if (!isFile(samples)) return readScores(scores);
  } else {
    for (const std::string& beside : {scoresFileOf(file), withoutEnding(file, ".jsonl") + ".json"})
      if (scores.empty() && isEvaluationFile(beside)) scores = beside;
  }
  Evaluation evaluation;
  if (!scores.empty()) evaluation = readScores(scores);
  evaluation.samples = readSamples(samples, sink, stop);
  if (!scores.empty()) return evaluation;
  for (const EvaluatedSample& sample : evaluation.samples) {
    if (!sample.file.empty() && std::find(evaluation.files.begin(), evaluation.files.end(), sample.file) == evaluation.files.end()) evaluation.files.push_back(sample.file);
    evaluation.answersPerRow = std::max(evaluation.answersPerRow, static_cast<int>(sample.answers.size()));
    evaluation.skipped += sample.problem.empty() ? 0 : 1;
  }
  evaluation.dataName = dataNameOf(evaluation.files);
  evaluation.scores = scoresOf(evaluation.samples, 1);
  return evaluation;
}

std::string keepInRunFolder(const Evaluation& evaluation, const std::string& run) {
  if (evaluation.privilege != "none" || evaluation.step < 0 || !RunReader::isRunDirectory(run)) return {};
  const fs::path folder = fs::path(run) / "evaluations";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error("The scores could not be kept in their run", folder.string(), error.message(), "Check the folder's rights and the disk's space.");
  const bool greedy = evaluation.decoding == "greedy";
  const std::string end = std::string(greedy ? "" : "-sampled") + "-step-" + std::to_string(evaluation.step);
  const auto taken = [&](const fs::path& file) {  // by the scores of something else: they are not written over
    if (!fs::exists(file, error)) return false;
    const Evaluation other = readScores(file.string());
    return other.dataDigest != evaluation.dataDigest || other.decoding != evaluation.decoding || other.answersPerRow != evaluation.answersPerRow;
  };
  fs::path file = folder / (evaluation.dataName + end + ".json");
  if (taken(file)) {
    const std::string other = Digest().add(evaluation.dataDigest + "\n" + evaluation.decoding + "\n" + std::to_string(evaluation.answersPerRow)).hex().substr(0, 8);
    file = folder / (evaluation.dataName + "-" + other + end + ".json");
  }
  writeFileDurably(file.string(), scoresJson(evaluation));
  if (!evaluation.samples.empty()) {
    std::string lines;
    for (const EvaluatedSample& sample : evaluation.samples) lines += sampleLine(sample);
    writeFileDurably(withoutEnding(file.string(), ".json") + ".jsonl", lines);
  }
  return file.string();
}

}  // namespace cuescope
