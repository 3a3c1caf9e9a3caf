#include "ui/session.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QFileSystemWatcher>
#include <atomic>
#include <future>

#include "engine/core/run_control.h"

namespace cuescope {
namespace {

constexpr const char* kInspectTag = "inspect";
constexpr const char* kWhatIfTag = "what-if";
constexpr const char* kOpenTag = "open-model";
constexpr const char* kRowsTag = "rows";
constexpr const char* kRunTag = "run";
constexpr const char* kUnitsTag = "units";  // of the run
constexpr const char* kDoctorTag = "doctor";

}  // namespace

// Lives on the engine thread: created empty here, filled and emptied by jobs. The destructor of Session empties it through a
// job before the engine goes.
struct Session::RunSlot {
  std::unique_ptr<TrainingRun> run;
};

// One place for the newest progress and one for the newest status. The engine thread exchanges a value in; only the exchange
// that finds the place empty posts a call, so a fast producer cannot flood the window.
struct Session::Mailbox {
  std::atomic<std::shared_ptr<const Progress>> progress;
  std::atomic<std::shared_ptr<const RunStatus>> status;
};

QString runRefusal(RunAction action, bool hasRun, RunState state, EngineState engine) {
  const bool live = hasRun && !ended(state);
  if (engine != EngineState::Ready) {
    return engine == EngineState::Failed ? QStringLiteral("The engine could not be opened; see the message on the Start page.")
                                         : QStringLiteral("The engine is still loading.");
  }
  switch (action) {
    case RunAction::Start:
      return live ? QStringLiteral("A run is loaded. Stop it first, or let it finish.") : QString();
    case RunAction::Pause:
      if (!live) return QStringLiteral("No run is training in this window.");
      if (state == RunState::Paused) return QStringLiteral("The run is paused already.");
      if (state != RunState::Running) return QStringLiteral("The run is not training now.");
      return {};
    case RunAction::Resume:
      if (!live) return QStringLiteral("No paused run in this window.");
      if (state == RunState::Running) return QStringLiteral("The run is training already.");
      if (state != RunState::Paused) return QStringLiteral("The run is not paused.");
      return {};
    case RunAction::Checkpoint:
      if (!live) return QStringLiteral("No run in this window to save.");
      if (state == RunState::Stopping) return QStringLiteral("The run is stopping.");
      if (state == RunState::Ready) return QStringLiteral("The run is still loading.");
      return {};
    case RunAction::StopAndSave:
    case RunAction::Stop:
      if (!live) return QStringLiteral("No run in this window to stop.");
      if (state == RunState::Stopping) return QStringLiteral("The run is stopping.");
      return {};
    case RunAction::InspectStudent:
      if (!hasRun || state == RunState::Stopped || state == RunState::Failed)
        return QStringLiteral("No run is loaded. Open one of its checkpoints instead.");
      if (state == RunState::Ready) return QStringLiteral("The run is still loading.");
      return {};
  }
  return {};
}

Session::Session(Worker::Open open, QObject* parent)
    : QObject(parent), m_open(std::move(open)), m_slot(std::make_shared<RunSlot>()), m_evaluation(std::make_shared<EvaluationSlot>()), m_mail(std::make_shared<Mailbox>()) {
  qRegisterMetaType<InspectionPtr>();
  qRegisterMetaType<WhatIfPtr>();
  qRegisterMetaType<EvaluationPtr>();
  qRegisterMetaType<StepPtr>();
  qRegisterMetaType<DataRows>();
  qRegisterMetaType<ModelInfo>();
  qRegisterMetaType<Failure>();
  qRegisterMetaType<RunStatus>();
  qRegisterMetaType<Progress>();
  qRegisterMetaType<TokenArrived>();
}

Session::~Session() {
  if (!m_worker) return;
  // The loaded run must end before the engine does, on the engine's thread. A live one is saved: closing the window loses
  // at most the step that was being computed.
  m_worker->cancel();
  m_worker->setIdle(kUnitsTag, {}, true);
  m_worker->setIdle(kEvaluateTag, {}, true);
  const RunRecord* own = ownRun();
  const bool save = own && !ended(own->status.state) && own->status.step > 0;
  auto done = std::make_shared<std::promise<void>>();
  auto wait = done->get_future();
  m_worker->post(kRunTag, [slot = m_slot, evaluation = m_evaluation, save, done = std::move(done)](Engine&, std::stop_token) {
    evaluation->open.reset();
    if (slot->run && !ended(slot->run->status().state)) slot->run->stop(save);
    slot->run.reset();
  });
  wait.wait();  // also returns when the job was dropped because the engine never opened
  m_worker.reset();
}

void Session::start() {
  if (m_worker) return;
  m_engineState = EngineState::Loading;
  Q_EMIT engineStateChanged();
  Q_EMIT actionsChanged();
  m_worker = std::make_unique<Worker>(
      [this] {
        std::unique_ptr<Engine> engine = m_open();
        queue([this] {
          m_engineState = EngineState::Ready;
          Q_EMIT engineStateChanged();
          Q_EMIT actionsChanged();
          Q_EMIT busyChanged();
        });
        return engine;
      },
      [this](const Failure& failure, const std::string& tag) { queue([this, failure, tag] { workerFailed(failure, tag); }); });
  m_worker->post(kDoctorTag, [this](Engine& engine, std::stop_token) {
    queue([this, lines = engine.doctor()] {
      m_doctor = lines;
      Q_EMIT doctorArrived();
    });
  });
}

void Session::queue(std::function<void()> call) {
  QMetaObject::invokeMethod(this, std::move(call), Qt::QueuedConnection);
}

EventSink Session::sink() {
  return [this, mail = m_mail](const Event& event) {
    if (const auto* progress = std::get_if<Progress>(&event)) {
      if (!mail->progress.exchange(std::make_shared<const Progress>(*progress)))
        queue([this, mail] {
          if (auto newest = mail->progress.exchange(nullptr)) {
            m_progress = *newest;
            Q_EMIT progressChanged(m_progress);
          }
        });
    } else if (const auto* status = std::get_if<RunStatus>(&event)) {
      if (!mail->status.exchange(std::make_shared<const RunStatus>(*status)))
        queue([this, mail] {
          if (auto newest = mail->status.exchange(nullptr)) publishStatus(*newest);
        });
    } else {
      queue([this, event] { receive(event); });
    }
  };
}

void Session::receive(const Event& event) {
  if (const auto* token = std::get_if<TokenArrived>(&event)) {
    if (token->request == m_pendingInspection) Q_EMIT tokenArrived(*token);
  } else if (const auto* step = std::get_if<StepPtr>(&event)) {
    record(QString::fromStdString((*step)->run)).steps.push_back(*step);
    Q_EMIT stepArrived(*step);
  } else if (const auto* inspection = std::get_if<InspectionPtr>(&event)) {
    if ((*inspection)->id != m_pendingInspection || m_inspection == *inspection) return;
    m_inspection = *inspection;
    Q_EMIT inspectionArrived(m_inspection);
  } else if (const auto* whatIf = std::get_if<WhatIfPtr>(&event)) {
    if ((*whatIf)->id == m_pendingWhatIf) {
      m_pendingWhatIf = 0;
      Q_EMIT whatIfArrived(*whatIf);
      Q_EMIT busyChanged();
    }
  } else if (const auto* model = std::get_if<ModelInfo>(&event)) {
    std::erase_if(m_models, [&](const ModelInfo& known) { return known.folder == model->folder; });
    m_models.push_back(*model);
    Q_EMIT modelOpened(*model);
  } else if (const auto* failed = std::get_if<Failed>(&event)) {
    if (failed->request != 0 && failed->request == m_pendingInspection) {
      endInspection();
      Q_EMIT inspectionFailed(failed->request, failed->failure);
    } else if (!failed->run.empty()) {
      Q_EMIT runFailed(QString::fromStdString(failed->run), failed->failure);
    }
  } else if (const auto* line = std::get_if<LogLine>(&event)) {
    Q_EMIT logged(QString::fromStdString(line->text));
  }
}

// What escaped from a job: the engine that could not be opened, a run's unit, or a job that found no engine.
void Session::workerFailed(const Failure& failure, const std::string& tag) {
  if (tag == "open") {
    m_engineState = EngineState::Failed;
    m_engineFailure = failure;
    Q_EMIT engineStateChanged();
    Q_EMIT actionsChanged();
    return;
  }
  const Failure& told = m_engineState == EngineState::Failed ? m_engineFailure : failure;
  if (tag == kInspectTag && m_pendingInspection) {
    const auto id = m_pendingInspection;
    endInspection();
    Q_EMIT inspectionFailed(id, told);
  } else if (tag == kWhatIfTag && m_pendingWhatIf) {
    const auto id = m_pendingWhatIf;
    m_pendingWhatIf = 0;
    Q_EMIT whatIfFailed(id, told);
  } else if (tag == kEvaluateTag && m_evaluationState != EvaluationState::None) {
    const auto id = m_evaluationId;
    endEvaluation();
    Q_EMIT evaluationFailed(id, told);
  } else if (tag == kOpenTag) {
    Q_EMIT modelFailed(m_openingModel, told);
  } else if (tag == kRunTag || tag == kUnitsTag) {
    m_loadingRun = false;
    if (!m_ownRun.isEmpty()) {
      setRunState(RunState::Failed);
      RunRecord& own = record(m_ownRun);
      own.failure = told;
      try {
        if (QFileInfo(QString::fromStdString(own.status.directory)).isDir()) writeRunFailure(own.status.directory, told);
      } catch (const Error& error) {  // the disk that ended the run refuses this too
        Q_EMIT logged(QString::fromStdString(error.failure().text()));
      }
    }
    Q_EMIT runFailed(m_ownRun, told);
  } else {
    Q_EMIT logged(QString::fromStdString(told.text()));
  }
  Q_EMIT actionsChanged();
  Q_EMIT busyChanged();
}

// ---- models and looking ---------------------------------------------------------------------------------------------------

void Session::openModel(const QString& folder) {
  if (!m_worker) return;
  m_openingModel = folder;
  m_openings << folder;
  m_worker->post(kOpenTag, [this, folder, out = sink()](Engine& engine, std::stop_token stop) {
    try {
      const ModelInfo model = engine.openModel(folder.toStdString(), out, stop);
      queue([this, model] { receive(Event(model)); });
    } catch (const Cancelled&) {
    } catch (...) {
      queue([this, folder, failure = currentFailure("opening a model")] { Q_EMIT modelFailed(folder, failure); });
    }
    queue([this, folder] {
      m_openings.removeOne(folder);
      Q_EMIT busyChanged();
      Q_EMIT tasksChanged();
    });
  });
  Q_EMIT busyChanged();
  Q_EMIT tasksChanged();
}

void Session::readRows(const QString& file, qint64 first, int count) {
  if (!m_worker) start();
  m_worker->post(kRowsTag, [this, file, first, count](Engine& engine, std::stop_token) {
    try {
      queue([this, rows = engine.readRows(file.toStdString(), first, count)] { Q_EMIT rowsArrived(rows); });
    } catch (...) {
      queue([this, file, failure = currentFailure("reading a data file")] { Q_EMIT rowsFailed(file, failure); });
    }
    queue([this] { Q_EMIT busyChanged(); });
  });
  Q_EMIT busyChanged();
}

void Session::submit(const std::string& tag, PageJob job, bool latest) {
  if (!m_worker) start();
  auto task = [this, job = std::move(job), out = sink()](Engine& engine, std::stop_token stop) {
    try {
      job(engine, out, stop);
    } catch (const Cancelled&) {
    } catch (...) {
      queue([this, failure = currentFailure("a page's job")] { Q_EMIT logged(QString::fromStdString(failure.text())); });
    }
    queue([this] { Q_EMIT busyChanged(); });
  };
  latest ? m_worker->postLatest(tag, std::move(task)) : m_worker->post(tag, std::move(task));
  Q_EMIT busyChanged();
}

void Session::cancelJobs(const std::string& tag) {
  if (m_worker) m_worker->cancel(tag);
  Q_EMIT busyChanged();
}

void Session::reply(const QPointer<QObject>& context, std::function<void()> call) {
  // The application object outlives every thread; the page may not.
  QMetaObject::invokeMethod(QCoreApplication::instance(), [context, call = std::move(call)] { if (context) call(); }, Qt::QueuedConnection);
}

const ModelInfo* Session::model(const QString& folder) const {
  for (const ModelInfo& known : m_models)
    if (QString::fromStdString(known.folder) == folder) return &known;
  return nullptr;
}

std::int64_t Session::inspect(InspectRequest request) {
  request.id = ++m_lastId;
  m_pendingInspection = request.id;
  Q_EMIT inspectionStarted(request.id);
  if (!m_worker) start();
  m_worker->postLatest(kInspectTag, [this, request, out = sink()](Engine& engine, std::stop_token stop) {
    const auto id = request.id;
    try {
      const InspectionPtr inspection = engine.inspect(request, out, stop);
      queue([this, inspection, id] {
        if (id != m_pendingInspection) return;  // a newer one was asked for
        receive(Event(inspection));
        endInspection();
      });
    } catch (const Cancelled&) {
      queue([this, id] {
        if (id != m_pendingInspection) return;
        endInspection();
        Q_EMIT inspectionCancelled(id);
      });
    } catch (...) {
      queue([this, id, failure = currentFailure("inspecting an image")] {
        if (id != m_pendingInspection) return;
        endInspection();
        Q_EMIT inspectionFailed(id, failure);
      });
    }
  });
  Q_EMIT busyChanged();
  return request.id;
}

void Session::endInspection() {
  m_pendingInspection = 0;
  Q_EMIT busyChanged();
}

std::int64_t Session::whatIf(WhatIfRequest request) {
  request.id = ++m_lastId;
  m_pendingWhatIf = request.id;
  if (!m_worker) start();
  m_worker->postLatest(kWhatIfTag, [this, request, out = sink()](Engine& engine, std::stop_token stop) {
    const auto id = request.id;
    try {
      const WhatIfPtr answer = engine.whatIf(request, out, stop);
      queue([this, answer] { receive(Event(answer)); });
    } catch (const Cancelled&) {
      queue([this, id] {
        if (id != m_pendingWhatIf) return;
        m_pendingWhatIf = 0;
        Q_EMIT busyChanged();
      });
    } catch (...) {
      queue([this, id, failure = currentFailure("what if")] {
        if (id != m_pendingWhatIf) return;
        m_pendingWhatIf = 0;
        Q_EMIT whatIfFailed(id, failure);
        Q_EMIT busyChanged();
      });
    }
  });
  Q_EMIT busyChanged();
  return request.id;
}

void Session::show(InspectionPtr inspection) {
  if (m_worker) m_worker->cancel(kInspectTag);
  if (m_pendingInspection) endInspection();
  m_inspection = std::move(inspection);
  Q_EMIT inspectionArrived(m_inspection);
}

void Session::cancel() {
  if (!m_worker) return;
  for (const char* tag : {kInspectTag, kWhatIfTag, kOpenTag}) m_worker->cancel(tag);
  m_openings.clear();
  const std::vector<PageTask> tasks = m_tasks;  // a cancel takes its task away
  for (const PageTask& task : tasks)
    if (task.key.startsWith(kLookTask) && task.cancel) task.cancel();
  if (const auto id = m_pendingInspection) {
    endInspection();
    Q_EMIT inspectionCancelled(id);
  }
  m_pendingWhatIf = 0;
  Q_EMIT busyChanged();
  Q_EMIT tasksChanged();
}

int Session::waiting() const {
  return m_worker ? static_cast<int>(m_worker->waiting()) : 0;
}

// ---- runs ------------------------------------------------------------------------------------------------------------------

RunRecord& Session::record(const QString& name) {
  if (!m_records.contains(name)) {
    m_records.insert(name, {});
    m_runOrder.prepend(name);
    m_records[name].status.run = name.toStdString();
    Q_EMIT runAdded(name);
  }
  return m_records[name];
}

const RunRecord* Session::run(const QString& name) const {
  const auto it = m_records.constFind(name);
  return it == m_records.constEnd() ? nullptr : &it.value();
}

const RunRecord* Session::ownRun() const {
  return m_ownRun.isEmpty() ? nullptr : run(m_ownRun);
}

QString Session::refusal(RunAction action) const {
  if (m_loadingRun && action == RunAction::Start) return QStringLiteral("A run is being loaded.");
  const RunRecord* own = ownRun();
  return runRefusal(action, own != nullptr, own ? own->status.state : RunState::Ready, m_engineState);
}

void Session::startRun(const RunConfig& config) {
  if (!m_worker) start();
  if (m_loadingRun || (ownRun() && !ended(ownRun()->status.state))) return;
  m_loadingRun = true;
  m_ownRun.clear();
  m_worker->post(kRunTag, [this, config, slot = m_slot, out = sink()](Engine& engine, std::stop_token stop) {
    slot->run.reset();  // one run at a time
    try {
      slot->run = engine.openRun(config, out, stop);
      clearRunFailure(slot->run->status().directory);
    } catch (const Cancelled&) {
      queue([this] {
        m_loadingRun = false;
        Q_EMIT actionsChanged();
        Q_EMIT busyChanged();
      });
      return;
    }
    queue([this, status = slot->run->status(), yaml = writeConfig(slot->run->config())] {
      m_loadingRun = false;
      m_ownRun = QString::fromStdString(status.run);
      RunRecord& own = record(m_ownRun);
      own.ours = true;
      own.loaded = true;
      own.driver = RunDriver::Window;
      own.failure.reset();
      own.status = status;
      own.yaml = QString::fromStdString(yaml);
      own.steps.clear();
      RunReader before(status.directory);
      own.checkpoints = before.checkpoints();
      if (status.step > 0) own.steps = readSteps(before, m_ownRun);  // resumed: what was there before
      advanceRun();
      setRunState(RunState::Running);
    });
  });
  Q_EMIT actionsChanged();
  Q_EMIT busyChanged();
}

void Session::advanceRun() {
  m_worker->setIdle(kUnitsTag, [this, slot = m_slot](Engine&, std::stop_token stop) {
    if (!slot->run) return false;
    const bool more = slot->run->advance(stop);
    if (!more) {
      queue([this, status = slot->run->status()] {
        publishStatus(status);
        if (!ended(status.state)) setRunState(RunState::Completed);
      });
    }
    return more;
  });
}

void Session::pauseRun() {
  if (!allowed(RunAction::Pause)) return;
  m_worker->setIdle(kUnitsTag, {});  // the unit that is being computed ends first
  m_worker->post(kRunTag, [this, slot = m_slot, out = sink()](Engine&, std::stop_token) {
    if (!slot->run || ended(slot->run->status().state)) return;
    slot->run->setPaused(true);
    RunStatus status = slot->run->status();
    status.state = RunState::Paused;
    out(Event(status));
  });
}

void Session::resumeRun() {
  if (!allowed(RunAction::Resume)) return;
  setRunState(RunState::Running);
  advanceRun();
}

void Session::checkpointNow() {
  if (!allowed(RunAction::Checkpoint)) return;
  m_worker->post(kRunTag, [this, slot = m_slot](Engine&, std::stop_token) {
    if (!slot->run) return;
    const auto name = QString::fromStdString(slot->run->status().run);
    try {
      const auto folder = QString::fromStdString(slot->run->checkpoint());
      queue([this, name, folder] {
        RunRecord& saved = record(name);
        saved.checkpoints = RunReader(saved.status.directory).checkpoints();
        Q_EMIT checkpointWritten(name, folder);
      });
    } catch (...) {  // a full disk ends the save, not the run
      queue([this, name, failure = currentFailure("saving a checkpoint")] { Q_EMIT runFailed(name, failure); });
    }
  });
}

void Session::stopRun(bool save) {
  if (!allowed(RunAction::Stop)) return;
  m_worker->setIdle(kUnitsTag, {}, true);
  setRunState(RunState::Stopping);
  m_worker->post(kRunTag, [this, slot = m_slot, save](Engine&, std::stop_token) {
    if (!slot->run) return;
    slot->run->stop(save);
    RunStatus status = slot->run->status();
    if (!ended(status.state)) status.state = RunState::Stopped;
    slot->run.reset();  // releases the lock of the run directory
    queue([this, status] { publishStatus(status); });
  });
}

void Session::setRunState(RunState state) {
  if (m_ownRun.isEmpty()) return;
  RunStatus status = record(m_ownRun).status;
  status.state = state;
  publishStatus(status);
}

void Session::publishStatus(const RunStatus& status) {
  const QString name = QString::fromStdString(status.run);
  if (name.isEmpty()) return;
  RunRecord& changed = record(name);
  const bool sameState = changed.status.state == status.state;
  // A unit's last report may still be on its way when a stop was asked for: it must not bring the state back.
  RunStatus next = status;
  if (changed.status.state == RunState::Stopping && !ended(status.state)) next.state = RunState::Stopping;
  if (ended(changed.status.state) && next.state == RunState::Running && name != m_ownRun && changed.driver == RunDriver::None) next.state = changed.status.state;
  if (ended(next.state)) changed.driver = RunDriver::None, changed.pid = 0, changed.noSteering.clear();
  if (next.state != RunState::Failed) changed.failure.reset();
  const bool saved = changed.status.phase == "save" && next.phase != "save";
  changed.status = next;
  if ((saved || (!sameState && ended(next.state))) && !next.directory.empty())
    changed.checkpoints = RunReader(next.directory).checkpoints();
  Q_EMIT runStatusChanged(next);
  if (!sameState) {
    Q_EMIT actionsChanged();
    Q_EMIT busyChanged();
  }
}

}  // namespace cuescope
