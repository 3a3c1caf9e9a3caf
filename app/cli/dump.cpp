// dump: the numbers of a capture. Needs no engine.
#include <fstream>
#include <iostream>

#include "app/cli/command.h"
#include "engine/core/capture.h"
#include "engine/core/dump.h"
#include "engine/core/run_directory.h"

namespace cuescope::cli {

void addDump(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("dump", "The numbers of a capture as CSV, NPZ or JSON");
  auto file = std::make_shared<std::string>(), format = std::make_shared<std::string>("csv"), output = std::make_shared<std::string>();
  auto layer = std::make_shared<std::string>(), head = std::make_shared<std::string>(), token = std::make_shared<std::string>();
  auto choice = std::make_shared<DumpChoice>();
  command->add_option("capture", *file, "The capture, as inspect or the window wrote it")->required();
  command->add_option("--format", *format, "csv, npz or json")->check(CLI::IsMember({"csv", "npz", "json"}))->capture_default_str();
  command->add_option("--site", choice->site, "What: a site's maps, or a table")->check(CLI::IsMember(dumpSites()));
  command->add_option("--layer", *layer, "A layer's number, mean, max or all");
  command->add_option("--head", *head, "A head's number, mean, max or all");
  command->add_option("--token", *token, "A response token's number (prompt_attention: a prompt position, vision: a visual token), mean, max or all");
  command->add_option("--output", *output, "The file to write; without it, standard output");
  command->callback([&context, file, format, choice, layer, head, token, output] {
    try {
      choice->layer = parseDumpIndex(*layer, "--layer");
      choice->head = parseDumpIndex(*head, "--head");
      choice->token = parseDumpIndex(*token, "--token");
    } catch (const Error& error) {
      throw CLI::ValidationError(error.failure().where, error.failure().what + ": " + error.failure().why);
    }
    context.run = [file, format, choice, output] {
      const Capture capture = readCapture(*file);
      const std::string bytes = *format == "csv" ? dumpCsv(*capture.inspection, *choice) : *format == "json" ? dumpJson(*capture.inspection, *choice) : dumpNpz(*capture.inspection, *choice);
      if (output->empty()) std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
      else writeFileDurably(*output, bytes);
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
