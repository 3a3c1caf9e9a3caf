// TokenStrip: a prompt and a response token by token, exactly as they are: leading spaces as ·, line ends as \n, special
// tokens boxed, runs of visual tokens as one chip. Colour carries one value a token; a bar under it the share of attention
// on the image. Click or drag selects, ← → walk, Shift+← → jump to the next large gap. One painted widget. UI thread.
#pragma once

#include <QAbstractScrollArea>
#include <QByteArray>
#include <QString>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/color_maps.h"

class QPainter;

namespace cuescope {

struct StripToken {
  QByteArray bytes;      // exactly this token's bytes; may be part of a character
  bool special = false;  // an added token such as <|im_start|>
  int visual = -1;       // index among the visual tokens, -1: text
  bool cue = false;      // belongs to the cue or hint: orange ground in the prompt
  bool clamped = false;  // its loss was clamped: a tick above it
  bool sink = false;     // the position whose query the cue recovery uses
};

/// How a token is written: spaces at the front as ·, \n, \t, \r as escapes, bytes that are no whole character as ⟨E4⟩.
QString tokenText(const QByteArray& bytes, bool special = false);

struct TokenColoring {
  enum class Kind { None, Gap, Sequential };
  Kind kind = Kind::None;
  double low = 0, high = 1;  // Sequential
  double limit = 4;          // Gap: fixed range ±limit
  QString name;              // «gap», «student log p», «entropy»
  QString unit;              // «nats»
  ColorMap map = ColorMap::Viridis;

  bool operator==(const TokenColoring&) const = default;
};

class TokenStrip : public QAbstractScrollArea, public CellSource {
  Q_OBJECT
 public:
  enum class Row { Prompt, Response };

  explicit TokenStrip(QWidget* parent = nullptr);

  void setPrompt(const std::vector<StripToken>& tokens);
  void setResponse(const std::vector<StripToken>& tokens);
  void appendResponse(const StripToken& token);  // while the answer streams
  int responseSize() const { return int(m_response.size()); }
  /// One value a response token (NaN: not computed, no ground).
  void setColoring(const TokenColoring& coloring, const std::vector<double>& values);
  /// Image share of each response token, 0 to 1; empty hides the bars.
  void setImageShares(const std::vector<double>& shares);
  void setPromptShown(bool shown);
  void setSpecialShown(bool shown);
  void setWrap(bool wrap);
  void setEmptyText(const QString& text);

  void setSelection(int first, int last = -1);  // of the response; -1: none
  int selectedFirst() const { return m_first; }
  int selectedLast() const { return m_last; }
  /// A chosen prompt token; -1: none.
  void setPromptSelection(int token);
  int promptSelection() const { return m_promptChosen; }
  void setLargeGap(double nats) { m_largeGap = nats; }

  /// Paints all rows at a width; returns the height used. For export.
  double paintStrip(QPainter& painter, const QRectF& rect, const Colors& colors) const;
  /// Response token under a viewport position, -1 none.
  int tokenAt(const QPointF& position) const;
  QRectF tokenRect(int token) const;  // in the viewport

  QSize sizeHint() const override { return {640, 150}; }
  QSize minimumSizeHint() const override { return {160, 48}; }
  int cellCount() const override { return int(m_response.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_first; }

 Q_SIGNALS:
  void tokenSelected(int token);               // one response token
  void spanSelected(int first, int last);      // after a drag over several
  void tokenHovered(int token, const QPoint& global);  // -1: left
  void tokenActivated(int token);              // double click or Enter
  void promptTokenHovered(int token);
  void promptTokenSelected(int token);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  struct Piece {
    Row row = Row::Response;
    int token = -1;      // first token
    int count = 1;       // visual run
    QString text;
    QRectF rect;         // in content coordinates
    bool boxed = false, chip = false;
  };
  std::vector<Piece> layout(double width, double* height) const;
  void relayout();
  void paintPieces(QPainter& painter, const std::vector<Piece>& pieces, const Colors& colors, const QRectF& clip, bool interactive) const;
  void select(int first, int last, bool announce);
  void ensureVisible(int token);
  void updateTokens(int first, int last);

  std::vector<StripToken> m_prompt, m_response;
  TokenColoring m_coloring;
  std::vector<double> m_values, m_shares;
  std::vector<Piece> m_pieces;
  std::vector<int> m_pieceOf;  // response token -> piece
  double m_height = 0;
  bool m_promptShown = true, m_specialShown = true, m_wrap = true;
  int m_first = -1, m_last = -1, m_anchor = -1, m_hover = -1, m_promptChosen = -1;
  double m_largeGap = 1.0;
  QString m_empty;
};

}  // namespace cuescope
