#include "ui/inspect_page.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QDataStream>
#include <QFileInfo>
#include <QLineEdit>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ui/inspection_view.h"
#include "ui/panels/alignment_panel.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"
#include "widgets/icons.h"
#include "widgets/matrix_view.h"

namespace cuescope {
namespace {

QSplitter* splitter(Qt::Orientation orientation) {
  auto* s = new QSplitter(orientation);
  s->setHandleWidth(1);
  s->setChildrenCollapsible(false);
  return s;
}

constexpr int kDemoAnswerTokens = 64;

// The patches with the largest 5 % of a map, at least one.
std::vector<int> topPatches(const MapSlice& slice, double share) {
  std::vector<int> order(slice.values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto n = std::max<std::size_t>(1, std::size_t(std::lround(share * double(order.size()))));
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return slice.values[std::size_t(a)] > slice.values[std::size_t(b)]; });
  order.resize(std::min(n, order.size()));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

InspectPage::InspectPage(Session& session, Selection& selection, Workspace& workspace, QWidget* parent)
    : QWidget(parent), m_session(session), m_selection(selection), m_workspace(workspace) {
  auto* whole = new QVBoxLayout(this);
  whole->setContentsMargins(0, 0, 0, 0);
  whole->setSpacing(0);

  auto* top = new QWidget;
  auto* topColumn = new QVBoxLayout(top);
  topColumn->setContentsMargins(0, 0, 0, 0);
  topColumn->setSpacing(0);
  m_ask = new AskBar(workspace);
  m_unseen = new Strip(26, Strip::Ground::Window);
  auto* mark = new QLabel;
  mark->setPixmap(icon(Icon::Caution, colors().caution).pixmap(16, 16));
  m_unseenText = new ElidedLabel;
  m_unseen->row()->addWidget(mark);
  m_unseen->row()->addWidget(m_unseenText, 1);
  m_unseen->hide();
  m_error = new ErrorPanel;
  m_error->hide();
  m_map = new MapPanel(selection);
  topColumn->addWidget(m_ask);
  topColumn->addWidget(m_unseen);
  topColumn->addWidget(m_error);
  topColumn->addWidget(m_map, 1);

  m_whatIf = new WhatIfPanel;
  m_tokens = new TokensPanel(selection);
  auto* tokensPanel = new Panel(QStringLiteral("tokens"), tr("Tokens"), m_tokens);
  m_left = splitter(Qt::Vertical);
  m_left->addWidget(top);
  m_left->addWidget(m_whatIf);
  m_left->addWidget(tokensPanel);
  m_left->setStretchFactor(0, 1);
  m_whatIf->setFixedHeight(98);

  m_matrix = new MatrixView;
  m_matrix->setAccessibleName(tr("Matrix of layers and heads"));
  m_matrix->setEmptyText(tr("No maps yet"));
  m_matrixPanel = new Panel(QStringLiteral("matrix"), tr("Matrix"), m_matrix);
  m_distributions = new DistributionsPanel(selection);
  auto* distributionsPanel = new Panel(QStringLiteral("distributions"), tr("Distributions"), m_distributions);
  m_alignment = new AlignmentPanel;
  auto* alignmentPanel = new Panel(QStringLiteral("alignment"), tr("Alignment"), m_alignment);
  m_cueScore = new CueScorePanel;
  m_cueScorePanel = new Panel(QStringLiteral("cue-score"), tr("Cue score"), m_cueScore);
  m_panels = {tokensPanel, m_matrixPanel, distributionsPanel, alignmentPanel, m_cueScorePanel};
  m_lowerRight = splitter(Qt::Vertical);
  m_lowerRight->addWidget(alignmentPanel);
  m_lowerRight->addWidget(m_cueScorePanel);
  m_lower = splitter(Qt::Horizontal);
  m_lower->addWidget(distributionsPanel);
  m_lower->addWidget(m_lowerRight);
  m_right = splitter(Qt::Vertical);
  m_right->addWidget(m_matrixPanel);
  m_right->addWidget(m_lower);
  m_columns = splitter(Qt::Horizontal);
  m_columns->addWidget(m_left);
  m_columns->addWidget(m_right);
  whole->addWidget(m_columns);
  resetLayout();

  connect(m_ask, &AskBar::asked, this, [this] { ask(); });
  connect(m_ask, &AskBar::cancelled, &m_session, &Session::cancel);
  connect(m_ask, &AskBar::openRequested, this, &InspectPage::openRequested);
  connect(&m_selection, &Selection::changed, this, &InspectPage::refresh);
  connect(m_matrix, &MatrixView::selected, this, [this](int layer, int head) {
    SelectionState next = m_selection.state();
    next.layer = layer;
    next.head = head;
    m_selection.set(next);
  });
  connect(m_map, &MapPanel::computeRequested, this, &InspectPage::computeCausal);
  connect(m_map, &MapPanel::regionChanged, this, &InspectPage::updateWhatIf);
  connect(m_map, &MapPanel::viewChanged, this, [this] {
    m_matrix->setColorMap(m_map->view().map);
    Q_EMIT viewChanged();
  });
  connect(m_whatIf, &WhatIfPanel::runRequested, this, &InspectPage::runWhatIf);
  connect(m_whatIf, &WhatIfPanel::clearRequested, m_map, &MapPanel::clearRegion);
  connect(m_error, &ErrorPanel::actionChosen, this, [this](int index) {
    m_error->hide();
    if (index == 0) Q_EMIT openRequested();
  });

  connect(&m_session, &Session::inspectionStarted, this, [this] {
    m_error->hide();
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
      back.imageLabel = m_shownRequest.imageLabel;
      back.sampleId = m_shownRequest.sampleId;
      back.evidence = m_shownRequest.evidence;
      m_ask->setRequest(back);
    }
    showFailure(failure);
  });
  connect(&m_session, &Session::whatIfArrived, this, [this](const WhatIfPtr& answer) {
    if (answer->id == m_causalId) m_map->setCausal(causalSentence(*answer, tr("Erase top 5 %")), false);
    if (answer->id == m_whatIfId) m_whatIf->setAnswer(answer);
    updateWhatIf();
  });
  connect(&m_session, &Session::whatIfFailed, this, [this](qint64 id, const Failure& failure) {
    if (id == m_causalId) m_map->setCausal({}, false);
    m_whatIf->setFailure(failure);
    updateWhatIf();
  });
  connect(&m_session, &Session::actionsChanged, this, [this] {
    const RunRecord* own = m_session.ownRun();
    m_ask->setRunAvailable(own && m_session.allowed(RunAction::InspectStudent) ? QString::fromStdString(own->status.run) : QString());
    updateWhatIf();
  });
  connect(&m_session, &Session::busyChanged, this, &InspectPage::updateWhatIf);
  updateWhatIf();
}

void InspectPage::ask() {
  ask(m_ask->request());
}

void InspectPage::ask(const InspectRequest& request) {
  m_ask->setRequest(request);
  m_sent = m_ask->request();
  // The demo's answers are short; before a strange picture its models ramble to the limit.
  const QString student = QString::fromStdString(m_sent.student);
  if (m_workspace.isDemo(student)) m_sent.sampling.maxNew = std::min(m_sent.sampling.maxNew, kDemoAnswerTokens);
  m_sent.id = m_session.inspect(m_sent);
}

void InspectPage::openPicture(const QString& file) {
  m_ask->setPicture(file);
  if (m_ask->questionField()->text().trimmed().isEmpty()) m_ask->questionField()->setText(tr("Describe the image."));
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
  m_inspection = inspection;
  m_error->hide();
  if (!m_shownRequest.student.empty()) m_ask->setRequest(m_shownRequest);
  SelectionState first = m_selection.state();
  if (sinkIsNew) first.site = Site::CueRecovery;  // the first look at a student with the module shows what the module sees
  if (first.token < 0) {  // nothing chosen yet: where student and teacher differ most
    for (int t = 0; t < int(inspection->distributions.size()); ++t) {
      const auto size = [&](int token) { return std::abs(inspection->distributions[std::size_t(token)].gap()); };
      if (first.token < 0 || size(t) > size(first.token)) first.token = t;
    }
  }
  m_selection.correct(fitted(*inspection, first));
  m_tokens->setInspection(inspection);
  m_map->setInspection(inspection);
  m_distributions->setInspection(inspection);
  m_alignment->setInspection(inspection);
  m_whatIf->clearAnswer();
  m_causalId = m_whatIfId = 0;
  refreshMatrix();
  m_cueScore->setMap(inspection, m_map->slice());
  updateUnseen();
  updateWhatIf();
  Q_EMIT viewChanged();
}

// Only values that are here already are sliced: everything follows within a frame.
void InspectPage::refresh(Selection::Parts parts) {
  if (!m_inspection) return;
  const SelectionState fit = fitted(*m_inspection, m_selection.state());
  if (!(fit == m_selection.state())) {
    m_selection.correct(fit);  // comes back here with what exists
    return;
  }
  m_map->refresh();
  if (parts & (Selection::Token | Selection::SitePart | Selection::Layer)) m_tokens->refresh();
  if (parts & Selection::Token) {
    m_distributions->refresh();
    m_whatIf->clearAnswer();
    m_whatIfId = 0;
  }
  if ((parts & Selection::SitePart) || ((parts & Selection::Token) && m_selection.site() == Site::SelfAttention)) refreshMatrix();
  m_matrix->setSelection(m_selection.layer(), m_selection.head());
  m_cueScore->setMap(m_inspection, m_map->slice());
  // The causal number belongs to one map and one token: another map has not been tried yet.
  m_causalId = 0;
  updateWhatIf();
  Q_EMIT viewChanged();
}

void InspectPage::refreshMatrix() {
  HeadMaps maps;
  const AttentionStack* stack = m_inspection ? stackOf(*m_inspection, m_selection.site()) : nullptr;
  if (stack && !m_inspection->images.empty()) {
    const ImageView& view = m_inspection->images[std::size_t(m_map->view().image)];
    const std::size_t query = m_selection.site() == Site::SelfAttention ? std::size_t(std::max(0, m_selection.token())) : 0;
    maps.layers = stack->layers;
    maps.heads = stack->heads;
    maps.headsAveraged = stack->headsAveraged;
    maps.gridRows = view.gridRows;
    maps.gridCols = view.gridCols;
    maps.uniform = 1.0 / stack->keys;
    maps.injection = stack->site == Site::CueRecovery;
    for (std::size_t l = 0; l < stack->layers.size(); ++l)
      for (int h = 0; h < stack->heads; ++h) {
        const std::vector<float> values = sliceValues(*stack, view, query, l, h);
        maps.values.insert(maps.values.end(), values.begin(), values.end());
      }
  } else {
    m_matrix->setEmptyText(m_inspection ? m_map->slice().why : tr("No maps yet. They come with the answer."));
  }
  m_matrix->setMaps(maps);
  m_matrix->setSelection(m_selection.layer(), m_selection.head());
  m_matrixPanel->setNote(m_matrix->scaleText());
}

QString InspectPage::whatIfRefusal() const {
  if (!m_inspection) return tr("Ask a question first.");
  if (m_shownRequest.student.empty()) return tr("A capture reopens without its model, so nothing can be tried on it.");
  if (m_session.inspecting()) return tr("An answer is being computed.");
  if (m_selection.token() < 0) return tr("Choose a token of the response first.");
  return {};
}

void InspectPage::updateWhatIf() {
  const QString token = m_inspection && m_selection.token() >= 0 && m_selection.token() < int(m_inspection->response.size())
                            ? tokenWords(m_inspection->response[std::size_t(m_selection.token())])
                            : QString();
  const QString refusal = whatIfRefusal();
  m_whatIf->setState(int(m_map->region().size()), token, m_session.asking(), refusal);
  if (m_causalId == 0) m_map->setCausal({}, false, refusal);
}

void InspectPage::runWhatIf() {
  if (!whatIfRefusal().isEmpty() || m_map->region().empty()) return;
  WhatIfRequest request;
  request.base = m_shownRequest;
  for (const Token& token : m_inspection->response) request.base.responseIds.push_back(token.id);
  request.change = m_whatIf->change();
  const int first = m_inspection->images.empty() ? 0 : m_inspection->images[std::size_t(m_map->view().image)].firstVisual;
  for (int patch : m_map->region()) request.visualTokens.push_back(first + patch);
  request.token = m_selection.token();
  m_whatIfId = m_session.whatIf(request);
}

void InspectPage::computeCausal() {
  if (!whatIfRefusal().isEmpty() || !m_map->slice().exists()) return;
  WhatIfRequest request;
  request.base = m_shownRequest;
  for (const Token& token : m_inspection->response) request.base.responseIds.push_back(token.id);
  const int first = m_inspection->images[std::size_t(m_map->view().image)].firstVisual;
  for (int patch : topPatches(m_map->slice(), 0.05)) request.visualTokens.push_back(first + patch);
  request.token = m_selection.token();
  request.regenerate = false;
  m_causalId = m_session.whatIf(request);
  m_map->setCausal({}, true);
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
  const AttentionStack* stack = m_inspection ? stackOf(*m_inspection, m_selection.site()) : nullptr;
  if (!stack) return;
  const auto at = std::find(stack->layers.begin(), stack->layers.end(), m_selection.layer()) - stack->layers.begin();
  m_selection.setLayer(stack->layers[std::size_t(std::clamp<std::ptrdiff_t>(at + by, 0, std::ptrdiff_t(stack->layers.size()) - 1))]);
}

void InspectPage::stepHead(int by) {
  const AttentionStack* stack = m_inspection ? stackOf(*m_inspection, m_selection.site()) : nullptr;
  if (!stack || stack->headsAveraged) return;
  m_selection.setHead(std::clamp(m_selection.head() + by, kHeadMean, stack->heads - 1));
}

QByteArray InspectPage::layoutState() const {
  QByteArray bytes;
  QDataStream out(&bytes, QIODevice::WriteOnly);
  for (const QSplitter* s : {m_columns, m_left, m_right, m_lower, m_lowerRight}) out << s->saveState();
  for (const Panel* panel : m_panels) out << (panel->isVisibleTo(panel->parentWidget()) || panel->isFloating());
  return bytes;
}

void InspectPage::restoreLayout(const QByteArray& state) {
  QDataStream in(state);
  for (QSplitter* s : {m_columns, m_left, m_right, m_lower, m_lowerRight}) {
    QByteArray part;
    in >> part;
    if (in.status() == QDataStream::Ok) s->restoreState(part);
    s->setHandleWidth(1);
  }
  for (Panel* panel : m_panels) {
    bool visible = true;
    in >> visible;
    if (in.status() == QDataStream::Ok) panel->setVisible(visible);
  }
}

void InspectPage::resetLayout() {
  for (Panel* panel : m_panels) {
    panel->setFloating(false);
    panel->show();
  }
  m_columns->setSizes({716, 667});
  m_left->setSizes({600, 98, 170});
  m_right->setSizes({210, 620});
  m_lower->setSizes({334, 333});
  m_lowerRight->setSizes({480, 100});
  m_columns->setStretchFactor(0, 716);
  m_columns->setStretchFactor(1, 667);
  m_right->setStretchFactor(1, 1);
  m_lower->setStretchFactor(0, 1);
  m_lower->setStretchFactor(1, 1);
  m_lowerRight->setStretchFactor(0, 1);
}

// Below 1280 wide matrix, alignment and cue score share one panel's tabs; nothing is clipped, nothing is lost.
void InspectPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool narrow = width() < 1300;
  if (narrow == m_narrow) return;
  m_narrow = narrow;
  Panel* alignmentPanel = m_panels[3];
  if (narrow) {
    m_matrixPanel->addTab(tr("Alignment"), m_alignment);
    m_matrixPanel->addTab(tr("Cue score"), m_cueScore);
  } else {
    m_matrixPanel->removeLastTab();
    m_matrixPanel->removeLastTab();
    alignmentPanel->adopt(m_alignment);
    m_cueScorePanel->adopt(m_cueScore);
  }
  m_lowerRight->setVisible(!narrow);
}

}  // namespace cuescope
