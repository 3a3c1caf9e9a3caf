// The hands on the canvas: wheel, drag, tools, keys.
#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "widgets/image_canvas.h"

namespace cuescope {

void ImageCanvas::resizeEvent(QResizeEvent*) { clampPan(); }

void ImageCanvas::clampPan() {
  if (m_fit) m_pan = {};
  // The picture can be pushed aside but never out of sight.
  const QRectF view = viewArea(false);
  const QSizeF size = QSizeF(m_a.picture.size()) * zoom();
  const double limitX = std::max(0.0, (view.width() + size.width()) / 2 - 40), limitY = std::max(0.0, (view.height() + size.height()) / 2 - 40);
  m_pan = {std::clamp(m_pan.x(), -limitX, limitX), std::clamp(m_pan.y(), -limitY, limitY)};
  update();
}

void ImageCanvas::fit() {
  m_fit = true;
  m_pan = {};
  update();
  Q_EMIT zoomChanged(zoom());
}

void ImageCanvas::setZoom(double zoom) { zoomAt(viewArea(false).center(), zoom / this->zoom()); }
void ImageCanvas::zoomBy(double factor) { zoomAt(viewArea(false).center(), factor); }

void ImageCanvas::zoomAt(const QPointF& position, double factor) {
  if (m_a.picture.isNull()) return;
  bool second = false;
  const QPointF fixed = pictureAt(position, &second);
  const bool otherHalf = second && m_compare == Compare::SideBySide;
  m_zoom = std::clamp(zoom() * factor, 0.05, 64.0);
  m_fit = false;
  // The picture point under the pointer stays under it.
  const QPointF centre = QPointF(m_a.picture.width(), m_a.picture.height()) / 2;
  m_pan = position - viewArea(otherHalf).center() - (fixed - centre) * m_zoom;
  clampPan();
  Q_EMIT zoomChanged(m_zoom);
}

void ImageCanvas::wheelEvent(QWheelEvent* event) {
  const QPoint delta = event->angleDelta();
  const double notches = (delta.y() ? delta.y() : delta.x()) / 120.0;  // Shift turns the wheel sideways on some desktops
  event->accept();
  if (notches == 0) return;
  if (event->modifiers() & Qt::ShiftModifier)
    setOpacity(m_a.style.opacity + 0.05 * notches);
  else if (event->modifiers() & Qt::ControlModifier)
    Q_EMIT layerStepRequested(notches > 0 ? 1 : -1);
  else
    zoomAt(event->position(), std::pow(1.2, notches));
}

void ImageCanvas::mousePressEvent(QMouseEvent* event) {
  if (m_a.picture.isNull()) return;
  m_pressed = m_last = event->position();
  m_drag = Drag::None;
  if (event->button() == Qt::MiddleButton || (event->button() == Qt::LeftButton && m_space)) {
    m_drag = Drag::Pan;
    setCursor(Qt::ClosedHandCursor);
    return;
  }
  if (event->button() != Qt::LeftButton) return;
  if (m_compare == Compare::Swipe) {
    const QRectF whole = pictureRect(false);
    if (std::abs(m_pressed.x() - (whole.left() + m_swipe * whole.width())) < 7) {
      m_drag = Drag::Swipe;
      return;
    }
  }
  const int patch = patchAt(m_a, pictureAt(m_pressed, nullptr));
  switch (m_tool) {
    case Tool::Move: m_drag = Drag::Pan; break;
    case Tool::Box: m_drag = Drag::Box; break;
    case Tool::Brush:
      if (patch >= 0) {
        const bool chosen = std::find(m_a.chosenPatches.begin(), m_a.chosenPatches.end(), patch) != m_a.chosenPatches.end();
        m_strokeBefore = m_a.chosenPatches;
        m_drag = chosen ? Drag::BrushOff : Drag::Brush;
        brushAt(m_pressed);
      }
      break;
  }
}

void ImageCanvas::brushAt(const QPointF& position) {
  const int patch = patchAt(m_a, pictureAt(position, nullptr));
  if (patch < 0) return;
  auto& chosen = m_a.chosenPatches;
  const auto found = std::find(chosen.begin(), chosen.end(), patch);
  if (m_drag == Drag::Brush && found == chosen.end())
    chosen.push_back(patch);
  else if (m_drag == Drag::BrushOff && found != chosen.end())
    chosen.erase(found);
  else
    return;
  update();
  Q_EMIT brushChanged(chosen);
}

void ImageCanvas::mouseMoveEvent(QMouseEvent* event) {
  const QPointF position = event->position();
  const bool moved = (position - m_pressed).manhattanLength() >= 4;
  switch (m_drag) {
    case Drag::Pan:
      if (moved || m_pan != QPointF()) {
        if (m_fit) m_zoom = zoom(), m_fit = false;
        m_pan += position - m_last;
        clampPan();
      }
      break;
    case Drag::Box: {
      if (!moved) break;
      const auto clip = [&](QPointF p) {
        return QPointF(std::clamp(p.x(), 0.0, double(m_a.picture.width())), std::clamp(p.y(), 0.0, double(m_a.picture.height())));
      };
      m_rubber = QRectF(clip(pictureAt(m_pressed, nullptr)), clip(pictureAt(position, nullptr))).normalized();
      if (m_snap && m_a.map.cols > 0 && m_a.map.rows > 0) {
        const double w = double(m_a.picture.width()) / m_a.map.cols, h = double(m_a.picture.height()) / m_a.map.rows;
        m_rubber = QRectF(QPointF(std::floor(m_rubber.left() / w) * w, std::floor(m_rubber.top() / h) * h),
                          QPointF(std::ceil(m_rubber.right() / w) * w, std::ceil(m_rubber.bottom() / h) * h));
      }
      update();
      break;
    }
    case Drag::Brush:
    case Drag::BrushOff: brushAt(position); break;
    case Drag::Swipe: setSwipe((position.x() - pictureRect(false).left()) / pictureRect(false).width()); break;
    case Drag::None: break;
  }
  m_last = position;
  hoverAt(position);
}

void ImageCanvas::hoverAt(const QPointF& position) {
  bool second = false;
  const int patch = canvasArea().contains(position) ? patchAt(m_a, pictureAt(position, &second)) : -1;
  if (patch == m_hover && second == m_hoverSecond) return;
  m_hover = patch;
  m_hoverSecond = second;
  update();
  if (patch >= 0)
    Q_EMIT hovered(readout(patch, second));
  else
    Q_EMIT hoverLeft();
}

void ImageCanvas::mouseReleaseEvent(QMouseEvent* event) {
  const bool click = (event->position() - m_pressed).manhattanLength() < 4;
  const Drag drag = m_drag;
  m_drag = Drag::None;
  setCursor(m_tool == Tool::Move ? Qt::ArrowCursor : Qt::CrossCursor);
  if (drag == Drag::Box && !m_rubber.isEmpty()) {
    const QRectF box = m_rubber;
    m_rubber = {};
    update();
    if (box.width() >= 1 && box.height() >= 1) Q_EMIT boxDrawn(box);
    return;
  }
  if (click && event->button() == Qt::LeftButton && (drag == Drag::Pan || drag == Drag::Box)) {
    const int patch = patchAt(m_a, pictureAt(event->position(), nullptr));
    if (patch >= 0) {
      setSelectedPatch(patch);
      m_keyPatch = patch;
      Q_EMIT patchSelected(patch);
    }
  }
}

void ImageCanvas::mouseDoubleClickEvent(QMouseEvent* event) {
  const int patch = patchAt(m_a, pictureAt(event->position(), nullptr));
  if (event->button() == Qt::LeftButton && patch >= 0 && m_tool == Tool::Move) Q_EMIT patchActivated(patch);
}

void ImageCanvas::leaveEvent(QEvent*) {
  m_hover = -1;
  update();
  Q_EMIT hoverLeft();
}

void ImageCanvas::walkTo(int patch) {
  m_keyPatch = patch;
  update();
  Q_EMIT hovered(readout(patch));
  announceCell(this);
}

void ImageCanvas::keyPressEvent(QKeyEvent* event) {
  const int rows = m_a.map.rows, cols = m_a.map.cols;
  const int at = m_keyPatch >= 0 ? m_keyPatch : m_a.selectedPatch;
  const int row = at < 0 || cols == 0 ? 0 : at / cols, col = at < 0 || cols == 0 ? 0 : at % cols;
  const bool grid = rows > 0 && cols > 0 && event->modifiers() == Qt::NoModifier;
  const bool swipe = m_compare == Compare::Swipe && event->modifiers() == Qt::ShiftModifier;
  switch (event->key()) {
    case Qt::Key_Left:
      if (swipe) return setSwipe(m_swipe - 0.02);
      if (grid) return walkTo(row * cols + std::max(0, col - (at >= 0)));
      break;
    case Qt::Key_Right:
      if (swipe) return setSwipe(m_swipe + 0.02);
      if (grid) return walkTo(row * cols + std::min(cols - 1, col + (at >= 0)));
      break;
    case Qt::Key_Up:
      if (grid) return walkTo(std::max(0, row - (at >= 0)) * cols + col);
      break;
    case Qt::Key_Down:
      if (grid) return walkTo(std::min(rows - 1, row + (at >= 0)) * cols + col);
      break;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (m_keyPatch >= 0) {
        setSelectedPatch(m_keyPatch);
        Q_EMIT patchSelected(m_keyPatch);
        Q_EMIT patchActivated(m_keyPatch);
        return;
      }
      break;
    case Qt::Key_Plus:
    case Qt::Key_Equal: return zoomBy(1.2);
    case Qt::Key_Minus: return zoomBy(1 / 1.2);
    case Qt::Key_0: return setZoom(1);
    case Qt::Key_F: return fit();
    case Qt::Key_Space: m_space = true; return;
    case Qt::Key_Delete:
      if (!m_a.chosenPatches.empty()) {
        m_a.chosenPatches.clear();
        update();
        Q_EMIT brushChanged({});
        return;
      }
      break;
    case Qt::Key_Escape:
      if (m_drag != Drag::None) {
        const bool brush = m_drag == Drag::Brush || m_drag == Drag::BrushOff;
        m_drag = Drag::None;
        if (brush && m_a.chosenPatches != m_strokeBefore) {
          m_a.chosenPatches = m_strokeBefore;
          Q_EMIT brushChanged(m_a.chosenPatches);
        }
        m_rubber = {};
        update();
        return;
      }
      break;
    default: break;
  }
  QWidget::keyPressEvent(event);
}

void ImageCanvas::keyReleaseEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Space) m_space = false;
  QWidget::keyReleaseEvent(event);
}

}  // namespace cuescope
