// CurveGrid: small plots of a run's metrics over step, tokens or time: raw under smoothed, several runs overlaid, one cursor
// in all plots, ordinal series named at their ends, whiskers, log axes, health marks. QCustomPlot lives in the .cpp alone.
// A million points a series stay fluid: only what a pixel column can show is drawn (curve_line.h). UI thread.
#pragma once

#include <QWidget>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/theme.h"

class QPainter;

namespace cuescope {

/// The x values that all series of one run share; index i is one step.
struct CurveRun {
  QString name;
  std::vector<double> steps, tokens, seconds;  // same length; steps ascending
};

enum class CurveX { Step, Tokens, Time };

struct CurveSeries {
  enum class Kind { Run, Condition, Ordinal };
  int run = 0;                  // index into the runs: run 0 is the selected one, the others are overlaid
  Kind kind = Kind::Run;
  int index = 0;                // condition 0-3, or place in depth order
  int count = 1;                // how many ordinal series there are
  QString label;                // at the line's end (ordinal) or before its value (condition)
  std::vector<double> y;        // aligned with the run's steps; NaN: no value there
  std::vector<double> low, high;  // whiskers, empty: none
  bool smoothed = true;         // false for values that exist only every n-th step
};

struct CurveMark {
  double step = 0;
  QString words;                // four words: «falling 5 tokens a step»
};

struct CurvePanel {
  QString id;                   // metric key, kept for order and menus
  QString title, unit;          // «Distillation loss», «token-mean, nats»
  QString help;                 // what it is, in a sentence: tooltip and «What is this?»
  int decimals = 3;
  bool log = false;
  double low = std::numeric_limits<double>::quiet_NaN(), high = std::numeric_limits<double>::quiet_NaN();  // NaN: from the data
  double reference = std::numeric_limits<double>::quiet_NaN();
  QString referenceName;        // «clip 1.0», «uniform»
  std::vector<CurveSeries> series;
  std::vector<CurveMark> marks;
};

/// What a person has zoomed to: of x, and of the y axes of single panels by their id.
struct CurveZoom {
  std::optional<std::pair<double, double>> x;
  std::map<QString, std::pair<double, double>> y;
};

/// Exponential smoothing with the bias of the start removed; NaN is skipped; factor 0 gives the values back.
std::vector<double> smoothed(const std::vector<double>& values, double factor);

class CurveGrid : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit CurveGrid(QWidget* parent = nullptr);
  ~CurveGrid() override;

  void setRuns(const std::vector<CurveRun>& runs);
  void setPanels(const std::vector<CurvePanel>& panels);
  const std::vector<CurvePanel>& panels() const;
  const std::vector<CurveRun>& runs() const;
  /// Both at once, keeping zoom; what the live page calls (coalesced to one repaint a frame).
  void setData(std::vector<CurveRun> runs, std::vector<CurvePanel> panels);
  void setColumns(int columns);
  void setCursorStep(double step);  // NaN: none
  double cursorStep() const;
  void setSmoothing(double factor);  // 0 to 0.99
  double smoothing() const;
  void setX(CurveX x);
  CurveX x() const;
  void fit();                        // forget zoom
  CurveZoom zoom() const;
  void setZoom(const CurveZoom& zoom);
  void setEmptyText(const QString& text);
  /// Turns a panel's axis from linear to logarithmic or back; kept by the panel's id while the grid lives.
  void toggleLog(int panel);
  /// Last, lowest and highest value of a series with their steps, in words; «not computed» without values.
  QString summary(int panel, int series) const;

  /// Panel and step under a position; panel -1 outside.
  int panelAt(const QPointF& position, double* step = nullptr) const;
  /// Where a panel's axes lie, in the widget.
  QRectF axesRect(int panel) const;
  /// Value of a series at the cursor (nearest step at or before it), NaN if none.
  double valueAtCursor(int panel, int series) const;
  /// The whole grid into a rectangle of any painter: PNG, SVG and PDF export.
  void paintCurves(QPainter& painter, const QRectF& rect);
  /// Raw numbers of one panel: step, tokens, seconds, a column a series.
  QString csv(int panel) const;

  QSize sizeHint() const override { return {900, 480}; }
  QSize minimumSizeHint() const override { return {240, 160}; }
  int cellCount() const override;
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override;

 Q_SIGNALS:
  void stepPicked(int step);
  void stepHovered(double step);
  void panelActivated(int panel);  // double click: after fit
  void menuRequested(int panel, const QPoint& globalPosition);  // right click without a drag, or the menu key

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  void leaveDrag();
  struct Private;
  std::unique_ptr<Private> d;
};

}  // namespace cuescope
