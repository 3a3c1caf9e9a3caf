// Curves and timeline: smoothing, ticks, cursor, picking, zoom, export, and the speed of a million points.
#include <QBuffer>
#include <QPainter>
#include <QSignalSpy>
#include <QSvgGenerator>
#include <QTest>
#include <QWheelEvent>

#include "tests/support/made_up_values.h"
#include "widgets/curve_math.h"
#include "widgets/segmented_button.h"
#include "widgets/timeline.h"

using namespace cuescope;

class WidgetsSteps : public QObject {
  Q_OBJECT

  static TimelineData timelineData() {
    TimelineData data;
    data.last = 275, data.now = 142, data.checkpoints = {100, 20, 140}, data.best = 100;
    data.health = {{96, QStringLiteral("step skipped")}};
    return data;
  }

 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void smoothingKeepsAConstantAndSkipsWhatIsMissing() {
    const double nan = std::nan("");
    for (const double v : smoothed({3, 3, 3, 3}, 0.9)) QVERIFY(std::abs(v - 3) < 1e-12);
    const std::vector<double> out = smoothed({1, nan, 5}, 0.5);
    QCOMPARE(out[0], 1.0);
    QVERIFY(std::isnan(out[1]));
    QVERIFY(std::abs(out[2] - (0.5 * 0.5 * 1 + 0.5 * 5) / (0.5 * 0.5 + 0.5)) < 1e-12);
    QCOMPARE(smoothed({1, 9}, 0), (std::vector<double>{1, 9}));
  }

  void ticksAreRoundAndFewOnEveryRange() {
    for (const auto& [low, high] : {std::pair(0.0, 0.75), {0.31, 0.58}, {0.0, 150.0}, {-3.0, 5.0}, {1e-6, 3e-6}}) {
      const std::vector<double> t = curves::ticks(low, high, false, 4);
      QVERIFY2(t.size() >= 2 && t.size() <= 6, qPrintable(QString::number(t.size())));
      for (const double v : t) QVERIFY(v >= low - 1e-12 && v <= high + 1e-12);
    }
    // Two numbers do not say how an axis runs: 12.2 to 14.3 had 13 and 14 alone.
    for (const auto& [low, high] : {std::pair(12.2, 14.3), {1.1, 3.7}, {0.0, 0.11}, {-0.85, -0.22}, {0.198, 0.33}}) {
      const std::vector<double> t = curves::ticks(low, high, false, 4);
      QVERIFY2(t.size() >= 3 && t.size() <= 6, qPrintable(QStringLiteral("%1 to %2: %3").arg(low).arg(high).arg(t.size())));
    }
    QCOMPARE(curves::ticks(0.05, 20, true, 4), (std::vector<double>{0.1, 1, 10}));
    QCOMPARE(curves::tickText(0.25, 0.25, false), QStringLiteral("0.25"));
    QCOMPARE(curves::tickText(-2, 1, false), QStringLiteral("−2"));
    QCOMPARE(curves::tickText(3e-6, 1e-6, false), QStringLiteral("3e−6"));
    QCOMPARE(curves::tickText(2.4e6, 1e5, false), QStringLiteral("2.4 M"));
    QCOMPARE(curves::tickText(12345, 5, false), QStringLiteral("12.345 k"));  // not the same words as 12340
    QCOMPARE(curves::tickText(3.985e-5, 1e-8, false), QStringLiteral("3.985e−5"));
  }

  void labelsOfASmallSpanAreCountedFromTheFirst() {
    const auto plain = curves::tickLabels({0.2, 0.4, 0.6}, false);
    QCOMPARE(plain.base, QString());
    QCOMPARE(plain.texts.back(), QStringLiteral("0.6"));
    const auto close = curves::tickLabels({0.39851, 0.398512, 0.398514}, false);
    QCOMPARE(close.base, QStringLiteral("0.398510, in 1e−6"));
    QCOMPARE(close.texts, (std::vector<QString>{"0", "2", "4"}));
    for (const double value : {0.398512, 12.3456, -0.7, 12'345'678.0, 3.9e-5, 1.5e-9})
      for (const double part : {1e-3, 1e-5, 1e-7}) {
        const std::vector<double> ticks = curves::ticks(value, value + std::abs(value) * part, false, 4);
        QVERIFY(ticks.size() >= 2);
        const auto labels = curves::tickLabels(ticks, false);
        QSet<QString> different;
        for (const QString& text : labels.texts) {
          QVERIFY2(text.size() <= (labels.base.isEmpty() ? 7 : 4), qPrintable(text));
          different.insert(text);
        }
        QCOMPARE(std::size_t(different.size()), ticks.size());
        QCOMPARE(labels.base.isEmpty(), labels.texts.front() != QStringLiteral("0"));
      }
  }

  void stepsTokensAndTimeMapBackAndForth() {
    const CurveRun run = made_up::run(QStringLiteral("a"), 50);
    for (const CurveX x : {CurveX::Step, CurveX::Tokens, CurveX::Time}) QCOMPARE(curves::stepOfX(run, x, curves::xOfStep(run, x, 17)), 17.0);
    QCOMPARE(curves::indexAt(run, 17.5), 17);
    QCOMPARE(curves::indexAt(run, -1), -1);
  }

  void aClickInAnyPlotSetsTheStep() {
    CurveGrid grid;
    grid.resize(900, 480);
    grid.setData({made_up::run(QStringLiteral("a"), 143), made_up::run(QStringLiteral("b"), 143)}, made_up::panels(143));
    grid.show();
    QVERIFY(QTest::qWaitForWindowExposed(&grid));
    QSignalSpy picked(&grid, &CurveGrid::stepPicked);
    const QRectF axes = grid.axesRect(4);
    QVERIFY(axes.width() > 100);
    QWidget* plot = grid.childAt(axes.center().toPoint());
    QVERIFY(plot);
    QTest::mouseClick(plot, Qt::LeftButton, {}, axes.center().toPoint());
    QCOMPARE(picked.count(), 1);
    const int step = picked.last().at(0).toInt();
    QVERIFY(step > 60 && step < 82);
    QCOMPARE(grid.cursorStep(), double(step));
    QTest::keyClick(&grid, Qt::Key_Right);
    QCOMPARE(picked.last().at(0).toInt(), step + 1);
  }

  void theCursorReadsTheRawValueOfItsStep() {
    CurveGrid grid;
    const auto panels = made_up::panels(143);
    grid.setData({made_up::run(QStringLiteral("a"), 143), made_up::run(QStringLiteral("b"), 143)}, panels);
    grid.setCursorStep(100);
    QCOMPARE(grid.valueAtCursor(0, 0), panels[0].series[0].y[100]);
    QCOMPARE(grid.valueAtCursor(8, 0), panels[8].series[0].y[100]);
    grid.setCursorStep(107);  // accuracy exists every 20 steps: the last one before the cursor
    QCOMPARE(grid.valueAtCursor(8, 0), panels[8].series[0].y[100]);
    QVERIFY(std::isnan(grid.valueAtCursor(9, 0)));
  }

  void theSelectedRunsCurveIsInkAndTheCursorAccent() {
    CurveGrid grid;
    grid.resize(500, 300);
    CurvePanel panel;
    panel.id = panel.title = QStringLiteral("loss");
    CurveSeries series;
    series.y = std::vector<double>(100, 0.5);
    panel.low = 0, panel.high = 1;
    panel.series = {series};
    grid.setColumns(1);
    grid.setData({made_up::run(QStringLiteral("a"), 100)}, {panel});
    grid.setCursorStep(25);
    grid.show();
    QVERIFY(QTest::qWaitForWindowExposed(&grid));
    QTest::qWait(60);
    const QImage image = grid.grab().toImage();
    const QRectF axes = grid.axesRect(0);
    const auto has = [&](const QRectF& area, const QColor& color) {
      for (int y = int(area.top()); y <= int(area.bottom()); ++y)
        for (int x = int(area.left()); x <= int(area.right()); ++x) {
          const QColor c(image.pixel(x, y));
          if (std::abs(c.red() - color.red()) + std::abs(c.green() - color.green()) + std::abs(c.blue() - color.blue()) < 90) return true;
        }
      return false;
    };
    QVERIFY(has(QRectF(axes.center().x(), axes.center().y() - 3, 6, 6), darkColors().ink));
    QVERIFY(!has(QRectF(axes.center().x(), axes.top() + 4, 6, 20), darkColors().ink));
    QVERIFY(has(QRectF(axes.left() + axes.width() * 0.25 - 6, axes.top() + 30, 12, 2), darkColors().accent));
  }

  void theWheelZoomsXInAllPlotsAndFitForgetsIt() {
    CurveGrid grid;
    grid.resize(900, 480);
    grid.setData({made_up::run(QStringLiteral("a"), 143), made_up::run(QStringLiteral("b"), 143)}, made_up::panels(143));
    grid.show();
    QVERIFY(QTest::qWaitForWindowExposed(&grid));
    const QRectF axes = grid.axesRect(0);
    double before = 0, after = 0, back = 0;
    grid.panelAt(axes.topRight() - QPointF(2, -4), &before);
    QWheelEvent wheel(QPointF(axes.left() + 1, axes.center().y()), {}, {}, QPoint(0, 360), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(grid.childAt(axes.center().toPoint()), &wheel);
    grid.panelAt(grid.axesRect(5).topRight() - QPointF(2, -4), &after);
    QVERIFY2(after < before * 0.7, qPrintable(QString::number(after)));
    grid.fit();
    grid.panelAt(axes.topRight() - QPointF(2, -4), &back);
    QCOMPARE(back, before);
  }

  void smoothingNeverChangesExportedNumbers() {
    CurveGrid grid;
    CurvePanel panel;
    panel.id = QStringLiteral("loss");
    CurveSeries series;
    series.y = {1, 0, std::nan(""), 0.125};
    panel.series = {series};
    grid.setData({made_up::run(QStringLiteral("a"), 4)}, {panel});
    grid.setSmoothing(0.95);
    QCOMPARE(grid.csv(0), QStringLiteral("run,step,tokens,seconds,series,value\na,0,0,0,loss,1\na,1,5200,14.3,loss,0\na,3,15600,42.9,loss,0.125\n"));
  }

  void curvesGoToSvgAsVectors() {
    CurveGrid grid;
    grid.resize(900, 480);
    grid.setData({made_up::run(QStringLiteral("a"), 143), made_up::run(QStringLiteral("b"), 143)}, made_up::panels(143));
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize({900, 480});
    QPainter painter(&generator);
    grid.paintCurves(painter, QRectF(0, 0, 900, 480));
    painter.end();
    QVERIFY(buffer.data().contains("Distillation loss"));
    QVERIFY(buffer.data().contains("<polyline") || buffer.data().contains("<path"));
    QVERIFY(!buffer.data().contains("<image"));
  }

  void ofAMillionPointsAsManyAreDrawnAsPixelsShow() {
    const int n = 1000000;
    CurveRun run;
    run.name = QStringLiteral("long");
    run.steps.resize(n);
    for (int i = 0; i < n; ++i) run.steps[std::size_t(i)] = i;
    run.tokens = run.seconds = run.steps;
    CurvePanel panel;
    panel.id = panel.title = QStringLiteral("loss");
    CurveSeries series;
    series.y = made_up::falling(n, 1, 0.3, 0.05, 3);
    panel.series = {series};
    CurveGrid grid;
    grid.resize(900, 400);
    grid.setColumns(1);
    grid.setData({run}, {panel});
    grid.show();
    QVERIFY(QTest::qWaitForWindowExposed(&grid));
    grid.axesRect(0);  // settles the data
    for (int i = 0; i < 3; ++i) {
      grid.setCursorStep(1000 * i);
      QCOMPARE(grid.cursorStep(), 1000.0 * i);
      QVERIFY(!grid.grab().isNull());
    }
    QBuffer buffer;  // what is drawn grows with the pixels, not with the points, of which each would be some ten bytes
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize({900, 400});
    QPainter painter(&generator);
    grid.paintCurves(painter, QRectF(0, 0, 900, 400));
    painter.end();
    QVERIFY2(buffer.data().size() < 500'000, qPrintable(QString::number(buffer.data().size())));
  }

  void theTimelineMovesByStepsAndByCheckpoints() {
    Timeline line;
    line.resize(800, 58);
    line.setData(timelineData());
    line.setCursorStep(50);
    QSignalSpy picked(&line, &Timeline::stepPicked);
    QTest::keyClick(&line, Qt::Key_Right);
    QCOMPARE(line.cursorStep(), 51);
    QTest::keyClick(&line, Qt::Key_Right, Qt::ShiftModifier);
    QCOMPARE(line.cursorStep(), 100);
    line.toCheckpoint(-1);
    QCOMPARE(line.cursorStep(), 20);
    QTest::keyClick(&line, Qt::Key_End);
    QCOMPARE(line.cursorStep(), 142);
    line.stepBy(5);  // the future has not happened
    QCOMPARE(line.cursorStep(), 142);
    QCOMPARE(picked.count(), 4);
  }

  void theTimelineIsClickedWhereItsStepsAre() {
    Timeline line;
    line.resize(800, 58);
    line.setData(timelineData());
    QSignalSpy picked(&line, &Timeline::stepPicked);
    QTest::mouseClick(&line, Qt::LeftButton, {}, QPoint(int(line.xOf(60)), 35));
    QCOMPARE(picked.last().at(0).toInt(), 60);
    QTest::mouseClick(&line, Qt::LeftButton, {}, QPoint(int(line.xOf(100)) + 4, 20));  // near a diamond: the checkpoint itself
    QCOMPARE(picked.last().at(0).toInt(), 100);
    QVERIFY(std::abs(line.stepAt(line.xOf(77)) - 77) < 1e-9);
  }

  void theWheelStepsAndCtrlWheelZooms() {
    Timeline line;
    line.resize(800, 58);
    line.setData(timelineData());
    line.setCursorStep(60);
    QWheelEvent wheel({400, 30}, {}, {}, QPoint(0, -120), Qt::NoButton, Qt::ShiftModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(&line, &wheel);
    QCOMPARE(line.cursorStep(), 70);
    const double before = line.xOf(80) - line.xOf(70);
    QWheelEvent zoom({400, 30}, {}, {}, QPoint(0, 240), Qt::NoButton, Qt::ControlModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(&line, &zoom);
    QVERIFY(line.xOf(80) - line.xOf(70) > before * 1.3);
  }

  void aSegmentThatCannotBeTakenIsSkipped() {
    SegmentedButton button({QStringLiteral("step"), QStringLiteral("tokens"), QStringLiteral("time")});
    button.setChoiceEnabled(1, false, QStringLiteral("This run has no token counts."));
    QSignalSpy changed(&button, &SegmentedButton::currentChanged);
    QTest::keyClick(&button, Qt::Key_Right);
    QCOMPARE(button.current(), 2);
    QCOMPARE(changed.count(), 1);
    QTest::mouseClick(&button, Qt::LeftButton, {}, QPoint(60, 11));
    QCOMPARE(button.current(), 2);
  }
};

QTEST_MAIN(WidgetsSteps)
#include "tst_widgets_steps.moc"
