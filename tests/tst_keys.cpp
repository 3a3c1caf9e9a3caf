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
#include <QContextMenuEvent>
#include <QMenu>
#include <QTableWidget>
#include <QMouseEvent>
#include <QTemporaryDir>
#include <QUndoGroup>
#include <QtTest>
#include <cmath>

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
#include "ui/panels/distributions_panel.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/tokens_panel.h"
#include "ui/rollouts_detail.h"
#include "ui/evaluate_board.h"
#include "ui/view_menu.h"
#include "ui/start_page.h"
#include "widgets/curve_plot.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/image_canvas.h"
#include "widgets/segmented_button.h"
#include "widgets/film_strip.h"
#include "widgets/matrix_view.h"
#include "widgets/token_strip.h"
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
    RunConfig second = config;
    second.trainer.name = "waits too";
    page->queue()->add(second, true);
    const auto names = [&] {
      QStringList all;
      for (const QueuedRun& run : page->queue()->items()) all << QString::fromStdString(run.config.trainer.name);
      return all;
    };
    press(Qt::Key_Down, Qt::AltModifier);
    QCOMPARE(names(), QStringList({"waits too", "waits"}));
    press(Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(names(), QStringList({"waits", "waits too"}));
    page->queue()->remove(1);
    list->setCurrentIndex(page->queue()->index(0, 0));
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

  void everyViewHasAMenuThatCopiesItsValue() {
    followRun(true);
    auto* menus = m_window->findChild<ViewMenu*>();
    QVERIFY(menus);
    const auto open = [&](QWidget* view, const QPoint& at) -> QMenu* {
      QContextMenuEvent event(QContextMenuEvent::Mouse, at, view->mapToGlobal(at));
      QApplication::sendEvent(view, &event);
      return menus->menu();
    };
    const auto copied = [&](QWidget* view, const QPoint& at) {
      QApplication::clipboard()->setText("before");
      QMenu* menu = open(view, at);
      if (!menu) return QString("no menu");
      for (QAction* action : menu->actions())
        if (action->text() == "Copy value") action->isEnabled() ? action->trigger() : QApplication::clipboard()->setText("nothing");
      menu->close();
      return QApplication::clipboard()->text();
    };
    ImageCanvas* canvas = map()->canvas();
    const QPoint patch = canvas->toWidget(patchPixels(canvas->scene(), 8).center()).toPoint();
    QCOMPARE(copied(canvas, patch), canvas->cellName(8));
    MatrixView* matrix = m_window->inspectPage()->matrix();
    m_window->inspectPage()->showTab("matrix");
    QCOMPARE(copied(matrix, matrix->cellRect(3).center()), matrix->cellName(3));
    TokenStrip* strip = m_window->inspectPage()->tokens()->strip();
    QCOMPARE(copied(strip->viewport(), strip->cellRect(2).center() - strip->viewport()->pos()), strip->cellName(2));
    // Facts: the line under the pointer; and the page's own menu hangs below.
    FactTable* facts = m_window->inspectPage()->distributions()->table();
    QVERIFY2(facts->text().split('\n').contains(copied(facts, QPoint(10, facts->sizeHint().height() - 4))), qPrintable(facts->text()));
    QMenu* menu = open(canvas, patch);
    QStringList words;
    for (QAction* action : menu->actions()) words << action->text();
    menu->close();
    QVERIFY2(words.contains("Inspect") && words.contains("Export view …"), qPrintable(words.join(", ")));
    // Tables: the cell, and the whole row. By the menu key too: what the keyboard has chosen.
    m_window->setPage(MainWindow::Rollouts);
    QTableView* table = m_window->rolloutsPage()->table();
    QTRY_COMPARE(m_window->rolloutsPage()->model()->rowCount(), 4);
    const QModelIndex tokens = m_window->rolloutsPage()->model()->index(1, RolloutTable::Tokens);
    QCOMPARE(copied(table->viewport(), table->visualRect(tokens).center()), tokens.data().toString());
    table->setCurrentIndex(tokens);
    QContextMenuEvent key(QContextMenuEvent::Keyboard, QPoint(1, 1), table->mapToGlobal(QPoint(1, 1)));
    QApplication::sendEvent(table->viewport(), &key);
    QVERIFY(menus->menu());
    for (QAction* action : menus->menu()->actions())
      if (action->text() == "Copy row") action->trigger();
    QVERIFY2(QApplication::clipboard()->text().split('\t').contains(tokens.data().toString()), qPrintable(QApplication::clipboard()->text()));
    menus->menu()->close();
    GapHistogram* histogram = m_window->rolloutsPage()->histogram();
    QVERIFY(copied(histogram, histogram->rect().center()) != "no menu");
    for (QWidget* view : {static_cast<QWidget*>(m_window->rolloutsPage()->detail()->strip()->viewport()), static_cast<QWidget*>(m_window->rolloutsPage()->detail()->sameTable()->viewport())})
      QVERIFY(copied(view, QPoint(4, 4)) != "no menu");
    m_window->setPage(MainWindow::Train);
    QVERIFY(copied(m_window->trainPage()->film()->viewport(), QPoint(4, 4)) != "no menu");
    m_window->setPage(MainWindow::Evaluate);
    for (QWidget* view : {static_cast<QWidget*>(m_window->evaluatePage()->boardView()), static_cast<QWidget*>(m_window->evaluatePage()->table()->viewport()), static_cast<QWidget*>(m_window->evaluatePage()->scores()->viewport())})
      QVERIFY(copied(view, QPoint(4, 4)) != "no menu");
    // A text keeps its own menu.
    openData();
    QVERIFY(!open(m_window->dataPage()->cueField()->viewport(), QPoint(4, 4)));
    if (QWidget* own = QApplication::activePopupWidget()) own->close();
    QVERIFY(copied(m_window->dataPage()->canvas(), QPoint(4, 4)) != "no menu");
  }

  void nAndPWalkTheSamplesOfTheShownPage() {
    openData();
    m_window->dataPage()->table()->setFocus();
    QCOMPARE(m_window->dataPage()->sampleAt(), 0);
    press(Qt::Key_N);
    press(Qt::Key_N);
    QCOMPARE(m_window->dataPage()->sampleAt(), 2);
    QVERIFY(!m_window->action("selection.sample")->isEnabled());  // the last of them
    QVERIFY2(m_window->action("selection.sample")->toolTip().contains("last sample"), qPrintable(m_window->action("selection.sample")->toolTip()));
    press(Qt::Key_P);
    QCOMPARE(m_window->dataPage()->sampleAt(), 1);
    // Inspect goes on with the set that its sample came from.
    press(Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(m_window->page(), MainWindow::Inspect);
    QTRY_VERIFY(!m_session->inspecting());
    QCOMPARE(m_window->inspectPage()->shownRequest().sampleId, std::string("scene-1"));
    m_window->inspectPage()->map()->canvas()->setFocus();
    press(Qt::Key_N);
    QTRY_COMPARE(m_window->inspectPage()->shownRequest().sampleId, std::string("scene-2"));
    QCOMPARE(m_window->dataPage()->sampleAt(), 2);
    press(Qt::Key_P);
    QTRY_COMPARE(m_window->inspectPage()->shownRequest().sampleId, std::string("scene-1"));
    // A picture of another kind came from no set.
    m_window->inspectPage()->askBar()->setPicture("/pictures/mine.png");
    m_window->inspectPage()->ask();
    QTRY_VERIFY(!m_session->inspecting());
    QVERIFY(!m_window->action("selection.sample")->isEnabled());
    followRun(true);
    m_window->setPage(MainWindow::Rollouts);
    RolloutsPage* rollouts = m_window->rolloutsPage();
    QTRY_COMPARE(rollouts->model()->rowCount(), 4);
    QTRY_COMPARE(rollouts->sampleAt(), 0);
    rollouts->table()->setFocus();
    press(Qt::Key_N);
    QCOMPARE(rollouts->sampleAt(), 1);
    QCOMPARE(m_window->selection().sample(), rollouts->currentSample());
    // A letter in a text field is a letter.
    rollouts->queryField()->setFocus();
    press(Qt::Key_N);
    QCOMPARE(rollouts->sampleAt(), 1);
    QCOMPARE(rollouts->queryField()->text(), QString("n"));
  }

  // A button, drop-down, choice or slider that is added without an action fails here; so does an action's name that is none.
  void everyControlOfThePagesHasAnAction() {
    for (int page = 0; page < MainWindow::PageCount; ++page) m_window->setPage(MainWindow::Page(page));
    m_window->trainPage()->newRun();
    QStringList wrong;
    int seen = 0;
    for (QWidget* page : {static_cast<QWidget*>(m_window->inspectPage()), static_cast<QWidget*>(m_window->trainPage()), static_cast<QWidget*>(m_window->rolloutsPage()), static_cast<QWidget*>(m_window->dataPage()), static_cast<QWidget*>(m_window->evaluatePage()), static_cast<QWidget*>(m_window->startPage())})
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
      if (qobject_cast<const ErrorPanel*>(at) || qobject_cast<const EmptyPanel*>(at) || qobject_cast<const QMenu*>(at)) return true;  // a menu has its own action
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
    if (rollouts) made_up::writeFourResponses(directory.toStdString(), 40);
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
