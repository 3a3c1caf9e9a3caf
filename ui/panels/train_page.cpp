#include "ui/panels/train_page.h"

#include <QDesktopServices>
#include <QDir>
#include <QFileInfo>
#include <QPointer>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QResizeEvent>
#include <QScrollArea>
#include <QSlider>
#include <QSplitter>
#include <QStackedWidget>
#include <QTimer>
#include <QToolButton>
#include <QUrl>
#include <QVBoxLayout>
#include <QComboBox>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/core/evidence.h"
#include "ui/acts_as.h"
#include "ui/models/row_request.h"
#include "ui/models/run_queue.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"
#include "ui/panels/train_column.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_side.h"
#include "ui/preferences.h"
#include "ui/undo.h"
#include "widgets/curve_plot.h"
#include "widgets/elided_label.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/film_strip.h"
#include "widgets/icons.h"
#include "widgets/phase_bar.h"
#include "widgets/run_legend.h"
#include "widgets/segmented_button.h"

namespace cuescope {
namespace {

constexpr int kCurveHeight = 160, kSideWidth = 320;
constexpr int kThreeColumns = 1000;  // of curves, from this width on
constexpr int kLow = 740;             // a page below this height shows two rows of curves

Icon stateIcon(RunState state) {
  switch (state) {
    case RunState::Ready: return Icon::Queue;
    case RunState::Running: return Icon::Play;
    case RunState::Paused: return Icon::Pause;
    case RunState::Completed: return Icon::Check;
    case RunState::Stopping:
    case RunState::Stopped: return Icon::Stop;
    case RunState::Failed: return Icon::Cross;
  }
  return Icon::Queue;
}

}  // namespace

TrainPage::TrainPage(Session& session, Selection& selection, QWidget* parent) : QWidget(parent), RoomyPage(this), m_session(session), m_selection(selection) {
  new QUndoStack(this);  // edits of the form; found by the window
  m_queue = new RunQueue(session, this);
  m_later = new QTimer(this);
  m_later->setSingleShot(true);
  m_later->setInterval(50);
  connect(m_later, &QTimer::timeout, this, &TrainPage::refresh);

  auto* page = new QVBoxLayout(this);
  page->setContentsMargins(0, 0, 0, 0);
  page->setSpacing(0);
  m_stack = new QStackedWidget(this);
  page->addWidget(m_stack);
  connect(m_stack, &QStackedWidget::currentChanged, this, &TrainPage::shownChanged);

  m_main = madeSplitter(Qt::Horizontal);
  auto* left = new QWidget;
  auto* column = new QVBoxLayout(left);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(makeControl());
  m_error = new ErrorPanel;
  m_error->hide();
  column->addWidget(m_error);
  m_phases = new PhaseBar;
  column->addWidget(m_phases);
  m_down = madeSplitter(Qt::Vertical);
  m_down->addWidget(makeCurves());
  m_down->addWidget(makeFilm());
  growWithRoom(m_filmPanel);
  column->addWidget(m_down, 1);
  m_main->addWidget(left);
  m_column = new TrainColumn(session, *m_queue);
  connectColumn();
  m_main->addWidget(m_column);
  m_main->setStretchFactor(0, 1);
  m_stack->addWidget(m_main);

  m_formPlace = new QWidget;
  auto* formColumn = new QVBoxLayout(m_formPlace);
  formColumn->setContentsMargins(0, 0, 0, 0);
  m_stack->addWidget(m_formPlace);

  auto* nothing = new QWidget;
  auto* place = new QVBoxLayout(nothing);
  place->setContentsMargins(24, 24, 24, 24);
  m_empty = new EmptyPanel;
  m_empty->setMaximumWidth(640);
  m_empty->setText(tr("No run yet."), tr("Choose a preset and start one here, or drop a run folder on the window. Curves, probe images and checkpoints appear as the run goes on."), tr("New run"));
  place->addWidget(m_empty, 0, Qt::AlignTop);
  place->addStretch(1);
  m_stack->addWidget(nothing);

  connect(m_empty, &EmptyPanel::actionChosen, this, [this] { newRun(); });
  connect(&session, &Session::runAdded, this, [this](const QString& name) {
    const bool own = m_session.ownRun() && m_session.ownRun() == m_session.run(name);
    if (own) m_stack->setCurrentIndex(0);  // the form has done its work
    if (own || m_run.isEmpty()) m_selection.setRun(name);
    fillOverlayMenu();
    chooseRun();
  });
  connect(&session, &Session::runLaunched, this, [this](const QString& run) {
    m_stack->setCurrentIndex(0);
    m_selection.setRun(run);
    chooseRun();
  });
  connect(&session, &Session::launchFailed, this, [this](const Failure& failure) { showFailure(failure, {tr("Back to the form"), tr("Hide")}); });
  connect(&session, &Session::runsFound, this, [this] {
    fillOverlayMenu();
    chooseRun();
  });
  connect(m_queue, &RunQueue::notice, this, [this](const QString& words) { showFailure({words.toStdString(), m_folder.toStdString(), "", ""}, {tr("Hide")}); });
  connect(&session, &Session::stepArrived, this, [this](const StepPtr& step) {
    if (QString::fromStdString(step->run) == m_run || m_overlay.contains(QString::fromStdString(step->run))) schedule();
  });
  connect(&session, &Session::runStatusChanged, this, [this](const RunStatus& status) {
    if (m_run.isEmpty()) chooseRun();
    if (QString::fromStdString(status.run) != m_run) return;
    refreshControl();
    const RunRecord* record = m_session.run(m_run);
    if (!record) return;
    if (record->yaml != m_shownYaml) schedule();
    if (record->checkpoints.size() != m_shownCheckpoints) {  // saved by its schedule or by its end
      m_shownCheckpoints = record->checkpoints.size();
      m_column->checkpoints()->setCheckpoints(record);
    }
    m_phases->setData(phasesOf(*record, m_selection.step()));
  });
  connect(&session, &Session::checkpointWritten, this, [this](const QString& run) {
    if (run == m_run) schedule();
  });
  connect(&session, &Session::runFailed, this, [this](const QString& run, const Failure& failure) {
    if (!run.isEmpty() && run != m_run) return;  // shown when that run is chosen
    m_failureRun = run;
    showFailure(failure, {tr("Hide")});
    m_couldNotStart = run.isEmpty();
  });
  connect(m_error, &ErrorPanel::actionChosen, this, [this](int action) {
    m_error->hide();
    if (m_couldNotStart && (action == 0 || m_run.isEmpty())) return newRun();  // back to it
    chooseRun();
  });
  connect(&session, &Session::actionsChanged, this, &TrainPage::refreshControl);
  connect(&session, &Session::rowsArrived, this, &TrainPage::takePictures);
  connect(&selection, &Selection::changed, this, [this](Selection::Parts parts) {
    if (parts & Selection::Run) chooseRun();
    if (parts & Selection::Step) placeCursor();
  });
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    m_film->setColorMap(defaultColorMap(Theme::instance().isDark()));
    refreshControl();
  });
  m_views = new ViewFocus(this, QStringLiteral("curves"));
  const std::pair<QWidget*, const char*> views[] = {{m_curves, "curves"}, {m_filmPanel, "probes"}, {m_phases, "phases"}, {m_column->health(), "health"}, {m_column->checkpoints(), "checkpoints"},
                                                    {m_column->parameters(), "parameters"}, {m_column->yaml(), "yaml"}, {m_column->difference(), "difference"}};
  for (const auto& [widget, name] : views) m_views->add(widget, QLatin1String(name));
  for (const QString& name : session.runs()) m_run = name;
  fillOverlayMenu();
  chooseRun();
  defaultPlaces();
}

void TrainPage::placePanels() {
  m_down->addWidget(m_filmPanel);
  m_column->placePanels(room() != Wide);
}

// Three whole rows of curves, the strip has the rest. In a low room the curves are scrolled anyway: two rows of them, and the strip
// keeps its pictures.
void TrainPage::defaultSizes() {
  m_main->setSizes({1062, kSideWidth});
  m_low = height() < kLow;
  const int curves = 30 + (m_low ? 2 : 3) * kCurveHeight + 2;
  m_down->setSizes({curves, std::max(120, m_down->height() - curves - 1)});
  m_column->setSizes({150, 230, 410});
}

QWidget* TrainPage::makeControl() {
  auto* strip = new Strip(38, Strip::Ground::Panel);
  QHBoxLayout* row = strip->row();
  m_stateIcon = new QLabel;
  m_stateIcon->setFixedSize(16, 16);
  m_name = new ElidedLabel;
  m_name->setPixelSize(13, QFont::DemiBold);
  m_name->setElide(Qt::ElideMiddle);
  m_progress = new ElidedLabel;
  m_progress->setPixelSize(12);
  m_count = new ElidedLabel;
  m_count->setPixelSize(12);
  m_count->setMono(true);
  m_left = new ElidedLabel;
  m_left->setTone(ElidedLabel::Tone::Text3);
  m_pause = new QPushButton(tr("Pause"));
  m_checkpoint = new QPushButton(icon(Icon::Save), tr("Checkpoint now"));
  m_stop = new QPushButton(icon(Icon::Stop), tr("Stop"));
  m_new = new QPushButton(icon(Icon::Add), tr("New run"));
  auto* menu = new QMenu(m_stop);
  m_stopSave = menu->addAction(tr("Stop and save"));
  m_stopDrop = menu->addAction(tr("Stop without saving"));
  m_stop->setMenu(menu);
  actsAs(m_pause, "train.pause");
  actsAs(m_checkpoint, "train.checkpoint");
  actsAs(m_stop, "train.stop train.discard");
  actsAs(m_new, "train.new");
  row->addWidget(m_stateIcon);
  row->addWidget(m_name);
  row->addWidget(m_progress);
  row->addWidget(m_count);
  row->addWidget(m_left, 1);
  for (QPushButton* button : {m_pause, m_checkpoint, m_stop, m_new}) row->addWidget(button);
  connect(m_pause, &QPushButton::clicked, this, &TrainPage::toggle);
  connect(m_checkpoint, &QPushButton::clicked, this, [this] { m_session.steer(RunAction::Checkpoint, m_run); });
  connect(m_stopSave, &QAction::triggered, this, [this] { m_session.steer(RunAction::StopAndSave, m_run); });
  connect(m_stopDrop, &QAction::triggered, this, [this] { m_session.steer(RunAction::Stop, m_run); });
  connect(m_new, &QPushButton::clicked, this, [this] { newRun(); });
  return strip;
}

QWidget* TrainPage::makeCurves() {
  auto* whole = new QWidget;
  auto* column = new QVBoxLayout(whole);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* strip = new Strip(30, Strip::Ground::Panel);
  QHBoxLayout* row = strip->row();
  m_legend = new RunLegend(tr("Curves"));
  m_overlayButton = new QToolButton;
  m_overlayButton->setIcon(icon(Icon::Add));
  m_overlayButton->setToolTip(tr("Lay other runs over this one (three at most)"));
  m_overlayButton->setAccessibleName(tr("Overlay runs"));
  m_overlayButton->setPopupMode(QToolButton::InstantPopup);
  m_overlayButton->setMenu(new QMenu(m_overlayButton));
  auto* smoothing = new QLabel(tr("Smoothing"));
  smoothing->setProperty("tone", QStringLiteral("3"));
  m_smoothing = new QSlider(Qt::Horizontal);
  m_smoothing->setRange(0, 99);
  m_smoothing->setFixedWidth(72);
  m_smoothing->setAccessibleName(tr("Smoothing"));
  m_smoothing->setToolTip(tr("Exponential smoothing over the raw values; 0 shows raw only. Exported numbers are never smoothed."));
  m_smoothingText = new QLabel;
  m_smoothingText->setFont(monoFont(11));
  auto* x = new QLabel(tr("x"));
  x->setProperty("tone", QStringLiteral("3"));
  m_x = new SegmentedButton({tr("step"), tr("tokens"), tr("time")});
  m_x->setMono(true);
  m_x->setAccessibleName(tr("x axis"));
  auto* fit = new QToolButton;
  fit->setIcon(icon(Icon::Fit));
  fit->setToolTip(tr("Fit all plots (F)"));
  fit->setAccessibleName(tr("Fit all plots"));
  auto* save = new QToolButton;
  save->setIcon(icon(Icon::Export));
  save->setToolTip(tr("Export the curves as PNG, SVG, PDF or CSV"));
  save->setAccessibleName(tr("Export curves"));
  actsAs(m_overlayButton, "train.overlay");
  actsAs(m_smoothing, "train.smoothing");
  actsAs(m_x, "train.x");
  actsAs(fit, "train.fit");
  actsAs(save, "file.export");
  row->addWidget(m_legend, 1);
  row->addWidget(m_overlayButton);
  row->addWidget(smoothing);
  row->addWidget(m_smoothing);
  row->addWidget(m_smoothingText);
  row->addSpacing(8);
  row->addWidget(x);
  row->addWidget(m_x);
  row->addWidget(fit);
  row->addWidget(save);
  m_curves = new CurveGrid;
  m_curves->setWhatsThis(tr("The metrics of the chosen runs over the steps. Drag a plot's title into another plot to lay its curve there, or out of the window as a picture (Ctrl: its numbers)."));
  m_curves->setEmptyText(tr("No steps yet: the line above says what is being done. The first point arrives after the first update."));
  m_curveArea = new QScrollArea;
  m_curveArea->setWidgetResizable(true);
  m_curveArea->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_curveArea->setWidget(m_curves);
  column->addWidget(strip);
  column->addWidget(m_curveArea, 1);
  connect(m_smoothing, &QSlider::valueChanged, this, [this](int value) {
    m_smoothingText->setText(number(value / 100.0, 2));
    m_curves->setSmoothing(value / 100.0);
  });
  const auto smooth = [this] { m_smoothing->setValue(Preferences::instance().number(preference::kSmoothing)); };
  smooth();
  connect(&Preferences::instance(), &Preferences::changed, this, [smooth](const QString& key) {
    if (key == QLatin1String(preference::kSmoothing)) smooth();
  });
  connect(m_x, &SegmentedButton::currentChanged, this, [this](int index) { m_curves->setX(CurveX(index)); });
  connect(fit, &QToolButton::clicked, this, [this] { m_curves->fit(); });
  connect(save, &QToolButton::clicked, this, [this] { Q_EMIT exportRequested(QStringLiteral("curves")); });
  connect(m_curves, &CurveGrid::stepPicked, this, &TrainPage::pickStep);
  connect(m_curves, &CurveGrid::menuRequested, this, &TrainPage::curveMenu);
  return whole;
}

QWidget* TrainPage::makeFilm() {
  m_film = new FilmStrip;
  m_film->setWhatsThis(tr("The attention map of the probe images over the steps. A click sets the step, a double click asks that step's student, Ctrl+click asks it beside the student of the step that is shown."));
  m_film->setColorMap(defaultColorMap(Theme::instance().isDark()));
  m_filmPanel = new Panel(QStringLiteral("train.probes"), tr("Probe images"), m_film);
  m_filmLayer = new QComboBox;
  m_filmLayer->setToolTip(tr("The layer whose probe maps are shown"));
  m_filmLayer->setAccessibleName(tr("Layer of the probe maps"));
  actsAs(m_filmLayer, "train.film-layer");
  m_filmPanel->addToHead(m_filmLayer);
  connect(m_filmLayer, &QComboBox::activated, this, [this](int index) {
    m_layer = m_filmLayer->itemData(index).toInt();
    if (const RunRecord* record = m_session.run(m_run)) refreshFilm(*record);
  });
  connect(m_film, &FilmStrip::stepPicked, this, &TrainPage::pickStep);
  connect(m_film, &FilmStrip::activated, this, &TrainPage::inspectProbe);
  connect(m_film, &FilmStrip::comparePicked, this, [this](int step, int row) { compareProbe(row, step); });
  return m_filmPanel;
}

void TrainPage::connectColumn() {
  CheckpointList* checkpoints = m_column->checkpoints();
  connect(m_column, &TrainColumn::stepPicked, this, &TrainPage::pickStep);
  connect(checkpoints, &CheckpointList::inspectRequested, this, [this](const QString& folder) {
    if (!folder.isEmpty()) Q_EMIT inspectFolderRequested(folder);
  });
  connect(checkpoints, &CheckpointList::compareRequested, this, &TrainPage::compareCheckpoints);
  connect(checkpoints, &CheckpointList::useAsStudentRequested, this, [this](const QString& folder) { newRun(folder); });
  connect(checkpoints, &CheckpointList::exportRequested, this, &TrainPage::exportCheckpoint);
  connect(checkpoints, &CheckpointList::folderRequested, this, [](const QString& folder) { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
}

bool TrainPage::canGoOn(const RunRecord& record) const {
  const RunState state = record.status.state;
  return record.driver == RunDriver::None && !record.foreign && (state == RunState::Stopped || state == RunState::Failed) && record.status.step < record.status.totalSteps &&
         std::any_of(record.checkpoints.begin(), record.checkpoints.end(), [](const CheckpointInfo& info) { return info.complete; });
}

void TrainPage::toggle() {
  const RunRecord* record = m_session.run(m_run);
  if (record && canGoOn(*record)) return m_session.relaunchRun(m_run);
  m_session.steer(m_session.refusal(RunAction::Resume, m_run).isEmpty() ? RunAction::Resume : RunAction::Pause, m_run);
}

QString TrainPage::toggleRefusal() const { return m_pause->isEnabled() ? QString() : m_pause->toolTip(); }

void TrainPage::keepIn(const QString& folder) {
  m_folder = folder;
  m_queue->open(folder);
  if (m_form) m_form->keepIn(folder + QStringLiteral("/new-run.json"));
}

void TrainPage::showFailure(const Failure& failure, const QStringList& actions) {
  m_couldNotStart = actions.size() > 1;  // the first leads back to the form
  if (m_couldNotStart) m_failureRun = QString();
  m_error->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
  m_error->setActions(actions);
  m_error->show();
  m_stack->setCurrentIndex(0);  // the message is where the run would be
  refreshControl();
}

const RunColumns& TrainPage::columnsOf(const QString& run) {
  std::shared_ptr<RunColumns>& columns = m_columns[run];
  if (!columns) columns = std::make_shared<RunColumns>();
  if (const RunRecord* record = m_session.run(run)) columns->update(record->steps);
  return *columns;
}

// A run's configuration is the same at every step: it is parsed again when its text or its folder has changed.
const RunConfig& TrainPage::configOf(const RunRecord& record) {
  if (!m_config || record.yaml != m_configYaml || record.status.directory != m_configFolder) {
    std::vector<ConfigIssue> issues;
    m_config = parseConfig(record.yaml.toStdString(), record.status.directory, &issues);
    m_configYaml = record.yaml;
    m_configFolder = record.status.directory;
  }
  return *m_config;
}

QString TrainPage::keepNote(const RunRecord& record) {
  if (record.yaml.isEmpty() || record.foreign) return {};
  const RunConfig& config = configOf(record);
  if (config.trainer.maxCkptToKeep <= 0) return tr("all are kept");
  return tr("keep last %1%2").arg(config.trainer.maxCkptToKeep).arg(config.trainer.saveFreq > 0 ? tr(", every %1 steps").arg(config.trainer.saveFreq) : QString());
}

// Sixty fields take longer to build than the rest of the window: only when they are asked for.
NewRunForm* TrainPage::form() {
  if (m_form) return m_form;
  m_form = new NewRunForm;
  m_formPlace->layout()->addWidget(m_form);
  for (QLineEdit* field : m_form->findChildren<QLineEdit*>()) field->setAcceptDrops(false);  // a dropped file is the window's
  connect(m_form, &NewRunForm::cancelled, this, [this] {
    m_stack->setCurrentIndex(0);
    chooseRun();
  });
  connect(m_form, &NewRunForm::planWanted, this, &TrainPage::askPlan);
  connect(m_form, &NewRunForm::queueRequested, this, [this](const RunConfig& config, RunPlace place) {
    m_queue->add(config, place == RunPlace::Process);
    m_stack->setCurrentIndex(m_run.isEmpty() ? 2 : 0);
  });
  if (!m_folder.isEmpty()) m_form->keepIn(m_folder + QStringLiteral("/new-run.json"));
  Q_EMIT formBuilt();
  connect(m_form, &NewRunForm::startRequested, this, [this](const RunConfig& config, RunPlace place) {
    if (place == RunPlace::Process) return m_session.launchRun(config);
    m_session.startRun(config);
    m_form->setRefusal(m_session.refusal(RunAction::Start).isEmpty() ? tr("The run is being loaded.") : m_session.refusal(RunAction::Start));
  });
  return m_form;
}

bool TrainPage::formShown() const { return m_form && m_stack->currentIndex() == 1; }

void TrainPage::newRun(const QString& student) {
  if (!student.isEmpty()) form()->setStudent(student);
  std::vector<std::pair<QString, QString>> runs;
  for (const QString& name : m_session.runs())
    if (const RunRecord* record = m_session.run(name); record && !record->yaml.isEmpty()) runs.emplace_back(name, record->yaml);
  form()->setRuns(runs);
  form()->setRefusal(m_session.refusal(RunAction::Start));
  m_stack->setCurrentIndex(1);
}

void TrainPage::setOverlay(const QStringList& runs) {
  m_overlay = runs.mid(0, roomForRuns());
  m_overlay.removeAll(m_run);
  for (const QString& name : std::as_const(m_overlay)) m_session.openRun(name);
  fillOverlayMenu();
  schedule();
}

void TrainPage::compareRun(const QString& name) {
  if (name == m_run || !m_session.run(name)) return;
  QStringList next = m_overlay;
  if (next.removeAll(name) == 0) next << name;
  while (next.size() > roomForRuns()) next.removeFirst();
  setOverlay(next);
}

void TrainPage::chooseRun() {
  QString next = m_selection.run();
  if (!m_session.run(next)) next = m_session.ownRun() ? QString::fromStdString(m_session.ownRun()->status.run) : m_session.run(m_run) ? m_run : QString();
  if (next.isEmpty() && !m_session.runs().isEmpty()) next = m_session.liveRuns().isEmpty() ? m_session.runs().first() : m_session.liveRuns().first();
  if (next != m_run) {
    m_run = next;
    m_overlay.removeAll(m_run);
    m_pictures.clear();
    m_probeRows.clear();
    m_asked.clear();
    m_layer = -1;
    m_session.openRun(m_run);  // of an earlier day: its steps are read now
    const RunRecord* chosen = m_session.run(m_run);
    if (chosen && chosen->failure) m_failureRun = m_run, showFailure(*chosen->failure, {tr("Hide")});
    else if (m_failureRun != m_run) m_error->hide();
  }
  // A form that is being filled in stays.
  if (m_stack->currentIndex() != 1) m_stack->setCurrentIndex(m_run.isEmpty() && m_error->isHidden() ? 2 : 0);
  m_column->setRun(m_run);
  refresh();
}

void TrainPage::schedule() {
  if (!m_later->isActive()) m_later->start();
}

void TrainPage::pickStep(int step) { m_selection.setStep(step); }

int TrainPage::cursorStep() const {
  const RunRecord* record = m_session.run(m_run);
  const int newest = !record || record->steps.empty() ? -1 : record->steps.back()->step;
  return m_selection.step() >= 0 ? std::min(m_selection.step(), newest) : newest;
}

// One cursor in curves, strip and checkpoints, where the timeline has it.
void TrainPage::placeCursor() {
  const int step = cursorStep();
  m_curves->setCursorStep(step < 0 ? std::nan("") : step);
  m_film->setCursorStep(step);
  m_column->checkpoints()->setCursorStep(step);
  if (const RunRecord* record = m_session.run(m_run)) m_phases->setData(phasesOf(*record, m_selection.step()));
}

void TrainPage::refresh() {
  const RunRecord* record = m_session.run(m_run);
  refreshControl();
  if (!record) {
    m_curves->setData({}, {});
    m_film->setRows({});
    m_legend->setRuns({});
    m_column->health()->setEvents({}, 0);
    m_column->events()->setRun(nullptr, {});
    m_column->checkpoints()->setCheckpoints(nullptr);
    m_phases->setData({});
    return;
  }
  if (m_notedRun != m_run || record->yaml != m_shownYaml) {  // not at every step: the note of an export stays
    m_notedRun = m_run;
    m_column->setCheckpointNote(keepNote(*record));
  }
  if (record->yaml != m_shownYaml) {  // it arrives after the run's name
    m_shownYaml = record->yaml;
    m_column->setRun(m_run);
  }
  std::vector<const RunRecord*> records{record};
  for (const QString& name : std::as_const(m_overlay))
    if (const RunRecord* other = m_session.run(name)) records.push_back(other);
  std::vector<const RunColumns*> columns;
  for (const RunRecord* each : records) columns.push_back(&columnsOf(QString::fromStdString(each->status.run)));
  if (m_watched != m_run || m_watchedYaml != record->yaml || m_watchedSteps > record->steps.size() || (m_watchedSteps > 0 && columns.front()->size() < m_watchedSteps)) {
    m_watch = HealthWatch(configOf(*record).teacher.privilege != "none");
    m_watched = m_run, m_watchedYaml = record->yaml, m_watchedSteps = 0;
  }
  for (; m_watchedSteps < record->steps.size(); ++m_watchedSteps) m_watch.add(*record->steps[m_watchedSteps]);
  const std::vector<HealthEvent> health = eventsOf(m_watch);
  CurveSet set = curvesOf(records, columns, health);
  if (!record->yaml.isEmpty() && !record->foreign) explainCurves(set, configOf(*record), record->steps, uniformEvidence(*record));
  addGuests(set);
  QStringList names;
  for (const CurveRun& run : set.runs) names << run.name;
  m_legend->setRuns(names);
  m_curves->setData(std::move(set.runs), std::move(set.panels));
  placeColumns();
  m_column->health()->setEvents(health, int(record->steps.size()));
  m_column->events()->setRun(record, health);
  m_column->checkpoints()->setCheckpoints(record);
  refreshFilm(*record);
  placeCursor();
}

void TrainPage::refreshControl() {
  const RunRecord* record = m_session.run(m_run);
  const RunState state = record ? record->status.state : RunState::Ready;
  if (m_form) m_form->setRefusal(m_session.refusal(RunAction::Start));
  m_stateIcon->setVisible(record);
  if (record) {
    m_stateIcon->setPixmap(icon(stateIcon(state), state == RunState::Failed ? colors().danger : colors().text).pixmap(QSize(16, 16), devicePixelRatioF()));
    m_stateIcon->setToolTip(runStateTitle(state));
  }
  m_name->setText(record ? m_run : tr("No run"));
  QStringList rest;
  if (m_session.launching()) rest << tr("a run is being started …");
  if (record) {
    if (state == RunState::Running && record->status.secondsLeft >= 0) rest << tr("about %1 left").arg(durationText(record->status.secondsLeft));
    if (record->driver == RunDriver::Process) rest << (record->pid > 0 ? tr("own process %1").arg(record->pid) : tr("own process"));
    if (record->driver == RunDriver::Elsewhere) rest << (record->pid > 0 ? tr("trained by process %1, followed").arg(record->pid) : tr("followed"));
  }
  m_progress->setText(record ? runStateTitle(state) : QString());
  m_count->setText(record ? tr("%1 of %2").arg(record->status.step).arg(record->status.totalSteps) : QString());
  m_left->setText(rest.join(QStringLiteral(" · ")));
  const QString none = record ? QString() : tr("No run is selected.");
  const bool goOn = record && canGoOn(*record);
  const bool resume = goOn || (record && m_session.refusal(RunAction::Resume, m_run).isEmpty());
  m_pause->setText(goOn ? tr("Go on") : resume ? tr("Resume") : tr("Pause"));
  m_pause->setIcon(icon(resume ? Icon::Play : Icon::Pause));
  m_pause->setProperty("primary", false);
  const auto judge = [&](QWidget* widget, RunAction action, const QString& tip) {
    const QString reason = none.isEmpty() ? m_session.refusal(action, m_run) : none;
    widget->setEnabled(reason.isEmpty());
    widget->setToolTip(reason.isEmpty() ? tip : reason);
  };
  judge(m_pause, resume ? RunAction::Resume : RunAction::Pause, resume ? tr("Go on (Ctrl+P)") : tr("Pause after this unit of work; the student stays loaded and can be inspected (Ctrl+P)"));
  if (goOn) {
    m_pause->setEnabled(!m_session.launching());
    m_pause->setToolTip(m_session.launching() ? tr("A run is being started.") : tr("Go on from the newest checkpoint, as a process of its own"));
  }
  judge(m_checkpoint, RunAction::Checkpoint, tr("Write a checkpoint at the next pause between two units (Ctrl+Shift+S)"));
  judge(m_stop, RunAction::Stop, tr("End the run"));
  m_stopSave->setEnabled(m_stop->isEnabled());
  m_stopDrop->setEnabled(m_stop->isEnabled());
  const QString start = m_session.refusal(RunAction::Start);
  Q_EMIT shownChanged();
  m_new->setToolTip(start.isEmpty() ? tr("Choose a preset and start a run (Ctrl+N)") : tr("Prepare a run. %1").arg(start));
}

void TrainPage::refreshFilm(const RunRecord& record) {
  const std::vector<int> layers = probeLayers(record.steps);
  if (m_filmLayer->count() != (layers.size() > 1 ? int(layers.size()) + 1 : int(layers.size()))) {
    m_filmLayer->clear();
    if (layers.size() > 1) m_filmLayer->addItem(tr("mean of layers"), -1);
    for (const int layer : layers) m_filmLayer->addItem(tr("layer %1").arg(layer), layer);
    m_layer = m_filmLayer->count() ? m_filmLayer->itemData(0).toInt() : -1;
  }
  m_filmLayer->setVisible(!layers.empty());
  const RunConfig& config = configOf(record);
  if (layers.empty()) {
    m_film->setEmptyText(!config.student.cueEnabled           ? tr("This run has no cue module, so there is no sink map to follow.")
                         : config.trainer.probeFreq <= 0       ? tr("Probe images are off for this run (trainer.probe_freq is 0).")
                         : tr("The first probe maps come with the first step, then every %1 steps.").arg(config.trainer.probeFreq));
    m_film->setRows({});
    m_filmPanel->setNote({});
    return;
  }
  askPictures(record);
  m_film->setRows(filmOf(record.steps, m_layer, m_pictures));
  const bool more = record.status.state == RunState::Running || record.status.state == RunState::Paused || record.status.state == RunState::Ready;
  m_film->setPlanned(more ? config.trainer.probeFreq : 0, record.status.totalSteps);
  m_filmPanel->setNote(tr("sink map, %1, mean of heads, %2, every %3 steps").arg(m_layer < 0 ? tr("mean of layers") : tr("layer %1").arg(m_layer), m_film->scaleText()).arg(config.trainer.probeFreq));
}

void TrainPage::askPictures(const RunRecord& record) {
  const RunConfig& config = configOf(record);
  if (config.data.valFiles.empty() || config.data.probeRows.empty() || m_session.engineState() != EngineState::Ready) return;
  const QString file = QString::fromStdString(config.data.valFiles.front());
  if (m_asked.contains(file)) return;
  m_asked.insert(file);
  const auto [low, high] = std::minmax_element(config.data.probeRows.begin(), config.data.probeRows.end());
  constexpr int kMost = 64;  // probe rows far apart are asked for one by one
  if (*high - *low < kMost) {
    m_session.readRows(file, *low, *high - *low + 1);
  } else {
    for (const int row : config.data.probeRows) m_session.readRows(file, row, 1);
  }
}

// The probe row's own question, asked of the student that is kept nearest before the step: the loaded one, or a checkpoint.
void TrainPage::inspectProbe(int row, int step) {
  const RunRecord* record = m_session.run(m_run);
  const QString label = m_film->rowLabel(row);
  const auto found = m_probeRows.constFind(label);
  if (!record) return;
  if (found == m_probeRows.constEnd()) return Q_EMIT said(tr("The row of %1 is not here: its data file was not read.").arg(label));
  InspectRequest request = requestOf(*found);
  const Kept kept = keptAt(*record, step);
  request.student = kept.student;
  request.teacher = kept.teacher;
  if (kept.step < 0) return Q_EMIT said(tr("No student up to step %1 was kept. Checkpoints are written every trainer.save_freq steps.").arg(step));
  m_selection.setStep(step);
  Q_EMIT inspectRequested(request);
}

TrainPage::Kept TrainPage::keptAt(const RunRecord& record, int step) const {
  Kept kept;
  if (m_run == (m_session.ownRun() ? QString::fromStdString(m_session.ownRun()->status.run) : QString()) && m_session.allowed(RunAction::InspectStudent) && record.status.step <= step)
    kept = {record.status.step, kRunStudent, kRunTeacher};
  for (const CheckpointInfo& checkpoint : record.checkpoints)
    if (checkpoint.complete && checkpoint.step <= step && checkpoint.step > kept.step) kept = {checkpoint.step, checkpoint.folder, teacherFolderOf(record)};
  return kept;
}

// The probe image at two steps: the student of the shown step is asked, that of the clicked one reads its answer beside it.
void TrainPage::compareProbe(int row, int step) {
  const RunRecord* record = m_session.run(m_run);
  const QString label = m_film->rowLabel(row);
  const auto found = m_probeRows.constFind(label);
  if (!record) return;
  if (found == m_probeRows.constEnd()) return Q_EMIT said(tr("The row of %1 is not here: its data file was not read.").arg(label));
  Kept shown = keptAt(*record, cursorStep()), other = keptAt(*record, step);
  if (shown.step < 0 || other.step < 0) return Q_EMIT said(tr("No student up to step %1 was kept. Checkpoints are written every trainer.save_freq steps.").arg(shown.step < 0 ? cursorStep() : step));
  if (shown.student == other.student) return Q_EMIT said(tr("Steps %1 and %2 have the same kept student, that of step %3.").arg(cursorStep()).arg(step).arg(shown.step));
  if (other.student == kRunStudent) std::swap(shown, other);  // the loaded student answers, a folder reads beside it
  InspectRequest request = requestOf(*found);
  request.student = shown.student;
  request.teacher = shown.teacher;
  Q_EMIT compareRequested(request, QString::fromStdString(other.student));
}

void TrainPage::compareCheckpoints(const QString& a, const QString& b) {
  const RunRecord* record = m_session.run(m_run);
  const auto first = std::min_element(m_probeRows.cbegin(), m_probeRows.cend(), [](const DataRow& x, const DataRow& y) { return x.index < y.index; });
  InspectRequest probe = first == m_probeRows.cend() ? InspectRequest() : requestOf(*first);
  probe.student = a.toStdString();
  probe.teacher = record ? teacherFolderOf(*record) : std::string();
  Q_EMIT checkpointsCompared(a, b, probe);
}

void TrainPage::takePictures(const DataRows& rows) {
  if (!m_asked.contains(QString::fromStdString(rows.file))) return;
  bool any = false;
  const auto take = [&](const DataRow& row, const QString& label, const std::vector<std::uint8_t>& bytes) {
    if (bytes.empty() || m_pictures.contains(label)) return;
    m_probeRows.insert(label, row);
    const QImage picture = QImage::fromData(bytes.data(), int(bytes.size()));
    if (picture.isNull()) return;
    m_pictures.insert(label, picture.convertToFormat(QImage::Format_RGB32));
    any = true;
  };
  for (const DataRow& row : rows.rows) {
    const QString id = QString::fromStdString(row.id);
    if (row.moreImages.empty()) take(row, id, row.image);
    for (std::size_t i = 0; i < row.moreImages.size() + 1 && !row.moreImages.empty(); ++i) take(row, QStringLiteral("%1 image %2").arg(id).arg(i + 1), i ? row.moreImages[i - 1] : row.image);  // as the run names them
  }
  const RunRecord* record = m_session.run(m_run);
  if (!any || !record) return;
  m_film->setRows({});  // thumbnails were made without their picture
  refreshFilm(*record);
  schedule();  // and the evidence mass of a uniform map is known
}

// What a map without preference would have inside the boxes: the mean over the probe rows with boxes of their cover. Known when
// every probe row has been read and has one picture; until then there is no line. The grid matters only where boxes overlap.
double TrainPage::uniformEvidence(const RunRecord& record) {
  const auto probed = std::find_if(record.steps.begin(), record.steps.end(), [](const StepPtr& step) { return !step->probes.empty(); });
  if (probed == record.steps.end()) return std::nan("");
  const ProbeMap& map = (*probed)->probes.front();
  double sum = 0;
  int count = 0;
  for (const int wanted : configOf(record).data.probeRows) {
    const auto row = std::find_if(m_probeRows.cbegin(), m_probeRows.cend(), [wanted](const DataRow& each) { return each.index == wanted; });
    if (row == m_probeRows.cend() || row->pictures > 1) return std::nan("");
    const QSize size = m_pictures.value(QString::fromStdString(row->id)).size();
    ImageView view;
    view.width = size.width(), view.height = size.height(), view.gridRows = map.gridRows, view.gridCols = map.gridCols;
    const std::vector<float> cover = evidenceCover(view, row->evidence, 0);
    if (std::none_of(cover.begin(), cover.end(), [](float c) { return c > 0; })) continue;
    sum += std::accumulate(cover.begin(), cover.end(), 0.0) / double(cover.size());
    ++count;
  }
  return count ? sum / count : std::nan("");
}

void TrainPage::fillOverlayMenu() {
  QMenu* menu = m_overlayButton->menu();
  menu->clear();
  for (const QString& name : m_session.runs()) {
    if (name == m_run) continue;
    QAction* action = menu->addAction(name);
    action->setCheckable(true);
    action->setChecked(m_overlay.contains(name));
    action->setEnabled(action->isChecked() || m_overlay.size() < roomForRuns());
    connect(action, &QAction::toggled, this, [this, name](bool on) {
      on ? m_overlay.append(name) : void(m_overlay.removeAll(name));
      if (on) m_session.openRun(name);  // of an earlier day: its steps are read now
      QTimer::singleShot(0, this, &TrainPage::fillOverlayMenu);
      schedule();
    });
  }
  m_overlayButton->setEnabled(!menu->isEmpty());
  m_overlayButton->setToolTip(menu->isEmpty() ? tr("There is no other run to lay over this one.") : tr("Lay other runs over this one (three at most)"));
}

void TrainPage::placeColumns() {
  const int width = m_curveArea->viewport()->width(), columns = width >= kThreeColumns ? 3 : width >= 480 ? 2 : 1;
  m_curves->setColumns(columns);
  const int rows = (int(m_curves->panels().size()) + columns - 1) / columns;
  m_curves->setMinimumHeight(std::max(1, rows) * kCurveHeight);
}

void TrainPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  placeColumns();
  followSize();
  // Said once a crossing, so that a line that a person moved stays.
  if ((height() < kLow) == m_low || m_filmPanel->parentWidget() != m_down) return;
  m_low = height() < kLow;
  const int curves = 30 + (m_low ? 2 : 3) * kCurveHeight + 2;
  m_down->setSizes({curves, std::max(120, height() - curves - 90)});
}

void TrainPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  sizeOnce();
}

// The engine is asked between two units of whatever it does; an older question that still waits is dropped.
void TrainPage::askPlan(const RunConfig& config) {
  if (m_session.engineState() != EngineState::Ready) return m_form->setPlanFailure(tr("The engine is not ready."));
  const QPointer<QObject> self(this);
  m_session.submit("plan", [this, self, config](Engine& engine, const EventSink&, std::stop_token) {
    try {
      Session::reply(self, [this, plan = engine.plan(config)] { m_form->setPlan(plan); });
    } catch (...) {
      Session::reply(self, [this, failure = currentFailure("planning a run")] { m_form->setPlanFailure(QString::fromStdString(failure.what + (failure.why.empty() ? "" : ": " + failure.why))); });
    }
  });
}

void TrainPage::exportCheckpoint(const QString& folder) {
  if (folder.isEmpty()) return;
  auto* dialog = new QFileDialog(this, tr("Folder for the model"), QDir::homePath());
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(QFileDialog::Directory);
  connect(dialog, &QFileDialog::fileSelected, this, [this, folder](const QString& parent) { exportCheckpointTo(folder, parent + QLatin1Char('/') + m_run + QLatin1Char('-') + QFileInfo(folder).fileName()); });
  dialog->open();
}

void TrainPage::exportCheckpointTo(const QString& folder, const QString& output) {
  const QPointer<QObject> self(this);
  m_column->setCheckpointNote(tr("exporting …"));
  const QString task = QStringLiteral("export ") + output;
  m_session.setTask(task, tr("Exporting %1").arg(QFileInfo(output).fileName()), [this, self, task] {
    if (!self) return;
    m_session.cancelJobs(task.toStdString());
    m_session.endTask(task);
    const RunRecord* record = m_session.run(m_run);
    m_column->setCheckpointNote(record ? keepNote(*record) : QString());
    Q_EMIT said(tr("Nothing was exported"));
  });
  m_session.submit(task.toStdString(), [this, self, folder, output, task, progress = m_session.taskSink(task)](Engine& engine, const EventSink&, std::stop_token stop) {
    try {
      const std::string written = engine.exportModel(folder.toStdString(), output.toStdString(), progress, stop);
      Session::reply(self, [this, written, task] {
        m_session.endTask(task);
        m_column->setCheckpointNote(tr("exported to %1").arg(QString::fromStdString(written)));
        Q_EMIT modelExported(QString::fromStdString(written));
      });
    } catch (const Cancelled&) {
    } catch (...) {
      Session::reply(self, [this, task, failure = currentFailure("exporting a model")] {
        m_session.endTask(task);
        const RunRecord* record = m_session.run(m_run);
        m_column->setCheckpointNote(record ? keepNote(*record) : QString());
        showFailure(failure, {tr("Hide")});
      });
    }
  }, false);
}

}  // namespace cuescope
