// Qwen3VL: the student and the teacher. Registered names are checkpoint key segments ("model.language_model.layers.0.…"), so
// loading by name is the whole mapping. Weights are const during a forward pass; what a pass needs lives in Rows and KvCache.
// Sources: spec 1 (cue recovery), 2 (Qwen3-VL). Engine thread only.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/events.h"
#include "engine/model/probe.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"

namespace cuescope {

class VisionTower;
class TextDecoder;
class KvCache;

/// Output of the vision tower for all items of a batch, in order.
struct VisionFeatures {
  at::Tensor merged;                  // [V, h]
  std::vector<at::Tensor> deepstack;  // each [V, h]
};

struct Intervention;  // intervention.h

struct ForwardOptions {
  Probe* probe = nullptr;
  KvCache* cache = nullptr;                  // prefill: gets a new row for every row; or Rows::cached says which it continues
  std::int64_t cacheRoom = 0;                // tokens that will follow each new cache row
  std::vector<std::int64_t> tails;           // empty: states of all tokens. Else [B]: only those of each row's last tails[b] tokens
                                             // are returned, [sum, h], and the last layer computes no others (a probe sees them only)
  const VisionFeatures* vision = nullptr;    // given: the tower is not run
  bool checkpointActivations = false;        // recompute decoder layers in backward
  bool cue = true;                           // false: the module is off
  const Intervention* intervention = nullptr;  // what is silenced; null: nothing
  bool plainCueForm = false;                 // spec 1.3 step by step instead of the folded form 1.13
};

class Qwen3VL : public torch::nn::Module {
 public:
  /// Parameters are allocated, not filled: load() or initialize() does that. `options`: storage type and device.
  explicit Qwen3VL(const Qwen3VLConfig& config, const at::TensorOptions& options = at::kFloat);
  ~Qwen3VL() override;
  /// Random weights: matrices and embeddings normal(0, initializer range), norms 1, biases 0; the cue module as "normal".
  void initialize(std::uint64_t seed);

  /// Opens an unmodified Hugging Face folder. `dtype` is "float32" or "bfloat16" (storage and, on CUDA, compute; the CPU
  /// computes in float32). Partial cue recovery weights are an Error that names what is missing; `withoutCue` opens anyway.
  static std::shared_ptr<Qwen3VL> load(const std::string& folder, const std::string& device, const std::string& dtype,
                                       const EventSink& sink = {}, bool withoutCue = false);
  /// Writes config.json and model.safetensors (sharded above 4 GB) under the reference's names. Tokenizer and processor
  /// files are copied from `filesFrom`.
  void save(const std::string& folder, const std::string& filesFrom, const std::string& dtype = "float32") const;

  /// The same weights in memory of their own, without gradients: what the original learns later does not reach it.
  std::shared_ptr<Qwen3VL> copy() const;

  const Qwen3VLConfig& config() const { return m_config; }
  ModelInfo info() const;
  at::Device device() const;

  /// Adds cue recovery (spec 1.10): "zero_o" or "normal". Error if the model has it.
  void addCueRecovery(std::int64_t interval, const std::string& init, bool skipLastLayer, std::uint64_t seed);

  /// Which injection layers act, a subset of config().cue.layers. The last decoder layer's is off by default: it reaches no
  /// other token (spec B5); parity with the reference's states needs it on.
  void setActiveCueLayers(const std::vector<std::int64_t>& layers);

  /// pixels float32 [P, 1536].
  VisionFeatures encodeImages(const at::Tensor& pixels, const std::vector<Grid>& grids, Probe* probe = nullptr,
                              bool recompute = false) const;
  /// States after the final norm, [T, h], for every token of `rows`. Differentiable unless grad mode is off.
  at::Tensor forward(const Rows& rows, const ForwardOptions& options = {}) const;
  /// Logits of chosen states: [N, h] -> [N, vocabulary] in the compute type.
  at::Tensor logits(const at::Tensor& states) const;
  /// [vocabulary, h]; the embedding when tied.
  const at::Tensor& headWeight() const;

  /// The type of matrix products and attention. Another one than the weights would have (bfloat16 over float32 weights, or over
  /// bfloat16 weights on the CPU) is mixed precision: products and attention take and give that type, while the stream of states between
  /// the layers, norms, rotations, the head, losses and gradients of weights stay float32 (spec 1.3). It keeps narrow copies of the
  /// matrices, which refreshNarrowWeights() renews after an update. On a CPU with AVX-512 BF16 (where that is tested) a token's states
  /// then are the same bits whatever it is computed with, in a pass over whole rows as one by one behind a cache.
  at::ScalarType activationType() const;
  void setActivationType(at::ScalarType type);
  void refreshNarrowWeights();

  VisionTower& vision() const { return *m_vision; }
  TextDecoder& text() const { return *m_text; }

 private:
  struct Body;  // "model": holds "visual" and "language_model"

  Qwen3VLConfig m_config;
  std::shared_ptr<Body> m_body;
  std::shared_ptr<torch::nn::Module> m_head;  // "lm_head" of untied models
  at::Tensor m_headWeight;
  std::shared_ptr<VisionTower> m_vision;
  std::shared_ptr<TextDecoder> m_text;
  std::string m_folder, m_digest;
};

}  // namespace cuescope
