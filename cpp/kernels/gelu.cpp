// Gaussian error linear unit, exact and in its tanh form.
//
//   gelu       y = x Phi(x)                    dx = dy (Phi(x) + x phi(x))                     Phi, phi:
//   normal.hpp gelu_tanh  y = x (1 + tanh(u)) / 2         = x s,  s = sigmoid(2u),  u = sqrt(2/pi) (x +
//   0.044715 x^3)
//              dx = dy (s + x s (1 - s) 2u'),  u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
//
// Both keep x for backward. Hendrycks and Gimpel, "Gaussian error linear units", 2016.
#include "elementwise.hpp"
#include "math.hpp"
#include "normal.hpp"
#include "pointwise.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

namespace {

constexpr double cubic = 0.044715, twice_root = 1.59576912160573071176;  // 2 sqrt(2/pi)

}  // namespace

template <class T>
void gelu_forward(int64_t size, const T* x, T* y, int threads) {
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(x + i, n);
    store(y + i, pmul(v, normal<T>(v).distribution), n);
  });
}

template <class T>
void gelu_backward(int64_t size, const T* x, const T* dy, T* dx, int threads) {
  // y = x Phi(x); far out x phi(x) is nothing, also at infinity.
  const Vec<T> zero = broadcast(T(0));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(x + i, n);
    const Normal<T> at = normal<T>(v);
    const Vec<T> slope = pselect(pcmp_eq(at.density, zero), zero, pmul(v, at.density));
    store(dx + i, pmul(load(dy + i, n), padd(at.distribution, slope)), n);
  });
}

template <class T>
void gelu_tanh_forward(int64_t size, const T* x, T* y, int threads) {
  const Vec<T> linear = broadcast(T(twice_root)), cube = broadcast(T(twice_root * cubic));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(x + i, n);
    const Vec<T> twice_u = pmul(v, fma(cube, pmul(v, v), linear));
    store(y + i, pmul(v, sigmoid<T>(twice_u)), n);
  });
}

template <class T>
void gelu_tanh_backward(int64_t size, const T* x, const T* dy, T* dx, int threads) {
  // y = x sigmoid(2u). Beyond 40 the slope is 0 or 1; the bound keeps x^3 finite. NaN fails both comparisons.
  const Vec<T> linear = broadcast(T(twice_root)), cube = broadcast(T(twice_root * cubic)),
               one = broadcast(T(1));
  const Vec<T> cube3 = broadcast(T(3 * twice_root * cubic)), top = broadcast(T(40)),
               bottom = broadcast(T(-40));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    Vec<T> v = load(x + i, n);
    v = pselect(pcmp_lt(top, v), top, pselect(pcmp_lt(v, bottom), bottom, v));
    const Vec<T> square = pmul(v, v);
    const Vec<T> s = sigmoid<T>(pmul(v, fma(cube, square, linear)));
    const Vec<T> twice_du = fma(cube3, square, linear);
    const Vec<T> slope = pmul(pmul(v, twice_du), pmul(s, psub(one, s)));
    store(dx + i, pmul(load(dy + i, n), padd(s, slope)), n);
  });
}

template void gelu_forward(int64_t, const float*, float*, int);
template void gelu_forward(int64_t, const double*, double*, int);
template void gelu_backward(int64_t, const float*, const float*, float*, int);
template void gelu_backward(int64_t, const double*, const double*, double*, int);
template void gelu_tanh_forward(int64_t, const float*, float*, int);
template void gelu_tanh_forward(int64_t, const double*, double*, int);
template void gelu_tanh_backward(int64_t, const float*, const float*, float*, int);
template void gelu_tanh_backward(int64_t, const double*, const double*, double*, int);

}  // namespace weft::WEFT_ISA
