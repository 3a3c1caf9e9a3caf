// The legend beside a map, and the figure that exports make of both.
#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>

#include "widgets/heatmap_layer.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

std::vector<double> niceTicks(double low, double high, int wanted) {
  std::vector<double> ticks;
  const double rough = (high - low) / wanted;
  if (!(rough > 0) || !std::isfinite(rough)) return ticks;
  const double magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  double step = magnitude;
  for (const double m : {1.0, 2.0, 5.0, 10.0})
    if (m * magnitude <= rough * 1.001) step = m * magnitude;
  for (double v = std::ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) ticks.push_back(std::abs(v) < step * 1e-6 ? 0 : v);
  return ticks;
}

int decimalsFor(double range) { return range >= 50 ? 0 : std::clamp(int(std::ceil(-std::log10(range))) + 1, 1, 6); }

/// Value at a place on the legend: the inverse of legendPosition.
double valueAtPosition(double t, const MapRange& range, const HeatmapStyle& style) {
  if (style.signedValues) {
    const double p = 2 * t - 1;
    return (p < 0 ? -1 : 1) * range.high * std::pow(std::abs(p), 1 / 0.6);
  }
  if (style.logScale && range.low > 0) return range.low * std::pow(range.high / range.low, t);
  return range.low + t * (range.high - range.low);
}

constexpr double kMargin = 16, kLine = 18, kLegendWidth = 84;

}  // namespace

void paintHeatmapLegend(QPainter& painter, const QRectF& rect, const HeatmapScene& scene, const SceneMeasures& measures, const Colors& colors) {
  if (scene.map.empty() || rect.height() < 60) return;
  const HeatmapStyle& style = scene.style;
  const MapRange& range = measures.range;
  painter.save();
  painter.setFont(uiFont(11));
  QStringList words{style.quantity};
  if (style.logScale && !style.signedValues) words << QStringLiteral("log");
  if (style.smooth) words << QStringLiteral("smoothed");
  if (range.masked > 0) words << QStringLiteral("%1 masked").arg(range.masked);
  painter.setPen(colors.text3);
  const QString caption = words.join(QStringLiteral(", "));
  const QRectF captionRect(rect.left() + 2, rect.top(), rect.width() - 2, 15 * (caption.size() > 13 ? caption.size() > 26 ? 3 : 2 : 1));
  paintWords(painter, captionRect, Qt::TextWordWrap | Qt::AlignLeft | Qt::AlignTop, caption);

  const QRectF bar(rect.left() + 16, captionRect.bottom() + 8, 14, rect.bottom() - captionRect.bottom() - 16);
  const QColor paper = blended(colors.well, QColor(Qt::white), colors.dark ? 0.66 : 0.93);
  // Rows of one device-independent pixel: the fade shows here exactly as it does in the picture.
  const int rows = std::max(2, int(bar.height()));
  for (int i = 0; i < rows; ++i) {
    const double t = 1 - (i + 0.5) / rows;
    const QColor c = valueColor(valueAtPosition(t, range, style), scene.map.uniform, range, style, colors);
    const QColor ground = style.signedValues ? colors.panel : paper;
    painter.fillRect(QRectF(bar.left(), bar.top() + bar.height() * i / rows, bar.width(), bar.height() / rows + 0.35),
                     blended(ground, QColor(c.rgb()), c.alphaF()));
  }
  painter.setPen(QPen(colors.lineStrong, 1));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(bar);

  // Histogram of the values, growing to the left, square-root lengths so that rare high patches stay visible.
  const auto& bins = measures.histogram;
  const int count = int(bins.size()), most = std::max(1, *std::max_element(bins.begin(), bins.end()));
  const double binHeight = bar.height() / count;
  for (int i = 0; i < count; ++i) {
    if (!bins[std::size_t(i)]) continue;
    const double length = std::max(1.0, 13 * std::sqrt(double(bins[std::size_t(i)]) / most));
    painter.fillRect(QRectF(bar.left() - 2 - length, bar.bottom() - (i + 1) * binHeight + 0.5, length, std::max(1.0, binHeight - 1)), colors.control);
  }

  const auto yOf = [&](double v) { return bar.bottom() - legendPosition(v, range, style) * bar.height(); };
  const int decimals = decimalsFor(range.high - std::min(range.low, 0.0));
  const bool hasUniform = scene.map.uniform > range.low && scene.map.uniform < range.high && !style.signedValues;
  std::vector<double> ticks;
  if (style.signedValues)
    ticks = {-range.high, -range.high / 4, 0, range.high / 4, range.high};
  else if (style.logScale && range.low > 0) {
    for (double decade = std::pow(10, std::ceil(std::log10(range.low))); decade < range.high; decade *= 10) ticks.push_back(decade);
    ticks.insert(ticks.begin(), range.low);
    ticks.push_back(range.high);
  } else {
    ticks = niceTicks(range.low, range.high, 4);
    ticks.push_back(range.high);
  }
  painter.setFont(monoFont(10));
  std::vector<double> used;
  if (hasUniform) used.push_back(yOf(scene.map.uniform));
  std::reverse(ticks.begin(), ticks.end());  // the ends of the range win over what lies between
  for (const double tick : ticks) {
    const double y = yOf(tick);
    if (std::any_of(used.begin(), used.end(), [&](double u) { return std::abs(u - y) < 13; })) continue;
    used.push_back(y);
    painter.setPen(QPen(colors.control, 1));
    painter.drawLine(QPointF(bar.right() + 1, y), QPointF(bar.right() + 4, y));
    painter.setPen(colors.text3);
    QString text = style.logScale && tick < 1e-3 ? QString::number(tick, 'g', 1) : shareText(tick, decimals);
    if (style.signedValues && tick > 0) text.prepend(QLatin1Char('+'));
    paintWords(painter, QRectF(bar.right() + 7, y - 7, rect.right() - bar.right() - 7, 14), Qt::AlignLeft | Qt::AlignVCenter, text);
  }
  if (hasUniform) {
    const double y = yOf(scene.map.uniform);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colors.ink, 1));
    painter.drawLine(QPointF(bar.left() - 2, y), QPointF(bar.right() + 2, y));
    painter.setBrush(colors.ink);
    painter.setPen(Qt::NoPen);
    painter.drawPolygon(QPolygonF({{bar.right() + 1, y}, {bar.right() + 6, y - 3}, {bar.right() + 6, y + 3}}));
    painter.setPen(colors.text);
    painter.setFont(uiFont(10));
    paintWords(painter, QRectF(bar.right() + 8, y - 7, rect.right() - bar.right() - 8, 14), Qt::AlignLeft | Qt::AlignVCenter, QStringLiteral("uniform"));
  }
  painter.restore();
}

QSize heatmapFigureSize(const HeatmapScene& scene, const FigureText& text, int pictureWidth) {
  const double height = scene.picture.isNull() ? pictureWidth * 0.75 : double(pictureWidth) * scene.picture.height() / scene.picture.width();
  const int heads = (text.title.isEmpty() ? 0 : 1) + (text.dependsOn.isEmpty() ? 0 : 1) + (text.causal.isEmpty() ? 0 : 1);
  const int feet = 1 + int(text.footer.size()) + (text.note.isEmpty() ? 0 : 1) + (text.demoMark.isEmpty() ? 0 : 1);
  return {int(pictureWidth + kLegendWidth + 3 * kMargin), int(std::ceil(height + 2 * kMargin + (heads + feet) * kLine + 16))};
}

void paintHeatmapFigure(QPainter& painter, const QRectF& rect, const HeatmapScene& scene, const FigureText& text, const Colors& colors) {
  painter.save();
  painter.fillRect(rect, colors.panel);
  double y = rect.top() + kMargin;
  const double left = rect.left() + kMargin, width = rect.width() - 2 * kMargin;
  const auto write = [&](const QString& line, const QFont& font, const QColor& color) {
    if (line.isEmpty()) return;
    painter.setFont(font);
    painter.setPen(color);
    paintWords(painter, QRectF(left, y, width, kLine), Qt::AlignLeft | Qt::AlignVCenter, elidedWords(font, line, Qt::ElideRight, width));
    y += kLine;
  };
  write(text.title, uiFont(13, QFont::DemiBold), colors.text);
  write(text.dependsOn, uiFont(12), colors.text2);
  write(text.causal, uiFont(12), colors.text);
  y += 8;
  const double pictureWidth = width - kLegendWidth - kMargin;
  const double pictureHeight = scene.picture.isNull() ? 0 : pictureWidth * scene.picture.height() / scene.picture.width();
  const QRectF picture(left, y, pictureWidth, pictureHeight);
  paintHeatmap(painter, picture, scene, colors);
  if (scene.showMap) paintHeatmapLegend(painter, QRectF(picture.right() + kMargin, y, kLegendWidth, pictureHeight), scene, measured(scene), colors);
  y += pictureHeight + 8;
  if (!scene.picture.isNull())
    write(QStringLiteral("%1 × %2 px, merged grid %3 × %4, 1 token = %5 × %6 px").arg(scene.picture.width()).arg(scene.picture.height())
              .arg(scene.map.cols).arg(scene.map.rows).arg(scene.map.cols ? scene.picture.width() / scene.map.cols : 0)
              .arg(scene.map.rows ? scene.picture.height() / scene.map.rows : 0),
          monoFont(11), colors.text2);
  write(text.note, uiFont(12), colors.text);
  for (const QString& line : text.footer) write(line, monoFont(11), colors.text3);
  write(text.demoMark, uiFont(12, QFont::DemiBold), colors.text);
  painter.restore();
}

}  // namespace cuescope
