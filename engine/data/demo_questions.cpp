#include "engine/data/demo_questions.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "engine/core/failure.h"
#include "engine/media/decode.h"

namespace cuescope {

namespace {

const std::string& number(int n) { return demoNumbers()[static_cast<std::size_t>(n)]; }
const std::string& regionOf(const DemoObject& o) { return demoRegions()[static_cast<std::size_t>(o.region())]; }
std::string boxed(const std::string& reasoning, const std::string& answer) { return reasoning + ". \\boxed{" + answer + "}"; }

int pick(const DemoScene& scene, DemoRandom& random) { return random.below(static_cast<int>(scene.objects.size())); }

DemoItem finished(std::string kind, std::string question, const std::string& reasoning, std::string answer, std::string cue,
                  std::vector<int> evidence) {
  DemoItem item;
  item.kind = std::move(kind);
  item.question = std::move(question);
  item.response = boxed(reasoning, answer);
  item.hint = "The answer is " + answer + ".";
  item.answer = std::move(answer);
  item.cue = std::move(cue);
  item.evidence = std::move(evidence);
  return item;
}

DemoItem askByDigit(const DemoScene& scene, bool color, DemoRandom& random) {
  const int i = pick(scene, random);
  const DemoObject& o = scene.objects[i];
  const std::string answer = color ? demoColors()[o.color] : demoShapes()[o.shape];
  return finished(color ? "color_of_digit" : "shape_of_digit",
                  color ? "What color is the shape with digit " + number(o.digit) + "?" : "Which shape has digit " + number(o.digit) + "?",
                  "digit " + number(o.digit) + " " + regionOf(o) + " " + answer, answer,
                  "Digit " + number(o.digit) + " is at " + regionOf(o) + ".", {i});
}

DemoItem askDigit(const DemoScene& scene, DemoRandom& random) {
  const int i = pick(scene, random);
  const DemoObject& o = scene.objects[i];
  return finished("digit_of", "What digit is on the " + o.name() + "?",
                  "the " + o.name() + " " + regionOf(o) + " " + number(o.digit), number(o.digit),
                  "The " + o.name() + " is at " + regionOf(o) + ".", {i});
}

DemoItem askCount(const DemoScene& scene, bool color, DemoRandom& random) {
  // Mostly a value that is there, so that «zero» is no safe guess.
  const DemoObject& seen = scene.objects[pick(scene, random)];
  int value = color ? seen.color : seen.shape;
  if (!random.chance(85)) value = random.below(color ? 6 : 5);
  const std::string& word = color ? demoColors()[value] : demoShapes()[value];
  std::vector<int> evidence;
  std::string places, list;
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const DemoObject& o = scene.objects[i];
    if ((color ? o.color : o.shape) != value) continue;
    evidence.push_back(static_cast<int>(i));
    places += " " + regionOf(o);
    list += (list.empty() ? " " : ", ") + regionOf(o);
  }
  if (evidence.empty()) places = list = " none";
  return finished(color ? "count_color" : "count_shape", "How many " + word + " shapes are there?", "the " + word + places,
                  number(static_cast<int>(evidence.size())), "Seen " + word + " at" + list + ".", evidence);
}

/// What of the neighbour is asked: colour is the trained kind.
std::optional<DemoItem> askNeighbor(const DemoScene& scene, DemoRandom& random, const std::string& kind = "neighbor") {
  struct Case {
    int from, to;
    const char* where;
  };
  static constexpr std::array<std::pair<int, int>, 4> kSteps{{{0, 1}, {0, -1}, {-1, 0}, {1, 0}}};
  static constexpr std::array<const char*, 4> kNames{"right of", "left of", "above", "below"};
  std::vector<Case> cases;
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const int region = scene.objects[i].region(), row = region / 3, column = region % 3;
    for (std::size_t d = 0; d < kSteps.size(); ++d) {
      const int r = row + kSteps[d].first, c = column + kSteps[d].second;
      if (r < 0 || r > 2 || c < 0 || c > 2) continue;
      const int other = scene.at(r * 3 + c);
      if (other >= 0) cases.push_back({static_cast<int>(i), other, kNames[d]});
    }
  }
  if (cases.empty()) return std::nullopt;
  const Case& chosen = cases[static_cast<std::size_t>(random.below(static_cast<int>(cases.size())))];
  const DemoObject &from = scene.objects[chosen.from], &to = scene.objects[chosen.to];
  const bool digit = kind == "digit_of_neighbor", shape = kind == "shape_of_neighbor";
  const std::string& answer = digit ? number(to.digit) : shape ? demoShapes()[to.shape] : demoColors()[to.color];
  const std::string opening = digit ? "What digit is " : shape ? "Which shape is " : "What color is ";
  return finished(kind, opening + chosen.where + " the " + from.name() + "?",
                  "the " + from.name() + " " + regionOf(from) + " " + chosen.where + " " + regionOf(to) + " " + answer, answer,
                  "The " + from.name() + " is at " + regionOf(from) + ".", {chosen.from, chosen.to});
}

DemoItem askPair(const DemoScene& scene, bool sum, DemoRandom& random) {
  const int i = pick(scene, random);
  int j = random.below(static_cast<int>(scene.objects.size()) - 1);
  if (j >= i) ++j;
  const DemoObject &a = scene.objects[i], &b = scene.objects[j];
  const std::string reasoning = "the " + a.name() + " " + number(a.digit) + ". the " + b.name() + " " + number(b.digit);
  const std::string cue = "The " + a.name() + " at " + regionOf(a) + " shows " + number(a.digit) + ". The " + b.name() + " at " +
                          regionOf(b) + " shows " + number(b.digit) + ".";
  if (sum)
    return finished("sum", "What is the sum of the digits on the " + a.name() + " and the " + b.name() + "?", reasoning,
                    number(a.digit + b.digit), cue, {i, j});
  return finished("compare", "Which has the larger digit, the " + a.name() + " or the " + b.name() + "?", reasoning,
                  (a.digit > b.digit ? a : b).name(), cue, {i, j});
}

DemoItem askAt(const DemoScene& scene, bool digit, DemoRandom& random) {
  const int i = pick(scene, random);
  const DemoObject& o = scene.objects[i];
  const std::string answer = digit ? number(o.digit) : demoColors()[o.color];
  return finished(digit ? "digit_at" : "color_at", std::string(digit ? "What digit is at " : "What color is at ") + regionOf(o) + "?",
                  regionOf(o) + " " + o.name() + " " + number(o.digit), answer, "The " + o.name() + " is at " + regionOf(o) + ".", {i});
}

std::optional<DemoItem> askDigitAndShape(const DemoScene& scene, DemoRandom& random) {
  // The second object is named by its shape alone, so that shape must occur once.
  std::vector<std::pair<int, int>> cases;
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    for (std::size_t j = 0; j < scene.objects.size(); ++j) {
      const int shape = scene.objects[j].shape;
      const auto same = std::count_if(scene.objects.begin(), scene.objects.end(), [&](const DemoObject& o) { return o.shape == shape; });
      if (i != j && same == 1) cases.emplace_back(static_cast<int>(i), static_cast<int>(j));
    }
  }
  if (cases.empty()) return std::nullopt;
  const auto [i, j] = cases[static_cast<std::size_t>(random.below(static_cast<int>(cases.size())))];
  const DemoObject &a = scene.objects[i], &b = scene.objects[j];
  return finished("sum_of_digit_and_shape", "What is the sum of the digits on the " + a.name() + " and the " + demoShapes()[b.shape] + "?",
                  "the " + a.name() + " " + number(a.digit) + ". the " + b.name() + " " + number(b.digit), number(a.digit + b.digit),
                  "The " + a.name() + " is at " + regionOf(a) + ". The " + b.name() + " is at " + regionOf(b) + ".", {i, j});
}

DemoItem askLargest(const DemoScene& scene, DemoRandom& random) {
  std::vector<int> order(scene.objects.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  random.shuffle(order);
  const DemoObject &a = scene.objects[order[0]], &b = scene.objects[order[1]], &c = scene.objects[order[2]];
  const DemoObject& best = a.digit > b.digit ? (a.digit > c.digit ? a : c) : (b.digit > c.digit ? b : c);
  return finished("larger_of_three", "Which has the larger digit, the " + a.name() + ", the " + b.name() + " or the " + c.name() + "?",
                  "the " + a.name() + " " + number(a.digit) + ". the " + b.name() + " " + number(b.digit) + ". the " + c.name() + " " + number(c.digit),
                  best.name(),
                  "The " + a.name() + " is at " + regionOf(a) + ". The " + b.name() + " is at " + regionOf(b) + ". The " + c.name() + " is at " + regionOf(c) + ".",
                  {order[0], order[1], order[2]});
}

}  // namespace

std::optional<DemoItem> askNovel(const DemoScene& scene, const std::string& kind, DemoRandom& random) {
  if (kind == "digit_of_neighbor" || kind == "shape_of_neighbor") return askNeighbor(scene, random, kind);
  if (kind == "color_at" || kind == "digit_at") return askAt(scene, kind == "digit_at", random);
  if (kind == "sum_of_digit_and_shape") return askDigitAndShape(scene, random);
  if (kind == "larger_of_three") return askLargest(scene, random);
  throw Error("There is no such kind of demo question", kind);
}

std::optional<DemoItem> askDemo(const DemoScene& scene, const std::string& kind, DemoRandom& random) {
  if (kind == "color_of_digit") return askByDigit(scene, true, random);
  if (kind == "shape_of_digit") return askByDigit(scene, false, random);
  if (kind == "digit_of") return askDigit(scene, random);
  if (kind == "count_color") return askCount(scene, true, random);
  if (kind == "count_shape") return askCount(scene, false, random);
  if (kind == "neighbor") return askNeighbor(scene, random);
  if (kind == "sum") return askPair(scene, true, random);
  if (kind == "compare") return askPair(scene, false, random);
  throw Error("There is no such kind of demo question", kind);
}

DemoItem askDemo(const DemoScene& scene, DemoRandom& random) {
  for (;;) {
    auto item = askDemo(scene, kDemoKinds[static_cast<std::size_t>(random.below(static_cast<int>(kDemoKinds.size())))], random);
    if (item) return *item;
  }
}

DemoItem askPrimitive(const DemoScene& scene, DemoRandom& random) {
  DemoItem item;
  item.kind = "primitive";
  const int i = pick(scene, random);
  const DemoObject& o = scene.objects[i];
  switch (random.below(3)) {
    case 0: {
      // Half of these look at an object, half anywhere.
      const int region = random.chance(50) ? o.region() : random.below(kDemoRegions);
      const int found = scene.at(region);
      item.question = "What is at " + demoRegions()[region] + "?";
      item.answer = found < 0 ? "nothing" : scene.objects[found].name() + " " + number(scene.objects[found].digit);
      if (found >= 0) item.evidence = {found};
      break;
    }
    case 1:
      item.question = "Where is the " + o.name() + "?";
      item.answer = regionOf(o);
      item.evidence = {i};
      break;
    default:
      item.question = "Where is digit " + number(o.digit) + "?";
      item.answer = regionOf(o);
      item.evidence = {i};
  }
  item.response = item.answer;
  return item;
}

DemoItem askCaption(const DemoScene& scene) {
  DemoItem item;
  item.kind = "caption";
  item.question = "Describe the image.";
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const DemoObject& o = scene.objects[i];
    item.response += (i ? " " : "") + regionOf(o) + " " + o.name() + " " + number(o.digit) + ".";
    item.evidence.push_back(static_cast<int>(i));
  }
  item.answer = item.response;
  return item;
}

std::string demoUserText(const std::string& question, bool questionFirst) {
  return questionFirst ? question + "<image>" : "<image>" + question;
}

Sample demoSample(const DemoScene& scene, const DemoItem& item, bool questionFirst, const std::string& split, std::int64_t index) {
  Sample sample;
  sample.id = "demo-" + split + "-" + std::to_string(index);
  sample.dataSource = "cuescope/demo";
  sample.prompt = {{"user", demoUserText(item.question, questionFirst)}};
  sample.hint = item.hint;
  sample.cue = item.cue;
  sample.groundTruth = item.answer;
  sample.ability = "visual question answering";
  sample.question = item.question;
  sample.answer = item.response;
  sample.kind = item.kind;
  sample.layout = questionFirst ? "question-first" : "image-first";
  sample.split = split;
  sample.index = index;
  const Picture picture = drawDemoScene(scene);
  sample.imageBytes.push_back(encodePng(picture.width, picture.height, picture.rgb.data()));
  sample.imagePaths.emplace_back();
  for (int i : item.evidence) sample.evidence.push_back(demoBox(scene.objects[static_cast<std::size_t>(i)]));
  return sample;
}

std::vector<DemoWord> demoVocabulary() {
  std::map<std::string, DemoWord> words;
  const auto add = [&](const std::string& text) {
    for (std::size_t i = 0; i < text.size();) {
      if (!std::isalpha(static_cast<unsigned char>(text[i]))) {
        ++i;
        continue;
      }
      std::size_t end = i;
      while (end < text.size() && std::isalpha(static_cast<unsigned char>(text[end]))) ++end;
      DemoWord& word = words[text.substr(i, end - i)];
      (i > 0 && text[i - 1] == ' ' ? word.spaced : word.bare) = true;
      i = end;
    }
  };
  // Facts in both spellings (a box has no space before them), then the sentences around them.
  for (const auto* list : {&demoColors(), &demoShapes(), &demoNumbers(), &demoRegions()})
    for (const std::string& word : *list) add(word + " " + word);
  for (const char* role : {"user", "assistant", "system"}) add(role);
  add("nothing nothing none none. [Hint]: Hint. The answer is \\boxed{");
  add("digit Digit. the The. Seen. left of right of above below");
  DemoRandom random(1);
  for (int i = 0; i < 400; ++i) {
    const DemoScene scene = makeDemoScene(random);
    std::vector<DemoItem> items{askDemo(scene, random), askPrimitive(scene, random), askCaption(scene)};
    for (const DemoItem& item : items) {
      for (const std::string& text : {item.question, item.response}) add(text);
      for (const std::string& text : {item.cue, item.hint}) add(" " + text);
    }
  }
  std::vector<DemoWord> list;
  for (auto& [text, word] : words) {
    word.text = text;
    list.push_back(word);
  }
  return list;
}

}  // namespace cuescope
