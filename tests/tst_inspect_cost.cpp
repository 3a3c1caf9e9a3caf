// What an inspection takes is what was said before; impossible choices are refused; every part of it ends soon after a stop.
#include "tests/support/all_sites.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include "engine/core/failure.h"
#include "engine/inspect/site_capture.h"
#include "engine/inspect/token_gap.h"

#include <QtTest>

using namespace cuescope;

namespace {

/// Bytes that LibTorch has on this thread, and the most it ever had.
class Counter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    now += size;
    peak = std::max(peak, now);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t now = 0, peak = 0;
};

}  // namespace

class TestInspectCost : public QObject, private test::AllSites {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { load(); }

  void whatItTakesIsWhatWasSaid_data() {
    QTest::addColumn<QString>("images");
    QTest::addColumn<bool>("given");
    QTest::newRow("given answer") << "images/photo.jpg" << true;
    QTest::newRow("own answer") << "images/photo.jpg" << false;
    QTest::newRow("video") << "video/clip.avi" << true;
  }
  void whatItTakesIsWhatWasSaid() {
    QFETCH(QString, images);
    QFETCH(bool, given);
    InspectRequest ask = everything();
    ask.images = {golden::path(images.toStdString().c_str())};
    ask.promptTokens = {0, 5, 9};
    ask.visionQueries = {2, 3};
    ask.sampling.maxNew = 12;
    if (!given) ask.responseIds.clear();
    const InspectCost cost = inspectCost(models(), ask);
    QCOMPARE(cost.sites.size(), std::size_t(kSites));
    QVERIFY(cost.fits);
    inspect(models(), ask, {}, {});  // what is made once for all is there
    const auto counter = std::make_shared<Counter>();
    InspectionPtr look;
    {
      const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
      look = inspect(models(), ask, {}, {});
    }
    QCOMPARE(look->statedBytes, cost.bytes);
    if (given) QCOMPARE(look->siteBytes(), cost.bytes);
    else QVERIFY(look->siteBytes() <= cost.bytes);
    qInfo("stated %lld bytes kept, %lld at the peak; taken %lld and %lld", static_cast<long long>(cost.bytes), static_cast<long long>(cost.peakBytes),
          static_cast<long long>(look->siteBytes()), static_cast<long long>(counter->peak + look->siteBytes()));
    QVERIFY(counter->peak > 0);
    QVERIFY(counter->peak + look->siteBytes() <= cost.peakBytes);
    for (const SiteCost& site : cost.sites) {
      const std::int64_t own = look->stack(site.site).bytes() + (site.site == Site::SelfAttention ? look->promptAttention.bytes() : 0) + (site.site == Site::LogitLens ? look->logitLens.bytes() : 0);
      if (given) QCOMPARE(own, site.bytes);
      else QVERIFY(own <= site.bytes);
    }
    ask.budgetBytes = cost.bytes - 1;
    QVERIFY(!inspectCost(models(), ask).fits);
    QVERIFY_THROWS_EXCEPTION(Error, inspect(models(), ask, {}, {}));
    ask.budgetBytes = cost.bytes;
    inspect(models(), ask, {}, {});
  }

  /// A model of the published size; its folder is named by CUESCOPE_LARGE_MODEL. Weights alone will do: the row is made here.
  void aLargeModelStaysUnderItsStatement() {
    const QByteArray folder = qgetenv("CUESCOPE_LARGE_MODEL");
    if (folder.isEmpty()) QSKIP("CUESCOPE_LARGE_MODEL names no folder");
    at::set_num_threads(2);
    const auto model = Qwen3VL::load(folder.toStdString(), "cpu", "bfloat16");
    const auto& config = model->config();
    RowInput prompt;
    prompt.grids = {{1, 64, 64, false}};  // one megapixel
    prompt.pixelValues = at::rand({4096, 1536}) * 2 - 1;
    prompt.ids = {config.imStart < 0 ? 1 : config.imStart, 872, 198, config.visionStart};
    prompt.ids.insert(prompt.ids.end(), 1024, config.imageToken);
    for (const std::int64_t id : {config.visionEnd, std::int64_t(3838), std::int64_t(374), std::int64_t(419), std::int64_t(30), std::int64_t(198)}) prompt.ids.push_back(id);
    const std::vector<std::int64_t> response = {785, 2168, 4933, 264, 2518, 9334, 13, 198};
    InspectRequest ask = everything();
    ask.lensMap = false;
    ask.promptTokens = {0, 1030};
    ask.visionQueries = {500};
    ask.occlusionPasses = 1;
    const CapturePlan plan = planCapture(config, ask, prompt, std::ssize(response), true, true);
    const auto counter = std::make_shared<Counter>();
    const RowInput row = withResponse(prompt, response);
    const CaptureOrder order{model.get(), nullptr, &row, &plan, nullptr, Change::Erase, {}, {}};
    QElapsedTimer timer;
    timer.start();
    SiteCapture captured;
    {
      const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
      captured = captureSites(order, {});
    }
    std::int64_t kept = captured.prompt.bytes() + captured.lens.bytes();
    for (int i = 0; i < kSites; ++i) kept += captured.stack(static_cast<Site>(i)).bytes();
    for (const SiteCost& site : plan.cost.sites) qInfo("%s: %.1f MiB kept, %.1f MiB while it is made; %s", siteName(site.site), double(site.bytes) / (1 << 20), double(site.workBytes) / (1 << 20), site.note.c_str());
    qInfo("stated %.1f MiB kept and %.1f MiB at the peak; taken %.1f and %.1f MiB in %.0f s", double(plan.cost.bytes) / (1 << 20), double(plan.cost.peakBytes) / (1 << 20),
          double(kept) / (1 << 20), double(counter->peak + kept) / (1 << 20), double(timer.elapsed()) / 1000);
    at::set_num_threads(1);
    QCOMPARE(kept, plan.cost.bytes);
    QVERIFY(counter->peak + kept <= plan.cost.peakBytes);
  }

  void impossibleChoicesAreRefused() {
    for (const auto& spoil : std::vector<std::function<void(InspectRequest&)>>{
             [](InspectRequest& ask) { ask.layers = {11}; }, [](InspectRequest& ask) { ask.visionLayers = {-1}; }, [](InspectRequest& ask) { ask.responseTokens = {5}; },
             [](InspectRequest& ask) { ask.promptTokens = {4000}; }, [](InspectRequest& ask) { ask.visionQueries = {6}; }}) {
      InspectRequest ask = everything();
      spoil(ask);
      QVERIFY_THROWS_EXCEPTION(Error, inspect(models(), ask, {}, {}));
      QVERIFY_THROWS_EXCEPTION(Error, inspectCost(models(), ask));
    }
  }

  void everyPartEndsSoonAfterAStop_data() {
    QTest::addColumn<QString>("at");
    QTest::newRow("pass") << "Student's attention";
    QTest::newRow("gradient") << "Gradient x attention";
    QTest::newRow("occlusion") << "Occlusion map";
  }
  void everyPartEndsSoonAfterAStop() {
    QFETCH(QString, at);
    std::stop_source stop;
    InspectRequest ask = everything();
    bool reached = false;
    const EventSink sink = [&](const Event& event) {
      if (const auto* progress = std::get_if<Progress>(&event); progress && progress->what == at.toStdString()) {
        reached = true;
        stop.request_stop();
      }
    };
    QVERIFY_THROWS_EXCEPTION(Cancelled, inspect(models(), ask, sink, stop.get_token()));
    QVERIFY(reached);
  }

  /// A newer request stops the older one (core/worker.h), which lets go at the next unit of its work, wherever it is.
  void aStopIsFeltAtTheNextUnitOfWork() {
    const std::string folder = std::string(CUESCOPE_RESOURCES) + "/demo/student-weak";
    const auto student = Qwen3VL::load(folder, "cpu", "float32");
    const Processor processor(folder);
    InspectModels own;
    own.student = student.get();
    own.studentProcessor = &processor;
    InspectRequest ask = everything();
    ask.images = {std::string(CUESCOPE_RESOURCES) + "/demo/data/example-1.png", std::string(CUESCOPE_RESOURCES) + "/demo/data/example-2.png"};
    ask.question = "What digit is on the red circle?";
    ask.responseIds.clear();
    ask.sampling.maxNew = 12;
    ask.sampling.ignoreEos = true;
    int units = 0;
    inspect(own, ask, [&](const Event& event) { units += std::holds_alternative<Progress>(event); }, {});
    QVERIFY2(units > ask.sampling.maxNew, qPrintable(QString::number(units)));  // every token is one, and so is every site
    for (int at = 1; at < units; at += std::max(1, units / 15)) {
      std::stop_source stop;
      int seen = 0;
      bool cancelled = false;
      try {
        inspect(own, ask, [&](const Event& event) {
          if (std::holds_alternative<Progress>(event) && ++seen == at) stop.request_stop();
        }, stop.get_token());
      } catch (const Cancelled&) {
        cancelled = true;
      }
      QVERIFY2(cancelled, qPrintable(QString("asked to stop at unit %1 of %2").arg(at).arg(units)));
      QVERIFY2(seen <= at + 1, qPrintable(QString("%1 units after the stop at %2").arg(seen - at).arg(at)));
    }
  }

  void progressGoesUpToItsTotal() {
    double last = -1;
    int occlusions = 0;
    const InspectionPtr look = inspect(models(), everything(), [&](const Event& event) {
      if (const auto* progress = std::get_if<Progress>(&event)) {
        QVERIFY2(progress->done > last && progress->done < progress->total, progress->what.c_str());
        last = progress->done;
        occlusions += progress->what == "Occlusion map";
      }
    }, {});
    QVERIFY(occlusions >= 1);
  }

  void askingForMoreChangesNoNumber() {
    InspectRequest few = everything();
    few.sites = {Site::CueRecovery, Site::SelfAttention};
    const InspectionPtr a = inspect(models(), few, {}, {}), b = inspect(models(), everything(), {}, {});
    QCOMPARE(a->cueRecovery.values, b->cueRecovery.values);
    QCOMPARE(a->selfAttention.values, b->selfAttention.values);
    for (std::size_t t = 0; t < 5; ++t) QCOMPARE(a->distributions[t].sampled[0], b->distributions[t].sampled[0]);
    QVERIFY(a->vision.empty() && a->rollout.empty() && a->gradientAttention.empty() && a->logitLens.empty() && a->occlusion.empty());
  }
};

QTEST_GUILESS_MAIN(TestInspectCost)
#include "tst_inspect_cost.moc"
