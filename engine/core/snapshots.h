// Snapshots: immutable values that leave the engine thread as shared_ptr<const T>. Numbers, strings, bytes; never a tensor.
// Built once by the engine, published, never changed; the window slices them without asking the engine again.
// Conventions: log-probabilities in nats; «not computed» is NaN, never 0; attention shares of one query sum to 1 over all keys.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cuescope {

inline constexpr float kNotComputed = std::numeric_limits<float>::quiet_NaN();

/// Where a map comes from. The order is the order of the site selector.
enum class Site { CueRecovery, SelfAttention, Vision, Rollout, GradientAttention, LogitLens, Occlusion };
const char* siteName(Site site);  // "cue_recovery", "self_attention", ...

/// One image or one pair of video frames as the model saw it: the processed pixels and the merged grid over them.
struct ImageView {
  std::string label;               // file name or "frame 4, 0.7 s"
  int width = 0, height = 0;       // processed size, pixels; what the grid covers exactly
  std::vector<std::uint8_t> rgb;   // [height, width, 3]
  int gridRows = 0, gridCols = 0;  // merged visual tokens; a token covers (height/gridRows) x (width/gridCols) pixels
  int firstVisual = 0;             // index of its first token among the row's visual tokens (row-major from there)
  int originalWidth = 0, originalHeight = 0;
};

/// A rectangle in processed pixels of one image.
struct PixelBox {
  int image = 0;
  float x = 0, y = 0, width = 0, height = 0;
  std::string label;
};

/// Attention weights of one site. values[((query * layers.size() + l) * heads + h) * keys + k]; keys are the row's visual tokens.
struct AttentionStack {
  Site site = Site::CueRecovery;
  std::vector<int> layers;   // decoder or vision layer indexes that exist here
  std::vector<int> queries;  // positions in the sequence; cue recovery has one, the sink
  int heads = 0;
  int keys = 0;
  bool headsAveraged = false;  // true: heads == 1 and it is the mean, because all heads would not fit the budget
  std::vector<float> values;
  std::vector<float> textShare;  // [queries, layers, heads]: share on text keys without the sink; empty for cue recovery
  std::vector<float> sinkShare;  // [queries, layers, heads]: share on the sink

  bool empty() const { return values.empty(); }
  const float* map(std::size_t query, std::size_t layer, std::size_t head) const {
    return values.data() + ((query * layers.size() + layer) * static_cast<std::size_t>(heads) + head) * keys;
  }
};

/// One token of a rendered prompt or of a response.
struct Token {
  std::int64_t id = 0;
  std::string text;      // exact bytes of this token
  bool special = false;  // an added token such as <|im_start|>
  int visual = -1;       // index among the row's visual tokens, -1 for text
};

/// Who predicts. The order is the order of bars, columns and hues everywhere.
enum class Condition { Student, TeacherCue, TeacherPlain, TeacherErased };
inline constexpr int kConditions = 4;
const char* conditionName(Condition condition);

/// Next-token distributions at one response position over the union of each condition's top ids.
struct TokenDistributions {
  std::vector<std::int64_t> ids;                   // most likely first, by the largest probability in any condition
  std::vector<std::string> texts;                  // bytes of each id
  std::vector<float> logProbs[kConditions];        // per id; empty when the condition was not asked for
  float sampled[kConditions] = {kNotComputed, kNotComputed, kNotComputed, kNotComputed};  // log p of the response token
  float entropy[kConditions] = {kNotComputed, kNotComputed, kNotComputed, kNotComputed};  // nats, whole vocabulary
  float tail[kConditions] = {kNotComputed, kNotComputed, kNotComputed, kNotComputed};     // probability outside `ids`
  float klTeacherStudent = kNotComputed;  // KL(T + cue || S), whole vocabulary
  float klStudentTeacher = kNotComputed;  // KL(S || T + cue)
  float jsd = kNotComputed;               // Jensen-Shannon divergence of the two, nats
  /// log p(teacher + cue) - log p(student) of the response token: the advantage of the method. k1 is its negative.
  float gap() const { return sampled[int(Condition::TeacherCue)] - sampled[int(Condition::Student)]; }
  /// The part of the gap that the cue brings, and the part that the teacher's weights bring. They add up to gap().
  float gapFromCue() const { return sampled[int(Condition::TeacherCue)] - sampled[int(Condition::TeacherPlain)]; }
  float gapFromWeights() const { return sampled[int(Condition::TeacherPlain)] - sampled[int(Condition::Student)]; }
};

/// A prompt as one of the models reads it, followed by the response.
struct RenderedPrompt {
  std::string text;           // the chat template's output, placeholders not expanded
  std::vector<Token> tokens;  // prompt only, placeholders expanded
  int cueBegin = -1, cueEnd = -1;  // token range of the cue or hint, -1 if none
  int responseBegin() const { return static_cast<int>(tokens.size()); }
};

/// A model folder that the engine has opened.
struct ModelInfo {
  std::string folder;
  std::string name;
  std::int64_t parameters = 0;
  std::int64_t cueParameters = 0;
  int layers = 0, heads = 0, hidden = 0, vocabulary = 0, visionLayers = 0, visionHeads = 0;
  std::vector<int> injectionLayers;  // empty without cue recovery module
  std::string dtype, device;
  std::string digest;  // xxh3 of the weight files' headers and sizes, hex
  std::int64_t bytes = 0;
};

/// Everything the window shows about one look at one image.
struct Inspection {
  std::int64_t id = 0;  // of the request that asked for it
  ModelInfo student, teacher;
  bool hasTeacher = false;
  int step = -1;  // training step of the student, -1 when it is no run's student
  std::string question, cue, sampleId;
  std::vector<ImageView> images;
  std::vector<PixelBox> evidence;  // from the data set, if any
  RenderedPrompt studentPrompt, teacherPrompt;
  std::vector<Token> response;
  std::string answer;  // response as text, special tokens removed
  std::string finish;  // "stop", "length", "cancelled", "given"
  AttentionStack cueRecovery;    // sink to visual tokens; empty without module or image
  AttentionStack selfAttention;  // one query per response token: the position that predicts it
  std::vector<TokenDistributions> distributions;  // one a response token
  double seconds = 0;
  std::string studentImageDigest;  // xxh3 of the pixel values
};
using InspectionPtr = std::shared_ptr<const Inspection>;

/// Before and after of one change made to the input. Log-probabilities are the student's.
struct WhatIf {
  std::int64_t id = 0;
  std::string description;  // "erase 9 patches"
  int token = 0;            // response position that was judged
  float before = kNotComputed, after = kNotComputed;
  float randomMean = kNotComputed, randomDeviation = kNotComputed;  // log p after the same number of random patches
  int randomRegions = 0;
  std::string answerBefore, answerAfter;
};
using WhatIfPtr = std::shared_ptr<const WhatIf>;

/// Sink maps of the probe images at one step of a run (mean over heads, per injection layer).
struct ProbeMap {
  std::string image;  // label
  int gridRows = 0, gridCols = 0;
  std::vector<int> layers;
  std::vector<float> values;  // [layers, gridRows * gridCols]
  std::vector<float> evidenceMass;  // per layer; NaN without boxes
};

/// One training step, after its update.
struct StepSnapshot {
  std::string run;
  int step = 0;
  std::map<std::string, double> metrics;       // verl's names (spec 4.1) and cue/*
  std::map<std::string, double> phaseSeconds;  // rollout, score, backward, update, save, evaluate
  std::vector<ProbeMap> probes;                // empty except every n-th step
  double secondsSinceStart = 0;
  std::int64_t tokensSinceStart = 0;
};
using StepPtr = std::shared_ptr<const StepSnapshot>;

/// One row of a data file, for people. Texts of absent columns are empty.
struct DataRow {
  std::int64_t index = -1;
  std::string id, question, prompt, answer, cue, hint, kind, layout;
  std::vector<std::uint8_t> image;  // first picture, encoded; empty without one
  int pictures = 0;
  std::vector<PixelBox> evidence;   // pixels of the stored picture
  std::string problem;              // why this row cannot be read; empty otherwise
};
/// Some rows of a data file, in its order.
struct DataRows {
  std::string file;
  std::int64_t total = 0, first = 0;
  std::vector<DataRow> rows;
};

enum class RunState { Ready, Running, Paused, Stopping, Completed, Stopped, Failed };
const char* runStateName(RunState state);

/// Where a run stands between two units of work.
struct RunStatus {
  std::string run;        // name, also the folder's name
  std::string directory;
  RunState state = RunState::Ready;
  int step = 0, totalSteps = 0;
  std::string phase;      // "rollout", "score", "backward", "update", "evaluate", "save"
  int phaseDone = 0, phaseTotal = 0;
  double secondsLeft = -1;  // -1: not known yet
};

/// A long call's progress. total <= 0: not known.
struct Progress {
  std::string what;
  double done = 0, total = 0;
  double secondsLeft = -1;
};

/// One response token as it is decoded.
struct TokenArrived {
  std::int64_t request = 0;
  Token token;
  float logProb = kNotComputed;
};

}  // namespace cuescope
