#include "widgets/focus_ring.h"

#include <QAbstractScrollArea>
#include <QApplication>
#include <QFocusEvent>
#include <QLineEdit>
#include <QPainter>

#include "widgets/theme.h"

namespace cuescope {
namespace {

class Overlay : public QWidget {
 public:
  explicit Overlay(QWidget* parent) : QWidget(parent) {
    setAttribute(Qt::WA_TransparentForMouseEvents);
    setAttribute(Qt::WA_NoSystemBackground);
    setFocusPolicy(Qt::NoFocus);
    setObjectName(QStringLiteral("focusRing"));
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    paintFocusRing(painter, QRectF(rect()).adjusted(3, 3, -3, -3), colors());
  }
};

}  // namespace

FocusRing::FocusRing(QObject* parent) : QObject(parent) {
  qApp->installEventFilter(this);
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    if (m_overlay) m_overlay->update();
  });
}

bool FocusRing::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::FocusIn: {
      auto* widget = qobject_cast<QWidget*>(watched);
      if (!widget) break;
      const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
      bool keyboard = reason == Qt::TabFocusReason || reason == Qt::BacktabFocusReason || reason == Qt::ShortcutFocusReason;
      // Qt hands the focus on by Tab when its owner is hidden or disabled, whatever hid it.
      if (m_left && (!m_left->isVisible() || !m_left->isEnabled())) keyboard = keyboard && m_byKey;
      m_left = nullptr;
      m_target = keyboard ? widget : nullptr;
      place();
      break;
    }
    case QEvent::FocusOut:
      if (watched->isWidgetType()) m_left = static_cast<QWidget*>(watched);
      [[fallthrough]];
    case QEvent::Hide:
      if (watched == m_target) m_target = nullptr, place();
      break;
    case QEvent::Move:
    case QEvent::Resize:
    case QEvent::Show:
      if (watched != m_overlay && m_target && watched->isWidgetType() &&
          (watched == m_target || static_cast<QWidget*>(watched)->isAncestorOf(m_target)))
        place();
      break;
    case QEvent::KeyPress:
      m_byKey = true;
      break;
    case QEvent::MouseButtonPress:
      m_byKey = false;
      if (m_target && watched->isWidgetType()) m_target = nullptr, place();
      break;
    default:
      break;
  }
  return false;
}

void FocusRing::place() {
  if (!m_target || !m_target->isVisible()) {
    if (m_overlay) m_overlay->hide();
    return;
  }
  QWidget* window = m_target->window();
  if (!m_overlay || m_overlay->parentWidget() != window) {
    delete m_overlay;
    m_overlay = new Overlay(window);
  }
  QRect around(m_target->mapTo(window, QPoint(0, 0)), m_target->size());
  // A large canvas wears the ring inside itself, so that no neighbour is covered.
  around = around.width() > 320 && around.height() > 60 ? around : around.adjusted(-3, -3, 3, 3);
  m_overlay->setGeometry(around & window->rect());
  m_overlay->show();
  m_overlay->raise();
}

}  // namespace cuescope
