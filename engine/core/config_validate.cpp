// What a run may not be: every rule that a configuration can break, with its reason. Collected, not thrown.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "engine/core/config.h"
#include "engine/core/resume_mode.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

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

constexpr const char* kWholeVocabulary[] = {"forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl"};

bool samplesThePolicyItself(const RunConfig::Rollout& r) {
  return r.temperature == 1.0 && r.topP == 1.0 && r.topK == 0;
}

void checkContrast(Checker& check, const RunConfig& config) {
  const auto& d = config.distillation;
  if (d.contrast == "none") return;
  check.require(!isWholeVocabulary(d.lossMode) && d.lossMode != "sft", "distillation.contrast",
                fmt::format("changes the teacher's scores of tokens; {} compares whole distributions or has no teacher: "
                            "use forward_kl_topk or a sampled loss",
                            d.lossMode));
  check.require(d.contrast != "wrong_cue" || config.teacher.privilege != "none", "distillation.contrast",
                "wrong_cue needs a cue: set teacher.privilege");
  check.within(d.contrastWeight, -100, 100, "distillation.contrast_weight");
}

void checkDistillation(Checker& check, const RunConfig& config) {
  const auto& d = config.distillation;
  const bool k1 = d.lossMode == "k1" || d.lossMode == "kl", whole = isWholeVocabulary(d.lossMode), sft = d.lossMode == "sft";
  check.require(
      !k1 || d.usePolicyGradient, "distillation.loss_mode",
      fmt::format("{} needs use_policy_gradient: differentiated directly, its gradient does not contain the teacher",
                  d.lossMode));
  check.require((d.lossMode != "forward_kl_topk" && !whole) || !d.usePolicyGradient, "distillation.use_policy_gradient",
                fmt::format("{} is differentiated directly: it compares distributions and says nothing about the "
                            "sampled token, so it is no advantage",
                            d.lossMode));
  check.require(!sft || (!d.usePolicyGradient && !d.useTaskRewards), "distillation.loss_mode",
                "sft learns the data's own answers: there is no rollout that a reward or an advantage could judge");
  check.require(!sft || config.rollout.n == 1, "rollout.n", "must be 1 with sft: a row has one answer of its own");
  check.require(!d.tailBucket || d.lossMode == "forward_kl_topk", "distillation.tail_bucket",
                "belongs to forward_kl_topk only");
  check.require(d.lossMode != "jsd" || (d.jsdBeta > 0 && d.jsdBeta < 1), "distillation.jsd_beta",
                fmt::format("must lie between 0 and 1; at the ends it is a plain KL: use forward_kl or reverse_kl; got {}",
                            d.jsdBeta));
  check.require(d.lossMode != "alpha" || (std::isfinite(d.alpha) && d.alpha != 0 && d.alpha != 1), "distillation.alpha",
                fmt::format("must not be 0 or 1, its limits are reverse_kl and forward_kl; got {}", d.alpha));
  check.require(d.skew >= 0 && d.skew < 1, "distillation.skew", fmt::format("must lie in 0 to 1, 1 excluded; got {}", d.skew));
  check.atLeast(d.vocabularyChunk, 16, "distillation.vocabulary_chunk");
  checkContrast(check, config);
  check.require(config.actor.policyLoss != "reinforce_cv" || !d.usePolicyGradient || (k1 && d.contrast == "none"),
                "actor.policy_loss.loss_mode",
                "reinforce_cv subtracts the negative reverse KL, which is the expectation of the k1 advantage without "
                "contrast and of no other");
  check.require(config.actor.policyLoss != "reinforce_cv" || !d.usePolicyGradient || config.rollout.temperature == 1.0,
                "rollout.temperature", "must be 1 with reinforce_cv: its baseline is the expectation over the policy itself");
  check.require(!usesTeacher(config) || whole || !(config.rollout.temperature > 0) || config.rollout.temperature == 1.0, "rollout.temperature",
                fmt::format("must be 1 with {}: the teacher's scores are those of its own distribution, and the student's would be those of another one (spec 3.5); "
                            "the whole-vocabulary losses take the temperature for both",
                            d.lossMode));
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

void checkTeacher(Checker& check, const RunConfig& config) {
  const auto& t = config.teacher;
  check.require(t.privilege != "column" || !t.privilegeColumn.empty(), "teacher.privilege_column",
                "names no column; teacher.privilege column needs one");
  check.require(t.emaDecay >= 0 && t.emaDecay <= 1, "teacher.ema_decay",
                fmt::format("must lie in 0 to 1; got {}", t.emaDecay));
  check.atLeast(t.emaEvery, 1, "teacher.ema_update_every");
  if (!usesTeacher(config)) return;
  if (t.kind == "reference") {
    checkModel(check, "teacher.path", "teacher", t.path);
  } else {
    check.require(t.path.empty() || t.path == config.student.path, "teacher.path",
                  fmt::format("is not read: a teacher of kind {} is made from the student; use kind reference, or "
                              "leave the path empty",
                              t.kind));
  }
  check.require(t.kind != "live" || t.privilege != "none" || config.distillation.contrast != "none", "teacher.kind",
                "a live teacher without privilege is the student itself, so the loss is 0: nothing would be learned");
  std::set<std::string> sources;
  for (const auto& route : t.routes) {
    const auto equals = route.find('=');
    if (equals == std::string::npos || equals == 0) {
      check.require(false, "teacher.routes", fmt::format("is written data_source=folder; got «{}»", route));
      continue;
    }
    check.require(sources.insert(route.substr(0, equals)).second, "teacher.routes",
                  fmt::format("names «{}» twice", route.substr(0, equals)));
    checkModel(check, "teacher.routes", "teacher", route.substr(equals + 1));
  }
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
  for (auto [value, key] : {std::pair{a.lrCue, "actor.optim.lr_cue"},
                            {a.lrVision, "actor.optim.lr_vision_tower"},
                            {a.lrLanguage, "actor.optim.lr_language_model"}})
    check.require(value >= 0 && value <= 1, key, fmt::format("must lie in 0 to 1, 0 for the learning rate; got {}", value));
  check.within(a.klLossCoef, 0, 1000, "actor.kl_loss_coef");
  check.atLeast(a.ppoEpochs, 1, "actor.ppo_epochs");
  check.require(a.rolloutIsThreshold > 0, "algorithm.rollout_is_threshold",
                fmt::format("must be positive; got {}", a.rolloutIsThreshold));
}

void checkUpdates(Checker& check, const RunConfig& config) {
  const auto& a = config.actor;
  const int batch = config.data.trainBatchSize;
  check.require(a.ppoMiniBatchSize >= 0 && (a.ppoMiniBatchSize == 0 || batch % a.ppoMiniBatchSize == 0),
                "actor.ppo_mini_batch_size",
                fmt::format("must divide data.train_batch_size {}, or be 0 for the whole batch; got {}", batch,
                            a.ppoMiniBatchSize));
  const bool policy = config.distillation.usePolicyGradient || config.distillation.useTaskRewards;
  for (auto [used, key] : {std::pair{a.rolloutIs != "none", "algorithm.rollout_is"},
                           {a.useRolloutLogProbs, "actor.use_rollout_log_probs"}}) {
    if (!used) continue;
    check.require(policy, key, "weighs policy gradients, and this run has none");
    check.require(samplesThePolicyItself(config.rollout), key,
                  "needs rollouts of the policy itself: rollout.temperature 1, top_p 1, top_k 0");
  }
  check.require(a.rolloutIs == "none" || !a.useRolloutLogProbs, "algorithm.rollout_is",
                "corrects what use_rollout_log_probs already has in its ratio: use one of them");
}

void checkTrainer(Checker& check, const RunConfig::Trainer& t) {
  bool plainName = !t.name.empty() && t.name.find('/') == std::string::npos && t.name != "." && t.name != "..";
  check.require(plainName, "trainer.experiment_name", "must be a folder's name without «/»");
  check.atLeast(t.totalTrainingSteps, 1, "trainer.total_training_steps");
  check.atLeast(t.saveFreq, 0, "trainer.save_freq");
  check.atLeast(t.testFreq, 0, "trainer.test_freq");
  check.atLeast(t.maxCkptToKeep, 0, "trainer.max_actor_ckpt_to_keep");
  check.atLeast(t.probeFreq, 0, "trainer.probe_freq");
  check.atLeast(t.captureFreq, 0, "trainer.capture_freq");
  check.atLeast(t.rolloutSaveFreq, 0, "trainer.rollout_save_freq");
  check.within(t.threads, 0, 1024, "trainer.threads");
  const std::string& device = t.device;
  bool index = device.starts_with("cuda:") && device.size() > 5 &&
               device.find_first_not_of("0123456789", 5) == std::string::npos;
  check.require(device == "auto" || device == "cpu" || device == "cuda" || index, "trainer.device",
                fmt::format("must be cpu, cuda, cuda:N or auto; got «{}»", device));
  const std::string mode = resumeModeOf(t.resumeMode).place;
  if (mode != "auto" && mode != "disable") {
    std::error_code ignored;
    std::string folder = resolvePath(mode);
    // Whether it is whole is found, and said by file and tensor, when it is opened.
    check.require(fs::is_directory(folder, ignored), "trainer.resume_mode",
                  fmt::format("must be disable, auto or a checkpoint's folder, the last two also with changed: before them; «{}» is no folder", folder));
  }
}

}  // namespace

bool isWholeVocabulary(const std::string& lossMode) {
  return std::find(std::begin(kWholeVocabulary), std::end(kWholeVocabulary), lossMode) != std::end(kWholeVocabulary);
}

bool usesTeacher(const RunConfig& config) {
  return config.distillation.distillationCoef > 0 && config.distillation.lossMode != "sft" && !config.trainer.valOnly;
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
  checkTeacher(check, config);
  const auto& data = config.data;
  check.require(!data.trainFiles.empty() || config.trainer.valOnly, "data.train_files",
                config.teacher.privilege == "none"
                    ? std::string("names no file")
                    : fmt::format("names no file; teacher.privilege {} needs data with a {} column",
                                  config.teacher.privilege, config.teacher.privilege));
  checkFiles(check, "data.train_files", data.trainFiles);
  checkFiles(check, "data.val_files", data.valFiles);
  check.require(!data.valFiles.empty() ||
                    (config.trainer.testFreq == 0 && !config.trainer.valBeforeTrain && !config.trainer.valOnly),
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
  check.require(config.rollout.repetitionPenalty > 0 && config.rollout.repetitionPenalty <= 10, "rollout.repetition_penalty",
                fmt::format("must lie above 0 and at most at 10; got {}", config.rollout.repetitionPenalty));
  check.require(config.rollout.maxRepeats == 0 || config.rollout.maxRepeats >= 2, "rollout.max_repeats",
                fmt::format("must be 0 or at least 2; got {}", config.rollout.maxRepeats));
  check.atLeast(config.rollout.kvCacheMib, -1, "rollout.kv_cache_mib");
  check.atLeast(config.rollout.maxNumSeqs, 0, "rollout.max_num_seqs");
  check.require(config.rollout.gapAlarm > 0, "rollout.gap_alarm", fmt::format("must be above 0; got {}", config.rollout.gapAlarm));
  checkDistillation(check, config);
  checkActor(check, config.actor);
  checkUpdates(check, config);
  checkTrainer(check, config.trainer);
  return issues;
}

}  // namespace cuescope
