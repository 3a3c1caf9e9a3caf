#include "widgets/task_progress.h"

#include <QHBoxLayout>
#include <QPainter>
#include <QToolButton>
#include <algorithm>

#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {

ThinBar::ThinBar(QWidget* parent) : QWidget(parent) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  setAccessibleName(tr("Progress"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}
void ThinBar::setValue(double done, double total) {
  m_fraction = total > 0 ? std::clamp(done / total, 0.0, 1.0) : -1;
  setAccessibleDescription(m_fraction < 0 ? tr("not known") : QStringLiteral("%1 %").arg(int(m_fraction * 100)));
  update();
}
void ThinBar::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const QRectF track(0, height() / 2.0 - 2, width(), 4);
  painter.fillRect(track, colors().lineStrong);
  if (m_fraction >= 0) {
    painter.fillRect(QRectF(track.left(), track.top(), track.width() * m_fraction, 4), colors().text2);
  } else {  // not known: stripes that stand still
    for (double x = 0; x < width(); x += 12) painter.fillRect(QRectF(x, track.top(), std::min(6.0, width() - x), 4), colors().control);
  }
}

TaskProgress::TaskProgress(QWidget* parent) : QWidget(parent) {
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  m_what = new ElidedLabel({}, this);
  m_bar = new ThinBar(this);
  m_bar->setFixedWidth(112);
  m_left = new ElidedLabel({}, this);
  m_left->setTone(ElidedLabel::Tone::Text3);
  m_left->setPixelSize(11);
  m_cancel = new QToolButton(this);
  m_cancel->setIcon(icon(Icon::Close));
  m_cancel->setIconSize({14, 14});
  m_cancel->setToolTip(tr("Cancel what is computed now (Ctrl+.)"));
  m_cancel->setAccessibleName(tr("Cancel"));
  m_steady = new QSpacerItem(0, 0, QSizePolicy::Maximum, QSizePolicy::Minimum);
  row->addWidget(m_what);
  row->addItem(m_steady);
  row->addWidget(m_bar);
  row->addWidget(m_cancel);
  row->addWidget(m_left, 1);
  connect(m_cancel, &QToolButton::clicked, this, &TaskProgress::cancelRequested);
  setIdle({});
}
void TaskProgress::setTask(const QString& what, double done, double total, double secondsLeft) {
  m_what->setText(what);
  m_bar->setValue(done, total);
  m_left->setText(secondsLeft >= 0 ? tr("about %1").arg(durationText(secondsLeft)) : QString());
  m_bar->show();
  m_cancel->show();
  m_left->show();
  steady();
}
void TaskProgress::setIdle(const QString& words) {
  m_what->setText(words);
  m_bar->hide();
  steady();
  m_cancel->hide();
  m_left->hide();
}
// The bar stands behind the words, and stays where it is while their numbers grow.
void TaskProgress::steady() {
  const int words = m_what->sizeHint().width();
  m_widest = m_bar->isHidden() ? 0 : std::max(m_widest, (words + 47) / 48 * 48);
  const int wanted = std::max(0, m_widest - words);
  if (wanted == m_steady->sizeHint().width()) return;
  m_steady->changeSize(wanted, 0, QSizePolicy::Maximum, QSizePolicy::Minimum);
  layout()->invalidate();
}

void TaskProgress::setCancellable(bool cancellable, const QString& reason) {
  m_cancel->setEnabled(cancellable);
  m_cancel->setToolTip(cancellable ? tr("Cancel what is computed now (Ctrl+.)") : reason);
}

}  // namespace cuescope
