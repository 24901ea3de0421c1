// Activations whose backward needs no more than one exponential. GELU has a file of its own.
//
//   relu     y = max(x, 0)             dx = dy [y > 0]
//   silu     y = x sigmoid(x)          dx = dy s (1 + x (1 - s)),   s = sigmoid(x)
//   sigmoid  y = 1 / (1 + exp(-x))     dx = dy y (1 - y)
//   tanh     y = tanh(x)               dx = dy (1 - y^2)
//
// silu keeps x for backward, the others y. NaN goes through, in both directions.
#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/math.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

template <class T>
void relu_forward(const ActivationForward<T>& p, int threads) {
  const Vec<T> zero = broadcast(T(0));
  map(p.x, p.y, threads, [&](const Vec<T>& v) { return pselect(pcmp_le(v, zero), zero, v); });
}
template <class T>
void relu_backward(const ActivationBackward<T>& p, int threads) {
  const Vec<T> zero = broadcast(T(0));
  map(p.kept, p.dy, p.dx, threads,
      [&](const Vec<T>& v, const Vec<T>& d) { return pselect(pcmp_le(v, zero), zero, d); });
}

template <class T>
void silu_forward(const ActivationForward<T>& p, int threads) {
  map(p.x, p.y, threads, [](const Vec<T>& v) { return pmul(v, sigmoid<T>(v)); });
}
template <class T>
void silu_backward(const ActivationBackward<T>& p, int threads) {
  const Vec<T> one = broadcast(T(1));
  map(p.kept, p.dy, p.dx, threads, [&](const Vec<T>& v, const Vec<T>& d) {
    const Vec<T> s = sigmoid<T>(v);
    return pmul(d, pmul(s, fma(v, psub(one, s), one)));
  });
}

template <class T>
void sigmoid_forward(const ActivationForward<T>& p, int threads) {
  map(p.x, p.y, threads, [](const Vec<T>& v) { return sigmoid<T>(v); });
}
template <class T>
void sigmoid_backward(const ActivationBackward<T>& p, int threads) {
  const Vec<T> one = broadcast(T(1));
  map(p.kept, p.dy, p.dx, threads,
      [&](const Vec<T>& v, const Vec<T>& d) { return pmul(d, pmul(v, psub(one, v))); });
}

template <class T>
void tanh_forward(const ActivationForward<T>& p, int threads) {
  map(p.x, p.y, threads, [](const Vec<T>& v) { return WEFT_ISA::tanh(v); });
}
template <class T>
void tanh_backward(const ActivationBackward<T>& p, int threads) {
  const Vec<T> one = broadcast(T(1));
  map(p.kept, p.dy, p.dx, threads,
      [&](const Vec<T>& v, const Vec<T>& d) { return pmul(d, psub(one, pmul(v, v))); });
}

template void relu_forward(const ActivationForward<float>&, int);
template void relu_forward(const ActivationForward<double>&, int);
template void relu_backward(const ActivationBackward<float>&, int);
template void relu_backward(const ActivationBackward<double>&, int);
template void silu_forward(const ActivationForward<float>&, int);
template void silu_forward(const ActivationForward<double>&, int);
template void silu_backward(const ActivationBackward<float>&, int);
template void silu_backward(const ActivationBackward<double>&, int);
template void sigmoid_forward(const ActivationForward<float>&, int);
template void sigmoid_forward(const ActivationForward<double>&, int);
template void sigmoid_backward(const ActivationBackward<float>&, int);
template void sigmoid_backward(const ActivationBackward<double>&, int);
template void tanh_forward(const ActivationForward<float>&, int);
template void tanh_forward(const ActivationForward<double>&, int);
template void tanh_backward(const ActivationBackward<float>&, int);
template void tanh_backward(const ActivationBackward<double>&, int);

}  // namespace weft::WEFT_ISA
