#include "ui/notice_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QToolButton>

#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr int kHeight = 30;
constexpr std::size_t kButtons = 2;
}  // namespace

NoticeBar::NoticeBar(QWidget* parent) : QWidget(parent) {
  setFixedHeight(kHeight);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(8, 0, 4, 1);
  row->setSpacing(8);
  auto* mark = new QLabel;
  mark->setPixmap(icon(Icon::Refresh).pixmap(16, 16));
  m_text = new ElidedLabel;
  m_text->setTone(ElidedLabel::Tone::Text);
  row->addWidget(mark);
  row->addWidget(m_text, 1);
  for (std::size_t i = 0; i < kButtons; ++i) {
    auto* button = new QPushButton;
    button->setAccessibleName(tr("Answer to the notice"));
    button->setToolTip(tr("Does what the notice offers"));
    button->setFixedHeight(22);
    button->hide();
    connect(button, &QPushButton::clicked, this, [this, i] {
      const auto run = m_runs[i];
      hide();
      if (run) run();
    });
    row->addWidget(button);
    m_buttons.push_back(button);
  }
  m_runs.resize(kButtons);
  auto* close = new QToolButton;
  close->setIcon(icon(Icon::Close));
  close->setAutoRaise(true);
  close->setFixedSize(22, 22);
  close->setToolTip(tr("Hide this notice"));
  close->setAccessibleName(tr("Hide this notice"));
  connect(close, &QToolButton::clicked, this, &QWidget::hide);
  row->addWidget(close);
  hide();
}

void NoticeBar::say(const QString& text, std::vector<Button> buttons) {
  const QString before = isVisibleTo(parentWidget()) ? m_text->text() + u' ' : QString();
  m_text->setText(before + text);
  setAccessibleName(m_text->text());
  buttons.resize(kButtons);
  for (std::size_t i = 0; i < kButtons; ++i) {
    m_buttons[i]->setVisible(!buttons[i].text.isEmpty());
    m_buttons[i]->setText(buttons[i].text);
    m_buttons[i]->setAccessibleName(buttons[i].text);
    m_buttons[i]->setToolTip(buttons[i].tip.isEmpty() ? buttons[i].text : buttons[i].tip);
    m_runs[i] = buttons[i].run;
  }
  show();
}

QString NoticeBar::text() const {
  return m_text->text();
}

void NoticeBar::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().raised);
  painter.fillRect(QRect(0, height() - 1, width(), 1), colors().line);
}

}  // namespace cuescope
