// Tables of the Train page: rows that are chosen, without grid and numbers. UI thread.
#pragma once

#include <QHeaderView>
#include <QTableWidget>

#include "ui/table_columns.h"
#include "widgets/theme.h"

namespace cuescope {

inline QTableWidget* plainTable(const QStringList& columns, QWidget* parent) {
  auto* table = new QTableWidget(0, int(columns.size()), parent);
  table->setHorizontalHeaderLabels(columns);
  elideHeads(table);
  table->setTextElideMode(Qt::ElideMiddle);
  table->verticalHeader()->hide();
  table->verticalHeader()->setDefaultSectionSize(22);
  table->setShowGrid(false);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setSelectionMode(QAbstractItemView::SingleSelection);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setWordWrap(false);
  table->setTabKeyNavigation(false);
  table->horizontalHeader()->setHighlightSections(false);
  return table;
}

inline QTableWidgetItem* cell(const QString& text, bool mono, bool right, const QColor& color = {}) {
  auto* item = new QTableWidgetItem(text);
  if (mono) item->setFont(monoFont(11));
  item->setTextAlignment((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  if (color.isValid()) item->setForeground(color);
  item->setToolTip(text);
  return item;
}

}  // namespace cuescope
