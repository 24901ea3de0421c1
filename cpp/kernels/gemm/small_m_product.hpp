// Small-M products by a transposed matrix, C = start + A W^T: A has too few rows to pay for packing W.
//
//   A [M, K]   W [N, K]   start [N], [M, N] or none   C [M, N]
//
// Few rows: squares of W are transposed in registers, and multiplied by all rows of A at once.
// Some rows, about a vector: C^T = start + W A^T, where A is packed instead and W's elements are broadcast.
//
// The sum over k runs in the order of gemm.hpp: an element's bits do not depend on which of them took it.
#pragma once

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

/// Cache-set conflict: do rows so far apart map to the same few sets of the first-level cache?
template <class T>
inline bool collide(int64_t row) {
  return row * int64_t(sizeof(T)) % 4096 == 0;
}

/// Rows of A that fit in the registers beside a square.
inline constexpr int few_rows = tuning.few_rows;

/// N panels of C for M rows; `columns` <= lanes in the last one. Sums of several panels take turns where rows
/// are few: each is a chain of additions, of which the processor could not fill the pauses otherwise.
template <class T, int M, int N>
__attribute__((noinline)) void panels_of_few_rows(int64_t columns, int64_t depth, const T* a, int64_t a_row,
                                                  const T* w, int64_t w_row, Epilogue<T> epilogue, T* c,
                                                  int64_t c_row) {
  constexpr int width = lanes<T>;
  const auto columns_of = [&](int n) { return n + 1 < N ? int64_t(width) : columns; };
  Vec<T> sum[N][M];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
      sum[n][m] = epilogue.start == nullptr
                      ? broadcast(T(0))
                      : load(epilogue.start + m * epilogue.row + n * width, columns_of(n));
  const auto add = [&](int n, int64_t k, const Vec<T>& column) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) sum[n][m] = fma(broadcast(a[m * a_row + k]), column, sum[n][m]);
  };
  int64_t k = 0;
  const int64_t whole = columns == width ? depth / width * width : 0;
  for (; k < whole; k += width) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      for_each_column(w + n * width * w_row + k, w_row,
                      [&](int i, const Vec<T>& column)
                          __attribute__((always_inline)) { add(n, k + i, column); });
  }
  for (; k < depth; ++k) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      T column[width] = {};
      for (int64_t i = 0; i < columns_of(n); ++i) column[i] = w[(n * width + i) * w_row + k];
      add(n, k, load(column));
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) store(c + m * c_row + n * width, sum[n][m], columns_of(n));
}

template <class T>
using PanelsOfFewRows = void (*)(int64_t, int64_t, const T*, int64_t, const T*, int64_t, Epilogue<T>, T*,
                                 int64_t);

/// Panels that take turns where A has M rows; of 16 lanes, one is faster.
template <class T>
constexpr int panels_in_turn(int rows) {
  return rows > 2 || lanes<T> > 8 ? 1 : rows == 1 ? 4 : 2;
}
/// By the number of rows: one panel, and those that take turns.
template <class T>
struct FewRows {
  PanelsOfFewRows<T> one[few_rows + 1] = {}, several[few_rows + 1] = {};
  constexpr FewRows() { fill<few_rows>(); }

 private:
  template <int M>
  constexpr void fill() {
    one[M] = &panels_of_few_rows<T, M, 1>;
    several[M] = &panels_of_few_rows<T, M, panels_in_turn<T>(M)>;
    if constexpr (M > 1) fill<M - 1>();
  }
};

/// Whole panels, of rows of W with cache-set conflicts: copied a few elements of each at a time, so that each
/// line of a row is used up when it comes.
template <class T>
__attribute__((noinline)) void copied_panels_of_few_rows(PanelsOfFewRows<T> panels, int64_t columns,
                                                         int64_t depth, const T* a, int64_t a_row, const T* w,
                                                         int64_t w_row, Epilogue<T> epilogue, T* c,
                                                         int64_t c_row) {
  constexpr int64_t run = 256, row = run + lanes<T>;
  T copy[panels_in_turn<T>(1) * lanes<T> * row];
  int64_t k = 0;
  do {  // once where depth is zero
    const int64_t count = min_of(depth - k, run);
    for (int64_t i = 0; i < columns; ++i)
      __builtin_memcpy(copy + i * row, w + i * w_row + k, size_t(count) * sizeof(T));
    panels(lanes<T>, count, a + k, a_row, copy, row, epilogue, c, c_row);
    epilogue = {c, c_row};
    k += count;
  } while (k < depth);
}

/// Columns [columns.begin, columns.end) of C = start + A W^T for `rows` <= few_rows; begin is a multiple of
/// lanes.
template <class T>
void product_of_few_rows(int64_t rows, Range columns, int64_t depth, const T* a, int64_t a_row, const T* w,
                         int64_t w_row, Epilogue<T> epilogue, T* c, int64_t c_row) {
  static constexpr FewRows<T> kernels;
  if (rows == 0) return;
  const int64_t several = panels_in_turn<T>(int(rows)) * lanes<T>;
  const bool colliding = collide<T>(w_row);
  for (int64_t n = columns.begin; n < columns.end;) {
    const int64_t left = columns.end - n, count = left >= several ? several : min_of(left, lanes<T>);
    const PanelsOfFewRows<T> panels = (count == several ? kernels.several : kernels.one)[rows];
    if (colliding && count >= lanes<T>)
      copied_panels_of_few_rows(panels, count, depth, a, a_row, w + n * w_row, w_row, epilogue.at(0, n),
                                c + n, c_row);
    else
      panels(min_of(count, lanes<T>), depth, a, a_row, w + n * w_row, w_row, epilogue.at(0, n), c + n, c_row);
    n += count;
  }
}

template <class T>
inline constexpr int64_t some_rows = 2 * lanes<T>;
/// Do the rows nearly fill one or two vectors? What they leave empty is computed too.
template <class T>
constexpr bool are_some_rows(int64_t rows) {
  return rows <= some_rows<T> && 8 * rows >= 7 * round_up(rows, lanes<T>);
}
/// Columns of C that are computed before they are transposed.
inline constexpr int64_t some_columns = 8 * tile_rows(2);

/// Elements of workspace for every thread.
template <class T>
constexpr int64_t product_of_some_rows_workspace(int64_t depth) {
  return (depth + some_columns) * some_rows<T>;
}

/// C^T of `count` columns before any product: their initial values, for all rows.
template <class T>
void start_turned(int64_t count, int64_t wide, const T* start, T* turned) {
  for (int64_t i = 0; i < count; ++i) {
    const Vec<T> value = broadcast(start == nullptr ? T(0) : start[i]);
    for (int64_t m = 0; m < wide; m += lanes<T>) store(turned + i * wide + m, value);
  }
}
/// C of `count` columns, from C^T.
template <class T>
void turn_back(int64_t rows, int64_t count, int64_t wide, const T* turned, T* c, int64_t c_row) {
  int64_t i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>)
    for (int64_t m = 0; m < rows; m += lanes<T>)
      for_each_column(turned + i * wide + m, wide, [&](int k, const Vec<T>& row) {
        if (m + k < rows) store(c + (m + k) * c_row + i, row);
      });
  for (; i < count; ++i)
    for (int64_t m = 0; m < rows; ++m) c[m * c_row + i] = turned[i * wide + m];
}

/// Columns [columns.begin, columns.end) of C = bias + A W^T for `rows` <= some_rows.
template <class T>
void product_of_some_rows(int64_t rows, Range columns, int64_t depth, const T* a, int64_t a_row, const T* w,
                          int64_t w_row, const T* bias, T* c, int64_t c_row, T* workspace) {
  const int64_t wide = round_up(rows, lanes<T>);
  T* const turned = workspace + depth * wide;  // C^T
  const PackedMatrix<T> right{workspace, depth, wide};
  right.pack_transposed(a, a_row, {0, wide}, rows);
  for (int64_t n = columns.begin; n < columns.end; n += some_columns) {
    const int64_t count = min_of(some_columns, columns.end - n);
    start_turned(count, wide, bias == nullptr ? nullptr : bias + n, turned);
    gemm<T>(count, wide, depth, {w + n * w_row, w_row, 1}, right.panels(), {turned, wide}, turned, wide);
    turn_back(rows, count, wide, turned, c + n, c_row);
  }
}

// Compiled once, in small_m_product.cpp.
extern template void product_of_few_rows(int64_t, Range, int64_t, const float*, int64_t, const float*,
                                         int64_t, Epilogue<float>, float*, int64_t);
extern template void product_of_some_rows(int64_t, Range, int64_t, const float*, int64_t, const float*,
                                          int64_t, const float*, float*, int64_t, float*);
extern template void start_turned(int64_t, int64_t, const float*, float*);
extern template void turn_back(int64_t, int64_t, int64_t, const float*, float*, int64_t);
extern template void product_of_few_rows(int64_t, Range, int64_t, const double*, int64_t, const double*,
                                         int64_t, Epilogue<double>, double*, int64_t);
extern template void product_of_some_rows(int64_t, Range, int64_t, const double*, int64_t, const double*,
                                          int64_t, const double*, double*, int64_t, double*);
extern template void start_turned(int64_t, int64_t, const double*, double*);
extern template void turn_back(int64_t, int64_t, int64_t, const double*, double*, int64_t);

}  // namespace weft::WEFT_ISA
