// forward: one pass over given ids and pixels, with what was asked for captured.
#include "app/cli/command.h"

namespace cuescope::cli {

void addForward(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("forward", "One forward pass from tensors to tensors");
  auto request = std::make_shared<ForwardRequest>();
  command->add_option("--model", request->model, "Folder of the model")->required();
  command->add_option("--input", request->inputFile, "safetensors with input_ids, attention_mask and, if any, pixel_values, image_grid_thw, pixel_values_videos, video_grid_thw")->required();
  command->add_option("--output", request->outputFile, "safetensors to write: logits, last_hidden_state, position_ids and what is captured")->required();
  command->add_option("--capture", request->capture, "hidden_states, sink_attention, attention.L, vision")->delimiter(',')->allow_extra_args(false);
  addJson(*command, context);
  command->callback([&context, request] {
    context.run = [&context, request] {
      context.engine().openModel(request->model, context.progress(), context.stop);  // loading is what takes long
      context.engine().forward(*request, context.stop);
      clearProgress();
      if (context.json) printJson({{"output", request->outputFile}});
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
