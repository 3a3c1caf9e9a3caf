// The actions of the window: menus, shortcuts, palette, the overview of shortcuts, settings, export.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QFileDialog>
#include <QHeaderView>
#include <QKeyEvent>
#include <QMenu>
#include <QMimeData>
#include <QMenuBar>
#include <QPushButton>
#include <QSettings>
#include <QStackedWidget>
#include <QTableWidget>
#include <QUndoGroup>
#include <QVBoxLayout>
#include <QWhatsThis>

#include "engine/core/capture.h"
#include "ui/command_palette.h"
#include "ui/data_page.h"
#include "ui/help_window.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/navigator.h"
#include "ui/notice_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/train_page.h"
#include "widgets/icons.h"
#include "ui/layouts.h"
#include "ui/report.h"
#include "ui/settings_dialog.h"
#include "ui/start_page.h"
#include "ui/status_strip.h"
#include "ui/timeline_bar.h"
#include "ui/undo.h"

namespace cuescope {

void MainWindow::add(QMenu* menu, const Entry& entry) {
  auto* action = new QAction(tr(entry.text), this);
  const QString name = QString::fromLatin1(entry.name);
  const QString own = QSettings().value(QStringLiteral("keys/") + name, QString::fromUtf8(entry.keys)).toString();
  action->setShortcut(QKeySequence(own));
  action->setProperty("defaultKeys", QString::fromUtf8(entry.keys));
  if (entry.shown && own.isEmpty()) {  // a menu shows what follows the tab where keys stand
    action->setProperty("shownKeys", QString::fromUtf8(entry.shown));
    action->setText(tr(entry.text) + u'\t' + QString::fromUtf8(entry.shown));
  }
  action->setToolTip(tr(entry.tip));
  action->setStatusTip(tr(entry.tip));
  action->setWhatsThis(tr(entry.tip));
  action->setCheckable(entry.checkable);
  action->setData(name);
  connect(action, &QAction::triggered, this, entry.run);
  menu->addAction(action);
  m_actions.insert(name, action);
  m_actionOrder << name;
}

void MainWindow::buildActions() {
  const auto menu = [this](const QString& title) {
    QMenu* m = menuBar()->addMenu(title);
    m->setToolTipsVisible(true);
    return m;
  };
  const auto map = [this](const char* command) { return [this, command] { m_inspect->map()->command(QString::fromLatin1(command)); refreshActions(); }; };
  const auto compare = [this](int card, const char* command) {
    return [this, card, command] {
      if (onStart()) m_start->openCard(card);
      else m_inspect->map()->command(QString::fromLatin1(command));
    };
  };

  QMenu* file = menu(tr("File"));
  add(file, {"file.open", "Open …", "Ctrl+O", "Open an image, model, data file, run or capture", [this] { openDialog(); }});
  add(file, {"file.folder", "Open folder …", "Ctrl+Shift+O", "Open a model folder or a run folder", [this] {
               auto* dialog = new QFileDialog(this, tr("Open folder"));
               dialog->setAttribute(Qt::WA_DeleteOnClose);
               dialog->setFileMode(QFileDialog::Directory);
               connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::openPath);
               dialog->open();
             }});
  m_recentMenu = file->addMenu(tr("Open recent"));
  m_recentMenu->setToolTipsVisible(true);
  connect(m_recentMenu, &QMenu::aboutToShow, this, &MainWindow::fillRecentMenu);
  fillRecentMenu();
  add(file, {"file.session", "Reopen the last session", "Ctrl+Shift+T", "The question, answer, selection, form and layout of the window before this one", [] {}});
  m_actions["file.session"]->setEnabled(false);
  m_actions["file.session"]->setToolTip(tr("No earlier session is kept."));
  add(file, {"file.start", "Start page", "Ctrl+Home", "The demo, this computer and recent things", [this] { showStart(); }});
  file->addSeparator();
  add(file, {"file.save", "Save capture …", "Ctrl+S", "Keep this look at the image as one file that opens again without the model", [this] { page() == Data && !onStart() ? void(m_data->save()) : exportDialog(); }});
  add(file, {"file.export", "Export view …", "Ctrl+E", "The view worked in last as PNG, SVG, PDF, CSV or NPZ, with its recipe", [this] { exportDialog(); }});
  file->addSeparator();
  add(file, {"file.report", "Export report …", "Ctrl+Shift+E", "The run (on Train, Rollouts, Evaluate) or the inspection as one page with its figures, HTML or PDF", [this] { reportDialog(); }});
  file->addSeparator();
  add(file, {"file.settings", "Settings …", "Ctrl+,", "Theme and shortcuts", [this] { showSettings(); }});
  add(file, {"file.quit", "Quit", "Ctrl+Q", "Close the window; a run is saved first", [this] { close(); }});

  QMenu* edit = menu(tr("Edit"));
  add(edit, {"edit.undo", "Undo", "Ctrl+Z", "Take back the last edit on this page", [this] { m_undo->undo(); }});
  add(edit, {"edit.redo", "Redo", "Ctrl+Shift+Z", "Do the edit again that was taken back", [this] { m_undo->redo(); }});
  edit->addSeparator();
  add(edit, {"edit.copy", "Copy picture", "Ctrl+C", "Copy the shown figure and its values", [this] { copyView(); }});
  add(edit, {"edit.paste", "Paste image", "Ctrl+V", "Inspect the picture on the clipboard", [this] { pasteImage(); }});
  add(edit, {"edit.find", "Find any action …", "Ctrl+K", "Any action, setting, run or sample", [this] { showPalette(); }});

  QMenu* view = menu(tr("View"));
  const char* const pages[] = {"Inspect", "Train", "Rollouts", "Data", "Evaluate"};
  for (int i = 0; i < PageCount; ++i) {
    static const char* const kNames[] = {"page.1", "page.2", "page.3", "page.4", "page.5"};
    static const char* const kKeys[] = {"Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4", "Ctrl+5"};
    add(view, {kNames[i], pages[i], kKeys[i], "Go to this page", [this, i] { setPage(Page(i)); }});
  }
  view->addSeparator();
  add(view, {"view.navigator", "Navigator", "F9", "Show or hide the navigator", [this] { m_navigator->setVisible(!m_navigator->isVisible()); }, true});
  add(view, {"view.full", "Full screen", "F11", "The window alone on the screen", [this] { isFullScreen() ? showNormal() : showFullScreen(); }});
  add(view, {"view.theme", "Light or dark", "Ctrl+Shift+L", "Switch between the light and the dark theme", [this] {
               Theme::instance().setSetting(Theme::instance().isDark() ? ThemeSetting::Light : ThemeSetting::Dark);
               QSettings().setValue(QStringLiteral("theme"), Theme::instance().isDark() ? QStringLiteral("dark") : QStringLiteral("light"));
             }});
  add(view, {"view.reset", "Reset layout", "Ctrl+Shift+0", "All panels of all pages back in their places", [this] { resetLayout(); }});

  QMenu* selection = menu(tr("Selection"));
  add(selection, {"selection.back", "Back", "Alt+Left", "The selection before", [this] { m_selection.back(); }});
  add(selection, {"selection.forward", "Forward", "Alt+Right", "The selection after", [this] { m_selection.forward(); }});
  selection->addSeparator();
  add(selection, {"selection.step-back", "Previous step", ",", "One training step back", [this] { m_timeline->step(-1); }});
  add(selection, {"selection.step", "Next step", ".", "One training step on", [this] { m_timeline->step(1); }});
  add(selection, {"selection.checkpoint-back", "Previous checkpoint", "<", "The checkpoint before", [this] { m_timeline->checkpoint(-1); }});
  add(selection, {"selection.checkpoint", "Next checkpoint", ">", "The checkpoint after", [this] { m_timeline->checkpoint(1); }});
  selection->addSeparator();
  add(selection, {"selection.token-back", "Previous token", "", "The response token before", [this] { m_inspect->tokens()->step(-1); }, false, "←"});
  add(selection, {"selection.token", "Next token", "", "The response token after", [this] { m_inspect->tokens()->step(1); }, false, "→"});
  add(selection, {"selection.gap", "Next large gap", "", "The next token with a gap of a nat or more", [this] { m_inspect->tokens()->step(1, true); }, false, "Shift+→"});
  add(selection, {"selection.layer-up", "Layer up", "", "The layer before", [this] { m_inspect->stepLayer(-1); }, false, "↑"});
  add(selection, {"selection.layer-down", "Layer down", "", "The layer after", [this] { m_inspect->stepLayer(1); }, false, "↓"});
  add(selection, {"selection.head-back", "Previous head", "[", "The head before", [this] { m_inspect->stepHead(-1); }});
  add(selection, {"selection.head", "Next head", "]", "The head after", [this] { m_inspect->stepHead(1); }});
  add(selection, {"selection.mean", "Mean of heads", "M", "The mean over all heads", [this] { m_selection.setHead(kHeadMean); }});
  add(selection, {"selection.max", "Maximum of heads", "X", "The largest value of any head", [this] { m_selection.setHead(kHeadMax); }});

  QMenu* inspect = menu(tr("Inspect"));
  add(inspect, {"inspect.ask", "Ask", "Ctrl+Return", "Ask the student the question", [this] { setPage(Inspect); m_inspect->ask(); }});
  add(inspect, {"inspect.cancel", "Cancel", "Ctrl+.", "Stop what is computed now; never the run", [this] {
                  m_inspect->cancelLooks();
                  m_session.cancel();
                }});
  add(inspect, {"inspect.student", "Inspect the run's student", "Ctrl+I", "Ask the student of the loaded run as it is now", [this] {
                  if (const RunRecord* own = m_session.ownRun()) {
                    setPage(Inspect);
                    m_inspect->inspectRun(QString::fromStdString(own->status.run));
                  }
                }});
  inspect->addSeparator();
  add(inspect, {"map.single", "One map", "1", "Only the chosen map", compare(0, "single")});
  add(inspect, {"map.swipe", "Swipe", "2", "The chosen map over the one that was shown", compare(1, "swipe")});
  add(inspect, {"map.side", "Side by side", "3", "Both maps beside each other", compare(2, "side")});
  add(inspect, {"map.difference", "Difference A − B", "D", "The shown map minus the other one, signed", map("difference"), true});
  add(inspect, {"map.swap", "Swap A and B", "S", "Exchange the two maps", map("swap")});
  add(inspect, {"map.shown", "Map on", "H", "Show or hide the map over the picture", map("map"), true});
  add(inspect, {"map.fade", "Fade towards uniform", "U", "Patches near uniform let the picture through", map("fade"), true});
  add(inspect, {"map.smooth", "Smooth", "G", "Nearest patch or smooth; the numbers stay those of the patches", map("smooth"), true});
  add(inspect, {"map.log", "Log scale", "L", "Logarithmic colours", map("log"), true});
  add(inspect, {"map.mask", "Mask outliers", "Shift+M", "Leave out patches far above all others", map("mask"), true});
  add(inspect, {"map.grid", "Patch grid", "Shift+G", "Lines between the patches", map("grid"), true});
  inspect->addSeparator();
  add(inspect, {"map.move", "Move tool", "V", "Drag the picture", map("move"), true});
  add(inspect, {"map.box", "Box tool", "B", "Box a region", map("box"), true});
  add(inspect, {"map.brush", "Brush tool", "I", "Paint a region", map("brush"), true});
  add(inspect, {"map.clear", "Delete region", "Del", "Forget the region", [this] { m_inspect->map()->clearRegion(); }});
  add(inspect, {"inspect.what-if", "Run what if", "R", "Change the region and answer again", [this] { m_inspect->runWhatIf(); }});
  add(inspect, {"inspect.causal", "Compute the causal number", "Shift+R", "Erase the top 5 % of the map, and random patches", [this] { m_inspect->computeCausal(); }});
  add(inspect, {"inspect.capture", "Compute the shown site", "C", "Capture the chosen site of this look, after its cost was told", [this] { m_inspect->captureSelected(true); }});
  add(inspect, {"inspect.steps", "Look over all checkpoints", "Shift+C", "Every checkpoint of the selected run reads the shown response", [this] {
                  setPage(Inspect);
                  m_inspect->showTab(QStringLiteral("steps"));
                  m_inspect->lookOverSteps();
                }});
  inspect->addSeparator();
  QMenu* exportMenu = inspect->addMenu(tr("Export or copy view"));
  exportMenu->setToolTipsVisible(true);
  static const QByteArrayList exportNames = [] {
    QByteArrayList names;
    for (const QString& view : exportViewNames()) names << "export." + view.toLatin1() << "Export " + view.toLatin1() + " …";
    return names;
  }();
  // Two strokes: Ctrl+Alt+E, then a letter for each view, in the order of exportViewNames().
  static const QByteArray kExportLetters = "MTDXSLFACGPO";
  Q_ASSERT(kExportLetters.size() == exportViewNames().size());
  for (qsizetype i = 0; i < exportViewNames().size(); ++i)
    add(exportMenu, {exportNames[2 * i].constData(), exportNames[2 * i + 1].constData(), ("Ctrl+Alt+E, " + kExportLetters.mid(i, 1)).constData(), "This view as PNG, SVG, PDF, CSV or NPZ, with its recipe", [this, i] {
                       m_inspect->setExportView(exportViewNames()[i]);
                       exportDialog();
                     }});
  static const std::pair<const char*, double> kScales[] = {{"1", 1.0}, {"2", 2.0}, {"4", 4.0}};
  static const char* const kScaleNames[] = {"export.scale-1", "export.scale-2", "export.scale-4"};
  static const char* const kScaleWords[] = {"PNG at 1 ×", "PNG at 2 ×", "PNG at 4 ×"};
  static const char* const kScaleKeys[] = {"Ctrl+Alt+E, 1", "Ctrl+Alt+E, 2", "Ctrl+Alt+E, 4"};
  for (int i = 0; i < 3; ++i)
    add(exportMenu, {kScaleNames[i], kScaleWords[i], kScaleKeys[i], "Device pixels of an exported PNG for each pixel of the figure", [this, i] { m_inspect->setExportScale(kScales[i].second); }});
  inspect->addSeparator();
  add(inspect, {"map.fit", "Fit", "F", "The whole picture", map("fit")});
  add(inspect, {"map.actual", "Actual size", "0", "One picture pixel a pixel", map("actual")});
  add(inspect, {"map.in", "Zoom in", "+", "Larger", map("zoom-in")});
  add(inspect, {"map.out", "Zoom out", "-", "Smaller", map("zoom-out")});

  QMenu* train = menu(tr("Train"));
  add(train, {"train.new", "New run", "Ctrl+N", "Choose a preset and start a run", [this] {
               setPage(Train);
               trainPage()->newRun();
             }});
  add(train, {"train.demo", "Start the demo run", "Ctrl+Shift+N", "OPD+ViCuR on drawn scenes", [this] { startDemoRun(); }});
  add(train, {"train.pause", "Pause or resume", "Ctrl+P", "Pause the run after this unit, or go on", [this] { toggleRun(); }});
  add(train, {"train.checkpoint", "Checkpoint now", "Ctrl+Shift+S", "Write a checkpoint", [this] { m_session.steer(RunAction::Checkpoint, m_session.steered(m_selection.run())); }});
  add(train, {"train.stop", "Stop and save", "Ctrl+Shift+X", "Write a checkpoint and end the run", [this] { m_session.steer(RunAction::StopAndSave, m_session.steered(m_selection.run())); }});
  add(train, {"train.discard", "Stop without saving", "Ctrl+Alt+X", "End the run; earlier checkpoints stay", [this] { m_session.steer(RunAction::Stop, m_session.steered(m_selection.run())); }});

  QMenu* data = menu(tr("Data"));
  add(data, {"data.demo", "Open the demo's data", "Ctrl+Shift+D", "The held-out drawn scenes", [this] {
               if (const QString path = m_workspace.demoData(QStringLiteral("test")); !path.isEmpty()) openPath(path);
               else m_status->say(tr("The demo's data is not in the resources"));
             }});
  QMenu* windowMenu = menu(tr("Window"));
  add(windowMenu, {"layout.keep", "Keep layout …", "Ctrl+Alt+K", "Give the places of all panels a name, to come back to them", [this] { nameLayout(); }});
  m_layoutMenu = windowMenu->addMenu(tr("Layouts"));
  connect(m_layoutMenu, &QMenu::aboutToShow, this, &MainWindow::fillLayoutMenu);
  fillLayoutMenu();
  for (int i = 0; i < 3; ++i) {
    static const char* const kNames[] = {"layout.1", "layout.2", "layout.3"};
    static const char* const kWords[] = {"First layout", "Second layout", "Third layout"};
    static const char* const kKeys[] = {"Ctrl+Alt+1", "Ctrl+Alt+2", "Ctrl+Alt+3"};
    add(windowMenu, {kNames[i], kWords[i], kKeys[i], "The kept layout at this place of the alphabet", [this, i] {
                       if (i < layouts().size()) useLayout(layouts()[i]);
                       else m_status->say(tr("No layout is kept at this place yet"));
                     }});
  }
  windowMenu->addSeparator();
  const auto& panels = m_inspect->panels();
  for (int i = 0; i < int(panels.size()); ++i) {
    Panel* panel = panels[std::size_t(i)];
    const QByteArray name = "panel." + panel->objectName().toLatin1();
    const QByteArray words = tr("Panel %1").arg(panel->title()).toUtf8(), keys = i < 9 ? "Alt+" + QByteArray::number(i + 1) : QByteArray();
    add(windowMenu, {name.constData(), words.constData(), keys.constData(), "Show or close this panel of Inspect; drag its title onto another to change places", [this, panel] {
                       setPage(Inspect);
                       panel->setVisible(panel->isHidden());
                     }});
  }
  QMenu* help = menu(tr("Help"));
  add(help, {"help.open", "Tutorial and pages", "F1", "The tutorial, one page for each page of the window, file formats, the method", [this] { showHelp({}); }});
  add(help, {"help.page", "About this page", "Ctrl+F1", "The help page of the page that is shown", [this] { showHelp(onStart() ? QStringLiteral("start.md") : QStringList{QStringLiteral("inspect.md"), QStringLiteral("train.md"), QStringLiteral("rollouts.md"), QStringLiteral("data.md"), QStringLiteral("evaluate.md")}[page()]); }});
  help->addSeparator();
  add(help, {"help.keys", "All shortcuts", "?", "Every action with its keys", [this] { showShortcuts(); }});
  add(help, {"help.what", "What is this?", "Shift+F1", "Click a thing to read what it is", [] { QWhatsThis::enterWhatsThisMode(); }});

  auto* search = new QPushButton(icon(Icon::Search), tr("Search actions, settings, runs, samples   Ctrl+K"));
  search->setToolTip(tr("Any action, setting, run or sample (Ctrl+K)"));
  search->setFocusPolicy(Qt::TabFocus);
  search->setFont(uiFont(11));
  search->setFixedHeight(22);
  connect(search, &QPushButton::clicked, this, &MainWindow::showPalette);
  menuBar()->setCornerWidget(search, Qt::TopRightCorner);
}

void MainWindow::refreshActions() {
  if (m_actions.isEmpty()) return;
  const auto run = [this](const char* name, RunAction action) {
    const QString refusal = m_session.refusal(action, action == RunAction::InspectStudent ? QString() : m_session.steered(m_selection.run()));
    m_actions[name]->setEnabled(refusal.isEmpty());
    m_actions[name]->setToolTip(refusal.isEmpty() ? m_actions[name]->statusTip() : refusal);
  };
  run("train.demo", RunAction::Start);
  run("train.checkpoint", RunAction::Checkpoint);
  run("train.stop", RunAction::StopAndSave);
  run("train.discard", RunAction::Stop);
  run("inspect.student", RunAction::InspectStudent);
  run("train.pause", m_session.refusal(RunAction::Resume, m_session.steered(m_selection.run())).isEmpty() ? RunAction::Resume : RunAction::Pause);
  const bool shown = m_inspect->inspection() != nullptr;
  for (const char* name : {"file.save", "edit.copy"}) {
    const bool saves = qstrcmp(name, "file.save") == 0 && page() == Data && !onStart();  // the edits of cues
    m_actions[name]->setEnabled(shown || saves);
    m_actions[name]->setToolTip(shown ? m_actions[name]->statusTip() : tr("Ask a question first; there is nothing to keep yet."));
  }
  m_actions["selection.back"]->setEnabled(m_selection.canGoBack());
  m_actions["selection.forward"]->setEnabled(m_selection.canGoForward());
  for (const char* name : {"map", "fade", "smooth", "log", "mask", "grid", "difference", "move", "box", "brush"}) {
    const QString key = qstrcmp(name, "map") == 0 ? QStringLiteral("map.shown") : QStringLiteral("map.") + QLatin1String(name);
    m_actions[key]->setChecked(m_inspect->map()->isOn(QString::fromLatin1(name)));
  }
}

// The shown page's stack: a page that owns one takes part, whenever it made it.
void MainWindow::refreshUndo() {
  if (m_actions.isEmpty()) return;
  auto* shown = m_stack->currentWidget();
  QUndoStack* stack = shown ? shown->findChild<QUndoStack*>() : nullptr;
  if (stack && !m_undo->stacks().contains(stack)) m_undo->addStack(stack);
  m_undo->setActiveStack(stack);
  const auto refresh = [this](const char* name, bool possible, const QString& verb, const QString& words, const QString& none) {
    QAction* action = m_actions[name];
    action->setEnabled(possible);
    action->setText(possible && !words.isEmpty() ? tr("%1: %2").arg(verb, words) : verb);
    action->setToolTip(possible ? action->statusTip() : none);
  };
  refresh("edit.undo", m_undo->canUndo(), tr("Undo"), m_undo->undoText(), tr("There is no edit on this page to take back."));
  refresh("edit.redo", m_undo->canRedo(), tr("Redo"), m_undo->redoText(), tr("No edit was taken back on this page."));
}

QString MainWindow::keysText(const QAction* action) {
  const QString keys = action->shortcut().toString(QKeySequence::NativeText);
  return keys.isEmpty() ? action->property("shownKeys").toString() : keys;
}

QString MainWindow::plainText(const QAction* action) {
  return action->text().section(u'\t', 0, 0).remove(u'&');
}

QKeySequence MainWindow::defaultKeys(const QString& name) const {
  const QAction* action = m_actions.value(name);
  return action ? QKeySequence(action->property("defaultKeys").toString()) : QKeySequence();
}

QString MainWindow::setKeys(const QString& name, const QKeySequence& keys) {
  QAction* action = m_actions.value(name);
  if (!action) return tr("There is no action «%1».").arg(name);
  for (const QString& other : std::as_const(m_actionOrder))
    if (other != name && !keys.isEmpty() && m_actions[other]->shortcut() == keys)
      return tr("%1 belongs to «%2». Give that action other keys first.").arg(keys.toString(QKeySequence::NativeText), plainText(m_actions[other]));
  static const QList<QKeySequence> kTaken = {Qt::Key_Left, Qt::Key_Right, Qt::Key_Up, Qt::Key_Down, Qt::Key_Tab, Qt::Key_Escape, Qt::Key_Return, Qt::Key_Space};
  if (kTaken.contains(keys)) return tr("%1 moves and confirms everywhere; it cannot belong to an action.").arg(keys.toString(QKeySequence::NativeText));
  action->setShortcut(keys);
  QSettings settings;
  if (keys == defaultKeys(name)) settings.remove(QStringLiteral("keys/") + name);
  else settings.setValue(QStringLiteral("keys/") + name, keys.toString());
  return {};
}

void MainWindow::toggleRun() {
  const QString run = m_session.steered(m_selection.run());
  m_session.steer(m_session.refusal(RunAction::Resume, run).isEmpty() ? RunAction::Resume : RunAction::Pause, run);
}

// Arrow keys reach the window only when the widget with the focus has no use for them.
void MainWindow::keyPressEvent(QKeyEvent* event) {
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  if (page() == Inspect && !onStart()) {
    switch (event->key()) {
      case Qt::Key_Left: return m_inspect->tokens()->step(-1, shift);
      case Qt::Key_Right: return m_inspect->tokens()->step(1, shift);
      case Qt::Key_Up: return m_inspect->stepLayer(-1);
      case Qt::Key_Down: return m_inspect->stepLayer(1);
      case Qt::Key_Escape: return m_inspect->map()->command(QStringLiteral("single"));
      default: break;
    }
  }
  QMainWindow::keyPressEvent(event);
}

ExportChoice MainWindow::exportChoice() const {
  return m_inspect->exportChoice();
}

bool MainWindow::exportView(const QString& file) {
  try {
    if (exportPage(file)) {
      m_status->say(tr("Written: %1").arg(file));
      return true;
    }
    const InspectionPtr& shown = m_inspect->inspection();
    if (!shown) throw Error("There is nothing to export yet", "Inspect", "no answer has arrived", "Ask a question first.");
    const InspectionPtr& beside = m_inspect->besideInspection();
    const ExportChoice choice = exportChoice();
    exportTo(file, *shown, m_inspect->shownRequest(), choice, beside.get());
    if (choice.besideCapture && beside && !file.endsWith(QStringLiteral(".capture"))) {  // the recipe needs both looks
      InspectRequest other = m_inspect->shownRequest();
      other.student = beside->student.folder;
      writeCapture((file + QStringLiteral(".beside.capture")).toStdString(), *beside, captureInfo(*beside, other));
    }
    if (file.endsWith(QStringLiteral(".capture"))) m_workspace.addCapture(file);
    m_status->say(tr("Written: %1").arg(file));
    return true;
  } catch (...) {
    setPage(Inspect);
    m_inspect->showFailure(currentFailure("exporting"));
    return false;
  }
}

void MainWindow::exportDialog() {
  auto* dialog = new QFileDialog(this, tr("Export: %1").arg(m_inspect->exportView()));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters({tr("PNG picture (*.png)"), tr("SVG drawing (*.svg)"), tr("PDF (*.pdf)"), tr("Numbers as CSV (*.csv)"), tr("Numbers as NPZ (*.npz)"), tr("Capture (*.capture)")});
  dialog->setDefaultSuffix(QStringLiteral("png"));
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) { dialog->setDefaultSuffix(filter.section(QStringLiteral("*."), 1).chopped(1)); });
  connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::exportView);
  dialog->open();
}

// The run where a run is what the page is about, else the shown inspection.
bool MainWindow::exportReport(const QString& file) {
  try {
    const RunRecord* run = page() == Inspect || page() == Data || onStart() ? nullptr : m_session.run(m_selection.run());
    const bool dark = Theme::instance().isDark() && !file.endsWith(QStringLiteral(".pdf"), Qt::CaseInsensitive);
    if (run) writeReport(file, runReport(*run, dark));
    else if (m_inspect->inspection()) writeReport(file, inspectionReport(*m_inspect->inspection(), m_inspect->map()->causalText(), dark));
    else throw Error("There is nothing to report yet", "", "no run is chosen and no answer has arrived", "Ask a question or choose a run first.");
    m_status->say(tr("Written: %1").arg(file));
    return true;
  } catch (...) {
    m_notice->say(QString::fromStdString(currentFailure("the report").text()));
    return false;
  }
}

void MainWindow::reportDialog() {
  auto* dialog = new QFileDialog(this, tr("Export report"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters({tr("HTML page (*.html)"), tr("PDF (*.pdf)")});
  dialog->setDefaultSuffix(QStringLiteral("html"));
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) { dialog->setDefaultSuffix(filter.section(QStringLiteral("*."), 1).chopped(1)); });
  connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::exportReport);
  dialog->open();
}

void MainWindow::showHelp(const QString& page) {
  if (!m_help) {
    m_help = new HelpWindow(this);
    m_help->setAttribute(Qt::WA_QuitOnClose, false);
  }
  if (!page.isEmpty()) m_help->open(page);
  m_help->show();
  m_help->raise();
  m_help->activateWindow();
}

void MainWindow::copyView() {
  const InspectionPtr& shown = m_inspect->inspection();
  if (!shown) return;
  try {
    auto* data = new QMimeData;
    const ExportChoice choice = exportChoice();
    data->setImageData(QImage::fromData(figureBytes(figureOf(*shown, choice, m_inspect->besideInspection().get()), QStringLiteral("png"), choice.scale)));
    data->setText(QString::fromUtf8(csvOf(*shown, choice)));
    QApplication::clipboard()->setMimeData(data);
    m_status->say(tr("Picture and values are on the clipboard"));
  } catch (...) {
    m_inspect->showFailure(currentFailure("copying"));
  }
}

void MainWindow::showPalette() {
  std::vector<PaletteEntry> entries;
  for (const QString& name : m_actionOrder) {
    QAction* action = m_actions[name];
    entries.push_back({plainText(action), action->statusTip(), keysText(action), [action] { action->trigger(); },
                       action->isEnabled() ? QString() : action->toolTip()});
  }
  for (const QString& layout : layouts()) entries.push_back({layout, tr("layout"), {}, [this, layout] { useLayout(layout); }, {}});
  for (const QString& run : m_session.runs())
    entries.push_back({run, tr("run"), {}, [this, run] {
                         m_selection.setRun(run);
                         setPage(Train);
                       }, {}});
  for (const SceneExample& scene : m_start->scenes())
    entries.push_back({scene.question, tr("demo scene %1").arg(scene.id), {}, [this, scene] {
                         setPage(Inspect);
                         m_inspect->ask(scene.request(m_workspace));
                       }, {}});
  for (const WorkspaceEntry& model : m_workspace.models())
    entries.push_back({model.name, tr("model"), {}, [this, path = model.path] { openPath(path); }, {}});
  m_palette->open(std::move(entries), tr("Search actions, settings, runs, samples"));
}

void MainWindow::showShortcuts() {
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("All shortcuts"));
  dialog->resize(620, 640);
  auto* column = new QVBoxLayout(dialog);
  auto* table = new QTableWidget(int(m_actionOrder.size()), 3, dialog);
  table->setHorizontalHeaderLabels({tr("Action"), tr("Keys"), tr("What it does")});
  table->verticalHeader()->hide();
  table->verticalHeader()->setDefaultSectionSize(22);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setShowGrid(false);
  table->horizontalHeader()->setStretchLastSection(true);
  for (int i = 0; i < m_actionOrder.size(); ++i) {
    const QAction* action = m_actions[m_actionOrder[i]];
    table->setItem(i, 0, new QTableWidgetItem(plainText(action)));
    auto* keys = new QTableWidgetItem(keysText(action));
    keys->setFont(monoFont(11));
    table->setItem(i, 1, keys);
    table->setItem(i, 2, new QTableWidgetItem(action->statusTip()));
  }
  table->resizeColumnToContents(0);
  column->addWidget(table);
  dialog->show();
}

void MainWindow::showSettings() {
  (new SettingsDialog(*this))->show();
}

}  // namespace cuescope
