// Checkpoints under faults: a process that dies at any write of a save or anywhere in a run, a disk that fills up, a file that is
// damaged afterwards.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "engine/core/failure.h"
#include "tests/support/disk_faults.h"
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
using test::weightsAfter;
using test::weightsOf;

namespace {

bool killedBySignal(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

/// Runs `work` in a copy of this process that a fault may kill; its wait status.
int inChild(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      work();
    } catch (...) {
      ::_exit(3);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

class TestCheckpoint : public QObject {
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
  void cleanup() {
    fault::disarm();
    fault::file.clear();
  }

  void killedAtEveryWriteOfASaveAWholeCheckpointIsLeft() {
    const std::string directory = folder("kill-save");
    auto run = openRun(tinyConfig(), directory);
    advanceTo(*run, 1);
    run->checkpoint();
    advanceTo(*run, 2);
    long n = 1;
    int ended = 0;
    std::set<int> newestSteps;
    for (;; ++n) {
      ended = inChild([&] {
        fault::arm(fault::Kind::Kill, n);
        run->checkpoint();
      });
      if (!killedBySignal(ended)) break;
      const std::string newest = newestCheckpoint(directory);
      QVERIFY2(!newest.empty(), qPrintable(QString("nothing is left after a death at write %1").arg(n)));
      verifyCheckpoint(newest);
      newestSteps.insert(readTrainerState(newest).step);
    }
    QVERIFY2(WIFEXITED(ended) && WEXITSTATUS(ended) == 0, "the save that is not killed succeeds");
    QVERIFY2(n > 30, qPrintable(QString("only %1 writes were seen").arg(n)));
    QCOMPARE(newestSteps, (std::set<int>{1, 2}));  // the old one until the new one is there
    // The same step again, when it is the only one: at no moment is there none.
    fs::remove_all(checkpointFolder(directory, 1));
    for (long last = n - 12; last < n + 4; ++last) {
      inChild([&] {
        fault::arm(fault::Kind::Kill, last);
        run->checkpoint();
      });
      const std::string newest = newestCheckpoint(directory);
      QVERIFY(!newest.empty());
      verifyCheckpoint(newest);
      QCOMPARE(readTrainerState(newest).step, 2);
    }
    run->checkpoint();  // what the dead have left is cleared away
    for (const auto& entry : fs::directory_iterator(directory + "/checkpoints")) QVERIFY(!entry.path().string().ends_with(".unfinished"));
  }

  void killedAnywhereInARunItGoesOnAsIfItNeverStopped() {
    const std::string whole = folder("whole");
    {
      auto run = openRun(rehearsalConfig(), whole);
      while (run->advance({})) {
      }
    }
    for (const long n : {7, 160, 333, 590}) {
      const std::string directory = folder("killed") + std::to_string(n);
      const pid_t child = ::fork();
      if (child == 0) {
        const std::string number = std::to_string(n);
        ::execl("/proc/self/exe", "tst_checkpoint", "--rehearse", directory.c_str(), number.c_str(), nullptr);
        ::_exit(4);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      QVERIFY2(killedBySignal(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0), qPrintable(QString::number(status)));
      auto run = openRun(rehearsalConfig(), directory, newestCheckpoint(directory));
      while (run->advance({})) {
      }
      QVERIFY2(sameBits(weightsOf(*run), m_unbroken), qPrintable(QString("killed at write %1").arg(n)));
      QCOMPARE(numbersOf(directory), numbersOf(whole));
    }
  }

  void aDiskThatFillsUpAtAnyWriteLeavesTheOldCheckpointAndTheRun() {
    const std::string directory = folder("full");
    auto run = openRun(tinyConfig(), directory);
    advanceTo(*run, 1);
    run->checkpoint();
    advanceTo(*run, 2);
    const std::string before = checkpointFolder(directory, 1), after = checkpointFolder(directory, 2);
    int failures = 0;
    for (long n = 1;; n += n < 20 ? 1 : 9) {
      fault::arm(fault::Kind::DiskFull, n);
      bool failed = false;
      try {
        run->checkpoint();
      } catch (const Error& error) {
        failed = true;
        fault::disarm();
        QVERIFY2(!error.failure().where.empty() && !error.failure().nextStep.empty(), error.what());
      }
      fault::disarm();
      verifyCheckpoint(before);
      if (!failed) {  // the fault came too late to matter: what it hit was a clean-up
        verifyCheckpoint(after);
        break;
      }
      ++failures;
      if (fs::exists(after)) verifyCheckpoint(after);  // it was whole before the folder's entry could not be flushed
    }
    QVERIFY(failures > 20);
    while (run->advance({})) {
    }
    QVERIFY(sameBits(weightsOf(*run), m_unbroken));
  }

  void aDiskThatFillsUpInTheMiddleOfAStepPausesTheRunAndNothingIsLostOrHalfWritten() {
    const std::string whole = folder("room");
    {
      auto run = openRun(rehearsalConfig(), whole);
      while (run->advance({})) {
      }
    }
    const auto textOf = [](const fs::path& file) {
      std::ifstream in(file, std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(in), {});
    };
    int number = 0;
    for (const std::string place : {"status.json", "rollouts/1.jsonl", "metrics.jsonl", "tfevents", "model.safetensors", "optimizer.safetensors", "manifest.json", "2", "40", "111"}) {
      const bool counted = place.find('.') == std::string::npos && place != "tfevents";  // at the n-th change of the disk, whatever it is
      const std::string directory = folder("no-room") + std::to_string(++number);
      std::vector<Failure> told;
      std::vector<RunState> states;
      auto run = openRun(rehearsalConfig(), directory, {}, [&](const Event& event) {
        if (const auto* failed = std::get_if<Failed>(&event)) told.push_back(failed->failure);
        if (const auto* status = std::get_if<RunStatus>(&event)) states.push_back(status->state);
      });
      counted ? fault::arm(fault::Kind::DiskFull, std::atol(place.c_str())) : fault::fillAt(place);
      bool more = true;
      while (more && run->status().state != RunState::Paused) more = run->advance({});
      QVERIFY2(more && run->status().state == RunState::Paused, "it is no end");
      QCOMPARE(told.size(), std::size_t(1));
      QVERIFY2(told[0].where.starts_with(directory) && told[0].why.find("disk is full") != std::string::npos && !told[0].nextStep.empty(), told[0].text().c_str());
      QCOMPARE(states.back(), RunState::Paused);
      QVERIFY2(counted || told[0].where.find(place) != std::string::npos, told[0].where.c_str());
      for (int again = 0; again < 4; ++again) QVERIFY(run->advance({}));  // still full: it only waits
      QCOMPARE(run->status().state, RunState::Paused);
      // Not at every try; a second time only for the checkpoint, which needs more than a file of the step.
      QVERIFY2(told.size() == 1 || (told.size() == 2 && told[1].what.find("checkpoint") != std::string::npos), told.back().text().c_str());
      fault::disarm();  // room
      while (run->advance({})) {
      }
      QVERIFY2(run->status().state == RunState::Completed, place.c_str());
      QVERIFY(sameBits(weightsOf(*run), m_unbroken));
      QCOMPARE(numbersOf(directory), numbersOf(whole));
      QVERIFY(RunReader(directory).status()->state == RunState::Completed);
      for (const char* step : {"1", "2", "3"}) QCOMPARE(textOf(fs::path(directory) / "rollouts" / (std::string(step) + ".jsonl")), textOf(fs::path(whole) / "rollouts" / (std::string(step) + ".jsonl")));
      const EventFileContents events = readEventFile(fs::directory_iterator(directory + "/tensorboard")->path().string());
      QVERIFY(!events.truncated);
      QCOMPARE(events.scalars.at("actor/loss").size(), std::size_t(3));
      for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        const std::string name = entry.path().filename().string();
        QVERIFY2(!name.ends_with(".new") && name.find(".part") == std::string::npos && name.find(".unfinished") == std::string::npos, name.c_str());
      }
    }
  }

  void aRunThatWaitsForRoomCanBeStoppedAndResumedOnceThereIsSome() {
    const std::string directory = folder("stopped-full");
    auto run = openRun(rehearsalConfig(), directory);
    advanceTo(*run, 1);
    while (run->status().phase != "sample") run->advance({});  // its checkpoint is there
    fault::arm(fault::Kind::DiskFull, 1);
    while (run->status().state != RunState::Paused) run->advance({});
    QVERIFY_THROWS_EXCEPTION(DiskFull, run->stop(true));
    run->stop(false);
    QCOMPARE(run->status().state, RunState::Stopped);
    fault::disarm();
    run.reset();
    {  // what a kill in the middle of a write would leave besides
      std::ofstream(directory + "/metrics.jsonl", std::ios::app) << "{\"step\": 2, \"sec";
      const std::string events = fs::directory_iterator(directory + "/tensorboard")->path().string();
      const auto all = golden::readBytes(events);
      const std::string half(all.begin() + 40, all.begin() + 70);
      std::ofstream(events, std::ios::app | std::ios::binary) << half;
      QVERIFY(readEventFile(events).truncated);
    }
    auto again = openRun(rehearsalConfig(), directory, newestCheckpoint(directory));
    for (const auto& entry : fs::directory_iterator(directory + "/tensorboard")) QVERIFY(!readEventFile(entry.path().string()).truncated);
    while (again->advance({})) {
    }
    QVERIFY(sameBits(weightsOf(*again), m_unbroken));
    QCOMPARE(numbersOf(directory).size(), std::size_t(3));
  }

  void aDamagedCheckpointIsRefusedByItsTensorAndTheOneBeforeIsOffered() {
    const std::string directory = folder("damaged");
    auto run = openRun(tinyConfig(), directory);
    advanceTo(*run, 1);
    run->checkpoint();
    advanceTo(*run, 2);
    const std::string newest = run->checkpoint(), file = newest + "/model.safetensors";
    run.reset();
    requireWholeCheckpoint(newest);
    {
      std::fstream flip(file, std::ios::in | std::ios::out | std::ios::binary);
      flip.seekp(-3, std::ios::end);
      flip.put('\x7f');
    }
    try {
      requireWholeCheckpoint(newest);
      QFAIL("the damage was not seen");
    } catch (const Error& error) {
      QVERIFY2(error.failure().why.find("the tensor model.") == 0, error.failure().why.c_str());
      QVERIFY2(error.failure().nextStep.find(directory + "@1") != std::string::npos, error.failure().nextStep.c_str());
    }
    fs::resize_file(file, 100);
    QVERIFY_THROWS_EXCEPTION(Error, requireWholeCheckpoint(newest));
    fs::remove(file);
    QVERIFY_THROWS_EXCEPTION(Error, requireWholeCheckpoint(newest));
    // Going on from the one that is offered makes the run whole again.
    auto again = openRun(tinyConfig(), directory, previousCheckpoint(newest));
    while (again->advance({})) {
    }
    QVERIFY(sameBits(weightsOf(*again), m_unbroken));
  }

  void aNewestCheckpointWithoutAGoodManifestIsDamageAndNotPassedOver() {
    const std::string directory = folder("manifest");
    {
      auto run = openRun(rehearsalConfig(), directory);
      while (run->advance({})) {
      }
    }
    const std::string newest = checkpointFolder(directory, 3), manifest = newest + "/manifest.json", sound = textOf(manifest);
    RunConfig config = rehearsalConfig();
    config.trainer.directory = fs::path(directory).parent_path().string();
    config.trainer.name = "manifest";
    config.trainer.resumeMode = "auto";
    config.trainer.device = "cpu";
    config.student.path = golden::path("tiny-student-vicur");
    config.teacher.path = golden::path("tiny-teacher");
    config.data.trainFiles = {folder("manifest.jsonl")};
    writeJsonl(config.data.trainFiles[0], {rows().row(0), rows().row(1)});
    for (const std::string damage : {"{", "{}", "[1]", "{\"files\": {\"model.safetensors\": 3}}", ""}) {
      if (damage.empty()) fs::remove(manifest);
      else std::ofstream(manifest) << damage;
      for (const auto& open : std::vector<std::function<void()>>{[&] { Run::open(config, {.device = "cpu", .dtype = "float32", .threads = 0}, {}, {}); },
                                                                 [&] { int step = 0; modelFolderOf(directory, &step); }, [&] { exportCheckpoint(directory, folder("never")); },
                                                                 [&] { requireWholeModel(newest); }}) {
        try {
          open();
          QFAIL(("not refused: " + damage).c_str());
        } catch (const Error& error) {
          QVERIFY2(error.failure().where.find("step-000003/manifest.json") != std::string::npos, error.what());
          QVERIFY2(error.failure().nextStep.find(directory + "@2") != std::string::npos, error.what());
        }
      }
      QVERIFY(fs::exists(newest) && fs::exists(checkpointFolder(directory, 2)));  // nothing is deleted
      QCOMPARE(RunReader(directory).newSteps().size(), std::size_t(3));
    }
    // What is offered works, and puts the damaged one aside.
    int step = 0;
    QCOMPARE(modelFolderOf(directory + "@2", &step), checkpointFolder(directory, 2));
    auto again = openRun(rehearsalConfig(), directory, checkpointFolder(directory, 2));
    QVERIFY(fs::exists(directory + "/set-aside/steps-3-to-3/checkpoints/step-000003/model.safetensors"));
    while (again->advance({})) {
    }
    QVERIFY(sameBits(weightsOf(*again), m_unbroken));
  }

  void aModelIsReadOnceForItsDigestsAndAgainWhenAFileChanges() {
    const std::string directory = folder("once");
    auto run = openRun(tinyConfig(), directory);
    advanceTo(*run, 1);
    const std::string saved = run->checkpoint(), file = saved + "/model.safetensors";
    requireWholeModel(saved);
    const auto before = fs::last_write_time(file);
    {
      std::fstream flip(file, std::ios::in | std::ios::out | std::ios::binary);
      flip.seekp(-3, std::ios::end);
      flip.put('\x7f');
    }
    fs::last_write_time(file, before + std::chrono::seconds(2));
    QVERIFY_THROWS_EXCEPTION(Error, requireWholeModel(saved));
    requireWholeModel(golden::path("tiny-student-vicur"));  // no checkpoint: nothing says what was written there
  }
};

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--rehearse") {
    at::set_num_threads(1);
    auto run = openRun(rehearsalConfig(), argv[2]);
    fault::arm(fault::Kind::Kill, std::atol(argv[3]));
    while (run->advance({})) {
    }
    return 0;
  }
  TestCheckpoint test;
  return QTest::qExec(&test, argc, argv);
}
#include "tst_checkpoint.moc"
