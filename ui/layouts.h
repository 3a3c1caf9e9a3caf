// Layouts: where the panels of a page are, as one byte string: sizes of all splitters, which panel is in which place, which are
// shown, floating or closed. Works for every page that is built from QSplitter and Panel. UI thread.
#pragma once

#include <QByteArray>
#include <QObject>
#include <QPoint>
#include <QString>

class QWidget;

namespace cuescope {

class Panel;

QByteArray layoutOf(const QWidget* page);
/// False, and nothing changed, when the bytes are damaged or of another shape of page.
bool applyLayout(QWidget* page, const QByteArray& layout);
/// Exchanges the places of two panels of one page; false when one of them floats or does not lie in a splitter.
bool swapPanels(Panel* a, Panel* b);

/// Drags a panel by its title onto the title of another: they change places. One for the window.
class PanelMover : public QObject {
  Q_OBJECT
 public:
  explicit PanelMover(QWidget* window);
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  Panel* panelAt(const QPoint& global) const;
  QWidget* m_window;
  Panel* m_dragged = nullptr;
  QPoint m_pressed;
  bool m_moving = false;
};

}  // namespace cuescope
