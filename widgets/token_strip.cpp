#include "widgets/token_strip.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"

namespace cuescope {

TokenStrip::TokenStrip(QWidget* parent) : QAbstractScrollArea(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAsNeeded);
  viewport()->setMouseTracking(true);
  setAccessibleName(tr("Tokens of the prompt and the response"));
  connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void TokenStrip::setPrompt(const std::vector<StripToken>& tokens) {
  m_prompt = tokens;
  relayout();
}

void TokenStrip::setResponse(const std::vector<StripToken>& tokens) {
  m_response = tokens;
  m_values.clear(), m_shares.clear();
  if (m_last >= int(tokens.size())) m_first = m_last = -1;
  m_hover = -1;
  relayout();
}

void TokenStrip::appendResponse(const StripToken& token) {
  m_response.push_back(token);
  relayout();
  verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

void TokenStrip::setColoring(const TokenColoring& coloring, const std::vector<double>& values) {
  const auto same = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
  };
  if (coloring == m_coloring && same(values, m_values)) return;
  m_coloring = coloring, m_values = values;
  viewport()->update();
}
void TokenStrip::setImageShares(const std::vector<double>& shares) {
  if (shares == m_shares) return;
  m_shares = shares;
  viewport()->update();
}
void TokenStrip::setPromptShown(bool shown) {
  m_promptShown = shown;
  relayout();
}
void TokenStrip::setSpecialShown(bool shown) {
  m_specialShown = shown;
  relayout();
}
void TokenStrip::setWrap(bool wrap) {
  m_wrap = wrap;
  relayout();
}
void TokenStrip::setEmptyText(const QString& text) {
  m_empty = text;
  viewport()->update();
}

void TokenStrip::setSelection(int first, int last) {
  if (last < 0) last = first;
  if (first >= int(m_response.size())) first = last = -1;
  last = std::min(last, int(m_response.size()) - 1);
  if (first == m_first && last == m_last) return;
  updateTokens(m_first, m_last);
  m_first = first, m_last = last, m_anchor = first;
  if (first >= 0) ensureVisible(first);
  updateTokens(m_first, m_last);
}

// The ground under some tokens and the outline around them.
void TokenStrip::updateTokens(int first, int last) {
  for (int t = std::max(0, first); t <= last; ++t) {
    const QRectF rect = tokenRect(t);
    if (!rect.isNull()) viewport()->update(rect.adjusted(-3, -4, 3, 7).toAlignedRect());
  }
}

void TokenStrip::relayout() {
  const double width = viewport()->width();
  m_pieces = layout(width, &m_height);
  m_pieceOf.assign(m_response.size(), -1);
  double right = 0;
  for (int i = 0; i < int(m_pieces.size()); ++i) {
    const Piece& piece = m_pieces[std::size_t(i)];
    right = std::max(right, piece.rect.right());
    if (piece.row != Row::Response) continue;
    for (int k = 0; k < piece.count; ++k) m_pieceOf[std::size_t(piece.token + k)] = i;
  }
  verticalScrollBar()->setRange(0, std::max(0, int(std::ceil(m_height)) - viewport()->height()));
  verticalScrollBar()->setPageStep(viewport()->height());
  verticalScrollBar()->setSingleStep(26);
  horizontalScrollBar()->setRange(0, m_wrap ? 0 : std::max(0, int(right) + 8 - viewport()->width()));
  horizontalScrollBar()->setPageStep(viewport()->width());
  viewport()->update();
}

void TokenStrip::resizeEvent(QResizeEvent*) { relayout(); }

void TokenStrip::paintEvent(QPaintEvent* event) {
  QPainter painter(viewport());
  painter.fillRect(viewport()->rect(), colors().panel);
  if (m_response.empty() && m_prompt.empty()) {
    paintEmpty(painter, viewport()->rect(), m_empty, {}, colors());
    return;
  }
  const QPointF offset(horizontalScrollBar()->value(), verticalScrollBar()->value());
  painter.translate(-offset);
  paintPieces(painter, m_pieces, colors(), QRectF(event->rect()).translated(offset), true);
}

int TokenStrip::tokenAt(const QPointF& position) const {
  const QPointF at = position + QPointF(horizontalScrollBar()->value(), verticalScrollBar()->value());
  for (const Piece& piece : m_pieces)
    if (piece.row == Row::Response && piece.rect.adjusted(0, -2, 0.5, 6).contains(at)) return piece.token;
  return -1;
}

QRectF TokenStrip::tokenRect(int token) const {
  if (token < 0 || token >= int(m_pieceOf.size()) || m_pieceOf[std::size_t(token)] < 0) return {};
  return m_pieces[std::size_t(m_pieceOf[std::size_t(token)])].rect.translated(-horizontalScrollBar()->value(), -verticalScrollBar()->value());
}

void TokenStrip::ensureVisible(int token) {
  const QRectF rect = tokenRect(token);
  if (rect.isNull()) return;
  if (rect.top() < 4) verticalScrollBar()->setValue(verticalScrollBar()->value() + int(rect.top()) - 8);
  if (rect.bottom() > viewport()->height() - 8) verticalScrollBar()->setValue(verticalScrollBar()->value() + int(rect.bottom()) - viewport()->height() + 12);
  if (rect.left() < 0) horizontalScrollBar()->setValue(horizontalScrollBar()->value() + int(rect.left()) - 8);
  if (rect.right() > viewport()->width()) horizontalScrollBar()->setValue(horizontalScrollBar()->value() + int(rect.right()) - viewport()->width() + 8);
}

void TokenStrip::select(int first, int last, bool announce) {
  if (first == m_first && last == m_last) return;
  updateTokens(m_first, m_last);
  m_first = first, m_last = last;
  ensureVisible(last == first ? first : last);
  updateTokens(m_first, m_last);
  if (!announce) return;
  announceCell(this);
  if (first == last)
    Q_EMIT tokenSelected(first);
  else
    Q_EMIT spanSelected(first, last);
}

void TokenStrip::setPromptSelection(int token) {
  if (token == m_promptChosen) return;
  m_promptChosen = token;
  viewport()->update();
}

void TokenStrip::mousePressEvent(QMouseEvent* event) {
  const int token = tokenAt(event->position());
  if (event->button() == Qt::LeftButton && token < 0) {
    const QPointF at = event->position() + QPointF(horizontalScrollBar()->value(), verticalScrollBar()->value());
    for (const Piece& piece : m_pieces)
      if (piece.row == Row::Prompt && !piece.chip && piece.rect.contains(at)) return Q_EMIT promptTokenSelected(piece.token);
  }
  if (event->button() != Qt::LeftButton || token < 0) return;
  m_anchor = event->modifiers() & Qt::ShiftModifier && m_first >= 0 ? m_first : token;
  select(std::min(m_anchor, token), std::max(m_anchor, token), true);
}

void TokenStrip::mouseMoveEvent(QMouseEvent* event) {
  const int token = tokenAt(event->position());
  if (event->buttons() & Qt::LeftButton && token >= 0 && m_anchor >= 0) {
    select(std::min(m_anchor, token), std::max(m_anchor, token), false);
    return;
  }
  if (token == m_hover) return;
  updateTokens(m_hover, m_hover);
  m_hover = token;
  updateTokens(m_hover, m_hover);
  Q_EMIT tokenHovered(token, event->globalPosition().toPoint());
  if (token >= 0) return;
  const QPointF at = event->position() + QPointF(horizontalScrollBar()->value(), verticalScrollBar()->value());
  for (const Piece& piece : m_pieces)
    if (piece.row == Row::Prompt && piece.rect.contains(at)) return Q_EMIT promptTokenHovered(piece.token);
  Q_EMIT promptTokenHovered(-1);
}

void TokenStrip::mouseReleaseEvent(QMouseEvent*) {
  if (m_first >= 0 && m_first != m_last) Q_EMIT spanSelected(m_first, m_last);
}

void TokenStrip::mouseDoubleClickEvent(QMouseEvent* event) {
  const int token = tokenAt(event->position());
  if (token >= 0) Q_EMIT tokenActivated(token);
}

void TokenStrip::leaveEvent(QEvent*) {
  updateTokens(m_hover, m_hover);
  m_hover = -1;
  Q_EMIT tokenHovered(-1, {});
}

void TokenStrip::keyPressEvent(QKeyEvent* event) {
  const int count = int(m_response.size());
  if (!count) return QAbstractScrollArea::keyPressEvent(event);
  const int at = m_first;
  const auto shown = [&](int token) { return m_pieceOf[std::size_t(token)] >= 0; };
  const auto step = [&](int direction) {
    int token = at < 0 ? (direction > 0 ? 0 : count - 1) : at + direction;
    while (token >= 0 && token < count && !shown(token)) token += direction;
    if (token >= 0 && token < count) select(token, token, true);
  };
  const auto large = [&](int direction) {
    for (int token = at + direction; token >= 0 && token < count; token += direction)
      if (std::size_t(token) < m_values.size() && std::abs(m_values[std::size_t(token)]) >= m_largeGap && shown(token)) return select(token, token, true);
  };
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  switch (event->key()) {
    case Qt::Key_Left: shift ? large(-1) : step(-1); return;
    case Qt::Key_Right: shift ? large(1) : step(1); return;
    case Qt::Key_Home: select(0, 0, true); return;
    case Qt::Key_End: select(count - 1, count - 1, true); return;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (at >= 0) Q_EMIT tokenActivated(at);
      return;
    case Qt::Key_Up:
    case Qt::Key_Down: return event->ignore();  // the window's: they walk the layers of the map; Page Up and Page Down scroll
    default: QAbstractScrollArea::keyPressEvent(event);
  }
}

void TokenStrip::focusInEvent(QFocusEvent*) { viewport()->update(); }
void TokenStrip::focusOutEvent(QFocusEvent*) { viewport()->update(); }

QString TokenStrip::cellName(int index) const {
  if (index < 0 || index >= int(m_response.size())) return {};
  const StripToken& token = m_response[std::size_t(index)];
  QString name = QStringLiteral("token %1, “%2”").arg(index).arg(tokenText(token.bytes, token.special));
  if (std::size_t(index) < m_values.size() && std::isfinite(m_values[std::size_t(index)]))
    name += QStringLiteral(", %1 %2 %3").arg(m_coloring.name, number(m_values[std::size_t(index)], 2), m_coloring.unit).trimmed();
  return name;
}

QRect TokenStrip::cellRect(int index) const { return tokenRect(index).translated(viewport()->pos()).toRect(); }

}  // namespace cuescope
