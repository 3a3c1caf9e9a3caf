#include "widgets/frame_strip.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>
#include <cmath>

namespace cuescope {
namespace {

constexpr double kGap = 6, kLabel = 15, kPad = 4;

double frameWidth(const StripFrame& frame, double height) {
  const double room = std::max(16.0, height - kLabel - 2 * kPad);
  const QSize size = frame.scene.picture.size();
  return size.isEmpty() ? room : std::clamp(room * size.width() / size.height(), 24.0, room * 2.5);
}

QRectF framePlace(const std::vector<StripFrame>& frames, int index, double height) {
  double x = 8;
  for (int i = 0; i < index; ++i) x += std::max(48.0, frameWidth(frames[std::size_t(i)], height)) + kGap;
  return {x, kPad, frameWidth(frames[std::size_t(index)], height), std::max(16.0, height - kLabel - 2 * kPad)};
}

}  // namespace

FrameStrip::FrameStrip(QWidget* parent) : QAbstractScrollArea(parent) {
  setFrameShape(QFrame::NoFrame);
  setFocusPolicy(Qt::StrongFocus);
  setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setFixedHeight(92);
  setAccessibleName(tr("Images and frames of the prompt"));
  connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void FrameStrip::setFrames(const std::vector<StripFrame>& frames) {
  m_frames = frames;
  m_current = std::clamp(m_current, 0, std::max(0, int(frames.size()) - 1));
  resizeEvent(nullptr);
  viewport()->update();
}

void FrameStrip::setCurrent(int frame) {
  if (frame == m_current) return;
  m_current = frame;
  viewport()->update();
}

double FrameStrip::widthFor(const std::vector<StripFrame>& frames, double height) {
  if (frames.empty()) return 0;
  return framePlace(frames, int(frames.size()) - 1, height).right() + 8;
}

double FrameStrip::paintFrames(QPainter& painter, const QRectF& rect, const std::vector<StripFrame>& frames, int current, const Colors& c) {
  painter.save();
  for (int i = 0; i < int(frames.size()); ++i) {
    const StripFrame& frame = frames[std::size_t(i)];
    const QRectF r = framePlace(frames, i, rect.height()).translated(rect.topLeft());
    HeatmapScene scene = frame.scene;
    scene.boxes.clear();
    paintHeatmap(painter, r, scene, c);
    painter.setFont(monoFont(10));
    painter.setPen(i == current ? c.text : c.text3);
    const QString text = std::isfinite(frame.share) ? frame.label + QLatin1Char(' ') + shareText(frame.share, 2) : frame.label;
    const double width = std::max(48.0, r.width());
    painter.drawText(QRectF(r.left(), r.bottom() + 1, width, kLabel), Qt::AlignLeft | Qt::AlignVCenter, QFontMetricsF(painter.font()).elidedText(text, Qt::ElideMiddle, width));
    if (i == current) paintInkOutline(painter, r.adjusted(-0.5, -0.5, 0.5, 0.5), c);
  }
  painter.restore();
  return widthFor(frames, rect.height());
}

void FrameStrip::paintEvent(QPaintEvent*) {
  QPainter painter(viewport());
  painter.fillRect(viewport()->rect(), colors().panel);
  painter.translate(-horizontalScrollBar()->value(), 0);
  paintFrames(painter, QRectF(0, 0, viewport()->width(), viewport()->height()), m_frames, m_current, colors());
  if (hasFocus() && m_current < int(m_frames.size())) paintFocusRing(painter, framePlace(m_frames, m_current, viewport()->height()), colors());
}

void FrameStrip::resizeEvent(QResizeEvent*) {
  horizontalScrollBar()->setRange(0, std::max(0, int(widthFor(m_frames, viewport()->height())) - viewport()->width()));
  horizontalScrollBar()->setPageStep(viewport()->width());
}

void FrameStrip::pick(int frame) {
  if (frame < 0 || frame >= int(m_frames.size())) return;
  m_current = frame;
  const QRectF r = framePlace(m_frames, frame, viewport()->height());
  QScrollBar* bar = horizontalScrollBar();
  bar->setValue(std::clamp(bar->value(), int(r.right()) + 8 - viewport()->width(), std::max(0, int(r.left()) - 8)));
  viewport()->update();
  announceCell(this);
  Q_EMIT picked(frame);
}

void FrameStrip::mousePressEvent(QMouseEvent* event) {
  const QPointF at = event->position() + QPointF(horizontalScrollBar()->value(), 0);
  for (int i = 0; i < int(m_frames.size()); ++i)
    if (framePlace(m_frames, i, viewport()->height()).adjusted(-2, -kPad, 2, kLabel).contains(at)) return pick(i);
}

void FrameStrip::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Left) pick(m_current - 1);
  else if (event->key() == Qt::Key_Right) pick(m_current + 1);
  else if (event->key() == Qt::Key_Home) pick(0);
  else if (event->key() == Qt::Key_End) pick(int(m_frames.size()) - 1);
  else QAbstractScrollArea::keyPressEvent(event);
}

QString FrameStrip::cellName(int index) const {
  if (index < 0 || index >= int(m_frames.size())) return {};
  const StripFrame& frame = m_frames[std::size_t(index)];
  return std::isfinite(frame.share) ? tr("%1, share of the map %2").arg(frame.label, number(frame.share, 2)) : frame.label;
}

QRect FrameStrip::cellRect(int index) const {
  if (index < 0 || index >= int(m_frames.size())) return {};
  return framePlace(m_frames, index, viewport()->height()).translated(-horizontalScrollBar()->value(), 0).toRect();
}

}  // namespace cuescope
