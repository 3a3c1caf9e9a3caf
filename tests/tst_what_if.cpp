// What-if against passes done by hand: the module off, scaled, one layer only; other cues; heads, layers and keys silenced; another token;
// and all of it in prompt and answer alike. The oracle is a model written out in full (support/plain_model.h).
#include "tests/support/golden.h"
#include "tests/support/plain_model.h"
#include "tests/support/tiny_models.h"

#include "engine/core/failure.h"
#include "engine/data/patches.h"
#include "engine/inspect/inspector.h"
#include "engine/inspect/what_if.h"
#include "engine/inspect/what_if_sides.h"
#include "engine/model/generate.h"
#include "engine/tokenizer/tokenizer.h"

#include <QtTest>

using namespace cuescope;

namespace {

constexpr double kNear = 2e-4;

bool close(double got, double want, double tolerance = kNear) {
  if (std::abs(got - want) <= tolerance) return true;
  qWarning("got %g, want %g", got, want);
  return false;
}

}  // namespace

class TestWhatIf : public QObject, private test::TinyModels {
  Q_OBJECT

 private:
  InspectModels models(bool teacher = false) const { return tinyModels(teacher); }
  WhatIfRequest request() const {
    WhatIfRequest ask;
    ask.id = 9;
    ask.base.images = {golden::path("images/photo.jpg")};
    ask.base.question = "What is the side length?";
    ask.base.cue = "A red square, left of the circle.";
    ask.base.responseIds = {48, 1003, 487, 891, 1053};
    ask.base.sampling.maxNew = 6;
    ask.base.sampling.ignoreEos = true;
    ask.token = 2;
    ask.randomRegions = 3;
    return ask;
  }
  /// All log-probabilities that predict `response` by hand. [R, V]
  at::Tensor byHand(test::PlainModel& plain, const Qwen3VL& model, const RowInput& prompt, const std::vector<std::int64_t>& response) const {
    const at::NoGradGuard noGrad;
    const RowInput row = withResponse(prompt, response);
    const VisionFeatures features = model.encodeImages(row.pixelValues, row.grids);
    return plain.run(packRows(model.config(), {row}), &features).narrow(0, std::ssize(prompt.ids) - 1, std::ssize(response));
  }
  /// The greedy answer by hand: the whole row again for each token.
  std::vector<std::int64_t> answerByHand(test::PlainModel& plain, const Qwen3VL& model, const RowInput& prompt, int count) const {
    std::vector<std::int64_t> answer;
    const std::vector<std::int64_t> bans = visionBans(model.config());
    for (int i = 0; i < count; ++i) {
      std::vector<std::int64_t> padded = answer;
      padded.push_back(0);
      at::Tensor row = byHand(plain, model, prompt, padded).select(0, i).clone();
      for (const auto id : bans) row[id] = -1e9;
      answer.push_back(row.argmax().item<std::int64_t>());
    }
    return answer;
  }
  RowInput studentPrompt(const WhatIfRequest& ask) const { return lookAt(*m_studentProcessor, ask.base, {}).prompt.row; }

  /// The answer's numbers are those of `plain`.
  bool isByHand(const WhatIf& answer, const WhatIfRequest& ask, test::PlainModel& plain) const {
    const RowInput prompt = studentPrompt(ask);
    test::PlainModel untouched(*m_student);
    const auto& response = ask.base.responseIds;
    const at::Tensor before = byHand(untouched, *m_student, prompt, response), after = byHand(plain, *m_student, prompt, response);
    const auto id = response[static_cast<std::size_t>(ask.token)];
    bool good = close(answer.before, before[ask.token][id].item<float>()) && close(answer.after, after[ask.token][id].item<float>());
    for (std::size_t t = 0; t < response.size(); ++t) {
      const auto& a = answer.distributionsAfter[t];
      const auto& b = answer.distributionsBefore[t];
      good = good && a.ids == b.ids && close(a.sampled[0], after[std::int64_t(t)][response[t]].item<float>()) && close(b.sampled[0], before[std::int64_t(t)][response[t]].item<float>());
      for (std::size_t k = 0; k < a.ids.size(); ++k) good = good && close(a.logProbs[0][k], after[std::int64_t(t)][a.ids[k]].item<float>()) && close(b.logProbs[0][k], before[std::int64_t(t)][a.ids[k]].item<float>());
    }
    const std::vector<std::int64_t> want = answerByHand(plain, *m_student, prompt, ask.base.sampling.maxNew);
    std::vector<std::int64_t> got;
    for (const Token& token : answer.responseAfter) got.push_back(token.id);
    if (got != want) qWarning("another answer");
    return good && got == want && answer.answerAfter == m_studentProcessor->tokenizer().decode(want, true);
  }

 private Q_SLOTS:
  void initTestCase() { loadTinyModels(); }

  void theModuleIsOffScaledOrAtOneLayer_data() {
    QTest::addColumn<bool>("off");
    QTest::addColumn<double>("scale");
    QTest::addColumn<int>("only");
    QTest::addColumn<QString>("words");
    QTest::newRow("off") << true << 1.0 << -1 << "module off";
    QTest::newRow("doubled") << false << 2.0 << -1 << "module x 2";
    QTest::newRow("reversed") << false << -1.0 << -1 << "module x -1";
    QTest::newRow("one layer") << false << 1.0 << 5 << "module at layer 5 only";
    QTest::newRow("half at one layer") << false << 0.5 << 0 << "module at layer 0 only x 0.5";
  }
  void theModuleIsOffScaledOrAtOneLayer() {
    QFETCH(bool, off);
    QFETCH(double, scale);
    QFETCH(int, only);
    QFETCH(QString, words);
    WhatIfRequest ask = request();
    ask.module = ModuleChange{off, scale, only};
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    test::PlainModel plain(*m_student);
    plain.cueUpdate = [=](int layer, const at::Tensor& update) { return update * (off || (only >= 0 && layer != only) ? 0.0 : scale); };
    QVERIFY(isByHand(*answer, ask, plain));
    QVERIFY(answer->before != answer->after);
    QCOMPARE(answer->description, words.toStdString());
    QCOMPARE(answer->randomRegions, 3);
    QVERIFY(std::isfinite(answer->randomMean) && answer->randomMean != answer->before);
    QVERIFY(QString::fromStdString(answer->randomWhat).startsWith("3 random changes of the module"));
    QCOMPARE(answer->subject, Condition::Student);
    QCOMPARE(answer->tokenId, std::int64_t(487));
  }

  void theModulesOwnSettingIsLeftAlone() {
    WhatIfRequest ask = request();
    const RowInput prompt = studentPrompt(ask);
    const at::NoGradGuard noGrad;
    const Rows rows = packRows(m_student->config(), {withResponse(prompt, ask.base.responseIds)});
    const at::Tensor before = m_student->forward(rows).clone();
    ask.module = ModuleChange{true, 1, -1};
    KnockOut all;
    all.what = KnockOut::What::Layer;
    all.layer = 3;
    ask.knockOuts = {all};
    whatIf(models(), ask, {}, {});
    QVERIFY(at::equal(m_student->forward(rows), before));
    const Intervention nothing;
    ForwardOptions options;
    options.intervention = &nothing;
    QVERIFY(at::equal(m_student->forward(rows, options), before));
  }

  void silencedPartsAddNothing_data() {
    QTest::addColumn<int>("what");
    QTest::addColumn<int>("layer");
    QTest::addColumn<int>("head");
    QTest::addColumn<QString>("words");
    QTest::newRow("head") << int(KnockOut::What::Head) << 3 << 2 << "without head 2 of layer 3";
    QTest::newRow("head of all layers") << int(KnockOut::What::Head) << -1 << 1 << "without head 1 of all layers";
    QTest::newRow("attention") << int(KnockOut::What::Attention) << 4 << -1 << "without attention of layer 4";
    QTest::newRow("mlp") << int(KnockOut::What::Mlp) << 10 << -1 << "without MLP of layer 10";
    QTest::newRow("layer") << int(KnockOut::What::Layer) << 0 << -1 << "without layer 0";
    QTest::newRow("all attention") << int(KnockOut::What::Attention) << -1 << -1 << "without attention of all layers";
  }
  void silencedPartsAddNothing() {
    QFETCH(int, what);
    QFETCH(int, layer);
    QFETCH(int, head);
    QFETCH(QString, words);
    WhatIfRequest ask = request();
    ask.knockOuts = {{static_cast<KnockOut::What>(what), layer, head, {}, {}}};
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    test::PlainModel plain(*m_student);
    for (int l = 0; l < 11; ++l) {
      if (layer >= 0 && l != layer) continue;
      if (what == int(KnockOut::What::Head)) plain.silentHeads.insert({l, head});
      if (what == int(KnockOut::What::Attention) || what == int(KnockOut::What::Layer)) plain.silentAttention.insert(l);
      if (what == int(KnockOut::What::Mlp) || what == int(KnockOut::What::Layer)) plain.silentMlp.insert(l);
    }
    QVERIFY(isByHand(*answer, ask, plain));
    QCOMPARE(answer->description, words.toStdString());
    const bool random = layer >= 0 || what == int(KnockOut::What::Head);
    QCOMPARE(answer->randomRegions, random ? 3 : 0);
    QCOMPARE(std::isfinite(answer->randomMean), random);
  }

  void hiddenKeysAreNotRead_data() {
    QTest::addColumn<int>("layer");
    QTest::addColumn<bool>("someQueries");
    QTest::newRow("everywhere") << -1 << false;
    QTest::newRow("one layer, by the last prompt token and one of the answer") << 2 << true;
  }
  void hiddenKeysAreNotRead() {
    QFETCH(int, layer);
    QFETCH(bool, someQueries);
    WhatIfRequest ask = request();
    const RowInput prompt = studentPrompt(ask);
    KnockOut hide;
    hide.what = KnockOut::What::Keys;
    hide.layer = layer;
    for (int i = 0; i < std::ssize(prompt.ids); ++i)
      if (prompt.ids[static_cast<std::size_t>(i)] == m_student->config().imageToken) hide.keys.push_back(i);
    const int last = static_cast<int>(prompt.ids.size()) - 1;
    if (someQueries) hide.queries = {last, last + 2};
    ask.knockOuts = {hide};
    ask.mapSite = Site::SelfAttention;
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    test::PlainModel plain(*m_student);
    plain.hidden = [&](int l, std::int64_t query, std::int64_t key) {
      const bool asks = hide.queries.empty() || std::find(hide.queries.begin(), hide.queries.end(), query) != hide.queries.end();
      return (layer < 0 || l == layer) && asks && std::find(hide.keys.begin(), hide.keys.end(), key) != hide.keys.end();
    };
    QVERIFY(isByHand(*answer, ask, plain));
    QCOMPARE(answer->mapAfter.queries, (std::vector<int>{last + 2}));
    for (std::size_t l = 0; l < answer->mapAfter.layers.size(); ++l)
      for (int k = 0; k < answer->mapAfter.keys; ++k) {
        const bool silent = layer < 0 || answer->mapAfter.layers[l] == layer;
        QCOMPARE(answer->mapAfter.map(0, l, 0)[k] == 0, silent);
        QVERIFY(answer->mapBefore.map(0, l, 0)[k] > 0);
      }
    QVERIFY(answer->randomRegions == 3 && std::isfinite(answer->randomMean));
  }

  void theTeacherReadsAnotherCue_data() {
    QTest::addColumn<int>("variant");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("cue");
    QTest::newRow("right") << int(CueVariant::Right) << "" << "A red square, left of the circle.";
    QTest::newRow("wrong, made") << int(CueVariant::Wrong) << "" << "A blue triangle, right of the square.";
    QTest::newRow("wrong, given") << int(CueVariant::Wrong) << "A hexagon." << "A hexagon.";
    QTest::newRow("none") << int(CueVariant::None) << "" << "";
    QTest::newRow("edited") << int(CueVariant::Edited) << "A red square." << "A red square.";
  }
  void theTeacherReadsAnotherCue() {
    QFETCH(int, variant);
    QFETCH(QString, text);
    QFETCH(QString, cue);
    WhatIfRequest ask = request();
    ask.cue = CueChange{static_cast<CueVariant>(variant), text.toStdString()};
    const WhatIfPtr answer = whatIf(models(true), ask, {}, {});
    QCOMPARE(answer->subject, Condition::TeacherCue);
    QCOMPARE(answer->cueAfter, cue.toStdString());
    test::PlainModel plain(*m_teacher);
    const auto& response = ask.base.responseIds;
    const at::Tensor before = byHand(plain, *m_teacher, lookAt(*m_teacherProcessor, ask.base, ask.base.cue).prompt.row, response);
    const RowInput changed = lookAt(*m_teacherProcessor, ask.base, cue.toStdString()).prompt.row;
    const at::Tensor after = byHand(plain, *m_teacher, changed, response);
    QVERIFY(close(answer->before, before[2][487].item<float>()));
    QVERIFY(close(answer->after, after[2][487].item<float>()));
    QVERIFY(close(answer->distributionsAfter[4].sampled[int(Condition::TeacherCue)], after[4][1053].item<float>()));
    QVERIFY(answer->distributionsAfter[4].logProbs[int(Condition::Student)].empty());
    QCOMPARE(answer->before == answer->after, variant == int(CueVariant::Right));
    std::vector<std::int64_t> got;
    for (const Token& token : answer->responseAfter) got.push_back(token.id);
    QCOMPARE(got, answerByHand(plain, *m_teacher, changed, 6));
    QVERIFY(answer->randomWhat.find("shuffles of the cue") != std::string::npos && answer->randomMean != answer->before);
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(false), ask, {}, {}));
  }

  void aCueWithNothingToExchangeNeedsWords() {
    WhatIfRequest ask = request();
    ask.base.cue = "Look closely.";
    ask.cue = CueChange{CueVariant::Wrong, {}};
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(true), ask, {}, {}));
    QCOMPARE(wrongCue("Left: 9 RED circles, one above."), std::string("Right: 0 Blue circles, two below."));
  }

  void theAnswerGoesOnFromAnotherToken() {
    WhatIfRequest ask = request();
    ask.forcedId = 700;
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    test::PlainModel plain(*m_student);
    const RowInput prompt = studentPrompt(ask);
    const at::Tensor all = byHand(plain, *m_student, prompt, ask.base.responseIds);
    QVERIFY(close(answer->before, all[2][487].item<float>()));
    QVERIFY(close(answer->after, all[2][700].item<float>()));
    QCOMPARE(answer->forcedId, std::int64_t(700));
    QCOMPARE(answer->randomRegions, 0);
    QCOMPARE(answer->distributionsBefore.size(), std::size_t(5));
    QCOMPARE(answer->distributionsAfter.size(), std::size_t(3));
    const std::vector<std::int64_t> begin = {48, 1003, 700};
    std::vector<std::int64_t> want = begin;
    const auto rest = answerByHand(plain, *m_student, withResponse(prompt, begin), 3);
    want.insert(want.end(), rest.begin(), rest.end());
    std::vector<std::int64_t> got;
    for (const Token& token : answer->responseAfter) got.push_back(token.id);
    QCOMPARE(got, want);
    ask.forcedId = 5000;
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(), ask, {}, {}));
  }

  void changesAddUp() {
    WhatIfRequest ask = request();
    ask.visualTokens = {1, 2};
    ask.module = ModuleChange{false, 0.25, -1};
    ask.knockOuts = {{KnockOut::What::Head, 1, 0, {}, {}}, {KnockOut::What::Mlp, 6, -1, {}, {}}};
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    QCOMPARE(answer->description, std::string("erase 2 patches, module x 0.25, without head 0 of layer 1, without MLP of layer 6"));
    test::PlainModel plain(*m_student);
    plain.cueUpdate = [](int, const at::Tensor& update) { return update * 0.25; };
    plain.silentHeads = {{1, 0}};
    plain.silentMlp = {6};
    RowInput prompt = studentPrompt(ask);
    prompt.pixelValues = changePatches(prompt.pixelValues, prompt.grids, Change::Erase, {1, 2});
    QVERIFY(close(answer->after, byHand(plain, *m_student, prompt, ask.base.responseIds)[2][487].item<float>()));
    const WhatIfPtr again = whatIf(models(), ask, {}, {});
    QCOMPARE(again->randomMean, answer->randomMean);
  }

  void theViewedMapIsSeenBeforeAndAfter_data() {
    QTest::addColumn<int>("site");
    for (int i = 0; i < kSites; ++i) QTest::newRow(siteName(static_cast<Site>(i))) << i;
  }
  void theViewedMapIsSeenBeforeAndAfter() {
    QFETCH(int, site);
    WhatIfRequest ask = request();
    ask.mapSite = static_cast<Site>(site);
    ask.knockOuts = {{KnockOut::What::Head, 0, 1, {}, {}}, {KnockOut::What::Attention, 2, -1, {}, {}}};
    ask.visualTokens = {4};
    ask.regenerate = ask.distributions = false;
    ask.randomRegions = 0;
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    InspectRequest look = ask.base;
    look.sites = {*ask.mapSite};
    look.lensMap = true;
    look.responseTokens = {2};
    const InspectionPtr plain = inspect(models(), look, {}, {});
    QCOMPARE(answer->mapBefore.layers, plain->stack(*ask.mapSite).layers);
    QCOMPARE(answer->mapBefore.values.size(), plain->stack(*ask.mapSite).values.size());
    for (std::size_t i = 0; i < answer->mapBefore.values.size(); ++i) QVERIFY(close(answer->mapBefore.values[i], plain->stack(*ask.mapSite).values[i], 1e-5));
    QCOMPARE(answer->mapAfter.values.size(), answer->mapBefore.values.size());
    QVERIFY(answer->mapAfter.values != answer->mapBefore.values);
    QVERIFY(answer->distributionsBefore.empty() && answer->responseAfter.empty());
  }

  void gradientsUnderAnInterventionAreThoseOfTheSilencedModel() {
    WhatIfRequest ask = request();
    ask.mapSite = Site::GradientAttention;
    ask.knockOuts = {{KnockOut::What::Head, 3, 1, {}, {}}, {KnockOut::What::Mlp, 5, -1, {}, {}}, {KnockOut::What::Attention, 7, -1, {}, {}}};
    ask.regenerate = ask.distributions = false;
    ask.randomRegions = 0;
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    test::PlainModel plain(*m_student);
    plain.keepGradients = true;
    plain.silentHeads = {{3, 1}};
    plain.silentMlp = {5};
    plain.silentAttention = {7};
    const RowInput prompt = studentPrompt(ask), row = withResponse(prompt, {48, 1003, 487});
    VisionFeatures features;
    {
      const at::NoGradGuard noGrad;
      features = m_student->encodeImages(row.pixelValues, row.grids);
    }
    const Rows rows = packRows(m_student->config(), {row});
    const std::int64_t query = std::ssize(prompt.ids) + 1;
    plain.run(rows, &features)[query][487].backward();
    for (std::size_t l = 0; l < answer->mapAfter.layers.size(); ++l) {
      const at::Tensor& share = plain.attention[l];
      const at::Tensor slope = share.grad().defined() ? share.grad() : at::zeros_like(share);
      const at::Tensor product = (share.detach() * slope).select(1, query).index_select(1, rows.visualIndex);
      for (int h = 0; h < answer->mapAfter.heads; ++h)
        for (int k = 0; k < answer->mapAfter.keys; ++k) QVERIFY(close(answer->mapAfter.map(0, l, static_cast<std::size_t>(h))[k], product[h][k].item<float>(), 2e-5));
    }
  }

  void keysBehindTheAskedTokenChangeNoMap_data() {
    QTest::addColumn<int>("site");
    QTest::newRow("gradient x attention") << int(Site::GradientAttention);
    QTest::newRow("self-attention") << int(Site::SelfAttention);
  }
  void keysBehindTheAskedTokenChangeNoMap() {
    QFETCH(int, site);
    WhatIfRequest ask = request();
    ask.mapSite = static_cast<Site>(site);
    ask.randomRegions = 0;
    const int last = static_cast<int>(studentPrompt(ask).ids.size() + ask.base.responseIds.size()) - 1;  // no map reaches this far
    KnockOut hide;
    hide.what = KnockOut::What::Keys;
    hide.keys = {last - 1, last};
    hide.queries = {5, last};
    ask.knockOuts = {hide};
    const WhatIfPtr answer = whatIf(models(), ask, {}, {});
    QVERIFY(close(answer->after, answer->before));
    QVERIFY(!answer->mapBefore.values.empty());
    QCOMPARE(answer->mapAfter.values.size(), answer->mapBefore.values.size());
    for (std::size_t i = 0; i < answer->mapBefore.values.size(); ++i) QVERIFY(close(answer->mapAfter.values[i], answer->mapBefore.values[i], 2e-5));
  }

  void randomChangesOfTheModuleAreAsLong() {
    WhatIfRequest ask = request();
    ask.module = ModuleChange{true, 1, -1};
    const WhatIfSides sides(*m_student, *m_studentProcessor, ask, Condition::Student, 5);
    QVERIFY(sides.hasRandom());
    const WhatIfSide side = sides.random(3);
    const at::Tensor update = at::rand({1, m_student->config().text.hidden});
    const at::Tensor changed = side.intervention.cueUpdate(5, update);
    QVERIFY(std::abs((changed - update).norm().item<float>() / update.norm().item<float>() - 1) < 1e-4f);
    QVERIFY(at::equal(sides.random(3).intervention.cueUpdate(5, update), changed));
    QVERIFY(!at::equal(sides.random(4).intervention.cueUpdate(5, update), changed));
  }

  void impossibleChangesAreRefused() {
    const std::vector<std::function<void(WhatIfRequest&)>> spoils = {
        [](WhatIfRequest&) {},  // nothing changed
        [](WhatIfRequest& ask) { ask.module = ModuleChange{false, 1, 3}; },
        [](WhatIfRequest& ask) { ask.knockOuts = {{KnockOut::What::Head, 0, 4, {}, {}}}; },
        [](WhatIfRequest& ask) { ask.knockOuts = {{KnockOut::What::Layer, 11, -1, {}, {}}}; },
        [](WhatIfRequest& ask) { ask.knockOuts = {{KnockOut::What::Keys, 0, -1, {}, {}}}; },
        [](WhatIfRequest& ask) { ask.knockOuts = {{KnockOut::What::Keys, 0, -1, {99999}, {}}}; },
        [](WhatIfRequest& ask) { ask.subject = Condition::TeacherErased, ask.visualTokens = {0}; },
        [](WhatIfRequest& ask) { ask.cue = CueChange{CueVariant::None, {}}, ask.knockOuts = {{KnockOut::What::Keys, 0, -1, {1}, {}}}; },
        [](WhatIfRequest& ask) { ask.visualTokens = {0}, ask.base.responseIds[3] = 100000; }};
    for (const auto& spoil : spoils) {
      WhatIfRequest ask = request();
      spoil(ask);
      QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(true), ask, {}, {}));
    }
    WhatIfRequest ask = request();  // the teacher has no module
    ask.module = ModuleChange{true, 1, -1};
    ask.subject = Condition::TeacherCue;
    QVERIFY_THROWS_EXCEPTION(Error, whatIf(models(true), ask, {}, {}));
  }

  void aStopEndsIt() {
    std::stop_source stop;
    WhatIfRequest ask = request();
    ask.visualTokens = {0};
    ask.randomRegions = 100;
    const EventSink sink = [&](const Event& event) {
      if (const auto* progress = std::get_if<Progress>(&event); progress && progress->done > 4) stop.request_stop();
    };
    QVERIFY_THROWS_EXCEPTION(Cancelled, whatIf(models(), ask, sink, stop.get_token()));
  }
};

QTEST_GUILESS_MAIN(TestWhatIf)
#include "tst_what_if.moc"
