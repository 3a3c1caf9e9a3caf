#include "engine/core/worker.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "engine/engine.h"

namespace cuescope {
namespace {

// Steps of niceness below the window's thread. On a core that it shares with a window at work, a thread that is 2 steps nicer keeps
// two fifths, one that is 5 steps nicer a quarter. The training loses little by it, since its threads wait for the slowest anyway,
// and beside another busy program it still gets its part.
constexpr int kYielding = 5;

}  // namespace

Worker::Worker(Open open, OnFailure onFailure)
    : m_open(std::move(open)), m_onFailure(std::move(onFailure)), m_thread([this](std::stop_token stop) { loop(stop); }) {}

Worker::~Worker() {
  m_thread.request_stop();
  {
    std::lock_guard lock(m_mutex);
    m_tasks.clear();
    m_idle.clear();
    if (m_runningStop) m_runningStop->request_stop();
  }
  m_wake.notify_all();
}

void Worker::post(std::string tag, Job job) {
  {
    std::lock_guard lock(m_mutex);
    m_tasks.push_back({std::move(tag), std::move(job)});
  }
  m_wake.notify_all();
}

void Worker::postLatest(std::string tag, Job job) {
  {
    std::lock_guard lock(m_mutex);
    std::erase_if(m_tasks, [&](const Task& task) { return task.tag == tag; });
    stopRunning(tag, false);
    m_tasks.push_back({std::move(tag), std::move(job)});
  }
  m_wake.notify_all();
}

void Worker::cancel(const std::string& tag) {
  std::lock_guard lock(m_mutex);
  std::erase_if(m_tasks, [&](const Task& task) { return tag.empty() || task.tag == tag; });
  if (tag.empty()) {
    if (m_runningStop && !m_runningIdle) m_runningStop->request_stop();
  } else {
    stopRunning(tag, false);
  }
}

void Worker::setIdle(const std::string& tag, IdleWork work, bool interrupt) {
  {
    std::lock_guard lock(m_mutex);
    std::erase_if(m_idle, [&](const Idle& idle) { return idle.tag == tag; });
    if (work) m_idle.push_back({tag, std::move(work), ++m_idleVersion});
    if (interrupt) stopRunning(tag, true);
  }
  m_wake.notify_all();
}

std::size_t Worker::waiting() const {
  std::lock_guard lock(m_mutex);
  return m_tasks.size();
}

std::string Worker::runningTag() const {
  std::lock_guard lock(m_mutex);
  return m_running;
}

void Worker::stopRunning(const std::string& tag, bool idle) {
  if (m_runningStop && m_running == tag && m_runningIdle == idle) m_runningStop->request_stop();
}

void Worker::loop(std::stop_token stop) {
  // The window comes first: this thread, and the ones that LibTorch starts from it, yield to the one that paints. Linux keeps a
  // priority for each thread; where it refuses, nothing is lost but a little smoothness. Counted from what the program was given:
  // one that was started as a nice one must not pass its own window.
  const auto self = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, self, std::min(19, getpriority(PRIO_PROCESS, self) + kYielding));
  std::unique_ptr<Engine> engine;
  try {
    engine = m_open();
  } catch (...) {
    m_onFailure(currentFailure("opening the engine"), "open");
  }
  while (true) {
    Job job;
    IdleWork idle;
    std::string tag;
    std::uint64_t idleVersion = 0;
    std::stop_source source;
    {
      std::unique_lock lock(m_mutex);
      m_wake.wait(lock, stop, [&] { return !m_tasks.empty() || (engine && !m_idle.empty()); });
      if (stop.stop_requested()) return;
      if (!m_tasks.empty()) {
        tag = std::move(m_tasks.front().tag);
        job = std::move(m_tasks.front().job);
        m_tasks.pop_front();
      } else {
        tag = m_idle.front().tag;
        idle = m_idle.front().work;
        idleVersion = m_idle.front().version;
        std::rotate(m_idle.begin(), m_idle.begin() + 1, m_idle.end());  // the others come first the next time
      }
      m_running = tag;
      m_runningIdle = !job;
      m_runningStop = source;
    }
    bool more = true;
    try {
      if (!engine) throw Error("The engine is not available", "engine", "it could not be opened", "See the first message of this session.");
      if (job) {
        job(*engine, source.get_token());
      } else {
        more = idle(*engine, source.get_token());
      }
    } catch (const Cancelled&) {
      // Asked for: whoever cancelled knows.
    } catch (...) {
      more = false;
      m_onFailure(currentFailure(tag), tag);
    }
    std::lock_guard lock(m_mutex);
    m_running.clear();
    m_runningStop.reset();
    if (!job && !more) std::erase_if(m_idle, [&](const Idle& done) { return done.version == idleVersion; });
  }
}

}  // namespace cuescope
