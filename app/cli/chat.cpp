// chat: messages to the text and ids that the model reads.
#include "app/cli/command.h"

namespace cuescope::cli {

namespace {

int chat(Context& context, const std::string& model, bool generationPrompt) {
  const auto messages = nlohmann::json::parse(readInput(), nullptr, false);
  if (!messages.is_array()) {
    throw Error("The messages cannot be read", "standard input", "it must be a JSON array of {\"role\", \"content\"}", "See chat --help.");
  }
  std::vector<ChatMessage> turns;
  for (const auto& message : messages) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string() || !message.contains("content")) {
      throw Error("A message cannot be read", "standard input, message " + std::to_string(turns.size()), "it needs \"role\" and \"content\"", "See chat --help.");
    }
    turns.push_back({message["role"].get<std::string>(), message["content"].dump()});
  }
  const RenderedPrompt prompt = context.engine().chat(model, turns, generationPrompt);
  std::vector<std::int64_t> ids;
  for (const Token& token : prompt.tokens) ids.push_back(token.id);
  printJson({{"text", prompt.text}, {"ids", ids}});
  return kOk;
}

}  // namespace

void addChat(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("chat", "Messages on standard input to {\"text\", \"ids\"}, by the model's chat template");
  auto model = std::make_shared<std::string>();
  auto without = std::make_shared<bool>(false);
  command->add_option("--model", *model, "Folder of the model")->required();
  command->add_flag("--no-generation-prompt", *without, "Leave out the start of the assistant's turn");
  addJson(*command, context);  // the output always is JSON; accepted for symmetry
  command->callback([&context, model, without] { context.run = [&context, model, without] { return chat(context, *model, !*without); }; });
}

}  // namespace cuescope::cli
