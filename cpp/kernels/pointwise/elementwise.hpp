// Loops over the elements of contiguous arrays, divided among threads.
#pragma once

#include "kernels/simd/isa.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

/// body(i, n) for every vector of `size` elements. Every share but the last is whole vectors (and cache
/// lines), so what is computed for an element does not depend on the number of threads.
template <class T, class Body>
inline void for_each_vector_parallel(int64_t size, int threads, const Body& body) {
  parallel(threads, [&](int thread, int shares) {
    const Range range = share(size, thread, shares, 1024);
    for_each_vector<T>(range.begin, range.end, body);
  });
}

/// Elements from a load to its prefetch. The arithmetic of these loops fills the processor's window, so that
/// it would not issue the loads early enough itself.
inline constexpr int64_t prefetch_distance = 128;

/// y = f(x)
template <class T, class F>
inline void map(int64_t size, int threads, const T* x, T* y, const F& f) {
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    __builtin_prefetch(x + i + prefetch_distance);
    __builtin_prefetch(y + i + prefetch_distance, 1);
    store(y + i, f(load(x + i, n)), n);
  });
}

/// z = f(x, y)
template <class T, class F>
inline void map(int64_t size, int threads, const T* x, const T* y, T* z, const F& f) {
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    __builtin_prefetch(x + i + prefetch_distance);
    __builtin_prefetch(y + i + prefetch_distance);
    __builtin_prefetch(z + i + prefetch_distance, 1);
    store(z + i, f(load(x + i, n), load(y + i, n)), n);
  });
}

}  // namespace weft::WEFT_ISA
