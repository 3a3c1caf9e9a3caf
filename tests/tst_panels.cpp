// Panels as docks, with real mouse events: edges split, the middle tabs, titles exchange, off the window they float; kept in
// layouts and sessions, undone by Reset layout, reachable by keyboard; and where they stand in rooms of three sizes.
#include <QApplication>
#include <QComboBox>
#include <QLineEdit>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QtTest>
#include <random>

#include "support/window_fixture.h"
#include "ui/command_palette.h"
#include "ui/inspect_page.h"
#include "ui/layouts.h"
#include "ui/navigator.h"
#include "ui/navigator_rail.h"
#include "ui/page_bar.h"
#include "ui/page_holder.h"
#include "ui/panel_mover.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/panel_tabs.h"
#include "ui/panels/what_if_panel.h"
#include "widgets/error_panel.h"
#include "widgets/theme.h"

using namespace cuescope;

class TestPanels : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { useOwnSettings(); }
  void init();
  void cleanup() { closeWindow(); }
  void anEdgeSplitsThere_data();
  void anEdgeSplitsThere();
  void theMiddleMakesATabAndATabIsDraggedOut();
  void theZonesAreShownWhileATitleIsDragged();
  void escLetsGoAndAClickMovesNothing();
  void offTheWindowItFloatsAndComesBackByItsTitle();
  void closedTabsStepAsideAndComeBack();
  void tabsAndSplitsAreKeptInLayoutsAndResetUndoesThem();
  void aNewWindowHasTheMovedPanels();
  void anyMoveLeavesEveryPanelInOnePlace();
  void everyMoveIsInThePaletteWithoutAMouse();
  void thePageIsPlacedAsItsRoomDemands();
  void whatAPersonMovedIsKeptForEachRoom();
  void aSessionOfALargeScreenFitsASmallOne();
  void tabWalksThePanelsAsTheyAreRead();
  void everyStateOfInspectFitsItsRoom();
  void theSelectionStaysReachableInANarrowBar();
  void theRailListsTheFourTrees();

 private:
  Panel* panel(const QString& name) const;
  QRect place(const Panel* panel) const { return {panel->mapTo(m_window.get(), QPoint()), panel->size()}; }
  QPoint titleOf(Panel* panel, int tab = -1) const;
  /// Press on a title, move in two steps, release at a place of the window.
  void drag(Panel* panel, const QPoint& to, bool release = true);
  void dragTo(PanelTabs* tabs, const QPoint& windowPoint, Qt::MouseButtons buttons = Qt::LeftButton);
  /// Which panel lies where, without sizes: what is hidden has none to compare.
  static QString shape(const QWidget* at) {
    QString text;
    if (auto* splitter = qobject_cast<const QSplitter*>(at)) {
      text = splitter->orientation() == Qt::Horizontal ? "h(" : "v(";
      for (int i = 0; i < splitter->count(); ++i) {
        auto* shared = qobject_cast<const PanelStack*>(splitter->widget(i));
        if (!shared || shared->count() > 0) text += shape(splitter->widget(i)) + ' ';  // an empty one waits for a panel that floats
      }
      return text + ')';
    }
    if (auto* shared = qobject_cast<const PanelStack*>(at)) {
      for (Panel* each : shared->panels()) text += each->objectName() + (each->isClosed() ? "-" : each == shared->current() ? "*" : "") + '|';
      return '[' + text + ']';
    }
    auto* own = qobject_cast<const Panel*>(at);
    return own ? own->objectName() + (own->isClosed() ? "-" : "") : QString("thing");
  }
  QString shape() const {
    QString text = shape(m_window->inspectPage()->findChild<QSplitter*>());
    for (Panel* each : m_window->inspectPage()->panels())
      if (each->isFloating()) text += " ~" + each->objectName();
    return text;
  }
  static QPoint inZone(const QRect& place, DropZone zone) { return DropZones::part(place, zone).center(); }
};

void TestPanels::init() {
  openWindow({"/models/weak", "/models/strong"});
  m_window->setPage(MainWindow::Inspect);
  QTest::qWait(10);
  m_window->action("view.reset")->trigger();  // sizes that were set before the window was shown are shares; these are pixels
  QTest::qWait(10);
}

Panel* TestPanels::panel(const QString& name) const {
  for (Panel* each : m_window->inspectPage()->panels())
    if (each->objectName() == name) return each;
  return nullptr;
}

// In the coordinates of the tabs of the panel that is in front where `panel` is.
QPoint TestPanels::titleOf(Panel* panel, int tab) const {
  Panel* front = panel->stack() ? panel->stack()->current() : panel;
  if (tab < 0)
    for (int i = 0; i < front->tabs()->titles().size(); ++i)
      if (front->panelOfTab(i) == panel) tab = i;
  return front->tabs()->tab(tab).center();
}

void TestPanels::dragTo(PanelTabs* tabs, const QPoint& windowPoint, Qt::MouseButtons buttons) {
  const QPoint global = m_window->mapToGlobal(windowPoint);
  QMouseEvent move(QEvent::MouseMove, tabs->mapFromGlobal(global), global, Qt::NoButton, buttons, Qt::NoModifier);
  QApplication::sendEvent(tabs, &move);
}

void TestPanels::drag(Panel* panel, const QPoint& to, bool release) {
  Panel* front = panel->stack() ? panel->stack()->current() : panel;
  PanelTabs* tabs = front->tabs();
  const QPoint at = titleOf(panel);
  QVERIFY2(!at.isNull(), qPrintable(panel->objectName()));
  QTest::mousePress(tabs, Qt::LeftButton, {}, at);
  dragTo(tabs, tabs->mapTo(tabs->window(), at) + QPoint(QApplication::startDragDistance() + 1, 2));
  dragTo(tabs, to);
  if (release) QTest::mouseRelease(tabs, Qt::LeftButton, {}, tabs->mapFromGlobal(m_window->mapToGlobal(to)));
}

void TestPanels::anEdgeSplitsThere_data() {
  QTest::addColumn<int>("zone");
  QTest::newRow("left") << int(DropZone::Left);
  QTest::newRow("right") << int(DropZone::Right);
  QTest::newRow("above") << int(DropZone::Above);
  QTest::newRow("below") << int(DropZone::Below);
}

void TestPanels::anEdgeSplitsThere() {
  QFETCH(int, zone);
  Panel *moved = panel("tokens"), *target = panel("distributions");
  drag(moved, inZone(place(target), DropZone(zone)));
  QTest::qWait(10);
  QVERIFY(moved->isVisible() && target->isVisible());
  const QRect a = place(moved), b = place(target);
  switch (DropZone(zone)) {
    case DropZone::Left: QVERIFY(a.right() < b.left()); break;
    case DropZone::Right: QVERIFY(a.left() > b.right()); break;
    case DropZone::Above: QVERIFY(a.bottom() < b.top()); break;
    default: QVERIFY(a.top() > b.bottom()); break;
  }
  const bool beside = DropZone(zone) == DropZone::Left || DropZone(zone) == DropZone::Right;
  QVERIFY(beside ? a.top() == b.top() && a.height() == b.height() : a.left() == b.left() && a.width() == b.width());
  QVERIFY(a.width() > 100 && a.height() > 60);
}

void TestPanels::theMiddleMakesATabAndATabIsDraggedOut() {
  Panel *moved = panel("alignment"), *target = panel("tokens");
  const int tokensWidth = target->width();
  drag(moved, inZone(place(target), DropZone::Tab));
  QVERIFY(moved->stack() && moved->stack() == target->stack());
  QVERIFY(moved->isVisible() && !target->isVisible());
  QCOMPARE(moved->tabs()->titles(), QStringList({"Tokens", "Alignment"}));
  QCOMPARE(moved->tabs()->current(), 1);
  QCOMPARE(moved->width(), tokensWidth);
  // A click on the other title shows it, and the arrow keys walk.
  QTest::mouseClick(moved->tabs(), Qt::LeftButton, {}, titleOf(target));
  QVERIFY(target->isVisible() && !moved->isVisible());
  target->tabs()->setFocus(Qt::TabFocusReason);
  QTest::keyClick(target->tabs(), Qt::Key_Right);
  QVERIFY(moved->isVisible());
  QVERIFY(moved->tabs()->hasFocus());
  // Out again, to the left of the matrix: what is left behind is a title, not one tab.
  drag(moved, inZone(place(panel("matrix")), DropZone::Left));
  QTest::qWait(10);
  QVERIFY(!moved->stack() && !target->stack());
  QVERIFY(place(moved).right() < place(panel("matrix")).left());
  QCOMPARE(target->tabs()->titles(), QStringList{"Tokens"});
  // A tab that is not in front is dragged all the same, and out of its own tabs too.
  Panel* model = panel("model");
  QVERIFY(!model->isVisible());
  drag(model, inZone(place(panel("matrix")), DropZone::Below));
  QTest::qWait(10);
  QVERIFY(model->isVisible() && panel("matrix")->isVisible());
  QVERIFY(place(model).top() > place(panel("matrix")).bottom());
}

void TestPanels::theZonesAreShownWhileATitleIsDragged() {
  auto* mover = m_window->findChild<PanelMover*>();
  Panel *moved = panel("tokens"), *target = panel("distributions");
  const std::pair<DropZone, QString> zones[] = {{DropZone::Left, "left of Distributions"}, {DropZone::Tab, "a tab beside Distributions"}, {DropZone::Below, "below Distributions"}, {DropZone::Swap, "change places with Distributions"}};
  QVERIFY(!mover->zones()->isVisible());
  drag(moved, inZone(place(target), DropZone::Left), false);
  for (const auto& [zone, words] : zones) {
    const QRect part = DropZones::part(place(target), zone);
    const QImage before = m_window->grab(part).toImage();
    dragTo(moved->tabs(), part.center());
    QVERIFY(mover->zones()->isVisible());
    QCOMPARE(mover->zones()->zone(), zone);
    QCOMPARE(mover->zones()->words(), words);
    // The chosen zone wears the control colour, at its edge in full.
    const QImage shown = m_window->grab(part.adjusted(3, 3, -4, -4)).toImage();
    QCOMPARE(QColor(shown.pixel(shown.width() / 3, 0)), colors().control);
  }
  dragTo(moved->tabs(), QPoint(m_window->width() / 2, 5));  // over the menu nothing takes it
  QVERIFY(!mover->zones()->isVisible());
  QTest::mouseRelease(moved->tabs(), Qt::LeftButton, {}, moved->tabs()->mapFromGlobal(m_window->mapToGlobal(QPoint(m_window->width() / 2, 5))));
  QVERIFY(!mover->isDragging());
  QVERIFY(!moved->isFloating());
}

void TestPanels::escLetsGoAndAClickMovesNothing() {
  const QByteArray before = layoutOf(m_window->inspectPage());
  auto* mover = m_window->findChild<PanelMover*>();
  Panel* moved = panel("tokens");
  const QPoint to = inZone(place(panel("matrix")), DropZone::Tab);
  drag(moved, to, false);
  QVERIFY(mover->isDragging());
  QTest::keyClick(m_window.get(), Qt::Key_Escape);
  QVERIFY(!mover->isDragging());
  QVERIFY(!mover->zones()->isVisible());
  QTest::mouseRelease(moved->tabs(), Qt::LeftButton, {}, moved->tabs()->mapFromGlobal(m_window->mapToGlobal(to)));
  QTest::mouseClick(moved->tabs(), Qt::LeftButton, {}, QPoint(10, 10));
  QCOMPARE(layoutOf(m_window->inspectPage()), before);
}

void TestPanels::offTheWindowItFloatsAndComesBackByItsTitle() {
  Panel* moved = panel("shares");
  drag(moved, QPoint(m_window->width() + 60, 200));
  QVERIFY(moved->isFloating() && moved->isWindow() && moved->isVisible());
  QVERIFY(!panel("matrix")->tabs()->titles().contains("Shares"));
  QCOMPARE(moved->page(), m_window->inspectPage());
  moved->move(40, 700);  // its own window must not cover the target
  QTest::qWait(10);
  drag(moved, inZone(place(panel("matrix")), DropZone::Right));
  QTest::qWait(10);
  QVERIFY(!moved->isFloating() && moved->isVisible());
  QVERIFY(place(moved).left() > place(panel("matrix")).right());
  // Floating by its button and back by closing that window: the place is the one before, among the tabs too.
  Panel* model = panel("model");
  const QStringList titles = panel("matrix")->tabs()->titles();
  model->setFloating(true);
  QVERIFY(!panel("matrix")->tabs()->titles().contains("Model"));
  model->close();
  QVERIFY(!model->isFloating());
  QCOMPARE(model->tabs()->titles(), titles);
}

void TestPanels::closedTabsStepAsideAndComeBack() {
  Panel *matrix = panel("matrix"), *shares = panel("shares");
  QVERIFY(matrix->isVisible());
  matrix->setClosed(true);
  QVERIFY(!matrix->isVisible() && shares->isVisible());
  QVERIFY(!shares->tabs()->titles().contains("Matrix"));
  m_window->action("panel.matrix")->trigger();
  QVERIFY(matrix->isVisible() && !shares->isVisible());
  m_window->action("panel.matrix")->trigger();  // it was in front: closed
  QVERIFY(matrix->isClosed());
  // With all of them closed the place is empty and the neighbours have the room.
  const int before = panel("distributions")->height();
  for (const char* name : {"shares", "model", "steps", "recipe"}) panel(name)->setClosed(true);
  QTest::qWait(10);
  QVERIFY(panel("distributions")->height() > before + 100);
  for (const char* name : {"alignment", "cue-score"}) panel(name)->setClosed(true);
  QTest::qWait(10);
  QVERIFY(panel("distributions")->width() > 600);
  m_window->action("panel.alignment")->trigger();
  QTest::qWait(10);
  QVERIFY(panel("alignment")->isVisible() && panel("alignment")->width() > 150);
}

void TestPanels::tabsAndSplitsAreKeptInLayoutsAndResetUndoesThem() {
  const QString built = shape();
  const QRect first = place(panel("tokens"));
  drag(panel("tokens"), inZone(place(panel("matrix")), DropZone::Left));
  drag(panel("cue-score"), inZone(place(panel("tokens")), DropZone::Tab));
  panel("lens")->setFloating(true);
  panel("alignment")->setClosed(true);
  QTest::qWait(10);
  const QString moved = shape();
  QVERIFY(moved != built);
  m_window->saveLayout("Mine");
  m_window->action("view.reset")->trigger();
  QTest::qWait(10);
  QCOMPARE(shape(), built);
  QCOMPARE(place(panel("tokens")), first);
  QVERIFY(!panel("lens")->isFloating() && !panel("alignment")->isClosed());
  m_window->useLayout("Mine");
  QTest::qWait(10);
  QVERIFY(panel("cue-score")->stack() && panel("cue-score")->stack() == panel("tokens")->stack());
  QVERIFY(panel("cue-score")->isVisible() && !panel("tokens")->isVisible());
  QVERIFY(place(panel("cue-score")).right() < place(panel("matrix")).left());
  QVERIFY(panel("lens")->isFloating());
  QVERIFY(panel("alignment")->isClosed());
  QCOMPARE(shape(), moved);
  m_window->removeLayout("Mine");
}

void TestPanels::aNewWindowHasTheMovedPanels() {
  drag(panel("alignment"), inZone(place(panel("tokens")), DropZone::Tab));
  m_window->close();
  m_window.reset();
  m_window = std::make_unique<MainWindow>(*m_session);
  m_window->resize(1600, 1000);
  m_window->show();
  m_window->setPage(MainWindow::Inspect);
  QVERIFY(panel("alignment")->stack() && panel("alignment")->stack() == panel("tokens")->stack());
  QCOMPARE(panel("alignment")->stack()->current(), panel("alignment"));
}

// Whatever is done: every panel has one place, no splitter is empty, and the layout says all of it.
void TestPanels::anyMoveLeavesEveryPanelInOnePlace() {
  InspectPage* page = m_window->inspectPage();
  const QString built = shape();
  const auto panels = page->panels();
  std::mt19937 random(7);
  const auto pick = [&](int n) { return int(random() % unsigned(n)); };
  int done = 0;
  for (int i = 0; i < 300; ++i) {
    Panel *a = panels[std::size_t(pick(int(panels.size())))], *b = panels[std::size_t(pick(int(panels.size())))];
    switch (pick(8)) {
      case 0: a->setClosed(!a->isClosed()); break;
      case 1: a->setFloating(!a->isFloating()); break;
      default: done += movePanel(a, b, DropZone(1 + pick(6))); break;
    }
    QCOMPARE(int(panelsOf(page).size()), int(panels.size()));
    for (Panel* each : panels) {
      QVERIFY2(each->parentWidget(), qPrintable(each->objectName()));
      QCOMPARE(each->page(), static_cast<QWidget*>(page));
      if (each->isFloating()) continue;
      QVERIFY2(page->isAncestorOf(each), qPrintable(each->objectName()));
      if (PanelStack* shared = each->stack()) {
        QVERIFY(each->isClosed() || shared->current());
        if (!each->isClosed()) QVERIFY(shared->current() && !shared->current()->isClosed());
      }
      if (!each->isClosed() && !each->stack()) QVERIFY2(each->isVisible(), qPrintable(QString("%1 after %2").arg(each->objectName()).arg(i)));
    }
    if (i % 20 == 19) {
      const QString now = shape();
      QVERIFY(applyLayout(page, layoutOf(page)));
      QCOMPARE(shape(), now);
    }
  }
  QVERIFY(done > 100);
  m_window->action("view.reset")->trigger();
  QTest::qWait(10);
  QCOMPARE(shape(), built);
  for (Panel* each : panels) QVERIFY(!each->isClosed() && !each->isFloating());
}

void TestPanels::everyMoveIsInThePaletteWithoutAMouse() {
  Panel* tokens = panel("tokens");
  m_window->activateWindow();
  QTest::qWait(10);
  tokens->findChild<QComboBox*>()->setFocus();
  QCOMPARE(PanelMover::focusedPanel(), tokens);
  m_window->action("panel.move")->trigger();
  CommandPalette* palette = m_window->palettePopup();
  QVERIFY(palette->isVisible());
  QTest::keyClicks(palette->field(), "tab beside Alignment");
  QCOMPARE(palette->shownCount(), 1);
  QTest::keyClick(palette->field(), Qt::Key_Return);
  QVERIFY(tokens->stack() && tokens->stack() == panel("alignment")->stack());
  QVERIFY(tokens->isVisible());
  // Out of its tabs again, and into a window of its own.
  for (const char* words : {"out of its tabs: above", "window of its own"}) {
    m_window->activateWindow();
    tokens->findChild<QComboBox*>()->setFocus();
    m_window->action("panel.move")->trigger();
    QTest::keyClicks(palette->field(), words);
    QVERIFY2(palette->shownCount() == 1, words);
    QTest::keyClick(palette->field(), Qt::Key_Return);
  }
  QVERIFY(tokens->isFloating());
  tokens->close();
  QVERIFY(place(tokens).bottom() < place(panel("alignment")).top());
  // Without a panel that has the focus the palette asks for one.
  m_window->inspectPage()->setFocus();
  m_window->setFocus();
  m_window->action("panel.move")->trigger();
  QTest::keyClicks(palette->field(), "Move Cue score");
  QCOMPARE(palette->shownCount(), 1);
}

void TestPanels::thePageIsPlacedAsItsRoomDemands() {
  InspectPage* page = m_window->inspectPage();
  const auto resize = [&](int w, int h) {
    m_window->resize(w, h);
    QTest::qWait(20);
    QCOMPARE(m_window->size(), QSize(w, h));
  };
  resize(1600, 1000);
  QCOMPARE(page->room(), InspectPage::Wide);
  QVERIFY(!m_window->navigator()->isRail());
  // As the mock-up: the canvas's column 716, the matrix above distributions 334 beside alignment and cue score.
  QVERIFY2(std::abs(panel("tokens")->width() - 716) <= 4, qPrintable(QString::number(panel("tokens")->width())));
  QVERIFY2(std::abs(panel("matrix")->width() - 667) <= 4, qPrintable(QString::number(panel("matrix")->width())));
  QVERIFY2(std::abs(panel("distributions")->width() - 334) <= 4, qPrintable(QString::number(panel("distributions")->width())));
  for (const char* name : {"tokens", "what-if", "matrix", "distributions", "alignment", "cue-score"}) QVERIFY2(panel(name)->isVisible(), name);
  QVERIFY(panel("tokens")->barInHead() && panel("what-if")->barInHead());

  resize(1280, 800);
  QCOMPARE(page->room(), InspectPage::Narrow);
  QVERIFY(m_window->navigator()->isRail());
  QCOMPARE(m_window->navigator()->width(), NavigatorRail::kWidth);
  QVERIFY(panel("alignment")->stack() && panel("alignment")->stack() == panel("matrix")->stack() && panel("alignment")->stack() == panel("cue-score")->stack());
  QVERIFY(panel("matrix")->isVisible());
  QCOMPARE(panel("matrix")->tabs()->titles().mid(0, 3), QStringList({"Matrix", "Alignment", "Cue score"}));
  QVERIFY(place(panel("what-if")).left() > place(panel("tokens")).right());
  QVERIFY(place(panel("matrix")).bottom() < place(panel("what-if")).top());
  QVERIFY(place(panel("what-if")).bottom() < place(panel("distributions")).top());
  auto* holder = qobject_cast<PageHolder*>(page->parentWidget()->parentWidget());
  QVERIFY(holder);
  QVERIFY(!holder->scrolls());

  resize(800, 500);  // 1600 × 1000 px at 200 %
  QCOMPARE(page->room(), InspectPage::Compact);
  for (Panel* each : page->panels()) QVERIFY(each->stack() && each->stack() == panel("matrix")->stack());
  QVERIFY(!holder->scrolls());

  resize(1600, 1000);
  QCOMPARE(page->room(), InspectPage::Wide);
  QVERIFY(!m_window->navigator()->isRail());
  QVERIFY(std::abs(panel("tokens")->width() - 716) <= 4);
  for (const char* name : {"tokens", "what-if", "matrix", "distributions", "alignment", "cue-score"}) {
    QString why = name;
    for (const QWidget* at = panel(name); at && at != page; at = at->parentWidget()) why += QString(" %1 %2x%3%4").arg(at->metaObject()->className()).arg(at->width()).arg(at->height()).arg(at->isHidden() ? " hidden" : "");
    QVERIFY2(panel(name)->isVisible() && panel(name)->width() > 300, qPrintable(why));
  }
  QVERIFY(place(panel("what-if")).left() < place(panel("matrix")).left());
}

void TestPanels::whatAPersonMovedIsKeptForEachRoom() {
  drag(panel("alignment"), inZone(place(panel("tokens")), DropZone::Tab));
  m_window->resize(1280, 800);
  QTest::qWait(20);
  QVERIFY(panel("alignment")->stack() == panel("matrix")->stack());
  panel("what-if")->setClosed(true);
  m_window->resize(1600, 1000);
  QTest::qWait(20);
  QVERIFY(panel("alignment")->stack() && panel("alignment")->stack() == panel("tokens")->stack());
  QVERIFY(!panel("what-if")->isClosed());
  m_window->resize(1280, 800);
  QTest::qWait(20);
  QVERIFY(panel("what-if")->isClosed());
  m_window->action("view.reset")->trigger();
  QVERIFY(!panel("what-if")->isClosed());
  m_window->resize(1600, 1000);
  QTest::qWait(20);
  QVERIFY(!panel("alignment")->stack());
}

void TestPanels::aSessionOfALargeScreenFitsASmallOne() {
  drag(panel("alignment"), inZone(place(panel("tokens")), DropZone::Tab));
  const QByteArray large = m_window->layoutState();
  m_window->action("view.reset")->trigger();
  m_window->resize(1280, 800);
  QTest::qWait(20);
  QVERIFY(m_window->restoreLayoutState(large));
  QTest::qWait(20);
  QCOMPARE(m_window->size(), QSize(1280, 800));
  QVERIFY(m_window->navigator()->isRail());
  QVERIFY(panel("matrix")->isVisible());
  QVERIFY(panel("alignment")->stack() == panel("matrix")->stack());
  for (Panel* each : m_window->inspectPage()->panels())
    if (each->isVisible()) QVERIFY2(m_window->rect().contains(place(each)), qPrintable(each->objectName()));
  m_window->resize(1600, 1000);
  QTest::qWait(20);
  QVERIFY(panel("alignment")->stack() && panel("alignment")->stack() == panel("tokens")->stack());
  QVERIFY(!m_window->navigator()->isRail());
}

void TestPanels::tabWalksThePanelsAsTheyAreRead() {
  InspectPage* page = m_window->inspectPage();
  const auto order = [&] {
    QStringList names;
    QWidget* at = page;
    do {
      at = at->nextInFocusChain();
      if (!at->isVisible() || !(at->focusPolicy() & Qt::TabFocus) || !page->isAncestorOf(at)) continue;
      QString name = "map";
      for (QWidget* up = at; up; up = up->parentWidget())
        if (auto* own = qobject_cast<Panel*>(up)) name = own->objectName();
      if (names.isEmpty() || names.back() != name) names << name;
    } while (at != page);
    return names;
  };
  QCOMPARE(order(), QStringList({"map", "what-if", "tokens", "matrix", "distributions", "alignment", "cue-score"}));
  drag(panel("tokens"), inZone(place(panel("matrix")), DropZone::Right));
  drag(panel("cue-score"), inZone(place(panel("distributions")), DropZone::Left));
  QTest::qWait(10);
  QCOMPARE(order(), QStringList({"map", "what-if", "matrix", "tokens", "cue-score", "distributions", "alignment"}));
}

// Empty, after a look, with a what if, with another student beside, with an error: at the design's sizes nothing is cut off.
// CUESCOPE_TEST_PICTURES names a folder for pictures of them.
void TestPanels::everyStateOfInspectFitsItsRoom() {
  InspectPage* page = m_window->inspectPage();
  auto* holder = qobject_cast<PageHolder*>(page->parentWidget()->parentWidget());
  const QString pictures = qEnvironmentVariable("CUESCOPE_TEST_PICTURES");
  const auto look = [&](const QString& state) {
    for (const ThemeSetting theme : {ThemeSetting::Light, ThemeSetting::Dark}) {
      Theme::instance().setSetting(theme);
      for (const QSize& size : {QSize(1600, 1000), QSize(1280, 800), QSize(800, 500)}) {
        m_window->resize(size);
        QTest::qWait(20);
        QCOMPARE(m_window->size(), size);
        if (size.width() >= 1280) QVERIFY2(!holder->scrolls(), qPrintable(QString("%1 at %2").arg(state).arg(size.width())));
        if (!pictures.isEmpty()) m_window->grab().save(QString("%1/%2-%3-%4.png").arg(pictures, state).arg(size.width()).arg(theme == ThemeSetting::Dark ? "dark" : "light"));
      }
    }
    m_window->resize(1600, 1000);
    QTest::qWait(10);
  };
  look("empty");
  page->askBar()->setStudent("/models/weak");
  page->askBar()->setTeacher("/models/strong");
  page->askBar()->questionField()->setText("What digit is on the red circle?");
  page->askBar()->cueField()->setText("The red circle is at the north.");
  page->ask();
  QTRY_VERIFY(page->inspection() != nullptr);
  look("look");
  page->map()->setRegion({7, 8});
  page->runWhatIf();
  QTRY_VERIFY(page->whatIf()->answer() != nullptr);
  QVERIFY(panel("change")->isInFront());
  for (QComboBox* box : {page->whatIf()->moduleChooser(), page->whatIf()->cueChooser(), page->whatIf()->knockOutChooser()}) QVERIFY(box->width() >= 84 && box->isVisible());
  look("what-if");
  page->askBar()->setBeside("/models/strong");
  QTRY_VERIFY(page->besideInspection() != nullptr);
  look("beside");
  page->showFailure({"The cue module in this model folder is incomplete", "/models/weak", "it holds 12 of the 24 cue projections: L0, L5 and L10 are there, L15, L20 and L25 are missing; the save was probably interrupted", "Nothing was loaded. Choose another folder."});
  QVERIFY(page->error()->isVisible());
  look("error");
}

void TestPanels::theSelectionStaysReachableInANarrowBar() {
  m_window->resize(1600, 1000);
  QTest::qWait(10);
  PageBar* bar = m_window->pageBar();
  for (int part = 0; part < 7; ++part) QVERIFY(bar->cell(part)->isVisible());
  QVERIFY(!bar->moreButton()->isVisible());
  m_window->resize(700, 500);
  QTest::qWait(10);
  QVERIFY(bar->moreButton()->isVisible());
  QMenu* menu = bar->moreButton()->menu();
  Q_EMIT menu->aboutToShow();
  int hidden = 0;
  for (int part = 0; part < 7; ++part) hidden += bar->cell(part)->isHidden();
  QVERIFY(hidden > 0);
  QCOMPARE(int(menu->actions().size()), hidden);
  menu->actions().first()->trigger();
  QVERIFY(m_window->palettePopup()->isVisible());
}

void TestPanels::theRailListsTheFourTrees() {
  m_window->action("view.navigator")->trigger();
  Navigator* navigator = m_window->navigator();
  QVERIFY(navigator->isRail());
  QVERIFY(!m_window->action("view.navigator")->isChecked());
  QMenu* models = navigator->rail()->button(0)->menu();
  Q_EMIT models->aboutToShow();
  QStringList entries;
  for (QAction* action : models->actions()) entries << action->text().section('\t', 0, 0);
  QVERIFY2(entries.contains("weak") && entries.contains("strong"), qPrintable(entries.join(", ")));
  QTest::mouseClick(navigator->rail()->findChildren<QToolButton*>().last(), Qt::LeftButton);
  QVERIFY(!navigator->isRail());
  QCOMPARE(navigator->width(), 216);
}

QTEST_MAIN(TestPanels)
#include "tst_panels.moc"
