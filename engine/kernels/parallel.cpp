#include "engine/kernels/parallel.h"

#include <omp.h>
#include <sched.h>

namespace cuescope::kernels {

void runParallel(int workers, ParallelTask task, void* context) {
  if (workers <= 1 || omp_in_parallel()) {
    task(context, 0, 1);
    return;
  }
#pragma omp parallel num_threads(workers)
  task(context, omp_get_thread_num(), omp_get_num_threads());
}

void Barrier::wait(int workers) {
  if (workers == 1) return;
  const unsigned round = m_round.load(std::memory_order_acquire);
  if (m_arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == workers) {
    m_arrived.store(0, std::memory_order_relaxed);
    m_round.store(round + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; m_round.load(std::memory_order_acquire) == round; ++spins) {
    if (spins < 1000) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      sched_yield();  // a worker lost its core to another program
    }
  }
}

}  // namespace cuescope::kernels
