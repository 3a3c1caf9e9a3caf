// How a run comes to life: configuration -> folder, lock, models, data.
#include <ATen/Parallel.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/core/failure.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/tokenizer.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

void refuseIncomplete(const RunConfig& config) {
  const auto issues = validate(config);
  if (issues.empty()) return;
  std::string why;
  for (const auto& issue : issues) why += (why.empty() ? "" : "; ") + issue.key + " " + issue.message;
  throw Error(issues.size() == 1 ? "The configuration has a mistake"
                                 : "The configuration has " + std::to_string(issues.size()) + " mistakes",
              issues.front().key, why, "Correct the named parameters.");
}

struct Place {
  std::string directory, resumeFrom;
};

Place choosePlace(const RunConfig& config) {
  const std::string& mode = config.trainer.resumeMode;
  const fs::path wanted = fs::path(runsFolder(config)) / config.trainer.name;
  if (mode == "auto") return {wanted.string(), newestCheckpoint(wanted.string())};
  if (mode != "disable") {
    const fs::path checkpoint = fs::path(resolvePath(mode)).lexically_normal();
    const fs::path run = checkpoint.parent_path().parent_path();
    if (!RunReader::isRunDirectory(run.string())) {
      throw Error("The run cannot be resumed", checkpoint.string(),
                  "the folder does not lie in the checkpoints of a run", "Name a folder RUN/checkpoints/step-NNNNNN.");
    }
    return {run.string(), checkpoint.string()};
  }
  fs::path free = wanted;
  for (int number = 2; fs::exists(free / "config.yaml"); ++number)
    free = wanted.string() + "-" + std::to_string(number);
  return {free.string(), {}};
}

std::string bytesOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The processors give the same ids and pixels.
bool sameProcessing(const std::string& a, const std::string& b) {
  for (const char* name : {"tokenizer.json", "preprocessor_config.json", "chat_template.json", "chat_template.jinja"}) {
    if (bytesOf(fs::path(a) / name) != bytesOf(fs::path(b) / name)) return false;
  }
  return true;
}

/// A token must mean the same to both: the teacher scores the student's ids.
void requireSameVocabulary(const Tokenizer& student, const Tokenizer& teacher) {
  bool same = student.size() == teacher.size();
  std::int64_t id = 0;
  for (; same && id < student.size(); ++id) same = student.bytes(id) == teacher.bytes(id);
  if (!same) {
    throw Error("Student and teacher have different vocabularies", "teacher.path",
                student.size() == teacher.size()
                    ? "token " + std::to_string(id - 1) + " differs"
                    : std::to_string(student.size()) + " and " + std::to_string(teacher.size()) + " tokens",
                "Choose a teacher with the student's tokenizer.");
  }
}

void prepareCue(Qwen3VL& student, const RunConfig& config) {
  if (student.config().cue.enabled) {
    if (!config.student.cueSkipLastLayer) student.setActiveCueLayers(student.config().cue.layers);
  } else if (config.student.cueEnabled) {
    student.addCueRecovery(config.student.cueInterval, config.student.cueInit, config.student.cueSkipLastLayer,
                           config.trainer.seed);
  }
}

}  // namespace

std::unique_ptr<Run> Run::open(const RunConfig& config, const EngineOptions& options, const EventSink& sink,
                               std::stop_token stop) {
  refuseIncomplete(config);
  const std::string device = config.trainer.device == "auto" ? options.device : config.trainer.device;
  if (config.trainer.threads > 0) at::set_num_threads(config.trainer.threads);
  const Place place = choosePlace(config);
  auto checkStop = [&] {
    if (stop.stop_requested()) throw Cancelled();
  };
  RunParts parts;
  const std::string studentFolder = resolvePath(config.student.path);
  if (!place.resumeFrom.empty()) verifyCheckpoint(place.resumeFrom);
  parts.studentFiles = place.resumeFrom.empty() ? studentFolder : place.resumeFrom;
  parts.studentProcessor = std::make_shared<Processor>(parts.studentFiles);
  parts.train = rowsOf(std::make_shared<Dataset>(Dataset::open([&] {
    std::vector<std::string> files;
    for (const auto& file : config.data.trainFiles) files.push_back(resolvePath(file));
    return files;
  }())));
  if (!config.data.valFiles.empty()) {
    std::vector<std::string> files;
    for (const auto& file : config.data.valFiles) files.push_back(resolvePath(file));
    parts.val = rowsOf(std::make_shared<Dataset>(Dataset::open(files)));
  }
  checkStop();
  parts.student = Qwen3VL::load(parts.studentFiles, device, options.dtype, sink);
  prepareCue(*parts.student, config);
  checkStop();
  if (config.distillation.distillationCoef > 0) {
    const std::string teacherFolder = resolvePath(config.teacher.path);
    parts.teacher = Qwen3VL::load(teacherFolder, device, options.dtype, sink);
    if (sameProcessing(parts.studentFiles, teacherFolder)) {
      parts.teacherProcessor = parts.studentProcessor;
    } else {
      auto processor = std::make_shared<Processor>(teacherFolder);
      requireSameVocabulary(parts.studentProcessor->tokenizer(), processor->tokenizer());
      parts.teacherProcessor = processor;
    }
  }
  checkStop();
  return std::make_unique<Run>(config, std::move(parts), place.directory, place.resumeFrom, sink);
}

}  // namespace cuescope
