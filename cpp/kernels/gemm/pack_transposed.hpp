// pack() for a matrix that lies transposed: B[k, n] at source[n * n_stride + k], such as a weight [outputs,
// inputs] in x W^T. Squares of lanes x lanes elements are transposed in registers.
#pragma once

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

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

/// One panel, of the columns from `source` on; `step` elements from a k to the next.
template <class T>
void pack_panel_transposed(const T* source, int64_t n_stride, int64_t depth, int64_t columns, T* panel,
                           int64_t step) {
  constexpr int width = lanes<T>;
  int64_t k = 0;
  if (columns >= width) {
    for (; k + width <= depth; k += width) {
      for_each_column(source + k, n_stride,
                      [&](int i, const Vec<T>& column) { store(panel + (k + i) * step, column); });
    }
  }
  for (; k < depth; ++k)
    for (int64_t i = 0; i < width; ++i) panel[k * step + i] = i < columns ? source[i * n_stride + k] : T(0);
}

/// As pack(source, 1, n_stride, ...): columns [first, last) into panels, `first` a multiple of `lanes`.
template <class T>
void pack_transposed(const T* source, int64_t n_stride, int64_t depth, int64_t columns, T* packed,
                     int64_t first, int64_t last) {
  for (int64_t n = first; n < last; n += lanes<T>)
    pack_panel_transposed(source + n * n_stride, n_stride, depth, columns - n, packed + n * depth, lanes<T>);
}

// Compiled once, in gemm.cpp.
extern template void pack_panel_transposed(const float*, int64_t, int64_t, int64_t, float*, int64_t);
extern template void pack_transposed(const float*, int64_t, int64_t, int64_t, float*, int64_t, int64_t);
extern template void pack_panel_transposed(const double*, int64_t, int64_t, int64_t, double*, int64_t);
extern template void pack_transposed(const double*, int64_t, int64_t, int64_t, double*, int64_t, int64_t);

}  // namespace weft::WEFT_ISA
