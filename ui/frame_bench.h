// FrameBench: measures how the window answers while the demo run trains. A script changes the selection, the page, the canvas and,
// with loads, curves of a million points and a map of 4096 × 4096; a frame is the time from such an event to the end of the paint
// that shows it, its work what the processor did of it in this thread, and a stall is what a 4 ms timer came too late. Prints one JSON line. UI thread.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>
#include <map>
#include <memory>
#include <vector>

#include "ui/main_window.h"

namespace cuescope {

class BenchLoads;

struct FrameBenchOptions {
  double seconds = 20;
  bool loads = false;             // --bench-ui: with the large curves and the large map
  QElapsedTimer sinceStart;       // of the process
  const qint64* firstPaint = nullptr;  // ms, filled when the window was painted
};

class FrameBench : public QObject {
  Q_OBJECT
 public:
  FrameBench(MainWindow& window, Session& session, const FrameBenchOptions& options);
  ~FrameBench() override;
  /// Call it after an event was handled: the end of a repaint of the window ends the frame that is being measured.
  void eventHandled(QObject* receiver, int type);

 Q_SIGNALS:
  void finished(bool measured);

 private:
  void begin();  // there is an answer to look at: start the run
  void measure();
  void act();
  void actLoads();
  void finish();
  void wheel(QWidget* widget, int delta, Qt::KeyboardModifiers keys = {});

  MainWindow& m_window;
  Session& m_session;
  FrameBenchOptions m_options;
  QElapsedTimer m_frame, m_beat, m_whole;
  QTimer m_script, m_pulse;
  bool m_began = false, m_measuring = false, m_open = false;
  int m_turn = 0, m_lost = 0, m_stepsBefore = 0, m_clicks = 0;
  qint64 m_firstMapMs = -1;
  const char* m_kind = "";
  std::map<QString, std::vector<double>> m_byKind, m_workByKind;
  std::vector<double> m_frames, m_stalls;
  double m_workBefore = 0;  // ms that this thread had worked when the event came
  std::unique_ptr<BenchLoads> m_loads;
};

}  // namespace cuescope
