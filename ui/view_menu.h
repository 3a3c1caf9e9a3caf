// ViewMenu: the right click and the menu key on whatever shows values: copy the value under the pointer, the row, the view with its
// picture; export; and the page's own menu. An event filter on the application, for the main window's pages and their floating
// panels; what has a menu of its own keeps it. UI thread; owned by the main window.
#pragma once

#include <QObject>
#include <QPointer>
#include <QString>

class QMenu;
class QWidget;

namespace cuescope {

class MainWindow;

/// What stands at a place of a widget, in words; `row` is filled in where it is one of several in a table. Empty: nothing does.
QString valueAt(QWidget* widget, const QPoint& position, QString* row = nullptr);
/// The same of what the keyboard has chosen.
QString currentValue(QWidget* widget, QString* row = nullptr);

class ViewMenu : public QObject {
  Q_OBJECT
 public:
  explicit ViewMenu(MainWindow& window);
  bool eventFilter(QObject* watched, QEvent* event) override;
  /// The menu that is open, null when none is.
  QMenu* menu() const;

 private:
  /// The view that `from` is a part of: a painted widget with cells, a table, facts; null when it is none.
  static QWidget* viewOf(QWidget* from);
  void show(QWidget* view, const QString& value, const QString& row, const QPoint& globalPosition);
  MainWindow& m_window;
  QPointer<QMenu> m_menu;
};

}  // namespace cuescope
