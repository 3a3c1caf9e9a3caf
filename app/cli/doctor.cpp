// doctor: what this machine is and what it can run.
#include <algorithm>
#include <cstdio>

#include "app/cli/command.h"

namespace cuescope::cli {

void addDoctor(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("doctor", "Devices, memory, libraries, codecs: what this machine can run");
  addJson(*command, context);
  command->callback([&context] {
    context.run = [&context] {
      const auto lines = context.engine().doctor();
      const bool ok = std::all_of(lines.begin(), lines.end(), [](const DoctorLine& line) { return line.ok; });
      if (context.json) {
        nlohmann::ordered_json list = nlohmann::ordered_json::array();
        for (const auto& line : lines) list.push_back({{"name", line.name}, {"value", line.value}, {"advice", line.advice}, {"ok", line.ok}});
        printJson({{"ok", ok}, {"lines", list}});
      } else {
        for (const auto& line : lines) {
          std::printf("%s %-18s %s\n", line.ok ? "ok  " : "LOOK", line.name.c_str(), line.value.c_str());
          if (!line.advice.empty()) std::printf("     %-18s %s\n", "", line.advice.c_str());
        }
      }
      return ok ? kOk : kFailed;
    };
  });
}

}  // namespace cuescope::cli
