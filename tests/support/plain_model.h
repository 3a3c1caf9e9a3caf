// PlainModel: the language model written out once more, whole and slow, from the weights by name: every head's full attention matrix,
// no cache, no kernels of ours, differentiable. The oracle of the inspection's tests; it shares no code with what it checks. Vision
// features are given. Single-precision.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/model/qwen3_vl.h"

namespace cuescope::test {

struct PlainModel {
  explicit PlainModel(const Qwen3VL& model) : config(model.config()) {
    for (const auto& item : model.named_parameters()) weights[item.key()] = item.value().detach().to(at::kFloat);
    head = model.headWeight().detach().to(at::kFloat);
  }

  Qwen3VLConfig config;
  std::map<std::string, at::Tensor> weights;
  at::Tensor head;

  // What is done otherwise.
  std::set<std::pair<int, int>> silentHeads;    // (layer, head)
  std::set<int> silentAttention, silentMlp;     // layers
  std::function<bool(int layer, std::int64_t query, std::int64_t key)> hidden;  // may `query` not read `key`?
  std::function<at::Tensor(int layer, const at::Tensor& update)> cueUpdate;     // null: as it is
  bool keepGradients = false;                   // of the attention matrices

  // What came out of the last run().
  std::vector<at::Tensor> attention;            // per layer [H, T, T]
  std::vector<at::Tensor> handedOn;             // per layer [T, h], behind DeepStack and cue recovery
  std::map<int, at::Tensor> cueAttention;       // per injection layer [n, V]

  const at::Tensor& weight(const std::string& name) const { return weights.at("model.language_model." + name); }
  at::Tensor norm(const at::Tensor& x, const at::Tensor& w) const { return x / (x.pow(2).mean(-1, true) + config.text.rmsEps).sqrt() * w; }

  at::Tensor lens(const at::Tensor& states) const { return at::log_softmax(at::matmul(norm(states, weight("norm.weight")), head.t()), -1); }

  /// log-probabilities of the token after each position, [T, V].
  at::Tensor run(const Rows& row, const VisionFeatures* features) {
    const auto& c = config.text;
    const std::int64_t tokens = row.tokens(), half = c.headDim / 2, group = c.heads / c.kvHeads;
    attention.clear();
    handedOn.clear();
    cueAttention.clear();
    at::Tensor x = weight("embed_tokens.weight").index_select(0, row.inputIds);
    const at::Tensor visual = row.visualIndex;
    if (visual.numel()) x = x.index_copy(0, visual, features->merged.to(at::kFloat));
    // Interleaved mRoPE, spec 2.4: slot j takes H if j mod 3 = 1, W if j mod 3 = 2, as far as their sections reach; else T.
    at::Tensor angles = at::empty({tokens, half});
    for (std::int64_t j = 0; j < half; ++j) {
      std::int64_t axis = j % 3;
      if (axis && j >= 3 * c.mropeSection[static_cast<std::size_t>(axis)]) axis = 0;
      angles.select(1, j).copy_(row.positionIds[axis].to(at::kDouble) * std::pow(c.ropeTheta, -2.0 * static_cast<double>(j) / static_cast<double>(c.headDim)));
    }
    const at::Tensor cos = at::cat({angles.cos(), angles.cos()}, -1), sin = at::cat({angles.sin(), angles.sin()}, -1);
    const auto rotate = [&](const at::Tensor& t) {  // [T, heads, d]
      const at::Tensor turned = at::cat({-t.narrow(-1, half, half), t.narrow(-1, 0, half)}, -1);
      return t * cos.unsqueeze(1) + turned * sin.unsqueeze(1);
    };
    for (int l = 0; l < c.layers; ++l) {
      const std::string at = "layers." + std::to_string(l) + ".";
      const at::Tensor y = norm(x, weight(at + "input_layernorm.weight"));
      const auto heads = [&](const char* name, std::int64_t count) { return at::matmul(y, weight(at + "self_attn." + name + ".weight").t()).view({tokens, count, c.headDim}); };
      const at::Tensor q = rotate(norm(heads("q_proj", c.heads), weight(at + "self_attn.q_norm.weight")));
      const at::Tensor k = rotate(norm(heads("k_proj", c.kvHeads), weight(at + "self_attn.k_norm.weight"))).repeat_interleave(group, 1);
      const at::Tensor v = heads("v_proj", c.kvHeads).repeat_interleave(group, 1);
      at::Tensor mask = at::zeros({tokens, tokens});
      auto* place = mask.data_ptr<float>();
      for (std::int64_t a = 0; a < tokens; ++a)
        for (std::int64_t b = 0; b < tokens; ++b, ++place)
          if (b > a || (b != a && hidden && hidden(l, a, b))) *place = -std::numeric_limits<float>::infinity();
      at::Tensor share = at::softmax(at::einsum("qhd,khd->hqk", {q, k}) / std::sqrt(static_cast<double>(c.headDim)) + mask, -1);
      if (keepGradients) {
        if (!share.requires_grad()) share.requires_grad_(true);
        share.retain_grad();
      }
      attention.push_back(share);
      at::Tensor out = at::einsum("hqk,khd->qhd", {share, v});
      for (const auto& [layer, index] : silentHeads) {
        if (layer != l) continue;
        at::Tensor kept = at::ones({c.heads, 1});
        kept[index] = 0;
        out = out * kept;
      }
      if (!silentAttention.count(l)) x = x + at::matmul(out.reshape({tokens, -1}), weight(at + "self_attn.o_proj.weight").t());
      const at::Tensor z = norm(x, weight(at + "post_attention_layernorm.weight"));
      const auto matrix = [&](const char* name) { return weight(at + "mlp." + name + ".weight").t(); };
      if (!silentMlp.count(l)) x = x + at::matmul(at::silu(at::matmul(z, matrix("gate_proj"))) * at::matmul(z, matrix("up_proj")), matrix("down_proj"));
      if (visual.numel() && static_cast<std::size_t>(l) < features->deepstack.size()) x = x.index_add(0, visual, features->deepstack[static_cast<std::size_t>(l)]);
      const auto& active = config.cue.active;
      if (config.cue.enabled && visual.numel() && std::find(active.begin(), active.end(), l) != active.end()) x = x.index_add(0, at::tensor(row.sinks, at::kLong), injected(l, x, visual, row.sinks.at(0)));
      handedOn.push_back(x);
    }
    return lens(x);
  }

 private:
  at::Tensor injected(int l, const at::Tensor& x, const at::Tensor& visual, std::int64_t sink) {
    const std::int64_t n = config.text.heads, d = config.text.hidden / n;
    const std::string at = "sink_cross_attns." + std::to_string(l) + ".";
    const at::Tensor s = norm(x.narrow(0, sink, 1), weight("sink_q_norm.weight")), keys = norm(x.index_select(0, visual), weight("sink_kv_norm.weight"));
    const auto heads = [&](const at::Tensor& t, const char* name) { return at::matmul(t, weight(at + name + ".weight").t()).view({-1, n, d}); };
    const at::Tensor share = at::softmax(at::einsum("qhd,khd->hqk", {heads(s, "q_proj"), heads(keys, "k_proj")}) / std::sqrt(static_cast<double>(d)), -1);  // [n, 1, V]
    cueAttention[l] = share.squeeze(1);
    const at::Tensor update = at::matmul(at::einsum("hqk,khd->qhd", {share, heads(keys, "v_proj")}).reshape({1, -1}), weight(at + "o_proj.weight").t());
    return cueUpdate ? cueUpdate(l, update) : update;
  }
};

}  // namespace cuescope::test
