// The forward pass against the recorded reference, tensor by tensor: tiny student, student with cue recovery, teacher.
#include <ATen/ATen.h>

#include "engine/model/qwen3_vl.h"
#include "engine/model/text_decoder.h"
#include "tests/support/golden.h"
#include "tests/support/model_batch.h"

#include <QTest>

using namespace cuescope;

namespace {

struct Case {
  const char* set;
  const char* model;
  std::vector<const char*> batches;
};
const std::vector<Case> kCases = {
    {"forward-student", "tiny-student", {"left", "right", "video", "mixed"}},
    {"forward-student-vicur", "tiny-student-vicur", {"left", "right", "video", "mixed", "prefix", "bare"}},
    {"forward-teacher", "tiny-teacher", {"left", "right", "video", "mixed"}}};
constexpr std::int64_t kAttentionLayer = 2;  // the layer whose weights are recorded

std::shared_ptr<Qwen3VL> model(const std::string& name) {
  static std::map<std::string, std::shared_ptr<Qwen3VL>> open;
  auto& one = open[name];
  if (!one) {
    one = Qwen3VL::load(golden::path(name), "cpu", "float32");
    if (one->config().cue.enabled)
      one->setActiveCueLayers(one->config().cue.layers);  // the reference's last layer acts too
  }
  return one;
}

const golden::Set& goldenSet(const std::string& name) {
  static std::map<std::string, std::unique_ptr<golden::Set>> open;
  auto& one = open[name];
  if (!one) one = std::make_unique<golden::Set>(name);
  return *one;
}

at::Tensor lastValid(const at::Tensor& states, const Rows& rows, std::int64_t n) {
  std::vector<at::Tensor> out;
  for (std::int64_t r = 0; r < rows.count(); ++r)
    out.push_back(states.narrow(0, rows.offsets[static_cast<std::size_t>(r) + 1] - n, n));
  return at::stack(out);
}

}  // namespace

#define CLOSE(set, name, ...)                                  \
  do {                                                         \
    std::string message;                                       \
    QVERIFY2((set).close(name, __VA_ARGS__), message.c_str()); \
  } while (false)

class TestModelForward : public QObject {
  Q_OBJECT

  void batches() {
    QTest::addColumn<int>("which");
    QTest::addColumn<QByteArray>("batch");
    for (std::size_t i = 0; i < kCases.size(); ++i)
      for (const char* batch : kCases[i].batches)
        QTest::addRow("%s %s", kCases[i].set, batch) << static_cast<int>(i) << QByteArray(batch);
  }

 private Q_SLOTS:
  void everyRecordedTensorOfTheTextModelIsMet_data() { batches(); }
  void everyRecordedTensorOfTheTextModelIsMet() {
    QFETCH(int, which);
    QFETCH(QByteArray, batch);
    const Case& c = kCases[static_cast<std::size_t>(which)];
    const std::string b = batch.toStdString() + ".";
    const golden::Set& set = goldenSet(c.set);
    const golden::Set& pixels = batch == "prefix" || batch == "bare" ? set : goldenSet("forward-student");
    const auto m = model(c.model);
    const ModelBatch input = modelBatch(set, pixels, batch.toStdString(), m->config());
    const Rows rows = packRows(m->config(), input.rows);

    const at::Tensor positions = input.padded(rows.positionIds.t()).permute({2, 0, 1});
    CLOSE(set, b + "position_ids", positions, &message);
    CLOSE(set, b + "rope_deltas", at::tensor(rows.ropeDeltas).unsqueeze(1), &message);

    RecordingProbe probe;
    const at::NoGradGuard noGrad;
    ForwardOptions options;
    options.probe = &probe;
    const at::Tensor states = m->forward(rows, options);
    if (set.has(b + "embed"))
      CLOSE(set, b + "embed", input.padded(probe.at(ProbeSite::Embed, 0)), &message, input.valid);
    int compared = 0;
    for (std::int64_t l = 0; l < m->config().text.layers; ++l) {
      const std::string raw = b + "layer_raw." + std::to_string(l), hidden = b + "hidden." + std::to_string(l);
      if (set.has(raw)) CLOSE(set, raw, input.padded(probe.at(ProbeSite::LayerRaw, l)), &message, input.valid);
      if (set.has(hidden)) CLOSE(set, hidden, input.padded(probe.at(ProbeSite::Hidden, l)), &message, input.valid);
      compared += set.has(hidden);
    }
    QCOMPARE(compared, batch == "left" ? static_cast<int>(m->config().text.layers) : 0);
    CLOSE(set, b + "last_hidden_state", input.padded(states), &message, input.valid);
    if (set.has(b + "logits")) CLOSE(set, b + "logits", input.padded(m->logits(states)), &message, input.valid);
    if (set.has(b + "logits_last4")) CLOSE(set, b + "logits_last4", m->logits(lastValid(states, rows, 4)), &message);

    if (set.has(b + "attention")) {  // [B, H, L, L] of valid queries
      at::Tensor got = at::zeros_like(set[b + "attention"]);
      for (std::size_t r = 0; r < input.columns.size(); ++r) {
        const at::Tensor columns = at::tensor(input.columns[r]);
        at::Tensor wide = at::zeros({got.size(1), columns.numel(), got.size(3)});
        wide.index_copy_(2, columns, probe.at(ProbeSite::Attention, kAttentionLayer, static_cast<std::int64_t>(r)));
        got[static_cast<std::int64_t>(r)].index_copy_(1, columns, wide);
      }
      const at::Tensor valid = input.valid.unsqueeze(1).expand({-1, got.size(1), -1});
      CLOSE(set, b + "attention", got, &message, valid);
    }
  }

  void everyRecordedTensorOfCueRecoveryIsMet_data() { batches(); }
  void everyRecordedTensorOfCueRecoveryIsMet() {
    QFETCH(int, which);
    QFETCH(QByteArray, batch);
    const Case& c = kCases[static_cast<std::size_t>(which)];
    const auto m = model(c.model);
    const std::string b = batch.toStdString() + ".";
    const golden::Set& set = goldenSet(c.set);
    QCOMPARE(set.has(b + "sink_positions"), m->config().cue.enabled);
    if (!m->config().cue.enabled) return;
    const golden::Set& pixels = batch == "prefix" || batch == "bare" ? set : goldenSet("forward-student");
    const ModelBatch input = modelBatch(set, pixels, batch.toStdString(), m->config());
    Rows rows = packRows(m->config(), input.rows);

    std::vector<std::int64_t> columns;
    for (std::size_t r = 0; r < input.rows.size(); ++r)
      columns.push_back(input.columns[r][static_cast<std::size_t>(rows.sinks[r] - rows.offsets[r])]);
    CLOSE(set, b + "sink_positions", at::tensor(columns), &message);
    at::Tensor mask = at::zeros({rows.tokens()}, at::kByte);
    mask.index_fill_(0, rows.visualIndex, 1);
    CLOSE(set, b + "visual_mask", input.padded(mask), &message);

    const at::NoGradGuard noGrad;
    for (const bool plain : {false, true}) {
      RecordingProbe probe;
      ForwardOptions options;
      options.probe = &probe;
      options.plainCueForm = plain;
      m->forward(rows, options);
      for (const std::int64_t layer : m->config().cue.layers) {
        const std::string name = b + "sink_attention." + std::to_string(layer);
        const at::Tensor& want = set[name];
        at::Tensor got = want.clone();  // rows without visual tokens are not ours to compute
        for (std::int64_t r = 0; r < want.size(0); ++r) {
          const at::Tensor weights = probe.at(ProbeSite::SinkAttention, layer, r);
          const auto visual =
              rows.visualOffsets[static_cast<std::size_t>(r) + 1] - rows.visualOffsets[static_cast<std::size_t>(r)];
          QCOMPARE(weights.defined(), visual > 0);
          if (visual == 0) continue;
          got[r].zero_();
          got[r].narrow(1, 0, visual).copy_(weights);
          QCOMPARE(probe.at(ProbeSite::SinkUpdate, layer, r).numel(), 2);
        }
        CLOSE(set, name, got, &message);
      }
    }
    if (set.has(b + "as_run.sink_positions")) {  // the released code's padding rule, for comparison with its numbers
      for (std::size_t r = 0; r < input.rows.size(); ++r) {
        const auto column = set[b + "as_run.sink_positions"][static_cast<std::int64_t>(r)].item<std::int64_t>();
        const auto found = std::find(input.columns[r].begin(), input.columns[r].end(), column);
        QVERIFY(found != input.columns[r].end());
        rows.sinks[r] = rows.offsets[r] + (found - input.columns[r].begin());
      }
      CLOSE(set, b + "as_run.logits_last4", m->logits(lastValid(m->forward(rows), rows, 4)), &message);
    }
  }

  void everyRecordedTensorOfTheVisionTowerIsMet_data() { batches(); }
  void everyRecordedTensorOfTheVisionTowerIsMet() {
    QFETCH(int, which);
    QFETCH(QByteArray, batch);
    const Case& c = kCases[static_cast<std::size_t>(which)];
    const golden::Set& set = goldenSet(c.set);
    const golden::Set& pixels = goldenSet("forward-student");
    const auto m = model(c.model);
    const std::string b = batch.toStdString() + ".";
    const at::NoGradGuard noGrad;
    int compared = 0;
    for (const bool video : {false, true}) {
      const std::string kind = video ? ".video" : ".image",
                        values = b + (video ? "pixel_values_videos" : "pixel_values");
      if (!set.has(b + "vision.merged" + kind)) continue;
      const at::Tensor thw = pixels[b + (video ? "video_grid_thw" : "image_grid_thw")];
      std::vector<Grid> grids;
      for (std::int64_t i = 0; i < thw.size(0); ++i)
        grids.push_back(
            {thw[i][0].item<std::int64_t>(), thw[i][1].item<std::int64_t>(), thw[i][2].item<std::int64_t>(), video});
      RecordingProbe probe;
      const VisionFeatures features = m->encodeImages(pixels[values], grids, &probe);
      CLOSE(set, b + "vision.patch_embed" + kind, probe.at(ProbeSite::VisionPatchEmbed, 0), &message);
      for (std::int64_t l = 0; l < m->config().vision.depth; ++l)
        CLOSE(set, b + "vision.block." + std::to_string(l) + kind, probe.at(ProbeSite::VisionBlock, l), &message);
      for (std::size_t d = 0; d < features.deepstack.size(); ++d)
        CLOSE(set, b + "vision.deepstack." + std::to_string(d) + kind, features.deepstack[d], &message);
      CLOSE(set, b + "vision.merged" + kind, features.merged, &message);
      const at::Tensor weights = probe.at(ProbeSite::VisionAttention, 0, 0);
      QCOMPARE(weights.size(0), m->config().vision.heads);
      QVERIFY(at::allclose(weights.sum(-1), at::ones({weights.size(0), weights.size(1)})));
      ++compared;
    }
    const bool lends = c.set != std::string("forward-student-vicur") && batch != "right";
    QCOMPARE(compared > 0, lends);
  }

  void lookingChangesNoNumber() {
    const auto m = model("tiny-student-vicur");
    const golden::Set& set = goldenSet("forward-student-vicur");
    const ModelBatch input = modelBatch(set, goldenSet("forward-student"), "left", m->config());
    const Rows rows = packRows(m->config(), input.rows);
    RecordingProbe probe;
    ForwardOptions looked;
    looked.probe = &probe;
    QVERIFY(at::equal(m->forward(rows), m->forward(rows, looked)));
    const at::NoGradGuard noGrad;
    QVERIFY(at::equal(m->forward(rows), m->forward(rows, looked)));
  }

  void aProbeIsShownOnlyTheQueriesItAskedFor() {
    struct Last : RecordingProbe {
      bool wants(ProbeSite site, std::int64_t) const override { return site == ProbeSite::Attention; }
      std::vector<std::int64_t> queries(std::int64_t, std::int64_t row) const override { return {row}; }
    } some;
    RecordingProbe all;
    const auto m = model("tiny-student");
    const ModelBatch input =
        modelBatch(goldenSet("forward-student"), goldenSet("forward-student"), "left", m->config());
    const Rows rows = packRows(m->config(), input.rows);
    const at::NoGradGuard noGrad;
    ForwardOptions options;
    options.probe = &some;
    m->forward(rows, options);
    options.probe = &all;
    m->forward(rows, options);
    for (const auto& [key, value] : some.taken) {
      const auto [site, layer, row] = key;
      QCOMPARE(value.size(1), 1);
      QVERIFY(at::allclose(value.select(1, 0), all.at(site, layer, row).select(1, row), 1e-5, 1e-7));
    }
    QCOMPARE(some.taken.size(), static_cast<std::size_t>(m->config().text.layers * rows.count()));
  }
};

QTEST_GUILESS_MAIN(TestModelForward)
#include "tst_model_forward.moc"
