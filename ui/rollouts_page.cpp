#include "ui/rollouts_page.h"

#include <QComboBox>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMouseEvent>
#include <QPushButton>
#include <QScrollBar>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/acts_as.h"
#include "ui/models/rollout_store.h"
#include "ui/models/sample_rows.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"
#include "ui/rollouts_cells.h"
#include "ui/rollouts_detail.h"
#include "ui/table_columns.h"
#include "widgets/elided_label.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/icons.h"

namespace cuescope {

RolloutsPage::RolloutsPage(Session& session, Selection& selection, QWidget* parent) : QWidget(parent), RoomyPage(this), m_session(session), m_selection(selection) {
  m_samples = new SampleRows(session, "rollout-samples", this);
  m_store = new RolloutStore(this);
  m_model = new RolloutTable(*m_store, this);
  m_model->setPictures([this](const RolloutFacts& facts) {
    const QString id = QString::fromStdString(facts.sampleId);
    m_samples->hint(id, QString::fromStdString(facts.dataFile), facts.dataRow);
    return m_samples->thumbnail(id);
  });
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  m_stack = new QStackedWidget;
  column->addWidget(m_stack);

  auto* none = new QWidget;
  auto* noneColumn = new QVBoxLayout(none);
  noneColumn->setContentsMargins(24, 24, 24, 24);
  m_empty = new EmptyPanel;
  m_empty->setMaximumWidth(640);
  noneColumn->addWidget(m_empty);
  noneColumn->addStretch(1);
  connect(m_empty, &EmptyPanel::actionChosen, this, &RolloutsPage::trainRequested);
  m_stack->addWidget(none);

  m_split = madeSplitter(Qt::Horizontal);
  auto* left = new QWidget;
  auto* leftColumn = new QVBoxLayout(left);
  leftColumn->setContentsMargins(0, 0, 0, 0);
  leftColumn->setSpacing(0);
  auto* bar = new Strip(32);
  m_query = new QLineEdit;
  m_query->setPlaceholderText(tr("Search, or gap > 0.5 and not text:\"theorem\""));
  m_query->setToolTip(m_query->placeholderText() + QLatin1Char('\n') + tr("Words, or conditions joined by and, or, not: gap, max, reward, tokens, step with < > =; text:, prompt:, answer:, kind:, id:, ends:length"));
  m_query->setAccessibleName(tr("Search rollouts"));
  m_query->setClearButtonEnabled(true);
  m_query->setAcceptDrops(false);
  m_query->addAction(icon(Icon::Search), QLineEdit::LeadingPosition);
  m_query->setFont(monoFont(11));
  m_count = new ElidedLabel;
  m_count->setPixelSize(11);
  m_count->setMono(true);
  m_count->setTone(ElidedLabel::Tone::Text2);
  m_count->setAlignment(Qt::AlignRight);
  m_count->setFixedWidth(130);
  m_steps = new QComboBox;
  m_steps->setAccessibleName(tr("Step of the rollouts"));
  m_steps->setToolTip(tr("Step whose responses are listed; the timeline's step is followed"));
  m_steps->setMinimumWidth(108);
  auto* exportButton = new QToolButton;
  exportButton->setIcon(icon(Icon::Export));
  exportButton->setToolTip(tr("Export the view worked in last: list, histogram, response, token, same prompt (Ctrl+E)"));
  exportButton->setAccessibleName(tr("Export"));
  actsAs(m_query, "rollouts.find");
  actsAs(m_steps, "rollouts.step");
  actsAs(exportButton, "file.export");
  bar->row()->addWidget(m_query, 1);
  bar->row()->addWidget(m_count);
  bar->row()->addWidget(m_steps);
  bar->row()->addWidget(exportButton);
  m_queryError = new QLabel;
  m_queryError->setProperty("tone", "danger");
  m_queryError->setContentsMargins(8, 2, 8, 4);
  m_queryError->setWordWrap(true);
  m_queryError->hide();
  m_error = new ErrorPanel;
  m_error->hide();
  m_histogram = new GapHistogram;
  m_list = new QStackedWidget;
  m_table = new QTableView;
  m_table->setModel(m_model);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->verticalHeader()->hide();
  m_table->setWhatsThis(tr("Saved responses: one a row. Columns sort; the arrow keys choose; Enter opens the response in Inspect with its ids and the run's weights at that step."));
  m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_table->verticalHeader()->setDefaultSectionSize(34);
  m_table->setShowGrid(false);
  m_table->setWordWrap(false);
  m_table->setTabKeyNavigation(false);
  m_table->setMouseTracking(true);
  m_table->setItemDelegateForColumn(RolloutTable::Sample, new PictureDelegate(m_table));
  m_table->setItemDelegateForColumn(RolloutTable::Spark, new SparkDelegate(m_table));
  QHeaderView* header = m_table->horizontalHeader();
  header->setHighlightSections(false);
  header->setSectionResizeMode(RolloutTable::Prompt, QHeaderView::Stretch);
  header->setSortIndicatorShown(true);
  header->setSectionsClickable(true);
  header->setSortIndicator(m_model->sortColumn(), m_model->sortOrder());
  elideHeads(m_table);
  // Head and numbers; room for the arrow has only the column that sorts. What is over belongs to the prompt.
  const auto fitColumn = [this, header](int number, int width) {
    const QString words = m_model->headerData(number, Qt::Horizontal, Qt::DisplayRole).toString();
    const int head = QFontMetrics(uiFont(11)).horizontalAdvance(words) + 24 + (number == header->sortIndicatorSection() ? 14 : 0);
    m_table->setColumnWidth(number, std::max(width, head));
  };
  for (const auto& [number, width] : {std::pair{RolloutTable::Sample, 160}, {RolloutTable::Step, 48}, {RolloutTable::Tokens, 50}, {RolloutTable::Reward, 52}, {RolloutTable::MeanGap, 64}, {RolloutTable::MaxGap, 50}, {RolloutTable::Spark, 88}}) fitColumn(number, width);
  connect(header, &QHeaderView::sortIndicatorChanged, this, [this, fitColumn](int number) {
    if (number >= 0 && number != RolloutTable::Prompt) fitColumn(number, m_table->columnWidth(number));
  });
  m_table->setAccessibleName(tr("Rollouts"));
  m_emptyStep = new EmptyPanel;
  auto* stepHolder = new QWidget;
  auto* stepColumn = new QVBoxLayout(stepHolder);
  stepColumn->setContentsMargins(16, 16, 16, 16);
  stepColumn->addWidget(m_emptyStep);
  stepColumn->addStretch(1);
  m_list->addWidget(m_table);
  m_list->addWidget(stepHolder);
  auto* footer = new Strip(22, Strip::Ground::Window);
  m_footer = new ElidedLabel;
  m_footer->setPixelSize(11);
  m_footer->setTone(ElidedLabel::Tone::Text2);
  footer->row()->addWidget(m_footer, 1);
  leftColumn->addWidget(bar);
  leftColumn->addWidget(m_queryError);
  leftColumn->addWidget(m_error);
  leftColumn->addWidget(m_histogram);
  leftColumn->addWidget(m_list, 1);
  leftColumn->addWidget(footer);
  m_split->addWidget(left);
  m_detail = new RolloutsDetail(session, selection, *m_samples);
  m_split->addWidget(m_detail);
  m_split->setStretchFactor(0, 1);
  m_split->setStretchFactor(1, 1);
  m_stack->addWidget(m_split);

  connect(m_query, &QLineEdit::textChanged, this, &RolloutsPage::applyQuery);
  connect(m_query, &QLineEdit::returnPressed, m_table, qOverload<>(&QWidget::setFocus));
  connect(exportButton, &QToolButton::clicked, this, &RolloutsPage::exportRequested);
  connect(m_steps, &QComboBox::activated, this, [this](int at) {
    const int step = m_steps->itemData(at).toInt();
    m_allSteps = step == kAllSteps;
    if (!m_allSteps && step != m_selection.step()) m_selection.setStep(step);  // comes back through followStep
    else followStep();
  });
  connect(m_histogram, &GapHistogram::thresholdChanged, m_model, &RolloutTable::setThreshold);
  connect(header, &QHeaderView::sortIndicatorChanged, m_model, &RolloutTable::sort);
  connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &RolloutsPage::choose);
  connect(m_table, &QTableView::activated, m_detail, &RolloutsDetail::openInInspect);
  connect(m_model, &RolloutTable::aboutToRebuild, this, [this] {
    m_rebuilding = true;
    m_scroll = m_table->verticalScrollBar()->value();
  });
  connect(m_model, &RolloutTable::rebuilt, this, &RolloutsPage::rebuilt);
  connect(m_store, &RolloutStore::loadingChanged, this, &RolloutsPage::refreshCount);
  connect(m_store, &RolloutStore::sameFound, m_detail, &RolloutsDetail::setSame);
  connect(m_store, &RolloutStore::failed, this, &RolloutsPage::showFailure);
  connect(m_detail, &RolloutsDetail::failed, this, &RolloutsPage::showFailure);
  m_views = new ViewFocus(this, QStringLiteral("list"));
  m_views->add(left, QStringLiteral("list"));
  m_views->add(m_histogram, QStringLiteral("histogram"));
  m_detail->addViews(*m_views);
  connect(m_detail, &RolloutsDetail::inspectRequested, this, &RolloutsPage::inspectRequested);
  connect(m_detail, &RolloutsDetail::sameChosen, this, [this](const RolloutFacts& facts) {
    m_wanted = std::make_unique<RolloutFacts>(facts);
    if (m_allSteps || facts.step == shownStep()) rebuilt();
    else m_selection.setStep(facts.step);
  });
  connect(m_detail, &RolloutsDetail::sameCompared, this, &RolloutsPage::compare);
  m_table->viewport()->installEventFilter(this);
  connect(m_samples, &SampleRows::arrived, this, [this](const QString& id) {
    m_model->pictureArrived(id);
    m_detail->pictureArrived(id);
  });
  connect(&m_selection, &Selection::changed, this, [this](Selection::Parts parts) {
    if (!isVisible()) {
      m_stale = true;
      return;
    }
    if (parts & Selection::Run) followRun();
    else if (parts & Selection::Step) followStep();
    if ((parts & Selection::Sample) && m_selection.sample() != m_current)
      if (const int row = m_model->rowOf(m_selection.sample()); row >= 0) m_table->selectRow(row);
    if (parts & Selection::Token) m_detail->selectToken(m_selection.token());
  });
  connect(&m_session, &Session::runAdded, this, [this] { if (isVisible()) followRun(); });
  m_grown.setSingleShot(true);
  m_grown.setInterval(150);
  connect(&m_grown, &QTimer::timeout, this, [this] {
    m_store->refresh();
    fillSteps();
    followStep();
  });
  connect(&m_session, &Session::stepArrived, this, [this](const StepPtr& step) {
    if (isVisible() && QString::fromStdString(step->run) == m_run) m_grown.start();
  });
  refreshEmpty();
  defaultPlaces();
}

void RolloutsPage::placePanels() { m_detail->placePanels(room() != Wide); }

void RolloutsPage::defaultSizes() {
  m_split->setSizes({716, 667});
  m_detail->defaultSizes();
}

int RolloutsPage::sampleCount() const { return m_model->rowCount(); }
int RolloutsPage::sampleAt() const { return m_table->currentIndex().isValid() ? m_table->currentIndex().row() : -1; }
std::pair<QString, QString> RolloutsPage::sampleName(int at) const {
  const RolloutFacts* facts = m_model->facts(at);
  if (!facts) return {};
  const QString id = QString::fromStdString(facts->sampleId);
  return {id.isEmpty() ? tr("row %1").arg(facts->index) : id, tr("step %1: %2").arg(facts->step).arg(QString::fromStdString(facts->answer))};
}
void RolloutsPage::goToSample(int at, bool inspect) {
  if (at < 0 || at >= m_model->rowCount()) return;
  m_table->setCurrentIndex(m_model->index(at, RolloutTable::Prompt));
  m_table->scrollTo(m_model->index(at, RolloutTable::Prompt));
  if (inspect) m_detail->openWhenReady();
}

// Narrow: the table drops the largest gap and the gaps by token; both stand beside it for the chosen row.
void RolloutsPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool narrow = width() < kWideFrom;
  m_table->setColumnHidden(RolloutTable::MaxGap, narrow);
  m_table->setColumnHidden(RolloutTable::Spark, narrow);
  followSize();
}

void RolloutsPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  sizeOnce();
  if (m_stale) followRun();
  else m_grown.start();
}

int RolloutsPage::shownStep() const {
  if (m_allSteps) return kAllSteps;
  if (m_selection.step() >= 0) return m_selection.step();
  const auto steps = m_store->steps();  // nothing chosen: the newest
  return steps.empty() ? -1 : steps.back();
}

void RolloutsPage::followRun() {
  m_stale = false;
  QString name = m_selection.run();
  if (name.isEmpty() && !m_session.runs().isEmpty()) name = m_session.runs().first();
  const RunRecord* run = m_session.run(name);
  QString source;
  if (run) source = run->foreign ? run->rollouts : QString::fromStdString(run->status.directory) + QStringLiteral("/rollouts");
  if (name != m_run || source != m_store->source()) {
    m_run = name;
    m_detail->compare({}, nullptr, 0);
    m_current.clear();
    m_error->hide();
    m_samples->setFiles(run && !run->foreign ? dataFilesOf(QString::fromStdString(run->status.directory)) : QStringList());
    m_store->open(source);
    if (!source.isEmpty() && source.endsWith(QStringLiteral(".jsonl"))) m_store->setStep(kAllSteps);
  } else {
    m_store->refresh();
  }
  fillSteps();
  followStep();
}

void RolloutsPage::fillSteps() {
  const auto steps = m_store->steps();
  const QSignalBlocker quiet(m_steps);
  if (m_steps->count() != int(steps.size()) + 1) {
    m_steps->clear();
    m_steps->addItem(tr("All steps"), kAllSteps);
    for (const int step : steps) m_steps->addItem(tr("Step %1").arg(step), step);
  }
  m_steps->setCurrentIndex(std::max(0, m_steps->findData(shownStep())));
  refreshEmpty();
}

void RolloutsPage::followStep() {
  const int step = shownStep();
  const bool single = m_store->source().endsWith(QStringLiteral(".jsonl"));
  m_model->setStep(single && step >= 0 ? step : kAllSteps);  // one file: its steps are known only when it was read
  if (!single && m_store->step() != step && (step == kAllSteps || m_store->hasStep(step))) m_store->setStep(step);
  fillSteps();
  refreshCount();
}

void RolloutsPage::refreshEmpty() {
  const auto steps = m_store->steps();
  const RunRecord* run = m_session.run(m_run);
  const bool any = !steps.empty() || m_store->loading();
  m_stack->setCurrentIndex(any ? 1 : 0);
  if (!any) {
    if (!run) m_empty->setText(tr("No run is chosen."), tr("Every response of a run is kept here: drop a run folder or a dump of verl's rollouts anywhere, or start a run."), tr("Go to Train"));
    else if (run->foreign) m_empty->setText(tr("This run has no saved responses."), tr("TensorBoard files hold scalars: they are curves on Train. Drop the folder that verl's trainer.rollout_data_dir names to see its responses."), tr("Go to Train"));
    else m_empty->setText(tr("%1 has no saved rollouts yet.").arg(m_run), tr("They come with the first step, unless trainer.rollout_save_freq is 0."), tr("Go to Train"));
    return;
  }
  const int step = shownStep();
  const bool missing = step != kAllSteps && !m_store->hasStep(step);
  m_list->setCurrentIndex(missing ? 1 : 0);
  if (!missing) return;
  const int nearest = *std::min_element(steps.begin(), steps.end(), [&](int a, int b) { return std::abs(a - step) < std::abs(b - step); });
  m_emptyStep->setText(tr("No rollouts for step %1.").arg(step), tr("%1 steps of this run have saved responses.").arg(steps.size()), tr("Go to %1").arg(nearest));
  m_emptyStep->disconnect(this);
  connect(m_emptyStep, &EmptyPanel::actionChosen, this, [this, nearest] { m_selection.setStep(nearest); });
}

void RolloutsPage::applyQuery() {
  RolloutQuery query;
  QString why;
  const bool ok = query.parse(m_query->text(), &why);
  m_query->setProperty("invalid", !ok);
  m_query->style()->unpolish(m_query);
  m_query->style()->polish(m_query);
  m_queryError->setText(ok ? QString() : tr("This cannot be searched: %1.").arg(why));
  m_queryError->setVisible(!ok);
  if (ok) m_model->setQuery(query);  // else the list stays as it was
}

void RolloutsPage::choose(const QModelIndex& index) {
  if (m_rebuilding) return;
  const RolloutFacts* facts = m_model->facts(index.row());
  m_current = facts ? QString::fromStdString(facts->sampleId) : QString();
  if (!facts) {
    m_detail->show(m_run, {}, nullptr, 0);
    m_detail->setSame({});
    Q_EMIT sampleShown();
    return;
  }
  m_samples->hint(m_current, QString::fromStdString(facts->dataFile), facts->dataRow);
  m_detail->show(m_run, m_store->fileOf(*facts), facts, advantageOf(*facts));
  m_store->findSame(*facts);
  if (!m_current.isEmpty()) m_selection.setSample(m_current);
  refreshCount();
  Q_EMIT sampleShown();
}

// Its reward against the mean of the responses to the same prompt in the same step.
double RolloutsPage::advantageOf(const RolloutFacts& facts) const {
  double sum = 0, group = 0;
  for (const RolloutFacts& other : m_store->rows())
    if (other.step == facts.step && std::isfinite(other.score) && (facts.sampleId.empty() ? other.prompt == facts.prompt : other.sampleId == facts.sampleId)) {
      sum += double(other.score);
      ++group;
    }
  return group > 1 ? double(facts.score) - sum / group : std::nan("");
}

void RolloutsPage::compare(const RolloutFacts& facts) { m_detail->compare(m_store->fileOf(facts), &facts, advantageOf(facts)); }

// Ctrl+click on a row: its response below the shown one; where two are compared already, it takes A's place.
bool RolloutsPage::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_table->viewport() && event->type() == QEvent::MouseButtonPress) {
    auto* mouse = static_cast<QMouseEvent*>(event);
    const QModelIndex index = m_table->indexAt(mouse->position().toPoint());
    const RolloutFacts* facts = index.isValid() ? m_model->facts(index.row()) : nullptr;
    if (facts && mouse->button() == Qt::LeftButton && (mouse->modifiers() & Qt::ControlModifier)) {
      m_detail->comparing() ? goToSample(index.row(), false) : compare(*facts);
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

void RolloutsPage::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape && event->modifiers() == Qt::NoModifier && m_detail->comparing()) return m_detail->compare({}, nullptr, 0);
  QWidget::keyPressEvent(event);
}

void RolloutsPage::rebuilt() {
  m_rebuilding = false;
  if (m_histogram->threshold() != m_model->threshold() && !(std::isnan(m_histogram->threshold()) && std::isnan(m_model->threshold()))) m_histogram->setThreshold(m_model->threshold());
  m_histogram->setValues(m_model->gaps());
  m_table->setColumnHidden(RolloutTable::Step, !m_allSteps);
  int row = -1;
  if (m_wanted) {
    row = m_model->rowOf(*m_wanted);
    if (row >= 0) m_wanted.reset();
  }
  if (row < 0 && !m_current.isEmpty()) row = m_model->rowOf(m_current);
  if (row < 0 && !m_selection.sample().isEmpty()) row = m_model->rowOf(m_selection.sample());
  if (row < 0 && m_model->rowCount() > 0 && !m_store->loading()) row = 0;
  const RolloutFacts* facts = m_model->facts(row);
  const bool same = facts && m_detail->hasSample() && m_detail->detail().record.step == facts->step && m_detail->detail().record.index == facts->index &&
                    QString::fromStdString(facts->sampleId) == m_current;
  m_rebuilding = same;  // the sample is shown already: only the marked row moves
  if (row >= 0) m_table->setCurrentIndex(m_model->index(row, RolloutTable::Prompt));
  m_rebuilding = false;
  if (row < 0 && !m_store->loading()) choose({});
  if (same) m_table->verticalScrollBar()->setValue(m_scroll);
  else if (row >= 0) m_table->scrollTo(m_model->index(row, 0));
  refreshCount();
  if (m_steps->count() != int(m_store->steps().size()) + 1) fillSteps();
}

QString RolloutsPage::countText() const { return tr("%1 of %2").arg(m_model->taken()).arg(m_model->considered()); }

void RolloutsPage::refreshCount() {
  m_count->setText(m_store->loading() ? tr("reading, %1 %").arg(int(m_store->fraction() * 100)) : countText());
  QString words = tr("Sorted by %1, %2").arg(RolloutTable::columnTitle(m_model->sortColumn()).toLower(), m_model->sortOrder() == Qt::AscendingOrder ? tr("ascending") : tr("descending"));
  if (m_store->problems() > 0) words = tr("%1 lines are no saved responses and were left out (%2)").arg(m_store->problems()).arg(m_store->firstProblem());
  m_footer->setText(words);
  refreshEmpty();
}

}  // namespace cuescope
