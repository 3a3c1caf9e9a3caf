// TimelineBar: the one step scrubber with its buttons and step field, for the chosen run. Writes the step of the Selection.
// UI thread.
#pragma once

#include <QWidget>

#include "engine/core/run_health.h"
#include "ui/selection.h"
#include "ui/session.h"
#include "widgets/timeline.h"

class QSpinBox;
class QToolButton;

namespace cuescope {

class ElidedLabel;

class TimelineBar : public QWidget {
  Q_OBJECT
 public:
  TimelineBar(Session& session, Selection& selection, QWidget* parent = nullptr);
  void refresh();
  void step(int by);
  void checkpoint(int direction);
  Timeline* timeline() const { return m_timeline; }

 Q_SIGNALS:
  void checkpointActivated(const QString& folder);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  Session& m_session;
  Selection& m_selection;
  QSpinBox* m_step = nullptr;
  ElidedLabel* m_words = nullptr;
  Timeline* m_timeline = nullptr;
  HealthWatch m_watch;  // of the run that is shown, fed with its new steps
  QString m_watched;
  std::size_t m_watchedSteps = 0;
};

}  // namespace cuescope
