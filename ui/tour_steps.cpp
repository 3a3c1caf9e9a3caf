// The steps of the tour: the main job on the demo, and what must hold after each.
#include <QAction>
#include <QBuffer>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QImage>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>
#include <QSvgRenderer>
#include <QTableView>
#include <cmath>

#include "engine/core/capture.h"
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
namespace {

QString must(bool holds, const char* words) {
  return holds ? QString() : QString::fromUtf8(words);
}

QString firstWrong(std::initializer_list<QString> all) {
  for (const QString& wrong : all)
    if (!wrong.isEmpty()) return wrong;
  return {};
}

QByteArray drawnPhotograph() {
  QImage image(320, 240, QImage::Format_RGB32);
  QPainter painter(&image);
  for (int y = 0; y < 240; ++y) {
    painter.setPen(QColor(90 + y / 3, 140 + y / 4, 200 - y / 2));
    painter.drawLine(0, y, 319, y);
  }
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setBrush(QColor(230, 180, 60));
  painter.drawEllipse(QPointF(90, 70), 36, 36);
  painter.setBrush(QColor(60, 90, 50));
  painter.drawPolygon(QPolygonF({{0, 240}, {150, 120}, {320, 240}}));
  painter.end();
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  image.save(&buffer, "PNG");
  return bytes;
}

}  // namespace

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
  m_steps.push_back({QStringLiteral("distributions"), tr("student, teacher with cue, without it, image erased: four conditions that sum to 1; the gap's parts add up"), 5000, {}, {},
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
  const struct {
    const char* name;
    const char* file;
    QByteArray bytes;
  } bad[] = {{"bad-not-an-image", "notes.png", "these are words, not a picture\n"}, {"bad-truncated", "truncated.png", drawnPhotograph().left(200)}, {"bad-empty", "empty.jpg", {}}};
  for (const auto& one : bad)
    m_steps.push_back({QString::fromLatin1(one.name), tr("a bad file is a message in the panel, with a next step; the studio goes on"), 20000,
                       [this, file = QString::fromLatin1(one.file), bytes = one.bytes] { dropFile(writeFile(file, bytes)); }, [this] { return m_failureSeen; },
                       [=] { return must(inspect->error()->isVisible() && !inspect->error()->details().isEmpty(), "no message is shown"); }});
  m_steps.push_back({QStringLiteral("bad-model"), tr("a folder that is no model is a message too"), 20000,
                     [this] {
                       QDir(m_folder).mkpath(QStringLiteral("no-model"));
                       dropFile(m_folder + QStringLiteral("/no-model"));
                     },
                     [this] { return m_failureSeen; }, [=] { return must(inspect->error()->isVisible(), "no message is shown"); }});
  m_steps.push_back({QStringLiteral("data"), tr("the demo's held-out rows are listed"), 20000, [this] { m_window.action(QStringLiteral("data.demo"))->trigger(); },
                     [this] { return m_window.dataPage()->model()->rowCount() > 0; }, [this] { return must(m_window.dataPage()->model()->total() >= 1000, "there are fewer than 1,000 rows"); }});
  planTraining();
  planExports();
}

void Tour::planTraining() {
  InspectPage* inspect = m_window.inspectPage();
  const auto own = [this] { return m_session.ownRun(); };
  const auto steps = [this] { return m_session.ownRun() ? int(m_session.ownRun()->steps.size()) : 0; };
  m_steps.push_back({QStringLiteral("train-start"), tr("the demo's OPD+ViCuR run starts and its first step arrives"), 240000,
                     [this] { m_window.action(QStringLiteral("train.demo"))->trigger(); }, [=, this] { return steps() >= 1 || (own() && own()->status.state == RunState::Failed); },
                     [=] { return must(own() && own()->status.state == RunState::Running, "the run is not training"); }});
  m_steps.push_back({QStringLiteral("train-watch"), tr("steps arrive in order, with a finite loss"), 420000, {}, [=, this] { return steps() >= 6 || (own() && own()->status.state == RunState::Failed); },
                     [=] {
                       int last = -1;
                       for (const StepPtr& step : own()->steps) {
                         if (step->step <= last) return QStringLiteral("a step came out of order");
                         last = step->step;
                         for (const auto& [name, value] : step->metrics)
                           if (name.find("loss") != std::string::npos && !std::isfinite(value)) return QStringLiteral("a loss is not finite");
                       }
                       return QString();
                     }});
  m_steps.push_back({QStringLiteral("train-pause"), tr("pause: no step arrives while it lasts"), 60000, [this] { m_window.action(QStringLiteral("train.pause"))->trigger(); },
                     [=, this] {
                       m_steps0 = steps();
                       return own()->status.state == RunState::Paused;
                     },
                     [=] { return must(own()->status.state == RunState::Paused, "the run is not paused"); }});
  m_steps.push_back({QStringLiteral("inspect-paused"), tr("the paused student is inspected as it is: its step is named, its sink map exists"), 60000,
                     [=, this] {
                       m_seen.reset();
                       m_window.setPage(MainWindow::Inspect);
                       if (!m_window.startPage()->scenes().empty()) {
                         InspectRequest request = m_window.startPage()->scenes().front().request(m_window.workspace());
                         inspect->askBar()->setRequest(request);
                       }
                       inspect->inspectRun(QString::fromStdString(own()->status.run));
                     },
                     [this] { return m_seen != nullptr || m_failureSeen; },
                     [=, this] {
                       if (!m_seen) return QStringLiteral("no inspection arrived");
                       return firstWrong({must(m_seen->step == own()->status.step, "the inspection names another step"), must(!m_seen->cueRecovery.empty(), "there is no sink map"),
                                          must(steps() == m_steps0, "the run went on while it was paused")});
                     }});
  m_steps.push_back({QStringLiteral("train-resume"), tr("resume: steps go on from where they were"), 120000,
                     [this] {
                       m_window.setPage(MainWindow::Train);
                       m_window.action(QStringLiteral("train.pause"))->trigger();
                     },
                     [=, this] { return steps() >= m_steps0 + 3; },
                     [=, this] { return must(own()->steps[std::size_t(m_steps0)]->step == own()->steps[std::size_t(m_steps0) - 1]->step + 1, "a step is missing"); }});
  m_steps.push_back({QStringLiteral("train-stop"), tr("stop and save: the run has ended and a checkpoint is in its folder"), 120000, [this] { m_window.action(QStringLiteral("train.stop"))->trigger(); },
                     [=] { return own()->status.state == RunState::Stopped; },
                     [=] { return must(!RunReader(own()->status.directory).checkpoints().empty(), "there is no checkpoint"); }});
}

void Tour::planExports() {
  m_steps.push_back({QStringLiteral("back-to-map"), tr("the last map is still there"), 5000, [this] { m_window.setPage(MainWindow::Inspect); }, {},
                     [this] { return must(m_window.inspectPage()->map()->slice().exists(), "the map is gone"); }});
  m_steps.push_back({QStringLiteral("export"), tr("PNG, SVG, PDF, CSV and a capture are written; a second PNG has the same bytes"), 20000,
                     [this] {
                       for (const char* ending : {"png", "svg", "pdf", "csv", "capture"}) m_window.exportView(m_folder + QStringLiteral("/map.") + QLatin1String(ending));
                       for (const char* ending : {"png", "svg", "pdf"}) m_window.exportView(m_folder + QStringLiteral("/again.") + QLatin1String(ending));
                     },
                     {},
                     [this] {
                       const auto bytes = [this](const QString& name) {
                         QFile file(m_folder + u'/' + name);
                         return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
                       };
                       QString wrong = firstWrong({must(QImage::fromData(bytes("map.png")).width() > 200, "the PNG is no picture"), must(QSvgRenderer(bytes("map.svg")).isValid(), "the SVG does not parse"),
                                                   must(bytes("map.pdf").startsWith("%PDF-") && bytes("map.pdf").contains("%%EOF"), "the PDF is not whole"),
                                                   must(bytes("map.csv").count('\n') > 1, "the CSV has no rows"), must(bytes("map.png.recipe.json").contains("student_digest"), "there is no recipe")});
                       for (const char* ending : {"png", "svg", "pdf"})
                         if (wrong.isEmpty()) wrong = must(bytes(QStringLiteral("map.") + QLatin1String(ending)) == bytes(QStringLiteral("again.") + QLatin1String(ending)), "the same view gives other bytes");
                       if (!wrong.isEmpty()) return wrong;
                       try {
                         const Capture capture = readCapture((m_folder + QStringLiteral("/map.capture")).toStdString());
                         return must(figureBytes(figureOf(*capture.inspection, m_window.exportChoice()), QStringLiteral("png")) == bytes("map.png"), "the reopened capture gives other bytes");
                       } catch (...) {
                         return QString::fromStdString(currentFailure("tour").text());
                       }
                     }});
  m_steps.push_back({QStringLiteral("light"), tr("the light theme shows the same"), 5000, [this] { m_window.action(QStringLiteral("view.theme"))->trigger(); }, {},
                     [this] { return firstWrong({must(!Theme::instance().isDark(), "the theme is still dark"), must(m_window.inspectPage()->map()->slice().exists(), "the map is gone")}); }});
  m_steps.push_back({QStringLiteral("light-train"), tr("the Train page in the light theme"), 5000, [this] { m_window.setPage(MainWindow::Train); }, {}, {}});
}

}  // namespace cuescope
