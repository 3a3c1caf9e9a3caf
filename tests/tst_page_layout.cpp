// The pages Train, Rollouts, Data and Evaluate at three sizes, four scales, in two themes and with 40 % longer text: no text is cut, lies
// over another, or is elided without the whole in a tooltip; no page asks for more room than the smallest window has; every control is
// reached by Tab and shows its ring. CUESCOPE_GALLERY=folder keeps pictures of every page in every state, size, scale and theme.
#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QProcess>
#include <QPushButton>
#include <QScrollArea>
#include <QSettings>
#include <QTranslator>
#include <QtTest>
#include <cstdio>

#include "support/page_scenes.h"
#include "support/painted_text.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"
#include "ui/roomy_page.h"
#include "widgets/elided_label.h"
#include "widgets/film_strip.h"
#include "widgets/segmented_button.h"

using namespace cuescope;

namespace {

/// The room that a page has: 1280×800 with the navigator as a rail, 1600×1000 and 2560×1440 with it.
struct Size {
  const char* window;
  QSize page;
};
constexpr Size kSizes[] = {{"1280x800", {1242, 658}}, {"1600x1000", {1384, 858}}, {"2560x1440", {2344, 1298}}};

// +40 % text, in words of at most nine letters: a sentence can still be broken into lines, as in any language.
class LongWords : public QTranslator {
 public:
  using QTranslator::QTranslator;
  bool isEmpty() const override { return false; }
  QString translate(const char*, const char* source, const char*, int) const override {
    QString text = QString::fromUtf8(source);
    if (text.size() < 2) return text;
    for (qsizetype i = 0, more = (text.size() * 2 + 4) / 5; i < more; ++i) text += i % 10 == 9 && i + 1 < more ? u' ' : u'é';
    return text;
  }
};

QString pathOf(const QWidget* w, const QWidget* page) {
  QStringList parts;
  for (const QWidget* at = w; at && at != page && parts.size() < 4; at = at->parentWidget()) parts.prepend(QString::fromLatin1(at->metaObject()->className()).remove("cuescope::") + (at->objectName().isEmpty() ? "" : "#" + at->objectName()));
  return parts.join('/');
}

/// All that is wrong on a page that is shown.
QStringList wrongOn(QWidget* page) {
  QStringList wrong;
  QList<QWidget*> all = page->findChildren<QWidget*>();
  all.prepend(page);
  for (QWidget* w : all) {
    if (!w->isVisible() || w->isWindow() || w->visibleRegion().isEmpty()) continue;
    for (const QString& one : painted::complaints(*w)) wrong << pathOf(w, page) + QStringLiteral(": ") + one;
    // A widget that its parent cuts off, unless that scrolls.
    const QWidget* parent = w->parentWidget();
    bool scrolls = false;
    for (const QWidget* up = parent; up && up != page->parentWidget(); up = up->parentWidget()) scrolls = scrolls || qobject_cast<const QAbstractScrollArea*>(up);
    if (w != page && !scrolls && !parent->rect().adjusted(-1, -1, 1, 1).contains(w->geometry()))
      wrong << pathOf(w, page) + QStringLiteral(": leaves its parent, %1,%2 %3x%4 in %5x%6").arg(w->x()).arg(w->y()).arg(w->width()).arg(w->height()).arg(parent->width()).arg(parent->height());
  }
  return wrong;
}

void keep(QWidget& widget, const QString& name) {
  const QString folder = qEnvironmentVariable("CUESCOPE_GALLERY");
  if (folder.isEmpty()) return;
  QDir().mkpath(folder);
  widget.grab().save(folder + QLatin1Char('/') + name + QStringLiteral(".png"));
}

// The child of the first test: one scale; prints what is wrong.
int layoutChild() {
  const QTemporaryDir home;
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, home.path());
  Theme::instance().setSetting(ThemeSetting::Dark);
  Theme::instance().install();
  int looked = 0;
  for (const bool longWords : {false, true}) {
    LongWords translator;
    if (longWords) QCoreApplication::installTranslator(&translator);
    {
      made_up::Pages pages;
      for (const ThemeSetting theme : {ThemeSetting::Dark, ThemeSetting::Light}) {
        Theme::instance().setSetting(theme);
        for (const Size& size : kSizes)
          for (const made_up::PageLook& look : pages.looks()) {
            const QString where = QStringLiteral("%1%2 %3 %4").arg(QLatin1String(size.window), longWords ? QStringLiteral(" +40 %") : QString(), colors().dark ? QStringLiteral("dark") : QStringLiteral("light"), look.name);
            pages.show(look, size.page);
            const QSize need = look.page->minimumSizeHint();
            if (need.width() > size.page.width() || need.height() > size.page.height())
              std::printf("%s: the page needs %dx%d of %dx%d\n", qPrintable(where), need.width(), need.height(), size.page.width(), size.page.height());
            for (const QString& one : wrongOn(look.page)) std::printf("%s: %s\n", qPrintable(where), qPrintable(one));
            keep(pages.host(), QStringLiteral("%1-%2-%3%4-x%5").arg(look.name, colors().dark ? QStringLiteral("dark") : QStringLiteral("light"), QLatin1String(size.window), longWords ? QStringLiteral("-long") : QString()).arg(qApp->devicePixelRatio()));
            ++looked;
          }
      }
      Theme::instance().setSetting(ThemeSetting::Dark);
    }
    if (longWords) QCoreApplication::removeTranslator(&translator);
  }
  std::printf("looked %d\n", looked);
  return 0;
}

}  // namespace

class PageLayoutTest : public QObject {
  Q_OBJECT
  QTemporaryDir m_home;

 private Q_SLOTS:
  void initTestCase() {
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
    Theme::instance().setSetting(ThemeSetting::Dark);
    Theme::instance().install();
  }

  // The judge itself: what it must find, and what it must leave alone.
  void theJudgeFindsCutOverlappingAndElidedText() {
    QWidget host;
    host.resize(300, 100);
    QLabel label(QStringLiteral("a long line of words"), &host);
    label.setGeometry(0, 0, 60, 20);
    host.show();
    QVERIFY(QTest::qWaitForWindowExposed(&host));
    QVERIFY(!painted::complaints(label).isEmpty());  // cut at the side
    label.setGeometry(0, 0, 200, 20);
    QCOMPARE(painted::complaints(label), QStringList());
    label.setGeometry(0, 0, 200, 6);
    QVERIFY(!painted::complaints(label).isEmpty());  // cut above and below
    label.hide();
    QPushButton button(QStringLiteral("Checkpoint now"), &host);
    button.setGeometry(0, 30, 50, 22);
    button.show();
    QVERIFY(!painted::complaints(button).isEmpty());
    button.resize(button.sizeHint());
    QCOMPARE(painted::complaints(button), QStringList());
    SegmentedButton choices({QStringLiteral("Move"), QStringLiteral("Crop")}, &host);
    choices.setGeometry(0, 60, choices.sizeHint().width() - 20, 22);
    choices.show();
    QVERIFY2(painted::complaints(choices).join(u'\n').contains(QStringLiteral("Crop")), qPrintable(painted::complaints(choices).join(u'\n')));
    ElidedLabel elided(QStringLiteral("demo-opd-vicur-1123-215241"), &host);
    elided.setElide(Qt::ElideMiddle);
    elided.setGeometry(200, 0, 80, 20);
    elided.show();
    QCOMPARE(painted::complaints(elided), QStringList());  // the tooltip has it whole
    elided.setToolTip({});
    QVERIFY(!painted::complaints(elided).isEmpty());
  }

  void everyControlIsReachedByTabInReadingOrderWithItsRing() {
    made_up::Pages pages;
    for (const made_up::PageLook& look : pages.looks()) {
      pages.show(look, {1384, 858});
      QApplication::setActiveWindow(&pages.host());
      pages.host().setFocus();
      QSet<const QWidget*> reached;
      const QWidget* before = nullptr;
      for (int turn = 0; turn < 400; ++turn) {
        QTest::keyClick(QApplication::focusWidget() ? QApplication::focusWidget() : &pages.host(), Qt::Key_Tab);
        QWidget* now = QApplication::focusWidget();
        QVERIFY2(now && look.page->isAncestorOf(now), qPrintable(look.name));
        if (reached.contains(now)) break;
        reached.insert(now);
        const auto* ring = pages.host().findChild<QWidget*>(QStringLiteral("focusRing"));
        const QRect place(now->mapTo(&pages.host(), QPoint(0, 0)), now->size());
        QVERIFY2(ring && ring->isVisible() && (ring->geometry().adjusted(-1, -1, 1, 1).contains(place & pages.host().rect()) || place.contains(ring->geometry())), qPrintable(look.name + QStringLiteral(": no ring around ") + pathOf(now, look.page)));
        if (before && before->parentWidget() == now->parentWidget()) {
          const QRect a = before->geometry(), b = now->geometry();
          QVERIFY2(b.top() >= a.bottom() - 2 || b.left() >= a.left(), qPrintable(look.name + QStringLiteral(": ") + pathOf(before, look.page) + QStringLiteral(" comes before ") + pathOf(now, look.page)));
        }
        before = now;
      }
      QStringList missed;
      for (const QWidget* w : look.page->findChildren<QWidget*>())
        if (w->isVisible() && w->isEnabled() && (w->focusPolicy() & Qt::TabFocus) && !w->focusProxy() && !w->visibleRegion().isEmpty() && !reached.contains(w) && !w->objectName().startsWith(QStringLiteral("qt_")) &&
            !qobject_cast<const QScrollArea*>(w))
          missed << pathOf(w, look.page);
      QVERIFY2(missed.isEmpty(), qPrintable(look.name + QStringLiteral(": ") + missed.join(u'\n')));
    }
  }

  // As the design says it: in a room of 1280 × 800 the side of Data and of Train is one group of tabs, the steps of a prompt are a tab.
  void sidePanelsBecomeTabsInANarrowRoom() {
    made_up::Pages pages;
    const struct {
      const char* look;
      QStringList alone, shared;  // what stands by itself, what shares tabs in a narrow room
    } kPages[] = {{"data", {}, {"data.prompts", "data.lint", "data.provenance"}},
                  {"rollouts", {"rollouts.sample"}, {"rollouts.response", "rollouts.same"}},
                  {"train", {"train.probes"}, {"train.health", "train.checkpoints", "train.parameters"}}};
    for (const auto& each : kPages) {
      const auto look = std::find_if(pages.looks().begin(), pages.looks().end(), [&](const made_up::PageLook& one) { return one.name == QLatin1String(each.look); });
      QVERIFY(look != pages.looks().end());
      const auto panel = [&](const QString& name) { return look->page->findChild<Panel*>(name); };
      for (int turn = 0; turn < 2; ++turn) {
        pages.show(*look, kSizes[0].page);
        for (const QString& name : each.alone) QVERIFY2(!panel(name)->stack() && panel(name)->isVisible(), qPrintable(name));
        PanelStack* tabs = panel(each.shared.first())->stack();
        QVERIFY2(tabs && tabs->current() == panel(each.shared.first()), each.look);
        for (const QString& name : each.shared) QVERIFY2(panel(name)->stack() == tabs, qPrintable(name));
        pages.show(*look, kSizes[1].page);
        for (const QString& name : each.alone + each.shared) QVERIFY2(panel(name) && !panel(name)->stack() && panel(name)->isVisible(), qPrintable(name));
      }
      // What a person does in one room stays in that room, in a kept layout too; the default comes back by itself.
      panel(each.shared.last())->setClosed(true);
      const QByteArray kept = layoutOf(look->page);
      auto* roomy = dynamic_cast<RoomyPage*>(look->page);
      roomy->setRoomLayouts({});
      roomy->defaultPlaces();
      QVERIFY(!panel(each.shared.last())->isClosed());
      pages.show(*look, kSizes[0].page);
      QVERIFY(applyLayout(look->page, kept));
      QVERIFY2(!panel(each.shared.last())->isClosed() && panel(each.shared.last())->stack(), each.look);
      pages.show(*look, kSizes[1].page);
      QVERIFY(panel(each.shared.last())->isClosed());
      roomy->setRoomLayouts({});
      roomy->defaultPlaces();
    }
  }

  // New height goes where it is of use, after a layout was restored too, and when it was restored in a smaller room.
  void newHeightGoesToThePanelsThatCanUseIt() {
    made_up::Pages pages;
    const struct {
      const char* look;
      const char *grows, *stays;
    } kPages[] = {{"data", "data.prompts", "data.provenance"}, {"rollouts", "rollouts.response", "rollouts.same"}, {"train", "train.parameters", "train.health"}};
    for (const auto& each : kPages) {
      const auto look = std::find_if(pages.looks().begin(), pages.looks().end(), [&](const made_up::PageLook& one) { return one.name == QLatin1String(each.look); });
      const auto height = [&](const char* name) { return look->page->findChild<Panel*>(QLatin1String(name))->height(); };
      const QSize large(1500, 1000), small(1500, 800);
      pages.show(*look, large);
      const int grows = height(each.grows), stays = height(each.stays);
      const QByteArray kept = layoutOf(look->page);
      pages.show(*look, small);
      QCOMPARE(height(each.stays), stays);
      QCOMPARE(height(each.grows), grows - 200);
      QVERIFY(applyLayout(look->page, kept));
      pages.show(*look, small);
      QCOMPARE(height(each.stays), stays);
      pages.show(*look, large);
      QCOMPARE(height(each.stays), stays);
      QCOMPARE(height(each.grows), grows);
    }
  }

  void nothingIsCutOverlappedOrElidedWithoutTooltip_data() {
    QTest::addColumn<QString>("scale");
    for (const char* scale : {"1", "1.5", "2", "3"}) QTest::newRow(scale) << scale;
  }
  void nothingIsCutOverlappedOrElidedWithoutTooltip() {
    QFETCH(QString, scale);
    QProcess child;
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert("QT_SCALE_FACTOR", scale);
    environment.insert("QT_QPA_PLATFORM", "offscreen");
    environment.insert("CUESCOPE_TEST_LAYOUT", "1");
    child.setProcessEnvironment(environment);
    child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    child.start(QCoreApplication::applicationFilePath(), {});
    QVERIFY(child.waitForFinished(400000));
    const QString said = QString::fromUtf8(child.readAllStandardOutput());
    QCOMPARE(child.exitCode(), 0);
    QStringList lines = said.split('\n', Qt::SkipEmptyParts);
    QVERIFY2(!lines.isEmpty() && lines.last().startsWith(QStringLiteral("looked ")), qPrintable(said.right(400)));
    QVERIFY(lines.takeLast().mid(7).toInt() >= 2 * 2 * 3 * 11);  // texts, themes, sizes, pages in their states
    for (const QString& line : lines) std::printf("%s\n", qPrintable(line));
    QVERIFY2(lines.isEmpty(), qPrintable(QString::number(lines.size()) + "\n" + lines.mid(0, 20).join('\n')));
  }
};

int main(int argc, char** argv) {
  QApplication application(argc, argv);
  QCoreApplication::setOrganizationName("cuescope-test");
  if (qEnvironmentVariableIsSet("CUESCOPE_TEST_LAYOUT")) return layoutChild();
  PageLayoutTest test;
  QTEST_SET_MAIN_SOURCE_PATH
  return QTest::qExec(&test, argc, argv);
}
#include "tst_page_layout.moc"
