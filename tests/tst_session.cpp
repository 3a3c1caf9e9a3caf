// The Session and the Selection, with a FakeEngine behind the door: newest wins, steps in order, run control and its reasons.
#include <QSignalSpy>
#include <QtTest>

#include "engine/core/run_directory.h"
#include "support/fake_engine.h"
#include "ui/selection.h"
#include "ui/session.h"

using namespace cuescope;

class TestSession : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theEngineOpensBehindTheCallAndReportsReady();
  void anEngineThatCannotBeOpenedIsAReadableFailure();
  void onlyTheNewestInspectionArrives();
  void tokensStreamBeforeTheInspection();
  void aFailedInspectionIsItsOwnFailure();
  void cancelReachesTheRunningInspection();
  void whatIfAnswersCarryTheirRequest();
  void stepsAllArriveInOrder();
  void aLongRunOpensInPartsAndTheWindowGoesOn();
  void aPausedRunIsInspectedAndResumes();
  void stoppingReleasesTheRun();
  void aFailingRunSaysWhyAndAnotherMayStart();
  void anEvaluationTakesTurnsWithARunAndAnInspectionComesBetween();
  void anEvaluationIsPausedAndGoesOnWithTheSameRows();
  void aCancelledEvaluationIsGoneAndAnotherMayBegin();
  void anEvaluationThatFailsSaysWhyOnce();
  void whatIsComputedIsNamedInOrderAndCancelledOneByOne();
  void refusalsHaveReasons();
  void selectionRemembersItsWay();

 private:
  std::shared_ptr<FakeControl> m_control;
  std::unique_ptr<Session> open() {
    m_control = std::make_shared<FakeControl>();
    return std::make_unique<Session>([control = m_control] { return makeFakeEngine(control); });
  }
  static RunConfig config(const char* name) {
    RunConfig c;
    c.trainer.name = name;
    c.trainer.directory = "/nonexistent";
    return c;
  }
};

void TestSession::theEngineOpensBehindTheCallAndReportsReady() {
  auto session = open();
  QSignalSpy doctor(session.get(), &Session::doctorArrived);
  QCOMPARE(session->engineState(), EngineState::NotStarted);
  session->start();
  QCOMPARE(session->engineState(), EngineState::Loading);
  QTRY_COMPARE(session->engineState(), EngineState::Ready);
  QTRY_COMPARE(doctor.size(), 1);
  QCOMPARE(session->doctorLines().size(), std::size_t(2));
}

void TestSession::anEngineThatCannotBeOpenedIsAReadableFailure() {
  Session session([]() -> std::unique_ptr<Engine> { throw Error("The engine pack is missing", "libcuescope_engine.so", "no such file", "Build it."); });
  QSignalSpy failed(&session, &Session::inspectionFailed);
  session.start();
  QTRY_COMPARE(session.engineState(), EngineState::Failed);
  QCOMPARE(session.engineFailure().what, std::string("The engine pack is missing"));
  const auto id = session.inspect({});
  QTRY_COMPARE(failed.size(), 1);
  QCOMPARE(failed[0][0].toLongLong(), id);
  QCOMPARE(failed[0][1].value<Failure>().what, std::string("The engine pack is missing"));
}

void TestSession::onlyTheNewestInspectionArrives() {
  auto session = open();
  QSignalSpy arrived(session.get(), &Session::inspectionArrived);
  m_control->set(true);
  session->inspect({});
  session->inspect({});
  const auto newest = session->inspect({});
  m_control->set(false);
  QTRY_COMPARE(arrived.size(), 1);
  QCOMPARE(arrived[0][0].value<InspectionPtr>()->id, newest);
  QVERIFY(!session->inspecting());
  QTest::qWait(20);
  QCOMPARE(arrived.size(), 1);
}

void TestSession::tokensStreamBeforeTheInspection() {
  auto session = open();
  QStringList order;
  connect(session.get(), &Session::tokenArrived, this,
          [&](const TokenArrived& token) { order << QString::fromStdString(token.token.text); });
  connect(session.get(), &Session::inspectionArrived, this, [&] { order << "done"; });
  session->inspect({});
  QTRY_COMPARE(order.size(), 6);
  QCOMPARE(order, QStringList({"the", " red", " circle", " four", ".", "done"}));
}

void TestSession::aFailedInspectionIsItsOwnFailure() {
  auto session = open();
  QSignalSpy failed(session.get(), &Session::inspectionFailed);
  QSignalSpy arrived(session.get(), &Session::inspectionArrived);
  m_control->failInspectWith = "This file is no image";
  InspectRequest request;
  request.images = {"bad.png"};
  session->inspect(request);
  QTRY_COMPARE(failed.size(), 1);
  QCOMPARE(failed[0][1].value<Failure>().where, std::string("bad.png"));
  {
    std::lock_guard lock(m_control->mutex);
    m_control->failInspectWith.clear();
  }
  session->inspect({});
  QTRY_COMPARE(arrived.size(), 1);
}

void TestSession::cancelReachesTheRunningInspection() {
  auto session = open();
  QSignalSpy cancelled(session.get(), &Session::inspectionCancelled);
  QSignalSpy arrived(session.get(), &Session::inspectionArrived);
  m_control->set(true);
  session->inspect({});
  QTRY_COMPARE(session->engineState(), EngineState::Ready);
  QTRY_COMPARE(session->waiting(), 0);
  session->cancel();
  QTRY_COMPARE(cancelled.size(), 1);
  QTRY_VERIFY([&] {
    std::lock_guard lock(m_control->mutex);
    return m_control->cancelled == 1;
  }());
  QCOMPARE(arrived.size(), 0);
}

void TestSession::whatIfAnswersCarryTheirRequest() {
  auto session = open();
  QSignalSpy arrived(session.get(), &Session::whatIfArrived);
  WhatIfRequest request;
  request.visualTokens = {1, 2};
  const auto id = session->whatIf(request);
  QVERIFY(session->asking());
  QTRY_COMPARE(arrived.size(), 1);
  QCOMPARE(arrived[0][0].value<WhatIfPtr>()->id, id);
  QVERIFY(!session->asking());
}

void TestSession::stepsAllArriveInOrder() {
  auto session = open();
  m_control->runSteps = 200;
  std::vector<int> steps;
  connect(session.get(), &Session::stepArrived, this, [&](const StepPtr& step) { steps.push_back(step->step); });
  session->start();
  session->startRun(config("demo"));
  QTRY_VERIFY(session->ownRun() && session->ownRun()->status.state == RunState::Completed);
  QCOMPARE(steps.size(), std::size_t(200));
  for (int i = 0; i < 200; ++i) QCOMPARE(steps[std::size_t(i)], i + 1);
  QCOMPARE(session->run("demo")->steps.size(), std::size_t(200));
}

void TestSession::whatIsComputedIsNamedInOrderAndCancelledOneByOne() {
  auto session = open();
  QVERIFY(!session->currentTask());
  m_control->setHoldEvaluation(true);
  EvaluateRequest judge;
  judge.model = "/models/weak";
  judge.files = {"/data/held-out.jsonl"};
  session->evaluate(judge);
  QTRY_COMPARE(session->evaluationState(), EvaluationState::Running);
  QVERIFY(session->currentTask() && session->currentTask()->words.startsWith("Evaluating"));
  int cancelled = 0;
  session->setTask("data.lint", "Lint of rows", [&] { ++cancelled, session->endTask("data.lint"); });
  session->setTask("export", "Exporting a model", {}, "A model is written whole.");
  session->updateTask("data.lint", 25, 100);
  QCOMPARE(session->currentTask()->words, QString("Lint of rows"));
  QCOMPARE(session->currentTask()->done, 25.0);
  QVERIFY(session->currentTask()->secondsLeft >= 0);  // judged by the time that went
  m_control->set(true);
  InspectRequest request;
  request.student = "/models/weak";
  session->inspect(request);
  QVERIFY(session->inspecting() && !session->currentTask()->words.startsWith("Lint"));
  // One press, one piece of work, that which is named.
  session->cancelCurrent();
  QVERIFY(!session->inspecting());
  QCOMPARE(cancelled, 0);
  session->cancelCurrent();
  QCOMPARE(cancelled, 1);
  QCOMPARE(session->currentTask()->words, QString("Exporting a model"));
  QCOMPARE(session->currentTask()->notCancellable, QString("A model is written whole."));
  session->cancelCurrent();  // nothing that can be cancelled: nothing else is
  QCOMPARE(session->evaluationState(), EvaluationState::Running);
  session->endTask("export");
  session->cancelCurrent();
  QCOMPARE(session->evaluationState(), EvaluationState::None);
  QVERIFY(!session->currentTask());
  m_control->set(false);
  m_control->setHoldEvaluation(false);
}

void TestSession::aLongRunOpensInPartsAndTheWindowGoesOn() {
  constexpr int kSteps = 1300;
  QTemporaryDir folder;
  const QString directory = folder.filePath(QStringLiteral("long"));
  {
    RunWriter writer(directory.toStdString());
    writer.writeConfig("trainer:\n  experiment_name: long\n");
    RunStatus status;
    status.run = "long";
    status.state = RunState::Completed;
    status.step = status.totalSteps = kSteps;
    writer.writeStatus(status);
    StepSnapshot step;
    for (step.step = 1; step.step <= kSteps; ++step.step) writer.append(step);
  }
  auto session = open();
  std::vector<int> arrived;
  connect(session.get(), &Session::stepArrived, this, [&](const StepPtr& step) { arrived.push_back(step->step); });
  std::size_t between = 0;  // how many had come when the event loop was free for the first time
  QTimer::singleShot(0, this, [&] { between = arrived.size(); });
  QVERIFY(session->followRun(directory));
  QVERIFY(!arrived.empty() && arrived.size() < kSteps);
  QTRY_COMPARE(arrived.size(), std::size_t(kSteps));
  QVERIFY(between > 0 && between < kSteps);
  for (int n = 0; n < kSteps; ++n) QCOMPARE(arrived[std::size_t(n)], n + 1);
  QCOMPARE(session->run(QStringLiteral("long"))->steps.size(), std::size_t(kSteps));
}

void TestSession::aPausedRunIsInspectedAndResumes() {
  auto session = open();
  m_control->runSteps = 1'000'000;
  QSignalSpy steps(session.get(), &Session::stepArrived);
  QSignalSpy arrived(session.get(), &Session::inspectionArrived);
  session->startRun(config("demo"));
  QTRY_VERIFY(steps.size() > 2);
  session->pauseRun();
  QTRY_COMPARE(session->ownRun()->status.state, RunState::Paused);
  const auto at = steps.size();
  InspectRequest request;
  request.student = kRunStudent;
  session->inspect(request);
  QTRY_COMPARE(arrived.size(), 1);
  QCOMPARE(steps.size(), at);
  QVERIFY(session->allowed(RunAction::Resume));
  session->resumeRun();
  QTRY_VERIFY(steps.size() > at);
  session->stopRun(false);
  QTRY_COMPARE(session->ownRun()->status.state, RunState::Stopped);
}

void TestSession::stoppingReleasesTheRun() {
  auto session = open();
  m_control->runSteps = 1'000'000;
  session->startRun(config("first"));
  QTRY_VERIFY(session->ownRun() && !session->ownRun()->steps.empty());
  QVERIFY(!session->allowed(RunAction::Start));
  session->stopRun(true);
  QTRY_COMPARE(session->ownRun()->status.state, RunState::Stopped);
  QCOMPARE(m_control->openRuns, 0);
  session->startRun(config("second"));
  QTRY_VERIFY(session->run("second") && !session->run("second")->steps.empty());
  session.reset();  // closing while a run lives
  QCOMPARE(m_control->openRuns, 0);
}

void TestSession::aFailingRunSaysWhyAndAnotherMayStart() {
  auto session = open();
  QSignalSpy failed(session.get(), &Session::runFailed);
  m_control->failRunAtStep = true;
  session->startRun(config("demo"));
  QTRY_COMPARE(failed.size(), 1);
  QCOMPARE(failed[0][1].value<Failure>().what, std::string("The loss is not finite"));
  QCOMPARE(session->ownRun()->status.state, RunState::Failed);
  m_control->failRunAtStep = false;
  QVERIFY(session->allowed(RunAction::Start));
  session->startRun(config("again"));
  QTRY_VERIFY(session->run("again") && session->run("again")->status.state == RunState::Completed);
}

void TestSession::anEvaluationTakesTurnsWithARunAndAnInspectionComesBetween() {
  auto session = open();
  m_control->runSteps = 1'000'000;
  m_control->evaluationRows = 400;
  QSignalSpy judged(session.get(), &Session::evaluationArrived), looked(session.get(), &Session::inspectionArrived);
  session->startRun(config("demo"));
  QTRY_VERIFY(session->ownRun() && !session->ownRun()->steps.empty());
  m_control->setHoldEvaluation(true);
  EvaluateRequest request;
  request.model = "/models/weak";
  request.files = {"held-out.jsonl"};
  const auto id = session->evaluate(request);
  QVERIFY(id > 0);
  QCOMPARE(session->evaluate(request), std::int64_t(0));  // one at a time
  QTRY_COMPARE(session->evaluationState(), EvaluationState::Running);
  session->inspect({});  // waits for one unit, not for the evaluation
  {
    std::lock_guard lock(m_control->mutex);
    m_control->history.clear();
  }
  m_control->setHoldEvaluation(false);
  QTRY_COMPARE(judged.size(), 1);
  QCOMPARE(judged[0][0].toLongLong(), id);
  QCOMPARE(looked.size(), 1);
  std::string history;
  {
    std::lock_guard lock(m_control->mutex);
    history = m_control->history;
  }
  const auto answered = std::count(history.begin(), history.begin() + std::ptrdiff_t(history.find('i')), 'e');
  QVERIFY2(answered <= 2, history.c_str());  // the unit that was held, and none or one behind it
  QCOMPARE(std::count(history.begin(), history.end(), 'e'), std::ptrdiff_t(100));
  std::string turns = history.substr(0, history.rfind('e') + 1);
  std::erase(turns, 'i');
  QVERIFY2(turns.find("ee") == std::string::npos, turns.c_str());  // a unit of the run between two of the evaluation
  QVERIFY2(turns.find("rr") == std::string::npos, turns.c_str());
  QCOMPARE(session->ownRun()->status.state, RunState::Running);
  QCOMPARE(session->evaluationState(), EvaluationState::None);
  QTRY_COMPARE(m_control->openEvaluations, 0);
  session->stopRun(false);
  QTRY_COMPARE(session->ownRun()->status.state, RunState::Stopped);
}

void TestSession::anEvaluationIsPausedAndGoesOnWithTheSameRows() {
  auto session = open();
  m_control->setHoldEvaluation(true);
  QSignalSpy judged(session.get(), &Session::evaluationArrived);
  EvaluateRequest request;
  request.model = "/models/weak";
  request.files = {"held-out.jsonl"};
  session->evaluate(request);
  QTRY_COMPARE(session->evaluationState(), EvaluationState::Running);
  session->pauseEvaluation();
  QCOMPARE(session->evaluationState(), EvaluationState::Paused);
  m_control->setHoldEvaluation(false);  // the unit that had begun ends, and no other follows
  QTRY_COMPARE(session->evaluationProgress().done, 4.0);
  QSignalSpy looked(session.get(), &Session::inspectionArrived);
  session->inspect({});
  QTRY_COMPARE(looked.size(), 1);
  QCOMPARE(session->evaluationProgress().done, 4.0);
  QCOMPARE(session->evaluationProgress().total, 20.0);
  session->resumeEvaluation();
  QTRY_COMPARE(judged.size(), 1);
  const auto evaluation = judged[0][1].value<EvaluationPtr>();
  QCOMPARE(evaluation->samples.size(), std::size_t(20));
  for (std::size_t i = 0; i < 20; ++i) QCOMPARE(evaluation->samples[i].index, std::int64_t(i));
}

void TestSession::aCancelledEvaluationIsGoneAndAnotherMayBegin() {
  auto session = open();
  m_control->setHoldEvaluation(true);
  QSignalSpy judged(session.get(), &Session::evaluationArrived), cancelled(session.get(), &Session::evaluationCancelled);
  EvaluateRequest request;
  request.model = "/models/weak";
  request.files = {"held-out.jsonl"};
  const auto first = session->evaluate(request);
  QTRY_COMPARE(session->evaluationState(), EvaluationState::Running);
  session->cancelEvaluation();  // the unit is stopped where it is
  QCOMPARE(session->evaluationState(), EvaluationState::None);
  QCOMPARE(cancelled.size(), 1);
  QCOMPARE(cancelled[0][0].toLongLong(), first);
  QTRY_COMPARE(m_control->openEvaluations, 0);
  m_control->setHoldEvaluation(false);
  const auto second = session->evaluate(request);
  QTRY_COMPARE(judged.size(), 1);
  QCOMPARE(judged[0][0].toLongLong(), second);
  m_control->setHoldEvaluation(true);
  session->evaluate(request);
  QTRY_COMPARE(session->evaluationState(), EvaluationState::Running);
  session.reset();  // closing while one is under way
  QCOMPARE(m_control->openEvaluations, 0);
}

void TestSession::anEvaluationThatFailsSaysWhyOnce() {
  auto session = open();
  QSignalSpy failed(session.get(), &Session::evaluationFailed);
  EvaluateRequest request;
  request.model = "/models/gone";
  request.files = {"held-out.jsonl"};
  session->evaluate(request);
  QTRY_COMPARE(failed.size(), 1);
  QCOMPARE(failed[0][1].value<Failure>().what, std::string("The model's folder does not exist"));
  m_control->failEvaluationWith = "The device has no memory left";
  request.model = "/models/weak";
  session->evaluate(request);
  QTRY_COMPARE(failed.size(), 2);
  QCOMPARE(failed[1][1].value<Failure>().what, std::string("The device has no memory left"));
  QCOMPARE(session->evaluationState(), EvaluationState::None);
  QTRY_COMPARE(m_control->openEvaluations, 0);
}

void TestSession::refusalsHaveReasons() {
  const RunState states[] = {RunState::Ready,    RunState::Running,   RunState::Paused, RunState::Stopping,
                             RunState::Completed, RunState::Stopped, RunState::Failed};
  const auto allowed = [](RunAction action, RunState state) { return runRefusal(action, true, state, EngineState::Ready).isEmpty(); };
  for (RunState state : states) {
    QCOMPARE(allowed(RunAction::Pause, state), state == RunState::Running);
    QCOMPARE(allowed(RunAction::Resume, state), state == RunState::Paused);
    QVERIFY(!runRefusal(RunAction::Start, true, state, EngineState::Loading).isEmpty());
  }
  QVERIFY(allowed(RunAction::Start, RunState::Completed));
  QVERIFY(!allowed(RunAction::Start, RunState::Paused));
  QVERIFY(allowed(RunAction::InspectStudent, RunState::Paused));
  QVERIFY(!allowed(RunAction::InspectStudent, RunState::Stopped));
}

void TestSession::selectionRemembersItsWay() {
  Selection selection;
  QSignalSpy changed(&selection, &Selection::changed);
  selection.setToken(3);
  selection.setLayer(2);
  selection.setLayer(2);
  QCOMPARE(changed.size(), 2);
  SelectionState both = selection.state();
  both.head = 1;
  both.token = 4;
  selection.set(both);
  QCOMPARE(changed[2][0].value<Selection::Parts>(), Selection::Parts(Selection::Token | Selection::Head));
  selection.back();
  QCOMPARE(selection.token(), 3);
  QCOMPARE(selection.head(), kHeadMean);
  selection.back();
  QCOMPARE(selection.layer(), -1);
  selection.forward();
  QCOMPARE(selection.layer(), 2);
  selection.setToken(9);
  QVERIFY(!selection.canGoForward());
}

QTEST_GUILESS_MAIN(TestSession)
#include "tst_session.moc"
