// DataPage: the rows of a data file, thin: a table, and beside it the picture with its evidence, question, cue, hint and answer of
// the chosen row. Rows come from the engine in pages. UI thread.
#pragma once

#include <QAbstractTableModel>
#include <QWidget>

#include "ui/session.h"

class QPlainTextEdit;
class QPushButton;
class QTableView;
class QStackedWidget;

namespace cuescope {

class ElidedLabel;
class EmptyPanel;
class ErrorPanel;
class FactTable;
class ImageCanvas;
class Workspace;

/// Rows that have arrived; more are asked for when the view reaches the end (fetchMore).
class DataRowsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Index, Id, Kind, Question, Answer, Columns };
  explicit DataRowsModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}
  void clear(const QString& file);
  void add(const DataRows& rows);
  QString file() const { return m_file; }
  qint64 total() const { return m_total; }
  const DataRow* row(int index) const;

  int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : int(m_rows.size()); }
  int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : Columns; }
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;
  bool canFetchMore(const QModelIndex& parent) const override;
  void fetchMore(const QModelIndex& parent) override;

 Q_SIGNALS:
  void rowsWanted(qint64 first, int count);

 private:
  QString m_file;
  qint64 m_total = -1;
  bool m_waiting = false;
  std::vector<DataRow> m_rows;
};

class DataPage : public QWidget {
  Q_OBJECT
 public:
  DataPage(Session& session, Workspace& workspace, QWidget* parent = nullptr);
  void openFile(const QString& file);
  DataRowsModel* model() const { return m_model; }
  QTableView* table() const { return m_table; }

 Q_SIGNALS:
  /// A row is sent to Inspect (double click, Enter or the button).
  void rowChosen(const cuescope::DataRow& row);
  void openRequested();

 private:
  void showRow(const QModelIndex& index);
  Session& m_session;
  Workspace& m_workspace;
  DataRowsModel* m_model = nullptr;
  QStackedWidget* m_stack = nullptr;
  EmptyPanel* m_empty = nullptr;
  ErrorPanel* m_error = nullptr;
  ElidedLabel* m_title = nullptr;
  QTableView* m_table = nullptr;
  ImageCanvas* m_picture = nullptr;
  FactTable* m_facts = nullptr;
  QPlainTextEdit* m_text = nullptr;
  QPushButton* m_inspect = nullptr;
};

}  // namespace cuescope
