#include "widgets/lens_grid.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"

namespace cuescope {
namespace {

constexpr double kLabel = 40, kHead = 22, kCellWidth = 64, kCellHeight = 22;

QRectF cellPlace(int layer, int token) { return {kLabel + token * kCellWidth, kHead + layer * kCellHeight, kCellWidth - 1, kCellHeight - 1}; }

}  // namespace

LensGrid::LensGrid(QWidget* parent) : QAbstractScrollArea(parent) {
  setFrameShape(QFrame::NoFrame);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Logit lens"));
  connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void LensGrid::setTable(const LensTable& table) {
  m_table = table;
  resizeEvent(nullptr);
  viewport()->update();
}
void LensGrid::setByEntropy(bool entropy) {
  m_entropy = entropy;
  viewport()->update();
}
void LensGrid::setSelection(int layer, int token) {
  if (layer == m_layer && token == m_token) return;
  m_layer = layer, m_token = token;
  const int cell = currentCell();
  if (cell >= 0) {
    const QRectF r = cellPlace(cell / int(m_table.tokens.size()), cell % int(m_table.tokens.size()));
    QScrollBar *h = horizontalScrollBar(), *v = verticalScrollBar();
    h->setValue(std::clamp(h->value(), int(r.right()) + 4 - viewport()->width(), std::max(0, int(r.left() - kLabel))));
    v->setValue(std::clamp(v->value(), int(r.bottom()) + 4 - viewport()->height(), std::max(0, int(r.top() - kHead))));
  }
  viewport()->update();
}
void LensGrid::setEmptyText(const QString& text, const QString& hint) {
  m_empty = text, m_hint = hint;
  viewport()->update();
}

QSizeF LensGrid::sizeFor(const LensTable& table) {
  return {kLabel + double(table.tokens.size()) * kCellWidth + 8, kHead + double(table.layers.size()) * kCellHeight + 4};
}

void LensGrid::paintGrid(QPainter& painter, const QPointF& origin, const LensTable& table, bool byEntropy, int layer, int token, const Colors& c) {
  painter.save();
  painter.translate(origin);
  painter.setFont(uiFont(11));
  painter.setPen(c.text3);
  painter.drawText(QRectF(0, 0, kLabel - 6, kHead), Qt::AlignRight | Qt::AlignVCenter, QObject::tr("layer"));
  const QFontMetricsF mono(monoFont(11));
  for (int t = 0; t < int(table.tokens.size()); ++t) {
    const bool on = table.tokens[std::size_t(t)] == token;
    painter.setFont(monoFont(11, on ? QFont::DemiBold : QFont::Normal));
    painter.setPen(on ? c.text : c.text3);
    painter.drawText(QRectF(kLabel + t * kCellWidth + 3, 0, kCellWidth - 5, kHead), Qt::AlignLeft | Qt::AlignVCenter, mono.elidedText(table.names[std::size_t(t)], Qt::ElideRight, kCellWidth - 6));
  }
  const QColor light = darkColors().ink, dark = lightColors().ink;
  QRectF chosen;
  for (int l = 0; l < int(table.layers.size()); ++l) {
    const bool here = table.layers[std::size_t(l)] == layer;
    painter.setFont(monoFont(10, here ? QFont::DemiBold : QFont::Normal));
    painter.setPen(here ? c.text : c.text3);
    painter.drawText(QRectF(0, kHead + l * kCellHeight, kLabel - 6, kCellHeight), Qt::AlignRight | Qt::AlignVCenter, QString::number(table.layers[std::size_t(l)]));
    painter.setFont(monoFont(11));
    for (int t = 0; t < int(table.tokens.size()); ++t) {
      const LensCell& cell = table.at(l, t);
      const QRectF r = cellPlace(l, t);
      const double value = byEntropy ? (std::isfinite(cell.entropy) ? 1 - std::min(1.0, cell.entropy / 6) : std::nan("")) : cell.chosen;
      const QColor ground = std::isfinite(value) ? QColor(mapColor(ColorMap::Viridis, value)) : c.well;
      painter.fillRect(r, ground);
      painter.setPen(contrastRatio(ground, light) > contrastRatio(ground, dark) ? light : dark);
      if (!cell.texts.empty()) painter.drawText(r.adjusted(3, 0, -2, 0), Qt::AlignLeft | Qt::AlignVCenter, mono.elidedText(cell.texts.front(), Qt::ElideRight, r.width() - 5));
      if (here && table.tokens[std::size_t(t)] == token) chosen = r;
    }
  }
  if (!chosen.isNull()) paintInkOutline(painter, chosen, c);
  painter.restore();
}

void LensGrid::paintEvent(QPaintEvent*) {
  QPainter painter(viewport());
  painter.fillRect(viewport()->rect(), colors().panel);
  if (m_table.empty()) return paintEmpty(painter, viewport()->rect(), m_empty, m_hint, colors());
  paintGrid(painter, QPointF(-horizontalScrollBar()->value(), -verticalScrollBar()->value()), m_table, m_entropy, m_layer, m_token, colors());
  if (hasFocus() && currentCell() >= 0) paintFocusRing(painter, QRectF(cellRect(currentCell())).adjusted(1, 1, -1, -1), colors());
}

void LensGrid::resizeEvent(QResizeEvent*) {
  const QSizeF size = m_table.empty() ? QSizeF(0, 0) : sizeFor(m_table);
  horizontalScrollBar()->setRange(0, std::max(0, int(std::ceil(size.width())) - viewport()->width()));
  horizontalScrollBar()->setPageStep(viewport()->width());
  verticalScrollBar()->setRange(0, std::max(0, int(std::ceil(size.height())) - viewport()->height()));
  verticalScrollBar()->setPageStep(viewport()->height());
}

int LensGrid::cellAt(const QPointF& position) const {
  const double x = position.x() + horizontalScrollBar()->value() - kLabel, y = position.y() + verticalScrollBar()->value() - kHead;
  const int t = int(x / kCellWidth), l = int(y / kCellHeight);
  return x < 0 || y < 0 || t >= int(m_table.tokens.size()) || l >= int(m_table.layers.size()) ? -1 : l * int(m_table.tokens.size()) + t;
}

void LensGrid::pick(int layerIndex, int tokenIndex) {
  if (m_table.empty()) return;
  layerIndex = std::clamp(layerIndex, 0, int(m_table.layers.size()) - 1);
  tokenIndex = std::clamp(tokenIndex, 0, int(m_table.tokens.size()) - 1);
  setSelection(m_table.layers[std::size_t(layerIndex)], m_table.tokens[std::size_t(tokenIndex)]);
  announceCell(this);
  Q_EMIT picked(m_layer, m_token);
}

void LensGrid::mousePressEvent(QMouseEvent* event) {
  const int cell = cellAt(event->position());
  if (cell >= 0) pick(cell / int(m_table.tokens.size()), cell % int(m_table.tokens.size()));
}

void LensGrid::keyPressEvent(QKeyEvent* event) {
  const int columns = int(m_table.tokens.size()), at = std::max(0, currentCell());
  if (!columns) return QAbstractScrollArea::keyPressEvent(event);
  switch (event->key()) {
    case Qt::Key_Left: return pick(at / columns, at % columns - 1);
    case Qt::Key_Right: return pick(at / columns, at % columns + 1);
    case Qt::Key_Up: return pick(at / columns - 1, at % columns);
    case Qt::Key_Down: return pick(at / columns + 1, at % columns);
    default: QAbstractScrollArea::keyPressEvent(event);
  }
}

bool LensGrid::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int cell = cellAt(help->pos());
    cell < 0 ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), cellName(cell), this);
    return true;
  }
  return QAbstractScrollArea::viewportEvent(event);
}

QString LensGrid::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  const int columns = int(m_table.tokens.size());
  const LensCell& cell = m_table.cells[std::size_t(index)];
  QString text = tr("layer %1, token %2 “%3”: p %4, entropy %5 nats")
                     .arg(m_table.layers[std::size_t(index / columns)])
                     .arg(m_table.tokens[std::size_t(index % columns)])
                     .arg(m_table.names[std::size_t(index % columns)], number(cell.chosen, 4), number(cell.entropy, 2));
  for (std::size_t i = 0; i < cell.texts.size(); ++i) text += QStringLiteral("\n%1  %2").arg(cell.texts[i], number(cell.probabilities[i], 4));
  return text;
}
QRect LensGrid::cellRect(int index) const {
  const int columns = std::max(1, int(m_table.tokens.size()));
  return cellPlace(index / columns, index % columns).translated(-horizontalScrollBar()->value(), -verticalScrollBar()->value()).toRect();
}
int LensGrid::currentCell() const {
  const auto l = std::find(m_table.layers.begin(), m_table.layers.end(), m_layer);
  const auto t = std::find(m_table.tokens.begin(), m_table.tokens.end(), m_token);
  if (l == m_table.layers.end() || t == m_table.tokens.end()) return -1;
  return int(l - m_table.layers.begin()) * int(m_table.tokens.size()) + int(t - m_table.tokens.begin());
}

}  // namespace cuescope
