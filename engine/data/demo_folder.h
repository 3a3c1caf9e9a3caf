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
std::vector<Sample> demoSamples(const std::string& split, std::int64_t count, std::uint64_t seed, std::stop_token stop = {});
/// The same scene and item without drawing a picture.
struct DemoCase {
  DemoScene scene;
  DemoItem item;
  bool questionFirst = false;
};
DemoCase demoCase(const std::string& split, std::int64_t index, std::uint64_t seed);

/// Writes data/train.parquet (2,000 rows), data/test.parquet (1,000) and a few pictures with data/examples.jsonl (paths, not
/// bytes) below `folder`. Builds without Arrow write .jsonl. Throws Error, Cancelled.
void makeDemoData(const std::string& folder, std::uint64_t seed, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
