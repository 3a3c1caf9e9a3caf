// Probe: the observer inside the model. It is asked first and shown second: a site it does not want costs nothing (no copy, no
// extra arithmetic), and looking changes no number of the forward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cuescope {

enum class ProbeSite {
  Embed,           // [T, h] input of decoder layer 0
  LayerRaw,        // [T, h] output of the decoder layer itself
  Hidden,          // [T, h] state handed on: after DeepStack addition and cue recovery
  LastHidden,      // [T, h] after the final norm
  SinkAttention,   // [n, V_row] weights of the sink of one row over its visual tokens (row is given)
  SinkUpdate,      // [2] norm of the update and of the sink state before it (row is given)
  Attention,       // [H, Q, K] weights of the wanted query positions of one row over the row's keys (row is given)
  VisionPatches,   // [P, D] patch embeddings with positions
  VisionBlock,     // [P, D] after vision block `layer`
  VisionDeepstack, // [V, h] deepstack feature `layer`
  VisionMerged,    // [V, h]
  VisionAttention, // [H, Q, K] of one temporal slice, `row` = slice
  VisionPatchEmbed, // [P, D] patch embeddings before the positions
  MeanAttention,    // [q, K] weights of all positions of one row, mean over heads, as pieces of consecutive queries from the first on
  VisionReceived,   // [H, K] mean over all queries of one temporal slice, `row` = slice
};

class Probe {
 public:
  virtual ~Probe() = default;
  virtual bool wants(ProbeSite site, std::int64_t layer) const = 0;
  /// For Attention: which positions of the row (0-based within the row) are queries. Empty: all.
  virtual std::vector<std::int64_t> queries(std::int64_t layer, std::int64_t row) const { return {}; }
  /// Called on the engine thread, in layer order. The tensor is detached and may be kept.
  virtual void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) = 0;
};

}  // namespace cuescope
