// The actions of Train, Rollouts, Data and Evaluate, and what ties an action to the control of a page that does the same.
#include <QAbstractButton>
#include <QAction>
#include <QComboBox>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>
#include <QToolButton>

#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/panels/panel.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/rollouts_cells.h"
#include "ui/rollouts_page.h"
#include "widgets/curve_plot.h"
#include "widgets/segmented_button.h"

namespace cuescope {
namespace {

QStringList actionsOf(const QObject* control) { return control->property("action").toString().split(u' ', Qt::SkipEmptyParts); }

// A control behind a tab or in a closed panel comes to the front before it is used.
void reveal(QWidget* control) {
  for (QWidget* at = control; at->parentWidget(); at = at->parentWidget()) {
    auto* stack = qobject_cast<QStackedWidget*>(at->parentWidget());
    auto* panel = stack ? qobject_cast<Panel*>(stack->parentWidget()) : nullptr;
    if (panel) panel->setCurrentTab(stack->indexOf(at));
    if (auto* own = qobject_cast<Panel*>(at); own && !own->isInFront()) own->bringToFront();
  }
}

}  // namespace

MainWindow::Rule& MainWindow::addControl(QMenu* menu, Places places, const char* name, const char* text, const char* keys, const char* tip) {
  Rule& rule = add(menu, {name, text, keys, tip, [this, name = QString::fromLatin1(name)] { operate(name); }}).at(places);
  rule.ofControl = true;
  return rule;
}

void MainWindow::bindControls(QWidget* root) {
  QList<QWidget*> all = root->findChildren<QWidget*>();
  all.prepend(root);
  for (QWidget* control : std::as_const(all)) {
    bool tied = false;
    for (const QString& name : actionsOf(control)) {
      const auto found = m_rules.find(name);
      if (found == m_rules.end() || !found->second.ofControl || found->second.control == control) continue;
      found->second.control = control;
      tied = true;
      auto* button = qobject_cast<QAbstractButton*>(control);
      if (button && button->isCheckable()) {
        m_actions[name]->setCheckable(true);
        found->second.checked = [button = QPointer<QAbstractButton>(button)] { return button && button->isChecked(); };
        connect(button, &QAbstractButton::toggled, this, [this, name] { refreshAction(name); });
      }
      refreshAction(name);
    }
    if (tied) control->installEventFilter(this);
  }
}

bool MainWindow::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::EnabledChange:
    case QEvent::ToolTipChange:
    case QEvent::ShowToParent:
    case QEvent::HideToParent:
      for (const QString& name : actionsOf(watched))
        if (const auto found = m_rules.find(name); found != m_rules.end() && found->second.control == watched) refreshAction(name);
      break;
    default: break;
  }
  return QMainWindow::eventFilter(watched, event);
}

void MainWindow::operate(const QString& name) {
  QWidget* control = m_rules[name].control;
  if (!control) return;
  reveal(control);
  auto* tool = qobject_cast<QToolButton*>(control);
  auto* push = qobject_cast<QPushButton*>(control);
  if (tool && tool->menu()) return tool->showMenu();
  if (push && push->menu()) return push->showMenu();
  if (auto* button = qobject_cast<QAbstractButton*>(control)) {
    button->click();
  } else if (auto* box = qobject_cast<QComboBox*>(control)) {
    box->setFocus(Qt::ShortcutFocusReason);
    box->showPopup();
  } else if (auto* choices = qobject_cast<SegmentedButton*>(control)) {
    choices->next();
  } else {
    control->setFocus(Qt::ShortcutFocusReason);
    if (auto* field = qobject_cast<QLineEdit*>(control)) field->selectAll();
    if (auto* field = qobject_cast<QSpinBox*>(control)) field->selectAll();
  }
  refreshAction(name);
}

// A closed panel comes back from the Window menu, of whatever page it is.
void MainWindow::addPanels(Page page, QWidget* built) {
  static const char* const kKeys[] = {"Alt+1", "Alt+2", "Alt+3", "Alt+4", "Alt+5", "Alt+6", "Alt+7", "Alt+8", "Alt+9", "Alt+0", "Alt+Shift+1", "Alt+Shift+2"};
  int at = 0;
  QList<Panel*> all = built->findChildren<Panel*>();
  if (page == Inspect) {  // in the order of their keys, wherever they lie
    const std::vector<Panel*> ordered = m_inspect->panels();
    all = QList<Panel*>(ordered.begin(), ordered.end());
  }
  for (Panel* panel : std::as_const(all)) {
    const QByteArray name = "panel." + panel->objectName().toLatin1();
    if (m_rules.count(QString::fromLatin1(name))) continue;
    const QByteArray words = tr("Panel %1").arg(panel->title()).toUtf8();
    add(m_windowMenu, {name.constData(), words.constData(), at < int(std::size(kKeys)) ? kKeys[at] : "", "Bring this panel to the front, or close it when it is there; drag its title to move it", [panel] { panel->isInFront() ? panel->setClosed(true) : panel->bringToFront(); }, true})
        .at(on(page))
        .checkedBy([panel] { return panel->isInFront(); });
    ++at;
  }
}

// Keys of controls begin with Ctrl+J; each letter means one control a page.
void MainWindow::buildPageActions(QMenu* selectionMenu, QMenu* train, QMenu* rollouts, QMenu* data, QMenu* evaluate) {
  const Places onTrain = on(Train), onRollouts = on(Rollouts), onData = on(Data), onEvaluate = on(Evaluate);
  const auto closedForm = [this] { return m_train && m_train->formShown() ? QString() : tr("The form of a new run is not open (Ctrl+N)."); };

  // Outside the pages: what is on all of them.
  addControl(selectionMenu, kEverywhere, "selection.go-to-step", "Go to step", "Ctrl+G", "Type the training step that all pages show");

  train->addSeparator();
  add(train, {"train.log", "Logarithmic axis", "L", "The chosen curve's axis, linear or logarithmic", [this] { trainPage()->curves()->toggleLog(trainPage()->curves()->currentCell()); }})
      .at(onTrain)
      .unless([this] { return m_train && m_train->curves()->currentCell() >= 0 ? QString() : tr("There are no curves yet."); });
  addControl(train, onTrain, "train.fit", "Fit all plots", "F", "The whole run in every plot");
  addControl(train, onTrain, "train.x", "Next x axis", "X", "Steps, tokens or time");
  addControl(train, onTrain, "train.smoothing", "Smoothing", "Ctrl+J, S", "Go to the smoothing of the curves; the arrow keys change it");
  addControl(train, onTrain, "train.overlay", "Overlay runs", "Ctrl+J, O", "Lay other runs over this one, three at most");
  addControl(train, onTrain, "train.film-layer", "Layer of the probe maps", "Ctrl+J, L", "The layer whose probe maps are shown");
  train->addSeparator();
  addControl(train, onTrain, "checkpoint.inspect", "Inspect the checkpoint", "Ctrl+J, I", "Open the chosen checkpoint in Inspect");
  addControl(train, onTrain, "checkpoint.student", "Use the checkpoint as student", "Ctrl+J, U", "New run that begins with the chosen checkpoint's model");
  addControl(train, onTrain, "checkpoint.export", "Export the checkpoint's model", "Ctrl+J, E", "The chosen checkpoint's model as a Hugging Face folder");
  train->addSeparator();
  addControl(train, onTrain, "queue.sooner", "Sooner in the queue", "Alt+Up", "The chosen run starts before the one above it");
  addControl(train, onTrain, "queue.later", "Later in the queue", "Alt+Down", "The chosen run starts after the one below it");
  addControl(train, onTrain, "queue.remove", "Take out of the queue", "Del", "The chosen run does not start");
  addControl(train, onTrain, "queue.hold", "Hold the queue, or go on", "Ctrl+J, H", "While it is held nothing starts by itself");
  train->addSeparator();
  addControl(train, onTrain, "train.find", "Find a parameter", "Ctrl+F", "Among the run's parameters");
  addControl(train, onTrain, "train.find-difference", "Find a parameter that differs", "Ctrl+J, F", "Among the parameters beside those of another run");
  addControl(train, onTrain, "train.diff-against", "Compare parameters with …", "Ctrl+J, D", "The run whose parameters stand beside this run's");
  QMenu* form = train->addMenu(tr("Form of a new run"));
  form->setToolTipsVisible(true);
  addControl(form, onTrain, "form.start", "Start the run", "Ctrl+Return", "Start what the form says").unless(closedForm);
  addControl(form, onTrain, "form.queue", "Add the run to the queue", "Ctrl+Shift+Return", "It starts when nothing trains any more").unless(closedForm);
  addControl(form, onTrain, "form.back", "Back from the form", "Ctrl+J, B", "The form keeps what was typed").unless(closedForm);
  addControl(form, onTrain, "form.preset", "Preset", "Ctrl+J, P", "Choose a preset for the form").unless(closedForm);
  addControl(form, onTrain, "form.find", "Find a field", "Ctrl+Shift+F", "Among the fields of the form").unless(closedForm);
  addControl(form, onTrain, "form.changed", "Changed fields only", "Ctrl+J, C", "Only the fields that were changed").unless(closedForm);
  addControl(form, onTrain, "form.place", "Next place of the run", "Ctrl+J, W", "In this window, or as a process of its own").unless(closedForm);
  addControl(form, onTrain, "form.side", "YAML or difference", "Ctrl+J, Y", "The configuration as it will be written, or what differs from another run").unless(closedForm);
  addControl(form, onTrain, "form.against", "Compare the form with …", "Ctrl+J, A", "The run that the form is compared with").unless(closedForm);
  add(form, {"form.default", "Default of this field", "Ctrl+J, Backspace", "The field that has the focus goes back to its default", [this] { trainPage()->form()->resetFocused(); }}).at(onTrain).unless(closedForm);

  addControl(rollouts, onRollouts, "rollouts.inspect", "Open in Inspect", "Ctrl+Return", "The chosen sample with its own response ids and the nearest weights");
  addControl(rollouts, onRollouts, "rollouts.inspect-with", "Open in Inspect with …", "Ctrl+J, W", "Choose the weights: a checkpoint, or the student of the loaded run");
  rollouts->addSeparator();
  addControl(rollouts, onRollouts, "rollouts.find", "Search rollouts", "Ctrl+F", "Words, or conditions joined by and, or, not");
  addControl(rollouts, onRollouts, "rollouts.step", "Step of the rollouts", "Ctrl+J, S", "Step whose responses are listed, or all steps");
  add(rollouts, {"rollouts.threshold", "No threshold", "Del", "Take the threshold of the histogram away", [this] { rolloutsPage()->histogram()->clearThreshold(); }})
      .at(onRollouts)
      .unless([this] { return m_rollouts && m_rollouts->histogram()->hasThreshold() ? QString() : tr("No threshold is set: click in the histogram."); });
  rollouts->addSeparator();
  addControl(rollouts, onRollouts, "rollouts.end-comparison", "End the comparison", "Ctrl+J, E", "One response alone again; Ctrl+click on a row compares");
  addControl(rollouts, onRollouts, "rollouts.colour", "Colour of the tokens", "Ctrl+J, V", "What the response's tokens are coloured by");
  addControl(rollouts, onRollouts, "rollouts.special", "Special tokens", "Ctrl+J, P", "Show or hide the special tokens");
  addControl(rollouts, onRollouts, "rollouts.wrap", "Wrap the response", "Ctrl+J, R", "Break the tokens into lines of the panel's width");

  data->addSeparator();
  addControl(data, onData, "data.inspect", "Inspect the row", "Ctrl+Return", "Ask the student this row's question");
  addControl(data, onData, "data.save-as", "New data file …", "Ctrl+Alt+S", "The rows with their edits as another file; the source is never written over");
  addControl(data, onData, "data.lint", "Run lint, or cancel it", "Ctrl+L", "Looks at every row of the set");
  addControl(data, onData, "data.judge", "Run whose limits count", "Ctrl+J, L", "The models, limits and privilege that prompts and lint go by");
  addControl(data, onData, "data.suggest", "Suggest a cue", "Ctrl+J, C", "The teacher proposes a cue for the row");
  addControl(data, onData, "data.find", "Search rows", "Ctrl+F", "Among prompts, cues and answers");
  addControl(data, onData, "data.show", "Rows that are shown", "Ctrl+J, S", "All rows, those that lint complains of, or those that were edited");
  data->addSeparator();
  static const struct {
    const char *name, *words, *keys, *tip;
    CueCanvas::Tool tool;
  } kTools[] = {{"data.move", "Move marks", "V", "A drag takes a mark along", CueCanvas::Tool::Move},
                {"data.box", "Draw boxes", "B", "A drag draws a box", CueCanvas::Tool::Box},
                {"data.point", "Draw points", "I", "A click draws a point", CueCanvas::Tool::Point},
                {"data.crop", "Draw crops", "C", "A drag draws a crop", CueCanvas::Tool::Crop}};
  for (const auto& each : kTools)
    add(data, {each.name, each.words, each.keys, each.tip, [this, tool = each.tool] {
                 m_data->chooseTool(int(tool));
                 refreshActions();
               }, true})
        .at(onData)
        .checkedBy([this, tool = each.tool] { return m_data->canvas()->tool() == tool; });
  add(data, {"data.delete-mark", "Delete the mark", "Del", "The chosen mark of the row", [this] { m_data->canvas()->removeSelected(); }})
      .at(onData)
      .unless([this] { return m_data->canvas()->selected() >= 0 ? QString() : tr("Choose a mark first."); });
  addControl(data, onData, "data.snap", "Snap to patches", "Shift+S", "Boxes keep to the edges of the visual patches");
  addControl(data, onData, "data.grid", "Patch grid of the row", "Shift+G", "Lines every 32 pixels of the stored picture");

  addControl(evaluate, onEvaluate, "evaluate.run", "Evaluate, or cancel", "Ctrl+Return", "Asks the chosen model every row and judges the answers");
  addControl(evaluate, onEvaluate, "evaluate.pause", "Pause the evaluation, or go on", "Ctrl+J, P", "It stops after the rows that are answered now, and keeps the answers");
  addControl(evaluate, onEvaluate, "evaluate.inspect", "Open the sample in Inspect", "Ctrl+Shift+Return", "The chosen sample with A's own answer ids, read by A");
  evaluate->addSeparator();
  addControl(evaluate, onEvaluate, "evaluate.model", "Model to evaluate", "Ctrl+J, M", "A model, a checkpoint of a run, or the student of the loaded run");
  addControl(evaluate, onEvaluate, "evaluate.data", "Held-out data", "Ctrl+J, D", "The data file whose rows are asked");
  addControl(evaluate, onEvaluate, "evaluate.rows", "Rows at most", "Ctrl+J, N", "How many rows are asked at most");
  evaluate->addSeparator();
  addControl(evaluate, onEvaluate, "evaluate.privilege", "What the model reads", "Ctrl+J, V", "The question alone, or the teacher's prompt with cue or hint");
  addControl(evaluate, onEvaluate, "evaluate.decoding", "Greedy or sampled", "Ctrl+J, G", "How the answers are drawn");
  addControl(evaluate, onEvaluate, "evaluate.temperature", "Temperature", "Ctrl+J, T", "Of sampled answers");
  addControl(evaluate, onEvaluate, "evaluate.top-p", "Top-p", "Ctrl+J, O", "Of sampled answers");
  addControl(evaluate, onEvaluate, "evaluate.answers", "Answers to each row", "Ctrl+J, S", "Of sampled answers");
  addControl(evaluate, onEvaluate, "evaluate.pass-at", "K of pass@K", "Ctrl+J, K", "Share of rows with a right answer among K");
  addControl(evaluate, onEvaluate, "evaluate.seed", "Seed of the answers", "Ctrl+J, E", "The same seed gives the same answers");
  addControl(evaluate, onEvaluate, "evaluate.longest", "Longest answer", "Ctrl+J, L", "Tokens at which an answer ends at the latest");
  evaluate->addSeparator();
  addControl(evaluate, onEvaluate, "evaluate.saved", "Saved evaluations", "Ctrl+J, W", "Evaluations that runs and files hold");
  add(evaluate, {"evaluate.open", "Open evaluations …", "Ctrl+Shift+V", "Files of `cuescope-cli eval --output`, of runs, or saved here", [this] { evaluatePage()->openDialog(); }}).at(onEvaluate);
  add(evaluate, {"evaluate.save", "Save evaluation A …", "Ctrl+Alt+S", "Samples as JSON lines, the scores beside them", [this] { evaluatePage()->saveDialog(); }})
      .at(onEvaluate)
      .unless([this] { return m_evaluate && m_evaluate->evaluations() > 0 ? QString() : tr("No evaluation was made or opened yet."); });
  evaluate->addSeparator();
  addControl(evaluate, onEvaluate, "evaluate.a", "Evaluation A", "Ctrl+J, A", "The evaluation whose answers are shown as A");
  addControl(evaluate, onEvaluate, "evaluate.b", "Evaluation B", "Ctrl+J, B", "The evaluation that is compared with A");
  addControl(evaluate, onEvaluate, "evaluate.filter", "Next kind of samples", "Ctrl+J, F", "All, right or wrong in A or B");
}

}  // namespace cuescope
