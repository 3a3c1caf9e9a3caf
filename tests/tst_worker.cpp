// The engine's thread, with an engine that does nothing: order, newest wins, cancelling, idle work, failures.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <QtTest>
#include <atomic>
#include <future>
#include <mutex>
#include <vector>

#include "engine/core/worker.h"
#include "engine/engine.h"
#include "tests/support/null_engine.h"

using namespace cuescope;

class WorkerTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void jobsRunInTheOrderTheyWerePosted();
  void theNewestOfATagReplacesTheWaitingOnes();
  void aNewerRequestStopsTheRunningOne();
  void cancelLeavesOtherTagsAlone();
  void idleWorkYieldsToJobsAndEndsByItself();
  void idleWorksTakeTurnsAndOneMayEnd();
  void anInterruptedUnitLeavesTheOtherWorkAlone();
  void whatEscapesAJobIsReportedOnceAndTheThreadGoesOn();
  void anEngineThatCannotOpenIsReportedForEveryJob();
  void theDestructorStopsARunningJob();
  void theEngineYieldsToTheThreadThatPaintsAlsoInANiceProgram();
};

namespace {

/// Holds the worker inside a job until released, so that what is posted meanwhile waits.
struct Gate {
  std::promise<void> entered, open;
  Worker::Job job() {
    return [this](Engine&, std::stop_token) {
      entered.set_value();
      open.get_future().wait();
    };
  }
};

auto openNull() {
  return [] { return std::make_unique<test::NullEngine>(); };
}
auto ignoreFailures() {
  return [](const Failure&, const std::string&) {};
}

/// Waits until every job posted so far has run.
void drain(Worker& worker) {
  std::promise<void> done;
  worker.post("drain", [&](Engine&, std::stop_token) { done.set_value(); });
  done.get_future().wait();
}

}  // namespace

void WorkerTest::jobsRunInTheOrderTheyWerePosted() {
  Worker worker(openNull(), ignoreFailures());
  std::vector<int> seen;
  for (int i = 0; i < 50; ++i) worker.post("n", [&seen, i](Engine&, std::stop_token) { seen.push_back(i); });
  drain(worker);
  QCOMPARE(seen.size(), std::size_t(50));
  QVERIFY(std::is_sorted(seen.begin(), seen.end()));
}

void WorkerTest::theNewestOfATagReplacesTheWaitingOnes() {
  Worker worker(openNull(), ignoreFailures());
  Gate gate;
  worker.post("gate", gate.job());
  gate.entered.get_future().wait();
  std::vector<int> seen;
  for (int i = 0; i < 5; ++i) worker.postLatest("inspect", [&seen, i](Engine&, std::stop_token) { seen.push_back(i); });
  QCOMPARE(worker.waiting(), std::size_t(1));
  gate.open.set_value();
  drain(worker);
  QCOMPARE(seen, std::vector<int>{4});
}

void WorkerTest::aNewerRequestStopsTheRunningOne() {
  Worker worker(openNull(), ignoreFailures());
  std::promise<void> entered;
  std::atomic<bool> wasStopped = false;
  worker.postLatest("inspect", [&](Engine&, std::stop_token stop) {
    entered.set_value();
    std::promise<void> stopped;
    std::stop_callback callback(stop, [&] { stopped.set_value(); });
    stopped.get_future().wait();
    wasStopped = true;
    throw Cancelled();
  });
  entered.get_future().wait();
  bool newerRan = false;
  worker.postLatest("inspect", [&](Engine&, std::stop_token) { newerRan = true; });
  drain(worker);
  QVERIFY(wasStopped);
  QVERIFY(newerRan);
}

void WorkerTest::cancelLeavesOtherTagsAlone() {
  Worker worker(openNull(), ignoreFailures());
  Gate gate;
  worker.post("gate", gate.job());
  gate.entered.get_future().wait();
  int a = 0, b = 0;
  worker.post("a", [&](Engine&, std::stop_token) { ++a; });
  worker.post("b", [&](Engine&, std::stop_token) { ++b; });
  worker.cancel("a");
  gate.open.set_value();
  drain(worker);
  QCOMPARE(a, 0);
  QCOMPARE(b, 1);
}

void WorkerTest::idleWorkYieldsToJobsAndEndsByItself() {
  Worker worker(openNull(), ignoreFailures());
  std::atomic<int> units = 0;
  std::promise<void> finished;
  bool jobRan = false;
  worker.setIdle("run", [&](Engine&, std::stop_token) {
    if (++units == 10) {
      // posted while idle work still has something left: it must run before unit 11
      worker.post("job", [&](Engine&, std::stop_token) { jobRan = units == 10; });
    }
    if (units < 20) return true;
    finished.set_value();
    return false;
  });
  finished.get_future().wait();
  drain(worker);
  QCOMPARE(units.load(), 20);
  QVERIFY(jobRan);
}

void WorkerTest::idleWorksTakeTurnsAndOneMayEnd() {
  Worker worker(openNull(), ignoreFailures());
  Gate gate;
  worker.post("gate", gate.job());
  gate.entered.get_future().wait();
  std::string order;
  std::promise<void> finished;
  worker.setIdle("run", [&](Engine&, std::stop_token) {
    order += 'r';
    if (order.size() < 12) return true;
    finished.set_value();
    return false;
  });
  worker.setIdle("evaluate", [&](Engine&, std::stop_token) {
    order += 'e';
    if (order.size() == 4) worker.post("job", [&](Engine&, std::stop_token) { order += 'j'; });
    return order.size() < 7;
  });
  gate.open.set_value();
  finished.get_future().wait();
  drain(worker);
  QCOMPARE(order, std::string("rerejrerrrrr"));
}

void WorkerTest::anInterruptedUnitLeavesTheOtherWorkAlone() {
  Worker worker(openNull(), ignoreFailures());
  std::promise<void> entered, other;
  int interrupted = 0;
  worker.setIdle("evaluate", [&](Engine&, std::stop_token stop) -> bool {
    entered.set_value();
    std::promise<void> stopped;
    std::stop_callback callback(stop, [&] { stopped.set_value(); });
    stopped.get_future().wait();
    ++interrupted;
    throw Cancelled();
  });
  entered.get_future().wait();
  worker.cancel();            // of jobs: the unit goes on
  worker.cancel("evaluate");  // the same
  QCOMPARE(worker.runningTag(), std::string("evaluate"));
  worker.setIdle("run", [&](Engine&, std::stop_token) {
    other.set_value();
    return false;
  });
  worker.setIdle("evaluate", {}, true);
  other.get_future().wait();
  drain(worker);
  QCOMPARE(interrupted, 1);
}

void WorkerTest::whatEscapesAJobIsReportedOnceAndTheThreadGoesOn() {
  std::vector<std::string> reports;
  Worker worker(openNull(), [&](const Failure& failure, const std::string& tag) { reports.push_back(tag + ": " + failure.what); });
  worker.post("load", [](Engine&, std::stop_token) { throw Error("The folder is no model", "config.json"); });
  worker.post("quiet", [](Engine&, std::stop_token) { throw Cancelled(); });
  bool after = false;
  worker.post("after", [&](Engine&, std::stop_token) { after = true; });
  drain(worker);
  QVERIFY(after);
  QCOMPARE(reports, std::vector<std::string>{"load: The folder is no model"});
}

void WorkerTest::anEngineThatCannotOpenIsReportedForEveryJob() {
  std::vector<std::string> tags;
  std::promise<void> second;
  {
    Worker worker([]() -> std::unique_ptr<Engine> { throw Error("The engine module is missing", "libcuescope_engine.so"); },
                  [&](const Failure&, const std::string& tag) {
                    tags.push_back(tag);
                    if (tags.size() == 2) second.set_value();
                  });
    worker.post("inspect", [](Engine&, std::stop_token) {});
    second.get_future().wait();
  }
  QCOMPARE(tags, (std::vector<std::string>{"open", "inspect"}));
}

void WorkerTest::theDestructorStopsARunningJob() {
  std::promise<void> entered;
  std::atomic<bool> stopped = false;
  {
    Worker worker(openNull(), ignoreFailures());
    worker.post("long", [&](Engine&, std::stop_token stop) {
      entered.set_value();
      std::promise<void> asked;
      std::stop_callback callback(stop, [&] { asked.set_value(); });
      asked.get_future().wait();
      stopped = true;
    });
    entered.get_future().wait();
  }
  QVERIFY(stopped);
}

void WorkerTest::theEngineYieldsToTheThreadThatPaintsAlsoInANiceProgram() {
  const auto niceness = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid))); };
  const int before = niceness();
  if (before > 16) QSKIP("This program is already among the nicest that there can be.");
  // As a program that was started with nice: whatever the engine's thread does, it is nicer than this one.
  QCOMPARE(setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), before + 3), 0);
  const int own = niceness();
  int engines = own;
  {
    Worker worker(openNull(), ignoreFailures());
    worker.post("look", [&](Engine&, std::stop_token) { engines = niceness(); });
    drain(worker);
  }
  QVERIFY2(engines > own, qPrintable(QStringLiteral("engine %1, window %2").arg(engines).arg(own)));
}

QTEST_GUILESS_MAIN(WorkerTest)
#include "tst_worker.moc"
