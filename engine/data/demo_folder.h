// Demo folder: the files around the weights of a demo model, in Hugging Face's layout (tokenizer, chat template, processors,
// generation defaults), and the demo's data sets. Everything follows from a seed and the word list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/events.h"
#include "engine/data/demo_questions.h"

#include <stop_token>

namespace cuescope {

/// Writes tokenizer.json (byte-level BPE with Qwen's split pattern, every word of the demo one token), tokenizer_config.json,
/// chat_template.json, generation_config.json, preprocessor_config.json and video_preprocessor_config.json.
void writeDemoProcessor(const std::string& folder);

/// Rows of a split: kinds in turn, every fourth round question first. Scenes depend on (seed, split, index) alone.
/// Split "ood" leaves what trainings contain, a third each, told apart by data_source: "cuescope/demo-crowded" has 7 to 9 objects
/// instead of 3 to 6, "cuescope/demo-composed" has questions of kNovelKinds, "cuescope/demo-layout" has the question before and
/// behind the picture (layout "question-both").
std::vector<Sample> demoSamples(const std::string& split, std::int64_t count, std::uint64_t seed, std::stop_token stop = {});
/// The same scene and item without drawing a picture.
struct DemoCase {
  DemoScene scene;
  DemoItem item;
  bool questionFirst = false;
  bool questionBoth = false;               // before and behind the picture
  std::string dataSource = "cuescope/demo";
};
inline constexpr const char* kDemoCrowded = "cuescope/demo-crowded";
inline constexpr const char* kDemoComposed = "cuescope/demo-composed";
inline constexpr const char* kDemoLayout = "cuescope/demo-layout";
DemoCase demoCase(const std::string& split, std::int64_t index, std::uint64_t seed);

/// Writes data/train.parquet (2,000 rows), data/test.parquet (1,000), data/ood.parquet (960) and a few pictures with data/examples.jsonl (paths, not
/// bytes) below `folder`. Builds without Arrow write .jsonl. Throws Error, Cancelled.
void makeDemoData(const std::string& folder, std::uint64_t seed, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
