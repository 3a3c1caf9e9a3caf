// generate: a question about images or a video to an answer.
#include <unistd.h>

#include <iostream>

#include "app/cli/command.h"

namespace cuescope::cli {

namespace {

int generate(Context& context, GenerateRequest request) {
  const bool live = !context.json && isatty(STDOUT_FILENO);
  const EventSink progress = context.progress();
  bool streamed = false;
  const EventSink sink = [&](const Event& event) {
    if (const auto* arrived = std::get_if<TokenArrived>(&event); arrived && live) {
      clearProgress();
      if (!arrived->token.special) std::cout << arrived->token.text << std::flush;
      streamed = true;
    } else {
      progress(event);
    }
  };
  const auto rows = context.engine().generate(request, sink, context.stop);
  clearProgress();
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& row : rows) list.push_back({{"text", row.text}, {"ids", row.ids}, {"logprobs", row.logProbs}, {"finish", row.finish}});
    printJson({{"rows", list}});
  } else if (streamed && rows.size() == 1) {
    std::cout << std::endl;
  } else {
    for (const auto& row : rows) std::cout << row.text << std::endl;
  }
  return kOk;
}

}  // namespace

void addGenerate(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("generate", "Answers a question about images or a video");
  auto request = std::make_shared<GenerateRequest>();
  command->add_option("--model", request->model, "Folder of the model")->required();
  auto* input = command->add_option("--input", request->inputFile, "Instead of words and files: safetensors with ids and pixels");
  auto* prompt = command->add_option("--prompt", request->prompt, "The question; <image> and <video> mark where they stand (else in front)");
  command->add_option("--image", request->images, "An image file; may be given several times")->excludes(input)->allow_extra_args(false)->transform(demoFile());
  command->add_option("--video", request->video, "A video file")->excludes(input);
  command->add_option("--system", request->system, "System message")->excludes(input);
  prompt->excludes(input);
  const auto sampling = addSampling(*command);
  addJson(*command, context);
  command->callback([&context, request, sampling, input, prompt] {
    if (input->count() == 0 && prompt->count() == 0) throw CLI::RequiredError("--prompt or --input");
    request->sampling = sampling();
    context.run = [&context, request] { return generate(context, *request); };
  });
}

}  // namespace cuescope::cli
