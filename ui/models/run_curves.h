// From the metrics of runs to the plots of the Train page: which metric is which curve, in which order, with which words. And
// from probe maps to the rows of the film strip. Pure functions; UI thread.
#pragma once

#include <QHash>
#include <QImage>
#include <vector>

#include "ui/models/run_health.h"
#include "ui/session.h"
#include "widgets/curve_plot.h"
#include "widgets/film_strip.h"
#include "widgets/phase_bar.h"

namespace cuescope {

struct CurveSet {
  std::vector<CurveRun> runs;
  std::vector<CurvePanel> panels;
};
/// `records`: the selected run first, then those overlaid (at most three). Only metrics that the selected run has become plots.
CurveSet curvesOf(const std::vector<const RunRecord*>& records, const std::vector<HealthEvent>& health);

/// Layers that the run's probe maps have.
std::vector<int> probeLayers(const std::vector<StepPtr>& steps);
/// Rows of the film strip for one layer (-1: mean of the layers). `pictures` by label.
std::vector<FilmRow> filmOf(const std::vector<StepPtr>& steps, int layer, const QHash<QString, QImage>& pictures);

/// Time of the last finished step by phase, and the step in progress.
PhaseData phasesOf(const RunRecord& record);

/// «Running», «Paused», ...: the window's words for a state.
QString runStateTitle(RunState state);

}  // namespace cuescope
