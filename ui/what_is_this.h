// WhatIsThis: Shift+F1 and a click explain any control of the window. A widget's own words come first, then its tooltip, then those
// of what it lies in; below stands the help page. Curves are explained one by one. UI thread; one for the application.
#pragma once

#include <QObject>
#include <QString>

class QWidget;
class QPoint;

namespace cuescope {

class WhatIsThis : public QObject {
  Q_OBJECT
 public:
  explicit WhatIsThis(QObject* parent);
  bool eventFilter(QObject* watched, QEvent* event) override;
  /// What is said of a place in a widget; "" when nothing around it has words.
  static QString wordsFor(QWidget* widget, const QPoint& position);
};

}  // namespace cuescope
