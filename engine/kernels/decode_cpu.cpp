#include "engine/kernels/decode_cpu.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/parallel.h"
#include "engine/kernels/simd.h"

namespace cuescope::kernels {
namespace {

constexpr std::int64_t kPiece = 128;  // logits made at a time when they are reduced on the way

void product(const float* x, std::int64_t rows, const DecodeMatrix& w, Share share, float* y, std::int64_t yStride) {
  if (share.begin >= share.end) return;
  if (w.bf16)
    simd().linearBf16(x, w.in, rows, static_cast<const std::uint16_t*>(w.data), w.in, share.begin, share.end, y, yStride);
  else
    simd().linearF32(x, w.in, rows, static_cast<const float*>(w.data), w.in, share.begin, share.end, y, yStride);
}

void embed(const DecodeMatrix& table, std::int64_t id, float* out) {
  if (!table.bf16) {
    std::memcpy(out, static_cast<const float*>(table.data) + id * table.in, static_cast<std::size_t>(table.in) * sizeof(float));
    return;
  }
  const auto* row = static_cast<const std::uint16_t*>(table.data) + id * table.in;
  for (std::int64_t i = 0; i < table.in; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(row[i]) << 16;
    std::memcpy(out + i, &bits, sizeof bits);
  }
}

}  // namespace

void DecodeStep::run(const DecodeModel& model, std::span<const DecodeRow> rows, const DecodeResult& result, int threads) {
  const auto batch = static_cast<std::int64_t>(rows.size());
  if (batch == 0) return;
  threads = std::max(threads, 1);
  const auto room = [batch](std::vector<float>& buffer, std::int64_t size, std::int64_t copies) {
    buffer.resize(static_cast<std::size_t>(std::max<std::int64_t>(copies, batch) * size));
  };
  room(m_queries, model.heads * model.headDim, batch);
  room(m_keys, model.kvHeads * model.headDim, batch);
  room(m_values, model.kvHeads * model.headDim, batch);
  room(m_attended, model.heads * model.headDim, batch);
  room(m_delta, model.hidden, batch);
  room(m_gate, model.intermediate, batch);
  room(m_up, model.intermediate, batch);
  room(m_private, 2 * model.hidden, threads * batch);
  const std::int64_t group = model.heads / model.kvHeads;
  room(m_scratch, std::max(group * kAttendChunk, batch * kPiece), threads);
  m_best.assign(static_cast<std::size_t>(threads * batch), {});

  Barrier barrier;
  int used = 1;
  parallel(threads, [&](int worker, int workers) {
    if (worker == 0) used = workers;
    work(model, rows, result, worker, workers, barrier);
  });

  if (result.logits || !result.bestIds) return;
  for (std::int64_t b = 0; b < batch; ++b) {
    float top = -std::numeric_limits<float>::infinity();
    for (int w = 0; w < used; ++w) top = std::max(top, m_best[static_cast<std::size_t>(w * batch + b)].top);
    double mass = 0;
    float bestLogit = -std::numeric_limits<float>::infinity();
    std::int64_t id = 0;
    for (int w = 0; w < used; ++w) {  // workers own ascending stretches: the first of equals is the lowest id
      const Best& part = m_best[static_cast<std::size_t>(w * batch + b)];
      if (part.mass > 0) mass += part.mass * std::exp(static_cast<double>(part.top - top));
      if (part.bestLogit > bestLogit) bestLogit = part.bestLogit, id = part.id;
    }
    result.bestIds[b] = id;
    if (result.bestLogProbs) result.bestLogProbs[b] = static_cast<float>(bestLogit - top - std::log(mass));
  }
}

// Every worker keeps the residual stream and its norm for itself: a few thousand additions are cheaper than meeting for them.
void DecodeStep::work(const DecodeModel& model, std::span<const DecodeRow> rows, const DecodeResult& result, int worker, int workers,
                      Barrier& barrier) {
  const auto batch = static_cast<std::int64_t>(rows.size());
  const std::int64_t h = model.hidden;
  float* residual = m_private.data() + worker * batch * 2 * h;
  float* normed = residual + batch * h;
  for (std::int64_t b = 0; b < batch; ++b) embed(model.embedding, rows[static_cast<std::size_t>(b)].id, residual + b * h);
  const auto addAndNorm = [&](bool add, const float* weight) {
    for (std::int64_t b = 0; b < batch; ++b)
      simd().addRmsNorm(add ? m_delta.data() + b * h : nullptr, residual + b * h, weight, h, model.eps, normed + b * h);
  };
  const auto share = [&](const DecodeMatrix& w) { return shareOf(w.out, worker, workers, 16); };

  for (std::size_t l = 0; l < model.layers.size(); ++l) {
    const DecodeLayer& layer = model.layers[l];
    addAndNorm(l > 0, layer.inputNorm);
    product(normed, batch, layer.q, share(layer.q), m_queries.data(), layer.q.out);
    product(normed, batch, layer.k, share(layer.k), m_keys.data(), layer.k.out);
    product(normed, batch, layer.v, share(layer.v), m_values.data(), layer.v.out);
    barrier.wait(workers);
    attendShare(model, rows, static_cast<std::int64_t>(l), worker, workers);
    barrier.wait(workers);
    product(m_attended.data(), batch, layer.o, share(layer.o), m_delta.data(), h);
    barrier.wait(workers);
    addAndNorm(true, layer.postNorm);
    const Share own = share(layer.gate);
    product(normed, batch, layer.gate, own, m_gate.data(), layer.gate.out);
    product(normed, batch, layer.up, own, m_up.data(), layer.up.out);
    for (std::int64_t b = 0; b < batch && own.begin < own.end; ++b)
      simd().siluMul(m_gate.data() + b * layer.gate.out + own.begin, m_up.data() + b * layer.gate.out + own.begin, own.end - own.begin);
    barrier.wait(workers);
    product(m_gate.data(), batch, layer.down, share(layer.down), m_delta.data(), h);
    barrier.wait(workers);
  }
  addAndNorm(!model.layers.empty(), model.finalNorm);
  if (worker == 0 && result.states) std::memcpy(result.states, normed, static_cast<std::size_t>(batch * h) * sizeof(float));
  if (result.logits)
    product(normed, batch, model.head, share(model.head), result.logits, model.vocabulary);
  else if (result.bestIds)
    headShare(model, rows, result, normed, worker, workers);
}

// A task is one key head of one row: its query heads and its key are normed and rotated, key and value stored, and attended.
void DecodeStep::attendShare(const DecodeModel& model, std::span<const DecodeRow> rows, std::int64_t layer, int worker, int workers) {
  const DecodeLayer& weights = model.layers[static_cast<std::size_t>(layer)];
  const std::int64_t d = model.headDim, kvHeads = model.kvHeads, group = model.heads / kvHeads;
  float* scratch = m_scratch.data() + static_cast<std::int64_t>(m_scratch.size()) / workers * worker;
  const float scale = 1.f / std::sqrt(static_cast<float>(d));
  const Share share = shareOf(static_cast<std::int64_t>(rows.size()) * kvHeads, worker, workers);
  for (std::int64_t task = share.begin; task < share.end; ++task) {
    const std::int64_t b = task / kvHeads, head = task % kvHeads;
    const DecodeRow& row = rows[static_cast<std::size_t>(b)];
    float* queries = m_queries.data() + (b * model.heads + head * group) * d;
    float* key = m_keys.data() + (b * kvHeads + head) * d;
    for (std::int64_t g = 0; g < group; ++g) simd().headNormRope(queries + g * d, weights.qNorm, row.cos, row.sin, d, model.eps);
    simd().headNormRope(key, weights.kNorm, row.cos, row.sin, d, model.eps);
    float* keys = row.cache + (2 * layer * kvHeads + head) * row.capacity * d;
    float* values = row.cache + ((2 * layer + 1) * kvHeads + head) * row.capacity * d;
    const auto bytes = static_cast<std::size_t>(d) * sizeof(float);
    std::memcpy(keys + (row.length - row.shared) * d, key, bytes);
    std::memcpy(values + (row.length - row.shared) * d, m_values.data() + (b * kvHeads + head) * d, bytes);
    AttendPrefix prefix{nullptr, nullptr, row.shared};
    if (row.shared > 0) {
      prefix.keys = row.prefix + (2 * layer * kvHeads + head) * row.prefixCapacity * d;
      prefix.values = row.prefix + ((2 * layer + 1) * kvHeads + head) * row.prefixCapacity * d;
    }
    simd().attend(queries, group, prefix, keys, values, d, row.length + 1, d, scale, m_attended.data() + (b * model.heads + head * group) * d,
                  scratch);
  }
}

void DecodeStep::headShare(const DecodeModel& model, std::span<const DecodeRow> rows, const DecodeResult& result, const float* states,
                           int worker, int workers) {
  const auto batch = static_cast<std::int64_t>(rows.size());
  float* piece = m_scratch.data() + static_cast<std::int64_t>(m_scratch.size()) / workers * worker;
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  Best* best = m_best.data() + worker * batch;
  for (std::int64_t b = 0; b < batch; ++b) best[b] = {kNever, 0.f, kNever, 0, {}};
  std::vector<double> masses(static_cast<std::size_t>(batch), 0.0);
  const Share share = shareOf(model.vocabulary, worker, workers, 16);
  const auto elements = model.head.bf16 ? sizeof(std::uint16_t) : sizeof(float);
  auto nextBan = std::lower_bound(result.banned.begin(), result.banned.end(), share.begin);
  for (std::int64_t begin = share.begin; begin < share.end; begin += kPiece) {
    const std::int64_t count = std::min(kPiece, share.end - begin);
    DecodeMatrix part = model.head;
    part.data = static_cast<const char*>(part.data) + begin * part.in * static_cast<std::int64_t>(elements);
    product(states, batch, part, {0, count}, piece, kPiece);
    const auto firstBan = nextBan;
    while (nextBan != result.banned.end() && *nextBan < begin + count) ++nextBan;
    for (std::int64_t b = 0; b < batch; ++b) {
      float* logits = piece + b * kPiece;
      float top = simd().largest(logits, count);
      if (top > best[b].top) {
        masses[static_cast<std::size_t>(b)] *= std::exp(static_cast<double>(best[b].top - top));
        best[b].top = top;
      }
      masses[static_cast<std::size_t>(b)] += simd().expSum(logits, count, best[b].top, 1.f, nullptr);
      if (firstBan != nextBan) {
        for (auto ban = firstBan; ban != nextBan; ++ban) logits[*ban - begin] = kNever;
        top = simd().largest(logits, count);
      }
      if (top > best[b].bestLogit) {
        best[b].bestLogit = top;
        best[b].id = begin + (std::find(logits, logits + count, top) - logits);
      }
    }
  }
  for (std::int64_t b = 0; b < batch; ++b) best[b].mass = static_cast<float>(masses[static_cast<std::size_t>(b)]);
}

}  // namespace cuescope::kernels
