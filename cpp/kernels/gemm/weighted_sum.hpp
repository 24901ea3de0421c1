// Sums of rows by weights, in which a row of weight zero takes no part whatever it holds:
//
//   C[m, n] = start[m, n] + sum over k with A[m, k] != 0 of A[m, k] B[k, n]
//
// Where all of B is finite that is the plain product. Only where it is not, since 0 * inf and 0 * NaN are
// NaN, does it take a loop of its own.
#pragma once

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct Summands {
  Panels<T> panels;
  bool finite;
};

/// Is each element of a matrix, whose rows are whole vectors, finite?
template <class T>
inline bool is_finite(int64_t rows, int64_t columns, const T* from, int64_t from_row) {
  using namespace Eigen::internal;
  Vec<T> bits = broadcast(T(0));  // of zeros, unless there is an infinity or NaN
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < columns; i += lanes<T>)
      bits = por(bits, pmul(load(from + r * from_row + i), broadcast(T(0))));
  return predux(bits) == T(0);
}

/// Copies `rows` x `columns` elements, rows `from_row` apart, times `scale`, to rows of `row` elements, the
/// rest of them zero. Is every element that was read finite?
template <class T>
inline bool copy_scaled(const T* from, int64_t from_row, int64_t rows, int64_t columns, T scale, T* to,
                        int64_t row) {
  using namespace Eigen::internal;
  const Vec<T> factor = broadcast(scale), zero = broadcast(T(0));
  Vec<T> bits = zero;  // of zeros, unless there is an infinity or NaN
  for (int64_t r = 0; r < rows; ++r) {
    for_each_vector<T>(0, columns, [&](int64_t i, int64_t n) {
      const Vec<T> value = load(from + r * from_row + i, n);
      bits = por(bits, pmul(value, zero));
      store(to + r * row + i, pmul(value, factor));
    });
    for (int64_t i = round_up(columns, lanes<T>); i < row; ++i) to[r * row + i] = T(0);
  }
  return predux(bits) == T(0);
}

/// In the arithmetic of gemm.hpp: where no weight is zero, the same bits.
template <class T>
__attribute__((noinline)) void sum_without_zeros(int64_t rows, int64_t columns, int64_t depth,
                                                 const Rows<T>& a, const Panels<T>& b,
                                                 const Epilogue<T>& epilogue, T* c, int64_t c_row) {
  for (int64_t m = 0; m < rows; ++m)
    for_each_vector<T>(0, columns, [&](int64_t i, int64_t n) {
      const T* column = b.data + i / lanes<T> * b.panel;
      Vec<T> sum =
          epilogue.start == nullptr ? broadcast(T(0)) : load(epilogue.start + m * epilogue.row + i, n);
      for (int64_t k = 0; k < depth; ++k) {
        const T weight = a.data[m * a.row + k * a.col];
        if (weight != T(0)) sum = fma(broadcast(weight), load(column + k * b.step), sum);
      }
      store(c + m * c_row + i, sum, n);
    });
}

template <class T>
inline void weighted_sum(int64_t rows, int64_t columns, int64_t depth, const Rows<T>& a, const Summands<T>& b,
                         const Epilogue<T>& epilogue, T* c, int64_t c_row) {
  (b.finite ? &gemm<T> : &sum_without_zeros<T>)(rows, columns, depth, a, b.panels, epilogue, c, c_row);
}

}  // namespace weft::WEFT_ISA
