// Adam and AdamW, as PyTorch has them, at step t = 1, 2, ...
//
//   g = grad + weight_decay w                   AdamW (decoupled): w = w - lr weight_decay w,  g = grad
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2               amsgrad: v_max = max(v_max, v) in place of v below
//   w = w - lr m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + eps)
//
// Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled weight decay regularization", 2019; Reddi et
// al., "On the convergence of Adam and beyond", 2018.
#include <math.h>

#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/square_root.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

template <class T>
void adam_update(const AdamUpdate<T>& p, int threads) {
  using V = Vec<T>;
  const V keep1 = broadcast(T(p.beta1)), take1 = broadcast(T(1 - p.beta1));
  const V keep2 = broadcast(T(p.beta2)), take2 = broadcast(T(1 - p.beta2));
  const V shrink = broadcast(T(p.decoupled ? 1 - p.lr * p.weight_decay : 1));
  const V decay = broadcast(T(p.decoupled ? 0 : p.weight_decay));
  const V minus_rate = broadcast(T(-p.lr / p.correction1)), eps = broadcast(T(p.eps));
  const V inverse_root = broadcast(T(1 / ::sqrt(p.correction2)));
  for_each_vector_parallel<T>(p.size, threads, [&](int64_t i, int64_t n) {
    const V w = load(p.param + i, n);
    const V g = fma(decay, w, load(p.grad + i, n));
    const V m = fma(keep1, load(p.m + i, n), pmul(take1, g));
    V v = fma(keep2, load(p.v + i, n), pmul(take2, pmul(g, g)));
    store(p.m + i, m, n);
    store(p.v + i, v, n);
    if (p.max_v != nullptr) {
      v = pmax(load(p.max_v + i, n), v);
      store(p.max_v + i, v, n);
    }
    const V step = pdiv(m, fma(square_root<T>(v), inverse_root, eps));
    store(p.param + i, fma(minus_rate, step, pmul(shrink, w)), n);
  });
}

template void adam_update(const AdamUpdate<float>&, int);
template void adam_update(const AdamUpdate<double>&, int);

}  // namespace weft::WEFT_ISA
