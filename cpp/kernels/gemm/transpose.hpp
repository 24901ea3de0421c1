// Squares of lanes x lanes elements, transposed in registers.
#pragma once

#include "kernels/simd/isa.hpp"

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

}  // namespace weft::WEFT_ISA
