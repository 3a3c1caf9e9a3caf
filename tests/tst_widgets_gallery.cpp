// Every widget with made-up values in both themes. With CUESCOPE_GALLERY=folder the pictures are written there to be looked at.
#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QFontDatabase>
#include <QFontInfo>
#include <QGridLayout>
#include <QHeaderView>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSlider>
#include <QTableWidget>
#include <QTest>
#include <QToolButton>
#include <QVBoxLayout>

#include "tests/support/made_up_values.h"
#include "widgets/elided_label.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/film_strip.h"
#include "widgets/icons.h"
#include "widgets/image_canvas.h"
#include "widgets/key_hint.h"
#include "widgets/phase_bar.h"
#include "widgets/segmented_button.h"
#include "widgets/task_progress.h"
#include "widgets/timeline.h"

using namespace cuescope;

class WidgetsGallery : public QObject {
  Q_OBJECT

  void show(QWidget& widget, const QSize& size, const char* name, int minimumColours) {
    widget.resize(size);
    widget.show();
    QVERIFY(QTest::qWaitForWindowExposed(&widget));
    QTest::qWait(40);
    const QImage image = widget.grab().toImage();
    QSet<QRgb> seen;
    for (int y = 0; y < image.height(); y += 2)
      for (int x = 0; x < image.width(); x += 2) seen.insert(image.pixel(x, y));
    const QString folder = qEnvironmentVariable("CUESCOPE_GALLERY");
    if (!folder.isEmpty()) {
      QDir().mkpath(folder);
      QVERIFY(image.save(folder + QStringLiteral("/%1-%2.png").arg(QLatin1String(name), QLatin1String(colors().dark ? "dark" : "light"))));
    }
    QVERIFY2(seen.size() >= minimumColours, qPrintable(QStringLiteral("%1 shows %2 colours").arg(QLatin1String(name)).arg(seen.size())));
  }

  void all() {
    const bool dark = colors().dark;
    {
      ImageCanvas canvas;
      canvas.setScene(made_up::scene(dark));
      show(canvas, {716, 520}, "canvas", 60);
      HeatmapScene other = made_up::scene(dark);
      other.map = made_up::peaks(18, 24, 0.4, 9);
      canvas.setSecond(other, QStringLiteral("step 0"), QStringLiteral("step 140"));
      canvas.setCompare(ImageCanvas::Compare::Swipe);
      show(canvas, {716, 520}, "canvas-swipe", 60);
    }
    {
      HeatmapScene s = made_up::scene(dark);
      s.picture = made_up::drawing(192, 192);
      s.map = made_up::peaks(6, 6);
      s.boxes.clear();
      s.selectedPatch = -1;
      ImageCanvas canvas;
      canvas.setScene(s);
      show(canvas, {500, 400}, "canvas-demo", 30);
    }
    {
      MatrixView matrix;
      matrix.setColorMap(defaultColorMap(dark));
      matrix.setMaps(made_up::heads(6, 16, true));
      matrix.setSelection(10, kMeanHead);
      show(matrix, {667, 210}, "matrix", 60);
      matrix.setMaps(made_up::heads(28, 16, false));
      matrix.setSelection(18, 9);
      show(matrix, {667, 230}, "matrix-self", 60);
      matrix.setMaps(made_up::heads(2, 4, true, 6, 6));
      matrix.setSelection(0, kMeanHead);
      show(matrix, {420, 200}, "matrix-demo", 20);
    }
    {
      TokenStrip strip;
      strip.setPrompt(made_up::prompt());
      const auto response = made_up::response();
      strip.setResponse(response);
      TokenColoring coloring;
      coloring.kind = TokenColoring::Kind::Gap;
      coloring.name = QStringLiteral("gap"), coloring.unit = QStringLiteral("nats");
      strip.setColoring(coloring, made_up::gaps(response.size()));
      std::vector<double> shares;
      for (std::size_t i = 0; i < response.size(); ++i) shares.push_back(double(i % 7) / 9);
      strip.setImageShares(shares);
      strip.setSelection(21);
      show(strip, {716, 190}, "tokens", 30);
      coloring.kind = TokenColoring::Kind::Sequential;
      coloring.low = -3, coloring.high = 3;
      strip.setColoring(coloring, made_up::gaps(response.size()));
      show(strip, {716, 190}, "tokens-sequential", 30);
    }
    {
      DistributionBars bars;
      bars.setDistributions(made_up::distributions());
      show(bars, {334, 430}, "distributions", 8);
    }
    {
      CurveGrid grid;
      grid.setData({made_up::run(QStringLiteral("demo-opsd-vicur"), 143), made_up::run(QStringLiteral("demo-opsd"), 143)}, made_up::panels(143));
      grid.setCursorStep(140);
      show(grid, {1062, 480}, "curves", 40);
    }
    {
      Timeline line;
      TimelineData data;
      data.last = 275, data.now = 142, data.live = true, data.best = 100;
      data.checkpoints = {20, 40, 60, 80, 100, 120, 140}, data.epochs = {55, 110, 165, 220};
      for (int i = 0; i <= 140; i += 10) data.probes.push_back(i);
      data.health = {{96, QStringLiteral("step skipped")}, {118, QStringLiteral("length falling")}};
      line.setData(data);
      line.setCursorStep(140);
      show(line, {1384, 58}, "timeline", 6);
    }
    {
      PhaseBar bar;
      PhaseData data;
      data.step = 142, data.phases = {{QStringLiteral("Rollout"), 6.1}, {QStringLiteral("Score"), 2.4}, {QStringLiteral("Backward"), 4.7}, {QStringLiteral("Update"), 0.8}, {QStringLiteral("Save"), 0.3}};
      data.nowStep = 143, data.nowPhase = QStringLiteral("backward"), data.nowDone = 41, data.nowTotal = 64;
      bar.setData(data);
      show(bar, {1062, 52}, "phases", 6);
    }
    {
      FilmStrip film;
      std::vector<FilmRow> rows;
      for (int r = 0; r < 4; ++r) {
        FilmRow row;
        row.label = QStringLiteral("geo-%1").arg(17 + r, 4, 10, QLatin1Char('0'));
        row.picture = made_up::drawing();
        row.gridRows = 18, row.gridCols = 24;
        for (int step = 0; step <= 140; step += 10) row.maps[step] = made_up::peaks(18, 24, step / 140.0, unsigned(r * 50 + step)).values;
        rows.push_back(row);
      }
      film.setRows(rows);
      film.setColorMap(defaultColorMap(dark));
      film.setCursorStep(140);
      show(film, {1062, 228}, "film", 60);
    }
    {
      QWidget page;
      page.setAutoFillBackground(true);
      auto* grid = new QGridLayout(&page);
      grid->setHorizontalSpacing(16);
      int line = 0;
      const auto add = [&](const char* name, const QList<QWidget*>& widgets) {
        auto* label = new QLabel(QLatin1String(name));
        label->setProperty("tone", QStringLiteral("3"));
        grid->addWidget(label, line, 0);
        auto* row = new QHBoxLayout;
        for (QWidget* w : widgets) row->addWidget(w);
        row->addStretch(1);
        grid->addLayout(row, line++, 1);
      };
      auto* disabled = new QPushButton(QStringLiteral("Disabled"));
      disabled->setEnabled(false);
      auto* primary = new QPushButton(QStringLiteral("Primary"));
      primary->setProperty("primary", true);
      auto* withIcon = new QPushButton(icon(Icon::Pause), QStringLiteral("Pause"));
      add("Button", {new QPushButton(QStringLiteral("Rest")), withIcon, disabled, primary});
      auto* tool = new QToolButton;
      tool->setIcon(icon(Icon::Box));
      tool->setCheckable(true);
      tool->setChecked(true);
      auto* tool2 = new QToolButton;
      tool2->setIcon(icon(Icon::Grid));
      auto* tool3 = new QToolButton;
      tool3->setIcon(icon(Icon::Brush));
      tool3->setEnabled(false);
      add("Tool button", {tool2, tool, tool3, new SegmentedButton({QStringLiteral("Erase"), QStringLiteral("Blur"), QStringLiteral("Average"), QStringLiteral("Keep only")})});
      auto* combo = new QComboBox;
      combo->addItems(colorMapNames());
      auto* search = new QLineEdit;
      search->setPlaceholderText(QStringLiteral("Search"));
      auto* invalid = new QLineEdit(QStringLiteral("-1e-6"));
      invalid->setProperty("invalid", true);
      invalid->setFont(monoFont(11));
      add("Fields", {combo, search, invalid, new KeyHint(QStringLiteral("Ctrl+K"))});
      auto* on = new QCheckBox(QStringLiteral("On"));
      on->setChecked(true);
      auto* slider = new QSlider(Qt::Horizontal);
      slider->setValue(60);
      slider->setFixedWidth(100);
      add("Check, slider", {new QCheckBox(QStringLiteral("Off")), on, slider});
      QList<QWidget*> icons;
      for (int i = 0; i < int(Icon::Count); ++i) {
        auto* l = new QLabel;
        l->setPixmap(icon(Icon(i)).pixmap(QSize(16, 16), 1.0));
        icons << l;
        if (icons.size() == 28) add("Icons", icons), icons.clear();
      }
      add("Icons", icons);
      auto* progress = new TaskProgress;
      progress->setTask(QStringLiteral("Occlusion map, 212 of 432 patches"), 212, 432, 8);
      add("Progress", {progress});
      auto* error = new ErrorPanel;
      error->setFailure(QStringLiteral("The cue module in this model folder is incomplete"),
                        QStringLiteral("model.safetensors.index.json holds 12 of the 24 cue projections: L0, L5 and L10 are there, L15, L20 and L25 are missing."),
                        QStringLiteral("The save was probably interrupted. Nothing was loaded."));
      error->setActions({QStringLiteral("Choose folder again"), QStringLiteral("Open without the cue module")});
      grid->addWidget(new QLabel(QStringLiteral("Error")), line, 0);
      grid->addWidget(error, line++, 1);
      auto* empty = new EmptyPanel;
      empty->setText(QStringLiteral("No rollouts for step 137."), QStringLiteral("Rollouts are saved every 10 steps. The nearest are 130 and 140."), QStringLiteral("Go to 140"));
      grid->addWidget(new QLabel(QStringLiteral("Empty")), line, 0);
      grid->addWidget(empty, line++, 1);
      auto* table = new QTableWidget(3, 3);
      table->setHorizontalHeaderLabels({QStringLiteral("Step"), QStringLiteral("Gap"), QStringLiteral("Kept as")});
      table->verticalHeader()->hide();
      table->setShowGrid(false);
      for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 3; ++c) table->setItem(r, c, new QTableWidgetItem(c == 2 ? QStringLiteral("last") : QString::number(140 - 20 * r)));
      table->selectRow(0);
      table->setFixedHeight(120);
      grid->addWidget(table, line++, 1);
      auto* elided = new ElidedLabel(QStringLiteral("demo-opsd-vicur-2b-with-a-rather-long-name"));
      elided->setElide(Qt::ElideMiddle);
      elided->setFixedWidth(160);
      add("Elided", {elided});
      primary->setFocus(Qt::TabFocusReason);
      page.show();
      page.activateWindow();
      primary->setFocus(Qt::TabFocusReason);
      show(page, {860, 760}, "components", 20);
    }
  }

 private Q_SLOTS:
  void initTestCase() { Theme::instance().install(); }
  void interAndJetBrainsMonoAreTheFontsInUse() {
    if (!QFontDatabase::families().contains(QStringLiteral("Inter"))) QSKIP("the Inter font is not installed on this machine");
    QCOMPARE(QFontInfo(uiFont(12)).family(), QStringLiteral("Inter"));
    QVERIFY(QFontInfo(monoFont(11)).family().startsWith(QStringLiteral("JetBrains Mono")));
    QVERIFY(QFontInfo(monoFont(11)).fixedPitch());
    // No ligatures: the special token is as wide as its characters.
    const QFontMetricsF metrics(monoFont(12));
    QCOMPARE(metrics.horizontalAdvance(QStringLiteral("<|im_start|>")), 12 * metrics.horizontalAdvance(QLatin1Char('0')));
  }
  void everythingIsPaintedInDark() {
    Theme::instance().setSetting(ThemeSetting::Dark);
    all();
  }
  void everythingIsPaintedInLight() {
    Theme::instance().setSetting(ThemeSetting::Light);
    all();
  }
};

QTEST_MAIN(WidgetsGallery)
#include "tst_widgets_gallery.moc"
