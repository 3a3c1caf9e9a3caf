#include "engine/inspect/inspector.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "engine/core/digest.h"
#include "engine/core/evidence.h"
#include "engine/inspect/attention_maps.h"
#include "engine/inspect/capture_plan.h"
#include "engine/inspect/site_capture.h"
#include "engine/data/patches.h"
#include "engine/inspect/token_gap.h"
#include "engine/media/decode.h"
#include "engine/model/generate.h"
#include "engine/model/layers.h"

namespace cuescope {

namespace {

constexpr std::int64_t kMerge = 2;  // patches of a merged token along each side, in every Qwen3-VL

bool isVideo(const std::string& file) {
  std::string ending = std::filesystem::path(file).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  static constexpr std::array<const char*, 7> kEndings = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg"};
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

Picture toPicture(DecodedImage image, std::string label) { return {std::move(label), image.width, image.height, std::move(image.rgb)}; }

std::string fileName(const std::string& path) { return std::filesystem::path(path).filename().string(); }

/// Views over the processed pixels: one for an image, one for each pair of frames of a video.
void addViews(std::vector<ImageView>& views, const VisualInput& visual, const std::string& label, int source, int& firstVisual) {
  for (std::int64_t slice = 0; slice < visual.grid.t; ++slice) {
    ImageView view;
    const auto frame = std::min<std::size_t>(static_cast<std::size_t>(visual.grid.video ? 2 * slice : slice), visual.processed.size() - 1);
    const Picture& picture = visual.processed.at(frame);
    view.label = label;
    if (visual.grid.video) {
      char when[32] = "";
      if (static_cast<std::size_t>(slice) < visual.timestamps.size()) std::snprintf(when, sizeof when, ", %.1f s", visual.timestamps[static_cast<std::size_t>(slice)]);
      // A pair of frames is one view: the number in the file where it is known, and the pair's mean time.
      const int number = frame < visual.frameIndices.size() ? visual.frameIndices[frame] : static_cast<int>(frame);
      view.label += " frame " + std::to_string(number + 1) + when;
      view.slice = static_cast<int>(slice);
      if (static_cast<std::size_t>(slice) < visual.timestamps.size()) view.seconds = visual.timestamps[static_cast<std::size_t>(slice)];
    }
    view.width = picture.width;
    view.height = picture.height;
    view.rgb = picture.rgb;
    view.gridRows = static_cast<int>(visual.grid.h / kMerge);
    view.gridCols = static_cast<int>(visual.grid.w / kMerge);
    view.firstVisual = firstVisual;
    view.originalWidth = visual.originalWidth;
    view.originalHeight = visual.originalHeight;
    view.source = source;
    firstVisual += view.gridRows * view.gridCols;
    views.push_back(std::move(view));
  }
}

/// Weights are stored narrower than computed with.
bool widens(const Qwen3VL& model) { return model.headWeight().scalar_type() != computeType(model.headWeight()); }

struct Steps {
  const EventSink& sink;
  std::stop_token stop;
  double total = 0, done = 0;

  void next(const std::string& what) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink) sink(Progress{what, done, total, -1});
    done += 1;
  }
};

void addTeacher(std::vector<ConditionStates>& conditions, Inspection& look, const InspectModels& models, const InspectRequest& request,
                const std::vector<std::int64_t>& response, Steps& steps) {
  const Qwen3VL& teacher = *models.teacher;
  look.hasTeacher = true;
  look.teacher = teacher.info();
  steps.next("Teacher reads the response with the cue");
  LookedAt privileged = lookAt(*models.teacherProcessor, request, request.cue);
  look.teacherPrompt = privileged.prompt.rendered;
  if (response.empty()) return;
  const at::Tensor withCue = predictingStates(teacher, privileged.prompt.row, response, steps.stop);
  conditions.push_back({Condition::TeacherCue, &teacher, withCue});
  steps.next("Teacher reads the response without the cue");
  const at::Tensor plain = request.cue.empty() ? withCue : predictingStates(teacher, lookAt(*models.teacherProcessor, request, {}).prompt.row, response, steps.stop);
  conditions.push_back({Condition::TeacherPlain, &teacher, plain});
  if (privileged.prompt.row.pixelValues.defined()) {
    steps.next("Teacher reads the response with the image erased");
    RowInput erased = privileged.prompt.row;
    erased.pixelValues = erasedPictures(erased.pixelValues, erased.grids);
    conditions.push_back({Condition::TeacherErased, &teacher, predictingStates(teacher, erased, response, steps.stop)});
  }
}

}  // namespace

RowInput withResponse(const RowInput& prompt, const std::vector<std::int64_t>& response) {
  RowInput row = prompt;
  row.ids.insert(row.ids.end(), response.begin(), response.end());
  return row;
}

std::vector<std::int64_t> givenResponse(const InspectRequest& request, const Tokenizer& tokenizer) {
  if (!request.responseIds.empty() || request.response.empty()) return request.responseIds;
  return tokenizer.encode(request.response);
}

std::vector<Token> responseTokens(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids) {
  std::vector<Token> tokens;
  for (const std::int64_t id : ids) tokens.push_back({id, tokenizer.bytes(id), tokenizer.isSpecial(id), -1});
  return tokens;
}

at::Tensor predictingStates(const Qwen3VL& model, const RowInput& prompt, const std::vector<std::int64_t>& response, const std::stop_token& stop,
                            const Intervention* intervention) {
  StopProbe stops(stop);
  ForwardOptions options;
  options.probe = &stops;
  options.intervention = intervention;
  const at::Tensor states = model.forward(packRows(model.config(), {withResponse(prompt, response)}), options);
  const auto count = static_cast<std::int64_t>(response.size());
  return states.narrow(0, states.size(0) - count - 1, count);
}

VisualInput readVisual(const Processor& processor, const std::string& file, const std::string& label) {
  return isVideo(file) ? processor.video(file) : processor.image(toPicture(readImage(file), label));
}

namespace {

VideoOptions videoOptions(const InspectRequest& request) {
  VideoOptions options;
  options.fps = request.videoFps;
  options.frames = request.videoFrames;
  return options;
}

}  // namespace

LookedAt lookAt(const Processor& processor, const InspectRequest& request, const std::string& privilege) {
  LookedAt result;
  std::vector<VisualInput> visuals;
  std::vector<std::string> labels;
  std::string marks;
  const auto addBytes = [&](const std::vector<std::uint8_t>& bytes, const std::string& label) {
    labels.push_back(label.empty() ? "pasted image" : label);
    visuals.push_back(processor.image(toPicture(decodeImage(bytes.data(), bytes.size(), labels.back()), labels.back())));
    marks += "<image>";
  };
  if (!request.imageBytes.empty()) addBytes(request.imageBytes, request.imageLabel);
  for (const PictureBytes& picture : request.moreImages) addBytes(picture.bytes, picture.label);
  for (const std::string& file : request.images) {
    labels.push_back(request.images.size() == 1 && visuals.empty() && !request.imageLabel.empty() ? request.imageLabel : fileName(file));
    visuals.push_back(isVideo(file) ? processor.video(file, videoOptions(request)) : readVisual(processor, file, labels.back()));
    marks += visuals.back().grid.video ? "<video>" : "<image>";
  }
  const bool marked = request.question.find("<image>") != std::string::npos || request.question.find("<video>") != std::string::npos;
  result.prompt = processor.prompt({{"user", marked ? request.question : marks + request.question}}, visuals, privilege);
  int firstVisual = 0;
  for (std::size_t i = 0; i < visuals.size(); ++i) addViews(result.views, visuals[i], labels[i], static_cast<int>(i), firstVisual);
  return result;
}

namespace {

/// The plan of a response that is given, or of the longest one that may come.
CapturePlan planBefore(const Qwen3VL& student, const InspectRequest& request, const RowInput& prompt, const std::vector<std::int64_t>& given) {
  const auto longest = static_cast<std::int64_t>(given.empty() ? static_cast<std::size_t>(std::max(0, request.sampling.maxNew)) : given.size());
  return planCapture(student.config(), request, prompt, longest, !given.empty(), widens(student));
}

}  // namespace

InspectCost inspectCost(const InspectModels& models, const InspectRequest& request) {
  const LookedAt seen = lookAt(*models.studentProcessor, request, {});
  return planBefore(*models.student, request, seen.prompt.row, givenResponse(request, models.studentProcessor->tokenizer())).cost;
}

InspectionPtr inspect(const InspectModels& models, const InspectRequest& request, const EventSink& sink, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const auto start = std::chrono::steady_clock::now();
  const Qwen3VL& student = *models.student;
  const Tokenizer& tokenizer = models.studentProcessor->tokenizer();
  auto look = std::make_shared<Inspection>();
  look->id = request.id;
  look->step = models.step;
  look->student = student.info();
  look->question = request.question;
  look->cue = request.cue;
  look->sampleId = request.sampleId;
  look->evidence = request.evidence;

  Steps steps{sink, stop, models.teacher ? 7.0 : 4.0};
  steps.next("Image to patches");
  LookedAt seen = lookAt(*models.studentProcessor, request, {});
  look->images = std::move(seen.views);
  look->studentPrompt = seen.prompt.rendered;
  const RowInput& prompt = seen.prompt.row;
  if (prompt.pixelValues.defined()) {
    const at::Tensor pixels = prompt.pixelValues.to(at::kCPU).contiguous();
    look->studentImageDigest = digest(pixels.const_data_ptr(), pixels.nbytes());
  }

  std::vector<std::int64_t> response = givenResponse(request, tokenizer);
  const CapturePlan stated = planBefore(student, request, prompt, response);
  checkBudget(stated);
  look->statedBytes = stated.cost.bytes;
  steps.total += stated.occlusionPasses + (stated.gradient.wanted() ? 1 : 0) + (stated.occlusion.wanted() ? 1 : 0);

  steps.next("Student answers");
  look->finish = "given";
  const bool given = !response.empty();
  if (response.empty()) {
    const OnToken onToken = [&](std::int64_t, std::int64_t id, float logProb) {
      if (sink) sink(TokenArrived{request.id, {id, tokenizer.bytes(id), tokenizer.isSpecial(id), -1}, logProb});
    };
    const auto generated = generate(student, {prompt}, request.sampling, visionBans(student.config()), stop, onToken).at(0);
    response = generated.ids;
    look->finish = generated.stopped ? "stop" : "length";
  }
  look->response = responseTokens(tokenizer, response);
  look->answer = tokenizer.decode(response, true);

  steps.next("Student's attention");
  // A given response was planned before; of one that was decoded, the length is known only now.
  const CapturePlan plan = given ? stated : planCapture(student.config(), request, prompt, static_cast<std::int64_t>(response.size()), false, widens(student));
  const RowInput whole = withResponse(prompt, response);
  CaptureOrder order{&student, &tokenizer, &whole, &plan, nullptr, request.occlusionChange, {}, {}};
  order.next = [&](const std::string& what) { steps.next(what); };
  int reported = 0;
  order.part = [&](const std::string& what, int done, int all) {
    steps.done += done - reported;
    reported = done;
    if (done < all && sink) sink(Progress{what, steps.done, steps.total, -1});
  };
  SiteCapture sites = captureSites(order, stop);
  for (int i = 0; i < kSites; ++i) look->stack(static_cast<Site>(i)) = std::move(sites.stack(static_cast<Site>(i)));
  look->promptAttention = std::move(sites.prompt);
  look->logitLens = std::move(sites.lens);
  look->occlusionInfo = std::move(sites.occlusionInfo);
  look->evidenceScores = evidenceScores(*look);

  std::vector<ConditionStates> conditions;
  if (!response.empty()) conditions.push_back({Condition::Student, &student, sites.states});
  if (models.teacher) addTeacher(conditions, *look, models, request, response, steps);
  steps.next("Distributions");
  look->distributions = tokenDistributions(conditions, response, request.topTokens, tokenizer, stop);
  look->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return look;
}

}  // namespace cuescope
