#include "ui/models/run_curves.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>
#include <set>

namespace cuescope {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("RunCurves", text); }

using Columns = std::vector<const RunColumns*>;

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
  const char* help = "";
  const char *low = nullptr, *high = nullptr;
};

void addPlain(CurveSet& set, const Columns& columns, const Plot& plot) {
  CurvePanel panel;
  for (const char* name : plot.metrics) {
    if (!columns.front()->find(name)) continue;
    panel.id = QString::fromLatin1(name);
    for (std::size_t r = 0; r < columns.size(); ++r) {
      const std::vector<double>* values = columns[r]->find(name);
      if (!values) continue;
      CurveSeries series;
      series.run = int(r);
      series.y = *values;
      series.smoothed = !sparse(series.y);
      const std::vector<double>*low = plot.low ? columns[r]->find(plot.low) : nullptr, *high = plot.high ? columns[r]->find(plot.high) : nullptr;
      if (low && high && r == 0) series.low = *low, series.high = *high;
      panel.series.push_back(std::move(series));
    }
    break;
  }
  if (panel.series.empty()) return;
  panel.title = tr(plot.title), panel.unit = tr(plot.unit), panel.decimals = plot.decimals, panel.log = plot.log, panel.help = tr(plot.help);
  set.panels.push_back(std::move(panel));
}

void addPair(CurveSet& set, const RunColumns& columns, const char* id, const char* student, const char* teacher, const Plot& plot) {
  CurvePanel panel;
  panel.id = QString::fromLatin1(id), panel.title = tr(plot.title), panel.unit = tr(plot.unit), panel.decimals = 3, panel.help = tr(plot.help);
  const char* const names[] = {student, teacher};
  for (int k = 0; k < 2; ++k) {
    const std::vector<double>* values = columns.find(names[k]);
    if (!values) continue;
    CurveSeries series;
    series.kind = CurveSeries::Kind::Condition, series.index = k;
    series.label = k ? tr("teacher") : tr("student");
    series.y = *values;
    series.smoothed = !sparse(series.y);
    panel.series.push_back(std::move(series));
  }
  if (!panel.series.empty()) set.panels.push_back(std::move(panel));
}

void addLayers(CurveSet& set, const RunColumns& columns, const std::string& prefix, const Plot& plot, const QString& label = QStringLiteral("L%1")) {
  std::vector<int> layers;
  for (const std::string& name : columns.names(prefix)) layers.push_back(std::atoi(name.c_str() + prefix.size()));
  std::sort(layers.begin(), layers.end());
  if (layers.empty()) return;
  CurvePanel panel;
  panel.id = QString::fromStdString(prefix), panel.title = tr(plot.title), panel.unit = tr(plot.unit), panel.decimals = plot.decimals, panel.log = plot.log, panel.help = tr(plot.help);
  int index = 0;
  for (const int layer : layers) {
    CurveSeries series;
    series.kind = CurveSeries::Kind::Ordinal, series.index = index++, series.count = int(layers.size());
    series.label = label.arg(layer);
    series.y = *columns.find(prefix + std::to_string(layer));
    series.smoothed = !sparse(series.y);
    panel.series.push_back(std::move(series));
  }
  set.panels.push_back(std::move(panel));
}

// Scalars that another program wrote under names of its own: each a plot, with its name as the title.
void addUnknown(CurveSet& set, const Columns& columns) {
  std::set<std::string> drawn;
  for (const CurvePanel& panel : set.panels) {
    const std::string id = panel.id.toStdString();
    for (const std::string& name : columns.front()->names(id)) drawn.insert(name);  // one metric, or the layers of a prefix
  }
  for (const char* part : {"val/accuracy_low", "val/accuracy_high", "actor/distillation/teacher_mass"}) drawn.insert(part);
  for (const std::string& name : columns.front()->names("")) {
    if (drawn.contains(name) || name.starts_with("phase/")) continue;
    addPlain(set, columns, {{name.c_str()}, "", "as it was written", 4, false, "A scalar under the name that the other program gave it."});
    set.panels.back().title = QString::fromStdString(name);
  }
}

}  // namespace

void RunColumns::update(const std::vector<StepPtr>& steps) {
  // Resumed from an earlier checkpoint, or another run: from the beginning.
  const bool grown = m_axis.steps.empty() || (steps.size() >= size() && m_first == steps.front() && m_last == steps[size() - 1]);
  if (!grown) m_columns.clear(), m_axis = {}, m_first.reset(), m_last.reset();
  if (steps.empty()) return;
  for (std::size_t i = size(); i < steps.size(); ++i) {
    const StepSnapshot& step = *steps[i];
    m_axis.steps.push_back(step.step);
    m_axis.tokens.push_back(double(step.tokensSinceStart));
    m_axis.seconds.push_back(step.secondsSinceStart);
    const auto put = [&](const std::string& name, double value) {
      std::vector<double>& column = m_columns[name];
      column.resize(i, std::nan(""));
      column.push_back(value);
    };
    for (const auto& [name, value] : step.metrics) put(name, value);
    for (const auto& [name, value] : step.phaseSeconds) put("phase/" + name, value);
  }
  for (auto& [name, column] : m_columns) column.resize(steps.size(), std::nan(""));
  m_first = steps.front(), m_last = steps.back();
}

const std::vector<double>* RunColumns::find(const std::string& name) const {
  const auto found = m_columns.find(name);
  return found == m_columns.end() || !any(found->second) ? nullptr : &found->second;
}

std::vector<std::string> RunColumns::names(const std::string& prefix) const {
  std::vector<std::string> found;
  for (auto it = m_columns.lower_bound(prefix); it != m_columns.end() && it->first.starts_with(prefix); ++it)
    if (any(it->second)) found.push_back(it->first);
  return found;
}

CurveSet curvesOf(const std::vector<const RunRecord*>& records, const std::vector<HealthEvent>& health) {
  std::vector<RunColumns> kept(records.size());
  std::vector<const RunColumns*> columns;
  for (std::size_t r = 0; r < records.size(); ++r) {
    if (records[r]) kept[r].update(records[r]->steps);
    columns.push_back(&kept[r]);
  }
  return curvesOf(records, columns, health);
}

CurveSet curvesOf(const std::vector<const RunRecord*>& records, const Columns& columns, const std::vector<HealthEvent>& health) {
  CurveSet set;
  if (records.empty() || !records.front() || records.front()->steps.empty()) return set;
  for (std::size_t r = 0; r < records.size(); ++r) {
    CurveRun run = columns[r]->axis();
    run.name = QString::fromStdString(records[r]->status.run);
    set.runs.push_back(std::move(run));
  }
  const RunColumns& own = *columns.front();
  addPlain(set, columns, {{"actor/distillation/loss", "distillation/loss"}, "Distillation loss", "nats", 3, false, "What the update lowers: the divergence of the student from the teacher that reads the cue, over the student's own answers."});
  if (set.panels.empty()) addPlain(set, columns, {{"actor/loss"}, "Loss", "", 3, false, "What the update lowers. This run has no teacher to be distilled from."});
  addPlain(set, columns, {{"distillation/gap"}, "Gap", "log p(T + cue) − log p(S), mean, nats", 3, false, "How much more likely the teacher finds the student's tokens than the student itself; the advantage of the method. k1 is its negative."});
  addPlain(set, columns, {{"val/accuracy"}, "Accuracy, held-out", "with 95 % interval", 3, false, "Share of held-out questions that the student answers right, greedily.", "val/accuracy_low", "val/accuracy_high"});
  addPlain(set, columns, {{"response_length/mean"}, "Response length", "tokens, mean", 1, false, "Mean tokens of an answer. A steady fall is the commonest way for on-policy distillation to go wrong."});
  addPlain(set, columns, {{"actor/entropy"}, "Entropy", "student, nats", 3, false, "Mean entropy of the student's next-token distribution."});
  addPlain(set, columns, {{"actor/grad_norm"}, "Gradient norm", "before clip", 3, true, "Length of the gradient before it is clipped to actor.grad_clip."});
  addLayers(set, own, "cue/evidence_mass/L", {{}, "Evidence mass", "inside boxes, by layer", 3, false, "Share of the sink's attention inside the evidence boxes of the probe rows. Uniform attention gives the boxes' share of the picture."});
  addLayers(set, own, "cue/update_ratio/L", {{}, "Update size", "‖out‖ / ‖sink‖, by layer", 3, false, "Length of what the cue module adds, relative to the sink state it is added to. 0 at the start with zero_o."});
  addPlain(set, columns, {{"cue/recovery_gain"}, "Recovery gain", "nats a token of the reference answers", 4, false, "Log-probability of the probe rows' reference answers with the cue module minus without it, mean over their tokens. 0: the module changes nothing."});
  addLayers(set, own, "cue/sink_entropy/L", {{}, "Sink attention entropy", "nats, by layer", 2, false, "Entropy of the sink's attention over the visual tokens. Uniform attention gives the logarithm of their number."});
  addPair(set, own, "actor/distillation/student_mass", "actor/distillation/student_mass", "actor/distillation/teacher_mass", {{}, "Top-k mass", "share", 3, false, "Probability that student and teacher put on the teacher's top-k tokens: what of them the loss sees."});
  addLayers(set, own, "distillation/gap_quarter_", {{}, "Gap by quarter", "of the answer, mean, nats", 3, false, "The gap over the first to the last quarter of each answer: where in it the teacher disagrees."}, QStringLiteral("Q%1"));
  addPlain(set, columns, {{"actor/distillation/k1"}, "k1", "log p(S) − log p(T + cue), mean, nats", 3, false, "The plain estimator of KL(S || T) on sampled tokens; the gap with its sign turned."});
  addPlain(set, columns, {{"actor/distillation/k3"}, "k3", "clamped to 10, mean, nats", 3, false, "The estimator of KL(S || T) that is never negative: exp(gap) − 1 − gap."});
  addPlain(set, columns, {{"actor/distillation/clamp_share"}, "Clamp share", "tokens at loss_max_clamp", 4, false, "Share of tokens whose loss was cut at distillation.loss_max_clamp."});
  addPlain(set, columns, {{"actor/distillation/abs_loss"}, "Mean |loss|", "unclamped, nats", 3, false, "Mean size of the token losses before the clamp."});
  addPlain(set, columns, {{"critic/accuracy/mean"}, "Accuracy, rollouts", "share right", 3, false, "Share of this step's sampled answers that are right."});
  addPlain(set, columns, {{"critic/format/mean"}, "Format, rollouts", "share well formed", 3, false, "Share of this step's sampled answers that keep the form that is asked for, apart from being right."});
  addPlain(set, columns, {{"critic/score/mean"}, "Reward", "mean", 3, false, "Mean task reward of this step's answers."});
  addPlain(set, columns, {{"distillation/teacher_prompt_hit_rate"}, "Hit rate", "teacher prompts with cue or hint", 3, false, "Share of the teacher's prompts that hold the privileged text. 0 when the run gives none."});
  addPlain(set, columns, {{"response_length/clip_ratio"}, "Cut answers", "share at the longest length", 3, false, "Share of answers that reached data.max_response_length without ending."});
  addPlain(set, columns, {{"training/rollout_logprob_diff_mean"}, "Rollout against training", "mean |Δ log p|, nats", 5, true, "How far the log-probabilities of sampling and training differ on the same tokens. Above 0.02 the gradient is not that of the answers."});
  addLayers(set, own, "cue/grad_norm/L", {{}, "Cue gradient", "norm, by layer", 4, true, "Length of the gradient of each injection layer's cue module."});
  addPlain(set, columns, {{"actor/lr"}, "Learning rate", "of the schedule", 6, false, "Learning rate of this update."});
  addPlain(set, columns, {{"perf/throughput"}, "Speed", "tokens a second", 0, false, "Prompt and answer tokens of the step by the time it took."});
  addPlain(set, columns, {{"perf/time_per_step"}, "Step time", "seconds", 2, false, "Seconds of a step, evaluation and saving included."});
  addPlain(set, columns, {{"perf/max_memory_allocated_gb"}, "GPU memory", "GB, peak", 2, false, "The most that tensors have held on the device since the process began."});
  addPlain(set, columns, {{"perf/cpu_cores_used"}, "Processor", "cores in use", 2, false, "Processor seconds of the process that trains, by the seconds of the step."});
  addPlain(set, columns, {{"perf/cpu_memory_used_gb"}, "Memory", "GB, this process", 2, false, "Resident memory of the process that trains."});
  if (records.front()->foreign) addUnknown(set, columns);
  for (const HealthEvent& event : health) {
    CurvePanel* on = nullptr;
    for (CurvePanel& panel : set.panels)
      if (panel.id == event.metric || (event.check == QLatin1String("loss") && !on && &panel == &set.panels.front())) on = &panel;
    if (!on && event.check == QLatin1String("finite") && !set.panels.empty()) on = &set.panels.front();
    if (on) on->marks.push_back({double(event.step), event.words});
  }
  return set;
}

// The pictures of a row share its attention.
static int visualTokensOf(const StepSnapshot& step, const ProbeMap& probe) {
  const std::size_t name = probe.image.rfind(" image ");
  if (name == std::string::npos) return probe.gridRows * probe.gridCols;
  int tokens = 0;
  for (const ProbeMap& other : step.probes)
    if (other.image.rfind(" image ") == name && other.image.compare(0, name, probe.image, 0, name) == 0) tokens += other.gridRows * other.gridCols;
  return tokens;
}

void explainCurves(CurveSet& set, const RunConfig& config, const std::vector<StepPtr>& steps, double uniformEvidence) {
  // A uniform map's entropy is the logarithm of the visual tokens: known when all probe rows have the same number of them.
  double patches = 0;
  bool alike = true;
  for (const StepPtr& step : steps)
    for (const ProbeMap& map : step->probes) {
      const double n = visualTokensOf(*step, map);
      alike = alike && (patches == 0 || patches == n);
      patches = n;
    }
  for (CurvePanel& panel : set.panels) {
    const auto refer = [&](double value, const QString& name) {
      if (std::isfinite(value)) panel.reference = value, panel.referenceName = name;
    };
    if (panel.id.endsWith(QLatin1String("distillation/loss"))) {
      panel.unit = config.distillation.usePolicyGradient ? tr("policy gradient, %1").arg(QString::fromStdString(config.actor.lossAggMode)) : tr("%1, nats").arg(QString::fromStdString(config.actor.lossAggMode));
      panel.help = tr("%1 Tokens are weighed by actor.loss_agg_mode, here %2.").arg(panel.help, QString::fromStdString(config.actor.lossAggMode));
    } else if (panel.id == QLatin1String("actor/loss")) {
      panel.unit = QString::fromStdString(config.actor.lossAggMode);
    } else if (panel.id == QLatin1String("actor/grad_norm")) {
      refer(config.actor.gradClip, tr("clip %1").arg(number(config.actor.gradClip, config.actor.gradClip < 0.1 ? 2 : 1)));
    } else if (panel.id == QLatin1String("cue/evidence_mass/L")) {
      refer(uniformEvidence, tr("uniform"));
    } else if (panel.id == QLatin1String("cue/sink_entropy/L")) {
      refer(alike && patches > 1 ? std::log(patches) : std::nan(""), tr("uniform"));
    } else if (panel.id == QLatin1String("training/rollout_logprob_diff_mean")) {
      refer(config.rollout.gapAlarm, tr("alarm %1").arg(QString::number(config.rollout.gapAlarm)));
    }
  }
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
      if (row == rows.end()) row = rows.insert(rows.end(), FilmRow{label, pictures.value(label), probe.gridRows, probe.gridCols, {}, 0});
      row->visualTokens = visualTokensOf(*step, probe);
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

PhaseData phasesOf(const RunRecord& record, int step) {
  PhaseData data;
  if (!record.steps.empty()) {
    auto chosen = std::prev(record.steps.end());
    if (step >= 0)
      while (chosen != record.steps.begin() && (*chosen)->step > step) --chosen;
    const StepSnapshot& last = **chosen;
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
