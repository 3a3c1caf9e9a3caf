#include "ui/panels/panel_tabs.h"

#include <QFocusEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QPainter>
#include <algorithm>

#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr int kHeight = 25;  // 24 and the line above
constexpr int kMore = 24;    // the cell that opens the menu
}  // namespace

PanelTabs::PanelTabs(QWidget* parent) : QWidget(parent) {
  setFixedHeight(kHeight);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

int PanelTabs::headHeight() {
  return kHeight;
}

void PanelTabs::setTitles(const QStringList& titles, int current) {
  if (titles == m_titles && current == m_current) return;
  const bool resized = titles != m_titles;
  m_titles = titles;
  m_current = current;
  setFocusPolicy(titles.size() > 1 ? Qt::StrongFocus : Qt::NoFocus);
  setAccessibleName(titles.size() > 1 ? tr("%1, tab %2 of %3").arg(titles.value(current)).arg(current + 1).arg(titles.size()) : titles.value(0));
  if (resized) updateGeometry();
  arrange();
  update();
}

void PanelTabs::setCurrent(int index) {
  if (index == m_current || index < 0 || index >= m_titles.size()) return;
  setTitles(m_titles, index);
  Q_EMIT currentChanged(index);
}

int PanelTabs::widthOf(int index) const {
  return qRound(wordsWidth(uiFont(12, QFont::DemiBold), m_titles[index])) + 20;
}

QSize PanelTabs::sizeHint() const {
  int width = 0;
  for (int i = 0; i < m_titles.size(); ++i) width += widthOf(i);
  return {width, kHeight};
}

QSize PanelTabs::minimumSizeHint() const {
  int widest = 0;
  for (int i = 0; i < m_titles.size(); ++i) widest = std::max(widest, widthOf(i));
  return {std::min(sizeHint().width(), widest + (m_titles.size() > 1 ? kMore : 0)), kHeight};
}

// As many tabs from the left as fit; a current one that would not be among them takes the last place.
void PanelTabs::arrange() {
  m_places.assign(std::size_t(m_titles.size()), QRect());
  m_more = sizeHint().width() > width() && m_titles.size() > 1;
  const int room = width() - (m_more ? kMore : 0);
  std::vector<int> shown;
  int used = 0;
  for (int i = 0; i < m_titles.size(); ++i) {
    if (m_more && used + widthOf(i) > room) break;
    used += widthOf(i);
    shown.push_back(i);
  }
  if (!m_titles.isEmpty() && std::find(shown.begin(), shown.end(), m_current) == shown.end() && m_current < m_titles.size()) {
    while (!shown.empty() && used + widthOf(m_current) > room) {
      used -= widthOf(shown.back());
      shown.pop_back();
    }
    shown.push_back(m_current);
  }
  int x = 0;
  for (const int i : shown) {
    const int w = std::min(widthOf(i), std::max(0, room - x));
    m_places[std::size_t(i)] = QRect(x, 0, w, kHeight);
    x += w;
  }
}

QRect PanelTabs::tab(int index) const {
  return index < 0 || index >= int(m_places.size()) ? QRect() : m_places[std::size_t(index)];
}

int PanelTabs::tabAt(const QPoint& position) const {
  for (int i = 0; i < int(m_places.size()); ++i)
    if (m_places[std::size_t(i)].contains(position)) return i;
  return -1;
}

QRect PanelTabs::moreRect() const {
  int right = 0;
  for (const QRect& place : m_places) right = std::max(right, place.right() + 1);
  return m_more ? QRect(right, 0, kMore, kHeight) : QRect();
}

void PanelTabs::openMore() {
  QMenu menu(this);
  for (int i = 0; i < m_titles.size(); ++i) {
    QAction* action = menu.addAction(m_titles[i]);
    action->setCheckable(true);
    action->setChecked(i == m_current);
    connect(action, &QAction::triggered, this, [this, i] { setCurrent(i); });
  }
  menu.exec(mapToGlobal(moreRect().bottomLeft()));
}

void PanelTabs::resizeEvent(QResizeEvent*) {
  arrange();
}

void PanelTabs::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  const bool tabs = m_titles.size() > 1;
  for (int i = 0; i < m_titles.size(); ++i) {
    const QRect r = m_places[std::size_t(i)];
    if (r.isEmpty()) continue;
    const bool on = i == m_current;
    if (tabs && on) {
      painter.fillRect(r.adjusted(0, 0, 0, 1), c.panel);
      painter.fillRect(QRect(r.left(), 0, r.width(), 2), c.accent);
    }
    painter.setFont(uiFont(12, on ? QFont::DemiBold : QFont::Normal));
    painter.setPen(on ? c.text : c.text2);
    const QRect room = r.adjusted(tabs ? 10 : 8, 0, -4, 0);
    paintWords(painter, room, Qt::AlignVCenter | Qt::AlignLeft, elidedWords(painter.font(), m_titles[i], Qt::ElideRight, room.width() + 4));
  }
  if (m_more) paintIcon(painter, QRectF(moreRect().x() + 4, kHeight / 2.0 - 8, 16, 16), Icon::More, c.text2);
  if (hasFocus() && m_keyFocus && tabs && m_current < m_titles.size()) paintFocusRing(painter, m_places[std::size_t(m_current)].adjusted(4, 4, -4, -4), c);
}

void PanelTabs::focusInEvent(QFocusEvent* event) {
  m_keyFocus = event->reason() == Qt::TabFocusReason || event->reason() == Qt::BacktabFocusReason || event->reason() == Qt::ShortcutFocusReason;
  QWidget::focusInEvent(event);
  update();
}

// The tab changes on release: until then the press may become a drag, and a tab that hid itself would lose the mouse.
void PanelTabs::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  m_pressed = -1;
  if (moreRect().contains(event->pos())) openMore();
  else m_pressed = tabAt(event->pos());
}

void PanelTabs::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  const int index = tabAt(event->pos());
  if (index >= 0 && index == m_pressed) setCurrent(index);
}

void PanelTabs::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Left) setCurrent(m_current - 1);
  else if (event->key() == Qt::Key_Right) setCurrent(m_current + 1);
  else QWidget::keyPressEvent(event);
}

}  // namespace cuescope
