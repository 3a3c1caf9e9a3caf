#include "ui/rollouts_cells.h"

#include <QImage>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/models/rollout_store.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr double kSparkLimit = 4;  // nats: the range of the gap colours

void paintGround(QPainter* painter, const QStyleOptionViewItem& option) {
  const Colors& c = colors();
  if (option.state & QStyle::State_Selected) painter->fillRect(option.rect, c.selection);  // as the style sheet has it
  else if (option.state & QStyle::State_MouseOver) painter->fillRect(option.rect, c.hover);
  painter->fillRect(QRect(option.rect.left(), option.rect.bottom(), option.rect.width(), 1), c.line);
}

}  // namespace

void SparkDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  paintGround(painter, option);
  const QVariantList values = index.data(kSparkRole).toList();
  if (values.isEmpty()) return;
  const Colors& c = colors();
  const QRectF r = QRectF(option.rect).adjusted(8, 5, -10, -6);
  const double middle = r.center().y(), width = std::min(3.0, r.width() / double(values.size()));
  painter->fillRect(QRectF(r.left(), middle, width * double(values.size()), 1), c.lineStrong);
  for (qsizetype i = 0; i < values.size(); ++i) {
    const double v = std::clamp(values[i].toDouble() / kSparkLimit, -1.0, 1.0);
    const double height = std::copysign(std::pow(std::abs(v), 0.6), v) * r.height() / 2;
    if (std::abs(height) < 0.5) continue;
    painter->fillRect(QRectF(r.left() + double(i) * width, height > 0 ? middle - height : middle + 1, std::max(1.0, width - 0.75), std::abs(height)),
                      c.conditions[height > 0 ? 1 : 0]);
  }
}

void PictureDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  paintGround(painter, option);
  const Colors& c = colors();
  const QImage image = index.data(Qt::DecorationRole).value<QImage>();
  const QRectF frame(option.rect.left() + 8, option.rect.top() + 4, 38, option.rect.height() - 9);
  if (image.isNull()) {
    painter->fillRect(frame, c.well);
  } else {
    const QSizeF size = QSizeF(image.size()).scaled(frame.size(), Qt::KeepAspectRatio);
    painter->save();
    painter->setRenderHint(QPainter::SmoothPixmapTransform);
    painter->drawImage(QRectF(frame.center().x() - size.width() / 2, frame.center().y() - size.height() / 2, size.width(), size.height()), image);
    painter->restore();
  }
  painter->setFont(index.data(Qt::FontRole).value<QFont>());
  painter->setPen(c.text);
  const QRect text = option.rect.adjusted(54, 0, -6, 0);
  painter->drawText(text, Qt::AlignVCenter | Qt::AlignLeft, painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideMiddle, text.width()));
}

QSize PictureDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  return {54 + QFontMetrics(monoFont(11)).horizontalAdvance(index.data().toString()) + 12, QStyledItemDelegate::sizeHint(option, index).height()};
}

GapHistogram::GapHistogram(QWidget* parent) : QWidget(parent), m_threshold(std::nan("")) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Mean gap by sample"));
  setToolTip(tr("Click or drag: only samples at or above. ← → move, double click or Del takes it away."));
  setWhatsThis(tr("How many samples have which mean |gap| between teacher + cue and student. The line keeps those at or above it."));
  setFixedHeight(76);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

QRectF GapHistogram::plot() const { return QRectF(rect()).adjusted(8, 22, -8, -18); }
double GapHistogram::valueAt(double x) const { return std::clamp((x - plot().left()) / plot().width(), 0.0, 1.0) * m_high; }
double GapHistogram::xOf(double value) const { return plot().left() + value / m_high * plot().width(); }

void GapHistogram::setValues(const std::vector<float>& values) {
  m_values = values;
  m_high = 0.1;
  for (const float v : values) m_high = std::max(m_high, double(v));
  const double step = std::pow(10, std::floor(std::log10(m_high)));
  m_high = std::ceil(m_high / step * 4) / 4 * step;
  // Few samples in many bins are a comb: about four bins a root of n.
  m_bins = std::clamp(int(4 * std::sqrt(double(values.size()))), 16, 64);
  m_counts.assign(values.empty() ? 0 : std::size_t(m_bins), 0);
  for (const float v : values) ++m_counts[std::size_t(std::min(m_bins - 1, int(double(v) / m_high * m_bins)))];
  update();
}

void GapHistogram::setThreshold(double nats) {
  m_threshold = nats;
  update();
}

bool GapHistogram::hasThreshold() const { return std::isfinite(m_threshold); }
void GapHistogram::clearThreshold() { choose(std::nan("")); }

void GapHistogram::choose(double value) {
  m_threshold = std::isnan(value) ? value : std::clamp(std::round(value * 100) / 100, 0.0, m_high);
  if (m_threshold == 0) m_threshold = std::nan("");
  update();
  Q_EMIT thresholdChanged(m_threshold);
}

QString GapHistogram::cellName(int index) const {
  return tr("%1 to %2 nats, %3 samples").arg(number(index * m_high / m_bins, 2), number((index + 1) * m_high / m_bins, 2)).arg(m_counts[std::size_t(index)]);
}
QRect GapHistogram::cellRect(int index) const {
  const QRectF r = plot();
  return QRectF(r.left() + r.width() * index / m_bins, r.top(), r.width() / m_bins, r.height()).toAlignedRect();
}

void GapHistogram::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintHistogram(painter, colors());
}

void GapHistogram::paintHistogram(QPainter& p, const Colors& c) const {
  p.fillRect(rect(), c.panel);
  p.setFont(uiFont(11));
  p.setPen(c.text2);
  const bool limited = std::isfinite(m_threshold);
  const int above = int(std::count_if(m_values.begin(), m_values.end(), [&](float v) { return !limited || double(v) >= m_threshold - 1e-9; }));
  const QString right = limited ? tr("%1 of %2 at or above %3").arg(above).arg(m_values.size()).arg(number(m_threshold, 2)) : QString();
  p.drawText(QRectF(8, 2, width() - 16, 18), Qt::AlignVCenter | Qt::AlignRight, right);
  const int room = width() - 28 - p.fontMetrics().horizontalAdvance(right);
  p.drawText(QRectF(8, 2, room, 18), Qt::AlignVCenter | Qt::AlignLeft,
             p.fontMetrics().elidedText(tr("Mean |log p(teacher + cue) − log p(student)| per sample, nats"), Qt::ElideRight, room));
  const QRectF r = plot();
  p.setFont(monoFont(10));
  if (m_counts.empty()) {
    p.setPen(c.text3);
    p.setFont(uiFont(11));
    p.drawText(r, Qt::AlignCenter, tr("No log-probabilities of a teacher are saved in these rows."));
    return;
  }
  const int most = *std::max_element(m_counts.begin(), m_counts.end());
  for (int i = 0; i < m_bins; ++i) {
    const double height = most ? std::max(m_counts[std::size_t(i)] ? 1.0 : 0.0, r.height() * m_counts[std::size_t(i)] / most) : 0;
    const bool kept = !limited || (i + 1) * m_high / m_bins > m_threshold;
    p.fillRect(QRectF(r.left() + r.width() * i / m_bins, r.bottom() - height, r.width() / m_bins - 1, height), kept ? c.control : c.lineStrong);
  }
  p.fillRect(QRectF(r.left(), r.bottom(), r.width(), 1), c.lineStrong);
  p.setPen(c.text3);
  for (int i = 0; i <= 5; ++i) {
    const double v = m_high * i / 5;
    const double x = std::clamp(xOf(v) - 24, 2.0, double(width()) - 50.0);
    p.drawText(QRectF(x, r.bottom() + 2, 48, 14), i == 0 ? Qt::AlignLeft : i == 5 ? Qt::AlignRight : Qt::AlignHCenter, number(v, 2));
  }
  if (limited) p.fillRect(QRectF(std::round(xOf(m_threshold)), r.top() - 3, 1, r.height() + 5), c.accent);
}

void GapHistogram::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && !m_counts.empty()) choose(valueAt(event->position().x()));
}
void GapHistogram::mouseMoveEvent(QMouseEvent* event) {
  if ((event->buttons() & Qt::LeftButton) && !m_counts.empty()) choose(valueAt(event->position().x()));
}
void GapHistogram::mouseDoubleClickEvent(QMouseEvent*) { choose(std::nan("")); }
void GapHistogram::keyPressEvent(QKeyEvent* event) {
  const double at = std::isfinite(m_threshold) ? m_threshold : 0;
  switch (event->key()) {
    case Qt::Key_Left: return choose(at - m_high / 50);
    case Qt::Key_Right: return choose(at + m_high / 50);
    case Qt::Key_Delete: return choose(std::nan(""));
    default: QWidget::keyPressEvent(event);
  }
}

}  // namespace cuescope
