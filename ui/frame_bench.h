// FrameBench: measures how the window answers while the demo run trains. A script changes the selection, the page and the
// canvas; a frame is the time from such an event to the end of the paint that shows it, and a stall is what a 4 ms timer came
// too late. Prints one JSON line. UI thread.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>
#include <map>
#include <vector>

#include "ui/main_window.h"

namespace cuescope {

class FrameBench : public QObject {
  Q_OBJECT
 public:
  FrameBench(MainWindow& window, Session& session, double seconds);
  /// Call it after an event was handled: the end of a repaint of the window ends the frame that is being measured.
  void eventHandled(QObject* receiver, int type);

 Q_SIGNALS:
  void finished(bool measured);

 private:
  void begin();  // there is an answer to look at: start the run
  void measure();
  void act();
  void finish();

  MainWindow& m_window;
  Session& m_session;
  double m_seconds;
  QElapsedTimer m_frame, m_beat, m_whole;
  QTimer m_script, m_pulse;
  bool m_began = false, m_measuring = false, m_open = false;
  int m_turn = 0, m_lost = 0, m_stepsBefore = 0;
  const char* m_kind = "";
  std::map<QString, std::vector<double>> m_byKind;
  std::vector<double> m_frames, m_stalls;
};

}  // namespace cuescope
