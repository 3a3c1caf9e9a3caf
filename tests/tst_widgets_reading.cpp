// Tokens, matrix, distributions, film strip: written exactly, picked by mouse and by key, painted in the right fill and place.
#include <QBuffer>
#include <QPainter>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSvgGenerator>
#include <QTest>

#include "tests/support/made_up_values.h"
#include "tests/support/painted_text.h"
#include "widgets/film_strip.h"

using namespace cuescope;

class WidgetsReading : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void tokensAreWrittenExactly_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<bool>("special");
    QTest::addColumn<QString>("text");
    QTest::newRow("word") << QByteArray("circle") << false << QStringLiteral("circle");
    QTest::newRow("leading space") << QByteArray(" circle") << false << QStringLiteral("·circle");
    QTest::newRow("two spaces") << QByteArray("  x") << false << QStringLiteral("··x");
    QTest::newRow("only spaces") << QByteArray("   ") << false << QStringLiteral("···");
    QTest::newRow("line ends") << QByteArray(".\n\n") << false << QStringLiteral(".\\n\\n");
    QTest::newRow("tab") << QByteArray("\ta") << false << QStringLiteral("\\ta");
    QTest::newRow("special stays itself") << QByteArray("<|im_start|>") << true << QStringLiteral("<|im_start|>");
    QTest::newRow("whole character") << QByteArray("\xE4\xB8\xAD") << false << QStringLiteral("中");
    QTest::newRow("part of a character") << QByteArray("\xE4\xB8") << false << QStringLiteral("⟨E4⟩⟨B8⟩");
    QTest::newRow("overlong is no character") << QByteArray("\xC0\x80") << false << QStringLiteral("⟨C0⟩⟨80⟩");
    QTest::newRow("control byte") << QByteArray("\x01", 1) << false << QStringLiteral("⟨01⟩");
  }
  void tokensAreWrittenExactly() {
    QFETCH(QByteArray, bytes);
    QFETCH(bool, special);
    QFETCH(QString, text);
    QCOMPARE(tokenText(bytes, special), text);
  }

  void clickAndArrowsSelectTokens() {
    TokenStrip strip;
    strip.resize(700, 200);
    strip.setPrompt(made_up::prompt());
    strip.setResponse(made_up::response());
    strip.show();
    QVERIFY(QTest::qWaitForWindowExposed(&strip));
    QSignalSpy selected(&strip, &TokenStrip::tokenSelected);
    const QRectF at = strip.tokenRect(5);
    QVERIFY(!at.isEmpty());
    QTest::mouseClick(strip.viewport(), Qt::LeftButton, {}, at.center().toPoint());
    QCOMPARE(selected.last().at(0).toInt(), 5);
    QTest::keyClick(&strip, Qt::Key_Right);
    QCOMPARE(selected.last().at(0).toInt(), 6);
    QTest::keyClick(&strip, Qt::Key_Left);
    QTest::keyClick(&strip, Qt::Key_Left);
    QCOMPARE(strip.selectedFirst(), 4);
    QTest::keyClick(&strip, Qt::Key_End);
    QCOMPARE(strip.selectedFirst(), strip.responseSize() - 1);
    QTest::keyClick(&strip, Qt::Key_Right);  // stays at the end
    QCOMPARE(strip.selectedFirst(), strip.responseSize() - 1);
  }

  void shiftArrowsJumpToLargeGaps() {
    TokenStrip strip;
    strip.resize(700, 200);
    strip.setResponse(made_up::response());
    std::vector<double> gaps(made_up::response().size(), 0.1);
    gaps[9] = -2;
    gaps[20] = 1.5;
    TokenColoring coloring;
    coloring.kind = TokenColoring::Kind::Gap;
    strip.setColoring(coloring, gaps);
    strip.setSelection(0);
    QTest::keyClick(&strip, Qt::Key_Right, Qt::ShiftModifier);
    QCOMPARE(strip.selectedFirst(), 9);
    QTest::keyClick(&strip, Qt::Key_Right, Qt::ShiftModifier);
    QCOMPARE(strip.selectedFirst(), 20);
    QTest::keyClick(&strip, Qt::Key_Left, Qt::ShiftModifier);
    QCOMPARE(strip.selectedFirst(), 9);
  }

  void aDragSelectsASpan() {
    TokenStrip strip;
    strip.resize(700, 200);
    strip.setResponse(made_up::response());
    strip.show();
    QVERIFY(QTest::qWaitForWindowExposed(&strip));
    QSignalSpy span(&strip, &TokenStrip::spanSelected);
    const QPoint from = strip.tokenRect(3).center().toPoint(), to = strip.tokenRect(7).center().toPoint();
    QTest::mousePress(strip.viewport(), Qt::LeftButton, {}, from);
    QMouseEvent move(QEvent::MouseMove, QPointF(to), strip.viewport()->mapToGlobal(QPointF(to)), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(strip.viewport(), &move);
    QTest::mouseRelease(strip.viewport(), Qt::LeftButton, {}, to);
    QCOMPARE(span.last().at(0).toInt(), 3);
    QCOMPARE(span.last().at(1).toInt(), 7);
  }

  void gapTokensWearTheRamp() {
    TokenStrip strip;
    strip.resize(700, 120);
    strip.setResponse({{"aaaa", false}, {"bbbb", false}, {"cccc", false}});
    TokenColoring coloring;
    coloring.kind = TokenColoring::Kind::Gap;
    strip.setColoring(coloring, {4, -4, std::nan("")});
    strip.show();
    QVERIFY(QTest::qWaitForWindowExposed(&strip));
    const QImage image = strip.viewport()->grab().toImage();
    const auto corner = [&](int token) { return QColor(image.pixel((strip.tokenRect(token).topLeft() + QPointF(1, 1)).toPoint())); };
    QCOMPARE(corner(0), darkColors().gapHigh);
    QCOMPARE(corner(1), darkColors().gapLow);
    QCOMPARE(corner(2), darkColors().panel);
  }

  void aLongResponseWrapsInsideTheWidth() {
    TokenStrip strip;
    strip.resize(400, 120);
    std::vector<StripToken> tokens(600, StripToken{" word", false});
    strip.setResponse(tokens);
    QImage image(400, 4000, QImage::Format_RGB32);
    QPainter painter(&image);
    const double height = strip.paintStrip(painter, QRectF(0, 0, 400, 4000), darkColors());
    QVERIFY(height > 600);
    strip.show();
    QVERIFY(QTest::qWaitForWindowExposed(&strip));
    strip.setSelection(599);
    QVERIFY(strip.viewport()->rect().contains(strip.tokenRect(599).toRect()));
    for (int t = 0; t < 600; t += 37) QVERIFY(strip.tokenRect(t).right() < 400);
  }

  void theMatrixHasMeanAndMaxAndKeepsThemApart() {
    HeadMaps maps;
    maps.layers = {0, 2}, maps.heads = 2, maps.gridRows = 1, maps.gridCols = 2;
    maps.values = {0.2f, 0.4f, 0.6f, 0.0f, 1, 2, 3, 4};
    QCOMPARE(reducedMap(maps, 0, kMeanHead), (std::vector<float>{0.4f, 0.2f}));
    QCOMPARE(reducedMap(maps, 0, kMaxHead), (std::vector<float>{0.6f, 0.4f}));
    QCOMPARE(reducedMap(maps, 1, 1), (std::vector<float>{3, 4}));
    QVERIFY(reducedMap(maps, 2, 0).empty());
    QVERIFY(reducedMap(maps, 0, 2).empty());
  }

  void theMatrixIsPickedByMouseAndKeys() {
    MatrixView matrix;
    matrix.resize(667, 210);
    matrix.setMaps(made_up::heads(6, 16, true));
    matrix.setSelection(10, kMeanHead);
    matrix.show();
    QVERIFY(QTest::qWaitForWindowExposed(&matrix));
    QSignalSpy selected(&matrix, &MatrixView::selected), activated(&matrix, &MatrixView::activated);
    QTest::mouseClick(&matrix, Qt::LeftButton, {}, matrix.cellRect(1 * 18 + 3).center());
    QCOMPARE(selected.last().at(0).toInt(), 5);
    QCOMPARE(selected.last().at(1).toInt(), 3);
    QTest::keyClick(&matrix, Qt::Key_Down);
    QTest::keyClick(&matrix, Qt::Key_Right);
    QCOMPARE(matrix.selectedLayer(), 10);
    QCOMPARE(matrix.selectedHead(), 4);
    for (int i = 0; i < 20; ++i) QTest::keyClick(&matrix, Qt::Key_Right);
    QCOMPARE(matrix.selectedHead(), kMaxHead);
    QTest::keyClick(&matrix, Qt::Key_Return);
    QCOMPARE(activated.last().at(0).toInt(), 10);
    QCOMPARE(activated.last().at(1).toInt(), kMaxHead);
  }

  void theLongerAxisOfTheMatrixRunsAcross() {
    MatrixView matrix;
    matrix.resize(667, 230);
    matrix.setMaps(made_up::heads(28, 16, false, 4, 4));
    QVERIFY(matrix.cellRect(18).left() > matrix.cellRect(0).left());  // layer 1 lies right of layer 0
    QCOMPARE(matrix.cellRect(18).top(), matrix.cellRect(0).top());
    QVERIFY(matrix.scaleText().startsWith(QStringLiteral("16 heads × 28 layers, one scale 0 to ")));
    matrix.setMaps(made_up::heads(6, 16, true, 4, 4));
    QVERIFY(matrix.scaleText().startsWith(QStringLiteral("6 injection layers × 16 heads, one scale 0 to ")));
    matrix.setSharedScale(false);
    QVERIFY(matrix.scaleText().contains(QStringLiteral("each to its own")));
  }

  void barsAreAsLongAsTheirProbability() {
    const DistributionSet set = made_up::distributions();
    const QRectF rect(0, 0, 400, 430);
    const double student = DistributionBars::barRect(rect, set, true, 0, 0).width(), teacher = DistributionBars::barRect(rect, set, true, 0, 1).width();
    QVERIFY(std::abs(student / teacher - 0.41 / 0.93) < 0.02);
    QVERIFY(DistributionBars::barRect(rect, set, true, 0, 1).top() > DistributionBars::barRect(rect, set, true, 0, 0).top());
    QImage image(400, 430, QImage::Format_RGB32);
    image.fill(darkColors().panel);
    QPainter painter(&image);
    DistributionBars::paintBars(painter, rect, set, darkColors(), true);
    painter.end();
    const auto at = [&](int row, int condition) { return QColor(image.pixel((DistributionBars::barRect(rect, set, true, row, condition).topLeft() + QPointF(6, 4)).toPoint())); };
    QCOMPARE(at(0, 0), darkColors().conditions[0]);
    QCOMPARE(at(0, 1), darkColors().conditions[1]);
    QVERIFY(at(0, 3) != darkColors().conditions[3]);  // an outline, not a solid bar
    QCOMPARE(DistributionBars::barRect(rect, set, true, 6, 3).width() > 0, true);  // the tail has its row
  }

  void aConditionThatWasNotAskedForTakesNoPlace() {
    DistributionSet set = made_up::distributions();
    const double full = DistributionBars::heightFor(set, true);
    set.present[2] = set.present[3] = false;
    QVERIFY(DistributionBars::heightFor(set, true) < full);
  }

  void barsAreChosenByKeys() {
    DistributionBars bars;
    bars.setDistributions(made_up::distributions());
    QSignalSpy selected(&bars, &DistributionBars::rowSelected), activated(&bars, &DistributionBars::rowActivated);
    QTest::keyClick(&bars, Qt::Key_Down);
    QTest::keyClick(&bars, Qt::Key_Down);
    QCOMPARE(selected.last().at(0).toInt(), 1);
    QTest::keyClick(&bars, Qt::Key_Return);
    QCOMPARE(activated.last().at(0).toInt(), 1);
    QVERIFY(bars.cellName(0).contains(QStringLiteral("Student 0.4100")));
  }

  void theStripSetsTheStep() {
    FilmStrip film;
    film.resize(500, 120);
    FilmRow row;
    row.label = QStringLiteral("geo-0017");
    row.gridRows = row.gridCols = 6;
    for (int step = 0; step <= 20; step += 10) row.maps[step] = made_up::peaks(6, 6, step / 20.0).values;
    film.setRows({row});
    film.show();
    QVERIFY(QTest::qWaitForWindowExposed(&film));
    QSignalSpy picked(&film, &FilmStrip::stepPicked);
    QTest::mouseClick(film.viewport(), Qt::LeftButton, {}, film.cellRect(1).center());
    QCOMPARE(picked.last().at(0).toInt(), 10);
    QTest::keyClick(&film, Qt::Key_Right);
    QCOMPARE(picked.last().at(0).toInt(), 20);
    QVERIFY(film.scaleText().startsWith(QStringLiteral("one scale 0 to ")));
  }

  static FilmStrip* strip(int rows, int steps, const QSize& size) {
    auto* film = new FilmStrip;
    film->resize(size);
    std::vector<FilmRow> all;
    for (int r = 0; r < rows; ++r) {
      FilmRow row;
      row.label = QStringLiteral("demo-test-%1").arg(r);
      row.gridRows = row.gridCols = 6;
      for (int step = 0; step < steps; ++step) row.maps[step * 10] = made_up::peaks(6, 6, 1).values;
      all.push_back(row);
    }
    film->setRows(all);
    film->show();
    return film;
  }

  void picturesFillTheStripAndStayLargeEnoughToBeRead() {
    const std::unique_ptr<FilmStrip> few(strip(4, 13, {920, 220})), many(strip(9, 13, {920, 220}));
    QVERIFY(QTest::qWaitForWindowExposed(few.get()));
    QVERIFY2(few->cellRect(few->cellCount() - 1).right() > 920 * 0.85, qPrintable(QString::number(few->cellRect(few->cellCount() - 1).right())));
    QCOMPARE(few->verticalScrollBar()->maximum(), 0);
    QCOMPARE(few->cellRect(0).height() % 6, 0);  // whole pixels a patch
    QVERIFY(many->cellRect(0).height() >= 36);
    QVERIFY(many->verticalScrollBar()->maximum() > 0);
    const std::unique_ptr<FilmStrip> hundred(strip(2, 100, {920, 120}));
    QVERIFY(hundred->horizontalScrollBar()->maximum() > 0);
    QCOMPARE(hundred->horizontalScrollBar()->value(), hundred->horizontalScrollBar()->maximum());  // the newest
  }

  void fewStepsOfSeveralPicturesStandInBlocksAndAreLarger() {
    const std::unique_ptr<FilmStrip> film(strip(4, 4, {1060, 226}));
    QVERIFY(QTest::qWaitForWindowExposed(film.get()));
    const auto cell = [&](int row, int column) { return film->cellRect(column * 4 + row); };
    QVERIFY2(cell(0, 0).height() > 80, qPrintable(QString::number(cell(0, 0).height())));
    QVERIFY(cell(1, 0).top() > cell(0, 0).bottom() && cell(1, 0).left() == cell(0, 0).left());
    QVERIFY(cell(2, 0).left() > cell(0, 3).right() && cell(2, 0).top() == cell(0, 0).top());
    QCOMPARE(film->horizontalScrollBar()->maximum() + film->verticalScrollBar()->maximum(), 0);
    for (int c = 0; c < film->cellCount(); ++c) {
      QVERIFY(film->viewport()->rect().contains(film->cellRect(c)));
      for (int other = 0; other < c; ++other) QVERIFY(!film->cellRect(c).intersects(film->cellRect(other)));
    }
    QSignalSpy compared(film.get(), &FilmStrip::comparePicked);
    QTest::mouseClick(film->viewport(), Qt::LeftButton, Qt::ControlModifier, cell(3, 2).center());
    QCOMPARE(compared.value(0), (QVariantList{20, 3}));
    int names = 0, numbers = 0;
    for (const painted::Text& text : painted::textsOf(*film->viewport())) names += text.words.startsWith(QStringLiteral("demo-test-")), numbers += text.words == QStringLiteral("20");
    QCOMPARE(names, 4);
    QCOMPARE(numbers, 2);  // over each block
    film->setPlanned(10, 400);  // while it goes on the places of the next ones are kept
    QVERIFY(cell(2, 0).left() == cell(0, 0).left());
  }

  void aCursorWhoseStepHasNoMapsStandsBetweenTwoColumns() {
    const std::unique_ptr<FilmStrip> film(strip(1, 5, {600, 90}));
    QVERIFY(QTest::qWaitForWindowExposed(film.get()));
    const auto flag = [&](const QString& step) {
      for (const painted::Text& text : painted::textsOf(*film->viewport()))
        if (text.words == step) return text.ink.center().x();
      return -1.0;
    };
    film->setCursorStep(10);
    QVERIFY(film->cellRect(1).contains(int(flag(QStringLiteral("10"))), film->cellRect(1).center().y()));
    film->setCursorStep(13);
    const double at = flag(QStringLiteral("13"));
    QVERIFY2(at > film->cellRect(1).right() && at < film->cellRect(2).left(), qPrintable(QString::number(at)));
    film->setCursorStep(47);  // after the last
    QVERIFY(flag(QStringLiteral("47")) > film->cellRect(4).right());
  }

  void theNextPicturesHaveTheirPlacesWhileARunGoesOn() {
    const std::unique_ptr<FilmStrip> film(strip(2, 3, {600, 120}));
    QVERIFY(QTest::qWaitForWindowExposed(film.get()));
    const auto says = [&](const QString& step) {
      const std::vector<painted::Text> texts = painted::textsOf(*film->viewport());
      return std::any_of(texts.begin(), texts.end(), [&](const painted::Text& text) { return text.words == step; });
    };
    QVERIFY(!says(QStringLiteral("30")));
    film->setPlanned(10, 40);
    QVERIFY(says(QStringLiteral("30")) && says(QStringLiteral("40")) && !says(QStringLiteral("50")));
    QCOMPARE(film->cellCount(), 6);  // a place is no picture
    QCOMPARE(film->horizontalScrollBar()->maximum(), 0);
    film->setPlanned(0, 40);  // it has ended
    QVERIFY(!says(QStringLiteral("30")));
  }

  void everyPainterTakesTheParts() {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize({700, 600});
    QPainter painter(&generator);
    MatrixView matrix;
    matrix.setMaps(made_up::heads(6, 4, true, 6, 6));
    matrix.paintMatrix(painter, QRectF(0, 0, 400, 200), lightColors());
    TokenStrip strip;
    strip.setResponse(made_up::response());
    strip.paintStrip(painter, QRectF(0, 220, 400, 100), lightColors());
    DistributionBars::paintBars(painter, QRectF(0, 330, 400, 260), made_up::distributions(), lightColors(), true);
    painter.end();
    QVERIFY(buffer.data().contains("Teacher, image erased"));
    QVERIFY(buffer.data().contains("mean"));
  }
};

QTEST_MAIN(WidgetsReading)
#include "tst_widgets_reading.moc"
