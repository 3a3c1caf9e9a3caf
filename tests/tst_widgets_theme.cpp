// The palette keeps its promises (every contrast of the design is computed again), colour maps rise in lightness, icons exist.
#include <QApplication>
#include <QComboBox>
#include <QImage>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>
#include <QSvgRenderer>
#include <QTest>
#include <QVBoxLayout>

#include "widgets/color_maps.h"
#include "widgets/error_panel.h"
#include "widgets/icons.h"
#include "widgets/numbers.h"
#include "widgets/theme.h"

using namespace cuescope;

class WidgetsTheme : public QObject {
  Q_OBJECT

  // A shown window with two buttons, one below the other.
  struct TwoButtons {
    QWidget window;
    QPushButton first{QStringLiteral("one"), &window}, second{QStringLiteral("two"), &window};
    TwoButtons() {
      first.setGeometry(20, 20, 80, 22);
      second.setGeometry(20, 60, 80, 22);
      window.resize(200, 120);
      window.show();
    }
  };

 private Q_SLOTS:
  void initTestCase() { Theme::instance().install(); }

  void contrastOfBlackAndWhiteIs21() { QCOMPARE(qRound(contrastRatio(Qt::black, Qt::white) * 100), 2100); }

  void textReachesTheDesignsRatios_data() {
    QTest::addColumn<QColor>("ink");
    QTest::addColumn<QColor>("ground");
    QTest::addColumn<double>("designed");
    const auto add = [](const char* theme, const char* name, const QColor& ink, const Colors& c, std::vector<double> ratios) {
      const QColor grounds[] = {c.panel, c.well, c.window};
      const char* const names[] = {"panel", "well", "window"};
      for (std::size_t i = 0; i < ratios.size(); ++i) QTest::addRow("%s %s on %s", theme, name, names[i]) << ink << grounds[i] << ratios[i];
    };
    const Colors &d = darkColors(), &l = lightColors();
    add("dark", "text", d.text, d, {12.8, 14.6, 13.8});
    add("dark", "text 2", d.text2, d, {7.9, 9.1, 8.6});
    add("dark", "text 3", d.text3, d, {5.6, 6.4, 6.0});
    add("dark", "control", d.control, d, {3.7, 4.2, 4.0});
    add("dark", "accent", d.accent, d, {12.3, 14.1, 13.3});
    add("dark", "caution", d.caution, d, {11.6, 13.3, 12.6});
    add("dark", "danger", d.danger, d, {7.1, 8.1, 7.6});
    add("dark", "student", d.conditions[0], d, {7.0});
    add("dark", "teacher + cue", d.conditions[1], d, {7.5});
    add("dark", "teacher, no cue", d.conditions[2], d, {5.3});
    add("dark", "erased", d.conditions[3], d, {4.7});
    add("light", "text", l.text, l, {15.7, 17.2, 13.6});
    add("light", "text 2", l.text2, l, {8.3, 9.2, 7.2});
    add("light", "text 3", l.text3, l, {5.7, 6.3, 5.0});
    add("light", "control", l.control, l, {3.6, 4.0, 3.1});
    add("light", "accent", l.accent, l, {6.5, 7.1, 5.6});
    add("light", "caution", l.caution, l, {5.4, 5.9, 4.7});
    add("light", "danger", l.danger, l, {6.0, 6.5, 5.1});
    add("light", "student", l.conditions[0], l, {5.2});
    add("light", "teacher + cue", l.conditions[1], l, {3.5});
    add("light", "teacher, no cue", l.conditions[2], l, {6.6});
    add("light", "erased", l.conditions[3], l, {3.4});
    QTest::addRow("dark text on selection") << d.text << d.selection << 8.8;
    QTest::addRow("light text on selection") << l.text << l.selection << 13.7;
    QTest::addRow("dark primary button") << d.onAccentFill << d.accentFill << 12.6;
    QTest::addRow("light primary button") << l.onAccentFill << l.accentFill << 6.2;
  }
  void textReachesTheDesignsRatios() {
    QFETCH(QColor, ink);
    QFETCH(QColor, ground);
    QFETCH(double, designed);
    const double ratio = contrastRatio(ink, ground);
    QVERIFY2(std::abs(ratio - designed) < 0.1, qPrintable(QString::number(ratio, 'f', 2)));
  }

  void textOnBothEndsOfTheGapRampIsReadable() {
    for (const Colors* c : {&darkColors(), &lightColors()})
      for (const double v : {-4.0, -1.0, 0.0, 1.0, 4.0}) QVERIFY(contrastRatio(c->text, gapColor(*c, v)) >= 4.85);
  }

  void gapRampIsPanelAtZeroAndSaturatesAtTheLimit() {
    const Colors& c = darkColors();
    QCOMPARE(gapColor(c, 0), c.panel);
    QCOMPARE(gapColor(c, 4).name(), c.gapHigh.name());
    QCOMPARE(gapColor(c, -9).name(), c.gapLow.name());
    QCOMPARE(gapColor(c, std::nan("")), c.panel);
    QVERIFY(std::abs(gapPosition(1, 4) - std::pow(0.25, 0.6)) < 1e-12);
    QCOMPARE(gapPosition(-1, 4), -gapPosition(1, 4));
  }

  void colourMapsRiseInLightness() {
    for (const ColorMap map : {ColorMap::Inferno, ColorMap::Viridis, ColorMap::Cividis}) {
      const auto& table = colorTable(map);
      for (std::size_t i = 4; i < table.size(); ++i)
        QVERIFY2(lightness(table[i]) > lightness(table[i - 4]) - 0.05, qPrintable(colorMapName(map) + QString::number(i)));
      QVERIFY(lightness(table[255]) - lightness(table[0]) > 55);
    }
  }

  void colourMapsBeginAndEndWhereTheyAreKnownTo() {
    const auto near = [](QRgb a, int r, int g, int b) { return std::abs(qRed(a) - r) <= 6 && std::abs(qGreen(a) - g) <= 6 && std::abs(qBlue(a) - b) <= 16; };
    QVERIFY(near(mapColor(ColorMap::Viridis, 0), 68, 1, 84));
    QVERIFY(near(mapColor(ColorMap::Viridis, 0.5), 33, 145, 140));
    QVERIFY(near(mapColor(ColorMap::Viridis, 1), 253, 231, 37));
    QVERIFY(near(mapColor(ColorMap::Inferno, 0), 0, 0, 4));
    QVERIFY(near(mapColor(ColorMap::Inferno, 1), 252, 255, 164));
    QVERIFY(near(mapColor(ColorMap::Cividis, 0), 0, 34, 78));
    QVERIFY(near(mapColor(ColorMap::Cividis, 1), 254, 232, 56));
  }

  void fadeBeginsAtSixTenthsOfUniformAndEndsAtOnePointNine() {
    QCOMPARE(fadeOpacity(0.59), 0.0);
    QCOMPARE(fadeOpacity(0.6), 0.0);
    QVERIFY(fadeOpacity(1.25) > 0.45 && fadeOpacity(1.25) < 0.55);
    QCOMPARE(fadeOpacity(1.9), 1.0);
  }

  void switchingTheThemeChangesPaletteAndTellsOnce() {
    Theme::instance().setSetting(ThemeSetting::Dark);
    int told = 0;
    const auto connection = QObject::connect(&Theme::instance(), &Theme::changed, this, [&] { ++told; });
    Theme::instance().setSetting(ThemeSetting::Light);
    Theme::instance().setSetting(ThemeSetting::Light);
    QCOMPARE(told, 1);
    QCOMPARE(QApplication::palette().color(QPalette::Window), lightColors().panel);
    QObject::disconnect(connection);
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void theStyleSheetHasNoUnknownToken() {
    for (const Colors* c : {&darkColors(), &lightColors()}) {
      const QString sheet = styleSheetOf(*c);
      QVERIFY(!sheet.contains(QLatin1Char('@')));
      QVERIFY(!sheet.contains(QStringLiteral("#000000;")));  // a name that is not in the table would become black
    }
  }

  void everyIconDrawsSomething() {
    for (int i = 0; i < int(Icon::Count); ++i) {
      QVERIFY(QSvgRenderer(iconSvg(Icon(i), Qt::white)).isValid());
      QImage image(32, 32, QImage::Format_ARGB32_Premultiplied);
      image.fill(Qt::transparent);
      QPainter painter(&image);
      paintIcon(painter, QRectF(0, 0, 32, 32), Icon(i), Qt::white);
      painter.end();
      int inked = 0;
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) inked += qAlpha(image.pixel(x, y)) > 60;
      QVERIFY2(inked > 10, qPrintable(QString::number(i)));
    }
  }

  void anIconFollowsTheThemeAndItsState() {
    Theme::instance().setSetting(ThemeSetting::Dark);
    const QIcon stop = icon(Icon::DiamondFilled);
    const auto centre = [&](QIcon::Mode mode, QIcon::State state) { return stop.pixmap(QSize(16, 16), 1.0, mode, state).toImage().pixelColor(8, 8).name(); };
    QCOMPARE(centre(QIcon::Normal, QIcon::Off), darkColors().text2.name());
    QCOMPARE(centre(QIcon::Normal, QIcon::On), darkColors().accent.name());
    QCOMPARE(centre(QIcon::Disabled, QIcon::Off), darkColors().control.name());
  }

  void theFocusRingShowsOnlyForTheKeyboard() {
    TwoButtons two;
    auto& [window, first, second] = two;
    QVERIFY(QTest::qWaitForWindowActive(&window));
    second.setFocus(Qt::OtherFocusReason);  // the window gave the first button its focus when it became active
    first.setFocus(Qt::TabFocusReason);
    auto* ring = window.findChild<QWidget*>(QStringLiteral("focusRing"));
    QVERIFY(ring && ring->isVisible());
    QCOMPARE(ring->geometry(), first.geometry().adjusted(-3, -3, 3, 3));
    QTest::mouseClick(&second, Qt::LeftButton);
    QVERIFY(!ring->isVisible());
  }

  // Qt hands the focus on by Tab when its owner is hidden: nobody pressed a key.
  void theRingDoesNotFollowAFocusThatNobodyMoved() {
    TwoButtons two;
    auto& [window, first, second] = two;
    QVERIFY(QTest::qWaitForWindowActive(&window));
    QTest::mouseClick(&first, Qt::LeftButton);
    first.setFocus(Qt::MouseFocusReason);
    first.hide();
    QCOMPARE(QApplication::focusWidget(), &second);
    const auto* ring = window.findChild<QWidget*>(QStringLiteral("focusRing"));
    QVERIFY(!ring || !ring->isVisible());
    first.show();
    first.setFocus(Qt::OtherFocusReason);
    QTest::keyClick(&first, Qt::Key_Shift);
    first.hide();  // this time after a key
    ring = window.findChild<QWidget*>(QStringLiteral("focusRing"));
    QVERIFY(ring && ring->isVisible());
  }

  // Buttons that take the place of others have their room at once.
  void anErrorThatFollowsAnErrorIsReadWhole() {
    QWidget page;
    auto* column = new QVBoxLayout(&page);
    column->setContentsMargins(0, 0, 0, 0);
    auto* error = new ErrorPanel;
    column->addWidget(error);
    column->addStretch(1);
    page.resize(640, 600);
    error->setFailure(QStringLiteral("Not a picture"), QStringLiteral("notes.png"), QStringLiteral("unknown format"));
    error->setActions({QStringLiteral("Choose another file")});
    page.show();
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    error->setFailure(QStringLiteral("This file cannot be used"), QStringLiteral("/somewhere/deep/model.safetensors"), QStringLiteral("The header points beyond the end of the file; ").repeated(6), QStringLiteral("Choose another file."));
    error->setActions({QStringLiteral("Choose another file"), QStringLiteral("Dismiss")});
    for (int level = 0; level < 4; ++level) QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
    int bottom = 0, shown = 0;
    for (const QLabel* label : error->findChildren<QLabel*>()) {
      if (label->text().isEmpty()) continue;
      QVERIFY2(label->height() >= label->heightForWidth(label->width()), qPrintable(label->text()));
      bottom = std::max(bottom, label->geometry().bottom());
    }
    for (const QPushButton* button : error->findChildren<QPushButton*>()) {
      if (button->isHidden()) continue;
      ++shown;
      QVERIFY2(button->y() > bottom && button->geometry().bottom() <= error->height(), qPrintable(button->text()));
    }
    QCOMPARE(shown, 3);
  }

  void smallNumbersKeepTheirDigits() {
    QCOMPARE(significant(0.461, 3), QStringLiteral("0.461"));
    QCOMPARE(significant(0.0057, 3), QStringLiteral("0.0057"));
    QCOMPARE(significant(3.1e-6, 4), QStringLiteral("3.1e−6"));
    QCOMPARE(significant(-0.00012, 3), QStringLiteral("−0.00012"));
    QCOMPARE(significant(0, 3), QStringLiteral("0.000"));
    QCOMPARE(significant(std::nan(""), 3), QStringLiteral("not computed"));
    QCOMPARE(significantShare(0.0278), QStringLiteral(".028"));
    QCOMPARE(significantShare(0.00021), QStringLiteral(".00021"));
    QCOMPARE(plainExponent(QStringLiteral("-3e+08")), QStringLiteral("−3e8"));
  }

  void numbersAreWrittenAsTheDesignSays() {
    QCOMPARE(number(-0.414, 2), QStringLiteral("−0.41"));
    QCOMPARE(number(-0.001, 2), QStringLiteral("0.00"));
    QCOMPARE(number(std::nan(""), 2), QStringLiteral("not computed"));
    QCOMPARE(number(INFINITY, 2), QStringLiteral("not finite"));
    QCOMPARE(shareText(0.0234, 3), QStringLiteral(".023"));
    QCOMPARE(durationText(6.13), QStringLiteral("6.1 s"));
    QCOMPARE(durationText(1920), QStringLiteral("32 min"));
    QCOMPARE(durationText(7500), QStringLiteral("2 h 05 min"));
    QCOMPARE(bytesText(4.5e9), QStringLiteral("4.5 GB"));
  }
};

QTEST_MAIN(WidgetsTheme)
#include "tst_widgets_theme.moc"
