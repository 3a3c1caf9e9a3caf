#include "ui/navigator.h"

#include <QApplication>
#include <QClipboard>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPainter>
#include <QStyledItemDelegate>
#include <QToolButton>
#include <QTreeView>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/navigator_model.h"
#include "ui/navigator_rail.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

constexpr int kInset = 10;  // of an entry, to the left of where the tree would put it

// Name, then a number in mono at the right; hints wrap over several lines.
class NavigatorDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    if (!index.data(NavigatorModel::HintRole).toBool()) return {100, index.parent().isValid() ? 22 : 26};
    const QFontMetrics metrics(uiFont(11));
    const auto* view = qobject_cast<const QTreeView*>(option.widget);
    const int width = std::clamp(view ? view->viewport()->width() : 216, 140, 216) - 46 + kInset;
    return {100, metrics.boundingRect(QRect(0, 0, width, 200), Qt::TextWordWrap, index.data().toString()).height() + 10};
  }

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const Colors& c = colors();
    const bool hint = index.data(NavigatorModel::HintRole).toBool();
    if (option.state & QStyle::State_Selected) painter->fillRect(option.rect, c.selection);
    else if ((option.state & QStyle::State_MouseOver) && !hint) painter->fillRect(option.rect, c.hover);
    QRect r = option.rect.adjusted(index.parent().isValid() ? 2 - kInset : 2, 0, -8, 0);
    if (hint) {
      painter->setFont(uiFont(11));
      painter->setPen(c.text3);
      paintWords(*painter, r.adjusted(0, 2, 0, -4), Qt::TextWordWrap, index.data().toString());
      return;
    }
    const QString detail = index.data(NavigatorModel::DetailRole).toString();
    painter->setFont(monoFont(11));
    painter->setPen(option.state & QStyle::State_Selected ? c.text2 : c.text3);
    paintWords(*painter, r, Qt::AlignVCenter | Qt::AlignRight, detail);
    const int taken = detail.isEmpty() ? 0 : qRound(wordsWidth(painter->font(), detail)) + 8;
    const QVariant decoration = index.data(Qt::DecorationRole);
    if (decoration.isValid()) {
      decoration.value<QIcon>().paint(painter, QRect(r.left(), r.center().y() - 7, 16, 16));
      r.adjust(22, 0, 0, 0);
    }
    painter->setFont(index.data(Qt::FontRole).value<QFont>());
    painter->setPen(index.parent().isValid() ? c.text : c.text);
    paintWords(*painter, r.adjusted(0, 0, -taken, 0), Qt::AlignVCenter | Qt::AlignLeft,
                      elidedWords(painter->font(), index.data().toString(), Qt::ElideMiddle, r.width() - taken));
    if ((option.state & QStyle::State_HasFocus) && (option.state & QStyle::State_KeyboardFocusChange)) paintFocusRing(*painter, QRectF(option.rect).adjusted(3, 3, -3, -3), c);
  }
};

}  // namespace

Navigator::Navigator(Session& session, Workspace& workspace, QWidget* parent) : QWidget(parent), m_workspace(workspace) {
  auto* both = new QHBoxLayout(this);
  both->setContentsMargins(0, 0, 0, 0);
  m_whole = new QWidget;
  both->addWidget(m_whole);
  auto* column = new QVBoxLayout(m_whole);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(26, Strip::Ground::Window);
  auto* title = new ElidedLabel(tr("Navigator"));
  title->setPixelSize(12, QFont::DemiBold);
  head->row()->addWidget(title, 1);
  head->row()->setSpacing(2);
  head->row()->setContentsMargins(8, 0, 4, 1);
  const auto button = [&](Icon shape, const QString& tip, bool checkable) {
    auto* b = new QToolButton;
    b->setIcon(icon(shape));
    b->setFixedSize(22, 22);
    b->setAutoRaise(true);
    b->setCheckable(checkable);
    b->setToolTip(tip);
    b->setAccessibleName(tip);
    head->row()->addWidget(b);
    return b;
  };
  auto* filter = button(Icon::Filter, tr("Filter the navigator"), true);
  auto* add = button(Icon::Add, tr("Open a model, data file, run or capture (Ctrl+O)"), false);
  auto* close = button(Icon::Close, tr("Fold the navigator to its icons (F9)"), false);
  m_filter = new QLineEdit;
  m_filter->setToolTip(tr("Shows only the entries whose name contains these words"));
  m_filter->setPlaceholderText(tr("Filter by name"));
  m_filter->setAccessibleName(tr("Filter"));
  m_filter->hide();
  m_model = new NavigatorModel(session, workspace, this);
  m_tree = new QTreeView;
  m_tree->setWhatsThis(tr("Everything that is open: images, models, data, runs and captures."));
  m_tree->setModel(m_model);
  m_tree->setItemDelegate(new NavigatorDelegate(m_tree));
  m_tree->setHeaderHidden(true);
  m_tree->setIndentation(16);
  m_tree->setUniformRowHeights(false);
  m_tree->setExpandsOnDoubleClick(false);
  m_tree->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_tree->setContextMenuPolicy(Qt::CustomContextMenu);
  m_tree->setAccessibleName(tr("Navigator"));
  m_tree->setMouseTracking(true);
  m_tree->setDragEnabled(true);
  m_tree->setDragDropMode(QAbstractItemView::DragOnly);
  m_tree->expandAll();
  auto* drop = new QLabel(tr("Drop an image, video, model folder, parquet or JSONL file, run folder or capture anywhere."));
  drop->setWordWrap(true);
  drop->setProperty("tone", "3");
  drop->setMargin(8);
  column->addWidget(head);
  column->addWidget(m_filter);
  column->addWidget(m_tree, 1);
  column->addWidget(drop);

  connect(filter, &QToolButton::toggled, this, [this](bool on) {
    m_filter->setVisible(on);
    if (on) m_filter->setFocus();
    else m_filter->clear();
  });
  connect(m_filter, &QLineEdit::textChanged, m_model, &NavigatorModel::setFilter);
  connect(add, &QToolButton::clicked, this, &Navigator::addRequested);
  connect(close, &QToolButton::clicked, this, [this] { Q_EMIT railRequested(true); });
  m_rail = new NavigatorRail(m_model);
  m_rail->hide();
  both->addWidget(m_rail);
  connect(m_rail, &NavigatorRail::activated, this, &Navigator::activate);
  connect(m_rail, &NavigatorRail::addRequested, this, &Navigator::addRequested);
  connect(m_rail, &NavigatorRail::openRequested, this, [this] { Q_EMIT railRequested(false); });
  setRail(false);
  connect(m_model, &QAbstractItemModel::modelReset, this, [this] {
    m_tree->expandAll();
    selectRun(m_run);  // what is chosen stays marked
  });
  connect(m_tree, &QTreeView::activated, this, &Navigator::activate);
  connect(m_tree, &QTreeView::clicked, this, [this](const QModelIndex& index) {
    const bool compare = QApplication::keyboardModifiers() & Qt::ControlModifier;
    const int group = index.data(NavigatorModel::GroupRole).toInt();
    if (!index.parent().isValid()) m_tree->setExpanded(index, !m_tree->isExpanded(index));
    else if (compare && !index.data(NavigatorModel::HintRole).toBool() && group == NavigatorModel::Runs) Q_EMIT runCompared(index.data().toString());
    else if (compare && !index.data(NavigatorModel::HintRole).toBool() && group == NavigatorModel::Models) Q_EMIT modelCompared(index.data(NavigatorModel::PathRole).toString());
    else if (index.data(NavigatorModel::GroupRole).toInt() == NavigatorModel::Runs && !index.data(NavigatorModel::HintRole).toBool())
      Q_EMIT runChosen(index.data().toString());
  });
  connect(m_tree, &QTreeView::customContextMenuRequested, this, &Navigator::menu);
}

void Navigator::setRail(bool rail) {
  m_isRail = rail;
  m_whole->setVisible(!rail);
  m_rail->setVisible(rail);
  setMinimumWidth(rail ? NavigatorRail::kWidth : 160);
  setMaximumWidth(rail ? NavigatorRail::kWidth : 480);
}

void Navigator::activate(const QModelIndex& index) {
  if (!index.parent().isValid() || index.data(NavigatorModel::HintRole).toBool()) return;
  const QString path = index.data(NavigatorModel::PathRole).toString();
  switch (index.data(NavigatorModel::GroupRole).toInt()) {
    case NavigatorModel::Models: Q_EMIT modelActivated(path); break;
    case NavigatorModel::Data: Q_EMIT dataActivated(path); break;
    case NavigatorModel::Runs: Q_EMIT runActivated(index.data().toString()); break;
    case NavigatorModel::Captures: Q_EMIT captureActivated(path); break;
  }
}

void Navigator::menu(const QPoint& position) {
  const QModelIndex index = m_tree->indexAt(position);
  if (!index.isValid() || !index.parent().isValid() || index.data(NavigatorModel::HintRole).toBool()) return;
  const QString path = index.data(NavigatorModel::PathRole).toString();
  QMenu menu(this);
  menu.addAction(tr("Open"), this, [this, index = QPersistentModelIndex(index)] { activate(index); });
  menu.addAction(tr("Copy path"), this, [path] { QApplication::clipboard()->setText(path); });
  QAction* forget = menu.addAction(tr("Take out of the list"), this, [this, path] { Q_EMIT forgetRequested(path); });
  forget->setEnabled(!m_workspace.isDemo(path) && index.data(NavigatorModel::GroupRole).toInt() != NavigatorModel::Runs);
  menu.exec(m_tree->viewport()->mapToGlobal(position));
}

void Navigator::selectRun(const QString& name) {
  m_run = name;
  const QModelIndex index = m_model->runIndex(name);
  if (index.isValid()) m_tree->setCurrentIndex(index);
}

void Navigator::paintEvent(QPaintEvent*) {
  QPainter(this).fillRect(rect(), colors().panel);
}

}  // namespace cuescope
