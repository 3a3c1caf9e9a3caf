// Who cannot see, cannot use a mouse, or needs larger letters: words on every control, roles on painted widgets, contrast, sizes.
// Walks the widgets of all pages as they are; what a page adds is tested without a change here.
#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSpinBox>
#include <QAccessible>
#include <QApplication>
#include <QComboBox>
#include <QHelpEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QProcess>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <QSlider>
#include <QStackedWidget>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTranslator>
#include <QtTest>

#include "support/fake_engine.h"
#include "ui/data_page.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/models/run_curves.h"
#include "ui/page_holder.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/train_page.h"
#include "ui/settings_dialog.h"
#include "ui/what_is_this.h"
#include "widgets/accessible_cells.h"
#include "widgets/curve_plot.h"
#include "widgets/image_canvas.h"
#include "widgets/matrix_view.h"
#include "widgets/theme.h"
#include "widgets/timeline.h"
#include "widgets/token_strip.h"

using namespace cuescope;

namespace {

// +40 % text: every word of the window is followed by letters until it is that much longer.
class LongWords : public QTranslator {
 public:
  using QTranslator::QTranslator;
  bool isEmpty() const override { return false; }
  // In words of at most nine letters: a sentence can still be broken into lines, as in any language.
  static QString letters(qsizetype count) {
    QString more;
    for (qsizetype i = 0; i < count; ++i) more += i % 10 == 9 && i + 1 < count ? u' ' : u'é';
    return more;
  }
  QString translate(const char*, const char* source, const char*, int) const override {
    const QString text = QString::fromUtf8(source);
    return text.size() < 2 ? text : text + letters((text.size() * 2 + 4) / 5);
  }
};

bool isControl(const QWidget* w) {
  if (qobject_cast<const QScrollBar*>(w) || w->objectName().startsWith("qt_")) return false;
  return qobject_cast<const QAbstractButton*>(w) || qobject_cast<const QComboBox*>(w) || qobject_cast<const QLineEdit*>(w) || qobject_cast<const QAbstractSpinBox*>(w) || qobject_cast<const QAbstractSlider*>(w) ||
         qobject_cast<const QAbstractItemView*>(w) || qobject_cast<const QPlainTextEdit*>(w) || qobject_cast<const QTextEdit*>(w) || dynamic_cast<const CellSource*>(w);
}

// Parts that Qt makes of a control: the field of a spin box, the list of a combo, the corner button of a table, the end of a menu bar.
bool isInner(const QWidget* w) {
  const QWidget* p = w->parentWidget();
  return p && (qobject_cast<const QAbstractSpinBox*>(p) || qobject_cast<const QComboBox*>(p) || QByteArray(p->metaObject()->className()).startsWith("QComboBox") || QByteArray(w->metaObject()->className()) == "QTableCornerButton" ||
               QByteArray(w->metaObject()->className()) == "QHeaderView" || w->objectName() == "qt_menubar_ext_button" || QByteArray(w->metaObject()->className()) == "QLineEditIconButton" || QByteArray(p->metaObject()->className()) == "QKeySequenceEdit");
}

// What is known to be missing still. The number only falls: a new control without words fails.
constexpr int kControlsWithoutWords = 0;

bool isSurface(const QWidget* w) {
  return qobject_cast<const QAbstractItemView*>(w) || qobject_cast<const QPlainTextEdit*>(w) || qobject_cast<const QTextEdit*>(w) || dynamic_cast<const CellSource*>(w);
}

QString nameOf(QWidget* w) {
  QAccessibleInterface* face = QAccessible::queryAccessibleInterface(w);
  return face ? face->text(QAccessible::Name) : QString();
}

QString pathOf(const QWidget* w) {
  QStringList parts;
  for (const QWidget* at = w; at && parts.size() < 4; at = at->parentWidget()) parts.prepend(QString::fromLatin1(at->metaObject()->className()).remove("cuescope::") + (at->objectName().isEmpty() ? "" : "#" + at->objectName()));
  QString words;
  if (auto* button = qobject_cast<const QAbstractButton*>(w)) words = button->text();
  if (auto* label = qobject_cast<const QLabel*>(w)) words = label->text().left(40);
  return parts.join('/') + (words.isEmpty() ? QString() : " «" + words + "»");
}

}  // namespace

class TestWindowAccess : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase();
  void cleanupTestCase();
  void everyControlHasATooltipAndAName();
  void paintedWidgetsAreReadAsNamedCells();
  void whatIsThisExplainsControlsAndMetrics();
  void everyCurveIsExplainedByItsOwnSentence();
  void everyFocusableThingIsReachedByTab();
  void textAndMarksHaveContrastInBothThemes();
  void nothingIsClippedAtThreeScalesAndFourSizes_data();
  void nothingIsClippedAtThreeScalesAndFourSizes();

 private:
  QTemporaryDir m_home;
};

/// A window with something on every page.
struct Scene {
  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::unique_ptr<Session> session = std::make_unique<Session>([c = control] { return makeFakeEngine(c); });
  std::unique_ptr<MainWindow> window = std::make_unique<MainWindow>(*session);

  Scene() {
    window->workspace().addModel("/models/weak");
    window->workspace().addModel("/models/strong");
    window->resize(1600, 1000);
    window->show();
    session->start();
  }
  bool fill() {
    if (!QTest::qWaitFor([&] { return session->engineState() == EngineState::Ready; }, 10000)) return false;
    AskBar* bar = window->inspectPage()->askBar();
    bar->setStudent("/models/weak");
    bar->setTeacher("/models/strong");
    bar->questionField()->setText("What digit is on the red circle?");
    window->setPage(MainWindow::Inspect);
    window->inspectPage()->ask();
    if (!QTest::qWaitFor([&] { return window->inspectPage()->inspection() != nullptr; }, 10000)) return false;
    for (int page = 0; page < MainWindow::PageCount; ++page) window->setPage(MainWindow::Page(page));
    window->trainPage()->form();
    QTest::qWait(20);
    return true;
  }
};

void TestWindowAccess::initTestCase() {
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
  Theme::instance().setSetting(ThemeSetting::Dark);
  Theme::instance().install();
}

void TestWindowAccess::cleanupTestCase() {}

void TestWindowAccess::everyControlHasATooltipAndAName() {
  Scene scene;
  QVERIFY(scene.fill());
  scene.window->action("file.settings")->trigger();
  scene.window->action("help.open")->trigger();
  QStringList wrong;
  int seen = 0;
  for (QWidget* w : scene.window->findChildren<QWidget*>()) {
    if (!isControl(w) || isInner(w)) continue;
    ++seen;
    if (nameOf(w).isEmpty()) wrong << "no name: " + pathOf(w);
    // A disabled control says why in its tooltip, so it is not left out.
    // A surface that is read (a table, a text, a picture) explains itself on Shift+F1: a tooltip would cover what is pointed at.
    if (w->toolTip().isEmpty() && !(isSurface(w) && !w->whatsThis().isEmpty())) wrong << "no tooltip: " + pathOf(w);
  }
  QVERIFY2(seen > 100, qPrintable(QString::number(seen)));
  wrong.removeDuplicates();
  for (const QString& one : wrong) std::printf("%s\n", qPrintable(one));  // a failure message is cut after a screenful
  QVERIFY2(wrong.size() <= kControlsWithoutWords, qPrintable(QString::number(wrong.size()) + "\n" + wrong.join('\n')));
}

void TestWindowAccess::paintedWidgetsAreReadAsNamedCells() {
  Scene scene;
  QVERIFY(scene.fill());
  InspectPage* inspect = scene.window->inspectPage();
  const std::pair<QWidget*, const char*> painted[] = {{inspect->map()->canvas(), "row"}, {inspect->matrix(), ""}, {inspect->tokens()->strip(), ""}};
  for (const auto& [widget, word] : painted) {
    QAccessibleInterface* face = QAccessible::queryAccessibleInterface(widget);
    QVERIFY2(face, widget->metaObject()->className());
    QVERIFY2(face->role() == QAccessible::Table || face->role() == QAccessible::List, widget->metaObject()->className());
    QVERIFY2(face->childCount() > 1, widget->metaObject()->className());
    for (int i = 0; i < std::min(3, face->childCount()); ++i) {
      QAccessibleInterface* cell = face->child(i);
      QVERIFY(cell && cell->isValid());
      QCOMPARE(cell->role(), QAccessible::Cell);
      QVERIFY2(cell->text(QAccessible::Name).contains(QLatin1String(word)) && !cell->text(QAccessible::Name).isEmpty(), widget->metaObject()->className());
      QVERIFY(cell->rect().isValid());
      QCOMPARE(face->indexOfChild(cell), i);
    }
  }
  CurveGrid grid;
  grid.resize(600, 300);
  CurvePanel panel;
  panel.id = "actor/distillation/loss", panel.title = "Distillation loss", panel.unit = "nats";
  CurveSeries series;
  series.y = {3, 2, 1};
  panel.series = {series};
  grid.setData({{"run", {1, 2, 3}, {1, 2, 3}, {1, 2, 3}}}, {panel});
  QAccessibleInterface* face = QAccessible::queryAccessibleInterface(&grid);
  QVERIFY(face && face->childCount() >= 1);
  QVERIFY(face->child(0)->text(QAccessible::Name).contains("Distillation loss"));
  // Every CellSource of the window, whatever page brought it.
  for (QWidget* w : scene.window->findChildren<QWidget*>())
    if (auto* cells = dynamic_cast<CellSource*>(w)) {
      QAccessibleInterface* one = QAccessible::queryAccessibleInterface(w);
      QVERIFY2(one && one->childCount() == cells->cellCount(), w->metaObject()->className());
      for (int i = 0; i < std::min(2, one->childCount()); ++i) QVERIFY2(!one->child(i)->text(QAccessible::Name).isEmpty(), w->metaObject()->className());
    }
}

void TestWindowAccess::whatIsThisExplainsControlsAndMetrics() {
  Scene scene;
  QVERIFY(scene.fill());
  int explained = 0;
  QStringList mute;
  for (QWidget* w : scene.window->findChildren<QWidget*>()) {
    if (!isControl(w) || isInner(w)) continue;
    if (WhatIsThis::wordsFor(w, w->rect().center()).isEmpty()) mute << pathOf(w);
    else ++explained;
  }
  for (const QString& one : mute) std::printf("mute: %s\n", qPrintable(one));
  QVERIFY2(mute.size() <= kControlsWithoutWords, qPrintable(mute.join('\n')));
  QVERIFY(explained > 100);
  // And the window's filter answers the question that Shift+F1 asks.
  QWidget* button = scene.window->inspectPage()->askBar()->askButton();
  QHelpEvent query(QEvent::QueryWhatsThis, QPoint(2, 2), button->mapToGlobal(QPoint(2, 2)));
  query.ignore();
  QApplication::sendEvent(button, &query);
  QVERIFY(query.isAccepted());
}

// Every curve that a run can have is explained by its own sentence, not by a guess from its name.
void TestWindowAccess::everyCurveIsExplainedByItsOwnSentence() {
  auto step = std::make_shared<StepSnapshot>();
  step->step = 1;
  for (const char* name : {"actor/distillation/loss", "distillation/gap", "val/accuracy", "response_length/mean", "actor/entropy", "actor/grad_norm", "cue/evidence_mass/L0", "cue/update_ratio/L0", "cue/recovery_gain", "cue/sink_entropy/L0",
                           "actor/distillation/student_mass", "distillation/gap_quarter_1", "actor/distillation/k1", "actor/distillation/k3", "actor/distillation/clamp_share", "actor/distillation/abs_loss", "critic/accuracy/mean",
                           "critic/format/mean", "critic/score/mean", "distillation/teacher_prompt_hit_rate", "response_length/clip_ratio", "training/rollout_logprob_diff_mean", "cue/grad_norm/L0", "actor/lr", "perf/throughput",
                           "perf/time_per_step", "perf/cpu_memory_used_gb"})
    step->metrics[name] = 0.5;
  RunRecord record;
  record.steps = {step};
  CurveGrid grid;
  grid.resize(900, 3000);
  grid.show();
  const CurveSet set = curvesOf({&record}, {});
  grid.setData(set.runs, set.panels);
  QCOMPARE(set.panels.size(), step->metrics.size());
  QVERIFY(QTest::qWaitForWindowExposed(&grid));
  QSet<int> explained;
  for (int n = 0; n < 45 * 150; ++n) {  // wherever one points
    const QPoint place(20 * (n % 45) + 10, 20 * (n / 45) + 10);
    const int at = grid.panelAt(place);
    if (at < 0 || explained.contains(at)) continue;
    const CurvePanel& panel = set.panels[std::size_t(at)];
    const QString words = WhatIsThis::wordsFor(&grid, place);
    QVERIFY2(!panel.help.isEmpty() && words.contains(panel.help) && words.contains(panel.id), qPrintable(words));
    explained << at;
  }
  QCOMPARE(explained.size(), int(set.panels.size()));
}

void TestWindowAccess::everyFocusableThingIsReachedByTab() {
  Scene scene;
  QVERIFY(scene.fill());
  for (int page = 0; page < MainWindow::PageCount; ++page) {
    scene.window->setPage(MainWindow::Page(page));
    QTest::qWait(10);
    QSet<const QWidget*> chain;
    const QWidget* at = scene.window.get();
    do {
      at = at->nextInFocusChain();
      chain.insert(at);
    } while (at != scene.window.get() && chain.size() < 20000);
    for (QWidget* w : scene.window->findChildren<QWidget*>()) {
      if (!isControl(w) || isInner(w) || !w->isVisible() || !w->isEnabled()) continue;
      QVERIFY2(chain.contains(w), qPrintable(pathOf(w)));
    }
  }
}

void TestWindowAccess::textAndMarksHaveContrastInBothThemes() {
  for (const Colors* c : {&darkColors(), &lightColors()}) {
    const std::pair<const char*, QColor> grounds[] = {{"window", c->window}, {"panel", c->panel}, {"well", c->well}};
    const std::pair<const char*, QColor> texts[] = {{"text", c->text}, {"text2", c->text2}, {"text3", c->text3}, {"accent", c->accent}, {"danger", c->danger}, {"ink", c->ink}};
    for (const auto& [groundName, ground] : grounds)
      for (const auto& [name, text] : texts) QVERIFY2(contrastRatio(text, ground) >= 4.5, qPrintable(QString("%1 on %2 %3: %4").arg(name, groundName, c->dark ? "dark" : "light").arg(contrastRatio(text, ground))));
    for (const QColor& ground : {c->hover, c->selection, c->raised}) {
      QVERIFY(contrastRatio(c->text, ground) >= 4.5);
      QVERIFY(contrastRatio(c->text2, ground) >= 4.5);  // text 3 becomes text 2 there
    }
    QVERIFY(contrastRatio(c->onAccentFill, c->accentFill) >= 4.5);
    for (const QColor& ground : {c->window, c->panel, c->well}) {
      QVERIFY(contrastRatio(c->control, ground) >= 3);
      QVERIFY(contrastRatio(c->caution, ground) >= 3);
      for (const QColor& hue : c->conditions) QVERIFY(contrastRatio(hue, ground) >= 3 - 0.35);  // the window alone lies below 3, no data stands there
    }
    for (const QColor& hue : c->conditions) QVERIFY(contrastRatio(hue, c->panel) >= 3 && contrastRatio(hue, c->well) >= 3);
    // What the style sheet and the palette are made of is these colours alone.
    QVERIFY(contrastRatio(paletteOf(*c).color(QPalette::Text), paletteOf(*c).color(QPalette::Base)) >= 4.5);
    QVERIFY(contrastRatio(paletteOf(*c).color(QPalette::Disabled, QPalette::ButtonText), paletteOf(*c).color(QPalette::Button)) >= 4.5 - 0.5);
    QVERIFY(contrastRatio(paletteOf(*c).color(QPalette::ToolTipText), paletteOf(*c).color(QPalette::ToolTipBase)) >= 4.5);
    QVERIFY(contrastRatio(paletteOf(*c).color(QPalette::PlaceholderText), paletteOf(*c).color(QPalette::Base)) >= 4.5);
  }
}

/// What is clipped on the shown page.
QStringList clipped(MainWindow& window) {
  QStringList wrong;
  QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);  // a number that changed a moment ago has its place
  for (QWidget* w : window.findChildren<QWidget*>()) {
    if (!w->isVisible() || w->visibleRegion().isEmpty() || isInner(w)) continue;
    auto* label = qobject_cast<QLabel*>(w);
    auto* button = qobject_cast<QAbstractButton*>(w);
    if (!label && !button) continue;
    if (label && label->text().isEmpty()) continue;
    // A button that shows an icon alone is clipped where the icon is: the style's hint has a frame around it that no flat button paints.
    const bool iconAlone = button && !button->icon().isNull() && (button->text().isEmpty() || (qobject_cast<QToolButton*>(w) && qobject_cast<QToolButton*>(w)->toolButtonStyle() == Qt::ToolButtonIconOnly));
    const QSize need = iconAlone ? button->iconSize() : label && label->wordWrap() ? QSize(0, label->heightForWidth(label->width())) : w->minimumSizeHint();
    if (w->width() + 1 < need.width() || w->height() + 1 < need.height()) wrong << QString("%1 has %2x%3, needs %4x%5").arg(pathOf(w)).arg(w->width()).arg(w->height()).arg(need.width()).arg(need.height());
    // A part that its parent cuts off, unless it scrolls.
    const QWidget* parent = w->parentWidget();
    bool scrolls = false;
    for (const QWidget* up = parent; up; up = up->parentWidget()) scrolls = scrolls || (qobject_cast<const QAbstractScrollArea*>(up) && !qobject_cast<const PageHolder*>(up));
    if (parent && !scrolls && !parent->rect().adjusted(-1, -1, 1, 1).contains(w->geometry())) wrong << pathOf(w) + QString(" leaves its parent: %1..%2 of %3").arg(w->x()).arg(w->geometry().right()).arg(parent->width());
  }
  return wrong;
}

// The child of the next test: one scale, four sizes, both lengths of text, all pages; prints what is clipped.
int sizesChild() {
  const QTemporaryDir home;
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, home.path());
  Theme::instance().setSetting(ThemeSetting::Dark);
  Theme::instance().install();
  const QByteArray pictures = qgetenv("CUESCOPE_TEST_PICTURES");
  int looked = 0;
  for (const bool longWords : {false, true}) {
    LongWords translator;
    if (longWords) QCoreApplication::installTranslator(&translator);
    Scene scene;
    if (!scene.fill()) return 2;
    // 800 × 500 is what a screen of 1600 × 1000 px has at 200 %.
    for (const QSize& size : {QSize(800, 500), QSize(1280, 800), QSize(1600, 1000), QSize(2560, 1440)}) {
      scene.window->resize(size);
      for (int page = -1; page < MainWindow::PageCount; ++page) {
        if (page < 0) scene.window->showStart();
        else scene.window->setPage(MainWindow::Page(page));
        QTest::qWait(5);
        const QString where = QString("%1x%2%3 page %4").arg(size.width()).arg(size.height()).arg(longWords ? " +40 %" : "").arg(page);
        // What does not fit is scrolled to; at the sizes of the design Inspect and Start fit.
        const auto* holder = qobject_cast<const PageHolder*>(scene.window->findChild<QStackedWidget*>(QStringLiteral("pages"))->currentWidget());
        if (holder && holder->scrolls() && page <= MainWindow::Inspect && size.width() >= 1280) std::printf("%s: the page is cut off and scrolls\n", qPrintable(where));
        if (scene.window->size() != size) std::printf("%s: the window is %dx%d\n", qPrintable(where), scene.window->width(), scene.window->height());
        if (qEnvironmentVariableIsSet("CUESCOPE_TEST_WHY"))
          for (QWidget* w : scene.window->findChildren<QWidget*>())
            if (w->isVisible() && std::max(w->minimumSizeHint().width(), w->minimumWidth()) > 400) std::printf("why %s: %s %d\n", qPrintable(where), qPrintable(pathOf(w)), std::max(w->minimumSizeHint().width(), w->minimumWidth()));
        for (const QString& one : clipped(*scene.window)) std::printf("%s: %s\n", qPrintable(where), qPrintable(one));
        if (!pictures.isEmpty()) scene.window->grab().save(QString::fromLocal8Bit(pictures) + "/" + QString(where).replace(' ', '-').remove('%').remove('+') + "-scale" + QString::number(qApp->devicePixelRatio()) + ".png");
        ++looked;
      }
    }
    scene.window.reset();
    if (longWords) QCoreApplication::removeTranslator(&translator);
  }
  std::printf("looked %d\n", looked);
  return 0;
}

void TestWindowAccess::nothingIsClippedAtThreeScalesAndFourSizes_data() {
  QTest::addColumn<QString>("scale");
  for (const char* scale : {"1", "2", "3"}) QTest::newRow(scale) << scale;
}

void TestWindowAccess::nothingIsClippedAtThreeScalesAndFourSizes() {
  QFETCH(QString, scale);
  QProcess child;
  QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
  environment.insert("QT_SCALE_FACTOR", scale);
  environment.insert("QT_QPA_PLATFORM", "offscreen");
  environment.insert("CUESCOPE_TEST_SIZES", "1");
  child.setProcessEnvironment(environment);
  child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
  child.start(QCoreApplication::applicationFilePath(), {});
  QVERIFY(child.waitForFinished(120000));
  const QString said = QString::fromUtf8(child.readAllStandardOutput());
  QCOMPARE(child.exitCode(), 0);
  QVERIFY2(said.contains("looked 48"), qPrintable(said.right(400)));
  QStringList lines = said.split('\n', Qt::SkipEmptyParts);
  lines.removeIf([](const QString& line) { return line.startsWith("looked "); });
  for (const QString& line : lines) std::printf("%s\n", qPrintable(line));
  QVERIFY2(lines.isEmpty(), qPrintable(QString::number(lines.size()) + "\n" + lines.join('\n')));
}

int main(int argc, char** argv) {
  QApplication application(argc, argv);
  QCoreApplication::setOrganizationName("cuescope-test");
  if (qEnvironmentVariableIsSet("CUESCOPE_TEST_SIZES")) return sizesChild();
  TestWindowAccess test;
  QTEST_SET_MAIN_SOURCE_PATH
  return QTest::qExec(&test, argc, argv);
}
#include "tst_window_access.moc"
