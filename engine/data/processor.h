// Processor: everything between a person's words and files and a model's RowInput: tokenizer, chat template, image and video
// processors of one Hugging Face folder. Not thread-safe; engine thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/model/rows.h"

namespace cuescope {

class Tokenizer;

/// A decoded picture: upright, 8-bit RGB (alpha composited on white).
struct Picture {
  std::string label;
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // [height, width, 3]
};

/// Patches of one image or video as the model reads them, and the pixels they were cut from.
struct VisualInput {
  at::Tensor pixelValues;           // float32 [t*h*w, 1536]
  Grid grid;                        // in patches
  std::vector<Picture> processed;   // resized picture(s): one for an image, one for each frame of a video
  std::vector<double> timestamps;   // video: mean time of each pair of frames
  int originalWidth = 0, originalHeight = 0;
};

/// A prompt ready for the model.
struct Prompt {
  RowInput row;
  RenderedPrompt rendered;
  std::vector<VisualInput> visuals;
};

/// One turn for prompt(): text with <image> and <video> marks, as verl writes them (spec 3.1).
struct Turn {
  std::string role, text;
};

class Processor {
 public:
  /// Throws Error that names the file and what is wrong with it.
  explicit Processor(const std::string& modelFolder);
  ~Processor();

  const Tokenizer& tokenizer() const { return *m_tokenizer; }

  VisualInput image(const Picture& picture) const;
  VisualInput video(const std::string& file) const;
  /// Marks are replaced by the visuals in order; their number must match. `privilege` (cue or hint text) goes to the end of the
  /// last user turn as "\n[Hint]: text" (recorded decision on spec 3.1 [U]) and is reported as cueBegin..cueEnd.
  Prompt prompt(const std::vector<Turn>& turns, const std::vector<VisualInput>& visuals, const std::string& privilege = {}) const;

 private:
  struct Settings;
  std::unique_ptr<Tokenizer> m_tokenizer;
  std::unique_ptr<Settings> m_settings;
};

}  // namespace cuescope
