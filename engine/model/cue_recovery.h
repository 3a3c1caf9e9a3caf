// Cue recovery (spec 1): at an injection layer the sink token of a row reads the states of the row's visual tokens
// through a cross-attention of its own and adds the result to itself. CueRecovery holds one layer's projections; the
// two norms are shared by all layers and live in TextDecoder.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "engine/model/layers.h"
#include "engine/model/probe.h"
#include "engine/model/rows.h"

namespace cuescope {

/// Which sinks read which tokens; made once per forward pass, used at every injection layer.
struct CueRoutes {
  std::vector<std::int64_t> rows;     // rows with a sink and visual tokens
  std::vector<std::int64_t> offsets;  // [rows + 1] into `visual`
  at::Tensor sinks;                   // int64 [rows] into T, on the states' device
  at::Tensor visual;                  // int64 [sum] into T

  bool empty() const { return rows.empty(); }
  static CueRoutes of(const Rows& rows, const at::Device& device);
};

class CueRecovery : public torch::nn::Module {
 public:
  CueRecovery(std::int64_t hidden, std::int64_t heads, const at::TensorOptions& options);

  /// What is added to the sinks, [rows, h]. `plain`: spec 1.3 step by step, else the folded form 1.13 (one query needs
  /// neither keys nor values in full). Differentiable. `attention`, if given, gets [heads, sum] weights.
  at::Tensor update(const at::Tensor& states, const CueRoutes& routes, const RmsNorm& qNorm, const RmsNorm& kvNorm,
                    bool plain, at::Tensor* attention) const;

  std::shared_ptr<Linear> q, k, v, o;

 private:
  at::Tensor plainUpdate(const at::Tensor& query, const at::Tensor& keys, const CueRoutes& routes,
                         at::Tensor* attention) const;
  at::Tensor foldedUpdate(const at::Tensor& query, const at::Tensor& keys, const CueRoutes& routes,
                          at::Tensor* attention) const;

  std::int64_t m_heads;
};

}  // namespace cuescope
