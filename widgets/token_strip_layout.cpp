// How tokens are written and where they stand.
#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/token_strip.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

constexpr double kLeastLabel = 80, kLineHeight = 24, kResponseLine = 26, kTop = 6;

/// Room before the tokens for «Prompt» and «Response», longer in other languages.
double labelWidth() {
  const QFontMetricsF metrics(uiFont(12));
  return std::max({kLeastLabel, metrics.horizontalAdvance(TokenStrip::tr("Prompt")) + 16, metrics.horizontalAdvance(TokenStrip::tr("Response")) + 16});
}

/// Length of the UTF-8 character that begins at `at`, 0 when the bytes there are no whole character.
int characterLength(const QByteArray& bytes, qsizetype at) {
  const auto byte = [&](qsizetype i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(at);
  const int length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
  if (!length || at + length > bytes.size()) return 0;
  for (int i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  return length;
}

}  // namespace

QString tokenText(const QByteArray& bytes, bool special) {
  if (special) return QString::fromUtf8(bytes);  // an added token is shown exactly as it is
  QString text;
  qsizetype tail = bytes.size();
  while (tail > 0 && bytes[tail - 1] == ' ') --tail;
  bool leading = true;
  for (qsizetype i = 0; i < bytes.size();) {
    const char b = bytes[i];
    if (b == ' ') {
      text += leading || i >= tail ? QChar(0x00B7) : QLatin1Char(' ');
      ++i;
      continue;
    }
    leading = false;
    if (b == '\n' || b == '\t' || b == '\r') {
      text += b == '\n' ? QLatin1String("\\n") : b == '\t' ? QLatin1String("\\t") : QLatin1String("\\r");
      ++i;
      continue;
    }
    const int length = characterLength(bytes, i);
    if (length == 0 || static_cast<unsigned char>(b) < 0x20 || b == 0x7F) {
      text += QStringLiteral("⟨%1⟩").arg(static_cast<unsigned char>(b), 2, 16, QLatin1Char('0')).toUpper();
      ++i;
      continue;
    }
    text += QString::fromUtf8(bytes.constData() + i, length);
    i += length;
  }
  return text;
}

std::vector<TokenStrip::Piece> TokenStrip::layout(double width, double* height) const {
  std::vector<Piece> pieces;
  const QFont font = monoFont(12);
  const QFontMetricsF metrics(font);
  const double advance = metrics.horizontalAdvance(QLatin1Char('0')), space = std::max(60.0, width - 10);
  const auto widthOf = [&](const QString& text) {
    for (const QChar ch : text)
      if (ch.unicode() > 0xFF) return metrics.horizontalAdvance(text);  // fallback fonts are not one advance wide
    return advance * double(text.size());
  };
  const double label = labelWidth();
  double y = kTop;
  const auto flow = [&](const std::vector<StripToken>& tokens, Row row, double line) {
    double x = label;
    for (int i = 0; i < int(tokens.size()); ++i) {
      const StripToken& token = tokens[std::size_t(i)];
      if (token.special && !m_specialShown && token.visual < 0) continue;
      Piece piece;
      piece.row = row, piece.token = i;
      if (token.visual >= 0) {
        while (i + 1 < int(tokens.size()) && tokens[std::size_t(i) + 1].visual >= 0) ++i, ++piece.count;
        piece.chip = true;
        piece.text = QStringLiteral("image %1").arg(piece.count);
      } else {
        piece.boxed = token.special;
        piece.text = tokenText(token.bytes, token.special);
        if (token.sink) piece.text.prepend(QStringLiteral("sink "));
        if (piece.text.isEmpty()) piece.text = QStringLiteral("∅");
      }
      const double pad = piece.boxed || piece.chip ? 5 : 1.5;
      const double w = std::min(widthOf(piece.text) + 2 * pad, space - label);
      const double before = piece.boxed || piece.chip ? 2 : 0;
      if (m_wrap && x > label && x + before + w > space) x = label, y += line;
      piece.rect = QRectF(x + (x > label ? before : 0), y + 2, w, 18);
      x = piece.rect.right() + before + 0.5;
      pieces.push_back(piece);
    }
    if (!tokens.empty()) y += line;
  };
  if (m_promptShown) flow(m_prompt, Row::Prompt, kLineHeight);
  if (m_promptShown && !m_prompt.empty() && !m_response.empty()) y += 4;
  flow(m_response, Row::Response, kResponseLine);
  if (height) *height = y + 4;
  return pieces;
}

void TokenStrip::paintPieces(QPainter& painter, const std::vector<Piece>& pieces, const Colors& c, const QRectF& clip, bool interactive) const {
  painter.save();
  const QFont font = monoFont(12);
  const QFontMetricsF metrics(font);
  bool labelled[2] = {false, false};
  for (const Piece& piece : pieces) {
    bool& label = labelled[int(piece.row)];
    if (!label) {
      label = true;
      painter.setFont(uiFont(12));
      painter.setPen(c.text3);
      paintWords(painter, QRectF(8, piece.rect.top(), labelWidth() - 12, piece.rect.height()), Qt::AlignLeft | Qt::AlignVCenter,
                       piece.row == Row::Prompt ? tr("Prompt") : tr("Response"));
    }
    if (piece.rect.bottom() + 8 < clip.top() || piece.rect.top() - 4 > clip.bottom() || piece.rect.right() + 3 < clip.left() || piece.rect.left() - 3 > clip.right()) continue;
    const bool response = piece.row == Row::Response;
    const StripToken& token = (response ? m_response : m_prompt)[std::size_t(piece.token)];
    QColor text = response || piece.boxed ? c.text : c.text2;
    const double value = response && std::size_t(piece.token) < m_values.size() ? m_values[std::size_t(piece.token)] : std::nan("");
    if (response && std::isfinite(value) && m_coloring.kind == TokenColoring::Kind::Gap) {
      painter.fillRect(piece.rect, gapColor(c, value, m_coloring.limit));
    } else if (response && std::isfinite(value) && m_coloring.kind == TokenColoring::Kind::Sequential) {
      const double t = m_coloring.high > m_coloring.low ? (value - m_coloring.low) / (m_coloring.high - m_coloring.low) : 0;
      const QColor ground(mapColor(m_coloring.map, t));
      painter.fillRect(piece.rect, ground);
      const QColor light = darkColors().ink, dark = lightColors().ink;
      text = contrastRatio(ground, light) > contrastRatio(ground, dark) ? light : dark;
    } else if (token.cue && !response) {
      painter.fillRect(piece.rect, c.gapHigh);
      text = c.text;
    }
    if (piece.chip) {
      painter.fillRect(piece.rect, c.hover);
      text = c.text;
    }
    if (piece.boxed || piece.chip) {
      painter.setPen(QPen(piece.chip ? c.control : c.lineStrong, 1));
      painter.setBrush(Qt::NoBrush);
      painter.drawRect(piece.rect.adjusted(0.5, 0.5, -0.5, -0.5));
    }
    painter.setFont(font);
    painter.setPen(text);
    const double pad = piece.boxed || piece.chip ? 5 : 1.5;
    const QString shown = metrics.horizontalAdvance(piece.text) > piece.rect.width() ? metrics.elidedText(piece.text, Qt::ElideRight, piece.rect.width() - pad) : piece.text;
    paintWords(painter, piece.rect.adjusted(pad, 0, 2, 0), Qt::AlignLeft | Qt::AlignVCenter, shown);
    if (!response) continue;
    if (token.clamped) painter.fillRect(QRectF(piece.rect.left(), piece.rect.top() - 2, piece.rect.width(), 1.5), c.text2);
    if (std::size_t(piece.token) < m_shares.size() && std::isfinite(m_shares[std::size_t(piece.token)])) {
      const double share = std::clamp(m_shares[std::size_t(piece.token)], 0.0, 1.0);
      painter.fillRect(QRectF(piece.rect.left() + 1, piece.rect.bottom() + 2, std::max(0.0, (piece.rect.width() - 2) * share), 3), c.control);
    }
    if (interactive && piece.token == m_hover && (piece.token < m_first || piece.token > m_last)) {
      painter.setPen(QPen(c.text2, 1));
      painter.setBrush(Qt::NoBrush);
      painter.drawRect(piece.rect.adjusted(0.5, 0.5, -0.5, -0.5));
    }
  }
  if (m_promptChosen >= 0)
    for (const Piece& piece : pieces)
      if (piece.row == Row::Prompt && piece.token == m_promptChosen) paintInkOutline(painter, piece.rect.adjusted(0.25, 0.25, -0.25, -0.25), c);
  for (const Piece& piece : pieces)  // on top of the neighbours' grounds
    if (piece.row == Row::Response && m_first >= 0 && piece.token >= m_first && piece.token <= m_last && piece.rect.intersects(clip)) {
      if (m_first == m_last) {
        paintInkOutline(painter, piece.rect.adjusted(0.25, 0.25, -0.25, -0.25), c);
      } else {
        painter.fillRect(QRectF(piece.rect.left(), piece.rect.bottom(), piece.rect.width() + 0.5, 1.5), c.ink);
        painter.fillRect(QRectF(piece.rect.left(), piece.rect.top() - 1.5, piece.rect.width() + 0.5, 1.5), c.ink);
      }
    }
  painter.restore();
}

double TokenStrip::paintStrip(QPainter& painter, const QRectF& rect, const Colors& c) const {
  double height = 0;
  const std::vector<Piece> pieces = layout(rect.width(), &height);
  painter.save();
  painter.fillRect(QRectF(rect.topLeft(), QSizeF(rect.width(), height)), c.panel);
  painter.translate(rect.topLeft());
  paintPieces(painter, pieces, c, QRectF(0, 0, rect.width(), height), false);
  painter.restore();
  return height;
}

}  // namespace cuescope
