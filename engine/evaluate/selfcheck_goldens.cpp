// The models' half of selfcheck: recorded forward passes (forward-NAME.safetensors, its manifest, the model
// folder NAME or tiny-NAME) and
// generate.json, compared within the tolerances that the manifests state.
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "engine/core/failure.h"
#include "engine/evaluate/selfcheck.h"
#include "engine/model/generate.h"
#include "engine/model/qwen3_vl.h"
#include "engine/model/safetensors.h"

namespace cuescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

json readJson(const fs::path& file) {
  std::ifstream in(file);
  if (!in) throw Error("The file cannot be opened", file.string());
  try {
    return json::parse(in);
  } catch (const json::exception& error) {
    throw Error("The file is not JSON", file.string(), error.what());
  }
}

class KeepAll : public Probe {
 public:
  bool wants(ProbeSite site, std::int64_t layer) const override {
    return site == ProbeSite::Attention ? layer == kRecordedLayer
                                        : site == ProbeSite::Embed || site == ProbeSite::LayerRaw || site == ProbeSite::Hidden || site == ProbeSite::SinkAttention ||
                                              site == ProbeSite::VisionMerged || site == ProbeSite::VisionDeepstack;
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
    const json manifest = readJson(m_folder / (name + ".json"));
    const Safetensors set = Safetensors::open((m_folder / (name + ".safetensors")).string());
    const auto net = load(folder);
    std::vector<std::string> batches;
    for (const TensorEntry& entry : set.entries())
      if (const auto dot = entry.name.find(".input_ids"); dot != std::string::npos) batches.push_back(entry.name.substr(0, dot));
    std::sort(batches.begin(), batches.end());
    for (const std::string& batch : batches) forwardBatch(model, *net, manifest["tensors"], set, batch);
  }

  void generation() {
    const json recorded = readJson(m_folder / "generate.json");
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

  void forwardBatch(const std::string& model, const Qwen3VL& net, const json& manifest, const Safetensors& set, const std::string& name) {
    const at::NoGradGuard noGrad;
    const bool own = set.find(name + ".pixel_values") || set.find(name + ".pixel_values_videos");
    const bool lent = !own && fs::exists(m_folder / "forward-student.safetensors");
    const Batch batch = readBatch(set, lent ? lender() : set, name, net.config());
    const Rows rows = packRows(net.config(), batch.rows);
    KeepAll probe;
    ForwardOptions options;
    options.probe = &probe;
    const at::Tensor states = net.forward(rows, options);
    const at::Tensor last = states.cpu().to(at::kFloat);
    const at::Tensor logits = net.logits(states).cpu().to(at::kFloat);
    // A packed result against the recorded one at its valid positions.
    const auto compare = [&](const std::string& tensor, const at::Tensor& got) {
      if (!got.defined() || !set.find(name + "." + tensor)) return;
      add(model, name + "." + tensor, manifest, got, set.read(name + "." + tensor).to(at::kFloat).flatten(0, 1).index_select(0, batch.cells));
    };
    for (std::int64_t l = 0; l < net.config().text.layers; ++l) {
      compare("layer_raw." + std::to_string(l), probe.find(ProbeSite::LayerRaw, l));
      compare("hidden." + std::to_string(l), probe.find(ProbeSite::Hidden, l));
      sinkAttention(model, manifest, set, name, rows, l, probe);
    }
    compare("embed", probe.find(ProbeSite::Embed, 0));
    compare("last_hidden_state", last);
    compare("logits", logits);
    if (set.find(name + ".logits_last4")) {
      std::vector<at::Tensor> ends;
      for (std::int64_t r = 0; r < rows.count(); ++r) ends.push_back(logits.narrow(0, rows.offsets[static_cast<std::size_t>(r) + 1] - 4, 4));
      add(model, name + ".logits_last4", manifest, at::stack(ends), set.read(name + ".logits_last4").to(at::kFloat));
    }
    if (set.find(name + ".attention")) {
      const at::Tensor recorded = set.read(name + ".attention").to(at::kFloat);  // [B, H, L, L]
      const std::int64_t width = recorded.size(2);
      std::vector<at::Tensor> got, want;
      for (std::int64_t r = 0; r < rows.count(); ++r) {
        const auto i = static_cast<std::size_t>(r);
        const at::Tensor columns = batch.cells.narrow(0, rows.offsets[i], rows.offsets[i + 1] - rows.offsets[i]) - r * width;
        const at::Tensor taken = probe.find(ProbeSite::Attention, KeepAll::kRecordedLayer, r);
        if (!taken.defined()) continue;
        got.push_back(taken.flatten());
        want.push_back(recorded[r].index_select(1, columns).index_select(2, columns).flatten());
      }
      if (!got.empty()) add(model, name + ".attention", manifest, at::cat(got), at::cat(want));
    }
  }

  void sinkAttention(const std::string& model, const json& manifest, const Safetensors& set, const std::string& name, const Rows& rows, std::int64_t layer,
                     const KeepAll& probe) {
    const std::string tensor = name + ".sink_attention." + std::to_string(layer);
    if (!set.find(tensor)) return;
    const at::Tensor recorded = set.read(tensor).to(at::kFloat);  // [B, H, most visual tokens]
    std::vector<at::Tensor> got, want;
    for (std::int64_t r = 0; r < rows.count(); ++r) {
      const auto i = static_cast<std::size_t>(r);
      const std::int64_t visual = rows.visualOffsets[i + 1] - rows.visualOffsets[i];
      if (visual == 0) continue;
      const at::Tensor taken = probe.find(ProbeSite::SinkAttention, layer, r);
      got.push_back(taken.defined() ? taken.flatten() : at::zeros({0}));
      want.push_back(recorded[r].narrow(1, 0, visual).flatten());
    }
    if (!want.empty()) add(model, tensor, manifest, at::cat(got), at::cat(want));
  }

  void add(const std::string& model, const std::string& tensor, const json& manifest, const at::Tensor& got, const at::Tensor& want) {
    SelfcheckLine line;
    line.name = model + " " + tensor;
    const json tolerance = manifest.value(tensor, json::object()).value("tolerance", json::object());
    const double absolute = tolerance.is_object() ? tolerance.value("atol", 0.0) : 0.0, relative = tolerance.is_object() ? tolerance.value("rtol", 0.0) : 0.0;
    line.tolerance = absolute;
    if (got.sizes() != want.sizes()) {
      line.largestError = std::numeric_limits<double>::infinity();
      line.note = "another shape";
    } else {
      const at::Tensor error = (got - want).abs();
      line.largestError = error.numel() ? error.max().item<double>() : 0;
      line.ok = at::Tensor(error <= absolute + relative * want.abs()).all().item<bool>();
      if (relative > 0) line.note = "and " + json(relative).dump() + " of the value";
    }
    m_lines.push_back(line);
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
  std::vector<std::pair<std::string, std::string>> work;  // set, model folder
  for (const auto& item : fs::directory_iterator(goldensFolder)) {
    const std::string stem = item.path().stem().string();
    if (item.path().extension() == ".safetensors" && stem.starts_with("forward-")) work.emplace_back(stem, stem.substr(8));
  }
  if (fs::exists(fs::path(goldensFolder) / "generate.json")) work.emplace_back("generate", "");
  if (work.empty()) throw Error("There are no goldens", goldensFolder, "no forward-*.safetensors and no generate.json lie there");
  std::sort(work.begin(), work.end());
  GoldenCheck check(goldensFolder, device, lines);
  double done = 0;
  for (const auto& [set, model] : work) {
    if (sink) sink(Progress{set, done, static_cast<double>(work.size()), -1});
    try {
      model.empty() ? check.generation() : check.forwardSet(model);
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
