#include "fake_engine.h"

#include <algorithm>
#include <cmath>

namespace cuescope {
namespace {

constexpr int kGrid = 6;
constexpr int kKeys = kGrid * kGrid;
constexpr int kPixels = 192;

/// A grey square of kPixels with a darker patch, as PPM.
std::vector<std::uint8_t> fakePicture(int width = kPixels, int height = kPixels) {
  const std::string head = "P6\n" + std::to_string(width) + " " + std::to_string(height) + "\n255\n";
  std::vector<std::uint8_t> bytes(head.begin(), head.end());
  for (int i = 0; i < width * height; ++i) bytes.insert(bytes.end(), 3, std::uint8_t(i % width < 64 && i / width < 64 ? 90 : 200));
  return bytes;
}

ModelInfo fakeModel(const std::string& folder) {
  ModelInfo model;
  model.folder = folder;
  model.name = folder.substr(folder.find_last_of('/') + 1);
  model.parameters = 1'932'992;
  model.cueParameters = 131'328;
  model.layers = 4;
  model.heads = 4;
  model.hidden = 128;
  model.vocabulary = 512;
  model.visionLayers = 3;
  model.visionHeads = 3;
  model.injectionLayers = {0, 2};
  model.dtype = "float32";
  model.device = "cpu";
  model.digest = "00000000000000000000000000000000";
  model.bytes = 8'300'000;
  return model;
}

// Shares over the keys that sum to `total`, with a peak that moves with the seed.
void fillMap(float* map, int seed, float total) {
  float sum = 0;
  for (int k = 0; k < kKeys; ++k) {
    const float row = float(k / kGrid) - float(seed * 5 % kGrid), col = float(k % kGrid) - float(seed * 3 % kGrid);
    map[k] = 0.2f + std::exp(-(row * row + col * col) / 2);
    sum += map[k];
  }
  for (int k = 0; k < kKeys; ++k) map[k] *= total / sum;
}

AttentionStack fakeStack(Site site, std::vector<int> layers, int queries) {
  AttentionStack stack;
  stack.site = site;
  stack.layers = std::move(layers);
  stack.heads = 4;
  stack.keys = kKeys;
  for (int q = 0; q < queries; ++q) stack.queries.push_back(60 + q);
  const std::size_t maps = stack.queries.size() * stack.layers.size() * 4;
  stack.values.resize(maps * kKeys);
  const bool self = site == Site::SelfAttention;
  for (std::size_t m = 0; m < maps; ++m) fillMap(stack.values.data() + m * kKeys, int(m), self ? 0.4f : 1.0f);
  if (self) {
    stack.textShare.assign(maps, 0.35f);
    stack.sinkShare.assign(maps, 0.25f);
  }
  return stack;
}

RenderedPrompt fakePrompt(const std::string& question, const std::string& cue) {
  RenderedPrompt prompt;
  const auto word = [&](const std::string& text, bool special = false, int visual = -1) {
    Token token;
    token.id = std::int64_t(prompt.tokens.size());
    token.text = text;
    token.special = special;
    token.visual = visual;
    prompt.tokens.push_back(token);
  };
  word("<|im_start|>", true);
  word("user");
  word("\n");
  word("<|vision_start|>", true);
  for (int k = 0; k < kKeys; ++k) word("<|image_pad|>", true, k);
  word("<|vision_end|>", true);
  word(question);
  prompt.text = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>" + question;
  if (!cue.empty()) {
    prompt.cueBegin = int(prompt.tokens.size());
    word("\n[Hint]: ");
    word(cue);
    prompt.cueEnd = int(prompt.tokens.size());
    prompt.text += "\n[Hint]: " + cue;
  }
  word("<|im_end|>", true);
  word("\n");
  word("<|im_start|>", true);
  word("assistant");
  word("\n");
  prompt.text += "<|im_end|>\n<|im_start|>assistant\n";
  return prompt;
}

TokenDistributions fakeDistributions(int token) {
  TokenDistributions d;
  const std::vector<std::string> words = {"four", " seven", " red", "\n", " two", "."};
  for (int i = 0; i < 6; ++i) {
    d.ids.push_back(100 + i);
    d.texts.push_back(words[std::size_t(i)]);
  }
  for (int c = 0; c < kConditions; ++c) {
    float left = 1;
    for (int i = 0; i < 6; ++i) {
      const float p = left * (0.3f + 0.1f * float(c == 1 ? 4 : c)) * (i == 0 ? 1.f : 0.8f);
      d.logProbs[c].push_back(std::log(p));
      left -= p;
    }
    d.tail[c] = left;
    d.sampled[c] = -1.2f + 0.25f * float(c == 1 ? 3 : c) - 0.1f * float(token);
    d.entropy[c] = 1.1f - 0.1f * float(c);
  }
  d.klTeacherStudent = 0.31f;
  d.klStudentTeacher = 0.27f;
  d.jsd = 0.07f;
  return d;
}

class FakeRun : public TrainingRun {
 public:
  FakeRun(RunConfig config, EventSink sink, std::shared_ptr<FakeControl> control)
      : m_config(std::move(config)), m_sink(std::move(sink)), m_control(std::move(control)) {
    m_status.run = m_config.trainer.name;
    m_status.directory = m_config.trainer.directory + "/" + m_config.trainer.name;
    m_status.totalSteps = m_control->runSteps;
    m_status.state = RunState::Ready;
    ++m_control->openRuns;
  }
  ~FakeRun() override { --m_control->openRuns; }

  bool advance(std::stop_token stop) override {
    if (stop.stop_requested()) throw Cancelled();
    m_control->wrote('r');
    m_status.state = RunState::Running;
    if (++m_unit % m_control->unitsPerStep == 0) {
      ++m_status.step;
      if (m_control->failRunAtStep) throw Error("The loss is not finite", "step " + std::to_string(m_status.step), "made up", "Lower the rate.");
      auto step = std::make_shared<StepSnapshot>();
      step->run = m_status.run;
      step->step = m_status.step;
      step->metrics["actor/distillation_loss"] = 1.0 / m_status.step;
      step->phaseSeconds["rollout"] = 0.1;
      m_sink(Event(StepPtr(step)));
    }
    const bool more = m_status.step < m_status.totalSteps;
    if (!more) m_status.state = RunState::Completed;
    m_sink(Event(m_status));
    return more;
  }
  RunStatus status() const override { return m_status; }
  std::string checkpoint() override { return m_status.directory + "/checkpoints/step-000001"; }
  void stop(bool) override { m_status.state = RunState::Stopped; }
  const RunConfig& config() const override { return m_config; }

 private:
  RunConfig m_config;
  EventSink m_sink;
  std::shared_ptr<FakeControl> m_control;
  RunStatus m_status;
  int m_unit = 0;
};

// Every third row is wrong; row 3 of every file cannot be asked.
class FakeEvaluation : public OpenEvaluation {
 public:
  FakeEvaluation(EvaluateRequest request, std::shared_ptr<FakeControl> control) : m_request(std::move(request)), m_control(std::move(control)), m_evaluation(std::make_shared<Evaluation>()) {
    m_evaluation->model = fakeModel(m_request.model);
    m_evaluation->files = m_request.files;
    m_evaluation->dataName = "held-out";
    m_evaluation->decoding = m_request.sampling.greedy ? "greedy" : "sampled";
    m_evaluation->privilege = m_request.privilege;
    m_evaluation->answersPerRow = m_request.answersPerRow;
    m_evaluation->passK = m_request.passK;
    const auto checkpoint = m_request.model.rfind("/checkpoints/step-");
    if (checkpoint != std::string::npos) m_evaluation->step = std::stoi(m_request.model.substr(checkpoint + 18));
    m_total = m_request.maxSamples > 0 ? std::min<std::int64_t>(m_request.maxSamples, m_control->evaluationRows) : m_control->evaluationRows;
    ++m_control->openEvaluations;
  }
  ~FakeEvaluation() override { --m_control->openEvaluations; }
  bool advance(std::stop_token stop) override {
    {
      std::unique_lock lock(m_control->mutex);
      m_control->changed.wait(lock, stop, [&] { return !m_control->holdEvaluation; });
      if (stop.stop_requested()) throw Cancelled();
      m_control->history += 'e';
      if (!m_control->failEvaluationWith.empty()) throw Error(m_control->failEvaluationWith, m_request.model, "made up", "Choose another model.");
    }
    for (int i = 0; i < m_control->evaluationBlock && rowsDone() < m_total; ++i) {
      EvaluatedSample sample;
      sample.index = sample.fileRow = rowsDone();
      sample.file = m_request.files.front();
      sample.id = "scene-" + std::to_string(sample.index);
      sample.question = "What digit is on the red circle?";
      sample.groundTruth = "four";
      EvaluatedAnswer answer;
      answer.accuracy = sample.index % 3 ? 1 : 0;
      answer.boxed = answer.accuracy > 0 ? "four" : "seven";
      answer.text = "\\boxed{" + answer.boxed + "}";
      answer.ids = {100, 101};
      if (sample.index == 3) sample.problem = "the picture is missing";
      else sample.answers = {answer};
      while (int(sample.answers.size()) < m_request.answersPerRow && !sample.answers.empty()) {  // each second one of the others is right
        answer.accuracy = sample.answers.size() % 2;
        answer.boxed = answer.accuracy > 0 ? "four" : "nine";
        answer.text = "\\boxed{" + answer.boxed + "}";
        sample.answers.push_back(answer);
      }
      m_evaluation->skipped += sample.problem.empty() ? 0 : 1;
      m_evaluation->samples.push_back(sample);
    }
    return rowsDone() < m_total;
  }
  std::int64_t rowsDone() const override { return std::int64_t(m_evaluation->samples.size()); }
  std::int64_t rowsInAll() const override { return m_total; }
  EvaluationPtr result() override {
    m_evaluation->scores = scoresOf(m_evaluation->samples, m_request.passK);
    return m_evaluation;
  }

 private:
  EvaluateRequest m_request;
  std::shared_ptr<FakeControl> m_control;
  std::shared_ptr<Evaluation> m_evaluation;
  std::int64_t m_total = 0;
};

// The sites of a request beyond the two that every fake inspection has.
void addSites(Inspection& inspection, const InspectRequest& request) {
  std::vector<int> tokens = request.responseTokens;
  if (tokens.empty())
    for (int t = 0; t < int(inspection.response.size()); ++t) tokens.push_back(t);
  std::vector<int> positions;
  for (const int t : tokens) positions.push_back(inspection.predicting(t));
  const auto stack = [&](Site site, std::vector<int> layers, std::vector<int> queries, int heads) {
    AttentionStack made = fakeStack(site, std::move(layers), int(queries.size()));
    made.queries = std::move(queries);
    if (heads == 1) {
      made.heads = 1;
      made.values.resize(made.queries.size() * made.layers.size() * kKeys);
    }
    return made;
  };
  for (const Site site : request.sites) {
    if (site == Site::Vision) {
      std::vector<int> queries{-1};
      queries.insert(queries.end(), request.visionQueries.begin(), request.visionQueries.end());
      inspection.vision = stack(site, {0, 1, 2}, queries, 4);
    }
    if (site == Site::Rollout) inspection.rollout = stack(site, {0, 1, 2, 3}, positions, 1);
    if (site == Site::Occlusion) {
      inspection.occlusion = stack(site, {0}, positions, 1);
      for (float& v : inspection.occlusion.values) v -= 0.02f;  // signed
      inspection.occlusionInfo = {"erase", 1, kKeys, std::vector<float>(positions.size(), -0.5f)};
    }
    if (site == Site::GradientAttention) {
      inspection.gradientAttention = stack(site, {0, 1, 2, 3}, positions, 4);
      for (std::size_t i = 0; i < inspection.gradientAttention.values.size(); i += 2) inspection.gradientAttention.values[i] *= -1;
    }
    if (site == Site::SelfAttention && !request.promptTokens.empty()) inspection.promptAttention = stack(site, {0, 1, 2, 3}, request.promptTokens, 4);
    if (site == Site::LogitLens) {
      LogitLens& lens = inspection.logitLens;
      lens = {};
      lens.layers = {0, 1, 2, 3};
      lens.positions = positions;
      lens.top = 2;
      for (std::size_t i = 0; i < 4 * positions.size(); ++i) {
        lens.ids.insert(lens.ids.end(), {100, 101});
        lens.texts.insert(lens.texts.end(), {"four", " seven"});
        lens.logProbs.insert(lens.logProbs.end(), {-0.4f, -1.6f});
        lens.chosen.push_back(-0.3f * float(i % 4));
        lens.entropy.push_back(1.5f);
      }
      lens.chosenIds.assign(positions.size(), 100);
      if (request.lensMap) inspection.lensMap = stack(site, {0, 1, 2, 3}, positions, 1);
    }
  }
}

class FakeEngine : public Engine {
 public:
  explicit FakeEngine(std::shared_ptr<FakeControl> control) : m_control(std::move(control)) {}

  std::vector<DoctorLine> doctor() override { return {{"runs on", "cpu, float32, 2 threads", "", true}, {"GPU", "none in use; this is the CPU engine", "", true}}; }
  ModelInfo openModel(const std::string& folder, const EventSink&, std::stop_token) override {
    if (folder.find("broken") != std::string::npos)
      throw Error("This folder is no model", folder, "it has no config.json", "Choose the folder that holds config.json.");
    return fakeModel(folder);
  }
  void closeModel(const std::string&) override {}
  std::vector<std::int64_t> tokenize(const std::string&, const std::string&) override { return {}; }
  std::string detokenize(const std::string&, const std::vector<std::int64_t>&) override { return {}; }
  RenderedPrompt chat(const std::string&, const std::vector<ChatMessage>&, bool) override { return {}; }
  void preprocess(const std::string&, const std::vector<std::string>&, const std::string&) override {}
  void forward(const ForwardRequest&, std::stop_token) override {}
  std::vector<GeneratedRow> generate(const GenerateRequest&, const EventSink&, std::stop_token) override { return {}; }

  InspectCost inspectCost(const InspectRequest& request, const EventSink&) override {
    InspectCost cost;
    for (const Site site : request.sites) {
      const std::int64_t bytes = (request.layers.empty() ? 1 : std::int64_t(request.layers.size())) << 20;  // chosen layers: a MiB each
      cost.sites.push_back({site, bytes, 2 << 20, site == Site::Occlusion ? 36.0 : 0.0, 5, 4, 4, 36, {}});
      cost.bytes += bytes;
    }
    cost.peakBytes = cost.bytes + (2 << 20);
    cost.tokens = 60;
    cost.visualTokens = 36;
    cost.budgetBytes = request.budgetBytes;
    cost.fits = cost.bytes <= request.budgetBytes;
    return cost;
  }
  InspectionPtr inspect(const InspectRequest& request, const EventSink& sink, std::stop_token stop) override {
    {
      std::unique_lock lock(m_control->mutex);
      m_control->lastRequest = request;
      m_control->changed.wait(lock, stop, [&] { return !m_control->holdInspect; });
      if (stop.stop_requested()) {
        ++m_control->cancelled;
        throw Cancelled();
      }
      if (!m_control->failInspectWith.empty())
        throw Error(m_control->failInspectWith, request.images.empty() ? "pasted image" : request.images.front(), "made up",
                    "Choose another file.");
      ++m_control->inspections;
      m_control->history += 'i';
    }
    auto inspection = std::make_shared<Inspection>(*fakeInspection(request.id, request.question));
    if (request.teacher.empty()) inspection->hasTeacher = false;
    inspection->student = fakeModel(request.student);
    for (int site = 0; site < kSites; ++site)
      if (!request.sites.count(Site(site))) inspection->stack(Site(site)) = {};
    if (!request.sites.count(Site::LogitLens)) inspection->logitLens = {};
    addSites(*inspection, request);
    for (const Token& token : inspection->response) sink(Event(TokenArrived{request.id, token, -0.5f}));
    return inspection;
  }
  WhatIfPtr whatIf(const WhatIfRequest& request, const EventSink&, std::stop_token) override {
    auto answer = std::make_shared<WhatIf>();
    answer->id = request.id;
    answer->description = "erase " + std::to_string(request.visualTokens.size()) + " patches";
    answer->token = request.token;
    answer->before = -0.5f;
    answer->after = -2.81f;
    answer->randomMean = -0.61f;  // log p after, like `after`
    answer->randomDeviation = 0.09f;
    answer->randomRegions = request.randomRegions;
    answer->answerBefore = "the red circle four";
    answer->answerAfter = "the red circle seven";
    answer->subject = request.cue ? Condition::TeacherCue : request.subject;
    answer->randomWhat = std::to_string(request.randomRegions) + " random sets";
    answer->tokenId = 100 + request.token;
    answer->forcedId = request.forcedId;
    if (request.distributions)
      for (int i = 0; i < 5; ++i) {
        answer->distributionsBefore.push_back(fakeDistributions(i));
        answer->distributionsAfter.push_back(fakeDistributions(4 - i));
      }
    if (request.mapSite) {
      answer->mapBefore = fakeStack(*request.mapSite, {0, 2}, 1);
      answer->mapAfter = answer->mapBefore;
      std::reverse(answer->mapAfter.values.begin(), answer->mapAfter.values.end());
    }
    return answer;
  }
  std::unique_ptr<TrainingRun> openRun(const RunConfig& config, const EventSink& sink, std::stop_token) override {
    if (m_control->openRuns > 0) throw Error("A run is loaded already", "openRun");
    return std::make_unique<FakeRun>(config, sink, m_control);
  }
  std::unique_ptr<OpenEvaluation> openEvaluation(const EvaluateRequest& request, const EventSink&, std::stop_token) override {
    if (request.model.find("gone") != std::string::npos)
      throw Error("The model's folder does not exist", request.model, "it was moved or removed", "Check the path.");
    {
      std::lock_guard lock(m_control->mutex);
      m_control->lastEvaluation = request;
    }
    return std::make_unique<FakeEvaluation>(request, m_control);
  }
  RunPlan plan(const RunConfig& config) override {
    RunPlan plan;
    plan.name = config.trainer.name;
    plan.device = "cpu";
    plan.dtype = "float32";
    plan.steps = config.trainer.totalTrainingSteps;
    plan.rows = {{"weights", 40 << 20, true, "10 M parameters, float32"},
                 {"teacher", 80 << 20, true, "20 M parameters, float32"},
                 {"gradients", 40 << 20, true, "one a trained parameter"},
                 {"optimizer", 80 << 20, true, "two moments"},
                 {"activations", 120 << 20, false, "4096 tokens a micro-batch"},
                 {"kv_cache", 16 << 20, false, "16 responses at once"}};
    plan.residentBytes = 240 << 20;
    plan.baselineBytes = 200 << 20;
    plan.peakBytes = 560 << 20;
    plan.availableBytes = 8ll << 30;
    plan.peakPhase = "backward";
    plan.phases = {{"rollout", 256 << 20, 0.5, double(plan.steps)}, {"score", 300 << 20, 0.25, double(plan.steps)},
                   {"backward", 360 << 20, 0.75, double(plan.steps)}, {"update", 240 << 20, 0.1, double(plan.steps)},
                   {"evaluate", 256 << 20, 2.0, 4}};
    plan.secondsPerStep = 1.6;
    plan.secondsInAll = 1.6 * plan.steps + 8;
    plan.responseTokens = 20;
    plan.promptTokens = 60;
    plan.assumptions = {"Responses are 20 tokens long on average."};
    return plan;
  }
  std::vector<RowVerdict> checkRows(const CheckRowsRequest& request, std::stop_token) override {
    std::vector<RowVerdict> verdicts;
    for (const DataRow& row : readRows(request.file, request.first, request.count).rows) {
      RowVerdict v;
      v.row = row.index, v.id = row.id;
      const auto edit = request.edits.find(row.index);
      const std::string cue = edit == request.edits.end() ? row.cue : edit->second.cue;
      v.student = 60, v.teacher = 62 + std::int64_t(cue.size()) / 4, v.answer = 2;
      v.studentLimit = 1024, v.teacherLimit = 70, v.answerLimit = 40;
      v.places[0] = v.places[1] = v.visual[0] = v.visual[1] = kKeys;
      v.grids = {{1, 12, 12}};
      v.privilegeKind = "cue", v.privilege = cue, v.privileged = !cue.empty();
      v.studentText = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>" + row.question + "<|im_end|>\n<|im_start|>assistant\n";
      v.teacherText = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>" + row.question + (cue.empty() ? "" : "\n[Hint]: " + cue) + "<|im_end|>\n<|im_start|>assistant\n";
      v.batch = {{1, "<|im_start|>", 1, false, false}, {2, "user\n", 1, false, false}, {3, "<|image_pad|>", kKeys, true, false}, {4, row.question, 1, false, false}, {5, "four", 1, false, true}, {6, "<|im_end|>", 1, false, true}};
      if (v.teacher > v.teacherLimit) v.category = "teacher prompt too long", v.reason = "too long";
      verdicts.push_back(v);
    }
    return verdicts;
  }
  std::string exportModel(const std::string&, const std::string& outputFolder, const EventSink& sink, std::stop_token stop) override {
    if (sink) sink(Progress{"Writing the model", 25, 100, -1});
    std::unique_lock lock(m_control->mutex);
    m_control->changed.wait(lock, stop, [&] { return !m_control->holdInspect; });
    if (!stop.stop_requested()) return outputFolder;
    ++m_control->cancelled;
    throw Cancelled();
  }
  std::vector<SelfcheckLine> selfcheck(const std::string&, const std::string&, const EventSink&) override { return {}; }
  std::vector<BenchLine> bench(const BenchRequest&, const std::function<void(const BenchLine&)>&) override { return {}; }
  DataRows readRows(const std::string& file, std::int64_t first, int count) override {
    DataRows rows;
    rows.file = file;
    rows.total = 3;
    for (std::int64_t i = first; i < std::min<std::int64_t>(3, first + count); ++i) {
      DataRow row;
      row.index = i;
      row.id = "scene-" + std::to_string(i);
      row.question = "What digit is on the red circle?";
      row.prompt = "<image>" + row.question;
      row.pictures = 1;
      row.image = fakePicture();
      row.answer = "four";
      row.cue = "The red circle is at northwest.";
      if (file.find("two-pictures") != std::string::npos) {
        row.pictures = 2;
        row.moreImages = {fakePicture(96, 128)};
        row.prompt = "Left:<image>Right:<image>What differs?";
        row.evidence = {{0, 10, 20, 30, 40, "circle"}, {1, 5, 6, 20, 20, "square"}};
      }
      rows.rows.push_back(row);
    }
    return rows;
  }
  void makeDemoData(const std::string&, std::uint64_t, const EventSink&, std::stop_token) override {}
  void trainDemo(const DemoTrainRequest&, const EventSink&, std::stop_token) override {}

 private:
  std::shared_ptr<FakeControl> m_control;
};

}  // namespace

InspectionPtr fakeInspection(std::int64_t id, const std::string& question) {
  auto inspection = std::make_shared<Inspection>();
  inspection->id = id;
  inspection->student = fakeModel("/models/weak");
  inspection->teacher = fakeModel("/models/strong");
  inspection->hasTeacher = true;
  inspection->question = question;
  inspection->cue = "The red circle is at northwest.";
  inspection->sampleId = "scene-" + std::to_string(id);
  ImageView view;
  view.label = "scene.png";
  view.width = view.height = view.originalWidth = view.originalHeight = kPixels;
  view.gridRows = view.gridCols = kGrid;
  view.rgb.resize(std::size_t(kPixels) * kPixels * 3);
  for (std::size_t i = 0; i < view.rgb.size(); ++i) view.rgb[i] = std::uint8_t(200 + (i / 3 / 32) % 2 * 30);
  inspection->images.push_back(std::move(view));
  inspection->evidence.push_back({0, 32, 32, 64, 64, "red circle"});
  inspection->studentPrompt = fakePrompt(question, "");
  inspection->teacherPrompt = fakePrompt(question, inspection->cue);
  for (const char* text : {"the", " red", " circle", " four", "."}) {
    Token token;
    token.id = 100 + std::int64_t(inspection->response.size());
    token.text = text;
    inspection->response.push_back(token);
    inspection->answer += text;
    inspection->distributions.push_back(fakeDistributions(int(inspection->response.size()) - 1));
  }
  inspection->finish = "stop";
  inspection->cueRecovery = fakeStack(Site::CueRecovery, {0, 2}, 1);
  inspection->selfAttention = fakeStack(Site::SelfAttention, {0, 1, 2, 3}, int(inspection->response.size()));
  const int tokens = int(inspection->response.size());
  inspection->vision = fakeStack(Site::Vision, {0, 1}, 1);
  inspection->vision.queries = {-1};
  inspection->rollout = fakeStack(Site::Rollout, {0, 1, 2, 3}, tokens);
  inspection->gradientAttention = fakeStack(Site::GradientAttention, {0, 1, 2, 3}, tokens);
  inspection->occlusion = fakeStack(Site::Occlusion, {0}, tokens);
  for (AttentionStack* stack : {&inspection->selfAttention, &inspection->rollout, &inspection->gradientAttention, &inspection->occlusion})
    for (int t = 0; t < tokens; ++t) stack->queries[std::size_t(t)] = inspection->predicting(t);
  inspection->occlusionInfo = {"erase", 1, kGrid * kGrid, std::vector<float>(std::size_t(tokens), -0.5f)};
  LogitLens& lens = inspection->logitLens;
  lens.layers = {0, 1, 2, 3};
  lens.top = 2;
  for (int t = 0; t < tokens; ++t) {
    lens.positions.push_back(inspection->predicting(t));
    lens.chosenIds.push_back(inspection->response[std::size_t(t)].id);
  }
  for (int l = 0; l < 4; ++l)
    for (int t = 0; t < tokens; ++t) {
      lens.ids.insert(lens.ids.end(), {100 + t, 7 + l});
      lens.texts.insert(lens.texts.end(), {inspection->response[std::size_t(t)].text, " x"});
      lens.logProbs.insert(lens.logProbs.end(), {-2.f + 0.5f * float(l), -3.f});
      lens.chosen.push_back(-2.f + 0.5f * float(l));
      lens.entropy.push_back(2.f - 0.4f * float(l));
    }
  inspection->seconds = 0.01;
  return inspection;
}

std::unique_ptr<Engine> makeFakeEngine(std::shared_ptr<FakeControl> control) {
  return std::make_unique<FakeEngine>(std::move(control));
}

}  // namespace cuescope
