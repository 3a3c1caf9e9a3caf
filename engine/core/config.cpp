#include "engine/core/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "engine/core/engine_loader.h"

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

/// Nearest by the whole key; a key whose last name is the same counts as near, wherever it is nested.
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
  return best;
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
  if (field.key == "trainer.resume_mode" && config.trainer.resumeMode != "auto" &&
      config.trainer.resumeMode != "disable") {
    config.trainer.resumeMode = absolutePath(config.trainer.resumeMode, baseFolder);
  }
}

void addIssue(std::vector<ConfigIssue>* issues, std::string key, std::string message) {
  if (issues) issues->push_back({std::move(key), std::move(message)});
}

void assign(RunConfig& config, const std::string& givenKey, const std::string& value, const std::string& baseFolder,
            std::vector<ConfigIssue>* issues) {
  const ConfigField* field = findField(canonicalKey(givenKey));
  if (!field) {
    addIssue(issues, givenKey, fmt::format("is not a parameter; the nearest is {}", nearestKey(givenKey)));
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

// ----------------------------------------------------------------------------------------------------------------
// validate

class Checker {
 public:
  explicit Checker(std::vector<ConfigIssue>& issues) : m_issues(issues) {}
  void require(bool holds, const char* key, std::string message) {
    if (!holds) m_issues.push_back({key, std::move(message)});
  }
  template <typename T>
  void atLeast(T value, T least, const char* key) {
    require(value >= least, key, fmt::format("must be at least {}; got {}", least, value));
  }
  void within(double value, double low, double high, const char* key) {
    require(value >= low && value <= high, key, fmt::format("must lie in {} to {}; got {}", low, high, value));
  }

 private:
  std::vector<ConfigIssue>& m_issues;
};

void checkModel(Checker& check, const char* key, const char* who, const std::string& path) {
  if (path.empty()) {
    check.require(false, key, fmt::format("names no {}; give a Hugging Face folder", who));
    return;
  }
  std::string folder = resolvePath(path);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    check.require(false, key, fmt::format("there is no folder «{}»", folder));
  } else {
    check.require(fs::exists(fs::path(folder) / "config.json", ignored), key,
                  fmt::format("«{}» holds no config.json, so it is no model folder", folder));
  }
}

void checkFiles(Checker& check, const char* key, const std::vector<std::string>& files) {
  std::error_code ignored;
  for (const auto& file : files) {
    std::string resolved = resolvePath(file);
    check.require(fs::is_regular_file(resolved, ignored), key, fmt::format("there is no file «{}»", resolved));
  }
}

void checkDistillation(Checker& check, const RunConfig& config) {
  const auto& d = config.distillation;
  bool k1 = d.lossMode == "k1" || d.lossMode == "kl";
  check.require(
      !k1 || d.usePolicyGradient, "distillation.loss_mode",
      fmt::format("{} needs use_policy_gradient: differentiated directly, its gradient does not contain the teacher",
                  d.lossMode));
  check.require(d.lossMode != "forward_kl_topk" || !d.usePolicyGradient, "distillation.use_policy_gradient",
                "forward_kl_topk is differentiated directly: it compares distributions and says nothing about the "
                "sampled token, so it is no advantage");
  check.atLeast(d.topk, 1, "distillation.topk");
  check.require(std::isfinite(d.lossMaxClamp) && d.lossMaxClamp >= 0, "distillation.loss_max_clamp",
                fmt::format("must be positive, or 0 for off; got {}", d.lossMaxClamp));
  check.require(std::isfinite(d.logProbMinClamp) && d.logProbMinClamp <= 0, "distillation.log_prob_min_clamp",
                fmt::format("must be negative, or 0 for off; got {}", d.logProbMinClamp));
  check.within(d.cascadeEpsilon, 0, 1, "distillation.cascade_epsilon");
  check.atLeast(d.cascadeTolerance, 1, "distillation.cascade_tolerance");
  check.within(d.confidenceAlpha, 0, 100, "distillation.confidence_alpha");
  check.within(d.marginGamma, 0, 1000, "distillation.margin_gamma");
  check.within(d.distillationCoef, 0, 1e6, "distillation.distillation_loss_coef");
  check.require(d.useTaskRewards || d.distillationCoef > 0, "distillation.distillation_loss_coef",
                "is 0 and use_task_rewards is off, so there is nothing to learn");
}

void checkActor(Checker& check, const RunConfig::Actor& a) {
  check.require(std::isfinite(a.lr) && a.lr > 0 && a.lr <= 1, "actor.optim.lr",
                fmt::format("must lie above 0 and at most at 1; got {}", a.lr));
  for (auto [value, key] : {std::pair{a.beta1, "actor.optim.beta1"}, {a.beta2, "actor.optim.beta2"}}) {
    check.require(value >= 0 && value < 1, key, fmt::format("must lie in 0 to 1, 1 excluded; got {}", value));
  }
  check.require(a.eps > 0 && a.eps < 1, "actor.optim.eps", fmt::format("must lie between 0 and 1; got {}", a.eps));
  check.within(a.weightDecay, 0, 1, "actor.optim.weight_decay");
  check.atLeast(a.lrWarmupSteps, 0, "actor.optim.lr_warmup_steps");
  check.require(std::isfinite(a.gradClip) && a.gradClip > 0, "actor.grad_clip",
                fmt::format("must be positive; got {}", a.gradClip));
  check.within(a.clipRatioLow, 0, 1, "actor.clip_ratio_low");
  check.within(a.clipRatioHigh, 0, 1000, "actor.clip_ratio_high");
  check.require(a.clipRatioC > 1, "actor.clip_ratio_c", fmt::format("must be above 1; got {}", a.clipRatioC));
  check.within(a.entropyCoeff, -1, 1, "actor.entropy_coeff");
  check.atLeast(a.microBatchTokens, 1, "actor.ppo_max_token_len_per_gpu");
}

void checkTrainer(Checker& check, const RunConfig::Trainer& t) {
  bool plainName = !t.name.empty() && t.name.find('/') == std::string::npos && t.name != "." && t.name != "..";
  check.require(plainName, "trainer.experiment_name", "must be a folder's name without «/»");
  check.atLeast(t.totalTrainingSteps, 1, "trainer.total_training_steps");
  check.atLeast(t.saveFreq, 0, "trainer.save_freq");
  check.atLeast(t.testFreq, 0, "trainer.test_freq");
  check.atLeast(t.maxCkptToKeep, 0, "trainer.max_actor_ckpt_to_keep");
  check.atLeast(t.probeFreq, 0, "trainer.probe_freq");
  check.atLeast(t.rolloutSaveFreq, 0, "trainer.rollout_save_freq");
  check.within(t.threads, 0, 1024, "trainer.threads");
  const std::string& device = t.device;
  bool index = device.starts_with("cuda:") && device.size() > 5 &&
               device.find_first_not_of("0123456789", 5) == std::string::npos;
  check.require(device == "auto" || device == "cpu" || device == "cuda" || index, "trainer.device",
                fmt::format("must be cpu, cuda, cuda:N or auto; got «{}»", device));
  if (t.resumeMode != "auto" && t.resumeMode != "disable") {
    std::error_code ignored;
    std::string folder = resolvePath(t.resumeMode);
    check.require(fs::exists(fs::path(folder) / "manifest.json", ignored), "trainer.resume_mode",
                  fmt::format("must be disable, auto or a complete checkpoint; «{}» has no manifest.json", folder));
  }
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
  if (!in) throw Error("The configuration could not be read", resolved, "the file does not open", "Check the path.");
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

std::vector<ConfigIssue> validate(const RunConfig& config) {
  std::vector<ConfigIssue> issues;
  Checker check(issues);
  for (const auto& field : configFields()) {
    if (field.type != "choice") continue;
    const auto value = field.get(config);
    check.require(std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end(),
                  field.key.c_str(), fmt::format("must be one of {}; got «{}»", fmt::join(field.choices, ", "), value));
  }
  checkModel(check, "student.path", "student", config.student.path);
  check.atLeast(config.student.cueInterval, 1, "student.cue.interval");
  check.require(!(config.student.freezeVision && config.student.freezeLanguage && !config.student.cueEnabled),
                "student.freeze_language_model",
                "vision tower and language model are frozen and there is no cue recovery module, so nothing can learn");
  if (config.distillation.distillationCoef > 0) checkModel(check, "teacher.path", "teacher", config.teacher.path);
  const auto& data = config.data;
  check.require(!data.trainFiles.empty(), "data.train_files",
                config.teacher.privilege == "none"
                    ? std::string("names no file")
                    : fmt::format("names no file; teacher.privilege {} needs data with a {} column",
                                  config.teacher.privilege, config.teacher.privilege));
  checkFiles(check, "data.train_files", data.trainFiles);
  checkFiles(check, "data.val_files", data.valFiles);
  check.require(!data.valFiles.empty() || (config.trainer.testFreq == 0 && !config.trainer.valBeforeTrain),
                "data.val_files",
                "names no file, but trainer.test_freq or trainer.val_before_train asks for evaluations");
  check.require(!data.valFiles.empty() || data.probeRows.empty(), "data.probe_rows", "needs held-out data");
  check.atLeast(data.trainBatchSize, 1, "data.train_batch_size");
  check.atLeast(data.maxPromptLength, 1, "data.max_prompt_length");
  check.atLeast(data.maxResponseLength, 1, "data.max_response_length");
  check.atLeast(data.valMaxSamples, 1, "data.val_max_samples");
  check.require(std::all_of(data.probeRows.begin(), data.probeRows.end(), [](int row) { return row >= 0; }),
                "data.probe_rows", "rows count from 0");
  check.atLeast(config.rollout.n, 1, "rollout.n");
  check.require(
      std::isfinite(config.rollout.temperature) && config.rollout.temperature > 0 && config.rollout.temperature <= 100,
      "rollout.temperature",
      fmt::format("must be above 0: a greedy rollout explores nothing; got {}", config.rollout.temperature));
  check.require(config.rollout.topP > 0 && config.rollout.topP <= 1, "rollout.top_p",
                fmt::format("must lie above 0 and at most at 1; got {}", config.rollout.topP));
  check.atLeast(config.rollout.topK, 0, "rollout.top_k");
  checkDistillation(check, config);
  checkActor(check, config.actor);
  checkTrainer(check, config.trainer);
  return issues;
}

}  // namespace cuescope
