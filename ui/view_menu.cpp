#include "ui/view_menu.h"

#include <QAbstractItemView>
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QHeaderView>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QPlainTextEdit>
#include <QTableView>

#include "ui/main_window.h"
#include "ui/panels/fact_table.h"
#include "widgets/accessible_cells.h"
#include "widgets/curve_plot.h"
#include "widgets/image_canvas.h"

namespace cuescope {
namespace {

constexpr int kMostCells = 100'000;  // a larger map is asked for its patch, not searched

QString cellText(const QModelIndex& index) {
  const QString shown = index.data(Qt::DisplayRole).toString();
  return shown.isEmpty() ? index.data(Qt::ToolTipRole).toString() : shown;  // of a cell that is painted
}

QString rowText(const QAbstractItemView* view, const QModelIndex& index) {
  const auto* table = qobject_cast<const QTableView*>(view);
  QStringList cells;
  for (int column = 0; column < view->model()->columnCount(index.parent()); ++column)
    if (!table || !table->isColumnHidden(column)) cells << cellText(index.sibling(index.row(), column));
  return cells.join(u'\t');
}

QString factLine(const FactTable* facts, int y) {
  const QStringList lines = facts->text().split(u'\n', Qt::SkipEmptyParts);
  if (lines.isEmpty() || facts->height() <= 0) return {};
  return lines.value(std::clamp(int(qint64(y) * lines.size() / std::max(1, facts->sizeHint().height())), 0, int(lines.size()) - 1));
}

}  // namespace

QString valueAt(QWidget* widget, const QPoint& position, QString* row) {
  if (auto* view = qobject_cast<QAbstractItemView*>(widget)) {
    const QModelIndex index = view->indexAt(view->viewport()->mapFrom(view, position));
    if (!index.isValid()) return {};
    if (row) *row = rowText(view, index);
    return cellText(index);
  }
  if (const auto* facts = qobject_cast<const FactTable*>(widget)) return factLine(facts, position.y());
  const auto* cells = dynamic_cast<const CellSource*>(widget);
  if (!cells) return {};
  if (const auto* canvas = qobject_cast<const ImageCanvas*>(widget)) {
    const int patch = patchAt(canvas->scene(), canvas->toPicture(position));
    return patch >= 0 && patch < cells->cellCount() ? cells->cellName(patch) : QString();
  }
  if (cells->cellCount() > kMostCells) return {};
  for (int i = 0; i < cells->cellCount(); ++i)
    if (cells->cellRect(i).contains(position)) return cells->cellName(i);
  return {};
}

QString currentValue(QWidget* widget, QString* row) {
  if (auto* view = qobject_cast<QAbstractItemView*>(widget)) {
    if (!view->currentIndex().isValid()) return {};
    if (row) *row = rowText(view, view->currentIndex());
    return cellText(view->currentIndex());
  }
  if (const auto* facts = qobject_cast<const FactTable*>(widget)) return facts->text();
  const auto* cells = dynamic_cast<const CellSource*>(widget);
  return cells && cells->currentCell() >= 0 && cells->currentCell() < cells->cellCount() ? cells->cellName(cells->currentCell()) : QString();
}

ViewMenu::ViewMenu(MainWindow& window) : QObject(&window), m_window(window) {}

QMenu* ViewMenu::menu() const { return m_menu && m_menu->isVisible() ? m_menu.data() : nullptr; }

QWidget* ViewMenu::viewOf(QWidget* from) {
  for (QWidget* at = from; at; at = at->isWindow() ? nullptr : at->parentWidget()) {
    // These bring their own: texts, curves (their right drag zooms), and whoever has asked for one.
    if (qobject_cast<QLineEdit*>(at) || qobject_cast<QPlainTextEdit*>(at) || qobject_cast<CurveGrid*>(at) || qobject_cast<QHeaderView*>(at)) return nullptr;
    if (at->contextMenuPolicy() == Qt::CustomContextMenu || at->contextMenuPolicy() == Qt::ActionsContextMenu) return nullptr;
    if (dynamic_cast<CellSource*>(at) || qobject_cast<QAbstractItemView*>(at) || qobject_cast<FactTable*>(at)) return at;
  }
  return nullptr;
}

bool ViewMenu::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::ContextMenu) return false;
  auto* widget = qobject_cast<QWidget*>(watched);
  if (!widget || qobject_cast<QMenu*>(widget) || m_window.onStart()) return false;
  const QWidget* top = widget->window();
  if (top != &m_window && top->parentWidget() != &m_window && !m_window.isAncestorOf(widget)) return false;  // a floating panel is the window's child
  QWidget* view = viewOf(widget);
  if (!view) return false;
  auto* asked = static_cast<QContextMenuEvent*>(event);
  QString row, value;
  QPoint at = asked->globalPos();
  if (asked->reason() == QContextMenuEvent::Keyboard) {
    value = currentValue(view, &row);
    const auto* cells = dynamic_cast<const CellSource*>(view);
    const bool chosen = cells && cells->currentCell() >= 0 && cells->currentCell() < cells->cellCount();
    at = view->mapToGlobal(chosen ? cells->cellRect(cells->currentCell()).center() : view->rect().center());
  } else {
    value = valueAt(view, widget->mapTo(view, asked->pos()), &row);
  }
  if (view->focusPolicy() != Qt::NoFocus) view->setFocus(Qt::MouseFocusReason);  // what is copied and exported is the view worked in last
  show(view, value, row, at);
  asked->accept();
  return true;
}

void ViewMenu::show(QWidget* view, const QString& value, const QString& row, const QPoint& globalPosition) {
  auto* menu = new QMenu(view);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  menu->setToolTipsVisible(true);
  m_menu = menu;
  const auto copy = [&](const QString& words, const QString& text) {
    QAction* action = menu->addAction(words, menu, [text] { QApplication::clipboard()->setText(text); });
    action->setEnabled(!text.isEmpty());
    action->setToolTip(text.isEmpty() ? tr("Nothing stands under the pointer.") : text);
  };
  copy(tr("Copy value"), value);
  if (!row.isEmpty()) copy(tr("Copy row"), row);
  menu->addSeparator();
  for (const char* name : {"edit.copy", "file.export"})
    if (QAction* action = m_window.action(QString::fromLatin1(name))) menu->addAction(action);
  menu->addSeparator();
  // The page's own menu, with everything that can be done there.
  static const char* const kPages[] = {"Inspect", "Train", "Rollouts", "Data", "Evaluate"};
  const QString title = MainWindow::tr(kPages[m_window.page()]);
  for (QAction* each : m_window.menuBar()->actions())
    if (each->menu() && each->menu()->title() == title) menu->addMenu(each->menu());
  menu->popup(globalPosition);
}

}  // namespace cuescope
