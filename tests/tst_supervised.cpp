// The cold start of the demo's models, in small: losses fall, the tower stands still in stage 1, a seed gives the same weights.
#include <torch/types.h>
#include <torch/nn/module.h>

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <QTemporaryDir>
#include <QtTest>

#include "engine/core/failure.h"
#include "engine/data/demo_folder.h"
#include "engine/data/processor.h"
#include "engine/distill/demo_models.h"
#include "engine/distill/supervised.h"
#include "engine/tokenizer/tokenizer.h"

using namespace cuescope;

class TestSupervised : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_folder;
  std::unique_ptr<Tokenizer> m_tokenizer;
  std::string folder() const { return m_folder.path().toStdString(); }

 private Q_SLOTS:
  void initTestCase() {
    at::set_num_threads(1);
    writeDemoProcessor(folder());
    m_tokenizer = Tokenizer::load(folder());
  }

  void pixelsAreThoseOfTheProcessor() {
    const Processor processor(folder());
    DemoRandom random(2);
    const std::vector<DemoScene> scenes{makeDemoScene(random), makeDemoScene(random)};
    const at::Tensor pixels = demoPixels(scenes);
    const VisualInput second = processor.image(drawDemoScene(scenes[1]));
    QCOMPARE(second.grid.h, std::int64_t(12));
    QCOMPARE(second.grid.w, std::int64_t(12));
    QVERIFY(at::allclose(pixels.narrow(0, 144, 144), second.pixelValues, 0, 1e-6));
  }

  void visionAlignmentLearns() {
    Qwen3VL model(demoConfig(false, folder()));
    initialiseDemoModel(model, 1);
    SupervisedOptions options;
    options.steps = 10;
    options.warmupSteps = 3;
    std::vector<double> losses;
    alignVision(model, *m_tokenizer, options, [&](std::int64_t, double loss) { losses.push_back(loss); }, {});
    QCOMPARE(losses.size(), std::size_t(10));
    QVERIFY2(losses.back() < 0.9 * losses.front(), qPrintable(QString("%1 -> %2").arg(losses.front()).arg(losses.back())));
  }

  void textLearnsWhileTheTowerStandsStillAndSeedsRepeat() {
    std::vector<at::Tensor> ends[2];
    for (auto& end : ends) {
      Qwen3VL model(demoConfig(false, folder()));
      initialiseDemoModel(model, 5);
      std::vector<at::Tensor> towerBefore;
      for (const auto& item : model.named_parameters())
        if (item.key().find("visual.") != std::string::npos) towerBefore.push_back(item.value().detach().clone());
      SupervisedOptions options;
      options.steps = 5;
      options.warmupSteps = 1;
      std::vector<double> losses;
      trainText(model, *m_tokenizer, options, [&](std::int64_t, double loss) { losses.push_back(loss); }, {});
      QVERIFY2(losses.back() < losses.front(), qPrintable(QString("%1 -> %2").arg(losses.front()).arg(losses.back())));
      std::size_t i = 0;
      for (const auto& item : model.named_parameters()) {
        end.push_back(item.value().detach());
        if (item.key().find("visual.") != std::string::npos) QVERIFY2(at::equal(item.value(), towerBefore[i++]), item.key().c_str());
      }
    }
    for (std::size_t i = 0; i < ends[0].size(); ++i) QVERIFY(at::equal(ends[0][i], ends[1][i]));
  }

  void scoresAreSharesWithAnInterval() {
    DemoScore score;
    score.byKind["all"] = {500, 1000};
    QCOMPARE(score.accuracy(), 0.5);
    const auto [low, high] = score.interval();
    QVERIFY(std::abs(low - 0.469) < 0.001 && std::abs(high - 0.531) < 0.001);
    QVERIFY(std::isnan(score.accuracy("sum")));
  }

  void anUntrainedModelIsScoredNearZero() {
    Qwen3VL model(demoConfig(false, folder()));
    initialiseDemoModel(model, 1);
    const DemoScore score = scoreDemo(model, *m_tokenizer, 16, 1, "cue", "both", {});
    QCOMPARE(score.byKind.at("all").second, 16);
    QVERIFY(score.accuracy() <= 0.2);
  }

  void stoppingIsSeenBetweenSteps() {
    Qwen3VL model(demoConfig(false, folder()));
    initialiseDemoModel(model, 1);
    std::stop_source source;
    SupervisedOptions options;
    options.steps = 1000;
    QVERIFY_EXCEPTION_THROWN(alignVision(model, *m_tokenizer, options, [&](std::int64_t, double) { source.request_stop(); }, source.get_token()), Cancelled);
  }

  void unknownDemoModelsAreRefused() {
    DemoTrainRequest request;
    request.outputFolder = folder();
    request.only = {"enormous"};
    QVERIFY_EXCEPTION_THROWN(trainDemo(request, {}, {}), Error);
  }
};

QTEST_GUILESS_MAIN(TestSupervised)
#include "tst_supervised.moc"
