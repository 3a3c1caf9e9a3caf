#include "engine/data/processor_settings.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

using nlohmann::json;

constexpr int kBicubic = 3;  // as image libraries number their filters

/// One JSON object of a settings file, and where it is for messages.
class Section {
 public:
  Section(json object, std::string where) : m_object(std::move(object)), m_where(std::move(where)) {
    if (!m_object.is_object()) throw Error("The image settings cannot be read", m_where, "it is not a JSON object");
  }

  bool has(const char* key) const { return m_object.contains(key) && !m_object[key].is_null(); }
  Section section(const char* key) const { return {m_object.at(key), m_where + ", " + key}; }

  [[noreturn]] void refuse(const char* key, const std::string& expected) const {
    throw Error("The image settings cannot be used", m_where,
                "«" + std::string(key) + "» is " + m_object.at(key).dump() + "; expected " + expected,
                "Take the file from a Qwen3-VL model folder.");
  }
  void read(const char* key, std::int64_t& value, std::int64_t low, std::int64_t high) const {
    if (!has(key)) return;
    const auto& found = m_object[key];
    if (!found.is_number() ||
        found.get<double>() != static_cast<double>(static_cast<std::int64_t>(found.get<double>())) ||
        found.get<double>() < static_cast<double>(low) || found.get<double>() > static_cast<double>(high)) {
      refuse(key, fmt::format("a whole number from {} to {}", low, high));
    }
    value = found.get<std::int64_t>();
  }
  void read(const char* key, int& value, int low, int high) const {
    std::int64_t wide = value;
    read(key, wide, low, high);
    value = static_cast<int>(wide);
  }
  void read(const char* key, double& value) const {
    if (!has(key)) return;
    if (!m_object[key].is_number() || !(m_object[key].get<double>() > 0)) refuse(key, "a number above 0");
    value = m_object[key].get<double>();
  }
  void read(const char* key, std::array<double, 3>& values, bool positive) const {
    if (!has(key)) return;
    const auto& list = m_object[key];
    bool usable = list.is_array() && list.size() == 3;
    for (std::size_t i = 0; usable && i < 3; ++i) {
      usable = list[i].is_number() && (!positive || list[i].get<double>() > 0);
      if (usable) values[i] = list[i].get<double>();
    }
    if (!usable) refuse(key, positive ? "three numbers above 0" : "three numbers");
  }
  void read(const char* key, bool& value) const {
    if (!has(key)) return;
    if (!m_object[key].is_boolean()) refuse(key, "true or false");
    value = m_object[key].get<bool>();
  }
  /// A step that is always taken here.
  void require(const char* key, const json& value) const {
    if (has(key) && m_object[key] != value) refuse(key, value.dump());
  }

 private:
  json m_object;
  std::string m_where;
};

void readVisual(const Section& from, ProcessorSettings::Visual& visual) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  from.require("do_resize", true);
  from.require("do_rescale", true);
  from.require("do_normalize", true);
  from.require("resample", kBicubic);
  from.require("cap_pixels_per_frame", false);
  from.read("patch_size", visual.rule.patch, 1, 256);
  from.read("merge_size", visual.rule.merge, 1, 16);
  from.read("temporal_patch_size", visual.rule.temporal, 1, 16);
  from.read("image_mean", visual.rule.mean, false);
  from.read("image_std", visual.rule.deviation, true);
  from.read("rescale_factor", visual.rule.rescale);
  if (from.has("size")) {
    const Section size = from.section("size");
    if (!size.has("shortest_edge") && !size.has("longest_edge") && !size.has("min_pixels") && !size.has("max_pixels")) {
      from.refuse("size", "shortest_edge and longest_edge, in pixels of area");
    }
    size.read("min_pixels", visual.minPixels, 1, kMost);
    size.read("max_pixels", visual.maxPixels, 1, kMost);
    size.read("shortest_edge", visual.minPixels, 1, kMost);
    size.read("longest_edge", visual.maxPixels, 1, kMost);
  }
  from.read("min_pixels", visual.minPixels, 1, kMost);  // the older keys win, as in the reference
  from.read("max_pixels", visual.maxPixels, 1, kMost);
  if (visual.minPixels > visual.maxPixels) {
    const char* key = from.has("min_pixels") ? "min_pixels" : "size";
    if (from.has(key)) from.refuse(key, "at most " + std::to_string(visual.maxPixels) + " pixels, the largest size");
  }
}

json readFile(const std::filesystem::path& file) {
  std::ifstream in(file);
  auto content = json::parse(in, nullptr, false);
  if (content.is_discarded()) {
    throw Error("The image settings cannot be read", file.string(), "the file is not valid JSON",
                "Take the file from a Qwen3-VL model folder.");
  }
  return content;
}

}  // namespace

ProcessorSettings readProcessorSettings(const std::string& modelFolder) {
  const std::filesystem::path folder(modelFolder);
  if (!std::filesystem::is_directory(folder)) {
    throw Error("This is not a model folder", modelFolder, "there is no such folder",
                "Choose a folder that contains config.json.");
  }
  ProcessorSettings settings;
  bool hasImage = false, hasVideo = false;
  const auto image = [&](const Section& section) {
    readVisual(section, settings.image);
    hasImage = true;
  };
  const auto video = [&](const Section& section) {
    readVisual(section, settings.video);
    section.read("fps", settings.sampleFps);
    section.read("min_frames", settings.minFrames, 1, 1 << 20);
    section.read("max_frames", settings.maxFrames, 1, 1 << 20);
    section.read("do_sample_frames", settings.sampleFrames);
    hasVideo = true;
  };
  if (const auto file = folder / "processor_config.json"; std::filesystem::exists(file)) {
    const Section all(readFile(file), file.string());
    if (all.has("image_processor")) image(all.section("image_processor"));
    if (all.has("video_processor")) video(all.section("video_processor"));
  }
  if (const auto file = folder / "preprocessor_config.json"; !hasImage && std::filesystem::exists(file)) {
    image({readFile(file), file.string()});
  }
  if (const auto file = folder / "video_preprocessor_config.json"; !hasVideo && std::filesystem::exists(file)) {
    video({readFile(file), file.string()});
  }
  return settings;
}

}  // namespace cuescope
