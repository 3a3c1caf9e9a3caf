// The control socket of a run: commands arrive once and in order, refusals say why, long paths, stale sockets, rude clients.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <QDir>
#include <QTemporaryDir>
#include <QtTest>

#include "engine/core/run_control.h"
#include "engine/core/run_directory.h"
#include "engine/core/run_health.h"

using namespace cuescope;

namespace {

RunStatus statusOf(RunState state, int step = 3) {
  RunStatus status;
  status.run = "tiny", status.state = state, status.step = step, status.totalSteps = 9, status.phase = "rollout";
  return status;
}

/// Messages until one of a kind has come, or nothing for two seconds.
std::vector<RunMessage> until(RunControlClient& client, RunMessage::Kind kind) {
  std::vector<RunMessage> all;
  while (client.waitReadable(2000)) {
    for (RunMessage& message : client.receive()) all.push_back(std::move(message));
    if (client.closed() || std::any_of(all.begin(), all.end(), [&](const RunMessage& m) { return m.kind == kind; })) break;
  }
  return all;
}

StepSnapshot step(int at, std::initializer_list<std::pair<const std::string, double>> metrics) {
  StepSnapshot s;
  s.step = at, s.metrics = metrics;
  return s;
}

}  // namespace

class TestRunControl : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  std::string folder(const char* name) {
    QDir(m_folder.path()).mkpath(QLatin1String(name));
    return m_folder.filePath(QLatin1String(name)).toStdString();
  }

 private Q_SLOTS:
  void theGreetingNamesVersionProcessAndState() {
    const std::string at = folder("greeting");
    RunControlServer server(at, statusOf(RunState::Running), {});
    const auto client = RunControlClient::connect(at, nullptr);
    QVERIFY(client);
    const auto heard = until(*client, RunMessage::Kind::Hello);
    QCOMPARE(heard.size(), std::size_t(1));
    QCOMPARE(heard[0].version, kRunControlVersion);
    QCOMPARE(heard[0].pid, std::int64_t(::getpid()));
    QVERIFY(heard[0].status.state == RunState::Running);
    QCOMPARE(heard[0].status.step, 3);
  }

  void commandsArriveInOrderAndARefusalSaysWhy() {
    const std::string at = folder("order");
    bool stopped = false;
    RunControlServer server(at, statusOf(RunState::Running), [&] { stopped = true; });
    const auto client = RunControlClient::connect(at, nullptr);
    QVERIFY(client);
    until(*client, RunMessage::Kind::Hello);
    QVERIFY(client->send(RunCommand::Checkpoint) == 1);
    QVERIFY(client->send(RunCommand::Pause) == 2);
    QVERIFY(client->send(RunCommand::Pause) == 3);
    QVERIFY(client->send(RunCommand::StopAndSave) == 4);
    std::vector<RunMessage> answers;
    while (answers.size() < 4 && client->waitReadable(2000))
      for (RunMessage& message : client->receive()) answers.push_back(message);
    QCOMPARE(answers.size(), std::size_t(4));
    QVERIFY(answers[0].ok && answers[1].ok && answers[3].ok);
    QVERIFY(!answers[2].ok && answers[2].id == 3);
    QCOMPARE(QString::fromStdString(answers[2].why), QStringLiteral("The run is paused already."));
    server.wait({});
    const auto commands = server.take();
    QCOMPARE(commands.size(), std::size_t(3));
    QVERIFY(commands[0] == RunCommand::Checkpoint && commands[1] == RunCommand::Pause && commands[2] == RunCommand::StopAndSave);
    QVERIFY(stopped);
    QVERIFY(server.take().empty());
  }

  void statesAndCheckpointsAreToldToEveryClientAndTheLastStatusBeforeTheEnd() {
    const std::string at = folder("tell");
    auto server = std::make_unique<RunControlServer>(at, statusOf(RunState::Running), [] {});
    const auto first = RunControlClient::connect(at, nullptr), second = RunControlClient::connect(at, nullptr);
    until(*first, RunMessage::Kind::Hello), until(*second, RunMessage::Kind::Hello);
    server->saved("/runs/tiny/checkpoints/step-000003");
    server->trouble({"The disk is full", "checkpoints", "no space", "Make room."});
    server->publish(statusOf(RunState::Completed, 9));
    server.reset();
    for (RunControlClient* client : {first.get(), second.get()}) {
      const auto heard = until(*client, RunMessage::Kind::Status);
      QVERIFY(heard.size() >= 3);
      QCOMPARE(QString::fromStdString(heard[0].folder), QStringLiteral("/runs/tiny/checkpoints/step-000003"));
      QCOMPARE(QString::fromStdString(heard[1].failure.why), QStringLiteral("no space"));
      QVERIFY(heard.back().status.state == RunState::Completed);
      client->waitReadable(2000);
      client->receive();
      QVERIFY(client->closed());
      QCOMPARE(client->send(RunCommand::Pause), std::int64_t(0));
    }
    std::string why;
    QVERIFY(!RunControlClient::connect(at, &why));
    QCOMPARE(QString::fromStdString(why), QStringLiteral("no process listens there"));
  }

  void aPathLongerThanASocketsAddressWorks() {
    std::string at = folder("long");
    for (int i = 0; i < 4; ++i) at += "/a-name-of-fifty-letters-for-a-folder-that-holds-runs-";
    QVERIFY(at.size() > 200);
    QDir().mkpath(QString::fromStdString(at));
    RunControlServer server(at, statusOf(RunState::Paused), {});
    const auto client = RunControlClient::connect(at, nullptr);
    QVERIFY(client);
    QVERIFY(until(*client, RunMessage::Kind::Hello).front().status.state == RunState::Paused);
  }

  void aSocketThatAKilledProcessLeftIsNamedAndReplaced() {
    const std::string at = folder("stale");
    const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", at.c_str(), kRunControlSocket);
    QVERIFY(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(left);
    std::string why;
    QVERIFY(!RunControlClient::connect(at, &why));
    QCOMPARE(QString::fromStdString(why), QStringLiteral("the process that listened there is gone"));
    RunControlServer server(at, statusOf(RunState::Running), {});
    QVERIFY(RunControlClient::connect(at, &why));
  }

  void garbageIsAnsweredAndAnEndlessLineIsCutOff() {
    const std::string at = folder("rude");
    RunControlServer server(at, statusOf(RunState::Running), {});
    const auto client = RunControlClient::connect(at, nullptr);
    until(*client, RunMessage::Kind::Hello);
    const std::string rude = "no json\n{\"id\": 5, \"do\": \"explode\"}\n{\"id\": \"x\", \"do\": 7}\n";
    QVERIFY(::send(client->fd(), rude.data(), rude.size(), 0) == ssize_t(rude.size()));
    std::vector<RunMessage> answers;
    while (answers.size() < 3 && client->waitReadable(2000))
      for (RunMessage& message : client->receive()) answers.push_back(message);
    QCOMPARE(answers.size(), std::size_t(3));
    for (const RunMessage& answer : answers) QVERIFY(!answer.ok);
    QVERIFY(answers[1].id == 5 && answers[1].why.find("explode") != std::string::npos);
    const std::string endless(200'000, 'x');
    std::size_t sent = 0;
    while (sent < endless.size()) {
      const ssize_t count = ::send(client->fd(), endless.data() + sent, endless.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) sent += std::size_t(count);
      else if (!client->waitReadable(20)) continue;
      else break;
    }
    while (!client->closed() && client->waitReadable(2000)) client->receive();
    QVERIFY(client->closed());
    QVERIFY(RunControlClient::connect(at, nullptr));  // others are served
    QVERIFY(server.take().empty());
  }

  void theHolderOfTheLockIsKnown() {
    const std::string at = folder("lock");
    QVERIFY(!runOwner(at).held);
    {
      RunWriter writer(at);
      QVERIFY(runOwner(at).held);
      QCOMPARE(runOwner(at).pid, std::int64_t(::getpid()));
    }
    QVERIFY(!runOwner(at).held);
  }

  void aRunsFailureIsKeptForThoseWhoLookLater() {
    const std::string at = folder("failure");
    QVERIFY(!readRunFailure(at));
    writeRunFailure(at, {"The loss is not finite", "step 7", "«a»", "Lower the rate."});
    QCOMPARE(QString::fromStdString(readRunFailure(at)->why), QStringLiteral("«a»"));
    clearRunFailure(at);
    QVERIFY(!readRunFailure(at));
  }

  // ---- health rules, on series that show the trouble from a known step on ------------------------------------------------

  void eachTroubleIsNamedAtTheStepWhereItBegins_data() {
    QTest::addColumn<QString>("check");
    QTest::addColumn<int>("begins");
    for (const char* name : {"finite", "skipped", "length", "mass", "loss", "apart", "stale", "nocue", "rollout", "rollout-once"}) {
      const QString check = QStringLiteral("apart,stale,nocue").contains(QLatin1String(name)) ? QStringLiteral("teacher")
                            : QString(QLatin1String(name)) == QLatin1String("skipped")        ? QStringLiteral("finite")
                                                                                              : QString(QLatin1String(name)).section(u'-', 0, 0);
      QTest::newRow(name) << check << 40;
    }
  }
  void eachTroubleIsNamedAtTheStepWhereItBegins() {
    QFETCH(QString, check);
    QFETCH(int, begins);
    const QString row = QString::fromLatin1(QTest::currentDataTag());
    HealthWatch watch(true), sound(true);
    for (int s = 1; s <= 80; ++s) {
      StepSnapshot healthy = step(s, {{"actor/loss", 0.5 - 0.001 * s}, {"actor/grad_norm", 0.4}, {"response_length/mean", 20.0 + s % 3}, {"actor/distillation/student_mass", 0.9},
                                      {"distillation/gap", -0.5 + 0.003 * s}, {"distillation/teacher_prompt_hit_rate", 1.0}, {"training/rollout_logprob_diff_mean", 1e-6}, {"actor/skipped_updates", 0}});
      sound.add(healthy);
      if (s >= begins) {
        if (row == "finite") healthy.metrics["actor/loss"] = std::nan("");
        if (row == "skipped") healthy.metrics["actor/skipped_updates"] = 1;
        if (row == "length") healthy.metrics["response_length/mean"] = 6;
        if (row == "mass") healthy.metrics["actor/distillation/student_mass"] = 0.2;
        if (row == "loss") healthy.metrics["actor/loss"] = 0;
        if (row == "apart") healthy.metrics["distillation/gap"] = -6.5 - 0.01 * s;
        if (row == "stale") healthy.metrics["distillation/gap"] = -0.5 + 0.003 * (begins - 1);
        if (row == "nocue") healthy.metrics["distillation/teacher_prompt_hit_rate"] = 0;
        if (row == "rollout") healthy.metrics["training/rollout_logprob_diff_mean"] = 0.03;
        if (row == "rollout-once" && s == begins) healthy.metrics["training/rollout_logprob_diff_mean"] = 0.4;
      }
      watch.add(healthy);
    }
    QVERIFY(sound.findings().empty());
    const auto found = watch.findings();
    QCOMPARE(found.size(), std::size_t(1));
    QCOMPARE(QString::fromStdString(found[0].check), check);
    QCOMPARE(found[0].step, begins);
    QVERIFY(!found[0].words.empty() && !found[0].detail.empty() && !found[0].metric.empty());
  }

  void theGapOfTheRolloutIsJudgedByTheRunsOwnAlarm() {
    const auto found = [](double gap, double alarm) {
      HealthWatch watch;
      for (int s = 1; s <= 5; ++s) watch.add(step(s, {{"training/rollout_logprob_diff_mean", gap}, {"training/rollout_gap_alarm", alarm}}));
      return watch.findings();
    };
    QVERIFY(found(0.05, 0).empty());  // rollout.gap_alarm above 0.05: no trouble, although the usual alarm is 0.02
    QVERIFY(found(0.4, 0).empty());
    QCOMPARE(found(0.001, 1).size(), std::size_t(1));  // and below 0.001
    QCOMPARE(found(0.001, 1)[0].step, 1);
    QCOMPARE(found(0.001, 1)[0].check, std::string("rollout"));
  }
  void aTroubleThatPassedIsNoneAndOneThatComesBackIsNamedWhereItCameBack() {
    HealthWatch watch;
    for (int s = 1; s <= 120; ++s) watch.add(step(s, {{"response_length/mean", (s >= 30 && s < 50) || s >= 90 ? 8.0 : 20.0}}));
    QCOMPARE(watch.findings().size(), std::size_t(1));
    QCOMPARE(watch.findings()[0].step, 90);
  }
  void aRunWithoutPrivilegeNeedsNoCue() {
    HealthWatch watch(false);
    for (int s = 1; s <= 20; ++s) watch.add(step(s, {{"distillation/teacher_prompt_hit_rate", 0}, {"distillation/gap", -0.4 - 0.01 * s}}));
    QVERIFY(watch.findings().empty());
  }
  void aTeacherThatIsApartFromTheFirstStepOnIsNamedThere() {
    HealthWatch watch;
    for (int s = 1; s <= 5; ++s) watch.add(step(s, {{"distillation/gap", -9.0 + 0.1 * s}}));
    QCOMPARE(watch.findings().size(), std::size_t(1));
    QCOMPARE(watch.findings()[0].step, 1);
  }
};

QTEST_GUILESS_MAIN(TestRunControl)
#include "tst_run_control.moc"
