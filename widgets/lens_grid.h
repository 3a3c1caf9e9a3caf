// LensGrid: what the model would say if it stopped after a layer: one row a layer, one column a response token, each cell the most
// likely token there. Colour is the probability of the token that does come (or the entropy); hover lists the top tokens. Click picks
// layer and token, arrow keys walk. One painted widget that scrolls both ways. UI thread.
#pragma once

#include <QAbstractScrollArea>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/color_maps.h"

class QPainter;

namespace cuescope {

struct LensCell {
  std::vector<QString> texts;          // most likely first
  std::vector<double> probabilities;
  double chosen = 0;                   // probability of the token that comes; NaN: none
  double entropy = 0;                  // nats
};

struct LensTable {
  std::vector<int> layers;
  std::vector<int> tokens;             // response tokens
  std::vector<QString> names;          // of the tokens that come
  std::vector<LensCell> cells;         // [layer][token]

  bool empty() const { return cells.empty(); }
  const LensCell& at(int layer, int token) const { return cells[std::size_t(layer) * tokens.size() + std::size_t(token)]; }
};

class LensGrid : public QAbstractScrollArea, public CellSource {
  Q_OBJECT
 public:
  explicit LensGrid(QWidget* parent = nullptr);
  void setTable(const LensTable& table);
  const LensTable& table() const { return m_table; }
  void setByEntropy(bool entropy);
  void setSelection(int layer, int token);
  void setEmptyText(const QString& text, const QString& hint);

  static QSizeF sizeFor(const LensTable& table);
  static void paintGrid(QPainter& painter, const QPointF& origin, const LensTable& table, bool byEntropy, int layer, int token, const Colors& colors);

  QSize sizeHint() const override { return {400, 240}; }
  QSize minimumSizeHint() const override { return {160, 80}; }
  int cellCount() const override { return int(m_table.cells.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override;

 Q_SIGNALS:
  void picked(int layer, int token);  // a layer's number, a response token

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool viewportEvent(QEvent* event) override;

 private:
  int cellAt(const QPointF& position) const;
  void pick(int layerIndex, int tokenIndex);
  LensTable m_table;
  bool m_entropy = false;
  int m_layer = -1, m_token = -1;
  QString m_empty, m_hint;
};

}  // namespace cuescope
