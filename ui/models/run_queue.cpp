#include "ui/models/run_queue.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTimer>
#include <algorithm>

#include "engine/core/run_directory.h"

namespace cuescope {

RunQueue::RunQueue(Session& session, QObject* parent) : QAbstractListModel(parent), m_session(session) {
  connect(&session, &Session::actionsChanged, this, &RunQueue::consider);
  connect(&session, &Session::runStatusChanged, this, [this](const RunStatus& status) {
    if (status.state != RunState::Running) consider();
  });
  connect(&session, &Session::runLaunched, this, &RunQueue::began);
  connect(&session, &Session::launchFailed, this, &RunQueue::failed);
  connect(&session, &Session::runStatusChanged, this, [this](const RunStatus& status) {
    if (!m_items.empty() && m_items.front().starting && !m_items.front().asProcess && m_session.ownRun() && m_session.ownRun()->status.run == status.run && status.state == RunState::Running) began();
  });
  connect(&session, &Session::runFailed, this, [this](const QString& run, const Failure& failure) {
    if (run.isEmpty() && !m_items.empty() && !m_items.front().asProcess) failed(failure);  // it could not be loaded
  });
}

void RunQueue::open(const QString& folder) {
  QDir().mkpath(folder);
  m_file = folder + QStringLiteral("/queue.json");
  QFile in(m_file);
  if (!in.open(QIODevice::ReadOnly)) return;
  const QJsonDocument document = QJsonDocument::fromJson(in.readAll());
  in.close();
  const QJsonObject whole = document.object();
  if (!document.isObject() || whole.value(QLatin1String("version")).toInt() != 1) {
    const QString aside = m_file + QStringLiteral(".damaged");
    QFile::remove(aside);
    QFile::rename(m_file, aside);
    Q_EMIT notice(tr("The queue of runs could not be read and starts empty. The old file is %1.").arg(aside));
    return;
  }
  beginResetModel();
  m_items.clear();
  m_held = whole.value(QLatin1String("held")).toBool();
  m_why = whole.value(QLatin1String("why")).toString();
  for (const QJsonValue& value : whole.value(QLatin1String("runs")).toArray()) {
    const QJsonObject object = value.toObject();
    std::vector<ConfigIssue> issues;
    QueuedRun item;
    item.config = parseConfig(object.value(QLatin1String("config")).toString().toStdString(), folder.toStdString(), &issues);
    item.asProcess = object.value(QLatin1String("process")).toBool(true);
    // The window ended between the start and the run's first word: it must not start twice by itself.
    if (object.value(QLatin1String("starting")).toBool()) m_held = true, m_why = tr("The window was closed while «%1» was being started. Look whether it trains, then go on.").arg(QString::fromStdString(item.config.trainer.name));
    m_items.push_back(std::move(item));
  }
  endResetModel();
  Q_EMIT changed();
  consider();
}

void RunQueue::save() {
  if (m_file.isEmpty()) return;
  QJsonArray runs;
  for (const QueuedRun& item : m_items)
    runs << QJsonObject{{QStringLiteral("config"), QString::fromStdString(writeConfig(item.config))}, {QStringLiteral("process"), item.asProcess}, {QStringLiteral("starting"), item.starting}};
  const QByteArray bytes = QJsonDocument(QJsonObject{{QStringLiteral("version"), 1}, {QStringLiteral("held"), m_held}, {QStringLiteral("why"), m_why}, {QStringLiteral("runs"), runs}}).toJson();
  try {
    writeFileDurably(m_file.toStdString(), bytes.toStdString());
  } catch (const Error& error) {
    Q_EMIT notice(tr("The queue was not kept: %1").arg(QString::fromStdString(error.failure().why)));
  }
}

void RunQueue::add(const RunConfig& config, bool asProcess) {
  beginInsertRows({}, size(), size());
  m_items.push_back({config, asProcess, false});
  endInsertRows();
  save();
  Q_EMIT changed();
  consider();
}

void RunQueue::remove(int row) {
  if (row < 0 || row >= size() || m_items[std::size_t(row)].starting) return;
  beginRemoveRows({}, row, row);
  m_items.erase(m_items.begin() + row);
  endRemoveRows();
  if (m_items.empty()) m_held = false, m_why.clear();
  save();
  Q_EMIT changed();
}

void RunQueue::insert(int row, const QueuedRun& run) {
  row = std::clamp(row, !m_items.empty() && m_items.front().starting ? 1 : 0, size());
  beginInsertRows({}, row, row);
  m_items.insert(m_items.begin() + row, run);
  endInsertRows();
  save();
  Q_EMIT changed();
  consider();
}

void RunQueue::move(int from, int to) {
  const int first = !m_items.empty() && m_items.front().starting ? 1 : 0;
  if (from < first || from >= size() || to < first || to >= size() || from == to) return;
  beginMoveRows({}, from, from, {}, to > from ? to + 1 : to);
  QueuedRun item = std::move(m_items[std::size_t(from)]);
  m_items.erase(m_items.begin() + from);
  m_items.insert(m_items.begin() + to, std::move(item));
  endMoveRows();
  save();
  Q_EMIT changed();
}

void RunQueue::setHeld(bool held, const QString& why) {
  m_held = held;
  m_why = held ? why : QString();
  save();
  Q_EMIT changed();
  consider();
}

QString RunQueue::waitingFor() const {
  if (m_items.empty()) return {};
  if (m_held) return m_why.isEmpty() ? tr("The queue is held.") : m_why;
  if (m_items.front().starting) return tr("«%1» is being started.").arg(QString::fromStdString(m_items.front().config.trainer.name));
  const QStringList live = m_session.liveRuns();
  if (!live.isEmpty()) return tr("The next one starts when %1 has ended.").arg(live.join(QStringLiteral(", ")));
  if (m_session.launching()) return tr("A run is being started.");
  const QString refusal = m_items.front().asProcess ? QString() : m_session.refusal(RunAction::Start);
  return refusal;
}

// Deferred: a run that ends changes several things, and a start from inside its signals would meet half of them.
void RunQueue::consider() {
  if (m_considering) return;
  m_considering = true;
  QTimer::singleShot(0, this, [this] {
    m_considering = false;
    if (!m_items.empty() && waitingFor().isEmpty()) startNext();
    Q_EMIT changed();
  });
}

void RunQueue::startNext() {
  QueuedRun& next = m_items.front();
  next.starting = true;
  save();
  Q_EMIT dataChanged(index(0), index(0));
  if (next.asProcess) m_session.launchRun(next.config);
  else m_session.startRun(next.config);
}

void RunQueue::began() {
  if (m_items.empty() || !m_items.front().starting) return;
  m_items.front().starting = false;
  remove(0);
}

void RunQueue::failed(const Failure& failure) {
  if (m_items.empty() || !m_items.front().starting) return;
  m_items.front().starting = false;
  setHeld(true, tr("«%1» could not be started: %2").arg(QString::fromStdString(m_items.front().config.trainer.name), QString::fromStdString(failure.what + (failure.why.empty() ? "" : ", " + failure.why))));
}

QVariant RunQueue::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= size()) return {};
  const QueuedRun& item = m_items[std::size_t(index.row())];
  const QString name = QString::fromStdString(item.config.trainer.name);
  switch (role) {
    case Qt::DisplayRole: return tr("%1   %2 steps%3").arg(name).arg(item.config.trainer.totalTrainingSteps).arg(item.starting ? tr(", starting") : item.asProcess ? QString() : tr(", in this window"));
    case Qt::ToolTipRole: return tr("%1\nStudent %2\nTeacher %3\n%4").arg(name, QString::fromStdString(item.config.student.path), QString::fromStdString(item.config.teacher.path), item.asProcess ? tr("Starts as a process of its own.") : tr("Starts in this window's engine."));
    default: return {};
  }
}

}  // namespace cuescope
