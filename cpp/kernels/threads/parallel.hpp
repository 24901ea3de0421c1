// Divides a piece of work into shares for several threads. Where one phase needs all of another, they are two
// pieces of work, one after the other, so that no thread waits inside a share.
#pragma once

#include <cstdint>

#include "kernels/simd/isa.hpp"
#include "kernels/threads/thread_team.hpp"

namespace weft::WEFT_ISA {

/// body(share) for each of [0, shares).
template <class Body>
inline void for_shares(int shares, const Body& body) {
  if (shares <= 1) {
    if (shares == 1) body(0);
    return;
  }
  run_shares(
      shares, [](const void* work, int share, int) { (*static_cast<const Body*>(work))(share); }, &body);
}

/// body(share, shares), with as many shares as there are threads, or one while helpers get no processor: for
/// work that can be divided into any number of shares.
template <class Body>
inline void parallel(int threads, const Body& body) {
  const int shares = worthwhile_shares(threads);
  for_shares(shares, [&](int share) { body(share, shares); });
}

struct Range {
  int64_t begin, end;
};

/// This share of [0, size), in whole multiples of `grain`.
inline Range share(int64_t size, int index, int shares, int64_t grain = 1) {
  const int64_t grains = (size + grain - 1) / grain;
  const int64_t begin = grains * index / shares * grain, end = grains * (index + 1) / shares * grain;
  return {min_of(begin, size), min_of(end, size)};
}

}  // namespace weft::WEFT_ISA
