// The window as a desktop citizen: undo, session, layouts, recent things, shortcuts, settings of another version. What is set is in tst_settings.
#include <QAbstractButton>
#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QProcess>
#include <QPushButton>
#include <QScreen>
#include <QSettings>
#include <QShortcut>
#include <QSplitter>
#include <QTemporaryDir>
#include <QUndoGroup>
#include <QtTest>

#include "support/window_fixture.h"
#include "ui/command_palette.h"
#include "ui/inspect_page.h"
#include "ui/layouts.h"
#include "ui/panels/panel_tabs.h"
#include "ui/main_window.h"
#include "ui/navigator.h"
#include "ui/notice_bar.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/preferences.h"
#include "ui/session_file.h"
#include "ui/undo.h"
#include "widgets/theme.h"

using namespace cuescope;

class TestWindow : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase();
  void init();
  void cleanup();
  void undoTakesBackTheShownPagesEditsAlone();
  void editsInQuickSuccessionAreOneStep();
  void aTextFieldKeepsItsOwnUndo();
  void aKilledWindowComesBackAsItWas();
  void anOrderlyEndRestoresNothingByItself();
  void aDamagedSessionIsSetAsideWithANotice();
  void settingsOfAnotherVersionAreSetAside();
  void theWindowFitsTheScreenWithAndWithoutStoredSettings();
  void namedLayoutsComeBackAndResetUndoesThem();
  void panelsChangePlacesByDraggingTheirTitles();
  void aDamagedLayoutIsRefusedWhole();
  void layoutsAndListsAreEditsTheWindowTakesBack();
  void recentThingsAreInTheMenu();
  void everyActionHasWordsKeysAMenuAndAPlaceInThePalette();
};

void TestWindow::initTestCase() {
  useOwnSettings();
}

void TestWindow::init() {
  openWindow();
}

void TestWindow::cleanup() {
  closeWindow();
}

void TestWindow::undoTakesBackTheShownPagesEditsAlone() {
  auto* page = m_window->inspectPage();
  if (!undoStackOf(page)) new QUndoStack(page);
  m_window->setPage(MainWindow::Inspect);
  QAction* undo = m_window->action("edit.undo");
  QVERIFY(!undo->isEnabled());
  QVERIFY(undo->toolTip().contains("no edit"));
  int value = 1;
  pushEdit(page->askBar(), "Another value", [&] { value = 2; }, [&] { value = 1; });
  QCOMPARE(value, 2);
  QVERIFY(undo->isEnabled());
  QVERIFY(undo->text().contains("Another value"));
  m_window->setPage(MainWindow::Evaluate);
  QVERIFY(m_window->undoGroup()->activeStack() != undoStackOf(page));
  m_window->setPage(MainWindow::Inspect);
  m_window->setFocus();
  QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);
  QCOMPARE(value, 1);
  QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
  QCOMPARE(value, 2);
}

void TestWindow::editsInQuickSuccessionAreOneStep() {
  QWidget page;
  auto* stack = new QUndoStack(&page);
  QWidget field(&page);
  QString text;
  for (const QString& next : {QString("a"), QString("ab"), QString("abc")}) pushEdit(&field, "Typing", [&text, next] { text = next; }, [&text, before = text] { text = before; }, "text");
  QCOMPARE(stack->count(), 1);
  QCOMPARE(text, "abc");
  stack->undo();
  QCOMPARE(text, "");
  stack->redo();
  QCOMPARE(text, "abc");
  pushEdit(&field, "Another field", [] {}, [] {}, "other");
  pushEdit(&field, "One of a kind", [] {}, [] {});
  pushEdit(&field, "One of a kind", [] {}, [] {});
  QCOMPARE(stack->count(), 4);
}

void TestWindow::aTextFieldKeepsItsOwnUndo() {
  auto* page = m_window->inspectPage();
  if (!undoStackOf(page)) new QUndoStack(page);
  m_window->setPage(MainWindow::Inspect);
  int value = 1;
  pushEdit(page, "Another value", [&] { value = 2; }, [&] { value = 1; });
  QLineEdit* field = page->askBar()->questionField();
  field->setFocus();
  field->setText({});
  QTest::keyClicks(field, "why");
  QTest::keyClick(field, Qt::Key_Z, Qt::ControlModifier);
  QCOMPARE(field->text(), "");
  QCOMPARE(value, 2);
}

// What the child process of the next test does: a window at work, until it is killed.
int crashChild(QApplication& application, const QString& home) {
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, home);
  Theme::instance().install();
  checkSettings();
  auto control = std::make_shared<FakeControl>();
  Session session([control] { return makeFakeEngine(control); });
  MainWindow window(session);
  window.workspace().addModel("/models/weak");
  window.workspace().addModel("/models/strong");
  window.resize(1500, 900);
  window.show();
  window.keepSession();
  session.start();
  QObject::connect(&session, &Session::engineStateChanged, &window, [&] {
    if (session.engineState() != EngineState::Ready) return;
    window.setPage(MainWindow::Inspect);
    AskBar* bar = window.inspectPage()->askBar();
    bar->setStudent("/models/weak");
    bar->setTeacher("/models/strong");
    bar->setPicture({1, 2, 3}, "pasted image");
    bar->questionField()->setText("Was the lamp on?");
    bar->cueField()->setText("look at the lamp");
    window.inspectPage()->ask();
  });
  QObject::connect(&session, &Session::inspectionArrived, &window, [&] {
    window.inspectPage()->map()->setRegion({7, 8});
    window.selection().setToken(3);
    window.inspectPage()->panels().front()->hide();
    window.setPage(MainWindow::Train);
    window.trainPage()->newRun();
    window.trainPage()->form()->setField("actor.optim.lr", "0.00125");
    std::puts("working");
    std::fflush(stdout);
  });
  return application.exec();
}

void TestWindow::aKilledWindowComesBackAsItWas() {
  const QTemporaryDir home;
  QProcess child;
  child.setProcessEnvironment([&] {
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert("CUESCOPE_TEST_CRASH_HOME", home.path());
    environment.insert("QT_QPA_PLATFORM", "offscreen");
    return environment;
  }());
  child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
  child.start(QCoreApplication::applicationFilePath(), {});
  QByteArray said;  // kept: a condition is read once more after it came true
  const auto working = [&] {
    said += child.readAllStandardOutput();
    return said.contains("working");
  };
  QTRY_VERIFY_WITH_TIMEOUT(working(), 20000);
  // Nothing older than ten seconds may be lost.
  const QString session = home.path() + "/cuescope-test/session.json";
  QElapsedTimer clock;
  clock.start();
  const auto kept = [&] {
    QFile file(session);
    return file.open(QIODevice::ReadOnly) && file.readAll().contains("0.00125");
  };
  QTRY_VERIFY_WITH_TIMEOUT(kept(), 10000);
  child.kill();
  QVERIFY(child.waitForFinished());
  QCOMPARE(child.exitStatus(), QProcess::CrashExit);

  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, home.path());
  {
    QCOMPARE(checkSettings(), QString());
    Session next([control = m_control] { return makeFakeEngine(control); });
    MainWindow window(next);
    window.show();
    window.keepSession();
    QVERIFY(window.notice()->isVisible());
    QVERIFY2(window.notice()->text().contains("ended without closing"), qPrintable(window.notice()->text()));
    QCOMPARE(window.page(), MainWindow::Train);
    QVERIFY(!window.onStart());
    AskBar* bar = window.inspectPage()->askBar();
    QCOMPARE(bar->questionField()->text(), QString("Was the lamp on?"));
    QCOMPARE(bar->cueField()->text(), QString("look at the lamp"));
    QCOMPARE(bar->request().imageBytes, std::vector<std::uint8_t>({1, 2, 3}));
    QCOMPARE(bar->student(), QString("/models/weak"));
    QVERIFY(window.inspectPage()->inspection());
    QCOMPARE(int(window.inspectPage()->inspection()->response.size()), 5);
    QCOMPARE(window.selection().token(), 3);
    QCOMPARE(window.inspectPage()->map()->region(), std::vector<int>({7, 8}));
    window.setPage(MainWindow::Inspect);  // the places of a page are taken when it is shown
    QVERIFY(window.inspectPage()->panels().front()->isHidden());
    QCOMPARE(window.trainPage()->form()->config().actor.lr, 0.00125);
    // And a person who does not want it is rid of it with one click.
    QTest::mouseClick(window.notice()->button(0), Qt::LeftButton);
    QVERIFY(window.onStart());
    QVERIFY(!window.notice()->isVisible());
    QCOMPARE(bar->questionField()->text(), QString());
  }
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
}

void TestWindow::anOrderlyEndRestoresNothingByItself() {
  m_window->keepSession();
  m_window->setPage(MainWindow::Data);
  m_window->inspectPage()->askBar()->questionField()->setText("Kept?");
  m_window->close();
  m_window.reset();
  m_window = std::make_unique<MainWindow>(*m_session);
  m_window->show();
  m_window->keepSession();
  QVERIFY(m_window->onStart());
  QVERIFY(!m_window->notice()->isVisible());
  m_window->action("file.session")->trigger();
  QCOMPARE(m_window->page(), MainWindow::Data);
  QCOMPARE(m_window->inspectPage()->askBar()->questionField()->text(), QString("Kept?"));
  // Unless a person has set that it does.
  Preferences::instance().set(preference::kReopen, "always");
  m_window->close();
  m_window.reset();
  m_window = std::make_unique<MainWindow>(*m_session);
  m_window->show();
  m_window->keepSession();
  QCOMPARE(m_window->page(), MainWindow::Data);
  QCOMPARE(m_window->inspectPage()->askBar()->questionField()->text(), QString("Kept?"));
}

void TestWindow::aDamagedSessionIsSetAsideWithANotice() {
  const QString folder = QFileInfo(QSettings().fileName()).absolutePath();
  for (const QByteArray& bytes : {QByteArray("{\"format\": 1, \"sta"), QByteArray("{\"format\": 99}"), QByteArray(5000, '\xff')}) {
    QFile file(folder + "/session.json");
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(bytes);
    file.close();
    m_window = std::make_unique<MainWindow>(*m_session);
    m_window->show();
    m_window->keepSession();
    QVERIFY(m_window->notice()->isVisible());
    QVERIFY2(m_window->notice()->text().contains("kept as"), qPrintable(m_window->notice()->text()));
    QVERIFY(m_window->onStart());
    m_window.reset();
  }
  QFile kept(folder + "/session.json.bak2");
  QVERIFY(kept.open(QIODevice::ReadOnly));
  QCOMPARE(kept.readAll(), QByteArray("{\"format\": 99}"));
}

void TestWindow::settingsOfAnotherVersionAreSetAside() {
  const QTemporaryDir home;
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, home.path());
  const QString name = QSettings().fileName();
  QDir().mkpath(QFileInfo(name).absolutePath());
  const auto write = [&](const QByteArray& bytes) {
    QFile file(name);
    return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size();
  };
  QCOMPARE(checkSettings(), QString());  // a first start
  int kept = 0;
  for (const QByteArray& bytes : {QByteArray("[General]\nversion=7\ntheme=light\n"), QByteArray("[General]\ntheme=light\n"), QByteArray("\x7f""ELF\x02\x01\x01 nothing to read\n[[["), QByteArray("\0\0\0\0\0\0", 6)}) {
    QVERIFY(write(bytes));
    const QString sentence = checkSettings();
    QVERIFY2(sentence.contains("kept as"), bytes.constData());
    QCOMPARE(QSettings().value("theme").toString(), QString());
    QCOMPARE(QSettings().value("version").toInt(), kSettingsVersion);
    ++kept;
    QFile old(name + ".bak" + (kept > 1 ? QString::number(kept) : QString()));
    QVERIFY(old.open(QIODevice::ReadOnly));
    QCOMPARE(old.readAll(), bytes);
    QCOMPARE(checkSettings(), QString());
  }
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
}

void TestWindow::theWindowFitsTheScreenWithAndWithoutStoredSettings() {
  const QRect room = QGuiApplication::primaryScreen()->availableGeometry();
  for (int stored = 0; stored < 3; ++stored) {
    QSettings().clear();
    if (stored == 1) {  // of a larger screen, partly off this one
      QWidget large;
      large.setGeometry(3000, 2000, 5000, 3000);
      QSettings().setValue("window/geometry", large.saveGeometry());
    }
    if (stored == 2) QSettings().setValue("window/geometry", QByteArray("not a geometry"));
    MainWindow window(*m_session);
    window.show();
    QVERIFY2(room.contains(window.geometry()), qPrintable(QString("%1: %2x%3 at %4,%5").arg(stored).arg(window.width()).arg(window.height()).arg(window.x()).arg(window.y())));
    QCOMPARE(window.notice()->isVisible(), stored == 2);
  }
}

void TestWindow::namedLayoutsComeBackAndResetUndoesThem() {
  m_window->setPage(MainWindow::Inspect);
  QTest::qWait(10);
  const auto panels = m_window->inspectPage()->panels();
  const QByteArray before = m_window->layoutState();
  panels[1]->setClosed(true);
  QWidget* place = panels[0]->parentWidget();
  QVERIFY(swapPanels(panels[0], panels[3]));
  QCOMPARE(panels[3]->parentWidget(), place);
  QVERIFY(qobject_cast<QSplitter*>(panels[0]->parentWidget()));
  m_window->saveLayout("  Reading a map ");
  QCOMPARE(m_window->layouts(), QStringList{"Reading a map"});
  m_window->action("view.reset")->trigger();
  QVERIFY(!panels[1]->isHidden());
  QCOMPARE(panels[0]->parentWidget(), place);
  m_window->action("layout.1")->trigger();
  QVERIFY(panels[1]->isHidden());
  QCOMPARE(panels[3]->parentWidget(), place);
  QVERIFY(panels[0]->parentWidget() != place);
  // Another window starts with it.
  m_window->close();
  m_window.reset();
  m_window = std::make_unique<MainWindow>(*m_session);
  m_window->resize(1600, 1000);
  m_window->show();
  m_window->setPage(MainWindow::Inspect);
  QVERIFY(m_window->inspectPage()->panels()[1]->isHidden());
  m_window->removeLayout("Reading a map");
  QVERIFY(m_window->layouts().isEmpty());
}

void TestWindow::panelsChangePlacesByDraggingTheirTitles() {
  m_window->setPage(MainWindow::Inspect);
  QTest::qWait(10);
  const auto panels = m_window->inspectPage()->panels();
  auto* from = panels[0]->findChild<PanelTabs*>();
  auto* to = panels[2]->findChild<PanelTabs*>();
  QWidget* home = panels[0]->parentWidget();
  QTest::mousePress(from, Qt::LeftButton, {}, QPoint(20, 10));
  QTest::mouseMove(from, from->mapFromGlobal(to->mapToGlobal(QPoint(20, 10))));
  QMouseEvent move(QEvent::MouseMove, from->mapFromGlobal(to->mapToGlobal(QPoint(20, 10))), to->mapToGlobal(QPoint(20, 10)), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(from, &move);
  QTest::mouseRelease(from, Qt::LeftButton, {}, from->mapFromGlobal(to->mapToGlobal(QPoint(20, 10))));
  QCOMPARE(panels[2]->parentWidget(), home);
  QVERIFY(panels[0]->isVisible() && panels[2]->isVisible());
  m_window->action("view.reset")->trigger();
  QCOMPARE(panels[0]->parentWidget(), home);
}

void TestWindow::aDamagedLayoutIsRefusedWhole() {
  m_window->setPage(MainWindow::Inspect);
  QTest::qWait(10);
  const QByteArray good = m_window->layoutState();
  for (const QByteArray& bytes : {QByteArray(), QByteArray("x"), QByteArray(400, '\x7f'), QByteArray(good.left(9))}) QVERIFY(!m_window->restoreLayoutState(bytes));
  const QByteArray page = layoutOf(m_window->inspectPage());
  for (int n = 0; n < page.size(); n += 7) QVERIFY(!applyLayout(m_window->inspectPage(), page.left(n)));
  QVERIFY(applyLayout(m_window->inspectPage(), page));
  QVERIFY(m_window->restoreLayoutState(good));
}

// Whatever a person would miss: the order of panels, a layout of the same name, a model that was taken out of the list.
void TestWindow::layoutsAndListsAreEditsTheWindowTakesBack() {
  const auto undo = [&] { QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier); };
  m_window->setPage(MainWindow::Inspect);
  Panel* matrix = m_window->inspectPage()->panels()[1];
  QVERIFY(matrix && !matrix->isClosed());
  m_window->saveLayout("mine");
  const QByteArray first = QSettings().value("layouts/mine").toByteArray();
  matrix->setClosed(true);
  m_window->saveLayout("mine");  // over it
  QVERIFY(QSettings().value("layouts/mine").toByteArray() != first);
  undo();
  QCOMPARE(QSettings().value("layouts/mine").toByteArray(), first);
  m_window->action("view.reset")->trigger();
  QVERIFY(!matrix->isClosed());
  undo();
  QVERIFY(matrix->isClosed());
  m_window->workspace().addModel("/models/mine");
  Q_EMIT m_window->navigator()->forgetRequested("/models/mine");
  const auto listed = [&] {
    for (const WorkspaceEntry& model : m_window->workspace().models())
      if (model.path == "/models/mine") return true;
    return false;
  };
  QVERIFY(!listed());
  undo();
  QVERIFY(listed());
}

void TestWindow::recentThingsAreInTheMenu() {
  const QString picture = m_home.filePath("one picture.png");
  QImage(8, 8, QImage::Format_RGB32).save(picture);
  m_window->openPath(picture);
  QMenu* recent = nullptr;
  for (QMenu* menu : m_window->menuBar()->findChildren<QMenu*>())
    if (menu->title() == "Open recent") recent = menu;
  QVERIFY(recent);
  Q_EMIT recent->aboutToShow();
  QVERIFY(recent->actions().front()->text().contains("one picture.png"));
  recent->actions().back()->trigger();
  Q_EMIT recent->aboutToShow();
  QVERIFY(!recent->actions().front()->isEnabled());
  QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);  // and that is taken back
  Q_EMIT recent->aboutToShow();
  QVERIFY(recent->actions().front()->isEnabled() && recent->actions().front()->text().contains("one picture.png"));
}

void TestWindow::everyActionHasWordsKeysAMenuAndAPlaceInThePalette() {
  for (int page = 0; page < MainWindow::PageCount; ++page) m_window->setPage(MainWindow::Page(page));  // with the panels of all
  QSet<QAction*> inMenus;
  for (QMenu* menu : m_window->menuBar()->findChildren<QMenu*>())
    for (QAction* action : menu->actions()) inMenus.insert(action);
  // Unique on every page: keys mean one thing wherever they act. Two strokes never begin with what is one action's whole key.
  QHash<QString, QString> owner;
  const auto claim = [&](const QKeySequence& keys, const QString& who, MainWindow::Places places = MainWindow::kEverywhere) {
    if (keys.isEmpty()) return;
    for (int place = 0; place <= MainWindow::PageCount; ++place) {
      if (!(places & (1u << place))) continue;
      const QString here = QString("%1 at %2").arg(keys.toString()).arg(place), first = QString("%1 at %2").arg(QKeySequence(keys[0]).toString()).arg(place);
      QVERIFY2(!owner.contains(here), qPrintable(here + ": " + who + " and " + owner.value(here)));
      QVERIFY2(keys.count() == 1 || !owner.contains(first), qPrintable(here + ": " + who + " and " + owner.value(first)));
      owner.insert(here, who);
    }
  };
  QSet<const QAction*> known;
  for (const QString& name : m_window->actionOrder()) {
    QAction* action = m_window->action(name);
    known.insert(action);
    QVERIFY2(inMenus.contains(action), qPrintable(name));
    QVERIFY2(!action->statusTip().isEmpty() && !action->toolTip().isEmpty() && !action->whatsThis().isEmpty(), qPrintable(name));
    QVERIFY2(!MainWindow::keysText(action).isEmpty(), qPrintable("no keys: " + name));
    claim(QKeySequence(MainWindow::keysText(action)), name, m_window->placesOf(name));
  }
  // Whatever else claims keys in the window: actions of pages, shortcuts, buttons.
  for (const QAction* action : m_window->findChildren<QAction*>())
    if (!known.contains(action)) claim(action->shortcut(), action->text());
  for (const QShortcut* shortcut : m_window->findChildren<QShortcut*>()) claim(shortcut->key(), shortcut->parent()->metaObject()->className());
  for (const QAbstractButton* button : m_window->findChildren<QAbstractButton*>()) claim(button->shortcut(), button->text());
  m_window->action("edit.find")->trigger();
  QVERIFY(m_window->palettePopup()->shownCount() >= m_window->actionOrder().size());
  for (const QString& name : m_window->actionOrder()) {
    m_window->palettePopup()->field()->setText(MainWindow::plainText(m_window->action(name)).remove(QChar(0x2026)).trimmed());
    QVERIFY2(m_window->palettePopup()->shownCount() >= 1, qPrintable(name));
  }
}

int main(int argc, char** argv) {
  QApplication application(argc, argv);
  QCoreApplication::setOrganizationName("cuescope-test");
  if (const QString home = qEnvironmentVariable("CUESCOPE_TEST_CRASH_HOME"); !home.isEmpty()) return crashChild(application, home);
  TestWindow test;
  QTEST_SET_MAIN_SOURCE_PATH
  return QTest::qExec(&test, argc, argv);
}
#include "tst_window.moc"
