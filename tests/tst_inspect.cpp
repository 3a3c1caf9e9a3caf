// One look at one image: maps against the recorded attention, distributions against direct passes, what-if against a pass by hand,
// and that looking changes nothing.
#include "tests/support/golden.h"
#include "tests/support/tiny_models.h"

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"
#include "engine/inspect/inspector.h"
#include "engine/data/patches.h"
#include "engine/inspect/token_gap.h"
#include "engine/inspect/what_if.h"
#include "engine/model/generate.h"

#include <QtTest>

using namespace cuescope;

namespace {

/// One row of a recorded batch, without its padding.
RowInput recordedRow(const golden::Set& set, const golden::Set& pixels, const std::string& batch, std::int64_t row) {
  RowInput input;
  const auto mask = set[batch + ".attention_mask"], ids = set[batch + ".input_ids"], grids = pixels[batch + ".image_grid_thw"];
  const auto imageToken = golden::readJson(golden::path("tiny-student/config.json"))["image_token_id"].get<std::int64_t>();
  std::int64_t grid = 0, patch = 0;
  for (std::int64_t b = 0; b <= row; ++b) {
    std::int64_t placeholders = 0;
    std::vector<Grid> own;
    const std::int64_t firstPatch = patch;
    for (std::int64_t t = 0; t < ids.size(1); ++t) {
      if (!mask[b][t].item<std::int64_t>()) continue;
      if (b == row) input.ids.push_back(ids[b][t].item<std::int64_t>());
      placeholders += ids[b][t].item<std::int64_t>() == imageToken;
    }
    while (placeholders > 0) {
      own.push_back({grids[grid][0].item<std::int64_t>(), grids[grid][1].item<std::int64_t>(), grids[grid][2].item<std::int64_t>()});
      placeholders -= own.back().merged(2);
      patch += own.back().t * own.back().h * own.back().w;
      ++grid;
    }
    if (b == row && !own.empty()) {
      input.grids = own;
      input.pixelValues = pixels["left.pixel_values"].narrow(0, firstPatch, patch - firstPatch);
    }
  }
  return input;
}

std::vector<float> floats(const at::Tensor& tensor) {
  const auto flat = tensor.to(at::kFloat).contiguous().flatten();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

bool near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= tolerance)) return false;
  }
  return true;
}

class Watch : public Probe {  // sees everything, keeps nothing
 public:
  bool wants(ProbeSite, std::int64_t) const override { return true; }
  void take(ProbeSite, std::int64_t, std::int64_t, const at::Tensor&) override { ++seen; }
  int seen = 0;
};

}  // namespace

class TestInspect : public QObject, private test::TinyModels {
  Q_OBJECT

 private:
  InspectModels models(bool teacher = true) const { return tinyModels(teacher); }
  InspectRequest request() const {
    InspectRequest ask;
    ask.id = 41;
    ask.images = {golden::path("images/photo.jpg")};
    ask.question = "What is the side length?";
    ask.cue = "A red square, left of the circle.";
    ask.responseIds = {48, 1003, 487, 891, 1053};
    return ask;
  }
  /// log-softmax of a direct pass at the positions that predict the response. [R, V]
  at::Tensor direct(const Qwen3VL& model, RowInput row, const std::vector<std::int64_t>& response) const {
    const at::NoGradGuard noGrad;
    row.ids.insert(row.ids.end(), response.begin(), response.end());
    const auto count = static_cast<std::int64_t>(response.size()), length = static_cast<std::int64_t>(row.ids.size());
    return at::log_softmax(model.logits(model.forward(packRows(model.config(), {row}))).to(at::kFloat), -1).narrow(0, length - count - 1, count);
  }

 private Q_SLOTS:
  void initTestCase() { loadTinyModels(); }

  void mapsAreTheRecordedAttention_data() {
    QTest::addColumn<int>("row");
    QTest::newRow("one image") << 1;
    QTest::newRow("two images") << 2;
  }
  void mapsAreTheRecordedAttention() {
    QFETCH(int, row);
    const golden::Set set("forward-student-vicur"), base("forward-student");
    const RowInput input = recordedRow(set, base, "left", row);
    const auto length = static_cast<std::int64_t>(input.ids.size());
    const Rows rows = packRows(m_student->config(), {input});
    const std::int64_t prompt = length - 4;  // the last four tokens stand for the response
    RowInput asked = input;
    asked.ids.resize(static_cast<std::size_t>(prompt));
    const CapturePlan plan = planCapture(m_student->config(), {}, asked, 4, true, false);
    MapProbe probe(rows, plan);
    ForwardOptions options;
    options.probe = &probe;
    const at::NoGradGuard noGrad;
    m_student->forward(rows, options);
    const AttentionStack cue = probe.cueRecovery(), self = probe.selfAttention();
    const auto visual = static_cast<std::int64_t>(rows.visualIndex.numel()), padding = set["left.input_ids"].size(1) - length;

    QCOMPARE(cue.keys, static_cast<int>(visual));
    QCOMPARE(cue.heads, 4);
    QVERIFY(cue.layers.size() >= 2);
    for (std::size_t l = 0; l < cue.layers.size(); ++l) {
      const auto want = set["left.sink_attention." + std::to_string(cue.layers[l])][row].narrow(1, 0, visual);
      for (int h = 0; h < 4; ++h) QVERIFY(near({cue.map(0, l, h), cue.map(0, l, h) + visual}, floats(want[h]), 2e-5f));
    }

    QCOMPARE(self.layers.size(), std::size_t(11));
    QCOMPARE(self.queries.size(), std::size_t(4));
    QCOMPARE(self.queries.front(), static_cast<int>(prompt - 1));
    const auto attention = set["left.attention"][row].slice(1, padding).slice(2, padding);  // [H, n, n]
    const auto keys = rows.visualIndex.to(at::kLong);
    for (std::size_t q = 0; q < 4; ++q) {
      for (int h = 0; h < 4; ++h) {
        const auto weights = attention[h][self.queries[q]];
        QVERIFY(near({self.map(q, 2, h), self.map(q, 2, h) + visual}, floats(weights.index_select(0, keys)), 3e-5f));
        const std::size_t place = (q * 11 + 2) * 4 + static_cast<std::size_t>(h);
        const float image = weights.index_select(0, keys).sum().item<float>(), sink = weights[0].item<float>();
        QVERIFY(std::abs(self.sinkShare[place] - sink) < 3e-5f);
        QVERIFY(std::abs(self.textShare[place] - (1 - image - sink)) < 3e-4f);
      }
    }
  }

  void logProbabilitiesAreThoseOfADirectPass() {
    const InspectRequest ask = request();
    const InspectionPtr look = inspect(models(), ask, {}, {});
    QCOMPARE(look->id, std::int64_t(41));
    QCOMPARE(look->finish, std::string("given"));
    QVERIFY(look->hasTeacher);
    QCOMPARE(look->distributions.size(), ask.responseIds.size());
    const auto student = direct(*m_student, lookAt(*m_studentProcessor, ask, {}).prompt.row, ask.responseIds);
    const LookedAt withCue = lookAt(*m_teacherProcessor, ask, ask.cue);
    RowInput erasedRow = withCue.prompt.row;
    erasedRow.pixelValues = erasedRow.pixelValues.view({-1, 3, 512}).mean(at::IntArrayRef{0, 2}, true).expand({erasedRow.pixelValues.size(0), 3, 512}).reshape({-1, 1536});
    const auto cue = direct(*m_teacher, withCue.prompt.row, ask.responseIds);
    const auto plain = direct(*m_teacher, lookAt(*m_teacherProcessor, ask, {}).prompt.row, ask.responseIds);
    const auto erased = direct(*m_teacher, erasedRow, ask.responseIds);
    const at::Tensor all[kConditions] = {student, cue, plain, erased};
    for (std::size_t t = 0; t < ask.responseIds.size(); ++t) {
      const auto row = static_cast<std::int64_t>(t);
      const TokenDistributions& one = look->distributions[t];
      QVERIFY(one.ids.size() >= 6 && one.ids.size() <= 24);
      for (int c = 0; c < kConditions; ++c) {
        QVERIFY(std::abs(one.sampled[c] - all[c][row][ask.responseIds[t]].item<float>()) < 1e-5f);
        QVERIFY(std::abs(one.entropy[c] + (all[c][row].exp() * all[c][row]).sum().item<float>()) < 1e-4f);
        double inside = 0;
        for (std::size_t k = 0; k < one.ids.size(); ++k) {
          QVERIFY(std::abs(one.logProbs[c][k] - all[c][row][one.ids[k]].item<float>()) < 1e-5f);
          inside += std::exp(one.logProbs[c][k]);
        }
        QVERIFY(std::abs(one.tail[c] - (1 - inside)) < 1e-5);
        const auto top = std::get<1>(all[c][row].topk(6));
        for (int k = 0; k < 6; ++k) QVERIFY(std::find(one.ids.begin(), one.ids.end(), top[k].item<std::int64_t>()) != one.ids.end());
      }
      const auto s = student[row], p = cue[row], middle = ((s.exp() + p.exp()) / 2).log();
      QVERIFY(std::abs(one.klTeacherStudent - (p.exp() * (p - s)).sum().item<float>()) < 1e-4f);
      QVERIFY(std::abs(one.klStudentTeacher - (s.exp() * (s - p)).sum().item<float>()) < 1e-4f);
      QVERIFY(std::abs(one.jsd - 0.5f * ((p.exp() * (p - middle)).sum() + (s.exp() * (s - middle)).sum()).item<float>()) < 1e-4f);
      QVERIFY(std::abs(one.gap() - one.gapFromCue() - one.gapFromWeights()) < 1e-5f);
    }
    QVERIFY(look->teacherPrompt.cueBegin > 0);
    QVERIFY(look->teacherPrompt.tokens.size() > look->studentPrompt.tokens.size());
    QCOMPARE(look->studentImageDigest.size(), std::size_t(32));
  }

  void picturesAndGridsBelongTogether() {
    InspectRequest ask = request();
    ask.images = {golden::path("images/photo.jpg"), golden::path("images/extreme.png")};
    const InspectionPtr look = inspect(models(false), ask, {}, {});
    QCOMPARE(look->images.size(), std::size_t(2));
    QCOMPARE(look->images[0].gridRows, 3);
    QCOMPARE(look->images[0].gridCols, 2);
    QCOMPARE(look->images[0].width, 64);
    QCOMPARE(look->images[1].firstVisual, 6);
    QCOMPARE(look->images[1].gridRows * look->images[1].gridCols, 9);
    QCOMPARE(look->cueRecovery.keys, 15);
    QCOMPARE(look->images[1].rgb.size(), std::size_t(look->images[1].width * look->images[1].height * 3));
    QVERIFY(std::isnan(look->distributions[0].sampled[int(Condition::TeacherCue)]));
    QVERIFY(look->distributions[0].logProbs[int(Condition::TeacherCue)].empty());
  }

  void aVideoIsOneViewForEachPairOfFrames() {
    InspectRequest ask = request();
    ask.images = {golden::path("video/clip.avi")};
    const InspectionPtr look = inspect(models(false), ask, {}, {});
    QVERIFY(look->images.size() > 1);
    int visual = 0;
    for (const ImageView& view : look->images) {
      QCOMPARE(view.firstVisual, visual);
      visual += view.gridRows * view.gridCols;
    }
    QCOMPARE(look->selfAttention.keys, visual);
  }

  void withoutACueThePlainTeacherIsTheTeacher() {
    InspectRequest ask = request();
    ask.cue.clear();
    const InspectionPtr look = inspect(models(), ask, {}, {});
    for (const auto& one : look->distributions) {
      QCOMPARE(one.gapFromCue(), 0.0f);
      QCOMPARE(one.gap(), one.gapFromWeights());
    }
  }

  void textAloneHasNoMapsAndNoErasedImage() {
    InspectRequest ask = request();
    ask.images.clear();
    const InspectionPtr look = inspect(models(), ask, {}, {});
    QVERIFY(look->cueRecovery.empty());
    QVERIFY(look->selfAttention.empty());
    QVERIFY(look->images.empty());
    QVERIFY(std::isnan(look->distributions[0].sampled[int(Condition::TeacherErased)]));
    QVERIFY(!std::isnan(look->distributions[0].gap()));
  }

  void theAnswerArrivesTokenByToken() {
    InspectRequest ask = request();
    ask.responseIds.clear();
    ask.sampling.maxNew = 6;
    ask.sampling.ignoreEos = true;
    std::vector<std::int64_t> arrived;
    std::vector<float> logProbs;
    double lastDone = -1;
    const InspectionPtr look = inspect(models(), ask, [&](const Event& event) {
      if (const auto* token = std::get_if<TokenArrived>(&event)) {
        QCOMPARE(token->request, std::int64_t(41));
        arrived.push_back(token->token.id);
        logProbs.push_back(token->logProb);
      }
      if (const auto* progress = std::get_if<Progress>(&event)) {
        QVERIFY(progress->done > lastDone && progress->done < progress->total);
        lastDone = progress->done;
      }
    }, {});
    QCOMPARE(arrived.size(), std::size_t(6));
    QCOMPARE(look->finish, std::string("length"));
    for (std::size_t t = 0; t < 6; ++t) {
      QCOMPARE(look->response[t].id, arrived[t]);
      QVERIFY(std::abs(look->distributions[t].sampled[0] - logProbs[t]) < 1e-4f);  // decoding says what the full pass says
    }
  }

  void lookingChangesNothing() {
    const InspectRequest ask = request();
    const RowInput row = withResponse(lookAt(*m_studentProcessor, ask, {}).prompt.row, ask.responseIds);
    const Rows rows = packRows(m_student->config(), {row});
    const at::NoGradGuard noGrad;
    const at::Tensor before = m_student->forward(rows).clone();
    Watch watch;
    ForwardOptions options;
    options.probe = &watch;
    const at::Tensor watched = m_student->forward(rows, options).clone();
    QVERIFY(watch.seen > 20);
    QVERIFY(at::equal(before, watched));
    at::manual_seed(3);
    const at::Tensor random = at::rand({8});
    at::manual_seed(3);
    InspectRequest sampled = ask;
    sampled.responseIds.clear();
    sampled.sampling.greedy = false;
    sampled.sampling.maxNew = 3;
    inspect(models(), sampled, {}, {});
    QVERIFY(at::equal(at::rand({8}), random));  // a run's random numbers are its own
    QVERIFY(at::equal(m_student->forward(rows), before));
    for (const auto& parameter : m_student->parameters()) QVERIFY(!parameter.grad().defined());
  }

  void headsAreAveragedAboveTheBudget() {
    InspectRequest ask = request();
    const InspectionPtr full = inspect(models(false), ask, {}, {});
    const AttentionStack& all = full->selfAttention;
    QVERIFY(!all.headsAveraged);
    ask.attentionBudgetBytes = static_cast<std::int64_t>(all.values.size() * 4 / 2);
    const InspectionPtr small = inspect(models(false), ask, {}, {});
    QVERIFY(small->selfAttention.headsAveraged);
    QCOMPARE(small->selfAttention.heads, 1);
    QCOMPARE(small->selfAttention.layers, all.layers);
    for (std::size_t q = 0; q < all.queries.size(); ++q) {
      for (std::size_t l = 0; l < all.layers.size(); ++l) {
        for (int k = 0; k < all.keys; ++k) {
          float mean = 0;
          for (int h = 0; h < all.heads; ++h) mean += all.map(q, l, h)[k] / static_cast<float>(all.heads);
          QVERIFY(std::abs(small->selfAttention.map(q, l, 0)[k] - mean) < 1e-6f);
        }
      }
    }
    ask.attentionBudgetBytes = 5 * 6 * 4 * 3;  // three layers of averaged heads
    QCOMPARE(inspect(models(false), ask, {}, {})->selfAttention.layers, (std::vector<int>{0, 5, 10}));
    ask.attentionBudgetBytes = 8;
    QVERIFY(inspect(models(false), ask, {}, {})->selfAttention.empty());
  }

  void aStopEndsItAtTheNextTokenOrPass() {
    std::stop_source stop;
    InspectRequest ask = request();
    ask.responseIds.clear();
    ask.sampling.maxNew = 500;
    ask.sampling.ignoreEos = true;
    int tokens = 0;
    const EventSink sink = [&](const Event& event) {
      if (std::holds_alternative<TokenArrived>(event) && ++tokens == 2) stop.request_stop();
    };
    QVERIFY_THROWS_EXCEPTION(Cancelled, inspect(models(), ask, sink, stop.get_token()));
    QVERIFY(tokens <= 3);
    std::stop_source second;
    const EventSink late = [&](const Event& event) {
      if (const auto* progress = std::get_if<Progress>(&event); progress && progress->what.find("without the cue") != std::string::npos) second.request_stop();
    };
    QVERIFY_THROWS_EXCEPTION(Cancelled, inspect(models(), request(), late, second.get_token()));
  }

  void patchesAndPictureAreTheSameThing() {
    const LookedAt seen = lookAt(*m_studentProcessor, request(), {});
    const Grid grid = seen.prompt.row.grids.at(0);
    const at::Tensor pixels = seen.prompt.row.pixelValues, image = patchesToImage(pixels, grid);
    QVERIFY(at::equal(imageToPatches(image, grid), pixels));
    const ImageView& view = seen.views.at(0);
    const at::Tensor rgb = at::tensor(at::ArrayRef<std::uint8_t>(view.rgb), at::kByte).view({view.height, view.width, 3}).permute({2, 0, 1}).to(at::kFloat);
    QVERIFY((image[0] - (rgb / 127.5 - 1)).abs().max().item<float>() < 1e-5f);
  }

  void changesTouchWhatTheySay() {
    const LookedAt seen = lookAt(*m_studentProcessor, request(), {});
    const at::Tensor pixels = seen.prompt.row.pixelValues;
    const auto& grids = seen.prompt.row.grids;
    const at::Tensor erased = changePatches(pixels, grids, Change::Erase, {1, 4});
    const at::Tensor mean = pixels.view({-1, 3, 512}).mean(at::IntArrayRef{0, 2}).view({1, 3, 1}).expand({4, 3, 512}).reshape({4, -1});
    QVERIFY(at::allclose(erased.narrow(0, 4, 4), mean, 0, 1e-6) && at::allclose(erased.narrow(0, 16, 4), mean, 0, 1e-6));
    QVERIFY(at::equal(erased.narrow(0, 8, 8), pixels.narrow(0, 8, 8)));
    const at::Tensor kept = changePatches(pixels, grids, Change::KeepOnly, {1, 4});
    QVERIFY(at::equal(kept.narrow(0, 4, 4), pixels.narrow(0, 4, 4)) && at::allclose(kept.narrow(0, 8, 4), mean, 0, 1e-6));
    const at::Tensor average = changePatches(pixels, grids, Change::Average, {2});
    const auto red = pixels.narrow(0, 8, 4).narrow(1, 0, 512);
    QVERIFY((average.narrow(0, 8, 4).narrow(1, 0, 512) - red.mean()).abs().max().item<float>() < 1e-6f);
    QVERIFY(at::equal(average.narrow(0, 0, 8), pixels.narrow(0, 0, 8)));
    const at::Tensor soft = changePatches(pixels, grids, Change::Blur, {0});
    QVERIFY(soft.narrow(0, 0, 4).std().item<float>() < pixels.narrow(0, 0, 4).std().item<float>());
    QVERIFY(at::equal(soft.narrow(0, 4, 20), pixels.narrow(0, 4, 20)));
    QVERIFY_THROWS_EXCEPTION(Error, changePatches(pixels, grids, Change::Erase, {6}));
    QCOMPARE(describeChange(Change::Erase, 9), std::string("erase 9 patches"));
  }

  void whatIfIsThePassByHand() {
    WhatIfRequest ask;
    ask.id = 5;
    ask.base = request();
    ask.visualTokens = {0, 3, 3};
    ask.token = 2;
    ask.randomRegions = 4;
    ask.base.sampling.maxNew = 5;
    const WhatIfPtr answer = whatIf(models(false), ask, {}, {});
    RowInput row = lookAt(*m_studentProcessor, ask.base, {}).prompt.row;
    const auto before = direct(*m_student, row, ask.base.responseIds);
    const at::Tensor mean = row.pixelValues.view({-1, 3, 512}).mean(at::IntArrayRef{0, 2}).repeat_interleave(512);
    row.pixelValues = row.pixelValues.clone();
    row.pixelValues.narrow(0, 0, 4).copy_(mean);
    row.pixelValues.narrow(0, 12, 4).copy_(mean);
    const auto after = direct(*m_student, row, ask.base.responseIds);
    QVERIFY(std::abs(answer->before - before[2][487].item<float>()) < 1e-5f);
    QVERIFY(std::abs(answer->after - after[2][487].item<float>()) < 1e-5f);
    QVERIFY(answer->before != answer->after);
    QCOMPARE(answer->description, std::string("erase 2 patches"));
    QCOMPARE(answer->randomRegions, 4);
    QVERIFY(std::isfinite(answer->randomMean) && answer->randomDeviation > 0);
    SamplingOptions sampling = ask.base.sampling;
    const auto generated = generate(*m_student, {row}, sampling, visionBans(m_student->config()), {}).at(0);
    QCOMPARE(answer->answerAfter, m_studentProcessor->tokenizer().decode(generated.ids, true));
    const WhatIfPtr again = whatIf(models(false), ask, {}, {});
    QCOMPARE(again->randomMean, answer->randomMean);
    ask.base.sampling.seed = 9;
    QVERIFY(whatIf(models(false), ask, {}, {})->randomMean != answer->randomMean);
    ask.change = Change::KeepOnly;
    ask.visualTokens = {0, 1, 2, 3, 4, 5};
    const WhatIfPtr everything = whatIf(models(false), ask, {}, {});
    QCOMPARE(everything->after, everything->before);
    QCOMPARE(everything->randomMean, everything->before);
  }

  void impossibleQuestionsAreRefused() {
    WhatIfRequest ask;
    ask.base = request();
    ask.visualTokens = {0};
    ask.token = 5;
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(false), ask, {}, {}));
    ask.token = 0;
    ask.visualTokens = {};
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(false), ask, {}, {}));
    ask.visualTokens = {99};
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(false), ask, {}, {}));
    ask.visualTokens = {0};
    ask.base.images.clear();
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(false), ask, {}, {}));
    InspectRequest unknown = request();
    unknown.responseIds = {5000};
    QVERIFY_THROWS_EXCEPTION(Error, inspect(models(), unknown, {}, {}));
    InspectRequest marks = request();
    marks.question = "<image><image>two marks, one picture";
    QVERIFY_THROWS_EXCEPTION(Error, inspect(models(), marks, {}, {}));
  }
};

QTEST_GUILESS_MAIN(TestInspect)
#include "tst_inspect.moc"
