// The functions inside a cell, on vectors.
//
//   sigmoid(x) = 1 / (1 + exp(-x))                         within 3 ulp, also where it is next to zero
//   tanh(x)    = m / (2 + m),   m = exp(2x) - 1            within 3 ulp
//
// Either takes one division and the polynomial of exponential.hpp. Where the exact sigmoid is a subnormal
// number, it may be zero; infinities give 0, 1 and -1, NaN stays NaN.
#pragma once

#include "kernels/simd/exponential.hpp"

namespace weft::WEFT_ISA {

/// From `one` on, 1 + exp(-x) is 1; at `zero`, 2^k is infinite. From `saturated` on, 2 + m is m and exp(-2x)
/// - 1 is -1.
template <class T>
struct SigmoidLimits;
template <>
struct SigmoidLimits<float> {
  static constexpr float one = 40.0f, zero = -89.0f, saturated = 10.0f;
};
template <>
struct SigmoidLimits<double> {
  static constexpr double one = 80.0, zero = -710.0, saturated = 20.0;
};

template <class T>
inline Vec<T> sigmoid(const Vec<T>& v) {
  using namespace Eigen::internal;
  using C = ExponentialConstants<T>;
  using Limits = SigmoidLimits<T>;
  const Vec<T> shifter = broadcast(T(Format<T>::shifter + Format<T>::bias)), one = broadcast(T(1));
  const Vec<T> x = pmax(pmin(v, broadcast(Limits::one)), broadcast(Limits::zero));
  const Vec<T> shifted = fma(x, broadcast(T(-1.44269504088896340736)), shifter);
  const Vec<T> k = psub(shifted, shifter);
  const Vec<T> r = fma(k, broadcast(-C::log2_low), k * broadcast(-C::log2_high) - x);
  return pdiv(one, fma(power_of_two<T>(shifted), padd(exponential_minus_one(r), one), one));
}

template <class T>
inline Vec<T> tanh_of(const Vec<T>& v) {
  using namespace Eigen::internal;
  const Vec<T> shifter = broadcast(T(Format<T>::shifter + Format<T>::bias));
  const T limit = SigmoidLimits<T>::saturated;
  const Vec<T> x = pmax(pmin(v, broadcast(limit)), broadcast(-limit));
  const Vec<T> shifted = fma(x, broadcast(T(2 * 1.44269504088896340736)), shifter);
  const Vec<T> k = psub(shifted, shifter);
  // log 2 need not be split: what k times its rounding changes is far below 1 + exp(2x).
  const Vec<T> r = fma(k, broadcast(T(-0.693147180559945309417)), padd(x, x));
  const Vec<T> power = power_of_two<T>(shifted);
  const Vec<T> m = fma(power, exponential_minus_one(r), psub(power, broadcast(T(1))));
  return pdiv(m, padd(m, broadcast(T(2))));
}
inline Vec<float> tanh(const Vec<float>& x) { return tanh_of<float>(x); }
inline Vec<double> tanh(const Vec<double>& x) { return tanh_of<double>(x); }

}  // namespace weft::WEFT_ISA
