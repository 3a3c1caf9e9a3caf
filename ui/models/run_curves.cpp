#include "ui/models/run_curves.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>
#include <set>

namespace cuescope {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("RunCurves", text); }

double metric(const StepPtr& step, const std::string& name) {
  const auto found = step->metrics.find(name);
  return found == step->metrics.end() ? std::nan("") : found->second;
}

std::vector<double> column(const RunRecord& record, const std::string& name) {
  std::vector<double> values;
  values.reserve(record.steps.size());
  for (const StepPtr& step : record.steps) values.push_back(metric(step, name));
  return values;
}
bool any(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return !std::isnan(v); });
}
/// Values that come only every n-th step are joined, not smoothed.
bool sparse(const std::vector<double>& values) {
  return std::count_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }) * 3 > long(values.size());
}

/// One plot of one metric, every run a line.
struct Plot {
  std::vector<const char*> metrics;  // the first that the run has
  const char *title, *unit;
  int decimals;
  bool log = false;
  const char *low = nullptr, *high = nullptr;
};

void addPlain(CurveSet& set, const std::vector<const RunRecord*>& records, const Plot& plot) {
  CurvePanel panel;
  for (const char* name : plot.metrics) {
    if (!any(column(*records.front(), name))) continue;
    panel.id = QString::fromLatin1(name);
    for (std::size_t r = 0; r < records.size(); ++r) {
      CurveSeries series;
      series.run = int(r);
      series.y = column(*records[r], name);
      if (!any(series.y)) continue;
      series.smoothed = !sparse(series.y);
      if (plot.low && r == 0) series.low = column(*records[r], plot.low), series.high = column(*records[r], plot.high);
      panel.series.push_back(std::move(series));
    }
    break;
  }
  if (panel.series.empty()) return;
  panel.title = tr(plot.title), panel.unit = tr(plot.unit), panel.decimals = plot.decimals, panel.log = plot.log;
  set.panels.push_back(std::move(panel));
}

void addPair(CurveSet& set, const RunRecord& record, const char* id, const char* student, const char* teacher, const char* title, const char* unit) {
  CurvePanel panel;
  panel.id = QString::fromLatin1(id), panel.title = tr(title), panel.unit = tr(unit), panel.decimals = 3;
  const char* const names[] = {student, teacher};
  for (int k = 0; k < 2; ++k) {
    CurveSeries series;
    series.kind = CurveSeries::Kind::Condition, series.index = k;
    series.label = k ? tr("teacher") : tr("student");
    series.y = column(record, names[k]);
    series.smoothed = !sparse(series.y);
    if (any(series.y)) panel.series.push_back(std::move(series));
  }
  if (!panel.series.empty()) set.panels.push_back(std::move(panel));
}

void addLayers(CurveSet& set, const RunRecord& record, const std::string& prefix, const char* title, const char* unit, int decimals, bool log = false) {
  std::set<int> layers;
  for (const StepPtr& step : record.steps)
    for (auto it = step->metrics.lower_bound(prefix); it != step->metrics.end() && it->first.starts_with(prefix); ++it) layers.insert(std::atoi(it->first.c_str() + prefix.size()));
  if (layers.empty()) return;
  CurvePanel panel;
  panel.id = QString::fromStdString(prefix), panel.title = tr(title), panel.unit = tr(unit), panel.decimals = decimals, panel.log = log;
  int index = 0;
  for (const int layer : layers) {
    CurveSeries series;
    series.kind = CurveSeries::Kind::Ordinal, series.index = index++, series.count = int(layers.size());
    series.label = QStringLiteral("L%1").arg(layer);
    series.y = column(record, prefix + std::to_string(layer));
    series.smoothed = !sparse(series.y);
    panel.series.push_back(std::move(series));
  }
  set.panels.push_back(std::move(panel));
}

}  // namespace

CurveSet curvesOf(const std::vector<const RunRecord*>& records, const std::vector<HealthEvent>& health) {
  CurveSet set;
  if (records.empty() || !records.front() || records.front()->steps.empty()) return set;
  for (const RunRecord* record : records) {
    CurveRun run;
    run.name = QString::fromStdString(record->status.run);
    for (const StepPtr& step : record->steps) {
      run.steps.push_back(step->step);
      run.tokens.push_back(double(step->tokensSinceStart));
      run.seconds.push_back(step->secondsSinceStart);
    }
    set.runs.push_back(std::move(run));
  }
  const RunRecord& own = *records.front();
  addPlain(set, records, {{"actor/distillation/loss", "distillation/loss", "actor/loss"}, "Distillation loss", "nats", 3});
  addPlain(set, records, {{"distillation/gap"}, "Gap", "log p(T + cue) − log p(S), mean, nats", 3});
  addPlain(set, records, {{"val/accuracy"}, "Accuracy, held-out", "with 95 % interval", 3, false, "val/accuracy_low", "val/accuracy_high"});
  addPlain(set, records, {{"response_length/mean"}, "Response length", "tokens, mean", 1});
  addPlain(set, records, {{"actor/entropy"}, "Entropy", "student, nats", 3});
  addPlain(set, records, {{"actor/grad_norm"}, "Gradient norm", "before clip", 3, true});
  addLayers(set, own, "cue/evidence_mass/L", "Evidence mass", "sink map inside boxes, by layer", 3);
  addLayers(set, own, "cue/update_ratio/L", "Update size", "‖out‖ / ‖sink‖, by layer", 3);
  addLayers(set, own, "cue/sink_entropy/L", "Sink attention entropy", "nats, by layer", 2);
  addPair(set, own, "actor/distillation/student_mass", "actor/distillation/student_mass", "actor/distillation/teacher_mass", "Top-k mass", "on the teacher's top tokens");
  addPlain(set, records, {{"critic/accuracy/mean"}, "Accuracy, rollouts", "share right", 3});
  addPlain(set, records, {{"actor/distillation/abs_loss"}, "Mean |gap|", "unclamped, nats", 3});
  addLayers(set, own, "cue/grad_norm/L", "Cue gradient", "norm, by layer", 4, true);
  addPlain(set, records, {{"critic/score/mean"}, "Reward", "mean", 3});
  addPlain(set, records, {{"perf/throughput"}, "Speed", "tokens a second", 0});
  addPlain(set, records, {{"perf/cpu_memory_used_gb"}, "Memory", "GB, this process", 2});
  for (const HealthEvent& event : health) {
    CurvePanel* on = nullptr;
    for (CurvePanel& panel : set.panels)
      if (panel.id == event.metric || (event.check == QLatin1String("loss") && !on && &panel == &set.panels.front())) on = &panel;
    if (on) on->marks.push_back({double(event.step), event.words});
  }
  return set;
}

std::vector<int> probeLayers(const std::vector<StepPtr>& steps) {
  for (const StepPtr& step : steps)
    if (!step->probes.empty()) return step->probes.front().layers;
  return {};
}

std::vector<FilmRow> filmOf(const std::vector<StepPtr>& steps, int layer, const QHash<QString, QImage>& pictures) {
  std::vector<FilmRow> rows;
  for (const StepPtr& step : steps)
    for (const ProbeMap& probe : step->probes) {
      const QString label = QString::fromStdString(probe.image);
      auto row = std::find_if(rows.begin(), rows.end(), [&](const FilmRow& r) { return r.label == label; });
      if (row == rows.end()) row = rows.insert(rows.end(), FilmRow{label, pictures.value(label), probe.gridRows, probe.gridCols, {}});
      const std::size_t n = std::size_t(probe.gridRows) * std::size_t(probe.gridCols);
      std::vector<float> map(n, 0.f);
      int used = 0;
      for (std::size_t l = 0; l < probe.layers.size() && (l + 1) * n <= probe.values.size(); ++l) {
        if (layer >= 0 && probe.layers[l] != layer) continue;
        for (std::size_t i = 0; i < n; ++i) map[i] += probe.values[l * n + i];
        ++used;
      }
      if (!used) continue;
      for (float& v : map) v /= float(used);
      row->maps[step->step] = std::move(map);
    }
  return rows;
}

PhaseData phasesOf(const RunRecord& record) {
  PhaseData data;
  if (!record.steps.empty()) {
    const StepSnapshot& last = *record.steps.back();
    data.step = last.step;
    // The order of the work; what is not named here comes last.
    const std::vector<std::pair<const char*, QString>> known{{"rollout", tr("Rollout")}, {"score", tr("Score")}, {"backward", tr("Backward")}, {"update", tr("Update")},
                                                             {"evaluate", tr("Evaluate")}, {"probe", tr("Probe")}, {"save", tr("Save")}};
    for (const auto& [name, title] : known) {
      const auto found = last.phaseSeconds.find(name);
      if (found != last.phaseSeconds.end() && found->second > 0) data.phases.push_back({title, found->second});
      else if (QLatin1String(name) == QLatin1String("rollout") || QLatin1String(name) == QLatin1String("score")) data.phases.push_back({title, 0});  // keeps the hues in place
    }
  }
  if (record.status.state == RunState::Running || record.status.state == RunState::Paused) {
    data.nowStep = record.status.step + (record.status.step < record.status.totalSteps ? 1 : 0);
    data.nowPhase = QString::fromStdString(record.status.phase);
    data.nowDone = record.status.phaseDone, data.nowTotal = record.status.phaseTotal;
  }
  return data;
}

QString runStateTitle(RunState state) {
  switch (state) {
    case RunState::Ready: return tr("Loading");
    case RunState::Running: return tr("Running");
    case RunState::Paused: return tr("Paused");
    case RunState::Stopping: return tr("Stopping");
    case RunState::Completed: return tr("Completed");
    case RunState::Stopped: return tr("Stopped");
    case RunState::Failed: return tr("Failed");
  }
  return {};
}

}  // namespace cuescope
