// cuescope-cli as a person or a script uses it: the built program against the recorded goldens, exit codes, messages.
#include "tests/support/cli_process.h"

#include <QTemporaryDir>
#include <cmath>
#include <csignal>
#include <functional>

#include "engine/core/array_file.h"
#include "engine/core/capture.h"

using namespace cuescope;
using test::golden;
using test::Ran;
using test::readJson;
using test::run;
using Json = nlohmann::json;

namespace {

/// Largest |got - want| over the places where `mask` says so (mask over the leading dimensions; empty: everywhere).
double largestError(const std::vector<float>& got, const std::vector<float>& want, const std::vector<std::int64_t>& mask = {}) {
  if (got.size() != want.size() || got.empty()) return 1e30;
  const std::size_t each = mask.empty() ? got.size() : got.size() / mask.size();
  double largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!mask.empty() && !mask[i / each]) continue;
    const double difference = std::abs(static_cast<double>(got[i]) - want[i]);
    if (!(difference <= largest)) largest = difference;  // NaN stays
  }
  return largest;
}

}  // namespace

class TestCli : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_folder;
  QString path(const QString& name) const { return m_folder.filePath(name); }
  QString write(const QString& name, const QByteArray& bytes) const {
    QFile file(path(name));
    if (file.open(QIODevice::WriteOnly)) file.write(bytes);
    return path(name);
  }
  /// A batch of the goldens as an input file; pixels of a student's set are used where the set has none.
  QString batchFile(const std::string& set, const std::string& batch) const {
    const ArrayFile own(golden(QString::fromStdString(set + ".safetensors")).toStdString());
    const ArrayFile base(golden("forward-student.safetensors").toStdString());
    ArrayFileWriter out;
    for (const std::string name : {"input_ids", "attention_mask", "pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw"}) {
      for (const auto& [file, key] : {std::pair{&own, batch + "." + name}, {&base, batch + "." + name}, {&base, "left." + name}}) {
        if (!file->has(key)) continue;
        if (key.rfind("left.", 0) == 0 && batch != "left" && batch != "right") continue;  // right has left's pixels
        std::string bytes(file->entry(key).end - file->entry(key).begin, '\0');
        file->readInto(key, bytes.data());
        out.add(name, file->entry(key).dtype, file->entry(key).shape, bytes.data());
        break;
      }
    }
    const QString file = path(QString::fromStdString(set + "-" + batch + ".in"));
    out.write(file.toStdString());
    return file;
  }

 private Q_SLOTS:
  void tokenizeGivesTheRecordedIdsAndTheWayBack() {
    const Json cases = readJson(golden("tokenizer_cases.json"));
    QByteArray texts, ids;
    for (const auto& each : cases["encode"]) {
      texts += QByteArray::fromStdString(each["text"].dump()) + "\n";
      ids += QByteArray::fromStdString(each["ids"].dump()) + "\n";
    }
    const Ran there = run({"tokenize", "--model", golden("tiny-student"), "--jsonl"}, texts);
    QVERIFY2(there.code == 0, there.err);
    const auto lines = there.out.trimmed().split('\n');
    QCOMPARE(lines.size(), static_cast<qsizetype>(cases["encode"].size()));
    for (qsizetype i = 0; i < lines.size(); ++i) QCOMPARE(Json::parse(lines[i].toStdString()), cases["encode"][static_cast<std::size_t>(i)]["ids"]);
    const Ran back = run({"tokenize", "--model", golden("tiny-student"), "--jsonl", "--decode"}, ids);
    QVERIFY2(back.code == 0, back.err);
    const auto decoded = back.out.trimmed().split('\n');
    QCOMPARE(decoded.size(), static_cast<qsizetype>(cases["encode"].size()));
    for (qsizetype i = 0; i < decoded.size(); ++i) QCOMPARE(Json::parse(decoded[i].toStdString()), cases["encode"][static_cast<std::size_t>(i)]["decoded"]);
  }

  void chatGivesTheRecordedTextAndIds() {
    const Json cases = readJson(golden("tokenizer_cases.json"));
    int compared = 0;
    for (const auto& each : cases["chat"]) {
      const Json& options = each["options"];
      if (options.size() != 1 || !options.contains("add_generation_prompt") || compared == 4) continue;
      QStringList arguments{"chat", "--model", golden("tiny-student")};
      if (!options["add_generation_prompt"].get<bool>()) arguments << "--no-generation-prompt";
      const Ran ran = run(arguments, QByteArray::fromStdString(each["messages"].dump()));
      QVERIFY2(ran.code == 0, ran.err);
      const Json got = Json::parse(ran.out.toStdString());
      QCOMPARE(got["text"], each["text"]);
      QCOMPARE(got["ids"], each["ids"]);
      ++compared;
    }
    QCOMPARE(compared, 4);
  }

  void preprocessGivesTheRecordedPatches() {
    const ArrayFile want(golden("preprocess.safetensors").toStdString());
    const Ran ran = run({"preprocess", "--model", golden("tiny-student"), golden("images/square.png"), golden("images/extreme.png"), "--output", path("patches")});
    QVERIFY2(ran.code == 0, ran.err);
    const ArrayFile got(path("patches").toStdString());
    QCOMPARE(got.read<std::int64_t>("image_grid_thw", "I64"), want.read<std::int64_t>("batch.square_extreme.grid_thw", "I64"));
    auto both = want.read<float>("image.square.pixel_values", "F32");
    const auto second = want.read<float>("image.extreme.pixel_values", "F32");
    both.insert(both.end(), second.begin(), second.end());
    QVERIFY(largestError(got.read<float>("pixel_values", "F32"), both) <= 2e-6);
  }

  void forwardGivesTheRecordedTensors_data() {
    QTest::addColumn<QString>("set");
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("batch");
    for (const QString batch : {"left", "right", "video", "mixed"}) {
      QTest::newRow(qPrintable("student " + batch)) << "forward-student" << "tiny-student" << batch;
      QTest::newRow(qPrintable("cue recovery " + batch)) << "forward-student-vicur" << "tiny-student-vicur" << batch;
    }
    QTest::newRow("text before the sink") << "forward-student-vicur" << "tiny-student-vicur" << "prefix";
    QTest::newRow("teacher left") << "forward-teacher" << "tiny-teacher" << "left";
  }
  void forwardGivesTheRecordedTensors() {
    QFETCH(QString, set);
    QFETCH(QString, model);
    QFETCH(QString, batch);
    const ArrayFile want(golden(set + ".safetensors").toStdString());
    const Json manifest = readJson(golden(set + ".json"))["tensors"];
    const QString output = path("forward.out");
    const Ran ran = run({"forward", "--model", golden(model), "--input", batchFile(set.toStdString(), batch.toStdString()), "--output", output,
                         "--capture", "hidden_states,sink_attention,attention.2,vision"});
    QVERIFY2(ran.code == 0, ran.err);
    const ArrayFile got(output.toStdString());
    const std::string prefix = batch.toStdString() + ".";
    const auto mask = want.read<std::int64_t>(prefix + "attention_mask", "I64");
    const auto length = static_cast<std::size_t>(want.entry(prefix + "attention_mask").shape[1]), rows = mask.size() / length;
    int compared = 0;
    for (const auto& [key, entry] : want.entries()) {
      if (key.rfind(prefix, 0) != 0) continue;
      std::string name = key.substr(prefix.size());
      if (name.rfind("as_run", 0) == 0 || name.rfind("pixel_values", 0) == 0 || name.find("grid_thw") != std::string::npos || name == "input_ids" || name == "attention_mask") continue;
      const auto& tolerance = manifest[key]["tolerance"];
      if (name == "attention") name = "attention.2";
      if (name == "logits_last4") {
        const auto all = got.read<float>("logits", "F32"), last = want.read<float>(key, "F32");
        const std::size_t vocabulary = last.size() / rows / 4;
        std::vector<float> picked;
        for (std::size_t row = 0; row < rows; ++row) {
          std::vector<std::size_t> valid;
          for (std::size_t t = 0; t < length; ++t) {
            if (mask[row * length + t]) valid.push_back(t);
          }
          for (std::size_t i = valid.size() - 4; i < valid.size(); ++i) {
            const auto begin = all.begin() + static_cast<std::ptrdiff_t>((row * length + valid[i]) * vocabulary);
            picked.insert(picked.end(), begin, begin + static_cast<std::ptrdiff_t>(vocabulary));
          }
        }
        QVERIFY2(largestError(picked, last) <= 5e-4, key.c_str());
      } else if (entry.dtype == "I64") {
        QVERIFY2(got.read<std::int64_t>(name, "I64") == want.read<std::int64_t>(key, "I64"), key.c_str());
      } else if (entry.dtype == "U8") {
        QVERIFY2(got.read<std::uint8_t>(name, "U8") == want.read<std::uint8_t>(key, "U8"), key.c_str());
      } else {
        const bool perPosition = entry.shape.size() >= 2 && entry.shape[0] == static_cast<std::int64_t>(rows) && entry.shape[1] == static_cast<std::int64_t>(length);
        std::vector<std::int64_t> where = perPosition ? mask : std::vector<std::int64_t>{};
        if (name == "attention.2") {  // [B, H, query, key]: padding queries are not compared
          const auto heads = static_cast<std::size_t>(entry.shape[1]);
          where.clear();
          for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t head = 0; head < heads; ++head) where.insert(where.end(), mask.begin() + static_cast<std::ptrdiff_t>(row * length), mask.begin() + static_cast<std::ptrdiff_t>((row + 1) * length));
          }
        }
        if (name.rfind("sink_attention.", 0) == 0) {  // rows without visual tokens hold an even spread there, nothing here
          const auto visual = want.read<std::uint8_t>(prefix + "visual_mask", "U8");
          where.clear();
          for (std::size_t row = 0; row < rows; ++row) {
            where.push_back(std::count(visual.begin() + static_cast<std::ptrdiff_t>(row * length), visual.begin() + static_cast<std::ptrdiff_t>((row + 1) * length), 1) > 0);
          }
        }
        const double error = largestError(got.read<float>(name, "F32"), want.read<float>(key, "F32"), where);
        QVERIFY2(error <= tolerance["atol"].get<double>() * 2, qPrintable(QString("%1: error %2").arg(QString::fromStdString(key)).arg(error)));
      }
      ++compared;
    }
    QVERIFY2(compared >= 4, "nothing was compared");
  }

  void generateDecodesTheRecordedIds() {
    const Json recorded = readJson(golden("generate.json"));
    for (const QString model : {"tiny-student-vicur", "tiny-teacher"}) {
      const std::string set = model == "tiny-teacher" ? "forward-teacher" : "forward-student-vicur";
      const Ran ran = run({"generate", "--model", golden(model), "--input", batchFile(set, "left"), "--max-new", "24", "--ignore-eos", "--greedy", "--json"});
      QVERIFY2(ran.code == 0, ran.err);
      const Json rows = Json::parse(ran.out.toStdString())["rows"];
      QCOMPARE(rows.size(), std::size_t(3));
      for (std::size_t row = 0; row < 3; ++row) {
        const Json& want = recorded["models"][model.toStdString()][row];
        QCOMPARE(rows[row]["ids"], want["ids"]);
        for (std::size_t t = 0; t < 24; ++t) QVERIFY(std::abs(rows[row]["logprobs"][t].get<double>() - want["top8"][t][0][1].get<double>()) < 1e-3);
        QCOMPARE(rows[row]["finish"].get<std::string>(), std::string("length"));
      }
    }
  }

  void aSeedGivesTheSameSample() {
    const QStringList arguments{"generate", "--model", golden("tiny-student"), "--image", golden("images/square.png"), "--prompt", "What is it?",
                                "--max-new", "12", "--temperature", "0.8", "--seed", "5", "--json"};
    const Ran one = run(arguments), two = run(arguments);
    QVERIFY2(one.code == 0, one.err);
    QCOMPARE(one.out, two.out);
    QStringList other = arguments;
    other[other.indexOf("5")] = "6";
    QVERIFY(run(other).out != one.out);
  }

  void inspectMakesACaptureAndDumpReadsIt() {
    const Ran made = run({"inspect", "--model", golden("tiny-student-vicur"), "--teacher", golden("tiny-teacher"), "--image", golden("images/photo.jpg"), "--prompt",
                          "What is it?", "--cue", "A red square.", "--max-new", "4", "--ignore-eos", "--output", path("look.capture"), "--json"});
    QVERIFY2(made.code == 0, made.err);
    const Json summary = Json::parse(made.out.toStdString());
    QCOMPARE(summary["tokens"].size(), std::size_t(4));
    const Capture capture = readCapture(path("look.capture").toStdString());
    QCOMPARE(capture.inspection->images.at(0).label, std::string("photo.jpg"));
    QCOMPARE(capture.inspection->response.size(), std::size_t(4));

    const Ran csv = run({"dump", path("look.capture"), "--format", "csv", "--site", "cue_recovery", "--layer", "5", "--head", "mean"});
    QVERIFY2(csv.code == 0, csv.err);
    const auto lines = csv.out.trimmed().split('\n');
    QCOMPARE(lines.size(), 7);  // a header and 2 x 3 visual tokens
    double sum = 0;
    for (qsizetype i = 1; i < lines.size(); ++i) sum += lines[i].mid(lines[i].lastIndexOf(',') + 1).toDouble();
    QVERIFY(std::abs(sum - 1) < 1e-5);
    const Ran json = run({"dump", path("look.capture"), "--format", "json", "--site", "tokens", "--token", "2"});
    QVERIFY2(json.code == 0, json.err);
    const Json token = Json::parse(json.out.toStdString())["rows"][0];
    QVERIFY(std::abs(token["gap"].get<double>() - token["gap_from_cue"].get<double>() - token["gap_from_weights"].get<double>()) < 1e-5);
    QVERIFY(std::abs(token["gap"].get<double>() - summary["tokens"][2]["gap"].get<double>()) < 1e-6);
    const Ran npz = run({"dump", path("look.capture"), "--format", "npz", "--output", path("look.npz")});
    QVERIFY2(npz.code == 0, npz.err);
    QVERIFY(QFileInfo(path("look.npz")).size() > 500);
    QCOMPARE(run({"dump", path("look.capture"), "--layer", "3"}).code, 1);
    QCOMPARE(run({"dump", path("look.capture"), "--layer", "three"}).code, 2);
  }

  void badInputIsAPlainMessageAndExitCodeOne_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("says");
    const auto look = [](const QString& image, const QString& model = golden("tiny-student")) {
      return QStringList{"generate", "--model", model, "--image", image, "--prompt", "What?", "--max-new", "2"};
    };
    QFile png(golden("images/odd.png"));
    QVERIFY(png.open(QIODevice::ReadOnly));
    const QByteArray bytes = png.readAll();
    QByteArray bomb = bytes;
    bomb.replace(16, 8, QByteArray::fromHex("0000753000007530"));  // 30000 x 30000
    bomb.replace(29, 4, QByteArray::fromHex("e9456fed"));          // and the checksum that belongs to it
    QTest::newRow("no image") << look(write("text.png", "this is no picture")) << "text.png";
    QTest::newRow("0 bytes") << look(write("empty.png", "")) << "empty.png";
    QTest::newRow("truncated") << look(write("cut.png", bytes.left(bytes.size() / 2))) << "cut.png";
    QTest::newRow("a PNG bomb") << look(write("bomb.png", bomb)) << "30000";
    QTest::newRow("missing image") << look(path("nowhere.png")) << "nowhere.png";
    QTest::newRow("missing model") << look(golden("images/odd.png"), path("nowhere")) << "nowhere";
    QTest::newRow("folder that is no model") << look(golden("images/odd.png"), golden("images")) << "config.json";
    QTest::newRow("file that is no model") << look(golden("images/odd.png"), golden("README.md")) << "folder";
    QTest::newRow("pickle as tensors") << QStringList{"forward", "--model", golden("tiny-student"), "--input", write("a.pt", QByteArray("\x80\x02}q\x00.", 6) + QByteArray(64, 'x')), "--output", path("o")} << "a.pt";
    QTest::newRow("pickle as capture") << QStringList{"dump", write("b.pt", QByteArray("\x80\x02}q\x00.", 6) + QByteArray(64, 'x'))} << "pickle";
    QTest::newRow("lying header") << QStringList{"forward", "--model", golden("tiny-student"), "--input", write("lie.safetensors", QByteArray("\xff\xff\xff\xff\xff\xff\x00\x00{}", 10)), "--output", path("o")} << "lie.safetensors";
    QTest::newRow("wrong capture word") << QStringList{"forward", "--model", golden("tiny-student"), "--input", path("x"), "--output", path("o"), "--capture", "everything"} << "everything";
    QTest::newRow("no GPU engine or no GPU") << QStringList{"--device", "cuda:77", "doctor"} << "GPU|CUDA";
    QTest::newRow("missing config") << QStringList{"train", path("nothing.yaml")} << "nothing.yaml\\]: No such file.*/presets";
    QTest::newRow("a folder as config") << QStringList{"train", golden("images")} << "it is a folder.*/presets";
    QTest::newRow("config that is no YAML") << QStringList{"train", write("odd.yaml", "a: [")} << "odd.yaml: this is not YAML.*line";
    QTest::newRow("a folder as image") << look(golden("images")) << "cannot be read \\[.*images\\]: it is a folder";
    QTest::newRow("demo model without a workload") << QStringList{"bench", "--model", "demo:student-weak"} << "workload.safetensors";
  }
  void badInputIsAPlainMessageAndExitCodeOne() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, says);
    const Ran ran = run(arguments);
    const QString text = QString::fromUtf8(ran.err);
    QVERIFY2(ran.code == 1 || (arguments[0] == "train" && ran.code == 2), qPrintable(QString::number(ran.code) + ": " + text));
    QVERIFY2(text.contains(QRegularExpression(says)), qPrintable(text));
    QVERIFY2(!text.contains("Something unexpected") && !text.contains("terminate") && !text.contains("c10::"), qPrintable(text));
    QVERIFY2(text.count('\n') <= 4, qPrintable(text));
  }

  void aModelWithALyingHeaderIsRefused() {
    QDir().mkpath(path("broken"));
    for (const QString& name : QDir(golden("tiny-student")).entryList(QDir::Files)) {
      if (name != "model.safetensors") QFile::copy(golden("tiny-student/" + name), path("broken/" + name));
    }
    write("broken/model.safetensors", QByteArray("\x10\x00\x00\x00\x00\x00\x00\x00", 8) + "{\"a\":{\"dtype\":\"F" + QByteArray(100, 'z'));
    const Ran ran = run({"generate", "--model", path("broken"), "--image", golden("images/odd.png"), "--prompt", "What?"});
    QCOMPARE(ran.code, 1);
    QVERIFY2(ran.err.contains("model.safetensors"), ran.err);
  }

  void badUsageIsExitCodeTwo_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QByteArray>("says");
    QTest::newRow("nothing") << QStringList{} << QByteArray("--help");
    QTest::newRow("unknown verb") << QStringList{"dance"} << QByteArray("no command «dance». Next: choose one of doctor, ");
    QTest::newRow("unknown option") << QStringList{"doctor", "--nonsense"} << QByteArray("--nonsense");
    QTest::newRow("missing option") << QStringList{"forward", "--model", "x"} << QByteArray("--input");
    QTest::newRow("wrong number") << QStringList{"generate", "--model", "x", "--prompt", "y", "--max-new", "many"} << QByteArray("many");
    QTest::newRow("negative number") << QStringList{"generate", "--model", "x", "--prompt", "y", "--temperature", "-1"} << QByteArray("--temperature: «-1» is no number of 0 or more\n");
    QTest::newRow("not above zero") << QStringList{"generate", "--model", "x", "--prompt", "y", "--repetition-penalty", "0"} << QByteArray("«0» is no number above 0\n");
    QTest::newRow("unknown change") << QStringList{"what-if", "--model", "x", "--prompt", "y", "--change", "paint"} << QByteArray("paint not in {average,blur,erase,keep}");
    QTest::newRow("neither prompt nor input") << QStringList{"generate", "--model", "x"} << QByteArray("--prompt or --input");
    QTest::newRow("wrong format") << QStringList{"dump", "x", "--format", "xlsx"} << QByteArray("xlsx");
    QTest::newRow("demo of nothing") << QStringList{"demo"} << QByteArray("--help");
  }
  void badUsageIsExitCodeTwo() {
    QFETCH(QStringList, arguments);
    QFETCH(QByteArray, says);
    const Ran ran = run(arguments);
    QVERIFY2(ran.code == 2, qPrintable(QString::number(ran.code)));
    QVERIFY2(ran.err.contains(says), ran.err);
    QVERIFY2(!ran.err.contains("000000000"), ran.err);
  }

  void everyVerbHasHelp() {
    QVERIFY(run({"--help"}).out.contains("inspect"));
    for (const QString verb : {"doctor", "selfcheck", "tokenize", "chat", "preprocess", "forward", "generate", "inspect", "what-if", "dump", "train", "plan", "control", "resume",
                               "eval", "compare", "export", "board", "runs", "rollouts", "data", "bench", "demo", "render", "report"}) {
      const Ran ran = run({verb, "--help"});
      QVERIFY2(ran.code == 0, qPrintable(verb));
      QVERIFY2(ran.out.contains("--help") && ran.out.size() > 120, qPrintable(verb));
    }
    QCOMPARE(run({"--version"}).code, 0);
    // No machine's words in what a person reads.
    for (const QString verb : {"inspect", "what-if"}) QVERIFY2(!run({verb, "--help"}).out.contains("->"), qPrintable(verb));
  }

  // The commands that --help shows are carried out as they stand there.
  void theExamplesOfHelpWork() {
    const QStringList lines = QString::fromUtf8(run({"--help"}).out).split('\n');
    int seen = 0;
    for (const QString& line : lines) {
      if (!line.startsWith("  cuescope-cli ")) continue;
      QStringList words = QProcess::splitCommand(line);
      words.removeFirst();
      if (const auto rows = words.indexOf("--max-samples"); rows > 0) words[rows + 1] = "2";
      const Ran ran = run(words);
      QVERIFY2(ran.code == 0 && !ran.out.isEmpty(), ran.err);
      ++seen;
    }
    QCOMPARE(seen, 2);
  }

  void renderAndReportHandEveryWordToTheStudio() {
    const Ran made = run({"inspect", "--model", golden("tiny-student-vicur"), "--image", golden("images/photo.jpg"), "--prompt", "What is it?", "--max-new", "2", "--ignore-eos",
                          "--output", path("paint.capture"), "--json"});
    QVERIFY2(made.code == 0, made.err);
    const Ran painted = run({"render", path("paint.capture"), "--format", "png", "--output", path("paint.png")});
    QVERIFY2(painted.code == 0, painted.err);
    QFile png(path("paint.png"));
    QVERIFY(png.open(QIODevice::ReadOnly));
    QVERIFY(png.readAll().startsWith("\x89PNG"));
    const Ran written = run({"report", path("paint.capture"), "--output", path("paint.html")});
    QVERIFY2(written.code == 0, written.err);
    QVERIFY(QFileInfo(path("paint.html")).size() > 500);
    const QByteArray help = run({"render", "--help"}).out;
    QVERIFY2(help.contains("Usage: cuescope render [options] [capture]") && help.contains("--format") && !help.contains("--help-all"), help);
    QVERIFY(run({"report", "--help"}).out.contains("Usage: cuescope report [options] source"));
    QVERIFY(run({"render", "--recipe", path("no.recipe.json"), "--output", path("x.png")}).err.contains("no.recipe.json"));
    QVERIFY(run({"render", path("nowhere.capture"), "--format", "png", "--output", path("none.png")}).err.contains("nowhere.capture"));
  }

  void withoutADisplayTheStudioSaysSo() {
    QProcess studio;
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}) environment.remove(name);
    studio.setProcessEnvironment(environment);
    studio.start(QCoreApplication::applicationDirPath() + "/../bin/cuescope", {"some.png"});
    QVERIFY(studio.waitForFinished(60000));
    const QByteArray said = studio.readAllStandardError();
    QVERIFY2(studio.exitStatus() == QProcess::NormalExit && studio.exitCode() == 1, said);
    QVERIFY2(said.contains("there is no display") && said.contains("--tour DIR"), said);
  }

  void whatIfShowsWhatAChangeDoesToAnAnswer() {
    const QStringList ask{"what-if", "--model", golden("tiny-student-vicur"), "--teacher", golden("tiny-teacher"), "--image", golden("images/photo.jpg"), "--prompt", "What is it?", "--cue", "A red square.",
                          "--response-ids", "48,1003,487", "--max-new", "4", "--random", "3", "--json"};
    const auto answer = [&](const QStringList& change) {
      const Ran ran = run(ask + change);
      if (ran.code != 0) qWarning("%s", ran.err.constData());
      return ran.code == 0 ? Json::parse(ran.out.toStdString()) : Json();
    };
    const Json erased = answer({"--patches", "0,1", "--change", "erase"});
    QVERIFY(erased.is_object());
    const double before = erased["log_prob_before"], after = erased["log_prob_after"];
    QVERIFY(std::isfinite(before) && before < 0 && before != after);
    QVERIFY(std::abs(erased["effect"].get<double>() - (before - after)) < 1e-5);
    QCOMPARE(erased["random"]["count"].get<int>(), 3);
    QVERIFY(erased["random"]["deviation"].get<double>() > 0);
    QCOMPARE(erased["tokens_before"].size(), std::size_t(3));
    const Json off = answer({"--module", "off"});
    QCOMPARE(off["log_prob_before"].get<double>(), before);
    QVERIFY(off["log_prob_after"].get<double>() != before);
    const Json whole = answer({"--module", "1"});  // all of the module is what there was
    QVERIFY(std::abs(whole["log_prob_after"].get<double>() - before) < 1e-5);
    const Json told = answer({"--ask-teacher", "--cue-change", "none"});
    QVERIFY(told["log_prob_before"].get<double>() != told["log_prob_after"].get<double>());
    QCOMPARE(run(ask + QStringList{"--module", "loud"}).code, 2);
    QCOMPARE(run(ask + QStringList{"--patches", "9999"}).code, 1);
  }

  void doctorSaysWhatThisMachineIs() {
    const Ran ran = run({"doctor", "--json"});
    const Json lines = Json::parse(ran.out.toStdString())["lines"];
    QStringList names;
    for (const auto& line : lines) names << QString::fromStdString(line["name"]);
    for (const char* name : {"engine", "processor", "memory", "GPU", "image codecs", "video codecs"}) QVERIFY2(names.contains(name), name);
    for (const auto& line : lines)
      if (line["name"] == "image codecs") QCOMPARE(line["value"].get<std::string>(), std::string("PNG, JPEG, WebP, BMP, TIFF are read"));
      else if (line["name"] == "video codecs") QCOMPARE(line["value"].get<std::string>(), std::string("H.264 in MP4 is read"));
    QVERIFY(run({"doctor"}).out.contains("LibTorch"));
  }

  void theSecondInterruptEndsTheProgram() {
    QProcess process;
    process.start(QCoreApplication::applicationDirPath() + "/../bin/cuescope-cli", {"tokenize", "--model", golden("tiny-student")});
    process.write("first line\n");
    QVERIFY(process.waitForReadyRead(60000));  // it runs, and waits for the next line
    QCOMPARE(kill(static_cast<pid_t>(process.processId()), SIGINT), 0);
    process.setReadChannel(QProcess::StandardError);
    QVERIFY(process.waitForReadyRead(10000));
    QVERIFY(process.readAllStandardError().contains("once more"));
    QCOMPARE(kill(static_cast<pid_t>(process.processId()), SIGINT), 0);
    QVERIFY(process.waitForFinished(10000));
    QCOMPARE(process.exitCode(), 128 + SIGINT);
  }

  void anInterruptIsAStopAndNotACrash() {
    QProcess process;
    process.start(QCoreApplication::applicationDirPath() + "/../bin/cuescope-cli", {"tokenize", "--model", golden("tiny-student")});
    process.write("first line\n");
    QVERIFY(process.waitForReadyRead(60000));
    QCOMPARE(kill(static_cast<pid_t>(process.processId()), SIGINT), 0);
    process.setReadChannel(QProcess::StandardError);
    QVERIFY(process.waitForReadyRead(10000));
    process.write("second line\n");
    QVERIFY(process.waitForFinished(10000));
    QCOMPARE(process.exitCode(), 1);
    QVERIFY(process.readAllStandardError().contains("Stopped, as asked"));
  }

  void aFailureIsJsonToo() {
    const Ran ran = run({"generate", "--model", path("nowhere"), "--prompt", "x", "--json"});
    QCOMPARE(ran.code, 1);
    QVERIFY(Json::parse(ran.out.toStdString())["error"]["where"].get<std::string>().find("nowhere") != std::string::npos);
  }
};

QTEST_GUILESS_MAIN(TestCli)
#include "tst_cli.moc"
