// inspect: one look at one image, kept as a capture.
#include <cstdio>
#include <iostream>

#include "app/cli/command.h"
#include "engine/core/capture.h"

namespace cuescope::cli {

namespace {

int inspect(Context& context, const InspectRequest& request, const std::string& output) {
  const InspectionPtr look = context.engine().inspect(request, context.progress(), context.stop);
  clearProgress();
  writeCapture(output, *look, captureInfo(*look, request));
  if (context.json) {
    nlohmann::ordered_json json{{"capture", output}, {"answer", look->answer}, {"finish", look->finish}, {"seconds", look->seconds}};
    json["images"] = nlohmann::ordered_json::array();
    for (const auto& image : look->images) json["images"].push_back({{"label", image.label}, {"grid", {image.gridRows, image.gridCols}}});
    json["tokens"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < look->response.size(); ++i) {
      nlohmann::ordered_json token{{"id", look->response[i].id}, {"text", look->response[i].text}};
      const auto& one = look->distributions[i];
      token["student"] = one.sampled[int(Condition::Student)];
      if (look->hasTeacher) {
        token["teacher_cue"] = one.sampled[int(Condition::TeacherCue)];
        token["teacher_plain"] = one.sampled[int(Condition::TeacherPlain)];
        token["gap"] = one.gap();
      }
      json["tokens"].push_back(std::move(token));
    }
    printJson(json);
  } else {
    std::cout << look->answer << std::endl;
    std::fprintf(stderr, "%zu response tokens, %zu cue recovery layers, %.2f s. Capture: %s\n", look->response.size(), look->cueRecovery.layers.size(), look->seconds, output.c_str());
  }
  return kOk;
}

}  // namespace

void addInspect(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("inspect", "Looks at one image: maps, distributions, gaps, written as a capture");
  auto request = std::make_shared<InspectRequest>();
  auto output = std::make_shared<std::string>();
  auto budgetMb = std::make_shared<double>(256);
  command->add_option("--model", request->student, "Folder of the student")->required();
  command->add_option("--teacher", request->teacher, "Folder of the teacher");
  command->add_option("--image", request->images, "An image or video file; may be given several times")->allow_extra_args(false);
  command->add_option("--prompt", request->question, "The question; <image> marks where the image stands (else in front)")->required();
  command->add_option("--cue", request->cue, "Visual cue, for the teacher only");
  auto* response = command->add_option("--response", request->response, "A given answer: nothing is generated");
  command->add_option("--response-ids", request->responseIds, "The same as ids, separated by commas")->delimiter(',')->allow_extra_args(false)->excludes(response);
  command->add_option("--top", request->topTokens, "Tokens kept of each distribution")->check(CLI::Range(1, 1000))->capture_default_str();
  command->add_option("--attention-budget", *budgetMb, "MiB for self-attention; above it heads are averaged")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--output", *output, "The capture to write")->required();
  const auto sampling = addSampling(*command);
  addJson(*command, context);
  command->callback([&context, request, output, budgetMb, sampling] {
    request->sampling = sampling();
    request->attentionBudgetBytes = static_cast<std::int64_t>(*budgetMb * (1 << 20));
    context.run = [&context, request, output] { return inspect(context, *request, *output); };
  });
}

}  // namespace cuescope::cli
