// Session's half for runs that others train: followed through their directories, steered through their control sockets,
// launched as processes of their own, found again at the next start.
#include <QCoreApplication>
#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QFileSystemWatcher>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryFile>
#include <QTimer>

#include "engine/core/foreign_run.h"
#include "ui/run_link.h"
#include "ui/session.h"

namespace cuescope {
namespace {

constexpr int kMostRunsListed = 200;
constexpr std::size_t kMostSteps = 500;  // read at once: some ten milliseconds
constexpr qint64 kYoungMs = 30'000;  // files younger than this are written by somebody, perhaps on another machine
constexpr int kHeldMs = 1'000;       // how often the holder of a lock without a socket is looked for: its end changes no file

QString lockedElsewhere(qint64 pid) {
  return pid > 0 ? QCoreApplication::translate("Session", "Process %1 trains this run and offers no control socket: another window, or an earlier version.").arg(pid)
                 : QCoreApplication::translate("Session", "Another process trains this run and offers no control socket.");
}

std::optional<RunCommand> commandOf(RunAction action) {
  switch (action) {
    case RunAction::Pause: return RunCommand::Pause;
    case RunAction::Resume: return RunCommand::Resume;
    case RunAction::Checkpoint: return RunCommand::Checkpoint;
    case RunAction::StopAndSave: return RunCommand::StopAndSave;
    case RunAction::Stop: return RunCommand::Stop;
    case RunAction::Start:
    case RunAction::InspectStudent: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

bool Session::followRun(const QString& directory, Failure* failure) {
  const QString path = QDir(directory).absolutePath();
  if (!RunReader::isRunDirectory(path.toStdString())) {
    if (failure)
      *failure = {"This folder is no run", path.toStdString(), "it has no config.yaml and metrics.jsonl",
                  "Choose the folder that a run writes; its name is the run's name."};
    return false;
  }
  if (!m_followed.contains(path)) {
    m_followed.insert(path, std::make_shared<RunReader>(path.toStdString()));
    if (!m_watcher) {
      m_watcher = new QFileSystemWatcher(this);
      connect(m_watcher, &QFileSystemWatcher::fileChanged, this, [this](const QString& file) { refreshFollowed(QFileInfo(file).absolutePath()); });
      connect(m_watcher, &QFileSystemWatcher::directoryChanged, this, &Session::refreshFollowed);
    }
    m_watcher->addPath(path);
    const QString metrics = path + QStringLiteral("/metrics.jsonl");
    if (QFileInfo::exists(metrics)) m_watcher->addPath(metrics);
  }
  refreshFollowed(path);
  return true;
}

QString Session::openForeignRun(const QString& path, Failure* failure) {
  try {
    const ForeignRun found = findForeignRun(path.toStdString());
    if (found.empty())
      throw Error("This holds no run", path.toStdString(), "there are no TensorBoard event files and no N.jsonl files of saved responses in it",
                  "Choose a folder with events.out.tfevents files, or the one that verl's trainer.rollout_data_dir names.");
    std::vector<StepPtr> steps = readForeignSteps(found);
    QString name = QString::fromStdString(found.name);
    const RunRecord* known = run(name);
    if (known && (!known->foreign || known->status.directory != found.folder)) name += QStringLiteral(" (read-only)");
    for (StepPtr& step : steps) {
      auto named = std::make_shared<StepSnapshot>(*step);
      named->run = name.toStdString();
      step = std::move(named);
    }
    RunRecord& opened = record(name);
    opened.foreign = true;
    opened.steps = std::move(steps);
    if (found.rollouts.size() == 1) opened.rollouts = QString::fromStdString(found.rollouts.front().path);
    else if (!found.rollouts.empty()) opened.rollouts = QString::fromStdString(found.folder);
    RunStatus status;
    status.run = name.toStdString();
    status.directory = found.folder;
    status.state = RunState::Completed;
    for (const StepPtr& step : opened.steps) status.step = std::max(status.step, step->step);
    for (const RolloutFile& file : found.rollouts) status.step = std::max(status.step, file.step);
    status.totalSteps = status.step;
    publishStatus(status);
    for (const StepPtr& step : opened.steps) Q_EMIT stepArrived(step);
    return name;
  } catch (...) {
    if (failure) *failure = currentFailure("opening a run of another program");
    return {};
  }
}

// The next steps of a run, at most kMostSteps; a line that another program damaged is told of and left out, and the reader goes on
// behind it.
std::vector<StepPtr> Session::readSteps(RunReader& reader, const QString& run) {
  for (;;) {
    try {
      return reader.newSteps(kMostSteps);
    } catch (const Error& error) {
      Q_EMIT runFailed(run, error.failure());
    }
  }
}

void Session::refreshFollowed(const QString& directory) {
  const auto reader = m_followed.value(directory);
  if (!reader) return;
  const QString metrics = directory + QStringLiteral("/metrics.jsonl");
  if (!m_watcher->files().contains(metrics) && QFileInfo::exists(metrics)) m_watcher->addPath(metrics);
  std::optional<RunStatus> status;
  std::vector<StepPtr> steps;
  QString name = QFileInfo(directory).fileName();
  try {
    status = reader->status();
    if (status && !status->run.empty()) name = QString::fromStdString(status->run);
    if (name == m_ownRun) return;  // driven here: its events are newer than its files
    RunRecord& followed = record(name);
    followed.loaded = true;
    if (followed.yaml.isEmpty()) followed.yaml = QString::fromStdString(reader->configYaml());
    followed.status.directory = directory.toStdString();
    followed.checkpoints = reader->checkpoints();
    steps = readSteps(*reader, name);
  } catch (const Error& error) {  // a damaged folder: what was read stays, the rest is said
    Q_EMIT runFailed(name, error.failure());
    record(name).checkpoints = reader->checkpoints();
  }
  RunRecord& followed = record(name);
  for (StepPtr& step : steps) {
    if (!followed.steps.empty() && step->step <= followed.steps.back()->step)  // resumed from an earlier checkpoint: that part is done again
      std::erase_if(followed.steps, [&](const StepPtr& old) { return old->step >= step->step; });
    auto named = std::make_shared<StepSnapshot>(*step);
    named->run = name.toStdString();
    followed.steps.push_back(named);
    Q_EMIT stepArrived(record(name).steps.back());
  }
  RunStatus next = status.value_or(followed.status);
  next.run = name.toStdString();
  next.directory = directory.toStdString();
  // The window goes on between two parts of a long run.
  if (steps.size() >= kMostSteps) QTimer::singleShot(0, this, [this, directory] { refreshFollowed(directory); });
  const bool gone = judgeDriver(directory, record(name), &next);
  publishStatus(next);
  if (gone) Q_EMIT runFailed(name, *record(name).failure);
}

// Who makes the steps now? True when the answer is new and is «nobody, although the files say otherwise».
bool Session::judgeDriver(const QString& directory, RunRecord& followed, RunStatus* status) {
  if (m_links.contains(directory)) {  // the process itself says how it stands; its files may be a moment behind
    if (!ended(status->state)) *status = followed.status;
    return false;
  }
  if (ended(status->state)) {
    if (status->state == RunState::Failed && !followed.failure) followed.failure = readRunFailure(directory.toStdString());
    return false;
  }
  std::string why;
  if (RunLink* link = RunLink::attach(directory, &why, this)) {
    followed.driver = RunDriver::Process;
    attach(link, QString::fromStdString(status->run));
    return false;
  }
  const RunOwner owner = runOwner(directory.toStdString());
  if (owner.held) {
    followed.driver = RunDriver::Elsewhere;
    followed.pid = owner.pid;
    followed.noSteering = lockedElsewhere(owner.pid);
    lookAgain(directory, kHeldMs);
    return false;
  }
  const qint64 age = QFileInfo(directory + QStringLiteral("/status.json")).lastModified().msecsTo(QDateTime::currentDateTime());
  if (age >= 0 && age < kYoungMs && followed.driver != RunDriver::Process && followed.driver != RunDriver::Elsewhere) {
    // Perhaps it trains on another machine that shares this folder: its files will go on changing, or grow old.
    followed.noSteering = tr("No process of this machine trains this run; its files changed %1 s ago.").arg(age / 1000);
    lookAgain(directory, kYoungMs);
    return false;
  }
  const bool known = followed.failure.has_value();
  const auto last = status->step;
  status->state = RunState::Failed;
  if (!known) {
    const bool saved = std::any_of(followed.checkpoints.begin(), followed.checkpoints.end(), [](const CheckpointInfo& info) { return info.complete; });
    followed.failure = Failure{"The process that trained this run is gone", directory.toStdString(),
                               "it ended without a word after step " + std::to_string(last) + "; killed, or the machine was switched off",
                               saved ? "Go on from the newest checkpoint with «Go on»." : "Start it again: no checkpoint had been written."};
  }
  return !known;
}

// One look ahead, however often the directory's files change until then.
void Session::lookAgain(const QString& directory, int milliseconds) {
  if (m_looksAhead.contains(directory)) return;
  m_looksAhead.insert(directory);
  QTimer::singleShot(milliseconds, this, [this, directory] {
    m_looksAhead.remove(directory);
    refreshFollowed(directory);
  });
}

void Session::attach(RunLink* link, const QString& run) {
  const QString directory = link->directory();
  m_links.insert(directory, link);
  connect(link, &RunLink::heard, this, [this, link, directory, run](const RunMessage& message) {
    RunRecord& followed = record(run);
    switch (message.kind) {
      case RunMessage::Kind::Hello:
      case RunMessage::Kind::Status: {
        // publishStatus() tells of a new state; who drives the run and whether it can be steered is told here, when it is news.
        const bool news = message.kind == RunMessage::Kind::Hello || followed.driver != RunDriver::Process || followed.pid != link->pid() || followed.noSteering != link->refusal();
        followed.driver = RunDriver::Process;
        followed.pid = link->pid();
        followed.noSteering = link->refusal();
        RunStatus status = message.status;
        status.run = run.toStdString();
        status.directory = directory.toStdString();
        const bool stepped = followed.loaded && (followed.steps.empty() || followed.steps.back()->step < status.step);
        publishStatus(status);
        if (stepped) refreshFollowed(directory);
        if (news) Q_EMIT actionsChanged();
        break;
      }
      case RunMessage::Kind::Saved:
        followed.checkpoints = m_followed.value(directory)->checkpoints();
        Q_EMIT checkpointWritten(run, QString::fromStdString(message.folder));
        break;
      case RunMessage::Kind::Trouble:
        followed.failure = message.failure;
        Q_EMIT runFailed(run, message.failure);
        break;
      case RunMessage::Kind::Answer:  // only those that refuse are heard
        Q_EMIT logged(tr("%1: %2").arg(run, QString::fromStdString(message.why)));
        break;
    }
  });
  connect(link, &RunLink::closed, this, [this, link, directory, run] {
    m_links.remove(directory);
    link->deleteLater();
    processGone(run, directory);
  });
}

// The connection ended: the run has said its last status, or its process was killed.
void Session::processGone(const QString& run, const QString& directory) {
  RunRecord& followed = record(run);
  followed.driver = ended(followed.status.state) ? RunDriver::None : RunDriver::Process;  // Process: judged without patience
  refreshFollowed(directory);
  Q_EMIT actionsChanged();
}

void Session::findRuns(const QString& folder) {
  QFileInfoList folders = QDir(folder).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Time);
  int listed = 0;
  std::vector<QString> live;
  QStringList older;
  for (const QFileInfo& info : std::as_const(folders)) {
    if (listed >= kMostRunsListed) break;
    const QString path = info.absoluteFilePath();
    if (m_followed.contains(path) || !RunReader::isRunDirectory(path.toStdString())) continue;
    try {
      const RunReader reader(path.toStdString());
      const auto status = reader.status();
      const QString name = status && !status->run.empty() ? QString::fromStdString(status->run) : info.fileName();
      if (m_records.contains(name)) continue;
      ++listed;
      if (status && !ended(status->state)) {
        live.push_back(path);
        continue;
      }
      RunRecord& found = m_records[name];  // not record(): nothing is chosen by being found
      found.status = status.value_or(RunStatus{});
      found.status.run = name.toStdString();
      found.status.directory = path.toStdString();
      found.loaded = false;
      found.yaml = QString::fromStdString(reader.configYaml());  // what it was asked for can be compared before it is opened
      older << name;
    } catch (const Error& error) {
      Q_EMIT logged(QString::fromStdString(error.failure().text()));
    }
  }
  m_runOrder << older;
  if (!older.isEmpty()) Q_EMIT runsFound();
  for (const QString& path : live) followRun(path);
}

void Session::openRun(const QString& name) {
  const RunRecord* known = run(name);
  if (!known || known->loaded) return;
  followRun(QString::fromStdString(known->status.directory));
}

void Session::listCheckpoints() {
  for (RunRecord& known : m_records)
    if (!known.loaded && known.checkpoints.empty()) known.checkpoints = RunReader(known.status.directory).checkpoints();
}

QStringList Session::liveRuns() const {
  QStringList live;
  for (const QString& name : m_runOrder) {
    const RunRecord* known = run(name);
    if (known && known->driver != RunDriver::None && !ended(known->status.state)) live << name;
  }
  return live;
}

QString Session::refusal(RunAction action, const QString& name) const {
  if (action == RunAction::Start || name.isEmpty() || name == m_ownRun) return refusal(action);
  const RunRecord* known = run(name);
  if (!known) return tr("There is no such run.");
  if (action == RunAction::InspectStudent) return tr("The student of this run is in another process. Open one of its checkpoints instead.");
  if (ended(known->status.state) && known->driver == RunDriver::None) return tr("The run has ended.");
  if (known->driver != RunDriver::Process || !known->noSteering.isEmpty())
    return known->noSteering.isEmpty() ? tr("No process that trains this run was found.") : known->noSteering;
  return QString::fromStdString(commandRefusal(*commandOf(action), known->status.state));
}

QString Session::steered(const QString& selected) const {
  const RunRecord* known = run(selected);
  return known && (known->driver == RunDriver::Process || known->driver == RunDriver::Elsewhere) ? selected : QString();
}

void Session::steer(RunAction action, const QString& name) {
  if (!refusal(action, name).isEmpty()) return;
  if (name.isEmpty() || name == m_ownRun) {
    switch (action) {
      case RunAction::Pause: return pauseRun();
      case RunAction::Resume: return resumeRun();
      case RunAction::Checkpoint: return checkpointNow();
      case RunAction::StopAndSave: return stopRun(true);
      case RunAction::Stop: return stopRun(false);
      default: return;
    }
  }
  const RunRecord* known = run(name);
  RunLink* link = m_links.value(QString::fromStdString(known->status.directory));
  if (!link || !link->send(*commandOf(action))) return Q_EMIT runFailed(name, {"The run did not hear this", known->status.directory, "the connection to its process is gone", "Wait a moment and try again."});
  if (action == RunAction::Stop || action == RunAction::StopAndSave) {
    RunStatus status = known->status;
    status.state = RunState::Stopping;
    publishStatus(status);
  }
}

void Session::launchRun(const RunConfig& config) {
  QTemporaryFile yaml(QDir::tempPath() + QStringLiteral("/cuescope-XXXXXX.yaml"));
  yaml.setAutoRemove(false);
  const QByteArray text = QByteArray::fromStdString(writeConfig(config));
  if (!yaml.open() || yaml.write(text) != text.size() || !yaml.flush())
    return Q_EMIT launchFailed({"The run could not be started", QDir::tempPath().toStdString(), yaml.errorString().toStdString(), "Make room there, or start it in this window."});
  launch({QStringLiteral("train"), yaml.fileName(), QStringLiteral("--detach"), QStringLiteral("--json")}, yaml.fileName());
}

void Session::relaunchRun(const QString& name) {
  const RunRecord* known = run(name);
  if (!known || known->driver != RunDriver::None) return;
  launch({QStringLiteral("resume"), QString::fromStdString(known->status.directory), QStringLiteral("--detach"), QStringLiteral("--json")}, {});
}

// The program waits until the run has begun or failed, says which, and ends; the run itself is no child of this window.
void Session::launch(const QStringList& arguments, const QString& scratch) {
  const QString program = m_commandLine.isEmpty() ? QCoreApplication::applicationDirPath() + QStringLiteral("/cuescope-cli") : m_commandLine;
  auto* process = new QProcess(this);
  ++m_launching;
  const auto over = [this, process, scratch] {
    --m_launching;
    process->deleteLater();
    if (!scratch.isEmpty()) QFile::remove(scratch);
    Q_EMIT actionsChanged();
    Q_EMIT busyChanged();
  };
  connect(process, &QProcess::finished, this, [this, process, over](int code) {
    const QJsonObject answer = QJsonDocument::fromJson(process->readAllStandardOutput()).object();
    const QString directory = answer.value(QLatin1String("directory")).toString(), words = QString::fromUtf8(process->readAllStandardError()).trimmed();
    Failure failure;
    const bool began = !directory.isEmpty() && followRun(directory, &failure);
    over();
    if (began) return Q_EMIT runLaunched(QFileInfo(directory).fileName());
    const QJsonObject error = answer.value(QLatin1String("error")).toObject();
    const auto part = [&](const char* key) { return error.value(QLatin1String(key)).toString().toStdString(); };
    if (!error.isEmpty()) failure = {part("what"), part("where"), part("why"), part("next")};
    else if (failure.what.empty()) failure = {"The run could not be started", "cuescope-cli", words.isEmpty() ? "it ended with code " + std::to_string(code) : words.toStdString(), "Correct what is named, or start it in this window."};
    Q_EMIT launchFailed(failure);
  });
  connect(process, &QProcess::errorOccurred, this, [this, process, program, over](QProcess::ProcessError error) {
    if (error != QProcess::FailedToStart) return;  // the others end in finished()
    const std::string why = process->errorString().toStdString();
    over();
    Q_EMIT launchFailed({"The run could not be started", program.toStdString(), why, "Install cuescope-cli beside the studio, or start the run in this window."});
  });
  process->start(program, arguments);
  Q_EMIT actionsChanged();
  Q_EMIT busyChanged();
}

}  // namespace cuescope
