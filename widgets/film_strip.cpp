#include "widgets/film_strip.h"

#include <QFontMetricsF>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/empty_panel.h"
#include "widgets/heatmap_layer.h"
#include "widgets/numbers.h"
#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr double kHead = 20, kGap = 4, kBottom = 6, kRight = 8;
constexpr double kReadable = 36;  // a picture below this height is scrolled to, not squeezed in
}

FilmStrip::FilmStrip(QWidget* parent) : QAbstractScrollArea(parent) {
  setFrameShape(QFrame::NoFrame);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Probe images by step"));
  connect(horizontalScrollBar(), &QScrollBar::valueChanged, this, [this](int value) { m_atEnd = value >= horizontalScrollBar()->maximum(); });
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    m_thumbs.clear();
    viewport()->update();
  });
}

void FilmStrip::setRows(const std::vector<FilmRow>& rows) {
  m_rows = rows;
  m_steps.clear();
  std::vector<float> all;
  for (const FilmRow& row : rows)
    for (const auto& [step, map] : row.maps) {
      m_steps.push_back(step);
      all.insert(all.end(), map.begin(), map.end());
    }
  std::sort(m_steps.begin(), m_steps.end());
  m_steps.erase(std::unique(m_steps.begin(), m_steps.end()), m_steps.end());
  std::erase_if(all, [](float v) { return !std::isfinite(v); });
  const double before = m_high;
  m_high = 0;
  if (!all.empty()) {
    const std::size_t at = std::min(all.size() - 1, std::size_t(double(all.size()) * 0.9995));
    std::nth_element(all.begin(), all.begin() + long(at), all.end());
    m_high = all[at];
  }
  // One scale for all pictures: when it moves, all thumbnails are made again; else only new columns are.
  if (std::abs(m_high - before) > 1e-9) m_thumbs.clear();
  updateScroll();
  viewport()->update();
}

void FilmStrip::setCursorStep(int step) {
  m_cursor = step;
  viewport()->update();
}
void FilmStrip::setColorMap(ColorMap map) {
  m_map = map;
  m_thumbs.clear();
  viewport()->update();
}
void FilmStrip::setEmptyText(const QString& text) {
  m_empty = text;
  viewport()->update();
}
void FilmStrip::setPlanned(int every, int last) {
  if (every == m_every && last == m_lastPlanned) return;
  m_every = every, m_lastPlanned = last;
  updateScroll();
  viewport()->update();
}
QString FilmStrip::scaleText() const {
  return m_steps.empty() ? QString() : QStringLiteral("one scale 0 to %1").arg(significantShare(m_high));
}

bool FilmStrip::hasPlanned() const { return m_every > 0 && !m_steps.empty() && m_steps.back() + m_every <= m_lastPlanned; }

/// The largest picture with which blocks of `perBlock` pictures stand side by side in a size.
double FilmStrip::cellHeightIn(int perBlock, double aspect, const QSizeF& size, double label) const {
  const int blocks = (int(m_rows.size()) + perBlock - 1) / perBlock, columns = int(m_steps.size());
  const double high = (size.height() - kHead - kBottom) / perBlock - kGap;
  const double wide = ((size.width() - kRight) / blocks - label) / columns - kGap;
  return std::floor(std::min({high, wide / aspect, 160.0}));
}

FilmStrip::Geometry FilmStrip::geometryFor(const QSizeF& size) const {
  Geometry g;
  if (m_rows.empty()) return g;
  const QFontMetricsF names(monoFont(11));
  for (const FilmRow& row : m_rows) g.label = std::max(g.label, names.horizontalAdvance(row.label));
  g.label = std::ceil(std::clamp(g.label + 18, 48.0, 128.0));
  const double room = size.height() - kHead - kBottom;
  const int shown = std::clamp(int(room / (kReadable + kGap)), 1, int(m_rows.size()));
  g.cellHeight = std::floor(std::clamp(room / shown - kGap, 16.0, 160.0));
  double aspect = 1;
  const int patches = m_rows.front().gridRows;
  bool alike = patches > 0;
  for (const FilmRow& row : m_rows) {
    if (row.gridRows > 0) aspect = std::max(aspect, double(row.gridCols) / row.gridRows);
    alike = alike && row.gridRows == patches;
  }
  g.perBlock = int(m_rows.size());
  double largest = 1.25 * g.cellHeight;  // less is not worth another place of the names
  for (int perBlock = 1; perBlock < int(m_rows.size()) && !m_steps.empty() && !hasPlanned(); ++perBlock)
    if (const double height = cellHeightIn(perBlock, aspect, size, g.label); height >= largest) largest = g.cellHeight = height, g.perBlock = perBlock;
  g.blockWidth = std::floor((size.width() - kRight) / g.blocks(int(m_rows.size())));
  // Whole pixels a patch, where that costs little: a patch is as large as its neighbour.
  if (const double whole = alike ? std::floor(g.cellHeight / patches) * patches : 0; whole >= g.cellHeight * 0.8) g.cellHeight = whole;
  g.cellWidth = std::floor(std::max(24.0, g.cellHeight * aspect));
  // Few steps stand apart rather than leave half of the strip empty.
  g.pitch = g.cellWidth + kGap;
  if (m_steps.size() > 1 && !hasPlanned()) g.pitch = std::clamp(std::floor((g.blockWidth - g.label + kGap) / double(m_steps.size())), g.pitch, 2 * g.pitch);
  return g;
}

QRectF FilmStrip::frame(const Geometry& g, int row, int column) const {
  return {(row / g.perBlock) * g.blockWidth + g.label + column * g.pitch, kHead + (row % g.perBlock) * (g.cellHeight + kGap), g.cellWidth, g.cellHeight};
}

void FilmStrip::updateScroll() {
  const Geometry g = geometryFor(viewport()->size());
  const bool end = m_atEnd;
  const int wide = m_steps.empty() ? 0 : int(frame(g, int(m_rows.size()) - 1, int(m_steps.size()) - 1).right() + kRight);
  horizontalScrollBar()->setRange(0, std::max(0, wide - viewport()->width()));
  horizontalScrollBar()->setPageStep(viewport()->width());
  horizontalScrollBar()->setSingleStep(int(g.pitch));
  if (end) horizontalScrollBar()->setValue(horizontalScrollBar()->maximum());
  const int high = m_rows.empty() ? 0 : int(frame(g, g.perBlock - 1, 0).bottom() + kBottom);
  verticalScrollBar()->setRange(0, std::max(0, high - viewport()->height()));
  verticalScrollBar()->setPageStep(viewport()->height());
  verticalScrollBar()->setSingleStep(int(g.cellHeight + kGap));
}
void FilmStrip::resizeEvent(QResizeEvent*) { updateScroll(); }

int FilmStrip::columnOf(int step) const {
  const auto at = std::lower_bound(m_steps.begin(), m_steps.end(), step);
  return at == m_steps.end() || *at != step ? -1 : int(at - m_steps.begin());
}

int FilmStrip::nearestColumn(int step) const {
  if (m_steps.empty() || step < 0) return -1;
  const auto after = std::upper_bound(m_steps.begin(), m_steps.end(), step);
  return after == m_steps.begin() ? 0 : int(after - m_steps.begin()) - 1;
}

const QImage& FilmStrip::thumbnail(int row, int column, const QSize& size, const Colors& colors) const {
  const int step = m_steps[std::size_t(column)];
  QImage& image = m_thumbs[(static_cast<long long>(row) << 32) | static_cast<unsigned>(step)];
  if (image.size() == size) return image;
  const FilmRow& film = m_rows[std::size_t(row)];
  HeatmapScene scene;
  scene.picture = film.picture;
  if (scene.picture.isNull()) {
    scene.picture = QImage(std::max(1, film.gridCols) * 8, std::max(1, film.gridRows) * 8, QImage::Format_RGB32);
    scene.picture.fill(Qt::white);
  }
  const int tokens = film.visualTokens > 0 ? film.visualTokens : film.gridRows * film.gridCols;
  scene.map = {film.gridRows, film.gridCols, film.maps.at(step), tokens > 0 ? 1.0 / tokens : 0};
  scene.style.map = m_map;
  scene.style.high = m_high;
  image = renderHeatmap(scene, QRectF(QPointF(0, 0), QSizeF(scene.picture.size())), size, colors);
  return image;
}

// The places of pictures to come: an outline and a step, no more.
void FilmStrip::paintPlanned(QPainter& painter, const Geometry& g, double width, const QRectF& flag, const Colors& c) const {
  int column = int(m_steps.size());
  for (int step = m_steps.back() + m_every; step <= m_lastPlanned; step += m_every, ++column) {
    const QRectF top = frame(g, 0, column);
    if (top.right() > width - kRight) break;
    painter.setFont(monoFont(10));
    painter.setPen(c.text3);
    const QRectF head(top.center().x() - g.pitch / 2, 0, g.pitch, kHead - 4);
    if (!flag.adjusted(-2, 0, 2, 0).intersects(head)) paintWords(painter, head, Qt::AlignCenter, QString::number(step));
    painter.setPen(QPen(c.line, 1));
    painter.setBrush(Qt::NoBrush);
    for (int row = 0; row < int(m_rows.size()); ++row) painter.drawRect(frame(g, row, column).adjusted(0.5, 0.5, -0.5, -0.5));
  }
}

void FilmStrip::paintStrip(QPainter& painter, const QRectF& rect, const Colors& c) const {
  if (m_rows.empty() || m_steps.empty()) return;
  painter.save();
  painter.translate(rect.topLeft());
  const Geometry g = geometryFor(rect.size());
  const int blocks = g.blocks(int(m_rows.size()));
  const bool ours = rect.size() == QSizeF(viewport()->size());
  const QPointF scrolled(ours ? horizontalScrollBar()->value() : 0, ours ? verticalScrollBar()->value() : 0);
  for (int block = 0; block < blocks; ++block) {
    paintBlock(painter, g, block, QSizeF(blocks > 1 ? g.blockWidth : rect.width(), rect.height()), scrolled, c);
    painter.translate(g.blockWidth, 0);
  }
  painter.restore();
}

// The pictures of a block over the steps, with its own numbers and cursor. `size`: of the block; frames count from its left edge.
void FilmStrip::paintBlock(QPainter& painter, const Geometry& g, int block, const QSizeF& size, const QPointF& scrolled, const Colors& c) const {
  const double along = scrolled.x(), down = scrolled.y();
  const int first = block * g.perBlock, rows = std::min(g.perBlock, int(m_rows.size()) - first);
  // Where the cursor stands: on a column, or between two because its step has no maps.
  const int chosen = columnOf(m_cursor);
  QRectF flag;
  double between = 0;
  painter.setFont(monoFont(10, QFont::Medium));
  const QString cursorText = QString::number(m_cursor);
  if (m_cursor >= 0) {
    const auto after = std::upper_bound(m_steps.begin(), m_steps.end(), m_cursor);
    const int next = int(after - m_steps.begin());
    between = chosen >= 0 ? frame(g, 0, chosen).center().x() : next == 0 ? frame(g, 0, 0).left() - 3 : std::round(frame(g, 0, next - 1).right() + (g.pitch - g.cellWidth) / 2 - 0.5);
    const double width = wordsWidth(painter.font(), cursorText) + 10;
    between = std::min(between, along + size.width() - 2);  // after the newest, at the strip's end
    flag = QRectF(std::clamp(between - along - width / 2, g.label - 2, std::max(g.label - 2, size.width() - width)), 1, width, kHead - 5);
  }

  painter.save();
  painter.setClipRect(QRectF(g.label - 3, 0, size.width() - g.label + 3, size.height()));
  for (int column = 0; column < int(m_steps.size()); ++column) {
    const QRectF top = frame(g, 0, column).translated(-along, 0);
    if (column == chosen || top.right() < g.label - 4 || top.left() > size.width()) continue;
    painter.setFont(monoFont(10));
    const QString text = QString::number(m_steps[std::size_t(column)]);
    const double width = wordsWidth(painter.font(), text);
    const QRectF head(top.center().x() - width / 2, 0, width + 1, kHead - 4);
    if (head.left() < g.label - 3 || head.right() > size.width()) continue;  // half a number is another number
    if (flag.adjusted(-2, 0, 2, 0).intersects(head)) continue;  // the cursor's number stands there
    painter.setPen(c.text3);
    paintWords(painter, head, Qt::AlignCenter, text);
  }
  if (m_cursor >= 0 && between >= along + g.label - 4) {
    painter.setFont(monoFont(10, QFont::Medium));
    painter.fillRect(flag, c.accentFill);
    painter.setPen(c.onAccentFill);
    paintWords(painter, flag, Qt::AlignCenter, cursorText);
  }
  if (hasPlanned() && size == QSizeF(viewport()->size()) && horizontalScrollBar()->maximum() == 0 && verticalScrollBar()->maximum() == 0) paintPlanned(painter, g, size.width(), flag, c);
  painter.setClipRect(QRectF(g.label - 3, kHead - 3, size.width() - g.label + 3, size.height() - kHead + 3));
  painter.translate(-along, -down);
  for (int column = 0; column < int(m_steps.size()); ++column) {
    const QRectF top = frame(g, 0, column);
    if (top.right() - along < g.label - 4 || top.left() - along > size.width()) continue;
    for (int row = 0; row < rows; ++row)
      if (const QRectF place = frame(g, row, column); place.bottom() - down >= kHead && place.top() - down <= size.height()) paintCell(painter, first + row, column, place, c);
  }
  if (m_cursor >= 0 && chosen < 0) painter.fillRect(QRectF(between, down + kHead - 3, 1, size.height()), c.accent);
  painter.restore();
  paintNames(painter, g, block, down, size.height(), c);
}

void FilmStrip::paintCell(QPainter& painter, int row, int column, QRectF place, const Colors& c) const {
  const FilmRow& film = m_rows[std::size_t(row)];
  if (!film.maps.count(m_steps[std::size_t(column)])) {
    painter.setPen(c.text3);
    painter.setFont(uiFont(10));
    paintWords(painter, place, Qt::AlignCenter | Qt::TextWordWrap, tr("not saved"));
    return;
  }
  // Each picture keeps its own shape inside the common frame.
  const double ratio = painter.device() ? painter.device()->devicePixelRatioF() : 1;
  const double aspect = film.gridRows > 0 ? double(film.gridCols) / film.gridRows : 1;
  const QSizeF size = QSizeF(aspect, 1).scaled(place.size(), Qt::KeepAspectRatio);
  place = QRectF(std::round(place.center().x() - size.width() / 2), std::round(place.center().y() - size.height() / 2), std::round(size.width()), std::round(size.height()));
  const QSize pixels(int(std::lround(place.width() * ratio)), int(std::lround(place.height() * ratio)));
  painter.drawImage(place, thumbnail(row, column, pixels, c));
  if (column == columnOf(m_cursor)) paintInkOutline(painter, place, c);
}

void FilmStrip::paintNames(QPainter& painter, const Geometry& g, int block, double down, double height, const Colors& c) const {
  painter.save();
  painter.setClipRect(QRectF(0, kHead - 3, g.label - 3, height));
  painter.setFont(monoFont(11));
  painter.setPen(c.text2);
  const double names = g.label - 18;
  for (int row = block * g.perBlock; row < std::min((block + 1) * g.perBlock, int(m_rows.size())); ++row) {
    const QRectF place = frame(g, row % g.perBlock, 0).translated(0, -down);
    paintWords(painter, QRectF(8, place.top(), names + 2, place.height()), Qt::AlignLeft | Qt::AlignVCenter, elidedWords(painter.font(), m_rows[std::size_t(row)].label, Qt::ElideMiddle, names + 1));
  }
  painter.restore();
}

void FilmStrip::paintEvent(QPaintEvent*) {
  QPainter painter(viewport());
  painter.fillRect(viewport()->rect(), colors().panel);
  if (m_steps.empty()) {
    paintEmpty(painter, viewport()->rect(), m_empty, {}, colors());
    return;
  }
  paintStrip(painter, viewport()->rect(), colors());
  if (hasFocus() && m_current >= 0) {
    painter.setPen(QPen(colors().accent, 2));
    painter.drawRect(QRectF(cellRect(m_current).translated(-viewport()->pos())).adjusted(-2, -2, 2, 2));
  }
}

int FilmStrip::cellAt(const QPointF& position) const {
  const Geometry g = geometryFor(viewport()->size());
  if (g.cellWidth <= 0) return -1;
  const int block = std::clamp(int(position.x() / g.blockWidth), 0, g.blocks(int(m_rows.size())) - 1);
  const double across = position.x() - block * g.blockWidth - g.label;
  const double x = across + horizontalScrollBar()->value(), y = position.y() < kHead ? 0 : position.y() + verticalScrollBar()->value() - kHead;
  const int column = int(x / g.pitch), row = block * g.perBlock + std::min(int(y / (g.cellHeight + kGap)), g.perBlock - 1);
  const bool inside = across >= -2 && x >= 0 && column < int(m_steps.size()) && y < g.perBlock * (g.cellHeight + kGap) && row < int(m_rows.size());
  return inside ? column * int(m_rows.size()) + row : -1;
}

void FilmStrip::mousePressEvent(QMouseEvent* event) {
  const int cell = cellAt(event->position());
  if (event->button() != Qt::LeftButton || cell < 0) return;
  const int step = m_steps[std::size_t(cell) / m_rows.size()];
  if (event->modifiers() & Qt::ControlModifier) return Q_EMIT comparePicked(step, cell % int(m_rows.size()));
  m_current = cell;
  m_cursor = step;
  viewport()->update();
  Q_EMIT stepPicked(step);
}
void FilmStrip::mouseDoubleClickEvent(QMouseEvent* event) {
  const int cell = cellAt(event->position());
  if (cell >= 0) Q_EMIT activated(cell % int(m_rows.size()), m_steps[std::size_t(cell) / m_rows.size()]);
}
void FilmStrip::keyPressEvent(QKeyEvent* event) {
  if (m_steps.empty()) return QAbstractScrollArea::keyPressEvent(event);
  const int rows = int(m_rows.size());
  int column = m_current >= 0 ? m_current / rows : std::max(0, nearestColumn(m_cursor)), row = m_current >= 0 ? m_current % rows : 0;
  switch (event->key()) {
    case Qt::Key_Left: --column; break;
    case Qt::Key_Right: ++column; break;
    case Qt::Key_Up: --row; break;
    case Qt::Key_Down: ++row; break;
    case Qt::Key_Home: column = 0; break;
    case Qt::Key_End: column = int(m_steps.size()) - 1; break;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (m_current >= 0) Q_EMIT activated(row, m_steps[std::size_t(column)]);
      return;
    default: return QAbstractScrollArea::keyPressEvent(event);
  }
  column = std::clamp(column, 0, int(m_steps.size()) - 1), row = std::clamp(row, 0, rows - 1);
  m_current = column * rows + row;
  const Geometry g = geometryFor(viewport()->size());
  const QRectF place = frame(g, row, column).translated(-horizontalScrollBar()->value(), -verticalScrollBar()->value());
  if (place.left() < g.label) horizontalScrollBar()->setValue(horizontalScrollBar()->value() - int(g.label - place.left()) - 4);
  if (place.right() > viewport()->width()) horizontalScrollBar()->setValue(horizontalScrollBar()->value() + int(place.right() - viewport()->width()) + 8);
  if (place.top() < kHead) verticalScrollBar()->setValue(verticalScrollBar()->value() - int(kHead - place.top()) - 2);
  if (place.bottom() > viewport()->height()) verticalScrollBar()->setValue(verticalScrollBar()->value() + int(place.bottom() - viewport()->height()) + 4);
  const bool moved = m_steps[std::size_t(column)] != m_cursor;
  m_cursor = m_steps[std::size_t(column)];
  viewport()->update();
  announceCell(this);
  if (moved) Q_EMIT stepPicked(m_cursor);
}

bool FilmStrip::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int cell = cellAt(help->pos());
    QString words = cell < 0 ? QString() : cellName(cell);
    const Geometry g = geometryFor(viewport()->size());
    for (int row = 0; row < int(m_rows.size()) && cell < 0; ++row)
      if (const QRectF place = frame(g, row, 0).translated(0, -verticalScrollBar()->value()); QRectF(place.left() - g.label, place.top(), g.label, place.height()).contains(help->pos())) words = m_rows[std::size_t(row)].label;
    words.isEmpty() ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), words, viewport());
    return true;
  }
  return QAbstractScrollArea::viewportEvent(event);
}

QString FilmStrip::cellName(int index) const {
  if (index < 0 || index >= cellCount()) return {};
  const FilmRow& row = m_rows[std::size_t(index) % m_rows.size()];
  const int step = m_steps[std::size_t(index) / m_rows.size()];
  const auto map = row.maps.find(step);
  if (map == row.maps.end() || map->second.empty()) return tr("%1, step %2, not saved").arg(row.label).arg(step);
  return tr("%1, step %2, largest %3").arg(row.label).arg(step).arg(significant(*std::max_element(map->second.begin(), map->second.end()), 4));
}
QRect FilmStrip::cellRect(int index) const {
  if (m_rows.empty()) return {};
  return frame(geometryFor(viewport()->size()), index % int(m_rows.size()), index / int(m_rows.size()))
      .translated(-horizontalScrollBar()->value(), -verticalScrollBar()->value()).toRect().translated(viewport()->pos());
}
int FilmStrip::currentCell() const { return m_current; }

}  // namespace cuescope
