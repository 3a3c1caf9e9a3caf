// AdamW with clipping and schedules, against its formulas.
#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/distill/optimizer.h"

#include <QtTest/QtTest>
#include <cmath>
#include <limits>
#include <map>

using namespace cuescope;

namespace {
at::Tensor leaf(const at::Tensor& value) { return value.clone().set_requires_grad(true); }
}  // namespace

class TestOptimizer : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void threeStepsFollowTheFormulas() {
    at::manual_seed(1);
    OptimizerOptions options{.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weightDecay = 0.1, .gradClip = 1.0};
    const at::Tensor start = at::randn({5, 3});
    at::Tensor p = leaf(start), q = leaf(at::ones({4}));
    Optimizer optimizer({{"p", p}, {"q", q}}, options);
    at::Tensor w = start.to(at::kDouble), m = at::zeros_like(w), v = at::zeros_like(w);
    for (int t = 1; t <= 3; ++t) {
      const at::Tensor g = at::randn({5, 3}) * (t == 2 ? 10 : 0.01);
      optimizer.zeroGrad();
      p.mutable_grad().copy_(g);
      auto result = optimizer.step();
      const double norm = g.norm().item<double>();
      QVERIFY(std::abs(result.gradNorm - norm) < 1e-5 * norm);
      const at::Tensor c = g.to(at::kDouble) * std::min(1.0, options.gradClip / (norm + 1e-6));
      m = 0.9 * m + 0.1 * c;
      v = 0.99 * v + 0.01 * c * c;
      w = w * (1 - 0.01 * 0.1) - 0.01 * (m / (1 - std::pow(0.9, t))) / ((v / (1 - std::pow(0.99, t))).sqrt() + 1e-8);
      QVERIFY(at::allclose(p.detach().to(at::kDouble), w, 1e-5, 1e-6));
    }
    // A parameter without gradient only decays.
    QVERIFY(at::allclose(q.detach(), at::full({4}, std::pow(1 - 0.001, 3))));
  }

  void aGradientThatIsNotFiniteChangesNothingAndIsCounted() {
    at::Tensor p = leaf(at::ones({3}));
    Optimizer optimizer({{"p", p}}, {.lr = 0.1});
    p.mutable_grad().fill_(std::numeric_limits<float>::infinity());
    QVERIFY(optimizer.step().skipped);
    p.mutable_grad().fill_(std::nanf(""));
    QVERIFY(optimizer.step().skipped);
    QVERIFY(at::equal(p.detach(), at::ones({3})));
    QCOMPARE(optimizer.skipped(), std::int64_t(2));
    QCOMPARE(optimizer.updates(), std::int64_t(0));
    p.mutable_grad().fill_(1);
    QVERIFY(!optimizer.step().skipped);
    QVERIFY(!at::equal(p.detach(), at::ones({3})));
  }

  void schedulesRiseAndFall() {
    OptimizerOptions o{.lr = 1.0, .schedule = "constant", .warmupSteps = 4, .totalSteps = 14};
    QCOMPARE(scheduledLr(o, 0), 0.25);
    QCOMPARE(scheduledLr(o, 3), 1.0);
    QCOMPARE(scheduledLr(o, 13), 1.0);
    o.schedule = "linear";
    QCOMPARE(scheduledLr(o, 4), 1.0);
    QCOMPARE(scheduledLr(o, 9), 0.5);
    QCOMPARE(scheduledLr(o, 99), 0.0);
    o.schedule = "cosine";
    QVERIFY(std::abs(scheduledLr(o, 9) - 0.5) < 1e-12);
    QVERIFY(scheduledLr(o, 5) > 0.97);
    o.warmupSteps = 0;
    QCOMPARE(scheduledLr(o, 0), 1.0);
    o.schedule = "steps";
    QVERIFY_THROWS_EXCEPTION(Error, scheduledLr(o, 1));
  }

  void aReloadedStateContinuesBitForBit() {
    for (auto type : {at::kFloat, at::kBFloat16}) {
      at::manual_seed(2);
      const at::Tensor start = at::randn({16}).to(type);
      std::vector<at::Tensor> gradients;
      for (int i = 0; i < 6; ++i) gradients.push_back(at::randn({16}).to(type));
      at::Tensor whole = leaf(start), first = leaf(start);
      Optimizer a({{"p", whole}}, {.lr = 0.01}), b({{"p", first}}, {.lr = 0.01});
      for (int i = 0; i < 6; ++i) {
        whole.mutable_grad().copy_(gradients[i]);
        a.step();
        if (i < 3) {
          first.mutable_grad().copy_(gradients[i]);
          b.step();
        }
      }
      at::Tensor second = leaf(first.detach());
      Optimizer c({{"p", second}}, {.lr = 0.01});
      c.load(b.state());
      for (int i = 3; i < 6; ++i) {
        second.mutable_grad().copy_(gradients[i]);
        c.step();
      }
      QVERIFY(at::equal(second.detach(), whole.detach()));
      QCOMPARE(c.updates(), std::int64_t(6));
    }
  }

  void bfloat16ParametersMoveByLessThanTheirOwnResolution() {
    at::Tensor p = leaf(at::ones({1}).to(at::kBFloat16));
    Optimizer optimizer({{"p", p}}, {.lr = 0.001, .weightDecay = 0.0});
    for (int i = 0; i < 8; ++i) {  // one step is a quarter of the spacing at 1
      p.mutable_grad().fill_(1);
      optimizer.step();
    }
    QVERIFY(std::abs(p.item<float>() - 0.992f) < 0.003f);
  }

  void stateOfAnotherModelIsRefused() {
    at::Tensor p = leaf(at::ones({3})), q = leaf(at::ones({4}));
    Optimizer a({{"p", p}}, {}), b({{"p", q}}, {}), c({{"other", p}}, {});
    QVERIFY_THROWS_EXCEPTION(Error, b.load(a.state()));
    QVERIFY_THROWS_EXCEPTION(Error, c.load(a.state()));
  }

  void partsHaveTheirOwnRatesAndNormsNeedNotDecay() {
    const std::string cue = "model.language_model.sink_cross_attns.0.q_proj.weight", vision = "model.visual.merger.linear_fc1.weight",
                      text = "model.language_model.layers.0.mlp.up_proj.weight", norm = "model.language_model.norm.weight";
    std::map<std::string, at::Tensor> leaves;
    Optimizer::Named named;
    for (const auto& name : {cue, vision, text, norm}) {
      leaves[name] = leaf(name == norm ? at::ones({3}) : at::ones({3, 3}));
      named.emplace_back(name, leaves[name]);
    }
    Optimizer optimizer(named, {.lr = 0.01, .weightDecay = 0.5, .gradClip = 1e9, .lrCue = 0.1, .lrVision = 0.001, .noDecayNorms = true});
    for (auto& [name, value] : leaves) value.mutable_grad().fill_(1.0);
    optimizer.step();
    // First step of AdamW with a gradient of 1: w (1 - lr decay) - lr.
    const auto got = [&](const std::string& name) { return leaves[name].flatten()[0].item<double>(); };
    QVERIFY(std::abs(got(cue) - (1 - 0.1 * 0.5 - 0.1)) < 1e-5);
    QVERIFY(std::abs(got(vision) - (1 - 0.001 * 0.5 - 0.001)) < 1e-6);
    QVERIFY(std::abs(got(text) - (1 - 0.01 * 0.5 - 0.01)) < 1e-6);
    QVERIFY(std::abs(got(norm) - (1 - 0.01)) < 1e-6);
  }

  void oneNormClipsAllGroupsTogether() {
    at::Tensor a = leaf(at::zeros({2, 2})), b = leaf(at::zeros({2, 2}));
    Optimizer optimizer({{"model.visual.x", a}, {"x", b}}, {.lr = 1, .gradClip = 1, .lrVision = 0.5});
    a.mutable_grad().fill_(3.0);
    b.mutable_grad().fill_(4.0);
    QVERIFY(std::abs(optimizer.step().gradNorm - 10) < 1e-6);
  }

  void aGradientThatIsNotFiniteIsNamedAndItsPolicyKept() {
    for (const char* policy : {"skip", "halve", "stop"}) {
      at::Tensor a = leaf(at::ones({2})), b = leaf(at::ones({2}));
      Optimizer optimizer({{"a", a}, {"b", b}}, {.lr = 0.1, .weightDecay = 0, .nonfinite = policy});
      b.mutable_grad().fill_(std::numeric_limits<float>::infinity());
      if (std::string(policy) == "stop") {
        try {
          optimizer.step();
          QFAIL("the run went on");
        } catch (const Error& error) {
          QCOMPARE(error.failure().where, std::string("b"));
        }
        continue;
      }
      const auto result = optimizer.step();
      QVERIFY(result.skipped && result.nonfinite == "b");
      QCOMPARE(optimizer.skipped(), std::int64_t(1));
      QVERIFY(at::equal(a, at::ones({2})));
      optimizer.zeroGrad();
      QCOMPARE(optimizer.step().lr, std::string(policy) == "halve" ? 0.05 : 0.1);
      // The halving survives a checkpoint.
      Optimizer other({{"a", leaf(at::ones({2}))}, {"b", leaf(at::ones({2}))}}, optimizer.options());
      other.load(optimizer.state());
      QCOMPARE(other.halvings(), optimizer.halvings());
      QCOMPARE(other.skipped(), std::int64_t(1));
    }
  }

  void theScheduleCountsBatchesNotUpdates() {
    at::Tensor a = leaf(at::ones({2}));
    Optimizer optimizer({{"a", a}}, {.lr = 0.1, .schedule = "linear", .totalSteps = 10});
    for (int batch = 0; batch < 3; ++batch) {
      QVERIFY(std::abs(optimizer.step(false).lr - 0.1 * (1 - batch / 10.0)) < 1e-12);
      QVERIFY(std::abs(optimizer.step(true).lr - 0.1 * (1 - batch / 10.0)) < 1e-12);
    }
    QCOMPARE(optimizer.updates(), std::int64_t(6));
  }

  void anAverageFollowsHalfPrecisionWeightsInFullPrecision() {
    at::Tensor a = at::ones({2}, at::kBFloat16).set_requires_grad(true), average = at::ones({2}, at::kBFloat16);
    Optimizer optimizer({{"a", a}}, {.lr = 0.01, .weightDecay = 0});
    optimizer.follow({{"a", average}, {"unknown", at::ones({1})}}, 0.9, 1);
    double w = 1, expected = 1;
    for (int step = 0; step < 3; ++step) {
      optimizer.zeroGrad();
      a.mutable_grad().fill_(1.0);
      optimizer.step();
      w -= 0.01;
      expected = 0.9 * expected + 0.1 * w;
    }
    for (const auto& [name, value] : optimizer.state()) {
      if (name == "average.a") QVERIFY(std::abs(value[0].item<double>() - expected) < 1e-5);
    }
    QVERIFY(std::abs(average[0].item<double>() - expected) < 0.01);
  }
};

QTEST_GUILESS_MAIN(TestOptimizer)
#include "tst_optimizer.moc"
