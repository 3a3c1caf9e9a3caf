// tokenize: lines of text to ids and back.
#include <cstdio>
#include <iostream>

#include "app/cli/command.h"

namespace cuescope::cli {

namespace {

int tokenize(Context& context, const std::string& model, bool jsonl, bool decode) {
  Engine& engine = context.engine();
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    if (context.stop.stop_requested()) throw Cancelled();
    const auto bad = [&](const std::string& why) { return Error("A line cannot be read", "standard input, line " + std::to_string(number), why, "See tokenize --help."); };
    if (decode) {
      const auto ids = nlohmann::json::parse(line, nullptr, false);
      if (!ids.is_array() || !std::all_of(ids.begin(), ids.end(), [](const auto& id) { return id.is_number_integer(); })) {
        throw bad("with --decode each line is a JSON array of ids");
      }
      const std::string text = engine.detokenize(model, ids.get<std::vector<std::int64_t>>());
      if (jsonl) printJson(text);
      else std::cout << text << '\n';
      continue;
    }
    if (jsonl) {
      const auto text = nlohmann::json::parse(line, nullptr, false);
      if (!text.is_string()) throw bad("with --jsonl each line is a JSON string");
      line = text.get<std::string>();
    }
    printJson(engine.tokenize(model, line));
  }
  std::cout.flush();
  return kOk;
}

}  // namespace

void addTokenize(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("tokenize", "Standard input to ids: a line of text in, a JSON array out");
  auto model = std::make_shared<std::string>();
  auto jsonl = std::make_shared<bool>(false), decode = std::make_shared<bool>(false);
  command->add_option("--model", *model, "Folder of the model")->required();
  command->add_flag("--jsonl", *jsonl, "Each text is a JSON string (may hold line breaks)");
  command->add_flag("--decode", *decode, "The way back: a JSON array of ids in, text out");
  command->callback([&context, model, jsonl, decode] { context.run = [&context, model, jsonl, decode] { return tokenize(context, *model, *jsonl, *decode); }; });
}

}  // namespace cuescope::cli
