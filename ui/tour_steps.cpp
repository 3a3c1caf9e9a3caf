// The steps of the tour: the main job on the demo, and what must hold after each.
#include <QAction>
#include <QFileInfo>
#include <QLineEdit>
#include <QPushButton>
#include <QTableView>
#include <cmath>

#include "ui/data_page.h"
#include "ui/inspect_page.h"
#include "ui/panels/alignment_panel.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "ui/start_page.h"
#include "ui/tour.h"
#include "widgets/error_panel.h"
#include "widgets/matrix_view.h"

namespace cuescope {

void Tour::plan() {
  InspectPage* inspect = m_window.inspectPage();
  Selection* selection = &m_window.selection();
  const auto hasStack = [this] { return m_seen && !m_seen->cueRecovery.empty(); };

  m_steps.push_back({QStringLiteral("start"), tr("the window is up while the engine loads"), 5000, {}, {},
                     [this] { return must(m_window.isVisible() && m_window.onStart(), "the Start page is not shown"); }});
  m_steps.push_back({QStringLiteral("engine"), tr("the engine opens behind the window"), 60000, {}, [this] { return m_session.engineState() != EngineState::Loading && m_session.engineState() != EngineState::NotStarted; },
                     [this] {
                       return firstWrong({m_session.engineState() == EngineState::Ready ? QString() : QString::fromStdString(m_session.engineFailure().text()),
                                          must(m_window.startPage()->cardButton(0)->isEnabled(), "the demo's first card cannot be opened")});
                     }});
  m_steps.push_back({QStringLiteral("demo-scene"), tr("one click, and the answer, the map of true size and the distributions are there"), 60000,
                     [this] {
                       m_clicks = 1;
                       m_window.startPage()->cardButton(0)->click();
                     },
                     [this] { return m_seen != nullptr || m_failureSeen; },
                     [=, this] {
                       if (!m_seen) return QStringLiteral("no inspection arrived");
                       m_firstMapMs = m_clock.elapsed();
                       const ImageView& view = m_seen->images.front();
                       double sum = 0;
                       for (float v : inspect->map()->slice().values) sum += double(v);
                       return firstWrong({must(!m_seen->response.empty(), "the answer is empty"), must(inspect->map()->slice().exists(), "there is no map"),
                                          must(view.gridRows >= 6 && view.gridCols >= 6, "the grid is smaller than 6 × 6"),
                                          must(std::abs(sum - 1) < 1e-3 || !hasStack(), "the sink's shares do not sum to 1"),
                                          must(m_seen->distributions.size() == m_seen->response.size(), "a token has no distribution"),
                                          must(inspect->tokens()->strip()->responseSize() == int(m_seen->response.size()), "the strip lacks tokens"),
                                          must(m_firstMapMs < 60000, "the first map took over 60 s")});
                     }});
  m_steps.push_back({QStringLiteral("layer-and-head"), tr("another layer and head give another map, within 50 ms"), 5000,
                     [=, this] {
                       m_before = inspect->map()->slice().values;
                       SelectionState next = selection->state();
                       if (const AttentionStack* stack = stackOf(*m_seen, next.site)) {
                         next.layer = stack->layers.back() != next.layer ? stack->layers.back() : stack->layers.front();
                         next.head = stack->heads > 1 ? 1 : kHeadMean;
                       }
                       QElapsedTimer clock;
                       clock.start();
                       selection->set(next);
                       m_steps0 = int(clock.elapsed());
                     },
                     {},
                     [=, this] {
                       return firstWrong({must(inspect->matrix()->selectedLayer() == selection->layer() && inspect->matrix()->selectedHead() == selection->head(), "the matrix shows another selection"),
                                          must(inspect->map()->slice().claim.contains(QStringLiteral("layer %1").arg(selection->layer())), "the claim line names another layer"),
                                          must(m_steps0 < 50, "the panels took over 50 ms")});
                     }});
  m_steps.push_back({QStringLiteral("token"), tr("a click on an answer token chooses it; its own attention is shown"), 5000,
                     [=, this] {
                       SelectionState next = selection->state();
                       next.site = Site::SelfAttention;
                       next.head = kHeadMean;
                       selection->set(next);
                       m_before = inspect->map()->slice().values;
                       m_token = selection->token() == 3 ? 1 : std::min(3, int(m_seen->response.size()) - 1);
                       clickToken(m_token);
                     },
                     {},
                     [=, this] {
                       return firstWrong({must(selection->token() == m_token, "the click did not choose the token"), must(selection->site() == Site::SelfAttention, "there is no self-attention"),
                                          must(inspect->map()->slice().values != m_before, "the map of another token is the same"),
                                          must(inspect->map()->slice().claim.startsWith(QStringLiteral("Token")), "the claim line names no token")});
                     }});
  m_steps.push_back({QStringLiteral("distributions"), tr("student, teacher with cue, without it, image erased: four conditions that sum to 1; the gap's parts add up"), 5000,
                     [=, this] {  // where the two differ most: there is something to see
                       int most = 0;
                       for (int t = 1; t < int(m_seen->distributions.size()); ++t)
                         if (std::abs(m_seen->distributions[std::size_t(t)].gap()) > std::abs(m_seen->distributions[std::size_t(most)].gap())) most = t;
                       clickToken(most);
                     },
                     {},
                     [=, this] {
                       const TokenDistributions& d = m_seen->distributions[std::size_t(selection->token())];
                       QString wrong = must(m_seen->hasTeacher, "there is no teacher");
                       for (int c = 0; c < kConditions && wrong.isEmpty(); ++c) {
                         double sum = double(d.tail[c]);
                         for (float lp : d.logProbs[c]) sum += std::exp(double(lp));
                         wrong = must(!d.logProbs[c].empty() && std::abs(sum - 1) < 5e-3, "a condition does not sum to 1");
                       }
                       return firstWrong({wrong, must(std::abs(d.gapFromCue() + d.gapFromWeights() - d.gap()) < 1e-4f, "the gap's parts do not add up"),
                                          must(alignmentOf(*m_seen).aligned, "the prompts are not aligned")});
                     }});
  m_steps.push_back({QStringLiteral("causal"), tr("erasing the top 5 % is judged beside random regions"), 60000, [=] { inspect->computeCausal(); },
                     [=, this] { return !m_session.asking(); }, [=] { return must(inspect->map()->causalText().contains(QStringLiteral("random")), "there is no causal number"); }});
  m_steps.push_back({QStringLiteral("what-if"), tr("erasing the evidence gives before and after, and 16 random regions"), 60000,
                     [=, this] {
                       inspect->map()->setRegion(evidencePatches(*m_seen, 0));
                       inspect->runWhatIf();
                     },
                     [=, this] { return !m_session.asking(); }, [=] { return must(inspect->whatIf()->answerText().contains(QStringLiteral("16 random")) && !inspect->whatIf()->answerText().contains(QStringLiteral("not computed")), "the what if has no answer"); }});
  planInspect();
  m_steps.push_back({QStringLiteral("drop-image"), tr("a dropped picture is inspected at its own grid; the window says the model has never seen one"), 60000,
                     [this] {
                       m_seen.reset();
                       dropFile(writeFile(QStringLiteral("photograph.png"), drawnPhotograph()));
                     },
                     [this] { return m_seen != nullptr || m_failureSeen; },
                     [=, this] {
                       if (!m_seen) return QStringLiteral("no inspection arrived");
                       const ImageView& view = m_seen->images.front();
                       return firstWrong({must(view.originalWidth == 320 && view.originalHeight == 240, "the picture's size is not its own"), must(view.gridCols > view.gridRows, "the grid does not follow the picture")});
                     }});
  planBadFiles();
  m_steps.push_back({QStringLiteral("data"), tr("the demo's held-out rows are listed"), 20000, [this] { m_window.action(QStringLiteral("data.demo"))->trigger(); },
                     [this] { return m_window.dataPage()->model()->rowCount() > 0; }, [this] { return must(m_window.dataPage()->model()->total() >= 1000, "there are fewer than 1,000 rows"); }});
  planTraining();
  planPages();
  planDesk();
  planExports();
}

}  // namespace cuescope
