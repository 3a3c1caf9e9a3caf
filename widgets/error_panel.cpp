#include "widgets/error_panel.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>

#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {

ErrorPanel::ErrorPanel(QWidget* parent) : QFrame(parent) {
  setObjectName(QStringLiteral("errorPanel"));
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(12, 10, 12, 10);
  grid->setHorizontalSpacing(10);
  grid->setVerticalSpacing(4);
  m_icon = new QLabel(this);
  m_icon->setFixedSize(16, 16);
  m_what = new QLabel(this);
  m_what->setWordWrap(true);
  m_what->setFont(uiFont(12, QFont::DemiBold));
  m_body = new QLabel(this);
  m_body->setWordWrap(true);
  m_body->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_body->setTextFormat(Qt::PlainText);
  m_body->setProperty("tone", QStringLiteral("2"));
  m_what->setTextFormat(Qt::PlainText);
  m_buttons = new QHBoxLayout;
  m_buttons->setSpacing(8);
  grid->addWidget(m_icon, 0, 0, Qt::AlignTop);
  grid->addWidget(m_what, 0, 1);
  grid->addWidget(m_body, 1, 1);
  grid->addLayout(m_buttons, 2, 1);
  grid->setColumnStretch(1, 1);
  setActions({});
  connect(&Theme::instance(), &Theme::changed, this, &ErrorPanel::restyle);
  restyle();
}

void ErrorPanel::restyle() {
  const Colors& c = colors();
  setStyleSheet(QStringLiteral("#errorPanel { background: %1; border: 1px solid %2; }").arg(c.panel.name(), c.lineStrong.name()));
  m_icon->setPixmap(icon(Icon::Cross, c.danger).pixmap(QSize(16, 16), devicePixelRatioF()));
}

void ErrorPanel::setFailure(const QString& what, const QString& where, const QString& why, const QString& nextStep) {
  m_whatText = what, m_where = where, m_why = why, m_next = nextStep;
  m_what->setText(what);
  QStringList parts;
  for (QString part : {where, why, nextStep}) {
    part = part.trimmed();
    if (part.isEmpty()) continue;
    if (part == why.trimmed()) part[0] = part[0].toUpper();  // a sentence of its own
    if (!part.endsWith(QLatin1Char('.')) && !part.endsWith(QLatin1Char('?'))) part += QLatin1Char('.');
    parts << part;
  }
  m_body->setText(parts.join(QLatin1Char(' ')));
  m_body->setVisible(!parts.isEmpty());
  setAccessibleName(what);
  setAccessibleDescription(m_body->text());
}

void ErrorPanel::setActions(const QStringList& labels) {
  while (QLayoutItem* item = m_buttons->takeAt(0)) {
    if (item->widget()) item->widget()->hide(), item->widget()->deleteLater();
    delete item;
  }
  for (int i = 0; i < labels.size(); ++i) {
    auto* button = new QPushButton(labels[i], this);
    connect(button, &QPushButton::clicked, this, [this, i] { Q_EMIT actionChosen(i); });
    m_buttons->addWidget(button);
    button->show();  // a layout shows it later, and leaves it no room until then
  }
  auto* copy = new QPushButton(tr("Copy details"), this);
  copy->setToolTip(tr("Copy what happened, why and where to the clipboard"));
  connect(copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(details()); });
  m_buttons->addWidget(copy);
  copy->show();
  m_buttons->addStretch(1);
}

QString ErrorPanel::details() const {
  QStringList lines{m_whatText};
  for (const QString& part : {m_where, m_why, m_next})
    if (!part.trimmed().isEmpty()) lines << part;
  return lines.join(QLatin1Char('\n'));
}

}  // namespace cuescope
