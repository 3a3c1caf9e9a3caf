// Failure: what a person is told when something did not work. Error: the exception that carries one to the thread's edge.
// No torch, no Qt. Any thread.
#pragma once

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

/// The user asked for it: a stop token was seen. Not a failure.
class Cancelled : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("cancelled") {}
};

/// The failure that an exception in flight stands for (call inside a catch block). `where` is used when it has none.
Failure currentFailure(const std::string& where);

}  // namespace cuescope
