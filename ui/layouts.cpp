#include "ui/layouts.h"

#include <QCoreApplication>
#include <QDataStream>
#include <QHash>
#include <QIODevice>
#include <QSplitter>
#include <QVariant>
#include <algorithm>
#include <functional>
#include <vector>

#include "ui/panels/panel.h"
#include "ui/roomy_page.h"

namespace cuescope {
namespace {

constexpr quint32 kMagic = 0x43554c59;  // CULY
constexpr quint16 kVersion = 2;         // 1 knew no tabs
constexpr int kDeepest = 24, kMost = 200;
const char* const kPage = "cuescopePage";
const char* const kPlace = "cuescopePlace";  // name of a splitter, or of a thing in one that never moves

QString placeName(const QWidget* widget) {
  return widget->property(kPlace).toString();
}

/// A place as it is stored: a splitter of the page (by name) or one that a person made, panels behind tabs, one panel, or a thing
/// that never moves.
struct Node {
  enum Kind : quint8 { Own, Made, Tabs, One, Thing } kind = One;
  QString name;         // Own, One, Thing; Tabs: the panel in front
  QStringList panels;   // Tabs
  qint32 orientation = Qt::Horizontal;  // Made, Own
  QList<int> sizes;     // Made, Own
  std::vector<Node> children;
};

QDataStream& operator<<(QDataStream& out, const Node& node) {
  out << quint8(node.kind) << node.name << node.panels << node.orientation << node.sizes << qint32(node.children.size());
  for (const Node& child : node.children) out << child;
  return out;
}

bool read(QDataStream& in, Node& node, int depth = 0) {
  quint8 kind = 0;
  qint32 children = 0;
  in >> kind >> node.name >> node.panels >> node.orientation >> node.sizes >> children;
  if (in.status() != QDataStream::Ok || kind > Node::Thing || depth > kDeepest || children < 0 || children > kMost || node.sizes.size() > kMost || node.panels.size() > kMost) return false;
  node.kind = Node::Kind(kind);
  node.children.resize(std::size_t(children));
  for (Node& child : node.children)
    if (!read(in, child, depth + 1)) return false;
  return true;
}

/// Panels that float and came from `place`, with where they lay in it.
void addFloating(const QWidget* place, const QList<Panel*>& all, const std::function<void(int, Panel*)>& add) {
  for (Panel* panel : all)
    if (panel->isFloating() && panel->home() == place) add(panel->homeIndex(), panel);
}

Node nodeOf(const QWidget* widget, const QList<Panel*>& all);

Node splitterNode(const QSplitter* splitter, const QList<Panel*>& all) {
  Node node;
  node.name = placeName(splitter);
  node.kind = node.name.isEmpty() ? Node::Made : Node::Own;
  node.orientation = splitter->orientation();
  node.sizes = splitter->sizes();
  for (int i = 0; i < splitter->count(); ++i) node.children.push_back(nodeOf(splitter->widget(i), all));
  addFloating(splitter, all, [&](int index, Panel* panel) {
    Node one;
    one.name = panel->objectName();
    const auto at = std::size_t(std::clamp(index, 0, int(node.children.size())));
    node.children.insert(node.children.begin() + std::ptrdiff_t(at), one);
    node.sizes.insert(qsizetype(at), 200);
  });
  return node;
}

Node nodeOf(const QWidget* widget, const QList<Panel*>& all) {
  Node node;
  if (auto* splitter = qobject_cast<const QSplitter*>(widget)) {
    node.name = placeName(splitter);
    if (node.name.isEmpty()) return splitterNode(splitter, all);
    node.kind = Node::Own;  // told by name here: what lies in it is its own entry
    return node;
  }
  if (auto* shared = qobject_cast<const PanelStack*>(widget)) {
    node.kind = Node::Tabs;
    for (const Panel* panel : shared->panels()) node.panels << panel->objectName();
    addFloating(shared, all, [&](int index, Panel* panel) { node.panels.insert(std::clamp<qsizetype>(index, 0, node.panels.size()), panel->objectName()); });
    if (const Panel* front = shared->current()) node.name = front->objectName();
    return node;
  }
  node.kind = qobject_cast<const Panel*>(widget) ? Node::One : Node::Thing;
  node.name = node.kind == Node::One ? widget->objectName() : placeName(widget);
  return node;
}

QList<QSplitter*> ownSplitters(const QWidget* page) {
  QList<QSplitter*> own;
  for (QSplitter* splitter : page->findChildren<QSplitter*>())
    if (!placeName(splitter).isEmpty()) own << splitter;
  std::sort(own.begin(), own.end(), [](const QSplitter* a, const QSplitter* b) { return placeName(a) < placeName(b); });
  return own;
}

void collectPanels(const Node& node, QStringList& names) {
  if (node.kind == Node::One) names << node.name;
  names << node.panels;
  for (const Node& child : node.children) collectPanels(child, names);
}

/// Takes a panel out of where it is: afterwards it has no parent.
void takeOut(Panel* panel) {
  panel->forgetFloating();
  if (PanelStack* shared = panel->stack()) shared->take(panel);
  else panel->setParent(nullptr);
  // Hidden behind a tab is not hidden by choice; and a splitter whose things are all hidden takes no room ever after.
  panel->setAttribute(Qt::WA_WState_ExplicitShowHide, false);
}

/// Is a floating panel waiting to come back here?
bool isAwaited(const QWidget* place, const QList<Panel*>& all) {
  return std::any_of(all.begin(), all.end(), [&](const Panel* panel) { return panel->isFloating() && panel->home() == place; });
}

/// Stacks of one panel become that panel, splitters that a person made and that hold one thing become that thing, empty ones go.
void tidy(QWidget* page) {
  const QList<Panel*> all = panelsOf(page);
  for (PanelStack* shared : page->findChildren<PanelStack*>()) {
    if (shared->count() > 1 || isAwaited(shared, all)) continue;
    auto* splitter = qobject_cast<QSplitter*>(shared->parentWidget());
    if (!splitter) continue;
    const QList<int> sizes = splitter->sizes();
    if (shared->count() == 1) {
      Panel* last = shared->panels().value(0);
      const bool open = last && !last->isClosed();
      const int index = splitter->indexOf(shared);
      if (last) {
        shared->take(last);
        splitter->replaceWidget(index, last);
        last->setVisible(open);
        last->refreshTabs();
        splitter->setSizes(sizes);
      }
    }
    shared->setParent(nullptr);
    shared->deleteLater();
  }
  for (bool again = true; again;) {
    again = false;
    for (QSplitter* splitter : page->findChildren<QSplitter*>()) {
      auto* parent = qobject_cast<QSplitter*>(splitter->parentWidget());
      if (!parent || !placeName(splitter).isEmpty() || splitter->count() > 1 || isAwaited(splitter, all)) continue;
      const QList<int> sizes = parent->sizes();
      const int index = parent->indexOf(splitter);
      if (splitter->count() == 1) {
        QWidget* last = splitter->widget(0);
        const bool hidden = last->isHidden();
        parent->replaceWidget(index, last);
        last->setVisible(!hidden);
        parent->setSizes(sizes);
      }
      splitter->setParent(nullptr);
      splitter->deleteLater();
      again = true;
      break;
    }
  }
}

/// Splitters of the page that hold nothing visible hide, from the innermost on.
void hideEmpty(QWidget* page) {
  for (QSplitter* splitter : page->findChildren<QSplitter*>()) hideEmptySplitters(splitter);
}

struct Builder {
  QHash<QString, Panel*> panels;
  QHash<QString, QSplitter*> own;
  QHash<QString, QWidget*> things;

  QWidget* build(const Node& node) {
    switch (node.kind) {
      case Node::One: return panels.value(node.name);
      case Node::Thing: return things.value(node.name);
      case Node::Own: return own.value(node.name);
      case Node::Tabs: {
        QList<Panel*> shared;
        for (const QString& name : node.panels)
          if (Panel* panel = panels.value(name)) shared << panel;
        if (shared.size() < 2) return shared.value(0);
        auto* stack = new PanelStack(shared);
        if (Panel* front = panels.value(node.name)) stack->setCurrent(front);
        return stack;
      }
      case Node::Made: {
        auto* splitter = madeSplitter(Qt::Orientation(node.orientation));
        fill(splitter, node);
        if (splitter->count() > 0) return splitter;
        delete splitter;
        return nullptr;
      }
    }
    return nullptr;
  }

  void fill(QSplitter* splitter, const Node& node) {
    int index = 0;
    for (const Node& child : node.children)
      if (QWidget* widget = build(child)) splitter->insertWidget(index++, widget);
  }

};

void sizeSplitter(QSplitter* splitter, const Node& node) {
  if (node.sizes.size() == splitter->count()) splitter->setSizes(node.sizes);
  splitter->setHandleWidth(1);
  std::size_t i = 0;
  for (const Node& child : node.children) {
    if (child.kind == Node::Made && int(i) < splitter->count())
      if (auto* made = qobject_cast<QSplitter*>(splitter->widget(int(i)))) sizeSplitter(made, child);
    ++i;
  }
}

void sizeOwn(const QWidget* page, const std::vector<Node>& nodes) {
  for (QSplitter* splitter : ownSplitters(page))
    for (const Node& node : nodes)
      if (node.name == placeName(splitter)) sizeSplitter(splitter, node);
}

/// What placesOf() wrote.
struct Places {
  struct Kept {
    bool closed = false, floating = false;
    QByteArray geometry;
  };
  std::vector<Node> nodes;
  QStringList named;  // the panels that have a place
  QHash<QString, Kept> kept;
};

bool readPlaces(const QByteArray& places, Places& to) {
  QDataStream in(places);
  in.setVersion(QDataStream::Qt_6_4);
  qint32 count = 0;
  in >> count;
  if (in.status() != QDataStream::Ok || count < 0 || count > kMost) return false;
  for (int i = 0; i < count; ++i) {
    Node node;
    if (!read(in, node) || node.kind != Node::Own) return false;
    collectPanels(node, to.named);
    to.nodes.push_back(std::move(node));
  }
  in >> count;
  if (in.status() != QDataStream::Ok || count < 0 || count > kMost) return false;
  for (int i = 0; i < count; ++i) {
    QString name;
    Places::Kept one;
    in >> name >> one.closed >> one.floating >> one.geometry;
    to.kept.insert(name, one);
  }
  QStringList once = to.named;
  return in.status() == QDataStream::Ok && in.atEnd() && once.removeDuplicates() == 0;  // a panel has one place
}

int heightStretch(const QWidget* widget) { return widget->sizePolicy().verticalStretch(); }

void setHeightStretch(QWidget* widget, int stretch) {
  QSizePolicy policy = widget->sizePolicy();
  policy.setVerticalStretch(stretch);
  widget->setSizePolicy(policy);
}

void handOnStretch(QSplitter* splitter) {
  int most = 0;
  for (int i = 0; i < splitter->count(); ++i) {
    QWidget* child = splitter->widget(i);
    if (auto* inner = qobject_cast<QSplitter*>(child)) handOnStretch(inner);
    if (auto* shared = qobject_cast<PanelStack*>(child)) {
      const auto panels = shared->panels();
      setHeightStretch(shared, !panels.isEmpty() && std::all_of(panels.begin(), panels.end(), [](const Panel* panel) { return heightStretch(panel) > 0; }));
    }
    most = std::max(most, heightStretch(child));
  }
  if (placeName(splitter).isEmpty()) setHeightStretch(splitter, most);  // a page's own has the page's word
}

}  // namespace

QSplitter* madeSplitter(Qt::Orientation orientation) {
  auto* splitter = new QSplitter(orientation);
  splitter->setHandleWidth(1);
  splitter->setChildrenCollapsible(false);
  return splitter;
}

void markPage(QWidget* page) {
  if (isMarkedPage(page)) return;
  page->setProperty(kPage, true);
  int s = 0;
  for (QSplitter* splitter : page->findChildren<QSplitter*>()) {
    splitter->setProperty(kPlace, QStringLiteral("s%1").arg(s, 2, 10, QLatin1Char('0')));
    for (int i = 0; i < splitter->count(); ++i)
      if (QWidget* child = splitter->widget(i); !qobject_cast<Panel*>(child) && !qobject_cast<PanelStack*>(child) && !qobject_cast<QSplitter*>(child))
        child->setProperty(kPlace, QStringLiteral("t%1.%2").arg(s).arg(i));
    ++s;
  }
}

bool isMarkedPage(const QWidget* widget) {
  return widget->property(kPage).toBool();
}

QList<Panel*> panelsOf(const QWidget* page) {
  QList<Panel*> all;
  for (Panel* panel : page->window()->findChildren<Panel*>())
    if (page->isAncestorOf(panel) || (panel->isFloating() && panel->home() && (panel->home() == page || page->isAncestorOf(panel->home())))) all << panel;
  std::sort(all.begin(), all.end(), [](const Panel* a, const Panel* b) { return a->objectName() < b->objectName(); });
  return all;
}

void takeOutPanels(QWidget* page) {
  for (Panel* panel : panelsOf(page)) takeOut(panel);
  tidy(page);
}

void orderFocus(QWidget* page) {
  std::vector<QWidget*> leaves;
  const std::function<void(QWidget*)> walk = [&](QWidget* at) {
    if (auto* splitter = qobject_cast<QSplitter*>(at)) {
      for (int i = 0; i < splitter->count(); ++i) walk(splitter->widget(i));
    } else if (auto* shared = qobject_cast<PanelStack*>(at)) {
      for (Panel* panel : shared->panels()) leaves.push_back(panel);
    } else {
      leaves.push_back(at);
    }
  };
  for (QSplitter* splitter : ownSplitters(page))
    if (!qobject_cast<QSplitter*>(splitter->parentWidget())) walk(splitter);
  QWidget* last = nullptr;
  for (QWidget* leaf : leaves) {
    std::vector<QWidget*> inside;
    for (QWidget* at = leaf->nextInFocusChain(); at && at != leaf; at = at->nextInFocusChain())
      if (leaf->isAncestorOf(at) && (at->focusPolicy() & Qt::TabFocus) && !at->focusProxy()) inside.push_back(at);
    for (QWidget* widget : inside) {
      if (last) QWidget::setTabOrder(last, widget);
      last = widget;
    }
  }
}

QByteArray placesOf(const QWidget* page) {
  QByteArray bytes;
  QDataStream out(&bytes, QIODevice::WriteOnly);
  out.setVersion(QDataStream::Qt_6_4);
  const QList<Panel*> all = panelsOf(page);
  const auto own = ownSplitters(page);
  out << qint32(own.size());
  for (const QSplitter* splitter : own) out << splitterNode(splitter, all);
  out << qint32(all.size());
  for (const Panel* panel : all) out << panel->objectName() << panel->isClosed() << panel->isFloating() << (panel->isFloating() ? panel->saveGeometry() : QByteArray());
  return bytes;
}

bool applyPlaces(QWidget* page, const QByteArray& places) {
  Places read;
  if (!readPlaces(places, read)) return false;
  const QList<Panel*> all = panelsOf(page);
  Builder builder;
  for (QSplitter* splitter : ownSplitters(page)) {
    builder.own.insert(placeName(splitter), splitter);
    for (int i = 0; i < splitter->count(); ++i)
      if (const QString name = placeName(splitter->widget(i)); !name.isEmpty()) builder.things.insert(name, splitter->widget(i));
  }
  for (Panel* panel : all)
    if (read.named.contains(panel->objectName())) {
      takeOut(panel);
      builder.panels.insert(panel->objectName(), panel);
    }
  tidy(page);
  for (const Node& node : read.nodes)
    if (QSplitter* splitter = builder.own.value(node.name)) builder.fill(splitter, node);
  stretchPanels(page);
  sizeOwn(page, read.nodes);
  const auto own = ownSplitters(page);
  for (Panel* panel : all) {
    if (!panel->parentWidget() && !own.isEmpty()) own.front()->addWidget(panel);  // its place is of another version of the page
    const Places::Kept one = read.kept.value(panel->objectName());
    if (!panel->stack()) panel->setVisible(true);
    if (one.floating) {
      panel->setFloating(true);
      panel->restoreGeometry(one.geometry);
    } else {
      panel->setClosed(one.closed);
    }
  }
  for (PanelStack* shared : page->findChildren<PanelStack*>()) shared->refresh();
  for (Panel* panel : all) panel->refreshTabs();
  hideEmpty(page);
  orderFocus(page);
  return true;
}

void applySizes(QWidget* page, const QByteArray& places) {
  if (Places read; readPlaces(places, read)) sizeOwn(page, read.nodes);
}

void growWithRoom(Panel* panel) { setHeightStretch(panel, 1); }

void stretchPanels(QWidget* page) {
  for (QSplitter* splitter : ownSplitters(page)) handOnStretch(splitter);
}

QByteArray layoutOf(const QWidget* page) {
  QByteArray bytes;
  QDataStream out(&bytes, QIODevice::WriteOnly);
  out.setVersion(QDataStream::Qt_6_4);
  const auto* roomy = dynamic_cast<const RoomyPage*>(page);
  QHash<int, QByteArray> rooms = roomy ? roomy->roomLayouts() : QHash<int, QByteArray>();
  rooms.insert(roomy ? roomy->room() : 0, roomy ? roomy->places() : placesOf(page));
  out << kMagic << kVersion << rooms;
  out << quint16(qChecksum(bytes));
  return bytes;
}

bool applyLayout(QWidget* page, const QByteArray& layout) {
  if (layout.size() < 8) return false;
  QDataStream in(layout);
  in.setVersion(QDataStream::Qt_6_4);
  quint32 magic = 0;
  quint16 version = 0, sum = 0;
  QHash<int, QByteArray> rooms;
  in >> magic >> version;
  if (magic != kMagic || version != kVersion) return false;
  if (qChecksum(QByteArrayView(layout).chopped(2)) != quint16((uchar(layout[layout.size() - 2]) << 8) | uchar(layout.back()))) return false;
  in >> rooms >> sum;
  if (in.status() != QDataStream::Ok) return false;
  auto* roomy = dynamic_cast<RoomyPage*>(page);
  const int room = roomy ? roomy->room() : 0;
  if (rooms.contains(room)) {
    if (roomy ? !roomy->restorePlaces(rooms.value(room)) : !applyPlaces(page, rooms.value(room))) return false;
  } else if (roomy) {
    roomy->defaultPlaces();  // nothing was done in a room of this size
  }
  if (roomy) {
    rooms.remove(room);
    roomy->setRoomLayouts(rooms);
  }
  return true;
}

bool swapPanels(Panel* a, Panel* b) {
  QWidget *first = a->parentWidget(), *second = b->parentWidget();
  if (a == b || !first || !second || a->isFloating() || b->isFloating() || a->page() != b->page()) return false;
  const auto sizesOf = [](QWidget* place) {
    auto* splitter = qobject_cast<QSplitter*>(place);
    return splitter ? splitter->sizes() : QList<int>();
  };
  const QList<int> firstSizes = sizesOf(first), secondSizes = sizesOf(second);
  const bool aClosed = a->isClosed(), bClosed = b->isClosed();
  const auto indexIn = [](QWidget* place, QWidget* panel) {
    if (auto* splitter = qobject_cast<QSplitter*>(place)) return splitter->indexOf(panel);
    if (auto* shared = qobject_cast<PanelStack*>(place)) return shared->indexOf(panel);
    return -1;
  };
  const int i = indexIn(first, a), j = indexIn(second, b);
  if (i < 0 || j < 0) return false;
  const bool aFront = a->isInFront(), bFront = b->isInFront();
  const auto put = [](QWidget* place, int index, Panel* panel) {
    if (auto* splitter = qobject_cast<QSplitter*>(place)) splitter->insertWidget(index, panel);
    else qobject_cast<PanelStack*>(place)->insert(index, panel);
  };
  // Out both, then back in the order of the places: a place counts what stands before it.
  takeOut(a);
  takeOut(b);
  if (first == second) {
    put(first, std::min(i, j), i < j ? b : a);
    put(first, std::max(i, j), i < j ? a : b);
  } else {
    put(first, i, b);
    put(second, j, a);
  }
  const auto settle = [](QWidget* place, const QList<int>& sizes) {
    if (auto* splitter = qobject_cast<QSplitter*>(place)) splitter->setSizes(sizes);
  };
  settle(first, firstSizes);
  settle(second, secondSizes);
  a->setClosed(aClosed);
  b->setClosed(bClosed);
  if (PanelStack* shared = b->stack(); shared && aFront && !bClosed) shared->setCurrent(b);
  if (PanelStack* shared = a->stack(); shared && bFront && !aClosed) shared->setCurrent(a);
  for (Panel* panel : {a, b}) panel->refreshTabs();
  if (QWidget* page = a->page()) {
    stretchPanels(page);
    orderFocus(page);
  }
  return true;
}

bool movePanel(Panel* panel, Panel* target, DropZone zone) {
  QWidget* page = panel->page();
  if (!page || page != target->page() || target->isFloating() || zone == DropZone::None) return false;
  if (zone == DropZone::Swap && !panel->isFloating()) return swapPanels(panel, target);
  if (zone == DropZone::Swap) zone = DropZone::Tab;  // a floating panel has no place to give
  const bool tab = zone == DropZone::Tab;
  if (panel == target && (tab || !panel->stack() || panel->stack()->count() < 2)) return false;  // it is there already
  if (tab && panel->stack() && panel->stack() == target->stack()) return false;
  QWidget* unit = target->stack() ? static_cast<QWidget*>(target->stack()) : target;
  takeOut(panel);
  auto* splitter = qobject_cast<QSplitter*>(unit->parentWidget());
  if (!splitter) return false;
  const QList<int> sizes = splitter->sizes();
  const int index = splitter->indexOf(unit);
  if (tab) {
    if (auto* shared = qobject_cast<PanelStack*>(unit)) {
      shared->insert(shared->indexOf(target) + 1, panel);
    } else {
      auto* made = new PanelStack;
      splitter->replaceWidget(index, made);
      made->insert(0, target);
      made->insert(1, panel);
      made->show();
      splitter->setSizes(sizes);
    }
  } else {
    const Qt::Orientation wanted = zone == DropZone::Left || zone == DropZone::Right ? Qt::Horizontal : Qt::Vertical;
    const int after = zone == DropZone::Right || zone == DropZone::Below ? 1 : 0;
    if (splitter->orientation() == wanted) {
      QList<int> halves = sizes;
      const int half = std::max(1, halves[index] / 2);
      halves[index] -= half;
      halves.insert(index + after, half);
      splitter->insertWidget(index + after, panel);
      panel->show();
      splitter->setSizes(halves);
    } else {
      const int room = wanted == Qt::Horizontal ? unit->width() : unit->height();
      QSplitter* made = madeSplitter(wanted);
      splitter->replaceWidget(index, made);
      made->addWidget(unit);
      made->insertWidget(after, panel);
      unit->show();
      panel->show();
      made->show();
      splitter->setSizes(sizes);
      made->setSizes({room / 2, room / 2});
    }
  }
  panel->setClosed(false);
  panel->bringToFront();
  panel->refreshTabs();
  tidy(page);
  stretchPanels(page);
  hideEmpty(page);
  orderFocus(page);
  return true;
}

QString zoneWords(DropZone zone, const Panel* target) {
  const auto words = [](const char* text) { return QCoreApplication::translate("PanelMover", text); };
  const QString name = target->titles().value(0);
  switch (zone) {
    case DropZone::Swap: return words("change places with %1").arg(name);
    case DropZone::Tab: return words("a tab beside %1").arg(name);
    case DropZone::Left: return words("left of %1").arg(name);
    case DropZone::Right: return words("right of %1").arg(name);
    case DropZone::Above: return words("above %1").arg(name);
    case DropZone::Below: return words("below %1").arg(name);
    case DropZone::None: break;
  }
  return {};
}

}  // namespace cuescope
