// Demo questions: what is asked about a demo scene, the response that answers it, the cue that says where to look and the hint
// that gives the answer away (kinds: see kDemoKinds). Every fact is one word, and numbers are words. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/data/demo_scene.h"

namespace cuescope {

/// The kinds that data sets and score boards contain.
inline const std::vector<std::string> kDemoKinds{"color_of_digit", "shape_of_digit", "digit_of", "count_color",
                                                 "count_shape",    "neighbor",       "sum",      "compare"};

/// Kinds that no training contains, made of the same words and facts: for held-out rows out of the domain.
inline const std::vector<std::string> kNovelKinds{"digit_of_neighbor", "shape_of_neighbor", "color_at", "digit_at", "sum_of_digit_and_shape", "larger_of_three"};

struct DemoItem {
  std::string kind;
  std::string question;
  std::string response;      // reasoning and \boxed{answer}; captions and primitives have no box
  std::string answer;
  std::string cue, hint;     // empty for captions and primitives
  std::vector<int> evidence; // objects that decide the answer
};

/// A question of this kind about this scene; none when the scene has no case of it (a neighbour, mostly).
std::optional<DemoItem> askDemo(const DemoScene& scene, const std::string& kind, DemoRandom& random);
/// A question of one of kNovelKinds; none when the scene has no case of it.
std::optional<DemoItem> askNovel(const DemoScene& scene, const std::string& kind, DemoRandom& random);
/// A question of a random kind.
DemoItem askDemo(const DemoScene& scene, DemoRandom& random);
/// "What is at north?" or "Where is the red circle?": single facts for the cold start.
DemoItem askPrimitive(const DemoScene& scene, DemoRandom& random);
/// "Describe the image."
DemoItem askCaption(const DemoScene& scene);

/// The user turn of a question, with its mark: "<image>question" or, question first, "question<image>".
std::string demoUserText(const std::string& question, bool questionFirst);
/// A row of a data set, with the picture as PNG.
Sample demoSample(const DemoScene& scene, const DemoItem& item, bool questionFirst, const std::string& split, std::int64_t index);

/// Every letter run of questions, responses, cues and hints, and whether it occurs with a space before it.
struct DemoWord {
  std::string text;
  bool bare = false, spaced = false;
};
std::vector<DemoWord> demoVocabulary();

}  // namespace cuescope
