// What is wrong with a run, read from its metrics by fixed rules; each finding names the step where the trouble begins. Fed step
// by step, so that a long run costs no more than its new steps. No torch, no Qt; a value type, one thread at a time.
//   finite    a loss or gradient norm that is not finite, or an update that was skipped because of it
//   length    the mean response length of ten steps falls below 0.8 of the first ten (Rethinking OPD; verl's length collapse)
//   mass      the student's probability on the teacher's top tokens falls below half of the first ten steps
//   loss      loss or gradient is zero for five steps: student and teacher are the same, or nothing reaches the weights
//   teacher   the teacher scores other positions (mean gap under −3 nats, or under a tenth of the mass at the start), repeats
//             its scores bit for bit, or reads no cue although the run gives it one
//   rollout   the sampled and the trained policy differ for three steps by more than the run's rollout.gap_alarm (0.02 nats a token
//             where the run does not say), or once by more than that and 0.1 (spec 7-A8)
// A trouble that has passed (length, mass) is no finding any more.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

struct HealthFinding {
  int step = 0;
  std::string check;   // "finite", "length", "mass", "loss", "teacher", "rollout"
  std::string title;   // «Response length falling»
  std::string since;   // «from step 118»
  std::string detail;  // two sentences: what is seen, where to look
  std::string words;   // four words for the curve
  std::string metric;  // the metric that it is marked on
};

class HealthWatch {
 public:
  /// `privileged`: the configuration gives the teacher a hint or a cue.
  explicit HealthWatch(bool privileged = false) : m_privileged(privileged) {}
  /// Steps in ascending order.
  void add(const StepSnapshot& step);
  /// In the order in which they begin.
  std::vector<HealthFinding> findings() const;
  static const std::vector<std::string>& checks();

 private:
  /// Mean of the last ten values against the mean of the first ten.
  struct Fall {
    explicit Fall(double share) : part(share) {}
    double part;
    int seen = 0, since = -1;
    double first = 0, now = 0;
    std::deque<std::pair<int, double>> window;
    void add(int step, double value);
  };
  void addFinite(const StepSnapshot& step);
  void addTeacher(const StepSnapshot& step);
  void addRollout(const StepSnapshot& step);

  bool m_privileged;
  std::vector<HealthFinding> m_settled;  // those that stay
  double m_skipped = 0;
  bool m_finiteNamed = false, m_lossNamed = false, m_apartNamed = false, m_repeatNamed = false, m_cueNamed = false, m_rolloutNamed = false;
  Fall m_length{0.8}, m_mass{0.5};
  int m_zeros = 0, m_zerosSince = -1;
  int m_apart = 0, m_apartSince = -1;
  int m_repeats = 0, m_repeatsSince = -1;
  double m_lastGap = kNotComputed;
  int m_noCue = 0, m_noCueSince = -1;
  int m_rollout = 0, m_rolloutSince = -1;
};

}  // namespace cuescope
