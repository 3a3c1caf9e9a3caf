// The checkpoints of a run: a list whose rows are chosen, opened, compared, exported.
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <QMouseEvent>
#include <QPushButton>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/acts_as.h"
#include "ui/panels/plain_table.h"
#include "ui/panels/train_side.h"
#include "widgets/icons.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

double valueOf(const CheckpointInfo& info, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto found = info.metrics.find(name); found != info.metrics.end()) return found->second;
  return std::nan("");
}

}  // namespace

CheckpointList::CheckpointList(QWidget* parent) : QWidget(parent) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  m_table = plainTable({tr("Step"), tr("Gap"), tr("Accuracy"), tr("Size"), tr("Kept")}, this);
  m_table->setAccessibleName(tr("Checkpoints"));
  m_table->setWhatsThis(tr("The checkpoints of the run; the buttons work on the chosen one. Ctrl+click opens another one beside it in Inspect."));
  m_table->viewport()->installEventFilter(this);
  m_table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  for (const int number : {1, 2, 3}) m_table->horizontalHeaderItem(number)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);  // over their numbers
  m_table->horizontalHeader()->setMinimumSectionSize(40);
  const int widths[] = {60, 57, 60, 65, 54};  // with their heads they fit into what the column of 320 px leaves
  for (int c = 0; c < 5; ++c) setColumn(m_table, c, widths[c]);
  m_table->setMinimumHeight(70);
  m_empty = new QLabel(tr("No checkpoint yet."), this);
  m_empty->setProperty("tone", QStringLiteral("3"));
  m_empty->setContentsMargins(12, 8, 12, 8);
  m_empty->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  m_empty->setWordWrap(true);
  m_inspect = new QPushButton(tr("Inspect"), this);
  m_student = new QPushButton(tr("Use as student"), this);
  m_export = new QPushButton(tr("Export folder"), this);
  auto* row = new QHBoxLayout;
  row->setContentsMargins(8, 6, 8, 6);
  row->setSpacing(6);
  for (QPushButton* button : {m_inspect, m_student, m_export}) row->addWidget(button);
  row->addStretch(1);
  actsAs(m_inspect, "checkpoint.inspect");
  actsAs(m_student, "checkpoint.student");
  actsAs(m_export, "checkpoint.export");
  column->addWidget(m_empty);
  column->addWidget(m_table, 1);
  column->addLayout(row);
  connect(m_table, &QTableWidget::itemSelectionChanged, this, [this] {
    endComparison();
    updateButtons();
    const int at = m_table->currentRow();
    if (at >= 0 && std::size_t(at) < m_checkpoints.size()) Q_EMIT stepPicked(m_checkpoints[std::size_t(at)].step);
  });
  connect(m_table, &QTableWidget::itemDoubleClicked, this, [this] { Q_EMIT inspectRequested(chosen()); });
  connect(m_inspect, &QPushButton::clicked, this, [this] { Q_EMIT inspectRequested(chosen()); });
  connect(m_student, &QPushButton::clicked, this, [this] { Q_EMIT useAsStudentRequested(chosen()); });
  connect(m_export, &QPushButton::clicked, this, [this] { Q_EMIT exportRequested(chosen()); });
  m_table->setContextMenuPolicy(Qt::CustomContextMenu);
  connect(m_table, &QWidget::customContextMenuRequested, this, [this](const QPoint& at) {
    if (chosen().isEmpty()) return;
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->addAction(tr("Inspect"), this, [this] { Q_EMIT inspectRequested(chosen()); });
    menu->addAction(tr("Use as student of a new run"), this, [this] { Q_EMIT useAsStudentRequested(chosen()); });
    menu->addAction(tr("Export as a Hugging Face folder"), this, [this] { Q_EMIT exportRequested(chosen()); });
    menu->addAction(tr("Open folder"), this, [this] { Q_EMIT folderRequested(chosen()); });
    menu->popup(m_table->viewport()->mapToGlobal(at));
  });
  setCheckpoints(nullptr);
}

int CheckpointList::bestStep(const std::vector<CheckpointInfo>& checkpoints) {
  int best = -1;
  double score = -INFINITY;
  for (const CheckpointInfo& info : checkpoints) {
    double value = valueOf(info, {"val/accuracy"});
    if (std::isnan(value)) value = -std::abs(valueOf(info, {"distillation/gap"})) - 1e3;  // any accuracy beats any gap
    if (std::isfinite(value) && value > score) score = value, best = info.step;
  }
  return best;
}

void CheckpointList::setCheckpoints(const RunRecord* record) {
  std::vector<CheckpointInfo> next = record ? record->checkpoints : std::vector<CheckpointInfo>();
  std::erase_if(next, [](const CheckpointInfo& info) { return !info.complete; });
  std::sort(next.begin(), next.end(), [](const CheckpointInfo& a, const CheckpointInfo& b) { return a.step > b.step; });
  const QString keep = chosen();
  m_checkpoints = std::move(next);
  if (std::none_of(m_checkpoints.begin(), m_checkpoints.end(), [&](const CheckpointInfo& info) { return QString::fromStdString(info.folder) == m_b; })) m_a.clear(), m_b.clear();
  const QSignalBlocker blocker(m_table);
  const int best = bestStep(m_checkpoints);
  m_table->setRowCount(int(m_checkpoints.size()));
  for (int r = 0; r < m_table->rowCount(); ++r) {
    const CheckpointInfo& info = m_checkpoints[std::size_t(r)];
    QTableWidgetItem* step = cell(stepText(info), true, false);
    step->setIcon(icon(info.step == best ? Icon::DiamondFilled : Icon::Diamond));
    const double gap = valueOf(info, {"distillation/gap"}), accuracy = valueOf(info, {"val/accuracy"});
    m_table->setItem(r, 0, step);
    m_table->setItem(r, 1, cell(std::isnan(gap) ? tr("none") : number(gap, 3), true, true));
    m_table->setItem(r, 2, cell(std::isnan(accuracy) ? tr("none") : number(accuracy, 3), true, true));
    if (std::isnan(gap)) m_table->item(r, 1)->setToolTip(tr("not computed at this step"));
    if (std::isnan(accuracy)) m_table->item(r, 2)->setToolTip(tr("not computed at this step"));
    m_table->setItem(r, 3, cell(bytesText(double(info.bytes)), true, true));
    m_table->setItem(r, 4, cell(info.step == best ? tr("best") : r == 0 ? tr("last") : tr("older"), false, false));
    if (info.folder == keep.toStdString()) m_table->selectRow(r);
  }
  m_table->setVisible(!m_checkpoints.empty());
  m_empty->setVisible(m_checkpoints.empty());
  m_empty->setText(!record ? tr("No run is selected.") : tr("No checkpoint yet. One is written every few steps, at «Checkpoint now», and when the run is stopped and saved."));
  updateButtons();
}

void CheckpointList::setCursorStep(int step) {
  const QSignalBlocker blocker(m_table);
  m_table->clearSelection();
  for (std::size_t r = 0; r < m_checkpoints.size(); ++r)
    if (m_checkpoints[r].step == step) m_table->selectRow(int(r));
  updateButtons();
}

// A letter behind the step says which of two it is.
QString CheckpointList::stepText(const CheckpointInfo& info) const {
  const QString folder = QString::fromStdString(info.folder), step = QString::number(info.step);
  return m_b.isEmpty() ? step : folder == m_a ? step + QStringLiteral(" A") : folder == m_b ? step + QStringLiteral(" B") : step;
}

void CheckpointList::fillSteps() {
  for (int row = 0; row < m_table->rowCount() && std::size_t(row) < m_checkpoints.size(); ++row) m_table->item(row, 0)->setText(stepText(m_checkpoints[std::size_t(row)]));
}

void CheckpointList::compare(const QString& folder) {
  const QString first = m_b.isEmpty() ? chosen() : m_a;
  if (first.isEmpty() || folder == first || folder == m_b) return;
  m_a = m_b.isEmpty() ? first : folder;
  if (m_b.isEmpty()) m_b = folder;
  fillSteps();
  Q_EMIT compareRequested(m_a, m_b);
}

void CheckpointList::endComparison() {
  if (m_b.isEmpty()) return;
  m_a.clear(), m_b.clear();
  fillSteps();
}

bool CheckpointList::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_table->viewport() && event->type() == QEvent::MouseButtonPress) {
    auto* mouse = static_cast<QMouseEvent*>(event);
    const int row = m_table->rowAt(int(mouse->position().y()));
    if (mouse->button() == Qt::LeftButton && mouse->modifiers() & Qt::ControlModifier && row >= 0 && std::size_t(row) < m_checkpoints.size() && !chosen().isEmpty()) {
      compare(QString::fromStdString(m_checkpoints[std::size_t(row)].folder));
      return true;
    }
    endComparison();  // a plain click chooses one
  }
  return QWidget::eventFilter(watched, event);
}

void CheckpointList::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape && !m_b.isEmpty()) return endComparison();
  QWidget::keyPressEvent(event);
}

QString CheckpointList::chosen() const {
  const auto rows = m_table->selectionModel() ? m_table->selectionModel()->selectedRows() : QModelIndexList();
  if (rows.isEmpty() || std::size_t(rows.first().row()) >= m_checkpoints.size()) return {};
  return QString::fromStdString(m_checkpoints[std::size_t(rows.first().row())].folder);
}

void CheckpointList::updateButtons() {
  const bool any = !chosen().isEmpty();
  const std::pair<QPushButton*, QString> buttons[] = {{m_inspect, tr("Open this checkpoint in Inspect (double click)")},
                                                      {m_student, tr("New run that begins with this model")},
                                                      {m_export, tr("Write the model alone as a Hugging Face folder, the cue module's names included")}};
  for (const auto& [button, tip] : buttons) {
    button->setEnabled(any);
    button->setToolTip(any ? tip : m_checkpoints.empty() ? tr("This run has no checkpoint yet.") : tr("Choose a checkpoint in the table."));
  }
}

}  // namespace cuescope
