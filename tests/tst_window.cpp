// The window as a desktop citizen: undo, session, layouts, recent things, shortcuts, settings of another version.
#include <QAction>
#include <QLineEdit>
#include <QSettings>
#include <QTemporaryDir>
#include <QUndoGroup>
#include <QtTest>

#include "support/fake_engine.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/panels/ask_bar.h"
#include "ui/undo.h"
#include "widgets/theme.h"

using namespace cuescope;

class TestWindow : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase();
  void init();
  void cleanup();
  void undoTakesBackTheShownPagesEditsAlone();
  void editsInQuickSuccessionAreOneStep();
  void aTextFieldKeepsItsOwnUndo();

 private:
  QTemporaryDir m_home;
  std::shared_ptr<FakeControl> m_control;
  std::unique_ptr<Session> m_session;
  std::unique_ptr<MainWindow> m_window;
};

void TestWindow::initTestCase() {
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
  QCoreApplication::setOrganizationName("cuescope-test");
  Theme::instance().setSetting(ThemeSetting::Dark);
  Theme::instance().install();
}

void TestWindow::init() {
  QSettings().clear();
  m_control = std::make_shared<FakeControl>();
  m_session = std::make_unique<Session>([control = m_control] { return makeFakeEngine(control); });
  m_window = std::make_unique<MainWindow>(*m_session);
  m_window->resize(1600, 1000);
  m_window->show();
  QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
  m_session->start();
  QTRY_COMPARE(m_session->engineState(), EngineState::Ready);
}

void TestWindow::cleanup() {
  m_window.reset();
  m_session.reset();
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

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
