#include "ui/panel_mover.h"

#include <QApplication>
#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

#include "ui/panels/panel.h"
#include "ui/panels/panel_tabs.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr int kHead = 26;
const DropZone kParts[] = {DropZone::Swap, DropZone::Left, DropZone::Right, DropZone::Above, DropZone::Below, DropZone::Tab};

/// How far an edge's zone reaches into the panel.
int reach(int length) {
  return std::clamp(length / 4, std::min(16, length / 3), 120);
}

}  // namespace

DropZones::DropZones(QWidget* window) : QWidget(window) {
  setAttribute(Qt::WA_TransparentForMouseEvents);
  setAttribute(Qt::WA_NoSystemBackground);
  setFocusPolicy(Qt::NoFocus);
  hide();
}

DropZone DropZones::zoneAt(const QRect& panel, const QPoint& at) {
  if (!panel.contains(at)) return DropZone::None;
  if (at.y() < panel.top() + kHead) return DropZone::Swap;
  const QRect body = panel.adjusted(0, kHead, 0, 0);
  const int x = reach(body.width()), y = reach(body.height());
  // The nearest edge within reach, as a share of its reach, so that corners have one answer.
  const std::pair<double, DropZone> edges[] = {{double(at.x() - body.left()) / x, DropZone::Left},
                                               {double(body.right() - at.x()) / x, DropZone::Right},
                                               {double(at.y() - body.top()) / y, DropZone::Above},
                                               {double(body.bottom() - at.y()) / y, DropZone::Below}};
  const auto nearest = *std::min_element(std::begin(edges), std::end(edges), [](const auto& a, const auto& b) { return a.first < b.first; });
  return nearest.first < 1 ? nearest.second : DropZone::Tab;
}

QRect DropZones::part(const QRect& panel, DropZone zone) {
  const QRect body = panel.adjusted(0, kHead, 0, 0);
  const int x = reach(body.width()), y = reach(body.height());
  switch (zone) {
    case DropZone::Swap: return QRect(panel.topLeft(), QSize(panel.width(), kHead));
    case DropZone::Left: return QRect(body.left(), body.top(), x, body.height());
    case DropZone::Right: return QRect(body.right() - x + 1, body.top(), x, body.height());
    case DropZone::Above: return QRect(body.left() + x, body.top(), body.width() - 2 * x, y);
    case DropZone::Below: return QRect(body.left() + x, body.bottom() - y + 1, body.width() - 2 * x, y);
    case DropZone::Tab: return body.adjusted(x, y, -x, -y);
    case DropZone::None: break;
  }
  return {};
}

void DropZones::showZone(const QRect& panel, DropZone zone, const QString& words) {
  if (isVisible() && panel == m_panel && zone == m_zone) return;
  m_panel = panel;
  m_zone = zone;
  m_words = words;
  setGeometry(parentWidget()->rect());
  show();
  raise();
  update();
}

void DropZones::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  QColor veil = c.window;
  veil.setAlpha(120);
  painter.fillRect(m_panel, veil);
  for (const DropZone zone : kParts) {
    const QRect r = part(m_panel, zone).adjusted(3, 3, -4, -4);
    if (r.width() < 4 || r.height() < 4) continue;
    if (zone == m_zone) {
      QColor fill = c.control;
      fill.setAlpha(110);
      painter.fillRect(r, fill);
      painter.setPen(QPen(c.control, 2));
    } else {
      painter.setPen(QPen(c.control, 1, Qt::DashLine));
    }
    painter.drawRect(r);
  }
  if (m_words.isEmpty()) return;
  // What the drop does, in words: the zones' places alone would be a riddle in a small panel.
  painter.setFont(uiFont(12, QFont::Medium));
  const QFontMetrics metrics(painter.font());
  const QString words = metrics.elidedText(m_words, Qt::ElideRight, std::max(60, width() - 24));
  QRect label(0, 0, metrics.horizontalAdvance(words) + 16, 24);
  label.moveCenter(m_panel.adjusted(0, kHead, 0, 0).center());
  label.moveLeft(std::clamp(label.left(), 4, std::max(4, width() - label.width() - 4)));
  painter.fillRect(label, c.raised);
  painter.setPen(c.control);
  painter.drawRect(label.adjusted(0, 0, -1, -1));
  painter.setPen(c.text);
  painter.drawText(label, Qt::AlignCenter, words);
}

PanelMover::PanelMover(QWidget* window) : QObject(window), m_window(window), m_zones(new DropZones(window)) {
  qApp->installEventFilter(this);
}

Panel* PanelMover::panelAt(const QPoint& global) const {
  // Asked of the window, not of the screen: a part of the window may lie off every screen.
  const QWidget* over = QApplication::widgetAt(global);
  if (over && over->window() != m_window && !(m_dragged && over->window() == m_dragged->window())) return nullptr;
  for (QWidget* at = m_window->childAt(m_window->mapFromGlobal(global)); at; at = at->parentWidget())
    if (auto* panel = qobject_cast<Panel*>(at)) return panel;
  return nullptr;
}

void PanelMover::dragTo(const QPoint& global) {
  Panel* target = panelAt(global);
  m_target = target && m_dragged && target->page() == m_dragged->page() ? target : nullptr;
  if (!m_target) {
    m_zones->hide();
    return;
  }
  const QRect place(m_target->mapTo(m_window, QPoint()), m_target->size());
  DropZone zone = DropZones::zoneAt(place, m_window->mapFromGlobal(global));
  const bool own = m_target == m_dragged || (m_dragged->stack() && m_target->stack() == m_dragged->stack());
  // Beside the panels whose tab it is now, it may be taken out; it is a tab there already, and has no place to exchange.
  if (own && (zone == DropZone::Tab || zone == DropZone::Swap || !m_dragged->stack() || m_dragged->stack()->count() < 2)) zone = DropZone::None;
  m_zones->showZone(place, zone, zoneWords(zone, m_target));
  m_zones->setVisible(zone != DropZone::None);
}

void PanelMover::drop(const QPoint& global) {
  dragTo(global);
  const QPointer<Panel> panel = m_dragged, target = m_target;
  const DropZone zone = m_zones->isVisible() ? m_zones->zone() : DropZone::None;
  letGo();
  if (!panel) return;
  if (target && zone != DropZone::None) {
    if (movePanel(panel, target, zone)) Q_EMIT moved();
  } else if (!panel->isFloating() && !m_window->rect().contains(m_window->mapFromGlobal(global))) {
    panel->setFloating(true);
    panel->move(global - QPoint(40, 10));
    Q_EMIT moved();
  }
}

void PanelMover::letGo() {
  m_dragged = nullptr;
  m_target = nullptr;
  m_zones->hide();
  if (m_moving) QApplication::restoreOverrideCursor();
  m_moving = false;
}

bool PanelMover::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::MouseButtonPress: {
      auto* tabs = qobject_cast<PanelTabs*>(watched);
      auto* mouse = static_cast<QMouseEvent*>(event);
      if (!tabs || mouse->button() != Qt::LeftButton) break;
      letGo();
      Panel* holder = nullptr;
      for (QWidget* at = tabs; at && !holder; at = at->parentWidget()) holder = qobject_cast<Panel*>(at);
      if (!holder || (holder->window() != m_window && holder->window()->parentWidget() != m_window)) break;
      m_dragged = holder->panelOfTab(tabs->tabAt(mouse->position().toPoint()));
      m_pressed = mouse->globalPosition().toPoint();
      break;
    }
    case QEvent::MouseMove: {
      if (!m_dragged || !watched->isWidgetType()) break;
      auto* mouse = static_cast<QMouseEvent*>(event);
      if (!(mouse->buttons() & Qt::LeftButton)) {
        letGo();
        break;
      }
      const QPoint at = mouse->globalPosition().toPoint();
      if (!m_moving && (at - m_pressed).manhattanLength() >= QApplication::startDragDistance()) {
        m_moving = true;
        QApplication::setOverrideCursor(Qt::ClosedHandCursor);
      }
      if (m_moving) dragTo(at);
      return m_moving;
    }
    case QEvent::MouseButtonRelease: {
      if (!m_dragged || !watched->isWidgetType()) break;
      if (!m_moving) {
        m_dragged = nullptr;
        break;
      }
      drop(static_cast<QMouseEvent*>(event)->globalPosition().toPoint());
      return true;
    }
    case QEvent::ShortcutOverride:
    case QEvent::KeyPress:
      if (m_moving && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        letGo();
        event->accept();
        return true;
      }
      break;
    case QEvent::ContextMenu: {
      auto* tabs = qobject_cast<PanelTabs*>(watched);
      if (!tabs) break;
      auto* context = static_cast<QContextMenuEvent*>(event);
      Panel* holder = nullptr;
      for (QWidget* at = tabs; at && !holder; at = at->parentWidget()) holder = qobject_cast<Panel*>(at);
      if (!holder || (holder->window() != m_window && holder->window()->parentWidget() != m_window)) break;
      const int tab = tabs->tabAt(context->pos());
      Panel* panel = tab >= 0 ? holder->panelOfTab(tab) : holder;
      QMenu menu(tabs);
      menu.addAction(tr("Move %1 …").arg(panel->titles().value(0)), this, [this, panel] { Q_EMIT moveRequested(panel); });
      menu.addAction(panel->isFloating() ? tr("Put back") : tr("Window of its own"), panel, [panel] { panel->setFloating(!panel->isFloating()); });
      menu.addAction(tr("Close"), panel, [panel] { panel->setClosed(true); });
      menu.exec(context->globalPos());
      return true;
    }
    default: break;
  }
  return QObject::eventFilter(watched, event);
}

std::vector<PanelMover::Move> PanelMover::movesOf(Panel* panel) {
  std::vector<Move> moves;
  QWidget* page = panel->page();
  if (!page) return moves;
  const QPointer<Panel> moved(panel);
  for (Panel* target : panelsOf(page)) {
    if (target->isFloating() || target->isClosed()) continue;
    const bool own = target == panel || (panel->stack() && target->stack() == panel->stack());
    if (own && target != panel) continue;  // beside the tabs it shares a place with: said once, of itself
    if (own && (!panel->stack() || panel->stack()->count() < 2)) continue;
    for (const DropZone zone : kParts) {
      if (own && (zone == DropZone::Tab || zone == DropZone::Swap)) continue;
      if (zone == DropZone::Swap && panel->isFloating()) continue;
      const QString words = own ? tr("out of its tabs: %1").arg(zone == DropZone::Left ? tr("left") : zone == DropZone::Right ? tr("right") : zone == DropZone::Above ? tr("above") : tr("below")) : zoneWords(zone, target);
      moves.push_back({words, [moved, to = QPointer<Panel>(target), zone] { return moved && to && movePanel(moved, to, zone); }});
    }
  }
  moves.push_back({panel->isFloating() ? tr("back into its place") : tr("into a window of its own"), [moved] {
                     if (moved) moved->setFloating(!moved->isFloating());
                     return moved != nullptr;
                   }});
  return moves;
}

Panel* PanelMover::focusedPanel() {
  for (QWidget* at = QApplication::focusWidget(); at; at = at->parentWidget())
    if (auto* panel = qobject_cast<Panel*>(at)) return panel;
  return nullptr;
}

}  // namespace cuescope
