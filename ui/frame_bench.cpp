#include "ui/frame_bench.h"

#include <QApplication>
#include <QJsonDocument>
#include <QJsonObject>
#include <QWheelEvent>
#include <QWindow>
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "ui/bench_loads.h"
#include "ui/inspect_page.h"
#include "ui/panels/map_panel.h"
#include "ui/start_page.h"
#include "widgets/curve_plot.h"
#include "widgets/image_canvas.h"

namespace cuescope {
namespace {

constexpr int kScriptMs = 40, kPulseMs = 4, kFrameLimitMs = 1000;

double milliseconds(const QElapsedTimer& clock) {
  return double(clock.nsecsElapsed()) / 1e6;
}

// What this thread has worked, in ms: what else the machine does is not in it.
double threadWork() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return double(used.tv_sec) * 1e3 + double(used.tv_nsec) / 1e6;
}

QJsonObject spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) { return values.empty() ? 0.0 : values[std::min(values.size() - 1, std::size_t(share * double(values.size())))]; };
  const auto over = [&](double limit) { return int(values.end() - std::upper_bound(values.begin(), values.end(), limit)); };
  return {{"n", int(values.size())}, {"p50_ms", at(0.5)}, {"p99_ms", at(0.99)}, {"worst_ms", values.empty() ? 0.0 : values.back()}, {"over_16_ms", over(16)}, {"over_50_ms", over(50)}};
}

}  // namespace

FrameBench::FrameBench(MainWindow& window, Session& session, const FrameBenchOptions& options) : m_window(window), m_session(session), m_options(options) {
  m_script.setInterval(kScriptMs);
  m_pulse.setInterval(kPulseMs);
  m_pulse.setTimerType(Qt::PreciseTimer);
  connect(&m_script, &QTimer::timeout, this, &FrameBench::act);
  connect(&m_pulse, &QTimer::timeout, this, [this] {
    m_stalls.push_back(std::max(0.0, milliseconds(m_beat) - kPulseMs));
    m_beat.restart();
  });
  const auto failed = [this] { Q_EMIT finished(false); };
  connect(&session, &Session::engineStateChanged, this, [this] {
    if (m_session.engineState() == EngineState::Failed) Q_EMIT finished(false);
    if (m_session.engineState() == EngineState::Ready) {
      ++m_clicks;
      m_window.startPage()->openCard(0);
    }
  });
  connect(&session, &Session::inspectionFailed, this, failed);
  connect(&session, &Session::runFailed, this, failed);
  connect(&session, &Session::inspectionArrived, this, &FrameBench::begin);
  connect(&session, &Session::stepArrived, this, [this] {
    if (!m_measuring) measure();
  });
}

void FrameBench::begin() {
  if (m_began) return;
  m_began = true;
  m_firstMapMs = m_options.sinceStart.isValid() ? m_options.sinceStart.elapsed() : -1;
  if (m_options.loads) m_loads = std::make_unique<BenchLoads>();
  QTimer::singleShot(0, this, [this] {
    if (!m_window.startDemoRun(100000)) Q_EMIT finished(false);
  });
}

void FrameBench::measure() {
  m_measuring = true;
  m_stepsBefore = int(m_session.ownRun()->steps.size());
  m_whole.start();
  m_beat.start();
  m_script.start();
  m_pulse.start();
  QTimer::singleShot(int(m_options.seconds * 1000), this, &FrameBench::finish);
}

FrameBench::~FrameBench() = default;

void FrameBench::wheel(QWidget* widget, int delta, Qt::KeyboardModifiers keys) {
  const QPointF at = QRectF(widget->rect()).center();
  QWheelEvent event(at, widget->mapToGlobal(at), {}, {0, delta}, Qt::NoButton, keys, Qt::NoScrollPhase, false);
  QApplication::sendEvent(widget, &event);
}

// Ten events on what is large, between two rounds of the script.
void FrameBench::actLoads() {
  const int turn = m_turn % 36 - 26;
  const bool curves = turn < 5;
  if (turn == 0) {
    m_loads->show();
    m_loads->raise();
  }
  if (turn == 0 || turn == 5) {
    m_kind = curves ? "million points: shown" : "4096 map: shown";
    m_loads->showCurves(curves);
    m_loads->update();
  } else if (curves) {
    m_kind = turn == 4 ? "million points: cursor" : "million points: zoom";
    if (turn == 4) m_loads->curves()->setCursorStep((m_turn * 7919) % BenchLoads::kPoints);
    else if (QWidget* plot = m_loads->childAt(QPoint(m_loads->width() / 2, m_loads->height() / 2))) wheel(plot, m_turn % 72 < 36 ? 120 : -120);
  } else {
    m_kind = "4096 map: zoom";
    wheel(m_loads->canvas(), m_turn % 72 < 36 ? 120 : -120);
  }
}

// One event of a person: tokens, layers, heads and zooms on Inspect, and a walk over the pages between.
void FrameBench::act() {
  if (m_open) {
    if (milliseconds(m_frame) < kFrameLimitMs) return;
    ++m_lost;  // an event that changed nothing paints nothing
  }
  if (m_loads && m_turn % 36 >= 26) {
    m_open = true;
    m_frame.start();
    m_workBefore = threadWork();
    actLoads();
    ++m_turn;
    if (m_turn % 36 == 0) m_window.raise();
    return;
  }
  const InspectionPtr& shown = m_window.inspectPage()->inspection();
  const int tokens = std::max(1, int(shown->response.size()));
  Selection& selection = m_window.selection();
  static const char* const kKinds[18] = {"page: Inspect", "token", "layer", "head", "token", "zoom", "page: Data", "page: Train", "page: Inspect",
                                         "token", "layer", "head", "zoom", "page: Train", "page: Inspect", "token", "zoom", "zoom"};
  m_kind = kKinds[m_turn % 18];
  m_open = true;
  m_frame.start();
  m_workBefore = threadWork();
  switch (m_turn++ % 18) {
    case 0: m_window.setPage(MainWindow::Inspect); break;
    case 6: m_window.setPage(MainWindow::Data); break;
    case 7:
    case 13: m_window.setPage(MainWindow::Train); break;
    case 8:
    case 14: m_window.setPage(MainWindow::Inspect); break;
    case 1:
    case 4:
    case 9:
    case 15: selection.setToken((selection.token() + 1) % tokens); break;
    case 2:
    case 10: {
      const AttentionStack* stack = stackOf(*shown, selection.site());
      const auto& layers = stack->layers;
      const auto at = std::find(layers.begin(), layers.end(), selection.layer()) - layers.begin();
      selection.setLayer(layers[std::size_t(at + 1) % layers.size()]);
      break;
    }
    case 3:
    case 11: selection.setHead(selection.head() == 0 ? 1 : 0); break;
    default: {
      wheel(m_window.inspectPage()->map()->canvas(), m_turn % 4 < 2 ? 120 : -120);
    }
  }
}

void FrameBench::eventHandled(QObject* receiver, int type) {
  if (!m_open || type != QEvent::UpdateRequest) return;
  const bool ours = receiver == &m_window || receiver == m_window.windowHandle() || (m_loads && (receiver == m_loads.get() || receiver == m_loads->windowHandle()));
  if (!ours) return;
  m_open = false;
  m_frames.push_back(milliseconds(m_frame));
  m_byKind[QString::fromLatin1(m_kind)].push_back(m_frames.back());
  m_workByKind[QString::fromLatin1(m_kind)].push_back(threadWork() - m_workBefore);
}

void FrameBench::finish() {
  m_script.stop();
  m_pulse.stop();
  const double seconds = milliseconds(m_whole) / 1000;
  const int steps = int(m_session.ownRun()->steps.size()) - m_stepsBefore;
  QJsonObject kinds, work;
  std::vector<double> allWork;
  for (const auto& [kind, values] : m_byKind) kinds.insert(kind, spread(values));
  for (const auto& [kind, values] : m_workByKind) {
    work.insert(kind, spread(values));
    allWork.insert(allWork.end(), values.begin(), values.end());
  }
  QJsonObject out{{"seconds", seconds}, {"training_steps", steps}, {"frames", spread(m_frames)}, {"frames_by_event", kinds}, {"work", spread(allWork)}, {"work_by_event", work}, {"events_without_paint", m_lost}, {"event_loop_stalls", spread(m_stalls)}, {"platform", QApplication::platformName()}};
  if (m_options.loads) {
    std::vector<double> linked;
    for (const char* kind : {"token", "layer", "head"}) linked.insert(linked.end(), m_byKind[QString::fromLatin1(kind)].begin(), m_byKind[QString::fromLatin1(kind)].end());
    const QJsonObject link = spread(linked);
    const double p99 = out.value("frames").toObject().value("p99_ms").toDouble(), worst = out.value("frames").toObject().value("worst_ms").toDouble();
    out["linked_selection"] = link;
    out["first_map_ms"] = m_firstMapMs;
    out["first_map_clicks"] = m_clicks;
    if (m_options.firstPaint) out["window_painted_ms"] = *m_options.firstPaint;
    out["curve_points"] = BenchLoads::kPoints;
    out["map_side"] = BenchLoads::kSide;
    out["goals_met"] = QJsonObject{{"p99_under_16.7_ms", p99 < 16.7}, {"worst_under_100_ms", worst < 100}, {"linked_selection_under_50_ms", link["worst_ms"].toDouble() < 50},
                                   {"first_map_under_60_s_and_3_clicks", m_firstMapMs >= 0 && m_firstMapMs < 60000 && m_clicks <= 3}};
  }
  std::printf("%s\n", QJsonDocument(out).toJson(QJsonDocument::Compact).constData());
  std::fflush(stdout);
  Q_EMIT finished(!m_frames.empty() && steps > 0);
}

}  // namespace cuescope
