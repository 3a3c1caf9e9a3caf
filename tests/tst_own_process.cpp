// Runs as processes of their own, with the real cuescope-cli on the demo's tiny student: launched by a session, paused, left
// alone while the session ends, found again by another, resumed, saved, stopped, killed, gone on with.
#include <signal.h>

#include <QProcess>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QtTest>

#include "engine/core/engine_loader.h"
#include "engine/core/run_control.h"
#include "engine/core/run_directory.h"
#include "support/fake_engine.h"
#include "ui/models/run_health.h"
#include "ui/models/run_queue.h"
#include "ui/session.h"

using namespace cuescope;

namespace {

constexpr int kPatience = 120'000;  // a busy machine loads the engine slowly

QString commandLine() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../bin/cuescope-cli"); }

std::unique_ptr<Session> open() {
  auto session = std::make_unique<Session>([] { return makeFakeEngine(std::make_shared<FakeControl>()); });
  session->setCommandLine(commandLine());
  return session;
}

RunConfig tiny(const QString& folder, const char* name, int steps) {
  RunConfig config;
  config.trainer.name = name;
  config.trainer.directory = folder.toStdString();
  config.trainer.totalTrainingSteps = steps;
  config.trainer.saveFreq = 0, config.trainer.testFreq = 0, config.trainer.probeFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.trainer.threads = 1;
  config.student.path = "demo:student-weak";
  config.teacher.path = "demo:teacher-middle";
  config.data.trainFiles = {"demo:data/train.parquet"};
  config.data.trainBatchSize = 2;
  config.data.maxResponseLength = 6;
  return config;
}

bool alive(qint64 pid) { return pid > 0 && ::kill(pid_t(pid), 0) == 0; }

}  // namespace

class TestOwnProcess : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  QString at(const char* run) const { return m_folder.filePath(QLatin1String(run)); }
  std::vector<qint64> m_pids;

 private Q_SLOTS:
  void initTestCase() { qputenv("OMP_NUM_THREADS", "1"); }
  void cleanupTestCase() {
    for (const qint64 pid : m_pids)
      if (alive(pid)) ::kill(pid_t(pid), SIGKILL);
  }

  void aRunOutlivesItsWindowAndObeysTheNextOne() {
    auto session = open();
    QSignalSpy launched(session.get(), &Session::runLaunched), failed(session.get(), &Session::launchFailed);
    session->launchRun(tiny(m_folder.path(), "outlives", 100000));
    QVERIFY(session->launching());
    QTRY_VERIFY_WITH_TIMEOUT(launched.size() + failed.size() == 1, kPatience);
    QVERIFY2(failed.isEmpty(), failed.isEmpty() ? "" : failed[0][0].value<Failure>().text().c_str());
    const QString name = launched[0][0].toString();
    QCOMPARE(name, QStringLiteral("outlives"));
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->pid > 0 && session->run(name)->steps.size() >= 2, kPatience);
    const qint64 pid = session->run(name)->pid;
    m_pids.push_back(pid);
    QVERIFY(session->run(name)->driver == RunDriver::Process);
    QCOMPARE(session->liveRuns(), QStringList{name});
    QVERIFY(!session->refusal(RunAction::Resume, name).isEmpty());

    session->steer(RunAction::Pause, name);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Paused, kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(RunReader(at("outlives").toStdString()).status()->state == RunState::Paused, kPatience);
    const int paused = session->run(name)->status.step;
    QTest::qWait(700);
    QCOMPARE(RunReader(at("outlives").toStdString()).status()->step, paused);

    session.reset();  // the window is closed
    QVERIFY(alive(pid));

    session = open();
    session->findRuns(m_folder.path());
    QVERIFY(session->run(name));
    QTRY_COMPARE_WITH_TIMEOUT(session->run(name)->pid, pid, kPatience);
    QVERIFY(session->run(name)->status.state == RunState::Paused);
    QCOMPARE(session->run(name)->status.step, paused);
    QVERIFY(int(session->run(name)->steps.size()) >= paused);

    QSignalSpy saved(session.get(), &Session::checkpointWritten);
    session->steer(RunAction::Checkpoint, name);
    QTRY_COMPARE_WITH_TIMEOUT(saved.size(), 1, kPatience);
    QCOMPARE(session->run(name)->checkpoints.size(), std::size_t(1));
    QVERIFY(session->run(name)->checkpoints[0].complete);
    QCOMPARE(session->run(name)->checkpoints[0].step, paused);

    session->steer(RunAction::Resume, name);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.step > paused + 1, kPatience);
    int last = -1;
    for (const StepPtr& step : session->run(name)->steps) {
      QVERIFY(step->step > last);
      last = step->step;
    }

    // The command line steers the same run.
    QProcess cli;
    cli.start(commandLine(), {QStringLiteral("control"), at("outlives"), QStringLiteral("pause")});
    QVERIFY(cli.waitForFinished(30'000));
    QCOMPARE(cli.exitCode(), 0);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Paused, kPatience);

    session->steer(RunAction::StopAndSave, name);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Stopped, kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(!alive(pid), kPatience);
    QTRY_VERIFY(session->run(name)->driver == RunDriver::None);
    QVERIFY(!QFileInfo::exists(at("outlives/control.sock")));
    QTRY_COMPARE(session->run(name)->checkpoints.back().step, session->run(name)->status.step);
    QCOMPARE(session->refusal(RunAction::Pause, name), QStringLiteral("The run has ended."));
    QVERIFY(session->liveRuns().isEmpty());
  }

  void aKilledRunIsSaidToBeGoneAndGoesOnFromItsCheckpoint() {
    const QString name = QStringLiteral("outlives");
    auto session = open();
    session->findRuns(m_folder.path());
    QVERIFY(session->run(name) && !session->run(name)->loaded);
    session->openRun(name);
    const int stopped = session->run(name)->status.step;
    QCOMPARE(session->run(name)->steps.back()->step, stopped);
    QSignalSpy launched(session.get(), &Session::runLaunched), failed(session.get(), &Session::launchFailed);
    session->relaunchRun(name);
    QTRY_VERIFY_WITH_TIMEOUT(launched.size() + failed.size() == 1, kPatience);
    QVERIFY2(failed.isEmpty(), failed.isEmpty() ? "" : failed[0][0].value<Failure>().text().c_str());
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.step > stopped && session->run(name)->pid > 0, kPatience);
    const qint64 pid = session->run(name)->pid;
    m_pids.push_back(pid);

    QSignalSpy told(session.get(), &Session::runFailed);
    QVERIFY(::kill(pid_t(pid), SIGKILL) == 0);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Failed, kPatience);
    QCOMPARE(told.size(), 1);
    QVERIFY(session->run(name)->failure);
    QCOMPARE(QString::fromStdString(session->run(name)->failure->what), QStringLiteral("The process that trained this run is gone"));
    QVERIFY(session->run(name)->failure->why.find("after step") != std::string::npos);
    QVERIFY(QFileInfo::exists(at("outlives/control.sock")));  // nobody could remove it

    // Another session sees the same, and starts it again over the stale socket.
    session.reset();
    session = open();
    session->findRuns(m_folder.path());
    session->openRun(name);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Failed, 60'000);
    session->relaunchRun(name);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Running && session->run(name)->pid > 0 && session->run(name)->pid != pid, kPatience);
    m_pids.push_back(session->run(name)->pid);
    // Its lock is seen a moment before its socket: until then it is followed and cannot be steered.
    QTRY_VERIFY_WITH_TIMEOUT(session->refusal(RunAction::Stop, name).isEmpty(), kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.step > stopped, kPatience);
    const std::size_t checkpoints = session->run(name)->checkpoints.size();
    session->steer(RunAction::Stop, name);
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Stopped, kPatience);
    QCOMPARE(session->run(name)->checkpoints.size(), checkpoints);  // without saving
    int last = -1;
    for (const StepPtr& step : session->run(name)->steps) {
      QVERIFY(step->step > last);
      last = step->step;
    }
  }

  // A killed process closes its connection before it lets go of the lock, and nothing in its folder changes when it does.
  void aLockThatIsLetGoWithoutAWordIsNoticed() {
    const std::string at = m_folder.filePath(QStringLiteral("silent")).toStdString();
    {
      RunWriter writer(at);
      writer.writeConfig("trainer:\n  name: silent\n");
      RunStatus status;
      status.run = "silent", status.state = RunState::Running, status.step = 3, status.totalSteps = 9;
      writer.writeStatus(status);
    }
    auto lock = std::make_unique<RunWriter>(at);
    auto session = open();
    QSignalSpy told(session.get(), &Session::runFailed);
    QVERIFY(session->followRun(QString::fromStdString(at)));
    QVERIFY(session->run(QStringLiteral("silent")));
    QVERIFY(session->run(QStringLiteral("silent"))->driver == RunDriver::Elsewhere);
    QTest::qWait(100);
    QCOMPARE(told.size(), 0);
    lock.reset();
    QTRY_VERIFY_WITH_TIMEOUT(session->run(QStringLiteral("silent"))->status.state == RunState::Failed, 60'000);
    QCOMPARE(told.size(), 1);
    QVERIFY(session->run(QStringLiteral("silent"))->driver == RunDriver::None);
  }

  void aRunThatCannotBeginSaysWhy() {
    auto session = open();
    QSignalSpy failed(session.get(), &Session::launchFailed);
    RunConfig config = tiny(m_folder.path(), "wrong", 3);
    config.teacher.path = m_folder.path().toStdString();  // a folder, but no model
    session->launchRun(config);
    QTRY_COMPARE_WITH_TIMEOUT(failed.size(), 1, kPatience);
    const Failure why = failed[0][0].value<Failure>();
    QVERIFY(!why.what.empty() && !why.why.empty());
    session->setCommandLine(QStringLiteral("/nonexistent/cuescope-cli"));
    session->launchRun(config);
    QTRY_COMPARE_WITH_TIMEOUT(failed.size(), 2, kPatience);
    QVERIFY(!session->launching());
  }

  void aRealRunWhoseTeacherIsItselfIsNamedFromItsFirstStep() {
    auto session = open();
    QSignalSpy launched(session.get(), &Session::runLaunched), failed(session.get(), &Session::launchFailed);
    RunConfig config = tiny(m_folder.path(), "no-op", 6);
    config.teacher.path = config.student.path;  // the same model with the same prompt: nothing to learn
    config.actor.lr = 1e-12;
    session->launchRun(config);
    QTRY_VERIFY_WITH_TIMEOUT(launched.size() + failed.size() == 1, kPatience);
    QVERIFY2(failed.isEmpty(), failed.isEmpty() ? "" : failed[0][0].value<Failure>().text().c_str());
    const QString name = launched[0][0].toString();
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Completed, kPatience);
    QTRY_COMPARE(session->run(name)->steps.back()->step, 6);
    const auto events = healthOf(session->run(name)->steps);
    QCOMPARE(events.size(), std::size_t(1));
    QCOMPARE(events[0].check, QStringLiteral("loss"));
    QCOMPARE(events[0].step, 1);
  }

  void aRealRunThatItsLearningRateDestroysIsNamedWhereItBreaks() {
    auto session = open();
    QSignalSpy launched(session.get(), &Session::runLaunched), failed(session.get(), &Session::launchFailed);
    RunConfig config = tiny(m_folder.path(), "destroyed", 12);
    config.actor.lr = 1, config.actor.lrWarmupSteps = 0, config.actor.gradClip = 1e9;
    session->launchRun(config);
    QTRY_VERIFY_WITH_TIMEOUT(launched.size() + failed.size() == 1, kPatience);
    QVERIFY2(failed.isEmpty(), failed.isEmpty() ? "" : failed[0][0].value<Failure>().text().c_str());
    const QString name = launched[0][0].toString();
    QTRY_VERIFY_WITH_TIMEOUT(session->run(name)->status.state == RunState::Completed, kPatience);
    int teacher = -1, loss = -1;
    for (const HealthEvent& event : healthOf(session->run(name)->steps)) {
      if (event.check == QLatin1String("teacher")) teacher = event.step;
      if (event.check == QLatin1String("loss")) loss = event.step;
    }
    QVERIFY2(teacher == 2 || teacher == 3, qPrintable(QString::number(teacher)));  // the first step was made with sound weights
    QVERIFY2(loss >= 2 && loss <= 5, qPrintable(QString::number(loss)));           // and from then on no gradient came through
  }

  void theQueueStartsTheNextRunWhenOneEndsAndSurvivesTheWindow() {
    auto session = open();
    const QString folder = m_folder.filePath(QStringLiteral("queue"));
    {
      RunQueue queue(*session);
      queue.open(folder);
      queue.setHeld(true);
      queue.add(tiny(folder, "second", 2), true);
      queue.add(tiny(folder, "third", 2), true);
      queue.add(tiny(folder, "first", 2), true);
      queue.move(2, 0);
      queue.remove(2);
      QCOMPARE(queue.size(), 2);
    }
    session = open();
    RunQueue queue(*session);
    queue.open(folder);
    QCOMPARE(queue.size(), 2);
    QVERIFY(queue.held());
    QCOMPARE(queue.items()[0].config.trainer.name, std::string("first"));
    QSignalSpy launched(session.get(), &Session::runLaunched);
    queue.setHeld(false);
    QTRY_COMPARE_WITH_TIMEOUT(launched.size(), 2, 2 * kPatience);
    QCOMPARE(launched[0][0].toString(), QStringLiteral("first"));
    QCOMPARE(launched[1][0].toString(), QStringLiteral("second"));
    QTRY_VERIFY_WITH_TIMEOUT(session->run(QStringLiteral("second"))->status.state == RunState::Completed, kPatience);
    QVERIFY(session->run(QStringLiteral("first"))->status.state == RunState::Completed);
    QCOMPARE(queue.size(), 0);
  }
};

QTEST_GUILESS_MAIN(TestOwnProcess)
#include "tst_own_process.moc"
