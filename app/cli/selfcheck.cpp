// selfcheck: every kernel against its oracle, and a folder of goldens tensor by tensor.
#include <cstdio>

#include "app/cli/command.h"

namespace cuescope::cli {

void addSelfcheck(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("selfcheck", "Compares every kernel with its oracle, and recorded tensors with this engine's");
  auto goldens = std::make_shared<std::string>();
  command->add_option("--goldens", *goldens, "Folder of recorded reference tensors");
  addJson(*command, context);
  command->callback([&context, goldens] {
    context.run = [&context, goldens] {
      const auto lines = context.engine().selfcheck(context.options.device, *goldens, context.progress());
      clearProgress();
      nlohmann::ordered_json list = nlohmann::ordered_json::array();
      int failed = 0, leftOut = 0;
      for (const auto& line : lines) {
        failed += line.ok ? 0 : 1;
        const bool left = line.note.starts_with("left out");
        leftOut += left ? 1 : 0;
        if (context.json) {
          list.push_back({{"name", line.name}, {"largest_error", line.largestError}, {"tolerance", line.tolerance}, {"ok", line.ok}, {"left_out", left}, {"note", line.note}});
        } else if (left) {
          std::printf("left %-52s %s\n", line.name.c_str(), line.note.c_str());
        } else {
          std::printf("%s %-52s error %.3g  tolerance %.3g  %s\n", line.ok ? "ok  " : "FAIL", line.name.c_str(), line.largestError, line.tolerance, line.note.c_str());
        }
      }
      if (context.json) printJson({{"ok", failed == 0}, {"failed", failed}, {"left_out", leftOut}, {"lines", list}});
      else std::printf("%zu compared, %d failed%s\n", lines.size() - static_cast<std::size_t>(leftOut), failed, leftOut ? "; what this build cannot compute was left out, see above" : "");
      return failed == 0 ? kOk : kFailed;
    };
  });
}

}  // namespace cuescope::cli
