// A whole run on the tiny golden models and six rows: what it leaves on disk, that its numbers follow from
// configuration and seed alone, that it stops and resumes anywhere, and that looking at the student changes nothing.
#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/core/rollout_record.h"
#include "engine/distill/probe_maps.h"
#include "engine/distill/run.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/golden.h"
#include "tests/support/run_parts.h"

#include <QtTest/QtTest>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace cuescope;
namespace fs = std::filesystem;
using test::numbers;
using test::sameBits;

namespace {

RowSource rows(std::int64_t count) {
  return test::tinyRows(count, [](std::int64_t i, Sample& sample) {
    sample.cue = i % 2 == 0 ? "A shape in the corner." : "";
    sample.hint = "The answer is a.";
    sample.kind = i % 2 == 0 ? "even" : "odd";
    sample.evidence = {{0, 0, 0, 10, 10, "corner"}};
    sample.answer = "it is a";
  });
}

RunConfig tinyConfig() {
  RunConfig config;
  config.trainer.totalTrainingSteps = 3;
  config.trainer.saveFreq = 0;
  config.trainer.testFreq = 2;
  config.trainer.probeFreq = 2;
  config.trainer.seed = 11;
  config.data.trainBatchSize = 2;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 5;
  config.data.valMaxSamples = 2;
  config.distillation.topk = 8;
  config.actor.lr = 1e-3;
  config.actor.microBatchTokens = 120;
  config.teacher.privilege = "cue";
  return config;
}

struct Harness {
  RunConfig config;
  std::string directory;
  std::vector<StepPtr> steps;
  std::unique_ptr<Run> run;

  void open(const std::string& resumeFrom = {}, bool teacher = true) {
    static const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    RunParts parts;
    parts.student =
        Qwen3VL::load(resumeFrom.empty() ? golden::path("tiny-student-vicur") : resumeFrom, "cpu", "float32");
    if (teacher) parts.teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
    parts.studentProcessor = parts.teacherProcessor = processor;
    parts.train = rows(6);
    parts.val = rows(4);
    parts.studentFiles = golden::path("tiny-student-vicur");
    run.reset();
    run = std::make_unique<Run>(config, std::move(parts), directory, resumeFrom, [this](const Event& event) {
      if (auto step = std::get_if<StepPtr>(&event)) steps.push_back(*step);
    });
  }
  void finish() {
    while (run->advance({})) {
    }
  }
  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> out;
    for (const auto& p : run->student()->parameters()) out.push_back(p.detach().clone());
    return out;
  }
};

}  // namespace

class TestRun : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> m_folder;
  Harness harness(const std::string& name, const RunConfig& config = tinyConfig()) {
    Harness h;
    h.config = config;
    h.directory = m_folder->path().toStdString() + "/" + name;
    return h;
  }

 private Q_SLOTS:
  void initTestCase() { m_folder = std::make_unique<QTemporaryDir>(); }

  void threeStepsLeaveAWholeRunBehind() {
    Harness h = harness("whole");
    h.open();
    h.finish();
    QCOMPARE(h.steps.size(), std::size_t(4));  // the look before the first step, and three steps
    const auto read = RunReader(h.directory).newSteps();
    QCOMPARE(read.size(), std::size_t(4));
    for (std::size_t i = 0; i < read.size(); ++i) QCOMPARE(numbers(*read[i]), numbers(*h.steps[i]));
    for (const char* name :
         {"actor/distillation/loss", "actor/distillation/loss_min", "actor/distillation/student_mass",
          "actor/distillation/teacher_mass_max", "actor/loss", "actor/grad_norm", "actor/lr", "actor/entropy",
          "distillation/gap", "distillation/teacher_prompt_hit_rate", "response_length/mean",
          "response_length/clip_ratio", "critic/score/mean", "training/rollout_logprob_diff_mean", "cue/grad_norm/L0",
          "perf/throughput", "actor/distillation/abs_loss", "response_length_non_aborted/mean", "response/aborted_ratio",
          "response/hint_samples", "response/hint_occurrences", "prompt_length/min", "prompt_length/max",
          "prompt_length/clip_ratio", "global_seqlen/mean", "critic/rewards/max", "distillation/gap_first_half",
          "distillation/gap_quarter_4", "distillation/teacher_prompt_enabled", "timing_s/gen", "timing_s/teacher",
          "timing_s/update_actor", "timing_s/step", "timing_per_token_ms/gen", "timing_per_token_ms/update_actor",
          "perf/mfu/actor", "num_turns/min", "num_turns/max"}) {
      QVERIFY2(h.steps[1]->metrics.count(name) == 1 && std::isfinite(h.steps[1]->metrics.at(name)), name);
    }
    const auto& first = h.steps[1]->metrics;
    QVERIFY(first.at("prompt_length/min") <= first.at("prompt_length/mean") && first.at("prompt_length/mean") <= first.at("prompt_length/max"));
    QVERIFY(std::abs(first.at("global_seqlen/mean") - first.at("prompt_length/mean") - first.at("response_length/mean")) < 1e-9);
    QVERIFY(std::abs(first.at("timing_per_token_ms/gen") - 1000 * first.at("timing_s/gen") / (2 * first.at("response_length/mean"))) < 1e-9);
    QCOMPARE(first.at("response/aborted_ratio"), 0.0);
    QCOMPARE(first.at("num_turns/mean"), 2.0);  // a question and its answer
    QVERIFY(first.at("perf/mfu/actor") > 0);
    QVERIFY(first.at("perf/cpu_cores_used") > 0.05 && first.at("perf/cpu_cores_used") <= std::thread::hardware_concurrency() + 0.5);
    QVERIFY(h.steps[2]->metrics.count("distillation/teacher_prompt_enabled") == 0 && first.count("critic/advantages/mean") == 0);
    QVERIFY(h.steps[2]->metrics.count("timing_s/testing") == 1);
    for (int step : {0, 2, 3}) {
      QVERIFY(h.steps[step]->metrics.count("val/accuracy") == 1);
      QVERIFY(h.steps[step]->metrics.at("val/accuracy_low") <= h.steps[step]->metrics.at("val/accuracy"));
      QCOMPARE(h.steps[step]->metrics.at("val/n"), 2.0);
    }
    QVERIFY(h.steps[1]->metrics.count("val/accuracy") == 0);
    QVERIFY(h.steps[0]->metrics.count("cue/sink_entropy/L0") == 1 &&
            h.steps[2]->metrics.count("cue/update_ratio/L5") == 1);
    QVERIFY(h.steps[1]->metrics.at("training/rollout_logprob_diff_mean") < 1e-3);
    QVERIFY(!h.steps[2]->probes.empty() && h.steps[1]->probes.empty());
    const ProbeMap& map = h.steps[2]->probes[0];
    double sum = 0;
    for (int i = 0; i < map.gridRows * map.gridCols; ++i) sum += map.values[i];
    QVERIFY(std::abs(sum - 1) < 1e-4);
    QVERIFY(map.evidenceMass[0] > 0 && map.evidenceMass[0] < 1);
    for (const char* phase : {"sample", "rollout", "score", "backward", "update"})
      QVERIFY2(h.steps[1]->phaseSeconds.count(phase) == 1, phase);

    const auto event = fs::directory_iterator(h.directory + "/tensorboard")->path();
    QCOMPARE(readEventFile(event.string()).scalars.at("actor/loss").size(), std::size_t(3));

    std::ifstream in(h.directory + "/rollouts/2.jsonl");
    const auto records = parseRollouts({std::istreambuf_iterator<char>(in), {}});
    QCOMPARE(records.size(), std::size_t(2));
    for (const auto& record : records) {
      QVERIFY(!record.ids.empty() && record.studentLogProbs.size() == record.ids.size() &&
              record.teacherLogProbs.size() == record.ids.size());
      QVERIFY(!record.sampleId.empty());
    }
    const auto status = RunReader(h.directory).status();
    QVERIFY(status->state == RunState::Completed && status->step == 3);
    QVERIFY(!h.run->advance({}));
    const auto checkpoints = RunReader(h.directory).checkpoints();
    QCOMPARE(checkpoints.size(), std::size_t(1));
    QVERIFY(checkpoints[0].complete && checkpoints[0].step == 3 && checkpoints[0].metrics.count("val/accuracy") == 1);
    verifyCheckpoint(checkpoints[0].folder);
    std::vector<ConfigIssue> issues;
    QCOMPARE(parseConfig(RunReader(h.directory).configYaml(), "/", &issues).data.trainBatchSize, 2);
  }

  void theRecoveryGainIsTheAnswersLogProbabilityWithTheModuleAndWithout() {
    Harness h = harness("gain");
    h.open();
    while (h.steps.empty()) h.run->advance({});
    const Processor processor(golden::path("tiny-student"));
    const TokenIds answer = processor.tokenizer().encode("it is a");
    double with = 0, without = 0;  // token by token, one row at a time
    for (int i = 0; i < 4; ++i) {
      RowProblem problem;
      RunConfig config = h.config;
      const auto shared = std::shared_ptr<const Processor>(std::shared_ptr<void>(), &processor);
      const auto row = Preparer(config, shared, shared, 4096).prepare(rows(4).row(i), &problem);
      QVERIFY2(row, problem.reason.c_str());
      RowInput whole = row->student;
      const auto prompt = static_cast<std::int64_t>(whole.ids.size());
      whole.ids.insert(whole.ids.end(), answer.begin(), answer.end());
      at::NoGradGuard noGrad;
      for (const bool module : {true, false}) {
        ForwardOptions options;
        options.cue = module;
        const at::Tensor states = h.run->student()->forward(packRows(h.run->student()->config(), {whole}), options);
        const at::Tensor logP = at::log_softmax(at::matmul(states, h.run->student()->headWeight().t()), -1);
        for (std::size_t t = 0; t < answer.size(); ++t)
          (module ? with : without) += logP[prompt - 1 + static_cast<std::int64_t>(t)][answer[t]].item<double>();
      }
    }
    const double gain = (with - without) / (4.0 * static_cast<double>(answer.size()));
    QVERIFY(std::abs(gain) > 1e-6);
    QVERIFY2(std::abs(h.steps[0]->metrics.at("cue/recovery_gain") - gain) < 1e-5, qPrintable(QString("%1 against %2").arg(h.steps[0]->metrics.at("cue/recovery_gain")).arg(gain)));
  }

  void everyStepMovesTheStudent() {
    Harness h = harness("moves");
    h.open();
    const auto before = h.weights();
    h.finish();
    QVERIFY(!sameBits(before, h.weights()));
  }

  void theSameSeedGivesTheSameNumbersWhateverIsLookedAtAndHoweverOftenItIsInterrupted() {
    Harness a = harness("seed-a"), b = harness("seed-b"), c = harness("seed-c");
    a.open();
    a.finish();
    b.open();
    std::stop_source stopped;
    stopped.request_stop();
    RowInput look;
    look.ids = {5, 6, 7};
    for (bool more = true; more;) {
      QVERIFY_THROWS_EXCEPTION(Cancelled, b.run->advance(stopped.get_token()));
      {
        at::NoGradGuard noGrad;
        b.run->student()->forward(packRows(b.run->student()->config(), {look}));
      }
      more = b.run->advance({});
    }
    QVERIFY(sameBits(a.weights(), b.weights()));
    QCOMPARE(a.steps.size(), b.steps.size());
    for (std::size_t i = 0; i < a.steps.size(); ++i) QCOMPARE(numbers(*a.steps[i]), numbers(*b.steps[i]));
    c.config.trainer.seed = 12;
    c.open();
    c.finish();
    QVERIFY(!sameBits(a.weights(), c.weights()));
  }

  void threeStepsSavedAndThreeMoreEqualSix() {
    RunConfig config = tinyConfig();
    config.trainer.totalTrainingSteps = 6;
    config.trainer.probeFreq = 0;
    config.trainer.saveFreq = 3;
    config.trainer.maxCkptToKeep = 0;
    config.actor.lrSchedule = "cosine";
    Harness whole = harness("six", config);
    whole.open();
    whole.finish();

    Harness half = harness("three", config);
    half.open();
    while (half.run->status().step < 3 || half.run->status().phase != "sample") half.run->advance({});
    for (int i = 0; i < 3; ++i) half.run->advance({});  // a fourth step has begun and is lost
    half.run->stop(false);
    half.run.reset();
    const std::string saved = newestCheckpoint(half.directory);
    QVERIFY(saved.ends_with("step-000003"));
    half.open(saved);
    QCOMPARE(half.run->status().step, 3);
    half.finish();
    QVERIFY(sameBits(whole.weights(), half.weights()));
    const auto a = RunReader(whole.directory).newSteps(), b = RunReader(half.directory).newSteps();
    QCOMPARE(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      QCOMPARE(a[i]->step, b[i]->step);
      QCOMPARE(numbers(*a[i]), numbers(*b[i]));
    }
    // And the files are the same, moments included.
    for (const char* file : {"model.safetensors", "trainer/optimizer.safetensors"}) {
      QVERIFY(golden::readBytes(whole.directory + "/checkpoints/step-000006/" + file) ==
              golden::readBytes(half.directory + "/checkpoints/step-000006/" + file));
    }
  }

  void stoppingSavesTheLastWholeStep() {
    Harness h = harness("stopped");
    h.open();
    while (h.run->status().step < 1 || h.run->status().phase != "backward") h.run->advance({});
    h.run->stop(true);
    QVERIFY(!h.run->advance({}));
    QVERIFY(RunReader(h.directory).status()->state == RunState::Stopped);
    const auto found = RunReader(h.directory).checkpoints();
    QCOMPARE(found.size(), std::size_t(1));
    QCOMPARE(found[0].step, 1);
    QCOMPARE(RunReader(h.directory).newSteps().back()->step, 1);
  }

  void olderCheckpointsGoAfterNewerOnesAreWhole() {
    RunConfig config = tinyConfig();
    config.trainer.saveFreq = 1;
    config.trainer.maxCkptToKeep = 2;
    config.trainer.testFreq = config.trainer.probeFreq = 0;
    config.trainer.valBeforeTrain = false;
    Harness h = harness("kept", config);
    h.open();
    h.finish();
    const auto found = RunReader(h.directory).checkpoints();
    QCOMPARE(found.size(), std::size_t(2));
    QCOMPARE(found[0].step, 2);
    // A damaged file is named before anything is loaded.
    { std::ofstream(found[1].folder + "/trainer/state.json", std::ios::app) << " "; }
    try {
      verifyCheckpoint(found[1].folder);
      QFAIL("the damage was not seen");
    } catch (const Error& error) {
      QVERIFY(error.failure().where.find("state.json") != std::string::npos);
    }
    verifyCheckpoint(found[0].folder);
  }

  void rowsWithoutACueCountAgainstTheHitRate() {
    RunConfig config = tinyConfig();
    config.trainer.totalTrainingSteps = 1;
    config.trainer.testFreq = config.trainer.probeFreq = 0;
    config.trainer.valBeforeTrain = false;
    config.data.trainBatchSize = 6;
    for (auto [privilege, rate] : {std::pair{"none", 0.0}, {"cue", 0.5}, {"hint", 1.0}}) {
      config.teacher.privilege = privilege;
      Harness h = harness(std::string("hit-") + privilege, config);
      h.open();
      h.finish();
      QCOMPARE(h.steps.back()->metrics.at("distillation/teacher_prompt_hit_rate"), rate);
    }
  }

  void taskRewardsNeedNoTeacher() {
    RunConfig config = tinyConfig();
    config.trainer.totalTrainingSteps = 2;
    config.trainer.testFreq = config.trainer.probeFreq = 0;
    config.trainer.valBeforeTrain = false;
    config.distillation.useTaskRewards = true;
    config.distillation.distillationCoef = 0;
    config.rollout.n = 2;
    Harness h = harness("grpo", config);
    h.open({}, false);
    h.finish();
    QCOMPARE(h.steps.size(), std::size_t(2));
    QVERIFY(h.steps[0]->metrics.count("actor/pg_loss") == 1);
    QVERIFY(h.steps[0]->metrics.count("distillation/gap") == 0);
    std::ifstream in(h.directory + "/rollouts/1.jsonl");
    const auto records = parseRollouts({std::istreambuf_iterator<char>(in), {}});
    QCOMPARE(records.size(), std::size_t(4));
    QCOMPARE(records[0].sampleId, records[1].sampleId);
    QVERIFY(records[0].ids != records[1].ids);
  }

  void frozenPartsStayAsTheyAre() {
    RunConfig config = tinyConfig();
    config.trainer.totalTrainingSteps = 1;
    config.trainer.testFreq = config.trainer.probeFreq = 0;
    config.trainer.valBeforeTrain = false;
    config.student.freezeVision = config.student.freezeLanguage = true;
    Harness h = harness("frozen", config);
    h.open();
    std::map<std::string, at::Tensor> before;
    for (const auto& item : h.run->student()->named_parameters()) before[item.key()] = item.value().detach().clone();
    h.finish();
    for (const auto& item : h.run->student()->named_parameters()) {
      const std::string& name = item.key();
      const bool trains =
          name.find(".sink_") != std::string::npos && name.find("sink_cross_attns.10.") == std::string::npos;
      QVERIFY2(at::equal(before[name], item.value()) != trains, name.c_str());
    }
  }

  void rowsThatAreTooLongAreLeftOutAndCounted() {
    RunConfig config = tinyConfig();
    config.data.maxPromptLength = 4;
    Harness h = harness("long", config);
    config.trainer.valBeforeTrain = false;
    config.trainer.probeFreq = 0;
    h.config = config;
    h.open();
    QVERIFY_THROWS_EXCEPTION(Error, h.run->advance({}));
    QVERIFY(RunReader(h.directory).status()->state == RunState::Failed);
  }

  void epochsAreOtherPermutationsAndDropTheRest() {
    DataCursor cursor(7, true, 3);
    std::vector<std::int64_t> first, second;
    for (int batch = 0; batch < 2; ++batch) {
      cursor.beginBatch(3);
      for (int i = 0; i < 3; ++i) first.push_back(cursor.next());
    }
    QCOMPARE(cursor.epoch(), std::int64_t(0));
    DataCursor resumed(7, true, 3);
    resumed.restore(cursor.epoch(), cursor.position());
    for (DataCursor* c : {&cursor, &resumed}) {
      c->beginBatch(3);
      second.clear();
      for (int i = 0; i < 3; ++i) second.push_back(c->next());
      QCOMPARE(c->epoch(), std::int64_t(1));
    }
    DataCursor again(7, true, 3);
    again.restore(1, 0);
    QCOMPARE(again.next(), second[0]);
    std::sort(first.begin(), first.end());
    QVERIFY(std::unique(first.begin(), first.end()) == first.end());
    DataCursor plain(3, false, 3);
    for (std::int64_t i = 0; i < 6; ++i) QCOMPARE(plain.next(), i % 3);
  }

  void wilsonsIntervalHoldsTheShare() {
    const auto [low, high] = wilson(50, 100);
    QVERIFY(std::abs(low - 0.4038) < 1e-3 && std::abs(high - 0.5962) < 1e-3);
    QCOMPARE(wilson(0, 10).first, 0.0);
    QCOMPARE(wilson(10, 10).second, 1.0);
  }

  void evidenceIsMeasuredOnTheTokenGrid() {
    const auto cover =
        evidenceCover({{0, 0, 0, 48, 32, ""}, {0, 0, 0, 32, 32, ""}, {1, 0, 0, 96, 96, ""}}, 0, 96, 96, 3, 3);
    QCOMPARE(cover, (std::vector<float>{1, 0.5f, 0, 0, 0, 0, 0, 0, 0}));
  }
};

QTEST_GUILESS_MAIN(TestRun)
#include "tst_run.moc"
