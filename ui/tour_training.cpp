// The tour's second half: the run, its inspection while it is paused, exports, and the light theme.
#include <QAction>
#include <QImage>
#include <QPushButton>
#include <QSvgRenderer>
#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/core/capture.h"
#include "ui/inspect_page.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/start_page.h"
#include "ui/tour.h"
#include "widgets/film_strip.h"

namespace cuescope {
namespace {

double peakOverUniform(const MapSlice& slice) {
  const auto peak = std::max_element(slice.values.begin(), slice.values.end());
  return peak == slice.values.end() || !(slice.uniform > 0) ? 0 : double(*peak / slice.uniform);
}

}  // namespace

void Tour::planTraining() {
  InspectPage* inspect = m_window.inspectPage();
  const auto own = [this] { return m_session.ownRun(); };
  const auto steps = [this] { return m_session.ownRun() ? int(m_session.ownRun()->steps.size()) : 0; };
  m_steps.push_back({QStringLiteral("new-run"), tr("Ctrl+N opens the form of a new run"), 5000, [this] { m_window.action(QStringLiteral("train.new"))->trigger(); }, {},
                     [this] {
                       return firstWrong({must(m_window.page() == MainWindow::Train, "another page is shown"), must(m_window.trainPage()->form()->isVisible(), "the form is not shown"),
                                          must(!m_window.trainPage()->form()->presets().isEmpty(), "the form has no preset")});
                     }});
  m_steps.push_back({QStringLiteral("train-start"), tr("the demo's OPD+ViCuR run starts and its first step arrives"), 240000,
                     [this] { m_window.action(QStringLiteral("train.demo"))->trigger(); }, [=, this] { return steps() >= 1 || (own() && own()->status.state == RunState::Failed); },
                     [=] { return must(own() && own()->status.state == RunState::Running, "the run is not training"); }});
  m_steps.push_back({QStringLiteral("train-watch"), tr("steps arrive in order, with a finite loss"), 420000, {}, [=, this] { return steps() > m_trainingSteps || (own() && own()->status.state == RunState::Failed); },
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
  m_steps.push_back({QStringLiteral("inspect-paused"), tr("the paused student is inspected as it is: its step is named, its sink map is shown and no longer uniform"), 60000,
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
                                          must(m_window.selection().site() == Site::CueRecovery && inspect->map()->slice().claim.startsWith(QStringLiteral("Sink")), "the sink map is not what is shown"),
                                          must(peakOverUniform(inspect->map()->slice()) > 1.02, "the sink map is still uniform"),
                                          must(steps() == m_steps0, "the run went on while it was paused")});
                     }});
  m_steps.push_back({QStringLiteral("train-resume"), tr("resume: steps go on from where they were; the film strip shows the probe images"), 120000,
                     [this] {
                       m_window.setPage(MainWindow::Train);
                       m_window.action(QStringLiteral("train.pause"))->trigger();
                     },
                     [=, this] { return steps() >= m_steps0 + 3; },
                     [=, this] { 
                       const FilmStrip* film = m_window.trainPage()->film();
                       return firstWrong({must(own()->steps[std::size_t(m_steps0)]->step == own()->steps[std::size_t(m_steps0) - 1]->step + 1, "a step is missing"),
                                          must(film->steps().size() >= 2 && film->cellCount() >= 4, "the film strip shows no probes")});
                     }});
  m_steps.push_back({QStringLiteral("train-stop"), tr("stop and save: the run has ended and a checkpoint is in its folder"), 120000, [this] { m_window.action(QStringLiteral("train.stop"))->trigger(); },
                     [=] { return own()->status.state == RunState::Stopped; },
                     [=, this] {
                       return firstWrong({must(!RunReader(own()->status.directory).checkpoints().empty(), "there is no checkpoint"),
                                          must(QString::fromStdString(own()->status.directory).startsWith(m_folder), "the run is not in the tour's folder")});
                     }});
  // In a folder that an earlier tour has used the run gets another name.
  const auto launched = std::make_shared<QString>();
  connect(&m_session, &Session::runLaunched, this, [launched](const QString& name) { *launched = name; });
  const auto process = [this, launched]() -> const RunRecord* { return m_session.run(*launched); };
  m_steps.push_back({QStringLiteral("own-process-form"), tr("the form offers a process of its own, says what the run will need and has no complaint"), 60000,
                     [this] {
                       m_window.action(QStringLiteral("train.new"))->trigger();
                       NewRunForm* form = m_window.trainPage()->form();
                       RunConfig config = form->config();
                       config.trainer.name = "tour-own-process";
                       config.trainer.directory = (m_folder + QStringLiteral("/runs")).toStdString();
                       config.trainer.totalTrainingSteps = 500, config.trainer.testFreq = 0, config.trainer.valBeforeTrain = false;
                       config.data.trainBatchSize = 4;
                       form->setConfig(config);
                       form->setPlace(RunPlace::Process);
                     },
                     [this] { return m_window.trainPage()->form()->planText().contains(QStringLiteral("a step")); },
                     [this] { return firstWrong({must(m_window.trainPage()->form()->complaints() == 0, "the form complains"), must(m_window.trainPage()->form()->planText().startsWith(QStringLiteral("Memory about")), "memory and time are not shown")}); }});
  m_steps.push_back({QStringLiteral("own-process"), tr("the run trains in a process of its own and is followed"), 240000,
                     [this] {
                       for (QPushButton* button : m_window.trainPage()->form()->findChildren<QPushButton*>())
                         if (button->text() == tr("Start run")) button->click();
                     },
                     [=] { return process() && process()->pid > 0 && process()->steps.size() >= 2; },
                     [=, this] { return firstWrong({must(process() && process()->driver == RunDriver::Process, "no process trains it"), must(m_window.trainPage()->shownRun() == *launched, "another run is shown")}); }});
  m_steps.push_back({QStringLiteral("own-process-pause"), tr("it is paused and stopped from here"), 120000, [this] { m_window.action(QStringLiteral("train.pause"))->trigger(); },
                     [=] { return process() && process()->status.state == RunState::Paused; }, [=] { return must(process() && process()->status.state == RunState::Paused, "it is not paused"); }});
  m_steps.push_back({QStringLiteral("own-process-stop"), tr("stop and save: its process has ended, its checkpoint can go on"), 120000, [this] { m_window.action(QStringLiteral("train.stop"))->trigger(); },
                     [=] { return process() && process()->driver == RunDriver::None && process()->status.state == RunState::Stopped; },
                     [=, this] {
                       const QString wrong = must(process() && !process()->checkpoints.empty(), "there is no checkpoint");
                       if (own()) m_window.selection().setRun(QString::fromStdString(own()->status.run));
                       return wrong;
                     }});
  m_steps.push_back({QStringLiteral("export-curves"), tr("the curves are written as PNG, SVG and CSV"), 20000,
                     [this] {
                       for (const char* ending : {"png", "svg", "csv"}) m_window.trainPage()->exportCurvesTo(m_folder + QStringLiteral("/curves.") + QLatin1String(ending));
                     },
                     {},
                     [=, this] {
                       const QByteArray csv = bytesOf(QStringLiteral("curves.csv"));
                       return firstWrong({must(QImage::fromData(bytesOf(QStringLiteral("curves.png"))).width() > 400, "the PNG is no picture"),
                                          must(QSvgRenderer(bytesOf(QStringLiteral("curves.svg"))).isValid(), "the SVG does not parse"),
                                          must(csv.startsWith("metric,") && csv.count('\n') > steps(), "the CSV lacks rows")});
                     }});
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
                       const auto bytes = [this](const QString& name) { return bytesOf(name); };
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
