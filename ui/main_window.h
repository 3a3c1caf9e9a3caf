// MainWindow: menu, page bar with the selection, navigator, pages, timeline, status. Owns Workspace and Selection; the Session is
// main()'s. Everything a person can do is an action here, in a menu, with a name, a tooltip and a shortcut. UI thread.
#pragma once

#include <QHash>
#include <QMainWindow>
#include <functional>

#include "ui/export.h"
#include "ui/selection.h"
#include "ui/session.h"
#include "ui/workspace.h"

class QSplitter;
class QStackedWidget;
class QUndoGroup;

namespace cuescope {

class CommandPalette;
class DataPage;
class InspectPage;
class Navigator;
class PageBar;
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

  InspectPage* inspectPage() const { return m_inspect; }
  StartPage* startPage() const { return m_start; }
  DataPage* dataPage() const { return m_data; }
  TrainPage* trainPage();  // built when it is first asked for
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

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Entry {
    const char* name;
    const char* text;
    const char* keys;
    const char* tip;
    std::function<void()> run;
    bool checkable = false;
  };
  void buildActions();  // main_window_actions.cpp
  void add(class QMenu* menu, const Entry& entry);
  void restoreState();
  void saveState();
  void connectSession();
  void refreshSelectionBar();
  void refreshActions();
  void refreshUndo();
  void refreshDemoMark();
  void choosePart(int part);
  void openDialog();
  void exportDialog();
  void showPalette();
  void showShortcuts();
  void showSettings();
  void copyView();
  void openCapture(const QString& path);
  void toggleRun();

  Session& m_session;
  Workspace m_workspace;
  Selection m_selection;
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
  TimelineBar* m_timeline = nullptr;
  StatusStrip* m_status = nullptr;
  CommandPalette* m_palette = nullptr;
  QUndoGroup* m_undo = nullptr;
  QString m_runsFolder;
  bool m_startShown = true;
  bool m_whatIfWanted = false;  // the second demo card: the region is set when the answer arrives
  bool m_navigatorHidden = false;
};

}  // namespace cuescope
