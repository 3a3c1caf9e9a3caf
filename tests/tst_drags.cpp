// Drags with a real mouse: a view out of the window as a picture or its numbers, a run onto a plot, a model onto a drop-down, a plot by
// its title into another plot; and what was carried out does not lie about for ever.
#include <QApplication>
#include <QComboBox>
#include <QDateTime>
#include <QDir>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFileInfo>
#include <QMenu>
#include <QMimeData>
#include <QMouseEvent>
#include <QStandardPaths>
#include <QTableView>
#include <QUndoGroup>
#include <QtTest>
#include <fcntl.h>
#include <sys/stat.h>

#include "support/made_up_run.h"
#include "support/window_fixture.h"
#include "ui/drags.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/models/navigator_model.h"
#include "ui/models/rollout_store.h"
#include "ui/navigator.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/train_page.h"
#include "ui/rollouts_page.h"
#include "widgets/curve_plot.h"
#include "widgets/image_canvas.h"

using namespace cuescope;

class TestDrags : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    useOwnSettings();
    QStandardPaths::setTestModeEnabled(true);
    QDir(carriedFolder()).removeRecursively();
  }
  void init() {
    openWindow({"/models/weak", "/models/strong"});
    m_window->activateWindow();
    m_window->findChild<ViewDrag*>()->setCarry([this](QMimeData* data) { m_carried.reset(data); });
    AskBar* bar = m_window->inspectPage()->askBar();
    bar->setStudent("/models/weak");
    bar->setTeacher("/models/strong");
    bar->questionField()->setText("Was the lamp on?");
    m_window->setPage(MainWindow::Inspect);
    m_window->inspectPage()->ask();
    QTRY_VERIFY(m_window->inspectPage()->inspection());
  }
  void cleanup() { closeWindow(); }
  void cleanupTestCase() { QDir(carriedFolder()).removeRecursively(); }

  void aViewIsDraggedOutOfTheWindowAsAPictureOrItsNumbers() {
    ImageCanvas* canvas = map()->canvas();
    map()->command("move");
    canvas->setFocus();
    const QPoint at = canvas->rect().center();
    dragOut(canvas, at, Qt::NoModifier, false);
    QVERIFY(!m_carried);  // it stayed in the window: it was a pan
    dragOut(canvas, at, Qt::NoModifier);
    QVERIFY(m_carried && m_carried->hasImage() && m_carried->urls().size() == 1);
    const QString picture = m_carried->urls().front().toLocalFile();
    QVERIFY2(picture.endsWith("inspect-map.png"), qPrintable(picture));
    QVERIFY(!QImage(picture).isNull() && QFile::exists(picture + ".recipe.json"));
    dragOut(canvas, at, Qt::ControlModifier);
    QVERIFY(m_carried && m_carried->text().count('\n') > 30);  // a line a patch
    QVERIFY(m_carried->urls().front().toLocalFile().endsWith("inspect-map.csv"));
    // A tool that draws keeps its drag.
    map()->command("box");
    dragOut(canvas, at, Qt::NoModifier);
    QVERIFY(!m_carried);
    map()->command("move");
    // A table of another page: its rows; and what is carried out of the window is not taken in again.
    followRun(true);
    m_window->setPage(MainWindow::Rollouts);
    QTRY_COMPARE(m_window->rolloutsPage()->model()->rowCount(), 4);
    QTableView* table = m_window->rolloutsPage()->table();
    table->setFocus();
    dragOut(table->viewport(), QPoint(40, 40), Qt::ControlModifier);
    QVERIFY(m_carried && m_carried->urls().front().toLocalFile().endsWith("rollouts-list.csv"));
    QVERIFY2(m_carried->text().count('\n') >= 5, qPrintable(m_carried->text()));
    QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, m_carried.get(), Qt::LeftButton, Qt::NoModifier);
    enter.ignore();
    QApplication::sendEvent(m_window.get(), &enter);
    QVERIFY(!enter.isAccepted());
  }

  void aRunIsDroppedOnAPlotAndAModelOnADropDown() {
    followRun();
    m_window->selection().setRun("keys-run");
    const QString second = QString::fromStdString(made_up::writeRun(m_home.filePath("dropped"), "second-run", 20, 0.3));
    QVERIFY(m_session->followRun(second));
    m_window->selection().setRun("keys-run");
    m_window->setPage(MainWindow::Train);
    NavigatorModel* model = m_window->navigator()->model();
    QTRY_VERIFY(m_window->trainPage()->curves()->panels().size() > 2);
    QTRY_COMPARE(m_window->trainPage()->shownRun(), QString("keys-run"));
    CurveGrid* curves = m_window->trainPage()->curves();
    const auto underPlot = [&] { return m_window->childAt(curves->mapTo(m_window.get(), QRectF(curves->axesRect(0)).center().toPoint())); };
    QTRY_VERIFY2(curves->isAncestorOf(underPlot()), underPlot() ? underPlot()->metaObject()->className() : "nothing");  // laid out
    m_carried.reset(model->mimeData({model->runIndex("second-run")}));
    drop(curves, QRectF(curves->axesRect(0)).center().toPoint());
    QCOMPARE(m_window->trainPage()->overlay(), QStringList{"second-run"});
    QCOMPARE(m_window->page(), MainWindow::Train);
    const QModelIndex models = model->index(NavigatorModel::Models, 0);
    QModelIndex strong;
    for (int i = 0; i < model->rowCount(models); ++i)
      if (const QModelIndex row = model->index(i, 0, models); row.data(NavigatorModel::PathRole).toString() == "/models/strong") strong = row;
    QVERIFY(strong.isValid() && (model->flags(strong) & Qt::ItemIsDragEnabled));
    m_window->setPage(MainWindow::Inspect);
    AskBar* bar = m_window->inspectPage()->askBar();
    m_carried.reset(model->mimeData({strong}));
    drop(bar->besideChooser(), bar->besideChooser()->rect().center());
    QCOMPARE(bar->beside(), QString("/models/strong"));
    m_window->setPage(MainWindow::Evaluate);
    m_carried.reset(model->mimeData({strong}));
    drop(m_window->evaluatePage()->modelChooser(), m_window->evaluatePage()->modelChooser()->rect().center());
    QCOMPARE(m_window->evaluatePage()->modelChooser()->currentData().toString(), QString("/models/strong"));
  }

  void whatWasCarriedOutGoesAfterADay() {
    map()->command("move");
    ImageCanvas* canvas = map()->canvas();
    const auto files = [] { return QDir(carriedFolder()).entryList(QDir::Dirs | QDir::NoDotAndDotDot); };
    QDir(carriedFolder()).removeRecursively();
    dragOut(canvas, canvas->rect().center(), Qt::NoModifier);
    QVERIFY(m_carried);
    const QString first = QFileInfo(m_carried->urls().front().toLocalFile()).absolutePath();
    dragOut(canvas, canvas->rect().center(), Qt::NoModifier);
    QCOMPARE(files().size(), 2);  // the receiver of the first may not have read it yet
    const timespec twoDays[2] = {{time(nullptr) - 2 * 86400, 0}, {time(nullptr) - 2 * 86400, 0}};
    QCOMPARE(utimensat(AT_FDCWD, first.toLocal8Bit().constData(), twoDays, 0), 0);
    dragOut(canvas, canvas->rect().center(), Qt::NoModifier);
    QVERIFY(!QFileInfo::exists(first));
    QCOMPARE(files().size(), 2);
  }

  void aPlotIsDraggedByItsTitleIntoAnotherAndOutOfTheWindow() {
    followRun();
    m_window->setPage(MainWindow::Train);
    TrainPage* page = m_window->trainPage();
    CurveGrid* curves = page->curves();
    QTRY_VERIFY(curves->panels().size() > 4);
    const auto at = [&](const QString& id) {
      for (std::size_t i = 0; i < curves->panels().size(); ++i)
        if (curves->panels()[i].id == id) return int(i);
      return -1;
    };
    const QString loss = curves->panels()[0].id, length = QStringLiteral("response_length/mean");
    QVERIFY(at(length) > 0);
    QTRY_VERIFY(!curves->axesRect(at(length)).isEmpty());
    QWidget* plot = curves->findChild<QWidget*>();
    const auto title = [&](int panel) { return QPoint(int(curves->axesRect(panel).left()) + 10, int(curves->axesRect(panel).top()) - 12); };
    const auto drag = [&](int panel, Qt::KeyboardModifiers modifiers) {
      m_carried.reset();
      const QPoint from = title(panel);
      QTest::mousePress(plot, Qt::LeftButton, modifiers, from);
      for (const int by : {3, 30}) {
        const QPointF to = QPointF(from) + QPointF(by, by);
        QMouseEvent move(QEvent::MouseMove, to, plot->mapToGlobal(to), Qt::NoButton, Qt::LeftButton, modifiers);
        QApplication::sendEvent(plot, &move);
        if (by == 3) QVERIFY(!m_carried);  // a hand that trembles
      }  // the release is that of the drag
    };
    const CurveZoom before = curves->zoom();
    const int step = m_window->selection().step();
    drag(at(length), Qt::NoModifier);
    QVERIFY(m_carried && m_carried->hasImage());
    QCOMPARE(curves->zoom().x.has_value(), before.x.has_value());  // it was no pan
    QCOMPARE(m_window->selection().step(), step);                  // and no click
    const QString file = m_carried->urls().front().toLocalFile();
    QVERIFY2(file.endsWith("train-response_length-mean.png") && QFile::exists(file + ".recipe.json"), qPrintable(file));
    // Into the first plot: its values stand there under its name, beside the plot's own, and the legend names it.
    drop(curves, QRectF(curves->axesRect(0)).center().toPoint());
    QTRY_COMPARE(curves->panels()[0].series.size(), std::size_t(2));
    const CurveSeries& guest = curves->panels()[0].series[1];
    QCOMPARE(guest.y, curves->panels()[std::size_t(at(length))].series[0].y);
    QCOMPARE(guest.label, curves->panels()[std::size_t(at(length))].title);
    QCOMPARE(curves->runs()[std::size_t(guest.run)].name, guest.label);
    drop(curves, QRectF(curves->axesRect(0)).center().toPoint());  // twice is once
    QTest::qWait(80);
    QCOMPARE(curves->panels()[0].series.size(), std::size_t(2));
    // An edit of the page.
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);
    QTRY_COMPARE(curves->panels()[0].series.size(), std::size_t(1));
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_COMPARE(curves->panels()[0].series.size(), std::size_t(2));
    // The same by the plot's menu, without a mouse.
    QTest::keyClick(curves, Qt::Key_Menu);
    auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
    QVERIFY(menu);
    QAction* out = nullptr;
    for (QAction* each : menu->actions())
      if (each->text().startsWith("Take ")) out = each;
    QVERIFY(out);
    menu->setActiveAction(out);
    QTest::keyClick(menu, Qt::Key_Return);
    QTRY_COMPARE(curves->panels()[0].series.size(), std::size_t(1));
    // Its numbers, of that plot alone.
    drag(at(length), Qt::ControlModifier);
    QVERIFY(m_carried && m_carried->urls().front().toLocalFile().endsWith("train-response_length-mean.csv"));
    QVERIFY(m_carried->text().contains(length) && !m_carried->text().contains(loss));
    // A plot of several curves stays where it is, and says why.
    int layers = -1;
    for (std::size_t i = 0; i < curves->panels().size(); ++i)
      if (curves->panels()[i].series.size() > 1) layers = int(i);
    QVERIFY(layers > 0);
    QSignalSpy said(page, &TrainPage::said);
    QVERIFY(!page->layCurve(loss, curves->panels()[std::size_t(layers)].id));
    QCOMPARE(said.size(), 1);
  }

 private:
  std::unique_ptr<QMimeData> m_carried;
  static QString carriedFolder() { return QStandardPaths::writableLocation(QStandardPaths::CacheLocation) + "/carried"; }
  MapPanel* map() const { return m_window->inspectPage()->map(); }
  void dragOut(QWidget* view, const QPoint& from, Qt::KeyboardModifiers modifiers, bool beyond = true) {
    m_carried.reset();
    QTest::mousePress(view, Qt::LeftButton, modifiers, from);
    const QPointF inside = QPointF(from) + QPointF(5, 5);
    QMouseEvent near(QEvent::MouseMove, inside, view->mapToGlobal(inside), Qt::NoButton, Qt::LeftButton, modifiers);
    QApplication::sendEvent(view, &near);
    const QPointF outside = m_window->mapToGlobal(QPointF(m_window->width() + (beyond ? 40 : -40), 300));
    QMouseEvent far(QEvent::MouseMove, view->mapFromGlobal(outside), outside, Qt::NoButton, Qt::LeftButton, modifiers);
    QApplication::sendEvent(view, &far);
    QTest::mouseRelease(view, Qt::LeftButton, modifiers, from);
  }
  /// What is carried, let go over a place of the window.
  void drop(QWidget* on, const QPoint& where, const QMimeData* data = nullptr) {
    const QPointF at = on->mapTo(m_window.get(), where);
    QDragEnterEvent enter(at.toPoint(), Qt::CopyAction, data ? data : m_carried.get(), Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent event(at, Qt::CopyAction, data ? data : m_carried.get(), Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &event);
  }
  void followRun(bool rollouts = false) {
    static int number = 0;  // a folder that is written twice would hold its steps twice
    const QString directory = QString::fromStdString(made_up::writeRun(m_home.filePath(QString::number(++number)), "keys-run", 40, 0.4));
    if (rollouts) made_up::writeFourResponses(directory.toStdString(), 40);
    QVERIFY(m_session->followRun(directory));
    m_window->selection().setRun("keys-run");
  }
};

QTEST_MAIN(TestDrags)
#include "tst_drags.moc"
