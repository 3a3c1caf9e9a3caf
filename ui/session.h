// Session: the Qt side of the engine's door. Owns the Worker (and through it the engine, on the engine thread), posts requests,
// turns the engine's events into signals, and holds what has arrived. Owned by main(); UI thread only. Nothing here waits,
// except the destructor, for the join.
// Rules: an inspection is dropped unless it answers the newest request; steps all arrive, in order; progress and run status
// arrive newest first and may skip. A run and an evaluation are driven as the Worker's idle works: they take turns, a unit each,
// and inspections go in between two units.
#pragma once

#include <QElapsedTimer>
#include <QHash>
#include <QObject>
#include <QPointer>
#include <QSet>
#include <QString>
#include <QStringList>
#include <memory>
#include <optional>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/events.h"
#include "engine/core/run_directory.h"
#include "engine/core/worker.h"
#include "engine/engine.h"

class QFileSystemWatcher;

namespace cuescope {

enum class EngineState { NotStarted, Loading, Ready, Failed };
enum class RunAction { Start, Pause, Resume, Checkpoint, StopAndSave, Stop, InspectStudent };

inline constexpr const char* kLookTask = "look.";       // tasks that begin so are looks of the Inspect page
inline constexpr const char* kEvaluateTag = "evaluate";  // of its job and its units on the engine thread

/// What is computed for the person, as the status bar tells it.
struct TaskInfo {
  QString words;
  double done = 0, total = 0, secondsLeft = -1;  // total <= 0: how much it is is not known
  QString notCancellable;                        // why, empty: it can be cancelled
};

/// Of the one evaluation that may be under way.
enum class EvaluationState { None, Opening, Running, Paused };

/// The run makes no more steps.
inline bool ended(RunState state) { return state == RunState::Completed || state == RunState::Stopped || state == RunState::Failed; }

/// Why an action is not possible in a state, in words for a tooltip; empty when it is. One table for window, menus and tests.
QString runRefusal(RunAction action, bool hasRun, RunState state, EngineState engine);

/// Who makes the steps of a run.
enum class RunDriver { None, Window, Process, Elsewhere };  // Elsewhere: a process that cannot be steered from here

/// A run that the window knows: of this engine, or followed through its directory.
struct RunRecord {
  RunStatus status;
  QString yaml;
  std::vector<StepPtr> steps;
  std::vector<CheckpointInfo> checkpoints;
  bool ours = false;  // driven by this window's engine
  bool foreign = false;  // written by another program: read-only, without checkpoints
  RunDriver driver = RunDriver::None;
  qint64 pid = 0;                  // of the process, 0: not known
  QString noSteering;              // driver Elsewhere: why it cannot be steered
  std::optional<Failure> failure;  // state Failed: why
  bool loaded = true;              // false: found in the runs' folder; its steps are read when it is opened
  QString rollouts;      // folder of its N.jsonl files, or one file of saved responses; "" when it has none
};

class RunLink;

class Session : public QObject {
  Q_OBJECT
 public:
  explicit Session(Worker::Open open, QObject* parent = nullptr);
  ~Session() override;

  /// Opens the engine on its thread; call it after the first paint.
  void start();
  EngineState engineState() const { return m_engineState; }
  const Failure& engineFailure() const { return m_engineFailure; }
  const std::vector<DoctorLine>& doctorLines() const { return m_doctor; }

  // Models
  void openModel(const QString& folder);
  const std::vector<ModelInfo>& models() const { return m_models; }
  const ModelInfo* model(const QString& folder) const;

  // Looking. The request's id is set here and returned.
  std::int64_t inspect(InspectRequest request);
  std::int64_t whatIf(WhatIfRequest request);
  bool inspecting() const { return m_pendingInspection != 0; }
  bool asking() const { return m_pendingWhatIf != 0; }
  const InspectionPtr& inspection() const { return m_inspection; }
  /// A capture that was read from a file, shown as if it had just arrived.
  void show(InspectionPtr inspection);
  /// Cancels what is computed now for the person (inspections, what-ifs, opening); never the run.
  void cancel();

  /// Rows of a data file; answered by rowsArrived or rowsFailed.
  void readRows(const QString& file, qint64 first, int count);

  // Evaluations (ui/session_evaluation.cpp): rows are answered a block at a time, in turn with the run's units; one at a time.
  /// Returns its id, or 0 while another is under way. Answered by evaluationArrived or evaluationFailed, unless it is cancelled.
  std::int64_t evaluate(const EvaluateRequest& request);
  void pauseEvaluation();  // the block that is being answered ends first
  void resumeEvaluation();
  void cancelEvaluation();
  EvaluationState evaluationState() const { return m_evaluationState; }
  /// What it is about, how far it is; secondsLeft counts on the run taking its turns as before.
  const Progress& evaluationProgress() const { return m_evaluationProgress; }

  // Runs
  void startRun(const RunConfig& config);
  void pauseRun();
  void resumeRun();
  void checkpointNow();
  void stopRun(bool save);
  QString refusal(RunAction action) const;
  bool allowed(RunAction action) const { return refusal(action).isEmpty(); }
  /// The run of this engine (loaded or ended), or null.
  const RunRecord* ownRun() const;
  const RunRecord* run(const QString& name) const;
  QStringList runs() const { return m_runOrder; }
  /// Shows a run folder and follows it while it is written.
  bool followRun(const QString& directory, Failure* failure = nullptr);

  // Runs as processes of their own (ui/session_runs.cpp). They outlive the window; engine/core/run_control.h says how.
  /// Starts `cuescope-cli train --detach`; answered by runLaunched or launchFailed.
  void launchRun(const RunConfig& config);
  /// Goes on with a run that has ended or whose process is gone, from its newest checkpoint, in a process of its own.
  void relaunchRun(const QString& name);
  bool launching() const { return m_launching > 0; }
  /// Lists the runs below a folder, newest first, and attaches to those that train now. Steps are read by openRun().
  void findRuns(const QString& folder);
  /// Reads the steps of a run that findRuns() has listed.
  void openRun(const QString& name);
  /// Looks into the folders of runs that are only listed so far, for choosers that offer their checkpoints.
  void listCheckpoints();
  /// The same for a run of the window and for a process; `run` empty: the window's own.
  void steer(RunAction action, const QString& run);
  QString refusal(RunAction action, const QString& run) const;
  /// The run that window-wide actions mean: the selected one when a process trains it, else the window's own ("").
  QString steered(const QString& selected) const;
  /// The command line that launchRun() starts; by default the one beside this program.
  void setCommandLine(const QString& program) { m_commandLine = program; }
  /// Runs that train, load or are paused now, here and in processes.
  QStringList liveRuns() const;

  /// Scalars and saved responses that another program wrote (engine/core/foreign_run.h), as a run that has ended.
  /// Returns its name; "" with the failure when there is nothing of the kind or it is damaged.
  QString openForeignRun(const QString& path, Failure* failure = nullptr);

  /// A page's own job on the engine thread, after what waits; `latest` drops waiting jobs of the tag and stops a running one.
  /// The job answers through reply(), which calls back on this thread; what escapes from it is logged.
  using PageJob = std::function<void(Engine& engine, const EventSink& sink, std::stop_token stop)>;
  void submit(const std::string& tag, PageJob job, bool latest = true);
  void cancelJobs(const std::string& tag);
  /// From any thread: `call` runs on this thread, unless `context` (a page) is gone by then.
  static void reply(const QPointer<QObject>& context, std::function<void()> call);

  // What is computed now (ui/session_tasks.cpp). Pages name what their jobs do; the rest is known here.
  /// `key` names one piece of work, `cancel` ends it (and its task); without `cancel`, `why` says why it cannot be ended.
  void setTask(const QString& key, const QString& words, std::function<void()> cancel, const QString& why = {});
  void updateTask(const QString& key, double done, double total, double secondsLeft = -1);
  void endTask(const QString& key);
  /// A sink for the page's job that passes nothing on but its progress, as that of the task.
  EventSink taskSink(const QString& key);
  /// What the status bar shows; nothing while nobody waits for anything (a run that trains has its own words).
  std::optional<TaskInfo> currentTask() const;
  /// Ends that, and nothing else.
  void cancelCurrent();

  const Progress& progress() const { return m_progress; }
  int waiting() const;

 Q_SIGNALS:
  void engineStateChanged();
  void doctorArrived();
  void modelOpened(const cuescope::ModelInfo& model);
  void modelFailed(const QString& folder, const cuescope::Failure& failure);
  void rowsArrived(const cuescope::DataRows& rows);
  void rowsFailed(const QString& file, const cuescope::Failure& failure);
  void inspectionStarted(qint64 id);
  void tokenArrived(const cuescope::TokenArrived& token);
  void inspectionArrived(const cuescope::InspectionPtr& inspection);
  void inspectionFailed(qint64 id, const cuescope::Failure& failure);
  void inspectionCancelled(qint64 id);
  void whatIfArrived(const cuescope::WhatIfPtr& whatIf);
  void whatIfFailed(qint64 id, const cuescope::Failure& failure);
  void evaluationChanged();  // its state or progress
  void evaluationArrived(qint64 id, const cuescope::EvaluationPtr& evaluation);
  void evaluationCancelled(qint64 id);
  void evaluationFailed(qint64 id, const cuescope::Failure& failure);
  void runAdded(const QString& name);
  void runStatusChanged(const cuescope::RunStatus& status);
  void stepArrived(const cuescope::StepPtr& step);
  void checkpointWritten(const QString& run, const QString& folder);
  void runFailed(const QString& run, const cuescope::Failure& failure);
  void runLaunched(const QString& run);
  void launchFailed(const cuescope::Failure& failure);
  void runsFound();  // findRuns() has listed some
  void actionsChanged();  // the table of allowed run actions may have new answers
  void progressChanged(const cuescope::Progress& progress);
  void busyChanged();     // what is computed or waiting has changed
  void tasksChanged();    // currentTask() is another one, or further
  void logged(const QString& line);

 private:
  struct RunSlot;  // the loaded run; touched on the engine thread alone
  struct EvaluationSlot {  // the open evaluation; the same
    std::unique_ptr<OpenEvaluation> open;
  };
  struct Mailbox;  // newest progress and status on their way to this thread

  EventSink sink();
  void receive(const Event& event);
  void queue(std::function<void()> call);
  void workerFailed(const Failure& failure, const std::string& tag);
  void setRunState(RunState state);
  void advanceRun();
  void publishStatus(const RunStatus& status);
  RunRecord& record(const QString& name);
  void refreshFollowed(const QString& directory);
  std::vector<StepPtr> readSteps(RunReader& reader, const QString& run);
  bool judgeDriver(const QString& directory, RunRecord& followed, RunStatus* status);
  void lookAgain(const QString& directory, int milliseconds);
  void attach(RunLink* link, const QString& run);
  void launch(const QStringList& arguments, const QString& scratch);
  void processGone(const QString& run, const QString& directory);
  void endInspection();
  void advanceEvaluation(std::int64_t id);
  void endEvaluation();
  void evaluationProgressed(std::int64_t id, std::int64_t done, std::int64_t total);

  Worker::Open m_open;
  EngineState m_engineState = EngineState::NotStarted;
  Failure m_engineFailure;
  std::vector<DoctorLine> m_doctor;
  std::vector<ModelInfo> m_models;
  InspectionPtr m_inspection;
  std::int64_t m_lastId = 0;
  std::int64_t m_pendingInspection = 0;
  std::int64_t m_pendingWhatIf = 0;
  QString m_openingModel;
  QStringList m_openings;  // models that are being opened, by folder
  struct PageTask {
    QString key, words, why;
    double done = 0, total = 0, secondsLeft = -1;
    std::function<void()> cancel;
    QElapsedTimer since;
  };
  std::vector<PageTask> m_tasks;  // in the order in which they began
  EvaluationState m_evaluationState = EvaluationState::None;
  std::int64_t m_evaluationId = 0;
  Progress m_evaluationProgress;
  QElapsedTimer m_evaluationClock;      // since it last began to run
  double m_evaluationSeconds = 0;       // before that
  Progress m_progress;
  QHash<QString, RunRecord> m_records;
  QStringList m_runOrder;
  QString m_ownRun;
  bool m_loadingRun = false;
  QHash<QString, std::shared_ptr<RunReader>> m_followed;  // by directory
  QSet<QString> m_looksAhead;  // directories that are looked at again although none of their files may change
  QFileSystemWatcher* m_watcher = nullptr;
  QHash<QString, RunLink*> m_links;  // by directory
  QString m_commandLine;
  int m_launching = 0;
  std::shared_ptr<RunSlot> m_slot;
  std::shared_ptr<EvaluationSlot> m_evaluation;
  std::shared_ptr<Mailbox> m_mail;
  std::unique_ptr<Worker> m_worker;  // last: joined before anything above goes
};

}  // namespace cuescope

Q_DECLARE_METATYPE(cuescope::InspectionPtr)
Q_DECLARE_METATYPE(cuescope::WhatIfPtr)
Q_DECLARE_METATYPE(cuescope::EvaluationPtr)
Q_DECLARE_METATYPE(cuescope::StepPtr)
Q_DECLARE_METATYPE(cuescope::DataRows)
Q_DECLARE_METATYPE(cuescope::ModelInfo)
Q_DECLARE_METATYPE(cuescope::Failure)
Q_DECLARE_METATYPE(cuescope::RunStatus)
Q_DECLARE_METATYPE(cuescope::Progress)
Q_DECLARE_METATYPE(cuescope::TokenArrived)
