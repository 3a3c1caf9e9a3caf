#include "engine/distill/provenance.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/core/run_directory.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;

/// Names and places, how often something is written or looked at: the student does not see them. Data and models are compared by their
/// digests, wherever they lie now.
const std::set<std::string> kNoMatter = {
    "trainer.experiment_name", "trainer.default_local_dir", "trainer.resume_mode", "trainer.save_freq", "trainer.max_actor_ckpt_to_keep",
    "trainer.capture_freq", "trainer.rollout_save_freq", "trainer.val_before_train", "trainer.val_only", "trainer.device", "trainer.threads", "rollout.gap_alarm",
    "actor.oom_policy", "data.train_files", "data.val_files", "student.path", "teacher.path", "teacher.routes"};
/// Of what is measured beside the training, and of what changes how sums are rounded and nothing else.
const std::set<std::string> kTold = {"trainer.test_freq", "trainer.probe_freq", "data.val_max_samples", "data.probe_rows", "rollout.kv_cache_mib", "rollout.max_num_seqs", "actor.ppo_max_token_len_per_gpu", "student.enable_gradient_checkpointing"};

std::optional<Json> readJson(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  Json value = Json::parse(in, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

/// The last start that is on record; null when there is none.
Json lastStart(const fs::path& run) {
  const auto file = readJson(run / "provenance.json");
  if (!file || !file->is_object()) return nullptr;
  const auto starts = file->find("starts");
  if (starts == file->end()) return *file;  // of a version that kept only the last
  return starts->is_array() && !starts->empty() ? starts->back() : Json(nullptr);
}

std::string textAt(const Json& entry, const char* key) {
  if (!entry.is_object()) return {};
  const auto found = entry.find(key);
  return found == entry.end() || found->is_null() ? std::string() : found->is_string() ? found->get<std::string>() : found->dump();
}

/// What distinguishes one model from another.
std::string identityOf(const Json& model) { return model.is_object() ? textAt(model, "xxh3") + " " + textAt(model, "processor") : std::string(); }

std::vector<std::string> dataDigests(const Json& entry, const std::string& use) {
  std::vector<std::string> digests;
  if (const auto data = entry.find("data"); data != entry.end() && data->is_array())
    for (const Json& file : *data)
      if (textAt(file, "use") == use) digests.push_back(textAt(file, "xxh3"));
  return digests;
}

/// Of the cue edits that count, in the order of the files.
std::vector<std::string> editDigests(const Json& entry, const std::string& use) {
  std::vector<std::string> digests;
  if (const auto data = entry.find("data"); data != entry.end() && data->is_array()) {
    for (const Json& file : *data) {
      if (textAt(file, "use") != use) continue;
      const auto edits = file.find("cue_edits");
      digests.push_back(edits != file.end() && edits->is_object() && edits->value("applied", false) ? textAt(*edits, "xxh3") : std::string());
    }
  }
  return digests;
}

std::string filesOf(const Json& entry, const std::string& use) {
  std::string names;
  if (const auto data = entry.find("data"); data != entry.end() && data->is_array())
    for (const Json& file : *data)
      if (textAt(file, "use") == use) names += (names.empty() ? "" : ", ") + fs::path(textAt(file, "file")).filename().string();
  return names;
}

}  // namespace

Json provenanceOf(const RunConfig& config, const RunParts& parts, const RunData& read, const EventSink& sink, const std::function<void()>& checkStop) {
  const auto readingOf = [&](const fs::path& what) {
    return [&sink, &checkStop, name = what.filename().string()](std::uint64_t done, std::uint64_t total) {
      if (checkStop) checkStop();
      if (sink) sink(Progress{"Reading " + name, static_cast<double>(done), static_cast<double>(total)});
    };
  };
  Json data = Json::array();
  for (const auto* files : {&config.data.trainFiles, &config.data.valFiles}) {
    for (const auto& file : *files) {
      const std::string path = resolvePath(file);
      data.push_back({{"file", path}, {"use", files == &config.data.trainFiles ? "train" : "val"}, {"bytes", fs::file_size(path)}, {"xxh3", filesDigest({path}, readingOf(path))}});
      const auto edited = std::find_if(read.edited.begin(), read.edited.end(), [&](const EditedFile& e) { return e.file == path; });
      if (edited != read.edited.end())
        data.back()["cue_edits"] = {{"file", edited->editsFile}, {"xxh3", edited->digest}, {"rows", edited->rows}, {"crops", edited->crops}, {"applied", edited->applied}};
    }
  }
  const auto screened = [](const RowScreen& screen) {
    Json rows = Json::array();
    for (const auto& e : screen.examples) rows.push_back({{"file", e.file}, {"row", e.row}, {"category", e.problem.category}, {"reason", e.problem.reason}});
    return Json{{"looked_at", screen.looked}, {"kept", screen.kept.size()}, {"counts", screen.leftOut}, {"first", rows}};
  };
  std::vector<std::string> heldOut;
  for (const auto& file : config.data.valFiles) heldOut.push_back(resolvePath(file));
  // Of all held-out files together, as evaluations name it: the board knows one data set by it.
  const std::string valDigest = heldOut.empty() ? std::string() : heldOut.size() == 1 ? data.back().at("xxh3").get<std::string>() : filesDigest(heldOut);
  std::map<std::string, std::pair<std::string, std::string>> digests;  // by folder: weights, processor
  const auto digestsOf = [&](const std::string& folder) {
    auto [known, isNew] = digests.try_emplace(folder);
    if (!isNew) return known->second;
    std::vector<std::string> weights, processor;  // ModelInfo's digest is of shapes alone: two models of one size share it
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".safetensors") weights.push_back(entry.path().string());
    std::sort(weights.begin(), weights.end());
    for (const char* name : {"config.json", "tokenizer.json", "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"})
      if (fs::exists(fs::path(folder) / name)) processor.push_back((fs::path(folder) / name).string());
    return known->second = {filesDigest(weights, readingOf(folder)), filesDigest(processor)};
  };
  const auto model = [&digestsOf](const Qwen3VL* m) -> Json {
    if (!m) return nullptr;
    const ModelInfo info = m->info();
    const auto [weights, processor] = digestsOf(info.folder);
    return {{"folder", info.folder}, {"xxh3", weights}, {"processor", processor}, {"parameters", info.parameters}, {"dtype", info.dtype}, {"device", info.device}};
  };
  Json routed = Json::object();
  for (const auto& [source, teacher] : parts.routedTeachers) routed[source] = model(teacher.get());
  return {{"cuescope", CUESCOPE_VERSION},
          {"torch", TORCH_VERSION},
          {"compiler", __VERSION__},
          {"threads", at::get_num_threads()},
          {"seed", config.trainer.seed},
          {"student", model(parts.student.get())},
          {"teacher", parts.teacher == parts.student ? Json("live") : model(parts.teacher.get())},  // a live one has no files of its own
          {"routed_teachers", routed},
          {"start", model(parts.start.get())},
          {"data", data},
          {"val_digest", valDigest},
          {"train_rows", parts.train.size},
          {"val_rows", parts.val.size},
          {"left_out", {{"train", screened(read.train)}, {"val", screened(read.val)}}}};
}

std::optional<RunConfig> savedConfig(const std::string& checkpoint) {
  std::ifstream in(fs::path(checkpoint) / "trainer/config.yaml", std::ios::binary);
  if (checkpoint.empty() || !in) return std::nullopt;
  std::vector<ConfigIssue> unknown;
  return parseConfig({std::istreambuf_iterator<char>(in), {}}, checkpoint, &unknown);
}

ResumeChanges changesSince(const std::string& checkpoint, const RunConfig& config, const Json& now) {
  ResumeChanges changes;
  if (const auto before = savedConfig(checkpoint)) {
    for (const auto& field : configFields()) {
      const std::string was = field.get(*before), is = field.get(config);
      if (was == is || kNoMatter.contains(field.key)) continue;
      // A constant rate does not know how many steps there will be.
      if (field.key == "trainer.total_training_steps" && before->actor.lrSchedule == "constant" && config.actor.lrSchedule == "constant") continue;
      (kTold.contains(field.key) ? changes.told : changes.breaking).push_back(field.key + " was " + was + " and is " + is);
    }
  }
  const fs::path run = fs::path(checkpoint).lexically_normal().parent_path().parent_path();
  const Json before = lastStart(run);
  if (!before.is_object()) {
    changes.told.push_back("the run has no record of its data and models, so they cannot be compared");
    return changes;
  }
  if (dataDigests(before, "train") != dataDigests(now, "train"))
    changes.breaking.push_back("the training data are no longer the same (" + filesOf(before, "train") + ", now " + filesOf(now, "train") + ")");
  if (dataDigests(before, "val") != dataDigests(now, "val"))
    changes.told.push_back("the held-out data are no longer the same (" + filesOf(before, "val") + ", now " + filesOf(now, "val") + "): accuracies of before and after cannot be compared");
  if (editDigests(before, "train") != editDigests(now, "train")) changes.breaking.push_back("the cue edits of the training data are no longer the same");
  if (editDigests(before, "val") != editDigests(now, "val")) changes.told.push_back("the cue edits of the held-out data are no longer the same");
  const auto compareModel = [&](const char* key, const std::string& what) {
    // A record of an older version says nothing of some models.
    const auto was = before.find(key), is = now.find(key);
    if (was == before.end() || is == now.end() || was->is_null() != is->is_null()) {
      if (was != before.end()) changes.breaking.push_back(what + (was->is_null() ? " is new" : " is gone"));
      return;
    }
    if (was->is_string() || is->is_string()) return;  // the student itself; the settings say which kind it is
    const bool same = was->is_null() || (was->contains("processor") ? identityOf(*was) == identityOf(*is) : textAt(*was, "xxh3") == textAt(*is, "xxh3"));
    if (!same) changes.breaking.push_back(what + " is another model (" + textAt(*was, "folder") + ", now " + textAt(*is, "folder") + ")");
  };
  compareModel("teacher", "the teacher");
  compareModel("start", "the student's start");
  if (const auto routes = before.find("routed_teachers"); routes != before.end() && routes->is_object()) {
    const Json& is = now.at("routed_teachers");
    std::set<std::string> sources;
    for (const auto* side : {&*routes, &is})
      for (const auto& [source, model] : side->items()) sources.insert(source);
    for (const std::string& source : sources) {
      const bool same = routes->contains(source) && is.contains(source) && identityOf(routes->at(source)) == identityOf(is.at(source));
      if (!same) changes.breaking.push_back("the teacher of " + source + " is another one");
    }
  }
  for (const char* key : {"cuescope", "torch", "compiler", "threads"})
    if (textAt(before, key) != textAt(now, key)) changes.told.push_back(std::string(key) + " was " + textAt(before, key) + " and is " + textAt(now, key));
  const std::string was = textAt(before.value("student", Json(nullptr)), "device"), is = textAt(now.value("student", Json(nullptr)), "device");
  if (was != is) changes.told.push_back("the device was " + was + " and is " + is);
  return changes;
}

void appendProvenance(const std::string& runDirectory, Json entry) {
  const fs::path file = fs::path(runDirectory) / "provenance.json";
  Json all = {{"starts", Json::array()}};
  if (auto known = readJson(file); known && known->is_object()) {
    if (known->contains("starts") && known->at("starts").is_array()) all = std::move(*known);
    else all["starts"].push_back(std::move(*known));
  }
  all["starts"].push_back(std::move(entry));
  writeFileDurably(file.string(), all.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace cuescope
