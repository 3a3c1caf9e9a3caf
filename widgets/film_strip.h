// FilmStrip: the same probe pictures' maps at every n-th step, on one printed scale. Click sets the step, Ctrl+click
// compares, double click opens. One painted widget: sideways it scrolls and shows the newest by default; downwards as many pictures as stay large enough to be
// read, the others a scroll away; a few steps that leave the strip half empty stand in two or more blocks. The cursor stands on its step's column, or between two where its step has no maps. UI thread.
#pragma once

#include <QAbstractScrollArea>
#include <QImage>
#include <QString>
#include <map>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/color_maps.h"

class QPainter;

namespace cuescope {

struct FilmRow {
  QString label;
  QImage picture;                           // may be null: the map alone is drawn
  int gridRows = 0, gridCols = 0;
  std::map<int, std::vector<float>> maps;   // step -> values
  int visualTokens = 0;                     // that share the attention; 0: those of this picture
};

class FilmStrip : public QAbstractScrollArea, public CellSource {
  Q_OBJECT
 public:
  explicit FilmStrip(QWidget* parent = nullptr);

  void setRows(const std::vector<FilmRow>& rows);
  void setCursorStep(int step);
  void setColorMap(ColorMap map);
  void setEmptyText(const QString& text);
  /// While a run goes on: its next pictures come `every` steps, the last at `last`. Their places are drawn as far as there is room; 0: none.
  void setPlanned(int every, int last);
  /// «one scale 0 to .026».
  QString scaleText() const;
  std::vector<int> steps() const { return m_steps; }
  QString rowLabel(int row) const { return row >= 0 && row < int(m_rows.size()) ? m_rows[std::size_t(row)].label : QString(); }
  void paintStrip(QPainter& painter, const QRectF& rect, const Colors& colors) const;

  QSize sizeHint() const override { return {900, 226}; }
  QSize minimumSizeHint() const override { return {240, 80}; }
  int cellCount() const override { return int(m_steps.size() * m_rows.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override;

 Q_SIGNALS:
  void stepPicked(int step);
  void comparePicked(int step, int row);  // Ctrl+click: beside what is shown
  void activated(int row, int step);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool viewportEvent(QEvent* event) override;

 private:
  struct Geometry {
    double label = 0;                       // width of the names
    double cellWidth = 0, cellHeight = 0;
    double pitch = 0;                       // from a column to the next
    int perBlock = 1;                       // pictures that stand below each other
    double blockWidth = 0;                  // few steps of several pictures stand side by side, and are larger
    int blocks(int rows) const { return (rows + perBlock - 1) / perBlock; }
  };
  bool hasPlanned() const;
  double cellHeightIn(int perBlock, double aspect, const QSizeF& size, double label) const;
  Geometry geometryFor(const QSizeF& size) const;
  int columnOf(int step) const;             // -1: this step has no maps
  QRectF frame(const Geometry& geometry, int row, int column) const;
  void paintBlock(QPainter& painter, const Geometry& geometry, int block, const QSizeF& size, const QPointF& scrolled, const Colors& colors) const;
  void paintCell(QPainter& painter, int row, int column, QRectF place, const Colors& colors) const;
  void paintNames(QPainter& painter, const Geometry& geometry, int block, double down, double height, const Colors& colors) const;
  void paintPlanned(QPainter& painter, const Geometry& geometry, double width, const QRectF& flag, const Colors& colors) const;
  int cellAt(const QPointF& position) const;
  int nearestColumn(int step) const;
  void updateScroll();
  const QImage& thumbnail(int row, int column, const QSize& size, const Colors& colors) const;

  std::vector<FilmRow> m_rows;
  std::vector<int> m_steps;
  double m_high = 0;
  int m_cursor = -1, m_current = -1, m_every = 0, m_lastPlanned = 0;
  ColorMap m_map = ColorMap::Inferno;
  QString m_empty;
  bool m_atEnd = true;
  mutable std::map<long long, QImage> m_thumbs;
};

}  // namespace cuescope
