// One parallel region per call: body(thread, threads) on each thread, with barriers inside where a phase must
// end.
#pragma once

#include <cstdint>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "isa.hpp"

namespace weft::WEFT_ISA {

template <class Body>
inline void parallel(int threads, const Body& body) {
  if (threads <= 1) {
    body(0, 1);
    return;
  }
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
  body(omp_get_thread_num(), omp_get_num_threads());
#endif
}

/// All threads of the region arrive before any leaves. Does nothing in a region of one.
inline void barrier(int threads) {
  if (threads <= 1) return;
#ifdef _OPENMP
#pragma omp barrier
#endif
}

struct Range {
  int64_t begin, end;
};

/// This thread's share of [0, size), in whole multiples of `grain`.
inline Range share(int64_t size, int thread, int threads, int64_t grain = 1) {
  const int64_t grains = (size + grain - 1) / grain;
  const int64_t begin = grains * thread / threads * grain, end = grains * (thread + 1) / threads * grain;
  return {min_of(begin, size), min_of(end, size)};
}

}  // namespace weft::WEFT_ISA
