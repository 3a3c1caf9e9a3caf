#include "ui/panels/fact_table.h"

#include <QApplication>
#include <QClipboard>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {
namespace {
constexpr int kHeader = 22;
}  // namespace

FactTable::FactTable(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void FactTable::setRowHeight(int height) {
  m_row = height;
  updateGeometry();
}

void FactTable::setHeader(const QStringList& columns) {
  m_header = columns;
  updateGeometry();
  update();
}

void FactTable::setRows(const std::vector<FactRow>& rows) {
  const bool grew = rows.size() != m_rows.size();
  m_rows = rows;
  setAccessibleDescription(text());
  if (grew) updateGeometry();
  update();
}

QString FactTable::text() const {
  QStringList lines;
  if (!m_header.isEmpty()) lines << m_header.join(u'\t');
  for (const FactRow& row : m_rows) lines << row.name + u'\t' + row.values.join(u'\t');
  return lines.join(u'\n');
}

QSize FactTable::sizeHint() const {
  return {280, int(m_rows.size()) * m_row + (m_header.isEmpty() ? 0 : kHeader)};
}

void FactTable::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  painter.fillRect(rect(), c.panel);
  const bool marks = std::any_of(m_rows.begin(), m_rows.end(), [](const FactRow& row) { return row.ok.has_value(); });
  const int right = width() - 8 - (marks ? 22 : 0);
  std::size_t columns = std::size_t(std::max<qsizetype>(0, m_header.size() - 1));
  for (const FactRow& row : m_rows) columns = std::max(columns, std::size_t(row.values.size()));
  // Every column is as wide as its longest text. Where that leaves the names less than they need, up to three fifths of the
  // width, the widest columns give way and their values are elided.
  const WordMetrics mono(monoFont(11)), words(uiFont(11));
  std::vector<int> widths(columns, 40);
  for (std::size_t i = 0; i < columns; ++i) {
    if (int(i) + 1 < m_header.size()) widths[i] = std::max(widths[i], qRound(words.horizontalAdvance(m_header[int(i) + 1])));
    for (const FactRow& row : m_rows)
      if (int(i) < row.values.size()) widths[i] = std::max(widths[i], qRound(mono.horizontalAdvance(row.values[int(i)])));
  }
  int wanted = m_header.isEmpty() ? 0 : qRound(words.horizontalAdvance(m_header[0]));
  for (const FactRow& row : m_rows) wanted = std::max(wanted, qRound(words.horizontalAdvance(row.name)));
  const int forNames = std::min(wanted + 2, m_valuesFirst ? 60 : right * 3 / 5);
  int over = -(right - 8 - forNames);
  for (const int width : widths) over += width + 12;
  while (over > 0 && !widths.empty()) {
    int& widest = *std::max_element(widths.begin(), widths.end());
    if (widest <= 40) break;
    const int cut = std::min(over, std::max(1, widest - 40) / 2 + 1);
    widest -= cut;
    over -= cut;
  }
  std::vector<int> ends(columns);
  int x = right;
  for (std::size_t i = columns; i-- > 0;) {
    ends[i] = x;
    x -= widths[i] + 12;
  }
  const int nameWidth = std::max(20, x - 8);
  int y = 0;
  if (!m_header.isEmpty()) {
    painter.fillRect(QRect(0, 0, width(), kHeader), c.window);
    painter.setFont(uiFont(11));
    painter.setPen(c.text2);
    paintWords(painter, QRect(8, 0, nameWidth, kHeader), Qt::AlignVCenter, words.elidedText(m_header[0], Qt::ElideRight, nameWidth));
    for (int i = 1; i < m_header.size(); ++i)
      paintWords(painter, QRect(ends[std::size_t(i - 1)] - 300, 0, 300, kHeader), Qt::AlignVCenter | Qt::AlignRight, m_header[i]);
    y = kHeader;
  }
  for (const FactRow& row : m_rows) {
    painter.setFont(uiFont(11));
    painter.setPen(c.text2);
    paintWords(painter, QRect(8, y, nameWidth, m_row), Qt::AlignVCenter, words.elidedText(row.name, Qt::ElideRight, nameWidth));
    painter.setFont(monoFont(11));
    for (int i = 0; i < row.values.size(); ++i) {
      painter.setPen(i == 0 ? c.text : c.text2);
      const int width = widths[std::size_t(i)];
      paintWords(painter, QRect(ends[std::size_t(i)] - width - 1, y, width + 1, m_row), Qt::AlignVCenter | Qt::AlignRight,
                       mono.elidedText(row.values[i], Qt::ElideRight, width + 1));
    }
    if (row.ok) paintIcon(painter, QRectF(width() - 24, y + 3, 16, 16), *row.ok ? Icon::Check : Icon::Cross, *row.ok ? c.text2 : c.danger);
    painter.fillRect(QRect(0, y + m_row - 1, width(), 1), c.line);
    y += m_row;
  }
  if (hasFocus()) paintFocusRing(painter, QRectF(rect()).adjusted(4, 4, -4, -4), c);
}

bool FactTable::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    if (!m_header.isEmpty() && help->y() < kHeader) {
      QToolTip::showText(help->globalPos(), m_header.join(QStringLiteral(", ")), this);
      return true;
    }
    const int index = (help->y() - (m_header.isEmpty() ? 0 : kHeader)) / m_row;
    if (help->y() >= (m_header.isEmpty() ? 0 : kHeader) && index < int(m_rows.size())) {
      const FactRow& row = m_rows[std::size_t(index)];
      QToolTip::showText(help->globalPos(), row.tip.isEmpty() ? row.name + QStringLiteral(": ") + row.values.join(QStringLiteral(", ")) : row.tip, this);
      return true;
    }
  }
  return QWidget::event(event);
}

void FactTable::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Copy)) QApplication::clipboard()->setText(text());
  else QWidget::keyPressEvent(event);
}

}  // namespace cuescope
