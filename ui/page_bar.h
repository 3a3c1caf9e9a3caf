// PageBar: the five pages at the left, the selection bar at the right: Run, Step, Sample, Token, Site, Layer, Head. A part that
// the page ignores is dimmed, not hidden. A click on a part opens the palette with its choices. In a narrow window parts give way
// and stand in a menu. UI thread.
#pragma once

#include <QAbstractButton>
#include <QStringList>
#include <QWidget>
#include <vector>

#include "ui/panels/panel.h"
#include "ui/selection.h"

class QToolButton;

namespace cuescope {

/// One part of the selection: a caption and a value.
class SelectionCell : public QAbstractButton {
  Q_OBJECT
 public:
  explicit SelectionCell(const QString& caption, QWidget* parent = nullptr);
  void setValue(const QString& value);
  QString value() const { return m_value; }
  void setDimmed(bool dimmed);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_caption, m_value;
  bool m_dimmed = false;
};

class PageBar : public Strip {
  Q_OBJECT
 public:
  PageBar(const QStringList& pages, QWidget* parent = nullptr);
  void setPage(int page);
  int page() const { return m_page; }
  void setValue(int part, const QString& value) { m_cells[std::size_t(part)]->setValue(value); }
  SelectionCell* cell(int part) const { return m_cells[std::size_t(part)]; }
  bool pinned() const;
  void setPinned(bool pinned);  // of the page that is shown; no signal
  QToolButton* moreButton() const { return m_more; }
  QRect tab(int index) const;

 Q_SIGNALS:
  void pageChosen(int page);
  void partChosen(int part);
  void pinChanged(bool pinned);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;

 private:
  bool m_keyFocus = false;  // the ring is for the keyboard alone
  QStringList m_pages;
  int m_page = 0;
  std::vector<SelectionCell*> m_cells;
  QToolButton* m_pin = nullptr;
  QToolButton* m_more = nullptr;
};

}  // namespace cuescope
