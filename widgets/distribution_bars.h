// DistributionBars: next-token probabilities of up to four conditions over the union of their top tokens, the tail last.
// Hue, fill and order are the condition; the number stands at the end of its bar. One painted widget. UI thread.
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/theme.h"

class QPainter;

namespace cuescope {

struct DistributionRow {
  QString token;              // as tokenText() writes it
  double probability[4] = {0, 0, 0, 0};  // NaN: not computed
};

struct DistributionSet {
  bool present[4] = {false, false, false, false};
  std::vector<DistributionRow> rows;
  double tail[4] = {0, 0, 0, 0};  // probability outside the rows
  int chosen = -1;                // row of the response token
};

class DistributionBars : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit DistributionBars(QWidget* parent = nullptr);

  void setDistributions(const DistributionSet& set);
  const DistributionSet& distributions() const { return m_set; }
  void setLegendShown(bool shown);
  void setEmptyText(const QString& text);

  static double heightFor(const DistributionSet& set, bool legend);
  static void paintBars(QPainter& painter, const QRectF& rect, const DistributionSet& set, const Colors& colors, bool legend,
                        int hover = -1, int current = -1);
  /// Where the bar of a condition in a row lies (the last row index is the tail).
  static QRectF barRect(const QRectF& rect, const DistributionSet& set, bool legend, int row, int condition);

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {180, 60}; }
  int cellCount() const override;
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_current; }

 Q_SIGNALS:
  void rowHovered(int row);    // -1: left; rows.size(): tail
  void rowSelected(int row);
  void rowActivated(int row);  // double click or Enter: continue from this token

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int rowAt(const QPointF& position) const;
  DistributionSet m_set;
  bool m_legend = true;
  int m_hover = -1, m_current = -1;
  QString m_empty;
};

}  // namespace cuescope
