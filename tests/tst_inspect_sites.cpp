// Every site of an inspection against a full computation written out in the test: attention of any token, vision tower, rollout, gradient x
// attention, logit lens, occlusion, evidence scores.
#include "tests/support/all_sites.h"
#include "tests/support/plain_model.h"

#include "engine/core/evidence.h"
#include "engine/core/failure.h"
#include "engine/data/patches.h"
#include "engine/inspect/site_capture.h"
#include "engine/inspect/token_gap.h"

#include <QtTest>

using namespace cuescope;

namespace {

bool near(const float* a, const at::Tensor& b, double tolerance) {
  const auto flat = b.to(at::kFloat).contiguous().flatten();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    const float want = flat.const_data_ptr<float>()[i];
    if (!(std::abs(a[i] - want) <= tolerance * (1 + std::abs(want)))) {
      qWarning("place %d: got %g, want %g", int(i), double(a[i]), double(want));
      return false;
    }
  }
  return true;
}

}  // namespace

class TestInspectSites : public QObject, private test::AllSites {
  Q_OBJECT

 private:
  struct Whole {
    RowInput row;
    Rows rows;
    VisionFeatures features;
    std::int64_t prompt = 0;
  };
  Whole wholeOf(const InspectRequest& ask) const {
    const at::NoGradGuard noGrad;
    Whole all;
    const RowInput prompt = lookAt(*m_processor, ask, {}).prompt.row;
    all.prompt = std::ssize(prompt.ids);
    all.row = withResponse(prompt, ask.responseIds);
    all.rows = packRows(m_student->config(), {all.row});
    if (all.row.pixelValues.defined()) all.features = m_student->encodeImages(all.row.pixelValues, all.row.grids);
    return all;
  }

 private Q_SLOTS:
  void initTestCase() { load(); }

  void thePlainModelIsTheModel() {
    const at::NoGradGuard noGrad;
    const Whole whole = wholeOf(everything());
    test::PlainModel plain(*m_student);
    const at::Tensor want = plain.run(whole.rows, &whole.features), got = at::log_softmax(m_student->logits(m_student->forward(whole.rows)), -1);
    QVERIFY((got - want).abs().max().item<float>() < 2e-4f);
  }

  void anyTokensAttentionIsARowOfTheFullMatrix_data() {
    QTest::addColumn<bool>("averaged");
    QTest::newRow("all heads") << false;
    QTest::newRow("heads averaged") << true;
  }
  void anyTokensAttentionIsARowOfTheFullMatrix() {
    QFETCH(bool, averaged);
    const at::NoGradGuard noGrad;
    InspectRequest ask = everything();
    ask.sites = {Site::SelfAttention};
    ask.layers = {1, 4, 10};
    ask.responseTokens = {3, 1};
    ask.promptTokens = {0, 2, 11, 12};
    if (averaged) ask.attentionBudgetBytes = 2 * 3 * 6 * 4 * 2;
    const InspectionPtr look = inspect(models(), ask, {}, {});
    const Whole whole = wholeOf(ask);
    test::PlainModel plain(*m_student);
    plain.run(whole.rows, &whole.features);
    const int first = static_cast<int>(whole.prompt);
    QCOMPARE(look->selfAttention.queries, (std::vector<int>{first, first + 2}));
    QCOMPARE(look->predicting(3), first + 2);
    QCOMPARE(look->promptAttention.queries, ask.promptTokens);
    QCOMPARE(look->promptAttention.queryAt(11), 2);
    QCOMPARE(look->promptAttention.queryAt(5), -1);
    QVERIFY(look->cueRecovery.empty());
    for (const AttentionStack* stack : {&look->selfAttention, &look->promptAttention}) {
      const bool self = stack == &look->selfAttention;
      if (self || !averaged) QCOMPARE(stack->layers, (std::vector<int>{1, 4, 10}));
      QCOMPARE(stack->headsAveraged, averaged);
      for (std::size_t q = 0; q < stack->queries.size(); ++q) {
        for (std::size_t l = 0; l < stack->layers.size(); ++l) {
          at::Tensor full = plain.attention[static_cast<std::size_t>(stack->layers[l])].select(1, stack->queries[q]);  // [H, T]
          if (averaged) full = full.mean(0, true);
          for (int h = 0; h < stack->heads; ++h) {
            QVERIFY(near(stack->map(q, l, static_cast<std::size_t>(h)), full[h].index_select(0, whole.rows.visualIndex), 2e-5));
            const std::size_t place = (q * stack->layers.size() + l) * static_cast<std::size_t>(stack->heads) + static_cast<std::size_t>(h);
            const float image = full[h].index_select(0, whole.rows.visualIndex).sum().item<float>(), sink = full[h][0].item<float>();
            QVERIFY(std::abs(stack->sinkShare[place] - sink) < 2e-5f);
            QVERIFY(std::abs(stack->textShare[place] - (1 - image - sink)) < 1e-4f);
          }
        }
      }
    }
  }

  void visionAttentionIsThatOfTheTowersStates() {
    const at::NoGradGuard noGrad;
    InspectRequest ask = everything();
    ask.images = {golden::path("images/photo.jpg"), golden::path("images/extreme.png")};
    ask.sites = {Site::Vision};
    ask.visionQueries = {1, 8};
    const InspectionPtr look = inspect(models(), ask, {}, {});
    const AttentionStack& vision = look->vision;
    const auto& c = m_student->config().vision;
    QCOMPARE(vision.queries, (std::vector<int>{-1, 1, 8}));
    QCOMPARE(vision.layers.size(), static_cast<std::size_t>(c.depth));
    QCOMPARE(vision.heads, static_cast<int>(c.heads));
    struct States : Probe {  // the input of each block
      bool wants(ProbeSite site, std::int64_t) const override { return site == ProbeSite::VisionPatches || site == ProbeSite::VisionBlock; }
      void take(ProbeSite, std::int64_t, std::int64_t, const at::Tensor& value) override { states.push_back(value.clone()); }
      std::vector<at::Tensor> states;
    } probe;
    const Whole whole = wholeOf(ask);
    m_student->encodeImages(whole.row.pixelValues, whole.row.grids, &probe);
    std::map<std::string, at::Tensor> weights;
    for (const auto& item : m_student->named_parameters()) weights[item.key()] = item.value();
    const std::int64_t e = c.hidden / c.heads, quarter = e / 4;
    std::int64_t patch = 0, token = 0;
    for (const Grid& grid : whole.row.grids) {
      const std::int64_t count = grid.h * grid.w;
      at::Tensor angles = at::empty({count, 2 * quarter});
      std::int64_t p = 0;
      for (std::int64_t by = 0; by < grid.h; by += 2)
        for (std::int64_t bx = 0; bx < grid.w; bx += 2)
          for (int in = 0; in < 4; ++in, ++p)
            for (std::int64_t i = 0; i < quarter; ++i) {
              const double f = std::pow(10000.0, -2.0 * static_cast<double>(i) / (2.0 * static_cast<double>(quarter)));
              angles[p][i] = static_cast<double>(by + in / 2) * f;
              angles[p][quarter + i] = static_cast<double>(bx + in % 2) * f;
            }
      const at::Tensor cos = at::cat({angles.cos(), angles.cos()}, -1).unsqueeze(1), sin = at::cat({angles.sin(), angles.sin()}, -1).unsqueeze(1);
      const auto rotate = [&](const at::Tensor& t) { return t * cos + at::cat({-t.narrow(-1, e / 2, e / 2), t.narrow(-1, 0, e / 2)}, -1) * sin; };
      for (std::size_t l = 0; l < vision.layers.size(); ++l) {
        const std::string at = "model.visual.blocks." + std::to_string(l) + ".";
        const at::Tensor x = at::layer_norm(probe.states[l].narrow(0, patch, count), {c.hidden}, weights.at(at + "norm1.weight"), weights.at(at + "norm1.bias"), 1e-6);
        const at::Tensor qkv = (at::matmul(x, weights.at(at + "attn.qkv.weight").t()) + weights.at(at + "attn.qkv.bias")).view({count, 3, c.heads, e});
        const at::Tensor full = at::softmax(at::einsum("qhd,khd->hqk", {rotate(qkv.select(1, 0)), rotate(qkv.select(1, 1))}) / std::sqrt(static_cast<double>(e)), -1);
        const at::Tensor merged = full.view({c.heads, count / 4, 4, count / 4, 4}).sum(4).mean(2);  // [H, token, token]
        for (int h = 0; h < vision.heads; ++h) {
          QVERIFY(near(vision.map(0, l, static_cast<std::size_t>(h)) + token, merged[h].mean(0), 2e-5));
          for (std::size_t q : {std::size_t(1), std::size_t(2)}) {
            const std::int64_t own = vision.queries[q] - token;
            const at::Tensor want = own >= 0 && own < count / 4 ? merged[h][own] : at::zeros({count / 4});
            QVERIFY(near(vision.map(q, l, static_cast<std::size_t>(h)) + token, want, 2e-5));
          }
        }
      }
      patch += count;
      token += count / 4;
    }
  }

  void rolloutIsTheProductOfAllLayers() {
    const at::NoGradGuard noGrad;
    InspectRequest ask = everything();
    ask.sites = {Site::Rollout};
    ask.layers = {0, 3, 10};
    ask.promptTokens = {0, 9};
    const InspectionPtr look = inspect(models(), ask, {}, {});
    const Whole whole = wholeOf(ask);
    test::PlainModel plain(*m_student);
    plain.run(whole.rows, &whole.features);
    const std::int64_t tokens = whole.rows.tokens();
    at::Tensor product = at::eye(tokens);
    const auto visual = whole.rows.visualIndex;
    QCOMPARE(look->rollout.queries.size(), std::size_t(7));
    QVERIFY(look->rollout.headsAveraged && look->rollout.heads == 1);
    for (int l = 0; l <= 10; ++l) {
      product = at::matmul(0.5 * plain.attention[static_cast<std::size_t>(l)].mean(0) + 0.5 * at::eye(tokens), product);
      if (plain.cueAttention.count(l)) {  // only the sink moves
        at::Tensor step = at::eye(tokens);
        step[0][0] = 0.5;
        step[0].index_put_({visual}, 0.5 * plain.cueAttention[l].mean(0));
        product = at::matmul(step, product);
      }
      QVERIFY(std::abs(product.sum(1).max().item<float>() - 1) < 1e-4f);
      const auto place = std::find(ask.layers.begin(), ask.layers.end(), l);
      if (place == ask.layers.end()) continue;
      for (std::size_t q = 0; q < look->rollout.queries.size(); ++q) {
        QVERIFY(near(look->rollout.map(q, static_cast<std::size_t>(place - ask.layers.begin()), 0), product[look->rollout.queries[q]].index_select(0, visual), 1e-5));
      }
    }
    QVERIFY(look->rollout.map(0, 2, 0)[0] > 0);  // the sink reads the image through the module alone
  }

  void gradientTimesAttentionIsThatOfTheWholeGraph() {
    InspectRequest ask = everything();
    ask.sites = {Site::GradientAttention};
    const InspectionPtr look = inspect(models(), ask, {}, {});
    const AttentionStack& stack = look->gradientAttention;
    const Whole whole = wholeOf(ask);
    QCOMPARE(stack.queries.size(), std::size_t(5));
    for (std::size_t t = 0; t < 5; ++t) {
      const at::AutoGradMode grad(true);
      test::PlainModel plain(*m_student);
      plain.keepGradients = true;
      const at::Tensor logProbs = plain.run(whole.rows, &whole.features);
      logProbs[stack.queries[t]][ask.responseIds[t]].backward();
      for (std::size_t l = 0; l < stack.layers.size(); ++l) {
        const at::Tensor& share = plain.attention[l];
        const at::Tensor product = (share.detach() * share.grad()).select(1, stack.queries[t]).index_select(1, whole.rows.visualIndex);
        for (int h = 0; h < stack.heads; ++h) QVERIFY(near(stack.map(t, l, static_cast<std::size_t>(h)), product[h], 2e-5));
      }
    }
    float largest = 0;
    for (const float value : stack.values) largest = std::max(largest, std::abs(value));
    QVERIFY(largest > 1e-4f);
    for (const auto& parameter : m_student->parameters()) QVERIFY(!parameter.grad().defined());
  }

  void theLensReadsEveryLayer() {
    const at::NoGradGuard noGrad;
    InspectRequest ask = everything();
    ask.sites = {Site::LogitLens};
    ask.layers = {0, 4, 10};
    ask.promptTokens = {1, 6};
    const InspectionPtr look = inspect(models(), ask, {}, {});
    const LogitLens& lens = look->logitLens;
    const Whole whole = wholeOf(ask);
    test::PlainModel plain(*m_student);
    plain.run(whole.rows, &whole.features);
    QCOMPARE(lens.positions.size(), std::size_t(7));
    QCOMPARE(lens.texts.size(), lens.ids.size());
    for (std::size_t l = 0; l < 3; ++l) {
      const at::Tensor all = plain.lens(plain.handedOn[static_cast<std::size_t>(ask.layers[l])]);
      for (std::size_t p = 0; p < lens.positions.size(); ++p) {
        const at::Tensor row = all[lens.positions[p]];
        const std::size_t place = lens.at(l, p);
        QVERIFY(near(lens.logProbs.data() + place * 5, std::get<0>(row.topk(5)), 1e-4));
        QCOMPARE(lens.ids[place * 5], row.argmax().item<std::int64_t>());
        QVERIFY(std::abs(lens.entropy[place] + (row.exp() * row).sum().item<float>()) < 1e-3f);
        const std::int64_t next = whole.row.ids[static_cast<std::size_t>(lens.positions[p]) + 1];
        if (lens.chosenIds[p] < 0) {
          QVERIFY(std::isnan(lens.chosen[place]) && next == m_student->config().imageToken);
        } else {
          QCOMPARE(lens.chosenIds[p], next);
          QVERIFY(std::abs(lens.chosen[place] - row[next].item<float>()) < 1e-3f);
        }
      }
      for (std::size_t q = 0; q < 5; ++q) {
        QVERIFY(near(look->lensMap.map(q, l, 0), all.index_select(0, whole.rows.visualIndex).select(1, ask.responseIds[q]).exp(), 1e-4));
      }
    }
    for (std::size_t t = 0; t < 5; ++t) {  // the last layer says what the model says
      QVERIFY(std::abs(lens.chosen[lens.at(2, 2 + t)] - look->distributions[t].sampled[0]) < 1e-4f);
    }
  }

  void anOccludedCellIsAPassWithoutIt_data() {
    QTest::addColumn<int>("change");
    QTest::addColumn<int>("cell");
    QTest::newRow("erased") << int(Change::Erase) << 0;
    QTest::newRow("blurred") << int(Change::Blur) << 1;
    QTest::newRow("averaged in squares") << int(Change::Average) << 2;
  }
  void anOccludedCellIsAPassWithoutIt() {
    QFETCH(int, change);
    QFETCH(int, cell);
    const at::NoGradGuard noGrad;
    InspectRequest ask = everything();
    ask.images = {golden::path("images/photo.jpg"), golden::path("images/extreme.png")};
    ask.sites = {Site::Occlusion};
    ask.occlusionChange = static_cast<Change>(change);
    ask.occlusionCell = cell;
    ask.responseTokens = {0, 2, 4};
    const InspectionPtr look = inspect(models(), ask, {}, {});
    const AttentionStack& map = look->occlusion;
    const RowInput prompt = lookAt(*m_processor, ask, {}).prompt.row;
    const auto read = [&](const RowInput& row) {
      const at::Tensor all = at::log_softmax(m_student->logits(m_student->forward(packRows(m_student->config(), {withResponse(row, ask.responseIds)}))), -1);
      std::vector<float> result;
      for (const int t : {0, 2, 4}) result.push_back(all[std::ssize(prompt.ids) - 1 + t][ask.responseIds[static_cast<std::size_t>(t)]].item<float>());
      return result;
    };
    const std::vector<float> before = read(prompt);
    QCOMPARE(map.keys, 15);
    QCOMPARE(map.queries.size(), std::size_t(3));
    QCOMPARE(look->occlusionInfo.cell, std::max(1, cell));
    QCOMPARE(look->occlusionInfo.change, std::string(change == int(Change::Erase) ? "erase" : change == int(Change::Blur) ? "blur" : "average"));
    int cells = 0;
    for (const ImageView& view : look->images) {
      const int side = std::max(1, cell);
      for (int r = 0; r < view.gridRows; r += side)
        for (int c = 0; c < view.gridCols; c += side, ++cells) {
          std::vector<int> tokens;
          for (int y = r; y < std::min(view.gridRows, r + side); ++y)
            for (int x = c; x < std::min(view.gridCols, c + side); ++x) tokens.push_back(view.firstVisual + y * view.gridCols + x);
          RowInput changed = prompt;
          changed.pixelValues = changePatches(prompt.pixelValues, prompt.grids, ask.occlusionChange, tokens);
          const std::vector<float> after = read(changed);
          for (std::size_t q = 0; q < 3; ++q) {
            QVERIFY(std::abs(look->occlusionInfo.before[q] - before[q]) < 1e-5f);
            for (const int token : tokens) QVERIFY(std::abs(map.map(q, 0, 0)[token] - (before[q] - after[q])) < 2e-5f);
          }
        }
    }
    QCOMPARE(look->occlusionInfo.passes, cells);
  }

  void occlusionTakesLargerCellsToStayWithinItsPasses() {
    InspectRequest ask = everything();
    ask.sites = {Site::Occlusion};
    ask.occlusionPasses = 3;
    const InspectionPtr look = inspect(models(), ask, {}, {});
    QCOMPARE(look->occlusionInfo.cell, 2);
    QCOMPARE(look->occlusionInfo.passes, 2);
    QCOMPARE(look->occlusion.map(0, 0, 0)[0], look->occlusion.map(0, 0, 0)[3]);
    QVERIFY(look->occlusion.map(0, 0, 0)[0] != look->occlusion.map(0, 0, 0)[5]);
    ask.occlusionChange = Change::KeepOnly;
    QVERIFY_THROWS_EXCEPTION(Error, inspect(models(), ask, {}, {}));
  }

  void eachPairOfFramesHasItsOwnMapAndTime() {
    InspectRequest ask = everything();
    ask.images = {golden::path("video/clip.avi"), golden::path("images/photo.jpg")};
    ask.videoFrames = 6;
    const InspectionPtr look = inspect(models(), ask, {}, {});
    QCOMPARE(look->images.size(), std::size_t(4));
    double last = -1;
    for (int i = 0; i < 3; ++i) {
      const ImageView& view = look->images[static_cast<std::size_t>(i)];
      QCOMPARE(view.source, 0);
      QCOMPARE(view.slice, i);
      QVERIFY(view.seconds > last);
      last = view.seconds;
      QVERIFY(view.label.find("clip.avi frame ") == 0 && view.label.find(" s") != std::string::npos);
    }
    QCOMPARE(look->images[3].source, 1);
    QCOMPARE(look->images[3].slice, -1);
    const int keys = look->images[3].firstVisual + look->images[3].gridRows * look->images[3].gridCols;
    for (int i = 0; i < kSites; ++i) QCOMPARE(look->stack(static_cast<Site>(i)).keys, keys);
    // Inside the tower a pair of frames sees nothing but itself: each view's received shares sum to 1.
    for (const ImageView& view : look->images) {
      double sum = 0;
      for (int k = 0; k < view.gridRows * view.gridCols; ++k) sum += double(look->vision.map(0, 0, 0)[view.firstVisual + k]);
      QVERIFY(std::abs(sum - 1) < 1e-4);
    }
    QVERIFY(look->occlusion.map(0, 0, 0)[0] != look->occlusion.map(0, 0, 0)[look->images[1].firstVisual]);
  }

  void picturesFromMemoryAreTheFiles() {
    InspectRequest files = everything(), bytes = everything();
    files.sites = bytes.sites = {Site::CueRecovery};
    files.images = {golden::path("images/photo.jpg"), golden::path("images/extreme.png")};
    bytes.images.clear();
    for (const auto& file : files.images) {
      QFile in(QString::fromStdString(file));
      QVERIFY(in.open(QIODevice::ReadOnly));
      const QByteArray content = in.readAll();
      bytes.moreImages.push_back({{content.begin(), content.end()}, file});
    }
    QCOMPARE(inspect(models(), bytes, {}, {})->cueRecovery.values, inspect(models(), files, {}, {})->cueRecovery.values);
  }

  void evidenceScoresAreCountedByHand() {
    ImageView view;
    view.width = 80;
    view.height = 40;
    view.gridCols = 4;
    view.gridRows = 2;
    const std::vector<PixelBox> boxes = {{0, 0, 0, 40, 20, "a"}, {0, 40, 0, 10, 20, "b"}, {1, 0, 0, 80, 40, "other"}};  // patches 0, 1 and half of 2
    const float map[8] = {0.1f, 0.3f, 0.2f, 0, 0, 0.4f, 0, -5.f};
    const EvidenceScore score = evidenceScore(view, boxes, 0, map);
    QCOMPARE(score.boxes, 2);
    QCOMPARE(score.patches, 3);
    QVERIFY(std::abs(score.mass - 0.5f) < 1e-6f);
    QVERIFY(std::abs(score.uniformMass - 2.5f / 8) < 1e-6f);
    QVERIFY(!score.hit);
    QVERIFY(std::abs(score.uniformHit - 3.f / 8) < 1e-6f);
    QVERIFY(std::abs(score.iou - 2.f / 4) < 1e-6f);  // 5, 1, 2 against 0, 1, 2
    QVERIFY(std::abs(score.uniformIou - (9.f / 8) / (6 - 9.f / 8)) < 1e-6f);
    const float uniform[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    QVERIFY(std::abs(evidenceScore(view, boxes, 0, uniform).mass - score.uniformMass) < 1e-6f);
    QCOMPARE(evidenceScore(view, boxes, 2, map).patches, 0);
    const float nothing[8] = {};
    QVERIFY(!evidenceScore(view, boxes, 0, nothing).hit);
  }

  void everyMapHasItsScore() {
    InspectRequest ask = everything();
    ask.evidence = {{0, 0, 0, 32, 32, "corner"}};
    ask.promptTokens = {20};
    const InspectionPtr look = inspect(models(), ask, {}, {});
    std::size_t maps = 0;
    for (int i = 0; i < kSites; ++i) maps += look->stack(static_cast<Site>(i)).queries.size() * look->stack(static_cast<Site>(i)).layers.size();
    maps += look->promptAttention.queries.size() * look->promptAttention.layers.size();
    QCOMPARE(look->evidenceScores.size(), maps);
    for (const EvidenceScore& score : look->evidenceScores) {
      QVERIFY(std::abs(score.uniformMass - 1.f / 6) < 1e-6f);
      if (score.site != Site::CueRecovery || score.layer != look->cueRecovery.layers[0]) continue;
      float first = 0, all = 0;
      for (int h = 0; h < look->cueRecovery.heads; ++h) {
        first += look->cueRecovery.map(0, 0, static_cast<std::size_t>(h))[0];
        for (int k = 0; k < 6; ++k) all += look->cueRecovery.map(0, 0, static_cast<std::size_t>(h))[k];
      }
      QVERIFY(std::abs(score.mass - first / all) < 1e-5f);
    }
  }
};

QTEST_GUILESS_MAIN(TestInspectSites)
#include "tst_inspect_sites.moc"
