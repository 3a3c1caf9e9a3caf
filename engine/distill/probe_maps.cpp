#include "engine/distill/probe_maps.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "engine/distill/log_probs.h"
#include "engine/distill/response_rows.h"

namespace cuescope {
namespace {

struct Mean {
  double sum = 0, count = 0;
  void add(double value) {
    if (!std::isfinite(value)) return;
    sum += value;
    ++count;
  }
};

double overlap(double a0, double a1, double b0, double b1) {
  return std::max(0.0, std::min(a1, b1) - std::max(a0, b0));
}

}  // namespace

void SinkProbe::take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) {
  at::Tensor host = value.to(at::kCPU, at::kFloat);
  if (site == ProbeSite::SinkAttention) {
    attention[row][layer] = host.mean(0).contiguous();
  } else {
    updates[row][layer] = host.contiguous();
  }
}

std::vector<float> evidenceCover(const std::vector<PixelBox>& boxes, int image, int width, int height, int rows,
                                 int cols) {
  std::vector<float> cover(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols), 0.f);
  if (width <= 0 || height <= 0) return cover;
  const double cellWidth = static_cast<double>(width) / cols, cellHeight = static_cast<double>(height) / rows;
  for (const auto& box : boxes) {
    if (box.image != image) continue;
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < cols; ++c) {
        const double area = overlap(box.x, box.x + box.width, c * cellWidth, (c + 1) * cellWidth) *
                            overlap(box.y, box.y + box.height, r * cellHeight, (r + 1) * cellHeight);
        float& cell = cover[static_cast<std::size_t>(r * cols + c)];
        cell = std::max(cell, static_cast<float>(area / (cellWidth * cellHeight)));  // overlapping boxes count once
      }
    }
  }
  return cover;
}

double recoveryGain(const Qwen3VL& student, std::span<const RowInput* const> prompts, std::span<const TokenIds* const> answers) {
  if (prompts.empty() || student.config().cue.active.empty()) return kNotComputed;
  at::NoGradGuard noGrad;
  const ResponseRows packed = packResponses(student.config(), prompts, answers);
  const auto logP = [&](bool module) {  // [tokens]
    ForwardOptions options;
    options.tails = packed.tails;
    options.cue = module;
    const at::Tensor states = student.forward(packed.rows, options).index_select(0, packed.predicting.to(student.device()));
    return logProbsAt(states, student.headWeight(), packed.ids.to(student.device())).values;
  };
  return (logP(true) - logP(false)).mean().item<double>();
}

ProbeResult probeSink(const Qwen3VL& student, std::span<const ReadyRow* const> rows, std::size_t shown) {
  at::NoGradGuard noGrad;
  ProbeResult result;
  std::vector<RowInput> inputs;
  for (const ReadyRow* row : rows) inputs.push_back(row->student);
  if (inputs.empty() || student.config().cue.active.empty()) return result;
  SinkProbe probe(true);
  ForwardOptions options;
  options.probe = &probe;
  student.forward(packRows(student.config(), inputs), options);

  const std::int64_t merge = student.config().vision.merge;
  std::map<std::int64_t, Mean> entropy, evidence, ratio;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const ReadyRow& row = *rows[b];
    std::int64_t firstToken = 0;
    std::vector<ProbeMap> maps;
    std::map<std::int64_t, double> massOfRow;
    for (std::size_t image = 0; image < row.grids.size(); ++image) {
      const Grid& grid = row.grids[image];
      ProbeMap map;
      map.image = row.sample.id + (row.grids.size() > 1 ? " image " + std::to_string(image + 1) : "");
      map.gridRows = static_cast<int>(grid.h / merge);
      map.gridCols = static_cast<int>(grid.w / merge);
      const std::int64_t tokens = grid.merged(merge), perFrame = map.gridRows * map.gridCols;
      const auto cover = evidenceCover(row.sample.evidence, static_cast<int>(image), row.imageWidths[image],
                                       row.imageHeights[image], map.gridRows, map.gridCols);
      const bool hasBoxes = std::any_of(cover.begin(), cover.end(), [](float c) { return c > 0; });
      for (const auto& [layer, weights] : probe.attention[static_cast<std::int64_t>(b)]) {
        map.layers.push_back(static_cast<int>(layer));
        const float* w = weights.const_data_ptr<float>() + firstToken;
        std::vector<float> values(static_cast<std::size_t>(perFrame), 0.f);  // frames of a video add up
        for (std::int64_t i = 0; i < tokens; ++i) values[static_cast<std::size_t>(i % perFrame)] += w[i];
        double mass = 0;
        for (std::size_t i = 0; i < values.size(); ++i) mass += static_cast<double>(values[i]) * cover[i];
        map.evidenceMass.push_back(hasBoxes ? static_cast<float>(mass) : kNotComputed);
        if (hasBoxes) massOfRow[layer] += mass;
        map.values.insert(map.values.end(), values.begin(), values.end());
      }
      firstToken += tokens;
      if (!map.layers.empty()) maps.push_back(std::move(map));
    }
    for (const auto& [layer, mass] : massOfRow) evidence[layer].add(mass);
    for (const auto& [layer, weights] : probe.attention[static_cast<std::int64_t>(b)]) {
      double h = 0;
      const float* w = weights.const_data_ptr<float>();
      for (std::int64_t i = 0; i < weights.numel(); ++i)
        h -= w[i] > 0 ? w[i] * std::log(static_cast<double>(w[i])) : 0.0;
      entropy[layer].add(h);
    }
    for (const auto& [layer, norms] : probe.updates[static_cast<std::int64_t>(b)]) {
      const float* n = norms.const_data_ptr<float>();
      ratio[layer].add(n[1] > 0 ? n[0] / n[1] : 0.0);
    }
    if (b < shown) result.maps.insert(result.maps.end(), maps.begin(), maps.end());
  }
  for (const auto& [name, means] :
       {std::pair<const char*, const std::map<std::int64_t, Mean>*>{"cue/sink_entropy/L", &entropy},
        {"cue/evidence_mass/L", &evidence},
        {"cue/update_ratio/L", &ratio}}) {
    for (const auto& [layer, mean] : *means) {
      if (mean.count > 0) result.metrics[name + std::to_string(layer)] = mean.sum / mean.count;
    }
  }
  return result;
}

}  // namespace cuescope
