#include "engine/inspect/gradient_attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"
#include "engine/model/kv_cache.h"
#include "engine/model/text_decoder.h"

namespace cuescope {

namespace {

/// Some rows of a sequence, each alone with the cached tokens before it.
struct Lonely {
  const Qwen3VL& model;
  const KvCache& cache;
  const Intervention* intervention;
  at::Tensor positions;  // int64 [n]
  at::Tensor cos, sin;   // [n, 1, d/2]

  /// One layer over states [n, h]. `weights`: [H, n, T + 1], the row's own key last.
  at::Tensor layer(std::int64_t index, const at::Tensor& states, at::Tensor& weights) const {
    const auto& config = model.config().text;
    const DecoderLayer& layer = *model.text().layers()[static_cast<std::size_t>(index)];
    const auto& a = *layer.attention;
    const Intervention::Layer* silenced = intervention ? intervention->at(index) : nullptr;
    const std::int64_t tokens = cache.length(0), group = config.heads / config.kvHeads;
    const at::Tensor x = layer.inputNorm->forward(states);
    const auto heads = [&](const at::Tensor& t, std::int64_t count) { return t.view({-1, count, config.headDim}).to(states.scalar_type()); };
    const at::Tensor q = applyRope(a.qNorm->forward(heads(a.q->forward(x), config.heads)), cos, sin);                                         // [n, H, d]
    const at::Tensor k = applyRope(a.kNorm->forward(heads(a.k->forward(x), config.kvHeads)), cos, sin).repeat_interleave(group, 1);           // [n, H, d]
    const at::Tensor v = heads(a.v->forward(x), config.kvHeads).repeat_interleave(group, 1);
    const at::Tensor keys = cache.keys(index, 0, tokens).to(states.scalar_type()).repeat_interleave(group, 0);      // [H, T, d]
    const at::Tensor values = cache.values(index, 0, tokens).to(states.scalar_type()).repeat_interleave(group, 0);
    const at::Tensor query = q.transpose(0, 1);                                                                       // [H, n, d]
    at::Tensor before = at::matmul(query, keys.transpose(1, 2));                                                     // [H, n, T]
    const at::Tensor own = (query * k.transpose(0, 1)).sum(-1, true);                                                // [H, n, 1]
    const at::Tensor all = at::arange(tokens, positions.options());
    at::Tensor hidden = all.unsqueeze(0) >= positions.unsqueeze(1);  // [n, T]: itself stands last
    if (silenced && silenced->blocks()) hidden = hidden | blockedKeys(*silenced, positions, tokens);
    before = before.masked_fill(hidden, -std::numeric_limits<double>::infinity());
    weights = at::softmax(at::cat({before, own}, -1) / std::sqrt(static_cast<double>(config.headDim)), -1, wideType(states.scalar_type()));
    const at::Tensor narrow = weights.to(states.scalar_type());
    at::Tensor out = at::matmul(narrow.narrow(-1, 0, tokens), values) + narrow.narrow(-1, tokens, 1) * v.transpose(0, 1);  // [H, n, d]
    if (silenced && !silenced->heads.empty()) {
      at::Tensor kept = at::ones({config.heads, 1, 1}, out.options());
      for (const std::int64_t head : silenced->heads) kept[head] = 0;
      out = out * kept;
    }
    at::Tensor result = states;
    const at::Tensor attended = a.o->forward(out.transpose(0, 1).reshape({states.size(0), -1}));
    // A silenced attention still has weights; they lead nowhere, and 0 keeps them in the graph.
    result = result + (silenced && silenced->attention ? attended * 0 : attended);
    if (silenced && silenced->mlp) return result;
    return result + layer.mlp->forward(layer.postNorm->forward(result));
  }
};

}  // namespace

AttentionStack gradientAttention(const Qwen3VL& model, const Rows& row, const CapturePlan& plan, const std::vector<std::int64_t>& chosen,
                                 const VisionFeatures* features, const Intervention* intervention, std::stop_token stop) {
  AttentionStack stack = emptyStack(Site::GradientAttention, plan.gradient, false);
  if (stack.empty()) return stack;
  const at::Device device = model.device();
  const at::Tensor visual = row.visualIndex.to(at::kCPU, at::kLong);
  for (const int query : stack.queries) {
    if (query == row.sinks.at(0) || visual.eq(query).any().item<bool>()) {
      throw Error("This token's prediction cannot be traced", "position " + std::to_string(query), "it is an image token or the sink itself",
                  "Choose a later token of the response.");
    }
  }
  KvCache cache(model.config());
  {
    const at::NoGradGuard noGrad;
    StopProbe stops(stop);
    ForwardOptions options;
    options.cache = &cache;
    options.probe = &stops;
    options.intervention = intervention;
    options.vision = features;
    model.forward(row, options);
  }
  const auto layers = static_cast<std::int64_t>(model.text().layers().size());
  const auto total = static_cast<std::int64_t>(stack.queries.size());
  for (std::int64_t begin = 0; begin < total; begin += kGradientRows) {
    const std::int64_t count = std::min(kGradientRows, total - begin);
    std::vector<std::int64_t> places, ids;
    for (std::int64_t i = begin; i < begin + count; ++i) {
      places.push_back(stack.queries[static_cast<std::size_t>(i)]);
      ids.push_back(chosen[static_cast<std::size_t>(i)]);
    }
    const at::Tensor position = at::tensor(places, at::kLong).to(device), id = at::tensor(ids, at::kLong).to(device);
    at::Tensor cos, sin;
    model.text().ropeTables(row.positionIds.to(device).index_select(1, position), cos, sin);
    const auto type = computeType(model.text().embedding());
    const Lonely lonely{model, cache, intervention, position, cos.unsqueeze(1).to(type), sin.unsqueeze(1).to(type)};
    std::vector<at::Tensor> states;  // the input of each layer, and what the last one hands on
    {
      const at::NoGradGuard noGrad;
      at::Tensor weights;
      states.push_back(at::embedding(model.text().embedding(), row.inputIds.to(device).index_select(0, position)).to(type));
      for (std::int64_t l = 0; l < layers; ++l) {
        if (stop.stop_requested()) throw Cancelled();
        states.push_back(lonely.layer(l, states.back(), weights));
      }
    }
    // One layer's graph exists at a time; the gradient is handed down from layer to layer.
    at::Tensor gradient;
    {
      const at::AutoGradMode grad(true);
      const at::Tensor last = states.back().detach().requires_grad_(true);
      const at::Tensor logProbs = at::log_softmax(model.logits(model.text().finalNorm().forward(last)).to(wideType(type)), -1);
      const at::Tensor sum = logProbs.gather(1, id.unsqueeze(1)).sum();
      gradient = torch::autograd::grad({sum}, {last})[0];
    }
    const auto lowest = *std::min_element(stack.layers.begin(), stack.layers.end());
    for (std::int64_t l = layers - 1; l >= lowest; --l) {
      if (stop.stop_requested()) throw Cancelled();
      at::Tensor weights, slope;
      {
        const at::AutoGradMode grad(true);
        const at::Tensor input = states[static_cast<std::size_t>(l)].detach().requires_grad_(true);
        const at::Tensor output = lonely.layer(l, input, weights);
        const auto slopes = torch::autograd::grad({output}, {input, weights}, {gradient});
        gradient = slopes[0];
        slope = slopes[1];
      }
      const std::ptrdiff_t found = placeOf(stack.layers, l);
      if (found < 0) continue;
      const auto place = static_cast<std::size_t>(found);
      at::Tensor maps = (weights.detach() * slope).index_select(2, visual.to(device));  // [H, n, V]
      if (stack.headsAveraged) maps = maps.mean(0, true);
      maps = maps.transpose(0, 1).to(at::kCPU, at::kFloat).contiguous();
      const auto size = static_cast<std::size_t>(stack.heads) * static_cast<std::size_t>(stack.keys);
      for (std::int64_t i = 0; i < count; ++i) {
        std::copy_n(maps.const_data_ptr<float>() + static_cast<std::size_t>(i) * size, size,
                    stack.values.begin() + static_cast<std::ptrdiff_t>((static_cast<std::size_t>(begin + i) * stack.layers.size() + place) * size));
      }
    }
  }
  return stack;
}

}  // namespace cuescope
