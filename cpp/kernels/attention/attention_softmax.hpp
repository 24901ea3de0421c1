// The softmax of a query's scores, once forward has seen them all: what backward and the weights need of it.
//
//   P = exp(S - m) / sum       m = max_s S       sum = sum_s exp(S - m)
//
//   normalizer [B, N, T, 2] = (m, sum)
//
// The two are kept apart. In one number, m + log(sum), the logarithm would be lost to rounding where m is
// large, as in a row to which a mask of -1e9 was added.
#pragma once

#include "kernels/simd/exponential.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct Softmax {
  Vec<T> greatest, inverse;

  /// A query without keys has m = -inf, sum = 0, and -inf for every score: all its weights are zero.
  explicit Softmax(const T* normalizer)
      : greatest(broadcast(normalizer[1] == T(0) ? T(0) : normalizer[0])),
        inverse(broadcast(normalizer[1] == T(0) ? T(0) : T(1) / normalizer[1])) {}

  Vec<T> weights(const Vec<T>& scores) const {
    using namespace Eigen::internal;
    return pmul(exponential_not_above_one<T>(psub(scores, greatest)), inverse);
  }
};

}  // namespace weft::WEFT_ISA
