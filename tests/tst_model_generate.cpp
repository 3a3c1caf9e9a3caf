// Decoding: the recorded greedy texts, prefill in chunks, sampling that belongs to its row alone, stops, bans,
// cancelling.
#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/model/generate.h"
#include "engine/model/kv_cache.h"
#include "tests/support/golden.h"
#include "tests/support/model_batch.h"

#include <cmath>
#include <functional>

#include <QTest>

using namespace cuescope;

namespace {

const char* const kModels[] = {"tiny-student", "tiny-student-vicur", "tiny-teacher"};

std::shared_ptr<Qwen3VL> model(const std::string& name) {
  static std::map<std::string, std::shared_ptr<Qwen3VL>> open;
  auto& one = open[name];
  if (!one) one = Qwen3VL::load(golden::path(name), "cpu", "float32");
  return one;
}

std::vector<RowInput> rowsOf(const Qwen3VLConfig& config, const std::string& batch) {
  static const golden::Set set("forward-student");
  return modelBatch(set, set, batch, config).rows;
}

// The rows of generate.json are those of the forward batches, found by their ids.
std::vector<RowInput> recordedPrompts(const std::string& name, const nlohmann::json& cases) {
  const auto& config = model(name)->config();
  std::vector<RowInput> known;
  for (const char* batch : {"left", "video", "mixed"})
    for (auto& row : rowsOf(config, batch)) known.push_back(std::move(row));
  std::vector<RowInput> out;
  for (const auto& item : cases) {
    const auto ids = item["prompt_ids"].get<std::vector<std::int64_t>>();
    for (const auto& row : known)
      if (row.ids == ids) {
        out.push_back(row);
        break;
      }
  }
  return out;
}

SamplingOptions greedy(int maxNew) {
  SamplingOptions options;
  options.maxNew = maxNew;
  options.ignoreEos = true;
  return options;
}

bool refused(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error&) {
    return true;
  }
  return false;
}

}  // namespace

class TestModelGenerate : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void theRecordedGreedyTextsComeOut() {
    const auto manifest = golden::readJson(golden::path("generate.json"));
    for (const char* name : kModels) {
      const auto& cases = manifest["models"][name];
      const auto prompts = recordedPrompts(name, cases);
      QCOMPARE(prompts.size(), cases.size());
      const auto together = generate(*model(name), prompts, greedy(24), {}, {});
      for (std::size_t r = 0; r < prompts.size(); ++r) {
        const auto alone = generate(*model(name), {prompts[r]}, greedy(24), {}, {});
        const auto want = cases[r]["ids"].get<std::vector<std::int64_t>>();
        QCOMPARE(together[r].ids, want);
        QCOMPARE(alone[0].ids, want);
        for (std::size_t t = 0; t < want.size(); ++t) {
          const auto& best = cases[r]["top8"][t][0];
          QCOMPARE(best[0].get<std::int64_t>(), want[t]);
          QVERIFY(std::abs(together[r].logProbs[t] - best[1].get<double>()) <= 1e-3);
          QVERIFY(std::abs(alone[0].logProbs[t] - best[1].get<double>()) <= 1e-3);
        }
      }
    }
  }

  void decodingAfterPrefillIsTheFullForwardPassAtEveryStep() {
    for (const char* name : kModels) {
      const auto m = model(name);
      const at::NoGradGuard noGrad;
      const auto prompts = rowsOf(m->config(), "left");
      KvCache cache(m->config());
      std::vector<std::int64_t> cacheRows;
      at::Tensor states = prefill(*m, prompts, cache, cacheRows, 4);
      std::vector<RowInput> grown = prompts;
      for (int step = 0; step < 8; ++step) {
        const Rows rows = packRows(m->config(), grown);
        const at::Tensor full = m->forward(rows);
        for (std::int64_t r = 0; r < rows.count(); ++r)
          QVERIFY(at::allclose(m->logits(states[r]), m->logits(full[rows.offsets[static_cast<std::size_t>(r) + 1] - 1]),
                               5e-5, 5e-5));
        std::vector<std::int64_t> ids;
        for (auto& row : grown) {
          ids.push_back(20 + step * 3 + static_cast<std::int64_t>(ids.size()));
          row.ids.push_back(ids.back());
        }
        states = decodeStep(*m, cache, cacheRows, ids);
      }
    }
  }

  void prefillInAllowedChunksIsPrefillAtOnce() {
    const auto m = model("tiny-student-vicur");
    const auto rows = rowsOf(m->config(), "left");
    for (const std::size_t r : {1u, 2u}) {
      const auto& ids = rows[r].ids;
      std::int64_t lastVisual = 0;
      for (std::size_t i = 0; i < ids.size(); ++i)
        if (ids[i] == m->config().imageToken) lastVisual = static_cast<std::int64_t>(i);
      KvCache whole(m->config());
      std::vector<std::int64_t> row;
      const at::Tensor want = prefill(*m, {rows[r]}, whole, row, 0);
      for (std::int64_t chunk = lastVisual + 1; chunk <= static_cast<std::int64_t>(ids.size()); ++chunk) {
        KvCache cache(m->config());
        const at::Tensor got = prefill(*m, {rows[r]}, cache, row, 0, chunk);
        QVERIFY(at::allclose(got, want, 2e-5, 2e-5));
        QCOMPARE(cache.length(0), whole.length(0));
        QCOMPARE(cache.nextPosition(0), whole.nextPosition(0));
        for (std::int64_t l = 0; l < cache.layers(); ++l)
          QVERIFY(at::allclose(cache.keys(l, 0, cache.length(0)), whole.keys(l, 0, cache.length(0)), 2e-5, 2e-5));
      }
      for (const std::int64_t chunk : {lastVisual, lastVisual - 2, std::int64_t{1}}) {
        KvCache cache(m->config());
        QVERIFY(refused([&] { prefill(*m, {rows[r]}, cache, row, 0, chunk); }));
      }
    }
    KvCache cache(m->config());
    std::vector<std::int64_t> row;
    prefill(*m, {rows[0]}, cache, row, 0);
    QVERIFY(refused([&] { continueRows(m->config(), cache, row, {{m->config().imageToken}}); }));
  }

  void rowsWithTheSamePromptShareOnePrefillAndPartAfterwards() {
    const auto m = model("tiny-student-vicur");
    const RowInput row = rowsOf(m->config(), "left")[1];
    SamplingOptions options = greedy(6);
    options.greedy = false;
    options.seed = 4;
    const auto out = generate(*m, {row, row, row}, options, {}, {});
    QVERIFY(out[0].ids != out[1].ids || out[1].ids != out[2].ids);
    const auto same = generate(*m, {row, row, row}, greedy(6), {}, {});
    QCOMPARE(same[0].ids, same[1].ids);
    QCOMPARE(same[0].ids, generate(*m, {row}, greedy(6), {}, {})[0].ids);
  }

  void aContinuedPrefixGivesTheTextOfTheWholeRow() {
    const auto m = model("tiny-student-vicur");
    const RowInput whole = rowsOf(m->config(), "left")[2];
    RowInput prefix = whole, rest;
    prefix.ids.resize(whole.ids.size() - 3);
    rest.ids.assign(whole.ids.end() - 3, whole.ids.end());
    rest.prefix = 0;
    QCOMPARE(generate(*m, {prefix, rest}, greedy(8), {}, {})[1].ids, generate(*m, {whole}, greedy(8), {}, {})[0].ids);
  }

  void aRowsSamplesDependOnItsSeedAndNotOnItsCompany() {
    const auto m = model("tiny-student");
    const auto rows = rowsOf(m->config(), "left");
    SamplingOptions options = greedy(12);
    options.greedy = false;
    options.temperature = 1.2;
    options.topK = 50;
    options.topP = 0.95;
    options.seed = 9;
    const auto many = generate(*m, rows, options, {}, {}, {}, {7, 8, 9});
    const auto alone = generate(*m, {rows[1]}, options, {}, {}, {}, {8});
    QCOMPARE(alone[0].ids, many[1].ids);
    QCOMPARE(generate(*m, rows, options, {}, {}, {}, {7, 8, 9})[2].ids, many[2].ids);
    QVERIFY(generate(*m, {rows[1]}, options, {}, {}, {}, {80})[0].ids != many[1].ids);
    options.seed = 10;
    QVERIFY(generate(*m, {rows[1]}, options, {}, {}, {}, {8})[0].ids != many[1].ids);
  }

  void rowsStopOnTheirOwnAndBannedIdsNeverCome() {
    const auto m = model("tiny-student");
    const auto rows = rowsOf(m->config(), "left");
    const auto free = generate(*m, rows, greedy(6), {}, {});
    const std::vector<std::int64_t> banned = {free[0].ids[0], free[1].ids[0]};
    for (const auto& row : generate(*m, rows, greedy(6), banned, {}))
      for (const std::int64_t id : row.ids) QVERIFY(id != banned[0] && id != banned[1]);

    // High temperature meets the end token sooner or later; the row ends with it and the others go on.
    SamplingOptions options;
    options.greedy = false;
    options.temperature = 50;
    options.maxNew = 400;
    options.seed = 3;
    std::map<std::int64_t, std::vector<std::int64_t>> streamed;
    const auto ends = generate(*m, {rows[0], rows[0], rows[0], rows[0], rows[0], rows[0]}, options,
                               visionBans(m->config()), {}, [&](std::int64_t row, std::int64_t id, float logProb) {
                                 streamed[row].push_back(id);
                                 QVERIFY(logProb <= 0);
                               });
    const auto& eos = m->config().eosTokens;
    int stopped = 0;
    for (std::size_t r = 0; r < ends.size(); ++r) {
      QCOMPARE(streamed[static_cast<std::int64_t>(r)], ends[r].ids);
      QCOMPARE(ends[r].ids.size(), ends[r].logProbs.size());
      stopped += ends[r].stopped;
      for (std::size_t t = 0; t < ends[r].ids.size(); ++t) {
        const bool end = std::find(eos.begin(), eos.end(), ends[r].ids[t]) != eos.end();
        QCOMPARE(end, ends[r].stopped && t + 1 == ends[r].ids.size());
      }
      if (!ends[r].stopped) QCOMPARE(ends[r].ids.size(), std::size_t{400});
    }
    QVERIFY(stopped > 0);
  }

  void penaltiesKeepTokensFromComingAgain() {
    const auto m = model("tiny-student");
    const auto rows = rowsOf(m->config(), "left");
    SamplingOptions options = greedy(40);
    options.frequencyPenalty = 100;  // every id once
    auto ids = generate(*m, {rows[0]}, options, {}, {})[0].ids;
    std::sort(ids.begin(), ids.end());
    QVERIFY(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  }

  void cancellingEndsBetweenTwoTokens() {
    const auto m = model("tiny-student");
    std::stop_source source;
    int tokens = 0;
    const auto stopAtThree = [&](std::int64_t, std::int64_t, float) {
      if (++tokens == 3) source.request_stop();
    };
    QVERIFY_THROWS_EXCEPTION(
        Cancelled, generate(*m, {rowsOf(m->config(), "left")[0]}, greedy(50), {}, source.get_token(), stopAtThree));
    QCOMPARE(tokens, 3);
  }

  void aCacheGrowsAndKeepsWhatItHolds() {
    const auto m = model("tiny-student");
    KvCache cache(m->config());
    std::vector<std::int64_t> row;
    prefill(*m, {rowsOf(m->config(), "left")[0]}, cache, row, 0);
    const at::Tensor before = cache.keys(3, 0, cache.length(0)).clone();
    const std::int64_t length = cache.length(0), capacity = cache.capacity(0);
    for (int i = 0; i < 40; ++i) {
      const std::int64_t id = 30 + i;
      decodeStep(*m, cache, row, {&id, 1});
    }
    QCOMPARE(cache.length(0), length + 40);
    QVERIFY(cache.capacity(0) > capacity);
    QVERIFY(at::equal(cache.keys(3, 0, length), before));
    const std::int64_t copy = cache.copyRow(0);
    cache.release(0);
    QCOMPARE(cache.capacity(0), std::int64_t{0});
    QVERIFY(at::equal(cache.keys(3, copy, length), before));
  }

  void visionTokensAreBanned() {
    QCOMPARE(visionBans(model("tiny-student")->config()), (std::vector<std::int64_t>{1265, 1266, 1267, 1268, 1269}));
  }
};

QTEST_GUILESS_MAIN(TestModelGenerate)
#include "tst_model_generate.moc"
