#include "widgets/phase_bar.h"

#include <QFontMetricsF>
#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <numeric>
#include <vector>

#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr double kTitle = 102, kNow = 196;
double sum(const PhaseData& data) {
  double total = 0;
  for (const PhaseTime& phase : data.phases) total += phase.seconds;
  return total;
}
}  // namespace

QColor PhaseBar::phaseColor(int index, const Colors& c) {
  if (index < 2) return c.conditions[index];
  return index == 2 ? (c.dark ? QColor("#8a8d93") : QColor("#8b8f96")) : index == 3 ? (c.dark ? QColor("#5d6067") : QColor("#aeb2b8")) : c.lineStrong;
}

PhaseBar::PhaseBar(QWidget* parent) : QWidget(parent) {
  setFixedHeight(52);
  setAccessibleName(tr("Where the time of a step goes"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void PhaseBar::setData(const PhaseData& data) {
  m_data = data;
  QStringList words;
  for (const PhaseTime& phase : data.phases) words << phase.name + QLatin1Char(' ') + durationText(phase.seconds);
  setAccessibleDescription(words.join(QStringLiteral(", ")));
  update();
}

void PhaseBar::paintPhases(QPainter& painter, const QRectF& rect, const PhaseData& data, const Colors& c) {
  painter.save();
  painter.setFont(uiFont(12, QFont::DemiBold));
  painter.setPen(c.text);
  paintWords(painter, QRectF(rect.left() + 8, rect.top() + 8, kTitle, 18), Qt::AlignLeft | Qt::AlignVCenter, tr("Phases"));
  painter.setFont(uiFont(11));
  painter.setPen(c.text3);
  const double total = sum(data);
  const QString which = data.step < 0 ? tr("no step yet") : tr("step %1, %2").arg(data.step).arg(durationText(total));
  const double title = std::max(kTitle, wordsWidth(painter.font(), which) + 12);
  paintWords(painter, QRectF(rect.left() + 8, rect.top() + 26, title, 16), Qt::AlignLeft | Qt::AlignVCenter, which);
  const bool live = data.nowStep >= 0;
  const double left = rect.left() + 8 + title, right = rect.right() - 8 - (live ? kNow + 16 : 0);
  if (total > 0) {
    double x = left;
    std::vector<double> begins;
    for (int i = 0; i < int(data.phases.size()); ++i) {
      const double width = (right - left) * data.phases[std::size_t(i)].seconds / total;
      painter.fillRect(QRectF(x, rect.top() + 11, std::max(0.0, width - 1), 12), phaseColor(i, c));
      begins.push_back(x);
      x += width;
    }
    // The longest is named first; what finds no room beside it, or took no time, is in the tooltip.
    std::vector<std::size_t> order(data.phases.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return data.phases[a].seconds > data.phases[b].seconds; });
    std::vector<QRectF> taken;
    for (const std::size_t i : order) {
      const PhaseTime& phase = data.phases[i];
      if (phase.seconds <= 0) continue;
      painter.setFont(uiFont(11));
      const WordMetrics words(painter.font()), digits(monoFont(11));
      const QString time = durationText(phase.seconds), name = phase.name + QLatin1Char(' ');
      const double need = words.horizontalAdvance(name) + digits.horizontalAdvance(time), at = std::min(begins[i], right - need);
      const QRectF place(at, rect.top() + 26, need, 16);
      if (at < left || std::any_of(taken.begin(), taken.end(), [&](const QRectF& other) { return other.adjusted(-8, 0, 8, 0).intersects(place); })) continue;
      painter.setPen(c.text2);
      paintWords(painter, place, Qt::AlignLeft | Qt::AlignVCenter, name);
      painter.setFont(monoFont(11));
      paintWords(painter, place.translated(words.horizontalAdvance(name), 0), Qt::AlignLeft | Qt::AlignVCenter, time);
      taken.push_back(place);
    }
  } else {
    painter.fillRect(QRectF(left, rect.top() + 11, right - left, 12), c.line);
  }
  if (live) {
    const QRectF now(rect.right() - 8 - kNow, rect.top() + 8, kNow, 18);
    painter.fillRect(QRectF(now.left() - 12, rect.top() + 8, 1, rect.height() - 16), c.line);
    painter.setFont(uiFont(11));
    painter.setPen(c.text3);
    paintWords(painter, now, Qt::AlignLeft | Qt::AlignVCenter, tr("step %1").arg(data.nowStep));
    painter.setFont(monoFont(11));
    painter.setPen(c.text);
    QString phase = data.nowPhase;
    if (data.nowTotal > 0) phase += QStringLiteral(" %1/%2").arg(data.nowDone).arg(data.nowTotal);
    paintWords(painter, now, Qt::AlignRight | Qt::AlignVCenter, phase);
    const double part = data.nowTotal > 0 ? std::clamp(double(data.nowDone) / data.nowTotal, 0.0, 1.0) : 0;
    painter.fillRect(QRectF(now.left(), rect.top() + 31, kNow, 5), c.lineStrong);
    painter.fillRect(QRectF(now.left(), rect.top() + 31, kNow * part, 5), c.text2);
  }
  painter.restore();
}

void PhaseBar::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  paintPhases(painter, rect(), m_data, colors());
}

bool PhaseBar::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const double total = sum(m_data);
    QStringList lines;
    for (const PhaseTime& phase : m_data.phases)
      lines << QStringLiteral("%1  %2, %3 %").arg(phase.name, durationText(phase.seconds)).arg(total > 0 ? 100 * phase.seconds / total : 0, 0, 'f', 0);
    if (!lines.isEmpty()) QToolTip::showText(static_cast<QHelpEvent*>(event)->globalPos(), lines.join(QLatin1Char('\n')), this);
    return true;
  }
  return QWidget::event(event);
}

}  // namespace cuescope
