// MainWindow: menu, page bar with the selection, navigator, pages, timeline, status. Owns Workspace and Selection; the Session is
// main()'s. Everything a person can do is an action here, in a menu, with a name, a tooltip and a shortcut. UI thread.
#pragma once

#include <QHash>
#include <QJsonObject>
#include <QMainWindow>
#include <QPointer>
#include <functional>
#include <map>

#include "ui/export.h"
#include "ui/selection.h"
#include "ui/session.h"
#include "ui/workspace.h"

class QSplitter;
class QKeySequence;
class QMenu;
class QStackedWidget;
class QTimer;
class QUndoGroup;

namespace cuescope {

class CommandPalette;
class DataPage;
class EvaluatePage;
class RolloutsPage;
class InspectPage;
class HelpWindow;
class Navigator;
class NoticeBar;
class PageBar;
class PageHolder;
class Panel;
class PanelMover;
class SessionFile;
class StartPage;
class StatusStrip;
class TimelineBar;
class TrainPage;

class MainWindow : public QMainWindow {
  Q_OBJECT
 public:
  enum Page { Inspect, Train, Rollouts, Data, Evaluate, PageCount };

  explicit MainWindow(Session& session, QWidget* parent = nullptr);
  ~MainWindow() override;

  void setPage(Page page);
  Page page() const;
  void showStart();
  bool onStart() const;
  /// Does the obvious thing with a path: image inspected, model opened, data listed, run followed, capture reopened.
  void openPath(const QString& path);
  void openPaths(const QStringList& paths);
  void pasteImage();
  /// Starts the demo's OPD+ViCuR run; false with the reason in the status bar when it cannot.
  bool startDemoRun(int steps = 0);
  /// Where the demo's runs go; "" is the person's data folder.
  void setRunsFolder(const QString& folder) { m_runsFolder = folder; }
  /// Exports what the page shows to a file, the format by its ending. Failures are shown in the page.
  bool exportView(const QString& file);
  ExportChoice exportChoice() const;
  /// The views of the shown page; null on Inspect, which has its own, and on the start page.
  class ViewSource* shownViews() const { return viewSource(); }
  /// The chosen run or the shown inspection as a page (ui/report.h); failures are said in the notice bar.
  bool exportReport(const QString& file);
  void showHelp(const QString& page);  // "" the page that was open last
  HelpWindow* help() const { return m_help; }

  InspectPage* inspectPage() const { return m_inspect; }
  StartPage* startPage() const { return m_start; }
  DataPage* dataPage() const { return m_data; }
  TrainPage* trainPage();  // built when it is first asked for
  RolloutsPage* rolloutsPage();  // the same, as is the next (main_window_pages.cpp)
  EvaluatePage* evaluatePage();
  Navigator* navigator() const { return m_navigator; }
  PageBar* pageBar() const { return m_bar; }
  CommandPalette* palettePopup() const { return m_palette; }
  StatusStrip* status() const { return m_status; }
  Workspace& workspace() { return m_workspace; }
  Selection& selection() { return m_selection; }
  /// Edits of all pages (ui/undo.h); the shown page's stack is the active one.
  QUndoGroup* undoGroup() const { return m_undo; }
  /// Where an action means something: the pages as bits, and the start page. Elsewhere it is disabled, so that its keys are free
  /// there for an action of that page; its tooltip says where it belongs.
  using Places = unsigned;
  static constexpr Places on(Page page) { return 1u << page; }
  static constexpr Places kStartPage = 1u << PageCount, kPages = kStartPage - 1, kEverywhere = kPages | kStartPage;
  Places placesOf(const QString& action) const;
  /// «Everywhere», «Inspect», «Train, Rollouts»: where an action belongs, in words.
  static QString placesText(Places places);
  /// Action by its fixed name ("view.map", "train.pause", ...), null if there is none.
  QAction* action(const QString& name) const { return m_actions.value(name); }
  QHash<QString, QAction*> actions() const { return m_actions; }
  QStringList actionOrder() const { return m_actionOrder; }  // as in the menus
  /// Gives an action other keys and keeps them; returns why not, naming the action that has them already at one of its places.
  QString setKeys(const QString& name, const QKeySequence& keys);
  QKeySequence defaultKeys(const QString& name) const;
  /// Keys of an action as they are shown: of its shortcut, or of the key that the page handles (←).
  static QString keysText(const QAction* action);
  /// Words of an action without keys and mnemonics.
  static QString plainText(const QAction* action);

  // main_window_session.cpp
  /// Restores what a window that crashed was about, says so in the notice bar, and keeps this one's session from now on.
  /// Not called for tours and measurements.
  void keepSession();
  NoticeBar* notice() const { return m_notice; }
  /// All pages' panels and the navigator, as one value of the settings.
  QByteArray layoutState() const;
  bool restoreLayoutState(const QByteArray& state);
  QStringList layouts() const;
  void saveLayout(const QString& name);
  void useLayout(const QString& name);
  void removeLayout(const QString& name);  // can be undone
  void resetLayout();

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  bool event(QEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  struct Entry {
    const char* name;
    const char* text;
    const char* keys;
    const char* tip;
    std::function<void()> run;
    bool checkable = false;
    const char* shown = nullptr;  // keys that the page handles itself
  };
  /// What is asked of an action whenever it is refreshed.
  struct Rule {
    Places places = kEverywhere;
    std::function<QString()> refusal;  // why it cannot be run now; empty when it can
    std::function<bool()> checked;     // of what is switched on and off
    std::function<QString()> words;    // of an action whose text follows the page
    bool ofControl = false;            // it does what a control of the page does (ui/acts_as.h), and has that control's reasons
    QPointer<QWidget> control;         // null until its page is built
    Rule& at(Places where) { return places = where, *this; }
    Rule& unless(std::function<QString()> why) { return refusal = std::move(why), *this; }
    Rule& checkedBy(std::function<bool()> state) { return checked = std::move(state), *this; }
    Rule& named(std::function<QString()> text) { return words = std::move(text), *this; }
  };
  void buildActions();  // main_window_actions.cpp
  Rule& add(class QMenu* menu, const Entry& entry);  // main_window_keys.cpp, as are the next
  /// An action that a control of a page stands for: it clicks a button, opens a drop-down, steps through choices, enters a field.
  Rule& addControl(class QMenu* menu, Places places, const char* name, const char* text, const char* keys, const char* tip);
  void bindControls(QWidget* root);
  void addExports(QMenu* menu);
  void addPanels(Page page, QWidget* built);  // to the Window menu
  void operate(const QString& name);
  void buildPageActions(QMenu* selectionMenu, QMenu* train, QMenu* rollouts, QMenu* data, QMenu* evaluate);  // main_window_page_actions.cpp
  Places place() const;
  QString refusalOf(const Rule& rule) const;
  void refreshAction(const QString& name);
  void restoreState();
  void fitScreen();
  static constexpr int kNarrow = 1400;  // px; below it the navigator folds to a rail
  static constexpr int kNavigatorWidth = 216;
  void setRail(bool rail);
  void setNavigatorWidth(int width);
  void adoptPage();  // the shown page, when it is shown for the first time
  QJsonObject sessionState() const;
  void restoreSession(const QJsonObject& state, const QString& capture);
  void startFresh();
  void nameLayout();
  void fillLayoutMenu();
  void fillRecentMenu();
  void forgetPaths(const QString& words, const QStringList& paths);
  void saveState();
  void connectSession();
  void refreshSelectionBar();
  void refreshActions();
  void refreshActionsSoon();
  void refreshUndo();
  void refreshDemoMark();
  void choosePart(int part);
  void pinPage(bool pinned);
  void changeSelection(Page from, Page to);
  /// A setting that was changed from a menu: an edit of the shown page's stack, as the page's own are.
  void pushSetting(const QString& words, std::function<void()> apply, std::function<void()> takeBack);
  void leave();  // Esc: text field, tool, comparison; a drag is left by what is dragged
  void openDialog();
  void openForeign(const QString& path);
  QWidget* pageWidget(int index) const;  // what the holder at this place of the stack holds
  PageHolder* hold(QWidget* page);
  class SampleWalk* walkOf(Page page) const;   // null: the page has no samples, or was not shown yet
  SampleWalk* walk() const;                    // of the shown page; on Inspect of the page where its sample came from
  void stepSample(int by);
  void refreshSample();
  QString stepSampleRefusal(int by) const;
  void choosePanelMove(Panel* panel);
  void placePage(Page page, QWidget* built);
  void inspectRequest(const InspectRequest& request);
  // main_window_export.cpp
  class ViewSource* viewSource() const;
  void showFailureHere(const Failure& failure);  // on the page that it concerns
  void saveDialog(const QString& title, const QStringList& formats);
  void exportDialog();
  void save();  // the row's edits on Data, a capture on Inspect
  QString chosenText() const;
  void reportDialog();
  void showPalette();
  void showRecent();
  void showShortcuts();
  void showSettings();
  void copyView();
  void openCapture(const QString& path);
  void toggleRun();

  Session& m_session;
  Workspace m_workspace;
  Selection m_selection;
  int m_sampleFrom = -1;              // page that sent what Inspect shows
  QHash<int, SelectionState> m_pins;  // pages that keep a selection of their own
  SelectionState m_shared;            // the others', while a pinned page is shown
  QHash<QString, QAction*> m_actions;
  QStringList m_actionOrder;
  bool m_actionsDue = false;
  mutable QHash<Places, QString> m_belongsTo;  // what refuses an action away from its pages
  std::map<QString, Rule> m_rules;
  PageBar* m_bar = nullptr;
  QSplitter* m_body = nullptr;
  Navigator* m_navigator = nullptr;
  QStackedWidget* m_stack = nullptr;
  StartPage* m_start = nullptr;
  InspectPage* m_inspect = nullptr;
  TrainPage* m_train = nullptr;
  DataPage* m_data = nullptr;
  RolloutsPage* m_rollouts = nullptr;
  EvaluatePage* m_evaluate = nullptr;
  TimelineBar* m_timeline = nullptr;
  StatusStrip* m_status = nullptr;
  CommandPalette* m_palette = nullptr;
  QUndoGroup* m_undo = nullptr;
  NoticeBar* m_notice = nullptr;
  HelpWindow* m_help = nullptr;
  QMenu* m_layoutMenu = nullptr;
  QMenu* m_windowMenu = nullptr;
  QMenu* m_recentMenu = nullptr;
  std::unique_ptr<SessionFile> m_sessionFile;
  QTimer* m_autosave = nullptr;
  QHash<const QWidget*, QByteArray> m_defaultLayouts;  // of the pages that were shown, as they were built
  int m_navigatorWidth = 0;  // of the whole navigator
  PanelMover* m_mover = nullptr;
  QWidget* m_search = nullptr;
  QSize m_fitted;
  QHash<int, QByteArray> m_keptLayouts;  // read from the settings, for pages that are still to be built
  QString m_runsFolder;
  double m_exportScale = kPngScale;  // of PNG and of a copied picture
  bool m_startShown = true;
  bool m_earlierSession = false;  // one is kept that can be reopened
  bool m_whatIfWanted = false;  // the second demo card: the region is set when the answer arrives
  bool m_narrow = false;  // the navigator was folded because the window is
};

}  // namespace cuescope
