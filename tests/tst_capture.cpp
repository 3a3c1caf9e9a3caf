// Captures: written, read again, lied to. Dumps: the numbers, the choices, the archive.
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "engine/core/array_file.h"
#include "engine/core/capture.h"
#include "engine/core/dump.h"
#include "engine/core/zip_store.h"
#include "engine/engine.h"

using namespace cuescope;

namespace {

/// Two images, two layers, two heads, six visual tokens, two response tokens, the first of them half a character.
Inspection example() {
  Inspection look;
  look.id = 7;
  look.student = {"/models/s", "s", 1000, 10, 2, 2, 8, 30, 1, 1, {0, 5}, "float32", "cpu", "abc", 4000};
  look.hasTeacher = true;
  look.teacher = look.student;
  look.teacher.name = "t";
  look.step = 12;
  look.question = "What is «this»?\nSay it.";
  look.cue = "a \"red\" square, left";
  look.images = {{"one.png", 4, 2, std::vector<std::uint8_t>(24, 9), 1, 2, 0, 40, 20}, {"two.png", 4, 4, std::vector<std::uint8_t>(48, 200), 2, 2, 2, 4, 4}};
  look.evidence = {{1, 0.5f, 1, 2, 3, "square"}};
  look.studentPrompt = {"<|im_start|>user\n…", {{1, "<|im_start|>", true, -1}, {5, "<|image_pad|>", true, 0}}, -1, -1};
  look.teacherPrompt = look.studentPrompt;
  look.teacherPrompt.cueBegin = 1;
  look.teacherPrompt.cueEnd = 2;
  look.response = {{20, "\xe4\xbd", false, -1}, {21, "a,\"b\"", false, -1}};
  look.answer = "x";
  look.finish = "stop";
  look.cueRecovery = {Site::CueRecovery, {0, 5}, {0}, 2, 6, false, {}, {}, {}};
  look.selfAttention = {Site::SelfAttention, {0, 1}, {1, 2}, 2, 6, false, {}, {}, {}};
  for (int i = 0; i < 2 * 2 * 6; ++i) look.cueRecovery.values.push_back(static_cast<float>(i) / 7);
  for (int i = 0; i < 2 * 2 * 2 * 6; ++i) look.selfAttention.values.push_back(static_cast<float>(i) / 11);
  look.selfAttention.textShare.assign(8, 0.25f);
  look.selfAttention.sinkShare.assign(8, 0.5f);
  for (int i = 0; i < 2; ++i) {
    TokenDistributions one;
    one.ids = {20, 21, 22};
    one.texts = {"\xe4\xbd", "b", "c"};
    one.logProbs[0] = {-0.5f, -1.5f, -3.f - static_cast<float>(i)};
    one.logProbs[1] = {-0.25f, -2.f, -std::numeric_limits<float>::infinity()};
    one.sampled[0] = -0.5f;
    one.sampled[1] = -0.25f;
    one.entropy[0] = 1.25f;
    one.tail[0] = 0.125f;
    one.jsd = 0.0625f;
    look.distributions.push_back(one);
  }
  look.seconds = 1.5;
  look.studentImageDigest = "00ff";
  return look;
}

/// The example with every site of the second format.
Inspection everySite() {
  Inspection look = example();
  const auto stack = [](Site site, std::vector<int> layers, std::vector<int> queries, int heads) {
    AttentionStack out{site, std::move(layers), std::move(queries), heads, 6, heads == 1, {}, {}, {}};
    const std::size_t size = out.layers.size() * out.queries.size() * static_cast<std::size_t>(heads) * 6;
    for (std::size_t i = 0; i < size; ++i) out.values.push_back(static_cast<float>(i) / 13 - static_cast<float>(site));
    return out;
  };
  look.promptAttention = stack(Site::SelfAttention, {0, 1}, {0}, 2);
  look.vision = stack(Site::Vision, {0, 3}, {-1, 4}, 2);
  look.rollout = stack(Site::Rollout, {1}, {0, 1, 2}, 1);
  look.gradientAttention = stack(Site::GradientAttention, {0, 1}, {2}, 2);
  look.lensMap = stack(Site::LogitLens, {1}, {1, 2}, 1);
  look.occlusion = stack(Site::Occlusion, {0}, {1, 2}, 1);
  look.occlusionInfo = {"blur", 2, 3, {-0.5f, kNotComputed}};
  look.logitLens = {{0, 1}, {1, 2}, 2, {20, 21, 22, 23, 24, 25, 26, 27}, {"a", "\xe4\xbd", "c", "d,", "e", "f", "g", "h"},
                    {-1, -2, -3, -4, -5, -6, -7, -8}, {-1, kNotComputed, -3, -4}, {20, -1}, {0.5f, 1, 2, 3}};
  EvidenceScore score;
  score.site = Site::Rollout;
  score.query = 2;
  score.layer = 1;
  score.image = 1;
  score.boxes = 1;
  score.patches = 2;
  score.mass = 0.75f;
  score.uniformMass = 0.5f;
  score.hit = true;
  score.uniformHit = 0.25f;
  score.iou = 1;
  score.uniformIou = 0.125f;
  look.evidenceScores = {score};
  look.statedBytes = 12345;
  look.images[1].source = 1;
  look.images[1].slice = 2;
  look.images[1].seconds = 1.25;
  return look;
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

std::string slurp(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void spit(const std::string& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

/// The message of the Error, empty if nothing is thrown.
std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// A safetensors file from a header text and data.
std::string container(const std::string& header, const std::string& data, std::uint64_t claim = 0) {
  const std::uint64_t size = claim ? claim : header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

/// The same arrays under another description.
void rewrite(const ArrayFile& whole, const nlohmann::json& description, const std::string& to) {
  ArrayFileWriter out;
  for (const auto& [name, entry] : whole.entries()) {
    std::string bytes(entry.end - entry.begin, '\0');
    whole.readInto(name, bytes.data());
    out.add(name, entry.dtype, entry.shape, bytes.data());
  }
  out.setMetadata("cuescope.capture", description.dump());
  out.write(to);
}

}  // namespace

class TestCapture : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_folder;
  std::string path(const std::string& name) const { return m_folder.filePath(QString::fromStdString(name)).toStdString(); }

 private Q_SLOTS:
  void aCaptureComesBackAsItWas() {
    const Inspection look = example();
    InspectRequest request;
    request.student = "/models/s";
    request.question = look.question;
    request.sampling.maxNew = 9;
    writeCapture(path("a.capture"), look, captureInfo(look, request));
    const Capture capture = readCapture(path("a.capture"));
    const Inspection& back = *capture.inspection;
    QCOMPARE(back.id, look.id);
    QCOMPARE(back.step, 12);
    QCOMPARE(back.question, look.question);
    QCOMPARE(back.cue, look.cue);
    QCOMPARE(back.student.injectionLayers, look.student.injectionLayers);
    QCOMPARE(back.teacher.name, std::string("t"));
    QCOMPARE(back.images.size(), std::size_t(2));
    QCOMPARE(back.images[1].rgb, look.images[1].rgb);
    QCOMPARE(back.images[1].firstVisual, 2);
    QCOMPARE(back.images[0].originalWidth, 40);
    QCOMPARE(back.evidence.at(0).label, std::string("square"));
    QCOMPARE(back.studentPrompt.tokens.at(1).visual, 0);
    QCOMPARE(back.teacherPrompt.cueEnd, 2);
    QCOMPARE(back.response.at(0).text, std::string("\xe4\xbd"));
    QCOMPARE(back.cueRecovery.values, look.cueRecovery.values);
    QCOMPARE(back.cueRecovery.layers, look.cueRecovery.layers);
    QCOMPARE(back.selfAttention.values, look.selfAttention.values);
    QCOMPARE(back.selfAttention.sinkShare, look.selfAttention.sinkShare);
    QCOMPARE(back.distributions.size(), std::size_t(2));
    for (std::size_t i = 0; i < 2; ++i) {
      QCOMPARE(back.distributions[i].ids, look.distributions[i].ids);
      QCOMPARE(back.distributions[i].texts, look.distributions[i].texts);
      for (int c = 0; c < kConditions; ++c) {
        QCOMPARE(back.distributions[i].logProbs[c], look.distributions[i].logProbs[c]);
        QVERIFY(same(back.distributions[i].sampled[c], look.distributions[i].sampled[c]));
        QVERIFY(same(back.distributions[i].tail[c], look.distributions[i].tail[c]));
      }
      QCOMPARE(back.distributions[i].jsd, 0.0625f);
      QVERIFY(std::isnan(back.distributions[i].klTeacherStudent));
    }
    QCOMPARE(capture.info.studentDigest, std::string("abc"));
    QCOMPARE(capture.info.imageDigest, std::string("00ff"));
    const auto recipe = nlohmann::json::parse(capture.info.requestJson);
    QCOMPARE(recipe["sampling"]["maxNew"].get<int>(), 9);
    QCOMPARE(recipe["responseIds"].size(), std::size_t(2));
  }

  void everySiteComesBack() {
    const Inspection look = everySite();
    InspectRequest request;
    request.sites = {Site::Rollout, Site::Occlusion};
    request.layers = {1, 3};
    writeCapture(path("sites"), look, captureInfo(look, request));
    const Capture capture = readCapture(path("sites"));
    const Inspection& back = *capture.inspection;
    for (int i = 0; i < kSites; ++i) {
      const AttentionStack &a = look.stack(static_cast<Site>(i)), &b = back.stack(static_cast<Site>(i));
      QCOMPARE(b.site, static_cast<Site>(i));
      QCOMPARE(b.values, a.values);
      QCOMPARE(b.layers, a.layers);
      QCOMPARE(b.queries, a.queries);
      QCOMPARE(b.headsAveraged, a.headsAveraged);
    }
    QCOMPARE(back.promptAttention.values, look.promptAttention.values);
    QCOMPARE(back.logitLens.ids, look.logitLens.ids);
    QCOMPARE(back.logitLens.texts, look.logitLens.texts);
    QCOMPARE(back.logitLens.chosenIds, look.logitLens.chosenIds);
    QVERIFY(std::isnan(back.logitLens.chosen[1]) && back.logitLens.chosen[2] == -3);
    QCOMPARE(back.logitLens.entropy, look.logitLens.entropy);
    QCOMPARE(back.occlusionInfo.change, std::string("blur"));
    QCOMPARE(back.occlusionInfo.cell, 2);
    QVERIFY(back.occlusionInfo.before[0] == -0.5f && std::isnan(back.occlusionInfo.before[1]));
    QCOMPARE(back.evidenceScores.size(), std::size_t(1));
    QVERIFY(back.evidenceScores[0].hit && back.evidenceScores[0].site == Site::Rollout && back.evidenceScores[0].uniformIou == 0.125f);
    QCOMPARE(back.statedBytes, std::int64_t(12345));
    QCOMPARE(back.images[1].seconds, 1.25);
    QCOMPARE(back.images[1].slice, 2);
    const auto recipe = nlohmann::json::parse(capture.info.requestJson);
    QVERIFY(recipe["sites"].dump() == R"(["rollout","occlusion"])");
    QVERIFY(recipe["layers"].dump() == "[1,3]");
  }

  void aCaptureOfTheFirstFormatStillOpens() {
    writeCapture(path("new"), example(), {});
    const ArrayFile whole(path("new"));
    auto root = nlohmann::json::parse(whole.metadata().at("cuescope.capture"));
    root["format"] = 1;  // what the first format did not have
    for (const char* later : {"promptAttention", "maps", "logitLens", "occlusion", "evidenceScores", "statedBytes"}) root["inspection"].erase(later);
    for (auto& image : root["inspection"]["images"]) {
      for (const char* later : {"source", "slice", "seconds"}) image.erase(later);
    }
    rewrite(whole, root, path("old"));
    const Inspection back = *readCapture(path("old")).inspection;
    QCOMPARE(back.selfAttention.values, example().selfAttention.values);
    QCOMPARE(back.images[1].slice, -1);
    QVERIFY(back.vision.empty() && back.logitLens.empty() && back.evidenceScores.empty());
  }

  void everySiteIsDumpedInEveryFormat() {
    const Inspection look = everySite();
    QCOMPARE(dumpSites().size(), std::size_t(12));
    for (const std::string& site : dumpSites()) {
      const std::string csv = dumpCsv(look, {site}), npz = dumpNpz(look, {site});
      const auto json = nlohmann::json::parse(dumpJson(look, {site}));
      QCOMPARE(json["site"].get<std::string>(), site);
      const auto lines = static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')) - 1;
      QVERIFY(json["rows"].size() > 0);
      QCOMPARE(json["rows"].size(), lines);
      QVERIFY(npz.size() > 100);
      QVERIFY(!refusal([&] { dumpCsv(Inspection{}, {site}); }).empty() || site == "tokens" || site == "distributions" || site == "evidence");
    }
    // Tokens are called what they are: response tokens, prompt positions, visual tokens.
    const auto tokensOf = [&](const char* site) {
      std::vector<int> tokens;
      for (const auto& map : chooseMaps(look, {site, DumpChoice::kMean, DumpChoice::kMean})) tokens.push_back(map.token);
      return tokens;
    };
    QCOMPARE(tokensOf("gradient_attention"), (std::vector<int>{1}));
    QCOMPARE(tokensOf("prompt_attention"), (std::vector<int>{0}));
    QCOMPARE(tokensOf("vision"), (std::vector<int>{-1, 4}));
    QCOMPARE(tokensOf("rollout"), (std::vector<int>{-1, 0, 1}));
    QCOMPARE(chooseMaps(look, {"gradient_attention", 1, 1, 1}).at(0).values, std::vector<float>(look.gradientAttention.values.begin() + 18, look.gradientAttention.values.end()));
    QVERIFY(refusal([&] { chooseMaps(look, {"gradient_attention", 1, 1, 0}); }).find("token 0") != std::string::npos);
    const QStringList lens = QString::fromStdString(dumpCsv(look, {"logit_lens", 1})).split('\n');
    QCOMPARE(lens.at(0), QString("token,position,layer,rank,id,text,log_prob,chosen_id,chosen_log_prob,entropy"));
    QCOMPARE(lens.at(1), QString("0,1,1,0,24,e,-5,20,-3,2"));
    const QStringList scores = QString::fromStdString(dumpCsv(look, {"evidence"})).split('\n');
    QCOMPARE(scores.at(1), QString("rollout,1,1,1,1,2,0.75,0.5,1,0.25,1,0.125"));
  }

  void theSameInspectionGivesTheSameBytes() {
    const Inspection look = example();
    writeCapture(path("b1"), look, {});
    writeCapture(path("b2"), *readCapture(path("b1")).inspection, {});
    QCOMPARE(slurp(path("b1")), slurp(path("b2")));
    QVERIFY(!std::filesystem::exists(path("b1.part")));
  }

  void everyTruncationIsAnError() {
    writeCapture(path("whole"), example(), {});
    const std::string bytes = slurp(path("whole"));
    for (std::size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 97) {
      spit(path("cut"), bytes.substr(0, size));
      const std::string text = refusal([&] { readCapture(path("cut")); });
      QVERIFY2(text.find("cut") != std::string::npos, text.c_str());
    }
  }

  void aChangedDescriptionIsAnErrorAndNeverACrash() {
    writeCapture(path("whole"), example(), {});
    const ArrayFile whole(path("whole"));
    const auto root = nlohmann::json::parse(whole.metadata().at("cuescope.capture"));
    const auto refusedWith = [&](const std::function<void(nlohmann::json&)>& change) {
      nlohmann::json changed = root;
      change(changed);
      rewrite(whole, changed, path("changed"));
      return refusal([&] { readCapture(path("changed")); });
    };
    QCOMPARE(refusedWith([](auto&) {}), std::string());
    QVERIFY(refusedWith([](auto& r) { r["format"] = 99; }).find("format 99") != std::string::npos);
    QVERIFY(!refusedWith([](auto& r) { r["inspection"].erase("response"); }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["response"] = "text"; }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["response"].clear(); }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["cueRecovery"]["layers"] = {0, 5, 10}; }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["images"][1]["gridRows"] = 20000; }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["images"][1]["firstVisual"] = -1; }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["images"].push_back(r["inspection"]["images"][0]); }).empty());
    QVERIFY(!refusedWith([](auto& r) { r["inspection"]["response"][0]["text"] = {{"hex", "zz"}}; }).empty());
    QVERIFY(!refusedWith([](auto& r) { r.erase("recipe"); }).empty());
  }

  void aLyingHeaderIsNamed_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const std::string& bytes, const char* says) {
      QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())) << QString(says);
    };
    row("empty", "", "empty");
    row("short", "abc", "shorter");
    row("huge claim", container("{}", "", 1ull << 60), "claims");
    row("claim past the end", container("{}", "", 100), "claims");
    row("no JSON", container("{nonsense", ""), "not a JSON");
    row("an array", container("[1, 2]", ""), "not a JSON object");
    row("pickle", std::string("\x80\x02}q\x00.", 6) + "........", "pickle");
    row("zip of torch.save", std::string("PK\x03\x04", 4) + "................", "pickle");
    row("past the data", container(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "1234"), "end at byte 16");
    row("backwards", container(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "1234"), "end at byte 0");
    row("wrong size", container(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234"), "match its shape");
    row("negative", container(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234"), "negative");
    row("overflow", container(R"({"a":{"dtype":"F32","shape":[4611686018427387904,16],"data_offsets":[0,0]}})", ""), "more elements");
    row("unknown type", container(R"({"a":{"dtype":"PICKLE","shape":[1],"data_offsets":[0,4]}})", "1234"), "unknown type");
    row("overlap", container(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", "1234"), "overlap");
    row("no offsets", container(R"({"a":{"dtype":"U8","shape":[3]}})", "123"), "lacks");
    row("no capture", container(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "123"), "not a capture");
  }
  void aLyingHeaderIsNamed() {
    QFETCH(QByteArray, bytes);
    QFETCH(QString, says);
    spit(path("lie"), bytes.toStdString());
    const std::string text = refusal([&] { readCapture(path("lie")); });
    QVERIFY2(QString::fromStdString(text).contains(says), text.c_str());
  }

  void mapsAreChosenAndReduced() {
    const Inspection look = example();
    DumpChoice one{"cue_recovery", 5, 1, 0};
    auto maps = chooseMaps(look, one);
    QCOMPARE(maps.size(), std::size_t(1));
    QCOMPARE(maps[0].values, std::vector<float>(look.cueRecovery.values.begin() + 18, look.cueRecovery.values.end()));
    QCOMPARE(chooseMaps(look, {"cue_recovery"}).size(), std::size_t(4));
    QCOMPARE(chooseMaps(look, {"self_attention"}).size(), std::size_t(8));
    QCOMPARE(chooseMaps(look, {"self_attention", DumpChoice::kAll, DumpChoice::kAll, 1}).size(), std::size_t(4));
    maps = chooseMaps(look, {"cue_recovery", 0, DumpChoice::kMax});
    QCOMPARE(maps.at(0).values[2], 8.0f / 7);
    maps = chooseMaps(look, {"cue_recovery", 0, DumpChoice::kMean});
    QCOMPARE(maps.at(0).values[2], static_cast<float>((2.0f / 7 + static_cast<double>(8.0f / 7)) / 2));
    maps = chooseMaps(look, {"cue_recovery", DumpChoice::kMean, DumpChoice::kMean});
    QCOMPARE(maps.size(), std::size_t(1));
    QVERIFY(std::abs(maps[0].values[0] - 9.0f / 7) < 1e-6f);
    QVERIFY(refusal([&] { chooseMaps(look, {"cue_recovery", 3}); }).find("layers 0, 5") != std::string::npos);
    QVERIFY(!refusal([&] { chooseMaps(look, {"cue_recovery", 5, 2}); }).empty());
    QVERIFY(!refusal([&] { chooseMaps(look, {"self_attention", 0, 0, 2}); }).empty());
    QVERIFY(!refusal([&] { chooseMaps(look, {"nowhere"}); }).empty());
    QVERIFY(!refusal([&] { chooseMaps(Inspection{}, {"cue_recovery"}); }).empty());
  }

  void csvHasPlacesQuotesAndEmptyFields() {
    const Inspection look = example();
    const QStringList maps = QString::fromStdString(dumpCsv(look, {"cue_recovery", 5, 1})).split('\n');
    QCOMPARE(maps.at(0), QString("token,layer,head,image,row,column,value"));
    QCOMPARE(maps.size(), 8);
    QVERIFY(maps.at(1).startsWith("-1,5,1,0,0,0,"));
    QVERIFY(maps.at(6).startsWith("-1,5,1,1,1,1,"));
    QCOMPARE(maps.at(6).section(',', 6).toFloat(), 23.0f / 7);
    const QStringList tokens = QString::fromStdString(dumpCsv(look, {"tokens"})).split('\n');
    QVERIFY(tokens.at(0).startsWith("token,id,text,log_prob.student,log_prob.teacher_cue,"));
    QVERIFY2(tokens.at(2).startsWith("1,21,\"a,\"\"b\"\"\",-0.5,-0.25,,,1.25,,"), qPrintable(tokens.at(2)));
    QCOMPARE(QString::fromStdString(dumpCsv(look, {"distributions"})).split('\n').size(), 8);
  }

  void jsonSaysNullForWhatWasNotComputed() {
    const auto root = nlohmann::json::parse(dumpJson(example(), {"tokens", -1, -1, 1}));
    QCOMPARE(root["site"].get<std::string>(), std::string("tokens"));
    QCOMPARE(root["rows"].size(), std::size_t(1));
    QCOMPARE(root["rows"][0]["gap"].get<float>(), 0.25f);
    QVERIFY(root["rows"][0]["entropy.teacher_plain"].is_null());
  }

  void pythonReadsTheArchive() {
    const QString python = QStandardPaths::findExecutable("python3");
    if (python.isEmpty()) QSKIP("python3 is not installed; the archive's layout is checked by zipfile only where it is");
    spit(path("a.npz"), dumpNpz(example(), {"self_attention", 1}));
    QProcess process;
    process.start(python, {"-c",
                           "import zipfile,sys,ast,struct\n"
                           "z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None\n"
                           "b=z.read('values.npy'); assert b[:8]==b'\\x93NUMPY\\x01\\x00'\n"
                           "n=struct.unpack('<H',b[8:10])[0]; assert (10+n)%64==0\n"
                           "h=ast.literal_eval(b[10:10+n].decode()); assert h=={'descr':'<f4','fortran_order':False,'shape':(4,6)},h\n"
                           "v=struct.unpack('<24f',b[10+n:]); assert abs(v[0]-12/11)<1e-6, v\n"
                           "print(','.join(z.namelist()))",
                           QString::fromStdString(path("a.npz"))});
    QVERIFY(process.waitForFinished());
    QVERIFY2(process.exitCode() == 0, process.readAllStandardError());
    QCOMPARE(process.readAllStandardOutput().trimmed(), QByteArray("values.npy,token.npy,layer.npy,head.npy,grids.npy"));
  }

  void indexesAreNumbersOrWords() {
    QCOMPARE(parseDumpIndex("", "--head"), DumpChoice::kAll);
    QCOMPARE(parseDumpIndex("mean", "--head"), DumpChoice::kMean);
    QCOMPARE(parseDumpIndex("max", "--head"), DumpChoice::kMax);
    QCOMPARE(parseDumpIndex("12", "--head"), 12);
    for (const char* bad : {"-1", "1x", "median", "99999999999999"}) QVERIFY2(refusal([&] { parseDumpIndex(bad, "--head"); }).find("--head") != std::string::npos, bad);
  }
};

QTEST_GUILESS_MAIN(TestCapture)
#include "tst_capture.moc"
