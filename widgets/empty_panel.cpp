#include "widgets/empty_panel.h"

#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>

#include "widgets/theme.h"

namespace cuescope {

EmptyPanel::EmptyPanel(QWidget* parent) : QFrame(parent) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(12, 10, 12, 10);
  column->setSpacing(4);
  m_sentence = new QLabel(this);
  m_detail = new QLabel(this);
  for (QLabel* label : {m_sentence, m_detail}) {
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    column->addWidget(label);
  }
  m_detail->setProperty("tone", QStringLiteral("2"));
  m_button = new QPushButton(this);
  column->addWidget(m_button, 0, Qt::AlignLeft);
  connect(m_button, &QPushButton::clicked, this, &EmptyPanel::actionChosen);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
  setText({});
}

void EmptyPanel::setText(const QString& sentence, const QString& detail, const QString& button) {
  m_sentence->setText(sentence);
  m_detail->setText(detail);
  m_detail->setVisible(!detail.isEmpty());
  m_button->setText(button);
  // A button without a text is hidden; it still has words for who lists the controls.
  m_button->setToolTip(button.isEmpty() ? sentence : detail.isEmpty() ? button : detail);
  m_button->setAccessibleName(button.isEmpty() ? sentence : button);
  if (m_button->toolTip().isEmpty()) m_button->setToolTip(tr("Offers the next step when there is one"));
  if (m_button->accessibleName().isEmpty()) m_button->setAccessibleName(tr("Next step"));
  m_button->setVisible(!button.isEmpty());
  setAccessibleName(sentence);
}

void EmptyPanel::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  QPen pen(colors().control, 1);
  pen.setDashPattern({3, 2});
  painter.setPen(pen);
  painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
}

void paintEmpty(QPainter& painter, const QRectF& rect, const QString& sentence, const QString& detail, const Colors& colors) {
  if (sentence.isEmpty()) return;
  painter.save();
  const QRectF place = rect.adjusted(16, 0, -16, 0);
  painter.setFont(uiFont(12));
  const QRectF first = painter.boundingRect(place, Qt::AlignHCenter | Qt::TextWordWrap, sentence);
  const double second = detail.isEmpty() ? 0 : painter.boundingRect(place, Qt::AlignHCenter | Qt::TextWordWrap, detail).height() + 4;
  double y = place.center().y() - (first.height() + second) / 2;
  painter.setPen(colors.text2);
  painter.drawText(QRectF(place.left(), y, place.width(), first.height()), Qt::AlignHCenter | Qt::TextWordWrap, sentence);
  painter.setPen(colors.text3);
  painter.drawText(QRectF(place.left(), y + first.height() + 4, place.width(), second), Qt::AlignHCenter | Qt::TextWordWrap, detail);
  painter.restore();
}

}  // namespace cuescope
