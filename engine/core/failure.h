// Failure: what a person is told when something did not work. Error: the exception that carries one to the thread's edge.
// No torch, no Qt. Any thread.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuescope {

/// What failed, where (file, key, step), why (if known), and what to do next. Plain sentences, without «Error:».
struct Failure {
  std::string what;
  std::string where;
  std::string why;
  std::string nextStep;

  /// One paragraph for a terminal or a log.
  std::string text() const;
};

/// Thrown inside the engine and the core; caught once, at the edge of a thread or of a command.
class Error : public std::runtime_error {
 public:
  explicit Error(Failure failure);
  Error(std::string what, std::string where, std::string why = {}, std::string nextStep = {});

  const Failure& failure() const { return m_failure; }

 private:
  Failure m_failure;
};

/// A write did not fit on the disk. Not the end: what was being written is as it was before, and may be written again.
class DiskFull : public Error {
 public:
  /// `bytes` is what the write needed; the sentence also says what the disk has left.
  DiskFull(std::string what, std::string path, std::uint64_t bytes);
  const std::string& path() const { return m_path; }
  std::uint64_t bytes() const { return m_bytes; }

 private:
  std::string m_path;
  std::uint64_t m_bytes;
};
/// errno values that mean it: no space, or no quota.
bool meansDiskFull(int number);
/// Bytes that this user may still write where `path` lies; -1 when the system does not say.
std::int64_t freeBytes(const std::string& path);

/// The user asked for it: a stop token was seen. Not a failure.
class Cancelled : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("cancelled") {}
};

/// The failure that an exception in flight stands for (call inside a catch block). `where` is used when it has none.
Failure currentFailure(const std::string& where);

}  // namespace cuescope
