// demo: makes the built-in demo's data, trains its models with this engine, from a seed, and repeats the study of its settings.
#include <cstdio>

#include "app/cli/command.h"

namespace cuescope::cli {

void addDemo(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("demo", "Makes the built-in demo again: data, models and the study");
  command->require_subcommand(1);
  auto request = std::make_shared<DemoTrainRequest>();
  request->outputFolder = "demo";

  CLI::App* make = command->add_subcommand("make", "Draws the scenes and writes the data sets");
  make->add_option("--output", request->outputFolder, "Folder of the demo")->capture_default_str();
  make->add_option("--seed", request->seed, "Random seed")->capture_default_str();
  addJson(*make, context);
  make->callback([&context, request] {
    context.run = [&context, request] {
      context.engine().makeDemoData(request->outputFolder, request->seed, context.progress(), context.stop);
      clearProgress();
      if (context.json) printJson({{"output", request->outputFolder}});
      else std::printf("%s\n", request->outputFolder.c_str());
      return kOk;
    };
  });

  CLI::App* train = command->add_subcommand("train", "Trains the demo's models (minutes)");
  train->add_option("--output", request->outputFolder, "Folder of the demo")->capture_default_str();
  train->add_option("--seed", request->seed, "Random seed")->capture_default_str();
  train->add_option("--only", request->only, "weak, middle, strong, teacher")->delimiter(',')->allow_extra_args(false)->check(CLI::IsMember({"weak", "middle", "strong", "teacher"}));
  train->add_option("--effort", request->effort, "Share of the recipe's steps; below 1 the models are there sooner and know less")->check(CLI::Range(0.001, 1.0))->capture_default_str();
  addJson(*train, context);
  train->callback([&context, request] {
    context.run = [&context, request] {
      context.engine().trainDemo(*request, context.progress(), context.stop);
      clearProgress();
      if (context.json) printJson({{"output", request->outputFolder}});
      else std::printf("%s\n", request->outputFolder.c_str());
      return kOk;
    };
  });

  CLI::App* study = command->add_subcommand("study", "Trains every setting with equal budgets and several seeds, and reports with intervals (about an hour); goes on where it stopped");
  auto asked = std::make_shared<DemoStudyRequest>();
  asked->outputFolder = "study";
  study->add_option("--output", asked->outputFolder, "Folder of the study; trainings that are there are not made again")->capture_default_str();
  study->add_option("--seeds", asked->seeds, "Trainings of every setting")->check(CLI::Range(1, 100))->capture_default_str();
  study->add_option("--budget,--steps", asked->steps, "Updates of every training, of 32 responses each")->check(CLI::Range(2, 100000))->capture_default_str();
  study->add_option("--only", asked->only, "Settings, or groups: main, components, teacher, layout, objectives")->delimiter(',')->allow_extra_args(false);
  study->add_option("--max-samples", asked->maxSamples, "Held-out rows of each split; 0: all")->check(notNegative())->capture_default_str();
  study->add_flag("--report-only", asked->reportOnly, "Train nothing: write the report of what is there");
  auto resume = std::make_shared<bool>(false);
  study->add_flag("--resume", *resume, "Go on in the folder (what happens without it as well)");
  addJson(*study, context);
  study->callback([&context, asked, resume] {
    context.run = [&context, asked] {
      context.engine().demoStudy(*asked, context.progress(), context.stop);
      clearProgress();
      if (context.json) printJson({{"output", asked->outputFolder + "/study.md"}});
      else std::printf("%s/study.md\n", asked->outputFolder.c_str());
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
