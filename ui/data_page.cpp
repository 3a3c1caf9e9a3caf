#include "ui/data_page.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/image_canvas.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr int kPage = 100;
}

void DataRowsModel::clear(const QString& file) {
  beginResetModel();
  m_file = file;
  m_rows.clear();
  m_total = -1;
  m_waiting = false;
  endResetModel();
}

void DataRowsModel::add(const DataRows& rows) {
  if (QString::fromStdString(rows.file) != m_file || rows.first != qint64(m_rows.size())) return;
  m_total = rows.total;
  m_waiting = false;
  if (rows.rows.empty()) return;
  beginInsertRows({}, int(m_rows.size()), int(m_rows.size() + rows.rows.size()) - 1);
  m_rows.insert(m_rows.end(), rows.rows.begin(), rows.rows.end());
  endInsertRows();
}

const DataRow* DataRowsModel::row(int index) const {
  return index >= 0 && index < int(m_rows.size()) ? &m_rows[std::size_t(index)] : nullptr;
}

QVariant DataRowsModel::data(const QModelIndex& index, int role) const {
  const DataRow* at = index.isValid() ? row(index.row()) : nullptr;
  if (!at) return {};
  if (role == Qt::FontRole) return index.column() == Question ? uiFont(12) : monoFont(11);
  if (role == Qt::TextAlignmentRole) return index.column() == Index ? int(Qt::AlignRight | Qt::AlignVCenter) : int(Qt::AlignLeft | Qt::AlignVCenter);
  if (role == Qt::ToolTipRole && !at->problem.empty()) return QString::fromStdString(at->problem);
  if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
  switch (index.column()) {
    case Index: return QString::number(at->index);
    case Id: return QString::fromStdString(at->id);
    case Kind: return QString::fromStdString(at->kind);
    case Question: return QString::fromStdString(at->problem.empty() ? at->question : at->problem).simplified();
    case Answer: return QString::fromStdString(at->answer);
  }
  return {};
}

QVariant DataRowsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  const char* const names[] = {"Row", "Id", "Kind", "Question", "Answer"};
  return section < Columns ? QVariant(tr(names[section])) : QVariant();
}

bool DataRowsModel::canFetchMore(const QModelIndex& parent) const {
  return !parent.isValid() && !m_waiting && m_total > qint64(m_rows.size());
}

void DataRowsModel::fetchMore(const QModelIndex& parent) {
  if (!canFetchMore(parent)) return;
  m_waiting = true;
  Q_EMIT rowsWanted(qint64(m_rows.size()), kPage);
}

DataPage::DataPage(Session& session, Workspace& workspace, QWidget* parent) : QWidget(parent), m_session(session), m_workspace(workspace) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  m_stack = new QStackedWidget;
  column->addWidget(m_stack);
  auto* none = new QWidget;
  auto* noneColumn = new QVBoxLayout(none);
  noneColumn->setContentsMargins(24, 24, 24, 24);
  m_empty = new EmptyPanel;
  m_error = new ErrorPanel;
  m_error->hide();
  noneColumn->addWidget(m_error);
  noneColumn->addWidget(m_empty);
  noneColumn->addStretch(1);
  const QString demo = workspace.demoData(QStringLiteral("test"));
  m_empty->setText(tr("No data set is open."), tr("Drop a verl parquet or JSONL file anywhere, or choose one in the navigator. Cue editor and lint are not built yet."),
                   demo.isEmpty() ? tr("Open a file") : tr("Open the demo's data"));
  connect(m_empty, &EmptyPanel::actionChosen, this, [this, demo] { demo.isEmpty() ? Q_EMIT openRequested() : openFile(demo); });
  m_stack->addWidget(none);

  auto* rows = new QWidget;
  auto* rowColumn = new QVBoxLayout(rows);
  rowColumn->setContentsMargins(0, 0, 0, 0);
  rowColumn->setSpacing(0);
  auto* bar = new Strip(32);
  m_title = new ElidedLabel;
  m_title->setPixelSize(13, QFont::DemiBold);
  m_inspect = new QPushButton(tr("Inspect this row"));
  m_inspect->setToolTip(tr("Ask the student this row's question (Enter)"));
  bar->row()->addWidget(m_title, 1);
  bar->row()->addWidget(m_inspect);
  rowColumn->addWidget(bar);
  auto* split = new QSplitter(Qt::Horizontal);
  split->setHandleWidth(1);
  m_model = new DataRowsModel(this);
  m_table = new QTableView;
  m_table->setModel(m_model);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(22);
  m_table->setShowGrid(false);
  m_table->setWordWrap(false);
  m_table->horizontalHeader()->setSectionResizeMode(DataRowsModel::Question, QHeaderView::Stretch);
  m_table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_table->setAccessibleName(tr("Rows"));
  split->addWidget(m_table);
  auto* detail = new QWidget;
  auto* detailColumn = new QVBoxLayout(detail);
  detailColumn->setContentsMargins(0, 0, 0, 0);
  detailColumn->setSpacing(0);
  m_picture = new ImageCanvas;
  m_picture->setShowLegend(false);
  m_picture->setEmptyText(tr("No picture in this row"), {});
  m_facts = new FactTable;
  m_text = new QPlainTextEdit;
  m_text->setReadOnly(true);
  m_text->setFont(monoFont(11));
  m_text->setAcceptDrops(false);
  m_text->setAccessibleName(tr("Prompt, cue and hint"));
  detailColumn->addWidget(m_picture, 3);
  detailColumn->addWidget(m_facts);
  detailColumn->addWidget(m_text, 2);
  split->addWidget(detail);
  split->setSizes({760, 560});
  rowColumn->addWidget(split, 1);
  m_stack->addWidget(rows);

  connect(m_model, &DataRowsModel::rowsWanted, this, [this](qint64 first, int count) { m_session.readRows(m_model->file(), first, count); });
  connect(&session, &Session::rowsArrived, this, [this](const DataRows& arrived) {
    if (QString::fromStdString(arrived.file) != m_model->file()) return;
    const bool first = m_model->rowCount() == 0;
    m_model->add(arrived);
    m_title->setText(QFileInfo(m_model->file()).fileName(), tr("%1 rows").arg(arrived.total));
    m_stack->setCurrentIndex(1);
    if (first && m_model->rowCount() > 0) m_table->selectRow(0);
    m_table->resizeColumnToContents(DataRowsModel::Id);
    m_table->resizeColumnToContents(DataRowsModel::Kind);
    m_table->setColumnWidth(DataRowsModel::Index, 56);
  });
  connect(&session, &Session::rowsFailed, this, [this](const QString& file, const Failure& failure) {
    if (file != m_model->file()) return;
    m_error->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
    m_error->show();
    m_stack->setCurrentIndex(0);
  });
  connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &DataPage::showRow);
  const auto choose = [this] {
    if (const DataRow* row = m_model->row(m_table->currentIndex().row()); row && row->problem.empty()) Q_EMIT rowChosen(*row);
  };
  connect(m_table, &QTableView::activated, this, choose);
  connect(m_inspect, &QPushButton::clicked, this, choose);
}

void DataPage::openFile(const QString& file) {
  m_error->hide();
  m_model->clear(file);
  m_session.readRows(file, 0, kPage);
}

void DataPage::showRow(const QModelIndex& index) {
  const DataRow* row = m_model->row(index.row());
  if (!row) return;
  HeatmapScene scene;
  scene.picture = QImage::fromData(row->image.data(), int(row->image.size())).convertToFormat(QImage::Format_RGB888);
  scene.showMap = false;
  for (const PixelBox& box : row->evidence)
    if (box.image == 0) scene.boxes.push_back({QRectF(double(box.x), double(box.y), double(box.width), double(box.height)), QString::fromStdString(box.label), false});
  m_picture->setScene(scene);
  m_picture->fit();
  m_facts->setRows({{tr("Row, id"), {QStringLiteral("%1, %2").arg(row->index).arg(QString::fromStdString(row->id))}, {}, {}},
                    {tr("Kind, layout"), {QString::fromStdString(row->kind + ", " + row->layout)}, {}, {}},
                    {tr("Pictures, evidence boxes"), {QStringLiteral("%1, %2").arg(row->pictures).arg(row->evidence.size())}, {}, {}},
                    {tr("Answer"), {QString::fromStdString(row->answer)}, {}, {}}});
  m_text->setPlainText(tr("Student reads\n%1\n\nCue for the teacher\n%2\n\nHint that gives the answer away\n%3")
                           .arg(QString::fromStdString(row->prompt), QString::fromStdString(row->cue), QString::fromStdString(row->hint)));
  m_inspect->setEnabled(row->problem.empty());
}

}  // namespace cuescope
