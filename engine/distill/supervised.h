// Supervised training of the demo's small models (spec demo 3): stage 0 aligns the vision tower with the word embeddings; stage 1
// trains the text model on questions and responses while the tower stands still. Engine thread; Throws Error, Cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/data/demo_questions.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

class Tokenizer;

struct SupervisedOptions {
  std::int64_t steps = 0;
  double lr = 2e-3, beta1 = 0.9, beta2 = 0.98, weightDecay = 0.01, gradClip = 1.0;
  std::int64_t warmupSteps = 0;
  double decayFraction = 0.3;  // the last part of the steps, linear to zero
  std::uint64_t seed = 1;
};

/// After each step: step (from 1), loss (mean of a token or fact, nats).
using OnSupervisedStep = std::function<void(std::int64_t step, double loss)>;

/// Pixels of 192 x 192 pictures as the model reads them: float32 [count * 144, 1536]; the processor's result without its resizing.
at::Tensor demoPixels(const std::vector<DemoScene>& scenes);

/// Random weights from which the small models learn: N(0, 1/fan_in), output projections smaller, embedding 0.05, and for
/// attention «mimetic» heads (queries equal keys, output undoes value).
void initialiseDemoModel(Qwen3VL& model, std::uint64_t seed);

/// Stage 0. Trains tower, embedding and final norm: every merged feature (and each DeepStack feature, weight 0.3) must name colour,
/// shape, digit and region of its token among the words of that list. Batches of 16 dense pictures.
void alignVision(Qwen3VL& model, const Tokenizer& tokenizer, const SupervisedOptions& options, const OnSupervisedStep& onStep,
                 std::stop_token stop);
/// Share of tokens that name their fact: colour, shape, digit (objects only), region (all), over fresh scenes of the task.
std::map<std::string, double> alignmentAccuracy(const Qwen3VL& model, const Tokenizer& tokenizer, int pictures, std::uint64_t seed);

/// Stage 1. The tower and its mergers stay as they are. A batch is 6 pictures with 6 questions each that share the picture's
/// prefix, and 4 rows whose question precedes the picture; loss on response tokens only, mean over tokens.
/// `last` > 0 ends the run early, on the schedule of all steps.
void trainText(Qwen3VL& model, const Tokenizer& tokenizer, const SupervisedOptions& options, const OnSupervisedStep& onStep,
               std::stop_token stop, std::int64_t last = 0);

/// Right answers, by kind and in all ("all").
struct DemoScore {
  std::map<std::string, std::pair<int, int>> byKind;  // right, asked
  double accuracy(const std::string& kind = "all") const;
  /// Wilson interval, 95 %.
  std::pair<double, double> interval(const std::string& kind = "all") const;
};
/// Greedy answers to `count` held-out cases (demoCase "test"): the last \boxed{} must equal the answer. `privilege`: "none",
/// "cue" or "hint". layout: "image-first", "question-first" or "both" (as in the data set).
DemoScore scoreDemo(const Qwen3VL& model, const Tokenizer& tokenizer, int count, std::uint64_t seed, const std::string& privilege,
                    const std::string& layout, std::stop_token stop);

}  // namespace cuescope
