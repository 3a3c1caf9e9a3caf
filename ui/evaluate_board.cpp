#include "ui/evaluate_board.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <QToolTip>
#include <algorithm>
#include <climits>
#include <cmath>

#include "widgets/empty_panel.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr int kHead = 34, kRow = 38, kNames = 190;
constexpr double kDrawn = 124;  // a narrower column says its interval as ± numbers
constexpr double kSpan = 0.10;  // base ± 10 points

/// Of a row or cell at other steps or settings; the words are in its tip and its name.
void paintTriangle(QPainter& p, QPointF centre, const Colors& c) {
  QPainterPath path;
  path.moveTo(centre + QPointF(0, -4.5));
  path.lineTo(centre + QPointF(5, 4));
  path.lineTo(centre + QPointF(-5, 4));
  path.closeSubpath();
  p.save();
  p.setRenderHint(QPainter::Antialiasing);
  p.setPen(QPen(c.caution, 1.3));
  p.setBrush(Qt::NoBrush);
  p.drawPath(path);
  p.restore();
}
}  // namespace

BoardView::BoardView(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Score board"));
  setWhatsThis(tr("Held-out accuracy of finished runs: settings by data sets. The whisker is the 95 % interval, dots are seeds, the dashed line is base."));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void BoardView::setBoard(const Board& board) {
  m_board = board;
  m_current = -1;
  setMinimumHeight(sizeHint().height());
  updateGeometry();
  update();
  Q_EMIT boardChanged();
}

QSize BoardView::sizeHint() const { return {900, kHead + footHeight() + std::max(2, int(m_board.settings.size())) * kRow}; }

QString BoardView::footWords() {
  return tr("Square: mean; whisker: 95 % interval (of seeds, with one seed of rows); axis base ± 10 points; dots: seeds; dotted: base. Bold: the interval of the difference from base excludes 0. Triangle: other steps or settings than most rows.");
}
int BoardView::footHeight() const {
  return QFontMetrics(uiFont(11)).boundingRect(QRect(0, 0, std::max(200, width() - 16), 1000), Qt::TextWordWrap, footWords()).height() + 10;
}
void BoardView::resizeEvent(QResizeEvent*) {
  if (cellCount() > 0) setMinimumHeight(sizeHint().height());
}

std::int64_t BoardView::rowsOf(int dataSet) const {
  std::int64_t n = 0;
  for (const BoardRun& run : m_board.runs)
    if (const auto found = run.accuracy.find(m_board.dataSets[std::size_t(dataSet)]); found != run.accuracy.end()) n = std::max(n, found->second.n);
  return n;
}

QString BoardView::runsOf(int setting) const {
  int runs = 0, least = INT_MAX, most = 0;
  for (const BoardRun& run : m_board.runs)
    if (run.setting == m_board.settings[std::size_t(setting)]) ++runs, least = std::min(least, run.step), most = std::max(most, run.step);
  return runs == 0 ? tr("no run") : runs == 1 ? tr("1 run, step %1").arg(most) : least == most ? tr("%1 runs, step %2").arg(runs).arg(most) : tr("%1 runs, steps %2 to %3").arg(runs).arg(least).arg(most);
}

// The whole of what a head or a name may have to shorten, and a cell in words.
bool BoardView::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip || cellCount() == 0) return QWidget::event(event);
  auto* help = static_cast<QHelpEvent*>(event);
  const int columns = int(m_board.dataSets.size()), row = (help->y() - kHead) / kRow;
  QString words;
  for (int i = 0; i < cellCount(); ++i)
    if (cellRect(i).contains(help->pos())) words = cellName(i);
  for (int d = 0; d < columns; ++d)
    if (help->y() < kHead && help->x() >= kNames + d * columnWidth() && help->x() < kNames + (d + 1) * columnWidth()) words = QString::fromStdString(m_board.dataSets[std::size_t(d)]) + tr(", n = %1, accuracy %").arg(rowsOf(d));
  if (help->y() >= kHead && help->x() < kNames && row < int(m_board.settings.size())) words = QString::fromStdString(m_board.settings[std::size_t(row)]) + QLatin1Char('\n') + runsOf(row);
  if (help->y() >= kHead && help->x() < kNames && std::size_t(row) < m_board.cautions.size() && !m_board.cautions[std::size_t(row)].empty())
    words += tr("\nNot the same experiment as the other rows: %1").arg(QString::fromStdString(m_board.cautions[std::size_t(row)]));
  words.isEmpty() ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), words, this);
  return true;
}
double BoardView::columnWidth() const { return m_board.dataSets.empty() ? 0 : std::min(300.0, double(width() - kNames) / double(m_board.dataSets.size())); }

int BoardView::baseRow() const {
  const auto found = std::find(m_board.settings.begin(), m_board.settings.end(), "base");
  return found == m_board.settings.end() ? -1 : int(found - m_board.settings.begin());
}

bool BoardView::clearlyDiffers(const BoardCell& cell, const BoardCell& base) {
  if (cell.values.empty() || base.values.empty()) return false;
  const double half = (cell.mean.high - cell.mean.low) / 2, baseHalf = (base.mean.high - base.mean.low) / 2;
  if (!std::isfinite(half) || !std::isfinite(baseHalf)) return false;
  return std::abs(cell.mean.value - base.mean.value) > std::hypot(half, baseHalf);
}

QString BoardView::cellName(int index) const {
  const auto columns = int(m_board.dataSets.size());
  const BoardCell& cell = m_board.cells[std::size_t(index / columns)][std::size_t(index % columns)];
  const QString where = QString::fromStdString(m_board.settings[std::size_t(index / columns)] + ", " + m_board.dataSets[std::size_t(index % columns)]);
  if (cell.values.empty()) return tr("%1, not measured").arg(where);
  const std::string caution = cautionOf(m_board, std::size_t(index / columns), std::size_t(index % columns));
  const QString name = tr("%1, %2 %, %3 to %4, %5 seeds").arg(where, number(100 * cell.mean.value, 1), number(100 * cell.mean.low, 1), number(100 * cell.mean.high, 1)).arg(cell.values.size());
  return caution.empty() ? name : tr("%1. Not the same experiment as the other rows: %2").arg(name, QString::fromStdString(caution));
}
QRect BoardView::cellRect(int index) const {
  const auto columns = int(m_board.dataSets.size());
  return QRectF(kNames + (index % columns) * columnWidth(), kHead + (index / columns) * kRow, columnWidth(), kRow).toAlignedRect();
}

void BoardView::choose(int cell) {
  m_current = cell;
  update();
  announceCell(this);
  Q_EMIT cellChosen(cell / int(m_board.dataSets.size()), cell % int(m_board.dataSets.size()));
}
void BoardView::mousePressEvent(QMouseEvent* event) {
  for (int i = 0; i < cellCount(); ++i)
    if (cellRect(i).contains(event->position().toPoint())) return choose(i);
}
void BoardView::mouseDoubleClickEvent(QMouseEvent* event) {
  for (int i = 0; i < cellCount(); ++i)
    if (cellRect(i).contains(event->position().toPoint())) return activate(i);
}
void BoardView::activate(int cell) {
  const auto columns = int(m_board.dataSets.size());
  const std::string &setting = m_board.settings[std::size_t(cell / columns)], &data = m_board.dataSets[std::size_t(cell % columns)];
  const BoardRun* furthest = nullptr;
  for (const BoardRun& run : m_board.runs)
    if (run.setting == setting && run.accuracy.count(data) && (!furthest || run.step > furthest->step)) furthest = &run;
  if (furthest) Q_EMIT runActivated(QString::fromStdString(furthest->name));
}
void BoardView::keyPressEvent(QKeyEvent* event) {
  if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && event->modifiers() == Qt::NoModifier && m_current >= 0) return activate(m_current);
  const int columns = int(m_board.dataSets.size());
  const int by = event->key() == Qt::Key_Left ? -1 : event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Up ? -columns : event->key() == Qt::Key_Down ? columns : 0;
  if (by == 0 || cellCount() == 0) return QWidget::keyPressEvent(event);
  choose(std::clamp(std::max(0, m_current) + (m_current < 0 ? 0 : by), 0, cellCount() - 1));
}

void BoardView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintBoard(painter, colors());
}

void BoardView::paintBoard(QPainter& p, const Colors& c) const {
  p.fillRect(rect(), c.panel);
  if (cellCount() == 0)
    return paintEmpty(p, QRectF(rect()).adjusted(16, 12, -16, -12), tr("No finished run has held-out scores yet."), tr("Runs that evaluate while they train (trainer.test_freq) fill this board, and evaluations of their checkpoints on all rows, here or by `cuescope-cli eval`."), c);
  p.fillRect(QRect(0, 0, width(), kHead), c.window);
  p.setFont(uiFont(11));
  p.setPen(c.text2);
  p.drawText(QRect(8, 0, kNames - 12, kHead), Qt::AlignVCenter, tr("Setting"));
  const int base = baseRow();
  const double column = columnWidth();
  for (int d = 0; d < int(m_board.dataSets.size()); ++d) {
    const QRectF head(kNames + d * column + 6, 3, column - 10, 14);
    p.setFont(uiFont(12, QFont::DemiBold));
    p.setPen(c.text);
    p.drawText(head.adjusted(0, 0, 0, 2), Qt::AlignVCenter, p.fontMetrics().elidedText(QString::fromStdString(m_board.dataSets[std::size_t(d)]), Qt::ElideMiddle, int(head.width())));
    p.setFont(monoFont(10));
    p.setPen(c.text3);
    p.drawText(head.translated(0, 15), Qt::AlignVCenter, p.fontMetrics().elidedText(tr("n = %1, accuracy %").arg(rowsOf(d)), Qt::ElideRight, int(head.width())));
  }
  for (int s = 0; s < int(m_board.settings.size()); ++s) {
    const int y = kHead + s * kRow;
    const std::string& name = m_board.settings[std::size_t(s)];
    p.setFont(uiFont(12, QFont::DemiBold));
    p.setPen(c.text);
    const bool careful = std::size_t(s) < m_board.cautions.size() && !m_board.cautions[std::size_t(s)].empty();
    if (careful) paintTriangle(p, QPointF(14, y + 11.5), c);
    p.setPen(c.text);
    const QRect words = QRect(8, y + 3, kNames - 12, 17).adjusted(careful ? 15 : 0, 0, 0, 0);
    p.drawText(words, Qt::AlignVCenter, p.fontMetrics().elidedText(QString::fromStdString(name), Qt::ElideMiddle, words.width()));
    p.setFont(monoFont(10));
    p.setPen(c.text3);
    p.drawText(QRect(8, y + 19, kNames - 12, 15), Qt::AlignVCenter, p.fontMetrics().elidedText(runsOf(s), Qt::ElideRight, kNames - 12));
    for (int d = 0; d < int(m_board.dataSets.size()); ++d) {
      const BoardCell& cell = m_board.cells[std::size_t(s)][std::size_t(d)];
      const QRectF r(kNames + d * column, y, column, kRow);
      if (cell.values.empty()) {
        p.setFont(uiFont(11));
        p.setPen(c.text3);
        p.drawText(r.adjusted(6, 0, -4, 0), Qt::AlignVCenter, tr("not measured"));
        continue;
      }
      const BoardCell* compared = base >= 0 && base != s ? &m_board.cells[std::size_t(base)][std::size_t(d)] : nullptr;
      const bool bold = compared && clearlyDiffers(cell, *compared);
      p.setFont(monoFont(12, bold ? QFont::Bold : QFont::Normal));
      p.setPen(c.text);
      p.drawText(r.adjusted(6, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft, number(100 * cell.mean.value, 1));
      if (!cell.caution.empty()) paintTriangle(p, QPointF(r.left() + 44, column < kDrawn ? r.top() + 8 : r.center().y()), c);
      const double middle = base >= 0 && !m_board.cells[std::size_t(base)][std::size_t(d)].values.empty() ? m_board.cells[std::size_t(base)][std::size_t(d)].mean.value : cell.mean.value;
      const double left = r.left() + 56, room = std::min(150.0, column - 62);
      if (column < kDrawn) {
        p.setFont(monoFont(10));
        p.setPen(c.text3);
        const double half = 100 * (cell.mean.high - cell.mean.low) / 2;
        if (std::isfinite(half)) p.drawText(r.adjusted(44, 0, -2, 0), Qt::AlignVCenter | Qt::AlignLeft, QStringLiteral("±%1").arg(number(half, 1)));
        continue;
      }
      const auto x = [&](double value) { return std::round(std::clamp(left + ((value - middle) / kSpan + 1) / 2 * room, left, left + room)); };
      const double yy = r.center().y();
      if (base >= 0) {
        p.setPen(QPen(c.control, 1, Qt::DotLine));
        p.drawLine(QPointF(x(middle), r.top() + 5), QPointF(x(middle), r.bottom() - 6));
      }
      if (std::isfinite(cell.mean.low)) {
        p.setPen(QPen(c.text2, 1));
        p.drawLine(QPointF(x(cell.mean.low), yy), QPointF(x(cell.mean.high), yy));
        for (const double end : {cell.mean.low, cell.mean.high}) p.drawLine(QPointF(x(end), yy - 4), QPointF(x(end), yy + 4));
      }
      p.fillRect(QRectF(x(cell.mean.value) - 3, yy - 3, 6, 6), c.ink);
      if (cell.values.size() > 1)
        for (const double value : cell.values) p.fillRect(QRectF(x(value) - 1, yy + 8, 3, 3), c.text3);
    }
    p.fillRect(QRect(0, y + kRow - 1, width(), 1), c.line);
  }
  if (m_current >= 0) paintInkOutline(p, QRectF(cellRect(m_current)).adjusted(1, 1, -2, -2), c);
  p.setFont(uiFont(11));
  p.setPen(c.text3);
  p.drawText(QRect(8, kHead + int(m_board.settings.size()) * kRow, width() - 16, footHeight()), Qt::AlignVCenter | Qt::TextWordWrap, footWords());
}

}  // namespace cuescope
