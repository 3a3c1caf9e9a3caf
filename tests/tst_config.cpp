// RunConfig: the field table, YAML in and out, overrides, and all complaints at once.
#include <QtTest/QtTest>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "engine/core/config.h"

using namespace cuescope;
namespace fs = std::filesystem;

namespace {

std::string messageFor(const std::vector<ConfigIssue>& issues, const std::string& key) {
  for (const auto& issue : issues) {
    if (issue.key == key) return issue.message;
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A config whose files exist.
RunConfig startable(const QTemporaryDir& folder) {
  fs::path root = folder.path().toStdString();
  fs::create_directories(root / "model");
  std::ofstream(root / "model/config.json") << "{}";
  std::ofstream(root / "data.jsonl") << "{}\n";
  RunConfig config;
  config.student.path = config.teacher.path = (root / "model").string();
  config.data.trainFiles = config.data.valFiles = {(root / "data.jsonl").string()};
  return config;
}

}  // namespace

class TestConfig : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyFieldSaysWhatItIs() {
    std::set<std::string> keys;
    for (const auto& field : configFields()) {
      QVERIFY2(keys.insert(field.key).second, field.key.c_str());
      QVERIFY2(
          !field.label.empty() && field.sentence.size() > 8 && field.sentence.back() == '.' && !field.source.empty(),
          field.key.c_str());
      QVERIFY2(field.type != "choice" || !field.choices.empty(), field.key.c_str());
    }
    QVERIFY(keys.size() > 45);
  }

  void writingAndReadingGivesTheSameConfig() {
    RunConfig config;
    config.trainer.name = "a: strange # name";
    config.student.path = "/models/with \"quotes\" and spaces";
    config.data.trainFiles = {"/a b.parquet", "demo:train.parquet"};
    config.data.probeRows = {3, 1, 4};
    config.actor.lr = 1.0 / 3.0;
    config.actor.eps = 1e-8;
    config.trainer.seed = 18446744073709551615ull;
    config.distillation.lossMode = "k1";
    config.distillation.usePolicyGradient = true;
    config.distillation.logProbMinClamp = 0;
    std::string yaml = writeConfig(config);
    std::vector<ConfigIssue> issues;
    RunConfig back = parseConfig(yaml, "/elsewhere", &issues);
    QVERIFY2(issues.empty(), issues.empty() ? "" : (issues[0].key + " " + issues[0].message).c_str());
    for (const auto& field : configFields()) QCOMPARE(field.get(back), field.get(config));
    QCOMPARE(writeConfig(back), yaml);
    QVERIFY(contains(yaml, "  optim:\n    lr: 0.3333333333333333\n"));
  }

  void everyFieldCanBeChangedAndComesBack() {
    for (const auto& field : configFields()) {
      RunConfig config;
      std::string value = field.type == "int"      ? "7"
                          : field.type == "number" ? "0.625"
                          : field.type == "bool"   ? (field.get(config) == "true" ? "false" : "true")
                          : field.type == "choice" ? field.choices.back()
                          : field.type == "ints"   ? "[5, 6]"
                          : field.type == "paths"  ? "[\"/x\"]"
                                                   : "/x";
      field.set(config, value);
      QCOMPARE(field.get(config), value);
      std::vector<ConfigIssue> issues;
      RunConfig back = parseConfig(writeConfig(config), "/", &issues);
      QVERIFY(issues.empty());
      QCOMPARE(field.get(back), value);
    }
  }

  void anUnknownKeyNamesTheNearest() {
    std::vector<ConfigIssue> issues;
    parseConfig("distillation: {los_mode: k3}\ntrainer: {total_steps: 5}\nlr: 1\nnonsense: 3\n", "/", &issues);
    QCOMPARE(issues.size(), std::size_t(4));
    QVERIFY(contains(messageFor(issues, "nonsense"), "none has a name like it"));  // no guess from far away
    QVERIFY(contains(messageFor(issues, "distillation.los_mode"), "distillation.loss_mode"));
    QVERIFY(contains(messageFor(issues, "trainer.total_steps"), "trainer.total_training_steps"));
    QVERIFY(contains(messageFor(issues, "lr"), "actor.optim.lr"));
  }

  void verlsLongerPathsAreUnderstood() {
    std::vector<ConfigIssue> issues;
    RunConfig config = parseConfig(
        "actor_rollout_ref: {actor: {optim: {lr: 2e-6}}, rollout: {n: 4}, model: {path: /m}}\n"
        "distillation: {distillation_loss: {loss_mode: k3, loss_max_clamp: null}}\n",
        "/", &issues);
    QVERIFY(issues.empty());
    QCOMPARE(config.actor.lr, 2e-6);
    QCOMPARE(config.rollout.n, 4);
    QCOMPARE(config.student.path, std::string("/m"));
    QCOMPARE(config.distillation.lossMode, std::string("k3"));
    QCOMPARE(config.distillation.lossMaxClamp, 0.0);
  }

  void relativePathsBelongToTheFile() {
    std::vector<ConfigIssue> issues;
    RunConfig config =
        parseConfig("student: {path: ../models/a/}\ndata: {train_files: [x.parquet, 'demo:t.parquet']}\n",
                    "/runs/configs", &issues);
    QCOMPARE(config.student.path, std::string("/runs/models/a"));
    QCOMPARE(config.data.trainFiles[0], std::string("/runs/configs/x.parquet"));
    QCOMPARE(config.data.trainFiles[1], std::string("demo:t.parquet"));
    QVERIFY(contains(resolvePath("demo:t.parquet"), "/demo/t.parquet"));
  }

  void wrongValuesAreComplaintsWithTheirKey() {
    std::vector<ConfigIssue> issues;
    RunConfig config = parseConfig(
        "actor: {optim: {lr: fast}}\nrollout: {n: 1.5}\ndata: {shuffle: maybe}\ndistillation: {loss_mode: k9}\n", "/",
        &issues);
    QCOMPARE(issues.size(), std::size_t(4));
    QVERIFY(contains(messageFor(issues, "actor.optim.lr"), "«fast»"));
    QVERIFY(contains(messageFor(issues, "rollout.n"), "whole number"));
    QVERIFY(contains(messageFor(issues, "distillation.loss_mode"), "forward_kl_topk"));
    QCOMPARE(config.actor.lr, RunConfig().actor.lr);
  }

  void brokenYamlIsOneComplaintWithTheLine() {
    std::vector<ConfigIssue> issues;
    parseConfig("a: [1, 2\nb: {", "/", &issues);
    QCOMPARE(issues.size(), std::size_t(1));
    QVERIFY(contains(issues[0].message, "line"));
    issues.clear();
    parseConfig("- 1\n- 2\n", "/", &issues);
    QCOMPARE(issues.size(), std::size_t(1));
    issues.clear();
    parseConfig("data: {shuffle: true, shuffle: false}\n", "/", &issues);
    QCOMPARE(issues.size(), std::size_t(1));
  }

  void anOverrideChangesOneValue() {
    RunConfig config;
    std::vector<ConfigIssue> issues;
    applyOverride(config, "actor.optim.lr=5e-5", &issues);
    applyOverride(config, "data.probe_rows=1,2", &issues);
    applyOverride(config, "distillation.loss_max_clamp=null", &issues);
    QVERIFY(issues.empty());
    QCOMPARE(config.actor.lr, 5e-5);
    QCOMPARE(config.data.probeRows, (std::vector<int>{1, 2}));
    QCOMPARE(config.distillation.lossMaxClamp, 0.0);
    applyOverride(config, "actor.optim.learning=1", &issues);
    applyOverride(config, "nonsense", &issues);
    QCOMPARE(issues.size(), std::size_t(2));
  }

  void aStartableConfigHasNoComplaints() {
    QTemporaryDir folder;
    auto issues = validate(startable(folder));
    QVERIFY2(issues.empty(), issues.empty() ? "" : (issues[0].key + " " + issues[0].message).c_str());
  }

  void allComplaintsComeAtOnce() {
    RunConfig config;
    config.student.path = "/no/such/folder";
    config.actor.lr = -1;
    config.actor.beta2 = 1;
    config.rollout.temperature = 0;
    config.trainer.device = "cuda:x";
    config.trainer.name = "a/b";
    config.teacher.privilege = "cue";
    auto issues = validate(config);
    for (const char* key :
         {"student.path", "teacher.path", "actor.optim.lr", "actor.optim.beta2", "rollout.temperature",
          "trainer.device", "trainer.experiment_name", "data.train_files", "data.val_files"}) {
      QVERIFY2(!messageFor(issues, key).empty(), key);
    }
    QVERIFY(contains(messageFor(issues, "data.train_files"), "cue"));
  }

  void everyPresetIsUnderstood() {
    int presets = 0;
    for (const auto& entry : fs::recursive_directory_iterator(std::string(CUESCOPE_RESOURCES) + "/presets")) {
      if (entry.path().extension() != ".yaml") continue;
      std::vector<ConfigIssue> issues;
      RunConfig config = readConfig(entry.path().string(), &issues);
      QVERIFY2(issues.empty(),
               issues.empty() ? "" : (entry.path().string() + ": " + issues[0].key + " " + issues[0].message).c_str());
      for (const auto& issue :
           validate(config)) {  // models and data may be elsewhere, but the values must fit together
        QVERIFY2(contains(issue.message, "there is no") || contains(issue.message, "holds no"),
                 (entry.path().string() + ": " + issue.key + " " + issue.message).c_str());
      }
      ++presets;
    }
    QVERIFY(presets > 0);
  }

  void thePapersPresetsHoldTheKeysAndValuesOfSeveralLongestResponses() {
    int rolling = 0;
    for (const auto& entry : fs::directory_iterator(std::string(CUESCOPE_RESOURCES) + "/presets/paper")) {
      const std::string name = entry.path().stem().string();
      std::vector<ConfigIssue> issues;
      const RunConfig config = readConfig(entry.path().string(), &issues);
      if (config.trainer.valOnly || config.distillation.lossMode == "sft") continue;
      // Qwen3-VL: 2B has 28 layers, 8B 36; 8 key heads of 128; keys and values in float32.
      const bool small = contains(name, "-2b-2b-") || contains(name, "-2b-8b-");
      const double token = (small ? 28.0 : 36.0) * 2 * 8 * 128 * 4, row = token * (config.data.maxPromptLength + config.data.maxResponseLength);
      QVERIFY2(config.rollout.kvCacheMib == 0 || 8 * row <= config.rollout.kvCacheMib * 1048576.0, name.c_str());
      ++rolling;
    }
    QCOMPARE(rolling, 20);
  }

  void everyMethodHasAPresetForTheDemoAndForThePaper() {
    const fs::path presets = std::string(CUESCOPE_RESOURCES) + "/presets";
    for (const char* name : {"base", "sft", "grpo", "opsd", "opsd_vicur", "opd", "opd_vicur"})
      QVERIFY2(fs::exists(presets / "demo" / (std::string(name) + ".yaml")), name);
    for (const char* column : {"geometry3k", "vision-r1"}) {
      for (const char* name : {"2b-2b-base", "2b-2b-sft", "2b-2b-grpo", "2b-2b-opsd", "2b-2b-opsd_vicur", "8b-8b-base", "8b-8b-sft", "8b-8b-grpo",
                               "8b-8b-opsd", "8b-8b-opsd_vicur", "2b-8b-opd", "2b-8b-opd_vicur", "8b-32b-opd", "8b-32b-opd_vicur"}) {
        const fs::path file = presets / "paper" / (std::string(column) + "-" + name + ".yaml");
        QVERIFY2(fs::exists(file), file.c_str());
        std::vector<ConfigIssue> issues;
        const RunConfig config = readConfig(file.string(), &issues);
        QCOMPARE(config.data.maxResponseLength, contains(column, "vision") ? 4096 : 2048);
        QCOMPARE(config.student.cueEnabled, contains(name, "vicur"));
        QCOMPARE(config.teacher.privilege == "cue", contains(name, "vicur"));
        if (usesTeacher(config) && !contains(name, "sft")) QCOMPARE(config.distillation.lossMode, std::string("k1"));
      }
    }
  }

  void k1WithoutPolicyGradientIsRefusedUnderBothNames() {
    QTemporaryDir folder;
    RunConfig config = startable(folder);
    for (const char* mode : {"k1", "kl"}) {
      config.distillation.lossMode = mode;
      config.distillation.usePolicyGradient = false;
      QVERIFY(contains(messageFor(validate(config), "distillation.loss_mode"), "does not contain the teacher"));
      config.distillation.usePolicyGradient = true;
      QVERIFY(validate(config).empty());
    }
  }

  void forwardKlIsRefusedAsAnAdvantage() {
    QTemporaryDir folder;
    RunConfig config = startable(folder);
    config.distillation.usePolicyGradient = true;
    QVERIFY(contains(messageFor(validate(config), "distillation.use_policy_gradient"), "no advantage"));
  }

  void wholeDistributionsAreRefusedAsAnAdvantage() {
    QTemporaryDir folder;
    RunConfig config = startable(folder);
    for (const char* mode : {"forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl"}) {
      config.distillation.lossMode = mode;
      config.distillation.usePolicyGradient = false;
      QVERIFY(validate(config).empty());
      config.distillation.usePolicyGradient = true;
      QVERIFY(contains(messageFor(validate(config), "distillation.use_policy_gradient"), "no advantage"));
    }
  }

  void rejectedCombinationsSayWhy() {
    QTemporaryDir folder;
    struct Case {
      std::function<void(RunConfig&)> change;
      const char *key, *why;
    };
    const std::vector<Case> cases = {
        {[](RunConfig& c) { c.distillation.contrast = "wrong_cue"; }, "distillation.contrast", "needs a cue"},
        {[](RunConfig& c) { c.distillation.contrast = "erased_image", c.distillation.lossMode = "jsd"; },
         "distillation.contrast", "whole distributions"},
        {[](RunConfig& c) { c.distillation.lossMode = "sft", c.distillation.useTaskRewards = true; },
         "distillation.loss_mode", "no rollout"},
        {[](RunConfig& c) { c.distillation.lossMode = "k3", c.distillation.tailBucket = true; },
         "distillation.tail_bucket", "forward_kl_topk only"},
        {[](RunConfig& c) { c.distillation.lossMode = "jsd", c.distillation.jsdBeta = 1; }, "distillation.jsd_beta",
         "plain KL"},
        {[](RunConfig& c) { c.distillation.lossMode = "alpha", c.distillation.alpha = 1; }, "distillation.alpha",
         "forward_kl"},
        {[](RunConfig& c) {
           c.distillation.lossMode = "k3", c.distillation.usePolicyGradient = true, c.actor.policyLoss = "reinforce_cv";
         },
         "actor.policy_loss.loss_mode", "of the k1 advantage"},
        {[](RunConfig& c) { c.actor.rolloutIs = "token"; }, "algorithm.rollout_is", "has none"},
        {[](RunConfig& c) {
           c.distillation.useTaskRewards = c.actor.useRolloutLogProbs = true, c.rollout.temperature = 0.7;
         },
         "actor.use_rollout_log_probs", "policy itself"},
        {[](RunConfig& c) { c.actor.ppoMiniBatchSize = 5; }, "actor.ppo_mini_batch_size", "must divide"},
        {[](RunConfig& c) { c.rollout.temperature = 0.7; }, "rollout.temperature", "must be 1 with forward_kl_topk"},
        {[](RunConfig& c) { c.teacher.kind = "live", c.teacher.path.clear(); }, "teacher.kind", "the student itself"},
        {[](RunConfig& c) { c.teacher.kind = "ema", c.teacher.path = "/another"; }, "teacher.path", "is not read"},
        {[](RunConfig& c) { c.teacher.privilege = "column"; }, "teacher.privilege_column", "names no column"},
        {[](RunConfig& c) { c.teacher.routes = {"charts"}; }, "teacher.routes", "data_source=folder"},
        {[](RunConfig& c) { c.teacher.routes = {"a=/x", "a=/x"}; }, "teacher.routes", "twice"},
    };
    for (const Case& one : cases) {
      RunConfig config = startable(folder);
      one.change(config);
      std::string all;
      for (const auto& issue : validate(config)) all += issue.key + " " + issue.message + "; ";
      QVERIFY2(contains(all, one.key) && contains(all, one.why), (std::string(one.why) + " <> " + all).c_str());
    }
  }

  void keysOfTheDataSayWhatIsWrongWithThem() {
    std::vector<ConfigIssue> issues;
    RunConfig config = parseConfig("data: {truncation: left, bad_rows: ignore, filter_overlong_prompts: maybe, cue_edit: true, max_prompt_length: 0}\n", "/", &issues);
    QVERIFY2(contains(messageFor(issues, "data.truncation"), "cut a prompt through its image"), messageFor(issues, "data.truncation").c_str());
    QVERIFY(contains(messageFor(issues, "data.bad_rows"), "skip, stop"));
    QVERIFY(contains(messageFor(issues, "data.filter_overlong_prompts"), "true or false"));
    QVERIFY(contains(messageFor(issues, "data.cue_edit"), "data.cue_edits"));
    QCOMPARE(issues.size(), std::size_t(4));  // all at once
    QVERIFY(!messageFor(validate(config), "data.max_prompt_length").empty());
    issues.clear();
    config = parseConfig("data: {truncation: error, bad_rows: stop, filter_overlong_prompts: false, cue_edits: false}\n", "/", &issues);
    QVERIFY(issues.empty());
    QVERIFY(config.data.truncation == "error" && config.data.badRows == "stop" && !config.data.filterOverlongPrompts && !config.data.cueEdits);
  }

  void aTeacherMadeFromTheStudentNeedsNoFolder() {
    QTemporaryDir folder;
    RunConfig config = startable(folder);
    config.teacher.path.clear();
    config.teacher.privilege = "cue";
    for (const char* kind : {"own_start", "ema", "live"}) {
      config.teacher.kind = kind;
      QVERIFY(validate(config).empty());
    }
    config.teacher.kind = "reference";
    QVERIFY(!messageFor(validate(config), "teacher.path").empty());
    config.distillation.lossMode = "sft";  // needs none
    QVERIFY(validate(config).empty());
  }

  void nothingToLearnIsRefused() {
    QTemporaryDir folder;
    RunConfig config = startable(folder);
    config.distillation.distillationCoef = 0;
    QVERIFY(!messageFor(validate(config), "distillation.distillation_loss_coef").empty());
    config.distillation.useTaskRewards = true;
    config.teacher.path.clear();  // not needed now
    QVERIFY(validate(config).empty());
    config.student.freezeVision = config.student.freezeLanguage = true;
    QVERIFY(!messageFor(validate(config), "student.freeze_language_model").empty());
  }
};

QTEST_GUILESS_MAIN(TestConfig)
#include "tst_config.moc"
