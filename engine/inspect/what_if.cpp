#include "engine/inspect/what_if.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"
#include "engine/inspect/capture_plan.h"
#include "engine/inspect/site_capture.h"
#include "engine/inspect/token_gap.h"
#include "engine/inspect/what_if_sides.h"
#include "engine/kernels/kernels.h"
#include "engine/model/generation.h"
#include "engine/model/kv_cache.h"

namespace cuescope {

namespace {

at::Tensor statesOf(const Qwen3VL& model, const WhatIfSide& side, const std::vector<std::int64_t>& response, const std::stop_token& stop) {
  return predictingStates(model, side.prompt, response, stop, side.silenced());
}

AttentionStack mapOf(const Qwen3VL& model, const Tokenizer& tokenizer, const WhatIfSide& side, const WhatIfRequest& request,
                     const std::vector<std::int64_t>& response, std::stop_token stop) {
  InspectRequest ask = request.base;
  ask.sites = {*request.mapSite};
  ask.lensMap = *request.mapSite == Site::LogitLens;
  ask.promptTokens.clear();
  ask.responseTokens = {static_cast<int>(response.size()) - 1};
  const CapturePlan plan = planCapture(model.config(), ask, side.prompt, static_cast<std::int64_t>(response.size()), true, false);
  checkBudget(plan);
  const RowInput row = withResponse(side.prompt, response);
  CaptureOrder order{&model, &tokenizer, &row, &plan, side.silenced(), ask.occlusionChange, {}, {}};
  SiteCapture captured = captureSites(order, stop);
  return std::move(captured.stack(*request.mapSite));
}

/// Both sides' distributions over the union of their ids, each moved to the subject's slot.
void pairDistributions(WhatIf& result, const Qwen3VL& model, const Tokenizer& tokenizer, const at::Tensor& before, const at::Tensor& after,
                       const std::vector<std::int64_t>& response, int topTokens, std::stop_token stop) {
  // Two conditions of one call share the union; their divergences then are between before and after.
  const auto both = tokenDistributions({{Condition::Student, &model, before}, {Condition::TeacherCue, &model, after}}, response, topTokens, tokenizer, stop);
  const auto slot = static_cast<std::size_t>(result.subject);
  for (const TokenDistributions& one : both) {
    for (const auto& [from, list] : {std::pair{Condition::Student, &result.distributionsBefore}, {Condition::TeacherCue, &result.distributionsAfter}}) {
      const auto source = static_cast<std::size_t>(from);
      TokenDistributions& out = list->emplace_back();
      out.ids = one.ids;
      out.texts = one.texts;
      out.logProbs[slot] = one.logProbs[source];
      out.sampled[slot] = one.sampled[source];
      out.entropy[slot] = one.entropy[source];
      out.tail[slot] = one.tail[source];
      out.klTeacherStudent = one.klTeacherStudent;  // KL(after || before)
      out.klStudentTeacher = one.klStudentTeacher;  // KL(before || after)
      out.jsd = one.jsd;
    }
  }
}

float logProbOf(const Qwen3VL& model, const at::Tensor& states, std::int64_t position, std::int64_t id) {
  return responseLogProbs(model, states.narrow(0, position, 1), {id}).at(0);
}

}  // namespace

std::vector<std::int64_t> answerUnder(const Qwen3VL& model, const RowInput& prompt, const Intervention* intervention, const SamplingOptions& options,
                                      const std::vector<std::int64_t>& banned, std::stop_token stop) {
  if (!intervention) return generate(model, {prompt}, options, banned, stop).at(0).ids;
  const at::NoGradGuard noGrad;
  std::vector<std::int64_t> answer;
  if (options.maxNew <= 0) return answer;
  StopProbe stops(stop);
  KvCache cache(model.config());
  ForwardOptions forward;
  forward.cache = &cache;
  forward.cacheRoom = options.maxNew;
  forward.tails = {1};
  forward.probe = &stops;
  forward.intervention = intervention;
  at::Tensor states = model.forward(packRows(model.config(), {prompt}), forward);
  forward.tails.clear();

  kernels::SamplerRow sampler = samplerOf(options);
  const bool penalties = penalises(options);
  std::map<std::int64_t, std::int32_t> counts;
  if (penalties) {
    for (const std::int64_t id : prompt.ids) counts.emplace(id, 0);
  }
  std::mt19937_64 random(options.seed);
  const auto& ends = model.config().eosTokens;
  while (true) {
    if (stop.stop_requested()) throw Cancelled();
    sampler.uniform = static_cast<double>(random() >> 11) * 0x1p-53;
    std::vector<std::vector<kernels::SeenToken>> seen(1);
    for (const auto& [id, count] : counts) seen[0].push_back({id, count});
    const std::int64_t id = kernels::sample(model.logits(states).to(at::kFloat), {&sampler, 1}, seen, banned).ids.at(0);
    answer.push_back(id);
    const bool ended = !options.ignoreEos && std::find(ends.begin(), ends.end(), id) != ends.end();
    if (ended || std::ssize(answer) >= options.maxNew || cache.nextPosition(0) >= model.config().text.maxPositions) return answer;
    if (penalties) ++counts[id];
    const std::int64_t row = 0;
    states = model.forward(continueRows(model.config(), cache, {&row, 1}, {{id}}), forward);
  }
}

WhatIfPtr whatIf(const InspectModels& models, const WhatIfRequest& request, const EventSink& sink, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const Condition subject = request.cue ? Condition::TeacherCue : request.subject;
  if (subject != Condition::Student && subject != Condition::TeacherCue) {
    throw Error("Only the student or the teacher with its cue can be asked", "what if", conditionName(subject), "Choose one of the two.");
  }
  const bool teacher = subject == Condition::TeacherCue;
  if (teacher && !models.teacher) throw Error("There is no teacher to ask", "what if", "the inspection has none", "Choose a teacher.");
  const Qwen3VL& model = teacher ? *models.teacher : *models.student;
  const Processor& processor = teacher ? *models.teacherProcessor : *models.studentProcessor;
  const Tokenizer& tokenizer = processor.tokenizer();
  const std::vector<std::int64_t> response = givenResponse(request.base, tokenizer);
  if (request.token < 0 || static_cast<std::size_t>(request.token) >= response.size()) {
    throw Error("There is no response token " + std::to_string(request.token), "what if",
                "the response has " + std::to_string(response.size()) + " tokens, counted from 0", "Choose a token of the answer.");
  }
  const auto vocabulary = model.config().text.vocabulary;
  if (request.forcedId >= vocabulary) throw Error("There is no token " + std::to_string(request.forcedId), "what if", "the vocabulary has " + std::to_string(vocabulary), "Choose one of its tokens.");
  for (const std::int64_t id : response) {
    if (id < 0 || id >= vocabulary) throw Error("There is no token " + std::to_string(id), "what if", "the vocabulary has " + std::to_string(vocabulary));
  }
  const WhatIfSides sides(model, processor, request, subject, static_cast<std::int64_t>(response.size()));
  const bool forced = request.forcedId >= 0;
  const int controls = sides.hasRandom() ? std::max(0, request.randomRegions) : 0;

  const double total = 2.0 + controls + (request.regenerate ? 1 : 0) + (request.distributions ? 1 : 0) + (request.mapSite ? 2 : 0);
  double done = 0;
  const auto next = [&](const std::string& what) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink) sink(Progress{what, done, total, -1});
    done += 1;
  };
  auto result = std::make_shared<WhatIf>();
  result->id = request.id;
  result->token = request.token;
  result->subject = subject;
  result->tokenId = response[static_cast<std::size_t>(request.token)];
  result->forcedId = request.forcedId;
  result->description = sides.description();
  if (forced) result->description += (result->description.empty() ? "" : ", ") + ("go on from «" + tokenizer.bytes(request.forcedId) + "»");
  result->answerBefore = tokenizer.decode(response, true);
  result->cueAfter = sides.after().cue;

  std::vector<std::int64_t> changed(response.begin(), response.begin() + request.token + 1);  // what the after side has said so far
  if (forced) changed.back() = request.forcedId;
  const std::vector<std::int64_t> judged(response.begin(), response.begin() + request.token + 1);
  next("Before the change");
  const std::vector<std::int64_t>& readBefore = request.distributions ? response : judged;
  const at::Tensor before = statesOf(model, sides.before(), readBefore, stop);
  result->before = logProbOf(model, before, request.token, judged.back());
  next("After the change");
  const std::vector<std::int64_t>& readAfter = request.distributions && !forced ? response : changed;
  const at::Tensor after = statesOf(model, sides.after(), readAfter, stop);
  result->after = logProbOf(model, after, request.token, changed.back());

  std::mt19937_64 seeds(request.base.sampling.seed);
  std::vector<double> others;
  for (int i = 0; i < controls; ++i) {
    next("The same at random");
    const at::Tensor states = statesOf(model, sides.random(seeds()), changed, stop);
    others.push_back(logProbOf(model, states, request.token, changed.back()));
  }
  result->randomRegions = static_cast<int>(others.size());
  if (!others.empty()) {
    result->randomWhat = std::to_string(others.size()) + " random " + sides.randomWhat();
    const double mean = std::accumulate(others.begin(), others.end(), 0.0) / static_cast<double>(others.size());
    double squares = 0;
    for (const double value : others) squares += (value - mean) * (value - mean);
    result->randomMean = static_cast<float>(mean);
    if (others.size() > 1) result->randomDeviation = static_cast<float>(std::sqrt(squares / static_cast<double>(others.size() - 1)));
  }
  if (request.distributions) {
    next("Distributions");
    // Where the answer leaves the given one, only the tokens up to that place have two sides.
    const auto shared = std::min(before.size(0), after.size(0));
    pairDistributions(*result, model, tokenizer, before.narrow(0, 0, shared), after.narrow(0, 0, shared),
                      {response.begin(), response.begin() + shared}, request.base.topTokens, stop);
    if (before.size(0) > shared) {
      const auto rest = tokenDistributions({{subject, &model, before.narrow(0, shared, before.size(0) - shared)}},
                                           {response.begin() + shared, response.end()}, request.base.topTokens, tokenizer, stop);
      result->distributionsBefore.insert(result->distributionsBefore.end(), rest.begin(), rest.end());
    }
  }
  if (request.mapSite) {
    next("Map before the change");
    result->mapBefore = mapOf(model, tokenizer, sides.before(), request, judged, stop);
    next("Map after the change");
    result->mapAfter = mapOf(model, tokenizer, sides.after(), request, changed, stop);
  }
  if (request.regenerate) {
    next("The answer after the change");
    std::vector<std::int64_t> ids;
    SamplingOptions sampling = request.base.sampling;
    RowInput prompt = sides.after().prompt;
    if (forced) {
      ids = changed;
      prompt = withResponse(prompt, ids);
      sampling.maxNew = std::max(0, sampling.maxNew - static_cast<int>(ids.size()));
    }
    const auto& ends = model.config().eosTokens;
    const bool ended = forced && std::find(ends.begin(), ends.end(), request.forcedId) != ends.end();
    if (!ended) {
      const auto more = answerUnder(model, prompt, sides.after().silenced(), sampling, visionBans(model.config()), stop);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    result->answerAfter = tokenizer.decode(ids, true);
    result->responseAfter = responseTokens(tokenizer, ids);
  }
  return result;
}

}  // namespace cuescope
