#include "widgets/words.h"

#include <QCoreApplication>
#include <QFontMetricsF>
#include <QGlyphRun>
#include <QHash>
#include <QPaintEngine>
#include <QPainter>
#include <QTextLayout>
#include <QThread>
#include <cmath>
#include <optional>

namespace cuescope {
namespace {

constexpr qsizetype kMost = 6000;  // then all is forgotten: numbers come and go

struct Key {
  QFont font;
  QString text;
  int mode = 0;       // of eliding
  qint64 width = -1;  // in 64ths of a pixel
  bool operator==(const Key& other) const { return mode == other.mode && width == other.width && text == other.text && font == other.font; }
};
size_t qHash(const Key& key, size_t seed = 0) {
  return qHashMulti(seed, key.text, key.mode, key.width, key.font.pixelSize(), int(key.font.weight()));
}

struct Shaped {
  QList<QGlyphRun> glyphs;
  qreal width = 0, height = 0;  // advance; of the line
  QRectF bounds;                // of the line at the origin
};

struct Kept {
  QHash<Key, double> widths;
  QHash<Key, QString> cut;
  QHash<Key, Shaped> shaped;
};

Kept* kept() {
  if (!qApp || QThread::currentThread() != qApp->thread()) return nullptr;
  static Kept* const all = new Kept;  // goes with the process: fonts may be asked for until its end
  return all;
}

template <typename Map>
void makeRoom(Map& map) {
  if (map.size() >= kMost) map.clear();
}

const Shaped& shapedWords(Kept& all, const QFont& font, const QString& text) {
  Key key{font, text};
  const auto found = all.shaped.constFind(key);
  if (found != all.shaped.constEnd()) return *found;
  makeRoom(all.shaped);
  Shaped out;
  QTextLayout layout(text, font);
  layout.setCacheEnabled(true);
  QTextOption option;
  option.setWrapMode(QTextOption::NoWrap);
  option.setTextDirection(Qt::LeftToRight);
  layout.setTextOption(option);
  layout.beginLayout();
  QTextLine line = layout.createLine();
  line.setLineWidth(1e6);
  line.setPosition({0, 0});
  layout.endLayout();
  out.glyphs = layout.glyphRuns();
  out.width = line.horizontalAdvance();
  out.height = line.height();
  out.bounds = QRectF(0, 0, line.naturalTextWidth(), line.height());
  return *all.shaped.insert(key, out);
}

// One line of text from left to right, with nothing in it that drawText() reads as more than a character.
bool plain(const QString& text, int flags) {
  if (flags & (Qt::TextWordWrap | Qt::TextWrapAnywhere | Qt::TextExpandTabs | Qt::AlignJustify)) return false;
  for (const QChar c : text) {
    const char16_t u = c.unicode();
    if (u < 0x20 || (u == u'&' && (flags & (Qt::TextShowMnemonic | Qt::TextHideMnemonic))) || u == QChar::LineSeparator || u == QChar::ParagraphSeparator) return false;
    if (u >= 0x590 && (u < 0x900 || u >= 0x2e80 || (u >= 0x200b && u <= 0x200f) || (u >= 0x202a && u <= 0x202e))) return false;  // right to left, marks of direction
  }
  return true;
}

}  // namespace

double wordsWidth(const QFont& font, const QString& text) {
  Kept* const all = kept();
  if (!all) return QFontMetricsF(font).horizontalAdvance(text);
  const Key key{font, text};
  const auto found = all->widths.constFind(key);
  if (found != all->widths.constEnd()) return *found;
  makeRoom(all->widths);
  return *all->widths.insert(key, QFontMetricsF(font).horizontalAdvance(text));
}

QString elidedWords(const QFont& font, const QString& text, Qt::TextElideMode mode, double width) {
  Kept* const all = kept();
  if (!all) return QFontMetricsF(font).elidedText(text, mode, width);
  const Key key{font, text, int(mode) + 1, qint64(std::floor(width * 64))};
  const auto found = all->cut.constFind(key);
  if (found != all->cut.constEnd()) return *found;
  makeRoom(all->cut);
  return *all->cut.insert(key, QFontMetricsF(font).elidedText(text, mode, width));
}

void paintWords(QPainter& painter, const QRectF& rect, int flags, const QString& text) {
  if (text.isEmpty()) return;
  Kept* const all = kept();
  const QPaintEngine* engine = painter.paintEngine();
  const bool screen = all && engine && engine->type() == QPaintEngine::Raster && painter.deviceTransform().type() <= QTransform::TxTranslate;
  const QFont& font = painter.font();
  if (!screen || font.underline() || font.strikeOut() || font.overline() || !plain(text, flags)) {
    painter.drawText(rect, flags, text);
    return;
  }
  const Shaped& words = shapedWords(*all, font, text);
  const double x = flags & Qt::AlignRight ? rect.width() - words.width : flags & Qt::AlignHCenter ? (rect.width() - words.width) / 2 : 0;
  const double y = flags & Qt::AlignBottom ? rect.height() - words.height : flags & Qt::AlignVCenter ? (rect.height() - words.height) / 2 : 0;
  if (!(flags & Qt::TextDontClip) && !rect.contains(words.bounds.translated(rect.topLeft() + QPointF(x, y)))) {
    painter.drawText(rect, flags, text);  // which clips it
    return;
  }
  for (const QGlyphRun& run : words.glyphs) painter.drawGlyphRun(rect.topLeft() + QPointF(x, y), run);
}

}  // namespace cuescope
