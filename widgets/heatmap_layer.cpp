#include "widgets/heatmap_layer.h"
#include "widgets/numbers.h"
#include "widgets/words.h"

#include <QPainter>
#include <algorithm>
#include <array>

namespace cuescope {
namespace {

constexpr double kInkFloor = 0.12;  // the darkest ink still lets the map's hue be seen

/// Luma at which the picture counts as paper: its median. What is darker is ink.
int paperLevel(const QImage& picture) {
  std::array<int, 256> histogram{};
  int count = 0;
  const int stepX = std::max(1, picture.width() / 160), stepY = std::max(1, picture.height() / 160);
  for (int y = 0; y < picture.height(); y += stepY)
    for (int x = 0; x < picture.width(); x += stepX) ++histogram[std::size_t(qGray(picture.pixel(x, y)))], ++count;
  int seen = 0;
  for (int level = 0; level < 256; ++level)
    if ((seen += histogram[std::size_t(level)]) * 2 >= count) return std::max(level, 1);
  return 255;
}

/// `source` of the picture at `size`, smooth in both directions.
QImage resampled(const QImage& picture, const QRectF& source, const QSize& size) {
  const double shrink = source.width() / std::max(1, size.width());
  if (shrink > 1.5) {
    const QRect whole = source.toAlignedRect() & picture.rect();
    QImage small = picture.copy(whole).scaled(QSize(std::max(1, int(std::lround(whole.width() / shrink))), std::max(1, int(std::lround(whole.height() / shrink)))),
                                              Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
    const QRectF rest((source.x() - whole.x()) / shrink, (source.y() - whole.y()) / shrink, source.width() / shrink, source.height() / shrink);
    return resampled(small, rest, size);
  }
  QImage out(size, QImage::Format_RGB32);
  out.fill(Qt::black);
  QPainter painter(&out);
  painter.setRenderHint(QPainter::SmoothPixmapTransform);
  painter.drawImage(QRectF(QPointF(0, 0), QSizeF(size)), picture, source);
  return out;
}

struct Painted {
  int r = 0, g = 0, b = 0;
  double alpha = 0;
};
Painted painted(const QColor& c, double opacity) { return {c.red(), c.green(), c.blue(), c.alphaF() * opacity}; }

double bilinear(const PatchMap& map, double row, double col) {
  row = std::clamp(row, 0.0, map.rows - 1.0), col = std::clamp(col, 0.0, map.cols - 1.0);
  const int r0 = int(row), c0 = int(col), r1 = std::min(r0 + 1, map.rows - 1), c1 = std::min(c0 + 1, map.cols - 1);
  const double fr = row - r0, fc = col - c0;
  const auto at = [&](int r, int c) { return double(map.values[std::size_t(r) * std::size_t(map.cols) + std::size_t(c)]); };
  return (1 - fr) * ((1 - fc) * at(r0, c0) + fc * at(r0, c1)) + fr * ((1 - fc) * at(r1, c0) + fc * at(r1, c1));
}

bool usable(const PatchMap& map) {
  return map.rows > 0 && map.cols > 0 && map.values.size() >= std::size_t(map.rows) * std::size_t(map.cols);
}

}  // namespace

MapRange resolveRange(const PatchMap& map, const HeatmapStyle& style) {
  MapRange range;
  if (style.maskOutliers) {
    std::vector<float> finite;
    finite.reserve(map.values.size());
    for (const float v : map.values)
      if (std::isfinite(v)) finite.push_back(v);
    if (finite.size() >= 8) {
      const auto at = [&](std::size_t place) {
        std::nth_element(finite.begin(), finite.begin() + std::ptrdiff_t(place), finite.end());
        return double(finite[place]);
      };
      const double q1 = at(finite.size() / 4), q3 = at(finite.size() * 3 / 4);
      range.maskAbove = q3 + 8 * std::max(q3 - q1, 1e-12);
      range.masked = int(std::count_if(finite.begin(), finite.end(), [&](float v) { return double(v) > range.maskAbove; }));
    }
  }
  double largest = 0, smallest = std::numeric_limits<double>::infinity();
  for (const float v : map.values) {
    if (!std::isfinite(v) || double(v) > range.maskAbove) continue;
    largest = std::max(largest, style.signedValues ? std::abs(double(v)) : double(v));
    if (v > 0) smallest = std::min(smallest, double(v));
  }
  range.high = std::isnan(style.high) ? largest : style.high;
  if (!(range.high > 0)) range.high = 1e-6;
  range.low = style.signedValues ? -range.high : style.low;
  if (style.logScale && !style.signedValues && !(range.low > 0))
    range.low = std::isfinite(smallest) ? std::max(smallest, range.high * 1e-4) : range.high * 1e-4;
  if (range.low >= range.high) range.low = std::min(0.0, range.high - 1e-6);
  return range;
}

SceneMeasures measured(const HeatmapScene& scene) {
  SceneMeasures out;
  out.range = resolveRange(scene.map, scene.style);
  out.paper = paperLevel(scene.picture);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const int bins = int(out.histogram.size());
  const bool even = !scene.style.signedValues && !(scene.style.logScale && out.range.low > 0);  // the legend is linear
  const double perBin = bins / (out.range.high - out.range.low);
  for (const float v : scene.map.values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, double(v)), high = std::max(high, double(v));
    if (double(v) > out.range.maskAbove) continue;
    const double place = even ? std::clamp((double(v) - out.range.low) * perBin, 0.0, double(bins)) : legendPosition(double(v), out.range, scene.style) * bins;
    ++out.histogram[std::size_t(std::clamp(int(place), 0, bins - 1))];
  }
  if (high >= low) out.lowest = low, out.highest = high;
  return out;
}

double legendPosition(double value, const MapRange& range, const HeatmapStyle& style) {
  if (style.signedValues) return (gapPosition(value, range.high) + 1) / 2;
  if (style.logScale && range.low > 0)
    return value <= range.low ? 0 : std::clamp(std::log(value / range.low) / std::log(range.high / range.low), 0.0, 1.0);
  return std::clamp((value - range.low) / (range.high - range.low), 0.0, 1.0);
}

QColor valueColor(double value, double uniform, const MapRange& range, const HeatmapStyle& style, const Colors& colors) {
  if (!std::isfinite(value) || value > range.maskAbove) return QColor(0, 0, 0, 0);
  if (style.signedValues) {
    QColor end = value < 0 ? colors.gapLow : colors.gapHigh;
    end.setAlphaF(float(std::abs(gapPosition(value, range.high))));
    return end;
  }
  QColor color(mapColor(style.map, legendPosition(value, range, style)));
  if (style.fade && uniform > 0) color.setAlphaF(float(fadeOpacity(value / uniform)));
  return color;
}

int patchAt(const HeatmapScene& scene, const QPointF& pixel) {
  const PatchMap& map = scene.map;
  if (scene.picture.isNull() || map.rows <= 0 || map.cols <= 0) return -1;
  if (pixel.x() < 0 || pixel.y() < 0 || pixel.x() >= scene.picture.width() || pixel.y() >= scene.picture.height()) return -1;
  const int col = std::min(map.cols - 1, int(pixel.x() * map.cols / scene.picture.width()));
  const int row = std::min(map.rows - 1, int(pixel.y() * map.rows / scene.picture.height()));
  return row * map.cols + col;
}

QRectF patchPixels(const HeatmapScene& scene, int patch) {
  const PatchMap& map = scene.map;
  if (patch < 0 || map.cols <= 0 || patch >= map.rows * map.cols) return {};
  const double w = double(scene.picture.width()) / map.cols, h = double(scene.picture.height()) / map.rows;
  return {(patch % map.cols) * w, (patch / map.cols) * h, w, h};
}

QImage heatmapGround(const QImage& picture, const QRectF& source, const QSize& size) {
  return resampled(picture, source, size);
}

std::vector<QImage> pictureLevels(const QImage& picture) {
  constexpr int kSmallest = 256;
  std::vector<QImage> levels;
  const QImage* last = &picture;
  while (std::min(last->width(), last->height()) >= 2 * kSmallest) {
    levels.push_back(last->scaled((last->width() + 1) / 2, (last->height() + 1) / 2, Qt::IgnoreAspectRatio, Qt::SmoothTransformation));
    last = &levels.back();
  }
  return levels;
}

QImage renderHeatmap(const HeatmapScene& scene, const QRectF& source, const QSize& size, const Colors& colors) {
  return shadedHeatmap(scene, measured(scene), heatmapGround(scene.picture, source, size), source, colors);
}

QImage shadedHeatmap(const HeatmapScene& scene, const SceneMeasures& measures, const QImage& ground, const QRectF& source, const Colors& colors) {
  QImage image = ground;
  if (!scene.showMap || !usable(scene.map)) return image;
  const QSize size = ground.size();
  const HeatmapStyle& style = scene.style;
  const MapRange& range = measures.range;
  const int paper = measures.paper;
  const float dim = colors.dark ? 0.84f : 1.0f;
  std::array<float, 256> inkOf{};
  for (int g = 0; g < 256; ++g) inkOf[std::size_t(g)] = float(std::clamp(double(g) / paper, kInkFloor, 1.0));
  const auto shade = [&](const Painted& p, int gray) {
    const float alpha = float(p.alpha), base = float(gray) * dim * (1 - alpha) + 0.5f, over = inkOf[std::size_t(gray)] * alpha;
    return qRgb(int(base + float(p.r) * over), int(base + float(p.g) * over), int(base + float(p.b) * over));
  };
  const auto of = [&](double value) { return painted(valueColor(value, scene.map.uniform, range, style, colors), style.opacity); };

  const double width = scene.picture.width(), height = scene.picture.height();
  std::vector<double> colAt(static_cast<std::size_t>(size.width()));
  std::vector<int> colOf(static_cast<std::size_t>(size.width()));
  for (int x = 0; x < size.width(); ++x) {
    colAt[std::size_t(x)] = (source.x() + (x + 0.5) * source.width() / size.width()) * scene.map.cols / width;
    colOf[std::size_t(x)] = std::clamp(int(colAt[std::size_t(x)]), 0, scene.map.cols - 1);
  }
  std::vector<double> rowAt(static_cast<std::size_t>(size.height()));
  for (int y = 0; y < size.height(); ++y) rowAt[std::size_t(y)] = (source.y() + (y + 0.5) * source.height() / size.height()) * scene.map.rows / height;
  const auto rowOf = [&](int y) { return std::clamp(int(rowAt[std::size_t(y)]), 0, scene.map.rows - 1); };
  const int firstCol = colOf.front(), cols = colOf.back() - firstCol + 1, firstRow = rowOf(0), shownRows = rowOf(size.height() - 1) - firstRow + 1;
  // Smooth, or more patches than anyone can tell apart: colours of a fine ramp of values, so that no pixel asks the colour map itself.
  constexpr int kRamp = 1024;
  constexpr std::int64_t kMostPatches = 1 << 16;
  const bool ramped = style.smooth || std::int64_t(cols) * shownRows > kMostPatches;
  std::vector<Painted> patches, ramp;  // of the patches that are seen; of the values
  std::vector<QRgb> rows;  // nearest: what each grey of each patch of the current row of patches becomes
  const double rampLow = measures.lowest, rampStep = std::max(1e-12, (measures.highest - measures.lowest) / (kRamp - 1));
  if (ramped) {
    for (int i = 0; i < kRamp; ++i) ramp.push_back(of(rampLow + i * rampStep));
  } else {
    patches.reserve(std::size_t(cols) * std::size_t(shownRows));
    for (int row = firstRow; row < firstRow + shownRows; ++row)
      for (int col = firstCol; col < firstCol + cols; ++col) patches.push_back(of(double(scene.map.values[std::size_t(row) * std::size_t(scene.map.cols) + std::size_t(col)])));
  }
  const double perStep = 1 / rampStep;
  const auto fromRamp = [&](double value) { return std::isfinite(value) ? ramp[std::size_t(std::clamp((value - rampLow) * perStep + 0.5, 0.0, kRamp - 1.0))] : Painted{}; };
  const bool tables = !ramped && size.height() / std::max(1, scene.map.rows) * std::max(1, size.width() / scene.map.cols) > 512;
  int tableRow = -1;
  for (int y = 0; y < size.height(); ++y) {
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
    const int row = rowOf(y);
    const Painted* shown = ramped ? nullptr : patches.data() + std::size_t(row - firstRow) * std::size_t(cols);
    if (tables && row != tableRow) {
      tableRow = row;
      rows.resize(std::size_t(cols) * 256);
      for (int col = 0; col < cols; ++col)
        for (int gray = 0; gray < 256; ++gray) rows[std::size_t(col * 256 + gray)] = shade(shown[col], gray);
    }
    if (tables) {
      for (int x = 0; x < size.width(); ++x) line[x] = rows[std::size_t((colOf[std::size_t(x)] - firstCol) * 256 + qGray(line[x]))];
    } else if (style.smooth) {
      for (int x = 0; x < size.width(); ++x) line[x] = shade(fromRamp(bilinear(scene.map, rowAt[std::size_t(y)] - 0.5, colAt[std::size_t(x)] - 0.5)), qGray(line[x]));
    } else if (ramped) {
      const float* values = scene.map.values.data() + std::size_t(row) * std::size_t(scene.map.cols);
      for (int x = 0; x < size.width(); ++x) line[x] = shade(fromRamp(double(values[colOf[std::size_t(x)]])), qGray(line[x]));
    } else {
      for (int x = 0; x < size.width(); ++x) line[x] = shade(shown[colOf[std::size_t(x)] - firstCol], qGray(line[x]));
    }
  }
  return image;
}

void paintHeatmapOutlines(QPainter& painter, const QRectF& target, const HeatmapScene& scene, const Colors& colors, int hover) {
  if (scene.picture.isNull()) return;
  const double sx = target.width() / scene.picture.width(), sy = target.height() / scene.picture.height();
  const auto place = [&](const QRectF& pixels) {
    return QRectF(target.x() + pixels.x() * sx, target.y() + pixels.y() * sy, pixels.width() * sx, pixels.height() * sy);
  };
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  if (scene.showGrid && scene.map.rows > 0) {
    painter.setRenderHint(QPainter::Antialiasing, false);
    QColor line = colors.control;
    line.setAlphaF(0.45f);
    painter.setPen(QPen(line, 0));
    for (int c = 1; c < scene.map.cols; ++c) {
      const double x = target.x() + target.width() * c / scene.map.cols;
      painter.drawLine(QPointF(x, target.top()), QPointF(x, target.bottom()));
    }
    for (int r = 1; r < scene.map.rows; ++r) {
      const double y = target.y() + target.height() * r / scene.map.rows;
      painter.drawLine(QPointF(target.left(), y), QPointF(target.right(), y));
    }
    painter.setRenderHint(QPainter::Antialiasing);
  }
  for (const int patch : scene.chosenPatches) paintInkOutline(painter, place(patchPixels(scene, patch)), colors, true);
  painter.setFont(uiFont(11, QFont::Medium));
  const QFontMetricsF metrics(painter.font());
  std::vector<QRectF> taken;
  for (const RegionBox& box : scene.boxes) {
    const QRectF rect = place(box.pixels);
    paintInkOutline(painter, rect, colors, box.dashed);
    if (box.label.isEmpty()) continue;
    const QSizeF size(metrics.horizontalAdvance(box.label) + 6, metrics.height() + 1);
    // Beside its box, where it hides neither another word nor, if there is such a place, another box.
    const QPointF left(rect.left() - size.width() - 2, rect.top() - 1), above(rect.left() - 1, rect.top() - size.height() - 2), below(rect.left() - 1, rect.bottom() + 2), right(rect.right() + 3, rect.top() - 1);
    std::vector<QRectF> places;
    for (const QPointF& at : box.dashed ? std::vector{below, above, right, left} : std::vector{left, above, below, right}) {
      QRectF tag(at, size);
      if (at.x() == above.x()) tag.moveLeft(std::clamp(tag.left(), target.left(), std::max(target.left(), target.right() - tag.width())));
      else tag.moveTop(std::clamp(tag.top(), target.top(), std::max(target.top(), target.bottom() - tag.height())));
      const bool inside = tag.left() >= target.left() && tag.right() <= target.right() + 1 && tag.top() >= target.top() && tag.bottom() <= target.bottom();
      if (inside && std::none_of(taken.begin(), taken.end(), [&](const QRectF& t) { return t.intersects(tag); })) places.push_back(tag);
    }
    if (places.empty()) continue;  // the next evidence box says the same
    const auto hides = [&](const QRectF& tag) {
      return std::any_of(scene.boxes.begin(), scene.boxes.end(), [&](const RegionBox& other) { return place(other.pixels).intersects(tag); });
    };
    const auto free = std::find_if_not(places.begin(), places.end(), hides);
    const QRectF tag = free == places.end() ? places.front() : *free;
    taken.push_back(tag);
    painter.fillRect(tag, colors.dark ? colors.casing : colors.ink);
    painter.setPen(colors.dark ? colors.ink : colors.casing);
    paintWords(painter, tag, Qt::AlignCenter, box.label);
  }
  if (hover >= 0 && hover != scene.selectedPatch) {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(colors.casing, 2));
    painter.drawRect(place(patchPixels(scene, hover)));
    painter.setPen(QPen(colors.ink, 1));
    painter.drawRect(place(patchPixels(scene, hover)));
  }
  if (scene.selectedPatch >= 0) paintInkOutline(painter, place(patchPixels(scene, scene.selectedPatch)), colors);
  painter.restore();
}

void paintHeatmap(QPainter& painter, const QRectF& target, const HeatmapScene& scene, const Colors& colors) {
  if (scene.picture.isNull() || target.isEmpty()) return;
  // Enough pixels that patch edges stay sharp on paper, never fewer than the picture has.
  const double scale = std::max({1.0, scene.picture.width() / target.width(), painter.device() ? painter.device()->devicePixelRatioF() : 1.0});
  const QSize size(std::max(1, int(std::lround(target.width() * scale))), std::max(1, int(std::lround(target.height() * scale))));
  painter.drawImage(target, renderHeatmap(scene, QRectF(QPointF(0, 0), QSizeF(scene.picture.size())), size, colors));
  paintHeatmapOutlines(painter, target, scene, colors);
}

QString patchSentence(const HeatmapScene& scene, int patch) {
  if (patch < 0 || std::size_t(patch) >= scene.map.values.size()) return QStringLiteral("no patch");
  const double value = scene.map.values[std::size_t(patch)];
  QString text = QStringLiteral("row %1, column %2, %3").arg(patch / scene.map.cols).arg(patch % scene.map.cols).arg(significant(value, 4));
  if (scene.map.uniform > 0 && std::isfinite(value)) text += QStringLiteral(", %1 times uniform").arg(number(value / scene.map.uniform, 1));
  return text;
}

}  // namespace cuescope
