#include "ui/layouts.h"

#include <QApplication>
#include <QCursor>
#include <QDataStream>
#include <QMouseEvent>
#include <QSplitter>
#include <algorithm>
#include <vector>

#include "ui/panels/panel.h"

namespace cuescope {
namespace {

constexpr quint32 kMagic = 0x43554c59;  // CULY
constexpr quint16 kVersion = 1;

// Places in the order of the splitters: which panel lies where. Floating panels have none.
std::vector<Panel*> placed(const QWidget* page) {
  std::vector<Panel*> out;
  for (const QSplitter* splitter : page->findChildren<QSplitter*>())
    for (int i = 0; i < splitter->count(); ++i)
      if (auto* panel = qobject_cast<Panel*>(splitter->widget(i))) out.push_back(panel);
  return out;
}

// A floating panel is the window's child, not the page's; it is known by where it came from.
std::vector<Panel*> panelsOf(const QWidget* page) {
  std::vector<Panel*> out;
  for (Panel* panel : page->window()->findChildren<Panel*>())
    if (page->isAncestorOf(panel) || (panel->isFloating() && panel->home() && (panel->home() == page || page->isAncestorOf(panel->home())))) out.push_back(panel);
  std::sort(out.begin(), out.end(), [](const Panel* a, const Panel* b) { return a->objectName() < b->objectName(); });
  return out;
}

}  // namespace

QByteArray layoutOf(const QWidget* page) {
  QByteArray bytes;
  QDataStream out(&bytes, QIODevice::WriteOnly);
  out.setVersion(QDataStream::Qt_6_4);
  const auto splitters = page->findChildren<QSplitter*>();
  out << kMagic << kVersion << qint32(splitters.size());
  for (const QSplitter* splitter : splitters) out << splitter->saveState();
  const auto places = placed(page);
  out << qint32(places.size());
  for (const Panel* panel : places) out << panel->objectName();
  const auto panels = panelsOf(page);
  out << qint32(panels.size());
  for (const Panel* panel : panels) out << panel->objectName() << !panel->isHidden() << panel->isFloating() << (panel->isFloating() ? panel->saveGeometry() : QByteArray());
  return bytes;
}

bool applyLayout(QWidget* page, const QByteArray& layout) {
  QDataStream in(layout);
  in.setVersion(QDataStream::Qt_6_4);
  quint32 magic = 0;
  quint16 version = 0;
  qint32 count = 0;
  in >> magic >> version >> count;
  const auto splitters = page->findChildren<QSplitter*>();
  if (in.status() != QDataStream::Ok || magic != kMagic || version != kVersion || count != splitters.size()) return false;
  QList<QByteArray> sizes;
  for (int i = 0; i < count; ++i) {
    QByteArray one;
    in >> one;
    sizes << one;
  }
  QStringList places;
  in >> count;
  if (in.status() != QDataStream::Ok || count < 0 || count > 200) return false;
  for (int i = 0; i < count; ++i) {
    QString name;
    in >> name;
    places << name;
  }
  struct Kept {
    bool shown = true, floating = false;
    QByteArray geometry;
  };
  QHash<QString, Kept> kept;
  in >> count;
  if (in.status() != QDataStream::Ok || count < 0 || count > 200) return false;
  for (int i = 0; i < count; ++i) {
    QString name;
    Kept one;
    in >> name >> one.shown >> one.floating >> one.geometry;
    kept.insert(name, one);
  }
  if (in.status() != QDataStream::Ok) return false;

  const auto panels = panelsOf(page);
  for (Panel* panel : panels) panel->setFloating(false);
  // The panels that lay in places then, in their order; one that floated takes what is left.
  for (int i = 0; i < places.size(); ++i) {
    const auto now = placed(page);
    if (i >= int(now.size())) break;
    const auto wanted = std::find_if(now.begin(), now.end(), [&](const Panel* p) { return p->objectName() == places[i]; });
    if (wanted != now.end() && int(wanted - now.begin()) > i) swapPanels(now[std::size_t(i)], *wanted);
  }
  for (int i = 0; i < splitters.size(); ++i) {
    splitters[i]->restoreState(sizes[i]);
    splitters[i]->setHandleWidth(1);
  }
  for (Panel* panel : panels) {
    const Kept one = kept.value(panel->objectName());
    if (one.floating) {
      panel->setFloating(true);
      panel->restoreGeometry(one.geometry);
    } else {
      panel->setVisible(one.shown);
    }
  }
  return true;
}

bool swapPanels(Panel* a, Panel* b) {
  auto* first = qobject_cast<QSplitter*>(a->parentWidget());
  auto* second = qobject_cast<QSplitter*>(b->parentWidget());
  if (a == b || !first || !second || a->isFloating() || b->isFloating()) return false;
  const QList<int> firstSizes = first->sizes(), secondSizes = second->sizes();
  const int i = first->indexOf(a), j = second->indexOf(b);
  const bool aShown = !a->isHidden(), bShown = !b->isHidden();
  auto* hold = new QWidget;
  first->replaceWidget(i, hold);
  second->replaceWidget(j, a);
  first->replaceWidget(i, b);
  delete hold;
  first->setSizes(firstSizes);
  second->setSizes(secondSizes);
  a->setVisible(aShown);
  b->setVisible(bShown);
  return true;
}

PanelMover::PanelMover(QWidget* window) : QObject(window), m_window(window) {
  qApp->installEventFilter(this);
}

Panel* PanelMover::panelAt(const QPoint& global) const {
  // Asked of the window, not of the screen: a part of the window may lie off every screen.
  const QWidget* over = QApplication::widgetAt(global);
  if (over && over->window() != m_window) return nullptr;
  for (QWidget* at = m_window->childAt(m_window->mapFromGlobal(global)); at; at = at->parentWidget())
    if (auto* panel = qobject_cast<Panel*>(at)) return panel;
  return nullptr;
}

bool PanelMover::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::MouseButtonPress: {
      auto* mouse = static_cast<QMouseEvent*>(event);
      auto* tabs = qobject_cast<PanelTabs*>(watched);
      if (!tabs || tabs->window() != m_window || mouse->button() != Qt::LeftButton) break;
      m_dragged = nullptr;
      m_pressed = mouse->globalPosition().toPoint();
      m_moving = false;
      for (QWidget* at = tabs; at && !m_dragged; at = at->parentWidget()) m_dragged = qobject_cast<Panel*>(at);
      if (m_dragged && m_dragged->isFloating()) m_dragged = nullptr;
      break;
    }
    case QEvent::MouseMove: {
      if (!m_dragged || !qobject_cast<PanelTabs*>(watched)) break;
      const QPoint at = static_cast<QMouseEvent*>(event)->globalPosition().toPoint();
      if (!m_moving && (at - m_pressed).manhattanLength() >= QApplication::startDragDistance()) {
        m_moving = true;
        QApplication::setOverrideCursor(Qt::ClosedHandCursor);
      }
      return m_moving;
    }
    case QEvent::MouseButtonRelease: {
      if (!m_dragged || !qobject_cast<PanelTabs*>(watched)) break;
      Panel* panel = m_dragged;
      m_dragged = nullptr;
      if (!m_moving) break;
      m_moving = false;
      QApplication::restoreOverrideCursor();
      Panel* target = panelAt(static_cast<QMouseEvent*>(event)->globalPosition().toPoint());
      if (target && target != panel) swapPanels(panel, target);
      return true;
    }
    default: break;
  }
  return QObject::eventFilter(watched, event);
}

}  // namespace cuescope
