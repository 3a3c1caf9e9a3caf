// Saved responses and foreign runs: verl's dumps written by hand, our own records, files that are being written, many rows,
// TensorBoard event files.
#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "engine/core/event_file.h"
#include "engine/core/failure.h"
#include "engine/core/foreign_run.h"
#include "engine/core/rollout_index.h"

using namespace cuescope;

class RolloutIndexTest : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;

  std::string write(const QString& name, const QByteArray& bytes) {
    const QString path = m_folder.filePath(name);
    QDir().mkpath(QFileInfo(path).absolutePath());
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size()) qFatal("the test's file could not be written");
    return path.toStdString();
  }
  static QByteArray own(int step, int index, const char* id, std::vector<float> student, std::vector<float> teacher) {
    RolloutRecord r;
    r.step = step, r.index = index, r.sampleId = id;
    r.input = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Find h.<|im_end|>\n<|im_start|>assistant\n";
    r.output = "It is \\boxed{\\frac{1}{2}}<|im_end|>";
    r.ids.assign(student.size(), 7);
    r.studentLogProbs = std::move(student), r.teacherLogProbs = std::move(teacher);
    r.score = 0.5, r.stopped = true;
    return QByteArray::fromStdString(toJsonLine(r));
  }

 private Q_SLOTS:
  void ownRecordsGiveGapsLengthAndAnswer() {
    const std::string file = write("own/3.jsonl", own(3, 0, "tri-1", {-1, -2, -3}, {-1.5f, -1, -3}));
    RolloutScanner scanner(file, 0, 3);
    const auto rows = scanner.next(10, {});
    QCOMPARE(rows.size(), std::size_t(1));
    QCOMPARE(rows[0].tokens, 3);
    QCOMPARE(rows[0].prompt, std::string("Find h."));
    QCOMPARE(rows[0].answer, std::string("\\frac{1}{2}"));
    QVERIFY(std::abs(rows[0].meanGap - 0.5f) < 1e-6f && std::abs(rows[0].maxGap - 1.0f) < 1e-6f);
    QCOMPARE(rows[0].spark, (std::vector<float>{-0.5f, 1.0f, 0.0f}));
    QCOMPARE(rows[0].stopped, std::int8_t(1));
    const RolloutDetail detail = readRollout(file, rows[0]);
    QCOMPARE(detail.record.ids.size(), std::size_t(3));
    QCOMPARE(detail.record.sampleId, std::string("tri-1"));
  }

  // As verl's _dump_generations writes them: json.dumps with spaces, no ids, columns of the reward function beside.
  void verlDumpsAreRead() {
    const std::string file = write(
        "verl/10.jsonl",
        "{\"input\": \"system\\nBe brief.\\nuser\\nHow many balls?\\nassistant\\n\", \"output\": \"Three \\\"red\\\" ones\", \"gts\": 3, \"score\": 0.0, \"step\": 10, \"acc\": false, \"pred\": \"three\"}\n"
        "{\"input\": \"user\\nQ2\\nassistant\\n\", \"output\": \"\\\\boxed{4}\", \"gts\": null, \"score\": 1.0, \"step\": 10, \"acc\": true, \"pred\": \"4\"}\n");
    RolloutScanner scanner(file, 0, 10);
    const auto rows = scanner.next(10, {});
    QCOMPARE(rows.size(), std::size_t(2));
    QCOMPARE(rows[0].prompt, std::string("How many balls?"));
    QCOMPARE(rows[0].answer, std::string("Three \"red\" ones"));
    QCOMPARE(rows[0].tokens, -1);
    QVERIFY(std::isnan(rows[0].meanGap));
    QCOMPARE(rows[1].score, 1.0f);
    const RolloutDetail detail = readRollout(file, rows[0]);
    QCOMPARE(detail.record.groundTruth, std::string("3"));
    QCOMPARE(detail.others.size(), std::size_t(1));
    QCOMPARE(detail.others[0].first, std::string("pred"));
    QVERIFY(rolloutText(file, rows[0]).find("red") != std::string::npos);
  }

  void aDumpOfTheReferenceIsPutRight() {
    // Entry t of its list scores token t + 1, the last one nothing.
    const std::string file = write("reference/5.jsonl",
                                   "{\"input\": \"user\\nQ\\nassistant\\n\", \"output\": \"a b c\", \"gts\": \"c\", \"score\": 1.0, \"step\": 5, \"student_token_logprobs\": [-1.0, -2.0, -3.0], "
                                   "\"teacher_token_logprobs\": [[-0.25], [-0.5], [0.0]]}\n");
    RolloutScanner scanner(file, 0, 5);
    const auto rows = scanner.next(10, {});
    QCOMPARE(rows.size(), std::size_t(1));
    const RolloutDetail detail = readRollout(file, rows[0]);
    QCOMPARE(detail.record.teacherLogProbs.size(), std::size_t(3));
    QVERIFY(std::isnan(detail.record.teacherLogProbs[0]));
    QCOMPARE(detail.record.teacherLogProbs[1], -0.25f);
    QCOMPARE(detail.record.teacherLogProbs[2], -0.5f);
    QCOMPARE(rows[0].meanGap, 2.125f);  // of tokens 1 and 2: (1.75 + 2.5) / 2
    QVERIFY(!detail.others.empty());
    QVERIFY(detail.others.back().second.find("one token late") != std::string::npos);
  }

  void aHalfWrittenLineWaitsForItsRest() {
    const QByteArray first = own(1, 0, "a", {-1}, {-1}), second = own(1, 1, "b", {-1}, {-2});
    const std::string file = write("live/1.jsonl", first + second.left(40));
    RolloutScanner scanner(file, 0, 1);
    QCOMPARE(scanner.next(10, {}).size(), std::size_t(1));
    QCOMPARE(scanner.next(10, {}).size(), std::size_t(0));
    write("live/1.jsonl", first + second);
    const auto rest = scanner.next(10, {});
    QCOMPARE(rest.size(), std::size_t(1));
    QCOMPARE(rest[0].sampleId, std::string("b"));
    QCOMPARE(scanner.problems(), 0);
  }

  void aLineThatIsNoRecordIsCountedAndLeftOut() {
    const std::string file = write("bad/1.jsonl", "[1, 2]\n" + own(1, 0, "a", {-1}, {-1}) + "{\"step\": 2}\nnot json\n");
    RolloutScanner scanner(file, 0, 1);
    QCOMPARE(scanner.next(10, {}).size(), std::size_t(1));
    QCOMPARE(scanner.problems(), 3);
    QVERIFY(scanner.firstProblem().find("line 1") != std::string::npos);
  }

  void theSamePromptIsFoundInOtherSteps() {
    write("steps/1.jsonl", own(1, 0, "a", {-1}, {-1}) + own(1, 1, "b", {-1}, {-1}));
    write("steps/2.jsonl", own(2, 0, "b", {-1}, {-2}));
    write("steps/10.jsonl", own(10, 0, "bb", {-1}, {-2}) + own(10, 1, "b", {-1}, {-3}));
    const auto files = rolloutFiles(m_folder.filePath("steps").toStdString());
    QCOMPARE(files.size(), std::size_t(3));
    QCOMPARE(files[2].step, 10);  // by number, not by name
    RolloutScanner scanner(files[0].path, 0, 1);
    const auto same = samePrompt(files, files[0].path, scanner.next(2, {})[1], {});
    QCOMPARE(same.size(), std::size_t(3));
    QCOMPARE(same[2].step, 10);
    QCOMPARE(same[2].maxGap, 2.0f);
  }

  void promptsWithoutAnIdAreComparedByTheirText() {
    write("plain/1.jsonl", "{\"input\": \"say \\\"x\\\"\", \"output\": \"a\", \"score\": 0}\n{\"input\": \"other\", \"output\": \"say \\\"x\\\"\", \"score\": 0}\n");
    write("plain/2.jsonl", "{\"input\": \"say \\\"x\\\"\", \"output\": \"b\", \"score\": 1}\n");
    const auto files = rolloutFiles(m_folder.filePath("plain").toStdString());
    RolloutScanner scanner(files[0].path, 0, 1);
    const auto same = samePrompt(files, files[0].path, scanner.next(1, {})[0], {});
    QCOMPARE(same.size(), std::size_t(2));
    QCOMPARE(same[1].score, 1.0f);
  }

  void aHundredThousandRowsAreIndexedInParts() {
    QByteArray bytes;
    const QByteArray line = own(1, 0, "row", {-1, -2, -3, -4}, {-1, -1, -1, -1});
    for (int i = 0; i < 100000; ++i) bytes += line;
    const std::string file = write("large/1.jsonl", bytes);
    RolloutScanner scanner(file, 0, 1);
    std::size_t rows = 0, parts = 0;
    for (auto part = scanner.next(500, {}); !part.empty(); part = scanner.next(500, {})) {
      QVERIFY(part.size() <= 500);  // whoever shows them goes on between two parts
      rows += part.size();
      ++parts;
    }
    QCOMPARE(rows, std::size_t(100000));
    QCOMPARE(parts, std::size_t(200));
    std::stop_source stopped;
    stopped.request_stop();
    RolloutScanner again(file, 0, 1);
    QVERIFY(again.next(500, stopped.get_token()).empty());
  }

  void eventFilesBecomeSteps() {
    const std::string folder = m_folder.filePath("tb/run").toStdString();
    {
      EventFileWriter first(folder, 100), resumed(folder, 200);
      first.scalars(1, 101, {{"actor/loss", 0.5}, {"critic/score/mean", 0.1}});
      first.scalars(2, 103, {{"actor/loss", 0.4}, {"val/accuracy", 0.9}});
      first.scalars(3, 104, {{"actor/loss", 0.2}});
      resumed.restart(2, 200);  // the run went back: what the first file holds of steps 2 and 3 no longer counts
      resumed.scalars(2, 203, {{"actor/loss", 0.3}});
    }
    const ForeignRun run = findForeignRun(m_folder.filePath("tb").toStdString());
    QCOMPARE(run.eventFiles.size(), std::size_t(2));
    const auto steps = readForeignSteps(run);
    QCOMPARE(steps.size(), std::size_t(2));
    QCOMPARE(float(steps[0]->metrics.at("critic/score/mean")), 0.1f);
    QCOMPARE(float(steps[1]->metrics.at("actor/loss")), 0.3f);  // the newer value
    QCOMPARE(steps[1]->metrics.count("val/accuracy"), std::size_t(0));
    QCOMPARE(steps[1]->secondsSinceStart, 102.0);
    QVERIFY(findForeignRun(run.eventFiles[0]).eventFiles.size() == 1);
  }

  void whatIsNoForeignRunIsLeftAlone() {
    const std::string data = write("plain-data.jsonl", "{\"prompt\": [], \"images\": []}\n");
    QVERIFY(findForeignRun(data).empty());
    QVERIFY(findForeignRun(m_folder.filePath("nothing").toStdString()).empty());
    write("numbers/1.jsonl", "{\"prompt\": []}\n");
    QVERIFY(findForeignRun(m_folder.filePath("numbers").toStdString()).empty());
    const std::string damaged = write("bad/events.out.tfevents.1.x", "no records here, only words");
    QVERIFY_EXCEPTION_THROWN(readForeignSteps(findForeignRun(damaged)), Error);
  }
};

QTEST_GUILESS_MAIN(RolloutIndexTest)
#include "tst_rollout_index.moc"
