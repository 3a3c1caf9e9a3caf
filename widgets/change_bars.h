// ChangeBars: next-token probabilities before and after one change, of one condition: before as an outline, after solid, the
// difference at the end in nats. Rows by the largest of both, the tail last. One painted widget. UI thread.
#pragma once

#include <QWidget>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/theme.h"

class QPainter;

namespace cuescope {

struct ChangeRow {
  QString token;
  double before = 0, after = 0;  // probabilities; NaN: not computed
};
struct ChangeSet {
  int condition = 0;             // whose hue the bars have
  QString title;                 // «erase 9 patches»
  std::vector<ChangeRow> rows;
  double tailBefore = 0, tailAfter = 0;
  int chosen = -1;               // row of the judged token
};

class ChangeBars : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit ChangeBars(QWidget* parent = nullptr);
  void setChange(const ChangeSet& set);
  const ChangeSet& change() const { return m_set; }
  void setEmptyText(const QString& text, const QString& hint);

  static double heightFor(const ChangeSet& set) { return 50 + double(set.rows.size() + 1) * 28; }
  static void paintChange(QPainter& painter, const QRectF& rect, const ChangeSet& set, const Colors& colors);

  QSize sizeHint() const override { return {320, int(heightFor(m_set))}; }
  QSize minimumSizeHint() const override { return {180, 60}; }
  int cellCount() const override { return m_set.rows.empty() ? 0 : int(m_set.rows.size()) + 1; }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_current; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  ChangeSet m_set;
  int m_current = -1;
  QString m_empty, m_hint;
};

}  // namespace cuescope
