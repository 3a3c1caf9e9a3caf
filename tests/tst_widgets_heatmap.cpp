// The map over the picture, judged by what it means: a patch centre has the map's colour, faded patches show the picture, ink
// stays dark, the canvas reads, selects, zooms at the pointer and compares, and every painter gets the same picture.
#include <QPainter>
#include <QSignalSpy>
#include <QSvgGenerator>
#include <QPdfWriter>
#include <QBuffer>
#include <QTest>
#include <QWheelEvent>

#include "tests/support/made_up_values.h"
#include "widgets/image_canvas.h"

using namespace cuescope;

namespace {

HeatmapScene plain(int rows = 3, int cols = 4) {
  HeatmapScene s;
  s.picture = QImage(cols * 32, rows * 32, QImage::Format_RGB32);
  s.picture.fill(Qt::white);
  s.map = {rows, cols, std::vector<float>(std::size_t(rows * cols), 0.01f), 1.0 / (rows * cols)};
  s.map.values[6] = 0.5f;
  s.map.values[1] = 0.25f;
  return s;
}

bool near(QRgb a, QRgb b, int by = 3) { return std::abs(qRed(a) - qRed(b)) <= by && std::abs(qGreen(a) - qGreen(b)) <= by && std::abs(qBlue(a) - qBlue(b)) <= by; }

}  // namespace

class WidgetsHeatmap : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void aPatchCentreHasTheMapsColour() {
    const HeatmapScene s = plain();
    const QImage image = renderHeatmap(s, QRectF(0, 0, 128, 96), QSize(256, 192), darkColors());
    QVERIFY(near(image.pixel(2 * (2 * 32 + 16), 2 * (32 + 16)), mapColor(ColorMap::Inferno, 1)));
    QVERIFY(near(image.pixel(2 * (32 + 16), 2 * 16), mapColor(ColorMap::Inferno, 0.5)));
  }

  void patchEdgesAreSharpWhenNearestAndSoftWhenSmooth() {
    HeatmapScene s = plain();
    s.style.fade = false;
    const auto edge = [&] {
      const QImage image = renderHeatmap(s, QRectF(0, 0, 128, 96), QSize(128, 96), darkColors());
      return std::pair(image.pixel(63, 48), image.pixel(64, 48));
    };
    const auto hard = edge();
    QVERIFY(near(hard.first, mapColor(ColorMap::Inferno, 0.01 / 0.5)) && near(hard.second, mapColor(ColorMap::Inferno, 1)));
    s.style.smooth = true;
    const auto soft = edge();
    QVERIFY(near(soft.first, soft.second, 12));
  }

  void belowUniformThePictureShows() {
    const HeatmapScene s = plain();
    const QImage dark = renderHeatmap(s, QRectF(0, 0, 128, 96), QSize(128, 96), darkColors());
    QVERIFY(near(dark.pixel(16, 16), qRgb(214, 214, 214)));  // white, dimmed 16 %
    const QImage light = renderHeatmap(s, QRectF(0, 0, 128, 96), QSize(128, 96), lightColors());
    QCOMPARE(QColor(light.pixel(16, 16)), QColor(Qt::white));
  }

  void inkStaysDarkUnderTheBrightestPatch() {
    HeatmapScene s = plain();
    QPainter painter(&s.picture);
    painter.fillRect(QRect(76, 44, 8, 8), Qt::black);
    painter.end();
    const QImage image = renderHeatmap(s, QRectF(0, 0, 128, 96), QSize(128, 96), darkColors());
    QVERIFY(lightness(image.pixel(80, 48)) < 25);
    QVERIFY(lightness(image.pixel(92, 48)) > 90);
  }

  void aPictureWithoutItsMapKeepsItsColours() {
    HeatmapScene s = plain();
    s.picture.fill(QColor(200, 40, 30));
    s.showMap = false;
    const QImage image = renderHeatmap(s, QRectF(0, 0, 128, 96), QSize(128, 96), darkColors());
    QVERIFY(near(image.pixel(50, 50), qRgb(200, 40, 30)));
  }

  void patchesAreFoundAtTheirPixels() {
    const HeatmapScene s = plain();
    QCOMPARE(patchAt(s, QPointF(0, 0)), 0);
    QCOMPARE(patchAt(s, QPointF(127.9, 95.9)), 11);
    QCOMPARE(patchAt(s, QPointF(64, 32)), 6);
    QCOMPARE(patchAt(s, QPointF(128, 10)), -1);
    QCOMPARE(patchAt(s, QPointF(-1, 10)), -1);
    QCOMPARE(patchPixels(s, 6), QRectF(64, 32, 32, 32));
  }

  void outlierMaskingSaysHowManyItHides() {
    HeatmapScene s = plain(6, 6);
    for (std::size_t i = 0; i < s.map.values.size(); ++i) s.map.values[i] = 0.02f + 0.0002f * float(i);
    s.map.values[7] = 0.9f;
    s.style.maskOutliers = true;
    const MapRange range = resolveRange(s.map, s.style);
    QCOMPARE(range.masked, 1);
    QVERIFY(range.high < 0.05);
    QCOMPARE(valueColor(0.9, s.map.uniform, range, s.style, darkColors()).alpha(), 0);
  }

  void logScaleSpreadsSmallValuesAndKeepsTheEnds() {
    HeatmapStyle style;
    style.logScale = true;
    const MapRange range{0.001, 1, 0, INFINITY};
    QCOMPARE(legendPosition(0.001, range, style), 0.0);
    QCOMPARE(legendPosition(1, range, style), 1.0);
    QVERIFY(std::abs(legendPosition(0.0316228, range, style) - 0.5) < 1e-3);
  }

  void theSamePictureGoesToAnyPainter() {
    const HeatmapScene s = made_up::scene(true);
    FigureText text;
    text.title = QStringLiteral("Sink to 432 visual tokens, mean of 16 heads");
    text.causal = QStringLiteral("Erase top 5 %: −2.31 nats, random −0.11");
    text.footer = {QStringLiteral("model 9f3c…e1a7, step 140")};
    const QSize size = heatmapFigureSize(s, text, 480);
    QImage image(size, QImage::Format_RGB32);
    QPainter onImage(&image);
    paintHeatmapFigure(onImage, QRectF(QPointF(0, 0), QSizeF(size)), s, text, lightColors());
    onImage.end();
    QBuffer svg, pdf;
    svg.open(QIODevice::WriteOnly);
    {
      QSvgGenerator generator;
      generator.setOutputDevice(&svg);
      generator.setSize(size);
      QPainter painter(&generator);
      paintHeatmapFigure(painter, QRectF(QPointF(0, 0), QSizeF(size)), s, text, lightColors());
    }
    QVERIFY(svg.data().contains("Attention is not a cause."));
    QVERIFY(svg.data().contains("<image"));
    pdf.open(QIODevice::WriteOnly);
    {
      QPdfWriter writer(&pdf);
      writer.setResolution(96);
      QPainter painter(&writer);
      paintHeatmapFigure(painter, QRectF(QPointF(0, 0), QSizeF(size)), s, text, lightColors());
    }
    QVERIFY(pdf.data().startsWith("%PDF"));
    QImage again(size, QImage::Format_RGB32);
    QPainter second(&again);
    paintHeatmapFigure(second, QRectF(QPointF(0, 0), QSizeF(size)), s, text, lightColors());
    second.end();
    QCOMPARE(image, again);
  }

  void aPartOfAMapHasTheColoursOfTheWholeMap() {
    // Each patch is coloured on the whole map's range, however little of it is seen.
    HeatmapScene s = plain(40, 60);
    s.style.fade = false;
    for (std::size_t i = 0; i < s.map.values.size(); ++i) s.map.values[i] = float(i) / float(s.map.values.size());
    const QSize all(60 * 32, 40 * 32);
    const QImage whole = renderHeatmap(s, QRectF(QPointF(0, 0), QSizeF(all)), all, darkColors());
    const QRect part(20 * 32 + 7, 11 * 32 + 5, 333, 222);
    QCOMPARE(renderHeatmap(s, part, part.size(), darkColors()), whole.copy(part));
  }

  void aMapOfMorePatchesThanPixelsKeepsItsColours() {
    HeatmapScene s;
    s.picture = QImage(1024, 1024, QImage::Format_RGB32);
    s.picture.fill(Qt::white);
    s.style.fade = false;
    s.map = {1024, 1024, std::vector<float>(1024 * 1024), 0.5};
    for (int row = 0; row < 1024; ++row)
      for (int col = 0; col < 1024; ++col) s.map.values[std::size_t(row * 1024 + col)] = float(col) / 1023;
    s.map.values[0] = std::numeric_limits<float>::quiet_NaN();
    const QImage image = renderHeatmap(s, QRectF(0, 0, 1024, 1024), QSize(512, 512), darkColors());
    for (const int x : {1, 100, 255, 400, 511}) {
      const int col = 2 * x + 1;  // the patch under the pixel's middle
      QVERIFY2(near(image.pixel(x, 300), mapColor(ColorMap::Inferno, double(col) / 1023)), qPrintable(QString::number(x)));
    }
    const QImage corner = renderHeatmap(s, QRectF(0, 0, 512, 512), QSize(512, 512), darkColors());
    QVERIFY(near(corner.pixel(0, 0), qRgb(214, 214, 214)));  // a value that is none shows the picture
  }

  void theCanvasShowsALargePictureAsTheExportDoes() {
    // The canvas makes it of a halving of the picture, the export of the picture itself.
    HeatmapScene s;
    s.picture = QImage(2400, 1800, QImage::Format_RGB32);
    for (int y = 0; y < 1800; ++y)
      for (int x = 0; x < 2400; ++x) s.picture.setPixel(x, y, qRgb(x * 255 / 2399, y * 255 / 1799, 128));
    s.showMap = false;
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(s);
    const QImage shown = canvas.grab().toImage();
    const QPointF from = canvas.toWidget(QPointF(0, 0)), to = canvas.toWidget(QPointF(2400, 1800));
    const QImage made = renderHeatmap(s, QRectF(0, 0, 2400, 1800), (QRectF(from, to)).size().toSize(), colors());
    for (const QPoint at : {QPoint(20, 20), QPoint(200, 150), QPoint(400, 300), QPoint(470, 10)})
      if (QRect(QPoint(0, 0), made.size()).contains(at)) QVERIFY(near(shown.pixel(from.toPoint() + at), made.pixel(at), 4));
  }

  void theLegendFollowsTheMapItStandsBeside() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    HeatmapScene s = plain();
    canvas.setScene(s);
    const auto legend = [&] { return canvas.grab().toImage().copy(500 - 86, 0, 86, 400); };
    const QImage first = legend();
    canvas.zoomBy(1.5);
    QCOMPARE(legend(), first);
    s.map.values[6] = 0.9f;
    canvas.setScene(s);
    QVERIFY(legend() != first);
    s = plain();
    canvas.setScene(s);
    QCOMPARE(legend(), first);
    canvas.resize(500, 300);
    QVERIFY(legend() != first);
  }

  void theCanvasReadsWhatIsUnderThePointer() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(plain());
    canvas.show();
    QVERIFY(QTest::qWaitForWindowExposed(&canvas));
    QSignalSpy spy(&canvas, &ImageCanvas::hovered);
    QTest::mouseMove(&canvas, canvas.toWidget(QPointF(80, 48)).toPoint());
    QTRY_VERIFY(spy.count() > 0);
    const auto readout = spy.last().at(0).value<PatchReadout>();
    QCOMPARE(readout.row, 1);
    QCOMPARE(readout.col, 2);
    QCOMPARE(readout.value, 0.5);
    QCOMPARE(readout.timesUniform, 6.0);
    QCOMPARE(readout.place(), QStringLiteral("row 1, column 2"));
    QCOMPARE(readout.pixelText(), QStringLiteral("pixels x 64–96, y 32–64"));
    QCOMPARE(canvas.selectedPatch(), -1);  // hovering only reads
  }

  void aClickSelectsAndArrowsWalkTheGrid() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(plain());
    canvas.show();
    QVERIFY(QTest::qWaitForWindowExposed(&canvas));
    QSignalSpy selected(&canvas, &ImageCanvas::patchSelected), read(&canvas, &ImageCanvas::hovered);
    QTest::mouseClick(&canvas, Qt::LeftButton, {}, canvas.toWidget(QPointF(80, 48)).toPoint());
    QCOMPARE(selected.count(), 1);
    QCOMPARE(selected.last().at(0).toInt(), 6);
    QTest::keyClick(&canvas, Qt::Key_Right);
    QTest::keyClick(&canvas, Qt::Key_Down);
    QCOMPARE(read.last().at(0).value<PatchReadout>().patch, 11);
    QTest::keyClick(&canvas, Qt::Key_Down);  // stays inside
    QCOMPARE(canvas.currentCell(), 11);
    QTest::keyClick(&canvas, Qt::Key_Return);
    QCOMPARE(selected.last().at(0).toInt(), 11);
    QCOMPARE(canvas.cellName(6), QStringLiteral("row 1, column 2, 0.5000, 6.0 times uniform"));
  }

  void theWheelZoomsAtThePointer() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(plain());
    const QPointF at = canvas.toWidget(QPointF(80, 48));
    const double before = canvas.zoom();
    QWheelEvent wheel(at, at, {}, QPoint(0, 240), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(&canvas, &wheel);
    QVERIFY(canvas.zoom() > before * 1.3);
    QVERIFY((canvas.toPicture(at) - QPointF(80, 48)).manhattanLength() < 0.6);
    canvas.fit();
    QVERIFY(std::abs(canvas.zoom() - before) < 1e-9);
  }

  void shiftWheelChangesOpacityAndCtrlWheelAsksForALayer() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(plain());
    QSignalSpy opacity(&canvas, &ImageCanvas::opacityChanged), layer(&canvas, &ImageCanvas::layerStepRequested);
    QWheelEvent shift({100, 100}, {100, 100}, {}, QPoint(0, -120), Qt::NoButton, Qt::ShiftModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(&canvas, &shift);
    QCOMPARE(opacity.count(), 1);
    QVERIFY(canvas.scene().style.opacity < 1);
    QWheelEvent ctrl({100, 100}, {100, 100}, {}, QPoint(0, 120), Qt::NoButton, Qt::ControlModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(&canvas, &ctrl);
    QCOMPARE(layer.last().at(0).toInt(), 1);
  }

  void theBoxToolGivesPicturePixelsAndSnaps() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(plain());
    canvas.setTool(ImageCanvas::Tool::Box);
    canvas.setSnapToPatches(true);
    canvas.show();
    QVERIFY(QTest::qWaitForWindowExposed(&canvas));
    QSignalSpy drawn(&canvas, &ImageCanvas::boxDrawn);
    const QPoint from = canvas.toWidget(QPointF(40, 40)).toPoint(), to = canvas.toWidget(QPointF(90, 60)).toPoint();
    QTest::mousePress(&canvas, Qt::LeftButton, {}, from);
    QMouseEvent move(QEvent::MouseMove, QPointF(to), canvas.mapToGlobal(QPointF(to)), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(&canvas, &move);
    QTest::mouseRelease(&canvas, Qt::LeftButton, {}, to);
    QCOMPARE(drawn.count(), 1);
    QCOMPARE(drawn.last().at(0).toRectF(), QRectF(32, 32, 64, 32));
  }

  void theBrushCollectsPatchesAndDeleteForgetsThem() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setScene(plain());
    canvas.setTool(ImageCanvas::Tool::Brush);
    QSignalSpy brushed(&canvas, &ImageCanvas::brushChanged);
    QTest::mouseClick(&canvas, Qt::LeftButton, {}, canvas.toWidget(QPointF(80, 48)).toPoint());
    QTest::mouseClick(&canvas, Qt::LeftButton, {}, canvas.toWidget(QPointF(48, 16)).toPoint());
    QCOMPARE(canvas.brushPatches(), (std::vector<int>{6, 1}));
    QTest::mouseClick(&canvas, Qt::LeftButton, {}, canvas.toWidget(QPointF(80, 48)).toPoint());
    QCOMPARE(canvas.brushPatches(), (std::vector<int>{1}));
    QTest::keyClick(&canvas, Qt::Key_Delete);
    QVERIFY(canvas.brushPatches().empty());
    QCOMPARE(brushed.count(), 4);
  }

  void swipeShowsAOnTheLeftAndBOnTheRight() {
    ImageCanvas canvas;
    canvas.resize(500, 400);
    canvas.setShowLegend(false);
    HeatmapScene a = plain(), b = plain();
    a.style.fade = b.style.fade = false;
    std::fill(a.map.values.begin(), a.map.values.end(), 0.5f);
    std::fill(b.map.values.begin(), b.map.values.end(), 0.f);
    a.style.high = b.style.high = 0.5;
    canvas.setScene(a);
    canvas.setSecond(b);
    canvas.setCompare(ImageCanvas::Compare::Swipe);
    canvas.show();
    QVERIFY(QTest::qWaitForWindowExposed(&canvas));
    const QImage image = canvas.grab().toImage();
    QVERIFY(near(image.pixel(canvas.toWidget(QPointF(16, 80)).toPoint()), mapColor(ColorMap::Inferno, 1)));
    QVERIFY(near(image.pixel(canvas.toWidget(QPointF(112, 80)).toPoint()), mapColor(ColorMap::Inferno, 0)));
    canvas.swapMaps();
    QVERIFY(near(canvas.grab().toImage().pixel(canvas.toWidget(QPointF(16, 80)).toPoint()), mapColor(ColorMap::Inferno, 0)));
    canvas.setSecond(std::nullopt);
    QCOMPARE(canvas.compare(), ImageCanvas::Compare::Single);
  }

  void aFrameOfALargeCanvasHasItsPixelsAndNoMore() {
    const HeatmapScene s = made_up::scene(true);
    const QImage frame = renderHeatmap(s, QRectF(0, 0, 768, 576), QSize(700, 525), darkColors());
    QCOMPARE(frame.size(), QSize(700, 525));
    QVERIFY(frame == renderHeatmap(s, QRectF(0, 0, 768, 576), QSize(700, 525), darkColors()));
  }
};

QTEST_MAIN(WidgetsHeatmap)
#include "tst_widgets_heatmap.moc"
