#include "engine/evaluate/study.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/core/json_values.h"
#include "engine/core/rollout_record.h"
#include "engine/core/run_directory.h"
#include "engine/data/demo_folder.h"
#include "engine/distill/demo_models.h"
#include "engine/distill/run.h"
#include "engine/evaluate/evaluation.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kDataSeed = 1;  // of the demo's own files
constexpr std::int64_t kOodRows = 960, kTrainRows = 2000;
constexpr int kResponsesAStep = 32;
constexpr int kStepsOfGap = 3;  // recorded steps at either end of a training that the gaps are averaged over

std::string dataExtension() { return haveParquet() ? ".parquet" : ".jsonl"; }

void writeRows(const fs::path& file, const std::vector<Sample>& samples) {
  fs::create_directories(file.parent_path());
  if (haveParquet()) writeParquet(file.string(), samples);
  else writeJsonl(file.string(), samples);
}

/// Files that the demo's folder does not have.
void makeStudyData(const fs::path& folder, const EventSink& sink, std::stop_token stop) {
  const fs::path ood = folder / "data" / ("ood" + dataExtension()), questionFirst = folder / "data" / ("train-question-first" + dataExtension());
  if (!fs::exists(ood)) {
    if (sink) sink(Progress{"Drawing rows out of the domain", 0, 2});
    writeRows(ood, demoSamples("ood", kOodRows, kDataSeed, stop));
  }
  if (!fs::exists(questionFirst)) {
    if (sink) sink(Progress{"Drawing question-first rows", 1, 2});
    std::vector<Sample> samples;
    for (std::int64_t i = 0; i < kTrainRows; ++i) {
      if (stop.stop_requested()) throw Cancelled();
      const DemoCase drawn = demoCase("train", i, kDataSeed);
      samples.push_back(demoSample(drawn.scene, drawn.item, true, "train", i));
    }
    writeRows(questionFirst, samples);
  }
}

bool isWord(const std::string& word, const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), word) != list.end(); }

std::vector<std::string> lowerWords(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (std::isalpha(static_cast<unsigned char>(c))) word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!word.empty()) words.push_back(std::exchange(word, {}));
  }
  return words;
}

/// Leakage of the first kind (the paper's): the word «hint» in a response.
bool saysHint(const std::string& text) { return isWord("hint", lowerWords(text)); }

/// Leakage of the second kind: a boxed answer that was not looked up. Every reference response names what it read before the box:
/// a region (or «none»), or for sums and comparisons the digits. A response that boxes an answer without any of these claims it.
bool answersUnlooked(const std::string& text) {
  const auto box = text.find("\\boxed{");
  if (box == std::string::npos) return false;
  for (const auto& word : lowerWords(text.substr(0, box)))
    if (isWord(word, demoRegions()) || isWord(word, demoNumbers()) || word == "none") return false;
  return true;
}

StudySplit splitOf(const Evaluation& evaluation, const std::string& split) {
  StudySplit out;
  double hints = 0, unlooked = 0;
  std::map<int, std::pair<double, double>> sums;
  double evenEvidence = 0, evenObjects = 0, looked = 0;
  for (const auto& sample : evaluation.samples) {
    const bool right = !sample.answers.empty() && sample.answers.front().accuracy > 0.5;
    out.right.push_back(right ? 1 : 0);
    out.kinds.push_back(sample.kind);
    out.layouts.push_back(sample.layout);
    out.dataSources.push_back(sample.dataSource);
    if (!sample.answers.empty()) {
      hints += saysHint(sample.answers.front().text) ? 1 : 0;
      unlooked += answersUnlooked(sample.answers.front().text) ? 1 : 0;
    }
    if (sample.sinkLayers.empty()) continue;
    // The scene says where all objects are; an object covers one visual token.
    const DemoCase drawn = demoCase(split, sample.index, kDataSeed);
    const std::size_t tokens = sample.sinkMap.size() / sample.sinkLayers.size();
    const double objects = static_cast<double>(drawn.scene.objects.size()), evidence = static_cast<double>(drawn.item.evidence.size());
    for (std::size_t l = 0; l < sample.sinkLayers.size(); ++l) {
      double onObjects = 0, onEvidence = 0;
      for (const auto& object : drawn.scene.objects) onObjects += sample.sinkMap[l * tokens + static_cast<std::size_t>(object.token())];
      for (const int e : drawn.item.evidence) onEvidence += sample.sinkMap[l * tokens + static_cast<std::size_t>(drawn.scene.objects[static_cast<std::size_t>(e)].token())];
      const double even = evidence / objects;
      auto& rows = out.selectivity[sample.sinkLayers[l]];
      rows.resize(out.right.size() - 1, kNotComputed);
      rows.push_back(onObjects > 0 && evidence > 0 ? static_cast<float>(onEvidence / onObjects - even) : kNotComputed);
      sums[sample.sinkLayers[l]].first += onEvidence;
      sums[sample.sinkLayers[l]].second += onObjects;
    }
    evenEvidence += evidence / static_cast<double>(tokens);
    evenObjects += objects / static_cast<double>(tokens);
    ++looked;
  }
  const double n = std::max<double>(1, static_cast<double>(out.right.size()));
  out.hintWord = hints / n;
  out.unlooked = unlooked / n;
  for (const auto& [layer, sum] : sums) out.masses[layer] = {sum.first / looked, sum.second / looked};
  if (looked > 0) {
    out.evenEvidence = evenEvidence / looked;
    out.evenObjects = evenObjects / looked;
  }
  return out;
}

std::string checkpointName(const std::string& setting, std::uint64_t seed) { return setting + "-seed" + std::to_string(seed); }

fs::path runDirectory(const StudySetting& setting, const DemoStudyRequest& request, std::uint64_t seed) {
  return fs::path(request.outputFolder) / (setting.questionFirst ? "question-first" : "runs") / checkpointName(setting.name, seed);
}

void measure(StudyResult& result, const std::shared_ptr<const Qwen3VL>& model, std::shared_ptr<const Processor> processor, const DemoStudyRequest& request, const std::string& directory,
             int step, const EventSink& sink, std::stop_token stop) {
  for (const std::string split : {"test", "ood"}) {
    EvaluateRequest asked;
    asked.model = directory;
    asked.files = {split == "test" ? "demo:data/test" + dataExtension() : (fs::path(request.outputFolder) / "data" / ("ood" + dataExtension())).string()};
    asked.maxSamples = request.maxSamples;
    asked.sampling.maxNew = 40;
    asked.sinkMaps = true;
    const EvaluationPtr evaluation = evaluateModel(model, processor, asked, step, sink, stop);
    result.splits[split] = splitOf(*evaluation, split);
    if (!directory.empty()) {
      fs::create_directories(fs::path(directory) / "evaluations");
      writeFileDurably((fs::path(directory) / "evaluations" / (split + ".json")).string(), scoresJson(*evaluation));
    }
  }
}

/// Mean gap over the four quarters of the responses of some recorded steps.
std::vector<double> quarterGaps(const fs::path& directory, const std::vector<int>& steps) {
  std::vector<double> sum(4, 0), count(4, 0);
  for (const int step : steps) {
    std::ifstream in(directory / "rollouts" / (std::to_string(step) + ".jsonl"), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    for (const auto& record : parseRollouts(text)) {
      const std::size_t n = std::min(record.studentLogProbs.size(), record.teacherLogProbs.size());
      for (std::size_t t = 0; t < n; ++t) {
        const double gap = static_cast<double>(record.teacherLogProbs[t]) - static_cast<double>(record.studentLogProbs[t]);
        if (!std::isfinite(gap)) continue;
        sum[4 * t / n] += gap;
        ++count[4 * t / n];
      }
    }
  }
  std::vector<double> gaps;
  for (std::size_t q = 0; q < 4; ++q) gaps.push_back(count[q] > 0 ? sum[q] / count[q] : static_cast<double>(kNotComputed));
  return gaps;
}

std::vector<int> recordedSteps(const fs::path& directory) {
  std::vector<int> steps;
  std::error_code none;
  for (fs::directory_iterator it(directory / "rollouts", none), end; !none && it != end; it.increment(none))
    if (const int step = std::atoi(it->path().stem().c_str()); step > 0) steps.push_back(step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

void train(const StudySetting& setting, const DemoStudyRequest& request, std::uint64_t seed, const EngineOptions& options, const fs::path& resultFile,
           const std::string& heading, const EventSink& sink, std::stop_token stop) {
  const RunConfig config = studyConfig(setting, request, seed);
  const EventSink quiet = [&](const Event& event) {
    if (!sink) return;
    if (const auto* status = std::get_if<RunStatus>(&event))
      sink(Progress{heading + ", " + status->phase, double(status->step), double(status->totalSteps), status->secondsLeft});
    else if (const auto* log = std::get_if<LogLine>(&event)) sink(*log);
  };
  auto run = Run::open(config, options, quiet, stop);
  try {
    while (run->advance(stop)) {
    }
  } catch (const Cancelled&) {
    run->stop(true);
    throw;
  }
  const fs::path directory = run->directory();
  StudyResult result;
  result.setting = setting.name;
  result.seed = seed;
  result.steps = run->status().step;
  RunReader reader(directory.string());
  for (const StepPtr& step : reader.newSteps()) {
    result.seconds = std::max(result.seconds, step->secondsSinceStart);
    if (const auto found = step->metrics.find("critic/accuracy/mean"); found != step->metrics.end()) result.trainAccuracy.push_back(found->second);
  }
  const std::vector<int> steps = recordedSteps(directory);
  if (!setting.teacher.empty() && steps.size() >= 2) {
    const auto n = static_cast<std::ptrdiff_t>(std::min<std::size_t>(kStepsOfGap, steps.size() / 2));
    result.gapFirst = quarterGaps(directory, {steps.begin(), steps.begin() + n});
    result.gapLast = quarterGaps(directory, {steps.end() - n, steps.end()});
  }
  measure(result, run->student(), run->studentProcessor(), request, directory.string(), result.steps, sink, stop);
  writeFileDurably(resultFile.string(), studyResultJson(result));
  run.reset();
  if (seed > 1) fs::remove_all(directory / "checkpoints");  // the first seed's stay, to be looked at
}

void measureBase(const std::string& folder, const DemoStudyRequest& request, const EngineOptions& options, const fs::path& resultFile, const EventSink& sink, std::stop_token stop) {
  const std::string path = resolvePath("demo:" + folder);
  const auto model = Qwen3VL::load(path, options.device, options.dtype, {});
  model->eval();
  StudyResult result;
  result.setting = "base, " + folder;
  measure(result, model, std::make_shared<Processor>(path), request, {}, -1, sink, stop);
  writeFileDurably(resultFile.string(), studyResultJson(result));
}

}  // namespace

const std::vector<StudySetting>& studySettings() {
  static const std::vector<StudySetting> settings = [] {
    const std::string weak = kDemoWeak, middle = kDemoMiddle, strong = kDemoTeacher;
    std::vector<StudySetting> s;
    const auto add = [&](StudySetting setting) { s.push_back(std::move(setting)); };
    add({"opd", "main", weak, strong, "none", false, false, "forward_kl_topk", false, 1e-3, 1, "strong teacher, plain prompt"});
    add({"opd_vicur", "main", weak, strong, "cue", true, false, "forward_kl_topk", false, 1e-3, 1, "strong teacher with the cue, student with the module"});
    add({"opsd", "main", middle, middle, "hint", false, false, "forward_kl_topk", false, 1e-3, 1, "own copy with the answer's hint"});
    add({"opsd_vicur", "main", middle, middle, "cue", true, false, "forward_kl_topk", false, 1e-3, 1, "own copy with the cue, student with the module"});
    add({"grpo", "main", weak, "", "none", false, false, "forward_kl_topk", false, 2e-4, 8, "reward alone, 4 prompts of 8 answers"});
    add({"opsd_cue", "components", middle, middle, "cue", false, false, "forward_kl_topk", false, 1e-3, 1, "own copy with the cue"});
    add({"opsd_module", "components", middle, middle, "hint", true, false, "forward_kl_topk", false, 1e-3, 1, "own copy with the hint, student with the module"});
    add({"opd_middle", "teacher", weak, middle, "none", false, false, "forward_kl_topk", false, 1e-3, 1, "teacher of middling skill, plain prompt"});
    add({"opd_middle_cue", "teacher", weak, middle, "cue", false, false, "forward_kl_topk", false, 1e-3, 1, "teacher of middling skill with the cue"});
    add({"opd_middle_vicur", "teacher", weak, middle, "cue", true, false, "forward_kl_topk", false, 1e-3, 1, "teacher of middling skill with the cue, student with the module"});
    add({"opd_cue", "teacher", weak, strong, "cue", false, false, "forward_kl_topk", false, 1e-3, 1, "strong teacher with the cue"});
    add({"question_first_cue", "layout", weak, strong, "cue", false, true, "forward_kl_topk", false, 1e-3, 1, "as opd_cue, every question before its picture"});
    add({"question_first_vicur", "layout", weak, strong, "cue", true, true, "forward_kl_topk", false, 1e-3, 1, "as opd_vicur, every question before its picture"});
    add({"opd_k1", "objectives", weak, strong, "none", false, false, "k1", true, 5e-5, 1, "as opd, k1 as advantage of a policy gradient"});
    add({"opd_k2", "objectives", weak, strong, "none", false, false, "k2", false, 5e-5, 1, "as opd, squared log-ratio of the sampled token"});
    add({"opd_abs", "objectives", weak, strong, "none", false, false, "abs", false, 5e-5, 1, "as opd, absolute log-ratio of the sampled token"});
    add({"opd_reverse_kl", "objectives", weak, strong, "none", false, false, "reverse_kl", false, 3e-4, 1, "as opd, reverse KL over the whole vocabulary"});
    return s;
  }();
  return settings;
}

RunConfig studyConfig(const StudySetting& setting, const DemoStudyRequest& request, std::uint64_t seed) {
  RunConfig c;
  const fs::path directory = fs::absolute(runDirectory(setting, request, seed));
  c.trainer.name = directory.filename().string();
  c.trainer.directory = directory.parent_path().string();
  c.trainer.totalTrainingSteps = request.steps;
  c.trainer.saveFreq = 25;
  c.trainer.maxCkptToKeep = 1;
  c.trainer.testFreq = 0;
  c.trainer.valBeforeTrain = false;
  c.trainer.probeFreq = setting.module ? 10 : 0;
  c.trainer.rolloutSaveFreq = 5;
  c.trainer.seed = seed;
  c.trainer.resumeMode = "auto";
  c.student.path = "demo:" + setting.student;
  c.student.cueEnabled = setting.module;
  c.student.cueInterval = 2;
  c.student.freezeVision = true;
  if (!setting.teacher.empty()) c.teacher.path = "demo:" + setting.teacher;
  c.teacher.privilege = setting.privilege;
  const std::string questionFirst = (fs::absolute(request.outputFolder) / "data" / ("train-question-first" + dataExtension())).string();
  c.data.trainFiles = {setting.questionFirst ? questionFirst : "demo:data/train" + dataExtension()};
  c.data.valFiles = {"demo:data/test" + dataExtension()};
  c.data.trainBatchSize = kResponsesAStep / setting.samplesPerPrompt;
  c.rollout.n = setting.samplesPerPrompt;
  c.data.maxPromptLength = 512;
  c.data.maxResponseLength = 40;
  c.distillation.lossMode = setting.lossMode;
  c.distillation.usePolicyGradient = setting.policyGradient;
  if (setting.teacher.empty()) {
    c.distillation.useTaskRewards = true;
    c.distillation.distillationCoef = 0;
  }
  c.actor.lr = setting.lr;
  c.actor.lrSchedule = "cosine";
  return c;
}

double StudySplit::accuracy(const std::string& dataSource, const std::string& layout) const {
  double sum = 0, n = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    if ((!dataSource.empty() && dataSources[i] != dataSource) || (!layout.empty() && layouts[i] != layout)) continue;
    sum += right[i];
    ++n;
  }
  return n > 0 ? sum / n : static_cast<double>(kNotComputed);
}

std::string studyResultJson(const StudyResult& r) {
  Json json = {{"setting", r.setting}, {"seed", r.seed}, {"steps", r.steps}, {"seconds", r.seconds}, {"train_accuracy", r.trainAccuracy}, {"gap_first", r.gapFirst}, {"gap_last", r.gapLast}};
  for (const auto& [name, split] : r.splits) {
    std::string right;
    for (const int value : split.right) right += value ? '1' : '0';
    Json entry = {{"accuracy", split.accuracy()}, {"rows", split.right.size()}, {"right", right}, {"kinds", split.kinds}, {"layouts", split.layouts}, {"data_sources", split.dataSources},
                  {"hint_word", split.hintWord}, {"unlooked", split.unlooked}, {"even_evidence", split.evenEvidence}, {"even_objects", split.evenObjects}};
    for (const auto& [layer, rows] : split.selectivity) entry["selectivity"][std::to_string(layer)] = rows;
    for (const auto& [layer, mass] : split.masses) entry["masses"][std::to_string(layer)] = {mass.first, mass.second};
    json["splits"][name] = entry;
  }
  return json.dump() + "\n";
}

StudyResult readStudyResult(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  try {
    const Json json = Json::parse(in);
    const auto numbers = [](const Json& list) {
      std::vector<double> values;
      for (const auto& value : list) values.push_back(numberOr(value));
      return values;
    };
    StudyResult r;
    r.setting = json.at("setting");
    r.seed = json.at("seed");
    r.steps = json.at("steps");
    r.seconds = json.at("seconds");
    r.trainAccuracy = numbers(json.at("train_accuracy"));
    r.gapFirst = numbers(json.at("gap_first"));
    r.gapLast = numbers(json.at("gap_last"));
    for (const auto& [name, entry] : json.at("splits").items()) {
      StudySplit& split = r.splits[name];
      for (const char c : entry.at("right").get<std::string>()) split.right.push_back(c == '1' ? 1 : 0);
      split.kinds = entry.at("kinds").get<std::vector<std::string>>();
      split.layouts = entry.at("layouts").get<std::vector<std::string>>();
      split.dataSources = entry.at("data_sources").get<std::vector<std::string>>();
      split.hintWord = entry.at("hint_word");
      split.unlooked = entry.at("unlooked");
      split.evenEvidence = entry.at("even_evidence");
      split.evenObjects = entry.at("even_objects");
      if (entry.contains("selectivity")) {
        for (const auto& [layer, rows] : entry.at("selectivity").items()) split.selectivity[std::stoi(layer)] = floatsFrom(rows);
      }
      if (entry.contains("masses")) {
        for (const auto& [layer, mass] : entry.at("masses").items()) split.masses[std::stoi(layer)] = {numberOr(mass.at(0)), numberOr(mass.at(1))};
      }
    }
    return r;
  } catch (const Json::exception& error) {
    throw Error("A result of the study could not be read", file, error.what(), "Remove the file; that training is made again.");
  }
}

void runStudy(const DemoStudyRequest& request, const EngineOptions& options, const EventSink& sink, std::stop_token stop) {
  const fs::path folder(request.outputFolder), results = folder / "results";
  if (request.seeds < 1 || request.steps < 2) throw Error("The study's budget is too small", "demo study", "it needs a seed and two steps", "Give --seeds and --steps.");
  std::vector<StudySetting> wanted;
  for (const auto& setting : studySettings()) {
    const auto asked = [&](const std::string& name) { return name == setting.name || name == setting.group; };
    if (request.only.empty() || std::any_of(request.only.begin(), request.only.end(), asked)) wanted.push_back(setting);
  }
  if (wanted.empty()) {
    std::string names;
    for (const auto& setting : studySettings()) names += (names.empty() ? "" : ", ") + setting.name;
    throw Error("The study has no such setting", request.only.front(), {}, "Choose among " + names + " or the groups main, components, teacher, layout, objectives.");
  }
  fs::create_directories(results);
  if (!request.reportOnly) {
    makeStudyData(folder, sink, stop);
    for (const char* base : {kDemoWeak, kDemoMiddle, kDemoTeacher}) {
      const fs::path file = results / ("base-" + std::string(base) + ".json");
      if (!fs::exists(file)) measureBase(base, request, options, file, sink, stop);
    }
    const std::size_t total = wanted.size() * static_cast<std::size_t>(request.seeds);
    std::size_t number = 0;
    for (int seed = 1; seed <= request.seeds; ++seed) {
      for (const auto& setting : wanted) {
        ++number;
        const std::string name = checkpointName(setting.name, static_cast<std::uint64_t>(seed));
        const fs::path file = results / (name + ".json");
        if (fs::exists(file)) continue;
        const std::string heading = std::to_string(number) + " of " + std::to_string(total) + ": " + name;
        if (sink) sink(LogLine{heading});
        try {
          train(setting, request, static_cast<std::uint64_t>(seed), options, file, heading, sink, stop);
        } catch (const Error& error) {  // one setting that cannot run is no reason to lose the others
          if (sink) sink(LogLine{name + " was left out: " + error.failure().text()});
        }
        writeStudyReport(folder.string(), request.seeds, request.steps);
      }
    }
  }
  writeStudyReport(folder.string(), request.seeds, request.steps);
}

}  // namespace cuescope
