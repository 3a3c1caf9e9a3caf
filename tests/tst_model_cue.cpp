// Cue recovery: the properties that spec 7.E asks for (1-3, 6, 7), some of which the reference itself does not have.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/core/failure.h"
#include "engine/model/qwen3_vl.h"
#include "engine/model/text_decoder.h"
#include "tests/support/golden.h"
#include "tests/support/model_batch.h"

#include <QTest>

using namespace cuescope;

namespace {

std::shared_ptr<Qwen3VL> loaded(const std::string& name) {
  return Qwen3VL::load(golden::path(name), "cpu", "float32");
}

ModelBatch batchOf(const Qwen3VLConfig& config, const std::string& name) {
  static const golden::Set set("forward-student");
  return modelBatch(set, set, name, config);
}

at::Tensor rowStates(const at::Tensor& states, const Rows& rows, std::int64_t r) {
  const auto i = static_cast<std::size_t>(r);
  return states.narrow(0, rows.offsets[i], rows.offsets[i + 1] - rows.offsets[i]);
}

double largest(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// A model of two layers with cue recovery at both, in double, with a row that holds an image.
struct Toy {
  std::shared_ptr<Qwen3VL> model;
  Rows rows;

  Toy() {
    Qwen3VLConfig c;
    c.text = {.hidden = 16,
              .layers = 2,
              .heads = 2,
              .kvHeads = 1,
              .headDim = 8,
              .intermediate = 24,
              .vocabulary = 40,
              .maxPositions = 100,
              .mropeSection = {2, 1, 1}};
    c.text.tied = true;
    c.text.initializerRange = 0.3;
    c.vision = {
        .hidden = 8, .depth = 1, .heads = 2, .intermediate = 16, .outHidden = 16, .positions = 16, .deepstack = {0}};
    c.imageToken = 5;
    c.videoToken = 6;
    c.visionStart = 3;
    c.visionEnd = 4;
    c.imStart = 1;
    model = std::make_shared<Qwen3VL>(c, at::kDouble);
    model->initialize(1);
    model->addCueRecovery(1, "normal", false, 2);
    RowInput row;
    row.ids = {1, 20, 3, 5, 5, 5, 5, 4, 21, 22, 23};
    row.grids = {{1, 4, 4, false}};
    row.pixelValues = at::randn({16, 1536}, at::make_generator<at::CPUGeneratorImpl>(3), at::kFloat);
    rows = packRows(model->config(), {row});
  }
  /// A loss over the last three tokens, as a response has it.
  at::Tensor loss(bool plain = false) const {
    ForwardOptions options;
    options.plainCueForm = plain;
    const at::Tensor logits = model->logits(model->forward(rows, options).narrow(0, 8, 3));
    return -at::log_softmax(logits, -1).select(1, 7).sum();
  }
};

}  // namespace

class TestModelCue : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void rowsWithoutVisualTokensAreThoseOfThePlainModelBitForBit() {
    const auto plain = loaded("tiny-student"), student = loaded("tiny-student-vicur");
    student->setActiveCueLayers(student->config().cue.layers);
    const ModelBatch batch = batchOf(plain->config(), "left");
    const Rows rows = packRows(plain->config(), {batch.rows[0]});
    QCOMPARE(rows.visualIndex.numel(), 0);
    QVERIFY(at::equal(plain->forward(rows), student->forward(rows)));
    const Rows all = packRows(plain->config(), batch.rows);
    QVERIFY(!at::equal(plain->forward(all), student->forward(all)));
  }

  void aModuleWhoseOutputIsZeroChangesNothing() {
    const auto plain = loaded("tiny-student"), student = loaded("tiny-student");
    student->addCueRecovery(5, "zero_o", true, 1);
    QCOMPARE(student->config().cue.layers, (std::vector<std::int64_t>{0, 5}));
    const Rows rows = packRows(plain->config(), batchOf(plain->config(), "left").rows);
    QVERIFY(at::equal(plain->forward(rows), student->forward(rows)));
    const auto other = loaded("tiny-student");
    other->addCueRecovery(5, "normal", true, 1);
    QVERIFY(!at::equal(plain->forward(rows), other->forward(rows)));
  }

  void aRowIsTheSameAloneAndPackedAndWhateverItIsPackedWith() {
    const auto m = loaded("tiny-student-vicur");
    const at::NoGradGuard noGrad;
    const ModelBatch left = batchOf(m->config(), "left"), video = batchOf(m->config(), "video");
    std::vector<RowInput> many = {left.rows[2], video.rows[0], left.rows[0], left.rows[1], left.rows[1]};
    const Rows packed = packRows(m->config(), many);
    const at::Tensor together = m->forward(packed);
    for (std::size_t r = 0; r < many.size(); ++r) {
      const at::Tensor alone = m->forward(packRows(m->config(), {many[r]}));
      QVERIFY2(largest(alone, rowStates(together, packed, static_cast<std::int64_t>(r))) < 2e-5,
               std::to_string(r).c_str());
    }
  }

  void aRowThatContinuesAPrefixIsTheWholeRow() {
    const auto m = loaded("tiny-student-vicur");
    const at::NoGradGuard noGrad;
    const RowInput whole = batchOf(m->config(), "left").rows[1];
    for (const std::int64_t tail : {1, 4}) {
      RowInput prefix = whole, rest;
      prefix.ids.resize(whole.ids.size() - static_cast<std::size_t>(tail));
      rest.ids.assign(whole.ids.end() - tail, whole.ids.end());
      rest.prefix = 0;
      RowInput other = rest;
      other.ids[0] = 7;
      const Rows rows = packRows(m->config(), {prefix, rest, other});
      QCOMPARE(rows.sinks[1], -1);
      const at::Tensor states = m->forward(rows), full = m->forward(packRows(m->config(), {whole}));
      QVERIFY(largest(rowStates(states, rows, 0), full.narrow(0, 0, full.size(0) - tail)) < 2e-5);
      QVERIFY(largest(rowStates(states, rows, 1), full.narrow(0, full.size(0) - tail, tail)) < 2e-5);
      QVERIFY(largest(rowStates(states, rows, 2), rowStates(states, rows, 1)) > 1e-3);
    }
  }

  void trainingAndInferenceAgreeWholeAndByTails() {
    const auto m = loaded("tiny-student-vicur");
    for (const bool lastLayerActs : {false, true}) {  // true: the last layer cannot be cut short
      if (lastLayerActs) m->setActiveCueLayers(m->config().cue.layers);
      const ModelBatch batch = batchOf(m->config(), "left");
      RowInput rest;
      rest.ids = {30, 31, 32};
      rest.prefix = 1;
      const Rows rows = packRows(m->config(), {batch.rows[0], batch.rows[1], batch.rows[2], batch.rows[2], rest});
      ForwardOptions whole, tails;
      tails.tails = {4, 1, 0, 7, 2};
      const at::Tensor trained = m->forward(rows), trainedTails = m->forward(rows, tails);
      QVERIFY(trained.requires_grad() && trainedTails.requires_grad());
      const at::NoGradGuard noGrad;
      const at::Tensor inferred = m->forward(rows), inferredTails = m->forward(rows, tails);
      QVERIFY(largest(trained, inferred) < 2e-5);
      std::vector<at::Tensor> parts;
      for (std::size_t r = 0; r < tails.tails.size(); ++r)
        parts.push_back(inferred.narrow(0, rows.offsets[r + 1] - tails.tails[r], tails.tails[r]));
      const at::Tensor want = at::cat(parts);
      QVERIFY(largest(want, inferredTails) < 2e-5);
      QVERIFY(largest(want, trainedTails) < 2e-5);
      tails.tails = {1, 1};
      QVERIFY_THROWS_EXCEPTION(Error, m->forward(rows, tails));
      tails.tails = {1, 1, 1, 1, 4};
      QVERIFY_THROWS_EXCEPTION(Error, m->forward(rows, tails));
    }
  }

  void foldedAndPlainFormAgree() {
    const auto m = loaded("tiny-student-vicur");
    m->setActiveCueLayers(m->config().cue.layers);
    const at::NoGradGuard noGrad;
    for (const char* name : {"left", "video", "mixed"}) {
      const Rows rows = packRows(m->config(), batchOf(m->config(), name).rows);
      ForwardOptions plain;
      plain.plainCueForm = true;
      RecordingProbe a, b;
      plain.probe = &a;
      ForwardOptions folded;
      folded.probe = &b;
      m->forward(rows, plain);
      m->forward(rows, folded);
      for (const std::int64_t layer : m->config().cue.layers)
        for (std::int64_t r = 0; r < rows.count(); ++r) {
          const at::Tensor weights = a.at(ProbeSite::SinkAttention, layer, r);
          if (!weights.defined()) continue;
          QVERIFY(largest(weights, b.at(ProbeSite::SinkAttention, layer, r)) <= 1e-5);
          // From layer to layer the rounding of everything between adds up: relative to the states' size.
          const at::Tensor x = rowStates(a.at(ProbeSite::Hidden, layer), rows, r),
                           y = rowStates(b.at(ProbeSite::Hidden, layer), rows, r);
          QVERIFY2(largest(x, y) <= 1e-5 * std::max(1.0, x.abs().max().item<double>()),
                   std::to_string(largest(x, y)).c_str());
        }
    }
  }

  void gradientsOfAllFourProjectionsAreTheDifferenceQuotients() {
    const Toy toy;
    toy.model->setActiveCueLayers({0, 1});
    auto parameters = toy.model->named_parameters();
    toy.loss().backward();
    const at::NoGradGuard noGrad;
    int checked = 0;
    for (const auto& item : parameters) {
      at::Tensor p = item.value();
      QVERIFY2(p.grad().defined(), item.key().c_str());
      const bool cue = item.key().find("sink_") != std::string::npos;
      if (item.key().find("sink_cross_attns.1.") != std::string::npos) {  // reaches no response token
        QVERIFY2(at::equal(p.grad(), at::zeros_like(p)), item.key().c_str());
        continue;
      }
      if (cue) QVERIFY2(p.grad().abs().max().item<double>() > 1e-9, item.key().c_str());
      const at::Tensor direction = at::randn(p.sizes(), at::make_generator<at::CPUGeneratorImpl>(17), at::kDouble);
      constexpr double kStep = 1e-5;
      p.add_(direction, kStep);
      const double above = toy.loss().item<double>();
      p.sub_(direction, 2 * kStep);
      const double below = toy.loss().item<double>();
      p.add_(direction, kStep);
      const double quotient = (above - below) / (2 * kStep), gradient = (p.grad() * direction).sum().item<double>();
      // Positions and angles are float32 tables, so the vision tower's quotient is a little rougher.
      QVERIFY2(std::abs(quotient - gradient) <= 1e-6 + 2e-5 * std::abs(gradient),
               (item.key() + ": " + std::to_string(quotient) + ", gradient " + std::to_string(gradient)).c_str());
      ++checked;
    }
    QVERIFY(checked > 30);
  }

  void foldedAndPlainFormHaveTheSameGradients() {
    const Toy toy;
    std::map<std::string, at::Tensor> folded;
    toy.loss(false).backward();
    for (const auto& item : toy.model->named_parameters()) folded[item.key()] = item.value().grad().clone();
    toy.model->zero_grad();
    toy.loss(true).backward();
    for (const auto& item : toy.model->named_parameters())
      QVERIFY2(at::allclose(item.value().grad(), folded[item.key()], 1e-9, 1e-12), item.key().c_str());
  }

  void recomputedActivationsGiveTheSameGradientsBitForBit() {
    const auto m = loaded("tiny-student-vicur");
    const Rows rows = packRows(m->config(), batchOf(m->config(), "left").rows);
    std::map<std::string, at::Tensor> kept;
    for (const bool recompute : {false, true}) {
      ForwardOptions options;
      options.checkpointActivations = recompute;
      m->zero_grad();
      m->logits(m->forward(rows, options)).square().mean().backward();
      for (const auto& item : m->named_parameters()) {
        const at::Tensor& grad = item.value().grad();
        if (!recompute) {
          kept[item.key()] = grad.defined() ? grad.clone() : grad;
          continue;
        }
        QCOMPARE(grad.defined(), kept[item.key()].defined());
        if (grad.defined()) QVERIFY2(at::equal(grad, kept[item.key()]), item.key().c_str());
      }
    }
  }

  void theModuleOfTheLastLayerIsOffByDefault() {
    const auto m = loaded("tiny-student-vicur");
    QCOMPARE(m->config().cue.layers, (std::vector<std::int64_t>{0, 5, 10}));
    QCOMPARE(m->config().cue.active, (std::vector<std::int64_t>{0, 5}));
    QCOMPARE(m->info().injectionLayers, (std::vector<int>{0, 5}));
    QVERIFY_THROWS_EXCEPTION(Error, m->setActiveCueLayers({3}));
  }
};

QTEST_GUILESS_MAIN(TestModelCue)
#include "tst_model_cue.moc"
