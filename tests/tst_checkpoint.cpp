// Checkpoints under faults: a process that dies at any write of a save or anywhere in a run, a disk that fills up, a file that is
// damaged afterwards. The system calls of this program pass through counters, so that "every write" is meant literally.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/distill/kv_room.h"
#include "engine/distill/memory.h"
#include "engine/distill/planner.h"
#include "engine/distill/run.h"
#include "tests/support/golden.h"
#include "tests/support/run_parts.h"

#include <QtTest/QtTest>

using namespace cuescope;
namespace fs = std::filesystem;
using test::sameBits;

namespace fault {

enum class Kind { None, Kill, DiskFull };
Kind kind = Kind::None;
long at = 0, seen = 0;

void arm(Kind what, long number) {
  kind = what;
  at = number;
  seen = 0;
}
void disarm() { kind = Kind::None; }

/// The disk is full from the first write to a file with this in its path.
std::string file;
void fillAt(const std::string& name) {
  file = name;
  arm(Kind::DiskFull, 0);
}
bool waitsFor(int fd) {
  if (file.empty()) return false;
  char path[4096] = {};
  if (::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path - 1) < 0 || std::string(path).find(file) == std::string::npos) return true;
  file.clear();
  at = seen + 1;
  return false;
}

/// One more call that changes the disk: whether it must fail. A full disk stays full; a killed process writes half of it at most.
bool strikes() {
  if (kind == Kind::None || !file.empty()) return false;
  ++seen;
  return kind == Kind::DiskFull ? seen >= at : seen == at;
}
[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace fault

extern "C" {
ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* next = fault::real<ssize_t(int, const void*, size_t)>("write");
  if (fd > 2 && !fault::waitsFor(fd) && fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) {
      next(fd, bytes, size / 2);
      fault::die();
    }
    if (fault::seen == fault::at && size > 1) return next(fd, bytes, size / 2);  // what still fits
    errno = ENOSPC;
    return -1;
  }
  return next(fd, bytes, size);
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  static auto* next = fault::real<ssize_t(int, const struct iovec*, int)>("writev");
  if (fd > 2 && fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(fd, parts, count);
}
ssize_t sendfile(int to, int from, off_t* offset, size_t size) noexcept {
  static auto* next = fault::real<ssize_t(int, int, off_t*, size_t)>("sendfile");
  if (fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(to, from, offset, size);
}
int fsync(int fd) {
  static auto* next = fault::real<int(int)>("fsync");
  if (fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(fd);
}
int rename(const char* from, const char* to) noexcept {
  static auto* next = fault::real<int(const char*, const char*)>("rename");
  if (fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(from, to);
}
}

namespace {

RowSource rows() {
  RowSource source = test::tinyRows(6, [](std::int64_t, Sample& sample) {
    sample.cue = "A shape in the corner.";
    sample.imageBytes = {test::bytesOf(golden::path("images/small.png"))};
  });
  source.origin = [](std::int64_t i) { return std::pair<std::string, std::int64_t>("rows.jsonl", i); };
  return source;
}

RunConfig tinyConfig() {
  RunConfig config;
  config.trainer.totalTrainingSteps = 3;
  config.trainer.saveFreq = 0;
  config.trainer.testFreq = config.trainer.probeFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.trainer.maxCkptToKeep = 2;
  config.trainer.seed = 11;
  config.data.trainBatchSize = 2;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 4;
  config.distillation.topk = 8;
  config.actor.lr = 1e-3;
  config.teacher.privilege = "cue";
  return config;
}

std::unique_ptr<Run> openRun(const RunConfig& config, const std::string& directory, const std::string& resumeFrom = {}, EventSink sink = {}) {
  RunParts parts;
  parts.student = Qwen3VL::load(resumeFrom.empty() ? golden::path("tiny-student-vicur") : resumeFrom, "cpu", "float32");
  parts.teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
  parts.studentProcessor = parts.teacherProcessor = std::make_shared<Processor>(golden::path("tiny-student"));
  parts.train = rows();
  if (config.trainer.testFreq > 0) parts.val = rows();
  parts.studentFiles = golden::path("tiny-student-vicur");
  return std::make_unique<Run>(config, std::move(parts), directory, resumeFrom, std::move(sink));
}

/// Up to the moment at which `step` is done and published.
void advanceTo(Run& run, int step) {
  while (RunReader(run.directory()).newSteps().empty() || RunReader(run.directory()).newSteps().back()->step < step) run.advance({});
}

std::vector<at::Tensor> weightsOf(const Run& run) {
  std::vector<at::Tensor> out;
  for (const auto& p : run.student()->parameters()) out.push_back(p.detach().clone());
  return out;
}

/// metrics.jsonl without what a clock or the memory says.
std::vector<std::map<std::string, double>> numbersOf(const std::string& directory) {
  std::vector<std::map<std::string, double>> all;
  for (const StepPtr& step : RunReader(directory).newSteps()) {
    auto metrics = step->metrics;
    std::erase_if(metrics, [](const auto& m) { return m.first.starts_with("perf/") || m.first.starts_with("timing_"); });
    all.push_back(std::move(metrics));
  }
  return all;
}

/// Evaluated and looked at in every step.
RunConfig watchedConfig() {
  RunConfig config = tinyConfig();
  config.trainer.testFreq = config.trainer.probeFreq = 1;
  config.trainer.valBeforeTrain = true;
  config.data.valMaxSamples = 2;
  return config;
}

std::string textOf(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A whole run in a process of its own (main below), killed at its n-th change of the disk.
RunConfig rehearsalConfig() {
  RunConfig config = tinyConfig();
  config.trainer.saveFreq = 1;
  return config;
}

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
    auto run = openRun(tinyConfig(), folder("unbroken"));
    while (run->advance({})) {
    }
    m_unbroken = weightsOf(*run);
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
      RunParts parts;
      parts.student = Qwen3VL::load(checkpointFolder(directory, 1), "cpu", "float32");
      parts.teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
      parts.studentProcessor = parts.teacherProcessor = std::make_shared<Processor>(golden::path("tiny-student"));
      parts.train = rows();
      parts.studentFiles = golden::path("tiny-student-vicur");
      Run run(config, std::move(parts), directory, checkpointFolder(directory, 1), [&](const Event& event) {
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
      while (run.advance({})) {
      }
      QVERIFY(sameBits(weightsOf(run), m_unbroken));
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
