// A run that goes on: from any phase, from an earlier step, with what has changed named; what is kept of it, and what is exported.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/distill/kv_room.h"
#include "engine/distill/memory.h"
#include "engine/distill/planner.h"
#include "tests/support/golden.h"
#include "tests/support/tiny_run.h"

#include <QtTest/QtTest>

using namespace cuescope;
namespace fs = std::filesystem;
using test::advanceTo;
using test::numbersOf;
using test::openRun;
using test::rehearsalConfig;
using test::rows;
using test::sameBits;
using test::textOf;
using test::tinyConfig;
using test::watchedConfig;
using test::weightsAfter;
using test::weightsOf;

class TestResume : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> m_folder;
  std::string folder(const char* name) const { return m_folder->path().toStdString() + "/" + name; }
  std::vector<at::Tensor> m_unbroken;

 private Q_SLOTS:
  void initTestCase() {
    at::set_num_threads(1);
    m_folder = std::make_unique<QTemporaryDir>();
    m_unbroken = weightsAfter(tinyConfig(), folder("unbroken"));
  }

  void goingBackPutsLaterStepsAsideAsARunOfTheirOwn() {
    const std::string directory = folder("back");
    RunConfig config = rehearsalConfig();
    config.trainer.maxCkptToKeep = 0;
    {
      auto run = openRun(config, directory);
      while (run->advance({})) {
      }
    }
    const std::string model = textOf(checkpointFolder(directory, 3) + "/model.safetensors"), metrics = textOf(directory + "/metrics.jsonl"), third = textOf(directory + "/rollouts/3.jsonl");
    fs::create_directories(directory + "/captures/step-000002");
    std::ofstream(directory + "/captures/step-000002/row-0.capture") << "x";
    fs::create_directories(directory + "/evaluations");
    std::ofstream(directory + "/evaluations/held-out-step-3.json") << "y";
    std::ofstream(directory + "/evaluations/held-out-step-1.json") << "z";
    std::vector<std::string> log;
    for (const int times : {1, 2}) {
      const auto run = openRun(config, directory, checkpointFolder(directory, 1), [&](const Event& event) {
        if (auto line = std::get_if<LogLine>(&event)) log.push_back(line->text);
      });
      if (times == 1) continue;  // stopped before anything new is safe: nothing is lost, and nothing is put aside twice
      const std::string aside = directory + "/set-aside/steps-2-to-3";
      QVERIFY(RunReader::isRunDirectory(aside));
      QCOMPARE(textOf(checkpointFolder(aside, 3) + "/model.safetensors"), model);
      verifyCheckpoint(checkpointFolder(aside, 2));
      QCOMPARE(textOf(aside + "/metrics.jsonl"), metrics);
      QCOMPARE(textOf(aside + "/rollouts/3.jsonl"), third);
      QVERIFY(fs::exists(aside + "/captures/step-000002/row-0.capture") && fs::exists(aside + "/evaluations/held-out-step-3.json"));
      QVERIFY(fs::exists(directory + "/evaluations/held-out-step-1.json") && !fs::exists(directory + "/captures/step-000002"));
      QCOMPARE(RunReader(directory).newSteps().back()->step, 1);
      while (run->advance({})) {
      }
      QVERIFY(sameBits(weightsOf(*run), m_unbroken));
    }
    QCOMPARE(log.size(), std::size_t(1));
    QVERIFY2(log[0].find("step 1") != std::string::npos && log[0].find("set-aside/steps-2-to-3") != std::string::npos, log[0].c_str());
    QCOMPARE(std::distance(fs::directory_iterator(directory + "/set-aside"), fs::directory_iterator()), std::ptrdiff_t(1));
  }

  void leftInAnyPhaseTheRunGoesOnAsIfItNeverStopped_data() {
    QTest::addColumn<QString>("phase");
    QTest::addColumn<int>("step");
    QTest::addColumn<QString>("how");
    for (const int step : {0, 2})
      for (const char* phase : {"sample", "rollout", "score", "backward", "update", "evaluate", "probe", "publish"})
        for (const char* how : {"stop and save", "save and be killed", "be killed"}) {
          if (step == 0 && how == QByteArray("be killed")) continue;  // there is nothing to go on from yet
          QTest::addRow("%s in %s after step %d", how, phase, step) << phase << step << how;
        }
    for (const char* how : {"stop and save", "save and be killed"})
      for (const char* phase : {"evaluate", "probe", "publish", "save"}) QTest::addRow("%s in %s after the last step", how, phase) << phase << 3 << how;
  }
  void leftInAnyPhaseTheRunGoesOnAsIfItNeverStopped() {
    QFETCH(QString, phase);
    QFETCH(int, step);
    QFETCH(QString, how);
    const std::string whole = folder("watched");
    if (!fs::exists(whole)) {
      auto run = openRun(watchedConfig(), whole);
      while (run->advance({})) {
      }
    }
    RunConfig config = watchedConfig();
    if (how == "be killed") config.trainer.saveFreq = 1;
    const std::string directory = folder(QTest::currentDataTag());
    {
      auto run = openRun(config, directory);
      while (run->status().step < step || run->status().phase != phase.toStdString()) QVERIFY(run->advance({}));
      if (how == "stop and save") run->stop(true);
      if (how == "save and be killed") {
        run->checkpoint();
        if (phase == "evaluate" || phase == "publish")
          for (int i = 0; i < 4 && run->advance({}); ++i) {  // it went on for a while: that part is lost
          }
      }
    }
    auto run = openRun(config, directory, newestCheckpoint(directory));
    while (run->advance({})) {
    }
    QVERIFY(run->status().state == RunState::Completed);
    QCOMPARE(numbersOf(directory), numbersOf(whole));
    for (int n = 1; n <= 3; ++n) {
      const std::string name = std::to_string(n);
      QCOMPARE(textOf(directory + "/rollouts/" + name + ".jsonl"), textOf(whole + "/rollouts/" + name + ".jsonl"));
      QCOMPARE(textOf(directory + "/probes/" + name + ".json"), textOf(whole + "/probes/" + name + ".json"));
    }
    QCOMPARE(checkpointMetrics(checkpointFolder(directory, 3)).at("val/accuracy"), checkpointMetrics(checkpointFolder(whole, 3)).at("val/accuracy"));
    QVERIFY(textOf(checkpointFolder(directory, 3) + "/model.safetensors") == textOf(checkpointFolder(whole, 3) + "/model.safetensors"));
    QVERIFY(textOf(checkpointFolder(directory, 3) + "/trainer/optimizer.safetensors") == textOf(checkpointFolder(whole, 3) + "/trainer/optimizer.safetensors"));
  }

 private:
  /// A run as a person starts it, with data and models as files.
  RunConfig fileConfig(const std::string& name) const {
    RunConfig config = rehearsalConfig();
    config.trainer.directory = m_folder->path().toStdString();
    config.trainer.name = name;
    config.trainer.device = "cpu";
    config.student.path = golden::path("tiny-student-vicur");
    config.teacher.path = golden::path("tiny-teacher");
    config.data.trainFiles = {folder((name + ".jsonl").c_str())};
    std::vector<Sample> samples;
    for (std::int64_t i = 0; i < 4; ++i) samples.push_back(rows().row(i));
    writeJsonl(config.data.trainFiles[0], samples);
    return config;
  }
  static std::unique_ptr<Run> started(const RunConfig& config, std::vector<std::string>* log = nullptr) {
    return Run::open(config, {.device = "cpu", .dtype = "float32", .threads = 1}, [log](const Event& event) {
      if (auto line = std::get_if<LogLine>(&event); line && log) log->push_back(line->text);
    }, {});
  }

 private Q_SLOTS:
  void aRunThatGoesOnNamesWhatHasChangedAndDoesNotBecomeAnotherOneUnasked() {
    RunConfig config = fileConfig("changed");
    const std::string directory = folder("changed");
    {
      auto run = started(config);
      advanceTo(*run, 2);
    }
    config.trainer.resumeMode = "auto";
    const auto refusal = [](const RunConfig& changed) {
      try {
        started(changed);
      } catch (const Error& error) {
        return error.failure().why + " | " + error.failure().nextStep;
      }
      return std::string("it was not refused");
    };
    const auto starts = [&] { return nlohmann::json::parse(textOf(directory + "/provenance.json")).at("starts"); };
    RunConfig other = config;
    other.trainer.saveFreq = 2;  // how often it is written matters to nobody
    std::vector<std::string> log;
    { auto run = started(other, &log); }
    QVERIFY2(log.empty(), log.empty() ? "" : log[0].c_str());
    QCOMPARE(starts().size(), std::size_t(2));
    QVERIFY(starts()[0].at("from_step").get<int>() == 0);
    QVERIFY(starts()[1].at("from_step").get<int>() > 0 && starts()[1].at("changed").empty());

    other = config;
    other.data.trainBatchSize = 1;
    other.actor.lr = 2e-3;
    std::string why = refusal(other);
    QVERIFY2(why.find("data.train_batch_size was 2 and is 1") != std::string::npos && why.find("actor.optim.lr was 0.001 and is 0.002") != std::string::npos, why.c_str());
    QVERIFY2(why.find("changed:auto") != std::string::npos, why.c_str());
    other = config;
    other.teacher.path = golden::path("tiny-student");
    why = refusal(other);
    QVERIFY2(why.find("the teacher is another model") != std::string::npos, why.c_str());
    other = config;
    other.trainer.totalTrainingSteps = 4;  // at a constant rate nothing depends on how many there will be
    QCOMPARE(refusal(other), std::string("it was not refused"));

    writeJsonl(config.data.trainFiles[0], {rows().row(1), rows().row(0), rows().row(2), rows().row(3)});
    why = refusal(config);
    QVERIFY2(why.find("the training data are no longer the same (changed.jsonl, now changed.jsonl)") != std::string::npos, why.c_str());
    const std::size_t before = starts().size();
    config.trainer.resumeMode = "changed:auto";
    log.clear();
    {
      auto run = started(config, &log);
      QVERIFY(!log.empty() && log[0].find("the training data are no longer the same") != std::string::npos);
      QCOMPARE(resumePoint(directory).resumeMode, std::string("auto"));  // it was allowed once: resume asks again
    }
    QCOMPARE(starts().size(), before + 1);
    QVERIFY(starts().back().at("changed").dump().find("the training data are no longer the same") != std::string::npos);
    QVERIFY(starts()[0].at("from_step").get<int>() == 0);  // the record of its beginning is still there
  }

  void aBoundThatHoldsNoLongestResponseIsRefusedBeforeTheStart() {
    RunConfig config = fileConfig("bound");
    config.data.maxPromptLength = 20000;
    config.rollout.kvCacheMib = 1;
    const EngineOptions options{.device = "cpu", .dtype = "float32", .threads = 1};
    for (const std::function<void()>& ask : {std::function<void()>([&] { started(config); }), std::function<void()>([&] { planRun(config, options); })}) {
      try {
        ask();
        QFAIL("it was not refused");
      } catch (const Error& error) {
        QCOMPARE(error.failure().where, std::string("rollout.kv_cache_mib"));
        QVERIFY2(error.failure().why.find("a prompt of 20000 and a response of 4 tokens need") != std::string::npos && error.failure().why.find("the bound is 1") != std::string::npos, error.what());
      }
    }
    QVERIFY(!fs::exists(folder("bound")));  // nothing was begun
    config.rollout.kvCacheMib = 0;
    started(config);
  }

  void theBoundOfKeysAndValuesIsAQuarterOfTheMemoryAndStaysWithTheRun() {
    RunConfig config = fileConfig("quarter");
    QCOMPARE(config.rollout.kvCacheMib, -1);
    const int quarter = static_cast<int>(totalBytes() / 4 >> 20);
    QVERIFY(quarter > 0 && availableBytes() <= totalBytes());
    QCOMPARE(keyValueMib(config, "cpu"), quarter);
    QCOMPARE(started(config)->config().rollout.kvCacheMib, quarter);
    // Another machine, or a number that was given, wrote the checkpoint: it goes on, so that the same rows stand side by side.
    config.trainer.name = "given";
    config.rollout.kvCacheMib = 321;
    {
      auto run = started(config);
      advanceTo(*run, 2);
    }
    config.trainer.resumeMode = "auto";
    config.rollout.kvCacheMib = -1;
    QCOMPARE(started(config)->config().rollout.kvCacheMib, 321);
    config.rollout.kvCacheMib = 0;
    QCOMPARE(keyValueMib(config, "cpu"), 0);
  }

  void aTeacherWhoseSettingsDifferOnlyInTheirNewerHomeCutsItsOwnPixels() {
    const std::string teacher = folder("other-pixels");
    fs::copy(golden::path("tiny-student"), teacher, fs::copy_options::recursive);
    RunConfig config = fileConfig("pixels");
    config.teacher.path = teacher;
    {
      const auto same = started(config);
      QVERIFY(same->teacherProcessor() == same->studentProcessor());
    }
    std::ofstream(teacher + "/processor_config.json") << R"({"image_processor": {"max_pixels": 9216, "min_pixels": 1024}})";
    const auto run = started(config);
    QVERIFY(run->teacherProcessor() != run->studentProcessor());
  }

  void theBestCheckpointIsKeptBesideTheNewest() {
    const fs::path run = folder("best");
    for (const auto& [step, accuracy] : std::vector<std::pair<int, double>>{{1, 0.5}, {2, 0.9}, {3, 0.4}, {4, 0.6}, {5, 0.7}}) {
      fs::create_directories(checkpointFolder(run.string(), step));
      std::ofstream(checkpointFolder(run.string(), step) + "/manifest.json") << "{\"files\": {}, \"metrics\": {\"val/accuracy\": " << accuracy << "}}";
    }
    pruneCheckpoints(run.string(), 2);
    std::vector<int> steps;
    for (const auto& info : RunReader(run.string()).checkpoints()) steps.push_back(info.step);
    QCOMPARE(steps, (std::vector<int>{2, 4, 5}));
  }

  void anEvaluationAloneOfARunThatHasACheckpointAsksItsStudentAndLeavesTheRunAsItIs() {
    const std::string directory = folder("evaluated");
    {
      auto run = openRun(rehearsalConfig(), directory);
      while (run->advance({})) {
      }
    }
    const std::string held = folder("held-out.jsonl");
    std::vector<Sample> samples;
    for (std::int64_t i = 0; i < 2; ++i) samples.push_back(rows().row(i));
    writeJsonl(held, samples);
    const std::string metrics = textOf(directory + "/metrics.jsonl"), yaml = textOf(directory + "/config.yaml");
    RunConfig config = tinyConfig();
    config.trainer.directory = fs::path(directory).parent_path().string();
    config.trainer.name = "evaluated";
    config.trainer.valOnly = true;
    config.trainer.device = "cpu";
    config.student.path = golden::path("tiny-student-vicur");
    config.teacher.path = golden::path("tiny-teacher");
    config.data.valFiles = {held};
    for (const std::string& mode : {std::string("auto"), checkpointFolder(directory, 2)}) {
      config.trainer.resumeMode = mode;
      const auto run = Run::open(config, {.device = "cpu", .dtype = "float32", .threads = 0}, {}, {});
      QVERIFY(run->directory() != directory);
      QVERIFY(sameBits(weightsOf(*run), Qwen3VL::load(mode == "auto" ? checkpointFolder(directory, 3) : mode, "cpu", "float32")->parameters()));
      while (run->advance({})) {
      }
      QVERIFY(run->status().state == RunState::Completed);
      const auto steps = RunReader(run->directory()).newSteps();
      QCOMPARE(steps.size(), std::size_t(1));
      QCOMPARE(steps[0]->metrics.at("val/n"), 2.0);
    }
    QCOMPARE(textOf(directory + "/metrics.jsonl"), metrics);
    QCOMPARE(textOf(directory + "/config.yaml"), yaml);
    QVERIFY(fs::exists(checkpointFolder(directory, 3)));
  }

  void noRowIsDrawnFromNoRows() {
    DataCursor cursor(0, true, 1);
    QVERIFY_THROWS_EXCEPTION(Error, cursor.next());
  }

  void anExportIsTheModelAlone() {
    const std::string directory = folder("export");
    auto run = openRun(rehearsalConfig(), directory);
    while (run->advance({})) {
    }
    const std::string out = exportCheckpoint(directory + "@2", folder("exported"));
    QVERIFY(fs::exists(out + "/config.json") && fs::exists(out + "/tokenizer.json") && !fs::exists(out + "/trainer") && !fs::exists(out + "/manifest.json"));
    QVERIFY(sameBits(Qwen3VL::load(out, "cpu", "float32")->parameters(), Qwen3VL::load(checkpointFolder(directory, 2), "cpu", "float32")->parameters()));
    QVERIFY_THROWS_EXCEPTION(Error, exportCheckpoint(directory + "@2", out));  // never over something
    // It tells how far it is, and leaves nothing when it is cancelled.
    std::vector<Progress> told;
    std::stop_source source;
    const std::string half = folder("half");
    QVERIFY_THROWS_EXCEPTION(Cancelled, exportCheckpoint(directory + "@2", half, [&](const Event& event) {
                               told.push_back(std::get<Progress>(event));
                               source.request_stop();
                             }, source.get_token()));
    QVERIFY(told.size() == 1 && told.front().done > 0 && told.front().done < told.front().total);
    QVERIFY(!fs::exists(half) && !fs::exists(half + ".unfinished"));
    try {
      exportCheckpoint(directory + "@17", folder("none"));
      QFAIL("there is no step 17");
    } catch (const Error& error) {
      QVERIFY(error.failure().why.find("2, 3") != std::string::npos);
    }
    const QString here = QDir::currentPath();
    QVERIFY(QDir::setCurrent(QString::fromStdString(fs::path(directory).parent_path().string())));
    std::string plain, slashed;
    try {
      plain = exportCheckpoint(directory + "@2", "a-name");
      fs::create_directories("a-folder");  // empty: an export may fill it
      slashed = exportCheckpoint(directory + "@2", "a-folder/");
    } catch (const Error& error) {
      QDir::setCurrent(here);
      QFAIL(error.what());
    }
    QDir::setCurrent(here);
    QCOMPARE(plain, (fs::path(directory).parent_path() / "a-name").string());
    QCOMPARE(slashed, (fs::path(directory).parent_path() / "a-folder").string());
    const std::set<std::string> names = [&] {
      std::set<std::string> found;
      for (const auto& entry : fs::directory_iterator(out)) found.insert(entry.path().filename().string());
      return found;
    }();
    for (const std::string& folderOfOne : {plain, slashed}) {
      std::set<std::string> found;
      for (const auto& entry : fs::directory_iterator(folderOfOne)) found.insert(entry.path().filename().string());
      QCOMPARE(found, names);
    }
    int step = 0;
    QCOMPARE(modelFolderOf(directory, &step), checkpointFolder(directory, 3));
    QCOMPARE(step, 3);
    const ResumePoint point = resumePoint(directory + "@2");
    QCOMPARE(point.resumeMode, checkpointFolder(directory, 2));
    QVERIFY_THROWS_EXCEPTION(Error, resumePoint(directory + "@9"));
    // Its saved responses say where the pictures are.
    std::ifstream in(directory + "/rollouts/1.jsonl");
    const auto records = parseRollouts({std::istreambuf_iterator<char>(in), {}});
    QCOMPARE(records.size(), std::size_t(2));
    QCOMPARE(records[0].dataFile, std::string("rows.jsonl"));
    QVERIFY(records[0].dataRow >= 0 && records[0].pictures.size() == 1 && records[0].pictures[0].gridRows > 0);
    QCOMPARE(records[0].teacherTopIds.size(), records[0].ids.size());
    QCOMPARE(records[0].teacherTopLogProbs.front().size(), std::size_t(kSavedTopK));
  }

  void twoRunsOfOneConfigurationWriteTheSameNumbers() {
    for (const char* name : {"one", "two"}) {
      auto run = openRun(rehearsalConfig(), folder(name));
      while (run->advance({})) {
      }
    }
    QVERIFY(!numbersOf(folder("one")).empty());
    QCOMPARE(numbersOf(folder("one")), numbersOf(folder("two")));
    std::ifstream a(folder("one") + "/rollouts/2.jsonl"), b(folder("two") + "/rollouts/2.jsonl");
    QCOMPARE(std::string(std::istreambuf_iterator<char>(a), {}), std::string(std::istreambuf_iterator<char>(b), {}));
  }
};

QTEST_GUILESS_MAIN(TestResume)
#include "tst_resume.moc"
