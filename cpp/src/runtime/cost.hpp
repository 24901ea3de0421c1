// How many threads a piece of work is worth.
#pragma once

#include <cstdint>

#include "kernels/threads/cost.hpp"

namespace weft {

/// The processors that this process may run on.
int processors();

/// The most threads that a call may use whose caller has asked for so many: 0 is num_threads().
int most_threads(int asked);

/// Each gets at least least_share. `nanoseconds` is about what one thread would take, `asked` what the caller
/// gave.
inline int threads_for(double nanoseconds, int asked) {
  const int threads = most_threads(asked);
  if (nanoseconds >= least_share * threads) return threads;
  return nanoseconds < 2 * least_share ? 1 : int(nanoseconds / least_share);
}

/// Threads for that much work whose workspace is there: their number may have been raised since it was sized.
template <class Needed>
int fitting_threads(double nanoseconds, int asked, int64_t elements, const Needed& needed) {
  int threads = threads_for(nanoseconds, asked);
  while (threads > 1 && needed(threads) > elements) --threads;
  return threads;
}

}  // namespace weft
