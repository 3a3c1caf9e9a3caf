// ImageCanvas: a picture with its map, to zoom, pan, read and draw on; one map, two under a swipe divider, or side by side.
// Wheel zooms at the pointer, Shift+wheel opacity, Ctrl+wheel layer, middle or Space drag pans, left drag uses the tool.
// Arrow keys walk patches, + − 0 F zoom. UI thread.
#pragma once

#include <QImage>
#include <QWidget>
#include <optional>

#include "widgets/accessible_cells.h"
#include "widgets/heatmap_layer.h"

namespace cuescope {

/// What stands under the pointer or the keyboard cell.
struct PatchReadout {
  int patch = -1, row = -1, col = -1;
  QRect pixels;              // x, y, width, height in processed pixels
  double value = 0;
  double timesUniform = 0;   // NaN without a uniform value
  bool smoothed = false;
  bool second = false;       // of map B

  /// «row 6, column 18», «pixels x 576–608, y 192–224», «0.0035», «= 1.5 × uniform».
  QString place() const;
  QString pixelText() const;
  QString valueText() const;
  QString timesText() const;
};

class ImageCanvas : public QWidget, public CellSource {
  Q_OBJECT
 public:
  enum class Tool { Move, Box, Brush };
  enum class Compare { Single, Swipe, SideBySide };

  explicit ImageCanvas(QWidget* parent = nullptr);

  void setScene(const HeatmapScene& scene);
  const HeatmapScene& scene() const { return m_a; }
  /// Map B of a comparison; an empty optional ends it.
  void setSecond(std::optional<HeatmapScene> scene, const QString& labelA = QStringLiteral("A"), const QString& labelB = QStringLiteral("B"));
  bool hasSecond() const { return m_b.has_value(); }
  void setCompare(Compare compare);
  Compare compare() const { return m_compare; }
  void setSwipe(double position);  // 0 to 1
  double swipe() const { return m_swipe; }
  void swapMaps();

  void setTool(Tool tool);
  Tool tool() const { return m_tool; }
  void setSnapToPatches(bool snap) { m_snap = snap; }
  void setBrushPatches(const std::vector<int>& patches);
  const std::vector<int>& brushPatches() const { return m_a.chosenPatches; }

  void setOpacity(double opacity);  // both maps
  void setShowLegend(bool show);
  void setMapShown(bool shown);
  void setSelectedPatch(int patch);
  int selectedPatch() const { return m_a.selectedPatch; }
  /// Sentence in the empty canvas, with a hint below it.
  void setEmptyText(const QString& text, const QString& hint);

  void fit();
  void setZoom(double deviceIndependentPixelsPerPicturePixel);
  double zoom() const;
  void zoomBy(double factor);

  /// Canvas coordinates of a picture pixel, and back.
  QPointF toWidget(const QPointF& pixel) const;
  QPointF toPicture(const QPointF& position) const;
  PatchReadout readout(int patch, bool second = false) const;

  QSize sizeHint() const override { return {640, 480}; }
  QSize minimumSizeHint() const override { return {200, 160}; }

  int cellCount() const override;
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_keyPatch; }

 Q_SIGNALS:
  void hovered(const cuescope::PatchReadout& readout);  // also for the keyboard cell
  void hoverLeft();
  void patchSelected(int patch);
  void patchActivated(int patch);                    // double click or Enter
  void boxDrawn(const QRectF& pixels);               // picture pixels, clipped to the picture
  void brushChanged(const std::vector<int>& patches);
  void opacityChanged(double opacity);
  void layerStepRequested(int by);                   // Ctrl+wheel
  void compareChanged();
  void zoomChanged(double zoom);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void keyReleaseEvent(QKeyEvent* event) override;

 private:
  struct Cache {
    QImage image, ground;
    QRectF source;
    QSize size;
    qint64 picture = 0;  // of the ground
  };
  struct Levels {
    std::vector<QImage> images;
    qint64 picture = 0;
  };
  QRectF canvasArea() const;                 // without the legend
  QRectF viewArea(bool second) const;        // side by side: halves
  QRectF pictureRect(bool second) const;     // where the whole picture lies
  QPointF pictureAt(const QPointF& position, bool* second) const;
  void paintScene(QPainter& painter, bool second, const QRectF& clip);
  void invalidate();       // the map's pixels; the picture under it stays
  const SceneMeasures& measures(bool second);
  QImage ground(const QImage& picture, const QRectF& source, const QSize& size, bool second);
  void prepare();
  void paintLegend(QPainter& painter);
  void hoverAt(const QPointF& position);
  void clampPan();
  void walkTo(int patch);
  void brushAt(const QPointF& position);
  void zoomAt(const QPointF& position, double factor);

  HeatmapScene m_a;
  std::optional<HeatmapScene> m_b;
  QString m_labelA, m_labelB, m_emptyText, m_emptyHint;
  Compare m_compare = Compare::Single;
  Tool m_tool = Tool::Move;
  double m_swipe = 0.5;
  bool m_snap = false, m_legend = true;
  bool m_fit = true;
  double m_zoom = 1;
  QPointF m_pan;                // of the picture's centre from the view's centre
  int m_hover = -1, m_keyPatch = -1;
  bool m_hoverSecond = false, m_space = false;
  enum class Drag { None, Pan, Box, Brush, BrushOff, Swipe } m_drag = Drag::None;
  QPointF m_pressed, m_last;
  QRectF m_rubber;
  std::vector<int> m_strokeBefore;  // the region when the brush touched it: Esc goes back there
  Cache m_cache[2];
  Levels m_levels[2];                        // of large pictures
  std::optional<SceneMeasures> m_measures[2];
  QImage m_legendImage;
};

}  // namespace cuescope
Q_DECLARE_METATYPE(cuescope::PatchReadout)
