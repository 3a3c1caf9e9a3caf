// PhaseBar: where a step's time went, phase by phase, and how far the present step is. One painted widget. UI thread.
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "widgets/theme.h"

class QPainter;

namespace cuescope {

struct PhaseTime {
  QString name;         // «Rollout»
  double seconds = 0;
};

struct PhaseData {
  int step = -1;                  // of the finished step, -1: none yet
  std::vector<PhaseTime> phases;  // rollout (student's hue), score (teacher's), then greys
  int nowStep = -1;               // step that is being made, -1: nothing runs
  QString nowPhase;               // «backward»
  int nowDone = 0, nowTotal = 0;
};

class PhaseBar : public QWidget {
  Q_OBJECT
 public:
  explicit PhaseBar(QWidget* parent = nullptr);
  void setData(const PhaseData& data);
  static void paintPhases(QPainter& painter, const QRectF& rect, const PhaseData& data, const Colors& colors);
  static QColor phaseColor(int index, const Colors& colors);

  QSize sizeHint() const override { return {800, 52}; }
  QSize minimumSizeHint() const override { return {320, 52}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  PhaseData m_data;
};

}  // namespace cuescope
