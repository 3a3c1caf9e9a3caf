// Sampling, one block a row. Same order and same thresholds as sample_cpu.cpp, its oracle: penalties, temperature, top-k, top-p,
// min-p, then the inverse of the cumulative mass in ascending order of ids. Thresholds are found by four rounds of 256 bins over
// the bits of the logits, with masses as integers, so the result does not depend on the order in which threads add.
#include "engine/kernels/cuda_device.cuh"
#include "engine/kernels/cuda_launch.h"

namespace cuescope::kernels::launch {
namespace {

constexpr int kThreads = 512;
constexpr int kBins = 256;
constexpr double kUnit = 1099511627776.0;  // 2^40: a mass of 1 as an integer

// Bits whose unsigned order is the order of the floats, and back.
__device__ inline unsigned orderOf(float value) {
  const unsigned bits = __float_as_uint(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ inline float valueOf(unsigned order) {
  return __uint_as_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

__global__ void penalizeKernel(float* work, const SampleRow* settings, const SampleSeen* seen, std::int64_t count,
                               std::int64_t vocabulary, int rows) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const SampleSeen token = seen[i];
  if (token.row < 0 || token.row >= rows || token.id < 0 || token.id >= vocabulary) return;
  const SampleRow row = settings[token.row];
  float& value = work[token.row * vocabulary + token.id];
  float changed = value > 0 ? value / row.repetitionPenalty : value * row.repetitionPenalty;
  if (token.count > 0) changed -= row.presencePenalty + row.frequencyPenalty * static_cast<float>(token.count);
  value = changed;
}

__global__ void banKernel(float* work, const std::int64_t* banned, std::int64_t count, std::int64_t vocabulary) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const std::int64_t id = banned[i];
  if (id >= 0 && id < vocabulary) work[blockIdx.y * vocabulary + id] = -INFINITY;
}

__device__ inline double termOf(float value, float top, float temperature) {
  return exp(static_cast<double>(value - top) / static_cast<double>(temperature));
}

// The largest order t such that the values with order >= t weigh at least `target` (counts, or masses in kUnit), among values
// with order >= floor. Every thread calls and gets the same answer.
__device__ unsigned selectOrder(const float* own, std::int64_t vocabulary, unsigned floor, bool byMass, float top, float temperature,
                                unsigned long long target, unsigned long long* bins) {
  __shared__ unsigned chosen;
  __shared__ unsigned long long missing;
  unsigned prefix = 0;
  if (threadIdx.x == 0) missing = target;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int b = threadIdx.x; b < kBins; b += blockDim.x) bins[b] = 0;
    __syncthreads();
    for (std::int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x) {
      const float value = own[i];
      const unsigned order = orderOf(value);
      if (order < floor || value == -INFINITY) continue;
      if (shift < 24 && order >> (shift + 8) != prefix >> (shift + 8)) continue;
      const unsigned long long weight =
          byMass ? static_cast<unsigned long long>(termOf(value, top, temperature) * kUnit + 0.5) : 1ull;
      atomicAdd(&bins[(order >> shift) & 0xffu], weight);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int lowest = -1;  // the lowest bin with values, in case rounding leaves the target out of reach
      unsigned long long above = 0;
      int bin = -1;
      for (int b = kBins - 1; b >= 0; --b) {
        if (bins[b] == 0) continue;
        lowest = b;
        if (above + bins[b] >= missing) {
          bin = b;
          break;
        }
        above += bins[b];
      }
      if (bin < 0) {
        bin = lowest < 0 ? 0 : lowest;
        above -= lowest < 0 ? 0 : bins[lowest];
      }
      missing = missing > above ? missing - above : 1;
      chosen = static_cast<unsigned>(bin);
    }
    __syncthreads();
    prefix |= chosen << shift;
    __syncthreads();
  }
  return prefix;
}

__global__ void sampleKernel(const float* logits, const float* work, const SampleRow* settings, std::int64_t* ids, float* logProbs,
                             std::int64_t vocabulary) {
  __shared__ float floatRoom[32];
  __shared__ double doubleRoom[32];
  __shared__ unsigned long long bins[kBins];
  __shared__ double passed[kThreads];
  __shared__ long long found;
  const int b = blockIdx.x;
  const float* raw = logits + b * vocabulary;
  const float* own = work + b * vocabulary;
  const SampleRow row = settings[b];

  float rawTop = -INFINITY, top = -INFINITY;
  for (std::int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x) {
    rawTop = fmaxf(rawTop, raw[i]);
    top = fmaxf(top, own[i]);
  }
  rawTop = blockMax(rawTop, floatRoom);
  top = blockMax(top, floatRoom);
  double rawMass = 0;
  for (std::int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x) rawMass += termOf(raw[i], rawTop, 1.f);
  rawMass = blockSum(rawMass, doubleRoom);

  if (threadIdx.x == 0) found = vocabulary;
  __syncthreads();
  if (row.temperature == 0.f) {  // greedy: the lowest id among the largest
    for (std::int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x)
      if (own[i] == top) {
        atomicMin(&found, static_cast<long long>(i));
        break;
      }
    __syncthreads();
  } else {
    unsigned floor = 0;
    if (row.topK > 0 && row.topK < vocabulary)
      floor = selectOrder(own, vocabulary, floor, false, top, row.temperature, static_cast<unsigned long long>(row.topK), bins);
    if (row.topP < 1.f) {
      double mass = 0;
      for (std::int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x)
        if (own[i] != -INFINITY && orderOf(own[i]) >= floor) mass += termOf(own[i], top, row.temperature);
      mass = blockSum(mass, doubleRoom);
      const auto target = static_cast<unsigned long long>(ceil(mass * static_cast<double>(row.topP) * kUnit));
      floor = selectOrder(own, vocabulary, floor, true, top, row.temperature, target > 0 ? target : 1, bins);
    }
    float limit = floor ? valueOf(floor) : -INFINITY;
    if (row.minP > 0.f) limit = fmaxf(limit, top + logf(row.minP) * row.temperature);

    // Each thread owns a stretch of ids; the stretch where the mass passes the target holds the id.
    const std::int64_t stretch = (vocabulary + kThreads - 1) / kThreads;
    const std::int64_t begin = threadIdx.x * stretch;
    const std::int64_t end = begin + stretch < vocabulary ? begin + stretch : vocabulary;
    double mine = 0;
    for (std::int64_t i = begin; i < end; ++i)
      if (own[i] >= limit && own[i] != -INFINITY) mine += termOf(own[i], top, row.temperature);
    passed[threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
      double mass = 0;
      for (int t = 0; t < kThreads; ++t) mass += passed[t];
      const double target = row.uniform * mass;
      double before = 0;
      long long last = 0;
      bool done = false;
      for (int t = 0; t < kThreads && !done; ++t) {
        if (passed[t] == 0) continue;
        const bool here = before + passed[t] > target;
        double sum = before;
        const std::int64_t from = t * stretch, to = from + stretch < vocabulary ? from + stretch : vocabulary;
        if (here) {
          for (std::int64_t i = from; i < to; ++i) {
            if (!(own[i] >= limit) || own[i] == -INFINITY) continue;
            sum += termOf(own[i], top, row.temperature);
            last = i;
            if (sum > target) break;
          }
          done = true;
        } else {
          for (std::int64_t i = to - 1; i >= from; --i)
            if (own[i] >= limit && own[i] != -INFINITY) {
              last = i;
              break;
            }
        }
        before += passed[t];
      }
      found = last;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    const long long id = found < vocabulary ? found : 0;
    ids[b] = id;
    logProbs[b] = static_cast<float>(static_cast<double>(raw[id] - rawTop) - log(rawMass));
  }
}

}  // namespace

cudaError_t sample(const float* logits, float* work, const SampleRow* settings, const SampleSeen* seen, std::int64_t seenCount,
                   const std::int64_t* banned, std::int64_t bannedCount, std::int64_t* ids, float* logProbs, int rows,
                   std::int64_t vocabulary, cudaStream_t stream) {
  if (rows <= 0 || vocabulary <= 0) return cudaSuccess;
  if (rows > 65535) return cudaErrorInvalidValue;  // limit of the grid's second axis
  const std::int64_t bytes = static_cast<std::int64_t>(rows) * vocabulary * static_cast<std::int64_t>(sizeof(float));
  if (const cudaError_t error = cudaMemcpyAsync(work, logits, bytes, cudaMemcpyDeviceToDevice, stream); error != cudaSuccess)
    return error;
  constexpr int kSmall = 128;
  if (seenCount > 0) {
    penalizeKernel<<<static_cast<unsigned>((seenCount + kSmall - 1) / kSmall), kSmall, 0, stream>>>(work, settings, seen, seenCount,
                                                                                                    vocabulary, rows);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  if (bannedCount > 0) {
    banKernel<<<dim3(static_cast<unsigned>((bannedCount + kSmall - 1) / kSmall), rows), kSmall, 0, stream>>>(work, banned,
                                                                                                             bannedCount, vocabulary);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  sampleKernel<<<rows, kThreads, 0, stream>>>(logits, work, settings, ids, logProbs, vocabulary);
  return cudaGetLastError();
}

}  // namespace cuescope::kernels::launch
