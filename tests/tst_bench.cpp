// The measurements on a small model of the goldens: names, fields, and that the work is what it says (ids, loss).
#include <torch/types.h>

#include <QTemporaryDir>
#include <QtTest>

#include "engine/core/failure.h"
#include "engine/evaluate/bench.h"
#include "engine/evaluate/bench_workload.h"
#include "engine/evaluate/train_step.h"
#include "engine/model/generate.h"
#include "engine/model/safetensors.h"

using namespace cuescope;

class TestBench : public QObject {
  Q_OBJECT

  QTemporaryDir m_dir;
  std::string folder() const { return m_dir.path().toStdString(); }

  // Rows of unequal length with one image of 4 x 4 patches, right-padded, as the workload's maker writes them.
  void writeWorkload(const Qwen3VLConfig& config, bool withTeacher = true) {
    constexpr std::int64_t kRows = 3, kResponse = 6;
    const at::Tensor responses = at::randint(20, 1000, {kRows, kResponse}, at::kLong);
    const auto padded = [&](std::int64_t text, bool teacher) {
      std::vector<std::vector<std::int64_t>> rows;
      for (std::int64_t b = 0; b < kRows; ++b) {
        std::vector<std::int64_t> row = {50 + b, config.visionStart};
        row.insert(row.end(), 4, config.imageToken);
        row.push_back(config.visionEnd);
        for (std::int64_t i = 0; i < text - 2 * b; ++i) row.push_back(100 + 7 * i + b);
        for (std::int64_t i = 0; teacher && i < kResponse; ++i) row.push_back(responses[b][i].item<std::int64_t>());
        rows.push_back(row);
      }
      at::Tensor ids = at::zeros({kRows, static_cast<std::int64_t>(rows[0].size())}, at::kLong), mask = at::zeros_like(ids);
      for (std::int64_t b = 0; b < kRows; ++b)
        for (std::size_t i = 0; i < rows[static_cast<std::size_t>(b)].size(); ++i) {
          ids[b][static_cast<std::int64_t>(i)] = rows[static_cast<std::size_t>(b)][i];
          mask[b][static_cast<std::int64_t>(i)] = 1;
        }
      return std::pair(ids, mask);
    };
    const auto [ids, mask] = padded(12, false);
    const auto [teacherIds, teacherMask] = padded(17, true);
    NamedTensors all = {{"input_ids", ids}, {"attention_mask", mask}, {"response_ids", responses}, {"teacher_ids", teacherIds},
                        {"pixel_values", at::randn({kRows * 16, 1536})}, {"image_grid_thw", at::tensor({1, 4, 4}, at::kLong).repeat({kRows, 1})}};
    if (withTeacher) all.emplace_back("teacher_mask", teacherMask);
    writeSafetensors(folder() + "/workload.safetensors", all);
  }

 private Q_SLOTS:
  void initTestCase() {
    at::manual_seed(3);
    QVERIFY(m_dir.isValid());
    const QDir model(CUESCOPE_GOLDEN "/tiny-student-vicur");
    for (const QString& file : model.entryList(QDir::Files)) QVERIFY(QFile::copy(model.filePath(file), m_dir.filePath(file)));
    writeWorkload(Qwen3VLConfig::read(folder()));
  }

  void everyMeasurementIsThereAndSaysWhatItDid() {
    BenchRequest request;
    request.model = folder();
    request.repeat = 2;
    request.newTokens = 20;
    std::vector<std::string> names;
    const auto lines = runBench(request, "cpu", "float32", [&](const BenchLine& line) { names.push_back(line.name); });
    QCOMPARE(names, (std::vector<std::string>{"load", "prefill_b1", "decode_b1", "decode_b3", "capture_b1", "distill_step", "train_step", "tokenize", "image"}));
    QCOMPARE(lines.size(), names.size());
    for (const BenchLine& line : lines) QVERIFY(line.bestMs > 0 && line.medianMs >= line.bestMs && line.peakRssMb > 10);

    const auto model = Qwen3VL::load(folder(), "cpu", "float32");
    const BenchWorkload work = readBenchWorkload(folder() + "/workload.safetensors");
    SamplingOptions greedy;
    greedy.ignoreEos = true;
    greedy.maxNew = 16;
    const auto ids = generate(*model, {work.prompts[0]}, greedy, {}, {})[0].ids;
    QCOMPARE(lines[2].ids, ids);
    QCOMPARE(lines[3].ids, ids);
    QVERIFY(lines[1].tokensPerSecond > 0 && lines[4].ids.empty());
  }

  void theStepsLossAndGradientsAreThoseOfThePlainExpression() {
    const BenchWorkload work = readBenchWorkload(folder() + "/workload.safetensors");
    const auto model = Qwen3VL::load(folder(), "cpu", "float32"), plain = Qwen3VL::load(folder(), "cpu", "float32");
    TrainStep step(model, work, TrainStep::Responses::Recorded);
    const double loss = step.run();

    for (at::Tensor& parameter : plain->parameters()) parameter.set_requires_grad(true);
    const auto scores = [&](const std::vector<RowInput>& rows) {
      const Rows packed = packRows(plain->config(), rows);
      const at::Tensor states = plain->forward(packed);
      std::vector<at::Tensor> parts;
      for (std::size_t r = 0; r < rows.size(); ++r) parts.push_back(states.narrow(0, packed.offsets[r + 1] - 7, 6));
      return at::log_softmax(plain->logits(at::cat(parts)), -1).gather(1, work.responses.view({-1, 1})).squeeze(1);
    };
    std::vector<RowInput> studentRows = work.prompts;
    for (std::size_t r = 0; r < studentRows.size(); ++r)
      for (std::int64_t i = 0; i < work.responses.size(1); ++i) studentRows[r].ids.push_back(work.responses[static_cast<std::int64_t>(r)][i].item<std::int64_t>());
    const at::Tensor t = scores(work.teacherRows).detach(), l = scores(studentRows);
    const at::Tensor want = ((l - l.detach()).exp() * (l.detach() - t).clamp(-10, 10)).mean();
    QVERIFY(std::abs(loss - want.item<double>()) < 1e-5);
    want.backward();
    double square = 0;
    for (const at::Tensor& parameter : plain->parameters())
      if (parameter.grad().defined()) square += parameter.grad().to(at::kDouble).square().sum().item<double>();
    const double clip = std::min(1.0, 1 / (std::sqrt(square) + 1e-6));  // as a run does
    const auto got = model->named_parameters();
    int compared = 0;
    for (const auto& item : plain->named_parameters()) {
      const at::Tensor& gradient = got[item.key()].grad();
      if (!item.value().grad().defined()) {  // a module that reached no response token
        QVERIFY2(gradient.abs().max().item<double>() == 0, item.key().c_str());
        continue;
      }
      ++compared;
      const at::Tensor wanted = item.value().grad() * clip;
      QVERIFY2((gradient - wanted).abs().max().item<double>() <= 2e-6 + 1e-4 * wanted.abs().max().item<double>(), item.key().c_str());
      QVERIFY2(!at::equal(got[item.key()], item.value()) || gradient.abs().max().item<double>() == 0, item.key().c_str());
    }
    QVERIFY(compared > 50);
  }

  void onlyTheNamedOnesAreMeasuredAndUnknownNamesAreRefused() {
    BenchRequest request;
    request.model = folder();
    request.repeat = 1;
    request.only = {"prefill_b1"};
    const auto lines = runBench(request, "cpu", "float32", {});
    QCOMPARE(lines.size(), 2u);  // loading is always told
    QCOMPARE(QString::fromStdString(lines[1].name), QString("prefill_b1"));
    request.only = {"prefill_b2"};
    QVERIFY_THROWS_EXCEPTION(Error, runBench(request, "cpu", "float32", {}));
  }

  void aWorkloadThatLacksATensorIsRefused() {
    writeWorkload(Qwen3VLConfig::read(folder()), false);
    QVERIFY_THROWS_EXCEPTION(Error, readBenchWorkload(folder() + "/workload.safetensors"));
  }
};

QTEST_GUILESS_MAIN(TestBench)
#include "tst_bench.moc"
