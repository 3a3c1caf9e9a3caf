// The door's implementation: finds the right models and hands over. What is more than a few lines lives in door_*.cpp or in the
// folders below.
#include "engine/engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/data/data_export.h"
#include "engine/data/data_rows.h"
#include "engine/data/demo_folder.h"
#include "engine/distill/checkpoint.h"
#include "engine/distill/demo_models.h"
#include "engine/distill/planner.h"
#include "engine/door_doctor.h"
#include "engine/door_models.h"
#include "engine/door_run.h"
#include "engine/door_tensors.h"
#include "engine/evaluate/bench.h"
#include "engine/evaluate/evaluation.h"
#include "engine/evaluate/row_check.h"
#include "engine/evaluate/selfcheck.h"
#include "engine/evaluate/study.h"
#include "engine/inspect/inspector.h"
#include "engine/inspect/what_if.h"
#include "engine/model/generate.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

namespace {

std::string resolveDevice(const std::string& wanted) {
  const bool cuda = at::globalContext().hasCUDA();
  if (wanted.empty() || wanted == "auto") return cuda ? "cuda" : "cpu";
  if (wanted == "cpu") return wanted;
  if (wanted != "cuda" && wanted.rfind("cuda:", 0) != 0) {
    throw Error("There is no device «" + wanted + "»", "device", "it is cpu, cuda, cuda:N or auto", "Choose one of these.");
  }
  if (!cuda) throw Error("There is no GPU", wanted, "LibTorch finds no CUDA device", "Use the device cpu, and run doctor.");
  const std::string number = wanted == "cuda" ? "0" : wanted.substr(5);
  if (number.empty() || number.size() > 3 || number.find_first_not_of("0123456789") != std::string::npos || std::stoul(number) >= at::getNumGPUs()) {
    throw Error("There is no GPU " + number, wanted, "this machine has " + std::to_string(at::getNumGPUs()) + ", counted from 0", "Choose one of these.");
  }
  return wanted;
}

std::string resolveDtype(const std::string& wanted, const std::string& device) {
  if (wanted.empty() || wanted == "auto") return device == "cpu" ? "float32" : "bfloat16";
  if (wanted == "float32" || wanted == "bfloat16") return wanted;
  throw Error("There is no compute type «" + wanted + "»", "dtype", "it is float32, bfloat16 or auto", "Choose one of these.");
}

Token tokenOf(const Tokenizer& tokenizer, std::int64_t id) { return {id, tokenizer.bytes(id), tokenizer.isSpecial(id), -1}; }

class DoorEngine : public Engine {
 public:
  explicit DoorEngine(const EngineOptions& options)
      : m_options(options), m_device(resolveDevice(options.device)), m_dtype(resolveDtype(options.dtype, m_device)), m_shelf(m_device, m_dtype, options.withoutCue) {
    m_options.device = m_device;
    if (options.dtype.empty() || options.dtype == "auto") m_options.dtype = "float32";  // of runs: master weights (spec 3.9)
    at::set_num_threads(options.threads > 0 ? options.threads : coresOfProcess());
  }

  std::vector<DoctorLine> doctor() override { return examineMachine(m_device, m_dtype, m_options.passedOver); }

  ModelInfo openModel(const std::string& folder, const EventSink& sink, std::stop_token stop) override {
    if (stop.stop_requested()) throw Cancelled();
    return modelNamed(folder, sink).info();
  }
  void closeModel(const std::string& folder) override { m_shelf.close(folder); }

  std::vector<std::int64_t> tokenize(const std::string& folder, const std::string& text) override {
    return tokenizerNamed(folder).encode(text);
  }
  std::string detokenize(const std::string& folder, const std::vector<std::int64_t>& ids) override {
    return tokenizerNamed(folder).decode(ids);
  }
  RenderedPrompt chat(const std::string& folder, const std::vector<ChatMessage>& messages, bool addGenerationPrompt) override;

  void preprocess(const std::string& folder, const std::vector<std::string>& files, const std::string& outputFile) override;
  void forward(const ForwardRequest& request, std::stop_token stop) override { forwardToFile(modelNamed(request.model, {}), request, stop); }
  std::vector<GeneratedRow> generate(const GenerateRequest& request, const EventSink& sink, std::stop_token stop) override;

  InspectCost inspectCost(const InspectRequest& request, const EventSink& sink) override {
    InspectRequest studentOnly = request;
    studentOnly.teacher.clear();
    return cuescope::inspectCost(modelsOf(studentOnly, sink), request);
  }
  InspectionPtr inspect(const InspectRequest& request, const EventSink& sink, std::stop_token stop) override {
    return cuescope::inspect(modelsOf(request, sink), request, sink, stop);
  }
  WhatIfPtr whatIf(const WhatIfRequest& request, const EventSink& sink, std::stop_token stop) override {
    InspectRequest asked = request.base;
    if (!request.cue && request.subject == Condition::Student) asked.teacher.clear();  // a teacher need not be opened for nothing
    return cuescope::whatIf(modelsOf(asked, sink), request, sink, stop);
  }

  std::unique_ptr<TrainingRun> openRun(const RunConfig& config, const EventSink& sink, std::stop_token stop) override {
    return openDoorRun(m_run, config, m_options, sink, stop);
  }

  RunPlan plan(const RunConfig& config) override { return planRun(config, m_options); }

  std::vector<SelfcheckLine> selfcheck(const std::string& device, const std::string& goldensFolder, const EventSink& sink) override {
    return runSelfcheck(resolveDevice(device), goldensFolder, sink);
  }
  std::vector<BenchLine> bench(const BenchRequest& request, const std::function<void(const BenchLine&)>& onLine) override {
    BenchRequest named = request;
    named.model = resolvePath(request.model);
    return runBench(named, m_device, m_dtype, onLine);
  }

  DataRows readRows(const std::string& file, std::int64_t first, int count) override { return cuescope::readRows(*m_data.of(file), file, first, count); }

  std::unique_ptr<OpenEvaluation> openEvaluation(const EvaluateRequest& request, const EventSink& sink, std::stop_token stop) override;
  DataVerdict checkData(const std::vector<std::string>& files, const RunConfig& config, const EventSink& sink, std::stop_token stop) override {
    return cuescope::checkRows(files, config, sink, stop);
  }
  DataExport exportData(const std::string& file, const std::string& output, bool teacherPrompt, const EventSink& sink, std::stop_token stop) override {
    return exportRows(resolvePath(file), output, teacherPrompt, sink, stop);
  }
  std::vector<RowVerdict> checkRows(const CheckRowsRequest& request, std::stop_token stop) override;
  std::string exportModel(const std::string& runOrCheckpoint, const std::string& outputFolder, const EventSink& sink, std::stop_token stop) override {
    return exportCheckpoint(runOrCheckpoint, outputFolder, sink, stop);
  }
  void demoStudy(const DemoStudyRequest& request, const EventSink& sink, std::stop_token stop) override { runStudy(request, m_options, sink, stop); }

  void makeDemoData(const std::string& folder, std::uint64_t seed, const EventSink& sink, std::stop_token stop) override {
    cuescope::makeDemoData(folder, seed, sink, stop);
  }
  void trainDemo(const DemoTrainRequest& request, const EventSink& sink, std::stop_token stop) override {
    cuescope::trainDemo(request, sink, stop);
  }

 private:
  Qwen3VL& modelNamed(const std::string& name, const EventSink& sink) {
    if (name == kRunStudent) return m_run.student();
    if (name == kRunTeacher) return m_run.teacher();
    return m_shelf.model(name, sink);
  }
  const Processor& processorNamed(const std::string& name) {
    if (name == kRunStudent) return m_run.studentProcessor();
    if (name == kRunTeacher) return m_run.teacherProcessor();
    return m_shelf.processor(name);
  }
  /// Of any folder with a tokenizer.json, or of the run's models.
  const Tokenizer& tokenizerNamed(const std::string& name) {
    return name == kRunStudent || name == kRunTeacher ? processorNamed(name).tokenizer() : m_shelf.tokenizer(name);
  }
  /// Null for a folder of weights alone (a measurement's model): its ids are the answer then.
  const Tokenizer* tokenizerIfAny(const std::string& name) {
    return name == kRunStudent || name == kRunTeacher || m_shelf.hasTokenizer(name) ? &tokenizerNamed(name) : nullptr;
  }
  InspectModels modelsOf(const InspectRequest& request, const EventSink& sink) {
    InspectModels models;
    models.student = &modelNamed(request.student, sink);
    models.studentProcessor = &processorNamed(request.student);
    if (!request.teacher.empty()) {
      models.teacher = &modelNamed(request.teacher, sink);
      models.teacherProcessor = &processorNamed(request.teacher);
    }
    if (request.student == kRunStudent) models.step = m_run.step();
    return models;
  }
  std::vector<RowInput> rowsOf(const GenerateRequest& request, const Qwen3VL& model);

  EngineOptions m_options;
  std::string m_device, m_dtype;
  Shelf m_shelf;
  RunSlot m_run;
  OpenData m_data;
};

std::vector<RowVerdict> DoorEngine::checkRows(const CheckRowsRequest& request, std::stop_token stop) {
  const std::shared_ptr<const Dataset> dataset = m_data.of(request.file);
  const RowChecker checker(request.config, [this](const std::string& folder) { return m_shelf.shareProcessor(folder); });
  std::vector<RowVerdict> verdicts;
  for (std::int64_t i = std::max<std::int64_t>(0, request.first); i < std::min(dataset->size(), request.first + request.count); ++i) {
    if (stop.stop_requested()) throw Cancelled();
    const auto edit = request.edits.find(i);
    verdicts.push_back(checker.check(dataset, i, edit == request.edits.end() ? nullptr : &edit->second, request.batch));
  }
  return verdicts;
}

std::unique_ptr<OpenEvaluation> DoorEngine::openEvaluation(const EvaluateRequest& request, const EventSink& sink, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled();
  // The run may go on between two blocks, and its student with it: what is judged is the student of this step.
  if (request.model == kRunStudent) return openEvaluationOf(m_run.student().copy(), m_run.shareStudentProcessor(), request, m_run.step(), sink);
  int step = -1;
  EvaluateRequest asked = request;
  asked.model = modelFolderOf(request.model, &step);
  return openEvaluationOf(m_shelf.share(asked.model, sink), m_shelf.shareProcessor(asked.model), asked, step, sink);
}

RenderedPrompt DoorEngine::chat(const std::string& folder, const std::vector<ChatMessage>& messages, bool addGenerationPrompt) {
  nlohmann::json list = nlohmann::json::array();
  for (const ChatMessage& message : messages) {
    const auto content = nlohmann::json::parse(message.contentJson, nullptr, false);
    if (content.is_discarded()) throw Error("A message's content is no JSON", message.role, {}, "Give a JSON string, or an array of parts.");
    list.push_back({{"role", message.role}, {"content", content}});
  }
  const Tokenizer& tokenizer = tokenizerNamed(folder);
  RenderedPrompt prompt;
  prompt.text = ChatTemplate::load(m_shelf.path(folder)).render(parseMessages(list.dump()), addGenerationPrompt);
  for (const std::int64_t id : tokenizer.encode(prompt.text)) prompt.tokens.push_back(tokenOf(tokenizer, id));
  return prompt;
}

void DoorEngine::preprocess(const std::string& folder, const std::vector<std::string>& files, const std::string& outputFile) {
  const Processor& processor = m_shelf.processor(folder);
  NamedTensors out;
  std::vector<at::Tensor> pixels[2];
  std::vector<std::int64_t> grids[2];
  for (const std::string& file : files) {
    const VisualInput visual = readVisual(processor, file, std::filesystem::path(file).filename().string());
    pixels[visual.grid.video].push_back(visual.pixelValues);
    grids[visual.grid.video].insert(grids[visual.grid.video].end(), {visual.grid.t, visual.grid.h, visual.grid.w});
  }
  for (const int video : {0, 1}) {
    if (pixels[video].empty()) continue;
    out.emplace_back(video ? "pixel_values_videos" : "pixel_values", at::cat(pixels[video]).contiguous());
    out.emplace_back(video ? "video_grid_thw" : "image_grid_thw", at::tensor(grids[video], at::kLong).view({-1, 3}));
  }
  writeSafetensors(outputFile, out);
}

std::vector<RowInput> DoorEngine::rowsOf(const GenerateRequest& request, const Qwen3VL& model) {
  if (!request.inputFile.empty()) return readPaddedBatch(request.inputFile, model.config()).rows;
  const Processor& processor = processorNamed(request.model);
  std::vector<VisualInput> visuals;
  std::string marks;
  std::vector<std::string> files = request.images;
  if (!request.video.empty()) files.push_back(request.video);
  for (const std::string& file : files) {
    visuals.push_back(readVisual(processor, file, std::filesystem::path(file).filename().string()));
    marks += visuals.back().grid.video ? "<video>" : "<image>";
  }
  const bool marked = request.prompt.find("<image>") != std::string::npos || request.prompt.find("<video>") != std::string::npos;
  std::vector<Turn> turns;
  if (!request.system.empty()) turns.push_back({"system", request.system});
  turns.push_back({"user", marked ? request.prompt : marks + request.prompt});
  return {processor.prompt(turns, visuals).row};
}

std::vector<GeneratedRow> DoorEngine::generate(const GenerateRequest& request, const EventSink& sink, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const Qwen3VL& model = modelNamed(request.model, sink);
  const std::vector<RowInput> rows = rowsOf(request, model);
  const Tokenizer* tokenizer = tokenizerIfAny(request.model);
  const OnToken onToken = [&](std::int64_t row, std::int64_t id, float logProb) {
    if (sink && row == 0 && tokenizer) sink(TokenArrived{0, tokenOf(*tokenizer, id), logProb});
  };
  std::vector<GeneratedRow> result;
  for (Generated& row : cuescope::generate(model, rows, request.sampling, visionBans(model.config()), stop, onToken)) {
    result.push_back({tokenizer ? tokenizer->decode(row.ids, true) : std::string(), std::move(row.ids), std::move(row.logProbs), row.stopped ? "stop" : "length"});
  }
  return result;
}

}  // namespace

}  // namespace cuescope

extern "C" __attribute__((visibility("default"))) cuescope::Engine* cuescopeCreateEngine(int abi, const cuescope::EngineOptions* options) {
  if (abi != cuescope::kEngineAbi || !options) return nullptr;
  return new cuescope::DoorEngine(*options);
}
