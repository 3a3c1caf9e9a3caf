// ChatTemplate: the Qwen3-VL chat format (spec 2.8), rendered as the folder's Jinja template would, plain C++ for the known one.
#pragma once

#include <string>
#include <vector>

namespace cuescope {

/// A part of a message: text, or a mark for an image or a video.
struct ChatPart {
  enum class Kind { Text, Image, Video } kind = Kind::Text;
  std::string text;
};
struct ChatTurn {
  std::string role;
  std::vector<ChatPart> parts;
};

class ChatTemplate {
 public:
  /// chat_template.jinja, chat_template.json or tokenizer_config.json of the folder. An unknown template is an Error at load
  /// that says which file and what differs from the Qwen3-VL template.
  static ChatTemplate load(const std::string& folder);
  /// Placeholders stay single: <|vision_start|><|image_pad|><|vision_end|>.
  std::string render(const std::vector<ChatTurn>& turns, bool addGenerationPrompt, bool addVisionId = false) const;
};

/// Parses the CLI's and the goldens' messages JSON: [{"role", "content": string or [{"type", "text"}...]}].
std::vector<ChatTurn> parseMessages(const std::string& json);

}  // namespace cuescope
