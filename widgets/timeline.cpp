#include "widgets/timeline.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "widgets/icons.h"
#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr double kSide = 16, kDiamondY = 22, kTrackY = 33, kLabelY = 42;

int niceStep(double range, double wanted) {
  const double rough = std::max(1.0, range / std::max(1.0, wanted)), magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double m : {1.0, 2.0, 2.5, 5.0, 10.0})
    if (m * magnitude >= rough && std::fmod(m * magnitude, 1.0) == 0) return int(m * magnitude);
  return int(10 * magnitude);
}
}  // namespace

Timeline::Timeline(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Timeline of steps"));
  setFixedHeight(58);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void Timeline::setData(const TimelineData& data) {
  m_data = data;
  std::sort(m_data.checkpoints.begin(), m_data.checkpoints.end());
  update();
}
void Timeline::setCursorStep(int step) {
  m_cursor = step;
  update();
}
void Timeline::fit() {
  m_from = 0, m_to = -1;
  update();
}

double Timeline::xOf(double step) const {
  const double to = m_to > m_from ? m_to : std::max(1, std::max(m_data.last, m_data.now));
  return kSide + (width() - 2 * kSide) * (step - m_from) / (to - m_from);
}
double Timeline::stepAt(double x) const {
  const double to = m_to > m_from ? m_to : std::max(1, std::max(m_data.last, m_data.now));
  return m_from + (x - kSide) / std::max(1.0, width() - 2 * kSide) * (to - m_from);
}

void Timeline::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.fillRect(rect(), c.panel);
  painter.setFont(uiFont(11));
  if (m_data.last <= 0) {
    painter.setPen(c.text3);
    painter.fillRect(QRectF(kSide, kTrackY, width() - 2 * kSide, 4), c.lineStrong);
    paintWords(painter, QRectF(kSide, 6, width() - 2 * kSide, 18), Qt::AlignLeft | Qt::AlignVCenter, tr("No run is selected. Choose one in the navigator, or start one on Train."));
    return;
  }
  const double right = width() - kSide, end = std::min(right, xOf(m_data.last));
  painter.setClipRect(QRectF(0, 0, width(), height()));
  painter.fillRect(QRectF(std::max(kSide, xOf(0)), kTrackY, end - std::max(kSide, xOf(0)), 4), c.lineStrong);
  if (m_data.now >= 0) painter.fillRect(QRectF(std::max(kSide, xOf(0)), kTrackY, std::clamp(xOf(m_data.now), kSide, right) - std::max(kSide, xOf(0)), 4), c.control);
  const auto inside = [&](double step) { return xOf(step) >= kSide - 1 && xOf(step) <= right + 1; };
  for (const int epoch : m_data.epochs)
    if (inside(epoch)) painter.fillRect(QRectF(std::round(xOf(epoch)), kTrackY - 5, 1, 14), c.control);
  double lastTick = -1e9;
  for (const int probe : m_data.probes) {
    const double x = std::round(xOf(probe));
    if (!inside(probe) || x - lastTick < 3) continue;
    painter.fillRect(QRectF(x, kTrackY - 5, 1, 4), c.text3);
    lastTick = x;
  }
  for (const int checkpoint : m_data.checkpoints)
    if (inside(checkpoint))
      paintIcon(painter, QRectF(xOf(checkpoint) - 6, kDiamondY - 6, 12, 12), checkpoint == m_data.best ? Icon::DiamondFilled : Icon::Diamond, c.ink);
  for (const TimelineEvent& event : m_data.health)
    if (inside(event.step)) {
      const double x = xOf(event.step);
      painter.setPen(Qt::NoPen);
      painter.setBrush(c.caution);
      painter.drawPolygon(QPolygonF({{x, 4}, {x + 5, 12}, {x - 5, 12}}));
    }
  painter.setFont(monoFont(10));
  painter.setPen(c.text3);
  const double from = std::max(0.0, stepAt(kSide)), to = stepAt(right);
  const int every = niceStep(to - from, (right - kSide) / 80);
  for (int step = int(std::ceil(from / every)) * every; step <= int(to + 0.5); step += every) {
    if (step > m_data.last) break;
    paintWords(painter, QRectF(xOf(step) - 24, kLabelY, 48, 14), Qt::AlignCenter, QString::number(step));
  }
  painter.setFont(uiFont(11));
  const QFontMetricsF metrics(painter.font());
  if (m_data.live && m_data.now >= 0 && inside(m_data.now)) {
    const QString now = tr("now %1").arg(m_data.now);
    const double width = metrics.horizontalAdvance(now);
    double x = xOf(m_data.now) + 8;
    if (m_cursor >= 0 && std::abs(xOf(m_cursor) - xOf(m_data.now)) < 24) x = std::max(x, xOf(m_cursor) + 20);
    if (x + width < right - 80) paintWords(painter, QRectF(x, kDiamondY - 8, width + 4, 14), Qt::AlignLeft | Qt::AlignVCenter, now);
  }
  if (m_data.now < m_data.last && inside(m_data.last) && !(m_cursor >= 0 && xOf(m_cursor) > right - 100))
    paintWords(painter, QRectF(right - 90, 4, 90, 14), Qt::AlignRight | Qt::AlignVCenter, tr("planned end"));
  if (m_cursor >= 0 && inside(m_cursor)) {
    const double x = std::round(xOf(m_cursor));
    painter.fillRect(QRectF(x, 14, 1, kTrackY + 8 - 14), c.accent);
    painter.setFont(monoFont(11, QFont::Medium));
    const QString text = QString::number(m_cursor);
    const double flag = wordsWidth(painter.font(), text) + 10;
    const QRectF place(std::clamp(x - flag / 2, 2.0, width() - flag - 2), 0, flag, 15);
    painter.fillRect(place, c.accentFill);
    painter.setPen(c.onAccentFill);
    paintWords(painter, place, Qt::AlignCenter, text);
  }
}

void Timeline::pick(int step) {
  if (m_data.now < 0) return;
  step = std::clamp(step, 0, m_data.now);
  if (step == m_cursor) return;
  m_cursor = step;
  update();
  announceCell(this);
  Q_EMIT stepPicked(step);
}

void Timeline::stepBy(int by) { pick((m_cursor < 0 ? m_data.now : m_cursor) + by); }

void Timeline::toCheckpoint(int direction) {
  const int at = m_cursor < 0 ? m_data.now : m_cursor;
  const auto& all = m_data.checkpoints;
  if (direction > 0) {
    const auto found = std::upper_bound(all.begin(), all.end(), at);
    if (found != all.end()) pick(*found);
  } else {
    const auto found = std::lower_bound(all.begin(), all.end(), at);
    if (found != all.begin()) pick(*std::prev(found));
  }
}

int Timeline::checkpointNear(double x) const {
  for (const int checkpoint : m_data.checkpoints)
    if (std::abs(xOf(checkpoint) - x) <= 6) return checkpoint;
  return -1;
}

void Timeline::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  const int checkpoint = event->position().y() < kTrackY - 4 ? checkpointNear(event->position().x()) : -1;
  pick(checkpoint >= 0 ? checkpoint : int(std::lround(stepAt(event->position().x()))));
}
void Timeline::mouseMoveEvent(QMouseEvent* event) {
  if (event->buttons() & Qt::LeftButton) pick(int(std::lround(stepAt(event->position().x()))));
}
void Timeline::mouseDoubleClickEvent(QMouseEvent* event) {
  const int checkpoint = checkpointNear(event->position().x());
  if (checkpoint >= 0) Q_EMIT checkpointActivated(checkpoint);
}

void Timeline::wheelEvent(QWheelEvent* event) {
  const QPoint delta = event->angleDelta();
  const int notches = (delta.y() ? delta.y() : delta.x()) / 120;
  event->accept();
  if (!notches) return;
  if (event->modifiers() & Qt::ControlModifier) {
    const double last = std::max(1, std::max(m_data.last, m_data.now)), fixed = stepAt(event->position().x());
    const double to = m_to > m_from ? m_to : last, factor = std::pow(1.25, -notches);
    double from2 = fixed - (fixed - m_from) * factor, to2 = fixed + (to - fixed) * factor;
    if (to2 - from2 >= last) return fit();
    if (to2 - from2 < 8) return;
    if (from2 < 0) to2 -= from2, from2 = 0;
    if (to2 > last) from2 -= to2 - last, to2 = last;
    m_from = std::max(0.0, from2), m_to = to2;
    update();
    return;
  }
  stepBy(-notches * (event->modifiers() & Qt::ShiftModifier ? 10 : 1));
}

void Timeline::keyPressEvent(QKeyEvent* event) {
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  switch (event->key()) {
    case Qt::Key_Left: shift ? toCheckpoint(-1) : stepBy(-1); return;
    case Qt::Key_Right: shift ? toCheckpoint(1) : stepBy(1); return;
    case Qt::Key_PageUp: stepBy(-10); return;
    case Qt::Key_PageDown: stepBy(10); return;
    case Qt::Key_Home: pick(0); return;
    case Qt::Key_End: pick(m_data.now); return;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (std::binary_search(m_data.checkpoints.begin(), m_data.checkpoints.end(), m_cursor)) Q_EMIT checkpointActivated(m_cursor);
      return;
    default: QWidget::keyPressEvent(event);
  }
}

bool Timeline::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    QString text;
    const int checkpoint = checkpointNear(help->pos().x());
    if (checkpoint >= 0) text = tr("Checkpoint of step %1%2. Double click opens it in Inspect.").arg(checkpoint).arg(checkpoint == m_data.best ? tr(", the best") : QString());
    for (const TimelineEvent& e : m_data.health)
      if (std::abs(xOf(e.step) - help->pos().x()) < 6 && help->pos().y() < 16) text = tr("Step %1: %2").arg(e.step).arg(e.words);
    text.isEmpty() ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), text, this);
    return true;
  }
  return QWidget::event(event);
}

int Timeline::cellCount() const { return int(m_data.checkpoints.size() + m_data.health.size()) + 1; }
QString Timeline::cellName(int index) const {
  if (index == 0) return m_cursor < 0 ? tr("no step chosen") : tr("step %1 of %2").arg(m_cursor).arg(m_data.last);
  if (index <= int(m_data.checkpoints.size())) return tr("checkpoint, step %1").arg(m_data.checkpoints[std::size_t(index) - 1]);
  const std::size_t at = std::size_t(index) - m_data.checkpoints.size() - 1;
  return at < m_data.health.size() ? tr("step %1: %2").arg(m_data.health[at].step).arg(m_data.health[at].words) : QString();
}
QRect Timeline::cellRect(int index) const {
  const int step = index == 0 ? m_cursor
                   : index <= int(m_data.checkpoints.size()) ? m_data.checkpoints[std::size_t(index) - 1]
                   : std::size_t(index) - m_data.checkpoints.size() - 1 < m_data.health.size() ? m_data.health[std::size_t(index) - m_data.checkpoints.size() - 1].step : 0;
  return {int(xOf(step)) - 6, 0, 12, height()};
}
int Timeline::currentCell() const { return 0; }

}  // namespace cuescope
