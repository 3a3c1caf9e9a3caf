#include "engine/distill/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/core/json_values.h"
#include "engine/core/run_directory.h"
#include "engine/model/safetensors.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using nlohmann::json;

constexpr const char* kUnfinished = ".unfinished";

std::string text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw Error("A checkpoint's file could not be read", file.string(), "it is missing or may not be opened",
                "Use another checkpoint of the run.");
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

json parsed(const fs::path& file) {
  json value = json::parse(text(file), nullptr, false);
  if (value.is_discarded())
    throw Error("A checkpoint's file could not be read", file.string(), "it is no JSON",
                "Use another checkpoint of the run.");
  return value;
}

std::string fileDigest(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw Error("A checkpoint's file could not be read", file.string(), "it is missing or may not be opened",
                "Use another checkpoint of the run.");
  Digest digest;
  std::vector<char> buffer(1 << 20);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    digest.add(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  return digest.hex();
}

void flushToDisk(const fs::path& path, bool folder) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
  const bool ok = fd >= 0 && (::fsync(fd) == 0 || (folder && errno == EINVAL));
  const int number = errno;
  const std::string reason = std::strerror(number);
  if (fd >= 0) ::close(fd);
  if (!ok && meansDiskFull(number)) throw DiskFull("The checkpoint could not be written to the disk", path.string(), 0);
  if (!ok)
    throw Error("The checkpoint could not be written to the disk", path.string(), reason,
                "Free some space, then save again.");
}

std::vector<fs::path> filesOf(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path() != folder / "manifest.json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// A folder that is going away stops being a checkpoint first: no half of it is ever taken for a whole one.
void removeCheckpoint(const fs::path& folder) {
  std::error_code error;
  const fs::path going = folder.string() + ".gone" + kUnfinished;
  fs::remove_all(going, error);
  fs::rename(folder, going, error);
  if (!error) fs::remove_all(going, error);
}

/// Digest of every tensor of a safetensors file.
json tensorDigests(const fs::path& file) {
  json digests = json::object();
  const Safetensors tensors = Safetensors::open(file.string());
  for (const auto& entry : tensors.entries()) {
    const at::Tensor bytes = tensors.read(entry.name).contiguous();
    digests[entry.name] = digest(bytes.data_ptr(), bytes.nbytes());
  }
  return digests;
}

/// What of a file differs from what was written, as a sentence's end.
std::string damageOf(const fs::path& file, const json& entry, const json& written) {
  std::error_code error;
  if (!fs::exists(file, error)) return "the file is missing";
  const auto bytes = fs::file_size(file, error), wanted = entry.at("bytes").get<std::uintmax_t>();
  if (bytes != wanted) return "the file has " + std::to_string(bytes) + " bytes, " + std::to_string(wanted) + " were written";
  if (fileDigest(file) == entry.at("xxh3").get<std::string>()) return {};
  const std::string name = file.filename().string();
  if (!written.is_object()) return "its bytes differ from what was written";
  try {
    const json now = tensorDigests(file);
    std::string changed;
    int count = 0;
    for (const auto& [tensor, value] : written.items()) {
      if (now.value(tensor, "") == value.get<std::string>()) continue;
      if (++count <= 3) changed += (changed.empty() ? "" : ", ") + tensor;
    }
    if (count > 0) return "the tensor " + changed + (count > 3 ? " and " + std::to_string(count - 3) + " more" : "") + " differ" + (count == 1 ? "s" : "") + " from what was written";
  } catch (const Error&) {  // it cannot even be opened as tensors: said below
  }
  return "its header differs from what was written";
}

/// Removes the unfinished folder unless the checkpoint has become whole.
class Unfinished {
 public:
  explicit Unfinished(fs::path folder) : m_folder(std::move(folder)) {
    std::error_code ignored;
    fs::remove_all(m_folder, ignored);
    fs::create_directories(m_folder / "trainer");
  }
  ~Unfinished() {
    std::error_code ignored;
    if (!m_done) fs::remove_all(m_folder, ignored);
  }
  /// A folder of that name (the same step written again) is there until the new one is: the two change names in one step.
  void renameTo(const fs::path& name) {
    if (fs::exists(name)) {
      if (::renameat2(AT_FDCWD, m_folder.c_str(), AT_FDCWD, name.c_str(), RENAME_EXCHANGE) != 0) {
        // A file system that cannot exchange: the old one waits under a name that is cleared away only later.
        const fs::path old = name.string() + ".old" + kUnfinished;
        fs::remove_all(old);
        fs::rename(name, old);
        fs::rename(m_folder, name);
      }
    } else {
      fs::rename(m_folder, name);
    }
    flushToDisk(name.parent_path(), true);
    m_done = true;
    std::error_code ignored;  // what is left of the old one goes at the next start at the latest
    fs::remove_all(m_folder, ignored);
    fs::remove_all(name.string() + ".old" + kUnfinished, ignored);
  }

 private:
  fs::path m_folder;
  bool m_done = false;
};

}  // namespace

std::string checkpointFolder(const std::string& runDirectory, int step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%06d", step);
  return (fs::path(runDirectory) / "checkpoints" / name).string();
}

std::string writeCheckpoint(const std::string& runDirectory, const Qwen3VL& student, const Optimizer& optimizer,
                            const TrainerState& state, const std::string& filesFrom,
                            const std::map<std::string, double>& metrics, const std::string& configYaml) try {
  const fs::path final = checkpointFolder(runDirectory, state.step), folder = final.string() + kUnfinished;
  Unfinished unfinished(folder);
  // Masters, where they exist, are the weights; the folder itself keeps what the student computes with.
  const bool halves = student.parameters().front().scalar_type() == at::kBFloat16;
  student.save(folder.string(), filesFrom, halves ? "bfloat16" : "float32");
  NamedTensors moments;
  for (const auto& [name, tensor] : optimizer.state()) moments.emplace_back(name, tensor.cpu());
  writeSafetensors((folder / "trainer/optimizer.safetensors").string(), moments);
  json trainer = {{"step", state.step},
                  {"epoch", state.epoch},
                  {"position", state.position},
                  {"skipped_rows", state.skipped},
                  {"tokens", state.tokens},
                  {"seconds", state.seconds},
                  {"format", 1}};
  if (state.pending) {
    const PendingStep& open = *state.pending;
    trainer["pending"] = {{"phase", open.phase}, {"metrics", open.metrics}, {"phases", open.phaseSeconds}, {"seconds", open.seconds}, {"tokens", open.tokens}};
    if (!open.rollouts.empty()) writeFileDurably((folder / "trainer/rollouts.jsonl").string(), open.rollouts);
  }
  writeFileDurably((folder / "trainer/state.json").string(), trainer.dump(1) + "\n");
  writeFileDurably((folder / "trainer/config.yaml").string(), configYaml);

  json manifest = {{"format", 1}, {"step", state.step}, {"metrics", metrics}, {"files", json::object()}};
  for (const auto& file : filesOf(folder)) {
    flushToDisk(file, false);
    const std::string name = fs::relative(file, folder).string();
    manifest["files"][name] = {{"bytes", fs::file_size(file)}, {"xxh3", fileDigest(file)}};
    if (file.extension() == ".safetensors") manifest["tensors"][name] = tensorDigests(file);
  }
  flushToDisk(folder / "trainer", true);
  // A checkpoint must not outlive the rows that led to it: after a power cut they would be missing for good.
  if (const fs::path rows = fs::path(runDirectory) / "metrics.jsonl"; fs::exists(rows)) flushToDisk(rows, false);
  writeFileDurably((folder / "manifest.json").string(), manifest.dump(1) + "\n");
  unfinished.renameTo(final);
  return final.string();
} catch (const fs::filesystem_error& error) {
  if (meansDiskFull(error.code().value())) throw DiskFull("The checkpoint could not be written", error.path1().string(), 0);
  throw Error("The checkpoint could not be written", error.path1().string(), error.code().message(),
              "Free some space, then save again.");
}

std::map<std::string, double> checkpointMetrics(const std::string& folder) {
  std::map<std::string, double> metrics;
  const json manifest = parsed(fs::path(folder) / "manifest.json");
  if (const auto found = manifest.find("metrics"); found != manifest.end())
    for (const auto& [name, value] : found->items()) metrics[name] = numberOr(value);
  return metrics;
}

bool isCheckpointFolder(const std::string& folder) {
  const fs::path path = fs::path(folder).lexically_normal(), plain = path.has_filename() ? path : path.parent_path();
  const std::string name = plain.filename().string();
  return name.size() > 5 && name.starts_with("step-") && name.find_first_not_of("0123456789", 5) == std::string::npos &&
         plain.parent_path().filename() == "checkpoints";
}

namespace {

void verifyFiles(const std::string& folder, bool trainerToo) {
  const fs::path manifestFile = fs::path(folder) / "manifest.json";
  std::error_code none;
  const auto damaged = [](const fs::path& where, const std::string& why) { return Error("The checkpoint is damaged", where.string(), why, "Use another checkpoint of the run."); };
  if (!fs::exists(manifestFile, none)) throw damaged(manifestFile, "the file is missing");
  const json manifest = json::parse(text(manifestFile), nullptr, false);
  if (manifest.is_discarded()) throw damaged(manifestFile, "it is no JSON");
  if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_object()) throw damaged(manifestFile, "it lists no files");
  const json tensors = manifest.value("tensors", json::object());
  for (const auto& [name, entry] : manifest["files"].items()) {
    if (!trainerToo && name.starts_with("trainer/")) continue;
    if (!entry.is_object() || !entry.contains("bytes") || !entry.contains("xxh3")) throw damaged(manifestFile, "it says nothing of «" + name + "»");
    const fs::path file = fs::path(folder) / name;
    const std::string damage = damageOf(file, entry, tensors.value(name, json()));
    if (!damage.empty()) throw damaged(file, damage);
  }
}

/// What to do next names the newest earlier checkpoint that is whole.
[[noreturn]] void refuse(Failure failure, const std::string& folder) {
  const std::string previous = previousCheckpoint(folder), run = fs::path(folder).lexically_normal().parent_path().parent_path().string();
  if (previous.empty()) {
    failure.nextStep = "The run has no earlier checkpoint that is whole; start it again.";
  } else {
    const int step = readTrainerState(previous).step;
    failure.nextStep = "Step " + std::to_string(step) + " is whole: cuescope-cli resume " + run + "@" + std::to_string(step) + ".";
  }
  throw Error(failure);
}

/// Sizes and times of a folder's files: what has to stay for a folder not to be read again.
std::string stateOf(const std::string& folder) {
  std::string state;
  for (const auto& file : filesOf(folder)) {
    state += file.string() + " " + std::to_string(fs::file_size(file)) + " " + std::to_string(fs::last_write_time(file).time_since_epoch().count()) + "\n";
  }
  const fs::path manifest = fs::path(folder) / "manifest.json";
  return state + (fs::exists(manifest) ? std::to_string(fs::last_write_time(manifest).time_since_epoch().count()) : "");
}

}  // namespace

void verifyCheckpoint(const std::string& folder) { verifyFiles(folder, true); }

std::string previousCheckpoint(const std::string& folder) {
  const fs::path bad = fs::path(folder).lexically_normal(), run = bad.parent_path().parent_path();
  const auto found = RunReader(run.string()).checkpoints();
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    if (!it->complete || fs::path(it->folder).filename() >= bad.filename()) continue;
    try {
      verifyCheckpoint(it->folder);
      return it->folder;
    } catch (const Error&) {  // that one is damaged as well: look further back
    }
  }
  return {};
}

void requireWholeCheckpoint(const std::string& folder) {
  try {
    verifyFiles(folder, true);
  } catch (const Error& error) {
    refuse(error.failure(), folder);
  }
}

void requireWholeModel(const std::string& folder) {
  if (!isCheckpointFolder(folder)) return;
  static std::map<std::string, std::string> known;  // engine thread
  std::string state;
  try {
    state = stateOf(folder);
    if (const auto found = known.find(folder); found != known.end() && found->second == state) return;
    verifyFiles(folder, false);
  } catch (const Error& error) {
    refuse(error.failure(), folder);
  } catch (const fs::filesystem_error& error) {
    throw Error("The checkpoint could not be read", error.path1().string(), error.code().message(), "Check the folder's rights.");
  }
  known[folder] = state;
}

TrainerState readTrainerState(const std::string& folder) {
  const json value = parsed(fs::path(folder) / "trainer/state.json");
  TrainerState state;
  state.step = value.at("step");
  state.epoch = value.at("epoch");
  state.position = value.at("position");
  if (const auto skipped = value.find("skipped_rows"); skipped != value.end() && skipped->is_object())
    state.skipped = skipped->get<std::map<std::string, std::int64_t>>();
  state.tokens = value.value("tokens", std::int64_t{0});
  state.seconds = value.value("seconds", 0.0);
  if (const auto found = value.find("pending"); found != value.end()) {
    PendingStep open;
    open.phase = found->at("phase");
    for (const auto& [name, number] : found->at("metrics").items()) open.metrics[name] = numberOr(number);
    for (const auto& [name, number] : found->at("phases").items()) open.phaseSeconds[name] = numberOr(number);
    open.seconds = found->value("seconds", 0.0);
    open.tokens = found->value("tokens", std::int64_t{0});
    const fs::path rollouts = fs::path(folder) / "trainer/rollouts.jsonl";
    if (fs::exists(rollouts)) open.rollouts = text(rollouts);
    state.pending = std::move(open);
  }
  return state;
}

TrainerState loadTrainerState(const std::string& folder, Optimizer& optimizer) {
  Safetensors file = Safetensors::open((fs::path(folder) / "trainer/optimizer.safetensors").string());
  Optimizer::Named moments;
  for (const auto& entry : file.entries()) moments.emplace_back(entry.name, file.read(entry.name));
  optimizer.load(moments);
  return readTrainerState(folder);
}

std::string modelFolderOf(const std::string& name, int* step) {
  *step = -1;
  std::string directory = resolvePath(name);
  int wanted = -1;
  std::error_code ignored;
  if (const auto at = directory.rfind('@'); at != std::string::npos && at + 1 < directory.size() && !fs::exists(directory, ignored) &&
                                            directory.find_first_not_of("0123456789", at + 1) == std::string::npos && directory.size() - at < 9) {
    wanted = std::atoi(directory.c_str() + at + 1);
    directory.resize(at);
  }
  if (!RunReader::isRunDirectory(directory)) {
    if (wanted >= 0) throw Error("This folder is no run", directory, "«@» names a step of a run", "Name RUN@STEP, or a model's folder.");
    requireWholeModel(directory);
    if (fs::exists(fs::path(directory) / "trainer/state.json", ignored)) *step = readTrainerState(directory).step;
    return directory;
  }
  std::string steps, found;
  for (const auto& info : RunReader(directory).checkpoints()) {
    steps += (steps.empty() ? "" : ", ") + std::to_string(info.step);
    if (wanted >= 0 && info.step != wanted) continue;
    found = info.folder;
    *step = info.step;
  }
  if (found.empty()) {
    throw Error(wanted >= 0 ? "The run has no checkpoint of step " + std::to_string(wanted) : "The run has no checkpoint", directory,
                steps.empty() ? "none has been written" : "there are checkpoints of the steps " + steps, "Choose one of these, or let the run write one.");
  }
  requireWholeModel(found);
  return found;
}

namespace {

constexpr std::size_t kPiece = 8 << 20;  // bytes between two looks at the stop

struct CopyProgress {
  const EventSink& sink;
  std::stop_token stop;
  double done = 0, total = 0;
};

void copyInPieces(const fs::path& from, const fs::path& to, CopyProgress& progress) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary);
  std::vector<char> piece(std::min<std::uintmax_t>(kPiece, fs::file_size(from) + 1));
  while (in && out) {
    if (progress.stop.stop_requested()) throw Cancelled();
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    out.write(piece.data(), in.gcount());
    progress.done += static_cast<double>(in.gcount());
    if (progress.sink) progress.sink(Progress{"Writing the model", progress.done, progress.total, -1});
  }
  out.close();
  if (!in.eof()) throw Error("The model could not be exported", from.string(), "the file could not be read to its end", "Check the folder's rights and its disk.");
  if (!out) throw Error("The model could not be exported", to.string(), "the file could not be written", "Free some space, or choose another folder.");
}

}  // namespace

std::string exportCheckpoint(const std::string& name, const std::string& outputFolder, const EventSink& sink, std::stop_token stop) try {
  int step = -1;
  const fs::path from = modelFolderOf(name, &step), wanted = fs::absolute(outputFolder).lexically_normal();
  const fs::path to = wanted.has_filename() ? wanted : wanted.parent_path();  // «NAME/» is NAME: what is unfinished lies beside it
  if (!fs::exists(from / "config.json")) throw Error("There is no model to export", from.string(), "the folder holds no config.json", "Name a run, RUN@STEP or a model's folder.");
  if (!isCheckpointFolder(from.string()) && fs::exists(from / "manifest.json")) verifyCheckpoint(from.string());  // a run's own are verified by now
  if (fs::exists(to) && !fs::is_empty(to)) throw Error("The folder is not empty", to.string(), "an export never overwrites", "Name a new folder.");
  const fs::path part = to.string() + kUnfinished;
  std::vector<fs::path> files;
  CopyProgress progress{sink, stop};
  for (const auto& entry : fs::directory_iterator(from))
    if (entry.is_regular_file() && entry.path().filename() != "manifest.json") {
      files.push_back(entry.path());
      progress.total += static_cast<double>(entry.file_size());
    }
  Unfinished unfinished(part);
  fs::remove(part / "trainer");
  for (const fs::path& file : files) {
    copyInPieces(file, part / file.filename(), progress);
    flushToDisk(part / file.filename(), false);
  }
  flushToDisk(part, true);
  unfinished.renameTo(to);
  return to.string();
} catch (const fs::filesystem_error& error) {
  throw Error("The model could not be exported", error.path1().string(), error.code().message(), "Free some space, or choose another folder.");
}

std::string newestCheckpoint(const std::string& runDirectory) {
  const auto found = RunReader(runDirectory).checkpoints();
  return found.empty() ? std::string() : found.back().folder;
}

void pruneCheckpoints(const std::string& runDirectory, int keep) {
  std::error_code ignored;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(fs::path(runDirectory) / "checkpoints", ignored)) {
    if (entry.path().filename().string().ends_with(kUnfinished)) unfinished.push_back(entry.path());
  }
  for (const auto& folder : unfinished) fs::remove_all(folder, ignored);
  if (keep <= 0) return;
  std::vector<CheckpointInfo> complete;
  for (auto& info : RunReader(runDirectory).checkpoints()) {
    if (info.complete) complete.push_back(std::move(info));
  }
  if (complete.size() <= static_cast<std::size_t>(keep)) return;
  const std::size_t kept = complete.size() - static_cast<std::size_t>(keep);  // the first of the newest
  const auto accuracyOf = [](const CheckpointInfo& info) {
    const auto found = info.metrics.find("val/accuracy");
    return found == info.metrics.end() || !std::isfinite(found->second) ? -1.0 : found->second;
  };
  std::size_t best = complete.size() - 1;  // of equals the newest
  for (std::size_t i = complete.size(); i-- > 0;)
    if (accuracyOf(complete[i]) > accuracyOf(complete[best])) best = i;
  for (std::size_t i = 0; i < kept; ++i)
    if (i != best) removeCheckpoint(complete[i].folder);
}

}  // namespace cuescope
