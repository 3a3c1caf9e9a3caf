// MatrixView: every head of every layer as a thumbnail, with mean and max, on one shared scale that is printed. The longer
// axis runs across. Click picks, Ctrl+click compares, double click goes to the canvas, arrow keys walk. One painted widget. UI thread.
#pragma once

#include <QImage>
#include <QWidget>
#include <vector>

#include "widgets/accessible_cells.h"
#include "widgets/color_maps.h"

class QPainter;

namespace cuescope {

inline constexpr int kMeanHead = -1;
inline constexpr int kMaxHead = -2;

/// Maps of one query: values[(layer index * heads + head) * gridRows * gridCols + patch].
struct HeadMaps {
  std::vector<int> layers;   // the layers that exist here, ascending
  int heads = 0;
  bool headsAveraged = false;
  int gridRows = 0, gridCols = 0;
  std::vector<float> values;
  double uniform = 0;
  bool injection = false;    // layers are written L0, L5, ...
  bool signedValues = false; // the diverging ramp, both signs on one scale

  bool empty() const { return values.empty(); }
  int patches() const { return gridRows * gridCols; }
  const float* map(int layerIndex, int head) const { return values.data() + (std::size_t(layerIndex) * heads + head) * patches(); }
};

/// Mean or largest value over heads at every patch (`head` may be kMeanHead or kMaxHead), or one head's map.
std::vector<float> reducedMap(const HeadMaps& maps, int layerIndex, int head);

class MatrixView : public QWidget, public CellSource {
  Q_OBJECT
 public:
  explicit MatrixView(QWidget* parent = nullptr);

  void setMaps(const HeadMaps& maps);
  const HeadMaps& maps() const { return m_maps; }
  void setColorMap(ColorMap map);
  void setFade(bool fade);
  void setSharedScale(bool shared);
  bool sharedScale() const { return m_shared; }
  /// `layer` is a layer number, `head` a head, kMeanHead or kMaxHead.
  void setSelection(int layer, int head);
  int selectedLayer() const { return m_layer; }
  int selectedHead() const { return m_head; }
  void setEmptyText(const QString& text);

  /// «6 injection layers × 16 heads, one scale 0 to .024».
  QString scaleText() const;
  /// Draws the whole matrix into a rectangle; used by export.
  void paintMatrix(QPainter& painter, const QRectF& rect, const Colors& colors) const;

  QSize sizeHint() const override { return {640, 190}; }
  QSize minimumSizeHint() const override { return {200, 80}; }
  int cellCount() const override;
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override;

 Q_SIGNALS:
  void selected(int layer, int head);
  void compared(int layer, int head);  // Ctrl+click: beside what is shown
  void activated(int layer, int head);
  void hovered(int layer, int head, double largest);  // layer -1: left

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  struct Geometry;
  struct Cell {
    int layerIndex = -1, head = 0;
  };
  Geometry geometryOf(const QRectF& rect) const;
  int columns() const;                 // heads plus mean and max
  int headOf(int column) const;
  int columnOf(int head) const;
  Cell cellAt(const QPointF& position) const;
  QRectF rectOf(const Geometry& geometry, int layerIndex, int column) const;
  void pick(const Cell& cell);
  void rebuild();

  HeadMaps m_maps;
  ColorMap m_map = ColorMap::Inferno;
  bool m_fade = false, m_shared = true;
  int m_layer = -1, m_head = kMeanHead;
  double m_high = 0, m_clippedShare = 0;
  std::vector<QImage> m_thumbs;  // [layer index][column]
  Cell m_hover;
  QString m_empty;
};

}  // namespace cuescope
