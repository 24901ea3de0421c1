// exp(x) within 1 ulp, in half the instructions of Eigen's.
//
//   exp(x) = 2^k exp(r) = 2^k + 2^k m,   k = round(x / log 2),   r = x - k log 2 in [-0.35, 0.35]
//   m = exp(r) - 1 = r + r^2 P(r)
//
// P is summed by powers of r^2 (Estrin's scheme), which halves the chain of products that depend on each
// other. Infinity and zero come out where they should (zero already where a subnormal number would be right),
// NaN stays NaN.
#pragma once

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

/// The layout of a floating-point number.
template <class T>
struct Format;
template <>
struct Format<float> {
  using Bits [[gnu::vector_size(sizeof(Vec<float>))]] = int32_t;
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float shifter =
      12582912.0f;  // 1.5 * 2^23: the sum with it leaves a rounded integer in the low bits
};
template <>
struct Format<double> {
  using Bits [[gnu::vector_size(sizeof(Vec<double>))]] = int64_t;
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double shifter = 6755399441055744.0;
};

/// 2^(n - bias) of the integer n in the low bits of each lane of n + shifter; 0 for n = 0.
template <class T>
inline Vec<T> power_of_two(const Vec<T>& shifted) {
  return (Vec<T>)((typename Format<T>::Bits)shifted << Format<T>::mantissa);
}

template <class T>
struct ExponentialConstants;
template <>
struct ExponentialConstants<float> {
  static constexpr float low = -87.5f, high = 89.0f, vanishing = -88.0f;  // 2^k of the last is zero
  static constexpr float log2_high = 0.693359375f, log2_low = -2.12194440e-4f;
  static constexpr float polynomial[] = {0.001392618359f, 0.008363179053f, 0.04166655462f, 0.1666657699f,
                                         0.5f};
};
template <>
struct ExponentialConstants<double> {
  static constexpr double low = -708.3, high = 710.0, vanishing = -709.0;
  static constexpr double log2_high = 0.693145751953125, log2_low = 1.42860682030941723212e-6;
  static constexpr double polynomial[] = {
      2.51003854955103191e-8,  2.76200884454097482e-7, 2.75572684599970648e-6, 0.0000248015212959543751,
      0.000198412698630536169, 0.00138888889172137169, 0.00833333333333006183, 0.0416666666666241279,
      0.166666666666666675,    0.500000000000000102};
};

/// exp(r) - 1 within 1 ulp, for r in [-0.35, 0.35].
inline Vec<float> exponential_minus_one(const Vec<float>& r) {
  constexpr auto& c = ExponentialConstants<float>::polynomial;
  const auto pair = [&](int i) { return fma(broadcast(c[i]), r, broadcast(c[i + 1])); };
  const Vec<float> r2 = Eigen::internal::pmul(r, r);
  return fma(fma(fma(broadcast(c[0]), r2, pair(1)), r2, pair(3)), r2, r);
}
inline Vec<double> exponential_minus_one(const Vec<double>& r) {
  constexpr auto& c = ExponentialConstants<double>::polynomial;
  const auto pair = [&](int i) { return fma(broadcast(c[i]), r, broadcast(c[i + 1])); };
  const Vec<double> r2 = Eigen::internal::pmul(r, r), r4 = Eigen::internal::pmul(r2, r2);
  const Vec<double> high = fma(pair(0), r2, pair(2)), middle = fma(pair(4), r2, pair(6));
  return fma(fma(fma(high, r4, middle), r2, pair(8)), r2, r);
}

template <class T>
inline Vec<T> exponential(const Vec<T>& v) {
  using namespace Eigen::internal;
  using C = ExponentialConstants<T>;
  // 2^(k - 1) instead of 2^k, which may lie beyond the largest number where the result does not.
  const Vec<T> shifter = broadcast(T(Format<T>::shifter + (Format<T>::bias - 1)));
  const Vec<T> x = pmax(pmin(v, broadcast(C::high)), broadcast(C::low));
  const Vec<T> shifted = fma(x, broadcast(T(1.44269504088896340736)), shifter);
  const Vec<T> k = psub(shifted, shifter);
  const Vec<T> r = fma(k, broadcast(-C::log2_low), fma(k, broadcast(-C::log2_high), x));
  const Vec<T> power = power_of_two<T>(shifted), half = fma(power, exponential_minus_one(r), power);
  return padd(half, half);
}

/// exp(x) for x <= 0, in fewer instructions: within 2 ulp from exp(-9) on, 8 for smaller results.
template <class T>
inline Vec<T> exponential_not_above_one(const Vec<T>& v) {
  using namespace Eigen::internal;
  const Vec<T> shifter = broadcast(T(Format<T>::shifter + Format<T>::bias));
  const Vec<T> x = pmax(v, broadcast(ExponentialConstants<T>::vanishing));
  const Vec<T> shifted = fma(x, broadcast(T(1.44269504088896340736)), shifter);
  const Vec<T> k = psub(shifted, shifter);
  const Vec<T> r = fma(k, broadcast(T(-0.693147180559945309417)), x);
  const Vec<T> power = power_of_two<T>(shifted);
  return fma(power, exponential_minus_one(r), power);
}

}  // namespace weft::WEFT_ISA
