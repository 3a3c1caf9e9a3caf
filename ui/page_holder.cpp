#include "ui/page_holder.h"

#include <QKeyEvent>
#include <QScrollBar>

namespace cuescope {

PageHolder::PageHolder(QWidget* page, QWidget* parent) : QScrollArea(parent) {
  setObjectName(QStringLiteral("page-holder"));
  setFrameShape(QFrame::NoFrame);
  setFocusPolicy(Qt::NoFocus);
  setWidgetResizable(true);
  setWidget(page);
}

QSize PageHolder::sizeHint() const {
  return widget()->sizeHint();
}

bool PageHolder::scrolls() const {
  return horizontalScrollBar()->maximum() > 0 || verticalScrollBar()->maximum() > 0;
}

// A page that is laid out for a large room is not smaller than that layout needs: it must learn of a smaller room from outside.
void PageHolder::resizeEvent(QResizeEvent* event) {
  Q_EMIT roomChanged(maximumViewportSize());
  widget()->resize(maximumViewportSize());
  QScrollArea::resizeEvent(event);
}

void PageHolder::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_PageUp || event->key() == Qt::Key_PageDown) return QScrollArea::keyPressEvent(event);
  event->ignore();
}

}  // namespace cuescope
