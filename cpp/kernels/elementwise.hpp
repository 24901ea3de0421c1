// A loop over the elements of contiguous arrays, divided among threads.
#pragma once

#include "isa.hpp"
#include "parallel.hpp"

namespace weft::WEFT_ISA {

/// body(i, n) for every vector of `size` elements. Every share but the last is whole vectors (and cache
/// lines), so what is computed for an element does not depend on the number of threads.
template <class T, class Body>
inline void for_each_vector_parallel(int64_t size, int threads, const Body& body) {
  parallel(threads, [&](int thread, int team) {
    const Range range = share(size, thread, team, 1024);
    for_each_vector<T>(range.begin, range.end, body);
  });
}

}  // namespace weft::WEFT_ISA
