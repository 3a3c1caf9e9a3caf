// Numbers behind the curve grid: smoothing, ticks, labels. No widget. Any thread.
#pragma once

#include <QString>
#include <vector>

#include "widgets/curve_plot.h"

namespace cuescope::curves {

/// x of a run in the chosen unit: steps, tokens, or seconds.
const std::vector<double>& xValues(const CurveRun& run, CurveX x);
/// x of a step of a run, between its neighbours when it is not there.
double xOfStep(const CurveRun& run, CurveX x, double step);
/// Nearest step of a run to an x.
double stepOfX(const CurveRun& run, CurveX x, double value);
/// Index of the last point at or before a step, -1 if none.
int indexAt(const CurveRun& run, double step);
/// 3 to 5 round ticks inside a range; decades on a log axis.
std::vector<double> ticks(double low, double high, bool log, int wanted);
/// «0.25», «2.4 M», «1 h»: short label of a tick.
QString tickText(double value, double step, bool log);
/// The labels of an axis, at most `most` characters each: where values lie closer than that shows, they are counted from the first
/// one, which stands in `base` with what is counted: «0.39851, in 1e−6».
struct TickLabels {
  std::vector<QString> texts;
  QString base;
};
TickLabels tickLabels(const std::vector<double>& values, bool log, qsizetype most = 7);
QString timeTickText(double seconds, double range);

}  // namespace cuescope::curves
