// TrainPage: start, steer and judge a run. Control row, phases, curves, probe film strip; health, checkpoints and parameters at
// the right; the form of a new run in its place when asked for. Shows the selected run, else the run of this window. Talks to
// Session and Selection alone. UI thread; owned by the main window.
#pragma once

#include <QHash>
#include <QImage>
#include <QSet>
#include <QWidget>
#include <memory>
#include <optional>
#include <string>

#include "ui/models/run_curves.h"
#include "ui/page_view.h"
#include "ui/roomy_page.h"
#include "ui/selection.h"
#include "ui/session.h"

class QAction;
class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QScrollArea;
class QSlider;
class QSplitter;
class QStackedWidget;
class QTimer;
class QToolButton;

namespace cuescope {

class CurveGrid;
class ElidedLabel;
class EmptyPanel;
class ErrorPanel;
class FilmStrip;
class NewRunForm;
class Panel;
class PhaseBar;
class RunLegend;
class RunQueue;
class SegmentedButton;
class TrainColumn;

class TrainPage : public QWidget, public RoomyPage, public ViewSource {
  Q_OBJECT
 public:
  TrainPage(Session& session, Selection& selection, QWidget* parent = nullptr);

  /// Shows the form of a new run; the page comes back when it is started or left.
  void newRun(const QString& student = {});
  NewRunForm* form();  // built when it is first asked for
  bool formShown() const;
  CurveGrid* curves() const { return m_curves; }
  FilmStrip* film() const { return m_film; }
  /// Name of the run that is shown, "" if none.
  QString shownRun() const { return m_run; }
  void setOverlay(const QStringList& runs);  // at most three
  QStringList overlay() const { return m_overlay; }
  /// Lays a run over the shown one, or takes it away again; the fourth replaces the first of them.
  void compareRun(const QString& name);
  /// Queue and half-filled form are kept in this folder from now on.
  void keepIn(const QString& folder);
  RunQueue* queue() const { return m_queue; }
  /// Pauses or resumes the shown run, in this window or in its process, or goes on from its newest checkpoint.
  void toggle();
  QString toggleRefusal() const;  // why that is not possible; empty when it is
  /// Lays the curve of one plot into another, both by their metrics' ids, or with `apply` false only says whether that is possible.
  bool layCurve(const QString& into, const QString& curve, bool apply = true);
  /// One plot alone, for whoever carries it away. Throws Error.
  PageView curveView(int panel) const;
  /// Writes all curves, the format by the ending; false with the reason on the page.
  bool exportCurvesTo(const QString& file);
  QStringList viewNames() const override;  // train_views.cpp, as are the next
  PageView view(const QString& name) const override;
  void showFailure(const Failure& failure) override;
  /// Writes a checkpoint's model as a Hugging Face folder; answered by modelExported, or by a message on the page.
  void exportCheckpointTo(const QString& checkpoint, const QString& output);

 Q_SIGNALS:
  void inspectFolderRequested(const QString& folder);  // a checkpoint, to be opened in Inspect
  void modelExported(const QString& folder);
  void inspectRequested(const InspectRequest& request);  // a probe image
  /// The same of two steps: `beside` is the folder of the second student.
  void compareRequested(const InspectRequest& request, const QString& beside);
  /// Two checkpoints; `probe`: what both can be asked where Inspect has no question yet, its teacher always.
  void checkpointsCompared(const QString& a, const QString& b, const InspectRequest& probe);
  void said(const QString& words);                       // for the status bar
  void exportRequested(const QString& view);
  void formBuilt();
  void shownChanged();  // the form or the run: what can be done now may be something else

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void placePanels() override;
  void defaultSizes() override;

 private:
  QWidget* makeControl();
  QWidget* makeCurves();
  QWidget* makeFilm();
  void connectColumn();
  void chooseRun();
  void schedule();
  void refresh();
  void refreshControl();
  void refreshFilm(const RunRecord& record);
  void askPictures(const RunRecord& record);
  void takePictures(const DataRows& rows);
  void inspectProbe(int row, int step);
  struct Guest {
    QString into, curve;
    bool operator==(const Guest&) const = default;
  };
  static constexpr int kOverlays = 3;  // lines beside the shown run's that can be told apart
  int roomForRuns() const { return kOverlays - int(m_guests.size()); }
  void setGuest(const Guest& guest, bool on);
  void addGuests(CurveSet& set) const;
  void compareProbe(int row, int step);
  void compareCheckpoints(const QString& a, const QString& b);
  struct Kept {
    int step = -1;  // -1: none was kept up to the wanted step
    std::string student, teacher;
  };
  Kept keptAt(const RunRecord& record, int step) const;
  void pickStep(int step);
  int cursorStep() const;  // the selected step; none selected: the newest, as on the timeline
  void placeCursor();
  void fillOverlayMenu();
  void exportCheckpoint(const QString& folder);
  void curveMenu(int panel, const QPoint& at);
  void askPlan(const RunConfig& config);
  void showFailure(const Failure& failure, const QStringList& actions);
  const RunColumns& columnsOf(const QString& run);
  const RunConfig& configOf(const RunRecord& record);  // until it is asked for another run
  QString keepNote(const RunRecord& record);           // which checkpoints stay
  void placeColumns();
  double uniformEvidence(const RunRecord& record);
  bool canGoOn(const RunRecord& record) const;

  Session& m_session;
  Selection& m_selection;
  QString m_run;
  QStringList m_overlay;
  std::vector<Guest> m_guests;  // curves that were laid into other plots
  QString m_failureRun, m_shownYaml;
  QString m_notedRun;  // whose checkpoints the note is of
  bool m_couldNotStart = false;  // the message on the page is of a run that could not be started
  std::size_t m_shownCheckpoints = 0;
  int m_layer = -1;  // of the film; -1: mean of the layers
  QHash<QString, QImage> m_pictures;
  QHash<QString, DataRow> m_probeRows;
  QSet<QString> m_asked;  // data files whose probe rows were asked for
  QTimer* m_later = nullptr;
  QHash<QString, std::shared_ptr<RunColumns>> m_columns;
  HealthWatch m_watch;
  QString m_watched, m_watchedYaml;  // run that m_watch has read, and what it was told to look for
  std::size_t m_watchedSteps = 0;
  std::optional<RunConfig> m_config;  // of m_configYaml in m_configFolder
  QString m_configYaml;
  std::string m_configFolder;
  RunQueue* m_queue = nullptr;
  QString m_folder;
  QStackedWidget* m_stack = nullptr;
  NewRunForm* m_form = nullptr;
  QWidget* m_formPlace = nullptr;
  EmptyPanel* m_empty = nullptr;
  ErrorPanel* m_error = nullptr;
  QLabel* m_stateIcon = nullptr;
  ElidedLabel *m_name = nullptr, *m_progress = nullptr, *m_count = nullptr, *m_left = nullptr;
  RunLegend* m_legend = nullptr;
  QPushButton *m_pause = nullptr, *m_checkpoint = nullptr, *m_stop = nullptr, *m_new = nullptr;
  QAction *m_stopSave = nullptr, *m_stopDrop = nullptr;
  PhaseBar* m_phases = nullptr;
  CurveGrid* m_curves = nullptr;
  QScrollArea* m_curveArea = nullptr;
  QSlider* m_smoothing = nullptr;
  QLabel* m_smoothingText = nullptr;
  SegmentedButton* m_x = nullptr;
  QToolButton* m_overlayButton = nullptr;
  FilmStrip* m_film = nullptr;
  Panel* m_filmPanel = nullptr;
  QComboBox* m_filmLayer = nullptr;
  TrainColumn* m_column = nullptr;
  QSplitter *m_main = nullptr, *m_down = nullptr;
  bool m_low = false;  // of the height that the sizes were said for
};

}  // namespace cuescope
