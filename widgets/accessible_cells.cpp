#include "widgets/accessible_cells.h"

#include <QAccessible>
#include <QAccessibleWidget>
#include <QHash>
#include <QWidget>

namespace cuescope {
namespace {

CellSource* cellsOf(QWidget* widget) { return dynamic_cast<CellSource*>(widget); }

class CellInterface : public QAccessibleInterface {
 public:
  CellInterface(QWidget* widget, int index) : m_widget(widget), m_index(index) {}
  bool isValid() const override { return m_widget && cellsOf(m_widget) && m_index < cellsOf(m_widget)->cellCount(); }
  QObject* object() const override { return nullptr; }
  QAccessibleInterface* parent() const override { return QAccessible::queryAccessibleInterface(m_widget); }
  QAccessibleInterface* child(int) const override { return nullptr; }
  QAccessibleInterface* childAt(int, int) const override { return nullptr; }
  int childCount() const override { return 0; }
  int indexOfChild(const QAccessibleInterface*) const override { return -1; }
  QString text(QAccessible::Text kind) const override {
    return kind == QAccessible::Name && isValid() ? cellsOf(m_widget)->cellName(m_index) : QString();
  }
  void setText(QAccessible::Text, const QString&) override {}
  QRect rect() const override {
    if (!isValid()) return {};
    const QRect inside = cellsOf(m_widget)->cellRect(m_index);
    return {m_widget->mapToGlobal(inside.topLeft()), inside.size()};
  }
  QAccessible::Role role() const override { return QAccessible::Cell; }
  QAccessible::State state() const override {
    QAccessible::State state;
    state.focusable = state.selectable = true;
    if (isValid() && cellsOf(m_widget)->currentCell() == m_index) state.selected = state.focused = true;
    return state;
  }
  int index() const { return m_index; }

 private:
  QWidget* m_widget;
  int m_index;
};

/// The widget itself: a group whose children are made when they are asked for.
class GroupInterface : public QAccessibleWidget {
 public:
  explicit GroupInterface(QWidget* widget) : QAccessibleWidget(widget, QAccessible::Table) {}
  ~GroupInterface() override {
    for (const QAccessible::Id id : std::as_const(m_ids)) QAccessible::deleteAccessibleInterface(id);
  }
  int childCount() const override { return cellsOf(widget()) ? cellsOf(widget())->cellCount() : 0; }
  QAccessibleInterface* child(int index) const override {
    if (index < 0 || index >= childCount()) return nullptr;
    auto found = m_ids.constFind(index);
    if (found == m_ids.constEnd())
      found = m_ids.insert(index, QAccessible::registerAccessibleInterface(new CellInterface(widget(), index)));
    return QAccessible::accessibleInterface(*found);
  }
  int indexOfChild(const QAccessibleInterface* child) const override {
    for (auto it = m_ids.constBegin(); it != m_ids.constEnd(); ++it)
      if (QAccessible::accessibleInterface(it.value()) == child) return it.key();
    return -1;
  }
  QAccessibleInterface* childAt(int x, int y) const override {
    const QPoint inside = widget()->mapFromGlobal(QPoint(x, y));
    for (int i = 0; i < childCount(); ++i)
      if (cellsOf(widget())->cellRect(i).contains(inside)) return child(i);
    return nullptr;
  }
  QAccessibleInterface* focusChild() const override {
    return widget()->hasFocus() && cellsOf(widget()) ? child(cellsOf(widget())->currentCell()) : nullptr;
  }

 private:
  mutable QHash<int, QAccessible::Id> m_ids;
};

QAccessibleInterface* factory(const QString&, QObject* object) {
  auto* widget = qobject_cast<QWidget*>(object);
  return widget && cellsOf(widget) ? new GroupInterface(widget) : nullptr;
}

}  // namespace

void installCellAccessibility() {
  static bool done = false;
  if (!done) QAccessible::installFactory(factory);
  done = true;
}

void announceCell(QWidget* widget) {
  if (!QAccessible::isActive()) return;
  QAccessibleEvent event(widget, QAccessible::Focus);
  if (auto* cells = cellsOf(widget)) event.setChild(cells->currentCell());
  QAccessible::updateAccessibility(&event);
}

}  // namespace cuescope
