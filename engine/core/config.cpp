#include "engine/core/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "engine/core/engine_loader.h"
#include "engine/core/resume_mode.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

constexpr const char* kDemoPrefix = "demo:";

const ConfigField* findField(const std::string& key) {
  for (const auto& field : configFields()) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

/// verl nests some of these deeper; its full paths are understood as well.
std::string canonicalKey(std::string key) {
  static const std::map<std::string, std::string> names = {
      {"actor_rollout_ref.model.path", "student.path"},
      {"actor_rollout_ref.actor.freeze_vision_tower", "student.freeze_vision_tower"},
      {"trainer.name", "trainer.experiment_name"},
  };
  if (auto known = names.find(key); known != names.end()) return known->second;
  for (const auto& [prefix, replacement] : {std::pair<std::string, std::string>{"actor_rollout_ref.", ""},
                                            {"distillation.distillation_loss.", "distillation."}}) {
    if (key.starts_with(prefix) && findField(replacement + key.substr(prefix.size())))
      return replacement + key.substr(prefix.size());
  }
  return key;
}

/// Edits from `a` to `b`. People shorten names more often than they misspell them: a missing letter costs half of a
/// wrong one.
std::size_t editDistance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = 2 * i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t next = std::min({row[j] + 2, row[j - 1] + 1, diagonal + 2 * (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row.back();
}

/// Nearest by the whole key, empty where none is near; a key whose last name is the same counts as near, wherever it is nested.
std::string nearestKey(const std::string& key) {
  auto leaf = [](const std::string& name) { return name.substr(name.rfind('.') + 1); };
  std::string best;
  std::size_t bestDistance = ~std::size_t{0};
  for (const auto& field : configFields()) {
    std::size_t distance = std::min(editDistance(key, field.key), editDistance(leaf(key), leaf(field.key)) * 2 + 1);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = field.key;
    }
  }
  return bestDistance <= key.size() ? best : std::string();  // further away it is another word
}

std::string absolutePath(const std::string& path, const std::string& baseFolder) {
  if (path.empty() || path.starts_with(kDemoPrefix)) return path;
  fs::path result = path;
  if (path == "~" || path.starts_with("~/")) {
    if (const char* home = std::getenv("HOME")) result = std::string(home) + path.substr(1);
  }
  if (result.is_relative())
    result = fs::absolute(baseFolder.empty() ? fs::current_path() : fs::path(baseFolder)) / result;
  std::string text = result.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

void makeAbsolute(RunConfig& config, const ConfigField& field, const std::string& baseFolder) {
  if (field.key == "student.path") config.student.path = absolutePath(config.student.path, baseFolder);
  if (field.key == "teacher.path") config.teacher.path = absolutePath(config.teacher.path, baseFolder);
  if (field.key == "trainer.default_local_dir")
    config.trainer.directory = absolutePath(config.trainer.directory, baseFolder);
  if (field.key == "data.train_files") {
    for (auto& file : config.data.trainFiles) file = absolutePath(file, baseFolder);
  }
  if (field.key == "data.val_files") {
    for (auto& file : config.data.valFiles) file = absolutePath(file, baseFolder);
  }
  if (field.key == "teacher.routes") {
    for (auto& route : config.teacher.routes) {
      if (const auto equals = route.find('='); equals != std::string::npos)
        route = route.substr(0, equals + 1) + absolutePath(route.substr(equals + 1), baseFolder);
    }
  }
  if (field.key == "trainer.resume_mode" && config.trainer.resumeMode != "auto" &&
      config.trainer.resumeMode != "disable") {
    ResumeMode mode = resumeModeOf(config.trainer.resumeMode);
    if (mode.place != "auto") mode.place = absolutePath(mode.place, baseFolder);
    config.trainer.resumeMode = textOf(mode);
  }
}

void addIssue(std::vector<ConfigIssue>* issues, std::string key, std::string message) {
  if (issues) issues->push_back({std::move(key), std::move(message)});
}

void assign(RunConfig& config, const std::string& givenKey, const std::string& value, const std::string& baseFolder,
            std::vector<ConfigIssue>* issues) {
  const ConfigField* field = findField(canonicalKey(givenKey));
  if (!field) {
    const std::string nearest = nearestKey(givenKey);
    addIssue(issues, givenKey, nearest.empty() ? std::string("is not a parameter, and none has a name like it") : fmt::format("is not a parameter; the nearest is {}", nearest));
    return;
  }
  try {
    field->set(config, value);
    makeAbsolute(config, *field, baseFolder);
  } catch (const std::invalid_argument& error) {
    addIssue(issues, field->key, error.what());
  }
}

std::string flowText(const YAML::Node& node) {
  YAML::Emitter out;
  out.SetSeqFormat(YAML::Flow);
  out << node;
  return out.c_str();
}

void flatten(RunConfig& config, const YAML::Node& node, const std::string& path, const std::string& baseFolder,
             std::set<std::string>& seen, std::vector<ConfigIssue>* issues) {
  for (const auto& entry : node) {
    std::string key = path.empty() ? entry.first.Scalar() : path + "." + entry.first.Scalar();
    if (!seen.insert(key).second) addIssue(issues, key, "is given twice");
    if (entry.second.IsMap()) {
      flatten(config, entry.second, key, baseFolder, seen, issues);
    } else {
      std::string value = entry.second.IsScalar()     ? entry.second.Scalar()
                          : entry.second.IsSequence() ? flowText(entry.second)
                                                      : "null";
      assign(config, key, value, baseFolder, issues);
    }
  }
}

/// Text that YAML reads back as the same string.
std::string yamlScalar(const ConfigField& field, const std::string& value) {
  if (field.type == "int" || field.type == "number" || field.type == "bool" || field.type == "paths" ||
      field.type == "ints")
    return value;
  YAML::Emitter out;
  out << value;
  return value.empty() ? "\"\"" : out.c_str();
}

}  // namespace

std::string resolvePath(const std::string& path) {
  if (!path.starts_with(kDemoPrefix)) return path;
  return (fs::path(resourceFolder()) / "demo" / path.substr(std::string(kDemoPrefix).size())).string();
}

std::string runsFolder(const RunConfig& config) {
  if (!config.trainer.directory.empty()) return resolvePath(config.trainer.directory);
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) return std::string(data) + "/cuescope/runs";
  const char* home = std::getenv("HOME");
  return std::string(home && *home ? home : ".") + "/.local/share/cuescope/runs";
}

RunConfig parseConfig(const std::string& yaml, const std::string& baseFolder, std::vector<ConfigIssue>* issues) {
  RunConfig config;
  YAML::Node root;
  try {
    root = YAML::Load(yaml);
  } catch (const YAML::Exception& error) {
    addIssue(issues, "", fmt::format("this is not YAML: {} (line {})", error.msg, error.mark.line + 1));
    return config;
  }
  if (root.IsNull()) return config;
  if (!root.IsMap()) {
    addIssue(issues, "", "a configuration is a map of keys, such as «trainer: {total_training_steps: 150}»");
    return config;
  }
  std::set<std::string> seen;
  flatten(config, root, "", baseFolder, seen, issues);
  return config;
}

RunConfig readConfig(const std::string& file, std::vector<ConfigIssue>* issues) {
  std::string resolved = resolvePath(file);
  std::ifstream in(resolved, std::ios::binary);
  std::error_code ignored;
  const bool folder = fs::is_directory(resolved, ignored);  // a stream opens one, and reads nothing
  if (!in || folder)
    throw Error("The configuration could not be read", resolved, folder ? "it is a folder" : std::strerror(errno),
                "Name a YAML file; those of the demo and of the paper are in " + resourceFolder() + "/presets.");
  std::stringstream text;
  text << in.rdbuf();
  return parseConfig(text.str(), fs::absolute(resolved).parent_path().string(), issues);
}

void applyOverride(RunConfig& config, const std::string& assignment, std::vector<ConfigIssue>* issues) {
  auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    addIssue(issues, assignment, "an override is written key=value");
    return;
  }
  assign(config, assignment.substr(0, equals), assignment.substr(equals + 1), {}, issues);
}

std::string writeConfig(const RunConfig& config) {
  std::string out;
  std::vector<std::string> open;  // the path of maps that are open
  for (const auto& field : configFields()) {
    std::vector<std::string> path;
    std::stringstream parts(field.key);
    for (std::string part; std::getline(parts, part, '.');) path.push_back(part);
    std::size_t common = 0;
    while (common + 1 < path.size() && common < open.size() && open[common] == path[common]) ++common;
    open.resize(common);
    for (; open.size() + 1 < path.size();) {
      out += std::string(open.size() * 2, ' ') + path[open.size()] + ":\n";
      open.push_back(path[open.size()]);
    }
    out += std::string(open.size() * 2, ' ') + path.back() + ": " + yamlScalar(field, field.get(config)) + "\n";
  }
  return out;
}

}  // namespace cuescope
