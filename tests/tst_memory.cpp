// Memory: a step that is repeated after a shortage has the same result, three shortages end the run with its plan, the plan's
// arithmetic is that of counted allocations, and features of frozen towers are computed once.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>

#include "engine/core/failure.h"
#include "engine/data/dataset.h"
#include "engine/distill/memory.h"
#include "engine/distill/plan_sizes.h"
#include "engine/distill/planner.h"
#include "engine/distill/rollout.h"
#include "engine/distill/run.h"
#include "engine/model/text_decoder.h"
#include "tests/support/golden.h"
#include "tests/support/run_parts.h"

#include <QtTest/QtTest>
#include <cmath>
#include <mutex>
#include <unordered_map>

using namespace cuescope;

namespace {

/// LibTorch's allocator with a count of what lives, and allocations that fail on demand.
class WatchedAllocator final : public at::Allocator {
 public:
  at::DataPtr allocate(std::size_t bytes) override {
    if (failIn > 0 && --failIn == 0) {
      ++failed;
      if (forGood) failIn = 1;
      TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes, " bytes. Error code 12");
    }
    at::DataPtr data = m_base->allocate(bytes);
    void* at = data.release_context();
    const std::lock_guard lock(s_mutex);
    s_sizes[at] = static_cast<std::int64_t>(bytes);
    live += static_cast<std::int64_t>(bytes);
    peak = std::max(peak, live);
    return {at, at, &WatchedAllocator::free, at::Device(at::kCPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &WatchedAllocator::free; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }

  static inline std::int64_t live = 0, peak = 0;
  std::int64_t failIn = 0;  // the n-th allocation from now fails; 0: none
  int failed = 0;
  bool forGood = false;

 private:
  static void free(void* at) {
    {
      const std::lock_guard lock(s_mutex);
      if (const auto found = s_sizes.find(at); found != s_sizes.end()) {
        live -= found->second;
        s_sizes.erase(found);
      }
    }
    c10::GetDefaultCPUAllocator()->raw_deleter()(at);
  }
  static inline std::mutex s_mutex;
  static inline std::unordered_map<void*, std::int64_t> s_sizes;
  at::Allocator* m_base = c10::GetDefaultCPUAllocator();
};

WatchedAllocator& allocator() {
  static WatchedAllocator one;
  return one;
}

RowSource rows(std::int64_t count) {
  return test::tinyRows(count, [](std::int64_t, Sample& sample) { sample.cue = "A shape in the corner."; });
}

RunConfig tinyConfig() {
  RunConfig config;
  config.trainer.totalTrainingSteps = 2;
  config.trainer.saveFreq = config.trainer.testFreq = config.trainer.probeFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.trainer.seed = 11;
  config.data.trainBatchSize = 4;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 6;
  config.distillation.topk = 8;
  config.actor.lr = 1e-3;
  config.teacher.privilege = "cue";
  return config;
}

struct Harness {
  RunConfig config = tinyConfig();
  std::vector<StepPtr> steps;
  std::vector<std::string> lines;
  std::unique_ptr<Run> run;

  void open(const std::string& directory) {
    static const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    RunParts parts;
    parts.student = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    parts.teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
    parts.studentProcessor = parts.teacherProcessor = processor;
    parts.train = rows(8);
    parts.studentFiles = golden::path("tiny-student-vicur");
    run = std::make_unique<Run>(config, std::move(parts), directory, "", [this](const Event& event) {
      if (auto step = std::get_if<StepPtr>(&event)) steps.push_back(*step);
      if (auto line = std::get_if<LogLine>(&event)) lines.push_back(line->text);
    });
  }
  /// `phase`: its first unit after each entry finds no memory for its n-th tensor, `times` times a step.
  void finish(const std::string& phase = {}, int nth = 0, int times = 0) {
    int left = times, step = 0;
    for (bool more = true; more;) {
      const RunStatus status = run->status();
      if (status.step != step) left = times;
      step = status.step;
      if (left > 0 && status.phase == phase) {
        allocator().failIn = nth;
        const int before = allocator().failed;
        more = run->advance({});
        left -= allocator().failed - before;
        allocator().failIn = 0;
      } else {
        more = run->advance({});
      }
    }
  }
  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> out;
    for (const auto& p : run->student()->parameters()) out.push_back(p.detach().clone());
    return out;
  }
};

/// Prompts of golden pictures with responses of 6 to 9 tokens, scored by a teacher.
struct Batch {
  RunConfig config = tinyConfig();
  std::vector<std::unique_ptr<ReadyRow>> ready;
  std::vector<TrainingRow> rows;
  std::vector<const TrainingRow*> pointers;
  std::vector<PlanRow> planned;

  Batch(const Qwen3VL& student, Teacher& teacher, std::size_t count) : rows(count) {
    const auto processor = std::make_shared<Processor>(golden::path("tiny-student"));
    const Preparer preparer(config, processor, processor, 4096);
    const RowSource source = ::rows(static_cast<std::int64_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
      RowProblem problem;
      ready.push_back(preparer.prepare(source.row(static_cast<std::int64_t>(i)), &problem));
      rows[i].prompt = &ready[i]->student;
      for (std::size_t t = 0; t < 6 + i % 4; ++t) rows[i].response.push_back(static_cast<std::int64_t>(30 + 7 * t + i));
      const RowInput* prompt = &ready[i]->teacher;
      const TokenIds* response = &rows[i].response;
      rows[i].teacher = teacher.score({&prompt, 1}, {&response, 1}, config.distillation.topk)[0];
      pointers.push_back(&rows[i]);
      planned.push_back(planRowOf(ready[i]->student, ready[i]->teacher, student));
      planned.back().responseTokens = static_cast<double>(rows[i].response.size());
    }
  }
  BackwardResult backward(const Qwen3VL& student) const {
    return backwardRows(student, pointers, stepOptions(config), normalizersOf(pointers, 12), nullptr);
  }
};

std::shared_ptr<Qwen3VL> freshStudent() {
  auto student = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
  for (auto& parameter : student->parameters()) parameter.set_requires_grad(true);
  return student;
}

double ratio(std::int64_t planned, std::int64_t counted) { return static_cast<double>(planned) / static_cast<double>(counted); }

}  // namespace

class TestMemory : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  std::string directory(const char* name) const { return m_folder.path().toStdString() + "/" + name; }

 private Q_SLOTS:
  void initTestCase() { c10::SetCPUAllocator(&allocator(), 200); }

  void onlyShortagesOfMemoryCountAsSuch() {
    QVERIFY(isOutOfMemory(std::bad_alloc()));
    QVERIFY(!isOutOfMemory(std::runtime_error("out of memory")));  // not LibTorch's
    QVERIFY(!isOutOfMemory(Error("x", "y")));
    allocator().failIn = 1;
    bool told = false;
    try {
      at::empty({4});
    } catch (const std::exception& error) {
      told = isOutOfMemory(error);
    }
    QVERIFY(told);
  }

  void aStepThatRanOutOfMemoryIsRepeatedWithTheSameResult_data() {
    QTest::addColumn<QString>("phase");
    QTest::addColumn<int>("nth");
    QTest::addColumn<int>("times");
    QTest::newRow("rollout") << "rollout" << 20 << 1;
    QTest::newRow("score") << "score" << 30 << 1;
    QTest::newRow("forward") << "backward" << 40 << 1;
    QTest::newRow("backward, deep inside") << "backward" << 700 << 1;
    QTest::newRow("three times in a step") << "backward" << 200 << 3;
  }
  void aStepThatRanOutOfMemoryIsRepeatedWithTheSameResult() {
    QFETCH(QString, phase);
    QFETCH(int, nth);
    QFETCH(int, times);
    static const auto undisturbed = [this] {
      auto h = std::make_unique<Harness>();
      h->open(directory("undisturbed"));
      h->finish();
      return h;
    }();
    Harness h;
    h.open(directory(QTest::currentDataTag()));
    allocator().failed = 0;
    h.finish(phase.toStdString(), nth, times);
    QCOMPARE(allocator().failed, 2 * times);  // two steps
    QCOMPARE(h.steps.size(), undisturbed->steps.size());
    for (std::size_t i = 0; i < h.steps.size(); ++i) {
      for (const char* name : {"actor/loss", "actor/grad_norm", "response_length/mean", "distillation/gap", "actor/entropy"}) {
        const double a = undisturbed->steps[i]->metrics.at(name), b = h.steps[i]->metrics.at(name);
        QVERIFY2(std::abs(a - b) <= 1e-5 * std::max(1.0, std::abs(a)), name);
      }
      QCOMPARE(h.steps[i]->metrics.at("perf/memory_shortages"), static_cast<double>(times));
    }
    const auto want = undisturbed->weights(), got = h.weights();
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double apart = (want[i] - got[i]).abs().max().item<double>();
      QVERIFY2(apart <= (phase == "rollout" ? 1e-6 : 2e-5), qPrintable(QString::number(apart)));
    }
    QVERIFY(std::any_of(h.lines.begin(), h.lines.end(), [](const std::string& line) { return line.find("Memory ran out") == 0; }));
  }

  void afterThreeTriesTheRunStopsWithItsPlan() {
    for (const char* policy : {"halve", "stop"}) {
      Harness h;
      h.config.actor.oomPolicy = policy;
      h.open(directory(policy));
      while (h.run->status().phase != "backward") h.run->advance({});
      allocator().failed = 0;
      allocator().forGood = true;
      QString text;
      try {
        for (int i = 0; i < 20; ++i) {
          allocator().failIn = 50;
          h.run->advance({});
        }
      } catch (const Error& error) {
        text = QString::fromStdString(error.failure().text());
      }
      allocator().forGood = false;
      allocator().failIn = 0;
      QCOMPARE(allocator().failed > 0, true);
      for (const char* word : {"memory is not enough", "activations", "optimizer", "kv_cache", "peak"}) QVERIFY2(text.contains(word), qPrintable(text));
      QCOMPARE(h.run->status().state, RunState::Failed);
    }
  }

  void plannedActivationsAreThoseThatAreAllocated() {
    const auto student = freshStudent();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    for (const std::size_t count : {2, 6}) {
      for (const bool recompute : {false, true}) {
        Batch batch(*student, teacher, count);
        batch.config.student.gradientCheckpointing = recompute;
        batch.backward(*student);  // gradients are there from now on
        const std::int64_t before = WatchedAllocator::live;
        WatchedAllocator::peak = before;
        batch.backward(*student);
        const std::int64_t counted = WatchedAllocator::peak - before;
        const std::int64_t planned = trainingPassBytes(sizesOf(*student), batch.planned, batch.config, false);
        QVERIFY2(std::abs(ratio(planned, counted) - 1) <= (recompute ? 0.35 : 0.1),
                 qPrintable(QString("%1 rows, %2: planned %3, counted %4").arg(count).arg(recompute ? "recomputed" : "kept").arg(planned).arg(counted)));
      }
    }
  }

  void plannedKeysAndValuesAreThoseThatAreAllocated() {
    const auto student = freshStudent();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    Batch batch(*student, teacher, 6);
    batch.config.data.maxResponseLength = 12;
    std::vector<RowInput> prompts;
    for (const auto& ready : batch.ready) prompts.push_back(ready->student);
    for (const int places : {0, 3}) {
      batch.config.rollout.maxNumSeqs = places;
      const auto generation = startRollout(*student, prompts, batch.config, 0, 0, rolloutLimits(*student, batch.config));
      while (generation->advance(0, {})) {
      }
      const std::int64_t planned = keyValueBytes(sizesOf(*student), batch.planned, batch.config, false, false);
      QVERIFY(generation->costs().peakKvBytes <= planned);
      QVERIFY(ratio(planned, generation->costs().peakKvBytes) <= 1.15);
    }
  }

  void aPlanDecodesAsManyResponsesAtOnceAsTheDeviceDoes() {
    const auto student = freshStudent();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    const Batch batch(*student, teacher, 4);
    const ModelSizes sizes = sizesOf(*student);
    RunConfig config = batch.config;
    config.rollout.n = 1;
    config.rollout.kvCacheMib = 0;
    const std::vector<PlanRow> rows(100, batch.planned.front());
    const std::int64_t one = keyValueBytes(sizes, {rows.front()}, config, false, false);
    config.rollout.maxNumSeqs = 0;
    QCOMPARE(rolloutLimits(*student, config).rowsAtOnce, rolloutPlaces(config, false));
    QCOMPARE(keyValueBytes(sizes, rows, config, false, false), 16 * one);
    QCOMPARE(keyValueBytes(sizes, rows, config, false, true), 64 * one);
    config.rollout.maxNumSeqs = 5;
    for (const bool cuda : {false, true}) QCOMPARE(keyValueBytes(sizes, rows, config, false, cuda), 5 * one);
    PlanInputs in;
    in.config = config;
    in.config.rollout.maxNumSeqs = 0;
    in.config.data.trainBatchSize = 100;
    in.student = sizes;
    in.rows = batch.planned;
    in.trainRows = 100;
    const std::int64_t cpu = planOf(in).row("kv_cache")->bytes;
    in.device = "cuda:0";
    QVERIFY(planOf(in).row("kv_cache")->bytes > 3 * cpu);
  }

  void aPlanAddsUp() {
    const auto student = freshStudent();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    const Batch batch(*student, teacher, 4);
    PlanInputs in;
    in.config = batch.config;
    in.student = sizesOf(*student);
    in.teachers = {sizesOf(teacher.model())};
    in.rows = batch.planned;
    in.trainRows = 8;
    in.baseline = 1000;
    const RunPlan plan = planOf(in);
    std::int64_t parameters = 0, resident = 0;
    for (const auto& p : student->parameters()) parameters += p.numel();
    QCOMPARE(plan.row("weights")->bytes, 4 * parameters);
    QCOMPARE(plan.row("gradients")->bytes, 4 * parameters);
    QCOMPARE(plan.row("optimizer")->bytes, 8 * parameters);
    std::int64_t widest = 0;
    double seconds = 0;
    for (const auto& row : plan.rows) resident += row.resident ? row.bytes : 0;
    for (const auto& phase : plan.phases) widest = std::max(widest, phase.bytes);
    for (const auto& phase : plan.phases) seconds += phase.times == 2 ? phase.seconds : 0;
    QCOMPARE(plan.residentBytes, resident);
    QCOMPARE(plan.peakBytes, widest + 1000);
    QVERIFY(std::abs(plan.secondsPerStep - seconds) < 1e-12);
    in.config.student.gradientCheckpointing = true;
    QVERIFY(planOf(in).peakBytes < plan.peakBytes);
    in.config.student.gradientCheckpointing = false;
    in.config.actor.microBatchTokens = 60;
    QVERIFY(planOf(in).peakBytes < plan.peakBytes);
    in.config.actor.dtype = "bfloat16";
    QCOMPARE(planOf(in).dtype, std::string("bfloat16"));
    for (const char* word : {"weights", "peak", "one step", "Assumed"})
      QVERIFY2(planTable(plan).find(word) != std::string::npos || std::string(word) == "Assumed", word);
  }

  void aFrozenTowerRunsOncePerPicture() {
    const auto student = freshStudent();
    RunConfig config = tinyConfig();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    const Batch batch(*student, teacher, 6);
    std::vector<RowInput> prompts;
    for (const auto& ready : batch.ready) prompts.push_back(ready->student);
    const auto answers = [&](VisionCache* cache) {
      const auto generation = startRollout(*student, prompts, config, 3, 0, rolloutLimits(*student, config, 2, cache));
      while (generation->advance(0, {})) {
      }
      return generation->results();
    };
    VisionCache cache;
    const auto plain = answers(nullptr), first = answers(&cache), second = answers(&cache);
    QCOMPARE(cache.misses(), 2);  // two different pictures in six rows
    QCOMPARE(cache.hits(), 10);
    for (std::size_t r = 0; r < plain.size(); ++r) {
      QCOMPARE(first[r].ids, plain[r].ids);
      QCOMPARE(second[r].logProbs, first[r].logProbs);
      for (std::size_t t = 0; t < plain[r].ids.size(); ++t) QVERIFY(std::abs(first[r].logProbs[t] - plain[r].logProbs[t]) <= 1e-4f);
    }
  }

  void aFrozenTeachersPromptIsComputedOnce() {
    const auto student = freshStudent();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    const Batch batch(*student, teacher, 4);
    std::vector<const RowInput*> prompts;
    std::vector<const TokenIds*> responses;
    for (std::size_t r = 0; r < batch.rows.size(); ++r) {
      prompts.push_back(&batch.ready[r]->teacher);
      responses.push_back(&batch.rows[r].response);
    }
    const at::NoGradGuard noGrad;
    const Qwen3VL& model = teacher.model();
    const ResponseRows packed = packResponses(model.config(), prompts, responses);
    ForwardOptions options;
    options.tails = packed.tails;
    const at::Tensor want = model.forward(packed.rows, options).index_select(0, packed.predicting);
    VisionCache vision;
    PromptCache cache(model);
    const at::Tensor first = cache.predicting(prompts, responses, &vision), second = cache.predicting(prompts, responses, &vision);
    QVERIFY(at::allclose(first, want, 1e-4, 1e-4));
    QVERIFY(at::equal(first, second));
    QCOMPARE(cache.misses(), 4);
    QCOMPARE(cache.hits(), 4);
    QCOMPARE(vision.misses(), 2);
    // One that is full keeps the latest only, and the states stay the same bits.
    PromptCache small(model, 1);
    QVERIFY(at::equal(small.predicting(prompts, responses, &vision), first));
    QVERIFY(at::equal(small.predicting(prompts, responses, &vision), first));
    QCOMPARE(small.hits(), 1);  // the latest
  }

  void aBfloat16StepStaysNearFloat32() {
    const auto exact = freshStudent(), narrow = freshStudent();
    Teacher teacher(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32"));
    const Batch batch(*exact, teacher, 4);
    narrow->setActivationType(at::kBFloat16);
    const BackwardResult want = batch.backward(*exact), got = batch.backward(*narrow);
    QVERIFY2(std::abs(want.loss - got.loss) <= 0.02 * std::abs(want.loss), qPrintable(QString("%1 and %2").arg(want.loss).arg(got.loss)));
    QVERIFY(want.loss != got.loss);  // it did compute in bfloat16
    double dot = 0, a = 0, b = 0;
    const auto named = narrow->named_parameters();
    for (const auto& item : exact->named_parameters()) {
      if (!item.value().grad().defined()) continue;
      const at::Tensor& theirs = named[item.key()].grad();
      QVERIFY2(theirs.defined() && theirs.scalar_type() == at::kFloat, item.key().c_str());
      dot += (item.value().grad() * theirs).sum().item<double>();
      a += item.value().grad().square().sum().item<double>();
      b += theirs.square().sum().item<double>();
    }
    // Weights of a tiny random model: 8 bits of mantissa in ten layers leave a direction like this.
    QVERIFY2(dot / std::sqrt(a * b) > 0.98, qPrintable(QString::number(dot / std::sqrt(a * b))));
  }

  void masterWeightsAddUpUpdatesBelowBfloat16sStep() {
    const auto student = freshStudent();
    student->setActivationType(at::kBFloat16);
    Optimizer::Named all;
    for (auto& item : student->named_parameters()) all.emplace_back(item.key(), item.value());
    Optimizer optimizer(all, {.lr = 1e-6, .weightDecay = 0});
    const at::Tensor& weight = student->text().layers()[0]->mlp->gate->weight;
    const at::Tensor& copy = student->text().layers()[0]->mlp->gate->narrow;
    const at::Tensor before = weight.detach().clone(), copyBefore = copy.clone();
    constexpr int kSteps = 20;
    for (int i = 0; i < kSteps; ++i) {
      optimizer.zeroGrad();
      weight.mutable_grad().fill_(0.01);
      optimizer.step();
      student->refreshNarrowWeights();
    }
    const at::Tensor moved = before - weight.detach();
    QVERIFY(std::abs(moved.mean().item<double>() - kSteps * 1e-6) < 0.05 * kSteps * 1e-6);
    QVERIFY((copy != copyBefore).to(at::kFloat).mean().item<double>() < 0.2);  // too small for most of the copies
    QVERIFY(at::equal(copy, weight.detach().to(at::kBFloat16)));
  }

  void aGapBetweenSamplingAndTrainingIsTold() {
    Harness h;
    h.config.rollout.gapAlarm = 1e-12;
    h.open(directory("gap"));
    h.finish();
    QCOMPARE(h.steps[0]->metrics.at("training/rollout_gap_alarm"), 1.0);
    QVERIFY(h.steps[0]->metrics.at("training/rollout_logprob_diff_mean") < 1e-4);
    QVERIFY(std::any_of(h.lines.begin(), h.lines.end(), [](const std::string& line) { return line.find("sampled policy") != std::string::npos; }));
  }
};

QTEST_GUILESS_MAIN(TestMemory)
#include "tst_memory.moc"
