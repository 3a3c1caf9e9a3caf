// TrainColumn: the right of the Train page: health, events and queue; checkpoints; parameters, YAML and diff. UI thread; owned by the
// page.
#pragma once

#include <QSplitter>
#include <vector>

#include "ui/models/run_health.h"
#include "ui/session.h"

class QLabel;
class QTableWidget;

namespace cuescope {

class CheckpointList;
class HealthList;
class Panel;
class ParameterList;
class QueueList;
class RunQueue;

/// What has happened in the run, newest first; choosing a row sets the step.
class RunEventsList : public QWidget {
  Q_OBJECT
 public:
  explicit RunEventsList(QWidget* parent = nullptr);
  void setRun(const RunRecord* record, const std::vector<HealthEvent>& health);
  QTableWidget* table() const { return m_table; }

 Q_SIGNALS:
  void stepPicked(int step);

 private:
  QTableWidget* m_table = nullptr;
  QLabel* m_empty = nullptr;
};

class TrainColumn : public QSplitter {
  Q_OBJECT
 public:
  TrainColumn(Session& session, RunQueue& queue, QWidget* parent = nullptr);

  HealthList* health() const { return m_health; }
  RunEventsList* events() const { return m_events; }
  CheckpointList* checkpoints() const { return m_checkpoints; }
  ParameterList* parameters() const { return m_parameters; }
  ParameterList* yaml() const { return m_yaml; }
  ParameterList* difference() const { return m_diff; }
  void setRun(const QString& run);           // of parameters, YAML and diff
  void setCheckpointNote(const QString& note);
  /// Puts the three panels, which have no parent now, one below the other or behind one set of tabs.
  void placePanels(bool tabs);

 Q_SIGNALS:
  void stepPicked(int step);

 private:
  HealthList* m_health = nullptr;
  RunEventsList* m_events = nullptr;
  QueueList* m_queue = nullptr;
  CheckpointList* m_checkpoints = nullptr;
  ParameterList *m_parameters = nullptr, *m_yaml = nullptr, *m_diff = nullptr;
  // QFrame has a Panel of its own.
  cuescope::Panel *m_healthPanel = nullptr, *m_checkpointPanel = nullptr, *m_parameterPanel = nullptr;
};

}  // namespace cuescope
