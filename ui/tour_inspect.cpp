// The tour's look at every site, the what-if bench, two students beside each other, and the model.
#include <QComboBox>
#include <QTreeWidget>
#include <cmath>

#include "ui/inspect_page.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/lens_panel.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "ui/tour.h"
#include "widgets/change_bars.h"

namespace cuescope {

void Tour::planInspect() {
  InspectPage* inspect = m_window.inspectPage();
  Selection* selection = &m_window.selection();
  const std::pair<Site, const char*> sites[] = {{Site::Vision, "site-vision"}, {Site::Rollout, "site-rollout"}, {Site::GradientAttention, "site-gradient"}, {Site::Occlusion, "site-occlusion"}, {Site::LogitLens, "site-lens"}};
  for (const auto& [site, name] : sites)
    m_steps.push_back({QLatin1String(name), tr("%1 is computed when it is chosen, after its cost was asked for").arg(siteTitle(site)), 120000,
                       [=] {
                         inspect->map()->command(QStringLiteral("single"));
                         selection->setSite(site);
                       },
                       [=] { return inspect->map()->slice().exists() && !inspect->capturing(); },
                       [=, this] {
                         const MapSlice& slice = inspect->map()->slice();
                         double size = 0;
                         for (const float v : slice.values) size += std::abs(double(v));
                         return firstWrong({must(slice.exists(), "there is no map"), must(size > 0, "the map is empty"), must(inspect->inspection()->response.size() == m_seen->response.size(), "the look is another one"),
                                            must(slice.signedValues == (site == Site::Occlusion || site == Site::GradientAttention), "the sign is not the site's")});
                       }});
  m_steps.push_back({QStringLiteral("lens"), tr("the logit lens names the most likely token after every layer"), 5000, [=] { inspect->showTab(QStringLiteral("lens")); }, {},
                     [=, this] { return must(inspect->lens()->grid()->table().tokens.size() == m_seen->response.size(), "the lens lacks tokens"); }});
  m_steps.push_back({QStringLiteral("knock-out"), tr("a layer's attention is knocked out: text, log-probability, distribution and map stand before and after"), 60000,
                     [=] {
                       SelectionState next = selection->state();
                       next.site = Site::SelfAttention;
                       next.head = kHeadMean;
                       selection->set(next);
                       inspect->map()->clearRegion();
                       inspect->whatIf()->resetChoices();
                       inspect->whatIf()->knockOutChooser()->setCurrentIndex(2);
                       inspect->runWhatIf();
                     },
                     [this] { return !m_session.asking(); },
                     [=] {
                       return firstWrong({must(!inspect->whatIf()->answerText().contains(QStringLiteral("not computed")), "the what if has no answer"), must(!inspect->changeBars()->change().rows.empty(), "there is no distribution before and after"),
                                          must(inspect->map()->isPair(), "the map before and after is not shown")});
                     }});
  m_steps.push_back({QStringLiteral("continue"), tr("the answer goes on from another token of the top"), 60000,
                     [=] {
                       const TokenDistributions& d = inspect->inspection()->distributions[std::size_t(selection->token())];
                       const std::int64_t own = inspect->inspection()->response[std::size_t(selection->token())].id;
                       std::size_t other = 0;
                       while (other + 1 < d.ids.size() && d.ids[other] == own) ++other;
                       inspect->whatIf()->resetChoices();
                       inspect->whatIf()->setForced(d.ids[other], QString::fromStdString(d.texts[other]));
                       inspect->runWhatIf();
                     },
                     [this] { return !m_session.asking(); }, [=] { return must(inspect->whatIf()->answer() && !inspect->whatIf()->answer()->answerAfter.empty(), "there is no other answer"); }});
  m_steps.push_back({QStringLiteral("beside"), tr("another student reads the same response; its map stands beside and follows the selection"), 60000,
                     [=, this] {
                       inspect->whatIf()->resetChoices();
                       inspect->map()->command(QStringLiteral("single"));
                       inspect->askBar()->setBeside(m_window.workspace().demoModel(QStringLiteral("teacher")));
                     },
                     [=] { return inspect->besideInspection() != nullptr; },
                     [=] {
                       return firstWrong({must(inspect->besideInspection() != nullptr, "no second look arrived"), must(inspect->map()->secondSlice() && inspect->map()->secondSlice()->exists(), "the second map is missing"),
                                          must(inspect->tokens()->value() == TokenValue::Beside, "the tokens do not show the difference")});
                     }});
  m_steps.push_back({QStringLiteral("model"), tr("the student's modules with shapes, types, sizes and norms"), 20000, [=] { inspect->showTab(QStringLiteral("model")); },
                     [=] { return !inspect->model()->norms().empty() && std::isfinite(inspect->model()->norms().back()); }, [=] { return must(inspect->model()->tree()->topLevelItemCount() > 0, "the tree is empty"); }});
  m_steps.push_back({QStringLiteral("single-again"), tr("one map again"), 5000,
                     [=] {
                       inspect->map()->command(QStringLiteral("single"));
                       inspect->showTab(QStringLiteral("matrix"));
                       inspect->showTab(QStringLiteral("distributions"));
                     },
                     {}, [=] { return must(inspect->besideInspection() == nullptr, "the second look is still there"); }});
}

}  // namespace cuescope
