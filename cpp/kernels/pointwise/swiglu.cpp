// SwiGLU: one half of the features is the gate of the other.
//
//   x  = [a; b]                      s  = sigmoid(a)        y = a s b
//   da = dy b s (1 + a (1 - s))      db = dy a s
//
//   x, dx [R, 2 F]   y, dy [R, F]        R rows, F features
//
// Shazeer, "GLU variants improve transformer", 2020.
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/isa.hpp"
#include "kernels/simd/math.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

template <class T>
void swiglu_forward(const SwigluForward<T>& p, int threads) {
  parallel(threads, [&](int thread, int shares) {
    const Range rows = share(p.rows, thread, shares);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const T *a = p.x + r * p.x_row, *b = a + p.size;
      T* y = p.y + r * p.y_row;
      for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
        const Vec<T> v = load(a + i, n);
        store(y + i, pmul(pmul(v, sigmoid<T>(v)), load(b + i, n)), n);
      });
    }
  });
}

template <class T>
void swiglu_backward(const SwigluBackward<T>& p, int threads) {
  const Vec<T> one = broadcast(T(1));
  parallel(threads, [&](int thread, int shares) {
    const Range rows = share(p.rows, thread, shares);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const T *a = p.x + r * p.x_row, *b = a + p.size, *dy = p.dy + r * p.dy_row;
      T *da = p.dx + r * p.dx_row, *db = da + p.size;
      for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
        const Vec<T> v = load(a + i, n), d = load(dy + i, n), s = sigmoid<T>(v);
        store(da + i, pmul(pmul(d, load(b + i, n)), pmul(s, fma(v, psub(one, s), one))), n);
        store(db + i, pmul(d, pmul(v, s)), n);
      });
    }
  });
}

template void swiglu_forward(const SwigluForward<float>&, int);
template void swiglu_forward(const SwigluForward<double>&, int);
template void swiglu_backward(const SwigluBackward<float>&, int);
template void swiglu_backward(const SwigluBackward<double>&, int);

}  // namespace weft::WEFT_ISA
