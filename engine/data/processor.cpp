#include "engine/data/processor.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <list>
#include <string_view>
#include <unordered_map>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/data/processor_settings.h"
#include "engine/data/resize.h"
#include "engine/media/decode.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

namespace {

constexpr const char* kImageTriple = "<|vision_start|><|image_pad|><|vision_end|>";
constexpr const char* kVideoTriple = "<|vision_start|><|video_pad|><|vision_end|>";
constexpr const char* kTurnEnd = "<|im_end|>\n";
constexpr double kUnknownFps = 24;             // the reference's guess for a file that states no rate
constexpr std::size_t kCacheBytes = Processor::kKeptPictureBytes;

at::Tensor viewOf(int width, int height, std::vector<std::uint8_t>& rgb) {
  return at::from_blob(rgb.data(), {height, width, 3}, at::kByte);
}

Picture pictureOf(const at::Tensor& rgb, std::string label) {
  const auto* data = rgb.data_ptr<std::uint8_t>();
  return {std::move(label), static_cast<int>(rgb.size(1)), static_cast<int>(rgb.size(0)), {data, data + rgb.numel()}};
}

/// Read only.
at::Tensor sourceOf(const Picture& picture) {
  return at::from_blob(const_cast<std::uint8_t*>(picture.rgb.data()), {picture.height, picture.width, 3}, at::kByte);
}

void checkPixels(const Picture& picture) {
  if (picture.width > 0 && picture.height > 0 &&
      picture.rgb.size() == static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3) {
    return;
  }
  throw Error("The picture has no pixels", picture.label);
}

Grid gridOf(std::int64_t frames, const at::Tensor& frame, const PatchRule& rule, bool video) {
  return {(frames + rule.temporal - 1) / rule.temporal, frame.size(0) / rule.patch, frame.size(1) / rule.patch, video};
}

/// Words that stand for visuals must come from marks only: as plain text they would be counted as images.
void refuseVisionWords(const std::string& text) {
  for (const char* word : {"<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"}) {
    if (text.find(word) == std::string::npos) continue;
    throw Error("The text cannot be used", "prompt",
                std::string("it contains ") + word + ", which stands for an image",
                "Remove it; <image> and <video> mark the places of images and videos.");
  }
}

/// Cuts a turn's text at its marks.
ChatTurn splitAtMarks(const Turn& turn) {
  refuseVisionWords(turn.text);
  ChatTurn result{turn.role, {}, {}};
  std::string_view rest = turn.text;
  while (!rest.empty()) {
    const auto image = rest.find("<image>"), video = rest.find("<video>");
    const auto mark = std::min(image, video);
    if (mark != 0) result.parts.push_back({ChatPart::Kind::Text, std::string(rest.substr(0, mark))});
    if (mark == std::string_view::npos) break;
    if (turn.role != "user") {
      throw Error("An image cannot be put there", "prompt, " + turn.role + " turn",
                  "only user turns can hold <image> and <video>", "Move the mark into a user turn.");
    }
    result.parts.push_back({image < video ? ChatPart::Kind::Image : ChatPart::Kind::Video, {}});
    rest.remove_prefix(mark + 7);  // both marks have seven characters
  }
  return result;
}

/// What the template would leave out without a word.
void checkRoles(const std::vector<Turn>& turns) {
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const auto& role = turns[i].role;
    if (role == "user" || role == "assistant" || role == "tool" || (role == "system" && i == 0)) continue;
    throw Error("The conversation cannot be used", "prompt, turn " + std::to_string(i + 1),
                role == "system" ? "only the first turn can be a system turn" : "its role is «" + role + "»",
                "Use the roles system (first turn only), user and assistant.");
  }
}

void checkMarks(const std::vector<ChatTurn>& turns, const std::vector<VisualInput>& visuals) {
  std::size_t marks = 0;
  for (const auto& turn : turns) {
    for (const auto& part : turn.parts) {
      if (part.kind == ChatPart::Kind::Text) continue;
      const bool video = part.kind == ChatPart::Kind::Video;
      if (marks < visuals.size() && visuals[marks].grid.video != video) {
        throw Error("Marks and files do not agree", "prompt",
                    "mark " + std::to_string(marks + 1) + " is " + (video ? "<video>" : "<image>") +
                        ", the file in its place is not",
                    "Put images and videos into the order of the marks.");
      }
      ++marks;
    }
  }
  if (marks == visuals.size()) return;
  throw Error("Marks and files do not agree", "prompt",
              "the text has " + std::to_string(marks) + " <image> or <video> mark(s), and there are " +
                  std::to_string(visuals.size()) + " image(s) and video(s)",
              "Write one mark for each image and video.");
}

}  // namespace

struct Processor::Settings {
  explicit Settings(const std::string& folder) : read(readProcessorSettings(folder)) {}

  ProcessorSettings read;
  std::int64_t imagePad = -1, videoPad = -1;

  /// Processed images and videos, the newest first.
  struct Entry {
    std::string key;
    VisualInput visual;
    std::size_t bytes;
  };
  std::list<Entry> cache;
  std::unordered_map<std::string, std::list<Entry>::iterator> byKey;
  std::size_t cacheBytes = 0;

  const VisualInput* find(const std::string& key) {
    const auto found = byKey.find(key);
    if (found == byKey.end()) return nullptr;
    cache.splice(cache.begin(), cache, found->second);
    return &found->second->visual;
  }
  void remember(std::string key, const VisualInput& visual) {
    std::size_t bytes = visual.pixelValues.nbytes();
    for (const Picture& picture : visual.processed) bytes += picture.rgb.size();
    if (bytes > kCacheBytes) return;
    for (cacheBytes += bytes; cacheBytes > kCacheBytes; cache.pop_back()) {
      cacheBytes -= cache.back().bytes;
      byKey.erase(cache.back().key);
    }
    cache.push_front({key, visual, bytes});
    byKey.emplace(std::move(key), cache.begin());
  }
  /// The chat template's text with every video written out as its groups of frames, one pad each, and how many tokens
  /// each pad stands for. `place` is moved along with the text it points at.
  std::string writeOut(const std::string& text, const std::vector<VisualInput>& visuals,
                       std::vector<std::int64_t>& counts, std::size_t& place) const;
};

std::string Processor::Settings::writeOut(const std::string& text, const std::vector<VisualInput>& visuals,
                                          std::vector<std::int64_t>& counts, std::size_t& place) const {
  std::string result;
  std::size_t done = 0;
  std::size_t grown = 0;
  for (const auto& visual : visuals) {
    const std::string triple = visual.grid.video ? kVideoTriple : kImageTriple;
    const auto at = text.find(triple, done);
    const auto& rule = (visual.grid.video ? read.video : read.image).rule;
    result.append(text, done, at - done);
    done = at + triple.size();
    if (visual.grid.video) {
      const std::size_t before = result.size();
      for (const double time : visual.timestamps) {
        result += fmt::format("<{:.1f} seconds>{}", time, kVideoTriple);
        counts.push_back(visual.grid.h * visual.grid.w / (rule.merge * rule.merge));
      }
      if (at < place) grown += result.size() - before - triple.size();
    } else {
      result += triple;
      counts.push_back(visual.grid.merged(rule.merge));
    }
  }
  result.append(text, done);
  place += grown;
  return result;
}

Processor::Processor(const std::string& modelFolder)
    : m_tokenizer(Tokenizer::load(modelFolder)),
      m_settings(std::make_unique<Settings>(modelFolder)),
      m_template(ChatTemplate::load(modelFolder)) {
  m_settings->imagePad = m_tokenizer->idOf("<|image_pad|>");
  m_settings->videoPad = m_tokenizer->idOf("<|video_pad|>");
  for (const char* token :
       {"<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"}) {
    if (m_tokenizer->idOf(token) >= 0) continue;
    throw Error("This is not a Qwen3-VL tokenizer", modelFolder + "/tokenizer.json",
                std::string("it has no token ") + token, "Choose a Qwen3-VL model folder.");
  }
}

Processor::~Processor() = default;

Picture Processor::loaded(const Picture& picture) const {
  checkPixels(picture);
  const auto& rule = m_settings->read.image.rule;
  const auto size = smartResizeLoader(picture.height, picture.width, rule.patch * rule.merge);
  if (size == PictureSize{picture.height, picture.width}) return picture;
  return pictureOf(resizeBicubicLoader(sourceOf(picture), size), picture.label);
}

VisualInput Processor::image(const Picture& picture) const {
  checkPixels(picture);
  const std::string key =
      fmt::format("{} {}x{}", digest(picture.rgb.data(), picture.rgb.size()), picture.width, picture.height);
  if (const auto* known = m_settings->find(key)) {
    VisualInput visual = *known;
    visual.processed.front().label = picture.label;
    return visual;
  }
  const auto& rules = m_settings->read.image;
  const auto size =
      smartResize(picture.height, picture.width, rules.rule.patch * rules.rule.merge, rules.minPixels, rules.maxPixels);
  const auto resized = resizeBicubic(sourceOf(picture), size);
  VisualInput visual;
  visual.pixelValues = cutPatches({resized}, rules.rule);
  visual.grid = gridOf(1, resized, rules.rule, false);
  visual.processed.push_back(pictureOf(resized, picture.label));
  visual.originalWidth = picture.width;
  visual.originalHeight = picture.height;
  m_settings->remember(key, visual);
  return visual;
}

VisualInput Processor::measured(int width, int height) const {
  const auto& rules = m_settings->read.image;
  const std::int64_t factor = rules.rule.patch * rules.rule.merge;
  const PictureSize loaded = smartResizeLoader(height, width, factor);
  const PictureSize size = smartResize(loaded.height, loaded.width, factor, rules.minPixels, rules.maxPixels);
  VisualInput visual;
  visual.grid = {1, size.height / rules.rule.patch, size.width / rules.rule.patch, false};
  visual.originalWidth = width;
  visual.originalHeight = height;
  return visual;
}

namespace {

int framesByReading(const std::string& file) { return readVideo(file, {std::numeric_limits<int>::max() - 1}).totalFrames; }

std::vector<int> chosenFrames(const ProcessorSettings& settings, const VideoOptions& options, int total, double fps) {
  if (options.frames > 0) return spreadFrames(total, options.frames);
  if (options.all || !settings.sampleFrames) return spreadFrames(total, total);
  return sampleFrames(total, fps, options.fps > 0 ? options.fps : settings.sampleFps, options.minFrames > 0 ? options.minFrames : settings.minFrames,
                      options.maxFrames > 0 ? options.maxFrames : settings.maxFrames);
}

/// The same file with the same options; empty for a file that is not there. Reading a video to know it by its bytes would cost as much
/// as reading it again.
std::string videoKey(const std::string& file, const VideoOptions& options) {
  namespace fs = std::filesystem;
  std::error_code noSize, noTime;
  const auto bytes = fs::file_size(file, noSize);
  const auto written = fs::last_write_time(file, noTime).time_since_epoch().count();
  if (noSize || noTime) return {};
  return fmt::format("video {} {} {} fps {} frames {} all {} from {} to {}", fs::absolute(file).string(), bytes, written, options.fps, options.frames, options.all, options.minFrames, options.maxFrames);
}

}  // namespace

VisualInput Processor::measuredVideo(const std::string& file, const VideoOptions& options) const {
  const auto& settings = m_settings->read;
  const auto& rule = settings.video.rule;
  const auto probe = probeVideo(file);
  const double fps = probe.fps > 0 ? probe.fps : kUnknownFps;
  VisualInput visual;
  visual.frameIndices = chosenFrames(settings, options, probe.totalFrames > 0 ? probe.totalFrames : framesByReading(file), fps);
  const auto frames = static_cast<std::int64_t>(visual.frameIndices.size());
  const auto size = smartResizeVideo(frames, probe.height, probe.width, rule.patch * rule.merge, rule.temporal, settings.video.minPixels, settings.video.maxPixels);
  visual.grid = {(frames + rule.temporal - 1) / rule.temporal, size.height / rule.patch, size.width / rule.patch, true};
  visual.timestamps = groupTimestamps(visual.frameIndices, fps, rule.temporal);
  visual.originalWidth = probe.width;
  visual.originalHeight = probe.height;
  return visual;
}

VisualInput Processor::video(const std::string& file, const VideoOptions& options) const {
  const std::string key = videoKey(file, options);
  if (const auto* known = m_settings->find(key)) return *known;
  const auto& settings = m_settings->read;
  const auto& rules = settings.video;
  auto probe = probeVideo(file);
  const double fps = probe.fps > 0 ? probe.fps : kUnknownFps;
  const auto choose = [&](int total) { return chosenFrames(settings, options, total, fps); };
  const int claimed = probe.totalFrames;
  int total = claimed > 0 ? claimed : framesByReading(file);

  VisualInput visual;
  std::vector<at::Tensor> frames;
  const auto read = [&] {
    visual.frameIndices = choose(total);
    visual.processed.clear();
    frames.clear();
    return readVideo(file, visual.frameIndices, [&](DecodedImage&& frame) {
      const auto size =
          smartResizeVideo(static_cast<std::int64_t>(visual.frameIndices.size()), frame.height, frame.width,
                           rules.rule.patch * rules.rule.merge, rules.rule.temporal, rules.minPixels, rules.maxPixels);
      const int index = visual.frameIndices[frames.size()];
      visual.originalWidth = frame.width;
      visual.originalHeight = frame.height;
      frames.push_back(resizeBicubic(viewOf(frame.width, frame.height, frame.rgb), size).clone());
      visual.processed.push_back(pictureOf(frames.back(), fmt::format("frame {}, {:.1f} s", index, index / fps)));
    });
  };
  auto got = read();
  if (frames.size() < visual.frameIndices.size()) {
    // Containers often claim a frame or two too many. Far fewer frames mean a file that was cut.
    total = got.totalFrames;
    if (total * 10 < claimed * 9) {
      throw Error("The video is incomplete", file,
                  fmt::format("it claims {} frames; {} can be decoded", claimed, total),
                  "Copy or download the file again.");
    }
    read();
  }
  if (frames.empty() || frames.size() < visual.frameIndices.size()) {
    throw Error("The video cannot be decoded", file, "no frame, or not every frame, could be read",
                "Choose another file.");
  }
  visual.pixelValues = cutPatches(frames, rules.rule);
  visual.grid = gridOf(static_cast<std::int64_t>(frames.size()), frames.front(), rules.rule, true);
  visual.timestamps = groupTimestamps(visual.frameIndices, fps, rules.rule.temporal);
  if (!key.empty()) m_settings->remember(key, visual);
  return visual;
}

Prompt Processor::prompt(const std::vector<Turn>& turns, const std::vector<VisualInput>& visuals,
                         const std::string& privilege, const std::vector<VisualInput>& hintVisuals) const {
  checkRoles(turns);
  std::vector<ChatTurn> chat;
  for (const auto& turn : turns) chat.push_back(splitAtMarks(turn));
  checkMarks(chat, visuals);
  std::size_t cuePlace = 0;  // byte after the cue
  const bool hinted = !privilege.empty() || !hintVisuals.empty();
  if (hinted) {
    refuseVisionWords(privilege);
    const auto last =
        std::find_if(chat.rbegin(), chat.rend(), [](const ChatTurn& turn) { return turn.role == "user"; });
    if (last == chat.rend())
      throw Error("The cue has no place", "prompt", "there is no user turn", "Add a question.");
    last->parts.push_back({ChatPart::Kind::Text, kHintMark});
    for (const auto& visual : hintVisuals) last->parts.push_back({visual.grid.video ? ChatPart::Kind::Video : ChatPart::Kind::Image, {}});
    if (!privilege.empty()) last->parts.push_back({ChatPart::Kind::Text, privilege});
    cuePlace = m_template.render({chat.begin(), last.base()}, false).size() - std::strlen(kTurnEnd);
  }

  Prompt result;
  result.visuals = visuals;  // no turn behind the last user turn has pictures: those of the hint are the last ones
  result.visuals.insert(result.visuals.end(), hintVisuals.begin(), hintVisuals.end());
  result.rendered.text = m_template.render(chat, true);
  std::vector<std::int64_t> counts;
  const std::string written = m_settings->writeOut(result.rendered.text, result.visuals, counts, cuePlace);
  auto count = counts.begin();
  int visualTokens = 0;
  for (const auto id : m_tokenizer->encode(written)) {
    const bool pad = id == m_settings->imagePad || id == m_settings->videoPad;
    const std::int64_t copies = pad ? *count++ : 1;
    const Token token{id, m_tokenizer->bytes(id), m_tokenizer->isSpecial(id), -1};
    for (std::int64_t i = 0; i < copies; ++i) {
      result.row.ids.push_back(id);
      result.rendered.tokens.push_back(token);
      if (pad) result.rendered.tokens.back().visual = visualTokens++;
    }
  }
  std::vector<at::Tensor> pixels;
  for (const auto& visual : result.visuals) {
    result.row.grids.push_back(visual.grid);
    if (visual.pixelValues.defined()) pixels.push_back(visual.pixelValues);
  }
  if (!pixels.empty()) result.row.pixelValues = pixels.size() == 1 ? pixels.front() : at::cat(pixels);

  if (!privilege.empty()) {
    // What follows the cue begins with a special token, so its ids are the last ones, whatever comes before.
    const auto& tokens = result.rendered.tokens;
    result.rendered.cueEnd =
        static_cast<int>(tokens.size() - m_tokenizer->encode(std::string_view(written).substr(cuePlace)).size());
    std::size_t left = 0;  // bytes of the cue, normalized as they are in the prompt
    for (const auto id : m_tokenizer->encode(privilege)) left += m_tokenizer->bytes(id).size();
    int begin = result.rendered.cueEnd;
    while (left > 0 && begin > 0) left -= std::min(left, tokens[static_cast<std::size_t>(--begin)].text.size());
    result.rendered.cueBegin = begin;
  }
  return result;
}

RenderedPrompt Processor::chat(const std::vector<ChatTurn>& turns, bool addGenerationPrompt) const {
  RenderedPrompt rendered;
  rendered.text = m_template.render(turns, addGenerationPrompt);
  for (const auto id : m_tokenizer->encode(rendered.text)) {
    rendered.tokens.push_back({id, m_tokenizer->bytes(id), m_tokenizer->isSpecial(id), -1});
  }
  return rendered;
}

}  // namespace cuescope
