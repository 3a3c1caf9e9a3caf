// render, report: pages and pictures are painted by one painter, the studio's; these hand over to `cuescope render` and `cuescope report`.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "app/cli/command.h"

namespace cuescope::cli {

namespace {

/// All words behind the verb, --help included, are the studio's to read: nothing of them is an option here.
void addForwarded(CLI::App& app, Context& context, const std::string& verb, const std::string& sentence) {
  CLI::App* command = app.add_subcommand(verb, sentence);
  command->prefix_command();
  command->fallthrough(false);
  command->set_help_flag();
  command->callback([&context, command, verb] {
    context.run = [command, verb]() -> int {
      std::error_code error;
      const auto studio = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "cuescope";
      std::vector<std::string> words{studio.string(), verb};
      for (const auto& word : command->remaining()) words.push_back(word);
      std::vector<char*> arguments;
      for (auto& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      throw Error("The studio, which paints, cannot be started", studio.string(), std::strerror(errno), "Install cuescope beside cuescope-cli, then: cuescope " + verb + " --help.");
    };
  });
}

}  // namespace

void addRender(CLI::App& app, Context& context) {
  addForwarded(app, context, "render", "Paints a capture: the same as `cuescope render` (works without a display)");
  addForwarded(app, context, "report", "Writes a run or a capture as one page: the same as `cuescope report` (works without a display)");
}

}  // namespace cuescope::cli
