// cuescope-cli as a person or a script starts it: the built program, its words, its exit code and its memory. Header only.
#pragma once

#include <QProcess>
#include <QtTest>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace cuescope::test {

struct Ran {
  int code = -1;
  QByteArray out, err;
};

inline Ran run(const QStringList& arguments, const QByteArray& input = {}) {
  QProcess process;
  auto environment = QProcessEnvironment::systemEnvironment();
  environment.remove("CUESCOPE_ENGINE");
  environment.insert("OMP_NUM_THREADS", "1");
  process.setProcessEnvironment(environment);
  process.start(QCoreApplication::applicationDirPath() + "/../bin/cuescope-cli", arguments);
  process.write(input);
  process.closeWriteChannel();
  if (!process.waitForFinished(240000)) process.kill();
  return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1, process.readAllStandardOutput(), process.readAllStandardError()};
}

/// The most memory that the program ever held, in bytes; -1 when it failed.
inline std::int64_t peakOf(const QStringList& arguments) {
  std::vector<QByteArray> words{(QCoreApplication::applicationDirPath() + "/../bin/cuescope-cli").toLocal8Bit()};
  for (const QString& argument : arguments) words.push_back(argument.toLocal8Bit());
  std::vector<char*> pointers;
  for (QByteArray& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int failed = posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return -1;
  int status = 0;
  rusage used{};
  while (wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? std::int64_t{used.ru_maxrss} * 1024 : -1;
}

inline QString golden(const QString& name) { return QStringLiteral(CUESCOPE_GOLDEN "/") + name; }

inline nlohmann::json readJson(const QString& file) {
  std::ifstream in(file.toStdString());
  return nlohmann::json::parse(in);
}

}  // namespace cuescope::test
