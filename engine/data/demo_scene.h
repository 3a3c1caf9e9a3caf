// Demo scenes: 192 x 192 pixel pictures of coloured shapes that carry digits, one object in one visual token (32 x 32 pixels), nine
// compass regions of 2 x 2 tokens. Integer arithmetic and a generator of our own: the same seed draws the same bytes on every
// machine. Values and free functions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/data/processor.h"

namespace cuescope {

/// xoshiro256** seeded by splitmix64. Draws are integers, so that no libm or std::distribution decides anything.
class DemoRandom {
 public:
  explicit DemoRandom(std::uint64_t seed, std::uint64_t stream = 0);
  std::uint64_t next();
  /// 0 .. bound - 1, without bias worth speaking of (64-bit multiply and shift).
  int below(int bound) { return static_cast<int>((static_cast<unsigned __int128>(next()) * static_cast<unsigned>(bound)) >> 64); }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (int i = static_cast<int>(values.size()) - 1; i > 0; --i) std::swap(values[i], values[below(i + 1)]);
  }

 private:
  std::array<std::uint64_t, 4> m_state;
};

inline constexpr int kDemoSize = 192;    // pixels, both sides
inline constexpr int kDemoTokens = 6;    // merged visual tokens a side
inline constexpr int kDemoToken = 32;    // pixels a token and side
inline constexpr int kDemoSprite = 28;   // pixels an object and side
inline constexpr int kDemoRegions = 9;

const std::vector<std::string>& demoColors();   // red green blue yellow purple orange
const std::vector<std::string>& demoShapes();   // circle square triangle diamond star
const std::vector<std::string>& demoNumbers();  // zero .. seventeen
const std::vector<std::string>& demoRegions();  // northwest .. southeast, row by row

struct DemoObject {
  int color = 0, shape = 0;  // indexes of demoColors, demoShapes
  int digit = 1;             // 1 .. 9
  int row = 0, column = 0;   // token
  int x = 0, y = 0;          // top left pixel of the sprite
  int region() const { return row / 2 * 3 + column / 2; }
  int token() const { return row * kDemoTokens + column; }
  /// "red circle"
  std::string name() const { return demoColors()[color] + " " + demoShapes()[shape]; }
};

struct DemoScene {
  std::vector<DemoObject> objects;  // by region
  int background = 240;             // mean gray
  std::uint64_t noiseSeed = 0;
  /// Index of the object in a region, -1 when it is empty.
  int at(int region) const;
};

/// Objects in distinct regions (3 to 6 of them; at most 9); digits and (colour, shape) pairs are unique.
DemoScene makeDemoScene(DemoRandom& random, int least = 3, int most = 6);
/// Any number of objects in any tokens, nothing unique: many examples of every fact in one picture, for vision alignment.
DemoScene makeDenseScene(DemoRandom& random, int objects);

/// 8-bit RGB.
Picture drawDemoScene(const DemoScene& scene);
/// The sprite's rectangle.
PixelBox demoBox(const DemoObject& object);

}  // namespace cuescope
