// Words that are shaped once look as they did when they were shaped every time.
#include <QBuffer>
#include <QFontMetricsF>
#include <QPainter>
#include <QPushButton>
#include <QSvgGenerator>
#include <QTest>

#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

using namespace cuescope;

namespace {

QImage painted(const std::function<void(QPainter&)>& paint, double ratio = 1) {
  QImage image(QSize(400, 60) * ratio, QImage::Format_RGB32);
  image.setDevicePixelRatio(ratio);
  image.fill(Qt::white);
  QPainter painter(&image);
  painter.setPen(QColor(20, 30, 40));
  paint(painter);
  return image;
}

}  // namespace

class WidgetsWords : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { Theme::instance().install(); }

  void keptWordsArePaintedPixelForPixelAsDrawTextDoes_data() {
    QTest::addColumn<QFont>("font");
    QTest::addColumn<QRectF>("rect");
    QTest::addColumn<int>("flags");
    QTest::addColumn<QString>("text");
    const QString words = QStringLiteral("Teacher, no cue: WAVE To 12.5 fi → ‖x‖");
    const int middle = Qt::AlignVCenter;
    QTest::newRow("left") << uiFont(12) << QRectF(8, 4, 380, 20) << (middle | Qt::AlignLeft) << words;
    QTest::newRow("right") << uiFont(12, QFont::DemiBold) << QRectF(8, 4, 380, 21) << (middle | Qt::AlignRight) << words;
    QTest::newRow("centre, between pixels") << uiFont(11) << QRectF(8.37, 4.61, 371.2, 20.5) << int(Qt::AlignCenter) << words;
    QTest::newRow("bottom") << uiFont(13) << QRectF(8, 4, 380, 40) << int(Qt::AlignBottom | Qt::AlignLeft) << words;
    QTest::newRow("top") << monoFont(11) << QRectF(3.5, 4, 390, 40) << int(Qt::AlignTop | Qt::AlignHCenter) << words;
    QTest::newRow("mono") << monoFont(12, QFont::Medium) << QRectF(8, 4, 380, 19) << (middle | Qt::AlignRight) << QStringLiteral("0.0176 −2.31");
    QTest::newRow("too wide: cut off") << uiFont(12) << QRectF(8, 4, 60, 20) << (middle | Qt::AlignLeft) << words;
    QTest::newRow("two lines") << uiFont(12) << QRectF(8, 4, 120, 50) << int(Qt::AlignLeft | Qt::TextWordWrap) << words;
    QTest::newRow("a key") << uiFont(12) << QRectF(8, 4, 380, 20) << (middle | Qt::AlignLeft | Qt::TextShowMnemonic) << QStringLiteral("&Open a file");
    QTest::newRow("an ampersand") << uiFont(12) << QRectF(8, 4, 380, 20) << (middle | Qt::AlignLeft) << QStringLiteral("cue & module");
    QTest::newRow("cut short") << uiFont(12) << QRectF(8, 4, 380, 20) << (middle | Qt::AlignLeft) << QStringLiteral("Distillation lo…");
    QTest::newRow("right to left") << uiFont(12) << QRectF(8, 4, 380, 20) << (middle | Qt::AlignLeft) << QStringLiteral("שלום abc");
  }
  void keptWordsArePaintedPixelForPixelAsDrawTextDoes() {
    QFETCH(QFont, font);
    QFETCH(QRectF, rect);
    QFETCH(int, flags);
    QFETCH(QString, text);
    for (const double ratio : {1.0, 2.0})
      for (int time = 0; time < 2; ++time) {  // made, and taken from what is kept
        const QImage ours = painted([&](QPainter& p) { p.setFont(font), p.translate(3, 2), paintWords(p, rect, flags, text); }, ratio);
        const QImage theirs = painted([&](QPainter& p) { p.setFont(font), p.translate(3, 2), p.drawText(rect, flags, text); }, ratio);
        QCOMPARE(ours, theirs);
      }
    QVERIFY(painted([&](QPainter& p) { p.setFont(font), paintWords(p, rect, flags, text); }) != painted([](QPainter&) {}));
  }

  void keptMeasuresAreThoseOfTheFont() {
    for (const QFont& font : {uiFont(11), uiFont(12, QFont::DemiBold), monoFont(12)})
      for (int time = 0; time < 2; ++time)
        for (const QString text : {QStringLiteral("Distillation loss"), QStringLiteral("WAVE"), QString()}) {
          QCOMPARE(wordsWidth(font, text), QFontMetricsF(font).horizontalAdvance(text));
          for (const double width : {12.0, 40.3, 400.0})
            QCOMPARE(elidedWords(font, text, Qt::ElideMiddle, width), QFontMetricsF(font).elidedText(text, Qt::ElideMiddle, width));
        }
  }

  void colourAndPlaceAreThePaintersAtEachTime() {
    const auto at = [](const QColor& color, double x) {
      return painted([&](QPainter& p) { p.setFont(uiFont(12)), p.setPen(color), paintWords(p, QRectF(x, 0, 200, 20), Qt::AlignVCenter, QStringLiteral("Layer")); });
    };
    QCOMPARE(at(Qt::red, 10).copy(10, 0, 60, 20), at(Qt::red, 30).copy(30, 0, 60, 20));
    QVERIFY(at(Qt::red, 10) != at(Qt::blue, 10));
  }

  void anSvgKeepsItsText() {
    QBuffer svg;
    svg.open(QIODevice::WriteOnly);
    {
      QSvgGenerator generator;
      generator.setOutputDevice(&svg);
      QPainter painter(&generator);
      painter.setFont(uiFont(12));
      paintWords(painter, QRectF(0, 0, 200, 20), Qt::AlignVCenter, QStringLiteral("Attention"));
    }
    QVERIFY(svg.data().contains("Attention"));
  }

  void anIconIsThatOfItsColourAndSize() {
    const auto at = [](Icon shape, const QColor& color, double x, double side) { return painted([&](QPainter& p) { paintIcon(p, QRectF(x, 5, side, side), shape, color); }); };
    QCOMPARE(at(Icon::Check, Qt::red, 10, 16), at(Icon::Check, Qt::red, 10, 16));
    QCOMPARE(at(Icon::Check, Qt::red, 10, 16).copy(10, 0, 20, 30), at(Icon::Check, Qt::red, 40, 16).copy(40, 0, 20, 30));
    QVERIFY(at(Icon::Check, Qt::red, 10, 16) != at(Icon::Check, Qt::blue, 10, 16));
    QVERIFY(at(Icon::Check, Qt::red, 10, 16) != at(Icon::Cross, Qt::red, 10, 16));
    QVERIFY(at(Icon::Check, Qt::red, 10, 16) != at(Icon::Check, Qt::red, 10, 20));
    QVERIFY(icon(Icon::Play).pixmap(16, 16).toImage() != icon(Icon::Play).pixmap(QSize(16, 16), QIcon::Disabled).toImage());
  }
};

QTEST_MAIN(WidgetsWords)
#include "tst_widgets_words.moc"
