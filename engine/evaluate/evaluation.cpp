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
      for (std::int64_t frame = 0; frame < grid.t; ++frame) sample.grids.emplace_back(gridRows, gridCols);  // a video: each pair of its frames
      const auto part = evidenceCover(row.sample.evidence, static_cast<int>(image), row.imageWidths[image], row.imageHeights[image], gridRows, gridCols);
      for (std::int64_t frame = 0; frame < grid.t; ++frame) cover.insert(cover.end(), part.begin(), part.end());
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

/// Rows first .. first + block - 1 are one unit. They are answered into a list of their own and kept when all are there.
class ModelEvaluation final : public OpenEvaluation {
 public:
  ModelEvaluation(std::shared_ptr<const Qwen3VL> model, std::shared_ptr<const Processor> processor, const EvaluateRequest& request, int step, EventSink sink)
      : m_model(std::move(model)), m_processor(std::move(processor)), m_request(request), m_sink(std::move(sink)), m_evaluation(std::make_shared<Evaluation>()) {
    Evaluation& e = *m_evaluation;
    e.model = m_model->info();
    e.step = step;
    for (const auto& file : request.files) e.files.push_back(resolvePath(file));
    e.dataName = dataNameOf(request.files);
    m_dataset = Dataset::open(e.files);
    e.dataDigest = filesDigest(e.files);
    e.decoding = decodingText(request.sampling);
    e.privilege = request.privilege;
    e.answersPerRow = request.answersPerRow;
    e.passK = request.passK;

    RunConfig config;  // rows are made ready as a run makes them
    config.data.maxPromptLength = static_cast<int>(std::min<std::int64_t>(m_model->config().text.maxPositions, 1 << 30));
    config.data.maxResponseLength = request.sampling.maxNew;
    config.teacher.privilege = request.privilege;
    m_preparer = std::make_unique<Preparer>(config, m_processor, privileged() ? m_processor : nullptr, privileged() ? m_model->config().text.maxPositions : 0);
    m_total = request.maxSamples > 0 ? std::min(request.maxSamples, m_dataset.size()) : m_dataset.size();
    e.samples.reserve(static_cast<std::size_t>(m_total));
  }

  std::int64_t rowsDone() const override { return static_cast<std::int64_t>(m_evaluation->samples.size()); }
  std::int64_t rowsInAll() const override { return m_total; }

  bool advance(std::stop_token stop) override {
    if (stop.stop_requested()) throw Cancelled();
    if (rowsDone() >= m_total) return false;
    const auto begin = Clock::now();
    std::vector<EvaluatedSample> block = answered(rowsDone(), stop);
    Evaluation& e = *m_evaluation;
    for (EvaluatedSample& sample : block) {
      e.skipped += sample.problem.empty() ? 0 : 1;
      e.samples.push_back(std::move(sample));
    }
    e.seconds += since(begin);
    const auto done = static_cast<double>(rowsDone()), total = static_cast<double>(m_total);
    if (m_sink) m_sink(Progress{"Evaluating on " + e.dataName, done, total, e.seconds / done * (total - done)});
    return rowsDone() < m_total;
  }

  EvaluationPtr result() override {
    Evaluation& e = *m_evaluation;
    if (rowsDone() < m_total) throw Error("This evaluation is not finished", e.files.front(), {}, "Let it answer all of its rows.");
    if (e.skipped == m_total) {
      throw Error("No row could be asked", e.files.front(), m_total > 0 ? e.samples.front().problem : "the files hold no rows", "Check the data: cuescope-cli data check.");
    }
    e.scores = scoresOf(e.samples, m_request.passK);
    return m_evaluation;
  }

 private:
  bool privileged() const { return m_request.privilege != "none"; }
  std::vector<EvaluatedSample> answered(std::int64_t first, std::stop_token stop) const;

  std::shared_ptr<const Qwen3VL> m_model;
  std::shared_ptr<const Processor> m_processor;
  EvaluateRequest m_request;
  EventSink m_sink;
  Dataset m_dataset;
  std::unique_ptr<Preparer> m_preparer;
  std::int64_t m_total = 0;
  std::shared_ptr<Evaluation> m_evaluation;
};

std::vector<EvaluatedSample> ModelEvaluation::answered(std::int64_t first, std::stop_token stop) const {
  const at::NoGradGuard noGrad;
  const auto block = static_cast<std::int64_t>(rolloutBlockRows(*m_model)) * 2;
  std::vector<EvaluatedSample> all(static_cast<std::size_t>(std::min(block, m_total - first)));
  std::vector<std::unique_ptr<ReadyRow>> rows;
  std::vector<EvaluatedSample*> samples;  // of the rows
  for (std::size_t i = 0; i < all.size(); ++i) {
    EvaluatedSample& sample = all[i];
    sample.index = first + static_cast<std::int64_t>(i);
    std::tie(sample.file, sample.fileRow) = m_dataset.origin(sample.index);
    std::unique_ptr<ReadyRow> row;
    try {
      Sample read = m_dataset.row(sample.index);
      sample.id = read.id;
      sample.dataSource = read.dataSource;
      sample.kind = read.kind;
      sample.layout = read.layout;
      sample.question = read.question;
      sample.groundTruth = read.groundTruth;
      RowProblem problem;
      row = m_preparer->prepare(std::move(read), &problem);
      sample.problem = problem.reason;
    } catch (const Error& error) {
      sample.problem = error.what();
    }
    if (!row) continue;
    sample.prompt = row->studentText;
    samples.push_back(&sample);
    rows.push_back(std::move(row));
  }
  std::vector<RowInput> inputs;
  std::vector<std::uint64_t> seeds;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    for (int k = 0; k < m_request.answersPerRow; ++k) {
      inputs.push_back(privileged() ? rows[b]->teacher : rows[b]->student);
      seeds.push_back(rolloutSeed(m_request.sampling.seed, samples[b]->index, k));
    }
  }
  if (inputs.empty()) return all;
  const auto answers = generate(*m_model, inputs, m_request.sampling, visionBans(m_model->config()), stop, {}, seeds);
  for (std::size_t a = 0; a < answers.size(); ++a) {
    const std::size_t b = a / static_cast<std::size_t>(m_request.answersPerRow);
    EvaluatedAnswer answer;
    answer.ids = answers[a].ids;
    answer.text = m_processor->tokenizer().decode(answer.ids, true);
    const Reward reward = judge(answer.text, samples[b]->groundTruth, rows[b]->think, rows[b]->sample.rewardStyle);
    answer.boxed = reward.answer;
    answer.accuracy = reward.accuracy;
    answer.format = reward.format;
    answer.logProb = 0;
    for (const float logProb : answers[a].logProbs) answer.logProb += logProb;
    answer.finish = answers[a].stopped ? "stop" : "length";
    samples[b]->answers.push_back(std::move(answer));
  }
  if (m_request.sinkMaps) {
    std::vector<RowInput> once;
    std::vector<const ReadyRow*> ready;
    for (const auto& row : rows) {
      once.push_back(row->student);
      ready.push_back(row.get());
    }
    addSinkMaps(*m_model, once, ready, samples);
  }
  return all;
}

}  // namespace

std::unique_ptr<OpenEvaluation> openEvaluationOf(std::shared_ptr<const Qwen3VL> model, std::shared_ptr<const Processor> processor, const EvaluateRequest& request, int step,
                                                 const EventSink& sink) {
  refuseNonsense(request);
  return std::make_unique<ModelEvaluation>(std::move(model), std::move(processor), request, step, sink);
}

EvaluationPtr evaluateModel(std::shared_ptr<const Qwen3VL> model, std::shared_ptr<const Processor> processor, const EvaluateRequest& request, int step,
                            const EventSink& sink, std::stop_token stop) {
  const auto open = openEvaluationOf(std::move(model), std::move(processor), request, step, sink);
  while (open->advance(stop)) {
  }
  return open->result();
}

}  // namespace cuescope
