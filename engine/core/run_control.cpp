#include "engine/core/run_control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/core/run_directory.h"
#include "engine/core/status_json.h"

namespace cuescope {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestLine = 64 << 10, kMostUnsent = 1 << 20, kMostPeers = 16;
constexpr std::int64_t kStatusEveryMs = 100;

std::int64_t nowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The address of a directory's socket through an open descriptor of the directory.
sockaddr_un addressIn(int folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, kRunControlSocket);
  return address;
}

/// Nobody but the same user (or root) is heard.
bool ownPeer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
}

std::string line(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

bool readStatus(const json& value, RunStatus* status) {
  if (!value.is_object() || !value.contains("run") || !value.contains("state")) return false;
  status->run = value.value("run", "");
  const auto state = runStateNamed(value.value("state", ""));
  if (state) status->state = *state;
  status->step = value.value("step", 0);
  status->totalSteps = value.value("total_steps", 0);
  status->phase = value.value("phase", "");
  status->phaseDone = value.value("phase_done", 0);
  status->phaseTotal = value.value("phase_total", 0);
  status->secondsLeft = value.value("seconds_left", -1.0);
  return state.has_value();
}

/// Reads what is there; false when the other side has closed.
bool readInto(int fd, std::string* buffer) {
  char bytes[4096];
  while (true) {
    const ssize_t count = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count > 0) {
      buffer->append(bytes, static_cast<std::size_t>(count));
      if (buffer->size() > kMostUnsent) return false;
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}

}  // namespace

const char* runCommandName(RunCommand command) {
  switch (command) {
    case RunCommand::Pause:
      return "pause";
    case RunCommand::Resume:
      return "resume";
    case RunCommand::Checkpoint:
      return "checkpoint";
    case RunCommand::StopAndSave:
      return "stop_and_save";
    case RunCommand::Stop:
      return "stop";
  }
  return "";
}

std::optional<RunCommand> runCommandFromName(const std::string& name) {
  for (RunCommand command : {RunCommand::Pause, RunCommand::Resume, RunCommand::Checkpoint, RunCommand::StopAndSave, RunCommand::Stop})
    if (name == runCommandName(command)) return command;
  return std::nullopt;
}

std::string commandRefusal(RunCommand command, RunState state) {
  if (state == RunState::Completed || state == RunState::Stopped || state == RunState::Failed) return "The run has ended.";
  if (state == RunState::Stopping) return "The run is stopping.";
  if (command == RunCommand::Pause && state == RunState::Paused) return "The run is paused already.";
  if (command == RunCommand::Resume && state != RunState::Paused) return "The run is not paused.";
  return {};
}

RunOwner runOwner(const std::string& directory) {
  RunOwner owner;
  const int fd = ::open((directory + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return owner;
  // A shared lock that is given back at once: it is refused exactly while a writer lives.
  if (::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    owner.held = true;
    char text[32] = {};
    if (::read(fd, text, sizeof text - 1) > 0) owner.pid = std::atoll(text);
  }
  ::close(fd);
  return owner;
}

void writeRunFailure(const std::string& directory, const Failure& failure) {
  writeFileDurably(directory + "/failure.json", line(failureObject<json>(failure)));
}

std::optional<Failure> readRunFailure(const std::string& directory) {
  std::ifstream in(directory + "/failure.json", std::ios::binary);
  if (!in) return std::nullopt;
  const json value = json::parse(in, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  const auto text = [&](const char* key) { return value.contains(key) && value[key].is_string() ? value[key].get<std::string>() : std::string(); };
  return Failure{text("what"), text("where"), text("why"), text("next")};
}

void clearRunFailure(const std::string& directory) { ::unlink((directory + "/failure.json").c_str()); }

// ----------------------------------------------------------------------------------------------------------------
// server

struct RunControlServer::Peer {
  int fd = -1;
  std::string in, out;
  bool gone = false;

  explicit Peer(int socket) : fd(socket) {}
  ~Peer() { ::close(fd); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void flush() {
    while (!out.empty() && !gone) {
      const ssize_t count = ::send(fd, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) out.erase(0, static_cast<std::size_t>(count));
      else if (errno != EINTR) {
        gone = errno != EAGAIN && errno != EWOULDBLOCK;
        break;
      }
    }
    if (out.size() > kMostUnsent) gone = true;  // it does not read
  }
};

RunControlServer::RunControlServer(const std::string& directory, const RunStatus& status, std::function<void()> onStop)
    : m_directory(directory), m_onStop(std::move(onStop)), m_status(status) {
  const auto fail = [&](const char* what) {
    const std::string reason = std::strerror(errno);
    for (int* fd : {&m_wake, &m_listen, &m_folder})
      if (*fd >= 0) ::close(std::exchange(*fd, -1));
    throw Error(what, m_directory + "/" + kRunControlSocket, reason, "The run goes on, but it cannot be paused or stopped from outside.");
  };
  m_folder = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (m_folder < 0) fail("The run's folder cannot be opened");
  m_wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  m_listen = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (m_wake < 0 || m_listen < 0) fail("The run's control socket cannot be made");
  ::unlinkat(m_folder, kRunControlSocket, 0);  // of a process that was killed: the lock says that it is not alive
  const sockaddr_un address = addressIn(m_folder);
  if (::bind(m_listen, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("The run's control socket cannot be made");
  // Nobody can connect before listen(): the mode is right from the first moment on.
  if (::fchmodat(m_folder, kRunControlSocket, 0600, 0) != 0 || ::listen(m_listen, 8) != 0) fail("The run's control socket cannot be opened");
  m_thread = std::jthread([this](std::stop_token stop) { serve(stop); });
}

RunControlServer::~RunControlServer() {
  m_thread.request_stop();
  wake();
  m_thread.join();
  m_peers.clear();
  ::unlinkat(m_folder, kRunControlSocket, 0);
  ::close(m_listen);
  ::close(m_wake);
  ::close(m_folder);
}

void RunControlServer::wake() {
  const std::uint64_t one = 1;
  while (::write(m_wake, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

std::vector<RunCommand> RunControlServer::take() {
  std::lock_guard lock(m_mutex);
  // What is taken now is being done: a second «pause» is refused from here on as well.
  m_status.state = expectedState();
  std::vector<RunCommand> commands(m_commands.begin(), m_commands.end());
  m_commands.clear();
  return commands;
}

void RunControlServer::wait(std::stop_token stop) {
  std::unique_lock lock(m_mutex);
  m_commanded.wait(lock, stop, [this] { return !m_commands.empty(); });
}

void RunControlServer::publish(const RunStatus& status) {
  {
    std::lock_guard lock(m_mutex);
    // take() has set the state that a command leads to: «paused» is news although it is expected, and no later status follows it.
    const bool urgent = status.state != RunState::Running || status.state != m_status.state || status.step != m_status.step;
    m_status = status;
    m_unsentStatus = line({{"event", "status"}, {"status", statusObject<json>(status)}});
    if (!urgent && nowMs() - m_lastStatusMs < kStatusEveryMs) return;  // the next one carries it
    m_lastStatusMs = nowMs();
  }
  wake();
}

void RunControlServer::saved(const std::string& folder) {
  {
    std::lock_guard lock(m_mutex);
    m_unsent.push_back(line({{"event", "saved"}, {"folder", folder}}));
  }
  wake();
}

void RunControlServer::trouble(const Failure& failure) {
  json event = failureObject<json>(failure);
  event["event"] = "trouble";
  {
    std::lock_guard lock(m_mutex);
    m_unsent.push_back(line(event));
  }
  wake();
}

RunState RunControlServer::expectedState() const {
  RunState state = m_status.state;
  for (RunCommand command : m_commands) {
    if (command == RunCommand::Pause) state = RunState::Paused;
    if (command == RunCommand::Resume) state = RunState::Running;
    if (command == RunCommand::Stop || command == RunCommand::StopAndSave) state = RunState::Stopping;
  }
  return state;
}

void RunControlServer::hear(Peer& peer, const std::string& text) {
  const json request = json::parse(text, nullptr, false);
  if (!request.is_object()) {
    peer.out += line({{"id", 0}, {"ok", false}, {"why", "This is no object of JSON."}});
    return;
  }
  const json id = request.contains("id") && request["id"].is_number_integer() ? request["id"] : json(0);
  const std::string name = request.contains("do") && request["do"].is_string() ? request["do"].get<std::string>() : "";
  if (name == "status") {
    std::lock_guard lock(m_mutex);
    peer.out += line({{"id", id}, {"ok", true}}) + line({{"event", "status"}, {"status", statusObject<json>(m_status)}});
    return;
  }
  const auto command = runCommandFromName(name);
  std::string why;
  if (!command) {
    why = "There is no command «" + name + "».";
  } else {
    std::lock_guard lock(m_mutex);
    why = commandRefusal(*command, expectedState());
    if (why.empty()) m_commands.push_back(*command);
  }
  if (!why.empty()) {
    peer.out += line({{"id", id}, {"ok", false}, {"why", why}});
    return;
  }
  peer.out += line({{"id", id}, {"ok", true}});
  m_commanded.notify_all();
  if ((*command == RunCommand::Stop || *command == RunCommand::StopAndSave) && m_onStop) m_onStop();
}

void RunControlServer::broadcast(const std::string& text) {
  for (auto& peer : m_peers) peer->out += text;
}

void RunControlServer::serve(std::stop_token stop) {
  const auto sendAll = [this] {
    {
      std::lock_guard lock(m_mutex);
      for (const std::string& event : m_unsent) broadcast(event);
      m_unsent.clear();
      if (!m_unsentStatus.empty()) broadcast(m_unsentStatus);
      m_unsentStatus.clear();
    }
    for (auto& peer : m_peers) peer->flush();
  };
  while (!stop.stop_requested()) {
    std::vector<pollfd> watched{{m_wake, POLLIN, 0}, {m_listen, POLLIN, 0}};
    for (const auto& peer : m_peers) watched.push_back({peer->fd, static_cast<short>(peer->out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t drained = ::read(m_wake, &count, sizeof count);
    const std::size_t known = m_peers.size();
    if (watched[1].revents & POLLIN) {
      const int fd = ::accept4(m_listen, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0 && (m_peers.size() >= kMostPeers || !ownPeer(fd))) ::close(fd);
      else if (fd >= 0) {
        m_peers.push_back(std::make_unique<Peer>(fd));
        std::lock_guard lock(m_mutex);
        m_peers.back()->out = line({{"cuescope_run_control", kRunControlVersion}, {"pid", ::getpid()}, {"status", statusObject<json>(m_status)}});
      }
    }
    for (std::size_t i = 0; i < known; ++i) {
      Peer& peer = *m_peers[i];
      if (!(watched[i + 2].revents & (POLLIN | POLLHUP | POLLERR))) continue;
      if (!readInto(peer.fd, &peer.in)) peer.gone = true;
      std::size_t begin = 0;
      for (std::size_t end; (end = peer.in.find('\n', begin)) != std::string::npos; begin = end + 1) hear(peer, peer.in.substr(begin, end - begin));
      peer.in.erase(0, begin);
      if (peer.in.size() > kLongestLine) peer.gone = true;
    }
    sendAll();
    std::erase_if(m_peers, [](const auto& peer) { return peer->gone; });
  }
  sendAll();  // the last words, as far as they fit the sockets' buffers
}

// ----------------------------------------------------------------------------------------------------------------
// client

std::unique_ptr<RunControlClient> RunControlClient::connect(const std::string& directory, std::string* why) {
  const auto refuse = [&](const std::string& reason) {
    if (why) *why = reason;
    return nullptr;
  };
  const int folder = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return refuse("the folder cannot be opened: " + std::string(std::strerror(errno)));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_un address = addressIn(folder);
  const bool connected = fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  ::close(folder);
  if (connected && ownPeer(fd)) return std::unique_ptr<RunControlClient>(new RunControlClient(fd));
  if (fd >= 0) ::close(fd);
  if (connected) return refuse("the process at the other end belongs to another user");
  if (error == ENOENT) return refuse("no process listens there");
  if (error == ECONNREFUSED) return refuse("the process that listened there is gone");
  return refuse(std::strerror(error));
}

RunControlClient::~RunControlClient() { ::close(m_fd); }

std::int64_t RunControlClient::send(RunCommand command) {
  if (m_closed) return 0;
  const std::int64_t id = ++m_lastId;
  const std::string text = line({{"id", id}, {"do", runCommandName(command)}});
  const ssize_t count = ::send(m_fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count != static_cast<ssize_t>(text.size())) {  // a few bytes into an empty buffer: anything else is a broken connection
    m_closed = true;
    return 0;
  }
  return id;
}

std::vector<RunMessage> RunControlClient::receive() {
  std::vector<RunMessage> messages;
  if (!readInto(m_fd, &m_buffer)) m_closed = true;
  std::size_t begin = 0;
  for (std::size_t end; (end = m_buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const json value = json::parse(m_buffer.begin() + static_cast<std::ptrdiff_t>(begin), m_buffer.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (!value.is_object()) continue;
    try {
      RunMessage message;
      const std::string event = value.value("event", "");
      if (value.contains("cuescope_run_control")) {
        message.kind = RunMessage::Kind::Hello;
        message.version = value["cuescope_run_control"].get<int>();
        message.pid = value.value("pid", std::int64_t{0});
        if (message.version == kRunControlVersion && !readStatus(value.value("status", json::object()), &message.status)) continue;
      } else if (event == "status") {
        message.kind = RunMessage::Kind::Status;
        if (!readStatus(value.value("status", json::object()), &message.status)) continue;
      } else if (event == "saved") {
        message.kind = RunMessage::Kind::Saved;
        message.folder = value.value("folder", "");
      } else if (event == "trouble") {
        message.kind = RunMessage::Kind::Trouble;
        message.failure = {value.value("what", ""), value.value("where", ""), value.value("why", ""), value.value("next", "")};
      } else if (value.contains("id")) {
        message.id = value["id"].get<std::int64_t>();
        message.ok = value.value("ok", false);
        message.why = value.value("why", "");
      } else {
        continue;  // an event of a later minor version
      }
      messages.push_back(std::move(message));
    } catch (const json::exception&) {
      continue;  // a field of another type: no message of this protocol
    }
  }
  m_buffer.erase(0, begin);
  return messages;
}

bool RunControlClient::waitReadable(int milliseconds) const {
  pollfd watched{m_fd, POLLIN, 0};
  return ::poll(&watched, 1, milliseconds) > 0;
}

}  // namespace cuescope
