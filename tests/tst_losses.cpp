// Distillation losses against the reference: all recorded option sets, values and gradients; and the log-probabilities under them.
#include <ATen/ATen.h>

#include "engine/distill/log_probs.h"
#include "engine/distill/losses.h"
#include "engine/evaluate/recorded_loss.h"
#include "tests/support/golden.h"

#include <QtTest/QtTest>

using namespace cuescope;

namespace {

/// The recorded batch, flat: every position of every row, masked ones included.
struct Recorded {
  LossBatch batch;
  at::Tensor logits;
  LossNormalizers normalizers;
};

Recorded recorded(const golden::Set& set, const std::string& data, const nlohmann::json& o) {
  Recorded r;
  auto flat = [&](const char* name) { return set[data + "." + name].flatten(0, 1); };
  const std::int64_t rows = set[data + ".responses"].size(0), width = set[data + ".responses"].size(1);
  for (std::int64_t b = 0; b <= rows; ++b) r.batch.offsets.push_back(b * width);
  r.logits = flat("student_logits").clone().set_requires_grad(true);
  at::Tensor logQ = r.logits.log_softmax(-1);
  r.batch.mask = flat("response_mask").to(at::kBool);
  r.batch.student = logQ.gather(-1, flat("responses").unsqueeze(-1)).squeeze(-1);
  r.batch.teacher = flat("teacher_logprobs");
  r.batch.studentTopK = logQ.gather(-1, flat("teacher_topk_ids"));
  r.batch.teacherTopK = flat("teacher_topk_logprobs");
  // The reference's «teacher probability» is the best token's in top-K mode and the sampled token's otherwise.
  r.batch.teacherBest = o.at("loss_mode") == "forward_kl_topk" ? r.batch.teacherTopK.select(-1, 0) : r.batch.teacher;
  r.batch.old = flat("old_logprobs");
  if (o.value("is_weights", false)) r.batch.importance = flat("is_weights");
  r.batch.rewards = set[data + ".reward"];
  r.normalizers.tokens = r.batch.mask.sum().item<double>();
  r.normalizers.sequences = set[data + ".response_mask"].sum(-1).gt(0).sum().item<double>();
  r.normalizers.width = static_cast<double>(width);
  if (o.contains("global")) {
    const auto& g = o["global"];
    r.normalizers = {g.at("batch_num_tokens"), g.at("global_batch_size"), g.at("loss_scale_factor"), g.at("dp_size")};
  }
  return r;
}

}  // namespace

class TestLosses : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyRecordedOptionSetAgrees() {
    golden::Set set("losses");
    int cases = 0;
    for (const auto& entry : set.manifest().at("cases")) {
      const std::string name = entry.at("case");
      const auto& o = entry.at("options");
      Recorded r = recorded(set, name.substr(0, name.find('.')), o);
      LossResult result = distillationLoss(recordedLossOptions(o), r.batch, r.normalizers);
      result.loss.backward();
      std::string message;
      QVERIFY2(set.close(name + ".loss", result.loss, &message), message.c_str());
      const auto shape = set[name + ".per_token"].sizes();
      const auto mask = r.batch.mask.view(shape);
      QVERIFY2(set.close(name + ".per_token", result.perToken.view(shape), &message, mask), message.c_str());
      QVERIFY2(set.close(name + ".grad", r.logits.grad().view(set[name + ".grad"].sizes()), &message), message.c_str());
      if (set.has(name + ".pg_per_token")) {
        QVERIFY2(set.close(name + ".pg_per_token", result.pgPerToken.view(shape), &message, mask), message.c_str());
      }
      const auto metrics = result.metrics.values();
      for (const auto& [metric, value] : entry.at("metrics").items()) {
        QVERIFY2(metrics.count(metric) == 1, (name + " has no " + metric).c_str());
        const double want = value, got = metrics.at(metric);
        QVERIFY2(std::abs(got - want) <= 1e-5 + 1e-5 * std::abs(want), (name + " " + metric + ": " + std::to_string(got) + ", expected " + std::to_string(want)).c_str());
      }
      ++cases;
    }
    QCOMPARE(cases, 128);
  }

  void anyPartitionIntoMicroBatchesGivesTheSameLossAndGradient() {
    golden::Set set("losses");
    for (const char* name : {"main.k1.agg.token-mean", "main.k3.agg.seq-mean-token-mean", "main.forward_kl_topk.agg.seq-mean-token-sum-norm", "main.extras.k3.supervised.all"}) {
      nlohmann::json o;
      for (const auto& entry : set.manifest().at("cases")) {
        if (entry.at("case") == name) o = entry.at("options");
      }
      QVERIFY(!o.is_null());
      Recorded r = recorded(set, "main", o);
      double loss = 0;
      LossMetrics metrics;
      for (std::size_t b = 0; b + 1 < r.batch.offsets.size(); ++b) {
        const std::int64_t begin = r.batch.offsets[b], count = r.batch.offsets[b + 1] - begin;
        LossBatch part;
        part.offsets = {0, count};
        for (auto member : {&LossBatch::mask, &LossBatch::student, &LossBatch::teacher, &LossBatch::studentTopK, &LossBatch::teacherTopK, &LossBatch::teacherBest,
                            &LossBatch::old, &LossBatch::importance}) {
          if ((r.batch.*member).defined()) part.*member = (r.batch.*member).narrow(0, begin, count);
        }
        part.rewards = r.batch.rewards.narrow(0, static_cast<std::int64_t>(b), 1);
        LossResult result = distillationLoss(recordedLossOptions(o), part, r.normalizers);
        result.loss.backward({}, /*retain_graph=*/true);
        loss += result.loss.item<double>();
        metrics.merge(result.metrics);
      }
      std::string message;
      const std::string key = name;
      QVERIFY2(set.close(key + ".loss", at::tensor(loss, at::kFloat).squeeze(), &message), message.c_str());
      QVERIFY2(set.close(key + ".grad", r.logits.grad().view(set[key + ".grad"].sizes()), &message), message.c_str());
      Recorded whole = recorded(set, "main", o);
      const auto want = distillationLoss(recordedLossOptions(o), whole.batch, whole.normalizers).metrics.values();
      for (const auto& [metric, value] : metrics.values()) QVERIFY2(std::abs(value - want.at(metric)) < 1e-5, metric.c_str());
    }
  }

  void handValuesOfEveryMode() {  // spec 7.E.9
    LossBatch batch;
    batch.offsets = {0, 3};
    batch.student = at::tensor({-1.0f, -3.0f, -30.0f}, at::kFloat);
    batch.teacher = at::tensor({-2.0f, -1.0f, -1.0f}, at::kFloat);
    auto d = [&](LossMode mode) {
      LossOptions options;
      options.mode = mode;
      at::Tensor values = tokenLosses(options, batch, nullptr);
      return std::vector<float>(values.const_data_ptr<float>(), values.const_data_ptr<float>() + 3);
    };
    QCOMPARE(d(LossMode::K1), (std::vector<float>{1, -2, -29}));
    QCOMPARE(d(LossMode::Abs), (std::vector<float>{1, 2, 29}));
    QCOMPARE(d(LossMode::K2), (std::vector<float>{0.5f, 2, 420.5f}));
    auto k3 = d(LossMode::K3);
    QVERIFY(std::abs(k3[0] - (std::exp(-1.0) + 1 - 1)) < 1e-6);
    QVERIFY(std::abs(k3[1] - (std::exp(2.0) - 2 - 1)) < 1e-5);
    QCOMPARE(k3[2], 10.f);
  }

  void theDualClipBoundsANegativeAdvantageWithALargeRatio() {  // spec 7.E.9: A < 0 and r > 3
    LossOptions options;
    LossBatch batch;
    batch.offsets = {0, 3};
    batch.student = at::tensor({0.0f, 0.0f, 0.0f}, at::kFloat).set_requires_grad(true);
    batch.old = at::tensor({-2.0f, -2.0f, -0.1f}, at::kFloat);  // r = 7.39, 7.39, 1.105
    at::Tensor loss = policyLoss(options, batch, at::tensor({-1.0f, 1.0f, -1.0f}, at::kFloat), "", nullptr);
    QCOMPARE(loss[0].item<float>(), 3.0f);
    QCOMPARE(loss[1].item<float>(), -1.2f);
    QVERIFY(std::abs(loss[2].item<float>() - std::exp(0.1f)) < 1e-6f);
    loss.sum().backward();
    QCOMPARE(batch.student.grad()[0].item<float>(), 0.0f);  // beyond the clip nothing pushes
  }

  void theTailBucketIsTheDivergenceAfterMergingAllOtherTokens() {  // spec 7-B12
    LossOptions options;
    options.mode = LossMode::ForwardKlTopK;
    options.tailBucket = true;
    LossBatch batch;
    batch.offsets = {0, 2};
    batch.teacherTopK = at::tensor({0.6f, 0.3f, 0.5f, 0.1f}).view({2, 2}).log();
    batch.studentTopK = at::tensor({0.5f, 0.2f, 0.3f, 0.3f}).view({2, 2}).log();
    const auto kl = [](std::vector<double> p, std::vector<double> q) {
      double sum = 0;
      for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
      return sum;
    };
    const at::Tensor d = tokenLosses(options, batch, nullptr);
    QVERIFY(std::abs(d[0].item<double>() - kl({0.6, 0.3, 0.1}, {0.5, 0.2, 0.3})) < 1e-6);
    QVERIFY(std::abs(d[1].item<double>() - kl({0.5, 0.1, 0.4}, {0.3, 0.3, 0.4})) < 1e-6);
  }

  void theTailBucketHasAGradientWhereTheFloorHasNone() {
    LossOptions options;
    options.mode = LossMode::ForwardKlTopK;
    options.logProbMinClamp = -10;
    const at::Tensor p = at::tensor({0.7f, 0.2f, 0.06f, 0.04f}).view({1, 4});
    const at::Tensor logits = at::tensor({-20.0f, 1.0f, 2.0f, 0.5f}).view({1, 4});  // the student is worst at the teacher's best token
    for (bool tail : {false, true}) {
      options.tailBucket = tail;
      at::Tensor z = logits.clone().set_requires_grad(true);
      const at::Tensor logQ = z.log_softmax(-1), q = logQ.exp().detach();
      LossBatch batch;
      batch.offsets = {0, 1};
      batch.teacherTopK = p.narrow(1, 0, 2).log();
      batch.studentTopK = logQ.narrow(1, 0, 2);
      const at::Tensor d = tokenLosses(options, batch, nullptr);
      d.sum().backward();
      if (!tail) {
        QVERIFY(z.grad()[0][0].item<double>() > -1e-6);
      } else {  // q - p on the top K; the rest shares its mass as the student does
        QVERIFY(at::allclose(z.grad().narrow(1, 0, 2), (q - p).narrow(1, 0, 2), 1e-4, 1e-6));
        const at::Tensor whole = (p * (p.log() - logQ.detach())).sum();
        QVERIFY(d.item<double>() <= whole.item<double>() + 1e-6 && d.item<double>() > 0);
      }
    }
  }

  void farFromTheTeacherTheControlVariateLowersTheVarianceAndKeepsTheExpectation() {
    // One position, four tokens: the expectation over the student of both estimators is the gradient of KL(q || p).
    const at::Tensor logits = at::tensor({0.3f, -0.5f, 1.2f, 0.1f}), logP = at::tensor({0.02f, 0.9f, 0.05f, 0.03f}).log();
    at::Tensor exact = logits.clone().set_requires_grad(true);
    const at::Tensor l = exact.log_softmax(-1);
    (l.exp() * (l - logP)).sum().backward();
    const at::Tensor q = logits.softmax(-1), reverse = (q * (q.log() - logP)).sum();
    double spread[2];
    for (bool control : {false, true}) {
      LossOptions options;
      options.mode = LossMode::K1;
      options.policyGradient = true;
      options.form = control ? PolicyForm::ReinforceCv : PolicyForm::Ppo;
      at::Tensor mean = at::zeros({4}), square = at::zeros({4});
      for (std::int64_t token = 0; token < 4; ++token) {
        at::Tensor z = logits.clone().set_requires_grad(true);
        LossBatch batch;
        batch.offsets = {0, 1};
        batch.student = z.log_softmax(-1).narrow(0, token, 1);
        batch.teacher = logP.narrow(0, token, 1);
        if (control) batch.baseline = -reverse.view({1});
        distillationLoss(options, batch, {}).loss.backward();
        mean += q[token] * z.grad();
        square += q[token] * z.grad().square();
      }
      QVERIFY(at::allclose(mean, exact.grad(), 1e-4, 1e-6));
      spread[control] = (square - mean.square()).sum().item<double>();
    }
    QVERIFY(spread[1] < spread[0]);
  }

  void aSequenceRatioIsTheGeometricMean() {  // GSPO
    LossOptions options;
    options.form = PolicyForm::Gspo;
    LossBatch batch;
    batch.offsets = {0, 2, 3};
    batch.student = at::tensor({-1.0f, -2.0f, -0.5f}).set_requires_grad(true);
    batch.old = at::tensor({-1.1f, -2.3f, -1.5f});  // s = e^0.2 and e^1
    const at::Tensor A = at::tensor({2.0f, 1.0f, -1.0f});
    const at::Tensor loss = policyLoss(options, batch, A, "", nullptr);
    const float s = std::exp(0.2f);
    QVERIFY(at::allclose(loss, at::tensor({-2.0f * 1.2f, -1.2f, std::exp(1.0f)})));  // clipped at 1.2; no dual clip
    options.clipRatioHigh = 0.3;
    const at::Tensor open = policyLoss(options, batch, A, "", nullptr);
    QVERIFY(at::allclose(open.narrow(0, 0, 2), at::tensor({-2 * s, -s})));
    open.sum().backward();
    QVERIFY(at::allclose(batch.student.grad(), at::tensor({-2 * s, -s, std::exp(1.0f)})));
  }

  void clippedWeightsKeepEveryTokensGradient() {  // CISPO
    LossOptions options;
    options.form = PolicyForm::Cispo;
    LossBatch batch;
    batch.offsets = {0, 3};
    batch.student = at::tensor({-1.0f, -1.0f, -1.0f}).set_requires_grad(true);
    batch.old = at::tensor({-3.0f, -1.0f, 1.0f});  // r = 7.4, 1, 0.14
    LossMetrics metrics;
    const at::Tensor loss = policyLoss(options, batch, at::tensor({1.0f, -2.0f, 3.0f}), "", &metrics);
    QVERIFY(at::allclose(loss, at::tensor({1.2f, -2.0f, 2.4f})));
    loss.sum().backward();
    QVERIFY(at::allclose(batch.student.grad(), at::tensor({-1.2f, 2.0f, -2.4f})));
    QVERIFY(std::abs(metrics.values().at("pg_clipfrac") - 2.0 / 3) < 1e-9);
  }

  void weightsForTheSamplerAreCut() {
    LossBatch batch;
    batch.offsets = {0, 2, 3};
    const at::Tensor old = at::tensor({-1.0f, -1.0f, -2.0f}), rollout = at::tensor({-1.5f, -0.8f, -4.0f});
    QVERIFY(at::allclose(rolloutWeights(false, old, rollout, batch, 2), at::tensor({std::exp(0.5f), std::exp(-0.2f), 2.0f})));
    QVERIFY(at::allclose(rolloutWeights(true, old, rollout, batch, 2), at::tensor({std::exp(0.3f), std::exp(0.3f), 2.0f})));
  }

  void aggregationsByHand() {  // spec 7-B13
    LossBatch batch;
    batch.offsets = {0, 3, 4};
    const at::Tensor values = at::tensor({1.0f, 2.0f, 3.0f, 10.0f});
    const LossNormalizers n{4, 2, 5, 1};
    const auto number = [&](const char* name) { return aggregate(aggregationFromName(name), values, batch, n).item<double>(); };
    QCOMPARE(number("token-mean"), 4.0);
    QCOMPARE(number("seq-mean-token-sum"), 8.0);
    QVERIFY(std::abs(number("seq-mean-token-mean") - 6) < 1e-6);
    QVERIFY(std::abs(number("seq-mean-token-sum-norm") - 1.6) < 1e-6);
  }

  void withoutOldLogProbsTheRatioIsOneAndTheGradientIsThePolicyGradient() {
    LossOptions options;
    LossBatch batch;
    batch.offsets = {0, 2};
    batch.student = at::tensor({-1.0f, -2.0f}, at::kFloat).set_requires_grad(true);
    at::Tensor advantages = at::tensor({0.5f, -0.25f}, at::kFloat);
    policyLoss(options, batch, advantages, "", nullptr).sum().backward();
    QVERIFY(at::allclose(batch.student.grad(), -advantages));
  }

  void aRowWithoutTokensHasNoSmallestLoss() {  // spec 7-B6
    LossOptions options;
    options.mode = LossMode::K3;
    LossBatch batch;
    batch.offsets = {0, 0};
    batch.student = at::zeros({0}).set_requires_grad(true);
    batch.teacher = at::zeros({0});
    auto result = distillationLoss(options, batch, {});
    QCOMPARE(result.loss.item<float>(), 0.f);
    QCOMPARE(result.metrics.values().count("distillation/loss_min"), std::size_t(0));
  }

  void logProbabilitiesAndGradientsDoNotDependOnTheChunks() {
    at::manual_seed(3);
    const at::Tensor h = at::randn({37, 8}), w = at::randn({29, 8}), ids = at::randint(29, {37, 5}, at::kLong), g = at::randn({37, 5}), gH = at::randn({37});
    for (double temperature : {1.0, 0.7}) {
      at::Tensor h0 = h.clone().set_requires_grad(true), w0 = w.clone().set_requires_grad(true);
      at::Tensor logQ = (h0.matmul(w0.t()) / temperature).log_softmax(-1);
      at::Tensor values = logQ.gather(-1, ids), entropy = -(logQ.exp() * logQ).sum(-1);
      ((values * g).sum() + (entropy * gH).sum()).backward();
      for (std::int64_t elements : {1, 29 * 20, 1 << 20}) {  // chunks of 16 and 20 rows, and all rows at once
        at::Tensor h1 = h.clone().set_requires_grad(true), w1 = w.clone().set_requires_grad(true);
        LogProbs got = logProbsAt(h1, w1, ids, {temperature, true, elements});
        ((got.values * g).sum() + (got.entropy * gH).sum()).backward();
        QVERIFY(at::allclose(got.values, values, 1e-5, 1e-5) && at::allclose(got.entropy, entropy, 1e-5, 1e-5));
        QVERIFY(at::allclose(h1.grad(), h0.grad(), 1e-4, 1e-5) && at::allclose(w1.grad(), w0.grad(), 1e-4, 1e-5));
      }
    }
  }

  void topTokensComeMostLikelyFirst() {
    at::manual_seed(4);
    const at::Tensor h = at::randn({21, 8}), w = at::randn({29, 8}), ids = at::randint(29, {21}, at::kLong);
    auto top = topLogProbs(h, w, ids, 6, {1.0, false, 1});
    auto [values, order] = h.matmul(w.t()).log_softmax(-1).topk(6);
    QVERIFY(at::equal(top.ids, order));
    QVERIFY(at::allclose(top.values, values, 1e-5, 1e-5));
    QVERIFY(at::allclose(top.sampled, h.matmul(w.t()).log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1), 1e-5, 1e-5));
    QCOMPARE(topLogProbs(h, w, ids, 1000).ids.size(1), std::int64_t(29));
  }
};

QTEST_GUILESS_MAIN(TestLosses)
#include "tst_losses.moc"
