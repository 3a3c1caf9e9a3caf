// FactTable: a small table of facts: names left, numbers right in mono, a check or cross at the end of a row. Painted; rows of
// 22 px. Its whole text is its accessible description, and Ctrl+C copies it. UI thread.
#pragma once

#include <QStringList>
#include <QWidget>
#include <optional>
#include <vector>

namespace cuescope {

struct FactRow {
  QString name;
  QStringList values;          // one a column after the name
  std::optional<bool> ok;      // a mark at the end
  QString tip;
};

class FactTable : public QWidget {
  Q_OBJECT
 public:
  explicit FactTable(QWidget* parent = nullptr);
  void setRowHeight(int height);  // 22 unless it stands beside something taller
  /// The numbers are whole and the names elide, where it is the other way round else.
  void setValuesFirst(bool first) { m_valuesFirst = first; }
  void setHeader(const QStringList& columns);  // the first names the rows
  void setRows(const std::vector<FactRow>& rows);
  QString text() const;  // tab-separated
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  int m_row = 22;
  bool m_valuesFirst = false;
  QStringList m_header;
  std::vector<FactRow> m_rows;
};

}  // namespace cuescope
