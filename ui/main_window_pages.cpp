// The pages that are built when they are first asked for, and what they ask of the window.
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QStackedWidget>

#include "ui/data_page.h"
#include "ui/panels/ask_bar.h"
#include "ui/sample_walk.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/navigator.h"
#include "ui/rollouts_cells.h"
#include "ui/page_holder.h"
#include "ui/rollouts_page.h"
#include "ui/roomy_page.h"
#include "ui/status_strip.h"

namespace cuescope {

PageHolder* MainWindow::hold(QWidget* page) {
  auto* holder = new PageHolder(page);
  if (auto* roomy = dynamic_cast<RoomyPage*>(page)) connect(holder, &PageHolder::roomChanged, page, [roomy](const QSize& room) { roomy->setRoom(room); });
  return holder;
}

QWidget* MainWindow::pageWidget(int index) const {
  auto* holder = qobject_cast<PageHolder*>(m_stack->widget(index));
  return holder ? holder->widget() : m_stack->widget(index);
}

void MainWindow::placePage(Page page, QWidget* built) {
  for (QLineEdit* field : built->findChildren<QLineEdit*>()) field->setAcceptDrops(false);
  for (QPlainTextEdit* field : built->findChildren<QPlainTextEdit*>()) field->setAcceptDrops(false);
  QWidget* place = m_stack->widget(page);
  const bool shown = m_stack->currentWidget() == place;
  PageHolder* holder = hold(built);
  m_stack->insertWidget(page, holder);
  m_stack->removeWidget(place);
  place->deleteLater();
  if (shown) m_stack->setCurrentWidget(holder);
  bindControls(built);
  addPanels(page, built);
}

RolloutsPage* MainWindow::rolloutsPage() {
  if (m_rollouts) return m_rollouts;
  m_rollouts = new RolloutsPage(m_session, m_selection);
  placePage(Rollouts, m_rollouts);
  connect(m_rollouts->histogram(), &GapHistogram::thresholdChanged, this, &MainWindow::refreshActionsSoon);
  connect(m_rollouts, &RolloutsPage::sampleShown, this, &MainWindow::refreshSample);
  connect(m_rollouts, &RolloutsPage::inspectRequested, this, &MainWindow::inspectRequest);
  connect(m_rollouts, &RolloutsPage::trainRequested, this, [this] { setPage(Train); });
  connect(m_rollouts, &RolloutsPage::exportRequested, this, [this] { m_actions["file.export"]->trigger(); });
  return m_rollouts;
}

EvaluatePage* MainWindow::evaluatePage() {
  if (m_evaluate) return m_evaluate;
  m_evaluate = new EvaluatePage(m_session, m_workspace);
  placePage(Evaluate, m_evaluate);
  connect(m_evaluate, &EvaluatePage::inspectRequested, this, &MainWindow::inspectRequest);
  connect(m_evaluate, &EvaluatePage::sampleShown, this, &MainWindow::refreshSample);
  connect(m_evaluate, &EvaluatePage::runChosen, this, [this](const QString& run) {
    m_selection.setRun(run);
    setPage(Train);
  });
  connect(m_evaluate, &EvaluatePage::said, this, [this](const QString& words) { m_status->say(words); });
  return m_evaluate;
}

SampleWalk* MainWindow::walkOf(Page page) const {
  switch (page) {
    case Rollouts: return m_rollouts;
    case Data: return m_data;
    case Evaluate: return m_evaluate;
    default: return nullptr;
  }
}

SampleWalk* MainWindow::walk() const {
  if (onStart()) return nullptr;
  if (page() != Inspect) return walkOf(page());
  SampleWalk* from = m_sampleFrom < 0 ? nullptr : walkOf(Page(m_sampleFrom));
  // Another picture was dropped, or another row was chosen over there: this look is not of that set's sample any more.
  return from && QString::fromStdString(m_inspect->askBar()->request().sampleId) == from->currentSample() ? from : nullptr;
}

QString MainWindow::stepSampleRefusal(int by) const {
  const SampleWalk* from = walk();
  if (!from) return page() == Inspect ? tr("What is shown came from no set: open a row of Data, a rollout or an evaluated sample in Inspect.") : tr("There are no samples here yet.");
  const int next = from->sampleAt() + by;
  if (next < 0) return tr("This is the first sample of the list.");
  return next >= from->sampleCount() ? tr("This is the last sample of the list.") : QString();
}

// Of all actions these alone follow the chosen sample of a list.
void MainWindow::refreshSample() {
  for (const char* name : {"selection.sample-back", "selection.sample", "evaluate.save"}) refreshAction(QString::fromLatin1(name));
  refreshSelectionBar();
}

void MainWindow::stepSample(int by) {
  SampleWalk* from = walk();
  if (!from) return;
  from->goToSample(from->sampleAt() + by, page() == Inspect);
  refreshActions();
}

void MainWindow::inspectRequest(const InspectRequest& request) {
  const int token = m_selection.token();
  if (page() != Inspect) m_sampleFrom = page();
  setPage(Inspect);
  m_inspect->ask(request);
  if (token >= 0) m_selection.setToken(token);  // the token that was read on the other page
}

void MainWindow::openForeign(const QString& path) {
  Failure failure;
  const QString name = m_session.openForeignRun(path, &failure);
  if (name.isEmpty()) {
    setPage(Inspect);
    m_inspect->showFailure(failure);
    return;
  }
  m_selection.setRun(name);
  const RunRecord* run = m_session.run(name);
  setPage(run->steps.empty() ? Rollouts : Train);
  m_status->say(tr("%1 is open, read-only").arg(name));
}

}  // namespace cuescope
