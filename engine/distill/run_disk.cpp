// What a run does when the disk is full: nothing is lost and nothing half-written is left, so it can wait.
#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/core/failure.h"
#include "engine/distill/run.h"

namespace cuescope {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint64_t kRoom = 1 << 20;       // beyond what the write needs: other files of the step follow
constexpr auto kFirstPause = 250ms, kLongestPause = 8000ms;  // between two tries of a disk that says it has room
constexpr auto kUnit = 200ms, kNap = 20ms;     // a waiting unit returns soon, so that inspections and commands are heard

}  // namespace

void Run::save() {
  try {
    checkpoint();
  } catch (const DiskFull& full) {
    std::uint64_t bytes = 0;
    for (const auto& parameter : m_parts.student->parameters()) bytes += parameter.nbytes();
    for (const auto& [name, tensor] : m_optimizer.state()) bytes += tensor.nbytes();
    throw DiskFull("The checkpoint could not be written", full.path(), std::max(bytes, full.bytes()));
  }
  if (m_committed.step >= m_status.totalSteps) return finish(RunState::Completed);
  enter(Phase::Sample);
}

void Run::waitForRoom(const DiskFull& full) {
  // Said once, and again only for a file that needs more than the room that was asked for.
  const bool known = m_waiting && full.bytes() <= m_waiting->told + kRoom;
  if (!m_waiting) m_waiting = Waiting{.path = {}, .bytes = 0, .told = 0, .nextTry = {}, .pause = kFirstPause};
  if (!known) m_waiting->told = full.bytes();
  m_waiting->path = full.path();
  m_waiting->bytes = full.bytes();
  m_waiting->nextTry = Clock::now() + m_waiting->pause;
  m_waiting->pause = std::min<std::chrono::milliseconds>(2 * m_waiting->pause, kLongestPause);
  m_status.phase = phaseName(m_phase);
  m_status.state = RunState::Paused;
  if (!known && m_sink) {
    Failure failure = full.failure();
    failure.nextStep = "Free some space there: the run is paused and goes on by itself. Nothing is lost; if it is stopped now, it resumes from its last checkpoint.";
    m_sink(Failed{failure, 0, m_status.run});
  }
  tellStatus();
}

bool Run::roomAgain(std::stop_token stop) {
  const auto end = Clock::now() + kUnit;
  while (Clock::now() < std::min(end, m_waiting->nextTry)) {
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(kNap);
  }
  if (Clock::now() < m_waiting->nextTry) return false;
  const std::int64_t free = freeBytes(m_waiting->path);
  if (free < 0 || free >= static_cast<std::int64_t>(m_waiting->bytes + kRoom)) return true;
  m_waiting->nextTry = Clock::now() + kFirstPause;
  m_status.state = RunState::Paused;  // also when somebody has asked it to go on
  if (m_sink) m_sink(m_status);
  return false;
}

void Run::goOn() {
  if (!m_waiting) return;
  m_waiting.reset();
  if (m_sink) m_sink(LogLine{"There is room on the disk again: the run goes on."});
}

void Run::tellStatus() {
  try {
    m_writer.writeStatus(m_status);
  } catch (const DiskFull&) {  // the file follows when there is room
  }
  if (m_sink) m_sink(m_status);
}

}  // namespace cuescope
