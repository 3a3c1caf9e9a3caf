// What a curve grid shows besides its curves: title, values at the cursor, tick labels, reference, health marks, names at the
// lines' ends, the cursor. Pure painting over plain geometry. UI thread.
#pragma once

#include <QPen>
#include <QRectF>
#include <functional>
#include <vector>

#include "widgets/curve_plot.h"

namespace cuescope {

/// Where one panel's axes lie and how its numbers become pixels.
struct PanelFrame {
  QRectF axes, outer;
  std::vector<double> xTicks, yTicks;
  std::function<double(double)> xOf, yOf;
  double xSpan = 0;   // of the axis, in its unit
  int omitted = 0;    // points that a log axis cannot show
};

/// Hue and dash of a series: ink, sand, clay, grey for runs; the condition's hue; depth order for layers.
QPen seriesPen(const CurveSeries& series, const Colors& colors, double width);
void paintPanelFrame(QPainter& painter, const CurveGrid& grid, int index, const std::vector<CurveRun>& runs, const PanelFrame& frame, const Colors& colors);

}  // namespace cuescope
