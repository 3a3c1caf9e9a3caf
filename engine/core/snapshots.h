// Snapshots: immutable values that leave the engine thread as shared_ptr<const T>. Numbers, strings, bytes; never a tensor.
// Built once by the engine, published, never changed; the window slices them without asking the engine again.
// Conventions: log-probabilities in nats; «not computed» is NaN, never 0; attention shares of one query sum to 1 over all keys.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cuescope {

inline constexpr float kNotComputed = std::numeric_limits<float>::quiet_NaN();

/// Where a map comes from. The order is the order of the site selector.
enum class Site { CueRecovery, SelfAttention, Vision, Rollout, GradientAttention, LogitLens, Occlusion };
inline constexpr int kSites = 7;
const char* siteName(Site site);  // "cue_recovery", "self_attention", ...
/// The site of that name; Error that lists the names otherwise.
Site siteNamed(const std::string& name);

/// One image or one pair of video frames as the model saw it: the processed pixels and the merged grid over them.
struct ImageView {
  std::string label;               // file name or "frame 4, 0.7 s"
  int width = 0, height = 0;       // processed size, pixels; what the grid covers exactly
  std::vector<std::uint8_t> rgb;   // [height, width, 3]
  int gridRows = 0, gridCols = 0;  // merged visual tokens; a token covers (height/gridRows) x (width/gridCols) pixels
  int firstVisual = 0;             // index of its first token among the row's visual tokens (row-major from there)
  int originalWidth = 0, originalHeight = 0;
  int source = 0;        // number of the image or video of the request that this view belongs to
  int slice = -1;        // video: number of the pair of frames, from 0; -1 for an image
  double seconds = -1;   // video: mean time of the pair; -1 for an image or when the file has no times
};

/// A rectangle in processed pixels of one image.
struct PixelBox {
  int image = 0;
  float x = 0, y = 0, width = 0, height = 0;
  std::string label;
};

/// The maps of one site over the row's visual tokens. values[((query * layers.size() + l) * heads + h) * keys + k].
/// What a value is, and what a query is:
///   CueRecovery        share of the sink's attention; one query, the sink
///   SelfAttention      share of a position's attention; queries are the positions that predict the chosen response tokens
///                      (Inspection::selfAttention), or chosen prompt positions themselves (Inspection::promptAttention)
///   Vision             share of attention inside the vision tower, 0 outside the query's own image or pair of frames. Query -1:
///                      what each token receives, mean over all queries of its image; else a visual token (mean over its 4 patches).
///                      A key token's share is the sum over its 4 patches
///   Rollout            Abnar & Zuidema 2020 after each layer: R_l = (A_l / 2 + I / 2) R_(l-1), A_l the mean over heads; a row
///                      sums to 1 before and after, so nothing is renormalised. An injection layer is one more step in which
///                      only the sink moves: half its own, half its cue recovery attention. The share of a position on each visual
///                      token as it entered layer 0. heads == 1
///   GradientAttention  attention x d log p(chosen token) / d attention, for the row that predicts the token; signed, positive speaks
///                      for the token
///   LogitLens          probability of the chosen token, read from each visual token's state after a layer; heads == 1
///   Occlusion          log p(chosen token) before minus after the token's cell is erased; positive: the cell was needed. Causal.
///                      layers == {0}, heads == 1
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
  /// Place of a position (or visual token, or -1) among the queries; -1 when it was not captured.
  int queryAt(int position) const;
  std::int64_t bytes() const { return static_cast<std::int64_t>((values.size() + textShare.size() + sinkShare.size()) * sizeof(float)); }
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

/// What the student would say if it stopped after a layer: final norm and language head on the state that layer hands on. The last
/// layer's is the model's own prediction. «Chosen» is the token that does come next; NaN where an image placeholder does.
struct LogitLens {
  std::vector<int> layers, positions;      // positions in the sequence, prompt or response
  int top = 0;                             // tokens kept of each
  std::vector<std::int64_t> ids;           // [layers, positions, top], most likely first
  std::vector<std::string> texts;          // bytes of each id, the same order
  std::vector<float> logProbs;             // [layers, positions, top]
  std::vector<float> chosen;               // [layers, positions]: log p of the chosen token
  std::vector<std::int64_t> chosenIds;     // [positions], -1 where there is none
  std::vector<float> entropy;              // [layers, positions], nats

  bool empty() const { return logProbs.empty(); }
  std::size_t at(std::size_t layer, std::size_t position) const { return layer * positions.size() + position; }
  std::int64_t bytes() const;
};

/// How the occlusion map was made.
struct OcclusionInfo {
  std::string change;             // "erase", "blur", "average"
  int cell = 1;                   // side of an occluded cell, visual tokens; its tokens share one value
  int passes = 0;                 // forward passes that were made
  std::vector<float> before;      // [queries]: log p of each chosen token with the whole image
};

/// A map against the evidence boxes of one image, each number beside what a map without any preference scores.
struct EvidenceScore {
  Site site = Site::CueRecovery;
  int query = -1;                     // as in the stack's queries
  bool prompt = false;                // of promptAttention
  int layer = 0, head = -2;           // head -2: mean of the heads
  int image = 0;
  int boxes = 0, patches = 0;         // boxes of this image; patches at least half covered (the most covered one if none is)
  float mass = 0, uniformMass = 0;    // share of the map inside, of what lies on this image (negative values count as 0)
  bool hit = false;                   // the largest patch is one of the evidence patches
  float uniformHit = 0;               // chance of that for a random patch
  float iou = 0, uniformIou = 0;      // the largest `patches` patches against the evidence patches; of a random choice, at its mean overlap
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
  AttentionStack selfAttention;  // one query per chosen response token: the position that predicts it
  AttentionStack promptAttention;    // chosen prompt positions
  AttentionStack vision, rollout, gradientAttention, lensMap, occlusion;
  LogitLens logitLens;
  OcclusionInfo occlusionInfo;
  std::vector<EvidenceScore> evidenceScores;  // of every captured map, heads averaged; empty without evidence
  std::int64_t statedBytes = 0;               // what inspectCost promised at most for the sites
  std::vector<TokenDistributions> distributions;  // one a response token
  double seconds = 0;
  std::string studentImageDigest;  // xxh3 of the pixel values

  /// The maps of a site; for SelfAttention those of the response. Empty when they were not captured.
  const AttentionStack& stack(Site site) const;
  AttentionStack& stack(Site site);
  /// Position in the sequence that predicts response token i.
  int predicting(int token) const { return studentPrompt.responseBegin() + token - 1; }
  /// Bytes of all sites' numbers.
  std::int64_t siteBytes() const;
};
using InspectionPtr = std::shared_ptr<const Inspection>;

/// What one site will take. Bytes of what is kept are exact when the response is given, else for the longest one allowed.
struct SiteCost {
  Site site = Site::CueRecovery;
  std::int64_t bytes = 0;         // kept in the inspection
  std::int64_t workBytes = 0;     // besides, while it is computed
  double passes = 0;              // forward passes over the row beyond the one that all sites share
  int queries = 0, layers = 0, heads = 0, keys = 0;
  std::string note;               // "heads are averaged to stay within the budget"
};
struct InspectCost {
  std::vector<SiteCost> sites;
  std::int64_t bytes = 0;         // kept, all sites
  std::int64_t peakBytes = 0;     // at most at any time, beyond the models: kept, activations, and the largest site's work
  std::int64_t tokens = 0, visualTokens = 0;  // of the student's row, response included
  std::int64_t budgetBytes = 0;   // of the request
  bool fits = true;               // bytes <= budgetBytes
};

/// Before and after of one change. Log-probabilities are those of `subject`.
struct WhatIf {
  std::int64_t id = 0;
  std::string description;  // "erase 9 patches"
  int token = 0;            // response position that was judged
  float before = kNotComputed, after = kNotComputed;
  float randomMean = kNotComputed, randomDeviation = kNotComputed;  // log p after the same number of random patches
  int randomRegions = 0;
  std::string answerBefore, answerAfter;

  Condition subject = Condition::Student;      // who was asked: the student, or the teacher when its cue was changed
  std::string randomWhat;                      // "16 random sets of 9 patches"; empty without a comparison
  std::int64_t tokenId = -1, forcedId = -1;    // the judged token; the other token, when the answer goes on from one
  /// before - after: how much the judged token needed what was taken away, nats.
  float effect() const { return before - after; }
  /// One entry a response token, in the slot of `subject`, over one union of ids for both. After a forced token: up to it.
  std::vector<TokenDistributions> distributionsBefore, distributionsAfter;
  std::vector<Token> responseAfter;            // the new answer's tokens; empty when none was asked for
  AttentionStack mapBefore, mapAfter;          // of the viewed site and the judged token; empty when not asked for
  std::string cueAfter;                        // the teacher's cue after the change
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
  std::vector<std::vector<std::uint8_t>> moreImages;  // those behind it, the same
  int pictures = 0;
  std::vector<std::string> videos;  // files
  std::vector<PixelBox> evidence;   // pixels of the stored picture that its `image` counts
  std::string provenance;           // column cue_provenance, JSON (engine/core/cue_edits.h: CueOrigin); empty without it
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
/// Nothing for a name that no state has.
std::optional<RunState> runStateNamed(const std::string& name);

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
