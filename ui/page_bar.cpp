#include "ui/page_bar.h"

#include <QFocusEvent>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QSignalBlocker>
#include <QToolButton>

#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr int kHeight = 34;
constexpr int kValueWidth = 150;
}  // namespace

SelectionCell::SelectionCell(const QString& caption, QWidget* parent) : QAbstractButton(parent), m_caption(caption) {
  setFocusPolicy(Qt::TabFocus);
  setFixedHeight(24);
  setValue({});
}

void SelectionCell::setValue(const QString& value) {
  const QString next = value.isEmpty() ? tr("none") : value;
  if (next == m_value) return;
  const QSize before = m_value.isEmpty() ? QSize() : sizeHint();
  m_value = next;
  setToolTip(tr("%1: %2").arg(m_caption, m_value));
  setAccessibleName(tr("%1 %2").arg(m_caption, m_value));
  if (sizeHint() != before) updateGeometry();
  update();
}

void SelectionCell::setDimmed(bool dimmed) {
  if (dimmed == m_dimmed) return;
  m_dimmed = dimmed;
  update();
}

QSize SelectionCell::sizeHint() const {
  const int value = std::min(kValueWidth, qRound(wordsWidth(monoFont(12, QFont::Medium), m_value)));
  return {qRound(wordsWidth(uiFont(11), m_caption)) + value + 21, 24};
}

void SelectionCell::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.fillRect(rect(), isDown() ? c.well : underMouse() ? c.hover : c.raised);
  painter.setPen(c.lineStrong);
  painter.drawRect(rect().adjusted(0, 0, 0, -1));
  painter.setFont(uiFont(11));
  const int caption = qRound(wordsWidth(painter.font(), m_caption));
  painter.setPen(m_dimmed ? c.text3 : c.text2);
  paintWords(painter, QRect(8, 0, caption, height()), Qt::AlignVCenter, m_caption);
  painter.setFont(monoFont(12, QFont::Medium));
  painter.setPen(m_dimmed || m_value == tr("none") ? c.text3 : c.text);
  const QRect room(8 + caption + 5, 0, width() - caption - 20, height());
  paintWords(painter, room, Qt::AlignVCenter, elidedWords(painter.font(), m_value, Qt::ElideMiddle, room.width()));
  if (hasFocus()) paintFocusRing(painter, QRectF(rect()).adjusted(3, 3, -3, -3), c);
}

PageBar::PageBar(const QStringList& pages, QWidget* parent) : Strip(kHeight, Ground::Window, parent), m_pages(pages) {
  setFocusPolicy(Qt::TabFocus);
  setAccessibleName(tr("Pages"));
  QHBoxLayout* row = this->row();
  row->setContentsMargins(tab(int(pages.size()) - 1).right() + 16, 0, 6, 0);
  row->setSpacing(0);
  row->addStretch(1);
  auto* title = new QLabel(tr("Selection"));
  title->setProperty("tone", "3");
  title->setFont(uiFont(11));
  title->setContentsMargins(0, 0, 8, 0);
  m_more = new QToolButton;
  m_more->setIcon(icon(Icon::More));
  m_more->setAutoRaise(true);
  m_more->setFixedSize(24, 24);
  m_more->setToolTip(tr("More of the selection"));
  m_more->setAccessibleName(tr("More of the selection"));
  m_more->setPopupMode(QToolButton::InstantPopup);
  auto* menu = new QMenu(m_more);
  m_more->setMenu(menu);
  row->addWidget(title);
  row->addWidget(m_more);
  const char* const captions[] = {"Run", "Step", "Sample", "Token", "Site", "Layer", "Head"};
  for (int i = 0; i < 7; ++i) {
    auto* cell = new SelectionCell(tr(captions[i]), this);
    connect(cell, &QAbstractButton::clicked, this, [this, i] { Q_EMIT partChosen(i); });
    row->addWidget(cell);
    m_cells.push_back(cell);
  }
  m_pin = new QToolButton(this);
  m_pin->setIcon(icon(Icon::Pin));
  m_pin->setCheckable(true);
  m_pin->setAutoRaise(true);
  m_pin->setToolTip(tr("Keep this page's selection to itself: what is chosen on other pages does not move it, nor the other way round"));
  m_pin->setAccessibleName(tr("Pin the selection"));
  row->addSpacing(6);
  row->addWidget(m_pin);
  connect(m_pin, &QToolButton::toggled, this, &PageBar::pinChanged);
  connect(menu, &QMenu::aboutToShow, this, [this, menu] {
    menu->clear();
    for (int i = 0; i < int(m_cells.size()); ++i)
      if (m_cells[std::size_t(i)]->isHidden()) connect(menu->addAction(m_cells[std::size_t(i)]->accessibleName()), &QAction::triggered, this, [this, i] { Q_EMIT partChosen(i); });
  });
  // The run is named by the navigator and the timeline, site, layer and head by the page: they go first.
  setMore(m_more);
  giveWay(title, 1);
  int order = 1;
  for (const int part : {0, 4, 2, 5, 6, 3, 1}) giveWay(m_cells[std::size_t(part)], ++order);
}

bool PageBar::pinned() const {
  return m_pin->isChecked();
}

void PageBar::setPinned(bool pinned) {
  const QSignalBlocker block(m_pin);
  m_pin->setChecked(pinned);
}

void PageBar::setPage(int page) {
  m_page = page;
  update();
}

QRect PageBar::tab(int index) const {
  const QFont font = uiFont(12, QFont::DemiBold);
  int x = 6;
  for (int i = 0; i < index; ++i) x += qRound(wordsWidth(font, m_pages[i])) + 26;
  return {x, 0, qRound(wordsWidth(font, m_pages[index])) + 26, kHeight};
}

void PageBar::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.fillRect(rect(), c.window);
  painter.fillRect(QRect(0, height() - 1, width(), 1), c.gap);
  for (int i = 0; i < m_pages.size(); ++i) {
    const bool on = i == m_page;
    if (on) {
      painter.fillRect(tab(i), c.panel);
      painter.fillRect(QRect(tab(i).left(), 0, tab(i).width(), 2), c.accent);
    }
    QFont font = uiFont(12, on ? QFont::DemiBold : QFont::Normal);
    painter.setFont(font);
    painter.setPen(on ? c.text : c.text2);
    paintWords(painter, tab(i), Qt::AlignCenter, m_pages[i]);
  }
  if (hasFocus() && m_keyFocus) paintFocusRing(painter, QRectF(tab(m_page)).adjusted(4, 5, -4, -5), c);
}

void PageBar::focusInEvent(QFocusEvent* event) {
  m_keyFocus = event->reason() == Qt::TabFocusReason || event->reason() == Qt::BacktabFocusReason;
  QWidget::focusInEvent(event);
  update();
}

void PageBar::mousePressEvent(QMouseEvent* event) {
  for (int i = 0; i < m_pages.size(); ++i)
    if (tab(i).contains(event->pos())) Q_EMIT pageChosen(i);
}

void PageBar::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Left && m_page > 0) Q_EMIT pageChosen(m_page - 1);
  else if (event->key() == Qt::Key_Right && m_page + 1 < m_pages.size()) Q_EMIT pageChosen(m_page + 1);
  else QWidget::keyPressEvent(event);
}

}  // namespace cuescope
