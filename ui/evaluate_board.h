// BoardView: the score board: settings by data sets, mean with its interval and seeds, base as a dashed line. One painted table that
// scrolls; a cell is chosen by click or arrow keys. UI thread.
#pragma once

#include <QWidget>

#include "engine/core/board.h"
#include "widgets/accessible_cells.h"

namespace cuescope {

struct Colors;

class BoardView : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit BoardView(QWidget* parent = nullptr);
  void setBoard(const Board& board);
  const Board& board() const { return m_board; }
  /// The interval of the difference from base excludes zero (both taken as independent).
  static bool clearlyDiffers(const BoardCell& cell, const BoardCell& base);
  /// All that it shows, in its own coordinates, on any device: the window's and an exported file's.
  void paintBoard(QPainter& painter, const Colors& colors) const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {400, 120}; }
  int cellCount() const override { return int(m_board.settings.size() * m_board.dataSets.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_current; }

 Q_SIGNALS:
  void boardChanged();  // another board: its height may be another
  void cellChosen(int setting, int dataSet);
  void runActivated(const QString& run);  // double click or Return: of the cell's runs the one that came furthest

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void choose(int cell);
  void activate(int cell);
  static QString footWords();
  int footHeight() const;        // the words below the rows, in as many lines as they need
  QString runsOf(int setting) const;  // «3 runs, step 275»
  std::int64_t rowsOf(int dataSet) const;
  int baseRow() const;
  double columnWidth() const;
  Board m_board;
  int m_current = -1;
};

}  // namespace cuescope
