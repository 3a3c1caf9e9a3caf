// Pictures that the teacher alone sees (column `teacher_images`): in the places of the student's, beside a cue or as the privilege
// themselves, or with a teacher_prompt of their own; in a file, in the length that is measured, in a whole run.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <QtTest>

#include "engine/data/data_export.h"
#include "engine/distill/row_screen.h"
#include "engine/evaluate/evaluation.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/row_runs.h"

using namespace cuescope;
using test::processor, test::sampleOf;

class TestTeacherPictures : public QObject, private test::RowRuns {
  Q_OBJECT

  static void write(const std::string& file, const std::vector<Sample>& rows) { file.ends_with("parquet") ? writeParquet(file, rows) : writeJsonl(file, rows); }
  static at::Tensor pixelsOf(const std::vector<std::uint8_t>& bytes) {
    Sample one;
    one.imageBytes = {bytes}, one.imagePaths = {""};
    return processor()->image(processor()->loaded(decodePictures(one)[0])).pixelValues;
  }

  const std::vector<std::uint8_t> m_small = test::bytesOf(golden::path("images/small.png")), m_square = test::bytesOf(golden::path("images/square.png"));

  /// 0 has none; 1 in the places of the student's, beside the cue; 2 of another number, with a prompt of their own; 3 without a word.
  std::vector<Sample> rows() const {
    std::vector<Sample> samples;
    for (int i = 0; i < 4; ++i) samples.push_back(sampleOf(i));
    samples[1].teacherImageBytes = {m_square}, samples[1].teacherImagePaths = {""};
    samples[2].teacherImageBytes = {m_small, {}}, samples[2].teacherImagePaths = {"", golden::path("images/square.png")};
    samples[2].teacherTurns = {{"user", "<image>In full: <image>What is shown?"}};
    samples[3].teacherImageBytes = {m_square}, samples[3].teacherImagePaths = {""}, samples[3].cue.clear();
    return samples;
  }

 private Q_SLOTS:
  void initTestCase() {
    at::set_num_threads(1);
    m_folder = std::make_unique<QTemporaryDir>();
  }

  void eachRowsTeacherSeesItsOwn_data() { kinds(); }
  void eachRowsTeacherSeesItsOwn() {
    QFETCH(QString, name);
    const std::string file = path("seen-" + name.toStdString());
    write(file, rows());
    const Dataset dataset = Dataset::open({file});
    RunConfig config = this->config("seen", {file});
    config.data.maxPromptLength = 400;
    const at::Tensor own = pixelsOf(m_small), shown = pixelsOf(m_square);
    QVERIFY(own.sizes() != shown.sizes() || !at::equal(own, shown));
    const std::vector<at::Tensor> seen = {own, shown, at::cat({own, shown}), shown};
    const int hints[] = {1, 1, 0, 0};
    for (int i = 0; i < 4; ++i) {
      const Preparer preparer(config, processor(), processor(), 4096);
      RowLengths lengths;
      RowProblem problem;
      QVERIFY2(preparer.measure(dataset.row(i), &lengths, &problem), problem.reason.c_str());
      const auto ready = preparer.prepare(dataset.row(i), &problem);
      QVERIFY2(ready, problem.reason.c_str());
      QVERIFY2(at::equal(ready->teacher.pixelValues, seen[static_cast<std::size_t>(i)]), qPrintable(QString::number(i)));
      QVERIFY(at::equal(ready->student.pixelValues, own));  // the student is shown nothing of it
      QCOMPARE(lengths.student, static_cast<std::int64_t>(ready->student.ids.size()));
      QCOMPARE(lengths.teacher, static_cast<std::int64_t>(ready->teacher.ids.size()));
      QVERIFY(ready->privileged && lengths.privileged);
      QCOMPARE(QString::fromStdString(processor()->tokenizer().decode(ready->teacher.ids)).count("[Hint]"), hints[i]);
    }
    // «none» is the student's prompt, whatever the data hold.
    config.teacher.privilege = "none";
    RowProblem problem;
    const auto plain = Preparer(config, processor(), processor(), 4096).prepare(dataset.row(1), &problem);
    QVERIFY(at::equal(plain->teacher.pixelValues, own) && !plain->privileged);
  }

  void inARunTheTeachersScoresAreThoseOfWhatItSees() {
    RunConfig config = this->config("plain", {path("run.jsonl")});
    config.data.shuffle = false;
    config.data.maxPromptLength = 400;
    std::vector<Sample> samples = rows();
    for (Sample& sample : samples) sample.teacherImageBytes.clear(), sample.teacherImagePaths.clear(), sample.teacherTurns.clear(), sample.cue = "A shape in the corner.";
    write(path("run.jsonl"), samples);
    const Finished before = finish(config);
    config.trainer.name = "shown";
    write(path("run.jsonl"), rows());
    const Finished after = finish(config);
    QCOMPARE(after.drawn, before.drawn);
    QCOMPARE(after.steps.back()->metrics.at("distillation/teacher_prompt_hit_rate"), 1.0);
    for (std::size_t i = 0; i < 2; ++i) {  // the first step: of the same weights
      QCOMPARE(after.rollouts[i].ids, before.rollouts[i].ids);
      QCOMPARE(after.rollouts[i].teacherLogProbs != before.rollouts[i].teacherLogProbs, i == 1);
    }
  }

  void otherProgramsGetTheTeachersViewAsItStands_data() { kinds(); }
  void otherProgramsGetTheTeachersViewAsItStands() {
    QFETCH(QString, name);
    const std::string file = path("kept-" + name.toStdString());
    const std::vector<Sample> samples = rows();
    write(file, samples);
    for (const char* kind : {".jsonl", ".parquet"}) {
      if (!haveParquet() && kind == std::string(".parquet")) continue;
      const std::string output = path("sent-" + name.toStdString() + kind);
      exportRows(file, output, true, {}, {});
      const Dataset sent = Dataset::open({output});
      QCOMPARE(sent.row(1).teacherTurns[0].text, samples[1].prompt[0].text + "\n[Hint]: " + samples[1].cue);
      QCOMPARE(sent.row(1).teacherImageBytes, samples[1].teacherImageBytes);
      QCOMPARE(sent.row(2).teacherTurns[0].text, samples[2].teacherTurns[0].text);
      QCOMPARE(sent.row(2).teacherImagePaths, samples[2].teacherImagePaths);
      QVERIFY(!sent.row(0).hasTeacherPictures());
    }
  }

  void numbersThatDoNotFitAndDamageAreSaid() {
    std::vector<Sample> samples = rows();
    samples[2].teacherTurns.clear();                             // two pictures in the places of one
    samples[0].teacherTurns = {{"user", "<image><image>What?"}};  // two places, one picture
    samples[1].teacherImageBytes[0].resize(600);                 // cut
    const std::string file = path("wrong.jsonl");
    write(file, samples);
    const auto why = [&](std::int64_t row) -> std::string {
      try {
        Dataset::open({file}).row(row);
      } catch (const Error& error) {
        return error.failure().why;
      }
      return {};
    };
    QVERIFY2(why(2).find("2 teacher_images for 1 images") != std::string::npos, why(2).c_str());
    QVERIFY2(why(0).find("teacher_prompt has 2 <image> marks, the row has 1 images") != std::string::npos, why(0).c_str());
    RunConfig config = this->config("wrong", {file});
    config.data.maxPromptLength = 400;
    const DataVerdict verdict = checkRows({}, config, {}, {});
    QCOMPARE(verdict.dropped.at(kUnreadable), std::int64_t(3));
    QCOMPARE(verdict.kept, std::int64_t(1));
  }

 private:
  static void kinds() {
    QTest::addColumn<QString>("name");
    QTest::newRow("jsonl") << "rows.jsonl";
    if (haveParquet()) QTest::newRow("parquet") << "rows.parquet";
  }
};

QTEST_GUILESS_MAIN(TestTeacherPictures)
#include "tst_teacher_pictures.moc"
