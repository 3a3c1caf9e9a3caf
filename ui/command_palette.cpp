#include "ui/command_palette.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListView>
#include <QPainter>
#include <QStandardItemModel>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr int kEntryRole = Qt::UserRole + 1;
constexpr int kDetailRole = Qt::UserRole + 2;
constexpr int kKeysRole = Qt::UserRole + 3;

class PaletteDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override { return {200, 26}; }
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const Colors& c = colors();
    const bool on = option.state & QStyle::State_Selected;
    if (on) painter->fillRect(option.rect, c.selection);
    const bool enabled = index.flags() & Qt::ItemIsEnabled;
    const QRect r = option.rect.adjusted(10, 0, -10, 0);
    painter->setFont(monoFont(11));
    const QString keys = index.data(kKeysRole).toString();
    painter->setPen(on ? c.text2 : c.text3);
    painter->drawText(r, Qt::AlignVCenter | Qt::AlignRight, keys);
    const int taken = keys.isEmpty() ? 0 : painter->fontMetrics().horizontalAdvance(keys) + 12;
    painter->setFont(uiFont(12));
    painter->setPen(enabled ? c.text : c.text3);
    const QString title = painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, r.width() - taken);
    painter->drawText(r, Qt::AlignVCenter | Qt::AlignLeft, title);
    const int x = painter->fontMetrics().horizontalAdvance(title) + 10;
    painter->setFont(uiFont(11));
    painter->setPen(on ? c.text2 : c.text3);
    const int room = r.width() - taken - x;
    if (room > 20)
      painter->drawText(r.adjusted(x, 0, -taken, 0), Qt::AlignVCenter | Qt::AlignLeft,
                        painter->fontMetrics().elidedText(index.data(kDetailRole).toString(), Qt::ElideRight, room));
  }
};

}  // namespace

CommandPalette::CommandPalette(QWidget* window) : QFrame(window) {
  setObjectName(QStringLiteral("palette"));
  setFrameShape(QFrame::Box);
  setProperty("ground", "window");
  setAutoFillBackground(true);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(8, 8, 8, 8);
  column->setSpacing(6);
  m_field = new QLineEdit;
  m_field->setToolTip(tr("Type a part of a name; Up and Down choose, Enter runs, Esc closes"));
  m_field->setAccessibleName(tr("Search actions, settings, runs, samples"));
  m_model = new QStandardItemModel(this);
  m_list = new QListView;
  m_list->setAccessibleName(tr("What was found"));
  m_list->setWhatsThis(tr("Actions, settings, runs and samples that match the words above; Enter opens the chosen one."));
  m_list->setModel(m_model);
  m_list->setItemDelegate(new PaletteDelegate(m_list));
  m_list->setUniformItemSizes(true);
  m_list->setFocusPolicy(Qt::NoFocus);
  m_list->setEditTriggers(QAbstractItemView::NoEditTriggers);
  column->addWidget(m_field);
  column->addWidget(m_list, 1);
  connect(m_field, &QLineEdit::textChanged, this, &CommandPalette::filter);
  connect(m_field, &QLineEdit::returnPressed, this, &CommandPalette::runCurrent);
  connect(m_list, &QListView::clicked, this, &CommandPalette::runCurrent);
  m_field->installEventFilter(this);
  hide();
}

void CommandPalette::open(std::vector<PaletteEntry> entries, const QString& prompt) {
  m_entries = std::move(entries);
  m_field->setPlaceholderText(prompt);
  m_field->clear();
  filter({});
  const QSize room = parentWidget()->size();
  const QSize size(std::min(640, room.width() - 40), std::min(440, room.height() - 120));
  setGeometry(QRect(QPoint((room.width() - size.width()) / 2, 60), size));
  show();
  raise();
  m_field->setFocus(Qt::PopupFocusReason);
}

int CommandPalette::shownCount() const {
  return m_model->rowCount();
}

// Every typed word must occur somewhere; a title that begins with the text comes first.
void CommandPalette::filter(const QString& text) {
  const QStringList words = text.simplified().split(u' ', Qt::SkipEmptyParts);
  m_model->clear();
  std::vector<std::size_t> order;
  for (int pass = 0; pass < 2; ++pass)
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
      const PaletteEntry& entry = m_entries[i];
      const QString whole = entry.title + u' ' + entry.detail;
      bool all = true;
      for (const QString& word : words) all = all && whole.contains(word, Qt::CaseInsensitive);
      const bool first = !words.isEmpty() && entry.title.startsWith(words.front(), Qt::CaseInsensitive);
      if (all && first == (pass == 0)) order.push_back(i);
    }
  for (std::size_t i : order) {
    const PaletteEntry& entry = m_entries[i];
    auto* item = new QStandardItem(entry.title);
    item->setData(int(i), kEntryRole);
    item->setData(entry.refusal.isEmpty() ? entry.detail : entry.refusal, kDetailRole);
    item->setData(entry.keys, kKeysRole);
    item->setEnabled(entry.refusal.isEmpty());
    m_model->appendRow(item);
  }
  m_list->setCurrentIndex(m_model->index(0, 0));
}

void CommandPalette::runCurrent() {
  const QModelIndex index = m_list->currentIndex();
  if (!index.isValid()) return;
  const PaletteEntry entry = m_entries[std::size_t(index.data(kEntryRole).toInt())];
  if (!entry.refusal.isEmpty()) return;
  hide();
  parentWidget()->setFocus();
  if (entry.run) entry.run();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_field && event->type() == QEvent::KeyPress) {
    auto* key = static_cast<QKeyEvent*>(event);
    if (key->key() == Qt::Key_Escape) {
      hide();
      parentWidget()->setFocus();
      return true;
    }
    if (key->key() == Qt::Key_Down || key->key() == Qt::Key_Up) {
      const int row = m_list->currentIndex().row() + (key->key() == Qt::Key_Down ? 1 : -1);
      if (row >= 0 && row < m_model->rowCount()) m_list->setCurrentIndex(m_model->index(row, 0));
      return true;
    }
  }
  if (watched == m_field && event->type() == QEvent::FocusOut && isVisible() &&
      static_cast<QFocusEvent*>(event)->reason() == Qt::MouseFocusReason)
    hide();
  return QFrame::eventFilter(watched, event);
}

}  // namespace cuescope
