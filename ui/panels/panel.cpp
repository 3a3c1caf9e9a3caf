#include "ui/panels/panel.h"

#include <QCloseEvent>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QPainter>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr int kHeadHeight = 26;  // 24 and the line on both sides
}

Strip::Strip(int height, Ground ground, QWidget* parent) : QWidget(parent), m_ground(ground), m_row(new QHBoxLayout(this)) {
  setFixedHeight(height);
  m_row->setContentsMargins(8, 0, 8, 0);
  m_row->setSpacing(8);
}

void Strip::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.fillRect(rect(), m_ground == Ground::Window ? c.window : m_ground == Ground::Panel ? c.panel : c.well);
  painter.fillRect(QRect(0, height() - 1, width(), 1), c.line);
}

Panel::Panel(const QString& name, const QString& title, QWidget* content, QWidget* parent) : QWidget(parent) {
  setObjectName(name);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
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
  auto* close = button(Icon::Close, tr("Close «%1»; View brings it back").arg(title));
  connect(close, &QToolButton::clicked, this, [this] {
    if (m_floating) setFloating(false);
    hide();
    Q_EMIT closed();
  });
  m_stack = new QStackedWidget(this);
  column->addWidget(head);
  column->addWidget(m_stack, 1);
  connect(m_tabs, &PanelTabs::currentChanged, m_stack, &QStackedWidget::setCurrentIndex);
  connect(m_stack, &QStackedWidget::currentChanged, this, &Panel::tabChanged);
  addTab(title, content);
}

int Panel::addTab(const QString& title, QWidget* content) {
  m_titles << title;
  m_tabs->setTitles(m_titles);
  return m_stack->addWidget(content);
}

void Panel::removeLastTab() {
  m_stack->removeWidget(m_stack->widget(m_stack->count() - 1));
  m_titles.removeLast();
  m_tabs->setCurrent(0);
  m_tabs->setTitles(m_titles);
}

void Panel::adopt(QWidget* content) {
  m_stack->addWidget(content);
  m_stack->setCurrentWidget(content);
}

void Panel::setCurrentTab(int index) {
  m_tabs->setCurrent(index);
  m_stack->setCurrentIndex(index);
}

int Panel::currentTab() const {
  return m_stack->currentIndex();
}

void Panel::setNote(const QString& note) {
  m_note->setText(note);
}

void Panel::addToHead(QWidget* widget) {
  m_headRow->insertWidget(m_headRow->indexOf(m_note), widget);
}

void Panel::setFloating(bool floating) {
  if (floating == m_floating) return;
  m_floating = floating;
  if (floating) {
    m_home = parentWidget();
    auto* splitter = qobject_cast<QSplitter*>(m_home);
    m_homeIndex = splitter ? splitter->indexOf(this) : -1;
    const QSize was = size();
    setParent(window(), Qt::Window);
    setWindowTitle(title());
    resize(was.expandedTo({420, 260}));
  } else if (auto* splitter = qobject_cast<QSplitter*>(m_home)) {
    splitter->insertWidget(m_homeIndex, this);
  } else {
    setParent(m_home);
  }
  show();
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

PanelTabs::PanelTabs(QWidget* parent) : QWidget(parent) {
  setFixedHeight(kHeadHeight - 1);
}

void PanelTabs::setTitles(const QStringList& titles) {
  m_titles = titles;
  setFocusPolicy(titles.size() > 1 ? Qt::StrongFocus : Qt::NoFocus);
  setAccessibleName(titles.join(QStringLiteral(", ")));
  updateGeometry();
  update();
}

void PanelTabs::setCurrent(int index) {
  if (index == m_current || index < 0 || index >= m_titles.size()) return;
  m_current = index;
  update();
  Q_EMIT currentChanged(index);
}

QSize PanelTabs::sizeHint() const {
  return {m_titles.isEmpty() ? 0 : tab(int(m_titles.size()) - 1).right() + 1, kHeadHeight - 1};
}

QRect PanelTabs::tab(int index) const {
  const QFont font = uiFont(12, QFont::DemiBold);
  int x = 0;
  for (int i = 0; i < index; ++i) x += qRound(wordsWidth(font, m_titles[i])) + 20;
  return {x, 0, qRound(wordsWidth(font, m_titles[index])) + 20, kHeadHeight - 1};
}

void PanelTabs::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  const bool tabs = m_titles.size() > 1;
  for (int i = 0; i < m_titles.size(); ++i) {
    const QRect r = tab(i);
    const bool on = i == m_current;
    if (tabs && on) {
      painter.fillRect(r.adjusted(0, 0, 0, 1), c.panel);
      painter.fillRect(QRect(r.left(), 0, r.width(), 2), c.accent);
    }
    painter.setFont(uiFont(12, on ? QFont::DemiBold : QFont::Normal));
    painter.setPen(on ? c.text : c.text2);
    paintWords(painter, r.adjusted(tabs ? 10 : 8, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft, m_titles[i]);
  }
  if (hasFocus() && tabs) paintFocusRing(painter, tab(m_current).adjusted(4, 4, -4, -4), c);
}

void PanelTabs::mousePressEvent(QMouseEvent* event) {
  for (int i = 0; i < m_titles.size(); ++i)
    if (tab(i).contains(event->pos())) setCurrent(i);
}

void PanelTabs::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Left) setCurrent(m_current - 1);
  else if (event->key() == Qt::Key_Right) setCurrent(m_current + 1);
  else QWidget::keyPressEvent(event);
}

}  // namespace cuescope
