// render: pictures are painted by one painter, the studio's; this hands over to `cuescope render`.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "app/cli/command.h"

namespace cuescope::cli {

void addRender(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("render", "Paints a capture: the same as `cuescope render` (works without a display)");
  command->prefix_command();
  command->callback([&context, command] {
    context.run = [command]() -> int {
      std::error_code error;
      const auto studio = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "cuescope";
      std::vector<std::string> words{studio.string(), "render"};
      for (const auto& word : command->remaining()) words.push_back(word);
      std::vector<char*> arguments;
      for (auto& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      throw Error("The studio, which paints, cannot be started", studio.string(), std::strerror(errno), "Install cuescope beside cuescope-cli, then: cuescope render CAPTURE --format png --output F");
    };
  });
}

}  // namespace cuescope::cli
