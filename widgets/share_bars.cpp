#include "widgets/share_bars.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"

namespace cuescope {
namespace {

constexpr double kHead = 26, kRow = 18, kLabel = 44, kValue = 130;

}  // namespace

ShareBars::ShareBars(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Attention share by layer"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ShareBars::setShares(const std::vector<LayerShares>& shares) {
  const bool other = shares.size() != m_shares.size();
  m_shares = shares;
  if (other) {
    setMinimumHeight(shares.empty() ? 60 : int(heightFor(shares.size())));
    updateGeometry();
  }
  update();
}
void ShareBars::setSelectedLayer(int layer) {
  if (layer == m_layer) return;
  m_layer = layer;
  update();
}
void ShareBars::setEmptyText(const QString& text) {
  m_empty = text;
  update();
}

// Three greys of different fill: these are no conditions, so they take no hue.
void ShareBars::paintShares(QPainter& painter, const QRectF& rect, const std::vector<LayerShares>& shares, int selected, const Colors& c) {
  painter.save();
  const QBrush fills[] = {QBrush(c.text2), QBrush(c.control, Qt::BDiagPattern), QBrush(c.lineStrong)};
  const QString words[] = {QObject::tr("image"), QObject::tr("text"), QObject::tr("sink")};
  painter.setFont(uiFont(11));
  double x = rect.left() + kLabel;
  for (int k = 0; k < 3; ++k) {
    const QRectF swatch(x, rect.top() + 8, 12, 9);
    painter.fillRect(swatch, fills[k]);
    if (k == 1) painter.setPen(QPen(c.control, 1)), painter.setBrush(Qt::NoBrush), painter.drawRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5));
    painter.setPen(c.text2);
    painter.drawText(QRectF(x + 16, rect.top() + 4, 60, 17), Qt::AlignLeft | Qt::AlignVCenter, words[k]);
    x += 22 + QFontMetricsF(painter.font()).horizontalAdvance(words[k]) + 12;
  }
  const double left = rect.left() + kLabel, full = std::max(20.0, rect.width() - kLabel - kValue - 8);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const LayerShares& s = shares[i];
    const double y = rect.top() + kHead + double(i) * kRow;
    const bool on = s.layer == selected;
    if (on) painter.fillRect(QRectF(rect.left(), y, rect.width(), kRow), c.selection);
    painter.setFont(monoFont(10, on ? QFont::DemiBold : QFont::Normal));
    painter.setPen(on ? c.text : c.text3);
    painter.drawText(QRectF(rect.left(), y, kLabel - 8, kRow), Qt::AlignRight | Qt::AlignVCenter, QString::number(s.layer));
    if (!std::isfinite(s.image)) {
      painter.drawText(QRectF(left, y, full, kRow), Qt::AlignLeft | Qt::AlignVCenter, QObject::tr("not computed"));
      continue;
    }
    double at = left;
    const double parts[] = {s.image, s.text, s.sink};
    for (int k = 0; k < 3; ++k) {
      const double width = std::isfinite(parts[k]) ? full * std::clamp(parts[k], 0.0, 1.0) : 0;
      const QRectF bar(at, y + 4, std::max(0.0, width - 1), kRow - 8);
      painter.fillRect(bar, fills[k]);
      if (k == 1) painter.setPen(QPen(c.control, 1)), painter.setBrush(Qt::NoBrush), painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
      at += width;
    }
    painter.setPen(on ? c.text : c.text2);
    const auto share = [](double v) { return std::isfinite(v) ? shareText(v, 2) : QStringLiteral("none"); };
    painter.drawText(QRectF(left + full + 8, y, kValue - 8, kRow), Qt::AlignLeft | Qt::AlignVCenter,
                     QStringLiteral("%1  %2  %3").arg(share(s.image), share(s.text), share(s.sink)));
  }
  const double bottom = rect.top() + kHead + double(shares.size()) * kRow;
  painter.setFont(monoFont(10));
  painter.setPen(c.text3);
  for (int tick = 0; tick <= 2; ++tick)
    painter.drawText(QRectF(left + full * tick / 2 - 20, bottom + 2, 40, 14), Qt::AlignCenter, tick == 1 ? QStringLiteral("0.5") : QString::number(tick / 2));
  painter.restore();
}

void ShareBars::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  if (m_shares.empty()) return paintEmpty(painter, rect(), m_empty, {}, colors());
  paintShares(painter, rect(), m_shares, m_layer, colors());
  if (hasFocus() && currentCell() >= 0) paintFocusRing(painter, QRectF(cellRect(currentCell())).adjusted(3, 2, -3, -2), colors());
}

int ShareBars::rowAt(const QPointF& position) const {
  const int row = int((position.y() - kHead) / kRow);
  return position.y() >= kHead && row < int(m_shares.size()) ? row : -1;
}

void ShareBars::pick(int row) {
  if (row < 0 || row >= int(m_shares.size())) return;
  m_layer = m_shares[std::size_t(row)].layer;
  update();
  announceCell(this);
  Q_EMIT layerPicked(m_layer);
}

void ShareBars::mousePressEvent(QMouseEvent* event) { pick(rowAt(event->position())); }

void ShareBars::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Up || event->key() == Qt::Key_Down) pick(std::clamp(currentCell() + (event->key() == Qt::Key_Down ? 1 : -1), 0, std::max(0, cellCount() - 1)));
  else QWidget::keyPressEvent(event);
}

bool ShareBars::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int row = rowAt(help->pos());
    row < 0 ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), cellName(row), this);
    return true;
  }
  return QWidget::event(event);
}

QString ShareBars::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  const LayerShares& s = m_shares[std::size_t(index)];
  return tr("layer %1: image %2, text %3, sink %4").arg(s.layer).arg(number(s.image, 3), number(s.text, 3), number(s.sink, 3));
}
QRect ShareBars::cellRect(int index) const { return QRectF(0, kHead + index * kRow, width(), kRow).toRect(); }
int ShareBars::currentCell() const {
  for (int i = 0; i < cellCount(); ++i)
    if (m_shares[std::size_t(i)].layer == m_layer) return i;
  return -1;
}

}  // namespace cuescope
