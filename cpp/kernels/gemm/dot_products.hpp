// Products of one row with many, read in place and in order, for when they come from memory and are used
// once:
//
//   y[n] = a . w[n]            a [K]     w [N, K] rows of stride `row`     y [N]
//
// A vector of partial sums for each row of w; as many rows as it has lanes are then added up together.
#pragma once

#include "kernels/gemm/transpose.hpp"

namespace weft::WEFT_ISA {

/// `a` is padded with zeros to whole vectors, y to whole vectors with anything. between() is called once for
/// each vector of y: time to reach for what comes next.
template <class T, class Between>
inline void dot_products(const T* a, int64_t depth, const T* w, int64_t row, int64_t count, T* y,
                         const Between& between) {
  constexpr int width = lanes<T>, together = width < 4 ? width : 4;
  T square[width * width];
  const int64_t whole = depth / width * width;
  for (int64_t n = 0; n < count; n += width) {
    between();
    for (int i = 0; i < width; i += together) {
      const T* from[together];
      Vec<T> sum[together];
#pragma GCC unroll 4
      for (int j = 0; j < together; ++j) {
        from[j] = w + min_of(n + i + j, count - 1) * row;
        sum[j] = broadcast(T(0));
      }
      for (int64_t k = 0; k < whole; k += width) {
        const Vec<T> left = load(a + k);
#pragma GCC unroll 4
        for (int j = 0; j < together; ++j) sum[j] = fma(left, load(from[j] + k), sum[j]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < together; ++j) {
        if (whole < depth)
          sum[j] = fma(load(a + whole), load_partial(from[j] + whole, depth - whole), sum[j]);
        store(square + (i + j) * width, sum[j]);
      }
    }
    Vec<T> total = broadcast(T(0));
    for_each_column(square, int64_t(width),
                    [&](int, const Vec<T>& column) { total = Eigen::internal::padd(total, column); });
    store(y + n, total);
  }
}

}  // namespace weft::WEFT_ISA
