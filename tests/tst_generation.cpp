// Continuous batching: places that are filled again, a bound of keys and values, one prefill for the samples of a prompt and none
// shared between pictures, the rules that end a row, and answers that do not depend on who runs beside whom.
#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/model/generation.h"
#include "tests/support/golden.h"
#include "tests/support/model_batch.h"

#include <cmath>

#include <QTest>

using namespace cuescope;

namespace {

std::shared_ptr<Qwen3VL> model() {
  static const auto one = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
  return one;
}

std::vector<RowInput> prompts() {
  static const golden::Set set("forward-student");
  std::vector<RowInput> rows;
  for (const char* batch : {"left", "mixed"})
    for (auto& row : modelBatch(set, set, batch, model()->config()).rows) rows.push_back(std::move(row));
  return rows;
}

SamplingOptions sampling(int maxNew) {
  SamplingOptions options;
  options.greedy = false;
  options.maxNew = maxNew;
  options.seed = 5;
  return options;
}

std::vector<std::uint64_t> seedsOf(std::size_t count) {
  std::vector<std::uint64_t> seeds(count);
  for (std::size_t i = 0; i < count; ++i) seeds[i] = 100 + i;
  return seeds;
}

struct Outcome {
  std::vector<Generated> rows;
  Generation::Costs costs;
};

Outcome run(const std::vector<RowInput>& rows, const SamplingOptions& options, const GenerateLimits& limits,
            std::vector<std::uint64_t> seeds) {
  Generation generation(*model(), rows, options, visionBans(model()->config()), limits, std::move(seeds));
  while (generation.advance(0, {})) {
  }
  return {generation.results(), generation.costs()};
}

/// Each row alone, with its own seed.
std::vector<Generated> alone(const std::vector<RowInput>& rows, const SamplingOptions& options, const std::vector<std::uint64_t>& seeds) {
  std::vector<Generated> out;
  for (std::size_t r = 0; r < rows.size(); ++r) out.push_back(run({rows[r]}, options, {}, {seeds[r]}).rows[0]);
  return out;
}

void compare(const std::vector<Generated>& got, const std::vector<Generated>& want) {
  QCOMPARE(got.size(), want.size());
  for (std::size_t r = 0; r < want.size(); ++r) {
    QCOMPARE(got[r].ids, want[r].ids);
    QCOMPARE(got[r].stopped, want[r].stopped);
    // 1e-5, relative where the log-probability is below -1: two threads split a product of other shape otherwise.
    for (std::size_t t = 0; t < want[r].ids.size(); ++t) {
      const float apart = std::abs(got[r].logProbs[t] - want[r].logProbs[t]);
      QVERIFY2(apart <= 1e-5f * std::max(1.f, std::abs(want[r].logProbs[t])), qPrintable(QStringLiteral("%1 of %2").arg(apart).arg(want[r].logProbs[t])));
    }
  }
}

std::int64_t blockBytes(const RowInput& row, std::int64_t behind) {
  const auto& t = model()->config().text;
  return KvCache::roundedCapacity(static_cast<std::int64_t>(row.ids.size()) + behind) * t.layers * 2 * t.kvHeads * t.headDim * 4;
}

}  // namespace

class TestGeneration : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void answersDoNotDependOnWhoRunsBeside() {
    const auto rows = prompts();
    const auto seeds = seedsOf(rows.size());
    const auto want = alone(rows, sampling(24), seeds);
    for (const std::int64_t places : {0, 1, 2, 3}) {
      GenerateLimits limits;
      limits.rowsAtOnce = places;
      compare(run(rows, sampling(24), limits, seeds).rows, want);
    }
  }

  void aRowThatHasEndedGivesItsPlaceToTheNext() {
    const auto rows = prompts();
    auto options = sampling(24);
    options.ignoreEos = true;
    GenerateLimits limits;  // stop tokens that the rows sample at different times give them different lengths
    const auto seeds = seedsOf(rows.size());
    const auto whole = run(rows, options, {}, seeds).rows;
    options.ignoreEos = false;
    for (std::size_t r = 0; r < rows.size(); ++r) limits.stopTokens.push_back(whole[r].ids[2 + 5 * r % 20]);
    limits.rowsAtOnce = 2;
    const Outcome got = run(rows, options, limits, seeds);
    // A list schedule: the row that comes next takes the place that is free first. The first token comes with the prompt.
    std::int64_t free[2] = {0, 0}, last = 0, decoded = 0;
    bool differ = false;
    for (const auto& row : got.rows) {
      const auto steps = static_cast<std::int64_t>(row.ids.size()) - 1;
      std::int64_t& place = free[free[1] < free[0]];
      place += steps;
      last = std::max(last, place);
      decoded += steps;
      differ = differ || row.ids.size() != got.rows[0].ids.size();
    }
    QVERIFY(differ);
    QCOMPARE(got.costs.places, 2);
    QCOMPARE(got.costs.rowSteps, decoded);
    QCOMPARE(got.costs.steps, last);
  }

  void samplesOfOnePromptShareOnePrefill() {
    const auto all = prompts();
    std::vector<RowInput> rows;
    for (const std::size_t p : {0, 1})
      for (int i = 0; i < 5; ++i) rows.push_back(all[p]);
    const auto seeds = seedsOf(rows.size());
    GenerateLimits limits;
    limits.rowsAtOnce = 2;
    const Outcome got = run(rows, sampling(12), limits, seeds);
    QCOMPARE(got.costs.prefills, 2);
    compare(got.rows, alone(rows, sampling(12), seeds));
    QVERIFY(got.rows[0].ids != got.rows[1].ids);  // they are samples, not copies
  }

  void samplesOfOnePromptShareItsKeysAndValues() {
    // Prompts of 150 and 70 tokens, eight samples each: 128 and 64 tokens of them exist once.
    const auto all = prompts();
    std::vector<RowInput> rows;
    for (const auto& [p, length] : {std::pair{0, 150}, {1, 70}}) {
      RowInput row = all[static_cast<std::size_t>(p)];
      for (std::int64_t id = 20; std::ssize(row.ids) < length; ++id) row.ids.push_back(id);
      for (int i = 0; i < 8; ++i) rows.push_back(row);
    }
    const auto seeds = seedsOf(rows.size());
    auto options = sampling(10);
    options.ignoreEos = true;
    const auto want = alone(rows, options, seeds);
    const Outcome got = run(rows, options, {}, seeds);
    compare(got.rows, want);
    const RowInput nothing;
    std::int64_t shared = 0, copied = 0;
    for (const auto& [length, whole] : {std::pair<std::int64_t, std::int64_t>{150, 128}, {70, 64}}) {
      shared += blockBytes(nothing, length + 10) + 7 * blockBytes(nothing, length - whole + 10);
      copied += 8 * blockBytes(nothing, length + 10);
    }
    QCOMPARE(got.costs.peakKvBytes, shared);
    QVERIFY2(shared < copied * 0.45, qPrintable(QString("%1 of %2").arg(shared).arg(copied)));
    // Bound, places and samples that end at different times, the first one among them: always the same answers, within the bound.
    GenerateLimits limits;
    for (std::size_t r = 0; r < rows.size(); ++r) limits.stopTokens.push_back(want[r].ids[r % 8 == 0 ? 0 : 2 + r % 8]);
    options.ignoreEos = false;
    std::vector<Generated> stopped;
    for (std::size_t r = 0; r < rows.size(); ++r) stopped.push_back(run({rows[r]}, options, limits, {seeds[r]}).rows[0]);
    const std::int64_t one = blockBytes(nothing, 160);
    for (const auto& [bound, places] : {std::pair<std::int64_t, std::int64_t>{one, 3}, {one + blockBytes(nothing, 32), 16}, {2 * one, 1}, {2 * one, 3}, {shared, 16}, {0, 3}}) {
      limits.kvBytes = bound;
      limits.rowsAtOnce = places;
      const Outcome bounded = run(rows, options, limits, seeds);
      compare(bounded.rows, stopped);
      QVERIFY(bound == 0 || bounded.costs.peakKvBytes <= bound);
      if (bound != one) QCOMPARE(bounded.costs.prefills, 2);
    }
  }

  void aRowThatSharesIsCopiedCutAndFreedLikeAnyOther() {
    KvCache cache(model()->config());
    const auto& t = model()->config().text;
    const std::int64_t first = cache.addRow(3);
    cache.reserve(first, 100, at::kFloat);
    const at::Tensor k = at::randn({100, t.kvHeads, t.headDim}), v = at::randn({100, t.kvHeads, t.headDim});
    for (std::int64_t layer = 0; layer < t.layers; ++layer) cache.write(layer, first, k, v);
    cache.advance(first, 100);
    const std::int64_t before = cache.bytes();
    const std::int64_t second = cache.shareRow(first, 64, 110);
    QCOMPARE(cache.length(second), 100);
    QCOMPARE(cache.nextPosition(second), 103);
    QCOMPARE(cache.bytes() - before, blockBytes({}, 46));
    QVERIFY(at::equal(cache.keys(1, second, 100), k.transpose(0, 1)) && at::equal(cache.values(1, second, 90), v.transpose(0, 1).narrow(1, 0, 90)));
    cache.reserve(second, 150, at::kFloat);  // it moves; the shared tokens do not
    const at::Tensor more = at::randn({2, t.kvHeads, t.headDim});
    cache.write(1, second, more, more);
    cache.advance(second, 2);
    QVERIFY(at::equal(cache.keys(1, second, 102), at::cat({k, more}).transpose(0, 1)));
    QVERIFY(at::equal(cache.keys(1, first, 100), k.transpose(0, 1)));
    const std::int64_t copy = cache.copyRow(second);
    QVERIFY(at::equal(cache.keys(1, copy, 102), cache.keys(1, second, 102)) && cache.shared(copy) == 0);
    cache.truncate(second, 70);
    QVERIFY_THROWS_EXCEPTION(Error, cache.truncate(second, 63));
    QVERIFY_THROWS_EXCEPTION(Error, cache.shareRow(second, 64, 100));
    cache.release(copy);
    cache.release(first);  // its block lives on for the other
    QVERIFY(at::equal(cache.keys(1, second, 70), k.transpose(0, 1).narrow(1, 0, 70)));
    QVERIFY(cache.bytes() > before);
    cache.release(second);
    QCOMPARE(cache.bytes(), 0);
  }

  void rowsThatContinueOthersAreCountedAsTheyAreComputed() {
    const auto all = prompts();
    std::vector<RowInput> rows = {all[0], all[0], {}, {}};
    for (const std::size_t r : {2, 3}) {
      rows[r].ids = {48, 1003, 487};
      rows[r].prefix = 0;
    }
    const Outcome got = run(rows, sampling(4), {}, seedsOf(rows.size()));
    QCOMPARE(got.costs.prefills, 2);
    QCOMPARE(got.costs.prefillTokens, std::ssize(all[0].ids) + 3);
  }

  void differentPicturesShareNothing() {
    const auto all = prompts();
    const auto pictured = std::find_if(all.begin(), all.end(), [](const RowInput& row) { return row.pixelValues.defined(); });
    QVERIFY(pictured != all.end());
    std::vector<RowInput> rows = {*pictured, *pictured};
    rows[1].pixelValues = rows[0].pixelValues.flip({0}).contiguous();
    auto options = sampling(6);
    options.greedy = true;
    options.ignoreEos = true;
    const Outcome got = run(rows, options, {}, seedsOf(2));
    QCOMPARE(got.costs.prefills, 2);
    compare(got.rows, alone(rows, options, seedsOf(2)));
    QVERIFY(std::abs(got.rows[0].logProbs[0] - got.rows[1].logProbs[0]) > 1e-4f);
    rows[1].pixelValues = rows[0].pixelValues.clone();  // equal values elsewhere: computed again, and equal
    const Outcome equal = run(rows, options, {}, seedsOf(2));
    QCOMPARE(equal.costs.prefills, 2);
    QCOMPARE(equal.rows[0].ids, equal.rows[1].ids);
  }

  void keysAndValuesStayWithinTheirBound() {
    const auto base = prompts();
    std::vector<RowInput> rows;
    for (std::size_t p = 0; p < base.size(); ++p)
      for (int i = 0; i < 3; ++i) rows.push_back(base[p]);
    const auto seeds = seedsOf(rows.size());
    const auto want = alone(rows, sampling(20), seeds);
    std::int64_t most = 0, all = 0;
    for (const auto& row : rows) {
      most = std::max(most, blockBytes(row, 20));
      all += blockBytes(row, 20);
    }
    for (const std::int64_t bound : {most, 2 * most, 3 * most, all}) {
      GenerateLimits limits;
      limits.kvBytes = bound;
      const Outcome got = run(rows, sampling(20), limits, seeds);
      QVERIFY2(got.costs.peakKvBytes <= bound, qPrintable(QString("%1 of %2").arg(got.costs.peakKvBytes).arg(bound)));
      compare(got.rows, want);
    }
    GenerateLimits tooSmall;
    tooSmall.kvBytes = most - 1;
    QVERIFY_THROWS_EXCEPTION(Error, run(rows, sampling(20), tooSmall, seeds));
  }

  void repeatsAtTheEndAreFound() {
    const std::vector<std::int64_t> ids = {9, 1, 2, 3, 1, 2, 3, 1, 2, 3};
    QVERIFY(endsInRepeats(ids, 3));
    QVERIFY(!endsInRepeats(ids, 4));
    QVERIFY(!endsInRepeats(std::span(ids).first(9), 3));
    QVERIFY(!endsInRepeats(ids, 0));
    QVERIFY(endsInRepeats(std::vector<std::int64_t>{5, 5, 5, 5}, 4));
    QVERIFY(!endsInRepeats({}, 2));
  }

  void rowsEndByRepetitionAndByStopTokensOfOnesOwn() {
    const auto rows = prompts();
    auto options = sampling(24);
    options.greedy = true;
    const auto first = run({rows[0]}, options, {}, {1}).rows[0];
    QVERIFY(first.ids.size() > 3);
    GenerateLimits stops;
    stops.stopTokens = {first.ids[2]};
    const auto stopped = run({rows[0]}, options, stops, {1}).rows[0];
    QVERIFY(stopped.stopped && stopped.ids.back() == first.ids[2] && stopped.ids.size() <= 3);
    // All tokens but two banned: the answer must repeat itself.
    std::vector<std::int64_t> banned;
    for (std::int64_t id = 0; id < model()->config().text.vocabulary; ++id)
      if (id != first.ids[0]) banned.push_back(id);
    GenerateLimits repeats;
    repeats.maxRepeats = 4;
    options.ignoreEos = true;
    const auto repeated = generate(*model(), {rows[0]}, options, banned, {}, {}, {}, repeats)[0];
    QCOMPARE(repeated.ids, std::vector<std::int64_t>(4, first.ids[0]));
    QVERIFY(repeated.repeated && !repeated.stopped);
  }

  void aCancelledGenerationGoesOn() {
    const auto rows = prompts();
    const auto seeds = seedsOf(rows.size());
    const auto want = run(rows, sampling(16), {}, seeds).rows;
    GenerateLimits limits;
    limits.rowsAtOnce = 2;
    Generation generation(*model(), rows, sampling(16), visionBans(model()->config()), limits, seeds);
    std::stop_source stop;
    stop.request_stop();
    int cancelled = 0;
    for (bool more = true; more;) {
      try {
        generation.advance(0, stop.get_token());
      } catch (const Cancelled&) {
        ++cancelled;
      }
      more = generation.advance(3, {});
    }
    QVERIFY(cancelled > 1);
    compare(generation.results(), want);
  }

  void aCancelledPrefillLeavesNothingBehind() {
    const auto all = prompts();
    std::vector<RowInput> rows = {all[0], {}};
    rows[1].ids = {48, 1003, 487};
    rows[1].prefix = 0;
    const auto seeds = seedsOf(rows.size());
    const Outcome want = run(rows, sampling(6), {}, seeds);
    std::stop_source stop;
    GenerateLimits limits;
    limits.vision = [&](std::span<const RowInput* const> asked) {
      stop.request_stop();  // the first row's pass is under way; the second is cancelled
      const Rows packed = packRows(model()->config(), {*asked[0]});
      return packed.grids.empty() ? VisionFeatures{} : model()->encodeImages(packed.pixelValues, packed.grids);
    };
    Generation generation(*model(), rows, sampling(6), visionBans(model()->config()), limits, seeds);
    QVERIFY_THROWS_EXCEPTION(Cancelled, generation.advance(0, stop.get_token()));
    while (generation.advance(0, {})) {
    }
    compare(generation.results(), want.rows);
    QCOMPARE(generation.costs().peakKvBytes, want.costs.peakKvBytes);
    QCOMPARE(generation.costs().prefills, want.costs.prefills);
  }

  void picturesOfAFrozenTowerComeFromTheCaller() {
    const auto rows = prompts();
    int asked = 0;
    GenerateLimits limits;
    limits.vision = [&](std::span<const RowInput* const> wanted) {
      ++asked;
      std::vector<at::Tensor> merged;
      VisionFeatures all;
      std::vector<RowInput> copies;
      for (const RowInput* row : wanted) copies.push_back(*row);
      const Rows packed = packRows(model()->config(), copies);
      return packed.grids.empty() ? VisionFeatures{} : model()->encodeImages(packed.pixelValues, packed.grids);
    };
    const auto seeds = seedsOf(rows.size());
    compare(run(rows, sampling(8), limits, seeds).rows, alone(rows, sampling(8), seeds));
    QCOMPARE(asked, 1);
  }
};

QTEST_GUILESS_MAIN(TestGeneration)
#include "tst_generation.moc"
