#include "ui/panels/train_side.h"

#include <QComboBox>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QListView>
#include <QMenu>
#include <QToolButton>
#include <QToolTip>
#include <QLabel>
#include <QLineEdit>
#include <QMouseEvent>
#include <QPainter>
#include <QPlainTextEdit>
#include <QPointer>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStyledItemDelegate>
#include <QTableWidget>
#include <QVBoxLayout>
#include <cmath>

#include "ui/acts_as.h"
#include "ui/models/run_queue.h"
#include "ui/panels/plain_table.h"
#include "ui/table_columns.h"
#include "ui/undo.h"
#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

/// A name and its value on one line: each is whole as long as both fit in the row, wherever the columns meet; else the value gives
/// way, then the name. The first column paints into the second, which paints the name again where its ground would hide it.
class NameAndValue : public QStyledItemDelegate {
 public:
  explicit NameAndValue(QTableView* table) : QStyledItemDelegate(table) {}

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    QStyleOptionViewItem base = option;
    initStyleOption(&base, index);
    base.text.clear();
    const QWidget* widget = option.widget;
    widget->style()->drawControl(QStyle::CE_ItemViewItem, &base, painter, widget);
    const QModelIndex name = index.siblingAtColumn(0), value = index.siblingAtColumn(1);
    const QRect cell = option.rect, row = index.column() == 0 ? cell.adjusted(6, 0, widthOf(1) - 6, 0) : cell.adjusted(6 - widthOf(0), 0, -6, 0);
    const WordMetrics mono(monoFont(11));
    const QString nameText = name.data().toString(), valueText = value.data().toString();
    const double nameWidth = mono.horizontalAdvance(nameText), valueWidth = mono.horizontalAdvance(valueText);
    const double forName = std::min(nameWidth, row.width() - std::min(valueWidth, kLeastValue) - 12);
    painter->save();
    painter->setFont(monoFont(11));
    const bool covered = index.column() == 1 && (option.state & (QStyle::State_Selected | QStyle::State_MouseOver));
    if (index.column() == 0 || covered) {
      if (covered) painter->setClipRect(cell);
      painter->setPen(name.data(Qt::ForegroundRole).value<QBrush>().color());
      paintWords(*painter, QRectF(row.left(), row.top(), forName + 1, row.height()), Qt::AlignLeft | Qt::AlignVCenter, mono.elidedText(nameText, Qt::ElideMiddle, forName + 0.5));
    }
    if (index.column() == 1) {
      painter->setClipping(false);
      painter->setPen(value.data(Qt::ForegroundRole).value<QBrush>().color());
      const double room = row.width() - forName - 12;
      paintWords(*painter, QRectF(row.right() + 1 - room, row.top(), room, row.height()), Qt::AlignRight | Qt::AlignVCenter, mono.elidedText(valueText, Qt::ElideMiddle, room));
    }
    painter->restore();
  }

 private:
  static constexpr double kLeastValue = 84;
  int widthOf(int column) const { return static_cast<QTableView*>(parent())->columnWidth(column); }
};

}  // namespace

HealthList::HealthList(QWidget* parent) : QWidget(parent) {
  setAccessibleName(tr("Health of the run"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void HealthList::setEvents(const std::vector<HealthEvent>& events, int steps) {
  m_events = events;
  m_steps = steps;
  QStringList words;
  for (const HealthEvent& event : events) words << event.title + QLatin1Char(' ') + event.since + QStringLiteral(". ") + event.detail;
  for (const Passed& one : passed()) words << tr("%1: nothing found.").arg(one.check);
  setAccessibleDescription(words.join(QLatin1Char(' ')));
  setMinimumHeight(sizeHint().height());
  updateGeometry();
  update();
}

int HealthList::heightOf(const HealthEvent& event) const {
  return 30 + QFontMetrics(uiFont(11)).boundingRect(QRect(0, 0, std::max(80, width() - 44), 1000), Qt::TextWordWrap, event.detail).height() + 6;
}

std::vector<HealthList::Passed> HealthList::passed() const {
  std::vector<Passed> list;
  if (m_steps == 0) return list;
  const QFontMetrics metrics(uiFont(11));
  int x = 10, y = m_events.empty() ? 28 : 6;  // below the sentence that nothing was found
  for (const QString& check : healthChecks()) {
    if (std::any_of(m_events.begin(), m_events.end(), [&](const HealthEvent& e) { return e.check == check; })) continue;
    const int need = 20 + metrics.horizontalAdvance(check) + 2;
    if (x > 10 && x + need > width() - 8) x = 10, y += 22;
    list.push_back({check, {x, y, need, 22}});
    x += need + 12;
  }
  return list;
}

QSize HealthList::sizeHint() const {
  int height = 0;
  for (const HealthEvent& event : m_events) height += heightOf(event);
  const auto checks = passed();
  return {300, height + (checks.empty() ? 30 : checks.back().place.bottom() + 7)};
}
void HealthList::resizeEvent(QResizeEvent*) { setMinimumHeight(sizeHint().height()); }

void HealthList::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter p(this);
  p.fillRect(rect(), c.panel);
  int y = 0;
  for (const HealthEvent& event : m_events) {
    const int height = heightOf(event);
    paintIcon(p, QRectF(10, y + 9, 16, 16), Icon::Caution, c.caution);
    p.setFont(uiFont(12, QFont::DemiBold));
    p.setPen(c.text);
    const QString title = elidedWords(p.font(), event.title, Qt::ElideRight, width() - 42);
    paintWords(p, QRect(34, y + 8, width() - 42, 18), Qt::AlignLeft | Qt::AlignVCenter, title);
    const int after = 34 + qRound(wordsWidth(p.font(), title)) + 6;
    p.setFont(uiFont(12));
    p.setPen(c.text3);
    if (width() - after - 8 > 20) paintWords(p, QRect(after, y + 8, width() - after - 8, 18), Qt::AlignLeft | Qt::AlignVCenter, elidedWords(p.font(), event.since, Qt::ElideRight, width() - after - 8));
    p.setFont(uiFont(11));
    p.setPen(c.text2);
    paintWords(p, QRect(34, y + 28, width() - 44, height), Qt::TextWordWrap, event.detail);
    p.fillRect(QRect(0, y + height - 1, width(), 1), c.line);
    y += height;
  }
  p.setFont(uiFont(11));
  if (m_steps == 0) {
    p.setPen(c.text3);
    paintWords(p, QRect(12, y, width() - 20, 30), Qt::AlignLeft | Qt::AlignVCenter, elidedWords(p.font(), tr("Judged from the first steps on."), Qt::ElideRight, width() - 20));
    return;
  }
  if (m_events.empty()) {
    p.setPen(c.text);
    paintWords(p, QRect(12, y + 6, width() - 20, 20), Qt::AlignLeft | Qt::AlignVCenter, elidedWords(p.font(), m_steps == 1 ? tr("Nothing found in the first step.") : tr("Nothing found in %1 steps.").arg(m_steps), Qt::ElideRight, width() - 20));
  }
  for (const Passed& one : passed()) {
    const QRect place = one.place.translated(0, y);
    paintIcon(p, QRectF(place.left(), place.top() + 4, 14, 14), Icon::Check, c.text2);
    p.setPen(c.text2);
    paintWords(p, place.adjusted(20, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, one.check);
  }
}

bool HealthList::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    QStringList lines;
    int y = 0;
    const QPoint at = static_cast<QHelpEvent*>(event)->pos();
    for (const HealthEvent& e : m_events) {  // one whole, where its line may be cut
      if (at.y() >= y && at.y() < y + heightOf(e)) lines << e.title + QLatin1Char(' ') + e.since << e.detail;
      y += heightOf(e);
    }
    if (lines.isEmpty())
      for (const QString& check : healthChecks()) lines << QStringLiteral("%1: %2").arg(check, healthCheckHelp(check));
    QToolTip::showText(static_cast<QHelpEvent*>(event)->globalPos(), lines.join(QLatin1Char('\n')), this);
    return true;
  }
  return QWidget::event(event);
}

void HealthList::mousePressEvent(QMouseEvent* event) {
  int y = 0;
  for (const HealthEvent& e : m_events) {
    if (event->position().y() >= y && event->position().y() < y + heightOf(e)) return Q_EMIT stepPicked(e.step);
    y += heightOf(e);
  }
}

QueueList::QueueList(RunQueue& queue, QWidget* parent) : QWidget(parent), m_queue(queue) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(8, 6, 8, 6);
  column->setSpacing(6);
  m_words = new QLabel(this);
  m_words->setWordWrap(true);
  m_words->setProperty("tone", QStringLiteral("2"));
  m_list = new QListView(this);
  m_list->setModel(&queue);
  m_list->setFont(uiFont(12));
  m_list->setUniformItemSizes(true);
  m_list->setAccessibleName(tr("Runs that wait"));
  m_list->setWhatsThis(tr("Runs that start one after another when the engine is free."));
  m_list->installEventFilter(this);
  auto* row = new QHBoxLayout;
  row->setSpacing(4);
  const auto tool = [&](Icon shape, const QString& tip) {
    auto* button = new QToolButton(this);
    button->setIcon(icon(shape));
    button->setAutoRaise(true);
    button->setFixedSize(22, 22);
    button->setToolTip(tip);
    button->setAccessibleName(tip);
    row->addWidget(button);
    return button;
  };
  m_up = tool(Icon::ArrowUp, tr("Sooner (Alt+↑)"));
  m_down = tool(Icon::ArrowDown, tr("Later (Alt+↓)"));
  m_remove = tool(Icon::Trash, tr("Take out of the queue (Del)"));
  m_hold = new QPushButton(tr("Hold"), this);
  actsAs(m_up, "queue.sooner");
  actsAs(m_down, "queue.later");
  actsAs(m_remove, "queue.remove");
  actsAs(m_hold, "queue.hold");
  row->addStretch(1);
  row->addWidget(m_hold);
  column->addWidget(m_words);
  column->addWidget(m_list, 1);
  column->addLayout(row);
  connect(m_up, &QToolButton::clicked, this, [this] { moveBy(-1); });
  connect(m_down, &QToolButton::clicked, this, [this] { moveBy(1); });
  connect(m_remove, &QToolButton::clicked, this, &QueueList::removeChosen);
  connect(m_hold, &QPushButton::clicked, this, [this] { m_queue.setHeld(!m_queue.held()); });
  connect(&queue, &RunQueue::changed, this, &QueueList::refresh);
  connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, &QueueList::refresh);
  refresh();
}

void QueueList::refresh() {
  const bool any = m_queue.size() > 0;
  const int at = m_list->currentIndex().isValid() ? m_list->currentIndex().row() : -1;
  m_words->setText(any ? m_queue.waitingFor() : tr("Nothing waits. «Add to queue» in the form of a new run puts it here; it starts when nothing trains any more."));
  m_list->setVisible(any);
  for (QToolButton* button : {m_up, m_down, m_remove}) button->setVisible(any);
  m_up->setEnabled(at > 0);
  m_down->setEnabled(at >= 0 && at + 1 < m_queue.size());
  m_remove->setEnabled(at >= 0 && !m_queue.items()[std::size_t(at)].starting);
  m_hold->setVisible(any);
  m_hold->setText(m_queue.held() ? tr("Go on") : tr("Hold"));
  m_hold->setToolTip(m_queue.held() ? tr("Start the next run when nothing trains") : tr("Start nothing by itself until further notice"));
}

void QueueList::moveBy(int by) {
  const int at = m_list->currentIndex().row(), to = at + by;
  if (at < 0 || at >= m_queue.size() || to < 0 || to >= m_queue.size()) return;
  const std::string name = m_queue.items()[std::size_t(at)].config.trainer.name;
  const auto move = [queue = QPointer<RunQueue>(&m_queue), name](int by) {
    for (int i = 0; queue && i < queue->size(); ++i)
      if (queue->items()[std::size_t(i)].config.trainer.name == name) return queue->move(i, i + by);
  };
  pushEdit(this, tr("Move %1 in the queue").arg(QString::fromStdString(name)), [move, by] { move(by); }, [move, by] { move(-by); });
  refresh();
}

// An edit of the page: a run taken out by a slip of the hand comes back to its place, and a queue that was held stays so.
void QueueList::removeChosen() {
  const int row = m_list->currentIndex().row();
  if (!m_list->isVisible() || row < 0 || row >= m_queue.size() || m_queue.items()[std::size_t(row)].starting) return;
  const QueuedRun run = m_queue.items()[std::size_t(row)];
  const QPointer<RunQueue> queue(&m_queue);
  const auto takeOut = [queue, name = run.config.trainer.name] {
    for (int i = queue ? queue->size() - 1 : -1; i >= 0; --i)
      if (queue->items()[std::size_t(i)].config.trainer.name == name) return queue->remove(i);
  };
  const auto putBack = [queue, run, row, held = m_queue.held()] {
    if (!queue) return;
    if (held) queue->setHeld(true);
    queue->insert(row, run);
  };
  pushEdit(this, tr("Take %1 out of the queue").arg(QString::fromStdString(run.config.trainer.name)), takeOut, putBack);
}

bool QueueList::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::KeyPress) return QWidget::eventFilter(watched, event);
  const auto* key = static_cast<QKeyEvent*>(event);
  if (key->key() == Qt::Key_Delete) removeChosen();
  else if (key->modifiers() & Qt::AltModifier && (key->key() == Qt::Key_Up || key->key() == Qt::Key_Down)) moveBy(key->key() == Qt::Key_Up ? -1 : 1);
  else return QWidget::eventFilter(watched, event);
  return true;
}

ParameterList::ParameterList(Mode mode, Session& session, QWidget* parent) : QWidget(parent), m_session(session), m_mode(mode) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  if (mode == Mode::Yaml) {
    m_yaml = new QPlainTextEdit(this);
    m_yaml->setWhatsThis(tr("The configuration of the run as it was written."));
    m_yaml->setReadOnly(true);
    m_yaml->setFont(monoFont(11));
    m_yaml->setLineWrapMode(QPlainTextEdit::NoWrap);
    m_yaml->setAccessibleName(tr("Configuration as YAML"));
    column->addWidget(m_yaml);
    return;
  }
  auto* row = new QHBoxLayout;
  row->setContentsMargins(8, 6, 8, 6);
  row->setSpacing(6);
  if (mode == Mode::Diff) {
    auto* label = new QLabel(tr("against"), this);
    label->setProperty("tone", QStringLiteral("3"));
    m_other = new QComboBox(this);
    m_other->setToolTip(tr("The run whose parameters stand beside this run's"));
    m_other->setAccessibleName(tr("Run to compare with"));
    actsAs(m_other, "train.diff-against");
    row->addWidget(label);
    row->addWidget(m_other, 1);
    connect(m_other, &QComboBox::activated, this, [this] { fill(); });
  }
  m_search = new QLineEdit(this);
  actsAs(m_search, mode == Mode::Diff ? "train.find-difference" : "train.find");
  m_search->setAccessibleName(tr("Search the parameters"));
  m_search->setToolTip(tr("Shows only the parameters that contain these words"));
  m_search->setPlaceholderText(tr("Find a parameter"));
  m_search->setClearButtonEnabled(true);
  row->addWidget(m_search, 1);
  column->addLayout(row);
  m_table = plainTable(mode == Mode::Diff ? QStringList{tr("Parameter"), tr("other"), tr("this run")} : QStringList{tr("Parameter"), tr("Value")}, this);
  m_table->setAccessibleName(mode == Mode::Diff ? tr("Parameters that differ") : tr("Parameters of the run"));
  m_table->setWhatsThis(mode == Mode::Diff ? tr("The parameters whose values differ between the two runs.") : tr("The parameters that the run was started with."));
  m_table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  for (int c = 1; c < m_table->columnCount(); ++c) m_table->horizontalHeaderItem(c)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);  // over their values
  // A name of 27 letters is whole; what is left is the value's, whose unit stands behind it.
  if (mode == Mode::Diff) {
    m_table->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    setColumn(m_table, 1, 74);
    setColumn(m_table, 2, 78);
  } else {
    setColumn(m_table, 0, 204);
    m_table->horizontalHeader()->setStretchLastSection(true);
    m_table->setItemDelegate(new NameAndValue(m_table));
  }
  column->addWidget(m_table, 1);
  m_count = new QLabel(this);
  m_count->setProperty("tone", QStringLiteral("2"));
  m_count->setContentsMargins(8, 4, 8, 4);
  column->addWidget(m_count);
  connect(m_search, &QLineEdit::textChanged, this, [this] { fill(); });
  connect(&Theme::instance(), &Theme::changed, this, [this] { fill(); });
}

void ParameterList::setRun(const QString& run) {
  m_run = run;
  if (m_other) {
    const QString before = m_other->currentText();
    m_other->clear();
    for (const QString& name : m_session.runs())
      if (name != run) m_other->addItem(name);
    m_other->setCurrentText(before);
    m_other->setEnabled(m_other->count() > 0);
    m_other->setToolTip(m_other->count() ? tr("The run whose parameters stand beside this run's") : tr("There is no other run to compare with."));
  }
  fill();
}

QStringList ParameterList::columns() const {
  if (m_mode == Mode::Yaml) return {QStringLiteral("line")};
  return m_mode == Mode::Diff ? QStringList{QStringLiteral("parameter"), QStringLiteral("other"), QStringLiteral("this_run")} : QStringList{QStringLiteral("parameter"), QStringLiteral("value")};  // with its unit, as it is shown
}
std::vector<QStringList> ParameterList::shownRows() const {
  std::vector<QStringList> rows;
  if (m_yaml)
    for (const QString& line : m_yaml->toPlainText().split(u'\n', Qt::SkipEmptyParts)) rows.push_back({line});
  for (int r = 0; m_table && r < m_table->rowCount(); ++r) {
    QStringList row;
    for (int c = 0; c < m_table->columnCount(); ++c) row << (m_table->item(r, c) ? m_table->item(r, c)->text() : QString());
    rows.push_back(row);
  }
  return rows;
}
QString ParameterList::otherRun() const { return m_other && m_other->count() ? m_other->currentText() : QString(); }

void ParameterList::fill() {
  const RunRecord* record = m_session.run(m_run);
  if (m_yaml) {
    const QString text = record ? record->yaml : QString();
    if (text != m_yaml->toPlainText()) m_yaml->setPlainText(text);
    return;
  }
  m_table->setRowCount(0);
  m_count->clear();
  if (!record) return;
  std::vector<ConfigIssue> issues;
  const RunConfig own = parseConfig(record->yaml.toStdString(), record->status.directory, &issues);
  const RunRecord* otherRecord = m_other && m_other->count() ? m_session.run(m_other->currentText()) : nullptr;
  const RunConfig other = otherRecord ? parseConfig(otherRecord->yaml.toStdString(), otherRecord->status.directory, &issues) : RunConfig();
  const RunConfig defaults;
  if (m_mode == Mode::Diff) m_table->horizontalHeaderItem(1)->setText(otherRecord ? tr("other") : tr("default"));
  int differ = 0;
  const QString find = m_search->text();
  std::vector<std::array<QString, 4>> different, same;
  for (const ConfigField& field : configFields()) {
    const QString key = QString::fromStdString(field.key), value = QString::fromStdString(field.get(own));
    const QString against = QString::fromStdString(m_mode == Mode::Diff ? (otherRecord ? field.get(other) : field.get(defaults)) : field.get(defaults));
    differ += value != against;
    if (!find.isEmpty() && !key.contains(find, Qt::CaseInsensitive) && !QString::fromStdString(field.label).contains(find, Qt::CaseInsensitive)) continue;
    const QString tip = QStringLiteral("%1. %2 (%3)").arg(QString::fromStdString(field.label), QString::fromStdString(field.sentence), QString::fromStdString(field.source));
    const QString unit = field.unit.empty() || value.isEmpty() ? QString() : QLatin1Char(' ') + QString::fromStdString(field.unit);
    (m_mode == Mode::Diff && value != against ? different : same).push_back({key, m_mode == Mode::Diff ? against : value + unit, m_mode == Mode::Diff ? value : QString(), key + QLatin1Char('\n') + tip});
  }
  const Colors& c = colors();
  m_table->setRowCount(int(different.size() + same.size()));
  int r = 0;
  for (const auto* part : {&different, &same})
    for (const auto& line : *part) {
      const QColor ink = m_mode == Mode::Diff && part == &same ? c.text3 : c.text;
      m_table->setItem(r, 0, cell(line[0], true, false, ink));
      m_table->item(r, 0)->setToolTip(line[3]);
      m_table->setItem(r, 1, cell(line[1], true, true, m_mode == Mode::Diff ? c.text3 : ink));
      if (m_mode == Mode::Diff) m_table->setItem(r, 2, cell(line[2], true, true, ink));
      ++r;
    }
  const int all = int(configFields().size());
  m_count->setText(m_mode == Mode::Diff ? (otherRecord ? tr("%1 of %2 parameters differ").arg(differ).arg(all) : tr("%1 of %2 parameters differ from their defaults").arg(differ).arg(all))
                                        : tr("%1 of %2 parameters shown").arg(r).arg(all));
}

}  // namespace cuescope
