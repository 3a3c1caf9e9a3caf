// Scores, intervals and the board: known values, and files that come back as they were written.
#include "engine/core/board.h"
#include "engine/core/evaluation.h"
#include "engine/core/evaluation_file.h"
#include "engine/core/failure.h"
#include "engine/core/run_directory.h"

#include <QtTest/QtTest>
#include <cmath>
#include <filesystem>
#include <fstream>

using namespace cuescope;
namespace fs = std::filesystem;

namespace {

EvaluatedSample sampleOf(std::int64_t index, const std::string& kind, std::vector<double> accuracies) {
  EvaluatedSample sample;
  sample.index = index;
  sample.kind = kind;
  sample.dataSource = "made up";
  for (const double accuracy : accuracies) {
    EvaluatedAnswer answer;
    answer.accuracy = accuracy;
    answer.format = 1;
    answer.ids = {1, 2};
    sample.answers.push_back(answer);
  }
  return sample;
}

}  // namespace

class TestEvaluation : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> m_folder;

  /// A run with a setting, a seed and its last evaluation.
  std::string run(const std::string& name, const std::string& yaml, double accuracy) {
    const std::string directory = m_folder->path().toStdString() + "/runs/" + name;
    fs::create_directories(directory);
    std::ofstream(directory + "/config.yaml") << yaml;
    std::ofstream(directory + "/status.json") << R"({"run": "x", "state": "completed", "step": 10, "total_steps": 10})";
    std::ofstream(directory + "/metrics.jsonl") << "{\"step\": 0, \"val/n\": 100, \"val/accuracy\": 0.1}\n{\"step\": 10, \"val/n\": 100, \"val/accuracy\": " << accuracy << "}\n";
    return directory;
  }

 private Q_SLOTS:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void wilsonsIntervalHasItsPublishedValue() {
    const Interval i = wilsonInterval(5, 10);  // Brown, Cai, DasGupta 2001: 0.237 to 0.763
    QVERIFY(std::abs(i.low - 0.2366) < 1e-4 && std::abs(i.high - 0.7634) < 1e-4);
    QVERIFY(wilsonInterval(0, 20).low < 1e-12);
  }

  void passAtKIsTheShareOfSubsetsWithARightAnswer() {
    QCOMPARE(passAtK(4, 1, 1), 0.25);
    QCOMPARE(passAtK(4, 1, 2), 0.5);      // 3 of 6 pairs hold it
    QCOMPARE(passAtK(5, 2, 3), 0.9);      // 1 of 10 triples holds none
    QCOMPARE(passAtK(4, 4, 2), 1.0);
    QCOMPARE(passAtK(4, 0, 4), 0.0);
    QCOMPARE(passAtK(2, 2, 3), 0.0);      // there are not three
  }

  void threeSeedsTakeStudentsInterval() {
    const Interval i = meanOfSeeds({0.5, 0.6, 0.7});
    QCOMPARE(i.value, 0.6);
    QVERIFY(std::abs((i.high - i.value) - 4.303 * 0.1 / std::sqrt(3.0)) < 1e-9);
    QVERIFY(std::isnan(meanOfSeeds({0.5}).low));
  }

  void theBootstrapHoldsTheMeanAndRepeatsItself() {
    std::vector<double> values;
    for (int i = 0; i < 200; ++i) values.push_back(i % 4 == 0 ? 1.0 : 0.25);
    const Interval a = bootstrapMean(values), b = bootstrapMean(values);
    QCOMPARE(a.low, b.low);
    QVERIFY(a.low < a.value && a.value < a.high);
    QVERIFY(std::abs((a.high - a.low) / 2 - 1.96 * 0.3248 / std::sqrt(200.0)) < 0.01);
  }

  void scoresAreByGroupAndLeaveOutRowsWithAProblem() {
    std::vector<EvaluatedSample> samples = {sampleOf(0, "sum", {1, 0}), sampleOf(1, "sum", {0, 0}), sampleOf(2, "digit", {1, 1}), sampleOf(3, "digit", {})};
    samples[3].problem = "too long";
    const auto scores = scoresOf(samples, 2);
    QCOMPARE(scores[0].group, std::string("all"));
    QCOMPARE(scores[0].accuracy.n, std::int64_t(3));
    QCOMPARE(scores[0].accuracy.value, 0.5);
    QVERIFY(std::abs(scores[0].passAtK.value - 2.0 / 3) < 1e-12);
    QCOMPARE(scores[1].group, std::string("data_source"));
    QCOMPARE(scores[2].name, std::string("digit"));
    QCOMPARE(scores[2].accuracy.value, 1.0);
    QCOMPARE(scores[3].accuracy.value, 0.25);
    Evaluation e;
    e.samples = samples;
    e.scores = scores;
    e.dataName = "test";
    e.step = 7;
    e.answersPerRow = e.passK = 2;
    const std::string file = m_folder->path().toStdString() + "/e.json";
    std::ofstream(file) << scoresJson(e);
    const Evaluation back = readScores(file);
    QCOMPARE(back.dataName, e.dataName);
    QCOMPARE(back.step, 7);
    QCOMPARE(back.scores.size(), scores.size());
    QCOMPARE(back.scores[3].passAtK.value, scores[3].passAtK.value);
    QVERIFY(sampleLine(samples[3]).find("too long") != std::string::npos);
    std::ofstream(file) << "{}";
    QVERIFY_THROWS_EXCEPTION(Error, readScores(file));
  }

  void theBoardPutsSeedsOfASettingBesideEachOther() {
    const std::string val = "data: {val_files: [/x/test.parquet]}\n";
    const std::string opd = val + "student: {path: /m/weak}\nteacher: {path: /m/strong}\ntrainer: {seed: ";
    run("a", opd + "1}\n", 0.6);
    run("b", opd + "2}\n", 0.7);
    run("c", val + "student: {path: /m/weak, cue: {enabled: true}}\nteacher: {path: /m/strong, privilege: cue}\ntrainer: {seed: 1}\n", 0.8);
    run("d", val + "student: {path: /m/weak}\nteacher: {path: /m/weak, privilege: hint}\n", 0.4);
    std::ofstream(m_folder->path().toStdString() + "/runs/stray.txt") << "no run";
    const Board board = makeBoard({m_folder->path().toStdString() + "/runs"});
    QCOMPARE(board.settings, (std::vector<std::string>{"opsd", "opd", "opd + vicur"}));
    QCOMPARE(board.dataSets, std::vector<std::string>{"test"});
    const BoardCell& cell = board.cells[1][0];
    QCOMPARE(cell.values, (std::vector<double>{0.6, 0.7}));
    QVERIFY(std::abs(cell.mean.value - 0.65) < 1e-12);
    QCOMPARE(cell.intervalOf, std::string("seeds"));
    QCOMPARE(board.cells[2][0].intervalOf, std::string("rows"));
    QVERIFY(board.cells[2][0].mean.low > 0.7 && board.cells[2][0].mean.low < 0.8);
    QVERIFY(boardText(board).find("opd + vicur  1      80.0 (") != std::string::npos);
    QVERIFY(boardMarkdown(board).find("| opd | 2 | 65.0 (") != std::string::npos);
    QCOMPARE(QString::fromStdString(boardCsv(board)).count('\n'), 5);
    QVERIFY(boardSvg(board).find("</svg>") != std::string::npos);
    QVERIFY_THROWS_EXCEPTION(Error, makeBoard({m_folder->path().toStdString()}));
  }

  void runsOfOtherModelsAreAnotherRow() {
    for (const auto& [name, teacher] : std::vector<std::pair<std::string, std::string>>{{"a", "strong"}, {"b", "middle"}})
      run(name, "student: {path: /m/weak}\nteacher: {path: /m/" + teacher + "}\ndata: {val_files: [/x/test.parquet]}\n", 0.6);
    QCOMPARE(makeBoard({m_folder->path().toStdString() + "/runs"}).settings, (std::vector<std::string>{"opd, weak <- strong", "opd, weak <- middle"}));
  }

  void onlySeedsShareARowAndTheSameSeedTwiceIsOne() {
    const std::string base = "student: {path: /m/weak}\nteacher: {path: /m/strong}\ndata: {val_files: [/x/test.parquet], train_files: [/x/train.parquet]}\ntrainer: {";
    run("a", base + "seed: 1, total_training_steps: 10, experiment_name: a}\n", 0.6);
    run("a-2", base + "seed: 1, total_training_steps: 10, experiment_name: a-2, save_freq: 7}\n", 0.6);
    run("b", base + "seed: 2, total_training_steps: 10}\n", 0.7);
    run("c", base + "seed: 3, total_training_steps: 20}\n", 0.9);
    run("d", base + "seed: 4, total_training_steps: 10}\nactor: {optim: {lr: 0.5}}\n", 0.2);
    const Board board = makeBoard({m_folder->path().toStdString() + "/runs"});
    QCOMPARE(board.settings.size(), std::size_t(3));
    QVERIFY2(board.settings[0].starts_with("opd, ") && board.settings[0].find("steps 10") != std::string::npos, board.settings[0].c_str());
    QCOMPARE(board.cells[0][0].seeds, (std::vector<std::uint64_t>{1, 2}));
    QCOMPARE(board.cells[0][0].values, (std::vector<double>{0.6, 0.7}));
    QVERIFY(board.cautions[0].empty());
    QVERIFY2(board.cautions[1].find("steps 20 where most rows have 10") != std::string::npos, board.cautions[1].c_str());
    QVERIFY2(board.cautions[2].find("lr 0.5") != std::string::npos, board.cautions[2].c_str());
    QVERIFY(std::any_of(board.notes.begin(), board.notes.end(), [](const auto& note) { return note.find("a-2: the same setting and seed 1 as a") == 0; }));
    const std::string text = boardText(board), csv = boardCsv(board), svg = boardSvg(board);
    QVERIFY(text.find(board.settings[1] + " \u25b3") != std::string::npos && text.find(board.settings[0] + " \u25b3") == std::string::npos);
    QVERIFY(text.find("\u25b3 " + board.settings[1] + ": " + board.cautions[1]) != std::string::npos);
    QVERIFY(boardMarkdown(board).find(board.settings[1] + " \u25b3 |") != std::string::npos);
    QVERIFY(csv.find("steps 20 where most rows have 10") != std::string::npos);
    QVERIFY(svg.find(board.settings[1] + " \u25b3<") != std::string::npos && svg.find("not the same experiment") != std::string::npos);
  }

  void filesOfOneNameAreTwoColumnsWhenTheyAreNotTheSame() {
    for (const auto& [name, digest] : std::vector<std::pair<std::string, std::string>>{{"a", "1111111111"}, {"b", "2222222222"}}) {
      const std::string directory = run(name, "student: {path: /m/weak}\nteacher: {path: /m/strong}\ndata: {val_files: [/" + name + "/test.parquet]}\ntrainer: {seed: " + (name == "a" ? "1" : "2") + ", total_training_steps: 10}\n", 0.6);
      std::ofstream(directory + "/provenance.json") << "{\"starts\": [{\"data\": [{\"file\": \"/x/test.parquet\", \"use\": \"val\", \"xxh3\": \"" << digest << "\"}]}]}";
    }
    const Board board = makeBoard({m_folder->path().toStdString() + "/runs"});
    QCOMPARE(board.dataSets, (std::vector<std::string>{"test (111111)", "test (222222)"}));
    QCOMPARE(board.settings.size(), std::size_t(1));
    QCOMPARE(board.cells[0][0].seeds, std::vector<std::uint64_t>{1});
    // An evaluation that was made on another file of that name is a column too, and does not hide the run's own number.
    const std::string directory = m_folder->path().toStdString() + "/runs/a";
    fs::create_directories(directory + "/evaluations");
    Evaluation e;
    e.samples = {sampleOf(0, "sum", {1})};
    e.scores = scoresOf(e.samples, 1);
    e.dataName = "test";
    e.dataDigest = "3333333333";
    e.privilege = "none";
    e.decoding = "greedy";
    e.step = 5;
    std::ofstream(directory + "/evaluations/test.json") << scoresJson(e);
    const BoardRun read = readBoardRun(directory);
    QCOMPARE(read.accuracy.at("test").value, 0.6);
    QCOMPARE(read.accuracy.at("test (333333)").value, 1.0);
    QCOMPARE(read.evaluatedAt.at("test (333333)"), 5);
    const Board more = makeBoard({m_folder->path().toStdString() + "/runs"});
    const auto column = std::size_t(std::find(more.dataSets.begin(), more.dataSets.end(), "test (333333)") - more.dataSets.begin());
    QCOMPARE(more.cells[0][column].caution, std::string("evaluated at step 5 of 10"));
    QVERIFY(boardText(more).find("100.0 (20.7 to 100.0) \u25b3") != std::string::npos);
  }

  Evaluation sampledOnThreeRows() {
    Evaluation e;
    e.samples = {sampleOf(0, "sum", {1, 0}), sampleOf(1, "sum", {0, 0}), sampleOf(2, "color", {})};
    e.samples[0].file = "/data/held-out.jsonl", e.samples[0].fileRow = 7, e.samples[0].id = "row-7", e.samples[0].question = "How many \"red\" ones?", e.samples[0].groundTruth = "two";
    e.samples[0].answers[0].text = "Two lines\nand \\boxed{two}", e.samples[0].answers[0].boxed = "two", e.samples[0].answers[0].logProb = -1.5f;
    e.samples[2].problem = "the picture is missing";
    e.model.folder = "/runs/a/checkpoints/step-000010", e.model.name = "a, step 10";
    e.files = {"/data/held-out.jsonl"};
    e.dataName = "held-out", e.dataDigest = "3333333333", e.decoding = "temperature 0.7, top-p 1, top-k 0, seed 4", e.privilege = "none";
    e.answersPerRow = 2, e.passK = 2, e.step = 10, e.skipped = 1;
    e.scores = scoresOf(e.samples, 2);
    return e;
  }

  void anEvaluationComesBackFromEitherOfItsFiles() {
    const std::string file = m_folder->path().toStdString() + "/kept.jsonl";
    const Evaluation e = sampledOnThreeRows();
    writeEvaluation(file, e);
    QVERIFY(isEvaluationFile(file) && isEvaluationFile(scoresFileOf(file)));
    for (const std::string& each : {file, scoresFileOf(file)}) {
      const Evaluation read = readEvaluation(each);
      QCOMPARE(scoresJson(read), scoresJson(e));
      QCOMPARE(read.samples.size(), e.samples.size());
      for (std::size_t i = 0; i < e.samples.size(); ++i) QCOMPARE(sampleLine(read.samples[i]), sampleLine(e.samples[i]));
    }
    // Without the scores' file they are computed again; who answered is not known then.
    fs::remove(scoresFileOf(file));
    const Evaluation alone = readEvaluation(file);
    QCOMPARE(alone.all().accuracy.value, e.all().accuracy.value);
    QCOMPARE(alone.answersPerRow, 2);
    QCOMPARE(alone.skipped, std::int64_t{1});
    QCOMPARE(alone.dataName, std::string("held-out"));
    QVERIFY(alone.model.folder.empty() && alone.decoding.empty());
  }

  void readingTellsHowFarItIsAndIsCancelled() {
    const std::string file = m_folder->path().toStdString() + "/long.jsonl";
    Evaluation e = sampledOnThreeRows();
    const auto three = e.samples;
    while (e.samples.size() < 1500) e.samples.insert(e.samples.end(), three.begin(), three.end());
    writeEvaluation(file, e);
    std::vector<double> done;
    std::stop_source source;
    const auto sink = [&](const Event& event) {
      const auto& progress = std::get<Progress>(event);
      QVERIFY(progress.total == double(fs::file_size(file)) && progress.done <= progress.total);
      done.push_back(progress.done);
    };
    QCOMPARE(readEvaluation(file, sink).samples.size(), e.samples.size());
    QVERIFY(done.size() >= 4 && std::is_sorted(done.begin(), done.end()));
    done.clear();
    QVERIFY_THROWS_EXCEPTION(Cancelled, readEvaluation(file, [&](const Event&) { done.push_back(0), source.request_stop(); }, source.get_token()));
    QCOMPARE(done.size(), std::size_t(1));  // it went no further
  }

  void aDamagedLineIsNamedAndOtherFilesAreNoEvaluation() {
    const std::string folder = m_folder->path().toStdString(), file = folder + "/kept.jsonl";
    writeEvaluation(file, sampledOnThreeRows());
    std::ofstream(file, std::ios::app) << "{\"index\": 3, \"answers\": [{\n";
    try {
      readEvaluation(file);
      QFAIL("a damaged line was read");
    } catch (const Error& error) {
      QVERIFY2(error.failure().where.find("kept.jsonl, line 4") != std::string::npos, error.failure().where.c_str());
    }
    std::ofstream(folder + "/data.jsonl") << "{\"prompt\": [], \"images\": []}\n";
    std::ofstream(folder + "/config.json") << "{\"model_type\": \"qwen3_vl\"}";
    std::ofstream(folder + "/rollouts.jsonl") << "{\"input\": \"a\", \"output\": \"b\", \"gts\": \"c\"}\n";
    for (const char* other : {"/data.jsonl", "/config.json", "/rollouts.jsonl", "/nowhere.jsonl"}) QVERIFY2(!isEvaluationFile(folder + other), other);
  }

  void whatARunKeepsOfAnEvaluationIsOnTheBoardAndOpensAgain() {
    const std::string directory = run("a", "student: {path: /m/weak}\nteacher: {path: /m/strong}\ndata: {val_files: [/x/test.parquet]}\ntrainer: {total_training_steps: 10}\n", 0.6);
    Evaluation e = sampledOnThreeRows();
    const std::string kept = keepInRunFolder(e, directory);
    QVERIFY2(kept.ends_with("evaluations/held-out-sampled-step-10.json"), kept.c_str());
    QCOMPARE(readBoardRun(directory).accuracy.at("held-out, " + e.decoding).value, 0.25);
    const Evaluation read = readEvaluation(kept);
    QCOMPARE(read.samples.size(), e.samples.size());
    QCOMPARE(read.model.folder, e.model.folder);
    // The same again goes over itself; other data or another temperature do not.
    QCOMPARE(keepInRunFolder(e, directory), kept);
    Evaluation colder = e;
    colder.decoding = "temperature 0.2, top-p 1, top-k 0, seed 4";
    const std::string other = keepInRunFolder(colder, directory);
    QVERIFY(other != kept && readEvaluation(kept).decoding == e.decoding);
    QCOMPARE(readBoardRun(directory).accuracy.count("held-out, " + colder.decoding), std::size_t(1));
    // What the board cannot compare is not kept there.
    Evaluation helped = e;
    helped.privilege = "cue";
    QCOMPARE(keepInRunFolder(helped, directory), std::string());
    QCOMPARE(keepInRunFolder(e, m_folder->path().toStdString()), std::string());
  }

  void anEvaluationAloneIsTheBase() {
    run("base", "student: {path: /m/weak}\ndata: {val_files: [/x/test.parquet]}\ntrainer: {val_only: true}\n", 0.4);
    run("a", "student: {path: /m/weak}\nteacher: {path: /m/strong}\ndata: {val_files: [/x/test.parquet]}\ntrainer: {total_training_steps: 10}\n", 0.6);
    const Board board = makeBoard({m_folder->path().toStdString() + "/runs"});
    QCOMPARE(board.settings, (std::vector<std::string>{"base", "opd"}));
    QVERIFY(board.cautions[0].empty() && board.cautions[1].empty());
  }

  void aSeparateEvaluationIsReadFromTheRun() {
    const std::string directory = run("a", "student: {path: /m/weak}\nteacher: {path: /m/strong}\ndata: {val_files: [/x/test.parquet]}\n", 0.6);
    fs::create_directories(directory + "/evaluations");
    Evaluation e;
    e.samples = {sampleOf(0, "sum", {1}), sampleOf(1, "sum", {0})};
    e.scores = scoresOf(e.samples, 1);
    e.dataName = "ood";
    e.decoding = "greedy";
    e.privilege = "none";
    std::ofstream(directory + "/evaluations/ood.json") << scoresJson(e);
    const BoardRun read = readBoardRun(directory);
    QCOMPARE(read.accuracy.size(), std::size_t(2));
    QCOMPARE(read.accuracy.at("ood").value, 0.5);
    QCOMPARE(read.accuracy.at("test").value, 0.6);
  }
};

QTEST_GUILESS_MAIN(TestEvaluation)
#include "tst_evaluation.moc"
