#include "engine/model/vision_tower.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <map>

#include "engine/core/failure.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {
namespace {

constexpr double kVisionEps = 1e-6;
constexpr float kVisionTheta = 10000.f;

// The patches of an h x w slice in merge order: (h/m, w/m, m, m).
template <typename Visit>
void inMergeOrder(std::int64_t h, std::int64_t w, std::int64_t merge, Visit visit) {
  for (std::int64_t by = 0; by < h; by += merge)
    for (std::int64_t bx = 0; bx < w; bx += merge)
      for (std::int64_t y = by; y < by + merge; ++y)
        for (std::int64_t x = bx; x < bx + merge; ++x) visit(y, x);
}

// linspace(0, last, n)[i] as the reference computes it in float32: from both ends.
float linspaceAt(std::int64_t n, std::int64_t i, float last) {
  if (n == 1) return 0.f;
  const float step = last / static_cast<float>(n - 1);
  return i < n / 2 ? step * static_cast<float>(i) : last - step * static_cast<float>(n - 1 - i);
}

// [P, D] x [P, e] tables: rotate halves (float32 arithmetic, result in the type of x). x [P, heads, e].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor wide = x.to(wideType(x.scalar_type()));
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  return at::cat({first * cos - second * sin, second * cos + first * sin}, -1).to(x.scalar_type());
}

}  // namespace

// Consecutive temporal slices of one size: they share a batch in attention.
struct VisionTower::Slices {
  struct Group {
    std::int64_t begin, count, length;  // in patches
  };
  std::vector<Group> groups;
  at::Tensor cos, sin;  // float32 [P, 1, e/2]
};

struct VisionTower::PatchEmbed : torch::nn::Module {
  struct Projection : torch::nn::Module {
    Projection(const Qwen3VLConfig::Vision& c, const at::TensorOptions& options) {
      weight =
          register_parameter("weight", at::empty({c.hidden, c.channels, c.temporalPatch, c.patch, c.patch}, options));
      bias = register_parameter("bias", at::empty({c.hidden}, options));
    }
    at::Tensor weight, bias;
  };
  PatchEmbed(const Qwen3VLConfig::Vision& c, const at::TensorOptions& options) {
    proj = register_module("proj", std::make_shared<Projection>(c, options));
  }
  // A convolution whose kernel is its stride is one matrix product.
  at::Tensor forward(const at::Tensor& pixels) const {
    return cuescope::linear(pixels, proj->weight.flatten(1), proj->bias);
  }
  std::shared_ptr<Projection> proj;
};

// x + proj(attention(LN1 x)), then + fc2(gelu_tanh(fc1(LN2 x))); attention within a temporal slice, both ways (spec 2.3, step 4).
struct VisionTower::Block : torch::nn::Module {
  struct Attention : torch::nn::Module {
    Attention(std::int64_t hidden, const at::TensorOptions& options) {
      qkv = register_module("qkv", std::make_shared<Linear>(hidden, 3 * hidden, true, options));
      proj = register_module("proj", std::make_shared<Linear>(hidden, hidden, true, options));
    }
    std::shared_ptr<Linear> qkv, proj;
  };
  struct Mlp : torch::nn::Module {
    Mlp(std::int64_t hidden, std::int64_t inner, const at::TensorOptions& options) {
      fc1 = register_module("linear_fc1", std::make_shared<Linear>(hidden, inner, true, options));
      fc2 = register_module("linear_fc2", std::make_shared<Linear>(inner, hidden, true, options));
    }
    at::Tensor forward(const at::Tensor& x) const { return fc2->forward(at::gelu(fc1->forward(x), "tanh")); }
    std::shared_ptr<Linear> fc1, fc2;
  };
  Block(const Qwen3VLConfig::Vision& c, const at::TensorOptions& options) : heads(c.heads) {
    norm1 = register_module("norm1", std::make_shared<LayerNorm>(c.hidden, kVisionEps, options));
    norm2 = register_module("norm2", std::make_shared<LayerNorm>(c.hidden, kVisionEps, options));
    attn = register_module("attn", std::make_shared<Attention>(c.hidden, options));
    mlp = register_module("mlp", std::make_shared<Mlp>(c.hidden, c.intermediate, options));
  }

  using Look = std::function<void(const at::Tensor& q, const at::Tensor& k)>;
  at::Tensor forward(const at::Tensor& x, const Slices& slices, const Look& look) const {
    const std::int64_t patches = x.size(0), hidden = x.size(1), size = hidden / heads;
    const at::Tensor qkv = attn->qkv->forward(norm1->forward(x)).view({patches, 3, heads, size});
    const at::Tensor q = rotate(qkv.select(1, 0), slices.cos, slices.sin),
                     k = rotate(qkv.select(1, 1), slices.cos, slices.sin);
    const at::Tensor v = qkv.select(1, 2);
    if (look) look(q, k);
    std::vector<at::Tensor> parts;
    for (const auto& group : slices.groups) {
      const auto batch = [&](const at::Tensor& t) {
        return t.narrow(0, group.begin, group.count * group.length)
            .unflatten(0, {group.count, group.length})
            .transpose(1, 2);
      };
      parts.push_back(at::scaled_dot_product_attention(batch(q), batch(k), batch(v))
                          .transpose(1, 2)
                          .reshape({group.count * group.length, hidden}));
    }
    const at::Tensor states = x + attn->proj->forward(parts.size() == 1 ? parts[0] : at::cat(parts));
    return states + mlp->forward(norm2->forward(states));
  }

  std::int64_t heads;
  std::shared_ptr<LayerNorm> norm1, norm2;
  std::shared_ptr<Attention> attn;
  std::shared_ptr<Mlp> mlp;
};

// Four patches in a row become one token: their states side by side, a LayerNorm before or after that, then fc2(gelu(fc1 .)) (spec 2.3,
// step 5).
struct VisionTower::Merger : torch::nn::Module {
  Merger(const Qwen3VLConfig::Vision& c, bool normAfterMerge, const at::TensorOptions& options)
      : normAfterMerge(normAfterMerge) {
    wide = c.hidden * c.merge * c.merge;
    norm = register_module("norm", std::make_shared<LayerNorm>(normAfterMerge ? wide : c.hidden, kVisionEps, options));
    fc1 = register_module("linear_fc1", std::make_shared<Linear>(wide, wide, true, options));
    fc2 = register_module("linear_fc2", std::make_shared<Linear>(wide, c.outHidden, true, options));
  }
  at::Tensor forward(const at::Tensor& x) const {
    const at::Tensor merged = normAfterMerge ? norm->forward(x.reshape({-1, wide})) : norm->forward(x).view({-1, wide});
    return fc2->forward(at::gelu(fc1->forward(merged)));
  }
  bool normAfterMerge;
  std::int64_t wide;
  std::shared_ptr<LayerNorm> norm;
  std::shared_ptr<Linear> fc1, fc2;
};

VisionTower::Table::Table(std::int64_t rows, std::int64_t size, const at::TensorOptions& options) {
  weight = register_parameter("weight", at::empty({rows, size}, options));
}

VisionTower::VisionTower(const Qwen3VLConfig::Vision& config, const at::TensorOptions& options) : m_config(config) {
  m_patchEmbed = register_module("patch_embed", std::make_shared<PatchEmbed>(config, options));
  m_positions = register_module("pos_embed", std::make_shared<Table>(config.positions, config.hidden, options));
  m_blocks = register_module("blocks", std::make_shared<ModuleArray<Block>>());
  for (std::int64_t i = 0; i < config.depth; ++i)
    m_blocks->add(std::to_string(i), std::make_shared<Block>(config, options));
  m_merger = register_module("merger", std::make_shared<Merger>(config, false, options));
  m_deepstack = register_module("deepstack_merger_list", std::make_shared<ModuleArray<Merger>>());
  for (std::size_t i = 0; i < config.deepstack.size(); ++i)
    m_deepstack->add(std::to_string(i), std::make_shared<Merger>(config, true, options));
}

// Bilinear mix of the square position table, once per distinct size, repeated for every slice (spec 2.3, step 2).
at::Tensor VisionTower::positions(const std::vector<Grid>& grids, at::ScalarType type) const {
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(m_config.positions))));
  const auto device = m_positions->weight.device();
  std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> known;
  std::vector<at::Tensor> parts;
  for (const Grid& grid : grids) {
    at::Tensor& mixed = known[{grid.h, grid.w}];
    if (!mixed.defined()) {
      at::Tensor index = at::empty({4, grid.h * grid.w}, at::kLong),
                 weight = at::empty({4, grid.h * grid.w, 1}, at::kFloat);
      auto* to = index.data_ptr<std::int64_t>();
      auto* share = weight.data_ptr<float>();
      const std::int64_t n = grid.h * grid.w;
      std::int64_t at = 0;
      inMergeOrder(grid.h, grid.w, m_config.merge, [&](std::int64_t row, std::int64_t column) {
        const float y = linspaceAt(grid.h, row, static_cast<float>(side - 1)),
                    x = linspaceAt(grid.w, column, static_cast<float>(side - 1));
        const auto y0 = static_cast<std::int64_t>(y), x0 = static_cast<std::int64_t>(x);
        const std::int64_t y1 = std::min(y0 + 1, side - 1), x1 = std::min(x0 + 1, side - 1);
        const float dy = y - static_cast<float>(y0), dx = x - static_cast<float>(x0);
        const std::int64_t corners[4] = {y0 * side + x0, y0 * side + x1, y1 * side + x0, y1 * side + x1};
        const float shares[4] = {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx};
        for (int corner = 0; corner < 4; ++corner) {
          to[corner * n + at] = corners[corner];
          share[corner * n + at] = shares[corner];
        }
        ++at;
      });
      mixed = (at::embedding(m_positions->weight, index.to(device)).to(type) * weight.to(device, type)).sum(0);
    }
    for (std::int64_t t = 0; t < grid.t; ++t) parts.push_back(mixed);
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

void VisionTower::attentionOf(const at::Tensor& q, const at::Tensor& k, std::int64_t layer, const Slices& slices,
                              Probe& probe) const {
  const at::NoGradGuard noGrad;
  const bool chosen = probe.wants(ProbeSite::VisionAttention, layer), received = probe.wants(ProbeSite::VisionReceived, layer);
  std::int64_t slice = 0;
  for (const auto& group : slices.groups)
    for (std::int64_t i = 0; i < group.count; ++i, ++slice) {
      const std::int64_t begin = group.begin + i * group.length;
      const at::Tensor all = q.detach().narrow(0, begin, group.length);
      const at::Tensor keys = k.detach().narrow(0, begin, group.length).permute({1, 2, 0});  // [heads, e, K]
      const auto weights = [&](const at::Tensor& queries) {
        return at::softmax(at::matmul(queries.transpose(0, 1), keys).to(at::kFloat).div_(std::sqrt(static_cast<double>(q.size(-1)))), -1);
      };
      if (chosen) {
        const auto wanted = probe.queries(layer, slice);
        probe.take(ProbeSite::VisionAttention, layer, slice,
                   weights(wanted.empty() ? all : all.index_select(0, at::tensor(wanted, q.options().dtype(at::kLong)))));
      }
      if (!received) continue;
      const std::int64_t piece =
          std::max<std::int64_t>(1, kShownWeightBytes / (q.size(1) * group.length * static_cast<std::int64_t>(sizeof(float))));
      at::Tensor sum;
      for (std::int64_t first = 0; first < group.length; first += piece) {
        const at::Tensor part = weights(all.narrow(0, first, std::min(piece, group.length - first))).sum(1);
        sum = sum.defined() ? sum.add_(part) : part;
        if (first + piece < group.length) probe.wants(ProbeSite::VisionReceived, layer);  // a long look may be cancelled here
      }
      probe.take(ProbeSite::VisionReceived, layer, slice, sum.div_(static_cast<double>(group.length)));
    }
}

VisionFeatures VisionTower::forward(const at::Tensor& pixels, const std::vector<Grid>& grids, Probe* probe,
                                    bool recompute) const {
  const at::Tensor& kernel = m_patchEmbed->proj->weight;
  const auto type = m_activation == at::ScalarType::Undefined ? computeType(kernel) : m_activation;
  const auto stateType = type == computeType(kernel) ? type : wideType(computeType(kernel));  // as in the decoder
  std::int64_t patches = 0;
  Slices slices;
  for (const Grid& grid : grids) {
    const std::int64_t length = grid.h * grid.w;
    if (!slices.groups.empty() && slices.groups.back().length == length)
      slices.groups.back().count += grid.t;
    else
      slices.groups.push_back({patches, grid.t, length});
    patches += grid.t * length;
  }
  if (!pixels.defined() || pixels.dim() != 2 || pixels.size(0) != patches ||
      pixels.size(1) != kernel.numel() / kernel.size(0))
    throw Error("Images and pixels do not match", "vision tower",
                "the grids need " + std::to_string(patches) + " x " + std::to_string(kernel.numel() / kernel.size(0)) +
                    " values, there are " +
                    (pixels.defined() && pixels.dim() == 2
                         ? std::to_string(pixels.size(0)) + " x " + std::to_string(pixels.size(1))
                         : std::string("none")));

  // Rotary angles: half of a head's slots follow the row, half the column of a patch (spec 2.3, step 3).
  const std::int64_t quarter = m_config.hidden / m_config.heads / 4;
  at::Tensor cell = at::empty({patches, 2}, at::kFloat);
  auto* out = cell.data_ptr<float>();
  for (const Grid& grid : grids)
    for (std::int64_t t = 0; t < grid.t; ++t)
      inMergeOrder(grid.h, grid.w, m_config.merge, [&](std::int64_t row, std::int64_t column) {
        *out++ = static_cast<float>(row);
        *out++ = static_cast<float>(column);
      });
  const at::Tensor frequency =
      at::pow(kVisionTheta, at::arange(0, 2 * quarter, 2, at::kFloat) / static_cast<double>(2 * quarter)).reciprocal();
  const at::Tensor angles = (cell.unsqueeze(-1) * frequency).flatten(1).unsqueeze(1).to(kernel.device());
  slices.cos = at::cos(angles);
  slices.sin = at::sin(angles);

  at::Tensor states = m_patchEmbed->forward(pixels.to(kernel.device(), type));
  if (probe && probe->wants(ProbeSite::VisionPatchEmbed, 0))
    probe->take(ProbeSite::VisionPatchEmbed, 0, -1, states.detach());
  states = states.to(stateType) + positions(grids, stateType);
  if (probe && probe->wants(ProbeSite::VisionPatches, 0)) probe->take(ProbeSite::VisionPatches, 0, -1, states.detach());

  VisionFeatures features;
  features.deepstack.resize(m_config.deepstack.size());
  for (std::int64_t i = 0; i < m_config.depth; ++i) {
    const auto& block = m_blocks->items[static_cast<std::size_t>(i)];
    Block::Look look;
    if (probe && (probe->wants(ProbeSite::VisionAttention, i) || probe->wants(ProbeSite::VisionReceived, i)))
      look = [&, i](const at::Tensor& q, const at::Tensor& k) { attentionOf(q, k, i, slices, *probe); };
    if (recompute && at::GradMode::is_enabled())
      states = recomputed([block, slices](const at::Tensor& x) { return block->forward(x, slices, {}); }, states,
                          block->parameters());
    else
      states = block->forward(states, slices, look);
    if (probe && probe->wants(ProbeSite::VisionBlock, i)) probe->take(ProbeSite::VisionBlock, i, -1, states.detach());
    for (std::size_t d = 0; d < m_config.deepstack.size(); ++d) {
      if (m_config.deepstack[d] != i) continue;
      features.deepstack[d] = m_deepstack->items[d]->forward(states);
      if (probe && probe->wants(ProbeSite::VisionDeepstack, static_cast<std::int64_t>(d)))
        probe->take(ProbeSite::VisionDeepstack, static_cast<std::int64_t>(d), -1, features.deepstack[d].detach());
    }
  }
  features.merged = m_merger->forward(states);
  if (probe && probe->wants(ProbeSite::VisionMerged, 0))
    probe->take(ProbeSite::VisionMerged, 0, -1, features.merged.detach());
  return features;
}

}  // namespace cuescope
