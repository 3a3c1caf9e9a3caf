// Every CPU kernel against a plain LibTorch expression of the same formula, on one and on two threads, and the loops of simd.h
// in every version that this processor runs.
#include <torch/types.h>
#include <ATen/Parallel.h>

#include <QtTest>
#include <cmath>
#include <cstring>

#include "engine/core/failure.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.h"

using namespace cuescope;
using kernels::CueWeights;
using kernels::SamplerRow;
using kernels::SeenToken;

namespace {

double largestDifference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return INFINITY;
  if (a.numel() == 0) return 0;
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor normPlain(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return x * at::rsqrt(x.square().mean(-1, true) + eps) * weight.to(at::kFloat);
}

CueWeights cueWeights(std::int64_t h, std::int64_t heads, at::ScalarType type) {
  const auto matrix = [&] { return (at::randn({h, h}) / std::sqrt(static_cast<double>(h))).to(type); };
  return {(1 + .1 * at::randn({h})).to(type), (1 + .1 * at::randn({h})).to(type), matrix(), matrix(), matrix(), matrix(), heads, 1e-6};
}

// Spec 1.3, step by step, for one row.
at::Tensor cuePlain(const at::Tensor& sink, const at::Tensor& visual, const CueWeights& w, at::Tensor& attention) {
  const std::int64_t h = sink.size(0), d = h / w.heads;
  const at::Tensor s = normPlain(sink.unsqueeze(0), w.qNorm, w.eps), x = normPlain(visual, w.kvNorm, w.eps);
  const auto heads = [&](const at::Tensor& states, const at::Tensor& weight) {
    return at::matmul(states, weight.to(at::kFloat).t()).view({-1, w.heads, d}).transpose(0, 1);
  };
  attention = at::softmax(at::matmul(heads(s, w.q), heads(x, w.k).transpose(1, 2)) / std::sqrt(static_cast<double>(d)), -1);
  const at::Tensor out = at::matmul(attention, heads(x, w.v)).transpose(0, 1).reshape({1, h});
  attention = attention.squeeze(1);
  return at::matmul(out, w.o.to(at::kFloat).t()).squeeze(0);
}

std::vector<float> probabilities(const std::vector<float>& logits) {
  double mass = 0;
  for (float value : logits) mass += std::exp(value);
  std::vector<float> out;
  for (float value : logits) out.push_back(static_cast<float>(std::exp(value) / mass));
  return out;
}

// The shares of ids when `uniform` runs evenly through [0, 1).
std::vector<double> shares(const std::vector<float>& logits, SamplerRow row, const std::vector<SeenToken>& seen = {},
                           const std::vector<std::int64_t>& banned = {}) {
  constexpr int kDraws = 4000;
  const auto size = static_cast<std::int64_t>(logits.size());
  const at::Tensor all = at::tensor(logits).unsqueeze(0).repeat({kDraws, 1}).contiguous();
  std::vector<SamplerRow> rows(kDraws, row);
  for (int i = 0; i < kDraws; ++i) rows[i].uniform = (i + .5) / kDraws;
  std::vector<std::vector<SeenToken>> seenRows;
  if (!seen.empty()) seenRows.assign(kDraws, seen);
  std::vector<double> out(size);
  for (std::int64_t id : kernels::sample(all, rows, seenRows, banned).ids) out[id] += 1. / kDraws;
  return out;
}

bool near(const std::vector<double>& got, const std::vector<double>& want) {
  for (std::size_t i = 0; i < want.size(); ++i)
    if (std::abs(got[i] - want[i]) > 5e-4) {
      qWarning("id %zu: share %f instead of %f", i, got[i], want[i]);
      return false;
    }
  return got.size() == want.size();
}

const std::vector<float> kLogits = {std::log(.1f), std::log(.4f), std::log(.05f), std::log(.3f), std::log(.15f)};

}  // namespace

class TestKernels : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() { at::manual_seed(5); }
  void cleanup() { at::set_num_threads(1); }

  void linearEqualsTheMatrixProduct_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("in");
    QTest::addColumn<int>("out");
    for (int rows : {1, 2, 3, 5, 7, 8, 9, 16, 17})
      for (auto [in, out] : {std::pair{64, 33}, {24, 16}, {7, 5}, {1536, 512}})
        QTest::addRow("%d x %d -> %d", rows, in, out) << rows << in << out;
  }
  void linearEqualsTheMatrixProduct() {
    QFETCH(int, rows);
    QFETCH(int, in);
    QFETCH(int, out);
    const at::Tensor x = at::randn({rows, in}), w = at::randn({out, in}) / std::sqrt(static_cast<double>(in));
    for (int threads : {1, 2}) {
      at::set_num_threads(threads);
      for (const at::Tensor& weight : {w, w.to(at::kBFloat16)}) {
        const at::Tensor want = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
        QVERIFY2(largestDifference(kernels::linear(x, weight), want) < 1e-5, qPrintable(QString::number(threads)));
      }
    }
  }

  void addRmsNormEqualsTheFormula() {
    for (int threads : {1, 2}) {
      at::set_num_threads(threads);
      for (auto [n, h] : {std::pair{1, 24}, {3, 64}, {200, 513}}) {
        const at::Tensor x = at::randn({n, h}), before = at::randn({n, h}), weight = 1 + .1 * at::randn({h});
        at::Tensor residual = before.clone();
        const at::Tensor y = kernels::addRmsNorm(x, residual, weight, 1e-6);
        QVERIFY(at::equal(residual, before + x));
        QVERIFY(largestDifference(y, normPlain(before + x, weight, 1e-6)) < 1e-5);
        residual = before.clone();
        const at::Tensor alone = kernels::addRmsNorm({}, residual, weight.to(at::kBFloat16), 1e-6);
        QVERIFY(at::equal(residual, before));
        QVERIFY(largestDifference(alone, normPlain(before, weight.to(at::kBFloat16), 1e-6)) < 1e-5);
      }
    }
  }

  void qkNormRopeEqualsTheFormula() {
    for (int threads : {1, 2}) {
      at::set_num_threads(threads);
      for (auto [tokens, heads, kvHeads, d] : {std::tuple{1, 4, 2, 24}, {70, 8, 4, 64}, {5, 3, 3, 128}}) {
        const at::Tensor q = at::randn({tokens, heads, d}), k = at::randn({tokens, kvHeads, d});
        const at::Tensor qWeight = 1 + .1 * at::randn({d}), kWeight = 1 + .1 * at::randn({d});
        const at::Tensor angles = (at::randn({tokens, d / 2}) * 10).repeat({1, 2});
        const at::Tensor cos = angles.cos(), sin = angles.sin();
        const auto rotated = [&](const at::Tensor& states, const at::Tensor& weight) {
          const at::Tensor normed = normPlain(states, weight, 1e-6);
          const auto halves = normed.chunk(2, -1);
          return normed * cos.unsqueeze(1) + at::cat({-halves[1], halves[0]}, -1) * sin.unsqueeze(1);
        };
        at::Tensor gotQ = q.clone(), gotK = k.clone();
        kernels::qkNormRope(gotQ, gotK, qWeight, kWeight, cos.contiguous(), sin.contiguous(), 1e-6);
        QVERIFY(largestDifference(gotQ, rotated(q, qWeight)) < 1e-5);
        QVERIFY(largestDifference(gotK, rotated(k, kWeight)) < 1e-5);
      }
    }
  }

  void foldedCueRecoveryEqualsThePlainForm_data() {
    QTest::addColumn<int>("threads");
    QTest::addColumn<bool>("bf16");
    QTest::addRow("one thread") << 1 << false;
    QTest::addRow("two threads") << 2 << false;
    QTest::addRow("bfloat16 weights") << 1 << true;
  }
  void foldedCueRecoveryEqualsThePlainForm() {
    QFETCH(int, threads);
    QFETCH(bool, bf16);
    at::set_num_threads(threads);
    constexpr std::int64_t kHidden = 60, kHeads = 4;
    const CueWeights w = cueWeights(kHidden, kHeads, bf16 ? at::kBFloat16 : at::kFloat);
    const std::vector<std::int64_t> offsets = {0, 7, 7, 8, 45, 45};  // the second and the last row see nothing
    const at::Tensor sink = at::randn({5, kHidden}), visual = 3 * at::randn({45, kHidden});
    const at::Tensor sinkBefore = sink.clone(), visualBefore = visual.clone();
    at::Tensor attention;
    const at::Tensor update = kernels::cueRecovery(sink, visual, offsets, w, &attention);
    QVERIFY(at::equal(sink, sinkBefore) && at::equal(visual, visualBefore));
    QCOMPARE(attention.size(0), kHeads);
    for (std::int64_t b = 0; b < 5; ++b) {
      const std::int64_t count = offsets[b + 1] - offsets[b];
      if (count == 0) {
        QVERIFY(at::equal(update[b], at::zeros({kHidden})));
        continue;
      }
      at::Tensor wantAttention;
      const at::Tensor want = cuePlain(sink[b], visual.narrow(0, offsets[b], count), w, wantAttention);
      QVERIFY(largestDifference(update[b], want) < 1e-5);
      QVERIFY(largestDifference(attention.narrow(1, offsets[b], count), wantAttention) < 1e-5);
    }
    const at::Tensor none = kernels::cueRecovery(sink, at::empty({0, kHidden}), std::vector<std::int64_t>(6, 0), w);
    QVERIFY(at::equal(none, at::zeros({5, kHidden})));
  }

  void everySimdVersionAgreesWithFloat64() {
    int tried = 0;
    for (const char* name : {"base", "avx2", "avx512"}) {
      const kernels::Simd* simd = kernels::simdNamed(name);
      if (!simd) continue;
      ++tried;
      QCOMPARE(QString(simd->name), QString(name));
      for (std::int64_t d : {24, 64, 80, 128})
        for (std::int64_t length : {1, 3, 64, 65, 300})
          for (std::int64_t group : {1, 2, 3, 5}) {
            const at::Tensor q = at::randn({group, d}), k = at::randn({length, d}), v = at::randn({length, d});
            const double scale = 1. / std::sqrt(static_cast<double>(d));
            const at::Tensor want = at::matmul(at::softmax(at::matmul(q, k.t()).to(at::kDouble) * scale, -1), v.to(at::kDouble));
            at::Tensor got = at::empty({group, d});
            std::vector<float> scratch(group * kernels::kAttendChunk);
            simd->attend(q.data_ptr<float>(), group, {nullptr, nullptr, 0}, k.data_ptr<float>(), v.data_ptr<float>(), d, length, d,
                         static_cast<float>(scale), got.data_ptr<float>(), scratch.data());
            QVERIFY2(largestDifference(got, want) < 1e-5, name);
            // The first tokens elsewhere: the same bits.
            for (std::int64_t shared = kernels::kAttendChunk; shared <= length; shared += kernels::kAttendChunk) {
              const at::Tensor firstK = k.narrow(0, 0, shared).clone(), firstV = v.narrow(0, 0, shared).clone(),
                               restK = k.narrow(0, shared, length - shared).clone(), restV = v.narrow(0, shared, length - shared).clone();
              at::Tensor parted = at::empty({group, d});
              simd->attend(q.data_ptr<float>(), group, {firstK.const_data_ptr<float>(), firstV.const_data_ptr<float>(), shared}, restK.const_data_ptr<float>(),
                           restV.const_data_ptr<float>(), d, length, d, static_cast<float>(scale), parted.data_ptr<float>(), scratch.data());
              QVERIFY2(at::equal(parted, got), name);
            }
          }
      for (std::int64_t n : {1, 15, 16, 100, 5000}) {
        at::Tensor gate = at::randn({n}) * 20, up = at::randn({n});
        const at::Tensor want = at::silu(gate.to(at::kDouble)) * up;
        const at::Tensor terms = (gate.to(at::kDouble) - gate.max()).mul(.5).exp();
        QCOMPARE(simd->largest(gate.data_ptr<float>(), n), gate.max().item<float>());
        const double total = simd->expSum(gate.data_ptr<float>(), n, gate.max().item<float>(), .5f, nullptr);
        QVERIFY2(std::abs(total / terms.sum().item<double>() - 1) < 1e-6, name);
        simd->siluMul(gate.data_ptr<float>(), up.data_ptr<float>(), n);
        QVERIFY2(largestDifference(gate, want) < 1e-5, name);
      }
      const at::Tensor x = at::randn({11, 200}), w = at::randn({9, 200}) / 14, narrow = w.to(at::kBFloat16);
      at::Tensor y = at::empty({11, 9});
      simd->linearF32(x.data_ptr<float>(), 200, 11, w.data_ptr<float>(), 200, 0, 9, y.data_ptr<float>(), 9);
      QVERIFY2(largestDifference(y, at::matmul(x, w.t())) < 1e-5, name);
      simd->linearBf16(x.data_ptr<float>(), 200, 11, static_cast<const std::uint16_t*>(narrow.data_ptr()), 200, 0, 9,
                       y.data_ptr<float>(), 9);
      QVERIFY2(largestDifference(y, at::matmul(x, narrow.to(at::kFloat).t())) < 1e-5, name);
    }
    QVERIFY(tried >= 1);
  }

  void greedyTakesTheFirstOfTheLargestAndItsLogProbability() {
    const at::Tensor logits = at::tensor({1.f, 4.f, 4.f, -2.f, 0.f, 9.f, 1.f, 2.f}).view({2, 4});
    const kernels::Sampled got = kernels::sample(logits, std::vector<SamplerRow>(2, {.temperature = 0}), {}, {});
    QCOMPARE(got.ids, (std::vector<std::int64_t>{1, 1}));
    const at::Tensor want = at::log_softmax(logits, -1);
    QVERIFY(std::abs(got.logProbs[0] - want[0][1].item<float>()) < 1e-5);
    QVERIFY(std::abs(got.logProbs[1] - want[1][1].item<float>()) < 1e-5);
  }

  void bannedIdsNeverComeOutAndKeepTheirMassInTheLogProbability() {
    const at::Tensor logits = at::tensor(kLogits).unsqueeze(0);
    const kernels::Sampled got = kernels::sample(logits, std::vector<SamplerRow>{{.temperature = 0}}, {}, std::vector<std::int64_t>{1, 4});
    QCOMPARE(got.ids[0], 3);
    QVERIFY(std::abs(got.logProbs[0] - std::log(.3f)) < 1e-5);
    QVERIFY(near(shares(kLogits, {}, {}, {1, 3}), {.1 / .3, 0, .05 / .3, 0, .15 / .3}));
  }

  void plainSamplingFollowsTheDistribution() { QVERIFY(near(shares(kLogits, {}), {.1, .4, .05, .3, .15})); }

  void temperatureSharpensAndFlattens() {
    std::vector<float> scaled;
    for (float value : kLogits) scaled.push_back(value / .5f);
    const std::vector<float> p = probabilities(scaled);
    QVERIFY(near(shares(kLogits, {.temperature = .5f}), {p.begin(), p.end()}));
  }

  void topKKeepsTheLargestAndTheirTies() {
    QVERIFY(near(shares(kLogits, {.topK = 2}), {0, .4 / .7, 0, .3 / .7, 0}));
    QVERIFY(near(shares({0, 1, 0, 0}, {.topK = 1}), {0, 1, 0, 0}));
    QVERIFY(near(shares({1, 1, 0, 1}, {.topK = 2}), {1. / 3, 1. / 3, 0, 1. / 3}));
  }

  void topPKeepsTheSmallestSetThatReachesIt() {
    QVERIFY(near(shares(kLogits, {.topP = .69f}), {0, .4 / .7, 0, .3 / .7, 0}));
    QVERIFY(near(shares(kLogits, {.topP = .71f}), {0, .4 / .85, 0, .3 / .85, .15 / .85}));
    QVERIFY(near(shares(kLogits, {.topP = .01f}), {0, 1, 0, 0, 0}));
  }

  void minPIsRelativeToTheLikeliest() { QVERIFY(near(shares(kLogits, {.minP = .3f}), {0, .4 / .85, 0, .3 / .85, .15 / .85})); }

  void truncationsActInTheirOrder() {
    // top-k 3 keeps .4 .3 .15; of these, renormalised, top-p .8 keeps .4 and .3 (.82): with top-p first it would keep three.
    QVERIFY(near(shares(kLogits, {.topP = .8f, .topK = 3}), {0, .4 / .7, 0, .3 / .7, 0}));
    // temperature 2 comes before top-p: the flattened set needs more members.
    std::vector<float> flat;
    for (float value : kLogits) flat.push_back(value / 2);
    const std::vector<float> p = probabilities(flat);
    const double mass = p[1] + p[3] + p[4];
    QVERIFY(p[1] + p[3] < .7f && mass > .7);
    QVERIFY(near(shares(kLogits, {.temperature = 2, .topP = .7f}), {0, p[1] / mass, 0, p[3] / mass, p[4] / mass}));
  }

  void penaltiesLookAtSeenTokensOnly() {
    const std::vector<float> logits = {2, -1, 1, 0};
    const std::vector<SeenToken> seen = {{0, 0}, {1, 2}};
    const std::vector<float> repetition = probabilities({2 / 1.5f, -1.5f, 1, 0});
    QVERIFY(near(shares(logits, {.repetitionPenalty = 1.5f}, seen), {repetition.begin(), repetition.end()}));
    const std::vector<float> counted = probabilities({2, -1 - .5f - 2 * .25f, 1, 0});  // the prompt's token is not counted
    QVERIFY(near(shares(logits, {.presencePenalty = .5f, .frequencyPenalty = .25f}, seen), {counted.begin(), counted.end()}));
    const kernels::Sampled got = kernels::sample(at::tensor(logits).unsqueeze(0), std::vector<SamplerRow>{{.temperature = 0, .repetitionPenalty = 4}},
                                                 std::vector<std::vector<SeenToken>>{seen}, {});
    QCOMPARE(got.ids[0], 2);
    QVERIFY(std::abs(got.logProbs[0] - at::log_softmax(at::tensor(logits), 0)[2].item<float>()) < 1e-5);
  }

  void samplesDoNotDependOnThreadsOrNeighbours() {
    const at::Tensor logits = 3 * at::randn({6, 20000});
    std::vector<SamplerRow> rows;
    for (int b = 0; b < 6; ++b) rows.push_back({.temperature = .9f, .topP = .95f, .topK = 500, .uniform = .13 + .14 * b});
    const auto one = kernels::sample(logits, rows, {}, std::vector<std::int64_t>{3});
    at::set_num_threads(2);
    const auto two = kernels::sample(logits, rows, {}, std::vector<std::int64_t>{3});
    QCOMPARE(one.ids, two.ids);
    QCOMPARE(one.logProbs, two.logProbs);
    for (int b = 0; b < 6; ++b) {
      const auto alone = kernels::sample(logits.narrow(0, b, 1), std::span(rows).subspan(b, 1), {}, std::vector<std::int64_t>{3});
      QCOMPARE(alone.ids[0], one.ids[b]);
      QCOMPARE(alone.logProbs[0], one.logProbs[b]);
    }
  }

  void aWrongShapeNamesPlaceRuleAndValue() {
    try {
      kernels::linear(at::zeros({2, 3}), at::zeros({4, 5}));
      QFAIL("a product of unequal sizes was accepted");
    } catch (const Error& error) {
      QVERIFY(error.failure().what.find("weight") != std::string::npos);
      QVERIFY(error.failure().what.find("[4, 5]") != std::string::npos);
      QCOMPARE(QString::fromStdString(error.failure().where), QString("linear"));
    }
    at::Tensor residual = at::zeros({2, 4}).t();
    QVERIFY_THROWS_EXCEPTION(Error, kernels::addRmsNorm({}, residual, at::ones({2}), 1e-6));
    QVERIFY_THROWS_EXCEPTION(Error, kernels::sample(at::zeros({1, 4}), std::vector<SamplerRow>(1), {}, std::vector<std::int64_t>{4}));
    QVERIFY_THROWS_EXCEPTION(Error, kernels::sample(at::zeros({1, 4}), std::vector<SamplerRow>{{.uniform = 1}}, {}, {}));
    const CueWeights w = cueWeights(8, 2, at::kFloat);
    QVERIFY_THROWS_EXCEPTION(Error, kernels::cueRecovery(at::zeros({1, 8}), at::zeros({3, 8}), std::vector<std::int64_t>{0, 2}, w));
  }

  void withoutCudaCodeThePackSaysSo() { QVERIFY(!kernels::hasCuda()); }
};

QTEST_GUILESS_MAIN(TestKernels)
#include "tst_kernels.moc"
