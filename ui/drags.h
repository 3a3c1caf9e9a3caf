// Drags inside the window and out of it: a run, model or data file of the navigator onto a plot or a drop-down that offers it, or out
// as its folder; a view out of the window as a PNG, with Ctrl as CSV. UI thread.
#pragma once

#include <QObject>
#include <QPoint>
#include <QPointer>
#include <functional>

class QMimeData;
class QWidget;

namespace cuescope {

class MainWindow;

/// Names and folders in a drag of the window's own.
inline constexpr const char* kRunMime = "application/x-cuescope-run";      // the run's name
inline constexpr const char* kEntryMime = "application/x-cuescope-entry";  // path of a model or data file
inline constexpr const char* kCurveMime = "application/x-cuescope-curve";  // id of the metric of a plot
inline constexpr const char* kViewMime = "application/x-cuescope-view";    // a view that leaves the window is no picture to ask about

/// What a drop at `position` of the window means when it is one of these: a plot takes a run over the shown one and another plot's
/// curve, a drop-down what it offers. False when nothing there takes it. `apply`: it is done; else only asked.
bool dropInside(MainWindow& window, const QPoint& position, const QMimeData& data, bool apply);

/// A left drag that began in a view and leaves the window carries the view along; one that began on a plot's title carries that plot
/// alone, into another plot too. Drawing tools keep their drag.
class ViewDrag : public QObject {
  Q_OBJECT
 public:
  /// `carry` runs the drag; by default QDrag does. Tests take the data.
  using Carry = std::function<void(QMimeData*)>;
  explicit ViewDrag(MainWindow& window);
  void setCarry(Carry carry) { m_carry = std::move(carry); }
  bool eventFilter(QObject* watched, QEvent* event) override;
  /// The view worked in last as files and, of a picture, an image; null when it cannot be written (the page says why).
  QMimeData* dataOf(bool csv) const;

 private:
  MainWindow& m_window;
  Carry m_carry;
  QMimeData* curveData(int panel, bool csv) const;
  QMimeData* carried(const QString& name, bool csv, const std::function<bool(const QString&)>& write) const;
  bool moveCurve(class QMouseEvent* mouse);
  QPointer<QWidget> m_pressed;
  int m_curve = -1;  // plot whose title was pressed
  QPoint m_pressedAt;
};

}  // namespace cuescope
