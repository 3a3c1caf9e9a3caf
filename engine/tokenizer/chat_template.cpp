#include "engine/tokenizer/chat_template.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "engine/core/digest.h"
#include "engine/core/failure.h"

namespace cuescope {

namespace {

using nlohmann::ordered_json;

/// First eight digits of the digest of every line of the Qwen3-VL template, white space at line ends ignored. Enough to
/// know it and to name the first line that differs.
constexpr std::array kKnownLines = {
    "bbdbace7", "36fdb5b8", "0869f09e", "d097e616", "e68bd7cd", "5c5c8d4b", "a135a030", "e30382c5", "37e8c970",
    "4cb404f9", "b7f85410", "0349a329", "7596bc22", "92f70b18", "cf574809", "ae2c0f77", "4fea03de", "e39ab202",
    "0d93cb0e", "794afa0e", "e30b682b", "0869f09e", "bc856cc5", "d097e616", "e68bd7cd", "5c5c8d4b", "a135a030",
    "e30382c5", "37e8c970", "4cb404f9", "b7f85410", "0349a329", "2d5d04b0", "92f70b18", "5b2a85ea", "c407793c",
    "721f8bfe", "aa58bd3d", "2d3ba13a", "633144e3", "289a8659", "2d06096b", "5c5c8d4b", "aae59c18", "d6193d1f",
    "8eba5f22", "8a75a758", "ff5c96ec", "ad6e6391", "712f1ad0", "a81cedfc", "c8be9c20", "d4a8cbed", "37e8c970",
    "4cb404f9", "b7f85410", "0349a329", "2d5d04b0", "22016010", "633144e3", "289a8659", "2d06096b", "5c5c8d4b",
    "33971226", "4252c5de", "c3877b21", "4cb404f9", "b7f85410", "0349a329", "1676b8ae", "326bb63d", "562c78a7",
    "d495516f", "4cb404f9", "fafe5c09", "752afd2c", "4cb404f9", "b26e88b1", "dd9737ce", "68b752eb", "c2eb47a7",
    "e43cc436", "3a3abe20", "8be365ab", "4cb404f9", "01c4031b", "b7f85410", "0349a329", "2d5d04b0", "545555ee",
    "266dcb72", "7c76edcf", "0349a329", "c6861392", "289a8659", "2d06096b", "5c5c8d4b", "aae59c18", "d6193d1f",
    "8eba5f22", "8a75a758", "ff5c96ec", "ad6e6391", "712f1ad0", "a81cedfc", "c8be9c20", "d4a8cbed", "37e8c970",
    "4cb404f9", "b7f85410", "0349a329", "df19ea86", "8a8d3f2b", "b551ac6e", "0349a329", "92f70b18", "414f3e17",
    "9fdc005d", "a6cfdcc2", "5b2a85ea"};

/// What plainChatTemplate() returns.
constexpr std::string_view kPlainTemplate = R"({%- set seen = namespace(images=0, videos=0) %}
{%- macro render(content) %}
    {%- if content is string %}
        {{- content }}
    {%- else %}
        {%- for part in content %}
            {%- if part.type == 'image' or 'image' in part or 'image_url' in part %}
                {%- set seen.images = seen.images + 1 %}
                {%- if add_vision_id %}{{- 'Picture ' ~ seen.images ~ ': ' }}{%- endif %}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif part.type == 'video' or 'video' in part %}
                {%- set seen.videos = seen.videos + 1 %}
                {%- if add_vision_id %}{{- 'Video ' ~ seen.videos ~ ': ' }}{%- endif %}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' }}
            {%- elif 'text' in part %}
                {{- part.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}
{%- for message in messages %}
    {%- if message.role != 'system' or loop.first %}
        {{- '<|im_start|>' + message.role + '\n' }}{{- render(message.content) }}{{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
)";

/// JSON with ", " and ": ", keys in their order, nothing escaped that need not be: what the template's tojson filter
/// gives.
void writeJson(const ordered_json& value, std::string& out) {
  const char* separator = "";
  if (value.is_object()) {
    out += '{';
    for (const auto& [key, item] : value.items()) {
      out += separator + ordered_json(key).dump() + ": ";
      writeJson(item, out);
      separator = ", ";
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const auto& item : value) {
      out += separator;
      writeJson(item, out);
      separator = ", ";
    }
    out += ']';
  } else {
    out += value.dump();
  }
}

std::string jsonText(const ordered_json& value) {
  std::string text;
  writeJson(value, text);
  return text;
}

std::string readText(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The template text that a JSON file holds under "chat_template"; empty when it has none.
std::string templateInJson(const std::filesystem::path& file) {
  const auto json = ordered_json::parse(readText(file), nullptr, false);
  if (!json.is_object()) throw Error("The chat template cannot be read", file.string(), "the file is not valid JSON");
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {  // several, by name
    for (const auto& entry : *found) {
      if (entry.is_object() && entry.value("name", "") == "default") return entry.value("template", "");
    }
  }
  throw Error("The chat template cannot be read", file.string(),
              "«chat_template» is not a text, and has no entry named default");
}

/// Throws when the template is not the one that render() speaks.
void check(const std::string& text, const std::string& file) {
  if (text == kPlainTemplate) return;
  std::istringstream lines(text);
  std::string line;
  std::vector<std::string> all;
  while (std::getline(lines, line)) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    all.push_back(line);
  }
  while (!all.empty() && all.back().empty()) all.pop_back();
  for (std::size_t i = 0; i < std::max(all.size(), kKnownLines.size()); ++i) {
    const std::string have = i < all.size() ? digest(all[i].data(), all[i].size()).substr(0, 8) : "";
    if (i < kKnownLines.size() && have == kKnownLines[i]) continue;
    throw Error("This chat template is not supported", file,
                i < all.size() ? "it differs from the Qwen3-VL template at line " + std::to_string(i + 1) + ": " +
                                     all[i].substr(0, 120)
                               : "it ends after line " + std::to_string(all.size()) + "; the Qwen3-VL template has " +
                                     std::to_string(kKnownLines.size()) + " lines",
                "Use a Qwen3-VL Instruct model folder, or put its chat_template.json beside the weights.");
  }
}

ChatPart parsePart(const ordered_json& item) {
  if (!item.is_object())
    throw Error("The messages cannot be read", "content", "an entry is not an object: " + item.dump());
  ChatPart part;
  const std::string type = item.value("type", "");
  if (type == "image" || item.contains("image") || item.contains("image_url")) {
    part.kind = ChatPart::Kind::Image;
  } else if (type == "video" || item.contains("video")) {
    part.kind = ChatPart::Kind::Video;
  }
  part.text = item.value("text", "");
  return part;
}

ToolCall parseToolCall(const ordered_json& item) {
  const ordered_json& call = item.contains("function") ? item.at("function") : item;
  const ordered_json& arguments = call.at("arguments");
  return {call.at("name").get<std::string>(),
          arguments.is_string() ? arguments.get<std::string>() : jsonText(arguments)};
}

/// Renders turns; counts images and videos over the whole conversation.
class Renderer {
 public:
  explicit Renderer(bool addVisionId) : m_addVisionId(addVisionId) {}

  std::string text;

  void plain(const ChatTurn& turn) {
    for (const auto& part : turn.parts) text += part.text;
  }
  void withVisuals(const ChatTurn& turn) {
    for (const auto& part : turn.parts) {
      switch (part.kind) {
        case ChatPart::Kind::Text:
          text += part.text;
          break;
        case ChatPart::Kind::Image:
          ++m_images;
          if (m_addVisionId) text += "Picture " + std::to_string(m_images) + ": ";
          text += "<|vision_start|><|image_pad|><|vision_end|>";
          break;
        case ChatPart::Kind::Video:
          ++m_videos;
          if (m_addVisionId) text += "Video " + std::to_string(m_videos) + ": ";
          text += "<|vision_start|><|video_pad|><|vision_end|>";
          break;
      }
    }
  }
  void toolCalls(const ChatTurn& turn) {
    bool first = true;
    for (const auto& call : turn.toolCalls) {
      if (!first || !turn.parts.empty()) text += '\n';
      text += "<tool_call>\n{\"name\": \"" + call.name + "\", \"arguments\": " + call.arguments + "}\n</tool_call>";
      first = false;
    }
  }

 private:
  bool m_addVisionId;
  int m_images = 0, m_videos = 0;
};

}  // namespace

std::string_view plainChatTemplate() {
  return kPlainTemplate;
}

ChatTemplate ChatTemplate::load(const std::string& folder) {
  const std::filesystem::path base(folder);
  if (std::filesystem::exists(base / "chat_template.jinja")) {
    check(readText(base / "chat_template.jinja"), (base / "chat_template.jinja").string());
    return {};
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    if (!std::filesystem::exists(base / name)) continue;
    if (const auto text = templateInJson(base / name); !text.empty()) {
      check(text, (base / name).string());
      return {};
    }
  }
  return {};
}

std::string ChatTemplate::render(const std::vector<ChatTurn>& turns, bool addGenerationPrompt, bool addVisionId,
                                 const std::vector<std::string>& tools) const {
  if (turns.empty()) throw Error("There is nothing to render", "messages", "the conversation has no turn");
  Renderer out(addVisionId);
  const bool hasSystem = turns.front().role == "system";
  if (!tools.empty()) {
    out.text += "<|im_start|>system\n";
    if (hasSystem) {
      out.plain(turns.front());
      out.text += "\n\n";
    }
    out.text +=
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>";
    for (const auto& tool : tools) out.text += "\n" + tool;
    out.text +=
        "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> "
        "XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
        "<args-json-object>}\n</tool_call><|im_end|>\n";
  } else if (hasSystem) {
    out.text += "<|im_start|>system\n";
    out.plain(turns.front());
    out.text += "<|im_end|>\n";
  }
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const ChatTurn& turn = turns[i];
    if (turn.role == "user") {
      out.text += "<|im_start|>user\n";
      out.withVisuals(turn);
      out.text += "<|im_end|>\n";
    } else if (turn.role == "assistant") {
      out.text += "<|im_start|>assistant\n";
      out.plain(turn);
      out.toolCalls(turn);
      out.text += "<|im_end|>\n";
    } else if (turn.role == "tool") {  // responses that follow each other share one user turn
      if (i == 0 || turns[i - 1].role != "tool") out.text += "<|im_start|>user";
      out.text += "\n<tool_response>\n";
      out.withVisuals(turn);
      out.text += "\n</tool_response>";
      if (i + 1 == turns.size() || turns[i + 1].role != "tool") out.text += "<|im_end|>\n";
    }
  }
  if (addGenerationPrompt) out.text += "<|im_start|>assistant\n";
  return out.text;
}

std::vector<ChatTurn> parseMessages(const std::string& json) {
  const auto messages = ordered_json::parse(json, nullptr, false);
  if (!messages.is_array()) throw Error("The messages cannot be read", "messages", "they are not a JSON array");
  std::vector<ChatTurn> turns;
  try {
    for (const auto& message : messages) {
      ChatTurn turn{message.at("role").get<std::string>(), {}, {}};
      const auto content = message.find("content");
      if (content != message.end() && content->is_array()) {
        for (const auto& item : *content) turn.parts.push_back(parsePart(item));
      } else if (content != message.end() && !content->is_null()) {
        if (auto text = content->get<std::string>(); !text.empty())
          turn.parts.push_back({ChatPart::Kind::Text, std::move(text)});
      }
      if (const auto calls = message.find("tool_calls"); calls != message.end() && calls->is_array()) {
        for (const auto& call : *calls) turn.toolCalls.push_back(parseToolCall(call));
      }
      turns.push_back(std::move(turn));
    }
  } catch (const ordered_json::exception& e) {
    throw Error("The messages cannot be read", "message " + std::to_string(turns.size() + 1), e.what(),
                "Write [{\"role\": \"user\", \"content\": \"...\"}], content being a text or a list of parts.");
  }
  return turns;
}

std::vector<std::string> parseTools(const std::string& json) {
  const auto tools = ordered_json::parse(json, nullptr, false);
  if (!tools.is_array()) throw Error("The tools cannot be read", "tools", "they are not a JSON array");
  std::vector<std::string> result;
  for (const auto& tool : tools) result.push_back(jsonText(tool));
  return result;
}

}  // namespace cuescope
