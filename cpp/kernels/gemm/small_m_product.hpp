// Small-M products by a matrix that lies transposed, C = start + A W^T, where A has too few rows to pay for
// packing W.
//
//   A [M, K]   W [N, K]   start [N], [M, N] or none   C [M, N]
//
// Few rows: squares of W are transposed in registers and meet all rows of A at once.
// About a vector of rows: C^T = start + W A^T, for which A is packed and W's elements are broadcast.
//
// The sum over k runs in the order of gemm.hpp: an element's bits do not depend on which of them took it.
#pragma once

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

/// Rows of A that fit in the registers beside a square.
inline constexpr int few_rows = tuning.few_rows;
/// Rows of A whose product may be computed transposed, and columns of C that are at once.
template <class T>
inline constexpr int64_t most_vector_rows = 2 * lanes<T>;
inline constexpr int64_t columns_at_once = 8 * tile_rows(2);

/// Do they nearly fill one or two vectors? What they leave empty is computed too.
template <class T>
constexpr bool fills_vectors(int64_t rows) {
  return rows <= most_vector_rows<T> && 8 * rows >= 7 * round_up(rows, lanes<T>);
}
/// Do rows that lie so far apart fall into the same few sets of the first-level cache, where they would evict
/// each other?
template <class T>
inline bool conflicts_in_cache(int64_t row) {
  return row * int64_t(sizeof(T)) % 4096 == 0;
}

/// Columns [columns.begin, columns.end) of C = start + A W^T for `rows` <= few_rows; begin is a multiple of
/// lanes.
template <class T>
void small_m_product(int64_t rows, Range columns, int64_t depth, const T* a, int64_t a_row, const T* w,
                     int64_t w_row, Epilogue<T> epilogue, T* c, int64_t c_row);

/// Elements of workspace for every thread.
template <class T>
constexpr int64_t transposed_small_m_product_workspace(int64_t depth) {
  return (depth + columns_at_once) * most_vector_rows<T>;
}

/// C^T of `count` columns before any product: their initial values, for all rows.
template <class T>
inline void start_transposed(int64_t count, int64_t wide, const T* start, T* transposed) {
  for (int64_t i = 0; i < count; ++i) {
    const Vec<T> value = broadcast(start == nullptr ? T(0) : start[i]);
    for (int64_t m = 0; m < wide; m += lanes<T>) store(transposed + i * wide + m, value);
  }
}
/// C of `count` columns, from C^T.
template <class T>
inline void transpose_back(int64_t rows, int64_t count, int64_t wide, const T* transposed, T* c,
                           int64_t c_row) {
  int64_t i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>)
    for (int64_t m = 0; m < rows; m += lanes<T>)
      for_each_column(transposed + i * wide + m, wide, [&](int k, const Vec<T>& row) {
        if (m + k < rows) store(c + (m + k) * c_row + i, row);
      });
  for (; i < count; ++i)
    for (int64_t m = 0; m < rows; ++m) c[m * c_row + i] = transposed[i * wide + m];
}

/// Columns [columns.begin, columns.end) of C = bias + A W^T for `rows` <= most_vector_rows.
template <class T>
inline void transposed_small_m_product(int64_t rows, Range columns, int64_t depth, const T* a, int64_t a_row,
                                       const T* w, int64_t w_row, const T* bias, T* c, int64_t c_row,
                                       T* workspace) {
  const int64_t wide = round_up(rows, lanes<T>);
  T* const transposed = workspace + depth * wide;  // C^T
  const PackedMatrix<T> right{workspace, depth, wide};
  right.pack_transposed(a, a_row, {0, wide}, rows);
  for (int64_t n = columns.begin; n < columns.end; n += columns_at_once) {
    const int64_t count = min_of(columns_at_once, columns.end - n);
    start_transposed(count, wide, bias == nullptr ? nullptr : bias + n, transposed);
    gemm<T>(count, wide, depth, {w + n * w_row, w_row, 1}, right.panels(), {transposed, wide}, transposed,
            wide);
    transpose_back(rows, count, wide, transposed, c + n, c_row);
  }
}

}  // namespace weft::WEFT_ISA
