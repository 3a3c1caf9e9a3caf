// ChatTemplate: the Qwen3-VL chat format (spec 2.8), rendered as the folder's Jinja template would, plain C++ for the known one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cuescope {

/// A part of a message: text, or a mark for an image or a video. Beside a mark, `text` is what system and assistant turns
/// print (they know no images).
struct ChatPart {
  enum class Kind { Text, Image, Video } kind = Kind::Text;
  std::string text;
};
/// A function that an assistant turn calls. `arguments` is JSON text, printed as it is.
struct ToolCall {
  std::string name, arguments;
};
/// Roles: system (first turn only), user, assistant, tool. The template prints nothing for others.
struct ChatTurn {
  std::string role;
  std::vector<ChatPart> parts;
  std::vector<ToolCall> toolCalls = {};  // assistant turns
};

/// A Jinja template of our own that renders the same format without tools, for model folders that the project writes. load()
/// knows it too.
std::string_view plainChatTemplate();

class ChatTemplate {
 public:
  /// chat_template.jinja, chat_template.json or tokenizer_config.json of the folder, the first that has one; none: the
  /// Qwen3-VL format. An unknown template is an Error at load that says which file and what differs from the Qwen3-VL template.
  static ChatTemplate load(const std::string& folder);
  /// Placeholders stay single: <|vision_start|><|image_pad|><|vision_end|>. `tools`: one JSON text for each declared function,
  /// printed as it is (parseTools() writes it as the reference does).
  std::string render(const std::vector<ChatTurn>& turns, bool addGenerationPrompt, bool addVisionId = false,
                     const std::vector<std::string>& tools = {}) const;
};

/// Parses the CLI's and the goldens' messages JSON: [{"role", "content": string or [{"type", "text"}...], "tool_calls"}].
/// Throws Error.
std::vector<ChatTurn> parseMessages(const std::string& json);

/// A JSON array of tool declarations as render() takes them. Throws Error.
std::vector<std::string> parseTools(const std::string& json);

}  // namespace cuescope
