// Rotary positions: each pair of features is rotated by an angle that grows with the step.
//
//   y_a  = x_a c - x_b s       y_b  = x_b c + x_a s         c = cos(angle), s = sin(angle) of pair and step
//   dx_a = dy_a c + dy_b s     dx_b = dy_b c - dy_a s       rotation by the opposite angle
//
// Pair i is (a, b) = (i, i + P), or interleaved (2 i, 2 i + 1); features from 2 P on are copied unchanged.
//
//   x, y [B, N, T, D]   c, s [B, T, P]        B batch, N heads, T time, D features, P pairs
//
// Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021.
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/isa.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

using namespace Eigen::internal;

template <class T>
void turn_halves(int64_t pairs, const T* x, const T* cos, const T* sin, T sign, T* y) {
  const Vec<T> signs = broadcast(sign);
  for_each_vector<T>(0, pairs, [&](int64_t i, int64_t n) {
    const Vec<T> a = load(x + i, n), b = load(x + pairs + i, n);
    const Vec<T> c = load(cos + i, n), s = pmul(signs, load(sin + i, n));
    store(y + i, psub(pmul(a, c), pmul(b, s)), n);
    store(y + pairs + i, fma(a, s, pmul(b, c)), n);
  });
}

/// Interleaved pairs are split into two short rows, rotated and joined, so that all three are vector loops.
template <class T>
void turn_neighbours(int64_t pairs, const T* x, const T* cos, const T* sin, T sign, T* y) {
  constexpr int64_t most = 64;
  T apart[2 * most], turned[2 * most];
  for (int64_t begin = 0; begin < pairs; begin += most) {
    const int64_t count = min_of(most, pairs - begin);
    for (int64_t i = 0; i < count; ++i) {
      apart[i] = x[2 * (begin + i)];
      apart[count + i] = x[2 * (begin + i) + 1];
    }
    turn_halves(count, apart, cos + begin, sin + begin, sign, turned);
    for (int64_t i = 0; i < count; ++i) {
      y[2 * (begin + i)] = turned[i];
      y[2 * (begin + i) + 1] = turned[count + i];
    }
  }
}

}  // namespace

template <class T>
void rotary(const Rotary<T>& p, int threads) {
  const T sign = p.inverse ? T(-1) : T(1);
  parallel(threads, [&](int thread, int shares) {
    const Range rows = share(p.batch * p.time * p.heads, thread, shares);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int64_t b = r / (p.time * p.heads), t = r / p.heads % p.time, n = r % p.heads;
      const T* x = p.x + b * p.x_stride[0] + n * p.x_stride[1] + t * p.x_stride[2];
      const T* cos = p.cos + b * p.cos_stride[0] + t * p.cos_stride[1];
      const T* sin = p.sin + b * p.sin_stride[0] + t * p.sin_stride[1];
      T* y = p.y + b * p.y_stride[0] + n * p.y_stride[1] + t * p.y_stride[2];
      (p.interleaved ? turn_neighbours<T> : turn_halves<T>)(p.pairs, x, cos, sin, sign, y);
      if (y != x)
        for (int64_t i = 2 * p.pairs; i < p.size; ++i) y[i] = x[i];
    }
  });
}

template void rotary(const Rotary<float>&, int);
template void rotary(const Rotary<double>&, int);

}  // namespace weft::WEFT_ISA
