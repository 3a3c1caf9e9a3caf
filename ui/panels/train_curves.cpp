// What a person does with single curves of the Train page: their menu, one laid into another plot, one alone as a view.
#include <QApplication>
#include <QClipboard>
#include <QJsonArray>
#include <QMenu>
#include <algorithm>

#include "ui/panels/train_page.h"
#include "ui/undo.h"
#include "widgets/curve_plot.h"

namespace cuescope {
namespace {

const CurvePanel* panelOf(const CurveGrid& grid, const QString& id) {
  const auto found = std::find_if(grid.panels().begin(), grid.panels().end(), [&](const CurvePanel& p) { return p.id == id; });
  return found == grid.panels().end() ? nullptr : &*found;
}

QString titleOf(const CurveGrid& grid, const QString& id) {
  const CurvePanel* panel = panelOf(grid, id);
  return panel ? panel->title : id;
}

int ownCurves(const CurvePanel& panel) {
  return int(std::count_if(panel.series.begin(), panel.series.end(), [](const CurveSeries& s) { return s.run == 0; }));
}

}  // namespace

// A guest is drawn and named in the legend as another run is: four lines are told apart in a plot, not more.
bool TrainPage::layCurve(const QString& into, const QString& curve, bool apply) {
  const Guest guest{into, curve};
  const CurvePanel *host = panelOf(*m_curves, into), *from = panelOf(*m_curves, curve);
  if (!host || !from || into == curve || std::find(m_guests.begin(), m_guests.end(), guest) != m_guests.end()) return false;
  const bool single = ownCurves(*from) == 1, room = m_overlay.size() < roomForRuns();
  if (!single || !room) {
    if (apply) Q_EMIT said(single ? tr("Four curves at most: take another one out first") : tr("%1 has several curves; one alone goes into another plot").arg(from->title));
    return false;
  }
  if (apply) pushEdit(this, tr("Lay %1 into %2").arg(from->title, host->title), [this, guest] { setGuest(guest, true); }, [this, guest] { setGuest(guest, false); });
  return true;
}

void TrainPage::setGuest(const Guest& guest, bool on) {
  std::erase(m_guests, guest);
  if (on) m_guests.push_back(guest);
  schedule();
}

void TrainPage::addGuests(CurveSet& set) const {
  const std::vector<CurvePanel> plots = set.panels;  // as they are without guests
  for (const Guest& guest : m_guests) {
    const auto from = std::find_if(plots.begin(), plots.end(), [&](const CurvePanel& p) { return p.id == guest.curve; });
    const auto host = std::find_if(set.panels.begin(), set.panels.end(), [&](const CurvePanel& p) { return p.id == guest.into; });
    if (from == plots.end() || host == set.panels.end() || from->series.empty()) continue;
    CurveRun run = set.runs.front();
    run.name = from->title;
    CurveSeries series = from->series.front();
    series.run = int(set.runs.size());
    series.label = from->title;
    set.runs.push_back(std::move(run));
    host->series.push_back(std::move(series));
  }
}

PageView TrainPage::curveView(int panel) const {
  PageView one = view(QStringLiteral("curves"));
  if (panel < 0 || std::size_t(panel) >= m_curves->panels().size()) nothingToExport(tr("Curve"), tr("there is no such plot"), tr("Choose a plot."));
  const CurvePanel& shown = m_curves->panels()[std::size_t(panel)];
  one.name = QStringLiteral("curve-") + QString(shown.id).replace(QLatin1Char('/'), QLatin1Char('-'));
  one.title = tr("%1 of %2").arg(shown.title, m_run);
  one.data[QStringLiteral("panels")] = QJsonArray{one.data[QStringLiteral("panels")].toArray()[panel]};
  one.data[QStringLiteral("grid_columns")] = 1;
  return one;
}

void TrainPage::curveMenu(int panel, const QPoint& at) {
  if (panel < 0 || std::size_t(panel) >= m_curves->panels().size()) return;
  const CurvePanel& shown = m_curves->panels()[std::size_t(panel)];
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  QAction* log = menu->addAction(tr("Logarithmic axis (L)"), this, [this, panel] { m_curves->toggleLog(panel); });
  log->setCheckable(true);
  log->setChecked(shown.log);
  menu->addAction(tr("Fit (F)"), m_curves, &CurveGrid::fit);
  QMenu* lay = menu->addMenu(tr("Lay another curve in"));
  for (const CurvePanel& other : m_curves->panels())
    if (layCurve(shown.id, other.id, false)) lay->addAction(other.title, this, [this, into = shown.id, curve = other.id] { layCurve(into, curve); });
  lay->setEnabled(!lay->isEmpty());
  for (const Guest& guest : m_guests)
    if (guest.into == shown.id) menu->addAction(tr("Take %1 out").arg(titleOf(*m_curves, guest.curve)), this, [this, guest] {
        pushEdit(this, tr("Take %1 out").arg(titleOf(*m_curves, guest.curve)), [this, guest] { setGuest(guest, false); }, [this, guest] { setGuest(guest, true); });
      });
  menu->addSeparator();
  menu->addAction(tr("Copy value"), this, [this, panel] { QApplication::clipboard()->setText(m_curves->cellName(panel)); });
  menu->addAction(tr("Copy numbers as CSV"), this, [this, panel] { QApplication::clipboard()->setText(m_curves->csv(panel)); });
  menu->addAction(tr("Export the curves …"), this, [this] { Q_EMIT exportRequested(QStringLiteral("curves")); });
  menu->popup(at);
}

bool TrainPage::exportCurvesTo(const QString& file) {
  try {
    exportPageView(file, view(QStringLiteral("curves")), kPngScale);
    return true;
  } catch (...) {
    showFailure(currentFailure("exporting the curves"));
    return false;
  }
}

}  // namespace cuescope
