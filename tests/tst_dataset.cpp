// Data sets: what is written comes back, in parquet and JSONL; bad rows and lying files are named.
#include <ATen/core/Tensor.h>

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <nlohmann/json.hpp>

#include "engine/core/cue_edits.h"
#include "engine/core/failure.h"
#include "engine/data/data_rows.h"
#include "engine/data/dataset.h"
#include "engine/data/demo_folder.h"

using namespace cuescope;

namespace {

std::string pathIn(const QTemporaryDir& folder, const char* name) { return folder.filePath(name).toStdString(); }

void write(const std::string& file, const QByteArray& bytes) {
  QFile out(QString::fromStdString(file));
  QVERIFY(out.open(QIODevice::WriteOnly));
  out.write(bytes);
}

// The failure of reading row `row` of `file`, or of opening it.
std::string failureOf(const std::string& file, std::int64_t row = 0) {
  try {
    Dataset::open({file}).row(row);
  } catch (const Error& error) {
    return error.failure().text();
  }
  return {};
}

void same(const Sample& a, const Sample& b) {
  QCOMPARE(a.id, b.id);
  QCOMPARE(a.dataSource, b.dataSource);
  QCOMPARE(a.prompt.size(), b.prompt.size());
  for (std::size_t i = 0; i < a.prompt.size(); ++i) {
    QCOMPARE(a.prompt[i].role, b.prompt[i].role);
    QCOMPARE(a.prompt[i].text, b.prompt[i].text);
  }
  QCOMPARE(a.teacherTurns.size(), b.teacherTurns.size());
  for (std::size_t i = 0; i < a.teacherTurns.size(); ++i) QCOMPARE(a.teacherTurns[i].text, b.teacherTurns[i].text);
  QCOMPARE(a.hint, b.hint);
  QCOMPARE(a.cue, b.cue);
  QCOMPARE(a.rewardStyle, b.rewardStyle);
  QCOMPARE(a.groundTruth, b.groundTruth);
  QCOMPARE(a.ability, b.ability);
  QCOMPARE(a.question, b.question);
  QCOMPARE(a.answer, b.answer);
  QCOMPARE(a.kind, b.kind);
  QCOMPARE(a.layout, b.layout);
  QCOMPARE(a.split, b.split);
  QCOMPARE(a.index, b.index);
  QCOMPARE(a.imageBytes, b.imageBytes);
  QCOMPARE(a.evidence.size(), b.evidence.size());
  for (std::size_t i = 0; i < a.evidence.size(); ++i) {
    QCOMPARE(a.evidence[i].x, b.evidence[i].x);
    QCOMPARE(a.evidence[i].y, b.evidence[i].y);
    QCOMPARE(a.evidence[i].width, b.evidence[i].width);
    QCOMPARE(a.evidence[i].height, b.evidence[i].height);
    QCOMPARE(a.evidence[i].label, b.evidence[i].label);
  }
}

}  // namespace

class TestDataset : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void whatIsWrittenComesBack_data() {
    QTest::addColumn<QString>("name");
    if (haveParquet()) QTest::newRow("parquet") << "rows.parquet";
    QTest::newRow("jsonl") << "rows.jsonl";
  }
  void whatIsWrittenComesBack() {
    QFETCH(QString, name);
    QTemporaryDir folder;
    const std::string file = folder.filePath(name).toStdString();
    std::vector<Sample> samples = demoSamples("test", 40, 3);
    samples[5].teacherTurns = {{"system", "Look closely."}, {"user", "<image>What is it? \"quoted\" \\boxed{x} ü"}};
    samples[6].cue.clear();
    samples[7].evidence.clear();
    name.endsWith("parquet") ? writeParquet(file, samples, 7) : writeJsonl(file, samples);
    const Dataset dataset = Dataset::open({file, file});
    QCOMPARE(dataset.size(), std::int64_t(80));
    for (std::int64_t i : {0, 5, 6, 7, 13, 14, 39, 3}) same(dataset.row(i), samples[static_cast<std::size_t>(i)]);
    same(dataset.row(45), samples[5]);
    QCOMPARE(dataset.origin(45).second, std::int64_t(5));
    const auto pictures = decodePictures(dataset.row(11));
    QCOMPARE(pictures.size(), std::size_t(1));
    QCOMPARE(pictures[0].rgb, drawDemoScene(demoCase("test", 11, 3).scene).rgb);
  }

  void rowsInAnyOrderReadEveryRowGroupOnce() {
    if (!haveParquet()) QSKIP("built without Arrow");
    const QTemporaryDir folder;
    const std::string file = pathIn(folder, "groups.parquet");
    const std::vector<Sample> samples = demoSamples("test", 40, 3);
    writeParquet(file, samples, 7);
    const auto kept = openParquet(file);
    for (std::int64_t i = 0; i < 200; ++i) same(kept->row(i * 23 % 40), samples[static_cast<std::size_t>(i * 23 % 40)]);
    QCOMPARE(kept->groupReads(), std::int64_t(6));
    // Room for about two of six: what was used last stays.
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < 14; ++i) bytes += static_cast<std::int64_t>(samples[i].imageBytes[0].size());
    const auto two = openParquet(file, bytes * 5 / 4);
    for (const std::int64_t i : {0, 7, 0, 14, 0, 14}) same(two->row(i), samples[static_cast<std::size_t>(i)]);
    QCOMPARE(two->groupReads(), std::int64_t(3));
    two->row(7);
    QCOMPARE(two->groupReads(), std::int64_t(4));
  }

  void aRowGroupThatDoesNotFitIsDecodedOnceAndReadInParts() {
    if (!haveParquet()) QSKIP("built without Arrow");
    const QTemporaryDir folder;
    const std::string file = pathIn(folder, "large.parquet");
    const std::vector<Sample> samples = demoSamples("test", 40, 3);
    writeParquet(file, samples, 25);
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < 25; ++i) bytes += static_cast<std::int64_t>(samples[i].imageBytes[0].size());
    for (const std::int64_t room : {std::int64_t(1), bytes / 4}) {
      const auto parts = openParquet(file, room);
      for (std::int64_t i = 0; i < 120; ++i) same(parts->row(i * 23 % 40), samples[static_cast<std::size_t>(i * 23 % 40)]);
      QCOMPARE(parts->groupReads(), std::int64_t(2));
      QVERIFY(parts->decodedBytes() <= room);
    }
  }

  void picturesMayBeFiles() {
    QTemporaryDir folder;
    Sample sample = demoSamples("test", 1, 1)[0];
    write(pathIn(folder, "picture.png"), QByteArray(reinterpret_cast<const char*>(sample.imageBytes[0].data()), qsizetype(sample.imageBytes[0].size())));
    sample.imageBytes[0].clear();
    sample.imagePaths[0] = "picture.png";
    writeJsonl(pathIn(folder, "rows.jsonl"), {sample});
    const Sample back = Dataset::open({pathIn(folder, "rows.jsonl")}).row(0);
    QCOMPARE(decodePictures(back)[0].width, kDemoSize);
  }

  void everyPictureOfARowIsReadAndMayHaveMarksOfItsOwn() {
    QTemporaryDir folder;
    const std::vector<Sample> drawn = demoSamples("test", 2, 1);
    Sample sample = drawn[0];
    sample.id = "pair";
    sample.prompt.front().text = "<image><image>Which has more circles?";
    sample.imageBytes.push_back(drawn[1].imageBytes[0]);
    sample.imagePaths.resize(2);
    sample.evidence = {{0, 1, 2, 30, 40, "first"}, {1, 5, 6, 20, 20, "second"}};
    const std::string file = pathIn(folder, "pairs.jsonl");
    writeJsonl(file, {sample});
    const DataRows rows = readRows(file, 0, 1);
    QCOMPARE(rows.rows[0].problem, std::string());
    QCOMPARE(rows.rows[0].pictures, 2);
    QCOMPARE(rows.rows[0].image, drawn[0].imageBytes[0]);
    QCOMPARE(rows.rows[0].moreImages.size(), std::size_t(1));
    QCOMPARE(rows.rows[0].moreImages[0], drawn[1].imageBytes[0]);
    // An edit that knows the second picture stands for the marks of both, and its crop is cut from its own picture.
    CueEdit edit;
    edit.row = 0, edit.id = "pair", edit.cue = "Count them.", edit.originalCue = sample.cue;
    edit.originalMarks = {{"box", 1, 2, 30, 40, "first", "data", 0}, {"box", 5, 6, 20, 20, "second", "data", 1}};
    edit.marks = {{"crop", 8, 9, 16, 12, "there", "edited", 1}};
    const CueEdit back = parseCueEdit(cueEditLine(edit));
    QVERIFY(back.marks == edit.marks && back.originalMarks == edit.originalMarks);
    writeCueEdits(cueEditsFile(file), {{0, edit}});
    const Sample edited = Dataset::open({file}, true).row(0);
    QCOMPARE(edited.evidence.size(), std::size_t(1));
    QCOMPARE(edited.crops.size(), std::size_t(1));
    QCOMPARE(edited.crops[0].image, 1);
    const Picture crop = cropOf(decodePictures(edited), edited.crops[0]);
    QCOMPARE(crop.width, 16);
    const std::vector<Picture> whole = decodePictures(edited);
    QCOMPARE(crop.rgb[0], whole[1].rgb[(9 * static_cast<std::size_t>(whole[1].width) + 8) * 3]);
    const auto line = nlohmann::json::parse(editedLine(R"({"evidence": [{"image": 1, "x": 5}]})", edit));
    QCOMPARE(line["evidence"].size(), std::size_t(1));
    QCOMPARE(line["evidence"][0]["image"].get<int>(), 1);
    // One that knows of the first alone, as older files do, leaves the second's.
    edit.originalMarks = {{"box", 1, 2, 30, 40, "first", "data"}};
    edit.marks.clear();
    writeCueEdits(cueEditsFile(file), {{0, edit}});
    const Sample older = Dataset::open({file}, true).row(0);
    QCOMPARE(older.evidence.size(), std::size_t(1));
    QCOMPARE(older.evidence[0].label, std::string("second"));
    // A mark of a picture that is not there fits no row.
    edit.marks = {{"box", 1, 1, 4, 4, "", "edited", 2}};
    writeCueEdits(cueEditsFile(file), {{0, edit}});
    std::string why;
    try {
      Dataset::open({file}, true).row(0);
    } catch (const Error& error) {
      why = error.failure().text();
    }
    QVERIFY2(why.find("picture 3, the row has 2") != std::string::npos, why.c_str());
  }

  void picturesMayBeNamedAsVerlNamesThem() {
    const QTemporaryDir folder;
    QFile file(QStringLiteral(CUESCOPE_RESOURCES "/demo/data/example-1.png"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray png = file.readAll();
    write(pathIn(folder, "a.png"), png);
    const QByteArray row = R"({"prompt":"<image>What?","cue":"Here.","cue_provenance":{"model":"m","seed":3,"saw_answer":false},"images":[{"image":"%1"}]})";
    write(pathIn(folder, "verl.jsonl"), QByteArray(row).replace("%1", "data:image/png;base64," + png.toBase64()) + "\n" + QByteArray(row).replace("%1", ("file://" + folder.filePath("a.png")).toUtf8()) + "\n" + QByteArray(row).replace("%1", "a.png") + "\n" + QByteArray(row).replace("%1", "data:image/png,no") + "\n");
    const Dataset data = Dataset::open({pathIn(folder, "verl.jsonl")});
    const Sample inside = data.row(0);
    QCOMPARE(QByteArray(reinterpret_cast<const char*>(inside.imageBytes[0].data()), qsizetype(inside.imageBytes[0].size())), png);
    for (const std::int64_t i : {1, 2}) QVERIFY(decodePictures(data.row(i))[0].rgb == decodePictures(inside)[0].rgb);
    QVERIFY(failureOf(pathIn(folder, "verl.jsonl"), 3).find("not base64") != std::string::npos);
    const CueOrigin origin = cueOriginOf(inside.texts.at("cue_provenance"));
    QCOMPARE(origin.model, std::string("m"));
    QCOMPARE(origin.seed, std::int64_t(3));
    QCOMPARE(origin.sawAnswer, 0);
  }

  void badRowsAreNamedAndTheOthersStayReadable() {
    QTemporaryDir folder;
    const std::string file = pathIn(folder, "rows.jsonl");
    write(file,
          "{\"prompt\":[{\"role\":\"user\",\"content\":\"Hello\"}]}\n"
          "{\"prompt\":[{\"role\":\"user\",\"content\":\"<image>Hello\"}]}\n"
          "{\"prompt\": [\n"
          "\n"
          "{\"prompt\":[{\"role\":\"oracle\",\"content\":\"Hello\"}]}\n"
          "{\"prompt\":[{\"role\":\"user\",\"content\":\"<image>\"}],\"images\":[{\"bytes\":\"no base64!\"}]}\n"
          "{\"cue\":\"x\"}\n");
    QCOMPARE(Dataset::open({file}).size(), std::int64_t(6));
    QCOMPARE(failureOf(file, 0), std::string());
    const char* reasons[6] = {"", "1 <image> marks, the row has 0 images", "parse", "oracle", "base64", "no prompt"};
    for (int row = 1; row < 6; ++row) {
      const std::string text = failureOf(file, row);
      QVERIFY2(text.find("row " + std::to_string(row)) != std::string::npos, text.c_str());
      QVERIFY2(text.find(reasons[row]) != std::string::npos, text.c_str());
    }
  }

  void evidenceOutsideThePictureIsBad() {
    Sample sample = demoSamples("test", 1, 1)[0];
    sample.evidence[0].image = 1;
    QVERIFY_EXCEPTION_THROWN(checkSample(sample, "x", 0), Error);
    sample.evidence[0].image = 0;
    sample.evidence[0].width = -1;
    QVERIFY_EXCEPTION_THROWN(checkSample(sample, "x", 0), Error);
  }

  void filesThatAreNoDataSetsAreRefused() {
    QTemporaryDir folder;
    QVERIFY(!failureOf(pathIn(folder, "missing.parquet")).empty());
    write(pathIn(folder, "rows.csv"), "a,b\n");
    QVERIFY(failureOf(pathIn(folder, "rows.csv")).find("unknown kind") != std::string::npos);
    write(pathIn(folder, "empty.jsonl"), "\n\n");
    QVERIFY(failureOf(pathIn(folder, "empty.jsonl")).find("no rows") != std::string::npos);
    QVERIFY_EXCEPTION_THROWN(Dataset::open({}), Error);
    for (const QByteArray& lie : {QByteArray(), QByteArray("PAR1"), QByteArray("PAR1") + QByteArray(200, '\xff') + QByteArray("\xff\xff\xff\x7fPAR1", 8)}) {
      write(pathIn(folder, "lie.parquet"), lie);
      QVERIFY(!failureOf(pathIn(folder, "lie.parquet")).empty());
    }
  }

  void aTruncatedParquetFileIsRefused() {
    if (!haveParquet()) QSKIP("built without Arrow");
    QTemporaryDir folder;
    const std::string file = pathIn(folder, "rows.parquet");
    writeParquet(file, demoSamples("test", 4, 1));
    QFile in(QString::fromStdString(file));
    QVERIFY(in.open(QIODevice::ReadOnly));
    const QByteArray bytes = in.readAll();
    write(pathIn(folder, "half.parquet"), bytes.left(bytes.size() / 2));
    QVERIFY(!failureOf(pathIn(folder, "half.parquet")).empty());
    QVERIFY(!QFile::exists(QString::fromStdString(file + ".part")));
  }
};

QTEST_GUILESS_MAIN(TestDataset)
#include "tst_dataset.moc"
