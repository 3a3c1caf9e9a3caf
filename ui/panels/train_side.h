// The right side of the Train page: health, checkpoints, and the run's parameters, YAML and difference to another run. UI thread;
// owned by the page, which feeds it.
#pragma once

#include <QWidget>
#include <vector>

#include "engine/core/config.h"
#include "ui/models/run_health.h"
#include "ui/session.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QListView;
class QTableWidget;
class QToolButton;

namespace cuescope {

class RunQueue;

/// Events with triangle and words, then the checks that found nothing. One painted widget.
class HealthList : public QWidget {
  Q_OBJECT
 public:
  explicit HealthList(QWidget* parent = nullptr);
  /// `steps`: how many were judged; 0: none yet, and nothing is claimed.
  void setEvents(const std::vector<HealthEvent>& events, int steps);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {160, 60}; }

 Q_SIGNALS:
  void stepPicked(int step);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int heightOf(const HealthEvent& event) const;
  struct Passed {
    QString check;
    QRect place;  // from the first check's row down
  };
  std::vector<Passed> passed() const;  // as many a row as the width holds
  std::vector<HealthEvent> m_events;
  int m_steps = 0;
};

class CheckpointList : public QWidget {
  Q_OBJECT
 public:
  explicit CheckpointList(QWidget* parent = nullptr);
  void setCheckpoints(const RunRecord* record);
  void setCursorStep(int step);
  const std::vector<CheckpointInfo>& checkpoints() const { return m_checkpoints; }
  /// Step of the checkpoint with the highest held-out accuracy, else the smallest gap; -1 without metrics.
  static int bestStep(const std::vector<CheckpointInfo>& checkpoints);

 Q_SIGNALS:
  void stepPicked(int step);
  void inspectRequested(const QString& folder);
  void useAsStudentRequested(const QString& folder);
  void exportRequested(const QString& folder);
  void folderRequested(const QString& folder);
  /// Ctrl+click on another checkpoint than the chosen one; where two are compared already, it takes A's place.
  void compareRequested(const QString& a, const QString& b);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QString chosen() const;
  void compare(const QString& folder);
  void endComparison();
  QString stepText(const CheckpointInfo& info) const;
  void fillSteps();
  void updateButtons();
  QTableWidget* m_table = nullptr;
  QLabel* m_empty = nullptr;
  QPushButton *m_inspect = nullptr, *m_student = nullptr, *m_export = nullptr;
  std::vector<CheckpointInfo> m_checkpoints;
  QString m_a, m_b;  // folders that are compared
};

/// Runs that wait: a list that can be reordered (Alt+↑ ↓, buttons), shortened (Del) and held; each an edit of the page.
class QueueList : public QWidget {
  Q_OBJECT
 public:
  explicit QueueList(RunQueue& queue, QWidget* parent = nullptr);

 private:
  void refresh();
  bool eventFilter(QObject* watched, QEvent* event) override;
  void moveBy(int by);
  void removeChosen();
  RunQueue& m_queue;
  QListView* m_list = nullptr;
  QLabel* m_words = nullptr;
  QToolButton *m_up = nullptr, *m_down = nullptr, *m_remove = nullptr;
  QPushButton* m_hold = nullptr;
};

class ParameterList : public QWidget {
  Q_OBJECT
 public:
  enum class Mode { Parameters, Yaml, Diff };
  explicit ParameterList(Mode mode, Session& session, QWidget* parent = nullptr);
  void setRun(const QString& run);
  /// What the table shows; of the YAML its lines.
  QStringList columns() const;
  std::vector<QStringList> shownRows() const;
  QString otherRun() const;  // of a difference

 private:
  void fill();
  Session& m_session;
  Mode m_mode;
  QString m_run;
  QComboBox* m_other = nullptr;
  QLineEdit* m_search = nullptr;
  QTableWidget* m_table = nullptr;
  QPlainTextEdit* m_yaml = nullptr;
  QLabel* m_count = nullptr;
};

}  // namespace cuescope
