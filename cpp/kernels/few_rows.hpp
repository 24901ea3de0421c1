// A product by a matrix that lies transposed, C = init + A W^T, where A has too few rows to pay for packing
// W: its squares are transposed in registers and meet all rows of A at once.
//
//   A [M, K]   W [N, K]   init [N] or none   C [M, N]
//
// The sum over k runs in the order of gemm.hpp: an element's bits do not depend on which of the two took it.
#pragma once

#include "gemm.hpp"
#include "parallel.hpp"

namespace weft::WEFT_ISA {

/// Rows of A that fit in the registers beside a square.
inline constexpr int few_rows = vector_registers == 32 ? 8 : 4;

/// body(k, column k) for the columns of a square of lanes x lanes elements whose rows lie `row` apart.
template <class T, class Body>
__attribute__((always_inline)) inline void for_each_column(const T* source, int64_t row, const Body& body) {
  Eigen::internal::PacketBlock<Vec<T>, lanes<T>> square;
  for (int i = 0; i < lanes<T>; ++i) square.packet[i] = load(source + i * row);
  Eigen::internal::ptranspose(square);
#pragma GCC unroll 16
  for (int k = 0; k < lanes<T>; ++k) body(k, square.packet[k]);
}
#ifdef __AVX512F__
/// Four columns at a time: what crosses the vector's quarters is done by the loads, the rest by half as many
/// shuffles.
template <class Body>
__attribute__((always_inline)) inline void for_each_column(const float* source, int64_t row,
                                                           const Body& body) {
  const auto quarters = [&](int i, int k) {  // source[i + 4 q][k .. k + 3] in quarter q
    const float* p = source + i * row + k;
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 4 * row), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 8 * row), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(p + 12 * row), 3);
  };
#pragma GCC unroll 4
  for (int k = 0; k < 16; k += 4) {
    const __m512 a = quarters(0, k), b = quarters(1, k), c = quarters(2, k), d = quarters(3, k);
    const __m512d ab_low = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
                  ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
                  cd_low = _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
                  cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    body(k, Vec<float>(_mm512_castpd_ps(_mm512_unpacklo_pd(ab_low, cd_low))));
    body(k + 1, Vec<float>(_mm512_castpd_ps(_mm512_unpackhi_pd(ab_low, cd_low))));
    body(k + 2, Vec<float>(_mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high))));
    body(k + 3, Vec<float>(_mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high))));
  }
}
#endif

/// N panels of C for M rows; `columns` <= lanes in the last one. Sums of several panels take turns where rows
/// are few: each is a chain of additions, of which the processor could not fill the pauses otherwise.
template <class T, int M, int N>
__attribute__((noinline)) void panels_of_few_rows(int64_t columns, int64_t depth, const T* a, int64_t a_row,
                                                  const T* w, int64_t w_row, const T* init, T* c,
                                                  int64_t c_row) {
  constexpr int width = lanes<T>;
  const auto columns_of = [&](int n) { return n + 1 < N ? int64_t(width) : columns; };
  Vec<T> sum[N][M];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    const Vec<T> start = init == nullptr ? broadcast(T(0)) : load(init + n * width, columns_of(n));
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sum[n][m] = start;
  }
  const auto add = [&](int n, int64_t k, const Vec<T>& column) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sum[n][m] = fma(broadcast(a[m * a_row + k]), column, sum[n][m]);
  };
  int64_t k = 0;
  if (columns == width)
    for (; k + width <= depth; k += width) {
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
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) store(c + m * c_row + n * width, sum[n][m], columns_of(n));
}

/// Columns [columns.begin, columns.end) of C = init + A W^T for `rows` <= few_rows; begin is a multiple of
/// lanes.
template <class T, int M = few_rows>
inline void product_of_few_rows(int64_t rows, Range columns, int64_t depth, const T* a, int64_t a_row,
                                const T* w, int64_t w_row, const T* init, T* c, int64_t c_row) {
  if constexpr (M > 1) {
    if (rows < M)
      return product_of_few_rows<T, M - 1>(rows, columns, depth, a, a_row, w, w_row, init, c, c_row);
  }
  constexpr int several = M > 2 || lanes<T> > 8 ? 1 : M == 1 ? 4 : 2;  // of 16 lanes, one is faster
  const auto run = [&]<int N>(int64_t n, int64_t last) {
    panels_of_few_rows<T, M, N>(last, depth, a, a_row, w + n * w_row, w_row,
                                init == nullptr ? nullptr : init + n, c + n, c_row);
  };
  int64_t n = columns.begin;
  for (; n + several * lanes<T> <= columns.end; n += several * lanes<T>)
    run.template operator()<several>(n, lanes<T>);
  for (; n < columns.end; n += lanes<T>) run.template operator()<1>(n, min_of(lanes<T>, columns.end - n));
}

}  // namespace weft::WEFT_ISA
