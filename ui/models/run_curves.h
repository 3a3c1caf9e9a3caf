// From the metrics of runs to the plots of the Train page: which metric is which curve, in which order, with which words. And
// from probe maps to the rows of the film strip. Pure functions; UI thread.
#pragma once

#include <QHash>
#include <QImage>
#include <map>
#include <vector>

#include "ui/models/run_health.h"
#include "ui/session.h"
#include "widgets/curve_plot.h"
#include "widgets/film_strip.h"
#include "widgets/phase_bar.h"

namespace cuescope {

/// A run's metrics as columns, one value a step (NaN: none), grown with the run: a long run is not walked through again.
class RunColumns {
 public:
  void update(const std::vector<StepPtr>& steps);
  /// Null when the run has no such metric.
  const std::vector<double>* find(const std::string& name) const;
  /// Names that begin with a prefix, in order.
  std::vector<std::string> names(const std::string& prefix) const;
  const CurveRun& axis() const { return m_axis; }
  std::size_t size() const { return m_axis.steps.size(); }

 private:
  std::map<std::string, std::vector<double>> m_columns;
  CurveRun m_axis;
  StepPtr m_first, m_last;
};

struct CurveSet {
  std::vector<CurveRun> runs;
  std::vector<CurvePanel> panels;
};
/// `records`: the selected run first, then those overlaid (at most three). Only metrics that the selected run has become plots;
/// those of a run of another program all do, the unknown ones under their own names behind the known.
CurveSet curvesOf(const std::vector<const RunRecord*>& records, const std::vector<HealthEvent>& health);
/// The same from columns that are kept; side by side with the records.
CurveSet curvesOf(const std::vector<const RunRecord*>& records, const std::vector<const RunColumns*>& columns, const std::vector<HealthEvent>& health);

/// What only the run's configuration can say: how the loss weighs tokens, where the gradient is clipped, what a uniform map would
/// have. `uniformEvidence`: evidence mass of a uniform map over the probe rows, NaN: not known, no line.
void explainCurves(CurveSet& set, const RunConfig& config, const std::vector<StepPtr>& steps, double uniformEvidence);

/// Layers that the run's probe maps have.
std::vector<int> probeLayers(const std::vector<StepPtr>& steps);
/// Rows of the film strip for one layer (-1: mean of the layers). `pictures` by label.
std::vector<FilmRow> filmOf(const std::vector<StepPtr>& steps, int layer, const QHash<QString, QImage>& pictures);

/// Time by phase of the newest finished step up to `step` (-1: of the last), and the step in progress.
PhaseData phasesOf(const RunRecord& record, int step = -1);

/// «Running», «Paused», ...: the window's words for a state.
QString runStateTitle(RunState state);

}  // namespace cuescope
