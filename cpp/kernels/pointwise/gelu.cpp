// Gaussian error linear unit, exact and in its tanh form.
//
//   gelu        y = x Phi(x)
//              dx = dy (Phi(x) + x phi(x))
//
//   gelu_tanh   y = x (1 + tanh(u)) / 2 = x s        u  = sqrt(2/pi) (x + 0.044715 x^3)
//              dx = dy (s + 2 x s (1 - s) u')        u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
//                                                    s  = sigmoid(2u)
//
// Phi and phi: normal.hpp. Both keep x for backward.
//
// Hendrycks and Gimpel, "Gaussian error linear units", 2016.
#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/math.hpp"
#include "kernels/simd/normal.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

namespace {

constexpr double cubic = 0.044715, twice_root = 1.59576912160573071176;  // 2 sqrt(2/pi)

}  // namespace

template <class T>
void gelu_forward(int64_t size, const T* x, T* y, int threads) {
  // x Phi(x) = max(x, 0) - |x| Phi(-|x|)
  const Vec<T> zero = broadcast(T(0));
  map(size, threads, x, y, [&](const Vec<T>& v) {
    const NormalTail<T> normal = normal_tail<T>(v);
    return psub(pmax(v, zero), pmul(normal.a, normal.tail));
  });
}

template <class T>
void gelu_backward(int64_t size, const T* x, const T* dy, T* dx, int threads) {
  // y = x Phi(x): the slope at -a is Phi(-a) - a phi(a), at a it is 1 minus that.
  const Vec<T> zero = broadcast(T(0)), one = broadcast(T(1)),
               inverse_root = broadcast(T(0.398942280401432677940));
  map(size, threads, x, dy, dx, [&](const Vec<T>& v, const Vec<T>& d) {
    const NormalTail<T> normal = normal_tail<T>(v);
    const Vec<T> slope = psub(normal.tail, pmul(normal.a, pmul(normal.gauss, inverse_root)));
    return pmul(d, pselect(pcmp_lt(zero, v), psub(one, slope), slope));
  });
}

template <class T>
void gelu_tanh_forward(int64_t size, const T* x, T* y, int threads) {
  const Vec<T> linear = broadcast(T(twice_root)), cube = broadcast(T(twice_root * cubic));
  map(size, threads, x, y, [&](const Vec<T>& v) {
    const Vec<T> twice_u = pmul(v, fma(cube, pmul(v, v), linear));
    return pmul(v, sigmoid<T>(twice_u));
  });
}

template <class T>
void gelu_tanh_backward(int64_t size, const T* x, const T* dy, T* dx, int threads) {
  // y = x sigmoid(2u). Beyond 40 the slope is 0 or 1; the bound keeps x^3 finite. NaN stays, as the first
  // operand.
  const Vec<T> linear = broadcast(T(twice_root)), cube = broadcast(T(twice_root * cubic)),
               one = broadcast(T(1));
  const Vec<T> cube3 = broadcast(T(3 * twice_root * cubic)), top = broadcast(T(40)),
               bottom = broadcast(T(-40));
  map(size, threads, x, dy, dx, [&](const Vec<T>& unbounded, const Vec<T>& d) {
    const Vec<T> v = pmax(pmin(unbounded, top), bottom), square = pmul(v, v);
    const Vec<T> s = sigmoid<T>(pmul(v, fma(cube, square, linear)));
    const Vec<T> twice_du = fma(cube3, square, linear);
    return pmul(d, fma(pmul(v, twice_du), pmul(s, psub(one, s)), s));
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
