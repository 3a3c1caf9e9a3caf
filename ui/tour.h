// Tour: drives the real window with the real engine through the main job on the demo, one picture a step, and asserts what a
// person would see. Waits for signals with a limit; nothing sleeps. Writes DIR/NN-name.png and DIR/tour.json. UI thread.
#pragma once

#include <QElapsedTimer>
#include <QJsonArray>
#include <QObject>
#include <QTimer>
#include <functional>
#include <vector>

#include "ui/main_window.h"

namespace cuescope {

/// "" when it holds, else the words.
inline QString must(bool holds, const char* words) {
  return holds ? QString() : QString::fromUtf8(words);
}
inline QString firstWrong(std::initializer_list<QString> all) {
  for (const QString& wrong : all)
    if (!wrong.isEmpty()) return wrong;
  return {};
}
/// A picture of the tour's own, unlike any drawn scene.
QByteArray drawnPhotograph();

class Tour : public QObject {
  Q_OBJECT
 public:
  /// `trainingSteps`: how long the run is watched before it is paused. More give better pictures, a few are enough to assert.
  Tour(MainWindow& window, Session& session, const QString& folder, int trainingSteps = 5);
  void start();

 Q_SIGNALS:
  void finished(bool passed);

 private:
  /// One step: do something, wait until `until` holds (or the limit passes), then assert. `check` returns what is wrong.
  struct Step {
    QString name;
    QString asserted;
    int limitMs = 10000;
    std::function<void()> act;
    std::function<bool()> until;     // empty: at once
    std::function<QString()> check;  // "" passes
  };
  int m_trainingSteps;
  void plan();           // tour_steps.cpp
  void planInspect();    // tour_inspect.cpp
  void planBadFiles();   // tour_files.cpp
  void planTraining();   // tour_training.cpp
  void planExports();
  void planPages();      // tour_pages.cpp
  void planDesk();       // tour_desk.cpp
  void next();
  void poke();           // something happened: does the awaited state hold?
  void settle();         // state reached or limit passed: assert, picture, on
  QString picture(const QString& name);
  void finish();
  QString writeFile(const QString& name, const QByteArray& bytes);
  QByteArray bytesOf(const QString& name) const;
  void dropFile(const QString& path);
  void clickToken(int token);

  MainWindow& m_window;
  Session& m_session;
  QString m_folder;
  std::vector<Step> m_steps;
  std::size_t m_at = 0;
  bool m_waiting = false, m_passed = true, m_late = false;
  QElapsedTimer m_clock, m_whole;
  QTimer m_limit, m_settle;
  QJsonArray m_log;
  // What later steps compare with.
  std::vector<float> m_before;
  int m_clicks = 0, m_steps0 = 0, m_token = 0;
  qint64 m_firstMapMs = 0;
  double m_memory = 0;
  std::size_t m_models = 0;
  InspectionPtr m_seen;
  bool m_failureSeen = false;
};

}  // namespace cuescope
