// The fused decoding step against its oracle, the model's own forward pass over the cache: states, logits and greedy ids, for
// tiny random models, float32 and bfloat16 weights, one and two threads, batches of unequal rows.
#include <torch/types.h>

#include <ATen/Parallel.h>

#include <QtTest>

#include "engine/core/failure.h"
#include "engine/model/cpu_decoder.h"
#include "engine/model/generate.h"
#include "engine/model/kv_cache.h"

using namespace cuescope;

namespace {

double largestDifference(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() ? (a - b).abs().max().item<double>() : INFINITY;
}

std::vector<RowInput> textRows(const std::vector<int>& lengths, std::int64_t vocabulary) {
  std::vector<RowInput> rows;
  std::int64_t next = 7;
  for (int length : lengths) {
    RowInput row;
    for (int i = 0; i < length; ++i) row.ids.push_back(next = (next * 131 + 17) % std::min<std::int64_t>(vocabulary, 1000));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

class TestCpuDecoder : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void cleanup() { at::set_num_threads(1); }

  void stepsEqualTheForwardPass_data() {
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("type");
    QTest::addColumn<int>("threads");
    QTest::addColumn<int>("rows");
    for (const char* folder : {"tiny-student", "tiny-student-vicur", "tiny-teacher"})
      for (const char* type : {"float32", "bfloat16"})
        for (int threads : {1, 2})
          for (int rows : {1, 3, 10}) QTest::addRow("%s %s %d threads %d rows", folder, type, threads, rows) << folder << type << threads << rows;
  }
  void stepsEqualTheForwardPass() {
    QFETCH(QString, folder);
    QFETCH(QString, type);
    QFETCH(int, threads);
    QFETCH(int, rows);
    const at::NoGradGuard noGrad;
    at::set_num_threads(threads);
    const auto model = Qwen3VL::load(QString(CUESCOPE_GOLDEN "/" + folder).toStdString(), "cpu", type.toStdString());
    std::vector<int> lengths;
    for (int r = 0; r < rows; ++r) lengths.push_back(5 + 11 * r % 70);
    const auto inputs = textRows(lengths, model->config().text.vocabulary);
    KvCache plain(model->config()), fast(model->config());
    std::vector<std::int64_t> plainRows, fastRows;
    at::Tensor states = prefill(*model, inputs, plain, plainRows, 4);
    prefill(*model, inputs, fast, fastRows, 4);
    const auto decoder = CpuDecoder::create(*model);
    QVERIFY(decoder);
    const std::vector<std::int64_t> visual = visionBans(model->config());  // the plain path refuses a visual token after a prefill
    const auto argmax = [&](const at::Tensor& logits) {
      at::Tensor allowed = logits.clone();
      for (std::int64_t id : visual) allowed.select(1, id).fill_(-INFINITY);
      const at::Tensor best = allowed.argmax(-1).contiguous();
      return std::vector<std::int64_t>(best.const_data_ptr<std::int64_t>(), best.const_data_ptr<std::int64_t>() + best.numel());
    };
    std::vector<std::int64_t> ids = argmax(model->logits(states));
    for (int step = 0; step < 24; ++step) {  // past the first block of the cache, so that it moves
      states = decodeStep(*model, plain, plainRows, ids);
      const at::Tensor wantLogits = model->logits(states).to(at::kFloat);
      const at::Tensor want = at::log_softmax(wantLogits, -1);
      if (step % 3 == 0) {
        const at::Tensor got = decoder->states(fast, fastRows, ids);
        QVERIFY2(largestDifference(got, states) < 1e-4, qPrintable(QString::number(largestDifference(got, states))));
      } else if (step % 3 == 1) {
        QVERIFY(largestDifference(decoder->logits(fast, fastRows, ids), wantLogits) < 1e-4);
      } else {
        const std::vector<std::int64_t> first = argmax(wantLogits);
        std::vector<std::int64_t> banned = visual;
        banned.insert(banned.end(), {first[0], 3});
        const auto got = decoder->greedy(fast, fastRows, ids, banned);
        at::Tensor allowed = wantLogits.clone();
        for (std::int64_t id : banned) allowed.select(1, id).fill_(-INFINITY);
        QCOMPARE(got.ids, argmax(allowed));
        for (std::size_t r = 0; r < got.ids.size(); ++r)
          QVERIFY(std::abs(got.logProbs[r] - want[static_cast<std::int64_t>(r)][got.ids[r]].item<float>()) < 1e-4);
      }
      for (std::size_t r = 0; r < fastRows.size(); ++r) QCOMPARE(fast.length(fastRows[r]), plain.length(plainRows[r]));
      ids = argmax(wantLogits);
    }
  }

  void threadsAndNeighboursDoNotChangeABit() {
    const at::NoGradGuard noGrad;
    const auto model = Qwen3VL::load(CUESCOPE_GOLDEN "/tiny-student", "cpu", "float32");
    const auto inputs = textRows({9, 9, 30}, model->config().text.vocabulary);
    const auto run = [&](int threads) {
      at::set_num_threads(1);
      KvCache cache(model->config());
      std::vector<std::int64_t> rows;
      prefill(*model, inputs, cache, rows, 4);
      at::set_num_threads(threads);
      return CpuDecoder::create(*model)->logits(cache, rows, std::vector<std::int64_t>{5, 6, 7});
    };
    QVERIFY(at::equal(run(1), run(2)));
  }

  void oneRowTwiceOrAForeignIdIsRefused() {
    const auto model = Qwen3VL::load(CUESCOPE_GOLDEN "/tiny-student", "cpu", "float32");
    KvCache cache(model->config());
    std::vector<std::int64_t> rows;
    prefill(*model, textRows({4}, 1000), cache, rows, 4);
    const auto decoder = CpuDecoder::create(*model);
    QVERIFY_THROWS_EXCEPTION(Error, decoder->states(cache, std::vector<std::int64_t>{rows[0], rows[0]}, std::vector<std::int64_t>{1, 2}));
    QVERIFY_THROWS_EXCEPTION(Error, decoder->states(cache, rows, std::vector<std::int64_t>{1 << 30}));
    QCOMPARE(cache.length(rows[0]), 4);
  }
};

QTEST_GUILESS_MAIN(TestCpuDecoder)
#include "tst_cpu_decoder.moc"
