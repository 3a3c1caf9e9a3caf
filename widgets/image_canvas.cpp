#include "widgets/image_canvas.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"
#include "widgets/numbers.h"

namespace cuescope {
namespace {
constexpr double kLegend = 88, kPad = 8;
constexpr qint64 kLarge = 2'000'000;  // pixels, or patches
}

QString PatchReadout::place() const { return patch < 0 ? QString() : QStringLiteral("row %1, column %2").arg(row).arg(col); }
QString PatchReadout::pixelText() const {
  if (patch < 0) return {};
  return QStringLiteral("pixels x %1–%2, y %3–%4").arg(pixels.x()).arg(pixels.x() + pixels.width()).arg(pixels.y()).arg(pixels.y() + pixels.height());
}
QString PatchReadout::valueText() const { return patch < 0 ? QString() : significant(value, 4) + (smoothed ? QStringLiteral(" smoothed") : QString()); }
QString PatchReadout::timesText() const {
  return patch < 0 || !std::isfinite(timesUniform) ? QString() : QStringLiteral("= %1 × uniform").arg(number(timesUniform, 1));
}

ImageCanvas::ImageCanvas(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAttribute(Qt::WA_OpaquePaintEvent);
  setAccessibleName(tr("Picture with attention map"));
  setToolTip({});
  connect(&Theme::instance(), &Theme::changed, this, [this] { invalidate(); });
}

namespace {

bool sameMap(const HeatmapScene& a, const HeatmapScene& b) {
  const auto number = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  const HeatmapStyle &s = a.style, &t = b.style;
  const bool style = s.map == t.map && s.opacity == t.opacity && s.smooth == t.smooth && s.fade == t.fade && s.logScale == t.logScale && s.signedValues == t.signedValues &&
                     s.maskOutliers == t.maskOutliers && number(s.low, t.low) && number(s.high, t.high) && s.quantity == t.quantity;
  return style && a.picture.cacheKey() == b.picture.cacheKey() && a.showMap == b.showMap && a.showGrid == b.showGrid && a.map.rows == b.map.rows && a.map.cols == b.map.cols &&
         a.map.uniform == b.map.uniform &&
         std::equal(a.map.values.begin(), a.map.values.end(), b.map.values.begin(), b.map.values.end(), [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

bool sameBoxes(const HeatmapScene& a, const HeatmapScene& b) {
  return std::equal(a.boxes.begin(), a.boxes.end(), b.boxes.begin(), b.boxes.end(),
                    [](const RegionBox& x, const RegionBox& y) { return x.pixels == y.pixels && x.label == y.label && x.dashed == y.dashed; });
}

}  // namespace

void ImageCanvas::setScene(const HeatmapScene& scene) {
  if (!m_a.picture.isNull() && sameMap(m_a, scene)) {
    const bool outlines = !sameBoxes(m_a, scene) || m_a.chosenPatches != scene.chosenPatches || m_a.selectedPatch != scene.selectedPatch;
    m_a = scene;
    if (outlines) update();
    return;
  }
  const bool otherPicture = scene.picture.size() != m_a.picture.size();
  m_a = scene;
  m_measures[0].reset();
  if (otherPicture) m_fit = true, m_pan = {};
  if (m_keyPatch >= m_a.map.rows * m_a.map.cols) m_keyPatch = -1;
  if (m_hover >= m_a.map.rows * m_a.map.cols) m_hover = -1;
  invalidate();
  prepare();
  if (m_hover >= 0) Q_EMIT hovered(readout(m_hover, m_hoverSecond));
}

void ImageCanvas::setSecond(std::optional<HeatmapScene> scene, const QString& labelA, const QString& labelB) {
  if (m_b.has_value() == scene.has_value() && (!scene || (sameMap(*m_b, *scene) && m_labelA == labelA && m_labelB == labelB))) return;
  m_b = std::move(scene);
  m_measures[1].reset();
  m_labelA = labelA, m_labelB = labelB;
  if (!m_b && m_compare != Compare::Single) {
    m_compare = Compare::Single;
    Q_EMIT compareChanged();
  }
  invalidate();
}

void ImageCanvas::setCompare(Compare compare) {
  if (!m_b) compare = Compare::Single;
  if (compare == m_compare) return;
  m_compare = compare;
  invalidate();
  Q_EMIT compareChanged();
}

void ImageCanvas::setSwipe(double position) {
  m_swipe = std::clamp(position, 0.0, 1.0);
  update();
}

void ImageCanvas::swapMaps() {
  if (!m_b) return;
  std::swap(m_a, *m_b);
  std::swap(m_labelA, m_labelB);
  std::swap(m_measures[0], m_measures[1]);
  invalidate();
  Q_EMIT compareChanged();
}

void ImageCanvas::setTool(Tool tool) {
  m_tool = tool;
  setCursor(tool == Tool::Move ? Qt::ArrowCursor : Qt::CrossCursor);
}

void ImageCanvas::setBrushPatches(const std::vector<int>& patches) {
  m_a.chosenPatches = patches;
  update();
}

void ImageCanvas::setOpacity(double opacity) {
  opacity = std::clamp(opacity, 0.0, 1.0);
  if (opacity == m_a.style.opacity) return;
  m_a.style.opacity = opacity;
  if (m_b) m_b->style.opacity = opacity;
  invalidate();
  Q_EMIT opacityChanged(opacity);
}

void ImageCanvas::setShowLegend(bool show) {
  m_legend = show;
  invalidate();
}

void ImageCanvas::setMapShown(bool shown) {
  m_a.showMap = shown;
  if (m_b) m_b->showMap = shown;
  invalidate();
}

void ImageCanvas::setSelectedPatch(int patch) {
  m_a.selectedPatch = patch;
  if (m_b) m_b->selectedPatch = patch;
  update();
}

void ImageCanvas::setEmptyText(const QString& text, const QString& hint) {
  m_emptyText = text, m_emptyHint = hint;
  update();
}

QRectF ImageCanvas::canvasArea() const {
  QRectF area(rect());
  if (m_legend && m_a.showMap && !m_a.map.empty()) area.setRight(area.right() - kLegend);
  return area;
}

QRectF ImageCanvas::viewArea(bool second) const {
  const QRectF area = canvasArea();
  if (m_compare != Compare::SideBySide) return area;
  const double half = (area.width() - 1) / 2;
  return {second ? area.left() + half + 1 : area.left(), area.top(), half, area.height()};
}

double ImageCanvas::zoom() const {
  if (!m_fit || m_a.picture.isNull()) return m_zoom;
  const QRectF view = viewArea(false).adjusted(kPad, kPad, -kPad, -kPad);
  return std::max(1e-3, std::min(view.width() / m_a.picture.width(), view.height() / m_a.picture.height()));
}

QRectF ImageCanvas::pictureRect(bool second) const {
  const QRectF view = viewArea(second);
  const QSizeF size = QSizeF(m_a.picture.size()) * zoom();
  const QPointF centre = view.center() + (m_fit ? QPointF() : m_pan);
  return {std::round(centre.x() - size.width() / 2), std::round(centre.y() - size.height() / 2), size.width(), size.height()};
}

QPointF ImageCanvas::toWidget(const QPointF& pixel) const { return pictureRect(false).topLeft() + pixel * zoom(); }
QPointF ImageCanvas::toPicture(const QPointF& position) const { return (position - pictureRect(false).topLeft()) / zoom(); }

QPointF ImageCanvas::pictureAt(const QPointF& position, bool* second) const {
  bool b = false;
  if (m_compare == Compare::SideBySide) b = position.x() >= viewArea(true).left();
  if (m_compare == Compare::Swipe) b = position.x() >= pictureRect(false).left() + m_swipe * pictureRect(false).width();
  if (second) *second = b;
  return (position - pictureRect(b && m_compare == Compare::SideBySide).topLeft()) / zoom();
}

PatchReadout ImageCanvas::readout(int patch, bool second) const {
  PatchReadout r;
  const HeatmapScene& scene = second && m_b ? *m_b : m_a;
  if (patch < 0 || patch >= scene.map.rows * scene.map.cols) return r;
  r.patch = patch, r.row = patch / scene.map.cols, r.col = patch % scene.map.cols;
  r.pixels = patchPixels(scene, patch).toRect();
  r.value = std::size_t(patch) < scene.map.values.size() ? double(scene.map.values[std::size_t(patch)]) : std::nan("");
  r.timesUniform = scene.map.uniform > 0 ? r.value / scene.map.uniform : std::nan("");
  r.smoothed = scene.style.smooth;
  r.second = second;
  return r;
}

void ImageCanvas::invalidate() {
  for (Cache& cache : m_cache) cache.image = {};
  m_legendImage = {};
  update();
}

const SceneMeasures& ImageCanvas::measures(bool second) {
  std::optional<SceneMeasures>& known = m_measures[second];
  if (!known) known = measured(second && m_b ? *m_b : m_a);
  return *known;
}

// What takes longer than a frame is made when the map comes, not when it is first painted.
void ImageCanvas::prepare() {
  if (m_a.map.values.size() > std::size_t(kLarge)) measures(false);
  if (qint64(m_a.picture.width()) * m_a.picture.height() >= kLarge && m_levels[0].picture != m_a.picture.cacheKey()) m_levels[0] = {pictureLevels(m_a.picture), m_a.picture.cacheKey()};
}

// A picture of many megapixels is shown at a fraction of its size: its halvings are made once, and every zoom starts from the nearest.
QImage ImageCanvas::ground(const QImage& picture, const QRectF& source, const QSize& size, bool second) {
  const double shrink = source.width() / std::max(1, size.width());
  if (shrink < 2 || qint64(picture.width()) * picture.height() < kLarge) return heatmapGround(picture, source, size);
  Levels& levels = m_levels[second];
  if (levels.picture != picture.cacheKey()) levels = {pictureLevels(picture), picture.cacheKey()};
  const int level = std::min(int(std::log2(shrink)), int(levels.images.size()));
  if (level < 1) return heatmapGround(picture, source, size);
  const QImage& small = levels.images[std::size_t(level - 1)];
  const double x = double(small.width()) / picture.width(), y = double(small.height()) / picture.height();
  return heatmapGround(small, QRectF(source.x() * x, source.y() * y, source.width() * x, source.height() * y), size);
}

// Its words and its histogram change with the map alone, not with what is seen of it.
void ImageCanvas::paintLegend(QPainter& painter) {
  const double ratio = devicePixelRatioF();
  const QSize size = (QSizeF(kLegend - 2, height()) * ratio).toSize();
  if (m_legendImage.size() != size || m_legendImage.devicePixelRatio() != ratio) {
    m_legendImage = QImage(size, QImage::Format_RGB32);
    m_legendImage.setDevicePixelRatio(ratio);
    m_legendImage.fill(colors().well);
    QPainter onImage(&m_legendImage);
    paintHeatmapLegend(onImage, QRectF(0, kPad, kLegend - 4, height() - 2 * kPad), m_a, measures(false), colors());
  }
  painter.drawImage(QPointF(width() - kLegend + 2, 0), m_legendImage);
}

void ImageCanvas::paintScene(QPainter& painter, bool second, const QRectF& clip) {
  const HeatmapScene& scene = second ? *m_b : m_a;
  const QRectF whole = pictureRect(second && m_compare == Compare::SideBySide);
  const QRectF visible = whole & clip;
  if (visible.isEmpty() || scene.picture.isNull()) return;
  painter.save();
  painter.setClipRect(clip);
  // Only what is seen is made, at the screen's own pixels; the cache survives hovering and selecting.
  const double z = zoom(), ratio = devicePixelRatioF();
  const QRectF full = whole & viewArea(second && m_compare == Compare::SideBySide);
  const QRectF source((full.x() - whole.x()) / z * scene.picture.width() / m_a.picture.width(), (full.y() - whole.y()) / z * scene.picture.height() / m_a.picture.height(),
                      full.width() / z * scene.picture.width() / m_a.picture.width(), full.height() / z * scene.picture.height() / m_a.picture.height());
  const QSize size(std::max(1, int(std::lround(full.width() * ratio))), std::max(1, int(std::lround(full.height() * ratio))));
  Cache& cache = m_cache[second];
  const bool other = cache.source != source || cache.size != size || cache.picture != scene.picture.cacheKey();
  if (other) cache = {{}, ground(scene.picture, source, size, second), source, size, scene.picture.cacheKey()};
  if (cache.image.isNull()) cache.image = shadedHeatmap(scene, measures(second), cache.ground, source, colors());
  painter.drawImage(full, cache.image);
  paintHeatmapOutlines(painter, whole, scene, colors(), m_hoverSecond == second || m_compare != Compare::Single ? m_hover : -1);
  painter.restore();
}

void ImageCanvas::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.fillRect(rect(), c.well);
  if (m_a.picture.isNull()) {
    paintEmpty(painter, rect(), m_emptyText, m_emptyHint, c);
    return;
  }
  const auto tag = [&](const QString& text, QPointF corner, bool right) {
    if (text.isEmpty()) return;
    painter.setFont(uiFont(11, QFont::Medium));
    const double width = std::min(QFontMetricsF(painter.font()).horizontalAdvance(text) + 8, 220.0);
    const QRectF box(right ? corner.x() - width : corner.x(), corner.y(), width, 18);
    painter.fillRect(box, c.window);
    painter.setPen(c.text);
    painter.drawText(box.adjusted(4, 0, -4, 0), Qt::AlignVCenter | Qt::AlignLeft, QFontMetricsF(painter.font()).elidedText(text, Qt::ElideMiddle, width - 8));
  };
  if (m_compare == Compare::Swipe && m_b) {
    const QRectF whole = pictureRect(false), view = viewArea(false);
    const double x = std::round(whole.left() + m_swipe * whole.width());
    paintScene(painter, false, QRectF(view.topLeft(), QPointF(x, view.bottom())));
    paintScene(painter, true, QRectF(QPointF(x, view.top()), view.bottomRight()));
    painter.fillRect(QRectF(x - 1.5, view.top(), 3, view.height()), c.casing);
    painter.fillRect(QRectF(x - 0.75, view.top(), 1.5, view.height()), c.ink);
    painter.fillRect(QRectF(x - 4, view.center().y() - 11, 8, 22), c.ink);
    tag(m_labelA, {x - 8, view.top() + 6}, true);
    tag(m_labelB, {x + 8, view.top() + 6}, false);
  } else if (m_compare == Compare::SideBySide && m_b) {
    paintScene(painter, false, viewArea(false));
    paintScene(painter, true, viewArea(true));
    painter.fillRect(QRectF(viewArea(true).left() - 1, 0, 1, height()), c.lineStrong);
    tag(m_labelA, viewArea(false).topLeft() + QPointF(6, 6), false);
    tag(m_labelB, viewArea(true).topLeft() + QPointF(6, 6), false);
  } else {
    paintScene(painter, false, viewArea(false));
  }
  if (!m_rubber.isEmpty()) {
    paintInkOutline(painter, QRectF(toWidget(m_rubber.topLeft()), toWidget(m_rubber.bottomRight())), c, true);
  }
  if (hasFocus() && m_keyPatch >= 0) {
    const QRectF cell = patchPixels(m_a, m_keyPatch);
    painter.setPen(QPen(c.accent, 2));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(QRectF(toWidget(cell.topLeft()), toWidget(cell.bottomRight())).adjusted(-2, -2, 2, 2));
  }
  if (m_legend && m_a.showMap && !m_a.map.empty()) paintLegend(painter);
}

int ImageCanvas::cellCount() const { return m_a.map.rows * m_a.map.cols; }
QString ImageCanvas::cellName(int index) const { return patchSentence(m_a, index); }
QRect ImageCanvas::cellRect(int index) const {
  const QRectF cell = patchPixels(m_a, index);
  return QRectF(toWidget(cell.topLeft()), toWidget(cell.bottomRight())).toRect();
}

}  // namespace cuescope
