// RunPlan: what a training run will need, worked out before it starts: bytes by what holds them, seconds by phase, and what
// was assumed. Made by the engine (engine/distill/planner.h), shown by `cuescope-cli plan`, by the window and by an error when
// memory is short. A value: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cuescope {

struct RunPlan {
  /// What holds memory. Rows that are there for the whole run add up to `residentBytes`; the others only during some phases.
  struct Row {
    std::string name;        // "weights", "teacher", "gradients", "optimizer", "activations", "kv_cache", "rollouts", "captures", ...
    std::int64_t bytes = 0;
    bool resident = false;   // for the whole run
    std::string note;        // "1.2 M parameters, float32"
  };
  struct Phase {
    std::string name;          // "rollout", "score", "backward", "update"; "evaluate", "probe" and "save" beside the steps
    std::int64_t bytes = 0;    // all that is held during it, the process itself left out
    double seconds = 0;        // of one step; evaluate, probe and save: once
    double times = 0;          // how often in the whole run
  };

  std::string name, device, dtype;  // of the run; where it computes; in which type
  std::vector<Row> rows;
  std::vector<Phase> phases;
  std::int64_t residentBytes = 0;   // sum of the resident rows
  std::int64_t baselineBytes = 0;   // the process with its libraries and without models: measured, not part of any row
  std::int64_t peakBytes = 0;       // baseline and the largest phase (on a GPU: of its memory, without baseline)
  std::int64_t availableBytes = 0;  // of the device now; 0: not known
  std::string peakPhase;
  double secondsPerStep = 0, secondsInAll = 0;
  double responseTokens = 0, promptTokens = 0;  // a row, as assumed
  int steps = 0;
  std::vector<std::string> assumptions;

  bool fits() const { return availableBytes <= 0 || peakBytes <= availableBytes + baselineBytes; }
  const Row* row(const std::string& rowName) const {
    for (const Row& candidate : rows)
      if (candidate.name == rowName) return &candidate;
    return nullptr;
  }
};

/// The plan as a table of plain text, lines ended by a line feed.
std::string planTable(const RunPlan& plan);
/// "1.4 GiB", "312 MiB", "88 KiB".
std::string bytesText(std::int64_t bytes);
/// "1 h 12 min", "3 min 20 s", "4.2 s".
std::string secondsText(double seconds);

}  // namespace cuescope
