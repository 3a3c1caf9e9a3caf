// Demo scenes and questions: deterministic, unique where they promise it, and true.
#include <ATen/core/Tensor.h>

#include <QTemporaryDir>
#include <QtTest>
#include <set>

#include "engine/core/digest.h"
#include "engine/data/demo_folder.h"
#include "engine/data/demo_questions.h"
#include "engine/data/demo_scene.h"
#include "engine/tokenizer/tokenizer.h"

using namespace cuescope;

namespace {

// Pixels of a box whose colour is far from gray.
int coloredPixels(const Picture& picture, const PixelBox& box) {
  int count = 0;
  for (int y = int(box.y); y < int(box.y + box.height); ++y) {
    for (int x = int(box.x); x < int(box.x + box.width); ++x) {
      const std::uint8_t* p = &picture.rgb[(y * picture.width + x) * 3];
      count += std::max({p[0], p[1], p[2]}) - std::min({p[0], p[1], p[2]}) > 60;
    }
  }
  return count;
}

bool contains(const std::string& text, const std::string& word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const auto letter = [&](std::size_t i) { return i < text.size() && std::isalpha(static_cast<unsigned char>(text[i])); };
    if (!(at > 0 && letter(at - 1)) && !letter(at + word.size())) return true;
  }
  return false;
}

}  // namespace

class TestDemoScene : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void theSameSeedDrawsTheSameBytes() {
    DemoRandom one(7), two(7), other(8);
    const Picture a = drawDemoScene(makeDemoScene(one)), b = drawDemoScene(makeDemoScene(two)), c = drawDemoScene(makeDemoScene(other));
    QCOMPARE(a.rgb, b.rgb);
    QVERIFY(a.rgb != c.rgb);
    // The bytes of every machine: integer arithmetic alone decides them.
    QCOMPARE(QString::fromStdString(digest(a.rgb.data(), a.rgb.size())), QString(kScene7));
  }

  void randomNumbersAreThoseOfTheGenerator() {
    DemoRandom random(1);
    std::vector<int> counts(9);
    for (int i = 0; i < 9000; ++i) ++counts[random.below(9)];
    for (int count : counts) QVERIFY2(count > 850 && count < 1150, qPrintable(QString::number(count)));
  }

  void objectsHaveRegionsDigitsAndNamesOfTheirOwn() {
    DemoRandom random(3);
    for (int i = 0; i < 3000; ++i) {
      const DemoScene scene = makeDemoScene(random);
      const std::size_t n = scene.objects.size();
      QVERIFY(n >= 3 && n <= 6);
      std::set<int> digits, regions, names;
      for (const DemoObject& o : scene.objects) {
        digits.insert(o.digit);
        regions.insert(o.region());
        names.insert(o.color * 5 + o.shape);
        // Inside its one visual token.
        QVERIFY(o.x >= o.column * kDemoToken && o.x + kDemoSprite <= (o.column + 1) * kDemoToken);
        QVERIFY(o.y >= o.row * kDemoToken && o.y + kDemoSprite <= (o.row + 1) * kDemoToken);
      }
      QCOMPARE(digits.size(), n);
      QCOMPARE(regions.size(), n);
      QCOMPARE(names.size(), n);
    }
  }

  void evidenceBoxesHitTheObject() {
    DemoRandom random(4);
    for (int i = 0; i < 100; ++i) {
      const DemoScene scene = makeDemoScene(random);
      const Picture picture = drawDemoScene(scene);
      int inside = 0, all = 0;
      for (const DemoObject& o : scene.objects) {
        const int colored = coloredPixels(picture, demoBox(o));
        QVERIFY2(colored > 120, qPrintable(QString::fromStdString(o.name()) + QString(" has %1 coloured pixels").arg(colored)));
        inside += colored;
      }
      PixelBox whole;
      whole.width = whole.height = kDemoSize;
      all = coloredPixels(picture, whole);
      QCOMPARE(all, inside);  // nothing coloured lies outside the boxes
    }
  }

  void everyDigitLooksDifferent() {
    std::set<std::vector<std::uint8_t>> pictures;
    for (int digit = 1; digit <= 9; ++digit) {
      DemoScene scene;
      DemoObject object;
      object.digit = digit;
      object.x = object.y = 2;
      scene.objects = {object};
      pictures.insert(drawDemoScene(scene).rgb);
    }
    QCOMPARE(pictures.size(), std::size_t(9));
  }

  void answersAreTrue() {
    DemoRandom random(5);
    std::map<std::string, int> seen;
    for (int i = 0; i < 4000; ++i) {
      const DemoScene scene = makeDemoScene(random);
      const DemoItem item = askDemo(scene, random);
      ++seen[item.kind];
      const auto& evidence = item.evidence;
      const auto object = [&](std::size_t k) { return scene.objects.at(static_cast<std::size_t>(evidence.at(k))); };
      QVERIFY(item.response.ends_with("\\boxed{" + item.answer + "}"));
      if (item.kind == "color_of_digit") QCOMPARE(item.answer, demoColors()[object(0).color]);
      if (item.kind == "shape_of_digit") QCOMPARE(item.answer, demoShapes()[object(0).shape]);
      if (item.kind == "digit_of") QCOMPARE(item.answer, demoNumbers()[object(0).digit]);
      if (item.kind == "sum") QCOMPARE(item.answer, demoNumbers()[object(0).digit + object(1).digit]);
      if (item.kind == "compare") QCOMPARE(item.answer, (object(0).digit > object(1).digit ? object(0) : object(1)).name());
      if (item.kind == "neighbor") {
        QCOMPARE(item.answer, demoColors()[object(1).color]);
        const int rows = object(1).region() / 3 - object(0).region() / 3, columns = object(1).region() % 3 - object(0).region() % 3;
        const char* word = rows == 1 ? "below" : rows == -1 ? "above" : columns == 1 ? "right of" : "left of";
        QCOMPARE(std::abs(rows) + std::abs(columns), 1);
        QVERIFY(contains(item.question, word));
      }
      if (item.kind.starts_with("count")) {
        int count = 0;
        for (const DemoObject& o : scene.objects)
          count += contains(item.question, item.kind == "count_color" ? demoColors()[o.color] : demoShapes()[o.shape]);
        QCOMPARE(item.answer, demoNumbers()[count]);
        QCOMPARE(evidence.size(), std::size_t(count));
      }
    }
    QCOMPARE(seen.size(), kDemoKinds.size());
  }

  void cuesSayWhereAndNotWhat() {
    DemoRandom random(6);
    for (int i = 0; i < 4000; ++i) {
      const DemoItem item = askDemo(makeDemoScene(random), random);
      QVERIFY(!item.cue.empty());
      QCOMPARE(item.hint, "The answer is " + item.answer + ".");
      if (item.kind == "compare") continue;  // both names occur in it, the winner's too
      if (item.kind == "neighbor" && contains(item.question, item.answer)) continue;  // both objects have this colour
      QVERIFY2(!contains(item.cue, item.answer), qPrintable(QString::fromStdString(item.cue + " | " + item.answer)));
    }
  }

  void casesDependOnSeedSplitAndIndexAlone() {
    const DemoCase a = demoCase("test", 17, 1), b = demoCase("test", 17, 1);
    QCOMPARE(a.item.question, b.item.question);
    QCOMPARE(a.scene.noiseSeed, b.scene.noiseSeed);
    QVERIFY(demoCase("train", 17, 1).scene.noiseSeed != a.scene.noiseSeed);
    QVERIFY(demoCase("test", 17, 2).scene.noiseSeed != a.scene.noiseSeed);
    int first = 0;
    for (int i = 0; i < 320; ++i) {
      const DemoCase drawn = demoCase("test", i, 1);
      QCOMPARE(drawn.item.kind, kDemoKinds[i % 8]);
      first += drawn.questionFirst;
    }
    QCOMPARE(first, 80);
  }

  void everyWordOfTheDemoIsOneToken() {
    QTemporaryDir folder;
    writeDemoProcessor(folder.path().toStdString());
    const auto tokenizer = Tokenizer::load(folder.path().toStdString());
    for (const auto* list : {&demoColors(), &demoShapes(), &demoNumbers(), &demoRegions()})
      for (const std::string& word : *list)
        for (const char* before : {"", " "}) QCOMPARE(tokenizer->encode(before + word).size(), std::size_t(1));
    QCOMPARE(tokenizer->encode("user").size(), std::size_t(1));
    QCOMPARE(tokenizer->encode("assistant").size(), std::size_t(1));
    for (const char* special : {"<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|endoftext|>"})
      QCOMPARE(tokenizer->encode(special).size(), std::size_t(1));
    // Words, not letters: a question and its response stay short.
    DemoRandom random(9);
    for (int i = 0; i < 500; ++i) {
      const DemoItem item = askDemo(makeDemoScene(random), random);
      QVERIFY(tokenizer->encode(item.question).size() <= 17);
      QVERIFY(tokenizer->encode(item.response).size() <= 17);
      QCOMPARE(tokenizer->decode(tokenizer->encode(item.response)), item.response);
    }
    // Any other text is still bytes.
    const std::string other = "Grüße, 3 Katzen 🐈 at 10:45?\n";
    QCOMPARE(tokenizer->decode(tokenizer->encode(other)), other);
  }

  void rowsOutOfTheDomainAreUnlikeTrainingAndOfKnownWords() {
    QTemporaryDir folder;
    writeDemoProcessor(folder.path().toStdString());
    const auto tokenizer = Tokenizer::load(folder.path().toStdString());
    const std::set<std::string> trained(kDemoKinds.begin(), kDemoKinds.end());
    std::set<std::string> kinds;
    for (std::int64_t i = 0; i < 240; ++i) {
      const DemoCase drawn = demoCase("ood", i, 1);
      const std::size_t objects = drawn.scene.objects.size();
      if (drawn.dataSource == kDemoCrowded) {
        QVERIFY(objects >= 7 && objects <= 9);
      } else {
        QVERIFY(objects >= 3 && objects <= 6);
      }
      QCOMPARE(drawn.questionBoth, drawn.dataSource == kDemoLayout);
      QCOMPARE(trained.count(drawn.item.kind) == 0, drawn.dataSource == kDemoComposed);
      if (drawn.dataSource == kDemoComposed) kinds.insert(drawn.item.kind);
      QVERIFY(tokenizer->encode(drawn.item.question).size() <= 24);
      // The answer stands at the end of the reference response, and the evidence is what it was read from.
      QVERIFY(drawn.item.response.ends_with("\\boxed{" + drawn.item.answer + "}"));
      QVERIFY(!drawn.item.evidence.empty() || drawn.item.answer == "zero");
      if (drawn.item.kind == "sum_of_digit_and_shape") {
        const DemoObject &a = drawn.scene.objects[drawn.item.evidence[0]], &b = drawn.scene.objects[drawn.item.evidence[1]];
        QCOMPARE(drawn.item.answer, demoNumbers()[a.digit + b.digit]);
      }
      if (drawn.item.kind == "larger_of_three") {
        int best = drawn.item.evidence[0];
        for (const int e : drawn.item.evidence)
          if (drawn.scene.objects[e].digit > drawn.scene.objects[best].digit) best = e;
        QCOMPARE(drawn.item.answer, drawn.scene.objects[best].name());
      }
    }
    QCOMPARE(kinds, std::set<std::string>(kNovelKinds.begin(), kNovelKinds.end()));
    const auto rows = demoSamples("ood", 3, 1);
    QCOMPARE(rows[2].layout, std::string("question-both"));
    QCOMPARE(rows[2].prompt.front().text, rows[2].question + "<image>" + rows[2].question);
  }

 private:
  static constexpr const char* kScene7 = "f2d18899e96566fdce2a51a953c07f37";
};

QTEST_GUILESS_MAIN(TestDemoScene)
#include "tst_demo_scene.moc"
