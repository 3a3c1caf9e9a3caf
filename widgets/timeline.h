// Timeline: the one step scrubber. Track with the done part, epoch rules, checkpoint diamonds (filled: best), probe ticks
// above, caution triangles where a health event begins, cursor with its step. Wheel 1, Shift+wheel 10, Ctrl+wheel zooms.
// UI thread.
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/theme.h"

class QPainter;

namespace cuescope {

struct TimelineEvent {
  int step = 0;
  QString words;
};

struct TimelineData {
  int last = 0;       // planned end
  int now = -1;       // latest step, -1: none yet
  bool live = false;  // still running: «now 142» is written
  std::vector<int> epochs, checkpoints, probes;
  int best = -1;      // step of the best checkpoint
  std::vector<TimelineEvent> health;
};

class Timeline : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit Timeline(QWidget* parent = nullptr);

  void setData(const TimelineData& data);
  const TimelineData& data() const { return m_data; }
  void setCursorStep(int step);  // -1: none
  int cursorStep() const { return m_cursor; }
  void stepBy(int by);
  void toCheckpoint(int direction);  // -1 previous, +1 next
  void fit();

  double xOf(double step) const;
  double stepAt(double x) const;

  QSize sizeHint() const override { return {600, 58}; }
  QSize minimumSizeHint() const override { return {160, 58}; }
  int cellCount() const override;
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override;

 Q_SIGNALS:
  void stepPicked(int step);
  void checkpointActivated(int step);  // double click on a diamond

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int checkpointNear(double x) const;
  void pick(int step);
  TimelineData m_data;
  int m_cursor = -1;
  double m_from = 0, m_to = -1;  // shown range; to < from: all
};

}  // namespace cuescope
