#include "engine/door_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/core/failure.h"

namespace cuescope {

namespace {

constexpr const char* kNext = "See cuescope-cli forward --help for what the file must hold.";

[[noreturn]] void refuse(const std::string& file, const std::string& why) { throw Error("The input tensors cannot be used", file, why, kNext); }

at::Tensor matrix(const Safetensors& in, const std::string& file, const std::string& name, at::ScalarType type, std::int64_t columns) {
  const at::Tensor value = in.read(name);
  if (value.dim() != 2 || (columns > 0 && value.size(1) != columns)) {
    refuse(file, name + " must have two dimensions" + (columns > 0 ? ", the second " + std::to_string(columns) : ""));
  }
  if (type == at::kLong && !at::isIntegralType(value.scalar_type(), true)) refuse(file, name + " must hold integers");
  return value.to(type).contiguous();
}

/// The items of one kind, handed out in order.
struct Items {
  std::string file, what;
  at::Tensor pixels;  // [P, 1536]
  std::vector<Grid> grids;
  std::size_t next = 0;
  std::int64_t row = 0;

  void read(const Safetensors& in, const std::string& pixelName, const std::string& gridName, bool video) {
    if (!in.find(pixelName) && !in.find(gridName)) return;
    if (!in.find(pixelName) || !in.find(gridName)) refuse(file, pixelName + " and " + gridName + " belong together; one is missing");
    pixels = matrix(in, file, pixelName, at::kFloat, 1536);
    const at::Tensor sizes = matrix(in, file, gridName, at::kLong, 3);
    std::int64_t patches = 0;
    for (std::int64_t i = 0; i < sizes.size(0); ++i) {
      const Grid grid{sizes[i][0].item<std::int64_t>(), sizes[i][1].item<std::int64_t>(), sizes[i][2].item<std::int64_t>(), video};
      constexpr std::int64_t kMost = 1 << 16;
      if (grid.t < 1 || grid.h < 2 || grid.w < 2 || grid.t > kMost || grid.h > kMost || grid.w > kMost || grid.h % 2 || grid.w % 2) {
        refuse(file, gridName + " row " + std::to_string(i) + " is no grid of patches (both sides even, at least 2)");
      }
      patches += grid.t * grid.h * grid.w;
      grids.push_back(grid);
    }
    if (patches != pixels.size(0)) {
      refuse(file, gridName + " speaks of " + std::to_string(patches) + " patches and " + pixelName + " has " + std::to_string(pixels.size(0)));
    }
  }

  /// Gives the next item to a row; its pixels are appended to `parts`.
  Grid take(std::int64_t rowIndex, std::vector<at::Tensor>& parts) {
    if (next >= grids.size()) refuse(file, "row " + std::to_string(rowIndex) + " has " + what + " placeholders, and no " + what + " is left for them");
    const Grid grid = grids[next++];
    const std::int64_t count = grid.t * grid.h * grid.w;
    parts.push_back(pixels.narrow(0, row, count));
    row += count;
    return grid;
  }
};

/// Collects what was asked for, in packed order.
class Recorder : public Probe {
 public:
  explicit Recorder(const ForwardRequest& request) {
    for (const std::string& what : request.capture) {
      if (what == "hidden_states") m_hidden = true;
      else if (what == "sink_attention") m_sink = true;
      else if (what == "vision") m_vision = true;
      else if (what.rfind("attention.", 0) == 0 && what.size() > 10 && what.find_first_not_of("0123456789", 10) == std::string::npos && what.size() < 16) m_attention.insert(std::stoll(what.substr(10)));
      else throw Error("This cannot be captured", what, "there are hidden_states, sink_attention, attention.L and vision", "Choose from these.");
    }
  }
  void check(const Qwen3VLConfig& config) const {
    for (const std::int64_t layer : m_attention) {
      if (layer >= config.text.layers) throw Error("There is no layer " + std::to_string(layer), "attention", "the model has " + std::to_string(config.text.layers) + " layers, counted from 0", "Choose one of these.");
    }
  }
  bool sink() const { return m_sink; }

  bool wants(ProbeSite site, std::int64_t layer) const override {
    switch (site) {
      case ProbeSite::Embed:
      case ProbeSite::LayerRaw:
      case ProbeSite::Hidden: return m_hidden;
      case ProbeSite::SinkAttention: return m_sink;
      case ProbeSite::Attention: return m_attention.count(layer) > 0;
      case ProbeSite::VisionPatchEmbed:
      case ProbeSite::VisionBlock:
      case ProbeSite::VisionDeepstack:
      case ProbeSite::VisionMerged: return m_vision;
      default: return false;
    }
  }
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override {
    taken[{site, layer, row}] = value.detach().to(at::kCPU, at::kFloat).contiguous();
  }

  std::map<std::tuple<ProbeSite, std::int64_t, std::int64_t>, at::Tensor> taken;

 private:
  bool m_hidden = false, m_sink = false, m_vision = false;
  std::set<std::int64_t> m_attention;
};

/// Puts packed values back into their padded places. `values` [T, ...] -> [B, length, ...]
at::Tensor padded(const at::Tensor& values, const Rows& rows, const PaddedBatch& batch) {
  auto shape = values.sizes().vec();
  shape.erase(shape.begin());
  shape.insert(shape.begin(), {batch.batch, batch.length});
  at::Tensor out = at::zeros(shape, values.options());
  for (std::int64_t b = 0; b < batch.batch; ++b) {
    const auto row = static_cast<std::size_t>(b);
    const at::Tensor columns = at::tensor(batch.columns[row], at::kLong);
    out[b].index_copy_(0, columns, values.narrow(0, rows.offsets[row], rows.offsets[row + 1] - rows.offsets[row]));
  }
  return out;
}

/// Rows of a packed vision tensor that belong to images, or to videos. `perItem` counts the rows of one grid.
at::Tensor ofKind(const at::Tensor& values, const std::vector<Grid>& grids, bool video, std::int64_t divisor) {
  std::vector<at::Tensor> parts;
  std::int64_t row = 0;
  for (const Grid& grid : grids) {
    const std::int64_t count = grid.t * grid.h * grid.w / divisor;
    if (grid.video == video) parts.push_back(values.narrow(0, row, count));
    row += count;
  }
  return parts.empty() ? at::Tensor() : at::cat(parts);
}

void addCaptured(NamedTensors& out, const Recorder& recorder, const Rows& rows, const PaddedBatch& batch) {
  std::map<std::int64_t, at::Tensor> sinks, attentions;
  std::int64_t mostVisual = 0;
  for (std::int64_t b = 0; b < batch.batch; ++b) {
    mostVisual = std::max(mostVisual, rows.visualOffsets[static_cast<std::size_t>(b) + 1] - rows.visualOffsets[static_cast<std::size_t>(b)]);
  }
  for (const auto& [key, value] : recorder.taken) {
    const auto& [site, layer, row] = key;
    const std::string number = std::string(".") + std::to_string(layer);
    const auto vision = [&](const std::string& name, std::int64_t divisor) {
      for (const bool video : {false, true}) {
        const at::Tensor part = ofKind(value, rows.grids, video, divisor);
        if (part.defined()) out.emplace_back("vision." + name + (video ? ".video" : ".image"), part);
      }
    };
    switch (site) {
      case ProbeSite::Embed: out.emplace_back("embed", padded(value, rows, batch)); break;
      case ProbeSite::LayerRaw: out.emplace_back("layer_raw" + number, padded(value, rows, batch)); break;
      case ProbeSite::Hidden: out.emplace_back("hidden" + number, padded(value, rows, batch)); break;
      case ProbeSite::VisionPatchEmbed: vision("patch_embed", 1); break;
      case ProbeSite::VisionBlock: vision("block" + number, 1); break;
      case ProbeSite::VisionDeepstack: vision("deepstack" + number, 4); break;
      case ProbeSite::VisionMerged: vision("merged", 4); break;
      case ProbeSite::SinkAttention: {
        at::Tensor& all = sinks[layer];
        if (!all.defined()) all = at::zeros({batch.batch, value.size(0), mostVisual});
        all[row].narrow(1, 0, value.size(1)).copy_(value);
        break;
      }
      case ProbeSite::Attention: {  // [H, n, n] of the row to [H, length, length]
        at::Tensor& all = attentions[layer];
        if (!all.defined()) all = at::zeros({batch.batch, value.size(0), batch.length, batch.length});
        const at::Tensor columns = at::tensor(batch.columns[static_cast<std::size_t>(row)], at::kLong);
        at::Tensor wide = at::zeros({value.size(0), value.size(1), batch.length}).index_copy_(2, columns, value);
        all[row].index_copy_(1, columns, wide);
        break;
      }
      default: break;
    }
  }
  for (const auto& [layer, value] : sinks) out.emplace_back("sink_attention." + std::to_string(layer), value);
  for (const auto& [layer, value] : attentions) out.emplace_back("attention." + std::to_string(layer), value);
}

/// All injection layers act while it lives.
class AllCueLayers {
 public:
  explicit AllCueLayers(Qwen3VL& model) : m_model(model), m_before(model.config().cue.active) {
    if (model.config().cue.enabled) model.setActiveCueLayers(model.config().cue.layers);
  }
  ~AllCueLayers() {
    if (m_model.config().cue.enabled) m_model.setActiveCueLayers(m_before);
  }
  AllCueLayers(const AllCueLayers&) = delete;
  AllCueLayers& operator=(const AllCueLayers&) = delete;

 private:
  Qwen3VL& m_model;
  std::vector<std::int64_t> m_before;
};

}  // namespace

PaddedBatch readPaddedBatch(const std::string& file, const Qwen3VLConfig& config) {
  const Safetensors in = Safetensors::open(file);
  if (!in.find("input_ids")) refuse(file, "it has no input_ids");
  const at::Tensor ids = matrix(in, file, "input_ids", at::kLong, 0);
  PaddedBatch batch;
  batch.batch = ids.size(0);
  batch.length = ids.size(1);
  if (batch.batch == 0 || batch.length == 0) refuse(file, "input_ids is empty");
  const at::Tensor mask = in.find("attention_mask") ? matrix(in, file, "attention_mask", at::kLong, batch.length) : at::ones_like(ids);
  if (mask.sizes() != ids.sizes()) refuse(file, "attention_mask and input_ids differ in shape");
  Items images{file, "image", {}, {}}, videos{file, "video", {}, {}};
  images.read(in, "pixel_values", "image_grid_thw", false);
  videos.read(in, "pixel_values_videos", "video_grid_thw", true);

  for (std::int64_t b = 0; b < batch.batch; ++b) {
    RowInput row;
    std::vector<std::int64_t> columns;
    std::vector<at::Tensor> parts;
    std::int64_t imageLeft = 0, videoLeft = 0;  // placeholders that the current item still fills
    for (std::int64_t t = 0; t < batch.length; ++t) {
      if (mask[b][t].item<std::int64_t>() == 0) continue;
      const auto id = ids[b][t].item<std::int64_t>();
      if (id < 0 || id >= config.text.vocabulary) refuse(file, "row " + std::to_string(b) + " has the id " + std::to_string(id) + "; the vocabulary has " + std::to_string(config.text.vocabulary));
      for (const auto& [token, items, left] : {std::tuple{config.imageToken, &images, &imageLeft}, {config.videoToken, &videos, &videoLeft}}) {
        if (id != token) continue;
        if (*left == 0) {
          row.grids.push_back(items->take(b, parts));
          *left = row.grids.back().merged(config.vision.merge);
        }
        --*left;
      }
      row.ids.push_back(id);
      columns.push_back(t);
    }
    if (row.ids.empty()) refuse(file, "row " + std::to_string(b) + " is all padding");
    if (!parts.empty()) row.pixelValues = at::cat(parts);
    batch.rows.push_back(std::move(row));
    batch.columns.push_back(std::move(columns));
  }
  if (images.next != images.grids.size() || videos.next != videos.grids.size()) refuse(file, "it has more images or videos than the rows have placeholders for");
  return batch;
}

void forwardToFile(Qwen3VL& model, const ForwardRequest& request, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  Recorder recorder(request);
  recorder.check(model.config());
  const PaddedBatch batch = readPaddedBatch(request.inputFile, model.config());
  const Rows rows = packRows(model.config(), batch.rows);
  ForwardOptions options;
  options.probe = &recorder;
  if (stop.stop_requested()) throw Cancelled();
  at::Tensor states;
  {
    const AllCueLayers all(model);
    states = model.forward(rows, options);
  }
  if (stop.stop_requested()) throw Cancelled();
  NamedTensors out;
  out.emplace_back("logits", padded(model.logits(states).to(at::kCPU, at::kFloat), rows, batch));
  out.emplace_back("last_hidden_state", padded(states.to(at::kCPU, at::kFloat), rows, batch));
  out.emplace_back("position_ids", padded(rows.positionIds.to(at::kCPU).transpose(0, 1).contiguous(), rows, batch).permute({2, 0, 1}).contiguous());
  out.emplace_back("rope_deltas", at::tensor(rows.ropeDeltas, at::kLong).view({-1, 1}));
  if (recorder.sink()) {
    std::vector<std::int64_t> sinks;
    for (std::size_t b = 0; b < batch.rows.size(); ++b) sinks.push_back(batch.columns[b][static_cast<std::size_t>(rows.sinks[b] - rows.offsets[b])]);
    out.emplace_back("sink_positions", at::tensor(sinks, at::kLong));
    at::Tensor visual = at::zeros({rows.tokens()}, at::kLong);
    if (rows.visualIndex.defined()) visual.index_fill_(0, rows.visualIndex.to(at::kCPU), 1);
    out.emplace_back("visual_mask", padded(visual, rows, batch).to(at::kByte));
  }
  addCaptured(out, recorder, rows, batch);
  writeSafetensors(request.outputFile, out);
}

}  // namespace cuescope
