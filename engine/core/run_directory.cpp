#include "engine/core/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "engine/core/failure.h"
#include "engine/core/json_values.h"
#include "engine/core/status_json.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using nlohmann::json;

/// `bytes`: of the write that was refused.
[[noreturn]] void failOnDisk(const std::string& what, const std::string& path, std::uint64_t bytes = 0) {
  if (meansDiskFull(errno)) throw DiskFull(what, path, bytes);
  throw Error(what, path, std::strerror(errno), "Check that the disk has space and that the folder may be written.");
}

/// Owns a file descriptor.
class File {
 public:
  File(const std::string& path, int flags) : m_fd(::open(path.c_str(), flags | O_CLOEXEC, 0644)), m_path(path) {
    if (m_fd < 0) failOnDisk("The file could not be opened", path);
  }
  ~File() {
    if (m_fd >= 0) ::close(m_fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return m_fd; }

  /// All of it, or nothing: what did not fit is cut off again.
  void write(const std::string& bytes) {
    const off_t before = ::lseek(m_fd, 0, SEEK_END);
    std::size_t done = 0;
    while (done < bytes.size()) {
      ssize_t count = ::write(m_fd, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        const int number = errno;
        // Where the cut is refused as well half a line is left, which the next start takes away.
        [[maybe_unused]] const int cut = before >= 0 ? ::ftruncate(m_fd, before) : -1;
        errno = number;
        failOnDisk("The file could not be written", m_path, bytes.size());
      }
      done += static_cast<std::size_t>(count);
    }
  }
  void sync(std::uint64_t bytes) {
    if (::fsync(m_fd) != 0) failOnDisk("The file could not be written to the disk", m_path, bytes);
  }
  /// Some file systems report a full disk only here.
  void close() {
    int fd = std::exchange(m_fd, -1);
    if (::close(fd) != 0) failOnDisk("The file could not be written", m_path);
  }

 private:
  int m_fd;
  std::string m_path;
};

void syncFolder(const std::string& folder) {
  File file(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(file.fd()) != 0 && errno != EINVAL) failOnDisk("The folder could not be written to the disk", folder);
}

/// Readers see the old bytes or the new ones, never a part. Durable: also after a power cut.
void replaceFile(const std::string& path, const std::string& bytes, bool durable) {
  std::string neighbour = path + ".new";
  try {
    File file(neighbour, O_WRONLY | O_CREAT | O_TRUNC);
    file.write(bytes);
    if (durable) file.sync(bytes.size());
    file.close();
    if (::rename(neighbour.c_str(), path.c_str()) != 0) failOnDisk("The file could not be replaced", path, bytes.size());
  } catch (...) {
    ::unlink(neighbour.c_str());
    throw;
  }
  if (durable) syncFolder(fs::path(path).parent_path().string());
}

std::optional<std::string> readFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

json stepToJson(const StepSnapshot& step) {
  json line = {{"step", step.step},
               {"seconds", step.secondsSinceStart},
               {"tokens", step.tokensSinceStart},
               {"phases", step.phaseSeconds}};
  for (const auto& [name, value] : step.metrics) line[name] = value;
  return line;
}

StepSnapshot stepFromJson(const json& line) {
  StepSnapshot step;
  step.step = line.at("step");
  step.secondsSinceStart = line.value("seconds", 0.0);
  step.tokensSinceStart = line.value("tokens", std::int64_t{0});
  for (const auto& [name, value] : line.items()) {
    if (name == "step" || name == "seconds" || name == "tokens") continue;
    if (name == "phases") {
      for (const auto& [phase, seconds] : value.items()) step.phaseSeconds[phase] = numberOr(seconds);
    } else if (value.is_number() || value.is_null()) {
      step.metrics[name] = numberOr(value);
    }
  }
  return step;
}

json probesToJson(const std::vector<ProbeMap>& probes) {
  json list = json::array();
  for (const auto& probe : probes) {
    list.push_back({{"image", probe.image},
                    {"grid", {probe.gridRows, probe.gridCols}},
                    {"layers", probe.layers},
                    {"values", probe.values},
                    {"evidence_mass", probe.evidenceMass}});
  }
  return list;
}

std::vector<ProbeMap> probesFromJson(const json& list) {
  std::vector<ProbeMap> probes;
  for (const auto& entry : list) {
    ProbeMap probe;
    probe.image = entry.at("image");
    probe.gridRows = entry.at("grid").at(0);
    probe.gridCols = entry.at("grid").at(1);
    probe.layers = entry.at("layers").get<std::vector<int>>();
    probe.values = floatsFrom(entry.at("values"));
    probe.evidenceMass = floatsFrom(entry.at("evidence_mass"));
    probes.push_back(std::move(probe));
  }
  return probes;
}

RunState stateFromName(const std::string& name) {
  if (const auto state = runStateNamed(name)) return *state;
  throw Error("The state of the run is unknown", name, "this version knows no such state",
              "Open the run with the version that wrote it.");
}

std::string text(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// -1: not a checkpoint's name.
int stepOfCheckpoint(const std::string& name) {
  if (!name.starts_with("step-") || name.size() < 6 || name.find_first_not_of("0123456789", 5) != std::string::npos)
    return -1;
  return std::atoi(name.c_str() + 5);
}

std::int64_t folderBytes(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;  // a file that vanished in between counts nothing
    if (it->is_regular_file(ignored)) {
      auto size = it->file_size(ignored);
      if (!ignored) bytes += static_cast<std::int64_t>(size);
    }
  }
  return bytes;
}

}  // namespace

void writeFileDurably(const std::string& path, const std::string& bytes) {
  replaceFile(path, bytes, true);
}

// ----------------------------------------------------------------------------------------------------------------
// reader

RunReader::RunReader(std::string directory) : m_directory(std::move(directory)) {}

bool RunReader::isRunDirectory(const std::string& directory) {
  std::error_code ignored;
  return fs::is_regular_file(fs::path(directory) / "config.yaml", ignored) &&
         (fs::exists(fs::path(directory) / "status.json", ignored) ||
          fs::exists(fs::path(directory) / "metrics.jsonl", ignored));
}

std::vector<StepPtr> RunReader::newSteps(std::size_t most) {
  std::vector<StepPtr> steps = std::exchange(m_kept, {});
  const std::string path = m_directory + "/metrics.jsonl";
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return steps;
  // A resumed run replaces the file by a shorter one: then everything is read again.
  if (info.st_ino != m_inode || info.st_size < m_offset) {
    m_offset = 0;
    steps.clear();
  }
  m_inode = info.st_ino;
  std::ifstream in(path, std::ios::binary);
  in.seekg(m_offset);
  // A line without its end is still being written.
  for (std::string line; steps.size() < most && std::getline(in, line) && !in.eof();) {
    const std::int64_t lineAt = m_offset;
    m_offset += static_cast<std::int64_t>(line.size() + 1);
    try {
      auto step = std::make_shared<StepSnapshot>(stepFromJson(json::parse(line)));
      step->run = fs::path(m_directory).filename().string();
      if (auto probes = readFile(m_directory + "/probes/" + std::to_string(step->step) + ".json"))
        step->probes = probesFromJson(json::parse(*probes));
      steps.push_back(std::move(step));
    } catch (const json::exception& error) {
      m_kept = std::move(steps);
      throw Error("A step of the run could not be read", path + ", byte " + std::to_string(lineAt), error.what(),
                  "The file was changed by another program; later steps are still read.");
    }
  }
  return steps;
}

std::optional<RunStatus> RunReader::status() const {
  const std::string path = m_directory + "/status.json";
  auto bytes = readFile(path);
  if (!bytes) return std::nullopt;
  try {
    json value = json::parse(*bytes);
    RunStatus status;
    status.run = value.at("run");
    status.directory = m_directory;  // the folder may have been moved
    status.state = stateFromName(value.at("state"));
    status.step = value.at("step");
    status.totalSteps = value.at("total_steps");
    status.phase = value.value("phase", "");
    status.phaseDone = value.value("phase_done", 0);
    status.phaseTotal = value.value("phase_total", 0);
    status.secondsLeft = value.value("seconds_left", -1.0);
    return status;
  } catch (const json::exception& error) {
    throw Error("The state of the run could not be read", path, error.what(),
                "The file was changed by another program.");
  }
}

std::string RunReader::configYaml() const {
  auto bytes = readFile(m_directory + "/config.yaml");
  if (!bytes)
    throw Error("This folder is no run", m_directory, "it holds no config.yaml",
                "Choose a folder that a training run has written.");
  return *bytes;
}

std::vector<CheckpointInfo> RunReader::checkpoints() const {
  std::vector<CheckpointInfo> found;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(m_directory) / "checkpoints", error), end; !error && it != end;
       it.increment(error)) {
    int step = stepOfCheckpoint(it->path().filename().string());
    if (step < 0) continue;
    CheckpointInfo info;
    info.step = step;
    info.folder = it->path().string();
    info.bytes = folderBytes(it->path());
    if (auto bytes = readFile(info.folder + "/manifest.json")) {
      json manifest = json::parse(*bytes, nullptr, false);
      info.complete = !manifest.is_discarded() && manifest.contains("files");
      if (info.complete && manifest.contains("metrics")) {
        for (const auto& [name, value] : manifest["metrics"].items()) info.metrics[name] = numberOr(value);
      }
    }
    found.push_back(std::move(info));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

ResumePoint resumePoint(const std::string& name) {
  std::string directory = name, step;
  if (const auto at = name.rfind('@'); at != std::string::npos && !RunReader::isRunDirectory(name)) {
    directory = name.substr(0, at);
    step = name.substr(at + 1);
  }
  const fs::path folder = fs::absolute(fs::path(directory)).lexically_normal();
  fs::path run = folder.filename().empty() ? folder.parent_path() : folder;
  if (!RunReader::isRunDirectory(run.string())) {
    throw Error("There is no run to go on with", run.string(), "the folder holds no config.yaml beside status.json or metrics.jsonl",
                "Name the folder of a run.");
  }
  ResumePoint point{(run / "config.yaml").string(),
                    {"trainer.default_local_dir=" + run.parent_path().string(), "trainer.experiment_name=" + run.filename().string()},
                    "auto"};
  if (step.empty()) return point;
  std::string known;
  for (const auto& info : RunReader(run.string()).checkpoints()) {
    if (std::to_string(info.step) == step) point.resumeMode = info.folder;
    known += (known.empty() ? "" : ", ") + std::to_string(info.step);
  }
  if (point.resumeMode == "auto") {
    throw Error("The run has no checkpoint of step " + step, run.string(),
                known.empty() ? "it has none at all" : "there are the steps " + known, "Choose one of these.");
  }
  return point;
}

// ----------------------------------------------------------------------------------------------------------------
// writer

RunWriter::RunWriter(const std::string& directory) : m_directory(directory) {
  std::error_code error;
  for (const char* folder : {"", "rollouts", "probes", "checkpoints"}) {
    fs::create_directories(fs::path(directory) / folder, error);
    if (error)
      throw Error("The run's folder could not be made", directory, error.message(),
                  "Choose another folder (trainer.default_local_dir).");
  }
  const std::string path = directory + "/lock";
  m_lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (m_lock < 0) failOnDisk("The run's folder could not be locked", path);
  if (::flock(m_lock, LOCK_EX | LOCK_NB) != 0) {
    const bool held = errno == EWOULDBLOCK;
    const std::string reason = std::strerror(errno);
    ::close(std::exchange(m_lock, -1));
    if (!held) throw Error("The run's folder could not be locked", path, reason, "Choose a folder on a local disk.");
    std::string owner = readFile(path).value_or("");
    throw Error("This run is already being written", directory,
                owner.empty() ? "another process holds its lock" : "process " + owner + " holds its lock",
                "Stop that run first, or choose another name (trainer.experiment_name).");
  }
  const std::string owner = std::to_string(::getpid());
  if (::ftruncate(m_lock, 0) != 0 || ::pwrite(m_lock, owner.data(), owner.size(), 0) < 0) {
    ::close(std::exchange(m_lock, -1));
    failOnDisk("The run's folder could not be written", path);
  }
  // A process that died while it wrote may have left half a line; appending to it would spoil the next one.
  if (auto bytes = readFile(m_directory + "/metrics.jsonl"); bytes && !bytes->empty() && bytes->back() != '\n') {
    bytes->resize(bytes->rfind('\n') == std::string::npos ? 0 : bytes->rfind('\n') + 1);
    replaceFile(m_directory + "/metrics.jsonl", *bytes, true);
  }
}

RunWriter::~RunWriter() {
  if (m_lock >= 0) ::close(m_lock);  // the kernel drops the lock with the last descriptor
}

void RunWriter::writeConfig(const std::string& yaml) {
  replaceFile(m_directory + "/config.yaml", yaml, true);
}

void RunWriter::writeStatus(const RunStatus& status) {
  // Many times a second: atomic for readers, left to the kernel to write out.
  replaceFile(m_directory + "/status.json", text(statusObject<json>(status)) + "\n", false);
}

void RunWriter::append(const StepSnapshot& step) {
  if (!step.probes.empty())
    replaceFile(m_directory + "/probes/" + std::to_string(step.step) + ".json", text(probesToJson(step.probes)) + "\n",
                false);
  File file(m_directory + "/metrics.jsonl", O_WRONLY | O_CREAT | O_APPEND);
  file.write(text(stepToJson(step)) + "\n");
  file.close();
}

void RunWriter::truncateAfter(int step) {
  const std::string path = m_directory + "/metrics.jsonl";
  if (auto bytes = readFile(path)) {
    std::string kept;
    std::size_t begin = 0;
    for (std::size_t end; (end = bytes->find('\n', begin)) != std::string::npos; begin = end + 1) {
      json line = json::parse(bytes->begin() + begin, bytes->begin() + end, nullptr, false);
      if (!line.is_discarded() && line.value("step", 0) <= step) kept.append(*bytes, begin, end + 1 - begin);
    }
    if (kept != *bytes) replaceFile(path, kept, true);
  }
  for (const char* folder : {"rollouts", "probes"}) {
    std::error_code error;
    std::vector<fs::path> stale;
    for (fs::directory_iterator it(fs::path(m_directory) / folder, error), end; !error && it != end;
         it.increment(error)) {
      std::string stem = it->path().stem().string();
      if (!stem.empty() && stem.find_first_not_of("0123456789") == std::string::npos && std::atoi(stem.c_str()) > step)
        stale.push_back(it->path());
    }
    for (const auto& path : stale) fs::remove(path);
  }
}

void RunWriter::appendRollouts(int step, const std::string& jsonLines) {
  File file(m_directory + "/rollouts/" + std::to_string(step) + ".jsonl", O_WRONLY | O_CREAT | O_APPEND);
  file.write(jsonLines);
  file.close();
}

}  // namespace cuescope
