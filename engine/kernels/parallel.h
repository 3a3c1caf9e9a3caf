// Parallel regions of the CPU kernels. One region may hold many stages that meet at a Barrier, so that a decoding step wakes
// the other cores once and not once a product. The threads are OpenMP's, those that LibTorch uses; between regions they sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace cuescope::kernels {

using ParallelTask = void (*)(void* context, int worker, int workers);
/// Runs task(context, w, n) for w in [0, n) at the same time and returns when all are done; n <= workers is what the runtime
/// grants (1 inside another region). The task must not throw.
void runParallel(int workers, ParallelTask task, void* context);

template <typename F>
void parallel(int workers, F&& body) {
  using Body = std::remove_reference_t<F>;
  runParallel(workers, [](void* context, int worker, int of) { (*static_cast<Body*>(context))(worker, of); },
              const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// The part of [0, n) that belongs to a worker, in multiples of `unit`.
struct Share {
  std::int64_t begin, end;
};
inline Share shareOf(std::int64_t n, int worker, int workers, std::int64_t unit = 1) {
  const std::int64_t units = (n + unit - 1) / unit;
  const std::int64_t begin = units * worker / workers * unit, end = units * (worker + 1) / workers * unit;
  return {begin < n ? begin : n, end < n ? end : n};
}

/// Where the workers of one region wait for each other. Spins for some microseconds, then lets others run.
class Barrier {
 public:
  void wait(int workers);

 private:
  std::atomic<int> m_arrived{0};
  std::atomic<unsigned> m_round{0};
};

}  // namespace cuescope::kernels
