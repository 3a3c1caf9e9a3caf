// Token gaps: what student and teacher would have said at each position of the same response. Everything in float32 over the
// whole vocabulary, a few positions at a time; engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stop_token>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/model/qwen3_vl.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

/// One condition's view of the response.
struct ConditionStates {
  Condition condition = Condition::Student;
  const Qwen3VL* model = nullptr;
  at::Tensor states;  // [R, h] after the final norm, at the positions that predict each response token
};

/// One entry a response token, over the union of each condition's `topTokens` most likely ids. Divergences are between
/// Student and TeacherCue, where both are given. Conditions whose vocabularies differ in size are compared over the ids that both
/// have. Throws Error when a response id is outside a vocabulary; Cancelled between chunks.
std::vector<TokenDistributions> tokenDistributions(const std::vector<ConditionStates>& conditions, const std::vector<std::int64_t>& response,
                                                   int topTokens, const Tokenizer& tokenizer, std::stop_token stop);

/// log p of each response token, [R], from states that predict them.
std::vector<float> responseLogProbs(const Qwen3VL& model, const at::Tensor& states, const std::vector<std::int64_t>& response);

}  // namespace cuescope
