#include "ui/evaluate_page.h"

#include <QComboBox>
#include <QFileInfo>
#include <QHeaderView>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSpinBox>
#include <QSplitter>
#include <QTableWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <set>
#include <utility>

#include "ui/acts_as.h"
#include "ui/evaluate_board.h"
#include "ui/evaluate_settings.h"
#include "ui/models/row_request.h"
#include "ui/models/sample_rows.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "ui/roomy_page.h"
#include "ui/table_columns.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/error_panel.h"
#include "widgets/fitted_combo.h"
#include "widgets/frame_strip.h"
#include "widgets/icons.h"
#include "widgets/image_canvas.h"
#include "widgets/segmented_button.h"
#include "widgets/task_progress.h"

namespace cuescope {
namespace {

QTableWidget* tableOf(const QStringList& columns) {
  auto* table = new QTableWidget(0, int(columns.size()));
  table->setHorizontalHeaderLabels(columns);
  table->verticalHeader()->hide();
  table->verticalHeader()->setDefaultSectionSize(22);
  table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  table->setShowGrid(false);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setSelectionMode(QAbstractItemView::SingleSelection);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setTabKeyNavigation(false);
  table->setWordWrap(false);
  table->setIconSize({14, 14});
  table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  table->horizontalHeader()->setHighlightSections(false);
  return table;
}

QString percent(const Interval& interval) { return number(100 * interval.value, 1); }

constexpr int kPassA = 4, kScoreB = 5, kPassB = 7;  // columns of the totals

/// On the accent's ground an icon of the usual grey is not seen.
QIcon addIcon(double ratio) {
  QIcon add;
  add.addPixmap(icon(Icon::Add, colors().onAccentFill).pixmap(QSize(16, 16), ratio), QIcon::Normal);
  add.addPixmap(icon(Icon::Add, colors().control).pixmap(QSize(16, 16), ratio), QIcon::Disabled);
  return add;
}

}  // namespace

EvaluatePage::EvaluatePage(Session& session, Workspace& workspace, QWidget* parent) : QWidget(parent), m_session(session), m_workspace(workspace) {
  m_samples = new SampleRows(session, "evaluate-samples", this);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* bar = new Strip(32);
  auto* title = new ElidedLabel(tr("Board"));
  title->setPixelSize(13, QFont::DemiBold);
  m_model = new QComboBox;
  m_model->setAccessibleName(tr("Model or checkpoint to evaluate"));
  m_model->setToolTip(tr("A model, a checkpoint of a run, or the student of the loaded run"));
  m_model->setMinimumWidth(230);
  m_data = new QComboBox;
  m_data->setAccessibleName(tr("Held-out data"));
  m_data->setToolTip(tr("Data file whose rows are asked"));
  m_data->setMinimumWidth(150);
  m_rows = new QSpinBox;
  m_rows->setToolTip(tr("How many rows of the held-out data are answered at most"));
  m_rows->setRange(0, 1'000'000);
  m_rows->setValue(256);
  m_rows->setSpecialValueText(tr("all rows"));
  m_rows->setSuffix(tr(" rows"));
  m_rows->setAccessibleName(tr("Rows at most"));
  m_evaluate = new QPushButton(tr("Evaluate"));
  connect(&Theme::instance(), &Theme::changed, this, &EvaluatePage::showProgress);  // with the theme's icon
  m_evaluate->setProperty("primary", true);
  m_evaluate->setToolTip(tr("Asks the model every row and judges the answers"));
  m_pause = new QPushButton(tr("Pause"));
  m_pause->hide();
  m_progress = new TaskProgress;
  m_settings = new EvaluateSettings;
  m_saved = new QToolButton;
  m_saved->setText(tr("Saved"));
  m_saved->setIcon(icon(Icon::Folder));
  m_saved->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  m_saved->setPopupMode(QToolButton::InstantPopup);
  m_saved->setToolTip(tr("Evaluations that runs and files hold: open one to compare, or save A"));
  m_savedMenu = new QMenu(m_saved);
  m_savedMenu->setToolTipsVisible(true);
  m_saved->setMenu(m_savedMenu);
  actsAs(m_saved, "evaluate.saved");
  actsAs(m_model, "evaluate.model");
  actsAs(m_data, "evaluate.data");
  actsAs(m_rows, "evaluate.rows");
  actsAs(m_evaluate, "evaluate.run");
  actsAs(m_pause, "evaluate.pause");
  actsAs(m_progress->findChild<QToolButton*>(), "inspect.cancel");
  bar->row()->addWidget(title);
  bar->row()->addWidget(m_progress, 1);
  bar->row()->addWidget(m_model);
  bar->row()->addWidget(m_data);
  bar->row()->addWidget(m_rows);
  bar->row()->addWidget(m_saved);
  bar->row()->addWidget(m_pause);
  bar->row()->addWidget(m_evaluate);
  m_error = new ErrorPanel;
  m_error->hide();
  auto* vertical = new QSplitter(Qt::Vertical);
  vertical->setHandleWidth(1);
  vertical->setChildrenCollapsible(false);
  column->addWidget(bar);
  column->addWidget(m_settings);
  column->addWidget(m_error);
  column->addWidget(vertical, 1);
  m_board = new BoardView;
  auto* scroll = new QScrollArea;
  scroll->setWidget(m_board);
  scroll->setWidgetResizable(true);
  vertical->addWidget(scroll);

  auto* samples = new QWidget;
  auto* sampleColumn = new QVBoxLayout(samples);
  sampleColumn->setContentsMargins(0, 0, 0, 0);
  sampleColumn->setSpacing(0);
  auto* choose = new Strip(32);
  m_a = new FittedCombo;
  m_b = new FittedCombo;
  for (QComboBox* box : {m_a, m_b}) {
    static_cast<FittedCombo*>(box)->setLeast(200);
    box->setMinimumWidth(200);
  }
  m_a->setAccessibleName(tr("Evaluation A"));
  m_a->setToolTip(tr("The evaluation whose answers are shown as A"));
  m_b->setAccessibleName(tr("Evaluation B, to compare"));
  m_b->setToolTip(tr("The evaluation that is compared with A"));
  m_filter = new SegmentedButton({tr("All"), tr("Only A right"), tr("Only B right"), tr("Both"), tr("Neither")});
  m_filter->setAccessibleName(tr("Right or wrong"));
  actsAs(m_a, "evaluate.a");
  actsAs(m_b, "evaluate.b");
  actsAs(m_filter, "evaluate.filter");
  choose->row()->addWidget(new ElidedLabel(QStringLiteral("A")));
  choose->row()->addWidget(m_a);
  choose->row()->addWidget(new ElidedLabel(QStringLiteral("B")));
  choose->row()->addWidget(m_b);
  choose->row()->addStretch(1);
  auto* filterBar = new Strip(30);
  filterBar->row()->addWidget(m_filter);
  filterBar->row()->addStretch(1);
  m_table = tableOf({tr("Row"), tr("Question"), tr("Reference"), tr("A"), tr("B")});
  m_table->setAccessibleName(tr("Samples"));
  m_table->setWhatsThis(tr("The evaluated samples; the chosen one is shown beside."));
  m_table->horizontalHeader()->setSectionResizeMode(1, QHeaderView::Stretch);
  elideHeads(m_table);
  for (const auto& [each, width] : {std::pair{0, 120}, {2, 90}, {3, 120}, {4, 120}}) setColumn(m_table, each, width);
  auto* foot = new Strip(22, Strip::Ground::Window);
  m_verdict = new ElidedLabel;
  m_verdict->setPixelSize(11);
  m_verdict->setTone(ElidedLabel::Tone::Text2);
  foot->row()->addWidget(m_verdict, 1);
  m_scores = tableOf({tr("Totals"), tr("n"), tr("A, %"), tr("95 % interval"), tr("A, pass@K"), tr("B, %"), tr("95 % interval"), tr("B, pass@K")});
  m_scores->setAccessibleName(tr("Totals by kind"));
  m_scores->setWhatsThis(tr("Totals of the evaluations by kind of question."));
  m_scores->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
  elideHeads(m_scores);
  for (const auto& [each, width] : {std::pair{1, 64}, {2, 64}, {3, 104}, {kPassA, 84}, {kScoreB, 64}, {kScoreB + 1, 104}, {kPassB, 84}}) {
    m_scores->horizontalHeaderItem(each)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);  // over its numbers
    setColumn(m_scores, each, width);
  }
  m_scores->setFixedHeight(138);
  sampleColumn->addWidget(choose);
  sampleColumn->addWidget(filterBar);
  sampleColumn->addWidget(m_table, 1);
  sampleColumn->addWidget(foot);
  sampleColumn->addWidget(m_scores);

  auto* side = new QWidget;
  auto* sideColumn = new QVBoxLayout(side);
  sideColumn->setContentsMargins(8, 8, 8, 8);
  sideColumn->setSpacing(6);
  m_facts = new FactTable;
  m_picture = new ImageCanvas;
  m_picture->setWhatsThis(tr("The picture of the chosen sample."));
  m_picture->setShowLegend(false);
  m_picture->setEmptyText(tr("Choose a sample"), {});
  sideColumn->addWidget(m_facts);
  m_pictures = new FrameStrip;
  m_pictures->setWhatsThis(tr("The pictures of the sample; choosing one shows it above."));
  m_pictures->setFixedHeight(64);  // the chosen one is large above
  m_pictures->hide();
  sideColumn->addWidget(m_picture, 1);
  sideColumn->addWidget(m_pictures);
  m_answers = new QBoxLayout(QBoxLayout::LeftToRight);
  for (int i = 0; i < 2; ++i) {
    auto* half = new QVBoxLayout;
    m_heads[i] = new ElidedLabel;
    m_heads[i]->setPixelSize(12, QFont::DemiBold);
    m_heads[i]->setElide(Qt::ElideMiddle);
    m_heads[i]->setKeepDim(true);
    m_texts[i] = new QPlainTextEdit;
    m_texts[i]->setWhatsThis(i ? tr("What evaluation B answered.") : tr("What evaluation A answered."));
    m_texts[i]->setReadOnly(true);
    m_texts[i]->setFont(monoFont(11));
    m_texts[i]->setAcceptDrops(false);
    m_texts[i]->setTabChangesFocus(true);
    m_texts[i]->setAccessibleName(i ? tr("Answer of B") : tr("Answer of A"));
    m_texts[i]->setFixedHeight(120);
    half->addWidget(m_heads[i]);
    half->addWidget(m_texts[i]);
    m_answers->addLayout(half);
  }
  sideColumn->addLayout(m_answers);
  auto* sidePanel = new Panel(QStringLiteral("evaluate.side"), tr("Side by side"), side);
  m_inspect = new QPushButton(icon(Icon::Eye), tr("Open in Inspect"));
  actsAs(m_inspect, "evaluate.inspect");
  sidePanel->addToHead(m_inspect);
  auto* lower = new QSplitter(Qt::Horizontal);
  lower->setHandleWidth(1);
  lower->setChildrenCollapsible(false);
  lower->addWidget(new Panel(QStringLiteral("evaluate.samples"), tr("Samples"), samples));
  lower->addWidget(sidePanel);
  lower->setSizes({836, 548});
  vertical->addWidget(lower);
  m_vertical = vertical;
  vertical->setStretchFactor(1, 1);
  connect(vertical, &QSplitter::splitterMoved, this, [this] { m_boardSized = true; });
  connect(m_board, &BoardView::boardChanged, this, &EvaluatePage::fitBoard);
  fitBoard();

  connect(m_evaluate, &QPushButton::clicked, this, &EvaluatePage::evaluate);
  connect(m_pause, &QPushButton::clicked, this, &EvaluatePage::pause);
  connect(m_progress, &TaskProgress::cancelRequested, this, &EvaluatePage::cancel);
  connect(&session, &Session::evaluationChanged, this, &EvaluatePage::showProgress);
  connect(&session, &Session::evaluationArrived, this, [this](qint64 id, const EvaluationPtr& evaluation) {
    if (id == m_id) finished(evaluation);
  });
  connect(&session, &Session::evaluationCancelled, this, [this](qint64 id) {
    if (id != m_id) return;
    m_id = 0;
    showProgress();
    Q_EMIT said(tr("The evaluation was cancelled"));
  });
  connect(&session, &Session::evaluationFailed, this, [this](qint64 id, const Failure& failure) {
    if (id != m_id) return;
    m_id = 0;
    showProgress();
    showFailure(failure);
  });
  connect(m_a, &QComboBox::currentIndexChanged, this, &EvaluatePage::fillSamples);
  connect(m_b, &QComboBox::currentIndexChanged, this, &EvaluatePage::fillSamples);
  connect(m_filter, &SegmentedButton::currentChanged, this, &EvaluatePage::fillSamples);
  connect(m_table, &QTableWidget::currentCellChanged, this, &EvaluatePage::showSample);
  connect(m_samples, &SampleRows::arrived, this, &EvaluatePage::showSample);
  connect(&workspace, &Workspace::changed, this, &EvaluatePage::fillChoosers);
  connect(&session, &Session::checkpointWritten, this, &EvaluatePage::fillChoosers);
  connect(&session, &Session::runAdded, this, &EvaluatePage::fillChoosers);
  connect(&session, &Session::runStatusChanged, this, [this](const RunStatus& status) {
    if (isVisible() && (status.state == RunState::Completed || status.state == RunState::Stopped)) refreshBoard();
  });
  connect(m_inspect, &QPushButton::clicked, this, &EvaluatePage::inspectSample);
  connect(m_table, &QTableWidget::cellDoubleClicked, this, &EvaluatePage::inspectSample);
  connect(m_pictures, &FrameStrip::picked, this, [this](int picture) {
    const int at = m_table->currentRow();
    if (at < 0 || at >= int(m_shown.size())) return;
    m_picture->setScene(rowScene(m_samples->row(QString::fromStdString(m_pairs.rows[std::size_t(m_shown[std::size_t(at)])].a->id)), picture));
    m_picture->fit();
  });
  connect(m_settings, &EvaluateSettings::changed, this, &EvaluatePage::showProgress);
  connect(m_savedMenu, &QMenu::aboutToShow, this, &EvaluatePage::fillSaved);
  connect(m_board, &BoardView::runActivated, this, &EvaluatePage::runChosen);
  m_views = new ViewFocus(this, QStringLiteral("board"));
  const std::pair<QWidget*, const char*> views[] = {{m_board, "board"}, {samples, "samples"}, {m_scores, "totals"}, {sidePanel, "sample"}};
  for (const auto& [widget, name] : views) m_views->add(widget, QLatin1String(name));
  fillChoosers();
  fillSamples();
}

void EvaluatePage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  fillChoosers();
  refreshBoard();
}

void EvaluatePage::fillChoosers() {
  const QString model = m_model->currentData().toString(), data = m_data->currentData().toString();
  m_model->clear();
  if (m_session.ownRun() && m_session.allowed(RunAction::InspectStudent)) m_model->addItem(tr("Student of %1").arg(QString::fromStdString(m_session.ownRun()->status.run)), QString::fromLatin1(kRunStudent));
  for (const WorkspaceEntry& entry : m_workspace.models()) m_model->addItem(entry.name, entry.path);
  m_session.listCheckpoints();
  for (const QString& name : m_session.runs())
    for (const CheckpointInfo& checkpoint : m_session.run(name)->checkpoints)
      if (checkpoint.complete) m_model->addItem(tr("%1, step %2").arg(name).arg(checkpoint.step), QString::fromStdString(checkpoint.folder));
  m_data->clear();
  for (const WorkspaceEntry& entry : m_workspace.data()) m_data->addItem(entry.name, entry.path);
  if (const int at = m_model->findData(model); at >= 0) m_model->setCurrentIndex(at);
  const QString test = m_workspace.demoData(QStringLiteral("test"));
  if (const int at = m_data->findData(data.isEmpty() ? test : data); at >= 0) m_data->setCurrentIndex(at);
  showProgress();
}

void EvaluatePage::showProgress() {
  const EvaluationState state = m_session.evaluationState();
  const bool possible = m_model->count() > 0 && m_data->count() > 0, paused = state == EvaluationState::Paused;
  m_evaluate->setIcon(busy() ? QIcon() : addIcon(devicePixelRatioF()));
  m_evaluate->setText(busy() ? tr("Cancel") : tr("Evaluate"));
  m_evaluate->setEnabled(busy() || possible);
  m_evaluate->setToolTip(busy() ? tr("Ends it here; the answers so far are not kept") : possible ? tr("Asks the model every row and judges the answers (%1). A run that trains goes on in between.").arg(m_settings->words()) : tr("Open a model and a data file first."));
  m_pause->setVisible(busy());
  m_pause->setText(paused ? tr("Go on") : tr("Pause"));
  m_pause->setToolTip(paused ? tr("Goes on with the rows that are left") : tr("Stops after the rows that are answered now, and keeps the answers"));
  if (!busy()) return m_progress->setIdle(tr("95 % intervals; %1").arg(m_settings->words()));
  const Progress& progress = m_session.evaluationProgress();
  const QString rows = progress.total > 0 ? tr(", %1 of %2 rows").arg(progress.done).arg(progress.total) : QString();
  const QString words = state == EvaluationState::Opening ? tr("Opening %1") : paused ? tr("Paused: %1") : tr("Evaluating %1");
  m_progress->setTask(words.arg(m_name) + rows, progress.done, progress.total, paused ? -1 : progress.secondsLeft);
}

void EvaluatePage::pause() {
  m_session.evaluationState() == EvaluationState::Paused ? m_session.resumeEvaluation() : m_session.pauseEvaluation();
}

void EvaluatePage::cancel() {
  if (busy()) m_session.cancelEvaluation();
}

void EvaluatePage::evaluate() {
  if (busy()) return cancel();
  m_error->hide();
  EvaluateRequest request;
  m_asked = m_model->currentData().toString();
  request.model = m_asked.toStdString();
  request.files = {m_data->currentData().toString().toStdString()};
  request.maxSamples = m_rows->value();
  m_settings->apply(request);
  m_limit = request.maxSamples;
  const RunRecord* own = m_asked == QLatin1String(kRunStudent) ? m_session.ownRun() : nullptr;
  m_runDirectory = own ? QString::fromStdString(own->status.directory) : QString();
  m_name = tr("%1 on %2").arg(m_model->currentText(), QFileInfo(m_data->currentText()).completeBaseName());
  if (const QString how = m_settings->words(); how != tr("greedy")) m_name += QStringLiteral(", ") + how;
  m_id = m_session.evaluate(request);
  if (m_id == 0) Q_EMIT said(tr("Another evaluation is under way"));
  showProgress();
}

void EvaluatePage::addEvaluation(const EvaluationPtr& evaluation, const QString& name, const QString& model) {
  if (!evaluation) return;
  m_done.push_back({evaluation, name, model.isNull() ? QString::fromStdString(evaluation->model.folder) : model});
  {
    const QSignalBlocker quietA(m_a), quietB(m_b);
    if (m_b->count() == 0) m_b->addItem(tr("nothing"));
    m_a->addItem(name);
    m_b->addItem(name);
    m_a->setCurrentIndex(m_a->count() - 1);
    if (m_done.size() > 1 && m_b->currentIndex() == 0) m_b->setCurrentIndex(int(m_done.size()) - 1);  // the one before
  }
  m_filter->setCurrent(0);
  fillSamples();
  Q_EMIT said(tr("%1: %2 % of %3 rows, %4 to %5").arg(name, percent(evaluation->all().accuracy)).arg(evaluation->all().accuracy.n).arg(number(100 * evaluation->all().accuracy.low, 1), number(100 * evaluation->all().accuracy.high, 1)));
}

const Evaluation* EvaluatePage::chosen(const QComboBox* box) const {
  const int at = box == m_a ? m_a->currentIndex() : m_b->currentIndex() - 1;
  return at >= 0 && at < int(m_done.size()) ? m_done[std::size_t(at)].evaluation.get() : nullptr;
}

QString EvaluatePage::verdict() const { return m_verdict->text(); }

void EvaluatePage::fillSamples() {
  const Evaluation* a = chosen(m_a);
  const Evaluation* b = chosen(m_b);
  m_pairs = a ? pairsOf(*a, b) : EvaluationPairs();
  QStringList labels = b ? QStringList{tr("All"), tr("Only A right"), tr("Only B right"), tr("Both"), tr("Neither")} : QStringList{tr("All"), tr("Only A right"), tr("Only B right"), tr("Right"), tr("Wrong")};
  for (int i = 0; i < 5; ++i) labels[i] += QStringLiteral(" %1").arg(m_pairs.counts[i]);
  {
    const QSignalBlocker quiet(m_filter);
    const int kept = m_filter->current();
    m_filter->setLabels(labels);
    m_filter->setCurrent(kept);
    for (const int i : {1, 2}) m_filter->setChoiceEnabled(i, b != nullptr, tr("Choose an evaluation B to compare."));
  }
  m_shown.clear();
  const auto wanted = PairKind(m_filter->current());
  for (int i = 0; i < int(m_pairs.rows.size()); ++i)
    if (wanted == PairKind::All || m_pairs.rows[std::size_t(i)].kind() == wanted) m_shown.push_back(i);
  QStringList files;
  if (a)
    for (const std::string& file : a->files) files << QString::fromStdString(file);
  m_samples->setFiles(files);
  {
    const QSignalBlocker quiet(m_table);
    m_table->setRowCount(int(m_shown.size()));
    m_table->setColumnHidden(4, b == nullptr);
    for (int at = 0; at < int(m_shown.size()); ++at) {
      const SamplePair& pair = m_pairs.rows[std::size_t(m_shown[std::size_t(at)])];
      const auto put = [&](int column, const std::string& text, bool mono, const EvaluatedSample* judged = nullptr) {
        auto* item = new QTableWidgetItem(QString::fromStdString(text));
        item->setFont(mono ? monoFont(11) : uiFont(12));
        item->setToolTip(item->text());
        if (judged) {
          item->setIcon(isRight(*judged) ? icon(Icon::Check) : icon(Icon::Cross));
          item->setToolTip(verdictOf(*judged) + QStringLiteral(": ") + answersText(*judged));
        }
        m_table->setItem(at, column, item);
      };
      const auto said = [](const EvaluatedSample& s) {
        const EvaluatedAnswer& first = s.answers.front();
        const std::string words = first.boxed.empty() ? first.text : first.boxed;
        return s.answers.size() > 1 ? verdictOf(s).toStdString() + ": " + words : words;
      };
      put(0, pair.a->id, true);
      put(1, pair.a->question, false);
      put(2, pair.a->groundTruth, true);
      put(3, said(*pair.a), true, pair.a);
      if (pair.b) put(4, said(*pair.b), true, pair.b);
    }
  }
  m_verdict->setText(!a ? tr("No evaluation yet: choose a model and data above, and Evaluate.") : b ? comparisonSentence(*a, *b, m_pairs) : aloneSentence(*a, m_pairs));
  fillScores();
  if (!m_shown.empty()) {
    const QSignalBlocker quiet(m_table);  // shown once, below
    m_table->setCurrentCell(0, 0);
  }
  showSample();
}

void EvaluatePage::showSample() {
  const int at = m_table->currentRow();
  std::vector<FactRow> facts;
  const SamplePair* pair = at >= 0 && at < int(m_shown.size()) ? &m_pairs.rows[std::size_t(m_shown[std::size_t(at)])] : nullptr;
  const DataRow* row = nullptr;
  for (int i = 0; i < 2; ++i) {
    const EvaluatedSample* sample = !pair ? nullptr : i ? pair->b : pair->a;
    m_heads[i]->setVisible(sample || i == 0);
    m_texts[i]->setVisible(sample || i == 0);
    m_heads[i]->setText(sample ? (i ? QStringLiteral("B ") + m_b->currentText() : QStringLiteral("A ") + m_a->currentText()) : QStringLiteral("A"), sample ? verdictOf(*sample) : QString());
    m_texts[i]->setPlainText(sample ? answersText(*sample) : QString());
  }
  if (pair) {
    m_samples->hint(QString::fromStdString(pair->a->id), QString::fromStdString(pair->a->file), pair->a->fileRow);
    row = m_samples->row(QString::fromStdString(pair->a->id));
    facts.push_back({tr("Question"), {QString::fromStdString(pair->a->question)}, {}, QString::fromStdString(pair->a->prompt)});
    facts.push_back({tr("Reference"), {QString::fromStdString(pair->a->groundTruth)}, {}, {}});
    facts.push_back({tr("Kind, row"), {QStringLiteral("%1, %2").arg(QString::fromStdString(pair->a->kind)).arg(pair->a->fileRow)}, {}, {}});
  }
  m_picture->setEmptyText(pair ? tr("Fetching the picture") : tr("Choose a sample"), {});
  m_picture->setScene(rowScene(row));
  m_picture->fit();
  const std::vector<StripFrame> frames = rowFrames(row);
  m_pictures->setCurrent(0);
  m_pictures->setFrames(frames);
  m_pictures->setVisible(!frames.empty());
  m_facts->setRows(facts);
  const QString refusal = row ? inspectRefusal() : tr("Choose a sample whose picture is here.");
  m_inspect->setEnabled(refusal.isEmpty());
  m_inspect->setToolTip(refusal.isEmpty() ? tr("This sample with A's own answer ids, read by A (double click)") : refusal);
  Q_EMIT sampleShown();
  if (row && std::exchange(m_inspectLater, false)) inspectSample();
}

void EvaluatePage::fillScores() {
  const Evaluation* a = chosen(m_a);
  const Evaluation* b = chosen(m_b);
  const int rows = a ? int(a->scores.size()) : 0;
  m_scores->setRowCount(rows);
  for (const int column : {kScoreB, kScoreB + 1}) m_scores->setColumnHidden(column, b == nullptr);
  for (const auto& [column, of] : {std::pair{kPassA, a}, {kPassB, b}}) {
    m_scores->setColumnHidden(column, !of || of->answersPerRow < 2);
    if (of) m_scores->horizontalHeaderItem(column)->setText((column == kPassA ? tr("A, pass@%1") : tr("B, pass@%1")).arg(of->passK));
  }
  for (int i = 0; i < rows; ++i) {
    const EvaluationScore& score = a->scores[std::size_t(i)];
    const auto put = [&](int column, const QString& text, bool mono, const QString& tip = {}) {
      auto* item = new QTableWidgetItem(text);
      item->setFont(mono ? monoFont(11) : uiFont(12));
      item->setTextAlignment((mono ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
      item->setToolTip(tip);
      m_scores->setItem(i, column, item);
    };
    const auto range = [](const Interval& v) { return QStringLiteral("%1 to %2").arg(number(100 * v.low, 1), number(100 * v.high, 1)); };
    const auto pass = [&](int column, const Evaluation& of, const EvaluationScore& s) {
      put(column, percent(s.passAtK), true, tr("Rows with a right answer among %1, from %2 answers a row: %3 %, 95 % interval %4").arg(of.passK).arg(of.answersPerRow).arg(percent(s.passAtK), range(s.passAtK)));
    };
    put(0, score.name.empty() ? tr("all rows") : QString::fromStdString(score.group + ": " + score.name), false);
    put(1, QString::number(score.accuracy.n), true);
    put(2, percent(score.accuracy), true);
    put(3, range(score.accuracy), true);
    pass(kPassA, *a, score);
    if (!b) continue;
    const auto other = std::find_if(b->scores.begin(), b->scores.end(), [&](const auto& s) { return s.group == score.group && s.name == score.name; });
    put(kScoreB, other == b->scores.end() ? tr("not asked") : percent(other->accuracy), true);
    put(kScoreB + 1, other == b->scores.end() ? QString() : range(other->accuracy), true);
    if (other != b->scores.end()) pass(kPassB, *b, *other);
  }
}

int EvaluatePage::sampleCount() const { return int(m_shown.size()); }
int EvaluatePage::sampleAt() const { return m_table->currentRow() < int(m_shown.size()) ? m_table->currentRow() : -1; }
std::pair<QString, QString> EvaluatePage::sampleName(int at) const {
  if (at < 0 || at >= int(m_shown.size())) return {};
  const EvaluatedSample& sample = *m_pairs.rows[std::size_t(m_shown[std::size_t(at)])].a;
  return {QString::fromStdString(sample.id), QString::fromStdString(sample.question)};
}
void EvaluatePage::goToSample(int at, bool inspect) {
  if (at < 0 || at >= int(m_shown.size())) return;
  m_inspectLater = false;
  m_table->setCurrentCell(at, 0);
  m_table->scrollToItem(m_table->item(at, 0));
  m_inspectLater = inspect;
  if (inspect) showSample();
}

void EvaluatePage::inspectSample() {
  const int at = m_table->currentRow();
  if (at < 0 || at >= int(m_shown.size()) || m_a->currentIndex() < 0) return;
  const EvaluatedSample& sample = *m_pairs.rows[std::size_t(m_shown[std::size_t(at)])].a;
  const DataRow* row = m_samples->row(QString::fromStdString(sample.id));
  if (!row || !inspectRefusal().isEmpty()) return;
  InspectRequest request = requestOf(*row);
  request.student = m_done[std::size_t(m_a->currentIndex())].model.toStdString();
  request.responseIds = sample.answers.front().ids;
  Q_EMIT inspectRequested(request);
}

// The student of a run moves on: what it answered at an earlier step is not read by its weights of now.
QString EvaluatePage::inspectRefusal() const {
  const int at = m_a->currentIndex();
  if (at < 0 || at >= int(m_done.size())) return tr("Choose an evaluation A.");
  const Done& done = m_done[std::size_t(at)];
  if (done.model.isEmpty()) return tr("Its file does not say which model answered.");
  if (!done.evaluation->privilege.empty() && done.evaluation->privilege != "none") return tr("These answers were given to the prompt with the %1; Inspect asks the question alone.").arg(QString::fromStdString(done.evaluation->privilege));
  if (done.model != QLatin1String(kRunStudent)) return QFileInfo::exists(done.model) ? QString() : tr("The model is not at %1 any more.").arg(done.model);
  const QString refusal = m_session.refusal(RunAction::InspectStudent);
  if (!refusal.isEmpty()) return refusal;
  const int step = m_session.ownRun()->status.step;
  return step == done.evaluation->step ? QString() : tr("The student has moved on from step %1 to %2. Evaluate a checkpoint to open its answers.").arg(done.evaluation->step).arg(step);
}

// Runs' folders are read on the engine's thread: their metrics may be long.
void EvaluatePage::refreshBoard() {
  std::vector<std::string> folders;
  for (const QString& name : m_session.runs())
    if (const RunRecord* run = m_session.run(name); run && !run->foreign && !run->status.directory.empty()) folders.push_back(run->status.directory);
  if (folders.empty()) return m_board->setBoard({});
  const QPointer<EvaluatePage> self(this);
  m_session.submit("board", [self, folders](Engine&, const EventSink&, std::stop_token) {
    Board board;
    try {
      board = makeBoard(folders);
    } catch (const Error&) {
      board = {};  // no run has scores: the board says so
    }
    Session::reply(QPointer<QObject>(self.data()), [self, board] { if (self) self->m_board->setBoard(board); });
  });
}

// In a narrow room the answers stand below each other, in as much height as beside each other.
void EvaluatePage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool narrow = width() < RoomyPage::kWideFrom;
  m_answers->setDirection(narrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
  for (QPlainTextEdit* text : m_texts) text->setFixedHeight(narrow ? 50 : 120);
}

// The board is as high as its rows, the samples have the rest; where a person moved the line it stays.
void EvaluatePage::fitBoard() {
  if (m_boardSized) return;
  const int whole = std::max(600, m_vertical->height()), wanted = m_board->sizeHint().height() + 2;
  const int board = std::clamp(wanted, 120, whole * 2 / 5);
  m_vertical->setSizes({board, whole - board});
}

}  // namespace cuescope
