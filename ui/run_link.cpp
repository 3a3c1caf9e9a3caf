#include "ui/run_link.h"

#include <QPointer>
#include <QSocketNotifier>

namespace cuescope {

RunLink* RunLink::attach(const QString& directory, std::string* why, QObject* parent) {
  auto client = RunControlClient::connect(directory.toStdString(), why);
  return client ? new RunLink(directory, std::move(client), parent) : nullptr;
}

RunLink::RunLink(const QString& directory, std::unique_ptr<RunControlClient> client, QObject* parent)
    : QObject(parent), m_directory(directory), m_client(std::move(client)), m_notifier(new QSocketNotifier(m_client->fd(), QSocketNotifier::Read, this)) {
  connect(m_notifier, &QSocketNotifier::activated, this, &RunLink::read);
}

RunLink::~RunLink() = default;

bool RunLink::send(RunCommand command) { return m_refusal.isEmpty() && m_client->send(command) != 0; }

void RunLink::read() {
  const QPointer<RunLink> alive(this);
  for (const RunMessage& message : m_client->receive()) {
    if (message.kind == RunMessage::Kind::Hello) {
      m_pid = message.pid;
      if (message.version != kRunControlVersion) {
        m_refusal = tr("The run was started by another version (protocol %1, this window speaks %2). It can be followed, not steered.").arg(message.version).arg(kRunControlVersion);
        continue;
      }
    }
    if (message.kind == RunMessage::Kind::Answer && message.ok) continue;
    Q_EMIT heard(message);
    if (!alive) return;
  }
  if (!m_client->closed()) return;
  m_notifier->setEnabled(false);
  Q_EMIT closed();
}

}  // namespace cuescope
