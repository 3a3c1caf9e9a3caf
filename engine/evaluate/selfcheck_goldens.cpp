// The models' half of selfcheck: recorded forward passes (forward-NAME.safetensors, its manifest, the model
// folder NAME or tiny-NAME) and
// generate.json, compared within the tolerances that the manifests state. The other sets are in golden_set.h.
#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "engine/core/failure.h"
#include "engine/evaluate/golden_set.h"
#include "engine/evaluate/selfcheck.h"
#include "engine/model/generate.h"
#include "engine/model/qwen3_vl.h"
#include "engine/model/safetensors.h"

namespace cuescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class KeepAll : public Probe {
 public:
  bool wants(ProbeSite site, std::int64_t layer) const override {
    return site == ProbeSite::Attention ? layer == kRecordedLayer
                                        : site == ProbeSite::Embed || site == ProbeSite::LayerRaw || site == ProbeSite::Hidden || site == ProbeSite::SinkAttention ||
                                              site == ProbeSite::VisionPatchEmbed || site == ProbeSite::VisionBlock;
  }
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override { m_taken[{site, layer, row}] = value.cpu().to(at::kFloat); }
  at::Tensor find(ProbeSite site, std::int64_t layer, std::int64_t row = -1) const {
    const auto found = m_taken.find({site, layer, row});
    return found == m_taken.end() ? at::Tensor() : found->second;
  }
  static constexpr std::int64_t kRecordedLayer = 2;  // the layer whose self-attention the goldens hold

 private:
  std::map<std::tuple<ProbeSite, std::int64_t, std::int64_t>, at::Tensor> m_taken;
};

// A recorded batch as the engine's rows, and where its tokens lie in the padded shape.
struct Batch {
  std::vector<RowInput> rows;
  at::Tensor cells;  // int64 [T]: row * width + column
};

Batch readBatch(const Safetensors& set, const Safetensors& pixels, const std::string& name, const Qwen3VLConfig& config) {
  Batch out;
  const at::Tensor ids = set.read(name + ".input_ids").to(at::kLong), mask = set.read(name + ".attention_mask").to(at::kLong);
  const bool own = pixels.find(name + ".pixel_values") || pixels.find(name + ".pixel_values_videos");
  const std::string lender = own ? name : "left";  // «right» holds the rows of «left»
  struct Source {
    at::Tensor values, grids;
    std::int64_t nextGrid = 0, nextPatch = 0;
  } sources[2];
  for (int kind = 0; kind < 2; ++kind) {
    const std::string values = lender + (kind ? ".pixel_values_videos" : ".pixel_values"), grids = lender + (kind ? ".video_grid_thw" : ".image_grid_thw");
    if (pixels.find(values) && pixels.find(grids)) sources[kind] = {pixels.read(values).to(at::kFloat), pixels.read(grids).to(at::kLong)};
  }
  std::vector<std::int64_t> cells;
  for (std::int64_t r = 0; r < ids.size(0); ++r) {
    RowInput row;
    std::vector<at::Tensor> parts;
    std::int64_t open[2] = {0, 0};  // placeholders of the current item that are still to come
    for (std::int64_t c = 0; c < ids.size(1); ++c) {
      if (mask[r][c].item<std::int64_t>() == 0) continue;
      const auto id = ids[r][c].item<std::int64_t>();
      row.ids.push_back(id);
      cells.push_back(r * ids.size(1) + c);
      if (id != config.imageToken && id != config.videoToken) continue;
      const int kind = id == config.videoToken;
      if (open[kind] == 0) {
        Source& source = sources[kind];
        if (!source.grids.defined() || source.nextGrid >= source.grids.size(0)) throw Error("A golden batch lacks pixels", name);
        const at::Tensor grid = source.grids[source.nextGrid++];
        row.grids.push_back({grid[0].item<std::int64_t>(), grid[1].item<std::int64_t>(), grid[2].item<std::int64_t>(), kind == 1});
        const std::int64_t patches = row.grids.back().t * row.grids.back().h * row.grids.back().w;
        if (source.nextPatch + patches > source.values.size(0)) throw Error("A golden batch lacks pixels", name);
        parts.push_back(source.values.narrow(0, source.nextPatch, patches));
        source.nextPatch += patches;
        open[kind] = row.grids.back().merged(config.vision.merge);
      }
      --open[kind];
    }
    if (!parts.empty()) row.pixelValues = at::cat(parts);
    out.rows.push_back(std::move(row));
  }
  out.cells = at::tensor(cells, at::kLong);
  return out;
}

class GoldenCheck {
 public:
  GoldenCheck(fs::path folder, std::string device, std::vector<SelfcheckLine>& lines) : m_folder(std::move(folder)), m_device(std::move(device)), m_lines(lines) {}

  void forwardSet(const std::string& model) {
    const std::string name = "forward-" + model;
    const std::string folder = fs::exists(m_folder / model) ? model : "tiny-" + model;
    GoldenSet set(m_folder, name, model, m_lines);
    const auto net = load(folder);
    std::vector<std::string> batches;
    for (const TensorEntry& entry : set.tensors().entries())
      if (const auto dot = entry.name.find(".input_ids"); dot != std::string::npos) batches.push_back(entry.name.substr(0, dot));
    std::sort(batches.begin(), batches.end());
    for (const std::string& batch : batches) forwardBatch(*net, set, batch);
    set.finish();
  }

  void generation() {
    const json recorded = readGoldenJson(m_folder / "generate.json");
    for (const auto& [model, cases] : recorded["models"].items()) {
      const auto net = load(model);
      const Safetensors set = lender();
      std::vector<RowInput> known;
      for (const char* batch : {"left", "video", "mixed"})
        for (RowInput& row : readBatch(set, set, batch, net->config()).rows) known.push_back(std::move(row));
      SelfcheckLine line;
      line.name = "generate " + model;
      line.note = "greedy ids exact; error is of the log-probabilities";
      line.tolerance = recorded["tolerance"]["logprob"]["atol"].get<double>();
      line.ok = true;
      for (const json& one : cases) {
        const auto prompt = one["prompt_ids"].get<std::vector<std::int64_t>>(), ids = one["ids"].get<std::vector<std::int64_t>>();
        const auto row = std::find_if(known.begin(), known.end(), [&](const RowInput& r) { return r.ids == prompt; });
        if (row == known.end()) {
          line.ok = false;
          line.note = "a prompt is in no forward batch";
          continue;
        }
        SamplingOptions options;
        options.ignoreEos = true;
        options.maxNew = static_cast<int>(ids.size());
        const Generated got = generate(*net, {*row}, options, {}, {})[0];
        if (got.ids != ids) {
          line.ok = false;
          line.note = "row " + one["row"].dump() + ": other ids";
        }
        for (std::size_t i = 0; i < std::min(got.ids.size(), ids.size()) && got.ids[i] == ids[i]; ++i)
          line.largestError = std::max(line.largestError, std::abs(got.logProbs[i] - one["top8"][i][0][1].get<double>()));
      }
      line.ok = line.ok && line.largestError <= line.tolerance;
      m_lines.push_back(line);
    }
  }

 private:
  std::shared_ptr<Qwen3VL> load(const std::string& model) {
    auto& open = m_models[model];
    if (!open) {
      open = Qwen3VL::load((m_folder / model).string(), m_device, "float32");
      if (open->config().cue.enabled) open->setActiveCueLayers(open->config().cue.layers);  // the reference's last layer acts too
    }
    return open;
  }
  Safetensors lender() const { return Safetensors::open((m_folder / "forward-student.safetensors").string()); }

  void forwardBatch(const Qwen3VL& net, GoldenSet& set, const std::string& name) {
    const at::NoGradGuard noGrad;
    for (const char* input : {".input_ids", ".attention_mask", ".pixel_values", ".pixel_values_videos", ".image_grid_thw", ".video_grid_thw"})
      if (set.has(name + input)) set.given(name + input);
    const bool own = set.has(name + ".pixel_values") || set.has(name + ".pixel_values_videos");
    const Safetensors pixels = !own && fs::exists(m_folder / "forward-student.safetensors") ? lender() : set.tensors();
    const Batch batch = readBatch(set.tensors(), pixels, name, net.config());
    Rows rows = packRows(net.config(), batch.rows);
    places(net, set, name, batch, rows);
    vision(net, set, pixels, name);
    KeepAll probe;
    ForwardOptions options;
    options.probe = &probe;
    const at::Tensor states = net.forward(rows, options);
    const at::Tensor last = states.cpu().to(at::kFloat);
    const at::Tensor logits = net.logits(states).cpu().to(at::kFloat);
    // A packed result against the recorded one at its valid positions.
    const auto compare = [&](const std::string& tensor, const at::Tensor& got) {
      if (set.has(name + "." + tensor)) set.compare(name + "." + tensor, got, set.recorded(name + "." + tensor).to(at::kFloat).flatten(0, 1).index_select(0, batch.cells));
    };
    for (std::int64_t l = 0; l < net.config().text.layers; ++l) {
      compare("layer_raw." + std::to_string(l), probe.find(ProbeSite::LayerRaw, l));
      compare("hidden." + std::to_string(l), probe.find(ProbeSite::Hidden, l));
      sinkAttention(set, name, rows, l, probe);
    }
    compare("embed", probe.find(ProbeSite::Embed, 0));
    compare("last_hidden_state", last);
    compare("logits", logits);
    if (set.has(name + ".logits_last4")) set.compare(name + ".logits_last4", lastFour(logits, rows));
    if (set.has(name + ".attention")) {
      const at::Tensor recorded = set.recorded(name + ".attention").to(at::kFloat);  // [B, H, L, L]
      const std::int64_t width = recorded.size(2);
      std::vector<at::Tensor> got, want;
      for (std::int64_t r = 0; r < rows.count(); ++r) {
        const auto i = static_cast<std::size_t>(r);
        const at::Tensor columns = batch.cells.narrow(0, rows.offsets[i], rows.offsets[i + 1] - rows.offsets[i]) - r * width;
        const at::Tensor taken = probe.find(ProbeSite::Attention, KeepAll::kRecordedLayer, r);
        got.push_back(taken.defined() ? taken.flatten() : at::zeros({0}));
        want.push_back(recorded[r].index_select(1, columns).index_select(2, columns).flatten());
      }
      set.compare(name + ".attention", at::cat(got), at::cat(want));
    }
    if (set.has(name + ".as_run.sink_positions")) {  // the released code's padding rule, for comparison with its numbers
      const at::Tensor columns = set.given(name + ".as_run.sink_positions").to(at::kLong);
      const std::int64_t width = set.recorded(name + ".input_ids").size(1);
      for (std::int64_t r = 0; r < rows.count(); ++r) {
        const at::Tensor found = batch.cells.eq(columns[r] + r * width).nonzero();
        if (found.numel() != 1) throw Error("A recorded sink lies at padding", name, "row " + std::to_string(r), "Copy the goldens again.");
        rows.sinks[static_cast<std::size_t>(r)] = found.item<std::int64_t>();
      }
      set.compare(name + ".as_run.logits_last4", lastFour(net.logits(net.forward(rows)).cpu().to(at::kFloat), rows));
    }
  }

  static at::Tensor lastFour(const at::Tensor& logits, const Rows& rows) {
    std::vector<at::Tensor> ends;
    for (std::int64_t r = 0; r < rows.count(); ++r) ends.push_back(logits.narrow(0, rows.offsets[static_cast<std::size_t>(r) + 1] - 4, 4));
    return at::stack(ends);
  }

  /// Where tokens stand: positions, sinks, visual tokens.
  static void places(const Qwen3VL& net, GoldenSet& set, const std::string& name, const Batch& batch, const Rows& rows) {
    const auto shape = set.recorded(name + ".input_ids").sizes().vec();
    const auto spread = [&](const at::Tensor& packed) {  // [T] to [B, L], zeros at padding
      at::Tensor out = at::zeros({shape[0] * shape[1]}, packed.options().device(at::kCPU));
      return out.index_copy_(0, batch.cells, packed.cpu()).view({shape[0], shape[1]});
    };
    set.compare(name + ".position_ids", at::stack({spread(rows.positionIds[0]), spread(rows.positionIds[1]), spread(rows.positionIds[2])}));
    set.compare(name + ".rope_deltas", at::tensor(rows.ropeDeltas, at::kLong).unsqueeze(1));
    if (!net.config().cue.enabled) return;
    std::vector<std::int64_t> columns;
    for (std::int64_t r = 0; r < rows.count(); ++r) columns.push_back(batch.cells[rows.sinks[static_cast<std::size_t>(r)]].item<std::int64_t>() - r * shape[1]);
    set.compare(name + ".sink_positions", at::tensor(columns, at::kLong));
    set.compare(name + ".visual_mask", spread(at::zeros({rows.tokens()}, at::kByte).index_fill_(0, rows.visualIndex.cpu(), 1)));
  }

  static void vision(const Qwen3VL& net, GoldenSet& set, const Safetensors& pixels, const std::string& name) {
    for (const bool video : {false, true}) {
      const std::string kind = video ? ".video" : ".image", values = name + (video ? ".pixel_values_videos" : ".pixel_values"), thw = name + (video ? ".video_grid_thw" : ".image_grid_thw");
      if (!set.has(name + ".vision.merged" + kind)) continue;
      const at::Tensor recorded = pixels.read(thw).to(at::kLong);
      std::vector<Grid> grids;
      for (std::int64_t i = 0; i < recorded.size(0); ++i)
        grids.push_back({recorded[i][0].item<std::int64_t>(), recorded[i][1].item<std::int64_t>(), recorded[i][2].item<std::int64_t>(), video});
      KeepAll probe;
      const VisionFeatures features = net.encodeImages(pixels.read(values).to(at::kFloat), grids, &probe);
      set.compare(name + ".vision.patch_embed" + kind, probe.find(ProbeSite::VisionPatchEmbed, 0));
      for (std::int64_t l = 0; l < net.config().vision.depth; ++l) set.compare(name + ".vision.block." + std::to_string(l) + kind, probe.find(ProbeSite::VisionBlock, l));
      for (std::size_t d = 0; d < features.deepstack.size(); ++d) set.compare(name + ".vision.deepstack." + std::to_string(d) + kind, features.deepstack[d]);
      set.compare(name + ".vision.merged" + kind, features.merged);
    }
  }

  static void sinkAttention(GoldenSet& set, const std::string& name, const Rows& rows, std::int64_t layer, const KeepAll& probe) {
    const std::string tensor = name + ".sink_attention." + std::to_string(layer);
    if (!set.has(tensor)) return;
    const at::Tensor recorded = set.recorded(tensor).to(at::kFloat);  // [B, H, most visual tokens]
    std::vector<at::Tensor> got, want;
    for (std::int64_t r = 0; r < rows.count(); ++r) {
      const auto i = static_cast<std::size_t>(r);
      const std::int64_t visual = rows.visualOffsets[i + 1] - rows.visualOffsets[i];
      if (visual == 0) continue;
      const at::Tensor taken = probe.find(ProbeSite::SinkAttention, layer, r);
      got.push_back(taken.defined() ? taken.flatten() : at::zeros({0}));
      want.push_back(recorded[r].narrow(1, 0, visual).flatten());
    }
    if (!want.empty()) set.compare(tensor, at::cat(got), at::cat(want));
  }

  fs::path m_folder;
  std::string m_device;
  std::vector<SelfcheckLine>& m_lines;
  std::map<std::string, std::shared_ptr<Qwen3VL>> m_models;
};

}  // namespace

void checkGoldens(const std::string& device, const std::string& goldensFolder, std::vector<SelfcheckLine>& lines, const EventSink& sink) {
  if (!fs::is_directory(goldensFolder))
    throw Error("There are no goldens", goldensFolder, "it is not a folder", "Give the folder that holds forward-*.safetensors and generate.json.");
  const fs::path folder = goldensFolder;
  GoldenCheck check(goldensFolder, device, lines);
  std::vector<std::pair<std::string, std::function<void()>>> work;
  for (const auto& item : fs::directory_iterator(folder)) {
    const std::string stem = item.path().stem().string();
    if (item.path().extension() == ".safetensors" && stem.starts_with("forward-")) work.emplace_back(stem, [&check, stem] { check.forwardSet(stem.substr(8)); });
  }
  const auto add = [&](const std::string& set, const char* extension, std::function<void()> run) {
    if (fs::exists(folder / (set + extension))) work.emplace_back(set, std::move(run));
  };
  add("generate", ".json", [&] { check.generation(); });
  add("losses", ".safetensors", [&] { checkGoldenLosses(folder, device, lines); });
  add("train_step", ".safetensors", [&] { checkGoldenTraining(folder, device, lines); });  // train_more goes on from there
  add("preprocess", ".safetensors", [&] { checkGoldenInputs(folder, lines); });
  add("tokenizer_cases", ".json", [&] { checkGoldenWords(folder, lines); });
  if (work.empty())
    throw Error("There are no goldens", goldensFolder, "no forward-*.safetensors, generate.json, losses, train_step, preprocess or tokenizer_cases lie there", "Give the folder tests/golden of the sources.");
  std::sort(work.begin(), work.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  double done = 0;
  for (const auto& [set, run] : work) {
    if (sink) sink(Progress{set, done, static_cast<double>(work.size()), -1});
    try {
      run();
    } catch (const Cancelled&) {
      throw;
    } catch (const std::exception&) {
      SelfcheckLine line;
      line.name = set;
      line.note = currentFailure(set).text();
      line.largestError = std::numeric_limits<double>::infinity();
      lines.push_back(line);
    }
    ++done;
  }
  if (sink) sink(Progress{"goldens", done, done, 0});
}

}  // namespace cuescope
