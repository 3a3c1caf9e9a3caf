// The views of the Rollouts page as values: what is exported and copied.
#include <QComboBox>
#include <QLineEdit>
#include <QTableWidget>
#include <cmath>

#include "ui/models/rollout_store.h"
#include "ui/page_view.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "ui/rollouts_cells.h"
#include "ui/rollouts_detail.h"
#include "ui/rollouts_page.h"
#include "widgets/error_panel.h"

namespace cuescope {
namespace {

QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 9) : QString(); }

}  // namespace

QStringList RolloutsPage::viewNames() const { return {QStringLiteral("list"), QStringLiteral("histogram"), QStringLiteral("response"), QStringLiteral("token"), QStringLiteral("same")}; }

PageView RolloutsPage::view(const QString& name) const {
  if (m_model->considered() == 0 && !m_detail->hasSample()) nothingToExport(tr("Rollouts"), tr("no saved response is listed"), tr("Choose a run and a step that have some."));
  PageView view;
  if (name == u"response" || name == u"token" || name == u"same") {
    view = m_detail->view(name);
  } else if (name == u"histogram") {
    if (m_histogram->values().empty()) nothingToExport(tr("Histogram"), tr("no log-probabilities of a teacher are saved in these rows"), tr("Choose another step."));
    view.title = tr("Mean |gap| of %1 responses").arg(m_histogram->values().size());
    view.facts << tr("|log p(teacher + cue) − log p(student)|, mean over the response's tokens, nats");
    if (m_histogram->hasThreshold()) view.facts << tr("threshold %1 nats").arg(number(m_histogram->threshold(), 2));
    view.kind = QStringLiteral("histogram");
    view.data = QJsonObject{{"values", packedDoubles({m_histogram->values().begin(), m_histogram->values().end()})}};
    if (m_histogram->hasThreshold()) view.data.insert("threshold", m_histogram->threshold());
  } else {
    ViewTable table = tableFromCsv(m_model->csv());
    if (table.rows.empty()) nothingToExport(tr("Rollouts"), tr("no response passes the search"), tr("Change the search or the threshold."));
    table.drawn = {0, 2, 10, 4, 5, 6, 7, 8, 9};  // prompt before the numbers, kind and index in the CSV alone
    view.title = tr("Rollouts, %1 of %2").arg(m_model->taken()).arg(m_model->considered());
    view.facts << tr("sorted by %1; gaps in nats").arg(RolloutTable::columnTitle(m_model->sortColumn()).toLower());
    if (!m_query->text().isEmpty()) view.facts << tr("search: %1").arg(m_query->text());
    view.kind = QStringLiteral("table");
    view.data = tableData(table);
  }
  view.page = QStringLiteral("Rollouts");
  view.name = name;
  view.dark = Theme::instance().isDark();
  view.facts.prepend(m_allSteps ? tr("run %1, all steps").arg(m_run) : tr("run %1, step %2").arg(m_run).arg(shownStep()));
  return view;
}

void RolloutsPage::showFailure(const Failure& failure) {
  m_error->setFailure(QString::fromStdString(failure.what), QString::fromStdString(failure.where), QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
  m_error->show();
}

void RolloutsDetail::addViews(ViewFocus& views) {
  views.add(m_responsePanel, QStringLiteral("response"));
  views.add(m_tokenFacts, QStringLiteral("token"));
  views.add(m_bars, QStringLiteral("token"));
  views.add(m_samePanel, QStringLiteral("same"));
}

PageView RolloutsDetail::view(const QString& name) const {
  PageView view;
  if (!m_has) nothingToExport(tr("Sample"), tr("no response is chosen"), tr("Choose one in the list."));
  const QString sample = m_facts.sampleId.empty() ? tr("row %1").arg(m_facts.index) : QString::fromStdString(m_facts.sampleId);
  if (name == u"same") {
    if (m_sameRows.empty()) nothingToExport(tr("Same prompt"), tr("no other response to this prompt is saved"), tr("Choose another sample."));
    ViewTable table{{"step", "index", "answer", "reward", "mean_abs_gap_nats", "max_abs_gap_nats", "tokens"}, {}, {}};
    for (const RolloutFacts& f : m_sameRows)
      table.rows.push_back({QString::number(f.step), QString::number(f.index), QString::fromStdString(f.answer), exact(double(f.score)), exact(double(f.meanGap)), exact(double(f.maxGap)), f.tokens < 0 ? QString() : QString::number(f.tokens)});
    view.title = tr("The same prompt over the steps: %1").arg(sample);
    view.facts << tr("prompt: %1").arg(QString::fromStdString(m_facts.prompt).simplified());
    view.kind = QStringLiteral("table");
    view.data = tableData(table);
    return view;
  }
  view.facts << tr("sample %1, response %2 of step %3").arg(sample).arg(m_facts.index).arg(m_facts.step) << tr("prompt: %1").arg(QString::fromStdString(m_facts.prompt).simplified());
  if (name == u"token") {
    if (m_bars->distributions().rows.empty()) nothingToExport(tr("Token"), tr("no log-probabilities are saved for it"), tr("Choose another token."));
    QList<QStringList> facts;
    for (const QString& line : m_tokenFacts->text().split(u'\n', Qt::SkipEmptyParts)) facts << QStringList{line.section(u'\t', 0, 0), line.section(u'\t', 1).replace(u'\t', QStringLiteral(", "))};
    view.title = tr("Token %1 of the response to %2").arg(m_token).arg(sample);
    view.facts << tr("probabilities; the tail is what the drawn tokens leave");
    view.kind = QStringLiteral("bars");
    view.data = barsData(m_bars->distributions(), facts);
    return view;
  }
  const auto value = RolloutValue(std::max(0, m_colour->currentIndex()));
  const TokenColoring coloring = rolloutColoring(value);
  view.title = tr("Response to %1, coloured by %2").arg(sample, rolloutValueTitle(value).toLower());
  if (coloring.kind == TokenColoring::Kind::Gap) view.facts << tr("log p(teacher + cue) − log p(student), nats, range ±%1").arg(number(coloring.limit, 0));
  view.kind = QStringLiteral("tokens");
  view.data = tokensData(m_tokens, coloring, rolloutValues(m_detail.record, value, m_groupAdvantage));
  return view;
}

}  // namespace cuescope
