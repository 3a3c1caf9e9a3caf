#include "engine/distill/demo_models.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/data/demo_folder.h"
#include "engine/distill/supervised.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A model that leaves a run: after `step` steps of stage 1.
struct Leaving {
  const char* asked;
  const char* folder;
  std::int64_t step;
};
struct Recipe {
  const char* name;
  bool large;
  std::int64_t alignSteps, textSteps;
  double textRate;
  std::vector<Leaving> leaving;
};

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> kRecipes{
      {"student", false, 200, 1600, 2e-3, {{"weak", kDemoWeak, 400}, {"middle", kDemoMiddle, 1000}, {"strong", kDemoStrong, 1600}}},
      {"teacher", true, 200, 1600, 1.5e-3, {{"teacher", kDemoTeacher, 1600}}},
  };
  return kRecipes;
}

constexpr int kScored = 1000;

// One thread for the same sums in the same order; the caller's number comes back afterwards.
class OneThread {
 public:
  OneThread() : m_before(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(m_before); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int m_before;
};

class Reporter {
 public:
  Reporter(const EventSink& sink, std::string what, std::int64_t total) : m_sink(sink), m_what(std::move(what)), m_total(total) {}
  void operator()(std::int64_t step, double loss) {
    m_loss = m_loss < 0 ? loss : 0.95 * m_loss + 0.05 * loss;
    if (!m_sink || (step % 10 != 0 && step != m_total)) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - m_begin).count();
    char loss4[32];
    std::snprintf(loss4, sizeof loss4, "%.4f", m_loss);
    m_sink(Progress{m_what + ", loss " + loss4, double(step), double(m_total), seconds / double(step) * double(m_total - step)});
  }
  double loss() const { return m_loss; }

 private:
  EventSink m_sink;
  std::string m_what;
  std::int64_t m_total;
  double m_loss = -1;
  Clock::time_point m_begin = Clock::now();
};

nlohmann::ordered_json scoreJson(const DemoScore& score) {
  nlohmann::ordered_json json;
  std::vector<std::string> kinds{"all"};
  kinds.insert(kinds.end(), kDemoKinds.begin(), kDemoKinds.end());
  for (const std::string& kind : kinds) {
    const auto found = score.byKind.find(kind);
    if (found == score.byKind.end()) continue;
    const auto [low, high] = score.interval(kind);
    json[kind] = {{"right", found->second.first}, {"asked", found->second.second}, {"low95", low}, {"high95", high}};
  }
  return json;
}

nlohmann::ordered_json readReport(const fs::path& file) {
  std::ifstream in(file);
  if (!in) return nlohmann::ordered_json::object();
  auto json = nlohmann::ordered_json::parse(in, nullptr, false);
  return json.is_object() ? json : nlohmann::ordered_json::object();
}

void writeReport(const fs::path& file, const nlohmann::ordered_json& report) {
  std::ofstream out(file);
  out << report.dump(1) << "\n";
  if (!out.flush()) throw Error("The training report could not be written", file.string());
}

}  // namespace

Qwen3VLConfig demoConfig(bool large, const std::string& processorFolder) {
  const auto tokenizer = Tokenizer::load(processorFolder);
  Qwen3VLConfig config;
  auto& text = config.text;
  text.hidden = large ? 192 : 128;
  text.layers = large ? 6 : 4;
  text.heads = large ? 6 : 4;
  text.kvHeads = 2;
  text.headDim = 32;
  text.intermediate = large ? 576 : 384;
  text.vocabulary = tokenizer->size();
  text.maxPositions = 32768;
  text.mropeSection = {6, 5, 5};
  text.tied = true;
  auto& vision = config.vision;
  vision.hidden = large ? 128 : 96;
  vision.depth = 3;
  vision.heads = large ? 4 : 3;
  vision.intermediate = 4 * vision.hidden;
  vision.outHidden = text.hidden;
  vision.positions = 4 * kDemoTokens * kDemoTokens;
  vision.deepstack = {0, 1};
  config.imageToken = tokenizer->idOf("<|image_pad|>");
  config.videoToken = tokenizer->idOf("<|video_pad|>");
  config.visionStart = tokenizer->idOf("<|vision_start|>");
  config.visionEnd = tokenizer->idOf("<|vision_end|>");
  config.imStart = tokenizer->idOf("<|im_start|>");
  config.eosTokens = {tokenizer->idOf("<|im_end|>"), tokenizer->idOf("<|endoftext|>")};
  config.padToken = tokenizer->idOf("<|endoftext|>");
  return config;
}

void scoreDemoModel(const std::string& folder, std::uint64_t seed, const std::string& reportFile, const EventSink& sink, std::stop_token stop) {
  const OneThread oneThread;
  const auto model = Qwen3VL::load(folder, "cpu", "float32");
  const auto tokenizer = Tokenizer::load(folder);
  const std::string name = fs::path(folder).filename().string();
  for (const char* layout : {"image-first", "question-first"}) {
    for (const char* privilege : {"none", "cue", "hint"}) {
      const DemoScore score = scoreDemo(*model, *tokenizer, kScored, seed, privilege, layout, stop);
      nlohmann::ordered_json report = readReport(reportFile);
      report[name]["accuracy"][layout][privilege] = scoreJson(score);
      writeReport(reportFile, report);
      char line[160];
      std::snprintf(line, sizeof line, "%s: %s, privilege %s: %.3f of %d held-out scenes", name.c_str(), layout, privilege, score.accuracy(), kScored);
      if (sink) sink(LogLine{line});
    }
  }
}

void trainDemo(const DemoTrainRequest& request, const EventSink& sink, std::stop_token stop) {
  for (const std::string& name : request.only) {
    const bool known = std::any_of(recipes().begin(), recipes().end(), [&](const Recipe& r) {
      return std::any_of(r.leaving.begin(), r.leaving.end(), [&](const Leaving& l) { return name == l.asked; });
    });
    if (!known) throw Error("There is no such demo model", name, {}, "Choose among weak, middle, strong and teacher.");
  }
  const OneThread oneThread;
  const fs::path output(request.outputFolder);
  const fs::path processor = output / "processor.part";  // becomes part of every model's folder
  writeDemoProcessor(processor.string());
  const auto tokenizer = Tokenizer::load(processor.string());
  const fs::path reportFile = output / "training.json";
  const auto say = [&](const std::string& text) {
    if (sink) sink(LogLine{text});
  };
  const auto shortened = [&](std::int64_t steps) { return std::max<std::int64_t>(2, std::llround(request.effort * static_cast<double>(steps))); };
  for (Recipe recipe : recipes()) {
    recipe.alignSteps = shortened(recipe.alignSteps);
    recipe.textSteps = shortened(recipe.textSteps);
    for (Leaving& l : recipe.leaving) l.step = shortened(l.step);
    std::vector<Leaving> wanted;
    for (const Leaving& l : recipe.leaving)
      if (request.only.empty() || std::find(request.only.begin(), request.only.end(), l.asked) != request.only.end()) wanted.push_back(l);
    if (wanted.empty()) continue;
    const auto begin = Clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
    Qwen3VL model(demoConfig(recipe.large, processor.string()));
    initialiseDemoModel(model, request.seed);

    SupervisedOptions align;
    align.steps = recipe.alignSteps;
    align.warmupSteps = std::min<std::int64_t>(30, align.steps / 2);
    align.seed = request.seed;
    Reporter alignReport(sink, std::string(recipe.name) + ": aligning vision", align.steps);
    alignVision(model, *tokenizer, align, std::ref(alignReport), stop);
    const auto aligned = alignmentAccuracy(model, *tokenizer, 200, request.seed);
    const double alignSeconds = seconds();
    for (const auto& [list, accuracy] : aligned) say(std::string(recipe.name) + ": tokens that name their " + list + ": " + std::to_string(accuracy));

    SupervisedOptions text;
    text.steps = recipe.textSteps;
    text.lr = recipe.textRate;
    text.warmupSteps = std::min<std::int64_t>(100, text.steps / 2);
    text.decayFraction = 0.35;
    text.seed = request.seed;
    Reporter textReport(sink, std::string(recipe.name) + ": questions", text.steps);
    // The run ends with the last model that is asked for; its schedule stays that of the whole run.
    std::int64_t last = 0;
    for (const Leaving& l : wanted) last = std::max(last, l.step);
    const auto onStep = [&](std::int64_t step, double loss) {
      textReport(step, loss);
      for (const Leaving& l : wanted) {
        if (l.step != step) continue;
        const double trained = seconds();
        const fs::path folder = output / l.folder;
        model.save(folder.string(), processor.string(), "bfloat16");
        nlohmann::ordered_json report = readReport(reportFile);
        report[l.folder] = {{"seed", request.seed}, {"aligned", aligned},        {"alignSteps", align.steps}, {"alignSeconds", alignSeconds}, {"steps", step},
                            {"stepsOfRun", text.steps}, {"segments", step * 40}, {"seconds", trained},        {"loss", textReport.loss()}};
        writeReport(reportFile, report);
        scoreDemoModel(folder.string(), request.seed, reportFile.string(), sink, stop);
      }
    };
    trainText(model, *tokenizer, text, onStep, stop, last);
  }
  fs::remove_all(processor);
}

}  // namespace cuescope
