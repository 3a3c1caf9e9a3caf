// Full-vocabulary divergences: against the dense expression under autograd, for every kind, chunk size and temperature.
#include <torch/types.h>

#include <torch/csrc/autograd/autograd.h>

#include <c10/core/Allocator.h>

#include "engine/core/failure.h"
#include "engine/distill/divergences.h"

#include <QtTest>

using namespace cuescope;

namespace {

at::Tensor dense(const at::Tensor& hs, const at::Tensor& ws, const at::Tensor& ht, const at::Tensor& wt, const DivergenceOptions& o) {
  const at::Tensor lq = at::log_softmax(at::linear(hs, ws) / o.temperature, 1), lp = at::log_softmax(at::linear(ht, wt) / o.temperature, 1);
  const at::Tensor p = lp.exp(), q = lq.exp();
  const double c = o.parameter;
  switch (o.kind) {
    case Divergence::ForwardKl: return (p * (lp - lq)).sum(1);
    case Divergence::ReverseKl: return (q * (lq - lp)).sum(1);
    case Divergence::Jsd: {
      const at::Tensor lm = (c * p + (1 - c) * q).log();
      return (c * p * (lp - lm) + (1 - c) * q * (lq - lm)).sum(1);
    }
    case Divergence::Alpha: return ((p.pow(c) * q.pow(1 - c)).sum(1) - 1) / (c * (c - 1));
    case Divergence::SkewForwardKl: return (p * (lp - (c * p + (1 - c) * q).log())).sum(1);
    case Divergence::SkewReverseKl: return (q * (lq - ((1 - c) * p + c * q).log())).sum(1);
  }
  return {};
}

}  // namespace

class DivergencesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void valuesAndGradientsEqualTheDenseExpression_data();
  void valuesAndGradientsEqualTheDenseExpression();
  void theChunkChangesNothing();
  void noTensorIsAsLargeAsTheLogits();
  void equalModelsHaveNoDivergenceAndNoGradient();
  void aTokenThatTheTeacherRulesOutGivesNoNan();
  void aTiedHeadGetsBothGradients();
  void alphaApproachesBothKls();
  void whatDoesNotFitIsRefused();
};

void DivergencesTest::valuesAndGradientsEqualTheDenseExpression_data() {
  QTest::addColumn<QString>("name");
  QTest::addColumn<double>("parameter");
  QTest::addColumn<double>("temperature");
  for (double temperature : {1.0, 2.5}) {
    for (const char* kl : {"forward_kl", "reverse_kl"}) QTest::addRow("%s T=%.1f", kl, temperature) << kl << 0.5 << temperature;
    for (const char* skew : {"jsd", "skew_forward_kl", "skew_reverse_kl"})
      for (double c : {0.1, 0.5, 0.9}) QTest::addRow("%s(%.1f) T=%.1f", skew, c, temperature) << skew << c << temperature;
    for (double a : {-0.5, 0.3, 0.7, 2.0}) QTest::addRow("alpha(%.1f) T=%.1f", a, temperature) << "alpha" << a << temperature;
  }
  QTest::addRow("skew_forward_kl(0)") << "skew_forward_kl" << 0.0 << 1.0;
  QTest::addRow("skew_reverse_kl(0)") << "skew_reverse_kl" << 0.0 << 1.0;
}

void DivergencesTest::valuesAndGradientsEqualTheDenseExpression() {
  QFETCH(QString, name);
  QFETCH(double, parameter);
  QFETCH(double, temperature);
  torch::manual_seed(3);
  const at::Tensor hs = torch::randn({7, 12}), ws = torch::randn({61, 12}) * 0.4, ht = torch::randn({7, 20}), wt = torch::randn({61, 20}) * 0.4;
  const at::Tensor rowWeights = torch::rand({7});
  DivergenceOptions options{divergenceFromName(name.toStdString()), parameter, temperature, 17};
  std::vector<at::Tensor> values, gradients;
  for (bool chunked : {false, true}) {
    at::Tensor h = hs.clone().requires_grad_(), w = ws.clone().requires_grad_();
    at::Tensor value = chunked ? divergence(h, w, ht, wt, options) : dense(h, w, ht, wt, options);
    auto g = torch::autograd::grad({(value * rowWeights).sum()}, {h, w});
    values.push_back(value.detach());
    gradients.insert(gradients.end(), g.begin(), g.end());
  }
  QVERIFY2(at::allclose(values[1], values[0], 1e-4, 1e-5), qPrintable(QString::number((values[1] - values[0]).abs().max().item<double>())));
  QVERIFY(at::allclose(gradients[2], gradients[0], 1e-3, 1e-5));
  QVERIFY(at::allclose(gradients[3], gradients[1], 1e-3, 1e-5));
  QVERIFY(gradients[1].abs().max().item<double>() > 1e-4);
}

void DivergencesTest::aTokenThatTheTeacherRulesOutGivesNoNan() {
  for (const char* name : {"reverse_kl", "skew_forward_kl", "skew_reverse_kl"}) {
    for (const double skew : {0.0, 0.1}) {
      at::Tensor h = at::ones({1, 1}).set_requires_grad(true), w = at::zeros({4, 1}).set_requires_grad(true);
      const at::Tensor teacherHead = at::tensor({0.f, 0.f, 0.f, -200.f}).view({4, 1});
      const at::Tensor value = divergence(h, w, at::ones({1, 1}), teacherHead, {divergenceFromName(name), skew, 1.0, 4});
      const auto gradients = torch::autograd::grad({value.sum()}, {h, w});
      QVERIFY2(value.isfinite().all().item<bool>() && gradients[0].isfinite().all().item<bool>() && gradients[1].isfinite().all().item<bool>(), name);
    }
  }
}

void DivergencesTest::noTensorIsAsLargeAsTheLogits() {
  // Every allocation of the forward and backward pass is measured.
  class Measuring final : public c10::Allocator {
   public:
    explicit Measuring(c10::Allocator* inner) : m_inner(inner) {}
    c10::DataPtr allocate(std::size_t bytes) override {
      largest = std::max(largest, bytes);
      return m_inner->allocate(bytes);
    }
    c10::DeleterFnPtr raw_deleter() const override { return m_inner->raw_deleter(); }
    void copy_data(void* to, const void* from, std::size_t count) const override { m_inner->copy_data(to, from, count); }
    std::size_t largest = 0;

   private:
    c10::Allocator* m_inner;
  };
  at::manual_seed(7);
  constexpr std::int64_t R = 256, V = 6000, h = 8, chunk = 128;
  const at::Tensor hs = at::randn({R, h}).set_requires_grad(true), ws = at::randn({V, h}).set_requires_grad(true), ht = at::randn({R, h}),
                   wt = at::randn({V, h});
  c10::Allocator* usual = c10::GetAllocator(c10::kCPU);
  static Measuring measuring(usual);  // tensors made meanwhile may outlive this function
  for (const char* name : {"forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl"}) {
    DivergenceOptions options;
    options.kind = divergenceFromName(name);
    options.vocabularyChunk = chunk;
    measuring.largest = 0;
    c10::SetAllocator(c10::kCPU, &measuring, 1);
    divergence(hs, ws, ht, wt, options).sum().backward();
    c10::SetAllocator(c10::kCPU, usual, 1);
    const std::size_t block = R * chunk * sizeof(float), head = V * h * sizeof(float), logits = R * V * sizeof(float);
    QVERIFY2(measuring.largest >= block, "the measurement saw nothing");
    QVERIFY2(measuring.largest <= std::max(block, head), (std::string(name) + ": " + std::to_string(measuring.largest)).c_str());
    QVERIFY(measuring.largest * 10 < logits);
  }
}

void DivergencesTest::theChunkChangesNothing() {
  torch::manual_seed(4);
  const at::Tensor h = torch::randn({5, 8}), w = torch::randn({100, 8}), t = torch::randn({5, 8}), v = torch::randn({100, 8});
  const at::Tensor whole = divergence(h, w, t, v, {Divergence::Jsd, 0.5, 1.0, 1000});
  for (std::int64_t chunk : {1, 33, 100}) QVERIFY(at::allclose(divergence(h, w, t, v, {Divergence::Jsd, 0.5, 1.0, chunk}), whole, 1e-5, 1e-6));
}

void DivergencesTest::equalModelsHaveNoDivergenceAndNoGradient() {
  torch::manual_seed(5);
  at::Tensor h = torch::randn({4, 8}).requires_grad_(), w = torch::randn({50, 8});
  for (const char* name : {"forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl"}) {
    at::Tensor value = divergence(h, w, h.detach(), w, {divergenceFromName(name), 0.3});
    QVERIFY2(value.abs().max().item<double>() < 1e-5, name);
    QVERIFY2(torch::autograd::grad({value.sum()}, {h})[0].abs().max().item<double>() < 1e-5, name);
  }
}

void DivergencesTest::aTiedHeadGetsBothGradients() {
  torch::manual_seed(6);
  at::Tensor table = torch::randn({30, 8}).requires_grad_();
  const at::Tensor ids = torch::tensor({1, 5, 7}), t = torch::randn({3, 8}), v = torch::randn({30, 8});
  const DivergenceOptions options{Divergence::ForwardKl};
  const at::Tensor got = torch::autograd::grad({divergence(table.index_select(0, ids), table, t, v, options).sum()}, {table})[0];
  const at::Tensor want = torch::autograd::grad({dense(table.index_select(0, ids), table, t, v, options).sum()}, {table})[0];
  QVERIFY(at::allclose(got, want, 1e-4, 1e-5));
}

void DivergencesTest::alphaApproachesBothKls() {
  torch::manual_seed(7);
  const auto f64 = at::kDouble;
  const at::Tensor h = torch::randn({4, 6}), w = torch::randn({20, 6}), t = torch::randn({4, 6}), v = torch::randn({20, 6});
  const at::Tensor nearOne = divergence(h, w, t, v, {Divergence::Alpha, 0.99}).to(f64), nearZero = divergence(h, w, t, v, {Divergence::Alpha, 0.01}).to(f64);
  QVERIFY(at::allclose(nearOne, divergence(h, w, t, v, {Divergence::ForwardKl}).to(f64), 0.08, 0.02));
  QVERIFY(at::allclose(nearZero, divergence(h, w, t, v, {Divergence::ReverseKl}).to(f64), 0.08, 0.02));
}

void DivergencesTest::whatDoesNotFitIsRefused() {
  const at::Tensor h = torch::randn({2, 4}), w = torch::randn({9, 4});
  QVERIFY_EXCEPTION_THROWN(divergence(h, w, torch::randn({3, 4}), w, {}), Error);
  QVERIFY_EXCEPTION_THROWN(divergence(h, w, h, torch::randn({8, 4}), {}), Error);
  QVERIFY_EXCEPTION_THROWN(divergence(h, w, h, w, {Divergence::Jsd, 1.0}), Error);
  QVERIFY_EXCEPTION_THROWN(divergence(h, w, h, w, {Divergence::Alpha, 1.0}), Error);
  QVERIFY_EXCEPTION_THROWN(divergenceFromName("kld"), Error);
}

QTEST_GUILESS_MAIN(DivergencesTest)
#include "tst_divergences.moc"
