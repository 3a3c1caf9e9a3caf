// What an action knows: where it belongs, why it cannot be run now, its keys; and where that is shown: palette, overview of the
// shortcuts. One rule for all of them: an action that does not belong to the shown page is disabled there.
#include <QAbstractSpinBox>
#include <QAction>
#include <QApplication>
#include <QDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenu>
#include <QPlainTextEdit>
#include <QSettings>
#include <QStackedWidget>
#include <QTableView>
#include <QTableWidget>
#include <QTextEdit>
#include <QUndoGroup>
#include <QVBoxLayout>
#include <utility>

#include "ui/command_palette.h"
#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/evaluate_page.h"
#include "ui/rollouts_page.h"
#include "ui/sample_walk.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/train_page.h"
#include "ui/preferences.h"
#include "ui/settings_dialog.h"
#include "ui/start_page.h"
#include "ui/undo.h"
#include "widgets/image_canvas.h"
#include "widgets/theme.h"

namespace cuescope {

MainWindow::Rule& MainWindow::add(QMenu* menu, const Entry& entry) {
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
  return m_rules[name];
}

MainWindow::Places MainWindow::place() const { return onStart() ? kStartPage : on(page()); }

MainWindow::Places MainWindow::placesOf(const QString& action) const {
  const auto found = m_rules.find(action);
  return found == m_rules.end() ? 0 : found->second.places;
}

QString MainWindow::placesText(Places places) {
  if (places == kEverywhere) return tr("Everywhere");
  if (places == kPages) return tr("All pages");
  QStringList names;
  const QString words[] = {tr("Inspect"), tr("Train"), tr("Rollouts"), tr("Data"), tr("Evaluate"), tr("Start")};
  for (int i = 0; i <= PageCount; ++i)
    if (places & (1u << i)) names << words[i];
  return names.join(QStringLiteral(", "));
}

QString MainWindow::refusalOf(const Rule& rule) const {
  if (!(rule.places & place())) {
    QString& words = m_belongsTo[rule.places];
    if (words.isEmpty()) words = tr("Belongs to %1.").arg(placesText(rule.places & kPages ? rule.places & kPages : rule.places));
    return words;
  }
  if (rule.refusal)
    if (const QString why = rule.refusal(); !why.isEmpty()) return why;
  if (!rule.ofControl) return {};
  if (!rule.control) return tr("It is not on the page now.");
  if (!rule.control->isEnabled()) return rule.control->toolTip().isEmpty() ? tr("There is nothing to use it on now.") : rule.control->toolTip();
  // Put away by the page itself, not merely behind a tab.
  if (rule.control->testAttribute(Qt::WA_WState_ExplicitShowHide) && rule.control->testAttribute(Qt::WA_WState_Hidden)) return tr("There is nothing to use it on now.");
  return {};
}

void MainWindow::refreshAction(const QString& name) {
  QAction* action = m_actions.value(name);
  const Rule& rule = m_rules[name];
  const QString why = refusalOf(rule);
  if (rule.words) action->setText(rule.words());
  action->setEnabled(why.isEmpty());
  action->setToolTip(why.isEmpty() ? action->statusTip() : why);
  if (rule.checked) action->setChecked(rule.checked());
}

void MainWindow::refreshActions() {
  m_actionsDue = false;
  for (const QString& name : std::as_const(m_actionOrder)) refreshAction(name);
}

// One change of the selection or of a page tells of itself from several places: they are answered once, when all have had their say.
void MainWindow::refreshActionsSoon() {
  if (std::exchange(m_actionsDue, true)) return;
  const auto refresh = [this] {
    if (m_actionsDue) refreshActions();
  };
  QMetaObject::invokeMethod(this, refresh, Qt::QueuedConnection);
}

// A key is looked up among the actions as they are now.
bool MainWindow::event(QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride && m_actionsDue) refreshActions();
  return QMainWindow::event(event);
}

// The shown page's stack: a page that owns one takes part, whenever it made it.
void MainWindow::refreshUndo() {
  if (m_actions.isEmpty()) return;
  auto* shown = pageWidget(m_stack->currentIndex());
  QUndoStack* stack = shown ? shown->findChild<QUndoStack*>() : nullptr;
  if (stack && !m_undo->stacks().contains(stack)) m_undo->addStack(stack);
  m_undo->setActiveStack(stack);
  refreshAction(QStringLiteral("edit.undo"));
  refreshAction(QStringLiteral("edit.redo"));
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
    if (other != name && !keys.isEmpty() && m_actions[other]->shortcut() == keys && (placesOf(other) & placesOf(name)))
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
  if (place() == on(Train)) return m_train->toggle();  // of the run that is shown; it may also go on
  const QString run = m_session.steered(m_selection.run());
  m_session.steer(m_session.refusal(RunAction::Resume, run).isEmpty() ? RunAction::Resume : RunAction::Pause, run);
}

// What is being dragged takes Esc itself, before it comes here.
void MainWindow::leave() {
  QWidget* focus = QApplication::focusWidget();
  const bool text = qobject_cast<QLineEdit*>(focus) || qobject_cast<QPlainTextEdit*>(focus) || qobject_cast<QTextEdit*>(focus) || qobject_cast<QAbstractSpinBox*>(focus);
  if (text) {
    if (page() == Inspect && !onStart()) return m_inspect->map()->canvas()->setFocus(Qt::OtherFocusReason);
    if (page() == Data && !onStart()) return m_data->table()->setFocus(Qt::OtherFocusReason);
    return focus->clearFocus();
  }
  if (onStart()) return;
  if (page() == Data && m_data->canvas()->tool() != CueCanvas::Tool::Move) return m_data->chooseTool(int(CueCanvas::Tool::Move));
  if (page() != Inspect) return;
  m_inspect->map()->command(m_inspect->map()->isOn(QStringLiteral("move")) ? QStringLiteral("single") : QStringLiteral("move"));
  refreshActions();
}

void MainWindow::pushSetting(const QString& words, std::function<void()> apply, std::function<void()> takeBack) {
  if (QUndoStack* stack = m_undo->activeStack()) stack->push(new Edit(words, std::move(apply), std::move(takeBack)));
  else apply();
}

// Arrow keys reach the window only when the widget with the focus has no use for them.
void MainWindow::keyPressEvent(QKeyEvent* event) {
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  if (event->key() == Qt::Key_Escape && event->modifiers() == Qt::NoModifier) return leave();
  if (page() == Inspect && !onStart()) {
    switch (event->key()) {
      case Qt::Key_Left: return m_inspect->tokens()->step(-1, shift);
      case Qt::Key_Right: return m_inspect->tokens()->step(1, shift);
      case Qt::Key_Up: return m_inspect->stepLayer(-1);
      case Qt::Key_Down: return m_inspect->stepLayer(1);
      default: break;
    }
  }
  QMainWindow::keyPressEvent(event);
}

void MainWindow::showRecent() {
  std::vector<PaletteEntry> entries;
  for (const QString& path : m_workspace.recent()) entries.push_back({QFileInfo(path).fileName(), path, {}, [this, path] { openPath(path); }, {}});
  m_palette->open(std::move(entries), tr("Open again"));
}

void MainWindow::showPalette() {
  refreshActions();
  std::vector<PaletteEntry> entries;
  for (const QString& name : m_actionOrder) {
    QAction* action = m_actions[name];
    entries.push_back({plainText(action), action->statusTip(), keysText(action), [action] { action->trigger(); },
                       action->isEnabled() ? QString() : action->toolTip()});
  }
  for (const Preference& each : preferences())
    entries.push_back({each.title, tr("setting, %1, now %2").arg(each.group, each.words(Preferences::instance().value(each.key.toLatin1().constData()))), {}, [this, key = each.key] { SettingsDialog::open(*this, key); }, {}});
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
  constexpr int kRows = 500;  // of a page's list; more are found on the page itself
  for (const Page each : {Rollouts, Data, Evaluate}) {
    SampleWalk* set = walkOf(each);
    for (int i = 0; set && i < std::min(kRows, set->sampleCount()); ++i) {
      const auto [id, detail] = set->sampleName(i);
      entries.push_back({id, detail, {}, [this, each, i] {
                           setPage(each);
                           if (SampleWalk* at = walkOf(each)) at->goToSample(i, false);
                         }, {}});
    }
  }
  for (const WorkspaceEntry& model : m_workspace.models())
    entries.push_back({model.name, tr("model"), {}, [this, path = model.path] { openPath(path); }, {}});
  m_palette->open(std::move(entries), tr("Search actions, settings, runs, samples"));
}

// By the places where they act: what is there everywhere first, then page by page.
void MainWindow::showShortcuts() {
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("All shortcuts"));
  dialog->resize(680, 680);
  auto* column = new QVBoxLayout(dialog);
  auto* table = new QTableWidget(0, 4, dialog);
  table->setAccessibleName(tr("All shortcuts by page"));
  table->setWhatsThis(tr("Every action with its keys, by the page where it acts. File, Settings changes the keys."));
  table->setHorizontalHeaderLabels({tr("Where"), tr("Action"), tr("Keys"), tr("What it does")});
  table->verticalHeader()->hide();
  table->verticalHeader()->setDefaultSectionSize(22);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setShowGrid(false);
  table->horizontalHeader()->setStretchLastSection(true);
  QList<Places> order{kEverywhere, kPages};
  for (int i = 0; i < PageCount; ++i) order << on(Page(i));
  for (const QString& name : std::as_const(m_actionOrder))
    if (!order.contains(placesOf(name))) order << placesOf(name);
  for (const Places places : std::as_const(order))
    for (const QString& name : std::as_const(m_actionOrder)) {
      if (placesOf(name) != places) continue;
      const QAction* action = m_actions[name];
      const int row = table->rowCount();
      table->insertRow(row);
      table->setItem(row, 0, new QTableWidgetItem(placesText(places)));
      table->setItem(row, 1, new QTableWidgetItem(plainText(action)));
      auto* keys = new QTableWidgetItem(keysText(action));
      keys->setFont(monoFont(11));
      table->setItem(row, 2, keys);
      table->setItem(row, 3, new QTableWidgetItem(action->statusTip()));
    }
  table->resizeColumnToContents(0);
  table->resizeColumnToContents(1);
  table->resizeColumnToContents(2);
  column->addWidget(table);
  dialog->show();
}

}  // namespace cuescope
