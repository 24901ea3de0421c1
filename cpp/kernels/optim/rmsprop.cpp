// RMSprop, as PyTorch has it.
//
//   g = grad + weight_decay w
//   s = alpha s + (1 - alpha) g^2
//   u = g / (sqrt(s) + eps)
//   w = w - lr u
//
//   centered        a = alpha a + (1 - alpha) g        u = g / (sqrt(s - a^2) + eps)
//   with momentum   b = momentum b + u                 w = w - lr b
//
// Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves,
// "Generating sequences with recurrent neural networks", 2013.
#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/square_root.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

template <class T>
void rmsprop_update(const RmspropUpdate<T>& p, int threads) {
  using V = Vec<T>;
  const V keep = broadcast(T(p.alpha)), take = broadcast(T(1 - p.alpha)),
          decay = broadcast(T(p.weight_decay));
  const V minus_lr = broadcast(T(-p.lr)), eps = broadcast(T(p.eps)), momentum = broadcast(T(p.momentum));
  const V zero = broadcast(T(0));
  for_each_vector_parallel<T>(p.size, threads, [&](int64_t i, int64_t n) {
    const V w = load(p.param + i, n);
    const V g = fma(decay, w, load(p.grad + i, n));
    V s = fma(keep, load(p.square_avg + i, n), pmul(take, pmul(g, g)));
    store(p.square_avg + i, s, n);
    if (p.grad_avg != nullptr) {
      const V a = fma(keep, load(p.grad_avg + i, n), pmul(take, g));
      store(p.grad_avg + i, a, n);
      s = psub(s, pmul(a, a));
      s = pselect(pcmp_lt(s, zero), zero, s);  // a variance, whatever rounding says; NaN stays
    }
    V update = pdiv(g, padd(square_root<T>(s), eps));
    if (p.momentum_buffer != nullptr) {
      update = fma(momentum, load(p.momentum_buffer + i, n), update);
      store(p.momentum_buffer + i, update, n);
    }
    store(p.param + i, fma(minus_lr, update, w), n);
  });
}

template void rmsprop_update(const RmspropUpdate<float>&, int);
template void rmsprop_update(const RmspropUpdate<double>&, int);

}  // namespace weft::WEFT_ISA
