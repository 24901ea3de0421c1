// What tells steps where they stand: the numbers of python/weftnn/nn, in double as there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "src/model/graph.hpp"

namespace weft {

/// Of the pair i of `size` features, in radians a step: base^(-2i/size)
inline double frequency(double base, int64_t i, int64_t size) {
  return std::pow(base, -double(2 * i) / double(size));
}

/// ALiBi's slope of head n of N: 2^(-8 (n + 1) / N) if N is a power of two; else those of the power below,
/// then every other one of the power above.
inline double alibi_slope(int64_t n, int64_t heads) {
  int64_t below = 1;
  while (below <= heads / 2) below *= 2;
  return n < below ? std::pow(2.0, double(-8 * (n + 1)) / double(below))
                   : std::pow(2.0, double(-8 * (2 * (n - below) + 1)) / double(2 * below));
}

/// T5's bucket of a distance s - t: small ones apart, larger ones by their logarithm.
inline int64_t relative_bucket(int64_t distance, int64_t buckets, int64_t max_distance, bool bidirectional) {
  const int64_t side = bidirectional ? buckets / 2 : buckets, exact = side / 2;
  const int64_t far = std::abs(bidirectional ? distance : std::min<int64_t>(distance, 0));
  const int64_t second_half = bidirectional && distance > 0 ? side : 0;
  if (far < exact) return second_half + far;
  const double share = std::log(double(far) / double(exact)) / std::log(double(max_distance) / double(exact));
  return second_half + std::min(exact + int64_t(share * double(side - exact)), side - 1);
}

/// What attention adds to the scores of head n: to[i] for a key that stands first + i steps after its query.
template <class T>
void fill_score_bias(const AttentionNode<T>& op, int64_t n, int64_t first, int64_t count, T* to) {
  if (std::holds_alternative<AlibiPositions>(op.positions)) {
    const T slope = T(alibi_slope(n, op.heads));
    for (int64_t i = 0; i < count; ++i) to[i] = -slope * T(std::abs(first + i));
  }
  if (const auto* relative = std::get_if<RelativePositions<T>>(&op.positions)) {
    const T* weight = relative->weight->data.get();  // [R, N]
    const int64_t buckets = relative->weight->shape[0];
    for (int64_t i = 0; i < count; ++i)
      to[i] = weight[relative_bucket(first + i, buckets, relative->max_distance, relative->bidirectional) *
                         op.heads +
                     n];
  }
}

}  // namespace weft
