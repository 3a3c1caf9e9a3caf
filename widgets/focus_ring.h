// FocusRing: one transparent overlay that draws the accent ring around whatever has keyboard focus, in whichever window it is.
// Only keyboard focus shows it. Made once by Theme::install(). UI thread.
#pragma once

#include <QObject>
#include <QPointer>
#include <QWidget>

namespace cuescope {

class FocusRing : public QObject {
  Q_OBJECT
 public:
  explicit FocusRing(QObject* parent);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void place();
  QPointer<QWidget> m_target;
  QPointer<QWidget> m_left;  // had the focus before
  bool m_byKey = false;      // the last input was a key
  QPointer<QWidget> m_overlay;
};

}  // namespace cuescope
