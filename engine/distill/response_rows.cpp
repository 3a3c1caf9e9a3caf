#include "engine/distill/response_rows.h"

#include <ATen/ops/tensor.h>

#include "engine/core/failure.h"

namespace cuescope {

ResponseRows packResponses(const Qwen3VLConfig& config, std::span<const RowInput* const> prompts,
                           std::span<const TokenIds* const> responses) {
  std::vector<RowInput> inputs;
  std::vector<std::int64_t> ids;
  ResponseRows packed;
  packed.offsets.push_back(0);
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    if (prompts[b]->ids.empty())
      throw Error("A prompt is empty", "row " + std::to_string(b),
                  "nothing could predict the first token of its response", "Check the data.");
    RowInput row = *prompts[b];
    row.ids.insert(row.ids.end(), responses[b]->begin(), responses[b]->end());
    inputs.push_back(std::move(row));
    ids.insert(ids.end(), responses[b]->begin(), responses[b]->end());
    packed.offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  packed.rows = packRows(config, inputs);
  std::vector<std::int64_t> predicting;
  std::int64_t first = 0;
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    // The prompt's last token predicts the response's first; the response's last predicts nothing.
    const auto length = static_cast<std::int64_t>(responses[b]->size());
    for (std::int64_t t = 0; t < length; ++t) predicting.push_back(first + t);
    packed.tails.push_back(length + 1);
    first += length + 1;
  }
  packed.predicting = at::tensor(predicting, at::kLong);
  packed.ids = at::tensor(ids, at::kLong);
  return packed;
}

std::vector<std::pair<std::size_t, std::size_t>> splitByTokens(std::span<const std::size_t> lengths,
                                                               std::size_t tokens) {
  std::vector<std::pair<std::size_t, std::size_t>> runs;
  std::size_t begin = 0, sum = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (i > begin && sum + lengths[i] > tokens) {
      runs.emplace_back(begin, i);
      begin = i;
      sum = 0;
    }
    sum += lengths[i];
  }
  if (begin < lengths.size()) runs.emplace_back(begin, lengths.size());
  return runs;
}

}  // namespace cuescope
