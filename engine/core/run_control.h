// Run control: how a run in a process of its own is steered. The process listens on control.sock in the run's directory, a Unix
// domain socket that only its own user may open; the window and `cuescope-cli control` are the clients. No torch, no Qt.
//
// Protocol, version 1: lines of JSON in UTF-8, at most 64 KiB each, over one connection.
//   server, at once   {"cuescope_run_control": 1, "pid": 4711, "status": STATUS}
//   client            {"id": 7, "do": "pause"}    do: pause, resume, checkpoint, stop_and_save, stop, status
//   server            {"id": 7, "ok": true} or {"id": 7, "ok": false, "why": "The run is paused already."}
//   server, unasked   {"event": "status", "status": STATUS}           after each unit of work, at most ten a second
//                     {"event": "saved", "folder": "/..."}            a checkpoint that was asked for is written
//                     {"event": "trouble", "what", "where", "why", "next"}   it could not be written; or the run has failed
//   STATUS            the object of status.json: run, state, step, total_steps, phase, phase_done, phase_total, seconds_left
// «ok» means accepted: pause, resume and checkpoint happen between two units of work, stop ends the one that is computed. The
// server says the last status and closes when the run ends. A client that meets another version says so and sends nothing.
// A socket that nobody answers is what a killed process left: the next owner of the directory's lock removes it.
//
// A socket's address holds 107 bytes and a directory's path may be longer: both sides open the directory and use the address
// /proc/self/fd/N/control.sock.
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
#include <vector>

#include "engine/core/failure.h"
#include "engine/core/snapshots.h"

namespace cuescope {

inline constexpr int kRunControlVersion = 1;
inline constexpr const char* kRunControlSocket = "control.sock";

enum class RunCommand { Pause, Resume, Checkpoint, StopAndSave, Stop };
const char* runCommandName(RunCommand command);  // "pause", ...
std::optional<RunCommand> runCommandFromName(const std::string& name);
/// Why a command means nothing in a state, in a sentence; empty when it does.
std::string commandRefusal(RunCommand command, RunState state);

/// Who holds the lock of a run directory on this machine.
struct RunOwner {
  bool held = false;
  std::int64_t pid = 0;  // 0: not known
};
RunOwner runOwner(const std::string& directory);

/// failure.json of a run directory: why a run has failed, for those who look later. Written by whoever drives the run.
void writeRunFailure(const std::string& directory, const Failure& failure);
std::optional<Failure> readRunFailure(const std::string& directory);
void clearRunFailure(const std::string& directory);

/// The training side. Made once the directory's lock is held; a thread of its own answers, so a client hears at once although
/// a unit of work takes seconds. Every public function is called from the thread that drives the run.
class RunControlServer {
 public:
  /// `onStop` is called on the server's thread when a stop is accepted: it ends the unit that is computed.
  /// Throws Error where no socket can be made (some network file systems): the run goes on without.
  RunControlServer(const std::string& directory, const RunStatus& status, std::function<void()> onStop);
  ~RunControlServer();  // the last words are sent, the socket is removed
  RunControlServer(const RunControlServer&) = delete;
  RunControlServer& operator=(const RunControlServer&) = delete;

  /// Accepted commands, oldest first.
  std::vector<RunCommand> take();
  /// Returns when a command waits or a stop is requested.
  void wait(std::stop_token stop);
  void publish(const RunStatus& status);
  void saved(const std::string& folder);
  void trouble(const Failure& failure);

 private:
  struct Peer;
  void serve(std::stop_token stop);
  void hear(Peer& peer, const std::string& line);
  void broadcast(const std::string& line);
  void wake();
  RunState expectedState() const;

  std::string m_directory;
  std::function<void()> m_onStop;
  int m_folder = -1, m_listen = -1, m_wake = -1;
  mutable std::mutex m_mutex;
  std::condition_variable_any m_commanded;
  std::deque<RunCommand> m_commands;
  RunStatus m_status;
  std::string m_unsentStatus;        // the newest that waits for its turn
  std::vector<std::string> m_unsent; // events that all arrive
  std::int64_t m_lastStatusMs = 0;
  std::vector<std::unique_ptr<Peer>> m_peers;  // server's thread only
  std::jthread m_thread;                       // last: it uses everything above
};

/// What a client hears.
struct RunMessage {
  enum class Kind { Hello, Answer, Status, Saved, Trouble } kind = Kind::Answer;
  int version = 0;          // Hello
  std::int64_t pid = 0;     // Hello
  RunStatus status;         // Hello, Status; without the directory
  std::int64_t id = 0;      // Answer
  bool ok = false;          // Answer
  std::string why;          // Answer that refuses
  std::string folder;       // Saved
  Failure failure;          // Trouble
};

/// The steering side. Never blocks; one thread at a time.
class RunControlClient {
 public:
  /// Null with the reason when nobody answers there.
  static std::unique_ptr<RunControlClient> connect(const std::string& directory, std::string* why);
  ~RunControlClient();
  RunControlClient(const RunControlClient&) = delete;
  RunControlClient& operator=(const RunControlClient&) = delete;

  int fd() const { return m_fd; }  // readable when something arrived
  /// Id of the request, 0 when the connection is gone.
  std::int64_t send(RunCommand command);
  /// Whole messages that have arrived; lines that are no messages are left out.
  std::vector<RunMessage> receive();
  bool closed() const { return m_closed; }
  /// Waits until something arrives or the time is over.
  bool waitReadable(int milliseconds) const;

 private:
  explicit RunControlClient(int fd) : m_fd(fd) {}
  int m_fd = -1;
  std::int64_t m_lastId = 0;
  std::string m_buffer;
  bool m_closed = false;
};

}  // namespace cuescope
