// RunConfig: what a training run does, to the last constant. One table (configFields) names every parameter once: key,
// default, unit, source and a sentence; YAML, the command line's a.b=c, the window's form and the run directory all read it.
// Keys take verl's names where verl has the concept. No torch, no Qt. A value type: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/failure.h"

namespace cuescope {

struct RunConfig {
  struct Trainer {
    std::string name = "run";
    std::string directory;                  // where run folders go; empty: runs/ under the user's data folder
    int totalTrainingSteps = 150;
    int saveFreq = 50;                      // steps between checkpoints, 0: only at the end
    int testFreq = 25;                      // steps between evaluations, 0: never
    int maxCkptToKeep = 2;
    bool valBeforeTrain = true;
    bool valOnly = false;                   // one evaluation and nothing else
    int probeFreq = 5;                      // steps between probe maps, 0: never
    int captureFreq = 0;                    // steps between capture files of the probe images, 0: never
    int rolloutSaveFreq = 1;
    std::uint64_t seed = 1;
    std::string resumeMode = "disable";     // disable, auto, or a checkpoint folder
    std::string device = "auto";
    int threads = 0;
  } trainer;

  struct Student {
    std::string path;
    bool cueEnabled = false;                // the cue recovery module
    int cueInterval = 5;                    // layers l with l mod interval == 0 (paper: 5; demo: 2)
    std::string cueInit = "zero_o";         // zero_o: identity at step 0; normal: N(0, 0.02^2), the reference
    bool cueSkipLastLayer = true;           // an injection after the last layer reaches nothing (spec B5)
    bool freezeVision = false;
    bool freezeLanguage = false;
    bool gradientCheckpointing = false;     // recompute decoder layers in the backward pass: less memory, more time
  } student;

  struct Teacher {
    std::string kind = "reference";         // reference: a frozen folder; own_start, ema, live: made from the student
    std::string path;                       // kind reference only
    double emaDecay = 0.99;                 // kind ema
    int emaEvery = 1;                       // kind ema: steps between two updates
    std::string privilege = "none";         // none, hint, cue, column
    std::string privilegeColumn;            // privilege column: a text column of the data
    std::vector<std::string> routes;        // "data_source=folder": another frozen teacher for these rows
  } teacher;

  struct Data {
    std::vector<std::string> trainFiles, valFiles;
    int trainBatchSize = 32;                // prompts a step
    int maxPromptLength = 1024, maxResponseLength = 40;
    int valMaxSamples = 256;
    bool shuffle = true;
    std::vector<int> probeRows;             // rows of the first validation file whose sink maps are followed
    bool filterOverlongPrompts = true;      // every row is measured before the first step, and rows that are too long are never drawn
    std::string truncation = "skip";        // an over-long row that is drawn all the same: skip, error
    std::string badRows = "skip";           // a row that cannot be read: skip (and count), stop
    bool cueEdits = true;                   // changes kept beside the data (cue_edits.h) count
  } data;

  struct Rollout {
    int n = 1;
    double temperature = 1.0, topP = 1.0;
    int topK = 0;
    double repetitionPenalty = 1.0;         // of tokens that are there already; 1: off
    int maxRepeats = 0;                     // a response ends after its end is so many copies of one short run; 0: off
    std::vector<int> stopTokenIds;          // end a response like the model's own end tokens
    std::vector<int> bannedTokenIds;        // never sampled, beside the vision tokens (spec 7-B10)
    int kvCacheMib = -1;                    // keys and values that exist at once; -1: a quarter of the device's memory; 0: no bound
    int maxNumSeqs = 0;                     // responses that are decoded at once; 0: 16 on the CPU, 64 on a GPU
    double gapAlarm = 0.02;                 // nats a token between rollout and training that are worth a warning (spec 7-A8)
  } rollout;

  struct Distillation {
    // k1, kl, abs, k2, mse, k3, low_var_kl, forward_kl_topk; whole vocabulary: forward_kl, reverse_kl, jsd, alpha,
    // skew_forward_kl, skew_reverse_kl; without a teacher: sft
    std::string lossMode = "forward_kl_topk";
    bool usePolicyGradient = false;
    int topk = 64;
    bool tailBucket = false;                    // forward_kl_topk: all other tokens count as one more token (spec B12)
    double jsdBeta = 0.5, alpha = 0.5, skew = 0.1;
    int vocabularyChunk = 8192;                 // tokens of the vocabulary in one block of a whole-vocabulary loss
    std::string contrast = "none";              // none, erased_image, wrong_cue
    double contrastWeight = 1.0;
    double lossMaxClamp = 10.0;                 // 0: off
    double logProbMinClamp = -10.0;             // forward_kl_topk only; 0: off
    double cascadeEpsilon = 0, confidenceAlpha = 0, marginGamma = 0;
    int cascadeTolerance = 1;
    bool useTaskRewards = false;
    double distillationCoef = 1.0;
  } distillation;

  struct Actor {
    double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01;
    int lrWarmupSteps = 5;
    std::string lrSchedule = "constant";        // constant, linear, cosine
    double lrCue = 0, lrVision = 0, lrLanguage = 0;  // rates of the parts; 0: lr
    bool noDecayNorms = false;                  // norms and biases do not decay
    double gradClip = 1.0;
    std::string nonfinite = "skip";             // a step whose gradient is not finite: skip, halve (the rate too), stop
    std::string policyLoss = "ppo";             // ppo, reinforce_cv, gspo, cispo
    int ppoEpochs = 1, ppoMiniBatchSize = 0;    // passes over a batch; prompts an update, 0: all
    bool useRolloutLogProbs = false;            // the ratio is taken against what was sampled
    std::string rolloutIs = "none";             // weights for what the sampler did differently: none, token, sequence
    double rolloutIsThreshold = 2.0;
    bool normAdvByStd = true;                   // GRPO's division by the group's deviation
    double clipRatioLow = 0.2, clipRatioHigh = 0.2, clipRatioC = 3.0;
    std::string lossAggMode = "token-mean";     // token-mean, seq-mean-token-sum, seq-mean-token-mean, seq-mean-token-sum-norm
    int microBatchTokens = 4096;                // packed tokens in one forward and backward
    std::string dtype = "auto";                 // of products and attention: float32, bfloat16; auto is float32
    std::string oomPolicy = "halve";            // memory ran out: halve the micro-batch and repeat (at most 3 times), or stop
    double entropyCoeff = 0.0;
    double klLossCoef = 0.0;                    // weight of the divergence from the student's own start, 0: off
    std::string klLossType = "low_var_kl";      // abs, mse, low_var_kl (kl: its gradient is 0 on average)
  } actor;
};

/// One parameter. `get` and `set` speak the YAML scalar; set throws std::invalid_argument with the rule that was broken.
struct ConfigField {
  std::string key;       // "actor.optim.lr"
  std::string label;     // "Learning rate"
  std::string unit;      // "", "steps", "tokens", "nats"
  std::string type;      // "int", "number", "bool", "text", "path", "choice", "paths", "ints"
  std::vector<std::string> choices;
  std::string sentence;  // what it does
  std::string source;    // "verl", "paper", "spec 3.6", "Cuescope"
  std::function<std::string(const RunConfig&)> get;
  std::function<void(RunConfig&, const std::string&)> set;
};

const std::vector<ConfigField>& configFields();

/// One complaint about one field.
struct ConfigIssue {
  std::string key, message;
};

/// Reads YAML text; relative paths are taken from `baseFolder`. Unknown keys are issues that name the nearest known one.
RunConfig parseConfig(const std::string& yaml, const std::string& baseFolder, std::vector<ConfigIssue>* issues);
RunConfig readConfig(const std::string& file, std::vector<ConfigIssue>* issues);
/// Applies "a.b=c".
void applyOverride(RunConfig& config, const std::string& assignment, std::vector<ConfigIssue>* issues);
/// The whole config as YAML, keys nested, in table order.
std::string writeConfig(const RunConfig& config);
/// A path as the file system knows it: "demo:x" is x in the demo folder of the resources; others are returned as they are.
std::string resolvePath(const std::string& path);
/// Where the folders of runs go: trainer.default_local_dir, else cuescope/runs in the user's data folder.
std::string runsFolder(const RunConfig& config);
/// The loss compares whole distributions over the vocabulary.
bool isWholeVocabulary(const std::string& lossMode);
/// The run scores responses with a teacher.
bool usesTeacher(const RunConfig& config);
/// All complaints at once; empty means that it may start. Checks values and that the named files exist.
std::vector<ConfigIssue> validate(const RunConfig& config);

}  // namespace cuescope
