// Sampling in the order of the reference stack: penalties, temperature, top-k, top-p, min-p. Each truncation is a threshold on
// the logit, so ids with equal logits stay or go together and the result does not depend on a sort's tie rule. The draw walks
// the kept ids in ascending order until their mass passes the row's random number.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/backends.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/simd.h"

namespace cuescope::kernels::cpu {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void penalize(std::vector<float>& logits, const SamplerRow& row, std::span<const SeenToken> seen) {
  for (const SeenToken& token : seen) {
    float& value = logits[token.id];
    value = value > 0 ? value / row.repetitionPenalty : value * row.repetitionPenalty;
    if (token.countInResponse > 0)
      value -= row.presencePenalty + row.frequencyPenalty * static_cast<float>(token.countInResponse);
  }
}

// The smallest logit that stays.
float threshold(const std::vector<float>& logits, float top, const SamplerRow& row) {
  float limit = kNever;
  const auto vocabulary = static_cast<std::int64_t>(logits.size());
  std::vector<float> sorted;
  if ((row.topK > 0 && row.topK < vocabulary) || row.topP < 1.f) {
    sorted.reserve(logits.size());
    std::copy_if(logits.begin(), logits.end(), std::back_inserter(sorted), [](float value) { return value != kNever; });
  }
  if (row.topK > 0 && row.topK < static_cast<std::int64_t>(sorted.size())) {
    std::nth_element(sorted.begin(), sorted.begin() + row.topK - 1, sorted.end(), std::greater<>());
    limit = sorted[row.topK - 1];
    std::erase_if(sorted, [&](float value) { return value < limit; });
  }
  if (row.topP < 1.f) {
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    double mass = 0;
    for (float value : sorted) mass += std::exp(static_cast<double>(value - top) / row.temperature);
    double kept = 0;
    for (float value : sorted) {
      if (kept >= row.topP * mass && value < limit) break;  // ties of the last one kept stay
      kept += std::exp(static_cast<double>(value - top) / row.temperature);
      limit = value;
    }
  }
  if (row.minP > 0.f) limit = std::max(limit, top + std::log(row.minP) * row.temperature);
  return limit;
}

std::int64_t draw(const std::vector<float>& logits, float top, float limit, const SamplerRow& row) {
  double mass = 0;
  for (float value : logits)
    if (value >= limit && value != kNever) mass += std::exp(static_cast<double>(value - top) / row.temperature);
  const double target = row.uniform * mass;
  double passed = 0;
  std::int64_t last = 0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] < limit || logits[id] == kNever) continue;
    passed += std::exp(static_cast<double>(logits[id] - top) / row.temperature);
    last = static_cast<std::int64_t>(id);
    if (passed > target) break;
  }
  return last;
}

}  // namespace

Sampled sample(const at::Tensor& logits, std::span<const SamplerRow> rows, std::span<const std::vector<SeenToken>> seen,
               std::span<const std::int64_t> banned) {
  const std::int64_t count = logits.size(0), vocabulary = logits.size(1);
  Sampled result;
  result.ids.resize(count);
  result.logProbs.resize(count);
  const float* given = logits.const_data_ptr<float>();
  const int threads = count * vocabulary < 65536 ? 1 : at::get_num_threads();
  parallel(threads, [&](int worker, int workers) {
    const Share share = shareOf(count, worker, workers);
    for (std::int64_t b = share.begin; b < share.end; ++b) {
      const float* raw = given + b * vocabulary;
      const SamplerRow& row = rows[b];
      const float rawTop = simd().largest(raw, vocabulary);
      const double logMass = std::log(simd().expSum(raw, vocabulary, rawTop, 1.f, nullptr)) + rawTop;
      std::vector<float> own(raw, raw + vocabulary);
      if (!seen.empty()) penalize(own, row, seen[b]);
      for (std::int64_t id : banned) own[id] = kNever;
      const auto best = std::max_element(own.begin(), own.end());
      const std::int64_t id =
          row.temperature == 0.f ? best - own.begin() : draw(own, *best, threshold(own, *best, row), row);
      result.ids[b] = id;
      result.logProbs[b] = static_cast<float>(raw[id] - logMass);
    }
  });
  return result;
}

}  // namespace cuescope::kernels::cpu
