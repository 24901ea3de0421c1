// Activations whose backward needs no more than one exponential. GELU has a file of its own.
//
//   relu     y = max(x, 0)             dx = dy [y > 0]
//   silu     y = x sigmoid(x)          dx = dy s (1 + x (1 - s)),   s = sigmoid(x)
//   sigmoid  y = 1 / (1 + exp(-x))     dx = dy y (1 - y)
//   tanh     y = tanh(x)               dx = dy (1 - y^2)
//
// silu keeps x for backward, the others y. NaN goes through, in both directions.
#include "elementwise.hpp"
#include "math.hpp"
#include "pointwise.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

template <class T>
void relu_forward(int64_t size, const T* x, T* y, int threads) {
  const Vec<T> zero = broadcast(T(0));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(x + i, n);
    store(y + i, pselect(pcmp_le(v, zero), zero, v), n);
  });
}
template <class T>
void relu_backward(int64_t size, const T* y, const T* dy, T* dx, int threads) {
  const Vec<T> zero = broadcast(T(0));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    store(dx + i, pselect(pcmp_le(load(y + i, n), zero), zero, load(dy + i, n)), n);
  });
}

template <class T>
void silu_forward(int64_t size, const T* x, T* y, int threads) {
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(x + i, n);
    store(y + i, pmul(v, sigmoid<T>(v)), n);
  });
}
template <class T>
void silu_backward(int64_t size, const T* x, const T* dy, T* dx, int threads) {
  const Vec<T> one = broadcast(T(1));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(x + i, n), s = sigmoid<T>(v);
    store(dx + i, pmul(load(dy + i, n), pmul(s, fma(v, psub(one, s), one))), n);
  });
}

template <class T>
void sigmoid_forward(int64_t size, const T* x, T* y, int threads) {
  for_each_vector_parallel<T>(size, threads,
                              [&](int64_t i, int64_t n) { store(y + i, sigmoid<T>(load(x + i, n)), n); });
}
template <class T>
void sigmoid_backward(int64_t size, const T* y, const T* dy, T* dx, int threads) {
  const Vec<T> one = broadcast(T(1));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(y + i, n);
    store(dx + i, pmul(load(dy + i, n), pmul(v, psub(one, v))), n);
  });
}

template <class T>
void tanh_forward(int64_t size, const T* x, T* y, int threads) {
  for_each_vector_parallel<T>(size, threads,
                              [&](int64_t i, int64_t n) { store(y + i, WEFT_ISA::tanh(load(x + i, n)), n); });
}
template <class T>
void tanh_backward(int64_t size, const T* y, const T* dy, T* dx, int threads) {
  const Vec<T> one = broadcast(T(1));
  for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
    const Vec<T> v = load(y + i, n);
    store(dx + i, pmul(load(dy + i, n), psub(one, pmul(v, v))), n);
  });
}

template void relu_forward(int64_t, const float*, float*, int);
template void relu_forward(int64_t, const double*, double*, int);
template void relu_backward(int64_t, const float*, const float*, float*, int);
template void relu_backward(int64_t, const double*, const double*, double*, int);
template void silu_forward(int64_t, const float*, float*, int);
template void silu_forward(int64_t, const double*, double*, int);
template void silu_backward(int64_t, const float*, const float*, float*, int);
template void silu_backward(int64_t, const double*, const double*, double*, int);
template void sigmoid_forward(int64_t, const float*, float*, int);
template void sigmoid_forward(int64_t, const double*, double*, int);
template void sigmoid_backward(int64_t, const float*, const float*, float*, int);
template void sigmoid_backward(int64_t, const double*, const double*, double*, int);
template void tanh_forward(int64_t, const float*, float*, int);
template void tanh_forward(int64_t, const double*, double*, int);
template void tanh_backward(int64_t, const float*, const float*, float*, int);
template void tanh_backward(int64_t, const double*, const double*, double*, int);

}  // namespace weft::WEFT_ISA
