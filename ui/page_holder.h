// PageHolder: the place of one page in the window. The page gets the whole room; where it needs more than there is, the rest is
// reached by scrolling, so that the window may be as small as a person likes. UI thread.
#pragma once

#include <QScrollArea>

namespace cuescope {

class PageHolder : public QScrollArea {
  Q_OBJECT
 public:
  explicit PageHolder(QWidget* page, QWidget* parent = nullptr);
  QSize minimumSizeHint() const override { return {160, 120}; }
  QSize sizeHint() const override;
  /// Some of the page lies outside.
  bool scrolls() const;

 Q_SIGNALS:
  /// The room that the page may use, before it is laid out in it.
  void roomChanged(const QSize& room);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  /// Arrows are the window's: a scroll area would take them although there is nothing to scroll. Page Up and Page Down scroll.
  void keyPressEvent(QKeyEvent* event) override;
};

}  // namespace cuescope
