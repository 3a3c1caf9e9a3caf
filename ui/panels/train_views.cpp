// The views of the Train page as values: what is exported and copied.
#include <QFileInfo>
#include <algorithm>
#include <cmath>

#include "ui/panels/train_column.h"
#include "ui/panels/train_page.h"
#include "ui/panels/train_side.h"
#include "widgets/curve_plot.h"
#include "widgets/error_panel.h"
#include "widgets/film_strip.h"

namespace cuescope {
namespace {

QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 9) : QString(); }

}  // namespace

QStringList TrainPage::viewNames() const {
  return {QStringLiteral("curves"), QStringLiteral("probes"), QStringLiteral("phases"), QStringLiteral("health"), QStringLiteral("checkpoints"), QStringLiteral("parameters"), QStringLiteral("yaml"), QStringLiteral("difference")};
}

PageView TrainPage::view(const QString& name) const {
  const RunRecord* record = m_session.run(m_run);
  if (!record) nothingToExport(tr("Train"), tr("no run is chosen"), tr("Choose a run first."));
  PageView view;
  view.page = QStringLiteral("Train");
  view.name = name;
  view.dark = Theme::instance().isDark();
  view.facts << tr("run %1, step %2 of %3").arg(m_run).arg(record->status.step).arg(record->status.totalSteps);
  ViewTable table;
  if (name == u"probes") {
    const std::vector<FilmRow> rows = filmOf(record->steps, m_layer, m_pictures);
    if (rows.empty()) nothingToExport(tr("Probe images"), tr("this run has saved no probe maps"), tr("Choose a run with a cue module."));
    const QString layer = m_layer < 0 ? tr("mean of layers") : tr("layer %1").arg(m_layer);
    view.title = tr("Probe images of %1: the sink's map over the steps").arg(m_run);
    view.facts << tr("share of the sink's attention a patch, %1, mean of heads").arg(layer) << tr("Attention is not a cause.");
    view.kind = QStringLiteral("film");
    view.data = filmData(rows, defaultColorMap(view.dark), m_selection.step());
    return view;
  }
  if (name == u"phases") {
    const PhaseData phases = phasesOf(*record);
    if (phases.phases.empty()) nothingToExport(tr("Phases"), tr("no step has ended yet"), tr("Wait for the first step."));
    view.title = tr("Where the time of step %1 of %2 went").arg(phases.step).arg(m_run);
    view.facts << tr("seconds by phase");
    view.kind = QStringLiteral("phases");
    view.data = phasesData(phases);
    return view;
  }
  if (name == u"health") {
    view.title = tr("Health of %1").arg(m_run);
    const std::vector<HealthEvent> events = eventsOf(m_watch);
    table.columns = {"check", "begins_at_step", "trouble", "detail"};
    for (const HealthEvent& event : events) table.rows.push_back({event.check, QString::number(event.step), event.title, event.detail});
    for (const QString& check : healthChecks())
      if (std::none_of(events.begin(), events.end(), [&](const HealthEvent& e) { return e.check == check; })) table.rows.push_back({check, QString(), record->steps.empty() ? tr("not judged yet") : tr("none found"), healthCheckHelp(check)});
  } else if (name == u"checkpoints") {
    view.title = tr("Checkpoints of %1").arg(m_run);
    view.facts << tr("gap: mean of log p(teacher + cue) − log p(student), nats; accuracy: held-out share of right answers");
    const std::vector<CheckpointInfo>& checkpoints = m_column->checkpoints()->checkpoints();
    if (checkpoints.empty()) nothingToExport(tr("Checkpoints"), tr("this run has no checkpoint yet"), tr("Write one with «Checkpoint now»."));
    table.columns = {"step", "gap_nats", "accuracy", "bytes", "folder", "best"};
    const int best = CheckpointList::bestStep(checkpoints);
    for (const CheckpointInfo& info : checkpoints) {
      const auto metric = [&](const char* key) { return info.metrics.count(key) ? exact(info.metrics.at(key)) : QString(); };
      table.rows.push_back({QString::number(info.step), metric("distillation/gap"), metric("val/accuracy"), QString::number(qint64(info.bytes)), QFileInfo(QString::fromStdString(info.folder)).fileName(), info.step == best ? QStringLiteral("1") : QStringLiteral("0")});
    }
  } else if (name == u"parameters" || name == u"yaml" || name == u"difference") {
    const ParameterList* list = name == u"parameters" ? m_column->parameters() : name == u"yaml" ? m_column->yaml() : m_column->difference();
    const QString other = list->otherRun();
    view.title = name == u"difference" ? tr("Parameters of %1 beside those of %2").arg(m_run, other.isEmpty() ? tr("the defaults") : other) : name == u"yaml" ? tr("Configuration of %1").arg(m_run) : tr("Parameters of %1").arg(m_run);
    table.columns = list->columns();
    table.rows = list->shownRows();
    if (table.rows.empty()) nothingToExport(tr("Parameters"), tr("the run's configuration is not known"), tr("Choose another run."));
  } else {
    if (m_curves->panels().empty()) nothingToExport(tr("Curves"), tr("no step has arrived yet"), tr("Wait for the first step."));
    static const char* const kAxes[] = {"training step", "response tokens", "seconds"};
    view.title = m_overlay.isEmpty() ? tr("Curves of %1").arg(m_run) : tr("Curves of %1 with %2").arg(m_run, m_overlay.join(QStringLiteral(", ")));
    view.facts << tr("x: %1; thin: raw values; thick: exponentially smoothed, factor %2; the numbers are raw").arg(QLatin1String(kAxes[int(m_curves->x())]), number(m_curves->smoothing(), 2));
    view.kind = QStringLiteral("curves");
    view.data = curvesData(*m_curves, 3);
    return view;
  }
  view.kind = QStringLiteral("table");
  view.data = tableData(table);
  return view;
}

void TrainPage::showFailure(const Failure& failure) { showFailure(failure, {tr("Hide")}); }

}  // namespace cuescope
