// The mean and the deviation of a row, and the row normalized by them.
//
//   xhat = (x - mean) r          r = 1 / sqrt(variance + eps)          x, xhat [D]
//
// A mean that is rounded before it is subtracted leaves its rounding in every difference, which is no longer
// small where the row varies little beside its mean. So the mean is two numbers, mean + rest, and variance
// and differences are taken about the first and corrected by the second:
//
//   rest = mean_d (x_d - mean)          variance = mean_d (x_d - mean)^2 - rest^2
//
// Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
#pragma once

#include <math.h>

#include "kernels/simd/exponential.hpp"

namespace weft::WEFT_ISA {

/// Sums of N terms over a row: add(i, n, sums) adds those of n elements from the i-th on to sums[N], and may
/// add anything in the lanes behind.
template <class T, int N, class Add>
[[gnu::always_inline]] inline void row_sums(int64_t size, T* totals, const Add& add) {
  using namespace Eigen::internal;
  constexpr int chains = 4;  // that do not wait for each other
  Vec<T> sums[chains][N];
  for (auto& chain : sums)
    for (Vec<T>& sum : chain) sum = broadcast(T(0));
  int64_t i = 0;
  for (; i + chains * lanes<T> <= size; i += chains * lanes<T>)
    for (int c = 0; c < chains; ++c) add(i + c * lanes<T>, int64_t(lanes<T>), sums[c]);
  for (int c = 0; i + lanes<T> <= size; i += lanes<T>, ++c) add(i, int64_t(lanes<T>), sums[c]);
  for (int k = 0; k < N; ++k) sums[0][k] = padd(padd(sums[0][k], sums[1][k]), padd(sums[2][k], sums[3][k]));
  if (i < size) {
    for (Vec<T>& sum : sums[1]) sum = broadcast(T(0));
    add(i, size - i, sums[1]);
    for (int k = 0; k < N; ++k) {
      T last[lanes<T>];
      store(last, sums[1][k]);
      sums[0][k] = padd(sums[0][k], load_partial(last, size - i));
    }
  }
  for (int k = 0; k < N; ++k) totals[k] = predux(sums[0][k]);
}

template <class T>
struct RowLimits;
template <>
struct RowLimits<float> {
  static constexpr float largest = __FLT_MAX__, precise = __FLT_MIN__ / __FLT_EPSILON__;
};
template <>
struct RowLimits<double> {
  static constexpr double largest = __DBL_MAX__, precise = __DBL_MIN__ / __DBL_EPSILON__;
};

/// Differences are taken of x / 16, so that neither that of the two largest numbers nor the inverse of their
/// deviation leaves the range of T.
inline constexpr float shrink = 1.0f / 16;

template <class T>
struct RowStatistics {
  T mean, rest;
  T inverse;  // r / shrink

  static RowStatistics of(const T* x, int64_t size, double eps) {
    double scale = 1;
    Moments row = moments(x, size, T(1));
    double spread = double(row.variance) + eps;
    if (!(spread >= double(RowLimits<T>::precise) && spread <= double(RowLimits<T>::largest))) {
      scale = scale_of(x, size);  // the squares of such numbers leave the range of T
      row = moments(x, size, T(scale));
      spread = double(row.variance) + eps * scale * scale;
    }
    // Of a row of equal numbers and eps = 0 the differences are zero, and stay so by any factor but infinity.
    const double inverse = scale / double(shrink) / ::sqrt(spread);
    return {T(double(row.mean) / scale), T(double(row.rest) / scale),
            inverse > double(RowLimits<T>::largest) ? RowLimits<T>::largest : T(inverse)};
  }

 private:
  struct Moments {
    T mean, rest, variance;
  };

  /// Of x times `scale`, a power of two.
  static Moments moments(const T* x, int64_t size, T scale) {
    const Vec<T> factor = broadcast(scale), share = broadcast(scale / T(size));
    const T per_size = T(1) / T(size);
    T mean;
    row_sums<T, 1>(size, &mean, [&](int64_t i, int64_t n, Vec<T>* sum) __attribute__((always_inline)) {
      *sum = fma(load(x + i, n), share, *sum);
    });
    for (bool first = true;; first = false) {
      const Vec<T> m = broadcast(-mean);
      T sums[2];
      row_sums<T, 2>(size, sums, [&](int64_t i, int64_t n, Vec<T>* sum) __attribute__((always_inline)) {
        const Vec<T> d = fma(load(x + i, n), factor, m);
        sum[0] = Eigen::internal::padd(sum[0], d);
        sum[1] = fma(d, d, sum[1]);
      });
      const T rest = sums[0] * per_size, square = sums[1] * per_size, variance = square - rest * rest;
      // Once is enough: the mean is then the nearest number, and that of equal numbers is they.
      if (!first || !(2 * (rest * rest) > square)) return {mean, rest, variance < 0 ? T(0) : variance};
      mean += rest;  // its rounding was more than the row varies
    }
  }

  /// A power of two that takes the row's largest number near 1.
  static double scale_of(const T* x, int64_t size) {
    using namespace Eigen::internal;
    Vec<T> greatest = broadcast(T(0));
    for_each_vector<T>(0, size,
                       [&](int64_t i, int64_t n) { greatest = pmax(greatest, pabs(load(x + i, n))); });
    constexpr int most = Format<T>::bias - 7;  // neither it nor its inverse is subnormal
    int exponent;
    ::frexp(double(predux_max(greatest)), &exponent);
    return ::ldexp(1, -int(max_of(-most, min_of(exponent, most))));
  }
};

/// xhat of vectors of a row.
template <class T>
class Normalized {
 public:
  explicit Normalized(const RowStatistics<T>& row)
      : mean_(broadcast(-row.mean * T(shrink))),
        inverse_(broadcast(row.inverse)),
        rest_(broadcast(-(row.rest * T(shrink)) * row.inverse)) {}

  Vec<T> operator()(const Vec<T>& x) const {
    return fma(fma(x, broadcast(T(shrink)), mean_), inverse_, rest_);
  }

 private:
  Vec<T> mean_, inverse_, rest_;
};

}  // namespace weft::WEFT_ISA
