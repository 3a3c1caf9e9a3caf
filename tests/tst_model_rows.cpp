// Packing: positions, sinks and the complaints about rows that do not fit their images.
#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"
#include "tests/support/golden.h"

#include <QTest>

using namespace cuescope;

namespace {

Qwen3VLConfig config() {
  return Qwen3VLConfig::read(golden::path("tiny-student-vicur"));
}

RowInput imageRow(const Qwen3VLConfig& c, std::int64_t h, std::int64_t w,
                  std::vector<std::int64_t> before = {1257, 10}) {
  RowInput row;
  row.ids = std::move(before);
  row.ids.push_back(c.visionStart);
  row.grids = {{1, h, w, false}};
  row.ids.insert(row.ids.end(), static_cast<std::size_t>(h * w / 4), c.imageToken);
  row.ids.insert(row.ids.end(), {c.visionEnd, 11, 12});
  row.pixelValues = at::zeros({h * w, 1536});
  return row;
}

std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.failure().text();
  }
  return {};
}

}  // namespace

class TestModelRows : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void theConfigurationOfBothSpellingsIsRead() {
    const Qwen3VLConfig c = config();
    QCOMPARE(c.imStart, 1257);
    QCOMPARE(c.eosTokens, (std::vector<std::int64_t>{1258, 1256}));
    QCOMPARE(c.padToken, 1256);
    QCOMPARE(c.text.mropeSection, (std::vector<std::int64_t>{6, 3, 3}));
    QCOMPARE(c.text.ropeTheta, 5e6);
    QVERIFY(c.text.tied);
    const Qwen3VLConfig teacher = Qwen3VLConfig::read(golden::path("tiny-teacher"));
    QCOMPARE(teacher.imStart, 1257);  // its tokenizer_config.json has no list of added tokens
    QCOMPARE(teacher.text.ropeTheta, 1e6);
    QVERIFY(!teacher.text.tied);
    QCOMPARE(teacher.vision.deepstack, (std::vector<std::int64_t>{1, 2, 4}));
  }

  void positionsOfAnImageSpanItsGridAndTextGoesOnBehindIt() {
    const Qwen3VLConfig c = config();
    const RowInput row = imageRow(c, 4, 6);
    const auto p = ropePositions(c, row.ids, row.grids);
    QCOMPARE(p[0], (std::vector<std::int64_t>{0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7, 8}));
    QCOMPARE(p[1], (std::vector<std::int64_t>{0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7, 8}));
    QCOMPARE(p[2], (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8}));
    const Rows rows = packRows(c, {row, imageRow(c, 2, 2)});
    QCOMPARE(rows.ropeDeltas, (std::vector<std::int64_t>{-3, 0}));
    QCOMPARE(rows.offsets, (std::vector<std::int64_t>{0, 12, 19}));
    QCOMPARE(rows.visualOffsets, (std::vector<std::int64_t>{0, 6, 7}));
    QCOMPARE(rows.positionIds[0][12].item<std::int64_t>(), 0);  // every row starts afresh
    QCOMPARE(rows.pixelValues.size(0), 28);
  }

  void theSinkIsTheRowsFirstImStartElseItsFirstToken() {
    const Qwen3VLConfig c = config();
    const Rows rows =
        packRows(c, {imageRow(c, 2, 2), imageRow(c, 2, 2, {9, 9, 1257, 1257}), imageRow(c, 2, 2, {9, 9})});
    QCOMPARE(rows.sinks, (std::vector<std::int64_t>{0, rows.offsets[1] + 2, rows.offsets[2]}));
  }

  void rowsThatDoNotFitTheirImagesAreRefusedByNumber() {
    const Qwen3VLConfig c = config();
    const RowInput good = imageRow(c, 4, 4);
    const auto refused = [&](const RowInput& row) { return complaint([&] { packRows(c, {good, row}); }); };
    RowInput row = good;
    row.ids.erase(row.ids.begin() + 4);
    QVERIFY(refused(row).find("row 1 has 3 image placeholders, its grids need 4") != std::string::npos);
    row = good;
    row.pixelValues = at::zeros({15, 1536});
    QVERIFY(refused(row).find("need 16 patches, there are 15") != std::string::npos);
    row = good;
    row.grids = {{1, 3, 4, false}};
    QVERIFY(refused(row).find("multiples of 2") != std::string::npos);
    row = good;
    row.ids[0] = c.text.vocabulary;
    QVERIFY(refused(row).find("vocabulary") != std::string::npos);
    row = good;
    row.ids.insert(row.ids.begin() + 5, 10);  // tears the run of placeholders apart
    QVERIFY(refused(row).find("shorter than its grid") != std::string::npos);
    QVERIFY(refused(RowInput{}).find("no tokens") != std::string::npos);
  }

  void aContinuationNeedsAnEarlierRowAndBringsNoImages() {
    const Qwen3VLConfig c = config();
    RowInput row;
    row.ids = {10, 11};
    row.prefix = 0;
    const Rows rows = packRows(c, {imageRow(c, 4, 6), row});
    QCOMPARE(rows.positionIds[0][12].item<std::int64_t>(), 9);  // behind the prefix's largest position
    QCOMPARE(rows.ropeDeltas, (std::vector<std::int64_t>{-3, -3}));
    RowInput second = row;
    second.prefix = 1;
    QVERIFY(!complaint([&] { packRows(c, {imageRow(c, 2, 2), row, second}); }).empty());
    row.prefix = 1;
    QVERIFY(!complaint([&] { packRows(c, {imageRow(c, 2, 2), row}); }).empty());
    RowInput image = imageRow(c, 2, 2);
    image.prefix = 0;
    QVERIFY(complaint([&] { packRows(c, {imageRow(c, 2, 2), image}); }).find("spec 1.7") != std::string::npos);
  }
};

QTEST_GUILESS_MAIN(TestModelRows)
#include "tst_model_rows.moc"
