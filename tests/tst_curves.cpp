// Curves of a million points: what is drawn has every peak, grows with the series, and stays quick; log axes; the page's columns.
#include <QBuffer>
#include <QPainter>
#include <QSvgGenerator>
#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <random>

#include "widgets/curve_line.h"
#include "widgets/curve_plot.h"

using namespace cuescope;

namespace {

std::vector<double> noise(std::size_t n, double missing = 0) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(0, 1);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = uniform(random) < missing ? std::nan("") : std::sin(double(i) / 5000) + 0.1 * normal(random);
  return values;
}
std::vector<double> count(std::size_t n) {
  std::vector<double> xs(n);
  for (std::size_t i = 0; i < n; ++i) xs[i] = double(i + 1);
  return xs;
}

}  // namespace

class CurvesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void anyRangeHasItsLowestAndHighestValue() {
    const std::vector<double> values = noise(5000, 0.1);
    MinMaxPyramid pyramid;
    for (const double v : values) pyramid.append(v);
    std::mt19937 random(3);
    for (int trial = 0; trial < 400; ++trial) {
      std::size_t a = random() % 5001, b = random() % 5001;
      if (a > b) std::swap(a, b);
      double low = INFINITY, high = -INFINITY;
      for (std::size_t i = a; i < b; ++i)
        if (std::isfinite(values[i])) low = std::min(low, values[i]), high = std::max(high, values[i]);
      QCOMPARE(pyramid.range(a, b), std::make_pair(low, high));
    }
  }

  void aMillionPointsBecomeAFewAColumnAndKeepTheirPeaks() {
    std::vector<double> values = noise(1'000'000);
    values[654'321] = 40;
    values[123'456] = -30;
    const std::vector<double> xs = count(values.size());
    CurveLine line;
    line.update(values, 0.85, false, false);
    const auto points = line.points(xs, 0, 1'000'000, 400, false);
    QVERIFY(points.size() <= 4 * 403);
    double low = 0, high = 0, before = 0;
    for (const CurvePoint& p : points) {
      QVERIFY(p.x >= before);
      before = p.x;
      low = std::min(low, p.y), high = std::max(high, p.y);
    }
    QCOMPARE(high, 40.0);
    QCOMPARE(low, -30.0);
    const auto close = line.points(xs, 654'000, 654'600, 400, false);  // near enough: every point itself
    QVERIFY(std::any_of(close.begin(), close.end(), [](const CurvePoint& p) { return p.x == 654'322 && p.y == 40; }));
    QVERIFY(close.size() >= 600 && close.size() <= 604);
  }

  void aSeriesThatGrowsIsTheSameAsOneMadeAtOnce() {
    const std::vector<double> values = noise(30'000, 0.02), xs = count(30'000);
    CurveLine grown, whole;
    for (std::size_t n = 1; n <= values.size(); n = n * 3 + 1) grown.update({values.begin(), values.begin() + std::ptrdiff_t(n)}, 0.9, false, false);
    grown.update(values, 0.9, false, false);
    whole.update(values, 0.9, false, false);
    const std::vector<double> smooth = smoothed(values, 0.9);
    for (const bool which : {false, true}) {
      const auto a = grown.points(xs, 0, 30'000, 300, which), b = whole.points(xs, 0, 30'000, 300, which);
      QCOMPARE(a.size(), b.size());
      for (std::size_t i = 0; i < a.size(); ++i) QVERIFY(a[i].x == b[i].x && (a[i].y == b[i].y || (std::isnan(a[i].y) && std::isnan(b[i].y))));
    }
    const auto near = whole.points(xs, 100, 200, 300, true);
    for (const CurvePoint& p : near)
      if (!std::isnan(p.y)) QVERIFY(std::abs(p.y - smooth[std::size_t(p.x) - 1]) < 1e-12);
  }

  void aLogAxisLeavesOutWhatItCannotShowAndCountsIt() {
    CurveLine line;
    line.update({1, 0, -2, 10, std::nan("")}, 0, false, true);
    QCOMPARE(line.omitted(), 2);
    QCOMPARE(line.extent(), std::make_pair(1.0, 10.0));
  }

  void aGridOfMillionsDrawsNoMoreThanItsPixelsShow() {
    CurveGrid grid;
    grid.resize(1060, 500);
    CurveRun run;
    run.name = QStringLiteral("long");
    run.steps = run.tokens = run.seconds = count(1'000'000);
    std::vector<CurvePanel> panels(3);
    for (std::size_t i = 0; i < panels.size(); ++i) {
      panels[i].id = QString::number(i), panels[i].title = QStringLiteral("Curve %1").arg(i);
      CurveSeries series;
      series.y = noise(1'000'000);
      panels[i].series.push_back(std::move(series));
    }
    grid.setData({run}, std::move(panels));
    grid.show();
    QVERIFY(QTest::qWaitForWindowExposed(&grid));
    QCOMPARE(grid.panelAt(grid.axesRect(0).center()), 0);
    QWidget* plot = grid.findChild<QWidget*>();
    // Bytes of the drawing: a point is some ten of them, and a million would be ten million.
    const auto drawn = [&grid] {
      QBuffer buffer;
      QSvgGenerator generator;
      generator.setOutputDevice(&buffer);
      generator.setSize({1060, 500});
      QPainter painter(&generator);
      grid.paintCurves(painter, QRectF(0, 0, 1060, 500));
      painter.end();
      return buffer.data().size();
    };
    const qsizetype all = drawn();
    QVERIFY2(all < 1'000'000, qPrintable(QString::number(all)));
    for (int i = 0; i < 12; ++i) {
      const QPointF at = grid.axesRect(1).center();
      QWheelEvent wheel(at, plot->mapToGlobal(at), {}, {0, 120}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
      QCoreApplication::sendEvent(plot, &wheel);
      grid.setCursorStep(400'000 + 1000 * i);
      QCOMPARE(grid.cursorStep(), double(400'000 + 1000 * i));
    }
    const qsizetype zoomed = drawn();
    QVERIFY2(zoomed < 1'000'000, qPrintable(QString::number(zoomed)));
    QVERIFY(!grid.summary(0, 0).contains(QStringLiteral("not computed")));
  }

  void theLKeyTurnsTheAxisAndARightClickAsksForTheMenu() {
    CurveGrid grid;
    grid.resize(500, 300);
    CurveRun run;
    run.name = QStringLiteral("run");
    run.steps = run.tokens = run.seconds = count(50);
    CurvePanel panel;
    panel.id = QStringLiteral("loss"), panel.title = QStringLiteral("Loss");
    CurveSeries series;
    for (int i = 0; i < 50; ++i) series.y.push_back(std::pow(10, -i / 10.0));
    panel.series.push_back(series);
    grid.setData({run}, {panel});
    grid.show();
    QVERIFY(QTest::qWaitForWindowExposed(&grid));
    QSignalSpy menu(&grid, &CurveGrid::menuRequested), picked(&grid, &CurveGrid::stepPicked);
    QWidget* plot = grid.findChild<QWidget*>();
    QTest::mouseClick(plot, Qt::LeftButton, {}, grid.axesRect(0).center().toPoint());
    QCOMPARE(picked.size(), 1);
    QTest::keyClick(&grid, Qt::Key_L);
    QVERIFY(grid.panels()[0].log);
    grid.setData({run}, {panel});  // the next step arrives
    QVERIFY(grid.panels()[0].log);
    QTest::keyClick(&grid, Qt::Key_Left);
    QCOMPARE(picked.size(), 2);
    QTest::mouseClick(plot, Qt::RightButton, {}, grid.axesRect(0).center().toPoint());
    QCOMPARE(menu.size(), 1);
  }
};

QTEST_MAIN(CurvesTest)
#include "tst_curves.moc"
