// Columns of tables whose heads are never cut: a column is as wide as its head needs, and a head that a person makes narrower elides
// with the whole in its tooltip. UI thread.
#pragma once

#include <QHeaderView>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QTableWidget>
#include <algorithm>

namespace cuescope {

/// `width` px, or what the head's words need, which are longer in other languages.
inline void setColumn(QTableView* table, int column, int width) {
  QHeaderView* head = table->horizontalHeader();
  head->ensurePolished();
  table->setColumnWidth(column, std::max(width, head->sectionSizeHint(column)));
}

/// Names elide in the middle: their ends tell them apart.
class NameDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

 protected:
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
    QStyledItemDelegate::initStyleOption(option, index);
    option->textElideMode = Qt::ElideMiddle;
  }
};

inline void elideHeads(QTableView* table) {
  table->horizontalHeader()->setTextElideMode(Qt::ElideRight);
  if (auto* widget = qobject_cast<QTableWidget*>(table))
    for (int c = 0; c < widget->columnCount(); ++c)
      if (QTableWidgetItem* item = widget->horizontalHeaderItem(c); item && item->toolTip().isEmpty()) item->setToolTip(item->text());
}

}  // namespace cuescope
