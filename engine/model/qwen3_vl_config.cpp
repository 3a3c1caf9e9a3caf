#include "engine/model/qwen3_vl_config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/core/failure.h"

namespace cuescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kStudentClass = "StudentQwen3VLForConditionalGeneration";
constexpr const char* kPlainClass = "Qwen3VLForConditionalGeneration";

json readJson(const fs::path& path) {
  std::ifstream stream(path);
  json out = json::parse(stream, nullptr, false);
  if (out.is_discarded() || !out.is_object())
    throw Error("This file cannot be read", path.string(), "it is not a JSON object",
                "Download or save the file again.");
  return out;
}

// Reads fields of one object and says which file and field is wrong.
class Fields {
 public:
  Fields(const json& object, std::string path, std::string prefix)
      : m_object(object), m_path(std::move(path)), m_prefix(std::move(prefix)) {}

  std::int64_t count(const char* name) const {
    const json* value = field(name);
    if (!value) throw wrong(name, "is missing");
    if (!value->is_number_integer() || value->get<std::int64_t>() <= 0 || value->get<std::int64_t>() > (1ll << 40))
      throw wrong(name, "must be a positive whole number; it is " + value->dump());
    return value->get<std::int64_t>();
  }
  std::int64_t count(const char* name, std::int64_t otherwise) const { return field(name) ? count(name) : otherwise; }
  double number(const char* name, double otherwise) const {
    const json* value = field(name);
    if (!value) return otherwise;
    if (!value->is_number() || !(value->get<double>() > 0))
      throw wrong(name, "must be a positive number; it is " + value->dump());
    return value->get<double>();
  }
  std::vector<std::int64_t> list(const char* name) const {
    const json* value = field(name);
    std::vector<std::int64_t> out;
    if (!value) return out;
    if (!value->is_array()) throw wrong(name, "must be a list of whole numbers");
    for (const auto& item : *value) {
      if (!item.is_number_integer() || item.get<std::int64_t>() < 0)
        throw wrong(name, "must be a list of whole numbers");
      out.push_back(item.get<std::int64_t>());
    }
    return out;
  }
  std::int64_t id(const char* name, std::int64_t otherwise) const {
    const json* value = field(name);
    if (!value) return otherwise;
    if (!value->is_number_integer() || value->get<std::int64_t>() < 0)
      throw wrong(name, "must be a token id; it is " + value->dump());
    return value->get<std::int64_t>();
  }
  const json* field(const char* name) const {
    const auto found = m_object.find(name);
    return found == m_object.end() || found->is_null() ? nullptr : &*found;
  }
  Error wrong(const std::string& name, const std::string& why) const {
    return Error("The model's configuration cannot be used", m_path + ", " + m_prefix + name,
                 m_prefix + name + " " + why, "Choose the folder of a Hugging Face Qwen3-VL model.");
  }

 private:
  const json& m_object;
  std::string m_path, m_prefix;
};

// The id of <|im_start|>, or -1. tokenizer.json is large, so only the object around the token's text is parsed.
std::int64_t findImStart(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "tokenizer_config.json", ignored)) {
    std::ifstream stream(folder / "tokenizer_config.json");
    const json config = json::parse(stream, nullptr, false);
    if (config.is_object() && config.contains("added_tokens_decoder"))
      for (const auto& [id, token] : config["added_tokens_decoder"].items())
        if (token.is_object() && token.value("content", "") == "<|im_start|>")
          return std::strtoll(id.c_str(), nullptr, 10);
  }
  std::ifstream stream(folder / "tokenizer.json", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  for (std::size_t at = text.find("\"<|im_start|>\""); at != std::string::npos;
       at = text.find("\"<|im_start|>\"", at + 1)) {
    const std::size_t begin = text.rfind('{', at), end = text.find('}', at);
    if (begin == std::string::npos || end == std::string::npos) continue;
    const json token = json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                   text.begin() + static_cast<std::ptrdiff_t>(end) + 1, nullptr, false);
    if (token.is_object() && token.contains("id") && token["id"].is_number_integer())
      return token["id"].get<std::int64_t>();
  }
  return -1;
}

std::vector<std::int64_t> idsOf(const json& object, const char* name) {
  std::vector<std::int64_t> out;
  const auto found = object.find(name);
  if (found == object.end()) return out;
  if (found->is_number_integer()) out.push_back(found->get<std::int64_t>());
  if (found->is_array())
    for (const auto& id : *found)
      if (id.is_number_integer()) out.push_back(id.get<std::int64_t>());
  return out;
}

void readText(Qwen3VLConfig::Text& text, const json& object, const std::string& path) {
  const Fields fields(object, path, "text_config.");
  text.hidden = fields.count("hidden_size");
  text.layers = fields.count("num_hidden_layers");
  text.heads = fields.count("num_attention_heads");
  text.kvHeads = fields.count("num_key_value_heads", text.heads);
  text.headDim = fields.count("head_dim", text.hidden / text.heads);
  text.intermediate = fields.count("intermediate_size");
  text.vocabulary = fields.count("vocab_size");
  text.maxPositions = fields.count("max_position_embeddings", 262144);
  text.rmsEps = fields.number("rms_norm_eps", 1e-6);
  text.initializerRange = fields.number("initializer_range", 0.02);
  text.ropeTheta = fields.number("rope_theta", 5e6);
  // Transformers 5 writes rope_parameters (with rope_theta in it), older versions rope_scaling beside rope_theta.
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const json* rope = fields.field(name);
    if (!rope || !rope->is_object()) continue;
    const Fields ropeFields(*rope, path, std::string("text_config.") + name + ".");
    text.ropeTheta = ropeFields.number("rope_theta", text.ropeTheta);
    if (auto section = ropeFields.list("mrope_section"); !section.empty()) text.mropeSection = std::move(section);
    const std::string type = rope->value("rope_type", rope->value("type", std::string("default")));
    if (type != "default" && type != "mrope")
      throw ropeFields.wrong("rope_type", "is «" + type + "»; only default is known");
  }
  if (text.mropeSection.empty()) text.mropeSection = {24, 20, 20};
  if (text.heads % text.kvHeads != 0) throw fields.wrong("num_key_value_heads", "must divide num_attention_heads");
  if (text.headDim % 2 != 0) throw fields.wrong("head_dim", "must be even");
  if (text.mropeSection.size() != 3 ||
      std::accumulate(text.mropeSection.begin(), text.mropeSection.end(), std::int64_t{0}) != text.headDim / 2)
    throw fields.wrong("mrope_section", "must hold three numbers that add up to half of head_dim (" +
                                            std::to_string(text.headDim / 2) + ")");
}

void readVision(Qwen3VLConfig::Vision& vision, const json& object, const std::string& path,
                const Qwen3VLConfig::Text& text) {
  const Fields fields(object, path, "vision_config.");
  vision.hidden = fields.count("hidden_size");
  vision.depth = fields.count("depth");
  vision.heads = fields.count("num_heads");
  vision.intermediate = fields.count("intermediate_size");
  vision.outHidden = fields.count("out_hidden_size");
  vision.patch = fields.count("patch_size", 16);
  vision.temporalPatch = fields.count("temporal_patch_size", 2);
  vision.merge = fields.count("spatial_merge_size", 2);
  vision.channels = fields.count("in_channels", 3);
  vision.positions = fields.count("num_position_embeddings", 2304);
  vision.deepstack = fields.list("deepstack_visual_indexes");
  if (vision.hidden % vision.heads != 0 || vision.hidden / vision.heads % 4 != 0)
    throw fields.wrong("num_heads", "must divide hidden_size into heads of a multiple of 4");
  std::int64_t side = 1;
  while (side * side < vision.positions) ++side;
  if (side * side != vision.positions) throw fields.wrong("num_position_embeddings", "must be a square number");
  if (vision.outHidden != text.hidden)
    throw fields.wrong("out_hidden_size", "is " + std::to_string(vision.outHidden) +
                                              ", the text model's hidden_size is " + std::to_string(text.hidden));
  for (const std::int64_t block : vision.deepstack)
    if (block >= vision.depth)
      throw fields.wrong("deepstack_visual_indexes",
                         "names block " + std::to_string(block) + " of " + std::to_string(vision.depth));
  if (static_cast<std::int64_t>(vision.deepstack.size()) > text.layers)
    throw fields.wrong("deepstack_visual_indexes", "has more entries than the text model has layers");
}

}  // namespace

Qwen3VLConfig Qwen3VLConfig::read(const std::string& folder) {
  const fs::path base(folder);
  std::error_code ignored;
  if (!fs::is_directory(base, ignored))
    throw Error("This is not a model folder", folder,
                fs::exists(base, ignored) ? "it is not a folder" : "there is no such folder",
                "Choose the folder of a Hugging Face Qwen3-VL model.");
  const fs::path path = base / "config.json";
  if (!fs::exists(path, ignored))
    throw Error("This is not a model folder", folder, "there is no config.json in it",
                "Choose the folder of a Hugging Face Qwen3-VL model.");
  const json root = readJson(path);
  const std::string type = root.value("model_type", std::string());
  if (type != "qwen3_vl" || !root.contains("text_config") || !root["text_config"].is_object() ||
      !root.contains("vision_config") || !root["vision_config"].is_object())
    throw Error("This model is not a Qwen3-VL model", path.string(),
                type.empty() ? "config.json has no model_type" : "its model_type is «" + type + "»",
                "Choose the folder of a dense Qwen3-VL model, for example Qwen3-VL-2B-Instruct.");

  Qwen3VLConfig out;
  const Fields fields(root, path.string(), "");
  readText(out.text, root["text_config"], path.string());
  readVision(out.vision, root["vision_config"], path.string(), out.text);
  out.text.tied = root.value("tie_word_embeddings", root["text_config"].value("tie_word_embeddings", false));
  out.imageToken = fields.id("image_token_id", 151655);
  out.videoToken = fields.id("video_token_id", 151656);
  out.visionStart = fields.id("vision_start_token_id", 151652);
  out.visionEnd = fields.id("vision_end_token_id", 151653);
  out.imStart = findImStart(base);
  out.eosTokens = idsOf(root, "eos_token_id");
  if (out.eosTokens.empty()) out.eosTokens = idsOf(root["text_config"], "eos_token_id");
  if (fs::exists(base / "generation_config.json", ignored)) {
    const json generation = readJson(base / "generation_config.json");
    if (auto ids = idsOf(generation, "eos_token_id"); !ids.empty()) out.eosTokens = std::move(ids);
    if (auto ids = idsOf(generation, "pad_token_id"); !ids.empty()) out.padToken = ids[0];
  }

  if (const json* cue = fields.field("cue_recovery"); cue && cue->is_object()) {
    const Fields cueFields(*cue, path.string(), "cue_recovery.");
    out.cue.enabled = true;
    out.cue.interval = cueFields.count("interval", 5);
    out.cue.layers = cueFields.list("layers");
    out.cue.active = cueFields.list("active");
  } else if (root.contains("architectures") && root["architectures"].is_array()) {
    for (const auto& name : root["architectures"]) out.cue.enabled = out.cue.enabled || name == kStudentClass;
  }
  return out;
}

std::string Qwen3VLConfig::toJson() const {
  nlohmann::ordered_json out;
  out["architectures"] = {cue.enabled ? kStudentClass : kPlainClass};
  out["model_type"] = "qwen3_vl";
  out["image_token_id"] = imageToken;
  out["video_token_id"] = videoToken;
  out["vision_start_token_id"] = visionStart;
  out["vision_end_token_id"] = visionEnd;
  out["tie_word_embeddings"] = text.tied;
  nlohmann::ordered_json t;
  t["model_type"] = "qwen3_vl_text";
  t["hidden_size"] = text.hidden;
  t["num_hidden_layers"] = text.layers;
  t["num_attention_heads"] = text.heads;
  t["num_key_value_heads"] = text.kvHeads;
  t["head_dim"] = text.headDim;
  t["intermediate_size"] = text.intermediate;
  t["vocab_size"] = text.vocabulary;
  t["max_position_embeddings"] = text.maxPositions;
  t["rms_norm_eps"] = text.rmsEps;
  t["initializer_range"] = text.initializerRange;
  t["hidden_act"] = "silu";
  t["attention_bias"] = false;
  t["attention_dropout"] = 0.0;
  t["tie_word_embeddings"] = text.tied;
  t["rope_theta"] = text.ropeTheta;
  t["rope_scaling"] = {{"rope_type", "default"}, {"mrope_interleaved", true}, {"mrope_section", text.mropeSection}};
  if (!eosTokens.empty()) t["eos_token_id"] = eosTokens.front();
  if (padToken > 0) t["bos_token_id"] = padToken;
  out["text_config"] = std::move(t);
  out["vision_config"] = {{"model_type", "qwen3_vl"},
                          {"hidden_size", vision.hidden},
                          {"depth", vision.depth},
                          {"num_heads", vision.heads},
                          {"intermediate_size", vision.intermediate},
                          {"out_hidden_size", vision.outHidden},
                          {"patch_size", vision.patch},
                          {"temporal_patch_size", vision.temporalPatch},
                          {"spatial_merge_size", vision.merge},
                          {"in_channels", vision.channels},
                          {"num_position_embeddings", vision.positions},
                          {"deepstack_visual_indexes", vision.deepstack},
                          {"hidden_act", "gelu_pytorch_tanh"},
                          {"initializer_range", text.initializerRange}};
  if (cue.enabled) out["cue_recovery"] = {{"interval", cue.interval}, {"layers", cue.layers}, {"active", cue.active}};
  return out.dump(1) + "\n";
}

}  // namespace cuescope
