// RunDirectory: the truth about a run, on disk. The engine writes it, the window and the CLI read it; the same code does both.
//   config.yaml        resolved configuration
//   provenance.json    versions, digests of the data, models, machine
//   status.json        RunStatus after the last unit of work, replaced atomically
//   metrics.jsonl      one object a step: {"step": n, "seconds": s, "tokens": t, "phases": {...}, metrics...}
//   rollouts/N.jsonl   one object a response (engine/core/rollout_record.h)
//   probes/N.json      ProbeMap list of a step
//   checkpoints/step-NNNNNN/   Hugging Face folder, trainer/, manifest.json (written last)
//   evaluations/*.json scores of `cuescope-cli eval` (engine/core/evaluation.h)
//   tensorboard/       event file of the same numbers
//   lock               flock-ed by the process that writes
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

struct CheckpointInfo {
  int step = 0;
  std::string folder;
  std::int64_t bytes = 0;
  std::map<std::string, double> metrics;
  bool complete = false;  // manifest.json is there and parses
};

/// Read side. Every function tolerates a run that is being written: a half-written last line is left for the next call.
class RunReader {
 public:
  explicit RunReader(std::string directory);
  const std::string& directory() const { return m_directory; }
  /// Steps that arrived since the last call (all of them at the first), probes attached where they exist. `most`: so many and no more;
  /// fewer come when there are no more now. Throws Error at a damaged line; the next call gives what stood before it and goes on behind it.
  std::vector<StepPtr> newSteps(std::size_t most = std::numeric_limits<std::size_t>::max());
  std::optional<RunStatus> status() const;
  std::string configYaml() const;
  std::vector<CheckpointInfo> checkpoints() const;
  static bool isRunDirectory(const std::string& directory);

 private:
  std::string m_directory;
  std::int64_t m_offset = 0;
  std::uint64_t m_inode = 0;  // of metrics.jsonl: another one means that it was replaced
  std::vector<StepPtr> m_kept;  // read before a damaged line
};

/// Write side: owns the lock. Throws Error when another process holds it or the disk refuses.
class RunWriter {
 public:
  explicit RunWriter(const std::string& directory);
  ~RunWriter();
  RunWriter(const RunWriter&) = delete;
  RunWriter& operator=(const RunWriter&) = delete;

  const std::string& directory() const { return m_directory; }
  void writeConfig(const std::string& yaml);
  void writeStatus(const RunStatus& status);
  /// Appends the step to metrics.jsonl (and probes/N.json); flushed to the kernel before it returns. A full disk is DiskFull, and the
  /// file as it was before: the same call may be made again. So it is with every write here.
  void append(const StepSnapshot& step);
  /// Drops steps after `step` from metrics.jsonl: resuming from an older checkpoint.
  void truncateAfter(int step);
  void appendRollouts(int step, const std::string& jsonLines);

 private:
  std::string m_directory;
  int m_lock = -1;
};

/// How a run that exists goes on: its own configuration, put where it lies now.
struct ResumePoint {
  std::string configFile;
  std::vector<std::string> overrides;  // "trainer.default_local_dir=...", ...
  std::string resumeMode;              // trainer.resume_mode: auto, or the folder of a checkpoint
};
/// `name`: a run's folder, or RUN@STEP. Throws Error that lists the steps there are.
ResumePoint resumePoint(const std::string& name);

/// Replaces a file by write to a neighbour, fsync, rename, fsync of the folder.
void writeFileDurably(const std::string& path, const std::string& bytes);

}  // namespace cuescope
