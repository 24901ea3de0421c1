// Adagrad, as PyTorch has it; lr already contains its decay.
//
//   g = grad + weight_decay w
//   s = s + g^2
//   w = w - lr g / (sqrt(s) + eps)
//
// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning", 2011.
#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/square_root.hpp"

namespace weft::WEFT_ISA {

using namespace Eigen::internal;

template <class T>
void adagrad_update(const AdagradUpdate<T>& p, int threads) {
  using V = Vec<T>;
  const V minus_lr = broadcast(T(-p.lr)), eps = broadcast(T(p.eps)), decay = broadcast(T(p.weight_decay));
  for_each_vector_parallel<T>(p.size, threads, [&](int64_t i, int64_t n) {
    const V w = load(p.param + i, n);
    const V g = fma(decay, w, load(p.grad + i, n));
    const V s = fma(g, g, load(p.state_sum + i, n));
    store(p.state_sum + i, s, n);
    store(p.param + i, fma(minus_lr, pdiv(g, padd(square_root<T>(s), eps)), w), n);
  });
}

template void adagrad_update(const AdagradUpdate<float>&, int);
template void adagrad_update(const AdagradUpdate<double>&, int);

}  // namespace weft::WEFT_ISA
