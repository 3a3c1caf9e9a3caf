#include "widgets/elided_label.h"

#include <QFontMetrics>
#include <QPainter>
#include <cmath>

#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {

ElidedLabel::ElidedLabel(const QString& text, QWidget* parent) : QWidget(parent), m_text(text) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  setAccessibleName(text);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ElidedLabel::setText(const QString& text, const QString& dim) {
  if (text == m_text && dim == m_dim) return;
  const QSize before = sizeHint();
  m_text = text, m_dim = dim;
  setAccessibleName(dim.isEmpty() ? text : text + QLatin1Char(' ') + dim);
  tellWhole();
  // A label that takes the room it is given (policy Ignored) never makes its page lay out anew.
  if (sizePolicy().horizontalPolicy() != QSizePolicy::Ignored && sizeHint() != before) updateGeometry();
  update();
}
void ElidedLabel::setElide(Qt::TextElideMode mode) { m_mode = mode, update(); }
void ElidedLabel::setAlignment(Qt::Alignment alignment) { m_alignment = alignment, update(); }
void ElidedLabel::setPixelSize(int pixels, QFont::Weight weight) {
  m_pixels = pixels, m_weight = weight;
  updateGeometry();
  update();
}
void ElidedLabel::setMono(bool mono) {
  m_mono = mono;
  updateGeometry();
}
void ElidedLabel::setTone(Tone tone) { m_tone = tone, update(); }

void ElidedLabel::setWholeDim(bool whole) { m_wholeDim = whole, update(); }
void ElidedLabel::setKeepDim(bool keep) { m_keepDim = keep, update(); }
void ElidedLabel::setAllOrNothing(bool all) { m_allOrNothing = all, update(); }

QFont ElidedLabel::labelFont() const { return m_mono ? monoFont(m_pixels, m_weight) : uiFont(m_pixels, m_weight); }
QFont ElidedLabel::dimFont() const { return m_mono ? monoFont(m_pixels) : uiFont(std::min(m_pixels, 12)); }

QSize ElidedLabel::sizeHint() const {
  const QFont font = labelFont();
  double width = wordsWidth(font, m_text);
  if (!m_dim.isEmpty()) width += 8 + wordsWidth(dimFont(), m_dim);
  return {int(std::ceil(width)) + 1, int(std::ceil(QFontMetricsF(font).height())) + 2};
}
QSize ElidedLabel::minimumSizeHint() const { return {std::min(24, sizeHint().width()), sizeHint().height()}; }
bool ElidedLabel::isElided() const { return sizeHint().width() > width() + 1; }
void ElidedLabel::resizeEvent(QResizeEvent*) { tellWhole(); }

// A tooltip that its owner gave it stays.
void ElidedLabel::tellWhole() {
  if (toolTip() != m_whole) return;
  m_whole = isElided() ? accessibleName() : QString();
  setToolTip(m_whole);
}

void ElidedLabel::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  const QFont font = labelFont();
  const WordMetrics metrics(font);
  if (m_allOrNothing && isElided()) return;
  const double kept = m_keepDim && !m_dim.isEmpty() ? std::min(width() / 2.0, 8 + wordsWidth(dimFont(), m_dim)) : 0;
  const QString shown = metrics.elidedText(m_text, m_mode, width() - kept);
  if (shown != m_text && shown.size() < 4) return;  // two letters say nothing; the tooltip has it
  painter.setFont(font);
  painter.setPen(!isEnabled() || m_tone == Tone::Text3 ? c.text3 : m_tone == Tone::Text2 ? c.text2 : c.text);
  const WordMetrics dims(dimFont());
  const double first = metrics.horizontalAdvance(shown), rest = width() - first - 8;
  const bool none = m_dim.isEmpty() || rest < 12 || (m_wholeDim && dims.horizontalAdvance(m_dim) > rest);
  QString dim = none ? QString() : dims.elidedText(m_dim, Qt::ElideRight, rest);
  if (dim != m_dim && dim.size() < 4) dim.clear();
  const double total = first + (dim.isEmpty() ? 0 : 8 + dims.horizontalAdvance(dim));
  const double x = m_alignment & Qt::AlignRight ? width() - total : m_alignment & Qt::AlignHCenter ? (width() - total) / 2 : 0;
  paintWords(painter, QRectF(x, 0, first + 1, height()), Qt::AlignLeft | Qt::AlignVCenter, shown);
  if (dim.isEmpty()) return;
  painter.setFont(dimFont());
  painter.setPen(c.text3);
  paintWords(painter, QRectF(x + first + 8, 0, rest + 1, height()), Qt::AlignLeft | Qt::AlignVCenter, dim);
}

}  // namespace cuescope
