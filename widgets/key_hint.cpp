#include "widgets/key_hint.h"

#include <QFontMetrics>
#include <QPainter>

#include "widgets/theme.h"

namespace cuescope {

KeyHint::KeyHint(const QString& keys, QWidget* parent) : QWidget(parent), m_keys(keys) {
  setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
  setAccessibleName(keys);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}
void KeyHint::setKeys(const QString& keys) {
  m_keys = keys;
  setAccessibleName(keys);
  updateGeometry();
  update();
}
QSize KeyHint::sizeHint() const { return {QFontMetrics(monoFont(10)).horizontalAdvance(m_keys) + 10, 16}; }
void KeyHint::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(colors().lineStrong, 1));
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 2, 2);
  painter.setFont(monoFont(10));
  painter.setPen(colors().text2);
  painter.drawText(rect(), Qt::AlignCenter, m_keys);
}

}  // namespace cuescope
