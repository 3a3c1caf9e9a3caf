// Objectives and teachers in whole steps of the tiny golden models: the four kinds of teacher, routing, privileges, losses over
// the whole vocabulary, contrasts, several updates of a batch, and the terms beside the distillation loss.
#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/distill/contrast.h"
#include "engine/distill/run.h"
#include "tests/support/golden.h"
#include "tests/support/run_parts.h"

#include <QtTest/QtTest>
#include <fstream>

using namespace cuescope;
using test::numbers;

namespace {

RowSource rows() {
  return test::tinyRows(6, [](std::int64_t i, Sample& sample) {
    sample.dataSource = i % 2 == 0 ? "even" : "odd";
    sample.cue = "A shape in corner " + std::to_string(i) + ".";
    if (i < 3) sample.texts["remark"] = "It is round.";
    sample.answer = "a small square.";
  });
}

RunConfig plain() {
  RunConfig config;
  config.trainer.totalTrainingSteps = 1;
  config.trainer.saveFreq = config.trainer.testFreq = config.trainer.probeFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.trainer.seed = 5;
  config.data.trainBatchSize = 2;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 5;
  config.data.shuffle = false;
  config.distillation.topk = 8;
  config.actor.lr = 1e-3;
  config.actor.lrWarmupSteps = 0;
  return config;
}

std::shared_ptr<Qwen3VL> student() {
  return Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
}
std::shared_ptr<Qwen3VL> strong() {
  return Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
}

struct Harness {
  RunConfig config;
  std::string directory;
  std::vector<StepPtr> steps;
  std::vector<std::string> log;
  std::unique_ptr<Run> run;

  RunParts parts(const std::string& from = {}) const {
    static const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    RunParts parts;
    parts.student = from.empty() ? student() : Qwen3VL::load(from, "cpu", "float32");
    const std::string& kind = config.teacher.kind;
    if (usesTeacher(config)) parts.teacher = kind == "live" ? parts.student : kind == "reference" ? strong() : student();
    if (config.actor.klLossCoef != 0) parts.start = student();
    parts.studentProcessor = parts.teacherProcessor = processor;
    parts.train = parts.val = rows();
    parts.studentFiles = golden::path("tiny-student-vicur");
    return parts;
  }
  void open(RunParts parts, const std::string& from = {}) {
    run.reset();
    run = std::make_unique<Run>(config, std::move(parts), directory, from, [this](const Event& event) {
      if (auto step = std::get_if<StepPtr>(&event)) steps.push_back(*step);
      if (auto line = std::get_if<LogLine>(&event)) log.push_back(line->text);
    });
  }
  void finish() {
    while (run->advance({})) {
    }
  }
  double metric(std::size_t step, const std::string& name) const {
    const auto found = steps.at(step)->metrics.find(name);
    if (found == steps.at(step)->metrics.end()) throw std::runtime_error("no metric " + name);
    return found->second;
  }
  std::vector<RolloutRecord> records(int step) const {
    std::ifstream in(directory + "/rollouts/" + std::to_string(step) + ".jsonl");
    return parseRollouts({std::istreambuf_iterator<char>(in), {}});
  }
};

std::map<std::string, at::Tensor> weights(const Qwen3VL& model) {
  std::map<std::string, at::Tensor> out;
  for (const auto& item : model.named_parameters()) out[item.key()] = item.value().detach().clone();
  return out;
}

}  // namespace

class TestObjectives : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  int m_count = 0;

  Harness made(const RunConfig& config) {
    Harness h;
    h.config = config;
    h.directory = m_folder.path().toStdString() + "/run-" + std::to_string(++m_count);
    return h;
  }
  Harness finished(const RunConfig& config) {
    Harness h = made(config);
    h.open(h.parts());
    h.finish();
    return h;
  }

 private Q_SLOTS:
  void equalModelsHaveNoLossAtAnyTemperature_data() {
    QTest::addColumn<QString>("mode");
    for (const char* mode : {"abs", "k2", "k3", "k1", "forward_kl_topk", "reverse_kl", "jsd"}) QTest::newRow(mode) << mode;
  }
  void equalModelsHaveNoLossAtAnyTemperature() {
    QFETCH(QString, mode);
    RunConfig config = plain();
    config.distillation.lossMode = mode.toStdString();
    config.distillation.usePolicyGradient = mode == "k1";
    config.distillation.contrast = mode == "abs" ? "erased_image" : "none";
    config.distillation.contrastWeight = 0;  // the other scores are made, and count nothing
    config.actor.klLossCoef = 1;
    config.actor.klLossType = "abs";
    config.rollout.temperature = 0.7;
    Harness h = made(config);
    RunParts parts = h.parts();
    parts.teacher = student();  // the student's twin, under the same prompt
    h.open(std::move(parts));
    h.finish();
    QVERIFY2(std::abs(h.metric(0, "actor/loss")) < 1e-4, qPrintable(QString::number(h.metric(0, "actor/loss"))));
    QVERIFY2(h.metric(0, "actor/kl_loss") < 1e-4, qPrintable(QString::number(h.metric(0, "actor/kl_loss"))));
    QVERIFY2(std::abs(h.metric(0, "distillation/gap")) < 1e-4, qPrintable(QString::number(h.metric(0, "distillation/gap"))));
  }

  void theGapToTheSamplerIsThatBeforeTheFirstUpdate() {
    RunConfig config = plain();
    config.actor.ppoMiniBatchSize = 1;
    config.actor.lr = 0.05;  // the second update finds another policy than the one that was sampled
    const Harness h = finished(config);
    QVERIFY2(h.metric(0, "training/rollout_logprob_diff_mean") < 1e-3, qPrintable(QString::number(h.metric(0, "training/rollout_logprob_diff_mean"))));
    QCOMPARE(h.metric(0, "training/rollout_gap_alarm"), 0.0);
  }

  void aLiveTeacherWithoutPrivilegeGivesNoLoss_data() {
    QTest::addColumn<QString>("mode");
    for (const char* mode : {"k3", "forward_kl_topk", "forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl"})
      QTest::newRow(mode) << mode;
  }
  void aLiveTeacherWithoutPrivilegeGivesNoLoss() {
    QFETCH(QString, mode);
    RunConfig config = plain();
    config.teacher.kind = "live";
    config.distillation.lossMode = mode.toStdString();
    Harness h = finished(config);
    QVERIFY2(std::abs(h.metric(0, "actor/loss")) < 1e-5, std::to_string(h.metric(0, "actor/loss")).c_str());
    config.teacher.privilege = "cue";
    h = finished(config);
    QVERIFY2(h.metric(0, "actor/loss") > 1e-5, std::to_string(h.metric(0, "actor/loss")).c_str());
  }

  void aLiveTeacherMovesWithTheStudentAndStaysTrainable() {
    RunConfig config = plain();
    config.teacher.kind = "live";
    config.teacher.privilege = "cue";
    config.trainer.totalTrainingSteps = 2;
    Harness h = finished(config);
    QVERIFY(h.run->teacher() == h.run->student());
    const auto before = weights(*student()), after = weights(*h.run->student());
    QVERIFY(!at::equal(before.at("model.language_model.layers.0.self_attn.q_proj.weight"),
                       after.at("model.language_model.layers.0.self_attn.q_proj.weight")));
  }

  void theStudentsOwnStartStaysWhereItIs() {
    RunConfig config = plain();
    config.teacher.kind = "own_start";
    config.distillation.lossMode = "reverse_kl";
    config.trainer.totalTrainingSteps = 3;
    config.actor.weightDecay = 0.1;  // the student moves, although the first gradient is zero
    Harness h = finished(config);
    QVERIFY(std::abs(h.metric(0, "actor/loss")) < 1e-5);
    QVERIFY(h.metric(2, "actor/loss") > std::abs(h.metric(0, "actor/loss")));
    const auto before = weights(*student()), after = weights(*h.run->teacher()), moved = weights(*h.run->student());
    int differ = 0;
    for (const auto& [name, value] : before) {
      QVERIFY2(at::equal(value, after.at(name)), name.c_str());
      differ += !at::equal(value, moved.at(name));
    }
    QVERIFY(differ > 10);
  }

  void anAverageTeacherFollowsItsFormula() {
    RunConfig config = plain();
    config.teacher.kind = "ema";
    config.teacher.privilege = "cue";
    config.teacher.emaDecay = 0.75;
    config.teacher.emaEvery = 2;
    config.trainer.totalTrainingSteps = 4;
    Harness h = made(config);
    h.open(h.parts());
    auto expected = weights(*h.run->teacher());
    int step = 0;
    for (bool more = true; more;) {
      more = h.run->advance({});
      if (h.run->status().step == step) continue;
      step = h.run->status().step;
      const auto now = weights(*h.run->student()), teacher = weights(*h.run->teacher());
      for (auto& [name, value] : expected) {
        if (step % 2 == 0) value = 0.75 * value + 0.25 * now.at(name);
        QVERIFY2(at::allclose(value, teacher.at(name), 1e-6, 1e-7), name.c_str());
      }
    }
    QCOMPARE(step, 4);
  }

  void aResumedAverageIsTheSameToTheBit() {
    RunConfig config = plain();
    config.teacher.kind = "ema";
    config.teacher.privilege = "cue";
    config.teacher.emaDecay = 0.5;
    config.trainer.totalTrainingSteps = 4;
    config.trainer.saveFreq = 2;
    config.trainer.maxCkptToKeep = 0;
    Harness whole = finished(config), half = made(config);
    half.open(half.parts());
    while (half.run->status().step < 2 || half.run->status().phase != "sample") half.run->advance({});
    half.run->stop(false);
    const std::string saved = newestCheckpoint(half.directory);
    QVERIFY(saved.ends_with("step-000002"));
    half.open(half.parts(saved), saved);
    half.finish();
    const auto a = weights(*whole.run->teacher()), b = weights(*half.run->teacher()), c = weights(*whole.run->student()),
               d = weights(*half.run->student());
    for (const auto& [name, value] : a) QVERIFY2(at::equal(value, b.at(name)) && at::equal(c.at(name), d.at(name)), name.c_str());
    QCOMPARE(numbers(*whole.steps.back()), numbers(*half.steps.back()));
  }

  void rowsGoToTheTeacherOfTheirSource() {
    RunConfig config = plain();
    config.trainer.rolloutSaveFreq = 1;
    Harness h = made(config);
    RunParts parts = h.parts();
    parts.routedTeachers["odd"] = student();  // knows what the student knows
    h.open(std::move(parts));
    h.finish();
    const auto records = h.records(1);
    QCOMPARE(records.size(), std::size_t(2));
    for (const auto& record : records) {
      double gap = 0;
      for (std::size_t t = 0; t < record.ids.size(); ++t)
        gap = std::max(gap, std::abs(double(record.teacherLogProbs[t]) - double(record.studentLogProbs[t])));
      QVERIFY2((gap < 1e-4) == (record.sampleId == "sample-1"), record.sampleId.c_str());
    }
    config.distillation.lossMode = "jsd";  // heads of several teachers in one micro-batch
    Harness whole = made(config);
    parts = whole.parts();
    parts.routedTeachers["odd"] = student();
    whole.open(std::move(parts));
    whole.finish();
    QVERIFY(whole.metric(0, "actor/distillation/loss_min") < 1e-5 && whole.metric(0, "actor/distillation/loss_max") > 1e-3);
  }

  void aColumnOfOnesOwnIsAPrivilege() {
    RunConfig config = plain();
    config.data.trainBatchSize = 6;
    config.teacher.privilege = "column";
    config.teacher.privilegeColumn = "remark";
    config.trainer.totalTrainingSteps = 2;
    Harness h = finished(config);
    for (std::size_t step : {0, 1}) QCOMPARE(h.metric(step, "distillation/teacher_prompt_hit_rate"), 0.5);
  }

  void aTeachersPromptThatIsTooLongIsRefusedWhenTheRowIsRead() {  // spec 7-B8
    RunConfig config = plain();
    config.teacher.privilege = "cue";
    const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    RowProblem problem;
    QVERIFY(!Preparer(config, processor, processor, 30).prepare(rows().row(0), &problem));
    QVERIFY2(problem.reason.find("the teacher reads 30") != std::string::npos, problem.reason.c_str());
    QCOMPARE(problem.category, std::string(kTeacherPromptTooLong));
    QVERIFY(Preparer(config, processor, processor, 4000).prepare(rows().row(0), &problem));
  }

  void contrastSharpensWhatTheEvidenceExplains() {
    TeacherScores with, without;
    with.sampled = at::tensor({-1.0f, -2.0f});
    without.sampled = at::tensor({-3.0f, -2.0f});
    with.topK = at::tensor({0.5f, 0.3f}).log().view({1, 2}).repeat({2, 1});
    without.topK = at::tensor({0.25f, 0.3f, 0.5f, 0.3f}).log().view({2, 2});
    applyContrast(with, without, 1.0);
    QVERIFY(at::allclose(with.targetSampled, at::tensor({1.0f, -2.0f})));  // lT + w (lT - lT0)
    // p (p / p0) = 1.0 and 0.3, scaled to the mass 0.8 that the teacher gave both; unchanged where p0 = p.
    QVERIFY(at::allclose(with.targetTopK.exp(), at::tensor({0.8f * 1.0f / 1.3f, 0.8f * 0.3f / 1.3f, 0.5f, 0.3f}).view({2, 2})));
    QCOMPARE(*wrongCueOf({"a", "a", "", "b"}, 0), std::size_t(3));
    QCOMPARE(*wrongCueOf({"a", "a", "", "b"}, 3), std::size_t(0));
    QVERIFY(!wrongCueOf({"a", "a", ""}, 0) && !wrongCueOf({"a", "b", ""}, 2));
  }

  void contrastsEnterTheLossOfARun_data() {
    QTest::addColumn<QString>("contrast");
    QTest::newRow("the image against the erased image") << "erased_image";
    QTest::newRow("the right cue against a wrong one") << "wrong_cue";
  }
  void contrastsEnterTheLossOfARun() {
    QFETCH(QString, contrast);
    for (const char* mode : {"forward_kl_topk", "k1"}) {
      RunConfig config = plain();
      config.teacher.privilege = "cue";
      config.distillation.lossMode = mode;
      config.distillation.usePolicyGradient = config.distillation.lossMode == "k1";
      Harness without = finished(config);
      config.distillation.contrast = contrast.toStdString();
      config.distillation.contrastWeight = 0;
      Harness zero = finished(config);
      config.distillation.contrastWeight = 1;
      Harness one = finished(config);
      QCOMPARE(one.metric(0, "distillation/contrast_hit_rate"), 1.0);
      QVERIFY(std::abs(one.metric(0, "distillation/contrast")) > 1e-6);
      QVERIFY(std::abs(zero.metric(0, "actor/loss") - without.metric(0, "actor/loss")) < 1e-5);
      QVERIFY(std::abs(one.metric(0, "actor/loss") - without.metric(0, "actor/loss")) > 1e-5);
      QCOMPARE(one.metric(0, "distillation/gap"), without.metric(0, "distillation/gap"));  // the teacher's own score is reported
    }
  }

  void severalUpdatesOfABatch() {
    RunConfig config = plain();
    config.rollout.n = 2;
    config.actor.ppoMiniBatchSize = 1;
    config.actor.ppoEpochs = 2;
    config.distillation.lossMode = "k1";
    config.distillation.usePolicyGradient = true;
    config.trainer.totalTrainingSteps = 2;
    config.trainer.saveFreq = 1;
    config.trainer.maxCkptToKeep = 0;
    Harness h = finished(config);
    QVERIFY(std::abs(h.metric(0, "actor/distillation/ppo_kl")) > 1e-7);  // later updates left the old policy
    QVERIFY(std::isfinite(h.metric(1, "actor/grad_norm")));
    QCOMPARE(h.records(1).size(), std::size_t(4));
    for (const auto& record : h.records(1)) QCOMPARE(record.studentLogProbs.size(), record.ids.size());
    // Stopped between two updates of a batch, the rest of them is made before the checkpoint: resuming gives the same weights.
    Harness half = made(config);
    half.open(half.parts());
    int updates = 0;
    for (std::string last; updates < 2;) {
      half.run->advance({});
      const std::string phase = half.run->status().phase;
      updates += last == "update" && phase == "backward";
      last = phase;
    }
    half.run->stop(true);
    const std::string saved = newestCheckpoint(half.directory);
    QVERIFY(saved.ends_with("step-000001"));
    half.open(half.parts(saved), saved);
    half.finish();
    const auto a = weights(*h.run->student()), b = weights(*half.run->student());
    for (const auto& [name, value] : a) QVERIFY2(at::equal(value, b.at(name)), name.c_str());
  }

  void policyFormsRunOnDistillationAndOnRewards_data() {
    QTest::addColumn<QString>("form");
    for (const char* form : {"ppo", "reinforce_cv", "gspo", "cispo"}) QTest::newRow(form) << form;
  }
  void policyFormsRunOnDistillationAndOnRewards() {
    QFETCH(QString, form);
    RunConfig config = plain();
    config.rollout.n = 2;
    config.actor.policyLoss = form.toStdString();
    config.actor.rolloutIs = "token";
    config.distillation.lossMode = "k1";
    config.distillation.usePolicyGradient = config.distillation.useTaskRewards = true;
    Harness h = finished(config);
    for (const char* name : {"actor/loss", "actor/pg_loss", "actor/distillation/loss", "actor/distillation/ppo_kl", "actor/grad_norm"})
      QVERIFY2(std::isfinite(h.metric(0, name)), name);
    QVERIFY(h.metric(0, "actor/grad_norm") > 0);
    QVERIFY(std::abs(h.metric(0, "actor/rollout_is_mean") - 1) < 1e-3);  // the sampler is the policy
    if (form == "reinforce_cv") QVERIFY(h.metric(0, "actor/distillation/baseline") < 0);
  }

  void entropyAndTheStartCountWithoutTaskRewards() {
    RunConfig config = plain();
    config.trainer.totalTrainingSteps = 2;
    Harness without = finished(config);
    config.actor.klLossCoef = 0.5;
    Harness near = finished(config);
    QVERIFY(std::abs(near.metric(0, "actor/kl_loss")) < 1e-6 && near.metric(1, "actor/kl_loss") > 1e-6);
    QVERIFY(std::abs(near.metric(0, "actor/loss") - without.metric(0, "actor/loss")) < 1e-5);
    QVERIFY(near.metric(1, "actor/loss") - 0.5 * near.metric(1, "actor/kl_loss") > 0);
    config.actor.klLossCoef = 0;
    config.actor.entropyCoeff = 0.01;
    Harness wide = finished(config);
    QVERIFY(std::abs(wide.metric(0, "actor/loss") -
                     (without.metric(0, "actor/loss") - 0.01 * wide.metric(0, "actor/entropy"))) < 1e-5);
  }

  void theThreeExtrasActInARun() {  // spec 3.8, 7-B14
    RunConfig config = plain();
    config.distillation.lossMode = "k1";
    config.distillation.usePolicyGradient = true;
    config.distillation.cascadeEpsilon = 0.9999;
    config.distillation.cascadeTolerance = 2;
    config.distillation.confidenceAlpha = 2;
    config.distillation.marginGamma = 0.5;
    QCOMPARE(teacherTopK(config), 1);
    Harness h = finished(config);
    QVERIFY(h.metric(0, "actor/distillation/ood_truncation_ratio") > 0);
    const double weight = h.metric(0, "actor/distillation/avg_confidence_weight");
    QVERIFY(weight > 0 && weight < 1);
    QVERIFY(h.steps[0]->metrics.count("actor/distillation/exploration_protected_ratio") == 1);
  }

  void supervisedRunsLearnTheAnswersOfTheData() {
    RunConfig config = plain();
    config.distillation.lossMode = "sft";
    config.data.maxResponseLength = 12;
    config.data.trainBatchSize = 3;
    config.trainer.totalTrainingSteps = 6;
    Harness h = finished(config);
    QVERIFY(h.run->teacher() == nullptr);
    QVERIFY(h.metric(5, "actor/loss") < h.metric(0, "actor/loss") - 0.5);
    QVERIFY(h.records(1).front().output.starts_with("a small square."));
    QCOMPARE(h.metric(0, "response_length/clip_ratio"), 0.0);
  }

  void anEvaluationAloneMakesNoStep() {
    RunConfig config = plain();
    config.trainer.valOnly = true;
    config.data.valMaxSamples = 3;
    Harness h = finished(config);
    QCOMPARE(h.steps.size(), std::size_t(1));
    QCOMPARE(h.metric(0, "val/n"), 3.0);
    QCOMPARE(h.run->status().step, 0);
    QVERIFY(h.run->status().state == RunState::Completed);
  }

  void theAggregationIsNamedWithTheLoss() {  // spec 7-B13
    for (const char* mode : {"token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"}) {
      RunConfig config = plain();
      config.actor.lossAggMode = mode;
      Harness h = finished(config);
      QCOMPARE(h.metric(0, std::string("actor/loss/") + mode), h.metric(0, "actor/loss"));
    }
  }
};

QTEST_GUILESS_MAIN(TestObjectives)
#include "tst_objectives.moc"
