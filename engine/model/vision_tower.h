// VisionTower: patches to merged visual tokens and DeepStack features (spec 2.3). Attention is full within one temporal
// slice; slices of one size run as one batch. Registered as "model.visual".
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "engine/model/layers.h"
#include "engine/model/probe.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"

namespace cuescope {

struct VisionFeatures;

class VisionTower : public torch::nn::Module {
 public:
  VisionTower(const Qwen3VLConfig::Vision& config, const at::TensorOptions& options);

  void setActivationType(at::ScalarType type) { m_activation = type; }
  /// pixels [P, channels * temporalPatch * patch^2] in merge order. Throws Error when P is not what the grids need.
  VisionFeatures forward(const at::Tensor& pixels, const std::vector<Grid>& grids, Probe* probe, bool recompute) const;

 private:
  struct PatchEmbed;
  struct Block;
  struct Merger;
  struct Slices;
  struct Table : torch::nn::Module {
    Table(std::int64_t rows, std::int64_t size, const at::TensorOptions& options);
    at::Tensor weight;
  };

  at::Tensor positions(const std::vector<Grid>& grids, at::ScalarType type) const;
  void attentionOf(const at::Tensor& q, const at::Tensor& k, std::int64_t layer, const Slices& slices,
                   Probe& probe) const;

  Qwen3VLConfig::Vision m_config;
  at::ScalarType m_activation = at::ScalarType::Undefined;  // Undefined: the weights' own
  std::shared_ptr<PatchEmbed> m_patchEmbed;
  std::shared_ptr<Table> m_positions;
  std::shared_ptr<ModuleArray<Block>> m_blocks;
  std::shared_ptr<Merger> m_merger;
  std::shared_ptr<ModuleArray<Merger>> m_deepstack;
};

}  // namespace cuescope
