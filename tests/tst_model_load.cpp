// Folders and files: what opens, what comes back after saving, and what is refused with a plain sentence.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "engine/core/failure.h"
#include "engine/model/qwen3_vl.h"
#include "engine/model/safetensors.h"
#include "tests/support/golden.h"
#include "tests/support/model_batch.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include <QTemporaryDir>
#include <QTest>

using namespace cuescope;
namespace fs = std::filesystem;

namespace {

std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.failure().text();
  }
  return {};
}

void writeBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A safetensors file with this header and `data` zero bytes; `claimed` overrides the header's length.
std::string fileOf(const std::string& header, std::size_t data, std::int64_t claimed = -1) {
  std::string out(8, '\0');
  const std::uint64_t length = claimed < 0 ? header.size() : static_cast<std::uint64_t>(claimed);
  for (int i = 0; i < 8; ++i) out[static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i));
  return out + header + std::string(data, '\0');
}

at::Tensor statesOf(const Qwen3VL& model) {
  static const golden::Set set("forward-student");
  const at::NoGradGuard noGrad;
  return model.forward(packRows(model.config(), modelBatch(set, set, "left", model.config()).rows));
}

}  // namespace

class TestModelLoad : public QObject {
  Q_OBJECT
  QTemporaryDir m_dir;
  std::string place(const char* name) { return m_dir.filePath(name).toStdString(); }
  // A copy of a golden model folder without its weights.
  std::string folderWithout(const char* name, const char* source) {
    const std::string folder = place(name);
    fs::create_directories(folder);
    for (const char* file : {"config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"})
      fs::copy_file(golden::path(source) + "/" + file, folder + "/" + file, fs::copy_options::overwrite_existing);
    return folder;
  }
  NamedTensors weightsOf(const char* source) {
    const Safetensors files = Safetensors::openFolder(golden::path(source));
    NamedTensors out;
    for (const auto& entry : files.entries()) out.emplace_back(entry.name, files.read(entry.name));
    return out;
  }

 private Q_SLOTS:
  void parametersCarryTheKeysOfTheFilesAndTheirNumbers() {
    for (const char* name : {"tiny-student", "tiny-student-vicur", "tiny-teacher"}) {
      const auto model = Qwen3VL::load(golden::path(name), "cpu", "float32");
      const Safetensors files = Safetensors::openFolder(golden::path(name));
      QCOMPARE(model->named_parameters().size(), files.entries().size());
      for (const auto& item : model->named_parameters()) {
        QVERIFY2(files.find(item.key()), item.key().c_str());
        QVERIFY2(at::equal(item.value(), files.read(item.key())), item.key().c_str());
      }
    }
    const ModelInfo info = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32")->info();
    QCOMPARE(info.parameters, 768624);
    QCOMPARE(info.cueParameters, 768624 - 719344);
    QCOMPARE(Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32")->info().parameters, 1068592);
    QCOMPARE(info.name, std::string("tiny-student-vicur"));
    QVERIFY(!info.digest.empty());
  }

  void weightsLieInOneBlockThatTheLastOfThemKeeps() {
    const Safetensors files = Safetensors::openFolder(golden::path("tiny-student-vicur"));
    auto model = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    std::map<std::uintptr_t, std::size_t> places;
    std::size_t total = 0;
    for (const auto& item : model->named_parameters()) {
      const auto at = reinterpret_cast<std::uintptr_t>(item.value().data_ptr());
      QVERIFY2(at % 64 == 0, item.key().c_str());
      QVERIFY2(item.value().requires_grad() && item.value().is_leaf(), item.key().c_str());
      places[at] = item.value().nbytes();
      total += item.value().nbytes();
    }
    QCOMPARE(places.size(), model->named_parameters().size());
    std::uintptr_t end = places.begin()->first;
    for (const auto& [at, bytes] : places) {
      QVERIFY(at >= end);
      end = at + bytes;
    }
    QVERIFY(end - places.begin()->first <= total + 64 * places.size());
    const std::string key = model->named_parameters().keys().back();
    const at::Tensor kept = model->named_parameters()[key].detach();
    model.reset();
    QVERIFY(at::equal(kept, files.read(key)));
  }

  void largeTensorsAreReadInPiecesThatFitTogether() {
    // Odd sizes, so that pieces end inside tensors and tensors inside pieces; more than one thread reads.
    const at::Generator random = at::make_generator<at::CPUGeneratorImpl>(5);
    NamedTensors tensors;
    for (const std::int64_t n : {2'500'001, 3, 1'048'576, 77'777, 1})
      tensors.emplace_back("t" + std::to_string(n), at::empty({n}, at::kFloat).normal_(0, 1, random));
    tensors.emplace_back("narrow", at::empty({1501, 1999}, at::kFloat).normal_(0, 1, random).to(at::kBFloat16));
    const std::string path = place("pieces.safetensors");
    writeSafetensors(path, tensors);
    const Safetensors files = Safetensors::open(path);
    std::vector<Safetensors::Target> targets;
    for (const auto& [name, tensor] : tensors) targets.push_back({files.find(name), at::full(tensor.sizes(), -7, at::kFloat)});
    double last = 0;
    files.readInto(targets, [&](double share) { last = share; });
    for (std::size_t i = 0; i < tensors.size(); ++i) QVERIFY2(at::equal(targets[i].tensor, tensors[i].second.to(at::kFloat)), tensors[i].first.c_str());
    QVERIFY(last > 0 && last <= 1);
  }

  void savedAndLoadedIsTheSameModel() {
    for (const char* name : {"tiny-student-vicur", "tiny-teacher"}) {
      const auto model = Qwen3VL::load(golden::path(name), "cpu", "float32");
      const std::string folder = place(name);
      model->save(folder, golden::path(name));
      QVERIFY(fs::exists(folder + "/tokenizer.json"));
      const auto again = Qwen3VL::load(folder, "cpu", "float32");
      QVERIFY(at::equal(statesOf(*model), statesOf(*again)));
      QCOMPARE(again->config().cue.layers, model->config().cue.layers);
      QCOMPARE(again->config().cue.active, model->config().cue.active);
      QCOMPARE(again->config().eosTokens, model->config().eosTokens);
      QCOMPARE(again->config().toJson(), model->config().toJson());
    }
  }

  void aModelWithAddedCueRecoveryComesBack() {
    const auto model = Qwen3VL::load(golden::path("tiny-student"), "cpu", "float32");
    model->addCueRecovery(5, "normal", true, 3);
    const std::string folder = place("added");
    model->save(folder, golden::path("tiny-student"));
    const auto again = Qwen3VL::load(folder, "cpu", "float32");
    QCOMPARE(again->config().cue.layers, (std::vector<std::int64_t>{0, 5}));
    QVERIFY(at::equal(statesOf(*model), statesOf(*again)));
  }

  void narrowFilesAndNarrowStorageOpen() {
    const auto wide = Qwen3VL::load(golden::path("tiny-student"), "cpu", "float32");
    wide->save(place("bf16"), golden::path("tiny-student"), "bfloat16");
    const auto widened = Qwen3VL::load(place("bf16"), "cpu", "float32"),
               kept = Qwen3VL::load(place("bf16"), "cpu", "bfloat16");
    QCOMPARE(widened->headWeight().scalar_type(), at::kFloat);
    QCOMPARE(kept->headWeight().scalar_type(), at::kBFloat16);
    QVERIFY(at::equal(wide->headWeight().to(at::kBFloat16), kept->headWeight()));
    const at::Tensor a = statesOf(*widened), b = statesOf(*kept);
    QCOMPARE(b.scalar_type(), at::kFloat);  // float32 arithmetic on the same rounded weights
    QVERIFY(at::allclose(a, b, 1e-4, 1e-4));
    QVERIFY(at::allclose(a, statesOf(*wide), 0.3, 0.3));
    NamedTensors half = weightsOf("tiny-student");
    for (auto& [name, tensor] : half) tensor = tensor.to(at::kHalf);
    const std::string folder = folderWithout("fp16", "tiny-student");
    writeSafetensors(folder + "/model.safetensors", half);
    QVERIFY(at::allclose(statesOf(*Qwen3VL::load(folder, "cpu", "float32")), statesOf(*wide), 0.1, 0.1));
  }

  void olderSpellingsOfTheKeysOpen() {
    const auto model = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    const auto respelled = [&](const char* folderName, const char* visual, const char* text) {
      NamedTensors weights = weightsOf("tiny-student-vicur");
      const std::string oldVisual = "model.visual.", oldText = "model.language_model.";
      for (auto& [name, tensor] : weights) {
        if (name.starts_with(oldVisual)) name = visual + name.substr(oldVisual.size());
        if (name.starts_with(oldText)) name = text + name.substr(oldText.size());
      }
      const std::string folder = folderWithout(folderName, "tiny-student-vicur");
      writeSafetensors(folder + "/model.safetensors", weights);
      return Qwen3VL::load(folder, "cpu", "float32");
    };
    QVERIFY(at::equal(statesOf(*respelled("old1", "visual.", "model.")), statesOf(*model)));
    QVERIFY(at::equal(statesOf(*respelled("old2", "visual.", "language_model.model.")), statesOf(*model)));
    QVERIFY(at::equal(statesOf(*respelled("old3", "visual.", "language_model.")), statesOf(*model)));
  }

  void partOfTheCueWeightsIsRefusedByLayer() {
    NamedTensors weights = weightsOf("tiny-student-vicur");
    std::erase_if(weights, [](const auto& item) {
      return item.first.find("sink_cross_attns.5.") != std::string::npos ||
             item.first.find("sink_cross_attns.10.v") != std::string::npos;
    });
    const std::string folder = folderWithout("partial", "tiny-student-vicur");
    writeSafetensors(folder + "/model.safetensors", weights);
    const std::string text = complaint([&] { Qwen3VL::load(folder, "cpu", "float32"); });
    QVERIFY2(text.find("The cue module in this model folder is incomplete") == 0, text.c_str());
    QVERIFY2(
        text.find("7 of the 12 cue projections: L0 is there, L5 and L10 (v_proj) are missing") != std::string::npos,
        text.c_str());
    QVERIFY(!Qwen3VL::load(folder, "cpu", "float32", {}, true)->config().cue.enabled);

    const auto model = Qwen3VL::load(golden::path("tiny-student-vicur"), "cpu", "float32");
    model->save(folder, {});  // now config.json says which layers there should be
    std::erase_if(weights, [](const auto& item) { return item.first.find("sink_kv_norm") != std::string::npos; });
    writeSafetensors(folder + "/model.safetensors", weights);
    const std::string stated = complaint([&] { Qwen3VL::load(folder, "cpu", "float32"); });
    QVERIFY2(stated.find("7 of the 12 cue projections: L0 is there, L5, L10 (v_proj) and sink_kv_norm are missing") !=
                 std::string::npos,
             stated.c_str());

    const std::string none = folderWithout("none", "tiny-student-vicur");  // the student class without any cue weight
    writeSafetensors(none + "/model.safetensors", weightsOf("tiny-student"));
    QVERIFY(complaint([&] { Qwen3VL::load(none, "cpu", "float32"); }).find("0 of the 12 cue projections") !=
            std::string::npos);
  }

  void missingMisshapenAndDoubledWeightsAreNamed() {
    const std::string folder = folderWithout("wrong", "tiny-student");
    NamedTensors weights = weightsOf("tiny-student");
    std::erase_if(weights, [](const auto& item) { return item.first == "model.visual.merger.norm.bias"; });
    writeSafetensors(folder + "/model.safetensors", weights);
    QVERIFY(complaint([&] { Qwen3VL::load(folder, "cpu", "float32"); }).find("model.visual.merger.norm.bias") !=
            std::string::npos);
    weights = weightsOf("tiny-student");
    for (auto& [name, tensor] : weights)
      if (name == "model.language_model.norm.weight") tensor = at::zeros({65});
    writeSafetensors(folder + "/model.safetensors", weights);
    QVERIFY(complaint([&] { Qwen3VL::load(folder, "cpu", "float32"); }).find("is [65], config.json asks for [64]") !=
            std::string::npos);
  }

  void foldersThatAreNoModelAreRefusedPlainly() {
    const auto refused = [](const std::string& folder) {
      return complaint([&] { Qwen3VL::load(folder, "cpu", "float32"); });
    };
    QVERIFY(refused(place("nowhere")).find("there is no such folder") != std::string::npos);
    QVERIFY(refused(golden::path("tiny-student/config.json")).find("it is not a folder") != std::string::npos);
    const std::string empty = place("empty");
    fs::create_directories(empty);
    QVERIFY(refused(empty).find("there is no config.json in it") != std::string::npos);
    writeBytes(empty + "/config.json", "{\"model_type\": ");
    QVERIFY(refused(empty).find("not a JSON object") != std::string::npos);
    writeBytes(empty + "/config.json", "{\"model_type\": \"llama\"}");
    QVERIFY(refused(empty).find("llama") != std::string::npos);
    const std::string pickle = folderWithout("pickle", "tiny-student");
    QVERIFY(refused(pickle).find("neither model.safetensors nor") != std::string::npos);
    writeBytes(pickle + "/pytorch_model.bin", "\x80\x02");
    QVERIFY(refused(pickle).find("Convert the weights to model.safetensors") != std::string::npos);
    writeBytes(pickle + "/model.safetensors", "");
    QVERIFY(refused(pickle).find("0 bytes") != std::string::npos);
    QVERIFY(complaint([] { Qwen3VL::load(golden::path("tiny-student"), "cpu", "int4"); }).find("float32 or bfloat16") !=
            std::string::npos);
  }

  void shardsThatAreMissingOrForeignAreNamed() {
    const std::string folder = folderWithout("shards", "tiny-teacher");
    fs::copy_file(golden::path("tiny-teacher/model.safetensors.index.json"), folder + "/model.safetensors.index.json");
    const auto refused = [&] { return complaint([&] { Qwen3VL::load(folder, "cpu", "float32"); }); };
    QVERIFY(refused().find("model-00001-of-00004.safetensors") != std::string::npos);
    for (int i = 1; i <= 4; ++i)
      fs::copy_file(golden::path("tiny-teacher/model-0000" + std::to_string(i == 2 ? 1 : i) + "-of-00004.safetensors"),
                    folder + "/model-0000" + std::to_string(i) + "-of-00004.safetensors");
    QVERIFY(!refused().empty());  // shard 2 is a copy of shard 1
    writeBytes(folder + "/model.safetensors.index.json", "{\"weight_map\": {\"a\": \"../../secret\"}}");
    QVERIFY(refused().find("not one of this folder") != std::string::npos);
  }

  void aLyingHeaderIsRefused_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("says");
    const auto add = [](const char* name, const std::string& bytes, const char* says) {
      QTest::newRow(name) << QByteArray::fromStdString(bytes) << QByteArray(says);
    };
    const auto entry = [](const std::string& name, const std::string& dtype, const std::string& shape,
                          const std::string& offsets) {
      return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
    };
    const std::string a = entry("a", "F32", "[2]", "[0,8]");
    add("seven bytes", "1234567", "only 7 bytes");
    add("header longer than the file", fileOf("{" + a + "}", 8, 1ll << 40), "more than the file has");
    add("negative header length", fileOf("{" + a + "}", 8, -2).replace(0, 8, std::string(8, '\xff')),
        "more than the file has");
    add("not JSON", fileOf("{\"a\":", 8), "not JSON");
    add("a list", fileOf("[1,2]", 8), "not a JSON object");
    add("a PNG", std::string("\x89PNG\r\n\x1a\n") + std::string(64, 'x'), "more than the file has");
    add("data beyond the end", fileOf("{" + entry("a", "F32", "[4]", "[0,16]") + "}", 8), "8 bytes beyond the end");
    add("offsets turned round", fileOf("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8), "impossible offsets");
    add("negative offset", fileOf("{" + entry("a", "F32", "[2]", "[-8,0]") + "}", 8), "impossible offsets");
    add("huge offset", fileOf("{" + entry("a", "F32", "[2]", "[0,18446744073709551615]") + "}", 8), "beyond the end");
    add("size and shape differ", fileOf("{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8), "shape and type need 12");
    add("shape overflows", fileOf("{" + entry("a", "F32", "[4294967296,4294967296,4]", "[0,8]") + "}", 8),
        "impossible shape");
    add("negative shape", fileOf("{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8), "impossible shape");
    add("unknown type", fileOf("{" + entry("a", "F33", "[2]", "[0,8]") + "}", 8), "unknown type F33");
    add("overlap", fileOf("{" + a + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12), "overlaps");
    add("a gap", fileOf("{" + a + "," + entry("b", "F32", "[1]", "[12,16]") + "}", 16), "belong to no tensor");
    add("bytes left over", fileOf("{" + a + "}", 12), "belong to no tensor");
    add("a name twice", fileOf("{" + a + "," + a + "}", 8), "twice");
    add("fields missing", fileOf("{\"a\":{\"dtype\":\"F32\"}}", 8), "lacks dtype");
    add("fields of the wrong kind", fileOf("{\"a\":{\"dtype\":1,\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
        "wrong kind");
    add("deep nesting", fileOf(std::string(100000, '['), 8), "not JSON");
  }
  void aLyingHeaderIsRefused() {
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, says);
    const std::string path = place("lying.safetensors");
    writeBytes(path, bytes.toStdString());
    const std::string text = complaint([&] { Safetensors::open(path); });
    QVERIFY2(text.find(says.toStdString()) != std::string::npos, text.c_str());
    QVERIFY(text.find(path) != std::string::npos);
  }

  void tensorsOfEveryTypeAndShapeComeBack() {
    const NamedTensors wrote = {{"f64", at::randn({3}, at::kDouble)},
                                {"f32", at::randn({2, 3})},
                                {"bf16", at::randn({5}).to(at::kBFloat16)},
                                {"f16", at::randn({1, 1, 2}).to(at::kHalf)},
                                {"i64", at::arange(4)},
                                {"i32", at::arange(4, at::kInt)},
                                {"u8", at::arange(7, at::kByte)},
                                {"flag", at::ones({2}, at::kBool)},
                                {"scalar", at::tensor(2.5f).squeeze()},
                                {"none", at::zeros({0, 4})},
                                {"strided", at::randn({4, 6}).t()}};
    const std::string path = place("types.safetensors");
    writeSafetensors(path, wrote, {{"made by", "a «test»"}});
    const Safetensors file = Safetensors::open(path);
    QCOMPARE(file.metadata().at("made by"), std::string("a «test»"));
    QCOMPARE(file.entries().size(), wrote.size());
    for (const auto& [name, tensor] : wrote) {
      const at::Tensor back = file.read(name);
      QCOMPARE(back.scalar_type(), tensor.scalar_type());
      QVERIFY2(at::equal(back, tensor), name.c_str());
    }
    QVERIFY(complaint([&] { file.read("absent"); }).find("absent") != std::string::npos);
    QVERIFY(!complaint([&] { writeSafetensors(place("no/such/folder/x.safetensors"), wrote); }).empty());
    QCOMPARE(std::distance(fs::directory_iterator(m_dir.path().toStdString()), fs::directory_iterator{}) > 0, true);
    for (const auto& item : fs::directory_iterator(m_dir.path().toStdString()))
      QVERIFY(item.path().string().find(".part-") == std::string::npos);
  }

  void largeTensorsAreReadInPiecesAndConverted() {
    const at::Tensor big = at::randn({3, 1 << 20});  // 12 MB: more than one piece
    const std::string path = place("big.safetensors");
    writeSafetensors(path, {{"big", big}, {"narrow", big.to(at::kBFloat16)}});
    const Safetensors file = Safetensors::open(path);
    const at::Tensor same = at::empty({3, 1 << 20}), narrowed = at::empty({3, 1 << 20}, at::kBFloat16),
                     widened = at::empty({3, 1 << 20});
    double share = 0;
    file.readInto({{file.find("big"), same}, {file.find("narrow"), widened}}, [&](double done) { share = done; });
    file.readInto({{file.find("big"), narrowed}});
    QVERIFY(at::equal(same, big));
    QVERIFY(at::equal(widened, big.to(at::kBFloat16).to(at::kFloat)));
    QVERIFY(at::equal(narrowed, big.to(at::kBFloat16)));
    QVERIFY(share > 0.5);
  }
};

QTEST_GUILESS_MAIN(TestModelLoad)
#include "tst_model_load.moc"
