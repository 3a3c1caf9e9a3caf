// Small painted things of the Rollouts page: the gap by token as a sparkline in a table cell, a sample's picture before its name,
// and the histogram of mean |gap| with a threshold that can be dragged. UI thread.
#pragma once

#include <QStyledItemDelegate>
#include <QWidget>
#include <vector>

#include "widgets/accessible_cells.h"

namespace cuescope {

struct Colors;

class SparkDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// The DecorationRole image at 38 x 26 before the text.
class PictureDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

class GapHistogram : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit GapHistogram(QWidget* parent = nullptr);
  void setValues(const std::vector<float>& values);
  void setThreshold(double nats);  // NaN: none
  double threshold() const { return m_threshold; }
  const std::vector<float>& values() const { return m_values; }
  bool hasThreshold() const;
  void clearThreshold();
  double valueAt(double x) const;
  double xOf(double value) const;
  /// All that it shows, in its own coordinates, on any device: the window's and an exported file's.
  void paintHistogram(QPainter& painter, const Colors& colors) const;

  QSize sizeHint() const override { return {600, 76}; }
  QSize minimumSizeHint() const override { return {200, 76}; }
  int cellCount() const override { return int(m_counts.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return -1; }

 Q_SIGNALS:
  void thresholdChanged(double nats);  // NaN: taken away (double click or Del)

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void choose(double value);
  QRectF plot() const;
  std::vector<float> m_values;
  std::vector<int> m_counts;
  int m_bins = 64;
  double m_high = 1, m_threshold;
};

}  // namespace cuescope
