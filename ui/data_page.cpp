// How the page is built and how rows arrive; what is done to a row is in data_page_edit.cpp.
#include "ui/data_page.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QKeyEvent>
#include <QLineEdit>
#include <QPainter>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QTableWidget>
#include <QToolButton>
#include <QUndoStack>
#include <QVBoxLayout>

#include "ui/acts_as.h"
#include "ui/data_cue_canvas.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"
#include "ui/preferences.h"
#include "ui/rollouts_cells.h"
#include "ui/table_columns.h"
#include "ui/workspace.h"
#include "widgets/elided_label.h"
#include "widgets/empty_panel.h"
#include "widgets/error_panel.h"
#include "widgets/frame_strip.h"
#include "widgets/icons.h"
#include "widgets/segmented_button.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr int kPage = 100;
constexpr int kIdWidth = 148, kCueWidth = 126, kTightBelow = 380;
constexpr int kColumnsFrom = 540;  // px of the table from which every column stands in it

/// The mark's number before its kind, as on the picture.
class NumberDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

 protected:
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
    QStyledItemDelegate::initStyleOption(option, index);
    const qreal ratio = option->widget ? option->widget->devicePixelRatioF() : 1;
    QPixmap badge(QSize(15, 15) * ratio);
    badge.setDevicePixelRatio(ratio);
    badge.fill(colors().ink);
    QPainter painter(&badge);
    painter.setPen(colors().casing);
    painter.setFont(monoFont(10, QFont::DemiBold));
    painter.drawText(QRect(0, 0, 15, 15), Qt::AlignCenter, QString::number(index.row() + 1));
    painter.end();
    option->icon = QIcon(badge);
    option->decorationSize = {15, 15};
    option->features |= QStyleOptionViewItem::HasDecoration;
  }
};

/// Rows by words in id, question, cue or answer, and by what lint says.
class RowFilter : public QSortFilterProxyModel {
 public:
  RowFilter(DataRowsModel& rows, QObject* parent) : QSortFilterProxyModel(parent), m_rows(rows) { setSourceModel(&rows); }
  void set(const QString& words, int show) {
    m_words = words;
    m_show = show;
    invalidateFilter();
  }

 protected:
  bool filterAcceptsRow(int at, const QModelIndex&) const override {
    const DataRow* row = m_rows.row(at);
    if (!row) return false;
    if (m_show == 0 && m_words.isEmpty()) return true;
    const CueEdit cue = m_rows.cueAt(at);
    if (m_show == 1 && !m_rows.worstAt(at)) return false;
    if (m_show == 2 && !cue.changed()) return false;
    const auto in = [&](const std::string& text) { return QString::fromStdString(text).contains(m_words, Qt::CaseInsensitive); };
    return m_words.isEmpty() || in(row->id) || in(row->question) || in(cue.cue) || in(row->answer) || in(row->kind);
  }

 private:
  DataRowsModel& m_rows;
  QString m_words;
  int m_show = 0;
};

}  // namespace

DataPage::DataPage(Session& session, Workspace& workspace, QWidget* parent) : QWidget(parent), RoomyPage(this), m_session(session), m_workspace(workspace) {
  m_undo = new QUndoStack(this);
  m_model = new DataRowsModel(this);
  const auto limit = [this] { m_model->setPictureLimit(qint64(Preferences::instance().number(preference::kPictureMib)) << 20); };
  limit();
  connect(&Preferences::instance(), &Preferences::changed, this, [limit](const QString& key) {
    if (key == QLatin1String(preference::kPictureMib)) limit();
  });
  m_model->setEdits(&m_edits);
  m_filter = new RowFilter(*m_model, this);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  m_stack = new QStackedWidget;
  column->addWidget(m_stack);
  auto* none = new QWidget;
  auto* noneColumn = new QVBoxLayout(none);
  noneColumn->setContentsMargins(24, 24, 24, 24);
  m_empty = new EmptyPanel;
  m_empty->setMaximumWidth(640);
  m_error = new ErrorPanel;
  m_error->setMaximumWidth(640);
  m_error->hide();
  noneColumn->addWidget(m_error);
  noneColumn->addWidget(m_empty);
  noneColumn->addStretch(1);
  const QString demo = workspace.demoData(QStringLiteral("test"));
  m_empty->setText(tr("No data set is open."), tr("Drop a verl parquet or JSONL file anywhere, or choose one in the navigator."), demo.isEmpty() ? tr("Open a file") : tr("Open the demo's data"));
  connect(m_empty, &EmptyPanel::actionChosen, this, [this, demo] { demo.isEmpty() || m_error->isVisible() ? Q_EMIT openRequested() : openFile(demo); });
  m_stack->addWidget(none);

  m_split = madeSplitter(Qt::Horizontal);
  m_split->addWidget(buildRows());
  m_split->addWidget(buildEditor());
  m_side = new DataSide;
  m_split->addWidget(m_side);
  m_split->setStretchFactor(1, 1);
  m_stack->addWidget(m_split);
  m_views = new ViewFocus(this, QStringLiteral("row"));
  const std::pair<QWidget*, const char*> views[] = {{m_table, "rows"}, {m_complaints, "lint"}, {m_lintAll, "lint"}, {m_canvas, "row"}, {m_cue, "row"}, {m_marks, "row"}, {m_side->studentText(), "prompts"}, {m_side->teacherText(), "prompts"}, {m_side->lint(), "checks"}};
  for (const auto& [widget, name] : views) m_views->add(widget, QLatin1String(name));
  m_promptTimer.setSingleShot(true);
  m_promptTimer.setInterval(150);
  connectRows();
  defaultPlaces();
}

void DataPage::placePanels() { m_side->placePanels(room() != Wide); }

void DataPage::defaultSizes() {
  m_split->setSizes(room() == Wide ? QList<int>{440, 564, 380} : QList<int>{420, 482, 340});
  m_side->defaultSizes();
}

QWidget* DataPage::buildRows() {
  auto* rows = new QWidget;
  auto* column = new QVBoxLayout(rows);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(24, Strip::Ground::Window);
  m_title = new ElidedLabel;
  m_title->setPixelSize(12, QFont::DemiBold);
  head->row()->addWidget(m_title, 1);
  auto* bar = new Strip(32);
  m_search = new QLineEdit;
  m_search->setPlaceholderText(tr("Search prompts, cues, answers"));
  m_search->setToolTip(m_search->placeholderText() + QLatin1Char('\n') + tr("Shows only the rows that contain these words"));
  m_search->setAccessibleName(m_search->placeholderText());
  m_search->setClearButtonEnabled(true);
  m_search->setAcceptDrops(false);
  m_show = new QComboBox;
  m_show->addItems({tr("All"), tr("With complaints"), tr("Edited")});
  m_show->setAccessibleName(tr("Rows that are shown"));
  m_show->setToolTip(tr("All rows, those that lint complains of, or those that were edited"));
  m_inspect = new QPushButton(icon(Icon::Eye), tr("Inspect"));
  m_inspect->setToolTip(tr("Ask the student this row's question (Enter)"));
  actsAs(m_search, "data.find");
  actsAs(m_show, "data.show");
  actsAs(m_inspect, "data.inspect");
  bar->row()->addWidget(m_search, 1);
  bar->row()->addWidget(m_show);
  bar->row()->addWidget(m_inspect);
  m_table = new QTableView;
  m_table->setWhatsThis(tr("The rows of the data file; the chosen one is shown beside."));
  m_table->setModel(m_filter);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(34);
  m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_table->setItemDelegateForColumn(DataRowsModel::Id, new PictureDelegate(m_table));
  m_table->setShowGrid(false);
  m_table->setWordWrap(false);
  m_table->setTabKeyNavigation(false);
  m_table->setIconSize({14, 14});
  m_table->horizontalHeader()->setSectionResizeMode(DataRowsModel::Question, QHeaderView::Stretch);
  m_table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_table->horizontalHeader()->setHighlightSections(false);
  m_table->setColumnHidden(DataRowsModel::Kind, true);  // in Provenance
  elideHeads(m_table);
  m_table->setAccessibleName(tr("Rows"));
  auto* lint = new Strip(28, Strip::Ground::Window);
  m_lintHead = new ElidedLabel;
  m_lintHead->setText(tr("Lint, whole set"), tr("not run"));
  m_lintHead->setPixelSize(12, QFont::DemiBold);
  m_lintAll = new QPushButton(tr("Run lint"));
  m_lintAll->setToolTip(tr("Looks at every row: lengths, placeholders, empty cues, answers and theorem words in cues, boxes outside the picture"));
  m_judge = new QComboBox;
  m_judge->setAccessibleName(tr("Run whose limits count"));
  m_judge->setToolTip(tr("The models, limits and privilege that prompts and lint go by, as a run of this configuration reads the rows"));
  m_judge->setMaximumWidth(150);
  actsAs(m_lintAll, "data.lint");
  actsAs(m_judge, "data.judge");
  lint->row()->addWidget(m_lintHead, 1);
  lint->row()->addWidget(m_judge);
  lint->row()->addWidget(m_lintAll);
  m_lintSums = new QLabel;
  m_lintSums->setWordWrap(true);
  m_lintSums->setProperty("tone", QStringLiteral("2"));
  m_lintSums->setContentsMargins(8, 4, 8, 4);
  m_lintSums->hide();
  m_complaints = new QListWidget;
  m_complaints->setWhatsThis(tr("What lint found wrong or doubtful; choosing one goes to its row."));
  m_complaints->setAccessibleName(tr("Complaints; choosing one goes to its row"));
  m_complaints->setFixedHeight(140);
  m_complaints->hide();  // until there are some: the rows have the room
  m_complaints->setUniformItemSizes(true);
  m_complaints->setIconSize({14, 14});
  column->addWidget(head);
  column->addWidget(bar);
  column->addWidget(m_table, 1);
  column->addWidget(lint);
  column->addWidget(m_lintSums);
  column->addWidget(m_complaints);
  return rows;
}

QWidget* DataPage::buildEditor() {
  auto* editor = new QWidget;
  auto* column = new QVBoxLayout(editor);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* bar = new Strip(32);
  m_tools = new SegmentedButton({tr("Move"), tr("Box"), tr("Point"), tr("Crop")});
  m_tools->setIcons({Icon::Move, Icon::Box, Icon::Point, Icon::Crop});
  m_tools->setToolTip(tr("What a drag on the picture does: take a mark, or draw a box, a point or a crop"));
  m_tools->setAccessibleName(tr("Tool of the cue editor"));
  auto* snap = new QCheckBox(tr("Snap to patches"));
  snap->setToolTip(tr("Boxes keep to the edges of the visual patches"));
  auto* grid = new QCheckBox(tr("Patch grid"));
  grid->setChecked(true);
  grid->setToolTip(tr("32 pixels of the stored picture: the patches of a picture that is not resized"));
  m_save = new QPushButton(tr("Save edits"));
  m_save->setProperty("primary", true);
  auto* saveAsButton = new QPushButton(tr("New file …"));
  saveAsButton->setToolTip(tr("The rows with their edits as another data file; the source is never written over"));
  saveAsButton->setObjectName(QStringLiteral("data.saveAs"));
  actsAs(m_tools, "data.move data.box data.point data.crop");
  actsAs(snap, "data.snap");
  actsAs(grid, "data.grid");
  actsAs(saveAsButton, "data.save-as");
  actsAs(m_save, "file.save");
  bar->row()->addWidget(m_tools);
  bar->row()->addWidget(snap);
  bar->row()->addWidget(grid);
  bar->row()->addStretch(1);
  bar->row()->addWidget(saveAsButton);
  bar->row()->addWidget(m_save);
  m_rowError = new ErrorPanel;
  m_rowError->hide();
  m_canvas = new CueCanvas;
  m_canvas->setTool(CueCanvas::Tool::Box);
  m_tools->setCurrent(1);
  m_pictures = new FrameStrip;
  m_pictures->setWhatsThis(tr("The pictures of this row; choosing one shows it with its own marks."));
  m_pictures->hide();
  auto* foot = new Strip(22, Strip::Ground::Window);
  m_readout = new ElidedLabel;
  m_readout->setPixelSize(11);
  m_readout->setMono(true);
  m_readout->setTone(ElidedLabel::Tone::Text2);
  foot->row()->addWidget(m_readout, 1);
  auto* cueHead = new Strip(24, Strip::Ground::Window);
  m_cueHead = new ElidedLabel;
  m_cueHead->setText(tr("Cue text"), tr("Say what is visible; not the theorem, the plan or the answer."));
  m_cueHead->setPixelSize(12, QFont::DemiBold);
  m_suggest = new QPushButton(tr("Suggest cue"));
  actsAs(m_suggest, "data.suggest");
  cueHead->row()->addWidget(m_cueHead, 1);
  cueHead->row()->addWidget(m_suggest);
  m_cue = new QPlainTextEdit;
  m_cue->setWhatsThis(tr("The cue text that only the teacher reads."));
  m_cue->setFixedHeight(66);
  m_cue->setAcceptDrops(false);
  m_cue->installEventFilter(this);
  m_cue->setTabChangesFocus(true);
  m_cue->setUndoRedoEnabled(false);  // its edits are the page's
  m_cue->setPlaceholderText(tr("No cue: the teacher reads what the student reads."));
  m_cue->setAccessibleName(tr("Cue text"));
  m_marks = new QTableWidget(0, 4);
  m_marks->setWhatsThis(tr("The evidence marks of this row."));
  m_marks->setHorizontalHeaderLabels({tr("Kind"), tr("Says"), tr("Pixels"), tr("From")});
  m_marks->verticalHeader()->setDefaultSectionSize(22);
  m_marks->verticalHeader()->hide();
  m_marks->setItemDelegateForColumn(0, new NumberDelegate(m_marks));
  m_marks->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_marks->setShowGrid(false);
  m_marks->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_marks->setSelectionMode(QAbstractItemView::SingleSelection);
  m_marks->setTabKeyNavigation(false);
  m_marks->horizontalHeader()->setSectionResizeMode(1, QHeaderView::Stretch);
  m_marks->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_marks->horizontalHeader()->setHighlightSections(false);
  elideHeads(m_marks);
  for (const auto& [each, width] : {std::pair{0, 84}, {2, 150}, {3, 76}}) setColumn(m_marks, each, width);
  m_marks->setFixedHeight(136);
  m_marks->setAccessibleName(tr("Evidence marks"));
  column->addWidget(bar);
  column->addWidget(m_rowError);
  column->addWidget(m_canvas, 1);
  column->addWidget(m_pictures);
  column->addWidget(foot);
  column->addWidget(cueHead);
  column->addWidget(m_cue);
  column->addWidget(m_marks);
  connect(snap, &QCheckBox::toggled, m_canvas, &CueCanvas::setSnap);
  connect(grid, &QCheckBox::toggled, this, [this](bool on) { m_canvas->setGrid(on, 32); });
  connect(m_tools, &SegmentedButton::currentChanged, this, &DataPage::chooseTool);
  return editor;
}

void DataPage::connectRows() {
  connect(m_model, &DataRowsModel::rowsWanted, this, [this](qint64 first, int count) { m_session.readRows(m_model->file(), first, count); });
  connect(&m_session, &Session::rowsArrived, this, [this](const DataRows& arrived) {
    if (QString::fromStdString(arrived.file) != m_model->file()) return;
    if (arrived.first < m_model->rowCount() && arrived.rows.size() == 1) {  // a picture that had been let go of
      m_model->replace(arrived.rows.front());
      if (currentRow() == int(arrived.first)) {
        showRow();
        if (m_sendLater) sendRow();
      }
      return;
    }
    const bool first = m_model->rowCount() == 0;
    m_model->add(arrived);
    m_title->setText(QFileInfo(m_model->file()).fileName(), tr("%1 rows").arg(arrived.total));
    m_stack->setCurrentIndex(1);
    if (first && m_filter->rowCount() > 0) m_table->selectRow(0);
    if (first) {
      for (const auto& [each, width] : {std::pair{DataRowsModel::Index, 44}, {DataRowsModel::Id, kIdWidth}, {DataRowsModel::Answer, 66}, {DataRowsModel::Cue, kCueWidth}}) setColumn(m_table, each, width);
      m_tight = false;
      placeColumns();
    }
    if (m_wantedRow >= 0) jumpTo(m_wantedRow);
    else if (!m_search->text().isEmpty() || m_show->currentIndex() > 0) m_model->fetchMore({});  // a search looks at all rows
  });
  connect(&m_session, &Session::rowsFailed, this, [this](const QString& file, const Failure& failure) {
    if (file != m_model->file()) return;
    if (m_stack->currentIndex() == 0) m_empty->setText(tr("No data set is open."), tr("Drop a verl parquet or JSONL file anywhere, or choose one in the navigator."), tr("Open a file"));
    fail(failure);
  });
  connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this] { showRow(); });
  connect(m_table, &QTableView::activated, this, &DataPage::sendRow);
  connect(m_inspect, &QPushButton::clicked, this, &DataPage::sendRow);
  connect(m_search, &QLineEdit::textChanged, this, &DataPage::applySearch);
  connect(m_show, &QComboBox::currentIndexChanged, this, &DataPage::applySearch);
  connect(m_lintAll, &QPushButton::clicked, this, &DataPage::lintAll);
  const auto jump = [this](QListWidgetItem* item) { jumpTo(item->data(Qt::UserRole).toLongLong()); };
  connect(m_complaints, &QListWidget::itemClicked, this, jump);
  connect(m_complaints, &QListWidget::itemActivated, this, jump);
  connect(m_save, &QPushButton::clicked, this, &DataPage::save);
  connect(m_suggest, &QPushButton::clicked, this, &DataPage::suggestCue);
  connect(m_judge, &QComboBox::currentIndexChanged, this, [this] {
    if (!m_filling) m_promptTimer.start();
    refreshState();
  });
  connect(&m_workspace, &Workspace::changed, this, &DataPage::fillJudges);
  connect(&m_session, &Session::runAdded, this, &DataPage::fillJudges);
  connect(&m_session, &Session::modelOpened, this, [this] {
    m_promptTimer.start();
    refreshState();
  });
  connect(findChild<QPushButton*>(QStringLiteral("data.saveAs")), &QPushButton::clicked, this, [this] {
    auto* dialog = new QFileDialog(this, tr("New data file"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setNameFilters({tr("Parquet, as verl reads it (*.parquet)"), tr("JSONL (*.jsonl)")});
    dialog->setDefaultSuffix(QStringLiteral("parquet"));
    connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) { dialog->setDefaultSuffix(filter.section(QStringLiteral("*."), 1).chopped(1)); });
    connect(dialog, &QFileDialog::fileSelected, this, &DataPage::saveAs);
    dialog->open();
  });
  connect(m_pictures, &FrameStrip::picked, this, &DataPage::showPicture);
  connect(&m_promptTimer, &QTimer::timeout, this, &DataPage::checkRow);
  connect(m_canvas, &CueCanvas::marksEdited, this, [this](const std::vector<CueMark>& marks, const QString& words, const QString& key) {
    CueEdit next = currentCue();
    next.marks = marks;
    edit(next, words, key);
  });
  connect(m_canvas, &CueCanvas::selectedChanged, this, [this](int mark) {
    const QSignalBlocker quiet(m_marks);
    if (mark >= 0) m_marks->selectRow(mark);
    else m_marks->clearSelection();
    refreshState();
  });
  connect(m_cue, &QPlainTextEdit::textChanged, this, [this] {
    if (m_filling) return;
    CueEdit next = currentCue();
    next.cue = m_cue->toPlainText().toStdString();
    // Who types here has the reference answer on the page.
    next.origin.how = next.origin.how.rfind("suggested", 0) == 0 ? "suggested, edited" : "edited";
    if (next.origin.how == "edited") next.origin = {"edited", {}, {}, -1, 1};
    next.origin.sawAnswer = 1;
    edit(next, tr("Type cue"), QStringLiteral("cue-%1").arg(next.row));
  });
  connect(m_marks, &QTableWidget::currentCellChanged, this, [this](int row) {
    if (m_filling) return refreshState();
    if (const CueEdit cue = currentCue(); row >= 0 && row < int(cue.marks.size()) && cue.marks[std::size_t(row)].image != m_canvas->image()) showPicture(cue.marks[std::size_t(row)].image);
    m_canvas->setSelected(row);
    refreshState();
  });
  connect(m_marks, &QTableWidget::cellChanged, this, [this](int row, int column) {
    if (m_filling || column != 1) return;
    CueEdit next = currentCue();
    if (row >= int(next.marks.size())) return;
    next.marks[std::size_t(row)].label = m_marks->item(row, 1)->text().toStdString();
    next.marks[std::size_t(row)].from = "edited";
    edit(next, tr("Name mark %1").arg(row + 1), {});
  });
  m_marks->installEventFilter(this);
  m_table->installEventFilter(this);
  m_canvas->installEventFilter(this);
  fillJudges();
  refreshState();
}

void DataPage::sendRow() {
  m_sendLater = false;
  const DataRow* row = m_model->row(currentRow());
  if (!row || !row->problem.empty()) return;
  DataRow asked = *row;  // with the cue as it is now
  const CueEdit cue = currentCue();
  asked.cue = cue.cue;
  asked.evidence.clear();
  for (const CueMark& mark : cue.marks) asked.evidence.push_back({mark.image, mark.x, mark.y, mark.width, mark.height, mark.label});
  Q_EMIT rowChosen(asked);
}

int DataPage::sampleCount() const { return m_filter->rowCount(); }
int DataPage::sampleAt() const { return m_table->currentIndex().isValid() ? m_table->currentIndex().row() : -1; }
std::pair<QString, QString> DataPage::sampleName(int at) const {
  const DataRow* row = m_model->row(sourceRow(at));
  return row ? std::pair{QString::fromStdString(row->id), QString::fromStdString(row->question).simplified()} : std::pair<QString, QString>();
}
void DataPage::goToSample(int at, bool inspect) {
  if (at < 0 || at >= m_filter->rowCount()) return;
  const QModelIndex index = m_filter->index(at, DataRowsModel::Question);
  m_sendLater = inspect;
  m_table->setCurrentIndex(index);
  m_table->scrollTo(index);
  if (at + 1 >= m_filter->rowCount()) m_model->fetchMore({});  // the next one is asked for
  const DataRow* row = m_model->row(currentRow());
  if (m_sendLater && row && (!row->image.empty() || row->pictures == 0)) sendRow();
}

// The cue's edits are the page's: its field leaves undo and redo to the window.
bool DataPage::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_table && event->type() == QEvent::Resize) placeColumns();
  if (watched == m_cue && event->type() == QEvent::ShortcutOverride) {
    auto* key = static_cast<QKeyEvent*>(event);
    if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
      event->ignore();
      return true;
    }
  }
  if ((watched == m_marks || watched == m_canvas) && event->type() == QEvent::KeyPress && static_cast<QKeyEvent*>(event)->matches(QKeySequence::Delete)) {
    m_canvas->removeSelected();
    return true;
  }
  return QWidget::eventFilter(watched, event);
}

// In a narrow table number and answer of a row give way to its question, in a narrower one its id and cue do; the answer stands in
// Provenance.
void DataPage::placeColumns() {
  for (const int each : {int(DataRowsModel::Index), int(DataRowsModel::Answer)}) m_table->setColumnHidden(each, m_table->width() < kColumnsFrom);
  const bool tight = m_table->width() < kTightBelow;
  if (tight == m_tight) return;  // said once a crossing: a column that a person moved stays
  m_tight = tight;
  setColumn(m_table, DataRowsModel::Id, tight ? 110 : kIdWidth);
  setColumn(m_table, DataRowsModel::Cue, tight ? 108 : kCueWidth);
}

void DataPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  followSize();
}

void DataPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  sizeOnce();
}

void DataPage::openFile(const QString& file) {
  m_error->hide();
  m_rowError->hide();
  if (!m_dirty.isEmpty()) {  // they are here again when that file is
    m_kept[m_model->file()] = unsavedEdits();
    Q_EMIT said(tr("%1 unsaved edits of %2 are kept").arg(m_dirty.size()).arg(QFileInfo(m_model->file()).fileName()));
  }
  m_undo->clear();
  m_edits.clear();
  m_verdict.reset();
  m_notComputed.clear();
  stopSuggesting();  // the row is another one now
  m_stack->setCurrentIndex(0);
  m_empty->setText(tr("Reading %1").arg(QFileInfo(file).fileName()), tr("Its rows come in pages of %1.").arg(kPage), {});
  m_dirty.clear();
  m_found.clear();
  m_complaints->clear();
  m_complaints->hide();
  sayLint(tr("not run"), {});
  m_wantedRow = -1;
  m_session.cancelJobs("lint");
  endLint(m_lintRun, tr("not run"));
  m_model->clear(file);
  try {
    m_edits = readCueEdits(cueEditsFile(file.toStdString()));
  } catch (...) {
    fail(currentFailure("reading saved cue edits"));
  }
  for (const auto& [row, edit] : m_kept.take(file)) {
    m_edits[row] = edit;
    m_dirty.insert(row);
  }
  fillJudges();
  m_session.readRows(file, 0, kPage);
  refreshState();
}

void DataPage::chooseTool(int tool) {
  m_tools->setCurrent(tool);
  m_canvas->setTool(CueCanvas::Tool(tool));
  Q_EMIT stateChanged();
}

void DataPage::applySearch() {
  static_cast<RowFilter*>(m_filter)->set(m_search->text().trimmed(), m_show->currentIndex());
  if (!m_search->text().isEmpty() || m_show->currentIndex() > 0) m_model->fetchMore({});
  if (!m_table->currentIndex().isValid() && m_filter->rowCount() > 0) m_table->selectRow(0);
}

}  // namespace cuescope
