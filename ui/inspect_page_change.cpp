// What if: the request that the page's choices make, and its answer before and after in every panel.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "ui/inspect_page.h"
#include "ui/inspection_view.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "widgets/change_bars.h"
#include "widgets/token_strip.h"

#include <QLineEdit>

namespace cuescope {
namespace {

// The patches with the largest 5 % of a map, at least one.
std::vector<int> topPatches(const MapSlice& slice, double share) {
  std::vector<int> order(slice.values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto n = std::max<std::size_t>(1, std::size_t(std::lround(share * double(order.size()))));
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return slice.values[std::size_t(a)] > slice.values[std::size_t(b)]; });
  order.resize(std::min(n, order.size()));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

ChangeSet changeSet(const WhatIf& answer, int rows) {
  ChangeSet set;
  const std::size_t token = std::size_t(std::max(0, answer.token));
  if (token >= answer.distributionsBefore.size() || token >= answer.distributionsAfter.size()) return set;
  const TokenDistributions &before = answer.distributionsBefore[token], &after = answer.distributionsAfter[token];
  const int slot = int(answer.subject);
  const std::vector<float>&a = before.logProbs[slot], &b = after.logProbs[slot];
  if (a.empty() || b.size() != a.size() || before.ids != after.ids) return set;
  std::vector<std::size_t> order(a.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return std::max(a[x], b[x]) > std::max(a[y], b[y]); });
  set.condition = slot;
  set.title = QString::fromStdString(answer.description);
  set.tailBefore = double(before.tail[slot]);
  set.tailAfter = double(after.tail[slot]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t k = order[i];
    const double p = std::exp(double(a[k])), q = std::exp(double(b[k]));
    if (int(i) >= rows) {  // what is left joins the tail
      set.tailBefore += p;
      set.tailAfter += q;
      continue;
    }
    if (before.ids[k] == answer.tokenId) set.chosen = int(i);
    set.rows.push_back({tokenText(QByteArray::fromStdString(before.texts[k])), p, q});
  }
  return set;
}

QString InspectPage::whatIfRefusal() const {
  if (!m_inspection) return tr("Ask a question first.");
  if (m_shownRequest.student.empty()) return tr("A capture reopens without its model, so nothing can be tried on it.");
  if (m_session.inspecting()) return tr("An answer is being computed.");
  if (m_selection.token() < 0) return tr("Choose a token of the response first.");
  return {};
}

void InspectPage::updateWhatIf() {
  const bool ofToken = m_inspection && m_selection.token() >= 0 && m_selection.token() < int(m_inspection->response.size());
  const QString token = ofToken ? tokenWords(m_inspection->response[std::size_t(m_selection.token())]) : QString();
  const QString refusal = whatIfRefusal();
  const std::vector<int> region = m_map->region();
  if (m_inspection) {
    m_whatIf->setPossible(m_inspection->student.injectionLayers, m_inspection->hasTeacher, !m_inspection->cue.empty());
    WhatIfPlace place;
    place.layer = m_selection.layer();
    place.head = m_selection.site() == Site::SelfAttention || m_selection.site() == Site::GradientAttention ? m_selection.head() : -1;
    place.decoder = m_selection.site() != Site::Vision && m_selection.site() != Site::Occlusion;
    place.position = ofToken ? m_inspection->predicting(m_selection.token()) : -1;
    const int first = m_inspection->images.empty() ? 0 : m_inspection->images[std::size_t(m_map->view().image)].firstVisual;
    const std::set<int> inside(region.begin(), region.end());
    const auto inRegion = [&](int visual) { return inside.empty() || inside.count(visual - first) > 0; };
    for (int p = 0; p < int(m_inspection->studentPrompt.tokens.size()); ++p)
      if (const int visual = m_inspection->studentPrompt.tokens[std::size_t(p)].visual; visual >= 0 && inRegion(visual)) place.imageKeys.push_back(p);
    m_whatIf->setPlace(place);
  }
  m_whatIf->setState(int(region.size()), token, m_session.asking(), refusal);
  if (m_causalId == 0) m_map->setCausal({}, false, refusal);
}

void InspectPage::runWhatIf() {
  if (!whatIfRefusal().isEmpty() || !m_whatIf->anythingChosen() || m_session.asking()) return;
  WhatIfRequest request;
  request.base = sameResponse(true);
  request.change = m_whatIf->change();
  const int first = m_inspection->images.empty() ? 0 : m_inspection->images[std::size_t(m_map->view().image)].firstVisual;
  for (int patch : m_map->region()) request.visualTokens.push_back(first + patch);
  request.token = m_selection.token();
  m_whatIf->fill(request, m_ask->cueField()->text().toStdString());
  const bool seen = stackOf(*m_inspection, m_selection.state()) != nullptr && m_selection.state().prompt < 0 && m_selection.site() != Site::Occlusion;
  if (seen && !m_inspection->images.empty()) request.mapSite = m_selection.site();
  m_whatIfId = m_session.whatIf(request);
}

// Before and after in every panel: numbers and texts, the distribution, and the shown map beside itself.
void InspectPage::showAnswer(const WhatIfPtr& answer) {
  m_whatIf->setAnswer(answer);
  m_change->setChange(changeSet(*answer, m_distributions->topTokens()));
  if (!m_change->change().rows.empty()) showTab(QStringLiteral("change"));
  if (!answer->mapBefore.empty() && !answer->mapAfter.empty() && m_inspection) {
    const MapSlice before = sliceStack(*m_inspection, answer->mapBefore, m_selection.state(), m_map->view().image);
    const MapSlice after = sliceStack(*m_inspection, answer->mapAfter, m_selection.state(), m_map->view().image);
    m_map->setPair(before, after, tr("before"), tr("after: %1").arg(QString::fromStdString(answer->description)));
  }
  Q_EMIT viewChanged();
}

void InspectPage::computeCausal() {
  if (!whatIfRefusal().isEmpty() || !m_map->slice().exists()) return;
  WhatIfRequest request;
  request.base = sameResponse(true);
  const int first = m_inspection->images[std::size_t(m_map->view().image)].firstVisual;
  for (int patch : topPatches(m_map->slice(), 0.05)) request.visualTokens.push_back(first + patch);
  request.token = m_selection.token();
  request.regenerate = false;
  request.distributions = false;
  m_causalId = m_session.whatIf(request);
  m_map->setCausal({}, true);
}

}  // namespace cuescope
