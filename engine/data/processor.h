// Processor: everything between a person's words and files and a model's RowInput: tokenizer, chat template, image and video
// processors of one Hugging Face folder. Not thread-safe; engine thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/model/rows.h"
#include "engine/tokenizer/chat_template.h"

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
  at::Tensor pixelValues;           // float32 [t*h*w, 1536]; may be shared with other inputs: clone before writing
  Grid grid;                        // in patches
  std::vector<Picture> processed;   // resized picture(s): one for an image, one for each frame of a video
  std::vector<double> timestamps;   // video: mean time of each pair of frames
  std::vector<int> frameIndices;    // video: numbers of the sampled frames in the file
  int originalWidth = 0, originalHeight = 0;
};

/// A prompt ready for the model.
struct Prompt {
  RowInput row;
  RenderedPrompt rendered;
  std::vector<VisualInput> visuals;
};

/// What stands before a privilege at the end of the last user turn.
inline constexpr const char* kHintMark = "\n[Hint]: ";

/// One turn for prompt(): text with <image> and <video> marks, as verl writes them (spec 3.1).
struct Turn {
  std::string role, text;
};

/// Which frames of a video are read; the folder's settings fill what is left open.
struct VideoOptions {
  double fps = 0;     // frames a second; 0: as the folder says
  int frames = 0;     // that many, evenly spread; 0: by fps
  bool all = false;   // every frame
  int minFrames = 0, maxFrames = 0;  // bounds when it goes by fps; 0: as the folder says
};

class Processor {
 public:
  static constexpr std::int64_t kKeptPictureBytes = std::int64_t{64} << 20;  // patches and resized pixels of the latest pictures and videos

  /// Throws Error that names the file and what is wrong with it.
  explicit Processor(const std::string& modelFolder);
  ~Processor();

  const Tokenizer& tokenizer() const { return *m_tokenizer; }
  const ChatTemplate& chatTemplate() const { return m_template; }

  /// What the reference's data loader hands to its processor (spec 2.6, stage a): sides rounded to whole visual tokens, 4 to
  /// 16,384 of them, Pillow's bicubic. Rows of data sets take this step before image(), so a small picture is resized twice, as
  /// in the reference; a picture that is only looked at does not.
  Picture loaded(const Picture& picture) const;
  /// The same pixels come from a cache the second time.
  VisualInput image(const Picture& picture) const;
  /// What image(loaded(picture)) would give for a picture of that size, without pixels: the grid alone.
  VisualInput measured(int width, int height) const;
  /// From the same cache while the file stays as it is (size and time of writing).
  VisualInput video(const std::string& file, const VideoOptions& options = {}) const;
  /// What video() would give, without pixels: grid, frames and their times, by what the file claims of itself. A file that claims
  /// nothing is counted through; one whose claim is false comes out otherwise when it is read.
  VisualInput measuredVideo(const std::string& file, const VideoOptions& options = {}) const;
  /// Marks are replaced by the visuals in order; their number must match. `privilege` (cue or hint text) goes to the end of the
  /// last user turn as "\n[Hint]: text" (recorded decision on spec 3.1 [U]) and is reported as cueBegin..cueEnd: the tokens that
  /// hold any of its text, the words "[Hint]: " not counted. `hintVisuals` are pictures of the hint: "\n[Hint]: <image>text". Visuals
  /// without pixels (measured) give a prompt of the true length and a row without pixels.
  Prompt prompt(const std::vector<Turn>& turns, const std::vector<VisualInput>& visuals, const std::string& privilege = {},
                const std::vector<VisualInput>& hintVisuals = {}) const;
  /// The prompt that messages render to, placeholders not expanded.
  RenderedPrompt chat(const std::vector<ChatTurn>& turns, bool addGenerationPrompt) const;

 private:
  struct Settings;
  std::unique_ptr<Tokenizer> m_tokenizer;
  std::unique_ptr<Settings> m_settings;
  ChatTemplate m_template;
};

}  // namespace cuescope
