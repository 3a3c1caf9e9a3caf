// Log-probabilities from hidden states: the head's product and the log-softmax, a chunk of rows at a time, so that logits of all
// rows [R, V] never exist together; the backward pass makes each chunk again. float32 statistics whatever the model's type.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cuescope {

struct LogProbOptions {
  double temperature = 1.0;      // logits are divided by it
  bool entropy = false;          // also the entropy of the whole distribution
  std::int64_t chunkElements = 16 << 20;  // logits of one chunk, float32 values
};

/// Rows whose logits are there at once.
std::int64_t chunkRows(std::int64_t vocabulary, std::int64_t chunkElements = LogProbOptions{}.chunkElements);

struct LogProbs {
  at::Tensor values;   // float32, shape of ids
  at::Tensor entropy;  // float32 [R], nats; undefined unless asked for
};

/// states [R, h] x head [V, h] -> [R, V] in the type of the states. A head in another type (a bfloat16 teacher's) is widened a piece of the
/// vocabulary at a time. Differentiable where the types agree.
at::Tensor headProduct(const at::Tensor& states, const at::Tensor& head);

/// states [R, h], headWeight [V, h], ids int64 [R] or [R, K]. Differentiable in states and headWeight (values and entropy).
LogProbs logProbsAt(const at::Tensor& states, const at::Tensor& headWeight, const at::Tensor& ids, const LogProbOptions& options = {});

/// The K most likely tokens of each row, most likely first: {log-probabilities float32 [R, K], ids int64 [R, K]}, and of `ids` [R]
/// the log-probabilities. No gradient.
struct TopLogProbs {
  at::Tensor values, ids;
  at::Tensor sampled;
};
TopLogProbs topLogProbs(const at::Tensor& states, const at::Tensor& headWeight, const at::Tensor& sampledIds, std::int64_t k,
                        const LogProbOptions& options = {});

}  // namespace cuescope
