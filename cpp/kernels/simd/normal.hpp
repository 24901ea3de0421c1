// The tail of the normal distribution on vectors.
//
//   phi(x) = exp(-x^2 / 2) / sqrt(2 pi)          Phi(x) = integral of phi up to x
//   Phi(-a) = exp(-a^2 / 2) t P(t),   t = 1 / (1 + c a),   a >= 0
//   exp(-a^2 / 2) = 2^s = 2^k (1 + (s - k) Q(s - k)),   s = -a^2 / (2 log 2),   k = round(s)
//
// exp(a^2 / 2) Phi(-a) falls like 1 / a and is smooth on the whole half-line, so one polynomial in t serves
// it, and small values keep their digits: the form of Hastings, "Approximations for digital computers", 1955.
// P and Q interpolate at Chebyshev nodes; their relative errors are 4e-8 and 5e-9 (float), 1e-17 (double).
// The rounding of s adds a^2 / 2 eps.
#pragma once

#include "kernels/simd/exponential.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct NormalConstants;
template <>
struct NormalConstants<float> {
  static constexpr float c = 0.35f, limit = 13.2687f;  // where k = -127, for which 2^k is taken as zero
  static constexpr float tail[] = {-0.02960979549f, 0.1462242065f,   -0.2603379054f,
                                   0.1643917355f,   -0.02663309792f, 0.1069582404f,
                                   0.1194794327f,   0.139908265f,    0.139618902f};
  static constexpr float gauss[] = {0.0001545316295f, 0.001339086336f, 0.009618082557f,
                                    0.05550357114f,   0.2402265076f,   0.693147188f};
};
template <>
struct NormalConstants<double> {
  static constexpr double c = 0.2, limit = 37.66;  // likewise, k = -1023
  static constexpr double tail[] = {
      -0.000125552429693578999, 0.00063452176104746567, 0.00219512091148567432, -0.0301108496448354934,
      0.130237157543233748,     -0.332839464553727816,  0.578585130786592621,   -0.734017991205875758,
      0.714518877972374521,     -0.548965034465502799,  0.333952003950253953,   -0.167885791137726121,
      0.0686103799815959763,    -0.015101427581774089,  0.0209622701173317977,  0.024381234618967699,
      0.0377974191203656641,    0.0497593970431935355,  0.0610251347294282526,  0.0702136213992811867,
      0.0765969292852624205,    0.0797884557129735098,  0.0797884560857476293};
  static constexpr double gauss[] = {
      4.45496059818651839e-10,  7.0725859492692237e-9,   1.01780624458457735e-7, 1.32154425879216897e-6,
      0.0000152527338298361184, 0.000154035304417360502, 0.00133335581464169353, 0.00961812910760688853,
      0.0555041086648215943,    0.240226506959100982,    0.693147180559945309};
};

template <class T>
struct NormalTail {
  Vec<T> a, gauss, tail;  // |x|, at most the limit from where the others are zero; exp(-a^2 / 2); Phi(-a)
};

template <class T>
inline NormalTail<T> normal_tail(const Vec<T>& x) {
  using namespace Eigen::internal;
  using C = NormalConstants<T>;
  const Vec<T> one = broadcast(T(1)), shifter = broadcast(T(Format<T>::shifter + Format<T>::bias));
  const Vec<T> a = pmin(pabs(x), broadcast(C::limit));
  const Vec<T> s = pmul(pmul(a, broadcast(T(-0.72134752044448170368))), a);
  const Vec<T> shifted = padd(s, shifter), r = psub(s, psub(shifted, shifter));
  Vec<T> q = broadcast(C::gauss[0]);
#pragma GCC unroll 16
  for (int i = 1; i < int(sizeof C::gauss / sizeof(T)); ++i) q = fma(q, r, broadcast(C::gauss[i]));
  const Vec<T> gauss = pmul(fma(q, r, one), power_of_two<T>(shifted));
  const Vec<T> t = pdiv(one, fma(a, broadcast(C::c), one));
  Vec<T> p = broadcast(C::tail[0]);
#pragma GCC unroll 32
  for (int i = 1; i < int(sizeof C::tail / sizeof(T)); ++i) p = fma(p, t, broadcast(C::tail[i]));
  return {a, gauss, pmul(gauss, pmul(t, p))};
}

}  // namespace weft::WEFT_ISA
