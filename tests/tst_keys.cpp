// Keys by page, pressed in the real window: a letter means what the shown page says it means, and nothing of a page that is hidden.
#include <QAbstractButton>
#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QLineEdit>
#include <QListView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSlider>
#include <QStackedWidget>
#include <QTableView>
#include <QTemporaryDir>
#include <QUndoGroup>
#include <QtTest>
#include <cmath>

#include "engine/core/rollout_record.h"
#include "support/made_up_run.h"
#include "support/window_fixture.h"
#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/inspect_page.h"
#include "ui/evaluate_page.h"
#include "ui/models/rollout_store.h"
#include "ui/models/run_queue.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/panels/train_side.h"
#include "ui/panels/what_if_panel.h"
#include "ui/rollouts_cells.h"
#include "ui/rollouts_page.h"
#include "ui/start_page.h"
#include "widgets/curve_plot.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/image_canvas.h"
#include "widgets/segmented_button.h"
#include "widgets/theme.h"

using namespace cuescope;

class TestKeys : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { useOwnSettings(); }
  void init() {
    openWindow({"/models/weak", "/models/strong"});
    m_window->activateWindow();
    AskBar* bar = m_window->inspectPage()->askBar();
    bar->setStudent("/models/weak");
    bar->setTeacher("/models/strong");
    bar->questionField()->setText("Was the lamp on?");
    m_window->setPage(MainWindow::Inspect);
    m_window->inspectPage()->ask();
    QTRY_VERIFY(m_window->inspectPage()->inspection());
    map()->setRegion({7, 8});
  }
  void cleanup() { closeWindow(); }

  void onTrainTheLettersAreTheCurves() {
    followRun();
    m_window->setPage(MainWindow::Train);
    CurveGrid* curves = m_window->trainPage()->curves();
    QTRY_VERIFY(curves->panels().size() > 2);
    curves->setFocus();
    const bool log = curves->panels()[0].log;
    press(Qt::Key_L);
    QCOMPARE(curves->panels()[0].log, !log);
    QVERIFY(!map()->view().logScale);
    // The wheel zooms, F brings the whole run back.
    const QPointF edge = QRectF(curves->axesRect(0)).topRight() + QPointF(-1, 5), foot = QRectF(curves->axesRect(0)).topLeft() + QPointF(1, 5);
    double whole = 0, zoomed = 0, fitted = 0;
    curves->panelAt(edge, &whole);
    QWheelEvent wheel(foot, curves->mapToGlobal(foot), {}, QPoint(0, 480), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QApplication::sendEvent(curves->findChild<QWidget*>(), &wheel);
    curves->panelAt(edge, &zoomed);
    QVERIFY2(zoomed < whole, qPrintable(QString("%1 of %2").arg(zoomed).arg(whole)));
    press(Qt::Key_F);
    curves->panelAt(edge, &fitted);
    QCOMPARE(fitted, whole);
  }

  void onTrainDeleteTakesARunOutOfTheQueue() {
    followRun();
    m_window->setPage(MainWindow::Train);
    TrainPage* page = m_window->trainPage();
    page->queue()->setHeld(true);
    RunConfig config;
    config.trainer.name = "waits";
    page->queue()->add(config, true);
    page->findChild<Panel*>("train.health")->setCurrentTab(2);  // the queue
    auto* list = page->findChild<QueueList*>()->findChild<QListView*>();
    list->setCurrentIndex(page->queue()->index(0, 0));
    list->setFocus();
    press(Qt::Key_Delete);
    QCOMPARE(page->queue()->size(), 0);
    QCOMPARE(map()->region().size(), std::size_t(2));
  }

  void onRolloutsDeleteTakesTheThresholdAway() {
    followRun(true);
    m_window->setPage(MainWindow::Rollouts);
    RolloutsPage* page = m_window->rolloutsPage();
    QTRY_COMPARE(page->model()->rowCount(), 4);
    GapHistogram* histogram = page->histogram();
    QTest::mouseClick(histogram, Qt::LeftButton, {}, QPoint(int(histogram->xOf(0.2)), 40));
    QVERIFY(std::isfinite(page->model()->threshold()));
    histogram->setFocus();
    press(Qt::Key_Delete);
    QVERIFY(std::isnan(page->model()->threshold()));
    QCOMPARE(map()->region().size(), std::size_t(2));
  }

  void onDataTheLettersAreTheCueEditorsTools() {
    openData();
    CueCanvas* canvas = m_window->dataPage()->canvas();
    map()->command("brush");
    canvas->setFocus();
    const std::pair<Qt::Key, CueCanvas::Tool> tools[] = {{Qt::Key_V, CueCanvas::Tool::Move}, {Qt::Key_I, CueCanvas::Tool::Point}, {Qt::Key_B, CueCanvas::Tool::Box}};
    for (const auto& [key, tool] : tools) {
      press(key);
      QCOMPARE(canvas->tool(), tool);
    }
    QVERIFY(map()->isOn("brush"));
    // Del is the chosen mark's, whatever of the page has the focus but a text.
    QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->toWidget({20, 20}).toPoint());
    QTest::mouseMove(canvas, canvas->toWidget({80, 90}).toPoint());
    QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->toWidget({80, 90}).toPoint());
    QCOMPARE(m_window->dataPage()->currentCue().marks.size(), std::size_t(1));
    m_window->dataPage()->table()->setFocus();
    press(Qt::Key_Delete);
    QCOMPARE(m_window->dataPage()->currentCue().marks.size(), std::size_t(0));
    QCOMPARE(map()->region().size(), std::size_t(2));
  }

  void aLetterOfInspectStartsNothingFromAnotherPage() {
    followRun(true);
    openData();
    for (const MainWindow::Page page : {MainWindow::Train, MainWindow::Rollouts, MainWindow::Data, MainWindow::Evaluate}) {
      m_window->setPage(page);
      m_window->setFocus();
      const MapView before = map()->view();
      const SelectionState selection = m_window->selection().state();
      for (const Qt::Key key : {Qt::Key_R, Qt::Key_C, Qt::Key_H, Qt::Key_U, Qt::Key_G, Qt::Key_S, Qt::Key_D, Qt::Key_M, Qt::Key_X, Qt::Key_1, Qt::Key_2, Qt::Key_3}) press(key);
      press(Qt::Key_R, Qt::ShiftModifier);
      press(Qt::Key_Delete);
      QVERIFY(!m_session->inspecting());
      QVERIFY(!m_window->inspectPage()->capturing());
      QCOMPARE(map()->region().size(), std::size_t(2));
      QVERIFY(map()->view().shown == before.shown && map()->view().fade == before.fade && map()->view().smooth == before.smooth);
      QVERIFY(map()->comparison().isEmpty());
      QVERIFY(m_window->selection().state().head == selection.head);
      QCOMPARE(m_window->page(), page);
    }
  }

  void anActionOfAnotherPageSaysWhereItBelongs() {
    m_window->setPage(MainWindow::Evaluate);
    const QAction* run = m_window->action("inspect.what-if");
    QVERIFY(!run->isEnabled());
    QVERIFY2(run->toolTip().contains("Inspect"), qPrintable(run->toolTip()));
    m_window->setPage(MainWindow::Inspect);
    QVERIFY(run->isEnabled());
  }

  void escLeavesTextFieldDragToolAndComparisonInThisOrder() {
    m_window->setPage(MainWindow::Inspect);
    ImageCanvas* canvas = map()->canvas();
    map()->command("side");
    map()->command("box");
    m_window->inspectPage()->askBar()->questionField()->setFocus();
    press(Qt::Key_Escape);
    QVERIFY(canvas->hasFocus());
    QVERIFY(map()->isOn("box") && map()->isOn("side"));
    // A box that is being drawn.
    const QPoint from = canvas->toWidget({10, 10}).toPoint(), to = canvas->toWidget({90, 90}).toPoint();
    QTest::mousePress(canvas, Qt::LeftButton, {}, from);
    QTest::mouseMove(canvas, to);
    press(Qt::Key_Escape);
    QTest::mouseRelease(canvas, Qt::LeftButton, {}, to);
    QCOMPARE(map()->region(), std::vector<int>({7, 8}));
    QVERIFY(map()->isOn("box") && map()->isOn("side"));
    press(Qt::Key_Escape);
    QVERIFY(map()->isOn("move") && map()->isOn("side"));
    press(Qt::Key_Escape);
    QVERIFY(map()->isOn("move") && map()->isOn("single"));
  }

  void escWhileDrawingAMarkLeavesNoMark() {
    openData();
    CueCanvas* canvas = m_window->dataPage()->canvas();
    press(Qt::Key_B);
    canvas->setFocus();
    QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->toWidget({20, 20}).toPoint());
    QTest::mouseMove(canvas, canvas->toWidget({80, 90}).toPoint());
    press(Qt::Key_Escape);
    QCOMPARE(canvas->cellCount(), 0);
    QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->toWidget({80, 90}).toPoint());
    QCOMPARE(m_window->dataPage()->currentCue().marks.size(), std::size_t(0));
    QCOMPARE(canvas->tool(), CueCanvas::Tool::Box);
    press(Qt::Key_Escape);
    QCOMPARE(canvas->tool(), CueCanvas::Tool::Move);
  }

  void escWhileAPlotIsDraggedBringsItsRangeBack() {
    followRun();
    m_window->setPage(MainWindow::Train);
    CurveGrid* curves = m_window->trainPage()->curves();
    QTRY_VERIFY(curves->panels().size() > 2);
    const QRectF axes = curves->axesRect(0);
    QWidget* plot = curves->findChild<QWidget*>();
    double before = 0, during = 0, after = 0;
    curves->panelAt(axes.center(), &before);
    QTest::mousePress(plot, Qt::LeftButton, {}, axes.center().toPoint());
    QMouseEvent move(QEvent::MouseMove, axes.center() + QPointF(60, 0), plot->mapToGlobal(axes.center() + QPointF(60, 0)), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(plot, &move);
    curves->panelAt(axes.center(), &during);
    QVERIFY(during != before);
    press(Qt::Key_Escape);
    QTest::mouseRelease(plot, Qt::LeftButton, {}, (axes.center() + QPointF(60, 0)).toPoint());
    curves->panelAt(axes.center(), &after);
    QCOMPARE(after, before);
  }

  void whatDeleteAndClearTakeAwayComesBack() {
    QAction* undo = m_window->action("edit.undo");
    map()->canvas()->setFocus();
    m_window->action("map.clear")->trigger();
    QVERIFY(map()->region().empty());
    undo->trigger();
    QCOMPARE(map()->region(), std::vector<int>({7, 8}));
    for (QPushButton* button : m_window->inspectPage()->whatIf()->bar()->findChildren<QPushButton*>())
      if (button->text() == "Clear") QTest::mouseClick(button, Qt::LeftButton);
    QVERIFY(map()->region().empty());
    undo->trigger();
    QCOMPARE(map()->region(), std::vector<int>({7, 8}));
    const bool dark = Theme::instance().isDark();
    m_window->action("view.theme")->trigger();
    QVERIFY(Theme::instance().isDark() != dark);
    undo->trigger();
    QCOMPARE(Theme::instance().isDark(), dark);
    m_window->saveLayout("Mine");
    m_window->removeLayout("Mine");
    QVERIFY(m_window->layouts().isEmpty());
    undo->trigger();
    QCOMPARE(m_window->layouts(), QStringList{"Mine"});
    // The queue gives back what was taken out, held as it was.
    followRun();
    m_window->setPage(MainWindow::Train);
    RunQueue* queue = m_window->trainPage()->queue();
    queue->setHeld(true);
    RunConfig config;
    config.trainer.name = "waits";
    queue->add(config, true);
    m_window->trainPage()->findChild<Panel*>("train.health")->setCurrentTab(2);  // the queue
    auto* list = m_window->trainPage()->findChild<QueueList*>()->findChild<QListView*>();
    list->setCurrentIndex(queue->index(0, 0));
    QTest::keyClick(list, Qt::Key_Delete);
    QCOMPARE(queue->size(), 0);
    undo->trigger();
    QCOMPARE(queue->size(), 1);
    QVERIFY(queue->held());
  }

  void aPresetThatReplacedTheFormIsTakenBack() {
    m_window->setPage(MainWindow::Train);
    m_window->trainPage()->newRun();
    NewRunForm* form = m_window->trainPage()->form();
    QVERIFY(form->presets().size() > 1);
    QVERIFY(form->setField("actor.optim.lr", "0.00125"));
    QVERIFY(!form->setField("trainer.total_training_steps", "many"));
    auto* preset = form->findChild<QComboBox*>();
    const int other = preset->currentIndex() == 0 ? 1 : 0;
    preset->setCurrentIndex(other);
    Q_EMIT preset->activated(other);
    QVERIFY(form->config().actor.lr != 0.00125);
    m_window->action("edit.undo")->trigger();
    QCOMPARE(form->config().actor.lr, 0.00125);
    QVERIFY(preset->currentIndex() != other);
    QCOMPARE(form->complaints() > 0, true);
  }

  // A button, drop-down, choice or slider that is added without an action fails here; so does an action's name that is none.
  void everyControlOfThePagesHasAnAction() {
    for (int page = 0; page < MainWindow::PageCount; ++page) m_window->setPage(MainWindow::Page(page));
    m_window->trainPage()->newRun();
    QStringList wrong;
    int seen = 0;
    for (QWidget* page : {static_cast<QWidget*>(m_window->trainPage()), static_cast<QWidget*>(m_window->rolloutsPage()), static_cast<QWidget*>(m_window->dataPage()), static_cast<QWidget*>(m_window->evaluatePage()), static_cast<QWidget*>(m_window->startPage())})
      for (QWidget* w : page->findChildren<QWidget*>()) {
        const bool control = qobject_cast<QAbstractButton*>(w) || qobject_cast<QComboBox*>(w) || qobject_cast<QSlider*>(w) || qobject_cast<SegmentedButton*>(w);
        if (!control || isPartOfAnother(w) || answersAMessage(w) || isFieldOfTheForm(w)) continue;
        ++seen;
        const QStringList names = w->property("action").toString().split(' ', Qt::SkipEmptyParts);
        if (names.isEmpty()) wrong << QString("%1 «%2» has no action").arg(w->metaObject()->className(), w->accessibleName() + w->toolTip());
        for (const QString& name : names)
          if (!m_window->action(name)) wrong << QString("%1 «%2»: there is no action %3").arg(w->metaObject()->className(), w->toolTip(), name);
      }
    QVERIFY2(seen > 50, qPrintable(QString::number(seen)));
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join('\n')));
  }

  void anActionDoesWhatItsControlDoesAndHasItsReasons() {
    m_window->setPage(MainWindow::Data);
    QAction* grid = m_window->action("data.grid");
    QVERIFY(grid->isCheckable() && grid->isChecked());
    grid->trigger();
    QVERIFY(!grid->isChecked());
    for (QCheckBox* box : m_window->dataPage()->findChildren<QCheckBox*>())
      if (box->property("action") == "data.grid") QVERIFY(!box->isChecked());
    m_window->setPage(MainWindow::Train);
    QAction* start = m_window->action("form.start");
    QVERIFY(!start->isEnabled());
    QVERIFY2(start->toolTip().contains("form"), qPrintable(start->toolTip()));
    m_window->trainPage()->newRun();
    QVERIFY(m_window->trainPage()->form()->setField("trainer.total_training_steps", "0"));
    for (QPushButton* button : m_window->trainPage()->form()->findChildren<QPushButton*>())
      if (button->property("action") == "form.start") {
        QCOMPARE(start->isEnabled(), button->isEnabled());
        if (!button->isEnabled()) QCOMPARE(start->toolTip(), button->toolTip());
      }
  }

  void closedPanelsOfEveryPageComeBackFromTheWindowMenu() {
    for (const MainWindow::Page page : {MainWindow::Inspect, MainWindow::Train, MainWindow::Rollouts, MainWindow::Data, MainWindow::Evaluate}) m_window->setPage(page);
    int seen = 0;
    for (Panel* panel : m_window->findChildren<Panel*>()) {
      QAction* action = m_window->action("panel." + panel->objectName());
      QVERIFY2(action, qPrintable(panel->objectName()));
      for (int page = 0; page < MainWindow::PageCount; ++page)
        if (m_window->placesOf("panel." + panel->objectName()) == MainWindow::on(MainWindow::Page(page))) m_window->setPage(MainWindow::Page(page)), ++seen;
      panel->setClosed(true);
      action->trigger();
      QVERIFY2(!panel->isClosed(), qPrintable(panel->objectName()));
    }
    QVERIFY(seen > 12);
  }

  void aTextFieldKeepsItsLetters() {
    openData();
    QPlainTextEdit* cue = m_window->dataPage()->cueField();
    const auto tool = m_window->dataPage()->canvas()->tool();
    cue->setFocus();
    cue->clear();
    QTest::keyClicks(cue, "vbi");
    QCOMPARE(cue->toPlainText(), QString("vbi"));
    QCOMPARE(m_window->dataPage()->canvas()->tool(), tool);
  }

 private:
  // Parts that Qt makes of a control, and the cancel of a task.
  static bool isPartOfAnother(const QWidget* w) {
    const QByteArray name = w->metaObject()->className(), above = w->parentWidget() ? w->parentWidget()->metaObject()->className() : "";
    if (w->parentWidget() && qobject_cast<const Panel*>(w->parentWidget()->parentWidget()) && w->size() == QSize(22, 22)) return true;  // float and close of a panel's head: the Window menu
    return name == "QTableCornerButton" || name == "QLineEditIconButton" || above.startsWith("QComboBox") || qobject_cast<QScrollBar*>(const_cast<QWidget*>(w)) || w->objectName().startsWith("qt_");
  }
  // Buttons that answer a sentence stand and go with it; what they do is in the menus under its own name.
  static bool answersAMessage(const QWidget* w) {
    for (const QWidget* at = w; at; at = at->parentWidget())
      if (qobject_cast<const ErrorPanel*>(at) || qobject_cast<const EmptyPanel*>(at)) return true;
    return false;
  }
  // The parameters themselves: values, not doings. Each has its own button «default», which has an action.
  static bool isFieldOfTheForm(const QWidget* w) {
    if (!qobject_cast<const QComboBox*>(w) && !qobject_cast<const QCheckBox*>(w)) return false;
    for (const ConfigField& field : configFields())
      if (w->accessibleName() == QString::fromStdString(field.label)) return true;
    return false;
  }
  MapPanel* map() const { return m_window->inspectPage()->map(); }
  // As a person's key comes: to what has the focus, the window's shortcuts first.
  void press(Qt::Key key, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
    QWidget* focus = QApplication::focusWidget();
    QTest::keyClick(focus ? focus : m_window.get(), key, modifiers);
  }
  void followRun(bool rollouts = false) {
    static int number = 0;  // a folder that is written twice would hold its steps twice
    const QString directory = QString::fromStdString(made_up::writeRun(m_home.filePath(QString::number(++number)), "keys-run", 40, 0.4));
    if (rollouts) {
      RunWriter writer(directory.toStdString());
      std::string lines;
      for (int i = 0; i < 4; ++i) {
        RolloutRecord r;
        r.step = 40, r.index = i, r.sampleId = "scene-" + std::to_string(i), r.input = "What color is the circle?", r.output = "\\boxed{red}", r.groundTruth = "red", r.score = 1;
        for (int t = 0; t < 6; ++t) r.ids.push_back(100 + t), r.studentLogProbs.push_back(-0.5f), r.teacherLogProbs.push_back(-0.5f + 0.1f * float(i + 1));
        lines += toJsonLine(r);
      }
      writer.appendRollouts(40, lines);
    }
    QVERIFY(m_session->followRun(directory));
    m_window->selection().setRun("keys-run");
  }
  void openData() {
    m_window->setPage(MainWindow::Data);
    m_window->dataPage()->openFile("made-up.jsonl");
    QTRY_VERIFY(m_window->dataPage()->model()->rowCount() > 1);
    QImage picture(192, 192, QImage::Format_RGB888);
    picture.fill(Qt::gray);
    m_window->dataPage()->canvas()->setPicture(picture);
  }
};

QTEST_MAIN(TestKeys)
#include "tst_keys.moc"
