// Loading and saving of Hugging Face folders. Reading by name is the whole mapping: a parameter's registered name is
// its key.
#include <c10/core/Device.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <tuple>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/model/qwen3_vl.h"
#include "engine/model/safetensors.h"
#include "engine/model/text_decoder.h"
#include "engine/model/vision_tower.h"
#include "engine/model/weight_block.h"

namespace cuescope {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestShard = 4ull << 30;
constexpr const char* kText = "model.language_model.";
constexpr const char* kCue = "model.language_model.sink_cross_attns.";
constexpr const char* kParts[] = {"q_proj", "k_proj", "v_proj", "o_proj"};

// Older spellings of the same keys: "visual.…", "model.layers.…", "language_model.model.…".
std::string currentName(const std::string& key) {
  const auto moved = [&](const std::string& from, const std::string& to) { return to + key.substr(from.size()); };
  if (key.starts_with("model.language_model.") || key.starts_with("model.visual.")) return key;
  if (key.starts_with("visual.")) return "model." + key;
  if (key.starts_with("language_model.lm_head.")) return moved("language_model.", "");
  if (key.starts_with("language_model.model.")) return moved("language_model.model.", kText);
  if (key.starts_with("language_model.")) return "model." + key;
  for (const char* part : {"layers.", "embed_tokens.", "norm.", "sink_"})
    if (key.starts_with(std::string("model.") + part)) return moved("model.", kText);
  return key;
}

using Keys = std::map<std::string, const TensorEntry*>;

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

std::string first(const std::vector<std::string>& names, std::size_t most) {
  std::vector<std::string> some(names.begin(),
                                names.begin() + static_cast<std::ptrdiff_t>(std::min(most, names.size())));
  return listed(some) + (names.size() > most ? " and " + std::to_string(names.size() - most) + " more" : "");
}

// Layers whose module has at least one weight in the files.
std::vector<std::int64_t> cueLayersIn(const Keys& keys) {
  std::set<std::int64_t> out;
  for (auto it = keys.lower_bound(kCue); it != keys.end() && it->first.starts_with(kCue); ++it)
    out.insert(std::strtoll(it->first.c_str() + std::string(kCue).size(), nullptr, 10));
  return {out.begin(), out.end()};
}

// Decides from config.json and the weights which modules there are. All or none: a part of them is an Error.
void settleCue(Qwen3VLConfig& config, const Keys& keys, const std::string& where, bool withoutCue) {
  if (withoutCue) {
    config.cue = {};
    return;
  }
  Qwen3VLConfig::Cue& cue = config.cue;
  const auto found = cueLayersIn(keys);
  const bool norms[2] = {keys.contains(std::string(kText) + "sink_q_norm.weight"),
                         keys.contains(std::string(kText) + "sink_kv_norm.weight")};
  if (!cue.enabled && found.empty() && !norms[0] && !norms[1]) return;

  std::vector<std::int64_t> expected = cue.layers;
  if (expected.empty()) {  // a folder of the reference: the interval follows from the layers that are there
    std::int64_t interval = 0;
    for (const std::int64_t layer : found) interval = std::gcd(interval, layer);
    if (interval > 0) cue.interval = interval % cue.interval == 0 ? cue.interval : interval;  // 5 there: a gap is a gap
    for (std::int64_t l = 0; l < config.text.layers; l += cue.interval) expected.push_back(l);
    // Whoever trains without the last decoder layer's module, which reaches nothing, saves none.
    if (expected.back() == config.text.layers - 1 && !found.empty() && found.back() != expected.back())
      expected.pop_back();
  }
  std::vector<std::string> there, missing;
  std::size_t projections = 0;
  for (const std::int64_t layer : expected) {
    std::vector<std::string> have, lack;
    for (const char* part : kParts)
      (keys.contains(kCue + std::to_string(layer) + "." + part + ".weight") ? have : lack).push_back(part);
    projections += have.size();
    std::string label("L");
    label += std::to_string(layer);
    if (lack.empty())
      there.push_back(label);
    else
      missing.push_back(have.empty() ? label : label + " (" + listed(lack) + ")");
  }
  for (int i = 0; i < 2; ++i)
    if (!norms[i]) missing.push_back(i == 0 ? "sink_q_norm" : "sink_kv_norm");
  if (!missing.empty()) {
    std::string why = "the weights hold " + std::to_string(projections) + " of the " +
                      std::to_string(4 * expected.size()) + " cue projections: ";
    if (!there.empty()) why += listed(there) + (there.size() == 1 ? " is" : " are") + " there, ";
    why += listed(missing) + (missing.size() == 1 ? " is" : " are") +
           " missing. The save was probably interrupted. Nothing was loaded.";
    throw Error("The cue module in this model folder is incomplete", where, why,
                "Save or copy the folder again; cuescope-cli --without-cue opens it without the cue module.");
  }
  const bool declared = !cue.layers.empty() && !cue.active.empty();
  cue.enabled = true;
  cue.layers = expected;
  if (!declared) {
    cue.active = expected;
    std::erase(cue.active, config.text.layers - 1);  // spec B5
  }
  for (const std::int64_t layer : cue.active)
    if (std::find(expected.begin(), expected.end(), layer) == expected.end())
      throw Error("The model's configuration cannot be used", where,
                  "cue_recovery.active names layer " + std::to_string(layer) + ", which has no module");
}

at::ScalarType storageType(const std::string& dtype) {
  if (dtype == "float32") return at::kFloat;
  if (dtype == "bfloat16") return at::kBFloat16;
  throw Error("The number type is not known", "dtype", "it is «" + dtype + "»", "Choose float32 or bfloat16.");
}

std::string shapeText(at::IntArrayRef shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

void writeText(const fs::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.flush();
  if (!stream)
    throw Error("The file cannot be written", path.string(), {},
                "Check the disk's free space and the folder's permissions.");
}

constexpr const char* kCompanions[] = {"tokenizer.json",
                                       "tokenizer_config.json",
                                       "vocab.json",
                                       "merges.txt",
                                       "added_tokens.json",
                                       "special_tokens_map.json",
                                       "chat_template.json",
                                       "chat_template.jinja",
                                       "preprocessor_config.json",
                                       "video_preprocessor_config.json",
                                       "processor_config.json",
                                       "generation_config.json"};

}  // namespace

std::shared_ptr<Qwen3VL> Qwen3VL::load(const std::string& folder, const std::string& device, const std::string& dtype,
                                       const EventSink& sink, bool withoutCue) {
  Qwen3VLConfig config = Qwen3VLConfig::read(folder);
  const at::ScalarType type = storageType(dtype);
  const Safetensors files = Safetensors::openFolder(folder);
  Keys keys;
  for (const TensorEntry& entry : files.entries()) {
    if (!at::isFloatingType(entry.dtype)) continue;
    if (!keys.emplace(currentName(entry.name), &entry).second)
      throw Error("A weight is there twice", folder, entry.name + " is another spelling of a key that is there too");
  }
  settleCue(config, keys, folder, withoutCue);

  const auto model = std::make_shared<Qwen3VL>(config, at::TensorOptions().dtype(type).device(at::Device(device)));
  model->m_folder = folder;
  std::vector<Safetensors::Target> targets;
  std::vector<std::string> missing;
  for (const auto& item : model->named_parameters()) {
    const auto found = keys.find(item.key());
    if (found == keys.end()) {
      missing.push_back(item.key());
      continue;
    }
    const TensorEntry& entry = *found->second;
    if (item.value().sizes() != at::IntArrayRef(entry.shape))
      throw Error(
          "A weight has the wrong shape", files.files()[entry.file].path,
          entry.name + " is " + shapeText(entry.shape) + ", config.json asks for " + shapeText(item.value().sizes()),
          "Use config.json and weights of one model.");
    targets.push_back({&entry, item.value()});
    keys.erase(found);
  }
  if (!missing.empty())
    throw Error("Weights are missing", folder,
                std::to_string(missing.size()) + " of " + std::to_string(missing.size() + targets.size()) + ": " +
                    first(missing, 3),
                "Download or save the model again.");
  // In the order of the files, so that reading goes through files and memory from end to end.
  std::sort(targets.begin(), targets.end(), [](const Safetensors::Target& a, const Safetensors::Target& b) {
    return std::tie(a.entry->file, a.entry->begin) < std::tie(b.entry->file, b.entry->begin);
  });
  if (model->device().is_cpu()) {
    std::vector<at::Tensor> weights;
    for (const Safetensors::Target& target : targets) weights.push_back(target.tensor);
    placeTogether(weights);
  }
  for (Safetensors::Target& target : targets) target.tensor = target.tensor.detach();
  const std::string label = "Loading " + fs::path(folder).filename().string();
  files.readInto(targets, [&](double share) {
    if (sink) sink(Progress{label, share, 1.0, -1});
  });
  keys.erase("lm_head.weight");  // of a tied model: the embedding says the same
  std::vector<std::string> unused;
  for (const auto& [name, entry] : keys)
    if (!name.ends_with("rotary_emb.inv_freq") && !(withoutCue && name.find(".sink_") != std::string::npos))
      unused.push_back(name);
  if (sink && !unused.empty())
    sink(LogLine{"The weights hold " + std::to_string(unused.size()) +
                 " tensors that this model has no place for: " + first(unused, 3)});

  Digest digest;
  for (const auto& file : files.files()) digest.add(file.header).add(std::to_string(file.size));
  model->m_digest = digest.hex();
  return model;
}

void Qwen3VL::save(const std::string& folder, const std::string& filesFrom, const std::string& dtype) const {
  const at::ScalarType type = storageType(dtype);
  const at::NoGradGuard noGrad;
  const fs::path base(folder);
  std::error_code problem;
  fs::create_directories(base, problem);
  if (problem) throw Error("The folder cannot be made", folder, problem.message(), "Choose another place.");

  // Shards are cut in order of registration, so that a layer's weights lie together.
  std::vector<NamedTensors> shards(1);
  std::uint64_t inShard = 0, total = 0;
  for (const auto& item : named_parameters()) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(item.value().numel()) * c10::elementSize(type);
    if (inShard > 0 && inShard + bytes > kLargestShard) {
      shards.emplace_back();
      inShard = 0;
    }
    shards.back().emplace_back(item.key(), item.value().detach());
    inShard += bytes;
    total += bytes;
  }
  const std::map<std::string, std::string> metadata{{"format", "pt"}};
  const auto write = [&](const std::string& name, NamedTensors& tensors) {
    for (auto& [key, tensor] : tensors) tensor = tensor.to(at::kCPU, type);
    writeSafetensors((base / name).string(), tensors, metadata);
    tensors.clear();  // converted copies go before the next shard
  };
  if (shards.size() == 1) {
    write("model.safetensors", shards[0]);
  } else {
    nlohmann::ordered_json map = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < shards.size(); ++i) {
      char name[64];
      std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, shards.size());
      for (const auto& [key, tensor] : shards[i]) map[key] = name;
      write(name, shards[i]);
    }
    writeText(base / "model.safetensors.index.json",
              nlohmann::ordered_json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(1) + "\n");
  }
  writeText(base / "config.json", m_config.toJson());
  if (filesFrom.empty() || fs::equivalent(base, filesFrom, problem)) return;
  for (const char* name : kCompanions) {
    const fs::path from = fs::path(filesFrom) / name;
    if (!fs::exists(from, problem)) continue;
    fs::copy_file(from, base / name, fs::copy_options::overwrite_existing, problem);
    if (problem)
      throw Error("The file cannot be copied", (base / name).string(), problem.message(),
                  "Check the disk's free space and the folder's permissions.");
  }
}

}  // namespace cuescope
