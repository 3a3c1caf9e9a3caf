// MainWindow: menu, page bar with the selection, navigator, pages, timeline, status. Owns Workspace and Selection; the Session is
// main()'s. Everything a person can do is an action here, in a menu, with a name, a tooltip and a shortcut. UI thread.
#pragma once

#include <QHash>
#include <QJsonObject>
#include <QMainWindow>
#include <functional>

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
  /// Action by its fixed name ("view.map", "train.pause", ...), null if there is none.
  QAction* action(const QString& name) const { return m_actions.value(name); }
  QHash<QString, QAction*> actions() const { return m_actions; }
  QStringList actionOrder() const { return m_actionOrder; }  // as in the menus
  /// Gives an action other keys and keeps them; returns why not, naming the action that has them already.
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
  void removeLayout(const QString& name);
  void resetLayout();

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;

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
  void buildActions();  // main_window_actions.cpp
  void add(class QMenu* menu, const Entry& entry);
  void restoreState();
  void fitScreen();
  void adoptPage();  // the shown page, when it is shown for the first time
  QJsonObject sessionState() const;
  void restoreSession(const QJsonObject& state, const QString& capture);
  void startFresh();
  void nameLayout();
  void fillLayoutMenu();
  void fillRecentMenu();
  void saveState();
  void connectSession();
  void refreshSelectionBar();
  void refreshActions();
  void refreshUndo();
  void refreshDemoMark();
  void choosePart(int part);
  void pinPage(bool pinned);
  void changeSelection(Page from, Page to);
  void openDialog();
  void openForeign(const QString& path);
  void placePage(Page page, QWidget* built);
  void inspectRequest(const InspectRequest& request);
  /// Exports what Rollouts, Data or Evaluate shows; false on other pages. Throws Error.
  bool exportPage(const QString& file);
  void exportDialog();
  void reportDialog();
  void showPalette();
  void showShortcuts();
  void showSettings();
  void copyView();
  void openCapture(const QString& path);
  void toggleRun();

  Session& m_session;
  Workspace m_workspace;
  Selection m_selection;
  QHash<int, SelectionState> m_pins;  // pages that keep a selection of their own
  SelectionState m_shared;            // the others', while a pinned page is shown
  QHash<QString, QAction*> m_actions;
  QStringList m_actionOrder;
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
  QMenu* m_recentMenu = nullptr;
  std::unique_ptr<SessionFile> m_sessionFile;
  QTimer* m_autosave = nullptr;
  QHash<const QWidget*, QByteArray> m_defaultLayouts;  // of the pages that were shown, as they were built
  QByteArray m_defaultBody;
  QSize m_fitted;
  QHash<int, QByteArray> m_keptLayouts;  // read from the settings, for pages that are still to be built
  QString m_runsFolder;
  bool m_startShown = true;
  bool m_whatIfWanted = false;  // the second demo card: the region is set when the answer arrives
  bool m_navigatorHidden = false;
};

}  // namespace cuescope
