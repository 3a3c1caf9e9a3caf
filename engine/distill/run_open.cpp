// How a run comes to life: configuration -> folder, lock, models, data.
#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/core/failure.h"
#include "engine/core/resume_mode.h"
#include "engine/data/processor_settings.h"
#include "engine/distill/kv_room.h"
#include "engine/distill/plan_sizes.h"
#include "engine/distill/provenance.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/chat_template.h"
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
  std::string directory, resumeFrom, evaluated;  // checkpoints; evaluated: the one whose student an evaluation alone asks
};

/// A folder that no run has yet.
std::string freeFolder(const fs::path& wanted) {
  fs::path free = wanted;
  for (int number = 2; fs::exists(free / "config.yaml"); ++number) free = wanted.string() + "-" + std::to_string(number);
  return free.string();
}

/// Where it goes on from a checkpoint. An evaluation alone has a folder of its own: the run that it looks at stays as it is.
Place continued(const RunConfig& config, const fs::path& run, const std::string& checkpoint) {
  if (config.trainer.valOnly && !checkpoint.empty()) return {freeFolder(run), {}, checkpoint};
  return {run.string(), checkpoint, {}};
}

Place choosePlace(const RunConfig& config) {
  const std::string mode = resumeModeOf(config.trainer.resumeMode).place;
  const fs::path wanted = fs::path(runsFolder(config)) / config.trainer.name;
  if (mode == "auto") return continued(config, wanted, newestCheckpoint(wanted.string()));
  if (mode != "disable") {
    const fs::path checkpoint = fs::path(resolvePath(mode)).lexically_normal();
    const fs::path run = checkpoint.parent_path().parent_path();
    if (!RunReader::isRunDirectory(run.string())) {
      throw Error("The run cannot be resumed", checkpoint.string(),
                  "the folder does not lie in the checkpoints of a run", "Name a folder RUN/checkpoints/step-NNNNNN.");
    }
    return continued(config, run, checkpoint.string());
  }
  return {freeFolder(wanted), {}, {}};
}

std::string bytesOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool same(const ProcessorSettings::Visual& a, const ProcessorSettings::Visual& b) {
  return a.minPixels == b.minPixels && a.maxPixels == b.maxPixels && a.rule.patch == b.rule.patch && a.rule.merge == b.rule.merge && a.rule.temporal == b.rule.temporal &&
         a.rule.mean == b.rule.mean && a.rule.deviation == b.rule.deviation && a.rule.rescale == b.rule.rescale;
}

/// The processors give the same ids and pixels. Compared is what is in effect, whichever of a folder's files says it: settings have
/// several homes (processor_settings.h), and every chat template that is known renders alike.
bool sameProcessing(const std::string& a, const std::string& b) {
  const ProcessorSettings x = readProcessorSettings(a), y = readProcessorSettings(b);
  return bytesOf(fs::path(a) / "tokenizer.json") == bytesOf(fs::path(b) / "tokenizer.json") && same(x.image, y.image) && same(x.video, y.video) && x.sampleFps == y.sampleFps &&
         x.minFrames == y.minFrames && x.maxFrames == y.maxFrames && x.sampleFrames == y.sampleFrames;
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

/// Folders of other teachers by data_source.
std::map<std::string, std::string> routesOf(const RunConfig& config) {
  std::map<std::string, std::string> routes;
  for (const auto& route : config.teacher.routes) {
    const auto equals = route.find('=');
    routes[route.substr(0, equals)] = resolvePath(route.substr(equals + 1));
  }
  return routes;
}

/// Student, teachers and start of a run. The student's own start is read from where it began, also when a run is resumed.
void loadModels(RunParts& parts, const RunConfig& config, const std::string& device, const EventSink& sink,
                const std::function<void()>& checkStop) {
  const std::string began = resolvePath(config.student.path);
  // What trains, or follows or compares with it, has float32 weights whatever it computes in; a teacher from another folder need not.
  const std::string dtype = "float32", frozenType = computeTypeOf(config);
  const auto ownStart = [&] {
    auto model = Qwen3VL::load(began, device, dtype, sink);
    prepareCue(*model, config);
    for (auto& parameter : model->parameters()) parameter.set_requires_grad(false);
    return model;
  };
  parts.student = Qwen3VL::load(parts.studentFiles, device, dtype, sink);
  prepareCue(*parts.student, config);
  checkStop();
  const std::string& kind = config.teacher.kind;
  if (config.actor.klLossCoef != 0 || (usesTeacher(config) && kind == "own_start")) parts.start = ownStart();
  if (!usesTeacher(config)) return;
  parts.teacherProcessor = parts.studentProcessor;
  if (kind == "reference") {
    const std::string folder = resolvePath(config.teacher.path);
    parts.teacher = Qwen3VL::load(folder, device, frozenType, sink);
    ChatTemplate::load(folder);  // an unknown one is refused, whether or not the processor is shared
    if (!sameProcessing(parts.studentFiles, folder)) {
      auto processor = std::make_shared<Processor>(folder);
      requireSameVocabulary(parts.studentProcessor->tokenizer(), processor->tokenizer());
      parts.teacherProcessor = processor;
    }
  } else {
    parts.teacher = kind == "live" ? parts.student : kind == "own_start" ? parts.start : ownStart();
  }
  for (const auto& [source, folder] : routesOf(config)) {
    checkStop();
    const std::string usual = kind == "reference" ? resolvePath(config.teacher.path) : parts.studentFiles;
    if (!sameProcessing(usual, folder)) {
      throw Error("The teachers read their prompts differently", "teacher.routes, " + source,
                  "tokenizer or image processor of «" + folder + "» are not those of «" + usual + "»",
                  "Choose teachers of one family.");
    }
    parts.routedTeachers[source] = Qwen3VL::load(folder, device, frozenType, sink);
  }
  if (config.actor.klLossCoef == 0) parts.start = nullptr;  // it lives on as the teacher
}

RunData openData(RunParts& parts, const RunConfig& config) {
  RunData read;
  const auto rowsIn = [&](const std::vector<std::string>& names) {
    std::vector<std::string> files;
    for (const auto& file : names) files.push_back(resolvePath(file));
    if (files.empty()) return RowSource{};
    const auto dataset = std::make_shared<Dataset>(Dataset::open(files, config.data.cueEdits));
    read.edited.insert(read.edited.end(), dataset->edited().begin(), dataset->edited().end());
    return rowsOf(dataset);
  };
  if (!config.trainer.valOnly) parts.train = rowsIn(config.data.trainFiles);
  parts.val = rowsIn(config.data.valFiles);
  return read;
}

/// Leaves out what cannot be used (data.filter_overlong_prompts).
void screenData(RunParts& parts, RunData& read, const RunConfig& config, const EventSink& sink, std::stop_token stop) {
  if (!config.data.filterOverlongPrompts) return;
  const Preparer preparer(config, parts.studentProcessor, parts.teacher ? parts.teacherProcessor : nullptr, parts.teacher ? teacherPositionsOf(config) : 0);
  const auto say = [&](const char* which, const RowScreen& screen) {
    if (sink && !screen.leftOut.empty())
      sink(LogLine{"Left out " + std::to_string(screen.looked - static_cast<std::int64_t>(screen.kept.size())) + " of " + std::to_string(screen.looked) + " " + which + " rows: " +
                   screen.text() + "; the first: " + screen.examples.front().file + ", row " + std::to_string(screen.examples.front().row) + ", " + screen.examples.front().problem.reason});
  };
  if (parts.train.size > 0) {
    read.train = screenRows(parts.train, preparer, config, RowUse::Train, 0, sink, stop);
    say("training", read.train);
    if (read.train.kept.empty())
      throw Error("No row of the data can be used", "data.train_files", read.train.text() + "; the first: " + read.train.examples.front().problem.reason,
                  "Raise data.max_prompt_length or repair the data; `cuescope-cli data check` lists every row.");
    parts.leftOut = read.train.leftOut;
    if (!read.train.leftOut.empty()) parts.train = only(std::move(parts.train), read.train.kept);
  }
  if (parts.val.size > 0) {
    read.val = screenRows(parts.val, preparer, config, RowUse::HeldOut, config.data.valMaxSamples, sink, stop);
    say("held-out", read.val);
    parts.askedRows = read.val.kept;
  }
}

/// A run that goes on says what is no longer as it was, and does not start where it would become another run unless that is allowed.
ResumeChanges requireUnchanged(const RunConfig& config, const std::string& checkpoint, const nlohmann::ordered_json& now, const EventSink& sink) {
  ResumeChanges changes = changesSince(checkpoint, config, now);
  const auto joined = [](const std::vector<std::string>& sentences) {
    std::string text;
    for (const auto& sentence : sentences) text += (text.empty() ? "" : "; ") + sentence;
    return text;
  };
  if (!changes.breaking.empty() && !resumeModeOf(config.trainer.resumeMode).changed) {
    throw Error("The run would not go on as the one that was stopped", checkpoint, joined(changes.breaking),
                "Undo that, start a new run, or allow it: cuescope-cli resume RUN --changed (trainer.resume_mode changed:auto). What the run holds of later steps is then put aside, and "
                "provenance.json names the changes.");
  }
  if (sink && !changes.breaking.empty()) sink(LogLine{"This is no longer the run that was stopped: " + joined(changes.breaking) + "."});
  if (sink && !changes.told.empty()) sink(LogLine{"Since the checkpoint was written: " + joined(changes.told) + "."});
  return changes;
}

}  // namespace

std::unique_ptr<Run> Run::open(const RunConfig& wanted, const EngineOptions& options, const EventSink& sink,
                               std::stop_token stop) {
  refuseIncomplete(wanted);
  RunConfig config = wanted;
  config.actor.dtype = computeTypeOf(config, options.dtype);
  const std::string device = config.trainer.device == "auto" ? options.device : config.trainer.device;
  if (config.trainer.threads > 0) at::set_num_threads(config.trainer.threads);
  const Place place = choosePlace(config);
  auto checkStop = [&] {
    if (stop.stop_requested()) throw Cancelled();
  };
  // A run that goes on keeps the bound it was given: rows that wait for room change how sums are rounded.
  if (const auto before = config.rollout.kvCacheMib < 0 ? savedConfig(place.resumeFrom) : std::nullopt) config.rollout.kvCacheMib = before->rollout.kvCacheMib;
  config.rollout.kvCacheMib = keyValueMib(config, device);
  RunParts parts;
  const std::string studentFolder = resolvePath(config.student.path);
  const std::string& checkpoint = place.evaluated.empty() ? place.resumeFrom : place.evaluated;
  if (!checkpoint.empty()) requireWholeCheckpoint(checkpoint);
  parts.studentFiles = checkpoint.empty() ? studentFolder : checkpoint;
  parts.studentProcessor = std::make_shared<Processor>(parts.studentFiles);
  RunData read = openData(parts, config);
  checkStop();
  loadModels(parts, config, device, sink, checkStop);
  requireRoomForAResponse(config, parts.student->config());
  checkStop();
  screenData(parts, read, config, sink, stop);
  for (const EditedFile& edited : read.edited) {
    if (!sink || edited.rows == 0) continue;
    sink(LogLine{(edited.applied ? "Cue edits of " : "Cue edits are left out (data.cue_edits: false): ") + std::to_string(edited.rows) + " rows of " + edited.file +
                 (edited.crops > 0 ? ", " + std::to_string(edited.crops) + " crops" : "") + (edited.applied ? " take the place of the data's own." : ".")});
  }
  nlohmann::ordered_json provenance = provenanceOf(config, parts, read, sink, checkStop);
  ResumeChanges changes;
  if (!place.resumeFrom.empty()) changes = requireUnchanged(config, place.resumeFrom, provenance, sink);
  parts.changed = changes.breaking;
  auto run = std::make_unique<Run>(config, std::move(parts), place.directory, place.resumeFrom, sink);
  provenance["from_step"] = run->status().step;
  changes.breaking.insert(changes.breaking.end(), changes.told.begin(), changes.told.end());
  provenance["changed"] = changes.breaking;
  appendProvenance(place.directory, std::move(provenance));  // the run holds the folder's lock by now
  return run;
}

}  // namespace cuescope
