// Additive attention scores (Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to
// align and translate", 2014). Given to attention.hpp as its bias, with q and k of size D = 0, they make
// additive attention.
//
// T is float or double. B batch, T queries, S keys, A units. The last axis of q, k, scores and their
// gradients is contiguous; the other axes may have any strides. Outputs and accumulated arrays may not
// overlap anything
// else; inputs may alias each other. Every function throws BadArgument, before it writes anything,
// where a shape is wrong. A call uses at most `threads` threads (0: num_threads()); results do not depend on
// it.
#pragma once

#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

///   scores[b, t, s] = sum_a weight[a] tanh(q[b, t, a] + k[b, s, a])
///
///   q       [B, T, A]  in
///   k       [B, S, A]  in
///   weight  [A]        in
///   scores  [B, T, S]  out
template <class T>
WEFT_API void additive_scores_forward(View<const T, 3> q, View<const T, 3> k, View<const T, 1> weight,
                                      View<T, 3> scores, int threads = 0);

/// Elements of T that additive_scores_backward needs as workspace, for B, S and A.
template <class T>
WEFT_API int64_t additive_scores_backward_workspace(int64_t batch, int64_t keys, int64_t size,
                                                    int threads = 0);

/// Computes the tanh again, so that no array of size T S A is ever stored. Where dscores is zero, as it is
/// where attention is masked, q and k are not read.
///
///   q, k, weight  in, as given to forward
///   dscores    [B, T, S]  in
///   dq         [B, T, A]  out
///   dk         [B, S, A]  out
///   dweight    [A]        accumulated
///   workspace  [additive_scores_backward_workspace(B, S, A)] scratch
template <class T>
WEFT_API void additive_scores_backward(View<const T, 3> q, View<const T, 3> k, View<const T, 1> weight,
                                       View<const T, 3> dscores, View<T, 3> dq, View<T, 3> dk,
                                       View<T, 1> dweight, View<T, 1> workspace, int threads = 0);

}  // namespace weft
