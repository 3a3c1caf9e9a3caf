#include "ui/panels/distributions_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPainter>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "ui/acts_as.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/theme.h"
#include "widgets/token_strip.h"

namespace cuescope {

DistributionSet distributionSet(const TokenDistributions& d, std::int64_t responseId, int rows) {
  DistributionSet set;
  const std::size_t shown = std::min(d.ids.size(), std::size_t(std::max(1, rows)));
  for (int c = 0; c < kConditions; ++c) {
    set.present[c] = !d.logProbs[c].empty();
    set.tail[c] = double(d.tail[c]);
    for (std::size_t i = shown; i < d.logProbs[c].size(); ++i) set.tail[c] += std::exp(double(d.logProbs[c][i]));
  }
  for (std::size_t i = 0; i < shown; ++i) {
    DistributionRow row;
    row.token = tokenText(QByteArray::fromStdString(d.texts[i]));
    for (int c = 0; c < kConditions; ++c)
      row.probability[c] = i < d.logProbs[c].size() ? std::exp(double(d.logProbs[c][i])) : std::nan("");
    if (d.ids[i] == responseId) set.chosen = int(i);
    set.rows.push_back(row);
  }
  return set;
}

TokenDistributions meanDistributions(const std::vector<TokenDistributions>& all, int first, int last) {
  TokenDistributions mean;
  const double n = last - first + 1;
  std::map<std::int64_t, std::array<double, kConditions>> sums;
  std::map<std::int64_t, std::string> texts;
  std::array<double, kConditions> sampled{}, entropy{}, known{};
  std::array<bool, kConditions> present;
  present.fill(true);
  double kl = 0, reverse = 0, jsd = 0;
  for (int t = first; t <= last; ++t) {
    const TokenDistributions& d = all[std::size_t(t)];
    for (int c = 0; c < kConditions; ++c) {
      present[std::size_t(c)] = present[std::size_t(c)] && !d.logProbs[c].empty();
      sampled[std::size_t(c)] += double(d.sampled[c]) / n;
      entropy[std::size_t(c)] += double(d.entropy[c]) / n;
      for (std::size_t i = 0; i < d.logProbs[c].size(); ++i) sums[d.ids[i]][std::size_t(c)] += std::exp(double(d.logProbs[c][i])) / n;
    }
    for (std::size_t i = 0; i < d.ids.size(); ++i) texts.emplace(d.ids[i], d.texts[i]);
    kl += double(d.klTeacherStudent) / n, reverse += double(d.klStudentTeacher) / n, jsd += double(d.jsd) / n;
  }
  for (const auto& [id, p] : sums) mean.ids.push_back(id);
  // Most likely first, by the largest probability in any condition, as at a single position.
  const auto largest = [&](std::int64_t id) { return *std::max_element(sums[id].begin(), sums[id].end()); };
  std::stable_sort(mean.ids.begin(), mean.ids.end(), [&](std::int64_t a, std::int64_t b) { return largest(a) > largest(b); });
  for (const std::int64_t id : mean.ids) mean.texts.push_back(texts[id]);
  for (int c = 0; c < kConditions; ++c) {
    mean.sampled[c] = float(sampled[std::size_t(c)]);
    mean.entropy[c] = float(entropy[std::size_t(c)]);
    if (!present[std::size_t(c)]) continue;
    for (const std::int64_t id : mean.ids) {
      mean.logProbs[c].push_back(float(std::log(sums[id][std::size_t(c)])));
      known[std::size_t(c)] += sums[id][std::size_t(c)];
    }
    mean.tail[c] = float(std::max(0.0, 1 - known[std::size_t(c)]));
  }
  mean.klTeacherStudent = float(kl), mean.klStudentTeacher = float(reverse), mean.jsd = float(jsd);
  return mean;
}

GapSplit::GapSplit(QWidget* parent) : QWidget(parent) {
  setFixedHeight(34);
  setToolTip(tr("gap = (teacher without cue − student) + (teacher with cue − teacher without cue)"));
}

void GapSplit::setParts(float weights, float cue) {
  m_weights = weights;
  m_cue = cue;
  setAccessibleName(tr("teacher weights %1, cue %2, gap %3 nats").arg(signedNumber(double(weights), 2), signedNumber(double(cue), 2), signedNumber(double(weights + cue), 2)));
  update();
}

// Both parts grow from a zero line: with opposite signs they would otherwise look as if they added up.
void GapSplit::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  const int left = 8, right = width() - 8;
  const bool known = std::isfinite(m_weights) && std::isfinite(m_cue);
  if (known) {
    const double low = std::min({0.0, double(m_weights), double(m_weights + m_cue)});
    const double high = std::max({0.0, double(m_weights), double(m_weights + m_cue)});
    const double span = std::max(high - low, 0.1);  // parts that print as +0.00 draw next to nothing
    const auto x = [&](double v) { return left + (v - low) / span * (right - left); };
    const auto bar = [&](double from, double to, int condition) {
      const double a = x(std::min(from, to)), b = x(std::max(from, to));
      if (b - a >= 0.5) paintConditionBar(painter, QRectF(a, 2, b - a, 9), condition, c);
    };
    bar(0, double(m_weights), 2);
    bar(double(m_weights), double(m_weights + m_cue), 1);
    painter.fillRect(QRectF(x(0) - 0.5, 0, 1, 13), c.ink);
  }
  painter.setFont(uiFont(11));
  const auto part = [&](const QString& words, float value, double from, double to, Qt::Alignment where) {
    const QString text = words + u' ' + (known ? signedNumber(double(value), 2) : tr("not computed"));
    painter.setPen(c.text2);
    const QRectF room(left + (right - left) * from, 14, (right - left) * (to - from), 18);
    painter.drawText(room, int(Qt::AlignVCenter) | int(where), painter.fontMetrics().elidedText(text, Qt::ElideRight, int(room.width())));
  };
  part(tr("teacher weights"), m_weights, 0, 0.48, Qt::AlignLeft);
  part(tr("cue"), m_cue, 0.5, 0.73, Qt::AlignLeft);
  part(tr("gap"), m_weights + m_cue, 0.75, 1, Qt::AlignRight);
}

DistributionsPanel::DistributionsPanel(Selection& selection, QWidget* parent) : QWidget(parent), m_selection(selection) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(32, Strip::Ground::Panel, this);
  m_title = new ElidedLabel;
  m_title->setPixelSize(13, QFont::Medium);
  m_title->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  m_top = new QComboBox;
  m_top->setToolTip(tr("How many of the likeliest tokens are shown"));
  m_top->setAccessibleName(tr("How many tokens"));
  for (int n : {3, 6, 10}) m_top->addItem(tr("Top %1").arg(n), n);
  m_top->setCurrentIndex(1);
  actsAs(m_top, "distributions.top");
  head->row()->addWidget(m_title, 1);
  head->row()->addWidget(m_top);
  m_bars = new DistributionBars;
  m_bars->setWhatsThis(tr("The likeliest next tokens under each condition."));
  m_bars->setAccessibleName(tr("Next-token distributions"));
  m_bars->setEmptyText(tr("No distributions yet. They come with the answer."));
  m_gapTitle = new ElidedLabel;
  m_gapTitle->setPixelSize(11);
  m_gapTitle->setTone(ElidedLabel::Tone::Text2);
  auto* gapLine = new Strip(24, Strip::Ground::Panel);
  m_gapLine = gapLine;
  gapLine->row()->addWidget(m_gapTitle, 1);
  m_split = new GapSplit;
  m_table = new FactTable;
  m_table->setHeader({QString(), tr("Stud."), tr("T + cue"), tr("T"), tr("T erased")});
  m_table->setAccessibleName(tr("Log-probability and entropy by condition"));
  m_divergences = new FactTable;
  m_divergences->setAccessibleName(tr("Divergences"));
  // One thing that scrolls: in a low dock the bars come first, and the numbers are reached below them.
  auto* content = new QWidget;
  auto* facts = m_facts = new QVBoxLayout(content);
  facts->setContentsMargins(0, 0, 0, 0);
  facts->setSpacing(0);
  facts->addWidget(m_bars);
  facts->addWidget(gapLine);
  facts->addWidget(m_split);
  facts->addWidget(m_table);
  facts->addWidget(m_divergences);
  facts->addStretch(1);
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setWidget(content);
  area->setFocusPolicy(Qt::NoFocus);
  area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  column->addWidget(head);
  column->addWidget(area, 1);
  m_bars->setToolTip(tr("Double click a token to go on from it instead"));
  connect(m_bars, &DistributionBars::rowActivated, this, [this](int row) {
    const int token = m_selection.token();
    if (hasSpan()) return;  // the mean of several tokens has no place to go on from
    if (!m_inspection || token < 0 || token >= int(m_inspection->distributions.size())) return;
    const TokenDistributions& d = m_inspection->distributions[std::size_t(token)];
    if (row >= 0 && row < int(d.ids.size())) Q_EMIT continueRequested(d.ids[std::size_t(row)], tokenText(QByteArray::fromStdString(d.texts[std::size_t(row)])));
  });
  connect(m_top, &QComboBox::currentIndexChanged, this, &DistributionsPanel::refresh);
  refresh();
}

int DistributionsPanel::topTokens() const {
  return m_top->currentData().toInt();
}

void DistributionsPanel::setBeside(InspectionPtr beside) {
  m_beside = std::move(beside);
  refresh();
}

void DistributionsPanel::setInspection(InspectionPtr inspection) {
  m_inspection = std::move(inspection);
  m_beside.reset();
  m_spanFirst = m_spanLast = -1;
  refresh();
}

void DistributionsPanel::setSpan(int first, int last) {
  if (first == m_spanFirst && last == m_spanLast) return;
  m_spanFirst = first;
  m_spanLast = last;
  refresh();
}

bool DistributionsPanel::hasSpan() const { return m_inspection && m_spanFirst >= 0 && m_spanLast > m_spanFirst && m_spanLast < int(m_inspection->distributions.size()); }

QString DistributionsPanel::titleText() const { return m_title->text() + QStringLiteral(", ") + m_title->dim(); }

// Without a token there are no numbers to read: the sentence that says so has the whole room.
void DistributionsPanel::showFacts(bool there) {
  if (m_gapLine->isHidden() == !there && m_facts->stretch(0) == (there ? 0 : 1)) return;
  m_facts->setStretch(0, there ? 0 : 1);
  for (QWidget* part : {m_gapLine, static_cast<QWidget*>(m_split), static_cast<QWidget*>(m_table), static_cast<QWidget*>(m_divergences)}) part->setVisible(there);
}

void DistributionsPanel::refresh() {
  const int token = m_selection.token();
  const bool span = hasSpan();
  const bool there = span || (m_inspection && token >= 0 && token < int(m_inspection->distributions.size()));
  m_gapTitle->setText(tr("Gap: log p(teacher + cue) − log p(student), nats"));
  showFacts(there);
  if (!there) {
    m_title->setText(tr("No token chosen"));
    m_bars->setDistributions({});
    m_split->setParts(kNotComputed, kNotComputed);
    m_table->setRows({});
    m_divergences->setRows({});
    return;
  }
  const TokenDistributions mean = span ? meanDistributions(m_inspection->distributions, m_spanFirst, m_spanLast) : TokenDistributions();
  const TokenDistributions& d = span ? mean : m_inspection->distributions[std::size_t(token)];
  const Token& response = m_inspection->response[std::size_t(span ? m_spanFirst : token)];
  if (span) m_title->setText(tr("Tokens %1 to %2").arg(m_spanFirst + 1).arg(m_spanLast + 1), tr("mean of %1 tokens").arg(m_spanLast - m_spanFirst + 1));
  else m_title->setText(tr("Token “%1”").arg(tokenWords(response)),
                   tr("%1 of %2, id %3").arg(token + 1).arg(m_inspection->response.size()).arg(response.id));
  m_bars->setDistributions(distributionSet(d, span ? -1 : response.id, m_top->currentData().toInt()));
  m_split->setParts(d.gapFromWeights(), d.gapFromCue());
  QStringList logProbs, entropies;
  for (int c = 0; c < kConditions; ++c) {
    const auto text = [](float value) { return std::isnan(value) ? QObject::tr("none") : number(double(value), 2); };
    logProbs << text(d.sampled[c]);
    entropies << text(d.entropy[c]);
  }
  std::vector<FactRow> rows{{tr("log p, nats"), logProbs, {}, span ? tr("Mean log-probability of the response tokens") : tr("Log-probability of the response token")},
                            {tr("Entropy, nats"), entropies, {}, tr("Of the next-token distribution over the whole vocabulary")}};
  QStringList tails;
  for (int c = 0; c < kConditions; ++c) tails << (std::isnan(d.tail[c]) ? tr("none") : shareText(double(d.tail[c]), 3));
  rows.push_back({tr("Tail"), tails, {}, tr("Probability of all tokens outside the captured ones")});
  if (!span && m_beside && token < int(m_beside->distributions.size())) {
    const float other = m_beside->distributions[std::size_t(token)].sampled[0];
    rows.push_back({tr("log p, other student"), {number(double(other), 2), signedNumber(double(other - d.sampled[0]), 2)}, {},
                    tr("%1 at the same position; the second number is its difference from this student").arg(QString::fromStdString(m_beside->student.name))});
  }
  m_table->setRows(rows);
  if (m_inspection->hasTeacher) {
    m_divergences->setRows({{tr("KL(T + cue ∥ S), whole vocabulary"), {number(double(d.klTeacherStudent), 3)}, {}, {}},
                            {tr("KL(S ∥ T + cue)"), {number(double(d.klStudentTeacher), 3)}, {}, {}},
                            {tr("Jensen-Shannon divergence"), {number(double(d.jsd), 3)}, {}, {}}});
  } else {
    m_divergences->setRows({{tr("Divergences need a teacher"), {tr("choose one above the map")}, {}, {}}});
  }
}

}  // namespace cuescope
