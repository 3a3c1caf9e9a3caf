// What pages ask of the engine's thread when it does not go well: a job that is cancelled while it waits, a file that cannot be read,
// pictures that come back again and again. The pages must stand as if nothing were under way, and keep no more than they may.
#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QtTest>

#include "engine/core/evaluation_file.h"
#include "support/fake_engine.h"
#include "support/made_up_run.h"
#include "support/null_engine.h"
#include "ui/data_page.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/train_page.h"
#include "ui/status_strip.h"
#include "ui/workspace.h"
#include "widgets/error_panel.h"
#include "widgets/task_progress.h"

using namespace cuescope;

namespace {

/// A data file whose first page is read once; what follows refuses.
class FadingEngine : public test::NullEngine {
 public:
  DataRows readRows(const std::string& file, std::int64_t first, int count) override {
    if (m_reads++ > 0) throw Error("This data file cannot be read", file, "it has gone", "Open it again.");
    DataRows rows;
    rows.file = file;
    rows.total = 1;
    DataRow row;
    row.index = 0;
    row.id = "only";
    rows.rows = {row};
    return rows;
  }

 private:
  int m_reads = 0;
};

DataRow pictured(qint64 index, std::size_t bytes) {
  DataRow row;
  row.index = index;
  row.id = "row-" + std::to_string(index);
  row.cue = "The circle is red.";
  row.pictures = 1;
  row.image.assign(bytes, 7);
  return row;
}

}  // namespace

class TestPageJobs : public QObject {
  Q_OBJECT
  QTemporaryDir m_home;

  static void open(MainWindow& window, Session& session) {
    window.resize(1600, 1000);
    window.show();
    QVERIFY(QTest::qWaitForWindowExposed(&window));
    session.start();
    QTRY_COMPARE(session.engineState(), EngineState::Ready);
  }
  static QToolButton* cancelOf(const MainWindow& window) { return window.status()->findChild<TaskProgress*>()->findChild<QToolButton*>(); }

 private Q_SLOTS:
  void initTestCase() {
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
    QCoreApplication::setOrganizationName("cuescope-test");
    Theme::instance().install();
  }

  void aCaptureThatIsCancelledWhileItWaitsIsOver() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    MainWindow window(session);
    window.workspace().addModel("/models/weak");
    window.show();
    session.start();
    QTRY_COMPARE(session.engineState(), EngineState::Ready);
    QSignalSpy arrived(&session, &Session::inspectionArrived);
    window.setPage(MainWindow::Inspect);
    InspectPage* page = window.inspectPage();
    InspectRequest request;
    request.student = "/models/weak";
    request.question = "What digit is on the red circle?";
    page->ask(request);
    QTRY_COMPARE(arrived.size(), 1);
    control->set(true);
    for (const bool byKey : {true, false}) {
      session.submit("somebody", [control](Engine& engine, const EventSink& sink, std::stop_token stop) {
        InspectRequest longOne;
        engine.inspect(longOne, sink, stop);  // until it is cancelled
      });
      page->captureSelected(true);
      QVERIFY(page->capturing());
      if (byKey) window.action(QStringLiteral("inspect.cancel"))->trigger();
      else Q_EMIT page->askBar()->cancelled();
      QVERIFY(!page->capturing());
      session.cancelJobs("somebody");
    }
    control->set(false);
    page->captureSelected(true);  // and can be asked for again
    QTRY_VERIFY(!page->capturing());
    QTRY_VERIFY(!page->shownRequest().sites.empty());
  }

  void lintOfAFileThatCannotBeReadEndsAndSaysWhy() {
    Session session([] { return std::make_unique<FadingEngine>(); });
    Workspace workspace;
    DataPage page(session, workspace);
    page.show();
    session.start();
    QTRY_COMPARE(session.engineState(), EngineState::Ready);
    page.openFile(m_home.filePath("rows.jsonl"));
    QTRY_COMPARE(page.model()->rowCount(), 1);
    page.lintAll();
    QCOMPARE(page.lintButton()->text(), QStringLiteral("Cancel"));
    QTRY_COMPARE(page.lintButton()->text(), QStringLiteral("Run lint"));
    bool told = false;
    for (const ErrorPanel* panel : page.findChildren<ErrorPanel*>()) told |= panel->isVisible();
    QVERIFY(told);
  }

  void picturesThatComeBackCountTowardsTheLimit() {
    constexpr int kRows = 40;
    constexpr std::size_t kBytes = 1000;
    DataRowsModel model;
    model.setPictureLimit(4 * kBytes);
    model.clear(QStringLiteral("x"));
    DataRows rows;
    rows.file = "x", rows.total = kRows;
    for (int i = 0; i < kRows; ++i) rows.rows.push_back(pictured(i, kBytes));
    model.add(rows);
    for (int i = 0; i < kRows; ++i) {
      model.replace(pictured(i, kBytes));
      QCOMPARE(model.row(i)->image.size(), kBytes);  // the one that is looked at
    }
    qint64 held = 0;
    for (int i = 0; i < kRows; ++i) held += qint64(model.row(i)->image.size());
    QCOMPARE(model.pictureBytes(), held);
    QVERIFY2(held <= qint64(13 * kBytes), qPrintable(QString::number(held)));
    model.replace(pictured(kRows - 1, kBytes));  // the same again is not counted twice
    QCOMPARE(model.pictureBytes(), held);
  }

  // What the status bar names is cancelled there; the page then stands as if it had not been asked.
  void aSuggestedCueIsATaskThatIsCancelledInTheStatusBar() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    MainWindow window(session);
    open(window, session);
    window.setPage(MainWindow::Data);
    DataPage* page = window.dataPage();
    page->openFile(m_home.filePath("suggested.jsonl"));
    QTRY_VERIFY2(page->suggestButton()->isEnabled(), qPrintable(page->suggestButton()->toolTip()));
    const std::string before = page->currentCue().cue;
    control->set(true);
    QTest::mouseClick(page->suggestButton(), Qt::LeftButton);
    QTRY_VERIFY2(window.status()->words().startsWith("Suggesting a cue for scene-0"), qPrintable(window.status()->words()));
    QCOMPARE(page->suggestButton()->text(), QString("Cancel"));
    const auto asked = [&] {
      std::lock_guard lock(control->mutex);
      return control->lastRequest.sampleId == "scene-0";
    };
    QTRY_VERIFY(asked());  // the teacher is at it
    QTest::mouseClick(cancelOf(window), Qt::LeftButton);
    QCOMPARE(page->suggestButton()->text(), QString("Suggest cue"));
    QTRY_COMPARE(control->cancelled, 1);
    QVERIFY2(!window.status()->words().contains("Suggesting"), qPrintable(window.status()->words()));
    control->set(false);
    QCOMPARE(page->currentCue().cue, before);
    QTest::mouseClick(page->suggestButton(), Qt::LeftButton);  // and asked again it comes, and the task with it goes
    QTRY_VERIFY(page->currentCue().cue != before);
    QVERIFY(!session.currentTask());
  }

  void aSavedEvaluationIsReadAsATaskAndNotShownWhenItIsCancelled() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    MainWindow window(session);
    open(window, session);
    Evaluation e;
    e.files = {"held-out.jsonl"};
    e.decoding = "greedy";
    EvaluatedSample sample;
    sample.file = e.files.front(), sample.id = "row-0", sample.question = "How many?", sample.groundTruth = "two";
    sample.answers = {{}};
    e.samples = {sample};
    e.scores = scoresOf(e.samples, 1);
    const QString file = m_home.filePath("saved.jsonl");
    writeEvaluation(file.toStdString(), e);
    control->set(true);
    session.submit("somebody", [](Engine& engine, const EventSink& sink, std::stop_token stop) {
      engine.inspect({}, sink, stop);  // until it is let go
    });
    window.openPath(file);
    EvaluatePage* page = window.evaluatePage();
    QCOMPARE(window.page(), MainWindow::Evaluate);
    QTRY_COMPARE(window.status()->words(), QString("Reading saved.jsonl"));
    QTest::mouseClick(cancelOf(window), Qt::LeftButton);
    QVERIFY(!session.currentTask());
    control->set(false);
    QTRY_COMPARE(session.waiting(), 0);
    QTRY_COMPARE(control->inspections, 1);
    window.openPath(file);  // again: it comes, once
    QTRY_COMPARE(page->evaluations(), 1);
    QVERIFY(!session.currentTask());
  }

  void aModelThatIsExportedTellsHowFarItIsAndIsCancelled() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    MainWindow window(session);
    open(window, session);
    QVERIFY(session.followRun(QString::fromStdString(made_up::writeRun(m_home.path(), "exporting", 3, 0.1))));
    window.setPage(MainWindow::Train);
    TrainPage* page = window.trainPage();
    QSignalSpy exported(page, &TrainPage::modelExported);
    control->set(true);
    page->exportCheckpointTo("/runs/exporting/step-2", "/models/half");
    QTRY_VERIFY(session.currentTask() && session.currentTask()->done == 25);
    QCOMPARE(window.status()->words(), QString("Exporting half"));
    QVERIFY(cancelOf(window)->isEnabled());
    QTest::keyClick(&window, Qt::Key_Period, Qt::ControlModifier);
    QTRY_COMPARE(control->cancelled, 1);
    QVERIFY(!session.currentTask());
    control->set(false);
    page->exportCheckpointTo("/runs/exporting/step-2", "/models/whole");
    QTRY_COMPARE(exported.size(), 1);
    QCOMPARE(exported.front().front().toString(), QString("/models/whole"));
  }

  void theCueColumnFollowsAnEdit() {
    CueEdits edits;
    DataRowsModel model;
    model.setEdits(&edits);
    model.clear(QStringLiteral("x"));
    DataRows rows;
    rows.file = "x", rows.total = 1, rows.rows = {pictured(0, 1)};
    rows.rows[0].prompt = "<image>What color?";
    model.add(rows);
    const QModelIndex cue = model.index(0, DataRowsModel::Cue);
    QVERIFY(!model.worstAt(0));
    CueEdit emptied = model.cueAt(0);
    emptied.cue.clear();
    edits[0] = emptied;
    model.touch(0);
    QVERIFY(model.worstAt(0) && model.worstAt(0)->check == Check::Cue);
    QVERIFY(cue.data().toString().startsWith(model.worstAt(0)->words));
    edits.clear();
    model.touch(0);
    QVERIFY(!model.worstAt(0));
  }
};

QTEST_MAIN(TestPageJobs)
#include "tst_page_jobs.moc"
