#include "widgets/change_bars.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"

namespace cuescope {
namespace {

constexpr double kHead = 46, kRow = 28, kBar = 9, kRight = 92;

}  // namespace

ChangeBars::ChangeBars(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Distribution before and after the change"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ChangeBars::setChange(const ChangeSet& set) {
  m_set = set;
  m_current = -1;
  const int least = set.rows.empty() ? 60 : int(heightFor(set));
  if (least != minimumHeight()) {
    setMinimumHeight(least);
    updateGeometry();
  }
  update();
}
void ChangeBars::setEmptyText(const QString& text, const QString& hint) {
  m_empty = text, m_hint = hint;
  update();
}

void ChangeBars::paintChange(QPainter& painter, const QRectF& rect, const ChangeSet& set, const Colors& c) {
  painter.save();
  const QColor hue = c.conditions[std::clamp(set.condition, 0, 3)];
  const auto bar = [&](const QRectF& r, bool after) {
    QColor faint = hue;
    faint.setAlphaF(0.18f);
    painter.fillRect(r, after ? hue : faint);
    if (after) return;
    painter.setPen(QPen(hue, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(r.adjusted(0.5, 0.5, -0.5, -0.5));
  };
  painter.setFont(uiFont(12));
  painter.setPen(c.text);
  painter.drawText(QRectF(rect.left() + 8, rect.top() + 4, rect.width() - 16, 18), Qt::AlignLeft | Qt::AlignVCenter,
                   QFontMetricsF(painter.font()).elidedText(QString::fromLatin1(conditionTitle(set.condition)) + QStringLiteral(": ") + set.title, Qt::ElideRight, rect.width() - 16));
  painter.setFont(uiFont(11));
  for (int k = 0; k < 2; ++k) {
    bar(QRectF(rect.left() + 8 + k * 80, rect.top() + 29, 12, kBar), k == 1);
    painter.setPen(c.text2);
    painter.drawText(QRectF(rect.left() + 26 + k * 80, rect.top() + 24, 60, 18), Qt::AlignLeft | Qt::AlignVCenter, k ? QObject::tr("after") : QObject::tr("before"));
  }
  painter.setPen(c.text3);
  painter.drawText(QRectF(rect.right() - kRight - 40, rect.top() + 24, kRight + 34, 18), Qt::AlignRight | Qt::AlignVCenter, QObject::tr("change, nats"));
  const QFontMetricsF mono(monoFont(12));
  double names = 48;
  for (const ChangeRow& row : set.rows) names = std::max(names, mono.horizontalAdvance(row.token) + 14);
  names = std::min(names, std::max(48.0, rect.width() * 0.32));
  const double left = rect.left() + names, full = std::max(20.0, rect.right() - kRight - left);
  for (std::size_t i = 0; i <= set.rows.size(); ++i) {
    const bool tail = i == set.rows.size();
    const double before = tail ? set.tailBefore : set.rows[i].before, after = tail ? set.tailAfter : set.rows[i].after;
    const QRectF area(rect.left(), rect.top() + kHead + double(i) * kRow, rect.width(), kRow);
    if (int(i) == set.chosen) painter.fillRect(area, c.selection);
    painter.fillRect(QRectF(area.left(), area.top(), area.width(), 1), c.line);
    painter.setFont(tail ? uiFont(12) : monoFont(12, int(i) == set.chosen ? QFont::DemiBold : QFont::Normal));
    painter.setPen(tail ? c.text3 : c.text);
    const QString name = tail ? QStringLiteral("tail") : set.rows[i].token;
    painter.drawText(QRectF(area.left() + 4, area.top(), names - 12, kRow), Qt::AlignRight | Qt::AlignVCenter, QFontMetricsF(painter.font()).elidedText(name, Qt::ElideMiddle, names - 12));
    painter.setFont(monoFont(10));
    for (int k = 0; k < 2; ++k) {
      const double p = k ? after : before;
      if (!std::isfinite(p)) continue;
      const QRectF r(left, area.top() + 4 + k * (kBar + 2), std::max(1.0, (full - 34) * std::clamp(p, 0.0, 1.0)), kBar);
      bar(r, k == 1);
      painter.setPen(c.text2);
      painter.drawText(QRectF(r.right() + 4, r.top() - 3, 40, kBar + 6), Qt::AlignLeft | Qt::AlignVCenter, p < 0.005 ? QStringLiteral("<.01") : shareText(p, 2));
    }
    if (std::isfinite(before) && std::isfinite(after) && before > 0 && after > 0) {
      const double change = std::log(after / before);
      painter.setFont(monoFont(11));
      painter.setPen(c.text);
      painter.drawText(QRectF(rect.right() - kRight, area.top(), kRight - 8, kRow), Qt::AlignRight | Qt::AlignVCenter, (change >= 0.005 ? QStringLiteral("+") : QString()) + number(change, 2));
    }
  }
  painter.restore();
}

void ChangeBars::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  if (m_set.rows.empty()) return paintEmpty(painter, rect(), m_empty, m_hint, colors());
  paintChange(painter, rect(), m_set, colors());
  if (hasFocus() && m_current >= 0) paintFocusRing(painter, QRectF(cellRect(m_current)).adjusted(3, 3, -3, -3), colors());
}

void ChangeBars::keyPressEvent(QKeyEvent* event) {
  if (!m_set.rows.empty() && (event->key() == Qt::Key_Up || event->key() == Qt::Key_Down)) {
    m_current = std::clamp(m_current + (event->key() == Qt::Key_Down ? 1 : -1), 0, cellCount() - 1);
    update();
    announceCell(this);
  } else {
    QWidget::keyPressEvent(event);
  }
}

bool ChangeBars::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int row = int((help->pos().y() - kHead) / kRow);
    help->pos().y() < kHead || row >= cellCount() ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), cellName(row), this);
    return true;
  }
  return QWidget::event(event);
}

QString ChangeBars::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  const bool tail = index == int(m_set.rows.size());
  return tr("%1: before %2, after %3")
      .arg(tail ? tr("all other tokens") : QStringLiteral("“%1”").arg(m_set.rows[std::size_t(index)].token), number(tail ? m_set.tailBefore : m_set.rows[std::size_t(index)].before, 4),
           number(tail ? m_set.tailAfter : m_set.rows[std::size_t(index)].after, 4));
}
QRect ChangeBars::cellRect(int index) const { return QRectF(0, kHead + index * kRow, width(), kRow).toRect(); }

}  // namespace cuescope
