// RolloutsPage: the saved responses of the chosen run: by step (the timeline's), searched, sorted, filtered; beside them the chosen
// sample. Follows a run while it trains. UI thread; owned by the main window.
#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/page_view.h"
#include "ui/roomy_page.h"
#include "ui/sample_walk.h"
#include "ui/session.h"
#include "ui/selection.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QSplitter;
class QStackedWidget;
class QTableView;

namespace cuescope {

class ElidedLabel;
class EmptyPanel;
class ErrorPanel;
class GapHistogram;
class RolloutStore;
struct RolloutFacts;
class RolloutTable;
class RolloutsDetail;
class SampleRows;

class RolloutsPage : public QWidget, public RoomyPage, public ViewSource, public SampleWalk {
  Q_OBJECT
 public:
  RolloutsPage(Session& session, Selection& selection, QWidget* parent = nullptr);

  QStringList viewNames() const override;  // rollouts_views.cpp, as are the next
  PageView view(const QString& name) const override;
  void showFailure(const Failure& failure) override;

  int sampleCount() const override;
  int sampleAt() const override;
  std::pair<QString, QString> sampleName(int at) const override;
  void goToSample(int at, bool inspect) override;

  QLineEdit* queryField() const { return m_query; }
  QComboBox* stepChooser() const { return m_steps; }
  QTableView* table() const { return m_table; }
  RolloutTable* model() const { return m_model; }
  RolloutStore* store() const { return m_store; }
  GapHistogram* histogram() const { return m_histogram; }
  RolloutsDetail* detail() const { return m_detail; }
  QString countText() const;

 Q_SIGNALS:
  /// A sample goes to Inspect, with its ids and the run's weights.
  void inspectRequested(const cuescope::InspectRequest& request);
  void sampleShown();  // another sample, or none
  void exportRequested();
  void trainRequested();

 protected:
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void placePanels() override;
  void defaultSizes() override;

 private:
  void followRun();
  void followStep();
  void fillSteps();
  void applyQuery();
  void choose(const QModelIndex& index);
  void compare(const RolloutFacts& facts);
  double advantageOf(const RolloutFacts& facts) const;
  void rebuilt();
  void refreshCount();
  void refreshEmpty();
  int shownStep() const;

  Session& m_session;
  Selection& m_selection;
  SampleRows* m_samples = nullptr;
  RolloutStore* m_store = nullptr;
  RolloutTable* m_model = nullptr;
  QString m_run;
  bool m_allSteps = false, m_stale = true;
  std::unique_ptr<struct RolloutFacts> m_wanted;  // chosen among the same prompt's steps, to be shown when its step is read
  QTimer m_grown;
  int m_scroll = 0;
  QString m_current;  // id of the chosen row
  bool m_rebuilding = false;

  QStackedWidget* m_stack = nullptr;
  QSplitter* m_split = nullptr;
  QStackedWidget* m_list = nullptr;
  EmptyPanel* m_empty = nullptr;
  EmptyPanel* m_emptyStep = nullptr;
  ErrorPanel* m_error = nullptr;
  QLineEdit* m_query = nullptr;
  QLabel* m_queryError = nullptr;
  ElidedLabel* m_count = nullptr;
  QComboBox* m_steps = nullptr;
  GapHistogram* m_histogram = nullptr;
  QTableView* m_table = nullptr;
  ElidedLabel* m_footer = nullptr;
  RolloutsDetail* m_detail = nullptr;
};

}  // namespace cuescope
