// The normal distribution on vectors.
//
//   phi(x) = exp(-x^2 / 2) / sqrt(2 pi)          Phi(x) = integral of phi up to x
//   Phi(-a) = exp(-a^2 / 2) P(t) / (1 + sqrt(2) a),   t = (a - K) / (a + K),   a >= 0
//   Phi(a)  = 1 - Phi(-a)
//
// (1 + 2z) exp(z^2) erfc(z) is smooth on the whole half-line, so one polynomial in t serves it, without
// cancellation in the left tail: Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc
// x", 1981. P is that function for z = a / sqrt(2), halved, interpolated at Chebyshev nodes; its relative
// error is 4e-9 (float, degree 10, K = 4, a up to 15) and 8e-18 (double, degree 22, K = 5.5, a up to 40).
#pragma once

#include "math.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct TailPolynomial;
template <>
struct TailPolynomial<float> {
  static constexpr float centre = 4, limit = 13;  // Phi(-13) is the least that a float32 holds
  static constexpr float coefficients[] = {
      -0.0001083319906f, -7.159039563e-5f, 0.00104877022f,  -0.0006927167013f, -0.007282972783f, 0.028888918f,
      -0.05831933687f,   0.07014860956f,   -0.03172109372f, -0.06617830503f,   0.6284778785f};
};
template <>
struct TailPolynomial<double> {
  static constexpr double centre = 5.5, limit = 37.6;
  static constexpr double coefficients[] = {
      -1.70390833340604402e-9,   -5.84517128280118469e-9, 9.72180833732057668e-9,   5.01227305206460758e-8,
      -6.90573308851226854e-8,   -3.07742124278403507e-7, 7.00089805798534539e-7,   1.45985938058842909e-6,
      -7.11096144162324862e-6,   3.84992530760676439e-7,  0.0000570290462939245628, -0.000142979856895944694,
      -0.0000928448016265252488, 0.00172050854295962116,  -0.00663009611210592028,  0.0166778427094981944,
      -0.0316102053644573939,    0.046707682897161161,    -0.05230912673973356,     0.037122339538848685,
      0.00520605813625538133,    -0.0699921834671488756,  0.617480449498209948};
};

template <class T>
struct Normal {
  Vec<T> density, distribution;  // phi(x), Phi(x)
};

template <class T>
inline Normal<T> normal(const Vec<T>& x) {
  using namespace Eigen::internal;
  using V = Vec<T>;
  using Tail = TailPolynomial<T>;
  const V one = broadcast(T(1)), zero = broadcast(T(0)), half = broadcast(T(0.5));
  const V a = pabs(x);
  const V square = pmul(x, x), lost = fma(x, x, pnegate(square));  // x^2 = square + lost
  V gauss = exp(pmul(pnegate(half), square));
  gauss = fma(gauss, pmul(pnegate(half), lost), gauss);
  const V t = pdiv(psub(a, broadcast(Tail::centre)), padd(a, broadcast(Tail::centre)));
  V polynomial = broadcast(Tail::coefficients[0]);
#pragma GCC unroll 32
  for (int64_t i = 1; i < int64_t(sizeof Tail::coefficients / sizeof(T)); ++i)
    polynomial = fma(polynomial, t, broadcast(Tail::coefficients[i]));
  V tail = pdiv(pmul(gauss, polynomial), fma(a, broadcast(T(1.41421356237309504880)), one));
  // Beyond the limit both are nothing, also at infinity, where the formulas give NaN.
  const V beyond = pcmp_lt(broadcast(Tail::limit), a);
  tail = pselect(beyond, zero, tail);
  gauss = pselect(beyond, zero, gauss);
  const V distribution = pselect(pcmp_lt(zero, x), psub(one, tail), tail);
  return {pmul(gauss, broadcast(T(0.398942280401432677940))), distribution};
}

}  // namespace weft::WEFT_ISA
