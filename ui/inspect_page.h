// InspectPage: one look at one image: who is asked what, the map, the tokens, the distributions, the prompts, the model, what if; more
// sites of the same look when they are asked for, another student beside it, the same question over a run's checkpoints. Listens to
// the Session for values and to the Selection for what to show of them. UI thread; owned by the main window.
#pragma once

#include <QPointer>
#include <QWidget>
#include <set>

#include "ui/roomy_page.h"
#include "ui/selection.h"
#include "ui/session.h"

class QPlainTextEdit;
class QSplitter;
class QUndoStack;

namespace cuescope {

class AlignmentPanel;
class AskBar;
class CaptureSettings;
class ChangeBars;
class CueScorePanel;
class DistributionsPanel;
class ErrorPanel;
class LensPanel;
class MapPanel;
class MatrixView;
class ModelPanel;
class Panel;
class SharesPanel;
class StepsPanel;
class TokensPanel;
class WhatIfPanel;
class Workspace;
struct ChangeSet;
struct ExportChoice;
struct HeadMaps;

/// Every head's map of the selection's site, query and image, for the matrix and its export.
HeadMaps headMaps(const Inspection& inspection, const SelectionState& selection, int image);
/// The judged token's distribution before and after, as bars.
ChangeSet changeSet(const WhatIf& answer, int rows);

class InspectPage : public QWidget, public RoomyPage {
  Q_OBJECT
 public:
  InspectPage(Session& session, Selection& selection, Workspace& workspace, QWidget* parent = nullptr);
  ~InspectPage() override;

  /// Asks what the bar says.
  void ask();
  void ask(const InspectRequest& request);
  void openPicture(const QString& file);
  void openPictures(const QStringList& files);  // one prompt with all of them
  void openPicture(const std::vector<std::uint8_t>& encoded, const QString& label);
  void show(const InspectionPtr& inspection);  // a capture
  void useModel(const QString& folder);
  void inspectRun(const QString& run);
  void runWhatIf();
  void forgetRegion();  // an edit that can be undone
  void computeCausal();
  /// Captures what the selection shows and was not captured: asks for the cost first, runs at once when it is small.
  void captureSelected(bool whateverTheCost = false);
  /// The same, of a site that is not shown (the logit lens under its tab).
  void captureSite(Site site, bool whateverTheCost = false);
  /// The second student of the bar reads the shown response.
  void lookBeside();
  /// Every checkpoint of the selected run reads the shown response. The timeline asks for them one by one (inspect_page_steps.cpp).
  void lookOverSteps();
  /// Ends what captureSite(), lookBeside() and lookOverSteps() have begun, whether it waits or runs.
  void cancelLooks();
  /// Error of this page, with its next step as buttons; an empty label list leaves Copy details alone.
  void showFailure(const Failure& failure);

  AskBar* askBar() const { return m_ask; }
  CaptureSettings* captureSettings() const { return m_captureSettings; }
  MapPanel* map() const { return m_map; }
  TokensPanel* tokens() const { return m_tokens; }
  MatrixView* matrix() const { return m_matrix; }
  SharesPanel* shares() const { return m_shares; }
  LensPanel* lens() const { return m_lens; }
  ModelPanel* model() const { return m_model; }
  StepsPanel* steps() const { return m_steps; }
  DistributionsPanel* distributions() const { return m_distributions; }
  ChangeBars* changeBars() const { return m_change; }
  AlignmentPanel* alignment() const { return m_alignment; }
  CueScorePanel* cueScore() const { return m_cueScore; }
  WhatIfPanel* whatIf() const { return m_whatIf; }
  ErrorPanel* error() const { return m_error; }
  const InspectionPtr& inspection() const { return m_inspection; }
  const InspectionPtr& besideInspection() const { return m_besideLook; }
  const InspectRequest& shownRequest() const { return m_shownRequest; }
  /// The run whose student or checkpoint is shown; the timeline moves this page while it is the selected one.
  const QString& lookRun() const { return m_lookRun; }
  /// What an export writes: the view that was worked in last (exportViewNames), as it is shown.
  ExportChoice exportChoice() const;
  void setExportView(const QString& name);
  const QString& exportView() const { return m_view; }
  void setExportScale(double scale);
  bool capturing() const { return m_capturing; }
  std::vector<Panel*> panels() const { return m_panels; }
  /// Brings a panel to the front: "matrix", "shares", "model", "steps", "recipe", "distributions", "change", "lens", "alignment",
  /// "cue-score", "what-if", "tokens".
  void showTab(const QString& name);
  /// For the head and layer keys.
  void stepLayer(int by);
  void stepHead(int by);

 Q_SIGNALS:
  void openRequested();
  void viewChanged();  // what an export would write has changed

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  Room roomFor(const QSize& given) const override;  // inspect_page_places.cpp, as are the next
  void placePanels() override;
  void defaultSizes() override;

 private:
  static constexpr const char* kSiteTag = "site";  // jobs that capture a site of the shown look
  void build();
  void connectPanels();
  void connectSession();
  void arrived(const InspectionPtr& inspection);
  void extend(const InspectionPtr& inspection);
  void refresh(Selection::Parts parts);
  void refreshMatrix();
  void refreshHidden();      // panels behind tabs, when they come to the front
  void updateWhatIf();
  void updateUnseen();
  void updateCapture();
  void updateSteps();
  void fillPanels();         // the shown look in every panel but the map, when the response is another's or another reads it
  QString runOfLook(const InspectRequest& request, int* step);
  InspectionPtr beginSteps(const InspectionPtr& inspection);
  void keepLook(int step, const InspectionPtr& look, const std::string& student);
  void askStep(int step, const std::string& folder, const char* tag, bool latest);
  int keptStep(int step, std::string* folder) const;
  void showLook(int step);
  void followStep();
  void cancelSteps();
  void stepDone(bool ofAll);
  void updateRecipe();
  void showAnswer(const WhatIfPtr& answer);
  InspectRequest sameResponse(bool teacher) const;
  QString whatIfRefusal() const;
  QString captureRefusal() const;
  CaptureSettings* m_captureSettings = nullptr;
  void endCapture();
  void cancelCapture();
  void beginCapture(const InspectRequest& request, const std::set<Site>& sites);
  void besideArrived(const InspectionPtr& look, const QString& label);
  void addPictureDialog();
  void followFocus(QWidget* now);

  Session& m_session;
  Selection& m_selection;
  Workspace& m_workspace;
  QUndoStack* m_undo = nullptr;
  InspectionPtr m_inspection, m_besideLook;
  InspectRequest m_sent, m_shownRequest;
  qint64 m_causalId = 0, m_whatIfId = 0;
  QString m_view = QStringLiteral("map");
  double m_exportScale = 2;
  // The capture of a missing site: its cost, and whether it runs. A generation tells answers to old questions apart.
  bool m_capturing = false, m_besideWanted = false;
  QString m_captureKey;      // site, token, patch that the cost was asked for
  QString m_captureCost;     // in words, once it is known
  // Looks of the run's steps are in m_steps; who gave each, the run, and the step that the timeline waits for.
  std::map<int, std::string> m_stepStudents;
  QString m_lookRun;
  int m_wantedStep = -1;
  bool m_followLater = false;
  bool m_misfit = false;  // the selection fits another page's response; fitted when this one is shown
  int m_generation = 0, m_captureRun = 0, m_stepsLeft = 0, m_stepsInAll = 0;

  AskBar* m_ask = nullptr;
  class Strip* m_unseen = nullptr;
  class ElidedLabel* m_unseenText = nullptr;
  ErrorPanel* m_error = nullptr;
  MapPanel* m_map = nullptr;
  WhatIfPanel* m_whatIf = nullptr;
  TokensPanel* m_tokens = nullptr;
  MatrixView* m_matrix = nullptr;
  SharesPanel* m_shares = nullptr;
  LensPanel* m_lens = nullptr;
  ModelPanel* m_model = nullptr;
  StepsPanel* m_steps = nullptr;
  DistributionsPanel* m_distributions = nullptr;
  ChangeBars* m_change = nullptr;
  AlignmentPanel* m_alignment = nullptr;
  CueScorePanel* m_cueScore = nullptr;
  QPlainTextEdit* m_recipe = nullptr;
  Panel* panel(const char* name) const;
  Panel* m_matrixPanel = nullptr;
  Panel* m_sharesPanel = nullptr;
  Panel* m_stepsPanel = nullptr;
  Panel* m_recipePanel = nullptr;
  Panel* m_lensPanel = nullptr;
  std::vector<Panel*> m_panels;
  QSplitter* m_columns = nullptr;
  QPointer<QSplitter> m_lower, m_lowerRight;  // of the default places in a wide room
  QSplitter* m_left = nullptr;
  QSplitter* m_right = nullptr;
};

}  // namespace cuescope
