// The run directory: what is written is read back, half-written lines wait, one writer at a time.
#include <sys/wait.h>
#include <unistd.h>
#include <QtTest/QtTest>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/core/run_directory.h"

using namespace cuescope;
namespace fs = std::filesystem;

namespace {

StepSnapshot step(int number) {
  StepSnapshot s;
  s.step = number;
  s.metrics = {{"actor/loss", 0.1 * number}, {"val/accuracy", std::nan("")}};
  s.phaseSeconds = {{"rollout", 0.25}, {"update", 1.0 / 3.0}};
  s.secondsSinceStart = 1.5 * number;
  s.tokensSinceStart = 1000000000000ll + number;
  return s;
}

void appendRaw(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

class TestRunDirectory : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> m_folder;
  std::string path(const std::string& name = {}) const {
    return m_folder->path().toStdString() + "/run" + (name.empty() ? "" : "/" + name);
  }

 private Q_SLOTS:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void stepsComeBackAsTheyWereWritten() {
    RunWriter writer(path());
    RunReader reader(path());
    QVERIFY(reader.newSteps().empty());
    StepSnapshot first = step(1);
    first.probes = {{"cat.png", 1, 2, {0, 5}, {0.25f, 0.75f, 0.5f, 0.5f}, {0.75f, kNotComputed}}};
    writer.append(first);
    writer.append(step(2));
    auto steps = reader.newSteps();
    QCOMPARE(steps.size(), std::size_t(2));
    QCOMPARE(steps[0]->metrics.at("actor/loss"), 0.1);
    QVERIFY(std::isnan(steps[0]->metrics.at("val/accuracy")));
    QCOMPARE(steps[1]->phaseSeconds.at("update"), 1.0 / 3.0);
    QCOMPARE(steps[1]->tokensSinceStart, 1000000000002ll);
    QCOMPARE(steps[0]->run, std::string("run"));
    QCOMPARE(steps[0]->probes.size(), std::size_t(1));
    QCOMPARE(steps[0]->probes[0].values, first.probes[0].values);
    QVERIFY(std::isnan(steps[0]->probes[0].evidenceMass[1]));
    QVERIFY(steps[1]->probes.empty());
    QVERIFY(reader.newSteps().empty());
    writer.append(step(3));
    QCOMPARE(reader.newSteps().size(), std::size_t(1));
  }

  void aHalfWrittenLineWaitsForTheNextCall() {
    {
      RunWriter writer(path());
      writer.append(step(1));
    }
    appendRaw(path("metrics.jsonl"), "{\"step\": 2, \"seco");
    RunReader reader(path());
    QCOMPARE(reader.newSteps().size(), std::size_t(1));
    QVERIFY(reader.newSteps().empty());
    appendRaw(path("metrics.jsonl"), "nds\": 3}\n");
    auto steps = reader.newSteps();
    QCOMPARE(steps.size(), std::size_t(1));
    QCOMPARE(steps[0]->step, 2);
    QCOMPARE(steps[0]->secondsSinceStart, 3.0);
  }

  void aLongRunIsReadInParts() {
    RunWriter writer(path());
    for (int n = 1; n <= 5; ++n) writer.append(step(n));
    RunReader reader(path());
    std::vector<int> read, parts;
    do {
      const auto steps = reader.newSteps(2);
      parts.push_back(static_cast<int>(steps.size()));
      for (const StepPtr& each : steps) read.push_back(each->step);
    } while (parts.back() == 2);
    QCOMPARE(parts, (std::vector<int>{2, 2, 1}));
    QCOMPARE(read, (std::vector<int>{1, 2, 3, 4, 5}));
    QVERIFY(reader.newSteps(2).empty());
    writer.append(step(6));
    QCOMPARE(reader.newSteps(2).size(), std::size_t(1));
  }

  void aNewWriterRemovesTheHalfLineOfADeadOne() {
    {
      RunWriter writer(path());
      writer.append(step(1));
    }
    appendRaw(path("metrics.jsonl"), "{\"step\": 2, \"seco");
    {
      RunWriter writer(path());
      writer.append(step(2));
    }
    QCOMPARE(RunReader(path()).newSteps().size(), std::size_t(2));
  }

  void aSpoiledLineIsNamedAndTheNextOnesAreRead() {
    { RunWriter writer(path()); }
    appendRaw(path("metrics.jsonl"), "{\"step\": 1}\ngarbage\n{\"step\": 2}\n");
    RunReader reader(path());
    QVERIFY_THROWS_EXCEPTION(Error, reader.newSteps());
    auto steps = reader.newSteps();
    QCOMPARE(steps.size(), std::size_t(2));  // what was read before it is not lost
    QCOMPARE(steps[0]->step, 1);
    QCOMPARE(steps[1]->step, 2);
  }

  void aSecondProcessIsRefused() {
    RunWriter writer(path());
    pid_t child = ::fork();
    if (child == 0) {
      int code = 1;
      try {
        RunWriter second(path());
      } catch (const Error& error) {
        code = error.failure().what.find("already being written") != std::string::npos ? 0 : 2;
      }
      ::_exit(code);
    }
    int status = -1;
    QCOMPARE(::waitpid(child, &status, 0), child);
    QVERIFY(WIFEXITED(status));
    QCOMPARE(WEXITSTATUS(status), 0);
  }

  void theLockIsFreeAfterTheWriterIsGone() {
    { RunWriter writer(path()); }
    RunWriter again(path());
    QCOMPARE(again.directory(), path());
  }

  void truncationDropsLaterStepsEverywhere() {
    RunWriter writer(path());
    RunReader reader(path());
    for (int n = 1; n <= 5; ++n) {
      StepSnapshot s = step(n);
      s.probes = {{"x", 1, 1, {0}, {1.f}, {1.f}}};
      writer.append(s);
      writer.appendRollouts(n, "{\"step\":1}\n");
    }
    QCOMPARE(reader.newSteps().size(), std::size_t(5));
    writer.truncateAfter(3);
    QCOMPARE(RunReader(path()).newSteps().size(), std::size_t(3));
    QVERIFY(fs::exists(path("rollouts/3.jsonl")) && !fs::exists(path("rollouts/4.jsonl")));
    QVERIFY(fs::exists(path("probes/3.json")) && !fs::exists(path("probes/5.json")));
    // A reader that had seen the dropped steps starts again.
    writer.append(step(4));
    auto steps = reader.newSteps();
    QCOMPARE(steps.size(), std::size_t(4));
    QCOMPARE(steps.back()->step, 4);
  }

  void theStatusComesBack() {
    RunWriter writer(path());
    RunReader reader(path());
    QVERIFY(!reader.status());
    writer.writeStatus({"run", path(), RunState::Running, 7, 150, "backward", 2, 5, 61.5});
    auto status = reader.status();
    QVERIFY(status.has_value());
    QVERIFY(status->state == RunState::Running);
    QCOMPARE(status->phase, std::string("backward"));
    QCOMPARE(status->phaseDone, 2);
    QCOMPARE(status->secondsLeft, 61.5);
    QCOMPARE(status->totalSteps, 150);
  }

  void durableReplaceLeavesNoNeighbourAndKeepsTheOldOnFailure() {
    { RunWriter writer(path()); }
    writeFileDurably(path("x.json"), "one");
    writeFileDurably(path("x.json"), "two");
    QCOMPARE(contents(path("x.json")), std::string("two"));
    QVERIFY(!fs::exists(path("x.json.new")));
    fs::create_directories(path("x.json.new"));  // now the neighbour cannot be written
    QVERIFY_THROWS_EXCEPTION(Error, writeFileDurably(path("x.json"), "three"));
    QCOMPARE(contents(path("x.json")), std::string("two"));
    QVERIFY_THROWS_EXCEPTION(Error, writeFileDurably("/no/such/folder/x", "x"));
  }

  void aFolderIsARunOnlyWithItsConfig() {
    QVERIFY(!RunReader::isRunDirectory(path()));
    RunWriter writer(path());
    writer.writeStatus({});
    QVERIFY(!RunReader::isRunDirectory(path()));
    QVERIFY_THROWS_EXCEPTION(Error, RunReader(path()).configYaml());
    writer.writeConfig("trainer: {}\n");
    QVERIFY(RunReader::isRunDirectory(path()));
    QCOMPARE(RunReader(path()).configYaml(), std::string("trainer: {}\n"));
  }

  void onlyCheckpointsWithAManifestAreComplete() {
    RunWriter writer(path());
    for (const char* name : {"step-000002", "step-000010", "step-x", "other"})
      fs::create_directories(path("checkpoints/") + name);
    std::ofstream(path("checkpoints/step-000002/manifest.json"))
        << R"({"files": {}, "metrics": {"val/accuracy": 0.5}})";
    std::ofstream(path("checkpoints/step-000010/manifest.json")) << R"({"files": {)";
    std::ofstream(path("checkpoints/step-000010/weights")) << "12345";
    auto found = RunReader(path()).checkpoints();
    QCOMPARE(found.size(), std::size_t(2));
    QCOMPARE(found[0].step, 2);
    QVERIFY(found[0].complete && !found[1].complete);
    QCOMPARE(found[0].metrics.at("val/accuracy"), 0.5);
    QCOMPARE(found[1].bytes, std::int64_t(5 + 11));
  }

  void rolloutsComeBackAligned() {
    RolloutRecord record;
    record.step = 4;
    record.index = 2;
    record.sampleId = "train-17";
    record.output = "caf\xc3\xa9 \xff<|im_end|>";
    record.groundTruth = "red";
    record.ids = {5, 6, 1258};
    record.studentLogProbs = {-0.5f, -1.25f, kNotComputed};
    record.teacherLogProbs = {-0.25f, -2.f, -0.125f};
    record.score = 0.9;
    record.stopped = true;
    std::string lines = toJsonLine(record) + toJsonLine(record);
    auto back = parseRollouts(lines + "{\"step\": 4");
    QCOMPARE(back.size(), std::size_t(2));
    QCOMPARE(back[1].ids, record.ids);
    QCOMPARE(back[1].studentLogProbs[1], -1.25f);
    QVERIFY(std::isnan(back[1].studentLogProbs[2]));
    QCOMPARE(back[1].teacherLogProbs, record.teacherLogProbs);
    QCOMPARE(back[0].score, 0.9);
    QVERIFY(back[0].stopped);
    QVERIFY_THROWS_EXCEPTION(Error, parseRollouts("{}\n"));
  }
};

QTEST_GUILESS_MAIN(TestRunDirectory)
#include "tst_run_directory.moc"
