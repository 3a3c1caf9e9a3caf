// inspect: one look at one image, kept as a capture.
#include <cstdio>
#include <iostream>
#include <map>
#include <set>

#include "app/cli/command.h"
#include "engine/core/capture.h"

namespace cuescope::cli {

namespace {

int inspect(Context& context, const InspectRequest& request, const std::string& output) {
  const InspectionPtr look = context.engine().inspect(request, context.progress(), context.stop);
  clearProgress();
  writeCapture(output, *look, captureInfo(*look, request));
  if (context.json) {
    nlohmann::ordered_json json{{"capture", output}, {"bytes", look->siteBytes()}, {"stated_bytes", look->statedBytes}, {"answer", look->answer}, {"finish", look->finish}, {"seconds", look->seconds}};
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
    std::fprintf(stderr, "%zu response tokens, %zu cue recovery layers, %.2f MiB of maps, %.2f s. Capture: %s\n", look->response.size(), look->cueRecovery.layers.size(),
                 static_cast<double>(look->siteBytes()) / (1 << 20), look->seconds, output.c_str());
  }
  return kOk;
}

/// What it will take, before it runs; with --cost nothing else happens.
int cost(Context& context, const InspectRequest& request) {
  const InspectCost cost = context.engine().inspectCost(request, context.progress());
  clearProgress();
  if (context.json) {
    nlohmann::ordered_json json{{"bytes", cost.bytes}, {"peak_bytes", cost.peakBytes}, {"budget_bytes", cost.budgetBytes}, {"fits", cost.fits}, {"tokens", cost.tokens}, {"visual_tokens", cost.visualTokens}};
    json["sites"] = nlohmann::ordered_json::array();
    for (const SiteCost& site : cost.sites) {
      json["sites"].push_back({{"site", siteName(site.site)}, {"bytes", site.bytes}, {"work_bytes", site.workBytes}, {"passes", site.passes}, {"queries", site.queries},
                               {"layers", site.layers}, {"heads", site.heads}, {"keys", site.keys}, {"note", site.note}});
    }
    printJson(json);
    return kOk;
  }
  const auto megabytes = [](std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  for (const SiteCost& site : cost.sites) {
    std::printf("%-20s %10.2f MiB  %d queries, %d layers, %d heads, %d visual tokens%s%s\n", siteName(site.site), megabytes(site.bytes), site.queries, site.layers, site.heads, site.keys,
                site.note.empty() ? "" : "; ", site.note.c_str());
  }
  std::printf("%-20s %10.2f MiB kept, %.2f MiB at most while it runs, besides the models; budget %.2f MiB%s\n", "together", megabytes(cost.bytes), megabytes(cost.peakBytes), megabytes(cost.budgetBytes),
              cost.fits ? "" : ": it does not fit");
  return kOk;
}

}  // namespace

void addInspectOptions(CLI::App& command, InspectRequest& request) {
  command.add_option("--model", request.student, "Folder of the student")->required();
  command.add_option("--teacher", request.teacher, "Folder of the teacher");
  command.add_option("--image", request.images, "An image or video file; may be given several times")->allow_extra_args(false)->transform(demoFile());
  command.add_option("--fps", request.videoFps, "Frames a second that are read of a video; 0: as the model's folder says")->check(notNegative());
  command.add_option("--frames", request.videoFrames, "Or that many frames, evenly spread")->check(notNegative());
  command.add_option("--prompt", request.question, "The question; <image> marks where the image stands (else in front)")->required();
  command.add_option("--cue", request.cue, "Visual cue, for the teacher only");
  auto* response = command.add_option("--response", request.response, "A given answer: nothing is generated");
  command.add_option("--response-ids", request.responseIds, "The same as ids, separated by commas")->delimiter(',')->allow_extra_args(false)->excludes(response);
  command.add_option("--top", request.topTokens, "Tokens kept of each distribution")->check(CLI::Range(1, 1000))->capture_default_str();
}

void addInspect(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("inspect", "Looks at one image: maps, distributions, gaps, written as a capture");
  auto request = std::make_shared<InspectRequest>();
  auto output = std::make_shared<std::string>();
  auto budgetMb = std::make_shared<double>(256);
  addInspectOptions(*command, *request);
  auto sites = std::make_shared<std::vector<std::string>>();
  auto budgetTotalMb = std::make_shared<double>(2048);
  auto costOnly = std::make_shared<bool>(false);
  std::set<std::string> names{"all"};
  for (int i = 0; i < kSites; ++i) names.insert(siteName(static_cast<Site>(i)));
  const auto list = [&](const char* name, auto& values, const char* help) { return command->add_option(name, values, help)->delimiter(',')->allow_extra_args(false); };
  list("--sites", *sites, "What to capture, separated by commas; all: every site. Without it cue_recovery and self_attention")->check(CLI::IsMember(names));
  list("--layers", request->layers, "Decoder layers, separated by commas; without it all");
  list("--vision-layers", request->visionLayers, "Blocks of the vision tower; without it all");
  list("--queries", request->responseTokens, "Response tokens that are looked at; without it all");
  list("--prompt-queries", request->promptTokens, "Prompt positions that are looked at too");
  list("--vision-queries", request->visionQueries, "Visual tokens whose vision attention is kept, besides the mean");
  command->add_option("--lens-top", request->lensTop, "Tokens kept at each place of the logit lens")->check(CLI::Range(1, 1000))->capture_default_str();
  command->add_flag("--lens-map", request->lensMap, "Also read the response tokens from every visual token");
  const std::map<std::string, Change> changes{{"erase", Change::Erase}, {"blur", Change::Blur}, {"average", Change::Average}};
  addChoice(*command, "--occlusion-change", request->occlusionChange, changes, "What is done to an occluded cell; without it erase");
  command->add_option("--occlusion-cell", request->occlusionCell, "Side of an occluded cell, visual tokens; 0: as small as --occlusion-passes allows")->check(notNegative());
  command->add_option("--occlusion-passes", request->occlusionPasses, "Forward passes at most")->check(aboveZero())->capture_default_str();
  command->add_option("--budget", *budgetTotalMb, "MiB for all sites; more is refused before it runs")->check(notNegative())->capture_default_str();
  command->add_flag("--cost", *costOnly, "Only say what it would take");
  command->add_option("--attention-budget", *budgetMb, "MiB for self-attention; above it heads are averaged")->check(notNegative())->capture_default_str();
  command->add_option("--output", *output, "The capture to write");
  const auto sampling = addSampling(*command);
  addJson(*command, context);
  command->callback([&context, request, output, budgetMb, sampling, sites, budgetTotalMb, costOnly] {
    if (!*costOnly && output->empty()) throw CLI::RequiredError("--output");
    if (!sites->empty()) request->sites.clear();
    for (const std::string& name : *sites) {
      if (name != "all") request->sites.insert(siteNamed(name));
      for (int i = 0; name == "all" && i < kSites; ++i) request->sites.insert(static_cast<Site>(i));
    }
    request->budgetBytes = static_cast<std::int64_t>(*budgetTotalMb * (1 << 20));
    request->sampling = sampling();
    request->attentionBudgetBytes = static_cast<std::int64_t>(*budgetMb * (1 << 20));
    context.run = [&context, request, output, costOnly] { return *costOnly ? cost(context, *request) : inspect(context, *request, *output); };
  });
}

}  // namespace cuescope::cli
