// From words and files to a model's input, against the recorded reference. Patches are cut from the recorded pixels, so that a build
// without a decoder is checked as well; with one, the files are decoded too.
#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "engine/core/failure.h"
#include "engine/data/processor.h"
#include "engine/data/resize.h"
#include "engine/evaluate/golden_set.h"
#include "engine/media/decode.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Counts what differs; the first of them is named.
struct Exact {
  std::size_t count = 0, wrong = 0;
  std::string first;
  void add(bool same, const std::string& what) {
    ++count;
    if (!same && ++wrong == 1) first = what;
  }
  SelfcheckLine line(const std::string& name) const { return exactGolden(name, count, wrong, first); }
};

at::Tensor gridTensor(const Grid& grid) { return at::tensor({grid.t, grid.h, grid.w}, at::kLong).unsqueeze(0); }

at::Tensor rgbTensor(const std::vector<std::uint8_t>& rgb, std::int64_t height, std::int64_t width) {
  return at::tensor(at::ArrayRef<std::uint8_t>(rgb), at::kByte).view({height, width, 3});
}

Picture pictureOf(const std::string& label, const at::Tensor& rgb) {
  const at::Tensor bytes = rgb.contiguous();
  const auto* data = bytes.const_data_ptr<std::uint8_t>();
  return {label, static_cast<int>(rgb.size(1)), static_cast<int>(rgb.size(0)), {data, data + bytes.numel()}};
}

void images(GoldenSet& set, const Processor& processor, const fs::path& folder, bool decodes) {
  std::vector<at::Tensor> together;
  for (const json& entry : set.manifest().at("images")) {
    const fs::path file = entry.at("file").get<std::string>();
    const std::string stem = file.stem().string(), name = "image." + stem + ".";
    const bool sixteen = set.has(name + "rgb_scaled");
    const at::Tensor rgb = set.given(name + "rgb");
    const VisualInput visual = processor.image(pictureOf(stem, rgb));
    set.compare(name + "pixel_values", visual.pixelValues);
    set.compare(name + "pixel_values_pil", visual.pixelValues);  // another resampling of the reference: near it, not the same
    set.compare(name + "grid_thw", gridTensor(visual.grid));
    if (sixteen) set.compare(name + "pixel_values_scaled", processor.image(pictureOf(stem, set.recorded(name + "rgb_scaled"))).pixelValues);
    if (stem == "square" || stem == "extreme") together.push_back(gridTensor(visual.grid));
    if (stem == "odd" && set.has(name + "published_limits.grid_thw")) {
      const PictureSize size = smartResize(rgb.size(0), rgb.size(1), 32, 65536, 16777216);
      const at::Tensor patches = cutPatches({resizeBicubic(rgb, size)}, PatchRule{});
      set.compare(name + "published_limits.grid_thw", at::tensor({std::int64_t{1}, size.height / 16, size.width / 16}, at::kLong).unsqueeze(0));
      set.compare(name + "published_limits.pixel_values", patches.index_select(0, set.given(name + "published_limits.rows")));
    }
    if (!decodes) {
      if (sixteen) set.givenAll(name + "rgb_scaled");
      continue;
    }
    const DecodedImage image = readImage((folder / file).string());
    // 16 bits are scaled here, where the reference cuts them off: compared with what they should give.
    set.compare(name + (sixteen ? "rgb_scaled" : "rgb"), rgbTensor(image.rgb, image.height, image.width));
  }
  if (together.size() == 2) set.compare("batch.square_extreme.grid_thw", at::cat(together));
}

void videos(GoldenSet& set, const Processor& processor, const fs::path& folder, Exact& words) {
  const json& video = set.manifest().at("video");
  const std::string file = (folder / video.at("file").get<std::string>()).string();
  std::vector<int> every;
  for (int i = 0; i < video.at("frames").get<int>(); ++i) every.push_back(i);
  std::vector<at::Tensor> frames;
  for (const DecodedImage& frame : readVideo(file, every).frames) frames.push_back(rgbTensor(frame.rgb, frame.height, frame.width));
  set.compare("video.frames", frames.empty() ? at::Tensor() : at::stack(frames));
  for (const json& sample : video.at("samples")) {
    const json& given = sample.at("options");
    VideoOptions options;
    if (given.contains("fps") && !given["fps"].is_null()) options.fps = given["fps"];
    options.frames = given.value("num_frames", 0);
    options.all = !given.value("do_sample_frames", true);
    const VisualInput visual = processor.video(file, options);
    const std::string name = "video." + sample.at("name").get<std::string>() + ".";
    set.compare(name + "grid_thw", gridTensor(visual.grid));
    set.compare(name + "pixel_values_videos", visual.pixelValues);
    words.add(json(visual.frameIndices) == sample.at("frame_indices"), name + "frame_indices");
    words.add(json(visual.timestamps) == sample.at("timestamps"), name + "timestamps");
    std::string text;
    for (const Token& token : processor.prompt({{"user", "<video>"}}, {visual}).rendered.tokens) text += token.text;
    words.add(text == "<|im_start|>user\n" + sample.at("prompt_text").get<std::string>() + "<|im_end|>\n<|im_start|>assistant\n", name + "prompt_text");
  }
}

template <class F>
json sizeOrRefused(F&& size) {
  try {
    const PictureSize got = size();
    return {got.height, got.width};
  } catch (const Error&) {
    return "refused";
  }
}

}  // namespace

void checkGoldenInputs(const fs::path& folder, std::vector<SelfcheckLine>& lines) {
  GoldenSet set(folder, "preprocess", "preprocess", lines);
  const Processor processor((folder / "tiny-student").string());
  const MediaSupport media = mediaSupport();
  images(set, processor, folder, media != MediaSupport::None);
  Exact sizes, sampling, words;
  const json& tables = set.manifest().at("smart_resize");
  const auto wanted = [](const json& row) { return row["out"].is_array() ? row["out"] : json("refused"); };
  for (const json& row : tables.at("image"))
    sizes.add(sizeOrRefused([&] { return smartResize(row["h"], row["w"], row["factor"], row["min_pixels"], row["max_pixels"]); }) == wanted(row), row.dump());
  for (const json& row : tables.at("video"))
    sizes.add(sizeOrRefused([&] { return smartResizeVideo(row["frames"], row["h"], row["w"], row["factor"], row["temporal_factor"], row["min_pixels"], row["max_pixels"]); }) == wanted(row), row.dump());
  set.add(sizes.line("preprocess smart_resize tables"));
  for (const json& row : set.manifest().at("frame_sampling").at("table")) {
    const auto got = sampleFrames(row["total_frames"], row["video_fps"], row["sample_fps"], 4, 768);
    const json& want = row["indices"];
    bool same = json(got.size()) == row["count"];
    std::size_t gap = want.size();  // a null stands for indices that the table leaves out
    for (std::size_t i = 0; i < want.size(); ++i)
      if (want[i].is_null()) gap = i;
    for (std::size_t i = 0; same && i < want.size(); ++i) {
      if (i == gap) continue;
      const std::size_t at = i < gap ? i : got.size() - (want.size() - i);
      same = at < got.size() && want[i] == got[at];
    }
    sampling.add(same, row.dump());
  }
  set.add(sampling.line("preprocess frame_sampling table"));
  if (media == MediaSupport::All) {
    videos(set, processor, folder, words);
    set.add(words.line("preprocess video frames, times and prompts"));
  } else {
    set.leaveOut("video.", std::string("this build has no OpenCV, which reads the clip") + (media == MediaSupport::None ? "; of the images, decoding was left out as well" : ""));
  }
  set.finish();
}

void checkGoldenWords(const fs::path& folder, std::vector<SelfcheckLine>& lines) {
  const json cases = readGoldenJson(folder / "tokenizer_cases.json");
  std::ifstream in(folder / "tokenizer_cases.json");
  const auto ordered = nlohmann::ordered_json::parse(in);  // tools are printed with their keys in order
  for (const char* model : {"tiny-student", "tiny-teacher"}) {
    const auto tokenizer = Tokenizer::load((folder / model).string());
    const ChatTemplate chat = ChatTemplate::load((folder / model).string());
    const std::string name = std::string("tokenizer_cases ") + model + " ";
    Exact encode, decode, rendered;
    const auto back = [&](const json& example) {
      const auto ids = example.at("ids").get<std::vector<std::int64_t>>();
      return tokenizer->decode(ids) == example.at("decoded").get<std::string>() && tokenizer->decode(ids, true) == example.at("decoded_skip_special").get<std::string>();
    };
    for (const json& example : cases.at("encode"))
      encode.add(tokenizer->encode(example.at("text").get<std::string>()) == example.at("ids").get<std::vector<std::int64_t>>() && back(example), example.at("text").dump());
    for (const json& example : cases.at("decode")) decode.add(back(example), example.at("ids").dump());
    for (const auto& example : ordered.at("chat")) {
      const auto& options = example.at("options");
      const auto tools = options.contains("tools") ? parseTools(options["tools"].dump()) : std::vector<std::string>{};
      const std::string text = chat.render(parseMessages(example.at("messages").dump()), options.value("add_generation_prompt", false), options.value("add_vision_id", false), tools);
      rendered.add(text == example.at("text").get<std::string>() && tokenizer->encode(text) == example.at("ids").get<std::vector<std::int64_t>>(), example.at("name").dump());
    }
    lines.push_back(encode.line(name + "encode"));
    lines.push_back(decode.line(name + "decode"));
    lines.push_back(rendered.line(name + "chat"));
  }
}

}  // namespace cuescope
