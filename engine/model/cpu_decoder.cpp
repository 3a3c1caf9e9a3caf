#include "engine/model/cpu_decoder.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pow.h>

#include <algorithm>
#include <cmath>

#include "engine/core/failure.h"
#include "engine/kernels/simd.h"
#include "engine/model/text_decoder.h"

namespace cuescope {

std::int64_t CpuDecoder::shareable(std::int64_t tokens) { return tokens / kernels::kAttendChunk * kernels::kAttendChunk; }

std::unique_ptr<CpuDecoder> CpuDecoder::create(const Qwen3VL& model) {
  const auto& config = model.config().text;
  std::unique_ptr<CpuDecoder> out(new CpuDecoder);
  bool fits = model.device().is_cpu() && model.activationType() == at::kFloat && config.headDim % 2 == 0;
  const auto matrix = [&](const at::Tensor& weight) -> kernels::DecodeMatrix {
    const at::Tensor w = weight.detach();
    fits = fits && w.is_contiguous() && w.dim() == 2 &&
           (w.scalar_type() == at::kFloat || w.scalar_type() == at::kBFloat16);
    out->m_kept.push_back(w);
    return {w.const_data_ptr(), w.scalar_type() == at::kBFloat16, w.size(0), w.size(1)};
  };
  const auto vector = [&](const at::Tensor& weight) {
    out->m_kept.push_back(weight.detach().to(at::kFloat).contiguous());
    return out->m_kept.back().const_data_ptr<float>();
  };
  kernels::DecodeModel& m = out->m_model;
  m.hidden = config.hidden;
  m.heads = config.heads;
  m.kvHeads = config.kvHeads;
  m.headDim = config.headDim;
  m.intermediate = config.intermediate;
  m.vocabulary = config.vocabulary;
  m.eps = static_cast<float>(config.rmsEps);
  if (!fits) return nullptr;
  for (const auto& layer : model.text().layers()) {
    const auto& a = *layer->attention;
    const auto& mlp = *layer->mlp;
    m.layers.push_back({vector(layer->inputNorm->weight), vector(layer->postNorm->weight), vector(a.qNorm->weight),
                        vector(a.kNorm->weight), matrix(a.q->weight), matrix(a.k->weight), matrix(a.v->weight),
                        matrix(a.o->weight), matrix(mlp.gate->weight), matrix(mlp.up->weight),
                        matrix(mlp.down->weight)});
  }
  m.finalNorm = vector(model.text().finalNorm().weight);
  m.embedding = matrix(model.text().embedding());
  m.head = matrix(model.headWeight());
  if (!fits) return nullptr;
  // The same expression as the forward pass's tables.
  const at::Tensor frequency =
      at::pow(static_cast<float>(config.ropeTheta),
              at::arange(0, config.headDim, 2, at::kFloat) / static_cast<double>(config.headDim))
          .reciprocal();
  out->m_frequency.assign(frequency.const_data_ptr<float>(), frequency.const_data_ptr<float>() + frequency.numel());
  return out;
}

void CpuDecoder::step(KvCache& cache, std::span<const std::int64_t> cacheRows, std::span<const std::int64_t> ids,
                      const kernels::DecodeResult& result) {
  const std::size_t batch = cacheRows.size(), half = m_frequency.size();
  if (ids.size() != batch)
    throw Error("A decoding step does not fit", "cpu decoder",
                std::to_string(batch) + " rows, " + std::to_string(ids.size()) + " ids");
  m_tables.resize(batch * 4 * half);
  m_rows.resize(batch);
  for (std::size_t b = 0; b < batch; ++b) {
    const std::int64_t row = cacheRows[b], length = cache.length(row);
    if (ids[b] < 0 || ids[b] >= m_model.vocabulary)
      throw Error("A token is not in the vocabulary", "cpu decoder", "id " + std::to_string(ids[b]));
    if (std::find(cacheRows.begin(), cacheRows.begin() + static_cast<std::ptrdiff_t>(b), row) !=
        cacheRows.begin() + static_cast<std::ptrdiff_t>(b))
      throw Error("A cache row cannot take two tokens in one step", "cpu decoder", "row " + std::to_string(row));
    cache.reserve(row, length + 1, at::kFloat);
    float* cos = m_tables.data() + b * 4 * half;
    float* sin = cos + 2 * half;
    const auto position = static_cast<float>(cache.nextPosition(row));
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = position * m_frequency[i];
      cos[i] = cos[i + half] = std::cos(angle);
      sin[i] = sin[i + half] = std::sin(angle);
    }
    m_rows[b] = {ids[b], cache.data(row).data_ptr<float>(), cache.capacity(row), length, nullptr, 0, cache.shared(row), cos, sin};
    if (const at::Tensor& prefix = cache.prefix(row); prefix.defined()) {
      m_rows[b].prefix = prefix.const_data_ptr<float>();
      m_rows[b].prefixCapacity = prefix.size(3);
    }
  }
  m_step.run(m_model, m_rows, result, at::get_num_threads());
  for (const std::int64_t row : cacheRows) cache.advance(row, 1);
}

at::Tensor CpuDecoder::states(KvCache& cache, std::span<const std::int64_t> cacheRows,
                              std::span<const std::int64_t> ids) {
  at::Tensor out = at::empty({static_cast<std::int64_t>(ids.size()), m_model.hidden}, at::kFloat);
  kernels::DecodeResult result;
  result.states = out.data_ptr<float>();
  step(cache, cacheRows, ids, result);
  return out;
}

at::Tensor CpuDecoder::logits(KvCache& cache, std::span<const std::int64_t> cacheRows,
                              std::span<const std::int64_t> ids) {
  at::Tensor out = at::empty({static_cast<std::int64_t>(ids.size()), m_model.vocabulary}, at::kFloat);
  kernels::DecodeResult result;
  result.logits = out.data_ptr<float>();
  step(cache, cacheRows, ids, result);
  return out;
}

kernels::Sampled CpuDecoder::greedy(KvCache& cache, std::span<const std::int64_t> cacheRows,
                                    std::span<const std::int64_t> ids, std::span<const std::int64_t> banned) {
  std::vector<std::int64_t> bans(banned.begin(), banned.end());
  std::sort(bans.begin(), bans.end());
  kernels::Sampled out;
  out.ids.resize(ids.size());
  out.logProbs.resize(ids.size());
  kernels::DecodeResult result;
  result.bestIds = out.ids.data();
  result.bestLogProbs = out.logProbs.data();
  result.banned = bans;
  step(cache, cacheRows, ids, result);
  return out;
}

}  // namespace cuescope
