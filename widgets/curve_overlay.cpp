#include "widgets/curve_overlay.h"

#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/color_maps.h"
#include "widgets/curve_math.h"
#include "widgets/numbers.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

QPen runPen(int run, const Colors& c, double width) {
  if (run == 0) return QPen(c.ink, width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
  QPen pen(run == 1 ? c.runSand : run == 2 ? c.runClay : c.runGrey, width, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin);
  pen.setDashPattern(run == 1 ? QVector<double>{6 / width, 3 / width} : run == 2 ? QVector<double>{2 / width, 2 / width} : QVector<double>{8 / width, 3 / width, 2 / width, 3 / width});
  return pen;
}

// Words among curves: often they begin where a uniform map would be.
void paintNote(QPainter& p, const QPointF& at, const QString& words, const Colors& c) {
  const QRectF place(at, QSizeF(wordsWidth(p.font(), words) + 2, 14));
  QColor ground = c.well;
  ground.setAlphaF(0.8f);
  p.fillRect(place.adjusted(-2, 1, 2, -1), ground);
  paintWords(p, place, Qt::AlignLeft | Qt::AlignVCenter, words);
}

void drawTicks(QPainter& p, const CurveGrid& grid, const CurvePanel& panel, const PanelFrame& item, const Colors& c) {
  p.setFont(monoFont(10));
  p.setPen(c.text3);
  const std::vector<double>&ys = item.yTicks, &xs = item.xTicks;
  const double stepX = xs.size() > 1 ? std::abs(xs[1] - xs[0]) : 0;
  // Within a decade or two a log axis has round numbers like any other, with the same decimals.
  const bool decades = panel.log && std::all_of(ys.begin(), ys.end(), [](double v) { return v > 0 && std::abs(std::log10(v) - std::round(std::log10(v))) < 1e-9; });
  const curves::TickLabels labels = curves::tickLabels(ys, decades);
  for (std::size_t i = 0; i < ys.size(); ++i) {
    const double y = item.yOf(ys[i]);
    if (y < item.axes.top() - 1 || y > item.axes.bottom() + 1) continue;
    paintWords(p, QRectF(item.outer.left(), y - 7, item.axes.left() - item.outer.left() - 5, 14), Qt::AlignRight | Qt::AlignVCenter, labels.texts[i]);
  }
  if (!labels.base.isEmpty()) paintNote(p, QPointF(item.axes.left() + 4, item.axes.top() + 1), QStringLiteral("0 = ") + labels.base, c);
  const QString unit = grid.x() == CurveX::Step ? QStringLiteral("step ") : grid.x() == CurveX::Tokens ? QStringLiteral("tokens ") : QString();
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const double x = item.xOf(xs[i]);
    if (x < item.axes.left() - 1 || x > item.axes.right() + 1) continue;
    QString text = grid.x() == CurveX::Time ? curves::timeTickText(xs[i], item.xSpan) : curves::tickText(xs[i], stepX, false);
    const bool last = i + 1 == xs.size() || item.xOf(xs[i + 1]) > item.axes.right() + 1;
    if (last) text.prepend(unit);
    const double width = wordsWidth(p.font(), text) + 2;
    paintWords(p, QRectF(std::min(x - width / 2, item.outer.right() - width - 2), item.axes.bottom() + 3, width, 14), Qt::AlignCenter, text);
  }
}

// Title first, then the values at the cursor, then as much of the unit as is left: a number never takes the name's place.
void drawTitle(QPainter& p, const CurveGrid& grid, int index, const CurvePanel& panel, const PanelFrame& item, const Colors& c) {
  const double top = item.outer.top() + 4, left = item.outer.left() + 8;
  double right = item.axes.right();
  const QFont digits = monoFont(11, QFont::Medium);
  const QFontMetricsF digit(digits), bold(uiFont(12, QFont::DemiBold)), small(uiFont(11));
  const double limit = left + std::min(bold.horizontalAdvance(panel.title), item.axes.width() * 0.6) + 12;
  // From the right: the overlaid runs' values, then the selected run's.
  int best = -1;
  for (int s = 0; s < int(panel.series.size()); ++s)
    if (panel.series[std::size_t(s)].kind == CurveSeries::Kind::Ordinal && panel.series[std::size_t(s)].run == 0) {
      const double v = grid.valueAtCursor(index, s);
      if (std::isfinite(v) && (best < 0 || v > grid.valueAtCursor(index, best))) best = s;
    }
  for (int s = int(panel.series.size()) - 1; s >= 0; --s) {
    const CurveSeries& series = panel.series[std::size_t(s)];
    const double value = grid.valueAtCursor(index, s);
    if (std::isnan(value) || (series.kind == CurveSeries::Kind::Ordinal && s != best)) continue;
    const QString text = significant(value, panel.decimals);
    const double width = digit.horizontalAdvance(text);
    if (right - width < limit) break;
    const bool hue = series.kind == CurveSeries::Kind::Condition && c.dark;
    p.setFont(digits);
    p.setPen(series.kind == CurveSeries::Kind::Run ? (series.run == 0 ? c.text : seriesPen(series, c, 1).color()) : hue ? seriesPen(series, c, 1).color() : c.text);
    paintWords(p, QRectF(right - width, top, width + 1, 16), Qt::AlignLeft | Qt::AlignVCenter, text);
    right -= width + 6;
    if (series.kind == CurveSeries::Kind::Run) {
      right -= 2;
      continue;
    }
    // «L0» in words' type reads «LO».
    const QFont labels = series.kind == CurveSeries::Kind::Ordinal ? monoFont(11) : uiFont(11);
    const double label = wordsWidth(labels, series.label);
    const bool named = right - label >= limit;
    if (named) {
      p.setFont(labels);
      paintWords(p, QRectF(right - label, top, label + 1, 16), Qt::AlignLeft | Qt::AlignVCenter, series.label);
      right -= label + 6;
    }
    // In light text never wears the hue, and without its name a value is known by nothing else: a line sample stands before it.
    if (series.kind == CurveSeries::Kind::Condition && (!c.dark || !named)) {
      p.fillRect(QRectF(right - 12, top + 7, 12, 2), seriesPen(series, c, 1).color());
      right -= 16;
    }
    right -= 4;
  }
  p.setFont(uiFont(12, QFont::DemiBold));
  const double room = right - left - 8;
  const QString title = bold.elidedText(panel.title, Qt::ElideRight, std::max(20.0, room));
  p.setPen(c.text);
  paintWords(p, QRectF(left, top, bold.horizontalAdvance(title) + 2, 16), Qt::AlignLeft | Qt::AlignVCenter, title);
  const double after = left + bold.horizontalAdvance(title) + 8;
  QString unit = panel.unit;
  if (panel.log) unit += unit.isEmpty() ? QStringLiteral("log") : QStringLiteral(", log");
  if (item.omitted > 0) unit += QStringLiteral(", %1 at or below 0").arg(item.omitted);
  if (right - after > 24) {
    p.setFont(uiFont(11));
    p.setPen(c.text3);
    paintWords(p, QRectF(after, top, right - after - 4, 16), Qt::AlignLeft | Qt::AlignVCenter, small.elidedText(unit, Qt::ElideRight, right - after - 4));
  }
}

void drawEndLabels(QPainter& p, const CurvePanel& panel, const PanelFrame& item, const Colors& c) {
  struct Label {
    double y;
    QString text;
    QColor color;
  };
  std::vector<Label> labels;
  for (const CurveSeries& series : panel.series) {
    if (series.kind != CurveSeries::Kind::Ordinal || series.run != 0) continue;
    for (std::size_t k = series.y.size(); k-- > 0;)
      if (std::isfinite(series.y[k])) {
        labels.push_back({std::clamp(item.yOf(series.y[k]), item.axes.top() + 4, item.axes.bottom() - 4), series.label, ordinalColor(c, series.index, series.count)});
        break;
      }
  }
  std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
  for (std::size_t k = 1; k < labels.size(); ++k) labels[k].y = std::max(labels[k].y, labels[k - 1].y + 11);
  if (!labels.empty() && labels.back().y > item.axes.bottom() - 2) {  // pushed out at the foot: push back up
    labels.back().y = item.axes.bottom() - 2;
    for (std::size_t k = labels.size() - 1; k-- > 0;) labels[k].y = std::min(labels[k].y, labels[k + 1].y - 11);
  }
  p.setFont(monoFont(10));
  for (const Label& label : labels) {
    p.fillRect(QRectF(item.axes.right() + 2, label.y - 1, 4, 2), label.color);
    p.setPen(c.dark && contrastRatio(label.color, c.well) >= 4.5 ? label.color : c.text2);
    paintWords(p, QRectF(item.axes.right() + 8, label.y - 7, 30, 14), Qt::AlignLeft | Qt::AlignVCenter, label.text);
  }
}

}  // namespace

QPen seriesPen(const CurveSeries& s, const Colors& c, double width) {
  if (s.kind == CurveSeries::Kind::Run) return runPen(s.run, c, width);
  QPen pen = s.run == 0 ? QPen(c.ink, width) : runPen(s.run, c, width);
  pen.setColor(s.kind == CurveSeries::Kind::Condition ? c.conditions[std::clamp(s.index, 0, 3)] : ordinalColor(c, s.index, s.count));
  return pen;
}

void paintPanelFrame(QPainter& p, const CurveGrid& grid, int index, const std::vector<CurveRun>& runs, const PanelFrame& item, const Colors& c) {
  const CurvePanel& panel = grid.panels()[std::size_t(index)];
  p.setBrush(Qt::NoBrush);
  drawTicks(p, grid, panel, item, c);
  const auto yOf = [&](double v) { return item.yOf(v); };
  const auto inX = [&](double x) { return x >= item.axes.left() - 0.5 && x <= item.axes.right() + 0.5; };
  if (std::isfinite(panel.reference)) {
    const double y = std::round(yOf(panel.reference)) + 0.5;
    if (y > item.axes.top() && y < item.axes.bottom()) {
      p.setPen(QPen(c.text3, 1, Qt::DotLine));
      p.drawLine(QPointF(item.axes.left(), y), QPointF(item.axes.right(), y));
      p.setFont(uiFont(10));
      p.setPen(c.text3);
      paintNote(p, QPointF(item.axes.left() + 4, y < item.axes.top() + 16 ? y + 1 : y - 15), panel.referenceName, c);
    }
  }
  double wordsBottom = item.axes.top();
  for (const CurveMark& mark : panel.marks) {
    const double x = item.xOf(runs.empty() ? mark.step : curves::xOfStep(runs.front(), grid.x(), mark.step));
    if (!inX(x)) continue;
    p.setPen(QPen(c.caution, 1, Qt::DashLine));
    p.drawLine(QPointF(x, item.axes.top() + 8), QPointF(x, item.axes.bottom()));
    p.setPen(Qt::NoPen);
    p.setBrush(c.caution);
    p.drawPolygon(QPolygonF({{x, item.axes.top() + 1}, {x + 4.5, item.axes.top() + 8}, {x - 4.5, item.axes.top() + 8}}));
    p.setBrush(Qt::NoBrush);
    p.setFont(uiFont(11));
    const double width = wordsWidth(p.font(), mark.words);
    const bool left = x - item.axes.left() > width + 10;
    const QRectF place(left ? x - width - 8 : x + 8, wordsBottom, width + 2, 14);
    QColor ground = c.well;
    ground.setAlphaF(0.8f);
    p.fillRect(place.adjusted(-2, 0, 2, 0), ground);
    p.setPen(c.text);
    paintWords(p, place, Qt::AlignLeft | Qt::AlignVCenter, mark.words);
    wordsBottom += 14;
  }
  drawTitle(p, grid, index, panel, item, c);
  drawEndLabels(p, panel, item, c);
  if (std::isfinite(grid.cursorStep()) && !runs.empty()) {
    const double x = std::round(item.xOf(curves::xOfStep(runs.front(), grid.x(), grid.cursorStep())));
    if (inX(x)) p.fillRect(QRectF(x, item.axes.top(), 1, item.axes.height()), c.accent);
  }
}

}  // namespace cuescope
