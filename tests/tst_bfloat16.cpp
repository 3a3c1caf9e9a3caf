// bfloat16 compute over float32 weights: a token's states are the same bits however it is computed, so that the sampled policy is the
// trained one; attention's gradient; whole runs that start where their teachers start, resume bit for bit and learn.
#include <ATen/ATen.h>

#include "engine/data/dataset.h"
#include "engine/distill/memory.h"
#include "engine/distill/plan_sizes.h"
#include "engine/distill/run.h"
#include "engine/kernels/kernels.h"
#include "engine/model/generation.h"
#include "engine/model/narrow_attention.h"
#include "engine/model/text_decoder.h"
#include "tests/support/golden.h"
#include "tests/support/run_parts.h"

#include <QtTest/QtTest>
#include <cmath>

using namespace cuescope;

namespace {

std::shared_ptr<Qwen3VL> narrowStudent(const char* name = "tiny-student-vicur", const char* stored = "float32") {
  auto model = Qwen3VL::load(golden::path(name), "cpu", stored);
  model->setActivationType(at::kBFloat16);
  return model;
}

RowSource rows(std::int64_t count) {
  return test::tinyRows(count, [](std::int64_t i, Sample& sample) {
    sample.cue = "A shape in the corner.";
    sample.kind = i % 2 == 0 ? "even" : "odd";
  });
}

RunConfig tinyConfig() {
  RunConfig config;
  config.trainer.totalTrainingSteps = 3;
  config.trainer.saveFreq = config.trainer.testFreq = config.trainer.probeFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.trainer.seed = 11;
  config.data.trainBatchSize = 4;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 12;
  config.distillation.topk = 8;
  config.actor.lr = 1e-3;
  config.actor.microBatchTokens = 130;
  config.actor.dtype = "bfloat16";
  config.teacher.privilege = "cue";
  return config;
}

std::vector<RowInput> promptsOf(std::int64_t count) {
  const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
  const RunConfig config = tinyConfig();
  const Preparer preparer(config, processor, processor, 4096);
  std::vector<RowInput> prompts;
  for (std::int64_t i = 0; i < count; ++i) {
    RowProblem problem;
    prompts.push_back(preparer.prepare(rows(count).row(i), &problem)->student);
  }
  return prompts;
}

struct Harness {
  RunConfig config = tinyConfig();
  std::string directory;
  std::vector<StepPtr> steps;
  std::vector<std::string> lines;
  std::unique_ptr<Run> run;

  void open(const std::string& resumeFrom = {}) {
    static const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    const auto load = [&](const std::string& folder) { return Qwen3VL::load(folder, "cpu", "float32"); };
    const auto frozenStart = [&] {
      auto model = load(golden::path("tiny-student-vicur"));
      for (auto& parameter : model->parameters()) parameter.set_requires_grad(false);
      return model;
    };
    RunParts parts;
    parts.student = load(resumeFrom.empty() ? golden::path("tiny-student-vicur") : resumeFrom);
    parts.teacher = config.teacher.kind == "reference" ? Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "bfloat16") : frozenStart();
    if (config.actor.klLossCoef != 0) parts.start = frozenStart();
    parts.studentProcessor = parts.teacherProcessor = processor;
    parts.train = rows(8);
    parts.studentFiles = golden::path("tiny-student-vicur");
    run.reset();
    run = std::make_unique<Run>(config, std::move(parts), directory, resumeFrom, [this](const Event& event) {
      if (auto step = std::get_if<StepPtr>(&event)) steps.push_back(*step);
      if (auto line = std::get_if<LogLine>(&event)) lines.push_back(line->text);
    });
  }
  void finish() {
    while (run->advance({})) {
    }
  }
  double metric(std::size_t step, const char* name) const { return steps.at(step)->metrics.at(name); }
  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> out;
    for (const auto& p : run->student()->parameters()) out.push_back(p.detach().clone());
    return out;
  }
};

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return ((a * b).sum() / (a.norm() * b.norm())).item<double>();
}

}  // namespace

class TestBfloat16 : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  Harness harness(const char* name) const {
    Harness h;
    h.directory = m_folder.path().toStdString() + "/" + name;
    return h;
  }

 private Q_SLOTS:
  void attentionOfAQueryIsTheDefinitionAndDependsOnItsKeysAlone() {
    at::manual_seed(3);
    for (const std::int64_t d : {24, 64}) {
      constexpr std::int64_t kLength = 203;
      const at::Tensor q = at::randn({2, kLength, 6, d}).to(at::kBFloat16).transpose(1, 2), k = at::randn({2, kLength, 2, d}).to(at::kBFloat16).transpose(1, 2),
                       v = at::randn({2, kLength, 2, d}).to(at::kBFloat16).transpose(1, 2);
      at::Tensor sums;
      const at::Tensor all = kernels::causalAttention(q, k, v, &sums);
      const at::Tensor scores = at::matmul(q.to(at::kDouble), k.to(at::kDouble).repeat_interleave(3, 1).transpose(2, 3)) / std::sqrt(static_cast<double>(d)),
                       masked = scores.masked_fill(at::ones({kLength, kLength}).triu(1).to(at::kBool), -std::numeric_limits<double>::infinity());
      const at::Tensor want = at::matmul(at::softmax(masked, -1), v.to(at::kDouble).repeat_interleave(3, 1));
      QVERIFY(((all.to(at::kDouble) - want).abs() <= 1e-6 + want.abs() / 256).all().item<bool>());  // one rounding of the result
      QVERIFY((sums - at::logsumexp(masked, {-1})).abs().max().item<double>() < 1e-5);
      for (const std::int64_t n : {1, 2, 17, 100}) {  // the last n alone
        const auto last = [&](const at::Tensor& x) { return x.narrow(2, kLength - n, n); };
        QVERIFY(at::equal(kernels::causalAttention(last(q), k, v), last(all)));
      }
      for (const std::int64_t length : {1, 64, 65, 130}) {  // without what comes later
        const auto first = [&](const at::Tensor& x) { return x.narrow(2, 0, length); };
        QVERIFY(at::equal(kernels::causalAttention(first(q), first(k), first(v)), first(all)));
      }
      const at::Tensor packed = k.contiguous();  // other strides
      QVERIFY(at::equal(kernels::causalAttention(q, packed, v), all));
    }
  }

  void attentionsGradientIsThatOfTheDefinition() {
    at::manual_seed(4);
    for (const std::int64_t n : {37, 9}) {
      const at::Tensor q = at::randn({2, 4, n, 32}), k = at::randn({2, 2, 37, 32}), v = at::randn({2, 2, 37, 32}), g = at::randn({2, 4, n, 32});
      std::vector<at::Tensor> narrow, wide;
      for (const at::Tensor& x : {q, k, v}) {
        narrow.push_back(x.to(at::kBFloat16).set_requires_grad(true));
        wide.push_back(x.to(at::kBFloat16).to(at::kDouble).set_requires_grad(true));
      }
      narrowAttention(narrow[0], narrow[1], narrow[2]).backward(g.to(at::kBFloat16));
      const at::Tensor scores = at::matmul(wide[0], wide[1].repeat_interleave(2, 1).transpose(2, 3)) / std::sqrt(32.0);
      const at::Tensor seen = scores.masked_fill(at::ones({n, 37}).triu(37 - n + 1).to(at::kBool), -std::numeric_limits<double>::infinity());
      at::matmul(at::softmax(seen, -1), wide[2].repeat_interleave(2, 1)).backward(g.to(at::kBFloat16).to(at::kDouble));
      for (std::size_t i = 0; i < 3; ++i) {
        const double near = cosine(narrow[i].grad().to(at::kDouble), wide[i].grad());
        QVERIFY2(near > 0.9999, qPrintable(QString("%1 of %2 queries: %3").arg(i).arg(n).arg(1 - near)));
      }
    }
  }

  void aTokensStatesAreTheSameBitsInAPassAndBehindACache_data() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("stored");
    QTest::newRow("with the module") << "tiny-student-vicur" << "float32";
    QTest::newRow("weights stored narrow") << "tiny-teacher" << "bfloat16";
  }
  void aTokensStatesAreTheSameBitsInAPassAndBehindACache() {
    QFETCH(QString, model);
    QFETCH(QString, stored);
    if (!cpuComputesBfloat16()) QSKIP("The matrix library promises this with bfloat16 instructions alone.");
    const auto student = narrowStudent(qPrintable(model), qPrintable(stored));
    const at::NoGradGuard noGrad;
    const std::vector<RowInput> prompts = promptsOf(5);
    std::vector<std::vector<std::int64_t>> responses(5);
    for (std::size_t r = 0; r < 5; ++r)
      for (std::int64_t t = 0; t < 7; ++t) responses[r].push_back(30 + 7 * t + static_cast<std::int64_t>(r));
    // Whole rows, packed together.
    std::vector<RowInput> whole = prompts;
    std::vector<std::int64_t> begins;
    std::int64_t at = 0;
    for (std::size_t r = 0; r < whole.size(); ++r) {
      begins.push_back(at + static_cast<std::int64_t>(prompts[r].ids.size()) - 1);
      whole[r].ids.insert(whole[r].ids.end(), responses[r].begin(), responses[r].end());
      at += static_cast<std::int64_t>(whole[r].ids.size());
    }
    const at::Tensor all = student->forward(packRows(student->config(), whole));
    QCOMPARE(all.scalar_type(), at::kFloat);
    // Prompts, then token by token, several rows or one at a time.
    for (const std::size_t together : {5, 2, 1}) {
      for (std::size_t first = 0; first < prompts.size(); first += together) {
        const std::size_t end = std::min(prompts.size(), first + together);
        KvCache cache(student->config());
        std::vector<std::int64_t> cacheRows;
        at::Tensor states = prefill(*student, {prompts.begin() + static_cast<std::ptrdiff_t>(first), prompts.begin() + static_cast<std::ptrdiff_t>(end)}, cache, cacheRows, 8);
        for (std::int64_t t = 0; t < 7; ++t) {
          std::vector<std::int64_t> ids;
          for (std::size_t r = first; r < end; ++r) {
            QVERIFY2(at::equal(states[static_cast<std::int64_t>(r - first)], all[begins[r] + t]),
                     qPrintable(QString("row %1, token %2, %3 at a time").arg(r).arg(t).arg(together)));
            ids.push_back(responses[r][static_cast<std::size_t>(t)]);
          }
          states = decodeStep(*student, cache, cacheRows, ids);
        }
      }
    }
  }

  void trainingSeesTheStatesThatInferenceSees() {
    const auto student = narrowStudent();
    for (auto& parameter : student->parameters()) parameter.set_requires_grad(true);
    const Rows packed = packRows(student->config(), promptsOf(3));
    const at::Tensor trained = student->forward(packed);
    QVERIFY(trained.requires_grad());
    const at::NoGradGuard noGrad;
    QVERIFY(at::equal(trained, student->forward(packed)));
    const auto exact = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    QVERIFY(!at::equal(trained, exact->forward(packed)));  // it did compute in bfloat16
  }

  void theSampledPolicyIsTheTrainedOne() {
    const double apart = cpuComputesBfloat16() ? 1e-4 : 0.2;  // without the instructions: rounding of the tiny model
    Harness h = harness("sampled");
    h.open();
    h.finish();
    QCOMPARE(h.steps.size(), std::size_t(3));
    for (std::size_t i = 0; i < h.steps.size(); ++i) {
      QVERIFY2(h.metric(i, "training/rollout_logprob_diff_mean") < apart, qPrintable(QString::number(h.metric(i, "training/rollout_logprob_diff_mean"))));
      QCOMPARE(h.metric(i, "training/rollout_gap_alarm"), h.metric(i, "training/rollout_logprob_diff_mean") > 0.02 ? 1.0 : 0.0);
    }
    for (const auto& parameter : h.run->student()->parameters()) QCOMPARE(parameter.scalar_type(), at::kFloat);
    const bool told = std::any_of(h.lines.begin(), h.lines.end(), [](const std::string& line) { return line.find("no bfloat16 instructions") != std::string::npos; });
    QCOMPARE(told, !cpuComputesBfloat16());
  }

  void theStartAndAnAverageComputeAsTheStudentDoes() {
    for (const char* kind : {"own_start", "ema"}) {
      Harness h = harness(kind);
      h.config.teacher.kind = kind;
      h.config.teacher.privilege = "none";
      h.config.actor.klLossCoef = 0.1;
      h.open();
      h.finish();
      QVERIFY(std::abs(h.metric(0, "distillation/gap")) < 1e-6);  // nothing is learnt yet
      QVERIFY(std::abs(h.metric(0, "actor/kl_loss")) < 1e-6);
      QVERIFY(std::abs(h.metric(2, "actor/kl_loss")) > 1e-6);
    }
  }

  void anAverageThatFollowsComputesWithItsNewWeights() {
    Harness h = harness("follows");
    h.config.teacher.kind = "ema";
    h.config.teacher.privilege = "none";
    h.config.teacher.emaDecay = 0;  // it is the student of the last step
    h.open();
    h.finish();
    for (std::size_t i = 0; i < h.steps.size(); ++i) QVERIFY(std::abs(h.metric(i, "distillation/gap")) < 1e-6);
  }

  void aRunInBfloat16ResumesBitForBit() {
    for (const char* kind : {"reference", "ema"}) {
      Harness whole = harness((std::string("whole-") + kind).c_str());
      whole.config.teacher.kind = kind;
      whole.open();
      whole.finish();
      Harness cut = harness((std::string("cut-") + kind).c_str());
      cut.config.teacher.kind = kind;
      cut.open();
      while (cut.run->status().step < 1) cut.run->advance({});
      while (cut.run->status().phase != "sample") cut.run->advance({});
      const std::string checkpoint = cut.run->checkpoint();
      cut.open(checkpoint);
      cut.finish();
      QVERIFY2(test::sameBits(whole.weights(), cut.weights()), kind);
      QVERIFY2(test::numbers(*whole.steps.back()) == test::numbers(*cut.steps.back()), kind);
    }
  }

  void anOptionOfTheProgramSaysWhatAutoMeans() {
    RunConfig config;
    QCOMPARE(computeTypeOf(config), std::string("float32"));
    QCOMPARE(computeTypeOf(config, "bfloat16"), std::string("bfloat16"));
    config.actor.dtype = "float32";
    QCOMPARE(computeTypeOf(config, "bfloat16"), std::string("float32"));
  }

  void theDemoLearnsInBfloat16AsItDoesInFloat32() {
    constexpr std::size_t kSteps = 8;
    const std::string demo = std::string(CUESCOPE_RESOURCES) + "/demo/";
    double first[2] = {0, 0}, last[2] = {0, 0};
    for (const bool narrow : {false, true}) {
      std::vector<ConfigIssue> issues;
      RunConfig config = readConfig(std::string(CUESCOPE_RESOURCES) + "/presets/demo/opd_vicur.yaml", &issues);
      QVERIFY(issues.empty());
      config.trainer.totalTrainingSteps = static_cast<int>(kSteps);
      config.trainer.testFreq = config.trainer.probeFreq = config.trainer.saveFreq = 0;
      config.trainer.valBeforeTrain = false;
      config.data.trainBatchSize = 4;
      config.actor.lr = 3e-3;
      config.actor.lrWarmupSteps = 1;
      config.actor.dtype = narrow ? "bfloat16" : "float32";
      RunParts parts;
      parts.student = Qwen3VL::load(demo + "student-weak", "cpu", "float32");
      parts.student->addCueRecovery(config.student.cueInterval, config.student.cueInit, true, 1);
      parts.teacher = Qwen3VL::load(demo + "teacher-middle", "cpu", narrow ? "bfloat16" : "float32");
      parts.studentProcessor = parts.teacherProcessor = std::make_shared<Processor>(demo + "student-weak");
      parts.train = rowsOf(std::make_shared<Dataset>(Dataset::open({demo + "data/train.parquet"})));
      parts.train.size = 4;  // the same questions again and again
      parts.studentFiles = demo + "student-weak";
      std::vector<StepPtr> steps;
      Run run(config, std::move(parts), m_folder.path().toStdString() + (narrow ? "/demo-narrow" : "/demo-wide"), "", [&](const Event& event) {
        if (auto step = std::get_if<StepPtr>(&event)) steps.push_back(*step);
      });
      while (run.advance({})) {
      }
      QCOMPARE(steps.size(), kSteps);
      const auto loss = [&](std::size_t step) { return steps[step]->metrics.at("actor/distillation/loss"); };
      first[narrow] = (loss(0) + loss(1)) / 2;
      last[narrow] = (loss(kSteps - 2) + loss(kSteps - 1)) / 2;
      for (const StepPtr& step : steps) {
        const double gap = step->metrics.at("training/rollout_logprob_diff_mean");
        QVERIFY2(gap < (cpuComputesBfloat16() || !narrow ? 1e-4 : 0.02), qPrintable(QString::number(gap)));
      }
    }
    const QString what = QString("float32 %1 to %2, bfloat16 %3 to %4").arg(first[0]).arg(last[0]).arg(first[1]).arg(last[1]);
    qInfo("%s", qPrintable(what));
    QVERIFY2(last[1] < 0.8 * first[1], qPrintable(what));
    // After a few steps other answers are sampled, and which ones depends on how the processor rounds: the way down is the same, its
    // bends are not.
    QVERIFY2(std::abs(last[1] - last[0]) < 0.5 * (first[0] - last[0]), qPrintable(what));
  }
};

QTEST_GUILESS_MAIN(TestBfloat16)
#include "tst_bfloat16.moc"
