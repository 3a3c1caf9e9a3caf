// TextDecoder: the language model over packed rows (spec 2.4), DeepStack additions and cue recovery (spec 1) in their
// places. Registered as "model.language_model". Rows attend only to themselves, to the prefix row they continue, or to
// their cache row.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "engine/model/cue_recovery.h"
#include "engine/model/intervention.h"
#include "engine/model/layers.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"

namespace cuescope {

struct ForwardOptions;
struct VisionFeatures;
class KvCache;

/// Halves of queries or keys turned by the rotary tables: x [n, heads, d], tables [n, 1, d/2].
at::Tensor applyRope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);
/// Which of `positions` (int64 [n]; 0-based in the row, cached and prefix tokens counted) cannot read which of `length` keys: bool
/// [n, length]. Chosen keys and queries that lie behind the row's end block nothing.
at::Tensor blockedKeys(const Intervention::Layer& layer, const at::Tensor& positions, std::int64_t length);

/// One decoder layer's weights, by their checkpoint names.
struct DecoderLayer : torch::nn::Module {
  struct Attention : torch::nn::Module {
    Attention(const Qwen3VLConfig::Text& config, const at::TensorOptions& options);
    std::shared_ptr<Linear> q, k, v, o;
    std::shared_ptr<RmsNorm> qNorm, kNorm;
  };
  struct Mlp : torch::nn::Module {
    Mlp(const Qwen3VLConfig::Text& config, const at::TensorOptions& options);
    at::Tensor forward(const at::Tensor& x) const;
    std::shared_ptr<Linear> gate, up, down;
  };
  DecoderLayer(const Qwen3VLConfig::Text& config, const at::TensorOptions& options);
  std::shared_ptr<RmsNorm> inputNorm, postNorm;
  std::shared_ptr<Attention> attention;
  std::shared_ptr<Mlp> mlp;
};

class TextDecoder : public torch::nn::Module {
 public:
  /// Cue recovery modules are made for config.cue.layers when config.cue.enabled.
  TextDecoder(const Qwen3VLConfig& config, const at::TensorOptions& options);

  /// [vocabulary, h].
  const at::Tensor& embedding() const { return m_embedding; }
  const std::vector<std::shared_ptr<DecoderLayer>>& layers() const { return m_layers->items; }
  const RmsNorm& finalNorm() const { return *m_norm; }
  /// Rotary tables float32 [T, headDim / 2] of positions int64 [3, T] (interleaved mRoPE).
  void ropeTables(const at::Tensor& positionIds, at::Tensor& cos, at::Tensor& sin) const;

  /// States after the final norm, [T, h]. `features` may be null when no row has visual tokens.
  at::Tensor forward(const Rows& rows, const VisionFeatures* features, const ForwardOptions& options) const;

  /// Makes the modules of config.cue.layers, which must not be there yet. Their weights are empty.
  void addCueRecovery(const Qwen3VLConfig::Cue& cue, const at::TensorOptions& options);
  at::ScalarType activationType() const { return m_activation == at::ScalarType::Undefined ? computeType(m_embedding) : m_activation; }
  /// Mixed precision: products in the activation type, states between the layers in float32 (see Qwen3VL::setActivationType).
  bool mixed() const { return activationType() != computeType(m_embedding); }
  at::ScalarType stateType() const { return mixed() ? wideType(computeType(m_embedding)) : activationType(); }
  void setActivationType(at::ScalarType type) { m_activation = type; }
  void setActiveCueLayers(const std::vector<std::int64_t>& layers) { m_cue.active = layers; }
  /// The module of an injection layer, null where there is none.
  const CueRecovery* cueAt(std::int64_t layer) const;
  const RmsNorm* sinkQNorm() const { return m_sinkQNorm.get(); }
  const RmsNorm* sinkKvNorm() const { return m_sinkKvNorm.get(); }

 private:
  struct Plan;
  struct Table : torch::nn::Module {
    Table(std::int64_t rows, std::int64_t size, const at::TensorOptions& options);
    at::Tensor weight;
  };

  at::Tensor embed(const Rows& rows, const VisionFeatures* features, const at::Device& device) const;
  /// Queries or keys of a projection's output, normed and rotated, in the activation type: [n, heads, d].
  at::Tensor headsOf(const at::Tensor& projected, std::int64_t heads, const RmsNorm& norm, const at::Tensor& cos, const at::Tensor& sin) const;
  at::Tensor runLayer(std::int64_t index, const at::Tensor& states, const Plan& plan, bool trimmed) const;
  void inferLayer(std::int64_t index, at::Tensor& states, at::Tensor& pending, const Plan& plan, bool trimmed) const;
  at::Tensor attend(std::int64_t index, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Plan& plan,
                    bool trimmed) const;
  void showAttention(std::int64_t index, const at::Tensor& q, const at::Tensor& k, const Plan& plan,
                     bool trimmed) const;
  /// Weights [H, n, K] of chosen positions of one row of a segment.
  at::Tensor weightsOf(std::int64_t index, const at::Tensor& q, const at::Tensor& k, const Plan& plan, std::size_t segment,
                       std::int64_t row, bool trimmed, const std::vector<std::int64_t>& wanted) const;
  at::Tensor injectCue(std::int64_t index, const at::Tensor& states, const CueRoutes& routes,
                       const ForwardOptions& options, bool inference) const;

  Qwen3VLConfig::Text m_config;
  Qwen3VLConfig::Cue m_cue;
  std::shared_ptr<Table> m_table;
  at::Tensor m_embedding;
  at::ScalarType m_activation = at::ScalarType::Undefined;  // Undefined: the weights' own
  std::shared_ptr<ModuleArray<DecoderLayer>> m_layers;
  std::shared_ptr<RmsNorm> m_norm;
  std::shared_ptr<ModuleArray<CueRecovery>> m_sinkCrossAttns;
  std::shared_ptr<RmsNorm> m_sinkQNorm, m_sinkKvNorm;
};

}  // namespace cuescope
