#include "widgets/matrix_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"
#include "widgets/numbers.h"
#include "widgets/words.h"

namespace cuescope {

struct MatrixView::Geometry {
  QRectF rect;
  bool layersAcross = false;      // the longer axis runs across
  int across = 0, down = 0;
  double labelWidth = 34, headHeight = 18, extraGap = 6;  // the gap before mean and max
  double cellWidth = 0, cellHeight = 0, gap = 1;
};

std::vector<float> reducedMap(const HeadMaps& maps, int layerIndex, int head) {
  const int n = maps.patches();
  if (maps.empty() || layerIndex < 0 || layerIndex >= int(maps.layers.size())) return {};
  if (head >= 0) {
    if (head >= maps.heads) return {};
    const float* map = maps.map(layerIndex, head);
    return {map, map + n};
  }
  std::vector<float> out(std::size_t(n), head == kMaxHead ? -std::numeric_limits<float>::infinity() : 0.f);
  for (int h = 0; h < maps.heads; ++h) {
    const float* map = maps.map(layerIndex, h);
    for (int i = 0; i < n; ++i) {
      float& o = out[std::size_t(i)];
      o = head == kMaxHead ? std::max(o, map[i]) : o + map[i] / float(maps.heads);
    }
  }
  return out;
}

MatrixView::MatrixView(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Matrix of layers and heads"));
  connect(&Theme::instance(), &Theme::changed, this, [this] { m_maps.signedValues ? rebuild() : update(); });
}

void MatrixView::setMaps(const HeadMaps& maps) {
  m_maps = maps;
  m_hover = {};
  rebuild();
}
void MatrixView::setColorMap(ColorMap map) {
  if (map == m_map) return;
  m_map = map;
  rebuild();
}
void MatrixView::setFade(bool fade) {
  m_fade = fade;
  rebuild();
}
void MatrixView::setSharedScale(bool shared) {
  m_shared = shared;
  rebuild();
}
void MatrixView::setSelection(int layer, int head) {
  if (m_maps.headsAveraged) head = kMeanHead;
  m_layer = layer, m_head = head;
  update();
}
void MatrixView::setEmptyText(const QString& text) {
  m_empty = text;
  update();
}

int MatrixView::columns() const { return m_maps.headsAveraged || m_maps.heads <= 1 ? 1 : m_maps.heads + 2; }
int MatrixView::headOf(int column) const {
  if (columns() == 1) return m_maps.headsAveraged ? kMeanHead : 0;
  return column < m_maps.heads ? column : column == m_maps.heads ? kMeanHead : kMaxHead;
}
int MatrixView::columnOf(int head) const {
  if (columns() == 1) return 0;
  return head >= 0 ? head : head == kMeanHead ? m_maps.heads : m_maps.heads + 1;
}

void MatrixView::rebuild() {
  m_thumbs.clear();
  m_high = m_clippedShare = 0;
  if (!m_maps.empty()) {
    // One scale: the 99.9th percentile of all heads, so that one hot patch does not darken every other thumbnail.
    std::vector<float> finite;
    finite.reserve(m_maps.values.size());
    for (const float v : m_maps.values)
      if (std::isfinite(v)) finite.push_back(m_maps.signedValues ? std::abs(v) : v);
    if (!finite.empty()) {
      const std::size_t at = std::min(finite.size() - 1, std::size_t(double(finite.size()) * 0.999));
      std::nth_element(finite.begin(), finite.begin() + long(at), finite.end());
      m_high = finite[at];
      m_clippedShare = double(std::count_if(finite.begin(), finite.end(), [&](float v) { return v > m_high; })) / double(finite.size());
    }
    if (!(m_high > 0)) m_high = 1e-6;
    const auto& table = colorTable(m_map);
    for (int l = 0; l < int(m_maps.layers.size()); ++l)
      for (int c = 0; c < columns(); ++c) {
        const std::vector<float> values = reducedMap(m_maps, l, headOf(c));
        double high = m_high;
        if (!m_shared) {
          high = 1e-9;
          for (const float v : values) high = std::max(high, m_maps.signedValues ? std::abs(double(v)) : double(v));
        }
        QImage thumb(m_maps.gridCols, m_maps.gridRows, QImage::Format_RGB32);
        for (int r = 0; r < m_maps.gridRows; ++r) {
          auto* line = reinterpret_cast<QRgb*>(thumb.scanLine(r));
          for (int x = 0; x < m_maps.gridCols; ++x) {
            const double v = values[std::size_t(r * m_maps.gridCols + x)];
            if (m_maps.signedValues) {
              line[x] = gapColor(colors(), v, high).rgb();
              continue;
            }
            line[x] = table[std::size_t(std::isfinite(v) ? std::clamp(int(std::lround(v / high * 255)), 0, 255) : 0)];
          }
        }
        m_thumbs.push_back(thumb);
      }
  }
  update();
}

MatrixView::Geometry MatrixView::geometryOf(const QRectF& rect) const {
  Geometry g;
  g.rect = rect;
  const int layers = int(m_maps.layers.size()), cols = columns();
  g.layersAcross = layers > cols;
  g.across = g.layersAcross ? layers : cols;
  g.down = g.layersAcross ? cols : layers;
  const double extra = columns() > 1 ? g.extraGap : 0;
  const double width = rect.width() - g.labelWidth - 8 - (g.layersAcross ? 0 : extra), height = rect.height() - g.headHeight - 6 - (g.layersAcross ? extra : 0);
  const double aspect = m_maps.gridRows > 0 ? double(m_maps.gridCols) / m_maps.gridRows : 1;
  g.cellWidth = std::max(2.0, width / std::max(1, g.across));
  g.cellHeight = std::max(2.0, height / std::max(1, g.down));
  // Thumbnails keep the picture's shape; never taller or wider than half of what would distort it.
  if (g.cellWidth > g.cellHeight * aspect * 1.35) g.cellWidth = g.cellHeight * aspect * 1.35;
  if (g.cellHeight > g.cellWidth / aspect * 1.35) g.cellHeight = g.cellWidth / aspect * 1.35;
  return g;
}

QRectF MatrixView::rectOf(const Geometry& g, int layerIndex, int column) const {
  const int across = g.layersAcross ? layerIndex : column, down = g.layersAcross ? column : layerIndex;
  const double extra = columns() > 1 && column >= m_maps.heads ? g.extraGap : 0;
  return {std::round(g.rect.left() + g.labelWidth + across * g.cellWidth + (g.layersAcross ? 0 : extra)),
          std::round(g.rect.top() + g.headHeight + down * g.cellHeight + (g.layersAcross ? extra : 0)), std::max(1.0, std::floor(g.cellWidth) - g.gap),
          std::max(1.0, std::floor(g.cellHeight) - g.gap)};
}

MatrixView::Cell MatrixView::cellAt(const QPointF& position) const {
  if (m_maps.empty()) return {};
  const Geometry g = geometryOf(rect());
  for (int l = 0; l < int(m_maps.layers.size()); ++l)
    for (int c = 0; c < columns(); ++c)
      if (rectOf(g, l, c).adjusted(-0.5, -0.5, 1, 1).contains(position)) return {l, headOf(c)};
  return {};
}

QString MatrixView::scaleText() const {
  if (m_maps.empty()) return {};
  const QString layers = QStringLiteral("%1 %2%3").arg(m_maps.layers.size()).arg(m_maps.injection ? QStringLiteral("injection layer") : QStringLiteral("layer"),
                                                                               m_maps.layers.size() == 1 ? QString() : QStringLiteral("s"));
  const QString heads = m_maps.headsAveraged ? QStringLiteral("mean of heads") : QStringLiteral("%1 heads").arg(m_maps.heads);
  const QString scale = m_shared ? QStringLiteral("one scale %1 to %2%3").arg(m_maps.signedValues ? QStringLiteral("±0") : QStringLiteral("0"), significantShare(m_high), m_clippedShare > 0 ? QStringLiteral(", rest clipped") : QString())
                                 : QStringLiteral("each to its own scale");
  return (m_maps.layers.size() >= std::size_t(columns()) ? heads + QStringLiteral(" × ") + layers : layers + QStringLiteral(" × ") + heads) + QStringLiteral(", ") + scale;
}

void MatrixView::paintMatrix(QPainter& painter, const QRectF& rect, const Colors& c) const {
  if (m_maps.empty()) return;
  const Geometry g = geometryOf(rect);
  painter.save();
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  const int layers = int(m_maps.layers.size());
  for (int l = 0; l < layers; ++l)
    for (int col = 0; col < columns(); ++col) painter.drawImage(rectOf(g, l, col), m_thumbs[std::size_t(l * columns() + col)]);
  const auto layerName = [&](int l) { return (m_maps.injection ? QStringLiteral("L") : QString()) + QString::number(m_maps.layers[std::size_t(l)]); };
  const auto headName = [&](int col) {
    const int head = headOf(col);
    return head == kMeanHead ? QStringLiteral("mean") : head == kMaxHead ? QStringLiteral("max") : QString::number(head);
  };
  painter.setFont(uiFont(11));
  painter.setPen(c.text3);
  paintWords(painter, QRectF(rect.left(), rect.top(), g.labelWidth - 4, g.headHeight - 2), Qt::AlignRight | Qt::AlignVCenter,
                   g.layersAcross ? QStringLiteral("Head") : m_maps.headsAveraged ? QStringLiteral("Layer") : QStringLiteral("Head"));
  const QFontMetricsF metrics(monoFont(10));
  double lastRight = -1e9;
  const auto label = [&](const QRectF& place, const QString& text, bool chosen, int align) {
    painter.setFont(monoFont(10, chosen ? QFont::DemiBold : QFont::Normal));
    painter.setPen(chosen ? c.text : c.text3);
    paintWords(painter, place, align | Qt::AlignVCenter, text);
  };
  for (int a = 0; a < g.across; ++a) {
    const QRectF cell = g.layersAcross ? rectOf(g, a, 0) : rectOf(g, 0, a);
    const QString text = g.layersAcross ? layerName(a) : headName(a);
    const bool chosen = g.layersAcross ? m_maps.layers[std::size_t(a)] == m_layer : m_layer >= 0 && headOf(a) == m_head;
    const double width = metrics.horizontalAdvance(text) + 4, left = cell.center().x() - width / 2;
    if (left < lastRight && !chosen) continue;  // narrow columns: as many numbers as fit, and always the chosen one
    label({left, rect.top(), width, g.headHeight - 2}, text, chosen, Qt::AlignHCenter);
    lastRight = left + width + 4;
  }
  double lastBottom = -1e9;
  for (int d = 0; d < g.down; ++d) {
    const QRectF cell = g.layersAcross ? rectOf(g, 0, d) : rectOf(g, d, 0);
    const bool chosen = g.layersAcross ? m_layer >= 0 && headOf(d) == m_head : m_maps.layers[std::size_t(d)] == m_layer;
    if (cell.center().y() - 6 < lastBottom && !chosen) continue;
    label({rect.left(), cell.center().y() - 7, g.labelWidth - 4, 14}, g.layersAcross ? headName(d) : layerName(d), chosen, Qt::AlignRight);
    lastBottom = cell.center().y() + 6;
  }
  const auto chosen = std::find(m_maps.layers.begin(), m_maps.layers.end(), m_layer);
  if (chosen != m_maps.layers.end() && columnOf(m_head) < columns())
    paintInkOutline(painter, rectOf(g, int(chosen - m_maps.layers.begin()), columnOf(m_head)).adjusted(-0.5, -0.5, 0.5, 0.5), c);
  painter.restore();
}

void MatrixView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  if (m_maps.empty()) {
    paintEmpty(painter, rect(), m_empty, {}, colors());
    return;
  }
  paintMatrix(painter, rect(), colors());
  if (m_hover.layerIndex >= 0) {
    painter.setPen(QPen(colors().text2, 1));
    painter.drawRect(rectOf(geometryOf(rect()), m_hover.layerIndex, columnOf(m_hover.head)).adjusted(-0.5, -0.5, 0.5, 0.5));
  }
}

void MatrixView::pick(const Cell& cell) {
  if (cell.layerIndex < 0) return;
  m_layer = m_maps.layers[std::size_t(cell.layerIndex)], m_head = cell.head;
  update();
  announceCell(this);
  Q_EMIT selected(m_layer, m_head);
}

void MatrixView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  const Cell cell = cellAt(event->position());
  if (!(event->modifiers() & Qt::ControlModifier)) return pick(cell);
  if (cell.layerIndex >= 0) Q_EMIT compared(m_maps.layers[std::size_t(cell.layerIndex)], cell.head);
}
void MatrixView::mouseDoubleClickEvent(QMouseEvent* event) {
  const Cell cell = cellAt(event->position());
  if (cell.layerIndex >= 0) Q_EMIT activated(m_maps.layers[std::size_t(cell.layerIndex)], cell.head);
}
void MatrixView::mouseMoveEvent(QMouseEvent* event) {
  const Cell cell = cellAt(event->position());
  if (cell.layerIndex == m_hover.layerIndex && cell.head == m_hover.head) return;
  m_hover = cell;
  update();
  if (cell.layerIndex < 0) {
    Q_EMIT hovered(-1, 0, 0);
    return;
  }
  const std::vector<float> values = reducedMap(m_maps, cell.layerIndex, cell.head);
  Q_EMIT hovered(m_maps.layers[std::size_t(cell.layerIndex)], cell.head, values.empty() ? 0 : *std::max_element(values.begin(), values.end()));
}
void MatrixView::leaveEvent(QEvent*) {
  m_hover = {};
  update();
  Q_EMIT hovered(-1, 0, 0);
}

bool MatrixView::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const Cell cell = cellAt(help->pos());
    if (cell.layerIndex < 0)
      QToolTip::hideText();
    else
      QToolTip::showText(help->globalPos(), cellName(cell.layerIndex * columns() + columnOf(cell.head)), this);
    return true;
  }
  return QWidget::event(event);
}

void MatrixView::keyPressEvent(QKeyEvent* event) {
  if (m_maps.empty()) return QWidget::keyPressEvent(event);
  const auto found = std::find(m_maps.layers.begin(), m_maps.layers.end(), m_layer);
  int layer = found == m_maps.layers.end() ? 0 : int(found - m_maps.layers.begin());
  int column = std::clamp(columnOf(m_head), 0, columns() - 1);
  const bool across = geometryOf(rect()).layersAcross;
  int dx = 0, dy = 0;
  switch (event->key()) {
    case Qt::Key_Left: dx = -1; break;
    case Qt::Key_Right: dx = 1; break;
    case Qt::Key_Up: dy = -1; break;
    case Qt::Key_Down: dy = 1; break;
    case Qt::Key_Return:
    case Qt::Key_Enter: Q_EMIT activated(m_maps.layers[std::size_t(layer)], headOf(column)); return;
    default: return QWidget::keyPressEvent(event);
  }
  layer = std::clamp(layer + (across ? dx : dy), 0, int(m_maps.layers.size()) - 1);
  column = std::clamp(column + (across ? dy : dx), 0, columns() - 1);
  pick({layer, headOf(column)});
}

int MatrixView::cellCount() const { return m_maps.empty() ? 0 : int(m_maps.layers.size()) * columns(); }
QString MatrixView::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  const int layer = index / columns(), head = headOf(index % columns());
  const std::vector<float> values = reducedMap(m_maps, layer, head);
  const double high = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  const QString name = head == kMeanHead ? QStringLiteral("mean of heads") : head == kMaxHead ? QStringLiteral("largest head") : QStringLiteral("head %1").arg(head);
  return QStringLiteral("layer %1, %2, largest %3").arg(m_maps.layers[std::size_t(layer)]).arg(name, significant(high, 4));
}
QRect MatrixView::cellRect(int index) const {
  return index < 0 || index >= cellCount() ? QRect() : rectOf(geometryOf(rect()), index / columns(), index % columns()).toRect();
}
int MatrixView::currentCell() const {
  const auto found = std::find(m_maps.layers.begin(), m_maps.layers.end(), m_layer);
  return found == m_maps.layers.end() ? -1 : int(found - m_maps.layers.begin()) * columns() + columnOf(m_head);
}

}  // namespace cuescope
