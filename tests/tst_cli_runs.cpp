// The verbs of cuescope-cli about data, evaluations and runs: eval, compare, board, runs, rollouts, data, plan.
#include "tests/support/cli_process.h"

#include <QTemporaryDir>
#include <cmath>

using namespace cuescope;
using test::golden;
using test::peakOf;
using test::Ran;
using test::readJson;
using test::run;
using Json = nlohmann::json;

/// How far a plan may be from the peak that is measured.
constexpr double kPlanError = 0.10;

class TestCliRuns : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_folder;
  QString path(const QString& name) const { return m_folder.filePath(name); }
  QString write(const QString& name, const QByteArray& bytes) const {
    QFile file(path(name));
    if (file.open(QIODevice::WriteOnly)) file.write(bytes);
    return path(name);
  }

 private Q_SLOTS:
  void evalJudgesAnswersAndTheirSumIsThatOfTheSamples() {
    const QString samples = path("samples.jsonl");
    const Ran greedy = run({"eval", "--model", "demo:student-weak", "--data", "demo:data/test.parquet", "--max-samples", "12", "--max-new", "40", "--output", samples, "--json"});
    QVERIFY2(greedy.code == 0, greedy.err);
    const Json scores = Json::parse(greedy.out.toStdString());
    QCOMPARE(scores["decoding"].get<std::string>(), std::string("greedy"));
    QCOMPARE(scores["data"].get<std::string>(), std::string("test"));
    QFile file(samples);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto lines = file.readAll().trimmed().split('\n');
    QCOMPARE(lines.size(), 12);
    double right = 0;
    for (const auto& line : lines) {
      const Json sample = Json::parse(line.toStdString());
      QVERIFY(!sample["answers"].empty() && !sample["answers"][0]["output"].get<std::string>().empty());
      right += sample["answers"][0]["acc"].get<double>();
    }
    const Json& all = scores["scores"][0];
    QCOMPARE(all["group"].get<std::string>(), std::string("all"));
    QCOMPARE(all["accuracy"]["n"].get<int>(), 12);
    QVERIFY(std::abs(all["accuracy"]["value"].get<double>() - right / 12) < 1e-9);
    QVERIFY(right > 0 && right < 12);  // the weak student knows some of it
    QFile beside(path("samples.scores.json"));  // who answered, how, and the scores: the window opens the whole of it
    QVERIFY(beside.open(QIODevice::ReadOnly));
    Json kept = Json::parse(beside.readAll().toStdString());
    QCOMPARE(kept["scores"], scores["scores"]);
    QVERIFY(kept["model"]["folder"].get<std::string>().find("student-weak") != std::string::npos);
    // Sampled, with pass@2: the same seed gives the same, and two answers are at least as good as one.
    const QStringList sampled{"eval", "--model", "demo:student-weak", "--data", "demo:data/test.parquet", "--max-samples", "6", "--max-new", "40", "--temperature", "1", "--seed", "4", "--pass-at", "2", "--json"};
    const Ran one = run(sampled), two = run(sampled);
    QVERIFY2(one.code == 0, one.err);
    Json a = Json::parse(one.out.toStdString()), b = Json::parse(two.out.toStdString());
    QCOMPARE(a["scores"], b["scores"]);
    QCOMPARE(a["answers_per_row"].get<int>(), 2);
    QVERIFY(a["scores"][0]["pass_at_k"]["value"].get<double>() >= a["scores"][0]["accuracy"]["value"].get<double>());
    QCOMPARE(run({"eval", "--model", "demo:student-weak", "--data", path("nothing.parquet")}).code, 1);
  }

  void boardComparesRunsThatWereTrainedAndEvaluated() {
    const QString runs = path("board-runs");
    QByteArray accuracies;
    for (const QString seed : {"1", "2"}) {
      const Ran trained = run({"train", "demo:../presets/demo/opsd.yaml", "trainer.default_local_dir=" + runs, "trainer.experiment_name=board-" + seed, "trainer.seed=" + seed, "trainer.total_training_steps=1",
                               "data.train_batch_size=2", "data.val_max_samples=4", "trainer.test_freq=0", "trainer.val_before_train=false", "trainer.probe_freq=0", "trainer.save_freq=0", "--json"});
      QVERIFY2(trained.code == 0, trained.err);
      const Ran judged = run({"eval", "--model", runs + "/board-" + seed, "--data", "demo:data/examples.jsonl", "--max-new", "40", "--json"});
      QVERIFY2(judged.code == 0, judged.err);
      accuracies += QByteArray::fromStdString(Json::parse(judged.out.toStdString())["scores"][0]["accuracy"]["value"].dump()) + " ";
    }
    const Ran board = run({"board", runs, "--csv", path("board.csv"), "--svg", path("board.svg"), "--json"});
    QVERIFY2(board.code == 0, board.err);
    const Json cells = Json::parse(board.out.toStdString())["cells"];
    QCOMPARE(cells.size(), std::size_t(1));
    QCOMPARE(cells[0]["data"].get<std::string>(), std::string("examples"));
    QCOMPARE(cells[0]["seeds"].dump(), std::string("[1,2]"));
    QByteArray listed;
    for (const auto& value : cells[0]["accuracy"]) listed += QByteArray::fromStdString(value.dump()) + " ";
    QCOMPARE(listed, accuracies);
    QFile csv(path("board.csv")), svg(path("board.svg"));
    QVERIFY(csv.open(QIODevice::ReadOnly) && svg.open(QIODevice::ReadOnly));
    QCOMPARE(csv.readAll().trimmed().split('\n').size(), 3);  // a header and two seeds
    QVERIFY(svg.readAll().contains("<svg"));
    QVERIFY(run({"board", runs}).out.contains("examples"));
    QVERIFY(run({"board", runs, "--markdown"}).out.contains("|---|"));
    const Ran none = run({"board", path("board-none")});
    QCOMPARE(none.code, 1);
    QVERIFY2(none.err.contains("board-none"), none.err);
  }

  void dataCheckSaysWhatARunWouldLeaveOutAndTheRunDoes() {
    const auto row = [](int i, const QByteArray& image, const QByteArray& question) {
      return "{\"id\":\"r" + QByteArray::number(i) + "\",\"prompt\":[{\"role\":\"user\",\"content\":\"<image>" + question + "\"}],\"images\":[{\"path\":\"" + image +
             "\"}],\"reward_model\":{\"style\":\"rule\",\"ground_truth\":\"red\"},\"cue\":\"Look at the center.\"}\n";
    };
    const QByteArray good = QByteArray(CUESCOPE_RESOURCES "/demo/data/example-1.png");
    const QString file = write("checked.jsonl", row(0, good, "What color is it?") + row(1, good, QByteArray("What color is it? ").repeated(60)) + row(2, "nowhere.png", "What color is it?") +
                                                    "this is no JSON\n" + row(4, good, "What shape is it?"));
    write("checked.jsonl.edits.jsonl",
          "{\"row\":4,\"id\":\"r4\",\"cue\":\"Look left.\",\"evidence\":[{\"kind\":\"crop\",\"x\":0,\"y\":0,\"w\":64,\"h\":64,\"label\":\"\",\"from\":\"edited\"}],"
          "\"provenance\":{\"how\":\"edited\",\"by\":\"ann\",\"at\":\"\",\"changes\":1},\"original\":{\"cue\":\"Look at the center.\",\"evidence\":[]}}\n");
    const QStringList settings{"data.max_prompt_length=128", "teacher.privilege=cue"};
    QStringList check{"data", "check", file, "--model", "demo:student-weak", "--json"};
    for (const QString& setting : settings) check << "--set" << setting;
    const Ran checked = run(check);
    QVERIFY2(checked.code == 0, checked.err);
    const Json verdict = Json::parse(checked.out.toStdString());
    QCOMPARE(verdict["rows"].get<int>(), 5);
    QCOMPARE(verdict["kept"].get<int>(), 2);
    QCOMPARE(verdict["dropped"].dump(), std::string("{\"prompt too long\":1,\"unreadable\":2}"));
    QCOMPARE(verdict["cue_edits"][0]["rows"].get<int>(), 1);
    QCOMPARE(verdict["cue_edits"][0]["crops"].get<int>(), 1);
    QVERIFY(verdict["cue_edits"][0]["applied"].get<bool>());
    QCOMPARE(verdict["problems"].size(), std::size_t(3));
    const Json& lint = verdict["lint"][0];  // with the lengths of the run's own processors
    QCOMPARE(lint["complaints"].get<int>(), 3);
    QCOMPARE(lint["by_check"]["Readable"].get<int>(), 2);
    QCOMPARE(lint["by_check"]["Length"].get<int>(), 1);
    QCOMPARE(lint["found"][0]["row"].get<int>(), 1);
    QCOMPARE(lint["found"][0]["words"].get<std::string>(), std::string("prompt too long"));
    check.removeLast();
    check << "teacher.privilege=cue" << "--set" << "data.bad_rows=stop";
    const Ran stops = run(check);
    QCOMPARE(stops.code, 1);
    QVERIFY(Json::parse(stops.out.toStdString())["stops"].get<std::string>().find("row 2") != std::string::npos);
    // The run says the same.
    QStringList train{"train", "demo:../presets/demo/opsd_vicur.yaml", "trainer.default_local_dir=" + path("checked-runs"), "data.train_files=[" + file + "]", "trainer.total_training_steps=1",
                      "data.train_batch_size=2", "trainer.test_freq=0", "trainer.val_before_train=false", "trainer.probe_freq=0", "trainer.save_freq=0", "--json"};
    train << settings;
    const Ran trained = run(train);
    QVERIFY2(trained.code == 0, trained.err);
    QVERIFY2(trained.err.contains("Left out 3 of 5 training rows: 1 prompt too long, 2 unreadable"), trained.err);
    QVERIFY2(trained.err.contains("Cue edits of 1 rows"), trained.err);
    const Json step = Json::parse(trained.out.split('\n').at(0).toStdString());
    QCOMPARE(step["metrics"]["data/left_out/unreadable"].get<double>(), 2.0);
    // The edited rows for other programs; a row that cannot be read is named.
    const Ran broken = run({"data", "export", file, "--output", path("out.jsonl")});
    QCOMPARE(broken.code, 1);
    QVERIFY2(broken.err.contains("row 3") && !QFile::exists(path("out.jsonl")), broken.err);
    const QString whole = write("whole.jsonl", row(0, good, "What color is it?"));
    const Ran exported = run({"data", "export", whole, "--output", path("out.jsonl"), "--for-verl", "--json"});
    QVERIFY2(exported.code == 0, exported.err);
    QCOMPARE(Json::parse(exported.out.toStdString())["teacher_prompts"].get<int>(), 1);
    QCOMPARE(readJson(path("out.jsonl"))["teacher_prompt"][0]["content"].get<std::string>(), std::string("<image>What color is it?\n[Hint]: Look at the center."));
  }

  void aCueIsShownWrittenSuggestedAndTakenBack() {
    const QByteArray picture = QByteArray(CUESCOPE_RESOURCES "/demo/data/example-1.png");
    const QString file = write("cues.jsonl", "{\"id\":\"r0\",\"prompt\":[{\"role\":\"user\",\"content\":\"<image>What color is it?\"}],\"images\":[{\"path\":\"" + picture +
                                                 "\"}],\"reward_model\":{\"style\":\"rule\",\"ground_truth\":\"red\"},\"cue\":\"Look at the center.\",\"evidence\":[{\"image\":0,\"x\":150,\"y\":0,\"w\":60,\"h\":20}]}\n");
    const QString beside = file + ".edits.jsonl";
    const auto cue = [&](const QStringList& more) { return run(QStringList{"data", "cue", file, "0", "--json"} + more); };
    const auto words = [](const Json& shown) {
      QStringList list;
      for (const auto& finding : shown["lint"])
        if (finding["verdict"] != "fine") list << QString::fromStdString(finding["words"]);
      return list;
    };
    Json shown = Json::parse(cue({}).out.toStdString());
    QCOMPARE(shown["cue"].get<std::string>(), std::string("Look at the center."));
    QCOMPARE(words(shown), QStringList{"box outside"});
    QVERIFY(!QFile::exists(beside));
    shown = Json::parse(cue({"--text", "Solve it: the shape is RED."}).out.toStdString());
    QCOMPARE(words(shown), (QStringList{"answer in cue", "theorem word", "box outside"}));
    QVERIFY(shown["edited"].get<bool>() && shown["original"] == "Look at the center." && shown["how"] == "edited");
    QCOMPARE(Json::parse(cue({}).out.toStdString())["cue"], shown["cue"]);  // it was kept
    const Ran check = run({"data", "check", file, "--model", "demo:student-weak"});
    QVERIFY2(check.out.contains("cues.jsonl: Answer in cue 1, Theorem words 1, Boxes 1"), check.out);
    const Ran suggested = cue({"--suggest", "demo:teacher-strong"});
    QVERIFY2(suggested.code == 0, suggested.err);
    shown = Json::parse(suggested.out.toStdString());
    QVERIFY(!shown["cue"].get<std::string>().empty() && shown["how"] == "suggested");
    QVERIFY(QFile::exists(beside));
    QVERIFY(!Json::parse(cue({"--original"}).out.toStdString())["edited"].get<bool>());
    QVERIFY(!QFile::exists(beside));
    const Ran none = run({"data", "cue", file, "7"});
    QCOMPARE(none.code, 1);
    QVERIFY2(none.err.contains("row 7") && none.err.contains("1 rows"), none.err);
  }

  void twoEvaluationsAreComparedRowByRow() {
    const auto judge = [&](const QString& model, const QString& name, const QString& rows) { return run({"eval", "--model", model, "--data", "demo:data/test.parquet", "--max-samples", rows, "--max-new", "40", "--output", path(name), "--json"}); };
    const Ran strong = judge("demo:teacher-strong", "strong.jsonl", "12"), weak = judge("demo:student-weak", "weak.jsonl", "10");
    QVERIFY2(strong.code == 0 && weak.code == 0, strong.err + weak.err);
    const Ran compared = run({"compare", path("strong.jsonl"), path("weak.jsonl"), "--json"});
    QVERIFY2(compared.code == 0, compared.err);
    const Json both = Json::parse(compared.out.toStdString());
    QCOMPARE(both["rows"].get<int>(), 10);  // of those that both were asked
    QCOMPARE(both["only_a"].get<int>() + both["only_b"].get<int>() + both["both"].get<int>() + both["neither"].get<int>(), 10);
    double difference = 0;
    for (const auto& sample : both["samples"]) difference += (sample["a"].get<double>() - sample["b"].get<double>()) / 10;
    QVERIFY(std::abs(both["difference"].get<double>() - difference) < 1e-9 && difference > 0);
    QVERIFY(both["mcnemar_p"].get<double>() > 0 && both["mcnemar_p"].get<double>() <= 1);
    QVERIFY(both["conditions"].empty());
    QVERIFY(run({"compare", path("strong.jsonl"), path("weak.jsonl")}).out.contains("McNemar, exact"));
    QCOMPARE(run({"compare", path("strong.jsonl"), write("odd.jsonl", "no samples\n")}).code, 1);
  }

  void runsAndTheirResponsesAreListed() {
    const QString folder = path("listed");
    const Ran trained = run({"train", "demo:../presets/demo/opsd.yaml", "trainer.default_local_dir=" + folder, "trainer.experiment_name=one", "trainer.total_training_steps=2", "data.train_batch_size=2",
                             "trainer.test_freq=0", "trainer.val_before_train=false", "trainer.probe_freq=0", "trainer.save_freq=1"});
    QVERIFY2(trained.code == 0, trained.err);
    const Ran listed = run({"runs", folder, "--json"});
    QVERIFY2(listed.code == 0, listed.err);
    const Json runs = Json::parse(listed.out.toStdString())["runs"];
    QCOMPARE(runs.size(), std::size_t(1));
    QCOMPARE(runs[0]["state"].get<std::string>(), std::string("completed"));
    QCOMPARE(runs[0]["step"].get<int>(), 2);
    QCOMPARE(runs[0]["checkpoints"].size(), std::size_t(2));
    QVERIFY(runs[0]["metrics"].contains("actor/grad_norm") && runs[0]["health"].is_array());
    QVERIFY(run({"runs", folder}).out.contains("checkpoints of steps"));

    const auto responses = [&](const QStringList& more) { return Json::parse(run(QStringList{"rollouts", folder + "/one", "--json"} + more).out.toStdString()); };
    const Json all = responses({});
    QCOMPARE(all["found"].get<int>(), 4);
    QCOMPARE(responses({"--step", "2"})["found"].get<int>(), 2);
    const Json sorted = responses({"--sort", "tokens", "--limit", "3"})["responses"];
    QCOMPARE(sorted.size(), std::size_t(3));
    for (std::size_t i = 1; i < sorted.size(); ++i) QVERIFY(sorted[i - 1]["tokens"].get<int>() >= sorted[i]["tokens"].get<int>());
    const QString id = QString::fromStdString(all["responses"][0]["id"]);
    QVERIFY(responses({"--find", id.toUpper()})["found"].get<int>() >= 1);
    QCOMPARE(responses({"--find", "words that nobody says"})["found"].get<int>(), 0);
    QVERIFY(run({"rollouts", folder + "/one"}).out.contains("4 of 4 responses"));
    const Ran none = run({"rollouts", folder});
    QCOMPARE(none.code, 1);
    QVERIFY2(none.err.contains("no N.jsonl lies there"), none.err);
  }

  void aPlanTellsTheMemoryOfTheDemo_data() {
    QTest::addColumn<QString>("preset");
    QTest::addColumn<QStringList>("settings");
    QTest::newRow("opd_vicur") << "opd_vicur" << QStringList{};
    QTest::newRow("opd, a larger teacher") << "opd" << QStringList{};
    QTest::newRow("grpo, no teacher") << "grpo" << QStringList{};
    QTest::newRow("opsd, a moving average") << "opsd" << QStringList{"teacher.kind=ema"};
    QTest::newRow("opsd, its own start") << "opsd" << QStringList{"teacher.kind=own_start"};
    QTest::newRow("opsd, its own start and the distance from it") << "opsd" << QStringList{"teacher.kind=own_start", "actor.kl_loss_coef=0.01"};
    QTest::newRow("opd, the distance from the start") << "opd" << QStringList{"actor.kl_loss_coef=0.01"};
    QTest::newRow("opd_vicur in bfloat16") << "opd_vicur" << QStringList{"actor.dtype=bfloat16"};
  }
  void aPlanTellsTheMemoryOfTheDemo() {
    QFETCH(QString, preset);
    QFETCH(QStringList, settings);
    const QTemporaryDir runs;
    settings = QStringList{"trainer.total_training_steps=3", "trainer.test_freq=0", "trainer.probe_freq=0", "trainer.save_freq=0",
                           "trainer.val_before_train=false", "trainer.default_local_dir=" + runs.path()} + settings;
    const QString config = QStringLiteral(CUESCOPE_RESOURCES "/presets/demo/") + preset + ".yaml";
    const Ran planned = run(QStringList{"plan", config, "--json"} + settings);
    QVERIFY2(planned.code == 0, planned.err.constData());
    const auto bytes = Json::parse(planned.out.toStdString()).at("peak_bytes").get<double>();
    const std::int64_t measured = peakOf(QStringList{"train", config} + settings);
    QVERIFY(measured > 0);
    QVERIFY2(std::abs(bytes / static_cast<double>(measured) - 1) <= kPlanError,
             qPrintable(QString("planned %1 MiB, measured %2 MiB\n").arg(bytes / (1 << 20)).arg(measured >> 20) + QString::fromUtf8(planned.out)));
  }
};

QTEST_GUILESS_MAIN(TestCliRuns)
#include "tst_cli_runs.moc"
