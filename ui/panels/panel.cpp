#include "ui/panels/panel.h"

#include <QCloseEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QSplitter>
#include <QStackedLayout>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/layouts.h"
#include "ui/panels/panel_tabs.h"
#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {

constexpr int kHeadHeight = 26;  // 24 and the line on both sides
constexpr int kBarHeight = 30;

}  // namespace

Strip::Strip(int height, Ground ground, QWidget* parent) : QWidget(parent), m_ground(ground), m_row(new QHBoxLayout(this)) {
  setFixedHeight(height);
  m_row->setContentsMargins(8, 0, 8, 0);
  m_row->setSpacing(8);
}

void Strip::giveWay(QWidget* widget, int order) {
  m_parts.push_back({widget, order, !widget->isHidden()});
  std::stable_sort(m_parts.begin(), m_parts.end(), [](const Part& a, const Part& b) { return a.order < b.order; });
  fit();
}

void Strip::setMore(QWidget* more) {
  m_more = more;
  m_more->hide();
  fit();
}

int Strip::widthWithout(std::size_t gone, bool more, bool squeezed) const {
  const QMargins margins = m_row->contentsMargins();
  int width = margins.left() + margins.right(), shown = 0;
  for (int i = 0; i < m_row->count(); ++i) {
    QLayoutItem* item = m_row->itemAt(i);
    QWidget* widget = item->widget();
    if (!widget) {
      width += item->minimumSize().width();
      continue;
    }
    if (widget == m_more && !more) continue;
    const auto part = std::find_if(m_parts.begin(), m_parts.end(), [&](const Part& each) { return each.widget == widget; });
    if (part == m_parts.end() ? widget != m_more && widget->isHidden() : std::size_t(part - m_parts.begin()) < gone) continue;
    const QSizePolicy::Policy policy = widget->sizePolicy().horizontalPolicy();
    // What can be squeezed is not, as long as something else can go.
    const bool whole = policy == QSizePolicy::Fixed || (!squeezed && policy == QSizePolicy::Preferred);
    const int least = policy == QSizePolicy::Ignored ? 0 : whole ? widget->sizeHint().width() : widget->minimumSizeHint().width();
    width += std::clamp(least, widget->minimumWidth(), std::max(widget->minimumWidth(), widget->maximumWidth()));
    width += shown++ > 0 ? m_row->spacing() : 0;
  }
  return width;
}

QSize Strip::minimumSizeHint() const {
  return {widthWithout(m_parts.size(), m_more != nullptr, true), height()};
}

// Only when the strip or what it holds changes its size: a value that changes in place does not come here.
void Strip::fit() {
  if (m_parts.empty()) return;
  std::size_t gone = 0;
  while (gone < m_parts.size() && widthWithout(gone, m_more && gone > 0, false) > width()) ++gone;
  bool changed = false;
  for (std::size_t i = 0; i < m_parts.size(); ++i) {
    Part& part = m_parts[i];
    const bool show = i >= gone;
    if (!part.widget || part.shown == show) continue;
    part.shown = show;
    part.widget->setVisible(show);
    changed = true;
  }
  if (m_more) m_more->setVisible(gone > 0);
  if (changed) Q_EMIT gaveWay();
}

bool Strip::event(QEvent* event) {
  if (event->type() == QEvent::LayoutRequest) fit();
  return QWidget::event(event);
}

void Strip::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fit();
}

void Strip::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.fillRect(rect(), m_ground == Ground::Window ? c.window : m_ground == Ground::Panel ? c.panel : c.well);
  painter.fillRect(QRect(0, height() - 1, width(), 1), c.line);
}

Panel::Panel(const QString& name, const QString& title, QWidget* content, QWidget* parent) : QWidget(parent) {
  setObjectName(name);
  setAttribute(Qt::WA_OpaquePaintEvent);  // nothing behind it is painted first
  m_column = new QVBoxLayout(this);
  m_column->setContentsMargins(0, 0, 0, 0);
  m_column->setSpacing(0);
  auto* head = new Strip(kHeadHeight, Strip::Ground::Window, this);
  m_headRow = head->row();
  m_headRow->setContentsMargins(0, 0, 4, 1);
  m_tabs = new PanelTabs(head);
  m_note = new ElidedLabel({}, head);
  m_note->setTone(ElidedLabel::Tone::Text3);
  m_note->setPixelSize(11);
  m_note->setAlignment(Qt::AlignRight);
  m_note->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  m_headRow->addWidget(m_tabs);
  m_headRow->addWidget(m_note, 1);
  const auto button = [&](Icon shape, const QString& tip) {
    auto* b = new QToolButton(head);
    b->setIcon(icon(shape));
    b->setAutoRaise(true);
    b->setFixedSize(22, 22);
    b->setToolTip(tip);
    b->setAccessibleName(tip);
    b->setFocusPolicy(Qt::TabFocus);
    m_headRow->addWidget(b);
    return b;
  };
  m_headRow->setSpacing(2);
  m_float = button(Icon::Float, tr("Move «%1» into a window of its own").arg(title));
  connect(m_float, &QToolButton::clicked, this, [this] { setFloating(!m_floating); });
  m_close = button(Icon::Close, tr("Close «%1»; Window brings it back").arg(title));
  connect(m_close, &QToolButton::clicked, this, [this] { setClosed(true); });
  m_stack = new QStackedWidget(this);
  m_column->addWidget(head);
  m_column->addWidget(m_stack, 1);
  connect(m_tabs, &PanelTabs::currentChanged, this, [this](int index) {
    const Shown chosen = m_shown[std::size_t(index)];
    const bool focused = m_tabs->hasFocus();
    chosen.panel->setCurrentTab(chosen.inner);
    chosen.panel->bringToFront();
    if (focused && chosen.panel != this) chosen.panel->tabs()->setFocus(Qt::TabFocusReason);
  });
  connect(m_stack, &QStackedWidget::currentChanged, this, &Panel::tabChanged);
  addTab(title, content);
}

int Panel::addTab(const QString& title, QWidget* content) {
  m_titles << title;
  const int index = m_stack->addWidget(content);
  refreshTabs();
  return index;
}

void Panel::setCurrentTab(int index) {
  m_stack->setCurrentIndex(index);
  refreshTabs();
}

int Panel::currentTab() const {
  return m_stack->currentIndex();
}

PanelStack* Panel::stack() const {
  return qobject_cast<PanelStack*>(parentWidget());
}

void Panel::refreshTabs() {
  QStringList titles;
  int current = 0;
  m_shown.clear();
  const QList<Panel*> all = stack() ? stack()->panels() : QList<Panel*>{this};
  for (Panel* panel : all) {
    if (panel != this && panel->m_closed) continue;
    for (int i = 0; i < panel->m_titles.size(); ++i) {
      if (panel == this && i == panel->currentTab()) current = int(titles.size());
      titles << panel->m_titles[i];
      m_shown.push_back({panel, i});
    }
  }
  m_tabs->setTitles(titles, current);
  placeBar();
}

void Panel::setNote(const QString& note) {
  m_note->setText(note);
}

void Panel::addToHead(QWidget* widget) {
  m_headRow->insertWidget(m_headRow->indexOf(m_note), widget);
}

void Panel::setBar(QWidget* bar) {
  m_bar = bar;
  m_barStrip = new Strip(kBarHeight, Strip::Ground::Panel, this);
  m_barStrip->row()->setContentsMargins(8, 0, 8, 0);
  m_column->insertWidget(1, m_barStrip);
  m_barInHead = true;
  m_headRow->insertWidget(m_headRow->indexOf(m_note), m_bar, 1000);
  m_barStrip->hide();
  placeBar();
}

// Beside the title where all of it has its room, else in a row of its own.
void Panel::placeBar() {
  if (!m_bar) return;
  const int taken = m_tabs->sizeHint().width() + 2 * 24 + 24;
  const bool inHead = m_shown.size() == 1 && width() - taken >= m_bar->minimumSizeHint().width();
  if (inHead == m_barInHead) return;
  m_barInHead = inHead;
  if (inHead) m_headRow->insertWidget(m_headRow->indexOf(m_note), m_bar, 1000);
  else m_barStrip->row()->addWidget(m_bar, 1);
  m_barStrip->setVisible(!inHead);
}

void Panel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  placeBar();
}

void Panel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!event->spontaneous()) Q_EMIT cameToFront();
}

bool Panel::isClosed() const {
  return m_floating ? false : stack() ? m_closed : isHidden();
}

void Panel::setClosed(bool closed) {
  if (closed && m_floating) setFloating(false);
  m_closed = closed;
  if (PanelStack* shared = stack()) shared->refresh();
  else setVisible(!closed);
  hideEmptySplitters(parentWidget());
  if (closed) Q_EMIT this->closed();
}

void Panel::bringToFront() {
  if (m_floating) {
    show();
    raise();
    activateWindow();
    return;
  }
  m_closed = false;
  if (PanelStack* shared = stack()) shared->setCurrent(this);
  else show();
  hideEmptySplitters(parentWidget());
}

QWidget* Panel::page() const {
  for (QWidget* at = m_floating ? m_home.data() : parentWidget(); at; at = at->parentWidget())
    if (isMarkedPage(at)) return at;
  return nullptr;
}

void Panel::setFloating(bool floating) {
  if (floating == m_floating) return;
  if (floating) {
    const QSize was = size();
    QWidget* place = parentWidget();
    auto* splitter = qobject_cast<QSplitter*>(place);
    PanelStack* shared = stack();
    m_home = place;
    m_homeIndex = splitter ? splitter->indexOf(this) : shared ? shared->indexOf(this) : -1;
    m_floating = true;
    m_closed = false;
    QWidget* top = window();
    if (shared) shared->take(this);
    setParent(top, Qt::Window);
    setWindowTitle(title());
    resize(was.expandedTo({420, 260}));
    hideEmptySplitters(place);
  } else {
    QWidget* place = m_home;
    forgetFloating();
    if (auto* splitter = qobject_cast<QSplitter*>(place)) splitter->insertWidget(std::min(m_homeIndex, splitter->count()), this);
    else if (auto* shared = qobject_cast<PanelStack*>(place)) shared->insert(m_homeIndex, this);
    else setParent(place);
    if (auto* shared = stack()) shared->setCurrent(this);
    hideEmptySplitters(place);
  }
  m_float->setToolTip(floating ? tr("Put «%1» back into its place").arg(m_titles.value(0)) : tr("Move «%1» into a window of its own").arg(m_titles.value(0)));
  m_float->setAccessibleName(m_float->toolTip());
  refreshTabs();
  show();
}

void Panel::forgetFloating() {
  if (!m_floating) return;
  m_floating = false;
  setWindowFlags(Qt::Widget);
  m_float->setToolTip(tr("Move «%1» into a window of its own").arg(m_titles.value(0)));
  m_float->setAccessibleName(m_float->toolTip());
}

void Panel::paintEvent(QPaintEvent*) {
  QPainter(this).fillRect(rect(), colors().panel);
}

void Panel::closeEvent(QCloseEvent* event) {
  if (m_floating) {
    event->ignore();
    setFloating(false);
  }
}

PanelStack::PanelStack(const QList<Panel*>& panels, QWidget* parent) : QWidget(parent), m_layout(new QStackedLayout(this)) {
  m_layout->setContentsMargins(0, 0, 0, 0);
  for (Panel* panel : panels) m_layout->addWidget(panel);
  refresh();
}

int PanelStack::count() const {
  return m_layout->count();
}

int PanelStack::indexOf(const QWidget* panel) const {
  return m_layout->indexOf(const_cast<QWidget*>(panel));
}

QList<Panel*> PanelStack::panels() const {
  QList<Panel*> all;
  for (int i = 0; i < m_layout->count(); ++i)
    if (auto* panel = qobject_cast<Panel*>(m_layout->widget(i))) all << panel;
  return all;
}

void PanelStack::insert(int index, QWidget* panel) {
  m_layout->insertWidget(index < 0 || index > m_layout->count() ? m_layout->count() : index, panel);
  refresh();
}

void PanelStack::take(QWidget* panel) {
  m_layout->removeWidget(panel);
  panel->setParent(nullptr);
  if (auto* own = qobject_cast<Panel*>(panel)) own->refreshTabs();
  refresh();
}

Panel* PanelStack::current() const {
  return qobject_cast<Panel*>(m_layout->currentWidget());
}

void PanelStack::setCurrent(Panel* panel) {
  m_layout->setCurrentWidget(panel);
  refresh();
}

void PanelStack::refresh() {
  const QList<Panel*> all = panels();
  Panel* shown = current();
  if (!shown || shown->isClosed()) {
    const int from = std::max(0, int(all.indexOf(shown)));
    shown = nullptr;
    for (qsizetype i = 0; i < all.size() && !shown; ++i)
      if (Panel* next = all[(from + i) % all.size()]; !next->isClosed()) shown = next;
    if (shown) m_layout->setCurrentWidget(shown);
  }
  // A layout whose shown widget is closed still shows it: the flag alone knows better.
  for (Panel* panel : all) panel->setVisible(panel == shown);
  if (parentWidget() || !shown) setVisible(shown != nullptr);  // without a parent it would be a window
  for (Panel* panel : all) panel->refreshTabs();
}

void hideEmptySplitters(QWidget* from) {
  for (QWidget* at = from; at; at = at->parentWidget()) {
    if (qobject_cast<PanelStack*>(at)) continue;
    auto* splitter = qobject_cast<QSplitter*>(at);
    if (!splitter || !qobject_cast<QSplitter*>(splitter->parentWidget())) return;  // a page's own splitter stays
    bool something = false;
    for (int i = 0; i < splitter->count(); ++i) something = something || !splitter->widget(i)->isHidden();
    splitter->setVisible(something);
  }
}

}  // namespace cuescope
