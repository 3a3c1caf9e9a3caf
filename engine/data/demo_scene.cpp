#include "engine/data/demo_scene.h"

#include <algorithm>
#include <cstdlib>

namespace cuescope {

namespace {

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

constexpr int kFine = 4;                       // supersampling a side
constexpr int kCanvas = kDemoSprite * kFine;   // 112
constexpr int kGrain = 4;                      // pixels a side of one grain of the background's noise

struct Point {
  int x, y;
};
using Line = std::vector<Point>;

// Centre lines of the digits in quarter pixels, 24 x 44; drawn with a round pen.
const std::vector<Line>& glyph(int digit) {
  static const std::vector<Line> kGlyphs[10] = {
      {},
      {{{4, 10}, {14, 0}, {14, 44}}},
      {{{1, 12}, {3, 5}, {8, 0}, {16, 0}, {22, 5}, {23, 12}, {20, 19}, {0, 44}, {24, 44}}},
      {{{1, 5}, {7, 0}, {16, 0}, {22, 5}, {22, 14}, {17, 20}, {9, 20}},
       {{17, 20}, {23, 26}, {23, 36}, {17, 44}, {7, 44}, {0, 38}}},
      {{{18, 44}, {18, 0}, {0, 30}, {24, 30}}},
      {{{22, 0}, {4, 0}, {2, 20}, {9, 16}, {17, 17}, {23, 24}, {23, 34}, {17, 43}, {7, 44}, {0, 38}}},
      {{{20, 1}, {12, 2}, {5, 10}, {1, 22}, {1, 34}, {6, 42}, {12, 44}, {18, 42}, {23, 36}, {23, 28}, {18, 21}, {12, 19}, {6, 21}, {1, 28}}},
      {{{0, 0}, {24, 0}, {9, 44}}},
      {{{12, 0}, {19, 2}, {22, 10}, {19, 17}, {12, 20}, {5, 17}, {2, 10}, {5, 2}, {12, 0}},
       {{12, 20}, {20, 23}, {24, 32}, {20, 41}, {12, 44}, {4, 41}, {0, 32}, {4, 23}, {12, 20}}},
      {{{4, 43}, {12, 42}, {19, 34}, {23, 22}, {23, 10}, {18, 2}, {12, 0}, {6, 2}, {1, 8}, {1, 16}, {6, 23}, {12, 25}, {18, 23}, {23, 16}}},
  };
  return kGlyphs[digit];
}
constexpr int kPen = 6;  // radius, quarter pixels

// Outlines in quarter pixels of the 28-pixel sprite. The star's inner radius is 0.55 of the outer one.
const Line& outline(int shape) {
  static const Line kOutlines[5] = {
      {},
      {{5, 5}, {107, 5}, {107, 107}, {5, 107}},
      {{56, 1}, {111, 109}, {1, 109}},
      {{56, 1}, {111, 56}, {56, 111}, {1, 56}},
      {{56, 1}, {74, 34}, {110, 39}, {85, 65}, {90, 102}, {56, 86}, {22, 102}, {27, 65}, {2, 39}, {38, 34}},
  };
  return kOutlines[shape];
}

// All tests use the centre of a sub-pixel, in eighths of a pixel: (2x + 1, 2y + 1).
bool insideShape(int shape, int x2, int y2) {
  if (shape == 0) {
    const std::int64_t dx = x2 - kCanvas, dy = y2 - kCanvas;
    return dx * dx + dy * dy <= 108 * 108;
  }
  const Line& line = outline(shape);
  bool inside = false;
  for (std::size_t i = 0, j = line.size() - 1; i < line.size(); j = i++) {
    const std::int64_t xi = 2 * line[i].x, yi = 2 * line[i].y, xj = 2 * line[j].x, yj = 2 * line[j].y;
    if ((yi > y2) == (yj > y2)) continue;
    // x2 < xi + (xj - xi)(y2 - yi)/(yj - yi), without the division.
    const std::int64_t left = (x2 - xi) * (yj - yi), right = (xj - xi) * (y2 - yi);
    if (yj > yi ? left < right : left > right) inside = !inside;
  }
  return inside;
}

bool insideGlyph(int digit, int originX, int originY, int x2, int y2) {
  const std::int64_t radius = 2 * kPen;
  for (const Line& line : glyph(digit)) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      const std::int64_t ax = 2 * (line[i].x + originX), ay = 2 * (line[i].y + originY);
      const std::int64_t bx = 2 * (line[i + 1].x + originX), by = 2 * (line[i + 1].y + originY);
      const std::int64_t dx = bx - ax, dy = by - ay, px = x2 - ax, py = y2 - ay;
      const std::int64_t dot = px * dx + py * dy, length = dx * dx + dy * dy;
      std::int64_t squared, scale = 1;
      if (dot <= 0) {
        squared = px * px + py * py;
      } else if (dot >= length) {
        squared = (x2 - bx) * (x2 - bx) + (y2 - by) * (y2 - by);
      } else {
        const std::int64_t cross = px * dy - py * dx;
        squared = cross * cross;
        scale = length;
      }
      if (squared <= radius * radius * scale) return true;
    }
  }
  return false;
}

struct Sprite {
  struct Pixel {
    std::uint16_t sum[3];  // of the covered sub-pixels
    std::uint8_t open;     // uncovered sub-pixels, 0 .. 16
  };
  std::array<Pixel, kDemoSprite * kDemoSprite> pixels;
};

Sprite drawSprite(int color, int shape, int digit) {
  static constexpr int kRgb[6][3] = {{214, 40, 40}, {42, 157, 72}, {38, 84, 214}, {244, 196, 48}, {140, 60, 180}, {243, 128, 33}};
  const int ink = color == 3 || color == 5 ? 0 : 255;
  const int originX = (kCanvas - 24) / 2;
  const int originY = (kCanvas - 44) / 2 + (shape == 2 ? 16 : 0);  // a triangle has room lower down
  Sprite sprite;
  for (int y = 0; y < kDemoSprite; ++y) {
    for (int x = 0; x < kDemoSprite; ++x) {
      Sprite::Pixel pixel{{0, 0, 0}, 0};
      for (int sub = 0; sub < kFine * kFine; ++sub) {
        const int x2 = 2 * (x * kFine + sub % kFine) + 1, y2 = 2 * (y * kFine + sub / kFine) + 1;
        const bool inked = insideGlyph(digit, originX, originY, x2, y2);
        if (!inked && !insideShape(shape, x2, y2)) {
          ++pixel.open;
          continue;
        }
        for (int c = 0; c < 3; ++c) pixel.sum[c] = static_cast<std::uint16_t>(pixel.sum[c] + (inked ? ink : kRgb[color][c]));
      }
      sprite.pixels[y * kDemoSprite + x] = pixel;
    }
  }
  return sprite;
}

const Sprite& spriteOf(const DemoObject& object) {
  static const std::vector<Sprite> kSprites = [] {
    std::vector<Sprite> sprites;
    for (int color = 0; color < 6; ++color)
      for (int shape = 0; shape < 5; ++shape)
        for (int digit = 1; digit <= 9; ++digit) sprites.push_back(drawSprite(color, shape, digit));
    return sprites;
  }();
  return kSprites[(object.color * 5 + object.shape) * 9 + object.digit - 1];
}

void place(DemoObject& object, int token, DemoRandom& random) {
  object.row = token / kDemoTokens;
  object.column = token % kDemoTokens;
  const int margin = (kDemoToken - kDemoSprite) / 2;
  object.x = object.column * kDemoToken + margin + random.between(-margin, margin);
  object.y = object.row * kDemoToken + margin + random.between(-margin, margin);
}

void chooseBackground(DemoScene& scene, DemoRandom& random) {
  scene.background = random.between(225, 249);
  scene.noiseSeed = random.next();
}

}  // namespace

DemoRandom::DemoRandom(std::uint64_t seed, std::uint64_t stream) {
  std::uint64_t state = seed ^ (stream * 0xd1342543de82ef95ull + 0x2545f4914f6cdd1dull);
  for (auto& word : m_state) word = splitmix(state);
}

std::uint64_t DemoRandom::next() {
  const auto rotl = [](std::uint64_t v, int k) { return (v << k) | (v >> (64 - k)); };
  const std::uint64_t result = rotl(m_state[1] * 5, 7) * 9, shifted = m_state[1] << 17;
  m_state[2] ^= m_state[0];
  m_state[3] ^= m_state[1];
  m_state[1] ^= m_state[2];
  m_state[0] ^= m_state[3];
  m_state[2] ^= shifted;
  m_state[3] = rotl(m_state[3], 45);
  return result;
}

const std::vector<std::string>& demoColors() {
  static const std::vector<std::string> kWords{"red", "green", "blue", "yellow", "purple", "orange"};
  return kWords;
}
const std::vector<std::string>& demoShapes() {
  static const std::vector<std::string> kWords{"circle", "square", "triangle", "diamond", "star"};
  return kWords;
}
const std::vector<std::string>& demoNumbers() {
  static const std::vector<std::string> kWords{"zero", "one", "two",    "three",  "four",     "five",     "six",     "seven",   "eight",
                                               "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"};
  return kWords;
}
const std::vector<std::string>& demoRegions() {
  static const std::vector<std::string> kWords{"northwest", "north",     "northeast", "west",     "center",
                                               "east",      "southwest", "south",     "southeast"};
  return kWords;
}

int DemoScene::at(int region) const {
  for (std::size_t i = 0; i < objects.size(); ++i)
    if (objects[i].region() == region) return static_cast<int>(i);
  return -1;
}

DemoScene makeDemoScene(DemoRandom& random, int least, int most) {
  DemoScene scene;
  chooseBackground(scene, random);
  const int count = random.between(least, most);
  std::vector<int> digits{1, 2, 3, 4, 5, 6, 7, 8, 9}, regions{0, 1, 2, 3, 4, 5, 6, 7, 8};
  random.shuffle(digits);
  random.shuffle(regions);
  for (int i = 0; i < count; ++i) {
    DemoObject object;
    object.digit = digits[i];
    const auto taken = [&] {
      return std::any_of(scene.objects.begin(), scene.objects.end(),
                         [&](const DemoObject& o) { return o.color == object.color && o.shape == object.shape; });
    };
    const bool copy = i > 0 && random.chance(35);  // shared colours make counting and neighbours worth asking
    int attempts = 0;
    do {
      object.color = copy && ++attempts < 20 ? scene.objects[random.below(i)].color : random.below(6);
      object.shape = random.below(5);
    } while (taken());
    const int region = regions[i], corner = random.below(4);
    place(object, (region / 3 * 2 + corner / 2) * kDemoTokens + region % 3 * 2 + corner % 2, random);
    scene.objects.push_back(object);
  }
  std::sort(scene.objects.begin(), scene.objects.end(), [](const auto& a, const auto& b) { return a.region() < b.region(); });
  return scene;
}

DemoScene makeDenseScene(DemoRandom& random, int objects) {
  DemoScene scene;
  chooseBackground(scene, random);
  std::vector<int> tokens(kDemoTokens * kDemoTokens);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int>(i);
  random.shuffle(tokens);
  for (int i = 0; i < objects; ++i) {
    DemoObject object;
    object.color = random.below(6);
    object.shape = random.below(5);
    object.digit = random.between(1, 9);
    place(object, tokens[i], random);
    scene.objects.push_back(object);
  }
  std::sort(scene.objects.begin(), scene.objects.end(), [](const auto& a, const auto& b) { return a.token() < b.token(); });
  return scene;
}

Picture drawDemoScene(const DemoScene& scene) {
  Picture picture;
  picture.width = picture.height = kDemoSize;
  picture.rgb.resize(kDemoSize * kDemoSize * 3);
  DemoRandom noise(scene.noiseSeed);
  constexpr int kGrains = kDemoSize / kGrain;
  std::array<std::uint8_t, kGrains> grains;
  for (int y = 0; y < kDemoSize; ++y) {
    if (y % kGrain == 0) {
      for (auto& grain : grains) {
        // Eight bytes of one draw: mean 1020, deviation 209; scaled to a deviation of 4.
        const std::uint64_t draw = noise.next();
        int sum = 0;
        for (int b = 0; b < 64; b += 8) sum += static_cast<int>((draw >> b) & 255);
        grain = static_cast<std::uint8_t>(std::clamp(scene.background + (sum * 4 + 104) / 209 - 20, 0, 255));
      }
    }
    for (int x = 0; x < kDemoSize; ++x)
      for (int c = 0; c < 3; ++c) picture.rgb[(y * kDemoSize + x) * 3 + c] = grains[x / kGrain];
  }
  for (const DemoObject& object : scene.objects) {
    const Sprite& sprite = spriteOf(object);
    for (int y = 0; y < kDemoSprite; ++y) {
      for (int x = 0; x < kDemoSprite; ++x) {
        const auto& pixel = sprite.pixels[y * kDemoSprite + x];
        std::uint8_t* out = &picture.rgb[((object.y + y) * kDemoSize + object.x + x) * 3];
        for (int c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>((pixel.sum[c] + pixel.open * out[c] + 8) / 16);
      }
    }
  }
  return picture;
}

PixelBox demoBox(const DemoObject& object) {
  PixelBox box;
  box.x = static_cast<float>(object.x);
  box.y = static_cast<float>(object.y);
  box.width = box.height = kDemoSprite;
  box.label = object.name() + " " + demoNumbers()[object.digit];
  return box;
}

}  // namespace cuescope
