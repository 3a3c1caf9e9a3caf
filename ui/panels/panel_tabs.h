// PanelTabs: the titles in a panel's head: one is a title, several are tabs with the accent above the current one. Tabs that do not
// fit stand in a menu at the end; the current one is always shown. ← → move. UI thread.
#pragma once

#include <QStringList>
#include <QWidget>
#include <vector>

namespace cuescope {

class PanelTabs : public QWidget {
  Q_OBJECT
 public:
  explicit PanelTabs(QWidget* parent = nullptr);
  void setTitles(const QStringList& titles, int current);
  const QStringList& titles() const { return m_titles; }
  void setCurrent(int index);
  int current() const { return m_current; }
  /// Where a tab is painted; empty for one that stands in the menu.
  QRect tab(int index) const;
  /// The tab at a place, -1 for none.
  int tabAt(const QPoint& position) const;
  /// The head's height without its line.
  static int headHeight();
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void currentChanged(int index);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;

 private:
  int widthOf(int index) const;
  void arrange();
  QRect moreRect() const;
  void openMore();
  QStringList m_titles;
  std::vector<QRect> m_places;
  int m_current = 0, m_pressed = -1;
  bool m_more = false;      // some titles stand in the menu
  bool m_keyFocus = false;  // the ring is for the keyboard alone
};

}  // namespace cuescope
