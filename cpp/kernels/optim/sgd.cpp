// Stochastic gradient descent with momentum, as PyTorch has it.
//
//   g = grad + weight_decay w
//   v = momentum v + (1 - dampening) g
//   w = w - lr v
//
//   Nesterov           w = w - lr (g + momentum v)
//   without momentum   w = w - lr g
//
// Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"

namespace weft::WEFT_ISA {

using Eigen::internal::pmul;

template <class T>
void sgd_update(const SgdUpdate<T>& p, int threads) {
  using V = Vec<T>;
  const V minus_lr = broadcast(T(-p.lr)), decay = broadcast(T(p.weight_decay)),
          momentum = broadcast(T(p.momentum));
  const V sign = broadcast(T(p.maximize ? -1 : 1)), share_of_g = broadcast(T(1 - p.dampening));
  for_each_vector_parallel<T>(p.size, threads, [&](int64_t i, int64_t n) {
    const V w = load(p.param + i, n);
    const V g = fma(decay, w, pmul(sign, load(p.grad + i, n)));
    V direction = g;
    if (p.velocity != nullptr) {
      const V v = fma(momentum, load(p.velocity + i, n), pmul(share_of_g, g));
      store(p.velocity + i, v, n);
      direction = p.nesterov ? fma(momentum, v, g) : v;
    }
    store(p.param + i, fma(minus_lr, direction, w), n);
  });
}

template void sgd_update(const SgdUpdate<float>&, int);
template void sgd_update(const SgdUpdate<double>&, int);

}  // namespace weft::WEFT_ISA
