// StatusStrip: what is computed now with cancel, the demo mark, queue, memory, device. 24 px at the foot of the window. UI thread.
#pragma once

#include "ui/panels/panel.h"

#include "engine/engine.h"

class QLabel;
class QTimer;

namespace cuescope {

class Session;
class TaskProgress;

class StatusStrip : public Strip {
  Q_OBJECT
 public:
  explicit StatusStrip(Session& session, QWidget* parent = nullptr);
  void setDemoMark(const QString& words);
  QString words() const;
  void say(const QString& words);  // for a few seconds, when nothing is computed

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void refresh();
  void refreshMemory();
  Session& m_session;
  TaskProgress* m_task = nullptr;
  QLabel* m_demo = nullptr;
  QLabel* m_queue = nullptr;
  QLabel* m_memory = nullptr;
  QLabel* m_device = nullptr;
  QString m_said, m_words;
  QTimer* m_forget = nullptr;
};

/// Lines of the engine's doctor that the window shows by name.
inline constexpr const char* kDoctorDevice = "runs on";  // «cuda, bfloat16, 8 threads»
inline constexpr const char* kDoctorGpu = "GPU";
/// Of a line that is not as it should be: what was found and what to do.
QString troubleText(const DoctorLine& line);

/// Resident memory of this process and the machine's, bytes; 0 where it is not known.
struct MemoryUse {
  double used = 0, total = 0, free = 0;
};
MemoryUse memoryUse();

}  // namespace cuescope
