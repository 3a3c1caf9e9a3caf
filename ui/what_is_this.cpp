#include "ui/what_is_this.h"

#include <QHelpEvent>
#include <QWhatsThis>
#include <QWidget>

#include "widgets/curve_plot.h"

namespace cuescope {

WhatIsThis::WhatIsThis(QObject* parent) : QObject(parent) {}

QString WhatIsThis::wordsFor(QWidget* widget, const QPoint& position) {
  QPoint at = position;
  for (QWidget* w = widget; w; at = w->mapToParent(at), w = w->isWindow() ? nullptr : w->parentWidget()) {
    if (auto* grid = qobject_cast<CurveGrid*>(w)) {
      const int panel = grid->panelAt(at);
      if (panel >= 0) {
        const CurvePanel& one = grid->panels()[std::size_t(panel)];
        const QString name = one.title == one.id ? QString() : QObject::tr(" In the files: %1.").arg(one.id);
        return QStringLiteral("%1%2. %3%4").arg(one.title, one.unit.isEmpty() ? QString() : QStringLiteral(", ") + one.unit, one.help, name);
      }
    }
    if (!w->whatsThis().isEmpty()) return w->whatsThis();
    if (!w->toolTip().isEmpty()) return w->toolTip();
  }
  return {};
}

bool WhatIsThis::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::QueryWhatsThis || event->type() == QEvent::WhatsThis) {
    auto* widget = qobject_cast<QWidget*>(watched);
    if (!widget) return false;
    auto* help = static_cast<QHelpEvent*>(event);
    const QString words = wordsFor(widget, help->pos());
    if (words.isEmpty()) return false;
    if (event->type() == QEvent::WhatsThis) QWhatsThis::showText(help->globalPos(), words, widget);
    event->accept();
    return true;
  }
  return false;
}

}  // namespace cuescope
