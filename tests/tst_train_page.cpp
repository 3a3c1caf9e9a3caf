// The Train page on run folders written by the core and on the fake engine: curves, health, strip, control and its reasons, and
// the form of a new run with all complaints beside their fields. CUESCOPE_GALLERY=folder keeps pictures of it.
#include <QCheckBox>
#include <QFileInfo>
#include <QListView>
#include <QToolButton>
#include <QUndoStack>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <set>

#include "support/fake_engine.h"
#include "support/gallery.h"
#include "support/made_up_run.h"
#include "support/painted_text.h"
#include "ui/models/run_events.h"
#include "ui/models/run_queue.h"
#include "ui/panels/train_column.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/panels/train_side.h"
#include "ui/timeline_bar.h"
#include "widgets/curve_plot.h"
#include "widgets/elided_label.h"
#include "widgets/film_strip.h"

using namespace cuescope;

class TrainPageTest : public QObject {
  Q_OBJECT
  std::shared_ptr<FakeControl> m_control;
  QTemporaryDir m_folder;

  std::unique_ptr<Session> open() {
    m_control = std::make_shared<FakeControl>();
    return std::make_unique<Session>([control = m_control] { return makeFakeEngine(control); });
  }
  static StepPtr step(int at, std::initializer_list<std::pair<const std::string, double>> metrics) {
    auto s = std::make_shared<StepSnapshot>();
    s->step = at, s->metrics = metrics;
    return s;
  }
  static QPushButton* button(QWidget& page, const QString& text) {
    for (QPushButton* b : page.findChildren<QPushButton*>())
      if (b->text() == text) return b;
    return nullptr;
  }
  static void keep(QWidget& widget, const char* name) { gallery::keep(widget, name, 120); }

 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void aSkippedUpdateIsNamedAtItsStep() {
    std::vector<StepPtr> steps;
    for (int s = 1; s <= 30; ++s) steps.push_back(step(s, {{"actor/loss", 0.4}, {"actor/skipped_updates", s >= 12 ? 1.0 : 0.0}}));
    const auto events = healthOf(steps);
    QCOMPARE(events.size(), std::size_t(1));
    QCOMPARE(events[0].step, 12);
    QCOMPARE(events[0].check, QStringLiteral("finite"));
  }
  void aHealthyRunHasNoEvents() {
    std::vector<StepPtr> steps;
    for (int s = 1; s <= 60; ++s)
      steps.push_back(step(s, {{"actor/loss", 0.4 / s}, {"response_length/mean", 20.0 + s % 3}, {"actor/distillation/student_mass", 0.9}, {"actor/skipped_updates", 0}}));
    QVERIFY(healthOf(steps).empty());
  }
  void fallingLengthIsNamedAndARecoveryIsNot() {
    std::vector<StepPtr> falling, dip;
    for (int s = 1; s <= 60; ++s) {
      falling.push_back(step(s, {{"response_length/mean", s < 40 ? 20.0 : 10.0}}));
      dip.push_back(step(s, {{"response_length/mean", s > 20 && s < 35 ? 10.0 : 20.0}}));
    }
    const auto events = healthOf(falling);
    QCOMPARE(events.size(), std::size_t(1));
    QCOMPARE(events[0].check, QStringLiteral("length"));
    QVERIFY(events[0].step > 30 && events[0].step <= 40);
    QVERIFY(healthOf(dip).empty());
  }
  void aLossOfZeroIsNamed() {
    std::vector<StepPtr> steps;
    for (int s = 1; s <= 20; ++s) steps.push_back(step(s, {{"actor/loss", s < 8 ? 0.3 : 0.0}}));
    const auto events = healthOf(steps);
    QCOMPARE(events.size(), std::size_t(1));
    QCOMPARE(events[0].step, 8);
  }

  void curvesAreMadeOfWhatTheRunHas() {
    auto session = open();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "curves", 60, 0.4))));
    const RunRecord* record = session->run(QStringLiteral("curves"));
    QVERIFY(record);
    const CurveSet set = curvesOf({record}, healthOf(record->steps));
    QStringList titles;
    for (const CurvePanel& panel : set.panels) titles << panel.title;
    QVERIFY(titles.contains(QStringLiteral("Distillation loss")) && titles.contains(QStringLiteral("Evidence mass")));
    QVERIFY(!titles.contains(QStringLiteral("Reward")));  // this run has none
    const auto evidence = std::find_if(set.panels.begin(), set.panels.end(), [](const CurvePanel& p) { return p.title == QStringLiteral("Evidence mass"); });
    QCOMPARE(evidence->series.size(), std::size_t(2));
    QCOMPARE(evidence->series[1].label, QStringLiteral("L2"));
    QVERIFY(!evidence->series[0].smoothed);  // it exists every fifth step
    const auto gradient = std::find_if(set.panels.begin(), set.panels.end(), [](const CurvePanel& p) { return p.title == QStringLiteral("Gradient norm"); });
    QVERIFY(gradient->log);
    QCOMPARE(gradient->marks.size(), std::size_t(1));
    QCOMPARE(gradient->marks[0].step, 60.0);
  }

  void theCurvesSayHowTheyWereMadeAndWhereTheirLimitsAre() {
    auto session = open();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "explained", 60, 0.4))));
    const RunRecord* record = session->run(QStringLiteral("explained"));
    CurveSet set = curvesOf({record}, {});
    const auto panel = [&](const char* title) { return std::find_if(set.panels.begin(), set.panels.end(), [&](const CurvePanel& p) { return p.title == QLatin1String(title); }); };
    RunConfig config;
    config.actor.lossAggMode = "seq-mean-token-mean";
    config.actor.gradClip = 0.5;
    explainCurves(set, config, record->steps, 0.07);
    QCOMPARE(panel("Distillation loss")->unit, QStringLiteral("seq-mean-token-mean, nats"));
    QCOMPARE(panel("Gradient norm")->reference, 0.5);
    QCOMPARE(panel("Gradient norm")->referenceName, QStringLiteral("clip 0.5"));
    QCOMPARE(panel("Evidence mass")->reference, 0.07);
    set = curvesOf({record}, {});
    explainCurves(set, config, record->steps, std::nan(""));  // not known: no line
    QVERIFY(std::isnan(panel("Evidence mass")->reference));
    // A run without a teacher distils nothing.
    auto graded = std::make_shared<RunRecord>();
    for (int s = 1; s <= 3; ++s) graded->steps.push_back(step(s, {{"actor/loss", 0.1 * s}}));
    set = curvesOf({graded.get()}, {});
    QCOMPARE(set.panels.size(), std::size_t(1));
    QCOMPARE(set.panels.front().title, QStringLiteral("Loss"));
  }

  void eventsTellWhatHappenedNewestFirst() {
    RunRecord record;
    for (int s = 1; s <= 12; ++s) {
      auto one = std::make_shared<StepSnapshot>();
      one->step = s;
      one->metrics["actor/skipped_updates"] = s >= 7 ? 2 : s >= 4 ? 1 : 0;
      if (s == 10) one->metrics["val/accuracy"] = 0.61, one->metrics["val/accuracy_low"] = 0.58, one->metrics["val/accuracy_high"] = 0.64;
      record.steps.push_back(one);
    }
    record.checkpoints = {{10, "/run/checkpoints/step-000010", 4'500'000, {}, true}};
    record.status.step = 12;
    record.status.state = RunState::Stopped;
    QStringList words;
    for (const RunEvent& event : runEvents(record, {}, 10)) words << QStringLiteral("%1 %2").arg(event.step).arg(event.words);
    QCOMPARE(words, (QStringList{QStringLiteral("12 Stopped"), QStringLiteral("10 Checkpoint, 4.5 MB, best so far"), QStringLiteral("10 Held-out accuracy 0.610, 0.580 to 0.640"), QStringLiteral("7 Update skipped"), QStringLiteral("4 Update skipped")}));
  }

  void aNarrowPageHasTwoColumnsOfCurvesAndTheCursorIsAtTheNewestStep() {
    auto session = open();
    Selection selection;
    TrainPage page(*session, selection);
    page.resize(1384, 860);
    page.show();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "narrow", 60, 0.4))));
    selection.setRun(QStringLiteral("narrow"));
    QTRY_VERIFY(page.curves()->panels().size() > 6);
    QTRY_COMPARE(page.curves()->cursorStep(), 60.0);  // none is chosen: the newest, as on the timeline
    const auto columns = [&] {
      std::set<int> lefts;
      for (int i = 0; i < int(page.curves()->panels().size()); ++i) lefts.insert(page.curves()->cellRect(i).left());
      return lefts.size();
    };
    QCOMPARE(columns(), std::size_t(3));
    page.resize(1242, 658);
    QTRY_COMPARE(columns(), std::size_t(2));
    selection.setStep(20);
    QCOMPARE(page.curves()->cursorStep(), 20.0);
  }

  void theFilmFollowsOneLayerOrTheirMean() {
    auto session = open();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "film", 20, 0.4))));
    const auto& steps = session->run(QStringLiteral("film"))->steps;
    QCOMPARE(probeLayers(steps), (std::vector<int>{0, 2}));
    const auto rows = filmOf(steps, -1, {});
    QCOMPARE(rows.size(), std::size_t(3));
    QCOMPARE(rows[0].maps.size(), std::size_t(4));  // steps 5, 10, 15, 20
    double sum = 0;
    for (const float v : rows[0].maps.at(10)) sum += v;
    QVERIFY(std::abs(sum - 1) < 1e-5);  // a mean of shares is still shares
    QVERIFY(filmOf(steps, 7, {})[0].maps.empty());
    QCOMPARE(rows[0].visualTokens, rows[0].gridRows * rows[0].gridCols);
    // Two pictures of one row share its attention: a uniform map has half in each.
    auto two = std::make_shared<StepSnapshot>();
    for (const char* name : {"pair image 1", "pair image 2", "alone"}) {
      ProbeMap map;
      map.image = name, map.gridRows = 2, map.gridCols = 3, map.layers = {0}, map.values.assign(6, 1.f / 12);
      two->probes.push_back(map);
    }
    const auto pair = filmOf({two}, -1, {});
    QCOMPARE(pair.size(), std::size_t(3));
    QCOMPARE(pair[0].visualTokens, 12);
    QCOMPARE(pair[1].visualTokens, 12);
    QCOMPARE(pair[2].visualTokens, 6);
  }

  void anEmptyPageOffersANewRun() {
    auto session = open();
    Selection selection;
    TrainPage page(*session, selection);
    page.resize(1384, 800);
    page.show();
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    keep(page, "train-empty");
    QPushButton* start = nullptr;
    for (QPushButton* b : page.findChildren<QPushButton*>())
      if (b->isVisible() && b->text() == QStringLiteral("New run")) start = b;
    QVERIFY(start);
    QTest::mouseClick(start, Qt::LeftButton);
    QVERIFY(page.form()->isVisible());
    QVERIFY(!button(page, QStringLiteral("Start run"))->isEnabled());  // the engine has not been opened
    QVERIFY(!button(page, QStringLiteral("Start run"))->toolTip().isEmpty());
  }

  void aFollowedRunIsShownAndItsControlsSayWhyNot() {
    auto session = open();
    session->start();
    QTRY_COMPARE(session->engineState(), EngineState::Ready);
    Selection selection;
    TrainPage page(*session, selection);
    page.resize(1384, 830);
    page.show();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "demo-opd", 142, 0.55, false))));
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "demo-opd-vicur", 142, 0.38))));
    selection.setRun(QStringLiteral("demo-opd-vicur"));
    page.setOverlay({QStringLiteral("demo-opd")});
    QTRY_COMPARE(page.curves()->panels().size() >= 8, true);
    QCOMPARE(page.shownRun(), QStringLiteral("demo-opd-vicur"));
    QTRY_COMPARE(page.curves()->panels().front().series.size(), std::size_t(2));
    QPushButton* pause = button(page, QStringLiteral("Pause"));
    QVERIFY(pause && !pause->isEnabled());
    QVERIFY(pause->toolTip().contains(QStringLiteral("has ended")));
    selection.setStep(100);
    QCOMPARE(page.curves()->cursorStep(), 100.0);
    Q_EMIT page.curves()->stepPicked(80);
    QCOMPARE(selection.step(), 80);
    selection.setStep(140);
    keep(page, "train");
    Theme::instance().setSetting(ThemeSetting::Light);
    keep(page, "train");
    Theme::instance().setSetting(ThemeSetting::Dark);
    page.resize(1062, 640);
    keep(page, "train-1280");
    // Names and values share a line: a short value leaves its room to a long name.
    page.resize(1384, 830);
    QTableWidget* parameters = nullptr;
    for (QTableWidget* table : page.findChildren<QTableWidget*>())
      if (table->accessibleName() == QStringLiteral("Parameters of the run")) parameters = table;
    QVERIFY(parameters);
    QCoreApplication::sendPostedEvents();
    const std::vector<painted::Text> texts = painted::textsOf(*parameters->viewport());
    const auto whole = [&](const QString& words) { return std::any_of(texts.begin(), texts.end(), [&](const painted::Text& text) { return text.words == words; }); };
    for (const char* name : {"student.freeze_language_model", "student.enable_gradient_checkpointing"}) QVERIFY2(whole(QLatin1String(name)), name);
  }

  void ownRunsPauseAndResumeFromTheButton() {
    auto session = open();
    session->start();
    QTRY_COMPARE(session->engineState(), EngineState::Ready);
    m_control->runSteps = 100000;
    Selection selection;
    TrainPage page(*session, selection);
    page.show();
    RunConfig config;
    config.trainer.name = "own";
    config.trainer.directory = "/nonexistent";
    session->startRun(config);
    QTRY_COMPARE(page.shownRun(), QStringLiteral("own"));
    QPushButton* pause = button(page, QStringLiteral("Pause"));
    QTRY_VERIFY(pause->isEnabled());
    QTest::mouseClick(pause, Qt::LeftButton);
    QTRY_COMPARE(pause->text(), QStringLiteral("Resume"));
    QTest::mouseClick(pause, Qt::LeftButton);
    QTRY_COMPARE(pause->text(), QStringLiteral("Pause"));
    session->stopRun(false);
    QTRY_VERIFY(!pause->isEnabled());
    QVERIFY(!pause->toolTip().isEmpty());
  }

  void theFormShowsEveryParameterAndAllComplaintsAtOnce() {
    NewRunForm form;
    form.resize(1384, 800);
    form.show();
    form.setConfig(RunConfig());
    QCOMPARE(form.findChildren<QLineEdit*>().size() + form.findChildren<QComboBox*>().size() + form.findChildren<QCheckBox*>().size() >= int(configFields().size()), true);
    QVERIFY(!form.setField(QStringLiteral("trainer.total_training_steps"), QStringLiteral("many")));
    const int before = form.complaints();
    QVERIFY(before >= 1);
    QStringList red;
    for (QLabel* label : form.findChildren<QLabel*>())
      if (label->property("tone").toString() == QStringLiteral("danger")) red << label->text();
    QVERIFY(red.size() >= 1);
    QVERIFY(form.setField(QStringLiteral("trainer.total_training_steps"), QStringLiteral("12")));
    QCOMPARE(form.config().trainer.totalTrainingSteps, 12);
    QVERIFY(form.complaints() < before);
    QVERIFY(form.findChild<QPlainTextEdit*>()->toPlainText().contains(QStringLiteral("total_training_steps: 12")));
    keep(form, "train-new");
  }

  void oneStepMovesCurvesStripCheckpointsAndTimelineAtOnce() {
    auto session = open();
    Selection selection;
    TrainPage page(*session, selection);
    TimelineBar timeline(*session, selection);
    page.resize(1384, 830);
    page.show();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "linked", 140, 0.4))));
    selection.setRun(QStringLiteral("linked"));
    QTRY_VERIFY(page.curves()->panels().size() >= 8);
    for (int step = 20; step <= 120; step += 10) {
      selection.setStep(step);
      QCOMPARE(page.curves()->cursorStep(), double(step));
      QCOMPARE(timeline.timeline()->cursorStep(), step);
      QVERIFY(page.film()->cellName(page.film()->currentCell()).contains(QString::number(step)) || page.film()->currentCell() < 0);
    }
    QVERIFY(!timeline.timeline()->data().health.empty());
    QCOMPARE(timeline.timeline()->data().health.front().step, 60);
  }

  void theFormComesBackAsItWasLeft() {
    QTemporaryDir folder;
    const QString file = folder.filePath(QStringLiteral("new-run.json"));
    {
      NewRunForm form;
      form.keepIn(file);
      form.setField(QStringLiteral("trainer.total_training_steps"), QStringLiteral("77"));
      form.setField(QStringLiteral("actor.optim.lr"), QStringLiteral("fast"));  // half-typed
      form.setPlace(RunPlace::Process);
      QTRY_VERIFY(QFileInfo(file).size() > 100);
      QTest::qWait(400);
    }
    NewRunForm form;
    form.keepIn(file);
    QCOMPARE(form.config().trainer.totalTrainingSteps, 77);
    QVERIFY(form.place() == RunPlace::Process);
    QVERIFY(form.complaints() >= 1);
    bool typed = false;
    for (QLineEdit* field : form.findChildren<QLineEdit*>()) typed = typed || field->text() == QStringLiteral("fast");
    QVERIFY(typed);
  }

  void changedParametersAreMarkedResetAndCompared() {
    NewRunForm form;
    form.resize(1384, 800);
    form.show();
    form.setConfig(RunConfig());
    form.setField(QStringLiteral("trainer.total_training_steps"), QStringLiteral("33"));
    QToolButton* reset = nullptr;
    for (QToolButton* b : form.findChildren<QToolButton*>())
      if (b->isVisible() && b->toolTip() == QStringLiteral("Back to the default: 150")) reset = b;
    QVERIFY(reset);
    RunConfig other;
    other.trainer.totalTrainingSteps = 12;
    form.setRuns({{QStringLiteral("older"), QString::fromStdString(writeConfig(other))}});
    QComboBox* against = nullptr;
    for (QComboBox* box : form.findChildren<QComboBox*>())
      if (box->accessibleName() == QStringLiteral("Compare with")) against = box;
    QVERIFY(against);
    against->setCurrentIndex(against->findText(QStringLiteral("older")));
    Q_EMIT against->activated(against->currentIndex());
    auto* table = form.findChild<QTableWidget*>();
    QCOMPARE(table->rowCount(), 1);
    QCOMPARE(table->item(0, 1)->text(), QStringLiteral("12"));
    QCOMPARE(table->item(0, 2)->text(), QStringLiteral("33"));
    keep(form, "train-new-diff");
    QTest::mouseClick(reset, Qt::LeftButton);
    QCOMPARE(form.config().trainer.totalTrainingSteps, 150);
  }

  void undoTakesBackAnEditOfTheForm() {
    auto session = open();
    Selection selection;
    TrainPage page(*session, selection);
    page.resize(1384, 800);
    page.show();
    page.newRun();
    auto* stack = page.findChild<QUndoStack*>(QString(), Qt::FindDirectChildrenOnly);
    QVERIFY(stack);
    const int before = page.form()->config().trainer.totalTrainingSteps;
    page.form()->setField(QStringLiteral("trainer.total_training_steps"), QString::number(before + 5));
    QVERIFY(stack->canUndo());
    stack->undo();
    QCOMPARE(page.form()->config().trainer.totalTrainingSteps, before);
    stack->redo();
    QCOMPARE(page.form()->config().trainer.totalTrainingSteps, before + 5);
  }

  void thePlanIsAskedForAndShown() {
    auto session = open();
    session->start();
    QTRY_COMPARE(session->engineState(), EngineState::Ready);
    NewRunForm form;
    QSignalSpy wanted(&form, &NewRunForm::planWanted);
    QTRY_VERIFY(wanted.size() >= 1 || form.complaints() > 0);
    RunPlan plan;
    plan.peakBytes = 3ll << 30, plan.availableBytes = 2ll << 30, plan.peakPhase = "backward";
    plan.secondsPerStep = 4.2, plan.secondsInAll = 630;
    form.setPlan(plan);
    QVERIFY(form.planText().contains(QStringLiteral("does not fit")) && form.planText().contains(QStringLiteral("backward")));
    plan.availableBytes = 8ll << 30;
    form.setPlan(plan);
    QVERIFY2(form.planText().startsWith(QStringLiteral("Memory about 3")) && form.planText().contains(QStringLiteral("GiB of 8")), qPrintable(form.planText()));
  }

  void theQueueIsReorderedAndShortenedByKeysAndClicks() {
    auto session = open();
    session->start();
    QTRY_COMPARE(session->engineState(), EngineState::Ready);
    RunQueue queue(*session);
    queue.setHeld(true);
    for (const char* name : {"a", "b", "c"}) {
      RunConfig config;
      config.trainer.name = name, config.trainer.directory = "/nonexistent";
      queue.add(config, false);
    }
    QueueList list(queue);
    list.resize(320, 200);
    list.show();
    auto* view = list.findChild<QListView*>();
    view->setCurrentIndex(queue.index(2));
    QTest::keyClick(view, Qt::Key_Up, Qt::AltModifier);
    QCOMPARE(queue.items()[1].config.trainer.name, std::string("c"));
    QTest::keyClick(view, Qt::Key_Delete);
    QCOMPARE(queue.size(), 2);
    keep(list, "train-queue");
    m_control->runSteps = 3;
    QPushButton* go = button(list, QStringLiteral("Go on"));
    QVERIFY(go);
    QTest::mouseClick(go, Qt::LeftButton);
    QTRY_VERIFY(session->run(QStringLiteral("a")) && session->run(QStringLiteral("a"))->status.state == RunState::Completed);
    QTRY_VERIFY(session->run(QStringLiteral("b")) && session->run(QStringLiteral("b"))->status.state == RunState::Completed);
    QTRY_COMPARE(queue.size(), 0);
  }

  void hidingAMessageStaysWhereItIsAndAFailedStartLeadsBackToTheForm() {
    auto session = open();
    Selection selection;
    TrainPage page(*session, selection);
    page.resize(1384, 830);
    page.show();
    QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), "hidden-message", 3, 0.4))));
    selection.setRun(QStringLiteral("hidden-message"));
    NewRunForm* form = page.form();
    Q_EMIT page.queue()->notice(QStringLiteral("The queue was not kept"));
    QPushButton* hide = button(page, QStringLiteral("Hide"));
    QVERIFY(hide && hide->isVisible());
    QTest::mouseClick(hide, Qt::LeftButton);
    QVERIFY(!form->isVisible());
    QVERIFY(page.curves()->isVisible());
    Q_EMIT session->launchFailed({"The run did not start", "cuescope-cli", "made up", "Look at the form."});
    QPushButton* back = button(page, QStringLiteral("Back to the form"));
    QVERIFY(back && back->isVisible());
    QTest::mouseClick(back, Qt::LeftButton);
    QVERIFY(form->isVisible());
    Q_EMIT form->cancelled();
    Q_EMIT page.queue()->notice(QStringLiteral("The queue was not kept"));  // what could not be started is no matter of this one
    QTest::mouseClick(button(page, QStringLiteral("Hide")), Qt::LeftButton);
    QVERIFY(!form->isVisible());
  }

  void theNoteOfAnExportStaysWhenStepsArrive() {
    auto session = open();
    session->start();
    QTRY_COMPARE(session->engineState(), EngineState::Ready);
    Selection selection;
    TrainPage page(*session, selection);
    page.show();
    for (const char* name : {"exported", "not-exported"})
      QVERIFY(session->followRun(QString::fromStdString(made_up::writeRun(m_folder.path(), name, 3, 0.4))));
    selection.setRun(QStringLiteral("exported"));
    const auto noted = [&](const QString& words) {
      for (ElidedLabel* label : page.findChildren<ElidedLabel*>())
        if (label->text().startsWith(words)) return true;
      return false;
    };
    QTRY_VERIFY(noted(QStringLiteral("keep last")) || noted(QStringLiteral("all are kept")));
    QSignalSpy exported(&page, &TrainPage::modelExported);
    page.exportCheckpointTo(QStringLiteral("/nonexistent/step-2"), QStringLiteral("/nonexistent/model"));
    QTRY_COMPARE(exported.size(), 1);
    QVERIFY(noted(QStringLiteral("exported to /nonexistent/model")));
    Q_EMIT session->checkpointWritten(QStringLiteral("exported"), QString());  // the page is filled again, as at every step
    QTest::qWait(120);
    QVERIFY(noted(QStringLiteral("exported to /nonexistent/model")));
    selection.setRun(QStringLiteral("not-exported"));
    QTRY_VERIFY(!noted(QStringLiteral("exported to")));
    QVERIFY(noted(QStringLiteral("keep last")) || noted(QStringLiteral("all are kept")));
  }

  void theHealthOfARunIsJudgedAgainWhenItsConfigurationArrives() {
    auto session = open();
    Selection selection;
    TrainPage page(*session, selection);
    page.show();
    const std::string directory = (m_folder.path() + QStringLiteral("/late-configuration")).toStdString();
    QVERIFY(QDir().mkpath(QString::fromStdString(directory)));
    RunWriter writer(directory);
    writer.writeConfig("");  // whoever makes the run has not got further yet
    StepSnapshot bare;
    bare.run = "late-configuration";
    bare.metrics = {{"actor/loss", 0.4}, {"distillation/teacher_prompt_hit_rate", 0.0}};
    for (bare.step = 1; bare.step <= 5; ++bare.step) writer.append(bare);
    QVERIFY(session->followRun(QString::fromStdString(directory)));
    selection.setRun(QStringLiteral("late-configuration"));
    auto* health = page.findChild<HealthList*>();
    QVERIFY(health);
    QTest::qWait(120);
    QVERIFY(session->run(QStringLiteral("late-configuration"))->yaml.isEmpty());
    QVERIFY(!health->accessibleDescription().contains(QStringLiteral("reads no cue")));
    RunConfig config;
    config.trainer.name = "late-configuration";
    config.teacher.privilege = "cue";
    writer.writeConfig(writeConfig(config));
    writer.append(bare);
    QTRY_VERIFY(!session->run(QStringLiteral("late-configuration"))->yaml.isEmpty());
    QTRY_VERIFY2(health->accessibleDescription().contains(QStringLiteral("reads no cue from step 1")), qPrintable(health->accessibleDescription()));
  }

  void theBestCheckpointIsTheMostAccurate() {
    std::vector<CheckpointInfo> all(3);
    all[0].step = 20, all[0].metrics = {{"val/accuracy", 0.5}};
    all[1].step = 40, all[1].metrics = {{"val/accuracy", 0.6}};
    all[2].step = 60, all[2].metrics = {{"distillation/gap", 0.01}};
    QCOMPARE(CheckpointList::bestStep(all), 40);
    QCOMPARE(CheckpointList::bestStep({}), -1);
  }
};

QTEST_MAIN(TrainPageTest)
#include "tst_train_page.moc"
