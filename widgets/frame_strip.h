// FrameStrip: the pictures of one prompt side by side, or the frames of a video, each under its own map on one scale, with the
// share of the map that lies on it. Click or ← → picks one. One painted widget that scrolls sideways. UI thread.
#pragma once

#include <QAbstractScrollArea>

#include "widgets/accessible_cells.h"
#include "widgets/heatmap_layer.h"

namespace cuescope {

struct StripFrame {
  QString label;      // file name, «0.7 s»
  HeatmapScene scene;
  double share = 0;   // of the map's total, NaN without a map
};

class FrameStrip : public QAbstractScrollArea, public CellSource {
  Q_OBJECT
 public:
  explicit FrameStrip(QWidget* parent = nullptr);
  void setFrames(const std::vector<StripFrame>& frames);
  const std::vector<StripFrame>& frames() const { return m_frames; }
  void setCurrent(int frame);
  int current() const { return m_current; }

  /// All frames in one row; used by export. Returns the width used at this height.
  static double paintFrames(QPainter& painter, const QRectF& rect, const std::vector<StripFrame>& frames, int current, const Colors& colors);
  static double widthFor(const std::vector<StripFrame>& frames, double height);

  QSize sizeHint() const override { return {400, 92}; }
  QSize minimumSizeHint() const override { return {160, 92}; }
  int cellCount() const override { return int(m_frames.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_current; }

 Q_SIGNALS:
  void picked(int frame);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void pick(int frame);
  std::vector<StripFrame> m_frames;
  int m_current = 0;
};

}  // namespace cuescope
