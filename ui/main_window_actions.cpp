// The actions of the window, in their menus; those of single pages are in main_window_page_actions.cpp.
#include <QAction>
#include <QDialog>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QPushButton>
#include <QStackedWidget>
#include <QUndoGroup>
#include <QWhatsThis>

#include "ui/acts_as.h"
#include "ui/command_palette.h"
#include "ui/data_page.h"
#include "ui/help_window.h"
#include "ui/inspect_page.h"
#include "ui/layouts.h"
#include "ui/main_window.h"
#include "ui/navigator.h"
#include "ui/page_view.h"
#include "ui/panel_mover.h"
#include "ui/preferences.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/train_page.h"
#include "widgets/elided_label.h"
#include "widgets/key_hint.h"
#include "ui/settings_dialog.h"
#include "ui/start_page.h"
#include "ui/status_strip.h"
#include "ui/timeline_bar.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {

void MainWindow::buildActions() {
  const auto menu = [this](const QString& title) {
    QMenu* m = menuBar()->addMenu(title);
    m->setToolTipsVisible(true);
    connect(m, &QMenu::aboutToShow, this, &MainWindow::refreshActions);
    return m;
  };
  const auto map = [this](const char* command) { return [this, command] { m_inspect->map()->command(QString::fromLatin1(command)); refreshActions(); }; };
  const auto isOn = [this](const char* name) { return [this, name] { return m_inspect->map()->isOn(QString::fromLatin1(name)); }; };
  const auto refusal = [this](RunAction action) {
    return [this, action] { return m_session.refusal(action, action == RunAction::InspectStudent ? QString() : m_session.steered(m_selection.run())); };
  };
  const auto compare = [this](int card, const char* command) {
    return [this, card, command] {
      if (onStart()) m_start->openCard(card);
      else m_inspect->map()->command(QString::fromLatin1(command));
    };
  };

  const auto nothing = [this] { return page() != Inspect || m_inspect->inspection() ? QString() : tr("Ask a question first; there is nothing to keep yet."); };

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
  add(file, {"file.recent", "Open recent …", "Ctrl+Alt+O", "Anything that was opened lately", [this] { showRecent(); }}).unless([this] { return m_workspace.recent().isEmpty() ? tr("Nothing was opened yet.") : QString(); });
  add(file, {"file.session", "Reopen the last session", "Ctrl+Shift+T", "The question, answer, selection, form and layout of the window before this one", [] {}}).unless([this] { return m_earlierSession ? QString() : tr("No earlier session is kept."); });
  add(file, {"file.start", "Start page", "Ctrl+Home", "The demo, this computer and recent things", [this] { showStart(); }});
  file->addSeparator();
  add(file, {"file.save", "Save", "Ctrl+S", "On Data the edits of cues, beside the data; on Inspect this look as one file that opens again without the model", [this] { save(); }})
      .at(on(Inspect) | on(Data))
      .named([this] { return page() == Data ? tr("Save edits") : tr("Save capture …"); })
      .unless([this] { return page() == Data || m_inspect->inspection() ? QString() : tr("Ask a question first; there is nothing to keep yet."); });
  add(file, {"file.export", "Export view …", "Ctrl+E", "The view worked in last as PNG, SVG, PDF, CSV or NPZ, with its recipe", [this] { exportDialog(); }}).at(kPages).unless(nothing);
  addExports(file->addMenu(tr("Export")));
  file->addSeparator();
  add(file, {"file.report", "Export report …", "Ctrl+Shift+E", "The run (on Train, Rollouts, Evaluate) or the inspection as one page with its figures, HTML or PDF", [this] { reportDialog(); }});
  file->addSeparator();
  add(file, {"file.settings", "Settings …", "Ctrl+,", "What the window and its engine do, and the keys of every action", [this] { showSettings(); }});
  add(file, {"file.quit", "Quit", "Ctrl+Q", "Close the window; a run is saved first", [this] { close(); }});

  QMenu* edit = menu(tr("Edit"));
  add(edit, {"edit.undo", "Undo", "Ctrl+Z", "Take back the last edit on this page", [this] { m_undo->undo(); }}).unless([this] { return m_undo->canUndo() ? QString() : tr("There is no edit on this page to take back."); })
      .named([this] { return m_undo->undoText().isEmpty() ? tr("Undo") : tr("Undo: %1").arg(m_undo->undoText()); });
  add(edit, {"edit.redo", "Redo", "Ctrl+Shift+Z", "Do the edit again that was taken back", [this] { m_undo->redo(); }}).unless([this] { return m_undo->canRedo() ? QString() : tr("No edit was taken back on this page."); })
      .named([this] { return m_undo->redoText().isEmpty() ? tr("Redo") : tr("Redo: %1").arg(m_undo->redoText()); });
  edit->addSeparator();
  add(edit, {"edit.copy", "Copy", "Ctrl+C", "The view worked in last as a picture with its values; of a table the chosen rows", [this] { copyView(); }}).at(kPages).unless(nothing);
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
  add(view, {"view.navigator", "Navigator", "F9", "The navigator with its trees, or folded to a rail of icons", [this] { setRail(!m_navigator->isRail()); }, true}).checkedBy([this] { return !m_navigator->isRail(); });
  add(view, {"view.full", "Full screen", "F11", "The window alone on the screen", [this] { isFullScreen() ? showNormal() : showFullScreen(); }});
  add(view, {"view.theme", "Light or dark", "Ctrl+Shift+L", "Switch between the light and the dark theme", [this] {
               const auto set = [](const QVariant& theme) { Preferences::instance().set(QLatin1String(preference::kTheme), theme); };
               const QVariant before = Preferences::instance().value(preference::kTheme), next = Theme::instance().isDark() ? QStringLiteral("light") : QStringLiteral("dark");
               pushSetting(tr("Theme"), [set, next] { set(next); }, [set, before] { set(before); });
             }});
  add(view, {"view.reset", "Reset layout", "Ctrl+Shift+0", "All panels of all pages back in their places", [this] { pushSetting(tr("Reset layout"), [this] { resetLayout(); }, [this, before = layoutState()] { restoreLayoutState(before); }); }});

  QMenu* selection = menu(tr("Selection"));
  add(selection, {"selection.back", "Back", "Alt+Left", "The selection before", [this] { m_selection.back(); }}).unless([this] { return m_selection.canGoBack() ? QString() : tr("There is no selection before this one."); });
  add(selection, {"selection.forward", "Forward", "Alt+Right", "The selection after", [this] { m_selection.forward(); }}).unless([this] { return m_selection.canGoForward() ? QString() : tr("There is no selection after this one."); });
  selection->addSeparator();
  add(selection, {"selection.step-back", "Previous step", ",", "One training step back", [this] { m_timeline->step(-1); }});
  add(selection, {"selection.step", "Next step", ".", "One training step on", [this] { m_timeline->step(1); }});
  add(selection, {"selection.checkpoint-back", "Previous checkpoint", "<", "The checkpoint before", [this] { m_timeline->checkpoint(-1); }});
  add(selection, {"selection.checkpoint", "Next checkpoint", ">", "The checkpoint after", [this] { m_timeline->checkpoint(1); }});
  selection->addSeparator();
  const Places sets = on(Inspect) | on(Rollouts) | on(Data) | on(Evaluate);
  add(selection, {"selection.sample-back", "Previous sample", "P", "The sample before in the page's list; on Inspect it is asked", [this] { stepSample(-1); }}).at(sets).unless([this] { return stepSampleRefusal(-1); });
  add(selection, {"selection.sample", "Next sample", "N", "The sample after in the page's list; on Inspect it is asked", [this] { stepSample(1); }}).at(sets).unless([this] { return stepSampleRefusal(1); });
  selection->addSeparator();
  add(selection, {"selection.token-back", "Previous token", "", "The response token before", [this] { m_inspect->tokens()->step(-1); }, false, "←"}).at(on(Inspect));
  add(selection, {"selection.token", "Next token", "", "The response token after", [this] { m_inspect->tokens()->step(1); }, false, "→"}).at(on(Inspect));
  add(selection, {"selection.gap", "Next large gap", "", "The next token with a gap of a nat or more", [this] { m_inspect->tokens()->step(1, true); }, false, "Shift+→"}).at(on(Inspect));
  add(selection, {"selection.gap-back", "Previous large gap", "", "The token before with a gap of a nat or more", [this] { m_inspect->tokens()->step(-1, true); }, false, "Shift+←"}).at(on(Inspect));
  add(selection, {"selection.layer-up", "Layer up", "", "The layer before", [this] { m_inspect->stepLayer(-1); }, false, "↑"}).at(on(Inspect));
  add(selection, {"selection.layer-down", "Layer down", "", "The layer after", [this] { m_inspect->stepLayer(1); }, false, "↓"}).at(on(Inspect));
  add(selection, {"selection.head-back", "Previous head", "[", "The head before", [this] { m_inspect->stepHead(-1); }}).at(on(Inspect));
  add(selection, {"selection.head", "Next head", "]", "The head after", [this] { m_inspect->stepHead(1); }}).at(on(Inspect));
  add(selection, {"selection.mean", "Mean of heads", "M", "The mean over all heads", [this] { m_selection.setHead(kHeadMean); }}).at(on(Inspect));
  add(selection, {"selection.max", "Maximum of heads", "X", "The largest value of any head", [this] { m_selection.setHead(kHeadMax); }}).at(on(Inspect));

  QMenu* inspect = menu(tr("Inspect"));
  add(inspect, {"inspect.ask", "Ask", "Ctrl+Return", "Ask the student the question", [this] { m_inspect->ask(); }}).at(on(Inspect));
  add(inspect, {"inspect.cancel", "Cancel", "Ctrl+.", "Stop what the status bar names: an answer, a model that opens, a look, lint, an evaluation; never the run", [this] { m_session.cancelCurrent(); }});
  add(inspect, {"inspect.student", "Inspect the run's student", "Ctrl+I", "Ask the student of the loaded run as it is now", [this] {
                  if (const RunRecord* own = m_session.ownRun()) {
                    setPage(Inspect);
                    m_inspect->inspectRun(QString::fromStdString(own->status.run));
                  }
                }}).unless(refusal(RunAction::InspectStudent));
  addControl(inspect, on(Inspect), "inspect.student-model", "Student", "Ctrl+J, S", "The model that answers");
  addControl(inspect, on(Inspect), "inspect.teacher-model", "Teacher", "Ctrl+J, T", "The model whose distributions stand beside the student's");
  addControl(inspect, on(Inspect), "inspect.beside", "Student beside", "Ctrl+J, B", "Another student that reads the same response");
  addControl(inspect, on(Inspect), "inspect.add-picture", "Add a picture", "Ctrl+J, A", "One more picture or video of the same question");
  addControl(inspect, on(Inspect), "inspect.capture-settings", "Layers, tokens and memory", "Ctrl+J, C", "Which layers and tokens are captured, and the memory they may take");
  inspect->addSeparator();
  add(inspect, {"map.single", "One map", "1", "Only the chosen map", compare(0, "single")}).at(on(Inspect) | kStartPage);
  add(inspect, {"map.swipe", "Swipe", "2", "The chosen map over the one that was shown", compare(1, "swipe")}).at(on(Inspect) | kStartPage);
  add(inspect, {"map.side", "Side by side", "3", "Both maps beside each other", compare(2, "side")}).at(on(Inspect) | kStartPage);
  add(inspect, {"map.difference", "Difference A − B", "D", "The shown map minus the other one, signed", map("difference"), true}).at(on(Inspect)).checkedBy(isOn("difference"));
  add(inspect, {"map.swap", "Swap A and B", "S", "Exchange the two maps", map("swap")}).at(on(Inspect));
  add(inspect, {"map.shown", "Map on", "H", "Show or hide the map over the picture", map("map"), true}).at(on(Inspect)).checkedBy(isOn("map"));
  add(inspect, {"map.fade", "Fade towards uniform", "U", "Patches near uniform let the picture through", map("fade"), true}).at(on(Inspect)).checkedBy(isOn("fade"));
  add(inspect, {"map.smooth", "Smooth", "G", "Nearest patch or smooth; the numbers stay those of the patches", map("smooth"), true}).at(on(Inspect)).checkedBy(isOn("smooth"));
  add(inspect, {"map.log", "Log scale", "L", "Logarithmic colours", map("log"), true}).at(on(Inspect)).checkedBy(isOn("log"));
  add(inspect, {"map.mask", "Mask outliers", "Shift+M", "Leave out patches far above all others", map("mask"), true}).at(on(Inspect)).checkedBy(isOn("mask"));
  add(inspect, {"map.grid", "Patch grid", "Shift+G", "Lines between the patches", map("grid"), true}).at(on(Inspect)).checkedBy(isOn("grid"));
  inspect->addSeparator();
  add(inspect, {"map.move", "Move tool", "V", "Drag the picture", map("move"), true}).at(on(Inspect)).checkedBy(isOn("move"));
  add(inspect, {"map.box", "Box tool", "B", "Box a region", map("box"), true}).at(on(Inspect)).checkedBy(isOn("box"));
  add(inspect, {"map.brush", "Brush tool", "I", "Paint a region", map("brush"), true}).at(on(Inspect)).checkedBy(isOn("brush"));
  add(inspect, {"map.clear", "Delete region", "Del", "Forget the region", [this] { m_inspect->forgetRegion(); }}).at(on(Inspect));
  add(inspect, {"inspect.what-if", "Run what if", "R", "Change the region and answer again", [this] { m_inspect->runWhatIf(); }}).at(on(Inspect));
  add(inspect, {"inspect.causal", "Compute the causal number", "Shift+R", "Erase the top 5 % of the map, and random patches", [this] { m_inspect->computeCausal(); }}).at(on(Inspect));
  add(inspect, {"inspect.capture", "Compute the shown site", "C", "Capture the chosen site of this look, after its cost was told", [this] { m_inspect->captureSelected(true); }}).at(on(Inspect));
  add(inspect, {"inspect.steps", "Look over all checkpoints", "Shift+C", "Every checkpoint of the selected run reads the shown response", [this] {
                  setPage(Inspect);
                  m_inspect->showTab(QStringLiteral("steps"));
                  m_inspect->lookOverSteps();
                }}).at(on(Inspect));
  inspect->addSeparator();
  addControl(inspect, on(Inspect), "map.site", "Site of the map", "Ctrl+J, I", "Where in the model the map comes from");
  addControl(inspect, on(Inspect), "map.layer", "Layer of the map", "Ctrl+J, L", "Choose it from the list");
  addControl(inspect, on(Inspect), "map.head", "Head of the map", "Ctrl+J, H", "Choose it from the list");
  addControl(inspect, on(Inspect), "map.image", "Picture of the map", "Ctrl+J, P", "Which picture of the prompt");
  addControl(inspect, on(Inspect), "map.colours", "Colour map", "Ctrl+J, M", "Colours of magnitudes");
  addControl(inspect, on(Inspect), "map.opacity", "Opacity of the map", "Ctrl+J, O", "Go to it; the arrow keys change it");
  addControl(inspect, on(Inspect), "map.view", "How the map is drawn", "Ctrl+J, V", "Range, log, smooth, outliers, grid");
  addControl(inspect, on(Inspect), "tokens.colour", "Colour of the tokens", "Ctrl+J, K", "The value that colours the response");
  addControl(inspect, on(Inspect), "distributions.top", "Tokens of the distributions", "Ctrl+J, N", "How many of the likeliest are shown");
  addControl(inspect, on(Inspect), "lens.colour", "Colour of the logit lens", "Ctrl+J, E", "Probability of the token that comes, or entropy");
  addControl(inspect, on(Inspect), "lens.compute", "Compute the logit lens", "Ctrl+J, Q", "Reads every layer's state with the language head");
  addControl(inspect, on(Inspect), "what-if.change", "Next change of the region", "Ctrl+J, W", "Erase, blur, average or keep only");
  addControl(inspect, on(Inspect), "what-if.module", "What if: module", "Ctrl+J, D", "As it is, off, scaled, one layer alone");
  addControl(inspect, on(Inspect), "what-if.cue", "What if: cue", "Ctrl+J, U", "As given, wrong, none, as typed");
  addControl(inspect, on(Inspect), "what-if.knock-out", "What if: knock out", "Ctrl+J, X", "Silence a part of the decoder");
  addControl(inspect, on(Inspect), "what-if.clear", "Clear what if", "Ctrl+J, Z", "Forget the region and all changes");
  inspect->addSeparator();
  add(inspect, {"map.fit", "Fit", "F", "The whole picture", map("fit")}).at(on(Inspect));
  add(inspect, {"map.actual", "Actual size", "0", "One picture pixel a pixel", map("actual")}).at(on(Inspect));
  add(inspect, {"map.in", "Zoom in", "+", "Larger", map("zoom-in")}).at(on(Inspect));
  add(inspect, {"map.out", "Zoom out", "-", "Smaller", map("zoom-out")}).at(on(Inspect));

  QMenu* train = menu(tr("Train"));
  add(train, {"train.new", "New run", "Ctrl+N", "Choose a preset and start a run", [this] {
               setPage(Train);
               trainPage()->newRun();
             }});
  add(train, {"train.demo", "Start the demo run", "Ctrl+Shift+N", "OPD+ViCuR on drawn scenes", [this] { startDemoRun(); }}).unless(refusal(RunAction::Start));
  add(train, {"train.pause", "Pause or resume", "Ctrl+P", "Pause the run after this unit, or go on", [this] { toggleRun(); }}).unless([this] {
        if (place() == on(Train)) return m_train->toggleRefusal();
        const QString run = m_session.steered(m_selection.run()), resume = m_session.refusal(RunAction::Resume, run);
        return resume.isEmpty() ? resume : m_session.refusal(RunAction::Pause, run);
      });
  add(train, {"train.checkpoint", "Checkpoint now", "Ctrl+Shift+S", "Write a checkpoint", [this] { m_session.steer(RunAction::Checkpoint, m_session.steered(m_selection.run())); }}).unless(refusal(RunAction::Checkpoint));
  add(train, {"train.stop", "Stop and save", "Ctrl+Shift+X", "Write a checkpoint and end the run", [this] { m_session.steer(RunAction::StopAndSave, m_session.steered(m_selection.run())); }}).unless(refusal(RunAction::StopAndSave));
  add(train, {"train.discard", "Stop without saving", "Ctrl+Alt+X", "End the run; earlier checkpoints stay", [this] { m_session.steer(RunAction::Stop, m_session.steered(m_selection.run())); }}).unless(refusal(RunAction::Stop));

  QMenu* rollouts = menu(tr("Rollouts"));
  QMenu* data = menu(tr("Data"));
  add(data, {"data.demo", "Open the demo's data", "Ctrl+Shift+D", "The held-out drawn scenes", [this] {
               if (const QString path = m_workspace.demoData(QStringLiteral("test")); !path.isEmpty()) openPath(path);
               else m_status->say(tr("The demo's data is not in the resources"));
             }});
  buildPageActions(selection, train, rollouts, data, menu(tr("Evaluate")));
  QMenu* windowMenu = m_windowMenu = menu(tr("Window"));
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
  add(windowMenu, {"panel.move", "Move panel …", "Ctrl+Alt+P", "Put the panel that has the focus beside another, behind its tabs, or into a window of its own; as dragging its title does", [this] { choosePanelMove(PanelMover::focusedPanel()); }}).at(kPages);
  windowMenu->addSeparator();
  addPanels(Inspect, m_inspect);
  addPanels(Data, m_data);
  QMenu* help = menu(tr("Help"));
  add(help, {"help.open", "Tutorial and pages", "F1", "The tutorial, one page for each page of the window, file formats, the method", [this] { showHelp({}); }});
  add(help, {"help.page", "About this page", "Ctrl+F1", "The help page of the page that is shown", [this] { showHelp(onStart() ? QStringLiteral("start.md") : QStringList{QStringLiteral("inspect.md"), QStringLiteral("train.md"), QStringLiteral("rollouts.md"), QStringLiteral("data.md"), QStringLiteral("evaluate.md")}[page()]); }});
  help->addSeparator();
  add(help, {"help.keys", "All shortcuts", "?", "Every action with its keys", [this] { showShortcuts(); }});
  add(help, {"help.what", "What is this?", "Shift+F1", "Click a thing to read what it is", [] { QWhatsThis::enterWhatsThisMode(); }});

  // A box like a field, in the middle of the menu's height; its words elide where the window is narrow.
  auto* search = new QPushButton;
  search->setToolTip(tr("Any action, setting, run or sample (Ctrl+K)"));
  search->setAccessibleName(tr("Search actions, settings, runs, samples"));
  search->setFocusPolicy(Qt::TabFocus);
  search->setFixedHeight(22);
  actsAs(search, "edit.find");
  auto* inside = new QHBoxLayout(search);
  inside->setContentsMargins(9, 0, 4, 0);
  inside->setSpacing(6);
  auto* glass = new QLabel;
  glass->setPixmap(icon(Icon::Search).pixmap(14, 14));
  auto* words = new ElidedLabel(tr("Search actions, settings, runs, samples"));
  words->setPixelSize(11);
  words->setTone(ElidedLabel::Tone::Text2);
  words->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  auto* hint = new KeyHint(QStringLiteral("Ctrl+K"));
  for (QWidget* part : {static_cast<QWidget*>(words), static_cast<QWidget*>(hint)}) part->setObjectName(QStringLiteral("words"));
  for (QWidget* part : {static_cast<QWidget*>(glass), static_cast<QWidget*>(words), static_cast<QWidget*>(hint)}) part->setAttribute(Qt::WA_TransparentForMouseEvents);
  inside->addWidget(glass);
  inside->addWidget(words, 1);
  inside->addWidget(hint);
  connect(search, &QPushButton::clicked, this, &MainWindow::showPalette);
  auto* corner = new QWidget;
  auto* around = new QHBoxLayout(corner);
  around->setContentsMargins(0, 2, 6, 2);
  around->addWidget(search);
  m_search = search;
  m_search->setFixedWidth(300);
  menuBar()->setCornerWidget(corner, Qt::TopRightCorner);
}

// Where a panel could go, in the palette; without a panel it asks for one first.
void MainWindow::choosePanelMove(Panel* panel) {
  std::vector<PaletteEntry> entries;
  const QWidget* shown = pageWidget(m_stack->currentIndex());
  if (!panel || panel->page() != shown) {
    if (isMarkedPage(shown))
      for (Panel* each : panelsOf(shown))
        if (!each->isClosed()) entries.push_back({tr("Move %1 …").arg(each->titles().value(0)), {}, {}, [this, each] { choosePanelMove(each); }, {}});
    if (entries.empty()) entries.push_back({tr("This page has no panels to move"), {}, {}, {}, tr("Inspect, Train, Rollouts, Data and Evaluate have them.")});
    return m_palette->open(std::move(entries), tr("Which panel?"));
  }
  const QString name = panel->titles().value(0);
  for (const PanelMover::Move& move : PanelMover::movesOf(panel))
    entries.push_back({tr("%1: %2").arg(name, move.words), {}, {}, [this, run = move.run, name, words = move.words] {
                         if (run()) m_status->say(tr("%1: %2").arg(name, words));
                       }, {}});
  m_palette->open(std::move(entries), tr("Move %1").arg(name));
}

// Every view of every page by two strokes: Ctrl+Alt+E, then a letter.
void MainWindow::addExports(QMenu* menu) {
  menu->setToolTipsVisible(true);
  const struct {
    Page page;
    const char *view, *words, *letter;
  } kViews[] = {{Inspect, "map", "map", "M"},           {Inspect, "tokens", "tokens", "T"},         {Inspect, "distributions", "distributions", "D"}, {Inspect, "matrix", "matrix", "X"},
                {Inspect, "shares", "shares", "S"},     {Inspect, "lens", "logit lens", "L"},       {Inspect, "frames", "frames", "F"},               {Inspect, "alignment", "alignment", "A"},
                {Inspect, "cue-score", "cue score", "C"}, {Inspect, "change", "before and after", "G"}, {Inspect, "steps", "steps", "P"},               {Inspect, "model", "model", "O"},
                {Train, "curves", "curves", "C"},       {Train, "probes", "probe images", "P"},     {Train, "phases", "phases", "T"},                 {Train, "health", "health", "H"},
                {Train, "checkpoints", "checkpoints", "K"}, {Train, "parameters", "parameters", "A"}, {Train, "yaml", "YAML", "Y"},                   {Train, "difference", "difference", "D"},
                {Rollouts, "list", "list", "L"},        {Rollouts, "histogram", "histogram", "H"},  {Rollouts, "response", "response", "R"},          {Rollouts, "token", "token", "T"},
                {Rollouts, "same", "same prompt", "S"}, {Data, "rows", "rows", "L"},                {Data, "row", "row", "R"},                        {Data, "prompts", "prompts", "P"},
                {Data, "checks", "checks of the row", "C"}, {Data, "lint", "lint of the set", "S"}, {Evaluate, "board", "board", "B"},                {Evaluate, "samples", "samples", "S"},
                {Evaluate, "totals", "totals", "T"},    {Evaluate, "sample", "sample", "E"}};
  for (const auto& each : kViews) {
    static const char* const kPageNames[] = {"inspect", "train", "rollouts", "data", "evaluate"};
    const QByteArray page = kPageNames[each.page], name = "export." + page + "-" + each.view, words = tr("Export %1 …").arg(tr(each.words)).toUtf8(), keys = "Ctrl+Alt+E, " + QByteArray(each.letter);
    add(menu, {name.constData(), words.constData(), keys.constData(), "This view as PNG, SVG, PDF, CSV or NPZ, with its recipe", [this, view = QString::fromLatin1(each.view)] {
                 if (ViewSource* source = viewSource()) source->setCurrentView(view);
                 else m_inspect->setExportView(view);
                 exportDialog();
               }})
        .at(on(each.page));
  }
  menu->addSeparator();
  static const struct {
    const char *name, *words, *keys;
    double scale;
  } kScales[] = {{"export.scale-1", "PNG at 1 ×", "Ctrl+Alt+E, 1", 1}, {"export.scale-2", "PNG at 2 ×", "Ctrl+Alt+E, 2", 2}, {"export.scale-4", "PNG at 4 ×", "Ctrl+Alt+E, 4", 4}};
  for (const auto& each : kScales)
    add(menu, {each.name, each.words, each.keys, "Device pixels of an exported PNG for each pixel of the figure", [this, scale = each.scale] {
                 m_exportScale = scale;
                 m_inspect->setExportScale(scale);
                 refreshActions();
               }, true})
        .at(kPages)
        .checkedBy([this, scale = each.scale] { return m_exportScale == scale; });
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

void MainWindow::showSettings() {
  SettingsDialog::open(*this);
}

}  // namespace cuescope
