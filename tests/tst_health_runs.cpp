// Each health rule on a run that is made to suffer what it names, and on one that is well: whole runs of the tiny golden models,
// judged by the same HealthWatch that the window and the reports use.
#include <ATen/ATen.h>

#include <QTemporaryDir>
#include <QtTest/QtTest>

#include "engine/core/run_health.h"
#include "engine/distill/run.h"
#include "tests/support/run_parts.h"

using namespace cuescope;

namespace {

RunConfig tinyConfig(int steps) {
  RunConfig config;
  config.trainer.totalTrainingSteps = steps;
  config.trainer.saveFreq = config.trainer.testFreq = config.trainer.probeFreq = config.trainer.rolloutSaveFreq = 0;
  config.trainer.seed = 3;
  config.data.trainBatchSize = 2;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 5;
  config.data.valMaxSamples = 0;
  config.distillation.topk = 8;
  config.actor.lr = 1e-5;
  config.teacher.privilege = "none";
  return config;
}

std::shared_ptr<Qwen3VL> model(const char* name) { return Qwen3VL::load(golden::path(name), "cpu", "float32"); }

at::Tensor parameter(Qwen3VL& of, const std::string& end) {
  for (auto& item : of.named_parameters())
    if (item.key().ends_with(end)) return item.value();
  qFatal("no parameter %s", end.c_str());
  return {};
}

/// Logits k times as large: a random model has hardly an opinion otherwise.
void sharpen(Qwen3VL& of, double k) {
  at::NoGradGuard noGrad;
  parameter(of, "language_model.norm.weight").mul_(k);
}

/// A model that ends whatever it is asked: its layers add nothing, every token looks like every other, and the end is what all of
/// them point at.
void alwaysEnd(Qwen3VL& of, std::int64_t end) {
  at::NoGradGuard noGrad;
  for (auto& item : of.named_parameters())
    if (item.key().find("language_model.layers") != std::string::npos && (item.key().ends_with("o_proj.weight") || item.key().ends_with("down_proj.weight"))) item.value().zero_();
  at::Tensor embedding = parameter(of, "embed_tokens.weight");
  const at::Tensor one = at::full({embedding.size(1)}, 1.0);
  embedding.copy_(one.expand_as(embedding));
  embedding[end].mul_(2);
  if (of.headWeight().data_ptr() != embedding.data_ptr()) {
    of.headWeight().copy_(one.expand_as(of.headWeight()));
    of.headWeight()[end].mul_(2);
  }
}

struct Suffering {
  HealthWatch watch;
  std::vector<StepPtr> steps;
  std::unique_ptr<Run> run;

  Suffering(const RunConfig& config, std::shared_ptr<Qwen3VL> student, std::shared_ptr<Qwen3VL> teacher, const std::string& directory)
      : watch(config.teacher.privilege != "none") {
    static const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    RunParts parts;
    parts.student = std::move(student);
    parts.teacher = std::move(teacher);
    parts.studentProcessor = parts.teacherProcessor = processor;
    parts.train = test::tinyRows(8, [](std::int64_t, Sample&) {});
    parts.val = test::tinyRows(1, [](std::int64_t, Sample&) {});
    parts.studentFiles = golden::path("tiny-student");
    run = std::make_unique<Run>(config, std::move(parts), directory, "", [this](const Event& event) {
      if (const auto* step = std::get_if<StepPtr>(&event)) {
        steps.push_back(*step);
        watch.add(**step);
      }
    });
  }
  void finish() {
    while (run->advance({})) {
    }
  }
  /// Names of the rules that found something, with the step where it begins.
  std::vector<std::string> found() const {
    std::vector<std::string> names;
    for (const HealthFinding& finding : watch.findings()) names.push_back(finding.check + "@" + std::to_string(finding.step));
    return names;
  }
  bool has(const std::string& check) const {
    for (const HealthFinding& finding : watch.findings())
      if (finding.check == check) return true;
    return false;
  }
};

QByteArray words(const Suffering& run) {
  QByteArray all;
  for (const std::string& name : run.found()) all += QByteArray::fromStdString(name) + ' ';
  if (!run.steps.empty())
    for (const auto& [name, value] : run.steps.back()->metrics) all += QByteArray::fromStdString("\n" + name + " " + std::to_string(value));
  return all;
}

}  // namespace

class TestHealthRuns : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  std::string folder(const char* name) const { return m_folder.path().toStdString() + "/" + name; }

 private Q_SLOTS:
  void aRunThatIsWellHasNoFinding() {
    auto teacher = model("tiny-student");  // a little ahead of the student
    {
      at::NoGradGuard noGrad;
      at::manual_seed(1);
      for (at::Tensor& weight : teacher->parameters()) weight.add_(at::randn_like(weight), 0.02 * weight.std().nan_to_num().item<double>());
    }
    Suffering run(tinyConfig(12), model("tiny-student"), teacher, folder("well"));
    run.finish();
    QVERIFY2(run.found().empty(), words(run).constData());
  }

  void aRateThatDestroysTheWeightsIsNotFinite() {
    RunConfig config = tinyConfig(4);
    config.actor.lr = 1e30;
    config.actor.nonfinite = "skip";
    Suffering run(config, model("tiny-student"), model("tiny-teacher"), folder("finite"));
    run.finish();
    QVERIFY2(run.has("finite"), words(run).constData());
    QCOMPARE(run.watch.findings().front().step, 2);  // the first step after the update that did it
  }

  void aTeacherThatAlwaysEndsShortensTheAnswers() {
    RunConfig config = tinyConfig(26);
    config.actor.lr = 5e-3;
    auto teacher = model("tiny-teacher");
    alwaysEnd(*teacher, model("tiny-student")->config().eosTokens.front());
    Suffering run(config, model("tiny-student"), teacher, folder("length"));
    run.finish();
    QVERIFY2(run.has("length"), words(run).constData());
  }

  void aStudentThatLeavesItsTeacherLosesTheMass() {
    RunConfig config = tinyConfig(22);
    config.actor.lr = 0.05;
    auto student = model("tiny-student");
    sharpen(*student, 8);
    auto teacher = model("tiny-student");
    sharpen(*teacher, 8);
    Suffering run(config, student, teacher, folder("mass"));
    for (int step = 0; step < 11;) {  // well for ten steps, then something moves the weights away
      run.run->advance({});
      step = static_cast<int>(run.steps.size()) - 1;
    }
    {
      at::NoGradGuard noGrad;
      at::Tensor embedding = parameter(*student, "embed_tokens.weight");
      embedding.copy_(embedding.roll(7, 0));
    }
    run.finish();
    QVERIFY2(run.has("mass"), words(run).constData());
  }

  void aTeacherWithAnotherVocabularyIsMisaligned() {
    auto student = model("tiny-student"), teacher = model("tiny-student");
    sharpen(*student, 12);
    sharpen(*teacher, 12);
    {
      at::NoGradGuard noGrad;
      at::Tensor embedding = parameter(*teacher, "embed_tokens.weight");
      embedding.copy_(embedding.roll(1, 0));  // every id means the one before it
      if (teacher->headWeight().data_ptr() != embedding.data_ptr()) teacher->headWeight().copy_(teacher->headWeight().roll(1, 0));
    }
    Suffering run(tinyConfig(5), student, teacher, folder("teacher"));
    run.finish();
    QVERIFY2(run.has("teacher"), words(run).constData());
  }

  void aStudentThatIsItsTeacherHasALossThatDoesNothing() {
    RunConfig config = tinyConfig(6);
    config.actor.lr = 1e-12;  // AdamW makes whole steps of what rounding leaves of a gradient
    Suffering run(config, model("tiny-student"), model("tiny-student"), folder("loss"));
    run.finish();
    QVERIFY2(run.has("loss"), words(run).constData());
    QCOMPARE(run.watch.findings().front().step, 1);
  }

  void weightsThatMoveBetweenSamplingAndTrainingAreAGap() {
    auto student = model("tiny-student");
    sharpen(*student, 8);
    Suffering run(tinyConfig(5), student, model("tiny-teacher"), folder("rollout"));
    for (bool left = true; left;) {
      const std::string before = run.run->status().phase;
      left = run.run->advance({});
      if (before == "rollout" && run.run->status().phase != "rollout") {  // somebody else writes into them
        at::NoGradGuard noGrad;
        parameter(*student, "layers.0.mlp.down_proj.weight").add_(0.05 * at::randn_like(parameter(*student, "layers.0.mlp.down_proj.weight")));
      }
    }
    QVERIFY2(run.has("rollout"), words(run).constData());
  }
};

QTEST_GUILESS_MAIN(TestHealthRuns)
#include "tst_health_runs.moc"
