#include "engine/inspect/what_if.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "engine/data/patches.h"
#include "engine/inspect/token_gap.h"
#include "engine/model/generate.h"

namespace cuescope {

namespace {

/// log p of the last id of `row`, from a pass over the ids before it: causality leaves out everything behind the judged token.
float lastLogProb(const Qwen3VL& student, RowInput row) {
  const std::int64_t id = row.ids.back();
  row.ids.pop_back();
  const at::Tensor states = student.forward(packRows(student.config(), {row}));
  return responseLogProbs(student, states.narrow(0, states.size(0) - 1, 1), {id}).at(0);
}

/// `count` different numbers below `total`; the same on every platform (no std::uniform_int_distribution, no std::shuffle).
std::vector<int> randomSet(std::mt19937_64& random, int total, std::size_t count) {
  std::vector<int> all(static_cast<std::size_t>(total));
  std::iota(all.begin(), all.end(), 0);
  for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + random() % (all.size() - i)]);
  all.resize(count);
  return all;
}

}  // namespace

WhatIfPtr whatIf(const InspectModels& models, const WhatIfRequest& request, const EventSink& sink, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const Qwen3VL& student = *models.student;
  const Tokenizer& tokenizer = models.studentProcessor->tokenizer();
  std::vector<std::int64_t> response = request.base.responseIds;
  if (response.empty() && !request.base.response.empty()) response = tokenizer.encode(request.base.response);
  if (request.token < 0 || static_cast<std::size_t>(request.token) >= response.size()) {
    throw Error("There is no response token " + std::to_string(request.token), "what if",
                "the response has " + std::to_string(response.size()) + " tokens, counted from 0", "Choose a token of the answer.");
  }
  const LookedAt seen = lookAt(*models.studentProcessor, request.base, {});
  const RowInput& prompt = seen.prompt.row;
  if (!prompt.pixelValues.defined()) throw Error("There is no image to change", "what if", "the prompt has no picture", "Inspect an image first.");
  const std::set<int> tokens(request.visualTokens.begin(), request.visualTokens.end());
  if (tokens.empty()) throw Error("No patch was chosen", "what if", {}, "Paint or box a part of the image.");

  const double total = 2.0 + request.randomRegions + (request.regenerate ? 1 : 0);
  double done = 0;
  const auto next = [&](const std::string& what) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink) sink(Progress{what, done, total, -1});
    done += 1;
  };
  const std::vector<std::int64_t> judged(response.begin(), response.begin() + request.token + 1);
  RowInput row = withResponse(prompt, judged);
  auto result = std::make_shared<WhatIf>();
  result->id = request.id;
  result->token = request.token;
  result->description = describeChange(request.change, tokens.size());
  result->answerBefore = tokenizer.decode(response, true);

  next("Before the change");
  result->before = lastLogProb(student, row);
  next("After the change");
  const std::vector<int> changed(tokens.begin(), tokens.end());
  const at::Tensor pixels = changePatches(prompt.pixelValues, prompt.grids, request.change, changed);
  row.pixelValues = pixels;
  result->after = lastLogProb(student, row);

  const int all = static_cast<int>(prompt.pixelValues.size(0) / 4);
  std::mt19937_64 random(request.base.sampling.seed);
  std::vector<double> controls;
  for (int i = 0; i < request.randomRegions; ++i) {
    next("The same with random patches");
    row.pixelValues = changePatches(prompt.pixelValues, prompt.grids, request.change, randomSet(random, all, changed.size()));
    controls.push_back(lastLogProb(student, row));
  }
  result->randomRegions = static_cast<int>(controls.size());
  if (!controls.empty()) {
    const double mean = std::accumulate(controls.begin(), controls.end(), 0.0) / static_cast<double>(controls.size());
    double squares = 0;
    for (const double value : controls) squares += (value - mean) * (value - mean);
    result->randomMean = static_cast<float>(mean);
    if (controls.size() > 1) result->randomDeviation = static_cast<float>(std::sqrt(squares / static_cast<double>(controls.size() - 1)));
  }
  if (request.regenerate) {
    next("Student answers about the changed image");
    RowInput again = prompt;
    again.pixelValues = pixels;
    const auto generated = generate(student, {again}, request.base.sampling, visionBans(student.config()), stop).at(0);
    result->answerAfter = tokenizer.decode(generated.ids, true);
  }
  return result;
}

}  // namespace cuescope
