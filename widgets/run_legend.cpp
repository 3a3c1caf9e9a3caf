#include "widgets/run_legend.h"

#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/curve_overlay.h"

namespace cuescope {
namespace {
constexpr double kSample = 22, kGap = 6, kBetween = 12, kShortest = 48;
}

RunLegend::RunLegend(const QString& title, QWidget* parent) : QWidget(parent), m_title(title) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  setAccessibleName(title);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void RunLegend::setRuns(const QStringList& names) {
  if (names == m_runs) return;
  m_runs = names;
  setAccessibleDescription(names.join(QStringLiteral(", ")));
  setToolTip(names.join(QLatin1Char('\n')));
  updateGeometry();
  update();
}

QSize RunLegend::sizeHint() const {
  double width = QFontMetricsF(uiFont(12, QFont::DemiBold)).horizontalAdvance(m_title);
  for (const QString& name : m_runs) width += kBetween + kSample + kGap + QFontMetricsF(uiFont(12)).horizontalAdvance(name);
  return {int(std::ceil(width)) + 2, 22};
}
QSize RunLegend::minimumSizeHint() const {
  return {std::min(sizeHint().width(), int(QFontMetricsF(uiFont(12, QFont::DemiBold)).horizontalAdvance(m_title)) + 4), 22};
}

void RunLegend::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter p(this);
  p.setRenderHint(QPainter::Antialiasing);
  const QFont words = uiFont(12);
  const QFontMetricsF metrics(words);
  p.setFont(uiFont(12, QFont::DemiBold));
  p.setPen(c.text);
  double x = QFontMetricsF(p.font()).horizontalAdvance(m_title);
  p.drawText(QRectF(0, 0, x + 2, height()), Qt::AlignVCenter | Qt::AlignLeft, m_title);
  if (m_runs.isEmpty()) return;
  const double each = (width() - x) / double(m_runs.size()) - kBetween - kSample - kGap;
  if (each < kShortest) return;  // the names are in the tooltip
  p.setFont(words);
  double spare = width() - x;
  for (const QString& name : m_runs) spare -= kBetween + kSample + kGap + metrics.horizontalAdvance(name);
  for (int i = 0; i < int(m_runs.size()); ++i) {
    x += kBetween;
    CurveSeries series;
    series.run = i;
    p.setPen(seriesPen(series, c, 1.75));
    p.drawLine(QPointF(x, height() / 2.0), QPointF(x + kSample, height() / 2.0));
    x += kSample + kGap;
    const QString text = metrics.elidedText(m_runs[i], Qt::ElideMiddle, spare >= 0 ? 1e4 : each);
    p.setPen(i == 0 ? c.text : c.text2);
    p.drawText(QRectF(x, 0, metrics.horizontalAdvance(text) + 2, height()), Qt::AlignVCenter | Qt::AlignLeft, text);
    x += metrics.horizontalAdvance(text);
  }
}

}  // namespace cuescope
