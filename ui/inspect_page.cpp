#include "ui/inspect_page.h"

#include <QApplication>
#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QTimer>
#include <QToolButton>
#include <QUndoStack>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/export.h"
#include "ui/inspection_view.h"
#include "ui/layouts.h"
#include "ui/panels/alignment_panel.h"
#include "ui/panels/ask_bar.h"
#include "ui/preferences.h"
#include "ui/panels/capture_settings.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/lens_panel.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/steps_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "ui/undo.h"
#include "ui/workspace.h"
#include "widgets/change_bars.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"
#include "widgets/frame_strip.h"
#include "widgets/icons.h"
#include "widgets/matrix_view.h"

namespace cuescope {
namespace {

constexpr int kDemoAnswerTokens = 64;

}  // namespace

HeadMaps headMaps(const Inspection& inspection, const SelectionState& selection, int image) {
  HeadMaps maps;
  const AttentionStack* stack = stackOf(inspection, selection);
  const int query = stack ? queryOf(inspection, *stack, selection) : -1;
  if (query < 0 || image < 0 || image >= int(inspection.images.size())) return maps;
  const ImageView& view = inspection.images[std::size_t(image)];
  maps.layers = stack->layers;
  maps.heads = stack->heads;
  maps.headsAveraged = stack->headsAveraged;
  maps.gridRows = view.gridRows;
  maps.gridCols = view.gridCols;
  maps.uniform = 1.0 / std::max(1, stack->keys);
  maps.injection = stack->site == Site::CueRecovery;
  maps.signedValues = stack->site == Site::GradientAttention || stack->site == Site::Occlusion;
  const std::size_t patches = std::size_t(view.gridRows) * std::size_t(view.gridCols);
  maps.values.reserve(stack->layers.size() * std::size_t(stack->heads) * patches);
  for (std::size_t l = 0; l < stack->layers.size(); ++l)
    for (int h = 0; h < stack->heads; ++h) {
      const float* map = stack->map(std::size_t(query), l, std::size_t(h)) + view.firstVisual;
      maps.values.insert(maps.values.end(), map, map + patches);
    }
  return maps;
}

InspectPage::InspectPage(Session& session, Selection& selection, Workspace& workspace, QWidget* parent)
    : QWidget(parent), RoomyPage(this), m_session(session), m_selection(selection), m_workspace(workspace), m_undo(new QUndoStack(this)) {
  build();
  defaultPlaces();
  connectPanels();
  connectSession();
  updateWhatIf();
  updateSteps();
}

InspectPage::~InspectPage() = default;

void InspectPage::build() {
  auto* whole = new QVBoxLayout(this);
  whole->setContentsMargins(0, 0, 0, 0);
  whole->setSpacing(0);
  auto* top = new QWidget;
  auto* topColumn = new QVBoxLayout(top);
  topColumn->setContentsMargins(0, 0, 0, 0);
  topColumn->setSpacing(0);
  m_ask = new AskBar(m_workspace);
  m_unseen = new Strip(26, Strip::Ground::Window);
  auto* mark = new QLabel;
  mark->setPixmap(icon(Icon::Caution, colors().caution).pixmap(16, 16));
  m_unseenText = new ElidedLabel;
  m_unseen->row()->addWidget(mark);
  m_unseen->row()->addWidget(m_unseenText, 1);
  m_unseen->hide();
  m_error = new ErrorPanel;
  m_error->hide();
  m_map = new MapPanel(m_selection);
  m_captureSettings = new CaptureSettings;
  m_captureSettings->hide();
  topColumn->addWidget(m_ask);
  topColumn->addWidget(m_captureSettings);
  topColumn->addWidget(m_unseen);
  topColumn->addWidget(m_error);
  topColumn->addWidget(m_map, 1);

  m_whatIf = new WhatIfPanel;
  m_tokens = new TokensPanel(m_selection);
  m_matrix = new MatrixView;
  m_matrix->setAccessibleName(tr("Matrix of layers and heads"));
  m_matrix->setWhatsThis(tr("The same map at every layer and head, on one scale. A click chooses layer and head, Ctrl+click puts that map beside the shown one; a double click goes to the canvas."));
  m_matrix->setEmptyText(tr("No maps yet"));
  m_shares = new SharesPanel(m_selection);
  m_model = new ModelPanel;
  m_steps = new StepsPanel(m_selection);
  m_recipe = new QPlainTextEdit;
  m_recipe->setReadOnly(true);
  m_recipe->setFont(monoFont(11));
  m_recipe->setFrameShape(QFrame::NoFrame);
  m_recipe->setTabChangesFocus(true);
  m_recipe->setAccessibleName(tr("Recipe of this view"));
  m_recipe->setWhatsThis(tr("What it takes to make this view again: digests of model and image, step, request, and how it is drawn. It is written beside every exported figure."));
  m_distributions = new DistributionsPanel(m_selection);
  m_change = new ChangeBars;
  m_change->setEmptyText(tr("No what if yet"), tr("Its distribution before and after stands here"));
  m_change->setWhatsThis(tr("The judged token's distribution before and after the last what if."));
  m_lens = new LensPanel(m_selection);
  m_alignment = new AlignmentPanel;
  m_cueScore = new CueScorePanel;
  const auto add = [this](const char* name, const QString& title, QWidget* content) {
    m_panels.push_back(new Panel(QLatin1String(name), title, content));
    return m_panels.back();
  };
  Panel* tokens = add("tokens", tr("Tokens"), m_tokens);
  tokens->setBar(m_tokens->bar());
  m_matrixPanel = add("matrix", tr("Matrix"), m_matrix);
  add("distributions", tr("Distributions"), m_distributions);
  add("alignment", tr("Alignment"), m_alignment);
  add("cue-score", tr("Cue score"), m_cueScore);
  Panel* whatIf = add("what-if", tr("What if"), m_whatIf);
  whatIf->setBar(m_whatIf->bar());
  m_sharesPanel = add("shares", tr("Shares"), m_shares);
  add("model", tr("Model"), m_model);
  m_stepsPanel = add("steps", tr("Steps"), m_steps);
  m_recipePanel = add("recipe", tr("Recipe"), m_recipe);
  add("change", tr("Before, after"), m_change);
  m_lensPanel = add("lens", tr("Logit lens"), m_lens);
  for (const char* name : {"distributions", "change", "lens", "alignment"}) growWithRoom(panel(name));

  m_left = madeSplitter(Qt::Vertical);
  m_left->addWidget(top);
  m_left->setStretchFactor(0, 1);
  m_right = madeSplitter(Qt::Vertical);
  m_columns = madeSplitter(Qt::Horizontal);
  m_columns->addWidget(m_left);
  m_columns->addWidget(m_right);
  m_columns->setStretchFactor(0, 716);
  m_columns->setStretchFactor(1, 667);
  whole->addWidget(m_columns);
  markPage(this);
}

void InspectPage::connectPanels() {
  connect(m_ask, &AskBar::asked, this, [this] { ask(); });
  connect(m_ask->captureButton(), &QToolButton::toggled, this, [this](bool on) {
    m_captureSettings->setVisible(on);
    if (on) m_captureSettings->layersField()->setFocus(Qt::OtherFocusReason);
  });
  connect(m_captureSettings, &CaptureSettings::changed, this, [this] {
    const QString words = m_captureSettings->words();
    m_ask->captureButton()->setToolTip(words.isEmpty() ? tr("Which layers and tokens are captured, and the memory they may take") : tr("Captured: %1").arg(words));
    updateCapture();  // another choice costs something else
  });
  connect(m_ask, &AskBar::cancelled, this, &InspectPage::cancelLooks);
  connect(m_ask, &AskBar::cancelled, &m_session, &Session::cancel);
  connect(m_ask, &AskBar::openRequested, this, &InspectPage::openRequested);
  connect(m_ask, &AskBar::addRequested, this, &InspectPage::addPictureDialog);
  connect(m_ask, &AskBar::besideChanged, this, &InspectPage::lookBeside);
  connect(&m_selection, &Selection::changed, this, &InspectPage::refresh);
  connect(m_matrix, &MatrixView::selected, this, [this](int layer, int head) {
    SelectionState next = m_selection.state();
    next.layer = layer;
    next.head = head;
    m_selection.set(next);
  });
  connect(m_matrix, &MatrixView::compared, this, [this](int layer, int head) {
    SelectionState other = m_selection.state();
    other.layer = layer;
    other.head = head;
    m_map->compareTo(other);
  });
  // A click has chosen the cell already; going deeper is looking at its map in the canvas.
  connect(m_matrix, &MatrixView::activated, this, [this] { m_map->canvas()->setFocus(Qt::OtherFocusReason); });
  for (Panel* each : {m_sharesPanel, m_stepsPanel, m_recipePanel, m_lensPanel}) connect(each, &Panel::cameToFront, this, &InspectPage::refreshHidden);
  connect(m_map, &MapPanel::computeRequested, this, &InspectPage::computeCausal);
  connect(m_map, &MapPanel::captureRequested, this, [this] { m_capturing ? cancelLooks() : captureSelected(true); });
  connect(m_map, &MapPanel::regionChanged, this, &InspectPage::updateWhatIf);
  connect(m_map, &MapPanel::regionDrawn, this, [this](const std::vector<int>& before, const std::vector<int>& after) {
    pushEdit(this, tr("region of %1 patches").arg(after.size()), [this, after] { m_map->setRegion(after); }, [this, before] { m_map->setRegion(before); }, QStringLiteral("region"));
  });
  connect(m_map, &MapPanel::patchesPicked, this, [this] {
    const int patch = m_map->canvas()->selectedPatch();
    m_tokens->setPicked(m_map->view().image, patch >= 0 ? std::vector<int>{patch} : std::vector<int>{});
  });
  connect(m_map, &MapPanel::regionChanged, this, [this] { m_tokens->setPicked(m_map->view().image, m_map->pickedPatches()); });
  connect(m_map, &MapPanel::patchActivated, this, [this](int patch) {
    if (!m_inspection || m_selection.site() != Site::Vision || m_inspection->images.empty()) return;
    SelectionState next = m_selection.state();
    const int query = m_inspection->images[std::size_t(m_map->view().image)].firstVisual + patch;
    next.visionQuery = next.visionQuery == query ? -1 : query;
    m_selection.set(next);
  });
  connect(m_map, &MapPanel::besideEnded, this, [this] {
    m_besideLook.reset();
    m_tokens->setBeside({});
    m_distributions->setBeside({});
    const QSignalBlocker block(m_ask->besideChooser());
    m_ask->setBeside({});
  });
  connect(m_map, &MapPanel::viewChanged, this, [this] {
    m_matrix->setColorMap(m_map->view().map);
    m_steps->setColorMap(m_map->view().map);
    if (m_recipePanel->isInFront()) updateRecipe();
    Q_EMIT viewChanged();
  });
  connect(m_whatIf, &WhatIfPanel::runRequested, this, &InspectPage::runWhatIf);
  connect(m_whatIf, &WhatIfPanel::clearRequested, this, &InspectPage::forgetRegion);
  connect(m_distributions, &DistributionsPanel::continueRequested, this, [this](qint64 id, const QString& text) {
    m_whatIf->resetChoices();
    m_whatIf->setForced(id, text);
    runWhatIf();
  });
  connect(m_tokens, &TokensPanel::spanChanged, m_distributions, &DistributionsPanel::setSpan);
  connect(m_tokens, &TokensPanel::spanChanged, this, &InspectPage::viewChanged);
  connect(m_lens, &LensPanel::computeRequested, this, [this] { captureSite(Site::LogitLens, true); });
  connect(m_steps, &StepsPanel::lookRequested, this, &InspectPage::lookOverSteps);
  connect(m_steps, &StepsPanel::cancelRequested, this, &InspectPage::cancelLooks);
  connect(m_steps, &StepsPanel::stepChosen, this, [this](int step) {
    m_selection.setStep(step);
  });
  connect(m_steps, &StepsPanel::comparisonChosen, this, [this](int step) {
    const auto found = m_steps->looks().find(step);
    if (found == m_steps->looks().end()) return;
    if (m_besideLook) return m_selection.setStep(step);  // two at most: A is replaced
    besideArrived(found->second, tr("step %1").arg(step));
  });
  connect(m_error, &ErrorPanel::actionChosen, this, [this](int index) {
    m_error->hide();
    if (index == 0) Q_EMIT openRequested();
  });
}

// The view that has the focus is the one that is exported and copied; floating panels count too.
void InspectPage::followFocus(QWidget* now) {
  for (QWidget* at = now; at; at = at->parentWidget()) {
    if (at == m_map) return setExportView(m_map->frames()->isVisible() && now == m_map->frames() ? QStringLiteral("frames") : QStringLiteral("map"));
    if (at == m_tokens) return setExportView(QStringLiteral("tokens"));
    if (at == m_whatIf) return setExportView(QStringLiteral("change"));
    if (at == m_alignment) return setExportView(QStringLiteral("alignment"));
    if (at == m_cueScore) return setExportView(QStringLiteral("cue-score"));
    if (at == m_matrix) return setExportView(QStringLiteral("matrix"));
    if (at == m_shares) return setExportView(QStringLiteral("shares"));
    if (at == m_model) return setExportView(QStringLiteral("model"));
    if (at == m_steps) return setExportView(QStringLiteral("steps"));
    if (at == m_distributions) return setExportView(QStringLiteral("distributions"));
    if (at == m_change) return setExportView(QStringLiteral("change"));
    if (at == m_lens) return setExportView(QStringLiteral("lens"));
  }
}

void InspectPage::connectSession() {
  connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) { followFocus(now); });
  connect(&m_session, &Session::inspectionStarted, this, [this] {
    m_error->hide();
    cancelLooks();
    m_ask->setBusy(true);
    m_tokens->beginStreaming();
  });
  connect(&m_session, &Session::tokenArrived, this, [this](const TokenArrived& arrived) { m_tokens->append(arrived.token); });
  connect(&m_session, &Session::inspectionArrived, this, [this](const InspectionPtr& inspection) {
    m_ask->setBusy(false);
    if (inspection->id == m_sent.id) m_shownRequest = m_sent;
    arrived(inspection);
  });
  connect(&m_session, &Session::inspectionCancelled, this, [this] {
    m_ask->setBusy(false);
    m_tokens->setInspection(m_inspection);
  });
  connect(&m_session, &Session::inspectionFailed, this, [this](qint64, const Failure& failure) {
    m_ask->setBusy(false);
    m_tokens->setInspection(m_inspection);
    if (m_inspection && !m_shownRequest.student.empty()) {  // the bar names the picture that is shown; the question stays as typed
      InspectRequest back = m_ask->request();
      back.images = m_shownRequest.images;
      back.imageBytes = m_shownRequest.imageBytes;
      back.moreImages = m_shownRequest.moreImages;
      back.imageLabel = m_shownRequest.imageLabel;
      back.sampleId = m_shownRequest.sampleId;
      back.evidence = m_shownRequest.evidence;
      m_ask->setRequest(back);
    }
    showFailure(failure);
  });
  connect(&m_session, &Session::whatIfArrived, this, [this](const WhatIfPtr& answer) {
    if (answer->id == m_causalId) m_map->setCausal(causalSentence(*answer, tr("Erase top 5 %")), false);
    if (answer->id == m_whatIfId) showAnswer(answer);
    updateWhatIf();
  });
  connect(&m_session, &Session::whatIfFailed, this, [this](qint64 id, const Failure& failure) {
    if (id == m_causalId) m_map->setCausal({}, false);
    m_whatIf->setFailure(failure);
    updateWhatIf();
  });
  connect(&m_session, &Session::actionsChanged, this, [this] {
    const RunRecord* own = m_session.ownRun();
    if (own) {
      std::vector<ConfigIssue> issues;
      const RunConfig config = parseConfig(own->yaml.toStdString(), own->status.directory, &issues);
      QString result = QString::fromStdString(resolvePath(config.student.path));
      for (const CheckpointInfo& checkpoint : own->checkpoints)
        if (checkpoint.complete) result = QString::fromStdString(checkpoint.folder);
      m_ask->setRunResult(result, QString::fromStdString(resolvePath(config.teacher.path)));
    }
    m_ask->setRunAvailable(own && m_session.allowed(RunAction::InspectStudent) ? QString::fromStdString(own->status.run) : QString());
    updateWhatIf();
    updateSteps();
  });
  for (auto signal : {&Session::runAdded}) connect(&m_session, signal, this, &InspectPage::updateSteps);
  connect(&m_session, &Session::checkpointWritten, this, &InspectPage::updateSteps);
  connect(&m_session, &Session::busyChanged, this, [this] {
    updateWhatIf();
    if (m_session.inspecting()) return;
    updateCapture();  // what waited for the answer to be whole
    if (isVisible() && std::exchange(m_followLater, false)) followStep();
    if (m_besideWanted) lookBeside();
  });
}

void InspectPage::ask() {
  InspectRequest request = m_ask->request();
  request.response.clear();  // the ids of a rollout were that look's; a person asks anew
  request.responseIds.clear();
  ask(request);
}

void InspectPage::ask(const InspectRequest& request) {
  // A model that is not listed yet, a checkpoint say, is one from now on: the bar offers listed ones alone and would keep another.
  for (const std::string& model : {request.student, request.teacher})
    if (!model.empty() && model != kRunStudent && model != kRunTeacher) m_workspace.addModel(QString::fromStdString(model));
  if (const QString wrong = m_captureSettings->complaint(); !wrong.isEmpty()) {
    m_ask->captureButton()->setChecked(true);
    return showFailure({"This cannot be captured", wrong.toStdString(), "layers and tokens are numbers and ranges", "Write 0-3, 8, or leave the field empty for all."});
  }
  m_ask->setRequest(request);
  m_sent = m_ask->request();
  m_captureSettings->apply(m_sent);
  if (m_sent.sampling.maxNew == SamplingOptions().maxNew) m_sent.sampling.maxNew = Preferences::instance().number(preference::kAnswerTokens);
  // The demo's answers are short; before a strange picture its models ramble to the limit.
  const QString student = QString::fromStdString(m_sent.student);
  if (m_workspace.isDemo(student)) m_sent.sampling.maxNew = std::min(m_sent.sampling.maxNew, kDemoAnswerTokens);
  m_sent.id = m_session.inspect(m_sent);
}

void InspectPage::openPicture(const QString& file) {
  m_ask->setPicture(file);
  if (m_ask->questionField()->text().trimmed().isEmpty()) m_ask->questionField()->setText(kindOf(file) == PathKind::Video ? tr("Describe the video.") : tr("Describe the image."));
  m_ask->cueField()->clear();
  if (m_ask->askButton()->isEnabled()) ask();
  else m_ask->focusQuestion();
}

void InspectPage::openPictures(const QStringList& files) {
  if (files.isEmpty()) return;
  m_ask->setPicture(files.front());
  for (qsizetype i = 1; i < files.size(); ++i) m_ask->addPicture(files[i]);
  if (m_ask->questionField()->text().trimmed().isEmpty()) m_ask->questionField()->setText(tr("Describe the images."));
  m_ask->cueField()->clear();
  if (m_ask->askButton()->isEnabled()) ask();
  else m_ask->focusQuestion();
}

void InspectPage::openPicture(const std::vector<std::uint8_t>& encoded, const QString& label) {
  m_ask->setPicture(encoded, label);
  if (m_ask->questionField()->text().trimmed().isEmpty()) m_ask->questionField()->setText(tr("Describe the image."));
  m_ask->cueField()->clear();
  if (m_ask->askButton()->isEnabled()) ask();
  else m_ask->focusQuestion();
}

void InspectPage::show(const InspectionPtr& inspection) {
  m_error->hide();
  m_shownRequest = {};
  m_sent = {};
  m_session.show(inspection);
}

void InspectPage::forgetRegion() {
  const std::vector<int> before = m_map->region();
  if (before.empty()) return;
  pushEdit(this, tr("no region"), [this] { m_map->setRegion({}); }, [this, before] { m_map->setRegion(before); });
}

void InspectPage::useModel(const QString& folder) {
  m_ask->setStudent(folder);
}

void InspectPage::inspectRun(const QString& run) {
  m_ask->setRunAvailable(run);
  m_ask->setStudent(QString::fromLatin1(kRunStudent));
  if (m_ask->askButton()->isEnabled()) ask();
}

void InspectPage::arrived(const InspectionPtr& inspection) {
  const bool sinkIsNew = !inspection->cueRecovery.empty() && (!m_inspection || m_inspection->cueRecovery.empty());
  const bool anotherAnswer = m_inspection && m_shownRequest.responseIds.empty() && (m_inspection->question != inspection->question || m_inspection->studentImageDigest != inspection->studentImageDigest);
  cancelLooks();
  ++m_generation;
  m_captureKey.clear();
  m_inspection = beginSteps(inspection);
  m_besideLook.reset();
  m_error->hide();
  if (!m_shownRequest.student.empty()) m_ask->setRequest(m_shownRequest);
  SelectionState first = m_selection.state();
  first.prompt = first.visionQuery = -1;
  if (sinkIsNew) first.site = Site::CueRecovery;  // the first look at a student with the module shows what the module sees
  if (anotherAnswer) first.token = -1;  // the chosen token is of an answer to something else
  if (first.token < 0) {  // nothing chosen yet: where student and teacher differ most
    for (int t = 0; t < int(inspection->distributions.size()); ++t) {
      const auto size = [&](int token) { return std::abs(inspection->distributions[std::size_t(token)].gap()); };
      if (first.token < 0 || size(t) > size(first.token)) first.token = t;
    }
  }
  if (!m_lookRun.isEmpty()) {
    // The timeline stands where the look is from, unless this look is what it shows for its step anyway (a response of step s was
    // written by the weights before it).
    std::string folder;
    if (first.run != m_lookRun || first.step < 0 || keptStep(first.step, &folder) != m_inspection->step) first.step = m_inspection->step;
    first.run = m_lookRun;
  }
  m_selection.correct(fitted(*m_inspection, first));
  m_tokens->setBeside({});
  m_map->setInspection(m_inspection);
  m_whatIf->resetChoices();
  fillPanels();
  m_besideWanted = !m_ask->beside().isEmpty();
  if (m_besideWanted) lookBeside();
  Q_EMIT viewChanged();
}

void InspectPage::fillPanels() {
  m_tokens->setInspection(m_inspection);
  m_distributions->setInspection(m_inspection);
  m_alignment->setInspection(m_inspection);
  m_whatIf->clearAnswer();
  m_change->setChange({});
  m_causalId = m_whatIfId = 0;
  m_map->setTimelineStep(!m_lookRun.isEmpty() && m_lookRun == m_selection.run() ? m_selection.step() : -1);
  m_map->setCausal({}, false);
  m_shares->setInspection(m_inspection);
  m_lens->setInspection(m_inspection);
  m_model->setModel(QString::fromStdString(m_inspection->student.folder), m_inspection->student);
  refreshMatrix();
  m_cueScore->setMap(m_inspection, m_map->slice());
  updateUnseen();
  updateWhatIf();
  updateCapture();
  updateSteps();
  if (m_recipePanel->isInFront()) updateRecipe();
}

// Another site of the same look has arrived: what is chosen stays.
void InspectPage::extend(const InspectionPtr& inspection) {
  m_inspection = inspection;
  if (!m_lookRun.isEmpty()) keepLook(inspection->step, inspection, m_shownRequest.student);
  m_selection.correct(fitted(*inspection, m_selection.state()));
  m_map->extendInspection(inspection);
  m_shares->setInspection(inspection);
  m_lens->setInspection(inspection);
  refreshMatrix();
  m_tokens->refresh();
  m_cueScore->setMap(inspection, m_map->slice());
  updateWhatIf();
  updateCapture();
  if (m_recipePanel->isInFront()) updateRecipe();
  Q_EMIT viewChanged();
}

// Only values that are here already are sliced: everything follows within a frame. Panels behind tabs wait until they are seen.
void InspectPage::refresh(Selection::Parts parts) {
  if (parts & Selection::Run) updateSteps();
  if (parts & (Selection::Run | Selection::Step)) followStep();
  if (!m_inspection) return;
  SelectionState fit = fitted(*m_inspection, m_selection.state());
  fit.sample = m_selection.sample();  // another page may have chosen another one; what is shown here does not take it back
  if (!(fit == m_selection.state())) {
    m_misfit = !isVisible();  // a token of another page's response is that page's until this one is shown
    if (!m_misfit) m_selection.correct(fit);  // comes back here with what exists
    return;
  }
  const bool map = parts & (Selection::Token | Selection::SitePart | Selection::Layer | Selection::Head);
  if (map) m_map->refresh();
  if (parts & (Selection::Token | Selection::SitePart | Selection::Layer | Selection::Head)) m_tokens->refresh();
  if (parts & Selection::Token) {
    m_distributions->refresh();
    m_whatIf->clearAnswer();
    m_whatIf->setForced(-1, {});
    m_change->setChange({});
    m_whatIfId = 0;
  }
  const bool ofToken = m_selection.site() != Site::CueRecovery && m_selection.site() != Site::Vision;
  if ((parts & Selection::SitePart) || ((parts & Selection::Token) && ofToken)) refreshMatrix();
  m_matrix->setSelection(m_selection.layer(), m_selection.head());
  if (map) {
    refreshHidden();
    m_cueScore->setMap(m_inspection, m_map->slice());
    // The causal number belongs to one map and one token: another map has not been tried yet.
    m_causalId = 0;
    updateWhatIf();
    updateCapture();
  }
  Q_EMIT viewChanged();
}

void InspectPage::refreshHidden() {
  if (m_sharesPanel->isInFront()) m_shares->refresh();
  if (m_stepsPanel->isInFront()) m_steps->refresh();
  if (m_recipePanel->isInFront()) updateRecipe();
  if (m_lensPanel->isInFront()) m_lens->refresh();
}

void InspectPage::refreshMatrix() {
  const HeadMaps maps = m_inspection ? headMaps(*m_inspection, m_selection.state(), m_map->view().image) : HeadMaps{};
  if (maps.empty()) m_matrix->setEmptyText(m_inspection ? m_map->slice().why : tr("No maps yet. They come with the answer."));
  m_matrix->setMaps(maps);
  m_matrix->setSelection(m_selection.layer(), m_selection.head());
  m_matrixPanel->setNote(m_matrix->scaleText());
}

Panel* InspectPage::panel(const char* name) const {
  const auto found = std::find_if(m_panels.begin(), m_panels.end(), [&](const Panel* each) { return each->objectName() == QLatin1String(name); });
  return found == m_panels.end() ? nullptr : *found;
}

void InspectPage::showTab(const QString& name) {
  if (Panel* shown = panel(name.toLatin1().constData())) shown->bringToFront();
  refreshHidden();
}

void InspectPage::showFailure(const Failure& failure) {
  m_error->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why),
                      QString::fromStdString(failure.nextStep));
  m_error->setActions({tr("Choose another file"), tr("Dismiss")});
  m_error->show();
}

// The demo's models know drawn scenes alone. A picture of anything else is answered all the same, and the window says so.
void InspectPage::updateUnseen() {
  const bool demo = m_inspection && (m_workspace.isDemo(QString::fromStdString(m_inspection->student.folder)) || m_inspection->student.vocabulary <= 1024);
  const bool own = m_inspection && m_inspection->evidence.empty() && !m_inspection->images.empty();
  m_unseen->setVisible(demo && own);
  if (demo && own)
    m_unseenText->setText(tr("The demo model has never seen a picture like this one."),
                          tr("It knows drawn scenes of coloured shapes; its answer and its map say nothing about real models."));
}

void InspectPage::stepLayer(int by) {
  const AttentionStack* stack = m_inspection ? stackOf(*m_inspection, m_selection.state()) : nullptr;
  if (!stack) return;
  const auto at = std::find(stack->layers.begin(), stack->layers.end(), m_selection.layer()) - stack->layers.begin();
  m_selection.setLayer(stack->layers[std::size_t(std::clamp<std::ptrdiff_t>(at + by, 0, std::ptrdiff_t(stack->layers.size()) - 1))]);
}

void InspectPage::stepHead(int by) {
  const AttentionStack* stack = m_inspection ? stackOf(*m_inspection, m_selection.state()) : nullptr;
  if (!stack || stack->headsAveraged || stack->heads <= 1) return;
  m_selection.setHead(std::clamp(m_selection.head() + by, kHeadMean, stack->heads - 1));
}

void InspectPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  sizeOnce();
  if (std::exchange(m_followLater, false)) followStep();
  if (std::exchange(m_misfit, false)) refresh(Selection::Token | Selection::SitePart | Selection::Layer | Selection::Head);
}

void InspectPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  followSize();
}

}  // namespace cuescope
