#include "ui/navigator_rail.h"

#include <QMenu>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/models/navigator_model.h"
#include "widgets/icons.h"
#include "widgets/theme.h"

namespace cuescope {

NavigatorRail::NavigatorRail(NavigatorModel* model, QWidget* parent) : QWidget(parent), m_model(model) {
  setFixedWidth(kWidth);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 4, 0, 4);
  column->setSpacing(4);
  const auto button = [&](Icon shape, const QString& name, const QString& tip) {
    auto* b = new QToolButton;
    b->setIcon(icon(shape));
    b->setAutoRaise(true);
    b->setFixedSize(24, 24);
    b->setAccessibleName(name);
    b->setToolTip(tip);
    b->setWhatsThis(tip);
    column->addWidget(b, 0, Qt::AlignHCenter);
    return b;
  };
  const Icon shapes[] = {Icon::Model, Icon::Data, Icon::Run, Icon::Capture};
  for (int g = 0; g < NavigatorModel::GroupCount; ++g) {
    const QString title = m_model->data(m_model->index(g, 0)).toString();
    m_buttons[g] = button(shapes[g], title, tr("%1 of the navigator").arg(title));
    m_menus[g] = new QMenu(m_buttons[g]);
    m_menus[g]->setToolTipsVisible(true);
    m_buttons[g]->setMenu(m_menus[g]);
    m_buttons[g]->setPopupMode(QToolButton::InstantPopup);
    connect(m_menus[g], &QMenu::aboutToShow, this, [this, g] { fill(g); });
  }
  connect(button(Icon::Add, tr("Open"), tr("Open a model, data file, run or capture (Ctrl+O)")), &QToolButton::clicked, this, &NavigatorRail::addRequested);
  column->addStretch(1);
  connect(button(Icon::ChevronRight, tr("Navigator"), tr("Show the whole navigator (F9)")), &QToolButton::clicked, this, &NavigatorRail::openRequested);
}

void NavigatorRail::fill(int group) {
  QMenu* menu = m_menus[group];
  menu->clear();
  const QModelIndex parent = m_model->index(group, 0);
  menu->addSection(m_model->data(parent).toString());
  for (int row = 0; row < m_model->rowCount(parent); ++row) {
    const QPersistentModelIndex index = m_model->index(row, 0, parent);
    const QString name = index.data().toString(), detail = index.data(NavigatorModel::DetailRole).toString();
    const bool hint = index.data(NavigatorModel::HintRole).toBool();
    QAction* action = menu->addAction(hint ? name : detail.isEmpty() ? name : name + u'\t' + detail);
    action->setEnabled(!hint);
    action->setToolTip(index.data(Qt::ToolTipRole).toString());
    if (!hint) action->setIcon(index.data(Qt::DecorationRole).value<QIcon>());
    connect(action, &QAction::triggered, this, [this, index] {
      if (index.isValid()) Q_EMIT activated(index);
    });
  }
}

void NavigatorRail::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
}

}  // namespace cuescope
