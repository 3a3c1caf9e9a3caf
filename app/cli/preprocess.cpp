// preprocess: image and video files to the patches that a model reads.
#include "app/cli/command.h"

namespace cuescope::cli {

void addPreprocess(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("preprocess", "Image or video files to pixel_values and image_grid_thw (or the video's) in a safetensors file");
  auto model = std::make_shared<std::string>(), output = std::make_shared<std::string>();
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("--model", *model, "Folder of the model")->required();
  command->add_option("files", *files, "Images or videos, in order")->required();
  command->add_option("--output", *output, "The safetensors file to write")->required();
  addJson(*command, context);
  command->callback([&context, model, files, output] {
    context.run = [&context, model, files, output] {
      context.engine().preprocess(*model, *files, *output);
      if (context.json) printJson({{"output", *output}});
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
