// RunLink: the connection to a run that trains in a process of its own, as signals. Owned by Session. UI thread; never blocks.
#pragma once

#include <QObject>
#include <memory>

#include "engine/core/run_control.h"

class QSocketNotifier;

namespace cuescope {

class RunLink : public QObject {
  Q_OBJECT
 public:
  /// Null with the reason when no process answers in this folder.
  static RunLink* attach(const QString& directory, std::string* why, QObject* parent);
  ~RunLink() override;

  QString directory() const { return m_directory; }
  qint64 pid() const { return m_pid; }
  /// Why commands cannot be sent although the process is there; empty when they can.
  QString refusal() const { return m_refusal; }
  bool send(RunCommand command);

 Q_SIGNALS:
  void heard(const cuescope::RunMessage& message);  // Hello, Status, Saved, Trouble, and Answers that refuse
  void closed();                                    // the last signal

 private:
  RunLink(const QString& directory, std::unique_ptr<RunControlClient> client, QObject* parent);
  void read();
  QString m_directory, m_refusal;
  qint64 m_pid = 0;
  std::unique_ptr<RunControlClient> m_client;
  QSocketNotifier* m_notifier = nullptr;
};

}  // namespace cuescope
