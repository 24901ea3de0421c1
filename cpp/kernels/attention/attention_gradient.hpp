// The gradient of the scores of a tile, which backward needs for q, k and v and again for the bias.
//
//   P  = exp(S - m) / sum                 forward's weights, computed again
//   dP = drop(dout v^T)                   out = drop(P) v
//   dS = P (dP - delta)                   delta = sum_s P dP = dout . out, a number for each query
//
// With a soft cap, dS is taken back through it. Where P is zero, dS is zero, whatever dP is.
#pragma once

#include "kernels/attention/attention_dropout.hpp"
#include "kernels/attention/attention_softmax.hpp"
#include "kernels/gemm/weighted_sum.hpp"

namespace weft::WEFT_ISA {

/// A block of keys as the products of backward need it.
template <class T>
struct KeyBlock {
  Range keys;
  PackedMatrix<T> k, v;  // transposed
};

/// Buffers of [rows, columns], their rows `row` apart.
template <class T>
struct GradientTile {
  T *weights, *dscores, *slope;  // drop(P), dS, and the soft cap's slope, null without it
  int64_t row;
};

/// What the rows of a tile bring along, each of its first query on.
template <class T>
struct GradientRows {
  const T *q, *dout;  // scale q, padded to whole vectors, and dout
  int64_t q_row, dout_row;
  const T *normalizer, *delta;
};

/// dS = P (dP - delta) for one row.
template <class T>
inline void weights_and_gradient(T* scores, T* dweights, int64_t columns, const Softmax<T>& softmax,
                                 T delta) {
  using namespace Eigen::internal;
  const Vec<T> mean = broadcast(delta), zero = broadcast(T(0));
  for (int64_t i = 0; i < columns; i += lanes<T>) {
    const Vec<T> weight = softmax.weights(load(scores + i));
    const Vec<T> gradient = pmul(weight, psub(load(dweights + i), mean));
    store(scores + i, weight);
    store(dweights + i, pselect(pcmp_eq(weight, zero), zero, gradient));
  }
}

template <class T>
inline void gradient_of_scores(const Attention<T>& p, const Visibility& visible, const AttentionTile& tile,
                               const KeyBlock<T>& block, const GradientRows<T>& from,
                               const GradientTile<T>& to) {
  const int64_t rows = tile.rows(), columns = tile.columns(), padded = round_up(columns, lanes<T>);
  const int64_t skipped = tile.keys.begin - block.keys.begin;  // whole panels
  multiply_keys(p, tile, from.q, from.q_row, block.k.panels(skipped), to.weights, to.row, [] {});
  finish_scores(p, visible, tile, to.weights, to.row, to.slope);
  gemm<T>(rows, padded, p.value_size, {from.dout, from.dout_row, 1}, block.v.panels(skipped), {}, to.dscores,
          to.row);
  for (int64_t r = 0; r < rows; ++r) {
    T *weights = to.weights + r * to.row, *dscores = to.dscores + r * to.row;
    if (p.dropped_below > 0) drop_row(p, tile, r, dscores, dscores);
    weights_and_gradient(weights, dscores, padded, Softmax<T>(from.normalizer + 2 * r), from.delta[r]);
    if (p.dropped_below > 0) drop_row(p, tile, r, weights, weights);
    if (to.slope != nullptr)
      for (int64_t i = 0; i < columns; ++i)
        dscores[i] = dscores[i] == T(0) ? T(0) : dscores[i] * to.slope[r * to.row + i];
  }
}

/// delta = dout . out
template <class T>
inline T dot(const T* a, const T* b, int64_t size) {
  Vec<T> sum = broadcast(T(0));
  for_each_vector<T>(0, size, [&](int64_t i, int64_t n) { sum = fma(load(a + i, n), load(b + i, n), sum); });
  return Eigen::internal::predux(sum);
}

}  // namespace weft::WEFT_ISA
