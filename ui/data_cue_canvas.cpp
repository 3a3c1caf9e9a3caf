#include "ui/data_cue_canvas.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr double kGrab = 7;
constexpr float kSmallest = 3;  // pixels: a smaller drag is a slip of the hand
}  // namespace

CueCanvas::CueCanvas(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Picture with evidence marks"));
  setWhatsThis(tr("Draw what the cue speaks of: a box, a point or a crop. The cue score and the evidence mass of a run use these marks."));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void CueCanvas::setPicture(const QImage& picture) {
  m_picture = picture;
  m_drag = Drag::None;
  update();
}
void CueCanvas::setImage(int image) {
  m_image = image;
  m_drag = Drag::None;
  if (m_selected >= 0 && !isHere(m_selected)) m_selected = -1;
  update();
}
void CueCanvas::setMarks(const std::vector<CueMark>& marks) {
  m_marks = marks;
  if (m_selected >= int(m_marks.size())) m_selected = -1;
  update();
}
void CueCanvas::setEmptyText(const QString& title, const QString& detail) {
  m_emptyTitle = title;
  m_emptyDetail = detail;
  update();
}
void CueCanvas::setTool(Tool tool) {
  m_tool = tool;
  setCursor(tool == Tool::Move ? Qt::ArrowCursor : Qt::CrossCursor);
}
void CueCanvas::setGrid(bool shown, int patch) {
  m_grid = shown;
  m_patch = std::max(4, patch);
  update();
}
void CueCanvas::setSelected(int mark) {
  m_selected = mark < int(m_marks.size()) ? mark : -1;
  update();
}
void CueCanvas::select(int mark) {
  setSelected(mark);
  announceCell(this);
  Q_EMIT selectedChanged(m_selected);
}

QRectF CueCanvas::pictureRect() const {
  if (m_picture.isNull()) return {};
  const QSizeF size = QSizeF(m_picture.size()).scaled(QSizeF(width() - 16, height() - 16), Qt::KeepAspectRatio);
  return {(width() - size.width()) / 2, (height() - size.height()) / 2, size.width(), size.height()};
}
QPointF CueCanvas::toWidget(const QPointF& pixel) const {
  const QRectF r = pictureRect();
  return {r.left() + pixel.x() / m_picture.width() * r.width(), r.top() + pixel.y() / m_picture.height() * r.height()};
}
QPointF CueCanvas::toPicture(const QPointF& position) const {
  const QRectF r = pictureRect();
  if (r.isEmpty()) return {};
  return {std::clamp((position.x() - r.left()) / r.width(), 0.0, 1.0) * m_picture.width(), std::clamp((position.y() - r.top()) / r.height(), 0.0, 1.0) * m_picture.height()};
}
QRectF CueCanvas::rectOf(const CueMark& mark) const {
  const QRectF r(toWidget({double(mark.x), double(mark.y)}), toWidget({double(mark.x + mark.width), double(mark.y + mark.height)}));
  return mark.kind == "point" ? QRectF(r.center() - QPointF(5, 5), QSizeF(10, 10)) : r;
}
int CueCanvas::markAt(const QPointF& position) const {
  int found = -1;
  double area = 0;
  for (int i = 0; i < int(m_marks.size()); ++i) {  // the smallest of those that lie over each other
    if (!isHere(i)) continue;
    const QRectF r = rectOf(m_marks[std::size_t(i)]).adjusted(-3, -3, 3, 3);
    if (r.contains(position) && (found < 0 || r.width() * r.height() < area)) found = i, area = r.width() * r.height();
  }
  return found;
}
int CueCanvas::cornerAt(const QPointF& position) const {
  if (m_selected < 0 || !isHere(m_selected) || m_marks[std::size_t(m_selected)].kind == "point") return -1;
  const QRectF r = rectOf(m_marks[std::size_t(m_selected)]);
  const QPointF corners[] = {r.topLeft(), r.topRight(), r.bottomRight(), r.bottomLeft()};
  for (int i = 0; i < 4; ++i)
    if (QLineF(corners[i], position).length() < kGrab) return i;
  return -1;
}
QPointF CueCanvas::snapped(QPointF pixel) const {
  const auto to = [&](double v) { return m_snap ? std::round(v / m_patch) * m_patch : std::round(v); };
  return {std::min(to(pixel.x()), double(m_picture.width())), std::min(to(pixel.y()), double(m_picture.height()))};
}

void CueCanvas::emitEdit(const QString& verb) {
  const int at = m_selected;
  Q_EMIT marksEdited(m_marks, tr("%1 %2").arg(verb).arg(at + 1), at < 0 || verb.startsWith(tr("Draw")) ? QString() : QStringLiteral("mark-%1-%2").arg(at).arg(m_number));
}

void CueCanvas::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton || m_picture.isNull()) return;
  ++m_number;  // one drag, one edit
  const QPointF pixel = snapped(toPicture(event->position()));
  m_from = toPicture(event->position());
  if (const int corner = cornerAt(event->position()); corner >= 0) {
    m_drag = Drag::Corner;
    m_corner = corner;
    m_before = m_marks[std::size_t(m_selected)];
    return;
  }
  const int hit = markAt(event->position());
  if (hit >= 0 && (m_tool == Tool::Move || hit == m_selected)) {
    select(hit);
    m_drag = Drag::Move;
    m_before = m_marks[std::size_t(hit)];
    return;
  }
  if (m_tool == Tool::Move) return select(-1);
  if (!pictureRect().contains(event->position())) return select(-1);
  if (m_tool == Tool::Point) {
    const float x = std::min(float(pixel.x()), float(m_picture.width() - 1)), y = std::min(float(pixel.y()), float(m_picture.height() - 1));
    m_marks.push_back({"point", x, y, 1, 1, "", "edited", m_image});
    select(int(m_marks.size()) - 1);
    return emitEdit(tr("Draw point"));
  }
  m_marks.push_back({m_tool == Tool::Crop ? "crop" : "box", float(pixel.x()), float(pixel.y()), 0, 0, "", "edited", m_image});
  m_selected = int(m_marks.size()) - 1;
  m_drag = Drag::Draw;
}

void CueCanvas::mouseMoveEvent(QMouseEvent* event) {
  if (m_drag == Drag::None || m_selected < 0) return;
  CueMark& mark = m_marks[std::size_t(m_selected)];
  const QPointF pixel = snapped(toPicture(event->position()));
  if (m_drag == Drag::Move) {
    const QPointF by = toPicture(event->position()) - m_from;
    const QPointF to = snapped({double(m_before.x) + by.x(), double(m_before.y) + by.y()});
    mark.x = std::clamp(float(to.x()), 0.0f, float(m_picture.width()) - mark.width);
    mark.y = std::clamp(float(to.y()), 0.0f, float(m_picture.height()) - mark.height);
  } else {
    QPointF fixed = snapped(m_from);
    if (m_drag == Drag::Corner) {
      const bool right = m_corner == 1 || m_corner == 2, bottom = m_corner >= 2;
      fixed = {double(m_before.x + (right ? 0 : m_before.width)), double(m_before.y + (bottom ? 0 : m_before.height))};
    }
    mark.x = float(std::min(fixed.x(), pixel.x()));
    mark.y = float(std::min(fixed.y(), pixel.y()));
    mark.width = float(std::abs(fixed.x() - pixel.x()));
    mark.height = float(std::abs(fixed.y() - pixel.y()));
  }
  update();
}

void CueCanvas::mouseReleaseEvent(QMouseEvent*) {
  const Drag drag = std::exchange(m_drag, Drag::None);
  if (drag == Drag::None || m_selected < 0) return;
  CueMark& mark = m_marks[std::size_t(m_selected)];
  if (mark.kind != "point" && (mark.width < kSmallest || mark.height < kSmallest)) {  // a slip: nothing was drawn
    if (drag == Drag::Draw) {
      m_marks.pop_back();
      const int under = markAt(toWidget(m_from));
      select(under);
    } else {
      mark = m_before;
    }
    return update();
  }
  if (drag == Drag::Draw) {
    Q_EMIT selectedChanged(m_selected);
    return emitEdit(mark.kind == "crop" ? tr("Draw crop") : tr("Draw box"));
  }
  if (mark == m_before) return;
  mark.from = "edited";
  emitEdit(drag == Drag::Move ? tr("Move mark") : tr("Resize mark"));
}

// What was half drawn or moved is as it was.
void CueCanvas::leaveDrag() {
  const Drag drag = std::exchange(m_drag, Drag::None);
  if (drag == Drag::Draw) {
    m_marks.pop_back();
    return select(-1);
  }
  if (m_selected >= 0) m_marks[std::size_t(m_selected)] = m_before;
  update();
}

void CueCanvas::removeSelected() {
  if (m_selected < 0) return;
  const int at = m_selected;
  m_marks.erase(m_marks.begin() + at);
  select(-1);
  Q_EMIT marksEdited(m_marks, tr("Delete mark %1").arg(at + 1), {});
}

void CueCanvas::keyPressEvent(QKeyEvent* event) {
  const float step = event->modifiers() & Qt::ShiftModifier ? float(m_patch) : 1.0f;
  float dx = 0, dy = 0;
  switch (event->key()) {
    case Qt::Key_Left: dx = -step; break;
    case Qt::Key_Right: dx = step; break;
    case Qt::Key_Up: dy = -step; break;
    case Qt::Key_Down: dy = step; break;
    case Qt::Key_Delete: return removeSelected();
    case Qt::Key_Escape:
      if (m_drag != Drag::None) return leaveDrag();
      if (m_tool == Tool::Move && m_selected >= 0) return select(-1);
      return QWidget::keyPressEvent(event);  // the page leaves the tool first
    case Qt::Key_Space:
      for (int by = 1; by <= int(m_marks.size()); ++by)
        if (const int next = (m_selected + by) % int(m_marks.size()); isHere(next)) return select(next);
      [[fallthrough]];
    default: return QWidget::keyPressEvent(event);
  }
  if (m_selected < 0) return QWidget::keyPressEvent(event);
  CueMark& mark = m_marks[std::size_t(m_selected)];
  mark.x = std::clamp(mark.x + dx, 0.0f, float(m_picture.width()) - mark.width);
  mark.y = std::clamp(mark.y + dy, 0.0f, float(m_picture.height()) - mark.height);
  mark.from = "edited";
  update();
  emitEdit(tr("Move mark"));
}

QString CueCanvas::cellName(int index) const {
  const CueMark& m = m_marks[std::size_t(index)];
  const QString name = tr("%1 %2 %3, x %4, y %5, %6 × %7 px").arg(QString::fromStdString(m.kind)).arg(index + 1).arg(QString::fromStdString(m.label)).arg(double(m.x)).arg(double(m.y)).arg(double(m.width)).arg(double(m.height));
  return std::any_of(m_marks.begin(), m_marks.end(), [](const CueMark& mark) { return mark.image > 0; }) ? tr("%1, picture %2").arg(name).arg(m.image + 1) : name;
}
QRect CueCanvas::cellRect(int index) const { return !isHere(index) ? QRect() : rectOf(m_marks[std::size_t(index)]).toAlignedRect(); }

void CueCanvas::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintMarks(painter, colors());
}

void CueCanvas::paintMarks(QPainter& p, const Colors& c) const {
  p.fillRect(rect(), c.well);
  if (m_picture.isNull()) return paintEmpty(p, QRectF(rect()).adjusted(16, 16, -16, -16), m_emptyTitle, m_emptyDetail, c);
  const QRectF r = pictureRect();
  p.setRenderHint(QPainter::SmoothPixmapTransform, r.width() < m_picture.width());
  p.drawImage(r, m_picture);
  if (m_grid) {
    p.setPen(QPen(QColor(128, 128, 128, 90), 0));
    for (int x = m_patch; x < m_picture.width(); x += m_patch) p.drawLine(toWidget({double(x), 0}), toWidget({double(x), double(m_picture.height())}));
    for (int y = m_patch; y < m_picture.height(); y += m_patch) p.drawLine(toWidget({0, double(y)}), toWidget({double(m_picture.width()), double(y)}));
  }
  p.setRenderHint(QPainter::Antialiasing, false);
  for (int i = 0; i < int(m_marks.size()); ++i) {
    if (!isHere(i)) continue;
    const CueMark& mark = m_marks[std::size_t(i)];
    const QRectF box = rectOf(mark);
    if (mark.kind == "point") {
      p.setRenderHint(QPainter::Antialiasing);
      p.setPen(QPen(c.casing, 4));
      p.drawEllipse(box);
      p.setPen(QPen(c.ink, 1.5));
      p.drawEllipse(box);
      p.setRenderHint(QPainter::Antialiasing, false);
    } else {
      paintInkOutline(p, box, c, mark.kind == "crop");
    }
    const QRectF number(box.left() - 1, std::max(r.top(), box.top() - 15), 15, 15);
    p.fillRect(number, i == m_selected ? c.ink : c.casing);
    p.setPen(i == m_selected ? c.casing : c.ink);
    p.setFont(monoFont(10, QFont::DemiBold));
    p.drawText(number, Qt::AlignCenter, QString::number(i + 1));
    if (i == m_selected && mark.kind != "point")
      for (const QPointF& corner : {box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft()}) {
        p.fillRect(QRectF(corner - QPointF(4, 4), QSizeF(8, 8)), c.casing);
        p.fillRect(QRectF(corner - QPointF(3, 3), QSizeF(6, 6)), c.ink);
      }
  }
}

}  // namespace cuescope
