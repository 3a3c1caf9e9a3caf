// Qwen3VLConfig: the shape of a Hugging Face Qwen3-VL model, read from its config.json (rope_scaling or rope_parameters).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cuescope {

struct Qwen3VLConfig {
  struct Text {
    std::int64_t hidden = 0, layers = 0, heads = 0, kvHeads = 0, headDim = 0, intermediate = 0, vocabulary = 0, maxPositions = 0;
    double rmsEps = 1e-6, ropeTheta = 5e6;
    std::vector<std::int64_t> mropeSection;  // slots of T, H, W; sum = headDim / 2
    bool tied = false;
    double initializerRange = 0.02;
  } text;

  struct Vision {
    std::int64_t hidden = 0, depth = 0, heads = 0, intermediate = 0, outHidden = 0, patch = 16, temporalPatch = 2, merge = 2,
                 channels = 3, positions = 2304;
    std::vector<std::int64_t> deepstack;
  } vision;

  /// Cue recovery (spec 1): layers with l % interval == 0. In config.json under "cue_recovery"; folders of the reference,
  /// which have none, are recognised by their weights (interval from the layer indexes present).
  struct Cue {
    bool enabled = false;
    std::int64_t interval = 5;
    std::vector<std::int64_t> layers;  // with weights
    std::vector<std::int64_t> active;  // that act: `layers`, without the last decoder layer unless asked (spec B5)
  } cue;

  std::int64_t imageToken = 0, videoToken = 0, visionStart = 0, visionEnd = 0, imStart = -1;
  std::vector<std::int64_t> eosTokens;
  std::int64_t padToken = 0;

  /// Reads and checks `folder`/config.json and generation_config.json (and the tokenizer's id of <|im_start|>). Throws Error.
  static Qwen3VLConfig read(const std::string& folder);
  /// config.json text that Transformers opens; `architectures` names the student class when the module is there.
  std::string toJson() const;
};

}  // namespace cuescope
