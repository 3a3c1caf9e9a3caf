#include "ui/main_window.h"

#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDateTime>
#include <QDir>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QLineEdit>
#include <QMenuBar>
#include <QMimeData>
#include <QPainter>
#include <QPlainTextEdit>
#include <QSettings>
#include <QSplitter>
#include <QStackedWidget>
#include <QStandardPaths>
#include <QUndoGroup>
#include <QVBoxLayout>

#include <algorithm>

#include "engine/core/capture.h"
#include "engine/core/evaluation_file.h"
#include "ui/command_palette.h"
#include "ui/data_page.h"
#include "ui/drags.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/layouts.h"
#include "ui/models/row_request.h"
#include "ui/navigator.h"
#include "ui/navigator_rail.h"
#include "ui/notice_bar.h"
#include "ui/page_bar.h"
#include "ui/page_holder.h"
#include "ui/panel_mover.h"
#include "ui/preferences.h"
#include "ui/sample_walk.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/session_file.h"
#include "ui/settings_dialog.h"
#include "ui/start_page.h"
#include "ui/status_strip.h"
#include "ui/timeline_bar.h"
#include "ui/undo.h"
#include "ui/view_menu.h"
#include "ui/what_is_this.h"
#include "widgets/empty_panel.h"
#include "widgets/token_strip.h"

namespace cuescope {
MainWindow::MainWindow(Session& session, QWidget* parent) : QMainWindow(parent), m_session(session) {
  setWindowTitle(QStringLiteral("Cuescope"));
  setAcceptDrops(true);
  auto* central = new QWidget;
  auto* column = new QVBoxLayout(central);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  m_bar = new PageBar({tr("Inspect"), tr("Train"), tr("Rollouts"), tr("Data"), tr("Evaluate")});
  m_body = new QSplitter(Qt::Horizontal);
  m_body->setHandleWidth(1);
  m_body->setChildrenCollapsible(false);
  m_navigator = new Navigator(session, m_workspace);
  m_stack = new QStackedWidget;
  m_stack->setObjectName(QStringLiteral("pages"));
  m_start = new StartPage(session, m_workspace);
  m_inspect = new InspectPage(session, m_selection, m_workspace);
  m_data = new DataPage(session, m_workspace);
  m_stack->addWidget(hold(m_inspect));
  m_stack->addWidget(new QWidget);  // the Train page, when it is first needed
  m_stack->addWidget(new QWidget);  // Rollouts, the same
  m_stack->addWidget(hold(m_data));
  m_stack->addWidget(new QWidget);  // Evaluate, the same
  m_stack->addWidget(hold(m_start));
  m_body->addWidget(m_navigator);
  m_body->addWidget(m_stack);
  m_body->setStretchFactor(1, 1);
  m_navigatorWidth = kNavigatorWidth;
  m_body->setSizes({kNavigatorWidth, 1384});
  m_timeline = new TimelineBar(session, m_selection);
  m_status = new StatusStrip(session);
  m_notice = new NoticeBar;
  column->addWidget(m_bar);
  column->addWidget(m_notice);
  column->addWidget(m_body, 1);
  column->addWidget(m_timeline);
  column->addWidget(m_status);
  setCentralWidget(central);
  m_mover = new PanelMover(this);
  connect(m_mover, &PanelMover::moveRequested, this, &MainWindow::choosePanelMove);
  qApp->installEventFilter(new WhatIsThis(this));
  qApp->installEventFilter(new ViewMenu(*this));
  qApp->installEventFilter(new ViewDrag(*this));
  m_palette = new CommandPalette(this);
  Preferences::instance().applyLooks();
  const auto scale = [this] {
    m_exportScale = Preferences::instance().number(preference::kExportScale);
    m_inspect->setExportScale(m_exportScale);
  };
  scale();
  connect(&Preferences::instance(), &Preferences::changed, this, [scale](const QString& key) {
    if (key == QLatin1String(preference::kExportScale)) scale();
  });
  m_undo = new QUndoGroup(this);
  for (QLineEdit* field : findChildren<QLineEdit*>()) field->setAcceptDrops(false);
  for (QPlainTextEdit* field : findChildren<QPlainTextEdit*>()) field->setAcceptDrops(false);
  buildActions();
  bindControls(this);
  connectSession();
  restoreState();
  showStart();
  refreshSelectionBar();
  refreshActions();
}

// Pages and their undo stacks go after this object's own members: nothing of theirs may call back.
MainWindow::~MainWindow() {
  m_undo->disconnect(this);
  if (m_sessionFile) m_sessionFile->write(sessionState(), true);  // an orderly end is no crash
}

void MainWindow::connectSession() {
  connect(m_bar, &PageBar::pageChosen, this, [this](int page) { setPage(Page(page)); });
  connect(m_bar, &PageBar::partChosen, this, &MainWindow::choosePart);
  connect(m_bar, &PageBar::pinChanged, this, &MainWindow::pinPage);
  connect(&m_selection, &Selection::changed, this, [this](Selection::Parts parts) {
    if (parts & Selection::Run) {
      m_session.openRun(m_selection.run());  // of an earlier day: it is read when it is looked at
      m_navigator->selectRun(m_selection.run());
    }
    refreshSelectionBar();
    refreshActionsSoon();
  });
  connect(m_start, &StartPage::sceneChosen, this, [this](const InspectRequest& request, bool whatIf) {
    m_whatIfWanted = whatIf;
    setPage(Inspect);
    m_inspect->ask(request);
  });
  connect(m_start, &StartPage::trainChosen, this, [this] { startDemoRun(); });
  connect(m_start, &StartPage::openRequested, this, &MainWindow::openDialog);
  connect(m_start, &StartPage::recentChosen, this, &MainWindow::openPath);
  connect(m_inspect, &InspectPage::openRequested, this, &MainWindow::openDialog);
  connect(m_inspect, &InspectPage::viewChanged, this, &MainWindow::refreshActionsSoon);
  connect(m_data, &DataPage::openRequested, this, &MainWindow::openDialog);
  connect(m_data, &DataPage::stateChanged, this, &MainWindow::refreshActionsSoon);
  connect(m_data, &DataPage::said, this, [this](const QString& words) { m_status->say(words); });
  connect(m_data, &DataPage::rowChosen, this, [this](const DataRow& row) {
    InspectRequest request = m_inspect->askBar()->request();
    request.images.clear();
    request.response.clear();  // of a rollout that was looked at before
    request.responseIds.clear();
    const InspectRequest asked = requestOf(row);
    request.imageBytes = asked.imageBytes;
    request.moreImages = asked.moreImages;
    request.imageLabel = asked.imageLabel;
    request.sampleId = asked.sampleId;
    request.question = asked.question;
    request.cue = asked.cue;
    request.evidence = asked.evidence;
    m_sampleFrom = Data;
    setPage(Inspect);
    m_inspect->ask(request);
  });
  connect(m_navigator, &Navigator::addRequested, this, &MainWindow::openDialog);
  connect(m_navigator, &Navigator::forgetRequested, this, [this](const QString& path) { forgetPaths(tr("Take %1 out of the list").arg(QFileInfo(path).fileName()), {path}); });
  connect(m_navigator, &Navigator::railRequested, this, &MainWindow::setRail);
  connect(m_navigator, &Navigator::modelActivated, this, &MainWindow::openPath);
  connect(m_navigator, &Navigator::dataActivated, this, &MainWindow::openPath);
  connect(m_navigator, &Navigator::captureActivated, this, &MainWindow::openPath);
  connect(m_navigator, &Navigator::runChosen, &m_selection, &Selection::setRun);
  connect(m_navigator, &Navigator::runCompared, this, [this](const QString& name) {
    setPage(Train);
    m_train->shownRun().isEmpty() ? m_selection.setRun(name) : m_train->compareRun(name);
    m_navigator->selectRun(m_train->shownRun());
  });
  connect(m_navigator, &Navigator::modelCompared, this, [this](const QString& path) {
    setPage(Inspect);
    m_inspect->askBar()->setBeside(QDir::cleanPath(path));
  });
  connect(m_navigator, &Navigator::runActivated, this, [this](const QString& name) {
    m_selection.setRun(name);
    setPage(Train);
  });
  connect(m_timeline, &TimelineBar::checkpointActivated, this, &MainWindow::openPath);
  connect(&m_session, &Session::modelOpened, this, [this](const ModelInfo& model) {
    const QString folder = QString::fromStdString(model.folder);
    m_workspace.addModel(folder);
    m_workspace.setModelDetail(folder, model.parameters >= 1'000'000'000 ? QStringLiteral("%1 B").arg(double(model.parameters) / 1e9, 0, 'f', 2)
                                                                         : QStringLiteral("%1 M").arg(double(model.parameters) / 1e6, 0, 'f', 1));
    m_inspect->useModel(QDir::cleanPath(folder));
    m_status->say(tr("%1 is open").arg(QString::fromStdString(model.name)));
  });
  connect(&m_session, &Session::modelFailed, this, [this](const QString&, const Failure& failure) {
    setPage(Inspect);
    m_inspect->showFailure(failure);
  });
  connect(&m_session, &Session::inspectionArrived, this, [this](const InspectionPtr& inspection) {
    if (m_whatIfWanted) {
      m_whatIfWanted = false;
      m_inspect->map()->setRegion(evidencePatches(*inspection, 0));
      m_inspect->map()->command(QStringLiteral("brush"));
    }
    m_status->say(tr("Answer and maps in %1").arg(durationText(inspection->seconds)));
    refreshDemoMark();
  });
  connect(&m_session, &Session::runAdded, this, [this](const QString& name) {
    m_selection.setRun(name);
    refreshDemoMark();
  });
  connect(&m_session, &Session::runFailed, this, [this](const QString&, const Failure& failure) { m_status->say(QString::fromStdString(failure.what)); });
  connect(&m_session, &Session::checkpointWritten, this, [this](const QString&, const QString& folder) { m_status->say(tr("Checkpoint %1").arg(QFileInfo(folder).fileName())); });
  // A GPU that is there and not used costs hours: it is said once, wherever the person is.
  connect(&m_session, &Session::doctorArrived, this, [this] {
    for (const DoctorLine& line : m_session.doctorLines())
      if (line.name == kDoctorGpu && !line.ok) m_notice->say(troubleText(line), {{tr("Device"), tr("Choose where models run, in Settings"), [this] { SettingsDialog::open(*this, QLatin1String(preference::kDevice)); }}});
  });
  connect(&m_session, &Session::actionsChanged, this, &MainWindow::refreshActions);
  connect(&m_session, &Session::actionsChanged, this, &MainWindow::refreshDemoMark);
  connect(&m_session, &Session::busyChanged, this, &MainWindow::refreshActions);
  for (auto signal : {&QUndoGroup::canUndoChanged, &QUndoGroup::canRedoChanged}) connect(m_undo, signal, this, &MainWindow::refreshUndo);
  for (auto signal : {&QUndoGroup::undoTextChanged, &QUndoGroup::redoTextChanged}) connect(m_undo, signal, this, &MainWindow::refreshUndo);
}

// Half of the window's widgets are on this page: the first paint does not wait for them.
TrainPage* MainWindow::trainPage() {
  if (m_train) return m_train;
  m_train = new TrainPage(m_session, m_selection);
  placePage(Train, m_train);
  connect(m_train, &TrainPage::formBuilt, this, [this] { bindControls(m_train->form()); });
  connect(m_train, &TrainPage::shownChanged, this, &MainWindow::refreshActionsSoon);
  connect(m_train, &TrainPage::exportRequested, this, [this](const QString& view) {
    m_train->setCurrentView(view);
    exportDialog();
  });
  // A checkpoint opens as a model; a probe image is asked again of the student of its step.
  connect(m_train, &TrainPage::inspectFolderRequested, this, &MainWindow::openPath);
  connect(m_train, &TrainPage::inspectRequested, this, &MainWindow::inspectRequest);
  connect(m_train, &TrainPage::compareRequested, this, [this](const InspectRequest& request, const QString& beside) {
    m_workspace.addModel(beside);  // the bar offers listed models alone
    inspectRequest(request);
    m_inspect->askBar()->setBeside(beside);
  });
  // The question that Inspect shows is asked of both, else the run's first probe image.
  connect(m_train, &TrainPage::checkpointsCompared, this, [this](const QString& a, const QString& b, const InspectRequest& probe) {
    for (const QString& folder : {a, b}) m_workspace.addModel(folder);  // the bar offers listed models alone
    InspectRequest request = m_inspect->askBar()->hasPicture() ? m_inspect->askBar()->request() : probe;
    request.student = probe.student;
    if (!probe.teacher.empty()) request.teacher = probe.teacher;
    request.response.clear();
    request.responseIds.clear();
    setPage(Inspect);
    if (!request.images.empty() || !request.imageBytes.empty()) m_inspect->ask(request);
    else m_inspect->useModel(a);
    m_inspect->askBar()->setBeside(b);
  });
  connect(m_train, &TrainPage::said, this, [this](const QString& words) { m_status->say(words); });
  return m_train;
}

// A pinned page has a selection of its own; the others share one, which goes with the person from page to page.
void MainWindow::pinPage(bool pinned) {
  if (pinned) {
    m_shared = m_selection.state();
    m_pins.insert(page(), m_selection.state());
  } else {
    m_pins.remove(page());  // what was chosen here is everyone's again
  }
}

void MainWindow::changeSelection(Page from, Page to) {
  if (from == to) return;
  if (m_pins.contains(from)) m_pins[from] = m_selection.state();
  else m_shared = m_selection.state();
  m_bar->setPinned(m_pins.contains(to));
  if (m_pins.contains(from) || m_pins.contains(to)) m_selection.correct(m_pins.value(to, m_shared));
}

void MainWindow::setPage(Page page) {
  m_startShown = false;
  const Page before = this->page();
  if (page == Train) trainPage();
  if (page == Rollouts) rolloutsPage();
  if (page == Evaluate) evaluatePage();
  m_bar->setPage(page);
  m_stack->setCurrentIndex(page);
  changeSelection(before, page);
  adoptPage();
  refreshUndo();
  refreshSelectionBar();
  refreshActions();
}

MainWindow::Page MainWindow::page() const {
  return Page(m_bar->page());
}

void MainWindow::showStart() {
  m_startShown = true;
  m_bar->setPage(Inspect);
  m_stack->setCurrentIndex(PageCount);
  refreshUndo();
  refreshActions();
  m_start->cardButton(0)->setFocus();
}

bool MainWindow::onStart() const {
  return m_startShown;
}

void MainWindow::refreshDemoMark() {
  const InspectionPtr& shown = m_inspect->inspection();
  const RunRecord* run = m_session.run(m_selection.run());
  const bool demo = (shown && m_workspace.isDemo(QString::fromStdString(shown->student.folder))) || (run && run->yaml.contains(QStringLiteral("demo:")));
  m_status->setDemoMark(demo ? tr("Demo: tiny models, drawn scenes") : QString());
}

void MainWindow::refreshSelectionBar() {
  const SelectionState& s = m_selection.state();
  const InspectionPtr& shown = m_inspect->inspection();
  m_bar->setValue(0, s.run);
  m_bar->setValue(1, s.step >= 0 ? QString::number(s.step) : QString());
  const SampleWalk* from = page() == Data || page() == Evaluate ? walk() : nullptr;
  m_bar->setValue(2, from && from->sampleAt() >= 0 ? from->currentSample() : s.sample);
  QString token;
  if (shown && s.token >= 0 && s.token < int(shown->response.size()))
    token = QStringLiteral("%1 “%2”").arg(s.token).arg(tokenWords(shown->response[std::size_t(s.token)]));
  m_bar->setValue(3, token);
  m_bar->setValue(4, shown ? siteTitle(s.site) : QString());
  m_bar->setValue(5, shown && s.layer >= 0 ? QString::number(s.layer) : QString());
  m_bar->setValue(6, shown ? headName(s.head) : QString());
  for (int i = 2; i < 7; ++i) m_bar->cell(i)->setDimmed(page() != Inspect && !(page() == Rollouts && i < 4) && !(i == 2 && (page() == Data || page() == Evaluate)));
}

// The choices of one part of the selection, in the palette: it lists them and accepts typing.
void MainWindow::choosePart(int part) {
  std::vector<PaletteEntry> entries;
  const InspectionPtr& shown = m_inspect->inspection();
  const AttentionStack* stack = shown ? stackOf(*shown, m_selection.state()) : nullptr;
  const auto put = [&](const QString& title, const QString& detail, std::function<void()> run) { entries.push_back({title, detail, {}, std::move(run), {}}); };
  switch (part) {
    case 0:
      for (const QString& name : m_session.runs()) put(name, {}, [this, name] { m_selection.setRun(name); });
      break;
    case 1:
      if (const RunRecord* run = m_session.run(m_selection.run()))
        for (const StepPtr& step : run->steps) put(QString::number(step->step), {}, [this, n = step->step] { m_selection.setStep(n); });
      break;
    case 2:
      if (SampleWalk* from = walk(); from && from->sampleCount() > 0) {
        constexpr int kListed = 2000;
        for (int i = 0; i < std::min(kListed, from->sampleCount()); ++i) {
          const auto [id, detail] = from->sampleName(i);
          put(id, detail, [this, from, i] { from->goToSample(i, page() == Inspect); });
        }
        break;
      }
      for (const SceneExample& scene : m_start->scenes()) put(scene.id, scene.question, [this, scene] {
          setPage(Inspect);
          m_inspect->ask(scene.request(m_workspace));
        });
      break;
    case 3:
      if (shown)
        for (int t = 0; t < int(shown->response.size()); ++t)
          put(QStringLiteral("%1 “%2”").arg(t).arg(tokenWords(shown->response[std::size_t(t)])), {}, [this, t] { m_selection.setToken(t); });
      break;
    case 4:
      if (shown)
        for (int s = 0; s < kSites; ++s)
          if (siteExists(*shown, Site(s))) put(siteTitle(Site(s)), siteExplanation(Site(s)), [this, s] { m_selection.setSite(Site(s)); });
      break;
    case 5:
      if (stack)
        for (int layer : stack->layers) put(QString::number(layer), {}, [this, layer] { m_selection.setLayer(layer); });
      break;
    case 6:
      if (stack) {
        put(QStringLiteral("mean"), {}, [this] { m_selection.setHead(kHeadMean); });
        if (!stack->headsAveraged) {
          put(QStringLiteral("max"), {}, [this] { m_selection.setHead(kHeadMax); });
          for (int h = 0; h < stack->heads; ++h) put(QString::number(h), {}, [this, h] { m_selection.setHead(h); });
        }
      }
      break;
  }
  if (entries.empty()) entries.push_back({tr("Nothing to choose from yet"), {}, {}, {}, tr("It fills with the first answer or run.")});
  m_palette->open(std::move(entries), tr("Type or choose"));
}

void MainWindow::openPaths(const QStringList& paths) {
  // Several pictures at once are one question.
  QStringList pictures, rest;
  for (const QString& path : paths) (kindOf(path) == PathKind::Image || kindOf(path) == PathKind::Video ? pictures : rest) << path;
  if (pictures.size() > 1) {
    setPage(Inspect);
    m_inspect->openPictures(pictures);
  } else {
    rest = paths;
  }
  for (const QString& path : rest) openPath(path);
}

void MainWindow::openPath(const QString& path) {
  const PathKind kind = kindOf(path);
  const QString clean = QDir::cleanPath(path);
  if (kind == PathKind::Missing) {
    setPage(Inspect);
    m_inspect->showFailure({"This is not there", clean.toStdString(), "the file or folder does not exist any more", "Choose another one."});
    return;
  }
  m_workspace.addRecent(clean);
  if (kind != PathKind::Image && kind != PathKind::Video && isEvaluationFile(clean.toStdString())) {
    setPage(Evaluate);
    return evaluatePage()->openFile(clean);
  }
  switch (kind) {
    case PathKind::Model:
      setPage(Inspect);
      m_session.openModel(clean);
      break;
    case PathKind::Foreign: openForeign(clean); break;
    case PathKind::Data:
      m_workspace.addData(clean);
      setPage(Data);
      m_data->openFile(clean);
      break;
    case PathKind::Run: {
      Failure failure;
      if (m_session.followRun(clean, &failure)) setPage(Train);
      else m_inspect->showFailure(failure);
      break;
    }
    case PathKind::Capture: openCapture(clean); break;
    case PathKind::Unknown:
      setPage(Inspect);
      // A folder, or the weights of one: the engine says why it is no model. Any other file is tried as a picture.
      if (QFileInfo(clean).isDir()) m_session.openModel(clean);
      else if (QStringList{QStringLiteral("safetensors"), QStringLiteral("bin"), QStringLiteral("pt"), QStringLiteral("pth"), QStringLiteral("pkl")}.contains(QFileInfo(clean).suffix()))
        m_session.openModel(QFileInfo(clean).absolutePath());
      else m_inspect->openPicture(clean);
      break;
    default:
      setPage(Inspect);
      m_inspect->openPicture(clean);
      break;
  }
}

void MainWindow::openCapture(const QString& path) {
  setPage(Inspect);
  try {
    m_inspect->show(readCapture(path.toStdString()).inspection);
    m_workspace.addCapture(path);
  } catch (...) {
    m_inspect->showFailure(currentFailure("opening a capture"));
  }
}

void MainWindow::pasteImage() {
  const QMimeData* data = QApplication::clipboard()->mimeData();
  if (data->hasUrls()) {
    for (const QUrl& url : data->urls())
      if (url.isLocalFile()) openPath(url.toLocalFile());
    return;
  }
  const QImage image = qvariant_cast<QImage>(data->imageData());
  if (image.isNull()) return m_status->say(tr("There is no picture on the clipboard"));
  const QByteArray bytes = pngBytes(image);
  setPage(Inspect);
  m_inspect->openPicture({bytes.begin(), bytes.end()}, tr("pasted image"));
}

void MainWindow::openDialog() {
  auto* dialog = new QFileDialog(this, tr("Open"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(QFileDialog::ExistingFiles);
  dialog->setNameFilters({tr("Everything that opens (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.mp4 *.avi *.mov *.mkv *.webm *.parquet *.jsonl *.capture *.scores.json config.json config.yaml)"), tr("All files (*)")});
  connect(dialog, &QFileDialog::filesSelected, this, [this](const QStringList& files) {
    for (const QString& file : files) {
      const QFileInfo info(file);  // a folder is named by its configuration
      openPath(info.fileName() == u"config.json" || info.fileName() == u"config.yaml" ? info.absolutePath() : file);
    }
  });
  dialog->open();
}

bool MainWindow::startDemoRun(int steps) {
  const QString refusal = m_session.refusal(RunAction::Start);
  if (!refusal.isEmpty()) {
    m_status->say(refusal);
    return false;
  }
  setPage(Train);
  const QStringList presets = m_workspace.presets();
  const auto preset = std::find_if(presets.begin(), presets.end(), [](const QString& file) {
    const QString name = QFileInfo(file).fileName();
    return file.contains(u"/demo/") && name.contains(u"opd") && !name.contains(u"opsd") && name.contains(u"vicur");
  });
  if (preset == presets.end()) {
    m_status->say(tr("The demo's preset OPD+ViCuR is not in the resources"));
    return false;
  }
  std::vector<ConfigIssue> issues;
  RunConfig config = readConfig(preset->toStdString(), &issues);
  config.trainer.name = (QStringLiteral("demo-opd-vicur-") + QDateTime::currentDateTime().toString(QStringLiteral("MMdd-HHmmss"))).toStdString();
  if (!m_runsFolder.isEmpty()) config.trainer.directory = m_runsFolder.toStdString();
  if (steps > 0) config.trainer.totalTrainingSteps = steps;
  if (issues.empty()) issues = validate(config);
  if (!issues.empty()) {
    m_status->say(QString::fromStdString(issues.front().key + ": " + issues.front().message));
    return false;
  }
  m_session.startRun(config);
  return true;
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  // A view that is carried out is no picture to ask about; what comes from the navigator is taken where something offers it.
  const QMimeData* data = event->mimeData();
  if (data->hasFormat(kCurveMime) || (!data->hasFormat(kViewMime) && (data->hasUrls() || data->hasImage() || data->hasFormat(kRunMime)))) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  if (event->mimeData()->hasFormat(kViewMime)) return;
  if (dropInside(*this, event->position().toPoint(), *event->mimeData(), true)) return event->acceptProposedAction();
  if (event->source() || event->mimeData()->hasFormat(kCurveMime)) return;  // a row of the navigator or a curve that nothing there takes: it is open already
  QStringList paths;
  for (const QUrl& url : event->mimeData()->urls())
    if (url.isLocalFile()) paths << url.toLocalFile();
  event->acceptProposedAction();
  openPaths(paths);
}

void MainWindow::closeEvent(QCloseEvent* event) {
  saveState();
  if (m_sessionFile) m_sessionFile->write(sessionState(), true);
  QMainWindow::closeEvent(event);
}

void MainWindow::setNavigatorWidth(int width) {
  m_navigatorWidth = width;
  if (!m_navigator->isRail()) m_body->setSizes({width, std::max(1, m_body->width() - width - m_body->handleWidth())});
}

// Folded, the navigator is a rail of icons; its width comes back with it.
void MainWindow::setRail(bool rail) {
  if (rail != m_navigator->isRail()) {
    if (rail) m_navigatorWidth = m_navigator->width();
    m_navigator->setRail(rail);
    const int taken = rail ? NavigatorRail::kWidth : m_navigatorWidth;
    m_body->setSizes({taken, std::max(1, m_body->width() - taken - m_body->handleWidth())});
  }
  if (QAction* action = m_actions.value(QStringLiteral("view.navigator"))) action->setChecked(!rail);
}

void MainWindow::resizeEvent(QResizeEvent* event) {
  QMainWindow::resizeEvent(event);
  if (const int search = width() < 1000 ? 52 : 300; m_search && m_search->width() != search) {
    m_search->setFixedWidth(search);
    for (QWidget* words : m_search->findChildren<QWidget*>(QStringLiteral("words"))) words->setVisible(search > 100);
    // The menu bar asks its corner for its size only when it is resized itself.
    QResizeEvent again(menuBar()->size(), menuBar()->size());
    QCoreApplication::sendEvent(menuBar(), &again);
  }
  // Below 1400 the navigator gives its room to the page; F9 brings it back.
  const bool narrow = width() < kNarrow;
  if (narrow == m_narrow) return;
  m_narrow = narrow;
  setRail(narrow);
}

}  // namespace cuescope
