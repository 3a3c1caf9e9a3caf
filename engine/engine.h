// The door. An abstract class and values; no torch, no Qt. libcuescope_engine exports one C function, cuescopeCreateEngine,
// which engine_loader.h looks up. Every member is called from one thread (the engine thread of the studio, the main thread of
// the CLI), runs to its end and returns or throws Error / Cancelled. Long ones take a stop token, checked at every token and
// micro-batch, and report through the sink.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/events.h"
#include "engine/core/run_plan.h"
#include "engine/core/snapshots.h"

namespace cuescope {

/// How to run: chosen once, when the engine is created.
struct EngineOptions {
  std::string device = "auto";     // "cpu", "cuda", "cuda:1", "auto"
  std::string dtype = "auto";      // compute type: "float32", "bfloat16"; auto = float32 on the CPU, bfloat16 on CUDA
  int threads = 0;                 // 0: all cores of this process
};

/// One line of `doctor`: what was looked at, what was found, whether it is as it should be.
struct DoctorLine {
  std::string name, value, advice;
  bool ok = true;
};

struct SamplingOptions {
  bool greedy = true;
  double temperature = 1.0, topP = 1.0, minP = 0.0;
  int topK = 0;  // 0: off
  double repetitionPenalty = 1.0, presencePenalty = 0.0, frequencyPenalty = 0.0;
  std::uint64_t seed = 0;
  int maxNew = 256;
  bool ignoreEos = false;
};

struct ChatMessage {
  std::string role;
  std::string contentJson;  // a JSON string, or a JSON array of {"type": "text"|"image"|"video", ...} parts
};

struct GenerateRequest {
  std::string model;
  std::vector<std::string> images;
  std::string video;
  std::string prompt, system;
  std::string inputFile;  // instead of the above: a safetensors file with input_ids, attention_mask and pixels
  SamplingOptions sampling;
};
struct GeneratedRow {
  std::string text;
  std::vector<std::int64_t> ids;
  std::vector<float> logProbs;
  std::string finish;  // "stop" or "length"
};

/// What to look at. Paths are folders of models; `kRunStudent` names the student of the run that is loaded now.
inline constexpr const char* kRunStudent = "run:student";
inline constexpr const char* kRunTeacher = "run:teacher";
struct InspectRequest {
  std::int64_t id = 0;
  std::string student, teacher;          // teacher empty: no distributions of a teacher
  std::vector<std::string> images;       // files; or
  std::vector<std::uint8_t> imageBytes;  // an encoded image (pasted, or from a data set)
  std::string imageLabel;
  std::string question, cue;
  std::vector<PixelBox> evidence;
  std::string sampleId;
  std::string response;                       // given text: nothing is generated
  std::vector<std::int64_t> responseIds;      // given ids: the same
  SamplingOptions sampling;
  int topTokens = 6;
  std::int64_t attentionBudgetBytes = 256ll << 20;  // heads are averaged when self-attention would exceed it
};

enum class Change { Erase, Blur, Average, KeepOnly };
struct WhatIfRequest {
  std::int64_t id = 0;
  InspectRequest base;                 // with responseIds of the inspection
  Change change = Change::Erase;
  std::vector<int> visualTokens;       // merged visual tokens to change
  int token = 0;                       // response position to judge
  int randomRegions = 16;              // as many random sets of the same size, for comparison
  bool regenerate = true;
};

struct ForwardRequest {
  std::string model, inputFile, outputFile;
  std::vector<std::string> capture;  // hidden_states, sink_attention, attention.L, vision
};

/// One kernel or tensor compared with its oracle.
struct SelfcheckLine {
  std::string name;
  double largestError = 0, tolerance = 0;
  bool ok = false;
  std::string note;
};

struct BenchLine {
  std::string name;
  double bestMs = 0, medianMs = 0;
  double tokensPerSecond = 0;  // 0: does not apply
  double peakRssMb = 0;
  std::vector<std::int64_t> ids;
  double loss = 0;  // distill_step only
  std::string note;
};
struct BenchRequest {
  std::string model;
  std::vector<std::string> only;  // empty: all
  int repeat = 5, newTokens = 64;
};

/// A training run that is loaded. advance() does one unit of work (spec of the units: engine/distill/run.h).
class TrainingRun {
 public:
  virtual ~TrainingRun() = default;
  /// One unit; true while more is left. Throws what ends the run; the run directory stays valid.
  virtual bool advance(std::stop_token stop) = 0;
  virtual RunStatus status() const = 0;
  /// Writes checkpoints/step-NNNNNN durably; returns its folder. Callable between two units.
  virtual std::string checkpoint() = 0;
  /// Ends the run here: finishes no step that has begun, saves if asked, records the state.
  virtual void stop(bool save) = 0;
  /// Whoever drives the run makes no step until further notice (or goes on): recorded in status.json, for those who follow it.
  virtual void setPaused(bool /*paused*/) {}
  virtual const RunConfig& config() const = 0;
};

struct DemoTrainRequest {
  std::string outputFolder;
  std::uint64_t seed = 1;
  std::vector<std::string> only;  // "weak", "middle", "strong", "teacher"; empty: all
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::vector<DoctorLine> doctor() = 0;
  virtual ModelInfo openModel(const std::string& folder, const EventSink& sink, std::stop_token stop) = 0;
  virtual void closeModel(const std::string& folder) = 0;

  virtual std::vector<std::int64_t> tokenize(const std::string& modelFolder, const std::string& text) = 0;
  virtual std::string detokenize(const std::string& modelFolder, const std::vector<std::int64_t>& ids) = 0;
  virtual RenderedPrompt chat(const std::string& modelFolder, const std::vector<ChatMessage>& messages, bool addGenerationPrompt) = 0;

  virtual void preprocess(const std::string& modelFolder, const std::vector<std::string>& files, const std::string& outputFile) = 0;
  virtual void forward(const ForwardRequest& request, std::stop_token stop) = 0;
  virtual std::vector<GeneratedRow> generate(const GenerateRequest& request, const EventSink& sink, std::stop_token stop) = 0;

  virtual InspectionPtr inspect(const InspectRequest& request, const EventSink& sink, std::stop_token stop) = 0;
  virtual WhatIfPtr whatIf(const WhatIfRequest& request, const EventSink& sink, std::stop_token stop) = 0;

  /// Loads everything a run needs. Only one run is loaded at a time; a second call while one lives is an Error.
  virtual std::unique_ptr<TrainingRun> openRun(const RunConfig& config, const EventSink& sink, std::stop_token stop) = 0;

  /// Memory and time of a run before it starts, from the models' shapes, the data's lengths and a short measurement of this
  /// machine (about a second); loads no weights. Throws Error as openRun would for what it cannot find.
  virtual RunPlan plan(const RunConfig& config) = 0;

  virtual std::vector<SelfcheckLine> selfcheck(const std::string& device, const std::string& goldensFolder, const EventSink& sink) = 0;
  virtual std::vector<BenchLine> bench(const BenchRequest& request, const std::function<void(const BenchLine&)>& onLine) = 0;

  /// Rows first .. first + count - 1 of a data file (parquet or JSONL). A bad row is a row with a problem, not an Error.
  virtual DataRows readRows(const std::string& file, std::int64_t first, int count) = 0;

  virtual void makeDemoData(const std::string& outputFolder, std::uint64_t seed, const EventSink& sink, std::stop_token stop) = 0;
  virtual void trainDemo(const DemoTrainRequest& request, const EventSink& sink, std::stop_token stop) = 0;
};

}  // namespace cuescope

/// The one symbol of the engine module. `abi` must equal kEngineAbi, else null. The caller owns the result.
extern "C" cuescope::Engine* cuescopeCreateEngine(int abi, const cuescope::EngineOptions* options);
namespace cuescope {
inline constexpr int kEngineAbi = 2;
}
