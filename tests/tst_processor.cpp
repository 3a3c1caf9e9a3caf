// From files and words to a model's input: settings of a folder, images and videos as recorded, prompts token by token.
#include "tests/support/golden.h"

#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>

#include "engine/core/failure.h"
#include "engine/data/processor.h"
#include "engine/data/processor_settings.h"
#include "engine/media/decode.h"
#include "engine/tokenizer/tokenizer.h"

using namespace cuescope;
using nlohmann::json;

namespace {

Picture readPicture(const std::string& name) {
  auto image = readImage(golden::path("images/" + name));
  return {name, image.width, image.height, std::move(image.rgb)};
}

at::Tensor gridTensor(const Grid& grid) {
  return at::tensor({grid.t, grid.h, grid.w}, at::kLong).unsqueeze(0);
}

QString failureOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return QString::fromStdString(error.failure().text());
  }
  return {};
}

void writeFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string joined(const std::vector<Token>& tokens, int begin, int end) {
  std::string text;
  for (int i = begin; i < end; ++i) text += tokens[static_cast<std::size_t>(i)].text;
  return text;
}

}  // namespace

class ProcessorTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void imagesBecomeTheRecordedPatches_data();
  void imagesBecomeTheRecordedPatches();
  void theSamePixelsGiveTheSamePatchesAgain();
  void rowsOfDataSetsAreResizedAsTheLoaderDoes_data();
  void rowsOfDataSetsAreResizedAsTheLoaderDoes();
  void videosBecomeTheRecordedPatches_data();
  void videosBecomeTheRecordedPatches();
  void aVideoIsReadOnceWhileItsFileStays();
  void anImagePromptIsTheTemplateWithItsPadsExpanded();
  void aVideoPromptWritesItsTimes();
  void everyTokenOfAPromptIsAccountedFor();
  void theCueIsTheEndOfTheLastUserTurn();
  void marksAndFilesMustAgree();
  void settingsAreReadFromOldAndNewKeys();
  void settingsThatMakeNoSenseAreNamed_data();
  void settingsThatMakeNoSenseAreNamed();
  void aFolderThatIsNoModelIsRefused();
  void aMegapixelUnderThePublishedLimits();

 private:
  golden::Set m_set{"preprocess"};
  Processor m_processor{golden::path("tiny-student")};
};

void ProcessorTest::imagesBecomeTheRecordedPatches_data() {
  QTest::addColumn<QString>("file");
  QTest::addColumn<QString>("tensor");
  for (const char* file :
       {"square.png", "odd.png", "extreme.png", "small.png", "gray.png", "rgba.png", "palette.png"}) {
    QTest::newRow(file) << file << "pixel_values";
  }
  QTest::newRow("gray16.png") << "gray16.png"
                              << "pixel_values_scaled";
}

void ProcessorTest::imagesBecomeTheRecordedPatches() {
  QFETCH(QString, file);
  QFETCH(QString, tensor);
  const std::string name = "image." + file.section('.', 0, 0).toStdString() + ".";
  const auto picture = readPicture(file.toStdString());
  const auto visual = m_processor.image(picture);
  std::string message;
  QVERIFY2(m_set.close(name + tensor.toStdString(), visual.pixelValues, &message), message.c_str());
  QVERIFY2(m_set.close(name + "grid_thw", gridTensor(visual.grid), &message), message.c_str());
  QCOMPARE(visual.processed.size(), 1u);
  QCOMPARE(visual.processed[0].width, int(visual.grid.w * 16));
  QCOMPARE(visual.processed[0].height, int(visual.grid.h * 16));
  QCOMPARE(visual.originalWidth, picture.width);
}

void ProcessorTest::theSamePixelsGiveTheSamePatchesAgain() {
  auto picture = readPicture("odd.png");
  const auto first = m_processor.image(picture);
  picture.label = "another name";
  const auto again = m_processor.image(picture);
  QVERIFY(at::equal(first.pixelValues, again.pixelValues));
  QCOMPARE(again.processed[0].label, std::string("another name"));
  picture.rgb[0] ^= 0xFF;
  QVERIFY(!at::equal(first.pixelValues, m_processor.image(picture).pixelValues));
}

// Sizes and bytes as qwen-vl-utils 0.0.14 with Pillow 11.3 gives them for these files: sum of all bytes, and sum of each byte times
// its place modulo 9973.
void ProcessorTest::rowsOfDataSetsAreResizedAsTheLoaderDoes_data() {
  QTest::addColumn<QString>("file");
  QTest::addColumn<int>("width");
  QTest::addColumn<int>("height");
  QTest::addColumn<qint64>("sum");
  QTest::addColumn<qint64>("weighted");
  QTest::newRow("shrinks") << "odd.png" << 96 << 128 << qint64{4756643} << qint64{22219279029};
  QTest::newRow("long") << "extreme.png" << 288 << 32 << qint64{4160277} << qint64{19361690318};
  QTest::newRow("gray") << "gray.png" << 96 << 64 << qint64{2684364} << qint64{12509085199};
  QTest::newRow("palette, one side grows") << "palette.png" << 96 << 64 << qint64{2335363} << qint64{10963434534};
  QTest::newRow("on white") << "rgba.png" << 64 << 64 << qint64{2491221} << qint64{10483425846};
  QTest::newRow("four tokens at least") << "small.png" << 96 << 64 << qint64{2443240} << qint64{11655312861};
  QTest::newRow("as it is") << "square.png" << 64 << 64 << qint64{1261918} << qint64{5780942139};
}

void ProcessorTest::rowsOfDataSetsAreResizedAsTheLoaderDoes() {
  QFETCH(QString, file);
  const Picture loaded = m_processor.loaded(readPicture(file.toStdString()));
  QTEST(loaded.width, "width");
  QTEST(loaded.height, "height");
  qint64 sum = 0, weighted = 0;
  for (std::size_t i = 0; i < loaded.rgb.size(); ++i) {
    sum += loaded.rgb[i];
    weighted += loaded.rgb[i] * static_cast<qint64>(i % 9973);
  }
  QTEST(sum, "sum");
  QTEST(weighted, "weighted");
  QCOMPARE(m_processor.image(loaded).originalWidth, loaded.width);  // and the processor takes it from there
}

void ProcessorTest::videosBecomeTheRecordedPatches_data() {
  QTest::addColumn<int>("index");
  for (int i = 0; i < 4; ++i) QTest::addRow("%d", i) << i;
}

void ProcessorTest::videosBecomeTheRecordedPatches() {
  QFETCH(int, index);
  const auto& sample = m_set.manifest()["video"]["samples"][index];
  const auto& given = sample["options"];
  VideoOptions options;
  if (given.contains("fps") && !given["fps"].is_null()) options.fps = given["fps"];
  options.frames = given.value("num_frames", 0);
  options.all = !given.value("do_sample_frames", true);
  const auto visual = m_processor.video(golden::path("video/clip.avi"), options);
  QCOMPARE(json(visual.frameIndices), sample["frame_indices"]);
  QCOMPARE(json(visual.timestamps), sample["timestamps"]);
  QCOMPARE(visual.processed.size(), visual.frameIndices.size());
  const std::string name = "video." + sample["name"].get<std::string>() + ".";
  std::string message;
  QVERIFY2(m_set.close(name + "grid_thw", gridTensor(visual.grid), &message), message.c_str());
  QCOMPARE(visual.pixelValues.size(0), visual.grid.t * visual.grid.h * visual.grid.w);
  if (m_set.has(name + "pixel_values_videos")) {
    QVERIFY2(m_set.close(name + "pixel_values_videos", visual.pixelValues, &message), message.c_str());
  }
  const auto prompt = m_processor.prompt({{"user", "<video>"}}, {visual});
  const auto text = joined(prompt.rendered.tokens, 0, int(prompt.rendered.tokens.size()));
  QCOMPARE(text,
           "<|im_start|>user\n" + sample["prompt_text"].get<std::string>() + "<|im_end|>\n<|im_start|>assistant\n");
}

void ProcessorTest::aVideoIsReadOnceWhileItsFileStays() {
  QTemporaryDir folder;
  const QString file = folder.filePath("clip.avi");
  QVERIFY(QFile::copy(QString::fromStdString(golden::path("video/clip.avi")), file));
  VideoOptions options;
  options.frames = 4;
  const auto read = [&] { return m_processor.video(file.toStdString(), options); };
  const VisualInput first = read();
  QCOMPARE(read().pixelValues.data_ptr(), first.pixelValues.data_ptr());
  QCOMPARE(read().timestamps, first.timestamps);
  options.frames = 2;
  QVERIFY(read().pixelValues.size(0) < first.pixelValues.size(0));  // other frames are another reading
  options.frames = 4;
  QFile(file).remove();
  QVERIFY_THROWS_EXCEPTION(Error, read());
  QVERIFY(QFile::copy(QString::fromStdString(golden::path("video/clip.avi")), file));
  QVERIFY(QFile(file).setPermissions(QFile::ReadOwner | QFile::WriteOwner));
  std::filesystem::last_write_time(file.toStdString(), std::filesystem::last_write_time(file.toStdString()) + std::chrono::seconds(5));
  QVERIFY(read().pixelValues.data_ptr() != first.pixelValues.data_ptr());  // written anew
}

void ProcessorTest::anImagePromptIsTheTemplateWithItsPadsExpanded() {
  const auto image = m_processor.image(readPicture("square.png"));
  const auto prompt = m_processor.prompt({{"system", "Look closely."}, {"user", "<image>How many?"}}, {image});
  QCOMPARE(prompt.rendered.text,
           std::string("<|im_start|>system\nLook "
                       "closely.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>How many?"
                       "<|im_end|>\n<|im_start|>assistant\n"));
  auto expanded = prompt.rendered.text;
  const std::string pad = "<|image_pad|>";
  expanded.replace(expanded.find(pad), pad.size(), pad + pad + pad + pad);
  QCOMPARE(json(prompt.row.ids).dump(), json(m_processor.tokenizer().encode(expanded)).dump());
  QCOMPARE(prompt.row.grids.size(), 1u);
  QVERIFY(at::equal(prompt.row.pixelValues, image.pixelValues));
  const auto both =
      m_processor.prompt({{"user", "<image> and <image>"}}, {image, m_processor.image(readPicture("extreme.png"))});
  QCOMPARE(both.row.pixelValues.size(0), 16 + 36);
  std::string message;
  const auto grids = at::cat({gridTensor(both.row.grids[0]), gridTensor(both.row.grids[1])});
  QVERIFY2(m_set.close("batch.square_extreme.grid_thw", grids, &message), message.c_str());
}

void ProcessorTest::aVideoPromptWritesItsTimes() {
  const auto video = m_processor.video(golden::path("video/clip.avi"));
  const auto image = m_processor.image(readPicture("square.png"));
  const auto prompt = m_processor.prompt({{"user", "Look: <video>then <image>?"}}, {video, image}, "a red sign");
  const auto text = joined(prompt.rendered.tokens, 0, int(prompt.rendered.tokens.size()));
  const std::string want =
      "<|im_start|>user\nLook: <0.3 seconds><|vision_start|><|video_pad|><|video_pad|><|vision_end|><1.8 "
      "seconds><|vision_start|>"
      "<|video_pad|><|video_pad|><|vision_end|>then "
      "<|vision_start|><|image_pad|><|image_pad|><|image_pad|><|image_pad|><|vision_end|>?\n"
      "[Hint]: a red sign<|im_end|>\n<|im_start|>assistant\n";
  QCOMPARE(text, want);
  QCOMPARE(json(prompt.row.ids).dump(), json(m_processor.tokenizer().encode(want)).dump());
  QCOMPARE(joined(prompt.rendered.tokens, prompt.rendered.cueBegin, prompt.rendered.cueEnd),
           std::string(" a red sign"));
}

void ProcessorTest::everyTokenOfAPromptIsAccountedFor() {
  const auto image = m_processor.image(readPicture("odd.png"));
  const auto prompt = m_processor.prompt({{"user", "<image>Угол 45°?"}}, {image});
  QCOMPARE(prompt.rendered.tokens.size(), prompt.row.ids.size());
  int visual = 0;
  for (std::size_t i = 0; i < prompt.row.ids.size(); ++i) {
    const auto& token = prompt.rendered.tokens[i];
    QCOMPARE(token.id, prompt.row.ids[i]);
    QCOMPARE(token.special, m_processor.tokenizer().isSpecial(token.id));
    QCOMPARE(token.visual, token.text == "<|image_pad|>" ? visual++ : -1);
  }
  QCOMPARE(visual, int(image.grid.merged(2)));
  QCOMPARE(prompt.rendered.cueBegin, -1);
  QCOMPARE(prompt.rendered.cueEnd, -1);
}

void ProcessorTest::theCueIsTheEndOfTheLastUserTurn() {
  const auto image = m_processor.image(readPicture("square.png"));
  const std::vector<Turn> turns = {
      {"system", "Be brief."}, {"user", "<image>One?"}, {"assistant", "Yes."}, {"user", "And e\u0301 two?"}};
  for (const std::string cue : {"Two signs, left of the door.", "e\u0301te\u0301 \U0001F600", "x", "two\nlines"}) {
    const auto with = m_processor.prompt(turns, {image}, cue);
    const auto without = m_processor.prompt(turns, {image});
    QVERIFY(with.rendered.text.find("two?\n[Hint]: " + cue + "<|im_end|>\n<|im_start|>assistant\n") !=
            std::string::npos);
    const auto& tokens = with.rendered.tokens;
    const auto held = joined(tokens, with.rendered.cueBegin, with.rendered.cueEnd);
    std::string normalized;
    for (const auto id : m_processor.tokenizer().encode(cue)) normalized += m_processor.tokenizer().bytes(id);
    QVERIFY2(held == " " + normalized || held == normalized, held.c_str());
    QCOMPARE(tokens[std::size_t(with.rendered.cueEnd)].text, std::string("<|im_end|>"));
    QVERIFY(without.row.ids.size() < with.row.ids.size());
  }
  QVERIFY(failureOf([&] { m_processor.prompt({{"system", "x"}}, {}, "cue"); }).contains("no user turn"));
}

void ProcessorTest::marksAndFilesMustAgree() {
  const auto image = m_processor.image(readPicture("square.png"));
  const auto video = m_processor.video(golden::path("video/clip.avi"));
  QVERIFY(failureOf([&] { m_processor.prompt({{"user", "no mark"}}, {image}); }).contains("0 <image>"));
  QVERIFY(failureOf([&] { m_processor.prompt({{"user", "<image><image>"}}, {image}); }).contains("there are 1"));
  QVERIFY(failureOf([&] { m_processor.prompt({{"user", "<video>"}}, {image}); }).contains("mark 1 is <video>"));
  QVERIFY(failureOf([&] {
            m_processor.prompt({{"user", "<image><video>"}}, {video, image});
          }).contains("mark 1 is <image>"));
  QVERIFY(failureOf([&] {
            m_processor.prompt({{"system", "<image>"}, {"user", "x"}}, {image});
          }).contains("system turn"));
  QVERIFY(failureOf([&] {
            m_processor.prompt({{"user", "<image> <|image_pad|>"}}, {image});
          }).contains("<|image_pad|>"));
  QVERIFY(failureOf([&] {
            m_processor.prompt({{"user", "<image>"}}, {image}, "<|vision_start|>");
          }).contains("<|vision_start|>"));
  QVERIFY(failureOf([&] { m_processor.prompt({{"user", "x"}, {"system", "y"}}, {}); }).contains("first turn"));
  QVERIFY(failureOf([&] { m_processor.prompt({{"critic", "x"}}, {}); }).contains("critic"));
  QVERIFY(failureOf([&] { m_processor.image({"nothing", 0, 0, {}}); }).contains("nothing"));
}

void ProcessorTest::settingsAreReadFromOldAndNewKeys() {
  QTemporaryDir folder;
  const auto base = folder.path().toStdString() + "/";
  const auto read = [&] { return readProcessorSettings(folder.path().toStdString()); };
  QCOMPARE(read().image.minPixels, 65536);
  QCOMPARE(read().image.maxPixels, 16777216);
  QCOMPARE(read().video.maxPixels, 25165824);
  writeFile(base + "preprocessor_config.json",
            R"({"min_pixels": 100, "max_pixels": 5000, "patch_size": 14, "image_mean": [0.1, 0.2, 0.3]})");
  QCOMPARE(read().image.minPixels, 100);
  QCOMPARE(read().image.maxPixels, 5000);
  QCOMPARE(read().image.rule.patch, 14);
  QCOMPARE(read().image.rule.mean[2], 0.3);
  QCOMPARE(read().video.rule.patch, 16);
  writeFile(base + "preprocessor_config.json",
            R"({"size": {"shortest_edge": 7, "longest_edge": 5001}, "max_pixels": null})");
  QCOMPARE(read().image.minPixels, 7);
  QCOMPARE(read().image.maxPixels, 5001);
  writeFile(base + "video_preprocessor_config.json", R"({"size": {"longest_edge": 9999}, "fps": 3, "max_frames": 12})");
  QCOMPARE(read().video.maxPixels, 9999);
  QCOMPARE(read().video.minPixels, 4096);
  QCOMPARE(read().sampleFps, 3.0);
  QCOMPARE(read().maxFrames, 12);
  // The newer file comes first, for what it holds.
  writeFile(base + "processor_config.json",
            R"({"image_processor": {"max_pixels": 70000}, "processor_class": "Qwen3VLProcessor"})");
  QCOMPARE(read().image.maxPixels, 70000);
  QCOMPARE(read().image.minPixels, 65536);
  QCOMPARE(read().video.maxPixels, 9999);
}

void ProcessorTest::settingsThatMakeNoSenseAreNamed_data() {
  QTest::addColumn<QByteArray>("content");
  QTest::addColumn<QString>("expected");
  QTest::newRow("not JSON") << QByteArray("{") << "JSON";
  QTest::newRow("a list") << QByteArray("[]") << "not a JSON object";
  QTest::newRow("no patch") << QByteArray(R"({"patch_size": 0})") << "patch_size";
  QTest::newRow("half a patch") << QByteArray(R"({"patch_size": 16.5})") << "patch_size";
  QTest::newRow("a word") << QByteArray(R"({"merge_size": "two"})") << "merge_size";
  QTest::newRow("limits crossed") << QByteArray(R"({"min_pixels": 10, "max_pixels": 5})") << "min_pixels";
  QTest::newRow("size of another kind") << QByteArray(R"({"size": {"height": 224, "width": 224}})") << "size";
  QTest::newRow("size that is a number") << QByteArray(R"({"size": 224})") << "size";
  QTest::newRow("two means") << QByteArray(R"({"image_mean": [0.5, 0.5]})") << "image_mean";
  QTest::newRow("no deviation") << QByteArray(R"({"image_std": [0.5, 0, 0.5]})") << "image_std";
  QTest::newRow("no resizing") << QByteArray(R"({"do_resize": false})") << "do_resize";
  QTest::newRow("another filter") << QByteArray(R"({"resample": 0})") << "resample";
}

void ProcessorTest::settingsThatMakeNoSenseAreNamed() {
  QFETCH(QByteArray, content);
  QFETCH(QString, expected);
  QTemporaryDir folder;
  writeFile(folder.filePath("preprocessor_config.json").toStdString(), content.toStdString());
  const auto message = failureOf([&] { readProcessorSettings(folder.path().toStdString()); });
  QVERIFY2(message.contains(expected) && message.contains("preprocessor_config.json"), qPrintable(message));
}

void ProcessorTest::aFolderThatIsNoModelIsRefused() {
  QTemporaryDir folder;
  QVERIFY(failureOf([&] { Processor processor(folder.path().toStdString()); }).contains("tokenizer.json"));
  QVERIFY(failureOf([] { Processor processor("/nowhere/at/all"); }).contains("/nowhere/at/all"));
  auto tokenizer = golden::readJson(golden::path("tiny-student/tokenizer.json"));
  tokenizer["added_tokens"] = json::array();
  writeFile(folder.filePath("tokenizer.json").toStdString(), tokenizer.dump());
  QVERIFY(failureOf([&] { Processor processor(folder.path().toStdString()); }).contains("<|im_start|>"));
}

void ProcessorTest::aMegapixelUnderThePublishedLimits() {
  QTemporaryDir folder;
  std::filesystem::copy(golden::path("tiny-student/tokenizer.json"), folder.filePath("tokenizer.json").toStdString());
  const Processor processor(folder.path().toStdString());
  Picture picture{"megapixel", 1000, 1000, std::vector<std::uint8_t>(3000000)};
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = static_cast<std::uint8_t>(i * 2654435761u >> 8);
  const auto visual = processor.image(picture);
  QCOMPARE(visual.grid.h * visual.grid.w, 62 * 62);
  QVERIFY(processor.image(picture).pixelValues.data_ptr() == visual.pixelValues.data_ptr());  // the second time nothing is computed
  ++picture.rgb[0];
  QVERIFY(processor.image(picture).pixelValues.data_ptr() != visual.pixelValues.data_ptr());
}

QTEST_GUILESS_MAIN(ProcessorTest)
#include "tst_processor.moc"
