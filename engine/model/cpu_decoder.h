// CpuDecoder: the model's decoding step on engine/kernels/decode_cpu, over the same KvCache as the plain path (decodeStep), which
// is its oracle. Holds views of the weights: make one when a generation starts, and drop it when the weights move. Engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/kernels/decode_cpu.h"
#include "engine/kernels/kernels.h"
#include "engine/model/kv_cache.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

class CpuDecoder {
 public:
  /// Null where the fast step does not apply: another device, or a weight that is neither float32 nor bfloat16.
  static std::unique_ptr<CpuDecoder> create(const Qwen3VL& model);

  /// How many of a prompt's first tokens rows may share (KvCache::shareRow) without a bit of their numbers changing.
  static std::int64_t shareable(std::int64_t tokens);

  /// Appends ids[i] to cache row cacheRows[i]; the states after the final norm, [B, h].
  at::Tensor states(KvCache& cache, std::span<const std::int64_t> cacheRows, std::span<const std::int64_t> ids);
  /// The same, up to the logits float32 [B, vocabulary].
  at::Tensor logits(KvCache& cache, std::span<const std::int64_t> cacheRows, std::span<const std::int64_t> ids);
  /// The same, up to the likeliest id that is not banned and its log-probability; the logits are never stored.
  kernels::Sampled greedy(KvCache& cache, std::span<const std::int64_t> cacheRows, std::span<const std::int64_t> ids,
                          std::span<const std::int64_t> banned);

 private:
  CpuDecoder() = default;
  void step(KvCache& cache, std::span<const std::int64_t> cacheRows, std::span<const std::int64_t> ids,
            const kernels::DecodeResult& result);

  kernels::DecodeModel m_model;
  kernels::DecodeStep m_step;
  std::vector<at::Tensor> m_kept;   // what m_model points into
  std::vector<float> m_frequency;   // [headDim / 2]
  std::vector<float> m_tables;      // cos and sin of each row
  std::vector<kernels::DecodeRow> m_rows;
};

}  // namespace cuescope
