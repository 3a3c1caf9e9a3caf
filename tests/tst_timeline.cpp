// One step for the whole window, and runs of earlier days: the timeline moves Inspect's map through the checkpoints of a run, the
// phases and the epoch rules are those of the chosen step, a pinned page keeps its selection, and a run that is only listed is read
// when somebody compares with it. A FakeEngine and made-up run folders.
#include <QComboBox>
#include <QDir>
#include <QFile>
#include <QMenu>
#include <QTableWidget>
#include <QScrollBar>
#include <QToolButton>
#include <QTreeView>
#include <QtTest>

#include "support/made_up_run.h"
#include "support/window_fixture.h"
#include "ui/status_strip.h"
#include "ui/panels/ask_bar.h"
#include "ui/navigator.h"
#include "ui/models/navigator_model.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/inspection_view.h"
#include "ui/models/run_curves.h"
#include "ui/page_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/steps_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/train_page.h"
#include "ui/panels/train_side.h"
#include "ui/report.h"
#include "widgets/curve_plot.h"
#include "widgets/elided_label.h"
#include "widgets/film_strip.h"

using namespace cuescope;

class TestTimeline : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { useOwnSettings(); }
  void init() {
    m_runs = std::make_unique<QTemporaryDir>();
    QVERIFY(m_runs->isValid());
    m_directory = QString::fromStdString(made_up::writeRun(m_runs->path(), "older", 100, 0.3));
    for (const int step : {40, 80}) addCheckpoint(step);
    made_up::writeRun(m_runs->path(), "other", 60, 0.5, false);
    openWindow({"/models/weak", "/models/strong"});
    m_session->findRuns(m_runs->path());
  }
  void cleanup() { closeWindow(); }

  void theTimelineMovesTheMapThroughTheCheckpoints() {
    InspectPage* page = m_window->inspectPage();
    m_window->setPage(MainWindow::Inspect);
    InspectRequest request;
    request.student = checkpoint(40);
    request.teacher = "/models/strong";
    request.imageBytes = {1, 2, 3};
    request.question = "What digit is on the red circle?";
    m_window->selection().setRun("older");
    page->ask(request);
    QTRY_VERIFY(page->inspection() != nullptr);
    QCOMPARE(page->lookRun(), QString("older"));
    QCOMPARE(page->inspection()->step, 40);
    const InspectionPtr first = page->inspection();

    m_window->selection().setStep(90);  // the newest checkpoint up to 90 reads the same response
    QTRY_COMPARE(page->inspection()->step, 80);
    QCOMPARE(QString::fromStdString(lastRequest().student), QString::fromStdString(checkpoint(80)));
    QCOMPARE(lastRequest().responseIds.size(), first->response.size());
    QVERIFY2(page->map()->claimText().contains("step 80 (timeline at 90)"), qPrintable(page->map()->claimText()));
    QVERIFY(page->steps()->looks().contains(40) && page->steps()->looks().contains(80));
    QCOMPARE(page->shownRequest().student, checkpoint(80));  // what is computed next asks the student that is shown

    const int asked = inspections();
    m_window->selection().setStep(79);
    QTRY_COMPARE(page->inspection()->step, 40);  // kept: nothing is computed again
    QCOMPARE(inspections(), asked);
    m_window->selection().setStep(10);
    QTest::qWait(20);
    QCOMPARE(page->inspection()->step, 40);
    QVERIFY2(page->map()->claimText().contains("step 40 (timeline at 10)"), qPrintable(page->map()->claimText()));

    m_window->setPage(MainWindow::Train);  // hidden: asked for when it is shown again
    m_window->selection().setStep(95);
    QTest::qWait(20);
    QCOMPARE(page->inspection()->step, 40);
    m_window->setPage(MainWindow::Inspect);
    QTRY_COMPARE(page->inspection()->step, 80);
  }

  void aClickOnAStepShowsItAndCtrlClickComparesWithIt() {
    InspectPage* page = m_window->inspectPage();
    m_window->setPage(MainWindow::Inspect);
    InspectRequest request;
    request.student = checkpoint(40);
    request.imageBytes = {1, 2, 3};
    m_window->selection().setRun("older");
    page->ask(request);
    QTRY_VERIFY(page->inspection() != nullptr);
    page->showTab("steps");
    page->lookOverSteps();
    QTRY_COMPARE(page->steps()->looks().size(), std::size_t(2));
    FilmStrip* strip = page->steps()->strip();
    QTRY_COMPARE(strip->cellCount(), 2);
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, Qt::ControlModifier, strip->cellRect(1).center());
    QVERIFY(page->besideInspection() == page->steps()->looks().at(80));
    QCOMPARE(page->inspection()->step, 40);
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, Qt::ControlModifier, strip->cellRect(1).center());  // two at most: A is replaced
    QCOMPARE(page->inspection()->step, 80);
    QVERIFY(page->besideInspection() != nullptr);
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->cellRect(1).center());
    QCOMPARE(page->inspection()->step, 80);
    QCOMPARE(m_window->selection().step(), 80);
  }

  void marksOverTheTokensAreThoseOfTheRunThatIsLookedAt() {
    TokenDistributions far;
    const float sampled[kConditions] = {-1.0f, -13.0f, -1.0f, -1.0f};  // gap -12
    std::copy(std::begin(sampled), std::end(sampled), std::begin(far.sampled));
    QVERIFY(isClamped(far, {"k1", 10, -10}));
    QVERIFY(!isClamped(far, {"k1", 20, -10}));
    QVERIFY(isClamped(far, {"forward_kl_topk", 0, -10}));
    QVERIFY(!isClamped(far, {"forward_kl_topk", 0, 0}));
    QVERIFY(!isClamped(far, {"jsd", 10, -10}));
  }

  void phasesAndEpochsAreThoseOfTheChosenStep() {
    RunRecord record;
    for (int s = 1; s <= 3; ++s) {
      auto step = std::make_shared<StepSnapshot>();
      step->step = s;
      step->phaseSeconds = {{"rollout", double(s)}, {"score", 1.0}};
      record.steps.push_back(step);
    }
    QCOMPARE(phasesOf(record).step, 3);
    QCOMPARE(phasesOf(record, 2).step, 2);
    QCOMPARE(phasesOf(record, 2).phases.front().seconds, 2.0);
    QCOMPARE(phasesOf(record, 0).step, 1);
  }

  void aRunOfAnEarlierDayIsReadWhenItIsComparedWith() {
    QVERIFY(!m_session->run("other")->loaded);
    QVERIFY(!m_session->run("other")->yaml.isEmpty());
    m_window->selection().setRun("older");
    QVERIFY(m_session->run("older")->loaded);
    m_window->setPage(MainWindow::Train);
    TrainPage* page = m_window->trainPage();
    QToolButton* overlay = nullptr;
    for (QToolButton* button : page->findChildren<QToolButton*>())
      if (button->menu())
        for (QAction* action : button->menu()->actions())
          if (action->text() == "other") overlay = button, action->setChecked(true);
    QVERIFY(overlay != nullptr);
    QTRY_COMPARE(page->curves()->panels().front().series.size(), std::size_t(2));
    QCOMPARE(page->curves()->panels().front().series[1].y.size(), std::size_t(60));
  }

  void ctrlClickOnAProbeImageAsksTheStudentsOfBothSteps() {
    const std::string directory = made_up::writeRun(m_runs->filePath("probed"), "probed", 100, 0.3);
    std::vector<ConfigIssue> issues;
    RunConfig config = readConfig(directory + "/config.yaml", &issues);
    config.data.valFiles = {"/data/held-out.jsonl"};
    config.data.probeRows = {0, 1, 2};
    writeFileDurably(directory + "/config.yaml", writeConfig(config));
    m_directory = QString::fromStdString(directory);
    for (const int step : {40, 80}) addCheckpoint(step);
    QVERIFY(m_session->followRun(m_directory));
    m_window->selection().setRun("probed");
    m_window->selection().setStep(45);
    m_window->setPage(MainWindow::Train);
    FilmStrip* film = m_window->trainPage()->film();
    QTRY_VERIFY(film->cellCount() > 40);
    const std::vector<int> steps = film->steps();
    const auto cellOf = [&](int step, int row) { return int(std::find(steps.begin(), steps.end(), step) - steps.begin()) * int(film->cellCount() / int(steps.size())) + row; };
    const auto ctrlClick = [&](int step) {
      film->horizontalScrollBar()->setValue(0);
      for (int tries = 0; tries < 40 && !film->viewport()->rect().contains(film->cellRect(cellOf(step, 0)).center() - film->viewport()->pos()); ++tries) film->horizontalScrollBar()->setValue(film->horizontalScrollBar()->value() + film->viewport()->width() / 2);
      QTest::mouseClick(film->viewport(), Qt::LeftButton, Qt::ControlModifier, film->cellRect(cellOf(step, 0)).center() - film->viewport()->pos());
    };
    QTest::qWait(20);  // the rows of the probe images are read
    ctrlClick(50);     // the same student as at step 45: nothing to compare, and it says so
    QCOMPARE(m_window->page(), MainWindow::Train);
    QVERIFY2(m_window->status()->words().contains("the same kept student, that of step 40"), qPrintable(m_window->status()->words()));
    ctrlClick(85);
    QCOMPARE(m_window->page(), MainWindow::Inspect);
    QTRY_VERIFY(m_window->inspectPage()->besideInspection() != nullptr);
    QCOMPARE(m_window->inspectPage()->shownRequest().student, checkpoint(40));
    QCOMPARE(m_window->inspectPage()->shownRequest().sampleId, std::string("scene-0"));
    QCOMPARE(m_window->inspectPage()->askBar()->beside().toStdString(), checkpoint(80));
    QCOMPARE(m_window->selection().step(), 45);
  }

  void ctrlClickInTheCheckpointListPutsTwoBesideEachOtherAndThenReplacesA() {
    addCheckpoint(100);
    m_window->selection().setRun("older");
    m_window->setPage(MainWindow::Inspect);
    InspectRequest request;
    request.student = "/models/weak";
    request.teacher = "/models/strong";
    request.imageBytes = {1, 2, 3};
    request.question = "What digit is on the red circle?";
    InspectPage* inspect = m_window->inspectPage();
    inspect->ask(request);
    QTRY_VERIFY(inspect->inspection() != nullptr);
    m_window->setPage(MainWindow::Train);
    auto* list = m_window->trainPage()->findChild<CheckpointList*>();
    QTRY_COMPARE(list->checkpoints().size(), std::size_t(3));
    for (Panel* panel : m_window->trainPage()->findChildren<Panel*>())
      if (panel->isAncestorOf(list)) panel->bringToFront();
    auto* table = list->findChild<QTableWidget*>();
    QTRY_VERIFY(table->isVisible());
    const auto rowOf = [&](int step) {
      for (int row = 0; row < table->rowCount(); ++row)
        if (table->item(row, 0)->text().section(' ', 0, 0) == QString::number(step)) return row;
      return -1;
    };
    const auto click = [&](int step, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
      m_window->setPage(MainWindow::Train);
      table->scrollToItem(table->item(rowOf(step), 0));
      QTest::mouseClick(table->viewport(), Qt::LeftButton, modifiers, table->visualItemRect(table->item(rowOf(step), 0)).center());
    };
    const auto shown = [&] { return std::pair(QString::fromStdString(inspect->shownRequest().student), inspect->askBar()->beside()); };
    const auto folder = [&](int step) { return QString::fromStdString(checkpoint(step)); };
    click(40);
    QCOMPARE(m_window->selection().step(), 40);
    click(80, Qt::ControlModifier);
    QCOMPARE(m_window->page(), MainWindow::Inspect);
    QTRY_VERIFY(inspect->besideInspection() != nullptr);
    QCOMPARE(shown(), std::pair(folder(40), folder(80)));
    QCOMPARE(inspect->shownRequest().question, std::string("What digit is on the red circle?"));  // the one that was there
    QCOMPARE(m_window->selection().step(), 40);                                                   // a comparison is no selection
    QCOMPARE(table->item(rowOf(40), 0)->text(), QString("40 A"));
    QCOMPARE(table->item(rowOf(80), 0)->text(), QString("80 B"));
    click(100, Qt::ControlModifier);  // two at most: it takes A's place
    QTRY_COMPARE(shown(), std::pair(folder(100), folder(80)));
    QCOMPARE(table->item(rowOf(100), 0)->text(), QString("100 A"));
    QCOMPARE(table->item(rowOf(40), 0)->text(), QString("40"));
    click(100);  // a plain click chooses, and ends it
    QCOMPARE(table->item(rowOf(80), 0)->text(), QString("80"));
    QCOMPARE(m_window->selection().step(), 100);
  }

  void ctrlClickInTheNavigatorLaysARunOverAndPutsAModelBeside() {
    m_window->workspace().addModel("/models/strong");
    m_window->selection().setRun("older");
    m_window->setPage(MainWindow::Train);
    QTreeView* tree = m_window->navigator()->tree();
    NavigatorModel* model = m_window->navigator()->model();
    const auto click = [&](const QModelIndex& index, Qt::KeyboardModifiers modifiers) {
      tree->scrollTo(index);
      QTest::mouseClick(tree->viewport(), Qt::LeftButton, modifiers, tree->visualRect(index).center());
    };
    const QModelIndex other = model->runIndex("other");
    QVERIFY(other.isValid());
    click(other, Qt::ControlModifier);
    QCOMPARE(m_window->trainPage()->shownRun(), QString("older"));  // it is laid over, not chosen
    QCOMPARE(m_window->trainPage()->overlay(), QStringList{"other"});
    QTRY_COMPARE(m_window->trainPage()->curves()->panels().front().series.size(), std::size_t(2));
    click(model->runIndex("other"), Qt::ControlModifier);
    QCOMPARE(m_window->trainPage()->overlay(), QStringList());
    const QModelIndex models = model->index(NavigatorModel::Models, 0);
    for (int i = 0; i < model->rowCount(models); ++i)
      if (const QModelIndex row = model->index(i, 0, models); row.data(NavigatorModel::PathRole).toString() == "/models/strong") click(row, Qt::ControlModifier);
    QCOMPARE(m_window->page(), MainWindow::Inspect);
    QCOMPARE(m_window->inspectPage()->askBar()->beside(), QString("/models/strong"));
  }

  void theDifferenceIsToTheOtherRunAndNotToTheDefaults() {
    m_window->selection().setRun("older");
    m_window->setPage(MainWindow::Train);
    ParameterList* diff = nullptr;
    for (ParameterList* list : m_window->trainPage()->findChildren<ParameterList*>())
      if (list->findChild<QComboBox*>()) diff = list;
    QVERIFY(diff != nullptr);
    diff->findChild<QComboBox*>()->setCurrentText("other");
    QTableWidget* table = diff->findChild<QTableWidget*>();
    bool found = false;
    for (int r = 0; r < table->rowCount(); ++r)
      if (table->item(r, 0)->text() == "trainer.experiment_name" || table->item(r, 1)->text() == "other") found = table->item(r, 1)->text() == "other" && table->item(r, 2)->text() == "older";
    QVERIFY(found);
  }

  void checkpointsOfRunsThatAreOnlyListedCanBeEvaluated() {
    QVERIFY(!m_session->run("older")->loaded);
    m_window->setPage(MainWindow::Evaluate);
    QVERIFY(m_window->evaluatePage()->modelChooser()->findText("older, step 80") >= 0);
  }

  void aPinnedPageKeepsItsSelection() {
    m_window->setPage(MainWindow::Train);
    m_window->selection().setRun("older");
    m_window->selection().setStep(30);
    QToolButton* pin = nullptr;
    for (QToolButton* button : m_window->pageBar()->findChildren<QToolButton*>())
      if (button->isCheckable()) pin = button;
    QVERIFY(pin != nullptr);
    pin->click();
    m_window->setPage(MainWindow::Rollouts);
    QVERIFY(!pin->isChecked());
    m_window->selection().setStep(70);
    m_window->setPage(MainWindow::Train);
    QVERIFY(pin->isChecked());
    QCOMPARE(m_window->selection().step(), 30);
    m_window->selection().setStep(35);  // it is this page's own
    m_window->setPage(MainWindow::Data);
    QCOMPARE(m_window->selection().step(), 70);
    m_window->setPage(MainWindow::Train);
    QCOMPARE(m_window->selection().step(), 35);
    pin->click();
    m_window->setPage(MainWindow::Data);
    QCOMPARE(m_window->selection().step(), 35);
  }

  void scalarsOfOtherProgramsAreDrawnUnderTheirOwnNames() {
    RunRecord record;
    record.foreign = true;
    for (int s = 1; s <= 3; ++s) {
      auto step = std::make_shared<StepSnapshot>();
      step->step = s;
      step->metrics = {{"train/loss", 1.0 / s}, {"actor/grad_norm", 0.5}, {"eval/acc", 0.2 * s}};
      record.steps.push_back(step);
    }
    QStringList titles;
    for (const CurvePanel& panel : curvesOf({&record}, {}).panels) titles << panel.title;
    QCOMPARE(titles, QStringList({"Gradient norm", "eval/acc", "train/loss"}));
  }

  void theHeadOfAReportNamesParametersThatExist() {
    for (const char* key : reportedKeys()) {
      bool known = false;
      for (const ConfigField& field : configFields()) known = known || field.key == key;
      QVERIFY2(known, key);
    }
    const QByteArray html = reportHtml(runReport(readRun(m_directory), false));
    QVERIFY(html.contains("forward_kl_topk"));
  }

 private:
  std::string checkpoint(int step) const { return (m_directory + QStringLiteral("/checkpoints/step-%1").arg(step, 6, 10, QLatin1Char('0'))).toStdString(); }
  void addCheckpoint(int step) {
    const QString folder = QString::fromStdString(checkpoint(step));
    QDir().mkpath(folder);
    QFile manifest(folder + "/manifest.json");
    QVERIFY(manifest.open(QIODevice::WriteOnly));
    manifest.write("{\"files\": {}, \"metrics\": {\"val/accuracy\": 0.5}}");
  }
  InspectRequest lastRequest() {
    std::lock_guard lock(m_control->mutex);
    return m_control->lastRequest;
  }
  int inspections() {
    std::lock_guard lock(m_control->mutex);
    return m_control->inspections;
  }

  std::unique_ptr<QTemporaryDir> m_runs;
  QString m_directory;
};

QTEST_MAIN(TestTimeline)
#include "tst_timeline.moc"
