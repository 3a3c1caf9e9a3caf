#include "widgets/distribution_bars.h"

#include <QFontMetricsF>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

constexpr double kBar = 8, kGap = 1, kRowPad = 5, kLeastPad = 1, kAxis = 20, kLegendLine = 19, kRight = 40;

int conditionsIn(const DistributionSet& set) { return int(std::count(std::begin(set.present), std::end(set.present), true)); }
double rowHeight(const DistributionSet& set, double pad) { return std::max(1, conditionsIn(set)) * (kBar + kGap) - kGap + 2 * pad; }
double legendHeight(const DistributionSet& set, bool legend) { return legend ? (conditionsIn(set) > 2 ? 2 : 1) * kLegendLine + 8 : 0; }
double heightWith(const DistributionSet& set, bool legend, double pad) { return legendHeight(set, legend) + double(set.rows.size() + 1) * rowHeight(set, pad) + kAxis; }
// In a low place the rows move closer; their bars keep their thickness.
double padIn(double height, const DistributionSet& set, bool legend) {
  return std::clamp(kRowPad - (heightWith(set, legend, kRowPad) - height) / double(set.rows.size() + 1) / 2, kLeastPad, kRowPad);
}
int slotOf(const DistributionSet& set, int condition) {
  return int(std::count(std::begin(set.present), std::begin(set.present) + condition, true));
}
// As wide as the longest token needs, within a third of the panel: names come before bar length.
double labelWidth(const QRectF& rect, const DistributionSet& set) {
  const WordMetrics metrics(monoFont(12, QFont::DemiBold));
  double widest = 0;
  for (const DistributionRow& row : set.rows) widest = std::max(widest, metrics.horizontalAdvance(row.token));
  return std::clamp(std::ceil(widest) + 14, 48.0, std::max(48.0, std::min(rect.width() * 0.34, 130.0)));
}
double probabilityOf(const DistributionSet& set, int row, int condition) {
  return row < int(set.rows.size()) ? set.rows[std::size_t(row)].probability[condition] : set.tail[condition];
}
QString endText(double p) {
  if (!std::isfinite(p)) return QStringLiteral("not computed");
  return p < 0.005 ? QStringLiteral("<.01") : shareText(p, 2);
}

}  // namespace

double DistributionBars::heightFor(const DistributionSet& set, bool legend) {
  return heightWith(set, legend, kRowPad);
}

QRectF DistributionBars::barRect(const QRectF& rect, const DistributionSet& set, bool legend, int row, int condition) {
  const double left = rect.left() + labelWidth(rect, set), full = rect.right() - kRight - left;
  const double p = probabilityOf(set, row, condition);
  const double pad = padIn(rect.height(), set, legend);
  const double y = rect.top() + legendHeight(set, legend) + row * rowHeight(set, pad) + pad + slotOf(set, condition) * (kBar + kGap);
  return {left, y, std::isfinite(p) ? std::max(1.0, full * std::clamp(p, 0.0, 1.0)) : 0, kBar};
}

void DistributionBars::paintBars(QPainter& painter, const QRectF& rect, const DistributionSet& set, const Colors& c, bool legend, int hover, int current) {
  painter.save();
  if (legend) {
    painter.setFont(uiFont(12));
    double x = rect.left() + 8, y = rect.top() + 4;
    const double column = std::max(120.0, (rect.width() - 16) / 2);
    int n = 0;
    for (int k = 0; k < 4; ++k) {
      if (!set.present[k]) continue;
      paintConditionBar(painter, QRectF(x, y + 4, 12, 9), k, c);
      painter.setPen(c.text);
      paintWords(painter, QRectF(x + 18, y, column - 22, 17), Qt::AlignLeft | Qt::AlignVCenter,
                       elidedWords(painter.font(), QString::fromLatin1(conditionTitle(k)), Qt::ElideRight, column - 22));
      ++n;
      x = rect.left() + 8 + (n % 2) * column;
      if (n % 2 == 0) y += kLegendLine;
    }
  }
  const double names = labelWidth(rect, set), left = rect.left() + names, full = rect.right() - kRight - left, top = rect.top() + legendHeight(set, legend);
  const double high = rowHeight(set, padIn(rect.height(), set, legend)), bottom = top + double(set.rows.size() + 1) * high;
  for (int row = 0; row <= int(set.rows.size()); ++row) {
    const QRectF area(rect.left(), top + row * high, rect.width(), high);
    if (row == set.chosen) painter.fillRect(area, c.selection);
    else if (row == hover) painter.fillRect(area, c.hover);
    painter.fillRect(QRectF(area.left(), area.top(), area.width(), 1), c.line);
  }
  for (int tick = 1; tick <= 4; ++tick) painter.fillRect(QRectF(std::round(left + full * tick / 4), top, 1, bottom - top), c.line);
  painter.fillRect(QRectF(left - 1, top, 1, bottom - top), c.lineStrong);
  for (int row = 0; row <= int(set.rows.size()); ++row) {
    const bool tail = row == int(set.rows.size());
    const bool strong = row == set.chosen;
    painter.setFont(tail ? uiFont(12) : monoFont(12, strong ? QFont::DemiBold : QFont::Normal));
    painter.setPen(tail && row != hover ? c.text3 : c.text);
    const QString name = tail ? QStringLiteral("tail") : set.rows[std::size_t(row)].token;
    paintWords(painter, QRectF(rect.left() + 4, top + row * high, names - 12, high), Qt::AlignRight | Qt::AlignVCenter,
                     elidedWords(painter.font(), name, Qt::ElideMiddle, names - 12));
    painter.setFont(monoFont(10));
    for (int k = 0; k < 4; ++k) {
      if (!set.present[k]) continue;
      const QRectF bar = barRect(rect, set, legend, row, k);
      paintConditionBar(painter, bar, k, c);
      painter.setPen(strong || row == hover ? c.text2 : c.text3);
      paintWords(painter, QRectF(bar.right() + 4, bar.top() - 3, rect.right() - bar.right(), kBar + 6), Qt::AlignLeft | Qt::AlignVCenter, endText(probabilityOf(set, row, k)));
    }
    if (row == current) {
      painter.setPen(QPen(c.accent, 2));
      painter.setBrush(Qt::NoBrush);
      painter.drawRect(QRectF(rect.left() + 1, top + row * high + 1, rect.width() - 2, high - 2));
    }
  }
  painter.setFont(monoFont(10));
  painter.setPen(c.text3);
  for (int tick = 0; tick <= 4; ++tick)
    paintWords(painter, QRectF(left + full * tick / 4 - 20, bottom + 2, 40, 14), Qt::AlignCenter, tick % 2 ? QString::number(tick / 4.0, 'f', 2) : tick == 2 ? QStringLiteral("0.5") : QString::number(tick / 4));
  painter.restore();
}

DistributionBars::DistributionBars(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Next-token distributions"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void DistributionBars::setDistributions(const DistributionSet& set) {
  m_set = set;
  m_hover = -1;
  if (m_current > int(set.rows.size())) m_current = -1;
  const int least = set.rows.empty() ? 60 : int(std::ceil(heightWith(set, m_legend, kLeastPad)));
  if (least != minimumHeight()) {
    setMinimumHeight(least);
    updateGeometry();
  }
  update();
}
void DistributionBars::setLegendShown(bool shown) {
  m_legend = shown;
  setDistributions(m_set);
}
void DistributionBars::setEmptyText(const QString& text) {
  m_empty = text;
  update();
}

QSize DistributionBars::sizeHint() const { return {320, int(std::ceil(heightFor(m_set, m_legend)))}; }

int DistributionBars::rowAt(const QPointF& position) const {
  const double y = position.y() - legendHeight(m_set, m_legend);
  if (m_set.rows.empty() || y < 0) return -1;
  const int row = int(y / rowHeight(m_set, padIn(height(), m_set, m_legend)));
  return row <= int(m_set.rows.size()) ? row : -1;
}

void DistributionBars::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  if (m_set.rows.empty())
    paintEmpty(painter, rect(), m_empty, {}, colors());
  else
    paintBars(painter, rect(), m_set, colors(), m_legend, m_hover, hasFocus() ? m_current : -1);
}

void DistributionBars::mousePressEvent(QMouseEvent* event) {
  const int row = rowAt(event->position());
  if (event->button() != Qt::LeftButton || row < 0) return;
  m_current = row;
  Q_EMIT rowSelected(row);
}
void DistributionBars::mouseDoubleClickEvent(QMouseEvent* event) {
  const int row = rowAt(event->position());
  if (row >= 0 && row < int(m_set.rows.size())) Q_EMIT rowActivated(row);
}
void DistributionBars::mouseMoveEvent(QMouseEvent* event) {
  const int row = rowAt(event->position());
  if (row == m_hover) return;
  m_hover = row;
  update();
  Q_EMIT rowHovered(row);
}
void DistributionBars::leaveEvent(QEvent*) {
  m_hover = -1;
  update();
  Q_EMIT rowHovered(-1);
}
void DistributionBars::keyPressEvent(QKeyEvent* event) {
  const int last = int(m_set.rows.size());
  if (event->key() == Qt::Key_Up || event->key() == Qt::Key_Down) {
    m_current = std::clamp(m_current + (event->key() == Qt::Key_Down ? 1 : -1), 0, last);
    update();
    announceCell(this);
    Q_EMIT rowSelected(m_current);
  } else if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && m_current >= 0 && m_current < last) {
    Q_EMIT rowActivated(m_current);
  } else {
    QWidget::keyPressEvent(event);
  }
}
bool DistributionBars::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int row = rowAt(help->pos());
    row < 0 ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), cellName(row), this);
    return true;
  }
  return QWidget::event(event);
}

int DistributionBars::cellCount() const { return m_set.rows.empty() ? 0 : int(m_set.rows.size()) + 1; }
QString DistributionBars::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  QString name = index < int(m_set.rows.size()) ? QStringLiteral("“%1”").arg(m_set.rows[std::size_t(index)].token) : QStringLiteral("all other tokens");
  for (int k = 0; k < 4; ++k)
    if (m_set.present[k]) name += QStringLiteral("\n%1 %2").arg(QString::fromLatin1(conditionTitle(k)), number(probabilityOf(m_set, index, k), 4));
  return name;
}
QRect DistributionBars::cellRect(int index) const {
  const double high = rowHeight(m_set, padIn(height(), m_set, m_legend));
  return QRectF(0, legendHeight(m_set, m_legend) + index * high, width(), high).toRect();
}

}  // namespace cuescope
