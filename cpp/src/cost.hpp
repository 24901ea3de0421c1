// How many threads a piece of work is worth.
#pragma once

#include <cstdint>

#include "weft/config.hpp"

namespace weft {

/// Waking and joining a thread costs some microseconds: each gets at least that much work. `nanoseconds` is
/// about what one thread would take.
inline int threads_for(double nanoseconds) {
  constexpr double least = 20'000;
  const int threads = num_threads();
  return nanoseconds >= least * threads ? threads : nanoseconds < 2 * least ? 1 : int(nanoseconds / least);
}

/// Threads for that much work whose workspace is there: their number may have been raised since it was sized.
template <class Needed>
int fitting_threads(double nanoseconds, int64_t elements, const Needed& needed) {
  int threads = threads_for(nanoseconds);
  while (threads > 1 && needed(threads) > elements) --threads;
  return threads;
}

}  // namespace weft
