#include "ui/panels/train_column.h"

#include <QHeaderView>
#include <QLabel>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/models/run_events.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"
#include "ui/panels/train_side.h"
#include "ui/table_columns.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {

RunEventsList::RunEventsList(QWidget* parent) : QWidget(parent) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  m_empty = new QLabel(this);
  m_empty->setWordWrap(true);
  m_empty->setProperty("tone", QStringLiteral("3"));
  m_empty->setContentsMargins(12, 8, 12, 8);
  m_empty->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  m_table = new QTableWidget(0, 2, this);
  m_table->setHorizontalHeaderLabels({tr("Step"), tr("What")});
  m_table->horizontalHeaderItem(0)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
  m_table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_table->horizontalHeader()->setHighlightSections(false);
  m_table->horizontalHeader()->setStretchLastSection(true);
  elideHeads(m_table);
  setColumn(m_table, 0, 56);
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(22);
  m_table->setShowGrid(false);
  m_table->setWordWrap(false);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_table->setTabKeyNavigation(false);
  m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_table->setIconSize({14, 14});
  m_table->setAccessibleName(tr("Events of the run"));
  m_table->setWhatsThis(tr("What has happened in the run, newest first; choosing a row sets the step."));
  column->addWidget(m_empty);
  column->addWidget(m_table, 1);
  column->addStretch(0);
  connect(m_table, &QTableWidget::itemSelectionChanged, this, [this] {
    const auto* at = m_table->currentRow() >= 0 ? m_table->item(m_table->currentRow(), 0) : nullptr;
    if (at && at->isSelected()) Q_EMIT stepPicked(at->data(Qt::UserRole).toInt());
  });
  setRun(nullptr, {});
}

void RunEventsList::setRun(const RunRecord* record, const std::vector<HealthEvent>& health) {
  const auto events = record ? runEvents(*record, health, CheckpointList::bestStep(record->checkpoints)) : std::vector<RunEvent>();
  const QSignalBlocker quiet(m_table);
  const int chosen = m_table->selectedItems().isEmpty() ? -1 : m_table->selectedItems().first()->data(Qt::UserRole).toInt();
  m_table->setRowCount(int(events.size()));
  for (int r = 0; r < int(events.size()); ++r) {
    const RunEvent& event = events[std::size_t(r)];
    auto* step = new QTableWidgetItem(QString::number(event.step));
    step->setFont(monoFont(11));
    step->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
    auto* words = new QTableWidgetItem(event.words);
    words->setIcon(event.kind == RunEvent::Kind::Saved                                           ? icon(Icon::Diamond)
                   : event.kind == RunEvent::Kind::Ended                                         ? icon(Icon::Check)
                   : event.kind == RunEvent::Kind::Failed                                        ? icon(Icon::Cross, colors().danger)
                   : event.kind == RunEvent::Kind::Evaluated                                     ? icon(Icon::Eye)
                                                                                                 : icon(Icon::Caution, colors().caution));
    for (QTableWidgetItem* item : {step, words}) {
      item->setData(Qt::UserRole, event.step);
      item->setToolTip(event.detail.isEmpty() ? event.words : event.words + QLatin1Char('\n') + event.detail);
    }
    m_table->setItem(r, 0, step);
    m_table->setItem(r, 1, words);
    if (chosen == event.step && m_table->selectedItems().isEmpty()) m_table->selectRow(r);
  }
  m_table->setVisible(!events.empty());
  m_empty->setVisible(events.empty());
  m_empty->setText(!record ? tr("No run is selected.") : tr("Nothing has happened yet. Evaluations, checkpoints, skipped updates and what the checks find are listed here with their step."));
}

TrainColumn::TrainColumn(Session& session, RunQueue& queue, QWidget* parent) : QSplitter(Qt::Vertical, parent) {
  setHandleWidth(1);
  setChildrenCollapsible(false);
  m_health = new HealthList;
  auto* healthArea = new QScrollArea;
  healthArea->setWidgetResizable(true);
  healthArea->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  healthArea->setWidget(m_health);
  m_events = new RunEventsList;
  m_queue = new QueueList(queue);
  m_healthPanel = new cuescope::Panel(QStringLiteral("train.health"), tr("Health"), healthArea);
  m_healthPanel->addTab(tr("Events"), m_events);
  m_healthPanel->addTab(tr("Queue"), m_queue);
  m_checkpoints = new CheckpointList;
  m_checkpointPanel = new cuescope::Panel(QStringLiteral("train.checkpoints"), tr("Checkpoints"), m_checkpoints);
  m_parameters = new ParameterList(ParameterList::Mode::Parameters, session);
  m_yaml = new ParameterList(ParameterList::Mode::Yaml, session);
  m_diff = new ParameterList(ParameterList::Mode::Diff, session);
  m_parameterPanel = new cuescope::Panel(QStringLiteral("train.parameters"), tr("Parameters"), m_parameters);
  m_parameterPanel->addTab(tr("YAML"), m_yaml);
  m_parameterPanel->addTab(tr("Diff"), m_diff);
  growWithRoom(m_parameterPanel);
  placePanels(false);
  connect(m_health, &HealthList::stepPicked, this, &TrainColumn::stepPicked);
  connect(m_events, &RunEventsList::stepPicked, this, &TrainColumn::stepPicked);
  connect(m_checkpoints, &CheckpointList::stepPicked, this, &TrainColumn::stepPicked);
}

void TrainColumn::placePanels(bool tabs) {
  const QList<cuescope::Panel*> panels{m_healthPanel, m_checkpointPanel, m_parameterPanel};
  if (tabs) addWidget(new PanelStack(panels));
  else for (cuescope::Panel* panel : panels) addWidget(panel);
}

void TrainColumn::setRun(const QString& run) {
  for (ParameterList* list : {m_parameters, m_yaml, m_diff}) list->setRun(run);
}

void TrainColumn::setCheckpointNote(const QString& note) {
  m_checkpointPanel->setNote(note);
}

}  // namespace cuescope
