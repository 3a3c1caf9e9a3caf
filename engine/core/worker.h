// Worker: the engine's thread. It opens the engine on its own thread, runs jobs in order, and gives what time is left to
// idle works (the units of a training run, of an evaluation), which take turns. Nothing but this class holds the engine, so no
// other thread can touch it.
// Threads: every public function may be called from the UI thread and returns at once; only the destructor waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "engine/core/failure.h"

namespace cuescope {

class Engine;

class Worker {
 public:
  using Open = std::function<std::unique_ptr<Engine>()>;
  using Job = std::function<void(Engine&, std::stop_token)>;
  /// One unit of work; returns whether more is left.
  using IdleWork = std::function<bool(Engine&, std::stop_token)>;
  /// Called on the engine thread with what escaped from a job (never with Cancelled) and the job's tag.
  using OnFailure = std::function<void(const Failure&, const std::string& tag)>;

  Worker(Open open, OnFailure onFailure);
  ~Worker();  // cancels what runs, drops what waits, joins
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Appends a job.
  void post(std::string tag, Job job);
  /// The newest wins: drops waiting jobs of this tag and asks a running one of this tag to stop.
  void postLatest(std::string tag, Job job);
  /// Drops waiting jobs of the tag and asks a running one to stop; an empty tag means all of them.
  void cancel(const std::string& tag = {});
  /// Replaces the idle work of this tag; an empty function ends it. Works of several tags take turns, a unit each. A unit that is
  /// running is asked to stop only if `interrupt`; what it throws as Cancelled leaves the work as it is.
  void setIdle(const std::string& tag, IdleWork work, bool interrupt = false);

  std::size_t waiting() const;
  std::string runningTag() const;  // of the job or the idle work that has a unit now; "" when nothing runs

 private:
  struct Task {
    std::string tag;
    Job job;
  };
  struct Idle {
    std::string tag;
    IdleWork work;
    std::uint64_t version = 0;
  };
  void loop(std::stop_token stop);
  void stopRunning(const std::string& tag, bool idle);

  Open m_open;
  OnFailure m_onFailure;
  mutable std::mutex m_mutex;
  std::condition_variable_any m_wake;
  std::deque<Task> m_tasks;
  std::deque<Idle> m_idle;  // whose turn it is stands in front
  std::uint64_t m_idleVersion = 0;
  std::string m_running;
  bool m_runningIdle = false;
  std::optional<std::stop_source> m_runningStop;
  std::jthread m_thread;  // last: it uses everything above
};

}  // namespace cuescope
