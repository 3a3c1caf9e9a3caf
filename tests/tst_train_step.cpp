// The training step against the reference: scores of teacher and student, losses, gradients, three AdamW updates. And
// what the reference itself lacks: alignment for any prompt length, and results that do not depend on the split into
// micro-batches.
#include <ATen/ATen.h>

#include "engine/distill/log_probs.h"
#include "engine/distill/optimizer.h"
#include "engine/distill/student_step.h"
#include "tests/support/golden.h"
#include "tests/support/model_batch.h"

#include <QtTest/QtTest>
#include <nlohmann/json.hpp>

using namespace cuescope;

namespace {

struct Recorded {
  golden::Set set{"train_step"};
  std::shared_ptr<Qwen3VL> student, teacher;
  std::vector<RowInput> studentPrompts, teacherPrompts;
  std::vector<TokenIds> responses;

  Recorded() {
    teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
    reload();
    studentPrompts = prompts("student", student->config());
    teacherPrompts = prompts("teacher", teacher->config());
    for (std::int64_t b = 0; b < set["responses"].size(0); ++b) {
      TokenIds ids;
      for (std::int64_t t = 0; t < set["responses"].size(1); ++t) {
        if (set["response_mask"][b][t].item<std::int64_t>()) ids.push_back(set["responses"][b][t].item<std::int64_t>());
      }
      responses.push_back(ids);
    }
  }
  void reload() {
    student = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    student->setActiveCueLayers(
        student->config().cue.layers);  // the module after the last layer too, as in the reference
    for (auto& parameter : student->parameters()) parameter.set_requires_grad(true);
  }
  /// Rows of the batch without padding and response.
  std::vector<RowInput> prompts(const std::string& who, const Qwen3VLConfig& config) {
    std::vector<RowInput> rows;
    std::int64_t grid = 0, patch = 0;
    const at::Tensor ids = set[who + ".input_ids"], mask = set[who + ".attention_mask"];
    for (std::int64_t b = 0; b < ids.size(0); ++b) {
      RowInput row;
      const auto length = set[who + ".prompt_lengths"][b].item<std::int64_t>();
      std::int64_t begin = 0;
      while (mask[b][begin].item<std::int64_t>() == 0) ++begin;
      std::int64_t open = 0;
      std::vector<at::Tensor> parts;
      for (std::int64_t i = 0; i < length; ++i) {
        row.ids.push_back(ids[b][begin + i].item<std::int64_t>());
        if (row.ids.back() != config.imageToken) continue;
        if (open == 0) {
          const at::Tensor g = set["image_grid_thw"][grid++];
          row.grids.push_back({g[0].item<std::int64_t>(), g[1].item<std::int64_t>(), g[2].item<std::int64_t>(), false});
          open = row.grids.back().merged(config.vision.merge);
          const auto patches = row.grids.back().t * row.grids.back().h * row.grids.back().w;
          parts.push_back(set["pixel_values"].narrow(0, patch, patches));
          patch += patches;
        }
        --open;
      }
      if (!parts.empty()) row.pixelValues = at::cat(parts);
      rows.push_back(std::move(row));
    }
    return rows;
  }
  std::vector<TeacherScores> scores(int topK) {
    Teacher scorer(teacher);
    return scorer.score(pointers(teacherPrompts), pointers(responses), topK);
  }
  template <typename T>
  static std::vector<const T*> pointers(const std::vector<T>& values) {
    std::vector<const T*> out;
    for (const auto& value : values) out.push_back(&value);
    return out;
  }
  std::vector<TrainingRow> rows(int topK, bool keepOld) {
    auto scored = scores(topK);
    auto old = studentLogProbs(*student, pointers(studentPrompts), pointers(responses));
    std::vector<TrainingRow> rows;
    for (std::size_t b = 0; b < responses.size(); ++b) {
      TrainingRow row;
      row.prompt = &studentPrompts[b];
      row.response = responses[b];
      row.teacher = scored[b];
      if (keepOld) row.old = old[b];
      rows.push_back(row);
    }
    return rows;
  }
  /// [R] of each row to the recorded [B, 12], zeros at padding.
  at::Tensor padded(const std::vector<at::Tensor>& values) {
    auto shape = values[0].sizes().vec();
    shape[0] = set["responses"].size(1);
    shape.insert(shape.begin(), static_cast<std::int64_t>(values.size()));
    at::Tensor out = at::zeros(shape, values[0].options());
    for (std::size_t b = 0; b < values.size(); ++b)
      out[static_cast<std::int64_t>(b)].narrow(0, 0, values[b].size(0)).copy_(values[b]);
    return out;
  }
  at::Tensor mask() const { return set["response_mask"]; }
};

StepOptions optionsFor(const std::string& name) {
  StepOptions options;
  options.loss.mode = name.starts_with("k1") ? LossMode::K1 : LossMode::ForwardKlTopK;
  options.loss.policyGradient = name.starts_with("k1");
  options.loss.lossMaxClamp = 10;
  options.loss.logProbMinClamp = -10;
  return options;
}

}  // namespace

class TestTrainStep : public QObject {
  Q_OBJECT
  std::unique_ptr<Recorded> m;

 private Q_SLOTS:
  void initTestCase() { m = std::make_unique<Recorded>(); }

  void teacherAndStudentScoresAreTheReferences() {
    auto scored = m->scores(16);
    std::vector<at::Tensor> sampled, topK, topIds;
    for (const auto& row : scored) {
      sampled.push_back(row.sampled);
      topK.push_back(row.topK);
      topIds.push_back(row.topIds);
    }
    std::string message;
    QVERIFY2(m->set.close("teacher.logprobs", m->padded(sampled), &message), message.c_str());
    QVERIFY2(m->set.close("teacher.topk_logprobs", m->padded(topK), &message, m->mask()), message.c_str());
    QVERIFY2(m->set.close("teacher.topk_ids", m->padded(topIds), &message, m->mask()), message.c_str());
    auto student =
        studentLogProbs(*m->student, Recorded::pointers(m->studentPrompts), Recorded::pointers(m->responses));
    QVERIFY2(m->set.close("student.logprobs", m->padded(student), &message, m->mask()), message.c_str());
    QVERIFY(m->teacherPrompts[0].ids.size() > m->studentPrompts[0].ids.size());
  }

  void threeStepsFollowTheReference_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<double>("lr");
    QTest::newRow("k1, policy gradient") << "k1_pg" << 1e-3;
    QTest::newRow("k1, policy gradient, small steps") << "k1_pg_small_lr" << 2e-5;
    QTest::newRow("forward KL of the top K") << "forward_kl_topk" << 1e-3;
  }
  void threeStepsFollowTheReference() {
    QFETCH(QString, name);
    QFETCH(double, lr);
    const std::string run = name.toStdString();
    const StepOptions options = optionsFor(run);
    m->reload();
    Optimizer::Named parameters;
    for (const auto& item : m->student->named_parameters()) parameters.emplace_back(item.key(), item.value());
    Optimizer optimizer(parameters, {.lr = lr, .weightDecay = 0.01, .gradClip = 1.0});
    auto rows = m->rows(options.loss.mode == LossMode::ForwardKlTopK ? 16 : 0, true);
    const auto all = Recorded::pointers(rows);
    const LossNormalizers normalizers = normalizersOf(all, 12);
    std::vector<float> losses, norms;
    std::string message;
    for (int step = 0; step < 4; ++step) {
      optimizer.zeroGrad();
      BackwardResult result = backwardRows(*m->student, all, options, normalizers, nullptr);
      losses.push_back(static_cast<float>(result.loss));
      if (step == 3) break;
      if (step == 0) {
        if (m->set.has(run + ".per_token")) {
          std::vector<at::Tensor> parts;
          std::int64_t at = 0;
          for (const auto& row : rows) {
            parts.push_back(result.perToken.narrow(0, at, static_cast<std::int64_t>(row.response.size())));
            at += parts.back().size(0);
          }
          QVERIFY2(m->set.close(run + ".per_token", m->padded(parts), &message, m->mask()), message.c_str());
        }
        for (const auto& [key, parameter] : parameters) {
          const std::string recorded = run + ".grad." + key;
          if (m->set.has(recorded)) QVERIFY2(m->set.close(recorded, parameter.grad(), &message), message.c_str());
        }
        if (m->set.manifest().at("grad_norms").contains(run)) {
          const auto& want = m->set.manifest().at("grad_norms").at(run);
          QCOMPARE(want.size(), parameters.size());
          for (const auto& [key, value] : want.items()) {
            const double got = optimizer.gradNorm(key), expected = value;
            QVERIFY2(std::abs(got - expected) <= 1e-6 + 1e-3 * expected,
                     (key + ": " + std::to_string(got) + ", expected " + std::to_string(expected)).c_str());
          }
        }
      }
      norms.push_back(static_cast<float>(optimizer.step().gradNorm));
    }
    QVERIFY2(m->set.close(run + ".losses", at::tensor(losses), &message), message.c_str());
    QVERIFY2(m->set.close(run + ".grad_norms", at::tensor(norms), &message), message.c_str());
    int compared = 0;
    for (const auto& [key, parameter] : parameters) {
      const std::string recorded = run + ".after3." + key;
      if (!m->set.has(recorded)) continue;
      QVERIFY2(m->set.close(recorded, parameter, &message), message.c_str());
      ++compared;
    }
    QCOMPARE(compared, 18);
  }

  void tenFurtherStepsStayWithTheReference_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<double>("lr");
    QTest::newRow("k1, policy gradient") << "k1_pg" << 1e-3;
    QTest::newRow("k1, policy gradient, small steps") << "k1_pg_small_lr" << 2e-5;
    QTest::newRow("forward KL of the top K") << "forward_kl_topk" << 1e-3;
    QTest::newRow("forward KL of the top K, small steps") << "forward_kl_topk_small_lr" << 1e-4;
  }
  void tenFurtherStepsStayWithTheReference() {
    QFETCH(QString, name);
    QFETCH(double, lr);
    const golden::Set more("train_more");
    const std::string run = name.toStdString();
    const StepOptions options = optionsFor(run);
    m->reload();
    Optimizer::Named parameters;
    for (const auto& item : m->student->named_parameters()) parameters.emplace_back(item.key(), item.value());
    Optimizer optimizer(parameters, {.lr = lr, .weightDecay = 0.01, .gradClip = 1.0});
    auto rows = m->rows(options.loss.mode == LossMode::ForwardKlTopK ? 16 : 0, true);
    const auto all = Recorded::pointers(rows);
    const LossNormalizers normalizers = normalizersOf(all, 12);
    std::vector<float> losses, norms;
    const auto steps = more[run + ".grad_norms"].size(0);
    QCOMPARE(steps, std::int64_t(13));
    for (std::int64_t step = 0; step <= steps; ++step) {
      optimizer.zeroGrad();
      losses.push_back(static_cast<float>(backwardRows(*m->student, all, options, normalizers, nullptr).loss));
      if (step < steps) norms.push_back(static_cast<float>(optimizer.step().gradNorm));
    }
    std::string message;
    QVERIFY2(more.close(run + ".losses", at::tensor(losses), &message), message.c_str());
    QVERIFY2(more.close(run + ".grad_norms", at::tensor(norms), &message), message.c_str());
  }

  void alignmentHoldsForShorterEqualAndLongerTeacherPrompts() {  // spec 7.E.8
    const TokenIds response{40, 41, 300, 7};
    std::vector<RowInput> prompts;
    for (std::size_t length : {3, 10, 25}) {  // the student's would be 10
      RowInput row;
      for (std::size_t i = 0; i < length; ++i) row.ids.push_back(static_cast<std::int64_t>(50 + 7 * i % 200));
      prompts.push_back(row);
    }
    Teacher scorer(m->teacher);
    std::vector<TokenIds> responses(3, response);
    const auto packed = scorer.score(Recorded::pointers(prompts), Recorded::pointers(responses), 5);
    at::NoGradGuard noGrad;
    for (std::size_t b = 0; b < prompts.size(); ++b) {
      RowInput whole = prompts[b];
      whole.ids.insert(whole.ids.end(), response.begin(), response.end());
      const at::Tensor logP =
          m->teacher->logits(m->teacher->forward(packRows(m->teacher->config(), {whole}))).log_softmax(-1);
      for (std::size_t t = 0; t < response.size(); ++t) {
        const auto at = static_cast<std::int64_t>(prompts[b].ids.size() + t) - 1;
        QVERIFY(std::abs(packed[b].sampled[t].item<float>() - logP[at][response[t]].item<float>()) < 1e-4);
        const auto [values, ids] = logP[at].topk(5);
        QVERIFY(at::equal(packed[b].topIds[t], ids));
        QVERIFY(at::allclose(packed[b].topK[t], values, 1e-4, 1e-4));
      }
    }
  }

  void lossAndGradientsDoNotDependOnTheMicroBatches() {  // spec 7-B2, 7.E.10
    for (const char* name : {"k1_pg", "forward_kl_topk"}) {
      StepOptions options = optionsFor(name);
      options.entropyCoef = 0.01;
      m->reload();
      auto rows = m->rows(16, false);
      rows.push_back(rows[0]);
      rows.back().response.resize(3);
      rows.back().teacher = {rows[0].teacher.sampled.narrow(0, 0, 3), rows[0].teacher.topK.narrow(0, 0, 3),
                             rows[0].teacher.topIds.narrow(0, 0, 3)};
      for (Aggregation aggregation : {Aggregation::TokenMean, Aggregation::SeqMeanTokenSum, Aggregation::SeqMeanTokenMean,
                                      Aggregation::SeqMeanTokenSumNorm}) {
        options.loss.aggregation = aggregation;
        const auto all = Recorded::pointers(rows);
        const LossNormalizers normalizers = normalizersOf(all, 12);
        auto gradients = [&](const std::vector<std::pair<std::size_t, std::size_t>>& parts, double* loss,
                             std::map<std::string, double>* metrics) {
          m->student->zero_grad();
          LossMetrics merged;
          *loss = 0;
          for (auto [begin, end] : parts) {
            BackwardResult result =
                backwardRows(*m->student, std::span(all).subspan(begin, end - begin), options, normalizers, nullptr);
            *loss += result.loss;
            merged.merge(result.metrics);
          }
          *metrics = merged.values();
          std::vector<at::Tensor> out;
          for (const auto& p : m->student->parameters())
            out.push_back(p.grad().defined() ? p.grad().clone() : at::zeros_like(p));
          return out;
        };
        double whole = 0, split = 0;
        std::map<std::string, double> wholeMetrics, splitMetrics;
        const auto a = gradients({{0, 3}}, &whole, &wholeMetrics),
                   b = gradients({{0, 1}, {1, 3}}, &split, &splitMetrics);
        QVERIFY(std::abs(whole - split) < 1e-5 * std::max(1.0, std::abs(whole)));
        for (std::size_t i = 0; i < a.size(); ++i)
          QVERIFY((a[i] - b[i]).norm().item<double>() <= 1e-5 + 1e-4 * a[i].norm().item<double>());
        for (const auto& [metric, value] : wholeMetrics)
          QVERIFY2(std::abs(value - splitMetrics.at(metric)) < 1e-4 * std::max(1.0, std::abs(value)), metric.c_str());
      }
    }
  }

  void lossesOverTheWholeVocabularyEqualThePlainComputation_data() {
    QTest::addColumn<QString>("mode");
    for (const char* mode : {"forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl"}) QTest::newRow(mode) << mode;
  }
  void lossesOverTheWholeVocabularyEqualThePlainComputation() {
    QFETCH(QString, mode);
    RunConfig config;
    config.distillation.lossMode = mode.toStdString();
    config.distillation.vocabularyChunk = 37;
    config.distillation.jsdBeta = config.distillation.alpha = 0.3;
    config.distillation.lossMaxClamp = 0;
    QVERIFY(teacherStates(config) && teacherTopK(config) == 0);
    m->reload();
    Teacher scorer(m->teacher);
    auto scored = scorer.score(Recorded::pointers(m->teacherPrompts), Recorded::pointers(m->responses), 0, true);
    auto rows = m->rows(0, false);
    for (std::size_t b = 0; b < rows.size(); ++b) rows[b].teacher = scored[b];
    const auto all = Recorded::pointers(rows);
    const auto gradients = [&] {
      std::vector<at::Tensor> out;
      for (const auto& p : m->student->parameters()) out.push_back(p.grad().defined() ? p.grad().clone() : at::zeros_like(p));
      return out;
    };
    m->student->zero_grad();
    const BackwardResult got = backwardRows(*m->student, all, stepOptions(config), normalizersOf(all, 12), nullptr);
    const auto gotGradients = gradients();

    m->student->zero_grad();
    std::vector<RowInput> inputs;
    at::Tensor total;
    double tokens = 0;
    for (const auto& row : rows) {  // all logits, row by row
      RowInput whole = *row.prompt;
      whole.ids.insert(whole.ids.end(), row.response.begin(), row.response.end());
      const auto count = static_cast<std::int64_t>(row.response.size()), begin = static_cast<std::int64_t>(row.prompt->ids.size()) - 1;
      const at::Tensor states = m->student->forward(packRows(m->student->config(), {whole})).narrow(0, begin, count);
      const at::Tensor lq = at::log_softmax(m->student->logits(states), -1),
                       lp = at::log_softmax(at::linear(row.teacher.states, row.teacher.head), -1), p = lp.exp(), q = lq.exp();
      const double c = mode.startsWith("skew") ? 0.1 : 0.3;
      at::Tensor d;
      if (mode == "forward_kl") d = p * (lp - lq);
      if (mode == "reverse_kl") d = q * (lq - lp);
      if (mode == "jsd") d = c * p * (lp - (c * p + (1 - c) * q).log()) + (1 - c) * q * (lq - (c * p + (1 - c) * q).log());
      if (mode == "alpha") d = (p.pow(c) * q.pow(1 - c) - p) / (c * (c - 1));
      if (mode == "skew_forward_kl") d = p * (lp - (c * p + (1 - c) * q).log());
      if (mode == "skew_reverse_kl") d = q * (lq - ((1 - c) * p + c * q).log());
      total = total.defined() ? total + d.sum() : d.sum();
      tokens += static_cast<double>(count);
    }
    (total / tokens).backward();
    QVERIFY(std::abs(got.loss - total.item<double>() / tokens) < 1e-5 * std::max(1.0, std::abs(got.loss)));
    QVERIFY(got.loss > 1e-4);
    const auto want = gradients();
    for (std::size_t i = 0; i < want.size(); ++i)
      QVERIFY((want[i] - gotGradients[i]).norm().item<double>() <= 1e-6 + 1e-3 * want[i].norm().item<double>());
  }

  void bfloat16GradientsAreAsNearToFloat32AsPyTorchsAutocast_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"k1_pg", "forward_kl_topk"}) QTest::newRow(name) << name;
  }
  void bfloat16GradientsAreAsNearToFloat32AsPyTorchsAutocast() {
    QFETCH(QString, name);
    const auto bytes = golden::readBytes(golden::path("bf16.json"));
    const auto yardstick = nlohmann::json::parse(bytes.begin(), bytes.end()).at("losses").at(name.toStdString());
    struct Side {
      double loss = 0;
      at::Tensor logProbs;
      std::map<std::string, at::Tensor> gradients;
    };
    std::vector<TrainingRow> rows;
    const auto side = [&](bool narrow) {
      m->reload();
      if (rows.empty()) rows = m->rows(16, false);  // the ratio is 1, as in the yardstick
      if (narrow) m->student->setActivationType(at::kBFloat16);
      const auto all = Recorded::pointers(rows);
      const BackwardResult result = backwardRows(*m->student, all, optionsFor(name.toStdString()), normalizersOf(all, 12), nullptr);
      Side out{result.loss, at::cat(result.studentLogProbs), {}};
      for (const auto& item : m->student->named_parameters())
        if (item.value().grad().defined()) out.gradients[item.key()] = item.value().grad().to(at::kDouble);
      return out;
    };
    const Side wide = side(false), narrow = side(true);
    const auto far = [](const at::Tensor& a, const at::Tensor& b) { return 1 - ((a * b).sum() / (a.norm() * b.norm())).item<double>(); };
    // The float32 losses are the same computation, else the distances say nothing.
    QVERIFY(std::abs(wide.loss - yardstick.at("loss_float32").get<double>()) < 2e-3);
    std::vector<at::Tensor> a, b;
    double theirWorst = 0, ourWorst = 0;
    for (const auto& [parameter, gradient] : wide.gradients) {
      a.push_back(gradient.flatten());
      b.push_back(narrow.gradients.at(parameter).flatten());
      const auto known = yardstick.at("parameters").find(parameter);
      if (known == yardstick.at("parameters").end() || known->at("share").get<double>() < 1e-3) continue;
      const double theirs = 1 - known->at("cosine").get<double>(), ours = far(gradient, narrow.gradients.at(parameter));
      theirWorst = std::max(theirWorst, theirs);
      ourWorst = std::max(ourWorst, ours);
    }
    const double ours = far(at::cat(a), at::cat(b)), theirs = 1 - yardstick.at("cosine").get<double>();
    const double gap = (wide.logProbs - narrow.logProbs).abs().mean().item<double>(), theirGap = yardstick.at("log_prob_mean_difference").get<double>();
    const QString what = QString("1 - cosine %1, PyTorch %2; worst parameter %3, PyTorch %4; log-probabilities %5, PyTorch %6; loss %7, float32 %8")
                             .arg(ours).arg(theirs).arg(ourWorst).arg(theirWorst).arg(gap).arg(theirGap).arg(narrow.loss).arg(wide.loss);
    qInfo("%s", qPrintable(what));
    QVERIFY2(ours > 0 && ours <= 1.5 * theirs, qPrintable(what));
    QVERIFY2(ourWorst <= 1.5 * theirWorst, qPrintable(what));
    QVERIFY2(gap > 0 && gap <= 1.5 * theirGap, qPrintable(what));
    QVERIFY2(std::abs(narrow.loss - wide.loss) <= 0.02 * std::max(1.0, std::abs(wide.loss)), qPrintable(what));
  }

  void aFrozenTowersFeaturesComeFromTheCache() {
    m->reload();
    for (auto& item : m->student->named_parameters()) {
      if (item.key().starts_with("model.visual.")) item.value().set_requires_grad(false);
    }
    auto rows = m->rows(16, false);
    const auto all = Recorded::pointers(rows);
    const auto normalizers = normalizersOf(all, 12);
    const double plain = backwardRows(*m->student, all, optionsFor("forward_kl_topk"), normalizers, nullptr).loss;
    VisionCache cache;
    const double first = backwardRows(*m->student, all, optionsFor("forward_kl_topk"), normalizers, &cache).loss;
    QCOMPARE(cache.misses(), std::int64_t(3));
    const double second = backwardRows(*m->student, all, optionsFor("forward_kl_topk"), normalizers, &cache).loss;
    QCOMPARE(cache.misses(), std::int64_t(3));
    QCOMPARE(cache.hits(), std::int64_t(3));
    QVERIFY(std::abs(plain - first) < 1e-5);
    QCOMPARE(first, second);
  }

  void recomputedActivationsGiveTheSameGradients() {
    m->reload();
    auto rows = m->rows(16, false);
    const auto all = Recorded::pointers(rows);
    StepOptions options = optionsFor("forward_kl_topk");
    std::vector<at::Tensor> gradients[2];
    for (bool recompute : {false, true}) {
      options.checkpointActivations = recompute;
      m->student->zero_grad();
      backwardRows(*m->student, all, options, normalizersOf(all, 12), nullptr);
      for (const auto& p : m->student->parameters())
        gradients[recompute].push_back(p.grad().defined() ? p.grad().clone() : at::zeros_like(p));
    }
    for (std::size_t i = 0; i < gradients[0].size(); ++i)
      QVERIFY(at::allclose(gradients[0][i], gradients[1][i], 1e-4, 1e-6));
  }

  void rowsWithoutResponseTokensCostNothing() {  // spec 7-B6
    auto rows = m->rows(16, false);
    rows.resize(1);
    rows[0].response.clear();
    const auto all = Recorded::pointers(rows);
    const auto result = backwardRows(*m->student, all, optionsFor("k1_pg"), normalizersOf(all, 12), nullptr);
    QCOMPARE(result.loss, 0.0);
    QCOMPARE(result.studentLogProbs.size(), std::size_t(1));
  }

  void groupAdvantagesAreStandardScores() {
    QCOMPARE(groupAdvantages({0.9}), std::vector<double>{0.9});
    const auto a = groupAdvantages({1, 0, 0, 1});
    QVERIFY(std::abs(a[0] - 0.5 / (std::sqrt(1.0 / 3) + 1e-6)) < 1e-9 && a[0] == -a[1]);
    QCOMPARE(groupAdvantages({1, 1}), (std::vector<double>{0, 0}));
  }

  void packedTokensSplitInOrder() {
    const std::vector<std::size_t> lengths{5, 5, 20, 1, 1};
    const std::vector<std::pair<std::size_t, std::size_t>> want{{0, 2}, {2, 3}, {3, 5}},
        each{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}};
    QVERIFY(splitByTokens(lengths, 10) == want);
    QVERIFY(splitByTokens(lengths, 0) == each);
    QVERIFY(splitByTokens({}, 10).empty());
  }
};

QTEST_GUILESS_MAIN(TestTrainStep)
#include "tst_train_step.moc"
