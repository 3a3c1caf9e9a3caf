#include "widgets/segmented_button.h"

#include <QFontMetrics>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>

#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {

SegmentedButton::SegmentedButton(const QStringList& labels, QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
  setLabels(labels);
}

void SegmentedButton::setLabels(const QStringList& labels) {
  m_labels = labels;
  m_enabled.assign(std::size_t(labels.size()), true);
  m_reasons = QStringList(labels.size(), QString());
  m_current = 0;
  updateGeometry();
  update();
}
void SegmentedButton::setCurrent(int index) {
  if (index < 0 || index >= m_labels.size()) return;
  m_current = index;
  setAccessibleDescription(m_labels[index]);
  update();
}
void SegmentedButton::setChoiceEnabled(int index, bool enabled, const QString& reason) {
  if (index < 0 || index >= m_labels.size()) return;
  m_enabled[std::size_t(index)] = enabled;
  m_reasons[index] = reason;
  update();
}
void SegmentedButton::setMono(bool mono) {
  m_mono = mono;
  updateGeometry();
}

void SegmentedButton::setIcons(const std::vector<Icon>& icons) {
  m_icons = icons;
  updateGeometry();
  update();
}

int SegmentedButton::widthOf(int index) const {
  if (std::size_t(index) < m_icons.size()) return 28;
  return qRound(wordsWidth(m_mono ? monoFont(11) : uiFont(12, QFont::DemiBold), m_labels[index])) + 18;
}

QSize SegmentedButton::sizeHint() const {
  int width = 1;
  for (int i = 0; i < m_labels.size(); ++i) width += widthOf(i);
  return {width, 22};
}

QRect SegmentedButton::segment(int index) const {
  int x = 0;
  for (int i = 0; i < index; ++i) x += widthOf(i);
  return {x, (height() - 22) / 2, widthOf(index) + 1, 22};
}
int SegmentedButton::at(const QPoint& position) const {
  for (int i = 0; i < m_labels.size(); ++i)
    if (segment(i).contains(position)) return i;
  return -1;
}

void SegmentedButton::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  for (int i = 0; i < m_labels.size(); ++i) {
    const QRect place = segment(i);
    const bool on = i == m_current, enabled = isEnabled() && m_enabled[std::size_t(i)];
    painter.fillRect(place, on ? c.selection : !enabled ? c.panel : i == m_hover ? c.hover : c.raised);
    painter.setPen(QPen(c.lineStrong, 1));
    painter.drawRect(place.adjusted(0, 0, -1, -1));
    painter.setFont(m_mono ? monoFont(11) : uiFont(12, on ? QFont::DemiBold : QFont::Normal));
    painter.setPen(!enabled ? c.text3 : on ? c.accent : c.text2);
    if (std::size_t(i) < m_icons.size()) paintIcon(painter, QRectF(place.center().x() - 7.5, place.center().y() - 7.5, 16, 16), m_icons[std::size_t(i)], !enabled ? c.control : on ? c.accent : c.text2);
    else paintWords(painter, place, Qt::AlignCenter, m_labels[i]);
  }
}

void SegmentedButton::mousePressEvent(QMouseEvent* event) {
  const int index = at(event->position().toPoint());
  if (event->button() != Qt::LeftButton || index < 0 || !m_enabled[std::size_t(index)] || index == m_current) return;
  setCurrent(index);
  Q_EMIT currentChanged(index);
}
void SegmentedButton::mouseMoveEvent(QMouseEvent* event) {
  const int index = at(event->position().toPoint());
  if (index != m_hover) m_hover = index, update();
}
void SegmentedButton::leaveEvent(QEvent*) {
  m_hover = -1;
  update();
}
void SegmentedButton::keyPressEvent(QKeyEvent* event) {
  const int direction = event->key() == Qt::Key_Left ? -1 : event->key() == Qt::Key_Right ? 1 : 0;
  if (!direction) return QWidget::keyPressEvent(event);
  for (int i = m_current + direction; i >= 0 && i < m_labels.size(); i += direction)
    if (m_enabled[std::size_t(i)]) {
      setCurrent(i);
      Q_EMIT currentChanged(i);
      return;
    }
}
void SegmentedButton::next() {
  for (int by = 1; by < int(m_labels.size()); ++by)
    if (const int i = (m_current + by) % int(m_labels.size()); m_enabled[std::size_t(i)]) {
      setCurrent(i);
      return Q_EMIT currentChanged(i);
    }
}
bool SegmentedButton::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int index = at(help->pos());
    QString text = index >= 0 && !m_reasons[index].isEmpty() ? m_reasons[index] : toolTip();
    if (index >= 0 && std::size_t(index) < m_icons.size()) text.prepend(m_labels[index] + QLatin1Char('\n'));
    text.isEmpty() ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), text, this);
    return true;
  }
  return QWidget::event(event);
}

}  // namespace cuescope
