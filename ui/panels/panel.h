// Panel: a part of a page with a head of 24 px (title or tabs, controls, a note, float and close) above its content. It lies in a
// splitter, or behind tabs with others in a PanelStack; floating moves it into a window of its own, and closing that window brings
// it back. UI thread; owned by its page.
#pragma once

#include <QPointer>
#include <QStringList>
#include <QWidget>
#include <vector>

class QHBoxLayout;
class QStackedLayout;
class QStackedWidget;
class QToolButton;
class QVBoxLayout;

namespace cuescope {

class ElidedLabel;
class PanelStack;
class PanelTabs;

/// A strip with one of the theme's grounds and a line below: toolbars, claim lines, footers. What it holds may be given an order in
/// which it gives way when the strip is too narrow.
class Strip : public QWidget {
  Q_OBJECT
 public:
  enum class Ground { Window, Panel, Well };
  explicit Strip(int height, Ground ground = Ground::Panel, QWidget* parent = nullptr);
  QHBoxLayout* row() const { return m_row; }
  /// Lets `widget`, which lies in the row, disappear when there is no room: the smallest `order` first. Whatever gives way must be
  /// reachable elsewhere. Its visibility is the strip's from here on.
  void giveWay(QWidget* widget, int order);
  /// Shown while something has given way: the way to it.
  void setMore(QWidget* more);
  QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void gaveWay();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;

 private:
  struct Part {
    QPointer<QWidget> widget;
    int order = 0;
    bool shown = true;
  };
  /// What the row needs with the first `gone` parts left out, in the order in which they go; `squeezed`: at the least.
  int widthWithout(std::size_t gone, bool more, bool squeezed) const;
  void fit();
  Ground m_ground;
  QHBoxLayout* m_row = nullptr;
  std::vector<Part> m_parts;  // those that go first stand first
  QWidget* m_more = nullptr;
};

class Panel : public QWidget {
  Q_OBJECT
 public:
  /// `name` is kept in settings; `title` is shown.
  Panel(const QString& name, const QString& title, QWidget* content, QWidget* parent = nullptr);
  int addTab(const QString& title, QWidget* content);
  void setCurrentTab(int index);
  int currentTab() const;
  QString title() const { return m_titles.join(QStringLiteral(", ")); }
  QStringList titles() const { return m_titles; }
  void setNote(const QString& note);
  /// Puts a control into the head, after the title.
  void addToHead(QWidget* widget);
  /// A row of controls that stands in the head where there is room for it beside the title, else under the head.
  void setBar(QWidget* bar);
  bool barInHead() const { return m_barInHead; }
  bool isFloating() const { return m_floating; }
  void setFloating(bool floating);
  /// Where a floating panel came from; null when it never floated.
  QWidget* home() const { return m_home; }
  int homeIndex() const { return m_homeIndex; }
  bool isClosed() const;
  void setClosed(bool closed);
  /// Opens it and puts it before the tabs it shares a place with.
  void bringToFront();
  /// Open, and not behind another tab.
  bool isInFront() const { return !isHidden(); }
  PanelStack* stack() const;
  PanelTabs* tabs() const { return m_tabs; }
  /// The panel that a tab of the head stands for: this one, or one that shares its place; null for -1.
  Panel* panelOfTab(int tab) const { return tab >= 0 && std::size_t(tab) < m_shown.size() ? m_shown[std::size_t(tab)].panel : nullptr; }
  /// The widget marked by markPage() (ui/layouts.h) that it belongs to, floating or not.
  QWidget* page() const;
  /// Head and tabs as the panels that share its place demand.
  void refreshTabs();
  /// For PanelStack and layouts: a window of its own becomes a child again before it is placed.
  void forgetFloating();

 Q_SIGNALS:
  void tabChanged(int index);
  void closed();
  void cameToFront();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;

 private:
  void placeBar();
  QStringList m_titles;
  struct Shown {  // what a tab of the head stands for
    Panel* panel;
    int inner;
  };
  std::vector<Shown> m_shown;
  PanelTabs* m_tabs = nullptr;
  ElidedLabel* m_note = nullptr;
  QHBoxLayout* m_headRow = nullptr;
  QVBoxLayout* m_column = nullptr;
  Strip* m_barStrip = nullptr;
  QWidget* m_bar = nullptr;
  QStackedWidget* m_stack = nullptr;
  QToolButton* m_float = nullptr;
  QToolButton* m_close = nullptr;
  bool m_floating = false, m_closed = false, m_barInHead = true;
  QPointer<QWidget> m_home;
  int m_homeIndex = -1;
};

/// Panels that share a place: one is shown, all are tabs of its head.
class PanelStack : public QWidget {
  Q_OBJECT
 public:
  explicit PanelStack(const QList<Panel*>& panels = {}, QWidget* parent = nullptr);
  int count() const;
  int indexOf(const QWidget* panel) const;
  QList<Panel*> panels() const;
  /// -1 appends.
  void insert(int index, QWidget* panel);
  void take(QWidget* panel);
  Panel* current() const;
  void setCurrent(Panel* panel);
  /// After a panel was opened or closed: one that is open is shown, and without one the stack hides.
  void refresh();

 private:
  QStackedLayout* m_layout = nullptr;
};

/// A splitter without anything to show hides, up to the first that has something.
void hideEmptySplitters(QWidget* from);

}  // namespace cuescope
