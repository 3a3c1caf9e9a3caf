// InspectPage: one look at one image: who is asked what, the map, the tokens, the distributions, the prompts, what if. Listens to
// the Session for values and to the Selection for what to show of them. UI thread; owned by the main window.
#pragma once

#include <QWidget>

#include "ui/session.h"
#include "ui/selection.h"

class QSplitter;
class QStackedLayout;

namespace cuescope {

class AlignmentPanel;
class AskBar;
class CueScorePanel;
class DistributionsPanel;
class ErrorPanel;
class MapPanel;
class MatrixView;
class Panel;
class TokensPanel;
class WhatIfPanel;
class Workspace;

class InspectPage : public QWidget {
  Q_OBJECT
 public:
  InspectPage(Session& session, Selection& selection, Workspace& workspace, QWidget* parent = nullptr);

  /// Asks what the bar says.
  void ask();
  void ask(const InspectRequest& request);
  void openPicture(const QString& file);
  void openPicture(const std::vector<std::uint8_t>& encoded, const QString& label);
  void show(const InspectionPtr& inspection);  // a capture
  void useModel(const QString& folder);
  void inspectRun(const QString& run);
  void runWhatIf();
  void computeCausal();
  /// Error of this page, with its next step as buttons; an empty label list leaves Copy details alone.
  void showFailure(const Failure& failure);

  AskBar* askBar() const { return m_ask; }
  MapPanel* map() const { return m_map; }
  TokensPanel* tokens() const { return m_tokens; }
  MatrixView* matrix() const { return m_matrix; }
  DistributionsPanel* distributions() const { return m_distributions; }
  AlignmentPanel* alignment() const { return m_alignment; }
  CueScorePanel* cueScore() const { return m_cueScore; }
  WhatIfPanel* whatIf() const { return m_whatIf; }
  ErrorPanel* error() const { return m_error; }
  const InspectionPtr& inspection() const { return m_inspection; }
  const InspectRequest& shownRequest() const { return m_shownRequest; }
  std::vector<Panel*> panels() const { return m_panels; }
  /// For the head and layer keys.
  void stepLayer(int by);
  void stepHead(int by);
  QByteArray layoutState() const;
  void restoreLayout(const QByteArray& state);
  void resetLayout();

 Q_SIGNALS:
  void openRequested();
  void viewChanged();  // what an export would write has changed

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void arrived(const InspectionPtr& inspection);
  void refresh(Selection::Parts parts);
  void refreshMatrix();
  void updateWhatIf();
  void updateUnseen();
  QString whatIfRefusal() const;

  Session& m_session;
  Selection& m_selection;
  Workspace& m_workspace;
  InspectionPtr m_inspection;
  InspectRequest m_sent, m_shownRequest;
  qint64 m_causalId = 0, m_whatIfId = 0;
  bool m_narrow = false;

  AskBar* m_ask = nullptr;
  class Strip* m_unseen = nullptr;
  class ElidedLabel* m_unseenText = nullptr;
  ErrorPanel* m_error = nullptr;
  MapPanel* m_map = nullptr;
  WhatIfPanel* m_whatIf = nullptr;
  TokensPanel* m_tokens = nullptr;
  MatrixView* m_matrix = nullptr;
  DistributionsPanel* m_distributions = nullptr;
  AlignmentPanel* m_alignment = nullptr;
  CueScorePanel* m_cueScore = nullptr;
  Panel* m_matrixPanel = nullptr;
  Panel* m_cueScorePanel = nullptr;
  std::vector<Panel*> m_panels;
  QSplitter* m_columns = nullptr;
  QSplitter* m_left = nullptr;
  QSplitter* m_right = nullptr;
  QSplitter* m_lower = nullptr;
  QSplitter* m_lowerRight = nullptr;
};

}  // namespace cuescope
