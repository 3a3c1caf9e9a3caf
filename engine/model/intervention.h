// Intervention: what a forward pass does otherwise than its weights say, for questions of cause. Values and functions, nothing
// stored in the model: a pass without one is the plain pass, bit for bit. Positions count a row's tokens, its cached ones included.
// Engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace cuescope {

struct Intervention {
  /// What one decoder layer leaves out.
  struct Layer {
    std::vector<std::int64_t> heads;  // their outputs are 0 before o_proj
    bool attention = false;           // adds nothing
    bool mlp = false;                 // adds nothing
    std::vector<std::int64_t> keys;   // cannot be read by `queries` (empty: by no later position); a position always reads itself
    std::vector<std::int64_t> queries;
    bool blocks() const { return !keys.empty(); }
  };
  std::map<std::int64_t, Layer> layers;  // by decoder layer

  double cueScale = 1;                                   // of cue recovery's update
  std::optional<std::vector<std::int64_t>> cueLayers;    // the injection layers that act; absent: the model's own
  /// Replaces an update [rows, h] at an injection layer (after scaling), e.g. by a random one of its length.
  std::function<at::Tensor(std::int64_t layer, const at::Tensor& update)> cueUpdate;

  const Layer* at(std::int64_t layer) const {
    const auto found = layers.find(layer);
    return found == layers.end() ? nullptr : &found->second;
  }
};

}  // namespace cuescope
