// What a person sets, with real keys and clicks: each setting where it acts, the keys of actions, the way there from the palette, and a GPU
// that is there and not used. CUESCOPE_GALLERY=folder keeps pictures of the dialog.
#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QKeySequenceEdit>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTableWidget>
#include <QtTest>

#include "support/gallery.h"
#include "support/null_engine.h"
#include "support/window_fixture.h"
#include "ui/command_palette.h"
#include "ui/inspect_page.h"
#include "ui/notice_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/train_page.h"
#include "ui/preferences.h"
#include "ui/settings_dialog.h"
#include "ui/start_page.h"
#include "ui/status_strip.h"
#include "widgets/color_maps.h"
#include "widgets/curve_plot.h"
#include "widgets/segmented_button.h"

using namespace cuescope;

class TestSettings : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { useOwnSettings(); }
  void init() {
    openWindow();
    QVERIFY(QTest::qWaitForWindowActive(m_window.get()));
  }
  void cleanup() { closeWindow(); }
  void keysCanBeChangedAndDuplicatesAreRefused();
  void settingsActAndAreTakenBack();
  void thePaletteLeadsToASetting();
  void aGpuThatIsNotUsedIsToldInTheWindow();

 private:
  SettingsDialog* settings();
  void clickKeysPage(SettingsDialog* dialog);
};

void TestSettings::keysCanBeChangedAndDuplicatesAreRefused() {
  SettingsDialog* dialog = settings();
  QVERIFY(dialog && dialog->isVisible() && !dialog->isModal());
  clickKeysPage(dialog);
  QTest::keyClicks(dialog->filter(), "Fade towards");
  QTRY_COMPARE(dialog->table()->rowCount(), 1);
  const auto button = [&](const QString& words) {
    for (QPushButton* each : dialog->findChildren<QPushButton*>())
      if (each->text() == words) return each;
    return static_cast<QPushButton*>(nullptr);
  };
  const auto press = [&](Qt::Key key, Qt::KeyboardModifiers modifiers = {}) {
    dialog->keysField()->clear();
    QTest::keyClick(dialog->keysField(), key, modifiers);
    QTest::mouseClick(button("Set keys"), Qt::LeftButton);
  };
  const auto told = [&](const QString& words) {
    for (const QLabel* label : dialog->findChildren<QLabel*>())
      if (label->isVisible() && label->text().contains(words)) return true;
    return false;
  };
  const auto keys = [&] { return m_window->action("map.fade")->shortcut(); };
  press(Qt::Key_H);
  QVERIFY(told("Map on"));
  QCOMPARE(keys(), QKeySequence("U"));
  press(Qt::Key_Left);
  QVERIFY(told("moves and confirms"));
  QCOMPARE(keys(), QKeySequence("U"));
  press(Qt::Key_U, Qt::ControlModifier | Qt::AltModifier);
  QCOMPARE(keys(), QKeySequence("Ctrl+Alt+U"));
  {
    MainWindow next(*m_session);
    QCOMPARE(next.action("map.fade")->shortcut(), QKeySequence("Ctrl+Alt+U"));
  }
  QTest::mouseClick(button("Undo"), Qt::LeftButton);
  QCOMPARE(keys(), QKeySequence("U"));
  dialog->close();
}

// Each by its control, and where it acts: at once, or in what the next start reads.
void TestSettings::settingsActAndAreTakenBack() {
  SettingsDialog* dialog = settings();
  const auto choose = [&](const char* key, const QString& words) {
    auto* box = qobject_cast<QComboBox*>(dialog->control(key));
    QVERIFY2(box, key);
    box->setFocus();
    for (int tries = 0; tries < box->count() && box->currentText() != words; ++tries) QTest::keyClick(box, Qt::Key_Down);
    for (int tries = 0; tries < box->count() && box->currentText() != words; ++tries) QTest::keyClick(box, Qt::Key_Up);
    QCOMPARE(box->currentText(), words);
  };
  const auto type = [&](const char* key, int number) {
    auto* field = qobject_cast<QSpinBox*>(dialog->control(key));
    QVERIFY2(field, key);
    field->setFocus();
    field->selectAll();
    QTest::keyClicks(field, QString::number(number));
    QTest::keyClick(field, Qt::Key_Return);
    QCOMPARE(field->value(), number);
  };
  choose(preference::kTheme, "Light");
  QVERIFY(!Theme::instance().isDark());
  QTest::keyClick(dialog, Qt::Key_Z, Qt::ControlModifier);  // presses the button, which takes a tenth of a second
  QTRY_VERIFY(Theme::instance().isDark());
  choose(preference::kColorMap, "cividis");
  QCOMPARE(m_window->inspectPage()->map()->view().map, ColorMap::Cividis);
  QCOMPARE(defaultColorMap(false), ColorMap::Cividis);
  m_window->setPage(MainWindow::Train);
  type(preference::kSmoothing, 25);
  QCOMPARE(m_window->trainPage()->curves()->smoothing(), 0.25);
  QTest::keyClick(dialog, Qt::Key_Z, Qt::ControlModifier);
  QTRY_COMPARE(m_window->trainPage()->curves()->smoothing(), 0.6);
  type(preference::kCaptureMib, 512);
  type(preference::kAnswerTokens, 40);
  InspectRequest request;
  request.student = "/models/weak";
  m_window->inspectPage()->ask(request);
  QTRY_VERIFY(m_window->inspectPage()->inspection());
  {
    std::lock_guard lock(m_control->mutex);
    QCOMPARE(m_control->lastRequest.budgetBytes, std::int64_t(512) << 20);
    QCOMPARE(m_control->lastRequest.sampling.maxNew, 40);
  }
  choose(preference::kExportScale, QString::fromUtf8("4 ×"));
  QVERIFY(m_window->action("export.scale-4")->isChecked() || (m_window->action("edit.find")->trigger(), m_window->action("export.scale-4")->isChecked()));
  type(preference::kAutosave, 2);
  type(preference::kPictureMib, 64);
  // At the next start.
  choose(preference::kDevice, "CPU");
  choose(preference::kNumbers, "bfloat16");
  type(preference::kThreads, 3);
  const EngineOptions options = engineOptions();
  QCOMPARE(options.device, std::string("cpu"));
  QCOMPARE(options.dtype, std::string("bfloat16"));
  QCOMPARE(options.threads, 3);
  choose(preference::kScale, "150 %");
  qunsetenv("QT_SCALE_FACTOR");
  applyScale();
  QCOMPARE(qgetenv("QT_SCALE_FACTOR"), QByteArray("1.5"));
  qunsetenv("QT_SCALE_FACTOR");
  // A settings file that was written by hand: what is not a value is not taken.
  QSettings().setValue(preference::kThreads, "many");
  QSettings().setValue(preference::kAutosave, 3600);
  QCOMPARE(engineOptions().threads, 0);
  QCOMPARE(Preferences::instance().number(preference::kAutosave), 4);
  dialog->close();
  QSettings().clear();
  Preferences::instance().applyLooks();
}

void TestSettings::thePaletteLeadsToASetting() {
  QTest::keyClick(m_window.get(), Qt::Key_K, Qt::ControlModifier);
  CommandPalette* palette = m_window->palettePopup();
  QTRY_VERIFY(palette->isVisible());
  QTest::keyClicks(palette->field(), "number format");
  QCOMPARE(palette->shownCount(), 1);
  QTest::keyClick(palette->field(), Qt::Key_Return);
  auto* dialog = m_window->findChild<SettingsDialog*>();
  QVERIFY(dialog && dialog->isVisible());
  QTRY_COMPARE(QApplication::focusWidget(), dialog->control(preference::kNumbers));
  // Another one leads to the same dialog.
  SettingsDialog::open(*m_window, preference::kTheme);
  QCOMPARE(m_window->findChildren<SettingsDialog*>().size(), 1);
  gallery::keepInBothThemes(*dialog, "settings", 200);
  // The filter keeps what holds the words.
  QTest::keyClicks(dialog->filter(), "thread");
  QVERIFY(dialog->control(preference::kThreads)->isVisible() && !dialog->control(preference::kTheme)->isVisible());
  dialog->close();
}

void TestSettings::aGpuThatIsNotUsedIsToldInTheWindow() {
  class PassedOver : public test::NullEngine {
    std::vector<DoctorLine> doctor() override {
      return {{"runs on", "cpu, float32, 2 threads", "", true},
              {"GPU", "none in use: the CUDA engine cannot be loaded: /opt/cuescope/libcuescope_engine_cuda.so: libcuda.so.1 is missing", "Repair that, or choose the device cpu.", false}};
    }
  };
  Session session([] { return std::make_unique<PassedOver>(); });
  MainWindow window(session);
  window.resize(1600, 1000);
  window.show();
  QVERIFY(QTest::qWaitForWindowExposed(&window));
  const auto tells = [](const QWidget* where, const QString& words) {
    for (const QLabel* label : where->findChildren<QLabel*>())
      if (label->isVisible() && (label->text().remove(QChar(0x200b)).contains(words) || label->toolTip().contains(words))) return true;
    return false;
  };
  session.start();
  QTRY_VERIFY(window.notice()->isVisible());
  QVERIFY2(window.notice()->text().contains("libcuda.so.1 is missing. Repair that"), qPrintable(window.notice()->text()));
  QVERIFY(tells(window.startPage(), "/opt/cuescope/libcuescope_engine_cuda.so: libcuda.so.1 is missing. Repair that"));
  QVERIFY(tells(window.status(), "libcuda.so.1 is missing"));
  QVERIFY(tells(window.status(), QString::fromUtf8("CPU · float32")));
  // Its button leads to the device.
  QTest::mouseClick(window.notice()->button(0), Qt::LeftButton);
  auto* dialog = window.findChild<SettingsDialog*>();
  QVERIFY(dialog && dialog->isVisible());
  QTRY_COMPARE(QApplication::focusWidget(), dialog->control(preference::kDevice));
  dialog->close();
}

SettingsDialog* TestSettings::settings() {
  QTest::keyClick(m_window.get(), Qt::Key_Comma, Qt::ControlModifier);
  auto* dialog = m_window->findChild<SettingsDialog*>();
  if (!dialog || !QTest::qWaitFor([&] { return dialog->activateWindow(), QApplication::activeWindow() == dialog; })) qFatal("no settings");
  return dialog;
}

void TestSettings::clickKeysPage(SettingsDialog* dialog) {
  SegmentedButton* pages = dialog->pages();
  QTest::mouseClick(pages, Qt::LeftButton, {}, QPoint(pages->width() - 8, pages->height() / 2));
  QTRY_VERIFY(dialog->table()->isVisible());
}

QTEST_MAIN(TestSettings)
#include "tst_settings.moc"
