// ResponseRows: prompts followed by responses, packed, and where each response token is predicted. Student and teacher
// both go through here with their own prompts, so their scores are aligned to the response whatever the prompts'
// lengths (spec 3.5, 7.E.8).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/qwen3_vl.h"

namespace cuescope {

using TokenIds = std::vector<std::int64_t>;

struct ResponseRows {
  Rows rows;
  std::vector<std::int64_t> tails;    // [B]: for ForwardOptions; the states that are needed are each row's last ones
  at::Tensor predicting;              // int64 [R]: which of those states predicts a response token
  at::Tensor ids;                     // int64 [R]: the response tokens
  std::vector<std::int64_t> offsets;  // [B + 1] into R
};

/// `prompts[b]` followed by `responses[b]`; an empty response has no tokens to predict. Error for an empty prompt.
ResponseRows packResponses(const Qwen3VLConfig& config, std::span<const RowInput* const> prompts,
                           std::span<const TokenIds* const> responses);

/// Largest runs [begin, end) of consecutive rows whose prompts and responses together stay within `tokens` (one row at
/// least).
std::vector<std::pair<std::size_t, std::size_t>> splitByTokens(std::span<const std::size_t> lengths,
                                                               std::size_t tokens);

}  // namespace cuescope
