#include "engine/core/capture_sites.h"

#include <cstdio>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kScoreInts = 8, kScoreFloats = 6;

[[noreturn]] void damaged(const std::string& file, const std::string& why) {
  throw Error("The capture cannot be opened", file, why, "Save the capture again from the inspection.");
}

/// UTF-8 by the strict rules (no overlong forms, surrogates or truncated characters).
bool isUtf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int more = lead < 0x80 ? 0 : lead >= 0xC2 && lead < 0xE0 ? 1 : lead >= 0xE0 && lead < 0xF0 ? 2 : lead >= 0xF0 && lead < 0xF5 ? 3 : -1;
    if (more < 0 || i + static_cast<std::size_t>(more) >= text.size()) return false;
    for (int k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0xC0) != 0x80) return false;
    }
    const auto second = more ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

}  // namespace

Json bytesToJson(const std::string& text) {
  if (isUtf8(text)) return text;
  std::string hex;
  for (const char c : text) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", static_cast<unsigned char>(c));
    hex += pair;
  }
  return Json{{"hex", hex}};
}

std::string bytesFromJson(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  const std::string hex = value.at("hex").get<std::string>();
  std::string text;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return text;
}

Json lensToJson(const LogitLens& lens, ArrayFileWriter& file) {
  if (lens.empty()) return nullptr;
  const auto layers = static_cast<std::int64_t>(lens.layers.size()), positions = static_cast<std::int64_t>(lens.positions.size());
  file.addInts("logit_lens.ids", {layers, positions, lens.top}, lens.ids);
  file.addFloats("logit_lens.log_probs", {layers, positions, lens.top}, lens.logProbs);
  file.addFloats("logit_lens.chosen", {layers, positions}, lens.chosen);
  file.addFloats("logit_lens.entropy", {layers, positions}, lens.entropy);
  Json texts = Json::array();
  for (const auto& text : lens.texts) texts.push_back(bytesToJson(text));
  return {{"layers", lens.layers}, {"positions", lens.positions}, {"top", lens.top}, {"chosenIds", lens.chosenIds}, {"texts", texts}};
}

LogitLens lensFrom(const Json& json, const ArrayFile& file) {
  LogitLens lens;
  if (json.is_null()) return lens;
  json.at("layers").get_to(lens.layers);
  json.at("positions").get_to(lens.positions);
  json.at("top").get_to(lens.top);
  json.at("chosenIds").get_to(lens.chosenIds);
  lens.ids = file.read<std::int64_t>("logit_lens.ids", "I64");
  lens.logProbs = file.read<float>("logit_lens.log_probs", "F32");
  lens.chosen = file.read<float>("logit_lens.chosen", "F32");
  lens.entropy = file.read<float>("logit_lens.entropy", "F32");
  for (const Json& text : json.at("texts")) lens.texts.push_back(bytesFromJson(text));
  const std::size_t places = lens.layers.size() * lens.positions.size();
  if (lens.top <= 0 || lens.chosen.size() != places || lens.entropy.size() != places || lens.chosenIds.size() != lens.positions.size() ||
      places > lens.ids.size() || lens.ids.size() != places * static_cast<std::size_t>(lens.top) || lens.logProbs.size() != lens.ids.size() ||
      lens.texts.size() != lens.ids.size()) {
    damaged(file.path(), "its logit lens does not have the shape that the capture describes");
  }
  return lens;
}

Json occlusionToJson(const OcclusionInfo& info) {
  if (info.passes == 0) return nullptr;
  return {{"change", info.change}, {"cell", info.cell}, {"passes", info.passes}, {"before", info.before}};
}

OcclusionInfo occlusionFrom(const Json& json) {
  OcclusionInfo info;
  if (json.is_null()) return info;
  json.at("change").get_to(info.change);
  json.at("cell").get_to(info.cell);
  json.at("passes").get_to(info.passes);
  for (const Json& value : json.at("before")) info.before.push_back(value.is_null() ? kNotComputed : value.get<float>());
  return info;
}

Json scoresToJson(const std::vector<EvidenceScore>& scores, ArrayFileWriter& file) {
  if (scores.empty()) return nullptr;
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  for (const auto& s : scores) {
    ints.insert(ints.end(), {static_cast<int>(s.site), s.query, s.prompt, s.layer, s.head, s.image, s.boxes, s.patches});
    floats.insert(floats.end(), {s.mass, s.uniformMass, s.uniformHit, s.iou, s.uniformIou, s.hit ? 1.f : 0.f});
  }
  const auto rows = static_cast<std::int64_t>(scores.size());
  file.addInts("evidence.places", {rows, kScoreInts}, ints);
  file.addFloats("evidence.scores", {rows, kScoreFloats}, floats);
  return {{"places", {"site", "query", "prompt", "layer", "head", "image", "boxes", "patches"}},
          {"scores", {"mass", "uniform_mass", "uniform_hit", "iou", "uniform_iou", "hit"}}};
}

std::vector<EvidenceScore> scoresFrom(const Json& json, const ArrayFile& file) {
  std::vector<EvidenceScore> scores;
  if (json.is_null()) return scores;
  const auto ints = file.read<std::int64_t>("evidence.places", "I64");
  const auto floats = file.read<float>("evidence.scores", "F32");
  const std::size_t rows = ints.size() / kScoreInts;
  if (ints.size() != rows * kScoreInts || floats.size() != rows * kScoreFloats) damaged(file.path(), "its evidence scores do not belong together");
  for (std::size_t i = 0; i < rows; ++i) {
    const auto* n = ints.data() + i * kScoreInts;
    const auto* f = floats.data() + i * kScoreFloats;
    if (n[0] < 0 || n[0] >= kSites) damaged(file.path(), "an evidence score belongs to no site");
    EvidenceScore s;
    s.site = static_cast<Site>(n[0]);
    s.query = static_cast<int>(n[1]);
    s.prompt = n[2] != 0;
    s.layer = static_cast<int>(n[3]);
    s.head = static_cast<int>(n[4]);
    s.image = static_cast<int>(n[5]);
    s.boxes = static_cast<int>(n[6]);
    s.patches = static_cast<int>(n[7]);
    s.mass = f[0];
    s.uniformMass = f[1];
    s.uniformHit = f[2];
    s.iou = f[3];
    s.uniformIou = f[4];
    s.hit = f[5] > 0.5f;
    scores.push_back(s);
  }
  return scores;
}

}  // namespace cuescope
