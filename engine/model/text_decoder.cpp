#include "engine/model/text_decoder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/failure.h"
#include "engine/kernels/kernels.h"
#include "engine/model/kv_cache.h"
#include "engine/model/narrow_attention.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {
namespace {

// Additive mask of n queries that follow `before` keys seen by all: [n, before + n].
at::Tensor causalMask(std::int64_t n, std::int64_t before, const at::TensorOptions& options) {
  return at::full({n, before + n}, -std::numeric_limits<double>::infinity(), options).triu(before + 1);
}

void checkTails(const Rows& rows, const std::vector<std::int64_t>& tails) {
  bool fits = static_cast<std::int64_t>(tails.size()) == rows.count();
  std::int64_t wanted = 0;
  for (std::size_t r = 0; fits && r < tails.size(); ++r) {
    fits = tails[r] >= 0 && tails[r] <= rows.offsets[r + 1] - rows.offsets[r];
    wanted += tails[r];
  }
  if (!fits || wanted == 0)
    throw Error("These tokens' states cannot be given", "tails",
                "there must be one number a row, none larger than the row, not all 0");
}

}  // namespace

at::Tensor applyRope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
  return at::cat({first * cos - second * sin, second * cos + first * sin}, -1);
}

at::Tensor blockedKeys(const Intervention::Layer& layer, const at::Tensor& positions, std::int64_t length) {
  const auto device = positions.device();
  const auto marked = [&](const std::vector<std::int64_t>& chosen) {
    at::Tensor mask = at::zeros({length}, at::kBool);
    for (const std::int64_t each : chosen)
      if (each >= 0 && each < length) mask[each] = true;
    return mask.to(device);
  };
  const at::Tensor all = at::arange(length, positions.options());
  at::Tensor blocked = marked(layer.keys).unsqueeze(0) & (positions.unsqueeze(1) != all.unsqueeze(0));
  if (!layer.queries.empty()) blocked = blocked & marked(layer.queries).index_select(0, positions).unsqueeze(1);
  return blocked;
}

DecoderLayer::Attention::Attention(const Qwen3VLConfig::Text& c, const at::TensorOptions& options) {
  q = register_module("q_proj", std::make_shared<Linear>(c.hidden, c.heads * c.headDim, false, options));
  k = register_module("k_proj", std::make_shared<Linear>(c.hidden, c.kvHeads * c.headDim, false, options));
  v = register_module("v_proj", std::make_shared<Linear>(c.hidden, c.kvHeads * c.headDim, false, options));
  o = register_module("o_proj", std::make_shared<Linear>(c.heads * c.headDim, c.hidden, false, options));
  qNorm = register_module("q_norm", std::make_shared<RmsNorm>(c.headDim, c.rmsEps, options));
  kNorm = register_module("k_norm", std::make_shared<RmsNorm>(c.headDim, c.rmsEps, options));
}

DecoderLayer::Mlp::Mlp(const Qwen3VLConfig::Text& c, const at::TensorOptions& options) {
  gate = register_module("gate_proj", std::make_shared<Linear>(c.hidden, c.intermediate, false, options));
  up = register_module("up_proj", std::make_shared<Linear>(c.hidden, c.intermediate, false, options));
  down = register_module("down_proj", std::make_shared<Linear>(c.intermediate, c.hidden, false, options));
}

at::Tensor DecoderLayer::Mlp::forward(const at::Tensor& x) const {
  return down->forward(at::silu(gate->forward(x)) * up->forward(x));
}

DecoderLayer::DecoderLayer(const Qwen3VLConfig::Text& c, const at::TensorOptions& options) {
  inputNorm = register_module("input_layernorm", std::make_shared<RmsNorm>(c.hidden, c.rmsEps, options));
  attention = register_module("self_attn", std::make_shared<Attention>(c, options));
  postNorm = register_module("post_attention_layernorm", std::make_shared<RmsNorm>(c.hidden, c.rmsEps, options));
  mlp = register_module("mlp", std::make_shared<Mlp>(c, options));
}

// What one forward pass knows about its rows: made once, used by every layer.
struct TextDecoder::Plan {
  struct Segment {
    std::int64_t row = 0, rows = 1;                  // `rows` neighbours of one shape share a batch
    std::int64_t queryBegin = 0, queryLength = 0;    // into the queries of this layer
    std::int64_t begin = 0, length = 0;              // own keys, into T
    std::int64_t prefixBegin = 0, prefixLength = 0;  // tokens of this batch that are seen before the own ones
    std::int64_t cached = -1, cachedLength = 0;      // a cache row seen before the own tokens
    at::Tensor mask;                                 // undefined: plainly causal, or one query that sees all
    std::int64_t before() const { return prefixLength + cachedLength; }
  };
  std::vector<Segment> segments, tailSegments;  // of all tokens; of the wanted tails (last layer)
  std::vector<std::int64_t> cacheRows;          // [B], empty without cache
  at::Tensor tail;                              // int64: the wanted tokens, undefined: all
  at::Tensor cos, sin, tailCos, tailSin;        // [T, 1, d/2] in the compute type
  at::Tensor wideCos, wideSin;                  // float32 [T, d], for the kernels
  KvCache* cache = nullptr;
  Probe* probe = nullptr;
  const Intervention* intervention = nullptr;

  const Intervention::Layer* silenced(std::int64_t layer) const { return intervention ? intervention->at(layer) : nullptr; }
  Plan(const Rows& rows, const ForwardOptions& options, const at::TensorOptions& compute);
  /// Narrows the queries of the last layer to `tails`.
  void wantTails(const Rows& rows, const std::vector<std::int64_t>& tails, const at::TensorOptions& compute);
  static void append(std::vector<Segment>& list, Segment segment, const at::TensorOptions& compute);
};

void TextDecoder::Plan::append(std::vector<Segment>& list, Segment s, const at::TensorOptions& compute) {
  Segment* last = list.empty() ? nullptr : &list.back();
  if (last && last->length == s.length && last->queryLength == s.queryLength && last->before() + s.before() == 0) {
    ++last->rows;
    return;
  }
  if (s.queryLength > 1 && (s.before() > 0 || s.queryLength < s.length))
    s.mask = causalMask(s.queryLength, s.before() + s.length - s.queryLength, compute);
  list.push_back(std::move(s));
}

TextDecoder::Plan::Plan(const Rows& rows, const ForwardOptions& options, const at::TensorOptions& compute)
    : cache(options.cache), probe(options.probe), intervention(options.intervention) {
  if (!rows.cached.empty() && !cache)
    throw Error("A row cannot be continued", "text model", "there is no cache to continue it from");
  for (std::int64_t r = 0; r < rows.count(); ++r) {
    const auto i = static_cast<std::size_t>(r);
    Segment s;
    s.row = r;
    s.begin = s.queryBegin = rows.offsets[i];
    s.length = s.queryLength = rows.offsets[i + 1] - s.begin;
    if (rows.prefixes[i] >= 0) {
      const auto p = static_cast<std::size_t>(rows.prefixes[i]);
      s.prefixBegin = rows.offsets[p];
      s.prefixLength = rows.offsets[p + 1] - s.prefixBegin;
    }
    if (!rows.cached.empty()) {
      s.cached = rows.cached[i];
      s.cachedLength = cache->length(s.cached);
    }
    if (cache) {
      const std::int64_t row = s.cached >= 0 ? s.cached : cache->addRow(rows.ropeDeltas[i], options.cacheRoom);
      cache->reserve(row, s.before() + s.length, compute);
      cacheRows.push_back(row);
    }
    append(segments, std::move(s), compute);
  }
}

void TextDecoder::Plan::wantTails(const Rows& rows, const std::vector<std::int64_t>& tails,
                                  const at::TensorOptions& compute) {
  std::vector<std::int64_t> wanted;
  for (const Segment& whole : segments)
    for (std::int64_t i = 0; i < whole.rows; ++i) {
      Segment s = whole;
      s.row += i;
      s.rows = 1;
      s.begin += i * whole.length;
      s.mask.reset();
      s.queryBegin = static_cast<std::int64_t>(wanted.size());
      s.queryLength = tails[static_cast<std::size_t>(s.row)];
      for (std::int64_t t = s.length - s.queryLength; t < s.length; ++t) wanted.push_back(s.begin + t);
      if (s.queryLength > 0) append(tailSegments, std::move(s), compute);
    }
  tail = at::tensor(wanted, at::kLong).to(compute.device());
  tailCos = cos.index_select(0, tail);
  tailSin = sin.index_select(0, tail);
}

TextDecoder::Table::Table(std::int64_t rows, std::int64_t size, const at::TensorOptions& options) {
  weight = register_parameter("weight", at::empty({rows, size}, options));
}

TextDecoder::TextDecoder(const Qwen3VLConfig& config, const at::TensorOptions& options) : m_config(config.text) {
  m_table =
      register_module("embed_tokens", std::make_shared<Table>(config.text.vocabulary, config.text.hidden, options));
  m_embedding = m_table->weight;
  m_layers = register_module("layers", std::make_shared<ModuleArray<DecoderLayer>>());
  for (std::int64_t i = 0; i < config.text.layers; ++i)
    m_layers->add(std::to_string(i), std::make_shared<DecoderLayer>(config.text, options));
  m_norm = register_module("norm", std::make_shared<RmsNorm>(config.text.hidden, config.text.rmsEps, options));
  if (config.cue.enabled) addCueRecovery(config.cue, options);
}

void TextDecoder::addCueRecovery(const Qwen3VLConfig::Cue& cue, const at::TensorOptions& options) {
  m_cue = cue;
  m_sinkCrossAttns = register_module("sink_cross_attns", std::make_shared<ModuleArray<CueRecovery>>());
  for (const std::int64_t layer : cue.layers)
    m_sinkCrossAttns->add(std::to_string(layer),
                          std::make_shared<CueRecovery>(m_config.hidden, m_config.heads, options));
  m_sinkQNorm = register_module("sink_q_norm", std::make_shared<RmsNorm>(m_config.hidden, m_config.rmsEps, options));
  m_sinkKvNorm = register_module("sink_kv_norm", std::make_shared<RmsNorm>(m_config.hidden, m_config.rmsEps, options));
}

const CueRecovery* TextDecoder::cueAt(std::int64_t layer) const {
  const auto found = std::find(m_cue.layers.begin(), m_cue.layers.end(), layer);
  return m_sinkCrossAttns && found != m_cue.layers.end()
             ? m_sinkCrossAttns->items[static_cast<std::size_t>(found - m_cue.layers.begin())].get()
             : nullptr;
}

void TextDecoder::ropeTables(const at::Tensor& positionIds, at::Tensor& cos, at::Tensor& sin) const {
  const std::int64_t half = m_config.headDim / 2;
  // Interleaved mRoPE (spec 2.4): slot j turns by position * theta^(-2j / d), the position of H when j mod 3 is 1, of W when it is 2, as
  // far as their sections reach; else of T.
  std::vector<std::int64_t> axes(static_cast<std::size_t>(half), 0);
  for (std::int64_t axis = 1; axis < 3; ++axis)
    for (std::int64_t j = axis; j < std::min(half, 3 * m_config.mropeSection[static_cast<std::size_t>(axis)]); j += 3)
      axes[static_cast<std::size_t>(j)] = axis;
  const at::Tensor frequency = at::pow(static_cast<float>(m_config.ropeTheta),
                                       at::arange(0, 2 * half, 2, at::kFloat) / static_cast<double>(2 * half))
                                   .reciprocal();
  const at::Tensor angles =
      positionIds.to(at::kFloat).index_select(0, at::tensor(axes, at::kLong).to(positionIds.device())).t() *
      frequency.to(positionIds.device());
  if (!mixed() || !angles.is_cpu()) {
    cos = at::cos(angles);
    sin = at::sin(angles);
    return;
  }
  // Vectorised functions treat the last few values of a tensor in another way, and so would round a token's angles by who is beside it.
  const at::Tensor dense = angles.contiguous();
  cos = at::empty_like(dense);
  sin = at::empty_like(dense);
  const float* angle = dense.const_data_ptr<float>();
  for (std::int64_t i = 0; i < dense.numel(); ++i) {
    cos.data_ptr<float>()[i] = std::cos(angle[i]);
    sin.data_ptr<float>()[i] = std::sin(angle[i]);
  }
}

at::Tensor TextDecoder::embed(const Rows& rows, const VisionFeatures* features, const at::Device& device) const {
  at::Tensor states = at::embedding(m_embedding, rows.inputIds.to(device)).to(stateType());
  const std::int64_t visual = rows.visualIndex.numel(), given = features ? features->merged.size(0) : 0;
  if (visual != given)
    throw Error("Images and placeholders do not match", "text model",
                std::to_string(visual) + " placeholders, " + std::to_string(given) + " visual tokens");
  return visual ? states.index_copy(0, rows.visualIndex.to(device), features->merged.to(states.scalar_type())) : states;
}

at::Tensor TextDecoder::forward(const Rows& rows, const VisionFeatures* features, const ForwardOptions& options) const {
  const at::Device device = m_embedding.device();
  const auto compute = at::TensorOptions().device(device).dtype(activationType());
  Plan plan(rows, options, compute);
  at::Tensor cos, sin;
  ropeTables(rows.positionIds.to(device), cos, sin);
  plan.cos = cos.unsqueeze(1).to(stateType());
  plan.sin = sin.unsqueeze(1).to(stateType());
  // In mixed precision inference runs as training does: the same numbers matter more than fused kernels.
  const bool inference = !at::GradMode::is_enabled() && compute.dtype() != at::kDouble && !mixed();
  if (inference) {
    plan.wideCos = at::cat({cos, cos}, -1);
    plan.wideSin = at::cat({sin, sin}, -1);
  }
  const at::Tensor visual = rows.visualIndex.to(device);
  const auto deepstack = [&](std::int64_t l) {
    return features && visual.numel() > 0 && l < static_cast<std::int64_t>(features->deepstack.size());
  };
  CueRoutes routes;
  const bool chosen = options.intervention && options.intervention->cueLayers;
  const std::vector<std::int64_t>& active = chosen ? *options.intervention->cueLayers : m_cue.active;
  for (const std::int64_t l : active)
    if (chosen && !cueAt(l))
      throw Error("Cue recovery cannot act there", "layer " + std::to_string(l), "the model has no module at this layer");
  if (options.cue && m_cue.enabled && !active.empty() && visual.numel() > 0) routes = CueRoutes::of(rows, device);
  const auto cue = [&](std::int64_t l) {
    return !routes.empty() && std::find(active.begin(), active.end(), l) != active.end();
  };
  const std::int64_t lastLayer = m_config.layers - 1;
  if (!options.tails.empty()) {
    checkTails(rows, options.tails);
    plan.wantTails(rows, options.tails, compute);
  }
  // What the last layer adds to visual tokens or sinks lies outside the tails; then it runs whole.
  const bool trims = plan.tail.defined() && !deepstack(lastLayer) && !cue(lastLayer);

  at::Tensor states = embed(rows, features, device), pending;  // pending: not yet added to the states (inference only)
  const auto show = [&](ProbeSite site, std::int64_t layer) {
    if (options.probe && options.probe->wants(site, layer))
      options.probe->take(site, layer, -1, pending.defined() ? states + pending : states.detach().clone());
  };
  show(ProbeSite::Embed, 0);
  for (std::int64_t l = 0; l < m_config.layers; ++l) {
    const bool trimmed = trims && l == lastLayer;
    if (inference)
      inferLayer(l, states, pending, plan, trimmed);
    else if (options.checkpointActivations && at::GradMode::is_enabled())
      states = recomputed([this, l, plan, trimmed](const at::Tensor& x) { return runLayer(l, x, plan, trimmed); },
                          states, layers()[static_cast<std::size_t>(l)]->parameters());
    else
      states = runLayer(l, states, plan, trimmed);
    show(ProbeSite::LayerRaw, l);
    if (pending.defined() && (deepstack(l) || cue(l))) {
      states.add_(pending);
      pending.reset();
    }
    if (deepstack(l)) {
      const at::Tensor feature = features->deepstack[static_cast<std::size_t>(l)].to(states.scalar_type());
      states = inference ? states.index_add_(0, visual, feature) : states.index_add(0, visual, feature);
    }
    if (cue(l)) states = injectCue(l, states, routes, options, inference);
    show(ProbeSite::Hidden, l);
  }
  for (const auto& segment : plan.segments)
    for (std::int64_t i = 0; plan.cache && i < segment.rows; ++i)
      plan.cache->advance(plan.cacheRows[static_cast<std::size_t>(segment.row + i)],
                          segment.prefixLength + segment.length);
  states = inference ? kernels::addRmsNorm(pending, states, m_norm->weight, m_norm->eps) : m_norm->forward(states);
  if (plan.tail.defined() && !trims) states = states.index_select(0, plan.tail);
  pending.reset();
  show(ProbeSite::LastHidden, m_config.layers);
  return states;
}

at::Tensor TextDecoder::headsOf(const at::Tensor& projected, std::int64_t heads, const RmsNorm& norm, const at::Tensor& cos,
                                const at::Tensor& sin) const {
  return applyRope(norm.forward(projected.view({-1, heads, m_config.headDim}).to(stateType())), cos, sin).to(activationType());
}

// y = x + W_o attention(norm x), then y + MLP(norm y) (spec 2.4). [T, h] -> [T, h], or the wanted tails' [tails, h].
at::Tensor TextDecoder::runLayer(std::int64_t index, const at::Tensor& states, const Plan& plan, bool trimmed) const {
  const DecoderLayer& layer = *layers()[static_cast<std::size_t>(index)];
  const DecoderLayer::Attention& a = *layer.attention;
  const at::Tensor x = layer.inputNorm->forward(states).to(activationType());
  const at::Tensor asking = trimmed ? x.index_select(0, plan.tail) : x;
  const at::Tensor q = headsOf(a.q->forward(asking), m_config.heads, *a.qNorm, trimmed ? plan.tailCos : plan.cos, trimmed ? plan.tailSin : plan.sin);
  const at::Tensor k = headsOf(a.k->forward(x), m_config.kvHeads, *a.kNorm, plan.cos, plan.sin);
  const at::Tensor v = a.v->forward(x).view({-1, m_config.kvHeads, m_config.headDim});
  const Intervention::Layer* silenced = plan.silenced(index);
  const at::Tensor heads = attend(index, q, k, v, plan, trimmed), before = trimmed ? states.index_select(0, plan.tail) : states;
  const at::Tensor attended = silenced && silenced->attention ? before : before + a.o->forward(heads);
  if (silenced && silenced->mlp) return attended;
  return attended + layer.mlp->forward(layer.postNorm->forward(attended).to(activationType()));
}

// The same layer without autograd: in place, on our kernels, the last addition left to whoever reads the states next.
void TextDecoder::inferLayer(std::int64_t index, at::Tensor& states, at::Tensor& pending, const Plan& plan,
                             bool trimmed) const {
  const DecoderLayer& layer = *layers()[static_cast<std::size_t>(index)];
  const DecoderLayer::Attention& a = *layer.attention;
  const at::Tensor x = kernels::addRmsNorm(pending, states, layer.inputNorm->weight, layer.inputNorm->eps);
  at::Tensor q = a.q->forward(trimmed ? x.index_select(0, plan.tail) : x).view({-1, m_config.heads, m_config.headDim});
  at::Tensor k = a.k->forward(x).view({-1, m_config.kvHeads, m_config.headDim});
  const at::Tensor v = a.v->forward(x).view({-1, m_config.kvHeads, m_config.headDim});
  if (trimmed) {  // queries and keys of other tokens: one after the other, beside no heads
    at::Tensor none = q.new_empty({k.size(0), 0, m_config.headDim});
    kernels::qkNormRope(none, k, a.qNorm->weight, a.kNorm->weight, plan.wideCos, plan.wideSin, a.qNorm->eps);
    none = q.new_empty({q.size(0), 0, m_config.headDim});
    kernels::qkNormRope(q, none, a.qNorm->weight, a.kNorm->weight, plan.wideCos.index_select(0, plan.tail),
                        plan.wideSin.index_select(0, plan.tail), a.qNorm->eps);
    states = states.index_select(0, plan.tail);
  } else {
    kernels::qkNormRope(q, k, a.qNorm->weight, a.kNorm->weight, plan.wideCos, plan.wideSin, a.qNorm->eps);
  }
  const Intervention::Layer* silenced = plan.silenced(index);
  const at::Tensor heads = attend(index, q, k, v, plan, trimmed);
  pending = silenced && silenced->attention ? at::Tensor() : a.o->forward(heads);
  if (silenced && silenced->mlp) return;
  const at::Tensor y = kernels::addRmsNorm(pending, states, layer.postNorm->weight, layer.postNorm->eps);
  at::Tensor gate = layer.mlp->gate->forward(y);
  pending = layer.mlp->down->forward(at::silu_(gate).mul_(layer.mlp->up->forward(y)));
}

// q [Q, heads, d], k and v [T, kvHeads, d] -> [Q, heads * d].
at::Tensor TextDecoder::attend(std::int64_t index, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const Plan& plan, bool trimmed) const {
  if (plan.cache) {
    for (const auto& s : plan.segments)
      for (std::int64_t i = 0; i < s.rows; ++i) {
        const auto part = [&](const at::Tensor& t) {
          const at::Tensor mine = t.narrow(0, s.begin + i * s.length, s.length);
          return s.prefixLength ? at::cat({t.narrow(0, s.prefixBegin, s.prefixLength), mine}) : mine;
        };
        plan.cache->write(index, plan.cacheRows[static_cast<std::size_t>(s.row + i)], part(k), part(v));
      }
  }
  std::vector<at::Tensor> parts;
  for (const auto& s : trimmed ? plan.tailSegments : plan.segments) {
    const auto batch = [&](const at::Tensor& t, std::int64_t begin, std::int64_t length) {
      return t.narrow(0, begin, s.rows * length).unflatten(0, {s.rows, length}).transpose(1, 2);
    };
    at::Tensor keys, values;
    if (s.cached >= 0) {
      keys = plan.cache->keys(index, s.cached, s.cachedLength + s.length).unsqueeze(0);
      values = plan.cache->values(index, s.cached, s.cachedLength + s.length).unsqueeze(0);
    } else if (s.prefixLength > 0) {
      const auto joined = [&](const at::Tensor& t) {
        return at::cat({t.narrow(0, s.prefixBegin, s.prefixLength), t.narrow(0, s.begin, s.length)})
            .transpose(0, 1)
            .unsqueeze(0);
      };
      keys = joined(k);
      values = joined(v);
    } else {
      keys = batch(k, s.begin, s.length);
      values = batch(v, s.begin, s.length);
    }
    bool causal = s.queryLength == s.length && s.before() == 0;
    at::Tensor mask = s.mask;
    const auto* silenced = plan.silenced(index);
    const bool blocks = silenced && silenced->blocks();
    if (blocks) {
      const std::int64_t seen = s.before() + s.length;
      if (!mask.defined())
        mask = s.queryLength == 1 ? at::zeros({1, seen}, q.options()) : causalMask(s.queryLength, seen - s.queryLength, q.options());
      mask = mask.masked_fill(blockedKeys(*silenced, at::arange(seen - s.queryLength, seen, at::TensorOptions(q.device()).dtype(at::kLong)), seen),
                              -std::numeric_limits<double>::infinity());
      causal = false;
    }
    const at::Tensor queries = batch(q, s.queryBegin, s.queryLength);
    const at::Tensor out = mixed() && q.is_cpu() && q.scalar_type() == at::kBFloat16 && !blocks
                               ? narrowAttention(queries, keys, values)
                               : at::scaled_dot_product_attention(queries, keys, values, mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt,
                                                                  0.0, causal, std::nullopt, m_config.heads != m_config.kvHeads);
    parts.push_back(out.transpose(1, 2).reshape({s.rows * s.queryLength, m_config.heads * m_config.headDim}));
  }
  if (plan.probe) showAttention(index, q, k, plan, trimmed);
  at::Tensor all = parts.size() == 1 ? parts[0] : at::cat(parts);
  if (const auto* silenced = plan.silenced(index); silenced && !silenced->heads.empty()) {
    at::Tensor kept = at::ones({m_config.heads, 1}, all.options());
    for (const std::int64_t head : silenced->heads) kept[head] = 0;
    all = (all.view({-1, m_config.heads, m_config.headDim}) * kept).flatten(1);
  }
  return all;
}

// From q and k of the wanted queries only: the whole matrix never exists.
at::Tensor TextDecoder::weightsOf(std::int64_t index, const at::Tensor& q, const at::Tensor& k, const Plan& plan,
                                  std::size_t segment, std::int64_t row, bool trimmed,
                                  const std::vector<std::int64_t>& wanted) const {
  const Plan::Segment& s = (trimmed ? plan.tailSegments : plan.segments)[segment];
  const std::int64_t group = m_config.heads / m_config.kvHeads;
  const std::int64_t begin = s.begin + row * s.length, before = s.before(), skipped = s.length - s.queryLength;
  const auto count = static_cast<std::int64_t>(wanted.size());
  const at::Tensor position = at::tensor(wanted, at::kLong).to(q.device());
  at::Tensor keys = k.narrow(0, begin, s.length).transpose(0, 1);  // [kvHeads, K, d]
  if (s.prefixLength) keys = at::cat({k.narrow(0, s.prefixBegin, s.prefixLength).transpose(0, 1), keys}, 1);
  if (s.cachedLength) keys = plan.cache->keys(index, s.cached, s.cachedLength + s.length);
  const at::Tensor queries = q.narrow(0, s.queryBegin + row * s.queryLength, s.queryLength)
                                 .index_select(0, position - skipped)
                                 .transpose(0, 1)
                                 .reshape({m_config.kvHeads, group * count, m_config.headDim});
  const auto type = mixed() ? at::kFloat : queries.scalar_type();  // scores are not rounded there
  at::Tensor scores = at::matmul(queries.to(type), keys.transpose(1, 2).to(type))
                          .to(at::kFloat)
                          .mul_(1.0 / std::sqrt(static_cast<double>(m_config.headDim)));
  scores = scores.view({m_config.heads, count, before + s.length});
  if (count != 1 || wanted[0] != s.length - 1) {  // the last token has no later ones
    const at::Tensor later =
        at::arange(before + s.length, position.options()).unsqueeze(0) > (position + before).unsqueeze(1);
    scores.masked_fill_(later, -std::numeric_limits<double>::infinity());
  }
  if (const auto* silenced = plan.silenced(index); silenced && silenced->blocks())
    scores.masked_fill_(blockedKeys(*silenced, position + before, before + s.length), -std::numeric_limits<double>::infinity());
  return at::softmax(scores, -1);
}

void TextDecoder::showAttention(std::int64_t index, const at::Tensor& q, const at::Tensor& k, const Plan& plan,
                                bool trimmed) const {
  const at::NoGradGuard noGrad;
  const bool chosen = plan.probe->wants(ProbeSite::Attention, index), mean = plan.probe->wants(ProbeSite::MeanAttention, index);
  if (!chosen && !mean) return;
  const auto& segments = trimmed ? plan.tailSegments : plan.segments;
  for (std::size_t segment = 0; segment < segments.size(); ++segment) {
    const auto& s = segments[segment];
    for (std::int64_t i = 0; i < s.rows; ++i) {
      const std::int64_t skipped = s.length - s.queryLength;
      std::vector<std::int64_t> all;
      for (std::int64_t t = skipped; t < s.length; ++t) all.push_back(t);
      if (chosen) {
        std::vector<std::int64_t> wanted = plan.probe->queries(index, s.row + i);
        if (wanted.empty()) wanted = all;
        for (const std::int64_t t : wanted)
          if (t < skipped || t >= s.length)
            throw Error("A probe asks for a position that is not there", "row " + std::to_string(s.row + i),
                        "position " + std::to_string(t));
        plan.probe->take(ProbeSite::Attention, index, s.row + i, weightsOf(index, q, k, plan, segment, i, trimmed, wanted));
      }
      if (!mean) continue;
      const std::int64_t keys = s.before() + s.length;
      const std::int64_t piece = std::max<std::int64_t>(1, kShownWeightBytes / (m_config.heads * keys * static_cast<std::int64_t>(sizeof(float))));
      for (std::size_t first = 0; first < all.size(); first += static_cast<std::size_t>(piece)) {
        const std::size_t end = std::min(all.size(), first + static_cast<std::size_t>(piece));
        const std::vector<std::int64_t> part(all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(end));
        plan.probe->take(ProbeSite::MeanAttention, index, s.row + i, weightsOf(index, q, k, plan, segment, i, trimmed, part).mean(0));
      }
    }
  }
}

at::Tensor TextDecoder::injectCue(std::int64_t index, const at::Tensor& states, const CueRoutes& routes,
                                  const ForwardOptions& options, bool inference) const {
  Probe* probe = options.probe;
  const bool weights = probe && probe->wants(ProbeSite::SinkAttention, index),
             norms = probe && probe->wants(ProbeSite::SinkUpdate, index);
  const CueRecovery& module = *cueAt(index);
  at::Tensor attention, update;
  if (inference && !options.plainCueForm) {
    const kernels::CueWeights w{m_sinkQNorm->weight, m_sinkKvNorm->weight, module.q->weight, module.k->weight,
                                module.v->weight, module.o->weight, m_config.heads,   m_config.rmsEps};
    update = kernels::cueRecovery(states.index_select(0, routes.sinks), states.index_select(0, routes.visual),
                                  routes.offsets, w, weights ? &attention : nullptr);
  } else {
    update = module.update(states, routes, *m_sinkQNorm, *m_sinkKvNorm, options.plainCueForm,
                           weights ? &attention : nullptr);
  }
  if (const Intervention* change = options.intervention) {
    if (change->cueScale != 1) update = update * change->cueScale;
    if (change->cueUpdate) update = change->cueUpdate(index, update);
  }
  for (std::size_t b = 0; b < routes.rows.size() && (weights || norms); ++b) {
    const at::NoGradGuard noGrad;
    const auto i = static_cast<std::int64_t>(b);
    if (weights)
      probe->take(ProbeSite::SinkAttention, index, routes.rows[b],
                  attention.narrow(1, routes.offsets[b], routes.offsets[b + 1] - routes.offsets[b]).clone());
    if (norms)
      probe->take(
          ProbeSite::SinkUpdate, index, routes.rows[b],
          at::stack({at::linalg_vector_norm(update.select(0, i).to(at::kFloat)),
                     at::linalg_vector_norm(states.index_select(0, routes.sinks.narrow(0, i, 1)).to(at::kFloat))}));
  }
  return inference ? states.index_add_(0, routes.sinks, update) : states.index_add(0, routes.sinks, update);
}

}  // namespace cuescope
