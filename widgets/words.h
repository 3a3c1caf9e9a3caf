// Words on the screen, shaped once. Shaping a line of text costs more than drawing it, and a window shows the same few hundred
// words in every frame: what they measure, how they are cut short and their glyphs are kept. Painters that are not the screen's
// (SVG, PDF, a picture that is recorded) get the text itself. UI thread; elsewhere nothing is kept.
#pragma once

#include <QFont>
#include <QRectF>
#include <QString>
#include <utility>

class QPainter;

namespace cuescope {

/// As QFontMetricsF::horizontalAdvance().
double wordsWidth(const QFont& font, const QString& text);
/// As QFontMetricsF::elidedText().
QString elidedWords(const QFont& font, const QString& text, Qt::TextElideMode mode, double width);
/// Both, of one font.
class WordMetrics {
 public:
  explicit WordMetrics(QFont font) : m_font(std::move(font)) {}
  double horizontalAdvance(const QString& text) const { return wordsWidth(m_font, text); }
  QString elidedText(const QString& text, Qt::TextElideMode mode, double width) const { return elidedWords(m_font, text, mode, width); }

 private:
  QFont m_font;
};
/// As QPainter::drawText() with the painter's font and pen, pixel for pixel.
void paintWords(QPainter& painter, const QRectF& rect, int flags, const QString& text);

}  // namespace cuescope
