// demo: makes the built-in demo's data, and trains its models with this engine, from a seed.
#include <cstdio>

#include "app/cli/command.h"

namespace cuescope::cli {

void addDemo(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("demo", "Makes the built-in demo again: data and models");
  command->require_subcommand(1);
  auto request = std::make_shared<DemoTrainRequest>();
  request->outputFolder = "demo";

  CLI::App* make = command->add_subcommand("make", "Draws the scenes and writes the data sets");
  make->add_option("--output", request->outputFolder, "Folder of the demo")->capture_default_str();
  make->add_option("--seed", request->seed, "Random seed")->capture_default_str();
  make->callback([&context, request] {
    context.run = [&context, request] {
      context.engine().makeDemoData(request->outputFolder, request->seed, context.progress(), context.stop);
      clearProgress();
      std::printf("%s\n", request->outputFolder.c_str());
      return kOk;
    };
  });

  CLI::App* train = command->add_subcommand("train", "Trains the demo's models (minutes)");
  train->add_option("--output", request->outputFolder, "Folder of the demo")->capture_default_str();
  train->add_option("--seed", request->seed, "Random seed")->capture_default_str();
  train->add_option("--only", request->only, "weak, middle, strong, teacher")->delimiter(',')->allow_extra_args(false)->check(CLI::IsMember({"weak", "middle", "strong", "teacher"}));
  train->callback([&context, request] {
    context.run = [&context, request] {
      context.engine().trainDemo(*request, context.progress(), context.stop);
      clearProgress();
      std::printf("%s\n", request->outputFolder.c_str());
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
