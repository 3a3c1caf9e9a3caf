#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/data/dataset.h"

namespace cuescope {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string toBase64(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k <= left ? kBase64[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::vector<std::uint8_t> fromBase64(const std::string& text) {
  static const std::array<int, 256> kValues = [] {
    std::array<int, 256> values;
    values.fill(-1);
    for (int i = 0; i < 64; ++i) values[static_cast<unsigned char>(kBase64[i])] = i;
    return values;
  }();
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  int bits = 0;
  std::size_t end = text.size();
  while (end > 0 && text[end - 1] == '=') --end;
  if (text.size() - end > 2) throw std::invalid_argument("base64 ends wrongly");
  for (std::size_t i = 0; i < end; ++i) {
    const int value = kValues[static_cast<unsigned char>(text[i])];
    if (value < 0) throw std::invalid_argument("an image is not base64");
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(group >> bits & 255));
    }
  }
  return bytes;
}

// Absent and null are both «not there».
const Json* field(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text(const Json& object, const char* key, const std::string& otherwise = {}) {
  const Json* value = field(object, key);
  if (!value) return otherwise;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number() || value->is_boolean()) return value->dump();
  throw std::invalid_argument(std::string("«") + key + "» is not text");
}

std::vector<Turn> turns(const Json& object, const char* key) {
  const Json* value = field(object, key);
  if (!value) return {};
  std::vector<Turn> result;
  const Json list = value->is_object() ? Json::array({*value}) : value->is_string() ? Json::array({{{"role", "user"}, {"content", *value}}}) : *value;
  if (!list.is_array()) throw std::invalid_argument(std::string("«") + key + "» is no list of turns");
  for (const Json& turn : list) {
    if (!turn.is_object()) throw std::invalid_argument(std::string("«") + key + "» has a turn that is no object");
    result.push_back({text(turn, "role"), text(turn, "content")});
  }
  return result;
}

/// What verl's image reader takes as a picture: a path, a file:// address, or the bytes themselves.
void splitAddress(const std::string& address, std::string& path, std::string& bytes) {
  if (address.rfind("data:", 0) == 0) {
    const auto begin = address.find(";base64,");
    if (begin == std::string::npos) throw std::invalid_argument("a picture's data: address is not base64");
    bytes = address.substr(begin + 8);
  } else {
    path = address.rfind("file://", 0) == 0 ? address.substr(7) : address;
  }
}

void readPictures(const Json& row, const char* key, const fs::path& folder, std::vector<std::vector<std::uint8_t>>& stored, std::vector<std::string>& paths) {
  const Json* images = field(row, key);
  if (!images) return;
  if (!images->is_array()) throw std::invalid_argument(std::string("«") + key + "» is no list");
  for (const Json& image : *images) {
    const Json item = image.is_string() ? Json{{"image", image}} : image;
    std::string path = text(item, "path"), bytes = text(item, "bytes");
    if (bytes.empty() && path.empty()) splitAddress(text(item, "image"), path, bytes);
    stored.push_back(fromBase64(bytes));
    paths.push_back(path.empty() || fs::path(path).is_absolute() ? path : (folder / path).string());
  }
}

Sample toSample(const Json& row, const fs::path& folder) {
  if (!row.is_object()) throw std::invalid_argument("the line is no JSON object");
  Sample sample;
  sample.id = text(row, "id");
  sample.dataSource = text(row, "data_source");
  sample.prompt = turns(row, "prompt");
  sample.teacherTurns = turns(row, "teacher_prompt");
  sample.hint = text(row, "hint");
  sample.cue = text(row, "cue");
  sample.ability = text(row, "ability");
  sample.kind = text(row, "kind");
  sample.layout = text(row, "layout");
  if (const Json* reward = field(row, "reward_model")) {
    sample.rewardStyle = text(*reward, "style", "rule");
    sample.groundTruth = text(*reward, "ground_truth");
  }
  if (const Json* extra = field(row, "extra_info")) {
    sample.split = text(*extra, "split");
    sample.answer = text(*extra, "answer");
    sample.question = text(*extra, "question");
    if (const Json* index = field(*extra, "index"); index && index->is_number_integer()) sample.index = index->get<std::int64_t>();
  }
  readPictures(row, "images", folder, sample.imageBytes, sample.imagePaths);
  readPictures(row, "teacher_images", folder, sample.teacherImageBytes, sample.teacherImagePaths);
  if (const Json* videos = field(row, "videos")) {
    if (!videos->is_array()) throw std::invalid_argument("«videos» is no list");
    for (const Json& video : *videos) {
      const Json item = video.is_string() ? Json{{"video", video}} : video;
      if (const Json* frames = field(item, "video"); frames && frames->is_array()) throw std::invalid_argument("a video is a list of frames; only video files are read");
      VideoFile file{videoPath(text(item, "video"), folder.string()), {}};
      const auto number = [&item](const char* key) { const Json* value = field(item, key); return value ? value->get<double>() : 0.0; };
      file.options.fps = number("fps");
      file.options.frames = static_cast<int>(number("nframes"));
      file.options.minFrames = static_cast<int>(number("min_frames"));
      file.options.maxFrames = static_cast<int>(number("max_frames"));
      sample.videos.push_back(std::move(file));
    }
  }
  if (const Json* boxes = field(row, "evidence")) {
    for (const Json& box : *boxes) {
      PixelBox out;
      out.image = box.value("image", 0);
      out.x = box.at("x").get<float>();
      out.y = box.at("y").get<float>();
      out.width = box.at("w").get<float>();
      out.height = box.at("h").get<float>();
      out.label = text(box, "label");
      if (text(box, "kind") == "crop") sample.crops.push_back(out);
      sample.evidence.push_back(out);
    }
  }
  for (const auto& [name, value] : row.items()) {
    if (value.is_string() && name != "prompt" && name != "teacher_prompt") sample.texts[name] = value.get<std::string>();
  }
  if (const Json* origin = field(row, "cue_provenance"); origin && origin->is_object()) sample.texts["cue_provenance"] = origin->dump();
  return sample;
}

Json turnsJson(const std::vector<Turn>& turns) {
  Json list = Json::array();
  for (const Turn& turn : turns) list.push_back({{"role", turn.role}, {"content", turn.text}});
  return list;
}

Json picturesJson(const std::vector<std::vector<std::uint8_t>>& stored, const std::vector<std::string>& paths) {
  Json images = Json::array();
  for (std::size_t i = 0; i < stored.size(); ++i) {
    Json image = Json::object();
    if (!stored[i].empty()) image["bytes"] = toBase64(stored[i]);
    if (i < paths.size() && !paths[i].empty()) image["path"] = paths[i];
    images.push_back(image);
  }
  return images;
}

Json toJson(const Sample& sample) {
  Json boxes = Json::array();
  Json videos = Json::array();
  for (const VideoFile& v : sample.videos) {
    videos.push_back({{"video", v.path}});
    if (v.options.fps > 0) videos.back()["fps"] = v.options.fps;
    if (v.options.frames > 0) videos.back()["nframes"] = v.options.frames;
    if (v.options.minFrames > 0) videos.back()["min_frames"] = v.options.minFrames;
    if (v.options.maxFrames > 0) videos.back()["max_frames"] = v.options.maxFrames;
  }
  for (const PixelBox& b : sample.evidence) {
    boxes.push_back({{"image", b.image}, {"x", b.x}, {"y", b.y}, {"w", b.width}, {"h", b.height}, {"label", b.label}});
    const auto same = [&b](const PixelBox& c) { return c.image == b.image && c.x == b.x && c.y == b.y && c.width == b.width && c.height == b.height; };
    if (std::any_of(sample.crops.begin(), sample.crops.end(), same)) boxes.back()["kind"] = "crop";
  }
  Json row = {{"id", sample.id},
              {"data_source", sample.dataSource},
              {"prompt", turnsJson(sample.prompt)},
              {"teacher_prompt", sample.teacherTurns.empty() ? Json() : turnsJson(sample.teacherTurns)},
              {"images", picturesJson(sample.imageBytes, sample.imagePaths)},
              {"reward_model", {{"style", sample.rewardStyle}, {"ground_truth", sample.groundTruth}}},
              {"ability", sample.ability},
              {"extra_info", {{"index", sample.index}, {"split", sample.split}, {"answer", sample.answer}, {"question", sample.question}}},
              {"hint", sample.hint},
              {"cue", sample.cue},
              {"kind", sample.kind},
              {"layout", sample.layout},
              {"evidence", boxes}};
  if (!videos.empty()) row["videos"] = videos;
  if (sample.hasTeacherPictures()) row["teacher_images"] = picturesJson(sample.teacherImageBytes, sample.teacherImagePaths);
  return row;
}

// Offsets of the lines that are not blank; a line is parsed when its row is asked for.
class JsonlFile : public DatasetFile {
 public:
  explicit JsonlFile(const std::string& file) : m_file(file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Error("The data file could not be read", file);
    std::int64_t at = 0;
    for (std::string line; std::getline(in, line); at = in.eof() ? at : static_cast<std::int64_t>(in.tellg()))
      if (line.find_first_not_of(" \t\r") != std::string::npos) m_offsets.push_back(at);
    if (m_offsets.empty()) throw Error("The data file has no rows", file);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(m_offsets.size()); }

  Sample row(std::int64_t i) const override {
    std::ifstream in(m_file, std::ios::binary);
    in.seekg(m_offsets[static_cast<std::size_t>(i)]);
    std::string line;
    std::getline(in, line);
    try {
      return toSample(Json::parse(line), fs::path(m_file).parent_path());
    } catch (const std::exception& error) {
      throw Error("A row of the data could not be read", m_file + ", row " + std::to_string(i), error.what());
    }
  }

 private:
  std::string m_file;
  std::vector<std::int64_t> m_offsets;
};

}  // namespace

std::shared_ptr<DatasetFile> openJsonl(const std::string& file) { return std::make_shared<JsonlFile>(file); }

void writeJsonl(const std::string& file, const std::vector<Sample>& samples) {
  const std::string part = file + ".part";
  {
    std::ofstream out(part, std::ios::binary);
    for (const Sample& sample : samples) out << toJson(sample).dump() << "\n";
    if (!out.flush()) throw Error("The data file could not be written", file);
  }
  fs::rename(part, file);
}

}  // namespace cuescope
