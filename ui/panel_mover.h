// PanelMover: moves panels by their titles. While a title is dragged, the panel under the pointer shows where it would go: its four
// edges split there, its middle puts it there as a tab, its title exchanges the two; off the window it floats. Esc lets go. The
// same moves as a list for menu and keyboard. One for the window. UI thread.
#pragma once

#include <QObject>
#include <QPoint>
#include <QPointer>
#include <QRect>
#include <QWidget>
#include <functional>
#include <vector>

#include "ui/layouts.h"

class QMenu;

namespace cuescope {

/// Painted over the window while a title is dragged: the zones of the panel below the pointer, the chosen one filled.
class DropZones : public QWidget {
  Q_OBJECT
 public:
  explicit DropZones(QWidget* window);
  void showZone(const QRect& panel, DropZone zone, const QString& words);
  DropZone zone() const { return m_zone; }
  QString words() const { return m_words; }
  /// The part of a panel that a zone stands for.
  static QRect part(const QRect& panel, DropZone zone);
  /// What a place in a panel stands for; `panel` and `at` in the same coordinates.
  static DropZone zoneAt(const QRect& panel, const QPoint& at);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QRect m_panel;
  DropZone m_zone = DropZone::None;
  QString m_words;
};

class PanelMover : public QObject {
  Q_OBJECT
 public:
  explicit PanelMover(QWidget* window);
  bool eventFilter(QObject* watched, QEvent* event) override;
  DropZones* zones() const { return m_zones; }
  bool isDragging() const { return m_moving; }

  struct Move {
    QString words;
    std::function<bool()> run;
  };
  /// Where a panel could go now, in words.
  static std::vector<Move> movesOf(Panel* panel);
  /// The panel that has the focus, or null.
  static Panel* focusedPanel();

 Q_SIGNALS:
  void moved();
  /// A right click on a title.
  void moveRequested(cuescope::Panel* panel);

 private:
  Panel* panelAt(const QPoint& global) const;
  void dragTo(const QPoint& global);
  void drop(const QPoint& global);
  void letGo();
  QWidget* m_window;
  DropZones* m_zones;
  QPointer<Panel> m_dragged, m_target;
  QPoint m_pressed;
  bool m_moving = false;
};

}  // namespace cuescope
