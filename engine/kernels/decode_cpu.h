// One decoding step of the text model on the CPU, for a batch of rows, as one parallel region over raw pointers: the fast path
// behind engine/model/cpu_decoder, whose oracle is the model's own forward pass (spec 2.4). No torch here.
//
// A step reads every weight once, so its time is the memory's; what is saved against separate tensor operations is their start-up
// (a hundred a step and more), the threads' waking, and the logits, which are reduced as they are made when nobody wants them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cuescope::kernels {

/// A weight [out, in], float32 or bfloat16, dense.
struct DecodeMatrix {
  const void* data = nullptr;
  bool bf16 = false;
  std::int64_t out = 0, in = 0;
};

struct DecodeLayer {
  const float *inputNorm = nullptr, *postNorm = nullptr, *qNorm = nullptr, *kNorm = nullptr;
  DecodeMatrix q, k, v, o, gate, up, down;
};

/// Views of the weights; whoever fills it keeps them alive and in place.
struct DecodeModel {
  std::int64_t hidden = 0, heads = 0, kvHeads = 0, headDim = 0, intermediate = 0, vocabulary = 0;
  float eps = 1e-6f;
  std::vector<DecodeLayer> layers;
  const float* finalNorm = nullptr;
  DecodeMatrix embedding, head;
};

/// One row: the token to append and its cache block [layers, 2, kvHeads, capacity, headDim] (kv_cache.h). `length` tokens are there in
/// all; the first `shared` of them (a multiple of kAttendChunk) lie in another row's block and the own one begins with the next.
struct DecodeRow {
  std::int64_t id = 0;
  float* cache = nullptr;
  std::int64_t capacity = 0, length = 0;
  const float* prefix = nullptr;
  std::int64_t prefixCapacity = 0, shared = 0;
  const float *cos = nullptr, *sin = nullptr;  // [headDim], of the token's position
};

struct DecodeResult {
  float* states = nullptr;  // [B, hidden] after the final norm, or null
  float* logits = nullptr;  // [B, vocabulary], or null: then the two below
  /// The likeliest id that is not banned (the lowest of equals), and its log-softmax over the whole vocabulary. [B] or null.
  std::int64_t* bestIds = nullptr;
  float* bestLogProbs = nullptr;
  std::span<const std::int64_t> banned;  // ascending
};

/// Writes each row's keys and values at `length` (the caller has made room and counts the token afterwards) and fills `result`.
/// The buffers are kept between steps. Not thread-safe; uses up to `threads` threads.
class DecodeStep {
 public:
  void run(const DecodeModel& model, std::span<const DecodeRow> rows, const DecodeResult& result, int threads);

 private:
  struct Best {
    float top, mass, bestLogit;
    std::int64_t id;
    char pad[40];  // a cache line each: workers write side by side
  };
  void work(const DecodeModel& model, std::span<const DecodeRow> rows, const DecodeResult& result, int worker, int workers,
            class Barrier& barrier);
  void attendShare(const DecodeModel& model, std::span<const DecodeRow> rows, std::int64_t layer, int worker, int workers);
  void headShare(const DecodeModel& model, std::span<const DecodeRow> rows, const DecodeResult& result, const float* states, int worker,
                 int workers);

  std::vector<float> m_queries, m_keys, m_values, m_attended, m_delta, m_gate, m_up;  // shared by the workers
  std::vector<float> m_private;                                                        // residual and normed of each worker
  std::vector<float> m_scratch;                                                        // scores, or a piece of the logits
  std::vector<Best> m_best;                                                            // [workers, B]
};

}  // namespace cuescope::kernels
