// BenchLoads: a window beside the studio with what is large: curves of a million points, and a picture of 4096 × 4096 pixels with
// a map value for each. Made-up numbers, for measurements alone. UI thread.
#pragma once

#include <QWidget>

class QStackedWidget;

namespace cuescope {

class CurveGrid;
class ImageCanvas;

class BenchLoads : public QWidget {
  Q_OBJECT
 public:
  BenchLoads();
  void showCurves(bool curves);
  CurveGrid* curves() const { return m_curves; }
  ImageCanvas* canvas() const { return m_canvas; }
  double points() const { return kPoints; }

  static constexpr int kPoints = 1'000'000, kSide = 4096;

 private:
  QStackedWidget* m_stack = nullptr;
  CurveGrid* m_curves = nullptr;
  ImageCanvas* m_canvas = nullptr;
};

}  // namespace cuescope
