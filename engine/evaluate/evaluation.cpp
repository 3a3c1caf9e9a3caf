#include "engine/evaluate/evaluation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <tuple>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/distill/probe_maps.h"
#include "engine/distill/rewards.h"
#include "engine/distill/rollout.h"
#include "engine/distill/training_data.h"
#include "engine/model/generate.h"
#include "engine/tokenizer/tokenizer.h"


namespace cuescope {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void addSinkMaps(const Qwen3VL& model, const std::vector<RowInput>& inputs, const std::vector<const ReadyRow*>& rows, const std::vector<EvaluatedSample*>& samples) {
  if (model.config().cue.active.empty()) return;
  SinkProbe probe(false);
  ForwardOptions options;
  options.probe = &probe;
  model.forward(packRows(model.config(), inputs), options);
  const std::int64_t merge = model.config().vision.merge;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const ReadyRow& row = *rows[b];
    EvaluatedSample& sample = *samples[b];
    std::vector<float> cover;  // share of each visual token inside the evidence
    bool boxes = false;
    for (std::size_t image = 0; image < row.grids.size(); ++image) {
      const Grid& grid = row.grids[image];
      const int gridRows = static_cast<int>(grid.h / merge), gridCols = static_cast<int>(grid.w / merge);
      sample.grids.emplace_back(gridRows, gridCols);
      const auto part = evidenceCover(row.sample.evidence, static_cast<int>(image), row.imageWidths[image], row.imageHeights[image], gridRows, gridCols);
      cover.insert(cover.end(), part.begin(), part.end());
    }
    boxes = std::any_of(cover.begin(), cover.end(), [](float c) { return c > 0; });
    for (const auto& [layer, weights] : probe.attention[static_cast<std::int64_t>(b)]) {
      const float* w = weights.const_data_ptr<float>();
      const auto n = static_cast<std::size_t>(weights.numel());
      float mass = 0;
      for (std::size_t i = 0; i < std::min(n, cover.size()); ++i) mass += w[i] * cover[i];
      sample.sinkLayers.push_back(static_cast<int>(layer));
      sample.sinkEvidence.push_back(boxes ? mass : kNotComputed);
      sample.sinkMap.insert(sample.sinkMap.end(), w, w + n);
    }
  }
}

std::string decodingText(const SamplingOptions& s) {
  if (s.greedy) return "greedy";
  char text[128];
  std::snprintf(text, sizeof text, "temperature %.3g, top-p %.3g, top-k %d, seed %llu", s.temperature, s.topP, s.topK, static_cast<unsigned long long>(s.seed));
  return text;
}

void refuseNonsense(const EvaluateRequest& request) {
  if (request.answersPerRow < 1 || request.passK < 1 || request.passK > request.answersPerRow)
    throw Error("These numbers of answers do not fit", "evaluate", "K must lie between 1 and the answers a row", "Ask for at least K answers a row.");
  if (request.answersPerRow > 1 && request.sampling.greedy)
    throw Error("Greedy answers are all the same", "evaluate", "several answers a row need sampling", "Give a temperature, or ask for one answer.");
  if (request.privilege != "none" && request.privilege != "cue" && request.privilege != "hint")
    throw Error("There is no such privilege", request.privilege, "it is none, cue or hint", "Choose one of these.");
}

}  // namespace

EvaluationPtr evaluateModel(const Qwen3VL& model, std::shared_ptr<const Processor> processor, const EvaluateRequest& request, int step,
                            const EventSink& sink, std::stop_token stop) {
  refuseNonsense(request);
  const at::NoGradGuard noGrad;
  const auto begin = Clock::now();
  auto evaluation = std::make_shared<Evaluation>();
  evaluation->model = model.info();
  evaluation->step = step;
  for (const auto& file : request.files) evaluation->files.push_back(resolvePath(file));
  evaluation->dataName = dataNameOf(request.files);
  const Dataset dataset = Dataset::open(evaluation->files);
  evaluation->dataDigest = filesDigest(evaluation->files);
  evaluation->decoding = decodingText(request.sampling);
  evaluation->privilege = request.privilege;
  evaluation->answersPerRow = request.answersPerRow;
  evaluation->passK = request.passK;

  RunConfig config;  // rows are made ready as a run makes them
  config.data.maxPromptLength = static_cast<int>(std::min<std::int64_t>(model.config().text.maxPositions, 1 << 30));
  config.data.maxResponseLength = request.sampling.maxNew;
  config.teacher.privilege = request.privilege;
  const bool privileged = request.privilege != "none";
  const Preparer preparer(config, processor, privileged ? processor : nullptr, privileged ? model.config().text.maxPositions : 0);

  const std::int64_t total = request.maxSamples > 0 ? std::min(request.maxSamples, dataset.size()) : dataset.size();
  const auto block = static_cast<std::int64_t>(rolloutBlockRows(model)) * 2;
  const Tokenizer& tokenizer = processor->tokenizer();
  evaluation->samples.resize(static_cast<std::size_t>(total));
  for (std::int64_t first = 0; first < total; first += block) {
    if (stop.stop_requested()) throw Cancelled();
    std::vector<std::unique_ptr<ReadyRow>> rows;
    std::vector<EvaluatedSample*> samples;
    for (std::int64_t i = first; i < std::min(total, first + block); ++i) {
      EvaluatedSample& sample = evaluation->samples[static_cast<std::size_t>(i)];
      sample.index = i;
      std::tie(sample.file, sample.fileRow) = dataset.origin(i);
      std::unique_ptr<ReadyRow> row;
      try {
        Sample read = dataset.row(i);
        sample.id = read.id;
        sample.dataSource = read.dataSource;
        sample.kind = read.kind;
        sample.layout = read.layout;
        sample.question = read.question;
        sample.groundTruth = read.groundTruth;
        RowProblem problem;
        row = preparer.prepare(std::move(read), &problem);
        sample.problem = problem.reason;
      } catch (const Error& error) {
        sample.problem = error.what();
      }
      if (!row) {
        ++evaluation->skipped;
        continue;
      }
      sample.prompt = row->studentText;
      samples.push_back(&sample);
      rows.push_back(std::move(row));
    }
    std::vector<RowInput> inputs;
    std::vector<std::uint64_t> seeds;
    for (std::size_t b = 0; b < rows.size(); ++b) {
      for (int k = 0; k < request.answersPerRow; ++k) {
        inputs.push_back(privileged ? rows[b]->teacher : rows[b]->student);
        seeds.push_back(rolloutSeed(request.sampling.seed, samples[b]->index, k));
      }
    }
    if (inputs.empty()) continue;
    const auto answers = generate(model, inputs, request.sampling, visionBans(model.config()), stop, {}, seeds);
    for (std::size_t a = 0; a < answers.size(); ++a) {
      const std::size_t b = a / static_cast<std::size_t>(request.answersPerRow);
      EvaluatedAnswer answer;
      answer.ids = answers[a].ids;
      answer.text = tokenizer.decode(answer.ids, true);
      const Reward reward = judge(answer.text, samples[b]->groundTruth, rows[b]->think);
      answer.boxed = reward.answer;
      answer.accuracy = reward.accuracy;
      answer.format = reward.format;
      answer.logProb = 0;
      for (const float logProb : answers[a].logProbs) answer.logProb += logProb;
      answer.finish = answers[a].stopped ? "stop" : "length";
      samples[b]->answers.push_back(std::move(answer));
    }
    if (request.sinkMaps) {
      std::vector<RowInput> once;
      std::vector<const ReadyRow*> ready;
      for (const auto& row : rows) {
        once.push_back(row->student);
        ready.push_back(row.get());
      }
      addSinkMaps(model, once, ready, samples);
    }
    const double done = static_cast<double>(std::min(total, first + block));
    if (sink) sink(Progress{"Evaluating on " + evaluation->dataName, done, static_cast<double>(total), since(begin) / done * (static_cast<double>(total) - done)});
  }
  if (evaluation->skipped == total) {
    throw Error("No row could be asked", evaluation->files.front(), total > 0 ? evaluation->samples.front().problem : "the files hold no rows", "Check the data: cuescope-cli data check.");
  }
  evaluation->scores = scoresOf(evaluation->samples, request.passK);
  evaluation->seconds = since(begin);
  return evaluation;
}

}  // namespace cuescope
