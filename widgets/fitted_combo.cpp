#include "widgets/fitted_combo.h"

#include <QHelpEvent>
#include <QLabel>
#include <QStyleOptionComboBox>
#include <QStylePainter>
#include <QToolTip>
#include <algorithm>

namespace cuescope {

FittedCombo::FittedCombo(QWidget* parent) : QComboBox(parent) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  connect(this, &QComboBox::currentTextChanged, this, &QWidget::updateGeometry);
}

void FittedCombo::setLeast(int least) {
  m_least = least;
  updateGeometry();
}

void FittedCombo::setCaption(QLabel* caption) {
  m_caption = caption;
  caption->setBuddy(this);
  caption->installEventFilter(this);
}

bool FittedCombo::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_caption && (event->type() == QEvent::ShowToParent || event->type() == QEvent::HideToParent)) {
    updateGeometry();
    update();
  }
  return QComboBox::eventFilter(watched, event);
}

QString FittedCombo::shownText() const {
  return m_caption && m_caption->isHidden() ? m_caption->text() + QLatin1Char(' ') + currentText() : currentText();
}

int FittedCombo::frame() const {
  QStyleOptionComboBox option;
  initStyleOption(&option);
  const QSize empty = style()->sizeFromContents(QStyle::CT_ComboBox, &option, QSize(0, 16), this);
  return empty.width() + 4;
}

QSize FittedCombo::sizeHint() const {
  return {std::max(m_least, fontMetrics().horizontalAdvance(shownText()) + frame()), QComboBox::sizeHint().height()};
}

QSize FittedCombo::minimumSizeHint() const {
  return {std::min(sizeHint().width(), m_least), QComboBox::minimumSizeHint().height()};
}

int FittedCombo::room() const {
  QStyleOptionComboBox option;
  initStyleOption(&option);
  return style()->subControlRect(QStyle::CC_ComboBox, &option, QStyle::SC_ComboBoxEditField, this).width() - 2;
}

bool FittedCombo::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip && fontMetrics().horizontalAdvance(shownText()) > room()) {
    QToolTip::showText(static_cast<QHelpEvent*>(event)->globalPos(), toolTip().isEmpty() ? shownText() : shownText() + QLatin1Char('\n') + toolTip(), this);
    return true;
  }
  return QComboBox::event(event);
}

void FittedCombo::paintEvent(QPaintEvent*) {
  QStylePainter painter(this);
  QStyleOptionComboBox option;
  initStyleOption(&option);
  painter.drawComplexControl(QStyle::CC_ComboBox, option);
  // Where both do not fit the value comes first; the tooltip and the accessible name say whose it is.
  const QString text = fontMetrics().horizontalAdvance(shownText()) > room() ? currentText() : shownText();
  option.currentText = fontMetrics().elidedText(text, Qt::ElideMiddle, room());
  painter.drawControl(QStyle::CE_ComboBoxLabel, option);
}

}  // namespace cuescope
