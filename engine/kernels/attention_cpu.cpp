#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "engine/kernels/backends.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/simd.h"

namespace cuescope::kernels::cpu {
namespace {

constexpr std::int64_t kQueries = 16;  // of one task: its keys stay in the cache meanwhile

float widened(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

/// To the nearest bfloat16, ties to even, as LibTorch rounds.
std::uint16_t narrowed(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

const std::uint16_t* bitsOf(const at::Tensor& tensor) { return static_cast<const std::uint16_t*>(tensor.const_data_ptr()); }

}  // namespace

at::Tensor causalAttention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, at::Tensor* logSumExp) {
  const std::int64_t batch = q.size(0), heads = q.size(1), n = q.size(2), d = q.size(3), kvHeads = keys.size(1), length = keys.size(2),
                     group = heads / kvHeads;
  const at::Tensor out = at::empty({batch, n, heads, d}, q.options()).transpose(1, 2);
  at::Tensor sums = at::empty({batch, heads, n}, q.options().dtype(at::kFloat));
  const std::uint16_t *fromQ = bitsOf(q), *fromK = bitsOf(keys), *fromV = bitsOf(values);
  auto* to = static_cast<std::uint16_t*>(out.data_ptr());
  auto* toSums = sums.data_ptr<float>();
  const float scale = 1.f / std::sqrt(static_cast<float>(d));
  const std::int64_t blocks = (n + kQueries - 1) / kQueries, tasks = batch * kvHeads * blocks;
  const bool little = batch * heads * n * length * d < (1 << 16);
  parallel(little ? 1 : at::get_num_threads(), [&](int worker, int workers) {
    std::vector<float> query(static_cast<std::size_t>(group * d)), mixed(query.size()),
        scratch(static_cast<std::size_t>(group * kAttendChunk)), top(static_cast<std::size_t>(group)), mass(top.size());
    for (std::int64_t task = worker; task < tasks; task += workers) {  // in turn: later queries see more keys
      const std::int64_t block = task % blocks, head = task / blocks % kvHeads, b = task / blocks / kvHeads;
      const std::uint16_t *k = fromK + b * keys.stride(0) + head * keys.stride(1), *v = fromV + b * values.stride(0) + head * values.stride(1);
      for (std::int64_t i = block * kQueries; i < std::min(n, (block + 1) * kQueries); ++i) {
        for (std::int64_t g = 0; g < group; ++g)
          for (std::int64_t j = 0; j < d; ++j)
            query[static_cast<std::size_t>(g * d + j)] = widened(fromQ[b * q.stride(0) + (head * group + g) * q.stride(1) + i * q.stride(2) + j]);
        simd().attendBf16(query.data(), group, k, keys.stride(2), v, values.stride(2), length - n + i + 1, d, scale, mixed.data(),
                          scratch.data(), top.data(), mass.data());
        for (std::int64_t g = 0; g < group; ++g) {
          const std::int64_t h = head * group + g;
          for (std::int64_t j = 0; j < d; ++j)
            to[b * out.stride(0) + h * out.stride(1) + i * out.stride(2) + j] = narrowed(mixed[static_cast<std::size_t>(g * d + j)]);
          toSums[(b * heads + h) * n + i] = top[static_cast<std::size_t>(g)] + std::log(mass[static_cast<std::size_t>(g)]);
        }
      }
    }
  });
  if (logSumExp) *logSumExp = std::move(sums);
  return out;
}

}  // namespace cuescope::kernels::cpu
