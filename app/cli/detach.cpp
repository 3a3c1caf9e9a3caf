// Starting a training in a process of its own: the same command once more, in a new session, so that neither the terminal nor
// the window takes it along. The one that waits hears through a pipe where the run is, or why it could not begin.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "app/cli/command.h"

namespace cuescope::cli {
namespace {

/// The words of this command, as the kernel knows them.
std::vector<std::string> ownArguments() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::vector<std::string> words;
  for (std::size_t begin = 0, end; (end = bytes.find('\0', begin)) != std::string::npos; begin = end + 1) words.push_back(bytes.substr(begin, end - begin));
  return words;
}

std::string ownProgram() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length <= 0) throw Error("The run could not be started", "/proc/self/exe", std::strerror(errno), "Start it without --detach.");
  return {path.data(), static_cast<std::size_t>(length)};
}

std::string howItEnded(int status) {
  if (WIFSIGNALED(status))
    return "signal " + std::to_string(WTERMSIG(status)) + " ended the process" + (WTERMSIG(status) == 9 ? "; perhaps the memory was not enough" : "");
  return "the process ended with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

int startDetached(Context& context) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error("The run could not be started", "pipe", std::strerror(errno), "Start it without --detach.");
  std::vector<std::string> words = ownArguments();
  std::erase(words, "--detach");
  std::erase(words, "--json");  // for the one who asked; the log is for people
  words.push_back("--report-fd");
  words.push_back(std::to_string(ends[1]));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string program = ownProgram();

  // Between fork and exec only what is safe beside other threads: no allocation, no locks.
  const pid_t child = ::fork();
  if (child < 0) throw Error("The run could not be started", "fork", std::strerror(errno), "Start it without --detach.");
  if (child == 0) {
    ::setsid();
    const int nothing = ::open("/dev/null", O_RDWR);
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, fd);
    ::fcntl(ends[1], F_SETFD, 0);
    ::signal(SIGPIPE, SIG_IGN);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string heard;
  std::array<char, 4096> bytes{};
  for (ssize_t count; (count = ::read(ends[0], bytes.data(), bytes.size())) != 0;) {
    if (count < 0 && errno != EINTR) break;
    if (count > 0) heard.append(bytes.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  const auto answer = nlohmann::ordered_json::parse(heard, nullptr, false);
  if (answer.is_object() && answer.contains("directory")) {
    if (context.json) printJson(answer);
    else std::printf("%s\n", answer["directory"].get<std::string>().c_str());
    return kOk;
  }
  if (answer.is_object() && answer.contains("error")) {
    const auto& error = answer["error"];
    throw Error(error.value("what", ""), error.value("where", ""), error.value("why", ""), error.value("next", ""));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  throw Error("The run could not begin", program, howItEnded(status), "Start it without --detach to see why.");
}

}  // namespace cuescope::cli
