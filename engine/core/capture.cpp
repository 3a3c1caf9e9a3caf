#include "engine/core/capture.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/core/array_file.h"
#include "engine/core/capture_sites.h"
#include "engine/engine.h"

namespace cuescope {

namespace {

using Json = nlohmann::json;

constexpr int kFormat = 2;  // 1: cue recovery and self-attention of the response only
constexpr const char* kKey = "cuescope.capture";
constexpr std::int64_t kMaxSide = 1 << 20;

[[noreturn]] void damaged(const std::string& file, const std::string& why) {
  throw Error("The capture cannot be opened", file, why, "Save the capture again from the inspection.");
}

Json toJson(const Token& token) {
  Json json{{"id", token.id}, {"text", bytesToJson(token.text)}};
  if (token.special) json["special"] = true;
  if (token.visual >= 0) json["visual"] = token.visual;
  return json;
}

Token tokenFrom(const Json& json) {
  return {json.at("id").get<std::int64_t>(), bytesFromJson(json.at("text")), json.value("special", false), json.value("visual", -1)};
}

Json toJson(const std::vector<Token>& tokens) {
  Json list = Json::array();
  for (const Token& token : tokens) list.push_back(toJson(token));
  return list;
}

std::vector<Token> tokensFrom(const Json& json) {
  std::vector<Token> tokens;
  for (const Json& item : json) tokens.push_back(tokenFrom(item));
  return tokens;
}

Json toJson(const RenderedPrompt& prompt) {
  return {{"text", bytesToJson(prompt.text)}, {"tokens", toJson(prompt.tokens)}, {"cueBegin", prompt.cueBegin}, {"cueEnd", prompt.cueEnd}};
}

RenderedPrompt promptFrom(const Json& json) {
  return {bytesFromJson(json.at("text")), tokensFrom(json.at("tokens")), json.at("cueBegin").get<int>(), json.at("cueEnd").get<int>()};
}

Json toJson(const ModelInfo& info) {
  return {{"folder", bytesToJson(info.folder)}, {"name", bytesToJson(info.name)}, {"parameters", info.parameters},
          {"cueParameters", info.cueParameters}, {"layers", info.layers}, {"heads", info.heads}, {"hidden", info.hidden},
          {"vocabulary", info.vocabulary}, {"visionLayers", info.visionLayers}, {"visionHeads", info.visionHeads},
          {"injectionLayers", info.injectionLayers}, {"dtype", info.dtype}, {"device", info.device}, {"digest", info.digest}, {"bytes", info.bytes}};
}

ModelInfo modelFrom(const Json& json) {
  ModelInfo info;
  info.folder = bytesFromJson(json.at("folder"));
  info.name = bytesFromJson(json.at("name"));
  json.at("parameters").get_to(info.parameters);
  json.at("cueParameters").get_to(info.cueParameters);
  json.at("layers").get_to(info.layers);
  json.at("heads").get_to(info.heads);
  json.at("hidden").get_to(info.hidden);
  json.at("vocabulary").get_to(info.vocabulary);
  json.at("visionLayers").get_to(info.visionLayers);
  json.at("visionHeads").get_to(info.visionHeads);
  json.at("injectionLayers").get_to(info.injectionLayers);
  json.at("dtype").get_to(info.dtype);
  json.at("device").get_to(info.device);
  json.at("digest").get_to(info.digest);
  json.at("bytes").get_to(info.bytes);
  return info;
}

Json toJson(const PixelBox& box) {
  return {{"image", box.image}, {"x", box.x}, {"y", box.y}, {"width", box.width}, {"height", box.height}, {"label", bytesToJson(box.label)}};
}

PixelBox boxFrom(const Json& json) {
  return {json.at("image").get<int>(), json.at("x").get<float>(), json.at("y").get<float>(), json.at("width").get<float>(),
          json.at("height").get<float>(), bytesFromJson(json.at("label"))};
}

// --- attention stacks ---------------------------------------------------------------------------------------------------

Json stackToJson(const AttentionStack& stack, const std::string& name, ArrayFileWriter& file) {
  if (stack.empty()) return nullptr;
  const auto queries = static_cast<std::int64_t>(stack.queries.size()), layers = static_cast<std::int64_t>(stack.layers.size());
  file.addFloats(name + ".values", {queries, layers, stack.heads, stack.keys}, stack.values);
  if (!stack.textShare.empty()) file.addFloats(name + ".text_share", {queries, layers, stack.heads}, stack.textShare);
  if (!stack.sinkShare.empty()) file.addFloats(name + ".sink_share", {queries, layers, stack.heads}, stack.sinkShare);
  return {{"layers", stack.layers}, {"queries", stack.queries}, {"headsAveraged", stack.headsAveraged}};
}

AttentionStack stackFrom(const Json& json, Site site, const std::string& name, const ArrayFile& file) {
  AttentionStack stack;
  stack.site = site;
  if (json.is_null()) return stack;
  json.at("layers").get_to(stack.layers);
  json.at("queries").get_to(stack.queries);
  json.at("headsAveraged").get_to(stack.headsAveraged);
  const auto& shape = file.entry(name + ".values").shape;
  if (shape.size() != 4 || shape[0] != std::ssize(stack.queries) || shape[1] != std::ssize(stack.layers) || shape[2] <= 0 ||
      shape[3] <= 0 || shape[2] > kMaxSide || shape[3] > kMaxSide) {
    damaged(file.path(), "the maps of " + name + " do not have the shape that the capture describes");
  }
  stack.heads = static_cast<int>(shape[2]);
  stack.keys = static_cast<int>(shape[3]);
  stack.values = file.read<float>(name + ".values", "F32");
  const std::vector<std::int64_t> shareShape(shape.begin(), shape.begin() + 3);
  for (auto& [part, values] : {std::pair{".text_share", &stack.textShare}, {".sink_share", &stack.sinkShare}}) {
    if (!file.has(name + part)) continue;
    if (file.entry(name + part).shape != shareShape) damaged(file.path(), name + part + " does not belong to its maps");
    *values = file.read<float>(name + part, "F32");
  }
  return stack;
}

// --- distributions ------------------------------------------------------------------------------------------------------

Json distributionsToJson(const std::vector<TokenDistributions>& all, ArrayFileWriter& file) {
  std::vector<std::int64_t> offsets{0}, ids;
  for (const auto& one : all) {
    ids.insert(ids.end(), one.ids.begin(), one.ids.end());
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  const auto rows = static_cast<std::int64_t>(all.size()), total = static_cast<std::int64_t>(ids.size());
  std::vector<float> logProbs(static_cast<std::size_t>(kConditions * total), kNotComputed), sampled, entropy, tail, divergences;
  Json texts = Json::array();
  for (std::size_t row = 0; row < all.size(); ++row) {
    const auto& one = all[row];
    for (const auto& text : one.texts) texts.push_back(bytesToJson(text));
    for (int c = 0; c < kConditions; ++c) {
      std::copy(one.logProbs[c].begin(), one.logProbs[c].end(), logProbs.begin() + c * total + offsets[row]);
    }
    sampled.insert(sampled.end(), one.sampled, one.sampled + kConditions);
    entropy.insert(entropy.end(), one.entropy, one.entropy + kConditions);
    tail.insert(tail.end(), one.tail, one.tail + kConditions);
    divergences.insert(divergences.end(), {one.klTeacherStudent, one.klStudentTeacher, one.jsd});
  }
  file.addInts("distributions.offsets", {rows + 1}, offsets);
  file.addInts("distributions.ids", {total}, ids);
  file.addFloats("distributions.log_probs", {kConditions, total}, logProbs);
  file.addFloats("distributions.sampled", {rows, kConditions}, sampled);
  file.addFloats("distributions.entropy", {rows, kConditions}, entropy);
  file.addFloats("distributions.tail", {rows, kConditions}, tail);
  file.addFloats("distributions.divergences", {rows, 3}, divergences);
  return {{"texts", texts}};
}

std::vector<TokenDistributions> distributionsFrom(const Json& json, std::size_t rows, const ArrayFile& file) {
  std::vector<TokenDistributions> all;
  if (json.is_null()) return all;
  const auto offsets = file.read<std::int64_t>("distributions.offsets", "I64");
  const auto ids = file.read<std::int64_t>("distributions.ids", "I64");
  const auto logProbs = file.read<float>("distributions.log_probs", "F32");
  const auto sampled = file.read<float>("distributions.sampled", "F32"), entropy = file.read<float>("distributions.entropy", "F32"),
             tail = file.read<float>("distributions.tail", "F32"), divergences = file.read<float>("distributions.divergences", "F32");
  const Json& texts = json.at("texts");
  const std::size_t total = ids.size();
  if (offsets.size() != rows + 1 || offsets.front() != 0 || offsets.back() != static_cast<std::int64_t>(total) || texts.size() != total ||
      logProbs.size() != kConditions * total || sampled.size() != rows * kConditions || entropy.size() != sampled.size() ||
      tail.size() != sampled.size() || divergences.size() != rows * 3 || !std::is_sorted(offsets.begin(), offsets.end())) {
    damaged(file.path(), "its distributions do not fit its response");
  }
  for (std::size_t row = 0; row < rows; ++row) {
    TokenDistributions one;
    const auto begin = offsets[row], end = offsets[row + 1];
    one.ids.assign(ids.begin() + begin, ids.begin() + end);
    for (auto i = begin; i < end; ++i) one.texts.push_back(bytesFromJson(texts[static_cast<std::size_t>(i)]));
    for (int c = 0; c < kConditions; ++c) {
      const float* first = logProbs.data() + static_cast<std::size_t>(c) * total;
      const bool computed = std::any_of(first + begin, first + end, [](float value) { return !std::isnan(value); });
      if (computed) one.logProbs[c].assign(first + begin, first + end);
      one.sampled[c] = sampled[row * kConditions + static_cast<std::size_t>(c)];
      one.entropy[c] = entropy[row * kConditions + static_cast<std::size_t>(c)];
      one.tail[c] = tail[row * kConditions + static_cast<std::size_t>(c)];
    }
    one.klTeacherStudent = divergences[row * 3];
    one.klStudentTeacher = divergences[row * 3 + 1];
    one.jsd = divergences[row * 3 + 2];
    all.push_back(std::move(one));
  }
  return all;
}

/// The maps of the second format. Their names are their sites' names.
constexpr Site kLaterSites[] = {Site::Vision, Site::Rollout, Site::GradientAttention, Site::LogitLens, Site::Occlusion};

void checkImages(const Inspection& inspection, const std::string& file) {
  int keys = -1;
  const auto look = [&](const AttentionStack& stack) {
    if (stack.empty()) return;
    if (keys >= 0 && stack.keys != keys) damaged(file, "its maps do not cover the same visual tokens");
    keys = stack.keys;
  };
  for (int i = 0; i < kSites; ++i) look(inspection.stack(static_cast<Site>(i)));
  look(inspection.promptAttention);
  for (const ImageView& image : inspection.images) {
    const auto last = static_cast<std::int64_t>(image.firstVisual) + static_cast<std::int64_t>(image.gridRows) * image.gridCols;
    if (image.gridRows <= 0 || image.gridCols <= 0 || image.firstVisual < 0 || image.gridRows > kMaxSide || image.gridCols > kMaxSide ||
        (keys >= 0 && last > keys)) {
      damaged(file, "the patch grid of «" + image.label + "» does not fit its maps");
    }
  }
}

}  // namespace

CaptureInfo captureInfo(const Inspection& inspection, const InspectRequest& request) {
  Json json{{"student", bytesToJson(request.student)}, {"teacher", bytesToJson(request.teacher)}, {"imageLabel", bytesToJson(request.imageLabel)},
            {"question", bytesToJson(request.question)}, {"cue", bytesToJson(request.cue)}, {"sampleId", bytesToJson(request.sampleId)},
            {"response", bytesToJson(request.response)}, {"topTokens", request.topTokens}, {"attentionBudgetBytes", request.attentionBudgetBytes}};
  json["sites"] = Json::array();
  for (const Site site : request.sites) json["sites"].push_back(siteName(site));
  const std::pair<const char*, const std::vector<int>*> chosen[] = {{"layers", &request.layers}, {"visionLayers", &request.visionLayers},
                                                                    {"responseTokens", &request.responseTokens}, {"promptTokens", &request.promptTokens},
                                                                    {"visionQueries", &request.visionQueries}};
  for (const auto& [name, values] : chosen) json[name] = *values;
  json["lensTop"] = request.lensTop;
  json["lensMap"] = request.lensMap;
  json["occlusion"] = {{"change", static_cast<int>(request.occlusionChange)}, {"cell", request.occlusionCell}, {"passes", request.occlusionPasses}};
  json["video"] = {{"fps", request.videoFps}, {"frames", request.videoFrames}};
  json["budgetBytes"] = request.budgetBytes;
  json["images"] = Json::array();
  for (const auto& image : request.images) json["images"].push_back(bytesToJson(image));
  json["responseIds"] = Json::array();
  for (const Token& token : inspection.response) json["responseIds"].push_back(token.id);
  const SamplingOptions& s = request.sampling;
  json["sampling"] = {{"greedy", s.greedy}, {"temperature", s.temperature}, {"topP", s.topP}, {"minP", s.minP}, {"topK", s.topK},
                      {"repetitionPenalty", s.repetitionPenalty}, {"presencePenalty", s.presencePenalty},
                      {"frequencyPenalty", s.frequencyPenalty}, {"seed", s.seed}, {"maxNew", s.maxNew}, {"ignoreEos", s.ignoreEos}};
  return {inspection.student.digest, inspection.teacher.digest, inspection.studentImageDigest, inspection.step, json.dump()};
}

void writeCapture(const std::string& file, const Inspection& inspection, const CaptureInfo& info) {
  ArrayFileWriter out;
  Json images = Json::array(), evidence = Json::array();
  for (std::size_t i = 0; i < inspection.images.size(); ++i) {
    const ImageView& image = inspection.images[i];
    images.push_back({{"label", bytesToJson(image.label)}, {"gridRows", image.gridRows}, {"gridCols", image.gridCols},
                      {"firstVisual", image.firstVisual}, {"originalWidth", image.originalWidth}, {"originalHeight", image.originalHeight},
                      {"source", image.source}, {"slice", image.slice}, {"seconds", image.seconds}});
    if (image.rgb.size() != static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3) {
      throw Error("An image of the inspection has no pixels", image.label);
    }
    out.add("images." + std::to_string(i) + ".rgb", "U8", {image.height, image.width, 3}, image.rgb.data());
  }
  for (const PixelBox& box : inspection.evidence) evidence.push_back(toJson(box));
  Json json{{"id", inspection.id}, {"student", toJson(inspection.student)}, {"step", inspection.step},
            {"teacher", inspection.hasTeacher ? toJson(inspection.teacher) : Json()},
            {"question", bytesToJson(inspection.question)}, {"cue", bytesToJson(inspection.cue)}, {"sampleId", bytesToJson(inspection.sampleId)},
            {"images", images}, {"evidence", evidence}, {"studentPrompt", toJson(inspection.studentPrompt)},
            {"teacherPrompt", inspection.hasTeacher ? toJson(inspection.teacherPrompt) : Json()}, {"response", toJson(inspection.response)},
            {"answer", bytesToJson(inspection.answer)}, {"finish", inspection.finish}, {"seconds", inspection.seconds},
            {"imageDigest", inspection.studentImageDigest}};
  json["cueRecovery"] = stackToJson(inspection.cueRecovery, "cue_recovery", out);
  json["selfAttention"] = stackToJson(inspection.selfAttention, "self_attention", out);
  json["promptAttention"] = stackToJson(inspection.promptAttention, "prompt_attention", out);
  for (const Site site : kLaterSites) json["maps"][siteName(site)] = stackToJson(inspection.stack(site), siteName(site), out);
  json["logitLens"] = lensToJson(inspection.logitLens, out);
  json["occlusion"] = occlusionToJson(inspection.occlusionInfo);
  json["evidenceScores"] = scoresToJson(inspection.evidenceScores, out);
  json["statedBytes"] = inspection.statedBytes;
  json["distributions"] = inspection.distributions.empty() ? Json() : distributionsToJson(inspection.distributions, out);
  const Json request = Json::parse(info.requestJson, nullptr, false);
  const Json recipe{{"studentDigest", info.studentDigest}, {"teacherDigest", info.teacherDigest}, {"imageDigest", info.imageDigest},
                    {"step", info.step}, {"request", request.is_discarded() ? Json() : request}};
  out.setMetadata(kKey, Json{{"format", kFormat}, {"inspection", json}, {"recipe", recipe}}.dump());
  out.write(file);
}

Capture readCapture(const std::string& file) {
  const ArrayFile in(file);
  const auto found = in.metadata().find(kKey);
  if (found == in.metadata().end()) damaged(file, "it is a tensor file, but not a capture of Cuescope");
  const Json root = Json::parse(found->second, nullptr, false);
  if (!root.is_object()) damaged(file, "its description is not JSON");
  try {
    const int format = root.at("format").get<int>();
    if (format < 1 || format > kFormat) damaged(file, "it has format " + root.at("format").dump() + "; this program reads formats 1 and 2");
    const Json& json = root.at("inspection");
    auto inspection = std::make_shared<Inspection>();
    json.at("id").get_to(inspection->id);
    inspection->student = modelFrom(json.at("student"));
    inspection->hasTeacher = !json.at("teacher").is_null();
    if (inspection->hasTeacher) {
      inspection->teacher = modelFrom(json.at("teacher"));
      inspection->teacherPrompt = promptFrom(json.at("teacherPrompt"));
    }
    json.at("step").get_to(inspection->step);
    inspection->question = bytesFromJson(json.at("question"));
    inspection->cue = bytesFromJson(json.at("cue"));
    inspection->sampleId = bytesFromJson(json.at("sampleId"));
    inspection->studentPrompt = promptFrom(json.at("studentPrompt"));
    inspection->response = tokensFrom(json.at("response"));
    inspection->answer = bytesFromJson(json.at("answer"));
    json.at("finish").get_to(inspection->finish);
    json.at("seconds").get_to(inspection->seconds);
    json.at("imageDigest").get_to(inspection->studentImageDigest);
    for (const Json& item : json.at("images")) {
      ImageView image;
      const std::string name = "images." + std::to_string(inspection->images.size()) + ".rgb";
      const auto& shape = in.entry(name).shape;
      if (shape.size() != 3 || shape[2] != 3 || shape[0] <= 0 || shape[1] <= 0 || shape[0] > kMaxSide || shape[1] > kMaxSide) {
        damaged(file, name + " is no picture");
      }
      image.height = static_cast<int>(shape[0]);
      image.width = static_cast<int>(shape[1]);
      image.rgb = in.read<std::uint8_t>(name, "U8");
      image.label = bytesFromJson(item.at("label"));
      item.at("gridRows").get_to(image.gridRows);
      item.at("gridCols").get_to(image.gridCols);
      item.at("firstVisual").get_to(image.firstVisual);
      item.at("originalWidth").get_to(image.originalWidth);
      item.at("originalHeight").get_to(image.originalHeight);
      image.source = item.value("source", 0);
      image.slice = item.value("slice", -1);
      image.seconds = item.value("seconds", -1.0);
      inspection->images.push_back(std::move(image));
    }
    for (const Json& item : json.at("evidence")) inspection->evidence.push_back(boxFrom(item));
    inspection->cueRecovery = stackFrom(json.at("cueRecovery"), Site::CueRecovery, "cue_recovery", in);
    inspection->selfAttention = stackFrom(json.at("selfAttention"), Site::SelfAttention, "self_attention", in);
    if (format >= 2) {
      inspection->promptAttention = stackFrom(json.at("promptAttention"), Site::SelfAttention, "prompt_attention", in);
      for (const Site site : kLaterSites) inspection->stack(site) = stackFrom(json.at("maps").at(siteName(site)), site, siteName(site), in);
      inspection->logitLens = lensFrom(json.at("logitLens"), in);
      inspection->occlusionInfo = occlusionFrom(json.at("occlusion"));
      inspection->evidenceScores = scoresFrom(json.at("evidenceScores"), in);
      json.at("statedBytes").get_to(inspection->statedBytes);
    }
    inspection->distributions = distributionsFrom(json.at("distributions"), inspection->response.size(), in);
    if (inspection->selfAttention.queries.size() > inspection->response.size()) damaged(file, "it has more attention maps than response tokens");
    checkImages(*inspection, file);

    const Json& recipe = root.at("recipe");
    CaptureInfo info{recipe.at("studentDigest"), recipe.at("teacherDigest"), recipe.at("imageDigest"), recipe.at("step"), recipe.at("request").dump()};
    return {std::move(inspection), std::move(info)};
  } catch (const Json::exception& error) {
    damaged(file, std::string("its description is incomplete (") + error.what() + ")");
  } catch (const std::logic_error&) {  // std::stoi
    damaged(file, "a token's bytes are not hexadecimal");
  }
}

}  // namespace cuescope
