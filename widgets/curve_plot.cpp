// The only file that sees QCustomPlot. Curves, whiskers and the grid are its graphs; titles, values, tick labels, marks and
// the cursor are drawn by one overlay on a layer of its own, so that moving the cursor repaints no curve.
#include "widgets/curve_plot.h"

#include <qcustomplot.h>

#include <QKeyEvent>
#include <QHelpEvent>
#include <QToolTip>
#include <QTimer>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "widgets/curve_line.h"
#include "widgets/curve_math.h"
#include "widgets/curve_overlay.h"
#include "widgets/empty_panel.h"
#include "widgets/numbers.h"

namespace cuescope {
namespace {

constexpr int kLeft = 50, kTop = 24, kRight = 12, kRightLabels = 34, kBottom = 20;

struct PanelItems {
  QCPAxisRect* axes = nullptr;
  QCPAxis *x = nullptr, *y = nullptr;
  std::vector<QCPGraph*> raw, line;
  std::vector<QCPErrorBars*> whiskers;
  std::vector<CurveLine> ready;  // a series' values, ready to be drawn at any zoom
  int omitted = 0;               // points that a log axis cannot show
  bool zoomed = false;           // y range is the person's
};

class Overlay;

}  // namespace

struct CurveGrid::Private {
  QCustomPlot* plot = nullptr;
  Overlay* overlay = nullptr;
  QTimer* later = nullptr;
  std::vector<CurveRun> runs;
  std::vector<CurvePanel> panels;
  std::vector<PanelItems> items;
  int columns = 3, current = 0;
  double cursor = std::numeric_limits<double>::quiet_NaN(), smoothing = 0.85;
  CurveX x = CurveX::Step;
  std::set<QString> flipped;  // panels whose axis the person has turned to log or back
  bool zoomedX = false, stale = true, rebuild = true;
  QString empty;
  enum class Drag { None, Pan, Zoom } drag = Drag::None;
  QPointF pressed, last;
  QCPRange pressedX, pressedY;  // what a drag began with: Esc goes back there
  bool pressedZoomedX = false, pressedZoomed = false;
  QRectF rubber;
  int dragPanel = -1;

  void schedule(bool newLayout);
  void refresh();
  void bring();
  void build();
  void prepare();
  void fill();
  void ranges();
  void restyle();
  void pens(std::size_t panel, std::size_t series);
};

namespace {

PanelFrame frameOf(const PanelItems& item) {
  const QVector<double> xs = item.x->tickVector(), ys = item.y->tickVector();
  return {item.axes->rect(), item.axes->outerRect(), {xs.begin(), xs.end()}, {ys.begin(), ys.end()}, [x = item.x](double v) { return x->coordToPixel(v); },
          [y = item.y](double v) { return y->coordToPixel(v); }, item.x->range().size(), item.omitted};
}

/// Draws what is not a curve. Sees the grid's private part through references.
class Overlay : public QCPLayerable {
 public:
  Overlay(QCustomPlot* plot, const std::vector<CurveRun>& runs, const std::vector<CurvePanel>& panels, const std::vector<PanelItems>& items, const CurveGrid* grid,
          const QString& empty, const QRectF& rubber)
      : QCPLayerable(plot, QStringLiteral("overlay")), m_runs(runs), m_panels(panels), m_items(items), m_grid(grid), m_empty(empty), m_rubber(rubber) {}

 protected:
  void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }  // ours is set in draw(): QCPPainter's shifts by half a pixel
  void draw(QCPPainter* painter) override {
    const Colors& c = colors();
    painter->setRenderHint(QPainter::Antialiasing, true);
    if (m_panels.empty()) {
      paintEmpty(*painter, mParentPlot->viewport(), m_empty, {}, c);
      return;
    }
    for (std::size_t i = 0; i < m_panels.size() && i < m_items.size(); ++i) paintPanelFrame(*painter, *m_grid, int(i), m_runs, frameOf(m_items[i]), c);
    if (!m_rubber.isEmpty()) {
      painter->setBrush(Qt::NoBrush);
      painter->setPen(QPen(c.ink, 1, Qt::DashLine));
      painter->drawRect(m_rubber);
    }
  }

 private:
  const std::vector<CurveRun>& m_runs;
  const std::vector<CurvePanel>& m_panels;
  const std::vector<PanelItems>& m_items;
  const CurveGrid* m_grid;
  const QString& m_empty;
  const QRectF& m_rubber;
};

/// Our own ticks, so that every plot has 3 to 5 and the labels can be drawn by the overlay.
class Ticker : public QCPAxisTicker {
 public:
  Ticker(bool log, int wanted, const CurveX* steps = nullptr) : m_log(log), m_wanted(wanted), m_steps(steps) {}
  void generate(const QCPRange& range, const QLocale&, QChar, int, QVector<double>& ticks, QVector<double>* subTicks, QVector<QString>* labels) override {
    std::vector<double> found = curves::ticks(range.lower, range.upper, m_log, m_wanted);
    const auto whole = [](double v) { return std::abs(v - std::round(v)) < 1e-9; };
    if (m_steps && *m_steps == CurveX::Step)  // there is no step 2.5
      for (const int wanted : {m_wanted, m_wanted + 1, m_wanted - 1, m_wanted - 2, 1}) {
        found = curves::ticks(range.lower, range.upper, m_log, wanted);
        if (std::all_of(found.begin(), found.end(), whole)) break;
      }
    if (m_steps && *m_steps == CurveX::Step) std::erase_if(found, [&](double v) { return !whole(v); });
    ticks = QVector<double>(found.begin(), found.end());
    if (subTicks) subTicks->clear();
    if (labels) *labels = QVector<QString>(ticks.size());
  }

 private:
  bool m_log;
  int m_wanted;
  const CurveX* m_steps;
};

}  // namespace

void CurveGrid::Private::schedule(bool newLayout) {
  stale = true;
  rebuild = rebuild || newLayout;
  if (!later->isActive()) later->start();
}

void CurveGrid::Private::refresh() {
  if (stale) plot->replot(QCustomPlot::rpImmediateRefresh);
}

// Before every drawing, whoever asked for it: titles of one state never stand over the curves of another.
void CurveGrid::Private::bring() {
  if (!stale) return;
  stale = false;
  if (rebuild) build();
  rebuild = false;
  prepare();
  ranges();
  fill();
  restyle();
}

void CurveGrid::Private::build() {
  plot->clearPlottables();
  plot->plotLayout()->clear();
  items.assign(panels.size(), {});
  plot->plotLayout()->setRowSpacing(0);
  plot->plotLayout()->setColumnSpacing(0);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    PanelItems& item = items[i];
    item.axes = new QCPAxisRect(plot, false);
    item.x = item.axes->addAxis(QCPAxis::atBottom);
    item.y = item.axes->addAxis(QCPAxis::atLeft);
    const bool ordinal = std::any_of(panels[i].series.begin(), panels[i].series.end(), [](const CurveSeries& s) { return s.kind == CurveSeries::Kind::Ordinal; });
    item.axes->setAutoMargins(QCP::msNone);
    item.axes->setMargins(QMargins(kLeft, kTop, ordinal ? kRightLabels : kRight, kBottom));
    item.axes->setMinimumSize(80, 60);
    item.y->setScaleType(panels[i].log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    item.x->setTicker(QSharedPointer<QCPAxisTicker>(new Ticker(false, 4, &x)));
    item.y->setTicker(QSharedPointer<QCPAxisTicker>(new Ticker(panels[i].log, 4)));
    for (QCPAxis* axis : {item.x, item.y}) {
      axis->setTickLabels(false);
      axis->setTicks(true);
      axis->setTickLength(0, 0);
      axis->setTickPen(Qt::NoPen);  // without a length they would still be dots
      axis->setSubTicks(false);
      axis->grid()->setVisible(true);
      axis->grid()->setLayer(QStringLiteral("grid"));
      axis->setLayer(QStringLiteral("axes"));
    }
    plot->plotLayout()->addElement(int(i) / columns, int(i) % columns, item.axes);
    // Overlaid runs below, the selected run on top; raw below smoothed.
    item.raw.assign(panels[i].series.size(), nullptr), item.line.assign(panels[i].series.size(), nullptr);
    item.whiskers.assign(panels[i].series.size(), nullptr);
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t s = panels[i].series.size(); s-- > 0;) {
        auto& slot = pass == 0 ? item.raw[s] : item.line[s];
        slot = plot->addGraph(item.x, item.y);
        slot->setAdaptiveSampling(false);  // fill() gives it no more than a few points a column
        slot->setAntialiased(true);
      }
    for (std::size_t s = 0; s < panels[i].series.size(); ++s)
      if (!panels[i].series[s].low.empty()) {
        item.whiskers[s] = new QCPErrorBars(item.x, item.y);
        item.whiskers[s]->setDataPlottable(item.line[s]);
        item.whiskers[s]->setWhiskerWidth(5);
        item.whiskers[s]->setSymbolGap(0);
      }
  }
}

// What has been added since the last time, smoothed and summed up in blocks.
void CurveGrid::Private::prepare() {
  for (std::size_t i = 0; i < panels.size(); ++i) {
    PanelItems& item = items[i];
    item.omitted = 0;
    item.ready.resize(panels[i].series.size());
    for (std::size_t s = 0; s < panels[i].series.size(); ++s) {
      const CurveSeries& series = panels[i].series[s];
      item.ready[s].update(series.y, smoothing, !series.smoothed, panels[i].log);
      item.omitted += item.ready[s].omitted();
    }
  }
}

// More points than columns, which climb and fall more than eight pixels in each.
static bool isBand(const QVector<QCPGraphData>& points, const QCPAxis& y, int pixels) {
  if (points.size() <= 2 * pixels) return false;
  double way = 0, last = std::numeric_limits<double>::quiet_NaN();
  for (const QCPGraphData& point : points) {
    const double at = y.coordToPixel(point.value);
    if (std::isfinite(at - last)) way += std::abs(at - last);
    last = at;
  }
  return way > 8.0 * pixels;
}

// What the shown range needs: a few points a pixel column.
void CurveGrid::Private::fill() {
  for (std::size_t i = 0; i < panels.size(); ++i) {
    PanelItems& item = items[i];
    const QCPRange shown = item.x->range();
    const int pixels = std::max(80, item.axes->width());
    for (std::size_t s = 0; s < panels[i].series.size(); ++s) {
      const CurveSeries& series = panels[i].series[s];
      QVector<QCPGraphData> raw, line;
      QVector<double> minus, plus;
      if (std::size_t(series.run) < runs.size()) {
        const std::vector<double>& xs = curves::xValues(runs[std::size_t(series.run)], x);
        const bool smooth = series.smoothed && smoothing > 0;
        const CurveLine& ready = item.ready[s];
        const auto take = [](const std::vector<CurvePoint>& points, QVector<QCPGraphData>& into) {
          into.reserve(qsizetype(points.size()));
          for (const CurvePoint& point : points) into.append({point.x, point.y});
        };
        if (item.whiskers[s]) {  // few, and each with its interval
          for (std::size_t k = 0; k < std::min({xs.size(), series.y.size(), series.low.size(), series.high.size()}); ++k)
            if (!std::isnan(series.y[k])) line.append({xs[k], series.y[k]}), minus.append(series.y[k] - series.low[k]), plus.append(series.high[k] - series.y[k]);
        } else {
          if (smooth) take(ready.points(xs, shown.lower, shown.upper, pixels, false), raw);
          take(ready.points(xs, shown.lower, shown.upper, pixels, smooth), line);
        }
      }
      item.raw[s]->data()->set(raw, true);
      item.line[s]->data()->set(line, true);
      // A band of upright strokes looks the same without smooth edges, and takes a tenth.
      item.raw[s]->setAntialiased(!isBand(raw, *item.y, pixels));
      item.line[s]->setAntialiased(!isBand(line, *item.y, pixels));
      pens(i, s);
      // One value is no line yet: a dot, or it could not be seen.
      item.line[s]->setScatterStyle(item.ready[s].valueCount() == 1 ? QCPScatterStyle(QCPScatterStyle::ssDisc, 5) : QCPScatterStyle());
      if (item.whiskers[s]) item.whiskers[s]->setData(minus, plus);
    }
  }
}

void CurveGrid::Private::ranges() {
  double last = 0;
  for (const CurveRun& run : runs) {
    const std::vector<double>& xs = curves::xValues(run, x);
    if (!xs.empty()) last = std::max(last, xs.back());
  }
  for (std::size_t i = 0; i < panels.size(); ++i) {
    PanelItems& item = items[i];
    // A whisker at the first step stands beside the axis, not half behind it.
    const double room = std::any_of(panels[i].series.begin(), panels[i].series.end(), [](const CurveSeries& s) { return !s.low.empty(); }) ? 0.02 : 0;
    if (!zoomedX) item.x->setRange(-room * last, last > 0 ? last * 1.02 : 10);
    if (item.zoomed) continue;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    const auto take = [&](double v) {
      if (std::isfinite(v) && (!panels[i].log || v > 0)) low = std::min(low, v), high = std::max(high, v);
    };
    for (std::size_t k = 0; k < panels[i].series.size(); ++k) {
      const CurveSeries& series = panels[i].series[k];
      const auto [least, most] = item.ready[k].extent();
      take(least), take(most);
      for (const double v : series.low) take(v);
      for (const double v : series.high) take(v);
    }
    take(panels[i].reference);
    if (std::isfinite(panels[i].low)) low = panels[i].low;
    if (std::isfinite(panels[i].high)) high = panels[i].high;
    if (!(high >= low)) low = panels[i].log ? 0.1 : 0, high = 1;
    if (panels[i].log) {
      item.y->setRange(low / 1.3, high * 1.3);
    } else {
      const double pad = high > low ? (high - low) * 0.08 : std::max(1e-9, std::abs(high) * 0.1 + 1e-3);
      const double foot = low >= 0 && low - pad < 0 ? 0 : low - pad;  // what cannot be negative does not show negative ground
      item.y->setRange(std::isfinite(panels[i].low) ? panels[i].low : foot, std::isfinite(panels[i].high) ? panels[i].high : high + pad);
    }
  }
}

void CurveGrid::Private::restyle() {
  const Colors& c = colors();
  plot->setBackground(c.well);
  for (std::size_t i = 0; i < panels.size() && i < items.size(); ++i) {
    PanelItems& item = items[i];
    for (QCPAxis* axis : {item.x, item.y}) {
      axis->setBasePen(QPen(c.lineStrong, 1));
      axis->grid()->setPen(QPen(blended(c.well, c.text, 0.08), 1));
      axis->grid()->setZeroLinePen(Qt::NoPen);
    }
    for (std::size_t s = 0; s < panels[i].series.size(); ++s) pens(i, s);
  }
}

void CurveGrid::Private::pens(std::size_t panel, std::size_t at) {
  const Colors& c = colors();
  PanelItems& item = items[panel];
  const CurveSeries& series = panels[panel].series[at];
  QPen raw = seriesPen(series, c, 1);
  raw.setStyle(Qt::SolidLine);
  QColor faint = raw.color();
  faint.setAlphaF(0.32f);
  raw.setColor(faint);
  item.raw[at]->setPen(raw);
  const bool wide = item.line[at]->antialiased() && (smoothing > 0 || !series.smoothed);
  item.line[at]->setPen(seriesPen(series, c, wide ? 1.75 : 1));
  if (item.whiskers[at]) item.whiskers[at]->setPen(QPen(seriesPen(series, c, 1).color(), 1));
}

CurveGrid::CurveGrid(QWidget* parent) : QWidget(parent), d(std::make_unique<Private>()) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Curves"));
  d->plot = new QCustomPlot(this);
  d->plot->setFocusPolicy(Qt::NoFocus);
  d->plot->setPlottingHint(QCP::phFastPolylines);
  d->plot->plotLayout()->clear();
  d->plot->plotLayout()->setMargins({});
  d->plot->installEventFilter(this);
  d->plot->setMouseTracking(true);
  d->overlay = new Overlay(d->plot, d->runs, d->panels, d->items, this, d->empty, d->rubber);
  d->later = new QTimer(this);
  d->later->setSingleShot(true);
  d->later->setInterval(16);
  connect(d->later, &QTimer::timeout, this, [this] { d->refresh(); });
  connect(d->plot, &QCustomPlot::beforeReplot, this, [this] { d->bring(); });
  connect(&Theme::instance(), &Theme::changed, this, [this] { d->schedule(false); });
  d->schedule(true);
}

CurveGrid::~CurveGrid() = default;

void CurveGrid::setRuns(const std::vector<CurveRun>& runs) { setData(runs, d->panels); }
void CurveGrid::setPanels(const std::vector<CurvePanel>& panels) { setData(d->runs, panels); }
const std::vector<CurvePanel>& CurveGrid::panels() const { return d->panels; }
const std::vector<CurveRun>& CurveGrid::runs() const { return d->runs; }

void CurveGrid::setData(std::vector<CurveRun> runs, std::vector<CurvePanel> panels) {
  const auto sameShape = [](const CurvePanel& a, const CurvePanel& b) {
    if (a.id != b.id || a.log != b.log || a.series.size() != b.series.size()) return false;
    for (std::size_t s = 0; s < a.series.size(); ++s)
      if (a.series[s].kind != b.series[s].kind || a.series[s].low.empty() != b.series[s].low.empty()) return false;
    return true;
  };
  for (CurvePanel& panel : panels)
    if (d->flipped.count(panel.id)) panel.log = !panel.log;
  const bool same = panels.size() == d->panels.size() && std::equal(panels.begin(), panels.end(), d->panels.begin(), sameShape);
  // A series that begins with what it was keeps what was made of it; any other is made anew.
  for (std::size_t i = 0; i < panels.size() && i < d->items.size() && same; ++i)
    for (std::size_t s = 0; s < panels[i].series.size() && s < d->items[i].ready.size(); ++s) {
      const std::vector<double>&now = panels[i].series[s].y, &before = d->panels[i].series[s].y;
      const bool grown = before.size() <= now.size() && d->items[i].ready[s].size() == before.size() && (before.empty() || !std::memcmp(before.data(), now.data(), before.size() * sizeof(double)));
      if (!grown) d->items[i].ready[s].clear();
    }
  d->runs = std::move(runs);
  d->panels = std::move(panels);
  if (!same) d->zoomedX = false;
  d->schedule(!same);
}

void CurveGrid::setColumns(int columns) {
  columns = std::max(1, columns);
  if (columns == d->columns) return;
  d->columns = columns;
  d->schedule(true);
}

void CurveGrid::setCursorStep(double step) {
  d->cursor = step;
  if (d->stale) return;
  if (QCPLayer* layer = d->plot->layer(QStringLiteral("overlay"))) layer->replot();
}
double CurveGrid::cursorStep() const { return d->cursor; }
void CurveGrid::setSmoothing(double factor) {
  d->smoothing = std::clamp(factor, 0.0, 0.99);
  d->schedule(false);
}
double CurveGrid::smoothing() const { return d->smoothing; }
void CurveGrid::setX(CurveX x) {
  if (x == d->x) return;
  d->x = x;
  d->zoomedX = false;
  d->schedule(false);
}
CurveX CurveGrid::x() const { return d->x; }
void CurveGrid::fit() {
  d->zoomedX = false;
  for (PanelItems& item : d->items) item.zoomed = false;
  d->schedule(false);
}
CurveZoom CurveGrid::zoom() const {
  d->refresh();
  CurveZoom zoom;
  if (d->items.empty()) return zoom;
  if (d->zoomedX) zoom.x = {d->items.front().x->range().lower, d->items.front().x->range().upper};
  for (std::size_t i = 0; i < d->items.size() && i < d->panels.size(); ++i)
    if (d->items[i].zoomed) zoom.y[d->panels[i].id] = {d->items[i].y->range().lower, d->items[i].y->range().upper};
  return zoom;
}
void CurveGrid::setZoom(const CurveZoom& zoom) {
  d->refresh();
  d->zoomedX = zoom.x.has_value();
  for (std::size_t i = 0; i < d->items.size() && i < d->panels.size(); ++i) {
    if (zoom.x) d->items[i].x->setRange(zoom.x->first, zoom.x->second);
    const auto found = zoom.y.find(d->panels[i].id);
    d->items[i].zoomed = found != zoom.y.end();
    if (d->items[i].zoomed) d->items[i].y->setRange(found->second.first, found->second.second);
  }
  d->schedule(false);
}
void CurveGrid::setEmptyText(const QString& text) {
  d->empty = text;
  d->schedule(false);
}

int CurveGrid::panelAt(const QPointF& position, double* step) const {
  d->refresh();
  for (std::size_t i = 0; i < d->items.size(); ++i) {
    if (!d->items[i].axes->outerRect().contains(position.toPoint())) continue;
    if (step && !d->runs.empty()) *step = curves::stepOfX(d->runs.front(), d->x, d->items[i].x->pixelToCoord(position.x()));
    return int(i);
  }
  return -1;
}

QRectF CurveGrid::axesRect(int panel) const {
  d->refresh();
  return panel >= 0 && std::size_t(panel) < d->items.size() ? QRectF(d->items[std::size_t(panel)].axes->rect()) : QRectF();
}

double CurveGrid::valueAtCursor(int panel, int series) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  if (panel < 0 || std::size_t(panel) >= d->panels.size() || series < 0 || std::size_t(series) >= d->panels[std::size_t(panel)].series.size()) return none;
  const CurveSeries& s = d->panels[std::size_t(panel)].series[std::size_t(series)];
  if (std::size_t(s.run) >= d->runs.size()) return none;
  const CurveRun& run = d->runs[std::size_t(s.run)];
  int at = std::isfinite(d->cursor) ? curves::indexAt(run, d->cursor) : int(run.steps.size()) - 1;
  at = std::min(at, int(s.y.size()) - 1);
  // A value that exists only every n-th step is the last one before the cursor.
  while (at > 0 && !s.smoothed && std::isnan(s.y[std::size_t(at)])) --at;
  return at < 0 ? none : s.y[std::size_t(at)];
}

void CurveGrid::paintCurves(QPainter& painter, const QRectF& rect) {
  d->refresh();
  const QSize size = rect.size().toSize();
  QPicture picture;
  {
    QCPPainter recorder(&picture);
    recorder.setMode(QCPPainter::pmVectorized);
    recorder.setMode(QCPPainter::pmNoCaching);
    d->plot->toPainter(&recorder, size.width(), size.height());
  }
  painter.save();
  painter.fillRect(rect, colors().well);
  painter.translate(rect.topLeft());
  // A picture is played at the device's dots an inch; the rectangle is in pixels, whatever the file says of inches.
  painter.scale(double(picture.logicalDpiX()) / painter.device()->logicalDpiX(), double(picture.logicalDpiY()) / painter.device()->logicalDpiY());
  picture.play(&painter);
  painter.restore();
  d->stale = true;  // toPainter laid the plots out for another size
  d->refresh();
}

QString CurveGrid::csv(int panel) const {
  if (panel < 0 || std::size_t(panel) >= d->panels.size()) return {};
  const CurvePanel& p = d->panels[std::size_t(panel)];
  QString out = QStringLiteral("run,step,tokens,seconds,series,value\n");
  for (const CurveSeries& series : p.series) {
    if (std::size_t(series.run) >= d->runs.size()) continue;
    const CurveRun& run = d->runs[std::size_t(series.run)];
    for (std::size_t k = 0; k < std::min(series.y.size(), run.steps.size()); ++k) {
      if (std::isnan(series.y[k])) continue;
      const auto at = [&](const std::vector<double>& v) { return k < v.size() ? QString::number(v[k], 'g', 12) : QString(); };
      out += QStringLiteral("%1,%2,%3,%4,%5,%6\n").arg(run.name, at(run.steps), at(run.tokens), at(run.seconds), series.label.isEmpty() ? p.id : series.label, QString::number(series.y[k], 'g', 17));
    }
  }
  return out;
}

void CurveGrid::resizeEvent(QResizeEvent*) {
  d->plot->setGeometry(rect());
  d->schedule(false);  // more or fewer pixel columns
}
// The plot, which is painted after this, shows what is shown around it.
void CurveGrid::paintEvent(QPaintEvent*) {
  if (d->stale) d->plot->replot(QCustomPlot::rpQueuedRefresh);
}

bool CurveGrid::eventFilter(QObject* watched, QEvent* event) {
  if (watched != d->plot || d->panels.empty()) return QWidget::eventFilter(watched, event);
  const auto setX = [&](double low, double high) {
    if (!(high - low > 1e-9)) return;
    d->zoomedX = true;
    for (PanelItems& item : d->items) item.x->setRange(low, high);
    if (!d->stale) d->fill();  // other points are worth drawing
  };
  switch (event->type()) {
    case QEvent::Wheel: {
      auto* wheel = static_cast<QWheelEvent*>(event);
      const double notches = (wheel->angleDelta().y() ? wheel->angleDelta().y() : wheel->angleDelta().x()) / 120.0;
      const int panel = panelAt(wheel->position());
      if (panel < 0 || notches == 0 || wheel->modifiers() & Qt::ControlModifier) return false;
      PanelItems& item = d->items[std::size_t(panel)];
      const double factor = std::pow(0.8, notches);
      if (wheel->modifiers() & Qt::ShiftModifier) {
        item.y->scaleRange(factor, item.y->pixelToCoord(wheel->position().y()));
        item.zoomed = true;
      } else {
        const double fixed = item.x->pixelToCoord(wheel->position().x());
        const QCPRange r = item.x->range();
        setX(fixed - (fixed - r.lower) * factor, fixed + (r.upper - fixed) * factor);
      }
      d->plot->replot(QCustomPlot::rpQueuedReplot);
      return true;
    }
    case QEvent::MouseButtonPress: {
      auto* mouse = static_cast<QMouseEvent*>(event);
      setFocus(Qt::MouseFocusReason);
      d->pressed = d->last = mouse->position();
      d->dragPanel = panelAt(mouse->position());
      d->drag = d->dragPanel < 0 ? Private::Drag::None : mouse->button() == Qt::RightButton ? Private::Drag::Zoom : Private::Drag::Pan;
      if (d->dragPanel >= 0) {
        const PanelItems& item = d->items[std::size_t(d->dragPanel)];
        d->pressedX = item.x->range(), d->pressedY = item.y->range();
        d->pressedZoomedX = d->zoomedX, d->pressedZoomed = item.zoomed;
      }
      return true;
    }
    case QEvent::MouseMove: {
      auto* mouse = static_cast<QMouseEvent*>(event);
      const QPointF at = mouse->position();
      const bool moved = (at - d->pressed).manhattanLength() > 4;
      if (d->drag == Private::Drag::None || mouse->buttons() == Qt::NoButton) {
        double step = std::nan("");
        if (panelAt(at, &step) >= 0) Q_EMIT stepHovered(step);
        return true;
      }
      PanelItems& item = d->items[std::size_t(d->dragPanel)];
      if (d->drag == Private::Drag::Pan && moved) {
        const double by = item.x->pixelToCoord(d->last.x()) - item.x->pixelToCoord(at.x());
        setX(item.x->range().lower + by, item.x->range().upper + by);
        if (item.y->scaleType() == QCPAxis::stLinear && item.zoomed) item.y->moveRange(item.y->pixelToCoord(d->last.y()) - item.y->pixelToCoord(at.y()));
      } else if (d->drag == Private::Drag::Zoom && moved) {
        d->rubber = QRectF(d->pressed, at).normalized() & QRectF(item.axes->rect());
      }
      d->last = at;
      d->plot->replot(QCustomPlot::rpQueuedReplot);
      return true;
    }
    case QEvent::MouseButtonRelease: {
      auto* mouse = static_cast<QMouseEvent*>(event);
      const bool click = (mouse->position() - d->pressed).manhattanLength() <= 4;
      const auto drag = d->drag;
      d->drag = Private::Drag::None;
      if (drag == Private::Drag::Zoom && !d->rubber.isEmpty()) {
        PanelItems& item = d->items[std::size_t(d->dragPanel)];
        const double y1 = item.y->pixelToCoord(d->rubber.bottom()), y2 = item.y->pixelToCoord(d->rubber.top());
        setX(item.x->pixelToCoord(d->rubber.left()), item.x->pixelToCoord(d->rubber.right()));
        item.y->setRange(y1, y2);
        item.zoomed = true;
        d->rubber = {};
        d->plot->replot(QCustomPlot::rpQueuedReplot);
      } else if (click && mouse->button() == Qt::RightButton && d->dragPanel >= 0) {
        d->current = d->dragPanel;
        Q_EMIT menuRequested(d->dragPanel, mouse->globalPosition().toPoint());
      } else if (click && mouse->button() == Qt::LeftButton && d->dragPanel >= 0 && !d->runs.empty() && !d->runs.front().steps.empty()) {
        double step = 0;
        d->current = panelAt(mouse->position(), &step);
        setCursorStep(step);
        announceCell(this);
        Q_EMIT stepPicked(int(step));
      }
      return true;
    }
    case QEvent::MouseButtonDblClick: {
      const int panel = panelAt(static_cast<QMouseEvent*>(event)->position());
      fit();
      if (panel >= 0) Q_EMIT panelActivated(panel);
      return true;
    }
    case QEvent::ToolTip: {
      auto* help = static_cast<QHelpEvent*>(event);
      const int panel = panelAt(help->pos());
      if (panel < 0) return false;
      const CurvePanel& p = d->panels[std::size_t(panel)];
      QStringList lines{p.title + (p.unit.isEmpty() ? QString() : QStringLiteral(", ") + p.unit) + (p.log ? tr(", log") : QString())};
      if (!p.help.isEmpty()) lines << p.help;
      for (int s = 0; s < int(p.series.size()) && s < 8; ++s) lines << summary(panel, s);
      QToolTip::showText(help->globalPos(), lines.join(QLatin1Char('\n')), this, axesRect(panel).toRect());
      return true;
    }
    default: return QWidget::eventFilter(watched, event);
  }
}

void CurveGrid::leaveDrag() {
  d->drag = Private::Drag::None;
  d->rubber = {};
  PanelItems& dragged = d->items[std::size_t(d->dragPanel)];
  for (PanelItems& item : d->items) item.x->setRange(d->pressedX);
  dragged.y->setRange(d->pressedY);
  d->zoomedX = d->pressedZoomedX, dragged.zoomed = d->pressedZoomed;
  if (!d->stale) d->fill();
  d->plot->replot(QCustomPlot::rpQueuedReplot);
}

void CurveGrid::toggleLog(int panel) {
  if (panel < 0 || std::size_t(panel) >= d->panels.size()) return;
  CurvePanel& p = d->panels[std::size_t(panel)];
  p.log = !p.log;
  if (!d->flipped.insert(p.id).second) d->flipped.erase(p.id);
  if (std::size_t(panel) < d->items.size()) d->items[std::size_t(panel)].zoomed = false;
  d->schedule(true);
}

QString CurveGrid::summary(int panel, int series) const {
  if (panel < 0 || std::size_t(panel) >= d->panels.size() || series < 0 || std::size_t(series) >= d->panels[std::size_t(panel)].series.size()) return {};
  const CurvePanel& p = d->panels[std::size_t(panel)];
  const CurveSeries& s = p.series[std::size_t(series)];
  if (std::size_t(s.run) >= d->runs.size()) return {};
  const CurveRun& run = d->runs[std::size_t(s.run)];
  long last = -1, low = -1, high = -1;
  for (long k = 0; k < long(std::min(s.y.size(), run.steps.size())); ++k) {
    if (!std::isfinite(s.y[std::size_t(k)])) continue;
    last = k;
    if (low < 0 || s.y[std::size_t(k)] < s.y[std::size_t(low)]) low = k;
    if (high < 0 || s.y[std::size_t(k)] > s.y[std::size_t(high)]) high = k;
  }
  const QString who = s.label.isEmpty() ? run.name : s.label;
  if (last < 0) return tr("%1: not computed").arg(who);
  const auto at = [&](long k) { return tr("%1 at step %2").arg(significant(s.y[std::size_t(k)], p.decimals), QString::number(run.steps[std::size_t(k)], 'f', 0)); };
  return tr("%1: last %2, lowest %3, highest %4").arg(who, at(last), at(low), at(high));
}

void CurveGrid::keyPressEvent(QKeyEvent* event) {
  const int direction = event->key() == Qt::Key_Left ? -1 : event->key() == Qt::Key_Right ? 1 : 0;
  if (event->key() == Qt::Key_Escape && d->drag != Private::Drag::None) return leaveDrag();
  if (event->key() == Qt::Key_F) return fit();
  if (event->key() == Qt::Key_L) return toggleLog(d->current);
  if (event->key() == Qt::Key_Menu) return Q_EMIT menuRequested(d->current, mapToGlobal(axesRect(d->current).center().toPoint()));
  if ((event->key() == Qt::Key_Up || event->key() == Qt::Key_Down) && !d->panels.empty()) {
    d->current = std::clamp(d->current + (event->key() == Qt::Key_Down ? 1 : -1), 0, int(d->panels.size()) - 1);
    announceCell(this);
    return;
  }
  if (!direction || d->runs.empty() || d->runs.front().steps.empty()) return QWidget::keyPressEvent(event);
  const CurveRun& run = d->runs.front();
  const int at = std::isfinite(d->cursor) ? curves::indexAt(run, d->cursor) : int(run.steps.size()) - 1;
  const int next = std::clamp(at + direction, 0, int(run.steps.size()) - 1);
  setCursorStep(run.steps[std::size_t(next)]);
  announceCell(this);
  Q_EMIT stepPicked(int(d->cursor));
}

int CurveGrid::cellCount() const { return int(d->panels.size()); }
QString CurveGrid::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  const CurvePanel& panel = d->panels[std::size_t(index)];
  QString name = panel.title + QStringLiteral(", ") + panel.unit;
  for (std::size_t s = 0; s < panel.series.size(); ++s) {
    const CurveSeries& series = panel.series[s];
    const QString who = !series.label.isEmpty() ? series.label : std::size_t(series.run) < d->runs.size() ? d->runs[std::size_t(series.run)].name : QString();
    name += QStringLiteral("; %1 %2").arg(who, significant(valueAtCursor(index, int(s)), panel.decimals));
  }
  return name;
}
QRect CurveGrid::cellRect(int index) const { return axesRect(index).toRect(); }
int CurveGrid::currentCell() const { return d->current < cellCount() ? d->current : -1; }

}  // namespace cuescope
