// Full-vocabulary divergences between teacher and student, straight from hidden states: the [tokens, vocabulary] logits never
// exist, neither in the forward nor in the backward pass. Memory is two [R, chunk] blocks, whatever the vocabulary.
// p is the teacher, q the student; every divergence is D = sum_j phi(p_j, q_j), in nats. Engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace cuescope {

enum class Divergence {
  ForwardKl,      // KL(p || q)
  ReverseKl,      // KL(q || p)
  Jsd,            // b KL(p || m) + (1 - b) KL(q || m), m = b p + (1 - b) q; 0 < b < 1 (generalised Jensen-Shannon, GKD)
  Alpha,          // (sum p^a q^(1-a) - 1) / (a (a - 1)); a not 0 or 1, whose limits are the reverse and the forward KL (Amari)
  SkewForwardKl,  // KL(p || l p + (1 - l) q); 0 <= l < 1 (DistiLLM)
  SkewReverseKl,  // KL(q || (1 - l) p + l q); 0 <= l < 1
};

/// "forward_kl", "reverse_kl", "jsd", "alpha", "skew_forward_kl", "skew_reverse_kl". Throws Error on another word.
Divergence divergenceFromName(const std::string& name);

struct DivergenceOptions {
  Divergence kind = Divergence::ForwardKl;
  double parameter = 0.5;           // b, a or l above; not used by the two plain KLs
  double temperature = 1.0;         // both logits are divided by it
  std::int64_t vocabularyChunk = 8192;
};

/// D of every row, float32 [R]. Differentiable with respect to the student's states and head; the teacher is a constant.
/// studentStates [R, h], studentHead [V, h], teacherStates [R, h'], teacherHead [V, h']; products in the states' types,
/// probabilities in float32. Throws Error on shapes that do not fit or a parameter out of range.
at::Tensor divergence(const at::Tensor& studentStates, const at::Tensor& studentHead, const at::Tensor& teacherStates,
                      const at::Tensor& teacherHead, const DivergenceOptions& options);

}  // namespace cuescope
