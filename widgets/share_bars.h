// ShareBars: where the attention of one position goes, layer by layer: image, text, sink, as one stacked bar a layer that sums to 1.
// Click or ↑ ↓ picks a layer. One painted widget. UI thread.
#pragma once

#include <QWidget>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/theme.h"

class QPainter;

namespace cuescope {

struct LayerShares {
  int layer = 0;
  double image = 0, text = 0, sink = 0;  // NaN: not computed
};

class ShareBars : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit ShareBars(QWidget* parent = nullptr);
  void setShares(const std::vector<LayerShares>& shares);
  const std::vector<LayerShares>& shares() const { return m_shares; }
  void setSelectedLayer(int layer);
  void setEmptyText(const QString& text);

  static double heightFor(std::size_t layers) { return 26 + double(layers) * 18 + 20; }
  static void paintShares(QPainter& painter, const QRectF& rect, const std::vector<LayerShares>& shares, int selected, const Colors& colors);

  QSize sizeHint() const override { return {360, int(heightFor(m_shares.size()))}; }
  QSize minimumSizeHint() const override { return {180, 60}; }
  int cellCount() const override { return int(m_shares.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override;

 Q_SIGNALS:
  void layerPicked(int layer);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int rowAt(const QPointF& position) const;
  void pick(int row);
  std::vector<LayerShares> m_shares;
  int m_layer = -1;
  QString m_empty;
};

}  // namespace cuescope
