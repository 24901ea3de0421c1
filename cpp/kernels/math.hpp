// Elementary functions on vectors.
//
//   sigmoid(x) = 1 / (1 + exp(-x))            accurate in relative terms on the whole line
//   tanh(x)    = -e / (2 + e),  e = expm1(-2|x|), with the sign of x
//
// exp, log and float's tanh are Eigen's (tanh within 2 ulp); Eigen's logistic is thousands of ulp off near -9
// and its tanh of doubles is not vectorised, so these two are here.
#pragma once

#include "isa.hpp"

namespace weft::WEFT_ISA {

template <class V>
inline V exp(const V& x) {
  return Eigen::internal::pexp(x);
}
template <class V>
inline V log(const V& x) {
  return Eigen::internal::plog(x);
}

template <class T>
inline Vec<T> sigmoid(const Vec<T>& x) {
  const Vec<T> one = broadcast<T>(1);
  return Eigen::internal::pdiv(one, Eigen::internal::padd(one, exp(Eigen::internal::pnegate(x))));
}

inline Vec<float> tanh(const Vec<float>& x) { return Eigen::internal::ptanh(x); }

inline Vec<double> tanh(const Vec<double>& x) {
  using namespace Eigen::internal;
  using V = Vec<double>;
  const V y = pmul(broadcast(-2.0), pabs(x));
  // expm1(y): the series below |y| < 0.35, where exp(y) - 1 would cancel; 14 terms leave 4e-18.
  V series = broadcast(1.0 / 6227020800.0);
  const double inverse_factorials[] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                                       1.0 / 40320,     1.0 / 5040,     1.0 / 720,     1.0 / 120,
                                       1.0 / 24,        1.0 / 6,        1.0 / 2,       1.0};
  for (double coefficient : inverse_factorials) series = fma(series, y, broadcast(coefficient));
  series = pmul(series, y);
  const V direct = psub(exp(y), broadcast(1.0));
  const V e = pselect(pcmp_lt(broadcast(-0.35), y), series, direct);
  const V magnitude = pdiv(pnegate(e), padd(broadcast(2.0), e));
  const V sign = pand(x, broadcast(-0.0));
  return por(magnitude, sign);
}

}  // namespace weft::WEFT_ISA
