// Panel: a part of a page with a head of 24 px (title or tabs, a note, float and close) above its content. Floating moves it
// into a window of its own; closing that window brings it back. UI thread; owned by its page.
#pragma once

#include <QStringList>
#include <QWidget>

class QHBoxLayout;
class QStackedWidget;
class QToolButton;

namespace cuescope {

class ElidedLabel;
class PanelTabs;

/// A strip with one of the theme's grounds and a line below (or above): toolbars, claim lines, footers.
class Strip : public QWidget {
  Q_OBJECT
 public:
  enum class Ground { Window, Panel, Well };
  explicit Strip(int height, Ground ground = Ground::Panel, QWidget* parent = nullptr);
  QHBoxLayout* row() const { return m_row; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  Ground m_ground;
  QHBoxLayout* m_row = nullptr;
};

class Panel : public QWidget {
  Q_OBJECT
 public:
  /// `name` is kept in settings; `title` is shown.
  Panel(const QString& name, const QString& title, QWidget* content, QWidget* parent = nullptr);
  int addTab(const QString& title, QWidget* content);
  /// Takes the last tab's content out, without deleting it; adopt() gives a content (back) to a panel whose own has left.
  void removeLastTab();
  void adopt(QWidget* content);
  void setCurrentTab(int index);
  int currentTab() const;
  QString title() const { return m_titles.join(QStringLiteral(", ")); }
  void setNote(const QString& note);
  /// Puts a control into the head, after the title.
  void addToHead(QWidget* widget);
  bool isFloating() const { return m_floating; }
  void setFloating(bool floating);
  /// Where a floating panel came from; null when it never floated.
  QWidget* home() const { return m_home; }

 Q_SIGNALS:
  void tabChanged(int index);
  void closed();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void closeEvent(QCloseEvent* event) override;

 private:
  QStringList m_titles;
  PanelTabs* m_tabs = nullptr;
  ElidedLabel* m_note = nullptr;
  QHBoxLayout* m_headRow = nullptr;
  QStackedWidget* m_stack = nullptr;
  QToolButton* m_float = nullptr;
  bool m_floating = false;
  QWidget* m_home = nullptr;
  int m_homeIndex = -1;
};

/// The tabs of a panel's head: a title when there is one, else tabs with the accent above the current one. ← → move.
class PanelTabs : public QWidget {
  Q_OBJECT
 public:
  explicit PanelTabs(QWidget* parent = nullptr);
  void setTitles(const QStringList& titles);
  void setCurrent(int index);
  int current() const { return m_current; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 Q_SIGNALS:
  void currentChanged(int index);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QRect tab(int index) const;
  QStringList m_titles;
  int m_current = 0;
};

}  // namespace cuescope
