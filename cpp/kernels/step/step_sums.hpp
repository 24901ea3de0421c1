// Sums of products of one row: the inner loop of a step.
//
//   sum[n] += sum_k x[k] panel[k, n]         x [K]     panel [K, N vectors]
//
// A multiply-add takes several cycles until the next can add to its result. Where a block has few sums, each
// is therefore divided into S chains, which take turns with k and are added up at the end.
#pragma once

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

/// Chains for N vectors of sums.
constexpr int chains_of(int n) { return n > 4 ? 1 : n > 2 ? 2 : 4; }

template <class T, int N, int S = chains_of(N)>
struct StepSums {
  static constexpr int width = lanes<T>;
  Vec<T> sum[S][N];

  /// From one row of N vectors.
  [[gnu::always_inline]] void start(const T* row) {
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[0][n] = load(row + n * width);
#pragma GCC unroll 4
    for (int s = 1; s < S; ++s)
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[s][n] = broadcast(T(0));
  }
  /// Returns the end of the panel.
  [[gnu::always_inline]] const T* add(const T* panel, const T* x, int64_t depth) {
    int64_t k = 0;
    for (; k + S <= depth; k += S) {
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s, panel += N * width) add_one<S>(s, panel, x[k + s]);
    }
    if constexpr (S > 1)
      for (; k < depth; ++k, panel += N * width) add_one<1>(0, panel, x[k]);
    return panel;
  }
  [[gnu::always_inline]] void finish(T* row) {
#pragma GCC unroll 4
    for (int stride = S / 2; stride > 0; stride /= 2)
#pragma GCC unroll 4
      for (int s = 0; s < stride; ++s)
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) sum[s][n] = Eigen::internal::padd(sum[s][n], sum[s + stride][n]);
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) store(row + n * width, sum[0][n]);
  }

 private:
  template <int>
  [[gnu::always_inline]] void add_one(int s, const T* panel, T x) {
    const Vec<T> value = broadcast(x);
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[s][n] = fma(value, load(panel + n * width), sum[s][n]);
  }
};

/// body<B>(v) for blocks of B vectors that cover [0, vectors): as many of the largest size as fit, then a
/// half, a quarter. `turned`: from the end to the beginning, so that every other step first reads what the
/// one before it has left in the cache.
template <int Largest, class Body>
[[gnu::always_inline]] inline void for_each_step_block(int64_t vectors, bool turned, const Body& body) {
  const int64_t count = (vectors + Largest - 1) / Largest;
  for (int64_t i = 0; i < count; ++i) {
    int64_t v = (turned ? count - 1 - i : i) * Largest;
    const int64_t left = vectors - v;
    if (left >= Largest) {
      body.template operator()<Largest>(v);
      continue;
    }
    if constexpr (Largest > 4)
      if (left & 4) body.template operator()<4>(v), v += 4;
    if constexpr (Largest > 2)
      if (left & 2) body.template operator()<2>(v), v += 2;
    if constexpr (Largest > 1)
      if (left & 1) body.template operator()<1>(v);
  }
}

}  // namespace weft::WEFT_ISA
