// The door. An abstract class and values; no torch, no Qt. libcuescope_engine exports one C function, cuescopeCreateEngine,
// which engine_loader.h looks up. Every member is called from one thread (the engine thread of the studio, the main thread of
// the CLI), runs to its end and returns or throws Error / Cancelled. Long ones take a stop token, checked at every token and
// micro-batch, and report through the sink.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/cue_edits.h"
#include "engine/core/evaluation.h"
#include "engine/core/events.h"
#include "engine/core/run_plan.h"
#include "engine/core/snapshots.h"

namespace cuescope {

/// How to run: chosen once, when the engine is created.
struct EngineOptions {
  std::string device = "auto";     // "cpu", "cuda", "cuda:1", "auto"
  std::string dtype = "auto";      // compute type: "float32", "bfloat16"; auto = float32 on the CPU, bfloat16 on CUDA
  int threads = 0;                 // 0: all cores of this process
  bool withoutCue = false;         // folders are opened without their cue modules, whole or not; runs have theirs all the same
  std::string passedOver;          // set by loadEngine: why the CUDA engine that is installed is not this one
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
/// What is done to a region. Erasing paints it in its picture's mean colour.
enum class Change { Erase, Blur, Average, KeepOnly };
/// An encoded picture that is no file.
struct PictureBytes {
  std::vector<std::uint8_t> bytes;
  std::string label;
};
struct InspectRequest {
  std::int64_t id = 0;
  std::string student, teacher;          // teacher empty: no distributions of a teacher
  std::vector<std::string> images;       // files; or
  std::vector<std::uint8_t> imageBytes;  // an encoded image (pasted, or from a data set)
  std::string imageLabel;
  std::vector<PictureBytes> moreImages;  // behind imageBytes, before `images`
  double videoFps = 0;                   // frames a second that are read; 0: as the model's folder says
  int videoFrames = 0;                   // or that many, evenly spread
  std::string question, cue;
  std::vector<PixelBox> evidence;        // in processed pixels; `image` counts Inspection::images
  std::string sampleId;
  std::string response;                       // given text: nothing is generated
  std::vector<std::int64_t> responseIds;      // given ids: the same
  SamplingOptions sampling;
  int topTokens = 6;
  std::int64_t attentionBudgetBytes = 256ll << 20;  // heads are averaged when self-attention would exceed it

  /// What to capture. Sites that the prompt or the model cannot have stay empty. Layers and rows apply to every site that has them.
  std::set<Site> sites = {Site::CueRecovery, Site::SelfAttention};
  std::vector<int> layers;          // decoder layers; empty: all. Cue recovery keeps all its injection layers
  std::vector<int> visionLayers;    // vision blocks; empty: all
  std::vector<int> responseTokens;  // empty: all
  std::vector<int> promptTokens;    // positions of the student's prompt: their self-attention and logit lens
  std::vector<int> visionQueries;   // visual tokens whose vision attention is kept, besides the mean
  int lensTop = 5;                  // tokens kept at each place of the logit lens
  bool lensMap = false;             // also read the chosen tokens from every visual token (a vocabulary pass a layer)
  Change occlusionChange = Change::Erase;  // Erase, Blur or Average
  int occlusionCell = 0;            // side of a cell, visual tokens; 0: the smallest that needs at most occlusionPasses
  int occlusionPasses = 256;
  /// The numbers of all sites together; more is an Error before anything is computed. inspectCost says what a request takes.
  std::int64_t budgetBytes = 2ll << 30;
};

/// A part of the model that is silenced. Positions count the row: the subject's prompt, then the response.
struct KnockOut {
  enum class What {
    Head,       // output of one attention head
    Attention,  // output of a layer's self-attention
    Mlp,        // output of a layer's MLP
    Layer,      // both: the state passes unchanged (DeepStack and cue recovery behind it still act)
    Keys,       // chosen queries cannot read chosen keys (a position always reads itself)
  };
  What what = What::Head;
  int layer = -1;            // -1: all layers
  int head = -1;             // Head only
  std::vector<int> keys;     // Keys only
  std::vector<int> queries;  // Keys only; empty: all later positions
};
/// What the cue recovery module does instead. Cached keys and values carry it, so it acts in the prompt alone.
struct ModuleChange {
  bool off = false;
  double scale = 1.0;   // of its update
  int onlyLayer = -1;   // the one injection layer that still acts; -1: all
};
/// What the teacher's cue becomes. Wrong without text: sides, colours and numbers of the right one are exchanged.
enum class CueVariant { Right, Wrong, None, Edited };
struct CueChange {
  CueVariant variant = CueVariant::None;
  std::string text;  // Wrong, Edited
};
/// One question with any of the changes below, all at once. Nothing chosen is an Error.
struct WhatIfRequest {
  std::int64_t id = 0;
  InspectRequest base;                 // with responseIds of the inspection
  Change change = Change::Erase;
  std::vector<int> visualTokens;       // merged visual tokens to change
  int token = 0;                       // response position to judge
  int randomRegions = 16;              // random changes of the same kind and size, for comparison; 0: none
  bool regenerate = true;

  std::optional<ModuleChange> module;
  std::optional<CueChange> cue;        // the teacher (base.teacher) is asked then, and judged
  std::vector<KnockOut> knockOuts;
  std::int64_t forcedId = -1;          // the answer goes on from this id at `token`; judged is this id against the chosen one
  Condition subject = Condition::Student;  // or TeacherCue: knock-outs and regions of the teacher
  bool distributions = true;           // before and after, at every response token
  std::optional<Site> mapSite;         // the viewed site: its map of the judged token, before and after
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

/// Held-out rows for a model. The model reads the student's prompt, or with a privilege the teacher's.
struct EvaluateRequest {
  std::string model;                  // a folder, a checkpoint, or kRunStudent
  std::vector<std::string> files;     // parquet or JSONL
  std::int64_t maxSamples = 0;        // 0: all rows
  SamplingOptions sampling;           // greedy unless said otherwise; sampling.maxNew limits the answers
  int answersPerRow = 1;              // above 1 only when sampled
  int passK = 1;                      // at most answersPerRow
  std::string privilege = "none";     // none, hint, cue
  bool sinkMaps = false;              // also where the sink looks
};

/// What was written of a data file.
struct DataExport {
  std::string output;
  std::int64_t rows = 0, edited = 0, crops = 0;  // edited: rows with another cue or other marks
  std::int64_t teacherPrompts = 0;               // rows with a teacher_prompt
};

/// Rows of a data file as a run of this configuration would read them.
struct CheckRowsRequest {
  std::string file;
  std::int64_t first = 0;
  int count = 1;
  RunConfig config;     // its models' folders, limits and privilege
  CueEdits edits;       // that are not on the disk yet
  bool batch = false;   // also the decoded batch
};

/// An evaluation that has begun. advance() answers one block of rows, so that whoever drives it can train or inspect between two.
/// The model is held as it was when the evaluation was opened: of a run's student its own copy of the weights. The split into
/// units changes no answer. Engine thread.
class OpenEvaluation {
 public:
  virtual ~OpenEvaluation() = default;
  /// One block; true while more is left. A block that is cancelled has changed nothing and is asked again by the next call.
  virtual bool advance(std::stop_token stop) = 0;
  virtual std::int64_t rowsDone() const = 0;
  virtual std::int64_t rowsInAll() const = 0;
  /// Once nothing is left. Throws Error when no row could be asked.
  virtual EvaluationPtr result() = 0;
};

struct DemoTrainRequest {
  std::string outputFolder;
  std::uint64_t seed = 1;
  std::vector<std::string> only;  // "weak", "middle", "strong", "teacher"; empty: all
  double effort = 1.0;            // share of the recipes' steps; below 1 the models are worse, and sooner there
};

/// The study of the demo: settings by seeds with equal budgets, and what follows from them (engine/evaluate/study.h).
struct DemoStudyRequest {
  std::string outputFolder;        // results, table and figures; runs/ below it. A second call goes on where the first stopped.
  int seeds = 3;
  int steps = 100;                 // updates of every setting
  std::vector<std::string> only;   // names of settings or of groups; empty: all
  std::int64_t maxSamples = 1000;  // rows of each held-out split
  bool reportOnly = false;         // no training: table and figures from what is there
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

  /// What a request will take, before it runs: prepares the prompt, computes nothing.
  virtual InspectCost inspectCost(const InspectRequest& request, const EventSink& sink) = 0;
  virtual InspectionPtr inspect(const InspectRequest& request, const EventSink& sink, std::stop_token stop) = 0;
  virtual WhatIfPtr whatIf(const WhatIfRequest& request, const EventSink& sink, std::stop_token stop) = 0;

  /// Loads everything a run needs. Only one run is loaded at a time; a second call while one lives is an Error.
  virtual std::unique_ptr<TrainingRun> openRun(const RunConfig& config, const EventSink& sink, std::stop_token stop) = 0;

  /// Memory and time of a run before it starts, from the models' shapes, the data's lengths and a short measurement of this
  /// machine (about a second); loads no weights but a small student's. Throws Error as openRun would for what it cannot find.
  virtual RunPlan plan(const RunConfig& config) = 0;

  virtual std::vector<SelfcheckLine> selfcheck(const std::string& device, const std::string& goldensFolder, const EventSink& sink) = 0;
  virtual std::vector<BenchLine> bench(const BenchRequest& request, const std::function<void(const BenchLine&)>& onLine) = 0;

  /// Rows first .. first + count - 1 of a data file (parquet or JSONL). A bad row is a row with a problem, not an Error.
  virtual DataRows readRows(const std::string& file, std::int64_t first, int count) = 0;

  /// Answers held-out rows and judges them. Rows that cannot be asked carry their problem. Progress goes to the sink.
  virtual std::unique_ptr<OpenEvaluation> openEvaluation(const EvaluateRequest& /*request*/, const EventSink& /*sink*/, std::stop_token /*stop*/) { refuse("evaluate"); }
  /// All of it at once.
  EvaluationPtr evaluate(const EvaluateRequest& request, const EventSink& sink, std::stop_token stop) {
    const auto open = openEvaluation(request, sink, stop);
    while (open->advance(stop)) {
    }
    return open->result();
  }
  /// What a run of this configuration would make of these rows (files empty: the configuration's training files).
  virtual DataVerdict checkData(const std::vector<std::string>& /*files*/, const RunConfig& /*config*/, const EventSink& /*sink*/, std::stop_token /*stop*/) { refuse("check data"); }
  /// A data file with the edits beside it applied, as another file (engine/data/data_export.h).
  virtual DataExport exportData(const std::string& /*file*/, const std::string& /*output*/, bool /*teacherPrompt*/, const EventSink& /*sink*/, std::stop_token /*stop*/) { refuse("export data"); }
  /// The same for single rows, fewer at the end. A row that a run leaves out is a verdict with its reason. Throws Error for a bad
  /// file and for models that are not there, Cancelled.
  virtual std::vector<RowVerdict> checkRows(const CheckRowsRequest& /*request*/, std::stop_token /*stop*/) { refuse("check rows"); }
  /// Writes the model of a checkpoint, or of RUN or RUN@STEP, as a Hugging Face folder without the trainer's state; returns the folder.
  /// One that is cancelled leaves nothing. Throws Error, Cancelled.
  virtual std::string exportModel(const std::string& /*runOrCheckpoint*/, const std::string& /*outputFolder*/, const EventSink& /*sink*/ = {}, std::stop_token /*stop*/ = {}) { refuse("export"); }

  virtual void makeDemoData(const std::string& outputFolder, std::uint64_t seed, const EventSink& sink, std::stop_token stop) = 0;
  virtual void trainDemo(const DemoTrainRequest& request, const EventSink& sink, std::stop_token stop) = 0;
  virtual void demoStudy(const DemoStudyRequest& /*request*/, const EventSink& /*sink*/, std::stop_token /*stop*/) { refuse("study"); }

 private:
  [[noreturn]] static void refuse(const char* what) {
    throw Error(std::string("This engine cannot ") + what, "engine", "it was built without that part", "Use the full engine.");
  }
};

}  // namespace cuescope

/// The one symbol of the engine module. `abi` must equal kEngineAbi, else null. The caller owns the result.
extern "C" cuescope::Engine* cuescopeCreateEngine(int abi, const cuescope::EngineOptions* options);
namespace cuescope {
inline constexpr int kEngineAbi = 8;
}
