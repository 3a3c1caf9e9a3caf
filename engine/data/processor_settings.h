// ProcessorSettings: what a model folder says about images and videos: preprocessor_config.json,
// video_preprocessor_config.json, or their newer home processor_config.json. Keys that are missing have the values that
// Qwen3-VL was published with.
#pragma once

#include <cstdint>
#include <string>

#include "engine/data/resize.h"

namespace cuescope {

struct ProcessorSettings {
  struct Visual {
    PatchRule rule;
    std::int64_t minPixels = 0, maxPixels = 0;  // of one image, or of all frames of a video
  };
  Visual image{{}, 65'536, 16'777'216};
  Visual video{{}, 4'096, 25'165'824};
  double sampleFps = 2;
  int minFrames = 4, maxFrames = 768;
  bool sampleFrames = true;
};

/// Throws Error that names the file, the key and the value that cannot be used.
ProcessorSettings readProcessorSettings(const std::string& modelFolder);

}  // namespace cuescope
