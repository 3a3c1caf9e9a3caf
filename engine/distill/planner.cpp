#include "engine/distill/planner.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "engine/core/failure.h"
#include "engine/distill/kv_room.h"
#include "engine/distill/memory.h"
#include "engine/distill/rollout.h"
#include "engine/distill/run.h"
#include "engine/distill/student_step.h"
#include "engine/distill/teacher.h"
#include "engine/distill/training_data.h"
#include "engine/distill/vision_cache.h"

namespace cuescope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadRows = 64;               // rows of the data whose lengths are read
constexpr std::size_t kAnsweredRows = 16;           // prompts that a small student answers
constexpr std::int64_t kSmall = 20'000'000;         // parameters of a student that answers them in a second

double secondsOf(const std::function<void()>& work, double atLeast) {
  work();
  int times = 0;
  const auto begin = Clock::now();
  double seconds = 0;
  do {
    work();
    ++times;
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  } while (seconds < atLeast);
  return seconds / times;
}

/// Until the device has made it.
void waitFor(const at::Tensor& t) { t.flatten().narrow(0, 0, 1).to(at::kFloat).item<float>(); }

/// Sizes of a folder's model without its weights.
ModelSizes sizesOfFolder(const std::string& folder, const RunConfig* trained) {
  Qwen3VLConfig config = Qwen3VLConfig::read(folder);
  if (trained && trained->student.cueEnabled && !config.cue.enabled) {
    config.cue.enabled = true;
    config.cue.interval = trained->student.cueInterval;
    for (std::int64_t l = 0; l < config.text.layers; l += config.cue.interval)
      if (!trained->student.cueSkipLastLayer || l != config.text.layers - 1) config.cue.layers.push_back(l);
    config.cue.active = config.cue.layers;
  }
  Qwen3VL shapes(config, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  if (trained)
    selectTrainable(shapes, *trained);
  else
    for (auto& parameter : shapes.parameters()) parameter.set_requires_grad(false);
  return sizesOf(shapes);
}

std::vector<std::string> resolved(const std::vector<std::string>& files) {
  std::vector<std::string> out;
  for (const auto& file : files) out.push_back(resolvePath(file));
  return out;
}

/// Pages that a training pass over these rows takes, by the bytes of its tensors. Blocks of many sizes come and go in a pass, and the
/// heap keeps the gaps; how much depends on sizes and order, so it is tried. 1 where the kernel does not count peaks anew.
double heapShareOf(const std::shared_ptr<Qwen3VL>& student, const RunConfig& asked, const std::vector<RowInput>& prompts, const std::vector<Generated>& responses) {
  RunConfig config;
  config.student = asked.student;
  config.actor.dtype = asked.actor.dtype;
  config.data = asked.data;
  Teacher teacher(student);
  std::vector<TrainingRow> rows(prompts.size());
  std::vector<const TrainingRow*> pointers;
  std::vector<PlanRow> planned;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (responses[r].ids.empty()) continue;
    const RowInput* prompt = &prompts[r];
    rows[r].prompt = prompt;
    rows[r].response = responses[r].ids;
    const TokenIds* answer = &rows[r].response;
    rows[r].teacher = teacher.score({&prompt, 1}, {&answer, 1}, config.distillation.topk)[0];
    pointers.push_back(&rows[r]);
    planned.push_back(planRowOf(*prompt, *prompt, *student));
    planned.back().responseTokens = static_cast<double>(rows[r].response.size());
  }
  if (pointers.empty()) return 1;
  selectTrainable(*student, config);  // a teacher does not train
  VisionCache vision;
  const auto pass = [&] { backwardRows(*student, pointers, stepOptions(config), normalizersOf(pointers, config.data.maxResponseLength), config.student.freezeVision ? &vision : nullptr); };
  pass();  // gradients and features are there from now on
  releaseFreePages();
  if (!forgetPeak()) return 1;
  const std::int64_t before = residentBytes();
  pass();
  const double share = static_cast<double>(peakBytes() - before) / static_cast<double>(trainingPassBytes(sizesOf(*student), planned, config, computeTypeOf(config) == "bfloat16"));
  return std::clamp(share, 1.0, 2.0);
}

/// Mean length of a few sampled responses, and what a training pass over them takes.
double answeredTokens(const RunConfig& config, const std::vector<RowInput>& prompts, double* heapShare) {
  const auto student = Qwen3VL::load(resolvePath(config.student.path), "cpu", "float32");
  RunConfig one = config;
  one.rollout.n = 1;
  const auto generation = startRollout(*student, prompts, one, 0, 0, rolloutLimits(*student, one));
  while (generation->advance(0, {})) {
  }
  double tokens = 0;
  for (const auto& response : generation->results()) tokens += static_cast<double>(response.ids.size());
  if (computeTypeOf(config) == "bfloat16") student->setActivationType(at::kBFloat16);
  *heapShare = heapShareOf(student, config, prompts, generation->results());
  return tokens / static_cast<double>(prompts.size());
}

std::string shortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

void requireValid(const RunConfig& config) {
  const auto issues = validate(config);
  if (issues.empty()) return;
  std::string why;
  for (const auto& issue : issues) why += (why.empty() ? "" : "; ") + issue.key + " " + issue.message;
  throw Error("The configuration has a mistake", issues.front().key, why, "Correct the named parameters.");
}

}  // namespace

double matrixRate(const Qwen3VLConfig& config, const std::string& device, bool narrow) {
  const at::NoGradGuard noGrad;
  const auto options = at::TensorOptions().device(at::Device(device)).dtype(narrow ? at::kBFloat16 : at::kFloat);
  constexpr std::int64_t kRows = 512;
  const std::int64_t h = config.text.hidden, inner = config.text.intermediate;
  const at::Tensor x = at::ones({kRows, h}, options), w = at::ones({inner, h}, options);
  return 2.0 * kRows * static_cast<double>(h * inner) / secondsOf([&] { waitFor(at::linear(x, w)); }, 0.08);
}

MachineSpeed measureSpeed(const Qwen3VLConfig& config, const std::string& device, bool narrow) {
  const at::NoGradGuard noGrad;
  const auto options = at::TensorOptions().device(at::Device(device)).dtype(narrow ? at::kBFloat16 : at::kFloat);
  MachineSpeed speed;
  speed.flops = matrixRate(config, device, narrow);
  constexpr std::int64_t kCopied = 8 << 20;  // float32 values
  {
    const at::Tensor from = at::ones({kCopied}, options.dtype(at::kFloat)), to = at::empty_like(from);
    speed.bytes = 2.0 * 4 * kCopied / secondsOf([&] { waitFor(const_cast<at::Tensor&>(to).copy_(from)); }, 0.05);
  }
  at::Tensor small = at::ones({64}, options);
  speed.call = secondsOf([&] { for (int i = 0; i < 100; ++i) small = small + 1; }, 0.02) / 100;
  return speed;
}

namespace {

/// One step of a miniature of the architecture: prompt, rollout, the teacher's scores, gradients and an update.
void miniatureStep(bool narrow) {
  Qwen3VLConfig shape;
  shape.text = {.hidden = 64, .layers = 2, .heads = 4, .kvHeads = 2, .headDim = 32, .intermediate = 128, .vocabulary = 64, .maxPositions = 512, .mropeSection = {6, 5, 5}};
  shape.text.tied = true;
  shape.vision.hidden = shape.vision.outHidden = 64;
  shape.vision.depth = shape.vision.heads = 2;
  shape.vision.intermediate = 128;
  shape.vision.positions = 16;
  shape.vision.deepstack = {0};
  shape.imageToken = 5, shape.videoToken = 6, shape.visionStart = 3, shape.visionEnd = 4, shape.imStart = 7;
  const auto model = std::make_shared<Qwen3VL>(shape);
  for (auto& parameter : model->parameters()) {
    const at::NoGradGuard noGrad;
    parameter.fill_(0.02);
  }
  if (narrow) model->setActivationType(at::kBFloat16);
  RowInput row;
  row.ids = {7, 3, 5, 5, 5, 5, 4, 20, 21, 22};
  row.grids = {{1, 4, 4, false}};
  row.pixelValues = at::full({16, 1536}, 0.1, at::kFloat);
  const std::vector<RowInput> prompts(2, row);
  RunConfig config;
  config.distillation.topk = 8;
  config.data.maxResponseLength = 4;
  config.rollout.kvCacheMib = 16;
  const auto generation = startRollout(*model, prompts, config, 0, 0, rolloutLimits(*model, config));
  while (generation->advance(0, {})) {
  }
  Teacher teacher(model);
  std::vector<TrainingRow> rows(prompts.size());
  std::vector<const TrainingRow*> pointers;
  const TokenIds response = {20, 21, 22, 23};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const RowInput* prompt = &prompts[r];
    const TokenIds* answer = &response;
    rows[r].prompt = prompt;
    rows[r].response = response;
    rows[r].teacher = teacher.score({&prompt, 1}, {&answer, 1}, config.distillation.topk)[0];
    pointers.push_back(&rows[r]);
  }
  Optimizer optimizer(selectTrainable(*model, config), OptimizerOptions{.totalSteps = 1});
  backwardRows(*model, pointers, stepOptions(config), normalizersOf(pointers, config.data.maxResponseLength), nullptr);
  optimizer.step();
}

}  // namespace

void Baseline::begin(bool narrow) {
  // What a first step brings in for good: the libraries' pages, threads, workspaces and compiled kernels.
  miniatureStep(narrow);
  releaseFreePages();
  m_own = residentBytes() - residentFileBytes();
}

std::int64_t Baseline::end() const { return m_own + residentFileBytes(); }

RunPlan planRun(const RunConfig& given, const EngineOptions& options) {
  requireValid(given);
  RunConfig config = given;
  config.actor.dtype = computeTypeOf(config, options.dtype);
  PlanInputs in;
  in.config = config;
  in.device = config.trainer.device == "auto" ? options.device : config.trainer.device;
  if (config.trainer.threads > 0) at::set_num_threads(config.trainer.threads);
  in.config.rollout.kvCacheMib = config.rollout.kvCacheMib = keyValueMib(config, in.device);
  const bool narrow = computeTypeOf(config) == "bfloat16";
  in.available = in.device == "cpu" ? availableBytes() : 0;

  const std::string folder = resolvePath(config.student.path);
  in.student = sizesOfFolder(folder, &config);
  requireRoomForAResponse(config, in.student.config);
  const std::string& kind = config.teacher.kind;
  const auto frozenFolder = [&](const std::string& where) {
    ModelSizes sizes = sizesOfFolder(where, nullptr);
    if (narrow) sizes.storedBytes = 2;  // loadModels in run_open.cpp
    return sizes;
  };
  const auto ownStart = [&] { return sizesOfFolder(folder, &config); };  // with the module that the student gets, in float32
  std::string teacherFolder = folder;
  if (usesTeacher(config)) {
    if (kind == "reference") in.teachers.push_back(frozenFolder(teacherFolder = resolvePath(config.teacher.path)));
    else if (kind != "live") in.teachers.push_back(ownStart());
    for (const auto& route : config.teacher.routes) in.teachers.push_back(frozenFolder(resolvePath(route.substr(route.find('=') + 1))));
  }
  if (config.actor.klLossCoef != 0 && !startTeaches(config)) in.teachers.push_back(ownStart());

  const auto files = resolved(config.data.trainFiles), heldOut = resolved(config.data.valFiles);
  const auto dataset = std::make_shared<Dataset>(Dataset::open(files, config.data.cueEdits));
  const RowSource train = rowsOf(dataset);
  in.trainRows = train.size;
  in.dataBytes = dataset->decodedBytes();
  if (!heldOut.empty()) {
    const Dataset val = Dataset::open(heldOut);
    in.valRows = val.size();
    in.dataBytes += val.decodedBytes();
  }
  const auto processor = std::make_shared<Processor>(folder);
  std::shared_ptr<const Processor> teacherProcessor;
  if (usesTeacher(config)) teacherProcessor = teacherFolder == folder ? processor : std::make_shared<Processor>(teacherFolder);
  // Readers of data, tokenizers and chat templates belong to the process, as a run has them before its models; pictures do not.
  train.row(0);
  Baseline baseline;
  baseline.begin(narrow);
  in.speed = measureSpeed(in.student.config, in.device, narrow);
  const Preparer preparer(config, processor, teacherProcessor,
                          in.teachers.empty() ? in.student.config.text.maxPositions : in.teachers[0].config.text.maxPositions);
  const Qwen3VL shapes(in.student.config, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  DataCursor cursor(train.size, config.data.shuffle, config.trainer.seed);  // the rows of the first step
  std::vector<RowInput> asked;
  const std::size_t wanted = std::min(kReadRows, static_cast<std::size_t>(config.data.trainBatchSize));
  std::string reason;  // of the last row that cannot be used
  for (std::int64_t i = 0; i < train.size && in.rows.size() < wanted; ++i) {
    RowProblem problem;
    std::unique_ptr<ReadyRow> row;
    try {
      row = preparer.prepare(train.row(cursor.next()), &problem);
      if (!row) reason = problem.reason;
    } catch (const Error& error) {
      reason = error.what();
      continue;  // the run leaves it out and counts it
    }
    if (!row) continue;
    in.rows.push_back(planRowOf(row->student, row->teacher, shapes));
    if (asked.size() < kAnsweredRows) asked.push_back(std::move(row->student));
  }
  if (in.rows.empty())
    throw Error("No row of the data can be used", "data.train_files", reason,
                "Raise data.max_prompt_length or repair the data.");

  double response = config.data.maxResponseLength;
  if (in.student.parameters <= kSmall) {
    response = answeredTokens(config, asked, &in.heapShare);
    in.assumptions.push_back("A training pass takes " + shortNumber(in.heapShare) + " times the bytes of its tensors here, as a pass over those answers did: the heap keeps gaps between them.");
    in.assumptions.push_back("Responses are " + shortNumber(response) + " tokens long on average: the student answered " +
                             std::to_string(asked.size()) + " prompts as it is now. If all grew to data.max_response_length (" +
                             std::to_string(config.data.maxResponseLength) + "), activations would grow with them.");
  } else {
    in.assumptions.push_back("Every response reaches data.max_response_length (" + std::to_string(config.data.maxResponseLength) +
                             " tokens): the most that can happen.");
  }
  for (PlanRow& row : in.rows) row.responseTokens = response;
  in.assumptions.push_back("Prompts are as long as the first " + std::to_string(in.rows.size()) + " rows of the data that can be used.");
  in.assumptions.push_back("This machine does " + shortNumber(in.speed.flops / 1e9) + " GFLOP/s in " + (narrow ? "bfloat16" : "float32") +
                           " products of the student's shape and moves " + shortNumber(in.speed.bytes / 1e9) +
                           " GB/s, measured just now with " + std::to_string(at::get_num_threads()) + " threads.");
  if (in.heapShare <= 1) in.assumptions.push_back("Memory that the allocator keeps between its blocks is not counted.");
  in.baseline = baseline.end();
  return planOf(in);
}

}  // namespace cuescope
