// The engine through its door: the module that is loaded at run time, its models, and a training run that is looked at while it
// lives.
#include <QTemporaryDir>
#include <QtTest>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/array_file.h"
#include "engine/core/capture.h"
#include "engine/core/engine_loader.h"
#include "engine/engine.h"

using namespace cuescope;

namespace {

std::string golden(const std::string& name) { return std::string(CUESCOPE_GOLDEN) + "/" + name; }

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

class TestDoor : public QObject {
  Q_OBJECT

 private:
  std::unique_ptr<Engine> m_engine;
  QTemporaryDir m_folder;

  InspectRequest request() const {
    InspectRequest ask;
    ask.images = {golden("images/photo.jpg")};
    ask.question = "What is it?";
    ask.cue = "A red square.";
    ask.responseIds = {48, 1003, 487};
    return ask;
  }

  /// Two steps over four rows; small learning rate, everything else as a run has it.
  RunConfig config(const std::string& name) const {
    const std::string rows = m_folder.filePath("rows.jsonl").toStdString();
    std::ofstream out(rows);
    for (int i = 0; i < 4; ++i) {
      out << nlohmann::json{{"data_source", "demo"},
                            {"prompt", {{{"role", "user"}, {"content", "<image>What is number " + std::to_string(i) + "?"}}}},
                            {"images", {{{"path", golden("images/photo.jpg")}}}},
                            {"reward_model", {{"style", "rule"}, {"ground_truth", "3"}}},
                            {"cue", "A red square, left."},
                            {"id", "r" + std::to_string(i)}}
                 .dump()
          << "\n";
    }
    out.close();
    RunConfig run;
    run.trainer.name = name;
    run.trainer.directory = m_folder.filePath("runs").toStdString();
    run.trainer.totalTrainingSteps = 2;
    run.trainer.saveFreq = 0;
    run.trainer.testFreq = 0;
    run.trainer.valBeforeTrain = false;
    run.trainer.probeFreq = 0;
    run.trainer.device = "cpu";
    run.trainer.threads = 1;
    run.student.path = golden("tiny-student-vicur");
    run.student.cueEnabled = true;
    run.teacher.path = golden("tiny-teacher");
    run.teacher.privilege = "cue";
    run.data.trainFiles = {rows};
    run.data.trainBatchSize = 2;
    run.data.maxResponseLength = 6;
    run.distillation.topk = 16;
    return run;
  }

  /// Drives a run to its end; `look` is called between two units.
  std::vector<StepPtr> drive(const std::string& name, const std::function<void()>& look) {
    std::vector<StepPtr> steps;
    const auto run = m_engine->openRun(config(name), [&](const Event& event) {
      if (const auto* step = std::get_if<StepPtr>(&event)) steps.push_back(*step);
    }, {});
    while (run->advance({})) look();
    return steps;
  }

 private Q_SLOTS:
  void initTestCase() {
    qputenv("CUESCOPE_ENGINE", (QCoreApplication::applicationDirPath() + "/../bin/libcuescope_engine.so").toUtf8());
    EngineOptions options;
    options.device = "cpu";
    options.threads = 1;
    m_engine = loadEngine(options);
  }

  void aMissingOrForeignEngineIsAReadableMessage() {
    const QByteArray good = qgetenv("CUESCOPE_ENGINE");
    qputenv("CUESCOPE_ENGINE", "/nowhere/engine.so");
    const std::string missing = refusal([] { loadEngine({}); });
    qputenv("CUESCOPE_ENGINE", "libc.so.6");
    const std::string foreign = refusal([] { loadEngine({}); });
    qunsetenv("CUESCOPE_ENGINE");
    const std::string notBeside = refusal([] {
      EngineOptions cuda;
      cuda.device = "cuda";
      loadEngine(cuda);
    });
    qputenv("CUESCOPE_ENGINE", good);
    QVERIFY2(missing.find("/nowhere/engine.so") != std::string::npos, missing.c_str());
    QVERIFY2(foreign.find("not an engine") != std::string::npos, foreign.c_str());
    QVERIFY2(!notBeside.empty(), "a GPU is not what tests run on");
  }

  void aModelIsOpenedOnceAndClosed() {
    int loads = 0;
    const EventSink sink = [&](const Event& event) { loads += std::holds_alternative<Progress>(event); };
    const ModelInfo info = m_engine->openModel(golden("tiny-student-vicur"), sink, {});
    QCOMPARE(info.layers, 11);
    QVERIFY(info.cueParameters > 0);
    QVERIFY(!info.injectionLayers.empty());
    const int first = loads;
    QCOMPARE(m_engine->openModel(golden("images/../tiny-student-vicur/"), sink, {}).digest, info.digest);
    QCOMPARE(loads, first);
    m_engine->closeModel(golden("tiny-student-vicur"));
    QVERIFY(refusal([&] { m_engine->openModel(golden("images"), {}, {}); }).find("config.json") != std::string::npos);
    QVERIFY(refusal([&] { m_engine->openModel("", {}, {}); }).find("No model") != std::string::npos);
  }

  void aFolderWithPartOfTheCueModuleOpensWithoutIt() {
    const std::string broken = m_folder.filePath("broken").toStdString();
    std::filesystem::copy(golden("tiny-student-vicur"), broken, std::filesystem::copy_options::recursive);
    const ArrayFile whole(golden("tiny-student-vicur") + "/model.safetensors");
    ArrayFileWriter part;
    int left = 0;
    for (const auto& [name, entry] : whole.entries()) {
      if (name.find("sink_kv_norm") != std::string::npos && ++left) continue;
      std::string bytes(entry.end - entry.begin, '\0');
      whole.readInto(name, bytes.data());
      part.add(name, entry.dtype, entry.shape, bytes.data());
    }
    QVERIFY(left > 0);
    part.write(broken + "/model.safetensors");
    const std::string why = refusal([&] { m_engine->openModel(broken, {}, {}); });
    QVERIFY2(why.find("sink_kv_norm") != std::string::npos && why.find("--without-cue") != std::string::npos, why.c_str());

    const EngineOptions bare{.device = "cpu", .dtype = "auto", .threads = 1, .withoutCue = true};
    const auto engine = loadEngine(bare);
    const ModelInfo info = engine->openModel(broken, {}, {});
    QCOMPARE(info.cueParameters, std::int64_t{0});
    QVERIFY(info.injectionLayers.empty());
    // The rest is the model: it answers as the whole folder does without its module, and the module would have answered otherwise.
    GenerateRequest ask{.model = broken, .images = {golden("images/photo.jpg")}, .prompt = "What is it?"};
    ask.sampling.maxNew = 4;
    ask.sampling.ignoreEos = true;
    const auto answered = engine->generate(ask, {}, {});
    ask.model = golden("tiny-student-vicur");
    const auto other = engine->generate(ask, {}, {}), with = m_engine->generate(ask, {}, {});
    QCOMPARE(answered[0].ids, other[0].ids);
    QCOMPARE(answered[0].logProbs, other[0].logProbs);
    QVERIFY(with[0].logProbs != other[0].logProbs);
  }

  void autoSaysWhyTheCudaEngineWasPassedOver() {
    const QByteArray named = qgetenv("CUESCOPE_ENGINE");
    qunsetenv("CUESCOPE_ENGINE");
    const std::string packs = m_folder.filePath("packs").toStdString();
    std::filesystem::create_directories(packs);
    std::ofstream(packs + "/libcuescope_engine_cuda.so") << "not a library";
    std::filesystem::create_symlink(named.toStdString(), packs + "/libcuescope_engine.so");
    std::vector<std::string> said;
    const EventSink sink = [&](const Event& event) {
      if (const auto* line = std::get_if<LogLine>(&event)) said.push_back(line->text);
    };
    const auto gpuLine = [](Engine& engine) {
      for (const DoctorLine& line : engine.doctor())
        if (line.name == "GPU") return line;
      return DoctorLine{};
    };
    const auto engine = loadEngine({.device = "auto", .dtype = "auto", .threads = 1}, sink, {{packs}, true});
    QCOMPARE(said.size(), std::size_t(1));
    QVERIFY2(said[0].find("there is a GPU") != std::string::npos && said[0].find(packs + "/libcuescope_engine_cuda.so") != std::string::npos, said[0].c_str());
    const DoctorLine told = gpuLine(*engine);
    QVERIFY2(!told.ok && told.value.find("cannot be loaded") != std::string::npos && told.value.find(packs) != std::string::npos && !told.advice.empty(), told.value.c_str());
    // Without a GPU nothing was passed over, and who asks for CUDA is refused with the reason.
    QVERIFY(gpuLine(*loadEngine({.device = "auto", .dtype = "auto", .threads = 1}, sink, {{packs}, false})).ok);
    QCOMPARE(said.size(), std::size_t(1));
    QVERIFY(refusal([&] { loadEngine({.device = "cuda", .dtype = "auto", .threads = 1}, sink, {{packs}, true}); }).find("cannot be loaded") != std::string::npos);
    qputenv("CUESCOPE_ENGINE", named);
  }

  void withoutARunThereIsNoRunsStudent() {
    InspectRequest ask = request();
    ask.student = kRunStudent;
    QVERIFY(refusal([&] { m_engine->inspect(ask, {}, {}); }).find("No run is loaded") != std::string::npos);
  }

  void aRunIsInspectedAsItIs() {
    const auto run = m_engine->openRun(config("looked-at"), {}, {});
    InspectRequest ask = request();
    ask.student = kRunStudent;
    ask.teacher = kRunTeacher;
    const InspectionPtr before = m_engine->inspect(ask, {}, {});
    QCOMPARE(before->step, 0);
    QVERIFY(!before->cueRecovery.empty());
    QVERIFY(refusal([&] { m_engine->openRun(config("second"), {}, {}); }).find("loaded already") != std::string::npos);
    while (run->advance({})) {
    }
    const InspectionPtr after = m_engine->inspect(ask, {}, {});
    QCOMPARE(after->step, 2);
    QVERIFY(after->distributions[0].sampled[0] != before->distributions[0].sampled[0]);  // the student has learned something
    QCOMPARE(after->distributions[0].sampled[1], before->distributions[0].sampled[1]);   // the teacher has not
  }

  void aRunThatIsLookedAtGivesTheSameNumbers() {
    const auto undisturbed = drive("alone", [] {});
    InspectRequest ask = request();
    ask.student = kRunStudent;
    ask.teacher = kRunTeacher;
    ask.responseIds.clear();
    ask.sampling.greedy = false;
    ask.sampling.maxNew = 3;
    int looks = 0;
    const auto watched = drive("watched", [&] {
      if (++looks % 3 == 0) m_engine->inspect(ask, {}, {});
    });
    QVERIFY(looks > 6);
    QCOMPARE(undisturbed.size(), std::size_t(2));
    QCOMPARE(watched.size(), undisturbed.size());
    for (std::size_t i = 0; i < watched.size(); ++i) {
      for (const auto& [name, value] : undisturbed[i]->metrics) {
        if (name.find("timing") != std::string::npos || name.find("perf/") != std::string::npos) continue;
        QVERIFY2(watched[i]->metrics.count(name), name.c_str());
        const double other = watched[i]->metrics.at(name);
        QVERIFY2(std::memcmp(&other, &value, sizeof value) == 0, qPrintable(QString("%1: %2 and %3").arg(QString::fromStdString(name)).arg(value, 0, 'g', 17).arg(other, 0, 'g', 17)));
      }
    }
  }

  void aCaptureOfARunIsAnInspectionOfItsCheckpointOfThatStep() {
    RunConfig captured = config("captured");
    captured.data.valFiles = captured.data.trainFiles;
    captured.data.valMaxSamples = 2;
    captured.data.probeRows = {2};
    captured.trainer.captureFreq = 2;
    captured.trainer.saveFreq = 2;
    captured.trainer.totalTrainingSteps = 4;
    std::string directory;
    {
      const auto run = m_engine->openRun(captured, {}, {});
      directory = run->status().directory;
      while (run->advance({})) {
      }
    }
    for (const std::string step : {"step-000002", "step-000004"}) {
      const Capture capture = readCapture(directory + "/captures/" + step + "/row-2.capture");
      const Inspection& seen = *capture.inspection;
      QCOMPARE(seen.step, std::stoi(step.substr(5)));
      QCOMPARE(seen.sampleId, std::string("r2"));
      InspectRequest ask;
      ask.student = directory + "/checkpoints/" + step;
      ask.teacher = golden("tiny-teacher");
      ask.images = {golden("images/photo.jpg")};
      ask.question = "<image>What is number 2?";
      ask.cue = "A red square, left.";
      for (const Token& token : seen.response) ask.responseIds.push_back(token.id);
      QVERIFY(!ask.responseIds.empty());
      const InspectionPtr again = m_engine->inspect(ask, {}, {});
      const AttentionStack &map = seen.cueRecovery, &want = again->cueRecovery;
      QVERIFY(!map.values.empty());
      QCOMPARE(map.layers, want.layers);
      QCOMPARE(map.values.size(), want.values.size());
      double largest = 0, sum = 0;
      for (std::size_t i = 0; i < map.values.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(map.values[i]) - want.values[i]));
        sum += map.values[i];
      }
      QVERIFY2(largest < 1e-6, qPrintable(QString::number(largest)));
      QVERIFY(std::abs(sum - std::round(sum)) < 1e-3 && sum > 0.5);  // shares of attention
      for (std::size_t t = 0; t < seen.response.size(); ++t)
        for (int who : {0, 1}) QVERIFY(std::abs(seen.distributions[t].sampled[static_cast<std::size_t>(who)] - again->distributions[t].sampled[static_cast<std::size_t>(who)]) < 1e-4);
      m_engine->closeModel(ask.student);
    }
    const Capture early = readCapture(directory + "/captures/step-000002/row-2.capture"), late = readCapture(directory + "/captures/step-000004/row-2.capture");
    QVERIFY(early.inspection->distributions[0].sampled[0] != late.inspection->distributions[0].sampled[0]);  // it is not one capture twice
  }

  /// Answers of an evaluation as lines.
  static std::string linesOf(const Evaluation& evaluation) {
    std::string lines;
    for (const EvaluatedSample& sample : evaluation.samples) lines += sampleLine(sample);
    return lines;
  }

  void anEvaluationInUnitsGivesTheAnswersOfOneInOneGo() {
    const std::string rows = m_folder.filePath("held-out.jsonl").toStdString();
    {
      std::ofstream out(rows);
      for (int i = 0; i < 70; ++i) {  // three blocks, one row that cannot be asked
        nlohmann::json row = {{"prompt", "<image>What is number " + std::to_string(i) + "?"}, {"images", {{{"path", golden("images/small.png")}}}}, {"reward_model", {{"ground_truth", "3"}}}};
        if (i == 40) row["images"][0]["path"] = "/nowhere.png";
        out << row.dump() << "\n";
      }
    }
    EvaluateRequest ask;
    ask.model = golden("tiny-student-vicur");
    ask.files = {rows};
    ask.sampling.greedy = false;
    ask.sampling.seed = 5;
    ask.sampling.maxNew = 4;
    ask.sinkMaps = true;
    const EvaluationPtr whole = m_engine->evaluate(ask, {}, {});
    QCOMPARE(whole->samples.size(), std::size_t(70));
    QCOMPARE(whole->skipped, std::int64_t(1));

    const auto run = m_engine->openRun(config("beside-an-evaluation"), {}, {});
    const auto open = m_engine->openEvaluation(ask, {}, {});
    QCOMPARE(open->rowsInAll(), std::int64_t(70));
    std::stop_source stopped;
    stopped.request_stop();
    int units = 0;
    for (bool more = true; more; ++units) {
      try {
        open->advance(stopped.get_token());
        QFAIL("a cancelled unit ended");
      } catch (const Cancelled&) {  // changes nothing
      }
      more = open->advance({});
      run->advance({});
      InspectRequest look = request();
      look.student = golden("tiny-student-vicur");
      m_engine->inspect(look, {}, {});
      if (units == 0) m_engine->closeModel(golden("tiny-student-vicur"));  // the evaluation holds its model
    }
    QCOMPARE(units, 3);
    QCOMPARE(linesOf(*open->result()), linesOf(*whole));
  }

  void aRunsStudentIsJudgedAsItWasWhenTheEvaluationBegan() {
    const auto run = m_engine->openRun(config("judged"), {}, {});
    EvaluateRequest ask;
    ask.model = kRunStudent;
    ask.files = {m_folder.filePath("rows.jsonl").toStdString()};
    ask.sampling.maxNew = 6;
    const EvaluationPtr before = m_engine->evaluate(ask, {}, {});
    QCOMPARE(before->step, 0);
    const auto open = m_engine->openEvaluation(ask, {}, {});
    while (run->advance({})) {
    }
    while (open->advance({})) {
    }
    QCOMPARE(linesOf(*open->result()), linesOf(*before));
    const EvaluationPtr after = m_engine->evaluate(ask, {}, {});
    QCOMPARE(after->step, 2);
    QVERIFY(linesOf(*after) != linesOf(*before));  // it has learned something
  }

  void aRowsVerdictIsThatOfTheWholeCheck() {
    RunConfig run = config("checked");
    const std::string rows = m_folder.filePath("checked.jsonl").toStdString();
    {
      std::ofstream out(rows);
      for (int i = 0; i < 6; ++i) {
        nlohmann::json row = {{"id", "c" + std::to_string(i)},
                              {"prompt", "<image>" + std::string(static_cast<std::size_t>(20 * i), 'x') + " What is it?"},
                              {"images", {{{"path", golden("images/photo.jpg")}}}},
                              {"reward_model", {{"ground_truth", "3"}}},
                              {"cue", "A red square, left."},
                              {"extra_info", {{"answer", "It is \\boxed{3}."}}}};
        if (i == 2) row["images"][0]["path"] = "/nowhere.png";
        out << row.dump() << "\n";
      }
    }
    run.data.trainFiles = {rows};
    CheckRowsRequest ask;
    ask.file = rows;
    ask.count = 100;
    ask.config = run;
    ask.batch = true;
    std::vector<RowVerdict> verdicts = m_engine->checkRows(ask, {});
    QCOMPARE(verdicts.size(), std::size_t(6));
    run.data.maxPromptLength = ask.config.data.maxPromptLength = static_cast<int>(verdicts[4].student);  // the longest is one too many
    verdicts = m_engine->checkRows(ask, {});
    const DataVerdict whole = m_engine->checkData({rows}, run, {}, {});
    std::map<std::string, std::int64_t> dropped;
    std::int64_t most = 0, least = 1 << 30, teacherMost = 0;
    for (const RowVerdict& v : verdicts) {
      if (!v.category.empty()) ++dropped[v.category];
      if (v.student < 0) continue;
      most = std::max(most, v.student), least = std::min(least, v.student), teacherMost = std::max(teacherMost, v.teacher);
      QCOMPARE(v.places[0], v.visual[0]);
      QCOMPARE(v.places[1], v.visual[1]);
      QVERIFY(v.places[0] > 0);
      QCOMPARE(v.grids.size(), std::size_t(1));
      QCOMPARE(v.grids[0][0] * v.grids[0][1] * v.grids[0][2] / 4, v.visual[0]);
      std::int64_t tokens = 0, trained = 0;
      std::vector<std::int64_t> answer;
      for (const BatchToken& token : v.batch) {
        (token.trained ? trained : tokens) += token.count;
        if (token.trained) answer.push_back(token.id);
      }
      QCOMPARE(tokens, v.student);
      QCOMPARE(trained, std::min<std::int64_t>(v.answer, v.answerLimit));
      QVERIFY(QString::fromStdString(m_engine->detokenize(run.student.path, answer)).startsWith(QStringLiteral("It is")));
    }
    QCOMPARE(dropped, whole.dropped);
    QCOMPARE(dropped.size(), std::size_t(2));
    QCOMPARE(verdicts[2].category, std::string("unreadable"));
    QVERIFY(verdicts[2].reason.find("/nowhere.png") != std::string::npos || verdicts[2].reason.find("nowhere") != std::string::npos);
    QCOMPARE(verdicts[5].category, std::string("prompt too long"));
    QCOMPARE(whole.student.most, most);
    QCOMPARE(whole.student.least, least);
    QCOMPARE(whole.teacher.most, teacherMost);
    QCOMPARE(whole.studentLimit, verdicts[0].studentLimit);
    QCOMPARE(whole.teacherLimit, verdicts[0].teacherLimit);

    CueEdit edit;  // what is typed counts before it is saved
    edit.row = 1, edit.cue = "A red square, left. A blue one, right.", edit.originalCue = "A red square, left.", edit.id = "c1";
    ask.first = 1;
    ask.count = 1;
    ask.edits = {{1, edit}};
    const std::vector<RowVerdict> edited = m_engine->checkRows(ask, {});
    QCOMPARE(edited.size(), std::size_t(1));
    QVERIFY(edited[0].teacher > verdicts[1].teacher);
    QCOMPARE(edited[0].student, verdicts[1].student);
    QCOMPARE(edited[0].privilege, edit.cue);
    QVERIFY(edited[0].teacherText.find("[Hint]: A red square, left. A blue one, right.") != std::string::npos);
  }

  void whatIfWorksThroughTheDoor() {
    WhatIfRequest ask;
    ask.base = request();
    ask.base.student = golden("tiny-student-vicur");
    ask.base.teacher = "/nowhere";  // not needed, so not opened
    ask.visualTokens = {0, 1};
    ask.randomRegions = 2;
    ask.base.sampling.maxNew = 2;
    const WhatIfPtr answer = m_engine->whatIf(ask, {}, {});
    QVERIFY(std::isfinite(answer->before) && std::isfinite(answer->after));
  }
};

QTEST_GUILESS_MAIN(TestDoor)
#include "tst_door.moc"
